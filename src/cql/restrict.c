/* WHERE, prepared: each relation becomes a restriction of its columns, joined to what is there. */
#include "cql/restrict_int.h"

/* --- small things
 * ----------------------------------------------------------------------------------- */

static uint32_t columns_of(const struct store_table *t, enum column_role role)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->column_count; i++) n += t->columns[i].role == role;
    return n;
}

uint32_t restrict_key_columns(const struct store_table *t)
{
    return columns_of(t, COLUMN_PARTITION);
}

uint32_t restrict_clustering_columns(const struct store_table *t)
{
    return columns_of(t, COLUMN_CLUSTERING);
}

err_t restrict_column(const struct store_table *t, struct slice name,
                      const struct store_column **out, struct diag *d)
{
    *out = store_column_find(t, name);
    if (*out) return ERR_OK;
    struct buf b = buf_make(4096);
    cql_put_name(&b, name);
    buf_text(&b, " in table ");
    cql_put_name(&b, t->keyspace);
    buf_char(&b, '.');
    cql_put_name(&b, t->name);
    (void)diag_fail(d, ERR_INVALID, "Undefined column name %s", buf_cstr(&b));
    buf_done(&b);
    return ERR_INVALID;
}

static struct cql_receiver receiver_of(const struct store_table *t, const struct store_column *c)
{
    return (struct cql_receiver){t->keyspace, t->name, c->name, c->type};
}

static const struct type *type_made(struct arena *a, enum type_kind kind,
                                    const struct type *const *items, uint32_t count)
{
    struct type *t = arena_take(a, sizeof *t);
    const struct type **own = arena_take(a, count * sizeof(struct type *));
    if (!t || !own) return NULL;
    memcpy(own, items, count * sizeof(struct type *));
    *t = (struct type){.kind = kind, .frozen = true, .count = (uint16_t)count, .items = own};
    return t;
}

static err_t no_memory(struct diag *d)
{
    return diag_fail(d, ERR_NO_MEMORY, "no memory for the restrictions");
}

static bool has_duration(const struct type *t)
{
    if (t->kind == TYPE_DURATION) return true;
    for (uint32_t i = 0; i < t->count; i++)
        if (has_duration(t->items[i])) return true;
    return false;
}

/* --- one column
 * ------------------------------------------------------------------------------------- */

static bool is_collection(const struct type *t)
{
    return t->kind == TYPE_LIST || t->kind == TYPE_SET || t->kind == TYPE_MAP;
}

static err_t check_element(const struct relating *x, const struct store_column *c)
{
    const struct type *t = c->type;
    if (!x->r->element) return ERR_OK;
    if (t->kind == TYPE_LIST)
        return diag_fail(
            x->d, ERR_INVALID,
            "Indexes on list entries (%.*s[index] = value) are not currently supported.",
            SLICE_ARG(c->name));
    if (t->kind != TYPE_MAP)
        return diag_fail(x->d, ERR_INVALID, "Column %.*s cannot be used as a map",
                         SLICE_ARG(c->name));
    if (!cql_type_is_multicell(t))
        return diag_fail(
            x->d, ERR_INVALID,
            "Map-entry equality predicates on frozen map column %.*s are not supported",
            SLICE_ARG(c->name));
    if (x->r->op != CQL_EQ)
        return diag_fail(x->d, ERR_INVALID, "Only EQ relations are supported on map entries");
    return ERR_OK;
}

/* The checks of Cassandra's toReceivers. */
static err_t check_receiver(const struct relating *x, const struct store_column *c)
{
    const struct type *t = c->type;
    enum cql_operator op = x->r->op;
    bool contains = op == CQL_CONTAINS, contains_key = op == CQL_CONTAINS_KEY;
    if (contains_key && t->kind != TYPE_MAP)
        return diag_fail(x->d, ERR_INVALID, "Cannot use CONTAINS KEY on non-map column %.*s",
                         SLICE_ARG(c->name));
    if (contains && !is_collection(t))
        return diag_fail(x->d, ERR_INVALID, "Cannot use CONTAINS on non-collection column %.*s",
                         SLICE_ARG(c->name));
    err_t e = check_element(x, c);
    if (e || !cql_type_is_multicell(t)) return e;
    bool legal = contains || contains_key || (x->r->element && op == CQL_EQ);
    if (legal && is_collection(t)) return ERR_OK;
    struct buf b = buf_make(4096);
    cql_type_put(&b, t);
    if (t->kind == TYPE_STRUCT)
        e = diag_fail(x->d, ERR_INVALID,
                      "Non-frozen UDT column '%.*s' (%s) cannot be restricted by any relation",
                      SLICE_ARG(c->name), buf_cstr(&b));
    else
        e = diag_fail(x->d, ERR_INVALID,
                      "Collection column '%.*s' (%s) cannot be restricted by a '%s' relation",
                      SLICE_ARG(c->name), buf_cstr(&b), cql_operator_text(op));
    buf_done(&b);
    return e;
}

