/* Fetch: finds the bytes, or waits for them without a thread: every partition that is asked for
 * tells when its end moves, and a timer ends the wait. docs/kafka.md tells one record's way. */
#include "door/kafka/fetch.h"

#include "os/file.h"
#include "os/loop.h"

#include <stdatomic.h>

enum {
    FETCH_MAX = 55 << 20, /* fetch.max.bytes */
    COPY_MAX = 32 << 10,  /* a smaller piece is read, a larger one is sent from its file */
    COPIED_MAX = 512 << 10,
    READ_COMMITTED = 1,
    ZSTD_SINCE = 10,
    WAIT_MAX_MS = 5 * 60 * 1000
};

struct fetch {
    struct call *call;
    struct fetch_session *session;
    struct fetch_item *items;
    uint32_t count;
    size_t bytes, min_bytes, max_bytes;
    bool committed; /* only what is committed */
    bool sessionless, failed, over;
    bool waits;
    struct loop_timer *timer;
    struct loop_message woken;
    atomic_bool sent; /* `woken` is on its way to our loop */
};

/* --- which partitions ------------------------------------------------------------------------- */

static struct fetch_item *items_take(struct fetch *f, size_t count)
{
    return arena_take(f->call->arena, MAX(count, (size_t)1) * sizeof(struct fetch_item));
}

static bool items_of_session(struct fetch *f)
{
    f->items = items_take(f, f->session->count);
    if (!f->items) return false;
    for (struct session_part *p = f->session->first; p; p = p->next)
        f->items[f->count++] = (struct fetch_item){.name = slice_make(p->name, p->name_size),
                                                   .id = p->id,
                                                   .index = p->index,
                                                   .epoch = p->epoch,
                                                   .last_epoch = p->last_epoch,
                                                   .max_bytes = p->max_bytes,
                                                   .offset = p->offset,
                                                   .part = p};
    return true;
}

static bool items_of_request(struct fetch *f, const struct kafka_fetch_request *q)
{
    size_t count = 0;
    for (int32_t i = 0; i < q->topics.count; i++)
        count += (size_t)MAX(q->topics.at[i].partitions.count, 0);
    f->items = items_take(f, count);
    for (int32_t i = 0; f->items && i < q->topics.count; i++) {
        const struct kafka_fetch_request_topic *t = &q->topics.at[i];
        for (int32_t j = 0; j < t->partitions.count; j++)
            f->items[f->count++] = fetch_item_of(t, &t->partitions.at[j]);
    }
    return f->items != NULL;
}

