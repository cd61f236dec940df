/* A restriction joins those that its columns have already. */
#include "cql/restrict_int.h"

static err_t no_memory(struct diag *d)
{
    return diag_fail(d, ERR_NO_MEMORY, "no memory for the restrictions");
}

static uint32_t index_of(const struct store_table *t, const struct store_column *c)
{
    return (uint32_t)(c - t->columns);
}

struct restriction *restriction_new(const struct relating *x, enum restrict_kind kind,
                                    const struct store_column *const *columns, uint32_t count)
{
    struct restriction *r = arena_take(x->a, sizeof *r);
    const struct store_column **own = arena_take(x->a, count * sizeof(struct store_column *));
    if (!r || !own) return NULL;
    memcpy(own, columns, count * sizeof(struct store_column *));
    r->kind = kind;
    r->columns = own;
    r->column_count = count;
    return r;
}

void restrict_put_names(struct buf *b, const struct store_table *t, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        buf_printf(b, "%s%.*s", i ? ", " : "", SLICE_ARG(t->columns[i].name));
}

err_t restrict_add_token(struct relating *x, struct restriction *r)
{
    const struct restriction *old = x->all->token;
    struct buf b = buf_make(KIB(64));
    restrict_put_names(&b, x->t, x->all->partition.count);
    const char *names = arena_text(x->a, buf_view(&b));
    buf_done(&b);
    if (!names) return no_memory(x->d);
    if (old && old->kind == RESTRICT_EQ)
        return diag_fail(
            x->d, ERR_INVALID,
            "%s cannot be restricted by more than one relation if it includes an Equal", names);
    if (old && r->kind == RESTRICT_EQ)
        return diag_fail(
            x->d, ERR_INVALID,
            "Columns \"%s\" cannot be restricted by both an equality and an inequality "
            "relation",
            names);
    for (int k = RESTRICT_START; old && k <= RESTRICT_END; k++) {
        if (old->has[k] && r->has[k])
            return diag_fail(x->d, ERR_INVALID,
                             "More than one restriction was found for the %s bound on %s",
                             k == RESTRICT_START ? "start" : "end", names);
        if (!old->has[k]) continue;
        r->bounds[k] = old->bounds[k];
        r->has[k] = true;
        r->inclusive[k] = old->inclusive[k];
    }
    x->all->token = r;
    return ERR_OK;
}

/* --- joining
 * ---------------------------------------------------------------------------------------- */

static struct restrict_set *set_of(struct restrictions *r, const struct store_column *c)
{
    if (c->role == COLUMN_PARTITION) return &r->partition;
    return c->role == COLUMN_CLUSTERING ? &r->clustering : &r->others;
}

/* The columns that both restrict, as Cassandra lists them. */
static const char *common_names(const struct relating *x, const struct restriction *a,
                                const struct restriction *b)
{
    struct buf out = buf_make(KIB(64));
    for (uint32_t i = 0; i < a->column_count; i++)
        for (uint32_t k = 0; k < b->column_count; k++)
            if (a->columns[i] == b->columns[k])
                buf_printf(&out, "%s%.*s", out.len ? " ," : "", SLICE_ARG(a->columns[i]->name));
    const char *text = arena_text(x->a, buf_view(&out));
    buf_done(&out);
    return text ? text : "";
}

static err_t contains_joined(const struct relating *x, const struct restriction *old,
                             const struct restriction *r, struct restriction **out)
{
    if (r->kind != RESTRICT_CONTAINS)
        return diag_fail(
            x->d, ERR_INVALID,
            "Collection column %.*s can only be restricted by CONTAINS, CONTAINS KEY, or "
            "map-entry equality",
            SLICE_ARG(old->columns[0]->name));
    uint32_t count = old->contains_count + r->contains_count;
    struct restrict_contains *all = arena_take(x->a, count * sizeof *all);
    *out = restriction_new(x, RESTRICT_CONTAINS, old->columns, 1);
    if (!all || !*out) return no_memory(x->d);
    memcpy(all, old->contains, old->contains_count * sizeof *all);
    memcpy(all + old->contains_count, r->contains, r->contains_count * sizeof *all);
    (*out)->contains = all;
    (*out)->contains_count = count;
    return ERR_OK;
}

