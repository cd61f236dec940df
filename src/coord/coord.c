#include "coord/coord_int.h"

enum {
    POSTS_MAX = 16,
    READ_AT_ONCE = 1 << 20,
    INTERNAL_MESSAGE_MAX = 32 << 20 /* a group of ten thousand members is one record */
};

#define OF_MEMBER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* --- requests and appends --------------------------------------------------------------------- */

static void request_came(struct loop_message *m)
{
    struct coord_request *r = OF_MEMBER(m, struct coord_request, message);
    if (r->coord->closing) {
        diag_fail(&r->diag, ERR_STOPPED, "the coordinators are closing");
        coord_answer(r, ERR_STOPPED);
    } else {
        r->run(r->coord, r);
    }
}

void coord_request_send(struct coord *c, struct coord_request *r,
                        void (*run)(struct coord *c, struct coord_request *r))
{
    r->coord = c;
    r->run = run;
    r->err = ERR_OK;
    r->diag = (struct diag){.err = ERR_OK};
    loop_send(c->loop, &r->message, request_came);
}

void coord_answer(struct coord_request *r, err_t e)
{
    r->err = e;
    r->done(r); /* may free it */
}

/* Nothing is out and nothing comes any more: the loop may end. */
static void stop_if_idle(struct coord *c)
{
    if (c->closing && c->appends_out == 0) loop_stop(c->loop);
}

static void append_is_back(struct loop_message *m)
{
    struct coord_append *a = OF_MEMBER(m, struct coord_append, message);
    struct coord *c = a->coord;
    c->appends_out--;
    a->done(c, a);
    stop_if_idle(c);
}

static void append_done(struct log_append *l)
{
    struct coord_append *a = OF_MEMBER(l, struct coord_append, log);
    loop_send(a->coord->loop, &a->message, append_is_back);
}

void coord_append(struct coord *c, struct coord_append *a)
{
    INVARIANT(loop_here(c->loop));
    a->coord = c;
    a->log.done = append_done;
    c->appends_out++;
    if (c->closing) {
        a->log.err = diag_fail(&a->log.diag, ERR_STOPPED, "the coordinators are closing");
        append_done(&a->log);
    } else {
        log_append(c->o.log, &a->log, clock_wall_ms());
    }
}

/* --- internal topics -------------------------------------------------------------------------- */

err_t coord_topic(struct coord *c, const char *name, int32_t partitions, struct log_topic **out,
                  struct diag *d)
{
    *out = log_topic_find(c->o.log, slice_of(name));
    if (*out) return ERR_OK;
    struct log_topic_config config = log_topic_defaults();
    config.compact = true;
    config.delete = false;
    config.retention_ms = config.retention_bytes = -1;
    config.message_max_bytes = INTERNAL_MESSAGE_MAX;
    err_t e = log_topic_create(c->o.log, slice_of(name), partitions, &config, out, d);
    if (e != ERR_EXISTS) return e;
    *out = log_topic_find(c->o.log, slice_of(name)); /* somebody else was quicker */
    return *out ? ERR_OK : e;
}

/* The next code point of UTF-8; what is none counts as U+FFFD, a byte at a time, as Java reads it.
 */
static uint32_t next_code_point(struct slice *s)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t *at = s->at;
    uint32_t size = at[0] < 0x80 ? 1 : at[0] < 0xC0 ? 0 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
    uint32_t point = size == 1 ? at[0] : size == 0 ? 0 : at[0] & (0x7Fu >> size);
    bool good = size > 0 && size <= s->len && at[0] < 0xF8;
    for (uint32_t i = 1; good && i < size; i++) {
        good = (at[i] & 0xC0) == 0x80;
        point = point << 6 | (at[i] & 0x3Fu);
    }
    good = good && point >= least[size] && point < 0x110000 && !(point >= 0xD800 && point < 0xE000);
    if (!good) size = 1;
    s->at += size;
    s->len -= size;
    return good ? point : 0xFFFD;
}

int32_t coord_partition_of(struct slice text, int32_t count)
{
    uint32_t hash = 0;
    while (text.len > 0) {
        uint32_t point = next_code_point(&text);
        if (point >= 0x10000) {
            hash = hash * 31 + (0xD800 + ((point - 0x10000) >> 10));
            point = 0xDC00 + ((point - 0x10000) & 0x3FF);
        }
        hash = hash * 31 + point;
    }
    if (hash == 0x80000000u) return 0; /* Utils.abs(Integer.MIN_VALUE) */
    return (hash & 0x80000000u ? (int32_t)(0u - hash) : (int32_t)hash) % count;
}

int32_t coord_utf16_length(struct slice text)
{
    int32_t length = 0;
    while (text.len > 0) length += next_code_point(&text) >= 0x10000 ? 2 : 1;
    return length;
}

/* --- reading an internal topic ---------------------------------------------------------------- */

enum { MARKER_ABORT, MARKER_COMMIT, ATTRIBUTE_CONTROL = 32 };

static err_t replay_marker(const struct coord_replay *how, const struct record_batch *b,
                           const struct record *r, struct diag *d)
{
    struct cursor key = cursor_of(r->key);
    int16_t version = cursor_i16(&key), type = cursor_i16(&key);
    if (key.err || version < 0) return diag_fail(d, ERR_CORRUPT, "a control record has no type");
    if (type != MARKER_ABORT && type != MARKER_COMMIT)
        return ERR_OK; /* of a kind we do not write */
    return how->marker(how->ctx, b, type == MARKER_COMMIT, d);
}

