#include "base/metric.h"

#include <inttypes.h>

const struct metric_info metric_infos[METRIC_COUNT] = {
#define METRIC(name, kind, unit, room, about)                                                      \
    [METRIC_##name] = {#name, unit, #room, about, METRIC_##kind},
#include "base/metrics.def"
#undef METRIC
};

_Atomic int64_t metric_values[METRIC_COUNT];

void metric_put_all(struct buf *out)
{
    static const char *const kinds[] = {[METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge"};
    for (int i = 0; i < METRIC_COUNT; i++) {
        const struct metric_info *m = &metric_infos[i];
        buf_printf(out, "# HELP sluice_%s %s (%s).\n# TYPE sluice_%s %s\nsluice_%s %" PRId64 "\n",
                   m->name, m->about, m->unit, m->name, kinds[m->kind], m->name,
                   metric_get((enum metric_id)i));
    }
}
