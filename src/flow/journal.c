/* journal: answers that can not be fetched again, kept until every partition has its part.
 *
 * A file of entries, each on disk before any partition gets a part. Only the last whole entry
 * counts: an answer begins when the one before it is settled. A torn tail is an answer that no
 * partition has seen, and is cut off.
 */
#include "flow/flow_int.h"
#include "os/file.h"

#include <stdio.h>

enum {
    JOURNAL_VERSION = 1,
    JOURNAL_HEAD = 8,        /* "SLUICEJ", version */
    ENTRY_HEAD = 8,          /* length, CRC-32C of the entry */
    JOURNAL_TURN = 16 << 20, /* past this a new file is begun */
    ENTRY_MAX = 1 << 30
};

struct journal {
    char path[4096 - 8];
    int fd;
    uint64_t end;                  /* where the next entry goes */
    uint64_t last_at, last_length; /* the last whole entry; length 0: none */
    bool parent_dirty;             /* a rename that is not on disk yet */
    struct buf scratch;
};

static const uint8_t beginning[JOURNAL_HEAD] = {'S', 'L', 'U', 'I', 'C', 'E', 'J', JOURNAL_VERSION};

static err_t begin_file(const char *path, int *fd, struct diag *d)
{
    err_t e = file_open(path, FILE_WRITE, fd, d);
    if (!e) e = file_truncate(*fd, 0, d);
    if (!e) e = file_pwrite(*fd, beginning, sizeof(beginning), 0, d);
    return e;
}

static err_t sync_parent(const char *path, struct diag *d)
{
    char parent[4096];
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 1;
    snprintf(parent, sizeof(parent), "%.*s", (int)len, slash ? path : ".");
    return dir_sync(parent, d);
}

/* Finds the last whole entry; what follows it is a torn write. */
static err_t scan(struct journal *j, struct diag *d)
{
    uint64_t size = 0;
    err_t e = file_size(j->fd, &size, d);
    while (!e && size - j->end >= ENTRY_HEAD) {
        uint8_t head[ENTRY_HEAD];
        size_t got = 0;
        e = file_pread(j->fd, head, sizeof(head), j->end, &got, d);
        struct cursor c = cursor_of(slice_make(head, got));
        uint64_t length = cursor_be(&c, 4);
        uint32_t crc = (uint32_t)cursor_be(&c, 4);
        if (e || c.err || length == 0 || length > size - j->end - ENTRY_HEAD) break;
        buf_reset(&j->scratch);
        uint8_t *to = buf_grow(&j->scratch, length);
        if (!to) return diag_fail(d, ERR_NO_MEMORY, "the journal %s", j->path);
        e = file_pread(j->fd, to, length, j->end + ENTRY_HEAD, &got, d);
        if (e || got < length || crc32c(0, to, length) != crc) break;
        j->last_at = j->end + ENTRY_HEAD;
        j->last_length = length;
        j->end += ENTRY_HEAD + length;
    }
    if (!e && j->end < size) {
        say_warn(SAY_FLOW, "journal ends in a torn entry, cut off", "path=%s bytes=%llu", j->path,
                 (unsigned long long)(size - j->end));
        e = file_truncate(j->fd, j->end, d);
    }
    return e;
}

err_t journal_open(const char *path, struct journal **out, struct diag *d)
{
    struct journal *j = mem_take(sizeof(*j));
    uint8_t head[JOURNAL_HEAD] = {0};
    size_t got = 0;
    if (!j) return diag_fail(d, ERR_NO_MEMORY, "no memory for the journal %s", path);
    *j = (struct journal){.fd = -1, .end = JOURNAL_HEAD, .scratch = buf_make(ENTRY_MAX)};
    snprintf(j->path, sizeof(j->path), "%s", path);
    err_t e = file_open(path, FILE_WRITE, &j->fd, d);
    if (!e) e = file_pread(j->fd, head, sizeof(head), 0, &got, d);
    if (!e && got < sizeof(head)) { /* new, or torn at its very beginning */
        file_close(j->fd);
        e = begin_file(path, &j->fd, d);
        if (!e) e = file_sync(j->fd, d);
        if (!e) e = sync_parent(path, d);
    } else if (!e && memcmp(head, beginning, 7) != 0) {
        e = diag_fail(d, ERR_CORRUPT, "%s is no journal of a source", path);
    } else if (!e && head[7] > JOURNAL_VERSION) {
        e = diag_fail(d, ERR_VERSION, "the journal %s is of version %d, this program reads %d",
                      path, head[7], JOURNAL_VERSION);
    } else if (!e) {
        e = scan(j, d);
    }
    if (e) {
        journal_close(j);
        return e;
    }
    *out = j;
    return ERR_OK;
}

void journal_close(struct journal *j)
{
    if (!j) return;
    if (j->fd >= 0) file_close(j->fd);
    buf_done(&j->scratch);
    mem_give(j);
}

static void put_entry(struct buf *b, const struct journal_of *of, const struct answer *a)
{
    buf_put(b, of->topic_id, sizeof(of->topic_id));
    buf_be(b, (uint64_t)of->producer_id, 8);
    buf_uvarint(b, a->number);
    buf_uvarint(b, a->answers);
    buf_be(b, (uint64_t)a->now_ms, 8);
    bytes_put(b, a->cursor);
    bytes_put(b, a->provenance);
    ledger_put(b, &a->ledger);
    buf_uvarint(b, a->item_count);
    for (uint32_t i = 0; i < a->item_count; i++) {
        const struct answer_item *item = &a->items[i];
        buf_uvarint(b, (uint64_t)item->partition);
        buf_be(b, (uint64_t)item->time_ms, 8);
        buf_be(b, item->key_null, 1);
        bytes_put(b, item->key);
        bytes_put(b, item->value);
    }
    buf_uvarint(b, a->dead_count);
    for (uint32_t i = 0; i < a->dead_count; i++) {
        const struct answer_dead *dead = &a->dead[i];
        buf_uvarint(b, dead->index);
        bytes_put(b, slice_of(err_name(dead->err)));
        bytes_put(b, dead->reason);
        bytes_put(b, dead->expression);
        bytes_put(b, dead->key);
        bytes_put(b, dead->raw);
    }
}

