/* What a server and its keeper say to each other, from either side, and what an earlier keeper left
 * in DIR/ends: the same bytes however they are cut; an end that is told is read as the same. The
 * first byte chooses who hears. Nothing is started and nobody is killed. */
#include "fuzz.h"

#include "../../src/os/keeper_past.c" /* NOLINT: the files themselves: their readers are private */
#include "../../src/os/keeper_work.c" /* NOLINT */

static void check_end(const struct keeper_end *end)
{
    struct buf once = buf_make(KEEPER_MESSAGE_MAX * 2), twice = buf_make(KEEPER_MESSAGE_MAX * 2);
    size_t used = 0;
    enum keeper_says what;
    struct cursor body;
    bool bad;
    keeper_put_end(&once, KEEPER_FOUND, end);
    if (keeper_take(buf_view(&once), &used, &what, &body, &bad)) {
        struct keeper_end again = keeper_read_end(&body);
        if (body.err || used != once.len || what != KEEPER_FOUND) abort();
        keeper_put_end(&twice, KEEPER_FOUND, &again);
        if (!slice_equal(buf_view(&once), buf_view(&twice))) abort();
    }
    buf_done(&once);
    buf_done(&twice);
}

/* As the keeper hears an order: its lists, without starting it. */
static void hear_order(struct cursor *body)
{
    struct arena *a = arena_new((size_t)KEEPER_MESSAGE_MAX * 4);
    struct order o = {0};
    uint64_t sum = 0;
    if (a && read_order(body, a, &o)) {
        for (char **at = o.argv; *at; at++) sum += strlen(*at);
        for (char **at = o.environment; *at; at++) sum += strlen(*at);
        sum += strlen(o.directory) + strlen(o.log_path) + o.id.len + o.input.len;
        if (sum > KEEPER_MESSAGE_MAX) abort();
    }
    arena_free(a);
}

static uint32_t hear_all(const uint8_t *bytes, size_t size, size_t step)
{
    struct buf in = buf_make(1 << 24);
    uint32_t count = 0;
    bool bad = false;
    for (size_t at = 0; at < size && !bad; at += step) {
        size_t used = 0;
        enum keeper_says what;
        struct cursor body;
        buf_put(&in, bytes + at, MIN(step, size - at));
        uint8_t *exact = fuzz_copy(in.at, in.len, 0);
        while (keeper_take(slice_make(exact, in.len), &used, &what, &body, &bad)) {
            struct cursor first = body;
            struct keeper_end end = keeper_read_end(&first);
            if (!first.err) check_end(&end);
            hear_order(&body);
            count++;
        }
        mem_give(exact);
        memmove(in.at, in.at + used, in.len - used);
        in.len -= used;
    }
    buf_done(&in);
    return count * 2 + bad;
}

static void read_past(const uint8_t *bytes, size_t size)
{
    struct keeping k = {.dir = "/nowhere", .epoll = -1, .ends = -1};
    bool same_boot = false, whole = false;
    k.works = vec_make(sizeof(struct keeper_work *), KEEPER_WORKS_MAX);
    (void)!read_all(&k, slice_make(bytes, size), &same_boot, &whole);
    for (size_t i = 0; i < k.works.count; i++) {
        struct keeper_work *w = *(struct keeper_work **)vec_at(&k.works, i);
        if (!slice_is(w->end.id, w->id) && !memchr(w->end.id.at, 0, w->end.id.len)) abort();
        check_end(&w->end);
        work_free(&k, w);
    }
    vec_done(&k.works);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (!size) return 0;
    uint8_t *copy = fuzz_copy(bytes + 1, size - 1, 0);
    if (bytes[0] & 1) {
        read_past(copy, size - 1);
    } else {
        uint32_t whole = hear_all(copy, size - 1, size);
        if (hear_all(copy, size - 1, 1 + bytes[0] % 97) != whole) abort();
    }
    mem_give(copy);
    return 0;
}