static err_t term_of(const struct relating *x, const struct cql_node *n,
                     const struct store_column *c, const struct cql_term **out)
{
    struct cql_receiver r = receiver_of(x->t, c);
    err_t e = cql_term_prepare(n, &r, &x->p->terms, out);
    if (!e) preparing_marker(x->p, *out, c);
    return e;
}

/* "key(m)", "value(m)": what an element of a collection is called. */
static err_t element_term(const struct relating *x, const struct cql_node *n,
                          const struct store_column *c, bool key, const struct cql_term **out)
{
    const struct type *t = c->type;
    bool map_value = t->kind == TYPE_MAP && !key;
    const char *word = t->kind == TYPE_MAP ? (key ? "key" : "value") : "value";
    const char *name = arena_printf(x->a, "%s(%.*s)", word, SLICE_ARG(c->name));
    if (!name) return no_memory(x->d);
    struct cql_receiver r = {x->t->keyspace, x->t->name, slice_of(name),
                             t->items[map_value ? 1 : 0]};
    return cql_term_prepare(n, &r, &x->p->terms, out);
}

static err_t contains_made(const struct relating *x, const struct store_column *c,
                           struct restriction *out)
{
    out->kind = RESTRICT_CONTAINS;
    out->contains = arena_take(x->a, sizeof *out->contains);
    if (!out->contains) return no_memory(x->d);
    out->contains_count = 1;
    struct restrict_contains *k = out->contains;
    if (x->r->element) {
        k->what = CONTAINS_ENTRY;
        err_t e = element_term(x, x->r->element, c, true, &k->key);
        return e ? e : element_term(x, x->r->value, c, false, &k->value);
    }
    bool key = x->r->op == CQL_CONTAINS_KEY;
    k->what = key ? CONTAINS_KEY : CONTAINS_VALUE;
    return element_term(x, x->r->value, c, key, key ? &k->key : &k->value);
}

static err_t in_made(const struct relating *x, const struct store_column *c,
                     struct restriction *out)
{
    const struct cql_relation *r = x->r;
    if (r->value) { /* IN ? */
        struct cql_receiver receiver = receiver_of(x->t, c);
        out->list_type = type_made(x->a, TYPE_LIST, &c->type, 1);
        if (!out->list_type) return no_memory(x->d);
        return cql_term_prepare_in(r->value, &receiver, &x->p->terms, &out->list);
    }
    out->values = arena_take(x->a, r->value_count * sizeof *out->values);
    if (!out->values) return no_memory(x->d);
    out->value_count = r->value_count;
    if (r->value_count == 1) out->kind = RESTRICT_EQ;
    for (uint32_t i = 0; i < r->value_count; i++) {
        err_t e = term_of(x, r->values[i], c, &out->values[i].whole);
        if (e) return e;
    }
    return ERR_OK;
}

static void slice_set(struct restriction *r, enum cql_operator op)
{
    int bound = op == CQL_GT || op == CQL_GE ? RESTRICT_START : RESTRICT_END;
    r->kind = RESTRICT_SLICE;
    r->has[bound] = true;
    r->inclusive[bound] = op == CQL_GE || op == CQL_LE;
}

static struct restrict_value *slice_value(struct restriction *r)
{
    return &r->bounds[r->has[RESTRICT_START] ? RESTRICT_START : RESTRICT_END];
}

static err_t check_duration(const struct relating *x, const struct store_column *c)
{
    const struct type *t = c->type;
    if (!has_duration(t)) return ERR_OK;
    const char *where = is_collection(t)         ? "collections containing durations"
                        : t->kind == TYPE_TUPLE  ? "tuples containing durations"
                        : t->kind == TYPE_STRUCT ? "UDTs containing durations"
                                                 : "duration columns";
    return diag_fail(x->d, ERR_INVALID, "Slice restrictions are not supported on %s", where);
}

