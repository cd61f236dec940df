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

bool tree_equal(const struct tree *a, const struct tree *b)
{
    if (a == b) return true;
    if (!a || !b || a->kind != b->kind || a->op != b->op || a->negated != b->negated ||
        a->distinct != b->distinct || a->count != b->count || !slice_equal(a->value, b->value))
        return false;
    if ((a->type != NULL) != (b->type != NULL) || (a->type && !type_equal(a->type, b->type)))
        return false;
    if (!steps_equal(a, b)) return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (!tree_equal(a->args[i], b->args[i])) return false;
    return true;
}
