/* The committer: one thread that takes all changes that wait, makes one write of them, synced, and
 * tells each. While it syncs the next group gathers.
 *
 * A group in which someone decides by what is there runs alone: no commit of flow beside it. Its
 * entries are kept in memory until the write, so that each change sees those before it (peek.c).
 * Other groups go straight into the batch. */
#include "base/metric.h"
#include "os/clock.h"
#include "os/loop.h"
#include "store/change.h"

enum {
    GROUP_BYTES_MAX = 8 << 20, /* of one write: more wait for the next */
    GROUP_ARENA_MAX = 1 << 30,
    SPINS = 200,     /* looks before it sleeps: waking costs 50 us */
    GATHER_PART = 2, /* of a write's time may be spent waiting for others */
    GATHER_US_MIN = 50,
    GATHER_US_MAX = 2000
};

/* --- the queue ----------------------------------------------------------------------------------
 */

err_t store_change_commit(struct store_change *c, store_done *done, void *ctx)
{
    struct committer *k = c->store->committer;
    c->waiting = sizeof *c + c->bytes.len;
    if (atomic_fetch_add(&k->waiting_bytes, c->waiting) > CHANGES_WAITING_MAX) {
        atomic_fetch_sub(&k->waiting_bytes, c->waiting);
        return ERR_BUSY;
    }
    c->done = done;
    c->done_ctx = ctx;
    c->next = atomic_load_explicit(&k->queue, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&k->queue, &c->next, c)) {
    }
    bool all = atomic_fetch_add(&k->unanswered, 1) + 1 == atomic_load(&k->awaited);
    if (all || atomic_load(&k->asleep)) {
        gate_enter(&k->gate);
        gate_wake(&k->gate);
        gate_leave(&k->gate);
    }
    return ERR_OK;
}

struct waiting {
    struct gate gate;
    bool over;
    err_t err;
    struct diag *diag;
};

static void wake_waiting(void *ctx, err_t e, const struct diag *d)
{
    struct waiting *w = ctx;
    gate_enter(&w->gate);
    w->err = e;
    if (e && w->diag) *w->diag = *d;
    w->over = true;
    gate_wake(&w->gate);
    gate_leave(&w->gate);
}

err_t store_change_commit_wait(struct store_change *c, struct diag *d)
{
    struct waiting w = {.diag = d};
    gate_init(&w.gate);
    err_t e = store_change_commit(c, wake_waiting, &w);
    if (e) {
        store_change_free(c);
        diag_fail(d, e, "too many changes wait to be written");
    } else {
        gate_enter(&w.gate);
        while (!w.over) gate_wait(&w.gate);
        gate_leave(&w.gate);
        e = w.err;
    }
    gate_done(&w.gate);
    return e;
}

/* Until there is a change, or it is time to stop. */
static void queue_await(struct committer *k)
{
    for (int i = 0; !atomic_load_explicit(&k->queue, memory_order_relaxed) && i < SPINS; i++)
        __builtin_ia32_pause();
    if (atomic_load(&k->queue)) return;
    gate_enter(&k->gate);
    atomic_store(&k->asleep, true);
    while (!atomic_load(&k->queue) && !k->stop) gate_wait(&k->gate);
    atomic_store(&k->asleep, false);
    gate_leave(&k->gate);
}

/* Who has just been answered mostly writes again at once. Without waiting for them there would be
 * two crowds that take turns, and twice the writes to disk. Alone nobody waits: then the crowd is
 * one, and is there. */
static void gather(struct committer *k)
{
    int64_t most_us = MIN(k->write_us / GATHER_PART, (int64_t)GATHER_US_MAX);
    if (atomic_load(&k->unanswered) >= k->crowd || most_us < GATHER_US_MIN) return;
    gate_enter(&k->gate);
    atomic_store(&k->awaited, k->crowd);
    while (atomic_load(&k->unanswered) < k->crowd && !k->stop && gate_wait_us(&k->gate, most_us)) {
    }
    atomic_store(&k->awaited, 0);
    gate_leave(&k->gate);
}

