#include "flow/edition.h"

#include <stddef.h>

/* of each of flow's records in the store: newer opens older */
enum {
    RECORD_VERSION = 3,
    VERSION_ONE = 1, /* one topic a stream, no event time */
    VERSION_TWO = 2  /* all that closes with an epoch is in it */
};

static const struct {
    const char *name;
    size_t at;
} terms[TERMS] = {
#define TERM(id, field) [TERM_##id] = {#field, offsetof(struct ledger, field)}
    TERM(IN, in),
    TERM(APPLIED, applied),
    TERM(FILTERED, filtered),
    TERM(DEDUPLICATED, deduplicated),
    TERM(LATE, late),
    TERM(DEAD, dead),
    TERM(EXPIRED, expired),
    TERM(HELD, held),
    TERM(ROWS_OUT, rows_out),
#undef TERM
};

const char *ledger_term_name(enum ledger_term t)
{
    return terms[t].name;
}

uint64_t *ledger_term(struct ledger *l, enum ledger_term t)
{
    return (uint64_t *)((char *)l + terms[t].at);
}

uint64_t ledger_value(const struct ledger *l, enum ledger_term t)
{
    return *(const uint64_t *)((const char *)l + terms[t].at);
}

void count_term(struct counter *c, enum ledger_term t, uint64_t n)
{
    if (c->skip != (int)t) *ledger_term(&c->now, t) += n;
}

uint64_t ledger_became(const struct ledger *l)
{
    uint64_t sum = 0;
    for (int t = TERM_APPLIED; t <= TERM_HELD; t++) sum += ledger_value(l, (enum ledger_term)t);
    return sum;
}

bool ledger_balanced(const struct ledger *l)
{
    return l->in == ledger_became(l);
}

void ledger_add(struct ledger *sum, const struct ledger *more)
{
    for (int t = 0; t < TERMS; t++)
        *ledger_term(sum, (enum ledger_term)t) += ledger_value(more, (enum ledger_term)t);
}

void ledger_put(struct buf *out, const struct ledger *l)
{
    for (int t = 0; t < TERMS; t++) buf_uvarint(out, ledger_value(l, (enum ledger_term)t));
}

void ledger_take(struct cursor *c, struct ledger *out)
{
    for (int t = 0; t < TERMS; t++) *ledger_term(out, (enum ledger_term)t) = cursor_uvarint(c);
}

err_t err_of_name(struct slice name)
{
    for (int e = 0; e < ERR_COUNT; e++)
        if (slice_is(name, err_name((err_t)e))) return (err_t)e;
    return ERR_INTERNAL; /* a name of another version */
}

/* --- keys --------------------------------------------------------------------------------------
 */

struct stage_key stage_key(struct slice stage)
{
    struct stage_key k = {.len = stage.len + 1};
    INVARIANT(stage.len > 0 && stage.len <= STAGE_KEY_MAX);
    memcpy(k.at, stage.at, stage.len);
    return k;
}

void stage_key_be(struct stage_key *k, uint64_t v, int bytes)
{
    INVARIANT(k->len + (uint32_t)bytes <= sizeof(k->at));
    for (int i = bytes - 1; i >= 0; i--) k->at[k->len++] = (uint8_t)(v >> (8 * i));
}

/* --- records -----------------------------------------------------------------------------------
 */

static struct cursor record_open(struct slice value, uint64_t *version)
{
    struct cursor c = cursor_of(value);
    *version = cursor_be(&c, 1);
    if (*version > RECORD_VERSION && !c.err) c.err = ERR_VERSION;
    return c;
}

struct stage_key cursor_key(struct slice stage, uint32_t topic, int32_t partition)
{
    struct stage_key k = stage_key(stage);
    stage_key_be(&k, (uint32_t)partition, 4);
    if (topic) stage_key_be(&k, topic, 4); /* the first one's keys are as old as streams are */
    return k;
}

