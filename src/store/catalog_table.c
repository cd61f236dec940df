/* Tables made and altered: columns get their order and ids, indexes their entries. */
#include "base/hash.h"
#include "base/say.h"
#include "store/catalog.h"

static err_t column_check(const struct store_column *c, struct diag *d)
{
    err_t e = name_check(c->name, "column", d);
    if (e) return e;
    bool key = c->role == COLUMN_PARTITION || c->role == COLUMN_CLUSTERING;
    if (key && !key_type_allowed(c->type))
        return diag_fail(d, ERR_TYPE, "column %.*s: %s can not be part of a key",
                         SLICE_ARG(c->name), type_kind_name(c->type->kind));
    return ERR_OK;
}

static const struct store_column *column_wanted(const struct store_table *t, enum column_role role,
                                                uint32_t position)
{
    for (uint32_t i = 0; i < t->column_count; i++)
        if (t->columns[i].role == role && t->columns[i].position == position) return &t->columns[i];
    return NULL;
}

/* Statics before regular columns, each by name. */
static int column_compare(const struct store_column *a, const struct store_column *b)
{
    if (a->role != b->role) return a->role == COLUMN_STATIC ? -1 : 1;
    return slice_compare(a->name, b->name);
}

static err_t names_unlike(const struct store_table *t, struct diag *d)
{
    for (uint32_t i = 0; i < t->column_count; i++)
        for (uint32_t k = 0; k < i; k++)
            if (slice_equal(t->columns[k].name, t->columns[i].name))
                return diag_fail(d, ERR_EXISTS, "column %.*s is there twice",
                                 SLICE_ARG(t->columns[i].name));
    return ERR_OK;
}

/* Partition keys, clustering keys, statics, the others; into t->t.columns, which has room. */
static err_t columns_order(const struct store_table *wanted, struct table *t, struct diag *d)
{
    uint32_t n = 0;
    for (int role = COLUMN_PARTITION; role <= COLUMN_CLUSTERING; role++) {
        const struct store_column *c;
        uint32_t position = 0;
        for (; (c = column_wanted(wanted, (enum column_role)role, position)); position++) {
            if (n == KEY_COLUMNS_MAX)
                return diag_fail(d, ERR_TOO_BIG, "more than %d key columns", KEY_COLUMNS_MAX);
            t->t.columns[n++] = *c;
        }
        if (role == COLUMN_PARTITION) t->partition_count = (uint16_t)position;
        if (role == COLUMN_CLUSTERING) t->clustering_count = (uint16_t)position;
    }
    if (t->partition_count == 0) return diag_fail(d, ERR_USAGE, "the table has no partition key");
    uint32_t keys = n;
    for (uint32_t i = 0; i < wanted->column_count; i++) {
        enum column_role role = wanted->columns[i].role;
        if (role != COLUMN_REGULAR && role != COLUMN_STATIC) continue;
        uint32_t k = n++;
        for (; k > keys && column_compare(&t->t.columns[k - 1], &wanted->columns[i]) > 0; k--)
            t->t.columns[k] = t->t.columns[k - 1];
        t->t.columns[k] = wanted->columns[i];
        t->t.columns[k].position = 0;
        t->t.columns[k].descending = false;
    }
    if (n != wanted->column_count)
        return diag_fail(d, ERR_USAGE, "the key columns' positions are not 0, 1, 2 …");
    t->t.column_count = n;
    return names_unlike(&t->t, d);
}

static err_t kinds_check(struct table *t, struct diag *d)
{
    uint32_t counters = 0, others = 0, statics = 0;
    for (uint32_t i = 0; i < t->t.column_count; i++) {
        const struct store_column *c = &t->t.columns[i];
        if (c->role == COLUMN_STATIC) statics++;
        if (c->role == COLUMN_REGULAR || c->role == COLUMN_STATIC)
            *(c->type->kind == TYPE_COUNTER ? &counters : &others) += 1;
    }
    if (counters && others)
        return diag_fail(d, ERR_INVALID, "counters and other columns can not share table %.*s.%.*s",
                         SLICE_ARG(t->t.keyspace), SLICE_ARG(t->t.name));
    if (statics && !t->clustering_count)
        return diag_fail(d, ERR_INVALID, "table %.*s.%.*s has static but no clustering columns",
                         SLICE_ARG(t->t.keyspace), SLICE_ARG(t->t.name));
    t->t.counter = counters > 0;
    return ERR_OK;
}

