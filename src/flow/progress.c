/* progress: what a stream's epochs did, in the field names of Spark's StreamingQueryProgress, so
 * that what people have built upon those reads ours. Times that do not exist here are left out. */
#include "flow/op.h"

#include <stdio.h>
#include <time.h>

struct progress_range {
    uint32_t topic;
    int32_t partition;
    int64_t from, to, latest;
};
struct progress { /* of one epoch */
    uint64_t batch;
    int64_t started_ms, took_us, commit_us;
    int64_t since_us; /* from the start of the lane's epoch before; 0: none */
    uint64_t in, out;
    int64_t watermark;
    struct event_times times;
    struct progress_range *ranges;
    uint32_t range_count;
    struct flow_operator *operators;
};

/* --- noting -------------------------------------------------------------------------------------
 */

static bool lane_room(struct lane *l)
{
    uint32_t ops = l->graph->op_count;
    l->told = mem_take((ops + 1) * sizeof(*l->told));
    l->measured = mem_take((ops + 1) * sizeof(*l->measured));
    if (!l->told || !l->measured) return false;
    for (uint32_t i = 0; i < ops; i++) l->told[i].kind = node_names[l->graph->ops[i].node->kind];
    return true;
}

err_t progress_new(struct stream *s, struct diag *d)
{
    uint32_t ops = s->lanes[0].graph->op_count, partitions = 0;
    s->progress = mem_take(PROGRESS_KEPT * sizeof(*s->progress));
    bool whole = s->progress != NULL;
    for (uint32_t i = 0; whole && i < s->lane_count; i++) {
        partitions = MAX(partitions, s->lanes[i].partition_count);
        whole = lane_room(&s->lanes[i]);
    }
    for (uint32_t i = 0; whole && i < PROGRESS_KEPT; i++) {
        struct progress *p = &s->progress[i];
        p->ranges = mem_take((partitions + 1) * sizeof(*p->ranges));
        p->operators = mem_take((ops + 1) * sizeof(*p->operators));
        whole = p->ranges && p->operators;
    }
    return whole ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "stream '%.*s'", SLICE_ARG(s->stage->name));
}

void progress_free(struct stream *s)
{
    for (uint32_t i = 0; s->progress && i < PROGRESS_KEPT; i++) {
        mem_give(s->progress[i].ranges);
        mem_give(s->progress[i].operators);
    }
    mem_give(s->progress);
    for (uint32_t i = 0; s->lanes && i < s->lane_count; i++) {
        mem_give(s->lanes[i].told);
        mem_give(s->lanes[i].measured);
    }
}

void progress_measure(struct lane *l)
{
    for (uint32_t i = 0; i < l->graph->op_count; i++) {
        const struct op *o = &l->graph->ops[i];
        struct state_stats state = {0};
        if (o->kind->tell) o->kind->tell(o, &state);
        l->measured[i] = (struct flow_operator){.kind = node_names[o->node->kind],
                                                .node = i,
                                                .rows_in = o->rows_in,
                                                .rows_out = o->rows_out,
                                                .late = o->late,
                                                .stateful = o->kind->tell != NULL,
                                                .state_rows = state.entries,
                                                .state_updated = state.touched,
                                                .state_bytes = state.bytes,
                                                .spent_ns = o->spent_ns};
    }
    const struct op *end = &l->graph->end;
    l->measured[l->graph->op_count] = (struct flow_operator){.kind = "write",
                                                             .node = l->graph->op_count,
                                                             .rows_in = end->rows_in,
                                                             .rows_out = end->rows_in,
                                                             .spent_ns = end->spent_ns};
}

void progress_note(struct lane *l, int64_t took_us)
{
    struct stream *s = l->stream;
    struct progress *p = &s->progress[s->progress_count++ % PROGRESS_KEPT];
    struct progress_range *ranges = p->ranges;
    struct flow_operator *operators = p->operators;
    const struct epoch *e = &l->epoch;
    *p = (struct progress){.batch = e->number >> 8,
                           .started_ms = e->now_ms,
                           .took_us = took_us,
                           .commit_us = (clock_mono_ns() - e->commit_ns) / 1000,
                           .since_us = l->epoch_ns ? (e->started_ns - l->epoch_ns) / 1000 : 0,
                           .in = e->counter.now.in,
                           .out = e->counter.now.rows_out,
                           .watermark = e->watermark,
                           .times = l->graph->times,
                           .ranges = ranges,
                           .range_count = l->partition_count,
                           .operators = operators};
    for (uint32_t i = 0; i < l->partition_count; i++) {
        const struct lane_partition *at = &l->partitions[i];
        ranges[i] = (struct progress_range){at->topic, at->index, at->durable.next, at->now.next,
                                            log_stable_offset(at->log)};
    }
    memcpy(operators, l->measured, l->graph->op_count * sizeof(*operators));
    memcpy(l->told, l->measured, (l->graph->op_count + 1) * sizeof(*l->told));
    l->epoch_ns = e->started_ns;
}

