/* Goal: a bad answer delivers nothing, loses nothing, and is told in words; a good one arrives
 * whole. Method: a real server on loopback, in its own thread, that answers by path. */
#include "connect/http/http_int.h"
#include "connect/http/quota.h"
#include "connect/http/test_server.h"
#include "data/json.h"
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* --- a source over it ------------------------------------------------------------------------- */

struct source {
    struct source_port port;
    struct diag d;
    err_t err;
};
static struct source open_at(uint16_t port, const char *path, const char *with)
{
    struct source o = {0};
    struct arena *a = arena_new(MIB(1));
    struct connect_given given[16];
    char address[128];
    size_t count = 0;
    snprintf(address, sizeof(address), "http://127.0.0.1:%u%s", port, path);
    for (const char *at = with; *at;) {
        size_t end = strcspn(at, ";"), equals = strcspn(at, "=");
        given[count++] = (struct connect_given){
            slice_make(at, equals), slice_make(at + equals + 1, end - equals - 1), 1, 1};
        at += end + (at[end] == ';');
    }
    struct connect_setting *settings;
    struct connect_common common;
    o.err = connect_settings(&connect_http, given, count, "p", a, &settings, &common, &o.d);
    if (!o.err) o.err = connect_http.open(slice_of(address), settings, &o.port, &o.d);
    CHECK_OK(o.err, &o.d);
    arena_free(a);
    return o;
}
static const char base[] = "items=$.results[*];allow_private=true;retries=0;backoff=1ms;";
static struct source open_with(struct test_server *s, const char *path, const char *more)
{
    char with[512];
    snprintf(with, sizeof(with), "%s%s", base, more);
    return open_at(s->port, path, with);
}
static err_t fetch(struct source *o, const char *cursor, int64_t now, struct source_answer *out)
{
    struct source_ask ask = {slice_of(cursor), now, 1000, NULL, NULL};
    memset(&o->d, 0, sizeof(o->d));
    return o->port.fetch(o->port.self, &ask, out, &o->d);
}
static void shut(struct source *o)
{
    o->port.close(o->port.self);
}

TEST(a_good_answer_arrives_whole)
{
    struct test_server *s = test_server_start();
    struct source o = open_with(s, "/ok", "results=3;nat=us,gb;seed=a b");
    struct source_answer a;
    CHECK_OK(fetch(&o, "", 1, &a), &o.d);
    CHECK_INT(a.item_count, 3);
    CHECK_SLICE(a.items[1].value, "{\"id\":2}");
    CHECK(strncmp(s->last, "GET /ok?results=3&nat=us,gb&seed=a%20b HTTP/1.1\r\n", 48) == 0);
    CHECK(!a.repeatable && !a.end && a.reject_count == 0);
    shut(&o);
    test_server_stop(s);
}

TEST(bad_answers_deliver_nothing_and_say_why)
{
    static const struct {
        const char *path, *with;
        err_t err;
        const char *what, *hint;
    } table[] = {
        {"/error", "", ERR_NOT_FOUND, "$.results", ""},
        {"/broken", "", ERR_BAD_JSON, "can't be used", "nothing of it was taken"},
        {"/tail", "", ERR_BAD_JSON, "can't be used", ""},
        {"/html", "", ERR_BAD_JSON, "text/html, not with JSON", "a web page"},
        {"/plain", "", ERR_BAD_JSON, "can't be used", ""},
        {"/utf8", "", ERR_BAD_UTF8, "can't be used", ""},
        {"/deep", "items=$", ERR_TOO_DEEP, "can't be used", ""},
        {"/404", "", ERR_NOT_FOUND, "HTTP 404", "spelling"},
        {"/401", "", ERR_LOGIN, "HTTP 401", "headers"},
        {"/403", "", ERR_FORBIDDEN, "HTTP 403", "address"},
        {"/429", "", ERR_THROTTLED, "HTTP 429", "every"},
        {"/500", "", ERR_PEER, "HTTP 500", ""},
        {"/503", "", ERR_PEER, "HTTP 503", ""},
        {"/short", "", ERR_SHORT, "broke off", ""},
        {"/nothing", "", ERR_SHORT, "without an answer", ""},
        {"/loop", "", ERR_PEER, "more than 5 times", "redirects"},
        {"/nowhere", "", ERR_PEER, "not to an address", ""},
        {"/endless", "max_body=1MiB", ERR_TOO_BIG, "1.0 MiB", "raise max_body"},
        {"/huge", "", ERR_TOO_BIG, "larger than max_body", "raise max_body"},
        {"/bomb", "max_body=1MiB", ERR_TOO_BIG, "larger than max_body", "raise max_body"},
        {"/slow", "timeout=200ms", ERR_TIMEOUT, "too long", "raise timeout"},
    };
    struct test_server *s = test_server_start();
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char with[128];
        const char *items = strstr(table[i].with, "items") ? table[i].with : NULL;
        snprintf(with, sizeof(with), "%s%s", items ? "allow_private=true;retries=0;" : base,
                 table[i].with);
        struct source o = open_at(s->port, table[i].path, with);
        struct source_answer a;
        CHECK_INT(fetch(&o, "page=4", 1, &a), table[i].err);
        CHECK_INT(o.d.err, table[i].err);
        CHECK_INT(a.item_count + a.reject_count, 0);
        if (!strstr(o.d.what, table[i].what) || !strstr(o.d.hint, table[i].hint))
            test_failed(__FILE__, __LINE__, "%s: what '%s' why '%s' hint '%s'", table[i].path,
                        o.d.what, o.d.why, o.d.hint);
        shut(&o);
    }
    test_server_stop(s);
}

