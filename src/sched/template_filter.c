/* Filters and tests: Jinja's, and Airflow's for dates. */
#include "sched/template_int.h"

#include "data/json.h"

#include <math.h>
#include <stdlib.h>

static err_t out_of(struct tenv *n, struct buf *text, struct tv *out)
{
    *out = tv_text(text->err ? (struct slice){0} : arena_slice(n->a, buf_view(text)));
    bool failed = text->err || (text->len && !out->doc.text.len);
    buf_done(text);
    return failed ? template_no_memory(n->d) : ERR_OK;
}

static err_t takes(struct tenv *n, struct slice name, const char *what)
{
    return diag_fail(n->d, ERR_TYPE, "template: '%.*s' takes %s", SLICE_ARG(name), what);
}

/* --- texts --------------------------------------------------------------------------------------
 */

static err_t replaced(struct tenv *n, const struct tv *v, const struct targs *args, struct tv *out)
{
    const struct tv *old = targ(args, 0, "old"), *new = targ(args, 1, "new"),
                    *most = targ(args, 2, "count");
    struct slice s, from, to;
    if (!old || !new) return takes(n, SLICE("replace"), "what and by what");
    err_t e = tv_as_text(n, v, &s);
    if (!e) e = tv_as_text(n, old, &from);
    if (!e) e = tv_as_text(n, new, &to);
    if (e || !from.len) return e ? e : takes(n, SLICE("replace"), "a text that is not empty");
    int64_t left = most && tv_is(most, DOC_INT) ? most->doc.number : INT64_MAX;
    struct buf text = buf_make(TEMPLATE_OUT_MAX);
    for (uint32_t i = 0; i < s.len;) {
        bool hit = left > 0 && s.len - i >= from.len && memcmp(s.at + i, from.at, from.len) == 0;
        if (hit)
            buf_slice(&text, to);
        else
            buf_char(&text, (char)s.at[i]);
        left -= hit;
        i += hit ? from.len : 1;
    }
    return out_of(n, &text, out);
}

/* Jinja's: a few letters more are let through, and words stay whole. */
static err_t truncated(struct tenv *n, const struct tv *v, const struct targs *args, struct tv *out)
{
    const struct tv *size = targ(args, 0, "length"), *kill = targ(args, 1, "killwords"),
                    *sign = targ(args, 2, "end"), *more = targ(args, 3, "leeway");
    int64_t most = size && tv_is(size, DOC_INT) ? size->doc.number : 255;
    int64_t leeway = more && tv_is(more, DOC_INT) ? more->doc.number : 5;
    struct slice s, end = SLICE("...");
    err_t e = tv_as_text(n, v, &s);
    if (!e && sign) e = tv_as_text(n, sign, &end);
    if (e) return e;
    int64_t signs = template_letters(end);
    if (most < signs || leeway < 0)
        return takes(n, SLICE("truncate"), "a length that its end fits into, and no negative room");
    *out = tv_text(s);
    if (template_letters(s) <= most + leeway) return ERR_OK;
    uint32_t keep = (uint32_t)(template_letter(s, (uint32_t)(most - signs)).at - s.at), word = keep;
    while (word && s.at[word - 1] != ' ') word--;
    if (word && !(kill && tv_true(kill))) keep = word - 1; /* what stands before its last space */
    struct buf text = buf_make(TEMPLATE_OUT_MAX);
    buf_put(&text, s.at, keep);
    buf_slice(&text, end);
    return out_of(n, &text, out);
}

