/* Which function a call means: the overloads that functions.def has, tried as the original's
 * FunctionResolver does. */
#include "sql/cql/term_int.h"

#include <stdio.h>

static const struct native rows[] = {
#define NATIVE(name, legacy, args, result, kernel, flags, group, about, example, expected)         \
    {#name, legacy, args, result, kernel, flags, group, about, example, expected},
#include "sql/cql/functions.def"
#undef NATIVE
};

size_t native_count(void)
{
    return COUNT_OF(rows);
}

const struct native *native_at(size_t i)
{
    return &rows[i];
}

/* --- letters
 * --------------------------------------------------------------------------------------
 */

static const struct {
    char letter;
    enum type_kind kind;
} letters[] = {
    {'a', TYPE_ASCII},  {'b', TYPE_BOOLEAN},  {'c', TYPE_COUNTER},  {'i', TYPE_INT},
    {'l', TYPE_BIGINT}, {'s', TYPE_SMALLINT}, {'t', TYPE_TINYINT},  {'f', TYPE_FLOAT},
    {'d', TYPE_DOUBLE}, {'v', TYPE_VARINT},   {'m', TYPE_DECIMAL},  {'x', TYPE_TEXT},
    {'B', TYPE_BLOB},   {'u', TYPE_UUID},     {'U', TYPE_TIMEUUID}, {'T', TYPE_TIMESTAMP},
    {'D', TYPE_DATE},   {'H', TYPE_TIME},     {'P', TYPE_DURATION}, {'I', TYPE_INET},
    {'X', TYPE_TEXT},   {'L', TYPE_INT}};

static const char numbers[] = "tsilfdmvc";

static const struct type *letter_type(char letter)
{
    for (size_t i = 0; i < COUNT_OF(letters); i++)
        if (letters[i].letter == letter) return type_of(letters[i].kind);
    return NULL;
}

/* OperationFcts.returnType: floating if one is, as wide as the wider one. */
static const struct type *wider(const struct type *a, const struct type *b)
{
    static const uint8_t sizes[TYPE_KINDS] = {
        [TYPE_TINYINT] = 1, [TYPE_SMALLINT] = 2, [TYPE_INT] = 4,
        [TYPE_BIGINT] = 8,  [TYPE_COUNTER] = 8,  [TYPE_FLOAT] = 4,
        [TYPE_DOUBLE] = 8,  [TYPE_VARINT] = 16,  [TYPE_DECIMAL] = 16};
    uint64_t floating =
        (uint64_t)1 << TYPE_FLOAT | (uint64_t)1 << TYPE_DOUBLE | (uint64_t)1 << TYPE_DECIMAL;
    int size = MAX(sizes[a->kind], sizes[b->kind]);
    if ((floating >> a->kind | floating >> b->kind) & 1)
        return type_of(size == 4 ? TYPE_FLOAT : size == 8 ? TYPE_DOUBLE : TYPE_DECIMAL);
    return type_of(size == 1   ? TYPE_TINYINT
                   : size == 2 ? TYPE_SMALLINT
                   : size == 4 ? TYPE_INT
                   : size == 8 ? TYPE_BIGINT
                               : TYPE_VARINT);
}

/* --- the candidates of a name
 * -----------------------------------------------------------------------
 */

enum { CANDIDATES_MAX = 128, CANDIDATE_ARGS_MAX = 4, MEMO_BUCKETS = 512 };

struct scratch { /* of one resolution; what is found is copied out of it */
    struct signature items[CANDIDATES_MAX];
    const struct type *args[CANDIDATES_MAX][CANDIDATE_ARGS_MAX];
    uint32_t fitting[CANDIDATES_MAX];
};

struct finding {
    struct resolve *r;
    struct cql_name name;
    const struct cql_node *const *args;
    uint32_t count;
    const struct cql_receiver *to;
    struct diag *d;
    struct scratch *scratch;
    struct signature *items; /* the scratch's */
    uint32_t found, fit_count;
    uint32_t *fitting;
};

static struct signature *add(struct finding *f, const struct native *row, uint32_t count)
{
    if (f->found == CANDIDATES_MAX) return NULL;
    const struct type **args = f->scratch->args[f->found];
    if (count > CANDIDATE_ARGS_MAX)
        args = arena_take(f->r->x->arena, count * sizeof(const struct type *));
    if (!args) return NULL;
    struct signature *s = &f->items[f->found++];
    *s = (struct signature){.row = row, .name = row->name, .args = args, .count = count};
    if (!slice_is(f->name.name, row->name)) s->name = row->legacy;
    return s;
}

/* One overload: number types stand for N (or O) and M. */
static bool add_overload(struct finding *f, const struct native *row, const struct type *n,
                         const struct type *m)
{
    struct signature *s = add(f, row, (uint32_t)strlen(row->args));
    if (!s) return false;
    for (uint32_t i = 0; i < s->count; i++) {
        char letter = row->args[i];
        s->args[i] = letter == 'N' || letter == 'O' ? n : letter == 'M' ? m : letter_type(letter);
    }
    s->result = row->result[0] == '='   ? n
                : row->result[0] == '^' ? wider(n, m)
                                        : letter_type(row->result[0]);
    return true;
}

static bool add_overloads(struct finding *f, const struct native *row)
{
    bool ok = true;
    char first = row->args[0];
    if (first != 'N' && first != 'O') return add_overload(f, row, NULL, NULL);
    for (const char *n = numbers; *n && ok; n++) {
        const struct type *type = letter_type(*n);
        if (first == 'O' && row->result[0] == *n) continue;
        if (row->args[1] != 'M') {
            ok = add_overload(f, row, type, NULL);
            continue;
        }
        for (const char *m = numbers; *m && ok; m++)
            ok = add_overload(f, row, type, letter_type(*m));
    }
    return ok;
}

/* --- factories: types from what is given
 * --------------------------------------------------------------
 */

static const char *parameter_text(char letter)
{
    switch (letter) {
    case 'C': return "collection";
    case 'S':
    case 'Q': return "numeric_set_or_list";
    case 'K': return "map";
    case 'Y': return "[text|varchar|ascii]";
    case 'X': return "text";
    case 'L': return "int";
    default: return "any";
    }
}

static const char *factory_text(const struct native *row, const char *name, struct arena *a)
{
    char text[256];
    size_t n = (size_t)snprintf(text, sizeof(text), "system.%s(", name);
    bool optional = false;
    for (const char *p = row->args; *p; p++) {
        if (*p == '|') {
            optional = true;
            continue;
        }
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s%s", p > row->args ? ", " : "",
                              optional ? "[" : "", parameter_text(*p), optional ? "]" : "");
    }
    const char *made = arena_printf(a, "%s)", text);
    return made ? made : name;
}

