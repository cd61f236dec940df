/* door/metrics: Prometheus text at /metrics, health at /health, /healthz and /ready.
 * Loop: the one it is opened on. */
#pragma once
#include "exec/exec.h"
#include "exec/report.h"
#include "os/http.h"

struct metrics_door;
struct metrics_options {
    const char *address;
    uint16_t port;
    struct exec_world *world;
    void (*facts)(void *ctx, struct report_facts *out);
    void *ctx;
    void (*more)(void *ctx, struct buf *out); /* other doors' own, with labels; NULL: none */
};
MUST_CHECK err_t metrics_open(struct loop *l, const struct metrics_options *o,
                              struct metrics_door **out, struct diag *d);
/* The text of /metrics. Any thread, when facts and more are for any. */
MUST_CHECK err_t metrics_put(const struct metrics_options *o, struct buf *out);
void metrics_close(struct metrics_door *m);
uint16_t metrics_port(const struct metrics_door *m);
