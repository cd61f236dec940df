/* Plans for people: aligned, short. */
#include "sql/bind.h"
#include "sql/text.h"

/* As written, white space made single. */
static void print_text(struct slice text, struct buf *out)
{
    bool space = false, quoted = false;
    for (uint32_t i = 0; i < text.len; i++) {
        char c = (char)text.at[i];
        if (c == '\'') quoted = !quoted;
        if (!quoted && (c == ' ' || c == '\n' || c == '\t' || c == '\r')) {
            space = true;
            continue;
        }
        if (space) buf_char(out, ' ');
        space = false;
        buf_char(out, c);
    }
}

void expr_print(const struct expr *e, struct buf *out)
{
    print_text(e->text, out);
}

static void print_padded(struct slice text, size_t width, struct buf *out)
{
    buf_slice(out, text);
    for (size_t n = utf8_length(text); n < width; n++) buf_char(out, ' ');
}

static size_t name_width(const struct plan_stream *p)
{
    size_t width = 4;
    for (uint32_t i = 0; i < p->input_count; i++)
        width = MAX(width, utf8_length(p->inputs[i].text));
    for (uint32_t i = 0; i < p->output_count; i++)
        width = MAX(width, utf8_length(p->outputs[i].name));
    return MIN(width, (size_t)40);
}

static void print_inputs(const struct plan_stream *p, size_t width, struct buf *out)
{
    for (uint32_t i = 0; i < p->input_count; i++) {
        const struct plan_input *in = &p->inputs[i];
        buf_text(out, i ? "          " : "  reads   ");
        print_padded(in->text, width, out);
        buf_char(out, ' ');
        size_t before = out->len;
        type_print(in->type, out);
        if (in->path.cast)
            buf_printf(out, "%*s converted", (int)MAX(before + 9, out->len) - (int)out->len, "");
        buf_char(out, '\n');
    }
}

static void print_outputs(const struct plan_stream *p, size_t width, struct buf *out)
{
    static const char *const keys[] = {"", "  (partition key)", "  (clustering key)"};
    for (uint32_t i = 0; i < p->output_count; i++) {
        const struct plan_output *o = &p->outputs[i];
        buf_text(out, i ? "          " : "  writes  ");
        print_padded(o->name, width, out);
        buf_char(out, ' ');
        size_t before = out->len;
        type_print(o->type, out);
        while (out->len < before + 10 && !out->err) buf_char(out, ' ');
        expr_print(o->value, out);
        int64_t column = relation_column(p->into, o->name);
        buf_printf(out, "%s\n", column >= 0 ? keys[p->into->columns[column].key] : "");
    }
}

void plan_stream_print(const struct plan_stream *p, struct buf *out)
{
    static const char *const actions[] = {"DEAD LETTER", "SKIP", "FAIL", "NULL"};
    size_t width = name_width(p);
    buf_printf(out, "%.*s: %.*s -> %.*s%s%.*s\n", SLICE_ARG(p->name), SLICE_ARG(p->from->name),
               SLICE_ARG(p->into->keyspace), p->into->keyspace.len ? "." : "",
               SLICE_ARG(p->into->name));
    print_inputs(p, width, out);
    if (p->where) {
        buf_text(out, "  where   ");
        expr_print(p->where, out);
        buf_char(out, '\n');
    }
    for (uint32_t i = 0; i < p->check_count; i++) {
        buf_text(out, "  check   ");
        print_text(p->checks[i].text, out);
        buf_printf(out, ", else %s\n", actions[p->checks[i].action]);
    }
    print_outputs(p, width, out);
    buf_text(out, "  leaves  ");
    const char *comma = "";
    for (uint32_t i = 0; i < p->into->column_count; i++) {
        bool written = false;
        for (uint32_t k = 0; k < p->output_count; k++)
            written = written || slice_equal(p->outputs[k].name, p->into->columns[i].name);
        if (written) continue;
        buf_printf(out, "%s%.*s", comma, SLICE_ARG(p->into->columns[i].name));
        comma = ", ";
    }
    buf_text(out, p->writes_every_column ? "no column as it was\n" : " as they were\n");
    if (!p->deterministic)
        buf_text(out,
                 "  note    now() or uuid(): the same for the same epoch, another in a new one\n");
}
