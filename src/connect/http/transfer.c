#include "connect/http/http_int.h"

#include "base/unit.h"
#include "connect/http/late.h"
#include "data/json.h"
#include "os/net.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

struct transfer {
    struct transfer_rules rules;
    CURL *curl;
    struct curl_slist *headers;
    struct buf body;
    const struct transfer_ask *ask;
    bool stopped, too_big, own_host;    /* own_host: this hop goes where the source was sent */
    char refused[INET6_ADDRSTRLEN + 1]; /* the private address that was not connected to */
    char words[CURL_ERROR_SIZE];
    char next[URL_MAX_BYTES];
};

/* --- what libcurl calls ----------------------------------------------------------------------- */

static size_t on_body(char *bytes, size_t one, size_t count, void *arg)
{
    struct transfer *t = (struct transfer *)arg;
    (void)one;
    if (t->body.len + count > (size_t)t->rules.max_body) {
        t->too_big = true;
        return 0;
    }
    buf_put(&t->body, bytes, count);
    return t->body.err ? 0 : count;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t e)
{
    struct transfer *t = (struct transfer *)arg;
    (void)a, (void)b, (void)c, (void)e;
    t->stopped = t->ask->stopping && t->ask->stopping(t->ask->ctx);
    return t->stopped;
}

/* Every address of every hop comes by here after its name was resolved, so that a name which
 * answers differently the second time gains nothing. */
static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct transfer *t = (struct transfer *)arg;
    char text[INET6_ADDRSTRLEN] = "";
    (void)purpose;
    const void *address =
        a->family == AF_INET6
            ? (const void *)&((const struct sockaddr_in6 *)(const void *)&a->addr)->sin6_addr
            : (const void *)&((const struct sockaddr_in *)(const void *)&a->addr)->sin_addr;
    bool known = (a->family == AF_INET || a->family == AF_INET6) &&
                 inet_ntop(a->family, address, text, sizeof(text));
    bool allowed = t->rules.allow_private && t->own_host;
    if (!allowed && (!known || t->rules.is_private(text))) {
        memcpy(t->refused, known ? text : "unknown", known ? sizeof(text) : 8);
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* --- one libcurl handle ----------------------------------------------------------------------- */

static CURLcode global = CURLE_FAILED_INIT;
static void start_curl(void)
{
    global = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool set_options(struct transfer *t)
{
    CURL *c = t->curl;
    const struct transfer_rules *r = &t->rules;
    const CURLcode set[] = {
        curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L),
        curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L),
        curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https"),
        curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, ""),
        curl_easy_setopt(c, CURLOPT_USERAGENT, "sluice/0.1"),
        curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms),
        curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)r->connect_timeout_ms),
        curl_easy_setopt(c, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)r->max_body),
        curl_easy_setopt(c, CURLOPT_PROXY, r->proxy ? r->proxy : ""),
        curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->words),
        curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body),
        curl_easy_setopt(c, CURLOPT_WRITEDATA, t),
        curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L),
        curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress),
        curl_easy_setopt(c, CURLOPT_XFERINFODATA, t),
        curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_socket),
        curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, t),
    };
    for (size_t i = 0; i < COUNT_OF(set); i++)
        if (set[i] != CURLE_OK) return false;
    return !r->ca_file || curl_easy_setopt(c, CURLOPT_CAINFO, r->ca_file) == CURLE_OK;
}

static bool set_headers(struct transfer *t)
{
    for (const char *const *line = t->rules.header_lines; line && *line; line++) {
        struct curl_slist *more = curl_slist_append(t->headers, *line);
        if (!more) return false;
        t->headers = more;
    }
    return true;
}

err_t transfer_new(const struct transfer_rules *rules, struct transfer **out, struct diag *d)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_curl);
    if (global != CURLE_OK) return diag_fail(d, ERR_INTERNAL, "libcurl does not start");
    struct transfer *t = (struct transfer *)mem_take(sizeof(*t));
    if (!t) return diag_fail(d, ERR_NO_MEMORY, "no memory for an HTTP source");
    t->rules = *rules;
    if (!t->rules.is_private) t->rules.is_private = net_address_is_private;
    t->body = buf_make((size_t)rules->max_body + JSON_PADDING);
    t->curl = curl_easy_init();
    if (!t->curl || !set_options(t) || !set_headers(t)) {
        transfer_free(t);
        if (curl_trouble()) return curl_missing(d);
        return diag_fail(d, ERR_INTERNAL, "libcurl refuses the source's options");
    }
    *out = t;
    return ERR_OK;
}

void transfer_free(struct transfer *t)
{
    if (!t) return;
    if (t->curl) curl_easy_cleanup(t->curl);
    curl_slist_free_all(t->headers);
    buf_done(&t->body);
    mem_give(t);
}

/* --- URLs ------------------------------------------------------------------------------------- */

