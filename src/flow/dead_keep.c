/* dead_keep: how many dead letters there may be, and what people do with single ones. */
#include "flow/edition.h"

#include "base/unit.h"

enum { FORGET_BYTES = 32 << 20, LETTER_MAX = 8 << 20 };

/* --- their bound --------------------------------------------------------------------------------
 */

struct measuring {
    int64_t bytes, oldest;
};

static err_t measure_one(void *ctx, struct slice key, struct slice value)
{
    struct measuring *m = ctx;
    struct dead_letter l;
    m->bytes += key.len + value.len;
    if (!dead_read(key, value, &l)) m->oldest = MIN(m->oldest, l.written_ms);
    return ERR_OK;
}

/* Once a start of the stage: its letters are bounded by dead_bytes_max. */
err_t dead_measure(struct stage *s, struct diag *d)
{
    struct measuring m = {.oldest = INT64_MAX};
    struct stage_key k = stage_key(s->key);
    if (!s->flow->o.dead_bytes_max && !s->flow->o.dead_age_ms) return ERR_OK; /* nobody asks */
    err_t e = store_records(s->flow->o.store, NULL, STORE_DEAD, stage_key_slice(&k),
                            (struct slice){0}, measure_one, &m, d);
    atomic_store(&s->dead_bytes, m.bytes);
    atomic_store(&s->dead_oldest, m.oldest);
    return e;
}

err_t dead_room(struct stage *s, uint64_t bytes, struct diag *d)
{
    uint64_t most = s->flow->o.dead_bytes_max, has = (uint64_t)atomic_load(&s->dead_bytes);
    if (!most || !bytes || has + bytes <= most) return ERR_OK;
    struct buf size = buf_make(64);
    unit_put_bytes(&size, most);
    (void)diag_fail(d, ERR_LETTERS_FULL, "'%.*s' waits: its dead letters have reached %s",
                    SLICE_ARG(s->name), buf_cstr(&size));
    buf_done(&size);
    return diag_hint(d,
                     "look at them with `sluice dead %.*s`; mend and replay them, forget them "
                     "(`sluice dead forget`), or raise dead_letters.max_bytes",
                     SLICE_ARG(s->name));
}

/* --- single ones --------------------------------------------------------------------------------
 */

/* While a stage is started, stopped or replayed its letters belong to that. */
static struct stage *hold(struct flow *f, struct slice name)
{
    if (!f) return NULL;
    gate_enter(&f->control);
    return flow_stage(f, name);
}

static void let_go(struct flow *f, struct stage *s, int64_t grown)
{
    if (s && grown) atomic_fetch_add(&s->dead_bytes, grown);
    if (s && grown < 0) stage_wake(s);
    if (f) gate_leave(&f->control);
}

static err_t rewrite(struct store *s, const struct dead_letter *l, struct slice bytes,
                     int64_t *grown, struct diag *d)
{
    struct dead_note n = dead_note_of(l);
    struct store_write *w = NULL;
    struct buf scratch = buf_make(LETTER_MAX);
    uint64_t before = l->mended.at ? l->mended.len : 0, size = 0;
    n.mended = bytes.at ? bytes : SLICE("");
    err_t e = store_write_begin(s, STORE_LIVE, 2 * LETTER_MAX, &w, d);
    if (!e) e = dead_write(w, l->under, &n, &scratch, &size, d);
    if (!e)
        e = store_write_commit(w, d);
    else
        store_write_abort(w);
    buf_done(&scratch);
    *grown = e ? 0 : (int64_t)bytes.len - (int64_t)before;
    return e;
}

