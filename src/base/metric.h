/* metric: counters and gauges of the process, declared in metrics.def. Any thread, no locks. */
#pragma once
#include "base/bytes.h"
#include <stdatomic.h>

enum metric_id {
#define METRIC(name, kind, unit, room, about) METRIC_##name,
#include "base/metrics.def"
#undef METRIC
    METRIC_COUNT
};
enum metric_kind { METRIC_COUNTER, METRIC_GAUGE };
struct metric_info {
    const char *name, *unit, *room, *about;
    enum metric_kind kind;
};
extern const struct metric_info metric_infos[METRIC_COUNT];
extern _Atomic int64_t metric_values[METRIC_COUNT];

static inline void metric_add(enum metric_id id, int64_t n)
{
    atomic_fetch_add_explicit(&metric_values[id], n, memory_order_relaxed);
}
static inline void metric_set(enum metric_id id, int64_t v)
{
    atomic_store_explicit(&metric_values[id], v, memory_order_relaxed);
}
static inline int64_t metric_get(enum metric_id id)
{
    return atomic_load_explicit(&metric_values[id], memory_order_relaxed);
}
void metric_put_all(struct buf *out); /* Prometheus text, with the prefix sluice_ */
