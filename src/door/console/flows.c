/* Live channels of workflows: that something has changed, by a few numbers of their database. One
 * connection for all who look; nothing is asked while nothing in the database has changed. */
#include "door/console/console_int.h"

#include "base/hash.h"
#include "base/vec.h"
#include "os/file.h"
#include "sched/watch.h"

enum { ARG_PARTS_MAX = 5, RUNS_TOLD = 64, RUNS_KEPT = 2 * WATCH_RUNS_MAX };

struct flows {
    struct gate gate;
    bool held; /* by a look that asks the database: what follows is that look's */
    uint32_t waiting;
    struct meta *meta;
    uint64_t generation; /* of the database, as heard */
};

struct flow_run {
    uint64_t id; /* its name's hash: two that share one would only be asked for together */
    int64_t version;
    uint64_t told; /* the change that told of it; 0: known from the beginning */
    char *name;
};
struct flow_look { /* a channel's own */
    uint64_t generation, digest, change;
    struct vec runs; /* of a dag */
    char *path;      /* of a log */
    bool over, began;
};

static void look_free(void *own)
{
    struct flow_look *l = own;
    for (size_t i = 0; i < l->runs.count; i++) {
        struct flow_run *r = vec_at(&l->runs, i);
        mem_give(r->name);
    }
    vec_done(&l->runs);
    mem_give(l->path);
    mem_give(l);
}

static struct flow_look *look_own(struct look *k)
{
    if (k->own) return k->own;
    struct flow_look *l = mem_take(sizeof(*l));
    if (!l) return NULL;
    l->runs = vec_make(sizeof(struct flow_run), RUNS_KEPT);
    k->own = l;
    k->own_free = look_free;
    return l;
}

/* --- the connection ------------------------------------------------------------------------------
 */

err_t flows_open(struct console *c, struct diag *d)
{
    if (!c->o.port.meta) return ERR_OK;
    c->flows = mem_take(sizeof(*c->flows));
    if (!c->flows) return diag_fail(d, ERR_NO_MEMORY, "no memory for what is live of workflows");
    gate_init(&c->flows->gate);
    return ERR_OK;
}

void flows_close(struct flows *f)
{
    if (!f) return;
    meta_close(f->meta);
    gate_done(&f->gate);
    mem_give(f);
}

/* The database may be asked; flows_leave, whatever this answers. With *busy one is at it and
 * another waits already: this look is left out, so that a slow database holds up no other channel.
 */
static err_t flows_enter(struct look *k, struct flows **out, bool *busy)
{
    struct flows *f = k->console->flows;
    *busy = false;
    *out = f;
    if (!f) return diag_fail(&k->d, ERR_UNSUPPORTED, "there are no workflows here");
    gate_enter(&f->gate);
    *busy = f->held && f->waiting > 0;
    while (!*busy && f->held) {
        f->waiting++;
        gate_wait(&f->gate);
        f->waiting--;
    }
    f->held = true;
    gate_leave(&f->gate);
    if (*busy) return ERR_OK;
    bool changed = false;
    const struct console_port *p = &k->console->o.port;
    err_t e = f->meta ? ERR_OK : p->meta(p->ctx, &f->meta, &k->d);
    if (!e) e = meta_heard(f->meta, &changed, &k->d);
    if (!e && changed) f->generation++;
    return e;
}

static void flows_leave(struct flows *f, err_t e)
{
    if (!f) return;
    if (e == ERR_OFFLINE || e == ERR_IO) { /* the next look begins with a connection of its own */
        meta_close(f->meta);
        f->meta = NULL;
        f->generation++;
    }
    gate_enter(&f->gate);
    f->held = false;
    gate_wake(&f->gate);
    gate_leave(&f->gate);
}

/* --- names ---------------------------------------------------------------------------------------
 */

static int hex(uint8_t c)
{
    uint8_t l = c | 0x20;
    return c >= '0' && c <= '9' ? c - '0' : l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

static struct slice unescape(struct arena *a, struct slice s)
{
    uint8_t *to = arena_take(a, s.len + 1);
    uint32_t n = 0;
    if (!to) return (struct slice){0};
    for (uint32_t i = 0; i < s.len; i++) {
        bool code =
            s.at[i] == '%' && i + 2 < s.len && hex(s.at[i + 1]) >= 0 && hex(s.at[i + 2]) >= 0;
        int byte = code ? hex(s.at[i + 1]) * 16 + hex(s.at[i + 2]) : s.at[i];
        to[n++] = (uint8_t)byte;
        if (code) i += 2;
    }
    return slice_make(to, n);
}

/* "DAG:RUN" -> its parts; refused when there are more or fewer. */
static err_t arg_parts(struct look *k, struct slice *parts, uint32_t count)
{
    struct slice rest = k->arg;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *colon = rest.len ? memchr(rest.at, ':', rest.len) : NULL;
        bool last = i + 1 == count;
        if ((colon != NULL) == last)
            return diag_fail(&k->d, ERR_USAGE, "'%.*s' has not %u parts with ':' between",
                             SLICE_ARG(k->arg), count);
        uint32_t len = colon ? (uint32_t)(colon - rest.at) : rest.len;
        parts[i] = unescape(k->arena, slice_make(rest.at, len));
        if (!parts[i].at) return diag_fail(&k->d, ERR_NO_MEMORY, "no memory for a name");
        if (colon) rest = slice_make(colon + 1, rest.len - len - 1);
    }
    return ERR_OK;
}

/* --- looks ---------------------------------------------------------------------------------------
 */

static void put_change(struct look *k, const struct flow_look *l)
{
    js_open(&k->out, '{');
    js_put_uint(&k->out, "version", l->change);
    js_close(&k->out, '}');
}

