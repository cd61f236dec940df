#include "connect/cql/pool.h"

#include "os/clock.h"

#include <stdio.h>

enum { PREPARED_MAX = 64, CONNECTIONS_DEFAULT = 2, WINDOW_DEFAULT = 128, AGAIN_MAX = 3 };
enum { RETRY_MS = 1000, RETRY_MOST_MS = 60000, MS = 1000000 };

/* A request in flight; what it was is kept to be sent again. */
struct flight {
    uint64_t tag;
    struct buf message; /* head and body of the request, as version 5 or before has them */
    uint8_t again;      /* how often it was prepared again … */
    uint8_t repeats;    /* … and sent again on another connection */
    bool flying;        /* submitted and not collected */
    bool preparing;     /* what is in flight is the PREPARE before sending it again */
};
struct pooled {
    struct cql_client *client;
    struct flight flights[CQL_FLIGHT_MAX]; /* by stream */
    bool up;
    int64_t retry_ms, retry_at_ns; /* how long it waits before it is tried again; until when */
};
struct cql_pool {
    struct pooled *at[CQL_POOL_MAX];
    uint32_t count, window, next;
    int64_t retry_ms, retry_most_ms, patience_ms;
    bool repeat;
    struct flight *lost; /* went with their connections */
    uint32_t lost_count, lost_most;
    struct diag why;     /* the last connection broke, or could not be made */
    int64_t gone_ns;     /* when the last one broke */
    struct buf scratch;  /* the request that is submitted */
    struct arena *arena; /* prepared statements */
    struct cql_prepared *prepared[PREPARED_MAX];
    uint32_t prepared_count;
};

static err_t open_one(struct cql_pool *p, const struct cql_client_options *o, struct diag *d)
{
    struct pooled *c = mem_take(sizeof(*c));
    if (!c) return diag_fail(d, ERR_NO_MEMORY, "no memory for connections");
    p->at[p->count++] = c;
    for (size_t i = 0; i < CQL_FLIGHT_MAX; i++) c->flights[i].message = buf_make(NATIVE_BODY_MAX);
    err_t e = cql_client_open(o, &c->client, d);
    c->up = !e;
    return e;
}

err_t cql_pool_open(const struct cql_pool_options *o, struct cql_pool **out, struct diag *d)
{
    struct cql_pool *p = mem_take(sizeof(*p));
    if (!p) return diag_fail(d, ERR_NO_MEMORY, "no memory for connections");
    uint32_t wanted =
        o->connections ? MIN(o->connections, (uint32_t)CQL_POOL_MAX) : CONNECTIONS_DEFAULT;
    p->window = o->window ? MIN(o->window, (uint32_t)CQL_FLIGHT_MAX) : WINDOW_DEFAULT;
    p->retry_ms = o->retry_ms > 0 ? o->retry_ms : RETRY_MS;
    p->retry_most_ms = MAX(o->retry_most_ms > 0 ? o->retry_most_ms : RETRY_MOST_MS, p->retry_ms);
    p->patience_ms = o->patience_ms;
    p->scratch = buf_make(NATIVE_BODY_MAX);
    p->arena = arena_new(MIB(16));
    err_t e = p->arena ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory for connections");
    p->lost = mem_take(sizeof(*p->lost) * wanted * p->window);
    if (!p->lost) e = diag_fail(d, ERR_NO_MEMORY, "no memory for connections");
    for (; p->lost && p->lost_most < wanted * p->window; p->lost_most++)
        p->lost[p->lost_most].message = buf_make(NATIVE_BODY_MAX);
    while (!e && p->count < wanted) e = open_one(p, &o->client, d);
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
    for (uint32_t i = 0; i < p->lost_most; i++) buf_done(&p->lost[i].message);
    mem_give(p->lost);
    buf_done(&p->scratch);
    arena_free(p->arena);
    mem_give(p);
}

void cql_pool_repeat(struct cql_pool *p, bool yes)
{
    p->repeat = yes;
}

