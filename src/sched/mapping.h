/* mapping: a task over a list: how many instances `expand` makes, and what each one gets. A list;
 * or a map of names, each with a list, crossed (the last name runs fastest, as in Airflow's
 * expand()); a text in a list's place is what an earlier task gave, or a template.
 *
 * Loop: any thread. Memory: the caller's arena. Limit: DAG_MAPPED_MAX instances.
 */
#pragma once
#include "sched/dag.h"

struct mapping {
    const struct doc *lists;   /* each a list, or a map: its entries are [name, value] pairs */
    const struct slice *names; /* NULL: one list, whose items stand for themselves */
    uint32_t list_count, total;
};
/* What a text in `expand` stands for. ERR_NOT_FOUND: not there yet, or never. */
struct mapping_values {
    void *ctx;
    err_t (*value)(void *ctx, struct slice text, struct arena *a, struct doc *out, struct diag *d);
};
/* ERR_TYPE: something that is no list; ERR_TOO_BIG: more than DAG_MAPPED_MAX. */
MUST_CHECK err_t mapping_make(const struct doc *expand, const struct mapping_values *values,
                              struct arena *a, struct mapping *out, struct diag *d);
/* Instance `index` of it: the item, or a map of names to items. */
MUST_CHECK err_t mapping_item(const struct mapping *m, uint32_t index, struct arena *a,
                              struct doc *out);
/* Nothing in it is a text that stands for something else: known as soon as the dag is. */
bool mapping_is_literal(const struct doc *expand);
