/* The CQL door over real sockets: what is said before and at STARTUP, versions, errors, results,
 * events, the login. */
#include "door/cql/door_kit.h"
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

static const struct native_request nothing = {.params = NATIVE_PARAMS_NONE};

/* --- before STARTUP
 * ------------------------------------------------------------------------------- */

static bool has(const struct native_response *r, const char *key, const char *value)
{
    for (uint32_t i = 0; i < r->option_count; i++)
        for (uint32_t v = 0; slice_is(r->options[i].key, key) && v < r->options[i].count; v++)
            if (slice_is(r->options[i].values[v], value)) return true;
    return false;
}

TEST(options_tell_versions_and_compressions)
{
    struct kit k = {0};
    kit_open(&k);
    for (uint8_t version = 3; version <= 5; version++) {
        struct client c = client_open(&k, version);
        client_put(&c, NATIVE_OP_OPTIONS, 5, &nothing);
        client_expect(&c, 5, NATIVE_OP_SUPPORTED);
        CHECK_INT(c.head.version, version);
        CHECK(has(&c.answer, "CQL_VERSION", CQL_VERSION));
        CHECK(has(&c.answer, "COMPRESSION", "lz4") && has(&c.answer, "COMPRESSION", "snappy"));
        CHECK(has(&c.answer, "PROTOCOL_VERSIONS", "5/v5"));
        client_start(&c, NULL);
        client_put(&c, NATIVE_OP_OPTIONS, 6, &nothing); /* a heartbeat */
        client_expect(&c, 6, NATIVE_OP_SUPPORTED);
        client_close(&c);
    }
    kit_close(&k);
}

/* Drivers downgrade by these words and by the version in the answer's head. */
TEST(unknown_versions_are_told_what_is_spoken)
{
    struct kit k = {0};
    kit_open(&k);
    static const uint8_t versions[] = {6, 7, 65, 66, 0};
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        struct client c = client_open(&k, versions[i]);
        char words[128];
        snprintf(words, sizeof(words),
                 "Invalid or unsupported protocol version (%u); supported versions are (3/v3, "
                 "4/v4, 5/v5)",
                 versions[i]);
        client_put(&c, NATIVE_OP_OPTIONS, 5, &nothing);
        client_expect_error(&c, 0, NATIVE_ERROR_PROTOCOL_ERROR, words);
        CHECK_INT(c.head.version, 5);
        CHECK(client_closed(&c));
        client_close(&c);
    }
    kit_close(&k);
}

TEST(versions_1_and_2_are_answered_in_their_own_heads)
{
    struct kit k = {0};
    kit_open(&k);
    for (uint8_t version = 1; version <= 2; version++) {
        struct client c = client_open(&k, version);
        uint8_t asked[8] = {version, 0, 0, NATIVE_OP_OPTIONS}, got[8 + 98];
        client_bytes(&c, asked, sizeof(asked));
        size_t have = 0;
        for (ssize_t n; have < sizeof(got) && (n = read(c.fd, got + have, sizeof(got) - have)) > 0;)
            have += (size_t)n;
        CHECK(have > 20 && got[0] == (0x80 | version) && got[3] == NATIVE_OP_ERROR);
        CHECK_INT(got[7] + 8, have);
        CHECK(got[10] == 0 && got[11] == 0x0a);
        CHECK(memcmp(got + 14, "Invalid or unsupported protocol version", 39) == 0);
        client_close(&c);
    }
    kit_close(&k);
}

TEST(nothing_but_startup_and_options_comes_first)
{
    struct kit k = {0};
    kit_open(&k);
    struct client c = client_open(&k, 4);
    client_text(&c, 3, "void");
    client_expect_error(&c, 3, NATIVE_ERROR_PROTOCOL_ERROR,
                        "Unexpected message QUERY, expecting STARTUP or OPTIONS");
    client_start(&c, NULL);
    client_put(&c, NATIVE_OP_STARTUP, 4, &nothing);
    client_expect_error(&c, 4, NATIVE_ERROR_PROTOCOL_ERROR,
                        "Unexpected message STARTUP, the connection is already initialized");
    client_text(&c, 3, "void");
    client_expect(&c, 3, NATIVE_OP_RESULT);
    client_close(&c);
    kit_close(&k);
}

