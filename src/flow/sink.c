/* sink: into a table, or nowhere. */
#include "flow/sink.h"

enum { ROW_SLACK = 128 << 20 /* so many bytes of rows fit into what an epoch has left */ };
/* the end of year 9999: times beyond are a producer's mistake */
static const int64_t time_max_ms = 253402300799999;

const struct sink_verbs *sink_of(const struct plan_stream *p)
{
    switch (p->sink) {
    case SINK_TABLE: return &sink_table;
    case SINK_TOPIC: return &sink_topic;
    case SINK_NOTHING: return &sink_nothing;
    }
    return NULL;
}

/* --- what all have in common --------------------------------------------------------------------
 */

/* The record's partition, where one record made the row and it is one of the lane's. */
struct lane_partition *sink_partition(struct lane *l, const struct rows *r, uint32_t row)
{
    if (!r->offsets || l->stream->plan->root->changes) return NULL;
    struct lane_partition *p = &l->partitions[l->turn];
    if (p->topic == r->topic && p->index == r->partitions[row]) return p;
    for (uint32_t i = 0; i < l->partition_count; i++) {
        p = &l->partitions[i];
        if (p->topic == r->topic && p->index == r->partitions[row]) return p;
    }
    return NULL;
}

err_t sink_stamp(struct lane *l, const struct rows *r, int64_t **write_us)
{
    int64_t *out = arena_take_raw(l->arena, (r->b->rows + 1) * sizeof(*out));
    if (!out) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < r->count; i++) {
        uint32_t row = r->selected[i];
        struct lane_partition *p = sink_partition(l, r, row);
        int64_t *last = p ? &p->now.last_write_us : &l->last_write_us;
        int64_t ms = p ? r->times[row] : l->epoch.now_ms;
        *last = MAX(*last + 1, MIN(MAX(ms, (int64_t)0), time_max_ms) * 1000);
        out[row] = *last;
    }
    *write_us = out;
    return ERR_OK;
}

void sink_count(struct lane *l, const struct rows *r, uint32_t count)
{
    if (r->chunk) count_term(&l->epoch.counter, TERM_APPLIED, count);
    count_term(&l->epoch.counter, TERM_ROWS_OUT, count);
}

/* --- nowhere ------------------------------------------------------------------------------------
 */

static err_t nothing_ready(struct lane *l, struct diag *d)
{
    (void)l, (void)d;
    return ERR_OK;
}

static err_t nothing_rows(struct lane *l, const struct rows *r, struct diag *d)
{
    (void)d;
    sink_count(l, r, r->count);
    return ERR_OK;
}

static void nothing_close(struct lane *l)
{
    (void)l;
}

const struct sink_verbs sink_nothing = {.open = nothing_ready,
                                        .begin = nothing_ready,
                                        .rows = nothing_rows,
                                        .finish = nothing_ready,
                                        .close = nothing_close};

/* --- a table ------------------------------------------------------------------------------------
 */

struct table_sink {
    const struct store_table *table; /* as it is in this epoch */
    uint16_t *column_ids;            /* a column of the root's */
    uint8_t *roles;                  /* 0, or the table's key column that it fills: 1, 2 */
    struct slice *texts;             /* of the expressions behind the key columns, for letters */
    struct net *net;                 /* where rows may be taken back; NULL: they may not */
    struct buf key;
};

static uint8_t role_of(const struct sql_relation *table, struct slice name)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        if (slice_equal(table->columns[i].name, name)) return table->columns[i].key;
    return 0;
}

static void table_close(struct lane *l)
{
    struct table_sink *s = l->sink_self;
    if (!s) return;
    net_free(s->net);
    buf_done(&s->key);
    mem_give(s->column_ids);
    mem_give(s->roles);
    mem_give(s->texts);
    mem_give(s);
}

static err_t table_open(struct lane *l, struct diag *d)
{
    const struct plan_stream *p = l->stream->plan;
    const struct plan_node *root = p->root;
    struct table_sink *s = l->sink_self = mem_take(sizeof(*s));
    if (s) {
        s->key = buf_make(MIB(16));
        s->column_ids = mem_take((root->column_count + 1) * sizeof(*s->column_ids));
        s->roles = mem_take(root->column_count + 1);
        s->texts = mem_take((root->column_count + 1) * sizeof(*s->texts));
    }
    if (!s || !s->column_ids || !s->roles || !s->texts)
        return diag_fail(d, ERR_NO_MEMORY, "stream '%.*s'", SLICE_ARG(p->name));
    for (uint32_t i = 0; i < root->column_count; i++) {
        s->roles[i] = role_of(p->into, root->columns[i].name);
        s->texts[i] = root->columns[i].name;
        if (s->roles[i] && root->kind == NODE_ROWS)
            s->texts[i] = op_print(&l->graph->ops[root->id], root->rows.outputs[i].value);
    }
    return root->changes ? net_new(root, lane_share(l) / 2, &s->net, d) : ERR_OK;
}

