/* Topics: one durable file each, by id, so that a name can be any that Kafka allows. */
#include "log/log_int.h"

#include <stdio.h>
#include <stdlib.h>

enum { TOPIC_FORMAT = 2, ID_TEXT = 32, APPEND_TIME_BIT = 4, DELETE_BIT = 2, COMPACT_BIT = 1 };
static const char topic_kind[] = "SLUICEtm";

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
    for (int32_t i = 0; i < t->partition_count; i++) {
        struct log_partition *p = log_partition(t, i);
        partition_done(p);
        mem_give(p);
    }
    for (size_t i = 0; i < t->tables.count; i++)
        mem_give(*(struct log_partition ***)vec_at(&t->tables, i));
    vec_done(&t->tables);
    gate_done(&t->config_gate);
    mem_give(t);
}

/* Room for `count` partitions: a table of twice the size, so that the outgrown ones stay few. */
static err_t topic_reserve(struct log_topic *t, int32_t count)
{
    if (count <= t->partitions_room) return ERR_OK;
    size_t room = MAX((size_t)count, (size_t)t->partitions_room * 2);
    struct log_partition **table = mem_take(room * sizeof(struct log_partition *));
    struct log_partition **old = atomic_load(&t->partitions);
    if (!table || vec_push(&t->tables, &table)) {
        mem_give(table);
        return ERR_NO_MEMORY;
    }
    if (old) memcpy(table, old, (size_t)t->partition_count * sizeof(struct log_partition *));
    t->partitions_room = (int32_t)room;
    atomic_store(&t->partitions, table);
    return ERR_OK;
}

/* Makes partitions up to `count`, which nobody sees before partition_count says so. */
static err_t topic_make_partitions(struct log_topic *t, int32_t count)
{
    int32_t had = t->partition_count, i = had;
    err_t e = topic_reserve(t, count);
    struct log_partition **table = atomic_load(&t->partitions);
    for (; !e && i < count; i++) {
        if (!(table[i] = mem_take(sizeof(struct log_partition)))) {
            e = ERR_NO_MEMORY;
            break;
        }
        partition_init(table[i], t, i);
    }
    while (e && i-- > had) {
        partition_done(table[i]);
        mem_give(table[i]);
    }
    return e;
}

/* From here on the next append, and the next round of retention and cleaning, go by these. */
static void topic_configure(struct log_topic *t, const struct log_topic_config *c)
{
    gate_enter(&t->config_gate);
    t->settings = *c;
    gate_leave(&t->config_gate);
    struct topic_rules *r = &t->config;
    bool both = c->own & config_own_bit("message.timestamp.difference.max.ms"); /* Kafka 3's rule */
    int64_t before = c->timestamp_before_max_ms, after = c->timestamp_after_max_ms;
    if (both && !(c->own & config_own_bit("message.timestamp.before.max.ms")))
        before = c->timestamp_difference_max_ms;
    if (both && !(c->own & config_own_bit("message.timestamp.after.max.ms")))
        after = c->timestamp_difference_max_ms;
    atomic_store(&r->timestamp_before_max_ms, before);
    atomic_store(&r->timestamp_after_max_ms, after);
    atomic_store(&r->retention_ms, c->retention_ms);
    atomic_store(&r->retention_bytes, c->retention_bytes);
    atomic_store(&r->segment_bytes, c->segment_bytes);
    atomic_store(&r->segment_ms, c->segment_ms);
    atomic_store(&r->segment_jitter_ms, c->segment_jitter_ms);
    atomic_store(&r->delete_retention_ms, c->delete_retention_ms);
    atomic_store(&r->min_compaction_lag_ms, c->min_compaction_lag_ms);
    atomic_store(&r->max_compaction_lag_ms, c->max_compaction_lag_ms);
    atomic_store(&r->min_cleanable_ratio, c->min_cleanable_ratio);
    atomic_store(&r->message_max_bytes, c->message_max_bytes);
    atomic_store(&r->compact, c->compact);
    atomic_store(&r->delete, c->delete);
    atomic_store(&r->append_time, c->append_time);
}

static struct log_topic *topic_new(struct log *l, struct slice name, struct uuid id,
                                   int32_t partitions, const struct log_topic_config *config)
{
    struct log_topic *t = mem_take(sizeof(*t));
    if (!t) return NULL;
    t->log = l;
    t->id = id;
    t->tables = vec_make(sizeof(struct log_partition **), 64);
    gate_init(&t->config_gate);
    INVARIANT(slice_to_cstr(name, t->name, sizeof(t->name)));
    topic_configure(t, config);
    if (topic_make_partitions(t, partitions)) {
        topic_free(t);
        return NULL;
    }
    t->partition_count = partitions;
    return t;
}