void stream_cursor_put(struct buf *out, const struct stream_cursor *c)
{
    buf_be(out, RECORD_VERSION, 1);
    buf_put(out, c->topic_id, sizeof(c->topic_id));
    buf_be(out, (uint64_t)c->next, 8);
    buf_be(out, (uint64_t)c->last_write_us, 8);
    buf_be(out, (uint64_t)c->time_seen, 8);
}

err_t stream_cursor_take(struct slice value, struct stream_cursor *out)
{
    uint64_t version;
    struct cursor c = record_open(value, &version);
    struct slice id = cursor_slice(&c, sizeof(out->topic_id));
    if (!c.err) memcpy(out->topic_id, id.at, sizeof(out->topic_id));
    out->next = cursor_i64(&c);
    out->last_write_us = cursor_i64(&c);
    out->time_seen = version > VERSION_ONE ? cursor_i64(&c) : INT64_MIN;
    return c.err;
}

void epoch_record_put(struct buf *out, const struct epoch_record *r)
{
    buf_be(out, RECORD_VERSION, 1);
    buf_be(out, r->epoch, 8);
    buf_be(out, (uint64_t)r->now_ms, 8);
    buf_be(out, (uint64_t)r->watermark, 8);
    buf_be(out, r->sql_version, 8);
    buf_be(out, r->form, 1);
    ledger_put(out, &r->delta);
    buf_uvarint(out, r->range_count);
    for (uint32_t i = 0; i < r->range_count; i++) {
        buf_uvarint(out, r->ranges[i].topic);
        buf_uvarint(out, (uint64_t)r->ranges[i].partition);
        buf_uvarint(out, (uint64_t)r->ranges[i].from);
        buf_uvarint(out, (uint64_t)r->ranges[i].to - (uint64_t)r->ranges[i].from);
    }
    buf_be(out, (uint64_t)r->closing, 8);
    bytes_put(out, r->cut);
}

err_t epoch_record_take(struct slice value, struct arena *a, struct epoch_record *out)
{
    uint64_t version;
    struct cursor c = record_open(value, &version);
    *out = (struct epoch_record){.epoch = cursor_be(&c, 8), .closing = NO_CLOSING};
    out->now_ms = cursor_i64(&c);
    out->watermark = cursor_i64(&c);
    out->sql_version = cursor_be(&c, 8);
    out->form = (enum store_form)cursor_be(&c, 1);
    ledger_take(&c, &out->delta);
    uint64_t count = cursor_uvarint(&c);
    if (c.err) return c.err;
    if (count > cursor_left(&c) / 3) return ERR_SHORT; /* a range takes three bytes or more */
    struct epoch_range *ranges = arena_take(a, count * sizeof(*ranges));
    if (!ranges) return ERR_NO_MEMORY;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t topic = version > VERSION_ONE ? cursor_uvarint(&c) : 0;
        uint64_t partition = cursor_uvarint(&c), from = cursor_uvarint(&c);
        uint64_t records = cursor_uvarint(&c);
        if (topic > UINT32_MAX || partition > INT32_MAX || from > INT64_MAX ||
            records > INT64_MAX - from)
            return ERR_CORRUPT;
        ranges[i] = (struct epoch_range){(uint32_t)topic, (int32_t)partition, (int64_t)from,
                                         (int64_t)(from + records)};
    }
    out->ranges = ranges;
    out->range_count = (uint32_t)count;
    if (version <= VERSION_TWO) return c.err;
    out->closing = cursor_i64(&c);
    struct slice cut = bytes_take(&c); /* the value is the store's, the record outlives it */
    if (c.err || !cut.len) return c.err;
    out->cut = arena_slice(a, cut);
    return out->cut.at ? ERR_OK : ERR_NO_MEMORY;
}

