/* Opening a partition: what the checkpoint vouches for is believed, what lies behind it is scanned,
 * and what the scan accepts is made durable before anyone sees it (L5). */
#include "log/log_int.h"

enum { WINDOW = 1 << 20 };

struct scan {
    struct log_partition *p;
    struct segment *s;
    bool last;   /* the last segment: its end may be torn, and was perhaps never synced */
    uint64_t at; /* everything before is good */
    uint64_t file_size;
    uint64_t since_index;
    int64_t next_offset;
    int64_t now_ms;
    struct buf window; /* bytes of the file from window_at */
    uint64_t window_at;
    struct diag *d;
};

/* L5: the kernel may hold accepted bytes as clean that never reached the disk (a failed fdatasync
 * leaves them so): they are written again, so that the sync that follows means something. */
static err_t rewrite_accepted(struct scan *c)
{
    if (!c->last || c->at <= c->window_at) return ERR_OK;
    return file_pwrite(c->s->fd, c->window.at, (size_t)(c->at - c->window_at), c->window_at, c->d);
}

/* Makes the window begin at c->at and hold `want` bytes, or all that the file has. */
static err_t window_move(struct scan *c, size_t want)
{
    err_t e = rewrite_accepted(c);
    if (e) return e;
    want = (size_t)MIN((uint64_t)want, c->file_size - c->at);
    buf_reset(&c->window);
    if (!buf_reserve(&c->window, want + RECORD_PADDING))
        return diag_fail(c->d, ERR_NO_MEMORY, "recovery has no room for its window");
    size_t got = 0;
    e = file_pread(c->s->fd, c->window.at, want, c->at, &got, c->d);
    c->window.len = got;
    c->window_at = c->at;
    return e;
}

/* What the writer once did with this batch. A control batch that ends nothing is only counted. */
static err_t accept_producer(struct scan *c, const struct record_batch *b)
{
    struct marker marker;
    struct txn_change change;
    struct vec ended = vec_make(sizeof(struct aborted), 1);
    bool control = b->attributes & BATCH_CONTROL;
    if (b->producer_id < 0 || b->producer_epoch < 0) return ERR_OK; /* no append of ours */
    if (control && !marker_read(b, &marker)) return ERR_OK;
    err_t e = producer_note(&c->p->producers, b, control ? &marker : NULL, b->base_offset,
                            c->now_ms, NULL, &change);
    if (!e) e = txns_change(c->p, &change, b->producer_id, b->base_offset, &ended);
    if (e)
        (void)diag_fail(c->d, e, "recovery has no room for producers");
    else
        e = aborted_write(c->p, c->s, &ended, c->d);
    if (!e) aborted_publish(c->s, &ended);
    vec_done(&ended);
    return e;
}

static err_t accept(struct scan *c, const struct record_batch *b)
{
    struct segment *s = c->s;
    if (c->since_index >= INDEX_EVERY) {
        struct index_entry entry = {(uint32_t)(b->base_offset - s->base), (uint32_t)c->at,
                                    s->max_ms};
        index_add(c->p, s, &entry);
        c->since_index = 0;
    }
    err_t e = accept_producer(c, b);
    if (e) return e;
    s->max_ms = MAX(s->max_ms, b->max_timestamp);
    c->at += record_batch_size(b);
    c->since_index += record_batch_size(b);
    c->next_offset = b->base_offset + b->last_offset_delta + 1;
    return ERR_OK;
}

/* How many bytes the batch at the front of `rest` says it has; 0 when that is no sensible number.
 */
static size_t claimed_size(struct slice rest)
{
    struct batch_head head;
    return rest.len >= BATCH_HEAD_READ && batch_head_parse(rest.at, &head) ? (size_t)head.size : 0;
}

/* Goes on while batches are whole, in order and fit their checksums. */
static err_t scan_batches(struct scan *c)
{
    err_t e = window_move(c, WINDOW);
    while (!e && c->at < c->file_size) {
        size_t skip = (size_t)(c->at - c->window_at);
        struct slice rest = slice_make(c->window.at + skip, c->window.len - skip);
        bool all = c->window_at + c->window.len >= c->file_size;
        struct record_batch b;
        err_t bad = record_batch_read(rest, true, &b);
        if (bad == ERR_OK && (b.base_offset == c->next_offset ||
                              (c->s->generation && b.base_offset > c->next_offset))) {
            e = accept(c, &b);
            continue;
        }
        if (bad != ERR_SHORT || all) break;
        size_t want = MAX(claimed_size(rest), (size_t)WINDOW);
        if (skip == 0 && want <= c->window.len) break; /* it lies about its size */
        e = window_move(c, want);
    }
    return e ? e : rewrite_accepted(c);
}

