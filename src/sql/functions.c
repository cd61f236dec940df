/* The table of functions, the way into a kernel, and the page made from both. */
#include "sql/functions.h"
#include "sql/aggregate.h"

static const struct function rows[] = {
#define FUNCTION(name, args, result, kernel, flags, group, about, example, expected)               \
    {#name, args, result, kernel, flags, group, about, example, expected},
#define SPECIAL(name, args, result, flags, group, about, example, expected)                        \
    {#name, args, result, NULL, flags, group, about, example, expected},
#define ALIAS(name, of)
#include "sql/functions.def"
#undef FUNCTION
#undef SPECIAL
#undef ALIAS
};

static const struct {
    const char *name, *of;
} aliases[] = {
#define FUNCTION(name, args, result, kernel, flags, group, about, example, expected)
#define SPECIAL(name, args, result, flags, group, about, example, expected)
#define ALIAS(name, of) {#name, #of},
#include "sql/functions.def"
#undef FUNCTION
#undef SPECIAL
#undef ALIAS
};

size_t function_count(void)
{
    return COUNT_OF(rows);
}

const struct function *function_at(size_t i)
{
    return &rows[i];
}

const struct function *function_find(struct slice name, size_t i)
{
    for (size_t a = 0; a < COUNT_OF(aliases); a++)
        if (slice_is(name, aliases[a].name)) name = slice_of(aliases[a].of);
    for (size_t r = 0; r < COUNT_OF(rows); r++)
        if (slice_is(name, rows[r].name) && i-- == 0) return &rows[r];
    return NULL;
}

size_t function_names(const char **out, size_t max)
{
    size_t n = 0;
    for (size_t r = 0; r < COUNT_OF(rows) && n < max; r++)
        if (r == 0 || strcmp(rows[r].name, rows[r - 1].name) != 0) out[n++] = rows[r].name;
    for (size_t a = 0; a < COUNT_OF(aliases) && n < max; a++) out[n++] = aliases[a].name;
    return n;
}

const char *letter_name(char letter)
{
    switch (letter) {
    case 't': return "text";
    case 'x': return "any";
    case 'i': return "bigint";
    case 'I': return "int";
    case 'd': return "double";
    case 'b': return "boolean";
    case 'B': return "blob";
    case 'u': return "uuid";
    case 'U': return "timeuuid";
    case 'T': return "timestamp";
    case 'D': return "date";
    case 'j': return "json";
    case 'n': return "number";
    case 'A': return "same";
    default: return "any";
    }
}

/* --- calling ------------------------------------------------------------------------------------
 */

uint8_t *call_room(struct call *c, uint32_t row, uint64_t size, err_t *e)
{
    *e = ERR_OK;
    if (size > FUNCTION_TEXT_MAX) {
        *e = call_fault(c, row, ERR_TOO_BIG, "the result is longer than 16 MiB");
        return NULL;
    }
    uint8_t *room = arena_take_raw(c->f->in->arena, MAX(size, 1u));
    if (!room) *e = ERR_NO_MEMORY;
    return room;
}

err_t put_buf(struct call *c, uint32_t row, struct buf *b)
{
    err_t e = b->err;
    if (e == ERR_TOO_BIG)
        e = call_fault(c, row, e, "the result is longer than 16 MiB");
    else if (!e) {
        struct slice s = arena_slice(c->f->in->arena, buf_view(b));
        if (s.at)
            put_bytes(c->out, row, s);
        else
            e = ERR_NO_MEMORY;
    }
    buf_done(b);
    return e;
}

err_t call_fault(struct call *c, uint32_t row, err_t e, const char *why)
{
    batch_fault(c->f->in, c->out, row, e, "%.*s: %s", EXPR_SHOWN(c->e), why);
    return ERR_OK;
}

/* Whether the kernel is to be called; else the row's state is set. */
static bool ready(const struct call *c, uint32_t row)
{
    uint8_t state = VALID_VALUE;
    for (uint32_t i = 0; i < c->e->count && state != ERROR_VALUE; i++) {
        uint8_t s = operand_state(&c->args[i], row);
        if (s == ERROR_VALUE || (s == NULL_VALUE && !(c->e->fn->flags & FN_NULLS))) state = s;
    }
    c->out->state[row] = state == VALID_VALUE ? NULL_VALUE : state;
    return state == VALID_VALUE;
}

err_t eval_call(const struct frame *f, const struct expr *e, struct operand *out)
{
    struct operand *args = arena_take(f->in->arena, MAX(e->count, 1u) * sizeof(*args));
    err_t err = args ? ERR_OK : ERR_NO_MEMORY;
    for (uint32_t i = 0; !err && i < e->count; i++) err = eval(f, e->args[i], &args[i]);
    if (!err) err = column_init(&out->col, e->type, f->in->rows, f->in->arena);
    out->mask = ~0u;
    struct call c = {.f = f, .e = e, .args = args, .out = &out->col};
    if (!err && e->regex) {
        c.run = regex_run_new(e->regex, f->in->arena);
        if (!c.run) err = ERR_NO_MEMORY;
    }
    for (uint32_t row = 0; !err && row < f->in->rows; row++)
        if (frame_takes(f, row) && ready(&c, row)) err = e->fn->kernel(&c, row);
    return err;
}

/* --- the page -----------------------------------------------------------------------------------
 */

static void print_signature(const struct function *fn, struct buf *out)
{
    bool optional = false;
    buf_printf(out, "%s(", fn->name);
    for (const char *a = fn->args; *a; a++) {
        if (*a == '|') {
            optional = true;
            continue;
        }
        const char *comma = a > fn->args && !(a == fn->args + 1 && optional) ? ", " : "";
        if (*a == '*')
            buf_text(out, ", …");
        else
            buf_printf(out, optional ? "[%s%s]" : "%s%s", comma, letter_name(*a));
    }
    buf_printf(out, ") → %s", letter_name(fn->result[0]));
}

void sql_docs(struct buf *out)
{
    static const struct {
        const char *group, *title;
    } groups[] = {{"text", "Text"},
                  {"number", "Numbers"},
                  {"time", "Times"},
                  {"json", "JSON"},
                  {"other", "Other"}};
    for (size_t g = 0; g < COUNT_OF(groups); g++) {
        buf_printf(
            out, "\n### %s\n\n| function | what it gives | example | gives |\n|---|---|---|---|\n",
            groups[g].title);
        for (size_t r = 0; r < COUNT_OF(rows); r++) {
            if (strcmp(rows[r].group, groups[g].group) != 0) continue;
            buf_text(out, "| `");
            print_signature(&rows[r], out);
            buf_printf(out, "` | %s", rows[r].about);
            const char *join = "; also ";
            for (size_t a = 0; a < COUNT_OF(aliases); a++) {
                bool first = r == 0 || strcmp(rows[r - 1].name, rows[r].name) != 0;
                if (!first || strcmp(aliases[a].of, rows[r].name) != 0) continue;
                buf_printf(out, "%s`%s`", join, aliases[a].name);
                join = ", ";
            }
            if (rows[r].example[0])
                buf_printf(out, " | `%s` | `%s` |\n", rows[r].example, rows[r].expected);
            else
                buf_text(out, " | | |\n");
        }
    }
    aggregate_docs(out);
    buf_text(out,
             "\n### Words\n\nReserved (s: in sluice, c: in cql, p: in pg; as a name they stand in "
             "quotes):\n\n");
    const char *comma = "";
    for (size_t i = 0; i < word_count(); i++) {
        const struct word *w = word_at(i);
        bool any = w->reserved[0] || w->reserved[1] || w->reserved[2];
        if (!any) continue;
        buf_printf(out, "%s%s (%s%s%s)", comma, w->text, w->reserved[0] ? "s" : "",
                   w->reserved[1] ? "c" : "", w->reserved[2] ? "p" : "");
        comma = ", ";
    }
    buf_text(out, ".\n\nNot reserved: ");
    comma = "";
    for (size_t i = 0; i < word_count(); i++) {
        const struct word *w = word_at(i);
        if (w->reserved[0] || w->reserved[1] || w->reserved[2]) continue;
        buf_printf(out, "%s%s", comma, w->text);
        comma = ", ";
    }
    buf_text(out, ".\n");
}

void sql_functions_help(struct buf *out, bool markdown)
{
    if (markdown) {
        sql_docs(out);
        return;
    }
    for (size_t r = 0; r < COUNT_OF(rows); r++) {
        buf_text(out, "  ");
        print_signature(&rows[r], out);
        buf_printf(out, "\n      %s", rows[r].about);
        if (rows[r].example[0]) buf_printf(out, ": %s gives %s", rows[r].example, rows[r].expected);
        buf_char(out, '\n');
    }
    for (size_t i = 0; i < aggregate_count(); i++) {
        const struct aggregate *a = aggregate_at(i);
        buf_text(out, "  ");
        aggregate_signature(a, out);
        buf_printf(out, "\n      %s: %s of %s gives %s\n", a->about, a->example, a->rows,
                   a->expected);
    }
}

err_t sql_words(err_t (*each)(void *ctx, const struct sql_word *w), void *ctx)
{
    struct buf text = buf_make(1 << 16);
    err_t e = ERR_OK;
    for (size_t i = 0; !e && i < word_count(); i++)
        e = each(ctx, &(struct sql_word){.text = word_at(i)->text});
    for (size_t r = 0; !e && r < COUNT_OF(rows); r++) {
        buf_reset(&text);
        print_signature(&rows[r], &text);
        e = each(ctx, &(struct sql_word){rows[r].name, buf_cstr(&text), rows[r].about});
    }
    for (size_t i = 0; !e && i < aggregate_count(); i++) {
        const struct aggregate *a = aggregate_at(i);
        buf_reset(&text);
        aggregate_signature(a, &text);
        e = each(ctx, &(struct sql_word){a->name, buf_cstr(&text), a->about});
    }
    buf_done(&text);
    return e;
}
