/* Record batches: against another implementation's bytes, then against every lie that bytes can
 * tell. Copies on the heap of exactly their size let the sanitizer see a read past the end. */
#include "base/hash.h"
#include "data/record_batch.h"
#include "test.h"

/* Made by kafka-python 3.0.12 (DefaultRecordBatchBuilder, magic 2, producer 4001 epoch 7 sequence
 * 21) from three records: (1795248000123, "k-0", {"login":{"uuid":"0"}} four times, headers run=r1
 * and nil=null), (1795248000120, null, "value without a key"), (1795248000999, "", null, header
 * page=""). */
static const struct {
    enum codec codec;
    const char *hex;
} vectors[] = {
    {CODEC_NONE,
     "0000000000000000000000c90000000002866d5b32000000000002000001a1fd1e8c7b000001a1fd1e8fe700"
     "00000000000fa100070000001500000003dc01000000066b2d30b0017b226c6f67696e223a7b227575696422"
     "3a2230227d7d7b226c6f67696e223a7b2275756964223a2230227d7d7b226c6f67696e223a7b227575696422"
     "3a2230227d7d7b226c6f67696e223a7b2275756964223a2230227d7d040672756e047231066e696c01320005"
     "02012676616c756520776974686f75742061206b6579001a00d80d04000102087061676500"},
    {CODEC_GZIP,
     "00000000000000000000009d00000000027052782c000100000002000001a1fd1e8c7b000001a1fd1e8fe700"
     "00000000000fa1000700000015000000031f8b08005256016b02ffbbc3c8c0c0c096ad6bb081b15a29273f3d"
     "334fc9aa5aa9b4343345c94ac940a9b696725116b6a2d23c962243b6bccc1c462306562646b5b2c49cd25485"
     "f2cc928cfcd212854485ecd44a0629861bbc2c0c8c4c1c0589e9a90c00de7e9fdf98000000"},
    {CODEC_SNAPPY,
     "0000000000000000000000a4000000000291411d8c000200000002000001a1fd1e8c7b000001a1fd1e8fe700"
     "00000000000fa10007000000150000000382534e415050590000000001000000010000005f980180dc010000"
     "00066b2d30b0017b226c6f67696e223a7b2275756964223a2230227d7dee16000916d0040672756e04723106"
     "6e696c0132000502012676616c756520776974686f75742061206b6579001a00d80d04000102087061676500"},
    {CODEC_LZ4,
     "0000000000000000000000a5000000000276aa5443000300000002000001a1fd1e8c7b000001a1fd1e8fe700"
     "00000000000fa10007000000150000000304224d18684098000000000000005c5d000000ff12dc0100000006"
     "6b2d30b0017b226c6f67696e223a7b2275756964223a2230227d7d16002ff026040672756e047231066e696c"
     "0132000502012676616c756520776974686f75742061206b6579001a00d80d04000102087061676500000000"
     "00"},
    {CODEC_ZSTD,
     "00000000000000000000009800000000025b8b3be7000400000002000001a1fd1e8c7b000001a1fd1e8fe700"
     "00000000000fa10007000000150000000328b52ffd2098f502006405dc01000000066b2d30b0017b226c6f67"
     "696e223a7b2275756964223a2230227d7d040672756e047231066e696c0132000502012676616c7565207769"
     "74686f75742061206b6579001a00d80d040001020870616765000100794af309"},
};

static struct slice vector(size_t i, uint8_t out[512])
{
    struct slice hex = slice_of(vectors[i].hex);
    INVARIANT(hex.len / 2 <= 512 && parse_hex(hex, out, hex.len / 2));
    return slice_make(out, hex.len / 2);
}

