/* The client against a small server of our own that is told how to behave, and against recorded
 * bytes of an old Cassandra. */
#include "connect/cql/pool.h"
#include "os/clock.h"
#include "os/thread.h"

#include "test.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- a server ---------------------------------------------------------------------------------- *
 * QUERY "n" answers one row with the int n; "warn" a warning; "bad" an error; "USE k" a keyspace;
 * "pages" two pages. EXECUTE answers its value; once UNPREPARED when told so. Answers to what came
 * together go out in reverse. */
struct fake {
    int listener;
    uint16_t port;
    struct thread thread;
    uint8_t newest;
    bool login, lz4, forget, raw_old;
    int cut_at;      /* at this EXECUTE the connection ends without a word; 0: never … */
    int64_t away_ms; /* … and nobody listens for so long */
    bool shut;       /* connections are taken, and end at once */
    /* seen */
    int dials, prepares, executes, compressed_bodies;
    uint8_t serial;
    /* of the connection */
    int fd;
    bool cut;
    bool segmented;
    enum native_compression compression;
    struct arena *arena;
    struct buf in, plain, out;
};

static const struct slice id_of_it = {(const uint8_t *)"\x01\x02\x03\x04", 4};

static bool fill(struct fake *f)
{
    uint8_t bytes[4096];
    ssize_t n = recv(f->fd, bytes, sizeof(bytes), 0);
    if (n > 0) buf_put(&f->in, bytes, (size_t)n);
    return n > 0;
}

static void drop(struct buf *b, size_t n)
{
    memmove(b->at, b->at + n, b->len - n);
    b->len -= n;
}

static void say(struct fake *f, const struct native_head *asked, uint8_t opcode,
                struct native_response *r)
{
    struct native_head h = {.version = MIN(asked->version, f->newest),
                            .response = true,
                            .opcode = opcode,
                            .stream = asked->stream};
    struct buf one = buf_make(MIB(8));
    CHECK_OK(native_response_put(&one, &h, r, NULL), NULL);
    struct buf later = buf_make(MIB(8)); /* in front of what is there: the reverse */
    buf_slice(&later, buf_view(&one));
    buf_slice(&later, buf_view(&f->out));
    buf_reset(&f->out);
    buf_slice(&f->out, buf_view(&later));
    buf_done(&one);
    buf_done(&later);
}

static void say_error(struct fake *f, const struct native_head *h, int32_t code, const char *words)
{
    struct native_response r = {.error = {.code = code, .words = slice_of(words), .id = id_of_it}};
    say(f, h, NATIVE_OP_ERROR, &r);
}

static void say_rows(struct fake *f, const struct native_head *h, struct slice value,
                     struct slice paging)
{
    static const struct native_column column = {
        {(const uint8_t *)"k", 1}, {(const uint8_t *)"t", 1}, {(const uint8_t *)"n", 1}, NULL};
    struct native_column c = column;
    struct buf rows = buf_make(MIB(4));
    const struct slice warning = SLICE("slow");
    c.type = type_of(TYPE_INT);
    native_bytes_put(&rows, value);
    struct native_response r = {.kind = NATIVE_RESULT_ROWS,
                                .metadata = {.columns = &c, .count = 1, .paging_state = paging},
                                .row_count = 1,
                                .rows = buf_view(&rows)};
    if (h->flags & NATIVE_HEAD_TRACING) {
        r.traced = true;
        r.trace_id[15] = 7;
    }
    if (paging.at) {
        r.warnings = &warning;
        r.warning_count = 1;
    }
    say(f, h, NATIVE_OP_RESULT, &r);
    buf_done(&rows);
}

