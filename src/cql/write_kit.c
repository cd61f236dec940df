#include "cql/write_kit.h"

void wt_open(struct wt *w)
{
    struct diag d = {0};
    char dir[300];
    *w = (struct wt){0};
    (void)snprintf(dir, sizeof dir, "%s/store", test_dir());
    const struct store_options so = {.dir = dir, .cache_bytes = MIB(8)};
    CHECK_OK(store_open(&so, &w->store, &d), &d);
    CHECK_OK(store_keyspace_create(w->store, SLICE("ks"), SLICE("{'class': 'SimpleStrategy'}"), &d),
             &d);
    const struct cql_options co = {.store = w->store};
    CHECK_OK(cql_open(&co, &w->cql, &d), &d);
    w->session = (struct cql_session){.cql = w->cql, .superuser = true, .protocol = 5};
    (void)snprintf(w->session.keyspace, sizeof w->session.keyspace, "ks");
    w->arena = arena_new(MIB(256));
    w->kept = arena_new(MIB(16));
    w->params =
        (struct cql_params){.consistency = CQL_ONE, .timestamp = INT64_MIN, .now_s = INT64_MIN};
}

void wt_close(struct wt *w)
{
    cql_close(w->cql);
    store_close(w->store);
    arena_free(w->arena);
    arena_free(w->kept);
}

/* --- tables --------------------------------------------------------------------------------------
 */

static struct slice next_part(struct slice *rest, char end)
{
    uint32_t n = 0;
    while (n < rest->len && rest->at[n] != (uint8_t)end) n++;
    struct slice part = slice_trim(slice_make(rest->at, n));
    *rest = n < rest->len ? slice_make(rest->at + n + 1, rest->len - n - 1) : (struct slice){0};
    return part;
}

static const struct type *type_named(struct wt *w, struct slice name)
{
    struct diag d = {0};
    const struct type *t = store_type_find(w->store, SLICE("ks"), name);
    if (!t) CHECK_OK(type_parse(name, w->kept, &t, &d), &d);
    return t;
}

static void column_parse(struct wt *w, struct slice part, struct store_column *c, uint16_t *keys)
{
    struct slice name = next_part(&part, ' ');
    c->name = name;
    struct slice text = slice_trim(part), role = {0};
    uint32_t space = text.len;
    while (space > 0 && text.at[space - 1] != ' ') space--;
    if (space) role = slice_make(text.at + space, text.len - space);
    bool is_role =
        slice_is(role, "P") || slice_is(role, "C") || slice_is(role, "CD") || slice_is(role, "S");
    c->type = type_named(w, is_role ? slice_trim(slice_make(text.at, space)) : text);
    c->role = COLUMN_REGULAR;
    if (slice_is(role, "P")) c->role = COLUMN_PARTITION;
    if (slice_is(role, "C") || slice_is(role, "CD")) c->role = COLUMN_CLUSTERING;
    if (slice_is(role, "S")) c->role = COLUMN_STATIC;
    c->descending = slice_is(role, "CD");
    if (c->role == COLUMN_PARTITION || c->role == COLUMN_CLUSTERING) c->position = keys[c->role]++;
}

const struct store_table *wt_table_with(struct wt *w, const char *name, const char *columns,
                                        uint32_t default_ttl, uint32_t gc_grace)
{
    struct store_column all[32] = {0};
    struct diag d = {0};
    uint16_t keys[4] = {0};
    struct store_table t = {.keyspace = SLICE("ks"),
                            .name = slice_of(name),
                            .columns = all,
                            .default_ttl = default_ttl,
                            .gc_grace = gc_grace};
    struct slice rest = slice_of(columns);
    while (rest.len) column_parse(w, next_part(&rest, ';'), &all[t.column_count++], keys);
    for (uint32_t i = 0; i < t.column_count; i++) t.counter |= all[i].type->kind == TYPE_COUNTER;
    const struct store_table *out = NULL;
    CHECK_OK(store_table_create(w->store, &t, &out, &d), &d);
    return out;
}

const struct store_table *wt_table(struct wt *w, const char *name, const char *columns)
{
    return wt_table_with(w, name, columns, 0, 864000);
}

/* --- what is answered
 * ------------------------------------------------------------------------------ */

