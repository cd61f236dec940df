/* WHERE of UPDATE and DELETE, and the key of an INSERT: which rows, as far as it is known without
 * values. What is allowed, and the words where it is not, are Cassandra's. */
#include "cql/write_int.h"

struct where { /* while it is made */
    struct write_preparing *w;
    struct arena *a;
    struct diag *d;
    const struct store_column *columns;         /* of the table: the key's come first */
    uint32_t partition_count, clustering_count; /* how many the table has */
    struct write_restriction **by_column; /* of the key; a tuple's stands at each of its columns */
    const struct store_column **others;   /* not of the key */
    uint32_t other_count;
    struct write_restriction *last; /* among clustering ones: of the last column restricted */
    bool token;
};

static const char *kind_name(const struct where *x)
{
    enum cql_kind k = x->w->plan->kind;
    return k == CQL_INSERT ? "INSERT" : k == CQL_UPDATE ? "UPDATE" : "DELETE";
}

static uint32_t place(const struct where *x, const struct store_column *c)
{
    return (uint32_t)(c - x->columns);
}

static err_t no_memory(struct where *x)
{
    return diag_fail(x->d, ERR_NO_MEMORY, "no memory for the statement");
}

/* --- merging: two relations on one column
 * --------------------------------------------------------------- */

static const char *in_common(struct where *x, const struct write_restriction *a,
                             const struct write_restriction *b)
{
    const char *text = "";
    for (uint32_t i = 0; i < a->count; i++)
        for (uint32_t j = 0; j < b->count; j++)
            if (a->columns[i] == b->columns[j]) {
                const char *more = arena_printf(x->a, "%s%s%.*s", text, *text ? " ," : "",
                                                SLICE_ARG(a->columns[i]->name));
                text = more ? more : text;
            }
    return text;
}

static err_t merge_slices(struct where *x, struct write_restriction *old,
                          const struct write_restriction *more)
{
    if (old->columns[0] != more->columns[0]) {
        const struct store_column *later =
            MAX(old->columns[0], more->columns[0]); /* neighbours of one array */
        return diag_fail(x->d, ERR_INVALID,
                         "Column \"%.*s\" cannot be restricted by two inequalities not starting "
                         "with the same column",
                         SLICE_ARG(later->name));
    }
    if (old->low.value && more->low.value)
        return diag_fail(x->d, ERR_INVALID,
                         "More than one restriction was found for the start bound on %s",
                         in_common(x, old, more));
    if (old->high.value && more->high.value)
        return diag_fail(x->d, ERR_INVALID,
                         "More than one restriction was found for the end bound on %s",
                         in_common(x, old, more));
    if (more->low.value) old->low = more->low;
    if (more->high.value) old->high = more->high;
    old->tuple |= more->tuple;
    if (more->count > old->count) {
        old->columns = more->columns;
        old->count = more->count;
    }
    return ERR_OK;
}

static err_t merge(struct where *x, struct write_restriction *old,
                   const struct write_restriction *more)
{
    const char *common = in_common(x, old, more);
    if (old->kind == RESTRICT_EQ)
        return diag_fail(
            x->d, ERR_INVALID,
            "%s cannot be restricted by more than one relation if it includes an Equal", common);
    if (old->kind == RESTRICT_IN)
        return diag_fail(x->d, ERR_INVALID,
                         "%s cannot be restricted by more than one relation if it includes a IN",
                         common);
    if (more->kind != RESTRICT_SLICE)
        return diag_fail(x->d, ERR_INVALID,
                         "Column \"%s\" cannot be restricted by both an equality and an inequality "
                         "relation",
                         common);
    return merge_slices(x, old, more);
}

static err_t check_clustering_order(struct where *x, const struct write_restriction *r)
{
    const struct write_restriction *last = x->last;
    if (!last) return ERR_OK;
    uint32_t at = place(x, r->columns[0]), before = place(x, last->columns[0]);
    if (last->kind == RESTRICT_SLICE && at > before)
        return diag_fail(x->d, ERR_INVALID,
                         "Clustering column \"%.*s\" cannot be restricted (preceding column "
                         "\"%.*s\" is restricted by a non-EQ relation)",
                         SLICE_ARG(r->columns[0]->name), SLICE_ARG(last->columns[0]->name));
    if (at >= before || r->kind != RESTRICT_SLICE) return ERR_OK;
    uint32_t next = at + 1;
    while (!x->by_column[next]) next++;
    return diag_fail(x->d, ERR_INVALID,
                     "PRIMARY KEY column \"%.*s\" cannot be restricted (preceding column \"%.*s\" "
                     "is restricted by a non-EQ relation)",
                     SLICE_ARG(x->columns[next].name), SLICE_ARG(r->columns[0]->name));
}

