#include "flow/outbox.h"

#include <stdio.h>

enum {
    OUTBOX_VERSION = 1,
    OUTBOX_HEAD = 1 + 16,
    OUTBOX_ENTRIES_MAX = 1 << 20,
    SEQUENCE_HALF = 1 << 30 /* of the sequences' ring */
};

struct entry { /* one batch */
    struct outbox *outbox;
    int32_t partition;
    uint32_t number; /* within its epoch */
    struct buf batch;
    struct log_append append;
};
struct outbox {
    struct lane *lane;
    struct slice name;
    struct log_topic *topic;
    int64_t producer_id;
    int32_t partitions;
    int32_t *sequences; /* a partition's next */
    struct vec entries; /* struct entry *: of the epoch at hand */
    struct vec done;    /* struct stage_key: in the store, and in the log: to be removed */
    size_t bytes;
    struct arena *arena;
    struct gate settled; /* guards appends_left */
    uint32_t appends_left;
};

static void entries_clear(struct outbox *o)
{
    for (size_t i = 0; i < o->entries.count; i++) {
        struct entry *e = *(struct entry **)vec_at(&o->entries, i);
        buf_done(&e->batch);
        mem_give(e);
    }
    vec_clear(&o->entries);
    o->bytes = 0;
}

err_t outbox_new(struct lane *l, struct slice topic, struct outbox **out, struct diag *d)
{
    struct outbox *o = mem_take(sizeof(*o));
    if (o) {
        *o = (struct outbox){.lane = l, .name = topic, .producer_id = -1};
        o->entries = vec_make(sizeof(struct entry *), OUTBOX_ENTRIES_MAX);
        o->done = vec_make(sizeof(struct stage_key), OUTBOX_ENTRIES_MAX);
        gate_init(&o->settled);
        o->arena = arena_new(GIB(1));
    }
    if (!o || !o->arena) {
        outbox_free(o);
        return diag_fail(d, ERR_NO_MEMORY, "no memory for an outbox");
    }
    *out = o;
    return ERR_OK;
}

void outbox_free(struct outbox *o)
{
    if (!o) return;
    entries_clear(o);
    vec_done(&o->entries);
    vec_done(&o->done);
    gate_done(&o->settled);
    arena_free(o->arena);
    mem_give(o->sequences);
    mem_give(o);
}

struct log_topic *outbox_topic(const struct outbox *o)
{
    return o->topic;
}

size_t outbox_bytes(const struct outbox *o)
{
    return o->bytes;
}

/* --- where the topic stands ---------------------------------------------------------------------
 */

/* A lane's producer has a name of its own, and another one after each reset. */
static err_t find_producer(struct outbox *o, struct diag *d)
{
    const struct lane *l = o->lane;
    struct slice stream = l->stream->stage->name;
    uint64_t generation = 0;
    uint8_t space[STAGE_NAME_MAX + 64];
    struct buf name = buf_over(space, sizeof(space));
    err_t e = stage_generation(lane_flow(l)->o.store, stream, &generation, d);
    if (e) return e;
    buf_printf(&name, "stream:%.*s/%u", SLICE_ARG(stream), l->index);
    if (generation) buf_printf(&name, "#%llu", (unsigned long long)generation);
    return log_producer_id(lane_flow(l)->o.log, buf_view(&name), &o->producer_id, d);
}

static err_t find_sequences(struct outbox *o, struct diag *d)
{
    int32_t partitions = log_topic_partitions(o->topic);
    if (partitions > o->partitions) {
        int32_t *grown = mem_resize(o->sequences, (size_t)partitions * sizeof(*grown));
        if (!grown) return diag_fail(d, ERR_NO_MEMORY, "no memory for an outbox");
        o->sequences = grown;
    }
    for (int32_t i = 0; i < partitions; i++) {
        struct log_producer state = {.last_sequence = -1};
        err_t e = log_producer_state(log_partition(o->topic, i), o->producer_id, &state);
        if (e && e != ERR_NOT_FOUND)
            return diag_fail(d, e, "what %.*s/%d remembers of its stream", SLICE_ARG(o->name), i);
        o->sequences[i] = (int32_t)(((uint32_t)state.last_sequence + 1) & INT32_MAX);
    }
    o->partitions = partitions;
    return ERR_OK;
}

