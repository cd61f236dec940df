/* flow/group: what the files of the GROUP operator share. Private to them: op_group.c (rows into
 * groups), op_group_end.c (an epoch's end), op_group_tell.c (groups into rows), op_session.c,
 * group_part.c, group_key.c, group_form.c.
 *
 * A group is an entry of state: struct group, then each aggregate's memory, then an agg_more of
 * those that grow. It stands at its window's end (0 without windows; sessions: their end rounded
 * up), by the key's bytes. Where the plan's aggregates allow it, rows are first gathered into
 * groups of their own (group_part.c), which then go into these: the same state, at less cost. Part
 * 0 holds groups, part 1 the values of DISTINCT aggregates with how often they came, part 2
 * sessions by key, or groups by the time when they are forgotten.
 */
#pragma once
#include "flow/op.h"
#include "sql/aggregate.h"

enum { GROUP_WINDOWS_MAX = 10000 /* of one row, by HOP */ };
enum { GROUP_PART, DISTINCT_PART, INDEX_PART, GROUP_PARTS };
/* Beyond these no window's arithmetic is exact. */
#define GROUP_TIME_MAX ((int64_t)1 << 61)

struct group {
    int64_t rows;       /* added, less those taken back */
    int64_t held;       /* records whose last window this is, told when it closes */
    int64_t last;       /* with a ttl: when it was touched last */
    int64_t start, end; /* of a session */
    uint64_t told;      /* what it holds was told: to be taken back before it changes */
};
struct counted { /* of DISTINCT_PART */
    int64_t count;
};
/* Groups gathered apart, by pane: the span of time whose rows fall into the same windows. */
struct group_part {
    struct group_part *next; /* of those that are handed over together */
    uint32_t node;           /* whose */
    struct state *state; /* in memory only; an entry's time: its pane's start, 0 without windows */
    struct state_budget budget;
    struct vec entries; /* struct group_place, as they were made */
    uint64_t rows;
};
enum {
    GROUP_PART_BYTES = 8 << 20, /* then it is handed over */
    GROUP_PART_LEAST = 64       /* rows of a batch that are worth it */
};
struct group_self {
    struct op *o;
    const struct plan_group *plan;
    struct plan_aggregate *aggregates; /* the plan's, and whether rows are taken back */
    uint32_t *fixed_at, *more_at;      /* an aggregate: its places in an entry; more_at 0: none */
    struct slice *key_texts, *argument_texts; /* of expressions, for letters */
    struct state_form forms[GROUP_PARTS];
    struct state *states[GROUP_PARTS]; /* NULL: not needed */
    bool windowed, session, on_close, keeps_old, grows, fixed_keys;
    uint32_t key_size; /* where all keys are of a fixed size */
    int64_t grain;     /* sessions and ttl: buckets of so many ms */
    int64_t watermark; /* as advanced last */
    bool parts;        /* the plan allows to gather groups apart */
    bool gathers;      /* and so it is done here, but in … */
    uint32_t direct;   /* … so many epochs more: it has gained nothing */
    int64_t pane_ms;
    struct group_part *part;         /* of the epoch at hand; NULL: none yet */
    uint64_t part_rows, part_groups; /* handed over in this epoch */
    struct buf key_bytes, value_key; /* scratch */
};
struct group_run { /* rows of one batch on their way */
    struct op *o;
    struct group_self *s;
    const struct rows *r;
    struct arena *arena;
    struct column *keys, **arguments, *filters; /* an aggregate: its arguments, NULL: none */
    uint32_t *selected, count;                  /* without those that can not go on */
    struct slice *key_of;                       /* by row */
    const int64_t *order;                       /* by row: its time; NULL: none */
    int64_t *last_end;                          /* by row: of the last window it falls into */
    struct state *into;                         /* where the groups stand */
    bool apart;                                 /* that is the part's */
    struct diag *d;
};

/* group_key.c: bytes equal for equal keys, in the keys' own order where types have one, and back.
 */
bool group_key_is_fixed(const struct type *t, uint32_t *size);
void group_key_put(struct buf *out, const struct column *columns, uint32_t count, uint32_t row);
/* All selected rows' keys at once, where every column is of a fixed size: `size` bytes a row. */
void group_key_put_fixed(uint8_t *out, uint32_t size, const struct column *columns, uint32_t count,
                         const uint32_t *rows, uint32_t row_count);
