/* Selectors over rows and groups; every example of functions.def; docs/cql-functions.md is fresh.
 */
#include "sql/cql/term_int.h"
#include "sql/cql/term_kit.h"
#include "sql/sql_root.h"

#include <stdlib.h>

/* The table that the examples are about, and its rows. */
static const struct {
    const char *name, *type, *values[3];
} table[] = {
    {"i", "int", {"7", "1", "2"}},
    {"x", "text", {"'a'", "NULL", "'c'"}},
    {"bo", "boolean", {"true", "false", "NULL"}},
    {"do", "double", {"2.5", "1.5", "NULL"}},
    {"ts", "timestamp", {"0", "'2016-09-27 16:12:00+0000'", "NULL"}},
    {"tu", "timeuuid", {"04afc000-833b-11ee-8080-808080808080", "NULL", "NULL"}},
    {"da", "date", {"'2016-09-27'", "NULL", "NULL"}},
    {"ti", "time", {"'16:12:00'", "NULL", "NULL"}},
    {"m", "map<text, int>", {"{'a': 1, 'b': 2}", "NULL", "NULL"}},
    {"s", "set<int>", {"{1, 2, 3, 4}", "NULL", "NULL"}},
    {"l", "list<int>", {"[1, 3, 5]", "NULL", "NULL"}},
    {"fm", "frozen<map<text, int>>", {"{'a': 1, 'b': 2}", "NULL", "NULL"}},
    {"u", "u", {"{f: 1, g: 'x'}", "NULL", "NULL"}},
    {"v", "varint", {"12345678901234567890", "1", "NULL"}},
    {"de", "decimal", {"1.50", "2.5", "NULL"}},
    {"c", "bigint", {"9223372036854775807", "1", "NULL"}},
    {"Q", "int", {"5", "6", "NULL"}},
};
enum { COLUMNS = COUNT_OF(table) };

struct rows {
    struct term_kit k;
    struct cql_scope_column columns[COLUMNS];
    struct cql_value values[3][COLUMNS];
    struct cql_cell_times times[COLUMNS];
    int64_t stamps[4];
    int32_t ttls[4];
    bool used[COLUMNS];
    struct cql_scope scope;
};

static void rows_start(struct rows *r)
{
    memset(r, 0, sizeof(*r));
    kit_start(&r->k);
    kit_user_type(&r->k, "u", "f int, g text");
    for (uint32_t i = 0; i < 4; i++) {
        r->stamps[i] = 1000 + i;
        r->ttls[i] = i == 1 ? -1 : (int32_t)(50 + i);
    }
    for (uint32_t c = 0; c < COLUMNS; c++) {
        const struct type *t = kit_type(&r->k, table[c].type);
        CHECK(t != NULL);
        r->columns[c] = (struct cql_scope_column){slice_of(table[c].name), t, c, c == 0};
        r->times[c] = (struct cql_cell_times){r->stamps, r->ttls, 1, false};
        if (t->kind == TYPE_MAP || t->kind == TYPE_STRUCT) r->times[c].count = 2;
        if (t->kind == TYPE_SET) r->times[c].count = 4;
        r->times[c].multicell = cql_type_is_multicell(t);
        if (!r->times[c].multicell) r->times[c].count = 1;
        for (uint32_t i = 0; i < 3; i++) {
            struct cql_receiver to = {SLICE("ks"), SLICE("t"), SLICE("a"), t};
            const struct cql_term *made;
            const struct cql_node *n = kit_node(&r->k, table[c].values[i]);
            CHECK(n != NULL);
            if (!n) continue;
            CHECK_OK(cql_term_prepare(n, &to, &r->k.x, &made), &r->k.d);
            CHECK_OK(cql_term_value(made, &r->k.b, r->k.arena, &r->values[i][c], &r->k.d), &r->k.d);
        }
    }
    r->scope = (struct cql_scope){.keyspace = SLICE("ks"),
                                  .table = SLICE("t"),
                                  .columns = r->columns,
                                  .count = COLUMNS,
                                  .prepare = &r->k.x,
                                  .used = r->used};
}

