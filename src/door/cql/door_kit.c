#include "door/cql/door_kit.h"

#include "base/say.h"
#include "os/thread.h"
#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* --- the engine ---------------------------------------------------------------------------------
 */

struct cql {
    bool login;
    void (*changed)(void *ctx, const struct cql_schema_change *change);
    void *ctx;
    cql_clients_fn *clients;
    void *clients_ctx;
    struct gate gate;
    struct cql_call *later, *held;
    uint32_t held_count;
    bool stopping, release;
    struct thread thread;
};
static struct cql engine;

static void end(struct cql_call *c, err_t e)
{
    c->err = e;
    c->done(c);
}

static void put_value(struct buf *out, struct slice s)
{
    buf_be(out, s.at ? s.len : UINT32_MAX, 4);
    buf_slice(out, s);
}

static struct cql_column *columns(struct cql_call *c, uint32_t count)
{
    struct cql_column *all = arena_take(c->arena, (count + 1) * sizeof(*all));
    for (uint32_t i = 0; i < count; i++)
        all[i] = (struct cql_column){SLICE("ks"), SLICE("t"), i ? SLICE("v") : SLICE("k"),
                                     type_of(i ? TYPE_TEXT : TYPE_INT)};
    c->result.kind = CQL_ROWS;
    c->result.metadata = (struct cql_metadata){.columns = all, .count = count};
    memcpy(c->result.metadata.id, "0123456789abcdef", 16);
    return all;
}

static void answer_rows(struct cql_call *c, uint32_t count)
{
    columns(c, 2);
    c->result.row_count = count;
    for (uint32_t i = 0; i < count; i++) {
        buf_be(&c->result.rows, 4, 4);
        buf_be(&c->result.rows, i, 4);
        put_value(&c->result.rows, SLICE("text"));
    }
    end(c, ERR_OK);
}

static void answer_big(struct cql_call *c, size_t size)
{
    columns(c, 1);
    c->result.row_count = 1;
    buf_be(&c->result.rows, size, 4);
    uint8_t *to = buf_grow(&c->result.rows, size);
    for (size_t i = 0; i < size; i++) to[i] = (uint8_t)(i * 31 >> 3);
    end(c, ERR_OK);
}

static void answer_who(struct cql_call *c)
{
    char text[256];
    columns(c, 2);
    snprintf(text, sizeof(text), "%s|%s|%s|%s|%d|%d", c->session->user, c->session->driver_name,
             c->session->keyspace, c->session->address, c->session->protocol,
             c->session->superuser);
    c->result.row_count = 1;
    buf_be(&c->result.rows, UINT32_MAX, 4);
    put_value(&c->result.rows, slice_of(text));
    end(c, ERR_OK);
}

static void answer_change(struct cql_call *c, const char *keyspace)
{
    c->result.kind = CQL_SCHEMA_CHANGE;
    c->result.change = (struct cql_schema_change){"CREATED", "KEYSPACE", slice_of(keyspace), {0}};
    end(c, ERR_OK);
}

static void answer_warned(struct cql_call *c)
{
    struct slice *warnings = arena_take(c->arena, sizeof(*warnings));
    *warnings = SLICE("careful");
    c->result.warnings = warnings;
    c->result.warning_count = 1;
    c->result.has_trace = c->tracing;
    memset(c->result.trace_id, 7, 16);
    end(c, ERR_OK);
}

static void answer_text(struct cql_call *c, const char *text)
{
    unsigned number = 0;
    if (sscanf(text, "rows %u", &number) == 1)
        answer_rows(c, number);
    else if (sscanf(text, "big %u", &number) == 1)
        answer_big(c, number);
    else if (strcmp(text, "error") == 0)
        end(c, diag_fail(&c->diag, ERR_INVALID, "table t does not exist"));
    else if (strcmp(text, "stopped") == 0)
        end(c, diag_fail(&c->diag, ERR_STOPPED, "Server is shutting down"));
    else if (strcmp(text, "exists") == 0) {
        c->error_keyspace = SLICE("ks");
        c->error_table = SLICE("t");
        end(c, diag_fail(&c->diag, ERR_EXISTS, "there is one"));
    } else if (strcmp(text, "who") == 0)
        answer_who(c);
    else if (strcmp(text, "warn") == 0)
        answer_warned(c);
    else if (strncmp(text, "create ", 7) == 0)
        answer_change(c, text + 7);
    else if (strncmp(text, "use ", 4) == 0) {
        c->result.kind = CQL_SET_KEYSPACE;
        c->result.keyspace = slice_of(text + 4);
        snprintf(c->session->keyspace, sizeof(c->session->keyspace), "%s", text + 4);
        end(c, ERR_OK);
    } else
        end(c, ERR_OK);
}

