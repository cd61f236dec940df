#include "base/metric.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const struct metric_info metric_infos[METRIC_COUNT] = {
#define METRIC(name, kind, unit, room, about)                                                      \
    [METRIC_##name] = {#name, unit, #room, about, METRIC_##kind},
#include "base/metrics.def"
#undef METRIC
};

_Atomic int64_t metric_values[METRIC_COUNT];

static const char *const kind_names[] = {[METRIC_COUNTER] = "counter",
                                         [METRIC_GAUGE] = "gauge",
                                         [METRIC_HISTOGRAM] = "histogram",
                                         [METRIC_SUMMARY] = "summary",
                                         [METRIC_UNTYPED] = "untyped"};

const char *metric_kind_name(enum metric_kind k)
{
    return kind_names[k];
}

void metric_put_head(struct buf *out, const struct metric_family *f)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->about, f->name,
               kind_names[f->kind]);
}

void metric_put_label(struct buf *out, struct slice value)
{
    for (uint32_t i = 0; i < value.len; i++) {
        if (value.at[i] == '\n') {
            buf_text(out, "\\n");
            continue;
        }
        if (value.at[i] == '"' || value.at[i] == '\\') buf_char(out, '\\');
        buf_char(out, (char)value.at[i]);
    }
}

static bool in_ns(const struct metric_info *m)
{
    return strcmp(m->unit, "ns") == 0;
}

void metric_families(metric_each *each, void *ctx)
{
    char name[96];
    for (int i = 0; i < METRIC_COUNT; i++) {
        snprintf(name, sizeof(name), "sluice_%s", metric_infos[i].name);
        each(ctx, &(struct metric_family){name, "", metric_infos[i].kind, metric_infos[i].about});
    }
}

void metric_put_all(struct buf *out)
{
    char name[96];
    for (int i = 0; i < METRIC_COUNT; i++) {
        const struct metric_info *m = &metric_infos[i];
        int64_t value = metric_get((enum metric_id)i);
        snprintf(name, sizeof(name), "sluice_%s", m->name);
        metric_put_head(out, &(struct metric_family){name, "", m->kind, m->about});
        if (in_ns(m))
            buf_printf(out, "%s %.9f\n", name, (double)value / 1e9);
        else
            buf_printf(out, "%s %" PRId64 "\n", name, value);
    }
}
