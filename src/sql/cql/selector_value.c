/* Selectors over a row, and over a group of rows. */
#include "sql/cql/selector_int.h"

/* --- parts of values
 * ----------------------------------------------------------------------------------
 */

static err_t field_value(const struct cql_selector *s, struct cql_value *v)
{
    struct item_walk w = items_of_fields(s->items[0]->type, v->bytes);
    struct slice item = {0};
    for (uint32_t i = 0; i <= s->field; i++)
        if (!items_next(&w, &item)) item.at = NULL;
    *v = (struct cql_value){item, item.at ? CQL_SET : CQL_NULL};
    return ERR_OK;
}

static err_t key_of(const struct cql_selector *s, const struct cql_term *t,
                    const struct selecting *x, struct cql_value *out)
{
    const char *word = s->kind == SELECT_SLICE ? "slice" : "element";
    out->state = CQL_UNSET;
    if (!t) return ERR_OK;
    err_t e = cql_term_value(t, x->bound, x->a, out, x->d);
    if (e) return e;
    if (out->state == CQL_NULL || (out->state == CQL_UNSET && s->kind == SELECT_ELEMENT))
        return diag_fail(x->d, ERR_INVALID, "Invalid %s value for %s selection on %.*s",
                         out->state == CQL_NULL ? "null" : "unset", word,
                         SLICE_ARG(s->items[0]->name));
    return ERR_OK;
}

/* The element's place; -1: it is not there. */
static int64_t find_key(const struct type *t, struct slice collection, struct slice key,
                        struct slice *value)
{
    struct item_walk w = items_of_collection(t, collection);
    struct slice item;
    bool map = t->kind == TYPE_MAP;
    for (int64_t i = 0; items_next(&w, &item); i++) {
        *value = item;
        int c = cql_compare(t->items[0], item, key);
        if (map && !items_next(&w, value)) return -1;
        if (c >= 0) return c == 0 ? i : -1; /* they are sorted */
    }
    return -1;
}

/* The elements from..to, both included, as a range of places. */
static void find_range(const struct type *t, struct slice collection, const struct cql_value *from,
                       const struct cql_value *to, int64_t *first, int64_t *end)
{
    struct item_walk w = items_of_collection(t, collection);
    struct slice item, value;
    int64_t i = 0;
    *first = from->state == CQL_SET ? -1 : 0;
    *end = -1;
    for (; *end < 0 && items_next(&w, &item); i++) {
        if (*first < 0 && cql_compare(t->items[0], from->bytes, item) <= 0) *first = i;
        if (to->state == CQL_SET && cql_compare(t->items[0], item, to->bytes) > 0) *end = i;
        if (t->kind == TYPE_MAP && !items_next(&w, &value)) break;
    }
    if (*end < 0) *end = i;
    if (*first < 0) *first = *end;
    *first = MIN(*first, *end);
}

static err_t slice_value(const struct cql_selector *s, const struct selecting *x,
                         struct cql_value *v)
{
    const struct type *t = s->items[0]->type;
    struct cql_value from, to, *items;
    int64_t first, end;
    uint32_t count, step = t->kind == TYPE_MAP ? 2 : 1;
    err_t e = key_of(s, s->term, x, &from);
    if (!e) e = key_of(s, s->to, x, &to);
    if (e || v->state != CQL_SET || (from.state != CQL_SET && to.state != CQL_SET)) return e;
    find_range(t, v->bytes, &from, &to, &first, &end);
    if (first == end && cql_type_is_multicell(t)) {
        v->state = CQL_NULL;
        return ERR_OK;
    }
    e = cql_items(t, v->bytes, x->a, &items, &count, x->d);
    if (e) return e;
    return items_pack(t, items + first * step, (uint32_t)(end - first) * step, x->a, v, x->d);
}

static err_t element_value(const struct cql_selector *s, const struct selecting *x,
                           struct cql_value *v)
{
    struct cql_value key;
    struct slice found = {0};
    err_t e = key_of(s, s->term, x, &key);
    if (e || v->state != CQL_SET) return e;
    bool there = find_key(s->items[0]->type, v->bytes, key.bytes, &found) >= 0 && found.at;
    *v = (struct cql_value){there ? found : (struct slice){0}, there ? CQL_SET : CQL_NULL};
    return ERR_OK;
}