static err_t table_begin(struct lane *l, struct diag *d)
{
    struct table_sink *s = l->sink_self;
    const struct plan_node *root = l->stream->plan->root;
    const struct sql_relation *into = l->stream->plan->into;
    s->table = store_table_find(lane_flow(l)->o.store, into->keyspace, into->name);
    if (s->net) net_reset(s->net);
    if (!s->table)
        return diag_fail(d, ERR_UNKNOWN_TABLE, "stream '%.*s' writes to '%.*s.%.*s'",
                         SLICE_ARG(l->stream->stage->name), SLICE_ARG(into->keyspace),
                         SLICE_ARG(into->name));
    for (uint32_t i = 0; i < root->column_count; i++) {
        const struct plan_column *o = &root->columns[i];
        const struct store_column *c = store_column_find(s->table, o->name);
        if (!c || !type_equal(c->type, o->type))
            return diag_fail(d, c ? ERR_TYPE : ERR_UNKNOWN_COLUMN,
                             "stream '%.*s': table '%.*s' has changed under it at column '%.*s'",
                             SLICE_ARG(l->stream->stage->name), SLICE_ARG(into->name),
                             SLICE_ARG(o->name));
        s->column_ids[i] = c->id;
    }
    return ERR_OK;
}

static struct op *root_op(struct lane *l)
{
    return &l->graph->ops[l->stream->plan->root->id];
}

/* A row without its whole key can not stand in the table. */
static err_t check_key(struct lane *l, const struct rows *r, uint32_t column, uint32_t row,
                       bool *bad, struct diag *d)
{
    const struct table_sink *s = l->sink_self;
    const struct column *col = &r->b->columns[column];
    bool null = col->state[row] != VALID_VALUE;
    *bad = null || (s->roles[column] == 1 && type_phys(col->type) == PHYS_BYTES &&
                    col->bytes[row].len == 0);
    if (!*bad) return ERR_OK;
    struct slice name = r->node->columns[column].name;
    const char *text =
        arena_printf(l->arena, "key column '%.*s' is %s", SLICE_ARG(name), null ? "null" : "empty");
    err_t e = op_dead(root_op(l), r, row, ERR_CONSTRAINT,
                      text ? slice_of(text) : SLICE("key column is null"), s->texts[column], d);
    op_dead_column(r, row, name);
    return e;
}

/* Leaves out of `kept` the rows that can not stand in the table. */
static err_t keep_good(struct lane *l, const struct rows *r, uint32_t *kept, uint32_t *count,
                       struct diag *d)
{
    const struct table_sink *s = l->sink_self;
    err_t e = ERR_OK;
    *count = 0;
    for (uint32_t i = 0; !e && i < r->count; i++) {
        bool bad = false;
        for (uint32_t k = 0; !e && !bad && k < r->b->column_count; k++)
            if (s->roles[k]) e = check_key(l, r, k, r->selected[i], &bad, d);
        kept[*count] = r->selected[i];
        *count += !bad;
    }
    return e;
}

/* Whether the store's no is about one row, and not about the epoch's size or the machine. */
static bool row_at_fault(const struct rows *r, err_t e, uint32_t row)
{
    size_t bytes = 0;
    if (row >= r->b->rows || err_passes(e)) return false;
    if (e != ERR_TOO_BIG) return true;
    for (uint32_t c = 0; c < r->b->column_count; c++) {
        const struct column *col = &r->b->columns[c];
        for (uint32_t i = 0; type_phys(col->type) == PHYS_BYTES && i < r->count; i++)
            if (col->state[r->selected[i]] == VALID_VALUE) bytes += col->bytes[r->selected[i]].len;
    }
    return bytes < ROW_SLACK; /* so much fits: it must be the row */
}

static void leave_out(uint32_t *rows, uint32_t *count, uint32_t row)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *count; i++)
        if (rows[i] != row) rows[kept++] = rows[i];
    *count = kept;
}

/* A row that the store refuses is a dead letter; the others are written again without it, the same
 * cells at the same times. */
static err_t write_good(struct lane *l, const struct rows *r, struct store_rows *rows,
                        uint32_t *kept, struct diag *d)
{
    while (rows->count) {
        struct diag why = {0};
        uint32_t bad = UINT32_MAX;
        err_t e = store_write_rows(l->epoch.write, rows, &bad, &why);
        if (!e) break;
        if (!row_at_fault(r, e, bad)) {
            if (d) *d = why;
            return e;
        }
        const char *text = arena_text(l->arena, slice_of(why.what));
        leave_out(kept, &rows->count, bad);
        e = op_dead(root_op(l), r, bad, e,
                    text ? slice_of(text) : SLICE("the store refuses the row"), SLICE(""), d);
        if (e) return e;
    }
    sink_count(l, r, rows->count);
    return ERR_OK;
}

