/* The records of __transaction_state against bytes laid out by hand from Kafka's TransactionLogKey
 * and TransactionLogValue, and what must be refused. */
#include "coord/txns_int.h"
#include "test.h"

/* A batch of one record, opened. */
struct opened {
    struct arena *a;
    struct record_batch batch;
    struct record record;
};
static struct opened open_one(const struct buf *bytes)
{
    struct opened o = {.a = arena_new(MIB(1))};
    struct record_reader reader;
    struct record none;
    CHECK_OK(record_batch_read(buf_view(bytes), true, &o.batch), NULL);
    CHECK_INT(record_batch_size(&o.batch), bytes->len);
    CHECK_OK(record_batch_open(&o.batch, o.a, MIB(1), &reader), NULL);
    CHECK_OK(record_next(&reader, &o.record), NULL);
    CHECK_ERR(record_next(&reader, &none), ERR_NOT_FOUND);
    return o;
}

static void check_bytes(const char *what, struct slice got, const uint8_t *want, size_t len)
{
    if (got.len == len && memcmp(got.at, want, len) == 0) return;
    test_failed(__FILE__, __LINE__, "%s: %u bytes, not the %zu wanted", what, got.len, len);
    for (uint32_t i = 0; i < got.len; i++) fprintf(stderr, " %02x", got.at[i]);
    fprintf(stderr, "\n");
}

static const uint8_t key_pay[] = {0, 0, 0, 3, 'p', 'a', 'y'};

TEST(an_empty_transactions_record_is_kafkas)
{
    struct txn_facts f = {.producer_id = 0x0102,
                          .previous_id = -1,
                          .next_id = -1,
                          .epoch = 3,
                          .timeout_ms = 60000,
                          .state = TXN_EMPTY,
                          .start_ms = -1,
                          .update_ms = 0x0B};
    static const uint8_t value[] = {
        0,   1,                                    /* version */
        0,   0,   0,    0,    0,   0,   1,   2,    /* producer id */
        0,   3,                                    /* epoch */
        0,   0,   0xEA, 0x60,                      /* timeout */
        0,                                         /* Empty */
        0,                                         /* no partitions: null */
        0,   0,   0,    0,    0,   0,   0,   0x0B, /* last update */
        255, 255, 255,  255,  255, 255, 255, 255,  /* start */
        0,                                         /* no tags */
    };
    struct buf b = buf_make(KIB(4));
    CHECK_OK(txn_record_put(SLICE("pay"), &f, NULL, 0, 99, &b, NULL), NULL);
    struct opened o = open_one(&b);
    check_bytes("key", o.record.key, key_pay, sizeof(key_pay));
    check_bytes("value", o.record.value, value, sizeof(value));
    CHECK_INT(o.batch.producer_id, -1);
    CHECK_INT(o.batch.attributes, 0);
    arena_free(o.a);
    buf_done(&b);
}

TEST(a_running_transactions_record_is_kafkas)
{
    static const uint8_t value[] = {
        0, 1,   0, 0, 0, 0, 0, 0,    1, 2, 0, 3, 0, 0, 0xEA, 0x60, /* as above */
        1,                                                         /* Ongoing */
        3,                                                         /* two topics */
        2, 'a', 3, 0, 0, 0, 1, 0,    0, 0, 7, 0,                   /* "a": 1, 7; no tags */
        2, 'b', 2, 0, 0, 0, 0, 0,                                  /* "b": 0 */
        0, 0,   0, 0, 0, 0, 0, 0x0B, 0, 0, 0, 0, 0, 0, 0,    0x0A, /* last update, start */
        3,                                                         /* tags: */
        0, 8,   0, 0, 0, 0, 0, 0,    1, 1,                         /* previous producer id */
        1, 8,   0, 0, 0, 0, 0, 0,    1, 3,                         /* next producer id */
        2, 2,   0, 2,                                              /* client's version */
    };
    struct txn_facts f;
    struct txn_record_topic *topics;
    int32_t count;
    struct arena *a = arena_new(MIB(1));
    struct diag d = {0};
    CHECK_OK(txn_record_facts(slice_make(value, sizeof(value)), a, &f, &topics, &count, &d), &d);
    CHECK_INT(f.producer_id, 0x0102);
    CHECK_INT(f.previous_id, 0x0101);
    CHECK_INT(f.next_id, 0x0103);
    CHECK_INT(f.epoch, 3);
    CHECK_INT(f.last_epoch, -1);
    CHECK_INT(f.client_version, 2);
    CHECK_INT(f.timeout_ms, 60000);
    CHECK_INT(f.state, TXN_ONGOING);
    CHECK_INT(f.update_ms, 0x0B);
    CHECK_INT(f.start_ms, 0x0A);
    CHECK_INT(count, 2);
    CHECK_SLICE(topics[0].name, "a");
    CHECK_INT(topics[0].count, 2);
    CHECK_INT(topics[0].partitions[1], 7);
    CHECK_SLICE(topics[1].name, "b");
    for (size_t cut = 0; cut < sizeof(value); cut++) {
        arena_reset(a);
        err_t e = txn_record_facts(slice_make(value, cut), a, &f, &topics, &count, &d);
        CHECK_ERR(e, ERR_CORRUPT);
    }
    arena_free(a);
}

