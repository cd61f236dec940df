/* Golden: a statement and the tree it becomes; a mistake and the words that Cassandra 5.0.5 says
 * about it (each was asked of its own parser). */
#include "sql/cql/parse_cql.h"
#include "sql/cql/print_cql.h"
#include "test.h"

#include "sql/cql/parse_cql_vectors.inc"

TEST(cql_statements_become_the_trees_that_people_meant)
{
    for (size_t i = 0; i < COUNT_OF(goods); i++) {
        struct arena *a = arena_new(MIB(4));
        const struct cql_statement_tree *s;
        struct diag d = {0};
        err_t e = cql_parse(slice_of(goods[i].text), a, &s, &d);
        if (e) {
            test_not_ok(__FILE__, __LINE__, goods[i].text, e, &d);
        } else {
            struct buf out = buf_make(KIB(64));
            cql_print(s, &out);
            CHECK_TEXT(buf_cstr(&out), goods[i].tree);
            buf_done(&out);
        }
        arena_free(a);
    }
}

TEST(cql_mistakes_are_told_in_cassandras_words)
{
    for (size_t i = 0; i < COUNT_OF(bads); i++) {
        struct arena *a = arena_new(MIB(4));
        const struct cql_statement_tree *s;
        struct diag d = {0};
        CHECK_INT(cql_parse(slice_of(bads[i].text), a, &s, &d), bads[i].err);
        CHECK_TEXT(d.what, bads[i].what);
        CHECK(s == NULL);
        arena_free(a);
    }
}

TEST(cql_mistakes_have_a_place_for_our_own_shell)
{
    struct arena *a = arena_new(MIB(4));
    const struct cql_statement_tree *s;
    struct diag d = {0};
    CHECK_ERR(cql_parse(SLICE("SELECT *\nFORM t"), a, &s, &d), ERR_SYNTAX);
    CHECK_TEXT(d.where, "cql:2:1");
    CHECK_TEXT(d.why, "FORM t\n^");
    CHECK_ERR(cql_parse(SLICE("SELECT a FROM t WHERE"), a, &s, &d), ERR_SYNTAX);
    CHECK_TEXT(d.where, "cql:1:22");
    CHECK_ERR(cql_parse(SLICE("SELECT '\xff' FROM t"), a, &s, &d), ERR_PROTOCOL);
    arena_free(a);
}

/* What must not be a name without quotes is exactly what Cassandra's reserved_keywords.txt lists,
 * and the other dialects' table says the same of CQL. */
TEST(the_reserved_words_are_cassandras)
{
    static const char *const reserved[] = {
        "ADD",          "ALLOW",    "ALTER",    "AND",         "APPLY",        "ASC",
        "AUTHORIZE",    "BATCH",    "BEGIN",    "BY",          "COLUMNFAMILY", "CREATE",
        "DELETE",       "DESC",     "DESCRIBE", "DROP",        "ENTRIES",      "EXECUTE",
        "FROM",         "FULL",     "GRANT",    "IF",          "IN",           "INDEX",
        "INFINITY",     "INSERT",   "INTO",     "IS",          "KEYSPACE",     "LIMIT",
        "MATERIALIZED", "MODIFY",   "NAN",      "NORECURSIVE", "NOT",          "NULL",
        "OF",           "ON",       "OR",       "ORDER",       "PRIMARY",      "RENAME",
        "REVOKE",       "SCHEMA",   "SELECT",   "SET",         "TABLE",        "TO",
        "TOKEN",        "TRUNCATE", "UNLOGGED", "UPDATE",      "USE",          "USING",
        "VIEW",         "WHERE",    "WITH"};
    static const struct {
        const char *word;
        enum cql_word_use use;
    } all[] = {
#define CQL_WORD(word, token, use) {#word, USE_##use},
#include "sql/cql/words.def"
#undef CQL_WORD
    };
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct slice word = slice_of(all[i].word);
        count += all[i].use == USE_RESERVED;
        CHECK_INT(cql_word_reserved(word), all[i].use == USE_RESERVED);
        if (i) CHECK(strcmp(all[i - 1].word, all[i].word) < 0);
        const struct word *other = word_find(word);
        if (all[i].use == USE_RESERVED)
            CHECK(other && other->reserved[DIALECT_CQL]);
        else if (other)
            CHECK(!other->reserved[DIALECT_CQL]);
    }
    CHECK_INT(count, COUNT_OF(reserved));
    for (size_t i = 0; i < COUNT_OF(reserved); i++) CHECK(cql_word_reserved(slice_of(reserved[i])));
    for (size_t i = 0; i < word_count(); i++)
        if (word_at(i)->reserved[DIALECT_CQL]) CHECK(cql_word_reserved(slice_of(word_at(i)->text)));
}

