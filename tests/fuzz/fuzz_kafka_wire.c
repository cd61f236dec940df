/* A frame from a client, and each message of the tables: what is read is written again, and reads
 * as the same. The first bytes pick: 0, a request's frame as it comes; n, message n - 1 of the
 * tables, and its version. */
#include "fuzz.h"
#include "wire/kafka/kafka.h"

static void die(const char *what, const struct diag *d)
{
    fprintf(stderr, "%s: %s\n", what, d->what);
    abort();
}

static void goes_round(const struct kafka_message *m, int16_t version, struct cursor *in,
                       struct arena *a)
{
    struct buf once = buf_make(16 << 20), twice = buf_make(16 << 20), text = buf_make(1 << 20);
    struct diag d;
    void *message = arena_take(a, m->root->size), *again = arena_take(a, m->root->size);
    if (kafka_decode(m, version, in, a, message, &d) == ERR_OK) {
        if (in->at > in->end) abort();
        kafka_print(m, version, message, &text);
        if (kafka_encode(m, version, message, &once, NULL, &d))
            die("what was read is not written", &d);
        struct cursor back = cursor_of(once.at ? buf_view(&once) : SLICE(""));
        if (kafka_decode(m, version, &back, a, again, &d)) die("what was written is not read", &d);
        if (cursor_left(&back)) die("not all of it is read", &d);
        if (kafka_encode(m, version, again, &twice, NULL, &d)) die("not written a second time", &d);
        if (!slice_equal(buf_view(&once), buf_view(&twice))) die("it became another", &d);
    }
    buf_done(&once);
    buf_done(&twice);
    buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct arena *arena;
    if (!arena) arena = arena_new(64 << 20);
    if (size < 2) return 0;
    uint8_t *copy = fuzz_copy(bytes + 2, size - 2, 0);
    struct slice input = slice_make(copy, size - 2);
    size_t pick = bytes[0] % (kafka_message_count + 1);
    if (pick == 0) {
        struct kafka_request_head head;
        struct diag d;
        if (kafka_request_head(input, &head, &d) == ERR_OK && head.version_known)
            goes_round(head.api->request, head.api_version, &head.body, arena);
    } else {
        const struct kafka_message *m = kafka_messages[pick - 1];
        struct cursor in = cursor_of(input);
        goes_round(m, (int16_t)(m->first + bytes[1] % (m->last - m->first + 1)), &in, arena);
    }
    arena_reset(arena);
    mem_give(copy);
    return 0;
}