static err_t add(struct where *x, struct write_restriction *r)
{
    uint32_t first = place(x, r->columns[0]);
    struct write_restriction *old = NULL;
    for (uint32_t i = 0; i < r->count && !old; i++) old = x->by_column[first + i];
    err_t e = old ? merge(x, old, r) : ERR_OK;
    if (e) return e;
    struct write_restriction *now = old ? old : r;
    for (uint32_t i = 0; i < r->count; i++) x->by_column[first + i] = now;
    if (r->columns[0]->role != COLUMN_CLUSTERING) return ERR_OK;
    e = check_clustering_order(x, r);
    if (!x->last || place(x, x->last->columns[0]) <= first) x->last = now;
    return e;
}

/* --- values
 * ------------------------------------------------------------------------------------------------
 */

static err_t prepare_part(struct where *x, const struct cql_node *n, const struct store_column *c,
                          struct write_term *out)
{
    return write_prepare_column(x->w, n, c, &out->term);
}

/* The receiver of one marker for several columns: "(a,b)", a tuple; or for IN ?, "a,b". */
static err_t tuple_receiver(struct where *x, const struct write_restriction *r, bool in,
                            struct cql_receiver *out)
{
    struct type *t = arena_take(x->a, sizeof(*t));
    const struct type **items = arena_take(x->a, r->count * sizeof(const struct type *));
    const char *name = in ? "" : "(";
    if (!t || !items) return no_memory(x);
    for (uint32_t i = 0; i < r->count && name; i++) {
        items[i] = r->columns[i]->type;
        name = arena_printf(x->a, "%s%.*s%s", name, SLICE_ARG(r->columns[i]->name),
                            i + 1 < r->count ? ","
                            : in             ? ""
                                             : ")");
    }
    *t = (struct type){
        .kind = TYPE_TUPLE, .frozen = true, .count = (uint16_t)r->count, .items = items};
    *out = (struct cql_receiver){x->w->table->keyspace, x->w->table->name, slice_of(name), t};
    return name ? ERR_OK : no_memory(x);
}

static err_t prepare_tuple(struct where *x, const struct write_restriction *r,
                           const struct cql_node *n, struct write_tuple *out)
{
    if (r->tuple && n->kind == NODE_MARKER) {
        struct cql_receiver receiver;
        err_t e = tuple_receiver(x, r, false, &receiver);
        return e ? e : write_prepare_term(x->w, n, receiver, &out->whole.term);
    }
    bool literal = r->tuple && n->kind == NODE_TUPLE;
    uint32_t count = literal ? n->count : 1;
    if (count != r->count)
        return diag_fail(x->d, ERR_INVALID, "Expected %u elements in value tuple, but got %u: %.*s",
                         r->count, count, SLICE_ARG(n->text));
    struct write_term *parts = arena_take(x->a, count * sizeof(*parts));
    if (!parts) return no_memory(x);
    out->parts = parts;
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < count; i++)
        e = prepare_part(x, literal ? n->args[i] : n, r->columns[i], &parts[i]);
    return e;
}

static err_t prepare_in_marker(struct where *x, struct write_restriction *r,
                               const struct cql_node *n)
{
    struct cql_receiver *receiver = arena_take(x->a, sizeof(*receiver));
    if (!receiver) return no_memory(x);
    *receiver = write_receiver(x->w->table, r->columns[0]);
    err_t e = r->tuple ? tuple_receiver(x, r, true, receiver) : ERR_OK;
    return e ? e : cql_term_prepare_in(n, receiver, &x->w->p->terms, &r->in);
}

static err_t prepare_values(struct where *x, struct write_restriction *r,
                            const struct cql_node *const *values, uint32_t count)
{
    struct write_tuple *tuples = arena_take(x->a, (count + 1) * sizeof(*tuples));
    if (!tuples) return no_memory(x);
    r->values = tuples;
    r->value_count = count;
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < count; i++) e = prepare_tuple(x, r, values[i], &tuples[i]);
    return e;
}

