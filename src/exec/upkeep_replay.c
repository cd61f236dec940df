/* `sluice replay`: the records that are still there, through a stream's SQL or a changed one, into
 * a shadow table; and how its rows differ from the stream's own. The shadow is filled by a flow of
 * its own over the same log and store, so that it is what the stream would have made. */
#include "exec/upkeep_int.h"

#include "os/clock.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

enum {
    REPLAY_ARENA = 64 << 20,
    REPLAY_MEMORY = 128 << 20,
    DRAIN_MS = 500,
    BATCH = 1024,
    NAME_ROOM = 320,
    SHOWN_MAX = 1000
};

struct replaying {
    struct upkeep *u;
    struct diag *d;
    bool json, keep;
    const struct plan_stream *now; /* the running stream's */
    uint32_t number;               /* its, in lineage */
    struct plan_stream plan;       /* the shadow's */
    struct sql_relation into;
    char table_room[NAME_ROOM], stage_room[NAME_ROOM];
    struct slice table, stage; /* the shadow's */
    const struct store_table *real, *shadow;
    struct arena *arena, *batch, *row;
    struct buf out;
    struct ledger ledger;
    int64_t *from, *to;  /* the span: offsets, one a partition, by topics; NULL: all there is */
    uint32_t partitions; /* of all topics */
    uint64_t same, added, removed, changed, left, shown;
};

static const char shadow_comment[] = "a shadow of sluice replay";

/* --- the plan -----------------------------------------------------------------------------------
 */

static err_t check_plan(struct replaying *r, const struct plan_stream *p)
{
    if (p->sink != SINK_TABLE)
        return diag_fail(r->d, ERR_UNSUPPORTED,
                         "stream '%s' writes no table: there are no rows to "
                         "compare",
                         r->u->table);
    bool same = slice_equal(p->into->keyspace, r->now->into->keyspace) &&
                slice_equal(p->into->name, r->now->into->name);
    if (!same)
        return diag_fail(r->d, ERR_USAGE,
                         "the SQL writes into %.*s.%.*s, the stream into %.*s.%.*s",
                         SLICE_ARG(p->into->keyspace), SLICE_ARG(p->into->name),
                         SLICE_ARG(r->now->into->keyspace), SLICE_ARG(r->now->into->name));
    return ERR_OK;
}

/* The changed SQL is the body: one CREATE STREAM of the same name. */
static err_t bind_changed(struct replaying *r)
{
    struct catalog_view view = {r->u->world->catalog, {0}};
    struct sql_catalog port = catalog_port(&view);
    struct script script;
    err_t e = sql_parse(r->u->body, "replay.sql", DIALECT_SLUICE, r->arena, &script, r->d);
    if (e) return e;
    for (uint32_t i = 0; i < script.count; i++) {
        const struct statement *s = &script.statements[i];
        if (s->kind != STATEMENT_CREATE_STREAM || !slice_is(s->name.name, r->u->table)) continue;
        return sql_bind_stream(s, &port, "replay.sql", r->arena, &r->plan, r->d);
    }
    (void)diag_fail(r->d, ERR_UNKNOWN_STREAM, "the SQL has no CREATE STREAM %s", r->u->table);
    return diag_hint(r->d, "the whole pipeline.sql is fine, changed");
}

static err_t make_plan(struct replaying *r)
{
    err_t e = flow_plan(r->u->world->flow, slice_of(r->u->table), &r->now, &r->number, r->d);
    if (e) return e;
    r->plan = *r->now;
    if (r->u->body.len) e = bind_changed(r);
    if (!e) e = check_plan(r, r->now);
    if (!e) e = check_plan(r, &r->plan);
    if (e) return e;
    struct buf table = buf_over(r->table_room, sizeof(r->table_room));
    struct buf stage = buf_over(r->stage_room, sizeof(r->stage_room));
    buf_printf(&table, "replay_%.*s", SLICE_ARG(r->now->into->name));
    buf_printf(&stage, "replay:%s", r->u->table);
    if (stage.len > 255) return diag_fail(r->d, ERR_TOO_BIG, "the stream's name is too long");
    r->table = buf_view(&table);
    r->stage = buf_view(&stage);
    r->into = *r->plan.into;
    r->into.name = r->table;
    r->plan.into = &r->into;
    r->plan.name = r->stage;
    r->plan.settings.trigger = TRIGGER_AVAILABLE_NOW;
    r->plan.settings.from_latest = false;
    return ERR_OK;
}

