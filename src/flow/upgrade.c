/* upgrade: a stream whose SQL needs other state is built anew beside the old one, into a table of
 * its own, and takes its place when it has caught up (docs/flow.md, "What a change of SQL keeps").
 *
 * What is durable, in order: the note that edition n is being built; its table; its epochs; the
 * swap, which is one write: the tables change places and n is the stream's edition; then the old
 * edition is garbage, cleared in pieces. A start looks at the note alone. */
#include "flow/edition.h"
#include "flow/op.h"
#include "os/file.h"

#include <stdio.h>

enum {
    LOOK_MS = 20,
    NEAR_RECORDS = 2000,       /* behind: it has as good as caught up */
    LAST_STRETCH_MS = 5000,    /* the old one rests so long at most while the new one reads on */
    WATERMARK_WAIT_MS = 15000, /* for windows that the old one has closed already */
    RETRY_MS = 2000,
    GARBAGE_AGE_MS = 60000, /* queries that began before the swap still read the old rows */
    TOLD_STEP = 10,
    SWAP_TRIES = 64, /* a person's change of the table can come between */
    UPGRADE_ARENA = 64 << 10
};

struct upgrade {
    struct stage *old;              /* NULL: what it ran can not be run any more */
    const struct plan_stream *plan; /* as it will run */
    struct plan_stream shadow;      /* as it is built: another name, another table */
    struct sql_relation into;
    uint64_t edition;
    struct store_hold *hold; /* of the table that it will take the place of */
    int64_t retry_ns, near_ns;
    uint32_t told; /* per cent */
};
struct upgrader {
    struct flow *flow;
    struct thread thread;
    struct gate gate; /* guards stop */
    bool stop;
    int64_t garbage_ns; /* when to clear; 0: nothing to clear */
};

void upgrade_free(struct upgrade *u)
{
    if (!u) return;
    store_hold_release(u->hold);
    mem_give(u);
}

static void step(const struct flow *f, enum flow_step s)
{
    if (f->o.step) f->o.step(s);
}

/* --- notes --------------------------------------------------------------------------------------
 */

static err_t shadow_table(const struct plan_stream *p, struct arena *a, struct slice *out,
                          struct diag *d)
{
    char *name = arena_printf(a, "%.*s__new", SLICE_ARG(p->into->name));
    if (!name) return diag_fail(d, ERR_NO_MEMORY, "stream '%.*s'", SLICE_ARG(p->name));
    *out = slice_of(name);
    return ERR_OK;
}

/* The edition that was being built is not wanted any more. */
err_t edition_give_up(struct store *s, struct slice name, struct editions *all, struct diag *d)
{
    struct stage_text key = edition_key(name, all->building);
    struct store_write *w = NULL;
    err_t e = store_write_begin(s, STORE_LIVE, KIB(64), &w, d);
    if (e) return e;
    struct stage_text built = building_name(name);
    e = garbage_write(w, stage_text_slice(&key), all->keyspace, all->table);
    if (!e) e = stage_paused_write(w, stage_text_slice(&built), 0);
    all->building = all->version = all->shape = 0;
    all->keyspace = all->table = (struct slice){0};
    if (!e) e = editions_write(w, name, all);
    if (!e)
        e = store_write_commit(w, d);
    else
        store_write_abort(w);
    if (!e) e = garbage_clear(s, d);
    say_info(SAY_FLOW, "what was built of a stream is not wanted any more", "stream=%.*s",
             SLICE_ARG(name));
    return e;
}

static err_t note(struct store *s, struct slice name, const struct editions *all, struct diag *d)
{
    struct store_write *w = NULL;
    err_t e = store_write_begin(s, STORE_LIVE, KIB(64), &w, d);
    if (e) return e;
    e = editions_write(w, name, all);
    if (!e) return store_write_commit(w, d);
    store_write_abort(w);
    return diag_fail(d, e, "stream '%.*s' can not be built anew", SLICE_ARG(name));
}

/* --- adding -------------------------------------------------------------------------------------
 */