static err_t single_made(const struct relating *x, struct restriction **out)
{
    const struct cql_relation *r = x->r;
    const struct store_column *c;
    err_t e = restrict_column(x->t, r->columns[0], &c, x->d);
    if (e) return e;
    if (!(*out = restriction_new(x, RESTRICT_EQ, &c, 1))) return no_memory(x->d);
    bool slice = r->op == CQL_LT || r->op == CQL_LE || r->op == CQL_GT || r->op == CQL_GE;
    if (slice && (e = check_duration(x, c))) return e;
    if ((e = check_receiver(x, c))) return e;
    if (r->element || r->op == CQL_CONTAINS || r->op == CQL_CONTAINS_KEY)
        return contains_made(x, c, *out);
    if (r->op == CQL_IN) {
        (*out)->kind = RESTRICT_IN;
        return in_made(x, c, *out);
    }
    if (slice) {
        slice_set(*out, r->op);
        return term_of(x, r->value, c, &slice_value(*out)->whole);
    }
    (*out)->values = arena_take(x->a, sizeof *(*out)->values);
    if (!(*out)->values) return no_memory(x->d);
    (*out)->value_count = 1;
    return term_of(x, r->value, c, &(*out)->values[0].whole);
}

/* --- several columns
 * -------------------------------------------------------------------------------- */

static err_t tuple_columns(const struct relating *x, const struct store_column **columns)
{
    const struct cql_relation *r = x->r;
    for (uint32_t i = 0; i < r->column_count; i++) {
        const struct store_column *c;
        err_t e = restrict_column(x->t, r->columns[i], &c, x->d);
        if (e) return e;
        if (c->role != COLUMN_CLUSTERING)
            return diag_fail(
                x->d, ERR_INVALID,
                "Multi-column relations can only be applied to clustering columns but was "
                "applied to: %.*s",
                SLICE_ARG(c->name));
        for (uint32_t k = 0; k < i; k++)
            if (columns[k] == c)
                return diag_fail(x->d, ERR_INVALID,
                                 "Column \"%.*s\" appeared twice in a relation: %.*s",
                                 SLICE_ARG(c->name), SLICE_ARG(r->text));
        if (i > 0 && c->position != columns[i - 1]->position + 1)
            return diag_fail(
                x->d, ERR_INVALID,
                "Clustering columns must appear in the PRIMARY KEY order in multi-column "
                "relations: %.*s",
                SLICE_ARG(r->text));
        columns[i] = c;
    }
    return ERR_OK;
}

/* What a marker for a whole tuple is called: "(a,b)", and for a list of them "in(a,b)". */
static err_t tuple_receiver(const struct relating *x, const struct restriction *r, bool list,
                            struct cql_receiver *out)
{
    struct buf b = buf_make(KIB(64));
    buf_text(&b, list ? "in(" : "(");
    for (uint32_t i = 0; i < r->column_count; i++) {
        if (i) buf_char(&b, ',');
        buf_slice(&b, r->columns[i]->name);
    }
    buf_char(&b, ')');
    *out = (struct cql_receiver){x->t->keyspace, x->t->name, arena_slice(x->a, buf_view(&b)),
                                 list ? r->list_type : r->tuple};
    buf_done(&b);
    return out->name.at && out->type ? ERR_OK : no_memory(x->d);
}

static err_t tuple_value(const struct relating *x, struct restriction *r, const struct cql_node *n,
                         struct restrict_value *out)
{
    if (n->kind == NODE_MARKER) {
        struct cql_receiver receiver;
        err_t e = tuple_receiver(x, r, false, &receiver);
        return e ? e : cql_term_prepare(n, &receiver, &x->p->terms, &out->whole);
    }
    const struct cql_node *one = n;
    const struct cql_node *const *args = n->kind == NODE_TUPLE ? n->args : &one;
    uint32_t count = n->kind == NODE_TUPLE ? n->count : 1;
    if (count != r->column_count)
        return diag_fail(x->d, ERR_INVALID, "Expected %u elements in value tuple, but got %u: %.*s",
                         r->column_count, count, SLICE_ARG(n->text));
    out->items = arena_take(x->a, count * sizeof(struct cql_term *));
    if (!out->items) return no_memory(x->d);
    out->item_count = count;
    for (uint32_t i = 0; i < count; i++) {
        err_t e = term_of(x, args[i], r->columns[i], &out->items[i]);
        if (e) return e;
    }
    return ERR_OK;
}

