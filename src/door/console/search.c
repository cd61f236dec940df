/* Whatever has a name, found by a part of it, and the documentation by its words: for the palette.
 */
#include "door/console/console_int.h"
#include "door/console/docs.h"

#include "base/vec.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { FOUND_MAX = 4000, NAME_TEXT = 400 };
enum { DOCS_FROM = 3 /* letters */, DOCS_FOUND = 20, ABOUT_MAX = 300 };

struct found {
    int score;
    uint32_t place; /* among those of the same score; else by name */
    const char *kind;
    char name[NAME_TEXT];
    const char *note, *of; /* NULL: none */
    char command[160];
};
struct search {
    struct arena *arena;
    char asked[200]; /* in small letters */
    struct vec all;
};

/* The whole name, its start, the start of a word in it, its inside; 0: none of these. */
static int score_of(const char *asked, struct slice name)
{
    char small[NAME_TEXT];
    docs_lower(name, small, sizeof(small));
    const char *at = strstr(small, asked);
    if (!at) return 0;
    if (at == small) return small[strlen(asked)] ? 80 : 100;
    return isalnum((unsigned char)at[-1]) ? 40 : 60;
}

static struct found *offer(struct search *s, const char *kind, struct slice name, struct slice word)
{
    int score = score_of(s->asked, word);
    struct found *f = score ? vec_add(&s->all) : NULL;
    if (!f) return NULL; /* does not fit; or there are thousands that do: the palette shows forty */
    f->score = score;
    f->kind = kind;
    snprintf(f->name, sizeof(f->name), "%.*s", SLICE_ARG(name));
    return f;
}

static err_t offer_stage(void *ctx, const struct flow_status *f)
{
    (void)offer(ctx, f->is_source ? "source" : "stream", f->name, f->name);
    return ERR_OK;
}

static err_t offer_topic(void *ctx, struct log_topic *t)
{
    (void)offer(ctx, "topic", log_topic_name(t), log_topic_name(t));
    return ERR_OK;
}

static err_t offer_table(void *ctx, const struct store_table *t)
{
    struct search *s = ctx;
    char table[NAME_TEXT];
    snprintf(table, sizeof(table), "%.*s.%.*s", SLICE_ARG(t->keyspace), SLICE_ARG(t->name));
    (void)offer(s, "table", slice_of(table), slice_of(table));
    for (uint32_t i = 0; i < t->column_count; i++) {
        struct found *f = offer(s, "column", t->columns[i].name, t->columns[i].name);
        if (f) f->of = arena_text(s->arena, slice_of(table));
    }
    return ERR_OK;
}

static void offer_dags(struct search *s, const struct console_port *port)
{
    uint32_t room = port->dags ? port->dags(port->ctx, NULL, 0) : 0;
    const struct dag **dags = room ? arena_take(s->arena, room * sizeof(*dags)) : NULL;
    uint32_t n = dags ? port->dags(port->ctx, dags, room) : 0;
    for (uint32_t i = 0; i < n; i++) {
        (void)offer(s, "dag", dags[i]->id, dags[i]->id);
        dag_give(dags[i]);
    }
}

static void offer_words(struct search *s, const struct console_port *port)
{
    struct console_word w;
    for (uint32_t n = 0; port->word && port->word(port->ctx, n, &w); n++) {
        struct found *f = offer(s, w.docs ? "docs" : "command", slice_of(w.name), slice_of(w.name));
        if (!f) continue;
        f->note = w.about;
        snprintf(f->command, sizeof(f->command), "sluice %s%s", w.docs ? "help " : "", w.name);
    }
}

/* A section once, by its best piece. */
struct section_found {
    int score;
    struct console_page page;
    struct docs_piece piece;
};
static int by_fit(const void *a, const void *b)
{
    const struct section_found *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    int pages = strcmp(x->page.name, y->page.name);
    if (pages) return pages;
    return x->piece.section.at < y->piece.section.at ? -1
                                                     : x->piece.section.at > y->piece.section.at;
}

static struct slice title_of(struct slice text)
{
    struct docs_reader r = docs_read(text);
    struct docs_piece p;
    return docs_next(&r, &p) ? p.section : (struct slice){0};
}

static void find_in(const struct docs_asked *asked, const struct console_page *page,
                    struct vec *found)
{
    struct docs_reader r = docs_read(page->text);
    struct docs_piece p;
    struct section_found *last = NULL;
    struct slice title = title_of(page->text);
    while (docs_next(&r, &p)) {
        int score = docs_score(asked, title, &p);
        if (!score) continue;
        bool same = last && last->piece.section.at == p.section.at;
        if (same && score <= last->score) continue;
        if (!same) last = vec_add(found);
        if (!last) return; /* thousands: the best twenty are told */
        *last = (struct section_found){score, *page, p};
    }
}