/* Inside the control gate. */
static err_t add_stream(struct flow *f, const struct plan_stream *plan, struct diag *d)
{
    struct arena *a = arena_new(UPGRADE_ARENA);
    struct editions all = {0};
    struct stage *s = NULL;
    err_t e = a ? editions_load(f->o.store, plan->name, a, &all, d)
                : diag_fail(d, ERR_NO_MEMORY, "stream '%.*s'", SLICE_ARG(plan->name));
    if (!e && all.building) e = edition_give_up(f->o.store, plan->name, &all, d);
    struct stage_text key = edition_key(plan->name, all.now);
    if (!e) e = stream_stage(f, plan, plan->name, stage_text_slice(&key), &s, d);
    arena_free(a);
    if (!e) e = stage_joins(f, s, d);
    return e || !f->running ? e : stage_start(s, d);
}

err_t flow_stream_add(struct flow *f, const struct plan_stream *plan, struct diag *d)
{
    gate_enter(&f->control);
    err_t e = add_stream(f, plan, d);
    gate_leave(&f->control);
    return e;
}

/* The note says which edition is being built, and where, before there is anything of it. */
static err_t note_building(struct flow *f, const struct plan_stream *p, struct arena *a,
                           struct editions *all, struct diag *d)
{
    struct slice table;
    err_t e = editions_load(f->o.store, p->name, a, all, d);
    bool same = !e && all->building && all->version == p->sql_version && all->shape == p->shape &&
                slice_equal(all->keyspace, p->into->keyspace);
    if (!e && all->building && !same) e = edition_give_up(f->o.store, p->name, all, d);
    if (!e) e = shadow_table(p, a, &table, d);
    if (e || same) return e;
    if (store_table_find(f->o.store, p->into->keyspace, table)) {
        diag_fail(d, ERR_EXISTS,
                  "stream '%.*s' is to be built anew in table %.*s.%.*s, and somebody has made one",
                  SLICE_ARG(p->name), SLICE_ARG(p->into->keyspace), SLICE_ARG(table));
        return diag_hint(d, "drop it, or give it another name");
    }
    all->building = ++all->last;
    all->version = p->sql_version;
    all->shape = p->shape;
    all->keyspace = p->into->keyspace;
    all->table = table;
    return note(f->o.store, p->name, all, d);
}

static bool options_same(const struct store_table *a, const struct store_table *b)
{
    bool same = a->option_count == b->option_count && a->default_ttl == b->default_ttl &&
                a->gc_grace == b->gc_grace;
    for (uint32_t i = 0; i < a->option_count && same; i++)
        same = slice_equal(a->options[i].name, b->options[i].name) &&
               slice_equal(a->options[i].value, b->options[i].value);
    return same;
}

static void options_follow(const struct store_table *from, struct store_table *to)
{
    to->default_ttl = from->default_ttl;
    to->gc_grace = from->gc_grace;
    to->options = from->options;
    to->option_count = from->option_count;
}

/* What people have set of the table, and those of its indexes that the new one can have too. */
static err_t follow_table(struct store *s, const struct store_table *from,
                          const struct store_table **to, struct arena *a, struct diag *d)
{
    struct store_index *list = arena_take(a, (from->index_count + 1) * sizeof(*list));
    struct store_table wanted = **to;
    if (!list) return diag_fail(d, ERR_NO_MEMORY, "no memory for indexes");
    uint32_t count = 0;
    for (uint32_t i = 0; i < from->index_count; i++) {
        const struct store_column *was = NULL, *now;
        for (uint32_t k = 0; k < from->column_count; k++)
            if (from->columns[k].id == from->indexes[i].column) was = &from->columns[k];
        now = was ? store_column_find(*to, was->name) : NULL;
        if (!now || !type_equal(now->type, was->type)) {
            say_warn(SAY_FLOW, "an index has no column in the table built anew: it will go",
                     "table=%.*s index=%.*s", SLICE_ARG(from->name),
                     SLICE_ARG(from->indexes[i].name));
            continue;
        }
        list[count] = from->indexes[i];
        list[count].column = now->id;
        list[count].prefix = 0;
        for (uint32_t k = 0; k < (*to)->index_count; k++)
            if (slice_equal((*to)->indexes[k].name, list[count].name))
                list[count] = (*to)->indexes[k];
        count++;
    }
    if (count == (*to)->index_count && options_same(from, *to)) return ERR_OK;
    options_follow(from, &wanted);
    wanted.indexes = list;
    wanted.index_count = count;
    return store_table_alter(s, *to, &wanted, to, d);
}

