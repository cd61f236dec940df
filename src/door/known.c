#include "door/known.h"

#include "base/hash.h"
#include "sched/zone.h"

#include <openssl/rand.h>

static const int64_t KNOWN_US = INT64_C(300) * SECOND_US;

err_t known_start(struct known_logins *k, struct diag *d)
{
    *k = (struct known_logins){0};
    if (RAND_bytes(k->salt, sizeof(k->salt)) == 1) return ERR_OK;
    return diag_fail(d, ERR_INTERNAL, "no random numbers");
}

static void mark_of(const struct known_logins *k, const char *name, struct slice password,
                    uint8_t out[32])
{
    struct buf b = buf_make(KIB(4));
    buf_text(&b, name);
    buf_char(&b, 0);
    buf_slice(&b, password);
    digest_hmac_sha256(slice_make(k->salt, sizeof(k->salt)), buf_view(&b), out);
    if (b.at) memset(b.at, 0, b.len);
    buf_done(&b);
}

bool known_is(const struct known_logins *k, const struct users *u, const char *name,
              struct slice password, int64_t now_us)
{
    uint8_t mark[32];
    if (password.len > USERS_PASSWORD_MAX) return false;
    mark_of(k, name, password, mark);
    const struct known_login *l = &k->slots[mark[0] % KNOWN_LOGINS];
    return l->until_us > now_us && l->users == users_version(u) &&
           memcmp(l->mark, mark, sizeof(mark)) == 0;
}

void known_add(struct known_logins *k, const struct users *u, const char *name,
               struct slice password, int64_t now_us)
{
    uint8_t mark[32];
    if (password.len > USERS_PASSWORD_MAX) return;
    mark_of(k, name, password, mark);
    struct known_login *l = &k->slots[mark[0] % KNOWN_LOGINS];
    memcpy(l->mark, mark, sizeof(mark));
    l->users = users_version(u);
    l->until_us = now_us + KNOWN_US;
}