/* All that wait, in the order they came; NULL: it is time to stop. */
static struct store_change *changes_wait(struct committer *k)
{
    struct store_change *in_order = NULL;
    queue_await(k);
    gather(k);
    for (struct store_change *list = atomic_exchange(&k->queue, NULL), *next; list; list = next) {
        next = list->next;
        list->next = in_order;
        in_order = list;
    }
    return in_order;
}

/* --- one change ---------------------------------------------------------------------------------
 */

/* An index came or went since the change was built: its entries are made anew. */
static err_t indexes_anew(struct store_change *c, uint16_t number, const struct table *now)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->entry_count; i++) {
        struct change_entry *e = &c->entries[i];
        if (e->table != number || !(e->flags & CHANGE_INDEX)) c->entries[n++] = *e;
    }
    c->entry_count = n;
    c->bytes.limit = (size_t)CHANGE_BYTES_MAX * 2;
    for (uint32_t i = 0; i < n; i++) {
        err_t e = c->entries[i].table == number && c->entries[i].op != ENTRY_DELETE
                      ? change_index_entries(c, now, i, &c->diag)
                      : ERR_OK;
        if (e) return e;
    }
    return ERR_OK;
}

static err_t tables_checked(struct store_change *c)
{
    for (uint32_t i = 0; i < c->table_count; i++) {
        const struct store_table *t = c->tables[i];
        const struct store_table *now = table_now(t);
        if (now == t) continue;
        if (!now || now->prefix != t->prefix) return table_gone(t, &c->diag);
        err_t e = indexes_same(now, t) ? ERR_OK : indexes_anew(c, (uint16_t)i, table_of(now));
        if (e) return e;
    }
    return ERR_OK;
}

err_t group_mark(struct group *g, const struct store_table *t)
{
    const struct table *table = table_of(t);
    if (atomic_load_explicit(&table->past->marks, memory_order_relaxed) & MARK_PARTITION_RECORDS)
        return ERR_OK;
    err_t e = vec_push(&g->marked, &table);
    if (e) return e;
    atomic_fetch_or(&table->past->marks, MARK_PARTITION_RECORDS);
    table_marks_put(g->batch, table);
    return ERR_OK;
}

static void marks_back(struct group *g)
{
    for (size_t i = 0; i < g->marked.count; i++) {
        const struct table *t = *(const struct table **)vec_at(&g->marked, i);
        atomic_fetch_and(&t->past->marks, ~(uint32_t)MARK_PARTITION_RECORDS);
    }
}

static void batch_add(rocksdb_writebatch_t *b, enum entry_op op, const uint8_t *key,
                      uint32_t key_len, uint32_t value_len)
{
    const char *at = (const char *)key;
    switch (op) {
    case ENTRY_PUT: rocksdb_writebatch_put(b, at, key_len, at + key_len, value_len); break;
    case ENTRY_MERGE: rocksdb_writebatch_merge(b, at, key_len, at + key_len, value_len); break;
    case ENTRY_DELETE: rocksdb_writebatch_delete(b, at, key_len); break;
    }
}

static err_t group_add(struct group *g, struct store_change *c, const struct change_entry *e)
{
    const uint8_t *key = c->bytes.at + e->at;
    err_t err = peek_group_add(g, key, e->key_len, e->value_len, (enum entry_op)e->op);
    if (err || e->table == NO_TABLE || (e->flags & CHANGE_INDEX)) return err;
    const struct store_table *t = table_now(c->tables[e->table]); /* tables_checked: it is there */
    if (t->index_count) group_row(g, slice_make(key, e->key_len), table_of(t));
    return ERR_OK;
}

static err_t note_written(struct group *g, const struct store_table *t)
{
    struct written_note n = {.table = table_of(t)};
    if (n.table->past->noted == g->number) return ERR_OK;
    err_t err = vec_push(&g->written, &n);
    if (!err) n.table->past->noted = g->number;
    return err;
}

