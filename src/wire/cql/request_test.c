/* Requests against the bytes that the Python driver 3.30 writes (its encode_message, written down),
 * and what the specification forbids. */
#include "test.h"
#include "wire/cql/cql_kit.h"

/* --- the driver's bytes -------------------------------------------------------------------------
 */

#define STARTUP_BODY "0002000b4452495645525f4e414d45000178000b43514c5f56455253494f4e0005332e342e37"
#define SELECT_Q     "0000001b53454c45435420612046524f4d2074205748455245206b203d203f"
#define BATCH_BODY                                                                                 \
    "010002000000001944454c4554452046524f4d2074205748455245206b203d20310000010010303132333435363"  \
    "738396162636465660002000000027879ffffffff0004"
static const char *const driver[] = {
    "030000010100000026" STARTUP_BODY,
    "040000010100000026" STARTUP_BODY,
    "050000010100000026" STARTUP_BODY,
    "030000020500000000",
    "040000020500000000",
    "050000020500000000",
    "030012340700000037" SELECT_Q "00063c00001388000000030102030009000462d53c8abac0",
    "040012340700000037" SELECT_Q "00063c00001388000000030102030009000462d53c8abac0",
    "05001234070000003a" SELECT_Q "00060000003c00001388000000030102030009000462d53c8abac0",
    "0300000409000000200000001c494e5345525420494e544f2074202861292056414c55455320283f29",
    "0400000409000000200000001c494e5345525420494e544f2074202861292056414c55455320283f29",
    "0500000409000000240000001c494e5345525420494e544f2074202861292056414c55455320283f2900000000",
    "030000050a0000003300103031323334353637383961626364656600012500030000000400000007ffffffff000000"
    "00000000640000000000000001",
    "040000050a0000003700103031323334353637383961626364656600012500040000000400000007ffffffff000000"
    "00fffffffe000000640000000000000001",
    "050000050a0000004c0010303132333435363738396162636465660010666564636261393837363534333231300001"
    "0000002500040000000400000007ffffffff00000000fffffffe000000640000000000000001",
    "030000060d0000004f" BATCH_BODY "3000080000000000000063",
    "040000060d0000004f" BATCH_BODY "3000080000000000000063",
    "050000060d00000052" BATCH_BODY "0000003000080000000000000063",
    "040000070b000000310003000f544f504f4c4f47595f4348414e4745000d5354415455535f4348414e4745000d5343"
    "48454d415f4348414e4745",
    "050000080f00000018000000140063617373616e6472610063617373616e647261",
    "0500000907000000160000000853454c454354203100010000008000026b73",
    "0500000909000000140000000853454c45435420310000000100026b73",
    "0406000a0700000019000100016b00000001760000000853454c4543542031000100",
};

TEST(what_the_driver_writes_is_read_and_written_the_same)
{
    for (size_t i = 0; i < COUNT_OF(driver); i++) {
        struct message m = kit_message(driver[i]);
        struct native_request r;
        struct diag d;
        struct buf out = buf_make(KIB(4));
        CHECK(native_opcode_is_request(m.head.opcode));
        CHECK_OK(native_request_read(&m.head, m.body, kit_arena(), &r, &d), &d);
        CHECK_OK(native_request_put(&out, &m.head, &r, &d), &d);
        kit_same(&out, m.whole);
        buf_done(&out);
    }
    kit_done();
}

static struct native_request read_one(const char *hex)
{
    struct message m = kit_message(hex);
    struct native_request r;
    struct diag d;
    CHECK_OK(native_request_read(&m.head, m.body, kit_arena(), &r, &d), &d);
    return r;
}

TEST(a_query_has_all_its_parameters)
{
    struct native_request r = read_one(driver[8]);
    CHECK_SLICE(r.text, "SELECT a FROM t WHERE k = ?");
    CHECK_INT(r.params.consistency, NATIVE_AT_LOCAL_QUORUM);
    CHECK_INT(r.params.serial, NATIVE_AT_LOCAL_SERIAL);
    CHECK_INT(r.params.page_size, 5000);
    CHECK_SLICE(r.params.paging_state, "\x01\x02\x03");
    CHECK_INT(r.params.timestamp, 1234567890123456);
    CHECK_INT(r.params.value_count, 0);
    CHECK(r.params.now_s == INT64_MIN && !r.params.keyspace.at && !r.params.skip_metadata);
    CHECK_SLICE(read_one(driver[20]).params.keyspace, "ks");
    CHECK_SLICE(read_one(driver[21]).params.keyspace, "ks");
    kit_done();
}