/* Where the last byte that is not zero ends; `from` when there is none. */
static err_t nonzero_end(const struct scan *c, uint64_t from, uint64_t *end)
{
    uint8_t bytes[16384];
    *end = from;
    for (uint64_t at = from; at < c->file_size;) {
        size_t got, want = (size_t)MIN((uint64_t)sizeof(bytes), c->file_size - at);
        err_t e = file_pread(c->s->fd, bytes, want, at, &got, c->d);
        if (e) return e;
        if (got == 0) break;
        for (size_t i = got; i > 0; i--) {
            if (bytes[i - 1] == 0) continue;
            *end = at + i;
            break;
        }
        at += got;
    }
    return ERR_OK;
}

/* L4: behind the last good batch of the tail there are only zeros, or nothing. */
static err_t cut_tail(struct scan *c, struct log_recovery *seen)
{
    uint64_t end;
    char path[PATH_SIZE];
    err_t e = nonzero_end(c, c->at, &end);
    if (e) return e;
    if (end > c->at) {
        seen->bytes_cut += end - c->at;
        say_warn(SAY_LOG, "torn tail is cut", "file=%s at=%llu bytes=%llu next_offset=%lld",
                 segment_path(c->p, c->s, "log", path), (unsigned long long)c->at,
                 (unsigned long long)(end - c->at), (long long)c->next_offset);
    }
    if (c->p->topic->log->options.mutant_skip_truncation) c->at = end;
    return c->file_size > c->at ? file_truncate(c->s->fd, c->at, c->d) : ERR_OK;
}

/* A segment behind which another begins was synced before that one was made: what does not fit here
 * is damage. It stays, so that a reader who comes here is told, and is never cut. */
static err_t keep_damage(struct scan *c, int64_t next_base)
{
    char path[PATH_SIZE];
    segment_path(c->p, c->s, "log", path);
    uint64_t end;
    err_t e = nonzero_end(c, c->at, &end);
    if (e) return e;
    if (c->s->generation && end == c->at && c->next_offset <= c->s->end)
        c->next_offset = c->s->end; /* it stands for all up to there */
    if (next_base == c->next_offset && end == c->at) return ERR_OK;
    if (next_base < c->next_offset)
        return segment_corrupt(c->p, c->s, c->at, "the next segment begins before its end", c->d);
    say_error(SAY_LOG, "segment is damaged", "file=%s at=%llu first_offset=%lld next_segment=%lld",
              path, (unsigned long long)c->at, (long long)c->next_offset, (long long)next_base);
    c->at = MAX(end, c->at + 1);
    c->next_offset = next_base;
    return ERR_OK;
}

/* The file can not back what was durable: it is gone, or shorter. The segment stays for readers to
 * be told, and appends go on in a new one: no offset is used twice. */
static err_t keep_loss(struct scan *c)
{
    char path[PATH_SIZE];
    say_error(SAY_LOG, "durable bytes are gone", "file=%s size=%llu known=%llu",
              segment_path(c->p, c->s, "log", path), (unsigned long long)c->file_size,
              (unsigned long long)c->s->size);
    segment_close_files(c->s);
    if (!c->last) return ERR_OK;
    if (c->s->base == c->next_offset) { /* it was empty: made anew under the same name */
        segment_free(c->s);
        c->p->segments.count--;
    }
    return partition_add_segment(c->p, c->next_offset, c->now_ms, c->d);
}

static err_t scan_from_known_size(struct scan *c, int64_t next_base, struct log_recovery *seen)
{
    struct segment *s = c->s;
    c->at = c->window_at = s->size;
    c->since_index = 0;
    index_resume(c->p, s);
    err_t e = scan_batches(c);
    seen->segments_scanned++;
    seen->bytes_scanned += c->at - s->size;
    c->p->since_checkpoint += c->at - s->size;
    if (!e) e = c->last ? cut_tail(c, seen) : keep_damage(c, next_base);
    if (!e && c->last) e = file_sync(s->fd, c->d); /* L5 */
    if (!e) s->size = c->at;
    index_close(c->p, s); /* the writer takes it up again with the first append */
    return e;
}