static err_t group_value(struct rows *r, const struct cql_selector *s, uint32_t rows,
                         struct cql_value *out)
{
    struct cql_group *g = cql_group_new(&s, 1, r->k.arena);
    for (uint32_t i = 0; i < rows; i++) {
        struct cql_row row = {r->values[i], r->times};
        err_t e = cql_group_add(g, &row, &r->k.b, &r->k.d);
        if (e) return e;
    }
    return cql_group_values(g, &r->k.b, r->k.arena, out, &r->k.d);
}

/* "name | type | value" over the first row (aggregates: over so many), or the message. */
static const char *select_over(struct rows *r, const char *text, uint32_t rows)
{
    const struct cql_node *n = kit_selector(&r->k, text);
    const struct cql_selector *s;
    struct slice name;
    struct cql_value v;
    struct cql_row row = {r->values[0], r->times};
    r->k.x.memo = NULL;
    if (!n || cql_selector_prepare(n, &r->scope, NULL, &s, &name)) return r->k.d.what;
    err_t e = cql_selector_aggregates(s)
                  ? group_value(r, s, rows, &v)
                  : cql_selector_value(s, &row, &r->k.b, r->k.arena, &v, &r->k.d);
    if (e) return r->k.d.what;
    struct buf b = buf_make(KIB(64));
    buf_printf(&b, "%.*s | ", SLICE_ARG(name));
    cql_type_put(&b, cql_selector_type(s));
    buf_printf(&b, " | %s", kit_literal(&r->k, cql_selector_type(s), &v));
    const char *shown = arena_text(r->k.arena, buf_view(&b));
    buf_done(&b);
    return shown;
}

