/* Goal: over HTTP the door behaves as the site, headers included, and each fault is the fault it
 * says. Method: a loop in a thread, and libcurl's command line as the client. */
#include "door/randomuser/randomuser_int.h"
#include "os/thread.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

struct run {
    struct loop *loop;
    struct thread thread;
    struct randomuser_door *door;
};
static void run_loop(void *arg)
{
    loop_run((struct loop *)arg);
}
static void start(struct run *r, struct randomuser_options o)
{
    struct diag d = {0};
    o.address = "127.0.0.1";
    CHECK_OK(loop_new("door", 64, &r->loop, &d), &d);
    CHECK_OK(randomuser_open(r->loop, &o, &r->door, &d), &d);
    CHECK_OK(thread_start(&r->thread, "door", run_loop, r->loop, &d), &d);
}
static void stop(struct run *r)
{
    loop_stop(r->loop);
    thread_join(&r->thread);
    randomuser_close(r->door);
    loop_free(r->loop);
    *r = (struct run){0};
}

/* Head and body of one GET, by curl(1). */
static char *get(struct run *r, const char *path, const char *options)
{
    enum { CAP = 16 << 20 };
    static char text[CAP];
    char command[1024];
    snprintf(command, sizeof(command),
             "curl -s -i -m 10 --noproxy '*' %s 'http://127.0.0.1:%u%s' 2>&1", options,
             randomuser_port(r->door), path);
    FILE *f = popen(command, "r");
    size_t size = fread(text, 1, CAP - 1, f);
    text[size] = 0;
    int code = pclose(f);
    if (code) snprintf(text + size, CAP - size, "\ncurl exit %d", code / 256);
    return text;
}
static bool says(struct run *r, const char *path, const char *options, const char *wanted)
{
    const char *text = get(r, path, options);
    bool found = strstr(text, wanted) != NULL;
    if (!found) printf("    %s: no '%s' in\n%.400s\n", path, wanted, text);
    return found;
}

TEST(people_portraits_and_headers_are_served)
{
    struct run r = {0};
    start(&r, (struct randomuser_options){0});
    CHECK(says(&r, "/api/?seed=x&nat=us", "", "\"version\":\"1.4\""));
    CHECK(says(&r, "/api?seed=x&nat=us", "", "HTTP/1.1 200 "));
    CHECK(says(&r, "/api/1.1?seed=x", "", "\"version\":\"1.1\""));
    CHECK(says(&r, "/api/1.0/?seed=x", "", "\"version\":\"1.0\""));
    CHECK(says(&r, "/api/", "", "Cache-Control: no-cache\r\n"));
    CHECK(says(&r, "/api/", "", "Access-Control-Allow-Origin: *\r\n"));
    CHECK(says(&r, "/api/", "", "Content-Type: application/json; charset=utf-8\r\n"));
    CHECK(says(&r, "/api/?format=csv&dl", "",
               "Content-Disposition: attachment; filename=\"download.csv\""));
    CHECK(says(&r, "/api/2.0/", "", "HTTP/1.1 404 "));
    CHECK(says(&r, "/apis/", "", "Not Found"));
    CHECK(says(&r, "/", "", "RandomUser API, offline"));
    CHECK(says(&r, "/api/", "-X OPTIONS", "HTTP/1.1 204 "));
    CHECK(says(&r, "/api/", "-X DELETE", "HTTP/1.1 405 "));
    CHECK(says(&r, "/api/", "-I", "HTTP/1.1 200 "));
    char wanted[96], again[64];
    snprintf(wanted, sizeof(wanted), "\"large\":\"http://127.0.0.1:%u/api/portraits/",
             randomuser_port(r.door));
    CHECK(says(&r, "/api/", "", wanted));
    CHECK(says(&r, "/api/", "-H 'Host: <script>'", wanted));
    const char *tag = strstr(get(&r, "/api/portraits/med/men/99.jpg", ""), "ETag: ");
    CHECK(tag && sscanf(tag, "ETag: %63s", again) == 1);
    char header[128];
    snprintf(header, sizeof(header), "-H 'If-None-Match: %s'", again);
    CHECK(says(&r, "/api/portraits/med/men/99.jpg", header, "HTTP/1.1 304 "));
    CHECK(says(&r, "/api/portraits/lego/9.jpg", "", "Content-Type: image/jpeg"));
    static const char *const missing[] = {
        "women/97.jpg", "men/-1.jpg",     "men/1.png",    "x/1.jpg",
        "men/01.jpg",   "med/men/1.jpg/", "men/1000.jpg", ""};
    for (size_t i = 0; i < COUNT_OF(missing); i++) {
        char path[64];
        snprintf(path, sizeof(path), "/api/portraits/%s", missing[i]);
        CHECK(says(&r, path, "", "HTTP/1.1 404 "));
    }
    stop(&r);
}

