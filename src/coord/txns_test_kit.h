/* What the transactions' tests share: a log and the coordinators in a directory of the test's own,
 * requests that are waited for, a producer, and a reader of what is committed. */
#pragma once
#include "coord/txns_int.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { KIT_PARTITIONS = 2, KIT_TIMEOUT_MS = 60000, KIT_DEADLINE_MS = 20000 };

struct kit {
    char dir[600];
    struct coord_options o;
    struct log *log;
    struct coord *c;
};

static inline void kit_start(struct kit *k)
{
    struct diag d = {0};
    CHECK_OK(log_open(&(struct log_options){.dir = k->dir}, clock_wall_ms(), &k->log, &d), &d);
    INVARIANT(k->log);
    k->o.log = k->log;
    CHECK_OK(coord_open(&k->o, &k->c, &d), &d);
    INVARIANT(k->c);
}

static inline void kit_stop(struct kit *k)
{
    coord_close(k->c);
    log_close(k->log);
    k->c = NULL;
    k->log = NULL;
}

static inline void kit_topic(struct kit *k, const char *name, int32_t partitions)
{
    struct diag d = {0};
    struct log_topic *made;
    struct log_topic_config c = log_topic_defaults();
    CHECK_OK(log_topic_create(k->log, slice_of(name), partitions, &c, &made, &d), &d);
}

static inline struct kit kit_open_with(struct coord_options o)
{
    struct kit k = {.o = o};
    static int number;
    say_to(-1);
    if (!k.o.txn_partitions) k.o.txn_partitions = 2;
    if (!k.o.offsets_partitions) k.o.offsets_partitions = 2;
    snprintf(k.dir, sizeof(k.dir), "%s/txns-%d", test_dir(), ++number);
    kit_start(&k);
    kit_topic(&k, "a", KIT_PARTITIONS);
    kit_topic(&k, "b", KIT_PARTITIONS);
    return k;
}

static inline struct kit kit_open(void)
{
    return kit_open_with((struct coord_options){0});
}

static inline void kit_reopen(struct kit *k)
{
    kit_stop(k);
    kit_start(k);
}

static inline void kit_run(const char *fmt, const char *a, const char *b)
{
    char command[2048];
    snprintf(command, sizeof(command), fmt, a, b);
    INVARIANT(system(command) == 0);
}

/* What a kill leaves: the files as they are now, opened in another place. */
static inline void kit_crash(struct kit *k)
{
    char copy[600];
    static int copies;
    snprintf(copy, sizeof(copy), "%s/crash-%d", test_dir(), ++copies);
    kit_run("cp -r '%s' '%s'", k->dir, copy);
    kit_stop(k);
    kit_run("rm -rf '%s'%s", k->dir, "");
    memcpy(k->dir, copy, sizeof(copy));
    kit_start(k);
}

static inline struct log_partition *kit_partition(const struct kit *k, const char *topic, int32_t i)
{
    struct log_topic *t = log_topic_find(k->log, slice_of(topic));
    return t ? log_partition(t, i) : NULL;
}

/* --- requests that are waited for ------------------------------------------------------------- */

struct waited {
    struct gate gate;
    bool over;
};

static inline void waited_done(struct coord_request *r)
{
    struct waited *w = r->arg;
    gate_enter(&w->gate);
    w->over = true;
    gate_wake(&w->gate);
    gate_leave(&w->gate);
}

static inline struct waited *waited_new(struct coord_request *r, struct arena *a)
{
    struct waited *w = calloc(1, sizeof(*w));
    INVARIANT(w);
    gate_init(&w->gate);
    *r = (struct coord_request){.done = waited_done, .arg = w, .arena = a};
    return w;
}

static inline bool waited_over(struct waited *w)
{
    gate_enter(&w->gate);
    bool over = w->over;
    gate_leave(&w->gate);
    return over;
}

static inline void waited_for(struct waited *w)
{
    gate_enter(&w->gate);
    for (int64_t left = KIT_DEADLINE_MS; !w->over && left > 0; left -= 10)
        gate_wait_ms(&w->gate, 10);
    bool over = w->over;
    gate_leave(&w->gate);
    INVARIANT(over); /* an answer that never comes: nothing can go on */
    gate_done(&w->gate);
    free(w);
}

struct who {
    const char *id;
    int64_t pid;
    int16_t epoch;
    int32_t sequence[2][KIT_PARTITIONS]; /* by topic and partition */
};

