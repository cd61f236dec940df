/* Goal: byte order of keys is value order, for every type, both ways, and keys read back.
 * Method: random values with many near-collisions, each pair compared both as value_compare does
 * and as bytes. Cassandra's own vectors stand in tokens_are_cassandras. */
#include "store/store_int.h"
#include "test.h"

enum { VALUES = 120, BINARY_MAX = 4096 };

static uint64_t below(uint64_t *seed, uint64_t n)
{
    return test_random(seed) % n;
}

/* Few different bytes, so that prefixes, zeros and sign changes meet often. */
static uint8_t edge_byte(uint64_t *seed)
{
    static const uint8_t edges[] = {0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff};
    return below(seed, 3) ? edges[below(seed, sizeof edges)] : (uint8_t)test_random(seed);
}
static void put_edges(struct buf *out, uint64_t *seed, uint64_t len)
{
    for (uint64_t i = 0; i < len; i++) buf_be(out, edge_byte(seed), 1);
}

static void put_random(struct buf *out, const struct type *t, uint64_t *seed);

static void put_random_sized(struct buf *out, const struct type *t, uint64_t *seed, bool nulls)
{
    size_t at = out->len;
    buf_be(out, 0xffffffffU, 4);
    if (nulls && below(seed, 4) == 0) return;
    put_random(out, t, seed);
    buf_set_be(out, at, out->len - at - 4, 4);
}

static void put_random_integer(struct buf *out, uint64_t *seed)
{
    uint8_t bytes[200];
    struct buf b = buf_over(bytes, sizeof bytes);
    put_edges(&b, seed, 1 + (below(seed, 8) ? below(seed, 4) : below(seed, 180)));
    size_t i = 0; /* shortest form */
    while (i + 1 < b.len &&
           ((bytes[i] == 0 && bytes[i + 1] < 0x80) || (bytes[i] == 0xff && bytes[i + 1] >= 0x80)))
        i++;
    buf_put(out, bytes + i, b.len - i);
}

static void put_random_uuid(struct buf *out, bool timeuuid, uint64_t *seed)
{
    size_t at = out->len;
    put_edges(out, seed, 16);
    uint64_t version = timeuuid || below(seed, 2) ? 1 : below(seed, 8);
    out->at[at + 6] = (uint8_t)((out->at[at + 6] & 0x0f) | version << 4);
}

static void put_random(struct buf *out, const struct type *t, uint64_t *seed)
{
    uint64_t count = below(seed, 4);
    switch (t->kind) {
    case TYPE_BOOLEAN: buf_be(out, below(seed, 2), 1); return;
    case TYPE_VARINT: put_random_integer(out, seed); return;
    case TYPE_DECIMAL:
        buf_be(out, (uint32_t)(below(seed, 8) - 4), 4);
        put_random_integer(out, seed);
        return;
    case TYPE_INET: put_edges(out, seed, below(seed, 2) ? 4 : 16); return;
    case TYPE_UUID:
    case TYPE_TIMEUUID: put_random_uuid(out, t->kind == TYPE_TIMEUUID, seed); return;
    case TYPE_ASCII:
    case TYPE_TEXT:
        for (uint64_t n = below(seed, 5); n; n--) buf_char(out, "\0\1ab~"[below(seed, 5)]);
        return;
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
        buf_be(out, count, 4);
        for (uint64_t i = 0; i < count; i++)
            for (uint16_t k = 0; k < t->count; k++) put_random_sized(out, t->items[k], seed, false);
        return;
    case TYPE_TUPLE:
    case TYPE_STRUCT:
        for (uint16_t k = 0; k < t->count; k++) put_random_sized(out, t->items[k], seed, true);
        return;
    default: put_edges(out, seed, type_fixed_size(t) ? type_fixed_size(t) : below(seed, 6));
    }
}

static int sign(int c)
{
    return (c > 0) - (c < 0);
}

