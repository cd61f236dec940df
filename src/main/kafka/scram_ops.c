#include "main/kafka/scram_ops.h"

#include "main/kafka/topic_ops.h"
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>

enum { SALT_BYTES = 16, HASH_MAX = 64, ITERATIONS = 4096, LEAST = 4096, MOST = 16384 };

static const struct mechanism {
    const char *name;
    int8_t id;
    int bytes;
} mechanisms[] = {{"SCRAM-SHA-256", 1, 32}, {"SCRAM-SHA-512", 2, 64}};

static const char *mechanism_name(int8_t id)
{
    for (size_t i = 0; i < COUNT_OF(mechanisms); i++)
        if (mechanisms[i].id == id) return mechanisms[i].name;
    return "UNKNOWN";
}

err_t describe_scram(struct session *s, const char *name, struct diag *d)
{
    struct kafka_describe_user_scram_credentials_request r;
    struct kafka_describe_user_scram_credentials_request_user one = {.name = slice_of(name)};
    struct kafka_ask q = {.api = KAFKA_API_describe_user_scram_credentials, .request = &r};
    kafka_init(&kafka_describe_user_scram_credentials_request_message, &r);
    r.users.at = name ? &one : NULL;
    r.users.count = name ? 1 : -1;
    err_t e = kafka_client_ask(s->client, CLIENT_ANY_NODE, &q, s->arena, d);
    if (e) return e;
    const struct kafka_describe_user_scram_credentials_response *o = q.response;
    e = kafka_client_error(o->error_code, o->error_message, d, "describing users");
    for (int32_t i = 0; !e && i < o->results.count; i++) {
        const struct kafka_describe_user_scram_credentials_response_result *u = &o->results.at[i];
        if (u->error_code == KAFKA_ERROR_RESOURCE_NOT_FOUND) continue; /* as the original */
        e = kafka_client_error(u->error_code, u->error_message, d, "user '%.*s'",
                               SLICE_ARG(u->user));
        if (e) break;
        printf("SCRAM credential configs for user-principal '%.*s' are ", SLICE_ARG(u->user));
        for (int32_t k = 0; k < u->credential_infos.count; k++)
            printf("%s%s=iterations=%d", k ? ", " : "",
                   mechanism_name(u->credential_infos.at[k].mechanism),
                   u->credential_infos.at[k].iterations);
        printf("\n");
    }
    return e;
}

/* "iterations=8192,password=secret" */
static err_t read_credential(const struct mechanism *m, struct slice value, int64_t *iterations,
                             struct slice *password, struct diag *d)
{
    struct slice left = value;
    *iterations = ITERATIONS;
    *password = (struct slice){0};
    while (left.len) {
        const uint8_t *comma = memchr(left.at, ',', left.len);
        struct slice pair = slice_make(left.at, comma ? (size_t)(comma - left.at) : left.len);
        left =
            slice_make(left.at + pair.len + (comma != NULL), left.len - pair.len - (comma != NULL));
        if (slice_starts(pair, "password="))
            *password = slice_make(pair.at + 9, pair.len - 9);
        else if (!slice_starts(pair, "iterations=") ||
                 !slice_to_i64(slice_make(pair.at + 11, pair.len - 11), iterations))
            *password = left = (struct slice){0};
    }
    if (!password->len)
        return diag_fail(d, ERR_USAGE, "Invalid credential property %s=%.*s", m->name,
                         SLICE_ARG(value));
    if (*iterations < LEAST)
        return diag_fail(d, ERR_USAGE,
                         "Iterations %lld is less than the minimum %d required for %s",
                         (long long)*iterations, LEAST, m->name);
    if (*iterations > MOST)
        return diag_fail(d, ERR_USAGE, "Iterations %lld is greater than the maximum %d",
                         (long long)*iterations, MOST);
    return ERR_OK;
}

static err_t salt_password(const struct mechanism *m, struct slice password, int64_t iterations,
                           uint8_t salt[SALT_BYTES], uint8_t hash[HASH_MAX], struct diag *d)
{
    const EVP_MD *digest = m->bytes == 32 ? EVP_sha256() : EVP_sha512();
    if (RAND_bytes(salt, SALT_BYTES) == 1 &&
        PKCS5_PBKDF2_HMAC((const char *)password.at, (int)password.len, salt, SALT_BYTES,
                          (int)iterations, digest, m->bytes, hash) == 1)
        return ERR_OK;
    return diag_fail(d, ERR_INTERNAL, "OpenSSL does not salt the password");
}

static err_t send(struct session *s, const struct kafka_alter_user_scram_credentials_request *r,
                  struct slice user, struct diag *d)
{
    struct kafka_ask q = {.api = KAFKA_API_alter_user_scram_credentials, .request = r};
    err_t e = kafka_client_ask(s->client, CLIENT_ANY_NODE, &q, s->arena, d);
    if (e) return e;
    const struct kafka_alter_user_scram_credentials_response *o = q.response;
    if (o->results.count != 1) return diag_fail(d, ERR_PEER, "no answer for the user");
    return kafka_client_error(o->results.at[0].error_code, o->results.at[0].error_message, d,
                              "the password of '%.*s'", SLICE_ARG(user));
}

/* One credential, one request: Kafka refuses two of one user in the same. */
static err_t alter_one(struct session *s, struct slice user, const struct setting *x,
                       struct diag *d)
{
    struct kafka_alter_user_scram_credentials_request r;
    struct kafka_alter_user_scram_credentials_request_deletion gone;
    struct kafka_alter_user_scram_credentials_request_upsertion set;
    const struct mechanism *m = NULL;
    uint8_t salt[SALT_BYTES], hash[HASH_MAX];
    int64_t iterations;
    struct slice password;
    for (size_t i = 0; i < COUNT_OF(mechanisms); i++)
        if (slice_is(x->name, mechanisms[i].name)) m = &mechanisms[i];
    if (!m)
        return diag_fail(d, ERR_UNSUPPORTED,
                         "%.*s: quotas are not available in this version of "
                         "sluice, only SCRAM-SHA-256 and SCRAM-SHA-512",
                         SLICE_ARG(x->name));
    kafka_init(&kafka_alter_user_scram_credentials_request_message, &r);
    if (x->operation == 1) {
        gone.name = user;
        gone.mechanism = m->id;
        r.deletions.at = &gone;
        r.deletions.count = 1;
        return send(s, &r, user, d);
    }
    err_t e = read_credential(m, x->value, &iterations, &password, d);
    if (!e) e = salt_password(m, password, iterations, salt, hash, d);
    if (e) return e;
    set.name = user;
    set.mechanism = m->id;
    set.iterations = (int32_t)iterations;
    set.salt = slice_make(salt, sizeof(salt));
    set.salted_password = slice_make(hash, (size_t)m->bytes);
    r.upsertions.at = &set;
    r.upsertions.count = 1;
    e = send(s, &r, user, d);
    OPENSSL_cleanse(hash, sizeof(hash));
    return e;
}

err_t alter_scram(struct session *s, struct slice user, const struct setting *settings,
                  int32_t count, struct diag *d)
{
    err_t e = ERR_OK;
    for (int32_t i = 0; !e && i < count; i++) e = alter_one(s, user, &settings[i], d);
    return e;
}
