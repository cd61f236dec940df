/* One request from its body to its answer: decoded, handed to the room cql, brought back to the
 * link's loop. */
#include "base/say.h"
#include "door/cql/link.h"

#include <stdio.h>

/* --- its memory ------------------------------------------------------------------------------- */

static struct call *call_take(struct link *l, uint32_t cost)
{
    struct shard *s = l->shard;
    struct door_call_memory m;
    if (!door_call_take(&s->its, &l->its, &m)) return NULL;
    struct call *c = m.call; /* not zeroed: a request says all that is looked at */
    c->arena = m.arena;
    c->link = l;
    c->shard = s;
    c->frame = NULL;
    c->parts = 1;
    c->cost = cost;
    l->calls++;
    s->bytes += cost;
    return c;
}

/* The answer has left, or never will. */
static void call_over(struct call *c)
{
    struct link *l = c->link;
    struct shard *s = c->shard;
    cql_call_done(&c->cql);
    if (c->frame) frames_give(&s->its.frames, s->its.loop, c->frame, c->frame_cap);
    c->frame = NULL;
    s->bytes -= c->cost;
    door_call_give(&s->its, &l->its, (struct door_call_memory){c, c->arena});
    if (l->its.paused) cql_link_set_input(l);
    cql_link_free_if_over(l);
    cql_links_wake(s);
}

void cql_link_part_left(void *call)
{
    struct call *c = call;
    if (--c->parts == 0) call_over(c);
}

/* --- its end ---------------------------------------------------------------------------------- */

void cql_link_answer(struct call *c)
{
    struct link *l = c->link;
    l->calls--;
    if (c->cql.result.kind == CQL_SET_KEYSPACE && !c->cql.err) clients_update(l);
    if (l->its.conn && !l->its.closing) answer_call(c);
    cql_link_part_left(c); /* the call itself counts as one */
}

/* All that have come back since, in the order they were done. */
static void on_finished(struct loop_message *m)
{
    struct shard *s = (struct shard *)((uint8_t *)m - offsetof(struct shard, finished_message));
    atomic_store(&s->woken, false); /* before the list is taken: who comes later wakes again */
    struct call *all = atomic_exchange(&s->finished, NULL), *first = NULL;
    for (struct call *next; all; all = next) {
        next = all->next;
        all->next = first;
        first = all;
    }
    s->gathering = true;
    for (struct call *next; first; first = next) {
        next = first->next;
        cql_link_answer(first);
    }
    s->gathering = false;
    out_flush(s);
}

/* The first one to come wakes the loop for all that follow until it looks. */
static void call_done(struct cql_call *cql)
{
    struct call *c = (struct call *)cql;
    struct shard *s = c->shard;
    if (loop_here(s->its.loop)) {
        cql_link_answer(c);
        if (!s->gathering) out_flush(s);
        return;
    }
    struct call *was = atomic_load_explicit(&s->finished, memory_order_relaxed);
    do c->next = was;
    while (!atomic_compare_exchange_weak(&s->finished, &was, c));
    if (!atomic_exchange(&s->woken, true))
        loop_send(s->its.loop, &s->finished_message, on_finished);
}

/* --- its beginning ---------------------------------------------------------------------------- */

static const struct cql_value *values_of(struct call *c, const struct native_value *from,
                                         uint32_t count)
{
    _Static_assert((int)NATIVE_NULL == (int)CQL_NULL && (int)NATIVE_SET == (int)CQL_SET &&
                       (int)NATIVE_UNSET == (int)CQL_UNSET,
                   "states are the same numbers");
    if (!count) return NULL;
    struct cql_value *to = arena_take_raw(c->arena, count * sizeof(*to));
    for (uint32_t i = 0; to && i < count; i++)
        to[i] = (struct cql_value){.bytes = from[i].bytes, .state = from[i].state};
    return to;
}

static bool fill_params(struct call *c, const struct native_params *p)
{
    c->cql.params = (struct cql_params){.values = values_of(c, p->values, p->value_count),
                                        .names = p->names,
                                        .value_count = p->value_count,
                                        .consistency = p->consistency,
                                        .serial = p->serial,
                                        .page_size = p->page_size,
                                        .paging_state = p->paging_state,
                                        .timestamp = p->timestamp,
                                        .now_s = p->now_s,
                                        .keyspace = p->keyspace,
                                        .skip_metadata = p->skip_metadata};
    return c->cql.params.values || !p->value_count;
}

static bool fill_batch(struct call *c, const struct native_request *r)
{
    struct cql_batch_item *items = arena_take(c->arena, r->item_count * sizeof(*items) + 1);
    if (!items) return false;
    for (uint32_t i = 0; i < r->item_count; i++) {
        const struct native_batch_item *from = &r->items[i];
        items[i].text = from->text;
        items[i].id = from->id;
        items[i].values = values_of(c, from->values, from->value_count);
        items[i].value_count = from->value_count;
        if (from->value_count && !items[i].values) return false;
    }
    c->cql.items = items;
    c->cql.item_count = r->item_count;
    c->cql.batch_kind = r->batch_kind;
    return true;
}

static bool fill(struct call *c, const struct native_head *h, const struct native_request *r)
{
    struct cql_call *q = &c->cql;
    q->session = &c->link->session;
    q->arena = c->arena;
    q->verb = h->opcode == NATIVE_OP_EXECUTE   ? CALL_EXECUTE
              : h->opcode == NATIVE_OP_PREPARE ? CALL_PREPARE
              : h->opcode == NATIVE_OP_BATCH   ? CALL_BATCH
                                               : CALL_QUERY;
    q->text = r->text;
    q->id = r->id;
    q->result_id = r->result_id;
    q->items = NULL;
    q->item_count = 0;
    q->tracing = h->flags & NATIVE_HEAD_TRACING;
    q->done = call_done;
    q->ctx = NULL;
    if (!fill_params(c, &r->params)) return false;
    return h->opcode != NATIVE_OP_BATCH || fill_batch(c, r);
}

