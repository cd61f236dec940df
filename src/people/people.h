/* people: the RandomUser API's records, made locally. The same seed gives the same people.
 *
 * Loop: any thread; a request is a value. Memory: the caller's buf. Limit: PEOPLE_RESULTS_MAX a
 * page, PEOPLE_SEED_MAX bytes of a seed. Never does I/O, never reads a clock: ages and dates follow
 * the `now` that is given.
 */
#pragma once
#include "base/bytes.h"

enum { PEOPLE_RESULTS_MAX = 5000, PEOPLE_SEED_MAX = 512, PEOPLE_PORTRAITS_MAX = 512 };

struct people_request {   /* the parameters as they came; people_answer judges them */
    struct slice version; /* "1.4", "" is the default */
    struct slice results, seed, page, gender, nat, inc, exc, format, password, callback, noinfo,
        download, lego;
    bool has_noinfo, has_download, has_lego, has_callback, has_password;
};
struct people_answer {
    int status;
    uint32_t people; /* how many are in the body: what a rate limit counts */
    const char *content_type;
    char disposition[64]; /* Content-disposition, or "" */
};
/* The body of GET /api/VERSION/?… as the real site would answer it. `entropy` makes the seed when
 * none is given. `portraits` is the address pictures live at
 * ("http://127.0.0.1:8000/api/portraits"). */
MUST_CHECK err_t people_answer(const struct people_request *r, int64_t now_ms, uint64_t entropy,
                               const char *portraits, struct buf *body, struct people_answer *out);
/* Splits "results=10&nat=us" into the request (borrowed; percent-decoding into the arena). */
MUST_CHECK err_t people_request_parse(struct slice query, struct arena *a,
                                      struct people_request *out);
/* The body that goes with 429 (`users`: how many were asked for) or 500. */
void people_error_body(int status, uint64_t users, struct buf *body);

/* The fast way for the generator source: `count` people as JSON items, one after the other, with
 * item i at bounds[i] .. bounds[i + 1] (count + 1 of them). Page `page` of `seed`: the same as the
 * API's, unless `gender` is given, which the API ignores beside a seed and this obeys.
 * ERR_UNKNOWN_NAME: no such nationality or gender. */
enum people_shape {
    PEOPLE_USER, /* as the API's newest version */
    PEOPLE_EVENT /* flat, about 438 bytes: the event of examples/minute_etl */
};
struct people_ask {
    struct slice seed, nat, gender;
    int64_t page, now_ms;
    uint32_t count;
    enum people_shape shape;
    const char *portraits;
};
MUST_CHECK err_t people_make(const struct people_ask *ask, struct buf *out, uint32_t *bounds);
MUST_CHECK err_t people_page(struct slice seed, int64_t page, uint32_t count, struct slice nat,
                             struct slice gender, int64_t now_ms, const char *portraits,
                             struct buf *out, uint32_t *bounds);
/* "AU,BR,…": every nationality's code, for messages. */
const char *people_nats(void);

/* A portrait as JPEG, drawn from its name: kind "med", "thumb" or "" (large), folder "men", "women"
 * or "lego". ERR_NOT_FOUND: no such picture. */
MUST_CHECK err_t people_portrait(struct slice kind, struct slice folder, int number,
                                 struct buf *out);
