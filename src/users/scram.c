#include "users/scram.h"

#include "base/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

enum { STAGE_NEW, STAGE_FIRST, STAGE_OVER };

static const char *const names[] = {"SCRAM-SHA-256", "SCRAM-SHA-512"};

const char *scram_name(enum scram kind)
{
    return names[kind];
}

bool scram_parse(struct slice name, enum scram *kind)
{
    for (enum scram k = 0; k < SCRAM_KINDS; k++) {
        if (!slice_is(name, names[k])) continue;
        *kind = k;
        return true;
    }
    return false;
}

/* --- keys ------------------------------------------------------------------------------------- */

static const EVP_MD *digest_of(enum scram kind)
{
    return kind == SCRAM_SHA_256 ? EVP_sha256() : EVP_sha512();
}

static bool hmac(enum scram kind, const uint8_t *key, struct slice text, uint8_t *out)
{
    return HMAC(digest_of(kind), key, (int)scram_key_size(kind), text.at, text.len, out, NULL) !=
           NULL;
}

err_t scram_salted(enum scram kind, struct slice password, const struct scram_verifier *v,
                   uint8_t out[SCRAM_KEY_MAX])
{
    return PKCS5_PBKDF2_HMAC((const char *)password.at, (int)password.len, v->salt, v->salt_size,
                             (int)v->iterations, digest_of(kind), (int)scram_key_size(kind),
                             out) == 1
               ? ERR_OK
               : ERR_INTERNAL;
}

err_t scram_keys(enum scram kind, const uint8_t *salted, struct scram_verifier *v)
{
    uint8_t client[SCRAM_KEY_MAX];
    bool fine =
        hmac(kind, salted, SLICE("Client Key"), client) &&
        EVP_Digest(client, scram_key_size(kind), v->stored_key, NULL, digest_of(kind), NULL) == 1 &&
        hmac(kind, salted, SLICE("Server Key"), v->server_key);
    OPENSSL_cleanse(client, sizeof(client));
    return fine ? ERR_OK : ERR_INTERNAL;
}

/* --- messages --------------------------------------------------------------------------------- */

/* "n=user" of the text in front; moves past it and its comma. */
static bool take_attribute(struct slice *text, char name, struct slice *value)
{
    if (text->len < 2 || text->at[0] != name || text->at[1] != '=') return false;
    uint32_t end = 2;
    while (end < text->len && text->at[end] != ',') end++;
    *value = slice_make(text->at + 2, end - 2);
    uint32_t next = end + (end < text->len);
    *text = slice_make(text->at + next, text->len - next);
    return true;
}

/* A saslname: UTF-8 without commas, where "=2C" and "=3D" stand for ',' and '='. A name longer than
 * any of ours stays cut: nobody has it. */
static bool unescape(struct slice text, char out[USERS_NAME_MAX + 2])
{
    uint32_t n = 0;
    if (!text.len) return false;
    for (uint32_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        if (c == 0) return false;
        if (c == '=') {
            struct slice code = slice_make(text.at + i, MIN(text.len - i, 3u));
            if (!slice_is(code, "=2C") && !slice_is(code, "=3D")) return false;
            c = text.at[i + 1] == '2' ? ',' : '=';
            i += 2;
        }
        if (n <= USERS_NAME_MAX) out[n++] = (char)c;
    }
    out[n] = 0;
    return true;
}

static bool printable(struct slice s)
{
    for (uint32_t i = 0; i < s.len; i++)
        if (s.at[i] < 0x21 || s.at[i] > 0x7e || s.at[i] == ',') return false;
    return s.len > 0;
}

/* "n,," or "y,,", with "a=saslname" between the commas: what a client without channel binding
 * says. */
