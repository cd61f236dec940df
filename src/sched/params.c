#include "sched/ops_int.h"

#include <math.h>
#include <regex.h>

/* What of JSON schema params use. A word that is not here is refused by name: a check that is not
 * made would be worse than none. */

static const char *type_of(const struct doc *v)
{
    static const char *const NAMES[] = {"null",   "boolean", "integer", "number",
                                        "string", "array",   "object"};
    return NAMES[v->kind];
}

static bool is_type(const struct doc *v, struct slice name)
{
    if (slice_is(name, type_of(v))) return true;
    if (slice_is(name, "number")) return v->kind == DOC_INT;
    return slice_is(name, "integer") && v->kind == DOC_FLOAT && floor(v->real) == v->real;
}

struct checking {
    struct slice param;
    const struct doc *value;
    struct diag *d;
};

static err_t wrong(const struct checking *c, const char *what, const struct doc *word)
{
    char text[256], bound[128];
    struct buf shown = buf_over(text, sizeof(text)), limit = buf_over(bound, sizeof(bound));
    doc_put_json(&shown, c->value);
    if (word) doc_put_json(&limit, word);
    return diag_fail(c->d, ERR_USAGE, "Invalid input for param %.*s: %.*s %s%s%.*s",
                     SLICE_ARG(c->param), shown.err ? 12 : (int)shown.len,
                     shown.err ? "a long value" : text, what, word && !limit.err ? " " : "",
                     word && !limit.err ? (int)limit.len : 0, bound);
}

static err_t check_type(const struct checking *c, const struct doc *w)
{
    bool fits = w->kind == DOC_TEXT && is_type(c->value, w->text);
    for (uint32_t i = 0; w->kind == DOC_LIST && i < w->count; i++)
        fits |= is_type(c->value, doc_text(&w->items[i]));
    return fits ? ERR_OK : wrong(c, "is not of type", w);
}

static err_t check_enum(const struct checking *c, const struct doc *w)
{
    for (uint32_t i = 0; w->kind == DOC_LIST && i < w->count; i++)
        if (doc_equal(&w->items[i], c->value)) return ERR_OK;
    return wrong(c, "is not one of", w);
}

static err_t check_const(const struct checking *c, const struct doc *w)
{
    return doc_equal(w, c->value) ? ERR_OK : wrong(c, "is not", w);
}

static double number_of(const struct doc *v)
{
    return v->kind == DOC_INT ? (double)v->number : v->kind == DOC_FLOAT ? v->real : NAN;
}

static err_t check_minimum(const struct checking *c, const struct doc *w)
{
    return number_of(c->value) < number_of(w) ? wrong(c, "is less than the minimum of", w) : ERR_OK;
}

static err_t check_maximum(const struct checking *c, const struct doc *w)
{
    return number_of(c->value) > number_of(w) ? wrong(c, "is greater than the maximum of", w)
                                              : ERR_OK;
}

static err_t check_above(const struct checking *c, const struct doc *w)
{
    return number_of(c->value) <= number_of(w) ? wrong(c, "is not greater than", w) : ERR_OK;
}

static err_t check_below(const struct checking *c, const struct doc *w)
{
    return number_of(c->value) >= number_of(w) ? wrong(c, "is not less than", w) : ERR_OK;
}

static err_t check_multiple(const struct checking *c, const struct doc *w)
{
    double rest = fmod(number_of(c->value), number_of(w));
    return rest != 0 && !isnan(rest) ? wrong(c, "is not a multiple of", w) : ERR_OK;
}

static uint32_t characters(struct slice s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s.len; i++) n += (s.at[i] & 0xc0) != 0x80;
    return n;
}

static err_t check_min_length(const struct checking *c, const struct doc *w)
{
    bool bad = c->value->kind == DOC_TEXT && characters(c->value->text) < number_of(w);
    return bad ? wrong(c, "is shorter than", w) : ERR_OK;
}

static err_t check_max_length(const struct checking *c, const struct doc *w)
{
    bool bad = c->value->kind == DOC_TEXT && characters(c->value->text) > number_of(w);
    return bad ? wrong(c, "is longer than", w) : ERR_OK;
}

static err_t check_min_items(const struct checking *c, const struct doc *w)
{
    bool bad = c->value->kind == DOC_LIST && c->value->count < number_of(w);
    return bad ? wrong(c, "has fewer items than", w) : ERR_OK;
}

static err_t check_max_items(const struct checking *c, const struct doc *w)
{
    bool bad = c->value->kind == DOC_LIST && c->value->count > number_of(w);
    return bad ? wrong(c, "has more items than", w) : ERR_OK;
}

