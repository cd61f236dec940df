/* What stands around messages: by known bytes, and held to the tables of headers.def. */
#include "wire/kafka/kafka.h"

#include "test.h"

static struct slice bytes_of(const char *hex)
{
    static uint8_t bytes[128];
    CHECK(parse_hex(slice_of(hex), bytes, strlen(hex) / 2));
    return slice_make(bytes, strlen(hex) / 2);
}

static void check_hex(struct buf *b, const char *want)
{
    struct buf hex = buf_make(KIB(1));
    put_hex(&hex, b->at, b->len);
    CHECK_TEXT(buf_cstr(&hex), want);
    buf_done(&hex);
    buf_done(b);
}

TEST(a_request_head_is_read_in_both_forms)
{
    struct kafka_request_head h;
    struct diag d;
    CHECK_OK(kafka_request_head(bytes_of("000300010000002a000474657374ffffffff"), &h, &d), &d);
    CHECK_INT(h.api->key, KAFKA_API_metadata);
    CHECK_INT(h.api_version, 1);
    CHECK_INT(h.correlation_id, 42);
    CHECK_SLICE(h.client_id, "test");
    CHECK(h.version_known);
    CHECK_INT(cursor_left(&h.body), 4);
    /* flexible: one tag that nobody knows */
    CHECK_OK(kafka_request_head(bytes_of("000300090000002affff010502abcd00"), &h, &d), &d);
    CHECK(!h.client_id.at);
    CHECK_INT(cursor_left(&h.body), 1);
    CHECK_OK(kafka_request_head(bytes_of("000300010000002a0000"), &h, &d), &d);
    CHECK(h.client_id.at && h.client_id.len == 0);
}

TEST(a_version_from_the_future_is_no_failure_of_the_head)
{
    struct kafka_request_head h;
    struct diag d;
    struct buf out = buf_make(KIB(1));
    CHECK_OK(kafka_request_head(bytes_of("0012006300000007000474657374000102"), &h, &d), &d);
    CHECK(!h.version_known);
    CHECK_INT(h.api->key, KAFKA_API_api_versions);
    CHECK_INT(kafka_response_version(&h), 0);
    CHECK_INT(cursor_left(&h.body), 0);
    size_t begun = kafka_response_begin(&out, &h);
    struct kafka_api_versions_response r;
    kafka_init(&kafka_api_versions_response_message, &r);
    r.error_code = KAFKA_ERROR_UNSUPPORTED_VERSION;
    CHECK_OK(kafka_encode(&kafka_api_versions_response_message, 0, &r, &out, NULL, &d), &d);
    CHECK_OK(kafka_response_end(&out, begun, NULL), NULL);
    check_hex(&out, "0000000a"
                    "00000007"
                    "0023"
                    "00000000");
    CHECK_OK(kafka_request_head(bytes_of("7fff000000000007"), &h, &d), &d);
    CHECK(!h.api && !h.version_known);
    CHECK_OK(kafka_request_head(bytes_of("000000020000000700000000"), &h, &d), &d);
    CHECK(h.api && !h.version_known); /* Produce 2: said, not served */
    CHECK_INT(h.api->said_first, 0);
}

TEST(bytes_that_are_no_head_are_refused)
{
    struct kafka_request_head h;
    struct diag d;
    const char *whole = "000300090000002a000474657374010502abcd";
    for (size_t len = 0; len < strlen(whole) / 2; len++) {
        struct slice s = bytes_of(whole);
        s.len = (uint32_t)len;
        CHECK_ERR(kafka_request_head(s, &h, &d), ERR_SHORT);
    }
    CHECK_ERR(kafka_request_head(bytes_of("000300010000002afffe"), &h, &d), ERR_MALFORMED);
    CHECK_ERR(kafka_request_head(bytes_of("000300010000002a7fff61"), &h, &d), ERR_SHORT);
    CHECK_TEXT(d.what, "request header of Metadata v1 ends too early");
}

/* Every API at every version: the hand-written heads are what the tables of headers.def say. */
TEST(heads_are_those_of_the_tables)
{
    struct arena *a = arena_new(KIB(64));
    for (size_t i = 0; i < kafka_api_count; i++) {
        const struct kafka_api *api = &kafka_apis[i];
        for (int16_t v = api->first; v <= api->last; v++) {
            bool flexible = v >= api->flexible_first;
            int16_t answer = flexible && api->key != KAFKA_API_api_versions;
            struct buf out = buf_make(KIB(1)), want = buf_make(KIB(1));
            struct kafka_request_header q = {api->key, v, 99, SLICE("me")};
            struct kafka_response_header r = {99};
            struct kafka_request_head h;
            struct cursor body;
            int32_t correlation_id = 0;
            struct diag d;
            size_t begun = kafka_request_begin(&out, api, v, 99, SLICE("me"));
            CHECK_OK(kafka_request_end(&out, begun), NULL);
            buf_be(&want, out.len - 4, 4);
            CHECK_OK(
                kafka_encode(&kafka_request_header_message, flexible ? 2 : 1, &q, &want, NULL, &d),
                &d);
            CHECK(slice_equal(buf_view(&out), buf_view(&want)));
            CHECK_OK(kafka_request_head(slice_make(out.at + 4, out.len - 4), &h, &d), &d);
            CHECK(h.api == api && h.version_known && cursor_left(&h.body) == 0);

            buf_reset(&out);
            buf_reset(&want);
            begun = kafka_response_begin(&out, &h);
            CHECK_OK(kafka_response_end(&out, begun, NULL), NULL);
            buf_be(&want, out.len - 4, 4);
            CHECK_OK(kafka_encode(&kafka_response_header_message, answer, &r, &want, NULL, &d), &d);
            CHECK(slice_equal(buf_view(&out), buf_view(&want)));
            CHECK_OK(kafka_response_head(slice_make(out.at + 4, out.len - 4), api, v,
                                         &correlation_id, &body, &d),
                     &d);
            CHECK_INT(correlation_id, 99);
            CHECK_INT(cursor_left(&body), 0);
            buf_done(&out);
            buf_done(&want);
        }
    }
    arena_free(a);
}

TEST(a_frame_counts_what_is_spliced_into_it)
{
    struct kafka_splice list[2] = {{.at = 4, .size = 5}, {.at = 20, .size = 1000}};
    struct kafka_splices splices = {.list = list, .count = 2};
    struct buf out = buf_make(KIB(1));
    buf_text(&out, "earlier..");
    struct kafka_request_head h = {.correlation_id = 1};
    size_t begun = kafka_response_begin(&out, &h);
    buf_text(&out, "abc");
    CHECK_OK(kafka_response_end(&out, begun, &splices), NULL);
    CHECK_INT(out.at[11] << 8 | out.at[12], 4 + 3 + 1000);
    list[1].size = INT32_MAX;
    CHECK_ERR(kafka_response_end(&out, begun, &splices), ERR_TOO_BIG);
    buf_done(&out);
}
