/* Dead letters, one by one: found, mended, forgotten, replayed. */
#include "exec/upkeep_int.h"

#include "base/hash.h"

#include <inttypes.h>

enum { LETTER_ARENA = 16 << 20, PLACE_MAX = 64, CONDITION_MAX = 64 << 10 };

struct wanted {
    struct dead_filter filter;
    int32_t partition;
    int64_t offset;
};

static bool number(struct slice text, int64_t *out)
{
    bool minus = text.len && text.at[0] == '-';
    uint64_t n = 0;
    if (!slice_to_u64(slice_make(text.at + minus, text.len - minus), &n) || n > INT64_MAX)
        return false;
    *out = minus ? -(int64_t)n : (int64_t)n;
    return true;
}

static err_t take_field(struct wanted *w, struct slice name, struct slice value, struct diag *d)
{
    const struct {
        const char *name;
        struct slice *to;
    } texts[] = {{"topic", &w->filter.topic},
                 {"code", &w->filter.code},
                 {"column", &w->filter.column},
                 {"reason", &w->filter.reason}};
    int64_t n = 0;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        if (!slice_is(name, texts[i].name)) continue;
        *texts[i].to = value;
        return ERR_OK;
    }
    bool offset = slice_is(name, "offset"), partition = slice_is(name, "partition");
    if (!offset && !partition) {
        (void)diag_fail(d, ERR_USAGE, "letters have no '%.*s' to choose by", SLICE_ARG(name));
        return diag_hint(d, "topic, partition, offset, code, column, or reason (a part of it)");
    }
    if (!number(value, &n) || (partition && (n < INT32_MIN || n > INT32_MAX)))
        return diag_fail(d, ERR_USAGE, "'%.*s' is no number", SLICE_ARG(value));
    w->offset = offset ? n : w->offset;
    w->partition = partition ? (int32_t)n : w->partition;
    if (offset) w->filter.offset = &w->offset;
    if (partition) w->filter.partition = &w->partition;
    return ERR_OK;
}

/* FIELD=VALUE, as people type it; SQL has spaces around, or quotes. */
static bool is_field(struct slice line, struct slice *name, struct slice *value)
{
    const uint8_t *is = memchr(line.at, '=', line.len);
    if (!is) return false;
    *name = slice_make(line.at, (size_t)(is - line.at));
    *value = slice_make(is + 1, (size_t)(line.at + line.len - is - 1));
    for (uint32_t i = 0; i < name->len; i++)
        if (!((name->at[i] | 32) >= 'a' && (name->at[i] | 32) <= 'z') && name->at[i] != '_')
            return false;
    return name->len && !(value->len && (value->at[0] == '\'' || value->at[0] == ' '));
}

static err_t take_condition(struct buf *all, struct slice line)
{
    buf_text(all, all->len ? " AND (" : "(");
    buf_slice(all, line);
    buf_char(all, ')');
    return all->err;
}

/* A field or a condition of SQL a line. filter_done gives back. */
static err_t filter_of(const struct upkeep *u, struct wanted *w, struct diag *d)
{
    struct slice rest = u->body, name, value;
    struct buf sql = buf_make(CONDITION_MAX);
    err_t e = ERR_OK;
    *w = (struct wanted){.filter = {.stage = slice_of(u->table)}};
    if (!u->table[0]) return diag_fail(d, ERR_USAGE, "letters of which stream?");
    while (!e && rest.len) {
        const uint8_t *end = memchr(rest.at, '\n', rest.len);
        struct slice line = slice_make(rest.at, end ? (size_t)(end - rest.at) : rest.len);
        if (is_field(line, &name, &value))
            e = take_field(w, name, value, d);
        else if (take_condition(&sql, line))
            e = diag_fail(d, ERR_TOO_BIG, "a condition on letters");
        uint32_t len = line.len + (end != NULL);
        rest = slice_make(rest.at + len, rest.len - len);
    }
    if (!e && sql.len) e = dead_where_new(buf_view(&sql), &w->filter.where, d);
    buf_done(&sql);
    return e;
}