TEST(an_execute_tells_null_empty_and_unset_apart)
{
    struct native_request r = read_one(driver[14]);
    CHECK_SLICE(r.id, "0123456789abcdef");
    CHECK_SLICE(r.result_id, "fedcba9876543210");
    CHECK_INT(r.params.value_count, 4);
    CHECK_INT(r.params.values[0].state, NATIVE_SET);
    CHECK_INT(r.params.values[0].bytes.len, 4);
    CHECK_INT(r.params.values[1].state, NATIVE_NULL);
    CHECK_INT(r.params.values[2].state, NATIVE_SET);
    CHECK_INT(r.params.values[2].bytes.len, 0);
    CHECK_INT(r.params.values[3].state, NATIVE_UNSET);
    kit_done();
}

TEST(a_batch_has_texts_and_ids)
{
    struct native_request r = read_one(driver[16]);
    CHECK_INT(r.batch_kind, 1);
    CHECK_INT(r.item_count, 2);
    CHECK_SLICE(r.items[0].text, "DELETE FROM t WHERE k = 1");
    CHECK(!r.items[1].text.at);
    CHECK_SLICE(r.items[1].id, "0123456789abcdef");
    CHECK_INT(r.items[1].value_count, 2);
    CHECK_SLICE(r.items[1].values[0].bytes, "xy");
    CHECK_INT(r.params.consistency, NATIVE_AT_QUORUM);
    CHECK_INT(r.params.timestamp, 99);
    kit_done();
}

TEST(a_startup_answers_for_its_options_in_any_case)
{
    struct native_request r = read_one(driver[0]);
    CHECK_SLICE(native_option(&r, "CQL_VERSION"), "3.4.7");
    CHECK_SLICE(native_option(&r, "driver_name"), "x");
    CHECK(!native_option(&r, "COMPRESSION").at);
    kit_done();
}

/* --- what the driver does not write --------------------------------------------------------------
 */

TEST(named_values_and_now_go_both_ways)
{
    struct native_value values[] = {{SLICE("v"), NATIVE_SET}, {{0}, NATIVE_UNSET}};
    struct slice names[] = {SLICE("a"), SLICE("b")};
    struct native_request r = {.text = SLICE("x"), .params = NATIVE_PARAMS_NONE}, back;
    struct native_head h = {.version = 5, .opcode = NATIVE_OP_QUERY, .stream = 3};
    struct diag d;
    struct buf out = buf_make(KIB(1));
    r.params.values = values;
    r.params.names = names;
    r.params.value_count = 2;
    r.params.now_s = UINT32_MAX; /* past 2038: the wire has it unsigned */
    CHECK_OK(native_request_put(&out, &h, &r, &d), &d);
    kit_same(&out, kit_bytes("050000030700000020"
                             "0000000178"
                             "0000"     /* ANY */
                             "00000141" /* values, names, now */
                             "0002"
                             "000161"
                             "0000000176"
                             "000162"
                             "fffffffe"
                             "ffffffff"));
    struct slice body = slice_make(out.at + NATIVE_HEAD_SIZE, out.len - NATIVE_HEAD_SIZE);
    CHECK_OK(native_request_read(&h, body, kit_arena(), &back, &d), &d);
    CHECK_INT(back.params.now_s, UINT32_MAX);
    CHECK_SLICE(back.params.names[1], "b");
    CHECK_INT(back.params.values[1].state, NATIVE_UNSET);
    buf_done(&out);
    kit_done();
}

static void refused(uint8_t version, uint8_t flags, uint8_t opcode, const char *hex,
                    const char *words)
{
    struct native_head h = {.version = version, .flags = flags, .opcode = opcode};
    struct native_request r;
    struct diag d = {0};
    CHECK_ERR(native_request_read(&h, kit_bytes(hex), kit_arena(), &r, &d), ERR_PROTOCOL);
    CHECK_TEXT(d.what, words);
}