static void answer_values(struct cql_call *c)
{
    if (!slice_starts(c->id, "0123")) {
        end(c, diag_fail(&c->diag, ERR_UNPREPARED, "Prepared query with ID 00 not found"));
        return;
    }
    columns(c, c->params.value_count);
    c->result.metadata_changed = c->result_id.at && !slice_is(c->result_id, "0123456789abcdef");
    c->result.row_count = 1;
    for (uint32_t i = 0; i < c->params.value_count; i++)
        put_value(&c->result.rows, c->params.values[i].state == CQL_SET ? c->params.values[i].bytes
                                                                        : (struct slice){0});
    end(c, ERR_OK);
}

static void answer_prepared(struct cql_call *c)
{
    static const uint16_t keys[] = {0};
    struct cql_receiver *m = arena_take(c->arena, sizeof(*m));
    *m = (struct cql_receiver){SLICE("ks"), SLICE("t"), SLICE("k"), type_of(TYPE_INT)};
    c->result.kind = CQL_PREPARED;
    struct cql_prepared *p = &c->result.prepared;
    *p =
        (struct cql_prepared){.markers = m, .marker_count = 1, .key_markers = keys, .key_count = 1};
    memcpy(p->id, "0123456789abcdef", 16);
    end(c, ERR_OK);
}

static void push(struct cql_call **list, struct cql_call *c)
{
    gate_enter(&engine.gate);
    c->next = *list;
    *list = c;
    if (list == &engine.held) engine.held_count++;
    gate_wake(&engine.gate);
    gate_leave(&engine.gate);
}

void cql_run(struct cql_call *c)
{
    c->err = ERR_OK;
    c->diag = (struct diag){0};
    c->result = (struct cql_result){.kind = CQL_VOID, .rows = buf_make(MIB(64))};
    if (c->verb == CALL_EXECUTE) {
        answer_values(c);
    } else if (c->verb == CALL_PREPARE) {
        answer_prepared(c);
    } else if (c->verb == CALL_BATCH) {
        c->result.warning_count = 0;
        end(c, c->item_count == 2 && c->items[1].value_count == 1
                   ? ERR_OK
                   : diag_fail(&c->diag, ERR_INVALID, "not the batch of the test"));
    } else if (slice_starts(c->text, "later ")) {
        push(&engine.later, c);
    } else if (slice_is(c->text, "hold")) {
        push(&engine.held, c);
    } else {
        answer_text(c, arena_text(c->arena, c->text));
    }
}

void cql_call_done(struct cql_call *c)
{
    buf_done(&c->result.rows);
}

static struct cql_call *take_all(struct cql_call **list)
{
    struct cql_call *all = *list;
    *list = NULL;
    return all;
}

static void run_engine(void *arg)
{
    (void)arg;
    gate_enter(&engine.gate);
    while (!engine.stopping || engine.later || engine.held) {
        bool held = engine.release || engine.stopping;
        struct cql_call *later = take_all(&engine.later),
                        *free_now = held ? take_all(&engine.held) : NULL;
        if (!later && !free_now) {
            engine.release = false;
            engine.held_count = engine.held ? engine.held_count : 0;
            gate_wake(&engine.gate);
            gate_wait(&engine.gate);
            continue;
        }
        gate_leave(&engine.gate);
        for (struct cql_call *next; later; later = next) {
            next = later->next;
            char text[64];
            snprintf(text, sizeof(text), "%.*s", (int)later->text.len - 6,
                     (const char *)later->text.at + 6);
            answer_text(later, text);
        }
        for (struct cql_call *next; free_now; free_now = next) {
            next = free_now->next;
            end(free_now, ERR_OK);
        }
        gate_enter(&engine.gate);
    }
    gate_leave(&engine.gate);
}

void kit_release(void)
{
    gate_enter(&engine.gate);
    engine.release = true;
    gate_wake(&engine.gate);
    while (engine.release) gate_wait(&engine.gate);
    gate_leave(&engine.gate);
}

uint32_t kit_held(void)
{
    gate_enter(&engine.gate);
    uint32_t n = engine.held ? engine.held_count : 0;
    gate_leave(&engine.gate);
    return n;
}

err_t cql_login(struct cql_session *s, struct slice name, struct slice password, struct diag *d)
{
    if (!slice_is(name, "cassandra") || !slice_is(password, "secret"))
        return diag_fail(d, ERR_LOGIN, "Provided username %.*s and/or password are incorrect",
                         SLICE_ARG(name));
    (void)slice_to_cstr(name, s->user, sizeof(s->user));
    s->superuser = true;
    return ERR_OK;
}

bool cql_login_wanted(const struct cql *c)
{
    return c->login;
}

void cql_listen(struct cql *c, void (*changed)(void *ctx, const struct cql_schema_change *change),
                void *ctx)
{
    c->changed = changed;
    c->ctx = ctx;
}

