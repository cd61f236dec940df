#include "sched/list.h"

#include "sched/moment.h"

#include <stdio.h>

enum { S = 1, A = 2, N = 4, M = 8 }; /* list.def */
enum { LIST_ONLY = LIST_LIKE + 1 };
enum { STATEMENT_MAX = 256 << 10 };

static const struct {
    const char *from, *key;
} lists[] = {
#define LIST(kind, from, key) {from, key},
#include "sched/list.def"
};

static const struct column {
    enum list_kind kind;
    struct list_column shown;
    const char *sql;
    int flags;
} columns[] = {
#define COLUMN(kind, name, sql, type, flags) {LIST_##kind, {name, LIST_##type}, sql, flags},
#include "sched/list.def"
};

static const struct param {
    enum list_kind kind;
    const char *name, *column;
    int op;
} params[] = {
#define PARAM(kind, name, column, op) {LIST_##kind, name, column, LIST_##op},
#include "sched/list.def"
};

/* --- names ------------------------------------------------------------------------------------ */

static const struct column *find(enum list_kind kind, struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(columns); i++)
        if (columns[i].kind == kind && slice_is(name, columns[i].shown.name)) return &columns[i];
    return NULL;
}

/* A list's columns stand together, its aliases behind them. */
static size_t first_of(enum list_kind kind)
{
    size_t first = 0;
    while (columns[first].kind != kind) first++;
    return first;
}

uint32_t list_width(enum list_kind kind)
{
    size_t first = first_of(kind), end = first;
    while (end < COUNT_OF(columns) && columns[end].kind == kind && !(columns[end].flags & A)) end++;
    return (uint32_t)(end - first);
}

const struct list_column *list_column(enum list_kind kind, uint32_t place)
{
    return place < list_width(kind) ? &columns[first_of(kind) + place].shown : NULL;
}

int list_place(enum list_kind kind, const char *name)
{
    for (uint32_t i = 0; i < list_width(kind); i++)
        if (strcmp(list_column(kind, i)->name, name) == 0) return (int)i;
    return -1;
}

int64_t list_page(int64_t asked, int64_t page)
{
    return asked <= 0 ? page : MIN(asked, (int64_t)LIST_PAGE_MAX);
}

/* --- a statement ------------------------------------------------------------------------------ */

struct making {
    const struct list_ask *ask;
    struct buf text;
    struct meta_value values[LIST_VALUES_MAX + 2]; /* and LIMIT's and OFFSET's */
    uint32_t count;
};

static err_t add_value(struct making *x, const struct meta_value *v, struct diag *d)
{
    if (x->count == LIST_VALUES_MAX)
        return diag_fail(d, ERR_TOO_BIG, "a list's filters have more than %d values",
                         LIST_VALUES_MAX);
    x->values[x->count++] = *v;
    return ERR_OK;
}

/* `x IN ($1, $2)`, where NULL among the values is "IS NULL". */
static err_t put_in(struct making *x, const struct column *c, const struct list_filter *f,
                    struct diag *d)
{
    bool not = f->op == LIST_NOT_IN, null = false;
    uint32_t said = 0;
    err_t e = ERR_OK;
    if (f->count == 0) buf_text(&x->text, not ? "1 = 1" : "1 = 0");
    if (f->count == 0) return ERR_OK;
    for (uint32_t i = 0; i < f->count; i++) null |= f->values[i].kind == META_NULL;
    if (not ) buf_text(&x->text, "NOT ");
    buf_char(&x->text, '(');
    for (uint32_t i = 0; i < f->count && !e; i++) {
        if (f->values[i].kind == META_NULL) continue;
        if (said++)
            buf_text(&x->text, ", ");
        else
            buf_printf(&x->text, c->flags & (M | N) || !not ? "%s IN (" : "COALESCE(%s IN (",
                       c->sql);
        e = add_value(x, &f->values[i], d);
        buf_printf(&x->text, "$%u", x->count);
    }
    if (said) buf_text(&x->text, c->flags & M ? "))" : ")");
    if (said && not &&!(c->flags & (M | N))) buf_text(&x->text, ", 1 = 0)");
    if (null) buf_printf(&x->text, "%s%s IS NULL", said ? " OR " : "", c->sql);
    buf_char(&x->text, ')');
    return e;
}

