/* Aggregates: each row's example; then each one against what a plain loop finds, with rows taken
 * back, merged, and kept and read again as the store does. */
#include "base/hash.h"
#include "sql/aggregate_int.h"
#include "sql/expr.h"
#include "test.h"
#include <math.h>
#include <stdlib.h>

enum { ROWS = 4000, FIXED_AT = 16, MORE_AT = 8 + 8 + 256, GROUP = MORE_AT + 32 };

struct fold { /* one aggregate over columns x and y */
    struct arena *arena;
    struct column args[2];
    struct expr exprs[2];
    const struct expr *list[2];
    struct plan_aggregate a;
    struct diag d;
    uint32_t rows[ROWS];
    int8_t signs[ROWS];
    uint8_t *groups[ROWS];
    uint8_t memory[2][GROUP] __attribute__((aligned(16)));
    struct column out;
};

static void fold_open(struct fold *f, const char *name, const struct type *x, const struct type *y,
                      bool takes_back)
{
    memset(f, 0, sizeof(*f));
    f->arena = arena_new(MIB(64));
    const struct type *types[2] = {x, y};
    f->a.of = aggregate_find(slice_of(name));
    CHECK(f->a.of != NULL);
    f->a.args = f->list;
    f->a.arg_count = y ? 2 : x ? 1 : 0;
    f->a.takes_back = takes_back;
    f->a.text = slice_of(name);
    for (uint32_t i = 0; i < f->a.arg_count; i++) {
        f->exprs[i] = (struct expr){.kind = EXPR_INPUT, .input = i, .type = types[i]};
        f->list[i] = &f->exprs[i];
        CHECK_INT(column_init(&f->args[i], types[i], ROWS, f->arena), ERR_OK);
    }
    f->a.type = aggregate_result(f->a.of, types, f->arena);
    CHECK(f->a.of->size <= 256);
    for (uint32_t i = 0; i < ROWS; i++) {
        f->rows[i] = i;
        f->signs[i] = 1;
    }
}

static struct agg_more *fold_more(struct fold *f, uint32_t g)
{
    return (struct agg_more *)(void *)(f->memory[g] + MORE_AT);
}

static void fold_clear(struct fold *f)
{
    for (uint32_t g = 0; g < 2; g++) {
        agg_more_done(fold_more(f, g));
        memset(f->memory[g], 0, GROUP);
    }
}

static void fold_close(struct fold *f)
{
    fold_clear(f);
    arena_free(f->arena);
}

static void fold_add(struct fold *f, uint32_t from, uint32_t until, uint32_t group, int sign)
{
    struct agg_rows r = {.groups = f->groups,
                         .fixed_at = FIXED_AT,
                         .more_at = MORE_AT,
                         .args = f->a.arg_count ? f->args : NULL,
                         .rows = f->rows + from,
                         .signs = sign > 0 ? NULL : f->signs,
                         .count = until - from};
    for (uint32_t i = 0; i < ROWS; i++) {
        f->groups[i] = f->memory[group];
        f->signs[i] = (int8_t)sign;
    }
    CHECK_OK(f->a.of->add(&f->a, &r, &f->d), &f->d);
}

/* As text; as the store would give it back: fixed bytes and `more` moved elsewhere. */
static const char *fold_tell(struct fold *f, uint32_t group)
{
    uint8_t copy[GROUP] __attribute__((aligned(16)));
    struct agg_more more = {0};
    struct value v;
    struct buf text = buf_make(MIB(1));
    memcpy(copy, f->memory[group], GROUP);
    if (fold_more(f, group)->len) {
        CHECK_INT(agg_more_room(&more, fold_more(f, group)->len), ERR_OK);
        memcpy(more.at, fold_more(f, group)->at, more.len);
    }
    CHECK_INT(column_init(&f->out, f->a.type, 1, f->arena), ERR_OK);
    err_t e = f->a.of->tell(&f->a, copy + FIXED_AT, &more, &f->out, 0, f->arena, &f->d);
    memset(copy, 0xEE, sizeof(copy));
    if (more.at) memset(more.at, 0xEE, more.cap);
    agg_more_done(&more);
    if (e) return err_name(e);
    column_get(&f->out, 0, &v);
    if (v.state == NULL_VALUE)
        buf_text(&text, "null");
    else
        value_to_text(&v, &text);
    const char *told = arena_text(f->arena, buf_view(&text));
    buf_done(&text);
    return told;
}