struct url {
    char *scheme, *host, *port;
};
static bool url_split(const char *text, struct url *out)
{
    CURLU *u = curl_url();
    *out = (struct url){0};
    bool ok = u && !curl_url_set(u, CURLUPART_URL, text, 0) &&
              !curl_url_get(u, CURLUPART_SCHEME, &out->scheme, 0) &&
              !curl_url_get(u, CURLUPART_HOST, &out->host, 0) &&
              !curl_url_get(u, CURLUPART_PORT, &out->port, CURLU_DEFAULT_PORT);
    curl_url_cleanup(u);
    return ok;
}
static void url_done(struct url *u)
{
    curl_free(u->scheme);
    curl_free(u->host);
    curl_free(u->port);
}
static bool same_origin(const char *a, const char *b)
{
    struct url x, y;
    bool ok_x = url_split(a, &x), ok_y = url_split(b, &y);
    bool same = ok_x && ok_y && strcmp(x.scheme, y.scheme) == 0 && strcmp(x.host, y.host) == 0 &&
                strcmp(x.port, y.port) == 0;
    url_done(&x);
    url_done(&y);
    return same;
}

void url_shown(const char *url, char *out, size_t cap)
{
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    size_t path = strcspn(host, "/?#");
    const char *at = (const char *)memchr(host, '@', path);
    struct buf b = buf_over(out, cap - 1);
    buf_put(&b, url, (size_t)(host - url));
    if (at) {
        path -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    buf_put(&b, host, path + strcspn(host + path, "?#"));
    out[b.len] = 0;
}

/* --- a hop ------------------------------------------------------------------------------------ */

static const struct {
    CURLcode code;
    err_t err;
    const char *what, *hint;
} failures[] = {
    {CURLE_COULDNT_RESOLVE_HOST, ERR_PEER, "the name of the host is not known",
     "check the address, and whether this machine is online (try: getent hosts NAME)"},
    {CURLE_COULDNT_RESOLVE_PROXY, ERR_PEER, "the name of the proxy is not known",
     "check the option proxy"},
    {CURLE_COULDNT_CONNECT, ERR_PEER, "nobody answers there",
     "is the API running, and is the port right?"},
    {CURLE_OPERATION_TIMEDOUT, ERR_TIMEOUT, "the answer took too long",
     "raise timeout (or connect_timeout), or ask for fewer results"},
    {CURLE_FILESIZE_EXCEEDED, ERR_TOO_BIG, "the answer is larger than max_body",
     "raise max_body, or ask for fewer results"},
    {CURLE_PEER_FAILED_VERIFICATION, ERR_PEER, "the server's certificate is not trusted",
     "if it is your own server, name its certificate: WITH (ca_file = '/path/ca.pem')"},
    {CURLE_SSL_CACERT_BADFILE, ERR_CONFIG, "the certificates of ca_file can't be read",
     "ca_file names a file of PEM certificates"},
    {CURLE_SSL_CONNECT_ERROR, ERR_PEER, "the TLS connection failed",
     "is the address https where the server speaks http?"},
    {CURLE_PARTIAL_FILE, ERR_SHORT, "the answer broke off", ""},
    {CURLE_GOT_NOTHING, ERR_SHORT, "the server closed the connection without an answer", ""},
    {CURLE_RECV_ERROR, ERR_SHORT, "the connection broke off", ""},
    {CURLE_BAD_CONTENT_ENCODING, ERR_MALFORMED, "the answer's compression is broken", ""},
    {CURLE_URL_MALFORMAT, ERR_CONFIG, "the address is not a URL",
     "an address is like 'https://randomuser.me/api/'"},
    {CURLE_UNSUPPORTED_PROTOCOL, ERR_CONFIG, "only http and https can be fetched", ""},
    {CURLE_OUT_OF_MEMORY, ERR_NO_MEMORY, "no memory for the answer", ""},
};

static err_t too_big(const struct transfer *t, const char *shown, struct diag *d)
{
    char size[64];
    struct buf b = buf_over(size, sizeof(size) - 1);
    unit_put_bytes(&b, (uint64_t)t->rules.max_body);
    (void)diag_fail(d, ERR_TOO_BIG,
                    "the answer of %s is larger than max_body, %.*s; the rest was "
                    "not read",
                    shown, (int)b.len, size);
    return diag_hint(d, "raise max_body, or ask for fewer results");
}

static err_t failed(const struct transfer *t, CURLcode code, const char *shown, struct diag *d)
{
    if (t->stopped) return ERR_STOPPED;
    if (t->refused[0]) {
        (void)diag_fail(d, ERR_PRIVATE_ADDRESS, "%s%s is at %s, a private address, which %s",
                        t->own_host ? "" : "a redirect leads to ", shown, t->refused,
                        t->own_host ? "sources may not fetch" : "redirects may never reach");
        if (!t->own_host)
            return diag_hint(d, "if it is where the records are, give it as the source's address");
        return diag_hint(d, "if it is your own API, allow it: WITH (allow_private = true)");
    }
    if (t->too_big || code == CURLE_FILESIZE_EXCEEDED) return too_big(t, shown, d);
    if (t->body.err) return diag_fail(d, t->body.err, "no memory for the answer of %s", shown);
    for (size_t i = 0; i < COUNT_OF(failures); i++) {
        if (failures[i].code != code) continue;
        (void)diag_fail(d, failures[i].err, "%s: %s", shown, failures[i].what);
        (void)diag_hint(d, "%s", failures[i].hint);
        return diag_why(d, "%s", t->words[0] ? t->words : curl_easy_strerror(code));
    }
    (void)diag_fail(d, ERR_PEER, "%s could not be fetched", shown);
    return diag_why(d, "%s", t->words[0] ? t->words : curl_easy_strerror(code));
}

static void read_head(struct transfer *t, struct transfer_answer *out)
{
    const char *type = NULL;
    curl_off_t after = 0;
    struct curl_header *header = NULL;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &out->status);
    curl_easy_getinfo(t->curl, CURLINFO_CONTENT_TYPE, &type);
    curl_easy_getinfo(t->curl, CURLINFO_RETRY_AFTER, &after);
    bool said = !curl_easy_header(t->curl, "Retry-After", 0, CURLH_HEADER, -1, &header);
    out->retry_after_ms = said ? (int64_t)MIN(after, (curl_off_t)86400) * 1000 : -1;
    struct slice s = slice_of(type ? type : "");
    s.len = MIN(s.len, (uint32_t)sizeof(out->content_type) - 1);
    (void)slice_to_cstr(s, out->content_type, sizeof(out->content_type));
}

