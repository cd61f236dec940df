/* Responses against the bytes of Cassandra's own encoders. */
#include "test.h"
#include "wire/cql/cql_kit.h"

static const struct {
    const char *name, *hex;
    int version;
} vectors[] = {
#define VECTOR(name, version, hex) {#name, hex, version},
#include "wire/cql/response_vectors.inc"
#undef VECTOR
};

static struct message vector(const char *name, int version)
{
    for (size_t i = 0; i < COUNT_OF(vectors); i++)
        if (strcmp(vectors[i].name, name) == 0 && vectors[i].version == version)
            return kit_message(vectors[i].hex);
    test_failed(__FILE__, __LINE__, "no vector %s v%d", name, version);
    return (struct message){0};
}

static struct native_response read_one(const char *name, int version)
{
    struct message m = vector(name, version);
    struct native_response r;
    struct diag d;
    CHECK(m.head.response && m.head.stream == 0x0102 && m.head.version == version);
    CHECK_OK(native_response_read(&m.head, m.body, kit_arena(), &r, &d), &d);
    return r;
}

TEST(what_cassandra_writes_is_read_and_written_the_same)
{
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct message m = kit_message(vectors[i].hex);
        struct native_response r;
        struct diag d;
        struct buf out = buf_make(KIB(4));
        if (strcmp(vectors[i].name, "rowsskip") == 0) continue; /* below, by its pieces */
        if (strcmp(vectors[i].name, "evfunction") == 0 && vectors[i].version == 3) continue;
        CHECK_OK(native_response_read(&m.head, m.body, kit_arena(), &r, &d), &d);
        CHECK_OK(native_response_put(&out, &m.head, &r, &d), &d);
        if (!kit_same(&out, m.whole))
            test_failed(__FILE__, __LINE__, "%s v%d", vectors[i].name, vectors[i].version);
        buf_done(&out);
    }
    kit_done();
}

/* --- older versions ------------------------------------------------------------------------------
 */

/* An error that only a newer version has, encoded for each: as Cassandra does it. */
static void falls_back(const char *name, int newest)
{
    struct native_error e = read_one(name, newest).error;
    for (int version = 3; version <= newest; version++) {
        struct message m = vector(name, version);
        struct buf out = buf_make(KIB(4));
        struct diag d;
        struct native_response r = {.error = e};
        CHECK_OK(native_response_put(&out, &m.head, &r, &d), &d);
        if (!kit_same(&out, m.whole)) test_failed(__FILE__, __LINE__, "%s v%d", name, version);
        buf_done(&out);
    }
}

TEST(errors_that_a_version_lacks_become_what_it_has)
{
    falls_back("casunknown", 5);
    falls_back("castimeout", 5);
    falls_back("rfailure", 4);
    falls_back("wfailure", 4);
    falls_back("function", 4);
    falls_back("cdc", 4);
    kit_done();
}

TEST(a_changed_function_is_a_changed_keyspace_in_version_3)
{
    struct native_response r = read_one("evfunction", 5);
    struct message m = vector("evfunction", 3);
    struct buf out = buf_make(KIB(1));
    struct diag d;
    CHECK_SLICE(r.event.schema.name, "fn");
    CHECK_SLICE(r.event.schema.arguments[1], "text");
    CHECK_OK(native_response_put(&out, &m.head, &r, &d), &d);
    kit_same(&out, m.whole);
    buf_done(&out);
    kit_done();
}

TEST(types_that_a_version_lacks_travel_as_classes)
{
    struct native_response r = read_one("rows", 5);
    for (int version = 3; version <= 5; version++) {
        struct message m = vector("rows", version);
        struct buf out = buf_make(KIB(4));
        struct diag d;
        CHECK_OK(native_response_put(&out, &m.head, &r, &d), &d);
        kit_same(&out, m.whole); /* and warnings are left out in version 3 */
        buf_done(&out);
    }
    CHECK_INT(read_one("rows", 3).metadata.columns[6].type->kind, TYPE_DURATION);
    kit_done();
}

/* --- what is in them -----------------------------------------------------------------------------
 */

TEST(errors_carry_their_fields)
{
    struct native_error e = read_one("unavailable", 4).error;
    CHECK_INT(e.code, NATIVE_ERROR_UNAVAILABLE);
    CHECK_SLICE(e.words, "Cannot achieve consistency level QUORUM");
    CHECK_INT(e.consistency, NATIVE_AT_QUORUM);
    CHECK(e.block_for == 3 && e.received == 1);
    e = read_one("castimeout", 5).error;
    CHECK_SLICE(e.write_type, "CAS");
    CHECK_INT(e.contentions, 7);
    e = read_one("rfailure", 5).error;
    CHECK_INT(e.failures.count, 1);
    CHECK(e.failures.at[0].size == 4 && e.failures.at[0].address[3] == 9);
    CHECK_INT(e.failures.at[0].reason, 1);
    CHECK_INT(read_one("rfailure", 4).error.failures.count, 1);
    e = read_one("function", 4).error;
    CHECK_SLICE(e.name, "fn");
    CHECK_SLICE(e.arguments.at[0], "int");
    e = read_one("exists", 4).error;
    CHECK_SLICE(e.keyspace, "ks");
    CHECK_SLICE(e.name, "t");
    CHECK_SLICE(read_one("unprepared", 4).error.id, "0123456789abcdef");
    kit_done();
}

