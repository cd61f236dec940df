/* INSERT, UPDATE and DELETE: statements as text, what they answer and what then stands in the
 * table. The words are Cassandra 5.0.5's own (its sources, and asked of a running one). */
#include "cql/write_kit.h"

static const char simple[] = "k int P; v int; x text";
static const char wide[] = "k int P; c int C; s text S; t int S; v int";

TEST(a_row_is_inserted_updated_and_deleted)
{
    struct wt w;
    wt_open(&w);
    wt_table(&w, "t", simple);
    SAYS("INSERT INTO t (k, v, x) VALUES (1, 2, 'a')", "ok");
    ROWS("t", "k=1 v=2 x='a'");
    SAYS("UPDATE t SET v = 3 WHERE k = 1", "ok");
    SAYS("UPDATE t SET x = 'new' WHERE k = 2", "ok");
    ROWS("t", "k=1 v=3 x='a'; k=2 x='new'");
    SAYS("DELETE x FROM t WHERE k = 2", "ok"); /* only updated: nothing of it is left */
    ROWS("t", "k=1 v=3 x='a'");
    SAYS("DELETE v, x FROM t WHERE k = 1", "ok"); /* inserted: the row stays */
    ROWS("t", "k=1");
    SAYS("DELETE FROM t WHERE k = 1", "ok");
    ROWS("t", "");
    SAYS("DELETE FROM t WHERE k = 1", "ok");
    wt_close(&w);
}

TEST(null_deletes_and_unset_is_left_alone)
{
    struct wt w;
    wt_open(&w);
    wt_table(&w, "t", simple);
    SAYS("INSERT INTO t (k, v, x) VALUES (1, 2, 'a')", "ok");
    CHECK_TEXT(
        WT_BIND(&w, "INSERT INTO t (k, v, x) VALUES (?, ?, ?)", "int:1", "int:null", "text:unset"),
        "ok");
    ROWS("t", "k=1 x='a'");
    CHECK_TEXT(WT_BIND(&w, "UPDATE t SET x = ?, v = ? WHERE k = ?", "text:", "int:7", "int:1"),
               "ok");
    ROWS("t", "k=1 v=7 x=''");
    CHECK_TEXT(WT_BIND(&w, "UPDATE t SET v = ? WHERE k = ?", "int:1", "int:unset"),
               "2200: Invalid unset value for column k");
    CHECK_TEXT(WT_BIND(&w, "UPDATE t SET v = ? WHERE k = ?", "int:1", "int:null"),
               "2200: Invalid null value in condition for column k");
    SAYS("INSERT INTO t (k, v) VALUES (null, 1)",
         "2200: Invalid null value in condition for column k");
    wt_close(&w);
}

TEST(keys_have_their_limits)
{
    struct wt w;
    wt_open(&w);
    wt_table(&w, "t", "k text P; v int");
    wt_table(&w, "two", "a text P; b text P; v int");
    wt_table(&w, "w", "k int P; c text C; v int");
    SAYS("INSERT INTO t (k, v) VALUES ('', 1)", "2200: Key may not be empty");
    SAYS("INSERT INTO two (a, b, v) VALUES ('', '', 1)", "ok");
    SAYS("INSERT INTO w (k, c, v) VALUES (1, '', 1)", "ok");
    ROWS("two", "a='' b='' v=1");
    ROWS("w", "k=1 c='' v=1");
    struct buf b = buf_make(MIB(1));
    buf_text(&b, "INSERT INTO t (k, v) VALUES ('");
    for (int i = 0; i < 65536; i++) buf_char(&b, 'x');
    buf_text(&b, "', 1)");
    SAYS(buf_cstr(&b), "2200: Key length of 65536 is longer than maximum of 65535");
    buf_reset(&b);
    buf_text(&b, "INSERT INTO w (k, v, c) VALUES (1, 1, '");
    for (int i = 0; i < 65540; i++) buf_char(&b, 'x');
    buf_text(&b, "')");
    SAYS(buf_cstr(&b), "2200: Key length of 65540 is longer than maximum of 65535");
    buf_done(&b);
    wt_close(&w);
}