err_t dead_mend(struct flow *f, struct store *s, struct slice stage, struct slice place,
                struct slice bytes, struct diag *d)
{
    struct dead_filter w = {.stage = stage, .place = place};
    struct dead_letter l;
    int64_t grown = 0;
    if (!stage.len || !place.len) return diag_fail(d, ERR_USAGE, "which letter of which stage?");
    if (bytes.len > DEAD_RAW_MAX)
        return diag_fail(d, ERR_TOO_BIG, "a letter's bytes are at most %d", DEAD_RAW_MAX);
    struct arena *a = arena_new(2 * LETTER_MAX);
    if (!a) return diag_fail(d, ERR_NO_MEMORY, "no memory for a letter");
    struct stage *held = hold(f, stage);
    err_t e = dead_next(s, &w, (struct slice){0}, a, &l, d);
    if (e == ERR_NOT_FOUND) e = diag_fail(d, e, "the letter is not there any more");
    if (!e) e = rewrite(s, &l, bytes, &grown, d);
    let_go(f, held, grown);
    arena_free(a);
    return e;
}

struct forgetting {
    const struct dead_filter *wanted;
    struct store_write *write;
    int64_t written_before; /* INT64_MAX: whenever */
    uint64_t count;
    int64_t bytes, oldest;
    bool damaged, more;
};

static err_t forget_one(void *ctx, struct slice key, struct slice value)
{
    struct forgetting *f = ctx;
    struct dead_letter l;
    err_t e = dead_read(key, value, &l);
    f->damaged |= e != ERR_OK;
    if (e) return e;
    if (!dead_fits(f->wanted, &l) || l.written_ms >= f->written_before) {
        f->oldest = MIN(f->oldest, l.written_ms);
        return ERR_OK;
    }
    if (store_write_bytes(f->write) > FORGET_BYTES) {
        f->more = true;
        return ERR_STOPPED;
    }
    f->count++;
    f->bytes += key.len + value.len;
    return store_write_record(f->write, STORE_DEAD, key, (struct slice){0});
}

/* In writes of a bounded size; inside the control gate where a flow runs. */
static err_t forget(struct store *s, struct stage *held, struct forgetting *f, struct diag *d)
{
    struct stage_text key;
    err_t e = stage_key_find(s, f->wanted->stage, &key, d);
    if (e) return e;
    struct stage_key k = stage_key(stage_text_slice(&key));
    do {
        int64_t before = f->bytes;
        f->more = false;
        f->oldest = INT64_MAX;
        e = store_write_begin(s, STORE_LIVE, 2 * FORGET_BYTES, &f->write, d);
        if (e) return e;
        e = store_records(s, NULL, STORE_DEAD, stage_key_slice(&k), (struct slice){0}, forget_one,
                          f, d);
        if (f->more && e == ERR_STOPPED) e = ERR_OK;
        if (f->damaged) e = diag_fail(d, e, "a dead letter can not be read");
        if (e)
            store_write_abort(f->write);
        else
            e = store_write_commit(f->write, d);
        if (!e && held) atomic_fetch_sub(&held->dead_bytes, f->bytes - before);
    } while (!e && f->more);
    return e;
}

err_t dead_forget(struct flow *f, struct store *s, const struct dead_filter *w, uint64_t *count,
                  struct diag *d)
{
    struct forgetting g = {.wanted = w, .written_before = INT64_MAX};
    if (!w->stage.len || w->stage.len > STAGE_NAME_MAX)
        return diag_fail(d, ERR_USAGE, "letters of which stage?");
    struct stage *held = hold(f, w->stage);
    err_t e = forget(s, held, &g, d);
    if (held && g.count) stage_wake(held);
    let_go(f, held, 0);
    *count = g.count;
    return e;
}

err_t flow_dead_expire(struct flow *f, int64_t now_ms, uint64_t *count, struct diag *d)
{
    err_t e = ERR_OK;
    *count = 0;
    if (!f->o.dead_age_ms) return ERR_OK;
    gate_enter(&f->control);
    for (uint32_t i = 0; !e && i < f->stage_count; i++) {
        struct stage *s = f->stages[i];
        if (!stage_lives(s)) continue;
        struct dead_filter w = {.stage = s->name};
        struct forgetting g = {.wanted = &w, .written_before = now_ms - f->o.dead_age_ms};
        if (atomic_load(&s->dead_oldest) >= g.written_before) continue;
        e = forget(f->o.store, s, &g, d);
        *count += g.count;
        if (!e) atomic_store(&s->dead_oldest, g.oldest);
        if (!e && g.count) stage_wake(s);
    }
    gate_leave(&f->control);
    return e;
}