/* `next_base` < 0: it is the last segment. */
static err_t recover_segment(struct scan *c, int64_t next_base, struct log_recovery *seen)
{
    struct segment *s = c->s;
    char path[PATH_SIZE];
    c->last = next_base < 0;
    c->file_size = 0;
    if (s->base < c->next_offset && s->size == 0)
        return segment_corrupt(c->p, s, 0, "it begins before the end of the one before", c->d);
    if (s->base > c->next_offset) {
        say_error(SAY_LOG, "offsets are missing", "topic=%s partition=%d from=%lld to=%lld",
                  c->p->topic->name, c->p->index, (long long)c->next_offset, (long long)s->base);
        c->next_offset = s->base;
    }
    if (!file_exists(segment_path(c->p, s, "log", path))) return keep_loss(c);
    err_t e = segment_open(c->p, s, c->d);
    if (!e) e = file_size(s->fd, &c->file_size, c->d);
    if (!e && c->file_size < s->size) return keep_loss(c);
    if (!e && c->file_size > s->size) e = scan_from_known_size(c, next_base, seen);
    if (!e && s->generation) c->next_offset = MAX(c->next_offset, s->end);
    segment_close_files(s);
    return e;
}

/* --- the directory ---------------------------------------------------------------------------- */

struct found {
    struct log_partition *p;
    struct vec names; /* struct segment_name, by base; of one base the newest generation last */
    struct diag *d;
};

static err_t found_name(void *ctx, const char *name)
{
    struct found *f = ctx;
    struct segment_name n;
    char path[PATH_SIZE];
    size_t length = strlen(name);
    if (length > 9 && strcmp(name + length - 9, ".cleaning") == 0) /* never finished */
        return file_remove(partition_path(f->p, name, path), f->d);
    return segment_name_parse(name, &n) ? vec_push(&f->names, &n) : ERR_OK;
}

static struct segment_name name_of(const struct segment *s)
{
    return (struct segment_name){s->base, s->end, s->generation};
}

static bool same_name(struct segment_name a, struct segment_name b)
{
    return a.base == b.base && a.generation == b.generation && a.end == b.end;
}

static err_t remove_files(struct log_partition *p, struct segment_name n, struct diag *d)
{
    char path[PATH_SIZE];
    struct segment s = {.base = n.base, .end = n.end, .generation = n.generation};
    err_t e = file_remove(segment_path(p, &s, "log", path), d);
    if (!e) e = file_remove(segment_path(p, &s, "index", path), d);
    return e ? e : file_remove(segment_path(p, &s, "aborted", path), d);
}

/* A file in front of the checkpoint's tail that is not in its table: what retention or cleaning had
 * to leave goes; what nothing explains stays. */
static err_t take_leftover(struct log_partition *p, struct segment_name n, struct diag *d)
{
    char path[PATH_SIZE];
    const struct segment *s = *(struct segment **)vec_at(
        &p->segments, (size_t)MAX(partition_segment_of(p, n.base), (ptrdiff_t)0));
    bool replaced = s->generation && s->base <= n.base && n.base < s->end;
    if (n.base < atomic_load(&p->start_offset) || n.generation || replaced)
        return remove_files(p, n, d);
    struct segment odd = {.base = n.base};
    say_warn(SAY_LOG, "file belongs to no segment", "file=%s", segment_path(p, &odd, "log", path));
    return ERR_OK;
}

static bool is_replaced(const struct vec *cleaned, struct segment_name n)
{
    for (size_t k = 0; k < cleaned->count; k++) {
        const struct segment_name *by = vec_at(cleaned, k);
        if (by->generation > n.generation && n.base >= by->base && n.base < by->end) return true;
    }
    return false;
}

/* Without a table the names decide: a cleaned segment stands for all from its base to its end. */
static err_t drop_replaced(struct log_partition *p, struct vec *names, struct diag *d)
{
    struct vec cleaned = vec_make(sizeof(struct segment_name), SEGMENTS_MAX);
    size_t kept = 0;
    err_t e = ERR_OK;
    for (size_t i = 0; !e && i < names->count; i++) {
        const struct segment_name *n = vec_at(names, i);
        if (n->generation) e = vec_push(&cleaned, n);
    }
    for (size_t i = 0; !e && i < names->count; i++) {
        const struct segment_name n = *(struct segment_name *)vec_at(names, i);
        if (is_replaced(&cleaned, n))
            e = remove_files(p, n, d);
        else
            *(struct segment_name *)vec_at(names, kept++) = n;
    }
    if (!e) names->count = kept;
    vec_done(&cleaned);
    return e;
}