/* Reads and walks a whole batch; the first error that is not the end. */
static err_t walk(struct slice bytes, bool check_crc, size_t opened_max, int32_t *count)
{
    struct record_batch b;
    struct record_reader r;
    struct record rec;
    struct arena *a = arena_new(MIB(16));
    *count = 0;
    err_t e = record_batch_read(bytes, check_crc, &b);
    if (!e) e = record_batch_open(&b, a, opened_max, &r);
    while (!e && (e = record_next(&r, &rec)) == ERR_OK) ++*count;
    arena_free(a);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* The same over a copy that ends where the bytes end. */
static err_t walk_copy(struct slice bytes, bool check_crc, int32_t *count)
{
    uint8_t *copy = mem_take_raw(bytes.len);
    memcpy(copy, bytes.at, bytes.len);
    err_t e = walk(slice_make(copy, bytes.len), check_crc, MIB(1), count);
    mem_give(copy);
    return e;
}

static void check_headers(const struct record *rec, const char *const (*want)[2])
{
    struct record_header h;
    struct cursor headers = cursor_of(rec->headers);
    for (int32_t i = 0; i < rec->header_count; i++) {
        CHECK_OK(record_header_next(&headers, &h), NULL);
        CHECK(slice_is(h.key, want[i][0]));
        CHECK(want[i][1] ? !h.value_null && slice_is(h.value, want[i][1]) : h.value_null);
    }
    CHECK_ERR(record_header_next(&headers, &h), ERR_NOT_FOUND);
}

static void check_records(const struct record_batch *b)
{
    static const struct {
        int64_t timestamp;
        const char *key, *value, *headers[2][2];
        int32_t header_count;
    } want[] = {
        {1795248000123,
         "k-0",
         "{\"login\":{\"uuid\":\"0\"}}{\"login\":{\"uuid\":\"0\"}}"
         "{\"login\":{\"uuid\":\"0\"}}{\"login\":{\"uuid\":\"0\"}}",
         {{"run", "r1"}, {"nil", NULL}},
         2},
        {1795248000120, NULL, "value without a key", {{NULL}}, 0},
        {1795248000999, "", NULL, {{"page", ""}}, 1},
    };
    struct arena *a = arena_new(MIB(1));
    struct record_reader r;
    struct record rec;
    CHECK_OK(record_batch_open(b, a, MIB(1), &r), NULL);
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        CHECK_OK(record_next(&r, &rec), NULL);
        CHECK_INT(rec.offset, 1000 + (int64_t)i);
        CHECK_INT(rec.timestamp, want[i].timestamp);
        CHECK(rec.key_null == !want[i].key && rec.value_null == !want[i].value);
        CHECK(rec.key_null || slice_is(rec.key, want[i].key));
        CHECK(rec.value_null || slice_is(rec.value, want[i].value));
        CHECK_INT(rec.header_count, want[i].header_count);
        check_headers(&rec, want[i].headers);
    }
    CHECK_ERR(record_next(&r, &rec), ERR_NOT_FOUND);
    CHECK_ERR(record_next(&r, &rec), ERR_NOT_FOUND);
    arena_free(a);
}

TEST(batches_of_another_implementation_are_read_in_all_codecs)
{
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        uint8_t bytes[512];
        struct record_batch b;
        struct slice whole = vector(i, bytes);
        record_batch_set_base(bytes, 1000, 5);
        CHECK_OK(record_batch_read(whole, true, &b), NULL);
        CHECK_INT(b.attributes & 7, vectors[i].codec);
        CHECK_INT(record_batch_size(&b), whole.len);
        CHECK(b.base_offset == 1000 && b.leader_epoch == 5 && b.count == 3);
        CHECK(b.last_offset_delta == 2 && b.producer_id == 4001 && b.producer_epoch == 7);
        CHECK(b.base_sequence == 21 && b.first_timestamp == 1795248000123);
        CHECK_INT(b.max_timestamp, 1795248000999);
        check_records(&b);
    }
}

