#include "log/log_int.h"

#include <stdio.h>

static uint64_t be_at(const uint8_t *at, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++) v = v << 8 | at[i];
    return v;
}

bool batch_head_parse(const uint8_t *bytes, struct batch_head *out)
{
    int64_t length = (int32_t)be_at(bytes + 8, 4), delta = (int32_t)be_at(bytes + 23, 4);
    *out = (struct batch_head){.base_offset = (int64_t)be_at(bytes, 8),
                               .last_offset = (int64_t)be_at(bytes, 8) + delta,
                               .max_ms = (int64_t)be_at(bytes + 35, 8),
                               .size = (uint64_t)length + BATCH_OVERHEAD};
    return bytes[16] == 2 && length >= RECORD_BATCH_HEAD - BATCH_OVERHEAD &&
           length <= RECORD_BATCH_MAX && delta >= 0 && out->base_offset >= 0;
}

struct segment *segment_new(int64_t base, int64_t first_ms)
{
    struct segment *s = mem_take(sizeof(*s));
    if (s)
        *s = (struct segment){.base = base,
                              .first_ms = first_ms,
                              .max_ms = NO_TIMESTAMP,
                              .fd = -1,
                              .index_fd = -1,
                              .aborted_fd = -1,
                              .aborted_last = -1};
    return s;
}

void segment_close_files(struct segment *s)
{
    file_close(s->fd);
    file_close(s->index_fd);
    file_close(s->aborted_fd);
    s->fd = s->index_fd = s->aborted_fd = -1;
}

void segment_free(struct segment *s)
{
    segment_close_files(s);
    mem_give(s->index_page);
    mem_give(s);
}

static bool number_at(const char **at, int digits, int64_t *out)
{
    if (strnlen(*at, (size_t)digits) < (size_t)digits) return false;
    struct slice s = slice_make(*at, (size_t)digits);
    *at += digits;
    return s.at[0] != '-' && s.at[0] != '+' && slice_to_i64(s, out);
}

bool segment_name_parse(const char *file, struct segment_name *out)
{
    int64_t generation = 0;
    *out = (struct segment_name){0};
    if (!number_at(&file, 20, &out->base)) return false;
    if (*file == '-') {
        file++;
        if (!number_at(&file, 20, &out->end) || *file++ != '-' ||
            !number_at(&file, 6, &generation) || generation < 1 || out->end <= out->base)
            return false;
    }
    out->generation = (uint32_t)generation;
    return strcmp(file, ".log") == 0;
}

const char *segment_path(const struct log_partition *p, const struct segment *s,
                         const char *extension, char out[PATH_SIZE])
{
    char file[64];
    if (s->generation)
        snprintf(file, sizeof(file), "%020lld-%020lld-%06u.%s", (long long)s->base,
                 (long long)s->end, s->generation, extension);
    else
        snprintf(file, sizeof(file), "%020lld.%s", (long long)s->base, extension);
    return partition_path(p, file, out);
}

/* Opens what is not open. A log file that is gone is damage, not a reason to make an empty one; an
 * index can be missing: it only makes reading slower. */
err_t segment_open(const struct log_partition *p, struct segment *s, struct diag *d)
{
    char path[PATH_SIZE];
    if (s->fd < 0) {
        segment_path(p, s, "log", path);
        if (!file_exists(path)) return segment_corrupt(p, s, 0, "the file is gone", d);
        err_t e = file_open(path, FILE_WRITE, &s->fd, d);
        if (e) return e;
    }
    if (s->aborted_fd < 0 && s->aborted_count) {
        err_t e = file_open(segment_path(p, s, "aborted", path), FILE_WRITE, &s->aborted_fd, d);
        if (e) return e;
    }
    if (s->index_fd < 0 && !s->index_failed &&
        file_open(segment_path(p, s, "index", path), FILE_WRITE, &s->index_fd, NULL)) {
        s->index_failed = true;
        say_warn(SAY_LOG, "index can not be opened, reads will be slower", "file=%s", path);
    }
    return ERR_OK;
}

err_t segment_corrupt(const struct log_partition *p, const struct segment *s, uint64_t position,
                      const char *why, struct diag *d)
{
    char path[PATH_SIZE];
    diag_fail(d, ERR_CORRUPT, "topic '%s' partition %d is damaged", p->topic->name, p->index);
    diag_where(d, "%s at byte %llu", segment_path(p, s, "log", path), (unsigned long long)position);
    diag_why(d, "%s", why);
    diag_hint(d, "restore this file from a backup, or read on from a later offset");
    return ERR_CORRUPT;
}

/* A window over the heads of a segment's batches, so that small batches cost no read each. */
struct head_walk {
    int fd;
    uint64_t size, at;
    size_t have;
    uint8_t bytes[8192];
};

static err_t head_at(struct head_walk *w, uint64_t position, const uint8_t **out, struct diag *d)
{
    *out = NULL;
    if (position + RECORD_BATCH_HEAD > w->size) return ERR_OK;
    if (position < w->at || position + BATCH_HEAD_READ > w->at + w->have) {
        size_t want = (size_t)MIN((uint64_t)sizeof(w->bytes), w->size - position);
        err_t e = file_pread(w->fd, w->bytes, want, position, &w->have, d);
        if (e) return e;
        w->at = position;
        if (w->have < BATCH_HEAD_READ) return ERR_OK;
    }
    *out = w->bytes + (position - w->at);
    return ERR_OK;
}

/* Steps over batches that lie wholly before the place wanted. At the segment's end `head->size` is
 * 0 and *position the end. */
err_t segment_seek(const struct log_partition *p, const struct segment *s, uint64_t size,
                   enum index_by by, int64_t wanted, uint64_t *position, struct batch_head *head,
                   struct diag *d)
{
    struct head_walk w = {.fd = s->fd, .size = size};
    while (*position < size) {
        const uint8_t *bytes;
        err_t e = head_at(&w, *position, &bytes, d);
        if (e) return e;
        if (!bytes || !batch_head_parse(bytes, head) || head->size > size - *position ||
            head->base_offset < s->base)
            return segment_corrupt(p, s, *position, "no record batch begins here", d);
        if ((by == BY_OFFSET ? head->last_offset : head->max_ms) >= wanted) return ERR_OK;
        *position += head->size;
    }
    *head = (struct batch_head){0};
    return ERR_OK;
}
