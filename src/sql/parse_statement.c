/* Which statement it is; the short ones whole. */
#include "sql/parse.h"
#include <ctype.h>
#include <stdio.h>

/* --- the short ones -----------------------------------------------------------------------------
 */

static struct slice upper(struct parser *p, struct slice word)
{
    uint8_t *out = parse_take(p, word.len + 1u);
    for (uint32_t i = 0; out && i < word.len; i++) out[i] = (uint8_t)toupper(word.at[i]);
    return slice_make(out, out ? word.len : 0);
}

/* One of `words`, else the mistake; the answer is in upper case. */
static struct slice one_of(struct parser *p, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (accept_word(p, words[i])) return slice_of(words[i]);
    char list[160];
    size_t n = 0;
    list[0] = 0;
    for (size_t i = 0; i < count && n < sizeof(list); i++) {
        const char *join = i == 0 ? "" : i + 1 == count ? " or " : ", ";
        n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", join, words[i]);
    }
    parse_expected(p, list, words, count);
    return (struct slice){0};
}

static void parse_drop(struct parser *p, struct statement *s)
{
    static const char *const kinds[] = {"SOURCE", "TOPIC", "KEYSPACE", "TABLE",
                                        "STREAM", "SINK",  "VIEW",     "FUNCTION"};
    static const char *const later[] = {"INDEX", "TYPE", "ROLE", "USER"};
    s->kind = STATEMENT_DROP;
    const uint8_t *start = token_take(p).text.at;
    for (size_t i = 0; i < COUNT_OF(later); i++) {
        char what[64];
        snprintf(what, sizeof(what), "DROP %s", later[i]);
        if (at_word(p, later[i])) parse_unsupported(p, start, what);
    }
    bool view = accept_word(p, "materialized");
    if (view && !at_word(p, "view")) expect_word(p, "VIEW");
    s->what = one_of(p, kinds, COUNT_OF(kinds));
    if (accept_word(p, "if")) {
        expect_word(p, "EXISTS");
        s->if_exists = true;
    }
    s->name = parse_qualified(p, "a name");
}

static void parse_truncate(struct parser *p, struct statement *s)
{
    s->kind = STATEMENT_TRUNCATE;
    (void)token_take(p);
    (void)accept_word(p, "table");
    s->name = parse_qualified(p, "a table's name");
}

static void parse_use(struct parser *p, struct statement *s)
{
    s->kind = STATEMENT_USE;
    (void)token_take(p);
    s->name.name = parse_name(p, "a keyspace's name");
}

/* DESCRIBE t; DESCRIBE TABLE t; DESCRIBE TABLES; DESCRIBE KEYSPACE ks … */
static void parse_describe(struct parser *p, struct statement *s)
{
    static const char *const kinds[] = {"TABLE",  "TABLES",  "KEYSPACE", "KEYSPACES", "TOPIC",
                                        "TOPICS", "STREAM",  "STREAMS",  "SOURCE",    "SOURCES",
                                        "SCHEMA", "CLUSTER", "FUNCTION", "FUNCTIONS", "TYPES",
                                        "VIEW",   "VIEWS",   "SINK",     "SINKS"};
    s->kind = STATEMENT_DESCRIBE;
    (void)token_take(p);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        const struct token *t = token_peek(p, 0), *next = token_peek(p, 1);
        bool ends = next->kind == TOKEN_END || token_is_op(next, ";");
        bool plural = kinds[i][strlen(kinds[i]) - 1] == 'S' || strcmp(kinds[i], "SCHEMA") == 0 ||
                      strcmp(kinds[i], "CLUSTER") == 0;
        if (!token_is_word(t, kinds[i]) || token_is_op(next, ".")) continue;
        if (ends && !plural && strcmp(kinds[i], "KEYSPACE") != 0) continue; /* a table named so */
        s->what = upper(p, token_take(p).value);
        break;
    }
    const struct token *t = token_peek(p, 0);
    if (s->what.len && (t->kind == TOKEN_END || token_is_op(t, ";"))) return;
    s->name = parse_qualified(p, "a name");
}

static void parse_show(struct parser *p, struct statement *s)
{
    static const char *const kinds[] = {"TABLES", "STREAMS", "TOPICS",    "SOURCES", "KEYSPACES",
                                        "VIEWS",  "SINKS",   "FUNCTIONS", "COLUMNS", "VERSION"};
    s->kind = STATEMENT_SHOW;
    (void)token_take(p);
    s->what = one_of(p, kinds, COUNT_OF(kinds));
    if (!p->err && slice_is(s->what, "COLUMNS"))
        expect_word(p, "FROM");
    else if (!accept_word(p, "from") && !accept_word(p, "in"))
        return;
    s->name = parse_qualified(p, "a name");
}

static void parse_bounded(struct parser *p, struct statement *s)
{
    s->kind = STATEMENT_SELECT;
    s->query = parse_query(p, s);
}

static const struct {
    const char *word;
    void (*parse)(struct parser *p, struct statement *s);
} statements[] = {
    {"CREATE", parse_create},     {"SELECT", parse_bounded}, {"DROP", parse_drop},
    {"TRUNCATE", parse_truncate}, {"USE", parse_use},        {"DESCRIBE", parse_describe},
    {"DESC", parse_describe},     {"SHOW", parse_show},      {"WITH", parse_bounded},
    {"ALTER", parse_alter},       {"INSERT", parse_insert},
};

/* CQL's alone: a query's, which go to the room cql before they come here. */
static const char *const of_cql[] = {"UPDATE", "DELETE", "BEGIN",  "BATCH",
                                     "APPLY",  "GRANT",  "REVOKE", "LIST"};
/* Known, and not there yet. */
static const char *const later[] = {"EXPLAIN", "COPY",    "COMMIT", "SET",
                                    "EXECUTE", "DECLARE", "FETCH",  "ROLLBACK"};

void parse_statement(struct parser *p, struct statement *s)
{
    const struct token *t = token_peek(p, 0);
    for (size_t i = 0; i < COUNT_OF(statements); i++) {
        if (!token_is_word(t, statements[i].word)) continue;
        statements[i].parse(p, s);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(later); i++) {
        if (!token_is_word(t, later[i])) continue;
        parse_unsupported(p, t->text.at, later[i]);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(of_cql); i++) {
        if (!token_is_word(t, of_cql[i])) continue;
        parse_fail(p, t->text.at, ERR_UNSUPPORTED, "%s is part of a query, not of a project",
                   of_cql[i]);
        parse_hint(p, "sluice query runs it");
        return;
    }
    const char *words[COUNT_OF(statements)];
    for (size_t i = 0; i < COUNT_OF(statements); i++) words[i] = statements[i].word;
    parse_expected(p, "a statement", words, COUNT_OF(words));
}
