/* What the restrictions amount to: which the key answers, which an index, which only filtering. */
#include "cql/restrict.h"

static const char refused[] =
    "Cannot execute this query as it might involve data filtering and thus may have unpredictable "
    "performance. If you want to execute this query despite the performance unpredictability, use "
    "ALLOW "
    "FILTERING";

/* --- what an index answers
 * -------------------------------------------------------------------------- */

enum question { ASK_EQ, ASK_IN, ASK_RANGE, ASK_CONTAINS, ASK_CONTAINS_KEY };

static bool is_literal(const struct type *t) /* SAI keeps these as text: no ranges */
{
    return type_is_text(t) || t->kind == TYPE_BOOLEAN || t->kind == TYPE_UUID || type_is_nested(t);
}

static bool index_answers(const struct store_index *i, const struct store_column *c,
                          enum question ask)
{
    if (i->column != c->id || !i->ready) return false;
    if (cql_type_is_multicell(c->type)) {
        bool keys = i->kind == INDEX_KEYS || (i->kind == INDEX_VALUES && c->type->kind == TYPE_SET);
        if (i->kind == INDEX_ENTRIES) return ask == ASK_EQ;
        if (ask == ASK_CONTAINS_KEY) return i->kind == INDEX_KEYS;
        return ask == ASK_CONTAINS &&
               (i->kind == INDEX_VALUES || (keys && c->type->kind == TYPE_SET));
    }
    if (ask == ASK_EQ) return true;
    return ask == ASK_RANGE && i->sai && i->kind != INDEX_FULL && !is_literal(c->type);
}

static enum question asked_of(const struct restriction *r, uint32_t place)
{
    switch (r->kind) {
    case RESTRICT_EQ: return ASK_EQ;
    case RESTRICT_IN: return ASK_IN;
    case RESTRICT_SLICE: return ASK_RANGE;
    case RESTRICT_CONTAINS: break;
    }
    switch (r->contains[place].what) {
    case CONTAINS_VALUE: return ASK_CONTAINS;
    case CONTAINS_KEY: return ASK_CONTAINS_KEY;
    case CONTAINS_ENTRY: break;
    }
    return ASK_EQ;
}

/* Places of a restriction: its columns, or what a collection shall contain. */
static uint32_t places_of(const struct restriction *r)
{
    return r->kind == RESTRICT_CONTAINS ? r->contains_count : r->column_count;
}

static const struct store_column *column_at(const struct restriction *r, uint32_t place)
{
    return r->kind == RESTRICT_CONTAINS ? r->columns[0] : r->columns[place];
}

static bool index_answers_any(const struct store_index *i, const struct restriction *r)
{
    for (uint32_t p = 0; p < places_of(r); p++)
        if (index_answers(i, column_at(r, p), asked_of(r, p))) return true;
    return false;
}

bool restrict_supported(const struct store_table *t, const struct restriction *r)
{
    for (uint32_t i = 0; i < t->index_count; i++)
        if (index_answers_any(&t->indexes[i], r)) return true;
    return false;
}

/* A group of indexes that are asked together: all of SAI, or one of the others. */
static bool in_group(const struct store_table *t, uint32_t group, uint32_t i)
{
    return t->indexes[group].sai ? t->indexes[i].sai : group == i;
}

static bool group_answers_column(const struct store_table *t, uint32_t group,
                                 const struct store_column *c, enum question ask)
{
    for (uint32_t i = 0; i < t->index_count; i++)
        if (in_group(t, group, i) && index_answers(&t->indexes[i], c, ask)) return true;
    return false;
}

static bool group_answers(const struct store_table *t, uint32_t group, const struct restriction *r)
{
    if (r->kind == RESTRICT_CONTAINS) {
        bool several = r->contains_count > 1;
        for (uint32_t i = 0; i < t->index_count; i++)
            if (in_group(t, group, i) && index_answers_any(&t->indexes[i], r) &&
                !(several && !t->indexes[i].sai))
                return true;
        return false;
    }
    for (uint32_t p = 0; p < r->column_count; p++)
        if (!group_answers_column(t, group, r->columns[p], asked_of(r, p))) return false;
    return true;
}

