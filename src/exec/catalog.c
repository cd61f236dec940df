#include "exec/exec.h"

#include "base/hash.h"
#include "os/thread.h"

#include <stdio.h>

enum { CATALOG_BYTES_MAX = 64 << 20, CATALOG_NAMES_MAX = 100000, CATALOG_TYPE_MAX = 64 << 10 };

struct catalog_entry {
    struct sql_relation relation;
    const struct store_table
        *table;      /* what it was made from; NULL for topics and declared tables */
    char *full_name; /* "keyspace.name" or "topic" */
};

struct catalog {
    struct gate gate; /* sessions of several threads look names up */
    struct arena *arena;
    struct map *entries;   /* full name -> struct catalog_entry */
    struct map *functions; /* name -> struct sql_function */
    struct store *store;
    struct log *log;
    bool declared_first;
};

err_t catalog_new(struct store *s, struct log *l, struct catalog **out)
{
    struct catalog *c = mem_take(sizeof(*c));
    if (!c) return ERR_NO_MEMORY;
    c->arena = arena_new(CATALOG_BYTES_MAX);
    c->entries = map_new(CATALOG_NAMES_MAX);
    c->functions = map_new(CATALOG_NAMES_MAX);
    c->store = s;
    c->log = l;
    gate_init(&c->gate);
    if (!c->arena || !c->entries || !c->functions) {
        catalog_free(c);
        return ERR_NO_MEMORY;
    }
    *out = c;
    return ERR_OK;
}

void catalog_free(struct catalog *c)
{
    if (!c) return;
    gate_done(&c->gate);
    map_free(c->entries);
    map_free(c->functions);
    arena_free(c->arena);
    mem_give(c);
}

static struct catalog_entry *entry_add(struct catalog *c, struct slice keyspace, struct slice name)
{
    struct catalog_entry *e = arena_take(c->arena, sizeof(*e));
    if (!e) return NULL;
    e->full_name = keyspace.at
                       ? arena_printf(c->arena, "%.*s.%.*s", SLICE_ARG(keyspace), SLICE_ARG(name))
                       : arena_text(c->arena, name);
    e->relation.name = arena_slice(c->arena, name);
    if (keyspace.at) e->relation.keyspace = arena_slice(c->arena, keyspace);
    if (!e->full_name || map_set(c->entries, slice_of(e->full_name), e)) return NULL;
    return e;
}

static struct catalog_entry *entry_get(struct catalog *c, struct slice keyspace, struct slice name)
{
    char full[512];
    int n = keyspace.at
                ? snprintf(full, sizeof(full), "%.*s.%.*s", SLICE_ARG(keyspace), SLICE_ARG(name))
                : snprintf(full, sizeof(full), "%.*s", SLICE_ARG(name));
    if (n < 0 || n >= (int)sizeof(full)) return NULL;
    return map_get(c->entries, slice_make(full, (size_t)n));
}

/* The column as it outlives the statement that declared it. */
static err_t column_keep(struct arena *a, const struct sql_column *from, struct sql_column *to)
{
    struct buf text = buf_make(CATALOG_TYPE_MAX);
    struct diag d;
    *to = *from;
    to->name = arena_slice(a, from->name);
    err_t e = to->name.at ? ERR_OK : ERR_NO_MEMORY;
    if (!e && type_is_nested(from->type)) {
        type_print(from->type, &text);
        e = text.err ? text.err : type_parse(buf_view(&text), a, &to->type, &d);
    }
    buf_done(&text);
    return e;
}

err_t catalog_declare(struct catalog *c, const struct sql_relation *r)
{
    gate_enter(&c->gate);
    struct catalog_entry *e = entry_add(c, r->keyspace, r->name);
    uint32_t count = r->column_count;
    struct sql_column *copy = e ? arena_take(c->arena, MAX(count, 1u) * sizeof(*copy)) : NULL;
    err_t err = copy ? ERR_OK : ERR_NO_MEMORY;
    for (uint32_t i = 0; !err && i < count; i++)
        err = column_keep(c->arena, &r->columns[i], &copy[i]);
    if (!err) {
        e->relation.kind = r->kind;
        e->relation.columns = copy;
        e->relation.column_count = count;
        e->relation.open = r->kind == RELATION_TOPIC && count == 0;
        e->relation.time = r->time.at ? arena_slice(c->arena, r->time) : (struct slice){0};
        e->relation.delay_ms = r->delay_ms;
    }
    gate_leave(&c->gate);
    return err;
}

void catalog_prefer_declared(struct catalog *c, bool on)
{
    gate_enter(&c->gate);
    c->declared_first = on;
    gate_leave(&c->gate);
}