/* --- writetime and ttl
 * ----------------------------------------------------------------------------------
 */

struct times { /* of a column, or of the part that is looked at: places [first, end) */
    const struct cql_cell_times *cells;
    uint32_t first, end;
    bool many;
};

static err_t times_of(const struct cql_selector *s, const struct selecting *x, struct times *out);

static err_t times_inside(const struct cql_selector *s, const struct selecting *x,
                          struct times *out)
{
    const struct cql_selector *of = s->items[0];
    struct cql_value v, from, to;
    struct slice found;
    int64_t first = 0, end = 0;
    err_t e = times_of(of, x, out);
    if (!e) e = selector_eval(of, x, &v);
    if (e) return e;
    if (s->kind == SELECT_FIELD) {
        if (v.state == CQL_SET) e = field_value(s, &v);
        first = s->field;
        end = first + (v.state == CQL_SET);
    } else if (s->kind == SELECT_ELEMENT) {
        e = key_of(s, s->term, x, &from);
        if (e) return e;
        first = v.state == CQL_SET ? find_key(of->type, v.bytes, from.bytes, &found) : -1;
        end = first + 1;
        if (first < 0) first = end = 0;
    } else {
        e = key_of(s, s->term, x, &from);
        if (!e) e = key_of(s, s->to, x, &to);
        if (!e && v.state == CQL_SET) find_range(of->type, v.bytes, &from, &to, &first, &end);
    }
    if (e) return e;
    if (!out->many) { /* a frozen value has one time for all of it */
        if (first == end) out->end = out->first;
        return ERR_OK;
    }
    out->first = MIN((uint32_t)first, out->end);
    out->end = MIN((uint32_t)end, out->end);
    out->many = s->kind == SELECT_SLICE;
    return ERR_OK;
}

static err_t times_of(const struct cql_selector *s, const struct selecting *x, struct times *out)
{
    *out = (struct times){0};
    switch (s->kind) {
    case SELECT_COLUMN:
        if (!x->row || !x->row->times) return ERR_OK;
        out->cells = &x->row->times[s->column];
        out->end = out->cells->count;
        out->many = out->cells->multicell;
        return ERR_OK;
    case SELECT_FIELD:
    case SELECT_ELEMENT:
    case SELECT_SLICE: return times_inside(s, x, out);
    default: return ERR_OK;
    }
}

static bool time_at(const struct cql_selector *s, const struct times *t, uint32_t i, int64_t *v)
{
    bool ttl = s->times == NODE_TTL;
    if (ttl && !t->cells->ttls) return false;
    *v = ttl ? t->cells->ttls[i] : t->cells->timestamps[i];
    return ttl ? *v >= 0 : *v != INT64_MIN;
}

static err_t times_value(const struct cql_selector *s, const struct selecting *x,
                         struct cql_value *out)
{
    struct times t;
    int64_t v, best = INT64_MIN;
    bool list = type_is_collection(s->type), any = false;
    int size = s->times == NODE_TTL ? 4 : 8;
    *out = (struct cql_value){.state = CQL_NULL};
    err_t e = times_of(s->items[0], x, &t);
    if (e || t.first == t.end) return e;
    struct cql_value *items = list ? arena_take(x->a, (t.end - t.first) * sizeof(*items)) : NULL;
    if (list && !items) return term_no_room(x->d);
    for (uint32_t i = t.first; i < t.end; i++) {
        bool there = time_at(s, &t, i, &v);
        if (there) best = MAX(best, v);
        any |= there;
        if (!list) continue;
        items[i - t.first].state = CQL_NULL;
        if (there) e = put_be_value(x->a, (uint64_t)v, size, &items[i - t.first], x->d);
        if (e) return e;
    }
    if (list) return items_pack(s->type, items, t.end - t.first, x->a, out, x->d);
    return any ? put_be_value(x->a, (uint64_t)best, size, out, x->d) : ERR_OK;
}

/* --- evaluating
 * -----------------------------------------------------------------------------------
 */

static err_t call_value(const struct cql_selector *s, const struct selecting *x,
                        struct cql_value *out)
{
    struct cql_value few[4], *args = few;
    if (s->count > COUNT_OF(few)) args = arena_take(x->a, s->count * sizeof(*args));
    if (!args) return term_no_room(x->d);
    for (uint32_t i = 0; i < s->count; i++) {
        err_t e = selector_eval(s->items[i], x, &args[i]);
        if (e) return e;
    }
    return native_execute(s->call, args, x->bound, x->a, out, x->d);
}