static void resolve(struct fetch *f)
{
    struct call *c = f->call;
    const struct fetch_item *before = NULL;
    struct log_topic *t = NULL;
    int16_t code = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        struct fetch_item *item = &f->items[i];
        bool same = before && slice_equal(before->name, item->name) &&
                    memcmp(&before->id, &item->id, sizeof(item->id)) == 0;
        if (!same) t = topic_of(c, item->name, c->head.api_version >= 13 ? &item->id : NULL, &code);
        before = item;
        item->partition = t ? log_partition(t, item->index) : NULL;
        item->error = t && !item->partition ? KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION : code;
        if (c->head.api_version >= 13 && !t) item->error = KAFKA_ERROR_UNKNOWN_TOPIC_ID;
        if (!t || c->head.api_version >= ZSTD_SINCE) continue;
        if (log_topic_config(t).compression != CODEC_ZSTD) continue;
        item->error = KAFKA_ERROR_UNSUPPORTED_COMPRESSION_TYPE;
        item->partition = NULL;
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

static void item_fails(struct fetch_item *i, int16_t error)
{
    i->error = error;
    i->end = i->stable = i->start = -1;
}

/* One epoch, 0, is all that ever was: a client that knows of a later one has lost its way. */
static int16_t epochs_agree(struct fetch_item *i)
{
    if (i->epoch >= 0 && i->epoch < KAFKA_LEADER_EPOCH) return KAFKA_ERROR_FENCED_LEADER_EPOCH;
    if (i->epoch > KAFKA_LEADER_EPOCH) return KAFKA_ERROR_UNKNOWN_LEADER_EPOCH;
    if (i->last_epoch > KAFKA_LEADER_EPOCH) return KAFKA_ERROR_OFFSET_OUT_OF_RANGE;
    i->diverges = i->last_epoch >= 0 && i->offset > i->end;
    return KAFKA_ERROR_NONE;
}

static void item_read(struct fetch *f, struct fetch_item *i, size_t room)
{
    struct diag d = {0};
    if (!i->partition) {
        item_fails(i, i->error);
        return;
    }
    i->error = KAFKA_ERROR_NONE;
    i->diverges = false;
    i->end = log_end_offset(i->partition);
    i->stable = log_stable_offset(i->partition);
    i->start = log_start_offset(i->partition);
    int16_t code = epochs_agree(i);
    if (code) {
        item_fails(i, code);
        return;
    }
    if (i->diverges) return;
    if (i->offset < i->start || i->offset > i->end) {
        item_fails(i, KAFKA_ERROR_OFFSET_OUT_OF_RANGE);
        return;
    }
    int64_t limit = f->committed ? MIN(i->stable, i->end) : i->end;
    size_t most = MIN(room, (size_t)MAX(i->max_bytes, 0));
    bool first = f->bytes == 0; /* one batch at least, or a large one would stay for ever */
    if (i->offset >= limit || (most == 0 && !first)) return;
    err_t e = log_span_take(i->partition, i->offset, most, first, limit, &i->span, &d);
    if (e)
        item_fails(i,
                   e == ERR_UNKNOWN_TOPIC ? KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION : err_kafka(e));
    i->next_offset = i->span.end > 0 ? i->span.end : limit;
}

static void give_spans(struct fetch *f)
{
    for (uint32_t i = 0; i < f->count; i++) log_span_give(&f->items[i].span);
}

/* True when there is an answer now. */
static bool read_all(struct fetch *f)
{
    bool told = false, any = false;
    f->bytes = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        struct fetch_item *item = &f->items[i];
        item_read(f, item, f->max_bytes - MIN(f->bytes, f->max_bytes));
        f->bytes += item->span.size;
        /* A topic that is not there does not end the others' wait: Kafka's way, or a client that
         * has it on its list would ask in a circle. */
        any |= item->partition != NULL;
        told |= item->partition && (item->error || item->diverges);
    }
    return told || !any || f->bytes >= f->min_bytes;
}

/* --- the answer ------------------------------------------------------------------------------- */

static void fetch_release(struct call *c)
{
    give_spans(c->kept);
}

static bool put_aborted(struct fetch *f, struct fetch_item *i,
                        struct kafka_fetch_response_partition *out)
{
    struct vec found = vec_make(sizeof(struct log_aborted), (size_t)1 << 24);
    out->aborted_transactions.count = -1;
    if (!f->committed || i->error) return true;
    bool fits = i->span.size == 0 || log_aborted(i->partition, i->offset, i->next_offset, &found,
                                                 &f->call->diag) == ERR_OK;
    if (door_options(f->call->door)->mutant_ignore_aborts) found.count = 0;
    out->aborted_transactions.at =
        fits ? call_new(f->call, kafka_fetch_response_aborted_transaction, found.count) : NULL;
    fits = out->aborted_transactions.at != NULL;
    out->aborted_transactions.count = (int32_t)found.count;
    for (size_t n = 0; fits && n < found.count; n++) {
        const struct log_aborted *a = vec_at(&found, n);
        out->aborted_transactions.at[n].producer_id = a->producer_id;
        out->aborted_transactions.at[n].first_offset = a->first_offset;
    }
    vec_done(&found);
    return fits;
}