/* The body where it stays until the call is over: unpacked, in its own memory, or copied. */
static err_t keep_body(struct call *c, const struct native_head *h, struct slice *body,
                       struct gather *frame, struct diag *d)
{
    struct link *l = c->link;
    uint32_t most = c->shard->door->options.frame_max;
    if (h->flags & NATIVE_HEAD_COMPRESSED && l->compression != NATIVE_PLAIN && !l->segmented)
        return native_unpack(l->compression, *body, most, c->arena, body, d);
    if (frame) {
        c->frame = frame->at;
        c->frame_cap = frame->cap;
        *frame = (struct gather){0};
        return ERR_OK;
    }
    uint8_t *copy = arena_take_raw(c->arena, body->len);
    if (!copy) return diag_fail(d, ERR_NO_MEMORY, "no memory for a request of %u bytes", body->len);
    if (body->len) memcpy(copy, body->at, body->len);
    *body = slice_make(copy, body->len);
    return ERR_OK;
}

/* Not this message now, or not here: ServerConnection.validateNewMessage, in its words. */
static const char *not_now(const struct link *l, const struct native_head *h, char room[160])
{
    const char *name = native_opcode_name(h->opcode);
    bool token = h->opcode == NATIVE_OP_AUTH_RESPONSE;
    if (l->stage == STAGE_NEW && h->opcode != NATIVE_OP_STARTUP && h->opcode != NATIVE_OP_OPTIONS)
        snprintf(room, 160, "Unexpected message %s, expecting STARTUP or OPTIONS", name);
    else if (l->stage == STAGE_LOGIN && (!token || l->in_login))
        snprintf(room, 160, "Unexpected message %s, expecting SASL_RESPONSE", name);
    else if (l->stage == STAGE_READY && (token || h->opcode == NATIVE_OP_STARTUP))
        snprintf(room, 160, "Unexpected message %s, the connection is already initialized", name);
    else
        return NULL;
    return room;
}

static bool overloaded(struct link *l, const struct native_head *h)
{
    struct shard *s = l->shard;
    const struct cql_door_options *o = &s->door->options;
    if (!l->throws || (l->calls < o->calls_max && s->bytes < s->bytes_max)) return false;
    count_up(&s->counts.overloaded, 1);
    answer_error(l, h->version, h->stream, NATIVE_ERROR_OVERLOADED,
                 "Request breached limit on bytes in flight. (Endpoint: %u/%u requests, Global: "
                 "%zu/%zu bytes.) Server is currently in an overloaded state and cannot accept "
                 "more requests.",
                 l->calls, o->calls_max, s->bytes, s->bytes_max);
    return true;
}

/* What the door answers itself. `c` is over, but for a login. */
static void serve(struct call *c, const struct native_head *h, const struct native_request *r)
{
    struct link *l = c->link;
    if (h->opcode == NATIVE_OP_AUTH_RESPONSE) {
        startup_login(c, h, r->token);
        return;
    }
    if (h->opcode == NATIVE_OP_OPTIONS)
        startup_options(l, h);
    else if (h->opcode == NATIVE_OP_REGISTER)
        startup_register(l, h, r);
    else
        startup_begin(l, h, r);
    l->calls--;
    cql_link_part_left(c);
}

static void refuse(struct call *c, const struct native_head *h, err_t e, const char *words)
{
    struct link *l = c->link;
    answer_error(l, h->version, h->stream, err_cql(e), "%s", words);
    l->calls--;
    cql_link_part_left(c);
}

static bool is_statement(uint8_t opcode)
{
    return opcode == NATIVE_OP_EXECUTE || opcode == NATIVE_OP_QUERY ||
           opcode == NATIVE_OP_PREPARE || opcode == NATIVE_OP_BATCH;
}

static void count_request(struct link *l, const struct native_head *h)
{
    if (h->opcode < COUNT_OF(l->shard->counts.requests))
        count_up(&l->shard->counts.requests[h->opcode], 1);
    count_up(&l->card.requests, 1);
}

void cql_link_call(struct link *l, const struct native_head *h, struct slice body,
                   struct gather *frame)
{
    char room[160];
    struct native_request r;
    struct diag d;
    const char *wrong = not_now(l, h, room);
    count_request(l, h);
    if (wrong) answer_error(l, h->version, h->stream, NATIVE_ERROR_PROTOCOL_ERROR, "%s", wrong);
    if (wrong || overloaded(l, h)) return;
    struct call *c = call_take(l, body.len + CALL_COST);
    if (!c) {
        answer_error(l, h->version, h->stream, NATIVE_ERROR_OVERLOADED, "no memory for a request");
        return;
    }
    c->stream = h->stream;
    c->cql.statement = NULL;
    c->cql.result.rows = (struct buf){0};
    err_t e = keep_body(c, h, &body, frame, &d);
    if (!e) e = native_request_read(h, body, c->arena, &r, &d);
    if (e) {
        l->errors += l->segmented;
        refuse(c, h, e, d.what);
        if (l->errors > 1) cql_link_close(l, "messages can not be read; connection closed");
        return;
    }
    l->errors = 0;
    if (!is_statement(h->opcode))
        serve(c, h, &r);
    else if (fill(c, h, &r))
        cql_run(&c->cql);
    else
        refuse(c, h, ERR_NO_MEMORY, "no memory for a request");
}
