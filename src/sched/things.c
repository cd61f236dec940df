/* Pools, results, import errors, jobs, tags and assets. */
#include "sched/things_int.h"

/* --- names ------------------------------------------------------------------------------------ */

uint32_t thing_length(struct slice text)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < text.len; i++) n += (text.at[i] & 0xc0) != 0x80;
    return n;
}

err_t key_check(struct slice key, uint32_t most, struct diag *d)
{
    bool fine = key.len > 0;
    if (thing_length(key) > most)
        return diag_fail(d, ERR_USAGE, "The key has to be less than %u characters", most);
    for (uint32_t i = 0; i < key.len && fine; i++) {
        uint8_t c = key.at[i];
        fine = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c >= 0x80 ||
               c == '_' || c == '-' || c == '.';
    }
    return fine ? ERR_OK
                : diag_fail(d, ERR_USAGE,
                            "The key '%.*s' has to be made of alphanumeric characters, dashes, "
                            "dots and underscores exclusively",
                            SLICE_ARG(key));
}

bool thing_text(const struct meta_value *v, struct arena *a, struct slice *out)
{
    *out = (struct slice){0};
    if (v->kind < META_TEXT) return true;
    *out = arena_slice(a, v->text);
    return out->at != NULL;
}

static err_t no_memory(struct diag *d)
{
    return diag_fail(d, ERR_NO_MEMORY, "no memory for a row");
}

static struct meta_value text_or_empty(struct slice s)
{
    return meta_text(s.at ? s : SLICE(""));
}

/* --- pools ------------------------------------------------------------------------------------ */

static err_t pool_check(const struct pool_row *p, struct diag *d)
{
    if (p->name.len == 0) return diag_fail(d, ERR_USAGE, "Pool name must not be empty");
    if (thing_length(p->name) > POOL_NAME_MAX)
        return diag_fail(d, ERR_USAGE, "Pool name cannot be more than %d characters",
                         POOL_NAME_MAX);
    if (p->slots < -1 || p->slots > INT32_MAX)
        return diag_fail(d, ERR_USAGE, "Pool slots are a number from 0, or -1 for any number");
    return ERR_OK;
}

struct reading {
    struct arena *a;
    void *out;
    bool found, full;
};

static err_t take_pool(void *ctx, const struct meta_row *row)
{
    struct reading *r = ctx;
    struct pool_row *p = r->out;
    r->found = true;
    p->slots = row->at[1].number;
    p->include_deferred = row->at[3].number != 0;
    p->version = row->at[4].number;
    r->full =
        !thing_text(&row->at[0], r->a, &p->name) || !thing_text(&row->at[2], r->a, &p->description);
    return ERR_OK;
}

static err_t no_pool(struct slice name, struct diag *d)
{
    return diag_fail(d, ERR_NOT_FOUND, "Pool with name:'%.*s' not found", SLICE_ARG(name));
}

err_t pool_find(struct meta *m, struct slice name, struct arena *a, struct pool_row *out,
                struct diag *d)
{
    struct reading r = {a, out, false, false};
    struct meta_value key = text_or_empty(name);
    err_t e = meta_run(m, META_POOL_FIND, &key, 1, take_pool, &r, NULL, d);
    if (e) return e;
    return r.full ? no_memory(d) : r.found ? ERR_OK : no_pool(name, d);
}

static err_t take_yes(void *ctx, const struct meta_row *row)
{
    (void)row;
    *(bool *)ctx = true;
    return ERR_OK;
}

err_t api_quota_refuse(struct meta *m, struct slice name, struct diag *d)
{
    bool there = false;
    struct meta_value key = text_or_empty(name);
    err_t e = meta_run(m, META_API_QUOTA_FIND, &key, 1, take_yes, &there, NULL, d);
    if (e || !there) return e;
    (void)diag_fail(d, ERR_CONFIG, "'%.*s' is an API's quota, not a pool", SLICE_ARG(name));
    return diag_hint(d,
                     "pipeline.sql says how much it is: rate_limit of a source that has quota "
                     "= '%.*s'",
                     SLICE_ARG(name));
}

struct quotas_kept {
    const struct api_quota *list;
    uint32_t count, same, others;
};