static void startup_refused(struct kit *k, uint8_t version, const char *cql,
                            const char *compression, const char *words)
{
    struct client c = client_open(k, version);
    struct native_pair options[] = {{SLICE("cql_version"), slice_of(cql)},
                                    {SLICE("compression"), slice_of(compression)}};
    struct native_request r = {.options = cql ? options : options + 1,
                               .option_count = cql && compression ? 2 : 1};
    client_put(&c, NATIVE_OP_STARTUP, 9, &r);
    client_expect_error(&c, 9, NATIVE_ERROR_PROTOCOL_ERROR, words);
    client_start(&c, NULL); /* it may be said right after all */
    client_close(&c);
}

TEST(startup_is_refused_in_cassandras_words)
{
    struct kit k = {0};
    kit_open(&k);
    startup_refused(&k, 4, NULL, "lz4", "Missing value CQL_VERSION in STARTUP message");
    startup_refused(&k, 4, "2.0.0", NULL,
                    "CQL version 2.0.0 is not supported by the binary protocol (supported version "
                    "are >= 3.0.0)");
    startup_refused(&k, 4, "x", NULL, "Invalid version value: x");
    startup_refused(&k, 4, "3.0.0", "zstd", "Unknown compression algorithm: zstd");
    startup_refused(&k, 5, "3.4.5", "SNAPPY", "Snappy compression is not supported in protocol V5");
    kit_close(&k);
}

/* --- statements
 * ------------------------------------------------------------------------------------ */

static void whole_session(struct kit *k, uint8_t version, const char *compression)
{
    struct client c = client_ready(k, version, compression);
    struct native_value values[] = {{SLICE("\0\0\0\7"), NATIVE_SET}, {{0}, NATIVE_NULL}};
    struct native_value v;
    struct diag d = {0};
    client_text(&c, 1, "void");
    client_expect(&c, 1, NATIVE_OP_RESULT);
    CHECK_INT(c.answer.kind, NATIVE_RESULT_VOID);
    client_text(&c, 2, "rows 1000");
    client_expect(&c, 2, NATIVE_OP_RESULT);
    CHECK_INT(c.answer.row_count, 1000);
    CHECK_SLICE(c.answer.metadata.columns[1].name, "v");
    CHECK_OK(native_rows_check(&c.answer, &d), &d);
    struct native_request e = {
        .id = SLICE("0123456789abcdef"), .result_id = SLICE("old"), .params = NATIVE_PARAMS_NONE};
    e.params.values = values;
    e.params.value_count = 2;
    e.params.skip_metadata = true;
    client_put(&c, NATIVE_OP_EXECUTE, 3, &e);
    client_expect(&c, 3, NATIVE_OP_RESULT);
    struct cursor rows = cursor_of(c.answer.rows);
    CHECK(native_value_next(&rows, &v) && slice_equal(v.bytes, SLICE("\0\0\0\7")));
    CHECK(native_value_next(&rows, &v) && v.state == NATIVE_NULL);
    CHECK_INT(c.answer.metadata.columns != NULL, version == 5); /* changed: said all the same */
    if (version == 5) CHECK_SLICE(c.answer.metadata.new_id, "0123456789abcdef");
    e.result_id = e.id;
    client_put(&c, NATIVE_OP_EXECUTE, 3, &e);
    client_expect(&c, 3, NATIVE_OP_RESULT);
    CHECK(!c.answer.metadata.columns && !c.answer.metadata.new_id.at);
    CHECK_INT(c.answer.metadata.count, 2);
    client_text(&c, 4, "use one");
    client_expect(&c, 4, NATIVE_OP_RESULT);
    CHECK_SLICE(c.answer.text, "one");
    client_text(&c, 5, "create two");
    client_expect(&c, 5, NATIVE_OP_RESULT);
    CHECK_INT(c.answer.kind, NATIVE_RESULT_SCHEMA_CHANGE);
    CHECK_SLICE(c.answer.change.keyspace, "two");
    struct native_request p = {.text = SLICE("SELECT"), .params = NATIVE_PARAMS_NONE};
    client_put(&c, NATIVE_OP_PREPARE, 6, &p);
    client_expect(&c, 6, NATIVE_OP_RESULT);
    CHECK_SLICE(c.answer.prepared.id, "0123456789abcdef");
    CHECK_SLICE(c.answer.prepared.markers[0].name, "k");
    CHECK_INT(c.answer.prepared.key_count, version >= 4);
    struct native_batch_item items[] = {{.text = SLICE("a")},
                                        {.id = SLICE("b"), .values = values, .value_count = 1}};
    struct native_request b = {.items = items, .item_count = 2, .params = NATIVE_PARAMS_NONE};
    client_put(&c, NATIVE_OP_BATCH, 7, &b);
    client_expect(&c, 7, NATIVE_OP_RESULT);
    client_close(&c);
}