/* Into row `row` of the columns; bytes are copied into the arena. */
MUST_CHECK err_t group_key_take(struct slice key, struct column *columns, uint32_t count,
                                uint32_t row, struct arena *a, struct diag *d);

/* group_form.c */
MUST_CHECK err_t group_check_plan(struct op *o, const struct group_self *s, struct diag *d);
MUST_CHECK err_t group_lay_out(struct op *o, struct group_self *s, struct diag *d);
static inline bool group_is_distinct(const struct plan_aggregate *a)
{
    return a->distinct && a->arg_count && !(a->of->flags & AGG_DISTINCT_SAME);
}

/* op_group_tell.c: groups become rows, in batches. */
struct group_out {
    struct op *o;
    struct column_batch b;
    uint32_t *selected;
    int8_t *signs;
    uint32_t rows, cap;
    bool resets; /* the batch arena, between two batches */
    bool told;   /* the last row was; else it is a dead letter */
};
MUST_CHECK err_t group_out_open(struct op *o, uint32_t cap, bool resets, struct group_out *out,
                                struct diag *d);
MUST_CHECK err_t group_out_add(struct group_out *out, const void *entry, int8_t sign,
                               struct diag *d);
MUST_CHECK err_t group_out_emit(struct group_out *out, struct diag *d);

/* op_group_end.c */
MUST_CHECK err_t op_group_advance(struct op *o, int64_t watermark, struct diag *d);
MUST_CHECK err_t op_group_flush(struct op *o, bool end, struct diag *d);
MUST_CHECK err_t op_group_write(struct op *o, struct store_write *w, struct diag *d);
void op_group_kept(struct op *o);
void op_group_forget(struct op *o);
void op_group_tell(const struct op *o, struct state_stats *out);

/* op_group.c */
static inline struct agg_more *group_more(const struct group_self *s, const void *entry, uint32_t i)
{
    return s->more_at[i] ? (struct agg_more *)((uintptr_t)entry + s->more_at[i]) : NULL;
}
MUST_CHECK err_t op_group_add(struct group_run *u, uint8_t *const *groups, const uint32_t *rows,
                              uint32_t count);
MUST_CHECK err_t op_group_dead(struct group_run *u, uint32_t row, err_t e, const char *why);
/* What its time is: of a row's window, as `first` and `last` go by it, for a ttl. */
static inline bool window_time_of(const struct column *c, uint32_t row, int64_t *out)
{
    *out = c->state[row] == VALID_VALUE ? c->i64[row] : INT64_MIN;
    return *out > -GROUP_TIME_MAX && *out < GROUP_TIME_MAX;
}
static inline int64_t round_up(int64_t t, int64_t grain)
{
    int64_t rest = t % grain;
    return rest == 0 ? t : rest > 0 ? t + (grain - rest) : t - rest;
}
/* The last window that starts at or before t starts there. */
static inline int64_t window_start_of(const struct plan_window *w, int64_t t)
{
    int64_t rest = (t - w->offset_ms) % w->slide_ms;
    return t - (rest < 0 ? rest + w->slide_ms : rest);
}

/* group_part.c */
void group_part_init(struct group_self *s);
MUST_CHECK err_t group_part_begin(struct group_self *s, struct diag *d); /* there is one */
/* Rows of one pane into the epoch's part. */
MUST_CHECK err_t group_part_add(struct group_run *u, int64_t pane, const uint32_t *rows,
                                uint32_t count);
/* What was gathered goes into the operator's groups. */
MUST_CHECK err_t group_part_merge(struct op *o, const struct group_part *p, struct diag *d);
MUST_CHECK err_t group_part_end(struct op *o, struct diag *d); /* its own, if there is one */
void group_part_learn(struct group_self *s);                   /* from the epoch that has ended */
static inline int64_t group_pane_of(const struct group_self *s, int64_t t)
{
    int64_t rest = (t - s->plan->window.offset_ms) % s->pane_ms;
    return t - (rest < 0 ? rest + s->pane_ms : rest);
}

/* op_session.c */
MUST_CHECK err_t op_session_push(struct group_run *u);
/* Sessions that the watermark has passed: told when `out` is given, and gone. */
MUST_CHECK err_t op_session_close(struct group_self *s, struct group_out *out, struct diag *d);
extern const struct state_form op_session_index;
