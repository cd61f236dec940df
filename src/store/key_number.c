/* Numbers of any size in keys: byte order is numeric order.
 *
 * varint: a byte that holds sign and length, then the shortest two's complement as it is: longer
 * positive numbers come later, longer negative ones earlier, and within one length the bytes
 * decide. decimal: sign, exponent, digits; equal numbers of different scale (1.0 and 1.00) are one
 * key, as they are one row in Cassandra. */
#include "store/store_int.h"

enum { VARINT_SHORT = 120, DECIMAL_ZERO = 0x80, DECIMAL_POSITIVE = 0x81, DECIMAL_NEGATIVE = 0x7f };
enum { LIMB = 1000000000, LIMB_DIGITS = 9, LIMBS_MAX = KEY_NUMBER_MAX * 8 / 29 + 2 };
enum { DIGITS_MAX = LIMBS_MAX * LIMB_DIGITS, PLAIN_ZEROS_MAX = 64 };

/* The shortest form: a writer that padded must not make a second key of the same number. */
static struct slice varint_shortest(struct slice s)
{
    while (s.len > 1 &&
           ((s.at[0] == 0 && s.at[1] < 0x80) || (s.at[0] == 0xff && s.at[1] >= 0x80))) {
        s.at++;
        s.len--;
    }
    return s;
}

err_t key_put_varint(struct buf *out, struct slice binary)
{
    struct slice s = varint_shortest(binary);
    if (s.len == 0) return ERR_MALFORMED;
    if (s.len > KEY_NUMBER_MAX) return ERR_TOO_BIG;
    bool negative = s.at[0] & 0x80;
    uint32_t head = MIN(s.len, VARINT_SHORT + 1U);
    buf_be(out, negative ? 0x7f - head : 0x80 + head, 1);
    if (s.len > VARINT_SHORT) buf_be(out, negative ? ~s.len : s.len, 2);
    buf_slice(out, s);
    return ERR_OK;
}

void key_take_varint(struct key_reader *r, struct buf *out)
{
    uint32_t head = key_take_byte(r);
    bool negative = head < 0x80;
    uint32_t len = negative ? 0x7f - head : head - 0x80;
    if (len > VARINT_SHORT) {
        len = (uint32_t)key_take_be(r, 2);
        if (negative) len = ~len & 0xffff;
    }
    if (len == 0 || len > KEY_NUMBER_MAX) r->err = ERR_CORRUPT;
    for (uint32_t i = 0; i < len && !r->err; i++) buf_be(out, key_take_byte(r), 1);
}

/* Two's complement -> digits, most significant first, without leading zeros. */
static uint32_t digits_of(struct slice s, char *digits)
{
    uint32_t limbs[LIMBS_MAX] = {0}, used = 1;
    uint8_t flip = s.at[0] & 0x80 ? 0xff : 0; /* -x is ~x + 1 */
    uint32_t carry_in = flip ? 1 : 0;
    for (uint32_t i = 0; i <= s.len; i++) {
        bool last = i == s.len; /* the round that only adds the one */
        uint64_t carry = last ? carry_in : s.at[i] ^ flip;
        for (uint32_t k = 0; k < used || carry; k++) {
            uint64_t v = (last ? limbs[k] : (uint64_t)limbs[k] << 8) + carry;
            limbs[k] = (uint32_t)(v % LIMB);
            carry = v / LIMB;
            used = MAX(used, k + 1);
        }
    }
    char reversed[DIGITS_MAX];
    uint32_t count = 0;
    for (uint32_t k = 0; k < used; k++)
        for (uint32_t i = 0, v = limbs[k]; i < LIMB_DIGITS; i++, v /= 10)
            reversed[count++] = (char)(v % 10);
    while (count && reversed[count - 1] == 0) count--;
    for (uint32_t i = 0; i < count; i++) digits[i] = reversed[count - 1 - i];
    return count;
}

