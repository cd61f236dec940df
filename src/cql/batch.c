/* BATCH: several writes as one change. Written as BEGIN BATCH … APPLY BATCH it is a statement of
 * its own; as the protocol's message it is a list of texts and prepared statements. */
#include "cql/write_int.h"

struct batch_plan { /* BEGIN BATCH */
    int kind;
    const struct write_plan **items;
    uint32_t count;
    const struct cql_term *timestamp;
};
struct batch { /* one run */
    struct cql_call *call;
    int kind;
    const struct write_plan **plans;
    struct cql_bound *bounds;
    uint32_t count;
    bool one_bound; /* all have the first one's values */
    const struct cql_term *timestamp;
    struct write_run **runs;
    struct write_tally tally;
    const struct cql_statement **statements; /* the message's; ours to release */
    void (*done)(struct cql_call *c);        /* the caller's, while there are some */
};

/* --- what may stand together
 * ----------------------------------------------------------------------------- */

struct mixture {
    bool counters, others, virtuals, reals, conditions;
};

static struct mixture mixture_of(const struct write_plan *const *plans, uint32_t count)
{
    struct mixture m = {0};
    for (uint32_t i = 0; i < count; i++) {
        m.counters |= plans[i]->table->counter;
        m.others |= !plans[i]->table->counter;
        m.virtuals |= plans[i]->is_virtual;
        m.reals |= !plans[i]->is_virtual;
        m.conditions |= plans[i]->condition != IF_NONE;
    }
    return m;
}

static err_t check_timestamps(const struct write_plan *const *plans, uint32_t count, int kind,
                              const struct mixture *m, struct diag *d)
{
    if (m->conditions)
        return diag_fail(d, ERR_INVALID, "Cannot provide custom timestamp for conditional BATCH");
    if (kind == BATCH_COUNTER)
        return diag_fail(d, ERR_INVALID, "Cannot provide custom timestamp for counter BATCH");
    for (uint32_t i = 0; i < count; i++)
        if (plans[i]->timestamp)
            return diag_fail(d, ERR_INVALID,
                             "Timestamp must be set either on BATCH or individual statements");
    if (m->counters)
        return diag_fail(d, ERR_INVALID,
                         "Cannot provide custom timestamp for a BATCH containing counters");
    return ERR_OK;
}

static err_t check_mixture(const struct write_plan *const *plans, uint32_t count, int kind,
                           bool timestamp, struct diag *d)
{
    struct mixture m = mixture_of(plans, count);
    const struct {
        bool wrong;
        const char *text;
    } rules[] = {
        {kind == BATCH_COUNTER && m.others,
         "Cannot include non-counter statement in a counter batch"},
        {m.counters && m.others,
         "Counter and non-counter mutations cannot exist in the same batch"},
        {kind == BATCH_LOGGED && m.counters,
         "Cannot include a counter statement in a logged batch"},
        {kind == BATCH_LOGGED && m.virtuals,
         "Cannot include a virtual table statement in a logged batch"},
        {m.virtuals && m.reals,
         "Mutations for virtual and regular tables cannot exist in the same batch"},
        {m.conditions && m.virtuals,
         "Conditional BATCH statements cannot include mutations for virtual tables"},
    };
    err_t e = timestamp ? check_timestamps(plans, count, kind, &m, d) : ERR_OK;
    for (uint32_t i = 0; !e && i < COUNT_OF(rules); i++)
        if (rules[i].wrong) e = diag_fail(d, ERR_INVALID, "%s", rules[i].text);
    for (uint32_t i = 1; !e && m.conditions && i < count; i++)
        if (plans[i]->table != plans[0]->table)
            e = diag_fail(d, ERR_INVALID, "Batch with conditions cannot span multiple tables");
    return e;
}

/* --- BEGIN BATCH, prepared
 * --------------------------------------------------------------------------------- */