TEST(failures_that_may_pass_are_tried_again)
{
    struct test_server *s = test_server_start();
    struct source o = open_with(s, "/flaky", "");
    struct source_answer a;
    CHECK_ERR(fetch(&o, "", 1, &a), ERR_PEER);
    shut(&o);
    s->requests = 0;
    o = open_at(s->port, "/flaky", "items=$.results[*];allow_private=true;retries=3;backoff=1ms");
    CHECK_OK(fetch(&o, "", 1, &a), &o.d);
    CHECK_INT(a.item_count, 3);
    CHECK_INT(s->requests, 3);
    shut(&o);
    s->requests = 0;
    o = open_at(s->port, "/404", "items=$.results[*];allow_private=true;retries=3;backoff=1ms");
    CHECK_ERR(fetch(&o, "", 1, &a), ERR_NOT_FOUND);
    CHECK_INT(s->requests, 1);
    shut(&o);
    test_server_stop(s);
}

TEST(a_long_retry_after_is_kept_without_asking_again)
{
    struct test_server *s = test_server_start();
    struct source o = open_at(s->port, "/429", "items=$.results[*];allow_private=true;retries=3");
    struct source_answer a;
    CHECK_ERR(fetch(&o, "", 1000, &a), ERR_THROTTLED);
    CHECK(strstr(o.d.why, "ease up"));
    CHECK_INT(s->requests, 1);
    CHECK_OK(fetch(&o, "", 2000, &a), &o.d);
    CHECK_INT(a.wait_ms, 119000);
    CHECK(a.note.len > 0 && a.item_count == 0);
    CHECK_INT(s->requests, 1);
    CHECK_ERR(fetch(&o, "", 121000, &a), ERR_THROTTLED);
    CHECK_INT(s->requests, 2);
    shut(&o);
    test_server_stop(s);
}

TEST(empty_answers_are_no_error_and_are_told_after_several)
{
    struct test_server *s = test_server_start();
    struct source o = open_with(s, "/empty", "");
    struct source_answer a;
    for (int i = 1; i <= 4; i++) {
        CHECK_OK(fetch(&o, "", i, &a), &o.d);
        CHECK_INT(a.item_count, 0);
        CHECK_INT(a.note.len > 0, i >= 3);
    }
    shut(&o);
    o = open_with(s, "/none", "");
    CHECK_OK(fetch(&o, "", 1, &a), &o.d);
    CHECK_INT(a.item_count, 0);
    shut(&o);
    test_server_stop(s);
}

TEST(items_that_are_no_objects_are_rejected_with_their_bytes)
{
    struct test_server *s = test_server_start();
    struct source o = open_with(s, "/mixed", "");
    struct source_answer a;
    CHECK_OK(fetch(&o, "", 1, &a), &o.d);
    CHECK_INT(a.item_count, 2);
    CHECK_INT(a.reject_count, 4);
    CHECK_SLICE(a.rejects[0].raw, "7");
    CHECK_SLICE(a.rejects[3].raw, "[{}]");
    CHECK_INT(a.rejects[0].err, ERR_TYPE);
    shut(&o);
    test_server_stop(s);
}