static void answer_query(struct fake *f, const struct native_head *h,
                         const struct native_request *r)
{
    uint8_t number[4] = {0};
    int64_t n = 0;
    struct native_response use = {.kind = NATIVE_RESULT_SET_KEYSPACE, .text = SLICE("Ks")};
    f->serial = (uint8_t)r->params.serial;
    if (slice_is(r->text, "bad")) {
        say_error(f, h, NATIVE_ERROR_INVALID, "no such thing");
    } else if (slice_is(r->text, "USE \"Ks\"")) {
        say(f, h, NATIVE_OP_RESULT, &use);
    } else {
        bool pages = slice_is(r->text, "pages");
        if (!pages) CHECK(slice_to_i64(r->text, &n));
        if (pages) n = r->params.paging_state.at ? 2 : 1;
        for (int i = 0; i < 4; i++) number[i] = (uint8_t)(n >> (24 - 8 * i));
        say_rows(f, h, slice_make(number, 4), pages && n == 1 ? SLICE("here") : (struct slice){0});
    }
}

static void answer_prepared(struct fake *f, const struct native_head *h,
                            const struct native_request *r)
{
    struct native_column marker = {SLICE("k"), SLICE("t"), SLICE("n"), type_of(TYPE_INT)};
    struct native_response p = {
        .kind = NATIVE_RESULT_PREPARED,
        .prepared = {
            .id = id_of_it, .result_id = SLICE("r"), .markers = &marker, .marker_count = 1}};
    if (h->opcode == NATIVE_OP_PREPARE) {
        f->prepares++;
        say(f, h, NATIVE_OP_RESULT, &p);
    } else if (f->forget) {
        f->forget = false;
        say_error(f, h, NATIVE_ERROR_UNPREPARED, "who?");
    } else if (f->cut_at && f->executes + 1 == f->cut_at) {
        f->cut = true;
    } else {
        f->executes++;
        CHECK(slice_equal(r->id, id_of_it));
        CHECK_INT(r->params.value_count, 1);
        say_rows(f, h, r->params.values[0].bytes, (struct slice){0});
    }
}

static void answer(struct fake *f, const struct native_head *h, struct slice body)
{
    struct native_request r;
    struct native_response out = {.text = SLICE("PasswordAuthenticator")};
    const struct slice lz4 = SLICE("lz4");
    const struct native_option_values supported = {SLICE("COMPRESSION"), &lz4, 1};
    if (h->version > f->newest) {
        say_error(f, h, NATIVE_ERROR_PROTOCOL_ERROR, "Invalid or unsupported protocol version (5)");
        return;
    }
    struct slice plain = body;
    if (h->flags & NATIVE_HEAD_COMPRESSED) {
        f->compressed_bodies++;
        CHECK_OK(native_unpack(f->compression, body, MIB(1), f->arena, &plain, NULL), NULL);
    }
    CHECK_OK(native_request_read(h, plain, f->arena, &r, NULL), NULL);
    switch (h->opcode) {
    case NATIVE_OP_OPTIONS:
        if (f->lz4) out.options = &supported, out.option_count = 1;
        say(f, h, NATIVE_OP_SUPPORTED, &out);
        break;
    case NATIVE_OP_STARTUP:
        CHECK_SLICE(native_option(&r, "CQL_VERSION"), "3.0.0");
        say(f, h, f->login ? NATIVE_OP_AUTHENTICATE : NATIVE_OP_READY, &out);
        break;
    case NATIVE_OP_AUTH_RESPONSE:
        if (slice_equal(r.token, slice_make("\0ada\0secret", 11)))
            say(f, h, NATIVE_OP_AUTH_SUCCESS, &out);
        else
            say_error(f, h, NATIVE_ERROR_BAD_CREDENTIALS,
                      "Provided username ada and/or password "
                      "are incorrect");
        break;
    case NATIVE_OP_QUERY: answer_query(f, h, &r); break;
    default: answer_prepared(f, h, &r);
    }
    if (h->opcode != NATIVE_OP_STARTUP) return;
    f->compression = native_option(&r, "COMPRESSION").at ? NATIVE_LZ4 : NATIVE_PLAIN;
}