static bool take_header(struct slice *text, char authzid[USERS_NAME_MAX + 2], uint32_t *size)
{
    const uint8_t *begun = text->at;
    struct slice value;
    authzid[0] = 0;
    if (text->len < 3 || (text->at[0] != 'n' && text->at[0] != 'y') || text->at[1] != ',')
        return false;
    *text = slice_make(text->at + 2, text->len - 2);
    if (text->at[0] == ',')
        *text = slice_make(text->at + 1, text->len - 1);
    else if (!take_attribute(text, 'a', &value) || !unescape(value, authzid) || !text->len)
        return false;
    *size = (uint32_t)(text->at - begun);
    return true;
}

/* The credentials of the name, or ones that nobody has a password for: the same each time, so that
 * names can not be told from each other by asking. */
static err_t find_credentials(struct scram_exchange *x, struct users *u, const char *name)
{
    struct scram_verifier *v = &x->verifier;
    x->known =
        users_find(u, slice_of(name), &x->user) == ERR_OK && x->user.scram[x->kind].iterations > 0;
    if (x->known) {
        *v = x->user.scram[x->kind];
        return ERR_OK;
    }
    uint8_t made[SCRAM_KEY_MAX];
    users_disguise(u, x->kind, slice_of(name), made);
    *v = (struct scram_verifier){.iterations = USERS_ITERATIONS, .salt_size = SCRAM_SALT};
    memcpy(v->salt, made, SCRAM_SALT);
    return RAND_bytes(v->stored_key, (int)scram_key_size(x->kind)) == 1 ? ERR_OK : ERR_INTERNAL;
}

static err_t answer_first(struct scram_exchange *x, struct slice bare, struct slice client_nonce,
                          const char *nonce, struct buf *out)
{
    uint8_t random[SCRAM_NONCE_SIZE];
    struct buf text = buf_over(x->texts, sizeof(x->texts));
    buf_slice(&text, bare);
    buf_char(&text, ',');
    size_t begun = text.len;
    buf_text(&text, "r=");
    x->nonce_at = (uint16_t)text.len;
    buf_slice(&text, client_nonce);
    if (nonce)
        buf_text(&text, nonce);
    else if (RAND_bytes(random, sizeof(random)) == 1)
        put_base64(&text, slice_make(random, sizeof(random)));
    else
        return ERR_INTERNAL;
    x->nonce_len = (uint16_t)(text.len - x->nonce_at);
    buf_text(&text, ",s=");
    put_base64(&text, slice_make(x->verifier.salt, x->verifier.salt_size));
    buf_printf(&text, ",i=%u", x->verifier.iterations);
    if (text.err) return text.err;
    x->bare_len = (uint16_t)bare.len;
    x->first_len = (uint16_t)(text.len - begun);
    buf_put(out, text.at + begun, x->first_len);
    return out->err;
}

err_t scram_first(struct scram_exchange *x, struct users *u, enum scram kind, struct slice message,
                  const char *nonce, struct buf *out)
{
    char authzid[USERS_NAME_MAX + 2], name[USERS_NAME_MAX + 2];
    struct slice rest = message, escaped, client_nonce;
    uint32_t header = 0;
    *x = (struct scram_exchange){.kind = kind, .stage = STAGE_OVER};
    if (message.len > SCRAM_MESSAGE_MAX || !take_header(&rest, authzid, &header) ||
        header > sizeof(x->header))
        return ERR_MALFORMED;
    struct slice bare = rest; /* "m=": an extension that we would have to know */
    if (!take_attribute(&rest, 'n', &escaped) || !unescape(escaped, name) ||
        !take_attribute(&rest, 'r', &client_nonce) || !printable(client_nonce))
        return ERR_MALFORMED;
    if (authzid[0] && strcmp(authzid, name) != 0) return ERR_LOGIN;
    memcpy(x->header, message.at, header);
    x->header_len = (uint16_t)header;
    err_t e = find_credentials(x, u, name);
    if (!e) e = answer_first(x, bare, client_nonce, nonce, out);
    if (!e) x->stage = STAGE_FIRST;
    return e;
}

/* Where the proof's attribute begins: the last one. 0: there is none. */
static uint32_t proof_at(struct slice message)
{
    for (uint32_t i = message.len; i-- > 0;)
        if (message.at[i] == ',') return i;
    return 0;
}

