/* permit: who may do what (docs/roles.md). Private to this room. */
#pragma once
#include "cql/cql_int.h"

enum { PERMIT_ALL = (1 << PERMIT_KINDS) - 1 };
const char *permission_name(enum cql_permission p);
/* Answers ERR_FORBIDDEN with Cassandra's words. */
MUST_CHECK err_t permit_resource(struct cql_call *c, const struct cql_resource *r,
                                 enum cql_permission p);
/* You have to be logged in: what statements about roles ask first. */
MUST_CHECK err_t permit_not_anonymous(struct cql_call *c);
bool permit_is_superuser(struct cql_call *c);
/* The bits that the session's user has on this very resource or a parent of it. */
MUST_CHECK err_t permit_bits(struct cql_call *c, const struct cql_resource *r, uint32_t *bits);

/* Resources in Cassandra's two ways: "<table k.t>" and "data/k/t". */
void resource_put(struct buf *out, const struct cql_resource *r);
void resource_put_name(struct buf *out, const struct cql_resource *r);
/* The way back; slices point into `name`. false: none that we know. */
bool resource_parse(struct slice name, struct cql_resource *out);
bool resource_parent(const struct cql_resource *r, struct cql_resource *out);
uint32_t resource_applicable(const struct cql_resource *r);
/* The level of a user of the other doors, as permissions on <all keyspaces>. */
uint32_t level_bits(enum user_role level);
/* Whoever made it may do all with it; what was dropped has no permissions any more. */
void permit_created(struct cql_call *c, const struct cql_resource *r);
void permit_dropped(struct cql_call *c, const struct cql_resource *r);
