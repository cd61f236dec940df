/* Topics: which there are, what is in them and how fast, who reads and writes them; live too. */
#include "door/console/topics_kit.h"
#include "os/clock.h"

#include <stdlib.h>

enum { RATE_POINTS = 10 /* at two a second: a rate over five seconds */, USERS_OF_MAX = 1000 };

/* --- who reads and writes -----------------------------------------------------------------------
 */

struct topic_user {
    struct slice topic, name;
    bool writes;
};
struct topic_users {
    struct topic_user *at;
    uint32_t count;
    struct arena *arena;
    struct flow *flow;
};

static void add_user(struct topic_users *u, struct slice topic, struct slice name, bool writes)
{
    if (u->count == USERS_OF_MAX) return;
    struct topic_user *t = &u->at[u->count];
    *t = (struct topic_user){arena_slice(u->arena, topic), arena_slice(u->arena, name), writes};
    u->count += t->topic.at && t->name.at;
}

static err_t on_stage(void *ctx, const struct flow_status *s)
{
    struct topic_users *u = ctx;
    const struct plan_stream *plan;
    uint32_t number;
    struct diag d;
    if (s->is_source) {
        add_user(u, s->into, s->name, true);
        return ERR_OK;
    }
    if (flow_plan(u->flow, s->name, &plan, &number, &d)) return ERR_OK; /* gone meanwhile */
    for (uint32_t i = 0; i < plan->topic_count; i++)
        add_user(u, plan->topics[i]->topic.relation->name, s->name, false);
    if (plan->sink != SINK_TABLE) add_user(u, s->into, s->name, true);
    return ERR_OK;
}

static err_t users_of(struct flow *f, struct arena *a, struct topic_users *out, struct diag *d)
{
    *out = (struct topic_users){.arena = a, .flow = f};
    out->at = arena_take(a, USERS_OF_MAX * sizeof(*out->at));
    if (!out->at) return diag_fail(d, ERR_NO_MEMORY, "no memory for the streams' names");
    return f ? flow_each(f, on_stage, out) : ERR_OK;
}

static void put_users(struct buf *o, const char *name, const struct topic_users *u,
                      struct slice topic, bool writes)
{
    js_put_open(o, name, '[');
    for (uint32_t i = 0; i < u->count; i++)
        if (u->at[i].writes == writes && slice_equal(u->at[i].topic, topic))
            js_text(o, u->at[i].name);
    js_close(o, ']');
}

/* --- rates: what came between two looks ---------------------------------------------------------
 */

struct rate_point {
    int64_t at_ns;
    uint64_t records, bytes; /* ends of all partitions; bytes on disk */
};
struct rate_of { /* a topic's or a partition's last points, in a ring */
    struct rate_point at[RATE_POINTS];
    uint32_t count, next;
    uint64_t seen; /* the turn it was last looked at: those that are gone are dropped */
};

static void rate_note(struct rate_of *r, int64_t now_ns, uint64_t records, uint64_t bytes)
{
    r->at[r->next] = (struct rate_point){now_ns, records, bytes};
    r->next = (r->next + 1) % RATE_POINTS;
    if (r->count < RATE_POINTS) r->count++;
}

/* Retention takes bytes away: never below zero. Null before there are two points. */
static void put_rates(struct buf *o, const struct rate_of *r)
{
    const struct rate_point *last = &r->at[(r->next + RATE_POINTS - 1) % RATE_POINTS],
                            *first = &r->at[(r->next + RATE_POINTS - r->count) % RATE_POINTS];
    bool known = r->count > 1 && last->at_ns > first->at_ns;
    double seconds = known ? (double)(last->at_ns - first->at_ns) / 1e9 : 1;
    double records = last->records > first->records ? (double)(last->records - first->records) : 0;
    double bytes = last->bytes > first->bytes ? (double)(last->bytes - first->bytes) : 0;
    js_name(o, "rate");
    known ? js_real(o, records / seconds) : js_null(o);
    js_name(o, "bytes_rate");
    known ? js_real(o, bytes / seconds) : js_null(o);
}

static uint64_t ends_sum(struct log_topic *t)
{
    uint64_t n = 0;
    for (int32_t i = 0; i < log_topic_partitions(t); i++)
        n += (uint64_t)log_end_offset(log_partition(t, i));
    return n;
}

/* --- the list -----------------------------------------------------------------------------------
 */

struct topic_list {
    struct buf *out;
    struct topic_users users;
    struct map *rates; /* by name: struct rate_of; NULL: none are kept */
    int64_t now_ns;
    uint64_t turn;
};

static void put_policy(struct buf *o, const struct log_topic_config *c)
{
    js_put_cstr(o, "cleanup",
                c->compact && c->delete ? "compact,delete"
                : c->compact            ? "compact"
                : c->delete             ? "delete"
                                        : "none");
    js_name(o, "retention_ms");
    c->retention_ms < 0 ? js_null(o) : js_int(o, c->retention_ms);
    js_name(o, "retention_bytes");
    c->retention_bytes < 0 ? js_null(o) : js_int(o, c->retention_bytes);
}

static struct rate_of *rate_for(struct topic_list *l, struct slice key)
{
    struct rate_of *r = l->rates ? map_get(l->rates, key) : NULL;
    if (r || !l->rates) return r;
    r = mem_take(sizeof(*r));
    if (r && map_set(l->rates, key, r)) {
        mem_give(r);
        r = NULL;
    }
    return r;
}