TEST(the_rate_limit_is_the_sites)
{
    struct run r = {0};
    start(&r, (struct randomuser_options){.rate_limit = true});
    for (int i = 0; i < 4; i++) CHECK(says(&r, "/api/?results=5000&inc=nat", "", "HTTP/1.1 200 "));
    CHECK(says(&r, "/api/", "", "HTTP/1.1 429 "));
    CHECK(says(&r, "/api/", "", "You've requested 20000 users in the last minute."));
    CHECK(says(&r, "/api/portraits/men/1.jpg", "", "HTTP/1.1 200 "));
    stop(&r);
    start(&r, (struct randomuser_options){0});
    for (int i = 0; i < 5; i++) CHECK(says(&r, "/api/?results=5000&inc=nat", "", "HTTP/1.1 200 "));
    stop(&r);
}

TEST(each_fault_is_what_it_says)
{
    static const struct {
        const char *query, *wanted;
    } table[] = {
        {"fault=429", "HTTP/1.1 429 "},
        {"fault=429", "Retry-After: 2\r\n"},
        {"fault=500", "Uh oh, something has gone wrong"},
        {"fault=503", "HTTP/1.1 503 "},
        {"fault=empty", "{\"results\":[],\"info\":{\"seed\":\"d3adb33f\""},
        {"fault=html", "Content-Type: text/html"},
        {"fault=redirect", "Location: http://169.254.169.254/"},
        {"fault=drift&nat=us&results=2&seed=a", "\"postcode\":\""},
        {"fault=drift&nat=us&results=2&seed=a", "\"value\":[\""},
        {"fault=drift&nat=nz&results=2&seed=a", "\"value\":\"null\""},
        {"fault=utf8&results=2", "\"first\":\"\xff\xfe"},
        {"fault=deep", "[[[[[[[[[["},
        {"fault=nonsense", "\"version\":\"1.4\""},
        {"fault=cut&results=50", "curl exit "},
    };
    struct run r = {0};
    start(&r, (struct randomuser_options){0});
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char path[128];
        snprintf(path, sizeof(path), "/api/?%s", table[i].query);
        CHECK(says(&r, path, "", table[i].wanted));
    }
    const char *text = get(&r, "/api/?fault=drift&nat=us&results=2&seed=a&inc=gender,location", "");
    int numbers = 0;
    for (const char *at = text; (at = strstr(at, "\"postcode\":")); at += 11)
        numbers += at[11] != '"';
    CHECK_INT(numbers, 1);
    text = get(&r, "/api/?fault=broken&results=3", "");
    CHECK(strstr(text, "{\"results\":[") && !strstr(text, "\"info\""));
    CHECK(strlen(get(&r, "/api/?fault=deep", "")) > 20000);
    text = get(&r, "/api/?fault=endless", "-m 1 --limit-rate 4M");
    CHECK(strlen(text) > 1000000 && strstr(text, "curl exit 28"));
    stop(&r);
}

TEST(a_fault_may_come_with_every_second_answer_and_from_the_server)
{
    struct run r = {0};
    struct diag d = {0};
    start(&r, (struct randomuser_options){.fault = "503@2"});
    int bad = 0;
    for (int i = 0; i < 10; i++) bad += strstr(get(&r, "/api/", ""), "HTTP/1.1 503 ") != NULL;
    CHECK_INT(bad, 5);
    CHECK(says(&r, "/api/?fault=none", "", "HTTP/1.1 200 "));
    struct randomuser_door *none;
    struct randomuser_options o = {.address = "127.0.0.1", .fault = "flood"};
    CHECK_ERR(randomuser_open(r.loop, &o, &none, &d), ERR_CONFIG);
    stop(&r);
    struct buf help = buf_make(KIB(64));
    randomuser_faults_help(&help);
    CHECK(strstr(buf_cstr(&help), "endless"));
    buf_done(&help);
}

TEST(a_slow_answer_comes_late_or_is_forgotten_with_the_door)
{
    struct run r = {0};
    start(&r, (struct randomuser_options){0});
    CHECK(says(&r, "/api/?fault=slow", "-m 1", "curl exit 28"));
    CHECK(says(&r, "/api/", "", "HTTP/1.1 200 "));
    stop(&r);
}
