/* tail:TOPIC and tail:TOPIC?CONDITION: records as they come, at most TAIL_MAX of them a telling,
 * with a count of those that were left out. The cursor is the channel's: all who look see the same.
 *
 * It begins TAIL_FIRST records before the end, so that something is there at once. With a condition
 * every record is looked at, so it begins TAIL_FIRST_SOUGHT before, and leaves out what is more
 * than TAIL_BEHIND_MAX behind. */
#include "door/console/record_js.h"
#include "door/console/scan.h"
#include "door/console/topics_kit.h"

enum {
    TAIL_FIRST = 20,
    TAIL_FIRST_SOUGHT = 2000,
    TAIL_MAX = 100,
    TAIL_BEHIND_MAX = 200000,
    TAIL_SHOWN = 400,
    TAIL_NS = 300000000
};

struct tail {
    uint8_t topic_id[16]; /* a topic that was made anew is another one */
    int64_t next[SCAN_PLACES_MAX];
    int32_t count; /* partitions that are followed */
    bool begun;
    struct record_js js;
    struct record_where *where; /* NULL: all */
};
struct telling {
    struct tail *tail;
    struct look *look;
};

static void tail_free(void *own)
{
    struct tail *t = own;
    record_js_done(&t->js);
    record_where_free(t->where);
    mem_give(t);
}

static err_t bind_condition(struct look *k, struct log_topic *t, struct slice condition,
                            struct tail *own)
{
    struct catalog_view view = {look_world(k)->catalog, {0}};
    struct sql_catalog port = catalog_port(&view);
    if (!condition.len) return ERR_OK;
    return record_where_new(&port, log_topic_name(t), condition, &own->where, &k->d);
}

static err_t tail_of(struct look *k, struct log_topic *t, struct slice condition, struct tail **out)
{
    struct tail *own = k->own;
    if (own && memcmp(own->topic_id, log_topic_id(t), sizeof(own->topic_id)) == 0) {
        *out = own;
        return ERR_OK;
    }
    if (own) tail_free(own);
    k->own = NULL;
    own = mem_take(sizeof(*own));
    if (!own) return diag_fail(&k->d, ERR_NO_MEMORY, "no memory for a live tail");
    err_t e = record_js_init(&own->js, TAIL_SHOWN, &k->d);
    if (e) {
        mem_give(own);
        return e;
    }
    e = bind_condition(k, t, condition, own);
    if (e) {
        tail_free(own);
        return e;
    }
    memcpy(own->topic_id, log_topic_id(t), sizeof(own->topic_id));
    k->own = *out = own;
    k->own_free = tail_free;
    return ERR_OK;
}

/* How much is new; where that is more than is told, the cursor jumps to the last ones. */
static uint64_t advance(struct tail *w, struct log_topic *t, struct browse_start *starts,
                        uint32_t *count, uint64_t *left_out)
{
    int32_t parts = MIN(log_topic_partitions(t), SCAN_PLACES_MAX);
    int32_t most = w->where ? TAIL_BEHIND_MAX : TAIL_MAX;
    int32_t least = w->where ? TAIL_FIRST_SOUGHT : TAIL_FIRST;
    uint64_t fresh = 0, each = (uint64_t)MAX(most / MAX(parts, 1), 1);
    *count = 0;
    *left_out = 0;
    for (int32_t i = 0; i < parts; i++) {
        struct log_partition *p = log_partition(t, i);
        int64_t end = log_end_offset(p), first = log_start_offset(p);
        bool known = w->begun && i < w->count;
        int64_t from = known ? MAX(w->next[i], first)
                             : MAX(first, end - (w->begun ? 0 : least / MAX(parts, 1)));
        uint64_t more = (uint64_t)MAX(end - from, INT64_C(0));
        if (more > each) {
            *left_out += more - each;
            from = end - (int64_t)each;
            more = each;
        }
        w->next[i] = end;
        fresh += more;
        if (more) starts[(*count)++] = (struct browse_start){i, from};
    }
    w->count = parts;
    if (!w->begun) *left_out = 0; /* what lies before the tail's beginning */
    w->begun = true;
    return fresh;
}

static err_t tell(void *ctx, const struct browse_record *r)
{
    struct telling *w = ctx;
    bool later = !w->tail->where && r->record.offset >= w->tail->next[r->partition];
    if (later) return ERR_OK; /* next time */
    record_js_put(&w->tail->js, &w->look->out, r);
    return w->look->out.err;
}

/* With a condition: where the scan has come to. What did not fit goes on with the next telling. */
static void keep_places(struct tail *w, const struct scan_found *f)
{
    for (uint32_t i = 0; i < f->count; i++) w->next[f->places[i].partition] = f->places[i].offset;
}

static err_t tell_fresh(struct look *k, struct log_topic *t, struct tail *w)
{
    struct scan_found f = {.places = arena_take(k->arena, SCAN_PLACES_MAX * sizeof(*f.places))};
    struct telling telling = {w, k};
    struct scan_ask q = {.topic = t,
                         .where = w->where,
                         .now_ms = look_now_ms(k),
                         .limit = w->where ? TAIL_MAX : UINT64_MAX,
                         .budget_ns = TAIL_NS,
                         .tell = tell,
                         .ctx = &telling};
    uint64_t left_out;
    err_t e = ERR_OK;
    if (!f.places) return diag_fail(&k->d, ERR_NO_MEMORY, "no memory for a live tail");
    bool first = !w->begun;
    uint64_t fresh = advance(w, t, f.places, &f.count, &left_out);
    if (!fresh && !first) return ERR_OK; /* nothing came: nothing is told */
    js_open(&k->out, '{');
    js_put_open(&k->out, "records", '[');
    if (f.count) e = scan_run(&q, &f, &k->d);
    js_close(&k->out, ']');
    js_put_uint(&k->out, "left_out", left_out);
    js_put_uint(&k->out, "unsure", f.unsure);
    js_put_cstr(&k->out, "why", f.unsure ? f.why : NULL);
    js_close(&k->out, '}');
    if (!e && w->where) keep_places(w, &f);
    if (!first && !f.told && !left_out && !f.unsure) buf_reset(&k->out); /* nothing fits */
    return e;
}

err_t live_tail(struct look *k)
{
    struct log_topic *t;
    struct tail *w = NULL;
    const uint8_t *mark = memchr(k->arg.at, '?', k->arg.len); /* no topic has one in its name */
    size_t len = mark ? (size_t)(mark - k->arg.at) : k->arg.len;
    struct slice condition =
        mark ? slice_trim(slice_make(mark + 1, k->arg.len - len - 1)) : (struct slice){0};
    err_t e = topic_named(look_world(k)->log, slice_make(k->arg.at, len), &t, &k->d);
    if (!e) e = tail_of(k, t, condition, &w);
    return e ? e : tell_fresh(k, t, w);
}
