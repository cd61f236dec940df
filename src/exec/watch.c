#include "exec/watch.h"

#include <stdio.h>

enum { WATCH_ARENA_MAX = 64 << 20, WATCH_LAST_MAX = 1000000 };

/* --- the words around the SELECT ----------------------------------------------------------------
 */

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The first word, taken off. */
static struct slice take_word(struct slice *text)
{
    uint32_t at = 0;
    *text = slice_trim(*text);
    while (at < text->len && !is_space(text->at[at])) at++;
    struct slice word = slice_make(text->at, at);
    *text = slice_trim(slice_make(text->at + at, text->len - at));
    return word;
}

/* Takes the word off the end, when it is there. */
static bool take_last(struct slice *text, struct slice word)
{
    if (text->len <= word.len || !is_space(text->at[text->len - word.len - 1])) return false;
    struct slice end = slice_make(text->at + text->len - word.len, word.len);
    if (!slice_equal_nocase(end, word)) return false;
    *text = slice_trim(slice_make(text->at, text->len - word.len));
    return true;
}

struct asked {
    struct slice select;
    uint32_t last;
    bool watch, emit_written;
};

static bool parse_words(struct slice text, struct asked *out)
{
    *out = (struct asked){.select = slice_trim(text)};
    while (out->select.len && out->select.at[out->select.len - 1] == ';')
        out->select = slice_trim(slice_make(out->select.at, out->select.len - 1));
    struct slice rest = out->select, whole;
    if (slice_equal_nocase(take_word(&rest), SLICE("WATCH"))) {
        out->watch = true;
        out->select = rest;
        uint64_t n;
        if (slice_equal_nocase(take_word(&rest), SLICE("LAST"))) {
            if (!slice_to_u64(take_word(&rest), &n) || n > WATCH_LAST_MAX) return false;
            out->last = (uint32_t)n;
            out->select = rest;
        }
    }
    whole = out->select;
    if (take_last(&whole, SLICE("CHANGES")) && take_last(&whole, SLICE("EMIT"))) {
        out->select = whole;
        out->watch = true;
    }
    whole = out->select;
    bool on = take_last(&whole, SLICE("CHANGE")) ||
              (take_last(&whole, SLICE("CLOSE")) && take_last(&whole, SLICE("WINDOW")));
    out->emit_written = on && take_last(&whole, SLICE("ON")) && take_last(&whole, SLICE("EMIT"));
    return true;
}

bool exec_is_watch(struct slice text)
{
    struct asked asked;
    return !parse_words(text, &asked) || asked.watch;
}

struct slice exec_watch_select(struct slice text)
{
    struct asked asked;
    (void)parse_words(text, &asked); /* a wrong LAST stays where it is: the parser says so */
    return asked.select;
}

/* --- the picture --------------------------------------------------------------------------------
 */

struct picture {
    const struct watch_view *view;
    struct render render;
    struct exec_sink sink;
    struct buf text; /* a screen's, or of rows that are gone */
    const struct slice *names;
    const struct type *const *types;
    uint32_t columns;
    bool drawn, gathers;
};

static err_t put(void *ctx, struct slice text)
{
    struct picture *p = ctx;
    if (!p->drawn && !p->gathers) return p->view->put(p->view->ctx, text);
    buf_slice(&p->text, text);
    return p->text.err;
}

static err_t on_head(void *ctx, const struct slice *names, const struct type *const *types,
                     uint32_t count)
{
    struct picture *p = ctx;
    p->names = names;
    p->types = types;
    p->columns = count;
    return p->sink.result.head(&p->render, names, types, count);
}

/* {"n": 1} of a row that is no more becomes {"n": 1, "_gone": true}. */
static err_t put_gone(struct picture *p, const struct column *columns, uint32_t count,
                      uint32_t rows)
{
    struct buf marked = buf_make(RENDER_PAGE_MAX);
    p->gathers = true;
    buf_reset(&p->text);
    err_t e = p->sink.result.rows(&p->render, columns, count, rows);
    p->gathers = false;
    for (size_t i = 0; i < p->text.len; i++) {
        if (p->text.at[i] == '}' && i + 1 < p->text.len && p->text.at[i + 1] == '\n')
            buf_text(&marked, count ? ", \"_gone\": true" : "\"_gone\": true");
        buf_char(&marked, (char)p->text.at[i]);
    }
    if (!e) e = marked.err ? marked.err : p->view->put(p->view->ctx, buf_view(&marked));
    buf_done(&marked);
    return e;
}

