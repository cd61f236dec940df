/* connect/http's parts: the transfer (libcurl), the judgement of an answer, the source itself. */
#pragma once
#include "connect/connect_int.h"

enum { URL_MAX_BYTES = 8192, SHOWN_MAX = 512 };

/* One GET with its redirects; the body is whole or there is an error. */
struct transfer;
struct transfer_rules {
    int64_t timeout_ms, connect_timeout_ms, max_body;
    int redirects_max;
    bool allow_private; /* of the first host; redirects elsewhere never reach a private address */
    bool (*is_private)(const char *address); /* NULL: net_address_is_private; tests have another */
    const char *ca_file, *proxy;             /* NULL: none */
    const char *const *header_lines;         /* NULL-terminated; sent to the first host only */
};
struct transfer_ask {
    const char *url;
    bool (*stopping)(void *ctx);
    void *ctx;
};
struct transfer_answer {
    long status;
    char content_type[128];
    int64_t retry_after_ms; /* -1: the server did not say */
    struct slice body;      /* padded by JSON_PADDING; until the next transfer */
};
MUST_CHECK err_t transfer_new(const struct transfer_rules *rules, struct transfer **out,
                              struct diag *d); /* keeps the rules' pointers */
void transfer_free(struct transfer *t);
MUST_CHECK err_t transfer_get(struct transfer *t, const struct transfer_ask *ask,
                              struct transfer_answer *out, struct diag *d);
/* A URL as messages show it: no login, no query, where secrets may stand. */
void url_shown(const char *url, char *out, size_t cap);

/* Is the status an answer? Fills d with words for a beginner when it is not. */
MUST_CHECK err_t answer_check(const struct transfer_answer *a, const char *shown, struct diag *d);
/* May the same request do better in a moment? */
bool answer_may_pass(err_t e);

/* No more than `number` in any `per_ms`: a window of what was asked for. */
enum { RATE_MARKS_MAX = 1024 };
struct rate {
    int64_t number, per_ms; /* number 0: no limit */
    struct {
        int64_t at_ms, count;
    } marks[RATE_MARKS_MAX];
    uint32_t first, count;
    int64_t sum;
};
int64_t rate_wait_ms(struct rate *r, int64_t count, int64_t now_ms); /* 0: go */
void rate_mark(struct rate *r, int64_t count, int64_t now_ms);