/* Below all that has the words in its name. */
static void offer_docs(struct search *s, const struct console_port *port)
{
    struct docs_asked asked = docs_ask(slice_of(s->asked));
    struct vec sections = vec_make(sizeof(struct section_found), FOUND_MAX);
    struct console_page page;
    char text[DOCS_TEXT_MAX];
    if (strlen(s->asked) < DOCS_FROM) return;
    for (uint32_t n = 0; port->page && port->page(port->ctx, n, &page); n++)
        find_in(&asked, &page, &sections);
    if (sections.count) qsort(sections.items, sections.count, sizeof(struct section_found), by_fit);
    for (size_t i = 0; i < sections.count && i < DOCS_FOUND; i++) {
        const struct section_found *at = vec_at(&sections, i);
        struct found *f = vec_add(&s->all);
        if (!f) break;
        f->kind = "docs";
        f->score = at->score;
        f->place = (uint32_t)i;
        f->of = at->page.name;
        docs_plain(at->piece.section, f->name, sizeof(f->name));
        docs_excerpt(&asked, at->piece.text, text);
        f->note = arena_text(s->arena, slice_of(text));
    }
    vec_done(&sections);
}

static int by_score(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    if (x->place != y->place) return x->place < y->place ? -1 : 1;
    int names = strcmp(x->name, y->name);
    int kinds = strcmp(x->kind, y->kind);
    if (names || kinds) return names ? names : kinds;
    return x->of && y->of ? strcmp(x->of, y->of) : 0;
}

static void put_found(struct buf *out, const struct found *f)
{
    js_open(out, '{');
    js_put_cstr(out, "kind", f->kind);
    js_put_cstr(out, "name", f->name);
    if (f->of) js_put_cstr(out, "of", f->of);
    if (f->note) js_put_cstr(out, "note", f->note);
    if (f->command[0]) js_put_cstr(out, "command", f->command);
    js_close(out, '}');
}

err_t console_search(struct ask *a)
{
    struct exec_world *w = ask_world(a);
    struct search s = {.arena = a->arena, .all = vec_make(sizeof(struct found), FOUND_MAX)};
    struct slice kind = ask_text(a, "kind");
    int64_t limit;
    err_t e = ask_int(a, "limit", 40, 1, 200, &limit);
    if (e) return e;
    docs_lower(slice_trim(ask_text(a, "q")), s.asked, sizeof(s.asked));
    bool any = s.asked[0] != 0;
    if (any && w->flow) e = flow_each(w->flow, offer_stage, &s);
    if (any && !e) e = log_topics(w->log, offer_topic, &s);
    if (any && !e) e = store_tables(w->store, offer_table, &s);
    if (any) offer_dags(&s, &a->console->o.port);
    if (any) offer_words(&s, &a->console->o.port);
    if (any) offer_docs(&s, &a->console->o.port);
    if (s.all.count) qsort(s.all.items, s.all.count, sizeof(struct found), by_score);
    js_open(&a->out, '{');
    js_put_open(&a->out, "results", '[');
    for (size_t i = 0; i < s.all.count && limit && !e; i++) {
        const struct found *f = vec_at(&s.all, i);
        if (kind.at && !slice_is(kind, f->kind)) continue;
        put_found(&a->out, f);
        limit--;
    }
    js_close(&a->out, ']');
    js_close(&a->out, '}');
    vec_done(&s.all);
    return e;
}

/* --- the documentation --------------------------------------------------------------------------
 */

static bool page_at(const struct ask *a, uint32_t n, struct console_page *out)
{
    const struct console_port *p = &a->console->o.port;
    return p->page && p->page(p->ctx, n, out);
}

static void put_head(struct ask *a, const struct console_page *page)
{
    char title[NAME_TEXT];
    docs_plain(title_of(page->text), title, sizeof(title));
    js_put_cstr(&a->out, "name", page->name);
    js_put_cstr(&a->out, "title", title);
}

err_t console_docs(struct ask *a)
{
    struct console_page page;
    char about[ABOUT_MAX];
    js_open(&a->out, '[');
    for (uint32_t n = 0; page_at(a, n, &page); n++) {
        struct docs_reader r = docs_read(page.text);
        struct docs_piece title, first = {{0}, SLICE("")};
        bool more = docs_next(&r, &title) && docs_next(&r, &first);
        docs_plain(more ? first.text : SLICE(""), about, sizeof(about));
        js_open(&a->out, '{');
        put_head(a, &page);
        js_put_cstr(&a->out, "about", about);
        js_close(&a->out, '}');
    }
    js_close(&a->out, ']');
    return ERR_OK;
}

err_t console_docs_page(struct ask *a)
{
    struct slice name = ask_part(a, "name");
    struct console_page page;
    for (uint32_t n = 0; page_at(a, n, &page); n++) {
        if (!slice_is(name, page.name)) continue;
        js_open(&a->out, '{');
        put_head(a, &page);
        js_put_text(&a->out, "text", page.text);
        js_close(&a->out, '}');
        return ERR_OK;
    }
    (void)diag_fail(&a->d, ERR_NOT_FOUND, "there is no page '%.*s'", SLICE_ARG(name));
    return diag_hint(&a->d, "/docs lists them");
}