static const struct type *infer(struct finding *f, char letter, uint32_t i,
                                const struct type *const *inferred)
{
    const struct type *receiver = f->to ? f->to->type : NULL;
    if (letter == 'Z' && inferred && inferred[0]) return inferred[0];
    const struct type *t = node_compatible_type(f->r, f->args[i]);
    if (t) return t;
    switch (letter) {
    case 'R':
    case 'Z': return receiver;
    case 'X':
    case 'Y': return type_of(TYPE_TEXT);
    case 'L': return type_of(TYPE_INT);
    default: return NULL;
    }
}

static bool letter_takes(char letter, const struct type *t)
{
    bool list = t->kind == TYPE_LIST || t->kind == TYPE_SET;
    switch (letter) {
    case 'C': return type_is_collection(t);
    case 'S': return list;
    case 'Q': return list && type_is_number(t->items[0]);
    case 'K': return t->kind == TYPE_MAP;
    case 'X': return type_fit(t, type_of(TYPE_TEXT)) != FIT_NOT;
    case 'L': return type_fit(t, type_of(TYPE_INT)) != FIT_NOT;
    case 'Y':
        return type_fit(t, type_of(TYPE_TEXT)) != FIT_NOT ||
               type_fit(t, type_of(TYPE_ASCII)) != FIT_NOT;
    default: return true;
    }
}