TEST(what_is_no_insert_is_refused_in_cassandras_words)
{
    static const struct {
        const char *text, *says;
    } all[] = {
        {"INSERT INTO t (k, v) VALUES (1)", "2200: Unmatched column names/values"},
        {"INSERT INTO t (k, v, v) VALUES (1, 2, 3)", "2200: The column names contains duplicates"},
        {"INSERT INTO t (v) VALUES (1)", "2200: Some partition key parts are missing: k"},
        {"INSERT INTO w (k, v) VALUES (1, 1)", "2200: Some clustering keys are missing: c"},
        {"INSERT INTO t (k, \"No\") VALUES (1, 1)",
         "2200: Undefined column name \"No\" in table ks.t"},
        {"INSERT INTO nope (k) VALUES (1)", "2200: table nope does not exist"},
        {"INSERT INTO cnt (k, n) VALUES (1, 1)",
         "2200: INSERT statements are not allowed on counter tables, use UPDATE instead"},
    };
    struct wt w;
    wt_open(&w);
    wt_table(&w, "t", simple);
    wt_table(&w, "w", wide);
    wt_table(&w, "cnt", "k int P; n counter");
    for (size_t i = 0; i < COUNT_OF(all); i++) SAYS(all[i].text, all[i].says);
    wt_close(&w);
}

TEST(statics_belong_to_the_partition)
{
    struct wt w;
    wt_open(&w);
    wt_table(&w, "w", wide);
    SAYS("INSERT INTO w (k, s) VALUES (1, 'one')", "ok");
    ROWS("w", "static s='one'");
    SAYS("INSERT INTO w (k, c, s, v) VALUES (1, 2, 'two', 3)", "ok");
    SAYS("UPDATE w SET t = 9 WHERE k = 1", "ok");
    ROWS("w", "static s='two' t=9; k=1 c=2 v=3");
    SAYS(
        "UPDATE w SET s = 'x' WHERE k = 1 AND c = 2",
        "2200: Invalid restrictions on clustering columns since the UPDATE statement modifies only "
        "static columns");
    SAYS(
        "DELETE s FROM w WHERE k = 1 AND c = 2",
        "2200: Invalid restrictions on clustering columns since the DELETE statement modifies only "
        "static columns");
    SAYS("DELETE s FROM w WHERE k = 1", "ok");
    SAYS("UPDATE w SET s = 'both', v = 4 WHERE k = 1 AND c = 5", "ok");
    ROWS("w", "static s='both' t=9; k=1 c=2 v=3; k=1 c=5 v=4");
    SAYS("DELETE FROM w WHERE k = 1", "ok");
    ROWS("w", "");
    wt_close(&w);
}

TEST(timestamps_and_ttls_are_the_statements_or_the_protocols)
{
    struct wt w;
    wt_open(&w);
    wt_table(&w, "t", simple);
    SAYS("INSERT INTO t (k, v) VALUES (1, 1) USING TIMESTAMP 100", "ok");
    CHECK_TEXT(wt_cell(&w, "t", "v"), "100");
    SAYS("UPDATE t USING TIMESTAMP 99 SET v = 2 WHERE k = 1", "ok"); /* older: not seen */
    ROWS("t", "k=1 v=1");
    w.params.timestamp = 200;
    SAYS("UPDATE t SET v = 3 WHERE k = 1", "ok");
    CHECK_TEXT(wt_cell(&w, "t", "v"), "200");
    CHECK_TEXT(WT_BIND(&w, "UPDATE t USING TIMESTAMP ? AND TTL ? SET v = 4 WHERE k = 1",
                       "bigint:300", "int:1000"),
               "ok");
    CHECK_TEXT(wt_cell(&w, "t", "v"), "300 ttl 1000");
    CHECK_TEXT(WT_BIND(&w, "UPDATE t USING TIMESTAMP ? AND TTL ? SET v = 5 WHERE k = 1",
                       "bigint:301", "int:unset"),
               "ok");
    CHECK_TEXT(wt_cell(&w, "t", "v"), "301");
    CHECK_TEXT(WT_BIND(&w, "UPDATE t USING TIMESTAMP ? SET v = 5 WHERE k = 1", "bigint:null"),
               "2200: Invalid null value of timestamp");
    SAYS("UPDATE t USING TTL -1 SET v = 1 WHERE k = 1",
         "2200: A TTL must be greater or equal to 0, but was -1");
    SAYS("UPDATE t USING TTL 630720001 SET v = 1 WHERE k = 1",
         "2200: ttl is too large. requested (630720001) maximum (630720000)");
    CHECK(strstr(wt_run(&w, "UPDATE t USING TTL 630720000 SET v = 1 WHERE k = 1"),
                 "2200: Request on table ks.t with ttl of 630720000 seconds exceeds maximum "
                 "supported expiration date of 2038-01-19T03:14:06+00:00."));
    wt_close(&w);
}

