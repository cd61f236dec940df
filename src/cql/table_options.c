#include "cql/table_options.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const char *const table_option_names[TABLE_OPTIONS] = {
#define OPTION(name, kind, fallback) #name,
#include "cql/table_options.def"
#undef OPTION
};
const enum table_option_kind table_option_kinds[TABLE_OPTIONS] = {
#define OPTION(name, kind, fallback) OPTION_##kind,
#include "cql/table_options.def"
#undef OPTION
};
static const char *const fallbacks[TABLE_OPTIONS] = {
#define OPTION(name, kind, fallback) fallback,
#include "cql/table_options.def"
#undef OPTION
};

struct table_options table_options_default(void)
{
    struct table_options o;
    for (int i = 0; i < TABLE_OPTIONS; i++) o.value[i] = slice_of(fallbacks[i]);
    return o;
}

static int option_of(struct slice name)
{
    for (int i = 0; i < TABLE_OPTIONS; i++)
        if (slice_is(name, table_option_names[i])) return i;
    return TABLE_OPTIONS;
}

static struct slice number_text(struct arena *a, int64_t n)
{
    char *text = arena_printf(a, "%lld", (long long)n);
    return text ? slice_of(text) : (struct slice){0};
}

/* A project's pipeline.sql may have written it another way: 'class': 'LeveledCompactionStrategy'.
 */
static struct slice as_kept(const struct store_option *o, int at, struct arena *a)
{
    struct table_options canonical = table_options_default();
    struct cql_property p = {.name = o->name, .value = o->value, .is_string = true};
    struct cql_properties one = {&p, 1};
    struct diag unused;
    if (table_option_kinds[at] == OPTION_MAP) {
        struct option_pairs *pairs = arena_take(a, sizeof(*pairs));
        struct slice *names = arena_take(a, 2 * OPTION_PAIRS_MAX * sizeof(*names));
        if (!pairs || !names || option_pairs_read(o->value, a, pairs)) return o->value;
        for (uint32_t i = 0; i < pairs->count; i++) {
            names[i] = pairs->at[i].name;
            names[OPTION_PAIRS_MAX + i] = pairs->at[i].value;
        }
        p.is_map = true;
        p.keys = names;
        p.values = names + OPTION_PAIRS_MAX;
        p.count = pairs->count;
    }
    return table_options_take(&one, a, &canonical, &unused) ? o->value : canonical.value[at];
}

err_t table_options_of(const struct store_table *t, struct arena *a, struct table_options *out)
{
    *out = table_options_default();
    for (uint32_t i = 0; i < t->option_count; i++) {
        int at = option_of(t->options[i].name);
        if (at < TABLE_OPTIONS) out->value[at] = as_kept(&t->options[i], at, a);
    }
    out->value[OPTION_default_time_to_live] = number_text(a, t->default_ttl);
    out->value[OPTION_gc_grace_seconds] = number_text(a, t->gc_grace);
    return out->value[OPTION_default_time_to_live].at && out->value[OPTION_gc_grace_seconds].at
               ? ERR_OK
               : ERR_NO_MEMORY;
}

err_t table_options_give(const struct table_options *o, struct arena *a, struct store_table *t)
{
    struct store_option *kept = arena_take(a, TABLE_OPTIONS * sizeof(*kept));
    int64_t ttl = 0, grace = 0;
    if (!kept) return ERR_NO_MEMORY;
    INVARIANT(slice_to_i64(o->value[OPTION_default_time_to_live], &ttl));
    INVARIANT(slice_to_i64(o->value[OPTION_gc_grace_seconds], &grace));
    t->default_ttl = (uint32_t)ttl;
    t->gc_grace = (uint32_t)grace;
    t->options = kept;
    t->option_count = 0;
    for (int i = 0; i < TABLE_OPTIONS; i++) {
        bool own = i == OPTION_default_time_to_live || i == OPTION_gc_grace_seconds;
        if (own || slice_is(o->value[i], fallbacks[i])) continue;
        kept[t->option_count++] =
            (struct store_option){slice_of(table_option_names[i]), o->value[i]};
    }
    return ERR_OK;
}

