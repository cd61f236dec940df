/* CAST between numbers, and of what has a text to text. */
#include "sql/cql/numbers.h"

/* BigDecimal and BigInteger of what is no number: an exception nobody catches. */
static err_t no_decimal(struct native_run *r)
{
    return diag_fail(r->d, ERR_INTERNAL,
                     "java.lang.NumberFormatException: Character N is neither a decimal digit "
                     "number, decimal point, nor \"e\" notation exponential mark.");
}

static err_t to_decimal(struct native_run *r, const struct num *n)
{
    struct dec v;
    uint8_t memory[64];
    struct buf text = buf_over(memory, sizeof(memory));
    struct slice b;
    if (n->kind == TYPE_VARINT) {
        v = (struct dec){n->big, 0};
    } else if (n->kind == TYPE_FLOAT || n->kind == TYPE_DOUBLE) {
        if (n->kind == TYPE_FLOAT)
            java_put_f32(&text, (float)n->d);
        else
            java_put_f64(&text, n->d);
        if (binary_from_text(type_of(TYPE_DECIMAL), buf_view(&text), r->a, &b, NULL) ||
            !dec_of_binary(b, r->a, &v))
            return no_decimal(r);
    } else {
        v.scale = 0;
        if (!big_of_i64(n->i, r->a, &v.whole)) return term_no_room(r->d);
    }
    return answer_dec(r, &v);
}

err_t cf_cast_number(struct native_run *r)
{
    struct num n;
    struct big v;
    enum type_kind to = r->s->result->kind;
    if (!num_of(r->s->args[0], r->args[0].bytes, r->a, &n)) return too_large(r);
    switch (to) {
    case TYPE_DECIMAL: return to_decimal(r, &n);
    case TYPE_VARINT:
        if (!big_of_i64(num_whole(&n, 64, r->a), r->a, &v)) return term_no_room(r->d);
        return answer_big(r, &v);
    case TYPE_FLOAT: return answer_f64(r, (double)num_f32(&n, r->a));
    case TYPE_DOUBLE: return answer_f64(r, num_f64(&n, r->a));
    default: return answer_whole(r, num_whole(&n, type_bits(to), r->a));
    }
}

err_t cf_cast_text(struct native_run *r)
{
    struct buf text = buf_make(KIB(64));
    struct slice made;
    scalar_put(r->s->args[0], r->args[0].bytes, &text);
    err_t e = term_keep(&text, r->a, &made, r->d);
    return e ? e : set_value(r->out, made);
}

err_t cf_same(struct native_run *r)
{
    return set_value(r->out, r->args[0].bytes);
}