/* --- the span -----------------------------------------------------------------------------------
 */

/* An offset, or a time: the first record that is not before it. */
static err_t place_in(struct replaying *r, struct log_partition *p, const char *text, int64_t *out)
{
    struct value v;
    uint64_t offset;
    int64_t ms = 0;
    if (slice_to_u64(slice_of(text), &offset) && offset <= INT64_MAX) {
        *out = (int64_t)offset;
        return ERR_OK;
    }
    err_t e = value_from_text(type_of(TYPE_TIMESTAMP), slice_of(text), r->arena, &v, r->d);
    if (!e) e = log_record_at(p, v.integer, out, &ms, r->d);
    if (!e && *out < 0) *out = log_end_offset(p);
    return e;
}

static err_t take_places(struct replaying *r, const char *from, const char *to)
{
    bool has_from = strcmp(from, "-") != 0, has_to = strcmp(to, "-") != 0;
    uint32_t at = 0;
    err_t e = ERR_OK;
    for (uint32_t t = 0; !e && t < r->plan.topic_count; t++) {
        struct log_topic *topic =
            log_topic_find(r->u->world->log, r->plan.topics[t]->topic.relation->name);
        int32_t count = topic ? log_topic_partitions(topic) : 0;
        for (int32_t i = 0; !e && i < count && at < r->partitions; i++, at++) {
            struct log_partition *p = log_partition(topic, i);
            r->to[at] = INT64_MAX;
            if (has_from) e = place_in(r, p, from, &r->from[at]);
            if (!e && has_to) e = place_in(r, p, to, &r->to[at]);
        }
    }
    return e;
}

/* `name`: "keep" or "", then FROM and TO, each behind a space; "-": not given. */
static err_t take_span(struct replaying *r)
{
    char from[64] = "-", to[64] = "-", keep[8] = "";
    uint64_t offset;
    if (sscanf(r->u->name, "%7s %63s %63s", keep, from, to) < 1) return ERR_OK;
    if (!strcmp(from, "-") && !strcmp(to, "-")) return ERR_OK;
    bool offsets = slice_to_u64(slice_of(from), &offset) || slice_to_u64(slice_of(to), &offset);
    if (r->plan.topic_count > 1 && offsets) {
        (void)diag_fail(r->d, ERR_USAGE, "the stream reads %u topics: which one's offset?",
                        r->plan.topic_count);
        return diag_hint(r->d, "a time is a place in all of them: --from 2026-11-21T08:00:00Z");
    }
    for (uint32_t t = 0; t < r->plan.topic_count; t++) {
        struct log_topic *topic =
            log_topic_find(r->u->world->log, r->plan.topics[t]->topic.relation->name);
        r->partitions += topic ? (uint32_t)log_topic_partitions(topic) : 0;
    }
    r->from = arena_take(r->arena, (r->partitions + 1) * sizeof(*r->from));
    r->to = arena_take(r->arena, (r->partitions + 1) * sizeof(*r->to));
    if (!r->from || !r->to) return diag_fail(r->d, ERR_NO_MEMORY, "no memory for a span");
    return take_places(r, from, to);
}

/* A plan with state does not know what came before the first record that it reads. */
static err_t say_beginning(struct replaying *r)
{
    uint32_t at = 0;
    err_t e = ERR_OK;
    for (uint32_t t = 0; !e && r->plan.stateful && t < r->plan.topic_count; t++) {
        struct slice name = r->plan.topics[t]->topic.relation->name;
        struct log_topic *topic = log_topic_find(r->u->world->log, name);
        int32_t count = topic ? log_topic_partitions(topic) : 0;
        for (int32_t i = 0; !e && i < count; i++, at++) {
            int64_t start = log_start_offset(log_partition(topic, i));
            int64_t first = r->from && at < r->partitions ? MAX(start, r->from[at]) : start;
            if (first <= 0) continue;
            const char *format =
                r->json ? "{\"stateBeginsEmpty\": \"%.*s/%d\", \"offset\": %" PRId64 "}\n"
                        : "state begins empty at %.*s/%d offset %" PRId64
                          ": rows that records before it had a part in may show as changed\n";
            buf_printf(&r->out, format, SLICE_ARG(name), i, first);
            e = upkeep_put(r->u, &r->out);
        }
    }
    return e;
}

