/* User types. A table or type that is made of one holds it whole: changing it remakes them. */
#include "store/catalog.h"

struct replacing {
    struct arena *arena;
    struct slice name;
    const struct type *by;
    err_t err;
};

/* `t` with every user type of that name replaced; `t` itself when there is none. */
static const struct type *type_replaced(struct replacing *r, const struct type *t)
{
    if (!type_is_nested(t) || r->err) return t;
    struct type *copy = NULL;
    const struct type *const *items = t->items;
    bool same = t->kind == TYPE_STRUCT && slice_equal(t->name, r->name);
    if (same) {
        copy = arena_take(r->arena, sizeof *copy);
        if (copy) *copy = *r->by;
    } else {
        const struct type **list = NULL;
        for (uint16_t i = 0; i < t->count && !r->err; i++) {
            const struct type *item = type_replaced(r, t->items[i]);
            if (item == t->items[i]) continue;
            if (!list) {
                list = arena_take(r->arena, t->count * sizeof(void *));
                copy = list ? arena_take(r->arena, sizeof *copy) : NULL;
                if (!copy) break;
                memcpy((void *)list, (const void *)items, t->count * sizeof(void *));
                *copy = *t;
                copy->items = list;
            }
            list[i] = item;
        }
        if (!list && !r->err) return t;
    }
    if (!copy) {
        r->err = ERR_NO_MEMORY;
        return t;
    }
    copy->frozen = t->frozen;
    return copy;
}

static void change_type(struct catalog_change *c, struct slice keyspace, const struct type *t,
                        uint64_t number, struct diag *d)
{
    struct schema *m = c->s->schema;
    struct user_type *u = arena_take(m->arena, sizeof *u);
    buf_reset(&c->value);
    buf_be(&c->value, number, 8);
    type_put(&c->value, t);
    struct cursor read = cursor_of(buf_view(&c->value));
    cursor_be(&read, 8);
    err_t e = c->value.err ? c->value.err : u ? ERR_OK : ERR_NO_MEMORY;
    if (!e) e = type_take(&read, m->arena, &u->type, d);
    if (e) {
        c->err = e;
        return;
    }
    u->number = number;
    change_record(c, 'y', keyspace, t->name, true);
    change_show(c, &m->types, keyspace, t->name, u);
}

/* Other types of the keyspace that hold it. */
static void remake_types(struct catalog_change *c, struct replacing *r, struct slice keyspace,
                         struct diag *d)
{
    struct named *x = atomic_load(&c->s->schema->types.first);
    for (; x && !c->err && !r->err; x = atomic_load(&x->next)) {
        const struct user_type *u = atomic_load(&x->now);
        if (!u || !slice_equal(x->keyspace, keyspace) || slice_equal(x->name, r->name)) continue;
        const struct type *t = type_replaced(r, u->type);
        if (t != u->type) change_type(c, keyspace, t, u->number, d);
    }
}

static void remake_table(struct catalog_change *c, struct replacing *r, const struct table *old,
                         struct diag *d)
{
    struct table t = *old;
    bool changed = false;
    t.t.columns = arena_take(r->arena, old->t.column_count * sizeof *t.t.columns);
    if (!t.t.columns) {
        r->err = ERR_NO_MEMORY;
        return;
    }
    for (uint32_t i = 0; i < old->t.column_count; i++) {
        t.t.columns[i] = old->t.columns[i];
        t.t.columns[i].type = type_replaced(r, old->t.columns[i].type);
        changed |= t.t.columns[i].type != old->t.columns[i].type;
    }
    if (changed && !r->err) change_table(c, &t, old, d);
}

static void remake_tables(struct catalog_change *c, struct replacing *r, struct slice keyspace,
                          struct diag *d)
{
    struct named *x = atomic_load(&c->s->schema->tables.first);
    for (; x && !c->err && !r->err; x = atomic_load(&x->next)) {
        const struct table *t = atomic_load(&x->now);
        if (t && slice_equal(x->keyspace, keyspace)) remake_table(c, r, t, d);
    }
}

static err_t type_checked(struct store *s, struct slice keyspace, const struct type *t,
                          bool replace, struct diag *d)
{
    bool there = store_type_find(s, keyspace, t->name);
    if (t->kind != TYPE_STRUCT || t->frozen)
        return diag_fail(d, ERR_USAGE, "a user type is a struct that is not frozen");
    if (!store_keyspace_exists(s, keyspace))
        return diag_fail(d, ERR_UNKNOWN_NAME, "no keyspace %.*s", SLICE_ARG(keyspace));
    if (there && !replace)
        return diag_fail(d, ERR_EXISTS, "type %.*s.%.*s exists", SLICE_ARG(keyspace),
                         SLICE_ARG(t->name));
    if (!there && replace)
        return diag_fail(d, ERR_UNKNOWN_NAME, "no type %.*s.%.*s", SLICE_ARG(keyspace),
                         SLICE_ARG(t->name));
    return ERR_OK;
}

err_t store_type_put(struct store *s, struct slice keyspace, const struct type *t, bool replace,
                     struct diag *d)
{
    err_t e = name_check(t->name, "type", d);
    if (!e) e = change_enter(s, replace ? NULL : &no_table, d);
    if (e) return e;
    e = type_checked(s, keyspace, t, replace, d);
    if (!e) {
        struct catalog_change c;
        struct replacing r = {arena_new(MIB(64)), t->name, t, ERR_OK};
        const struct user_type *old = name_now(&s->schema->types, keyspace, t->name);
        change_begin(&c, s);
        if (!r.arena) r.err = ERR_NO_MEMORY;
        change_type(&c, keyspace, t, old ? old->number : c.next_type++, d);
        if (old) remake_types(&c, &r, keyspace, d);
        if (old) remake_tables(&c, &r, keyspace, d);
        if (r.err) c.err = r.err;
        e = change_end(&c, ERR_OK, d);
        arena_free(r.arena);
    }
    change_leave(s);
    return e;
}

err_t store_type_drop(struct store *s, struct slice keyspace, struct slice name, struct diag *d)
{
    err_t e = change_enter(s, &no_table, d);
    if (e) return e;
    if (!store_type_find(s, keyspace, name)) {
        e = diag_fail(d, ERR_UNKNOWN_NAME, "no type %.*s.%.*s", SLICE_ARG(keyspace),
                      SLICE_ARG(name));
    } else {
        struct catalog_change c;
        change_begin(&c, s);
        change_record(&c, 'y', keyspace, name, false);
        change_show(&c, &s->schema->types, keyspace, name, NULL);
        e = change_end(&c, ERR_OK, d);
    }
    change_leave(s);
    return e;
}
