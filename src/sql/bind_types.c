/* Types: literals, what fits where without loss, casts, constants. */
#include "base/hash.h"
#include "sql/bind.h"

bool expr_is_constant(const struct expr *e)
{
    return e->kind == EXPR_LITERAL && e->type;
}

bool type_counts(const struct type *t)
{
    return (t->kind >= TYPE_TINYINT && t->kind <= TYPE_COUNTER) || t->kind == TYPE_FLOAT ||
           t->kind == TYPE_DOUBLE;
}

bool type_ordered(const struct type *t)
{
    return t->kind != TYPE_JSON && t->kind != TYPE_DURATION && !type_is_nested(t);
}

bool type_widens(const struct type *from, const struct type *to)
{
    static const struct {
        enum type_kind from, to;
    } wider[] = {
        {TYPE_TINYINT, TYPE_SMALLINT}, {TYPE_TINYINT, TYPE_INT},      {TYPE_TINYINT, TYPE_BIGINT},
        {TYPE_TINYINT, TYPE_VARINT},   {TYPE_TINYINT, TYPE_DECIMAL},  {TYPE_TINYINT, TYPE_FLOAT},
        {TYPE_TINYINT, TYPE_DOUBLE},   {TYPE_SMALLINT, TYPE_INT},     {TYPE_SMALLINT, TYPE_BIGINT},
        {TYPE_SMALLINT, TYPE_VARINT},  {TYPE_SMALLINT, TYPE_DECIMAL}, {TYPE_SMALLINT, TYPE_FLOAT},
        {TYPE_SMALLINT, TYPE_DOUBLE},  {TYPE_INT, TYPE_BIGINT},       {TYPE_INT, TYPE_VARINT},
        {TYPE_INT, TYPE_DECIMAL},      {TYPE_INT, TYPE_DOUBLE},       {TYPE_BIGINT, TYPE_VARINT},
        {TYPE_BIGINT, TYPE_DECIMAL},   {TYPE_COUNTER, TYPE_BIGINT},   {TYPE_COUNTER, TYPE_VARINT},
        {TYPE_VARINT, TYPE_DECIMAL},   {TYPE_FLOAT, TYPE_DOUBLE},     {TYPE_ASCII, TYPE_TEXT},
        {TYPE_TIMEUUID, TYPE_UUID},    {TYPE_DATE, TYPE_TIMESTAMP}};
    if (type_equal(from, to)) return true;
    for (size_t i = 0; i < COUNT_OF(wider); i++)
        if (wider[i].from == from->kind && wider[i].to == to->kind) return true;
    return false;
}

/* --- literals -----------------------------------------------------------------------------------
 */

struct expr *bind_constant(struct binder *b, const struct tree *t, const struct value *v)
{
    struct expr *e = bind_node(b, EXPR_LITERAL, t, v->type, 0);
    if (!e) return NULL;
    e->tree = t;
    if (column_init(&e->constant, v->type, 1, b->arena) || column_set(&e->constant, 0, v)) {
        bind_fail(b, t->text, ERR_NO_MEMORY, "the statement does not fit the memory");
        return NULL;
    }
    return e;
}

static bool blob_value(struct binder *b, const struct tree *t, struct value *out)
{
    uint8_t *bytes = bind_take(b, t->value.len / 2 + 1u);
    if (!bytes || !parse_hex(t->value, bytes, t->value.len / 2)) return false;
    *out = (struct value){.type = type_of(TYPE_BLOB), .state = VALID_VALUE};
    out->bytes = slice_make(bytes, t->value.len / 2);
    return true;
}

static enum type_kind integer_kind(struct slice digits)
{
    int64_t v;
    if (!slice_to_i64(digits, &v)) return TYPE_VARINT;
    return v >= INT32_MIN && v <= INT32_MAX ? TYPE_INT : TYPE_BIGINT;
}

struct expr *bind_literal(struct binder *b, const struct tree *t)
{
    struct value v;
    struct diag d = {0};
    err_t e = ERR_OK;
    switch (t->kind) {
    case TREE_NULL: {
        struct expr *n = bind_node(b, EXPR_LITERAL, t, NULL, 0);
        if (n) n->tree = t;
        return n;
    }
    case TREE_BOOLEAN: v = value_bool(t->value.at[0] == 't'); break;
    case TREE_STRING: v = value_text(t->value); break;
    case TREE_BLOB:
        if (!blob_value(b, t, &v)) e = ERR_SYNTAX;
        break;
    default: {
        enum type_kind kind = t->kind == TREE_INTEGER  ? integer_kind(t->value)
                              : t->kind == TREE_NUMBER ? TYPE_DOUBLE
                              : t->kind == TREE_UUID   ? TYPE_UUID
                                                       : TYPE_DURATION;
        e = value_from_text(type_of(kind), t->value, b->arena, &v, &d);
    }
    }
    if (!e) return bind_constant(b, t, &v);
    bind_fail(b, t->text, e, "%s", d.what[0] ? d.what : err_text(e));
    return NULL;
}