static err_t put_filter(struct making *x, const struct list_filter *f, struct diag *d)
{
    static const char *const words[] = {
        [LIST_GTE] = ">=", [LIST_GT] = ">", [LIST_LTE] = "<=", [LIST_LT] = "<"};
    const struct column *c = find(x->ask->kind, slice_of(f->name));
    if (!c || c->shown.type == LIST_SEALED)
        return diag_fail(d, ERR_USAGE, "there is no filter by '%s'", f->name);
    if (f->op == LIST_IN || f->op == LIST_NOT_IN) return put_in(x, c, f, d);
    if (c->flags & M || f->count != 1)
        return diag_fail(d, ERR_USAGE, "'%s' can not be compared so", f->name);
    err_t e = add_value(x, f->values, d);
    if (f->op == LIST_LIKE)
        buf_printf(&x->text, "%s {like} '%%' || CAST($%u AS {text}) || '%%' {no_escape}", c->sql,
                   x->count);
    else
        buf_printf(&x->text, "%s %s $%u", c->sql, words[f->op], x->count);
    return e;
}

static void put_key(struct making *x, bool down)
{
    for (const char *at = lists[x->ask->kind].key; *at;) {
        size_t size = strcspn(at, ",");
        buf_printf(&x->text, "%.*s%s", (int)size, at, down ? " DESC" : "");
        at += size;
        if (*at) buf_text(&x->text, ", ");
        at += *at ? 2 : 0;
    }
}

/* Where there is no value it comes last, both ways, as in Airflow. */
static err_t put_order(struct making *x, struct diag *d)
{
    struct slice rest = x->ask->order_by;
    bool down = rest.len && rest.at[0] == '-';
    buf_text(&x->text, " ORDER BY ");
    for (uint32_t n = 0; rest.len; n++) {
        const uint8_t *comma = memchr(rest.at, ',', rest.len);
        uint32_t size = comma ? (uint32_t)(comma - rest.at) : rest.len;
        struct slice name = slice_trim(slice_make(rest.at, size));
        uint32_t step = MIN(size + 1, rest.len);
        rest = slice_make(rest.at + step, rest.len - step);
        bool back = name.len && name.at[0] == '-';
        if (back) name = slice_make(name.at + 1, name.len - 1u);
        const struct column *c = find(x->ask->kind, name);
        if (!c || !(c->flags & S) || n == LIST_ORDERS_MAX)
            return diag_fail(d, ERR_USAGE,
                             "Ordering with '%.*s' is disallowed or the attribute does not exist "
                             "on the model",
                             SLICE_ARG(name));
        if (!(c->flags & N))
            buf_printf(&x->text, "CASE WHEN %s IS NULL THEN 1 ELSE 0 END, ", c->sql);
        buf_printf(&x->text, "%s%s, ", c->sql, back ? " DESC" : "");
    }
    put_key(x, down);
    return ERR_OK;
}

static err_t put_where(struct making *x, struct diag *d)
{
    err_t e = ERR_OK;
    if (x->ask->filter_count > LIST_FILTERS_MAX)
        return diag_fail(d, ERR_TOO_BIG, "a list has more than %d filters", LIST_FILTERS_MAX);
    for (uint32_t i = 0; i < x->ask->filter_count && !e; i++) {
        buf_text(&x->text, i ? " AND " : " WHERE ");
        e = put_filter(x, &x->ask->filters[i], d);
    }
    return e;
}

static err_t take_total(void *ctx, const struct meta_row *row)
{
    *(int64_t *)ctx = row->at[0].number;
    return ERR_OK;
}