static void fold_merge(struct fold *f) /* the second group into the first */
{
    CHECK_OK(f->a.of->merge(&f->a, f->memory[0] + FIXED_AT, fold_more(f, 0),
                            f->memory[1] + FIXED_AT, fold_more(f, 1), &f->d),
             &f->d);
}

static void set_text(struct fold *f, uint32_t argument, uint32_t row, struct slice text)
{
    struct value v;
    const struct type *t = f->args[argument].type;
    if (slice_is(text, "null")) {
        f->args[argument].state[row] = NULL_VALUE;
        return;
    }
    if (text.len) text = arena_slice(f->arena, text);
    CHECK_OK(value_from_text(t, text, f->arena, &v, &f->d), &f->d);
    CHECK_INT(column_set(&f->args[argument], row, &v), ERR_OK);
}

/* --- the examples -------------------------------------------------------------------------------
 */

static const struct type *example_type(char letter, const char *text)
{
    bool digits = text[strspn(text, "0123456789.-")] == ' ' || !text[strspn(text, "0123456789.-")];
    bool point = strchr(text, '.') != NULL;
    switch (letter) {
    case 'n': return type_of(point ? TYPE_DOUBLE : TYPE_BIGINT);
    case 'd': return type_of(TYPE_DOUBLE);
    case 'i': return type_of(TYPE_BIGINT);
    case 'b': return type_of(TYPE_BOOLEAN);
    case 't':
    case 'x': return type_of(TYPE_TEXT);
    default: return type_of(digits ? TYPE_BIGINT : TYPE_TEXT);
    }
}

/* The second argument as written, when it is neither x nor y: a constant of every row. */
static struct slice constant_of(const char *example)
{
    const char *comma = strchr(example, ','), *end = strrchr(example, ')');
    if (!comma || strncmp(comma, ", y", 3) == 0) return (struct slice){0};
    struct slice s = slice_trim(slice_make(comma + 1, (size_t)(end - comma - 1)));
    return s.at[0] == '\'' ? slice_make(s.at + 1, s.len - 2) : s;
}

static void run_example(const struct aggregate *a)
{
    struct fold f;
    struct slice constant = constant_of(a->example);
    const char *second = strchr(a->rows, ':');
    bool two = constant.at || second;
    char letters[2] = {a->args[a->args[0] == '|'], two ? a->args[strlen(a->args) - 1] : 0};
    const struct type *y = constant.at ? example_type(letters[1], (const char *)constant.at)
                           : second    ? example_type(letters[1], second + 1)
                                       : NULL;
    if (constant.at && letters[1] == 'd') y = type_of(TYPE_DOUBLE);
    bool firsts_are_numbers = letters[0] == 'd' && second;
    fold_open(&f, a->name,
              firsts_are_numbers ? type_of(TYPE_DOUBLE) : example_type(letters[0], a->rows), y,
              false);
    if (second && letters[0] == 'a') f.exprs[0].type = f.args[0].type = type_of(TYPE_TEXT);
    const struct type *types[2] = {f.args[0].type, y};
    CHECK_INT(column_init(&f.args[0], types[0], ROWS, f.arena), ERR_OK);
    f.a.type = aggregate_result(a, types, f.arena);
    uint32_t row = 0;
    for (const char *at = a->rows; *at; row++) {
        size_t len = strcspn(at, " "), x = second ? strcspn(at, ":") : len;
        set_text(&f, 0, row, slice_make(at, x));
        if (second) set_text(&f, 1, row, slice_make(at + x + 1, len - x - 1));
        if (constant.at) set_text(&f, 1, row, constant);
        at += len + (at[len] == ' ');
    }
    fold_add(&f, 0, row, 0, 1);
    const char *told = fold_tell(&f, 0);
    if (strcmp(told, a->expected) != 0)
        test_failed(__FILE__, __LINE__, "%s of %s is\n  '%s', not\n  '%s'", a->example, a->rows,
                    told, a->expected);
    fold_close(&f);
}

