/* The client's side of a login: PLAIN (RFC 4616), SCRAM (RFC 5802, RFC 7677). */
#include "connect/kafka/client_int.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>

enum { TOKEN_MAX = 4096, HASH_MAX = EVP_MAX_MD_SIZE, NONCE_BYTES = 18, ITERATIONS_MAX = 1000000 };

static err_t step(struct kafka_client *k, struct node *n, struct slice token, struct arena *a,
                  struct slice *answer, struct diag *d)
{
    struct kafka_sasl_authenticate_request r;
    struct kafka_sasl_authenticate_response *out = NULL;
    int16_t version = MIN(n->knows[KAFKA_API_sasl_authenticate].last, (int16_t)2);
    kafka_init(&kafka_sasl_authenticate_request_message, &r);
    r.auth_bytes = token;
    err_t e = node_ask(k, n, KAFKA_API_sasl_authenticate, MAX(version, (int16_t)0), &r, a,
                       (void **)&out, d);
    if (e) return e;
    *answer = out->auth_bytes;
    e = kafka_client_error(out->error_code, out->error_message, d, "login as '%s'",
                           k->options.user);
    if (e && d) d->err = ERR_LOGIN;
    return e ? ERR_LOGIN : ERR_OK;
}

static err_t handshake(struct kafka_client *k, struct node *n, struct arena *a, struct diag *d)
{
    struct kafka_sasl_handshake_request r;
    struct kafka_sasl_handshake_response *out = NULL;
    kafka_init(&kafka_sasl_handshake_request_message, &r);
    r.mechanism = slice_of(k->options.mechanism);
    err_t e = node_ask(k, n, KAFKA_API_sasl_handshake, 1, &r, a, (void **)&out, d);
    if (!e)
        e = kafka_client_error(out->error_code, (struct slice){0}, d, "login by %s",
                               k->options.mechanism);
    return e;
}

static err_t login_plain(struct kafka_client *k, struct node *n, struct arena *a, struct diag *d)
{
    struct buf token = buf_make(TOKEN_MAX);
    struct slice answer;
    buf_be(&token, 0, 1);
    buf_text(&token, k->options.user);
    buf_be(&token, 0, 1);
    buf_text(&token, k->options.password);
    err_t e = token.err ? diag_fail(d, token.err, "user or password is too long")
                        : step(k, n, buf_view(&token), a, &answer, d);
    if (token.at) OPENSSL_cleanse(token.at, token.len);
    buf_done(&token);
    return e;
}

/* --- SCRAM ------------------------------------------------------------------------------------ */

struct scram_client {
    const EVP_MD *hash;
    struct buf first_bare, server_first, last_bare;
    struct slice nonce; /* the whole one, in server_first */
    struct buf salt;
    int iterations;
    uint8_t salted[HASH_MAX];
};

/* "a=…,b=…": the value of one attribute; at == NULL: it is not there. */
static struct slice attribute(struct slice text, char name)
{
    for (uint32_t i = 0; i + 1 < text.len; i++) {
        bool begins = i == 0 || text.at[i - 1] == ',';
        if (!begins || text.at[i] != (uint8_t)name || text.at[i + 1] != '=') continue;
        uint32_t end = i + 2;
        while (end < text.len && text.at[end] != ',') end++;
        return slice_make(text.at + i + 2, end - i - 2);
    }
    return (struct slice){0};
}

static bool hmac(const struct scram_client *s, const uint8_t *key, struct slice text, uint8_t *out)
{
    unsigned len = HASH_MAX;
    return HMAC(s->hash, key, EVP_MD_get_size(s->hash), text.at, text.len, out, &len) != NULL;
}

/* A name's commas and equal signs are escaped. */
static void put_name(struct buf *out, const char *name)
{
    for (; *name; name++) {
        if (*name == '=')
            buf_text(out, "=3D");
        else if (*name == ',')
            buf_text(out, "=2C");
        else
            buf_put(out, name, 1);
    }
}

static err_t begin(struct kafka_client *k, struct scram_client *s, struct diag *d)
{
    uint8_t random[NONCE_BYTES];
    if (RAND_bytes(random, sizeof(random)) != 1)
        return diag_fail(d, ERR_INTERNAL, "no random numbers for a login");
    buf_text(&s->first_bare, "n=");
    put_name(&s->first_bare, k->options.user);
    buf_text(&s->first_bare, ",r=");
    put_base64(&s->first_bare, slice_make(random, sizeof(random)));
    return s->first_bare.err;
}

/* "r=NONCE,s=SALT,i=COUNT": the nonce has to continue ours. */
static err_t take_challenge(struct scram_client *s, struct slice answer, struct diag *d)
{
    struct slice ours = attribute(buf_view(&s->first_bare), 'r');
    buf_put(&s->server_first, answer.at, answer.len);
    answer = buf_view(&s->server_first);
    s->nonce = attribute(answer, 'r');
    struct slice salt = attribute(answer, 's'), count = attribute(answer, 'i');
    char digits[12] = "";
    bool fits = ours.len && s->nonce.len > ours.len &&
                memcmp(s->nonce.at, ours.at, ours.len) == 0 && salt.len &&
                slice_to_cstr(count, digits, sizeof(digits));
    s->iterations = atoi(digits);
    if (!fits || s->iterations < 1 || s->iterations > ITERATIONS_MAX ||
        parse_base64(salt, &s->salt))
        return diag_fail(d, ERR_PEER, "the broker's SCRAM challenge is malformed");
    return ERR_OK;
}

