/* What is inside collections. */
#include "sql/cql/term_int.h"

static err_t every_second(struct native_run *r, uint32_t from)
{
    struct cql_value *items;
    uint32_t count;
    err_t e = cql_items(r->s->args[0], r->args[0].bytes, r->a, &items, &count, r->d);
    if (e) return e;
    for (uint32_t i = 0; i < count / 2; i++) items[i] = items[2 * i + from];
    return items_pack(r->s->result, items, count / 2, r->a, r->out, r->d);
}

err_t cf_map_keys(struct native_run *r)
{
    return every_second(r, 0);
}

err_t cf_map_values(struct native_run *r)
{
    return every_second(r, 1);
}

err_t cf_collection_count(struct native_run *r)
{
    if (r->args[0].state != CQL_SET) return ERR_OK;
    struct slice b = r->args[0].bytes;
    int64_t count = b.len < 4 ? 0 : binary_i64((struct slice){b.at, 4});
    return put_be_value(r->a, (uint64_t)count, 4, r->out, r->d);
}

/* The aggregate of that name over the elements. */
static err_t aggregate_items(struct native_run *r, const char *name)
{
    const struct type *args[1] = {r->s->args[0]->items[0]};
    struct signature s = {.name = name, .result = r->s->result, .args = args, .count = 1};
    if (r->args[0].state != CQL_SET) return ERR_OK;
    size_t i = 0;
    while (strcmp(native_at(i)->name, name) != 0) i++;
    s.row = native_at(i);
    struct aggregate *g = aggregate_new(&s, r->a);
    if (!g) return term_no_room(r->d);
    struct item_walk w = items_of_collection(r->s->args[0], r->args[0].bytes);
    struct slice item;
    while (items_next(&w, &item)) {
        struct cql_value v = {item, item.at ? CQL_SET : CQL_NULL};
        err_t e = aggregate_add(g, &v, r->d);
        if (e) return e;
    }
    return aggregate_value(g, r->a, r->out, r->d);
}

err_t cf_collection_min(struct native_run *r)
{
    return aggregate_items(r, "min");
}

err_t cf_collection_max(struct native_run *r)
{
    return aggregate_items(r, "max");
}

err_t cf_collection_sum(struct native_run *r)
{
    return aggregate_items(r, "sum");
}

err_t cf_collection_avg(struct native_run *r)
{
    return aggregate_items(r, "avg");
}