static void add_three(struct record_builder *w)
{
    const struct record_header first[] = {{SLICE("run"), SLICE("r1"), false},
                                          {SLICE("nil"), {0}, true}};
    const struct record_header last[] = {{SLICE("page"), {0}, false}};
    record_builder_add(w, 1795248000123, SLICE("k-0"),
                       SLICE("{\"login\":{\"uuid\":\"0\"}}{\"login\":{\"uuid\":\"0\"}}"
                             "{\"login\":{\"uuid\":\"0\"}}{\"login\":{\"uuid\":\"0\"}}"),
                       first, 2);
    record_builder_add(w, 1795248000120, (struct slice){0}, SLICE("value without a key"), NULL, 0);
    record_builder_add(w, 1795248000999, SLICE(""), (struct slice){0}, last, 1);
}

TEST(a_built_batch_has_the_bytes_of_the_other_implementation)
{
    uint8_t bytes[512];
    struct slice whole = vector(0, bytes);
    struct record_builder w = record_builder_make(KIB(4));
    struct buf out = buf_make(KIB(4));
    const struct record_batch_options o = {CODEC_NONE, 4001, 7, 21, false, false};
    add_three(&w);
    buf_text(&out, "before"); /* batches are appended */
    CHECK_OK(record_builder_finish(&w, &o, &out), NULL);
    record_batch_set_base(out.at + 6, 0, 0);
    CHECK_INT(out.len - 6, whole.len);
    CHECK(out.len - 6 == whole.len && memcmp(out.at + 6, whole.at, whole.len) == 0);
    buf_done(&out);
    record_builder_done(&w);
}

TEST(built_batches_are_read_back_in_all_codecs)
{
    struct record_builder w = record_builder_make(KIB(4));
    for (int codec = 0; codec < CODECS; codec++) {
        struct buf out = buf_make(KIB(4));
        struct record_batch b;
        const struct record_batch_options o = {(enum codec)codec, -1, -1, -1, true, true};
        record_builder_reset(&w);
        add_three(&w);
        CHECK_OK(record_builder_finish(&w, &o, &out), NULL);
        record_batch_set_base(out.at, 1000, 1);
        CHECK_OK(record_batch_read(buf_view(&out), true, &b), NULL);
        CHECK_INT(b.attributes, codec | 16 | 32);
        CHECK(b.producer_id == -1 && b.producer_epoch == -1 && b.base_sequence == -1);
        check_records(&b);
        buf_done(&out);
    }
    record_builder_done(&w);
}

TEST(append_time_is_stamped_inside_the_crc)
{
    uint8_t bytes[512];
    int32_t count;
    struct record_batch b;
    struct record_reader r;
    struct record rec;
    struct slice whole = vector(0, bytes);
    record_batch_set_append_time(bytes, 42);
    CHECK_OK(walk_copy(whole, true, &count), NULL);
    CHECK_OK(record_batch_read(whole, true, &b), NULL);
    CHECK(b.max_timestamp == 42 && (b.attributes & 8));
    struct arena *a = arena_new(KIB(64));
    CHECK_OK(record_batch_open(&b, a, KIB(64), &r), NULL);
    CHECK_OK(record_next(&r, &rec), NULL);
    CHECK_INT(rec.timestamp, 42);
    arena_free(a);
}

TEST(every_truncation_asks_for_more_and_every_flipped_byte_is_noticed)
{
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        uint8_t bytes[512];
        int32_t count;
        struct slice whole = vector(i, bytes);
        for (uint32_t cut = 0; cut < whole.len; cut++)
            CHECK_ERR(walk_copy(slice_make(bytes, cut), true, &count), ERR_SHORT);
        for (uint32_t at = 0; at < whole.len; at++) {
            bytes[at] ^= 0x55;
            err_t e = walk_copy(whole, true, &count);
            bool outside = at < 8 || (at >= 12 && at < 16); /* base offset and leader epoch */
            if (!outside && e == ERR_OK)
                test_failed(__FILE__, __LINE__, "%s: byte %u flipped unnoticed",
                            codec_name(vectors[i].codec), at);
            bytes[at] ^= 0x55;
        }
    }
}