TEST(private_addresses_are_refused_unless_allowed)
{
    struct test_server *s = test_server_start();
    struct source o = open_at(s->port, "/ok", "items=$.results[*];retries=3");
    struct source_answer a;
    CHECK_ERR(fetch(&o, "", 1, &a), ERR_PRIVATE_ADDRESS);
    CHECK(strstr(o.d.what, "127.0.0.1") && strstr(o.d.hint, "allow_private = true"));
    CHECK_INT(s->requests, 0);
    shut(&o);
    test_server_stop(s);
}

static bool only_two_is_private(const char *address)
{
    return strcmp(address, "127.0.0.2") == 0;
}

static bool none_is_private(const char *address)
{
    return !address;
}
TEST(an_allowed_private_address_may_not_lead_to_another)
{
    struct test_server *s = test_server_start();
    struct source o = open_with(s, "/away", "");
    struct source_answer a;
    CHECK_ERR(fetch(&o, "", 1, &a), ERR_PRIVATE_ADDRESS);
    CHECK_INT(s->requests, 1);
    shut(&o);
    test_server_stop(s);
}

TEST(each_hop_of_a_redirect_is_checked_and_gets_no_secrets)
{
    struct test_server *s = test_server_start();
    const char *headers[] = {"X-Token: s3cret", NULL};
    struct transfer_rules rules = {.timeout_ms = 5000,
                                   .connect_timeout_ms = 5000,
                                   .max_body = 100000,
                                   .redirects_max = 5,
                                   .header_lines = headers,
                                   .is_private = only_two_is_private};
    struct transfer *t;
    struct transfer_answer a;
    struct diag d = {0};
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/away", s->port);
    CHECK_OK(transfer_new(&rules, &t, &d), &d);
    CHECK_ERR(transfer_get(t, &(struct transfer_ask){.url = url}, &a, &d), ERR_PRIVATE_ADDRESS);
    CHECK_INT(s->requests, 1);
    CHECK(strstr(s->last, "X-Token: s3cret"));
    transfer_free(t);
    CHECK(strstr(d.what, "a redirect leads to http://127.0.0.2:"));
    rules.is_private = none_is_private;
    CHECK_OK(transfer_new(&rules, &t, &d), &d);
    CHECK_OK(transfer_get(t, &(struct transfer_ask){.url = url}, &a, &d), &d);
    CHECK(a.status == 200 && s->requests == 3);
    CHECK(strstr(s->last, "Host: 127.0.0.2") && !strstr(s->last, "s3cret"));
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/moved", s->port);
    CHECK_OK(transfer_get(t, &(struct transfer_ask){.url = url}, &a, &d), &d);
    CHECK(strstr(s->last, "s3cret"));
    transfer_free(t);
    test_server_stop(s);
}

TEST(secrets_reach_the_server_but_no_message)
{
    struct test_server *s = test_server_start();
    setenv("SLUICE_TEST_TOKEN", "t0pSecret", 1);
    struct source o = open_with(s, "/ok",
                                "headers=Authorization: Bearer ${env:SLUICE_TEST_TOKEN} | X-A: b;"
                                "query=key=${env:SLUICE_TEST_TOKEN}");
    struct source_answer a;
    CHECK_OK(fetch(&o, "", 1, &a), &o.d);
    CHECK(strstr(s->last, "Authorization: Bearer t0pSecret\r\n") && strstr(s->last, "X-A: b\r\n"));
    CHECK(strstr(s->last, "?key=t0pSecret "));
    CHECK(!memmem(a.provenance.at, a.provenance.len, "t0p", 3));
    shut(&o);
    o = open_with(s, "/500", "query=key=${env:SLUICE_TEST_TOKEN}");
    CHECK_ERR(fetch(&o, "", 1, &a), ERR_PEER);
    char story[2048];
    diag_format(&o.d, story, sizeof(story));
    CHECK(!strstr(story, "t0p"));
    shut(&o);
    test_server_stop(s);
}