static err_t take_lists(struct cursor *c, struct arena *arena, struct answer *a)
{
    uint64_t items = cursor_uvarint(c);
    if (c->err || items > cursor_left(c) / 12)
        return ERR_SHORT; /* an item takes 12 bytes or more */
    a->items = arena_take(arena, items * sizeof(*a->items));
    if (!a->items) return ERR_NO_MEMORY;
    a->item_count = (uint32_t)items;
    for (uint32_t i = 0; i < a->item_count; i++) {
        struct answer_item *item = &a->items[i];
        uint64_t partition = cursor_uvarint(c);
        if (partition > INT32_MAX) return ERR_CORRUPT;
        item->partition = (int32_t)partition;
        item->time_ms = cursor_i64(c);
        item->key_null = cursor_be(c, 1);
        item->key = bytes_take(c);
        item->value = bytes_take(c);
        if (item->key_null) item->key = (struct slice){0};
    }
    uint64_t dead = cursor_uvarint(c);
    if (c->err || dead > cursor_left(c) / 6) return ERR_SHORT;
    a->dead = arena_take(arena, dead * sizeof(*a->dead));
    if (!a->dead) return ERR_NO_MEMORY;
    a->dead_count = (uint32_t)dead;
    for (uint32_t i = 0; i < a->dead_count; i++) {
        struct answer_dead *n = &a->dead[i];
        n->index = cursor_uvarint(c);
        n->err = err_of_name(bytes_take(c));
        n->reason = bytes_take(c);
        n->expression = bytes_take(c);
        n->key = bytes_take(c);
        n->raw = bytes_take(c);
    }
    return c->err;
}

err_t journal_last(struct journal *j, struct arena *arena, struct journal_of *of,
                   struct answer *out, struct diag *d)
{
    size_t got = 0;
    if (!j->last_length) return ERR_NOT_FOUND;
    uint8_t *bytes = arena_take_raw(arena, j->last_length);
    if (!bytes) return diag_fail(d, ERR_NO_MEMORY, "the last answer in %s", j->path);
    err_t e = file_pread(j->fd, bytes, j->last_length, j->last_at, &got, d);
    if (e) return e;
    struct cursor c = cursor_of(slice_make(bytes, got));
    struct slice id = cursor_slice(&c, sizeof(of->topic_id));
    if (!c.err) memcpy(of->topic_id, id.at, sizeof(of->topic_id));
    of->producer_id = cursor_i64(&c);
    *out = (struct answer){.number = cursor_uvarint(&c)};
    out->answers = cursor_uvarint(&c);
    out->now_ms = cursor_i64(&c);
    out->cursor = bytes_take(&c);
    out->provenance = bytes_take(&c);
    ledger_take(&c, &out->ledger);
    e = c.err ? c.err : take_lists(&c, arena, out);
    if (e == ERR_NO_MEMORY) return diag_fail(d, e, "the last answer in %s", j->path);
    if (e) return diag_fail(d, ERR_CORRUPT, "the last answer in %s can not be read", j->path);
    return ERR_OK;
}

/* A new file takes the old one's place at once: the answers in the old one are settled. */
static err_t turn_over(struct journal *j, struct slice entry, struct diag *d)
{
    char beside[sizeof(j->path) + 8];
    int fd = -1;
    snprintf(beside, sizeof(beside), "%s.new", j->path);
    err_t e = begin_file(beside, &fd, d);
    if (!e) e = file_pwrite(fd, entry.at, entry.len, JOURNAL_HEAD, d);
    if (!e) e = file_sync(fd, d);
    if (!e) e = file_rename(beside, j->path, d);
    if (e) {
        if (fd >= 0) file_close(fd);
        return e;
    }
    file_close(j->fd);
    j->fd = fd;
    j->end = JOURNAL_HEAD;
    j->parent_dirty = true;
    return ERR_OK;
}

err_t journal_add(struct journal *j, const struct journal_of *of, const struct answer *a,
                  struct diag *d)
{
    static const uint8_t room_for_head[ENTRY_HEAD];
    struct buf *b = &j->scratch;
    buf_reset(b);
    buf_put(b, room_for_head, ENTRY_HEAD);
    put_entry(b, of, a);
    if (b->err)
        return diag_fail(d, b->err, "answer %llu is too large for the journal %s",
                         (unsigned long long)a->number, j->path);
    size_t length = b->len - ENTRY_HEAD;
    buf_set_be(b, 0, length, 4);
    buf_set_be(b, 4, crc32c(0, b->at + ENTRY_HEAD, length), 4);
    err_t e = ERR_OK;
    if (j->end + b->len > JOURNAL_TURN && j->end > JOURNAL_HEAD) {
        e = turn_over(j, buf_view(b), d);
    } else {
        e = file_pwrite(j->fd, b->at, b->len, j->end, d);
        if (!e) e = file_sync(j->fd, d);
    }
    if (!e && j->parent_dirty) e = sync_parent(j->path, d);
    if (e) return e;
    j->parent_dirty = false;
    j->last_at = j->end + ENTRY_HEAD;
    j->last_length = length;
    j->end += b->len;
    return ERR_OK;
}