TEST(every_aggregate_has_an_example_that_holds)
{
    for (size_t i = 0; i < aggregate_count(); i++) run_example(aggregate_at(i));
    CHECK(aggregate_find(SLICE("STDDEV")) == aggregate_find(SLICE("stddev_samp")));
    CHECK(aggregate_find(SLICE("no_such")) == NULL);
}

/* --- adding in parts, taking back, merging ------------------------------------------------------
 */

static void fill(struct fold *f, uint64_t *random)
{
    for (uint32_t i = 0; i < ROWS; i++)
        for (uint32_t k = 0; k < f->a.arg_count; k++) {
            char text[64];
            enum type_kind kind = f->args[k].type->kind;
            uint64_t n = test_random(random);
            if (kind == TYPE_BOOLEAN)
                snprintf(text, sizeof(text), n % 3 ? "true" : "false");
            else if (kind == TYPE_TEXT)
                snprintf(text, sizeof(text), "%.*s%d", (int)(n % 7), "abcdefg", (int)(n % 300));
            else if (kind == TYPE_DECIMAL)
                snprintf(text, sizeof(text), "%d.%02d", (int)(n % 1000) - 500, (int)(n % 100));
            else
                snprintf(text, sizeof(text), "%d", (int)(n % 2000) - 1000);
            if (k == 1 && kind == TYPE_DOUBLE && f->a.of->args[0] != 'd')
                snprintf(text, sizeof(text), "0.3");
            if (strstr(f->a.of->name, "percentile") && k == 1) snprintf(text, sizeof(text), "0.3");
            set_text(f, k, i, n % 11 == 0 && k == 0 ? SLICE("null") : slice_of(text));
        }
}

static bool near(const char *a, const char *b)
{
    double x = strtod(a, NULL), y = strtod(b, NULL);
    return strcmp(a, b) == 0 || fabs(x - y) <= 1e-9 * MAX(fabs(x), 1.0);
}

static void in_parts(const char *name, const struct type *x, const struct type *y)
{
    struct fold f;
    uint64_t random = 7;
    fold_open(&f, name, x, y, false);
    bool back = f.a.of->flags & AGG_BACK, sketch = strcmp(name, "approx_percentile") == 0;
    f.a.takes_back = back;
    fill(&f, &random);
    CHECK_TEXT(fold_tell(&f, 0),
               strncmp(name, "count", 5) && strncmp(name, "approx_c", 8) ? "null" : "0");
    fold_add(&f, 0, ROWS, 0, 1);
    const char *whole = fold_tell(&f, 0);
    CHECK_TEXT(fold_tell(&f, 0), whole);
    fold_clear(&f);
    fold_add(&f, 0, 1000, 0, 1);
    fold_add(&f, 1000, 1001, 0, 1);
    fold_add(&f, 1001, ROWS, 1, 1);
    fold_merge(&f);
    const char *merged = fold_tell(&f, 0);
    bool close =
        sketch ? fabs(strtod(merged, NULL) - strtod(whole, NULL)) < 30 : near(merged, whole);
    if (!close) test_failed(__FILE__, __LINE__, "%s merged is %s, not %s", name, merged, whole);
    if (back) {
        fold_clear(&f);
        fold_add(&f, 0, 3000, 0, 1);
        const char *some = fold_tell(&f, 0);
        fold_add(&f, 3000, ROWS, 0, 1);
        fold_add(&f, 3000, ROWS, 0, -1);
        const char *again = fold_tell(&f, 0);
        if (!near(again, some))
            test_failed(__FILE__, __LINE__, "%s taken back is %s, not %s", name, again, some);
        fold_add(&f, 0, 3000, 0, -1);
        CHECK_TEXT(fold_tell(&f, 0), strncmp(name, "count", 5) ? "null" : "0");
    }
    fold_close(&f);
}

