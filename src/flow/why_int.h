/* why_int: what the files of `why` share. */
#pragma once
#include "flow/rerun.h"

enum { WHY_TEXT = 1 << 20 };

struct why {
    struct flow *flow;
    const struct why_options *o;
    struct stage *stage; /* whose plan it is about */
    struct slice topic;
    uint32_t topic_number; /* of the plan's topics */
    int32_t partition;
    int64_t offset;
    struct epoch_record epoch;
    bool has_epoch, has_record;
    struct record record; /* in the arena, its value padded */
    struct arena *arena, *batch;
    struct chunk *chunk;
    struct buf text;
    struct diag *d;
};
MUST_CHECK err_t why_tell(struct why *w, enum why_how how, const char *step, const char *format,
                          ...) PRINTF_LIKE(4, 5);
/* The record at `topic`, `partition`, `offset`: `label` goes before its bytes; `fetch`: also where
 * it came from. has_record: it is there. */
MUST_CHECK err_t why_tell_record(struct why *w, const char *label, bool fetch);
/* A row's columns as "name = value, …", behind what is in `out`. */
void why_put_row(struct buf *out, const struct plan_node *n, const struct column *columns,
                 uint32_t row);
/* The row of the table with this key, and who wrote it. */
MUST_CHECK err_t why_look_up(struct why *w, const struct store_table *t, const struct value *key,
                             uint32_t key_count);
/* The first node above the topic that remembers rows; NULL: none does. *input: which of its inputs
 * the way comes by. */
const struct plan_node *why_memory(const struct plan_stream *p, uint32_t topic, uint32_t *input);
/* The record through the nodes up to `root`, whose rows go to `end`. What stands above is left out.
 * A letter stands in w->chunk afterwards. `tap` may be NULL. */
MUST_CHECK err_t why_push(struct why *w, const struct plan_node *root, void *ctx,
                          err_t (*tap)(void *ctx, struct op *from, struct rows *r, struct diag *d),
                          err_t (*end)(void *ctx, const struct rows *r, struct diag *d));
void why_ask(const struct why *w, struct rerun *r); /* who asked may stop it, and sees progress */

/* why_past.c: a row that several records made. */
MUST_CHECK err_t why_past(struct why *w, const struct why_row *row);
/* why_fate.c: what a plan with memory has done with a record. */
MUST_CHECK err_t why_fate(struct why *w, const struct plan_node *memory, uint32_t input);
