/* users: who may come in, for all doors. One table in one file; passwords are kept as SCRAM
 * verifiers only, from which no password can be read back.
 *
 * Loop: any thread (one lock inside). Memory: users_max small records. Limit: USERS_MAX people,
 * USERS_NAME_MAX and USERS_PASSWORD_MAX bytes. Never logs a password.
 */
#pragma once
#include "base/bytes.h"

enum { USERS_MAX = 10000, USERS_NAME_MAX = 64, USERS_PASSWORD_MAX = 512, USERS_ITERATIONS = 4096 };
enum { USERS_ITERATIONS_MOST = 16384 }; /* as Kafka takes them from its clients */
enum user_role {
    ROLE_NONE, /* only what permissions give (users_permit): made by CQL's CREATE ROLE */
    ROLE_VIEWER,
    ROLE_USER,
    ROLE_OP,
    ROLE_ADMIN
}; /* each may do what those before may */

enum scram { SCRAM_SHA_256, SCRAM_SHA_512, SCRAM_KINDS };
enum { SCRAM_SALT = 16 /* of the passwords made here */, SCRAM_SALT_MAX = 64, SCRAM_KEY_MAX = 64 };
struct scram_verifier {
    uint32_t iterations; /* 0: the user has none of this kind */
    uint8_t salt_size;
    uint8_t salt[SCRAM_SALT_MAX], stored_key[SCRAM_KEY_MAX], server_key[SCRAM_KEY_MAX];
};
static inline size_t scram_key_size(enum scram kind)
{
    return kind == SCRAM_SHA_256 ? 32 : 64;
}

enum { USERS_WORDS_MAX = 256 };
struct user_about { /* what people say of him; "": nothing */
    char first[USERS_WORDS_MAX + 1], last[USERS_WORDS_MAX + 1], email[USERS_WORDS_MAX + 1];
};
struct user {
    char name[USERS_NAME_MAX + 1];
    enum user_role role;
    struct user_about about;
    bool well_known; /* still has the password of the tutorials: loopback only */
    bool no_login;   /* a role for others to be members of */
    struct scram_verifier scram[SCRAM_KINDS];
};

struct users;
/* Reads the file; a missing one becomes a table with admin/admin (admin) and cassandra/cassandra
 * (admin), as tutorials expect, marked well_known. */
MUST_CHECK err_t users_open(const char *path, struct users **out, struct diag *d);
void users_close(struct users *u);
MUST_CHECK err_t users_find(struct users *u, struct slice name,
                            struct user *out); /* ERR_NOT_FOUND */
/* Is this the password? Costs the same for a name that does not exist. */
MUST_CHECK err_t users_check(struct users *u, struct slice name, struct slice password,
                             struct user *out); /* ERR_LOGIN */
/* Adds, or changes what is there; durable when it answers OK. */
MUST_CHECK err_t users_set(struct users *u, struct slice name, struct slice password,
                           enum user_role role, struct diag *d);
/* A name that nobody has yet: ERR_EXISTS. */
MUST_CHECK err_t users_add(struct users *u, struct slice name, struct slice password,
                           enum user_role role, struct diag *d);
/* Another password of who is there, and nothing else of his: ERR_NOT_FOUND. */
MUST_CHECK err_t users_password(struct users *u, struct slice name, struct slice password,
                                struct diag *d);
MUST_CHECK err_t users_set_role(struct users *u, struct slice name, enum user_role role,
                                struct diag *d);
MUST_CHECK err_t users_remove(struct users *u, struct slice name,
                              struct diag *d); /* never the last admin */
MUST_CHECK err_t users_each(struct users *u, err_t (*each)(void *ctx, const struct user *user),
                            void *ctx);
/* A change as a person words it, the same whoever carries it out: the command line, or the server
 * it asks. */
struct users_act {
    struct slice what; /* add, passwd, role, remove */
    struct slice name, password /* add, passwd */, role /* role; of add: at NULL for viewer */;
};
MUST_CHECK err_t users_act(struct users *u, const struct users_act *a, struct diag *d);
/* Several things of one user at once, with one durable write. */
struct user_change {
    bool add; /* he must be new (ERR_EXISTS); otherwise he must be there (ERR_NOT_FOUND) */
    struct slice password; /* at NULL: as it is; of a new one: none, nobody comes in with it */
    int role;              /* -1: as it is */
    const struct user_about *about; /* NULL: as it is; ERR_EXISTS: another has that email */
    const struct slice *member_of;  /* all that he is a member of; NULL: as it is */
    uint32_t member_count;
};
MUST_CHECK err_t users_change(struct users *u, struct slice name, const struct user_change *c,
                              struct diag *d);
