#include "sched/secret.h"

#include "base/hash.h"
#include "os/file.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>

enum { FORMAT = 1, NAME_SIZE = 4, NONCE_SIZE = 12, TAG_SIZE = 16, FILE_LIMIT = 4096 };
enum { NAME_AT = 1, NONCE_AT = NAME_AT + NAME_SIZE, TEXT_AT = NONCE_AT + NONCE_SIZE };
static_assert(TEXT_AT + TAG_SIZE == SECRET_COST, "what sealing adds");

/* --- keys ------------------------------------------------------------------------------------- */

/* Hex, base64 with or without its end, or the URL's alphabet, as Fernet's keys are written. */
static bool key_parse(struct slice text, uint8_t out[SECRET_KEY])
{
    char plain[64];
    if (text.len == 2 * SECRET_KEY) return parse_hex(text, out, SECRET_KEY);
    if (text.len < 43 || text.len > 44) return false;
    for (uint32_t i = 0; i < 44; i++) {
        char c = i < text.len ? (char)text.at[i] : '=';
        plain[i] = c == '-' ? '+' : c == '_' ? '/' : c;
    }
    struct buf b = buf_make(SECRET_KEY);
    bool fine = parse_base64(slice_make(plain, 44), &b) == ERR_OK && b.len == SECRET_KEY;
    if (fine) memcpy(out, b.at, SECRET_KEY);
    if (b.at) OPENSSL_cleanse(b.at, b.len);
    buf_done(&b);
    OPENSSL_cleanse(plain, sizeof(plain));
    return fine;
}

static bool ring_parse(struct slice text, char between, struct secret_ring *out)
{
    *out = (struct secret_ring){0};
    while (text.len) {
        const uint8_t *end = memchr(text.at, between, text.len);
        uint32_t size = end ? (uint32_t)(end - text.at) : text.len;
        struct slice key = slice_trim(slice_make(text.at, size));
        uint32_t step = MIN(size + 1, text.len);
        text = slice_make(text.at + step, text.len - step);
        if (key.len == 0) continue;
        if (out->count == SECRET_KEYS_MAX || !key_parse(key, out->keys[out->count])) return false;
        out->count++;
    }
    return out->count > 0;
}

static err_t ring_store(const char *path, const struct secret_ring *r, struct diag *d)
{
    char memory[FILE_LIMIT];
    struct buf b = buf_over(memory, sizeof(memory));
    for (uint32_t i = 0; i < r->count; i++) {
        put_base64(&b, slice_make(r->keys[i], SECRET_KEY));
        buf_char(&b, '\n');
    }
    err_t e = file_store_secret(path, buf_view(&b), d);
    OPENSSL_cleanse(memory, sizeof(memory));
    return e;
}

err_t secret_ring_add(const char *path, struct secret_ring *r, struct diag *d)
{
    if (r->count == SECRET_KEYS_MAX)
        return diag_fail(d, ERR_TOO_BIG, "%s has %d keys already: finish that rotation first", path,
                         SECRET_KEYS_MAX);
    struct secret_ring next = {.count = r->count + 1};
    memcpy(next.keys[1], r->keys[0], r->count * sizeof(r->keys[0]));
    if (RAND_bytes(next.keys[0], SECRET_KEY) != 1)
        return diag_fail(d, ERR_INTERNAL, "no random bytes for a key");
    err_t e = ring_store(path, &next, d);
    if (!e) *r = next;
    secret_ring_done(&next);
    return e;
}

err_t secret_ring_forget(const char *path, struct secret_ring *r, struct diag *d)
{
    struct secret_ring first = {.count = 1};
    memcpy(first.keys[0], r->keys[0], SECRET_KEY);
    err_t e = ring_store(path, &first, d);
    if (!e) *r = first;
    secret_ring_done(&first);
    return e;
}

void secret_ring_done(struct secret_ring *r)
{
    OPENSSL_cleanse(r, sizeof(*r));
}

err_t secret_ring_load(const char *path, const char *environment, struct secret_ring *out,
                       struct diag *d)
{
    *out = (struct secret_ring){0};
    if (environment && *environment) {
        if (ring_parse(slice_of(environment), ',', out)) return ERR_OK;
        diag_fail(d, ERR_CONFIG, "SLUICE_WORKFLOW_KEY is not a key");
        return diag_hint(d,
                         "32 bytes in base64 or hex, at most %d with commas between: "
                         "`openssl rand -base64 32` makes one",
                         SECRET_KEYS_MAX);
    }
    if (!file_exists(path)) return secret_ring_add(path, out, d);
    struct slice text = {0};
    err_t e = file_own(path, d);
    if (!e) e = file_load(path, FILE_LIMIT, &text, d);
    if (!e && !ring_parse(text, '\n', out)) {
        diag_fail(d, e = ERR_CORRUPT, "%s is not a file of keys", path);
        diag_hint(d, "bring it back from a backup: what it sealed opens with nothing else");
    }
    if (text.at) OPENSSL_cleanse((void *)text.at, text.len);
    mem_give((void *)text.at);
    return e;
}