/* --- the shadow ---------------------------------------------------------------------------------
 */

static bool is_shadow(const struct store_table *t)
{
    for (uint32_t i = 0; i < t->option_count; i++)
        if (slice_is(t->options[i].name, "comment") &&
            slice_is(t->options[i].value, shadow_comment))
            return true;
    return false;
}

static err_t drop_shadow(struct replaying *r)
{
    const struct store_table *old =
        store_table_find(r->u->world->store, r->into.keyspace, r->table);
    err_t e = ERR_OK;
    if (old && !is_shadow(old))
        return diag_fail(r->d, ERR_EXISTS, "table %.*s.%.*s is yours, and in the shadow's place",
                         SLICE_ARG(r->into.keyspace), SLICE_ARG(r->table));
    if (old) e = store_table_drop(r->u->world->store, r->into.keyspace, r->table, r->d);
    return e ? e : stream_reset(r->u->world->store, r->stage, r->d);
}

static err_t make_shadow(struct replaying *r)
{
    struct store *s = r->u->world->store;
    struct store_option comment = {SLICE("comment"), slice_of(shadow_comment)};
    r->real = store_table_find(s, r->into.keyspace, r->now->into->name);
    if (!r->real) return diag_fail(r->d, ERR_UNKNOWN_TABLE, "the stream's table is no more");
    err_t e = drop_shadow(r);
    if (e) return e;
    struct store_table wanted = *r->real;
    wanted.name = r->table;
    wanted.options = &comment;
    wanted.option_count = 1;
    wanted.indexes = NULL;
    wanted.index_count = 0;
    wanted.dropped = NULL;
    wanted.dropped_count = 0;
    return store_table_create(s, &wanted, &r->shadow, r->d);
}

static err_t see_end(void *ctx, const struct flow_status *s)
{
    struct replaying *r = ctx;
    r->ledger = s->ledger;
    if (strcmp(s->state, "failed") != 0) return ERR_OK;
    return diag_fail(r->d, ERR_INVALID, "the replay has failed: %s", s->trouble);
}

/* Until the shadow has all that was there at the start. */
static err_t drain(struct replaying *r, struct flow *f)
{
    for (;;) {
        struct diag later = {.err = ERR_OK};
        if (upkeep_stopping(r->u)) return diag_fail(r->d, ERR_STOPPED, "it was ended");
        err_t e = flow_drain(f, DRAIN_MS, &later);
        if (e && e != ERR_TIMEOUT) *r->d = later;
        if (e != ERR_TIMEOUT) return e;
    }
}

static err_t fill_shadow(struct replaying *r)
{
    char dir[sizeof(r->u->data) + 16];
    struct flow *f = NULL;
    struct buf path = buf_over(dir, sizeof(dir));
    buf_printf(&path, "%s/flow%c", r->u->data, 0);
    struct flow_options o = {.log = r->u->world->log,
                             .store = r->u->world->store,
                             .dir = dir,
                             .lanes_max = 1,
                             .memory_max = REPLAY_MEMORY,
                             .read_from = r->from,
                             .read_to = r->to,
                             .read_count = r->partitions};
    err_t e = path.err ? path.err : flow_open(&o, &f, r->d);
    if (!e) e = flow_stream_add(f, &r->plan, r->d);
    if (!e) e = flow_start(f, r->d);
    if (!e) e = drain(r, f);
    if (f) flow_stop(f);
    if (!e) e = flow_each(f, see_end, r);
    if (f) flow_close(f);
    return e;
}

/* --- the difference -----------------------------------------------------------------------------
 */

static void put_cell(struct replaying *r, const struct column *c, uint32_t row)
{
    struct value v = {.state = NULL_VALUE};
    column_get(c, row, &v);
    if (v.state != VALID_VALUE)
        buf_text(&r->out, "null");
    else if (r->json)
        value_to_json(&v, &r->out);
    else
        value_to_text(&v, &r->out);
}

