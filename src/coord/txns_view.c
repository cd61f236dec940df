/* DescribeTransactions and ListTransactions. */
#include "coord/txns_int.h"

#include <stdlib.h>

static int partition_order(const void *a, const void *b)
{
    const struct txn_partition *x = a, *y = b;
    int c = slice_compare(x->topic, y->topic);
    return c ? c : (x->index > y->index) - (x->index < y->index);
}

static err_t describe(const struct txn *t, struct txn_describe *r)
{
    r->partitions = arena_take(r->head.arena, MAX(t->place_count, 1) * sizeof(*r->partitions));
    if (!r->partitions) return diag_fail(&r->head.diag, ERR_NO_MEMORY, "describing a transaction");
    r->state = t->now.state;
    r->producer_id = t->now.producer_id;
    r->producer_epoch = t->now.epoch;
    r->timeout_ms = t->now.timeout_ms;
    r->start_ms = t->now.start_ms;
    for (size_t i = 0; i < t->place_count; i++) {
        const struct txn_place *p = vec_at(&t->places, i);
        struct slice name = arena_slice(r->head.arena, log_topic_name(p->topic));
        if (!name.at) return diag_fail(&r->head.diag, ERR_NO_MEMORY, "describing a transaction");
        r->partitions[r->count++] = (struct txn_partition){.topic = name, .index = p->index};
    }
    qsort(r->partitions, r->count, sizeof(*r->partitions), partition_order);
    return ERR_OK;
}

static void run_describe(struct coord *c, struct coord_request *head)
{
    struct txn_describe *r = (struct txn_describe *)head;
    struct diag *d = &head->diag;
    err_t e = r->id.len ? ERR_OK : diag_fail(d, ERR_USAGE, "a transactional id is not empty");
    struct txn *t = e ? NULL : txn_find(c->txns, r->id);
    if (!e && !t)
        e = diag_fail(d, ERR_UNKNOWN_TXN_ID, "no transactional id '%.*s'", SLICE_ARG(r->id));
    coord_answer(head, e ? e : describe(t, r));
}

void txn_describe(struct coord *c, struct txn_describe *r)
{
    r->partitions = NULL;
    r->count = 0;
    coord_request_send(c, &r->head, run_describe);
}

/* --- the list --------------------------------------------------------------------------------- */

static bool listed(const struct txn *t, const struct txn_list *r, unsigned states, int64_t now_ms)
{
    bool wanted = r->producer_id_count == 0;
    for (uint32_t i = 0; i < r->producer_id_count && !wanted; i++)
        wanted = r->producer_ids[i] == t->now.producer_id;
    if (r->state_count > 0 && !(states & 1u << t->now.state)) return false;
    if (r->duration_ms >= 0 && now_ms - t->now.start_ms <= r->duration_ms) return false;
    return wanted;
}

static err_t list_states(struct txn_list *r, unsigned *states)
{
    r->unknown_states =
        arena_take(r->head.arena, MAX(r->state_count, 1) * sizeof(*r->unknown_states));
    if (!r->unknown_states) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < r->state_count; i++) {
        enum txn_state s;
        if (txn_state_of_name(r->states[i], &s))
            *states |= 1u << s;
        else
            r->unknown_states[r->unknown_count++] = r->states[i];
    }
    return ERR_OK;
}

static void run_list(struct coord *c, struct coord_request *head)
{
    struct txn_list *r = (struct txn_list *)head;
    const struct txns *s = c->txns;
    int64_t now_ms = clock_wall_ms();
    unsigned states = 0;
    err_t e = list_states(r, &states);
    struct slice id;
    void *at_id;
    for (int round = 0; round < 2 && !e; round++) { /* counted, then filled */
        uint32_t n = 0;
        for (size_t at = 0; !e && map_next(s->by_id, &at, &id, &at_id);) {
            const struct txn *t = at_id;
            if (!listed(t, r, states, now_ms)) continue;
            if (round == 1) {
                r->listed[n] = (struct txn_listed){arena_slice(head->arena, t->id),
                                                   t->now.producer_id, t->now.state};
                if (!r->listed[n].id.at) e = ERR_NO_MEMORY;
            }
            n++;
        }
        r->count = n;
        if (round == 0) r->listed = arena_take(head->arena, MAX(n, 1) * sizeof(*r->listed));
        if (!r->listed) e = ERR_NO_MEMORY;
    }
    if (e) diag_fail(&head->diag, e, "listing transactions");
    coord_answer(head, e);
}

void txn_list(struct coord *c, struct txn_list *r)
{
    r->listed = NULL;
    r->count = 0;
    r->unknown_states = NULL;
    r->unknown_count = 0;
    coord_request_send(c, &r->head, run_list);
}