/* Few bytes are cheaper read than sent from the file: they leave with the head, in one packet. */
static bool put_records(struct fetch *f, struct fetch_item *i, size_t *copied,
                        struct kafka_fetch_response_partition *out)
{
    struct log_span *s = &i->span;
    struct kafka_records *r = &out->records;
    size_t got = 0;
    r->null = false;
    r->bytes = SLICE("");
    r->fd = -1;
    if (s->size == 0) return true;
    log_traffic_out(i->partition, s->size);
    if (s->size > COPY_MAX || *copied + s->size > COPIED_MAX) {
        r->fd = s->fd;
        r->position = s->position;
        r->size = (uint32_t)s->size;
        return true;
    }
    uint8_t *to = arena_take_raw(f->call->arena, s->size);
    err_t e =
        to ? file_pread(s->fd, to, s->size, s->position, &got, &f->call->diag) : ERR_NO_MEMORY;
    if (!e) r->bytes = slice_make(to, got);
    *copied += got;
    log_span_give(s);
    return !e;
}

static bool put_item(struct fetch *f, struct fetch_item *i, size_t *copied,
                     struct kafka_fetch_response_partition *out)
{
    out->partition_index = i->index;
    out->error_code = i->error;
    out->high_watermark = i->end;
    out->last_stable_offset = i->error ? -1 : MIN(i->stable, i->end);
    out->log_start_offset = i->start;
    if (i->diverges) {
        out->diverging_epoch.epoch = KAFKA_LEADER_EPOCH;
        out->diverging_epoch.end_offset = i->end;
    }
    if (i->error == KAFKA_ERROR_FENCED_LEADER_EPOCH && f->call->head.api_version >= 16) {
        out->current_leader.leader_id = KAFKA_BROKER_ID;
        out->current_leader.leader_epoch = KAFKA_LEADER_EPOCH;
    }
    return put_aborted(f, i, out) && put_records(f, i, copied, out);
}

static bool tells(const struct fetch *f, struct fetch_item *i)
{
    return !f->session || !i->part || session_tells(i->part, i);
}

/* Runs of one topic share their entry; partitions with data go to the back of the session's order,
 * so that no partition keeps the others from being read. */
static bool put_items(struct fetch *f, struct kafka_fetch_response *r)
{
    size_t copied = 0;
    const struct fetch_item *before = NULL;
    struct kafka_fetch_response_topic *t = NULL;
    r->responses.at = call_new(f->call, kafka_fetch_response_topic, f->count);
    struct kafka_fetch_response_partition *out =
        call_new(f->call, kafka_fetch_response_partition, f->count);
    bool fits = r->responses.at && out;
    r->responses.count = 0;
    for (uint32_t n = 0; n < f->count && fits; n++) {
        struct fetch_item *i = &f->items[n];
        if (!tells(f, i)) continue;
        bool same = before && slice_equal(before->name, i->name) &&
                    memcmp(&before->id, &i->id, sizeof(i->id)) == 0;
        if (!same) {
            t = &r->responses.at[r->responses.count++];
            /* A session's names go with it, once it is given back. */
            t->topic = f->session ? arena_slice(f->call->arena, i->name) : i->name;
            t->topic_id = i->id;
            t->partitions.at = out;
            t->partitions.count = 0;
        }
        before = i;
        t->partitions.count++;
        if (i->part && i->span.size) session_to_back(f->session, i->part);
        fits = put_item(f, i, &copied, out++);
    }
    return fits;
}

