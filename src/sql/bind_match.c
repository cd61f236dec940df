/* Joins, once all conditions have sunk: equal keys, bounds in time, tables to look up. */
#include "sql/bind.h"

struct logic *bind_match(struct binder *b, struct logic *l)
{
    (void)b;
    return l;
}
