/* docs/metrics.md's list: every name that /metrics can say, from the tables of the rooms. */
#include "main/metrics_help.h"

#include "door/cql/cql_door.h"
#include "door/kafka/kafka_door.h"
#include "door/metrics/figures.h"

struct listing {
    struct buf *out;
    const char *head; /* of the names that are listed now; NULL: what no head takes */
};
static const char *const heads[] = {"sluice_", "kafka_", "cassandra_", "airflow_", "spark_", NULL};

static void put_family(void *ctx, const struct metric_family *f)
{
    const struct listing *l = ctx;
    bool known = false;
    for (size_t i = 0; heads[i]; i++) known |= slice_starts(slice_of(f->name), heads[i]);
    if (l->head ? !slice_starts(slice_of(f->name), l->head) : known) return;
    buf_printf(l->out, "| `%s` | %s | %s | %s |\n", f->name, metric_kind_name(f->kind), f->labels,
               f->about);
}

void metrics_help(struct buf *out)
{
    static const char *const titles[] = {"Sluice's own", "Kafka's", "Cassandra's",
                                         "Airflow's",    "Spark's", "Of any process"};
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        struct listing l = {out, heads[i]};
        buf_printf(out, "\n### %s\n\n| name | kind | labels | what it is |\n|---|---|---|---|\n",
                   titles[i]);
        metric_families(put_family, &l);
        metrics_families(put_family, &l);
        kafka_door_families(put_family, &l);
        cql_door_families(put_family, &l);
        cql_families(put_family, &l);
    }
}