static err_t look_all(struct look *k, struct meta *m, const struct slice *parts, uint64_t *digest)
{
    (void)parts;
    return watch_all(m, digest, &k->d);
}

static err_t look_run(struct look *k, struct meta *m, const struct slice *parts, uint64_t *digest)
{
    return watch_run(m, parts[0], parts[1], digest, &k->d);
}

static err_t note_run(void *ctx, const struct watch_run *run)
{
    struct flow_look *l = ctx;
    uint64_t id = hash64(run->run_id, 0);
    for (size_t i = 0; i < l->runs.count; i++) {
        struct flow_run *r = vec_at(&l->runs, i);
        if (r->id != id) continue;
        if (r->version != run->version) r->told = l->change + 1;
        r->version = run->version;
        return ERR_OK;
    }
    if (l->runs.count == RUNS_KEPT) { /* the one that was told of longest ago goes */
        size_t oldest = 0;
        for (size_t i = 1; i < l->runs.count; i++)
            if (((struct flow_run *)vec_at(&l->runs, i))->told <
                ((struct flow_run *)vec_at(&l->runs, oldest))->told)
                oldest = i;
        struct flow_run *r = vec_at(&l->runs, oldest);
        mem_give(r->name);
        *r = *(struct flow_run *)vec_at(&l->runs, l->runs.count - 1);
        l->runs.count--;
    }
    struct flow_run fresh = {id, run->version, l->began ? l->change + 1 : 0, mem_text(run->run_id)};
    if (fresh.name && !vec_push(&l->runs, &fresh)) return ERR_OK;
    mem_give(fresh.name);
    return ERR_NO_MEMORY;
}

static err_t look_dag(struct look *k, struct meta *m, const struct slice *parts, uint64_t *digest)
{
    return watch_dag(m, parts[0], note_run, k->own, digest, &k->d);
}

/* One statement or two when the database has changed; tells when their numbers have. */
static err_t look_once(struct look *k, uint32_t count, bool *told,
                       err_t (*ask)(struct look *k, struct meta *m, const struct slice *parts,
                                    uint64_t *digest))
{
    struct slice parts[ARG_PARTS_MAX];
    struct flow_look *l = look_own(k);
    struct flows *f = NULL;
    bool busy;
    *told = false;
    if (!l) return diag_fail(&k->d, ERR_NO_MEMORY, "no memory for a look");
    err_t e = count ? arg_parts(k, parts, count) : ERR_OK;
    if (e) return e;
    e = flows_enter(k, &f, &busy);
    if (busy) return ERR_OK;
    uint64_t digest = l->digest;
    bool look = !e && (!l->began || l->generation != f->generation);
    if (look) e = ask(k, f->meta, parts, &digest);
    if (look && !e) l->generation = f->generation;
    flows_leave(f, e);
    if (e || !look || (l->began && digest == l->digest)) return e;
    l->digest = digest;
    l->change++;
    l->began = *told = true;
    return ERR_OK;
}

err_t live_dags(struct look *k)
{
    bool told;
    err_t e = look_once(k, 0, &told, look_all);
    if (told) put_change(k, k->own);
    return e;
}

err_t live_run(struct look *k)
{
    bool told;
    err_t e = look_once(k, 2, &told, look_run);
    if (told) put_change(k, k->own);
    return e;
}

/* The runs that changed last: also who missed a few changes finds all of them. */
err_t live_dag(struct look *k)
{
    bool told;
    err_t e = look_once(k, 1, &told, look_dag);
    if (!told) return e;
    const struct flow_look *l = k->own;
    js_open(&k->out, '{');
    js_put_uint(&k->out, "version", l->change);
    js_put_open(&k->out, "runs", '{');
    uint32_t count = 0;
    for (uint64_t at = l->change; at > 0 && at + RUNS_TOLD > l->change && count < RUNS_TOLD; at--)
        for (size_t i = 0; i < l->runs.count; i++) {
            const struct flow_run *r = vec_at(&l->runs, i);
            if (r->told != at) continue;
            js_put_int(&k->out, r->name, r->version);
            count++;
        }
    js_close(&k->out, '}');
    js_close(&k->out, '}');
    return ERR_OK;
}

/* A try's log: where it lies is asked once, and whether it goes on when the database changes; how
 * long it is, each time. */
static err_t look_log(struct look *k, struct meta *m, const struct slice *parts, uint64_t *digest)
{
    struct flow_look *l = k->own;
    struct watch_try t = {.dag_id = parts[0], .run_id = parts[1], .task_id = parts[2]};
    const char *path;
    if (!slice_to_i64(parts[3], &t.map_index) || !slice_to_i64(parts[4], &t.number))
        return diag_fail(&k->d, ERR_USAGE, "a log's index and try are numbers");
    err_t e = watch_log(m, &t, k->arena, &path, &l->over, &k->d);
    if (e) return e;
    if (path && !l->path && !(l->path = mem_text(slice_of(path))))
        return diag_fail(&k->d, ERR_NO_MEMORY, "no memory for a log's path");
    *digest = l->over;
    return ERR_OK;
}

err_t live_log(struct look *k)
{
    bool told;
    struct file_stamp stamp = {0};
    err_t e = look_once(k, 5, &told, look_log);
    const struct flow_look *l = k->own;
    if (e || !l || !l->began) return e;
    e = l->path ? file_stamp(l->path, &stamp, &k->d) : ERR_OK;
    if (e == ERR_NOT_FOUND) e = ERR_OK; /* nothing was said yet, or it has expired */
    if (e) return e;
    js_open(&k->out, '{');
    js_put_uint(&k->out, "version", stamp.size);
    js_put_bool(&k->out, "over", l->over);
    js_close(&k->out, '}');
    return ERR_OK;
}