/* The proof, and the signature by which the broker has to prove itself. */
static err_t prove(struct kafka_client *k, struct scram_client *s, uint8_t proof[HASH_MAX],
                   uint8_t signature[HASH_MAX])
{
    int size = EVP_MD_get_size(s->hash);
    uint8_t client_key[HASH_MAX], stored[HASH_MAX], server_key[HASH_MAX], client_sign[HASH_MAX];
    struct buf text = buf_make(3 * TOKEN_MAX);
    buf_put(&text, s->first_bare.at, s->first_bare.len);
    buf_text(&text, ",");
    buf_put(&text, s->server_first.at, s->server_first.len);
    buf_text(&text, ",");
    buf_put(&text, s->last_bare.at, s->last_bare.len);
    bool ok = !text.err &&
              PKCS5_PBKDF2_HMAC(k->options.password, (int)strlen(k->options.password), s->salt.at,
                                (int)s->salt.len, s->iterations, s->hash, size, s->salted) == 1 &&
              hmac(s, s->salted, SLICE("Client Key"), client_key) &&
              EVP_Digest(client_key, (size_t)size, stored, NULL, s->hash, NULL) == 1 &&
              hmac(s, stored, buf_view(&text), client_sign) &&
              hmac(s, s->salted, SLICE("Server Key"), server_key) &&
              hmac(s, server_key, buf_view(&text), signature);
    for (int i = 0; ok && i < size; i++) proof[i] = client_key[i] ^ client_sign[i];
    OPENSSL_cleanse(client_key, sizeof(client_key));
    OPENSSL_cleanse(s->salted, sizeof(s->salted));
    buf_done(&text);
    return ok ? ERR_OK : ERR_INTERNAL;
}

static err_t check_server(const struct scram_client *s, struct slice answer,
                          const uint8_t *signature, struct diag *d)
{
    struct buf told = buf_make(KIB(1));
    size_t size = (size_t)EVP_MD_get_size(s->hash);
    bool same = parse_base64(attribute(answer, 'v'), &told) == ERR_OK && told.len == size &&
                CRYPTO_memcmp(told.at, signature, size) == 0;
    buf_done(&told);
    return same ? ERR_OK
                : diag_fail(d, ERR_LOGIN,
                            "the broker does not know the password either: it is not "
                            "who it says it is");
}

static err_t scram_talk(struct kafka_client *k, struct node *n, struct scram_client *s,
                        struct arena *a, struct diag *d)
{
    uint8_t proof[HASH_MAX], signature[HASH_MAX];
    struct buf token = buf_make(TOKEN_MAX);
    struct slice answer = {0};
    err_t e = begin(k, s, d);
    buf_text(&token, "n,,");
    buf_put(&token, s->first_bare.at, s->first_bare.len);
    if (!e) e = step(k, n, buf_view(&token), a, &answer, d);
    if (!e) e = take_challenge(s, answer, d);
    if (!e) {
        buf_text(&s->last_bare, "c=biws,r=");
        buf_put(&s->last_bare, s->nonce.at, s->nonce.len);
        e = prove(k, s, proof, signature);
    }
    if (!e) {
        token.len = 0;
        buf_put(&token, s->last_bare.at, s->last_bare.len);
        buf_text(&token, ",p=");
        put_base64(&token, slice_make(proof, (size_t)EVP_MD_get_size(s->hash)));
        e = token.err;
    }
    if (!e) e = step(k, n, buf_view(&token), a, &answer, d);
    if (!e) e = check_server(s, answer, signature, d);
    buf_done(&token);
    return e;
}

static err_t login_scram(struct kafka_client *k, struct node *n, const EVP_MD *hash,
                         struct arena *a, struct diag *d)
{
    struct scram_client s = {.hash = hash,
                             .first_bare = buf_make(TOKEN_MAX),
                             .server_first = buf_make(TOKEN_MAX),
                             .last_bare = buf_make(TOKEN_MAX),
                             .salt = buf_make(KIB(1))};
    err_t e = scram_talk(k, n, &s, a, d);
    buf_done(&s.first_bare);
    buf_done(&s.server_first);
    buf_done(&s.last_bare);
    buf_done(&s.salt);
    return e;
}

err_t node_login(struct kafka_client *k, struct node *n, struct diag *d)
{
    const char *mechanism = k->options.mechanism;
    const EVP_MD *hash = strcmp(mechanism, "SCRAM-SHA-256") == 0   ? EVP_sha256()
                         : strcmp(mechanism, "SCRAM-SHA-512") == 0 ? EVP_sha512()
                                                                   : NULL;
    if (!hash && strcmp(mechanism, "PLAIN") != 0) {
        (void)diag_fail(d, ERR_USAGE, "there is no login by '%s'", mechanism);
        return diag_hint(d, "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512");
    }
    struct arena *a = arena_new(MIB(1));
    if (!a) return diag_fail(d, ERR_NO_MEMORY, "no memory for a login");
    err_t e = handshake(k, n, a, d);
    if (!e) e = hash ? login_scram(k, n, hash, a, d) : login_plain(k, n, a, d);
    arena_free(a);
    return e;
}