static err_t prepare(struct cql_preparing *p, const struct cql_statement_tree *t)
{
    const struct cql_batch *tree = t->batch;
    struct batch_plan *plan = arena_take(p->terms.arena, sizeof(*plan));
    const struct write_plan **items =
        arena_take(p->terms.arena, (tree->count + 1) * sizeof(const struct write_plan *));
    struct cql_receiver *r = arena_take(p->terms.arena, sizeof(*r));
    if (!plan || !items || !r)
        return diag_fail(p->terms.d, ERR_NO_MEMORY, "no memory for the batch");
    *plan = (struct batch_plan){.kind = (int)tree->kind, .items = items, .count = tree->count};
    *r = (struct cql_receiver){SLICE("[batch]"), SLICE("[batch]"), SLICE("[timestamp]"),
                               type_of(TYPE_BIGINT)};
    err_t e = ERR_OK;
    bool one_table = true;
    for (uint32_t i = 0; !e && i < tree->count; i++) {
        struct write_plan *item = NULL;
        e = write_plan_new(p, tree->items[i], &item);
        items[i] = item;
        if (!e) one_table &= item->table == items[0]->table;
    }
    if (!e && tree->timestamp)
        e = cql_term_prepare(tree->timestamp, r, &p->terms, &plan->timestamp);
    if (!e) e = check_mixture(items, plan->count, plan->kind, plan->timestamp != NULL, p->terms.d);
    if (e) return e;
    p->out->plan = plan;
    p->out->table = plan->count && one_table ? items[0]->table : NULL;
    return ERR_OK;
}

static err_t permit(struct cql_call *c)
{
    const struct batch_plan *p = c->statement->plan;
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < p->count; i++) e = write_permit(c, p->items[i]);
    return e;
}

/* --- size
 * ---------------------------------------------------------------------------------------------------
 */

/* "[ks.a, ks.b]", each once. */
static const char *table_names(struct batch *b, bool only_graceless, uint32_t *count)
{
    const char *text = "";
    *count = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        const struct store_table *t = b->plans[i]->table;
        bool seen = only_graceless && t->gc_grace != 0;
        for (uint32_t j = 0; j < i && !seen; j++) seen = b->plans[j]->table == t;
        if (seen) continue;
        const char *more = arena_printf(b->call->arena, "%s%s%.*s.%.*s", text, *count ? ", " : "",
                                        SLICE_ARG(t->keyspace), SLICE_ARG(t->name));
        text = more ? more : text;
        ++*count;
    }
    return text;
}

static err_t tally_make(struct batch *b)
{
    size_t rows = 0;
    b->tally.slots = 64;
    for (uint32_t i = 0; i < b->count; i++) {
        const struct write_targets *t = &b->runs[i]->targets;
        rows += (size_t)t->partition_count * (4 + (size_t)t->row_count + t->slice_count);
    }
    while (b->tally.slots < 2 * rows) b->tally.slots *= 2;
    b->tally.seen = arena_take(b->call->arena, b->tally.slots * sizeof(*b->tally.seen));
    if (!b->tally.seen) return diag_fail(&b->call->diag, ERR_NO_MEMORY, "no memory for the batch");
    for (uint32_t i = 0; i < b->count; i++) b->runs[i]->tally = &b->tally;
    return ERR_OK;
}

static err_t check_size(struct batch *b)
{
    const struct write_tally *t = &b->tally;
    uint32_t tables;
    if (t->partitions <= 1) return ERR_OK; /* one partition's writes are one mutation */
    const char *names = table_names(b, false, &tables);
    if (t->bytes > BATCH_FAIL_BYTES) {
        call_trace(b->call, "Batch for [%s] is of size %llu, exceeding specified threshold of %d",
                   names, (unsigned long long)t->bytes, BATCH_FAIL_BYTES);
        return diag_fail(&b->call->diag, ERR_INVALID, "Batch too large");
    }
    if (t->bytes > BATCH_WARN_BYTES)
        call_warn(b->call,
                  "Batch for [%s] is of size %llu, exceeding specified threshold of %d by %llu.",
                  names, (unsigned long long)t->bytes, BATCH_WARN_BYTES,
                  (unsigned long long)(t->bytes - BATCH_WARN_BYTES));
    if (b->kind != BATCH_LOGGED && t->partitions > BATCH_WARN_PARTITIONS)
        call_warn(b->call,
                  "Unlogged batch covering %u partitions detected against table%s [%s]. You should "
                  "use a logged batch for atomicity, or asynchronous writes for performance.",
                  t->partitions, tables == 1 ? "" : "s", names);
    return ERR_OK;
}