static err_t tuple_in(const struct relating *x, struct restriction *r)
{
    const struct cql_relation *from = x->r;
    r->kind = RESTRICT_IN;
    if (from->value) {
        struct cql_receiver receiver;
        r->list_type = type_made(x->a, TYPE_LIST, &r->tuple, 1);
        if (!r->list_type) return no_memory(x->d);
        err_t e = tuple_receiver(x, r, true, &receiver);
        return e ? e : cql_term_prepare(from->value, &receiver, &x->p->terms, &r->list);
    }
    r->values = arena_take(x->a, from->value_count * sizeof *r->values);
    if (!r->values) return no_memory(x->d);
    r->value_count = from->value_count;
    if (r->value_count == 1) r->kind = RESTRICT_EQ;
    for (uint32_t i = 0; i < from->value_count; i++) {
        err_t e = tuple_value(x, r, from->values[i], &r->values[i]);
        if (e) return e;
    }
    return ERR_OK;
}

static const struct type *tuple_type(struct arena *a, const struct store_column *const *columns,
                                     uint32_t count)
{
    const struct type **items = arena_take(a, count * sizeof(struct type *));
    for (uint32_t i = 0; items && i < count; i++) items[i] = columns[i]->type;
    return items ? type_made(a, TYPE_TUPLE, items, count) : NULL;
}

static err_t tuple_made(const struct relating *x, struct restriction **out)
{
    const struct cql_relation *r = x->r;
    const struct store_column **columns =
        arena_take(x->a, r->column_count * sizeof(struct store_column *));
    if (!columns) return no_memory(x->d);
    if (r->op == CQL_CONTAINS || r->op == CQL_CONTAINS_KEY)
        return diag_fail(x->d, ERR_INVALID, "%s cannot be used for multi-column relations",
                         cql_operator_text(r->op));
    err_t e = tuple_columns(x, columns);
    if (e) return e;
    *out = restriction_new(x, RESTRICT_EQ, columns, r->column_count);
    if (!*out) return no_memory(x->d);
    (*out)->multi = true;
    (*out)->tuple = tuple_type(x->a, columns, r->column_count);
    if (!(*out)->tuple) return no_memory(x->d);
    if (r->op == CQL_IN) return tuple_in(x, *out);
    if (r->op != CQL_EQ) {
        slice_set(*out, r->op);
        return tuple_value(x, *out, r->value, slice_value(*out));
    }
    (*out)->values = arena_take(x->a, sizeof *(*out)->values);
    if (!(*out)->values) return no_memory(x->d);
    (*out)->value_count = 1;
    return tuple_value(x, *out, r->value, &(*out)->values[0]);
}

/* --- token(…)
 * --------------------------------------------------------------------------------------- */

static err_t token_columns(const struct relating *x)
{
    const struct cql_relation *r = x->r;
    uint32_t keys = x->all->partition.count, in_order = 0, seen = 0;
    const struct store_column *c;
    bool twice = false, others = false;
    for (uint32_t i = 0; i < r->column_count; i++) {
        err_t e = restrict_column(x->t, r->columns[i], &c, x->d);
        if (e) return e;
        in_order += i < keys && c == &x->t->columns[i];
        others |= c->role != COLUMN_PARTITION;
        for (uint32_t k = 0; k < i; k++) twice |= slice_equal(r->columns[k], r->columns[i]);
    }
    if (r->column_count == keys && in_order == keys) return ERR_OK;
    for (uint32_t k = 0; k < keys; k++)
        for (uint32_t i = 0; i < r->column_count; i++)
            if (slice_equal(r->columns[i], x->t->columns[k].name)) {
                seen++;
                break;
            }
    if (seen < keys)
        return diag_fail(
            x->d, ERR_INVALID,
            "The token() function must be applied to all partition key components or none "
            "of them");
    if (twice)
        return diag_fail(x->d, ERR_INVALID,
                         "The token() function contains duplicate partition key components");
    if (others)
        return diag_fail(x->d, ERR_INVALID,
                         "The token() function must contains only partition key components");
    struct buf b = buf_make(KIB(64));
    restrict_put_names(&b, x->t, keys);
    err_t e = diag_fail(x->d, ERR_INVALID,
                        "The token function arguments must be in the partition key order: %s",
                        buf_cstr(&b));
    buf_done(&b);
    return e;
}