static err_t compare_quota(void *ctx, const struct meta_row *row)
{
    struct quotas_kept *k = ctx;
    bool same = false;
    for (uint32_t i = 0; i < k->count && !same; i++)
        same = slice_equal(k->list[i].name, row->at[0].text) &&
               k->list[i].records == row->at[1].number && k->list[i].per_ms == row->at[2].number;
    k->same += same;
    k->others += !same;
    return ERR_OK;
}

/* Every start sets them, and most find them as they are: those write nothing, and so wait for no
 * sync. */
err_t api_quotas_set(struct meta *m, const struct api_quota *list, uint32_t count, struct diag *d)
{
    bool own = !meta_inside(m);
    struct quotas_kept kept = {list, count, 0, 0};
    err_t e = meta_run(m, META_API_QUOTAS_ALL, NULL, 0, compare_quota, &kept, NULL, d);
    if (e || (kept.same == count && !kept.others)) return e;
    if (own) e = meta_begin(m, true, d);
    bool begun = own && !e;
    if (!e) e = meta_run(m, META_API_QUOTAS_CLEAR, NULL, 0, NULL, NULL, NULL, d);
    for (uint32_t i = 0; i < count && !e; i++) {
        struct meta_value args[] = {meta_text(list[i].name), meta_int(list[i].records),
                                    meta_int(list[i].per_ms)};
        e = meta_run(m, META_API_QUOTA_PUT, args, COUNT_OF(args), NULL, NULL, NULL, d);
    }
    if (begun && !e) e = meta_commit(m, d);
    if (begun) meta_rollback(m);
    return e;
}

static err_t pool_write(struct meta *m, enum meta_statement s, const struct pool_row *p,
                        int64_t *changed, struct diag *d)
{
    struct meta_value args[] = {meta_text(p->name), meta_int(p->slots), meta_text(p->description),
                                meta_int(p->include_deferred)};
    err_t e = pool_check(p, d);
    if (!e) e = api_quota_refuse(m, p->name, d);
    return e ? e : meta_run(m, s, args, COUNT_OF(args), NULL, NULL, changed, d);
}

err_t pool_create(struct meta *m, const struct pool_row *p, struct diag *d)
{
    int64_t changed = 0;
    err_t e = pool_write(m, META_POOL_CREATE, p, &changed, d);
    return e || changed ? e
                        : diag_fail(d, ERR_EXISTS, "Pool: %.*s already exists", SLICE_ARG(p->name));
}

err_t pool_put(struct meta *m, const struct pool_row *p, struct diag *d)
{
    return pool_write(m, META_POOL_PUT, p, NULL, d);
}

err_t pool_change(struct meta *m, struct slice name, const struct pool_row *p, struct diag *d)
{
    int64_t changed = 0;
    struct meta_value args[] = {text_or_empty(name),
                                meta_text(p->name),
                                meta_int(p->slots),
                                meta_text(p->description),
                                meta_int(p->include_deferred),
                                meta_int(p->version)};
    err_t e = pool_check(p, d);
    if (!e && slice_is(name, "default_pool") && !slice_equal(name, p->name))
        e = diag_fail(d, ERR_USAGE, "Default Pool's name can't be modified");
    if (!e && !slice_equal(name, p->name)) e = api_quota_refuse(m, p->name, d);
    if (!e) e = meta_run(m, META_POOL_CHANGE, args, COUNT_OF(args), NULL, NULL, &changed, d);
    return e || changed
               ? e
               : diag_fail(d, ERR_BUSY, "the pool %.*s was changed by another", SLICE_ARG(name));
}

err_t pool_delete(struct meta *m, struct slice name, struct diag *d)
{
    int64_t changed = 0;
    struct meta_value key = text_or_empty(name);
    if (slice_is(name, "default_pool"))
        return diag_fail(d, ERR_USAGE, "Default Pool can't be deleted");
    err_t e = meta_run(m, META_POOL_DELETE, &key, 1, NULL, NULL, &changed, d);
    if (!e && !changed) e = api_quota_refuse(m, name, d);
    return e || changed ? e : no_pool(name, d);
}

/* --- results ---------------------------------------------------------------------------------- */

enum { XCOM_ARGS = 6 };
static void xcom_args(const struct xcom_key *k, struct meta_value args[XCOM_ARGS])
{
    args[0] = meta_int(k->run);
    args[1] = text_or_empty(k->task_id);
    args[2] = meta_int(k->map_index);
    args[3] = text_or_empty(k->name);
}

