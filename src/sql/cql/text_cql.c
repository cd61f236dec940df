/* CQL's text for shells and DESCRIBE: names, strings, where a statement ends. */
#include "sql/cql/parse_cql.h"

/* Where a token cannot be read (a quote is open), the rest is one piece. */
size_t cql_statement_length(struct slice text, bool *whole)
{
    struct cql_lexer l = {.text = text};
    struct cql_token t;
    bool first = true, batch = false;
    uint32_t last = T_END;
    *whole = false;
    while (l.at < text.len) {
        if (!cql_lex(&l, false, &t)) {
            bool open = l.mistake_at >= text.len;
            if (open) return text.len;
            l.at = l.mistake_at + 1; /* what means nothing ends nothing */
            continue;
        }
        if (t.kind == T_END) break;
        if (first) batch = t.kind == K_BEGIN;
        if (batch && t.kind == K_BATCH && last == K_APPLY) batch = false;
        if (t.kind == T_SEMICOLON && !batch) {
            *whole = true;
            return l.at;
        }
        last = t.kind;
        first = false;
    }
    return text.len;
}

void cql_put_name(struct buf *out, struct slice name)
{
    bool plain = name.len && name.at[0] >= 'a' && name.at[0] <= 'z' && !cql_word_reserved(name);
    for (uint32_t i = 0; i < name.len && plain; i++) {
        uint8_t c = name.at[i];
        plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    }
    if (plain) {
        buf_slice(out, name);
        return;
    }
    buf_char(out, '"');
    for (uint32_t i = 0; i < name.len; i++) {
        if (name.at[i] == '"') buf_char(out, '"');
        buf_char(out, (char)name.at[i]);
    }
    buf_char(out, '"');
}

void cql_put_string(struct buf *out, struct slice text)
{
    buf_char(out, '\'');
    for (uint32_t i = 0; i < text.len; i++) {
        if (text.at[i] == '\'') buf_char(out, '\'');
        buf_char(out, (char)text.at[i]);
    }
    buf_char(out, '\'');
}
