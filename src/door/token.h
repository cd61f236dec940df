/* token: JSON Web Tokens (RFC 7519), signed with HS256. A token says who, for what, and since when;
 * it is good while it is not too old, and while its user's password is the one it was made with.
 *
 * Loop: any thread. Memory: what is read lies in the caller's arena. Limit: TOKEN_MAX bytes.
 */
#pragma once
#include "users/users.h"

enum { TOKEN_MAX = 4096 };
struct token {
    struct slice name; /* the user's */
    char proof[17];    /* token_proof of the password it was made with */
    uint64_t number;   /* whose it is of all that one user has */
    int64_t made_us, until_us;
};
struct token_made {
    const char *audience; /* what it is good for */
    int64_t now_us, good_us;
    uint64_t number;
};
void token_make(struct slice key, const struct user *u, const struct token_made *m,
                struct buf *out);
/* ERR_LOGIN: not one of ours; ERR_TIMEOUT: no longer good. */
MUST_CHECK err_t token_read(struct slice key, const char *audience, struct slice token,
                            int64_t now_us, struct arena *a, struct token *out);
void token_proof(const struct user *u, char out[17]); /* changes with the password */