/* Without the CRC only the checks of the form are left: no crash, no read outside, no endless work;
 * with uncompressed records never more than are declared. */
TEST(bytes_flipped_under_a_valid_crc_never_lead_outside)
{
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        uint8_t bytes[512];
        int32_t count;
        int refused = 0;
        struct slice whole = vector(i, bytes);
        for (uint32_t at = 8; at < whole.len; at++) {
            for (int bit = 0; bit < 8; bit++) {
                bytes[at] ^= (uint8_t)(1 << bit);
                refused += walk_copy(whole, false, &count) != ERR_OK;
                bytes[at] ^= (uint8_t)(1 << bit);
            }
        }
        CHECK(refused > 100);
    }
}

/* Splices random bytes into random places, many times. */
TEST(random_damage_never_leads_outside)
{
    uint64_t random = 11;
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[512];
        int32_t count;
        struct slice whole = vector((size_t)round % COUNT_OF(vectors), bytes);
        for (int n = 1 + (int)(test_random(&random) % 4); n; n--)
            bytes[RECORD_BATCH_HEAD - 4 + test_random(&random) % (whole.len - 57)] =
                (uint8_t)test_random(&random);
        (void)!walk_copy(whole, false, &count);
        CHECK(count <= 512 / 7 * 300);
    }
}

static void put_be32(uint8_t *at, uint32_t v)
{
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(v >> (24 - 8 * i));
}

TEST(heads_that_lie_are_refused)
{
    static const struct {
        uint32_t at, value;
        err_t want;
    } lies[] = {
        {8, 0, ERR_MALFORMED},          /* length */
        {8, 48, ERR_MALFORMED},         /* shorter than a head */
        {8, 0xffffffff, ERR_MALFORMED}, /* negative */
        {8, 0x7fffffff, ERR_TOO_BIG},   /* two gigabytes */
        {8, RECORD_BATCH_MAX, ERR_TOO_BIG},
        {8, 49, ERR_MALFORMED},          /* a head alone, with three records declared */
        {57, 0xffffffff, ERR_MALFORMED}, /* count: negative */
        {57, 0x7fffffff, ERR_MALFORMED},
        {57, 4, ERR_MALFORMED}, /* more than the last offset allows */
        {57, 2, ERR_MALFORMED}, /* a record too many is there */
        {57, 0, ERR_MALFORMED},
        {23, 0xffffffff, ERR_MALFORMED}, /* last offset delta: negative */
        {23, 1, ERR_MALFORMED},          /* less than the records need */
        {0, 0x80000000, ERR_MALFORMED},  /* base offset: negative */
        {0, 0x7fffffff, ERR_OK},
    };
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        for (size_t k = 0; k < COUNT_OF(lies); k++) {
            uint8_t bytes[512];
            int32_t count;
            struct slice whole = vector(i, bytes);
            put_be32(bytes + lies[k].at, lies[k].value);
            err_t e = walk_copy(whole, false, &count);
            if (e != lies[k].want)
                test_failed(__FILE__, __LINE__, "%s, lie %zu: %s, not %s",
                            codec_name(vectors[i].codec), k, err_name(e), err_name(lies[k].want));
        }
        uint8_t bytes[512];
        int32_t count;
        struct slice whole = vector(i, bytes);
        memset(bytes, 0xff, 8);
        bytes[0] = 0x7f; /* the largest offset there is, and records after it */
        CHECK_ERR(walk_copy(whole, false, &count), ERR_MALFORMED);
    }
}

/* So that who opens a batch may take memory by its count. */
TEST(a_count_that_the_opened_records_can_not_hold_is_refused_at_the_opening)
{
    for (size_t i = 1; i < COUNT_OF(vectors); i++) {
        uint8_t bytes[512];
        struct record_batch b;
        struct record_reader r;
        struct slice whole = vector(i, bytes);
        struct arena *a = arena_new(MIB(1));
        put_be32(bytes + 23, 0x7ffffffe);
        put_be32(bytes + 57, 0x7fffffff);
        CHECK_OK(record_batch_read(whole, false, &b), NULL);
        CHECK_ERR(record_batch_open(&b, a, MIB(1), &r), ERR_MALFORMED);
        arena_free(a);
    }
}

