/* schema_type: CREATE, ALTER, DROP TYPE. */
#include "cql/schema.h"

struct type_build {
    struct type t;
    const struct type **items;
    struct slice *names;
};

static err_t build_begin(struct schema_run *r, uint32_t count, struct type_build *b)
{
    b->t = (struct type){.kind = TYPE_STRUCT, .name = r->name};
    b->items = arena_take(r->a, (count ? count : 1) * sizeof(*b->items));
    b->names = arena_take(r->a, (count ? count : 1) * sizeof(*b->names));
    if (!b->items || !b->names) return diag_fail(r->d, ERR_NO_MEMORY, "no memory for a type");
    b->t.items = b->items;
    b->t.names = b->names;
    return ERR_OK;
}

/* A name that is none of the native types': a user's, whether there is one or not. */
static bool is_user_type(struct schema_run *r, const struct cql_type *written)
{
    struct diag unused;
    const struct type *native;
    if (written->custom.at || written->count) return false;
    return written->quoted || written->name.keyspace.at ||
           type_parse(written->name.name, r->a, &native, &unused) != ERR_OK;
}

static err_t field_resolve(struct schema_run *r, const struct cql_type *written,
                           const struct type **out)
{
    struct cql_prepare types = schema_types(r);
    if (is_user_type(r, written) && !written->frozen)
        return diag_fail(r->d, ERR_INVALID, "A user type cannot contain non-frozen UDTs");
    err_t e = cql_type_resolve(written, &types, out);
    if (e) return e;
    if ((*out)->kind == TYPE_COUNTER)
        return diag_fail(r->d, ERR_INVALID, "A user type cannot contain counters");
    if ((*out)->kind == TYPE_STRUCT && !(*out)->frozen)
        return diag_fail(r->d, ERR_INVALID, "A user type cannot contain non-frozen UDTs");
    return ERR_OK;
}

static err_t field_add(struct schema_run *r, struct type_build *b, struct slice name,
                       const struct type *type)
{
    if (b->t.count == TYPE_FIELDS_MAX)
        return diag_fail(r->d, ERR_TOO_BIG, "a type has at most %d fields", TYPE_FIELDS_MAX);
    b->names[b->t.count] = name;
    b->items[b->t.count++] = type;
    return ERR_OK;
}

err_t schema_create_type(struct schema_run *r)
{
    struct type_build b;
    err_t e = schema_need_keyspace(r);
    if (e) return e;
    if (store_type_find(r->store, r->keyspace, r->name)) {
        if (r->t->if_not_exists) return ERR_OK;
        return diag_fail(r->d, ERR_INVALID, "A user type with name '%.*s' already exists",
                         SLICE_ARG(r->name));
    }
    for (uint32_t i = 0; i < r->t->column_count; i++)
        for (uint32_t k = 0; k < i; k++)
            if (slice_equal(r->t->columns[i].name, r->t->columns[k].name))
                return diag_fail(r->d, ERR_INVALID, "Duplicate field name '%.*s' in type '%.*s'",
                                 SLICE_ARG(r->t->columns[i].name), SLICE_ARG(r->name));
    e = build_begin(r, r->t->column_count, &b);
    for (uint32_t i = 0; i < r->t->column_count && !e; i++) {
        const struct type *type;
        e = field_resolve(r, r->t->columns[i].type, &type);
        if (!e) e = field_add(r, &b, r->t->columns[i].name, type);
    }
    if (!e) e = store_type_put(r->store, r->keyspace, &b.t, false, r->d);
    if (!e) schema_changed(r, "CREATED", "TYPE", r->name);
    return e;
}

/* --- who uses it
 * ------------------------------------------------------------------------------------------------
 */

enum { USES_TOLD = 64 }; /* as many as a message names */
struct users_of_type {
    struct slice keyspace, name;
    struct slice uses[USES_TOLD]; /* by name */
    uint32_t count;
    bool partition_only;
};

static void add_use(struct users_of_type *u, struct slice name)
{
    if (u->count == USES_TOLD) return;
    uint32_t at = u->count++;
    for (; at > 0 && slice_compare(name, u->uses[at - 1]) < 0; at--) u->uses[at] = u->uses[at - 1];
    u->uses[at] = name;
}

