/* Secondary indexes: which entries a row has, and the removal of those it has no longer.
 *
 * An entry's key is the index's prefix, the value in its order-preserving form, and the row's key
 * without its prefix; its value is empty. Entries are written with the row, blindly: those of what
 * was there before stay until a reader finds them. */
#include "store/index.h"

/* --- values -------------------------------------------------------------------------------------
 */

static const struct type *target_type(const struct store_index *i, const struct type *t, bool key)
{
    if (i->kind == INDEX_FULL || !type_is_nested(t) || t->kind > TYPE_MAP) return t;
    if (t->frozen && i->kind == INDEX_VALUES) return t;
    return t->kind == TYPE_MAP && !key ? t->items[1] : t->items[0];
}

const struct type *index_type(const struct store_index *i, const struct type *column)
{
    return target_type(i, column, i->kind == INDEX_KEYS);
}

/* A value's form; *fits: it has one (a value of no bytes of a type that has none has not). */
static err_t put_form(struct buf *out, const struct type *t, struct slice binary, bool *fits)
{
    uint32_t fixed = type_fixed_size(t);
    *fits = !(fixed && binary.len == 0);
    if (!*fits) return ERR_OK;
    if (binary.len > KEY_PART_MAX) return ERR_TOO_BIG;
    return key_put_order(out, t, binary, false);
}

err_t index_put_value(struct buf *out, const struct store_index *i, const struct type *column,
                      struct slice binary, bool *fits)
{
    bool too = true;
    if (i->kind != INDEX_ENTRIES) return put_form(out, index_type(i, column), binary, fits);
    struct cursor c = cursor_of(binary); /* as a tuple: key, value */
    struct slice key = cursor_slice(&c, (uint64_t)cursor_be(&c, 4));
    struct slice value = cursor_slice(&c, (uint64_t)cursor_be(&c, 4));
    if (c.err || cursor_left(&c)) return ERR_MALFORMED;
    err_t e = put_form(out, column->items[0], key, fits);
    if (!e) e = put_form(out, column->items[1], value, &too);
    *fits &= too;
    return e;
}

/* --- what a write has ---------------------------------------------------------------------------
 */

struct emitting {
    const struct table *t;
    struct slice row; /* the key without prefix */
    index_emit *emit;
    void *ctx;
    struct buf form;
    struct diag *d;
};

static err_t emit_failed(struct emitting *x, const struct store_index *i, struct slice binary,
                         err_t e)
{
    const struct table *t = x->t;
    if (e == ERR_TOO_BIG)
        return diag_fail(x->d, ERR_INVALID,
                         "Cannot index value of size %u for index %.*s on %.*s.%.*s(%.*s) "
                         "(maximum allowed size=%d)",
                         binary.len, SLICE_ARG(i->name), SLICE_ARG(t->t.keyspace),
                         SLICE_ARG(t->t.name),
                         SLICE_ARG(t->t.columns[t->by_id[i->column].index].name), KEY_PART_MAX);
    return diag_fail(x->d, e, "a value can not be put into index %.*s", SLICE_ARG(i->name));
}

/* One entry: of a value, or of a map's key and value (at NULL: there is only the first). */
static err_t emit_value(struct emitting *x, const struct store_index *i, const struct type *t,
                        struct slice binary, const struct type *second_type, struct slice second)
{
    bool fits, too = true;
    buf_reset(&x->form);
    err_t e = put_form(&x->form, t, binary, &fits);
    if (!e && second_type) e = put_form(&x->form, second_type, second, &too);
    if (!e) e = x->form.err;
    if (e) return emit_failed(x, i, binary.len > second.len ? binary : second, e);
    if (!fits || !too) return ERR_OK;
    e = x->emit(x->ctx, i->prefix, buf_view(&x->form), x->row);
    return e ? diag_fail(x->d, e, "index %.*s can not be written", SLICE_ARG(i->name)) : ERR_OK;
}

/* Of one element of a collection: its path and value, of a list just a value. */
static err_t emit_element(struct emitting *x, const struct store_index *i, const struct type *t,
                          struct slice path, struct slice value)
{
    const struct type *none = NULL;
    struct slice empty = {0};
    if (t->kind == TYPE_SET) return emit_value(x, i, t->items[0], path, none, empty);
    if (t->kind == TYPE_LIST) return emit_value(x, i, t->items[0], value, none, empty);
    if (i->kind == INDEX_KEYS) return emit_value(x, i, t->items[0], path, none, empty);
    if (i->kind == INDEX_ENTRIES) return emit_value(x, i, t->items[0], path, t->items[1], value);
    return emit_value(x, i, t->items[1], value, none, empty);
}

