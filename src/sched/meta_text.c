/* One text for two dialects. */
#include "data/value.h"
#include "sched/meta_int.h"
#include "sched/state.h"

static const struct {
    const char *name, *text, *postgres;
} statements[] = {
#define STATEMENT(name, text, postgres) {#name, text, postgres},
#include "sched/statements.def"
#undef STATEMENT
};

/* In a table's definition, in a statement. PostgreSQL's texts compare by bytes, as SQLite's do, so
 * that lists come in one order everywhere. */
static const struct {
    const char *word, *sqlite_schema, *sqlite, *postgres_schema, *postgres;
} words[] = {
    {"serial", "INTEGER PRIMARY KEY AUTOINCREMENT", NULL, "bigserial PRIMARY KEY", NULL},
    {"int", "INTEGER", "INTEGER", "bigint", "bigint"},
    {"real", "REAL", "REAL", "double precision", "double precision"},
    {"text", "TEXT", "TEXT", "text COLLATE \"C\"", "text"},
    {"bytes", "BLOB", "BLOB", "bytea", "bytea"},
    /* a pattern that does not mind upper and lower case */
    {"like", NULL, "LIKE", NULL, "ILIKE"},
    {"no_escape", NULL, "", NULL, "ESCAPE ''"}, /* behind it: a backslash stands for itself */
    /* at a SELECT's end: the rows are ours until the transaction ends; the second leaves out those
     * that another has */
    {"for_update", NULL, "", NULL, " FOR UPDATE"},
    {"skip_locked", NULL, "", NULL, " FOR UPDATE SKIP LOCKED"},
};

const char *meta_statement_name(int statement)
{
    return statement < 0 ? "a list" : statements[statement].name;
}

const char *meta_statement_text(enum meta_kind kind, int statement)
{
    const char *own = statements[statement].postgres;
    return kind == META_POSTGRES && own ? own : statements[statement].text;
}

static const char *word_find(enum meta_kind kind, bool schema, struct slice word)
{
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (!slice_is(word, words[i].word)) continue;
        if (kind == META_SQLITE) return schema ? words[i].sqlite_schema : words[i].sqlite;
        return schema ? words[i].postgres_schema : words[i].postgres;
    }
    return NULL;
}

err_t meta_expand(enum meta_kind kind, bool schema, const char *text, struct buf *out,
                  struct diag *d)
{
    bool quoted = false;
    for (const char *at = text; *at; at++) {
        if (!quoted && at[0] == '/' && at[1] == '*') { /* a remark, which may have a ' in it */
            const char *end = strstr(at + 2, "*/");
            if (!end) return diag_fail(d, ERR_INTERNAL, "a remark does not end");
            at = end + 1;
            continue;
        }
        if (*at == '\'') quoted = !quoted;
        if (!quoted && *at == '$' && kind == META_SQLITE) {
            buf_char(out, '?'); /* SQLite's $1 is a name, its ?1 a number */
        } else if (!quoted && *at == '{') {
            size_t length = strcspn(at, "}");
            const char *said = word_find(kind, schema, slice_make(at + 1, length - 1));
            if (!said) return diag_fail(d, ERR_INTERNAL, "there is no word %.*s}", (int)length, at);
            buf_text(out, said);
            at += length;
        } else {
            buf_char(out, *at);
        }
    }
    return out->err ? diag_fail(d, out->err, "a statement of more than %zu bytes", out->limit)
                    : ERR_OK;
}

static err_t text_check(const struct meta_value *v, uint32_t place, struct diag *d)
{
    uint32_t bad_at = 0;
    if (v->text.len > META_TEXT_MAX)
        return diag_fail(d, ERR_TOO_BIG, "a value of %u bytes, more than %d", v->text.len,
                         META_TEXT_MAX);
    if (v->kind == META_BYTES) return ERR_OK;
    if (!utf8_valid(v->text, &bad_at))
        return diag_fail(d, ERR_BAD_UTF8, "value %u is not UTF-8 at byte %u", place + 1, bad_at);
    if (v->text.len && memchr(v->text.at, 0, v->text.len))
        return diag_fail(d, ERR_BAD_UTF8, "value %u has a zero byte inside", place + 1);
    return ERR_OK;
}

err_t meta_args_check(const struct meta_value *args, uint32_t count, struct diag *d)
{
    if (count > META_ARGS_MAX)
        return diag_fail(d, ERR_TOO_BIG, "%u parameters, more than %d", count, META_ARGS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        err_t e = args[i].kind < META_TEXT ? ERR_OK : text_check(&args[i], i, d);
        if (e) return e;
    }
    return ERR_OK;
}