/* Which types a literal of this kind takes on. */
static bool literal_suits(const struct binder *b, const struct tree *t, const struct type *type)
{
    bool number = type_is_number(type);
    switch (t->kind) {
    case TREE_STRING:
        if (b->dialect->text_as_any) return !type_is_nested(type);
        return !number && type->kind != TYPE_BOOLEAN && type->kind != TYPE_BLOB &&
               !type_is_nested(type);
    case TREE_INTEGER: return number || type->kind == TYPE_TIMESTAMP || type->kind == TYPE_DATE;
    case TREE_NUMBER: return number;
    case TREE_UUID: return type->kind == TYPE_UUID || type->kind == TYPE_TIMEUUID;
    default: return false;
    }
}

static bool plain_literal(const struct expr *e)
{
    return e->kind == EXPR_LITERAL && e->tree && e->tree->kind <= TREE_DURATION;
}

static struct expr *literal_as(struct binder *b, struct expr *e, const struct type *type,
                               const char *what)
{
    const struct tree *t = e->tree;
    struct value v;
    struct diag d = {0};
    err_t err = value_from_text(type, t->value, b->arena, &v, &d);
    if (!err) return bind_constant(b, t, &v);
    bind_fail(b, t->text, err, "%s: %s", what, d.what[0] ? d.what : err_text(err));
    bind_hint(b, "%s", d.hint);
    return NULL;
}

/* --- deciding -----------------------------------------------------------------------------------
 */

/* Gives what is not decided its type; results of branches follow. */
static struct expr *decide(struct binder *b, struct expr *e, const struct type *type, bool cast)
{
    if (b->err || !e) return NULL;
    if (e->type)
        return cast ? bind_cast(b, &(struct tree){.text = e->text}, e, type, false)
                    : bind_coerce(b, e, type, "the branch");
    if (e->kind == EXPR_PATH) return bind_path(b, e, type, cast);
    if (e->kind == EXPR_LITERAL) {
        struct value null = value_null(type);
        return bind_constant(b, e->tree, &null);
    }
    INVARIANT(e->kind == EXPR_CASE || e->kind == EXPR_COALESCE);
    for (uint32_t i = 0; i < e->count; i++) {
        bool condition = e->kind == EXPR_CASE && i % 2 == 0 && i + 1 < e->count;
        if (!condition) e->args[i] = decide(b, (struct expr *)(uintptr_t)e->args[i], type, cast);
    }
    e->type = type;
    return b->err ? NULL : e;
}

struct expr *bind_settle(struct binder *b, struct expr *e)
{
    return !e || e->type ? e : decide(b, e, type_of(TYPE_JSON), false);
}

static struct expr *cast_node(struct binder *b, struct expr *e, const struct type *type)
{
    struct expr *c = bind_node(b, EXPR_CAST, &(struct tree){.text = e->text}, type, 1);
    if (!c) return NULL;
    c->args[0] = e;
    c->deterministic = e->deterministic;
    return c;
}

struct expr *bind_strictly(struct binder *b, struct expr *json, const struct type *type)
{
    struct expr *c = json ? cast_node(b, json, type) : NULL;
    if (c) c->negated = true;
    return bind_fold(b, c);
}

struct expr *bind_coerce(struct binder *b, struct expr *e, const struct type *type,
                         const char *what)
{
    if (!e || b->err) return NULL;
    if (!e->type) return decide(b, e, type, false);
    if (type_equal(e->type, type)) return e;
    if (plain_literal(e) && literal_suits(b, e->tree, type)) return literal_as(b, e, type, what);
    if (type_widens(e->type, type)) return bind_fold(b, cast_node(b, e, type));
    if (e->type->kind == TYPE_JSON) return bind_strictly(b, e, type);
    bind_fail(b, e->text, ERR_TYPE, "%s: %.*s is %s, %s was wanted", what,
              (int)MIN(e->text.len, 80u), e->text.at, bind_type_name(b, e->type),
              bind_type_name(b, type));
    if (type_castable(e->type, type))
        bind_hint(b, "write CAST(%.*s AS %s)", (int)MIN(e->text.len, 80u), e->text.at,
                  bind_type_name(b, type));
    return NULL;
}

struct expr *bind_widen(struct binder *b, struct expr *e, const struct type *type)
{
    if (!e || b->err) return NULL;
    if (!e->type || type_equal(e->type, type) || plain_literal(e) || !type_counts(e->type))
        return bind_coerce(b, e, type, "the value");
    return bind_fold(b, cast_node(b, e, type)); /* bigint beside double: SQL's own loss */
}