TEST(other_versions_and_codecs_are_told_apart_from_damage)
{
    uint8_t bytes[512];
    int32_t count;
    struct slice whole = vector(0, bytes);
    bytes[16] = 1;
    CHECK_ERR(walk_copy(whole, false, &count), ERR_VERSION);
    bytes[16] = 0;
    CHECK_ERR(walk_copy(slice_make(bytes, 17), false, &count), ERR_VERSION);
    bytes[16] = 3;
    CHECK_ERR(walk_copy(whole, false, &count), ERR_MALFORMED);
    bytes[16] = 2;
    for (uint8_t codec = CODECS; codec < 8; codec++) {
        bytes[22] = codec;
        CHECK_ERR(walk_copy(whole, false, &count), ERR_MALFORMED);
    }
}

/* One batch whose records are the given bytes. */
static err_t walk_records(struct slice records, int32_t declared, int32_t last_delta)
{
    uint8_t bytes[256] = {0};
    int32_t count;
    struct buf b = buf_over(bytes, sizeof(bytes));
    buf_be(&b, 0, 8);
    buf_be(&b, 49 + records.len, 4);
    buf_be(&b, 0, 4);
    buf_be(&b, 2, 1);
    buf_be(&b, 0, 4);
    buf_be(&b, 0, 2);
    buf_be(&b, (uint32_t)last_delta, 4);
    buf_be(&b, INT64_MAX, 8); /* the latest first timestamp: any delta overflows */
    buf_be(&b, 0, 8);         /* max timestamp */
    buf_be(&b, 0, 8);         /* producer id, epoch, sequence */
    buf_be(&b, 0, 2);
    buf_be(&b, 0, 4);
    buf_be(&b, (uint32_t)declared, 4);
    buf_slice(&b, records);
    return walk_copy(buf_view(&b), false, &count);
}

TEST(records_that_lie_are_refused)
{
    static const struct {
        const char *hex;
        int32_t count;
        err_t want;
    } cases[] = {
        {"0c000000010100", 1, ERR_OK},                      /* null key, null value, no headers */
        {"0c000000010100", 0, ERR_MALFORMED},               /* more bytes than records */
        {"0c00000001010000", 1, ERR_MALFORMED},             /* a byte after the last record */
        {"0a0000000101", 1, ERR_MALFORMED},                 /* no header count */
        {"0e000000010100", 1, ERR_MALFORMED},               /* longer than the batch */
        {"0e00000001010000", 1, ERR_MALFORMED},             /* a byte after the headers */
        {"01000000010100", 1, ERR_MALFORMED},               /* length -1 */
        {"0c000200010100", 1, ERR_MALFORMED},               /* time past the end of time */
        {"0c000001010100", 1, ERR_MALFORMED},               /* offset delta -1 */
        {"0c000004010100", 1, ERR_MALFORMED},               /* offset delta past the last */
        {"0c0000020101000c000000010100", 2, ERR_MALFORMED}, /* offsets fall */
        {"0c0000000101000c000000010100", 2, ERR_MALFORMED}, /* an offset twice */
        {"0c0000000101000c000002010100", 2, ERR_OK},
        {"0c000000030100", 1, ERR_MALFORMED},       /* key length -2 */
        {"0c000000010300", 1, ERR_MALFORMED},       /* value length -2 */
        {"0c000000020100", 1, ERR_MALFORMED},       /* key takes the value's length */
        {"14000000feffffff0f01", 1, ERR_MALFORMED}, /* key of two gigabytes */
        {"0c000000010101", 1, ERR_MALFORMED},       /* header count -1 */
        {"1000000001010202", 1, ERR_MALFORMED},     /* a header that is not there */
        {"100000000101020001", 1, ERR_OK},          /* one: empty key, null value */
        {"100000000101020101", 1, ERR_MALFORMED},   /* a header without a key */
        {"14000000010102feffff", 1, ERR_MALFORMED},
        {"180000000101feffffff0f0001", 1, ERR_MALFORMED}, /* two thousand million headers */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t bytes[64];
        struct slice hex = slice_of(cases[i].hex);
        CHECK(parse_hex(hex, bytes, hex.len / 2));
        err_t e = walk_records(slice_make(bytes, hex.len / 2), cases[i].count, 1);
        if (e != cases[i].want)
            test_failed(__FILE__, __LINE__, "case %zu %s: %s, not %s", i, cases[i].hex, err_name(e),
                        err_name(cases[i].want));
    }
}

