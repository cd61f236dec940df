/* Types as our houses and others write them: the words are translated, and the type's own parser
 * (data/type) reads the result. */
#include "sql/parse.h"
#include <stdio.h>

static const struct {
    const char *from, *to;
} words[] = {{"string", "text"},
             {"varchar", "text"},
             {"character", "text"},
             {"char", "text"},
             {"integer", "int"},
             {"int4", "int"},
             {"long", "bigint"},
             {"int8", "bigint"},
             {"int2", "smallint"},
             {"short", "smallint"},
             {"byte", "tinyint"},
             {"bool", "boolean"},
             {"real", "float"},
             {"float4", "float"},
             {"float8", "double"},
             {"numeric", "decimal"},
             {"dec", "decimal"},
             {"bytea", "blob"},
             {"binary", "blob"},
             {"varbinary", "blob"},
             {"bytes", "blob"},
             {"timestamptz", "timestamp"},
             {"timestamp_ltz", "timestamp"},
             {"timestamp_ntz", "timestamp"},
             {"datetime", "timestamp"},
             {"jsonb", "json"},
             {"variant", "json"},
             {"interval", "duration"},
             {"array", "list"},
             {"row", "struct"}};

struct type_text { /* a type being written */
    struct parser *p;
    struct buf out;
    bool cast;
    uint32_t depth;
};

/* (20), (10, 2), (3): what a length or a precision asks for. In a column it is told and not
 * enforced; in a cast it would change the value, so only those that change nothing pass. */
static void type_length(struct type_text *t, const struct token *word, const char *type)
{
    struct parser *p = t->p;
    const uint8_t *at = parse_here(p);
    if (!accept_op(p, "(")) return;
    bool decimal = strcmp(type, "decimal") == 0;
    bool time = strcmp(type, "timestamp") == 0 || strcmp(type, "time") == 0;
    bool text = strcmp(type, "text") == 0 || strcmp(type, "blob") == 0;
    int64_t n = parse_integer(p, "a length");
    if (decimal && accept_op(p, ",")) (void)parse_integer(p, "a scale");
    expect_op(p, ")");
    if (p->err) return;
    struct slice written = slice_make(word->text.at, (size_t)(p->last_end - word->text.at));
    if (!decimal && !text && !time) {
        parse_fail(p, at, ERR_SYNTAX, "%.*s takes no length", SLICE_ARG(word->text));
    } else if (time ? t->cast && n < 3 : t->cast) {
        parse_fail(p, at, ERR_UNSUPPORTED, "a cast to %.*s: not available in this version",
                   SLICE_ARG(written));
        parse_hint(p, decimal ? "decimals keep all their digits: write CAST(x AS DECIMAL)"
                      : time  ? "write date_trunc('second', CAST(x AS TIMESTAMP))"
                              : "write left(CAST(x AS TEXT), n)");
    } else if (!time || n != 3) {
        parse_note(p, at, "%.*s is read as %s: %s", SLICE_ARG(written), type,
                   time ? "times have milliseconds" : "its length is not enforced");
    }
}

/* WITH[OUT] [LOCAL] TIME ZONE after TIMESTAMP; DOUBLE PRECISION, CHARACTER VARYING before. */
static void type_more_words(struct type_text *t, const char *type)
{
    struct parser *p = t->p;
    if (strcmp(type, "timestamp") != 0 || (!at_word(p, "with") && !at_word(p, "without"))) return;
    bool local = token_is_word(token_peek(p, 1), "local");
    if (!local && !token_is_word(token_peek(p, 1), "time")) return; /* WITH (options) */
    (void)token_take(p);
    if (local) (void)token_take(p);
    expect_word(p, "TIME");
    expect_word(p, "ZONE");
}

static void type_any(struct type_text *t);

static void too_deep(struct parser *p)
{
    parse_fail(p, parse_here(p), ERR_TOO_DEEP, "types nest at most %d levels", (int)TYPE_DEPTH_MAX);
}