err_t xcom_put(struct meta *m, const struct xcom_key *k, struct slice json, int64_t now_us,
               struct diag *d)
{
    struct meta_value args[XCOM_ARGS];
    xcom_args(k, args);
    if (k->name.len == 0)
        return diag_fail(d, ERR_USAGE, "XCom key must be a non-empty string. Received: ''");
    if (thing_length(k->name) > XCOM_KEY_MAX)
        return diag_fail(d, ERR_TOO_BIG, "a result's key has more than %d characters",
                         XCOM_KEY_MAX);
    if (json.len > XCOM_VALUE_MAX) {
        diag_fail(d, ERR_TOO_BIG, "the result '%.*s' of %.*s has %u bytes, more than %d",
                  MIN((int)k->name.len, 60), (const char *)k->name.at,
                  MIN((int)k->task_id.len, 250), (const char *)k->task_id.at, json.len,
                  XCOM_VALUE_MAX);
        return diag_hint(d, "write it to a table or a file, and let the result say where it is");
    }
    args[4] = meta_text(json);
    args[5] = meta_int(now_us);
    return meta_run(m, META_XCOM_PUT, args, XCOM_ARGS, NULL, NULL, NULL, d);
}

struct xcom_reading {
    struct arena *a;
    struct slice *json;
    int64_t *written;
    bool found, full;
};

static err_t take_xcom(void *ctx, const struct meta_row *row)
{
    struct xcom_reading *r = ctx;
    r->found = true;
    r->full = !thing_text(&row->at[0], r->a, r->json);
    if (r->written) *r->written = row->at[1].number;
    return ERR_OK;
}

err_t xcom_find(struct meta *m, const struct xcom_key *k, struct arena *a, struct slice *json,
                int64_t *written, struct diag *d)
{
    struct meta_value args[XCOM_ARGS];
    struct xcom_reading r = {a, json, written, false, false};
    xcom_args(k, args);
    err_t e = meta_run(m, META_XCOM_FIND, args, 4, take_xcom, &r, NULL, d);
    if (e) return e;
    return r.full    ? no_memory(d)
           : r.found ? ERR_OK
                     : diag_fail(d, ERR_NOT_FOUND, "XCom entry not found");
}

err_t xcom_delete(struct meta *m, const struct xcom_key *k, struct diag *d)
{
    int64_t changed = 0;
    struct meta_value args[XCOM_ARGS];
    xcom_args(k, args);
    err_t e = meta_run(m, META_XCOM_DELETE, args, 4, NULL, NULL, &changed, d);
    return e || changed ? e : diag_fail(d, ERR_NOT_FOUND, "XCom entry not found");
}

err_t xcom_forget(struct meta *m, const struct xcom_key *k, struct diag *d)
{
    struct meta_value args[XCOM_ARGS];
    xcom_args(k, args);
    return meta_run(m, META_XCOM_FORGET, args, 3, NULL, NULL, NULL, d);
}

/* --- import errors ---------------------------------------------------------------------------- */

/* A transaction of its own, unless the caller has one. */
static err_t begin_own(struct meta *m, bool *own, struct diag *d)
{
    *own = !meta_inside(m);
    return *own ? meta_begin(m, true, d) : ERR_OK;
}
static err_t end_own(struct meta *m, bool own, err_t e, struct diag *d)
{
    if (own && !e) return meta_commit(m, d);
    if (own) meta_rollback(m);
    return e;
}

err_t import_errors_set(struct meta *m, struct slice file, const struct import_error *list,
                        uint32_t count, struct diag *d)
{
    bool own;
    struct meta_value key = text_or_empty(file);
    err_t e = begin_own(m, &own, d);
    if (e) return e;
    e = meta_run(m, META_IMPORT_ERRORS_FORGET, &key, 1, NULL, NULL, NULL, d);
    for (uint32_t i = 0; i < count && !e; i++) {
        struct slice story = text_or_empty(list[i].story).text;
        if (story.len > STORY_MAX) story.len = STORY_MAX;
        while (story.len && story.len == STORY_MAX && (story.at[story.len] & 0xc0) == 0x80)
            story.len--; /* not in the middle of a character */
        struct meta_value args[] = {key, list[i].line ? meta_int(list[i].line) : meta_null(),
                                    meta_int(list[i].at), meta_text(list[i].dag_id),
                                    meta_text(story)};
        e = meta_run(m, META_IMPORT_ERROR_ADD, args, COUNT_OF(args), NULL, NULL, NULL, d);
    }
    return end_own(m, own, e, d);
}