static err_t make_table(struct flow *f, const struct editions *all,
                        const struct store_table *wanted, struct arena *a, struct diag *d)
{
    struct store *s = f->o.store;
    const struct store_table *have = store_table_find(s, wanted->keyspace, wanted->name);
    const struct store_table *made = store_table_find(s, all->keyspace, all->table);
    struct store_table t = *wanted;
    t.name = all->table;
    t.index_count = t.dropped_count = 0;
    t.prefix = 0;
    memset(t.id, 0, sizeof(t.id));
    if (have) options_follow(have, &t);
    err_t e = made ? ERR_OK : store_table_create(s, &t, &made, d);
    return e || !have ? e : follow_table(s, have, &made, a, d);
}

static err_t make_upgrade(struct flow *f, const struct plan_stream *p, const struct editions *all,
                          struct upgrade **out, struct diag *d)
{
    struct upgrade *u = *out = mem_take(sizeof(*u));
    struct stage_text name = building_name(p->name);
    char why[STAGE_NAME_MAX + 100];
    if (!u) return diag_fail(d, ERR_NO_MEMORY, "stream '%.*s'", SLICE_ARG(p->name));
    *u = (struct upgrade){.plan = p, .shadow = *p, .into = *p->into, .edition = all->building};
    u->shadow.name = arena_slice(f->names, stage_text_slice(&name));
    u->into.name = arena_slice(f->names, all->table);
    u->shadow.into = &u->into;
    u->shadow.settings.from_latest = false; /* from the log's beginning, without rests */
    u->shadow.settings.trigger = TRIGGER_AT_ONCE;
    if (!u->shadow.name.at || !u->into.name.at)
        return diag_fail(d, ERR_NO_MEMORY, "stream '%.*s'", SLICE_ARG(p->name));
    snprintf(
        why, sizeof(why),
        "stream %.*s is being built anew, and its table will take this one's place; wait until "
        "then",
        SLICE_ARG(p->name));
    return store_table_hold(f->o.store, p->into->keyspace, p->into->name, HOLD_SHAPE, slice_of(why),
                            &u->hold, d);
}

static err_t check_upgrade(const struct plan_stream *p, struct diag *d)
{
    if (p->sink != SINK_TABLE)
        return diag_fail(d, ERR_UNSUPPORTED,
                         "stream '%.*s' writes into no table: what it has written can not be "
                         "exchanged",
                         SLICE_ARG(p->name));
    if (p->name.len + 4 > STAGE_NAME_MAX)
        return diag_fail(d, ERR_TOO_BIG, "the name of stream '%.*s' is too long to be built anew",
                         SLICE_ARG(p->name));
    return ERR_OK;
}

static err_t add_stages(struct flow *f, const struct plan_stream *was, struct upgrade *u,
                        const struct editions *all, struct diag *d)
{
    struct slice name = u->plan->name;
    struct stage_text now = edition_key(name, all->now), next = edition_key(name, all->building);
    struct stage *old = NULL, *new = NULL;
    err_t e = was ? stream_stage(f, was, name, stage_text_slice(&now), &old, d) : ERR_OK;
    if (!e && old) e = stage_joins(f, old, d);
    if (!e)
        e = stream_stage(f, &u->shadow, old ? u->shadow.name : name, stage_text_slice(&next), &new,
                         d);
    if (e) {
        upgrade_free(u);
        return e;
    }
    u->old = old;
    if (old)
        snprintf(old->note, sizeof(old->note), "it runs its old SQL until %.*s has caught up",
                 (int)MIN(new->name.len, 150u), (const char *)new->name.at);
    new->upgrade = u;
    new->owner = arena_slice(f->names, name);
    new->target = old ? old->into : new->target;
    return new->owner.at ? stage_joins(f, new, d) : ERR_NO_MEMORY;
}