/* <a INT, b: STRING> and <INT, TEXT>: a field's name is followed by a word, a quote or a colon. */
static void type_inner(struct type_text *t, bool fields)
{
    struct parser *p = t->p;
    buf_char(&t->out, '<');
    do {
        if (t->out.len > 0 && t->out.at[t->out.len - 1] != '<') buf_text(&t->out, ", ");
        if (fields) {
            const struct token *name = token_peek(p, 0);
            bool quoted = name->kind == TOKEN_QUOTED;
            if (!quoted && name->kind != TOKEN_WORD)
                parse_expected(p, "a field's name", NULL, 0);
            else
                type_print_name(token_take(p).value, &t->out);
            (void)accept_op(p, ":");
            buf_char(&t->out, ' ');
        }
        type_any(t);
        if (accept_words(p, "not", "null")) /* a field's; nothing looks at it */
            parse_note(p, p->last_end - 4, "NOT NULL of a field is not enforced");
        if (at_word(p, "comment") && token_peek(p, 1)->kind == TOKEN_STRING) {
            (void)token_take(p);
            (void)token_take(p);
        }
    } while (accept_op(p, ",") && !p->err);
    expect_op(p, ">");
    buf_char(&t->out, '>');
}

static const char *type_word(struct slice word)
{
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (slice_equal_nocase(word, slice_of(words[i].from))) return words[i].to;
    return NULL;
}

/* int[] and INT ARRAY are lists too: what stands from `start` on is wrapped. */
static void type_brackets(struct type_text *t, size_t start)
{
    struct parser *p = t->p;
    while (!p->err &&
           ((at_op(p, "[") && token_is_op(token_peek(p, 1), "]")) || at_word(p, "array"))) {
        if (!accept_word(p, "array")) {
            (void)token_take(p);
            (void)token_take(p);
        }
        char inner[2048];
        size_t len = MIN(t->out.len - start, sizeof(inner));
        memcpy(inner, t->out.at + start, len);
        t->out.len = start;
        buf_text(&t->out, "list<");
        buf_slice(&t->out, slice_make(inner, len));
        buf_char(&t->out, '>');
        if (++t->depth > TYPE_DEPTH_MAX) too_deep(p);
    }
}

static void type_any(struct type_text *t)
{
    struct parser *p = t->p;
    const struct token *next = token_peek(p, 0);
    size_t start = t->out.len;
    if (next->kind == TOKEN_QUOTED) {
        type_print_name(token_take(p).value, &t->out);
        return;
    }
    if (next->kind != TOKEN_WORD) {
        parse_expected(p, "a type", NULL, 0);
        return;
    }
    if (t->depth > TYPE_DEPTH_MAX) {
        too_deep(p);
        return;
    }
    uint32_t depth = t->depth++;
    struct token word = token_take(p);
    const char *other = type_word(word.value);
    char own[SQL_NAME_MAX + 1];
    snprintf(own, sizeof(own), "%.*s", SLICE_ARG(word.value));
    const char *type = other ? other : own;
    buf_text(&t->out, type);
    if (token_is_word(&word, "double")) (void)accept_word(p, "precision");
    if (token_is_word(&word, "character") || token_is_word(&word, "char"))
        (void)accept_word(p, "varying");
    type_length(t, &word, type);
    type_more_words(t, type);
    if (accept_op(p, "<")) type_inner(t, strcmp(type, "struct") == 0);
    type_brackets(t, start);
    t->depth = depth;
}

const struct type *parse_type(struct parser *p, bool cast)
{
    char memory[2048];
    struct type_text text = {.p = p, .out = buf_over(memory, sizeof(memory)), .cast = cast};
    const uint8_t *at = parse_here(p);
    type_any(&text);
    if (!p->err && text.out.err)
        parse_fail(p, at, ERR_TOO_BIG, "this type is longer than %zu bytes", sizeof(memory));
    if (p->err) return NULL;
    struct diag story = {0};
    const struct type *type = NULL;
    struct slice kept = arena_slice(p->arena, buf_view(&text.out)); /* names point into it */
    err_t e = kept.at ? type_parse(kept, p->arena, &type, &story) : ERR_NO_MEMORY;
    if (!e) return type;
    parse_fail(p, at, e, "%s", story.what[0] ? story.what : err_text(e));
    if (story.hint[0]) parse_hint(p, "%s", story.hint);
    return NULL;
}