static err_t prepare_slice(struct where *x, struct write_restriction *r,
                           const struct cql_relation *q)
{
    struct write_tuple *value = arena_take(x->a, sizeof(*value));
    if (!value) return no_memory(x);
    bool low = q->op == CQL_GT || q->op == CQL_GE;
    struct write_side side = {
        .value = value, .count = r->count, .inclusive = q->op == CQL_GE || q->op == CQL_LE};
    *(low ? &r->low : &r->high) = side;
    r->kind = RESTRICT_SLICE;
    return prepare_tuple(x, r, q->value, value);
}

static err_t prepare_relation(struct where *x, struct write_restriction *r,
                              const struct cql_relation *q)
{
    switch (q->op) {
    case CQL_EQ: r->kind = RESTRICT_EQ; return prepare_values(x, r, &q->value, 1);
    case CQL_IN:
        r->kind = q->value || q->value_count != 1 ? RESTRICT_IN : RESTRICT_EQ;
        if (q->value) return prepare_in_marker(x, r, q->value);
        return prepare_values(x, r, q->values, q->value_count);
    case CQL_LT:
    case CQL_LE:
    case CQL_GT:
    case CQL_GE: return prepare_slice(x, r, q);
    case CQL_CONTAINS:
    case CQL_CONTAINS_KEY:
        return diag_fail(x->d, ERR_INVALID, "Cannot use %s with %s", kind_name(x),
                         cql_operator_text(q->op));
    case CQL_LIKE:
        return diag_fail(x->d, ERR_INVALID,
                         "LIKE restriction is only supported on properly indexed columns. %.*s is "
                         "not valid.",
                         SLICE_ARG(q->text));
    case CQL_NE:
        return diag_fail(x->d, ERR_INVALID, "Unsupported \"!=\" relation: %.*s",
                         SLICE_ARG(q->text));
    default:
        return diag_fail(x->d, ERR_INVALID, "Unsupported restriction: %.*s", SLICE_ARG(q->text));
    }
}

/* --- relations
 * -------------------------------------------------------------------------------------------------
 */

static bool duration_in(const struct type *t)
{
    if (t->kind == TYPE_DURATION) return true;
    for (uint32_t i = 0; i < t->count; i++)
        if (duration_in(t->items[i])) return true;
    return false;
}

static err_t refuse_duration(struct where *x, const struct type *t)
{
    if (t->kind == TYPE_DURATION)
        return diag_fail(x->d, ERR_INVALID,
                         "Slice restrictions are not supported on duration columns");
    return diag_fail(x->d, ERR_INVALID,
                     "Slice restrictions are not supported on %s containing durations",
                     t->kind == TYPE_TUPLE    ? "tuples"
                     : t->kind == TYPE_STRUCT ? "UDTs"
                                              : "collections");
}

static err_t restrict_column(struct where *x, const struct cql_relation *q)
{
    const struct store_column *c = write_column(x->w->table, q->columns[0], x->d);
    if (!c) return ERR_INVALID;
    if (q->op == CQL_CONTAINS || q->op == CQL_CONTAINS_KEY || q->op == CQL_IS_NOT_NULL) {
        struct write_restriction none = {0};
        return prepare_relation(x, &none, q);
    }
    if (q->element && c->type->kind != TYPE_MAP)
        return diag_fail(x->d, ERR_INVALID, "Column %.*s cannot be used as a map",
                         SLICE_ARG(c->name));
    bool slice = q->op == CQL_LT || q->op == CQL_LE || q->op == CQL_GT || q->op == CQL_GE;
    if (slice && duration_in(c->type)) return refuse_duration(x, c->type);
    if (c->role != COLUMN_PARTITION && c->role != COLUMN_CLUSTERING) {
        x->others[x->other_count++] = c;
        return ERR_OK;
    }
    struct write_restriction *r = arena_take(x->a, sizeof(*r));
    const struct store_column **columns = arena_take(x->a, sizeof(const struct store_column *));
    if (!r || !columns) return no_memory(x);
    columns[0] = c;
    r->columns = columns;
    r->count = 1;
    err_t e = prepare_relation(x, r, q);
    return e ? e : add(x, r);
}

