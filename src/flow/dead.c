/* dead: dead letters as the store keeps them. */
#include "flow/edition.h"

enum { DEAD_VERSION = 2, VERSION_ONE = 1, DEAD_TEXT_MAX = 64 << 10 };
enum { DEAD_NO_KEY = 1, DEAD_CUT = 2, DEAD_MENDED = 4 };

static struct slice cut_at(struct slice s, uint32_t most)
{
    return slice_make(s.at, MIN(s.len, most));
}

/* A letter's key stands on its record alone, so that a replay writes the same letter again (F6).
 * The time leads, its sign flipped, so that the newest stands last. */
err_t dead_write(struct store_write *w, struct slice key, const struct dead_note *n,
                 struct buf *scratch, uint64_t *bytes, struct diag *d)
{
    struct stage_key k = stage_key(key);
    stage_key_be(&k, n->major ^ (uint64_t)INT64_MIN, 8);
    stage_key_be(&k, (uint32_t)n->partition, 4);
    stage_key_be(&k, (uint64_t)n->minor, 8);
    if (n->topic_number) stage_key_be(&k, n->topic_number, 4);
    bool cut = n->cut || n->raw.len > DEAD_RAW_MAX;
    buf_reset(scratch);
    buf_be(scratch, DEAD_VERSION, 1);
    buf_be(scratch,
           (n->key.at ? 0 : DEAD_NO_KEY) | (cut ? DEAD_CUT : 0) | (n->mended.at ? DEAD_MENDED : 0),
           1);
    buf_be(scratch, (uint32_t)n->partition, 4);
    buf_be(scratch, (uint64_t)n->offset, 8);
    buf_be(scratch, (uint64_t)n->time_ms, 8);
    buf_be(scratch, n->epoch, 8);
    bytes_put(scratch, slice_of(err_name(n->err))); /* by name: numbers change with the table */
    bytes_put(scratch, n->topic);
    bytes_put(scratch, cut_at(n->reason, DEAD_TEXT_MAX));
    bytes_put(scratch, cut_at(n->expression, DEAD_TEXT_MAX));
    bytes_put(scratch, cut_at(n->key, DEAD_TEXT_MAX));
    buf_uvarint(scratch, n->raw.len);
    bytes_put(scratch, cut_at(n->raw, DEAD_RAW_MAX));
    bytes_put(scratch, cut_at(n->column, DEAD_TEXT_MAX));
    buf_uvarint(scratch, n->count);
    buf_be(scratch, (uint64_t)n->written_ms, 8);
    if (n->mended.at) bytes_put(scratch, n->mended);
    if (scratch->err) return diag_fail(d, scratch->err, "a dead letter's bytes");
    if (bytes) *bytes += k.len + scratch->len;
    return store_write_record(w, STORE_DEAD, stage_key_slice(&k), buf_view(scratch));
}

err_t dead_read(struct slice key, struct slice value, struct dead_letter *out)
{
    struct dead_letter l = {.count = 1, .size = key.len + value.len};
    struct cursor c = cursor_of(value);
    uint64_t version = cursor_be(&c, 1);
    if (version > DEAD_VERSION) c.err = ERR_VERSION;
    uint64_t flags = cursor_be(&c, 1);
    l.partition = cursor_i32(&c);
    l.offset = cursor_i64(&c);
    l.time_ms = cursor_i64(&c);
    l.epoch = cursor_be(&c, 8);
    l.err = err_of_name(bytes_take(&c));
    l.topic = bytes_take(&c);
    l.reason = bytes_take(&c);
    l.expression = bytes_take(&c);
    l.key = bytes_take(&c);
    (void)cursor_uvarint(&c); /* the raw bytes' whole length */
    l.raw = bytes_take(&c);
    l.cut = (flags & DEAD_CUT) != 0;
    l.written_ms = l.time_ms; /* what version one has */
    if (version > VERSION_ONE) {
        l.column = bytes_take(&c);
        l.count = cursor_uvarint(&c);
        l.written_ms = cursor_i64(&c);
        if (flags & DEAD_MENDED) l.mended = bytes_take(&c);
        if ((flags & DEAD_MENDED) && !l.mended.at) l.mended = SLICE("");
    }
    if (flags & DEAD_NO_KEY) l.key = (struct slice){0};
    const uint8_t *end = key.len ? memchr(key.at, 0, key.len) : NULL;
    if (c.err || !end) return c.err == ERR_VERSION ? ERR_VERSION : ERR_CORRUPT;
    l.under = slice_make(key.at, (size_t)(end - key.at));
    const uint8_t *mark = memchr(key.at, EDITION_MARK, l.under.len);
    l.stage = mark ? slice_make(key.at, (size_t)(mark - key.at)) : l.under;
    l.place = slice_make(end + 1, key.len - l.under.len - 1);
    *out = l;
    return ERR_OK;
}

