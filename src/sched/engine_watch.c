/* Tables and topics that dags wait for, looked at themselves.
 *
 * What is durable is where each stood when the dag's last run was made (data_place); elsewhere now:
 * it has changed, whoever wrote, and whether or not this process was alive then. Only the first
 * change since that run becomes an event; all until the next run belong to that one. */
#include "base/say.h"
#include "sched/engine_int.h"
#include <stdio.h>

struct data_seen {          /* of one of a schedule's `after` */
    struct data_place at;   /* when the last run was made */
    struct data_place last; /* at the last look */
    struct data_place told; /* when it became an event */
    struct data_place put;  /* what `at` becomes with this transaction */
    bool known /* `at` */, waiting /* its event is in the queue */;
    bool must_put, news; /* to be written by this look */
};
struct data_watch {
    bool loaded;
    bool passed_over; /* was paused: what changed meanwhile is passed over, as assets' events are */
    bool made;        /* a run, in this transaction */
    int64_t made_mono, moved_mono;
    struct data_seen seen[];
};

void engine_watch_drop(struct engine_dag *of)
{
    mem_give(of->watch);
    of->watch = NULL;
}

static struct data_place look_at(const struct engine *e, const struct data_name *n)
{
    return e->o.data_at(e->o.data_ctx, n);
}

bool engine_watch_sees(const struct engine *e, const struct data_name *n)
{
    return e->o.data_at && data_name_looked_at(n) && look_at(e, n).of != 0;
}

bool engine_watch_holds(const struct engine *e, const struct engine_dag *of)
{
    const struct schedule *s = &of->dag->schedule;
    const struct data_watch *w = of->watch;
    if (!s->looks || !e->o.data_at) return false;
    if (!w || !w->loaded) return true; /* the next look loads it */
    return e->mono - w->made_mono < s->at_most_every_us || e->mono - w->moved_mono < s->quiet_us;
}

/* --- one dag ------------------------------------------------------------------------------------
 */

struct places {
    const struct schedule *s;
    struct data_watch *w;
};

static err_t take_place(void *ctx, const struct meta_row *row)
{
    struct places *p = ctx;
    for (uint32_t i = 0; i < p->s->after_count; i++) {
        const struct data_name *n = &p->s->after[i];
        if (!slice_equal(n->kind, row->at[0].text) || !slice_equal(n->name, row->at[1].text))
            continue;
        p->w->seen[i].at =
            (struct data_place){(uint64_t)row->at[2].number, (uint64_t)row->at[3].number};
        p->w->seen[i].known = true;
    }
    return ERR_OK;
}

static err_t take_last(void *ctx, const struct meta_row *row)
{
    *(int64_t *)ctx = row->at[0].kind == META_NULL ? TIME_NONE : row->at[0].number;
    return ERR_OK;
}

/* How long ago data made a run, for `at_most_every` over restarts and other schedulers: a clock
 * that has jumped is not believed for longer than that. */
err_t engine_watch_last(struct engine *e, struct engine_dag *of, struct diag *d)
{
    struct meta_value args[] = {meta_text(of->id)};
    int64_t last = TIME_NONE, every = of->dag->schedule.at_most_every_us;
    if (!of->watch || every == 0) return ERR_OK;
    err_t err = meta_run(e->meta, META_RUN_LAST_BY_DATA, args, 1, take_last, &last, NULL, d);
    if (!err && last != TIME_NONE && last <= e->now && e->now - last < every)
        of->watch->made_mono = MAX(of->watch->made_mono, e->mono - (e->now - last));
    return err;
}

static err_t watch_load(struct engine *e, struct engine_dag *of, struct diag *d)
{
    const struct schedule *s = &of->dag->schedule;
    struct meta_value args[] = {meta_text(slice_of(e->o.identity)), meta_text(of->id)};
    size_t size = sizeof(*of->watch) + s->after_count * sizeof(of->watch->seen[0]);
    bool passed_over = of->watch && of->watch->passed_over;
    if (!of->watch) of->watch = mem_take(size);
    if (!of->watch) return ERR_NO_MEMORY;
    memset(of->watch, 0, size);
    of->watch->passed_over = passed_over;
    of->watch->made_mono = e->mono - s->at_most_every_us;
    if (of->paused) return ERR_OK;
    struct places p = {s, of->watch};
    err_t err = meta_run(e->meta, META_DATA_PLACES_OF, args, 2, take_place, &p, NULL, d);
    if (!err) err = engine_watch_last(e, of, d);
    of->watch->loaded = !err;
    e->must_look = true; /* what was queued before the start was held until now */
    for (uint32_t i = 0; i < s->after_count; i++)
        if (data_name_looked_at(&s->after[i]) && look_at(e, &s->after[i]).of == 0)
            say_warn(SAY_SCHED, "a dag waits for what is not there yet", "dag=%.*s %.*s=%.*s",
                     SLICE_ARG(of->id), SLICE_ARG(s->after[i].kind), SLICE_ARG(s->after[i].name));
    return err;
}