TEST(a_tables_own_ttl_counts_where_none_is_given)
{
    struct wt w;
    wt_open(&w);
    wt_table_with(&w, "t", simple, 500, 864000);
    w.params.timestamp = 1;
    SAYS("INSERT INTO t (k, v) VALUES (1, 1)", "ok");
    CHECK_TEXT(wt_cell(&w, "t", "v"), "1 ttl 500");
    w.params.timestamp = 2;
    SAYS("UPDATE t USING TTL 0 SET v = 2 WHERE k = 1", "ok");
    CHECK_TEXT(wt_cell(&w, "t", "v"), "2");
    w.params.timestamp = 3;
    CHECK_TEXT(WT_BIND(&w, "UPDATE t USING TTL ? SET v = 3 WHERE k = 1", "int:unset"), "ok");
    CHECK_TEXT(wt_cell(&w, "t", "v"), "3 ttl 500");
    w.params.timestamp = 4;
    CHECK_TEXT(WT_BIND(&w, "UPDATE t USING TTL ? SET v = 3 WHERE k = 1", "int:null"), "ok");
    CHECK_TEXT(wt_cell(&w, "t", "v"), "4");
    wt_close(&w);
}

TEST(sets_and_maps_are_changed_element_by_element)
{
    struct wt w;
    wt_open(&w);
    wt_table(&w, "t", "k int P; s set<int>; m map<text, int>");
    SAYS("INSERT INTO t (k, s, m) VALUES (1, {3, 1, 3}, {'b': 2, 'a': 1})", "ok");
    ROWS("t", "k=1 m={'a': 1, 'b': 2} s={1, 3}");
    SAYS("UPDATE t SET s = s + {2}, m = m + {'c': 3} WHERE k = 1", "ok");
    SAYS("UPDATE t SET s = s - {1, 9}, m = m - {'a'}, m['d'] = 4 WHERE k = 1", "ok");
    ROWS("t", "k=1 m={'b': 2, 'c': 3, 'd': 4} s={2, 3}");
    SAYS("DELETE m['b'], s[2] FROM t WHERE k = 1", "ok");
    SAYS("UPDATE t SET m['c'] = null WHERE k = 1", "ok");
    ROWS("t", "k=1 m={'d': 4} s={3}");
    SAYS("UPDATE t SET s = {7}, m = {} WHERE k = 1", "ok");
    ROWS("t", "k=1 s={7}");
    SAYS("UPDATE t SET s = null WHERE k = 1", "ok");
    ROWS("t", "k=1");
    CHECK_TEXT(WT_BIND(&w, "UPDATE t SET m[?] = 1 WHERE k = 1", "text:null"),
               "2200: Invalid null map key");
    CHECK_TEXT(WT_BIND(&w, "UPDATE t SET m[?] = 1 WHERE k = 1", "text:unset"),
               "2200: Invalid unset map key");
    SAYS("UPDATE t SET s[1] = 2 WHERE k = 1",
         "2200: Invalid operation (s[1] = 2) for set column s");
    SAYS("UPDATE t SET s = s + {null} WHERE k = 1",
         "2200: null is not supported inside collections");
    wt_close(&w);
}

