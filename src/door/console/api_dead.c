/* Dead letters: where they are, each with its record, mended, replayed, forgotten. */
#include "door/console/console_int.h"

#include "base/hash.h"
#include "base/vec.h"
#include "exec/dead_groups.h"
#include "os/clock.h"

enum {
    PLACE_MAX = 64,
    LIST_MAX = 500,
    LIST_RECORD = 400, /* bytes of a record in a list */
    LIST_BYTES = 8 << 20,
    LETTER_ARENA = 16 << 20,
    STAGES_MAX = 2000,
    CHOSEN_MAX = 1000,
    LOOK_LEAST_MS = 400,
    LOOK_MOST_MS = 10000, /* what nobody's ledger tells of: letters of undeclared stages */
    LOOK_SHARE = 20       /* gathering takes one part in so many of the time */
};

/* --- by what was wrong --------------------------------------------------------------------------
 */

struct known_stage {
    struct slice name;
    uint64_t dead;
    bool declared;
};
struct gathering {
    struct arena *arena;
    struct vec stages; /* struct known_stage */
    uint64_t mark;     /* of all that tells of a change */
};

static err_t add_stage(struct gathering *g, struct slice name, uint64_t dead, bool declared)
{
    for (size_t i = 0; i < g->stages.count; i++)
        if (slice_equal(((struct known_stage *)vec_at(&g->stages, i))->name, name)) return ERR_OK;
    struct known_stage s = {arena_slice(g->arena, name), dead, declared};
    return s.name.at ? vec_push(&g->stages, &s) : ERR_NO_MEMORY;
}

static err_t take_status(void *ctx, const struct flow_status *s)
{
    struct gathering *g = ctx;
    uint64_t told[] = {s->ledger.dead, (uint64_t)s->dead_bytes, s->late_rows};
    g->mark = hash64(slice_make(told, sizeof(told)), g->mark ^ hash64(s->name, 1));
    return add_stage(g, s->name, s->ledger.dead, true);
}

static err_t take_left(void *ctx, const struct stage_left *l)
{
    return add_stage(ctx, l->name, l->ledger.dead, false);
}

static void put_when(struct buf *out, const char *name, int64_t ms)
{
    js_put_time(out, name, ms ? ms : INT64_MIN);
}

static struct slice some(struct slice s) /* null in JSON where there is nothing */
{
    return s.len ? s : (struct slice){0};
}

static void put_group(struct buf *out, const struct dead_group *g)
{
    js_open(out, '{');
    js_put_cstr(out, "code", err_name(g->err));
    js_put_text(out, "column", some(g->column));
    js_put_text(out, "expression", some(g->expression));
    js_put_text(out, "reason", g->reason.at ? g->reason : SLICE(""));
    js_put_uint(out, "letters", g->letters);
    js_put_uint(out, "records", g->records);
    js_put_uint(out, "mended", g->mended);
    put_when(out, "first", g->first_ms);
    put_when(out, "last", g->last_ms);
    js_close(out, '}');
}

static err_t put_stage(struct exec_world *w, const struct known_stage *k, struct arena *a,
                       struct buf *out, struct diag *d)
{
    struct dead_stage s;
    err_t e = dead_groups_of(w->store, k->name, a, &s, d);
    if (e || (!s.letters && !k->dead)) return e;
    js_open(out, '{');
    js_put_text(out, "stage", k->name);
    js_put_bool(out, "declared", k->declared);
    js_put_uint(out, "dead", k->dead);
    js_put_uint(out, "letters", s.letters);
    js_put_bool(out, "more", s.more);
    js_put_uint(out, "mended", s.mended);
    js_put_uint(out, "bytes", s.bytes);
    js_put_open(out, "groups", '[');
    for (uint32_t i = 0; i < s.group_count; i++) put_group(out, &s.groups[i]);
    js_close(out, ']');
    js_put_uint(out, "others", s.others);
    js_close(out, '}');
    return ERR_OK;
}

static err_t know_stages(struct exec_world *w, struct gathering *g, struct diag *d)
{
    g->stages = vec_make(sizeof(struct known_stage), STAGES_MAX);
    err_t e = w->flow ? flow_each(w->flow, take_status, g) : ERR_OK;
    return e ? diag_fail(d, e, "the streams can not be listed") : ERR_OK;
}

