/* Goal: SCRAM's messages are the RFCs', and nobody comes in who does not know the password.
 * Method: RFC 7677's exchange; the same one under SHA-512, whose proof and signature were computed
 * with Python's hashlib; then messages with one thing wrong each. */
#include "users/scram.h"

#include "base/hash.h"
#include "test.h"

#include <stdio.h>

#define CLIENT_NONCE "rOprNGfwEbeRWgbNEkqO"
#define SERVER_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define NONCE        CLIENT_NONCE SERVER_NONCE
#define SALT         "W22ZaJ0SNY7soEsUEjb6gQ=="
#define FIRST        "n,,n=user,r=" CLIENT_NONCE
#define PROOF_256    "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define PROOF_512                                                                                  \
    "gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ=="

static struct users *table(void)
{
    char path[256];
    uint8_t salt[SCRAM_SALT], salted[SCRAM_KEY_MAX];
    struct buf b = buf_over(salt, sizeof(salt));
    struct users *u = NULL;
    struct diag d;
    snprintf(path, sizeof(path), "%s/users", test_dir());
    CHECK_OK(users_open(path, &u, &d), &d);
    CHECK_OK(parse_base64(SLICE(SALT), &b), NULL);
    for (enum scram k = 0; u && k < SCRAM_KINDS; k++) {
        struct scram_verifier v = {.iterations = 4096, .salt_size = SCRAM_SALT};
        memcpy(v.salt, salt, sizeof(salt));
        CHECK_OK(scram_salted(k, SLICE("pencil"), &v, salted), NULL);
        CHECK_OK(users_credential_set(u, SLICE("user"), k, 4096, slice_make(salt, sizeof(salt)),
                                      slice_make(salted, scram_key_size(k)), &d),
                 &d);
    }
    return u;
}

static err_t first(struct scram_exchange *x, struct users *u, enum scram kind, const char *message,
                   char out[512])
{
    struct buf b = buf_over(out, 511);
    err_t e = scram_first(x, u, kind, slice_of(message), SERVER_NONCE, &b);
    out[b.len] = 0;
    return e;
}

static err_t last(struct scram_exchange *x, const char *message, char out[512])
{
    struct buf b = buf_over(out, 511);
    err_t e = scram_final(x, slice_of(message), &b);
    out[b.len] = 0;
    return e;
}