static err_t count_all(struct meta *m, struct making *x, int64_t *total, struct diag *d)
{
    buf_printf(&x->text, "SELECT count(*) FROM %s", lists[x->ask->kind].from);
    err_t e = put_where(x, d);
    if (!e)
        e = meta_run_text(m, buf_cstr(&x->text), x->values, x->count, take_total, total, NULL, d);
    buf_reset(&x->text);
    x->count = 0;
    return e;
}

static err_t show_page(struct meta *m, struct making *x,
                       err_t (*each)(void *ctx, const struct meta_row *row), void *ctx,
                       struct diag *d)
{
    const char *between = "SELECT ";
    for (size_t i = 0; i < COUNT_OF(columns); i++) {
        if (columns[i].kind != x->ask->kind || columns[i].flags & A) continue;
        buf_printf(&x->text, "%s%s", between, columns[i].sql);
        between = ", ";
    }
    buf_printf(&x->text, " FROM %s", lists[x->ask->kind].from);
    err_t e = put_where(x, d);
    if (!e) e = put_order(x, d);
    if (e) return e;
    x->values[x->count++] = meta_int(x->ask->limit);
    x->values[x->count++] = meta_int(x->ask->offset);
    buf_printf(&x->text, " LIMIT $%u OFFSET $%u", x->count - 1, x->count);
    return meta_run_text(m, buf_cstr(&x->text), x->values, x->count, each, ctx, NULL, d);
}

err_t list_run(struct meta *m, const struct list_ask *ask,
               err_t (*each)(void *ctx, const struct meta_row *row), void *ctx, int64_t *total,
               struct diag *d)
{
    int64_t ignored;
    if (!total) total = &ignored;
    *total = 0;
    if (ask->limit < 0 || ask->offset < 0)
        return diag_fail(d, ERR_USAGE, "limit and offset can not be less than 0");
    struct making *x = mem_take(sizeof(*x));
    if (!x) return diag_fail(d, ERR_NO_MEMORY, "no memory for a list");
    x->ask = ask;
    x->text = buf_make(STATEMENT_MAX);
    bool own = !meta_inside(m); /* the total and the page are of one moment */
    err_t e = own ? meta_begin(m, false, d) : ERR_OK;
    bool begun = own && !e;
    if (!e && !ask->no_total) e = count_all(m, x, total, d);
    if (!e) e = show_page(m, x, each, ctx, d);
    if (begun && !e) e = meta_commit(m, d);
    if (begun) meta_rollback(m);
    buf_done(&x->text);
    mem_give(x);
    return e;
}

/* --- parameters ------------------------------------------------------------------------------- */

static err_t wrong_value(const struct list_given *g, struct slice text, const char *what,
                         struct diag *d)
{
    return diag_fail(d, ERR_USAGE, "'%.*s' of %.*s is not %s", SLICE_ARG(text), SLICE_ARG(g->name),
                     what);
}

static err_t read_bool(struct slice text, bool *out)
{
    *out = slice_equal_nocase(text, SLICE("true")) || slice_is(text, "1");
    bool no = slice_equal_nocase(text, SLICE("false")) || slice_is(text, "0");
    return *out || no ? ERR_OK : ERR_TYPE;
}

static err_t read_value(const struct column *c, const struct list_given *g, struct slice text,
                        struct meta_value *out, struct diag *d)
{
    bool yes;
    switch (c->shown.type) {
    case LIST_INT:
        *out = meta_int(0);
        return slice_to_i64(text, &out->number) ? ERR_OK : wrong_value(g, text, "a number", d);
    case LIST_REAL:
        *out = meta_real(0);
        return slice_to_f64(text, &out->real) ? ERR_OK : wrong_value(g, text, "a number", d);
    case LIST_BOOL:
        if (read_bool(text, &yes)) return wrong_value(g, text, "true or false", d);
        *out = meta_int(yes);
        return ERR_OK;
    case LIST_TIME: *out = meta_int(0); return moment_parse(text, NULL, &out->number, d);
    default: break;
    }
    bool none = !(c->flags & M) && strstr(c->shown.name, "state") &&
                (slice_is(text, "none") || slice_is(text, "null") || slice_is(text, "no_status"));
    *out = none ? meta_null() : meta_text(text.at ? text : SLICE(""));
    return ERR_OK;
}