/* Every word that is not reserved: a keyspace, a table, a column, an alias, a field, a marker. */
TEST(words_that_are_not_reserved_are_names)
{
    static const char *const forms[] = {
        "SELECT %s, a.%s AS %s, :%s FROM %s.%s WHERE %s = 1 AND k = {%s: 1} ORDER BY %s",
        "INSERT INTO %s (%s, b) VALUES (:%s, 2)",
        "UPDATE %s SET %s = 5, a.%s = 6, b = [1] + b WHERE %s = 1 IF %s = 5",
        "DELETE %s FROM %s WHERE %s IN (1)",
        "CREATE TABLE %s.%s (%s int PRIMARY KEY, v text) WITH %s = 1",
        "ALTER TABLE %s ADD %s int",
        "ALTER TABLE %s DROP %s",
        "ALTER TABLE %s RENAME %s TO %s",
        "CREATE INDEX %s ON %s (%s)",
        "DROP KEYSPACE %s",
        "GRANT SELECT ON KEYSPACE %s TO %s",
        "CREATE ROLE %s",
    };
    static const char *const all[] = {
#define CQL_WORD(word, token, use) #word,
#include "sql/cql/words.def"
#undef CQL_WORD
    };
    for (size_t w = 0; w < COUNT_OF(all); w++) {
        for (size_t f = 0; f < COUNT_OF(forms); f++) {
            char text[512];
            size_t n = 0;
            for (const char *at = forms[f]; *at && n + 32 < sizeof(text); at++) {
                if (*at == '%') {
                    n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", all[w]);
                    at++;
                } else {
                    text[n++] = *at;
                }
            }
            struct arena *a = arena_new(MIB(1));
            const struct cql_statement_tree *s;
            struct diag d = {0};
            err_t e = cql_parse(slice_make(text, n), a, &s, &d);
            bool name = !cql_word_reserved(slice_of(all[w]));
            if ((e == ERR_OK) != name)
                test_failed(__FILE__, __LINE__, "%.*s: %s", (int)n, text, d.what);
            arena_free(a);
        }
    }
}

/* `count` times `open` around a 1. */
static err_t nested(const char *before, const char *open, const char *close, uint32_t count,
                    const char *after)
{
    struct buf b = buf_make(MIB(4));
    struct arena *a = arena_new(MIB(64));
    const struct cql_statement_tree *s;
    buf_text(&b, before);
    for (uint32_t i = 0; i < count; i++) buf_text(&b, open);
    buf_text(&b, "1");
    for (uint32_t i = 0; i < count; i++) buf_text(&b, close);
    buf_text(&b, after);
    err_t e = cql_parse(buf_view(&b), a, &s, NULL);
    arena_free(a);
    buf_done(&b);
    return e;
}

TEST(cql_nests_to_a_depth_and_no_deeper)
{
    static const char *const opens[][2] = {{"[", "]"},    {"{", "}"},    {"(", ")"},
                                           {"f(", ")"},   {"(int)", ""}, {"{a: ", "}"},
                                           {"{1: ", "}"}, {"1 + ", ""}};
    const char *insert = "INSERT INTO t (a) VALUES (";
    for (size_t i = 0; i < COUNT_OF(opens); i++) {
        CHECK_OK(nested(insert, opens[i][0], opens[i][1], 150, ")"), NULL);
        CHECK_ERR(nested(insert, opens[i][0], opens[i][1], 50000, ")"), ERR_TOO_DEEP);
    }
    static const char *const selects[][2] = {{"[", "]"},    {"(", ")"}, {"f(", ")"},
                                             {"(int)", ""}, {"- ", ""}, {"a[", "]"}};
    for (size_t i = 0; i < COUNT_OF(selects); i++) {
        bool deep = i != 5;
        CHECK_INT(nested("SELECT ", selects[i][0], selects[i][1], deep ? 150 : 1, " FROM t"), 0);
        CHECK(nested("SELECT ", selects[i][0], selects[i][1], 20000, " FROM t") != ERR_OK);
    }
    CHECK_OK(nested("SELECT a FROM t WHERE ", "(", ")", 0, " = 1") ? ERR_OK : ERR_INTERNAL, NULL);
    CHECK_ERR(nested("CREATE TABLE t (k int, v ", "list<", ">", 20000, ")"), ERR_TOO_DEEP);
}

