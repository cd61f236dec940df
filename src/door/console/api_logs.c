/* The server's own log: what is kept of it, what comes, and what each room says. The same ring and
 * the same levels as `sluice logs`. */
#include "door/console/console_int.h"

#include "base/say.h"

enum { LOGS_PAGE = 500, TAIL_FIRST = 100, TAIL_MOST = 200 };

/* ts=… level=… room=… msg="…" rest */
static void put_line(struct buf *out, const struct say_kept *l)
{
    const char *at = l->line;
    struct slice time = SLICE(""), message = slice_of(l->line), rest = SLICE("");
    const char *quoted = strstr(at, " msg=\"");
    const char *end = quoted ? strchr(quoted + 6, '"') : NULL;
    if (strncmp(at, "ts=", 3) == 0) time = slice_make(at + 3, strcspn(at + 3, " "));
    if (end) {
        message = slice_make(quoted + 6, (size_t)(end - quoted - 6));
        rest = slice_of(end[1] == ' ' ? end + 2 : end + 1);
    }
    js_open(out, '{');
    js_put_uint(out, "seq", l->seq);
    js_put_text(out, "time", time);
    js_put_cstr(out, "level", say_level_name(l->level));
    js_put_cstr(out, "room", say_room_name(l->room));
    js_put_text(out, "message", message);
    js_put_text(out, "rest", rest);
    js_close(out, '}');
}

static void put_rooms(struct buf *out)
{
    for (int i = 0; i < SAY_ROOMS; i++) {
        js_open(out, '{');
        js_put_cstr(out, "room", say_room_name((enum say_room)i));
        js_put_cstr(out, "level", say_level_name(say_level_of((enum say_room)i)));
        js_close(out, '}');
    }
}

/* --- what is kept -------------------------------------------------------------------------------
 */

struct wanted {
    int room; /* -1: all */
    enum say_level least;
    struct slice text; /* somewhere in the line, in any case; "" for all */
};

static err_t read_wanted(struct ask *a, struct wanted *w)
{
    struct slice room = ask_text(a, "room"), level = ask_text(a, "level");
    enum say_room r;
    *w = (struct wanted){.room = -1, .least = SAY_DEBUG, .text = ask_text(a, "q")};
    if (room.len && !say_room_parse(room, &r))
        return diag_fail(&a->d, ERR_UNKNOWN_NAME, "there is no room '%.*s'", SLICE_ARG(room));
    if (room.len) w->room = (int)r;
    if (level.len && !say_level_parse(level, &w->least))
        return diag_fail(&a->d, ERR_USAGE, "there is no level '%.*s'", SLICE_ARG(level));
    return ERR_OK;
}

static bool holds(struct slice line, struct slice text)
{
    for (uint32_t at = 0; text.len <= line.len && at <= line.len - text.len; at++)
        if (slice_equal_nocase(slice_make(line.at + at, text.len), text)) return true;
    return false;
}

static bool fits(const struct wanted *w, const struct say_kept *l)
{
    return (w->room < 0 || (int)l->room == w->room) && l->level >= w->least &&
           (!w->text.len || holds(slice_make(l->line, l->len), w->text));
}

/* From the oldest on, remembering where the newest `limit` of those that fit begin. */
static uint64_t begin_of(const struct wanted *w, uint64_t end, uint32_t limit, uint64_t *kept)
{
    struct say_kept l;
    uint32_t count = 0;
    uint64_t seq = 0;
    while (say_ring_next(seq, &l) && l.seq <= end) {
        seq = l.seq;
        if (fits(w, &l)) kept[count++ % limit] = seq;
    }
    return count == 0 ? end : count <= limit ? kept[0] - 1 : kept[count % limit] - 1;
}

static void put_lines(struct buf *out, const struct wanted *w, uint64_t after, uint64_t end)
{
    struct say_kept l;
    js_put_open(out, "lines", '[');
    while (after < end && say_ring_next(after, &l) && l.seq <= end) {
        after = l.seq;
        if (fits(w, &l)) put_line(out, &l);
    }
    js_close(out, ']');
}

err_t console_logs(struct ask *a)
{
    struct wanted w;
    int64_t limit;
    err_t e = read_wanted(a, &w);
    if (!e) e = ask_int(a, "limit", LOGS_PAGE, 1, SAY_RING, &limit);
    if (e) return e;
    uint64_t *kept = arena_take(a->arena, (size_t)limit * sizeof(*kept));
    if (!kept) return diag_fail(&a->d, ERR_NO_MEMORY, "no memory for the log's lines");
    uint64_t end = say_ring_last(), from = begin_of(&w, end, (uint32_t)limit, kept);
    js_open(&a->out, '{');
    put_lines(&a->out, &w, from, end);
    js_put_uint(&a->out, "end", end);
    js_put_open(&a->out, "rooms", '[');
    put_rooms(&a->out);
    js_close(&a->out, ']');
    js_close(&a->out, '}');
    return ERR_OK;
}

/* --- what comes ---------------------------------------------------------------------------------
 */

err_t live_logs(struct look *k)
{
    static const struct wanted all = {.room = -1, .least = SAY_DEBUG};
    uint64_t *seen = k->own, end = say_ring_last();
    if (!seen) {
        seen = mem_take(sizeof(*seen));
        if (!seen) return diag_fail(&k->d, ERR_NO_MEMORY, "no memory for the log's place");
        *seen = end > TAIL_FIRST ? end - TAIL_FIRST : 0;
        k->own = seen;
        k->own_free = mem_give;
    } else if (*seen == end) {
        return ERR_OK;
    }
    uint64_t from = end - *seen > TAIL_MOST ? end - TAIL_MOST : *seen;
    js_open(&k->out, '{');
    put_lines(&k->out, &all, from, end);
    js_put_uint(&k->out, "from", from);
    js_put_uint(&k->out, "end", end);
    js_close(&k->out, '}');
    *seen = end;
    return ERR_OK;
}

/* --- levels -------------------------------------------------------------------------------------
 */

err_t console_level_set(struct ask *a)
{
    struct slice name = ask_body_text(a, "room"), word = ask_body_text(a, "level");
    enum say_room room = SAY_MAIN;
    enum say_level level;
    if (name.len && !say_room_parse(name, &room))
        return diag_fail(&a->d, ERR_UNKNOWN_NAME, "there is no room '%.*s'", SLICE_ARG(name));
    if (!say_level_parse(word, &level)) {
        (void)diag_fail(&a->d, ERR_USAGE, "there is no level '%.*s'", SLICE_ARG(word));
        return diag_hint(&a->d, "debug, info, warn, error or off");
    }
    for (int i = 0; i < SAY_ROOMS; i++)
        if (!name.len || i == (int)room) say_level_set((enum say_room)i, level);
    say_warn(SAY_DOOR, "what is logged was changed in the console", "room=%.*s level=%s user=%s",
             (int)(name.len ? name.len : 3), name.len ? (const char *)name.at : "all",
             say_level_name(level), a->user.name);
    js_open(&a->out, '[');
    put_rooms(&a->out);
    js_close(&a->out, ']');
    return ERR_OK;
}