TEST(rows_have_their_types_values_and_warnings)
{
    struct native_response r = read_one("rows", 4);
    struct native_value v;
    struct cursor rows = cursor_of(r.rows);
    struct diag d;
    CHECK_INT(r.warning_count, 2);
    CHECK_SLICE(r.warnings[1], "twice");
    CHECK_INT(r.metadata.count, 8);
    CHECK_INT(r.row_count, 1);
    const struct native_column *c = r.metadata.columns;
    CHECK_SLICE(c[1].keyspace, "ks");
    CHECK_SLICE(c[1].table, "t");
    CHECK_INT(c[1].type->kind, TYPE_TEXT);
    CHECK_INT(c[3].type->items[1]->items[0]->kind, TYPE_BIGINT);
    CHECK_INT(c[4].type->items[1]->kind, TYPE_DATE);
    CHECK_SLICE(c[5].type->name, "ad");
    CHECK_SLICE(c[5].type->names[1], "n");
    CHECK_INT(c[5].type->items[1]->kind, TYPE_LIST);
    CHECK_INT(c[6].type->kind, TYPE_DURATION);
    CHECK_OK(native_rows_check(&r, &d), &d);
    CHECK(native_value_next(&rows, &v) && v.state == NATIVE_SET && v.bytes.at[3] == 7);
    CHECK(native_value_next(&rows, &v) && v.state == NATIVE_NULL);
    CHECK(native_value_next(&rows, &v) && v.state == NATIVE_SET && v.bytes.len == 0);
    r.rows.len -= 1;
    CHECK_ERR(native_rows_check(&r, &d), ERR_PROTOCOL);
    kit_done();
}

TEST(a_custom_type_keeps_its_class)
{
    static const char vec[] = "org.apache.cassandra.db.marshal.VectorType(x , 3)";
    struct type t = {.kind = TYPE_BLOB, .name = slice_of(vec)};
    struct buf out = buf_make(KIB(1));
    struct diag d;
    const struct type *back;
    native_type_put(&out, 5, SLICE("ks"), &t);
    struct cursor in = cursor_of(buf_view(&out));
    CHECK_OK(native_type_read(&in, 5, kit_arena(), &back, &d), &d);
    CHECK_INT(back->kind, TYPE_BLOB);
    CHECK_SLICE(back->name, vec);
    CHECK_INT(cursor_left(&in), 0);
    buf_done(&out);
    kit_done();
}

TEST(types_nest_only_so_deep)
{
    struct buf out = buf_make(KIB(1));
    const struct type *back;
    for (int i = 0; i < 100; i++) buf_be(&out, 0x20, 2);
    buf_be(&out, 9, 2);
    struct cursor in = cursor_of(buf_view(&out));
    CHECK_ERR(native_type_read(&in, 5, kit_arena(), &back, NULL), ERR_PROTOCOL);
    buf_done(&out);
    kit_done();
}

TEST(prepared_tells_markers_keys_and_columns)
{
    struct native_prepared p = read_one("prepared", 5).prepared;
    CHECK_SLICE(p.id, "0123456789abcdef");
    CHECK_SLICE(p.result_id, "0123456789abcdef");
    CHECK_INT(p.marker_count, 2);
    CHECK_SLICE(p.markers[1].name, "v");
    CHECK(p.key_count == 1 && p.key_markers[0] == 0);
    CHECK_INT(p.result.count, 1);
    CHECK_INT(read_one("prepared", 3).prepared.key_count, 0);
    CHECK_INT(read_one("rowschanged", 5).metadata.new_id.len, 16);
    kit_done();
}

TEST(events_tell_the_node)
{
    struct native_event e = read_one("evtopology", 4).event;
    CHECK_INT(e.kind, NATIVE_EVENT_TOPOLOGY_CHANGE);
    CHECK_SLICE(e.change, "NEW_NODE");
    CHECK(e.address_size == 16 && e.address[15] == 1 && e.port == 9042);
    kit_done();
}

/* --- the pieces ----------------------------------------------------------------------------------
 */

TEST(a_skipped_metadata_is_its_flags_and_its_number)
{
    struct message m = vector("rowsskip", 4);
    struct buf out = buf_make(KIB(1));
    struct native_columns c = {.version = 4, .global = true};
    size_t begun = native_begin(&out, &m.head);
    buf_be(&out, NATIVE_RESULT_ROWS, 4);
    native_metadata_begin(&out, &c, 2, (struct slice){0}, (struct slice){0}, NULL);
    buf_slice(&out, kit_bytes("0000000100000004000000010000000161"));
    CHECK_OK(native_end(&out, begun), NULL);
    kit_same(&out, m.whole);
    buf_done(&out);
    kit_done();
}

TEST(responses_that_end_too_early_are_refused)
{
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct message m = kit_message(vectors[i].hex);
        for (uint32_t cut = 0; cut < m.body.len; cut++) {
            struct native_response r;
            uint8_t *at = mem_take_raw(cut ? cut : 1);
            memcpy(at, m.body.at, cut);
            (void)!native_response_read(&m.head, slice_make(at, cut), kit_arena(), &r, NULL);
            mem_give(at);
        }
    }
    kit_done();
}

TEST(the_page_lists_every_code)
{
    struct buf out = buf_make(KIB(64));
    native_wire_help(&out);
    CHECK(strstr(buf_cstr(&out), "| 0x2500 | UNPREPARED | v3 |"));
    CHECK(strstr(buf_cstr(&out), "| 0x1300 | READ_FAILURE | v4 (READ_TIMEOUT) |"));
    CHECK(strstr(buf_cstr(&out), "| 0x0100 | NOW_IN_SECONDS | v5 |"));
    buf_done(&out);
}