TEST(statements_are_answered_in_every_version_and_compression)
{
    struct kit k = {0};
    kit_open(&k);
    whole_session(&k, 3, NULL);
    whole_session(&k, 3, "snappy");
    whole_session(&k, 4, NULL);
    whole_session(&k, 4, "lz4");
    whole_session(&k, 4, "snappy");
    whole_session(&k, 5, NULL);
    whole_session(&k, 5, "lz4");
    kit_close(&k);
}

TEST(errors_carry_what_their_codes_say)
{
    struct kit k = {0};
    kit_open(&k);
    struct client c = client_ready(&k, 4, NULL);
    client_text(&c, 1, "error");
    client_expect_error(&c, 1, NATIVE_ERROR_INVALID, "table t does not exist");
    client_text(&c, 2, "exists");
    client_expect_error(&c, 2, NATIVE_ERROR_ALREADY_EXISTS, "there is one");
    CHECK_SLICE(c.answer.error.name, "t");
    client_text(&c, 3, "stopped");
    client_expect_error(&c, 3, NATIVE_ERROR_OVERLOADED, "Server is shutting down");
    struct native_request e = {.id = SLICE("other id"), .params = NATIVE_PARAMS_NONE};
    client_put(&c, NATIVE_OP_EXECUTE, 4, &e);
    client_expect(&c, 4, NATIVE_OP_ERROR);
    CHECK_INT(c.answer.error.code, NATIVE_ERROR_UNPREPARED);
    CHECK_SLICE(c.answer.error.id, "other id");
    client_close(&c);
    kit_close(&k);
}

TEST(warnings_and_traces_are_told_where_the_version_has_them)
{
    struct kit k = {0};
    kit_open(&k);
    for (uint8_t version = 3; version <= 5; version++) {
        struct client c = client_ready(&k, version, NULL);
        client_text(&c, 1, "warn");
        client_expect(&c, 1, NATIVE_OP_RESULT);
        CHECK_INT(c.answer.warning_count, version >= 4);
        CHECK(!c.answer.traced);
        client_close(&c);
    }
    struct client c = client_ready(&k, 4, NULL);
    static const uint8_t traced[] = {4, 2, 0, 9,   7,   0,   0,   0, 11, 0,
                                     0, 0, 4, 'w', 'a', 'r', 'n', 0, 1,  0};
    client_bytes(&c, traced, sizeof(traced));
    client_expect(&c, 9, NATIVE_OP_RESULT);
    CHECK(c.answer.traced && c.answer.trace_id[3] == 7 && c.answer.warning_count == 1);
    client_close(&c);
    kit_close(&k);
}

/* --- what breaks the protocol
 * ------------------------------------------------------------------------ */