/* A collection's binary form: count, then each with its length. */
static err_t emit_whole(struct emitting *x, const struct store_index *i, const struct type *t,
                        struct slice binary)
{
    struct cursor c = cursor_of(binary);
    uint64_t count = cursor_be(&c, 4);
    err_t e = ERR_OK;
    for (uint64_t n = 0; n < count && !e && !c.err; n++) {
        int32_t len = cursor_i32(&c);
        struct slice first = cursor_slice(&c, len < 0 ? 0 : (uint64_t)len), second = first;
        if (t->kind == TYPE_MAP) {
            len = cursor_i32(&c);
            second = cursor_slice(&c, len < 0 ? 0 : (uint64_t)len);
        }
        if (!c.err && len >= 0) e = emit_element(x, i, t, first, second);
    }
    return e ? e : c.err ? diag_fail(x->d, ERR_CORRUPT, "a collection ends too early") : ERR_OK;
}

static err_t emit_complex(struct emitting *x, const struct store_index *i, const struct type *t,
                          struct slice value, bool *alive)
{
    struct complex_reader r;
    struct element el;
    err_t e = ERR_OK;
    complex_open(&r, value);
    while (!e && complex_next(&r, &el)) {
        if (el.cell.tombstone) continue;
        *alive = true;
        if (!i) break;
        e = emit_element(x, i, t, el.path, el.cell.value);
    }
    return e ? e : r.err;
}

static err_t emit_cell(struct emitting *x, const struct store_index *i, const struct cell *c)
{
    const struct type *t = x->t->by_id[c->id].type;
    bool alive = false;
    if (c->complex) return emit_complex(x, i, t, c->value, &alive);
    if (c->tombstone) return ERR_OK;
    bool elements = t->kind <= TYPE_MAP && type_is_nested(t) && index_type(i, t) != t;
    if (i->kind == INDEX_ENTRIES) elements = true;
    if (elements) return emit_whole(x, i, t, c->value);
    return emit_value(x, i, t, c->value, NULL, (struct slice){0});
}

/* Indexes of key columns: an entry for each row that is written. */
static err_t emit_keys(struct emitting *x)
{
    const struct store_table *t = &x->t->t;
    uint32_t keys = (uint32_t)x->t->partition_count + x->t->clustering_count;
    struct key_reader r = {x->row.at + 8, x->row.at + x->row.len, 0, ERR_OK};
    struct buf binary = buf_make(MIB(16));
    err_t e = ERR_OK;
    for (uint32_t n = 0; n < keys && !e; n++) {
        const struct store_column *c = &t->columns[n];
        if (r.at == r.end && c->role == COLUMN_CLUSTERING) break; /* a partition's record */
        buf_reset(&binary);
        if (c->role == COLUMN_PARTITION)
            key_take_partition(&r, c->type, &binary);
        else
            key_take_order(&r, c->type, c->descending, &binary);
        e = r.err ? r.err : binary.err;
        for (uint32_t i = 0; i < t->index_count && !e; i++)
            if (t->indexes[i].column == c->id)
                e = emit_value(x, &t->indexes[i], c->type, buf_view(&binary), NULL,
                               (struct slice){0});
    }
    buf_done(&binary);
    return e;
}

static bool keys_indexed(const struct table *t)
{
    for (uint32_t i = 0; i < t->t.index_count; i++) {
        uint8_t role = t->by_id[t->t.indexes[i].column].role;
        if (role == COLUMN_PARTITION || role == COLUMN_CLUSTERING) return true;
    }
    return false;
}

err_t index_entries(const struct table *t, struct slice key, struct slice value, index_emit *emit,
                    void *ctx, struct diag *d)
{
    uint8_t memory[1024];
    struct emitting x = {.t = t, .emit = emit, .ctx = ctx, .d = d};
    struct row_reader r;
    struct cell c;
    bool large = value.len > sizeof memory / 4, alive = false;
    err_t e = ERR_OK;
    x.row = slice_make(key.at + KEY_PREFIX_SIZE, key.len - KEY_PREFIX_SIZE);
    x.form = large ? buf_make(8UL * KEY_PART_MAX) : buf_over(memory, sizeof memory);
    row_open(&r, value);
    while (!e && row_next(&r, &c)) {
        if (c.complex && c.id >= CELL_FIRST && !alive)
            e = emit_complex(&x, NULL, NULL, c.value, &alive);
        else if (!c.complex && !c.tombstone && c.id != CELL_LINEAGE)
            alive = true;
        if (c.id >= t->next_column_id || !t->by_id[c.id].type) continue;
        for (uint32_t i = 0; i < t->t.index_count && !e; i++)
            if (t->t.indexes[i].column == c.id) e = emit_cell(&x, &t->t.indexes[i], &c);
    }
    if (!e && r.err) e = diag_fail(d, r.err, "a row can not be read");
    if (!e && alive && keys_indexed(t)) e = emit_keys(&x);
    if (large) buf_done(&x.form);
    return e;
}

bool indexes_same(const struct store_table *a, const struct store_table *b)
{
    if (a->index_count != b->index_count) return false;
    for (uint32_t i = 0; i < a->index_count; i++)
        if (a->indexes[i].prefix != b->indexes[i].prefix) return false;
    return true;
}

const struct store_index *index_of_prefix(const struct store_table *t, uint32_t prefix)
{
    for (uint32_t i = 0; i < t->index_count; i++)
        if (t->indexes[i].prefix == prefix) return &t->indexes[i];
    return NULL;
}