err_t flow_stream_upgrade(struct flow *f, const struct plan_stream *was,
                          const struct plan_stream *plan, const struct store_table *wanted,
                          struct diag *d)
{
    struct editions all = {0};
    struct upgrade *u = NULL;
    struct arena *a = arena_new(MIB(1));
    err_t e = a ? check_upgrade(plan, d)
                : diag_fail(d, ERR_NO_MEMORY, "stream '%.*s'", SLICE_ARG(plan->name));
    if (!e) e = note_building(f, plan, a, &all, d);
    if (!e) step(f, FLOW_STEP_NOTED);
    if (!e) e = make_table(f, &all, wanted, a, d);
    if (!e) step(f, FLOW_STEP_TABLE);
    if (!e) e = make_upgrade(f, plan, &all, &u, d);
    if (e)
        upgrade_free(u);
    else
        e = add_stages(f, was, u, &all, d);
    if (!e)
        say_info(SAY_FLOW, "a stream is built anew beside the old one", "stream=%.*s old=%s",
                 SLICE_ARG(plan->name), was ? "runs on with its old SQL" : "stands still");
    arena_free(a);
    return e;
}

/* --- how far it is ------------------------------------------------------------------------------
 */

static uint64_t stage_lag(const struct stage *s)
{
    uint64_t lag = 0;
    for (uint32_t i = 0; i < s->stream->lane_count; i++) lag += lane_lag(&s->stream->lanes[i]);
    return lag;
}

static double share_built(const struct stage *s)
{
    uint64_t all = 0, lag = stage_lag(s);
    for (uint32_t i = 0; i < s->stream->lane_count; i++) {
        const struct lane *l = &s->stream->lanes[i];
        for (uint32_t k = 0; k < l->partition_count; k++)
            all += (uint64_t)(log_stable_offset(l->partitions[k].log) -
                              log_start_offset(l->partitions[k].log));
    }
    return all > lag ? 100.0 * (double)(all - lag) / (double)all : all ? 0 : 100.0;
}

void upgrade_tell(const struct stage *s, struct flow_status *out)
{
    bool works = !strcmp(out->state, "running") || !strcmp(out->state, "waiting");
    if (works) out->state = "building";
    out->building = true;
    out->built_percent = share_built(s);
    out->left_s =
        out->rows_per_second >= 1 ? (int64_t)((double)out->lag / out->rows_per_second) : -1;
    struct buf b = buf_over(out->note, sizeof(out->note) - 1);
    buf_printf(&b, "%.0f %% built", out->built_percent);
    if (out->left_s >= 0) buf_printf(&b, ", about %lld s left", (long long)out->left_s);
    buf_printf(&b, "; then it takes the place of %.*s", (int)MIN(s->owner.len, 100u),
               (const char *)s->owner.at);
    out->note[b.len] = 0;
}

static void say_progress(const struct stage *s)
{
    uint32_t percent = (uint32_t)share_built(s);
    struct upgrade *u = s->upgrade;
    if (percent < u->told + TOLD_STEP) return;
    u->told = percent / TOLD_STEP * TOLD_STEP;
    say_info(SAY_FLOW, "a stream is being built anew", "stream=%.*s percent=%u records_left=%llu",
             SLICE_ARG(s->owner), percent, (unsigned long long)stage_lag(s));
}

static const struct lane_partition *partition_like(const struct stream *s,
                                                   const struct lane_partition *p)
{
    struct slice topic = p->lane->stream->topics[p->topic].name;
    for (uint32_t i = 0; i < s->lane_count; i++)
        for (uint32_t k = 0; k < s->lanes[i].partition_count; k++) {
            const struct lane_partition *q = &s->lanes[i].partitions[k];
            if (q->index == p->index && slice_equal(s->topics[q->topic].name, topic)) return q;
        }
    return NULL;
}

/* Has it read whatever the old one had? Without one: all there is. */
static bool has_passed(const struct stage *s)
{
    const struct stage *old = s->upgrade->old;
    if (!old) return stage_lag(s) == 0;
    for (uint32_t i = 0; i < old->stream->lane_count; i++)
        for (uint32_t k = 0; k < old->stream->lanes[i].partition_count; k++) {
            const struct lane_partition *p = &old->stream->lanes[i].partitions[k];
            const struct lane_partition *q = partition_like(s->stream, p);
            if (q && atomic_load(&q->kept) < atomic_load(&p->kept)) return false;
        }
    return true;
}

/* Windows that the old one has told must not be missing in the new one, where that can be had. */
static bool time_has_come(struct stage *s, int64_t now_ns)
{
    struct upgrade *u = s->upgrade;
    if (!u->near_ns) u->near_ns = now_ns;
    if (!u->old || !u->plan->stateful) return true;
    gate_enter(&s->flow->gate);
    int64_t was = u->old->stream->lanes[0].watermark, is = s->stream->lanes[0].watermark;
    gate_leave(&s->flow->gate);
    return is >= was || now_ns - u->near_ns > (int64_t)WATERMARK_WAIT_MS * 1000000;
}