static inline err_t kit_init_as(struct kit *k, struct who *w, int32_t timeout_ms, int64_t pid,
                                int16_t epoch)
{
    struct txn_init r = {.id = w->id ? slice_of(w->id) : (struct slice){0},
                         .timeout_ms = timeout_ms,
                         .producer_id = pid,
                         .producer_epoch = epoch};
    struct waited *done = waited_new(&r.head, NULL);
    txn_init(k->c, &r);
    waited_for(done);
    if (r.head.err) return r.head.err;
    w->pid = r.new_id;
    w->epoch = r.new_epoch;
    memset(w->sequence, 0, sizeof(w->sequence));
    return ERR_OK;
}

static inline err_t kit_init(struct kit *k, struct who *w)
{
    return kit_init_as(k, w, KIT_TIMEOUT_MS, -1, -1);
}

static inline err_t kit_add_as(struct kit *k, const struct who *w, enum txn_add_kind kind,
                               struct txn_partition *partitions, uint32_t count)
{
    struct txn_add r = {.kind = kind,
                        .id = slice_of(w->id),
                        .producer_id = w->pid,
                        .producer_epoch = w->epoch,
                        .partitions = partitions,
                        .count = count};
    struct waited *done = waited_new(&r.head, NULL);
    txn_add_partitions(k->c, &r);
    waited_for(done);
    return r.head.err;
}

static inline err_t kit_add(struct kit *k, const struct who *w, enum txn_add_kind kind,
                            const char *topic, int32_t index)
{
    struct txn_partition p = {slice_of(topic), index, ERR_OK};
    err_t e = kit_add_as(k, w, kind, &p, 1);
    return e ? e : p.err;
}

static inline err_t kit_add_offsets(struct kit *k, const struct who *w, enum txn_add_kind kind,
                                    const char *group)
{
    struct txn_add_group r = {.kind = kind,
                              .id = slice_of(w->id),
                              .group = slice_of(group),
                              .producer_id = w->pid,
                              .producer_epoch = w->epoch};
    struct waited *done = waited_new(&r.head, NULL);
    txn_add_offsets(k->c, &r);
    waited_for(done);
    return r.head.err;
}

/* `bump`: the producer goes on with what the answer says, as a client of EndTxn 5 does. */
static inline err_t kit_end(struct kit *k, struct who *w, bool commit, bool bump)
{
    struct txn_end r = {.id = slice_of(w->id),
                        .producer_id = w->pid,
                        .producer_epoch = w->epoch,
                        .commit = commit,
                        .bump = bump};
    struct waited *done = waited_new(&r.head, NULL);
    txn_end(k->c, &r);
    waited_for(done);
    if (r.head.err || !bump) return r.head.err;
    w->pid = r.new_id;
    w->epoch = r.new_epoch;
    memset(w->sequence, 0, sizeof(w->sequence));
    return ERR_OK;
}

struct described {
    err_t err;
    enum txn_state state;
    int64_t producer_id, start_ms;
    int16_t epoch;
    int32_t timeout_ms;
    uint32_t count;
    char partitions[200]; /* "a-0 a-1" */
};

static inline struct described kit_describe(struct kit *k, const char *id)
{
    struct arena *a = arena_new(MIB(4));
    struct txn_describe r = {.id = slice_of(id)};
    struct waited *done = waited_new(&r.head, a);
    txn_describe(k->c, &r);
    waited_for(done);
    struct described d = {r.head.err,       r.state,      r.producer_id, r.start_ms,
                          r.producer_epoch, r.timeout_ms, r.count,       ""};
    struct buf names = buf_over(d.partitions, sizeof(d.partitions) - 1);
    for (uint32_t i = 0; i < r.count; i++)
        buf_printf(&names, "%s%.*s-%d", i ? " " : "", SLICE_ARG(r.partitions[i].topic),
                   r.partitions[i].index);
    arena_free(a);
    return d;
}

/* The transaction's state when it is not on its way from one to another. */
static inline enum txn_state kit_settled(struct kit *k, const char *id)
{
    struct described d = {0};
    for (int i = 0; i < KIT_DEADLINE_MS; i++) {
        d = kit_describe(k, id);
        if (d.err || !txn_ending(d.state)) return d.err ? TXN_DEAD : d.state;
        usleep(500);
    }
    test_failed(__FILE__, __LINE__, "'%s' stays in state %s", id, txn_state_name(d.state));
    return d.state;
}

/* --- writing and reading ---------------------------------------------------------------------- */