/* --- its file --------------------------------------------------------------------------------- */

static err_t topic_store(const struct log_topic *t, int32_t partitions,
                         const struct log_topic_config *c, bool deleted, struct diag *d)
{
    char path[PATH_SIZE];
    struct buf body = buf_make(KIB(64));
    buf_put(&body, t->id.at, sizeof(t->id.at));
    buf_be(&body, strlen(t->name), 2);
    buf_text(&body, t->name);
    buf_be(&body, (uint64_t)partitions, 4);
    config_put(c, &body);
    buf_be(&body, deleted, 1);
    err_t e = sealed_store(topic_path(t, path), topic_kind, TOPIC_FORMAT, &body, d);
    buf_done(&body);
    return e;
}

const char *log_topic_name_fault(struct slice name)
{
    if (name.len == 0) return "the empty string is not allowed";
    if (slice_is(name, ".") || slice_is(name, "..")) return "'.' or '..' is not allowed";
    if (name.len > TOPIC_NAME_MAX) return "the length is longer than the max allowed length 249";
    for (uint32_t i = 0; i < name.len; i++) {
        uint8_t c = name.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '.' && c != '_' && c != '-')
            return "it contains one or more characters other than ASCII alphanumerics, '.', '_' "
                   "and '-'";
    }
    return NULL;
}

/* Format 1 had these few, all of them always. */
static err_t config_get_1(struct cursor *c, struct log_topic_config *config)
{
    *config = log_topic_defaults();
    config->retention_ms = cursor_i64(c);
    config->retention_bytes = cursor_i64(c);
    config->segment_bytes = cursor_be(c, 8);
    config->message_max_bytes = cursor_i32(c);
    uint8_t flags = (uint8_t)cursor_be(c, 1);
    config->compact = flags & COMPACT_BIT;
    config->delete = flags & DELETE_BIT;
    config->append_time = flags & APPEND_TIME_BIT;
    config_complete(config);
    return c->err ? ERR_CORRUPT : config_check(config, NULL);
}

static err_t topic_read(struct log *l, struct sealed *file, struct log_topic **out, bool *deleted,
                        struct diag *d)
{
    struct cursor *c = &file->body;
    struct uuid id = {{0}};
    struct log_topic_config config;
    struct slice id_bytes = cursor_slice(c, sizeof(id.at));
    struct slice name = cursor_slice(c, cursor_be(c, 2));
    int32_t partitions = cursor_i32(c);
    if (c->err || log_topic_name_fault(name) || partitions < 1 || partitions > PARTITIONS_MAX)
        return ERR_CORRUPT;
    err_t e = file->version == 1 ? config_get_1(c, &config) : config_get(c, &config, d);
    *deleted = cursor_be(c, 1) != 0;
    if (e) return e;
    if (c->err || cursor_left(c)) return ERR_CORRUPT;
    memcpy(id.at, id_bytes.at, sizeof(id.at));
    *out = topic_new(l, name, id, partitions, &config);
    return *out ? ERR_OK : ERR_NO_MEMORY;
}