static err_t slices_joined(const struct relating *x, const struct restriction *old,
                           const struct restriction *r, struct restriction **out)
{
    const char *names = common_names(x, old, r);
    if (r->kind != RESTRICT_SLICE)
        return diag_fail(x->d, ERR_INVALID,
                         "Column \"%s\" cannot be restricted by both an equality and an inequality "
                         "relation",
                         names);
    if (old->columns[0] != r->columns[0]) {
        const struct store_column *later =
            old->columns[0]->position > r->columns[0]->position ? old->columns[0] : r->columns[0];
        return diag_fail(
            x->d, ERR_INVALID,
            "Column \"%.*s\" cannot be restricted by two inequalities not starting with the "
            "same column",
            SLICE_ARG(later->name));
    }
    const struct restriction *longer = old->column_count >= r->column_count ? old : r;
    *out = restriction_new(x, RESTRICT_SLICE, longer->columns, longer->column_count);
    if (!*out) return no_memory(x->d);
    (*out)->multi = old->multi || r->multi;
    (*out)->tuple = longer->tuple;
    for (int k = RESTRICT_START; k <= RESTRICT_END; k++) {
        if (old->has[k] && r->has[k])
            return diag_fail(x->d, ERR_INVALID,
                             "More than one restriction was found for the %s bound on %s",
                             k == RESTRICT_START ? "start" : "end", names);
        const struct restriction *from = old->has[k] ? old : r;
        struct restrict_value *to = &(*out)->bounds[k];
        *to = from->bounds[k];
        if (from->has[k] && (*out)->multi && !from->multi) { /* a tuple of one */
            to->items = arena_take(x->a, sizeof(struct cql_term *));
            if (!to->items) return no_memory(x->d);
            to->items[0] = to->whole;
            to->item_count = 1;
            to->whole = NULL;
        }
        (*out)->has[k] = from->has[k];
        (*out)->inclusive[k] = from->inclusive[k];
    }
    return ERR_OK;
}

static err_t joined(const struct relating *x, const struct restriction *old,
                    const struct restriction *r, struct restriction **out)
{
    if (old->kind == RESTRICT_CONTAINS) return contains_joined(x, old, r, out);
    if (old->kind == RESTRICT_SLICE) return slices_joined(x, old, r, out);
    return diag_fail(x->d, ERR_INVALID,
                     "%s cannot be restricted by more than one relation if it includes %s",
                     old->multi || r->multi ? common_names(x, old, r) : common_names(x, old, old),
                     old->kind == RESTRICT_EQ ? "an Equal" : "a IN");
}

/* A slice of a clustering column, and something behind it: only when filtering or an index helps.
 */
static err_t clustering_order(const struct relating *x, const struct restriction *last,
                              const struct restriction *r)
{
    const struct store_column *first = r->columns[0], *last_first = last->columns[0];
    if (x->o->allow_filtering || restrict_supported(x->t, r)) return ERR_OK;
    if (last->kind == RESTRICT_SLICE && first->position > last_first->position)
        return diag_fail(
            x->d, ERR_INVALID,
            "Clustering column \"%.*s\" cannot be restricted (preceding column \"%.*s\" is "
            "restricted by a non-EQ relation)",
            SLICE_ARG(first->name), SLICE_ARG(last_first->name));
    if (first->position >= last_first->position || r->kind != RESTRICT_SLICE) return ERR_OK;
    const struct store_column *next = first;
    for (uint32_t i = index_of(x->t, first) + 1;
         i < x->all->clustering.first + x->all->clustering.count; i++)
        if (x->all->by[i] && x->all->by[i] != r) {
            next = &x->t->columns[i];
            break;
        }
    return diag_fail(
        x->d, ERR_INVALID,
        "PRIMARY KEY column \"%.*s\" cannot be restricted (preceding column \"%.*s\" is "
        "restricted by a non-EQ relation)",
        SLICE_ARG(next->name), SLICE_ARG(first->name));
}

static const struct restriction *last_of(const struct restrictions *all,
                                         const struct restrict_set *s)
{
    for (uint32_t i = s->first + s->count; i-- > s->first;)
        if (all->by[i]) return all->by[i];
    return NULL;
}

static void set_grown(struct restrict_set *s, const struct restriction *r)
{
    s->has_in |= r->kind == RESTRICT_IN;
    s->has_slice |= r->kind == RESTRICT_SLICE;
    s->has_contains |= r->kind == RESTRICT_CONTAINS;
    s->only_equality &= r->kind == RESTRICT_EQ || r->kind == RESTRICT_IN;
}

err_t restrict_add(const struct relating *x, struct restriction *r)
{
    struct restrictions *all = x->all;
    struct restrict_set *s = set_of(all, r->columns[0]);
    const struct restriction *last = last_of(all, s), *seen = NULL;
    struct restriction *result = r;
    for (uint32_t i = 0; i < r->column_count; i++) {
        const struct restriction *old = all->by[index_of(x->t, r->columns[i])];
        if (!old || old == seen) continue;
        err_t e = joined(x, old, r, &result);
        if (e) return e;
        seen = old;
    }
    if (s == &all->clustering && last) {
        err_t e = clustering_order(x, last, r);
        if (e) return e;
    }
    for (uint32_t i = 0; i < r->column_count; i++) {
        uint32_t at = index_of(x->t, r->columns[i]);
        s->size += !all->by[at];
        all->by[at] = result;
    }
    set_grown(s, r);
    return ERR_OK;
}
