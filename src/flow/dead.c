#include "flow/flow_int.h"

enum { DEAD_VERSION = 1, DEAD_NO_KEY = 1, DEAD_CUT = 2, DEAD_TEXT_MAX = 64 << 10 };

static struct slice cut_at(struct slice s, uint32_t most)
{
    return slice_make(s.at, MIN(s.len, most));
}

/* A letter's key stands on its record alone, so that a replay writes the same letter again (F6).
 * The time leads, its sign flipped, so that the newest stands last. */
err_t dead_write(struct store_write *w, struct slice stage, const struct dead_note *n,
                 struct buf *scratch, struct diag *d)
{
    struct stage_key k = stage_key(stage);
    stage_key_be(&k, n->major ^ (uint64_t)INT64_MIN, 8);
    stage_key_be(&k, (uint32_t)n->partition, 4);
    stage_key_be(&k, (uint64_t)n->minor, 8);
    bool cut = n->raw.len > DEAD_RAW_MAX;
    buf_reset(scratch);
    buf_be(scratch, DEAD_VERSION, 1);
    buf_be(scratch, (n->key.at ? 0 : DEAD_NO_KEY) | (cut ? DEAD_CUT : 0), 1);
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
    if (scratch->err) return diag_fail(d, scratch->err, "a dead letter's bytes");
    return store_write_record(w, STORE_DEAD, stage_key_slice(&k), buf_view(scratch));
}

struct dead_walk {
    err_t (*each)(void *ctx, const struct dead_letter *l);
    void *ctx;
    bool damaged;
};

static err_t read_letter(void *ctx, struct slice key, struct slice value)
{
    struct dead_walk *walk = ctx;
    struct dead_letter l = {0};
    struct cursor c = cursor_of(value);
    if (cursor_be(&c, 1) > DEAD_VERSION) c.err = ERR_VERSION;
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
    if (flags & DEAD_NO_KEY) l.key = (struct slice){0};
    const uint8_t *end = key.len ? memchr(key.at, 0, key.len) : NULL;
    if (c.err || !end) {
        walk->damaged = true;
        return c.err == ERR_VERSION ? ERR_VERSION : ERR_CORRUPT;
    }
    l.stage = slice_make(key.at, (size_t)(end - key.at));
    return walk->each(walk->ctx, &l);
}

err_t dead_letters(struct store *s, struct slice stage,
                   err_t (*each)(void *ctx, const struct dead_letter *l), void *ctx, struct diag *d)
{
    struct dead_walk walk = {each, ctx, false};
    struct stage_key k = {.len = 0};
    if (stage.len) k = stage_key(stage);
    err_t e = store_records(s, NULL, STORE_DEAD, stage_key_slice(&k), (struct slice){0},
                            read_letter, &walk, d);
    if (walk.damaged) return diag_fail(d, e, "a dead letter can not be read");
    return e;
}