static bool upgrader_stops(struct upgrader *g)
{
    gate_enter(&g->gate);
    bool stop = g->stop;
    gate_leave(&g->gate);
    return stop;
}

static err_t failure_of(const struct stage *s)
{
    gate_enter(&s->flow->gate);
    err_t e = s->failure;
    gate_leave(&s->flow->gate);
    return e;
}

/* The old one rests; the new one reads on until it has what the old one has. */
static bool last_stretch(struct upgrader *g, struct stage *s)
{
    int64_t end = clock_mono_ns() + (int64_t)LAST_STRETCH_MS * 1000000;
    while (!has_passed(s) && !failure_of(s) && !upgrader_stops(g) && clock_mono_ns() < end) {
        gate_enter(&g->gate);
        if (!g->stop) (void)gate_wait_ms(&g->gate, 1);
        gate_leave(&g->gate);
    }
    return has_passed(s) && !failure_of(s);
}

/* --- the swap -----------------------------------------------------------------------------------
 */

/* Others that write into the table would lose their rows. */
static err_t check_alone(const struct flow *f, const struct stage *s, struct diag *d)
{
    const struct upgrade *u = s->upgrade;
    const struct sql_relation *into = u->plan->into;
    for (uint32_t i = 0; i < f->stage_count; i++) {
        const struct stage *o = f->stages[i];
        const struct sql_relation *t =
            o->stream && stage_lives(o) && o->stream->plan->sink == SINK_TABLE
                ? o->stream->plan->into
                : NULL;
        if (!t || o == s || o == u->old || !slice_equal(t->name, into->name) ||
            !slice_equal(t->keyspace, into->keyspace))
            continue;
        return diag_fail(d, ERR_IN_USE,
                         "stream '%.*s' writes into %.*s.%.*s too: it can not be exchanged",
                         SLICE_ARG(o->name), SLICE_ARG(t->keyspace), SLICE_ARG(t->name));
    }
    return ERR_OK;
}

static err_t write_swap(struct flow *f, const struct upgrade *u, const struct store_table *have,
                        const struct store_table *made, struct diag *d)
{
    struct slice name = u->plan->name;
    struct editions all = {0};
    struct buf b[4] = {buf_make(KIB(4)), buf_make(KIB(4)), buf_make(KIB(4)), buf_make(KIB(4))};
    struct arena *a = arena_new(UPGRADE_ARENA);
    err_t e = a ? editions_load(f->o.store, name, a, &all, d)
                : diag_fail(d, ERR_NO_MEMORY, "stream '%.*s'", SLICE_ARG(name));
    struct stage_text old = edition_key(name, all.now);
    struct slice keyspace = all.keyspace, table = all.table;
    if (!e && all.building != u->edition) e = diag_fail(d, ERR_CORRUPT, "an edition is gone");
    garbage_record(stage_text_slice(&old), keyspace, table, &b[0], &b[1]);
    all = (struct editions){.now = u->edition, .last = all.last};
    editions_record(name, &all, &b[2], &b[3]);
    for (size_t i = 0; !e && i < COUNT_OF(b); i++) e = b[i].err;
    struct store_put puts[] = {{STORE_META, buf_view(&b[0]), buf_view(&b[1])},
                               {STORE_META, buf_view(&b[2]), buf_view(&b[3])}};
    if (!e) e = store_table_exchange(f->o.store, have, made, puts, COUNT_OF(puts), d);
    for (size_t i = 0; i < COUNT_OF(b); i++) buf_done(&b[i]);
    arena_free(a);
    return e;
}

/* Nobody looks at it from now on; what it has in memory goes. Inside the flow's gate. */
static void retire(struct stage *s)
{
    if (!s) return;
    atomic_store(&s->retired, true);
    for (uint32_t i = 0; i < s->stream->lane_count; i++) {
        graph_free(s->stream->lanes[i].graph);
        s->stream->lanes[i].graph = NULL;
    }
    s->flow->lane_count -= s->stream->lane_count;
    store_hold_release(s->stream->hold);
    s->stream->hold = NULL;
    if (!s->upgrade) return;
    store_hold_release(s->upgrade->hold);
    s->upgrade->hold = NULL;
}