static void order_holds(const struct type *t, bool descending, uint64_t seed)
{
    static uint8_t memory[VALUES][BINARY_MAX], keys[VALUES][BINARY_MAX];
    struct slice binary[VALUES], key[VALUES];
    char name[128];
    struct buf n = buf_over(name, sizeof name - 1);
    type_print(t, &n);
    name[n.len] = 0;
    for (int i = 0; i < VALUES; i++) {
        struct buf b = buf_over(memory[i], BINARY_MAX), k = buf_over(keys[i], BINARY_MAX);
        put_random(&b, t, &seed);
        CHECK_OK(key_put_order(&k, t, buf_view(&b), descending), NULL);
        binary[i] = buf_view(&b);
        key[i] = buf_view(&k);
        if (!b.at || !binary[i].at) binary[i].at = memory[i];
        uint8_t back_memory[BINARY_MAX];
        struct buf back = buf_over(back_memory, sizeof back_memory);
        struct key_reader r = {key[i].at, key[i].at + key[i].len, 0, ERR_OK};
        key_take_order(&r, t, descending, &back);
        struct value was = value_hold(t, binary[i]), is = value_hold(t, buf_view(&back));
        if (r.err || r.at != r.end || value_compare(&was, &is) != 0)
            test_failed(__FILE__, __LINE__, "%s: value %d does not read back (%s)", name, i,
                        err_name(r.err));
    }
    for (int i = 0; i < VALUES; i++) {
        for (int k = 0; k < VALUES; k++) {
            struct value a = value_hold(t, binary[i]), b = value_hold(t, binary[k]);
            int want = sign(value_compare(&a, &b)), got = sign(slice_compare(key[i], key[k]));
            if (got != (descending ? -want : want)) {
                test_failed(__FILE__, __LINE__, "%s: values %d and %d order as %d, keys as %d",
                            name, i, k, want, got);
                return;
            }
        }
    }
}

static const char *const key_types[] = {"boolean",
                                        "tinyint",
                                        "smallint",
                                        "int",
                                        "bigint",
                                        "float",
                                        "double",
                                        "varint",
                                        "decimal",
                                        "ascii",
                                        "text",
                                        "blob",
                                        "uuid",
                                        "timeuuid",
                                        "timestamp",
                                        "date",
                                        "time",
                                        "inet",
                                        "frozen<list<int>>",
                                        "frozen<list<text>>",
                                        "frozen<set<decimal>>",
                                        "frozen<map<text, int>>",
                                        "frozen<tuple<int, text, frozen<list<varint>>>>",
                                        "frozen<list<frozen<tuple<text, blob>>>>"};

TEST(byte_order_is_value_order_for_every_type_and_both_directions)
{
    struct arena *a = arena_new(MIB(1));
    for (size_t i = 0; i < COUNT_OF(key_types); i++) {
        const struct type *t = NULL;
        struct diag d = {0};
        CHECK_OK(type_parse(slice_of(key_types[i]), a, &t, &d), &d);
        CHECK(key_type_allowed(t));
        for (uint64_t seed = 1; seed <= 4; seed++) {
            order_holds(t, false, seed * 7919 + i);
            order_holds(t, true, seed * 104729 + i);
        }
    }
    arena_free(a);
}

TEST(a_key_column_is_never_the_start_of_another_so_that_the_next_column_decides)
{
    uint64_t seed = 5;
    const struct type *text = type_of(TYPE_TEXT), *number = type_of(TYPE_VARINT);
    for (int i = 0; i < 20000; i++) {
        uint8_t m[2][256], k[2][512];
        struct slice first[2], second[2], key[2];
        for (int j = 0; j < 2; j++) {
            struct buf b = buf_over(m[j], 256), out = buf_over(k[j], 512);
            put_random(&b, text, &seed);
            first[j] = slice_make(m[j], b.len);
            size_t at = b.len;
            put_random(&b, number, &seed);
            second[j] = slice_make(m[j] + at, b.len - at);
            CHECK_OK(key_put_order(&out, text, first[j], true), NULL);
            CHECK_OK(key_put_order(&out, number, second[j], false), NULL);
            key[j] = buf_view(&out);
        }
        struct value a = value_hold(number, second[0]), b = value_hold(number, second[1]);
        int want = -sign(slice_compare(first[0], first[1]));
        if (!want) want = sign(value_compare(&a, &b));
        CHECK_INT(sign(slice_compare(key[0], key[1])), want);
    }
}