/* One transactional record, whose value is a number. */
static inline err_t kit_put(struct kit *k, struct who *w, const char *topic, int32_t index,
                            int64_t value)
{
    struct log_partition *p = kit_partition(k, topic, index);
    int32_t *sequence = &w->sequence[topic[0] != 'a'][index];
    struct record_builder b = record_builder_make(KIB(4));
    struct buf out = buf_make(KIB(4));
    uint8_t bytes[8];
    int64_t at;
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(value >> (56 - 8 * i));
    record_builder_add(&b, clock_wall_ms(), (struct slice){0}, slice_make(bytes, 8), NULL, 0);
    struct record_batch_options o = {.producer_id = w->pid,
                                     .producer_epoch = w->epoch,
                                     .base_sequence = *sequence,
                                     .transactional = true};
    CHECK_OK(record_builder_finish(&b, &o, &out), NULL);
    err_t e = log_append_wait(k->log, p, out.at, out.len, clock_wall_ms(), &at, NULL);
    if (!e) (*sequence)++;
    record_builder_done(&b);
    buf_done(&out);
    return e;
}

static inline bool kit_aborted(const struct vec *aborted, const struct record_batch *b)
{
    for (size_t i = 0; i < aborted->count; i++) {
        const struct log_aborted *a = vec_at(aborted, i);
        if (a->producer_id == b->producer_id && a->first_offset <= b->base_offset &&
            b->base_offset <= a->last_offset)
            return true;
    }
    return false;
}

static inline void kit_read_batch(const struct record_batch *b, struct arena *a, struct vec *out)
{
    struct record_reader reader;
    struct record r;
    CHECK_OK(record_batch_open(b, a, MIB(1), &reader), NULL);
    while (record_next(&reader, &r) == ERR_OK) {
        struct cursor c = cursor_of(r.value);
        int64_t value = cursor_i64(&c);
        CHECK_OK(c.err, NULL);
        CHECK_OK(vec_push(out, &value), NULL);
    }
}

/* What a consumer with read_committed gets of one partition, into `out` (int64_t), as Kafka's
 * clients decide it: up to the stable offset, without the batches of aborted transactions. */
static inline void kit_read(struct kit *k, const char *topic, int32_t index, struct vec *out)
{
    struct log_partition *p = kit_partition(k, topic, index);
    int64_t at = log_start_offset(p), stable = log_stable_offset(p);
    struct vec aborted = vec_make(sizeof(struct log_aborted), 100000);
    struct arena *a = arena_new(MIB(4));
    struct buf bytes = buf_make(MIB(2));
    struct diag d = {0};
    CHECK_OK(log_aborted(p, at, stable, &aborted, &d), &d);
    while (at < stable) {
        struct record_batch b;
        buf_reset(&bytes);
        CHECK_OK(log_read(p, at, KIB(256), &bytes, &d), &d);
        for (size_t i = 0; i < bytes.len && at < stable; i += record_batch_size(&b)) {
            CHECK_OK(record_batch_read(slice_make(bytes.at + i, bytes.len - i), true, &b), NULL);
            at = b.base_offset + b.last_offset_delta + 1;
            if (b.base_offset >= stable || (b.attributes & 32)) continue;
            if (!kit_aborted(&aborted, &b)) kit_read_batch(&b, a, out);
        }
        if (bytes.len == 0) break;
        arena_reset(a);
    }
    buf_done(&bytes);
    arena_free(a);
    vec_done(&aborted);
}

/* "1 2 3": what is committed in a partition. */
static inline const char *kit_committed(struct kit *k, const char *topic, int32_t index)
{
    static char text[4][1000];
    static int turn;
    char *out = text[turn++ % 4];
    struct vec values = vec_make(sizeof(int64_t), 1000);
    struct buf b = buf_over(out, 999);
    kit_read(k, topic, index, &values);
    memset(out, 0, 1000);
    for (size_t i = 0; i < values.count; i++)
        buf_printf(&b, "%s%lld", i ? " " : "", (long long)*(int64_t *)vec_at(&values, i));
    vec_done(&values);
    return out;
}

/* A whole small transaction of values, one in each partition of the two topics. */
static inline void kit_spread(struct kit *k, struct who *w, int64_t value)
{
    for (int i = 0; i < 2 * KIT_PARTITIONS; i++) {
        const char *topic = i < KIT_PARTITIONS ? "a" : "b";
        CHECK_OK(kit_add(k, w, TXN_ADD_IMPLICIT, topic, i % KIT_PARTITIONS), NULL);
        CHECK_OK(kit_put(k, w, topic, i % KIT_PARTITIONS, value), NULL);
    }
}