static err_t escaped(struct tenv *n, const struct tv *v, struct tv *out)
{
    static const char *const names[] = {
        ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&#34;", ['\''] = "&#39;"};
    struct slice s;
    struct buf text = buf_make(TEMPLATE_OUT_MAX);
    err_t e = tv_as_text(n, v, &s);
    for (uint32_t i = 0; i < s.len && !e; i++) {
        const char *name = s.at[i] < COUNT_OF(names) ? names[s.at[i]] : NULL;
        if (name)
            buf_text(&text, name);
        else
            buf_char(&text, (char)s.at[i]);
    }
    return e ? e : out_of(n, &text, out);
}

/* --- numbers ------------------------------------------------------------------------------------
 */

static err_t as_number(struct tenv *n, const struct tv *v, bool whole, const struct targs *args,
                       struct tv *out)
{
    double number = 0;
    int64_t exact;
    const struct tv *fallback = targ(args, 0, "default");
    struct slice s = tv_is(v, DOC_TEXT) ? slice_trim(v->doc.text) : (struct slice){0};
    *out = *v;
    if (whole && tv_is(v, DOC_INT)) return ERR_OK;
    *out = tv_int(0);
    if (whole && s.len && slice_to_i64(s, &exact)) {
        *out = tv_int(exact);
        return ERR_OK;
    }
    bool known = tv_number(v, &number) || (s.len && slice_to_f64(s, &number));
    if (known && isfinite(number) && fabs(number) < 9e18)
        *out = whole ? tv_int((int64_t)number) : tv_real(number);
    else
        *out = fallback ? *fallback : whole ? tv_int(0) : tv_real(known ? number : 0);
    (void)n;
    return ERR_OK;
}

static err_t rounded(struct tenv *n, const struct tv *v, const struct targs *args, struct tv *out)
{
    double number;
    const struct tv *places = targ(args, 0, "precision"), *how = targ(args, 1, "method");
    if (!tv_number(v, &number)) return takes(n, SLICE("round"), "a number");
    struct slice method = how && tv_is(how, DOC_TEXT) ? how->doc.text : (struct slice){0};
    bool common = !slice_is(method, "ceil") && !slice_is(method, "floor");
    if (common && tv_is(v, DOC_INT) && (!places || places->doc.number >= 0)) {
        *out = *v; /* Python's round() leaves a whole number one */
        return ERR_OK;
    }
    double by = pow(10, places && tv_is(places, DOC_INT) ? (double)places->doc.number : 0);
    *out = tv_real(slice_is(method, "ceil")    ? ceil(number * by) / by
                   : slice_is(method, "floor") ? floor(number * by) / by
                                               : rint(number * by) / by);
    return ERR_OK;
}

static err_t absolute(struct tenv *n, const struct tv *v, struct tv *out)
{
    *out = *v;
    if (tv_is(v, DOC_INT) && v->doc.number != INT64_MIN)
        out->doc.number = llabs(v->doc.number);
    else if (tv_is(v, DOC_FLOAT))
        out->doc.real = fabs(v->doc.real);
    else if (tv_is(v, DOC_BOOL))
        *out = tv_int(v->doc.yes);
    else
        return takes(n, SLICE("abs"), "a number");
    return ERR_OK;
}

/* --- lists --------------------------------------------------------------------------------------
 */

/* A map's names, a text's letters, a list itself: what can be walked through. */
static err_t as_list(struct tenv *n, struct slice filter, const struct tv *v, struct doc *out)
{
    *out = (struct doc){.kind = DOC_LIST};
    if (tv_is(v, DOC_LIST)) {
        *out = v->doc;
        return ERR_OK;
    }
    if (!tv_is(v, DOC_MAP) && !tv_is(v, DOC_TEXT)) return takes(n, filter, "a list");
    uint32_t most = tv_is(v, DOC_MAP) ? v->doc.count : v->doc.text.len;
    out->items = arena_take(n->a, (most + (size_t)1) * sizeof *out->items);
    if (!out->items) return template_no_memory(n->d);
    for (uint32_t i = 0; i < most;) {
        struct slice s = v->doc.text;
        uint32_t end = i + 1;
        while (tv_is(v, DOC_TEXT) && end < s.len && (s.at[end] & 0xC0) == 0x80) end++;
        s = tv_is(v, DOC_MAP) ? v->doc.entries[i].name : slice_make(s.at + i, end - i);
        out->items[out->count++] = (struct doc){.kind = DOC_TEXT, .text = s};
        i = end;
    }
    return ERR_OK;
}

static err_t join(struct tenv *n, const struct tv *v, const struct targs *args, struct tv *out)
{
    struct doc list;
    struct slice sign = {0};
    const struct tv *by = targ(args, 0, "d");
    struct buf text = buf_make(TEMPLATE_OUT_MAX);
    err_t e = as_list(n, SLICE("join"), v, &list);
    if (!e && by) e = tv_as_text(n, by, &sign);
    for (uint32_t i = 0; i < list.count && !e; i++) {
        if (i) buf_slice(&text, sign);
        template_put(&text, &list.items[i]);
    }
    return e ? e : out_of(n, &text, out);
}

/* What texts are sorted and found equal by, unless case_sensitive: as Jinja has it. */
static err_t sort_key(struct tenv *n, const struct doc *v, bool exact, struct tv *out)
{
    *out = tv_doc(*v);
    return v->kind == DOC_TEXT && !exact ? template_cased(n, out, 'l', out) : ERR_OK;
}

struct sorted {
    struct tv key;
    uint32_t place;
    bool reverse;
};

static int by_key(const void *x, const void *y)
{
    const struct sorted *a = x, *b = y;
    int order = 0;
    (void)tv_compare(&a->key, &b->key, &order);
    if (order) return a->reverse ? -order : order;
    return a->place < b->place ? -1 : a->place > b->place;
}

/* Python sorts what it can compare, and nothing else. */
static bool comparable(const struct sorted *s, uint32_t count)
{
    int order;
    for (uint32_t i = 1; i < count; i++)
        if (!tv_compare(&s[0].key, &s[i].key, &order)) return false;
    return true;
}

static err_t sorted_of(struct tenv *n, const struct doc *list, const struct targs *args,
                       struct doc *items)
{
    const struct tv *turned = targ(args, 0, "reverse"), *exact = targ(args, 1, "case_sensitive");
    struct sorted *s = arena_take(n->a, (list->count + (size_t)1) * sizeof *s);
    err_t e = s ? ERR_OK : template_no_memory(n->d);
    for (uint32_t i = 0; i < list->count && !e; i++) {
        s[i] = (struct sorted){.place = i, .reverse = turned && tv_true(turned)};
        e = sort_key(n, &list->items[i], exact && tv_true(exact), &s[i].key);
    }
    if (e) return e;
    if (!comparable(s, list->count)) return takes(n, SLICE("sort"), "what can be compared");
    qsort(s, list->count, sizeof *s, by_key);
    for (uint32_t i = 0; i < list->count; i++) items[i] = list->items[s[i].place];
    return ERR_OK;
}

static err_t reordered(struct tenv *n, struct slice name, const struct tv *v,
                       const struct targs *args, struct tv *out)
{
    struct doc list;
    err_t e = as_list(n, name, v, &list);
    struct doc *items = e ? NULL : arena_take(n->a, (list.count + (size_t)1) * sizeof *items);
    if (!e && !items) return template_no_memory(n->d);
    if (!e && slice_is(name, "sort")) e = sorted_of(n, &list, args, items);
    if (e) return e;
    for (uint32_t i = 0; i < list.count && slice_is(name, "reverse"); i++)
        items[i] = list.items[list.count - 1 - i];
    *out = tv_doc((struct doc){.kind = DOC_LIST, .count = list.count, .items = items});
    return ERR_OK;
}

static err_t unique(struct tenv *n, const struct tv *v, const struct targs *args, struct tv *out)
{
    struct doc list, *items, *keys;
    uint32_t count = 0;
    const struct tv *exact = targ(args, 0, "case_sensitive");
    err_t e = as_list(n, SLICE("unique"), v, &list);
    if (e) return e;
    items = arena_take(n->a, (list.count + (size_t)1) * sizeof *items);
    keys = arena_take(n->a, (list.count + (size_t)1) * sizeof *keys);
    if (!items || !keys) return template_no_memory(n->d);
    for (uint32_t i = 0; i < list.count; i++) {
        struct tv key;
        uint32_t k = 0;
        e = sort_key(n, &list.items[i], exact && tv_true(exact), &key);
        if (e) return e;
        if (key.doc.kind == DOC_LIST || key.doc.kind == DOC_MAP)
            return takes(n, SLICE("unique"), "no lists or maps inside");
        bool same = false;
        for (; k < count && !same; k += !same) {
            struct tv one = tv_doc(keys[k]), equal;
            e = tv_binary(n, TB_EQ, &one, &key, &equal);
            if (e) return e;
            same = tv_true(&equal);
        }
        n->steps += count;
        if (n->steps > TEMPLATE_STEPS_MAX)
            return diag_fail(n->d, ERR_TOO_BIG, "template: it takes too many steps");
        if (k < count) continue;
        keys[count] = key.doc;
        items[count++] = list.items[i];
    }
    *out = tv_doc((struct doc){.kind = DOC_LIST, .count = count, .items = items});
    return ERR_OK;
}

static err_t end_of(struct tenv *n, struct slice name, const struct tv *v, struct tv *out)
{
    struct doc list;
    err_t e = as_list(n, name, v, &list);
    if (e) return e;
    *out = (struct tv){.kind = TV_UNDEFINED, .name = name};
    if (list.count) *out = tv_doc(list.items[slice_is(name, "last") ? list.count - 1 : 0]);
    return ERR_OK;
}

static err_t mapped(struct tenv *n, const struct tv *v, const struct targs *args, struct tv *out)
{
    const struct tv *field = targ(args, 99, "attribute"), *filter = targ(args, 0, "filter");
    struct doc list;
    err_t e = as_list(n, SLICE("map"), v, &list);
    struct doc *items = e ? NULL : arena_take(n->a, (list.count + (size_t)1) * sizeof *items);
    if (!e && !items) return template_no_memory(n->d);
    if (!e && !field && !filter) return takes(n, SLICE("map"), "a filter's name, or attribute=…");
    for (uint32_t i = 0; i < list.count && !e; i++) {
        struct tv item = tv_doc(list.items[i]), done;
        struct targs none = {0};
        if (field) {
            const struct doc *found = doc_find(&list.items[i], field->doc.text);
            done = tv_doc(found ? *found : (struct doc){0});
        } else {
            e = template_filter(n, filter->doc.text, &item, &none, &done);
        }
        if (!e) e = tv_as_doc(n, &done, &items[i]);
    }
    if (!e) *out = tv_doc((struct doc){.kind = DOC_LIST, .count = list.count, .items = items});
    return e;
}

/* --- dates: Airflow's filters -------------------------------------------------------------------
 */

static const struct {
    const char *name, *format;
} date_filters[] = {{"ds", "%Y-%m-%d"},
                    {"ds_nodash", "%Y%m%d"},
                    {"ts", NULL},
                    {"ts_nodash", "%Y%m%dT%H%M%S"},
                    {"ts_nodash_with_tz", "%Y%m%dT%H%M%S%z"}};

static bool dated(struct tenv *n, struct slice name, const struct tv *v, struct tv *out, err_t *e)
{
    for (size_t i = 0; i < COUNT_OF(date_filters); i++) {
        if (!slice_is(name, date_filters[i].name)) continue;
        *out = *v;
        struct slice none = {0};
        struct targs args = {0};
        if (tv_is(v, DOC_NULL))
            *e = ERR_OK; /* None stays None, as Airflow's filters do */
        else if (v->kind != TV_DATE)
            *e = takes(n, name, "a date");
        else if (date_filters[i].format)
            *e = date_format(n, v, slice_of(date_filters[i].format), out);
        else
            *e = date_call(n, v, SLICE("isoformat"), &args, out);
        (void)none;
        return true;
    }
    return false;
}

/* --- by name ------------------------------------------------------------------------------------
 */

static err_t length(struct tenv *n, const struct tv *v, struct tv *out)
{
    struct doc list;
    err_t e = as_list(n, SLICE("length"), v, &list);
    *out = tv_int(e ? 0 : list.count);
    return e;
}

static err_t defaulted(const struct tv *v, const struct targs *args, struct tv *out)
{
    const struct tv *fallback = targ(args, 0, "default_value"), *also = targ(args, 1, "boolean");
    bool missing = v->kind == TV_UNDEFINED || (also && tv_true(also) && !tv_true(v));
    *out = !missing ? *v : fallback ? *fallback : tv_text(SLICE(""));
    return ERR_OK;
}

static err_t as_json(struct tenv *n, const struct tv *v, struct tv *out)
{
    struct doc doc;
    struct buf text = buf_make(TEMPLATE_OUT_MAX);
    err_t e = tv_as_doc(n, v, &doc);
    if (!e) doc_put_json(&text, &doc);
    return e ? e : out_of(n, &text, out);
}

static err_t from_json(struct tenv *n, const struct tv *v, struct tv *out)
{
    *out = tv_doc((struct doc){0});
    if (!tv_is(v, DOC_TEXT)) return takes(n, SLICE("fromjson"), "a text");
    return doc_of_json(v->doc.text, n->a, &out->doc, n->d);
}

static err_t trimmed(struct tenv *n, const struct tv *v, struct tv *out)
{
    struct slice s;
    err_t e = tv_as_text(n, v, &s);
    *out = tv_text(slice_trim(s));
    return e;
}

static err_t as_string(struct tenv *n, const struct tv *v, struct tv *out)
{
    struct slice s;
    err_t e = tv_as_text(n, v, &s);
    *out = tv_text(s);
    return e;
}

static err_t listed(struct tenv *n, const struct tv *v, struct tv *out)
{
    *out = tv_doc((struct doc){0});
    return as_list(n, SLICE("list"), v, &out->doc);
}

static bool is_any(struct slice name, const char *a, const char *b, const char *c)
{
    return slice_is(name, a) || (b && slice_is(name, b)) || (c && slice_is(name, c));
}

static err_t filter_list(struct tenv *n, struct slice name, const struct tv *v,
                         const struct targs *args, struct tv *out)
{
    if (is_any(name, "length", "count", NULL)) return length(n, v, out);
    if (slice_is(name, "join")) return join(n, v, args, out);
    if (is_any(name, "first", "last", NULL)) return end_of(n, name, v, out);
    if (is_any(name, "sort", "reverse", NULL)) return reordered(n, name, v, args, out);
    if (slice_is(name, "unique")) return unique(n, v, args, out);
    if (slice_is(name, "map")) return mapped(n, v, args, out);
    if (slice_is(name, "list")) return listed(n, v, out);
    (void)diag_fail(n->d, ERR_UNSUPPORTED, "template: there is no filter '%.*s'", SLICE_ARG(name));
    return diag_hint(
        n->d,
        "default, upper, lower, replace, join, length, first, last, int, float, tojson, ds, ts …");
}

err_t template_filter(struct tenv *n, struct slice name, const struct tv *v,
                      const struct targs *args, struct tv *out)
{
    err_t e;
    if (is_any(name, "default", "d", NULL)) return defaulted(v, args, out);
    if (v->kind == TV_UNDEFINED)
        return diag_fail(n->d, ERR_UNKNOWN_NAME, "template: '%.*s' is undefined",
                         SLICE_ARG(v->name));
    if (dated(n, name, v, out, &e)) return e;
    if (is_any(name, "upper", NULL, NULL)) return template_cased(n, v, 'u', out);
    if (is_any(name, "lower", NULL, NULL)) return template_cased(n, v, 'l', out);
    if (is_any(name, "title", NULL, NULL)) return template_cased(n, v, 't', out);
    if (is_any(name, "capitalize", NULL, NULL)) return template_cased(n, v, 'c', out);
    if (is_any(name, "trim", NULL, NULL)) return trimmed(n, v, out);
    if (is_any(name, "replace", NULL, NULL)) return replaced(n, v, args, out);
    if (is_any(name, "truncate", NULL, NULL)) return truncated(n, v, args, out);
    if (is_any(name, "escape", "e", NULL)) return escaped(n, v, out);
    if (is_any(name, "string", "safe", NULL)) return as_string(n, v, out);
    if (is_any(name, "int", "float", NULL))
        return as_number(n, v, slice_is(name, "int"), args, out);
    if (is_any(name, "round", NULL, NULL)) return rounded(n, v, args, out);
    if (is_any(name, "abs", NULL, NULL)) return absolute(n, v, out);
    if (is_any(name, "tojson", NULL, NULL)) return as_json(n, v, out);
    if (is_any(name, "fromjson", NULL, NULL)) return from_json(n, v, out);
    return filter_list(n, name, v, args, out);
}

static const struct {
    const char *name;
    enum tbinary op;
} comparing[] = {{"eq", TB_EQ},       {"equalto", TB_EQ}, {"ne", TB_NE},          {"lt", TB_LT},
                 {"lessthan", TB_LT}, {"le", TB_LE},      {"greaterthan", TB_GT}, {"gt", TB_GT},
                 {"ge", TB_GE},       {"in", TB_IN}};

bool template_test_compares(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(comparing); i++)
        if (slice_is(name, comparing[i].name)) return true;
    return false;
}

