/* Topics: one durable file each, by id, so that a name can be any that Kafka allows. */
#include "log/log_int.h"

#include <stdio.h>
#include <stdlib.h>

enum { TOPIC_FORMAT = 1, ID_TEXT = 32, APPEND_TIME_BIT = 4, DELETE_BIT = 2, COMPACT_BIT = 1 };
static const char topic_kind[] = "SLUICEtm";

struct log_topic_config log_topic_defaults(void)
{
    return (struct log_topic_config){.retention_ms = INT64_C(7) * 24 * 3600 * 1000,
                                     .retention_bytes = -1,
                                     .message_max_bytes = 1048588, /* Kafka's */
                                     .delete = true};
}

static const char *topic_path(const struct log_topic *t, char out[PATH_SIZE])
{
    struct buf b = buf_over(out, PATH_SIZE - 1);
    buf_printf(&b, "%s/topics/", t->log->dir);
    put_hex(&b, t->id.at, sizeof(t->id.at));
    INVARIANT(!b.err); /* log_open has bounded the directory's name */
    out[b.len] = 0;
    return out;
}

static void topic_free(struct log_topic *t)
{
    if (!t) return;
    for (int32_t i = 0; t->partitions && i < t->partition_count; i++)
        partition_done(&t->partitions[i]);
    mem_give(t->partitions);
    mem_give(t);
}

static struct log_topic *topic_new(struct log *l, struct slice name, struct uuid id,
                                   int32_t partitions, const struct log_topic_config *config)
{
    struct log_topic *t = mem_take(sizeof(*t));
    if (!t) return NULL;
    t->log = l;
    t->id = id;
    t->config = *config;
    t->partition_count = partitions;
    INVARIANT(slice_to_cstr(name, t->name, sizeof(t->name)));
    t->partitions = mem_take((size_t)partitions * sizeof(*t->partitions));
    if (!t->partitions) {
        mem_give(t);
        return NULL;
    }
    for (int32_t i = 0; i < partitions; i++) partition_init(&t->partitions[i], t, i);
    return t;
}

/* --- its file --------------------------------------------------------------------------------- */

static err_t topic_store(const struct log_topic *t, bool deleted, struct diag *d)
{
    char path[PATH_SIZE];
    const struct log_topic_config *c = &t->config;
    struct buf body = buf_make(KIB(4));
    buf_put(&body, t->id.at, sizeof(t->id.at));
    buf_be(&body, strlen(t->name), 2);
    buf_text(&body, t->name);
    buf_be(&body, (uint64_t)t->partition_count, 4);
    buf_be(&body, (uint64_t)c->retention_ms, 8);
    buf_be(&body, (uint64_t)c->retention_bytes, 8);
    buf_be(&body, c->segment_bytes, 8);
    buf_be(&body, (uint64_t)c->message_max_bytes, 4);
    buf_be(&body,
           (c->compact ? COMPACT_BIT : 0u) | (c->delete ? DELETE_BIT : 0u) |
               (c->append_time ? APPEND_TIME_BIT : 0u),
           1);
    buf_be(&body, deleted, 1);
    err_t e = sealed_store(topic_path(t, path), topic_kind, TOPIC_FORMAT, &body, d);
    buf_done(&body);
    return e;
}

static bool name_is_legal(struct slice name)
{
    if (name.len < 1 || name.len > TOPIC_NAME_MAX) return false;
    if (slice_is(name, ".") || slice_is(name, "..")) return false;
    for (uint32_t i = 0; i < name.len; i++) {
        uint8_t c = name.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '.' && c != '_' && c != '-') return false;
    }
    return true;
}