/* --- telling ------------------------------------------------------------------------------------
 */

static void put_time(struct buf *out, int64_t ms)
{
    int64_t seconds = ms / 1000 - (ms % 1000 < 0);
    struct tm tm;
    time_t t = (time_t)seconds;
    if (!gmtime_r(&t, &tm)) {
        buf_text(out, "null");
        return;
    }
    buf_printf(out, "\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\"", tm.tm_year + 1900, tm.tm_mon + 1,
               tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ms - seconds * 1000));
}

/* The same for as long as what it is made of is the same. */
static void put_uuid(struct buf *out, const char *name, struct slice of, uint64_t seed)
{
    uint64_t high = hash64(of, seed), low = hash64(of, seed + 1);
    buf_printf(out, "\"%s\":\"%08x-%04x-4%03x-%04x-%012llx\"", name, (unsigned)(high >> 32),
               (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xfff),
               (unsigned)(low >> 48 & 0x3fff) | 0x8000, (unsigned long long)(low & 0xffffffffffff));
}

static void put_rates(struct buf *out, const struct progress *p, uint64_t rows)
{
    double since = p->since_us > 0 ? (double)rows * 1e6 / (double)p->since_us : 0;
    buf_printf(out, "\"numInputRows\":%llu,\"inputRowsPerSecond\":", (unsigned long long)rows);
    json_put_f64(out, since);
    buf_text(out, ",\"processedRowsPerSecond\":");
    json_put_f64(out, p->took_us > 0 ? (double)rows * 1e6 / (double)p->took_us : 0);
}

static void put_event_time(struct buf *out, const struct progress *p)
{
    buf_text(out, ",\"eventTime\":{");
    if (p->times.count) {
        buf_text(out, "\"avg\":");
        put_time(out, (int64_t)(p->times.sum / (double)p->times.count));
        buf_text(out, ",\"max\":");
        put_time(out, p->times.greatest);
        buf_text(out, ",\"min\":");
        put_time(out, p->times.least);
    }
    if (p->watermark != INT64_MIN) {
        buf_text(out, p->times.count ? ",\"watermark\":" : "\"watermark\":");
        put_time(out, p->watermark);
    }
    buf_char(out, '}');
}

static void put_state(struct buf *out, const struct progress *p, uint32_t count)
{
    bool first = true;
    buf_text(out, ",\"stateOperators\":[");
    for (uint32_t i = 0; i < count; i++) {
        const struct flow_operator *o = &p->operators[i];
        if (!o->stateful) continue;
        buf_printf(out,
                   "%s{\"operatorName\":\"%s\",\"numRowsTotal\":%llu,\"numRowsUpdated\":%llu,"
                   "\"memoryUsedBytes\":%zu,\"numRowsDroppedByWatermark\":%llu,"
                   "\"numShufflePartitions\":1,\"numStateStoreInstances\":1,"
                   "\"customMetrics\":{\"rowsIn\":%llu,\"rowsOut\":%llu}}",
                   first ? "" : ",", o->kind, (unsigned long long)o->state_rows,
                   (unsigned long long)o->state_updated, o->state_bytes,
                   (unsigned long long)o->late, (unsigned long long)o->rows_in,
                   (unsigned long long)o->rows_out);
        first = false;
    }
    buf_char(out, ']');
}

enum which { OFFSET_FROM, OFFSET_TO, OFFSET_LATEST };