/* What the old table got meanwhile. */
static err_t follow(struct flow *f, const struct upgrade *u, const struct store_table **old,
                    const struct store_table **new, struct diag *d)
{
    const struct sql_relation *into = u->plan->into;
    const struct store_table *have = store_table_find(f->o.store, into->keyspace, into->name),
                             *made = store_table_find(f->o.store, into->keyspace, u->into.name);
    struct arena *a = arena_new(MIB(1));
    err_t e = !a               ? diag_fail(d, ERR_NO_MEMORY, "no memory for indexes")
              : !have || !made ? diag_fail(d, ERR_UNKNOWN_TABLE, "table %.*s.%.*s is gone",
                                           SLICE_ARG(into->keyspace),
                                           SLICE_ARG(have ? u->into.name : into->name))
                               : follow_table(f->o.store, have, &made, a, d);
    arena_free(a);
    *old = have;
    *new = made;
    return e;
}

/* What a person sets between the look and the write is not lost: it is followed first. */
static err_t follow_and_write(struct flow *f, const struct upgrade *u, struct diag *d)
{
    const struct store_table *have, *made;
    err_t e = ERR_BUSY;
    for (int i = 0; i < SWAP_TRIES && e == ERR_BUSY; i++) {
        e = follow(f, u, &have, &made, d);
        if (e) continue;
        step(f, FLOW_STEP_FOLLOWED);
        e = write_swap(f, u, have, made, d);
    }
    return e;
}

/* Both rest. The new stage is made before the write, so that nothing can fail after it. */
static err_t swap(struct flow *f, struct stage *s, struct stage **made, struct diag *d)
{
    struct upgrade *u = s->upgrade;
    err_t e = check_alone(f, s, d);
    if (!e) e = stream_stage(f, u->plan, u->plan->name, s->key, made, d);
    if (!e && f->stage_count == STAGES_MAX)
        e = diag_fail(d, ERR_TOO_BIG, "more than %d sources and streams", STAGES_MAX);
    if (!e) e = follow_and_write(f, u, d);
    if (e) {
        stage_free(*made);
        *made = NULL;
        return e;
    }
    gate_enter(&f->gate);
    const struct stage *was = u->old ? u->old : s; /* of the same name: the same record */
    (*made)->paused = was->paused;
    (*made)->paused_ms = was->paused_ms;
    retire(u->old);
    retire(s);
    uint32_t count = f->stage_count;
    f->stages[count] = *made;
    f->stage_count = count + 1;
    gate_wake(&f->gate);
    gate_leave(&f->gate);
    return ERR_OK;
}

/* A stream that looks the table up may have been bound to columns that it has only now. */
static void start_lookers(struct flow *f)
{
    for (uint32_t i = 0; i < f->stage_count; i++) {
        struct stage *s = f->stages[i];
        struct diag d = {0};
        err_t failure = failure_of(s);
        bool columns = failure == ERR_UNKNOWN_COLUMN || failure == ERR_TYPE;
        if (!stage_lives(s) || !s->started || !columns) continue;
        stage_ask_to_stop(s);
        stage_join(s);
        if (stage_start(s, &d)) say_diag(SAY_FLOW, SAY_WARN, "a stream can not be started", &d);
    }
}

static err_t start_again(struct stage *s, bool ran, err_t before, struct diag *d)
{
    struct diag later = {0};
    return s && ran ? stage_start(s, before ? &later : d) : ERR_OK;
}