/* There only for others to be members of: no login, no password. */
bool user_is_group(const struct user *u);
/* One mechanism's credential alone, as Kafka's clients give it: the salted password, which becomes
 * a verifier. Adds the user (ROLE_USER) when there is none. The password of the tutorials does not
 * live on in the other mechanism. ERR_CREDENTIAL: what can not be one. */
MUST_CHECK err_t users_credential_set(struct users *u, struct slice name, enum scram kind,
                                      int64_t iterations, struct slice salt, struct slice salted,
                                      struct diag *d);
/* ERR_USER_UNKNOWN when there is none. With the last credential the user goes. */
MUST_CHECK err_t users_credential_remove(struct users *u, struct slice name, enum scram kind,
                                         struct diag *d);
/* 32 bytes for a name that nobody has: the same while this table is open. */
void users_disguise(const struct users *u, enum scram kind, struct slice name, uint8_t out[32]);
bool users_any_well_known(struct users *u); /* a listener beyond loopback refuses to start then */
/* --- roles as Cassandra has them: members of others, permissions on resources (docs/roles.md) ----
 */

enum { USERS_MEMBERS_MAX = 100000, USERS_PERMITS_MAX = 100000, USERS_RESOURCE_MAX = 400 };
enum user_permission { /* Cassandra's, in its order */
                       USER_CREATE,
                       USER_ALTER,
                       USER_DROP,
                       USER_SELECT,
                       USER_MODIFY,
                       USER_AUTHORIZE,
                       USER_DESCRIBE,
                       USER_EXECUTE,
                       USER_UNMASK,
                       USER_SELECT_MASKED,
                       USER_PERMISSIONS
};
const char *user_permission_name(enum user_permission p);
struct role_change {
    struct slice password; /* at NULL: as it is */
    int login, superuser;  /* -1: as it is (of a new role: no) */
};
MUST_CHECK err_t users_role_create(struct users *u, struct slice name, const struct role_change *c,
                                   struct diag *d); /* ERR_EXISTS */
MUST_CHECK err_t users_role_alter(struct users *u, struct slice name, const struct role_change *c,
                                  struct diag *d); /* ERR_NOT_FOUND */
/* `member` becomes a member of `role`, or is none any more: ERR_EXISTS, ERR_NOT_FOUND when it is so
 * already, or would be a circle; both must be there. */
MUST_CHECK err_t users_member_set(struct users *u, struct slice role, struct slice member, bool is,
                                  struct diag *d);
MUST_CHECK err_t users_members(struct users *u,
                               err_t (*each)(void *ctx, const char *role, const char *member),
                               void *ctx);
/* Bits 1 << user_permission; *changed: those that were not so before. Resources by Cassandra's
 * names: data, data/keyspace, data/keyspace/table, roles, roles/name, functions … */
MUST_CHECK err_t users_permit(struct users *u, struct slice role, struct slice resource,
                              uint32_t bits, bool give, uint32_t *changed, struct diag *d);
MUST_CHECK err_t users_permits(struct users *u,
                               err_t (*each)(void *ctx, const char *role, const char *resource,
                                             uint32_t bits),
                               void *ctx);
/* What is dropped has no permissions: this resource, and those below it. */
MUST_CHECK err_t users_resource_gone(struct users *u, struct slice resource, struct diag *d);
/* What this user may on any of these resources, with all roles it is a member of. */
struct user_allowed {
    uint32_t bits;       /* what was granted */
    enum user_role most; /* the highest of its roles' */
    bool known, login;   /* its own */
};
struct user_allowed users_allowed(struct users *u, struct slice name, const struct slice *resources,
                                  uint32_t count);
/* Is `member` (or what it is a member of, and so on) a member of `role`, or role itself? */
bool users_is_member(struct users *u, struct slice member, struct slice role);
uint64_t users_version(const struct users *u); /* changes with every change */
const char *role_name(enum user_role r);
bool role_parse(struct slice text, enum user_role *out);
