/* What the tests of compaction share: batches of keyed records, a reader that follows the log as a
 * client with isolation.level=read_committed does, and what it finds: the last value of each key.
 */
#pragma once
#include "log/compact.h"
#include "log/log_test_kit.h"

struct pair { /* one record; value 0: a tombstone */
    int key, value;
};

struct keyed {
    const struct pair *pairs;
    int count;
    enum codec codec;
    int64_t pid; /* 0: none */
    int16_t epoch;
    int32_t seq;
    bool transactional;
    int64_t ms;
};

static inline struct buf keyed_batch(struct keyed w)
{
    struct record_builder b = record_builder_make(MIB(16));
    struct buf out = buf_make(MIB(16));
    bool named = w.pid != 0;
    for (int i = 0; i < w.count; i++) {
        char key[32], value[64];
        snprintf(key, sizeof(key), "key-%d", w.pairs[i].key);
        snprintf(value, sizeof(value), "value-%d-%030d", w.pairs[i].value, w.pairs[i].key);
        struct slice v = w.pairs[i].value ? slice_of(value) : (struct slice){0};
        record_builder_add(&b, w.ms + i, slice_of(key), v, NULL, 0);
    }
    struct record_batch_options o = {.codec = w.codec,
                                     .producer_id = named ? w.pid : -1,
                                     .producer_epoch = named ? w.epoch : (int16_t)-1,
                                     .base_sequence = named ? w.seq : -1,
                                     .transactional = w.transactional};
    CHECK_OK(record_builder_finish(&b, &o, &out), NULL);
    record_builder_done(&b);
    return out;
}

static inline int64_t append_keyed(struct fixture *f, struct keyed w)
{
    struct buf b = keyed_batch(w);
    int64_t at = -1;
    struct diag d = {0};
    err_t e = log_append_wait(f->log, f->p, b.at, b.len, f->now_ms, &at, &d);
    buf_done(&b);
    return e ? -(int64_t)e : at;
}

static inline int64_t put(struct fixture *f, int key, int value)
{
    return append_keyed(f, (struct keyed){.pairs = &(struct pair){key, value}, .count = 1});
}

static inline struct log_topic_config compacted(uint64_t segment_bytes)
{
    struct log_topic_config c = log_topic_defaults();
    c.compact = true;
    c.delete = false;
    c.segment_bytes = segment_bytes;
    c.min_cleanable_ratio = 0;
    return c;
}

static inline struct fixture compacted_open(const char *name, uint64_t segment_bytes)
{
    return fixture_open_with(name, (struct log_options){.clean_backoff_ms = -1},
                             compacted(segment_bytes));
}

/* Rounds until nothing is due; how many there were. */
static inline int clean_all(struct fixture *f, int64_t now_ms)
{
    struct diag d = {0};
    int rounds = 0;
    for (bool cleaned = true; cleaned && rounds < 1000; rounds += cleaned)
        CHECK_OK(log_clean(f->p, now_ms, &cleaned, &d), &d);
    return rounds;
}

/* --- a reader that sees what is committed ----------------------------------------------------- */

enum { FOUND_KEYS = 512 };
struct found {
    int value[FOUND_KEYS];      /* 0: none, or a tombstone was last */
    int64_t offset[FOUND_KEYS]; /* of the last record; -1: none at all */
    int records, batches, empty_batches, markers, tombstones;
    int64_t last_offset;
    /* each record, committed or not */
    void (*each)(void *ctx, const struct record *r, bool committed);
    void *ctx;
};

static inline void found_record(struct found *o, const struct record *r, bool committed)
{
    int key = -1, value = 0;
    char text[128];
    CHECK(slice_to_cstr(r->key, text, sizeof(text)) && sscanf(text, "key-%d", &key) == 1);
    if (!r->value_null)
        CHECK(slice_to_cstr(r->value, text, sizeof(text)) &&
              sscanf(text, "value-%d-", &value) == 1);
    INVARIANT(key >= 0 && key < FOUND_KEYS);
    if (o->each) o->each(o->ctx, r, committed);
    if (!committed) return;
    o->records++;
    o->tombstones += r->value_null;
    o->value[key] = value;
    o->offset[key] = r->offset;
}

struct follower {
    struct vec aborted; /* struct log_aborted */
    size_t next;
    int64_t hidden[64]; /* producers whose transaction is aborted */
    int hidden_count;
};

static inline bool follow(struct follower *w, const struct record_batch *b, bool *marker)
{
    int64_t last = b->base_offset + b->last_offset_delta;
    struct marker m = {0};
    for (; w->next < w->aborted.count; w->next++) {
        const struct log_aborted *a = vec_at(&w->aborted, w->next);
        if (a->first_offset > last) break;
        w->hidden[w->hidden_count++] = a->producer_id;
    }
    *marker = b->attributes & BATCH_CONTROL;
    int at = 0;
    while (at < w->hidden_count && w->hidden[at] != b->producer_id) at++;
    bool hidden = at < w->hidden_count;
    if (*marker && marker_read(b, &m) && !m.commit && hidden)
        w->hidden[at] = w->hidden[--w->hidden_count];
    return (b->attributes & BATCH_TRANSACTIONAL) && hidden;
}

static inline void found_batch(struct found *o, struct follower *w, const struct record_batch *b,
                               bool decided, struct arena *arena)
{
    struct record_reader reader;
    struct record record;
    bool marker, hidden = follow(w, b, &marker);
    o->batches++;
    o->empty_batches += b->count == 0;
    o->markers += marker && b->count > 0;
    CHECK(b->base_offset > o->last_offset);
    o->last_offset = b->base_offset + b->last_offset_delta;
    if (marker) return;
    arena_reset(arena);
    CHECK_OK(record_batch_open(b, arena, MIB(64), &reader), NULL);
    err_t e;
    while (!(e = record_next(&reader, &record))) found_record(o, &record, decided && !hidden);
    CHECK_INT(e, ERR_NOT_FOUND);
}

static inline void find_into(struct fixture *f, struct found *o)
{
    struct follower w = {.aborted = vec_make(sizeof(struct log_aborted), 100000)};
    struct buf got = buf_make(MIB(70));
    struct arena *arena = arena_new(MIB(64));
    struct diag d = {0};
    int64_t at = log_start_offset(f->p), end = log_end_offset(f->p),
            stable = log_stable_offset(f->p);
    for (int i = 0; i < FOUND_KEYS; i++) o->offset[i] = -1, o->value[i] = 0;
    o->last_offset = -1;
    CHECK_OK(log_aborted(f->p, at, stable, &w.aborted, &d), &d);
    while (at < end) {
        struct record_batch b;
        int64_t before = at;
        buf_reset(&got);
        CHECK_OK(log_read(f->p, at, 3000, &got, &d), &d);
        for (size_t i = 0; i < got.len; i += record_batch_size(&b)) {
            err_t e = record_batch_read(slice_make(got.at + i, got.len - i), true, &b);
            if (e) test_not_ok(__FILE__, __LINE__, "record_batch_read", e, NULL);
            if (e) break;
            found_batch(o, &w, &b, b.base_offset < stable, arena);
            at = b.base_offset + b.last_offset_delta + 1;
        }
        if (at == before) break; /* a hole up to the end */
    }
    vec_done(&w.aborted);
    arena_free(arena);
    buf_done(&got);
}

static inline struct found find(struct fixture *f)
{
    struct found o = {0};
    find_into(f, &o);
    return o;
}