err_t template_test(struct tenv *n, struct slice name, const struct tv *v, const struct targs *args,
                    bool *out)
{
    double number;
    bool numeric = tv_number(v, &number) && !tv_is(v, DOC_BOOL), text = tv_is(v, DOC_TEXT),
         map = tv_is(v, DOC_MAP), list = tv_is(v, DOC_LIST);
    const struct {
        const char *name;
        bool answer;
    } known[] = {{"defined", v->kind != TV_UNDEFINED},
                 {"undefined", v->kind == TV_UNDEFINED},
                 {"none", tv_is(v, DOC_NULL)},
                 {"string", text},
                 {"number", numeric || tv_is(v, DOC_BOOL)},
                 {"integer", tv_is(v, DOC_INT)},
                 {"float", tv_is(v, DOC_FLOAT)},
                 {"boolean", tv_is(v, DOC_BOOL)},
                 {"true", tv_is(v, DOC_BOOL) && v->doc.yes},
                 {"false", tv_is(v, DOC_BOOL) && !v->doc.yes},
                 {"mapping", map},
                 {"sequence", list || text},
                 {"iterable", list || text || map},
                 {"even", numeric && fmod(number, 2) == 0},
                 {"odd", numeric && fabs(fmod(number, 2)) == 1}};
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        *out = known[i].answer;
        if (slice_is(name, known[i].name)) return ERR_OK;
    }
    for (size_t i = 0; i < COUNT_OF(comparing); i++) {
        struct tv answer = {0};
        const struct tv *other = targ(args, 0, "other");
        if (!slice_is(name, comparing[i].name) || !other) continue;
        err_t e = tv_binary(n, comparing[i].op, v, other, &answer);
        *out = tv_true(&answer);
        return e;
    }
    return diag_fail(n->d, ERR_UNSUPPORTED, "template: there is no test '%.*s'", SLICE_ARG(name));
}
