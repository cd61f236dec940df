/* json_parts: walking through a document that is known to be valid JSON, by places in its text.
 * Never checks anything: for documents that json_validate has taken. No memory of its own. */
#pragma once
#include "base/bytes.h"

uint32_t json_skip_space(struct slice s, uint32_t at);
uint32_t json_skip_string(struct slice s, uint32_t at); /* behind the string that begins at `at` */
uint32_t json_skip_value(struct slice s, uint32_t at);  /* behind any value */
