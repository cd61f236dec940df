#include "connect/cql/pool.h"

enum { PREPARED_MAX = 64, CONNECTIONS_DEFAULT = 2, WINDOW_DEFAULT = 128, AGAIN_MAX = 3 };

/* A request in flight, by its stream; what it was is kept to be sent again. */
struct flight {
    uint64_t tag;
    struct buf message; /* head and body of the request, as version 5 or before has them */
    uint8_t again;      /* how often it was sent again */
    bool preparing;     /* what is in flight is the PREPARE before sending it again */
};
struct pooled {
    struct cql_client *client;
    struct flight flights[CQL_FLIGHT_MAX];
};
struct cql_pool {
    struct pooled *at[CQL_POOL_MAX];
    uint32_t count, window, next;
    struct arena *arena; /* prepared statements */
    struct cql_prepared *prepared[PREPARED_MAX];
    uint32_t prepared_count;
};

err_t cql_pool_open(const struct cql_pool_options *o, struct cql_pool **out, struct diag *d)
{
    struct cql_pool *p = mem_take(sizeof(*p));
    if (!p) return diag_fail(d, ERR_NO_MEMORY, "no memory for connections");
    uint32_t wanted =
        o->connections ? MIN(o->connections, (uint32_t)CQL_POOL_MAX) : CONNECTIONS_DEFAULT;
    p->window = o->window ? MIN(o->window, (uint32_t)CQL_FLIGHT_MAX) : WINDOW_DEFAULT;
    p->arena = arena_new(MIB(16));
    err_t e = p->arena ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory for connections");
    while (!e && p->count < wanted) {
        struct pooled *c = mem_take(sizeof(*c));
        if (!c) {
            e = diag_fail(d, ERR_NO_MEMORY, "no memory for connections");
            break;
        }
        p->at[p->count++] = c;
        for (size_t i = 0; i < CQL_FLIGHT_MAX; i++)
            c->flights[i].message = buf_make(NATIVE_BODY_MAX);
        e = cql_client_open(&o->client, &c->client, d);
    }
    if (e) {
        cql_pool_close(p);
        return e;
    }
    *out = p;
    return ERR_OK;
}

void cql_pool_close(struct cql_pool *p)
{
    if (!p) return;
    for (uint32_t i = 0; i < p->count; i++) {
        cql_client_close(p->at[i]->client);
        for (size_t f = 0; f < CQL_FLIGHT_MAX; f++) buf_done(&p->at[i]->flights[f].message);
        mem_give(p->at[i]);
    }
    arena_free(p->arena);
    mem_give(p);
}

uint32_t cql_pool_in_flight(const struct cql_pool *p)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < p->count; i++) sum += cql_client_in_flight(p->at[i]->client);
    return sum;
}

bool cql_pool_full(const struct cql_pool *p)
{
    return cql_pool_in_flight(p) >= p->count * p->window;
}

/* --- prepared statements ---------------------------------------------------------------------- */

err_t cql_pool_prepare(struct cql_pool *p, struct slice text, const struct cql_prepared **out,
                       struct diag *d)
{
    struct native_request r = {.params = NATIVE_PARAMS_NONE};
    struct cql_prepared *s = arena_take(p->arena, sizeof(*s));
    struct cql_answer answer;
    err_t e = ERR_OK;
    if (p->prepared_count == PREPARED_MAX)
        return diag_fail(d, ERR_TOO_BIG, "more than %d prepared statements", PREPARED_MAX);
    if (!s || !(s->text = arena_slice(p->arena, text)).at)
        return diag_fail(d, ERR_NO_MEMORY, "no memory for a prepared statement");
    r.text = s->text;
    for (uint32_t i = 0; !e && i < p->count; i++) {
        e = cql_client_ask(p->at[i]->client, NATIVE_OP_PREPARE, &r, false, p->arena, &answer, d);
        if (!e) e = cql_answer_error(&answer, d);
        if (!e && answer.response.kind != NATIVE_RESULT_PREPARED)
            e = diag_fail(d, ERR_PEER, "PREPARE was answered by something else");
    }
    if (e) return e;
    const struct native_prepared *n = &answer.response.prepared;
    s->id = n->id;
    s->result_id = n->result_id;
    s->markers = n->markers;
    s->marker_count = n->marker_count;
    s->result = n->result;
    p->prepared[p->prepared_count++] = s;
    *out = s;
    return ERR_OK;
}

static const struct cql_prepared *prepared_of(const struct cql_pool *p, struct slice id)
{
    for (uint32_t i = 0; i < p->prepared_count; i++)
        if (slice_equal(p->prepared[i]->id, id)) return p->prepared[i];
    return NULL;
}