static err_t put_dead(struct exec_world *w, struct gathering *g, struct buf *out, struct diag *d)
{
    err_t e = stages_left(w->store, take_left, g, d);
    if (e && !d->err) e = diag_fail(d, e, "what is left of others");
    js_open(out, '{');
    js_put_open(out, "stages", '[');
    for (size_t i = 0; !e && i < g->stages.count; i++)
        e = put_stage(w, vec_at(&g->stages, i), g->arena, out, d);
    js_close(out, ']');
    js_close(out, '}');
    return e;
}

err_t console_dead(struct ask *a)
{
    struct gathering g = {.arena = a->arena};
    err_t e = know_stages(ask_world(a), &g, &a->d);
    if (!e) e = put_dead(ask_world(a), &g, &a->out, &a->d);
    vec_done(&g.stages);
    return e;
}

/* What was told last, for as long as nothing tells of a change. */
struct dead_told {
    uint64_t mark;
    int64_t at_ms, took_ms;
    struct buf text;
};

static void told_free(void *own)
{
    struct dead_told *t = own;
    if (t) buf_done(&t->text);
    mem_give(t);
}

static bool still_good(const struct dead_told *t, uint64_t mark, int64_t now_ms)
{
    int64_t age = now_ms - t->at_ms;
    if (!t->text.len) return false;
    if (age < MAX((int64_t)LOOK_LEAST_MS, t->took_ms * LOOK_SHARE)) return true;
    return t->mark == mark && age < LOOK_MOST_MS;
}

err_t live_dead(struct look *k)
{
    struct gathering g = {.arena = k->arena};
    struct dead_told *t = k->own;
    if (!t) {
        t = mem_take(sizeof(*t));
        if (!t) return diag_fail(&k->d, ERR_NO_MEMORY, "no memory to look at dead letters");
        t->text = buf_make(LIST_BYTES);
        k->own = t;
        k->own_free = told_free;
    }
    int64_t began_ms = clock_mono_ns() / 1000000;
    err_t e = know_stages(look_world(k), &g, &k->d);
    if (!e && !still_good(t, g.mark, began_ms)) {
        buf_reset(&t->text);
        e = put_dead(look_world(k), &g, &t->text, &k->d);
        if (!e && t->text.err) e = diag_fail(&k->d, t->text.err, "too many kinds of dead letters");
        t->mark = g.mark;
        t->at_ms = clock_mono_ns() / 1000000;
        t->took_ms = t->at_ms - began_ms;
        if (e) buf_reset(&t->text);
    }
    if (!e) buf_slice(&k->out, buf_view(&t->text));
    vec_done(&g.stages);
    return e;
}

/* --- letters ------------------------------------------------------------------------------------
 */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static err_t place_read(struct slice text, struct arena *a, struct slice *out, struct diag *d)
{
    uint32_t len = text.len / 2;
    uint8_t *at = len <= PLACE_MAX ? arena_take(a, len + 1U) : NULL;
    bool good = at && len && text.len % 2 == 0;
    for (uint32_t i = 0; good && i < len; i++) {
        int high = hex_digit(text.at[2 * i]), low = hex_digit(text.at[2 * i + 1]);
        good = high >= 0 && low >= 0;
        if (good) at[i] = (uint8_t)(high * 16 + low);
    }
    if (!good) return diag_fail(d, ERR_USAGE, "'%.*s' is no letter's place", SLICE_ARG(text));
    *out = slice_make(at, len);
    return ERR_OK;
}