static err_t restrict_tuple(struct where *x, const struct cql_relation *q)
{
    struct write_restriction *r = arena_take(x->a, sizeof(*r));
    const struct store_column **columns =
        arena_take(x->a, q->column_count * sizeof(const struct store_column *));
    if (!r || !columns) return no_memory(x);
    r->tuple = true;
    r->columns = columns;
    r->count = q->column_count;
    for (uint32_t i = 0; i < q->column_count; i++) {
        const struct store_column *c = write_column(x->w->table, q->columns[i], x->d);
        if (!c) return ERR_INVALID;
        if (c->role != COLUMN_CLUSTERING)
            return diag_fail(x->d, ERR_INVALID,
                             "Multi-column relations can only be applied to clustering columns but "
                             "was applied to: %.*s",
                             SLICE_ARG(c->name));
        for (uint32_t j = 0; j < i; j++)
            if (columns[j] == c)
                return diag_fail(x->d, ERR_INVALID,
                                 "Column \"%.*s\" appeared twice in a relation: %.*s",
                                 SLICE_ARG(c->name), SLICE_ARG(q->text));
        if (i && c != columns[i - 1] + 1)
            return diag_fail(x->d, ERR_INVALID,
                             "Clustering columns must appear in the PRIMARY KEY order in "
                             "multi-column relations: %.*s",
                             SLICE_ARG(q->text));
        columns[i] = c;
    }
    err_t e = prepare_relation(x, r, q);
    return e ? e : add(x, r);
}

/* --- the whole
 * ---------------------------------------------------------------------------------------------------
 */

static const char *missing(struct where *x, uint32_t from, uint32_t to)
{
    const char *text = NULL;
    for (uint32_t i = from; i < to; i++)
        if (!x->by_column[i])
            text = arena_printf(x->a, "%s%s%.*s", text ? text : "", text ? ", " : "",
                                SLICE_ARG(x->columns[i].name));
    return text;
}

static err_t check_partition(struct where *x)
{
    if (x->token)
        return diag_fail(x->d, ERR_INVALID,
                         "The token function cannot be used in WHERE clauses for %s statements",
                         kind_name(x));
    const char *parts = missing(x, 0, x->partition_count);
    if (parts)
        return diag_fail(x->d, ERR_INVALID, "Some partition key parts are missing: %s", parts);
    for (uint32_t i = 0; i < x->partition_count; i++)
        if (x->by_column[i]->kind == RESTRICT_SLICE)
            return diag_fail(x->d, ERR_INVALID,
                             "Only EQ and IN relation are supported on the partition key (unless "
                             "you use the token() function) for %s statements",
                             kind_name(x));
    return ERR_OK;
}

static err_t check_clustering(struct where *x, bool only_statics)
{
    uint32_t from = x->partition_count, to = from + x->clustering_count;
    enum cql_kind kind = x->w->plan->kind;
    if (only_statics && x->last && kind != CQL_INSERT)
        return diag_fail(x->d, ERR_INVALID,
                         "Invalid restrictions on clustering columns since the %s statement "
                         "modifies only static columns",
                         kind_name(x));
    if (kind == CQL_DELETE) {
        for (uint32_t i = from + 1; i < to; i++)
            if (x->by_column[i] && !x->by_column[i - 1])
                return diag_fail(x->d, ERR_INVALID,
                                 "PRIMARY KEY column \"%.*s\" cannot be restricted as preceding "
                                 "column \"%.*s\" is not restricted",
                                 SLICE_ARG(x->columns[i].name), SLICE_ARG(x->columns[i - 1].name));
        return ERR_OK;
    }
    for (uint32_t i = from; i < to; i++)
        if (x->by_column[i] && x->by_column[i]->kind == RESTRICT_SLICE)
            return diag_fail(x->d, ERR_INVALID,
                             "Slice restrictions are not supported on the clustering columns in %s "
                             "statements",
                             kind_name(x));
    const char *keys = missing(x, from, to);
    if (!only_statics && keys)
        return diag_fail(x->d, ERR_INVALID, "Some clustering keys are missing: %s", keys);
    return ERR_OK;
}

static err_t check_others(struct where *x)
{
    if (x->other_count == 0) return ERR_OK;
    const char *names = "";
    const struct store_column *last = NULL;
    for (uint32_t i = 0; i < x->w->table->column_count; i++) /* by name, each once */
        for (uint32_t j = 0; j < x->other_count; j++)
            if (x->others[j] == &x->columns[i] && last != &x->columns[i]) {
                const char *more = arena_printf(x->a, "%s%s%.*s", names, last ? ", " : "",
                                                SLICE_ARG(x->columns[i].name));
                names = more ? more : names;
                last = &x->columns[i];
            }
    return diag_fail(x->d, ERR_INVALID, "Non PRIMARY KEY columns found in where clause: %s ",
                     names);
}