void lane_ledger_put(struct buf *out, const struct lane_ledger *l)
{
    buf_be(out, RECORD_VERSION, 1);
    ledger_put(out, &l->total);
    buf_be(out, l->epoch, 8);
    buf_be(out, (uint64_t)l->commit_ms, 8);
    buf_be(out, (uint64_t)l->watermark, 8);
    buf_be(out, (uint64_t)l->last_write_us, 8);
    buf_be(out, (uint64_t)l->closing, 8);
}

err_t lane_ledger_take(struct slice value, struct lane_ledger *out)
{
    uint64_t version;
    struct cursor c = record_open(value, &version);
    *out = (struct lane_ledger){.watermark = INT64_MIN, .closing = NO_CLOSING};
    ledger_take(&c, &out->total);
    out->epoch = cursor_be(&c, 8);
    out->commit_ms = cursor_i64(&c);
    if (version > VERSION_ONE) {
        out->watermark = cursor_i64(&c);
        out->last_write_us = cursor_i64(&c);
    }
    if (version > VERSION_TWO) out->closing = cursor_i64(&c);
    return c.err;
}

/* --- numbers that stay -------------------------------------------------------------------------
 */

err_t number_load(struct store *s, struct slice key, uint64_t *out, struct diag *d)
{
    struct slice value;
    struct arena *a = arena_new(4096);
    if (!a) return diag_fail(d, ERR_NO_MEMORY, "no memory to read a number of flow's");
    err_t e = store_record(s, NULL, STORE_META, key, a, &value, d);
    if (e == ERR_NOT_FOUND) {
        *out = 0;
        e = ERR_OK;
    } else if (!e) {
        uint64_t version;
        struct cursor c = record_open(value, &version);
        *out = cursor_be(&c, 8);
        if (c.err) e = diag_fail(d, ERR_CORRUPT, "flow's number '%.*s'", SLICE_ARG(key));
    }
    arena_free(a);
    return e;
}

err_t number_write(struct store_write *w, struct slice key, uint64_t v)
{
    uint8_t space[16];
    struct buf value = buf_over(space, sizeof(space));
    buf_be(&value, RECORD_VERSION, 1);
    buf_be(&value, v, 8);
    return store_write_record(w, STORE_META, key, buf_view(&value));
}

struct stage_key number_key(const char *kind, struct slice name)
{
    struct stage_key k = stage_key(slice_of(kind));
    INVARIANT(k.len + name.len <= sizeof(k.at));
    if (name.len) memcpy(k.at + k.len, name.at, name.len);
    k.len += name.len;
    return k;
}

err_t stream_number(struct store *s, struct slice key, uint32_t *out, struct diag *d)
{
    struct stage_key mine = number_key("flow.stream", key),
                     last = number_key("flow.streams", SLICE(""));
    struct store_write *w = NULL;
    uint64_t number = 0, highest = 0;
    err_t e = number_load(s, stage_key_slice(&mine), &number, d);
    if (!e && !number) {
        e = number_load(s, stage_key_slice(&last), &highest, d);
        number = highest + 1;
        if (!e) e = store_write_begin(s, STORE_LIVE, KIB(64), &w, d);
        if (!e) e = number_write(w, stage_key_slice(&mine), number);
        if (!e) e = number_write(w, stage_key_slice(&last), number);
        if (!e)
            e = store_write_commit(w, d);
        else
            store_write_abort(w);
    }
    *out = (uint32_t)number;
    return e;
}

err_t stream_shape(struct store *s, struct slice key, uint64_t *out, struct diag *d)
{
    struct stage_key k = number_key("flow.shape", key);
    return number_load(s, stage_key_slice(&k), out, d);
}

const char *shape_trouble(uint64_t made_for, const struct plan_stream *p)
{
    uint64_t wanted = p->stateful ? p->shape : 0;
    if (made_for == wanted) return NULL;
    return made_for == SHAPE_NONE ? "half dropped by a reset that did not end"
           : made_for             ? "of another shape than the new SQL reads"
                                  : "not what the new SQL needs";
}