static void put_value(struct buf *b, const struct type *t, struct slice v)
{
    const struct cql_value value = {.bytes = v, .state = v.at ? CQL_SET : CQL_NULL};
    if (v.at)
        cql_to_literal(t, &value, b);
    else
        buf_text(b, "null");
}

static void put_result_rows(struct wt *w, struct buf *b)
{
    const struct cql_result *r = &w->call.result;
    struct cursor c = cursor_of(buf_view(&r->rows));
    for (uint32_t i = 0; i < r->row_count; i++) {
        if (i) buf_text(b, "; ");
        for (uint32_t k = 0; k < r->metadata.count; k++) {
            int32_t len = cursor_i32(&c);
            struct slice v = len < 0 ? (struct slice){0} : cursor_slice(&c, (uint32_t)len);
            buf_printf(b, "%s%.*s=", k ? " " : "", SLICE_ARG(r->metadata.columns[k].name));
            put_value(b, r->metadata.columns[k].type, v);
        }
    }
    CHECK(c.err == ERR_OK && cursor_left(&c) == 0);
}

static const char *ended(struct wt *w, err_t e)
{
    struct buf b = buf_over(w->text, sizeof w->text - 1);
    const struct cql_result *r = &w->call.result;
    if (e)
        buf_printf(&b, "%04x: %s", (unsigned)err_cql(e), w->call.diag.what);
    else if (r->kind == CQL_ROWS)
        put_result_rows(w, &b);
    else
        buf_text(&b, "ok");
    for (uint32_t i = 0; i < r->warning_count; i++)
        buf_printf(&b, " !%.*s", SLICE_ARG(r->warnings[i]));
    w->text[b.len] = 0;
    cql_call_done(&w->call);
    return w->text;
}

struct cql_value wt_value(struct wt *w, const char *text)
{
    const char *colon = strchr(text, ':');
    struct slice literal = slice_of(colon + 1);
    struct diag d = {0};
    if (slice_is(literal, "null")) return (struct cql_value){.state = CQL_NULL};
    if (slice_is(literal, "unset")) return (struct cql_value){.state = CQL_UNSET};
    const struct type *t = type_named(w, slice_make(text, (size_t)(colon - text)));
    struct cql_value v = {.state = CQL_SET};
    struct value parsed;
    struct buf b = buf_make(MIB(1));
    CHECK_OK(value_from_text(t, literal, w->arena, &parsed, &d), &d);
    value_to_binary(&parsed, &b);
    v.bytes = arena_slice(w->arena, buf_view(&b));
    if (b.len == 0) v.bytes = SLICE("");
    buf_done(&b);
    return v;
}

static const char *run(struct wt *w, const char *text, const struct cql_value *values,
                       uint32_t count)
{
    w->call = (struct cql_call){.session = &w->session,
                                .arena = w->arena,
                                .verb = CALL_QUERY,
                                .text = slice_of(text),
                                .params = w->params};
    w->call.params.values = values;
    w->call.params.value_count = count;
    return ended(w, cql_run_wait(&w->call));
}

const char *wt_run(struct wt *w, const char *text)
{
    arena_reset(w->arena);
    return run(w, text, NULL, 0);
}

const char *wt_bind(struct wt *w, const char *text, const char *const *values, uint32_t count)
{
    struct cql_value bound[WT_VALUES_MAX];
    arena_reset(w->arena);
    for (uint32_t i = 0; i < count; i++) bound[i] = wt_value(w, values[i]);
    return run(w, text, bound, count);
}

static struct slice prepare(struct wt *w, const char *text)
{
    w->call = (struct cql_call){.session = &w->session,
                                .arena = w->arena,
                                .verb = CALL_PREPARE,
                                .text = slice_of(text),
                                .params = w->params};
    CHECK_OK(cql_run_wait(&w->call), &w->call.diag);
    struct slice id = arena_slice(w->arena, slice_make(w->call.result.prepared.id, 16));
    cql_call_done(&w->call);
    return id;
}

