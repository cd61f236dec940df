/* secret: passwords and extras of connections and the values of variables, sealed where they rest
 * (AES-256-GCM, bound to the place they stand in), and hidden where they would be shown.
 *
 * Sealed bytes: a format's byte (1), four bytes that name the key, a nonce of 12, the text
 * enciphered, a tag of 16. Never logs a key. Loop: any thread. Memory: the caller's. Limit:
 * SECRET_KEYS_MAX keys, MASK_* below.
 */
#pragma once
#include "data/doc.h"

enum { SECRET_KEY = 32, SECRET_KEYS_MAX = 4, SECRET_COST = 33 };
struct secret_ring { /* the first seals; all open, so that a rotation may be cut short anywhere */
    uint8_t keys[SECRET_KEYS_MAX][SECRET_KEY];
    uint32_t count;
};
/* From the environment's text (SLUICE_WORKFLOW_KEY: 32 bytes in base64 or hex, "new,old" while one
 * is replaced, so that an Airflow's FERNET_KEY serves too), or, when that is NULL or empty, from
 * the file, one key a line, made at first use for its owner alone. `path` may be NULL with an
 * environment. */
MUST_CHECK err_t secret_ring_load(const char *path, const char *environment,
                                  struct secret_ring *out, struct diag *d);
/* A new key comes first in the file and in `r`. Then meta_reseal, then secret_ring_forget. */
MUST_CHECK err_t secret_ring_add(const char *path, struct secret_ring *r, struct diag *d);
/* Only the first is left, in the file and in `r`. */
MUST_CHECK err_t secret_ring_forget(const char *path, struct secret_ring *r, struct diag *d);
void secret_ring_done(struct secret_ring *r); /* nothing of it stays in memory */

/* `place` ("connection.password:warehouse") is part of what is sealed: a value moved to another row
 * does not open. */
MUST_CHECK err_t secret_seal(const struct secret_ring *r, struct slice place, struct slice plain,
                             struct buf *out, struct diag *d);
/* ERR_LOGIN: none of these keys is the one; ERR_CORRUPT: the bytes are damaged. */
MUST_CHECK err_t secret_open(const struct secret_ring *r, struct slice place, struct slice sealed,
                             struct buf *out, struct diag *d);
/* Whether the first key sealed it: otherwise a rotation has it still to do. */
bool secret_is_newest(const struct secret_ring *r, struct slice sealed);

/* --- hiding ----------------------------------------------------------------------------------- */
/* Whether a value of this name is never shown: it has password, secret, token, api_key … in it, in
 * any case; Airflow's list. */
bool secret_name(struct slice name);
/* JSON with "***" for the texts that stand under such names, at any depth, as Airflow's redact. */
void secret_put_json(struct buf *out, const struct doc *v);

/* Values that a try's log must not show: "***" stands where one would. */
enum { MASK_VALUES_MAX = 4096, MASK_VALUE_MAX = 64 << 10 };
struct mask;
struct mask *mask_new(void); /* caller owns; NULL when out of memory */
void mask_free(struct mask *k);
/* The empty text is no secret. A value of several lines is hidden line by line, since logs are. */
MUST_CHECK err_t mask_add(struct mask *k, struct slice value, struct diag *d);
/* Every text under a name of secret_name's kind, and everything in it. */
MUST_CHECK err_t mask_add_json(struct mask *k, const struct doc *v, struct diag *d);
/* All of them, at most MASK_VALUES_MAX; borrowed. */
uint32_t mask_values(const struct mask *k, struct slice *out, uint32_t max);
void mask_put(const struct mask *k, struct slice text, struct buf *out);
