/* Checksums, hashes, digests, encodings, UUIDs and random numbers against their originals' own
 * published vectors. */
#include "base/hash.h"
#include "test.h"

static struct slice bytes_of(const void *at, size_t len)
{
    return slice_make(at, len);
}

/* RFC 3720, B.4, and the check value of the CRC catalogue. */
TEST(crc32c_gives_the_vectors_of_iscsi)
{
    uint8_t zeros[32] = {0}, ones[32], up[32], down[32];
    memset(ones, 0xff, sizeof(ones));
    for (size_t i = 0; i < 32; i++) {
        up[i] = (uint8_t)i;
        down[i] = (uint8_t)(31 - i);
    }
    CHECK_INT(crc32c(0, "123456789", 9), 0xe3069283);
    CHECK_INT(crc32c(0, zeros, 32), 0x8a9136aa);
    CHECK_INT(crc32c(0, ones, 32), 0x62a8ab43);
    CHECK_INT(crc32c(0, up, 32), 0x46dd794e);
    CHECK_INT(crc32c(0, down, 32), 0x113fdb5c);
    CHECK_INT(crc32c(0, "", 0), 0);
}

TEST(crc32c_goes_on_where_it_stopped)
{
    const char *text = "the quick brown fox jumps over the lazy dog, twice if it must";
    size_t len = strlen(text);
    uint32_t whole = crc32c(0, text, len);
    for (size_t cut = 0; cut <= len; cut++)
        CHECK_INT(crc32c(crc32c(0, text, cut), text + cut, len - cut), whole);
}

/* The check value of the CRC catalogue (CRC-32/ISO-HDLC). */
TEST(crc32_zip_gives_the_catalogues_value)
{
    CHECK_INT(crc32_zip(0, "123456789", 9), 0xcbf43926);
    CHECK_INT(crc32_zip(crc32_zip(0, "1234", 4), "56789", 5), 0xcbf43926);
    CHECK_INT(crc32_zip(0, "", 0), 0);
}

/* xxHash's own sanity values for XXH3 64. */
TEST(hash64_is_xxh3)
{
    CHECK(hash64(SLICE(""), 0) == 0x2d06800538d394c2u);
    CHECK(hash64((struct slice){0}, 0) == 0x2d06800538d394c2u);
    CHECK(hash64(SLICE("a"), 0) == 0xe6c632b61e964e1fu);
    CHECK(hash64(SLICE("abc"), 0) == 0x78af5f94892f3950u);
    CHECK(hash64(SLICE("abc"), 1) != hash64(SLICE("abc"), 0));
}

