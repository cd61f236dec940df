/* DescribeTransactions, ListTransactions, DescribeProducers. */
#include "coord/txns.h"
#include "door/kafka/kafka_int.h"
#include "sql/expr.h"

static void no_memory(struct call *c)
{
    diag_fail(&c->diag, ERR_NO_MEMORY, "the request is larger than a call's memory");
    call_break(c);
}

/* --- DescribeTransactions: one id after the other --------------------------------------------- */

struct describing {
    struct txn_describe r;
    int32_t at;
};

static bool describe_tell(struct call *c, const struct txn_describe *r,
                          struct kafka_describe_transactions_response_transaction_state *out)
{
    out->transactional_id = r->id;
    out->error_code = err_kafka(r->head.err);
    out->topics.at = call_new(c, kafka_describe_transactions_response_topic, r->count);
    int32_t *indexes = arena_take(c->arena, MAX(r->count, 1) * sizeof(*indexes));
    if (!out->topics.at || !indexes) return false;
    if (r->head.err) return true;
    out->transaction_state = slice_of(txn_state_name(r->state));
    out->transaction_timeout_ms = r->timeout_ms;
    out->transaction_start_time_ms = r->start_ms;
    out->producer_id = r->producer_id;
    out->producer_epoch = r->producer_epoch;
    for (uint32_t i = 0; i < r->count; i++) {
        bool same = i > 0 && slice_equal(r->partitions[i].topic, r->partitions[i - 1].topic);
        if (!same) {
            struct kafka_describe_transactions_response_topic *t =
                &out->topics.at[out->topics.count++];
            t->topic = r->partitions[i].topic;
            t->partitions.at = &indexes[i];
            t->partitions.count = 0;
        }
        indexes[i] = r->partitions[i].index;
        out->topics.at[out->topics.count - 1].partitions.count++;
    }
    return true;
}

static void describe_one(struct call *c, struct describing *w)
{
    const struct kafka_describe_transactions_request *q = c->request;
    struct kafka_describe_transactions_response *out = c->response;
    if (w->at == q->transactional_ids.count) {
        out->transaction_states.count = w->at;
        call_answer(c);
    } else {
        w->r.id = q->transactional_ids.at[w->at];
        txn_describe(door_options(c->door)->coord, &w->r);
    }
}

static void describe_done(struct coord_request *head)
{
    struct describing *w = (struct describing *)head;
    struct call *c = head->arg;
    struct kafka_describe_transactions_response *out = c->response;
    if (!describe_tell(c, &w->r, &out->transaction_states.at[w->at])) {
        no_memory(c);
        return;
    }
    w->at++;
    describe_one(c, w);
}

void kafka_describe_transactions(struct call *c)
{
    const struct kafka_describe_transactions_request *q = c->request;
    struct kafka_describe_transactions_response *out = c->response;
    struct describing *w = arena_take(c->arena, sizeof(*w));
    out->transaction_states.at = call_new(c, kafka_describe_transactions_response_transaction_state,
                                          q->transactional_ids.count);
    if (!w || !out->transaction_states.at) {
        no_memory(c);
        return;
    }
    w->r.head = (struct coord_request){.done = describe_done, .arg = c, .arena = c->arena};
    describe_one(c, w);
}

/* --- ListTransactions ------------------------------------------------------------------------- */

/* The whole id has to match, as with Kafka's RE2. Nothing matches past the limits of one search. */
static bool id_matches(struct regex_run *run, struct slice id)
{
    struct regex_match m;
    bool found = false;
    return regex_find(run, id, 0, 0, &found, &m) == ERR_OK && found;
}

static err_t filter(struct call *c, struct txn_list *r)
{
    const struct kafka_list_transactions_request *q = c->request;
    const struct regex *regex = NULL;
    const char *whole =
        arena_printf(c->arena, "\\A(?:%.*s)\\z", SLICE_ARG(q->transactional_id_pattern));
    if (!whole) return ERR_NO_MEMORY;
    /* Alone too: "a)|(b" must not become something else by what is put around it. */
    err_t e = regex_new(q->transactional_id_pattern, false, c->arena, &regex, &c->diag);
    if (!e) e = regex_new(slice_of(whole), false, c->arena, &regex, &c->diag);
    if (e) return e == ERR_NO_MEMORY ? e : ERR_BAD_PATTERN;
    struct regex_run *run = regex_run_new(regex, c->arena);
    if (!run) return ERR_NO_MEMORY;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < r->count; i++)
        if (id_matches(run, r->listed[i].id)) r->listed[kept++] = r->listed[i];
    r->count = kept;
    return ERR_OK;
}

