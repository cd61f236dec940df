#include "coord/reset.h"

err_t reset_place(enum reset_to to, int64_t number, const struct reset_bounds *b,
                  struct slice topic, int32_t partition, int64_t *wanted, int64_t *out,
                  struct diag *d)
{
    if (to == RESET_SHIFT && b->position < 0)
        return diag_fail(d, ERR_USAGE,
                         "Cannot shift offset for partition %.*s-%d since there is no current "
                         "committed offset",
                         SLICE_ARG(topic), partition);
    int64_t moved;
    if (to == RESET_SHIFT && __builtin_add_overflow(b->position, number, &moved))
        moved = number < 0 ? INT64_MIN : INT64_MAX;
    switch (to) {
    case RESET_EARLIEST: *wanted = b->first; break;
    case RESET_LATEST: *wanted = b->end; break;
    case RESET_CURRENT: *wanted = b->position < 0 ? b->end : b->position; break;
    case RESET_SHIFT: *wanted = moved; break;
    case RESET_TIME: *wanted = b->at_time < 0 ? b->end : b->at_time; break;
    case RESET_OFFSET:
    case RESET_PLAN: *wanted = number; break;
    }
    bool bounded = to == RESET_OFFSET || to == RESET_SHIFT || to == RESET_PLAN;
    *out = bounded ? MIN(MAX(*wanted, b->first), b->end) : *wanted;
    return ERR_OK;
}