static err_t entries_take(struct group *g, struct store_change *c)
{
    err_t err = ERR_OK;
    for (uint32_t i = 0; i < c->entry_count && !err; i++)
        if (c->entries[i].table != NO_TABLE) err = note_written(g, c->tables[c->entries[i].table]);
    for (uint32_t i = 0; i < c->count_count && !err; i++)
        err = note_written(g, c->tables[c->counts[i].table]);
    for (uint32_t i = 0; i < c->entry_count && !err; i++)
        if (c->entries[i].flags & CHANGE_PARTITION)
            err = group_mark(g, c->tables[c->entries[i].table]);
    for (uint32_t i = 0; i < c->entry_count && !err; i++) {
        const struct change_entry *e = &c->entries[i];
        const uint8_t *key = c->bytes.at + e->at;
        if (g->deciding)
            err = group_add(g, c, e);
        else
            batch_add(g->batch, (enum entry_op)e->op, key, e->key_len, e->value_len);
        if (!g->deciding && e->op == ENTRY_MERGE) group_heat(g, slice_make(key, e->key_len));
    }
    return err ? diag_fail(&c->diag, err, "no memory for a group of changes") : ERR_OK;
}

static void change_run(struct group *g, struct store_change *c)
{
    struct store_peek peek = {g};
    uint32_t from = g->entry_count;
    c->err = c->decide ? c->decide(c->decide_ctx, c, &peek, &c->diag) : ERR_OK;
    if (!c->err) c->err = tables_checked(c);
    if (!c->err && c->count_count) c->err = change_counts(g, c, &c->diag);
    if (!c->err) c->err = entries_take(g, c);
    if (c->err && g->deciding) group_forget(g, from);
}

/* --- a group ------------------------------------------------------------------------------------
 */

/* What a later Put of the same key replaces need not be written. */
static void entries_give(struct group *g)
{
    for (uint32_t i = g->entry_count; i-- > 0;) {
        struct group_entry *e = &g->entries[i];
        if (e->gone || e->op == ENTRY_MERGE) continue;
        for (uint32_t k = e->before; k && !g->entries[k - 1].gone; k = g->entries[k - 1].before)
            g->entries[k - 1].gone = true;
    }
    for (uint32_t i = 0; i < g->entry_count; i++) {
        const struct group_entry *e = &g->entries[i];
        if (!e->gone) batch_add(g->batch, (enum entry_op)e->op, e->key, e->key_len, e->value_len);
    }
}

static void group_written(const struct group *g)
{
    for (size_t i = 0; i < g->written.count; i++) {
        const struct written_note *n = vec_at(&g->written, i);
        written_durable(n->table, n->number);
    }
}

static err_t group_write(struct group *g, struct diag *d)
{
    struct store *s = g->store;
    err_t e = g->deciding ? group_unindex(g, d) : ERR_OK;
    if (!e && g->deciding) e = group_whole(g, d);
    if (e) {
        marks_back(g);
        return e;
    }
    entries_give(g);
    if (rocksdb_writebatch_count(g->batch) == 0) return ERR_OK;
    for (size_t i = 0; i < g->written.count; i++) {
        struct written_note *n = vec_at(&g->written, i);
        n->number = written_next(n->table);
        written_put(g->batch, n->table->t.prefix, n->number);
    }
    int64_t ceiling = clock_reserve(s, g->batch), begun = clock_mono_ns();
    char *message = rocks_write(
        s, s->mutant_answer_before_sync ? s->write_unsynced : s->write_synced, g->batch);
    struct committer *k = s->committer;
    k->write_us += ((clock_mono_ns() - begun) / 1000 - k->write_us) / 8;
    if (message) e = rocks_failed(s, message, d, "the commit failed");
    commit_counted(s, e);
    if (!e) {
        clock_reserved(s, ceiling);
        group_written(g);
        metric_add(METRIC_store_commits_total, 1);
        return ERR_OK;
    }
    marks_back(g);
    return e;
}

/* The mutant's: everyone has been told by now. */
static void sync_late(struct store *s)
{
    char *message = NULL;
    rocksdb_flush_wal(s->db, 1, &message);
    if (message) rocksdb_free(message);
}