static err_t lineage_of(struct lane *l, const struct rows *r, const struct store_lineage **out)
{
    struct store_lineage *lineage = NULL;
    *out = NULL;
    if (!l->stream->plan->settings.lineage) return ERR_OK;
    lineage = arena_take_raw(l->arena, (r->b->rows + 1) * sizeof(*lineage));
    if (!lineage) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < r->count; i++) {
        uint32_t row = r->selected[i];
        lineage[row] = (struct store_lineage){.stream = l->stream->number,
                                              .partition = r->offsets ? (uint32_t)r->partitions[row]
                                                                      : UINT32_MAX,
                                              .offset = r->offsets ? r->offsets[row] : -1,
                                              .epoch = l->epoch.number};
    }
    *out = lineage;
    return ERR_OK;
}

/* Into the epoch's write; `remove`: out of the table. */
static err_t write_rows(struct lane *l, const struct rows *r, bool remove, struct diag *d)
{
    const struct table_sink *s = l->sink_self;
    uint32_t *kept = arena_take_raw(l->arena, (r->count + 1) * sizeof(*kept));
    struct store_rows rows = {.table = s->table,
                              .columns = r->b->columns,
                              .column_ids = s->column_ids,
                              .column_count = r->b->column_count,
                              .rows = kept,
                              .now_ms = l->epoch.now_ms,
                              .remove = remove};
    int64_t *write_us = NULL;
    err_t e = kept ? keep_good(l, r, kept, &rows.count, d) : ERR_NO_MEMORY;
    struct rows good = *r;
    good.selected = kept;
    good.count = rows.count;
    if (!e) e = sink_stamp(l, &good, &write_us);
    if (!e && !remove) e = lineage_of(l, &good, &rows.lineage);
    rows.timestamps_us = write_us;
    if (e) return diag_fail(d, e, "%u rows of an epoch", r->count);
    return write_good(l, &good, &rows, kept, d);
}

/* Rows that may be taken back wait for the epoch's last word on their key. */
static err_t keep_words(struct lane *l, const struct rows *r, struct diag *d)
{
    struct table_sink *s = l->sink_self;
    uint32_t count = 0, *kept = arena_take_raw(l->arena, (r->count + 1) * sizeof(*kept));
    struct column *keys = arena_take_raw(l->arena, (r->b->column_count + 1) * sizeof(*keys));
    uint32_t key_count = 0;
    err_t e = kept && keys ? keep_good(l, r, kept, &count, d) : ERR_NO_MEMORY;
    for (uint32_t i = 0; !e && i < r->b->column_count; i++)
        if (s->roles[i]) keys[key_count++] = r->b->columns[i];
    for (uint32_t i = 0; !e && i < count; i++) {
        buf_reset(&s->key);
        op_key(&s->key, keys, key_count, kept[i]);
        e = s->key.err ? s->key.err : net_take(s->net, buf_view(&s->key), r, kept[i], d);
    }
    if (!e && r->chunk) count_term(&l->epoch.counter, TERM_APPLIED, count);
    return e && d && !d->err ? diag_fail(d, e, "%u rows of an epoch", r->count) : e;
}

static err_t table_rows(struct lane *l, const struct rows *r, struct diag *d)
{
    const struct table_sink *s = l->sink_self;
    return s->net ? keep_words(l, r, d) : write_rows(l, r, false, d);
}

static err_t put_words(void *lane, const struct rows *r, struct diag *d)
{
    return write_rows(lane, r, false, d);
}

static err_t remove_words(void *lane, const struct rows *r, struct diag *d)
{
    return write_rows(lane, r, true, d);
}

static err_t table_finish(struct lane *l, struct diag *d)
{
    struct table_sink *s = l->sink_self;
    if (!s->net) return ERR_OK;
    err_t e = net_tell(s->net, -1, l->arena, remove_words, l, d);
    if (!e) e = net_tell(s->net, 1, l->arena, put_words, l, d);
    net_reset(s->net);
    return e;
}

static size_t table_bytes(const struct lane *l)
{
    const struct table_sink *s = l->sink_self;
    return s->net ? net_bytes(s->net) : 0;
}

const struct sink_verbs sink_table = {.open = table_open,
                                      .begin = table_begin,
                                      .rows = table_rows,
                                      .finish = table_finish,
                                      .bytes = table_bytes,
                                      .close = table_close};