static err_t letter_refuses(struct finding *f, const char *name, char letter, uint32_t i,
                            const struct type *t)
{
    struct arena *a = f->r->x->arena;
    const char *wants = letter == 'C'   ? "a collection argument"
                        : letter == 'S' ? "a set or list argument"
                        : letter == 'Q' ? "a numeric set/list argument"
                        : letter == 'K' ? "a map argument"
                                        : NULL;
    const char *typed = arena_printf(a, "an argument of type %s", parameter_text(letter));
    return diag_fail(f->d, ERR_INVALID,
                     "Function system.%s requires %s, but found argument %s of type %s", name,
                     wants ? wants : typed, node_shown(f->r, f->args[i]), type_shown(a, t));
}

static const struct type *factory_result(struct finding *f, const struct native *row,
                                         const struct type *const *args)
{
    struct arena *a = f->r->x->arena;
    switch (row->result[0]) {
    case '0': return args[0];
    case '1': return args[1];
    case 'e': return args[0]->items[0];
    case 'k': return type_list_of(a, TYPE_SET, args[0]->items[0]);
    case 'w': return type_list_of(a, TYPE_LIST, args[0]->items[1]);
    case 'r': return f->to ? f->to->type : NULL;
    default: return letter_type(row->result[0]);
    }
}

static err_t add_token(struct finding *f, const struct native *row)
{
    struct cql_prepare *x = f->r->x;
    if (!f->to || !f->to->keyspace.at)
        return diag_fail(f->d, ERR_INVALID,
                         "No receiver keyspace has been specified for function system.token");
    if (!x->partition_count)
        return diag_fail(f->d, ERR_INVALID,
                         "The receiver table %.*s.%.*s specified by call to function system.token "
                         "hasn't been found",
                         SLICE_ARG(f->to->keyspace), SLICE_ARG(f->to->table));
    struct signature *s = add(f, row, x->partition_count);
    if (!s) return term_no_room(f->d);
    for (uint32_t i = 0; i < s->count; i++) s->args[i] = x->partition_types[i];
    s->result = type_of(TYPE_BIGINT);
    return ERR_OK;
}

static err_t add_factory(struct finding *f, const struct native *row)
{
    char kinds[8] = {0};
    uint32_t most = 0, least = 0;
    struct arena *a = f->r->x->arena;
    const char *name = slice_is(f->name.name, row->name) ? row->name : row->legacy;
    if (strcmp(row->name, "token") == 0) return add_token(f, row);
    bool optional = false;
    for (const char *p = row->args; *p; p++) {
        optional = optional || *p == '|';
        if (*p == '|') continue;
        kinds[most++] = *p;
        least += !optional;
    }
    if (f->count < least || f->count > most)
        return diag_fail(f->d, ERR_INVALID, "Invalid number of arguments for function %s",
                         factory_text(row, name, a));
    struct signature *s = add(f, row, f->count);
    if (!s) return term_no_room(f->d);
    for (uint32_t i = 0; i < f->count; i++) s->args[i] = infer(f, kinds[i], i, NULL);
    for (uint32_t i = 0; i < f->count; i++) {
        const struct type *t = infer(f, kinds[i], i, s->args);
        if (!t)
            return diag_fail(f->d, ERR_INVALID,
                             "Cannot infer type of argument %s in call to function %s: use type "
                             "casts to disambiguate",
                             node_shown(f->r, f->args[i]), factory_text(row, name, a));
        if (!letter_takes(kinds[i], t)) return letter_refuses(f, name, kinds[i], i, t);
        s->args[i] = t;
    }
    if (row->result[0] == 'r' && (!f->to || !f->to->type))
        return diag_fail(f->d, ERR_INVALID,
                         "%s() cannot be used in the selection clause of a SELECT statement", name);
    s->result = factory_result(f, row, s->args);
    return s->result ? ERR_OK : term_no_room(f->d);
}

/* --- trying them
 * ------------------------------------------------------------------------------------
 */

