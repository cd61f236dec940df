/* Who writes into a table for as long as he runs, and what may not happen to it meanwhile. The one
 * place that says so: every way to drop, truncate or alter a table ends in this room. */
#include "store/catalog.h"

#include <stdio.h>

enum { HOLD_WHY_MAX = 400 };

struct store_hold {
    struct store *s;
    struct named *table;
    struct store_hold *next; /* of the same table; store.gate */
    enum store_hold_what what;
    char why[HOLD_WHY_MAX];
};

/* No change of the catalog runs between commit_enter and commit_leave: who holds a table that is
 * there is met by every later change. */
err_t store_table_hold(struct store *s, struct slice keyspace, struct slice name,
                       enum store_hold_what what, struct slice why, struct store_hold **out,
                       struct diag *d)
{
    const struct store_table *t = store_table_find(s, keyspace, name);
    if (!t)
        return diag_fail(d, ERR_UNKNOWN_TABLE, "no table %.*s.%.*s", SLICE_ARG(keyspace),
                         SLICE_ARG(name));
    struct store_hold *h = mem_take(sizeof *h);
    if (!h) return diag_fail(d, ERR_NO_MEMORY, "no memory for '%.*s'", SLICE_ARG(why));
    err_t e = commit_enter(s, &t, 1, d);
    if (e) {
        mem_give(h);
        return e;
    }
    *h = (struct store_hold){.s = s, .table = table_of(t)->named, .what = what};
    (void)slice_to_cstr(slice_make(why.at, MIN(why.len, HOLD_WHY_MAX - 1U)), h->why, sizeof h->why);
    gate_enter(&s->gate);
    h->next = h->table->holds;
    h->table->holds = h;
    gate_leave(&s->gate);
    commit_leave(s);
    *out = h;
    return ERR_OK;
}

void store_hold_release(struct store_hold *h)
{
    if (!h) return;
    gate_enter(&h->s->gate);
    struct store_hold **at = &h->table->holds;
    while (*at != h) at = &(*at)->next;
    *at = h->next;
    gate_leave(&h->s->gate);
    mem_give(h);
}

bool store_table_held(struct store *s, const struct store_table *t, char *why, size_t size)
{
    const struct named *x = table_of(t)->named;
    gate_enter(&s->gate);
    if (x->holds) snprintf(why, size, "%s", x->holds->why);
    bool held = x->holds != NULL;
    gate_leave(&s->gate);
    return held;
}

static err_t unheld(struct store *s, const struct named *x, enum store_hold_what least,
                    const char *verb, struct diag *d)
{
    char why[HOLD_WHY_MAX] = "";
    gate_enter(&s->gate);
    const struct store_hold *h = x->holds;
    while (h && h->what < least) h = h->next;
    if (h) memcpy(why, h->why, sizeof why);
    gate_leave(&s->gate);
    if (!why[0]) return ERR_OK;
    return diag_fail(d, ERR_INVALID, "Cannot %s table '%.*s.%.*s': %s", verb,
                     SLICE_ARG(x->keyspace), SLICE_ARG(x->name), why);
}

err_t table_unheld(struct store *s, const struct named *x, const char *verb, struct diag *d)
{
    return unheld(s, x, HOLD_TABLE, verb, d);
}

/* A writer finds columns by their names: new ones are nothing to him. */
err_t columns_unheld(struct store *s, const struct table *old, const struct store_table *wanted,
                     struct diag *d)
{
    for (uint32_t i = 0; i < old->t.column_count; i++)
        if (!store_column_find(wanted, old->t.columns[i].name))
            return table_unheld(s, old->named, "drop or rename columns of", d);
    for (uint32_t i = 0; i < wanted->column_count; i++)
        if (!store_column_find(&old->t, wanted->columns[i].name))
            return unheld(s, old->named, HOLD_SHAPE, "add columns to", d);
    return ERR_OK;
}