static err_t token_made(const struct relating *x, struct restriction **out)
{
    const struct cql_relation *r = x->r;
    if (r->op == CQL_IN || r->op == CQL_CONTAINS || r->op == CQL_CONTAINS_KEY)
        return diag_fail(x->d, ERR_INVALID, "%s cannot be used with the token function",
                         cql_operator_text(r->op));
    err_t e = token_columns(x);
    if (e) return e;
    const struct store_column *first = &x->t->columns[0];
    *out = restriction_new(x, RESTRICT_EQ, &first, 1);
    if (!*out) return no_memory(x->d);
    (*out)->values = arena_take(x->a, sizeof *(*out)->values);
    if (!(*out)->values) return no_memory(x->d);
    (*out)->value_count = 1;
    struct restrict_value *value = &(*out)->values[0];
    if (r->op != CQL_EQ) {
        slice_set(*out, r->op);
        value = slice_value(*out);
    }
    struct cql_receiver receiver = {x->t->keyspace, x->t->name, SLICE("partition key token"),
                                    type_of(TYPE_BIGINT)};
    return cql_term_prepare(r->value, &receiver, &x->p->terms, &value->whole);
}

/* --- all of them
 * ------------------------------------------------------------------------------------ */

static err_t relate(struct relating *x)
{
    const struct cql_relation *r = x->r;
    struct restriction *made = NULL;
    err_t e;
    switch (r->op) {
    case CQL_NE:
        return diag_fail(x->d, ERR_INVALID, "Unsupported \"!=\" relation: %.*s",
                         SLICE_ARG(r->text));
    case CQL_IS_NOT_NULL:
        return diag_fail(x->d, ERR_INVALID, "Unsupported restriction: %.*s", SLICE_ARG(r->text));
    case CQL_LIKE:
        return diag_fail(
            x->d, ERR_INVALID,
            "LIKE restriction is only supported on properly indexed columns. %.*s is not "
            "valid.",
            SLICE_ARG(r->text));
    case CQL_ANN: return diag_fail(x->d, ERR_INVALID, "ANN is only supported in ORDER BY");
    case CQL_NOT_IN:
    case CQL_NOT_CONTAINS:
    case CQL_NOT_CONTAINS_KEY:
    case CQL_NOT_LIKE:
    case CQL_BETWEEN:
        return diag_fail(x->d, ERR_INVALID, "Unsupported restriction: %.*s", SLICE_ARG(r->text));
    default: break;
    }
    if (r->on == RELATE_TOKEN) {
        e = token_made(x, &made);
        return e ? e : restrict_add_token(x, made);
    }
    e = r->on == RELATE_TUPLE ? tuple_made(x, &made) : single_made(x, &made);
    return e ? e : restrict_add(x, made);
}

err_t restrict_prepare(struct cql_preparing *p, const struct store_table *t,
                       const struct cql_relation *where, uint32_t count,
                       const struct restrict_options *o, struct restrictions **out)
{
    struct arena *a = p->terms.arena;
    struct restrictions *all = arena_take(a, sizeof *all);
    struct relating x = {.p = p, .t = t, .all = all, .o = o, .d = p->terms.d, .a = a};
    if (!all || !(all->by = arena_take(a, t->column_count * sizeof(struct restriction *))))
        return no_memory(p->terms.d);
    uint32_t keys = restrict_key_columns(t), clustering = restrict_clustering_columns(t);
    all->table = t;
    all->partition = (struct restrict_set){.count = keys, .only_equality = true};
    all->clustering =
        (struct restrict_set){.first = keys, .count = clustering, .only_equality = true};
    all->others = (struct restrict_set){.first = keys + clustering,
                                        .count = t->column_count - keys - clustering,
                                        .only_equality = true};
    for (uint32_t i = 0; i < count; i++) {
        x.r = &where[i];
        err_t e = relate(&x);
        if (e) return e;
    }
    *out = all;
    return restrict_settle(all, o, a, p->terms.d);
}

bool restrict_key_in(const struct restrictions *r)
{
    return !r->on_token && r->partition.has_in;
}

bool restrict_is_eq(const struct restrictions *r, uint32_t column)
{
    return r->by[column] && r->by[column]->kind == RESTRICT_EQ;
}
