/* rows: tables and their rows, wherever they come from: the store, this node's own tables, topics.
 */
#include "base/hash.h"
#include "cql/virtual.h"
#include <stdlib.h>

/* --- tables --------------------------------------------------------------------------------------
 */

struct cql_tables *tables_of(const struct cql *c)
{
    return ((const struct cql_parts *)(const void *)c)->tables;
}

static int table_order(const struct store_table *t, struct slice keyspace, struct slice name)
{
    int order = slice_compare(keyspace, t->keyspace);
    return order ? order : slice_compare(name, t->name);
}

static const struct virtual_table *virtual_find(const struct cql_tables *x, struct slice keyspace,
                                                struct slice name)
{
    uint32_t low = 0, high = x->table_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = table_order(&x->tables[middle].t, keyspace, name);
        if (order == 0) return &x->tables[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct store_table *cql_table(struct cql *c, struct slice session_keyspace,
                                    struct cql_name name, struct diag *d)
{
    struct slice keyspace = name.keyspace.at ? name.keyspace : session_keyspace;
    if (keyspace.len == 0) {
        (void)diag_fail(d, ERR_INVALID,
                        "No keyspace has been specified. USE a keyspace, or explicitly specify "
                        "keyspace.tablename");
        return NULL;
    }
    const struct store_table *t = store_table_find(cql_options(c)->store, keyspace, name.name);
    if (t) return t;
    const struct virtual_table *v = virtual_find(tables_of(c), keyspace, name.name);
    if (v) return &v->t;
    if (slice_is(keyspace, "topics") && cql_options(c)->log) {
        t = topic_table(c, name.name, d);
        if (t) return t;
    }
    if (name.name.len == 0)
        (void)diag_fail(d, ERR_INVALID, "non-empty table is required");
    else if (!virtual_keyspace_find(c, keyspace) &&
             !store_keyspace_exists(cql_options(c)->store, keyspace))
        (void)diag_fail(d, ERR_INVALID, "keyspace %.*s does not exist", SLICE_ARG(keyspace));
    else
        (void)diag_fail(d, ERR_INVALID, "table %.*s does not exist", SLICE_ARG(name.name));
    return NULL;
}

bool cql_table_is_virtual(struct cql *c, const struct store_table *t)
{
    (void)c;
    return t->prefix == 0; /* the store's begin at 0x100 */
}

const struct type *cql_user_type(void *cql, struct slice keyspace, struct slice name)
{
    return store_type_find(cql_options((struct cql *)cql)->store, keyspace, name);
}

/* --- saying rows ---------------------------------------------------------------------------------
 */

static void said_no(struct virtual_rows *v)
{
    if (!v->err) v->err = ERR_TOO_BIG;
}

static struct slice *place_of_next(struct virtual_rows *v)
{
    const struct virtual_table *t = v->table;
    if (v->err) return NULL;
    if (!v->row) {
        v->row = arena_take(v->arena, t->t.column_count * sizeof(*v->row));
        v->said = 0;
        if (!v->row) {
            said_no(v);
            return NULL;
        }
    }
    INVARIANT(v->said < t->t.column_count);
    return &v->row[v->said++];
}

void virtual_bytes(struct virtual_rows *v, struct slice s)
{
    struct slice *out = place_of_next(v);
    if (!out || !s.at) return;
    uint8_t *copy = arena_take_raw(v->arena, s.len ? s.len : 1);
    if (!copy) {
        said_no(v);
        return;
    }
    memcpy(copy, s.at, s.len);
    *out = slice_make(copy, s.len);
}

void virtual_text(struct virtual_rows *v, const char *text)
{
    virtual_bytes(v, text ? slice_of(text) : (struct slice){0});
}

static void put_number(struct virtual_rows *v, uint64_t n, int bytes)
{
    uint8_t room[8];
    struct buf b = buf_over(room, sizeof(room));
    buf_be(&b, n, bytes);
    virtual_bytes(v, buf_view(&b));
}

void virtual_int(struct virtual_rows *v, int32_t n)
{
    put_number(v, (uint32_t)n, 4);
}

void virtual_big(struct virtual_rows *v, int64_t n)
{
    put_number(v, (uint64_t)n, 8);
}

void virtual_double(struct virtual_rows *v, double n)
{
    uint64_t bits;
    memcpy(&bits, &n, sizeof(bits));
    put_number(v, bits, 8);
}

void virtual_bool(struct virtual_rows *v, bool b)
{
    put_number(v, b, 1);
}

void virtual_inet(struct virtual_rows *v, const char *address)
{
    struct value inet;
    struct diag d;
    if (!address || !address[0] ||
        value_from_text(type_of(TYPE_INET), slice_of(address), v->arena, &inet, &d)) {
        virtual_null(v, 1);
        return;
    }
    virtual_bytes(v, inet.bytes);
}

void virtual_null(struct virtual_rows *v, uint32_t count)
{
    while (count-- > 0) (void)place_of_next(v);
}

static void put_item(struct buf *b, struct slice s)
{
    buf_be(b, s.len, 4);
    buf_slice(b, s);
}

static void put_collection(struct virtual_rows *v, struct buf *b)
{
    if (b->err && !v->err) v->err = b->err;
    virtual_bytes(v, buf_view(b));
    buf_done(b);
}

void virtual_map(struct virtual_rows *v, const struct store_option *pairs, uint32_t count)
{
    struct buf b = buf_make(MIB(1));
    buf_be(&b, count, 4);
    for (uint32_t i = 0; i < count; i++) {
        put_item(&b, pairs[i].name);
        put_item(&b, pairs[i].value);
    }
    put_collection(v, &b);
}

void virtual_list(struct virtual_rows *v, const struct slice *items, uint32_t count)
{
    struct buf b = buf_make(MIB(1));
    buf_be(&b, count, 4);
    for (uint32_t i = 0; i < count; i++) put_item(&b, items[i]);
    put_collection(v, &b);
}

void virtual_end(struct virtual_rows *v)
{
    if (v->err) return;
    if (v->count == v->cap) {
        uint32_t cap = v->cap ? 2 * v->cap : 64;
        struct virtual_row *more =
            arena_resize(v->arena, v->rows, v->cap * sizeof(*more), cap * sizeof(*more));
        if (!more) {
            said_no(v);
            return;
        }
        v->rows = more;
        v->cap = cap;
    }
    v->rows[v->count++] =
        (struct virtual_row){.values = v->row, .token = virtual_token(v->table, v->row)};
    v->row = NULL;
}

bool virtual_wanted(const struct virtual_rows *v, struct slice partition)
{
    return !v->read->partition || slice_equal(v->read->partition[0], partition);
}

/* --- order
 * ----------------------------------------------------------------------------------------- */

int64_t virtual_token(const struct virtual_table *t, const struct slice *partition)
{
    if (t->partition_count == 1) return murmur3_token(partition[0]);
    uint8_t room[1024];
    struct buf b = buf_make(MIB(1)), small = buf_over(room, sizeof(room));
    struct buf *out = &small;
    for (int i = 0; i < 2; i++, out = &b) {
        for (uint32_t k = 0; k < t->partition_count; k++) {
            buf_be(out, partition[k].len, 2);
            buf_slice(out, partition[k]);
            buf_be(out, 0, 1);
        }
        if (!out->err) break;
    }
    int64_t token = murmur3_token(buf_view(out == &small || out->err ? &small : out));
    buf_done(&b);
    return token;
}

static int compare_values(const struct store_column *c, struct slice a, struct slice b)
{
    struct value x = value_hold(c->type, a), y = value_hold(c->type, b);
    int order = value_compare(&x, &y);
    return c->descending ? -order : order;
}

static int compare_partitions(const struct virtual_table *t, const struct slice *a,
                              const struct slice *b)
{
    int order = 0;
    for (uint32_t i = 0; i < t->partition_count && order == 0; i++)
        order = compare_values(&t->t.columns[i], a[i], b[i]);
    return order;
}

static int compare_rows(const void *x, const void *y, void *table)
{
    const struct virtual_table *t = table;
    const struct virtual_row *a = x, *b = y;
    if (!t->by_key && a->token != b->token) return a->token < b->token ? -1 : 1;
    int order = compare_partitions(t, a->values, b->values);
    uint32_t end = t->partition_count + t->clustering_count;
    for (uint32_t i = t->partition_count; i < end && order == 0; i++)
        order = compare_values(&t->t.columns[i], a->values[i], b->values[i]);
    return order;
}

int virtual_against(const struct virtual_table *t, const struct slice *key,
                    const struct store_bound *b)
{
    int order = 0;
    for (uint32_t i = 0; i < b->count && order == 0; i++) {
        uint32_t column = t->partition_count + i;
        order = compare_values(&t->t.columns[column], key[column], b->values[i]);
    }
    return order;
}

bool virtual_in_slices(const struct virtual_table *t, const struct store_read *r,
                       const struct slice *key)
{
    for (uint32_t i = 0; i < r->slice_count; i++) {
        const struct store_slice *s = &r->slices[i];
        int start = virtual_against(t, key, &s->start), end = virtual_against(t, key, &s->end);
        bool in = (start > 0 || (start == 0 && (s->start.inclusive || s->start.count == 0))) &&
                  (end < 0 || (end == 0 && (s->end.inclusive || s->end.count == 0)));
        if (in) return true;
    }
    return r->slice_count == 0;
}

static bool in_partition(const struct virtual_table *t, const struct store_read *r,
                         const struct virtual_row *row)
{
    if (r->partition) {
        for (uint32_t i = 0; i < t->partition_count; i++)
            if (!slice_equal(r->partition[i], row->values[i])) return false;
        return true;
    }
    return !r->by_token || (row->token >= r->token_first && row->token <= r->token_last);
}

/* Is the row behind the one where the page before ended? */
static bool is_behind(const struct virtual_table *t, const struct store_read *r,
                      const struct virtual_row *row)
{
    if (!r->after) return true;
    struct virtual_row last = {.values = r->after, .token = virtual_token(t, r->after)};
    int order = !t->by_key && row->token != last.token
                    ? (row->token < last.token ? -1 : 1)
                    : compare_partitions(t, row->values, r->after);
    if (order != 0) return order > 0;
    if (r->after_count <= t->partition_count) return !r->after_partition_done;
    struct store_bound rest = {.values = r->after + t->partition_count,
                               .count = r->after_count - t->partition_count};
    order = virtual_against(t, row->values, &rest);
    return r->reversed ? order < 0 : order > 0;
}

/* --- rows of any table
 * ------------------------------------------------------------------------------ */

struct cql_rows {
    struct store_cursor *store; /* one of these three */
    struct topic_rows *topic;
    struct virtual_rows said;
    uint32_t at; /* of said.rows, which are in order and wanted, but for partitions_only */
    struct store_row row;
    struct store_cell *cells;
    struct cql_call *call;
};

static err_t say_all(struct cql_rows *rows, struct diag *d)
{
    struct virtual_rows *v = &rows->said;
    const struct virtual_table *t = v->table;
    if (t->fill) t->fill(v);
    if (v->err == ERR_TOO_BIG)
        return diag_fail(d, ERR_TOO_BIG, "%.*s.%.*s has more rows than one statement may hold",
                         SLICE_ARG(t->t.keyspace), SLICE_ARG(t->t.name));
    if (v->err)
        return diag_fail(d, v->err, "%.*s.%.*s can not be read", SLICE_ARG(t->t.keyspace),
                         SLICE_ARG(t->t.name));
    uint32_t kept = 0;
    for (uint32_t i = 0; i < v->count; i++) {
        const struct virtual_row *row = &v->rows[i];
        if (in_partition(t, v->read, row) && is_behind(t, v->read, row) &&
            virtual_in_slices(t, v->read, row->values))
            v->rows[kept++] = *row;
    }
    v->count = kept;
    if (kept) qsort_r(v->rows, kept, sizeof(*v->rows), compare_rows, (void *)(uintptr_t)t);
    return ERR_OK;
}

err_t cql_rows_open(struct cql_call *c, const struct store_read *r, struct arena *a,
                    struct cql_rows **out, struct diag *d)
{
    struct cql *cql = c->session->cql;
    struct cql_rows *rows = arena_take(a, sizeof(*rows));
    if (!rows) return diag_fail(d, ERR_NO_MEMORY, "no memory for a cursor");
    *out = rows;
    rows->call = c;
    if (!cql_table_is_virtual(cql, r->table))
        return store_rows_open(cql_options(cql)->store, NULL, r, a, &rows->store, d);
    const struct virtual_table *t = virtual_of(r->table);
    if (t->topic) return topic_rows_open(cql, r, a, &rows->topic, d);
    rows->said = (struct virtual_rows){.call = c, .cql = cql, .table = t, .read = r, .arena = a};
    rows->cells = arena_take(a, t->t.column_count * sizeof(*rows->cells));
    if (!rows->cells) return diag_fail(d, ERR_NO_MEMORY, "no memory for a row");
    return say_all(rows, d);
}

/* The elements of a binary collection, as the store hands out one that is not frozen. */
static err_t split_cell(const struct type *t, struct arena *a, struct store_cell *cell)
{
    struct cursor c = cursor_of(cell->value);
    bool is_map = t->kind == TYPE_MAP, is_set = t->kind == TYPE_SET;
    uint32_t count = (uint32_t)cursor_i32(&c);
    if (c.err || count > cell->value.len / 4) return ERR_CORRUPT;
    struct store_element *e = arena_take(a, (count ? count : 1) * sizeof(*e));
    if (!e) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        struct slice item = cursor_slice(&c, (uint32_t)cursor_i32(&c));
        e[i].timestamp = cell->timestamp;
        if (is_set || is_map) e[i].path = item;
        if (is_map) e[i].value = cursor_slice(&c, (uint32_t)cursor_i32(&c));
        if (is_set || is_map) continue;
        uint8_t *place = arena_take(a, 16); /* a list's place grows */
        if (!place) return ERR_NO_MEMORY;
        struct buf b = buf_over(place, 16);
        buf_be(&b, 0, 8);
        buf_be(&b, i, 8);
        e[i].path = buf_view(&b);
        e[i].value = item;
    }
    cell->elements = e;
    cell->element_count = count;
    cell->value = (struct slice){0};
    return c.err;
}

static bool is_multicell(const struct type *t)
{
    return !t->frozen && (t->kind == TYPE_LIST || t->kind == TYPE_SET || t->kind == TYPE_MAP);
}

static err_t cells_of(struct cql_rows *rows, const struct virtual_row *from, struct diag *d)
{
    const struct store_table *t = &rows->said.table->t;
    uint32_t count = 0;
    for (uint32_t i = rows->row.key_count; i < t->column_count; i++) {
        const struct store_column *column = &t->columns[i];
        if (!from->values[i].at) continue;
        struct store_cell *cell = &rows->cells[count];
        *cell = (struct store_cell){
            .column = column->id, .timestamp = rows->call->now_us, .value = from->values[i]};
        err_t e =
            is_multicell(column->type) ? split_cell(column->type, rows->said.arena, cell) : ERR_OK;
        if (e) return diag_fail(d, e, "a row of %.*s can not be read", SLICE_ARG(t->name));
        count += cell->elements == NULL || cell->element_count > 0;
    }
    rows->row.cell_count = count;
    return ERR_OK;
}

err_t cql_rows_next(struct cql_rows *rows, const struct store_row **out, struct diag *d)
{
    if (rows->store) return store_rows_next(rows->store, out, d);
    if (rows->topic) return topic_rows_next(rows->topic, out, d);
    struct virtual_rows *v = &rows->said;
    const struct virtual_table *t = v->table;
    *out = NULL;
    for (; rows->at < v->count; rows->at++) {
        uint32_t i = v->read->reversed ? v->count - 1 - rows->at : rows->at;
        const struct virtual_row *row = &v->rows[i];
        bool first = rows->at == 0 || compare_partitions(t, row->values, rows->row.key) != 0;
        if (v->read->partitions_only && !first) continue;
        rows->at++;
        rows->row = (struct store_row){
            .key = row->values,
            .key_count = t->partition_count + (v->read->partitions_only ? 0 : t->clustering_count),
            .marker = true,
            .marker_timestamp = rows->call->now_us,
            .cells = rows->cells,
            .partition_first = first,
            .token = row->token};
        *out = &rows->row;
        return v->read->partitions_only ? ERR_OK : cells_of(rows, row, d);
    }
    return ERR_OK;
}

void cql_rows_close(struct cql_rows *rows)
{
    if (!rows) return;
    if (rows->store) store_rows_close(rows->store);
    if (rows->topic) topic_rows_close(rows->topic);
}
