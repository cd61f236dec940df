/* sql/bind_lower: from attributes to places. Private to the binder's last step. */
#pragma once
#include "sql/bind.h"

/* A node that has its place: its columns' attributes and what is known of its rows, as attributes.
 */
struct placed {
    struct plan_node *node;
    uint32_t *attrs; /* by column */
    uint32_t *key;
    uint32_t key_count;
    bool one_row; /* at most one row: no key is needed to tell rows apart */
    uint32_t time;
    uint64_t source; /* hash of where its rows come from */
};
struct lowering {
    struct binder *b;
    uint32_t next_id, next_state;
    bool stateful; /* the plan has state: its topics need their time */
    const struct plan_node **topics;
    uint32_t topic_count, topic_cap;
};

/* bind_lower.c */
struct placed *lower(struct lowering *w, struct logic *l, const uint8_t *need);
struct placed *lower_done(struct lowering *w, struct logic *l, struct placed *p,
                          struct placed *const *ins, uint32_t in_count);
struct placed *placed_new(struct lowering *w, struct logic *l, uint32_t columns);
void placed_column(struct lowering *w, struct placed *p, uint32_t attr);
uint8_t *need_copy(struct lowering *w, const uint8_t *need);
void need_expr(uint8_t *need, const struct expr *e);
void need_attr(uint8_t *need, uint32_t attr);
/* An expression over the columns of one or two inputs. */
const struct expr *place_expr(struct lowering *w, const struct expr *e, const struct placed *left,
                              const struct placed *right);
const struct expr *const *place_exprs(struct lowering *w, const struct expr *const *list,
                                      uint32_t count, const struct placed *in);
uint32_t place_attr(struct lowering *w, uint32_t attr, const struct placed *p);

/* bind_nodes.c: one a kind */
struct placed *lower_rows(struct lowering *w, struct logic *l, const uint8_t *need);
struct placed *lower_group(struct lowering *w, struct logic *l, const uint8_t *need);
struct placed *lower_join(struct lowering *w, struct logic *l, const uint8_t *need);
struct placed *lower_lookup(struct lowering *w, struct logic *l, const uint8_t *need);
struct placed *lower_union(struct lowering *w, struct logic *l, const uint8_t *need);
struct placed *lower_over(struct lowering *w, struct logic *l, const uint8_t *need);
struct placed *lower_top(struct lowering *w, struct logic *l, const uint8_t *need);
struct placed *lower_transform(struct lowering *w, struct logic *l, const uint8_t *need);
/* Exactly these columns in this order: a ROWS above, where p gives others. */
struct placed *narrowed(struct lowering *w, struct placed *p, const uint32_t *attrs,
                        uint32_t count);

/* bind_traits.c: what is known of a node's rows, once its columns stand */
void traits(struct lowering *w, struct logic *l, struct placed *p, struct placed *const *ins);
void set_shape(struct lowering *w, struct placed *p, struct placed *const *ins, uint32_t in_count);
