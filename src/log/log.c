/* Opening and closing the whole, and the log's own identity: its id, and its producers' names. */
#include "log/compact.h"

#include <stdio.h>

enum { IDENTITY_FORMAT = 2, DIR_MAX = 1500, NAME_MAX_BYTES = 1024 };
static const char identity_kind[] = "SLUICEid";

/* --- identity --------------------------------------------------------------------------------- */

err_t identity_store(struct log *l, struct diag *d)
{
    char path[PATH_SIZE];
    struct slice name;
    void *value;
    struct buf body = buf_make(SEALED_MAX);
    buf_put(&body, l->id.at, sizeof(l->id.at));
    buf_be(&body, l->topics_made, 8);
    buf_be(&body, map_count(l->producer_names), 4);
    for (size_t i = 0; map_next(l->producer_names, &i, &name, &value);) { /* in order of coming */
        buf_be(&body, name.len, 2);
        buf_slice(&body, name);
    }
    buf_be(&body, (uint64_t)l->producer_ids, 8);
    snprintf(path, sizeof(path), "%s/identity", l->dir);
    err_t e = sealed_store(path, identity_kind, IDENTITY_FORMAT, &body, d);
    buf_done(&body);
    return e;
}

static err_t name_add(struct log *l, struct slice name)
{
    uintptr_t place = map_count(l->producer_names) + 1;
    return map_set(l->producer_names, name, (void *)place);
}

static err_t identity_read(struct log *l, struct cursor *c, uint32_t version)
{
    struct slice id = cursor_slice(c, sizeof(l->id.at));
    l->topics_made = cursor_be(c, 8);
    uint64_t count = cursor_be(c, 4);
    err_t e = c->err || count > PRODUCER_NAMES_MAX ? ERR_CORRUPT : ERR_OK;
    if (!e) memcpy(l->id.at, id.at, sizeof(l->id.at));
    for (uint64_t i = 0; !e && i < count; i++) {
        struct slice name = cursor_slice(c, cursor_be(c, 2));
        e = c->err ? ERR_CORRUPT : name_add(l, name);
    }
    l->producer_ids = version >= 2 ? cursor_i64(c) : 0; /* format 1 gave out none */
    if (!e && (c->err || l->producer_ids < 0 || l->producer_ids > INTERNAL_PRODUCERS))
        e = ERR_CORRUPT;
    return e ? e : cursor_left(c) || map_count(l->producer_names) != count ? ERR_CORRUPT : ERR_OK;
}

/* Made once, from what no other log has: where it lies and when it began. */
static err_t identity_make(struct log *l, int64_t now_ms, struct diag *d)
{
    char path[PATH_SIZE], seed[PATH_SIZE];
    snprintf(path, sizeof(path), "%s/topics", l->dir);
    if (file_exists(path)) {
        diag_fail(d, ERR_CORRUPT, "%s/identity is gone, but there are topics", l->dir);
        diag_hint(d, "restore it from a backup: it says which producer ids are given out");
        return ERR_CORRUPT;
    }
    snprintf(seed, sizeof(seed), "%s %lld %lld %lld", l->dir, (long long)now_ms,
             (long long)clock_wall_us(), (long long)clock_mono_ns());
    l->id = uuid_v5((struct uuid){{0}}, slice_of(seed));
    return identity_store(l, d);
}

static err_t identity_open(struct log *l, int64_t now_ms, struct diag *d)
{
    char path[PATH_SIZE];
    struct sealed file;
    snprintf(path, sizeof(path), "%s/identity", l->dir);
    err_t e = sealed_load(path, identity_kind, IDENTITY_FORMAT, &file, d);
    if (e == ERR_NOT_FOUND) return identity_make(l, now_ms, d);
    if (e) return e;
    e = identity_read(l, &file.body, file.version);
    sealed_done(&file);
    return e ? diag_fail(d, e, "%s can not be read", path) : ERR_OK;
}

static err_t producer_id(struct log *l, struct slice name, int64_t *id, struct diag *d)
{
    uintptr_t place = (uintptr_t)map_get(l->producer_names, name);
    if (!place) {
        if (name.len == 0 || name.len > NAME_MAX_BYTES)
            return diag_fail(d, ERR_RANGE, "a producer's name has 1 to %d bytes", NAME_MAX_BYTES);
        if (map_count(l->producer_names) >= PRODUCER_NAMES_MAX)
            return diag_fail(d, ERR_TOO_BIG, "there are %d producer names", PRODUCER_NAMES_MAX);
        err_t e = name_add(l, name);
        if (e) return diag_fail(d, e, "producer '%.*s' has no room", SLICE_ARG(name));
        if ((e = identity_store(l, d))) {
            map_remove(l->producer_names, name); /* the last one: the order stays */
            return e;
        }
        place = map_count(l->producer_names);
    }
    *id = INTERNAL_PRODUCERS + (int64_t)place - 1;
    return ERR_OK;
}