TEST(types_without_an_order_of_bytes_are_no_keys)
{
    static const char *const wrong[] = {"duration", "counter", "json", "frozen<list<duration>>"};
    struct arena *a = arena_new(MIB(1));
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        const struct type *t = NULL;
        struct diag d = {0};
        CHECK_OK(type_parse(slice_of(wrong[i]), a, &t, &d), &d);
        CHECK(t && !key_type_allowed(t));
    }
    arena_free(a);
}

TEST(partition_columns_read_back_and_cut_keys_are_corrupt)
{
    uint64_t seed = 9;
    static const enum type_kind kinds[] = {TYPE_TEXT, TYPE_UUID, TYPE_INT, TYPE_DECIMAL, TYPE_BLOB};
    for (int i = 0; i < 5000; i++) {
        const struct type *t = type_of(kinds[below(&seed, COUNT_OF(kinds))]);
        uint8_t m[512], k[1024], back[512];
        struct buf b = buf_over(m, sizeof m), key = buf_over(k, sizeof k);
        put_random(&b, t, &seed);
        key_put_partition(&key, t, buf_view(&b));
        for (size_t cut = 0; cut <= key.len; cut++) {
            struct buf out = buf_over(back, sizeof back);
            struct key_reader r = {k, k + cut, 0, ERR_OK};
            key_take_partition(&r, t, &out);
            CHECK_INT(r.err, cut == key.len ? ERR_OK : ERR_CORRUPT);
            if (cut == key.len) CHECK(slice_equal(buf_view(&out), buf_view(&b)) && r.at == r.end);
        }
    }
}

TEST(cut_and_changed_clustering_keys_never_read_outside)
{
    uint64_t seed = 11;
    struct arena *a = arena_new(MIB(1));
    for (size_t i = 0; i < COUNT_OF(key_types); i++) {
        const struct type *t = NULL;
        CHECK_OK(type_parse(slice_of(key_types[i]), a, &t, NULL), NULL);
        for (int n = 0; n < 300; n++) {
            uint8_t m[BINARY_MAX], k[BINARY_MAX];
            struct buf b = buf_over(m, sizeof m), key = buf_over(k, sizeof k);
            put_random(&b, t, &seed);
            CHECK_OK(key_put_order(&key, t, buf_view(&b), n & 1), NULL);
            if (n % 3 == 0 && key.len) k[below(&seed, key.len)] = edge_byte(&seed);
            size_t cut = n % 3 == 1 ? below(&seed, key.len + 1) : key.len;
            uint8_t *exact = mem_take_raw(cut + 1); /* the sanitizer watches its end */
            memcpy(exact, k, cut);
            struct buf out = buf_make(MIB(1));
            struct key_reader r = {exact, exact + cut, 0, ERR_OK};
            key_take_order(&r, t, n & 1, &out);
            CHECK(r.err || r.at <= r.end);
            buf_done(&out);
            mem_give(exact);
        }
    }
    arena_free(a);
}

/* From Cassandra: SELECT token(…) of 5.0. The composite one is CompositeType's serialisation. */
TEST(tokens_are_cassandras)
{
    int64_t token = 0;
    uint8_t memory[64];
    struct buf scratch = buf_over(memory, sizeof memory);
    struct slice one = SLICE("hello");
    CHECK_OK(key_token(&one, 1, &scratch, &token), NULL);
    int64_t direct = token;
    struct slice two[2] = {SLICE("hello"), SLICE("w")};
    CHECK_OK(key_token(two, 2, &scratch, &token), NULL);
    CHECK(token != direct);
    CHECK_INT(scratch.len, 2 + 5 + 1 + 2 + 1 + 1);
    CHECK(memcmp(memory, "\0\5hello\0\0\1w\0", 12) == 0);
    uint8_t head[12];
    struct buf h = buf_over(head, sizeof head);
    key_put_head(&h, 0x100, -1);
    CHECK(memcmp(head, "\0\0\1\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12) == 0);
}
