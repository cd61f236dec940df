/* connect's own: what the kinds share. Private to this room. */
#pragma once
#include "connect/connect.h"

extern const struct connect_kind connect_http, connect_generator;

/* ${env:NAME} and ${file:PATH} replaced. What was put in is a secret: never in a log or an error.
 * ERR_CONFIG names the variable that is not set. */
MUST_CHECK err_t connect_secrets(struct slice text, const char *option, struct buf *out,
                                 struct diag *d);

/* A cursor or a query is "name=value&name=value", without escapes: the value of `name`; {0} when it
 * is not there. `separator` stands between the pairs. */
struct slice connect_pair(struct slice pairs, char separator, const char *name);
