/* The codecs alone: round trips, foreign streams, and bombs. */
#include "base/hash.h"
#include "data/record_batch.h"
#include "test.h"

static const enum codec packing[] = {CODEC_GZIP, CODEC_SNAPPY, CODEC_LZ4, CODEC_ZSTD};

static void fill(uint8_t *at, size_t len, int kind, uint64_t seed)
{
    static const char text[] = "{\"name\":{\"first\":\"Ida\",\"last\":\"Larsen\"},\"nat\":\"DK\"} ";
    for (size_t i = 0; i < len; i++)
        at[i] = kind == 0   ? 0
                : kind == 1 ? (uint8_t)test_random(&seed)
                            : (uint8_t)text[i % (sizeof(text) - 1)];
}

TEST(what_was_packed_opens_to_the_same_at_all_sizes)
{
    static const size_t sizes[] = {0, 1, 2, 100, 4095, 32768, 32769, 65536, 200001, 1500000};
    uint8_t *in = mem_take_raw(1500000);
    for (size_t c = 0; c < COUNT_OF(packing); c++) {
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            for (int kind = 0; kind < 3; kind++) {
                struct buf packed = buf_make(MIB(4));
                struct arena *a = arena_new(MIB(8));
                struct slice out = {0};
                fill(in, sizes[i], kind, i + 1);
                CHECK_OK(codec_pack(packing[c], slice_make(in, sizes[i]), &packed), NULL);
                CHECK_OK(codec_open(packing[c], buf_view(&packed), sizes[i], a, &out), NULL);
                CHECK(out.len == sizes[i] && memcmp(out.at, in, sizes[i]) == 0);
                for (int p = 0; p < RECORD_PADDING; p++) CHECK(out.at[out.len + (size_t)p] == 0);
                if (sizes[i] > 0)
                    CHECK_ERR(codec_open(packing[c], buf_view(&packed), sizes[i] - 1, a, &out),
                              ERR_TOO_BIG);
                arena_free(a);
                buf_done(&packed);
            }
        }
    }
    mem_give(in);
}

TEST(two_streams_put_together_open_as_one)
{
    for (size_t c = 0; c < COUNT_OF(packing); c++) {
        struct buf packed = buf_make(KIB(4));
        struct arena *a = arena_new(MIB(1));
        struct slice out = {0};
        CHECK_OK(codec_pack(packing[c], SLICE("one and "), &packed), NULL);
        CHECK_OK(codec_pack(packing[c], SLICE("another"), &packed), NULL);
        CHECK_OK(codec_open(packing[c], buf_view(&packed), KIB(64), a, &out), NULL);
        CHECK_SLICE(out, "one and another");
        arena_free(a);
        buf_done(&packed);
    }
}

static err_t open_hex(enum codec c, const char *hex, struct arena *a, struct slice *out)
{
    uint8_t bytes[256];
    struct slice text = slice_of(hex);
    INVARIANT(text.len / 2 <= sizeof(bytes) && parse_hex(text, bytes, text.len / 2));
    return codec_open(c, slice_make(bytes, text.len / 2), KIB(64), a, out);
}

/* Made by the codecs' own Python packages: python-snappy 0.7.3 (compress), gzip of Python 3.11, lz4
 * 4.4.5 (lz4.frame.compress, store_size=True), zstandard 0.25.0 (stream writer: no size told), each
 * of b'sluice ' * 5. */
TEST(streams_of_other_libraries_open)
{
    static const struct {
        enum codec codec;
        const char *hex;
    } cases[] = {
        {CODEC_SNAPPY, "2318736c75696365206e0700"},
        {CODEC_GZIP, "1f8b08000000000002032bce29cd4c4e5528c64301004030670b23000000"},
        {CODEC_LZ4, "04224d186c40230000000000000061110000007f736c7569636520070004507569636520000000"
                    "00430e7d9c"},
        {CODEC_LZ4, "04224d18604082110000007f736c756963652007000450756963652000000000"},
        {CODEC_ZSTD, "28b52ffd00586d000038736c75696365200100628a11"},
        {CODEC_ZSTD, "28b52ffd20236d000038736c75696365200100628a11"},
    };
    struct arena *a = arena_new(MIB(1));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct slice out = {0};
        CHECK_OK(open_hex(cases[i].codec, cases[i].hex, a, &out), NULL);
        CHECK_SLICE(out, "sluice sluice sluice sluice sluice ");
    }
    arena_free(a);
}

/* 48 MiB of zeros, opened with a ceiling of 1 MiB: refused, and never more than a few MiB held. */
TEST(a_bomb_is_refused_at_the_ceiling)
{
    size_t size = MIB(48);
    uint8_t *zeros = mem_take(size);
    for (size_t c = 0; c < COUNT_OF(packing); c++) {
        struct buf packed = buf_make(MIB(64));
        struct slice out = {0};
        CHECK_OK(codec_pack(packing[c], slice_make(zeros, size), &packed), NULL);
        struct arena *a = arena_new(MIB(64));
        size_t before = mem_held();
        CHECK_ERR(codec_open(packing[c], buf_view(&packed), MIB(1), a, &out), ERR_TOO_BIG);
        CHECK(mem_held() < before + MIB(4));
        CHECK(packing[c] == CODEC_LZ4 || arena_used(a) < MIB(1) + KIB(1)); /* lz4 has to grow */
        arena_free(a);
        buf_done(&packed);
    }
    mem_give(zeros);
}