TEST(scram_exchange_of_rfc_7677_and_its_like_under_sha_512)
{
    static const struct {
        enum scram kind;
        const char *last, *server;
    } rows[] = {
        {SCRAM_SHA_256, "c=biws,r=" NONCE ",p=" PROOF_256,
         "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
        {SCRAM_SHA_512, "c=biws,r=" NONCE ",p=" PROOF_512,
         "v=ZQnYEgWQMFmmsM8aQMF0nDDCy/"
         "AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw=="},
    };
    struct users *u = table();
    for (size_t i = 0; u && i < COUNT_OF(rows); i++) {
        struct scram_exchange x;
        char out[512];
        CHECK_OK(first(&x, u, rows[i].kind, FIRST, out), NULL);
        CHECK_TEXT(out, "r=" NONCE ",s=" SALT ",i=4096");
        CHECK_OK(last(&x, rows[i].last, out), NULL);
        CHECK_TEXT(out, rows[i].server);
        CHECK_TEXT(x.user.name, "user");
        CHECK(x.user.role == ROLE_USER);
        CHECK_ERR(last(&x, rows[i].last, out), ERR_MALFORMED); /* not twice */
    }
    users_close(u);
}

TEST(scram_refuses_what_is_not_the_exchange)
{
    static const struct {
        const char *first;
        err_t err; /* of the first message; the last ones are tried where it is OK */
    } firsts[] = {
        {FIRST, ERR_OK},
        {"y,,n=user,r=abc", ERR_OK},
        {"n,a=user,n=user,r=abc", ERR_OK},
        {"n,,n=us=2Cer,r=abc", ERR_OK}, /* nobody: told at the end */
        {"n,,n=user,r=abc,tokenauth=true", ERR_OK},
        {"n,a=admin,n=user,r=abc", ERR_LOGIN},
        {"p=tls-unique,,n=user,r=abc", ERR_MALFORMED}, /* no channel binding was offered */
        {"n,,m=must,n=user,r=abc", ERR_MALFORMED},
        {"n,,n=us=er,r=abc", ERR_MALFORMED},
        {"n,,n=us=2,r=abc", ERR_MALFORMED},
        {"n,,n=,r=abc", ERR_MALFORMED},
        {"n,,n=user,r=", ERR_MALFORMED},
        {"n,,n=user,r=a c", ERR_MALFORMED},
        {"n,,n=user", ERR_MALFORMED},
        {"n,,r=abc,n=user", ERR_MALFORMED},
        {"n,,", ERR_MALFORMED},
        {"n,a=user", ERR_MALFORMED},
        {"", ERR_MALFORMED},
    };
    struct users *u = table();
    for (size_t i = 0; u && i < COUNT_OF(firsts); i++) {
        struct scram_exchange x;
        char out[512];
        err_t e = first(&x, u, SCRAM_SHA_256, firsts[i].first, out);
        if (e != firsts[i].err)
            test_failed(__FILE__, __LINE__, "%s: %s", firsts[i].first, err_name(e));
        if (e) CHECK_ERR(last(&x, "c=biws,r=" NONCE ",p=" PROOF_256, out), ERR_MALFORMED);
    }
    users_close(u);
}

TEST(scram_last_message_with_one_thing_wrong_is_no_login)
{
    static const struct {
        const char *last;
        err_t err;
    } lasts[] = {
        {"c=biws,r=" NONCE ",p=AAAAZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", ERR_LOGIN},
        {"c=biws,r=" NONCE "x,p=" PROOF_256, ERR_LOGIN},
        {"c=biws,r=" CLIENT_NONCE ",p=" PROOF_256, ERR_LOGIN},
        {"c=eSws,r=" NONCE ",p=" PROOF_256, ERR_LOGIN},     /* another header than it began with */
        {"c=biws,r=" NONCE ",x=1,p=" PROOF_256, ERR_LOGIN}, /* an extension is signed, too */
        {"c=biws,r=" NONCE ",p=" PROOF_512, ERR_MALFORMED},
        {"c=biws,r=" NONCE ",p=dHzb", ERR_MALFORMED},
        {"c=biws,r=" NONCE ",p=", ERR_MALFORMED},
        {"c=biws,r=" NONCE, ERR_MALFORMED},
        {"p=" PROOF_256, ERR_MALFORMED},
        {"r=" NONCE ",c=biws,p=" PROOF_256, ERR_LOGIN},
        {",", ERR_MALFORMED},
        {"", ERR_MALFORMED},
    };
    struct users *u = table();
    for (size_t i = 0; u && i < COUNT_OF(lasts); i++) {
        struct scram_exchange x;
        char out[512];
        CHECK_OK(first(&x, u, SCRAM_SHA_256, FIRST, out), NULL);
        err_t e = last(&x, lasts[i].last, out);
        if (e != lasts[i].err)
            test_failed(__FILE__, __LINE__, "%s: %s", lasts[i].last, err_name(e));
        CHECK_TEXT(out, "");
    }
    users_close(u);
}

TEST(scram_of_an_unknown_name_looks_like_a_known_one_until_its_end)
{
    struct users *u = table();
    struct scram_exchange x;
    char one[512], again[512], other[512];
    if (!u) return;
    CHECK_OK(first(&x, u, SCRAM_SHA_256, "n,,n=nobody,r=abc", one), NULL);
    CHECK_ERR(last(&x, "c=biws,r=abc" SERVER_NONCE ",p=" PROOF_256, other), ERR_LOGIN);
    CHECK_OK(first(&x, u, SCRAM_SHA_256, "n,,n=nobody,r=abc", again), NULL);
    CHECK_TEXT(one, again);
    CHECK_OK(first(&x, u, SCRAM_SHA_256, "n,,n=somebody,r=abc", other), NULL);
    CHECK(strcmp(one, other) != 0);
    CHECK_INT(strlen(one), strlen(other));
    users_close(u);
}

TEST(scram_takes_librdkafkas_nonce_that_says_the_clients_part_twice)
{
    struct users *u = table();
    struct scram_exchange x;
    char out[512];
    if (!u) return;
    CHECK_OK(first(&x, u, SCRAM_SHA_256, FIRST, out), NULL);
    CHECK_OK(
        last(&x,
             "c=biws,r=" CLIENT_NONCE NONCE ",p=1Y75+q7XaCGJj/r6vyQWwoNxSzV5ksS8xhp5Lqyriec=", out),
        NULL);
    CHECK_OK(first(&x, u, SCRAM_SHA_256, FIRST, out), NULL); /* the proof is of the other text */
    CHECK_ERR(last(&x, "c=biws,r=" CLIENT_NONCE NONCE ",p=" PROOF_256, out), ERR_LOGIN);
    users_close(u);
}

TEST(scram_nonces_are_never_the_same)
{
    struct users *u = table();
    char texts[2][512];
    for (int i = 0; u && i < 2; i++) {
        struct scram_exchange x;
        struct buf b = buf_over(texts[i], 511);
        CHECK_OK(scram_first(&x, u, SCRAM_SHA_512, SLICE("n,,n=user,r=abc"), NULL, &b), NULL);
        texts[i][b.len] = 0;
    }
    CHECK(strncmp(texts[0], "r=abc", 5) == 0 && strcmp(texts[0], texts[1]) != 0);
    users_close(u);
}

TEST(scram_credentials_come_and_go_one_mechanism_at_a_time)
{
    struct users *u = table();
    struct user user;
    struct diag d;
    uint8_t salted[SCRAM_KEY_MAX] = {0};
    struct scram_verifier v = {.iterations = 8192, .salt_size = 5, .salt = "hello"};
    if (!u) return;
    CHECK_OK(scram_salted(SCRAM_SHA_512, SLICE("new"), &v, salted), NULL);
    struct slice salt = SLICE("hello"), key = slice_make(salted, 64);
    CHECK_OK(users_credential_set(u, SLICE("admin"), SCRAM_SHA_512, 8192, salt, key, &d), &d);
    CHECK_OK(users_check(u, SLICE("admin"), SLICE("new"), &user), NULL);
    CHECK(!user.well_known && user.role == ROLE_ADMIN && !user.scram[SCRAM_SHA_256].iterations);
    CHECK_ERR(users_check(u, SLICE("admin"), SLICE("admin"), &user), ERR_LOGIN);
    CHECK_ERR(users_credential_set(u, SLICE("a"), SCRAM_SHA_512, 4095, salt, key, &d),
              ERR_CREDENTIAL);
    CHECK_TEXT(d.what, "Too few iterations");
    CHECK_ERR(users_credential_set(u, SLICE("a"), SCRAM_SHA_512, 16385, salt, key, &d),
              ERR_CREDENTIAL);
    CHECK_TEXT(d.what, "Too many iterations");
    CHECK_ERR(users_credential_set(u, SLICE("a"), SCRAM_SHA_256, 4096, salt, key, &d),
              ERR_CREDENTIAL);
    CHECK_ERR(users_credential_set(u, SLICE(""), SCRAM_SHA_512, 4096, salt, key, &d),
              ERR_CREDENTIAL);
    CHECK_TEXT(d.what, "Username must not be empty");
    CHECK_ERR(users_credential_remove(u, SLICE("admin"), SCRAM_SHA_256, &d), ERR_USER_UNKNOWN);
    CHECK_OK(users_credential_remove(u, SLICE("user"), SCRAM_SHA_256, &d), &d);
    CHECK_OK(users_find(u, SLICE("user"), &user), NULL);
    CHECK_OK(users_check(u, SLICE("user"), SLICE("pencil"), &user), NULL);
    CHECK_OK(users_credential_remove(u, SLICE("user"), SCRAM_SHA_512, &d), &d);
    CHECK_ERR(users_find(u, SLICE("user"), &user), ERR_NOT_FOUND);
    CHECK_OK(users_remove(u, SLICE("cassandra"), &d), &d);
    CHECK_ERR(users_credential_remove(u, SLICE("admin"), SCRAM_SHA_512, &d), ERR_FORBIDDEN);
    users_close(u);
}
