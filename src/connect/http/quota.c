#include "connect/http/quota.h"

#include "connect/connect.h"
#include "os/file.h"
#include "os/thread.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    FILE_TURN = 256 << 10, /* past this it is written anew */
    FILE_MAX = 4 << 20,
    WAIT_MOST_MS = 1000,
    GONE_MS = 1000, /* who does not ask again so long after its wait has given up */
    QUOTAS_MAX = 1024
};
enum { QUOTA_WAITER_MAX = 256 /* bytes of its name that are written */, WAITERS_SHOWN = 32 };
enum side { LIVE, TASKS, SIDES };

struct mark {
    int64_t at_ms, count;
    enum side side;
};
struct waiting {
    const void *who; /* NULL: nobody */
    int64_t until_ms;
};
struct quota {
    char name[QUOTA_NAME_MAX + 1], path[4200]; /* path "": it is not kept */
    int64_t number, per_ms;
    uint32_t users;
    struct mark marks[QUOTA_MARKS_MAX];
    uint32_t first, count;
    int64_t short_until_ms[SIDES]; /* one of its requests had to wait not a span ago */
    int64_t sum[SIDES], peak[SIDES], span_began_ms, peak_before[SIDES];
    struct waiting waiting[SIDES];
    int fd;
    uint64_t size;
    struct quota *next;
};
static struct {
    struct gate gate; /* guards all of it, and each quota */
    char folder[4096];
    struct quota *first;
    uint32_t count;
} all;

__attribute__((constructor)) static void make_gate(void)
{
    gate_init(&all.gate);
}

/* --- what is kept -------------------------------------------------------------------------------
 * A line a take: "1763786000123 10 live". The first line says the quota, for whoever looks, and so
 * do those of who waits: "# 1763786001123 tasks load.get", until when, or 0 when no longer.
 */

static const char *const SIDE_NAMES[SIDES] = {"live", "tasks"};

static void add_mark(struct quota *q, int64_t at_ms, int64_t count, enum side side)
{
    struct mark *last = q->count ? &q->marks[(q->first + q->count - 1) % QUOTA_MARKS_MAX] : NULL;
    q->sum[side] += count;
    if (last && q->count == QUOTA_MARKS_MAX) { /* later than true, never earlier */
        q->sum[side] -= count;
        q->sum[last->side] += count;
        last->count += count;
        last->at_ms = MAX(last->at_ms, at_ms);
    } else {
        q->marks[(q->first + q->count++) % QUOTA_MARKS_MAX] = (struct mark){at_ms, count, side};
    }
    q->peak[side] = MAX(q->peak[side], q->sum[side]);
}

/* What is older than the span counts no more; what a clock gone back has put into the future counts
 * as now. */
static void forget(struct quota *q, int64_t now_ms)
{
    for (uint32_t i = q->count; i-- > 0;) {
        struct mark *m = &q->marks[(q->first + i) % QUOTA_MARKS_MAX];
        if (m->at_ms <= now_ms) break;
        m->at_ms = now_ms;
    }
    while (q->count && q->marks[q->first].at_ms <= now_ms - q->per_ms) {
        q->sum[q->marks[q->first].side] -= q->marks[q->first].count;
        q->first = (q->first + 1) % QUOTA_MARKS_MAX;
        q->count--;
    }
    if (now_ms - q->span_began_ms < q->per_ms && now_ms >= q->span_began_ms) return;
    for (int s = 0; s < SIDES; s++) {
        q->peak_before[s] = q->peak[s];
        q->peak[s] = q->sum[s];
    }
    q->span_began_ms = now_ms;
}

static void put_head(const struct quota *q, struct buf *out)
{
    buf_printf(out, "quota %" PRId64 " in %" PRId64 " ms\n", q->number, q->per_ms);
}

static err_t rewrite(struct quota *q, struct diag *d)
{
    struct buf out = buf_make(FILE_MAX);
    put_head(q, &out);
    for (uint32_t i = 0; i < q->count; i++) {
        const struct mark *m = &q->marks[(q->first + i) % QUOTA_MARKS_MAX];
        buf_printf(&out, "%" PRId64 " %" PRId64 " %s\n", m->at_ms, m->count, SIDE_NAMES[m->side]);
    }
    if (q->fd >= 0) file_close(q->fd);
    q->fd = -1;
    q->size = out.len;
    err_t e = out.err ? out.err : file_store(q->path, buf_view(&out), d);
    buf_done(&out);
    return e ? e : file_open(q->path, FILE_WRITE, &q->fd, d);
}