TEST(pages_move_on_with_answers_that_held_records)
{
    struct test_server *s = test_server_start();
    struct source o = open_with(s, "/ok", "page_param=page;page_start=5;page_end=6");
    struct source_answer a;
    CHECK_OK(fetch(&o, "", 1, &a), &o.d);
    CHECK(strstr(s->last, "GET /ok?page=5 "));
    CHECK_SLICE(a.cursor, "page=6");
    CHECK(!a.end);
    CHECK_OK(fetch(&o, "page=6", 1, &a), &o.d);
    CHECK(strstr(s->last, "GET /ok?page=6 "));
    CHECK_SLICE(a.cursor, "page=7");
    CHECK(a.end);
    CHECK_OK(fetch(&o, "page=7", 1, &a), &o.d);
    CHECK(a.end && a.item_count == 0 && s->requests == 2);
    shut(&o);
    o = open_with(s, "/empty", "page_param=p");
    CHECK_OK(fetch(&o, "page=9", 1, &a), &o.d);
    CHECK_SLICE(a.cursor, "page=9");
    shut(&o);
    test_server_stop(s);
}

TEST(the_rate_limit_counts_what_was_asked_for)
{
    struct test_server *s = test_server_start();
    struct source o = open_with(s, "/ok", "results=3;rate_limit=7/10s");
    struct source_answer a;
    CHECK_OK(fetch(&o, "", 1000, &a), &o.d);
    CHECK_OK(fetch(&o, "", 2000, &a), &o.d);
    CHECK_INT(a.item_count, 3);
    CHECK_OK(fetch(&o, "", 3000, &a), &o.d);
    CHECK_INT(a.item_count, 0);
    CHECK_INT(a.wait_ms, 8000);
    CHECK_INT(s->requests, 2);
    CHECK_OK(fetch(&o, "", 11000, &a), &o.d);
    CHECK_INT(a.item_count, 3);
    shut(&o);
    s->requests = 0;
    o = open_at(s->port, "/500",
                "items=$;allow_private=true;retries=9;backoff=1ms;results=3;"
                "rate_limit=7/10s");
    CHECK_ERR(fetch(&o, "", 1000, &a), ERR_PEER);
    CHECK_INT(s->requests, 2); /* retries keep it too */
    shut(&o);
    test_server_stop(s);
}

static bool fetched(struct source *o, bool by_task, int64_t now)
{
    struct source_answer a;
    struct source_ask ask = {.now_ms = now, .items_max = 1000, .by_task = by_task};
    CHECK_OK(o->port.fetch(o->port.self, &ask, &a, &o->d), &o->d);
    CHECK(a.item_count > 0 || a.wait_ms > 0);
    return a.item_count > 0;
}

/* Goal: no more than the quota in any span, over restarts, each side its share. Method: two sources
 * of one quota of 12, one polls, one runs for tasks and takes what it gets. */
TEST(a_quota_is_shared_kept_and_fair)
{
    struct test_server *s = test_server_start();
    struct diag d = {0};
    char folder[300];
    snprintf(folder, sizeof(folder), "%s/quotas", test_dir());
    CHECK_OK(connect_quotas_in(folder, &d), &d);
    struct source live = open_with(s, "/ok", "results=1;quota=api;rate_limit=12/100s");
    struct source back = open_with(s, "/ok", "results=1;quota=api");
    int taken[2] = {0}, due = 0, late = 0;
    for (int second = 0; second < 500; second++) {
        if (second % 25 == 0) due = 1; /* it asks again while it is refused, as sources do */
        if (due && fetched(&live, false, 1000 * second)) taken[0]++, due--;
        late += second >= 200 && due > 0;
        taken[1] += fetched(&back, true, 1000 * second);
        CHECK(taken[0] + taken[1] <= 12 * (second / 100 + 1));
    }
    CHECK_INT(late, 0); /* what it wants is less than half: known, it never waits */
    CHECK_INT(taken[0], 17);
    CHECK(taken[1] >= 30); /* and tasks have the rest */
    CHECK_INT(s->requests, taken[0] + taken[1]);
    int before = s->requests;
    shut(&live);
    shut(&back); /* as a restart: nothing of it is in memory */
    back = open_with(s, "/ok", "results=1;quota=api;rate_limit=12/100s");
    for (int n = 0; n < 20; n++) (void)fetched(&back, true, 500000);
    CHECK(s->requests - before <= 2);
    CHECK_ERR(quota_join(SLICE("api"), 13, 100000, &(struct quota *){NULL}, &d), ERR_CONFIG);
    CHECK_ERR(quota_join(SLICE("../api"), 13, 100000, &(struct quota *){NULL}, &d), ERR_CONFIG);
    shut(&back);
    back = open_with(s, "/ok", "results=1;quota=other");
    struct source_answer a;
    CHECK_ERR(fetch(&back, "", 1, &a), ERR_CONFIG);
    shut(&back);
    CHECK_OK(connect_quotas_in("", &d), &d);
    test_server_stop(s);
}

