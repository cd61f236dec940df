/* What Tab offers: CQL's words, the shell's, and the names of keyspaces, tables and columns, which
 * are read from system_schema when they are first asked for and again after the schema may have
 * changed. */
#include "main/cql/line.h"
#include "main/cql/shell.h"

enum { WORDS_MAX = 20000, SHOWN_MAX = 500 };

static const char *const cql_words[] = {"ALLOW FILTERING",
                                        "ALTER",
                                        "AND",
                                        "APPLY BATCH",
                                        "ASC",
                                        "BEGIN BATCH",
                                        "BY",
                                        "CLUSTERING",
                                        "COUNT",
                                        "CREATE",
                                        "DELETE",
                                        "DESC",
                                        "DISTINCT",
                                        "DROP",
                                        "EXISTS",
                                        "FROM",
                                        "GRANT",
                                        "GROUP BY",
                                        "IF",
                                        "IN",
                                        "INDEX",
                                        "INSERT INTO",
                                        "INTO",
                                        "JSON",
                                        "KEYSPACE",
                                        "LIMIT",
                                        "LIST",
                                        "NOT",
                                        "NULL",
                                        "ON",
                                        "OPTIONS",
                                        "ORDER BY",
                                        "PARTITION",
                                        "PASSWORD",
                                        "PER PARTITION LIMIT",
                                        "PERMISSION",
                                        "PRIMARY KEY",
                                        "REVOKE",
                                        "ROLE",
                                        "SELECT",
                                        "SET",
                                        "STATIC",
                                        "SUPERUSER",
                                        "TABLE",
                                        "TIMESTAMP",
                                        "TO",
                                        "TOKEN",
                                        "TRUNCATE",
                                        "TTL",
                                        "TYPE",
                                        "UPDATE",
                                        "USE",
                                        "USING",
                                        "VALUES",
                                        "WHERE",
                                        "WITH",
                                        "WRITETIME",
                                        "bigint",
                                        "blob",
                                        "boolean",
                                        "counter",
                                        "date",
                                        "decimal",
                                        "double",
                                        "duration",
                                        "float",
                                        "frozen",
                                        "inet",
                                        "int",
                                        "list",
                                        "map",
                                        "set",
                                        "smallint",
                                        "text",
                                        "time",
                                        "timestamp",
                                        "timeuuid",
                                        "tinyint",
                                        "tuple",
                                        "uuid",
                                        "varint",
                                        "vector"};

struct names {
    struct shell *shell;
    struct arena *arena;
    struct slice *words, *shown;
    uint32_t count;
    int64_t read_at; /* of the shell's statements: names are fresh for one prompt */
};

static void add(struct names *n, struct slice word)
{
    for (uint32_t i = 0; i < n->count; i++)
        if (slice_equal(n->words[i], word)) return;
    struct slice kept = arena_slice(n->arena, word);
    if (kept.at && n->count < WORDS_MAX) n->words[n->count++] = kept;
}

/* The first column of a query's rows. What can not be read offers nothing. */
static void read_names(struct names *n, const char *text)
{
    struct native_request r = {.text = slice_of(text), .params = NATIVE_PARAMS_NONE};
    struct cql_answer answer;
    struct native_value v;
    r.params.consistency = NATIVE_AT_ONE;
    arena_reset(n->shell->arena);
    if (cql_client_ask(n->shell->client, NATIVE_OP_QUERY, &r, false, n->shell->arena, &answer,
                       NULL) ||
        answer.opcode != NATIVE_OP_RESULT)
        return;
    struct cursor rows = cursor_of(answer.response.rows);
    for (uint32_t i = 0; i < answer.response.row_count; i++)
        if (native_value_next(&rows, &v)) add(n, v.bytes);
}

static void read_all(struct names *n)
{
    arena_reset(n->arena);
    n->words = arena_take(n->arena, WORDS_MAX * sizeof(*n->words));
    n->shown = arena_take(n->arena, SHOWN_MAX * sizeof(*n->shown));
    n->count = 0;
    if (!n->words || !n->shown) return;
    for (size_t i = 0; i < COUNT_OF(cql_words); i++) add(n, slice_of(cql_words[i]));
    for (size_t i = 0; command_words[i]; i++) add(n, slice_of(command_words[i]));
    read_names(n, "SELECT keyspace_name FROM system_schema.keyspaces");
    read_names(n, "SELECT table_name FROM system_schema.tables");
    read_names(n, "SELECT column_name FROM system_schema.columns");
}

static bool begins(struct slice word, struct slice with)
{
    return word.len >= with.len && slice_equal_nocase(slice_make(word.at, with.len), with);
}

static void offer(void *ctx, struct slice before, struct line_words *out)
{
    struct names *n = ctx;
    uint32_t at = before.len;
    while (at > 0 && !strchr(" ,.();=<>'\"", before.at[at - 1])) at--;
    struct slice typed = slice_make(before.at + at, before.len - at);
    if (n->read_at != n->shell->statements || n->count == 0) {
        read_all(n);
        n->read_at = n->shell->statements;
    }
    *out = (struct line_words){.at = n->shown, .from = at};
    for (uint32_t i = 0; n->shown && typed.len > 0 && i < n->count && out->count < SHOWN_MAX; i++)
        if (begins(n->words[i], typed)) n->shown[out->count++] = n->words[i];
}

void shell_complete(struct shell *s)
{
    struct names *n = s->editor ? arena_take(s->texts, sizeof(*n)) : NULL;
    if (!n) return;
    n->shell = s;
    n->arena = s->names = arena_new(MIB(64));
    n->read_at = -1;
    if (n->arena) line_complete_by(s->editor, offer, n);
}