const char *wt_batch(struct wt *w, int kind, const char *const *texts, uint32_t count)
{
    struct cql_batch_item items[64] = {0};
    arena_reset(w->arena);
    for (uint32_t i = 0; i < count; i++) {
        if (texts[i][0] == '=')
            items[i].id = prepare(w, texts[i] + 1);
        else
            items[i].text = slice_of(texts[i]);
    }
    w->call = (struct cql_call){.session = &w->session,
                                .arena = w->arena,
                                .verb = CALL_BATCH,
                                .batch_kind = kind,
                                .items = items,
                                .item_count = count,
                                .params = w->params};
    return ended(w, cql_run_wait(&w->call));
}

/* --- what is there
 * ----------------------------------------------------------------------------------- */

static void put_cells(struct wt *w, struct buf *b, const struct store_table *t,
                      const struct store_cell *cells, uint32_t count)
{
    struct diag d = {0};
    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct store_cell *cell = write_cell_find(cells, count, t->columns[i].id);
        struct slice v;
        if (!cell) continue;
        CHECK_OK(write_cell_value(t->columns[i].type, cell, w->arena, &v, &d), &d);
        buf_printf(b, " %.*s=", SLICE_ARG(t->columns[i].name));
        put_value(b, t->columns[i].type, v);
    }
}

static void put_row(struct wt *w, struct buf *b, const struct store_table *t,
                    const struct store_row *row, uint32_t keys)
{
    if (row->partition_first && row->static_count) {
        buf_printf(b, "%sstatic", b->len ? "; " : "");
        put_cells(w, b, t, row->statics, row->static_count);
    }
    if (row->key_count < keys) return;
    if (b->len) buf_text(b, "; ");
    for (uint32_t i = 0; i < keys; i++) {
        buf_printf(b, "%s%.*s=", i ? " " : "", SLICE_ARG(t->columns[i].name));
        put_value(b, t->columns[i].type, row->key[i].at ? row->key[i] : SLICE(""));
    }
    put_cells(w, b, t, row->cells, row->cell_count);
}

static struct store_cursor *cursor_open(struct wt *w, const struct store_table *t)
{
    struct diag d = {0};
    struct store_cursor *c = NULL;
    struct store_read *r = arena_take(w->arena, sizeof *r);
    *r = (struct store_read){.table = t, .now_s = clock_wall_ms() / 1000};
    CHECK_OK(store_rows_open(w->store, NULL, r, w->arena, &c, &d), &d);
    return c;
}

const char *wt_rows(struct wt *w, const char *table)
{
    struct diag d = {0};
    const struct store_table *t = store_table_find(w->store, SLICE("ks"), slice_of(table));
    struct buf b = buf_over(w->text, sizeof w->text - 1);
    uint32_t keys = 0;
    const struct store_row *row = NULL;
    arena_reset(w->arena);
    while (t->columns[keys].role == COLUMN_PARTITION || t->columns[keys].role == COLUMN_CLUSTERING)
        if (++keys == t->column_count) break;
    struct store_cursor *c = cursor_open(w, t);
    do {
        CHECK_OK(store_rows_next(c, &row, &d), &d);
        if (row) put_row(w, &b, t, row, keys);
    } while (row);
    store_rows_close(c);
    w->text[b.len] = 0;
    return w->text;
}

const char *wt_cell(struct wt *w, const char *table, const char *column)
{
    struct diag d = {0};
    const struct store_table *t = store_table_find(w->store, SLICE("ks"), slice_of(table));
    const struct store_column *k = store_column_find(t, slice_of(column));
    const struct store_row *row = NULL;
    arena_reset(w->arena);
    struct store_cursor *c = cursor_open(w, t);
    CHECK_OK(store_rows_next(c, &row, &d), &d);
    const struct store_cell *cell =
        !row ? NULL
             : write_cell_find(k->role == COLUMN_STATIC ? row->statics : row->cells,
                               k->role == COLUMN_STATIC ? row->static_count : row->cell_count,
                               k->id);
    (void)snprintf(w->text, sizeof w->text, "-");
    if (cell && cell->ttl)
        (void)snprintf(w->text, sizeof w->text, "%lld ttl %u", (long long)cell->timestamp,
                       cell->ttl);
    else if (cell)
        (void)snprintf(w->text, sizeof w->text, "%lld", (long long)cell->timestamp);
    store_rows_close(c);
    return w->text;
}