void cql_clients_from(struct cql *c, cql_clients_fn *each, void *ctx)
{
    c->clients = each;
    c->clients_ctx = ctx;
}

static void met(void *to, const struct cql_client *c)
{
    buf_printf(to, "%s %s %s v%d %s '%s' %llu %s\n", c->address, c->port ? "port" : "no port",
               c->session->driver_name, c->session->protocol, c->stage, c->session->keyspace,
               (unsigned long long)c->requests, c->tls_protocol ? c->tls_protocol : "plain");
}

char *kit_clients(struct kit *k)
{
    struct buf out = buf_make(MIB(1));
    engine.clients(engine.clients_ctx, met, &out);
    char *text = arena_text(k->arena, slice_of(buf_cstr(&out)));
    buf_done(&out);
    return text;
}

void kit_changed(const char *change, const char *target, const char *keyspace, const char *name)
{
    struct cql_schema_change c = {change, target, slice_of(keyspace), slice_of(name)};
    engine.changed(engine.ctx, &c);
}

/* --- the door -----------------------------------------------------------------------------------
 */

void kit_open(struct kit *k)
{
    struct diag d = {0};
    engine = (struct cql){.login = k->login};
    gate_init(&engine.gate);
    CHECK_OK(thread_start(&engine.thread, "engine", run_engine, NULL, &d), &d);
    struct cql_door_options *o = &k->options;
    o->at.address = "127.0.0.1";
    if (!o->at.tls) o->at.tls_port = -1;
    o->cql = &engine;
    if (!o->at.loops) o->at.loops = 2;
    CHECK_OK(cql_door_open(o, &k->door, &d), &d);
    k->arena = arena_new(MIB(256));
}

void kit_close(struct kit *k)
{
    cql_door_stop(k->door);
    gate_enter(&engine.gate);
    engine.stopping = true;
    gate_wake(&engine.gate);
    gate_leave(&engine.gate);
    thread_join(&engine.thread);
    cql_door_close(k->door);
    gate_done(&engine.gate);
    arena_free(k->arena);
}

bool kit_until(bool (*so)(void *), void *ctx)
{
    for (int i = 0; i < 2000; i++) {
        if (so(ctx)) return true;
        poll(NULL, 0, 5);
    }
    return false;
}

/* --- a client -----------------------------------------------------------------------------------
 */