err_t outbox_begin(struct outbox *o, struct diag *d)
{
    const struct lane *l = o->lane;
    struct log_topic *topic = log_topic_find(lane_flow(l)->o.log, o->name);
    entries_clear(o);
    if (!topic)
        return diag_fail(d, ERR_UNKNOWN_TOPIC, "stream '%.*s' writes to topic '%.*s'",
                         SLICE_ARG(l->stream->stage->name), SLICE_ARG(o->name));
    bool same = topic == o->topic && log_topic_partitions(topic) == o->partitions;
    o->topic = topic;
    return same ? ERR_OK : find_sequences(o, d);
}

/* --- an epoch's batches -------------------------------------------------------------------------
 */

err_t outbox_add(struct outbox *o, int32_t partition, struct record_builder *b, struct diag *d)
{
    struct log_topic_config config = log_topic_config(o->topic);
    struct record_batch_options options = {
        .codec = config.compression < 0 ? CODEC_NONE : (enum codec)config.compression,
        .producer_id = o->producer_id,
        .producer_epoch = 0,
        .base_sequence = o->sequences[partition]};
    struct entry *entry = mem_take(sizeof(*entry));
    uint32_t count = (uint32_t)b->count;
    err_t e = entry ? ERR_OK : ERR_NO_MEMORY;
    if (entry)
        *entry = (struct entry){.outbox = o,
                                .partition = partition,
                                .number = (uint32_t)o->entries.count,
                                .batch = buf_make(RECORD_BATCH_MAX)};
    if (!e) e = record_builder_finish(b, &options, &entry->batch);
    if (!e) e = vec_push(&o->entries, &entry);
    if (e) {
        if (entry) buf_done(&entry->batch);
        mem_give(entry);
        return diag_fail(d, e, "a batch of %u records for %.*s/%d", count, SLICE_ARG(o->name),
                         partition);
    }
    record_builder_reset(b);
    o->bytes += entry->batch.len;
    /* sequences go round as Kafka's do: 0 follows the highest int32 */
    o->sequences[partition] = (int32_t)(((uint32_t)o->sequences[partition] + count) & INT32_MAX);
    return ERR_OK;
}

/* Lane, epoch, partition, number: what is appended first stands first. */
static struct stage_key entry_key(const struct outbox *o, const struct entry *e)
{
    struct stage_key k = stage_key(o->lane->stream->stage->key);
    stage_key_be(&k, o->lane->index, 4);
    stage_key_be(&k, o->lane->epoch.number, 8);
    stage_key_be(&k, e->number, 4);
    stage_key_be(&k, (uint32_t)e->partition, 4);
    return k;
}

err_t outbox_write(struct outbox *o, struct diag *d)
{
    struct store_write *w = o->lane->epoch.write;
    struct buf *value = &o->lane->scratch;
    err_t e = ERR_OK;
    for (size_t i = 0; !e && i < o->done.count; i++)
        e = store_write_record(w, STORE_OUTBOX, stage_key_slice(vec_at(&o->done, i)),
                               (struct slice){0});
    for (size_t i = 0; !e && i < o->entries.count; i++) {
        struct entry *entry = *(struct entry **)vec_at(&o->entries, i);
        struct stage_key k = entry_key(o, entry);
        buf_reset(value);
        buf_be(value, OUTBOX_VERSION, 1);
        buf_put(value, log_topic_id(o->topic), 16);
        buf_slice(value, buf_view(&entry->batch));
        e = value->err ? value->err
                       : store_write_record(w, STORE_OUTBOX, stage_key_slice(&k), buf_view(value));
    }
    return e ? diag_fail(d, e, "%zu batches for topic '%.*s'", o->entries.count, SLICE_ARG(o->name))
             : ERR_OK;
}

static void entry_appended(struct log_append *append)
{
    struct outbox *o = ((struct entry *)append->arg)->outbox;
    gate_enter(&o->settled);
    o->appends_left--;
    gate_wake(&o->settled);
    gate_leave(&o->settled);
}

/* All at once, so that they share one group commit; the log keeps their order. */
err_t outbox_append(struct outbox *o, struct diag *d)
{
    err_t e = ERR_OK;
    vec_clear(&o->done); /* they went with the write */
    o->appends_left = (uint32_t)o->entries.count;
    for (size_t i = 0; i < o->entries.count; i++) {
        struct entry *entry = *(struct entry **)vec_at(&o->entries, i);
        entry->append = (struct log_append){.partition = log_partition(o->topic, entry->partition),
                                            .batches = entry->batch.at,
                                            .size = entry->batch.len,
                                            .done = entry_appended,
                                            .arg = entry};
        log_append(lane_flow(o->lane)->o.log, &entry->append, clock_wall_ms());
    }
    gate_enter(&o->settled);
    while (o->appends_left) gate_wait(&o->settled);
    gate_leave(&o->settled);
    for (size_t i = 0; !e && i < o->entries.count; i++) {
        struct entry *entry = *(struct entry **)vec_at(&o->entries, i);
        struct stage_key k = entry_key(o, entry);
        e = entry->append.err == ERR_EXISTS ? ERR_OK : entry->append.err;
        if (e && d && entry->append.diag.err)
            *d = entry->append.diag;
        else if (e)
            diag_fail(d, e, "append to %.*s/%d", SLICE_ARG(o->name), entry->partition);
        if (!e && (e = vec_push(&o->done, &k))) diag_fail(d, e, "an outbox");
    }
    entries_clear(o);
    return e;
}