TEST(parts_merge_and_rows_are_taken_back)
{
    for (size_t i = 0; i < aggregate_count(); i++) {
        const struct aggregate *a = aggregate_at(i);
        char first = a->args[a->args[0] == '|'], second = 0;
        for (const char *l = a->args + 1 + (a->args[0] == '|'); *l; l++) second = *l;
        const struct type *y = !second || strcmp(a->name, "listagg") == 0 ? NULL
                               : second == 'd'                            ? type_of(TYPE_DOUBLE)
                               : second == 't'                            ? type_of(TYPE_TEXT)
                                                                          : type_of(TYPE_BIGINT);
        static const enum type_kind any[] = {TYPE_BIGINT, TYPE_TEXT, TYPE_DOUBLE, TYPE_DECIMAL,
                                             TYPE_INT};
        static const enum type_kind numbers[] = {TYPE_BIGINT, TYPE_DOUBLE, TYPE_VARINT,
                                                 TYPE_DECIMAL};
        bool some = first == 'a' || first == 'o', number = first == 'n';
        if (some)
            for (size_t k = 0; k < COUNT_OF(any); k++) in_parts(a->name, type_of(any[k]), y);
        else if (number)
            for (size_t k = 0; k < COUNT_OF(numbers); k++)
                in_parts(a->name, type_of(numbers[k]), y);
        else
            in_parts(a->name,
                     type_of(first == 'd'   ? TYPE_DOUBLE
                             : first == 'i' ? TYPE_BIGINT
                             : first == 'b' ? TYPE_BOOLEAN
                                            : TYPE_TEXT),
                     y);
    }
}

/* --- against plain loops ------------------------------------------------------------------------
 */

TEST(sums_are_exact_and_tell_when_they_leave_their_type)
{
    struct fold f;
    fold_open(&f, "sum", type_of(TYPE_BIGINT), NULL, false);
    for (uint32_t i = 0; i < 3; i++) set_text(&f, 0, i, SLICE("9223372036854775807"));
    fold_add(&f, 0, 3, 0, 1);
    CHECK_TEXT(fold_tell(&f, 0), "RANGE");
    fold_add(&f, 0, 2, 0, -1); /* the way back is exact too */
    CHECK_TEXT(fold_tell(&f, 0), "9223372036854775807");
    fold_close(&f);
    fold_open(&f, "sum", type_of(TYPE_DOUBLE), NULL, false);
    set_text(&f, 0, 0, SLICE("1e100"));
    for (uint32_t i = 1; i < 11; i++) set_text(&f, 0, i, SLICE("0.1"));
    fold_add(&f, 1, 11, 0, 1);
    CHECK_TEXT(fold_tell(&f, 0), "1");
    set_text(&f, 0, 20, SLICE("Infinity"));
    fold_add(&f, 20, 21, 0, 1);
    CHECK_TEXT(fold_tell(&f, 0), "Infinity");
    fold_add(&f, 20, 21, 0, -1);
    CHECK_TEXT(fold_tell(&f, 0), "1");
    fold_close(&f);
    fold_open(&f, "avg", type_of(TYPE_DECIMAL), NULL, false);
    set_text(&f, 0, 0, SLICE("1.00"));
    set_text(&f, 0, 1, SLICE("1.00"));
    set_text(&f, 0, 2, SLICE("2.00"));
    fold_add(&f, 0, 3, 0, 1);
    CHECK_TEXT(fold_tell(&f, 0), "1.33333333");
    fold_add(&f, 2, 3, 0, -1);
    CHECK_TEXT(fold_tell(&f, 0), "1.00");
    fold_close(&f);
}

