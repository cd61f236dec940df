#include "connect/http/http_int.h"

/* Statuses that deserve their own words; others fall to their hundred. */
static const struct {
    long first, last;
    err_t err;
    const char *what, *hint;
} statuses[] = {
    {401, 401, ERR_LOGIN, "wants a login",
     "give it: WITH (headers = 'Authorization: Bearer ${env:TOKEN}')"},
    {403, 403, ERR_FORBIDDEN, "refuses this request",
     "does the API block this machine's address, or want a key?"},
    {404, 404, ERR_NOT_FOUND, "knows no such path", "check the address, its version and spelling"},
    {408, 408, ERR_TIMEOUT, "gave up waiting", ""},
    {429, 429, ERR_THROTTLED, "says that too much was asked",
     "ask less often: every = '10s', or rate_limit = '20000/5m'"},
    {400, 499, ERR_USAGE, "does not accept the request", "check the address and the query"},
    {500, 599, ERR_PEER, "has a failure of its own", ""},
    {300, 399, ERR_PEER, "answers with a redirect that can't be followed", ""},
};

enum { SAMPLE_MAX = 120 };

/* The beginning of a body, on one line, for `why`. */
static void body_sample(struct slice body, char out[SAMPLE_MAX + 1])
{
    size_t size = 0;
    for (uint32_t i = 0; i < body.len && size < SAMPLE_MAX; i++) {
        uint8_t c = body.at[i];
        if (c >= 0x20 && c < 0x7f)
            out[size++] = (char)c;
        else if (size > 0 && out[size - 1] != ' ')
            out[size++] = ' ';
    }
    out[size] = 0;
}

static err_t bad_status(const struct transfer_answer *a, const char *shown, struct diag *d)
{
    char sample[SAMPLE_MAX + 1];
    body_sample(a->body, sample);
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        if (a->status < statuses[i].first || a->status > statuses[i].last) continue;
        (void)diag_fail(d, statuses[i].err, "%s %s (HTTP %ld)", shown, statuses[i].what, a->status);
        if (sample[0]) (void)diag_why(d, "it says: %s", sample);
        if (statuses[i].hint[0]) (void)diag_hint(d, "%s", statuses[i].hint);
        return statuses[i].err;
    }
    return diag_fail(d, ERR_PEER, "%s answers with HTTP status %ld, which is not understood", shown,
                     a->status);
}

err_t answer_check(const struct transfer_answer *a, const char *shown, struct diag *d)
{
    static const char *const never_json[] = {"text/html",       "image/", "text/csv", "text/xml",
                                             "application/xml", "video/", "audio/"};
    if (a->status == 204) return ERR_OK;
    if (a->status < 200 || a->status > 299) return bad_status(a, shown, d);
    for (size_t i = 0; i < COUNT_OF(never_json); i++) {
        if (strncmp(a->content_type, never_json[i], strlen(never_json[i])) != 0) continue;
        char sample[SAMPLE_MAX + 1];
        body_sample(a->body, sample);
        (void)diag_fail(d, ERR_BAD_JSON, "%s answers with %s, not with JSON", shown,
                        a->content_type);
        (void)diag_why(d, "it begins: %s", sample);
        return diag_hint(d, "is it the API's address, or a web page's? Some APIs want "
                            "format=json in the query");
    }
    return ERR_OK;
}

bool answer_may_pass(err_t e)
{
    return e == ERR_PEER || e == ERR_TIMEOUT || e == ERR_SHORT || e == ERR_THROTTLED ||
           e == ERR_MALFORMED || e == ERR_BAD_JSON || e == ERR_BAD_UTF8;
}

/* --- rate ------------------------------------------------------------------------------------- */

static void rate_forget(struct rate *r, int64_t now_ms)
{
    while (r->count > 0 && (r->marks[r->first].at_ms <= now_ms - r->per_ms ||
                            r->marks[r->first].at_ms > now_ms + r->per_ms)) {
        r->sum -= r->marks[r->first].count;
        r->first = (r->first + 1) % RATE_MARKS_MAX;
        r->count--;
    }
}

int64_t rate_wait_ms(struct rate *r, int64_t count, int64_t now_ms)
{
    if (r->number == 0) return 0;
    rate_forget(r, now_ms);
    int64_t sum = r->sum;
    for (uint32_t i = 0; i < r->count && sum + count > r->number; i++) {
        uint32_t at = (r->first + i) % RATE_MARKS_MAX;
        sum -= r->marks[at].count;
        if (sum + count <= r->number)
            return MAX(r->marks[at].at_ms + r->per_ms - now_ms, (int64_t)1);
    }
    return 0;
}

void rate_mark(struct rate *r, int64_t count, int64_t now_ms)
{
    if (r->number == 0) return;
    rate_forget(r, now_ms);
    r->sum += count;
    if (r->count == RATE_MARKS_MAX) { /* the last mark takes it: later than true, never earlier */
        uint32_t last = (r->first + r->count - 1) % RATE_MARKS_MAX;
        r->marks[last].at_ms = now_ms;
        r->marks[last].count += count;
        return;
    }
    uint32_t at = (r->first + r->count++) % RATE_MARKS_MAX;
    r->marks[at].at_ms = now_ms;
    r->marks[at].count = count;
}
