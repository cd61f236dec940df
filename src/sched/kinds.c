#include "sched/kinds.h"

#include "base/delta.h"

/* --- the table ----------------------------------------------------------------------------------
 * A kind's options stand behind it, up to the next kind. */
#define SENSOR  true
#define PROCESS true
#define NOT     false
#define MUST    true
#define MAY     false
#define MAIN    true
#define REST    false

struct row {
    bool is_kind;
    struct task_kind kind;
    struct task_option option;
};
static const struct row rows[] = {
#define KIND(name, operator_name, sensor, process, sentence)                                       \
    {true, {KIND_##name, #name, operator_name, sentence, sensor, process}, {0}},
#define OPTION(name, type, must, main, fallback, sentence)                                         \
    {false, {0}, {#name, OPT_##type, must, main, fallback, sentence}},
#include "sched/kinds.def"
#undef KIND
#undef OPTION
};
#undef SENSOR
#undef PROCESS
#undef NOT
#undef MUST
#undef MAY
#undef MAIN
#undef REST

const struct task_kind *task_kind_at(enum task_kind_id id)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].is_kind && rows[i].kind.id == id) return &rows[i].kind;
    return NULL;
}

const struct task_kind *task_kind_find(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].is_kind && rows[i].kind.id != KIND_sensor && slice_is(name, rows[i].kind.name))
            return &rows[i].kind;
    return NULL;
}

const struct task_option *task_option_at(const struct task_kind *k, uint32_t n)
{
    const struct row *at = (const struct row *)((const uint8_t *)k - offsetof(struct row, kind));
    for (at++; at < rows + COUNT_OF(rows) && !at->is_kind; at++)
        if (n-- == 0) return &at->option;
    return NULL;
}

static const struct task_option *own_option(const struct task_kind *k, struct slice name)
{
    const struct task_option *o;
    for (uint32_t i = 0; (o = task_option_at(k, i)); i++)
        if (slice_is(name, o->name)) return o;
    return NULL;
}

const struct task_option *task_option_find(const struct task_kind *k, struct slice name)
{
    const struct task_option *o = own_option(k, name);
    return o || !k->is_sensor ? o : own_option(task_kind_at(KIND_sensor), name);
}

/* --- values -------------------------------------------------------------------------------------
 */

bool has_template(struct slice text)
{
    for (uint32_t i = 0; i + 1 < text.len; i++)
        if (text.at[i] == '{' && (text.at[i + 1] == '{' || text.at[i + 1] == '%')) return true;
    return false;
}

bool option_bool(const struct doc *v, bool *out)
{
    static const char *const yes[] = {"true", "True", "yes", "on", "1"};
    static const char *const no[] = {"false", "False", "no", "off", "0"};
    if (v && v->kind == DOC_BOOL) {
        *out = v->yes;
        return true;
    }
    if (v && v->kind == DOC_INT && (v->number == 0 || v->number == 1)) {
        *out = v->number == 1;
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        *out = slice_is(doc_text(v), yes[i]);
        if (*out || slice_is(doc_text(v), no[i])) return true;
    }
    return false;
}

bool option_int(const struct doc *v, int64_t *out)
{
    if (v && v->kind == DOC_INT) {
        *out = v->number;
        return true;
    }
    return v && v->kind == DOC_TEXT && slice_to_i64(slice_trim(v->text), out);
}

/* "00:05:00", "5:00" as minutes and seconds is not taken: nobody agrees on it. */
static bool clock_span(struct slice s, int64_t *us)
{
    int64_t part[3] = {0};
    uint32_t n = 0, start = 0;
    for (uint32_t i = 0; i <= s.len; i++) {
        if (i < s.len && s.at[i] != ':') continue;
        if (n == 3 || i == start || !slice_to_i64(slice_make(s.at + start, i - start), &part[n]) ||
            part[n] < 0 || part[n] > 1000000)
            return false;
        n++;
        start = i + 1;
    }
    if (n != 3 || part[1] > 59 || part[2] > 59) return false;
    *us = (part[0] * 3600 + part[1] * 60 + part[2]) * 1000000;
    return true;
}