static void take_seen(void *ctx, const struct connect_quota *q)
{
    struct buf *out = ctx;
    connect_quota_put(out, q);
}

static void check_seen(const char *folder, const char *name, int64_t now_ms, const char *want)
{
    struct diag d = {0};
    char text[400];
    struct buf out = buf_over(text, sizeof(text));
    CHECK_OK(connect_quotas_look(folder, name, now_ms, take_seen, &out, &d), &d);
    CHECK_SLICE(buf_view(&out), want);
}

/* Goal: whoever looks from outside sees what is taken, by which side, and who waits for room. */
TEST(a_quota_shows_what_is_taken_and_who_waits)
{
    struct diag d = {0};
    struct quota *q = NULL;
    int64_t wait = 0;
    char folder[300];
    snprintf(folder, sizeof(folder), "%s/shown", test_dir());
    CHECK_OK(connect_quotas_in(folder, &d), &d);
    CHECK_OK(quota_join(SLICE("api"), 4, 60000, &q, &d), &d);
    if (!q) return;
    check_seen(folder, "api", 1000, "an API's quota: 4/1m; taken by sources 0, by tasks 0");
    struct quota_ask live = {&live, SLICE("users"), false, 2, 1000},
                     task = {&task, SLICE("load.get"), true, 2, 1000};
    CHECK_OK(quota_take(q, &live, &wait, &d), &d);
    CHECK_INT(wait, 0);
    CHECK_OK(quota_take(q, &task, &wait, &d), &d);
    CHECK_INT(wait, 0);
    CHECK_OK(quota_take(q, &task, &wait, &d), &d);
    CHECK(wait > 0);
    live.count = 1;
    CHECK_OK(quota_take(q, &live, &wait, &d), &d);
    CHECK(wait > 0);
    check_seen(folder, "api", 1500,
               "an API's quota: 4/1m; taken by sources 2, by tasks 2; "
               "waiting: task load.get, source users");
    check_seen(folder, "none", 1500, "");
    live.now_ms = 61500; /* the span is over, and each takes what it waited for */
    CHECK_OK(quota_take(q, &live, &wait, &d), &d);
    CHECK_INT(wait, 0);
    check_seen(folder, NULL, 61500, "an API's quota: 4/1m; taken by sources 1, by tasks 0");
    quota_leave(q);
    CHECK_OK(connect_quotas_in("", &d), &d);
}

TEST(the_fallback_is_said_and_left_when_the_api_is_back)
{
    struct test_server *s = test_server_start();
    struct source o =
        open_with(s, "/flaky", "results=4;nat=us;fallback=generator;fallback_check=1s");
    struct source_answer a;
    char cursor[512] = "";
    CHECK_OK(fetch(&o, cursor, 1000, &a), &o.d);
    CHECK_INT(a.item_count, 4);
    CHECK(memmem(a.note.at, a.note.len, "falling back to the generator: ", 31));
    CHECK(memmem(a.note.at, a.note.len, "HTTP 503", 8));
    CHECK(memmem(a.provenance.at, a.provenance.len, "fallback=generator", 18));
    CHECK(memmem(a.items[0].value.at, a.items[0].value.len, "\"nat\":\"US\"", 10));
    CHECK(slice_to_cstr(a.cursor, cursor, sizeof(cursor)));
    CHECK_OK(fetch(&o, cursor, 1500, &a), &o.d); /* not asked again before the second is over */
    CHECK_INT(s->requests, 1);
    CHECK(memmem(a.cursor.at, a.cursor.len, "fallback=page=3", 15));
    CHECK(slice_to_cstr(a.cursor, cursor, sizeof(cursor)));
    CHECK_OK(fetch(&o, cursor, 2100, &a), &o.d); /* asked, and still down */
    CHECK_INT(s->requests, 2);
    CHECK_INT(a.item_count, 4);
    CHECK_OK(fetch(&o, cursor, 3200, &a), &o.d);
    CHECK_INT(s->requests, 3);
    CHECK_INT(a.item_count, 3);
    CHECK_INT(a.note.len, 0);
    CHECK(memmem(a.cursor.at, a.cursor.len, "fallback=page=3", 15));
    shut(&o);
    uint16_t port = s->port;
    test_server_stop(s);
    o = open_at(port, "/ok", "items=$.results[*];allow_private=true;retries=1;backoff=1ms");
    CHECK_ERR(fetch(&o, "", 1, &a), ERR_PEER);
    CHECK(strstr(o.d.what, "nobody answers there"));
    shut(&o);
}