static err_t take_import_error(void *ctx, const struct meta_row *row)
{
    struct reading *r = ctx;
    struct import_error *out = r->out;
    r->found = true;
    out->id = row->at[0].number;
    out->line = row->at[2].number;
    out->at = row->at[3].number;
    r->full = !thing_text(&row->at[1], r->a, &out->file) ||
              !thing_text(&row->at[4], r->a, &out->dag_id) ||
              !thing_text(&row->at[5], r->a, &out->story);
    return ERR_OK;
}

err_t import_error_find(struct meta *m, int64_t id, struct arena *a, struct import_error *out,
                        struct diag *d)
{
    struct reading r = {a, out, false, false};
    struct meta_value key = meta_int(id);
    err_t e = meta_run(m, META_IMPORT_ERROR_FIND, &key, 1, take_import_error, &r, NULL, d);
    if (e) return e;
    return r.full    ? no_memory(d)
           : r.found ? ERR_OK
                     : diag_fail(d, ERR_NOT_FOUND,
                                 "The ImportError with import_error_id: `%lld` was not found",
                                 (long long)id);
}

/* --- jobs ------------------------------------------------------------------------------------- */

static err_t take_number(void *ctx, const struct meta_row *row)
{
    *(int64_t *)ctx = row->at[0].number;
    return ERR_OK;
}

err_t job_start(struct meta *m, const struct job *j, int64_t now_us, int64_t *id, struct diag *d)
{
    struct meta_value args[] = {meta_text(slice_of(j->job_type)), text_or_empty(j->hostname),
                                meta_int(j->pid), meta_int(now_us), text_or_empty(j->name)};
    return meta_run(m, META_JOB_START, args, COUNT_OF(args), take_number, id, NULL, d);
}

err_t job_beat(struct meta *m, int64_t id, int64_t now_us, struct diag *d)
{
    int64_t changed = 0;
    struct meta_value args[] = {meta_int(id), meta_int(now_us)};
    err_t e = meta_run(m, META_JOB_BEAT, args, COUNT_OF(args), NULL, NULL, &changed, d);
    return e || changed ? e
                        : diag_fail(d, ERR_FENCED, "job %lld was taken for lost", (long long)id);
}

err_t job_end(struct meta *m, int64_t id, bool well, int64_t now_us, struct diag *d)
{
    struct meta_value args[] = {meta_int(id), meta_int(now_us),
                                meta_text(well ? SLICE("success") : SLICE("failed"))};
    return meta_run(m, META_JOB_END, args, COUNT_OF(args), NULL, NULL, NULL, d);
}

struct alive {
    int64_t count, latest;
};
static err_t take_alive(void *ctx, const struct meta_row *row)
{
    struct alive *out = ctx;
    out->count = row->at[0].number;
    out->latest = row->at[1].kind == META_INT ? row->at[1].number : INT64_MIN;
    return ERR_OK;
}

err_t jobs_alive(struct meta *m, const char *job_type, int64_t since_us, int64_t *count,
                 int64_t *latest, struct diag *d)
{
    struct alive out = {0, INT64_MIN};
    struct meta_value args[] = {meta_text(slice_of(job_type)), meta_int(since_us)};
    err_t e = meta_run(m, META_JOBS_ALIVE, args, COUNT_OF(args), take_alive, &out, NULL, d);
    *count = out.count;
    *latest = out.latest;
    return e;
}

err_t jobs_lose(struct meta *m, int64_t since_us, struct diag *d)
{
    struct meta_value since = meta_int(since_us);
    return meta_run(m, META_JOBS_LOST, &since, 1, NULL, NULL, NULL, d);
}

/* --- tags and assets -------------------------------------------------------------------------- */

err_t dag_favorite_set(struct meta *m, struct slice person, struct slice dag_id, bool is,
                       struct diag *d)
{
    int64_t changed = 0;
    struct meta_value args[] = {text_or_empty(person), text_or_empty(dag_id)};
    enum meta_statement s = is ? META_FAVORITE_PUT : META_FAVORITE_DELETE;
    err_t e = meta_run(m, s, args, 2, NULL, NULL, &changed, d);
    if (e || changed) return e;
    return diag_fail(d, ERR_EXISTS, "Dag is %s as favorite", is ? "already marked" : "not marked");
}