TEST(sketches_are_near_the_truth)
{
    struct fold f;
    static const uint32_t sizes[] = {10, 100, 500, 3000};
    for (size_t k = 0; k < COUNT_OF(sizes); k++) {
        fold_open(&f, "approx_count_distinct", type_of(TYPE_BIGINT), NULL, false);
        for (uint32_t i = 0; i < ROWS; i++) {
            f.args[0].i64[i] = i % sizes[k];
            f.args[0].state[i] = VALID_VALUE;
        }
        fold_add(&f, 0, ROWS, 0, 1);
        double got = strtod(fold_tell(&f, 0), NULL);
        if (fabs(got - sizes[k]) > sizes[k] * 0.06)
            test_failed(__FILE__, __LINE__, "%g different ones, not %u", got, sizes[k]);
        fold_close(&f);
    }
    for (double part = 0; part <= 1; part += 0.125) {
        fold_open(&f, "approx_percentile", type_of(TYPE_DOUBLE), type_of(TYPE_DOUBLE), false);
        for (uint32_t i = 0; i < ROWS; i++) {
            f.args[0].f64[i] = (double)(i * 7919u % ROWS);
            f.args[1].f64[i] = part;
            f.args[0].state[i] = f.args[1].state[i] = VALID_VALUE;
        }
        fold_add(&f, 0, ROWS, 0, 1);
        double got = strtod(fold_tell(&f, 0), NULL), want = part * (ROWS - 1);
        if (fabs(got - want) > ROWS * 0.01)
            test_failed(__FILE__, __LINE__, "percentile %g is %g, not %g", part, got, want);
        CHECK(fold_more(&f, 0)->len < KIB(16));
        fold_close(&f);
    }
}

TEST(what_grows_beyond_the_limit_is_told)
{
    struct fold f;
    static uint8_t big[MIB(1)];
    fold_open(&f, "array_agg", type_of(TYPE_TEXT), NULL, false);
    memset(big, 'x', sizeof(big));
    for (uint32_t i = 0; i < 20; i++) {
        f.args[0].bytes[i] = slice_make(big, sizeof(big));
        f.args[0].state[i] = VALID_VALUE;
    }
    fold_add(&f, 0, 20, 0, 1);
    CHECK_TEXT(fold_tell(&f, 0), "TOO_BIG");
    CHECK(strstr(f.d.what, "16 MiB") != NULL);
    fold_close(&f);
    fold_open(&f, "percentile_cont", type_of(TYPE_DOUBLE), type_of(TYPE_DOUBLE), false);
    set_text(&f, 0, 0, SLICE("1"));
    set_text(&f, 1, 0, SLICE("1.5"));
    fold_add(&f, 0, 1, 0, 1);
    CHECK_TEXT(fold_tell(&f, 0), "RANGE");
    fold_close(&f);
}

TEST(first_and_last_go_by_the_order_given)
{
    struct fold f;
    int64_t order[4] = {20, 10, 30, 30};
    static const char *const names[] = {"first_value", "last_value", "any_value"};
    static const char *const told[] = {"b", "d", "a"};
    for (size_t k = 0; k < 3; k++) {
        fold_open(&f, names[k], type_of(TYPE_TEXT), NULL, false);
        for (uint32_t i = 0; i < 4; i++) set_text(&f, 0, i, slice_make(&"abcd"[i], 1));
        struct agg_rows r = {.groups = f.groups,
                             .fixed_at = FIXED_AT,
                             .more_at = MORE_AT,
                             .args = f.args,
                             .rows = f.rows,
                             .count = 4,
                             .order = order};
        for (uint32_t i = 0; i < 4; i++) f.groups[i] = f.memory[0];
        CHECK_OK(f.a.of->add(&f.a, &r, &f.d), &f.d);
        CHECK_TEXT(fold_tell(&f, 0), told[k]);
        fold_close(&f);
    }
}