/* --- what was left ------------------------------------------------------------------------------
 */

struct leftover {
    struct outbox *outbox;
    bool all; /* those of lanes that are no more too */
    struct diag *d;
};

static bool is_appended(struct log_partition *p, const struct record_batch *b)
{
    struct log_producer state;
    if (log_producer_state(p, b->producer_id, &state) || state.last_sequence < 0) return false;
    uint32_t last = (uint32_t)b->base_sequence + (uint32_t)b->count - 1;
    return (((uint32_t)state.last_sequence - last) & INT32_MAX) < SEQUENCE_HALF;
}

static err_t append_leftover(struct outbox *o, struct log_partition *p, struct slice bytes,
                             const struct record_batch *b, struct diag *d)
{
    int64_t offset;
    if (is_appended(p, b)) return ERR_OK;
    uint8_t *copy = arena_take_raw(o->arena, bytes.len); /* the log patches what it appends */
    if (!copy) return diag_fail(d, ERR_NO_MEMORY, "a batch of an outbox");
    memcpy(copy, bytes.at, bytes.len);
    err_t e =
        log_append_wait(lane_flow(o->lane)->o.log, p, copy, bytes.len, clock_wall_ms(), &offset, d);
    arena_reset(o->arena);
    return e == ERR_EXISTS ? ERR_OK : e;
}

static err_t settle_one(void *ctx, struct slice key, struct slice value)
{
    struct leftover *f = ctx;
    struct outbox *o = f->outbox;
    struct stage_key k = stage_key(o->lane->stream->stage->key);
    struct record_batch batch;
    struct cursor c = cursor_of(slice_make(key.at + k.len, key.len - k.len));
    uint32_t lane = (uint32_t)cursor_be(&c, 4);
    (void)cursor_be(&c, 8);
    (void)cursor_be(&c, 4);
    int32_t partition = cursor_i32(&c);
    bool mine = lane == o->lane->index || (f->all && lane >= o->lane->stream->lane_count);
    if (c.err || value.len < OUTBOX_HEAD) return ERR_CORRUPT;
    if (!mine) return ERR_OK;
    if (value.at[0] > OUTBOX_VERSION) return ERR_VERSION;
    struct slice bytes = slice_make(value.at + OUTBOX_HEAD, value.len - OUTBOX_HEAD);
    struct log_partition *p = log_partition(o->topic, partition);
    err_t e = record_batch_read(bytes, true, &batch);
    bool same = p && !memcmp(value.at + 1, log_topic_id(o->topic), 16);
    if (!same) /* its topic is gone, and with it who would have read it */
        say_warn(SAY_FLOW, "a batch's topic was made anew: it is dropped", "topic=%.*s",
                 SLICE_ARG(o->name));
    if (!e && same) e = append_leftover(o, p, bytes, &batch, f->d);
    if (e) return e;
    memcpy(k.at, key.at, key.len);
    k.len = key.len;
    return vec_push(&o->done, &k);
}

err_t outbox_recover(struct outbox *o, struct diag *d)
{
    struct stream *s = o->lane->stream;
    struct stage_key k = stage_key(s->stage->key);
    struct leftover f = {.outbox = o, .d = d};
    err_t e = find_producer(o, d);
    if (!e) e = outbox_begin(o, d);
    if (e) return e;
    vec_clear(&o->done);
    gate_enter(&s->outbox);
    f.all = !s->outbox_replayed;
    e = store_records(lane_flow(o->lane)->o.store, NULL, STORE_OUTBOX, stage_key_slice(&k),
                      (struct slice){0}, settle_one, &f, d);
    s->outbox_replayed |= !e;
    gate_leave(&s->outbox);
    if (e && d && !d->err)
        diag_fail(d, e, "the outbox of stream '%.*s'", SLICE_ARG(s->stage->name));
    return e ? e : find_sequences(o, d);
}