struct slice name_text(struct cql_name name, struct arena *a)
{
    if (!name.keyspace.len) return name.name;
    const char *text = arena_printf(a, "%.*s.%.*s", SLICE_ARG(name.keyspace), SLICE_ARG(name.name));
    return text ? slice_of(text) : name.name;
}

char native_operator(const struct signature *s)
{
    static const struct {
        const char *name;
        char op;
    } operators[] = {
        {"_add", '+'}, {"_substract", '-'}, {"_multiply", '*'}, {"_divide", '/'}, {"_modulo", '%'}};
    for (size_t i = 0; i < COUNT_OF(operators); i++)
        if (strcmp(s->row->name, operators[i].name) == 0) return operators[i].op;
    return 0;
}

struct cql_name native_name_of(const struct cql_node *n)
{
    static const struct {
        char op;
        const char *name;
    } names[] = {
        {'+', "_add"}, {'-', "_substract"}, {'*', "_multiply"}, {'/', "_divide"}, {'%', "_modulo"}};
    struct cql_name name = {SLICE("system"), SLICE("_negate")};
    if (n->kind == NODE_CALL) return n->name;
    if (n->kind == NODE_CAST) {
        for (size_t i = 0; i < COUNT_OF(rows); i++)
            if (strncmp(rows[i].name, "cast_as_", 8) == 0 &&
                slice_equal_nocase(slice_of(rows[i].name + 8), n->type->name.name))
                name.name = slice_of(rows[i].name);
        if (slice_is(name.name, "_negate")) name.name = SLICE("cast_as_");
        return name;
    }
    for (size_t i = 0; n->kind == NODE_ARITH && i < COUNT_OF(names); i++)
        if (names[i].op == n->op) name.name = slice_of(names[i].name);
    return name;
}

struct cql_receiver native_arg_spec(const struct signature *s, uint32_t i,
                                    const struct cql_receiver *of, struct arena *a)
{
    const char *text = arena_printf(a, "arg%u(system.%s)", i, s->name);
    struct cql_receiver spec = {.type = s->args[i]};
    if (of) spec.keyspace = of->keyspace, spec.table = of->table;
    struct slice name = slice_of(text ? text : "");
    for (uint32_t k = 0; text && k < name.len; k++) { /* "castAsInt" */
        uint8_t *c = (uint8_t *)(uintptr_t)&name.at[k];
        if (*c >= 'A' && *c <= 'Z') *c |= 0x20;
    }
    spec.name = name;
    return spec;
}

static enum fit args_fit(struct finding *f, const struct signature *s)
{
    enum fit all = FIT_EXACT;
    if (s->count != f->count) return FIT_NOT;
    for (uint32_t i = 0; i < s->count && all != FIT_NOT; i++) {
        struct cql_receiver spec = {.type = s->args[i]};
        if (f->to) spec.keyspace = f->to->keyspace, spec.table = f->to->table;
        enum fit one = node_fit(f->r, f->args[i], &spec);
        all = MIN(all, one);
    }
    return all;
}

static bool result_fits(const struct finding *f, const struct signature *s)
{
    return !f->to || !f->to->type || type_fit(s->result, f->to->type) != FIT_NOT;
}

static err_t only_one(struct finding *f, const struct signature *s)
{
    struct arena *a = f->r->x->arena;
    if (s->count != f->count)
        return diag_fail(f->d, ERR_INVALID,
                         "Invalid number of arguments in call to function system.%s: %u required "
                         "but %u provided",
                         s->name, s->count, f->count);
    for (uint32_t i = 0; i < s->count; i++) {
        struct cql_receiver spec = native_arg_spec(s, i, f->to, a);
        if (node_fit(f->r, f->args[i], &spec) != FIT_NOT) continue;
        return diag_fail(f->d, ERR_INVALID,
                         "Type error: %s cannot be passed as argument %u of function system.%s of "
                         "type %s",
                         node_shown(f->r, f->args[i]), i, s->name, type_shown(a, spec.type));
    }
    return ERR_OK;
}

