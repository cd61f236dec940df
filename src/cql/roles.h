/* roles: what the files about roles share. Private to this room. */
#pragma once
#include "cql/permit.h"
#include "cql/virtual.h"

enum { RESOURCE_TEXT_MAX = USERS_RESOURCE_MAX + 64 };

struct users *roles_users(const struct cql_call *c);
bool roles_exists(const struct cql_call *c, struct slice name);
struct slice roles_own_name(const struct cql_call *c);
/* Is this role, or one it is a member of, an admin? */
bool roles_is_super(const struct cql_call *c, struct slice name);
bool roles_session_is_super(struct cql_call *c);
/* The statement's resource: a table without its keyspace is the session's. */
MUST_CHECK err_t roles_resource(struct cql_call *c, struct cql_resource *out);
bool roles_resource_exists(struct cql_call *c, const struct cql_resource *r);
uint32_t roles_wanted_bits(const struct cql_permission_tree *t);
/* roles_list.c */
MUST_CHECK err_t roles_list(struct cql_call *c);
MUST_CHECK err_t roles_list_permissions(struct cql_call *c);
