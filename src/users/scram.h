/* users/scram: SCRAM's server side (RFC 5802, RFC 7677) for SHA-256 and SHA-512: three messages
 * each way at most, no channel binding, no plain password ever here.
 *
 * A name that does not exist, or has no verifier of the kind, gets a salt too, always the same one,
 * and fails at the end with the same words at the same cost. Loop: any thread, an exchange on one.
 * Memory: one struct, no more. Limit: SCRAM_MESSAGE_MAX a message.
 */
#pragma once
#include "users/users.h"

enum { SCRAM_MESSAGE_MAX = 1024, SCRAM_NONCE_SIZE = 24 };

const char *scram_name(enum scram kind); /* "SCRAM-SHA-256" */
bool scram_parse(struct slice name, enum scram *kind);

struct scram_exchange {
    enum scram kind;
    uint8_t stage; /* private */
    bool known;
    struct user user; /* after the first message; trusted only after scram_final answers OK */
    struct scram_verifier verifier;
    uint16_t bare_len, first_len, nonce_at, nonce_len, header_len;
    uint8_t header[3 * USERS_NAME_MAX + 8]; /* the gs2 header, which the client repeats */
    uint8_t texts[3 * SCRAM_MESSAGE_MAX];   /* client-first-bare "," server-first */
};

/* Begins an exchange with the client's first message and appends the server's. `nonce`: our part,
 * printable without commas, NULL for a random one. ERR_MALFORMED for what is no such message;
 * ERR_LOGIN for an authorization id of someone else. */
MUST_CHECK err_t scram_first(struct scram_exchange *x, struct users *u, enum scram kind,
                             struct slice message, const char *nonce, struct buf *out);
/* The client's last message; OK is a login, and what is appended proves us to the client.
 * ERR_LOGIN, ERR_MALFORMED. An exchange ends here, well or not. */
MUST_CHECK err_t scram_final(struct scram_exchange *x, struct slice message, struct buf *out);
void scram_forget(struct scram_exchange *x); /* wipes it */

/* What users.c makes verifiers with. */
MUST_CHECK err_t scram_salted(enum scram kind, struct slice password,
                              const struct scram_verifier *v, uint8_t out[SCRAM_KEY_MAX]);
MUST_CHECK err_t scram_keys(enum scram kind, const uint8_t *salted, struct scram_verifier *v);