/* A line that a kill has torn says nothing: its request was not sent. */
static err_t load(struct quota *q, struct diag *d)
{
    struct slice text = {0};
    if (!q->path[0]) return ERR_OK;
    err_t e = file_exists(q->path) ? file_load(q->path, FILE_MAX, &text, d) : ERR_OK;
    if (e) return e;
    const char *at = (const char *)text.at, *end = at ? at + text.len : at; /* no file: none */
    for (const char *line = at; line && line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        int64_t when, count;
        char side[8];
        if (stop && sscanf(line, "%" SCNd64 " %" SCNd64 " %7s", &when, &count, side) == 3 &&
            count > 0)
            add_mark(q, when, count, strcmp(side, SIDE_NAMES[TASKS]) == 0 ? TASKS : LIVE);
        line = stop ? stop + 1 : NULL;
    }
    mem_give((void *)(uintptr_t)text.at);
    return rewrite(q, d);
}

static err_t keep(struct quota *q, const struct mark *m, struct diag *d)
{
    char line[80];
    if (!q->path[0]) return ERR_OK;
    if (q->fd < 0 || q->size > FILE_TURN) return rewrite(q, d); /* the mark is in it already */
    int n = snprintf(line, sizeof(line), "%" PRId64 " %" PRId64 " %s\n", m->at_ms, m->count,
                     SIDE_NAMES[m->side]);
    err_t e = file_pwrite(q->fd, line, (size_t)n, q->size, d);
    if (!e) e = file_sync(q->fd, d);
    if (!e) q->size += (uint64_t)n;
    return e;
}

/* For people only, and old in a second: no sync, and a line that can not be written is none. */
static void say_waits(struct quota *q, const struct quota_ask *ask, enum side side,
                      int64_t until_ms)
{
    char line[QUOTA_WAITER_MAX + 64];
    uint32_t len = MIN(ask->name.len, (uint32_t)QUOTA_WAITER_MAX);
    if (q->fd < 0 || q->size > FILE_TURN || !len || memchr(ask->name.at, '\n', len)) return;
    int n = snprintf(line, sizeof(line), "# %" PRId64 " %s %.*s\n", until_ms, SIDE_NAMES[side],
                     (int)len, (const char *)ask->name.at);
    if (!file_pwrite(q->fd, line, (size_t)n, q->size, NULL)) q->size += (uint64_t)n;
}

/* --- who shares it ------------------------------------------------------------------------------
 */

err_t connect_quotas_in(const char *folder, struct diag *d)
{
    err_t e = *folder ? dir_make(folder, d) : ERR_OK;
    gate_enter(&all.gate);
    if (!e) snprintf(all.folder, sizeof(all.folder), "%s", folder);
    gate_leave(&all.gate);
    return e;
}