/* "a, b", or "k.a, k.b" */
static void put_uses(struct buf *out, const struct users_of_type *u, bool full_names)
{
    for (uint32_t i = 0; i < u->count; i++) {
        if (i) buf_text(out, ", ");
        if (full_names) {
            cql_put_name(out, u->keyspace);
            buf_char(out, '.');
            cql_put_name(out, u->uses[i]);
        } else {
            buf_slice(out, u->uses[i]);
        }
    }
}

static err_t type_uses(void *ctx, const struct type *t)
{
    struct users_of_type *u = ctx;
    bool uses = false;
    for (uint16_t i = 0; i < t->count; i++) uses |= type_references_named(t->items[i], u->name);
    if (uses) add_use(u, t->name);
    return ERR_OK;
}

static err_t table_uses(void *ctx, const struct store_table *t)
{
    struct users_of_type *u = ctx;
    bool uses = false;
    if (!slice_equal(t->keyspace, u->keyspace)) return ERR_OK;
    for (uint32_t i = 0; i < t->column_count; i++)
        if (!u->partition_only || t->columns[i].role == COLUMN_PARTITION)
            uses |= type_references_named(t->columns[i].type, u->name);
    if (uses) add_use(u, t->name);
    return ERR_OK;
}

/* --- ALTER TYPE
 * -----------------------------------------------------------------------------------------------------
 */

static struct slice full_name(struct schema_run *r)
{
    struct buf b = buf_make(KIB(4));
    cql_put_name(&b, r->keyspace);
    buf_char(&b, '.');
    cql_put_name(&b, r->name);
    struct slice text = arena_slice(r->a, buf_view(&b));
    buf_done(&b);
    return text;
}

/* As Cassandra says a type that was written: a user's with its keyspace. */
static struct slice written_text(struct schema_run *r, const struct type *t)
{
    struct buf b = buf_make(KIB(16));
    if (t->kind == TYPE_STRUCT)
        buf_printf(&b, "frozen<%.*s.%.*s>", SLICE_ARG(r->keyspace), SLICE_ARG(t->name));
    else
        cql_type_put(&b, t);
    struct slice text = arena_slice(r->a, buf_view(&b));
    buf_done(&b);
    return text;
}

static bool has_field(const struct type *t, struct slice name)
{
    for (uint16_t i = 0; i < t->count; i++)
        if (slice_equal(t->names[i], name)) return true;
    return false;
}

static err_t partition_check(struct schema_run *r, struct slice field, const struct type *type)
{
    char room[300];
    struct buf tables = buf_over(room, sizeof(room));
    struct users_of_type u = {.keyspace = r->keyspace, .name = r->name, .partition_only = true};
    err_t e = store_tables(r->store, table_uses, &u);
    if (e) return diag_fail(r->d, e, "the tables can not be looked through");
    if (!u.count) return ERR_OK;
    put_uses(&tables, &u, true);
    return diag_fail(r->d, ERR_INVALID,
                     "Cannot add new field %.*s of type %.*s to user type %.*s as the type is "
                     "being used in partition key by the following tables: %.*s",
                     SLICE_ARG(field), SLICE_ARG(written_text(r, type)), SLICE_ARG(full_name(r)),
                     SLICE_ARG(buf_view(&tables)));
}

static err_t fields_add(struct schema_run *r, const struct type *now, struct type_build *b,
                        bool *same)
{
    const struct cql_alter *a = r->t->alter;
    *same = true;
    for (uint32_t i = 0; i < a->column_count; i++) {
        const struct cql_column_tree *f = &a->columns[i];
        const struct type *type = NULL;
        err_t e = field_resolve(r, f->type, &type);
        if (e) return e;
        if (has_field(now, f->name)) {
            if (a->if_not_exists) continue;
            return diag_fail(r->d, ERR_INVALID,
                             "Cannot add field %.*s to type %.*s: a field with name %.*s already "
                             "exists",
                             SLICE_ARG(f->name), SLICE_ARG(full_name(r)), SLICE_ARG(f->name));
        }
        if (type_references_named(type, r->name))
            return diag_fail(r->d, ERR_INVALID,
                             "Cannot add new field %.*s of type %.*s to user type %.*s as it would "
                             "create a circular reference",
                             SLICE_ARG(f->name), SLICE_ARG(written_text(r, type)),
                             SLICE_ARG(full_name(r)));
        e = partition_check(r, f->name, type);
        if (!e) e = field_add(r, b, f->name, type);
        if (e) return e;
        *same = false;
    }
    return ERR_OK;
}

