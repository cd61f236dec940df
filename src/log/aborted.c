/* The aborted transactions of a segment: those whose marker lies in it, in the markers' order, in a
 * file beside it. An entry (40 bytes): crc32c of the rest (4), format version (4), producer's id,
 * first offset, last offset (the marker's), stable offset behind the marker.
 *
 * L11: an entry is in its file before readers see its marker, and is synced before a checkpoint
 * counts it. What a checkpoint does not count is made anew by the scan. */
#include "log/log_int.h"

#include <stdlib.h>

enum { ENTRY = 40, ENTRY_VERSION = 1, READ_ENTRIES = 100, FOUND_MAX = 1 << 20 };

static void entry_put(struct buf *out, const struct aborted *a)
{
    size_t at = out->len;
    buf_be(out, 0, 4);
    buf_be(out, ENTRY_VERSION, 4);
    buf_be(out, (uint64_t)a->txn.producer_id, 8);
    buf_be(out, (uint64_t)a->txn.first_offset, 8);
    buf_be(out, (uint64_t)a->txn.last_offset, 8);
    buf_be(out, (uint64_t)a->stable, 8);
    if (!out->err) buf_set_be(out, at, crc32c(0, out->at + at + 4, ENTRY - 4), 4);
}

static bool entry_get(const uint8_t *bytes, struct aborted *out)
{
    struct cursor c = cursor_of(slice_make(bytes, ENTRY));
    uint32_t crc = (uint32_t)cursor_be(&c, 4), version = (uint32_t)cursor_be(&c, 4);
    out->txn.producer_id = cursor_i64(&c);
    out->txn.first_offset = cursor_i64(&c);
    out->txn.last_offset = cursor_i64(&c);
    out->stable = cursor_i64(&c);
    return crc == crc32c(0, bytes + 4, ENTRY - 4) && version == ENTRY_VERSION;
}

static err_t damaged(const struct log_partition *p, const struct segment *s, struct diag *d)
{
    char path[PATH_SIZE];
    diag_fail(d, ERR_CORRUPT, "the aborted transactions of topic '%s' partition %d are damaged",
              p->topic->name, p->index);
    diag_where(d, "%s", segment_path(p, s, "aborted", path));
    diag_hint(d, "remove the file `checkpoint` beside it and start again: they are then made anew "
                 "from the batches");
    return ERR_CORRUPT;
}

err_t aborted_write(const struct log_partition *p, struct segment *s, const struct vec *entries,
                    struct diag *d)
{
    char path[PATH_SIZE];
    if (entries->count == 0) return ERR_OK;
    err_t e = ERR_OK;
    if (s->aborted_fd < 0)
        e = file_open(segment_path(p, s, "aborted", path), FILE_WRITE, &s->aborted_fd, d);
    if (e) return e;
    struct buf bytes = buf_make(entries->count * ENTRY);
    for (size_t i = 0; i < entries->count; i++) entry_put(&bytes, vec_at(entries, i));
    e = bytes.err ? diag_fail(d, bytes.err, "aborted transactions have no room")
                  : file_pwrite(s->aborted_fd, bytes.at, bytes.len,
                                (uint64_t)s->aborted_count * ENTRY, d);
    buf_done(&bytes);
    s->aborted_dirty = true;
    return e;
}

void aborted_publish(struct segment *s, const struct vec *entries)
{
    if (entries->count == 0) return;
    const struct aborted *last = vec_at(entries, entries->count - 1);
    s->aborted_count += (uint32_t)entries->count;
    s->aborted_last = last->txn.last_offset;
}

err_t aborted_sync(const struct log_partition *p, struct segment *s, struct diag *d)
{
    char path[PATH_SIZE];
    if (!s->aborted_dirty) return ERR_OK;
    if (s->aborted_lost) /* the kernel has forgotten what it could not write */
        return diag_fail(d, ERR_IO, "a sync of aborted transactions has failed before");
    err_t e = ERR_OK;
    if (s->aborted_fd < 0) /* from recovery, which has closed it */
        e = file_open(segment_path(p, s, "aborted", path), FILE_WRITE, &s->aborted_fd, d);
    if (e) return e;
    e = file_sync(s->aborted_fd, d);
    s->aborted_lost = e != ERR_OK;
    s->aborted_dirty = e != ERR_OK;
    return e;
}

bool aborted_is_whole(const struct log_partition *p, const struct segment *s)
{
    char path[PATH_SIZE];
    uint64_t size = 0;
    int fd;
    if (s->aborted_count == 0) return true;
    segment_path(p, s, "aborted", path);
    if (!file_exists(path) || file_open(path, FILE_READ, &fd, NULL)) return false;
    bool whole = !file_size(fd, &size, NULL) && size >= (uint64_t)s->aborted_count * ENTRY;
    file_close(fd);
    return whole;
}

/* --- looking them up -------------------------------------------------------------------------- */

struct look {
    struct log_partition *p;
    struct segment *s; /* held */
    uint32_t count;    /* entries it had when we looked */
    int64_t upper;     /* where it ends */
    int64_t from, to;
    struct vec *out;
    bool over; /* no later entry can begin before `to` */
    struct diag *d;
};

