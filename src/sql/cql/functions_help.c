/* functions.def as a page for people. */
#include "sql/cql/term_int.h"

static const char *letter_word(char letter)
{
    static const struct {
        char letter;
        const char *word;
    } words[] = {{'a', "ascii"},        {'b', "boolean"},       {'c', "counter"},
                 {'i', "int"},          {'l', "bigint"},        {'s', "smallint"},
                 {'t', "tinyint"},      {'f', "float"},         {'d', "double"},
                 {'v', "varint"},       {'m', "decimal"},       {'x', "text"},
                 {'B', "blob"},         {'u', "uuid"},          {'U', "timeuuid"},
                 {'T', "timestamp"},    {'D', "date"},          {'H', "time"},
                 {'P', "duration"},     {'I', "inet"},          {'X', "text"},
                 {'L', "int"},          {'N', "number"},        {'M', "number"},
                 {'O', "number"},       {'=', "the same"},      {'^', "the wider"},
                 {'A', "any"},          {'R', "any"},           {'Z', "the same"},
                 {'C', "collection"},   {'S', "set or list"},   {'Q', "numbers' set or list"},
                 {'K', "map"},          {'Y', "text"},          {'0', "the first's"},
                 {'1', "the second's"}, {'e', "an element's"},  {'k', "set"},
                 {'w', "list"},         {'r', "the receiver's"}};
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (words[i].letter == letter) return words[i].word;
    return "";
}

static char operator_of(const struct native *n)
{
    const struct signature s = {.row = n};
    return native_operator(&s);
}

static void put_call(struct buf *out, const struct native *n)
{
    char op = operator_of(n);
    bool optional = false;
    if (op) {
        buf_printf(out, "%s %c %s", letter_word(n->args[0]), op, letter_word(n->args[1]));
        return;
    }
    buf_printf(out, "%s(", strcmp(n->name, "_negate") == 0 ? "-" : n->name);
    for (const char *p = n->args; *p; p++) {
        if (*p == '|') {
            optional = true;
            continue;
        }
        buf_printf(out, "%s%s%s%s", p > n->args ? ", " : "", optional ? "[" : "", letter_word(*p),
                   optional ? "]" : "");
    }
    if (strcmp(n->name, "token") == 0) buf_text(out, "the partition key's columns");
    buf_char(out, ')');
}

static void put_cell(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|') buf_char(out, '\\');
        buf_char(out, *text);
    }
}

static void put_row(struct buf *out, const struct native *n, bool markdown)
{
    buf_text(out, markdown ? "| `" : "  ");
    put_call(out, n);
    if (!markdown) {
        buf_printf(out, " -> %s   %s\n", letter_word(n->result[0]), n->about);
        return;
    }
    buf_printf(out, "` | %s | ", letter_word(n->result[0]));
    put_cell(out, n->about);
    if (n->legacy[0]) {
        bool quoted = false;
        for (const char *p = n->legacy; *p; p++) quoted |= *p >= 'A' && *p <= 'Z';
        buf_printf(out, "%s`%s%s%s` before 5.0", n->about[0] ? "; " : "", quoted ? "\"" : "",
                   n->legacy, quoted ? "\"" : "");
    }
    buf_text(out, " | ");
    if (n->example[0]) {
        buf_char(out, '`');
        put_cell(out, n->example);
        buf_text(out, "` is `");
        put_cell(out, n->expected);
        buf_char(out, '`');
    }
    buf_text(out, " |\n");
}

void cql_functions_help(struct buf *out, bool markdown)
{
    const char *group = "";
    for (size_t i = 0; i < native_count(); i++) {
        const struct native *n = native_at(i);
        if (!n->about[0] && !markdown) continue;
        if (strcmp(group, n->group) != 0) {
            group = n->group;
            if (markdown)
                buf_printf(out,
                           "\n### %c%s\n\n| function | result | | example |\n|---|---|---|---|\n",
                           group[0] & 0xDF, group + 1);
            else
                buf_printf(out, "%s\n", group);
        }
        put_row(out, n, markdown);
    }
}