/* --- numbers as Java prints them
 * ------------------------------------------------------------------ */

void put_java_double(struct buf *out, double v)
{
    char text[40];
    if (v == 0 || isnan(v) || isinf(v)) {
        buf_text(out, isnan(v) ? "NaN" : isinf(v) ? (v < 0 ? "-Infinity" : "Infinity") : "0.0");
        return;
    }
    for (int digits = 0; digits <= 17; digits++) { /* the shortest that reads back the same */
        (void)snprintf(text, sizeof(text), "%.*e", digits, v);
        if (strtod(text, NULL) == v) break;
    }
    char *e = strchr(text, 'e');
    int exponent = atoi(e + 1);
    *e = 0;
    if (v < 0) buf_char(out, '-');
    const char *digits = text + (v < 0);
    const char *rest = digits[1] ? digits + 2 : "";
    int rest_len = (int)strlen(rest);
    if (exponent < -3 || exponent >= 7) {
        buf_printf(out, "%c.%sE%d", digits[0], rest_len ? rest : "0", exponent);
    } else if (exponent < 0) {
        buf_text(out, "0.");
        for (int i = exponent + 1; i < 0; i++) buf_char(out, '0');
        buf_printf(out, "%c%s", digits[0], rest);
    } else {
        buf_char(out, digits[0]);
        for (int i = 0; i < exponent; i++) buf_char(out, i < rest_len ? rest[i] : '0');
        buf_printf(out, ".%s", rest_len > exponent ? rest + exponent : "0");
    }
}

/* --- properties as PropertyDefinitions reads them
 * -------------------------------------------------- */

err_t property_text(const struct cql_property *p, struct slice *out, struct diag *d)
{
    if (p->is_map)
        return diag_fail(d, ERR_SYNTAX, "Invalid value for property '%.*s'. It should be a string",
                         SLICE_ARG(p->name));
    *out = p->value;
    return ERR_OK;
}

err_t property_bool(const struct cql_property *p, bool *out, struct diag *d)
{
    struct slice text;
    err_t e = property_text(p, &text, d);
    if (e) return e;
    static const char *const yes[] = {"1", "true", "yes"}, *const no[] = {"0", "false", "no"};
    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        *out = slice_equal_nocase(text, slice_of(yes[i]));
        if (*out || slice_equal_nocase(text, slice_of(no[i]))) return ERR_OK;
    }
    return diag_fail(d, ERR_SYNTAX,
                     "Invalid boolean value %.*s for '%.*s'. Positive values can be '1', 'true' or "
                     "'yes'. Negative values can be '0', 'false' or 'no'.",
                     SLICE_ARG(text), SLICE_ARG(p->name));
}

err_t property_int(const struct cql_property *p, int32_t *out, struct diag *d)
{
    struct slice text;
    int64_t n = 0;
    err_t e = property_text(p, &text, d);
    if (e) return e;
    if (!slice_to_i64(text, &n) || n > INT32_MAX || n < INT32_MIN)
        return diag_fail(d, ERR_SYNTAX, "Invalid integer value %.*s for '%.*s'", SLICE_ARG(text),
                         SLICE_ARG(p->name));
    *out = (int32_t)n;
    return ERR_OK;
}

err_t property_double(const struct cql_property *p, double *out, struct diag *d)
{
    struct slice text;
    err_t e = property_text(p, &text, d);
    if (e) return e;
    if (!slice_to_f64(text, out))
        return diag_fail(d, ERR_SYNTAX, "Invalid double value %.*s for '%.*s'", SLICE_ARG(text),
                         SLICE_ARG(p->name));
    return ERR_OK;
}

/* --- maps
 * ------------------------------------------------------------------------------------------- */

const struct slice *option_pair(const struct option_pairs *p, const char *name)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (slice_is(p->at[i].name, name)) return &p->at[i].value;
    return NULL;
}