static bool stop_now(void *ctx)
{
    int *calls = (int *)ctx;
    return ++*calls > 3;
}
TEST(a_fetch_ends_when_the_server_is_to_stop)
{
    struct test_server *s = test_server_start();
    struct source o = open_with(s, "/slow", "timeout=20s");
    struct source_answer a;
    int calls = 0;
    struct source_ask ask = {{0}, 1, 10, stop_now, &calls};
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    CHECK_ERR(o.port.fetch(o.port.self, &ask, &a, &o.d), ERR_STOPPED);
    clock_gettime(CLOCK_MONOTONIC, &end);
    CHECK(end.tv_sec - start.tv_sec < 5);
    shut(&o);
    test_server_stop(s);
}

TEST(urls_are_shown_without_login_and_query)
{
    static const struct {
        const char *url, *shown;
    } table[] = {{"https://a.b/c?key=1", "https://a.b/c"},
                 {"http://me:pw@a.b:1/c#d", "http://a.b:1/c"},
                 {"http://a?x@y", "http://a"}};
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char out[SHOWN_MAX];
        url_shown(table[i].url, out, sizeof(out));
        CHECK_TEXT(out, table[i].shown);
    }
}

/* --- TLS, by openssl(1) ----------------------------------------------------------------------- */

static uint16_t free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(fd, (struct sockaddr *)(void *)&a, size) == 0);
    getsockname(fd, (struct sockaddr *)(void *)&a, &size);
    close(fd);
    return ntohs(a.sin_port);
}
static bool wait_for_port(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    a.sin_port = htons(port);
    for (int i = 0; i < 500; i++, usleep(10000)) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int no = connect(fd, (struct sockaddr *)(void *)&a, sizeof(a));
        close(fd);
        if (no == 0) return true;
    }
    return false;
}
static pid_t tls_server(uint16_t port)
{
    char command[2048];
    const char *dir = test_dir();
    snprintf(command, sizeof(command),
             "cd %s && echo '{\"results\":[{\"id\":1}]}' > ok.json && openssl req -x509 -newkey "
             "rsa:2048 "
             "-nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=127.0.0.1 -addext "
             "subjectAltName=IP:127.0.0.1 2>/dev/null",
             dir);
    CHECK(system(command) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        char text[16];
        snprintf(text, sizeof(text), "%u", port);
        if (chdir(dir) == 0)
            execlp("openssl", "openssl", "s_server", "-quiet", "-accept", text, "-cert", "cert.pem",
                   "-key", "key.pem", "-WWW", (char *)NULL);
        _exit(127);
    }
    CHECK(wait_for_port(port));
    return pid;
}

TEST(certificates_are_checked_and_an_own_one_can_be_named)
{
    uint16_t port = free_port();
    pid_t pid = tls_server(port);
    char url[64], ca[512];
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/ok.json", port);
    snprintf(ca, sizeof(ca), "%s/cert.pem", test_dir());
    struct transfer_rules rules = {.timeout_ms = 5000,
                                   .connect_timeout_ms = 5000,
                                   .max_body = 100000,
                                   .is_private = none_is_private};
    struct transfer *t;
    struct transfer_answer a;
    struct diag d = {0};
    CHECK_OK(transfer_new(&rules, &t, &d), &d);
    CHECK_ERR(transfer_get(t, &(struct transfer_ask){.url = url}, &a, &d), ERR_PEER);
    CHECK(strstr(d.what, "certificate is not trusted") && strstr(d.hint, "ca_file"));
    transfer_free(t);
    rules.ca_file = ca;
    CHECK_OK(transfer_new(&rules, &t, &d), &d);
    CHECK_OK(transfer_get(t, &(struct transfer_ask){.url = url}, &a, &d), &d);
    CHECK(a.status == 200 && slice_starts(a.body, "{\"results\""));
    transfer_free(t);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
}
