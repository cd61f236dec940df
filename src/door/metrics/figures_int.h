/* figures_int: how a part of /metrics says its figures. Each family has its own text, so that a
 * part walks what it knows once, whatever order the families are written in. */
#pragma once
#include "door/metrics/figures.h"
#include "os/thread.h"

enum figure_id {
#define FAMILY(id, name, kind, labels, about) FIGURE_##id,
#include "door/metrics/families.def"
#undef FAMILY
    FIGURE_COUNT
};
struct figures {
    struct buf parts[FIGURE_COUNT];
};
/* `labels`: the values, as many as the family's row names. */
void figure(struct figures *f, enum figure_id id, const struct slice *labels, double value);
void figures_reset(struct figures *f, enum figure_id from, enum figure_id to);

struct flow_names; /* of streams */
struct metrics {
    struct metrics_options o;
    struct gate gate; /* guards what follows */
    bool busy;
    struct figures figures;
    struct arena *arena; /* of one gathering */
    struct meta *meta;   /* opened when it is first needed */
    uint64_t digest;     /* of the workflows' database, as the runs were counted */
    bool counted;
};

/* A part each; what can not be told now is left out, and told by the absence of its samples. */
void figures_stages(struct metrics *m, const struct report_facts *facts);
void figures_kafka(struct metrics *m);
void figures_tables(struct metrics *m);
void figures_workflows(struct metrics *m);
