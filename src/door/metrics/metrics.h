/* door/metrics: Prometheus text at /metrics, health at /health, /healthz and /ready.
 *
 * Loop: the one it is opened on; the text is gathered on a thread of its own. Memory: one text at a
 * time. Limit: so many scrapes wait as METRICS_WAITING_MAX says, one more is answered 503.
 */
#pragma once
#include "door/metrics/figures.h"
#include "os/http.h"

enum { METRICS_WAITING_MAX = 16 };
struct metrics_door;
struct metrics_door_options {
    const char *address;
    uint16_t port;
    struct metrics *metrics; /* outlives the door */
    struct exec_world *world;
    void (*facts)(void *ctx, struct report_facts *out); /* the loop's */
    void *ctx;
};
MUST_CHECK err_t metrics_open(struct loop *l, const struct metrics_door_options *o,
                              struct metrics_door **out, struct diag *d);
void metrics_close(struct metrics_door *m);
uint16_t metrics_port(const struct metrics_door *m);
struct http_counts metrics_counts(const struct metrics_door *m); /* any thread */
