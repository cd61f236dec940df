/* tail:TOPIC and tail:TOPIC?partition=0&q=Ada&where=age > 30: records as they come, at most
 * TAIL_MAX of them a telling, with a count of those that were left out. The cursor is the
 * channel's: all who look see the same.
 *
 * It begins TAIL_FIRST records before the end, so that something is there at once. What is sought
 * is looked for in every record, so it begins TAIL_FIRST_SOUGHT before, tells how many it has not
 * looked at yet, and leaves out what is more than TAIL_BEHIND_MAX behind. */
#include "door/console/record_js.h"
#include "door/console/topics_kit.h"
#include "door/console/wanted.h"

enum {
    TAIL_FIRST = 20,
    TAIL_FIRST_SOUGHT = 2000,
    TAIL_MAX = 100,
    TAIL_BEHIND_MAX = 200000,
    TAIL_SHOWN = 400,
    TAIL_NS = 300000000
};

struct followed {
    int32_t partition;
    int64_t next, end; /* end: as of this telling */
};
struct tail {
    uint8_t topic_id[16]; /* a topic that was made anew is another one */
    struct followed at[SCAN_PLACES_MAX];
    uint32_t count;
    bool begun;
    uint64_t behind; /* told last */
    uint64_t missed; /* behind what could not be read: to be told as left out */
    struct record_js js;
    struct record_where *where; /* NULL: no condition */
};
/* Of one telling. */
struct fresh {
    struct scan_found found;
    uint64_t left_out, behind;
};

static void tail_free(void *own)
{
    struct tail *t = own;
    record_js_done(&t->js);
    record_where_free(t->where);
    mem_give(t);
}

static err_t tail_of(struct look *k, struct log_topic *t, const struct records_wanted *want,
                     struct tail **out)
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
    if (!e) e = wanted_condition(look_world(k)->catalog, t, want->where, &own->where, &k->d);
    if (e) {
        tail_free(own);
        return e;
    }
    memcpy(own->topic_id, log_topic_id(t), sizeof(own->topic_id));
    k->own = *out = own;
    k->own_free = tail_free;
    return ERR_OK;
}

/* The partitions of this telling; of one that is new meanwhile nothing was told. */
static err_t follow(struct look *k, struct log_topic *t, struct tail *w, struct slice partition)
{
    struct browse_start *named = arena_take(k->arena, SCAN_PLACES_MAX * sizeof(*named));
    uint32_t count;
    if (!named) return diag_fail(&k->d, ERR_NO_MEMORY, "no memory for a live tail");
    err_t e = wanted_partitions(t, partition, named, &count, &k->d);
    for (uint32_t i = w->count; !e && i < count; i++)
        w->at[i] = (struct followed){.partition = named[i].partition};
    if (!e) w->count = count;
    return e;
}

/* Where each begins that has something new. Where that is more than is told or looked at, the
 * cursor jumps to the last ones. */
static void advance(struct tail *w, struct log_topic *t, const struct records_wanted *want,
                    bool sought, struct fresh *f)
{
    int32_t parts = (int32_t)MAX(w->count, 1U);
    int64_t most = MAX((sought ? TAIL_BEHIND_MAX : TAIL_MAX) / parts, 1);
    int64_t least = (sought ? TAIL_FIRST_SOUGHT : TAIL_FIRST) / parts;
    for (uint32_t i = 0; i < w->count; i++) {
        struct followed *at = &w->at[i];
        struct log_partition *p = log_partition(t, at->partition);
        at->end = want->committed ? log_stable_offset(p) : log_end_offset(p);
        if (!w->begun) at->next = MAX(at->end - least, INT64_C(0));
        at->next = MAX(at->next, log_start_offset(p));
        int64_t over = at->end - at->next - most;
        if (over > 0) {
            if (w->begun) f->left_out += (uint64_t)over;
            at->next += over;
        }
        if (at->next < at->end)
            f->found.places[f->found.count++] =
                (struct browse_start){at->partition, at->next, at->end};
    }
    w->begun = true;
}

/* What did not fit, or took too long, goes on with the next telling. */
static void keep_places(struct tail *w, struct fresh *f)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->count; i++) {
        struct followed *at = &w->at[i];
        bool looked_at = n < f->found.count && f->found.places[n].partition == at->partition;
        if (looked_at) at->next = f->found.places[n++].offset;
        f->behind += (uint64_t)MAX(at->end - at->next, INT64_C(0));
    }
    w->missed = 0;
}

/* A batch that can not be read does not end the tail: it goes on behind what there is. */
static void pass_over(struct tail *w)
{
    for (uint32_t i = 0; i < w->count; i++) {
        struct followed *at = &w->at[i];
        w->missed += (uint64_t)MAX(at->end - at->next, INT64_C(0));
        at->next = at->end;
    }
}

static err_t tell(void *ctx, const struct browse_record *r)
{
    struct look *k = ctx;
    record_js_put(&((struct tail *)k->own)->js, &k->out, r);
    return k->out.err;
}

static void put_counts(struct buf *out, const struct fresh *f)
{
    js_put_uint(out, "left_out", f->left_out);
    js_put_uint(out, "behind", f->behind);
    js_put_uint(out, "unsure", f->found.unsure);
    js_put_cstr(out, "why", f->found.unsure ? f->found.why : NULL);
}

static err_t tell_fresh(struct look *k, struct log_topic *t, struct tail *w,
                        const struct records_wanted *want)
{
    bool first = !w->begun, sought = w->where || want->text.len;
    struct fresh f = {.left_out = w->missed};
    struct scan_ask q = {.topic = t,
                         .where = w->where,
                         .text = want->text,
                         .committed = want->committed,
                         .now_ms = look_now_ms(k),
                         .limit = sought ? TAIL_MAX : UINT64_MAX,
                         .budget_ns = TAIL_NS,
                         .tell = tell,
                         .ctx = k};
    f.found.places = arena_take(k->arena, SCAN_PLACES_MAX * sizeof(*f.found.places));
    if (!f.found.places) return diag_fail(&k->d, ERR_NO_MEMORY, "no memory for a live tail");
    advance(w, t, want, sought, &f);
    if (!f.found.count && !first && !w->behind && !w->missed)
        return ERR_OK; /* nothing came: nothing is told */
    js_open(&k->out, '{');
    js_put_open(&k->out, "records", '[');
    err_t e = f.found.count ? scan_run(&q, &f.found, &k->d) : ERR_OK;
    js_close(&k->out, ']');
    if (e) pass_over(w);
    if (e) return e;
    keep_places(w, &f);
    put_counts(&k->out, &f);
    js_close(&k->out, '}');
    bool news = f.found.told || f.left_out || f.found.unsure || f.behind != w->behind;
    w->behind = f.behind;
    if (!first && !news) buf_reset(&k->out);
    return ERR_OK;
}

err_t live_tail(struct look *k)
{
    const uint8_t *mark = memchr(k->arg.at, '?', k->arg.len); /* no topic has one in its name */
    size_t len = mark ? (size_t)(mark - k->arg.at) : k->arg.len;
    struct slice query = mark ? slice_make(mark + 1, k->arg.len - len - 1) : (struct slice){0};
    struct records_wanted want;
    struct log_topic *t;
    struct tail *w = NULL;
    err_t e = wanted_read(query, k->arena, &want, &k->d);
    if (!e) e = topic_named(look_world(k)->log, slice_make(k->arg.at, len), &t, &k->d);
    if (!e) e = tail_of(k, t, &want, &w);
    if (!e) e = follow(k, t, w, want.partition);
    return e ? e : tell_fresh(k, t, w, &want);
}