static uint32_t in_flight(const struct pooled *c)
{
    return c->up ? cql_client_in_flight(c->client) : 0;
}

uint32_t cql_pool_in_flight(const struct cql_pool *p)
{
    uint32_t sum = p->lost_count;
    for (uint32_t i = 0; i < p->count; i++) sum += in_flight(p->at[i]);
    return sum;
}

/* The connection with most room; NULL: none has any. */
static struct pooled *emptiest(const struct cql_pool *p)
{
    struct pooled *best = NULL;
    for (uint32_t i = 0; i < p->count; i++) {
        struct pooled *c = p->at[(p->next + i) % p->count];
        uint32_t n = in_flight(c);
        if (c->up && n < p->window && (!best || n < in_flight(best))) best = c;
    }
    return best;
}

bool cql_pool_full(const struct cql_pool *p)
{
    uint32_t n = cql_pool_in_flight(p);
    return n == p->count * p->window || (n > 0 && !emptiest(p));
}

static void swap_flights(struct flight *a, struct flight *b)
{
    struct flight kept = *a;
    *a = *b;
    *b = kept;
}

/* --- connections that broke ------------------------------------------------------------------- */

/* It is done for, and what was in flight on it is lost. */
static void broke(struct cql_pool *p, struct pooled *c, const struct diag *why)
{
    bool any = false;
    for (size_t i = 0; i < CQL_FLIGHT_MAX; i++)
        if (c->flights[i].flying) swap_flights(&c->flights[i], &p->lost[p->lost_count++]);
    c->up = false;
    c->retry_ms = p->retry_ms;
    c->retry_at_ns = clock_mono_ns() + c->retry_ms * MS;
    p->why = *why;
    for (uint32_t i = 0; i < p->count; i++) any |= p->at[i]->up;
    if (!any) p->gone_ns = clock_mono_ns();
}

/* Connects again those whose time has come. True: one at least is up. *next_ns: when the next one's
 * time will have come. */
static bool revive(struct cql_pool *p, int64_t *next_ns)
{
    bool any = false;
    *next_ns = INT64_MAX;
    for (uint32_t i = 0; i < p->count; i++) {
        struct pooled *c = p->at[i];
        if (!c->up && clock_mono_ns() >= c->retry_at_ns) {
            struct diag why = {0};
            c->up = cql_client_reopen(c->client, &why) == ERR_OK;
            if (!c->up) p->why = why;
            c->retry_ms = MIN(c->retry_ms * 2, p->retry_most_ms);
            c->retry_at_ns = clock_mono_ns() + c->retry_ms * MS;
        }
        any |= c->up;
        if (!c->up) *next_ns = MIN(*next_ns, c->retry_at_ns);
    }
    return any;
}

/* Waits until a connection is up, for as long as patience lasts. A login that is refused, or a
 * certificate that does not fit, may be mended meanwhile as well. */
static err_t connected(struct cql_pool *p, struct diag *d)
{
    int64_t next;
    while (!revive(p, &next)) {
        int64_t now = clock_mono_ns(), until = p->gone_ns + p->patience_ms * MS;
        if (now >= until) {
            if (d) *d = p->why;
            return p->why.err;
        }
        dial_rest((MIN(next, until) - now) / MS + 1);
    }
    return ERR_OK;
}

/* --- prepared statements ---------------------------------------------------------------------- */

/* An error of the connection: it is down then. */
static err_t prepare_on(struct cql_pool *p, struct pooled *c, struct slice text,
                        struct cql_answer *answer, struct diag *d)
{
    struct native_request r = {.text = text, .params = NATIVE_PARAMS_NONE};
    err_t e = cql_client_ask(c->client, NATIVE_OP_PREPARE, &r, false, p->arena, answer, d);
    if (e) {
        broke(p, c, d);
        return e;
    }
    e = cql_answer_error(answer, d);
    if (!e && answer->response.kind != NATIVE_RESULT_PREPARED)
        e = diag_fail(d, ERR_PEER, "PREPARE was answered by something else");
    return e;
}