TEST(lists_grow_at_both_ends_and_are_changed_by_index_and_value)
{
    struct wt w;
    wt_open(&w);
    wt_table(&w, "t", "k int P; l list<int>; f frozen<list<int>>");
    SAYS("INSERT INTO t (k, l) VALUES (1, [1, 2])", "ok");
    SAYS("UPDATE t SET l = l + [3, 4] WHERE k = 1", "ok");
    SAYS("UPDATE t SET l = [-1, 0] + l WHERE k = 1", "ok");
    SAYS("UPDATE t SET l = [-2] + l WHERE k = 1", "ok");
    ROWS("t", "k=1 l=[-2, -1, 0, 1, 2, 3, 4]");
    SAYS("UPDATE t SET l[0] = 20, l[6] = 40 WHERE k = 1", "ok");
    SAYS("UPDATE t SET l = l - [0, 2, 99] WHERE k = 1", "ok");
    ROWS("t", "k=1 l=[20, -1, 1, 3, 40]");
    SAYS("DELETE l[0], l[0] FROM t WHERE k = 1", "ok"); /* the second finds what the first left */
    ROWS("t", "k=1 l=[1, 3, 40]");
    SAYS("UPDATE t SET l[3] = 1 WHERE k = 1", "2200: List index 3 out of bound, list has size 3");
    SAYS("UPDATE t SET l[-1] = 1 WHERE k = 1", "2200: List index -1 out of bound, list has size 3");
    SAYS("UPDATE t SET l[1] = null WHERE k = 1", "ok");
    ROWS("t", "k=1 l=[1, 40]");
    SAYS("UPDATE t SET l[0] = 1 WHERE k = 2",
         "2200: Attempted to set an element on a list which is null");
    SAYS("DELETE l[0] FROM t WHERE k = 2",
         "2200: Attempted to delete an element from a list which is null");
    CHECK_TEXT(WT_BIND(&w, "UPDATE t SET l[?] = 1 WHERE k = 1", "int:null"),
               "2200: Invalid null value for list index");
    SAYS("UPDATE t SET l = [5], f = [6] WHERE k = 1", "ok");
    ROWS("t", "k=1 f=[6] l=[5]");
    SAYS("UPDATE t SET f = f + [7] WHERE k = 1",
         "2200: Invalid operation (f = f + [7]) for frozen collection column f");
    w.params.consistency = CQL_ANY;
    SAYS("UPDATE t SET l[0] = 1 WHERE k = 1",
         "2200: Write operation require a read but consistency ANY is not supported on reads");
    wt_close(&w);
}

TEST(fields_of_user_types_are_set_alone)
{
    struct wt w;
    struct diag d = {0};
    wt_open(&w);
    const struct type *items[] = {type_of(TYPE_INT), type_of(TYPE_TEXT)};
    const struct slice names[] = {SLICE("a"), SLICE("b")};
    const struct type u = {
        .kind = TYPE_STRUCT, .count = 2, .items = items, .names = names, .name = SLICE("u")};
    CHECK_OK(store_type_put(w.store, SLICE("ks"), &u, false, &d), &d);
    wt_table(&w, "t", "k int P; u u");
    SAYS("INSERT INTO t (k, u) VALUES (1, {a: 1, b: 'x'})", "ok");
    ROWS("t", "k=1 u={a: 1, b: 'x'}");
    SAYS("UPDATE t SET u.b = 'y' WHERE k = 1", "ok");
    SAYS("DELETE u.a FROM t WHERE k = 1", "ok");
    ROWS("t", "k=1 u={a: null, b: 'y'}");
    SAYS("UPDATE t SET u = {a: 5} WHERE k = 1", "ok");
    ROWS("t", "k=1 u={a: 5, b: null}");
    SAYS("UPDATE t SET u.nope = 1 WHERE k = 1",
         "2200: UDT column u does not have a field named nope");
    wt_close(&w);
}

TEST(counters_are_only_added_to)
{
    struct wt w;
    wt_open(&w);
    wt_table(&w, "t", "k int P; c int C; n counter; m counter");
    SAYS("UPDATE t SET n = n + 5 WHERE k = 1 AND c = 1", "ok");
    SAYS("UPDATE t SET n = n - 2, m += 1 WHERE k = 1 AND c = 1", "ok");
    ROWS("t", "k=1 c=1 m=1 n=3");
    SAYS("UPDATE t SET n = n + 1 WHERE k = 1 AND c IN (1, 1, 2)", "ok");
    ROWS("t", "k=1 c=1 m=1 n=4; k=1 c=2 n=1");
    SAYS("UPDATE t SET n = 5 WHERE k = 1 AND c = 1",
         "2200: Cannot set the value of counter column n (counters can only be "
         "incremented/decremented, not set)");
    CHECK_TEXT(WT_BIND(&w, "UPDATE t SET n = n + ? WHERE k = 1 AND c = 1", "bigint:null"),
               "2200: Invalid null value for counter increment");
    SAYS("UPDATE t USING TIMESTAMP 1 SET n = n + 1 WHERE k = 1 AND c = 1",
         "2200: Cannot provide custom timestamp for counter updates");
    SAYS("UPDATE t USING TTL 1 SET n = n + 1 WHERE k = 1 AND c = 1",
         "2200: Cannot provide custom TTL for counter updates");
    SAYS("DELETE n FROM t WHERE k = 1 AND c = 1", "ok");
    ROWS("t", "k=1 c=1 m=1; k=1 c=2 n=1");
    SAYS("UPDATE t SET n = n + 1 WHERE k = 1 AND c = 1 IF n = 1",
         "2200: Conditions on counters are not supported");
    w.params.consistency = CQL_ANY;
    SAYS("UPDATE t SET n = n + 1 WHERE k = 1 AND c = 1",
         "2200: Consistency level ANY is not yet supported for counter table t");
    wt_close(&w);
}