static err_t filter_done(struct wanted *w, err_t e, struct diag *d)
{
    err_t failed = e && e != ERR_NOT_FOUND ? ERR_OK : dead_where_failure(w->filter.where, d);
    dead_where_free(w->filter.where);
    return failed ? failed : e;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The letter's place that `name` tells, in hexadecimal. */
static err_t place_of(const struct upkeep *u, uint8_t room[PLACE_MAX], struct slice *out,
                      struct diag *d)
{
    size_t len = strlen(u->name) / 2;
    bool good = strlen(u->name) % 2 == 0 && len <= PLACE_MAX;
    for (size_t i = 0; good && i < len; i++) {
        int high = hex_digit(u->name[2 * i]), low = hex_digit(u->name[2 * i + 1]);
        good = high >= 0 && low >= 0;
        if (good) room[i] = (uint8_t)(high * 16 + low);
    }
    *out = len ? slice_make(room, len) : (struct slice){0};
    return good ? ERR_OK : diag_fail(d, ERR_USAGE, "'%s' is no letter's place", u->name);
}

err_t upkeep_dead_next(struct upkeep *u, struct diag *d)
{
    uint8_t room[PLACE_MAX];
    struct wanted w;
    struct slice after = {0};
    struct dead_letter l;
    struct buf out = buf_make(LETTER_ARENA);
    struct arena *a = arena_new(LETTER_ARENA);
    err_t e = filter_of(u, &w, d);
    if (!e) e = place_of(u, room, &after, d);
    if (!e && !a) e = diag_fail(d, ERR_NO_MEMORY, "no memory for a letter");
    if (!e) e = dead_next(u->world->store, &w.filter, after, a, &l, d);
    if (!e) {
        for (uint32_t i = 0; i < l.place.len; i++) buf_printf(&out, "%02x", l.place.at[i]);
        buf_printf(&out, " %s ", l.cut && !l.mended.at ? "cut" : "whole");
        put_base64(&out, l.mended.at ? l.mended : l.raw);
        buf_char(&out, '\n');
        e = upkeep_put(u, &out);
    }
    buf_done(&out);
    arena_free(a);
    e = filter_done(&w, e, d);
    return e == ERR_NOT_FOUND ? ERR_OK : e; /* nothing said: there is none */
}

err_t upkeep_dead_mend(struct upkeep *u, struct diag *d)
{
    uint8_t room[PLACE_MAX];
    struct slice place;
    err_t e = place_of(u, room, &place, d);
    if (e) return e;
    return dead_mend(u->world->flow, u->world->store, slice_of(u->table), place, u->body, d);
}

err_t upkeep_dead_forget(struct upkeep *u, struct diag *d)
{
    struct wanted w;
    uint64_t count = 0;
    struct buf out = buf_make(KIB(1));
    err_t e = filter_of(u, &w, d);
    if (!e) e = dead_forget(u->world->flow, u->world->store, &w.filter, &count, d);
    if (!e) {
        buf_printf(&out, "%" PRIu64 " forgotten\n", count);
        e = upkeep_put(u, &out);
    }
    buf_done(&out);
    return filter_done(&w, e, d);
}

err_t upkeep_dead_replay(struct upkeep *u, struct diag *d)
{
    struct wanted w;
    struct dead_outcome o = {0};
    struct buf out = buf_make(KIB(1));
    err_t e = filter_of(u, &w, d);
    if (!e && !u->world->flow)
        e = diag_fail(d, ERR_UNSUPPORTED, "letters are replayed by a server that runs");
    if (!e) e = flow_dead_replay(u->world->flow, &w.filter, &o, d);
    if (!e) {
        buf_printf(&out, "%" PRIu64 " replayed: %" PRIu64 " good now, %" PRIu64 " failed again",
                   o.replayed, o.mended, o.again);
        if (o.left) buf_printf(&out, "; %" PRIu64 " can not be replayed", o.left);
        buf_char(&out, '\n');
        e = upkeep_put(u, &out);
    }
    buf_done(&out);
    return filter_done(&w, e, d);
}