static err_t nested_value(const struct cql_selector *s, const struct selecting *x,
                          struct cql_value *out)
{
    struct cql_value *items = arena_take(x->a, (s->count + 1u) * sizeof(*items));
    uint32_t count = s->count;
    if (!items) return term_no_room(x->d);
    for (uint32_t i = 0; i < s->count; i++) {
        items[i].state = CQL_NULL; /* a user type's field that was not named */
        err_t e = s->items[i] ? selector_eval(s->items[i], x, &items[i]) : ERR_OK;
        if (e) return e;
        bool key = s->type->kind == TYPE_SET || (s->type->kind == TYPE_MAP && i % 2 == 0);
        if (items[i].state != CQL_SET && key)
            return diag_fail(x->d, ERR_INVALID, "null is not supported inside collections");
    }
    if (type_is_collection(s->type)) count = items_sort(s->type, items, count, x->a);
    if (count == UINT32_MAX) return term_no_room(x->d);
    return items_pack(s->type, items, count, x->a, out, x->d);
}

static err_t eval_here(const struct cql_selector *s, const struct selecting *x,
                       struct cql_value *out)
{
    err_t e;
    switch (s->kind) {
    case SELECT_COLUMN:
        *out = x->row ? x->row->values[s->column] : (struct cql_value){.state = CQL_NULL};
        return ERR_OK;
    case SELECT_TERM: return cql_term_value(s->term, x->bound, x->a, out, x->d);
    case SELECT_CALL: return call_value(s, x, out);
    case SELECT_TIMES: return times_value(s, x, out);
    case SELECT_NESTED: return nested_value(s, x, out);
    default: break;
    }
    e = selector_eval(s->items[0], x, out);
    if (e || s->kind == SELECT_FORWARD) return e;
    if (s->kind == SELECT_ELEMENT) return element_value(s, x, out);
    if (s->kind == SELECT_SLICE) return slice_value(s, x, out);
    return out->state == CQL_SET ? field_value(s, out) : ERR_OK;
}

err_t selector_eval(const struct cql_selector *s, const struct selecting *x, struct cql_value *out)
{
    if (!x->slots) return eval_here(s, x, out);
    if (selector_is_aggregate(s))
        return aggregate_value(x->slots[s->slot].aggregate, x->a, out, x->d);
    if (s->aggregates) return eval_here(s, x, out);
    *out = x->slots[s->slot].first;
    return ERR_OK;
}

err_t cql_selector_value(const struct cql_selector *s, const struct cql_row *row,
                         const struct cql_bound *b, struct arena *a, struct cql_value *out,
                         struct diag *d)
{
    if (s->kind == SELECT_COLUMN) {
        *out = row->values[s->column];
        return ERR_OK;
    }
    struct selecting x = {row, b, a, d, NULL};
    return selector_eval(s, &x, out);
}

/* --- groups
 * ---------------------------------------------------------------------------------------
 */

struct cql_group {
    const struct cql_selector *const *selectors;
    struct group_slot **slots; /* by selector */
    uint32_t count;
    struct arena *a;
    bool begun; /* a row came */
};

static bool open_slots(struct cql_group *g, const struct cql_selector *s, struct group_slot *slots)
{
    if (selector_is_aggregate(s)) {
        slots[s->slot].aggregate = aggregate_new(s->call, g->a);
        return slots[s->slot].aggregate != NULL;
    }
    slots[s->slot].first.state = CQL_NULL;
    for (uint32_t i = 0; s->aggregates && i < s->count; i++)
        if (s->items[i] && !open_slots(g, s->items[i], slots)) return false;
    return true;
}

struct cql_group *cql_group_new(const struct cql_selector *const *selectors, uint32_t count,
                                struct arena *a)
{
    struct cql_group *g = arena_take(a, sizeof(*g));
    if (!g) return NULL;
    *g = (struct cql_group){.selectors = selectors, .count = count, .a = a};
    g->slots = arena_take(a, (count + 1u) * sizeof(*g->slots));
    for (uint32_t i = 0; g->slots && i < count; i++) {
        g->slots[i] = arena_take(a, (selectors[i]->slot_count + 1u) * sizeof(**g->slots));
        if (!g->slots[i] || !open_slots(g, selectors[i], g->slots[i])) return NULL;
    }
    return g->slots ? g : NULL;
}

