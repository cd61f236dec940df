/* people: the RandomUser API's records, made locally. The same seed gives the same people.
 *
 * Loop: any thread; a request is a value. Memory: the caller's buf. Limit: PEOPLE_RESULTS_MAX a
 * page. Never does I/O, never reads a clock: ages and dates follow the `now` that is given.
 */
#pragma once
#include "base/bytes.h"

enum { PEOPLE_RESULTS_MAX = 5000 };

struct people_request {   /* the parameters as they came; people_answer judges them */
    struct slice version; /* "1.4", "" is the default */
    struct slice results, seed, page, gender, nat, inc, exc, format, password, callback, noinfo,
        download;
    bool has_noinfo, has_download;
};
struct people_answer {
    int status;
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

/* The fast way for the generator source: `count` people as JSON items, one after the other, with
 * item i at bounds[i] .. bounds[i + 1]. Page `page` of `seed`: the same as the API's. */
MUST_CHECK err_t people_page(struct slice seed, int64_t page, uint32_t count, struct slice nat,
                             struct slice gender, int64_t now_ms, const char *portraits,
                             struct buf *out, uint32_t *bounds);

/* A portrait as JPEG, drawn from its name: kind "med", "thumb" or "" (large), folder "men", "women"
 * or "lego". */
MUST_CHECK err_t people_portrait(struct slice kind, struct slice folder, int number,
                                 struct buf *out);