/* What stands in the queue, by us or by others, and what was taken out of it by others. */
static err_t look_at_queue(struct engine *e, struct engine_dag *of, bool *news, struct diag *d)
{
    const struct schedule *s = &of->dag->schedule;
    struct data_queued q;
    err_t err = engine_data_queued(e, of, &q, d);
    for (uint32_t i = 0; i < s->after_count && !err; i++) {
        struct data_seen *x = &of->watch->seen[i];
        if (!data_name_looked_at(&s->after[i]) || x->must_put) continue;
        if (x->waiting && !q.met[i]) { /* dismissed by a person, or another scheduler's run */
            x->waiting = false;
            x->must_put = true;
            x->put = x->told;
        } else if (q.met[i] && !x->waiting) {
            x->waiting = true;
            x->told = x->last;
        } else if (!q.met[i]) {
            x->news = data_place_moved(x->at, x->last);
        }
        *news |= x->must_put || x->news;
    }
    if (!err && q.enough && !engine_watch_holds(e, of)) e->must_look = true;
    vec_done(&q.names);
    return err;
}

static err_t look_at_dag(struct engine *e, struct engine_dag *of, struct diag *d)
{
    struct data_watch *w = of->watch;
    if (of->gone || !of->dag) return ERR_OK;
    const struct schedule *s = &of->dag->schedule;
    err_t err = !w || (!w->loaded && !of->paused) ? watch_load(e, of, d) : ERR_OK;
    if (err) return err;
    w = of->watch;
    if (of->paused) w->passed_over = true;
    if (of->paused) return ERR_OK;
    bool ask = false, write = false;
    for (uint32_t i = 0; i < s->after_count; i++) {
        struct data_seen *x = &w->seen[i];
        if (!data_name_looked_at(&s->after[i])) continue;
        struct data_place now = look_at(e, &s->after[i]);
        if (now.of != x->last.of || now.count != x->last.count) w->moved_mono = e->mono;
        x->last = now;
        x->must_put = !x->known || w->passed_over;
        x->put = now;
        x->news = false;
        write |= x->must_put;
        ask |= x->waiting || (!x->must_put && data_place_moved(x->at, now));
    }
    if (ask) err = look_at_queue(e, of, &write, d);
    return err || !write ? err : vec_push(&e->by_data, &of);
}

/* --- what a look found ----------------------------------------------------------------------- */

static err_t put_place(struct engine *e, const struct engine_dag *of, uint32_t i, struct diag *d)
{
    const struct data_name *n = &of->dag->schedule.after[i];
    struct data_place put = of->watch->seen[i].put;
    struct meta_value args[] = {meta_text(slice_of(e->o.identity)),
                                meta_text(of->id),
                                meta_text(n->kind),
                                meta_text(n->name),
                                meta_int((int64_t)put.of),
                                meta_int((int64_t)put.count)};
    return meta_run(e->meta, META_DATA_PLACE_PUT, args, COUNT_OF(args), NULL, NULL, NULL, d);
}

/* One event for all dags that wait for it and have not heard: `told` keeps their numbers. */
static err_t put_news(struct engine *e, struct engine_dag *of, uint32_t i, struct map *told,
                      struct diag *d)
{
    const struct data_name *n = &of->dag->schedule.after[i];
    const struct data_seen *x = &of->watch->seen[i];
    char kind[16], extra[80] = "{\"from_data\": true}";
    struct buf key = buf_make(2 * KIB(64));
    if (!slice_to_cstr(n->kind, kind, sizeof(kind))) return ERR_INVALID;
    if (slice_is(n->kind, "topic") && x->at.of == x->last.of)
        snprintf(extra, sizeof(extra), "{\"from_data\": true, \"offsets\": %llu}",
                 (unsigned long long)(x->last.count - x->at.count));
    struct asset_change c = {.kind = kind, .name = n->name, .extra = slice_of(extra)};
    buf_slice(&key, n->kind);
    buf_char(&key, ' ');
    buf_slice(&key, n->name);
    int64_t event = key.err ? 0 : (int64_t)(intptr_t)map_get(told, buf_view(&key));
    err_t err = key.err;
    if (!err && !event) {
        err = asset_changed(e->meta, &c, e->now, &event, d);
        if (!err) err = map_set(told, buf_view(&key), (void *)(intptr_t)event);
    }
    buf_done(&key);
    return err ? err : asset_queue_put(e->meta, of->id, &c, event, e->now, d);
}

