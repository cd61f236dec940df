/* op_lookup: each row with the rows of a table that have its key, as the table is now. What a key
 * has is read once an epoch.
 *
 * So what it tells depends on when it ran: a plan with it is not deterministic, and says so. Rows
 * that are taken back are refused by the binder: the table may have changed since.
 */
#include "flow/telling.h"

enum { LOOKUP_ROWS = 256, LOOKUP_BYTES_MAX = 16 << 20, KEPT_MAX = 1 << 20 };

struct found { /* a key's rows, packed one behind the other with their lengths */
    struct slice rows;
    uint32_t count;
};
enum row_fate { ROW_WAITS, ROW_TOLD, ROW_DEAD };

struct lookup {
    struct op *op;
    const struct plan_lookup *p;
    struct telling out;
    struct arena *kept, *batch; /* what an epoch has read; a batch of the table's */
    struct map *keys;           /* key bytes -> struct found */
    uint64_t epoch;
    struct buf key, packed;
    struct arena *fixed;
    struct column_batch pairs; /* the input's columns, then the table's */
    uint32_t *rows, *selected; /* of the pairs: which row of the input it is */
    uint8_t *matched;          /* of the input's rows: enum row_fate; in its arena */
    uint16_t *ids;
};

/* --- the table
 * ------------------------------------------------------------------------------------ */

static err_t forget_keys(struct lookup *l, struct diag *d)
{
    map_free(l->keys);
    arena_reset(l->kept);
    l->keys = map_new(KEPT_MAX);
    return l->keys ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "a table's rows");
}

static const struct store_table *table_of(struct lookup *l, struct diag *d)
{
    const struct sql_relation *r = l->p->relation;
    const struct store_table *t = store_table_find(l->op->graph->o.store, r->keyspace, r->name);
    if (!t) {
        (void)diag_fail(d, ERR_UNKNOWN_TABLE, "table '%.*s.%.*s'", SLICE_ARG(r->keyspace),
                        SLICE_ARG(r->name));
        return NULL;
    }
    for (uint32_t i = 0; i < l->p->input_count; i++) {
        struct slice name = r->columns[l->p->inputs[i].column].name;
        const struct store_column *c = store_column_find(t, name);
        if (!c || !type_equal(c->type, l->p->inputs[i].type)) {
            (void)diag_fail(d, c ? ERR_TYPE : ERR_UNKNOWN_COLUMN,
                            "table '%.*s.%.*s' has changed at column '%.*s'",
                            SLICE_ARG(r->keyspace), SLICE_ARG(r->name), SLICE_ARG(name));
            return NULL;
        }
        l->ids[i] = c->id;
    }
    return t;
}

static err_t read_rows(struct lookup *l, const struct value *key, struct found *out, struct diag *d)
{
    const struct store_table *t = table_of(l, d);
    struct store_scan *scan = NULL;
    if (!t) return d ? d->err : ERR_UNKNOWN_TABLE;
    struct store_scan_options so = {.table = t,
                                    .column_ids = l->ids,
                                    .column_count = l->p->input_count,
                                    .key = key,
                                    .key_count = l->p->key_count,
                                    .now_ms = l->op->graph->x.now_ms};
    err_t e = store_scan_open(l->op->graph->o.store, NULL, &so, &scan, d);
    buf_reset(&l->packed);
    while (!e) {
        struct column_batch b = {.arena = l->batch};
        arena_reset(l->batch);
        e = store_scan_next(scan, LOOKUP_ROWS, &b, NULL, d);
        if (e || !b.rows) break;
        for (uint32_t row = 0; row < b.rows && !l->packed.err; row++) {
            size_t at = l->packed.len;
            buf_be(&l->packed, 0, 4);
            packed_put(&l->packed, b.columns, l->p->input_count, row);
            if (!l->packed.err) buf_set_be(&l->packed, at, l->packed.len - at - 4, 4);
            out->count++;
        }
        if (l->packed.err) e = diag_fail(d, l->packed.err, "the rows of one key");
    }
    if (scan) store_scan_close(scan);
    if (e) return e;
    out->rows = l->packed.len ? arena_slice(l->kept, buf_view(&l->packed)) : (struct slice){0};
    return out->rows.at || !l->packed.len ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "a table's rows");
}

