/* left: what stages have left behind that nobody declares any more. */
#include "flow/edition.h"

#include <ctype.h>

enum { LEFT_ARENA = 64 << 20, LEFT_MAX = 100000 };

/* CREATE [OR REPLACE] MATERIALIZED VIEW …: the statement's words, as it was written. */
static bool is_view(struct slice text)
{
    static const char *const words[] = {"create", "materialized"};
    uint32_t at = 0;
    if (!text.len) return false; /* not known */
    for (size_t i = 0; i < COUNT_OF(words);) {
        while (at < text.len && isspace(text.at[at])) at++;
        uint32_t end = at;
        while (end < text.len && isalpha(text.at[end])) end++;
        struct slice word = slice_make(text.at + at, end - at);
        bool filler = i == 1 && (slice_equal_nocase(word, SLICE("or")) ||
                                 slice_equal_nocase(word, SLICE("replace")));
        if (!word.len || (!filler && !slice_equal_nocase(word, slice_of(words[i])))) return false;
        i += !filler;
        at = end;
    }
    return true;
}

static err_t left_of(struct store *s, struct slice name, struct arena *a, struct stage_left *out,
                     struct diag *d)
{
    *out = (struct stage_left){.name = name};
    err_t e = ledger_load(s, name, &out->ledger, d);
    if (!e) e = flow_sql_now(s, name, a, &out->sql, d);
    if (e != ERR_NOT_FOUND && e) return e;
    out->view = is_view(out->sql.text);
    return ERR_OK;
}

struct left_walk {
    struct store *store;
    struct arena *arena;
    struct stage_shown shown;
    struct vec names; /* struct slice */
    struct diag *d;
};

/* A ledger's key: the stage's, 0, lane; a source's ends behind its name. */
static err_t note_name(void *ctx, struct slice key, struct slice value)
{
    struct left_walk *w = ctx;
    const uint8_t *end = key.len ? memchr(key.at, 0, key.len) : NULL;
    (void)value;
    if (!end) return ERR_CORRUPT;
    struct slice of = slice_make(key.at, (uint32_t)(end - key.at));
    bool again = w->shown.known && slice_equal(of, stage_text_slice(&w->shown.key));
    err_t e = stage_show(w->store, of, &w->shown, w->d);
    if (e || again || w->shown.gone) return e;
    /* what is being built is told with the stream that it will be */
    if (!slice_equal(stage_text_slice(&w->shown.name), of) && w->shown.name.len > of.len)
        return ERR_OK;
    struct slice name = arena_slice(w->arena, stage_text_slice(&w->shown.name));
    return name.at ? vec_push(&w->names, &name) : ERR_NO_MEMORY;
}

err_t stages_left(struct store *s, err_t (*each)(void *ctx, const struct stage_left *l), void *ctx,
                  struct diag *d)
{
    struct left_walk w = {.store = s,
                          .arena = arena_new(LEFT_ARENA),
                          .names = vec_make(sizeof(struct slice), LEFT_MAX),
                          .d = d};
    err_t e = w.arena ? store_records(s, NULL, STORE_LEDGER, (struct slice){0}, (struct slice){0},
                                      note_name, &w, d)
                      : diag_fail(d, ERR_NO_MEMORY, "no memory to look for stages");
    for (size_t i = 0; !e && i < w.names.count; i++) {
        struct stage_left l;
        e = left_of(s, *(struct slice *)vec_at(&w.names, i), w.arena, &l, d);
        if (!e) e = each(ctx, &l);
    }
    vec_done(&w.names);
    arena_free(w.arena);
    return e;
}

static err_t drop_table(struct store *s, struct slice into, struct diag *d)
{
    const uint8_t *dot = into.len ? memchr(into.at, '.', into.len) : NULL;
    if (!dot) return ERR_OK;
    struct slice keyspace = slice_make(into.at, (uint32_t)(dot - into.at));
    struct slice name = slice_make(dot + 1, into.len - keyspace.len - 1);
    return store_table_find(s, keyspace, name) ? store_table_drop(s, keyspace, name, d) : ERR_OK;
}

/* The table first: a drop that dies half-way is asked for again, and finds the stage. */
err_t stage_drop(struct store *s, struct slice name, struct diag *d)
{
    struct stage_left l;
    struct editions all = {0};
    struct arena *a = arena_new(LEFT_ARENA);
    err_t e = a ? left_of(s, name, a, &l, d) : diag_fail(d, ERR_NO_MEMORY, "no memory to drop");
    if (!e && l.view) e = drop_table(s, l.sql.into, d);
    if (!e) e = editions_load(s, name, a, &all, d);
    if (!e && all.building) e = edition_give_up(s, name, &all, d);
    if (!e) e = stage_paused_forget(s, name, d);
    if (!e) e = stream_reset(s, name, d);
    arena_free(a);
    return e;
}