TEST(in_versions_3_and_4_a_wrong_message_is_answered_and_passed_over)
{
    struct kit k = {0};
    kit_open(&k);
    struct client c = client_ready(&k, 4, NULL);
    static const uint8_t unknown[] = {4, 0, 0, 3, 0x11, 0, 0, 0, 2, 1, 1};
    static const uint8_t response[] = {0x84, 0, 0, 4, 8, 0, 0, 0, 0};
    static const uint8_t other[] = {3, 0, 0, 5, 5, 0, 0, 0, 0};
    static const uint8_t cut[] = {4, 0, 0, 6, 7, 0, 0, 0, 4, 0, 0, 0, 9};
    client_bytes(&c, unknown, sizeof(unknown));
    client_expect_error(&c, 3, NATIVE_ERROR_PROTOCOL_ERROR, "Unknown opcode 17");
    client_bytes(&c, response, sizeof(response));
    client_expect_error(&c, 4, NATIVE_ERROR_PROTOCOL_ERROR,
                        "Unexpected RESPONSE message RESULT, expecting REQUEST");
    client_bytes(&c, other, sizeof(other));
    client_expect_error(&c, 5, NATIVE_ERROR_PROTOCOL_ERROR,
                        "Invalid message version. Got 3/v3 but previous messages on this "
                        "connection had version 4/v4");
    client_bytes(&c, cut, sizeof(cut));
    client_expect_error(&c, 6, NATIVE_ERROR_PROTOCOL_ERROR,
                        "Not enough bytes to read an UTF8 serialized string preceded by its 4 "
                        "bytes length");
    client_text(&c, 7, "void");
    client_expect(&c, 7, NATIVE_OP_RESULT);
    client_close(&c);
    kit_close(&k);
}

TEST(a_message_past_the_limit_is_thrown_away_and_answered)
{
    struct kit k = {.options = {.frame_max = 20000}};
    kit_open(&k);
    for (uint8_t version = 4; version <= 5; version++) {
        struct client c = client_ready(&k, version, NULL);
        char *text = mem_take(300001);
        memset(text, 'x', 300000);
        client_text(&c, 8, text);
        client_text(&c, 9, "void");
        client_expect_error(
            &c, 8, NATIVE_ERROR_INVALID,
            version == 4
                ? "Request is too big: length 300016 exceeds maximum allowed length 20000."
                : "CQL Message of size 300010 bytes exceeds allowed maximum of 20000 bytes");
        client_expect(&c, 9, NATIVE_OP_RESULT);
        client_close(&c);
        mem_give(text);
    }
    kit_close(&k);
}

TEST(a_checksum_that_differs_closes_the_connection)
{
    struct kit k = {0};
    kit_open(&k);
    for (int where = 0; where < 2; where++) {
        struct client c = client_ready(&k, 5, NULL);
        struct buf out = buf_make(KIB(1));
        static const uint8_t options[] = {5, 0, 0, 3, 5, 0, 0, 0, 0};
        CHECK_OK(native_segments_put(&out, slice_make(options, sizeof(options)), NATIVE_PLAIN),
                 NULL);
        out.at[where ? 8 : 1] ^= 0x40;
        client_bytes(&c, out.at, out.len);
        client_expect(&c, 0, NATIVE_OP_ERROR);
        CHECK_INT(c.answer.error.code, NATIVE_ERROR_PROTOCOL_ERROR);
        char *words = arena_text(k.arena, c.answer.error.words);
        CHECK(strstr(words, where ? "mismatch detected in frame body. Read"
                                  : "mismatch detected in frame header. Read"));
        CHECK(client_closed(&c));
        client_close(&c);
        buf_done(&out);
    }
    kit_close(&k);
}

