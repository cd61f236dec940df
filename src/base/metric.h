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
enum metric_kind { /* UNTYPED: of a name that other programs gave, which says another kind */
                   METRIC_COUNTER,
                   METRIC_GAUGE,
                   METRIC_HISTOGRAM,
                   METRIC_SUMMARY,
                   METRIC_UNTYPED
};
/* What /metrics says under one name: each room that answers with labels has a table of these. */
struct metric_family {
    const char *name, *labels; /* "topic,partition"; "": none */
    enum metric_kind kind;
    const char *about;
};
typedef void metric_each(void *ctx, const struct metric_family *f);
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
/* Prometheus text, with the prefix sluice_; what is counted in ns is told in seconds. */
void metric_put_all(struct buf *out);
void metric_families(metric_each *each, void *ctx); /* the same names, for docs/metrics.md */
const char *metric_kind_name(enum metric_kind k);
void metric_put_head(struct buf *out, const struct metric_family *f); /* HELP and TYPE */
void metric_put_label(struct buf *out, struct slice value);           /* escaped, no quotes */