static void answer(struct fetch *f)
{
    struct call *c = f->call;
    struct kafka_fetch_response *r = c->response;
    int64_t now_ms = call_now_ms();
    f->over = true;
    loop_timer_free(f->timer);
    f->timer = NULL;
    struct fetch_session *made = NULL;
    bool fresh = !f->session && !f->sessionless && !f->failed;
    if (fresh)
        made = session_make(door_fetches(c->door), f->items, f->count, c->head.api_version >= 13,
                            now_ms);
    struct fetch_session *s = f->session ? f->session : made;
    r->session_id = s ? s->id : 0;
    bool fits = !f->failed && put_items(f, r);
    session_end(door_fetches(c->door), s, now_ms);
    if (fits) {
        call_answer(c);
        return;
    }
    if (!c->diag.err) diag_fail(&c->diag, ERR_NO_MEMORY, "no memory for a fetch's answer");
    call_break(c);
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void on_woken(struct loop_message *m);

/* On the log's thread, or on ours. */
static void on_log(void *arg)
{
    struct fetch *f = arg;
    if (!atomic_exchange(&f->sent, true)) loop_send(call_loop(f->call), &f->woken, on_woken);
}

static void unwait(struct fetch *f)
{
    for (uint32_t i = 0; i < f->count; i++) {
        log_unwait(f->items[i].waiter);
        f->items[i].waiter = NULL;
    }
}

static bool wait_all(struct fetch *f)
{
    for (uint32_t i = 0; i < f->count; i++) {
        struct fetch_item *item = &f->items[i];
        if (item->partition && log_wait(item->partition, item->end, on_log, f, &item->waiter))
            return false;
    }
    return true;
}

/* A wait has ended, for whatever reason: answers what there is, now or when `woken` has come home.
 */
static void end_wait(struct fetch *f)
{
    unwait(f);
    f->over = true;
    if (!atomic_load(&f->sent)) answer(f);
}

static void on_woken(struct loop_message *m)
{
    struct fetch *f = (struct fetch *)((uint8_t *)m - offsetof(struct fetch, woken));
    unwait(f);
    atomic_store(&f->sent, false);
    if (f->over) {
        answer(f);
        return;
    }
    give_spans(f);
    if (read_all(f))
        answer(f);
    else if (!wait_all(f))
        end_wait(f);
}

static void on_time(void *arg)
{
    struct fetch *f = arg;
    give_spans(f);
    (void)read_all(f); /* fewer bytes than asked for, and the newest ends */
    end_wait(f);
}

/* The client has gone: nobody reads the answer. */
static void fetch_dropped(struct call *c)
{
    struct fetch *f = c->kept;
    if (!f->over) end_wait(f);
}

static void wait_or_answer(struct fetch *f, int32_t wait_ms)
{
    int64_t ms = MIN(wait_ms, WAIT_MAX_MS);
    bool waits =
        !read_all(f) && ms > 0 && !loop_timer_new(call_loop(f->call), ms, 0, on_time, f, &f->timer);
    if (!waits) {
        answer(f);
        return;
    }
    f->call->dropped = fetch_dropped;
    if (!wait_all(f)) end_wait(f);
}

/* --- the handler ------------------------------------------------------------------------------ */

void kafka_fetch(struct call *c)
{
    const struct kafka_fetch_request *q = c->request;
    struct kafka_fetch_response *r = c->response;
    struct fetch *f = arena_take(c->arena, sizeof(*f));
    if (!f) {
        diag_fail(&c->diag, ERR_NO_MEMORY, "no memory for a fetch");
        call_break(c);
        return;
    }
    f->call = c;
    f->committed = q->isolation_level == READ_COMMITTED;
    f->max_bytes = (size_t)MIN(MAX(q->max_bytes, 0), FETCH_MAX);
    f->min_bytes = MIN((size_t)MAX(q->min_bytes, 0), f->max_bytes);
    f->sessionless = c->head.api_version < 7 || q->session_epoch != 0;
    c->kept = f;
    c->release = fetch_release;
    r->error_code = session_begin(door_fetches(c->door), q, c->head.api_version, &f->session);
    if (r->error_code) { /* the client begins a new session */
        r->responses.count = 0;
        call_answer(c);
        return;
    }
    bool fits = f->session ? items_of_session(f) : items_of_request(f, q);
    f->failed = !fits;
    if (!fits) {
        answer(f);
        return;
    }
    resolve(f);
    wait_or_answer(f, q->max_wait_ms);
}