err_t catalog_declare_function(struct catalog *c, const struct statement *s, struct diag *d)
{
    gate_enter(&c->gate);
    bool there = map_get(c->functions, s->name.name) != NULL;
    struct sql_function *f = arena_take(c->arena, sizeof(*f));
    struct slice name = arena_slice(c->arena, s->name.name);
    err_t e = f && name.at ? ERR_OK : ERR_NO_MEMORY;
    if (!e) {
        *f = (struct sql_function){.name = name,
                                   .params = s->columns,
                                   .param_count = s->column_count,
                                   .returns = s->returns,
                                   .expression = s->expression};
        if (!there || s->or_replace) e = map_set(c->functions, name, f);
    }
    gate_leave(&c->gate);
    if (e) return diag_fail(d, e, "function %.*s", SLICE_ARG(s->name.name));
    if (!there || s->or_replace || s->if_not_exists) return ERR_OK;
    (void)diag_fail(d, ERR_EXISTS, "function %.*s is there already", SLICE_ARG(s->name.name));
    return diag_hint(d, "CREATE OR REPLACE FUNCTION replaces it");
}

static const struct sql_relation *relation_of_table(struct catalog *c, const struct store_table *t)
{
    struct catalog_entry *e = entry_get(c, t->keyspace, t->name);
    if (e && e->table == t) return &e->relation;
    e = entry_add(c, t->keyspace, t->name);
    struct sql_column *columns =
        e ? arena_take(c->arena, t->column_count * sizeof(*columns)) : NULL;
    if (!columns) return NULL;
    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct store_column *from = &t->columns[i];
        columns[i] = (struct sql_column){
            .name = from->name,
            .type = from->type,
            .key = from->role == COLUMN_PARTITION    ? 1
                   : from->role == COLUMN_CLUSTERING ? 2
                                                     : 0,
            .position = from->position,
            .descending = from->descending,
            .is_static = from->role == COLUMN_STATIC,
        };
    }
    e->table = t;
    e->relation.kind = RELATION_TABLE;
    e->relation.columns = columns;
    e->relation.column_count = t->column_count;
    return &e->relation;
}

static const struct sql_relation *find_table(struct catalog *c, struct slice keyspace,
                                             struct slice name)
{
    const struct store_table *t = c->store ? store_table_find(c->store, keyspace, name) : NULL;
    const struct catalog_entry *e = entry_get(c, keyspace, name);
    if (e && !e->table && c->declared_first) return &e->relation;
    if (t) return relation_of_table(c, t);
    return e && !e->table ? &e->relation : NULL; /* declared, not made; a dropped one is gone */
}

static const struct sql_relation *find_topic(struct catalog *c, struct slice name)
{
    struct catalog_entry *e = entry_get(c, (struct slice){0}, name);
    if (e) return &e->relation;
    if (!c->log || !log_topic_find(c->log, name)) return NULL;
    e = entry_add(c, (struct slice){0}, name);
    if (!e) return NULL;
    e->relation.kind = RELATION_TOPIC;
    e->relation.open = true;
    return &e->relation;
}

const struct sql_relation *catalog_find(struct catalog *c, struct slice session_keyspace,
                                        struct slice keyspace, struct slice name)
{
    const struct sql_relation *r = NULL;
    gate_enter(&c->gate);
    if (keyspace.at && !slice_is(keyspace, "topics")) {
        r = find_table(c, keyspace, name);
    } else {
        if (!keyspace.at && session_keyspace.len) r = find_table(c, session_keyspace, name);
        if (!r) r = find_topic(c, name);
        if (!r) r = find_table(c, SLICE(CATALOG_VIEWS), name);
    }
    gate_leave(&c->gate);
    return r;
}

/* --- the port --------------------------------------------------------------------------------- */

static const struct sql_relation *port_find(void *ctx, struct slice keyspace, struct slice name)
{
    const struct catalog_view *v = ctx;
    return catalog_find(v->catalog, v->keyspace, keyspace, name);
}

static err_t touch_table(void *ctx, const struct store_table *t)
{
    return relation_of_table(ctx, t) ? ERR_OK : ERR_NO_MEMORY;
}

static size_t port_names(void *ctx, const char **out, size_t max)
{
    struct catalog *c = ((const struct catalog_view *)ctx)->catalog;
    struct slice key;
    void *value;
    size_t count = 0;
    gate_enter(&c->gate);
    /* Tables nobody has asked for yet are no entries: make them. A failure means fewer suggestions
     * under an error message, nothing worse. */
    err_t partial = c->store ? store_tables(c->store, touch_table, c) : ERR_OK;
    for (size_t i = 0; count < max && map_next(c->entries, &i, &key, &value);)
        out[count++] = ((const struct catalog_entry *)value)->full_name;
    gate_leave(&c->gate);
    (void)partial;
    return count;
}

static const struct sql_function *port_function(void *ctx, struct slice name)
{
    struct catalog *c = ((const struct catalog_view *)ctx)->catalog;
    gate_enter(&c->gate);
    const struct sql_function *f = map_get(c->functions, name);
    gate_leave(&c->gate);
    return f;
}

struct sql_catalog catalog_port(struct catalog_view *view)
{
    return (struct sql_catalog){view, port_find, port_names, port_function};
}