struct dead_note dead_note_of(const struct dead_letter *l)
{
    struct cursor c = cursor_of(l->place);
    struct dead_note n = {.offset = l->offset,
                          .time_ms = l->time_ms,
                          .written_ms = l->written_ms,
                          .epoch = l->epoch,
                          .count = l->count,
                          .err = l->err,
                          .topic = l->topic,
                          .reason = l->reason,
                          .expression = l->expression,
                          .column = l->column,
                          .key = l->key,
                          .raw = l->raw,
                          .mended = l->mended,
                          .cut = l->cut};
    n.major = cursor_be(&c, 8) ^ (uint64_t)INT64_MIN;
    n.partition = cursor_i32(&c);
    n.minor = cursor_i64(&c);
    n.topic_number = cursor_left(&c) ? (uint32_t)cursor_be(&c, 4) : 0;
    return n;
}

static bool is_part(struct slice part, struct slice whole)
{
    return !part.len || memmem(whole.at, whole.len, part.at, part.len) != NULL;
}

bool dead_fits(const struct dead_filter *w, const struct dead_letter *l)
{
    if (w->partition && *w->partition != l->partition) return false;
    if (w->offset && *w->offset != l->offset) return false;
    if (w->topic.len && !slice_equal(w->topic, l->topic)) return false;
    if (w->code.len && !slice_is(w->code, err_name(l->err))) return false;
    if (w->column.len && !slice_equal(w->column, l->column)) return false;
    if (w->place.len && !slice_equal(w->place, l->place)) return false;
    return is_part(w->reason, l->reason) && (!w->where || dead_where_fits(w->where, l));
}

/* --- walking ------------------------------------------------------------------------------------
 */

struct dead_walk {
    struct store *store;
    err_t (*each)(void *ctx, const struct dead_letter *l);
    void *ctx;
    struct stage_shown shown;
    struct diag *d;
    bool damaged;
};

/* With its stage's name as people know it; *gone: of an edition that is no more. */
static err_t show_letter(struct store *s, struct stage_shown *shown, struct dead_letter *l,
                         bool *gone, struct diag *d)
{
    err_t e = stage_show(s, l->under, shown, d);
    l->stage = stage_text_slice(&shown->name);
    *gone = !e && shown->gone;
    return e;
}

static err_t walk_letter(void *ctx, struct slice key, struct slice value)
{
    struct dead_walk *walk = ctx;
    struct dead_letter l;
    bool gone = false;
    err_t e = dead_read(key, value, &l);
    walk->damaged |= e != ERR_OK;
    if (!e) e = show_letter(walk->store, &walk->shown, &l, &gone, walk->d);
    return e || gone ? e : walk->each(walk->ctx, &l);
}

static err_t stage_named(struct store *s, struct slice stage, struct stage_key *k, struct diag *d)
{
    struct stage_text key;
    *k = (struct stage_key){.len = 0};
    if (!stage.len) return ERR_OK;
    err_t e = stage_key_find(s, stage, &key, d);
    if (!e) *k = stage_key(stage_text_slice(&key));
    return e;
}

