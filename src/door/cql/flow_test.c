/* The CQL door under load: many streams, answers in any order, large messages in pieces, limits,
 * clients that stop reading or go. */
#include "door/cql/door_kit.h"
#include "os/thread.h"
#include "test.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- streams
 * ----------------------------------------------------------------------------------------- */

static void many_streams(struct kit *k, uint8_t version, const char *compression)
{
    enum { STREAMS = 3000 };
    struct client c = client_ready(k, version, compression);
    bool *answered = mem_take(STREAMS * sizeof(*answered));
    for (int i = 0; i < STREAMS; i++)
        client_text(&c, (int16_t)i,
                    i % 3 == 0   ? "later rows 3"
                    : i % 3 == 1 ? "rows 3"
                                 : "later error");
    for (int i = 0; i < STREAMS; i++) {
        if (!client_take(&c)) {
            test_failed(__FILE__, __LINE__, "closed after %d answers", i);
            break;
        }
        int16_t s = c.head.stream;
        CHECK(s >= 0 && s < STREAMS && !answered[s]);
        CHECK_INT(c.head.opcode, s % 3 == 2 ? NATIVE_OP_ERROR : NATIVE_OP_RESULT);
        answered[s] = true;
    }
    mem_give(answered);
    client_close(&c);
}

TEST(thousands_of_streams_are_answered_each_once_in_any_order)
{
    struct kit k = {0};
    kit_open(&k);
    many_streams(&k, 4, NULL);
    many_streams(&k, 4, "snappy");
    many_streams(&k, 5, NULL);
    many_streams(&k, 5, "lz4");
    kit_close(&k);
}

static void run_client(void *arg)
{
    struct kit k = *(struct kit *)arg;
    k.arena = arena_new(MIB(256));
    struct client c = client_ready(&k, 5, NULL);
    for (int16_t i = 0; i < 400; i++) {
        client_text(&c, i, i % 2 ? "later rows 2" : "who");
        if (i % 8 == 7)
            for (int n = 0; n < 8; n++) CHECK(client_take(&c) && c.head.opcode == NATIVE_OP_RESULT);
    }
    client_close(&c);
    arena_free(k.arena);
}

TEST(clients_of_several_loops_do_not_meet)
{
    struct kit k = {.options = {.at.loops = 3}};
    struct thread threads[8] = {{0}};
    kit_open(&k);
    for (int i = 0; i < 8; i++)
        CHECK_OK(thread_start(&threads[i], "client", run_client, &k, NULL), NULL);
    for (int i = 0; i < 50; i++) kit_changed("UPDATED", "TABLE", "ks", "t");
    for (int i = 0; i < 8; i++) thread_join(&threads[i]);
    kit_close(&k);
}

/* A slow one does not keep a quick one behind it waiting. */
TEST(answers_leave_as_they_are_done)
{
    struct kit k = {0};
    kit_open(&k);
    struct client c = client_ready(&k, 5, NULL);
    client_text(&c, 1, "hold");
    client_text(&c, 2, "hold");
    client_text(&c, 3, "void");
    client_expect(&c, 3, NATIVE_OP_RESULT);
    kit_release();
    client_expect(&c, 2, NATIVE_OP_RESULT); /* the newest first */
    client_expect(&c, 1, NATIVE_OP_RESULT);
    client_close(&c);
    kit_close(&k);
}

/* --- sizes
 * ------------------------------------------------------------------------------------------- */

static void bigs(struct kit *k, uint8_t version, const char *compression)
{
    static const uint32_t sizes[] = {1,      511,    4096,   32700,  32768,  131040,
                                     131060, 131071, 131100, 262143, 3000000};
    struct client c = client_ready(k, version, compression);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        char text[32];
        snprintf(text, sizeof(text), i % 2 ? "big %u" : "later big %u", sizes[i]);
        client_text(&c, 100, "void");
        client_text(&c, (int16_t)i, text);
        client_text(&c, 101, "void");
        uint32_t seen = 0;
        for (int n = 0; n < 3 && client_take(&c); n++) {
            if (c.head.stream != (int16_t)i) continue;
            struct cursor rows = cursor_of(c.answer.rows);
            struct native_value v = {0};
            CHECK(native_value_next(&rows, &v) && v.bytes.len == sizes[i]);
            for (uint32_t b = 0; b < v.bytes.len; b++)
                seen += v.bytes.at[b] == (uint8_t)(b * 31 >> 3);
        }
        CHECK_INT(seen, sizes[i]);
    }
    client_close(&c);
}