static bool cells_equal(const struct column *a, uint32_t row, const struct column *b)
{
    struct value x = {.state = NULL_VALUE}, y = {.state = NULL_VALUE};
    column_get(a, row, &x);
    column_get(b, 0, &y);
    if (x.state != VALID_VALUE || y.state != VALID_VALUE) return x.state == y.state;
    return value_compare(&x, &y) == 0;
}

struct compared { /* the columns that the stream writes: the table's key first */
    uint16_t *ids[2];
    struct slice *names;
    uint32_t count, key_count;
};

static err_t choose_columns(struct replaying *r, struct compared *c)
{
    uint32_t most = r->real->column_count + 1;
    c->ids[0] = arena_take(r->arena, most * sizeof(uint16_t));
    c->ids[1] = arena_take(r->arena, most * sizeof(uint16_t));
    c->names = arena_take(r->arena, most * sizeof(*c->names));
    if (!c->ids[0] || !c->ids[1] || !c->names)
        return diag_fail(r->d, ERR_NO_MEMORY, "no memory to compare rows");
    for (uint32_t i = 0; i < r->real->column_count; i++) {
        const struct store_column *real = &r->real->columns[i];
        const struct store_column *shadow = store_column_find(r->shadow, real->name);
        bool key = real->role == COLUMN_PARTITION || real->role == COLUMN_CLUSTERING, written = key;
        for (uint32_t k = 0; k < r->plan.root->column_count; k++)
            written |= slice_equal(r->plan.root->columns[k].name, real->name);
        for (uint32_t k = 0; k < r->now->root->column_count; k++)
            written |= slice_equal(r->now->root->columns[k].name, real->name);
        if (!written || !shadow) continue;
        c->ids[0][c->count] = shadow->id;
        c->ids[1][c->count] = real->id;
        c->names[c->count++] = real->name;
        c->key_count += key;
    }
    return ERR_OK;
}

static void put_name(struct replaying *r, struct slice name)
{
    if (r->json)
        json_put_text(&r->out, name);
    else
        buf_slice(&r->out, name);
    buf_text(&r->out, r->json ? ": " : " = ");
}

static void put_columns(struct replaying *r, const struct compared *c, uint32_t from, uint32_t to,
                        const struct column_batch *b, uint32_t row)
{
    for (uint32_t i = from; i < to; i++) {
        if (i > from) buf_text(&r->out, ", ");
        put_name(r, c->names[i]);
        put_cell(r, &b->columns[i], row);
    }
}

/* "added" and "removed" show the whole row. */
static err_t put_row(struct replaying *r, const struct compared *c, const char *what,
                     const struct column_batch *b, uint32_t row)
{
    if (r->shown++ >= SHOWN_MAX) return ERR_OK;
    buf_printf(&r->out, r->json ? "{\"row\": \"%s\", \"columns\": {" : "%-8s ", what);
    put_columns(r, c, 0, c->count, b, row);
    buf_text(&r->out, r->json ? "}}\n" : "\n");
    return upkeep_put(r->u, &r->out);
}

static err_t put_change(struct replaying *r, const struct compared *c,
                        const struct column_batch *shadow, uint32_t row,
                        const struct column_batch *real)
{
    bool first = true;
    if (r->shown++ >= SHOWN_MAX) return ERR_OK;
    buf_text(&r->out, r->json ? "{\"row\": \"changed\", \"key\": {" : "changed  ");
    put_columns(r, c, 0, c->key_count, shadow, row);
    buf_text(&r->out, r->json ? "}, \"columns\": {" : ":  ");
    for (uint32_t i = c->key_count; i < c->count; i++) {
        if (cells_equal(&shadow->columns[i], row, &real->columns[i])) continue;
        if (!first) buf_text(&r->out, ", ");
        first = false;
        put_name(r, c->names[i]);
        if (r->json) buf_text(&r->out, "{\"before\": ");
        put_cell(r, &real->columns[i], 0);
        buf_text(&r->out, r->json ? ", \"after\": " : " -> ");
        put_cell(r, &shadow->columns[i], row);
        if (r->json) buf_char(&r->out, '}');
    }
    buf_text(&r->out, r->json ? "}}\n" : "\n");
    return upkeep_put(r->u, &r->out);
}