TEST(a_builder_sticks_at_its_limit_and_an_empty_one_makes_no_batch)
{
    struct record_builder w = record_builder_make(100);
    struct buf out = buf_make(KIB(1));
    const struct record_batch_options o = {CODEC_NONE, -1, -1, -1, false, false};
    CHECK_ERR(record_builder_finish(&w, &o, &out), ERR_USAGE);
    for (int i = 0; i < 20; i++)
        record_builder_add(&w, i, SLICE("key"), SLICE("value value"), NULL, 0);
    CHECK_ERR(record_builder_finish(&w, &o, &out), ERR_TOO_BIG);
    CHECK_INT(out.len, 0);
    record_builder_reset(&w);
    record_builder_add(&w, 0, SLICE("key"), SLICE("value"), NULL, 0);
    record_builder_add(&w, 1, SLICE("key"), SLICE("value"), NULL, 0);
    CHECK_OK(record_builder_finish(&w, &o, &out), NULL);
    record_builder_reset(&w);
    record_builder_add(&w, INT64_MAX, SLICE("key"), SLICE("value"), NULL, 0);
    record_builder_add(&w, INT64_MIN, SLICE("key"), SLICE("value"), NULL, 0);
    CHECK_ERR(record_builder_finish(&w, &o, &out), ERR_RANGE);
    buf_done(&out);
    out = buf_make(70); /* the head fits, the records do not: nothing half-written stays */
    record_builder_reset(&w);
    record_builder_add(&w, 0, SLICE("key"), SLICE("a value"), NULL, 0);
    CHECK_ERR(record_builder_finish(&w, &o, &out), ERR_TOO_BIG);
    CHECK_INT(out.len, 0);
    buf_done(&out);
    record_builder_done(&w);
}

TEST(any_allocation_may_fail_while_a_batch_is_built_and_opened)
{
    const struct record_batch_options o = {CODEC_GZIP, -1, -1, -1, false, false};
    size_t before = mem_held();
    int succeeded = 0;
    for (uint64_t nth = 1; nth < 40; nth++) {
        struct record_builder w = record_builder_make(KIB(4));
        struct buf out = buf_make(KIB(4));
        int32_t count = 0;
        mem_fail_at(nth);
        add_three(&w);
        err_t e = record_builder_finish(&w, &o, &out);
        struct arena *a = e ? NULL : arena_new(MIB(1));
        struct record_batch b;
        struct record_reader r;
        struct record rec;
        if (!e) e = record_batch_read(buf_view(&out), true, &b);
        if (!e) e = a ? record_batch_open(&b, a, MIB(1), &r) : ERR_NO_MEMORY;
        while (!e && (e = record_next(&r, &rec)) == ERR_OK) count++;
        mem_fail_at(0);
        CHECK(e == ERR_NO_MEMORY || (e == ERR_NOT_FOUND && count == 3));
        succeeded += e == ERR_NOT_FOUND;
        arena_free(a);
        buf_done(&out);
        record_builder_done(&w);
    }
    CHECK(succeeded > 5 && succeeded < 35);
    CHECK_INT(mem_held(), before);
}
