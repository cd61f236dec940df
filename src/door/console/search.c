/* Whatever has a name, found by a part of it: for the palette. */
#include "door/console/console_int.h"

#include "base/vec.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { FOUND_MAX = 4000, DAGS_MAX = 1000, NAME_TEXT = 400 };

struct found {
    int score;
    const char *kind;
    char name[NAME_TEXT];
    const char *note; /* NULL: none */
    char command[160];
};
struct search {
    struct arena *arena;
    char asked[200]; /* in small letters */
    struct vec all;
};

static void lower(char *out, size_t size, struct slice s)
{
    size_t n = MIN((size_t)s.len, size - 1);
    for (size_t i = 0; i < n; i++) out[i] = (char)tolower(s.at[i]);
    out[n] = 0;
}

/* The whole name, its start, the start of a word in it, its inside; 0: none of these. */
static int score_of(const char *asked, struct slice name)
{
    char small[NAME_TEXT];
    lower(small, sizeof(small), name);
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
        struct found *f = offer(s, "column", slice_of(table), t->columns[i].name);
        if (f) f->note = arena_text(s->arena, t->columns[i].name);
    }
    return ERR_OK;
}

static void offer_dags(struct search *s, const struct console_port *port)
{
    const struct dag **dags = arena_take(s->arena, DAGS_MAX * sizeof(*dags));
    uint32_t n = dags && port->dags ? port->dags(port->ctx, dags, DAGS_MAX) : 0;
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

static int by_score(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    int names = strcmp(x->name, y->name);
    return names ? names : strcmp(x->kind, y->kind);
}

static void put_found(struct buf *out, const struct found *f)
{
    bool column = strcmp(f->kind, "column") == 0;
    js_open(out, '{');
    js_put_cstr(out, "kind", f->kind);
    js_put_cstr(out, "name", column ? f->note : f->name);
    if (column)
        js_put_cstr(out, "of", f->name);
    else if (f->note)
        js_put_cstr(out, "note", f->note);
    if (f->command[0]) js_put_cstr(out, "command", f->command);
    js_close(out, '}');
}

err_t console_search(struct ask *a)
{
    struct exec_world *w = ask_world(a);
    struct search s = {.arena = a->arena, .all = vec_make(sizeof(struct found), FOUND_MAX)};
    int64_t limit;
    err_t e = ask_int(a, "limit", 40, 1, 200, &limit);
    if (e) return e;
    lower(s.asked, sizeof(s.asked), slice_trim(ask_text(a, "q")));
    bool any = s.asked[0] != 0;
    if (any && w->flow) e = flow_each(w->flow, offer_stage, &s);
    if (any && !e) e = log_topics(w->log, offer_topic, &s);
    if (any && !e) e = store_tables(w->store, offer_table, &s);
    if (any) offer_dags(&s, &a->console->o.port);
    if (any) offer_words(&s, &a->console->o.port);
    if (s.all.count) qsort(s.all.items, s.all.count, sizeof(struct found), by_score);
    js_open(&a->out, '{');
    js_put_open(&a->out, "results", '[');
    for (size_t i = 0; i < s.all.count && i < (size_t)limit && !e; i++)
        put_found(&a->out, vec_at(&s.all, i));
    js_close(&a->out, ']');
    js_close(&a->out, '}');
    vec_done(&s.all);
    return e;
}
