/* ranges: which records an epoch reads, when it may, and what time it is at its end. An epoch of a
 * plan with state fixes its ranges before it reads, so that the same ranges read again give the
 * same rows, whatever has been appended since. */
#include "flow/flow_int.h"
#include "flow/op.h"

enum { IDLE_DEFAULT_MS = 10000 /* where the stream's settings say nothing */ };

static int64_t readable_end(const struct lane_partition *p)
{
    return MIN(log_stable_offset(p->log), p->limit);
}

bool partition_readable(const struct lane_partition *p)
{
    return readable_end(p) > p->now.next;
}

/* Each partition that has records gets an equal part of the rows; what one does not need goes to
 * the others. */
void ranges_fix(struct lane *l, uint64_t rows)
{
    uint32_t open = 0;
    for (uint32_t i = 0; i < l->partition_count; i++) {
        struct lane_partition *p = &l->partitions[i];
        p->until = p->now.next;
        open += partition_readable(p);
    }
    while (open && rows) {
        uint64_t part = MAX(rows / open, (uint64_t)1);
        open = 0;
        for (uint32_t i = 0; i < l->partition_count && rows; i++) {
            struct lane_partition *p = &l->partitions[i];
            int64_t behind = readable_end(p) - p->until;
            if (behind <= 0) continue;
            uint64_t take = MIN(MIN((uint64_t)behind, part), rows);
            p->until += (int64_t)take;
            rows -= take;
            open += (uint64_t)behind > take;
        }
    }
    /* an epoch that closes early has not read its last partitions: they do not wait for ever */
    l->first = l->turn = (uint32_t)(l->last_epoch % l->partition_count);
}

/* --- event time ---------------------------------------------------------------------------------
 */

static int64_t idle_ns(const struct lane *l)
{
    int64_t ms = l->stream->plan->settings.idle_ms;
    return (ms ? ms : IDLE_DEFAULT_MS) * 1000000; /* negative: never */
}

static bool is_idle(const struct lane *l, const struct lane_partition *p, int64_t now_ns)
{
    int64_t after = idle_ns(l);
    return after >= 0 && !partition_readable(p) && now_ns - p->heard_ns >= after;
}

static int64_t partition_time(const struct lane *l, const struct lane_partition *p)
{
    int64_t delay = l->stream->plan->topics[p->topic]->topic.delay_ms;
    int64_t seen = p->now.time_seen;
    return seen < INT64_MIN + delay ? INT64_MIN : seen - delay;
}

/* The least of those that are not idle; where all are, nobody is behind, and the greatest counts.
 * It never goes back. */
int64_t watermark_now(const struct lane *l, int64_t now_ns)
{
    int64_t least = INT64_MAX, greatest = INT64_MIN;
    for (uint32_t i = 0; i < l->partition_count; i++) {
        const struct lane_partition *p = &l->partitions[i];
        int64_t time = partition_time(l, p);
        greatest = MAX(greatest, time);
        if (!is_idle(l, p, now_ns)) least = MIN(least, time);
    }
    return MAX(l->watermark, least == INT64_MAX ? greatest : least);
}

void watermark_aim(struct lane *l, int64_t now_ns)
{
    l->epoch.goes_on = lane_is_closing(l);
    l->epoch.target = l->epoch.goes_on ? l->closing : watermark_now(l, now_ns);
    if (l->closes_some || l->epoch.goes_on) graph_close_some(l->graph, l->close_cap);
}

int64_t watermark_wait_ns(const struct lane *l, int64_t now_ns)
{
    int64_t wait = -1, after = idle_ns(l);
    if (after < 0) return -1;
    for (uint32_t i = 0; i < l->partition_count; i++) {
        const struct lane_partition *p = &l->partitions[i];
        int64_t left = p->heard_ns + after - now_ns;
        if (left > 0 && (wait < 0 || left < wait)) wait = left;
    }
    return wait;
}

/* --- triggers -----------------------------------------------------------------------------------
 */

/* The partition's place in flow_options.read_from and read_to. */
static uint32_t cut_place(const struct stream *s, uint32_t topic, int32_t index)
{
    uint32_t at = (uint32_t)index;
    for (uint32_t t = 0; t < topic; t++) at += (uint32_t)log_topic_partitions(s->topics[t].log);
    return at;
}

static bool is_cut(const struct lane_partition *p, uint32_t *place)
{
    const struct flow_options *o = &lane_flow(p->lane)->o;
    *place = cut_place(p->lane->stream, p->topic, p->index);
    return o->read_from && *place < o->read_count;
}

int64_t partition_first(const struct lane_partition *p)
{
    int64_t start = log_start_offset(p->log);
    uint32_t place;
    if (!is_cut(p, &place)) return start;
    return MAX(start, MIN(lane_flow(p->lane)->o.read_from[place], log_stable_offset(p->log)));
}

static int64_t partition_last(const struct lane_partition *p)
{
    int64_t end = log_stable_offset(p->log);
    uint32_t place;
    return is_cut(p, &place) ? MIN(end, lane_flow(p->lane)->o.read_to[place]) : end;
}

err_t flow_epoch_within(struct flow *f, struct slice name, uint64_t epoch, const int64_t *from,
                        const int64_t *to, bool *within, struct diag *d)
{
    const struct stage *s = flow_stage(f, name);
    struct arena *a = arena_new(MIB(64));
    struct stage_key k = stage_key(s ? s->key : name);
    struct epoch_record r;
    struct slice value;
    *within = false;
    err_t e = s && s->stream ? ERR_OK : diag_fail(d, ERR_UNKNOWN_STREAM, "%.*s", SLICE_ARG(name));
    if (!e && !a) e = diag_fail(d, ERR_NO_MEMORY, "an epoch's record");
    stage_key_be(&k, epoch, 8);
    if (!e) e = store_record(f->o.store, NULL, STORE_EPOCH, stage_key_slice(&k), a, &value, d);
    if (!e && epoch_record_take(value, a, &r))
        e = diag_fail(d, ERR_CORRUPT, "the record of an epoch of '%.*s'", SLICE_ARG(name));
    *within = !e;
    for (uint32_t i = 0; !e && i < r.range_count; i++) {
        const struct epoch_range *g = &r.ranges[i];
        uint32_t at = cut_place(s->stream, g->topic, g->partition);
        *within = *within && g->from >= from[at] && g->to <= to[at];
    }
    arena_free(a);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

bool trigger_now(struct lane *l, int64_t now_ns)
{
    const struct stream_settings *s = &l->stream->plan->settings;
    if (s->trigger == TRIGGER_AT_ONCE || l->limited) return true;
    if (l->ended || now_ns < l->trigger_ns) return false;
    for (uint32_t i = 0; i < l->partition_count; i++)
        l->partitions[i].limit = partition_last(&l->partitions[i]);
    l->limited = true;
    if (s->trigger == TRIGGER_EVERY) l->trigger_ns = now_ns + MAX(s->every_ms, 1) * 1000000;
    return true;
}

void trigger_done(struct lane *l, int64_t now_ns)
{
    const struct stream_settings *s = &l->stream->plan->settings;
    if (s->trigger == TRIGGER_AT_ONCE) return;
    l->limited = false;
    l->ended = s->trigger == TRIGGER_AVAILABLE_NOW;
    if (s->trigger == TRIGGER_EVERY && now_ns > l->trigger_ns) l->trigger_ns = now_ns;
}