static void put_signature(struct buf *b, const struct signature *s, struct arena *a)
{
    buf_printf(b, "system.%s : (", s->name);
    for (uint32_t i = 0; i < s->count; i++)
        buf_printf(b, "%s%s", i ? ", " : "", type_shown_bare(a, s->args[i]));
    buf_printf(b, ") -> %s", type_shown_bare(a, s->result));
}

static err_t refuse_listing(struct finding *f, const char *what, const char *listed,
                            const char *tail, bool fitting)
{
    struct buf b = buf_make(KIB(64));
    struct arena *a = f->r->x->arena;
    if (!f->d) return ERR_INVALID;
    for (uint32_t i = 0; i < (fitting ? f->fit_count : f->found); i++) {
        if (i) buf_text(&b, ", ");
        put_signature(&b, &f->items[fitting ? f->fitting[i] : i], a);
    }
    struct slice name = name_text(f->name, a);
    err_t e = diag_fail(f->d, ERR_INVALID, "%s function %.*s%s%.*s%s", what, SLICE_ARG(name),
                        listed, SLICE_ARG(buf_view(&b)), tail);
    buf_done(&b);
    return e;
}

static err_t none_fits(struct finding *f)
{
    char op = native_operator(&f->items[0]);
    if (!f->d) return ERR_INVALID;
    if (op)
        return diag_fail(f->d, ERR_INVALID, "the '%c' operation is not supported between %s and %s",
                         op, node_shown(f->r, f->args[0]), node_shown(f->r, f->args[1]));
    return refuse_listing(f, "Invalid call to",
                          ", none of its type signatures match (known type signatures: ", ")",
                          false);
}

/* An operation of literals alone takes the type that the receiver has. */
static err_t several_fit(struct finding *f, const struct signature **out)
{
    char op = native_operator(&f->items[0]);
    bool markers = false;
    if (op) {
        for (uint32_t i = 0; i < f->count; i++) markers |= f->args[i]->kind == NODE_MARKER;
        for (uint32_t i = 0; f->to && f->to->type && !markers && i < f->fit_count; i++) {
            const struct signature *s = &f->items[f->fitting[i]];
            if (!type_same(s->args[0], f->to->type) || !type_same(s->args[1], f->to->type))
                continue;
            *out = s;
            return ERR_OK;
        }
        if (!f->d) return ERR_INVALID;
        return diag_fail(f->d, ERR_INVALID,
                         "Ambiguous '%c' operation with args %s and %s: use type hint to "
                         "disambiguate, example '(int) ?'",
                         op, node_shown(f->r, f->args[0]), node_shown(f->r, f->args[1]));
    }
    if (slice_is(f->name.name, "_negate"))
        return diag_fail(f->d, ERR_INVALID, "Ambiguous negation: use type casts to disambiguate");
    return refuse_listing(f, "Ambiguous call to", " (can be matched by following signatures: ",
                          "): use type casts to disambiguate", true);
}

static err_t pick(struct finding *f, const struct signature **out)
{
    for (uint32_t i = 0; i < f->found; i++) {
        if (!result_fits(f, &f->items[i])) continue;
        enum fit fit = args_fit(f, &f->items[i]);
        if (f->r->thrown) return ERR_OK;
        if (fit == FIT_EXACT) {
            *out = &f->items[i];
            return ERR_OK;
        }
        if (fit == FIT_WEAK) f->fitting[f->fit_count++] = i;
    }
    if (!f->fit_count) return none_fits(f);
    if (f->fit_count > 1) return several_fit(f, out);
    *out = &f->items[f->fitting[0]];
    return ERR_OK;
}

static err_t collect(struct finding *f)
{
    bool foreign = f->name.keyspace.len && !slice_is(f->name.keyspace, "system");
    for (size_t i = 0; !foreign && i < COUNT_OF(rows); i++) {
        const struct native *row = &rows[i];
        if (!slice_is(f->name.name, row->name) &&
            (!row->legacy[0] || !slice_is(f->name.name, row->legacy)))
            continue;
        if (row->flags & NATIVE_FACTORY) {
            err_t e = add_factory(f, row);
            if (e) return e;
        } else if (!add_overloads(f, row)) {
            return term_no_room(f->d);
        }
    }
    return ERR_OK;
}