/* Ids are given where the caller has none: the same catalog history gives the same ids. */
static void table_id(struct table *t)
{
    static const uint8_t none[16];
    if (memcmp(t->t.id, none, sizeof none) != 0) return;
    uint8_t memory[2 * NAME_MAX_BYTES + 8];
    struct buf b = buf_over(memory, sizeof memory);
    buf_slice(&b, t->t.keyspace);
    buf_char(&b, 0);
    buf_slice(&b, t->t.name);
    buf_be(&b, t->t.prefix, 4);
    digest_md5(buf_view(&b), t->t.id);
    t->t.id[6] = (uint8_t)((t->t.id[6] & 0x0f) | 0x30); /* a name-based UUID, version 3 */
    t->t.id[8] = (uint8_t)((t->t.id[8] & 0x3f) | 0x80);
}

/* --- made ---------------------------------------------------------------------------------------
 */

static err_t table_check(struct store *s, const struct store_table *wanted, struct diag *d)
{
    err_t e = name_check(wanted->name, "table", d);
    if (e) return e;
    if (!store_keyspace_exists(s, wanted->keyspace))
        return diag_fail(d, ERR_UNKNOWN_NAME, "no keyspace %.*s", SLICE_ARG(wanted->keyspace));
    if (store_table_find(s, wanted->keyspace, wanted->name))
        return diag_fail(d, ERR_EXISTS, "table %.*s.%.*s exists", SLICE_ARG(wanted->keyspace),
                         SLICE_ARG(wanted->name));
    if (wanted->column_count > TABLE_COLUMNS_MAX)
        return diag_fail(d, ERR_TOO_BIG, "more than %d columns", TABLE_COLUMNS_MAX);
    if (wanted->index_count || wanted->dropped_count)
        return diag_fail(d, ERR_USAGE, "a table is made without indexes and dropped columns");
    for (uint32_t i = 0; i < wanted->column_count && !e; i++)
        e = column_check(&wanted->columns[i], d);
    return e;
}

err_t store_table_create(struct store *s, const struct store_table *wanted,
                         const struct store_table **out, struct diag *d)
{
    err_t e = change_enter(s, &no_table, d);
    if (e) return e;
    e = table_check(s, wanted, d);
    struct table t = {.t = *wanted};
    struct catalog_change c;
    change_begin(&c, s);
    t.t.prefix = c.next_prefix++;
    t.t.columns = e ? NULL : mem_take((wanted->column_count + 1U) * sizeof *t.t.columns);
    if (!e && !t.t.columns) e = diag_fail(d, ERR_NO_MEMORY, "no memory for a table");
    if (!e) e = columns_order(wanted, &t, d);
    if (!e) e = kinds_check(&t, d);
    const struct table *made = NULL;
    if (!e) {
        for (uint32_t i = 0; i < t.t.column_count; i++)
            t.t.columns[i].id = (uint16_t)(CELL_FIRST + i);
        t.next_column_id = CELL_FIRST + t.t.column_count;
        table_id(&t);
        made = change_table(&c, &t, NULL, d);
    }
    mem_give(t.t.columns);
    e = change_end(&c, e, d);
    change_leave(s);
    if (!e) *out = &made->t;
    return e;
}

/* --- altered ------------------------------------------------------------------------------------
 */

static const struct store_column *column_by_id(const struct store_table *t, uint16_t id)
{
    for (uint32_t i = 0; i < t->column_count; i++)
        if (t->columns[i].id == id) return &t->columns[i];
    return NULL;
}

/* New columns get ids; what was there keeps its type and its place in the key. */
static err_t columns_altered(const struct table *old, struct table *t, struct diag *d)
{
    uint32_t kept = 0;
    if (t->partition_count != old->partition_count || t->clustering_count != old->clustering_count)
        return diag_fail(d, ERR_INVALID, "the primary key can not be changed");
    for (uint32_t i = 0; i < t->t.column_count; i++) {
        struct store_column *c = &t->t.columns[i];
        err_t e = column_check(c, d);
        if (e) return e;
        if (c->id == 0) {
            bool key = c->role == COLUMN_PARTITION || c->role == COLUMN_CLUSTERING;
            if (key) return diag_fail(d, ERR_INVALID, "the primary key can not be changed");
            if (t->next_column_id > CELL_ID_MAX)
                return diag_fail(d, ERR_TOO_BIG, "the table has had %d columns: no more",
                                 CELL_ID_MAX);
            c->id = (uint16_t)t->next_column_id++;
            continue;
        }
        const struct store_column *was = column_by_id(&old->t, c->id);
        if (!was || was->role != c->role || was->position != c->position ||
            was->descending != c->descending || !type_equal(was->type, c->type))
            return diag_fail(d, ERR_INVALID, "column %.*s can not become another",
                             SLICE_ARG(c->name));
        kept++;
    }
    for (uint32_t i = 0; i < t->t.column_count; i++)
        for (uint32_t k = 0; k < i; k++)
            if (t->t.columns[i].id == t->t.columns[k].id)
                return diag_fail(d, ERR_USAGE, "a column's id is there twice");
    return kept >= (uint32_t)old->partition_count + old->clustering_count
               ? ERR_OK
               : diag_fail(d, ERR_INVALID, "the primary key can not be changed");
}