static err_t entries_read(const struct look *k, uint32_t first, uint32_t count, uint8_t *bytes)
{
    size_t got;
    err_t e = file_pread(k->s->aborted_fd, bytes, (size_t)count * ENTRY, (uint64_t)first * ENTRY,
                         &got, k->d);
    return e ? e : got == (size_t)count * ENTRY ? ERR_OK : damaged(k->p, k->s, k->d);
}

/* The first entry whose marker is at or past `from`: they are in the markers' order. */
static err_t entry_place(const struct look *k, uint32_t *place)
{
    uint32_t low = 0, high = k->count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        uint8_t bytes[ENTRY];
        struct aborted a;
        err_t e = entries_read(k, mid, 1, bytes);
        if (e) return e;
        if (!entry_get(bytes, &a)) return damaged(k->p, k->s, k->d);
        if (a.txn.last_offset < k->from)
            low = mid + 1;
        else
            high = mid;
    }
    *place = low;
    return ERR_OK;
}

static err_t look_in_segment(struct look *k)
{
    uint8_t bytes[READ_ENTRIES * ENTRY];
    uint32_t at = 0;
    err_t e = entry_place(k, &at);
    while (!e && at < k->count && !k->over) {
        uint32_t part = MIN(k->count - at, (uint32_t)READ_ENTRIES);
        e = entries_read(k, at, part, bytes);
        for (uint32_t i = 0; !e && i < part && !k->over; i++) {
            struct aborted a;
            if (!entry_get(bytes + i * ENTRY, &a)) return damaged(k->p, k->s, k->d);
            if (a.txn.first_offset < k->to && vec_push(k->out, &a.txn))
                e = diag_fail(k->d, ERR_NO_MEMORY, "too many aborted transactions at once");
            k->over = a.stable >= k->to;
        }
        at += part;
    }
    return e;
}

/* Inside the gate: holds the next segment that reaches past `after` and has something; NULL: none.
 * By where it ends: cleaning may have put one into the place of several meanwhile. */
static err_t look_hold(struct look *k, int64_t after)
{
    struct log_partition *p = k->p;
    ptrdiff_t first = partition_segment_of(p, MAX(k->from, after));
    k->s = NULL;
    for (size_t i = (size_t)MAX(first, 0); i < p->segments.count; i++) {
        struct segment *s = *(struct segment **)vec_at(&p->segments, i);
        bool last = i + 1 == p->segments.count;
        int64_t upper = last ? INT64_MAX : (*(struct segment **)vec_at(&p->segments, i + 1))->base;
        if (upper <= after || s->aborted_count == 0 || s->aborted_last < k->from) continue;
        err_t e = partition_hold(p, s, k->d);
        if (e) return e;
        k->s = s;
        k->upper = upper;
        k->count = s->aborted_count;
        break;
    }
    return ERR_OK;
}

static int by_first(const void *a, const void *b)
{
    const struct log_aborted *x = a, *y = b;
    return x->first_offset < y->first_offset ? -1 : x->first_offset > y->first_offset;
}

/* A segment that was put together from two may have been looked at twice. */
static void drop_twins(struct vec *out, size_t from)
{
    size_t kept = from;
    for (size_t i = from; i < out->count; i++) {
        const struct log_aborted a = *(struct log_aborted *)vec_at(out, i);
        const struct log_aborted *before = kept > from ? vec_at(out, kept - 1) : NULL;
        if (before && before->first_offset == a.first_offset) continue;
        *(struct log_aborted *)vec_at(out, kept++) = a;
    }
    out->count = kept;
}

err_t log_aborted(struct log_partition *p, int64_t from, int64_t to, struct vec *out,
                  struct diag *d)
{
    struct look k = {.p = p, .from = from, .to = to, .out = out, .d = d};
    size_t had = out->count;
    err_t e = ERR_OK;
    for (int64_t after = -1; !e && !k.over && from < to && after < INT64_MAX;) {
        gate_enter(&p->gate);
        e = look_hold(&k, after);
        gate_leave(&p->gate);
        if (e || !k.s) break;
        after = k.upper;
        e = look_in_segment(&k);
        gate_enter(&p->gate);
        partition_release(p, k.s);
        gate_leave(&p->gate);
    }
    if (!e && out->count - had > 1)
        qsort(vec_at(out, had), out->count - had, sizeof(struct log_aborted), by_first);
    drop_twins(out, had);
    return e;
}

/* --- for compaction --------------------------------------------------------------------------- */

err_t aborted_load(struct log_partition *p, struct segment *s, struct vec *out, struct diag *d)
{
    struct look k = {.p = p, .s = s, .d = d};
    uint8_t bytes[READ_ENTRIES * ENTRY];
    err_t e = ERR_OK;
    for (uint32_t at = 0; !e && at < s->aborted_count; at += READ_ENTRIES) {
        uint32_t part = MIN(s->aborted_count - at, (uint32_t)READ_ENTRIES);
        e = entries_read(&k, at, part, bytes);
        for (uint32_t i = 0; !e && i < part; i++) {
            struct aborted a;
            e = !entry_get(bytes + i * ENTRY, &a) ? damaged(p, s, d) : vec_push(out, &a);
        }
    }
    return e;
}