/* All messages that are there whole; false: STARTUP was among them, the form changes. */
static void serve_messages(struct fake *f, struct buf *from)
{
    struct native_head h;
    while (from->len >= NATIVE_HEAD_SIZE && !f->cut) {
        native_head_read(from->at, &h);
        size_t size = NATIVE_HEAD_SIZE + (size_t)h.length;
        if (from->len < size) return;
        answer(f, &h, slice_make(from->at + NATIVE_HEAD_SIZE, (size_t)h.length));
        bool turns = h.opcode == NATIVE_OP_STARTUP && h.version >= 5 && f->newest >= 5;
        drop(from, size);
        if (turns) {
            CHECK_INT(send(f->fd, f->out.at, f->out.len, 0), f->out.len);
            buf_reset(&f->out);
            f->segmented = true;
            return;
        }
    }
}

static void serve_segments(struct fake *f)
{
    for (;;) {
        uint32_t head = native_segment_head_size(f->compression);
        struct native_segment s;
        struct slice payload;
        if (f->in.len < head) return;
        CHECK_OK(native_segment_read(f->in.at, f->compression, &s, NULL), NULL);
        size_t size = head + (size_t)s.size + NATIVE_SEGMENT_TAIL;
        if (f->in.len < size) return;
        uint8_t *room = arena_take(f->arena, s.whole + 1);
        CHECK_OK(native_segment_check(&s, f->in.at + head, room, &payload, NULL), NULL);
        buf_slice(&f->plain, payload);
        drop(&f->in, size);
        serve_messages(f, &f->plain);
    }
}

static void serve(struct fake *f)
{
    f->in = f->plain = f->out = buf_make(MIB(16));
    f->segmented = false;
    f->compression = NATIVE_PLAIN;
    while (fill(f)) {
        struct buf wire = buf_make(MIB(32));
        if (!f->segmented) serve_messages(f, &f->in);
        if (f->segmented) serve_segments(f);
        if (f->cut) break;
        if (f->segmented)
            CHECK_OK(native_segments_put(&wire, buf_view(&f->out), f->compression), NULL);
        else
            buf_slice(&wire, buf_view(&f->out));
        CHECK_INT(send(f->fd, wire.at, wire.len, MSG_NOSIGNAL), wire.len);
        buf_reset(&f->out);
        buf_done(&wire);
    }
    buf_done(&f->in);
    buf_done(&f->plain);
    buf_done(&f->out);
    close(f->fd);
}

