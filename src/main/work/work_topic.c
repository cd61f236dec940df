/* Records that tasks put into topics, and how far groups have read. */
#include "main/server.h"
#include "main/work/work.h"

#include "base/hash.h"
#include "coord/groups.h"
#include "os/clock.h"

enum { RECORD_HEADERS_MAX = 64, PARTITIONS_LOOKED_AT = 10000 };

struct producing {
    struct log_topic *topic;
    int32_t partitions, turn;
    struct record_builder *builders;
    struct arena *arena;
    int64_t now_ms;
};

/* --- records ----------------------------------------------------------------------------------
 */

/* A text as it is, null as null, anything else as JSON. */
static err_t bytes_of(struct producing *p, const struct doc *v, struct slice *out)
{
    *out = (struct slice){0};
    if (!v || v->kind == DOC_NULL) return ERR_OK;
    if (v->kind == DOC_TEXT) {
        *out = v->text.len ? v->text : SLICE("");
        return ERR_OK;
    }
    struct buf json = buf_make(MIB(64));
    doc_put_json(&json, v);
    *out = json.err ? (struct slice){0} : arena_slice(p->arena, buf_view(&json));
    buf_done(&json);
    return out->at ? ERR_OK : ERR_NO_MEMORY;
}

static err_t add_record(struct producing *p, const struct doc *record, struct diag *d)
{
    struct record_header headers[RECORD_HEADERS_MAX];
    const struct doc *given = doc_get(record, "headers"), *timestamp = doc_get(record, "timestamp");
    struct slice key, value;
    int32_t count = 0;
    err_t e = bytes_of(p, doc_get(record, "key"), &key);
    if (!e) e = bytes_of(p, doc_get(record, "value"), &value);
    if (given && (given->kind != DOC_MAP || given->count > RECORD_HEADERS_MAX))
        return diag_fail(d, ERR_CONFIG, "a record's headers are a map of at most %d",
                         RECORD_HEADERS_MAX);
    for (uint32_t i = 0; given && i < given->count && !e; i++) {
        headers[count].key = given->entries[i].name;
        e = bytes_of(p, &given->entries[i].value, &headers[count].value);
        headers[count].value_null = headers[count].value.at == NULL;
        count++;
    }
    if (e) return diag_fail(d, e, "no memory for a record");
    int32_t at = key.at ? kafka_partition_of(key, p->partitions) : p->turn++ % p->partitions;
    int64_t time = timestamp && timestamp->kind == DOC_INT ? timestamp->number : p->now_ms;
    record_builder_add(&p->builders[at], time, key, value, headers, count);
    return ERR_OK;
}

static err_t send(struct producing *p, struct log *log, int32_t at, struct diag *d)
{
    struct buf batch = buf_make(RECORD_BATCH_MAX);
    struct record_batch_options o = {.producer_id = -1, .producer_epoch = -1, .base_sequence = -1};
    int64_t offset;
    if (!p->builders[at].count) return ERR_OK;
    err_t e = record_builder_finish(&p->builders[at], &o, &batch);
    if (e)
        e = diag_fail(d, e, "the records do not fit into a batch");
    else
        e = log_append_wait(log, log_partition(p->topic, at), batch.at, batch.len, p->now_ms,
                            &offset, d);
    buf_done(&batch);
    return e;
}

static err_t find_topic(struct working *w, struct slice name, struct log_topic **out,
                        struct diag *d)
{
    *out = log_topic_find(w->server->world.log, name);
    if (*out && !log_topic_is_internal(*out)) return ERR_OK;
    (void)diag_fail(d, ERR_UNKNOWN_TOPIC, "there is no topic '%.*s'", SLICE_ARG(name));
    return diag_hint(d, "CREATE TOPIC %.*s in pipeline.sql", SLICE_ARG(name));
}

