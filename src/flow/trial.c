/* trial: records through a stream's plan without log or store: fixtures and previews. */
#include "flow/flow_int.h"

struct trying {
    const struct plan_stream *plan;
    const struct trial *into;
    struct program *program;
    struct chunk *chunk;
    struct arena *arena;
    struct counter counter;
};

/* The records of one chunk, copied where the decoder may read past their ends. */
static err_t load(struct trying *t, const struct slice *records, uint32_t count, uint32_t first,
                  int64_t now_ms)
{
    struct chunk *c = t->chunk;
    size_t bytes = JSON_PADDING;
    chunk_reset(c);
    for (uint32_t i = 0; i < count; i++) bytes += records[i].len;
    uint8_t *at = arena_take_raw(t->arena, bytes);
    if (!at) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        if (records[i].len) memcpy(at, records[i].at, records[i].len);
        c->values[i] = slice_make(at, records[i].len);
        c->keys[i] = (struct slice){0};
        c->offsets[i] = first + i;
        c->times[i] = now_ms;
        c->partitions[i] = 0;
        c->gone[i] = 0;
        at += records[i].len;
    }
    memset(at, 0, JSON_PADDING);
    c->rows = count;
    count_term(&t->counter, TERM_IN, count);
    return ERR_OK;
}

static err_t hand_out(struct trying *t, const struct column *outputs, uint32_t first)
{
    struct chunk *c = t->chunk;
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < c->selected_count; i++) {
        uint32_t row = c->selected[i];
        count_term(&t->counter, TERM_APPLIED, 1);
        count_term(&t->counter, TERM_ROWS_OUT, 1);
        if (t->into->row)
            e = t->into->row(t->into->ctx, outputs, t->plan->output_count, row, first + row);
    }
    for (uint32_t i = 0; !e && i < c->dead_count; i++) {
        const struct chunk_dead *dead = &c->dead[i];
        count_term(&t->counter, TERM_DEAD, dead->count);
        if (t->into->dead)
            e = t->into->dead(t->into->ctx, first + dead->row, dead->reason, dead->expression);
    }
    return e;
}

static err_t try_all(struct trying *t, const struct slice *records, uint32_t count, int64_t now_ms,
                     struct diag *d)
{
    err_t e = ERR_OK;
    for (uint32_t at = 0; !e && at < count; at += CHUNK_ROWS) {
        uint32_t rows = MIN(count - at, (uint32_t)CHUNK_ROWS);
        struct eval_context x = {.now_ms = now_ms,
                                 .epoch = 1,
                                 .stream = 1,
                                 .offsets = t->chunk->offsets,
                                 .partitions = t->chunk->partitions,
                                 .topic = t->plan->from->name};
        struct column *outputs = NULL;
        arena_reset(t->arena);
        e = load(t, records + at, rows, at, now_ms);
        if (e) return diag_fail(d, e, "%u records of a trial", rows);
        e = program_run(t->program, &x, t->chunk, &t->counter, t->arena, &outputs, d);
        if (!e) e = hand_out(t, outputs, at);
    }
    if (!e && !ledger_balanced(&t->counter.now))
        e = diag_fail(d, ERR_LEDGER, "a trial of stream '%.*s'", SLICE_ARG(t->plan->name));
    return e;
}

err_t stream_trial(const struct plan_stream *p, const struct slice *records, uint32_t count,
                   int64_t now_ms, const struct trial *into, struct ledger *ledger, struct diag *d)
{
    struct trying t = {.plan = p, .into = into, .counter = {.skip = -1}};
    err_t e = program_new(p, &t.program, d);
    if (e) return e;
    t.chunk = mem_take(sizeof(*t.chunk));
    t.arena = arena_new(GIB(1));
    e = t.chunk && t.arena ? try_all(&t, records, count, now_ms, d)
                           : diag_fail(d, ERR_NO_MEMORY, "no memory for a trial");
    if (ledger) *ledger = t.counter.now;
    program_free(t.program);
    mem_give(t.chunk);
    arena_free(t.arena);
    return e;
}