static const char *const texts[] = {
    "SELECT a, CAST(b AS text) AS c, f(d, {e: 1}), (int) [1, 2], l[1..2] FROM k.t WHERE a IN (1, "
    "2) "
    "AND (b, c) > (1, ?) GROUP BY a ORDER BY b DESC LIMIT :n",
    "BEGIN BATCH UPDATE T SET \"A\"\"b\" = 'it''s', b = b + {1: 2} WHERE K = 1 IF c = 5; INSERT "
    "INTO "
    "t (a) VALUES ({f: {g: 1}}) USING TTL 5; APPLY BATCH",
    "CREATE TABLE k.t (a map<text, frozen<list<int>>>, b int, c text, PRIMARY KEY ((a, b), c)) "
    "WITH "
    "CLUSTERING ORDER BY (c DESC) AND compaction = {'a': 1, 'b': 2} AND comment = 'x'",
    "GRANT SELECT, MODIFY ON TABLE k.t TO r",
    "CREATE ROLE r WITH OPTIONS = {'a': 1} AND ACCESS TO DATACENTERS {'x', 'y'}",
};

TEST(cql_without_memory_is_no_memory_and_nothing_else)
{
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const struct cql_statement_tree *s;
        err_t e = ERR_NO_MEMORY;
        for (size_t limit = 16; e && limit < MIB(1); limit += 80) {
            struct arena *a = arena_new(limit);
            e = cql_parse(slice_of(texts[i]), a, &s, NULL);
            if (e) CHECK_INT(e, ERR_NO_MEMORY);
            arena_free(a);
        }
        CHECK_OK(e, NULL);
        for (uint64_t nth = 1; nth < 100; nth++) {
            struct arena *a = arena_new(MIB(4));
            mem_fail_at(nth);
            e = cql_parse(slice_of(texts[i]), a, &s, NULL);
            mem_fail_at(0);
            arena_free(a);
            if (e == ERR_OK) break;
            CHECK_INT(e, ERR_NO_MEMORY);
        }
    }
}

TEST(many_markers_have_their_places_and_an_end)
{
    struct buf b = buf_make(MIB(1));
    struct arena *a = arena_new(MIB(64));
    const struct cql_statement_tree *s;
    struct diag d = {0};
    buf_text(&b, "SELECT a FROM t WHERE a IN (?");
    for (uint32_t i = 1; i < CQL_MARKERS_MAX; i++) buf_text(&b, ",?");
    buf_text(&b, ")");
    CHECK_OK(cql_parse(buf_view(&b), a, &s, &d), &d);
    CHECK_INT(s->marker_count, CQL_MARKERS_MAX);
    CHECK_INT(s->select->where[0].values[CQL_MARKERS_MAX - 1]->marker, CQL_MARKERS_MAX - 1);
    buf_text(&b, " LIMIT ?");
    CHECK_ERR(cql_parse(buf_view(&b), a, &s, &d), ERR_INVALID);
    arena_free(a);
    buf_done(&b);
}

TEST(a_script_is_cut_where_its_statements_end)
{
    static const struct {
        const char *text;
        size_t length;
        bool whole;
    } scripts[] = {
        {"USE k; SELECT", 6, true},
        {"USE k", 5, false},
        {"", 0, false},
        {";", 1, true},
        {"SELECT ';' FROM t;x", 18, true},
        {"SELECT \";\" -- ;\n FROM t;x", 24, true},
        {"SELECT $$;$$ /* ; */;x", 21, true},
        {"BEGIN BATCH DELETE FROM t WHERE a = 1; APPLY BATCH; USE k;", 51, true},
        {"BEGIN BATCH DELETE FROM t WHERE a = 1; ", 39, false},
        {"SELECT 'open; x;", 16, false},
        {"SELECT /* open; x;", 18, false},
        {"SELECT # ! ^; x", 13, true},
        {"INSERT INTO batch (begin) VALUES (1); x", 37, true},
    };
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        bool whole;
        CHECK_INT(cql_statement_length(slice_of(scripts[i].text), &whole), scripts[i].length);
        CHECK_INT(whole, scripts[i].whole);
    }
}

TEST(names_and_strings_are_written_as_cql_reads_them)
{
    static const struct {
        const char *name, *text;
    } names[] = {{"a", "a"},
                 {"a_1", "a_1"},
                 {"A", "\"A\""},
                 {"1a", "\"1a\""},
                 {"select", "\"select\""},
                 {"ttl", "ttl"},
                 {"a\"b", "\"a\"\"b\""},
                 {"", "\"\""},
                 {"_a", "\"_a\""},
                 {"a-b", "\"a-b\""},
                 {"list", "list"},
                 {"token", "\"token\""}};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct buf b = buf_make(256);
        cql_put_name(&b, slice_of(names[i].name));
        CHECK_TEXT(buf_cstr(&b), names[i].text);
        buf_done(&b);
    }
    struct buf b = buf_make(256);
    cql_put_string(&b, SLICE("it's"));
    CHECK_TEXT(buf_cstr(&b), "'it''s'");
    buf_done(&b);
    CHECK_TEXT(cql_operator_text(CQL_CONTAINS_KEY), "CONTAINS KEY");
}