TEST(cql_selectors_name_type_and_answer_as_the_original)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"i", "i | int | 7"},
        {"\"Q\"", "Q | int | 5"},
        {"count(*)", "count | bigint | 3"},
        {"count(1)", "count | bigint | 3"},
        {"COUNT(x)", "system.count(x) | bigint | 2"},
        {"sum(i)", "system.sum(i) | int | 10"},
        {"avg(i)", "system.avg(i) | int | 3"},
        {"min(x)", "system.min(x) | text | 'a'"},
        {"max(ts)", "system.max(ts) | timestamp | '2016-09-27T16:12:00.000Z'"},
        {"sum(c)", "system.sum(c) | bigint | -9223372036854775808"},
        {"avg(c)", "system.avg(c) | bigint | 4611686018427387904"},
        {"sum(v)", "system.sum(v) | varint | 12345678901234567891"},
        {"avg(v)", "system.avg(v) | varint | 6172839450617283945"},
        {"sum(de)", "system.sum(de) | decimal | 4.00"},
        {"avg(de)", "system.avg(de) | decimal | 2.00"},
        {"avg(do)", "system.avg(do) | double | 2.0"},
        {"abs(sum(i) - 100)", "system.abs(system.sum(i) - 100) | int | 90"},
        {"i + sum(i)", "i + system.sum(i) | int | 17"},
        {"sum(i + 1)", "system.sum(i + 1) | int | 13"},
        {"i * 2 + 1", "i * 2 + 1 | int | 15"},
        {"-c", "-c | bigint | -9223372036854775807"},
        {"i / 0", "the operation 'int / int' failed: / by zero"},
        {"do % 2", "do % 2 | double | 0.5"},
        {"i + c", "i + c | bigint | -9223372036854775802"},
        {"de + 1", "de + 1 | decimal | 2.50"},
        {"de * 2", "de * 2 | decimal | 3.000"},
        {"de / 3", "de / 3 | decimal | 0.5"},
        {"1 + i", "1 + i | int | 8"},
        {"m['a']", "m['a'] | int | 1"},
        {"m['z']", "m['z'] | int | null"},
        {"m['b'..]", "m['b'..] | map<text, int> | {'b': 2}"},
        {"s[2..3]", "s[2..3] | set<int> | {2, 3}"},
        {"s[9..]", "s[9..] | set<int> | null"},
        {"fm['z'..]", "fm['z'..] | frozen<map<text, int>> | {}"},
        {"s[3]", "s[3] | int | 3"},
        {"l[1]", "Element selection is only allowed on sets and maps, but l is a list"},
        {"i[1]", "Invalid element selection: i is of type int is not a collection"},
        {"m[1]", "Invalid INTEGER constant (1) for \"key(m)\" of type text"},
        {"m[NULL]", "Invalid null value for element selection on m"},
        {"u.g", "u.g | text | 'x'"},
        {"u.z", "u of type u has no field z"},
        {"i.z", "Invalid field selection: i of type int is not a user type"},
        {"writetime(x)", "writetime(x) | bigint | 1000"},
        {"ttl(x)", "ttl(x) | int | 50"},
        {"writetime(m)", "writetime(m) | frozen<list<bigint>> | [1000, 1001]"},
        {"ttl(m)", "ttl(m) | frozen<list<int>> | [50, null]"},
        {"maxwritetime(m)", "maxwritetime(m) | bigint | 1001"},
        {"writetime(m['b'])", "writetime(m['b']) | bigint | 1001"},
        {"ttl(m['b'])", "ttl(m['b']) | int | null"},
        {"writetime(s[2..3])", "writetime(s[2..3]) | frozen<list<bigint>> | [1001, 1002]"},
        {"writetime(fm)", "writetime(fm) | bigint | 1000"},
        {"writetime(fm['z'])", "writetime(fm['z']) | bigint | null"},
        {"writetime(u.g)", "writetime(u.g) | bigint | 1001"},
        {"writetime(i)", "Cannot use selection function writetime on PRIMARY KEY part i"},
        {"CAST(i AS text)", "cast(i as text) | text | '7'"},
        {"CAST(i AS int)", "i | int | 7"},
        {"CAST(x AS int)",
         "Invalid call to function system.cast_as_int, none of its type signatures match (known "
         "type signatures: system.cast_as_int : (tinyint) -> int, system.cast_as_int : (smallint) "
         "-> int, system.cast_as_int : (bigint) -> int, system.cast_as_int : (float) -> int, "
         "system.cast_as_int : (double) -> int, system.cast_as_int : (decimal) -> int, "
         "system.cast_as_int : (varint) -> int, system.cast_as_int : (counter) -> int)"},
        {"CAST(x AS blob)", "x cannot be cast to blob"},
        {"(int) 5", "(int)5 | int | 5"},
        {"(text) 5", "Cannot assign value (text)5 to (text)5 of type text"},
        {"5",
         "Cannot infer type for term 5 in selection clause (try using a cast to force a type)"},
        {"[i, 1]", "[i, 1] | frozen<list<int>> | [7, 1]"},
        {"{i, 1}", "{i, 1} | frozen<set<int>> | {1, 7}"},
        {"(i, x)", "(i, x) | frozen<tuple<int, text>> | (7, 'a')"},
        {"(map<text, int>) {x: i}", "(map<text, int>){x: i} | frozen<map<text, int>> | {'a': 7}"},
        {"(u) {f: i, g: x}", "(ks.u){f: i, g: x} | frozen<u> | {f: 7, g: 'a'}"},
        {"to_json(u)", "system.to_json(u) | text | '{\"f\": 1, \"g\": \"x\"}'"},
        {"toJson(x)", "system.tojson(x) | text | '\"a\"'"},
        {"nope(i)", "Unknown function 'nope'"},
        {"nope", "Undefined column name nope in table ks.t"},
        {"abs(nope)", "Undefined column name nope in table ks.t"},
        {"abs(x)",
         "Invalid call to function abs, none of its type signatures match (known type signatures: "
         "system.abs : (tinyint) -> tinyint, system.abs : (smallint) -> smallint, system.abs : "
         "(int) -> int, system.abs : (bigint) -> bigint, system.abs : (float) -> float, system.abs "
         ": (double) -> double, system.abs : (decimal) -> decimal, system.abs : (varint) -> "
         "varint, system.abs : (counter) -> counter)"},
        {"min(sum(i))", "aggregate functions cannot be used as arguments of aggregate functions"},
        {"from_json('1')",
         "from_json() cannot be used in the selection clause of a SELECT statement"},
        {"token(i, x)",
         "Invalid number of arguments in call to function system.token: 1 required but 2 provided"},
        {"map_keys(i)",
         "Function system.map_keys requires a map argument, but found argument i of type int"},
        {"mask_inner(x)", "Invalid number of arguments for function "
                          "system.mask_inner([text|varchar|ascii], int, int, [text])"},
        {"x + i", "the '+' operation is not supported between x and i"},
        {"now() + 1", "the '+' operation is not supported between system.now() and 1"},
        {"blob_as_int(0x01)",
         "In call to function system.blob_as_int, value 0x01 is not a valid binary representation "
         "for type int"},
        {"collection_sum(m)",
         "Function system.collection_sum requires a numeric set/list argument, "
         "but found argument m of type map<text, int>"},
    };
    struct rows r;
    rows_start(&r);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_TEXT(select_over(&r, rows[i].text, 3), rows[i].want);
    kit_stop(&r.k);
}