/* org.apache.kafka.common.utils.UtilsTest.testMurmur2. */
TEST(murmur2_is_kafkas)
{
    static const struct {
        const char *text;
        int32_t hash;
    } cases[] = {
        {"21", -973932308},
        {"foobar", -790332482},
        {"a-little-bit-long-string", -985981536},
        {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
        {"abc", 479470107},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        CHECK_INT(murmur2_kafka(slice_of(cases[i].text)), cases[i].hash);
    CHECK_INT(kafka_partition_of(SLICE("21"), 10), (-973932308 & 0x7fffffff) % 10);
    CHECK_INT(kafka_partition_of(SLICE("foobar"), 1), 0);
}

/* The vectors of DataStax's drivers (tests/unit/test_metadata.py: Murmur3TokensTest). */
TEST(murmur3_token_is_cassandras_with_its_signed_tail)
{
    static const uint8_t part[] = {0x00, 0xff, 0x10, 0xfa, 0x99};
    uint8_t quirk[50];
    for (size_t i = 0; i < sizeof(quirk); i++) quirk[i] = part[i % sizeof(part)];
    CHECK_INT(murmur3_token(SLICE("123")), -7468325962851647638);
    CHECK_INT(murmur3_token(bytes_of(quirk, sizeof(quirk))), 5837342703291459765);
    CHECK_INT(murmur3_token(SLICE("\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe")), -8927430733708461935);
    CHECK_INT(murmur3_token(SLICE("\x10\x10\x10\x10\x10\x10\x10\x10")), 1446172840243228796);
    CHECK_INT(murmur3_token(SLICE("9223372036854775807")), 7162290910810015547);
    CHECK_INT(murmur3_token(SLICE("")), INT64_MIN);
}

static void check_digest(void (*digest)(struct slice, uint8_t *), size_t size, const char *text,
                         const char *want)
{
    uint8_t out[64];
    char hex[129];
    struct buf b = buf_over(hex, sizeof(hex));
    digest(slice_of(text), out);
    put_hex(&b, out, size);
    CHECK_TEXT(buf_cstr(&b), want);
}

/* RFC 1321, FIPS 180. */
TEST(digests_give_the_vectors_of_their_standards)
{
    check_digest(digest_md5, 16, "", "d41d8cd98f00b204e9800998ecf8427e");
    check_digest(digest_md5, 16, "message digest", "f96b697d7cb7938d525a2f31aaf161d0");
    check_digest(digest_sha1, 20, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d");
    check_digest(digest_sha256, 32, "abc",
                 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_digest(digest_sha256, 32, "",
                 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check_digest(digest_sha512, 64, "abc",
                 "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                 "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

/* RFC 4231: cases 1, 2 and 6 (a key longer than the block). */
TEST(hmac_sha256_gives_the_vectors_of_rfc_4231)
{
    static const struct {
        uint8_t fill;
        uint32_t fill_len;
        const char *key, *text, *want;
    } cases[] = {
        {0x0b, 20, NULL, "Hi There",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {0, 0, "Jefe", "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {0xaa, 131, NULL, "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t key[200], out[32];
        char hex[65];
        struct buf b = buf_over(hex, sizeof(hex));
        memset(key, cases[i].fill, sizeof(key));
        struct slice k = cases[i].key ? slice_of(cases[i].key) : slice_make(key, cases[i].fill_len);
        digest_hmac_sha256(k, slice_of(cases[i].text), out);
        put_hex(&b, out, sizeof(out));
        CHECK_TEXT(buf_cstr(&b), cases[i].want);
    }
}

TEST(hex_reads_both_cases_and_nothing_else)
{
    uint8_t out[2] = {0};
    CHECK(parse_hex(SLICE("0aFf"), out, 2));
    CHECK(out[0] == 0x0a && out[1] == 0xff);
    static const char *const bad[] = {"0af", "0aff0", "0agf", "0a:f", "0a f", "", "0a/f", "0a`f"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) CHECK(!parse_hex(slice_of(bad[i]), out, 2));
    for (int c = 0; c < 256; c++) {
        char text[4] = {'0', '0', '0', (char)c};
        bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        CHECK(parse_hex(slice_make(text, 4), out, 2) == digit);
    }
}

/* RFC 4648, section 10. */
TEST(base64_gives_the_vectors_of_rfc_4648)
{
    static const struct {
        const char *plain, *coded;
    } cases[] = {{"", ""},
                 {"f", "Zg=="},
                 {"fo", "Zm8="},
                 {"foo", "Zm9v"},
                 {"foob", "Zm9vYg=="},
                 {"fooba", "Zm9vYmE="},
                 {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[32], back[32];
        struct buf coded = buf_over(text, sizeof(text)), plain = buf_over(back, sizeof(back));
        put_base64(&coded, slice_of(cases[i].plain));
        CHECK_SLICE(buf_view(&coded), cases[i].coded);
        CHECK_OK(parse_base64(buf_view(&coded), &plain), NULL);
        CHECK_SLICE(buf_view(&plain), cases[i].plain);
    }
}

TEST(base64_refuses_what_is_not_exactly_one_value)
{
    static const char *const bad[] = {"Z",    "Zg",    "Zg=",      "Zh==", "Zm9=", "====",
                                      "Z===", "Zm9v=", "Zg==Zg==", "Zm 9", "Zm-_", "Zm9vYg=a"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char back[32];
        struct buf plain = buf_over(back, sizeof(back));
        if (parse_base64(slice_of(bad[i]), &plain) != ERR_MALFORMED)
            test_failed(__FILE__, __LINE__, "'%s' was taken", bad[i]);
    }
    char small[2];
    struct buf full = buf_over(small, sizeof(small));
    CHECK_ERR(parse_base64(SLICE("Zm9v"), &full), ERR_TOO_BIG);
}

static const char *printed(struct uuid u)
{
    static char text[37];
    uuid_print(u, text);
    return text;
}

/* RFC 9562, appendix A: the examples of v1, v4, v5 and v7. */
TEST(uuids_give_the_examples_of_rfc_9562)
{
    const uint8_t node[6] = {0x9f, 0x6b, 0xde, 0xce, 0xd8, 0x46};
    struct uuid v1 = uuid_v1(0x1ec9414c232ab00, 0x33c8, node);
    CHECK_TEXT(printed(v1), "c232ab00-9414-11ec-b3c8-9f6bdeced846");
    CHECK_INT(uuid_v1_ms(v1), 1645557742000);
    CHECK_INT(uuid_version(v1), 1);

    const uint8_t random[16] = {0x91, 0x91, 0x08, 0xf7, 0x52, 0xd1, 0x33, 0x20,
                                0xdb, 0xac, 0xf8, 0x47, 0xdb, 0x41, 0x48, 0xa8};
    CHECK_TEXT(printed(uuid_v4(random)), "919108f7-52d1-4320-9bac-f847db4148a8");

    struct uuid dns;
    CHECK(uuid_parse(SLICE("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), &dns));
    CHECK_TEXT(printed(uuid_v5(dns, SLICE("www.example.com"))),
               "2ed6657d-e927-568b-95e1-2665a8aea6a2");

    const uint8_t rand7[10] = {0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f};
    struct uuid v7 = uuid_v7(0x017f22e279b0, rand7);
    CHECK_TEXT(printed(v7), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    CHECK_INT(uuid_version(v7), 7);
}

TEST(uuid_text_is_read_in_any_case_and_only_whole)
{
    struct uuid u;
    CHECK(uuid_parse(SLICE("C232AB00-9414-11EC-B3C8-9F6BDECED846"), &u));
    CHECK_TEXT(printed(u), "c232ab00-9414-11ec-b3c8-9f6bdeced846");
    static const char *const bad[] = {
        "",
        "c232ab00-9414-11ec-b3c8-9f6bdeced84",
        "c232ab00-9414-11ec-b3c8-9f6bdeced8466",
        "{232ab00-9414-11ec-b3c8-9f6bdeced84}",
        "c232ab00941411ecb3c89f6bdeced846",
        "c232ab0009414-11ec-b3c8-9f6bdeced846",
        "c232ab00-9414-11ec-b3c8-9f6bdeced84g",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) CHECK(!uuid_parse(slice_of(bad[i]), &u));
    char good[] = "c232ab00-9414-11ec-b3c8-9f6bdeced846";
    for (size_t i = 0; i < 36; i++) { /* every place refuses a byte that does not belong there */
        char kept = good[i];
        good[i] = kept == '-' ? '0' : '\xff';
        CHECK(!uuid_parse(slice_of(good), &u));
        good[i] = kept;
    }
}

/* The first numbers of the authors' C code from the state 1, 2, 3, 4, as rand_xoshiro tests them;
 * splitmix64's from 1234567 (Rosetta Code). */
TEST(rng_is_xoshiro256_plus_plus)
{
    static const uint64_t want[] = {41943041u,
                                    58720359u,
                                    3588806011781223u,
                                    3591011842654386u,
                                    9228616714210784205u,
                                    9973669472204895162u,
                                    14011001112246962877u,
                                    12406186145184390807u,
                                    15849039046786891736u,
                                    10450023813501588000u};
    struct rng r = {{1, 2, 3, 4}};
    for (size_t i = 0; i < COUNT_OF(want); i++) CHECK(rng_next(&r) == want[i]);
    struct rng seeded = rng_make(1234567);
    CHECK(seeded.s[0] == 6457827717110365317u && seeded.s[1] == 3203168211198807973u);
}

TEST(rng_stays_inside_its_bounds_and_covers_them)
{
    struct rng r = rng_make(1);
    unsigned seen = 0;
    double low = 1, high = 0;
    for (int i = 0; i < 10000; i++) {
        uint64_t v = rng_below(&r, 10);
        double u = rng_unit(&r);
        CHECK(v < 10 && u >= 0 && u < 1);
        seen |= 1u << v;
        low = MIN(low, u);
        high = MAX(high, u);
    }
    CHECK_INT(seen, 1023);
    CHECK(low < 0.001 && high > 0.999);
    CHECK_INT(rng_below(&r, 0), 0);
    CHECK_INT(rng_below(&r, 1), 0);
}