TEST(answers_of_every_size_arrive_whole)
{
    struct kit k = {0};
    kit_open(&k);
    bigs(&k, 3, NULL);
    bigs(&k, 4, "lz4");
    bigs(&k, 5, NULL);
    bigs(&k, 5, "lz4");
    kit_close(&k);
}

static void values_of_size(struct client *c, uint32_t size)
{
    uint8_t *bytes = mem_take_raw(size);
    for (uint32_t i = 0; i < size; i++) bytes[i] = (uint8_t)(i * 13 >> 2);
    struct native_value values[] = {{slice_make(bytes, size), NATIVE_SET}}, v = {0};
    struct native_request e = {.id = SLICE("0123456789abcdef"), .params = NATIVE_PARAMS_NONE};
    e.params.values = values;
    e.params.value_count = 1;
    client_put(c, NATIVE_OP_EXECUTE, 1, &e);
    client_text(c, 2, "void");
    client_expect(c, 1, NATIVE_OP_RESULT);
    struct cursor rows = cursor_of(c->answer.rows);
    CHECK(native_value_next(&rows, &v));
    CHECK(slice_equal(v.bytes, values[0].bytes));
    client_expect(c, 2, NATIVE_OP_RESULT);
    mem_give(bytes);
}

TEST(requests_of_every_size_arrive_whole)
{
    static const struct {
        uint8_t version;
        const char *compression;
    } ways[] = {{3, NULL}, {4, "snappy"}, {4, "lz4"}, {5, NULL}, {5, "lz4"}};
    static const uint32_t sizes[] = {1, 4000, 4096, 65536, 131000, 131072, 400000, 5000000};
    struct kit k = {0};
    kit_open(&k);
    for (size_t w = 0; w < COUNT_OF(ways); w++) {
        struct client c = client_ready(&k, ways[w].version, ways[w].compression);
        for (size_t i = 0; i < COUNT_OF(sizes); i++) values_of_size(&c, sizes[i]);
        client_close(&c);
    }
    kit_close(&k);
}

/* Byte by byte: no state depends on how the network cuts. */
TEST(messages_may_come_a_byte_at_a_time)
{
    struct kit k = {0};
    kit_open(&k);
    for (uint8_t version = 4; version <= 5; version++) {
        struct client c = client_ready(&k, version, NULL);
        uint8_t message[] = {version, 0, 0, 1, 5, 0, 0, 0, 0, version, 0, 0, 2, 5, 0, 0, 0, 0};
        struct buf out = buf_make(KIB(1));
        if (version == 5)
            CHECK_OK(native_segments_put(&out, slice_make(message, sizeof(message)), NATIVE_PLAIN),
                     NULL);
        else
            buf_put(&out, message, sizeof(message));
        for (size_t i = 0; i < out.len; i++) {
            client_bytes(&c, out.at + i, 1);
            if (i % 5 == 0) poll(NULL, 0, 2);
        }
        client_expect(&c, 1, NATIVE_OP_SUPPORTED);
        client_expect(&c, 2, NATIVE_OP_SUPPORTED);
        client_close(&c);
        buf_done(&out);
    }
    kit_close(&k);
}

/* --- limits
 * ------------------------------------------------------------------------------------------ */

static bool hundred_are_held(void *ctx)
{
    (void)ctx;
    return kit_held() >= 100;
}

static bool nothing_comes(struct client *c, int ms)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    return c->used == c->in.len && poll(&p, 1, ms) == 0;
}