static err_t on_rows(void *ctx, const struct column *columns, uint32_t count, uint32_t rows,
                     int sign)
{
    struct picture *p = ctx;
    if (sign > 0) return p->sink.result.rows(&p->render, columns, count, rows);
    return p->view->format == RENDER_JSON ? put_gone(p, columns, count, rows) : ERR_OK;
}

/* As much of the table as fits. */
static err_t on_told(void *ctx)
{
    struct picture *p = ctx;
    uint32_t lines = 0, at = 0;
    if (!p->drawn) return ERR_OK;
    err_t e = render_end(&p->render);
    struct buf out = buf_make(RENDER_PAGE_MAX);
    uint32_t room = p->view->screen > 3 ? p->view->screen - 2 : 1;
    buf_text(&out, "\x1b[H\x1b[J");
    while (at < p->text.len && lines < room) lines += p->text.at[at++] == '\n';
    buf_put(&out, p->text.at, at);
    if (at < p->text.len) buf_text(&out, "… more than fits\n");
    if (!e) e = out.err ? out.err : p->view->put(p->view->ctx, buf_view(&out));
    buf_done(&out);
    buf_reset(&p->text);
    return e ? e : p->sink.result.head(&p->render, p->names, p->types, p->columns);
}

static void on_dead(void *ctx, struct slice reason, struct slice expression)
{
    struct picture *p = ctx;
    char text[600];
    snprintf(text, sizeof(text), "a record is not shown, others may follow: %.*s (%.*s)",
             (int)MIN(reason.len, 300u), (const char *)reason.at, (int)MIN(expression.len, 200u),
             (const char *)expression.at);
    p->sink.note(&p->render, text);
}

/* --- running ------------------------------------------------------------------------------------
 */

/* Bound as a stream into nothing: a line above the person's own. */
static err_t bind(struct exec_session *x, const struct asked *asked, struct arena *a,
                  struct plan_stream *out, struct diag *d)
{
    static const char above[] = "CREATE SINK preview INTO BLACKHOLE AS\n";
    struct catalog_view view = {x->world->catalog, slice_of(x->keyspace)};
    struct sql_catalog port = catalog_port(&view);
    struct script script;
    const char *text = arena_printf(a, "%s%.*s%s", above, SLICE_ARG(asked->select),
                                    asked->emit_written ? "" : " EMIT ON CHANGE");
    if (!text) return diag_fail(d, ERR_NO_MEMORY, "no memory for the statement");
    err_t e = sql_parse(slice_of(text), "statement", x->dialect, a, &script, d);
    if (!e && script.count != 1) e = diag_fail(d, ERR_SYNTAX, "a preview is one SELECT alone");
    if (!e) e = sql_bind_stream(&script.statements[0], &port, "statement", a, out, d);
    unsigned line, column;
    if (e && d && sscanf(d->where, "statement:%u:%u", &line, &column) == 2 && line > 1)
        (void)diag_where(d, "statement:%u:%u", line - 1, column);
    return e;
}

err_t exec_watch(struct exec_session *x, struct slice text, const struct query_limits *limits,
                 const struct watch_view *view, struct diag *d)
{
    struct asked asked;
    struct plan_stream plan;
    if (!parse_words(text, &asked))
        return diag_fail(d, ERR_SYNTAX, "WATCH LAST takes a number up to %d", WATCH_LAST_MAX);
    struct picture p = {.view = view, .text = buf_make(RENDER_PAGE_MAX)};
    struct arena *a = arena_new(WATCH_ARENA_MAX);
    err_t e = a ? render_init(&p.render, view->format, put, &p) : ERR_NO_MEMORY;
    if (e) {
        arena_free(a);
        return diag_fail(d, e, "no memory for a preview");
    }
    p.sink = render_sink(&p.render);
    e = bind(x, &asked, a, &plan, d);
    p.drawn = !e && view->screen && view->format == RENDER_TABLE && plan.root->changes;
    struct watch_options o = {.last = asked.last, .whole = p.drawn};
    struct watch_into into = {&p, on_head, on_rows, on_told, on_dead};
    if (!e) e = stream_watch(x->world->log, &plan, limits, &o, &into, d);
    render_done(&p.render);
    buf_done(&p.text);
    arena_free(a);
    return e;
}
