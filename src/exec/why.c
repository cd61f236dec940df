#include "exec/why.h"

#include "cql/cql.h"
#include "os/clock.h"

enum { ROW_TEXT_MAX = 64 << 20 };

err_t key_of_words(const struct store_table *t, const struct slice *words, uint32_t count,
                   struct arena *a, struct value *key, uint32_t *key_count, struct diag *d)
{
    err_t e = ERR_OK;
    *key_count = 0;
    for (uint32_t i = 0; !e && i < t->column_count && i < WHY_KEYS_MAX; i++) {
        const struct store_column *c = &t->columns[i];
        if (c->role != COLUMN_PARTITION && c->role != COLUMN_CLUSTERING) break;
        if (*key_count == count) {
            (void)diag_fail(d, ERR_USAGE, "the key's column %.*s is not given", SLICE_ARG(c->name));
            return diag_hint(d, "give each key column of %.*s.%.*s, in the key's order",
                             SLICE_ARG(t->keyspace), SLICE_ARG(t->name));
        }
        e = value_from_text(c->type, words[*key_count], a, &key[*key_count], d);
        ++*key_count;
    }
    if (!e && *key_count < count)
        e = diag_fail(d, ERR_USAGE, "%.*s.%.*s has %u key columns", SLICE_ARG(t->keyspace),
                      SLICE_ARG(t->name), *key_count);
    return e;
}

err_t row_of_key(struct store *s, const struct store_table *t, const struct value *key,
                 uint32_t key_count, struct column_batch *b, struct store_lineage *lineage,
                 struct diag *d)
{
    struct store_scan *scan = NULL;
    uint16_t *ids = arena_take(b->arena, (t->column_count + 1) * sizeof(*ids));
    if (!ids) return diag_fail(d, ERR_NO_MEMORY, "no memory for a row");
    for (uint32_t i = 0; i < t->column_count; i++) ids[i] = t->columns[i].id;
    struct store_scan_options o = {.table = t,
                                   .column_ids = ids,
                                   .column_count = t->column_count,
                                   .key = key,
                                   .key_count = key_count,
                                   .now_ms = clock_wall_ms(),
                                   .with_lineage = true,
                                   .with_writetime = true};
    err_t e = store_scan_open(s, NULL, &o, &scan, d);
    if (!e) e = store_scan_next(scan, 1, b, lineage, d);
    store_scan_close(scan);
    return e;
}

static err_t tell_row(const struct why_options *o, const struct store_table *t,
                      const struct column_batch *b)
{
    struct buf text = buf_make(ROW_TEXT_MAX);
    for (uint32_t i = 0; i < t->column_count; i++) {
        struct value v = {.state = NULL_VALUE};
        column_get(&b->columns[i], 0, &v);
        buf_printf(&text, "%s%.*s = ", i ? ", " : "", SLICE_ARG(t->columns[i].name));
        if (v.state == VALID_VALUE)
            value_to_text(&v, &text);
        else
            buf_text(&text, "null");
    }
    struct why_step s = {
        .how = WHY_STORED, .how_text = "stored", .step = "row", .text = buf_view(&text)};
    err_t e = text.err ? text.err : o->each(o->ctx, &s);
    buf_done(&text);
    return e;
}

static err_t not_there(const struct store_table *t, struct diag *d)
{
    (void)diag_fail(d, ERR_NOT_FOUND, "%.*s.%.*s has no row with this key", SLICE_ARG(t->keyspace),
                    SLICE_ARG(t->name));
    (void)diag_why(d, "it was never written, was removed or has expired: the store keeps no "
                      "trace of which");
    return diag_hint(d, "`sluice why TOPIC PARTITION OFFSET` follows a record that should have "
                        "made it; `sluice dead` lists what could not be used");
}

err_t why_of_row(const struct exec_world *w, const struct store_table *t, const struct slice *words,
                 uint32_t count, const struct why_options *o, struct diag *d)
{
    struct value key[WHY_KEYS_MAX];
    struct why_row row = {.table = t, .key = key};
    struct arena *a = arena_new(CQL_CALL_BYTES_MAX), *cells = arena_new(CQL_CALL_BYTES_MAX);
    struct column_batch b = {.arena = cells};
    err_t e = a && cells ? key_of_words(t, words, count, a, key, &row.key_count, d)
                         : diag_fail(d, ERR_NO_MEMORY, "no memory for a row");
    if (!e && !w->flow) e = diag_fail(d, ERR_UNSUPPORTED, "a server that runs says why");
    if (!e) e = row_of_key(w->store, t, key, row.key_count, &b, &row.lineage, d);
    if (!e && b.rows) {
        row.row = b.columns;
        e = tell_row(o, t, &b);
    }
    if (!e) e = flow_why_row(w->flow, &row, o, d);
    if (e == ERR_NOT_FOUND && !row.row) e = not_there(t, d);
    arena_free(cells);
    arena_free(a);
    return e;
}