bool option_pair_set(struct option_pairs *p, struct slice name, struct slice value)
{
    for (uint32_t i = 0; i < p->count; i++) {
        if (!slice_equal(p->at[i].name, name)) continue;
        p->at[i].value = value;
        return true;
    }
    if (p->count == OPTION_PAIRS_MAX) return false;
    p->at[p->count++] = (struct store_option){name, value};
    return true;
}

void option_pair_remove(struct option_pairs *p, const char *name)
{
    for (uint32_t i = 0; i < p->count; i++) {
        if (!slice_is(p->at[i].name, name)) continue;
        p->at[i] = p->at[--p->count];
        return;
    }
}

err_t option_pairs_of(const struct cql_property *p, struct option_pairs *out, struct diag *d)
{
    out->count = 0;
    if (!p->is_map)
        return diag_fail(d, ERR_SYNTAX, "Invalid value for property '%.*s'. It should be a map.",
                         SLICE_ARG(p->name));
    for (uint32_t i = 0; i < p->count; i++)
        if (!option_pair_set(out, p->keys[i], p->values[i]))
            return diag_fail(d, ERR_TOO_BIG, "'%.*s' has more than %d entries", SLICE_ARG(p->name),
                             OPTION_PAIRS_MAX);
    return ERR_OK;
}

static int pair_order(const void *a, const void *b)
{
    return slice_compare(((const struct store_option *)a)->name,
                         ((const struct store_option *)b)->name);
}

struct slice option_pairs_text(struct option_pairs *p, struct arena *a)
{
    struct buf b = buf_make(KIB(64));
    if (p->count) qsort(p->at, p->count, sizeof(p->at[0]), pair_order);
    buf_char(&b, '{');
    for (uint32_t i = 0; i < p->count; i++) {
        if (i) buf_text(&b, ", ");
        cql_put_string(&b, p->at[i].name);
        buf_text(&b, ": ");
        cql_put_string(&b, p->at[i].value);
    }
    buf_char(&b, '}');
    struct slice text = b.err ? (struct slice){0} : arena_slice(a, buf_view(&b));
    buf_done(&b);
    return text;
}

/* One 'it''s' at the front of *text; at NULL when there is none. */
static struct slice take_string(struct slice *text, struct arena *a)
{
    if (!text->len || text->at[0] != '\'') return (struct slice){0};
    uint8_t *out = arena_take_raw(a, text->len);
    uint32_t n = 0, i = 1;
    if (!out) return (struct slice){0};
    for (; i < text->len; i++) {
        if (text->at[i] == '\'' && (i + 1 == text->len || text->at[i + 1] != '\'')) break;
        i += text->at[i] == '\'';
        out[n++] = text->at[i];
    }
    if (i >= text->len) return (struct slice){0};
    *text = slice_make(text->at + i + 1, text->len - i - 1);
    return slice_make(out, n);
}

static bool take_mark(struct slice *text, char mark)
{
    *text = slice_trim(*text);
    if (!text->len || text->at[0] != (uint8_t)mark) return false;
    *text = slice_trim(slice_make(text->at + 1, text->len - 1));
    return true;
}

err_t option_pairs_read(struct slice text, struct arena *a, struct option_pairs *out)
{
    out->count = 0;
    if (!take_mark(&text, '{')) return ERR_MALFORMED;
    while (!take_mark(&text, '}')) {
        struct slice name = take_string(&text, a);
        if (!name.at || !take_mark(&text, ':')) return ERR_MALFORMED;
        struct slice value = take_string(&text, a);
        if (!value.at || !option_pair_set(out, name, value)) return ERR_MALFORMED;
        (void)take_mark(&text, ',');
    }
    return ERR_OK;
}

void put_pair_names(struct buf *out, const struct option_pairs *p)
{
    struct option_pairs sorted = *p;
    if (sorted.count) qsort(sorted.at, sorted.count, sizeof(sorted.at[0]), pair_order);
    buf_char(out, '[');
    for (uint32_t i = 0; i < sorted.count; i++)
        buf_printf(out, "%s%.*s", i ? ", " : "", SLICE_ARG(sorted.at[i].name));
    buf_char(out, ']');
}