static void fake_listen(struct fake *f)
{
    int one = 1;
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(f->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    f->listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(setsockopt(f->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
    CHECK(bind(f->listener, (struct sockaddr *)&at, size) == 0 && listen(f->listener, 8) == 0);
    CHECK(getsockname(f->listener, (struct sockaddr *)&at, &size) == 0);
    f->port = ntohs(at.sin_port);
}

static void fake_run(void *arg)
{
    struct fake *f = arg;
    f->arena = arena_new(MIB(64));
    while ((f->fd = accept(f->listener, NULL, NULL)) >= 0) {
        f->dials++;
        if (f->shut) {
            close(f->fd);
            continue;
        }
        serve(f);
        if (!f->cut) continue;
        f->cut = false;
        f->cut_at = 0;
        f->forget = true;
        close(f->listener);
        dial_rest(f->away_ms);
        fake_listen(f);
    }
    arena_free(f->arena);
}

static void fake_open(struct fake *f)
{
    fake_listen(f);
    CHECK_OK(thread_start(&f->thread, "fake", fake_run, f, NULL), NULL);
}

static void fake_close(struct fake *f)
{
    shutdown(f->listener, SHUT_RDWR);
    thread_join(&f->thread);
    close(f->listener);
}

static struct cql_client_options options(const struct fake *f)
{
    return (struct cql_client_options){.host = "127.0.0.1", .port = f->port, .timeout_ms = 10000};
}

/* --- the tests -------------------------------------------------------------------------------- */

static int64_t number_of(const struct cql_answer *answer)
{
    struct cursor c = cursor_of(answer->response.rows);
    struct native_value v;
    if (answer->opcode != NATIVE_OP_RESULT || !native_value_next(&c, &v) || v.bytes.len != 4)
        return -1;
    struct cursor n = cursor_of(v.bytes);
    return cursor_i32(&n);
}

static void ask_number(struct cql_client *k, struct arena *a, const char *text, int64_t want)
{
    struct native_request r = {.text = slice_of(text), .params = NATIVE_PARAMS_NONE};
    struct cql_answer out;
    struct diag d = {0};
    r.params.serial = NATIVE_AT_LOCAL_SERIAL;
    CHECK_OK(cql_client_ask(k, NATIVE_OP_QUERY, &r, false, a, &out, &d), &d);
    CHECK_INT(number_of(&out), want);
}

TEST(a_client_talks_down_to_the_servers_version_and_asks_in_each)
{
    struct arena *a = arena_new(MIB(4));
    for (uint8_t newest = 3; newest <= 5; newest++) {
        struct fake f = {.newest = newest};
        struct cql_client *k = NULL;
        struct diag d = {0};
        fake_open(&f);
        struct cql_client_options o = options(&f);
        CHECK_OK(cql_client_open(&o, &k, &d), &d);
        if (k) {
            CHECK_INT(cql_client_version(k), newest);
            ask_number(k, a, "42", 42);
            CHECK_INT(f.serial, NATIVE_AT_LOCAL_SERIAL);
            cql_client_close(k);
        }
        fake_close(&f);
        CHECK_INT(f.dials, 6 - newest);
    }
    arena_free(a);
}

TEST(a_client_that_wants_just_one_version_says_that_it_is_not_there)
{
    struct fake f = {.newest = 4};
    struct cql_client *k = NULL;
    fake_open(&f);
    struct cql_client_options o = options(&f);
    o.exact = true;
    CHECK_ERR(cql_client_open(&o, &k, NULL), ERR_VERSION);
    fake_close(&f);
}

TEST(a_client_logs_in_and_tells_who_is_refused)
{
    struct fake f = {.newest = 5, .login = true};
    struct cql_client *k = NULL;
    struct diag d = {0};
    fake_open(&f);
    struct cql_client_options o = options(&f);
    CHECK_ERR(cql_client_open(&o, &k, &d), ERR_LOGIN);
    o.user = "ada";
    o.password = "wrong";
    CHECK_ERR(cql_client_open(&o, &k, &d), ERR_LOGIN);
    CHECK_TEXT(d.what, "Provided username ada and/or password are incorrect");
    o.password = "secret";
    o.keyspace = "Ks";
    CHECK_OK(cql_client_open(&o, &k, &d), &d);
    if (k) CHECK_TEXT(cql_client_keyspace(k), "Ks");
    cql_client_close(k);
    fake_close(&f);
}

TEST(a_client_compresses_where_the_server_knows_lz4)
{
    struct arena *a = arena_new(MIB(4));
    for (uint8_t newest = 4; newest <= 5; newest++) {
        struct fake f = {.newest = newest, .lz4 = true};
        struct cql_client *k = NULL;
        struct diag d = {0};
        fake_open(&f);
        struct cql_client_options o = options(&f);
        o.compress = true;
        CHECK_OK(cql_client_open(&o, &k, &d), &d);
        if (k) {
            CHECK(cql_client_compressed(k));
            ask_number(k, a, "00000000000000000000000000000000000000000000000007", 7);
        }
        cql_client_close(k);
        fake_close(&f);
        CHECK_INT(f.compressed_bodies, newest == 4);
    }
    arena_free(a);
}

TEST(pages_warnings_traces_and_errors_are_told)
{
    struct fake f = {.newest = 5};
    struct cql_client *k = NULL;
    struct diag d = {0};
    struct arena *a = arena_new(MIB(4));
    struct native_request r = {.text = SLICE("pages"), .params = NATIVE_PARAMS_NONE};
    struct cql_answer out;
    fake_open(&f);
    struct cql_client_options o = options(&f);
    CHECK_OK(cql_client_open(&o, &k, &d), &d);
    CHECK_OK(cql_client_ask(k, NATIVE_OP_QUERY, &r, true, a, &out, &d), &d);
    CHECK(out.response.traced && out.response.trace_id[15] == 7);
    CHECK_INT(out.response.warning_count, 1);
    CHECK_SLICE(out.response.metadata.paging_state, "here");
    r.params.paging_state = out.response.metadata.paging_state;
    CHECK_OK(cql_client_ask(k, NATIVE_OP_QUERY, &r, false, a, &out, &d), &d);
    CHECK_INT(number_of(&out), 2);
    CHECK(!out.response.metadata.paging_state.at);
    r.text = SLICE("bad");
    CHECK_OK(cql_client_ask(k, NATIVE_OP_QUERY, &r, false, a, &out, &d), &d);
    CHECK_ERR(cql_answer_error(&out, &d), ERR_INVALID);
    CHECK_TEXT(d.what, "no such thing");
    cql_client_close(k);
    fake_close(&f);
    arena_free(a);
}

TEST(many_in_flight_come_back_each_to_its_own_stream)
{
    enum { MANY = 300 };
    struct fake f = {.newest = 5};
    struct cql_client *k = NULL;
    struct diag d = {0};
    struct arena *a = arena_new(MIB(16));
    int64_t asked[CQL_FLIGHT_MAX] = {0}, sum = 0;
    struct cql_answer out;
    fake_open(&f);
    struct cql_client_options o = options(&f);
    CHECK_OK(cql_client_open(&o, &k, &d), &d);
    for (int i = 0; i < MANY; i++) {
        char text[12];
        int16_t stream = 0;
        snprintf(text, sizeof(text), "%d", i);
        struct native_request r = {.text = slice_of(text), .params = NATIVE_PARAMS_NONE};
        CHECK_OK(cql_client_send(k, NATIVE_OP_QUERY, &r, false, &stream, &d), &d);
        asked[stream] = i;
    }
    CHECK_INT(cql_client_in_flight(k), MANY);
    for (int i = 0; i < MANY; i++) {
        CHECK_OK(cql_client_take(k, a, &out, &d), &d);
        CHECK_INT(number_of(&out), asked[out.stream]);
        sum += number_of(&out);
    }
    CHECK_INT(sum, MANY * (MANY - 1) / 2);
    cql_client_close(k);
    fake_close(&f);
    arena_free(a);
}

/* EXECUTE with the number as its only value, and as the tag of its answer. */
static void execute_number(struct cql_pool *p, const struct cql_prepared *s, uint32_t number)
{
    struct diag d = {0};
    uint8_t bytes[4] = {0, 0, 0, (uint8_t)number};
    struct native_value v = {slice_make(bytes, 4), NATIVE_SET};
    struct native_request r = {
        .id = s->id, .result_id = s->result_id, .params = NATIVE_PARAMS_NONE};
    r.params.values = &v;
    r.params.value_count = 1;
    CHECK_OK(cql_pool_submit(p, NATIVE_OP_EXECUTE, &r, number, &d), &d);
}

TEST(a_pool_prepares_again_what_the_server_has_forgotten)
{
    struct fake f = {.newest = 5};
    struct cql_pool *p = NULL;
    const struct cql_prepared *s = NULL;
    struct diag d = {0};
    struct arena *a = arena_new(MIB(16));
    fake_open(&f);
    struct cql_pool_options o = {.client = options(&f), .connections = 1, .window = 16};
    CHECK_OK(cql_pool_open(&o, &p, &d), &d);
    CHECK_OK(cql_pool_prepare(p, SLICE("INSERT …"), &s, &d), &d);
    CHECK_INT(s->marker_count, 1);
    f.forget = true;
    uint32_t sent = 0, seen = 0;
    while (seen < 100) {
        while (sent < 100 && !cql_pool_full(p)) execute_number(p, s, sent++);
        struct cql_answer out = {0};
        uint64_t tag = 0;
        err_t e = cql_pool_collect(p, a, &tag, &out, &d);
        CHECK_OK(e, &d);
        if (e) break;
        CHECK_INT(number_of(&out), tag);
        seen++;
    }
    CHECK_ERR(cql_pool_collect(p, a, &(uint64_t){0}, &(struct cql_answer){0}, NULL), ERR_NOT_FOUND);
    cql_pool_close(p);
    fake_close(&f);
    CHECK_INT(f.prepares, 2);
    CHECK_INT(f.executes, 100);
    arena_free(a);
}

/* EXECUTEs 0 … 99 through the pool; what came back, and what was lost. */
struct hundred {
    int seen[100], answered, lost;
};

static void execute_hundred(struct cql_pool *p, const struct cql_prepared *s, struct hundred *h)
{
    struct arena *a = arena_new(MIB(16));
    uint32_t sent = 0;
    while (h->answered + h->lost < 100) {
        struct cql_answer out = {0};
        struct diag d = {0};
        uint64_t tag = 0;
        while (sent < 100 && !cql_pool_full(p)) execute_number(p, s, sent++);
        err_t e = cql_pool_collect(p, a, &tag, &out, &d);
        if (e == ERR_NOT_FOUND || tag >= 100) break;
        h->seen[tag]++;
        if (!e) CHECK_INT(number_of(&out), tag);
        if (e) CHECK(d.what[0] != 0);
        *(e ? &h->lost : &h->answered) += 1;
    }
    for (int i = 0; i < 100; i++) CHECK_INT(h->seen[i], 1);
    CHECK_INT(cql_pool_in_flight(p), 0);
    arena_free(a);
}

TEST(a_pool_connects_again_when_its_server_comes_back)
{
    for (int repeat = 0; repeat < 2; repeat++) {
        struct fake f = {.newest = 5, .cut_at = 50, .away_ms = 200};
        struct cql_pool *p = NULL;
        const struct cql_prepared *s = NULL;
        struct hundred h = {.lost = 0};
        struct diag d = {0};
        fake_open(&f);
        struct cql_pool_options o = {.client = options(&f),
                                     .connections = 1,
                                     .window = 16,
                                     .retry_ms = 20,
                                     .patience_ms = 20000};
        CHECK_OK(cql_pool_open(&o, &p, &d), &d);
        cql_pool_repeat(p, repeat);
        CHECK_OK(cql_pool_prepare(p, SLICE("INSERT …"), &s, &d), &d);
        if (s) execute_hundred(p, s, &h);
        if (repeat)
            CHECK_INT(h.lost, 0);
        else
            CHECK(h.lost >= 1 && h.lost <= 16);
        cql_pool_close(p);
        fake_close(&f);
        CHECK_INT(f.dials, 2);
        CHECK_INT(f.prepares, 2); /* it has forgotten, too */
    }
}

TEST(a_pool_waits_longer_each_time_and_no_longer_than_its_patience)
{
    struct fake f = {.newest = 5};
    struct cql_pool *p = NULL;
    const struct cql_prepared *s = NULL;
    struct hundred h = {.lost = 0};
    struct arena *a = arena_new(MIB(16));
    struct diag d = {0};
    uint64_t tag = 0;
    struct cql_answer out;
    struct native_request r = {.text = SLICE("1"), .params = NATIVE_PARAMS_NONE};
    fake_open(&f);
    struct cql_pool_options o = {.client = options(&f),
                                 .connections = 1,
                                 .retry_ms = 20,
                                 .retry_most_ms = 10000,
                                 .patience_ms = 400};
    CHECK_OK(cql_pool_open(&o, &p, &d), &d);
    CHECK_OK(cql_pool_prepare(p, SLICE("INSERT …"), &s, &d), &d);
    f.shut = true;
    shutdown(f.fd, SHUT_RDWR);
    CHECK_OK(cql_pool_submit(p, NATIVE_OP_QUERY, &r, 7, &d), &d);
    CHECK_ERR(cql_pool_collect(p, a, &tag, &out, &d), ERR_PEER);
    CHECK_INT(tag, 7);
    CHECK_ERR(cql_pool_submit(p, NATIVE_OP_QUERY, &r, 8, &d), ERR_PEER);
    CHECK(d.what[0] != 0);
    CHECK(f.dials >= 2 && f.dials <= 1 + 6); /* 20, 60, 140, 300 ms, and the one at the end */
    CHECK_INT(cql_pool_in_flight(p), 0);
    f.shut = false;
    int64_t until = clock_mono_ns() + INT64_C(20000000000);
    while (cql_pool_submit(p, NATIVE_OP_QUERY, &r, 9, &d) && clock_mono_ns() < until) dial_rest(5);
    CHECK_OK(cql_pool_collect(p, a, &tag, &out, &d), &d);
    CHECK_INT(tag, 9);
    if (s) execute_hundred(p, s, &h);
    CHECK_INT(h.answered, 100);
    cql_pool_close(p);
    fake_close(&f);
    arena_free(a);
}

/* What a Cassandra 3.11 says to a STARTUP of version 5, as it went over the wire: an ERROR in a
 * head of version 4, code 0x000A; then to one of version 4: READY. */
static void old_run(void *arg)
{
    static const char words[] = "Invalid or unsupported protocol version (5); supported versions "
                                "are (3/v3, 4/v4, 5/v5-beta)";
    struct fake *f = arg;
    uint8_t got[9 + 256],
        head[15] = {
            0x84, 0, 0, 0, 0, 0, 0, 0, 6 + sizeof(words) - 1, 0, 0, 0, 0x0A, 0, sizeof(words) - 1};
    static const uint8_t ready[9] = {0x84, 0, 0, 0, 2, 0, 0, 0, 0};
    for (int i = 0; i < 2; i++) {
        int fd = accept(f->listener, NULL, NULL);
        CHECK(recv(fd, got, sizeof(got), 0) > 9);
        CHECK_INT(got[0], i ? 4 : 5);
        CHECK_INT(got[4], 1);
        static const uint8_t map[] = {0, 2, 0, 11, 'C', 'Q', 'L', '_'};
        CHECK(memcmp(got + 9, map, sizeof(map)) == 0);
        if (i == 0) {
            CHECK_INT(send(fd, head, sizeof(head), 0), sizeof(head));
            CHECK_INT(send(fd, words, sizeof(words) - 1, 0), sizeof(words) - 1);
        } else {
            CHECK_INT(send(fd, ready, sizeof(ready), 0), sizeof(ready));
        }
        close(fd);
    }
}

TEST(an_old_cassandras_bytes_are_understood)
{
    struct fake f = {0};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    struct cql_client *k = NULL;
    struct diag d = {0};
    f.listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(f.listener, (struct sockaddr *)&at, size) == 0 && listen(f.listener, 8) == 0);
    CHECK(getsockname(f.listener, (struct sockaddr *)&at, &size) == 0);
    f.port = ntohs(at.sin_port);
    CHECK_OK(thread_start(&f.thread, "old", old_run, &f, NULL), NULL);
    struct cql_client_options o = options(&f);
    CHECK_OK(cql_client_open(&o, &k, &d), &d);
    if (k) CHECK_INT(cql_client_version(k), 4);
    cql_client_close(k);
    thread_join(&f.thread);
    close(f.listener);
}

TEST(what_is_no_cassandra_is_told_so)
{
    struct fake f = {0};
    struct cql_client *k = NULL;
    struct diag d = {0};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    f.listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(f.listener, (struct sockaddr *)&at, size) == 0 && listen(f.listener, 8) == 0);
    CHECK(getsockname(f.listener, (struct sockaddr *)&at, &size) == 0);
    struct cql_client_options o = {
        .host = "127.0.0.1", .port = ntohs(at.sin_port), .timeout_ms = 150};
    CHECK_ERR(cql_client_open(&o, &k, &d), ERR_TIMEOUT); /* the kernel takes it, nobody answers */
    close(f.listener);
    CHECK(cql_client_open(&o, &k, &d) != ERR_OK); /* nobody is there */
    CHECK(strstr(d.what, "can not be reached") != NULL);
}