struct client client_open(struct kit *k, uint8_t version)
{
    struct client c = {.kit = k, .version = version, .in = buf_make(MIB(128))};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(cql_door_port(k->door))};
    int on = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    CHECK_INT(connect(c.fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return c;
}

void client_close(struct client *c)
{
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
    buf_done(&c->in);
}

void client_bytes(struct client *c, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    while (size > 0) {
        ssize_t n = send(c->fd, at, size, MSG_NOSIGNAL);
        if (n <= 0) return; /* closed: what follows shows it */
        at += n;
        size -= (size_t)n;
    }
}

void client_put(struct client *c, uint8_t opcode, int16_t stream, const struct native_request *r)
{
    struct native_head h = {.version = c->version, .opcode = opcode, .stream = stream};
    struct buf message = buf_make(MIB(64)), out = buf_make(MIB(64));
    struct diag d = {0};
    CHECK_OK(native_request_put(&message, &h, r, &d), &d);
    if (c->segmented) {
        CHECK_OK(native_segments_put(&out, buf_view(&message), c->compression), NULL);
    } else if (c->compression != NATIVE_PLAIN) {
        h.flags = NATIVE_HEAD_COMPRESSED;
        size_t begun = native_begin(&out, &h);
        struct slice body =
            slice_make(message.at + NATIVE_HEAD_SIZE, message.len - NATIVE_HEAD_SIZE);
        CHECK_OK(native_pack(c->compression, body, &out), NULL);
        CHECK_OK(native_end(&out, begun), NULL);
    } else {
        buf_slice(&out, buf_view(&message));
    }
    client_bytes(c, out.at, out.len);
    buf_done(&message);
    buf_done(&out);
}

void client_text(struct client *c, int16_t stream, const char *text)
{
    struct native_request r = {.text = slice_of(text), .params = NATIVE_PARAMS_NONE};
    client_put(c, NATIVE_OP_QUERY, stream, &r);
}

/* `size` bytes from the socket; false: it is closed. Ten seconds are enough for everything here. */
static bool receive(struct client *c, void *to, size_t size)
{
    uint8_t *at = to;
    while (size > 0) {
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        if (poll(&p, 1, 10000) != 1) {
            test_failed(__FILE__, __LINE__, "nothing comes");
            return false;
        }
        ssize_t n = recv(c->fd, at, size, 0);
        if (n <= 0) return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

/* One more segment's payload, or with version 3 and 4 one more message. */
static bool receive_more(struct client *c)
{
    uint8_t head[NATIVE_HEAD_SIZE];
    struct native_segment s;
    struct native_head h;
    struct slice payload;
    if (!c->segmented) {
        if (!receive(c, head, sizeof(head))) return false;
        native_head_read(head, &h);
        buf_put(&c->in, head, sizeof(head));
        uint8_t *to = buf_grow(&c->in, (size_t)h.length);
        return receive(c, to, (size_t)h.length);
    }
    if (!receive(c, head, native_segment_head_size(c->compression))) return false;
    CHECK_OK(native_segment_read(head, c->compression, &s, NULL), NULL);
    uint8_t *bytes = mem_take_raw((size_t)s.size + 4),
            *unpacked = mem_take_raw((size_t)s.whole + 1);
    bool here = receive(c, bytes, (size_t)s.size + 4);
    if (here) {
        CHECK_OK(native_segment_check(&s, bytes, unpacked, &payload, NULL), NULL);
        buf_slice(&c->in, payload);
    }
    mem_give(bytes);
    mem_give(unpacked);
    return here;
}

static struct slice body_of(struct client *c, struct slice body)
{
    struct slice out = body;
    struct diag d = {0};
    if (c->head.flags & NATIVE_HEAD_COMPRESSED)
        CHECK_OK(native_unpack(c->compression, body, UINT32_MAX, c->kit->arena, &out, &d), &d);
    else
        out = arena_slice(c->kit->arena, body); /* it outlives the buffer */
    return out;
}

bool client_take(struct client *c)
{
    if (c->used == c->in.len) {
        buf_reset(&c->in);
        c->used = 0;
    }
    while (c->in.len - c->used < NATIVE_HEAD_SIZE)
        if (!receive_more(c)) return false;
    native_head_read(c->in.at + c->used, &c->head);
    CHECK(c->head.response);
    size_t total = (size_t)NATIVE_HEAD_SIZE + (size_t)c->head.length;
    while (c->in.len - c->used < total)
        if (!receive_more(c)) return false;
    struct slice body = slice_make(c->in.at + c->used + NATIVE_HEAD_SIZE, (size_t)c->head.length);
    struct diag d = {0};
    c->used += total;
    CHECK_OK(native_response_read(&c->head, body_of(c, body), c->kit->arena, &c->answer, &d), &d);
    return true;
}

bool client_closed(struct client *c)
{
    uint8_t byte;
    return c->used == c->in.len && !receive(c, &byte, 1);
}

void client_expect(struct client *c, int16_t stream, uint8_t opcode)
{
    if (!client_take(c)) {
        test_failed(__FILE__, __LINE__, "closed, instead of %s on stream %d",
                    native_opcode_name(opcode), stream);
        return;
    }
    if (c->head.opcode == NATIVE_OP_ERROR && opcode != NATIVE_OP_ERROR)
        test_failed(__FILE__, __LINE__, "error %04x: %.*s", (unsigned)c->answer.error.code,
                    SLICE_ARG(c->answer.error.words));
    CHECK_INT(c->head.opcode, opcode);
    CHECK_INT(c->head.stream, stream);
}

void client_expect_error(struct client *c, int16_t stream, int32_t code, const char *words)
{
    client_expect(c, stream, NATIVE_OP_ERROR);
    CHECK_INT(c->answer.error.code, code);
    CHECK_SLICE(c->answer.error.words, words);
}

void client_start(struct client *c, const char *compression)
{
    struct native_pair options[] = {{SLICE("CQL_VERSION"), SLICE("3.0.0")},
                                    {SLICE("DRIVER_NAME"), SLICE("the kit")},
                                    {SLICE("COMPRESSION"), slice_of(compression)}};
    struct native_request r = {.options = options, .option_count = compression ? 3 : 2};
    client_put(c, NATIVE_OP_STARTUP, 0, &r);
    if (c->kit->login) {
        client_expect(c, 0, NATIVE_OP_AUTHENTICATE);
        CHECK_SLICE(c->answer.text, "org.apache.cassandra.auth.PasswordAuthenticator");
    } else {
        client_expect(c, 0, NATIVE_OP_READY);
    }
    c->segmented = c->version >= NATIVE_SEGMENTED;
    if (compression) CHECK(native_compression_of(slice_of(compression), &c->compression));
    if (!c->kit->login) return;
    struct native_request login = {.token = SLICE("\0cassandra\0secret")};
    client_put(c, NATIVE_OP_AUTH_RESPONSE, 1, &login);
    client_expect(c, 1, NATIVE_OP_AUTH_SUCCESS);
}

struct client client_ready(struct kit *k, uint8_t version, const char *compression)
{
    struct client c = client_open(k, version);
    client_start(&c, compression);
    return c;
}