static void put_summary(struct topic_list *l, struct log_topic *t)
{
    static const struct rate_of unknown;
    struct log_topic_config config = log_topic_config(t);
    struct slice name = log_topic_name(t);
    struct rate_of *rate = rate_for(l, name);
    uint64_t bytes = topic_bytes(t);
    if (rate) {
        rate_note(rate, l->now_ns, ends_sum(t), bytes);
        rate->seen = l->turn;
    }
    js_put_text(l->out, "name", name);
    js_put_bool(l->out, "internal", log_topic_is_internal(t));
    js_put_int(l->out, "partition_count", log_topic_partitions(t));
    js_put_uint(l->out, "records", topic_records(t));
    js_put_uint(l->out, "bytes", bytes);
    put_rates(l->out, rate ? rate : &unknown);
    put_policy(l->out, &config);
    put_users(l->out, "readers", &l->users, name, false);
    put_users(l->out, "writers", &l->users, name, true);
}

static err_t on_topic(void *ctx, struct log_topic *t)
{
    struct topic_list *l = ctx;
    js_open(l->out, '{');
    put_summary(l, t);
    js_close(l->out, '}');
    return l->out->err;
}

static err_t put_topics(struct exec_world *w, struct arena *a, struct topic_list *l, struct diag *d)
{
    err_t e = users_of(w->flow, a, &l->users, d);
    if (e) return e;
    js_open(l->out, '{');
    js_put_open(l->out, "topics", '[');
    e = log_topics(w->log, on_topic, l);
    js_close(l->out, ']');
    js_close(l->out, '}');
    return e ? diag_fail(d, e, "the list of topics is too large") : ERR_OK;
}

err_t console_topics(struct ask *a)
{
    struct topic_list l = {.out = &a->out};
    return put_topics(ask_world(a), a->arena, &l, &a->d);
}

/* --- one ----------------------------------------------------------------------------------------
 */

static void put_partition(struct topic_list *l, struct log_topic *t, int32_t i)
{
    static const struct rate_of unknown;
    struct log_partition *p = log_partition(t, i);
    char key[24];
    struct buf b = buf_over(key, sizeof(key));
    int64_t start = log_start_offset(p), end = MAX(log_end_offset(p), start);
    buf_printf(&b, "/%d", i);
    struct rate_of *rate = rate_for(l, buf_view(&b));
    if (rate) rate_note(rate, l->now_ns, (uint64_t)end, log_partition_bytes(p));
    if (rate) rate->seen = l->turn;
    js_open(l->out, '{');
    js_put_int(l->out, "partition", i);
    js_put_int(l->out, "start", start);
    js_put_int(l->out, "end", end);
    js_put_int(l->out, "stable", MAX(log_stable_offset(p), start));
    js_put_int(l->out, "records", end - start);
    js_put_uint(l->out, "bytes", log_partition_bytes(p));
    put_rates(l->out, rate ? rate : &unknown);
    js_close(l->out, '}');
}

static err_t put_topic(struct exec_world *w, struct slice name, struct arena *a,
                       struct topic_list *l, struct diag *d)
{
    struct log_topic *t;
    err_t e = topic_named(w->log, name, &t, d);
    if (!e) e = users_of(w->flow, a, &l->users, d);
    if (e) return e;
    js_open(l->out, '{');
    put_summary(l, t);
    js_put_int(l->out, "message_max_bytes", log_topic_config(t).message_max_bytes);
    js_put_open(l->out, "partitions", '[');
    for (int32_t i = 0; i < log_topic_partitions(t); i++) put_partition(l, t, i);
    js_close(l->out, ']');
    js_close(l->out, '}');
    return ERR_OK;
}

err_t console_topic(struct ask *a)
{
    struct topic_list l = {.out = &a->out};
    return put_topic(ask_world(a), ask_part(a, "name"), a->arena, &l, &a->d);
}

/* --- live ---------------------------------------------------------------------------------------
 */

enum { RATES_MAX = 20000 };
struct rates { /* a channel's own */
    struct map *by_name;
    uint64_t turn;
};

static void rates_free(void *own)
{
    struct rates *r = own;
    struct slice key;
    void *value;
    for (size_t i = 0; map_next(r->by_name, &i, &key, &value);) mem_give(value);
    map_free(r->by_name);
    mem_give(r);
}

static struct rates *rates_of(struct look *k)
{
    struct rates *r = k->own;
    if (r) return r;
    r = mem_take(sizeof(*r));
    if (r) r->by_name = map_new(RATES_MAX);
    if (!r || !r->by_name) {
        mem_give(r);
        return NULL;
    }
    k->own = r;
    k->own_free = rates_free;
    return r;
}

/* Topics that are gone take their points with them; one a turn is enough. */
static void rates_tidy(struct rates *r)
{
    struct slice key;
    void *value;
    for (size_t i = 0; map_next(r->by_name, &i, &key, &value);) {
        if (((struct rate_of *)value)->seen == r->turn) continue;
        mem_give(map_remove(r->by_name, key));
        return;
    }
}

static err_t live_list(struct look *k, bool all)
{
    struct rates *r = rates_of(k);
    struct topic_list l = {.out = &k->out, .now_ns = clock_mono_ns()};
    if (!r) return diag_fail(&k->d, ERR_NO_MEMORY, "no memory for the topics' rates");
    l.rates = r->by_name;
    l.turn = ++r->turn;
    err_t e = all ? put_topics(look_world(k), k->arena, &l, &k->d)
                  : put_topic(look_world(k), k->arg, k->arena, &l, &k->d);
    if (!e) rates_tidy(r);
    return e;
}

err_t live_topics(struct look *k)
{
    return live_list(k, true);
}

err_t live_topic(struct look *k)
{
    return live_list(k, false);
}
