/* What the log's tests share: a log with one topic, batches made byte by byte from Kafka's
 * description (not by our own builder), and a look at the files. */
#pragma once
#include "log/log_int.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct batch_want {
    int count;       /* records, claimed: the log never opens them */
    uint32_t size;   /* of the records; at least 7 a record */
    int64_t ms, pid; /* pid 0: none */
    int16_t epoch;
    int32_t seq;
    uint8_t fill;
    uint16_t attributes; /* 16: transactional */
};

static inline void batch_mend(uint8_t *at, size_t len)
{
    struct buf b = buf_over(at, len);
    b.len = len;
    buf_set_be(&b, 17, crc32c(0, at + 21, len - 21), 4);
}

static inline struct buf batch_make(struct batch_want w)
{
    struct buf b = buf_make(MIB(65));
    uint32_t size = MAX(w.size, (uint32_t)w.count * 7);
    bool named = w.pid != 0;
    buf_be(&b, 0, 8);         /* base offset */
    buf_be(&b, 49 + size, 4); /* length */
    buf_be(&b, 0, 4);         /* leader epoch */
    buf_be(&b, 2, 1);         /* magic */
    buf_be(&b, 0, 4);         /* crc */
    buf_be(&b, w.attributes, 2);
    buf_be(&b, (uint64_t)w.count - 1, 4);
    buf_be(&b, (uint64_t)w.ms, 8);
    buf_be(&b, (uint64_t)w.ms, 8);
    buf_be(&b, named ? (uint64_t)w.pid : UINT64_MAX, 8);
    buf_be(&b, named ? (uint64_t)w.epoch : UINT64_MAX, 2);
    buf_be(&b, named ? (uint64_t)w.seq : UINT64_MAX, 4);
    buf_be(&b, (uint64_t)w.count, 4);
    uint8_t *records = buf_grow(&b, size);
    INVARIANT(records != NULL);
    for (uint32_t i = 0; i < size; i++) records[i] = (uint8_t)(i * 31 + w.fill + 1);
    batch_mend(b.at, b.len);
    return b;
}

/* fault_test.c: a system call of this program fails. */
struct fault {
    int64_t countdown; /* the call that fails; 0: none */
    int error;
    bool fired, torn; /* a write is half done before it fails */
    bool sticky;      /* and all later ones, until it is lifted */
};
extern struct fault fault;
void fault_lift(void);

struct fixture {
    char dir[600];
    char topic_name[32];
    struct log_options options;
    struct log *log;
    struct log_topic *topic;
    struct log_partition *p;
    int64_t now_ms;
};

static inline void fixture_reopen(struct fixture *f)
{
    struct diag d = {0};
    if (f->log) log_close(f->log);
    f->log = NULL;
    CHECK_OK(log_open(&f->options, f->now_ms, &f->log, &d), &d);
    INVARIANT(f->log != NULL);
    f->topic = log_topic_find(f->log, slice_of(f->topic_name));
    f->p = f->topic ? log_partition(f->topic, 0) : NULL;
}

static inline struct fixture fixture_open_with(const char *name, struct log_options o,
                                               struct log_topic_config c)
{
    struct fixture f = {.options = o, .now_ms = 1};
    struct diag d = {0};
    static bool quiet;
    if (!quiet) say_to(-1); /* damage is said aloud: not over the test's own lines */
    quiet = true;
    snprintf(f.dir, sizeof(f.dir), "%s/log", test_dir());
    snprintf(f.topic_name, sizeof(f.topic_name), "%s", name);
    CHECK_OK(log_open(&(struct log_options){.dir = f.dir}, 1, &f.log, &d), &d);
    INVARIANT(f.log != NULL);
    CHECK_OK(log_topic_create(f.log, slice_of(name), 1, &c, &f.topic, &d), &d);
    log_close(f.log);
    f.log = NULL;
    f.options.dir = mem_text(slice_of(f.dir));
    fixture_reopen(&f);
    return f;
}

static inline struct fixture fixture_open_sized(const char *name, uint64_t segment_bytes)
{
    struct log_topic_config c = log_topic_defaults();
    c.segment_bytes = segment_bytes;
    return fixture_open_with(name, (struct log_options){0}, c);
}

static inline struct fixture fixture_open(const char *name)
{
    return fixture_open_sized(name, 0);
}

static inline void fixture_close_log(struct fixture *f)
{
    log_close(f->log);
    f->log = NULL;
}

static inline void fixture_close(struct fixture *f)
{
    if (f->log) fixture_close_log(f);
    mem_give((void *)f->options.dir);
}

static inline const char *fixture_path(const struct fixture *f, const char *file, char out[1024])
{
    snprintf(out, 1024, "%s/%s-0/%s", f->options.dir, f->topic_name, file);
    return out;
}

/* What a kill leaves: the files as the kernel has them now, under another name, opened there. The
 * log that wrote them goes on, and is closed. */