/* The row of the other table with the key of `row`; found->rows 0: none. */
static err_t find_row(struct replaying *r, const struct compared *c, int side,
                      const struct column_batch *of, uint32_t row, struct column_batch *found,
                      struct store_lineage *by)
{
    const struct store_table *tables[] = {r->shadow, r->real};
    struct value key[64];
    struct store_scan *scan = NULL;
    if (c->key_count > COUNT_OF(key)) return diag_fail(r->d, ERR_TOO_BIG, "the table's key");
    for (uint32_t i = 0; i < c->key_count; i++) column_get(&of->columns[i], row, &key[i]);
    struct store_scan_options o = {.table = tables[side],
                                   .column_ids = c->ids[side],
                                   .column_count = c->count,
                                   .key = key,
                                   .key_count = c->key_count,
                                   .now_ms = clock_wall_ms(),
                                   .with_lineage = true};
    arena_reset(r->row);
    *found = (struct column_batch){.arena = r->row};
    err_t e = store_scan_open(r->u->world->store, NULL, &o, &scan, r->d);
    if (!e) e = store_scan_next(scan, 1, found, by, r->d);
    store_scan_close(scan);
    return e;
}

/* Rows that this stream did not make of records it could read again are no difference. A row of
 * several records has its epoch alone. */
static err_t comparable(const struct replaying *r, const struct store_lineage *l, bool *is)
{
    const struct sql_relation *topic = r->now->topics[0]->topic.relation;
    *is = l->stream == r->number && l->epoch;
    if (!*is) return ERR_OK;
    if (l->offset < 0 || r->now->topic_count != 1 || r->now->stateful)
        return r->from ? flow_epoch_within(r->u->world->flow, slice_of(r->u->table), l->epoch,
                                           r->from, r->to, is, r->d)
                       : ERR_OK;
    struct log_topic *t = log_topic_find(r->u->world->log, topic->name);
    struct log_partition *p = t ? log_partition(t, (int32_t)l->partition) : NULL;
    *is = p && l->offset >= log_start_offset(p);
    if (r->from && p && l->partition < r->partitions &&
        (l->offset < r->from[l->partition] || l->offset >= r->to[l->partition]))
        *is = false;
    return ERR_OK;
}

static err_t compare_new(struct replaying *r, const struct compared *c,
                         const struct column_batch *b, uint32_t row)
{
    struct column_batch real;
    struct store_lineage by = {0};
    bool same = true;
    err_t e = find_row(r, c, 1, b, row, &real, &by);
    if (e) return e;
    if (!real.rows) {
        r->added++;
        return put_row(r, c, "added", b, row);
    }
    for (uint32_t i = c->key_count; i < c->count; i++)
        same &= cells_equal(&b->columns[i], row, &real.columns[i]);
    bool is = true;
    if (!same && r->from) e = comparable(r, &by, &is); /* a record outside the span was later */
    if (e || !is) {
        r->left++;
        return e;
    }
    r->same += same;
    r->changed += !same;
    return same ? ERR_OK : put_change(r, c, b, row, &real);
}

static err_t compare_old(struct replaying *r, const struct compared *c,
                         const struct column_batch *b, uint32_t row, const struct store_lineage *l)
{
    struct column_batch shadow;
    struct store_lineage by;
    bool is = false;
    err_t e = find_row(r, c, 0, b, row, &shadow, &by);
    if (e || shadow.rows) return e;
    e = comparable(r, l, &is);
    if (e || !is) {
        r->left++;
        return e;
    }
    r->removed++;
    return put_row(r, c, "removed", b, row);
}

static err_t walk(struct replaying *r, const struct compared *c, int side,
                  const struct store_snapshot *at)
{
    const struct store_table *tables[] = {r->shadow, r->real};
    struct store_lineage *lineage = arena_take(r->arena, BATCH * sizeof(*lineage));
    struct store_scan *scan = NULL;
    struct store_scan_options o = {.table = tables[side],
                                   .column_ids = c->ids[side],
                                   .column_count = c->count,
                                   .now_ms = clock_wall_ms(),
                                   .with_lineage = true};
    err_t e = lineage ? store_scan_open(r->u->world->store, at, &o, &scan, r->d)
                      : diag_fail(r->d, ERR_NO_MEMORY, "no memory to compare rows");
    for (bool more = true; !e && more;) {
        struct column_batch b = {.arena = r->batch};
        arena_reset(r->batch);
        if (upkeep_stopping(r->u)) e = diag_fail(r->d, ERR_STOPPED, "it was ended");
        if (!e) e = store_scan_next(scan, BATCH, &b, lineage, r->d);
        more = !e && b.rows;
        for (uint32_t i = 0; !e && i < b.rows; i++)
            e = side ? compare_old(r, c, &b, i, &lineage[i]) : compare_new(r, c, &b, i);
    }
    store_scan_close(scan);
    return e;
}

