/* things_int: what variables, connections and the other things share. */
#pragma once
#include "sched/things.h"

uint32_t thing_length(struct slice text); /* in characters */
/* PREFIX and the name in capitals; NULL: not set. */
const char *thing_environment(const char *prefix, struct slice name);
bool thing_text(const struct meta_value *v, struct arena *a, struct slice *out); /* a copy */
/* A secret of the row `name`; {0} and NULL stand for one another. */
MUST_CHECK err_t thing_seal(struct meta *m, const char *place, struct slice name,
                            struct slice plain, struct buf *room, struct meta_value *out,
                            struct diag *d);
MUST_CHECK err_t thing_unseal(struct meta *m, const char *place, struct slice name,
                              const struct meta_value *v, struct arena *a, struct slice *out,
                              struct diag *d);
/* thing_files.c: ERR_NOT_FOUND: the project's files do not say it. */
struct connection;
MUST_CHECK err_t connection_of_file(struct meta *m, struct slice id, struct arena *a,
                                    struct connection *out, struct diag *d);
MUST_CHECK err_t variable_of_file(struct meta *m, struct slice key, struct arena *a,
                                  struct variable *out, struct diag *d);