TEST(what_breaks_the_protocol_is_said_in_cassandras_words)
{
    refused(4, 0, NATIVE_OP_QUERY, "0000000578",
            "Not enough bytes to read an UTF8 serialized string preceded by its 4 bytes length");
    refused(4, 0, NATIVE_OP_QUERY, "ffffffff",
            "Not enough bytes to read an UTF8 serialized string preceded by its 4 bytes length");
    refused(4, 0, NATIVE_OP_QUERY, "0000000178000d00", "Unknown code 13 for a consistency level");
    refused(4, 0, NATIVE_OP_QUERY,
            "000000017800010100"
            "01fffffffd",
            "Invalid ByteBuf length -3");
    refused(4, 0, NATIVE_OP_QUERY, "0000000178000101ffff", "Not enough bytes to read 65535 items");
    refused(4, 0, NATIVE_OP_QUERY,
            "0000000178000120"
            "8000000000000000",
            "Out of bound timestamp, must be in [-9223372036854775807, 9223372036854775807] (got "
            "-9223372036854775808)");
    refused(4, 0, NATIVE_OP_QUERY, "00000002c328000100", "Cannot decode string as UTF8: 'c328'");
    refused(4, 0, NATIVE_OP_EXECUTE, "0010303132",
            "Not enough bytes to read a byte array preceded by its 2 bytes length");
    refused(4, 0, NATIVE_OP_BATCH,
            "00000102"
            "0000000000",
            "Invalid query kind in BATCH messages. Must be 0 or 1 but got 2");
    refused(4, 0, NATIVE_OP_BATCH,
            "0700000001"
            "00",
            "Invalid BATCH message type 7");
    refused(4, 0, NATIVE_OP_REGISTER, "000100024e4f", "Invalid value 'NO' for Type");
    refused(3, NATIVE_HEAD_PAYLOAD, NATIVE_OP_OPTIONS, "0000",
            "Received frame with CUSTOM_PAYLOAD flag for native protocol version < 4");
    refused(4, 0, 0x55, "", "Unknown opcode 85");
    kit_done();
}

TEST(version_3_has_no_unset_value)
{
    struct native_head h = {.version = 3, .opcode = NATIVE_OP_QUERY};
    struct native_request r;
    struct diag d;
    struct slice body = kit_bytes("00000001780001010001fffffffe");
    CHECK_OK(native_request_read(&h, body, kit_arena(), &r, &d), &d);
    CHECK_INT(r.params.values[0].state, NATIVE_NULL);
    kit_done();
}

/* Every cut of every message is refused or read, and nothing behind it is touched (the sanitizer
 * looks: the bytes stand at the end of their block). */
TEST(messages_that_end_too_early_are_refused)
{
    for (size_t i = 0; i < COUNT_OF(driver); i++) {
        struct message m = kit_message(driver[i]);
        for (uint32_t cut = 0; cut < m.body.len; cut++) {
            struct native_request r;
            uint8_t *at = mem_take_raw(cut ? cut : 1);
            memcpy(at, m.body.at, cut);
            (void)!native_request_read(&m.head, slice_make(at, cut), kit_arena(), &r, NULL);
            mem_give(at);
        }
    }
    kit_done();
}

TEST(names_and_codes_are_found_both_ways)
{
    uint16_t code = 0;
    enum native_event_kind kind;
    CHECK(native_consistency_of(SLICE("local_one"), &code) && code == NATIVE_AT_LOCAL_ONE);
    CHECK(!native_consistency_of(SLICE("HALF"), &code));
    CHECK(native_consistency_name(12) == NULL);
    CHECK(native_event_of(SLICE("status_change"), &kind) && kind == NATIVE_EVENT_STATUS_CHANGE);
    CHECK_TEXT(native_code_name(NATIVE_ERROR_OVERLOADED), "OVERLOADED");
    CHECK_TEXT(native_opcode_name(NATIVE_OP_AUTH_SUCCESS), "AUTH_SUCCESS");
    CHECK(native_opcode_name(0x04) == NULL && native_opcode_name(0x11) == NULL);
}