/* The table as it was when the shadow began, so that rows made since are no difference. */
static err_t put_difference(struct replaying *r, const struct store_snapshot *before)
{
    struct compared c = {0};
    err_t e = choose_columns(r, &c);
    if (!e) e = walk(r, &c, 0, NULL);
    if (!e) e = walk(r, &c, 1, before);
    if (e) return e;
    const char *format =
        r->json ? "{\"records\": %" PRIu64 ", \"same\": %" PRIu64 ", \"added\": %" PRIu64
                  ", \"removed\": %" PRIu64 ", \"changed\": %" PRIu64
                  ", \"notComparable\": %" PRIu64 ", \"dead\": %" PRIu64 "}\n"
                : "%" PRIu64 " records replayed: %" PRIu64 " rows the same, %" PRIu64
                  " added, %" PRIu64 " removed, %" PRIu64 " changed; %" PRIu64
                  " not comparable (others wrote them, or their records are gone); %" PRIu64
                  " dead\n";
    if (r->shown > SHOWN_MAX && !r->json)
        buf_printf(&r->out, "… and %" PRIu64 " more\n", r->shown - SHOWN_MAX);
    buf_printf(&r->out, format, r->ledger.in, r->same, r->added, r->removed, r->changed, r->left,
               r->ledger.dead);
    return upkeep_put(r->u, &r->out);
}

static err_t run(struct replaying *r)
{
    struct diag last = {.err = ERR_OK};
    struct store_snapshot *before = NULL;
    err_t e = make_plan(r);
    if (!e) e = take_span(r);
    if (!e) e = say_beginning(r);
    if (e) return e;
    e = make_shadow(r);
    if (e) return e;
    before = store_snapshot(r->u->world->store);
    e = before ? fill_shadow(r) : diag_fail(r->d, ERR_NO_MEMORY, "no memory for a snapshot");
    if (!e) e = put_difference(r, before);
    store_snapshot_free(before);
    if (!e && r->keep) {
        e = stream_reset(r->u->world->store, r->stage, r->d);
        buf_printf(&r->out, r->json ? "{\"kept\": \"%.*s.%.*s\"}\n" : "kept: %.*s.%.*s\n",
                   SLICE_ARG(r->into.keyspace), SLICE_ARG(r->table));
        return e ? e : upkeep_put(r->u, &r->out);
    }
    struct diag *told = r->d;
    if (e) r->d = &last;
    err_t gone = drop_shadow(r);
    r->d = told;
    return e ? e : gone;
}

err_t upkeep_replay(struct upkeep *u, struct diag *d)
{
    static atomic_flag busy = ATOMIC_FLAG_INIT;
    struct replaying r = {.u = u, .d = d};
    r.json = strcmp(u->format, "json") == 0;
    r.keep = strncmp(u->name, "keep", 4) == 0;
    if (!u->world->flow) return diag_fail(d, ERR_UNSUPPORTED, "a server that runs replays streams");
    if (atomic_flag_test_and_set(&busy))
        return diag_fail(d, ERR_BUSY, "another replay runs just now");
    r.arena = arena_new(REPLAY_ARENA);
    r.batch = arena_new(REPLAY_ARENA);
    r.row = arena_new(REPLAY_ARENA);
    r.out = buf_make(UPKEEP_TEXT_MAX);
    err_t e = r.arena && r.batch && r.row ? run(&r)
                                          : diag_fail(d, ERR_NO_MEMORY, "no memory for a replay");
    buf_done(&r.out);
    arena_free(r.row);
    arena_free(r.batch);
    arena_free(r.arena);
    atomic_flag_clear(&busy);
    return e;
}