/* Columns that are gone stand in `dropped`, with the caller's time or now. */
static err_t dropped_altered(struct store *s, const struct table *old, struct table *t,
                             struct arena *a)
{
    uint32_t n = t->t.dropped_count;
    struct store_dropped *list = arena_take(a, (n + old->t.column_count + 1U) * sizeof *list);
    if (!list) return ERR_NO_MEMORY;
    if (n) memcpy(list, t->t.dropped, n * sizeof *list);
    for (uint32_t i = 0; i < old->t.column_count; i++) {
        const struct store_column *c = &old->t.columns[i];
        bool there = column_by_id(&t->t, c->id);
        for (uint32_t k = 0; k < n && !there; k++)
            if (slice_equal(list[k].name, c->name) && (list[k].id == 0 || list[k].id == c->id)) {
                list[k].id = c->id;
                there = true;
            }
        if (!there)
            list[n++] =
                (struct store_dropped){c->name, c->type, c->role, c->id, store_timestamp(s)};
    }
    t->t.dropped = list;
    t->t.dropped_count = n;
    return ERR_OK;
}

static const struct store_index *index_by_prefix(const struct store_table *t, uint32_t prefix)
{
    for (uint32_t i = 0; i < t->index_count; i++)
        if (t->indexes[i].prefix == prefix) return &t->indexes[i];
    return NULL;
}

/* New indexes get a prefix and are not ready; the entries of those that are gone go with them. */
static err_t indexes_altered(struct catalog_change *c, const struct table *old, struct table *t,
                             struct arena *a, struct diag *d)
{
    struct store_index *list = arena_take(a, (t->t.index_count + 1U) * sizeof *list);
    if (!list) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < t->t.index_count; i++) {
        uint32_t k = i; /* by name */
        for (; k > 0 && slice_compare(list[k - 1].name, t->t.indexes[i].name) > 0; k--)
            list[k] = list[k - 1];
        list[k] = t->t.indexes[i];
        if (!column_by_id(&t->t, list[k].column))
            return diag_fail(d, ERR_USAGE, "index %.*s is of no column", SLICE_ARG(list[k].name));
        const struct store_index *was = index_by_prefix(&old->t, list[k].prefix);
        if (list[k].prefix && !was)
            return diag_fail(d, ERR_USAGE, "index %.*s is unknown", SLICE_ARG(list[k].name));
        list[k].ready = was && was->ready;
        if (!was) list[k].prefix = c->next_prefix++;
    }
    for (uint32_t i = 0; i < old->t.index_count; i++) {
        bool kept = false;
        for (uint32_t k = 0; k < t->t.index_count; k++)
            kept |= list[k].prefix == old->t.indexes[i].prefix;
        if (!kept) change_forget(c, old->t.indexes[i].prefix);
    }
    t->t.indexes = list;
    return ERR_OK;
}

static err_t alter_once(struct store *s, const struct table *old, const struct store_table *wanted,
                        const struct table **out, struct diag *d)
{
    struct catalog_change c;
    struct table t = {.t = *wanted, .next_column_id = old->next_column_id};
    struct arena *a = arena_new(MIB(64));
    t.t.keyspace = old->t.keyspace;
    t.t.name = old->t.name;
    t.t.prefix = old->t.prefix;
    memcpy(t.t.id, old->t.id, sizeof t.t.id);
    change_begin(&c, s);
    t.t.columns = a ? arena_take(a, (wanted->column_count + 1U) * sizeof *t.t.columns) : NULL;
    err_t e = t.t.columns ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory for a table");
    if (!e && wanted->column_count > TABLE_COLUMNS_MAX)
        e = diag_fail(d, ERR_TOO_BIG, "more than %d columns", TABLE_COLUMNS_MAX);
    if (!e) e = columns_order(wanted, &t, d);
    if (!e) e = kinds_check(&t, d);
    if (!e) e = columns_altered(old, &t, d);
    if (!e) e = dropped_altered(s, old, &t, a);
    if (!e) e = indexes_altered(&c, old, &t, a, d);
    if (!e) *out = change_table(&c, &t, old, d);
    e = change_end(&c, e, d);
    arena_free(a);
    return e;
}