/* --- sealing ---------------------------------------------------------------------------------- */

/* Which key it was can be told without trying, and without telling the key. */
static void key_name(const uint8_t *key, uint8_t out[NAME_SIZE])
{
    uint8_t digest[32];
    digest_hmac_sha256(slice_make(key, SECRET_KEY), SLICE("the key's name"), digest);
    memcpy(out, digest, NAME_SIZE);
}

err_t secret_seal(const struct secret_ring *r, struct slice place, struct slice plain,
                  struct buf *out, struct diag *d)
{
    uint8_t head[TEXT_AT] = {FORMAT};
    int size = 0, rest = 0;
    if (r->count == 0) return diag_fail(d, ERR_CONFIG, "there is no key to seal with");
    key_name(r->keys[0], head + NAME_AT);
    if (RAND_bytes(head + NONCE_AT, NONCE_SIZE) != 1)
        return diag_fail(d, ERR_INTERNAL, "no random bytes to seal with");
    buf_put(out, head, sizeof(head));
    uint8_t *to = buf_grow(out, plain.len + (size_t)TAG_SIZE);
    if (!to) return diag_fail(d, out->err, "a secret of %u bytes", plain.len);
    EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
    bool fine =
        x && EVP_EncryptInit_ex(x, EVP_aes_256_gcm(), NULL, r->keys[0], head + NONCE_AT) == 1 &&
        EVP_EncryptUpdate(x, NULL, &size, place.at, (int)place.len) == 1 &&
        (plain.len == 0 || EVP_EncryptUpdate(x, to, &size, plain.at, (int)plain.len) == 1) &&
        EVP_EncryptFinal_ex(x, to + plain.len, &rest) == 1 &&
        EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_GCM_GET_TAG, TAG_SIZE, to + plain.len) == 1;
    EVP_CIPHER_CTX_free(x);
    return fine ? ERR_OK : diag_fail(d, ERR_INTERNAL, "a secret can not be sealed");
}

static bool open_with(const uint8_t *key, struct slice place, struct slice sealed, uint8_t *to)
{
    uint32_t text = sealed.len - SECRET_COST;
    int size = 0;
    uint8_t tag[TAG_SIZE];
    memcpy(tag, sealed.at + TEXT_AT + text, TAG_SIZE);
    EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
    bool fine =
        x && EVP_DecryptInit_ex(x, EVP_aes_256_gcm(), NULL, key, sealed.at + NONCE_AT) == 1 &&
        EVP_DecryptUpdate(x, NULL, &size, place.at, (int)place.len) == 1 &&
        (text == 0 || EVP_DecryptUpdate(x, to, &size, sealed.at + TEXT_AT, (int)text) == 1) &&
        EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, tag) == 1 &&
        EVP_DecryptFinal_ex(x, to + text, &size) == 1;
    EVP_CIPHER_CTX_free(x);
    return fine;
}

/* -1: none of them. */
static int key_of(const struct secret_ring *r, struct slice sealed)
{
    uint8_t name[NAME_SIZE];
    for (uint32_t i = 0; i < r->count; i++) {
        key_name(r->keys[i], name);
        if (memcmp(name, sealed.at + NAME_AT, NAME_SIZE) == 0) return (int)i;
    }
    return -1;
}

err_t secret_open(const struct secret_ring *r, struct slice place, struct slice sealed,
                  struct buf *out, struct diag *d)
{
    if (sealed.len < SECRET_COST || sealed.at[0] != FORMAT)
        return diag_fail(d, ERR_CORRUPT, "%.*s is not a sealed secret", SLICE_ARG(place));
    int key = key_of(r, sealed);
    if (key < 0) {
        diag_fail(d, ERR_LOGIN, "%.*s was sealed with another key", SLICE_ARG(place));
        return diag_hint(d, "the key is in the data directory's workflows/key, or in "
                            "SLUICE_WORKFLOW_KEY: give the one it was made with, or set it anew");
    }
    size_t had = out->len, size = sealed.len - SECRET_COST;
    uint8_t *to = buf_grow(out, size + 1); /* one more: even an empty text has a place */
    if (!to) return diag_fail(d, out->err, "a secret of %zu bytes", size);
    out->len = had + size;
    if (open_with(r->keys[key], place, sealed, to)) return ERR_OK;
    out->len = had;
    return diag_fail(d, ERR_CORRUPT, "%.*s is damaged, or was moved here from another row",
                     SLICE_ARG(place));
}

bool secret_is_newest(const struct secret_ring *r, struct slice sealed)
{
    return sealed.len >= SECRET_COST && key_of(r, sealed) == 0;
}