/* --- remembered: nested calls would be tried again and again, each level with each candidate
 * -------
 */

struct native_memo {
    struct native_memo *next;
    const struct cql_node *const *args;
    const struct type *receiver;
    struct slice name;
    bool selection;
    const struct signature *found;
    const char *thrown;
    err_t err;
};

static struct native_memo **memo_bucket(const struct finding *f)
{
    struct native_memo **table = f->r->x->memo;
    if (!table) {
        table = arena_take(f->r->x->arena, MEMO_BUCKETS * sizeof(*table));
        f->r->x->memo = (void *)table;
    }
    uint64_t h = (uint64_t)(uintptr_t)f->args ^ (uint64_t)(uintptr_t)(f->to ? f->to->type : NULL);
    return table ? &table[h * 0x9E3779B97F4A7C15u >> 55] : NULL;
}

static const struct native_memo *remembered(const struct finding *f)
{
    struct native_memo **bucket = memo_bucket(f), *m = bucket ? *bucket : NULL;
    const struct type *receiver = f->to ? f->to->type : NULL;
    for (; m; m = m->next)
        if (m->args == f->args && m->receiver == receiver && m->selection == !!f->r->scope &&
            slice_equal(m->name, f->name.name))
            return m;
    return NULL;
}

static void remember(struct finding *f, err_t e, const struct signature *s)
{
    struct native_memo **bucket = memo_bucket(f);
    struct native_memo *m = bucket && f->args ? arena_take(f->r->x->arena, sizeof(*m)) : NULL;
    if (!m) return;
    *m = (struct native_memo){.next = *bucket,
                              .args = f->args,
                              .receiver = f->to ? f->to->type : NULL,
                              .name = f->name.name,
                              .selection = f->r->scope != NULL,
                              .found = s,
                              .thrown = f->r->thrown,
                              .err = e};
    *bucket = m;
}

static const struct signature *copied(const struct signature *s, struct arena *a)
{
    struct signature *made = arena_take(a, sizeof(*made));
    const struct type **args = arena_take(a, (s->count + 1) * sizeof(const struct type *));
    if (!made || !args) return NULL;
    *made = *s;
    made->args = args;
    for (uint32_t i = 0; i < s->count; i++) args[i] = s->args[i];
    return made;
}

static err_t resolve(struct finding *f, const struct signature **out)
{
    const struct signature *found = NULL;
    err_t e = collect(f);
    if (!e && f->found == 1) {
        e = only_one(f, &f->items[0]);
        found = &f->items[0];
    } else if (!e && f->found) {
        e = pick(f, &found);
    }
    if (!e && f->r->thrown) e = diag_fail(f->d, ERR_INVALID, "%s", f->r->thrown);
    if (e || !found) return e;
    *out = copied(found, f->r->x->arena);
    return *out ? ERR_OK : term_no_room(f->d);
}

err_t native_resolve(struct resolve *r, struct cql_name name, const struct cql_node *const *args,
                     uint32_t count, const struct cql_receiver *receiver,
                     const struct signature **out, struct diag *d)
{
    struct finding f = {.r = r, .name = name, .args = args, .count = count, .to = receiver, .d = d};
    const struct native_memo *m = remembered(&f);
    *out = NULL;
    if (m && (m->err == ERR_OK || !d)) {
        *out = m->found;
        if (!r->thrown) r->thrown = m->thrown;
        return m->err;
    }
    f.scratch = mem_take_raw(sizeof(*f.scratch));
    if (!f.scratch) return term_no_room(d);
    f.items = f.scratch->items;
    f.fitting = f.scratch->fitting;
    err_t e = resolve(&f, out);
    mem_give(f.scratch);
    if (e != ERR_NO_MEMORY && !m) remember(&f, e, *out);
    return e;
}
