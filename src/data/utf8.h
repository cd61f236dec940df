/* data/utf8: a character as bytes. Whether a text is UTF-8: utf8_valid (data/value.h). */
#pragma once
#include <stdint.h>

/* 1 to 4 bytes; how many. */
uint32_t utf8_put(uint8_t *to, uint32_t c);