/* Digits, most significant first -> shortest two's complement. */
static void put_digits(const char *digits, uint32_t count, bool negative, struct buf *out)
{
    uint8_t bytes[KEY_NUMBER_MAX + 40] = {0}; /* least significant first */
    uint32_t used = 1;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t carry = (uint32_t)digits[i];
        for (uint32_t k = 0; (k < used || carry) && k < sizeof bytes; k++) {
            uint32_t v = bytes[k] * 10U + carry;
            bytes[k] = (uint8_t)v;
            carry = v >> 8;
            used = MAX(used, k + 1);
        }
    }
    if (used < sizeof bytes) used++; /* room for the sign */
    uint32_t carry = 1;
    for (uint32_t k = 0; negative && k < used; k++) {
        carry += (uint8_t)~bytes[k];
        bytes[k] = (uint8_t)carry;
        carry >>= 8;
    }
    uint8_t sign = negative ? 0xff : 0;
    while (used > 1 && bytes[used - 1] == sign && (bytes[used - 2] & 0x80) == (sign & 0x80)) used--;
    while (used) buf_be(out, bytes[--used], 1);
}

err_t key_put_decimal(struct buf *out, struct slice binary)
{
    if (binary.len < 5) return ERR_MALFORMED;
    if (binary.len > KEY_NUMBER_MAX) return ERR_TOO_BIG;
    struct cursor c = cursor_of(binary);
    int64_t scale = cursor_i32(&c);
    char digits[DIGITS_MAX];
    uint32_t count = digits_of(slice_make(c.at, cursor_left(&c)), digits);
    if (count == 0) {
        buf_be(out, DECIMAL_ZERO, 1);
        return ERR_OK;
    }
    int64_t exponent = (int64_t)count - scale; /* 0.DIGITS x 10^exponent */
    while (digits[count - 1] == 0) count--;
    bool negative = *c.at & 0x80;
    uint8_t flip = negative ? 0xff : 0;
    buf_be(out, negative ? DECIMAL_NEGATIVE : DECIMAL_POSITIVE, 1);
    uint64_t e = (uint64_t)exponent ^ 1ULL << 63;
    buf_be(out, negative ? ~e : e, 8);
    for (uint32_t i = 0; i < count; i++) buf_be(out, (uint8_t)(digits[i] + 1) ^ flip, 1);
    buf_be(out, flip, 1);
    return ERR_OK;
}

void key_take_decimal(struct key_reader *r, struct buf *out)
{
    uint8_t sign = key_take_byte(r), outer = r->flip;
    char digits[2 * DIGITS_MAX + PLAIN_ZEROS_MAX];
    uint32_t count = 0;
    int64_t exponent = 0;
    if (sign != DECIMAL_ZERO) {
        r->flip = sign == DECIMAL_NEGATIVE ? (uint8_t)~outer : outer;
        exponent = (int64_t)(key_take_be(r, 8) ^ 1ULL << 63);
        for (uint8_t digit; (digit = key_take_byte(r)) != 0 && !r->err;) {
            if (digit > 10 || count == DIGITS_MAX) r->err = ERR_CORRUPT;
            if (!r->err) digits[count++] = (char)(digit - 1);
        }
        r->flip = outer;
    }
    if (exponent > (int64_t)UINT32_MAX || exponent < -(int64_t)UINT32_MAX) {
        r->err = ERR_CORRUPT;
        return;
    }
    int64_t scale = (int64_t)count - exponent;
    if (scale > INT32_MAX || scale < INT32_MIN - (int64_t)DIGITS_MAX) r->err = ERR_CORRUPT;
    if (r->err) return;
    /* 100 rather than 1E2, as long as that stays short */
    if (scale < 0 && -scale <= PLAIN_ZEROS_MAX)
        for (; scale < 0; scale++) digits[count++] = 0;
    /* a scale below what fits: only digits that were stripped can have brought it there */
    for (; scale < INT32_MIN; scale++) digits[count++] = 0;
    buf_be(out, (uint32_t)(int32_t)scale, 4);
    put_digits(digits, count, sign == DECIMAL_NEGATIVE, out);
}