struct expr *bind_cast(struct binder *b, const struct tree *t, struct expr *e,
                       const struct type *type, bool try)
{
    if (!e || b->err) return NULL;
    if (!e->type && !try) {
        struct expr *made = decide(b, e, type, true);
        if (made) made->text = t->text;
        return made;
    }
    if (!e->type) e = bind_settle(b, e); /* the decoder's casts are strict: TRY reads json */
    if (!e || type_equal(e->type, type)) return e;
    if (e->type->kind != TYPE_JSON && !type_castable(e->type, type)) {
        bind_fail(b, t->text, ERR_TYPE, "%s can't be cast to %s", bind_type_name(b, e->type),
                  bind_type_name(b, type));
        return NULL;
    }
    struct expr *c = cast_node(b, e, type);
    if (!c) return NULL;
    c->text = t->text;
    c->op = try ? OP_TRY : OP_NONE;
    return bind_fold(b, c);
}

/* --- one type for several -----------------------------------------------------------------------
 */

static const struct type *common_type(const struct type *a, const struct type *b)
{
    if (a->kind == TYPE_JSON) return b;
    if (b->kind == TYPE_JSON || type_widens(b, a)) return a;
    if (type_widens(a, b)) return b;
    bool point = a->kind == TYPE_FLOAT || a->kind == TYPE_DOUBLE || b->kind == TYPE_FLOAT ||
                 b->kind == TYPE_DOUBLE;
    return type_is_number(a) && type_is_number(b) && point ? type_of(TYPE_DOUBLE) : NULL;
}

static void no_common(struct binder *b, const struct tree *t, const struct type *x,
                      const struct type *y)
{
    bind_fail(b, t->text, ERR_TYPE, "%s and %s do not go together", bind_type_name(b, x),
              bind_type_name(b, y));
    bind_hint(b, "write CAST(… AS %s) around one of them", bind_type_name(b, y));
}

/* A number literal beside a decided type: it follows where it fits. */
static const struct type *beside_literal(const struct expr *e, const struct type *type)
{
    bool number = e->tree->kind == TREE_INTEGER || e->tree->kind == TREE_NUMBER;
    if (!number || !type_is_number(type)) return type;
    bool whole = type_is_integer(type);
    if (e->tree->kind == TREE_NUMBER && whole)
        return type->kind == TYPE_VARINT ? type_of(TYPE_DECIMAL) : type_of(TYPE_DOUBLE);
    int64_t v;
    bool fits = slice_to_i64(e->tree->value, &v) && type_holds(type->kind, v);
    return whole && !fits && type->kind != TYPE_VARINT ? e->type : type;
}

/* Literals only, or literals beside undeclared fields. */
static const struct type *literal_type(const struct expr *e, bool beside_field)
{
    int64_t v;
    bool exact = e->tree->kind == TREE_INTEGER && slice_to_i64(e->tree->value, &v) &&
                 v <= (1LL << 53) && v >= -(1LL << 53);
    return beside_field && exact ? type_of(TYPE_DOUBLE) : e->type;
}

const struct type *bind_common(struct binder *b, struct expr *const *list, uint32_t count,
                               const struct tree *t)
{
    const struct type *type = NULL;
    bool field = false;
    for (uint32_t i = 0; i < count && !b->err; i++) {
        const struct expr *e = list[i];
        field = field || !e->type || e->type->kind == TYPE_JSON;
        if (!e->type || plain_literal(e)) continue;
        const struct type *next = type ? common_type(type, e->type) : e->type;
        if (!next) no_common(b, t, type, e->type);
        type = next;
    }
    bool decided = type && type->kind != TYPE_JSON;
    for (uint32_t i = 0; i < 2 * count && !b->err; i++) {
        const struct expr *e = list[i % count];
        bool string = plain_literal(e) && e->tree->kind == TREE_STRING;
        if (!e->type || !plain_literal(e) || string != (i >= count)) continue; /* texts last */
        const struct type *own = literal_type(e, field), *next;
        bool follows = type && (decided || string) && literal_suits(b, e->tree, type);
        if (follows)
            next = beside_literal(e, type);
        else
            next = type ? common_type(type, own) : own;
        if (!next) no_common(b, t, type, own);
        type = next;
    }
    return b->err ? NULL : type;
}

/* --- constants ----------------------------------------------------------------------------------
 */

/* A constant expression becomes its value now; if it fails, it would fail for every row. */
struct expr *bind_fold(struct binder *b, struct expr *e)
{
    if (!e || b->err || !e->deterministic) return b->err ? NULL : e;
    for (uint32_t i = 0; i < e->count; i++)
        if (!expr_is_constant(e->args[i])) return e;
    struct column_batch batch;
    struct eval_context x = {0};
    struct column result;
    err_t err = batch_init(&batch, NULL, 0, 1, b->arena);
    if (!err) err = expr_eval(e, &x, &batch, &result);
    if (err) {
        bind_fail(b, e->text, err, "%s", err_text(err));
        return NULL;
    }
    if (result.state[0] == ERROR_VALUE) {
        const struct row_fault *fault = batch_fault_of(&batch, 0);
        bind_fail(b, e->text, fault ? fault->err : ERR_INTERNAL, "%s", fault ? fault->text : "?");
        return NULL;
    }
    struct expr *out = bind_node(b, EXPR_LITERAL, &(struct tree){.text = e->text}, e->type, 0);
    if (out) out->constant = result;
    return out;
}
