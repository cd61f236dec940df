/* door/randomuser: the RandomUser API over HTTP, made locally; and, on request, the real site's
 * faults.
 *
 *   GET /                                 what this is
 *   GET /api/ and /api/1.0/ … /api/1.4/   people (people.h judges the parameters)
 *   GET /api/portraits/{med,thumb,}/{men,women,lego}/N.jpg
 *   …?fault=NAME or NAME@N                the fault (faults.def) in this answer, or in every N-th
 *
 * Loop: the one it is opened on; 5,000 people take it about 10 ms. Memory: a cache of at most 621
 * portraits. Limit: LATE_MAX answers that wait or stream at a time. Keeps no state of its own but
 * the rate limit's counts.
 */
#pragma once
#include "base/bytes.h"
#include "os/http.h"

struct randomuser_door;
struct randomuser_options {
    const char *address;
    uint16_t port;
    bool rate_limit;   /* 429 past 20,000 users in 300 s from one address */
    const char *fault; /* NULL; or one of the faults, for every request */
};
MUST_CHECK err_t randomuser_open(struct loop *l, const struct randomuser_options *o,
                                 struct randomuser_door **out, struct diag *d);
void randomuser_close(struct randomuser_door *r); /* NULL is fine */
uint16_t randomuser_port(const struct randomuser_door *r);
struct http_counts randomuser_counts(const struct randomuser_door *r); /* any thread */
/* The faults by name, each with a sentence: for `sluice help faults`. */
void randomuser_faults_help(struct buf *out);