static void warn_graceless(struct batch *b)
{
    uint32_t count;
    if (b->kind != BATCH_LOGGED) return;
    const char *names = table_names(b, true, &count);
    if (count)
        call_warn(b->call,
                  "Executing a LOGGED BATCH on table%s [%s], configured with a gc_grace_seconds of "
                  "0. The gc_grace_seconds is used to TTL batchlog entries, so setting "
                  "gc_grace_seconds too low on tables involved in an atomic batch might cause "
                  "batchlog entries to expire before being replayed.",
                  count == 1 ? "" : "s", names);
}

/* --- running
 * --------------------------------------------------------------------------------------------------
 */

static err_t runs_make(struct batch *b)
{
    b->runs = arena_take(b->call->arena, (b->count + 1) * sizeof(struct write_run *));
    if (!b->runs) return diag_fail(&b->call->diag, ERR_NO_MEMORY, "no memory for the batch");
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < b->count; i++)
        e = write_run_new(b->call, b->plans[i], &b->bounds[b->one_bound ? 0 : i], &b->runs[i]);
    return e;
}

static err_t add_all(struct batch *b, struct store_change *change, struct store_peek *peek)
{
    struct store *s = cql_options(b->call->session->cql)->store;
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < b->count; i++) e = write_run_add(b->runs[i], s, change, peek);
    return e ? e : check_size(b);
}

static err_t decide(void *ctx, struct store_change *change, struct store_peek *peek, struct diag *d)
{
    struct batch *b = ctx;
    err_t e = add_all(b, change, peek);
    if (e && d) *d = b->call->diag;
    return e;
}

static err_t bind_all(struct batch *b, bool *reads, bool *anything)
{
    const struct write_bind *first = &b->runs[0]->bind;
    int64_t now = write_default_timestamp(b->call), timestamp;
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < b->count; i++) {
        const struct write_bind *own = b->one_bound ? first : &b->runs[i]->bind;
        e = write_timestamp(b->timestamp, own, now, &timestamp);
        if (!e) e = write_run_bind(b->runs[i], timestamp);
        *reads |= b->plans[i]->reads;
        *anything |= !b->runs[i]->targets.nothing;
    }
    return e ? e : tally_make(b);
}

static void run_plain(struct batch *b)
{
    struct cql_call *c = b->call;
    struct store *s = cql_options(c->session->cql)->store;
    struct store_change *change = NULL;
    bool reads = false, anything = false;
    err_t e = bind_all(b, &reads, &anything);
    if (!e) warn_graceless(b);
    if (!e && anything) e = store_change_new(s, &change);
    if (!e && change && reads)
        store_change_decide(change, decide, b);
    else if (!e && change)
        e = add_all(b, change, NULL);
    if (e || !change || (!reads && store_change_bytes(change) == 0)) {
        store_change_free(change);
        call_end(c, e);
        return;
    }
    call_commit(c, change);
}

static void run_conditional(struct batch *b)
{
    struct cas *s;
    err_t e = write_check_conditional(b->call);
    if (!e) e = cas_new(b->call, b->plans[0]->table, true, &s);
    for (uint32_t i = 0; !e && i < b->count; i++) e = cas_add(s, b->runs[i]);
    if (e)
        call_end(b->call, e);
    else
        cas_commit(s);
}

static void run_batch(struct batch *b)
{
    struct cql_call *c = b->call;
    bool conditions = mixture_of(b->plans, b->count).conditions;
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < b->count; i++) e = write_check(c, b->plans[i]);
    if (!e) e = runs_make(b);
    if (e || b->count == 0)
        call_end(c, e);
    else if (conditions)
        run_conditional(b);
    else
        run_plain(b);
}

