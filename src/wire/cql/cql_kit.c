#include "wire/cql/cql_kit.h"

#include "base/hash.h"
#include "test.h"

static struct arena *arena;

struct arena *kit_arena(void)
{
    if (!arena) arena = arena_new(MIB(8));
    return arena;
}

void kit_done(void)
{
    arena_free(arena);
    arena = NULL;
}

struct slice kit_bytes(const char *hex)
{
    size_t len = strlen(hex) / 2;
    uint8_t *at = arena_take(kit_arena(), len + 1);
    CHECK(at && parse_hex(slice_of(hex), at, len));
    return slice_make(at, len);
}

struct message kit_message(const char *hex)
{
    struct message m = {.whole = kit_bytes(hex)};
    native_head_read(m.whole.at, &m.head);
    m.body = slice_make(m.whole.at + NATIVE_HEAD_SIZE, m.whole.len - NATIVE_HEAD_SIZE);
    CHECK_INT(m.head.length, m.body.len);
    return m;
}

bool kit_same(const struct buf *got, struct slice want)
{
    struct buf hex = buf_make(MIB(1));
    bool same = slice_equal(buf_view(got), want);
    if (!same) {
        put_hex(&hex, got->at, got->len);
        buf_text(&hex, " is not ");
        put_hex(&hex, want.at, want.len);
        test_failed(__FILE__, __LINE__, "%s", buf_cstr(&hex));
    }
    buf_done(&hex);
    return same;
}