static bool is_plain(const struct write_restriction *r)
{
    return r && r->kind == RESTRICT_EQ && !r->tuple;
}

static err_t finish(struct where *x)
{
    struct write_where *out = &x->w->plan->where;
    uint32_t keys = x->partition_count + x->clustering_count;
    struct write_restriction *all = arena_take(x->a, (keys + 1) * sizeof(*all));
    struct write_term *plain = arena_take(x->a, (keys + 1) * sizeof(*plain));
    if (!all || !plain) return no_memory(x);
    bool is_all_plain = true;
    for (uint32_t i = 0; i < keys; i++) {
        is_all_plain &= is_plain(x->by_column[i]);
        if (is_all_plain) plain[i] = x->by_column[i]->values[0].parts[0];
    }
    out->plain = is_all_plain ? plain : NULL;
    out->partition = all;
    out->clustering = all + x->partition_count;
    for (uint32_t i = 0; i < x->partition_count; i++) {
        all[i] = *x->by_column[i];
        out->partition_in |= all[i].kind == RESTRICT_IN;
    }
    for (uint32_t i = x->partition_count; i < keys && x->by_column[i];) {
        struct write_restriction *r = &all[x->partition_count + out->clustering_count++];
        *r = *x->by_column[i];
        i += r->count;
        out->clustering_columns += r->count;
        out->clustering_in |= r->kind == RESTRICT_IN;
        out->clustering_slice |= r->kind == RESTRICT_SLICE;
    }
    return ERR_OK;
}

static err_t where_make(struct where *x, struct write_preparing *w, uint32_t relations)
{
    struct arena *a = w->p->terms.arena;
    *x = (struct where){.w = w,
                        .a = a,
                        .d = w->p->terms.d,
                        .columns = w->table->columns,
                        .partition_count = w->plan->partition_columns,
                        .clustering_count = w->plan->clustering_columns};
    uint32_t keys = x->partition_count + x->clustering_count;
    x->by_column = arena_take(a, (keys + 1) * sizeof(struct write_restriction *));
    x->others = arena_take(a, (relations + 1) * sizeof(const struct store_column *));
    return x->by_column && x->others ? ERR_OK : no_memory(x);
}

static err_t where_check(struct where *x, bool only_statics)
{
    err_t e = check_partition(x);
    if (!e) e = check_clustering(x, only_statics);
    if (!e) e = check_others(x);
    return e ? e : finish(x);
}

err_t write_where_prepare(struct write_preparing *w, const struct cql_relation *relations,
                          uint32_t count, bool only_statics)
{
    struct where x;
    err_t e = where_make(&x, w, count);
    for (uint32_t i = 0; !e && i < count; i++) {
        const struct cql_relation *q = &relations[i];
        switch (q->on) {
        case RELATE_COLUMN: e = restrict_column(&x, q); break;
        case RELATE_TUPLE: e = restrict_tuple(&x, q); break;
        case RELATE_TOKEN: x.token = true; break;
        }
    }
    return e ? e : where_check(&x, only_statics);
}

err_t write_where_insert(struct write_preparing *w, const struct write_term *key, bool only_statics)
{
    struct where x;
    err_t e = where_make(&x, w, 0);
    uint32_t keys = x.partition_count + x.clustering_count;
    for (uint32_t i = 0; !e && i < keys; i++) {
        if (!key[i].term && key[i].json == UINT32_MAX) continue;
        struct write_restriction *r = arena_take(x.a, sizeof(*r));
        struct write_tuple *value = arena_take(x.a, sizeof(*value));
        const struct store_column **columns = arena_take(x.a, sizeof(const struct store_column *));
        if (!r || !value || !columns) return no_memory(&x);
        columns[0] = &x.columns[i];
        value->parts = &key[i];
        *r = (struct write_restriction){
            .kind = RESTRICT_EQ, .columns = columns, .count = 1, .values = value, .value_count = 1};
        e = add(&x, r);
    }
    return e ? e : where_check(&x, only_statics);
}