static void run_statement(struct cql_call *c)
{
    const struct batch_plan *p = c->statement->plan;
    struct batch *b = arena_take(c->arena, sizeof(*b));
    struct cql_bound *bound = arena_take(c->arena, sizeof(*bound));
    err_t e = ERR_OK;
    if (!b || !bound) e = diag_fail(&c->diag, ERR_NO_MEMORY, "no memory for the batch");
    if (!e) e = call_bound(c, c->statement, &c->params, bound);
    if (e) {
        call_end(c, e);
        return;
    }
    *b = (struct batch){.call = c,
                        .kind = p->kind,
                        .plans = p->items,
                        .count = p->count,
                        .bounds = bound,
                        .one_bound = true,
                        .timestamp = p->timestamp};
    run_batch(b);
}

/* --- the protocol's message
 * ------------------------------------------------------------------------------------- */

static err_t find_statement(struct cql_call *c, const struct cql_batch_item *item,
                            const struct cql_statement **out)
{
    struct cql *cql = c->session->cql;
    struct cql_statement *made = NULL;
    if (!item->text.at) {
        *out = cql_statement_find(cql, item->id, &c->diag);
        return *out ? ERR_OK : c->diag.err;
    }
    struct slice keyspace =
        c->params.keyspace.at ? c->params.keyspace : slice_of(c->session->keyspace);
    err_t e = cql_statement_new(cql, c->session, item->text, keyspace, &made, &c->diag);
    *out = made;
    return e;
}

static err_t take_item(struct batch *b, const struct cql_batch_item *item)
{
    struct cql_call *c = b->call;
    const struct cql_statement *s = NULL;
    err_t e = find_statement(c, item, &s);
    if (e) return e;
    uint32_t i = b->count++;
    b->statements[i] = s;
    b->plans[i] = s->plan;
    if (item->value_count != s->marker_count)
        return diag_fail(&c->diag, ERR_INVALID,
                         "There were %u markers(?) in CQL but %u bound variables", s->marker_count,
                         item->value_count);
    struct cql_params params = c->params;
    params.values = item->values;
    params.names = item->names;
    params.value_count = item->value_count;
    return call_bound(c, s, &params, &b->bounds[i]);
}

static err_t check_kinds(struct batch *b)
{
    for (uint32_t i = 0; i < b->count; i++) {
        enum cql_kind k = b->statements[i]->kind;
        if (k != CQL_INSERT && k != CQL_UPDATE && k != CQL_DELETE)
            return diag_fail(
                &b->call->diag, ERR_INVALID,
                "Invalid statement in batch: only UPDATE, INSERT and DELETE statements "
                "are allowed.");
    }
    return ERR_OK;
}

static void message_done(struct cql_call *c)
{
    struct batch *b = c->run;
    for (uint32_t i = 0; i < b->count; i++) cql_statement_release(b->statements[i]);
    c->run = NULL;
    c->done = b->done;
    c->done(c);
}

static void run_message(struct cql_call *c)
{
    struct batch *b = arena_take(c->arena, sizeof(*b));
    size_t count = (size_t)c->item_count + 1;
    if (b) {
        *b = (struct batch){.call = c, .kind = c->batch_kind, .done = c->done};
        b->plans = arena_take(c->arena, count * sizeof(const struct write_plan *));
        b->bounds = arena_take(c->arena, count * sizeof(*b->bounds));
        b->statements = arena_take(c->arena, count * sizeof(const struct cql_statement *));
    }
    if (!b || !b->plans || !b->bounds || !b->statements) {
        call_end(c, diag_fail(&c->diag, ERR_NO_MEMORY, "no memory for the batch"));
        return;
    }
    c->run = b;
    c->done = message_done;
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < c->item_count; i++) e = take_item(b, &c->items[i]);
    if (!e) e = check_kinds(b);
    for (uint32_t i = 0; !e && i < b->count; i++) e = write_permit(c, b->plans[i]);
    if (!e) e = check_mixture(b->plans, b->count, b->kind, false, &c->diag);
    if (e)
        call_end(c, e);
    else
        run_batch(b);
}

static void run(struct cql_call *c)
{
    if (c->verb == CALL_BATCH)
        run_message(c);
    else
        run_statement(c);
}

const struct cql_family cql_batch_family = {
    .name = "batch", .prepare = prepare, .permit = permit, .run = run};