static err_t hop(struct transfer *t, const char *url, bool first_host, struct transfer_answer *out,
                 struct diag *d)
{
    char shown[SHOWN_MAX];
    url_shown(url, shown, sizeof(shown));
    buf_reset(&t->body);
    t->too_big = t->stopped = false;
    t->own_host = first_host;
    t->refused[0] = t->words[0] = 0;
    if (curl_easy_setopt(t->curl, CURLOPT_URL, url) ||
        curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, first_host ? t->headers : NULL))
        return diag_fail(d, ERR_NO_MEMORY, "no memory for a request");
    CURLcode code = curl_easy_perform(t->curl);
    if (code != CURLE_OK) return failed(t, code, shown, d);
    read_head(t, out);
    size_t size = t->body.len;
    uint8_t *padding = buf_grow(&t->body, JSON_PADDING);
    if (!padding) return diag_fail(d, t->body.err, "no memory for the answer of %s", shown);
    memset(padding, 0, JSON_PADDING);
    out->body = slice_make(t->body.at, size);
    return ERR_OK;
}

static bool is_redirect(long status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Where a redirect leads, into t->next. */
static err_t follow(struct transfer *t, const char *from, struct diag *d)
{
    char shown[SHOWN_MAX];
    const char *to = NULL;
    url_shown(from, shown, sizeof(shown));
    curl_easy_getinfo(t->curl, CURLINFO_REDIRECT_URL, &to);
    if (!to || strlen(to) >= sizeof(t->next))
        return diag_fail(d, ERR_PEER, "%s redirects, but not to an address", shown);
    if (slice_starts(slice_of(from), "https:") && !slice_starts(slice_of(to), "https:"))
        return diag_fail(d, ERR_PEER,
                         "%s redirects from https to an address without encryption, which is not "
                         "followed",
                         shown);
    memcpy(t->next, to, strlen(to) + 1);
    return ERR_OK;
}

err_t transfer_get(struct transfer *t, const struct transfer_ask *ask, struct transfer_answer *out,
                   struct diag *d)
{
    char url[URL_MAX_BYTES];
    *out = (struct transfer_answer){.retry_after_ms = -1};
    if (!slice_to_cstr(slice_of(ask->url), url, sizeof(url)))
        return diag_fail(d, ERR_TOO_BIG, "the address is longer than %d bytes", URL_MAX_BYTES);
    t->ask = ask;
    for (int hops = 0;; hops++) {
        err_t e = hop(t, url, hops == 0 || same_origin(ask->url, url), out, d);
        if (e || !is_redirect(out->status)) return e;
        if (hops == t->rules.redirects_max) {
            char shown[SHOWN_MAX];
            url_shown(ask->url, shown, sizeof(shown));
            (void)diag_fail(d, ERR_PEER, "%s redirects more than %d times", shown,
                            t->rules.redirects_max);
            return diag_hint(d, "give the address it leads to, or raise redirects");
        }
        e = follow(t, url, d);
        if (e) return e;
        memcpy(url, t->next, sizeof(url));
    }
}