static err_t topic_load(struct log *l, const char *path, struct log_topic **out, bool *deleted,
                        struct diag *d)
{
    struct sealed file;
    err_t e = sealed_load(path, topic_kind, TOPIC_FORMAT, &file, d);
    if (e) return e;
    struct cursor *c = &file.body;
    struct uuid id = {{0}};
    struct log_topic_config config = {0};
    struct slice id_bytes = cursor_slice(c, sizeof(id.at));
    struct slice name = cursor_slice(c, cursor_be(c, 2));
    int32_t partitions = cursor_i32(c);
    config.retention_ms = cursor_i64(c);
    config.retention_bytes = cursor_i64(c);
    config.segment_bytes = cursor_be(c, 8);
    config.message_max_bytes = cursor_i32(c);
    uint8_t flags = (uint8_t)cursor_be(c, 1);
    *deleted = cursor_be(c, 1) != 0;
    if (c->err || cursor_left(c) || !name_is_legal(name) || partitions < 1) {
        sealed_done(&file);
        return diag_fail(d, ERR_CORRUPT, "%s does not describe a topic", path);
    }
    memcpy(id.at, id_bytes.at, sizeof(id.at));
    config.compact = flags & COMPACT_BIT;
    config.delete = flags & DELETE_BIT;
    config.append_time = flags & APPEND_TIME_BIT;
    *out = topic_new(l, name, id, partitions, &config);
    sealed_done(&file);
    return *out ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "%s can not be opened", path);
}

/* --- the set of them -------------------------------------------------------------------------- */

