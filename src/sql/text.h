/* sql/text: UTF-8 by code points, for the lexer and the text functions. Private to sql.
 *
 * Never fails on bad UTF-8: a byte that starts nothing counts as one letter. No state.
 */
#pragma once
#include "base/bytes.h"

size_t utf8_length(struct slice s); /* code points */
/* Bytes of the code point at the start of `s`; 0 only at the end. */
uint32_t utf8_size(struct slice s);
/* The byte index of the n-th code point, s.len when there are fewer. */
uint32_t utf8_index(struct slice s, uint64_t n);
/* The index of the first byte that is no valid UTF-8 (overlong, surrogate, cut); s.len: all good.
 */
uint32_t utf8_bad_at(struct slice s);
/* The place of `needle` in `hay` at or after byte `from`; hay.len + 1: not there. */
size_t slice_find(struct slice hay, struct slice needle, size_t from);
/* SQL's LIKE: % is any run, _ one code point, '\' takes the next one as it is. Linear in memory,
 * at most |text| * |pattern| steps. */
bool text_like(struct slice text, struct slice pattern, bool nocase);

/* The code point at the start of `s` (s.len > 0), and writing one (at most 4 bytes). */
uint32_t utf8_decode(struct slice s, uint32_t *size);
uint32_t utf8_encode(uint32_t code, uint8_t out[4]);
/* Simple case of one code point: Latin, Greek, Cyrillic, Armenian; others stay. No locale, so that
 * every machine answers the same. */
uint32_t code_upper(uint32_t code);
uint32_t code_lower(uint32_t code);
