/* Trees compared. */
#include "sql/tree.h"

static bool steps_equal(const struct tree *a, const struct tree *b)
{
    if (a->step_count != b->step_count) return false;
    for (uint32_t i = 0; i < a->step_count; i++) {
        const struct json_step *x = &a->steps[i], *y = &b->steps[i];
        bool named = x->name.at != NULL;
        if (named != (y->name.at != NULL)) return false;
        if (named ? !slice_equal(x->name, y->name) : x->index != y->index) return false;
    }
    return true;
}

static bool trees_equal(const struct tree *const *a, uint32_t a_count, const struct tree *const *b,
                        uint32_t b_count)
{
    if (a_count != b_count) return false;
    for (uint32_t i = 0; i < a_count; i++)
        if (!tree_equal(a[i], b[i])) return false;
    return true;
}

static bool over_equal(const struct over_tree *a, const struct over_tree *b)
{
    if (a == b) return true;
    if (!a || !b || a->order_count != b->order_count || a->frame != b->frame ||
        a->frame_rows != b->frame_rows || a->frame_low != b->frame_low ||
        a->frame_high != b->frame_high ||
        !trees_equal(a->partition, a->partition_count, b->partition, b->partition_count))
        return false;
    for (uint32_t i = 0; i < a->order_count; i++) {
        const struct order_item *x = &a->order[i], *y = &b->order[i];
        if (x->descending != y->descending || x->nulls_set != y->nulls_set ||
            x->nulls_first != y->nulls_first || !tree_equal(x->value, y->value))
            return false;
    }
    return true;
}

bool tree_equal(const struct tree *a, const struct tree *b)
{
    if (a == b) return true;
    if (!a || !b || a->kind != b->kind || a->op != b->op || a->negated != b->negated ||
        a->distinct != b->distinct || a->count != b->count || !slice_equal(a->value, b->value))
        return false;
    if ((a->type != NULL) != (b->type != NULL) || (a->type && !type_equal(a->type, b->type)))
        return false;
    return steps_equal(a, b) && tree_equal(a->filter, b->filter) && over_equal(a->over, b->over) &&
           trees_equal(a->args, a->count, b->args, b->count);
}