TEST(in_version_5_two_errors_in_a_row_within_a_segment_close_it)
{
    struct kit k = {0};
    kit_open(&k);
    struct client c = client_ready(&k, 5, NULL);
    static const uint8_t bad_good_bad_bad[] = {5, 0, 0, 1, 0x55, 0, 0, 0, 1, 9, /* unknown */
                                               5, 0, 0, 2, 5,    0, 0, 0, 0,    /* OPTIONS */
                                               5, 0, 0, 3, 0x55, 0, 0, 0, 0, 5, 0, 0, 4, 0x55,
                                               0, 0, 0, 0, 5,    0, 0, 5, 5, 0, 0, 0, 0};
    struct buf out = buf_make(KIB(1));
    CHECK_OK(native_segments_put(&out, slice_make(bad_good_bad_bad, sizeof(bad_good_bad_bad)),
                                 NATIVE_PLAIN),
             NULL);
    client_bytes(&c, out.at, out.len);
    client_expect_error(&c, 1, NATIVE_ERROR_PROTOCOL_ERROR, "Unknown opcode 85");
    client_expect(&c, 2, NATIVE_OP_SUPPORTED);
    client_expect_error(&c, 3, NATIVE_ERROR_PROTOCOL_ERROR, "Unknown opcode 85");
    client_expect_error(&c, 4, NATIVE_ERROR_PROTOCOL_ERROR, "Unknown opcode 85");
    CHECK(client_closed(&c));
    client_close(&c);
    buf_done(&out);
    kit_close(&k);
}

/* --- the login
 * --------------------------------------------------------------------------------------- */

TEST(a_login_is_asked_for_and_the_session_knows_who)
{
    struct kit k = {.login = true};
    kit_open(&k);
    for (uint8_t version = 3; version <= 5; version++) {
        struct client c = client_ready(&k, version, version == 4 ? "lz4" : NULL);
        struct native_value v;
        char want[96];
        client_text(&c, 1, "who");
        client_expect(&c, 1, NATIVE_OP_RESULT);
        struct cursor rows = cursor_of(c.answer.rows);
        (void)native_value_next(&rows, &v);
        (void)native_value_next(&rows, &v);
        snprintf(want, sizeof(want), "cassandra|the kit||127.0.0.1|%u|1", version);
        CHECK_SLICE(v.bytes, want);
        client_close(&c);
    }
    kit_close(&k);
}

static void token(struct client *c, struct slice t, const char *words)
{
    struct native_request r = {.token = t};
    client_put(c, NATIVE_OP_AUTH_RESPONSE, 2, &r);
    client_expect_error(c, 2, NATIVE_ERROR_BAD_CREDENTIALS, words);
}

TEST(a_login_that_fails_is_said_in_cassandras_words_and_may_be_tried_again)
{
    struct kit k = {.login = true};
    kit_open(&k);
    struct client c = client_open(&k, 5);
    struct native_pair options[] = {{SLICE("CQL_VERSION"), SLICE("3.0.0")}};
    struct native_request start = {.options = options, .option_count = 1};
    client_put(&c, NATIVE_OP_STARTUP, 0, &start);
    client_expect(&c, 0, NATIVE_OP_AUTHENTICATE);
    c.segmented = true;
    client_text(&c, 7, "void");
    client_expect_error(&c, 7, NATIVE_ERROR_PROTOCOL_ERROR,
                        "Unexpected message QUERY, expecting SASL_RESPONSE");
    token(&c, SLICE("\0cassandra\0wrong"),
          "Provided username cassandra and/or password are incorrect");
    token(&c, SLICE("\0cassandra\0"), "Password must not be null");
    token(&c, SLICE("\0\0secret"), "Authentication ID must not be null");
    token(&c, SLICE("\0a\0b\0c"),
          "Credential format error: username or password is empty or contains NUL(\\0) character");
    struct native_request right = {.token = SLICE("someone\0cassandra\0secret")};
    client_put(&c, NATIVE_OP_AUTH_RESPONSE, 3, &right);
    client_expect(&c, 3, NATIVE_OP_AUTH_SUCCESS);
    client_put(&c, NATIVE_OP_AUTH_RESPONSE, 4, &right);
    client_expect_error(&c, 4, NATIVE_ERROR_PROTOCOL_ERROR,
                        "Unexpected message AUTH_RESPONSE, the connection is already initialized");
    client_close(&c);
    kit_close(&k);
}