/* On all that are up; one that is down learns it when it is asked for it. */
static err_t prepare_once(struct cql_pool *p, struct slice text, struct cql_answer *out,
                          bool *known, struct diag *d)
{
    err_t e = connected(p, d);
    for (uint32_t i = 0; !e && i < p->count; i++) {
        struct cql_answer answer;
        struct diag why = {0};
        if (!p->at[i]->up) continue;
        e = prepare_on(p, p->at[i], text, &answer, &why);
        if (!e) {
            *known = true;
            *out = answer;
        } else if (!p->at[i]->up) {
            e = ERR_OK;
        } else if (d) {
            *d = why;
        }
    }
    return e;
}

err_t cql_pool_prepare(struct cql_pool *p, struct slice text, const struct cql_prepared **out,
                       struct diag *d)
{
    struct cql_prepared *s = arena_take(p->arena, sizeof(*s));
    struct cql_answer answer = {.opcode = 0};
    bool known = false;
    err_t e = ERR_OK;
    if (p->prepared_count == PREPARED_MAX)
        return diag_fail(d, ERR_TOO_BIG, "more than %d prepared statements", PREPARED_MAX);
    if (!s || !(s->text = arena_slice(p->arena, text)).at)
        return diag_fail(d, ERR_NO_MEMORY, "no memory for a prepared statement");
    for (int i = 0; !e && !known && i < AGAIN_MAX; i++)
        e = prepare_once(p, s->text, &answer, &known, d);
    if (!e && !known) {
        if (d) *d = p->why;
        e = p->why.err;
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

/* `r` goes out on this connection for the flight, which moves from where it is to its stream. When
 * the connection breaks, the flight is lost with it. */
static void send_for(struct cql_pool *p, struct pooled *c, struct flight *f, uint8_t opcode,
                     const struct native_request *r)
{
    struct diag why = {0};
    int16_t stream = 0;
    f->flying = false;
    err_t e = cql_client_send(c->client, opcode, r, false, &stream, &why);
    if (e) {
        f->flying = true;
        if (f < c->flights || f >= c->flights + CQL_FLIGHT_MAX)
            swap_flights(f, &p->lost[p->lost_count++]);
        broke(p, c, &why);
        return;
    }
    if (f != &c->flights[stream]) swap_flights(f, &c->flights[stream]);
    c->flights[stream].flying = true;
}

err_t cql_pool_submit(struct cql_pool *p, uint8_t opcode, const struct native_request *r,
                      uint64_t tag, struct diag *d)
{
    if (cql_pool_in_flight(p) == p->count * p->window)
        return diag_fail(d, ERR_BUSY, "%u requests are in flight", p->count * p->window);
    err_t e = connected(p, d);
    if (e) return e;
    struct pooled *c = emptiest(p);
    if (!c) return diag_fail(d, ERR_BUSY, "as many requests are in flight as may be");
    struct native_head h = {.version = cql_client_version(c->client), .opcode = opcode};
    struct flight f = {.tag = tag, .message = p->scratch};
    buf_reset(&f.message);
    e = native_request_put(&f.message, &h, r, d);
    if (!e && f.message.err) e = diag_fail(d, f.message.err, "no memory for a request");
    if (!e) send_for(p, c, &f, opcode, r);
    p->scratch = f.message; /* what the place in flight had */
    p->next++;
    return e;
}

static void prepare_again(struct cql_pool *p, struct pooled *c, struct flight *f,
                          const struct cql_prepared *s)
{
    struct native_request r = {.text = s->text, .params = NATIVE_PARAMS_NONE};
    f->preparing = true;
    f->again++;
    send_for(p, c, f, NATIVE_OP_PREPARE, &r);
}

static err_t send_again(struct cql_pool *p, struct pooled *c, struct flight *f, struct arena *a,
                        struct diag *d)
{
    struct native_head h;
    struct native_request r;
    native_head_read(f->message.at, &h);
    struct slice body =
        slice_make(f->message.at + NATIVE_HEAD_SIZE, f->message.len - NATIVE_HEAD_SIZE);
    err_t e = native_request_read(&h, body, a, &r, d);
    f->preparing = false;
    if (!e) send_for(p, c, f, h.opcode, &r);
    return e;
}

/* What was lost goes out again where it may and there is room; false: the last one is to be told.
 */
static bool repeat_lost(struct cql_pool *p, struct arena *a)
{
    while (p->lost_count > 0) {
        struct flight f = p->lost[p->lost_count - 1];
        if (!p->repeat || f.repeats == AGAIN_MAX || connected(p, NULL)) return false;
        struct pooled *c = emptiest(p);
        if (!c) return true;
        p->lost[--p->lost_count].message = (struct buf){.limit = f.message.limit};
        f.repeats++;
        if (send_again(p, c, &f, a, &p->why)) {
            buf_done(&p->lost[p->lost_count].message);
            p->lost[p->lost_count++] = f;
            return false;
        }
        buf_done(&f.message);
    }
    return true;
}

/* The connection that has something for us; NULL: one broke. */
static err_t choose(struct cql_pool *p, struct pooled **out, struct diag *d)
{
    struct dial *dials[CQL_POOL_MAX];
    struct pooled *those[CQL_POOL_MAX];
    struct diag why = {0};
    size_t count = 0, which = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        struct pooled *c = p->at[(p->next + i) % p->count];
        if (in_flight(c) == 0) continue;
        *out = NULL;
        if (cql_client_flush(c->client, &why)) {
            broke(p, c, &why);
            return ERR_OK;
        }
        *out = c;
        if (cql_client_has_bytes(c->client)) return ERR_OK;
        those[count] = c;
        dials[count++] = cql_client_dial(c->client);
    }
    if (count == 0) return diag_fail(d, ERR_NOT_FOUND, "nothing is in flight");
    err_t e = count > 1 ? dial_await(dials, count, &which, &why) : ERR_OK;
    *out = e ? NULL : those[which];
    for (size_t i = 0; e && i < count; i++) broke(p, those[i], &why); /* all are silent */
    return ERR_OK;
}

/* An answer is the caller's, unless it says that the statement is to be prepared again, or answers
 * that. */
static err_t went_on(struct cql_pool *p, struct pooled *c, struct flight *f, struct arena *a,
                     const struct cql_answer *answer, bool *went, struct diag *d)
{
    const struct cql_prepared *s = NULL;
    bool failed = answer->opcode == NATIVE_OP_ERROR;
    *went = true;
    if (f->preparing && !failed) return send_again(p, c, f, a, d);
    if (failed && answer->response.error.code == NATIVE_ERROR_UNPREPARED && f->again < AGAIN_MAX)
        s = prepared_of(p, answer->response.error.id);
    if (s) prepare_again(p, c, f, s);
    *went = s != NULL;
    return ERR_OK;
}

err_t cql_pool_collect(struct cql_pool *p, struct arena *a, uint64_t *tag, struct cql_answer *out,
                       struct diag *d)
{
    for (;;) {
        struct pooled *c = NULL;
        struct diag why = {0};
        bool went = false;
        if (!repeat_lost(p, a)) {
            *tag = p->lost[--p->lost_count].tag;
            if (d) *d = p->why;
            return p->why.err;
        }
        err_t e = choose(p, &c, d);
        if (e) return e;
        if (!c) continue;
        if (cql_client_take(c->client, a, out, &why)) {
            broke(p, c, &why);
            continue;
        }
        struct flight *f = &c->flights[out->stream];
        f->flying = false;
        *tag = f->tag;
        e = went_on(p, c, f, a, out, &went, d);
        if (e || !went) return e;
    }
}
