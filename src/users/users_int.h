/* users_int: what the files of this room share. Private. */
#pragma once
#include "base/vec.h"
#include "os/thread.h"
#include "users/scram.h"
#include <stdatomic.h>

struct user_member {
    char member[USERS_NAME_MAX + 1],
        role[USERS_NAME_MAX + 1]; /* the first is a member of the second */
};
struct user_permit {
    char role[USERS_NAME_MAX + 1], resource[USERS_RESOURCE_MAX + 1];
    uint32_t bits; /* never 0 */
};
struct users {
    struct gate gate;
    char path[4096];
    struct vec list;    /* of struct user, by name */
    struct vec members; /* of struct user_member */
    struct vec permits; /* of struct user_permit */
    uint8_t secret[32]; /* what users_disguise mixes in */
    _Atomic uint64_t version;
};
/* All within the gate. */
struct user *users_named(struct users *u, struct slice name);
size_t users_admins(const struct users *u);
MUST_CHECK err_t users_save(struct users *u, struct diag *d);
/* Puts `user` in the table (added, or in the place of the one of its name) and on disk; on a
 * failure the table in memory is what it was. */
MUST_CHECK err_t users_put(struct users *u, const struct user *user, struct diag *d);
bool users_name_is_fine(struct slice name);
MUST_CHECK err_t users_scram_make(struct user *user, struct slice password);
/* users_roles.c */
bool users_member_of(struct users *u, struct slice member, struct slice role);
MUST_CHECK err_t users_members_copy(struct vec *out, const struct users *u);
/* users_roles.c: what a user that goes leaves behind is taken along; on a failure put back. */
struct users_left {
    struct vec members, permits;
};
MUST_CHECK err_t users_leave(struct users *u, struct slice name, struct users_left *before);
void users_unleave(struct users *u, struct users_left *before, bool put_back);