static bool group_answers_set(const struct restrictions *r, uint32_t group,
                              const struct restrict_set *s)
{
    for (uint32_t i = s->first; s->filtered && i < s->first + s->count; i++)
        if (r->by[i] && !group_answers(r->table, group, r->by[i])) return false;
    return true;
}

/* --- what follows
 * ----------------------------------------------------------------------------------- */

static bool set_supported(const struct restrictions *r, const struct restrict_set *s)
{
    for (uint32_t i = s->first; i < s->first + s->count; i++)
        if (r->by[i] && restrict_supported(r->table, r->by[i])) return true;
    return false;
}

static bool key_needs_filtering(const struct restrictions *r)
{
    const struct restrict_set *s = &r->partition;
    return s->size > 0 && (s->size < s->count || s->has_slice || s->has_contains);
}

bool restrict_in_filter(const struct restriction *r, uint32_t position)
{
    return r->kind == RESTRICT_CONTAINS || r->columns[0]->position != position;
}

static bool clustering_needs_filtering(const struct restrictions *r)
{
    const struct restrict_set *s = &r->clustering;
    const struct restriction *before = NULL;
    uint32_t position = 0;
    for (uint32_t i = s->first; i < s->first + s->count; i++) {
        const struct restriction *one = r->by[i];
        if (!one || one == before) continue;
        before = one;
        if (restrict_in_filter(one, position)) return true;
        if (one->kind != RESTRICT_SLICE)
            position = one->columns[one->column_count - 1]->position + 1U;
    }
    return s->has_contains;
}

static bool filtering_is_fine(const struct restrict_options *o)
{
    return o->allow_filtering || o->implicit_filtering;
}

static err_t settle_partition(struct restrictions *r, const struct restrict_options *o,
                              bool indexed, struct diag *d)
{
    bool filtered = key_needs_filtering(r);
    r->on_token = r->token && (r->partition.size < r->partition.count || filtered);
    if (r->on_token) r->key_range = true;
    if (!r->token && r->partition.size == 0) {
        r->key_range = true;
        r->uses_index = indexed;
    }
    if (filtered) {
        if (!filtering_is_fine(o) && !indexed) return diag_fail(d, ERR_INVALID, "%s", refused);
        r->key_range = true;
        r->uses_index = indexed;
    }
    r->partition.filtered = r->partition.size > 0 && (r->uses_index || filtered);
    return ERR_OK;
}

/* Which column stands where another one was to be restricted first. */
static err_t clustering_gap(const struct restrictions *r, struct diag *d)
{
    const struct restrict_set *s = &r->clustering;
    uint32_t wanted = s->first;
    for (uint32_t i = s->first; i < s->first + s->count; i++) {
        if (!r->by[i]) continue;
        if (i != wanted)
            return diag_fail(d, ERR_INVALID,
                             "PRIMARY KEY column \"%.*s\" cannot be restricted as preceding column "
                             "\"%.*s\" is not restricted",
                             SLICE_ARG(r->table->columns[i].name),
                             SLICE_ARG(r->table->columns[wanted].name));
        wanted++;
    }
    return ERR_OK;
}

static err_t settle_clustering(struct restrictions *r, const struct restrict_options *o,
                               bool indexed, struct diag *d)
{
    struct restrict_set *s = &r->clustering;
    if (o->only_statics && s->size > 0)
        return diag_fail(d, ERR_INVALID,
                         "Cannot restrict clustering columns when selecting only static columns");
    if (s->has_contains && !indexed && !o->allow_filtering)
        return diag_fail(d, ERR_INVALID,
                         "Clustering columns can only be restricted with CONTAINS with a secondary "
                         "index or filtering");
    bool filtered = s->size > 0 && clustering_needs_filtering(r);
    if (filtered && indexed) {
        r->uses_index = true;
    } else if (filtered && !o->allow_filtering) {
        err_t e = clustering_gap(r, d);
        if (e) return e;
    }
    if (r->key_range && set_supported(r, s)) r->uses_index = true;
    s->filtered = s->size > 0 && (r->uses_index || filtered);
    return ERR_OK;
}