/* What is held comes in portions: each release lets the next ones in. */
static void release_until_it_comes(struct client *c)
{
    for (int i = 0; i < 2000 && nothing_comes(c, 5); i++) kit_release();
}

TEST(past_its_limit_a_connection_is_not_read_until_half_is_answered)
{
    struct kit k = {.options = {.calls_max = 100}};
    kit_open(&k);
    struct client c = client_ready(&k, 4, NULL), other = client_ready(&k, 4, NULL);
    for (int16_t i = 0; i < 300; i++) client_text(&c, i, "hold");
    client_text(&c, 300, "void");
    CHECK(kit_until(hundred_are_held, NULL));
    CHECK(nothing_comes(&c, 100));
    CHECK_INT(kit_held(), 100);
    client_text(&other, 1, "void"); /* nobody else is kept waiting */
    client_expect(&other, 1, NATIVE_OP_RESULT);
    bool whole = false;
    for (int got = 0; got < 301; got++) {
        release_until_it_comes(&c);
        if (!client_take(&c)) break;
        whole = got == 300;
    }
    CHECK(whole);
    client_close(&c);
    client_close(&other);
    kit_close(&k);
}

TEST(who_asked_for_it_is_told_overloaded_instead)
{
    struct kit k = {.options = {.calls_max = 100}};
    kit_open(&k);
    struct client c = client_open(&k, 4);
    struct native_pair options[] = {{SLICE("CQL_VERSION"), SLICE("3.0.0")},
                                    {SLICE("THROW_ON_OVERLOAD"), SLICE("1")}};
    struct native_request start = {.options = options, .option_count = 2};
    client_put(&c, NATIVE_OP_STARTUP, 0, &start);
    client_expect(&c, 0, NATIVE_OP_READY);
    for (int16_t i = 0; i < 110; i++) client_text(&c, i, "hold");
    for (int16_t i = 100; i < 110; i++) {
        client_expect(&c, i, NATIVE_OP_ERROR);
        CHECK_INT(c.answer.error.code, NATIVE_ERROR_OVERLOADED);
        CHECK(slice_starts(c.answer.error.words, "Request breached limit on bytes in flight. ("));
    }
    kit_release();
    for (int i = 0; i < 100; i++) CHECK(client_take(&c) && c.head.opcode == NATIVE_OP_RESULT);
    client_close(&c);
    kit_close(&k);
}

static bool some_are_held(void *ctx)
{
    uint32_t *least = ctx;
    return kit_held() >= *least;
}

TEST(past_the_doors_bytes_nobody_is_read_and_all_go_on_after)
{
    enum { CLIENTS = 4, EACH = 60 };
    struct kit k = {.options = {.at.loops = 1, .bytes_max = 100 * 8300}};
    struct client all[CLIENTS];
    uint32_t least = 99;
    kit_open(&k);
    for (int i = 0; i < CLIENTS; i++) all[i] = client_ready(&k, 5, NULL);
    for (int n = 0; n < EACH; n++)
        for (int i = 0; i < CLIENTS; i++) client_text(&all[i], (int16_t)n, "hold");
    CHECK(kit_until(some_are_held, &least));
    poll(NULL, 0, 100);
    CHECK(kit_held() <= 110);
    for (int i = 0; i < CLIENTS; i++)
        for (int n = 0; n < EACH; n++) {
            release_until_it_comes(&all[i]);
            CHECK(client_take(&all[i]) && all[i].head.opcode == NATIVE_OP_RESULT);
        }
    for (int i = 0; i < CLIENTS; i++) client_close(&all[i]);
    kit_close(&k);
}

/* A client that asks and does not read: what waits for it is bounded, and then it is closed or
 * waits; the others do not notice. */
