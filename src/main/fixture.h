/* fixture: the records of a project's tests/NAME.yaml, for who wants examples of a topic's records.
 * Only those that are expected to live. What a fixture is, verb_test.c says. After project_check.
 */
#pragma once
#include "main/project.h"

/* Each record of the fixtures whose stream reads `topic`; `each` answers whether it wants more. */
MUST_CHECK err_t fixture_records(struct project *p, struct slice topic,
                                 bool (*each)(void *ctx, struct slice record), void *ctx,
                                 struct diag *d);
