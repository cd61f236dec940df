#include "exec/dead_groups.h"

struct gathering {
    struct arena *arena;
    struct dead_stage *stage;
    struct dead_group *groups;
    bool no_memory;
};

static bool same(const struct dead_group *g, const struct dead_letter *l)
{
    return g->err == l->err && slice_equal(g->column, l->column) &&
           slice_equal(g->expression, l->expression);
}

static struct slice kept(struct gathering *x, struct slice s)
{
    struct slice copy = s.len ? arena_slice(x->arena, s) : (struct slice){0};
    x->no_memory |= s.len && !copy.at;
    return copy;
}

static struct dead_group *group_for(struct gathering *x, const struct dead_letter *l)
{
    struct dead_stage *s = x->stage;
    for (uint32_t i = 0; i < s->group_count; i++)
        if (same(&x->groups[i], l)) return &x->groups[i];
    if (s->group_count == DEAD_GROUPS_MAX) return NULL;
    struct dead_group *g = &x->groups[s->group_count++];
    *g = (struct dead_group){.err = l->err,
                             .column = kept(x, l->column),
                             .expression = kept(x, l->expression),
                             .reason = kept(x, l->reason),
                             .first_ms = l->written_ms,
                             .last_ms = l->written_ms};
    return g;
}

static err_t gather(void *ctx, const struct dead_letter *l)
{
    struct gathering *x = ctx;
    struct dead_stage *s = x->stage;
    s->more = s->letters == DEAD_LOOKED_MAX;
    if (s->more) return ERR_STOPPED;
    s->letters++;
    s->bytes += l->size;
    s->mended += l->mended.at != NULL;
    struct dead_group *g = group_for(x, l);
    if (x->no_memory) return ERR_NO_MEMORY;
    if (!g) {
        s->others++;
        return ERR_OK;
    }
    g->letters++;
    g->records += l->count;
    g->mended += l->mended.at != NULL;
    g->first_ms = MIN(g->first_ms, l->written_ms);
    g->last_ms = MAX(g->last_ms, l->written_ms);
    return ERR_OK;
}

err_t dead_groups_of(struct store *s, struct slice stage, struct arena *a, struct dead_stage *out,
                     struct diag *d)
{
    struct gathering x = {.arena = a, .stage = out};
    *out = (struct dead_stage){0};
    x.groups = arena_take(a, DEAD_GROUPS_MAX * sizeof(*x.groups));
    if (!x.groups) return diag_fail(d, ERR_NO_MEMORY, "no memory to look at dead letters");
    out->groups = x.groups;
    err_t e = dead_letters_newest(s, stage, gather, &x, d);
    if (e == ERR_STOPPED) e = ERR_OK;
    return e && !d->err ? diag_fail(d, e, "the dead letters") : e;
}