/* What Kafka before 4.0 wrote. */
TEST(the_old_form_of_a_record_is_read)
{
    static const uint8_t value[] = {
        0, 0, 0, 0, 0, 0, 0,   0,    1, 2, 0, 3, 0, 0, 0xEA, 0x60, 4, /* CompleteCommit */
        0, 0, 0, 1, 0, 1, 'a', 0,    0, 0, 1, 0, 0, 0, 7,             /* "a": 7 */
        0, 0, 0, 0, 0, 0, 0,   0x0B, 0, 0, 0, 0, 0, 0, 0,    0x0A,
    };
    struct txn_facts f;
    struct txn_record_topic *topics;
    int32_t count;
    struct arena *a = arena_new(MIB(1));
    struct diag d = {0};
    CHECK_OK(txn_record_facts(slice_make(value, sizeof(value)), a, &f, &topics, &count, &d), &d);
    CHECK_INT(f.state, TXN_COMPLETE_COMMIT);
    CHECK_INT(f.previous_id, -1);
    CHECK_INT(f.client_version, 0);
    CHECK_INT(count, 1);
    CHECK_INT(topics[0].partitions[0], 7);
    arena_free(a);
}

TEST(a_record_of_the_future_is_refused_by_name)
{
    static const uint8_t value[] = {0, 2, 0, 0, 0, 0, 0, 0, 1, 2};
    static const uint8_t key[] = {0, 1, 0, 3, 'p', 'a', 'y'};
    struct txn_facts f;
    struct txn_record_topic *topics;
    int32_t count;
    struct arena *a = arena_new(MIB(1));
    struct diag d = {0};
    struct slice id;
    bool known = true;
    CHECK_ERR(txn_record_facts(slice_make(value, sizeof(value)), a, &f, &topics, &count, &d),
              ERR_VERSION);
    CHECK(strstr(d.hint, "newer") != NULL);
    CHECK_OK(txn_record_id(slice_make(key, sizeof(key)), a, &id, &known, &d), &d);
    CHECK(!known);
    CHECK_ERR(txn_record_id(slice_make(key, 1), a, &id, &known, &d), ERR_CORRUPT);
    CHECK_ERR(txn_record_id(slice_make(key_pay, 5), a, &id, &known, &d), ERR_CORRUPT);
    CHECK_OK(txn_record_id(slice_make(key_pay, 7), a, &id, &known, &d), &d);
    CHECK(known);
    CHECK_SLICE(id, "pay");
    arena_free(a);
}

TEST(a_record_that_says_nonsense_is_refused)
{
    uint8_t value[34] = {0, 1};
    struct txn_facts f;
    struct txn_record_topic *topics;
    int32_t count;
    struct arena *a = arena_new(MIB(1));
    value[16] = TXN_COMPLETE_ABORT;
    value[17] = 1; /* no topics */
    value[33] = 0;
    struct buf whole = buf_make(100);
    buf_put(&whole, value, sizeof(value));
    buf_be(&whole, 0, 1);
    CHECK_OK(txn_record_facts(buf_view(&whole), a, &f, &topics, &count, NULL), NULL);
    for (int state = TXN_DEAD; state < 256; state++) {
        whole.at[16] = (uint8_t)state;
        CHECK_ERR(txn_record_facts(buf_view(&whole), a, &f, &topics, &count, NULL), ERR_CORRUPT);
    }
    whole.at[16] = TXN_EMPTY;
    whole.at[2] = 0x80; /* a producer id below zero */
    CHECK_ERR(txn_record_facts(buf_view(&whole), a, &f, &topics, &count, NULL), ERR_CORRUPT);
    buf_done(&whole);
    arena_free(a);
}

TEST(a_tombstone_has_no_value)
{
    struct buf b = buf_make(KIB(4));
    CHECK_OK(txn_record_put(SLICE("pay"), NULL, NULL, 0, 99, &b, NULL), NULL);
    struct opened o = open_one(&b);
    CHECK(o.record.value_null);
    check_bytes("key", o.record.key, key_pay, sizeof(key_pay));
    arena_free(o.a);
    buf_done(&b);
}

/* EndTransactionMarker and ControlRecordType of Kafka's clients. */
TEST(a_marker_is_kafkas_control_batch)
{
    static const uint8_t value[] = {0, 0, 0, 0, 0, 0};
    for (int commit = 0; commit < 2; commit++) {
        uint8_t bytes[TXN_MARKER_MAX];
        const uint8_t key[] = {0, 0, 0, (uint8_t)commit};
        struct buf b = buf_over(bytes, sizeof(bytes));
        CHECK_OK(txn_marker_put(INT64_MAX, INT16_MAX, commit, INT64_MAX, &b), NULL);
        struct opened o = open_one(&b);
        CHECK_INT(o.batch.attributes, 16 | 32);
        CHECK_INT(o.batch.producer_id, INT64_MAX);
        CHECK_INT(o.batch.producer_epoch, INT16_MAX);
        CHECK_INT(o.batch.base_sequence, -1);
        CHECK_INT(o.batch.count, 1);
        check_bytes("key", o.record.key, key, sizeof(key));
        check_bytes("value", o.record.value, value, sizeof(value));
        arena_free(o.a);
    }
}