static void filling_set(struct store *s, struct named *x, bool on)
{
    gate_enter(&s->gate);
    x->filling = on;
    s->fillings += on ? 1U : UINT32_MAX;
    gate_wake(&s->gate);
    gate_leave(&s->gate);
}

/* All indexes that are not ready become so, or (drop) go again. The table is marked as being
 * filled, so that nothing else changes it. */
static err_t indexes_settle(struct store *s, struct named *x, bool drop, struct diag *d)
{
    struct catalog_change c;
    const struct table *old = atomic_load(&x->now);
    struct table t = *old;
    struct store_index *list = mem_take((t.t.index_count + 1U) * sizeof *list);
    uint32_t n = 0;
    if (!list) return diag_fail(d, ERR_NO_MEMORY, "no memory for an index");
    commit_enter_alone(s);
    change_begin(&c, s);
    for (uint32_t i = 0; i < t.t.index_count; i++) {
        bool gone = drop && !t.t.indexes[i].ready;
        if (gone) change_forget(&c, t.t.indexes[i].prefix);
        if (gone) continue;
        list[n] = t.t.indexes[i];
        list[n++].ready = true;
    }
    t.t.indexes = list;
    t.t.index_count = n;
    change_table(&c, &t, old, d);
    err_t e = change_end(&c, ERR_OK, d);
    commit_leave_alone(s);
    mem_give(list);
    return e;
}

/* Writers know the new indexes by now: what they write meanwhile is in. */
static err_t indexes_fill(struct store *s, struct named *x, struct diag *d)
{
    const struct table *t = atomic_load(&x->now);
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < t->t.index_count && !e; i++)
        if (!t->t.indexes[i].ready) e = index_fill(s, t, &t->t.indexes[i], d);
    return e ? e : indexes_settle(s, x, false, d);
}

static bool indexes_ready(const struct table *t)
{
    for (uint32_t i = 0; i < t->t.index_count; i++)
        if (!t->t.indexes[i].ready) return false;
    return true;
}

err_t store_table_alter(struct store *s, const struct store_table *now,
                        const struct store_table *wanted, const struct store_table **out,
                        struct diag *d)
{
    struct named *x = table_of(now)->named;
    const struct table *made = NULL;
    err_t e = change_enter(s, x, d);
    if (e) return e;
    const struct table *old = atomic_load(&x->now);
    if (!old)
        e = diag_fail(d, ERR_UNKNOWN_TABLE, "no table %.*s.%.*s", SLICE_ARG(x->keyspace),
                      SLICE_ARG(x->name));
    else if (&old->t != now)
        e = table_outrun(now, d);
    else
        e = columns_unheld(s, old, wanted, d);
    if (!e) e = alter_once(s, old, wanted, &made, d);
    bool fill = !e && !indexes_ready(made);
    if (fill) filling_set(s, x, true);
    change_leave(s);
    if (fill) {
        struct diag ignored;
        e = indexes_fill(s, x, d);
        if (e && indexes_settle(s, x, true, &ignored)) { /* it stays, not ready: the next start */
        }
        made = atomic_load(&x->now);
        filling_set(s, x, false);
    }
    if (!e) *out = &made->t;
    return e;
}

/* --- indexes that a stop left half-made ---------------------------------------------------------
 */

static struct named *next_unfilled(struct store *s)
{
    struct named *x = atomic_load(&s->schema->tables.first);
    for (; x; x = atomic_load(&x->next)) {
        const struct table *t = atomic_load(&x->now);
        if (t && !indexes_ready(t)) return x;
    }
    return NULL;
}

bool indexes_unfilled(struct store *s)
{
    return next_unfilled(s);
}

/* Of a thread of its own, after opening. */
void indexes_refill(struct store *s)
{
    struct diag d = {0};
    struct named *x;
    while (!atomic_load(&s->closing) && (x = next_unfilled(s))) {
        if (change_enter(s, x, &d)) return;
        const struct table *t = atomic_load(&x->now);
        bool fill = t && !indexes_ready(t);
        if (fill) filling_set(s, x, true);
        change_leave(s);
        err_t e = fill ? indexes_fill(s, x, &d) : ERR_OK;
        if (fill) filling_set(s, x, false);
        if (!e) continue;
        if (e != ERR_STOPPED) say_diag(SAY_STORE, SAY_ERROR, "an index was not filled", &d);
        return; /* the next start tries again; until then it is not used */
    }
}
