/* What is inside collections, tuples and user types: walked, sorted, put together. */
#include "sql/cql/term_int.h"

#include "base/hash.h"

err_t term_keep(struct buf *made, struct arena *a, struct slice *out, struct diag *d)
{
    err_t e = made->err ? term_no_room(d) : ERR_OK;
    if (!e) {
        uint8_t *at = arena_take_raw(a, made->len ? made->len : 1);
        if (!at) e = term_no_room(d);
        if (at && made->len) memcpy(at, made->at, made->len);
        *out = slice_make(at, made->len);
    }
    buf_done(made);
    return e;
}

err_t put_be_value(struct arena *a, uint64_t v, int bytes, struct cql_value *out, struct diag *d)
{
    uint8_t *at = arena_take_raw(a, 8);
    if (!at) return term_no_room(d);
    for (int i = 0; i < bytes; i++) at[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
    return set_value(out, slice_make(at, (size_t)bytes));
}

double binary_f64(struct slice b)
{
    uint64_t bits = (uint64_t)binary_i64(b);
    double v;
    memcpy(&v, &bits, 8);
    return v;
}

float binary_f32(struct slice b)
{
    uint32_t bits = (uint32_t)binary_i64(b);
    float v;
    memcpy(&v, &bits, 4);
    return v;
}

/* --- walking ------------------------------------------------------------------------------------
 */

struct item_walk items_of_collection(const struct type *t, struct slice binary)
{
    struct item_walk w = {.at = cursor_of(binary)};
    int32_t n = binary.len ? cursor_i32(&w.at) : 0;
    w.left = n > 0 ? (uint32_t)n * (t->kind == TYPE_MAP ? 2 : 1) : 0;
    return w;
}

struct item_walk items_of_fields(const struct type *t, struct slice binary)
{
    return (struct item_walk){.at = cursor_of(binary), .left = t->count};
}

static struct item_walk items_of(const struct type *t, struct slice b)
{
    return type_is_collection(t) ? items_of_collection(t, b) : items_of_fields(t, b);
}

/* A null, and a field that is not there any more, have no address. */
bool items_next(struct item_walk *w, struct slice *item)
{
    *item = (struct slice){0};
    if (!w->left || w->at.err) return false;
    w->left--;
    if (!cursor_left(&w->at)) return true;
    int32_t len = cursor_i32(&w->at);
    if (w->at.err) return false;
    if (len < 0) return true;
    *item = cursor_slice(&w->at, (uint64_t)len);
    if (len == 0) item->at = w->at.at;
    return w->at.err == ERR_OK;
}

err_t cql_items(const struct type *t, struct slice binary, struct arena *a, struct cql_value **out,
                uint32_t *count, struct diag *d)
{
    struct item_walk w = items_of(t, binary);
    struct slice item;
    uint32_t n = 0, most = w.left;
    if (type_is_collection(t) && most > binary.len / 4)
        return diag_fail(d, ERR_INVALID, "Not enough bytes to read a %s", type_kind_name(t->kind));
    struct cql_value *items = arena_take(a, (most ? most : 1) * sizeof(*items));
    if (!items) return term_no_room(d);
    for (; items_next(&w, &item); n++)
        items[n] = (struct cql_value){item, item.at ? CQL_SET : CQL_NULL};
    if (n != most)
        return diag_fail(d, ERR_INVALID, "Not enough bytes to read a %s", type_kind_name(t->kind));
    *out = items;
    *count = n;
    return ERR_OK;
}

/* --- sorting ------------------------------------------------------------------------------------
 */

struct sorting {
    const struct type *key;
    uint32_t step; /* 2: key and value */
};

static int order_of(const struct sorting *s, const struct cql_value *a, const struct cql_value *b)
{
    return cql_compare(s->key, a->bytes, b->bytes);
}

/* Stable, by merging runs; both arrays hold `pairs` of `step` values. */
static void merge(const struct sorting *s, const struct cql_value *from, struct cql_value *to,
                  uint32_t left, uint32_t middle, uint32_t right)
{
    uint32_t i = left, j = middle, step = s->step;
    for (uint32_t k = left; k < right; k++) {
        bool take_left =
            i < middle && (j >= right || order_of(s, from + i * step, from + j * step) <= 0);
        uint32_t taken = take_left ? i++ : j++;
        memcpy(to + k * step, from + taken * step, step * sizeof(*to));
    }
}

static bool ascending(const struct sorting *s, const struct cql_value *items, uint32_t pairs)
{
    for (uint32_t i = 1; i < pairs; i++)
        if (order_of(s, items + (i - 1) * s->step, items + i * s->step) >= 0) return false;
    return true;
}

/* Of equals the first key stays, and a map's last value. */
static uint32_t without_doubles(const struct sorting *s, struct cql_value *items, uint32_t pairs)
{
    uint32_t kept = 0, step = s->step;
    for (uint32_t i = 0; i < pairs; i++) {
        if (kept && order_of(s, items + (kept - 1) * step, items + i * step) == 0) {
            if (step == 2) items[(kept - 1) * step + 1] = items[i * step + 1];
            continue;
        }
        memmove(items + kept++ * step, items + i * step, step * sizeof(*items));
    }
    return kept;
}

/* UINT32_MAX when there is no room. */
uint32_t items_sort(const struct type *t, struct cql_value *items, uint32_t count, struct arena *a)
{
    struct sorting s = {t->items[0], t->kind == TYPE_MAP ? 2 : 1};
    uint32_t pairs = count / s.step;
    if (t->kind == TYPE_LIST || ascending(&s, items, pairs)) return count;
    struct cql_value *other = arena_take_raw(a, count * sizeof(*other)), *from = items, *to = other;
    if (!other) return UINT32_MAX;
    for (uint64_t run = 1; run < pairs; run *= 2) {
        for (uint64_t left = 0; left < pairs; left += 2 * run)
            merge(&s, from, to, (uint32_t)left, (uint32_t)MIN(left + run, pairs),
                  (uint32_t)MIN(left + 2 * run, pairs));
        struct cql_value *swap = from;
        from = to;
        to = swap;
    }
    if (from != items) memcpy(items, from, count * sizeof(*items));
    return without_doubles(&s, items, pairs) * s.step;
}

err_t items_pack(const struct type *t, const struct cql_value *items, uint32_t count,
                 struct arena *a, struct cql_value *out, struct diag *d)
{
    bool collection = type_is_collection(t);
    uint64_t size = collection ? 4 : 0;
    for (uint32_t i = 0; i < count; i++)
        size += 4 + (uint64_t)(items[i].state == CQL_SET ? items[i].bytes.len : 0);
    if (size > TERM_BYTES_MAX)
        return diag_fail(d, ERR_TOO_BIG, "a value of %llu bytes, more than %d",
                         (unsigned long long)size, TERM_BYTES_MAX);
    uint8_t *at = arena_take_raw(a, size ? size : 1);
    if (!at) return term_no_room(d);
    struct buf b = buf_over(at, size ? size : 1);
    if (collection) buf_be(&b, t->kind == TYPE_MAP ? count / 2 : count, 4);
    for (uint32_t i = 0; i < count; i++) {
        bool there = items[i].state == CQL_SET;
        buf_be(&b, there ? items[i].bytes.len : UINT32_MAX, 4);
        if (there) buf_slice(&b, items[i].bytes);
    }
    INVARIANT(b.err == ERR_OK && b.len == size);
    return set_value(out, buf_view(&b));
}

/* --- checking -----------------------------------------------------------------------------------
 */

static err_t wrong_length(const struct type *t, struct slice b, struct diag *d)
{
    static const char *const words[TYPE_KINDS] = {
        [TYPE_BOOLEAN] = "Expected 1 or 0 byte value",
        [TYPE_TINYINT] = "Expected 1 byte for a tinyint",
        [TYPE_SMALLINT] = "Expected 2 bytes for a smallint",
        [TYPE_INT] = "Expected 4 or 0 byte int",
        [TYPE_BIGINT] = "Expected 8 or 0 byte long",
        [TYPE_COUNTER] = "Expected 8 or 0 byte long",
        [TYPE_FLOAT] = "Expected 4 or 0 byte value for a float",
        [TYPE_DOUBLE] = "Expected 8 or 0 byte value for a double",
        [TYPE_DECIMAL] = "Expected 0 or at least 4 bytes",
        [TYPE_UUID] = "UUID should be 16 or 0 bytes",
        [TYPE_TIMEUUID] = "UUID should be 16 or 0 bytes",
        [TYPE_TIMESTAMP] = "Expected 8 or 0 byte long for date",
        [TYPE_DATE] = "Expected 4 byte long for date",
        [TYPE_TIME] = "Expected 8 byte long for time",
        [TYPE_DURATION] = "Expected at least 3 bytes for a duration"};
    return diag_fail(d, ERR_INVALID, "%s (%u)", words[t->kind], b.len);
}

static err_t check_uuid(const struct type *t, struct slice b, struct diag *d)
{
    if (b.len == 0) return ERR_OK;
    if (b.len != 16) return wrong_length(t, b, d);
    if (t->kind == TYPE_UUID || b.at[6] >> 4 == 1) return ERR_OK;
    return diag_fail(d, ERR_INVALID, "Invalid version for TimeUUID type: 0x%x", b.at[0] >> 4);
}

enum { NUMBER_BYTES_SURE = 4096 }; /* surely no more than ROW_DECIMAL_DIGITS digits */

static err_t check_number(const struct type *t, struct slice b, struct diag *d)
{
    uint32_t head = t->kind == TYPE_DECIMAL ? 4 : 0;
    if (b.len == 0) return ERR_OK;
    if (b.len <= head) return wrong_length(t, b, d);
    if (b.len < NUMBER_BYTES_SURE) return ERR_OK; /* any bytes are a number */
    struct value v;
    err_t e = value_from_binary(t, b, &v, d);
    return e == ERR_TOO_BIG || e == ERR_OK
               ? e
               : diag_fail(d, ERR_INVALID, "not a %s", type_kind_name(t->kind));
}

/* Most text is ASCII: eight bytes at a time. */
static bool all_ascii(struct slice b)
{
    uint64_t all = 0, word = 0;
    uint32_t i = 0;
    for (; i + 8 <= b.len; i += 8) {
        memcpy(&word, b.at + i, 8);
        all |= word;
    }
    for (; i < b.len; i++) all |= b.at[i];
    return !(all & 0x8080808080808080u);
}

static err_t check_text(const struct type *t, struct slice b, struct diag *d)
{
    struct value v;
    if (all_ascii(b)) return ERR_OK;
    if (value_from_binary(t, b, &v, NULL) == ERR_OK) return ERR_OK;
    if (t->kind != TYPE_ASCII) return diag_fail(d, ERR_INVALID, "String didn't validate.");
    uint32_t i = 0;
    while (i < b.len && b.at[i] < 0x80) i++;
    return diag_fail(d, ERR_INVALID, "Invalid byte for ascii: %d", (int8_t)b.at[i]);
}

static err_t check_duration(const struct type *t, struct slice b, struct diag *d)
{
    struct value v;
    struct diag why = {0};
    if (b.len < 3) return wrong_length(t, b, d);
    if (value_from_binary(t, b, &v, &why) == ERR_OK) return ERR_OK;
    return diag_fail(d, ERR_INVALID, "%s", why.what);
}

static err_t check_inet(struct slice b, struct diag *d)
{
    char hex[65];
    struct buf out = buf_over(hex, sizeof(hex));
    if (b.len == 0 || b.len == 4 || b.len == 16) return ERR_OK;
    put_hex(&out, b.at, MIN(b.len, 32u));
    return diag_fail(d, ERR_INVALID, "Expected 4 or 16 byte inetaddress; got %.*s",
                     SLICE_ARG(buf_view(&out)));
}

static err_t check_collection(const struct type *t, struct slice b, bool nulls, struct diag *d)
{
    const char *kind = type_kind_name(t->kind);
    struct cursor c = cursor_of(b);
    int32_t n = cursor_i32(&c);
    if (c.err) return diag_fail(d, ERR_INVALID, "Not enough bytes to read a %s", kind);
    if (n < 0) return diag_fail(d, ERR_INVALID, "The data cannot be deserialized as a %s", kind);
    uint64_t items = (uint64_t)n * (t->kind == TYPE_MAP ? 2 : 1);
    for (uint64_t i = 0; i < items; i++) {
        int32_t len = cursor_i32(&c);
        if (c.err) return diag_fail(d, ERR_INVALID, "Not enough bytes to read a %s", kind);
        if (len < 0 && nulls) continue;
        if (len < 0) return diag_fail(d, ERR_INVALID, "Null value read when not allowed");
        struct slice item = cursor_slice(&c, (uint64_t)len);
        if (c.err) return diag_fail(d, ERR_INVALID, "Not enough bytes to read a %s", kind);
        err_t e = binary_check(item_type(t, (uint32_t)(i & 1)), item, d);
        if (e) return e;
    }
    if (cursor_left(&c))
        return diag_fail(d, ERR_INVALID, "Unexpected extraneous bytes after %s value", kind);
    return ERR_OK;
}

/* Fewer fields than the type has are fine, more are not. */
static err_t check_fields(const struct type *t, struct slice b, struct diag *d)
{
    struct cursor c = cursor_of(b);
    bool user = t->kind == TYPE_STRUCT;
    for (uint32_t i = 0; i < t->count && cursor_left(&c); i++) {
        struct slice name = user ? t->names[i] : (struct slice){0};
        const char *word = user ? "field " : "component";
        int32_t len = cursor_i32(&c);
        if (c.err)
            return diag_fail(d, ERR_INVALID, "Not enough bytes to read size of %uth %s%.*s", i,
                             word, SLICE_ARG(name));
        if (len < 0) continue;
        struct slice item = cursor_slice(&c, (uint64_t)len);
        if (c.err)
            return diag_fail(d, ERR_INVALID, "Not enough bytes to read %uth %s%.*s", i, word,
                             SLICE_ARG(name));
        struct diag inner = {0};
        err_t e = binary_check(t->items[i], item, &inner);
        if (e && user)
            return diag_fail(d, e, "Failure validating the %uth field %.*s; %s", i, SLICE_ARG(name),
                             inner.what);
        if (e) return diag_fail(d, e, "%s", inner.what);
    }
    if (cursor_left(&c))
        return diag_fail(d, ERR_INVALID, "Invalid remaining data after end of %s value",
                         user ? "UDT" : "tuple");
    return ERR_OK;
}

err_t binary_check(const struct type *t, struct slice b, struct diag *d)
{
    switch (t->kind) {
    case TYPE_BOOLEAN: return b.len <= 1 ? ERR_OK : wrong_length(t, b, d);
    case TYPE_TINYINT: return b.len == 1 ? ERR_OK : wrong_length(t, b, d);
    case TYPE_SMALLINT: return b.len == 2 ? ERR_OK : wrong_length(t, b, d);
    case TYPE_INT:
    case TYPE_FLOAT: return b.len == 4 || b.len == 0 ? ERR_OK : wrong_length(t, b, d);
    case TYPE_BIGINT:
    case TYPE_COUNTER:
    case TYPE_DOUBLE:
    case TYPE_TIMESTAMP: return b.len == 8 || b.len == 0 ? ERR_OK : wrong_length(t, b, d);
    case TYPE_DATE: return b.len == 4 ? ERR_OK : wrong_length(t, b, d);
    case TYPE_TIME: return b.len == 8 ? ERR_OK : wrong_length(t, b, d);
    case TYPE_UUID:
    case TYPE_TIMEUUID: return check_uuid(t, b, d);
    case TYPE_VARINT:
    case TYPE_DECIMAL: return check_number(t, b, d);
    case TYPE_ASCII:
    case TYPE_TEXT:
    case TYPE_JSON: return check_text(t, b, d);
    case TYPE_DURATION: return check_duration(t, b, d);
    case TYPE_INET: return check_inet(b, d);
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP: return check_collection(t, b, false, d);
    case TYPE_TUPLE:
    case TYPE_STRUCT: return check_fields(t, b, d);
    case TYPE_BLOB:
    case TYPE_KINDS: break;
    }
    return ERR_OK;
}

/* --- taking: sets and maps sorted
 * ------------------------------------------------------------------
 */

static bool has_order(const struct type *t) /* a set or map is somewhere in it */
{
    if (t->kind == TYPE_SET || t->kind == TYPE_MAP) return true;
    for (uint32_t i = 0; i < t->count; i++)
        if (has_order(t->items[i])) return true;
    return false;
}

static bool is_sorted(const struct type *t, struct slice b)
{
    struct item_walk w = items_of(t, b);
    struct slice item, before = {0};
    bool ordered = t->kind == TYPE_SET || t->kind == TYPE_MAP;
    for (uint32_t i = 0; items_next(&w, &item); i++) {
        const struct type *of = item_type(t, i);
        bool key = ordered && (t->kind == TYPE_SET || i % 2 == 0);
        if (item.at && type_is_nested(of) && has_order(of) && !is_sorted(of, item)) return false;
        if (!key) continue;
        if (i && cql_compare(of, before, item) >= 0) return false;
        before = item;
    }
    return true;
}

static err_t sorted_again(const struct type *t, struct slice b, struct arena *a, struct slice *out,
                          struct diag *d)
{
    struct cql_value *items, made;
    uint32_t count;
    err_t e = cql_items(t, b, a, &items, &count, d);
    for (uint32_t i = 0; !e && i < count; i++) {
        const struct type *of = item_type(t, i);
        if (items[i].state == CQL_SET && type_is_nested(of) && has_order(of))
            e = sorted_again(of, items[i].bytes, a, &items[i].bytes, d);
    }
    if (e) return e;
    if (type_is_collection(t)) count = items_sort(t, items, count, a);
    if (count == UINT32_MAX) return term_no_room(d);
    e = items_pack(t, items, count, a, &made, d);
    if (!e) *out = made.bytes;
    return e;
}

err_t binary_take(const struct type *t, struct slice b, bool nulls, struct arena *a,
                  struct slice *out, struct diag *d)
{
    *out = b;
    err_t e = type_is_collection(t) ? check_collection(t, b, nulls, d) : binary_check(t, b, d);
    if (e || !type_is_nested(t) || !has_order(t) || is_sorted(t, b)) return e;
    return sorted_again(t, b, a, out, d);
}

bool type_empty_is_null(const struct type *t)
{
    switch (t->kind) {
    case TYPE_ASCII:
    case TYPE_TEXT:
    case TYPE_BLOB:
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
    case TYPE_TUPLE:
    case TYPE_STRUCT:
    case TYPE_JSON: return false;
    default: return true;
    }
}
