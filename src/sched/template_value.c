/* Values: what is true, how they are written (Python's str and repr), compared and reckoned with.
 */
#include "sched/template_int.h"

#include "data/json.h"

#include <math.h>

bool tv_number(const struct tv *v, double *out)
{
    if (v->kind != TV_DOC) return false;
    switch (v->doc.kind) {
    case DOC_INT: *out = (double)v->doc.number; return true;
    case DOC_FLOAT: *out = v->doc.real; return true;
    case DOC_BOOL: *out = v->doc.yes; return true;
    default: return false;
    }
}

static bool doc_true(const struct doc *v)
{
    switch (v->kind) {
    case DOC_NULL: return false;
    case DOC_BOOL: return v->yes;
    case DOC_INT: return v->number != 0;
    case DOC_FLOAT: return v->real != 0;
    case DOC_TEXT: return v->text.len > 0;
    case DOC_LIST:
    case DOC_MAP: return v->count > 0;
    }
    return false;
}

bool tv_true(const struct tv *v)
{
    if (v->kind == TV_DOC) return doc_true(&v->doc);
    return v->kind == TV_DELTA ? v->us != 0 : v->kind != TV_UNDEFINED;
}

bool template_is_true(const struct doc *v)
{
    static const char *const no[] = {"False", "false", "None", "none", "null", "0", "no", "off"};
    if (!v) return false;
    for (size_t i = 0; i < COUNT_OF(no); i++)
        if (v->kind == DOC_TEXT && slice_is(slice_trim(v->text), no[i])) return false;
    return doc_true(v);
}

/* --- writing ------------------------------------------------------------------------------------
 */

static void put_repr(struct buf *out, const struct doc *v);

static void put_quoted(struct buf *out, struct slice s)
{
    bool single = memchr(s.at ? (const char *)s.at : "", '\'', s.len) && !memchr(s.at, '"', s.len);
    char quote = single ? '"' : '\'';
    buf_char(out, quote);
    for (uint32_t i = 0; i < s.len; i++) {
        uint8_t c = s.at[i];
        if (c == '\n') {
            buf_text(out, "\\n");
        } else if (c == '\r') {
            buf_text(out, "\\r");
        } else if (c == '\t') {
            buf_text(out, "\\t");
        } else if (c < 0x20 || c == 0x7F) {
            buf_printf(out, "\\x%02x", c);
        } else {
            if (c == '\\' || c == (uint8_t)quote) buf_char(out, '\\');
            buf_char(out, (char)c);
        }
    }
    buf_char(out, quote);
}

static void put_parts(struct buf *out, const struct doc *v)
{
    bool map = v->kind == DOC_MAP;
    buf_char(out, map ? '{' : '[');
    for (uint32_t i = 0; i < v->count; i++) {
        if (i) buf_text(out, ", ");
        if (map) put_quoted(out, v->entries[i].name);
        if (map) buf_text(out, ": ");
        put_repr(out, map ? &v->entries[i].value : &v->items[i]);
    }
    buf_char(out, map ? '}' : ']');
}

static void put_repr(struct buf *out, const struct doc *v)
{
    if (v->kind == DOC_TEXT)
        put_quoted(out, v->text);
    else
        template_put(out, v);
}