static err_t topic_load(struct log *l, const char *path, struct log_topic **out, bool *deleted,
                        struct diag *d)
{
    struct sealed file;
    struct diag why = {0};
    err_t e = sealed_load(path, topic_kind, TOPIC_FORMAT, &file, d);
    if (e) return e;
    e = topic_read(l, &file, out, deleted, &why);
    sealed_done(&file);
    if (!e) return ERR_OK;
    if (e == ERR_CONFIG) e = ERR_CORRUPT;
    (void)diag_fail(
        d, e, e == ERR_NO_MEMORY ? "%s can not be opened" : "%s does not describe a topic", path);
    if (why.what[0]) (void)diag_why(d, "%s", why.what);
    return e;
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

struct log_topic *log_topic_by_id(struct log *l, const uint8_t id[16])
{
    gate_enter(&l->topics_gate);
    struct log_topic *t = map_get(l->topics_by_id, slice_make(id, sizeof(t->id.at)));
    gate_leave(&l->topics_gate);
    return t;
}

static err_t topic_insert(struct log *l, struct log_topic *t)
{
    bool found;
    struct slice id = slice_make(t->id.at, sizeof(t->id.at));
    gate_enter(&l->topics_gate);
    size_t at = topic_place(l, slice_of(t->name), &found);
    err_t e = found ? ERR_CORRUPT : map_set(l->topics_by_id, id, t);
    if (!e && (e = vec_push(&l->topics, &t))) map_remove(l->topics_by_id, id);
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

bool log_topic_name_is_internal(struct slice name)
{
    return slice_is(name, "__consumer_offsets") || slice_is(name, "__transaction_state");
}

bool log_topic_is_internal(const struct log_topic *t)
{
    return log_topic_name_is_internal(slice_of(t->name));
}

/* What a value goes back to that the topic gives up: for a coordinator's topic Kafka's own choice.
 */
static struct log_topic_config base_for(struct slice name)
{
    struct log_topic_config c = log_topic_defaults();
    if (!log_topic_name_is_internal(name)) return c;
    c.compact = true;
    c.delete = false;
    c.segment_bytes = MIB(100);
    config_complete(&c);
    return c;
}

static struct log_topic_config config_for(struct slice name, const struct log_topic_config *wanted)
{
    struct log_topic_config c = *wanted;
    if (log_topic_name_is_internal(name)) {
        c.compact = true;
        c.delete = false;
        c.segment_bytes = MIB(100);
    }
    config_complete(&c);
    return c;
}

static err_t create_check(struct log *l, struct slice name, int32_t partitions,
                          const struct log_topic_config *c, struct diag *d)
{
    if (log_topic_name_fault(name)) {
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
static err_t topic_make_files(struct log_topic *t, int32_t from, int32_t to, struct diag *d)
{
    char path[PATH_SIZE];
    struct log_partition **table = atomic_load(&t->partitions);
    for (int32_t i = from; i < to; i++) {
        if (!file_exists(partition_path(table[i], NULL, path))) continue;
        diag_fail(d, ERR_EXISTS, "%s is there, but belongs to no topic", path);
        diag_hint(d, "move it away, then make the topic again");
        return ERR_EXISTS;
    }
    err_t e = topic_store(t, to, &t->settings, false, d);
    for (int32_t i = from; !e && i < to; i++)
        e = dir_make_in(partition_path(table[i], NULL, path), d);
    return e ? e : dir_sync(t->log->dir, d); /* once for all their names */
}

/* Removes what a deleted, or half made, topic has on disk: its file last. */
static err_t topic_remove_files(const struct log_topic *t, struct diag *d)
{
    char path[PATH_SIZE];
    err_t e = ERR_OK;
    for (int32_t i = 0; !e && i < t->partition_count; i++)
        e = dir_remove_all(partition_path(log_partition((struct log_topic *)t, i), NULL, path), d);
    if (!e) e = dir_sync(t->log->dir, d);
    if (!e) e = file_remove(topic_path(t, path), d);
    snprintf(path, sizeof(path), "%s/topics", t->log->dir);
    return e ? e : dir_sync(path, d);
}

static err_t topic_create(struct log *l, struct slice name, int32_t partitions,
                          const struct log_topic_config *wanted, struct log_topic **out,
                          struct diag *d)
{
    char seed[TOPIC_NAME_MAX + 32];
    struct log_topic_config c = config_for(name, wanted);
    err_t e = create_check(l, name, partitions, &c, d);
    if (e) return e;
    snprintf(seed, sizeof(seed), "%llu %.*s", (unsigned long long)++l->topics_made,
             SLICE_ARG(name)); /* L9: a count that is durable makes an id that never comes back */
    e = identity_store(l, d);
    if (e) return e;
    struct log_topic *t = topic_new(l, name, uuid_v5(l->id, slice_of(seed)), partitions, &c);
    if (!t) return diag_fail(d, ERR_NO_MEMORY, "topic '%.*s' has no room", SLICE_ARG(name));
    e = topic_make_files(t, 0, partitions, d);
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

/* --- changing one ----------------------------------------------------------------------------- */

static err_t gone(const struct log_topic *t, struct diag *d)
{
    return diag_fail(d, ERR_UNKNOWN_TOPIC, "topic '%s' was deleted", t->name);
}

err_t log_topic_alter(struct log *l, struct log_topic *t, const struct log_config_change *changes,
                      size_t count, bool replace, bool validate_only, struct diag *d)
{
    const struct log_topic_config base = base_for(slice_of(t->name));
    gate_enter(&l->change_gate);
    struct log_topic_config c = replace ? base : t->settings;
    err_t e = atomic_load(&t->deleted) ? gone(t, d) : config_change(changes, count, &base, &c, d);
    if (!e && !validate_only) {
        e = topic_store(t, t->partition_count, &c, false, d);
        if (!e) topic_configure(t, &c);
        for (int32_t i = 0; !e && i < t->partition_count; i++) cleaner_notice(log_partition(t, i));
    }
    gate_leave(&l->change_gate);
    if (!e && !validate_only)
        say_info(SAY_LOG, "topic configuration changed", "topic=%s entries=%zu", t->name, count);
    return e;
}

static err_t grow_check(struct log *l, const struct log_topic *t, int32_t partitions,
                        struct diag *d)
{
    int32_t had = t->partition_count;
    if (atomic_load(&t->deleted)) return gone(t, d);
    if (partitions == had)
        return diag_fail(d, ERR_PARTITIONS, "Topic already has %d partition(s).", had);
    if (partitions < had)
        return diag_fail(d, ERR_PARTITIONS,
                         "The topic %s currently has %d partition(s); %d would not be an increase.",
                         t->name, had, partitions);
    uint32_t more = (uint32_t)(partitions - had);
    if (more <= l->options.partitions_max - MIN(l->partition_count, l->options.partitions_max))
        return ERR_OK;
    (void)diag_fail(d, ERR_PARTITIONS, "%u more partitions are too many", more);
    return diag_why(d, "there are %u, at most %u may be", l->partition_count,
                    l->options.partitions_max);
}

/* What never got whole: the file says the old number again, the new directories go. */
static void grow_take_back(struct log_topic *t, int32_t had, int32_t wanted, bool made)
{
    char path[PATH_SIZE];
    struct log_partition **table = atomic_load(&t->partitions);
    struct diag d = {0};
    if (made && topic_store(t, had, &t->settings, false, &d))
        say_diag(SAY_LOG, SAY_WARN, "a topic's file may say too many partitions", &d);
    for (int32_t i = had; i < wanted; i++) {
        if (made && dir_remove_all(partition_path(table[i], NULL, path), NULL))
            say_warn(SAY_LOG, "a half made partition stays", "dir=%s", path);
        partition_done(table[i]);
        mem_give(table[i]);
    }
}

static err_t topic_grow(struct log *l, struct log_topic *t, int32_t partitions, struct diag *d)
{
    int32_t had = t->partition_count;
    err_t e = grow_check(l, t, partitions, d);
    if (e) return e;
    if (topic_make_partitions(t, partitions))
        return diag_fail(d, ERR_NO_MEMORY, "topic '%s' has no room for partitions", t->name);
    e = topic_make_files(t, had, partitions, d);
    if (e) {
        grow_take_back(t, had, partitions, e != ERR_EXISTS);
        return e;
    }
    atomic_store(&t->partition_count, partitions);
    gate_enter(&l->topics_gate);
    l->partition_count += (uint32_t)(partitions - had);
    gate_leave(&l->topics_gate);
    say_info(SAY_LOG, "topic has more partitions", "topic=%s partitions=%d", t->name, partitions);
    return ERR_OK;
}

err_t log_topic_grow(struct log *l, struct log_topic *t, int32_t partitions, struct diag *d)
{
    gate_enter(&l->change_gate);
    err_t e = topic_grow(l, t, partitions, d);
    gate_leave(&l->change_gate);
    return e;
}

/* --- deleting one ----------------------------------------------------------------------------- */

static void delete_on_writer(struct job *j)
{
    struct log_topic *t = j->arg;
    atomic_store(&t->deleted, true);
    for (int32_t i = 0; i < t->partition_count; i++) {
        struct log_partition *p = log_partition(t, i);
        tail_finish(p);
        p->stopped = ERR_UNKNOWN_TOPIC;
        partition_drop_segments(p, p->segments.count);
        waiters_fire(p, INT64_MAX); /* they come, and learn that it is gone */
    }
}

static err_t topic_delete(struct log *l, struct log_topic *t, struct diag *d)
{
    bool found;
    err_t e = topic_store(t, t->partition_count, &t->settings, true,
                          d); /* from here on a crash ends in the topic being gone */
    struct job j = {.run = delete_on_writer, .arg = t, .diag = d};
    if (!e) e = writer_run_job(l, &j);
    if (e) return e;
    gate_enter(&l->topics_gate);
    vec_remove(&l->topics, topic_place(l, slice_of(t->name), &found));
    map_remove(l->topics_by_id, slice_make(t->id.at, sizeof(t->id.at)));
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
        e = partition_recover(log_partition(t, i), o->now_ms, &o->l->recovery, o->d);
    for (int32_t i = 0; !e && i < t->partition_count; i++)
        if (log_partition(t, i)->segments.count > 1) cleaner_notice(log_partition(t, i));
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
    map_free(l->topics_by_id);
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
    struct log_topic *topic = (struct log_topic *)t; /* its gate, not what is known of it */
    gate_enter(&topic->config_gate);
    struct log_topic_config c = topic->settings;
    gate_leave(&topic->config_gate);
    return c;
}

struct log_partition *log_partition(struct log_topic *t, int32_t index)
{
    if (index < 0 || index >= atomic_load(&t->partition_count)) return NULL;
    return atomic_load(&t->partitions)[index];
}

int32_t log_partition_index(const struct log_partition *p)
{
    return p->index;
}