/* \d, \w and \s as POSIX says them. */
static bool pattern_text(struct slice from, char *out, size_t size)
{
    struct buf b = buf_over(out, size);
    bool inside = false;
    for (uint32_t i = 0; i < from.len; i++) {
        char c = (char)from.at[i], next = i + 1 < from.len ? (char)from.at[i + 1] : '\0';
        const char *class = next == 'd' ? "[:digit:]" : next == 's' ? "[:space:]" : NULL;
        if (next == 'w') class = "[:alnum:]_";
        if (c == '\\' && class) {
            buf_printf(&b, inside ? "%s" : "[%s]", class);
            i++;
            continue;
        }
        if (c == '[') inside = true;
        if (c == ']') inside = false;
        buf_char(&b, c);
        if (c == '\\' && next && !inside) buf_char(&b, (char)from.at[++i]);
    }
    buf_char(&b, '\0');
    return !b.err;
}

static err_t check_pattern(const struct checking *c, const struct doc *w)
{
    char pattern[1024];
    regex_t compiled;
    if (c->value->kind != DOC_TEXT) return ERR_OK;
    if (!pattern_text(doc_text(w), pattern, sizeof(pattern)) ||
        regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB))
        return diag_fail(c->d, ERR_BAD_PATTERN, "param %.*s: the pattern '%.*s' is not understood",
                         SLICE_ARG(c->param), SLICE_ARG(doc_text(w)));
    char *text = mem_text(c->value->text);
    bool fits = text && regexec(&compiled, text, 0, NULL, 0) == 0;
    mem_give(text);
    regfree(&compiled);
    return fits ? ERR_OK : wrong(c, "does not match", w);
}

static err_t check_format(const struct checking *c, const struct doc *w)
{
    int64_t us;
    struct slice name = doc_text(w), text = doc_text(c->value);
    if (c->value->kind != DOC_TEXT) return ERR_OK;
    if (slice_is(name, "date-time") || slice_is(name, "date"))
        return moment_parse(text, NULL, &us, NULL) ? wrong(c, "is not a", w) : ERR_OK;
    return ERR_OK; /* multiline and its kind: how a form shows it */
}

static err_t says_nothing(const struct checking *c, const struct doc *w)
{
    (void)c;
    (void)w;
    return ERR_OK;
}

static const struct schema_word {
    const char *name;
    err_t (*check)(const struct checking *c, const struct doc *word);
} WORDS[] = {
    {"type", check_type},
    {"enum", check_enum},
    {"const", check_const},
    {"minimum", check_minimum},
    {"maximum", check_maximum},
    {"exclusiveMinimum", check_above},
    {"exclusiveMaximum", check_below},
    {"multipleOf", check_multiple},
    {"minLength", check_min_length},
    {"maxLength", check_max_length},
    {"minItems", check_min_items},
    {"maxItems", check_max_items},
    {"pattern", check_pattern},
    {"format", check_format},
    {"title", says_nothing},
    {"description", says_nothing},
    {"description_md", says_nothing},
    {"default", says_nothing},
    {"examples", says_nothing},
    {"values_display", says_nothing},
    {"section", says_nothing},
    {"custom_html_form", says_nothing},
    {"source", says_nothing},
};

static err_t check_value(const struct checking *c, const struct doc *schema)
{
    err_t err = ERR_OK;
    for (uint32_t i = 0; schema->kind == DOC_MAP && i < schema->count && !err; i++) {
        const struct doc_entry *w = &schema->entries[i];
        const struct schema_word *known = NULL;
        for (size_t n = 0; n < COUNT_OF(WORDS) && !known; n++)
            if (slice_is(w->name, WORDS[n].name)) known = &WORDS[n];
        if (!known)
            return diag_fail(c->d, ERR_UNSUPPORTED,
                             "param %.*s: '%.*s' of JSON schema is not checked here",
                             SLICE_ARG(c->param), SLICE_ARG(w->name));
        err = known->check(c, &w->value);
    }
    return err;
}

err_t params_check(const struct dag *g, const struct doc *conf, struct diag *d)
{
    static const struct doc NOTHING = {.kind = DOC_NULL};
    err_t err = ERR_OK;
    for (uint32_t i = 0; i < g->param_count && !err; i++) {
        const struct dag_param *p = &g->params[i];
        const struct doc *value = doc_find(conf, p->name);
        if (!value) value = p->value ? p->value : &NOTHING;
        if (!p->schema || p->schema->kind != DOC_MAP) continue;
        struct checking c = {p->name, value, d};
        err = check_value(&c, p->schema);
    }
    return err;
}