/* Python's repr: a float is seen to be one. */
static void put_float(struct buf *out, double v)
{
    size_t start = out->len;
    if (!isfinite(v)) {
        buf_text(out, isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
        return;
    }
    json_put_f64(out, v);
    for (size_t i = start; i < out->len; i++)
        if (strchr(".eE", out->at[i])) return;
    buf_text(out, ".0");
}

void template_put(struct buf *out, const struct doc *v)
{
    switch (v->kind) {
    case DOC_NULL: buf_text(out, "None"); break;
    case DOC_BOOL: buf_text(out, v->yes ? "True" : "False"); break;
    case DOC_INT: buf_printf(out, "%lld", (long long)v->number); break;
    case DOC_FLOAT: put_float(out, v->real); break;
    case DOC_TEXT: buf_slice(out, v->text); break;
    case DOC_LIST:
    case DOC_MAP: put_parts(out, v); break;
    }
}

void tv_put(struct buf *out, const struct tv *v)
{
    if (v->kind == TV_DOC) template_put(out, &v->doc);
    if (v->kind == TV_DATE) date_put(out, v, ' ');
    if (v->kind == TV_DELTA) delta_put(out, (struct delta){.us = v->us});
    if (v->kind == TV_SPACE) buf_printf(out, "<%.*s>", SLICE_ARG(v->name));
}

err_t tv_as_text(struct tenv *n, const struct tv *v, struct slice *out)
{
    *out = v->doc.text;
    if (tv_is(v, DOC_TEXT)) return ERR_OK;
    struct buf text = buf_make(TEMPLATE_OUT_MAX);
    tv_put(&text, v);
    *out = text.err ? (struct slice){0} : arena_slice(n->a, buf_view(&text));
    bool failed = text.err || (text.len && !out->at);
    buf_done(&text);
    return failed ? template_no_memory(n->d) : ERR_OK;
}

err_t tv_as_doc(struct tenv *n, const struct tv *v, struct doc *out)
{
    *out = v->doc;
    if (v->kind == TV_DOC) return ERR_OK;
    struct slice s;
    err_t e = tv_as_text(n, v, &s);
    *out = (struct doc){.kind = DOC_TEXT, .text = s.at ? s : SLICE("")};
    return e;
}

/* --- comparing ----------------------------------------------------------------------------------
 */

bool tv_compare(const struct tv *x, const struct tv *y, int *out)
{
    double a, b;
    if (tv_is(x, DOC_INT) && tv_is(y, DOC_INT)) {
        *out = x->doc.number < y->doc.number ? -1 : x->doc.number > y->doc.number;
        return true;
    }
    if (tv_number(x, &a) && tv_number(y, &b)) {
        *out = a < b ? -1 : a > b;
        return !isnan(a) && !isnan(b);
    }
    if (tv_is(x, DOC_TEXT) && tv_is(y, DOC_TEXT)) {
        *out = slice_compare(x->doc.text, y->doc.text);
        return true;
    }
    if ((x->kind == TV_DATE || x->kind == TV_DELTA) && x->kind == y->kind) {
        *out = x->us < y->us ? -1 : x->us > y->us;
        return true;
    }
    if (!tv_is(x, DOC_LIST) || !tv_is(y, DOC_LIST)) return false;
    for (uint32_t i = 0; i < x->doc.count && i < y->doc.count; i++) {
        struct tv p = tv_doc(x->doc.items[i]), q = tv_doc(y->doc.items[i]);
        if (!tv_compare(&p, &q, out)) return false;
        if (*out) return true;
    }
    *out = x->doc.count < y->doc.count ? -1 : x->doc.count > y->doc.count;
    return true;
}

static bool equal(const struct tv *x, const struct tv *y)
{
    int order;
    double a, b;
    if (tv_number(x, &a) && tv_number(y, &b)) return tv_compare(x, y, &order) && order == 0;
    if (x->kind != y->kind) return false;
    return x->kind == TV_DOC ? doc_equal(&x->doc, &y->doc) : x->us == y->us;
}

static bool holds(const struct tv *list, const struct tv *what)
{
    if (tv_is(list, DOC_TEXT) && tv_is(what, DOC_TEXT))
        return what->doc.text.len == 0 ||
               (list->doc.text.at && memmem(list->doc.text.at, list->doc.text.len,
                                            what->doc.text.at, what->doc.text.len));
    if (tv_is(list, DOC_MAP)) return tv_is(what, DOC_TEXT) && doc_find(&list->doc, what->doc.text);
    for (uint32_t i = 0; tv_is(list, DOC_LIST) && i < list->doc.count; i++) {
        struct tv item = tv_doc(list->doc.items[i]);
        if (equal(&item, what)) return true;
    }
    return false;
}

/* --- reckoning ----------------------------------------------------------------------------------
 */

static const char *type_word(const struct tv *v)
{
    static const char *const words[] = {"None", "bool", "int", "float", "str", "list", "dict"};
    if (v->kind == TV_DOC) return words[v->doc.kind];
    return v->kind == TV_DATE ? "datetime" : v->kind == TV_DELTA ? "timedelta" : "object";
}

static err_t can_not(struct tenv *n, const char *what, const struct tv *x, const struct tv *y)
{
    return diag_fail(n->d, ERR_TYPE, "template: '%s' does not take %s and %s", what, type_word(x),
                     type_word(y));
}

static err_t too_large(struct tenv *n)
{
    return diag_fail(n->d, ERR_RANGE, "template: a number becomes too large");
}

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return q - ((a % b != 0) && ((a < 0) != (b < 0)));
}