TEST(only_a_little_may_be_said_before_a_login)
{
    struct kit k = {.login = true};
    kit_open(&k);
    struct client c = client_open(&k, 4);
    for (int i = 0; i < 600; i++) client_put(&c, NATIVE_OP_OPTIONS, 1, &nothing);
    int answered = 0;
    while (client_take(&c)) answered++;
    CHECK(answered > 0 && answered <= 4096 / 9 + 1);
    client_close(&c);
    c = client_open(&k, 4);
    static const uint8_t large[] = {4, 0, 0, 1, 1, 0, 0, 0x20, 0, 1};
    client_bytes(&c, large, sizeof(large));
    CHECK(client_closed(&c));
    client_close(&c);
    kit_close(&k);
}

/* --- events
 * ------------------------------------------------------------------------------------------ */

TEST(clients_are_listed_as_they_are)
{
    struct kit k = {0};
    kit_open(&k);
    struct client a = client_ready(&k, 4, NULL), b = client_open(&k, 5);
    client_text(&a, 1, "use one");
    client_expect(&a, 1, NATIVE_OP_RESULT);
    client_put(&b, NATIVE_OP_OPTIONS, 1, &nothing);
    client_expect(&b, 1, NATIVE_OP_SUPPORTED);
    char *text = kit_clients(&k);
    CHECK(strstr(text, "127.0.0.1 port the kit v4 ready 'one' 2 plain\n"));
    CHECK(strstr(text, "127.0.0.1 port  v0 established '' 1 plain\n"));
    client_close(&a);
    client_close(&b);
    kit_close(&k);
}

static void listen_to(struct client *c, struct slice what)
{
    struct native_request r = {.events = &what, .event_count = 1};
    client_put(c, NATIVE_OP_REGISTER, 1, &r);
    client_expect(c, 1, NATIVE_OP_READY);
}

TEST(changes_of_the_schema_are_told_to_those_who_asked)
{
    struct kit k = {0};
    kit_open(&k);
    struct client all[4];
    for (uint8_t i = 0; i < 4; i++) {
        all[i] = client_ready(&k, (uint8_t)(3 + i % 3), i == 2 ? "lz4" : NULL);
        listen_to(&all[i], i == 3 ? SLICE("TOPOLOGY_CHANGE") : SLICE("SCHEMA_CHANGE"));
    }
    kit_changed("CREATED", "TABLE", "ks", "t");
    kit_changed("DROPPED", "KEYSPACE", "ks", NULL);
    for (int i = 0; i < 3; i++) {
        client_expect(&all[i], -1, NATIVE_OP_EVENT);
        CHECK_INT(all[i].answer.event.kind, NATIVE_EVENT_SCHEMA_CHANGE);
        CHECK_SLICE(all[i].answer.event.schema.change, "CREATED");
        CHECK_SLICE(all[i].answer.event.schema.name, "t");
        client_expect(&all[i], -1, NATIVE_OP_EVENT);
        CHECK_SLICE(all[i].answer.event.schema.target, "KEYSPACE");
    }
    client_text(&all[3], 5, "void");
    client_expect(&all[3], 5, NATIVE_OP_RESULT); /* and no event before it */
    for (int i = 0; i < 4; i++) client_close(&all[i]);
    kit_close(&k);
}

TEST(who_listens_is_told_that_the_node_goes_down)
{
    struct kit k = {0};
    kit_open(&k);
    struct client c = client_ready(&k, 5, NULL);
    listen_to(&c, SLICE("status_change"));
    cql_door_stop(k.door);
    client_expect(&c, -1, NATIVE_OP_EVENT);
    CHECK_SLICE(c.answer.event.change, "DOWN");
    CHECK(c.answer.event.address_size == 4 && c.answer.event.address[0] == 127);
    CHECK(client_closed(&c));
    client_close(&c);
    kit_close(&k);
}
