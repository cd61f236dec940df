#include "log/log_int.h"

#include <stdio.h>

enum { CHECKPOINT_FORMAT = 2 };
static const char checkpoint_kind[] = "SLUICEcp";

void partition_init(struct log_partition *p, struct log_topic *t, int32_t index)
{
    *p = (struct log_partition){.log = t->log, .topic = t, .index = index};
    p->segments = vec_make(sizeof(struct segment *), SEGMENTS_MAX);
    p->open = vec_make(sizeof(int64_t), PRODUCERS_MAX + PRODUCER_NAMES_MAX);
    gate_init(&p->gate);
}

void partition_done(struct log_partition *p)
{
    INVARIANT(p->waiters == NULL); /* every log_wait has met its log_unwait */
    for (size_t i = 0; i < p->segments.count; i++)
        segment_free(*(struct segment **)vec_at(&p->segments, i));
    vec_done(&p->segments);
    producers_done(&p->producers);
    mem_give(p->stopped_why);
    mem_give(p->hints);
    vec_done(&p->open);
    map_free(p->admitted);
    gate_done(&p->gate);
}

const char *partition_path(const struct log_partition *p, const char *file, char out[PATH_SIZE])
{
    int n = snprintf(out, PATH_SIZE, "%s/%s-%d%s%s", p->log->dir, p->topic->name, p->index,
                     file ? "/" : "", file ? file : "");
    INVARIANT(n > 0 && n < PATH_SIZE); /* log_open has bounded the directory's name */
    return out;
}

struct segment *partition_tail(const struct log_partition *p)
{
    size_t count = p->segments.count;
    return count ? *(struct segment **)vec_at(&p->segments, count - 1) : NULL;
}

ptrdiff_t partition_segment_of(const struct log_partition *p, int64_t offset)
{
    size_t low = 0, high = p->segments.count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct segment *s = *(struct segment **)vec_at(&p->segments, mid);
        if (s->base <= offset)
            low = mid + 1;
        else
            high = mid;
    }
    if (low > 0) return (ptrdiff_t)low - 1;
    return p->segments.count ? 0 : -1;
}

void partition_count_bytes(struct log_partition *p)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < p->segments.count; i++)
        bytes += (*(struct segment **)vec_at(&p->segments, i))->size;
    atomic_store(&p->bytes, bytes);
}

err_t partition_hold(struct log_partition *p, struct segment *s, struct diag *d)
{
    bool was_open = s->fd >= 0;
    err_t e = segment_open(p, s, d);
    if (e) return e;
    if (!was_open) atomic_fetch_add(&p->log->open_segments, 1);
    s->readers++;
    return ERR_OK;
}

/* The last one out closes the door where it is not the writer's, and removes what retention took.
 */
void partition_release(struct log_partition *p, struct segment *s)
{
    INVARIANT(s->readers > 0);
    if (--s->readers > 0) return;
    bool ours = s->doomed ||
                (s != partition_tail(p) && atomic_load(&p->log->open_segments) > OPEN_SEGMENTS_MAX);
    if (!ours) return;
    if (s->fd >= 0) atomic_fetch_sub(&p->log->open_segments, 1);
    segment_close_files(s);
    if (!s->doomed) return;
    char path[PATH_SIZE];
    static const char *const extensions[] = {"log", "index", "aborted"};
    /* A deleted topic's files went with its directory; another one may have its name by now. */
    bool remove = !atomic_load(&p->topic->deleted) && !s->keep_files;
    for (size_t i = 0; remove && i < COUNT_OF(extensions); i++) {
        struct diag d = {0}; /* what stays is removed by the next open: it lies below the start */
        if (file_remove(segment_path(p, s, extensions[i], path), &d))
            say_diag(SAY_LOG, SAY_WARN, "old segment can not be removed yet", &d);
    }
    segment_free(s);
}

err_t partition_add_segment(struct log_partition *p, int64_t base, int64_t now_ms, struct diag *d)
{
    char path[PATH_SIZE];
    static const char *const extensions[] = {"log", "index"};
    struct segment *s = segment_new(base, now_ms);
    if (!s) return diag_fail(d, ERR_NO_MEMORY, "a new segment has no room");
    err_t e = ERR_OK;
    for (size_t i = 0; !e && i < COUNT_OF(extensions); i++) { /* an earlier try may have left one */
        int fd;
        e = file_open(segment_path(p, s, extensions[i], path), FILE_WRITE, &fd, d);
        if (e) break;
        e = file_truncate(fd, 0, d);
        file_close(fd);
    }
    if (!e) e = dir_sync(partition_path(p, NULL, path), d); /* L2: the name before the bytes */
    gate_enter(&p->gate);
    if (!e && vec_push(&p->segments, &s))
        e = diag_fail(d, ERR_TOO_BIG, "partition %d has too many segments", p->index);
    gate_leave(&p->gate);
    if (e) segment_free(s);
    return e;
}

/* L6: written after everything that it speaks of is durable. `skip` segments at the front are about
 * to go: the checkpoint says so first. */