static err_t find_rows(struct lookup *l, const struct column *keys, uint32_t row,
                       struct found **out, struct diag *d)
{
    buf_reset(&l->key);
    op_key(&l->key, keys, l->p->key_count, row);
    if (l->key.err) return diag_fail(d, l->key.err, "a table's key");
    if ((*out = map_get(l->keys, buf_view(&l->key)))) return ERR_OK;
    struct found *f = arena_take(l->kept, sizeof(*f));
    struct value *values = arena_take(l->kept, (l->p->key_count + 1) * sizeof(*values));
    if (!f || !values) return diag_fail(d, ERR_NO_MEMORY, "a table's rows");
    for (uint32_t i = 0; i < l->p->key_count; i++) column_get(&keys[i], row, &values[i]);
    err_t e = read_rows(l, values, f, d);
    if (!e && (e = map_set(l->keys, buf_view(&l->key), f))) diag_fail(d, e, "a table's rows");
    *out = f;
    return e;
}

/* --- pairs
 * ---------------------------------------------------------------------------------------- */

struct looking {
    struct lookup *l;
    const struct rows *r;
    struct diag *d;
};

static err_t tell_pair(struct looking *k, uint32_t pair)
{
    struct lookup *l = k->l;
    uint32_t at, row = l->rows[pair];
    err_t e = tell_row(&l->out, k->r->signs ? k->r->signs[row] : 1, &at, k->d);
    if (e) return e;
    l->matched[row] = ROW_TOLD;
    tell_columns(&l->out, at, 0, l->pairs.columns, l->pairs.column_count, pair);
    tell_origin(&l->out, at, k->r, row);
    return ERR_OK;
}

static err_t row_dies(struct looking *k, uint32_t row, const struct row_fault *f, const char *what)
{
    struct lookup *l = k->l;
    if (l->matched[row] == ROW_DEAD) return ERR_OK;
    l->matched[row] = ROW_DEAD;
    return op_dead(l->op, k->r, row, f ? f->err : ERR_CAST, slice_of(f && f->text ? f->text : what),
                   l->op->node->text, k->d);
}

static void drop_pairs(struct lookup *l)
{
    if (l->pairs.fault_count) memset(l->pairs.bad, 0, TELL_ROWS);
    l->pairs.fault_count = 0;
    l->pairs.rows = 0;
    arena_reset(l->batch);
}

static err_t settle(struct looking *k)
{
    struct lookup *l = k->l;
    struct rows r = {.b = &l->pairs, .selected = l->selected, .count = l->pairs.rows};
    struct column pass = {0};
    err_t e = ERR_OK;
    if (l->pairs.rows && l->p->condition) e = op_eval(l->op, l->p->condition, &r, &pass, k->d);
    for (uint32_t i = 0; !e && pass.state && i < l->pairs.rows; i++)
        if (pass.state[i] == ERROR_VALUE)
            e = row_dies(k, l->rows[i], batch_fault_of(&l->pairs, i), "a join's condition");
    for (uint32_t i = 0; !e && i < l->pairs.rows; i++) {
        bool passes = !pass.state || (pass.state[i] == VALID_VALUE && pass.b1[i]);
        if (passes && l->matched[l->rows[i]] != ROW_DEAD) e = tell_pair(k, i);
    }
    if (!e) e = tell_flush(&l->out, k->d); /* it lends from the pairs */
    drop_pairs(l);
    return e;
}

static err_t add_pairs(struct looking *k, uint32_t row, const struct found *f)
{
    struct lookup *l = k->l;
    struct cursor in = cursor_of(f->rows);
    uint32_t width = k->r->b->column_count;
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < f->count; i++) {
        if (l->pairs.rows == TELL_ROWS) e = settle(k);
        if (e) return e;
        uint32_t at = l->pairs.rows++;
        struct slice packed = cursor_slice(&in, cursor_be(&in, 4));
        l->rows[at] = row;
        for (uint32_t c = 0; c < width; c++)
            column_copy_row(&l->pairs.columns[c], at, &k->r->b->columns[c], row);
        e = packed_take(packed, l->pairs.columns + width, l->p->input_count, at);
    }
    return e;
}

/* Rows that found nothing: with nulls, or filtered. */
static err_t tell_unmatched(struct looking *k)
{
    struct lookup *l = k->l;
    uint32_t width = k->r->b->column_count, at;
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < k->r->count; i++) {
        uint32_t row = k->r->selected[i];
        if (l->matched[row] == ROW_DEAD) continue; /* and counted as that */
        bool told = l->matched[row] || l->p->outer;
        if (k->r->chunk) op_count(l->op, told ? TERM_APPLIED : TERM_FILTERED, 1);
        if (l->matched[row] || !l->p->outer) continue;
        e = tell_row(&l->out, k->r->signs ? k->r->signs[row] : 1, &at, k->d);
        if (e) break;
        tell_columns(&l->out, at, 0, k->r->b->columns, width, row);
        tell_columns(&l->out, at, width, NULL, l->p->input_count, 0);
        tell_origin(&l->out, at, k->r, row);
    }
    return e ? e : tell_flush(&l->out, k->d);
}