/* --- requests --------------------------------------------------------------------------------- */

static err_t keep_request(struct cql_client *k, struct flight *f, uint8_t opcode,
                          const struct native_request *r, struct diag *d)
{
    struct native_head h = {.version = cql_client_version(k), .opcode = opcode};
    buf_reset(&f->message);
    err_t e = native_request_put(&f->message, &h, r, d);
    return e ? e : f->message.err;
}

static struct pooled *emptiest(struct cql_pool *p)
{
    struct pooled *best = NULL;
    for (uint32_t i = 0; i < p->count; i++) {
        struct pooled *c = p->at[(p->next + i) % p->count];
        uint32_t n = cql_client_in_flight(c->client);
        if (n < p->window && (!best || n < cql_client_in_flight(best->client))) best = c;
    }
    p->next++;
    return best;
}

err_t cql_pool_submit(struct cql_pool *p, uint8_t opcode, const struct native_request *r,
                      uint64_t tag, struct diag *d)
{
    int16_t stream;
    struct pooled *c = emptiest(p);
    if (!c) return diag_fail(d, ERR_BUSY, "%u requests are in flight", p->count * p->window);
    err_t e = cql_client_send(c->client, opcode, r, false, &stream, d);
    if (e) return e;
    struct flight *f = &c->flights[stream];
    f->tag = tag;
    f->again = 0;
    f->preparing = false;
    return keep_request(c->client, f, opcode, r, d);
}

/* Moves the request to the stream on which something else goes out for it. */
static void move_flight(struct pooled *c, int16_t from, int16_t to)
{
    if (from == to) return;
    struct flight kept = c->flights[to];
    c->flights[to] = c->flights[from];
    c->flights[from] = kept;
}

static err_t prepare_again(struct pooled *c, int16_t stream, const struct cql_prepared *s,
                           struct diag *d)
{
    struct native_request r = {.text = s->text, .params = NATIVE_PARAMS_NONE};
    int16_t other;
    err_t e = cql_client_send(c->client, NATIVE_OP_PREPARE, &r, false, &other, d);
    if (e) return e;
    move_flight(c, stream, other);
    c->flights[other].preparing = true;
    c->flights[other].again++;
    return ERR_OK;
}

static err_t send_again(struct pooled *c, int16_t stream, struct arena *a, struct diag *d)
{
    struct native_head h;
    struct native_request r;
    int16_t other;
    const struct buf *m = &c->flights[stream].message;
    native_head_read(m->at, &h);
    struct slice body = slice_make(m->at + NATIVE_HEAD_SIZE, m->len - NATIVE_HEAD_SIZE);
    err_t e = native_request_read(&h, body, a, &r, d);
    if (!e) e = cql_client_send(c->client, h.opcode, &r, false, &other, d);
    if (e) return e;
    move_flight(c, stream, other);
    c->flights[other].preparing = false;
    return ERR_OK;
}

/* The connection that has something for us. */
static err_t choose(struct cql_pool *p, struct pooled **out, struct diag *d)
{
    struct dial *dials[CQL_POOL_MAX];
    struct pooled *those[CQL_POOL_MAX];
    size_t count = 0, which = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        struct pooled *c = p->at[(p->next + i) % p->count];
        if (cql_client_in_flight(c->client) == 0) continue;
        err_t e = cql_client_flush(c->client, d);
        if (e) return e;
        *out = c;
        if (cql_client_has_bytes(c->client)) return ERR_OK;
        those[count] = c;
        dials[count++] = cql_client_dial(c->client);
    }
    if (count == 0) return diag_fail(d, ERR_NOT_FOUND, "nothing is in flight");
    err_t e = count > 1 ? dial_await(dials, count, &which, d) : ERR_OK;
    *out = those[which];
    return e;
}

err_t cql_pool_collect(struct cql_pool *p, struct arena *a, uint64_t *tag, struct cql_answer *out,
                       struct diag *d)
{
    for (;;) {
        struct pooled *c;
        err_t e = choose(p, &c, d);
        if (!e) e = cql_client_take(c->client, a, out, d);
        if (e) return e;
        struct flight *f = &c->flights[out->stream];
        *tag = f->tag;
        bool failed = out->opcode == NATIVE_OP_ERROR;
        if (f->preparing && !failed) {
            e = send_again(c, out->stream, a, d);
        } else {
            const struct cql_prepared *s = NULL;
            if (failed && out->response.error.code == NATIVE_ERROR_UNPREPARED &&
                f->again < AGAIN_MAX)
                s = prepared_of(p, out->response.error.id);
            if (!s) return ERR_OK;
            e = prepare_again(c, out->stream, s, d);
        }
        if (e) return e;
    }
}