static bool decode(struct slice text, uint8_t *into, size_t cap, size_t *size)
{
    struct buf b = buf_over(into, cap);
    bool fine = parse_base64(text, &b) == ERR_OK && !b.err;
    *size = b.len;
    return fine;
}

static bool ends_with(struct slice text, struct slice end)
{
    return text.len >= end.len &&
           slice_equal(slice_make(text.at + text.len - end.len, end.len), end);
}

/* "c=BINDING,r=NONCE[,extensions]" repeats what was agreed on. The nonce may begin with more:
 * librdkafka before 2.11 says the client's part twice, and Kafka has always let it. What is fresh
 * is all there, and the proof covers what was said. */
static bool agrees(const struct scram_exchange *x, struct slice without_proof)
{
    uint8_t binding[sizeof(x->header)];
    struct slice text, nonce;
    size_t size;
    return take_attribute(&without_proof, 'c', &text) &&
           decode(text, binding, sizeof(binding), &size) && size == x->header_len &&
           memcmp(binding, x->header, size) == 0 && take_attribute(&without_proof, 'r', &nonce) &&
           ends_with(nonce, slice_make(x->texts + x->nonce_at, x->nonce_len));
}

/* ClientKey = ClientProof XOR HMAC(StoredKey, AuthMessage); is its digest the StoredKey? */
static bool proves(const struct scram_exchange *x, struct slice auth, const uint8_t *proof)
{
    uint8_t key[SCRAM_KEY_MAX], stored[SCRAM_KEY_MAX];
    size_t size = scram_key_size(x->kind);
    if (!hmac(x->kind, x->verifier.stored_key, auth, key)) return false;
    for (size_t i = 0; i < size; i++) key[i] ^= proof[i];
    bool same = EVP_Digest(key, size, stored, NULL, digest_of(x->kind), NULL) == 1 &&
                CRYPTO_memcmp(stored, x->verifier.stored_key, size) == 0;
    OPENSSL_cleanse(key, sizeof(key));
    return same && x->known;
}

static err_t final(struct scram_exchange *x, struct slice message, struct buf *out)
{
    uint8_t proof[SCRAM_KEY_MAX], signature[SCRAM_KEY_MAX];
    uint8_t whole[sizeof(x->texts) + SCRAM_MESSAGE_MAX + 1];
    uint32_t at = proof_at(message);
    size_t size = 0, key = scram_key_size(x->kind);
    struct slice last = slice_make(message.at + at, message.len - at), text;
    if (!at || last.len < 1) return ERR_MALFORMED;
    last = slice_make(last.at + 1, last.len - 1);
    if (!take_attribute(&last, 'p', &text) || !decode(text, proof, sizeof(proof), &size) ||
        size != key)
        return ERR_MALFORMED;
    struct slice without_proof = slice_make(message.at, at);
    if (!agrees(x, without_proof)) return ERR_LOGIN;
    struct buf auth = buf_over(whole, sizeof(whole));
    buf_put(&auth, x->texts, (size_t)x->bare_len + 1 + x->first_len);
    buf_char(&auth, ',');
    buf_slice(&auth, without_proof);
    if (auth.err) return auth.err;
    if (!proves(x, buf_view(&auth), proof)) return ERR_LOGIN;
    if (!hmac(x->kind, x->verifier.server_key, buf_view(&auth), signature)) return ERR_INTERNAL;
    buf_text(out, "v=");
    put_base64(out, slice_make(signature, key));
    return out->err;
}

err_t scram_final(struct scram_exchange *x, struct slice message, struct buf *out)
{
    if (x->stage != STAGE_FIRST || message.len > SCRAM_MESSAGE_MAX) return ERR_MALFORMED;
    x->stage = STAGE_OVER;
    return final(x, message, out);
}

void scram_forget(struct scram_exchange *x)
{
    OPENSSL_cleanse(x, sizeof(*x));
}