static err_t settle_others(struct restrictions *r, const struct restrict_options *o, bool indexed,
                           struct diag *d)
{
    struct restrict_set *s = &r->others;
    for (uint32_t i = s->first; i < s->first + s->count; i++)
        r->has_regular |= r->by[i] && r->table->columns[i].role == COLUMN_REGULAR;
    if (s->size == 0) return ERR_OK;
    if (indexed)
        r->uses_index = true;
    else if (!filtering_is_fine(o))
        return diag_fail(d, ERR_INVALID, "%s", refused);
    s->filtered = true;
    return ERR_OK;
}

/* Remembers each index that answers a part of what is filtered. */
static err_t indexes_found(struct restrictions *r, struct arena *a, struct diag *d)
{
    const struct restrict_set *sets[] = {&r->partition, &r->clustering, &r->others};
    uint32_t room = 0;
    for (uint32_t k = 0; k < r->table->column_count; k++)
        if (r->by[k]) room += places_of(r->by[k]) * r->table->index_count;
    if (!r->uses_index || room == 0) return ERR_OK;
    r->indexes = arena_take(a, room * sizeof *r->indexes);
    if (!r->indexes) return diag_fail(d, ERR_NO_MEMORY, "no memory for the indexes");
    for (uint32_t k = 0; k < COUNT_OF(sets); k++) {
        const struct restriction *before = NULL;
        for (uint32_t i = sets[k]->first; i < sets[k]->first + sets[k]->count; i++) {
            const struct restriction *one = sets[k]->filtered ? r->by[i] : NULL;
            if (!one || one == before) continue;
            before = one;
            for (uint32_t p = 0; p < places_of(one); p++)
                for (uint32_t n = 0; n < r->table->index_count; n++)
                    if (index_answers(&r->table->indexes[n], column_at(one, p), asked_of(one, p)))
                        r->indexes[r->index_count++] = (struct restrict_index){
                            &r->table->indexes[n], one, column_at(one, p), p};
        }
    }
    return ERR_OK;
}

/* Does something remain that neither the key nor one group of indexes answers? */
static bool remains(const struct restrictions *r)
{
    uint32_t filtered = (r->partition.filtered ? r->partition.size : 0) +
                        (r->clustering.filtered ? r->clustering.size : 0) +
                        (r->others.filtered ? r->others.size : 0);
    if (filtered == 0) return r->clustering.size > 0;
    for (uint32_t g = 0; g < r->table->index_count; g++)
        if (group_answers_set(r, g, &r->partition) && group_answers_set(r, g, &r->clustering) &&
            group_answers_set(r, g, &r->others))
            return false;
    return true;
}

err_t restrict_settle(struct restrictions *r, const struct restrict_options *o, struct arena *a,
                      struct diag *d)
{
    bool indexed = set_supported(r, &r->clustering) || set_supported(r, &r->partition) ||
                   set_supported(r, &r->others);
    err_t e = settle_partition(r, o, indexed, d);
    if (!e) e = settle_clustering(r, o, indexed, d);
    if (!e) e = settle_others(r, o, indexed, d);
    if (e) return e;
    if (r->uses_index && restrict_key_in(r))
        return diag_fail(d, ERR_INVALID,
                         "Select on indexed columns and with IN clause for the PRIMARY KEY are not "
                         "supported");
    r->needs_filtering = remains(r);
    r->keys_only =
        !r->key_range && r->clustering.size == r->clustering.count && r->clustering.only_equality;
    return indexes_found(r, a, d);
}

err_t restrict_check_filtering(const struct restrictions *r, const struct restrict_options *o,
                               struct diag *d)
{
    if (filtering_is_fine(o) || !(r->key_range || r->uses_index)) return ERR_OK;
    return r->needs_filtering ? diag_fail(d, ERR_INVALID, "%s", refused) : ERR_OK;
}
