/* The sparse index: one entry every 4 KiB of log, in pages that carry their own checksum.
 * A page: crc32c of the rest (4), format version (2), entries (2), segment's base (8), 255 x 16. */
#include "log/log_int.h"

enum { PAGE_HEAD = 16, ENTRY_SIZE = 16, INDEX_VERSION = 1 };

static void be_put(uint8_t *at, uint64_t v, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--, v >>= 8) at[i] = (uint8_t)v;
}

static uint64_t be_get(const uint8_t *at, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++) v = v << 8 | at[i];
    return v;
}

static struct index_entry page_entry(const uint8_t *page, uint32_t i)
{
    const uint8_t *at = page + PAGE_HEAD + i * ENTRY_SIZE;
    return (struct index_entry){(uint32_t)be_get(at, 4), (uint32_t)be_get(at + 4, 4),
                                (int64_t)be_get(at + 8, 8)};
}

static uint32_t page_fill(uint32_t index_count)
{
    return index_count % INDEX_PAGE_ENTRIES;
}

static void index_give_up(const struct log_partition *p, struct segment *s, const struct diag *d)
{
    char path[PATH_SIZE];
    s->index_failed = true;
    say_warn(SAY_LOG, "index is given up, reads will be slower", "file=%s what=\"%s\"",
             segment_path(p, s, "index", path), d ? d->what : "");
}

static err_t page_write(struct segment *s, uint32_t number, uint32_t entries, struct diag *d)
{
    uint8_t *page = s->index_page;
    be_put(page + 4, INDEX_VERSION, 2);
    be_put(page + 6, entries, 2);
    be_put(page + 8, (uint64_t)s->base, 8);
    be_put(page, crc32c(0, page + 4, INDEX_PAGE - 4), 4);
    return file_pwrite(s->index_fd, page, INDEX_PAGE, (uint64_t)number * INDEX_PAGE, d);
}

static bool page_read(const struct segment *s, int fd, uint32_t number, uint8_t page[INDEX_PAGE])
{
    size_t got;
    return fd >= 0 &&
           file_pread(fd, page, INDEX_PAGE, (uint64_t)number * INDEX_PAGE, &got, NULL) == ERR_OK &&
           got == INDEX_PAGE && be_get(page, 4) == crc32c(0, page + 4, INDEX_PAGE - 4) &&
           be_get(page + 4, 2) == INDEX_VERSION && (int64_t)be_get(page + 8, 8) == s->base;
}

void index_add(const struct log_partition *p, struct segment *s, const struct index_entry *e)
{
    struct diag d = {0};
    if (s->index_failed) return;
    if (!s->index_page && !(s->index_page = mem_take(INDEX_PAGE))) {
        index_give_up(p, s, NULL);
        return;
    }
    uint32_t at = page_fill(s->index_count);
    uint8_t *to = s->index_page + PAGE_HEAD + at * ENTRY_SIZE;
    be_put(to, e->relative, 4);
    be_put(to + 4, e->position, 4);
    be_put(to + 8, (uint64_t)e->before_max_ms, 8);
    if (at + 1 == INDEX_PAGE_ENTRIES) {
        if (page_write(s, s->index_count / INDEX_PAGE_ENTRIES, INDEX_PAGE_ENTRIES, &d)) {
            index_give_up(p, s, &d);
            s->index_count -= at; /* what the file holds for certain */
            mem_give(s->index_page);
            s->index_page = NULL;
            return;
        }
        memset(s->index_page, 0, INDEX_PAGE);
    }
    s->index_count++;
}

err_t index_flush(struct segment *s, struct diag *d)
{
    if (s->index_fd < 0 || s->index_count == 0 || !s->index_page) return ERR_OK;
    uint32_t fill = page_fill(s->index_count);
    err_t e = fill ? page_write(s, s->index_count / INDEX_PAGE_ENTRIES, fill, d) : ERR_OK;
    return e ? e : file_sync(s->index_fd, d);
}