static err_t replay_batch(const struct coord_replay *how, const struct record_batch *b,
                          int64_t start, struct arena *a, struct diag *d)
{
    struct record_reader reader;
    struct record r;
    arena_reset(a);
    err_t e = record_batch_open(b, a, RECORD_BATCH_OPENED_MAX, &reader);
    while (!e && !(e = record_next(&reader, &r))) {
        if (r.offset < start) continue;
        e = b->attributes & ATTRIBUTE_CONTROL ? replay_marker(how, b, &r, d)
                                              : how->record(how->ctx, b, &r, d);
        if (e) return e; /* theirs, or told */
    }
    if (e == ERR_NOT_FOUND) return ERR_OK;
    return diag_fail(d, e, "the batch at offset %lld can not be read", (long long)b->base_offset);
}

static err_t replay_bytes(const struct coord_replay *how, struct slice bytes, int64_t start,
                          struct arena *a, int64_t *next, struct diag *d)
{
    while (bytes.len > 0) {
        struct record_batch b;
        err_t e = record_batch_read(bytes, true, &b);
        if (e) return diag_fail(d, e, "no batch stands at offset %lld", (long long)*next);
        e = replay_batch(how, &b, start, a, d);
        if (e) return e;
        *next = b.base_offset + b.last_offset_delta + 1;
        bytes.at += record_batch_size(&b);
        bytes.len -= (uint32_t)record_batch_size(&b);
    }
    return ERR_OK;
}

err_t coord_replay(struct log_partition *p, const struct coord_replay *how, struct diag *d)
{
    struct buf bytes = buf_make(READ_AT_ONCE + RECORD_BATCH_MAX + RECORD_PADDING);
    struct arena *a = arena_new(RECORD_BATCH_OPENED_MAX + RECORD_BATCH_MAX);
    int64_t start = log_start_offset(p), next = start, end = log_end_offset(p);
    err_t e = a ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "an internal topic can not be read");
    while (!e && next < end) {
        int64_t before = next;
        buf_reset(&bytes);
        e = log_read(p, next, READ_AT_ONCE, &bytes, d);
        if (!e) e = replay_bytes(how, buf_view(&bytes), start, a, &next, d);
        if (!e && next == before) break; /* nothing but a hole up to the end */
    }
    arena_free(a);
    buf_done(&bytes);
    return e;
}

/* --- opening and closing ---------------------------------------------------------------------- */

static void coord_begins(struct loop_message *m)
{
    struct coord *c = OF_MEMBER(m, struct coord, start);
    groups_begin(c);
    txns_begin(c);
}

static void coord_stops(struct loop_message *m)
{
    struct coord *c = OF_MEMBER(m, struct coord, stop);
    c->closing = true;
    txns_stop(c);
    groups_stop(c);
    stop_if_idle(c);
}

static void coord_runs(void *arg)
{
    loop_run(((struct coord *)arg)->loop);
}

static void fill_defaults(struct coord_options *o)
{
    static const int64_t minute = 60000, day = 24 * 60 * minute;
    if (!o->session_min_ms) o->session_min_ms = 6000;
    if (!o->session_max_ms) o->session_max_ms = 30 * minute;
    if (!o->offsets_retention_ms) o->offsets_retention_ms = 7 * day;
    if (!o->group_max_size) o->group_max_size = GROUP_MEMBERS_MAX;
    if (!o->offsets_partitions) o->offsets_partitions = 8;
    if (!o->txn_partitions) o->txn_partitions = 8;
    if (!o->txn_timeout_max_ms) o->txn_timeout_max_ms = 15 * minute;
    if (!o->txn_id_expiration_ms) o->txn_id_expiration_ms = 7 * day;
}

static void coord_free(struct coord *c)
{
    txns_free(c);
    groups_free(c);
    loop_timer_free(c->alarm);
    loop_free(c->loop);
    mem_give(c);
}

static err_t coord_parts_open(struct coord *c, struct diag *d)
{
    err_t e = loop_new("coord", POSTS_MAX, &c->loop, d);
    if (e) return e;
    if (loop_timer_new(c->loop, 0, 0, coord_alarm_rings, c, &c->alarm))
        return diag_fail(d, ERR_NO_MEMORY, "the coordinators can not start");
    e = groups_open(c, d);
    if (e) return e;
    e = txns_open(c, d);
    if (e) return e;
    loop_send(c->loop, &c->start, coord_begins);
    return thread_start(&c->thread, "coord", coord_runs, c, d);
}

err_t coord_open(const struct coord_options *o, struct coord **out, struct diag *d)
{
    struct coord *c = mem_take(sizeof(*c));
    if (!c) return diag_fail(d, ERR_NO_MEMORY, "the coordinators can not start");
    c->o = *o;
    c->alarm_ms = INT64_MAX;
    fill_defaults(&c->o);
    err_t e = coord_parts_open(c, d);
    if (e)
        coord_free(c);
    else
        *out = c;
    return e;
}

void coord_close(struct coord *c)
{
    if (!c) return;
    loop_send(c->loop, &c->stop, coord_stops);
    thread_join(&c->thread);
    coord_free(c);
}

struct loop *coord_loop(struct coord *c)
{
    return c->loop;
}