/* The row is gone when the group ends: its value is kept in a block that only grows. */
static err_t keep_first(struct cql_group *g, struct group_slot *slot, const struct cql_value *v,
                        struct diag *d)
{
    slot->first = *v;
    if (v->state != CQL_SET) return ERR_OK;
    if (v->bytes.len > slot->cap || !slot->memory) {
        slot->cap = MAX(v->bytes.len, 2 * slot->cap + 16);
        slot->memory = arena_take_raw(g->a, slot->cap);
    }
    if (!slot->memory) return term_no_room(d);
    if (v->bytes.len) memcpy(slot->memory, v->bytes.at, v->bytes.len);
    slot->first.bytes = slice_make(slot->memory, v->bytes.len);
    return ERR_OK;
}

static err_t add_aggregate(const struct cql_selector *s, const struct selecting *x,
                           struct aggregate *g)
{
    struct cql_value arg = {.state = CQL_NULL};
    err_t e = s->count ? selector_eval(s->items[0], x, &arg) : ERR_OK;
    return e ? e : aggregate_add(g, &arg, x->d);
}

static err_t add_row(struct cql_group *g, const struct cql_selector *s, struct group_slot *slots,
                     const struct selecting *x)
{
    struct cql_value v;
    if (selector_is_aggregate(s))
        return x->row ? add_aggregate(s, x, slots[s->slot].aggregate) : ERR_OK;
    if (!s->aggregates) {
        if (g->begun) return ERR_OK;
        err_t e = selector_eval(s, x, &v);
        return e ? e : keep_first(g, &slots[s->slot], &v, x->d);
    }
    for (uint32_t i = 0; i < s->count; i++) {
        err_t e = s->items[i] ? add_row(g, s->items[i], slots, x) : ERR_OK;
        if (e) return e;
    }
    return ERR_OK;
}

/* Whether evaluating it needs memory: more than columns and what aggregates take of them. */
static bool is_plain(const struct cql_selector *s)
{
    if (s->kind == SELECT_COLUMN) return true;
    return selector_is_aggregate(s) && (!s->count || s->items[0]->kind == SELECT_COLUMN);
}

err_t cql_group_add(struct cql_group *g, const struct cql_row *row, const struct cql_bound *b,
                    struct diag *d)
{
    struct selecting x = {row, b, NULL, d, NULL};
    struct arena *scratch = NULL;
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < g->count; i++) {
        if (!is_plain(g->selectors[i]) && !scratch) {
            scratch = arena_new(TERM_BYTES_MAX);
            x.a = scratch;
            if (!scratch) e = term_no_room(d);
        }
        if (!e) e = add_row(g, g->selectors[i], g->slots[i], &x);
    }
    arena_free(scratch);
    g->begun = true;
    return e;
}

/* No row came: what stands beside aggregates is of a row of nulls. */
static err_t no_row(struct cql_group *g, const struct cql_bound *b, struct arena *a, struct diag *d)
{
    struct selecting x = {NULL, b, a, d, NULL};
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < g->count; i++) e = add_row(g, g->selectors[i], g->slots[i], &x);
    return e;
}

err_t cql_group_values(struct cql_group *g, const struct cql_bound *b, struct arena *a,
                       struct cql_value *out, struct diag *d)
{
    err_t e = g->begun ? ERR_OK : no_row(g, b, a, d);
    for (uint32_t i = 0; !e && i < g->count; i++) {
        struct selecting x = {NULL, b, a, d, g->slots[i]};
        e = selector_eval(g->selectors[i], &x, &out[i]);
    }
    return e;
}

static void reset_slots(const struct cql_selector *s, struct group_slot *slots)
{
    if (selector_is_aggregate(s)) {
        aggregate_reset(slots[s->slot].aggregate);
        return;
    }
    if (!s->aggregates) slots[s->slot].first = (struct cql_value){.state = CQL_NULL};
    for (uint32_t i = 0; s->aggregates && i < s->count; i++)
        if (s->items[i]) reset_slots(s->items[i], slots);
}

void cql_group_reset(struct cql_group *g)
{
    for (uint32_t i = 0; i < g->count; i++) reset_slots(g->selectors[i], g->slots[i]);
    g->begun = false;
}