TEST(operations_that_do_not_fit_are_refused_in_cassandras_words)
{
    static const struct {
        const char *text, *says;
    } all[] = {
        {"UPDATE t SET k = 2 WHERE k = 1", "2200: PRIMARY KEY part k found in SET part"},
        {"DELETE k FROM t WHERE k = 1",
         "2200: Invalid identifier k for deletion (should not be a PRIMARY KEY part)"},
        {"UPDATE t SET v = v + 1 WHERE k = 1",
         "2200: Invalid operation (v = v + 1) for non counter column v"},
        {"UPDATE t SET v = v - 1 WHERE k = 1",
         "2200: Invalid operation (v = v - 1) for non counter column v"},
        {"UPDATE t SET v[1] = 1 WHERE k = 1",
         "2200: Invalid operation (v[1] = 1) for non collection column v"},
        {"UPDATE t SET v.a = 1 WHERE k = 1",
         "2200: Invalid operation (v.a = 1) for non-UDT column v"},
        {"DELETE v[1] FROM t WHERE k = 1",
         "2200: Invalid deletion operation for non collection column v"},
        {"DELETE v.a FROM t WHERE k = 1",
         "2200: Invalid field deletion operation for non-UDT column v"},
        {"UPDATE t SET m = m + {1} WHERE k = 1",
         "2200: Value for a map addition has to be a map, but was: '{1}'"},
        {"UPDATE t SET m = m - {'a': 1} WHERE k = 1",
         "2200: Value for a map substraction has to be a set, but was: '{'a': 1}'"},
    };
    struct wt w;
    wt_open(&w);
    wt_table(&w, "t", "k int P; v int; m map<text, int>");
    for (size_t i = 0; i < COUNT_OF(all); i++) SAYS(all[i].text, all[i].says);
    wt_close(&w);
}

TEST(json_inserts_by_its_names)
{
    struct wt w;
    wt_open(&w);
    wt_table(&w, "t", "k int P; v int; x text; Up int; l list<int>");
    SAYS("INSERT INTO t JSON '{\"k\": 1, \"V\": 2, \"x\": \"a\\u0041\", \"l\": [1, 2]}'", "ok");
    ROWS("t", "k=1 l=[1, 2] v=2 x='aA'");
    SAYS("INSERT INTO t JSON '{\"k\": 1, \"v\": 3}' DEFAULT UNSET", "ok");
    ROWS("t", "k=1 l=[1, 2] v=3 x='aA'");
    SAYS("INSERT INTO t JSON '{\"k\": 1, \"v\": 4}'", "ok");
    ROWS("t", "k=1 v=4");
    CHECK_TEXT(WT_BIND(&w, "INSERT INTO t JSON ?", "text:{\"k\": 2, \"\\\"Up\\\"\": 7}"), "ok");
    ROWS("t", "k=1 v=4; k=2 Up=7");
    SAYS("INSERT INTO t JSON '{\"k\": 1, \"nope\": 4}'",
         "2200: JSON values map contains unrecognized column: nope");
    SAYS("INSERT INTO t JSON '{\"v\": 4}'", "2200: Invalid null value in condition for column k");
    SAYS("INSERT INTO t JSON 'null'", "2200: Got null for INSERT JSON values");
    CHECK(strstr(wt_run(&w, "INSERT INTO t JSON '[1]'"),
                 "2200: Could not decode JSON string as a map"));
    CHECK(strstr(wt_run(&w, "INSERT INTO t JSON '{\"k\": \"x\": 1}'"), /* all is read first */
                 "JsonParseException: Unexpected character (':' (code 58)): was expecting comma"));
    CHECK(strstr(wt_run(&w, "INSERT INTO t JSON '{\"k\": \"x\"}'"),
                 "2200: Error decoding JSON value for k: "));
    wt_close(&w);
}

