/* Many of flow's records at once: a disk answers eight questions nearly as fast as one, so helper
 * threads ask beside the caller. Docs: docs/store.md, "Reading".
 */
#include "store/store_int.h"

enum {
    WINDOW = 256,    /* keys asked for together: what they pin is WINDOW blocks at most */
    CLAIM = 4,       /* keys a thread takes at a time */
    ALONE_BELOW = 16 /* fewer are not worth waking anybody */
};

struct fetch_job { /* lives on the caller's stack until the last helper has left it */
    struct store *store;
    const struct slice *keys; /* with their space in front */
    uint32_t count;
    _Atomic uint32_t next;
    rocksdb_pinnableslice_t *found[WINDOW]; /* NULL: none, or a message */
    char *messages[WINDOW];
};

struct fetcher {
    struct gate gate; /* guards all below */
    struct fetch_job *job;
    uint64_t number;  /* of jobs so far: who has seen one out does not enter it again */
    uint32_t helping; /* inside the job */
    uint32_t started;
    bool closing;
    struct thread threads[STORE_FETCH_THREADS];
};

static void fetch_some(struct fetch_job *job)
{
    const struct store *s = job->store;
    for (;;) {
        uint32_t from = atomic_fetch_add(&job->next, (uint32_t)CLAIM);
        if (from >= job->count) return;
        for (uint32_t i = from; i < MIN(from + CLAIM, job->count); i++)
            job->found[i] = rocksdb_get_pinned(s->db, s->read_newest, (const char *)job->keys[i].at,
                                               job->keys[i].len, &job->messages[i]);
    }
}

static void help(void *arg)
{
    struct fetcher *f = arg;
    uint64_t seen = 0;
    gate_enter(&f->gate);
    while (!f->closing) {
        struct fetch_job *job = f->job;
        if (!job || f->number == seen) {
            gate_wait(&f->gate);
            continue;
        }
        seen = f->number;
        f->helping++;
        gate_leave(&f->gate);
        fetch_some(job);
        gate_enter(&f->gate);
        if (--f->helping == 0) gate_wake(&f->gate);
    }
    gate_leave(&f->gate);
}

/* Helpers for the job, unless others have them: then the caller is alone. */
static bool helpers_call(struct fetcher *f, struct fetch_job *job)
{
    struct diag ignored; /* fewer helpers are slower, and nothing else */
    gate_enter(&f->gate);
    bool free = !f->job;
    while (free && f->started < STORE_FETCH_THREADS &&
           !thread_start(&f->threads[f->started], "store fetch", help, f, &ignored))
        f->started++;
    if (free) {
        f->job = job;
        f->number++;
        gate_wake(&f->gate);
    }
    gate_leave(&f->gate);
    return free;
}

static void helpers_leave(struct fetcher *f)
{
    gate_enter(&f->gate);
    f->job = NULL;
    while (f->helping) gate_wait(&f->gate);
    gate_leave(&f->gate);
}

/* In order of the keys; all that was found is given back, whatever fails. */
static err_t fetch_tell(struct fetch_job *job, uint32_t first, store_fetched *each, void *ctx,
                        struct diag *d)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < job->count; i++) {
        struct slice value = {0};
        size_t len = 0;
        if (job->messages[i]) {
            if (e)
                rocksdb_free(job->messages[i]);
            else
                e = rocks_failed(job->store, job->messages[i], d, "a record can not be read");
            continue;
        }
        const char *at = job->found[i] ? rocksdb_pinnableslice_value(job->found[i], &len) : NULL;
        if (at) value = slice_make(at, len);
        if (!e) e = each(ctx, first + i, value, d);
        if (job->found[i]) rocksdb_pinnableslice_destroy(job->found[i]);
    }
    return e;
}

err_t store_records_at(struct store *s, enum store_space space, const struct slice *keys,
                       uint32_t count, struct arena *a, store_fetched *each, void *ctx,
                       struct diag *d)
{
    struct fetch_job job;
    err_t e = ERR_OK;
    for (uint32_t from = 0; !e && from < count; from += WINDOW) {
        struct slice whole[WINDOW];
        job = (struct fetch_job){.store = s, .keys = whole, .count = MIN(count - from, WINDOW)};
        for (uint32_t i = 0; i < job.count; i++) {
            struct slice key = keys[from + i];
            uint8_t *at =
                key.len <= RECORD_KEY_MAX ? arena_take_raw(a, KEY_PREFIX_SIZE + key.len) : NULL;
            if (!at) return diag_fail(d, ERR_NO_MEMORY, "no memory for a key of %u", key.len);
            struct buf b = buf_over(at, KEY_PREFIX_SIZE + key.len);
            buf_be(&b, space, KEY_PREFIX_SIZE);
            buf_slice(&b, key);
            whole[i] = buf_view(&b);
        }
        bool helped = job.count >= ALONE_BELOW && helpers_call(s->fetcher, &job);
        fetch_some(&job);
        if (helped) helpers_leave(s->fetcher);
        e = fetch_tell(&job, from, each, ctx, d);
    }
    return e;
}

err_t fetcher_new(struct store *s, struct diag *d)
{
    s->fetcher = mem_take(sizeof *s->fetcher);
    if (!s->fetcher) return diag_fail(d, ERR_NO_MEMORY, "no memory for the store");
    gate_init(&s->fetcher->gate);
    return ERR_OK;
}

void fetcher_free(struct store *s)
{
    struct fetcher *f = s->fetcher;
    if (!f) return;
    gate_enter(&f->gate);
    f->closing = true;
    gate_wake(&f->gate);
    gate_leave(&f->gate);
    for (uint32_t i = 0; i < f->started; i++) thread_join(&f->threads[i]);
    gate_done(&f->gate);
    mem_give(f);
    s->fetcher = NULL;
}