/* Inside the control gate. */
static err_t try_swap(struct upgrader *g, struct stage *s, struct diag *d)
{
    struct flow *f = g->flow;
    struct upgrade *u = s->upgrade;
    struct stage *old = u->old, *made = NULL;
    bool old_ran = old && old->started, ran = stage_runs(s);
    int64_t began = clock_mono_ns();
    if (!ran) return ERR_OK; /* somebody has paused it */
    const struct store_table *have, *new;
    err_t e = follow(f, u, &have, &new, d); /* the old one need not rest while they are filled */
    u->retry_ns = began + (int64_t)RETRY_MS * 1000000;
    if (e) return e;
    if (old_ran) {
        stage_ask_to_stop(old);
        stage_join(old);
    }
    step(f, FLOW_STEP_NEAR);
    bool passed = last_stretch(g, s);
    if (passed) {
        step(f, FLOW_STEP_PASSED);
        stage_ask_to_stop(s);
        stage_join(s);
    }
    if (passed) e = swap(f, s, &made, d);
    if (made) {
        step(f, FLOW_STEP_SWAPPED);
        e = stage_start(made, d);
        start_lookers(f);
        say_info(SAY_FLOW, "a stream built anew has taken the old one's place",
                 "stream=%.*s swap_ms=%.1f", SLICE_ARG(made->name),
                 (double)(clock_mono_ns() - began) / 1e6);
        step(f, FLOW_STEP_STARTED);
        g->garbage_ns = clock_mono_ns() + (int64_t)GARBAGE_AGE_MS * 1000000;
        return e;
    }
    err_t again = start_again(old, old_ran, e, d);
    if (!again && passed) again = start_again(s, ran, e, d);
    u->retry_ns = clock_mono_ns() + (int64_t)RETRY_MS * 1000000;
    return e ? e : again;
}

static void look(struct upgrader *g, struct stage *s)
{
    struct upgrade *u = s->upgrade;
    struct diag d = {0};
    int64_t now = clock_mono_ns();
    say_progress(s);
    if (now < u->retry_ns || failure_of(s)) return;
    if (stage_lag(s) > NEAR_RECORDS || !time_has_come(s, now)) return;
    gate_enter(&g->flow->control);
    err_t e = upgrader_stops(g) ? ERR_OK : try_swap(g, s, &d);
    gate_leave(&g->flow->control);
    if (!e) return;
    gate_enter(&g->flow->gate);
    snprintf(s->trouble, sizeof(s->trouble), "%.400s", d.what[0] ? d.what : err_text(e));
    gate_leave(&g->flow->gate);
    say_diag(SAY_FLOW, SAY_WARN, "a stream built anew can not take the old one's place yet", &d);
}

static void clear_garbage(struct upgrader *g)
{
    struct diag d = {0};
    if (!g->garbage_ns || clock_mono_ns() < g->garbage_ns) return;
    g->garbage_ns = 0;
    if (garbage_clear(g->flow->o.store, &d)) {
        say_diag(SAY_FLOW, SAY_WARN, "an old edition is not cleared yet; it is tried again", &d);
        g->garbage_ns = clock_mono_ns() + (int64_t)GARBAGE_AGE_MS * 1000000;
    }
}

static bool being_built(const struct stage *s)
{
    return s->upgrade && stage_lives(s);
}

static void upgrader_run(void *arg)
{
    struct upgrader *g = arg;
    struct flow *f = g->flow;
    for (bool any = true; any && !upgrader_stops(g);) {
        uint32_t count = f->stage_count; /* without those that a swap adds */
        any = false;
        for (uint32_t i = 0; i < count && !upgrader_stops(g); i++)
            if (being_built(f->stages[i])) {
                any = true;
                look(g, f->stages[i]);
            }
        clear_garbage(g);
        any = any || g->garbage_ns;
        gate_enter(&g->gate);
        if (any && !g->stop) (void)gate_wait_ms(&g->gate, LOOK_MS);
        gate_leave(&g->gate);
    }
}

err_t upgrader_start(struct flow *f, struct diag *d)
{
    bool any = false;
    for (uint32_t i = 0; i < f->stage_count; i++) any = any || being_built(f->stages[i]);
    if (!any || f->upgrader) return ERR_OK;
    struct upgrader *g = f->upgrader = mem_take(sizeof(*g));
    if (!g) return diag_fail(d, ERR_NO_MEMORY, "no memory to build streams anew");
    *g = (struct upgrader){.flow = f};
    gate_init(&g->gate);
    return thread_start(&g->thread, "upgrade", upgrader_run, g, d);
}

void upgrader_stop(struct flow *f)
{
    struct upgrader *g = f->upgrader;
    if (!g) return;
    gate_enter(&g->gate);
    g->stop = true;
    gate_wake(&g->gate);
    gate_leave(&g->gate);
    thread_join(&g->thread);
    gate_done(&g->gate);
    mem_give(g);
    f->upgrader = NULL;
}

err_t flow_tidy(struct store *s, struct diag *d)
{
    err_t e = garbage_clear(s, d);
    return e ? e : scripts_clear(s, d);
}
