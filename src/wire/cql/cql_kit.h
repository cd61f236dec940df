/* For wire/cql's tests: bytes written down as hexadecimal. */
#pragma once
#include "wire/cql/cql.h"

struct message { /* a head and its body, in an arena of the kit's */
    struct native_head head;
    struct slice whole, body;
};
struct arena *kit_arena(void); /* one a test: kit_done at its end */
void kit_done(void);
struct slice kit_bytes(const char *hex);
struct message kit_message(const char *hex);
bool kit_same(const struct buf *got, struct slice want); /* says the difference */