static void put_offsets(struct buf *out, const struct progress *p, enum which which,
                        uint32_t number, struct slice topic)
{
    static const char *const names[] = {
        [OFFSET_FROM] = "startOffset", [OFFSET_TO] = "endOffset", [OFFSET_LATEST] = "latestOffset"};
    bool first = true;
    buf_printf(out, "\"%s\":{", names[which]);
    json_put_text(out, topic);
    buf_text(out, ":{");
    for (uint32_t i = 0; i < p->range_count; i++) {
        const struct progress_range *r = &p->ranges[i];
        int64_t offset = which == OFFSET_FROM ? r->from : which == OFFSET_TO ? r->to : r->latest;
        if (r->topic != number) continue;
        buf_printf(out, "%s\"%d\":%lld", first ? "" : ",", r->partition, (long long)offset);
        first = false;
    }
    buf_text(out, "}},");
}

static void put_source(struct buf *out, const struct progress *p, uint32_t number,
                       struct slice topic)
{
    uint64_t rows = 0, behind = 0, behind_max = 0;
    for (uint32_t i = 0; i < p->range_count; i++) {
        const struct progress_range *r = &p->ranges[i];
        if (r->topic != number) continue;
        uint64_t left = (uint64_t)MAX(r->latest - r->to, (int64_t)0);
        rows += (uint64_t)(r->to - r->from);
        behind += left;
        behind_max = MAX(behind_max, left);
    }
    buf_text(out, "{\"description\":");
    json_put_text(out, topic);
    buf_char(out, ',');
    for (int which = OFFSET_FROM; which <= OFFSET_LATEST; which++)
        put_offsets(out, p, (enum which)which, number, topic);
    put_rates(out, p, rows);
    buf_printf(out,
               ",\"metrics\":{\"maxOffsetsBehindLatest\":\"%llu\",\"offsetsBehindLatest\":"
               "\"%llu\"}}",
               (unsigned long long)behind_max, (unsigned long long)behind);
}

static void put_progress(struct buf *out, const struct stream *s, const struct progress *p)
{
    const struct stage *stage = s->stage;
    buf_char(out, '{');
    put_uuid(out, "id", stage->name, s->number);
    buf_char(out, ',');
    put_uuid(out, "runId", stage->name, (uint64_t)stage->since_ms);
    buf_text(out, ",\"name\":");
    json_put_text(out, stage->name);
    buf_text(out, ",\"timestamp\":");
    put_time(out, p->started_ms);
    buf_printf(out, ",\"batchId\":%llu,\"batchDuration\":%lld,", (unsigned long long)p->batch,
               (long long)(p->took_us / 1000));
    put_rates(out, p, p->in);
    buf_printf(out,
               ",\"durationMs\":{\"addBatch\":%lld,\"commitOffsets\":%lld,"
               "\"triggerExecution\":%lld}",
               (long long)((p->took_us - p->commit_us) / 1000), (long long)(p->commit_us / 1000),
               (long long)(p->took_us / 1000));
    put_event_time(out, p);
    put_state(out, p, s->lanes[0].graph->op_count);
    buf_text(out, ",\"sources\":[");
    for (uint32_t t = 0; t < s->plan->topic_count; t++) {
        if (t) buf_char(out, ',');
        put_source(out, p, t, s->topics[t].name);
    }
    buf_text(out, "],\"sink\":{\"description\":");
    json_put_text(out, stage->into);
    buf_printf(out, ",\"numOutputRows\":%llu,\"metrics\":{}},\"observedMetrics\":{}}",
               (unsigned long long)p->out);
}

err_t flow_progress_json(struct flow *f, struct slice name, bool recent, struct buf *out,
                         struct diag *d)
{
    struct stage *stage = flow_stage(f, name);
    struct stream *s = stage ? stage->stream : NULL;
    if (!s) return diag_fail(d, ERR_UNKNOWN_STREAM, "no stream '%.*s'", SLICE_ARG(name));
    gate_enter(&f->gate);
    uint64_t last = s->progress_count, kept = MIN(last, (uint64_t)PROGRESS_KEPT);
    uint64_t first = recent ? last - kept : last - MIN(last, (uint64_t)1);
    if (recent) buf_char(out, '[');
    if (!recent && !kept) buf_text(out, "null");
    for (uint64_t i = first; i < last; i++) {
        if (i > first) buf_char(out, ',');
        put_progress(out, s, &s->progress[i % PROGRESS_KEPT]);
    }
    if (recent) buf_char(out, ']');
    gate_leave(&f->gate);
    return out->err ? diag_fail(d, out->err, "the progress of '%.*s'", SLICE_ARG(name)) : ERR_OK;
}