/* Files the checkpoint does not know: behind its end they are new. */
static err_t take_found(struct log_partition *p, const struct vec *names, bool have_table,
                        int64_t now_ms, struct diag *d)
{
    size_t known = p->segments.count;
    const struct segment *tail = partition_tail(p);
    int64_t tail_base = tail ? tail->base : -1;
    for (size_t i = 0; i < names->count; i++) {
        struct segment_name n = *(struct segment_name *)vec_at(names, i);
        struct segment *s;
        ptrdiff_t at = known ? partition_segment_of(p, n.base) : -1;
        if (at >= 0 && same_name(name_of(*(struct segment **)vec_at(&p->segments, (size_t)at)), n))
            continue;
        if (known && n.base <= tail_base) {
            err_t e = take_leftover(p, n, d);
            if (e) return e;
            continue;
        }
        if (!(s = segment_new(n.base, now_ms)))
            return diag_fail(d, ERR_NO_MEMORY, "a segment has no room");
        s->generation = n.generation;
        s->end = n.end;
        if (vec_push(&p->segments, &s)) {
            segment_free(s);
            return diag_fail(d, ERR_TOO_BIG, "partition %d has too many segments", p->index);
        }
        if (!have_table && p->segments.count == 1) atomic_store(&p->start_offset, n.base);
    }
    return ERR_OK;
}

/* Everything behind the checkpoint's end; *end moves to the durable end. */
static err_t scan_segments(struct log_partition *p, size_t first, int64_t *end, int64_t now_ms,
                           struct log_recovery *seen, struct diag *d)
{
    struct scan c = {.p = p, .d = d, .next_offset = *end, .now_ms = now_ms};
    c.window = buf_make((size_t)RECORD_BATCH_MAX + WINDOW + RECORD_PADDING);
    err_t e = ERR_OK;
    for (size_t i = first; !e && i < p->segments.count; i++) {
        bool last = i + 1 == p->segments.count;
        c.s = *(struct segment **)vec_at(&p->segments, i);
        int64_t next = last ? -1 : (*(struct segment **)vec_at(&p->segments, i + 1))->base;
        e = recover_segment(&c, next, seen);
    }
    *end = c.next_offset;
    buf_done(&c.window);
    return e;
}

err_t partition_recover(struct log_partition *p, int64_t now_ms, struct log_recovery *seen,
                        struct diag *d)
{
    char path[PATH_SIZE];
    struct found f = {p, vec_make(sizeof(struct segment_name), SEGMENTS_MAX), d};
    int64_t end;
    partition_path(p, NULL, path);
    if (!file_exists(path)) { /* the topic's file was there first: a crash, or an empty disk */
        say_warn(SAY_LOG, "partition had no directory, it begins empty", "dir=%s", path);
        err_t made = dir_make(path, d);
        if (made) return made;
    }
    err_t e = partition_load_checkpoint(p, now_ms, &end, d);
    bool have_table = e == ERR_OK;
    if (e == ERR_NOT_FOUND) e = ERR_OK;
    if (!e) e = txns_rebuild(p);
    if (!e) e = dir_list(path, found_name, &f, d);
    size_t known = p->segments.count;
    if (!e && !have_table) e = drop_replaced(p, &f.names, d);
    if (!e) e = take_found(p, &f.names, have_table, now_ms, d);
    if (!have_table && p->segments.count) end = atomic_load(&p->start_offset);
    if (!e) e = scan_segments(p, known ? known - 1 : 0, &end, now_ms, seen, d);
    struct segment *tail = partition_tail(p); /* nothing is appended to what cleaning made */
    if (!e && tail && tail->generation) e = partition_add_segment(p, end, now_ms, d);
    vec_done(&f.names);
    if (e) return e;
    atomic_store(&p->end_offset, end);
    atomic_store(&p->stable_offset, txns_stable(p, end));
    partition_count_bytes(p);
    seen->partitions++;
    return ERR_OK;
}