TEST(what_an_index_can_not_hold_is_refused)
{
    struct wt w;
    struct diag d = {0};
    wt_open(&w);
    const struct store_table *t = wt_table(&w, "t", "k int P; v text");
    const struct store_index index = {
        .name = SLICE("t_v"), .target = SLICE("v"), .column = t->columns[1].id};
    struct store_table wanted = *t;
    wanted.indexes = &index;
    wanted.index_count = 1;
    CHECK_OK(store_table_alter(w.store, t, &wanted, &t, &d), &d);
    struct buf b = buf_make(MIB(1));
    buf_text(&b, "UPDATE t SET v = '");
    for (int i = 0; i < 65535; i++) buf_char(&b, 'x');
    buf_text(&b, "' WHERE k = 1");
    SAYS(buf_cstr(&b), "2200: Cannot index value of size 65535 for index t_v on ks.t(v) (maximum "
                       "allowed size=65535)");
    memmove(b.at + 18, b.at + 19, b.len - 19);
    b.len--;
    SAYS(buf_cstr(&b), "ok");
    buf_done(&b);
    wt_close(&w);
}

TEST(system_tables_are_not_written)
{
    struct wt w;
    wt_open(&w);
    SAYS("DELETE FROM system.local WHERE key = 'local'",
         "2100: system keyspace is not user-modifiable.");
    wt_close(&w);
}

/* What PREPARE tells of a statement's markers: their names, and which are the partition key. */
static const char *markers(struct wt *w, const char *text)
{
    struct buf b = buf_over(w->text, sizeof w->text - 1);
    arena_reset(w->arena);
    w->call = (struct cql_call){.session = &w->session,
                                .arena = w->arena,
                                .verb = CALL_PREPARE,
                                .text = slice_of(text),
                                .params = w->params};
    if (cql_run_wait(&w->call)) return w->call.diag.what;
    const struct cql_prepared *p = &w->call.result.prepared;
    for (uint32_t i = 0; i < p->marker_count; i++)
        buf_printf(&b, "%s%.*s", i ? " " : "", SLICE_ARG(p->markers[i].name));
    buf_text(&b, " |");
    for (uint32_t i = 0; i < p->key_count; i++) buf_printf(&b, " %u", p->key_markers[i]);
    buf_printf(&b, " | %u", p->result.count);
    w->text[b.len] = 0;
    cql_call_done(&w->call);
    return w->text;
}

TEST(prepared_statements_tell_their_markers_as_cassandra_does)
{
    static const struct {
        const char *text, *says;
    } all[] = {
        {"INSERT INTO ks.t (k, j, v) VALUES (?, ?, ?) USING TIMESTAMP ? AND TTL ?",
         "k j v [timestamp] [ttl] | 0 1 | 0"},
        {"UPDATE ks.t SET m[?] = ?, l[?] = ?, v = ? WHERE j = ? AND k = ?",
         "key(m) value(m) idx(l) value(l) v j k | 6 5 | 0"},
        {"UPDATE ks.t SET v = ? WHERE k = ? AND j IN ?", "v k in(j) | | 0"},
        {"UPDATE ks.t SET v = :x WHERE k = :a AND j = :b IF v IN ? AND m[?] = ? AND l CONTAINS ?",
         "x a b in(v) key(m) value(m) value(l) | 1 2 | 0"},
        {"DELETE m[?] FROM ks.t WHERE k = 1 AND j = ? IF EXISTS", "key(m) j | | 0"},
        {"INSERT INTO ks.t JSON ?", "[json] | | 0"},
        {"BEGIN BATCH USING TIMESTAMP ? INSERT INTO ks.t (k, j) VALUES (?, ?); UPDATE ks.t SET v = "
         "? WHERE k = ? AND j = ?; APPLY BATCH",
         "[timestamp] k j v k j | 4 5 | 0"},
    };
    struct wt w;
    wt_open(&w);
    wt_table(&w, "t", "k int P; j int P; v int; m map<text, int>; l list<int>");
    for (size_t i = 0; i < COUNT_OF(all); i++) CHECK_TEXT(markers(&w, all[i].text), all[i].says);
    wt_close(&w);
}