static err_t lookup_push(struct op *o, uint32_t input, const struct rows *r, struct diag *d)
{
    struct lookup *l = o->self;
    struct looking k = {l, r, d};
    struct column *keys = arena_take(r->b->arena, (l->p->key_count + 1) * sizeof(*keys));
    err_t e = ERR_OK;
    (void)input;
    l->matched = arena_take(r->b->arena, r->b->rows + 1);
    if (!keys || !l->matched) return diag_fail(d, ERR_NO_MEMORY, "a table's keys");
    if (l->epoch != o->graph->x.epoch || !l->keys) e = forget_keys(l, d);
    l->epoch = o->graph->x.epoch;
    for (uint32_t i = 0; !e && i < l->p->key_count; i++)
        e = op_eval(o, l->p->key[i], r, &keys[i], d);
    for (uint32_t i = 0; !e && i < r->count; i++) {
        uint32_t row = r->selected[i];
        struct found *f = NULL;
        bool whole = true, fails = false;
        for (uint32_t c = 0; c < l->p->key_count; c++) {
            whole = whole && keys[c].state[row] == VALID_VALUE;
            fails = fails || keys[c].state[row] == ERROR_VALUE;
        }
        if (fails) e = row_dies(&k, row, batch_fault_of(r->b, row), "a table's key");
        if (!whole) continue; /* a null is equal to nothing */
        if (map_count(l->keys) == KEPT_MAX || arena_used(l->kept) > o->graph->o.memory_max / 4) {
            e = settle(&k); /* pairs lend from what is forgotten next */
            if (!e) e = forget_keys(l, d);
        }
        if (!e) e = find_rows(l, keys, row, &f, d);
        if (!e) e = add_pairs(&k, row, f);
    }
    if (!e) e = settle(&k);
    return e ? e : tell_unmatched(&k);
}

/* --- life
 * ----------------------------------------------------------------------------------------- */

static void lookup_close(struct op *o)
{
    struct lookup *l = o->self;
    if (!l) return;
    tell_done(&l->out);
    map_free(l->keys);
    arena_free(l->kept);
    arena_free(l->batch);
    arena_free(l->fixed);
    buf_done(&l->key);
    buf_done(&l->packed);
    mem_give(l->rows);
    mem_give(l->selected);
    mem_give(l->ids);
    mem_give(l);
    o->self = NULL;
}

static err_t lookup_open(struct op *o, struct diag *d)
{
    const struct plan_node *n = o->node;
    struct lookup *l = o->self = mem_take(sizeof(*l));
    if (!l) return diag_fail(d, ERR_NO_MEMORY, "a table's rows");
    *l = (struct lookup){.op = o, .p = &n->lookup};
    l->key = buf_make(LOOKUP_BYTES_MAX);
    l->packed = buf_make(LOOKUP_BYTES_MAX);
    l->kept = arena_new(MAX(o->graph->o.memory_max, MIB(64)));
    l->batch = arena_new(MAX(o->graph->o.memory_max, MIB(64)));
    l->fixed = arena_new(GIB(1));
    l->rows = mem_take(TELL_ROWS * sizeof(*l->rows));
    l->selected = mem_take(TELL_ROWS * sizeof(*l->selected));
    l->ids = mem_take((l->p->input_count + 1) * sizeof(*l->ids));
    const struct type **types =
        l->fixed ? arena_take(l->fixed, (n->column_count + 1) * sizeof(*types)) : NULL;
    if (!types || !l->kept || !l->batch || !l->rows || !l->selected || !l->ids)
        return diag_fail(d, ERR_NO_MEMORY, "a table's rows");
    if (!o->graph->o.store)
        return diag_fail(d, ERR_UNSUPPORTED, "a join with table '%.*s' without a store",
                         SLICE_ARG(l->p->relation->name));
    for (uint32_t i = 0; i < n->column_count; i++) types[i] = n->columns[i].type;
    for (uint32_t i = 0; i < TELL_ROWS; i++) l->selected[i] = i;
    err_t e = batch_init(&l->pairs, types, n->column_count, TELL_ROWS, l->fixed);
    if (e) return diag_fail(d, e, "a table's rows");
    l->pairs.rows = 0;
    l->pairs.arena = l->batch;
    return tell_init(&l->out, o, d);
}

/* The epoch is run again: with what the table says then. */
static void lookup_forget(struct op *o)
{
    struct lookup *l = o->self;
    map_free(l->keys);
    l->keys = NULL;
    drop_pairs(l);
    tell_forget(&l->out);
}

const struct op_kind op_lookup = {
    .open = lookup_open, .push = lookup_push, .forget = lookup_forget, .close = lookup_close};