static err_t whole(struct tenv *n, enum tbinary op, int64_t a, int64_t b, struct tv *out)
{
    int64_t r = 0;
    bool bad = false;
    if ((op == TB_FLOOR || op == TB_MOD || op == TB_DIV) && b == 0)
        return diag_fail(n->d, ERR_RANGE, "template: division by zero");
    if (b == -1 && a == INT64_MIN) return too_large(n);
    switch (op) {
    case TB_ADD: bad = __builtin_add_overflow(a, b, &r); break;
    case TB_SUB: bad = __builtin_sub_overflow(a, b, &r); break;
    case TB_MUL: bad = __builtin_mul_overflow(a, b, &r); break;
    case TB_FLOOR: r = floor_div(a, b); break;
    case TB_MOD: r = a - floor_div(a, b) * b; break;
    case TB_DIV: *out = tv_real((double)a / (double)b); return ERR_OK;
    case TB_POW:
        if (b < 0) {
            *out = tv_real(pow((double)a, (double)b));
            return ERR_OK;
        }
        for (r = 1; b > 0 && !bad && r != 0 && (r != 1 || a != 1); b--)
            bad = __builtin_mul_overflow(r, a, &r);
        break;
    default: break;
    }
    *out = tv_int(r);
    return bad ? too_large(n) : ERR_OK;
}

/* Python's: the divisor's sign, also of nothing. */
static double modulo(double a, double b)
{
    double rest = fmod(a, b);
    if (rest == 0) return copysign(0, b);
    return (rest < 0) == (b < 0) ? rest : rest + b;
}

static err_t fraction(struct tenv *n, enum tbinary op, double a, double b, struct tv *out)
{
    if ((op == TB_FLOOR || op == TB_MOD || op == TB_DIV) && b == 0)
        return diag_fail(n->d, ERR_RANGE, "template: division by zero");
    *out = tv_real(op == TB_ADD     ? a + b
                   : op == TB_SUB   ? a - b
                   : op == TB_MUL   ? a * b
                   : op == TB_DIV   ? a / b
                   : op == TB_FLOOR ? floor(a / b)
                   : op == TB_MOD   ? modulo(a, b)
                                    : pow(a, b));
    return ERR_OK;
}

static err_t joined(struct tenv *n, const struct tv *x, const struct tv *y, struct tv *out)
{
    struct buf text = buf_make(TEMPLATE_OUT_MAX);
    tv_put(&text, x);
    tv_put(&text, y);
    *out = tv_text(text.err ? (struct slice){0} : arena_slice(n->a, buf_view(&text)));
    bool failed = text.err || (text.len && !out->doc.text.len);
    buf_done(&text);
    return failed ? template_no_memory(n->d) : ERR_OK;
}

