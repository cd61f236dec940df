/* Evaluation: LIKE, regular expressions, casts. */
#include "sql/expr.h"
#include "sql/text.h"

static err_t begin(const struct frame *f, const struct expr *e, struct operand *out)
{
    out->mask = ~0u;
    return column_init(&out->col, e->type, f->in->rows, f->in->arena);
}

/* '%word%', 'word%', '%word': most patterns are one of these. */
struct like_shape {
    bool simple, open_start, open_end;
    struct slice word;
};

static struct like_shape like_shape(struct slice p)
{
    struct like_shape s = {.simple = true, .word = p};
    if (s.word.len && s.word.at[0] == '%') {
        s.open_start = true;
        s.word = slice_make(p.at + 1, p.len - 1);
    }
    if (s.word.len && s.word.at[s.word.len - 1] == '%') {
        s.open_end = true;
        s.word.len--;
    }
    for (uint32_t i = 0; i < s.word.len; i++)
        if (s.word.at[i] == '%' || s.word.at[i] == '_' || s.word.at[i] == '\\') s.simple = false;
    return s;
}

static bool like(struct slice text, struct slice pattern, const struct like_shape *s, bool nocase)
{
    if (!s->simple || nocase) return text_like(text, pattern, nocase);
    struct slice w = s->word;
    if (text.len < w.len) return false;
    if (s->open_start && s->open_end) return slice_find(text, w, 0) <= text.len;
    if (s->open_start) return slice_equal(slice_make(text.at + text.len - w.len, w.len), w);
    if (s->open_end) return slice_equal(slice_make(text.at, w.len), w);
    return slice_equal(text, w);
}

err_t eval_like(const struct frame *f, const struct expr *e, struct operand *out)
{
    struct operand a, b;
    err_t err = begin(f, e, out);
    if (!err) err = eval(f, e->args[0], &a);
    if (!err) err = eval(f, e->args[1], &b);
    struct like_shape shape = {0};
    for (uint32_t row = 0; !err && row < f->in->rows; row++) {
        if (!frame_takes(f, row)) continue;
        uint8_t left = operand_state(&a, row), right = operand_state(&b, row);
        if (left != VALID_VALUE || right != VALID_VALUE) {
            out->col.state[row] =
                left == ERROR_VALUE || right == ERROR_VALUE ? ERROR_VALUE : NULL_VALUE;
            continue;
        }
        struct slice pattern = operand_bytes(&b, row);
        if (b.mask || shape.word.at == NULL) shape = like_shape(pattern);
        bool yes = like(operand_bytes(&a, row), pattern, &shape, e->op == OP_ILIKE);
        out->col.b1[row] = yes != e->negated;
        out->col.state[row] = VALID_VALUE;
    }
    return err;
}

err_t eval_regex(const struct frame *f, const struct expr *e, struct operand *out)
{
    struct operand a;
    err_t err = begin(f, e, out);
    if (!err) err = eval(f, e->args[0], &a);
    struct regex_run *run = err ? NULL : regex_run_new(e->regex, f->in->arena);
    if (!err && !run) err = ERR_NO_MEMORY;
    for (uint32_t row = 0; !err && row < f->in->rows; row++) {
        if (!frame_takes(f, row)) continue;
        out->col.state[row] = operand_state(&a, row);
        if (out->col.state[row] != VALID_VALUE) continue;
        bool found;
        struct regex_match match;
        err_t bad = regex_find(run, operand_bytes(&a, row), 0, 0, &found, &match);
        if (bad == ERR_NO_MEMORY) return bad;
        if (bad)
            batch_fault(f->in, &out->col, row, bad, "%.*s: the pattern takes too long on this text",
                        EXPR_SHOWN(e));
        else
            out->col.b1[row] = found != e->negated;
    }
    return err;
}

/* --- casts --------------------------------------------------------------------------------------
 */

static bool fixed_integer(const struct type *t)
{
    return t->kind >= TYPE_TINYINT && t->kind <= TYPE_COUNTER;
}

static bool widens(const struct type *from, const struct type *to)
{
    return fixed_integer(from) && to->kind >= from->kind && to->kind <= TYPE_COUNTER;
}

/* An integer's digits: by far the commonest cast to text. */
static err_t cast_digits(const struct frame *f, int64_t v, uint32_t row, struct column *out)
{
    enum { DIGITS_MAX = 20 };
    uint8_t *at = arena_take_raw(f->in->arena, DIGITS_MAX);
    if (!at) return ERR_NO_MEMORY;
    uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    uint32_t n = DIGITS_MAX;
    do at[--n] = (uint8_t)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (v < 0) at[--n] = '-';
    put_bytes(out, row, slice_make(at + n, DIGITS_MAX - n));
    return ERR_OK;
}

static void put_real(struct column *out, uint32_t row, double v)
{
    out->f64[row] = v;
    out->state[row] = VALID_VALUE;
}

static err_t cast_one(const struct expr *e, const struct value *from, struct arena *a,
                      struct value *out, struct diag *d)
{
    if (from->type->kind == TYPE_JSON && e->type->kind != TYPE_JSON)
        return value_from_json(e->type, from->bytes, !e->negated, a, out, d);
    return value_cast(from, e->type, a, out, d);
}

static err_t cast_row(const struct frame *f, const struct expr *e, const struct operand *from,
                      uint32_t row, struct column *out)
{
    struct value in, made = value_null(e->type);
    struct diag story = {0};
    operand_value(from, row, &in);
    err_t bad = cast_one(e, &in, f->in->arena, &made, &story);
    if (bad == ERR_NO_MEMORY) return bad;
    if (!bad) return column_set(out, row, &made);
    if (e->op == OP_TRY) return ERR_OK; /* stays null */
    batch_fault(f->in, out, row, bad, "%.*s: %s", EXPR_SHOWN(e),
                story.what[0] ? story.what : err_text(bad));
    return ERR_OK;
}

err_t eval_cast(const struct frame *f, const struct expr *e, struct operand *out)
{
    struct operand a;
    err_t err = eval(f, e->args[0], &a);
    if (err) return err;
    const struct type *from = e->args[0]->type;
    if (type_phys(from) == PHYS_BYTES && from->kind == TYPE_ASCII && e->type->kind == TYPE_TEXT) {
        *out = a; /* the same bytes */
        out->col.type = e->type;
        return ERR_OK;
    }
    err = begin(f, e, out);
    bool wide = widens(from, e->type);
    bool digits = fixed_integer(from) && e->type->kind == TYPE_TEXT;
    bool real = fixed_integer(from) && e->type->kind == TYPE_DOUBLE;
    for (uint32_t row = 0; !err && row < f->in->rows; row++) {
        if (!frame_takes(f, row)) continue;
        uint8_t state = operand_state(&a, row);
        out->col.state[row] = state == VALID_VALUE ? NULL_VALUE : state;
        if (state != VALID_VALUE) continue;
        if (wide)
            cell_put_integer(&out->col, row, operand_integer(&a, row));
        else if (real)
            put_real(&out->col, row, (double)operand_integer(&a, row));
        else if (digits)
            err = cast_digits(f, operand_integer(&a, row), row, &out->col);
        else
            err = cast_row(f, e, &a, row, &out->col);
    }
    return err;
}