static inline void fixture_crash(struct fixture *f)
{
    char command[2048], copy[640];
    static int copies;
    snprintf(copy, sizeof(copy), "%s/copy-%d", test_dir(), ++copies);
    snprintf(command, sizeof(command), "cp -r '%s' '%s'", f->options.dir, copy);
    INVARIANT(system(command) == 0);
    log_close(f->log);
    f->log = NULL;
    mem_give((void *)f->options.dir);
    f->options.dir = mem_text(slice_of(copy));
}

/* The offset, or the error below zero. */
static inline int64_t append_one(struct fixture *f, struct batch_want w)
{
    struct buf b = batch_make(w);
    int64_t at = -1;
    err_t e = log_append_wait(f->log, f->p, b.at, b.len, f->now_ms, &at, NULL);
    buf_done(&b);
    return e ? -(int64_t)e : at;
}

/* A marker, byte by byte from Kafka's description (EndTransactionMarker, version 0). */
struct marker_want {
    int64_t pid;
    int16_t epoch;
    bool commit;
    int32_t coordinator_epoch;
};
static inline struct buf marker_make(struct marker_want w)
{
    uint8_t record[] = {
        0x20, 0, 0, 0, 8 /* key: 4 */, 0, 0, 0, w.commit, 12 /* value: 6 */, 0, 0, 0, 0, 0, 0, 0};
    for (int i = 0; i < 4; i++)
        record[12 + i] = (uint8_t)((uint32_t)w.coordinator_epoch >> (8 * (3 - i)));
    struct buf b = batch_make((struct batch_want){.count = 1,
                                                  .size = sizeof(record),
                                                  .ms = 5,
                                                  .pid = w.pid,
                                                  .epoch = w.epoch,
                                                  .seq = -1,
                                                  .attributes = 16 | 32});
    memcpy(b.at + RECORD_BATCH_HEAD, record, sizeof(record));
    batch_mend(b.at, b.len);
    return b;
}

struct append_over {
    struct gate gate;
    bool over;
};
static inline void append_is_over(struct log_append *a)
{
    struct append_over *o = a->arg;
    gate_enter(&o->gate);
    o->over = true;
    gate_wake(&o->gate);
    gate_leave(&o->gate);
}

/* The offset, or the error below zero. */
static inline int64_t append_marker(struct fixture *f, struct marker_want w)
{
    struct append_over o = {.over = false};
    struct buf b = marker_make(w);
    struct log_append a = {.partition = f->p,
                           .batches = b.at,
                           .size = b.len,
                           .done = append_is_over,
                           .arg = &o,
                           .marker = true};
    gate_init(&o.gate);
    log_append(f->log, &a, f->now_ms);
    gate_enter(&o.gate);
    while (!o.over) gate_wait(&o.gate);
    gate_leave(&o.gate);
    gate_done(&o.gate);
    buf_done(&b);
    return a.err ? -(int64_t)a.err : a.base_offset;
}

/* Reads on until the end; the offset reached. Every batch is whole, sound and next in order. */
static inline int64_t read_all(struct fixture *f, int64_t from)
{
    struct buf got = buf_make(MIB(70));
    struct diag d = {0};
    int64_t at = from;
    bool first = true;
    for (int64_t before = -1; before != at;) {
        before = at;
        buf_reset(&got);
        err_t e = log_read(f->p, at, 3000, &got, &d);
        if (e) test_not_ok(__FILE__, __LINE__, "log_read", e, &d);
        struct record_batch b;
        for (size_t i = 0; i < got.len; i += record_batch_size(&b)) {
            e = record_batch_read(slice_make(got.at + i, got.len - i), true, &b);
            if (e) test_not_ok(__FILE__, __LINE__, "record_batch_read", e, NULL);
            if (e) break;
            if (first ? b.base_offset > at : b.base_offset != at)
                test_failed(__FILE__, __LINE__, "offset %lld where %lld was next",
                            (long long)b.base_offset, (long long)at);
            first = false;
            at = b.base_offset + b.last_offset_delta + 1;
        }
    }
    buf_done(&got);
    return at;
}

struct name_count {
    const char *with;
    int count;
};
static inline err_t name_counted(void *ctx, const char *name)
{
    struct name_count *n = ctx;
    n->count += strstr(name, n->with) != NULL;
    return ERR_OK;
}
static inline int files_with(const struct fixture *f, const char *with)
{
    char path[1024];
    struct name_count n = {with, 0};
    CHECK_OK(dir_list(fixture_path(f, "", path), name_counted, &n, NULL), NULL);
    return n.count;
}

/* Reads, changes and stores a whole file. */
static inline struct buf file_bytes(const char *path)
{
    struct buf b = buf_make(MIB(64));
    struct slice s = {0};
    CHECK_OK(file_load(path, MIB(64), &s, NULL), NULL);
    buf_slice(&b, s);
    mem_give((void *)s.at);
    return b;
}
static inline void file_replace(const char *path, struct slice bytes)
{
    struct diag d = {0};
    CHECK_OK(file_store(path, bytes, &d), &d);
}