static err_t lists(struct tenv *n, const struct tv *x, const struct tv *y, struct tv *out)
{
    struct doc list = {.kind = DOC_LIST, .count = x->doc.count + y->doc.count};
    list.items = arena_take(n->a, (list.count + (size_t)1) * sizeof *list.items);
    if (!list.items) return template_no_memory(n->d);
    if (x->doc.count) memcpy(list.items, x->doc.items, x->doc.count * sizeof *list.items);
    if (y->doc.count)
        memcpy(list.items + x->doc.count, y->doc.items, y->doc.count * sizeof *list.items);
    *out = tv_doc(list);
    return ERR_OK;
}

static err_t times(struct tenv *n, enum tbinary op, const struct tv *x, const struct tv *y,
                   struct tv *out)
{
    bool dates = x->kind == TV_DATE && y->kind == TV_DATE;
    bool later = (x->kind == TV_DATE || x->kind == TV_DELTA) && y->kind == TV_DELTA;
    *out = *x;
    if (dates && op == TB_SUB) {
        *out = (struct tv){.kind = TV_DELTA};
        return __builtin_sub_overflow(x->us, y->us, &out->us) ? too_large(n) : ERR_OK;
    }
    if (later && op == TB_SUB)
        return __builtin_sub_overflow(x->us, y->us, &out->us) ? too_large(n) : ERR_OK;
    if (later && op == TB_ADD)
        return __builtin_add_overflow(x->us, y->us, &out->us) ? too_large(n) : ERR_OK;
    if (x->kind == TV_DELTA && y->kind == TV_DATE && op == TB_ADD) return times(n, op, y, x, out);
    if (x->kind == TV_DELTA && tv_is(y, DOC_INT) && op == TB_MUL)
        return __builtin_mul_overflow(x->us, y->doc.number, &out->us) ? too_large(n) : ERR_OK;
    return can_not(n, op == TB_SUB ? "-" : op == TB_ADD ? "+" : "*", x, y);
}

static err_t compared(struct tenv *n, enum tbinary op, const struct tv *x, const struct tv *y,
                      struct tv *out)
{
    static const char *const signs[] = {
        [TB_LT] = "<", [TB_LE] = "<=", [TB_GT] = ">", [TB_GE] = ">="};
    int order;
    if (op == TB_EQ || op == TB_NE) {
        *out = tv_bool(equal(x, y) == (op == TB_EQ));
        return ERR_OK;
    }
    if (op == TB_IN || op == TB_NOT_IN) {
        *out = tv_bool(holds(y, x) == (op == TB_IN));
        return ERR_OK;
    }
    if (!tv_compare(x, y, &order)) return can_not(n, signs[op], x, y);
    *out = tv_bool(op == TB_LT   ? order < 0
                   : op == TB_LE ? order <= 0
                   : op == TB_GT ? order > 0
                                 : order >= 0);
    return ERR_OK;
}

err_t tv_binary(struct tenv *n, enum tbinary op, const struct tv *x, const struct tv *y,
                struct tv *out)
{
    static const char *const signs[] = {"+", "-", "*", "/", "//", "%", "**"};
    double a, b;
    if (op >= TB_EQ) return compared(n, op, x, y, out);
    if (op == TB_JOIN) return joined(n, x, y, out);
    if (x->kind == TV_DATE || x->kind == TV_DELTA || y->kind == TV_DATE || y->kind == TV_DELTA)
        return times(n, op, x, y, out);
    if (op == TB_ADD && tv_is(x, DOC_TEXT) && tv_is(y, DOC_TEXT)) return joined(n, x, y, out);
    if (op == TB_ADD && tv_is(x, DOC_LIST) && tv_is(y, DOC_LIST)) return lists(n, x, y, out);
    if (!tv_number(x, &a) || !tv_number(y, &b)) return can_not(n, signs[op], x, y);
    if (!tv_is(x, DOC_FLOAT) && !tv_is(y, DOC_FLOAT)) {
        int64_t left = tv_is(x, DOC_BOOL) ? x->doc.yes : x->doc.number;
        int64_t right = tv_is(y, DOC_BOOL) ? y->doc.yes : y->doc.number;
        return whole(n, op, left, right, out);
    }
    return fraction(n, op, a, b, out);
}
