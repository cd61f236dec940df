/* Goal: a token is good for who got it, for what it was made for, and for as long as it says.
 * Method: tokens made, changed letter by letter, and read again. */
#include "door/token.h"

#include "sched/zone.h"
#include "test.h"

TEST(a_token_is_good_for_its_time_and_its_key)
{
    struct user u = {.name = "ada", .role = ROLE_USER};
    struct buf t = buf_make(TOKEN_MAX);
    struct arena *a = arena_new(MIB(4));
    struct slice key = SLICE("0123456789abcdef0123456789abcdef");
    struct token told;
    char proof[17], wanted[17];
    int64_t now = INT64_C(1700000000) * SECOND_US;
    u.scram[SCRAM_SHA_256].stored_key[3] = 7;
    struct token_made made = {"here", now, 60 * SECOND_US, UINT64_C(0xfedcba9876543210)};
    token_make(key, &u, &made, &t);
    token_proof(&u, wanted);
    CHECK_INT(t.err, ERR_OK);
    CHECK_INT(token_read(key, "here", buf_view(&t), now, a, &told), ERR_OK);
    CHECK(slice_is(told.name, "ada"));
    CHECK_TEXT(told.proof, wanted);
    CHECK(told.number == made.number);
    CHECK_INT(told.made_us, now);
    CHECK_INT(told.until_us, now + 60 * SECOND_US);
    CHECK_INT(token_read(key, "elsewhere", buf_view(&t), now, a, &told), ERR_LOGIN);
    CHECK_INT(token_read(key, "here", buf_view(&t), now + 59 * SECOND_US, a, &told), ERR_OK);
    CHECK_INT(token_read(key, "here", buf_view(&t), now + 60 * SECOND_US, a, &told), ERR_TIMEOUT);
    CHECK_INT(token_read(SLICE("another key"), "here", buf_view(&t), now, a, &told), ERR_LOGIN);
    u.scram[SCRAM_SHA_256].stored_key[3] = 8; /* another password */
    token_proof(&u, proof);
    CHECK(strcmp(proof, wanted) != 0);
    buf_done(&t);
    arena_free(a);
}

TEST(a_changed_letter_makes_no_token)
{
    struct user u = {.name = "ada"};
    struct buf t = buf_make(TOKEN_MAX);
    struct arena *a = arena_new(MIB(16));
    struct slice key = SLICE("k");
    struct token told;
    struct token_made made = {"here", 0, SECOND_US, 1};
    token_make(key, &u, &made, &t);
    /* the last letter of a base64 text has bits that say nothing */
    for (size_t i = 0; i + 1 < t.len; i++) {
        uint8_t was = t.at[i];
        t.at[i] = was == 'A' ? 'B' : 'A';
        CHECK_INT(token_read(key, "here", buf_view(&t), 0, a, &told), ERR_LOGIN);
        t.at[i] = was;
    }
    for (size_t len = 0; len < t.len; len++)
        CHECK_INT(token_read(key, "here", slice_make(t.at, len), 0, a, &told), ERR_LOGIN);
    buf_done(&t);
    arena_free(a);
}

/* jwt.io's own example, with claims of another: the signature is right, who it is for is not. */
TEST(a_token_of_another_service_is_none)
{
    struct arena *a = arena_new(MIB(1));
    struct token told;
    const char *text = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
                       "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ."
                       "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
    CHECK_INT(token_read(SLICE("your-256-bit-secret"), "here", slice_of(text), 0, a, &told),
              ERR_LOGIN);
    CHECK_INT(token_read(SLICE(""), "here", SLICE("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."), 0,
                         a, &told),
              ERR_LOGIN);
    arena_free(a);
}