/* Which column and comparison a parameter's name means: NULL: none. */
static const struct column *meaning(enum list_kind kind, struct slice name, int *op)
{
    static const struct {
        const char *end;
        int op;
    } ends[] = {{"", LIST_IN},      {"_gte", LIST_GTE}, {"_gt", LIST_GT},
                {"_lte", LIST_LTE}, {"_lt", LIST_LT},   {"_pattern", LIST_LIKE}};
    for (size_t i = 0; i < COUNT_OF(params); i++) {
        *op = params[i].op;
        if (params[i].kind == kind && slice_is(name, params[i].name))
            return find(kind, slice_of(params[i].column));
    }
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        uint32_t size = (uint32_t)strlen(ends[i].end);
        *op = ends[i].op;
        if (name.len <= size || memcmp(name.at + name.len - size, ends[i].end, size) != 0) continue;
        const struct column *c = find(kind, slice_make(name.at, name.len - size));
        if (c) return c;
    }
    return NULL;
}

/* Words and numbers may stand in one text with commas between; a time or a pattern is whole. */
static err_t read_values(const struct column *c, const struct list_given *g, bool split,
                         struct meta_value *values, uint32_t *count, struct diag *d)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < g->count && !e; i++) {
        struct slice rest = g->texts[i];
        do {
            const uint8_t *comma = split && rest.len ? memchr(rest.at, ',', rest.len) : NULL;
            uint32_t size = comma ? (uint32_t)(comma - rest.at) : rest.len;
            if (*count == LIST_VALUES_MAX)
                return diag_fail(d, ERR_TOO_BIG, "%.*s has more than %d values", SLICE_ARG(g->name),
                                 LIST_VALUES_MAX);
            e = read_value(c, g, slice_make(rest.at, size), &values[(*count)++], d);
            rest = comma ? slice_make(comma + 1, rest.len - size - 1) : (struct slice){0};
        } while (rest.at && !e);
    }
    return e;
}

err_t list_param(enum list_kind kind, const struct list_given *g, struct arena *a,
                 struct list_filter *out, bool *known, struct diag *d)
{
    int op = LIST_IN;
    const struct column *c = meaning(kind, g->name, &op);
    *known = c && c->shown.type != LIST_SEALED;
    if (!*known || g->count == 0) {
        *known = false;
        return ERR_OK;
    }
    struct meta_value *values = arena_take(a, LIST_VALUES_MAX * sizeof(*values));
    uint32_t count = 0;
    if (!values) return diag_fail(d, ERR_NO_MEMORY, "no memory for a filter");
    bool several = op == LIST_IN || op == LIST_NOT_IN;
    err_t e = read_values(c, g, several && c->shown.type != LIST_TIME, values, &count, d);
    if (e) return e;
    bool off = op == LIST_ONLY && values[0].number == 0;
    if (op == LIST_LIKE && values[0].text.len > LIST_PATTERN_MAX)
        return diag_fail(d, ERR_TOO_BIG, "a pattern has more than %d bytes", LIST_PATTERN_MAX);
    if (op == LIST_LIKE && slice_is(values[0].text, "~")) values[0] = meta_text(SLICE("%"));
    if (!several && count != 1)
        return diag_fail(d, ERR_USAGE, "%.*s is given %u times", SLICE_ARG(g->name), count);
    *out = (struct list_filter){c->shown.name, op == LIST_ONLY ? LIST_IN : (enum list_op)op, values,
                                count};
    if (off) out->op = LIST_NOT_IN, out->count = 0;
    return ERR_OK;
}
