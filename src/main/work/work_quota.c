/* What an API allows: shared by its sources and, by the same name, by tasks that ask it themselves.
 */
#include "main/work/work.h"

#include "main/server.h"

#include "connect/http/quota.h"
#include "os/clock.h"

enum { QUOTAS_MAX = 1024 };

bool work_shares_quota(void *ctx, struct slice source, struct slice quota)
{
    struct working *w = ctx; /* as its WITH says it; both are read at the start */
    return slice_equal(project_source_option(w->server->project, source, "quota"), quota);
}

static const struct connect_setting *setting(const struct connect_kind *k,
                                             const struct connect_setting *all, const char *name)
{
    for (size_t i = 0; i < k->option_count; i++)
        if (strcmp(k->options[i].name, name) == 0) return &all[i];
    return NULL;
}

/* What this source says of its quota, once a name; how much it is may stand at any of them. */
static err_t note(struct working *w, const struct statement *s, struct diag *d)
{
    const struct connect_kind *kind;
    struct connect_setting *settings;
    struct connect_common common;
    err_t e = project_source(w->server->project, s, &kind, &settings, &common, d);
    if (e) return e;
    const struct connect_setting *quota = setting(kind, settings, "quota"),
                                 *rate = setting(kind, settings, "rate_limit");
    if (!quota || !quota->given) return ERR_OK;
    struct api_quota *found = NULL;
    for (size_t i = 0; i < w->quotas.count && !found; i++) {
        struct api_quota *q = vec_at(&w->quotas, i);
        if (slice_equal(q->name, quota->text)) found = q;
    }
    struct api_quota fresh = {.name = quota->text};
    if (!found) e = vec_push(&w->quotas, &fresh);
    if (e) return diag_fail(d, e, "no memory for a quota");
    if (!found) found = vec_at(&w->quotas, w->quotas.count - 1);
    if (rate && rate->given && !found->records)
        found->records = rate->number, found->per_ms = rate->per;
    return ERR_OK;
}

err_t work_quotas_open(struct working *w, struct diag *d)
{
    const struct project *p = w->server->project;
    err_t e = ERR_OK;
    work_quotas_close(w); /* an opening before this one may have failed later */
    w->quotas = vec_make(sizeof(struct api_quota), QUOTAS_MAX);
    w->quotas_held = vec_make(sizeof(struct quota *), QUOTAS_MAX);
    for (uint32_t i = 0; i < p->script.count && !e; i++)
        if (p->script.statements[i].kind == STATEMENT_CREATE_SOURCE)
            e = note(w, &p->script.statements[i], d);
    for (size_t i = 0; i < w->quotas.count && !e; i++) {
        const struct api_quota *q = vec_at(&w->quotas, i);
        struct quota *held = NULL;
        e = quota_join(q->name, q->records, q->per_ms, &held, d);
        if (!e && vec_push(&w->quotas_held, &held)) {
            quota_leave(held);
            e = diag_fail(d, ERR_NO_MEMORY, "no memory for a quota");
        }
    }
    return e;
}

void work_quotas_close(struct working *w)
{
    for (size_t i = 0; i < w->quotas_held.count; i++)
        quota_leave(*(struct quota **)vec_at(&w->quotas_held, i));
    vec_done(&w->quotas_held);
    vec_done(&w->quotas);
}

static err_t find(const struct working *w, struct slice name, struct quota **out, struct diag *d)
{
    for (size_t i = 0; i < w->quotas_held.count; i++) {
        const struct api_quota *q = vec_at(&w->quotas, i);
        if (!slice_equal(q->name, name)) continue;
        *out = *(struct quota **)vec_at(&w->quotas_held, i);
        return ERR_OK;
    }
    (void)diag_fail(d, ERR_CONFIG, "there is no quota '%.*s'", SLICE_ARG(name));
    return diag_hint(d,
                     "a source of pipeline.sql says it: WITH (quota = '%.*s', rate_limit = "
                     "'100/1m')",
                     SLICE_ARG(name));
}

err_t work_quota_take(void *ctx, const struct work_quota *ask, bool (*stop)(void *), void *stop_ctx,
                      int64_t *wait_ms, struct diag *d)
{
    struct working *w = ctx;
    struct quota *q = NULL;
    err_t e = find(w, ask->quota, &q, d);
    while (!e) {
        struct quota_ask of = {ask->who, ask->name, true, ask->count, clock_wall_ms()};
        e = quota_take(q, &of, wait_ms, d);
        if (e || !*wait_ms || !stop) return e;
        int64_t until = clock_mono_ns() + *wait_ms * 1000000;
        while (!e && clock_mono_ns() < until) {
            if (stop(stop_ctx))
                e = diag_fail(d, ERR_STOPPED, "stopped while it waited for quota '%.*s'",
                              SLICE_ARG(ask->quota));
            gate_enter(&w->gate);
            if (!e) (void)gate_wait_ms(&w->gate, MIN(*wait_ms, (int64_t)WORK_STEP_MS));
            gate_leave(&w->gate);
        }
    }
    return e;
}