/* Where `name` is, or would be; inside topics_gate. */
static size_t topic_place(const struct log *l, struct slice name, bool *found)
{
    size_t low = 0, high = l->topics.count;
    *found = false;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct log_topic *t = *(struct log_topic **)vec_at(&l->topics, mid);
        int order = slice_compare(slice_of(t->name), name);
        if (order == 0) *found = true;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct log_topic *log_topic_find(struct log *l, struct slice name)
{
    bool found;
    gate_enter(&l->topics_gate);
    size_t at = topic_place(l, name, &found);
    struct log_topic *t = found ? *(struct log_topic **)vec_at(&l->topics, at) : NULL;
    gate_leave(&l->topics_gate);
    return t;
}

static err_t topic_insert(struct log *l, struct log_topic *t)
{
    bool found;
    gate_enter(&l->topics_gate);
    size_t at = topic_place(l, slice_of(t->name), &found);
    err_t e = found ? ERR_CORRUPT : vec_push(&l->topics, &t);
    if (!e) {
        struct log_topic **items = (struct log_topic **)(void *)l->topics.items;
        memmove(items + at + 1, items + at, (l->topics.count - 1 - at) * sizeof(*items));
        items[at] = t;
        l->partition_count += (uint32_t)t->partition_count;
    }
    gate_leave(&l->topics_gate);
    return e;
}

err_t topics_copy(struct log *l, struct vec *out)
{
    err_t e = ERR_OK;
    gate_enter(&l->topics_gate);
    for (size_t i = 0; !e && i < l->topics.count; i++) e = vec_push(out, vec_at(&l->topics, i));
    gate_leave(&l->topics_gate);
    return e;
}

err_t log_topics(struct log *l, err_t (*each)(void *ctx, struct log_topic *t), void *ctx)
{
    struct vec topics = vec_make(sizeof(struct log_topic *), TOPICS_MAX);
    err_t e = topics_copy(l, &topics);
    for (size_t i = 0; !e && i < topics.count; i++)
        e = each(ctx, *(struct log_topic **)vec_at(&topics, i));
    vec_done(&topics);
    return e;
}

/* --- making one ------------------------------------------------------------------------------- */

static err_t config_check(const struct log_topic_config *c, struct diag *d)
{
    if (c->compact)
        return diag_fail(d, ERR_UNSUPPORTED, "cleanup.policy=compact is not there in this version");
    if (c->retention_ms < -1 || c->retention_bytes < -1)
        return diag_fail(d, ERR_RANGE, "retention is -1 (for ever) or more");
    if (c->segment_bytes > SEGMENT_BYTES_MAX)
        return diag_fail(d, ERR_RANGE, "segment.bytes is at most %llu",
                         (unsigned long long)SEGMENT_BYTES_MAX);
    if (c->message_max_bytes < RECORD_BATCH_HEAD || c->message_max_bytes > RECORD_BATCH_MAX)
        return diag_fail(d, ERR_RANGE, "max.message.bytes lies between %d and %d",
                         RECORD_BATCH_HEAD, RECORD_BATCH_MAX);
    return ERR_OK;
}

static err_t create_check(struct log *l, struct slice name, int32_t partitions,
                          const struct log_topic_config *c, struct diag *d)
{
    if (!name_is_legal(name)) {
        diag_fail(d, ERR_USAGE, "'%.*s' is no topic name", SLICE_ARG(name));
        diag_hint(d, "1 to 249 letters, digits, '.', '_' and '-', but not '.' or '..'");
        return ERR_USAGE;
    }
    if (partitions < 1)
        return diag_fail(d, ERR_RANGE, "topic '%.*s' needs a partition", SLICE_ARG(name));
    err_t e = config_check(c, d);
    if (e) return e;
    if (log_topic_find(l, name))
        return diag_fail(d, ERR_EXISTS, "topic '%.*s' exists already", SLICE_ARG(name));
    if ((uint32_t)partitions > l->options.partitions_max - l->partition_count) {
        diag_fail(d, ERR_TOO_BIG, "%d more partitions are too many", partitions);
        diag_why(d, "there are %u, at most %u may be", l->partition_count,
                 l->options.partitions_max);
        return ERR_TOO_BIG;
    }
    return ERR_OK;
}

/* The topic's file first: a crash behind it leaves an empty topic whose directories the next open
 * makes. A directory that no topic owns is nobody's to take. */
static err_t topic_make_files(struct log_topic *t, struct diag *d)
{
    char path[PATH_SIZE];
    for (int32_t i = 0; i < t->partition_count; i++) {
        if (!file_exists(partition_path(&t->partitions[i], NULL, path))) continue;
        diag_fail(d, ERR_EXISTS, "%s is there, but belongs to no topic", path);
        diag_hint(d, "move it away, then make the topic again");
        return ERR_EXISTS;
    }
    err_t e = topic_store(t, false, d);
    for (int32_t i = 0; !e && i < t->partition_count; i++)
        e = dir_make(partition_path(&t->partitions[i], NULL, path), d);
    return e;
}

/* Removes what a deleted, or half made, topic has on disk: its file last. */
static err_t topic_remove_files(const struct log_topic *t, struct diag *d)
{
    char path[PATH_SIZE];
    err_t e = ERR_OK;
    for (int32_t i = 0; !e && i < t->partition_count; i++)
        e = dir_remove_all(partition_path(&t->partitions[i], NULL, path), d);
    if (!e) e = dir_sync(t->log->dir, d);
    if (!e) e = file_remove(topic_path(t, path), d);
    snprintf(path, sizeof(path), "%s/topics", t->log->dir);
    return e ? e : dir_sync(path, d);
}

static err_t topic_create(struct log *l, struct slice name, int32_t partitions,
                          const struct log_topic_config *c, struct log_topic **out, struct diag *d)
{
    char seed[TOPIC_NAME_MAX + 32];
    err_t e = create_check(l, name, partitions, c, d);
    if (e) return e;
    snprintf(seed, sizeof(seed), "%llu %.*s", (unsigned long long)++l->topics_made,
             SLICE_ARG(name)); /* L9: a count that is durable makes an id that never comes back */
    e = identity_store(l, d);
    if (e) return e;
    struct log_topic *t = topic_new(l, name, uuid_v5(l->id, slice_of(seed)), partitions, c);
    if (!t) return diag_fail(d, ERR_NO_MEMORY, "topic '%.*s' has no room", SLICE_ARG(name));
    e = topic_make_files(t, d);
    if (!e) e = topic_insert(l, t);
    if (e) {
        if (e != ERR_EXISTS && topic_remove_files(t, NULL)) /* the first failure is the story */
            say_warn(SAY_LOG, "a half made topic stays", "topic=%s", t->name);
        topic_free(t);
        return e;
    }
    *out = t;
    say_info(SAY_LOG, "topic created", "topic=%s partitions=%d", t->name, partitions);
    return ERR_OK;
}

err_t log_topic_create(struct log *l, struct slice name, int32_t partitions,
                       const struct log_topic_config *c, struct log_topic **out, struct diag *d)
{
    gate_enter(&l->change_gate);
    err_t e = topic_create(l, name, partitions, c, out, d);
    gate_leave(&l->change_gate);
    return e;
}

/* --- deleting one ----------------------------------------------------------------------------- */

static void delete_on_writer(struct job *j)
{
    struct log_topic *t = j->arg;
    atomic_store(&t->deleted, true);
    for (int32_t i = 0; i < t->partition_count; i++) {
        struct log_partition *p = &t->partitions[i];
        tail_finish(p);
        p->stopped = ERR_UNKNOWN_TOPIC;
        partition_drop_segments(p, p->segments.count);
        waiters_fire(p, INT64_MAX); /* they come, and learn that it is gone */
    }
}

static err_t topic_delete(struct log *l, struct log_topic *t, struct diag *d)
{
    bool found;
    err_t e = topic_store(t, true, d); /* from here on a crash ends in the topic being gone */
    struct job j = {.run = delete_on_writer, .arg = t, .diag = d};
    if (!e) e = writer_run_job(l, &j);
    if (e) return e;
    gate_enter(&l->topics_gate);
    vec_remove(&l->topics, topic_place(l, slice_of(t->name), &found));
    l->partition_count -= (uint32_t)t->partition_count;
    bool buried = vec_push(&l->graveyard, &t) == ERR_OK;
    gate_leave(&l->topics_gate);
    if (!buried) say_warn(SAY_LOG, "a deleted topic's memory is kept", "topic=%s", t->name);
    say_info(SAY_LOG, "topic deleted", "topic=%s", t->name);
    return topic_remove_files(t, d);
}

err_t log_topic_delete(struct log *l, struct slice name, struct diag *d)
{
    gate_enter(&l->change_gate);
    struct log_topic *t = log_topic_find(l, name);
    err_t e = t ? topic_delete(l, t, d)
                : diag_fail(d, ERR_UNKNOWN_TOPIC, "there is no topic '%.*s'", SLICE_ARG(name));
    gate_leave(&l->change_gate);
    return e;
}

/* --- opening and closing ---------------------------------------------------------------------- */

struct opening {
    struct log *l;
    int64_t now_ms;
    struct diag *d;
};

static err_t topic_open(void *ctx, const char *file_name)
{
    struct opening *o = ctx;
    char path[PATH_SIZE];
    struct log_topic *t = NULL;
    bool deleted;
    if (strlen(file_name) != ID_TEXT) return ERR_OK; /* file_store's unfinished one */
    snprintf(path, sizeof(path), "%s/topics/%s", o->l->dir, file_name);
    err_t e = topic_load(o->l, path, &t, &deleted, o->d);
    if (e) return e;
    if (deleted) {
        e = topic_remove_files(t, o->d);
        topic_free(t);
        return e;
    }
    for (int32_t i = 0; !e && i < t->partition_count; i++)
        e = partition_recover(&t->partitions[i], o->now_ms, &o->l->recovery, o->d);
    if (!e && (e = topic_insert(o->l, t)))
        e = diag_fail(o->d, e, "topic '%s' is there twice (%s)", t->name, path);
    if (e) topic_free(t);
    return e;
}

err_t topics_open(struct log *l, int64_t now_ms, struct diag *d)
{
    char path[PATH_SIZE];
    struct opening o = {l, now_ms, d};
    snprintf(path, sizeof(path), "%s/topics", l->dir);
    err_t e = dir_make(path, d);
    if (!e) e = dir_list(path, topic_open, &o, d);
    INVARIANT(e || l->topics_made >= l->topics.count); /* L9 */
    return e;
}

void topics_close(struct log *l)
{
    for (size_t i = 0; i < l->topics.count; i++)
        topic_free(*(struct log_topic **)vec_at(&l->topics, i));
    for (size_t i = 0; i < l->graveyard.count; i++)
        topic_free(*(struct log_topic **)vec_at(&l->graveyard, i));
    vec_done(&l->topics);
    vec_done(&l->graveyard);
}

struct slice log_topic_name(const struct log_topic *t)
{
    return slice_of(t->name);
}

const uint8_t *log_topic_id(const struct log_topic *t)
{
    return t->id.at;
}

int32_t log_topic_partitions(const struct log_topic *t)
{
    return t->partition_count;
}

struct log_topic_config log_topic_config(const struct log_topic *t)
{
    return t->config;
}

struct log_partition *log_partition(struct log_topic *t, int32_t index)
{
    return index >= 0 && index < t->partition_count ? &t->partitions[index] : NULL;
}

int32_t log_partition_index(const struct log_partition *p)
{
    return p->index;
}