/* A partition's records are there together or not at all. */
err_t work_produce(void *ctx, struct slice topic, const struct doc *records, uint64_t *count,
                   struct diag *d)
{
    struct working *w = ctx;
    struct producing p = {.now_ms = clock_wall_ms(), .arena = arena_new(MIB(256))};
    err_t e = find_topic(w, topic, &p.topic, d);
    *count = 0;
    if (!e) {
        p.partitions = log_topic_partitions(p.topic);
        p.builders = mem_take((size_t)p.partitions * sizeof(*p.builders));
        if (!p.builders || !p.arena) e = diag_fail(d, ERR_NO_MEMORY, "no memory for records");
    }
    for (int32_t i = 0; p.builders && i < p.partitions; i++)
        p.builders[i] = record_builder_make(RECORD_BATCH_MAX);
    for (uint32_t i = 0; !e && i < records->count; i++) e = add_record(&p, &records->items[i], d);
    for (int32_t i = 0; !e && i < p.partitions; i++) {
        int32_t there = p.builders[i].count;
        e = send(&p, w->server->world.log, i, d);
        if (!e) *count += (uint64_t)there;
    }
    for (int32_t i = 0; p.builders && i < p.partitions; i++) record_builder_done(&p.builders[i]);
    mem_give(p.builders);
    arena_free(p.arena);
    return e;
}

/* --- how far ----------------------------------------------------------------------------------
 */

struct waiting {
    struct group_fetch fetch;
    struct gate gate;
    bool done;
};

static void on_fetched(struct coord_request *r)
{
    struct waiting *w = r->arg;
    gate_enter(&w->gate);
    w->done = true;
    gate_wake(&w->gate);
    gate_leave(&w->gate);
}

static err_t fetch_offsets(struct working *w, struct slice group, struct group_offset *rows,
                           int32_t count, struct arena *a, struct diag *d)
{
    struct waiting f = {.fetch = {.head = {.done = on_fetched, .arena = a},
                                  .group = group,
                                  .offsets = rows,
                                  .offset_count = (size_t)count}};
    if (!w->server->broker.coord)
        return diag_fail(d, ERR_UNSUPPORTED, "there are no groups: kafka.port is off");
    f.fetch.head.arg = &f;
    gate_init(&f.gate);
    group_fetch(w->server->broker.coord, &f.fetch);
    gate_enter(&f.gate);
    while (!f.done) gate_wait(&f.gate);
    gate_leave(&f.gate);
    gate_done(&f.gate);
    err_t e = f.fetch.head.err;
    return e ? diag_fail(d, e, "the offsets of group '%.*s' can not be read", SLICE_ARG(group))
             : ERR_OK;
}

err_t work_topic_lag(void *ctx, struct slice topic, struct slice group, uint64_t *lag,
                     uint64_t *records, struct diag *d)
{
    struct working *w = ctx;
    struct log_topic *t;
    struct arena *a = arena_new(MIB(16));
    err_t e = find_topic(w, topic, &t, d);
    int32_t count = e ? 0 : MIN(log_topic_partitions(t), (int32_t)PARTITIONS_LOOKED_AT);
    struct group_offset *rows = a ? arena_take(a, ((size_t)count + 1) * sizeof(*rows)) : NULL;
    if (!e && !rows) e = diag_fail(d, ERR_NO_MEMORY, "no memory for offsets");
    for (int32_t i = 0; !e && i < count; i++)
        rows[i] = (struct group_offset){.topic = topic, .partition = i, .offset = -1};
    if (!e) e = fetch_offsets(w, group, rows, count, a, d);
    *lag = *records = 0;
    for (int32_t i = 0; !e && i < count; i++) {
        const struct log_partition *p = log_partition(t, i);
        int64_t start = log_start_offset(p), until = log_end_offset(p);
        int64_t at = MAX(rows[i].offset, start);
        *records += (uint64_t)(until - start);
        if (until > at) *lag += (uint64_t)(until - at);
    }
    arena_free(a);
    return e;
}
