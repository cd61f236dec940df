/* path: a request's path against a route's: "/dags/{dag_id}". Parts between slashes, each decoded
 * by itself.
 *
 * Loop: any thread. Memory: none of its own; parts point into the request. Limit: PATH_PARTS_MAX.
 */
#pragma once
#include "os/http.h"

enum { PATH_PARTS_MAX = 16 };
struct path {
    struct slice parts[PATH_PARTS_MAX];
    uint32_t count;
};
/* The request's parts from the n-th on; "/dags/" is "/dags". */
void path_read(struct http_request *r, uint32_t from, struct path *out);
/* How well it fits: 0 not at all; words count more than {names}. */
int path_fit(const char *pattern, const struct path *p);
struct slice path_named(const char *pattern, const struct path *p, const char *name); /* or {0} */
bool method_fits(struct slice asked, const char *method); /* HEAD is a GET */