static err_t write_dag(struct engine *e, struct engine_dag *of, void *told, struct diag *d)
{
    err_t err = ERR_OK;
    for (uint32_t i = 0; i < of->dag->schedule.after_count && !err; i++) {
        const struct data_seen *x = &of->watch->seen[i];
        if (x->must_put) err = put_place(e, of, i, d);
        if (x->news && !err) err = put_news(e, of, i, told, d);
    }
    return err;
}

static void settle(struct engine *e, struct engine_dag *of, bool durable)
{
    for (uint32_t i = 0; i < of->dag->schedule.after_count; i++) {
        struct data_seen *x = &of->watch->seen[i];
        if (x->must_put && durable) {
            x->at = x->put;
            x->known = true;
        }
        if (x->news && durable) {
            x->told = x->last;
            x->waiting = e->must_look = true;
        }
        x->must_put = x->news = false;
    }
    if (durable)
        of->watch->passed_over = false;
    else
        of->watch->loaded = false; /* read anew */
}

static err_t write_all(struct engine *e, struct diag *d)
{
    struct map *told = map_new(ENGINE_DAGS_MAX);
    err_t err = told ? engine_by_data_write(e, write_dag, told, d) : ERR_NO_MEMORY;
    for (size_t i = 0; i < e->by_data.count; i++)
        settle(e, *(struct engine_dag **)vec_at(&e->by_data, i), !err);
    map_free(told);
    return err;
}

static err_t list_anew(struct engine *e)
{
    struct slice key;
    void *value;
    err_t err = ERR_OK;
    vec_clear(&e->watching);
    for (size_t at = 0; !err && map_next(e->dags, &at, &key, &value);) {
        struct engine_dag *of = value;
        if (of->dag && !of->gone && of->dag->schedule.looks) err = vec_push(&e->watching, &of);
    }
    e->watch_anew = err != ERR_OK;
    return err;
}

err_t engine_watch(struct engine *e, struct diag *d)
{
    err_t err = e->watch_anew && e->o.data_at ? list_anew(e) : ERR_OK;
    vec_clear(&e->by_data);
    for (size_t i = 0; i < e->watching.count && !err; i++)
        err = look_at_dag(e, *(struct engine_dag **)vec_at(&e->watching, i), d);
    return err || e->by_data.count == 0 ? err : write_all(e, d);
}

/* --- a run is made ------------------------------------------------------------------------------
 */

void engine_watch_making(struct engine *e, struct engine_dag *of)
{
    const struct schedule *s = &of->dag->schedule;
    if (!of->watch || !s->looks || !e->o.data_at) return;
    for (uint32_t i = 0; i < s->after_count; i++)
        if (data_name_looked_at(&s->after[i])) of->watch->seen[i].put = look_at(e, &s->after[i]);
}

err_t engine_watch_made(struct engine *e, struct engine_dag *of, struct diag *d)
{
    const struct schedule *s = &of->dag->schedule;
    struct meta_value args[] = {meta_text(slice_of(e->o.identity)), meta_text(of->id)};
    if (!of->watch || !s->looks || !e->o.data_at) return ERR_OK;
    of->watch->made = true;
    err_t err = meta_run(e->meta, META_DATA_PLACES_RENEW, args, 2, NULL, NULL, NULL, d);
    for (uint32_t i = 0; i < s->after_count && !err; i++)
        if (data_name_looked_at(&s->after[i])) err = put_place(e, of, i, d);
    return err;
}

void engine_watch_done(struct engine *e, struct engine_dag *of, bool durable)
{
    struct data_watch *w = of->watch;
    if (!w || !w->made) return;
    w->made = false;
    w->loaded = durable; /* or read anew */
    if (!durable) return;
    w->made_mono = e->mono;
    for (uint32_t i = 0; i < of->dag->schedule.after_count; i++) {
        w->seen[i].at = w->seen[i].put;
        w->seen[i].waiting = false;
    }
}