static err_t fields_rename(struct schema_run *r, struct type_build *b, bool *same)
{
    const struct cql_alter *a = r->t->alter;
    *same = true;
    for (uint32_t i = 0; i < a->rename_count; i++) {
        uint16_t at = 0;
        while (at < b->t.count && !slice_equal(b->names[at], a->from[i])) at++;
        if (at == b->t.count) {
            if (a->if_exists) continue;
            return diag_fail(r->d, ERR_INVALID, "Unkown field %.*s in user type %.*s",
                             SLICE_ARG(a->from[i]), SLICE_ARG(full_name(r)));
        }
        b->names[at] = a->to[i];
        *same = false;
    }
    for (uint16_t i = 0; i < b->t.count; i++)
        for (uint16_t k = 0; k < i; k++)
            if (slice_equal(b->names[i], b->names[k]))
                return diag_fail(r->d, ERR_INVALID, "Duplicate field name %.*s in type %.*s",
                                 SLICE_ARG(b->names[i]), SLICE_ARG(r->keyspace));
    return ERR_OK;
}

err_t schema_alter_type(struct schema_run *r)
{
    const struct cql_alter *a = r->t->alter;
    const struct type *now = store_type_find(r->store, r->keyspace, r->name);
    struct type_build b;
    bool same = true;
    if (!now) {
        if (r->t->if_exists) return ERR_OK;
        return diag_fail(r->d, ERR_INVALID, "Type %.*s.%.*s doesn't exist", SLICE_ARG(r->keyspace),
                         SLICE_ARG(r->name));
    }
    err_t e = build_begin(r, now->count + a->column_count, &b);
    for (uint16_t i = 0; i < now->count && !e; i++)
        e = field_add(r, &b, now->names[i], now->items[i]);
    if (e) return e;
    if (a->kind == ALTER_ADD)
        e = fields_add(r, now, &b, &same);
    else if (a->kind == ALTER_RENAME)
        e = fields_rename(r, &b, &same);
    else
        return diag_fail(r->d, ERR_INVALID, "Altering field types is no longer supported");
    if (e || same) return e;
    e = store_type_put(r->store, r->keyspace, &b.t, true, r->d);
    if (!e) schema_changed(r, "UPDATED", "TYPE", r->name);
    return e;
}

/* --- DROP TYPE
 * -------------------------------------------------------------------------------------------------------
 */

err_t schema_drop_type(struct schema_run *r)
{
    char room[400];
    struct buf uses = buf_over(room, sizeof(room));
    struct users_of_type u = {.keyspace = r->keyspace, .name = r->name};
    if (!store_type_find(r->store, r->keyspace, r->name)) {
        if (r->t->if_exists) return ERR_OK;
        return diag_fail(r->d, ERR_INVALID, "Type '%.*s.%.*s' doesn't exist",
                         SLICE_ARG(r->keyspace), SLICE_ARG(r->name));
    }
    err_t e = store_types(r->store, r->keyspace, type_uses, &u);
    const char *what = "user types";
    if (!e && !u.count) {
        what = "tables";
        e = store_tables(r->store, table_uses, &u);
    }
    if (e) return diag_fail(r->d, e, "the schema can not be looked through");
    put_uses(&uses, &u, false);
    if (u.count)
        return diag_fail(
            r->d, ERR_INVALID, "Cannot drop user type '%.*s.%.*s' as it is still used by %s %.*s",
            SLICE_ARG(r->keyspace), SLICE_ARG(r->name), what, SLICE_ARG(buf_view(&uses)));
    e = store_type_drop(r->store, r->keyspace, r->name, r->d);
    if (!e) schema_changed(r, "DROPPED", "TYPE", r->name);
    return e;
}