static void list_tell(struct call *c)
{
    struct txn_list *r = c->kept;
    const struct kafka_list_transactions_request *q = c->request;
    struct kafka_list_transactions_response *out = c->response;
    err_t e = r->head.err;
    c->kept = NULL;
    if (!e && q->transactional_id_pattern.len > 0) e = filter(c, r);
    uint32_t n = e ? 0 : r->count;
    out->error_code = err_kafka(e);
    out->unknown_state_filters.at = r->unknown_states;
    out->unknown_state_filters.count = (int32_t)(e ? 0 : r->unknown_count);
    out->transaction_states.at = call_new(c, kafka_list_transactions_response_transaction_state, n);
    if (!out->transaction_states.at) {
        no_memory(c);
        return;
    }
    out->transaction_states.count = (int32_t)n;
    for (uint32_t i = 0; i < n; i++) {
        struct kafka_list_transactions_response_transaction_state *t =
            &out->transaction_states.at[i];
        t->transactional_id = r->listed[i].id;
        t->producer_id = r->listed[i].producer_id;
        t->transaction_state = slice_of(txn_state_name(r->listed[i].state));
    }
    call_answer(c);
}

/* A pattern is tried on the worker: the coordinators do not wait for it. */
static void list_done(struct coord_request *head)
{
    struct call *c = head->arg;
    const struct kafka_list_transactions_request *q = c->request;
    c->kept = head;
    if (q->transactional_id_pattern.len > 0)
        call_work(c, list_tell);
    else
        list_tell(c);
}

void kafka_list_transactions(struct call *c)
{
    const struct kafka_list_transactions_request *q = c->request;
    struct txn_list *r = arena_take(c->arena, sizeof(*r));
    if (!r) {
        no_memory(c);
        return;
    }
    r->head = (struct coord_request){.done = list_done, .arg = c, .arena = c->arena};
    r->states = q->state_filters.at;
    r->state_count = (uint32_t)MAX(q->state_filters.count, 0);
    r->producer_ids = q->producer_id_filters.at;
    r->producer_id_count = (uint32_t)MAX(q->producer_id_filters.count, 0);
    r->duration_ms = q->duration_filter;
    txn_list(door_options(c->door)->coord, r);
}

/* --- DescribeProducers ------------------------------------------------------------------------ */

struct producers_found {
    struct call *c;
    struct vec views;
};

static err_t producer_found(void *ctx, const struct log_producer_view *v)
{
    return vec_push(&((struct producers_found *)ctx)->views, v);
}

static err_t producers_of(struct call *c, struct log_partition *p,
                          struct kafka_describe_producers_response_partition *out)
{
    struct producers_found f = {c, vec_make(sizeof(struct log_producer_view), 1 << 20)};
    err_t e = log_producers(p, producer_found, &f);
    size_t n = e ? 0 : f.views.count;
    out->active_producers.at = call_new(c, kafka_describe_producers_response_active_producer, n);
    if (!out->active_producers.at) e = ERR_NO_MEMORY;
    for (size_t i = 0; i < n && !e; i++) {
        const struct log_producer_view *v = vec_at(&f.views, i);
        struct kafka_describe_producers_response_active_producer *a =
            &out->active_producers.at[out->active_producers.count++];
        a->producer_id = v->id;
        a->producer_epoch = v->epoch;
        a->last_sequence = v->last_sequence;
        a->last_timestamp = v->last_timestamp_ms;
        a->coordinator_epoch = v->coordinator_epoch;
        a->current_txn_start_offset = v->txn_first_offset;
    }
    vec_done(&f.views);
    return e;
}

static err_t producers_topic(struct call *c, const struct kafka_describe_producers_request_topic *q,
                             struct kafka_describe_producers_response_topic *out)
{
    int32_t n = q->partition_indexes.count;
    out->name = q->name;
    out->partitions.at = call_new(c, kafka_describe_producers_response_partition, n);
    if (!out->partitions.at) return ERR_NO_MEMORY;
    out->partitions.count = n;
    for (int32_t i = 0; i < n; i++) {
        struct kafka_describe_producers_response_partition *p = &out->partitions.at[i];
        p->partition_index = q->partition_indexes.at[i];
        struct log_partition *there =
            partition_of(c, q->name, NULL, p->partition_index, &p->error_code);
        err_t e = there ? producers_of(c, there, p) : ERR_OK;
        if (e) return e;
        if (p->error_code) p->error_message = call_text(c, kafka_error_of(p->error_code)->text);
    }
    return ERR_OK;
}

void kafka_describe_producers(struct call *c)
{
    const struct kafka_describe_producers_request *q = c->request;
    struct kafka_describe_producers_response *out = c->response;
    out->topics.at = call_new(c, kafka_describe_producers_response_topic, q->topics.count);
    err_t e = out->topics.at ? ERR_OK : ERR_NO_MEMORY;
    out->topics.count = q->topics.count;
    for (int32_t i = 0; !e && i < q->topics.count; i++)
        e = producers_topic(c, &q->topics.at[i], &out->topics.at[i]);
    if (e)
        no_memory(c);
    else
        call_answer(c);
}