static err_t walk_letters(struct store *s, struct slice stage, bool newest_first,
                          err_t (*each)(void *ctx, const struct dead_letter *l), void *ctx,
                          struct diag *d)
{
    struct dead_walk walk = {.store = s, .each = each, .ctx = ctx, .d = d};
    struct stage_key k;
    err_t e = stage_named(s, stage, &k, d);
    if (e) return e;
    e = (newest_first ? store_records_back : store_records)(
        s, NULL, STORE_DEAD, stage_key_slice(&k), (struct slice){0}, walk_letter, &walk, d);
    if (walk.damaged) return diag_fail(d, e, "a dead letter can not be read");
    return e;
}

err_t dead_letters(struct store *s, struct slice stage,
                   err_t (*each)(void *ctx, const struct dead_letter *l), void *ctx, struct diag *d)
{
    return walk_letters(s, stage, false, each, ctx, d);
}

err_t dead_letters_newest(struct store *s, struct slice stage,
                          err_t (*each)(void *ctx, const struct dead_letter *l), void *ctx,
                          struct diag *d)
{
    return walk_letters(s, stage, true, each, ctx, d);
}

struct finding {
    struct store *store;
    struct stage_shown shown;
    struct diag *d;
    const struct dead_filter *wanted;
    struct arena *arena;
    struct dead_letter *out;
    bool found, damaged;
};

static err_t find_letter(void *ctx, struct slice key, struct slice value)
{
    struct finding *f = ctx;
    struct dead_letter l;
    bool gone = false;
    err_t e = dead_read(key, value, &l);
    f->damaged = e != ERR_OK;
    if (!e) e = show_letter(f->store, &f->shown, &l, &gone, f->d);
    if (e || gone || !dead_fits(f->wanted, &l)) return e;
    struct slice stage = arena_slice(f->arena, l.stage);
    if (!stage.at) return ERR_NO_MEMORY;
    struct slice kept = arena_slice(f->arena, value), name = arena_slice(f->arena, key);
    if (!kept.at || !name.at) return ERR_NO_MEMORY;
    f->found = true;
    e = dead_read(name, kept, f->out);
    f->out->stage = stage;
    return e ? e : ERR_STOPPED;
}

static err_t dead_find(struct store *s, const struct dead_filter *w, struct slice beyond, bool back,
                       struct arena *a, struct dead_letter *out, struct diag *d)
{
    struct finding f = {.store = s, .wanted = w, .arena = a, .out = out, .d = d};
    struct stage_key k, from;
    err_t e = stage_named(s, w->stage, &k, d);
    if (e) return e;
    from = k;
    if (beyond.len > sizeof(from.at) - from.len)
        return diag_fail(d, ERR_USAGE, "no letter has such a place");
    if (beyond.at) memcpy(from.at + from.len, beyond.at, beyond.len);
    from.len += beyond.len;
    struct slice start = beyond.at ? stage_key_slice(&from) : (struct slice){0};
    e = (back ? store_records_back : store_records)(s, NULL, STORE_DEAD, stage_key_slice(&k), start,
                                                    find_letter, &f, d);
    if (f.found) return ERR_OK;
    if (f.damaged) return diag_fail(d, e, "a dead letter can not be read");
    return e ? e : ERR_NOT_FOUND;
}

err_t dead_next(struct store *s, const struct dead_filter *w, struct slice after, struct arena *a,
                struct dead_letter *out, struct diag *d)
{
    return dead_find(s, w, after, false, a, out, d);
}

err_t dead_before(struct store *s, const struct dead_filter *w, struct slice before,
                  struct arena *a, struct dead_letter *out, struct diag *d)
{
    return dead_find(s, w, before, true, a, out, d);
}