TEST(a_client_that_does_not_read_is_not_read)
{
    struct kit k = {.options = {.at.loops = 1}};
    kit_open(&k);
    struct client c = client_ready(&k, 4, NULL), other = client_ready(&k, 4, NULL);
    size_t before = mem_held();
    for (int16_t i = 0; i < 2000; i++) {
        struct pollfd p = {.fd = c.fd, .events = POLLOUT};
        if (poll(&p, 1, 200) != 1) break; /* not read any more */
        client_text(&c, i, "big 100000");
    }
    CHECK(mem_held() - before < MIB(24));
    client_text(&other, 1, "void");
    client_expect(&other, 1, NATIVE_OP_RESULT);
    int answers = 0;
    while (!nothing_comes(&c, 300) && client_take(&c)) answers++;
    CHECK(answers > 10);
    client_close(&c);
    client_close(&other);
    kit_close(&k);
}

enum { LARGE = 2 << 20 };

static uint8_t spaces[LARGE]; /* not from the memory whose use is checked */

/* The rest of a message of LARGE spaces, which may have to wait until the server reads it. */
static void send_the_rest(void *arg)
{
    static const uint8_t tail[] = {0, 1, 0};
    struct client *c = arg;
    client_bytes(c, spaces, LARGE - LARGE / 4);
    client_bytes(c, tail, sizeof(tail));
}

/* Large messages that have begun hold half of the door's bytes at most; what comes then waits. */
TEST(large_messages_wait_for_their_memory)
{
    struct kit k = {.options = {.at.loops = 1, .bytes_max = 8 << 20}};
    enum { CLIENTS = 6 };
    static const uint8_t head[] = {4, 0, 0, 1, 7, 0, 0x20, 0, 7, 0, 0x20, 0, 0};
    struct client all[CLIENTS];
    struct thread threads[CLIENTS] = {{0}};
    kit_open(&k);
    memset(spaces, ' ', sizeof(spaces));
    for (int i = 0; i < CLIENTS; i++) all[i] = client_ready(&k, 4, NULL);
    for (int i = 0; i < CLIENTS; i++) {
        client_bytes(&all[i], head, sizeof(head));
        client_bytes(&all[i], spaces, LARGE / 4);
    }
    poll(NULL, 0, 100);
    CHECK(mem_held() < MIB(24));
    for (int i = 0; i < CLIENTS; i++)
        CHECK_OK(thread_start(&threads[i], "client", send_the_rest, &all[i], NULL), NULL);
    for (int i = 0; i < CLIENTS; i++) client_expect(&all[i], 1, NATIVE_OP_RESULT);
    for (int i = 0; i < CLIENTS; i++) thread_join(&threads[i]);
    for (int i = 0; i < CLIENTS; i++) client_close(&all[i]);
    kit_close(&k);
}

/* --- ends
 * -------------------------------------------------------------------------------------------- */

TEST(calls_outlive_the_client_that_made_them)
{
    struct kit k = {0};
    kit_open(&k);
    for (int round = 0; round < 5; round++) {
        struct client c = client_ready(&k, 5, NULL);
        for (int16_t i = 0; i < 50; i++) client_text(&c, i, i % 2 ? "hold" : "later big 50000");
        if (round % 2) poll(NULL, 0, 20);
        client_close(&c);
    }
    poll(NULL, 0, 50);
    kit_release();
    struct client c = client_ready(&k, 5, NULL);
    client_text(&c, 1, "hold"); /* still held when the door stops */
    client_text(&c, 2, "void");
    client_expect(&c, 2, NATIVE_OP_RESULT);
    kit_close(&k);
    client_close(&c);
}

TEST(an_idle_connection_costs_little)
{
    enum { CONNS = 500 };
    struct kit k = {0};
    kit_open(&k);
    struct client *all = mem_take(CONNS * sizeof(*all));
    all[0] = client_ready(&k, 5, NULL);
    size_t before = mem_held();
    for (int i = 1; i < CONNS; i++) all[i] = client_ready(&k, 5, NULL);
    size_t each = (mem_held() - before) / (CONNS - 1);
    CHECK(each < KIB(4));
    for (int i = 0; i < CONNS; i++) client_close(&all[i]);
    mem_give(all);
    kit_close(&k);
}
