/* scram_ops: SCRAM passwords of a cluster's users. A password itself never travels: it is salted
 * here. */
#pragma once
#include "main/kafka/ask.h"

/* `name` NULL: all users that have one. */
MUST_CHECK err_t describe_scram(struct session *s, const char *name, struct diag *d);
/* Settings are SCRAM-SHA-256=[iterations=8192,password=secret]; deleted without a value. */
MUST_CHECK err_t alter_scram(struct session *s, struct slice user, const struct setting *settings,
                             int32_t count, struct diag *d);
