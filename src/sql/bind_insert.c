/* INSERT: constants by column. */
#include "sql/bind.h"

static bool item_value(struct binder *b, const struct tree *t, const struct type *type,
                       const struct eval_context *x, const char *what, struct value *out);

/* [1, 2], {1, 2}, {'a': 1}, (1, 'x') */
static bool nested_value(struct binder *b, const struct tree *t, const struct type *type,
                         const struct eval_context *x, const char *what, struct value *out)
{
    bool empty = t->count == 0 && t->kind == TREE_SET; /* {} is an empty map too */
    bool fits = (t->kind == TREE_LIST && type->kind == TYPE_LIST) ||
                (t->kind == TREE_SET && type->kind == TYPE_SET) ||
                ((t->kind == TREE_MAP || empty) && type->kind == TYPE_MAP) ||
                (t->kind == TREE_TUPLE && type->kind == TYPE_TUPLE && t->count == type->count);
    if (!fits) {
        bind_fail(b, t->text, ERR_TYPE, "%s: this does not fit %s", what, bind_type_name(b, type));
        return false;
    }
    struct value *items = bind_take(b, t->count * sizeof(*items));
    for (uint32_t i = 0; items && i < t->count; i++) {
        const struct type *item = type->kind == TYPE_MAP     ? type->items[i % 2]
                                  : type->kind == TYPE_TUPLE ? type->items[i]
                                                             : type->items[0];
        if (!item_value(b, t->args[i], item, x, what, &items[i])) return false;
    }
    struct diag d = {0};
    err_t e = b->err ? b->err : value_make(type, items, t->count, b->arena, out, &d);
    if (e) bind_fail(b, t->text, e, "%s: %s", what, d.what[0] ? d.what : err_text(e));
    return !b->err;
}

/* now() and uuid() are evaluated here, with the context given. */
static bool fresh_value(struct binder *b, const struct expr *e, const struct eval_context *x,
                        struct value *out)
{
    struct column_batch batch;
    struct column result;
    err_t err = batch_init(&batch, NULL, 0, 1, b->arena);
    if (!err) err = expr_eval(e, x, &batch, &result);
    const struct row_fault *fault = err ? NULL : batch_fault_of(&batch, 0);
    if (err || fault) {
        bind_fail(b, e->text, err ? err : fault->err, "%s", err ? err_text(err) : fault->text);
        return false;
    }
    column_get(&result, 0, out);
    return true;
}

static bool item_value(struct binder *b, const struct tree *t, const struct type *type,
                       const struct eval_context *x, const char *what, struct value *out)
{
    if (t->kind == TREE_LIST || t->kind == TREE_SET || t->kind == TREE_MAP || t->kind == TREE_TUPLE)
        return nested_value(b, t, type, x, what, out);
    struct expr *e = bind_coerce(b, bind_expr(b, t), type, what);
    return e && fresh_value(b, e, x, out);
}

static void bind_values(struct binder *b, const struct insert_tree *in,
                        const struct eval_context *x, struct plan_insert *out)
{
    uint32_t given = in->column_count ? in->column_count : out->into->column_count;
    if (given != in->value_count) {
        bind_fail(b, in->values[0]->text, ERR_SYNTAX, "%u columns and %u values", given,
                  in->value_count);
        return;
    }
    uint32_t *columns = bind_take(b, given * sizeof(*columns));
    struct value *values = bind_take(b, given * sizeof(*values));
    bool *seen = bind_take(b, out->into->column_count);
    for (uint32_t i = 0; columns && values && seen && i < given && !b->err; i++) {
        int64_t at = in->column_count ? relation_column(out->into, in->columns[i]) : i;
        if (at < 0) {
            bind_unknown_column(b, in->columns[i], out->into, in->columns[i]);
            return;
        }
        const struct sql_column *c = &out->into->columns[at];
        if (seen[at])
            bind_fail(b, in->columns[i], ERR_EXISTS, "the column %.*s is given twice",
                      SLICE_ARG(c->name));
        seen[at] = true;
        columns[i] = (uint32_t)at;
        char what[300];
        struct buf w = buf_over(what, sizeof(what));
        buf_printf(&w, "column %.*s", SLICE_ARG(c->name));
        (void)item_value(b, in->values[i], c->type, x, buf_cstr(&w), &values[i]);
        if (!b->err && c->key && values[i].state != VALID_VALUE)
            bind_fail(b, in->values[i]->text, ERR_TYPE, "the key column %.*s can't be null",
                      SLICE_ARG(c->name));
    }
    for (uint32_t i = 0; !b->err && i < out->into->column_count; i++)
        if (out->into->columns[i].key && !seen[i])
            bind_fail(b, b->statement->text, ERR_TYPE, "the key column %.*s has no value",
                      SLICE_ARG(out->into->columns[i].name));
    out->columns = columns;
    out->values = values;
    out->count = given;
}

static int64_t using_value(struct binder *b, const struct tree *t, const struct eval_context *x,
                           const char *what, int64_t least, int64_t most)
{
    struct value v = {0};
    if (!item_value(b, t, type_of(TYPE_BIGINT), x, what, &v)) return 0;
    if (v.state == VALID_VALUE && v.integer >= least && v.integer <= most) return v.integer;
    bind_fail(b, t->text, ERR_RANGE, "%s is a number from %lld to %lld", what, (long long)least,
              (long long)most);
    return 0;
}

err_t sql_bind_insert(const struct statement *s, const struct sql_catalog *c,
                      const struct eval_context *x, struct arena *a, struct plan_insert *out,
                      struct diag *d)
{
    struct binder b = binder_make(s, c, s->dialect, NULL, a, d);
    INVARIANT(s->kind == STATEMENT_INSERT);
    *out = (struct plan_insert){.timestamp_us = INT64_MIN, .if_not_exists = s->if_not_exists};
    out->into = bind_relation(&b, s->name, s->name.name);
    if (out->into && out->into->kind != RELATION_TABLE)
        bind_fail(&b, s->name.name, ERR_UNSUPPORTED,
                  "INSERT into a topic: not available in this version");
    const struct insert_tree *in = s->insert;
    if (!b.err) bind_values(&b, in, x, out);
    /* 20 years, as in Cassandra */
    if (!b.err && in->ttl) out->ttl = (uint32_t)using_value(&b, in->ttl, x, "TTL", 0, 630720000);
    if (!b.err && in->timestamp)
        out->timestamp_us =
            using_value(&b, in->timestamp, x, "TIMESTAMP", INT64_MIN + 1, INT64_MAX);
    return b.err;
}
