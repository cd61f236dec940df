/* Which cells of a value compaction may leave out. The rules alone, no look at anything else. */
#include "store/purge.h"

struct purging {
    const struct purge_rule *rule;
    struct arena *a; /* made when something complex changes */
    bool changed;
    err_t err;
};

/* A deletion, or what has expired, whose grace is over and which hides nothing any more. */
static bool outlived(const struct purge_rule *r, int64_t timestamp, int64_t since_s)
{
    return since_s < r->before_s && timestamp < r->exposed;
}

static bool cell_gone(const struct purge_rule *r, const struct cell *c, int64_t floor)
{
    if (time_reached(c->timestamp, floor)) return true;
    return (c->tombstone || c->ttl) && outlived(r, c->timestamp, c->expiry_s);
}

/* Every deletion that reaches this column: the partition's, and the column's own drop. */
static int64_t floor_of(const struct purge_rule *r, uint16_t id)
{
    const struct table *t = r->table;
    return id >= CELL_FIRST && id < t->next_column_id ? MAX(r->floor, t->by_id[id].dropped_us)
                                                      : r->floor;
}

/* What stays of `old`: as it is, or anew in the arena. */
static struct buf body_room(struct purging *p, size_t room)
{
    uint8_t *memory = arena_take_raw(p->a, room);
    if (!memory) p->err = ERR_NO_MEMORY;
    p->changed = true;
    return buf_over(memory, memory ? room : 0);
}

static struct slice complex_stays(struct purging *p, const struct cell *c)
{
    struct complex_reader r;
    struct element e;
    int64_t floor = floor_of(p->rule, c->id);
    size_t count = 0, kept = 0;
    for (complex_open(&r, c->value); complex_next(&r, &e);) count++;
    struct element *list = r.err ? NULL : arena_take_raw(p->a, (count + 1) * sizeof *list);
    if (!list) p->err = r.err ? r.err : ERR_NO_MEMORY;
    if (!list) return c->value;
    for (complex_open(&r, c->value); complex_next(&r, &e);)
        if (!cell_gone(p->rule, &e.cell, floor)) list[kept++] = e;
    bool deleted = r.deleted && !time_reached(r.deletion, floor) &&
                   !outlived(p->rule, r.deletion, r.deletion_s);
    if (kept == count && deleted == r.deleted) return c->value;
    struct complex now = {.deleted = deleted,
                          .deletion = r.deletion,
                          .deletion_s = r.deletion_s,
                          .elements = list,
                          .count = kept};
    struct buf out = body_room(p, complex_size_max(&now));
    complex_put(&out, &now, INT64_MIN);
    return buf_view(&out);
}

static struct slice ranges_stay(struct purging *p, const struct cell *c)
{
    struct ranges_reader r;
    struct range range;
    size_t count = 0, kept = 0;
    for (ranges_open(&r, c->value); ranges_next(&r, &range);) count++;
    struct range *list = r.err ? NULL : arena_take_raw(p->a, (count + 1) * sizeof *list);
    if (!list) p->err = r.err ? r.err : ERR_NO_MEMORY;
    if (!list) return c->value;
    for (ranges_open(&r, c->value); ranges_next(&r, &range);)
        if (!outlived(p->rule, range.timestamp, range.local_s)) list[kept++] = range;
    if (kept == count) return c->value;
    struct buf out = body_room(p, ranges_size_max(list, kept));
    ranges_put(&out, list, kept, INT64_MIN);
    return buf_view(&out);
}

/* false: nothing is left of the cell. What stays may live in the arena. */
static bool cell_stays(struct purging *p, struct cell *c)
{
    if (!c->complex) {
        bool gone = cell_gone(p->rule, c, floor_of(p->rule, c->id));
        p->changed |= gone;
        return !gone;
    }
    if (!p->a) p->a = arena_new(GIB(1));
    if (!p->a) p->err = ERR_NO_MEMORY;
    if (p->err) return false;
    c->value = c->id == CELL_RANGES ? ranges_stay(p, c) : complex_stays(p, c);
    return c->value.len > 0;
}

static err_t cells_of(struct slice value, struct cell *cells, size_t cap, size_t *count)
{
    struct row_reader r;
    *count = 0;
    for (row_open(&r, value); *count < cap && row_next(&r, &cells[*count]);) ++*count;
    return r.err;
}

err_t purge_row(const struct purge_rule *rule, struct slice value, struct buf *out, bool *changed,
                bool *empty)
{
    enum { CELLS_ON_STACK = 64 };
    struct cell on_stack[CELLS_ON_STACK], *cells = on_stack;
    struct purging p = {.rule = rule};
    size_t cap = (size_t)value.len / 2 + 1, count, kept = 0, data = 0;
    *changed = *empty = false;
    if (cap > CELLS_ON_STACK) cells = mem_take_raw(cap * sizeof *cells);
    if (!cells) return ERR_NO_MEMORY;
    p.err = cells_of(value, cells, cap, &count);
    for (size_t i = 0; i < count && !p.err; i++) {
        if (!cell_stays(&p, &cells[i])) continue;
        data += cells[i].id != CELL_LINEAGE; /* where nothing came from */
        cells[kept++] = cells[i];
    }
    *empty = !p.err && data == 0;
    *changed = !p.err && (p.changed || *empty);
    if (*changed && !*empty) {
        if (buf_reserve(out, row_size_max(cells, kept))) row_put(out, cells, kept);
        if (out->err) p.err = out->err;
    }
    arena_free(p.a);
    if (cells != on_stack) mem_give(cells);
    return p.err;
}

/* --- the earliest time --------------------------------------------------------------------------
 */

static err_t complex_earliest(struct slice value, int64_t *time)
{
    struct complex_reader r;
    struct element e;
    complex_open(&r, value);
    if (r.deleted) *time = MIN(*time, r.deletion);
    while (complex_next(&r, &e)) *time = MIN(*time, e.cell.timestamp);
    return r.err;
}

static err_t ranges_earliest(struct slice value, int64_t *time)
{
    struct ranges_reader r;
    struct range range;
    for (ranges_open(&r, value); ranges_next(&r, &range);) *time = MIN(*time, range.timestamp);
    return r.err;
}

err_t row_earliest(struct slice value, int64_t *time)
{
    struct row_reader r;
    struct cell c;
    err_t e = ERR_OK;
    *time = INT64_MAX;
    row_open(&r, value);
    while (!e && row_next(&r, &c)) {
        if (!c.complex)
            *time = MIN(*time, c.timestamp);
        else
            e = c.id == CELL_RANGES ? ranges_earliest(c.value, time)
                                    : complex_earliest(c.value, time);
    }
    return e ? e : r.err;
}