err_t log_producer_id(struct log *l, struct slice name, int64_t *id, struct diag *d)
{
    gate_enter(&l->change_gate);
    err_t e = producer_id(l, name, id, d);
    gate_leave(&l->change_gate);
    return e;
}

static err_t producer_ids_take(struct log *l, int64_t count, int64_t *first, struct diag *d)
{
    if (count < 1 || count > INTERNAL_PRODUCERS - l->producer_ids)
        return diag_fail(d, ERR_RANGE, "%lld producer ids are not to be had", (long long)count);
    *first = l->producer_ids;
    l->producer_ids += count;
    return identity_store(l, d); /* when it fails these are skipped: the file may have got there */
}

err_t log_producer_ids_take(struct log *l, int64_t count, int64_t *first, struct diag *d)
{
    gate_enter(&l->change_gate);
    err_t e = producer_ids_take(l, count, first, d);
    gate_leave(&l->change_gate);
    return e;
}

/* --- the whole -------------------------------------------------------------------------------- */

static err_t options_check(struct log *l, const struct log_options *o, struct diag *d)
{
    struct log_options *mine = &l->options;
    *mine = *o;
    if (!mine->partitions_max) mine->partitions_max = 10000;
    if (!mine->segment_bytes) mine->segment_bytes = GIB(1);
    if (!mine->segment_ms) mine->segment_ms = INT64_C(7) * 24 * 3600 * 1000;
    if (!mine->clean_backoff_ms) mine->clean_backoff_ms = CLEAN_BACKOFF_MS;
    if (!mine->clean_keys_max) mine->clean_keys_max = KEY_SLOTS_MAX / 4 * 3;
    if (!mine->disk_keep_free) mine->disk_keep_free = MIB(256);
    if (!o->dir || !o->dir[0] || strlen(o->dir) > DIR_MAX)
        return diag_fail(d, ERR_RANGE, "the log's directory needs a name of at most %d bytes",
                         DIR_MAX);
    if (mine->segment_bytes > SEGMENT_BYTES_MAX)
        return diag_fail(d, ERR_RANGE, "segments are at most %llu bytes",
                         (unsigned long long)SEGMENT_BYTES_MAX);
    snprintf(l->dir, sizeof(l->dir), "%s", o->dir);
    mine->dir = l->dir;
    return ERR_OK;
}

static void log_free(struct log *l)
{
    topics_close(l);
    cleaner_done(&l->cleaner);
    map_free(l->producer_names);
    writer_done(&l->writer);
    gate_done(&l->topics_gate);
    gate_done(&l->change_gate);
    file_close(l->lock_fd); /* the lock goes last */
    mem_give(l);
}

static err_t open_files(struct log *l, int64_t now_ms, struct diag *d)
{
    char path[PATH_SIZE];
    l->producer_names = map_new(PRODUCER_NAMES_MAX);
    l->topics_by_id = map_new(TOPICS_MAX);
    if (!l->producer_names || !l->topics_by_id)
        return diag_fail(d, ERR_NO_MEMORY, "the log has no room");
    err_t e = dir_make(l->dir, d);
    if (e) return e;
    snprintf(path, sizeof(path), "%s/lock", l->dir);
    e = file_lock(path, &l->lock_fd, d);
    if (!e) e = identity_open(l, now_ms, d);
    if (!e) e = topics_open(l, now_ms, d);
    return e;
}

err_t log_open(const struct log_options *o, int64_t now_ms, struct log **out, struct diag *d)
{
    struct log *l = mem_take(sizeof(*l));
    if (!l) return diag_fail(d, ERR_NO_MEMORY, "the log has no room");
    l->lock_fd = -1;
    l->topics = vec_make(sizeof(struct log_topic *), TOPICS_MAX);
    l->graveyard = vec_make(sizeof(struct log_topic *), TOPICS_MAX);
    gate_init(&l->change_gate);
    gate_init(&l->topics_gate);
    gate_init(&l->writer.gate);
    gate_init(&l->writer.syncer.gate);
    cleaner_init(&l->cleaner);
    err_t e = options_check(l, o, d);
    if (!e) e = open_files(l, now_ms, d);
    if (!e) e = writer_start(l, d);
    if (!e && (e = cleaner_start(l, d))) writer_stop(l);
    if (e) {
        log_free(l);
        return e;
    }
    const struct log_recovery *r = &l->recovery;
    say_info(SAY_LOG, "log opened", "dir=%s partitions=%llu scanned=%llu cut=%llu", l->dir,
             (unsigned long long)r->partitions, (unsigned long long)r->bytes_scanned,
             (unsigned long long)r->bytes_cut);
    *out = l;
    return ERR_OK;
}

void log_close(struct log *l)
{
    if (!l) return;
    cleaner_stop(l);
    writer_stop(l);
    log_free(l);
}

struct log_recovery log_recovery(const struct log *l)
{
    return l->recovery;
}

bool log_must_reopen(const struct log *l)
{
    return atomic_load(&l->must_reopen);
}

const char *log_dir(const struct log *l)
{
    return l->dir;
}