static bool name_fits(struct slice name)
{
    bool fits = name.len > 0 && name.len <= QUOTA_NAME_MAX;
    for (uint32_t i = 0; i < name.len && fits; i++) {
        uint8_t c = name.at[i], l = c | 32;
        fits = (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    }
    return fits;
}

static err_t say_amount(struct quota *q, int64_t number, int64_t per_ms, struct diag *d)
{
    if (!number || (q->number == number && q->per_ms == per_ms)) return ERR_OK;
    if (q->number) {
        (void)diag_fail(d, ERR_CONFIG,
                        "quota '%s' is %" PRId64 " in %" PRId64 " s for one source and %" PRId64
                        " in %" PRId64 " s for another",
                        q->name, q->number, q->per_ms / 1000, number, per_ms / 1000);
        return diag_hint(d, "say rate_limit at one of its sources");
    }
    q->number = number;
    q->per_ms = per_ms;
    return load(q, d);
}

static struct quota *quota_new(struct slice name)
{
    struct quota *q = all.count < QUOTAS_MAX ? mem_take(sizeof(*q)) : NULL;
    if (!q) return NULL;
    q->fd = -1;
    (void)slice_to_cstr(name, q->name, sizeof(q->name));
    if (all.folder[0]) snprintf(q->path, sizeof(q->path), "%s/%s", all.folder, q->name);
    q->next = all.first;
    all.first = q;
    all.count++;
    return q;
}

static void leave(struct quota *q)
{
    if (--q->users > 0) return;
    for (struct quota **at = &all.first; *at; at = &(*at)->next) {
        if (*at != q) continue;
        *at = q->next;
        break;
    }
    all.count--;
    if (q->fd >= 0) file_close(q->fd);
    mem_give(q);
}

err_t quota_join(struct slice name, int64_t number, int64_t per_ms, struct quota **out,
                 struct diag *d)
{
    if (!name_fits(name)) {
        (void)diag_fail(d, ERR_CONFIG, "'%.*s' is no name of a quota", SLICE_ARG(name));
        return diag_hint(d, "letters, digits, _ and -, at most %d", QUOTA_NAME_MAX);
    }
    gate_enter(&all.gate);
    struct quota *q = all.first;
    while (q && !slice_is(name, q->name)) q = q->next;
    if (!q) q = quota_new(name);
    err_t e = q ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory for a quota");
    if (q) q->users++;
    if (!e) e = say_amount(q, number, per_ms, d);
    if (e && q) leave(q);
    gate_leave(&all.gate);
    if (!e) *out = q;
    return e;
}

void quota_leave(struct quota *q)
{
    if (!q) return;
    gate_enter(&all.gate);
    leave(q);
    gate_leave(&all.gate);
}

/* --- taking -------------------------------------------------------------------------------------
 */

/* What the other side has not taken yet and is sure of. */
static int64_t reserved(const struct quota *q, enum side other, int64_t now_ms)
{
    int64_t half = other == LIVE ? q->number - q->number / 2 : q->number / 2;
    bool is_short = q->short_until_ms[other] > now_ms;
    int64_t wants = is_short ? half : MIN(half, MAX(q->peak[other], q->peak_before[other]));
    return MAX(wants - q->sum[other], INT64_C(0));
}

static bool has_room(const struct quota *q, const struct quota_ask *ask, enum side side)
{
    const struct waiting *w = &q->waiting[side];
    if (w->who && w->who != ask->who && w->until_ms > ask->now_ms) return false; /* it was first */
    int64_t kept = reserved(q, side == LIVE ? TASKS : LIVE, ask->now_ms);
    return q->sum[LIVE] + q->sum[TASKS] + kept + ask->count <= q->number;
}

static int64_t wait_for_room(const struct quota *q, int64_t now_ms)
{
    int64_t left = q->count ? q->marks[q->first].at_ms + q->per_ms - now_ms : WAIT_MOST_MS;
    return MAX(MIN(left, (int64_t)WAIT_MOST_MS), INT64_C(1));
}

static err_t take(struct quota *q, const struct quota_ask *ask, int64_t *wait_ms, struct diag *d)
{
    enum side side = ask->by_task ? TASKS : LIVE;
    struct waiting *w = &q->waiting[side];
    if (!q->number) {
        (void)diag_fail(d, ERR_CONFIG, "no source says how much quota '%s' is", q->name);
        return diag_hint(d, "one of its sources has it: WITH (quota = '%s', rate_limit = '100/1m')",
                         q->name);
    }
    if (ask->count > q->number)
        return diag_fail(d, ERR_CONFIG,
                         "quota '%s' allows %" PRId64 " records, but a request asks for %" PRId64,
                         q->name, q->number, ask->count);
    forget(q, ask->now_ms);
    *wait_ms = 0;
    if (!has_room(q, ask, side)) {
        *wait_ms = wait_for_room(q, ask->now_ms);
        q->short_until_ms[side] = ask->now_ms + q->per_ms;
        bool first = !w->who || w->who == ask->who || w->until_ms <= ask->now_ms;
        if (first) *w = (struct waiting){ask->who, ask->now_ms + *wait_ms + GONE_MS};
        say_waits(q, ask, side, ask->now_ms + *wait_ms + GONE_MS);
        return ERR_OK;
    }
    if (w->who == ask->who) {
        w->who = NULL;
        say_waits(q, ask, side, 0);
    }
    add_mark(q, ask->now_ms, ask->count, side);
    return keep(q, &(struct mark){ask->now_ms, ask->count, side}, d);
}

err_t quota_take(struct quota *q, const struct quota_ask *ask, int64_t *wait_ms, struct diag *d)
{
    gate_enter(&all.gate);
    err_t e = take(q, ask, wait_ms, d);
    gate_leave(&all.gate);
    return e;
}

/* --- to be looked at ----------------------------------------------------------------------------
 */

struct seen_waiting {
    struct slice name; /* in the file's text */
    bool by_task;
    int64_t until_ms;
};
struct looking {
    const char *folder;
    int64_t now_ms;
    void (*each)(void *ctx, const struct connect_quota *q);
    void *ctx;
    struct diag *d;
    struct seen_waiting waiting[WAITERS_SHOWN];
    uint32_t waiting_count;
};

/* "1763786001123 tasks load.get": the last line of each says how long it waits. */
static void see_waiting(struct looking *l, struct slice line)
{
    char side[8];
    int64_t until;
    int at = 0;
    char head[64];
    (void)slice_to_cstr(slice_make(line.at, MIN(line.len, (uint32_t)sizeof(head) - 1)), head,
                        sizeof(head));
    if (sscanf(head, "%" SCNd64 " %7s %n", &until, side, &at) != 2 || at <= 0) return;
    bool by_task = strcmp(side, SIDE_NAMES[TASKS]) == 0;
    struct slice name = slice_make(line.at + at, line.len - (uint32_t)at);
    struct seen_waiting *w = l->waiting, *end = w + l->waiting_count;
    while (w < end && !(w->by_task == by_task && slice_equal(w->name, name))) w++;
    if (until <= l->now_ms) { /* no longer */
        if (w < end) *w = l->waiting[--l->waiting_count];
        return;
    }
    if (w == end && l->waiting_count == WAITERS_SHOWN) return;
    if (w == end) l->waiting_count++;
    *w = (struct seen_waiting){name, by_task, until};
}

static void see_take(struct looking *l, struct slice line, struct connect_quota *q)
{
    char text[64], side[8];
    int64_t when, count;
    if (!slice_to_cstr(line, text, sizeof(text))) return;
    if (sscanf(text, "%" SCNd64 " %" SCNd64 " %7s", &when, &count, side) != 3) return;
    if (when <= l->now_ms - q->per_ms) return;
    *(strcmp(side, SIDE_NAMES[TASKS]) == 0 ? &q->by_tasks : &q->live) += count;
}

static void put_waiting(const struct looking *l, struct buf *out)
{
    for (uint32_t i = 0; i < l->waiting_count; i++) {
        const struct seen_waiting *w = &l->waiting[i];
        buf_printf(out, "%s%s %.*s", i ? ", " : "", w->by_task ? "task" : "source",
                   SLICE_ARG(w->name));
    }
}

static err_t look_at(void *ctx, const char *name)
{
    struct looking *l = ctx;
    char path[4200], who[WAITERS_SHOWN * (QUOTA_WAITER_MAX + 10)];
    struct buf waiting = buf_over(who, sizeof(who) - 1);
    struct slice text = {0};
    struct connect_quota q = {.name = name, .who = who};
    if (!name_fits(slice_of(name))) return ERR_OK;
    snprintf(path, sizeof(path), "%s/%s", l->folder, name);
    err_t e = file_load(path, FILE_MAX, &text, l->d);
    if (e) return e;
    const char *at = text.at ? (const char *)text.at : "", *end = at + text.len;
    bool read = text.at && sscanf(at, "quota %" SCNd64 " in %" SCNd64, &q.number, &q.per_ms) == 2;
    l->waiting_count = 0;
    while (read && at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop) break; /* torn, or being written */
        struct slice line = slice_make(at, (uint32_t)(stop - at));
        if (line.len > 2 && line.at[0] == '#')
            see_waiting(l, slice_make(line.at + 2, line.len - 2));
        else
            see_take(l, line, &q);
        at = stop + 1;
    }
    put_waiting(l, &waiting);
    who[waiting.len] = 0;
    q.waiting = l->waiting_count;
    if (read) l->each(l->ctx, &q);
    mem_give((void *)(uintptr_t)text.at);
    return ERR_OK;
}

err_t connect_quotas_look(const char *folder, const char *name, int64_t now_ms,
                          void (*each)(void *ctx, const struct connect_quota *q), void *ctx,
                          struct diag *d)
{
    struct looking l = {
        .folder = folder, .now_ms = now_ms, .each = each, .ctx = ctx, .d = d, .waiting_count = 0};
    char path[4200];
    if (!name) return file_exists(folder) ? dir_list(folder, look_at, &l, d) : ERR_OK;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return file_exists(path) ? look_at(&l, name) : ERR_OK;
}

void connect_quota_put(struct buf *out, const struct connect_quota *q)
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t u = 0;
    while (u + 1 < COUNT_OF(units) && q->per_ms % units[u].ms) u++;
    buf_printf(out, "an API's quota: %" PRId64 "/%" PRId64 "%s", q->number, q->per_ms / units[u].ms,
               units[u].unit); /* as rate_limit is written */
    buf_printf(out, "; taken by sources %" PRId64 ", by tasks %" PRId64, q->live, q->by_tasks);
    if (q->waiting) buf_printf(out, "; waiting: %s", q->who);
}