err_t dag_favorite_is(struct meta *m, struct slice person, struct slice dag_id, bool *is,
                      struct diag *d)
{
    struct meta_value args[] = {text_or_empty(person), text_or_empty(dag_id)};
    *is = false;
    return meta_run(m, META_FAVORITE_FIND, args, 2, take_yes, is, NULL, d);
}

err_t asset_queue_drop(struct meta *m, const struct queue_drop *q, int64_t *gone, struct diag *d)
{
    struct meta_value args[] = {meta_text(q->dag_id), meta_text(q->name),
                                q->asset ? meta_int(q->asset) : meta_null(),
                                q->before == INT64_MAX ? meta_null() : meta_int(q->before)};
    *gone = 0;
    return meta_run(m, META_ASSET_QUEUE_DROP, args, COUNT_OF(args), NULL, NULL, gone, d);
}

err_t dag_tags_set(struct meta *m, struct slice dag_id, const struct slice *tags, uint32_t count,
                   struct diag *d)
{
    bool own;
    struct meta_value args[] = {text_or_empty(dag_id), meta_null()};
    err_t e = begin_own(m, &own, d);
    if (e) return e;
    e = meta_run(m, META_DAG_TAGS_FORGET, args, 1, NULL, NULL, NULL, d);
    for (uint32_t i = 0; i < count && !e; i++) {
        args[1] = text_or_empty(tags[i]);
        e = meta_run(m, META_DAG_TAG_ADD, args, 2, NULL, NULL, NULL, d);
    }
    return end_own(m, own, e, d);
}

err_t asset_put(struct meta *m, struct slice kind, struct slice name, int64_t now_us, int64_t *id,
                struct diag *d)
{
    struct meta_value args[] = {meta_text(kind), text_or_empty(name), meta_int(now_us)};
    return meta_run(m, META_ASSET_PUT, args, COUNT_OF(args), take_number, id, NULL, d);
}

err_t asset_changed(struct meta *m, const struct asset_change *c, int64_t now_us, int64_t *event,
                    struct diag *d)
{
    int64_t asset;
    struct meta_value args[] = {meta_text(slice_of(c->kind)),
                                meta_text(c->name),
                                meta_int(now_us),
                                meta_text(c->extra),
                                c->source_run ? meta_int(c->source_run) : meta_null(),
                                meta_text(c->source_task),
                                c->source_run ? meta_int(c->source_map) : meta_null()};
    err_t e = asset_put(m, slice_of(c->kind), c->name, now_us, &asset, d);
    return e ? e
             : meta_run(m, META_ASSET_EVENT_PUT, args, COUNT_OF(args), take_number, event, NULL, d);
}

err_t asset_queue_put(struct meta *m, struct slice dag_id, const struct asset_change *c,
                      int64_t event, int64_t now_us, struct diag *d)
{
    struct meta_value args[] = {meta_text(dag_id), meta_text(c->name), meta_text(slice_of(c->kind)),
                                meta_int(now_us), meta_int(event)};
    return meta_run(m, META_ASSET_QUEUE_PUT, args, COUNT_OF(args), NULL, NULL, NULL, d);
}

/* It was named before by who waits for it alone, who does not say what it is. */
static err_t asset_adopt(struct meta *m, struct meta_value *args, struct diag *d)
{
    int64_t changed = 0;
    err_t e = meta_run(m, META_ASSET_ADOPT, args, 3, NULL, NULL, &changed, d);
    if (e || !changed) return e;
    e = meta_run(m, META_ASSET_EVENTS_ADOPT, args, 2, NULL, NULL, NULL, d);
    return e ? e : meta_run(m, META_ASSET_QUEUE_ADOPT, args, 2, NULL, NULL, NULL, d);
}

err_t asset_declare(struct meta *m, struct slice kind, struct slice name, int64_t now_us,
                    struct diag *d)
{
    struct meta_value args[] = {meta_text(kind), text_or_empty(name), meta_int(now_us)};
    err_t e = slice_is(kind, "asset") ? ERR_OK : asset_adopt(m, args, d);
    return e ? e : meta_run(m, META_ASSET_DECLARE, args, 3, NULL, NULL, NULL, d);
}
