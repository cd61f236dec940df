/* Goal: what is sealed opens with its key, in its place, and not otherwise; what is secret is not
 * shown. Method: every byte of a sealed text is changed once; NIST's AES is OpenSSL's, and is not
 * judged here; Airflow's own names. */
#include "sched/secret.h"

#include "os/file.h"
#include "test.h"

#include <stdio.h>
#include <sys/stat.h>

static const char *place(const char *name)
{
    static char text[300];
    snprintf(text, sizeof(text), "%s/%s", test_dir(), name);
    return text;
}

TEST(secret_opens_in_its_place_with_its_key_alone)
{
    struct diag d;
    struct secret_ring r, other;
    struct buf sealed = buf_make(KIB(4)), again = buf_make(KIB(4)), plain = buf_make(KIB(4));
    CHECK_OK(secret_ring_load(NULL, "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", &r, &d), &d);
    CHECK(memcmp(r.keys[0], "01234567890123456789012345678901", 32) == 0);
    CHECK_OK(secret_seal(&r, SLICE("variable:a"), SLICE("hunter2"), &sealed, &d), &d);
    CHECK_OK(secret_seal(&r, SLICE("variable:a"), SLICE("hunter2"), &again, &d), &d);
    CHECK_INT(sealed.len, 7 + SECRET_COST);
    CHECK(!slice_equal(buf_view(&sealed), buf_view(&again))); /* never the same bytes twice */
    CHECK_OK(secret_open(&r, SLICE("variable:a"), buf_view(&sealed), &plain, &d), &d);
    CHECK_SLICE(buf_view(&plain), "hunter2");
    CHECK_ERR(secret_open(&r, SLICE("variable:b"), buf_view(&sealed), &plain, &d), ERR_CORRUPT);
    for (size_t i = 0; i < sealed.len; i++) {
        sealed.at[i] ^= 0x40;
        CHECK(secret_open(&r, SLICE("variable:a"), buf_view(&sealed), &plain, &d) != ERR_OK);
        sealed.at[i] ^= 0x40;
        CHECK(secret_open(&r, SLICE("variable:a"), slice_make(sealed.at, i), &plain, &d));
    }
    CHECK_OK(secret_ring_load(NULL,
                              "3031323334353637383930313233343536373839303132333435363738393032",
                              &other, &d),
             &d);
    CHECK_ERR(secret_open(&other, SLICE("variable:a"), buf_view(&sealed), &plain, &d), ERR_LOGIN);
    CHECK(strstr(d.what, "another key") && d.hint[0]);
    CHECK_SLICE(buf_view(&plain), "hunter2"); /* nothing was added by what failed */
    buf_reset(&sealed), buf_reset(&plain);
    CHECK_OK(secret_seal(&r, SLICE("p"), SLICE(""), &sealed, &d), &d);
    CHECK_OK(secret_open(&r, SLICE("p"), buf_view(&sealed), &plain, &d), &d);
    CHECK_INT(plain.len, 0);
    CHECK_ERR(secret_ring_load(NULL, "too short", &r, &d), ERR_CONFIG);
    buf_done(&sealed), buf_done(&again), buf_done(&plain);
}

TEST(secret_keys_are_made_once_kept_and_rotated)
{
    struct diag d;
    struct stat st;
    struct secret_ring r, again;
    struct buf old = buf_make(KIB(4)), plain = buf_make(KIB(4));
    const char *path = place("key");
    CHECK_OK(secret_ring_load(path, NULL, &r, &d), &d);
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK_OK(secret_ring_load(path, "", &again, &d), &d);
    CHECK(r.count == 1 && memcmp(&r, &again, sizeof(r)) == 0);
    CHECK_OK(secret_seal(&r, SLICE("p"), SLICE("x"), &old, &d), &d);
    CHECK(secret_is_newest(&r, buf_view(&old)));
    CHECK_OK(secret_ring_add(path, &r, &d), &d);
    CHECK_OK(secret_ring_load(path, NULL, &again, &d), &d); /* as after a kill right here */
    CHECK(again.count == 2 && memcmp(&r, &again, sizeof(r)) == 0);
    CHECK(!secret_is_newest(&again, buf_view(&old)));
    CHECK_OK(secret_open(&again, SLICE("p"), buf_view(&old), &plain, &d), &d);
    CHECK_OK(secret_ring_forget(path, &r, &d), &d);
    CHECK_OK(secret_ring_load(path, NULL, &again, &d), &d);
    CHECK_INT(again.count, 1);
    CHECK_ERR(secret_open(&again, SLICE("p"), buf_view(&old), &plain, &d), ERR_LOGIN);
    CHECK_OK(file_store(path, SLICE("nonsense\n"), &d), &d);
    CHECK_ERR(secret_ring_load(path, NULL, &again, &d), ERR_CORRUPT);
    buf_done(&old), buf_done(&plain);
}

TEST(secret_names_are_airflows)
{
    static const char *const yes[] = {
        "PASSWORD",      "db_password", "X-Api-Key_api_key",
        "apikey",        "my_Token",    "secret",
        "authorization", "passwd",      "access_token",
        "private_key",   "passphrase",  "extra__google_cloud_platform__keyfile_dict"};
    static const char *const no[] = {"", "pass", "login", "key", "host", "a\0password" /* ends */};
    for (size_t i = 0; i < COUNT_OF(yes); i++) CHECK(secret_name(slice_of(yes[i])));
    for (size_t i = 0; i < COUNT_OF(no); i++) CHECK(!secret_name(slice_of(no[i])));
    CHECK(secret_name(slice_make("a\0password", 10)));
}

TEST(secret_json_is_shown_without_its_secrets)
{
    struct diag d;
    struct doc v;
    struct arena *a = arena_new(MIB(1));
    struct buf out = buf_make(KIB(4));
    CHECK_OK(doc_of_json(SLICE("{\"host\":\"h\",\"api_key\":\"k\",\"n\":[{\"token\":{\"a\":\"x\","
                               "\"b\":7,\"c\":\"\"}}],\"secrets\":[\"p\",null]}"),
                         a, &v, &d),
             &d);
    secret_put_json(&out, &v);
    CHECK_TEXT(buf_cstr(&out),
               "{\"host\": \"h\", \"api_key\": \"***\", \"n\": [{\"token\": {\"a\": \"***\", "
               "\"b\": 7, \"c\": \"\"}}], \"secrets\": [\"***\", null]}");
    struct mask *k = mask_new();
    CHECK_OK(mask_add_json(k, &v, &d), &d);
    CHECK_OK(mask_add(k, SLICE("hunter2"), &d), &d);
    CHECK_OK(mask_add(k, SLICE("hunter2hunter"), &d), &d);
    CHECK_OK(mask_add(k, SLICE("-- first\nsecond --\n"), &d), &d);
    CHECK_OK(mask_add(k, SLICE(""), &d), &d);
    buf_reset(&out);
    mask_put(k, SLICE("h hunter2 hunter2hunter2 hunter second -- end: p"), &out);
    CHECK_TEXT(buf_cstr(&out), "h *** ***2 hunter *** end: ***");
    buf_reset(&out);
    mask_put(k, (struct slice){0}, &out);
    CHECK_INT(out.len, 0);
    mask_free(k);
    buf_done(&out);
    arena_free(a);
}