void index_close(const struct log_partition *p, struct segment *s)
{
    struct diag d = {0};
    if (!s->index_page) return;
    if (index_flush(s, &d)) {
        s->index_count -= page_fill(s->index_count);
        index_give_up(p, s, &d);
    }
    mem_give(s->index_page);
    s->index_page = NULL;
}

void index_resume(const struct log_partition *p, struct segment *s)
{
    uint32_t fill = page_fill(s->index_count);
    if (fill == 0 || s->index_failed || s->index_page) return;
    s->index_page = mem_take(INDEX_PAGE);
    uint32_t number = s->index_count / INDEX_PAGE_ENTRIES;
    if (s->index_page && page_read(s, s->index_fd, number, s->index_page)) {
        memset(s->index_page + PAGE_HEAD + fill * ENTRY_SIZE, 0,
               (INDEX_PAGE_ENTRIES - fill) * ENTRY_SIZE);
        return;
    }
    mem_give(s->index_page);
    s->index_page = NULL;
    s->index_count -= fill; /* a longer walk from the page before; new entries go on from here */
    say_warn(SAY_LOG, "index page is damaged, reads will be slower", "topic=%s partition=%d",
             p->topic->name, p->index);
}

static bool entry_before(const struct segment *s, const struct index_entry *e, enum index_by by,
                         int64_t wanted)
{
    switch (by) {
    case BY_OFFSET: return s->base + e->relative <= wanted;
    case BY_POSITION: return e->position <= wanted;
    case BY_TIME: break;
    }
    return e->before_max_ms < wanted;
}

/* The last of `count` entries that lies before; false when none does. */
static bool page_search(const struct segment *s, const uint8_t *page, uint32_t count,
                        enum index_by by, int64_t wanted, struct index_entry *out)
{
    uint32_t low = 0, high = count; /* entries before `low` lie before, those from `high` do not */
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        struct index_entry e = page_entry(page, mid);
        if (entry_before(s, &e, by, wanted))
            low = mid + 1;
        else
            high = mid;
    }
    if (low == 0) return false;
    *out = page_entry(page, low - 1);
    return true;
}

struct index_view index_view(const struct segment *s, enum index_by by, int64_t wanted)
{
    struct index_view v = {.fd = s->index_fd, .count = s->index_count, .size = s->size};
    uint32_t fill = page_fill(s->index_count);
    if (s->index_page) {
        v.found = page_search(s, s->index_page, fill, by, wanted, &v.entry);
        v.count -= fill;
    }
    v.pages = (v.count + INDEX_PAGE_ENTRIES - 1) / INDEX_PAGE_ENTRIES;
    return v;
}

bool index_search(const struct segment *s, struct index_view *v, enum index_by by, int64_t wanted)
{
    uint8_t page[INDEX_PAGE];
    uint32_t low = 0, high = v->pages;
    bool guess = by == BY_POSITION && v->size > 0; /* entries lie evenly: one page, mostly */
    while (!v->found && low < high) {              /* pages before `low` begin before the place */
        uint32_t mid = low + (high - low) / 2;
        if (guess) mid = (uint32_t)MIN((uint64_t)wanted * high / v->size, (uint64_t)high - 1);
        guess = false;
        if (!page_read(s, v->fd, mid, page)) return false;
        uint32_t count = MIN(v->count - mid * INDEX_PAGE_ENTRIES, (uint32_t)INDEX_PAGE_ENTRIES);
        struct index_entry e;
        if (!page_search(s, page, count, by, wanted, &e)) {
            high = mid;
            continue;
        }
        v->entry = e; /* of the rightmost page that begins before: later rounds only move right */
        low = mid + 1;
        struct index_entry last = page_entry(page, count - 1);
        if (!entry_before(s, &last, by, wanted)) break; /* the place is in this page */
    }
    return true;
}