bool option_span(const struct doc *v, int64_t *us)
{
    struct slice s = slice_trim(doc_text(v));
    double seconds = 0;
    bool plain = v && (v->kind == DOC_INT || v->kind == DOC_FLOAT);
    if (plain) seconds = v->kind == DOC_INT ? (double)v->number : v->real;
    if (s.len) plain = slice_to_f64(s, &seconds);
    if (plain) {
        *us = (int64_t)(seconds * 1e6 + 0.5);
        return seconds >= 0 && seconds < 9e12;
    }
    struct delta read;
    if (!delta_read(s, false, &read)) return clock_span(s, us);
    *us = read.us;
    return !read.relative; /* a month has no length */
}

static const char *kind_word(const struct doc *v)
{
    static const char *const words[] = {"nothing", "true or false", "a whole number", "a number",
                                        "a text",  "a list",        "a map"};
    return words[v->kind];
}

err_t task_option_check(const struct task_option *o, const struct doc *v, struct diag *d)
{
    static const char *const wanted[] = {
        [OPT_TEXT] = "a text",
        [OPT_INT] = "a whole number",
        [OPT_NUMBER] = "a number",
        [OPT_BOOL] = "true or false",
        [OPT_SPAN] = "a time, as 30s, 5m, 2h, 1d or a number of seconds",
        [OPT_LIST] = "a list",
        [OPT_MAP] = "a map",
        [OPT_TEXTS] = "a text or a list of them",
        [OPT_ANY] = "anything",
        [OPT_LATE] = "a text",
    };
    int64_t number;
    bool yes, fits = o->type == OPT_ANY || (v->kind == DOC_TEXT && has_template(v->text));
    switch (o->type) {
    case OPT_LATE:
    case OPT_TEXT: fits |= v->kind != DOC_LIST && v->kind != DOC_MAP && v->kind != DOC_NULL; break;
    case OPT_INT: fits |= option_int(v, &number); break;
    case OPT_NUMBER: fits |= v->kind == DOC_INT || v->kind == DOC_FLOAT; break;
    case OPT_BOOL: fits |= option_bool(v, &yes); break;
    case OPT_SPAN: fits |= option_span(v, &number); break;
    case OPT_LIST: fits |= v->kind == DOC_LIST; break;
    case OPT_MAP: fits |= v->kind == DOC_MAP; break;
    case OPT_TEXTS:
        fits |= v->kind == DOC_TEXT || v->kind == DOC_LIST;
        for (uint32_t i = 0; v->kind == DOC_LIST && i < v->count; i++)
            fits &= v->items[i].kind == DOC_TEXT;
        break;
    case OPT_ANY: break;
    }
    if (fits) return ERR_OK;
    return diag_fail(d, ERR_CONFIG, "'%s' takes %s, and this is %s", o->name, wanted[o->type],
                     kind_word(v));
}

bool bound_parse(struct slice text, struct bound *out)
{
    static const struct {
        const char *sign;
        enum bound_how how;
    } signs[] = {{"<=", BOUND_LE}, {">=", BOUND_GE}, {"==", BOUND_EQ}, {"!=", BOUND_NE},
                 {"<", BOUND_LT},  {">", BOUND_GT},  {"=", BOUND_EQ}};
    struct slice s = slice_trim(text);
    for (size_t i = 0; i < COUNT_OF(signs); i++) {
        if (!slice_starts(s, signs[i].sign)) continue;
        uint32_t skip = (uint32_t)strlen(signs[i].sign);
        *out = (struct bound){.how = signs[i].how};
        return slice_to_f64(slice_trim(slice_make(s.at + skip, s.len - skip)), &out->than);
    }
    return false;
}

bool bound_fits(const struct bound *b, double value)
{
    switch (b->how) {
    case BOUND_LT: return value < b->than;
    case BOUND_LE: return value <= b->than;
    case BOUND_GT: return value > b->than;
    case BOUND_GE: return value >= b->than;
    case BOUND_EQ: return value == b->than;
    case BOUND_NE: return value != b->than;
    }
    return false;
}