/* --- entries that are stale ---------------------------------------------------------------------
 */

struct stale {
    const struct store_table *table;
    uint32_t prefix, key_count;
    struct arena *arena;
    struct slice value; /* in its form */
    struct slice *key;
};

static void stale_free(struct stale *x)
{
    struct arena *a = x->arena;
    arena_free(a);
}

static const struct store_cell *cell_of(const struct store_row *row, uint16_t column)
{
    for (uint32_t i = 0; i < row->cell_count; i++)
        if (row->cells[i].column == column) return &row->cells[i];
    for (uint32_t i = 0; i < row->static_count; i++)
        if (row->statics[i].column == column) return &row->statics[i];
    return NULL;
}

struct matching {
    struct slice form;
    bool found;
};

static err_t match_value(void *ctx, uint32_t prefix, struct slice value, struct slice row)
{
    struct matching *m = ctx;
    (void)prefix, (void)row;
    m->found |= slice_equal(value, m->form);
    return ERR_OK;
}

/* Does the row, as it is, have this entry? */
static err_t row_matches(const struct table *t, const struct store_index *i,
                         const struct store_row *row, struct slice form, bool *out, struct diag *d)
{
    const struct column_info *info = &t->by_id[i->column];
    struct matching m = {form, false};
    struct emitting x = {
        .t = t, .emit = match_value, .ctx = &m, .d = d, .form = buf_make(8UL * KEY_PART_MAX)};
    const struct store_cell *c = cell_of(row, i->column);
    err_t e = ERR_OK;
    if (info->role == COLUMN_PARTITION || info->role == COLUMN_CLUSTERING) {
        m.found = row->key_count > t->partition_count || !t->clustering_count;
    } else if (c && info->complex) {
        for (uint32_t n = 0; n < c->element_count && !e; n++)
            e = emit_element(&x, i, info->type, c->elements[n].path, c->elements[n].value);
    } else if (c) {
        struct cell cell = {.id = i->column, .value = c->value};
        e = emit_cell(&x, i, &cell);
    }
    buf_done(&x.form);
    *out = m.found;
    return e;
}

static err_t stale_decide(void *ctx, struct store_change *c, struct store_peek *p, struct diag *d)
{
    struct stale *x = ctx;
    const struct store_table *now = table_now(x->table);
    const struct store_index *i = now ? index_of_prefix(now, x->prefix) : NULL;
    const struct store_row *row;
    bool there = false;
    if (!i || now->prefix != x->table->prefix) return ERR_OK; /* it is gone with all its entries */
    err_t e =
        store_peek_row(p, now, x->key, x->key_count, clock_wall_ms() / 1000, x->arena, &row, d);
    if (!e && row) e = row_matches(table_of(now), i, row, x->value, &there, d);
    if (e || there) return e;
    uint32_t at = (uint32_t)c->bytes.len;
    struct buf key = buf_make(MIB(16));
    e = key_put_row(&key, now, x->key, x->key_count);
    if (!e) {
        c->bytes.limit = CHANGE_BYTES_MAX;
        buf_be(&c->bytes, x->prefix, KEY_PREFIX_SIZE);
        buf_slice(&c->bytes, x->value);
        buf_put(&c->bytes, key.at + KEY_PREFIX_SIZE, key.len - KEY_PREFIX_SIZE);
        e = change_entry_add(c, at, (uint32_t)c->bytes.len, NO_TABLE, ENTRY_DELETE, 0);
    }
    buf_done(&key);
    return e;
}

static void stale_done(void *ctx, err_t e, const struct diag *d)
{
    (void)e, (void)d; /* it will be found again */
    stale_free(ctx);
}

/* What can not be told now is told by the next reader: nothing is lost but his time. */
void store_index_stale(struct store *s, const struct store_table *t, const struct store_index *i,
                       struct slice value, const struct slice *key, uint32_t key_count)
{
    struct arena *a = arena_new(MIB(64));
    struct stale *x = a ? arena_take(a, sizeof *x) : NULL;
    struct store_change *c = NULL;
    struct buf form = buf_make(8UL * KEY_PART_MAX);
    const struct table *table = table_of(t);
    if (x) {
        *x = (struct stale){.table = t, .prefix = i->prefix, .key_count = key_count, .arena = a};
        x->key = arena_take(a, key_count * sizeof *x->key);
    }
    bool fits = false;
    bool good = x && x->key && !store_change_new(s, &c) &&
                !index_put_value(&form, i, table->by_id[i->column].type, value, &fits) && fits &&
                !form.err;
    if (good) x->value = arena_slice(a, buf_view(&form));
    for (uint32_t n = 0; n < key_count && good; n++) x->key[n] = arena_slice(a, key[n]);
    buf_done(&form);
    if (good) store_change_decide(c, stale_decide, x);
    if (good && store_change_commit(c, stale_done, x) == ERR_OK) return;
    store_change_free(c);
    arena_free(a);
}