err_t stream_shape_write(struct store_write *w, struct slice key, uint64_t shape)
{
    struct stage_key k = number_key("flow.shape", key);
    return number_write(w, stage_key_slice(&k), shape);
}

err_t stage_generation(struct store *s, struct slice name, uint64_t *out, struct diag *d)
{
    struct stage_key k = number_key("flow.generation", name);
    return number_load(s, stage_key_slice(&k), out, d);
}

/* --- what people ask of a project that does not run --------------------------------------------
 */

struct ledger_sum {
    struct ledger *out;
    bool found;
};

static err_t sum_ledger(void *ctx, struct slice key, struct slice value)
{
    struct ledger_sum *sum = ctx;
    struct lane_ledger l;
    (void)key;
    err_t e = lane_ledger_take(value, &l);
    if (e) return e;
    ledger_add(sum->out, &l.total);
    sum->found = true;
    return ERR_OK;
}

err_t ledger_load(struct store *s, struct slice stage, struct ledger *out, struct diag *d)
{
    struct stage_text key;
    struct ledger_sum sum = {.out = out};
    *out = (struct ledger){0};
    err_t e = stage_key_find(s, stage, &key, d);
    if (e) return e;
    struct stage_key k = stage_key(stage_text_slice(&key));
    e = store_records(s, NULL, STORE_LEDGER, stage_key_slice(&k), (struct slice){0}, sum_ledger,
                      &sum, d);
    if (e) return e;
    return sum.found ? ERR_OK
                     : diag_fail(d, ERR_UNKNOWN_STREAM, "'%.*s' has committed nothing yet",
                                 SLICE_ARG(stage));
}

struct last_version {
    uint64_t epoch, version;
    struct arena *arena;
    bool found;
};

static err_t look_at_epoch(void *ctx, struct slice key, struct slice value)
{
    struct last_version *last = ctx;
    struct epoch_record r;
    (void)key;
    arena_reset(last->arena);
    err_t e = epoch_record_take(value, last->arena, &r);
    if (!e && (!last->found || r.epoch >= last->epoch)) {
        last->epoch = r.epoch;
        last->version = r.sql_version;
        last->found = true;
    }
    return e;
}

/* The sql_version of a stream's last epoch; ERR_NOT_FOUND where the log's retention took it too. */
static err_t last_version(struct store *s, struct slice key, uint64_t *version, struct diag *d)
{
    struct stage_key k = stage_key(key);
    struct last_version last = {.arena = arena_new(MIB(1))};
    if (!last.arena) return diag_fail(d, ERR_NO_MEMORY, "no memory to read an epoch");
    err_t e = store_records(s, NULL, STORE_EPOCH, stage_key_slice(&k), (struct slice){0},
                            look_at_epoch, &last, d);
    arena_free(last.arena);
    if (e) return e;
    *version = last.version;
    return last.found ? ERR_OK : ERR_NOT_FOUND;
}

err_t stream_change_of(struct store *s, const struct plan_stream *p, enum stream_change *out,
                       const char **why, struct diag *d)
{
    struct ledger l;
    uint64_t made_for = 0, version = 0;
    struct stage_text key;
    *out = STREAM_NEW;
    *why = NULL;
    err_t e = ledger_load(s, p->name, &l, d);
    bool begun = !e;
    if (e == ERR_UNKNOWN_STREAM) e = ERR_OK;
    if (!e) e = stage_key_find(s, p->name, &key, d);
    if (!e) e = stream_shape(s, stage_text_slice(&key), &made_for, d);
    if (e || !(begun || made_for == SHAPE_NONE)) return e;
    *why = shape_trouble(made_for, p);
    *out = STREAM_REBUILD;
    if (*why) return ERR_OK;
    e = last_version(s, stage_text_slice(&key), &version, d);
    *out = !e && version != p->sql_version ? STREAM_IN_PLACE : STREAM_SAME;
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}