TEST(cql_aggregates_of_no_rows_answer)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"count(*)", "count | bigint | 0"},
        {"sum(i)", "system.sum(i) | int | 0"},
        {"avg(do)", "system.avg(do) | double | 0.0"},
        {"min(x)", "system.min(x) | text | null"},
        {"sum(de)", "system.sum(de) | decimal | 0"},
        {"i + count(*)", "i + count | bigint | null"},
        {"sum(i) + 1", "system.sum(i) + 1 | int | 1"},
    };
    struct rows r;
    rows_start(&r);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_TEXT(select_over(&r, rows[i].text, 0), rows[i].want);
    kit_stop(&r.k);
}

TEST(cql_functions_do_what_their_examples_say)
{
    struct rows r;
    rows_start(&r);
    for (size_t i = 0; i < native_count(); i++) {
        const struct native *n = native_at(i);
        if (!n->example[0]) continue;
        const char *got = select_over(&r, n->example, 3), *value = strrchr(got, '|');
        if (!value || strcmp(value + 2, n->expected) != 0)
            test_failed(__FILE__, __LINE__, "%s is %s, not %s", n->example, got, n->expected);
    }
    kit_stop(&r.k);
}

#define MARK "<!-- from here on made from src/sql/cql/functions.def -->\n"

TEST(cql_page_of_functions_is_fresh)
{
    const char *path = SQL_SOURCE_ROOT "/docs/cql-functions.md";
    struct buf page = buf_make(MIB(1)), made = buf_make(MIB(1));
    FILE *f = fopen(path, "rb");
    CHECK(f != NULL);
    if (!f) return;
    char piece[4096];
    for (size_t n; (n = fread(piece, 1, sizeof(piece), f)) > 0;) buf_put(&page, piece, n);
    fclose(f);
    char *mark = strstr((char *)(uintptr_t)buf_cstr(&page), MARK);
    CHECK(mark != NULL);
    cql_functions_help(&made, true);
    bool fresh = mark && strcmp(mark + strlen(MARK), buf_cstr(&made)) == 0;
    if (mark && !fresh && getenv("SQL_DOCS_WRITE")) {
        mark[strlen(MARK)] = 0;
        f = fopen(path, "wb");
        CHECK(f != NULL);
        if (f) fprintf(f, "%s%s", (const char *)page.at, buf_cstr(&made));
        if (f) fclose(f);
    } else if (!fresh) {
        test_failed(__FILE__, __LINE__,
                    "docs/cql-functions.md is stale: SQL_DOCS_WRITE=1 unit_sql cql_page");
    }
    buf_done(&page);
    buf_done(&made);
}
