/* known: logins that were right a moment ago, so that a script's password need not be hashed with
 * each of its requests. Keeps no password: a keyed digest of it.
 *
 * Loop: one. Memory: KNOWN_LOGINS slots, which logins share by hash. Forgets after five minutes,
 * and all of them with any change of the users.
 */
#pragma once
#include "users/users.h"

enum { KNOWN_LOGINS = 64 };
struct known_logins {
    uint8_t salt[32];
    struct known_login {
        uint8_t mark[32];
        uint64_t users;
        int64_t until_us;
    } slots[KNOWN_LOGINS];
};
MUST_CHECK err_t known_start(struct known_logins *k, struct diag *d);
bool known_is(const struct known_logins *k, const struct users *u, const char *name,
              struct slice password, int64_t now_us);
void known_add(struct known_logins *k, const struct users *u, const char *name,
               struct slice password, int64_t now_us);