/* Sizes that the stream tells and does not hold: nothing near them may be taken. */
TEST(a_told_size_that_lies_takes_no_memory)
{
    static const struct {
        enum codec codec;
        const char *hex;
    } lies[] = {
        {CODEC_SNAPPY, "ffffff7f0061"}, /* 256 MiB in a raw block */
        {CODEC_SNAPPY, "82534e41505059000000000100000001000000067fffffff0061"},
        {CODEC_SNAPPY, "82534e41505059000000000100000001ffffffff00"}, /* block of 4 GiB */
        {CODEC_SNAPPY, "82534e415050590000000001000000010000"},       /* half a length */
        {CODEC_ZSTD, "28b52ffda0ffffff0f010000"},                     /* 256 MiB told */
        {CODEC_GZIP, "1f8b08000000000000ff0300000000000000ff0f"},     /* tail lies */
        {CODEC_LZ4, "04224d18684000ffffff0f00000000"},
    };
    struct arena *a = arena_new(MIB(64));
    for (size_t i = 0; i < COUNT_OF(lies); i++) {
        uint8_t bytes[64];
        struct slice text = slice_of(lies[i].hex), out = {0};
        CHECK(parse_hex(text, bytes, text.len / 2));
        err_t e = codec_open(lies[i].codec, slice_make(bytes, text.len / 2), GIB(1), a, &out);
        if (e != ERR_MALFORMED && e != ERR_TOO_BIG)
            test_failed(__FILE__, __LINE__, "lie %zu: %s", i, err_name(e));
        CHECK(arena_used(a) < MIB(2));
    }
    arena_free(a);
}

TEST(a_told_size_over_the_ceiling_is_refused_before_anything_is_taken)
{
    struct arena *a = arena_new(MIB(64));
    struct slice out = {0};
    uint8_t zstd[] = {0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0xff, 0xff, 0xff, 0x0f, 0x01, 0x00, 0x00};
    CHECK_ERR(codec_open(CODEC_ZSTD, slice_make(zstd, sizeof(zstd)), MIB(1), a, &out), ERR_TOO_BIG);
    CHECK_INT(arena_used(a), 0);
    arena_free(a);
}

/* Every truncation and every flipped bit, over copies of exactly their size. A flip may go unseen
 * (snappy has no checksum) but never opens past the ceiling. */
TEST(damaged_streams_never_lead_outside)
{
    uint8_t in[600];
    fill(in, sizeof(in), 2, 1);
    for (size_t c = 0; c < COUNT_OF(packing); c++) {
        struct buf packed = buf_make(KIB(4));
        CHECK_OK(codec_pack(packing[c], slice_make(in, sizeof(in)), &packed), NULL);
        struct arena *a = arena_new(MIB(1));
        struct slice out = {0};
        uint8_t *copy = mem_take_raw(packed.len);
        memcpy(copy, packed.at, packed.len);
        for (size_t bit = 0; bit < packed.len * 8; bit++) {
            arena_reset(a);
            copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
            err_t e = codec_open(packing[c], slice_make(copy, packed.len), KIB(64), a, &out);
            CHECK(e || out.len <= KIB(64));
            copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        mem_give(copy);
        for (size_t cut = 0; cut < packed.len; cut++) {
            arena_reset(a);
            copy = mem_take_raw(cut);
            memcpy(copy, packed.at, cut);
            err_t e = codec_open(packing[c], slice_make(copy, cut), KIB(64), a, &out);
            bool between_blocks = packing[c] == CODEC_SNAPPY && cut == 16; /* a head alone */
            if (e == ERR_OK && !between_blocks)
                test_failed(__FILE__, __LINE__, "%s cut at %zu opened", codec_name(packing[c]),
                            cut);
            mem_give(copy);
        }
        arena_free(a);
        buf_done(&packed);
    }
}

TEST(codecs_have_names_and_an_unknown_one_is_refused)
{
    struct buf b = buf_make(64);
    struct slice out;
    struct arena *a = arena_new(KIB(4));
    CHECK_TEXT(codec_name(CODEC_ZSTD), "zstd");
    CHECK_TEXT(codec_name((enum codec)9), "unknown");
    CHECK_ERR(codec_pack((enum codec)9, SLICE("x"), &b), ERR_UNSUPPORTED);
    CHECK_ERR(codec_open((enum codec)9, SLICE("x"), 10, a, &out), ERR_MALFORMED);
    CHECK_ERR(codec_open(CODEC_NONE, SLICE("four"), 3, a, &out), ERR_TOO_BIG);
    arena_free(a);
    buf_done(&b);
}