static bool decides(const struct store_change *c)
{
    return c->decide || c->count_count;
}

/* As many of the list as one write takes; the others stay in k->rest. */
static struct store_change *group_cut(struct committer *k, struct store_change *list)
{
    struct store_change *c = list;
    size_t bytes = c->bytes.len;
    k->group.deciding = decides(c);
    while (c->next && bytes + c->next->bytes.len <= GROUP_BYTES_MAX) {
        c = c->next;
        bytes += c->bytes.len;
        k->group.deciding |= decides(c);
    }
    k->rest = c->next;
    c->next = NULL;
    return list;
}

static void group_commit(struct committer *k, struct store_change *list)
{
    struct group *g = &k->group;
    struct store *s = k->store;
    struct diag d;
    size_t bytes = 0, rows = 0;
    uint32_t count = 0;
    d.err = ERR_OK;
    if (g->deciding) {
        commit_enter_alone(s);
        atomic_fetch_add(&s->turns, 1);
    } else if (commit_enter(s, NULL, 0, NULL)) { /* with no table to ask for it only waits */
        return;
    }
    for (struct store_change *c = list; c; c = c->next) change_run(g, c);
    err_t e = group_write(g, &d);
    if (g->deciding) {
        atomic_fetch_add(&s->turns, 1);
        commit_leave_alone(s);
    } else {
        commit_leave(s);
    }
    group_clear(g);
    k->crowd = atomic_load(&k->unanswered);
    loop_hold();
    for (struct store_change *c = list; c; c = c->next) {
        count++;
        bytes += c->waiting;
        if (!c->err && !e) rows += c->rows + c->count_count;
        if (e && !c->err) {
            c->err = e;
            c->diag = d;
        }
        c->done(c->done_ctx, c->err, &c->diag);
    }
    loop_release();
    if (s->mutant_answer_before_sync) sync_late(s);
    metric_add(METRIC_store_rows_total, (int64_t)rows);
    atomic_fetch_sub(&k->unanswered, count);
    atomic_fetch_sub(&k->waiting_bytes, bytes);
    changes_give(s, list);
}

static void committer_run(void *arg)
{
    struct committer *k = arg;
    for (;;) {
        struct store_change *list = k->rest ? k->rest : changes_wait(k);
        if (!list) return;
        group_commit(k, group_cut(k, list));
    }
}

/* --- its life -----------------------------------------------------------------------------------
 */

err_t committer_start(struct store *s, struct diag *d)
{
    struct committer *k = mem_take(sizeof *k);
    if (!k) return diag_fail(d, ERR_NO_MEMORY, "no memory for the committer");
    s->committer = k;
    k->store = s;
    gate_init(&k->gate);
    gate_init(&k->pool_gate);
    k->group.store = s;
    k->group.batch = rocksdb_writebatch_create();
    k->group.marked = vec_make(sizeof(struct table *), 100000);
    k->group.written = vec_make(sizeof(struct written_note), GROUP_BYTES_MAX);
    k->group.number = 1;
    k->group.arena = arena_new(GROUP_ARENA_MAX);
    if (!k->group.arena) return diag_fail(d, ERR_NO_MEMORY, "no memory for the committer");
    return thread_start(&k->thread, "store commit", committer_run, k, d);
}

void committer_stop(struct store *s)
{
    struct committer *k = s->committer;
    if (!k) return;
    gate_enter(&k->gate);
    k->stop = true;
    gate_wake(&k->gate);
    gate_leave(&k->gate);
    thread_join(&k->thread);
    s->committer = NULL;
    changes_pool_free(k);
    rocksdb_writebatch_destroy(k->group.batch);
    arena_free(k->group.arena);
    vec_done(&k->group.marked);
    vec_done(&k->group.written);
    mem_give(k->group.entries);
    mem_give(k->group.slots);
    gate_done(&k->gate);
    gate_done(&k->pool_gate);
    mem_give(k);
}