static void put_place(struct buf *out, const char *name, struct slice place)
{
    char hex[2 * PLACE_MAX + 1] = "";
    for (uint32_t i = 0; i < MIN(place.len, (uint32_t)PLACE_MAX); i++) {
        hex[2 * i] = "0123456789abcdef"[place.at[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[place.at[i] & 15];
    }
    js_put_text(out, name, slice_of(hex));
}

static void put_letter(struct buf *out, const struct dead_letter *l, bool whole)
{
    uint32_t shown = whole ? l->raw.len : MIN(l->raw.len, (uint32_t)LIST_RECORD);
    struct slice raw = slice_make(l->raw.at ? l->raw.at : (const uint8_t *)"", shown);
    js_open(out, '{');
    put_place(out, "place", l->place);
    js_put_text(out, "stage", l->stage);
    js_put_text(out, "topic", some(l->topic));
    js_put_int(out, "partition", l->partition);
    js_put_int(out, "offset", l->offset);
    put_when(out, "time", l->time_ms);
    put_when(out, "written", l->written_ms);
    js_put_uint(out, "epoch", l->epoch >> 8); /* without its lane: as last_epoch is */
    js_put_uint(out, "records", l->count);
    js_put_cstr(out, "code", err_name(l->err));
    js_put_text(out, "reason", l->reason.at ? l->reason : SLICE(""));
    js_put_text(out, "column", some(l->column));
    js_put_text(out, "expression", some(l->expression));
    js_put_text(out, "key", l->key);
    js_put_text(out, "record", raw);
    js_name(out, "record_base64");
    if (whole && !utf8_valid(l->raw, &(uint32_t){0}))
        js_bytes(out, l->raw);
    else
        js_null(out);
    js_put_text(out, "mended",
                whole || !l->mended.at
                    ? l->mended
                    : slice_make(l->mended.at, MIN(l->mended.len, (uint32_t)LIST_RECORD)));
    js_put_uint(out, "bytes", l->raw.len);
    js_put_bool(out, "cut", l->cut);
    js_close(out, '}');
}

static err_t filter_ready(struct dead_filter *w, struct slice where, struct diag *d)
{
    return where.len ? dead_where_new(where, &w->where, d) : ERR_OK;
}

/* What a condition met on the way is told, too; the filter's memory goes. */
static err_t filter_done(struct dead_filter *w, err_t e, struct diag *d)
{
    err_t failed = e && e != ERR_NOT_FOUND ? ERR_OK : dead_where_failure(w->where, d);
    dead_where_free(w->where);
    w->where = NULL;
    return failed ? failed : e;
}

static err_t list_letters(struct ask *a, const struct dead_filter *w, struct slice before,
                          int64_t limit)
{
    struct buf *out = &a->out;
    struct arena *one = arena_new(LETTER_ARENA);
    struct dead_letter l = {0};
    bool more = false;
    uint8_t at[PLACE_MAX];
    err_t e = one ? ERR_OK : diag_fail(&a->d, ERR_NO_MEMORY, "no memory for a letter");
    js_open(out, '{');
    js_put_open(out, "letters", '[');
    for (int64_t n = 0; !e && n <= limit; n++) {
        if (one) arena_reset(one);
        e = dead_before(ask_world(a)->store, w, before, one, &l, &a->d);
        more = !e && n == limit;
        if (e || more) break;
        put_letter(out, &l, false);
        memcpy(at, l.place.at, MIN(l.place.len, (uint32_t)PLACE_MAX));
        before = slice_make(at, MIN(l.place.len, (uint32_t)PLACE_MAX));
    }
    js_close(out, ']');
    if (more)
        put_place(out, "next", before);
    else
        js_put_cstr(out, "next", NULL);
    js_close(out, '}');
    arena_free(one);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

err_t console_letters(struct ask *a)
{
    struct dead_filter w = {.stage = ask_part(a, "stage"),
                            .code = ask_text(a, "code"),
                            .column = ask_text(a, "column"),
                            .reason = ask_text(a, "reason")};
    struct slice before = ask_text(a, "before"), place = {0};
    int64_t limit;
    err_t e = ask_int(a, "limit", 100, 1, LIST_MAX, &limit);
    if (!e && before.len) e = place_read(before, a->arena, &place, &a->d);
    if (!e) e = filter_ready(&w, ask_text(a, "where"), &a->d);
    if (!e) e = list_letters(a, &w, place, limit);
    return filter_done(&w, e, &a->d);
}

static err_t find_letter(struct ask *a, struct slice *place, struct dead_letter *l)
{
    struct dead_filter w = {.stage = ask_part(a, "stage")};
    err_t e = place_read(ask_part(a, "place"), a->arena, place, &a->d);
    w.place = *place;
    if (!e) e = dead_next(ask_world(a)->store, &w, (struct slice){0}, a->arena, l, &a->d);
    if (e != ERR_NOT_FOUND) return e;
    (void)diag_fail(&a->d, e, "the letter is not there any more");
    return diag_hint(&a->d, "it was replayed and is a row now, or it was forgotten");
}

err_t console_letter(struct ask *a)
{
    struct dead_letter l;
    struct slice place;
    err_t e = find_letter(a, &place, &l);
    if (!e) put_letter(&a->out, &l, true);
    return e;
}

err_t console_mend(struct ask *a)
{
    struct dead_letter l;
    struct slice place;
    struct exec_world *w = ask_world(a);
    err_t e = find_letter(a, &place, &l);
    if (!e && l.cut && !l.mended.at) {
        (void)diag_fail(&a->d, ERR_TOO_BIG, "only the beginning of the record was kept");
        e = diag_hint(&a->d, "produce the whole record to topic %.*s again", SLICE_ARG(l.topic));
    }
    if (!e)
        e = dead_mend(w->flow, w->store, ask_part(a, "stage"), place, ask_body_text(a, "record"),
                      &a->d);
    return e ? e : console_letter(a);
}

/* --- many at once -------------------------------------------------------------------------------
 */

struct chosen {
    struct dead_filter filter;
    const struct doc *places; /* NULL: all that fit */
};

static err_t choose(struct ask *a, struct chosen *c)
{
    c->filter = (struct dead_filter){.stage = ask_part(a, "stage"),
                                     .code = ask_body_text(a, "code"),
                                     .column = ask_body_text(a, "column"),
                                     .reason = ask_body_text(a, "reason")};
    c->places = ask_body(a, "places");
    if (c->places && c->places->count > CHOSEN_MAX)
        return diag_fail(&a->d, ERR_TOO_BIG, "at most %d places at once", CHOSEN_MAX);
    return filter_ready(&c->filter, ask_body_text(a, "where"), &a->d);
}

/* Once for all that fit, or once for each place. */
static err_t each_choice(struct ask *a, struct chosen *c,
                         err_t (*act)(struct ask *, struct chosen *))
{
    if (!c->places) return act(a, c);
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < c->places->count; i++) {
        e = place_read(doc_text(&c->places->items[i]), a->arena, &c->filter.place, &a->d);
        if (!e) e = act(a, c);
    }
    return e;
}

struct replaying {
    struct chosen chosen;
    struct dead_outcome sum;
};

static err_t replay_some(struct ask *a, struct chosen *c)
{
    struct replaying *r = (struct replaying *)c; /* its first member */
    struct dead_outcome o = {0};
    err_t e = flow_dead_replay(ask_world(a)->flow, &c->filter, &o, &a->d);
    r->sum.replayed += o.replayed;
    r->sum.mended += o.mended;
    r->sum.again += o.again;
    r->sum.left += o.left;
    return e;
}

err_t console_replay_letters(struct ask *a)
{
    struct replaying r = {.sum = {0}};
    err_t e = ask_world(a)->flow
                  ? choose(a, &r.chosen)
                  : diag_fail(&a->d, ERR_UNSUPPORTED, "letters are replayed by a stream that runs");
    if (!e) e = each_choice(a, &r.chosen, replay_some);
    e = filter_done(&r.chosen.filter, e, &a->d);
    if (e) return e;
    js_open(&a->out, '{');
    js_put_uint(&a->out, "replayed", r.sum.replayed);
    js_put_uint(&a->out, "mended", r.sum.mended);
    js_put_uint(&a->out, "again", r.sum.again);
    js_put_uint(&a->out, "left", r.sum.left);
    js_close(&a->out, '}');
    return ERR_OK;
}

struct forgetting {
    struct chosen chosen;
    uint64_t count;
};

static err_t forget_some(struct ask *a, struct chosen *c)
{
    struct forgetting *f = (struct forgetting *)c; /* its first member */
    struct exec_world *w = ask_world(a);
    uint64_t n = 0;
    err_t e = dead_forget(w->flow, w->store, &c->filter, &n, &a->d);
    f->count += n;
    return e;
}

err_t console_forget_letters(struct ask *a)
{
    struct forgetting f = {.count = 0};
    struct slice stage = ask_part(a, "stage");
    if (!slice_equal(ask_body_text(a, "confirm"), stage)) {
        (void)diag_fail(&a->d, ERR_USAGE, "the records' bytes go with their letters");
        return diag_hint(&a->d, "send the stage's name, %.*s, as confirm", SLICE_ARG(stage));
    }
    err_t e = choose(a, &f.chosen);
    if (!e) e = each_choice(a, &f.chosen, forget_some);
    e = filter_done(&f.chosen.filter, e, &a->d);
    if (e) return e;
    js_open(&a->out, '{');
    js_put_uint(&a->out, "letters", f.count);
    js_close(&a->out, '}');
    return ERR_OK;
}