err_t partition_checkpoint(struct log_partition *p, size_t skip, struct diag *d)
{
    char path[PATH_SIZE];
    int64_t start = MAX(atomic_load(&p->start_offset), p->start_next);
    if (skip) start = MAX(start, (*(struct segment **)vec_at(&p->segments, skip))->base);
    struct segment *tail = partition_tail(p);
    err_t e = tail ? index_flush(tail, d) : ERR_OK;
    for (size_t i = skip; !e && i < p->segments.count; i++) /* L11 */
        e = aborted_sync(p, *(struct segment **)vec_at(&p->segments, i), d);
    if (e) return e;
    struct buf body = buf_make(SEALED_MAX);
    buf_put(&body, p->topic->id.at, sizeof(p->topic->id.at));
    buf_be(&body, (uint64_t)p->index, 4);
    buf_be(&body, (uint64_t)start, 8);
    buf_be(&body, (uint64_t)atomic_load(&p->end_offset), 8);
    buf_be(&body, (uint64_t)p->clean_to, 8);
    buf_be(&body, p->segments.count - skip, 4);
    for (size_t i = skip; i < p->segments.count; i++) {
        const struct segment *s = *(struct segment **)vec_at(&p->segments, i);
        INVARIANT(s->base <= atomic_load(&p->end_offset)); /* L6 */
        buf_be(&body, (uint64_t)s->base, 8);
        buf_be(&body, s->size, 8);
        buf_be(&body, (uint64_t)s->max_ms, 8);
        buf_be(&body, (uint64_t)s->first_ms, 8);
        buf_be(&body, s->index_count, 4);
        buf_be(&body, s->aborted_count, 4);
        buf_be(&body, (uint64_t)s->aborted_last, 8);
        buf_be(&body, s->generation, 4);
        if (s->generation) buf_be(&body, (uint64_t)s->end, 8);
    }
    producers_put(&p->producers, &body);
    e = sealed_store(partition_path(p, "checkpoint", path), checkpoint_kind, CHECKPOINT_FORMAT,
                     &body, d);
    buf_done(&body);
    if (!e) p->since_checkpoint = 0;
    return e;
}

static err_t checkpoint_read(struct log_partition *p, struct cursor *c, uint32_t version,
                             int64_t now_ms, int64_t *end)
{
    struct slice id = cursor_slice(c, 16);
    int32_t index = cursor_i32(c);
    int64_t start = cursor_i64(c);
    *end = cursor_i64(c);
    p->clean_to = version > 1 ? cursor_i64(c) : 0;
    uint64_t count = cursor_be(c, 4);
    if (c->err || !slice_equal(id, slice_make(p->topic->id.at, 16)) || index != p->index ||
        start < 0 || *end < start || count > SEGMENTS_MAX)
        return ERR_CORRUPT;
    int64_t before = -1;
    for (uint64_t i = 0; i < count; i++) {
        struct segment read = {.base = cursor_i64(c)};
        read.size = (uint64_t)cursor_i64(c);
        read.max_ms = cursor_i64(c);
        read.first_ms = cursor_i64(c);
        read.index_count = (uint32_t)cursor_be(c, 4);
        if (version > 1) read.aborted_count = (uint32_t)cursor_be(c, 4);
        if (version > 1) read.aborted_last = cursor_i64(c);
        if (version > 1) read.generation = (uint32_t)cursor_be(c, 4);
        if (read.generation) read.end = cursor_i64(c);
        if (read.generation && (read.end <= read.base || read.end > *end)) return ERR_CORRUPT;
        if (c->err || read.base <= before || read.base > *end || read.size > SEGMENT_BYTES_MAX * 2)
            return ERR_CORRUPT;
        before = read.base;
        struct segment *s = segment_new(read.base, read.first_ms);
        if (!s || vec_push(&p->segments, &s)) {
            if (s) segment_free(s);
            return ERR_NO_MEMORY;
        }
        s->size = read.size;
        s->max_ms = read.max_ms;
        s->index_count = read.index_count;
        s->aborted_count = read.aborted_count;
        s->aborted_last = read.aborted_last;
        s->generation = read.generation;
        s->end = read.end;
        if (!aborted_is_whole(p, s)) return ERR_CORRUPT;
    }
    atomic_store(&p->start_offset, start);
    err_t e = producers_get(&p->producers, c, version, now_ms);
    return e ? e : cursor_left(c) ? ERR_CORRUPT : ERR_OK;
}

/* ERR_NOT_FOUND when there is none. A damaged one is as good as none: everything is scanned. */
err_t partition_load_checkpoint(struct log_partition *p, int64_t now_ms, int64_t *end,
                                struct diag *d)
{
    char path[PATH_SIZE];
    struct sealed file;
    *end = 0;
    partition_path(p, "checkpoint", path);
    err_t e = sealed_load(path, checkpoint_kind, CHECKPOINT_FORMAT, &file, d);
    if (e && e != ERR_CORRUPT) return e;
    if (!e) e = checkpoint_read(p, &file.body, file.version, now_ms, end);
    sealed_done(&file);
    if (e != ERR_CORRUPT) return e;
    say_warn(SAY_LOG, "checkpoint is damaged, the whole partition is checked", "file=%s", path);
    for (size_t i = 0; i < p->segments.count; i++)
        segment_free(*(struct segment **)vec_at(&p->segments, i));
    vec_clear(&p->segments);
    producers_done(&p->producers);
    atomic_store(&p->start_offset, 0);
    p->clean_to = 0;
    *end = 0;
    return ERR_NOT_FOUND;
}
