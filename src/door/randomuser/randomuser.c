#include "door/randomuser/randomuser_int.h"

#include "base/hash.h"
#include "base/say.h"
#include "os/clock.h"

#include <stdio.h>

enum { USERS_MAX = 20000, WINDOW_MS = 300000, PEERS_MAX = 10000 };

static const char front_page[] =
    "<!doctype html><meta charset=utf-8><title>RandomUser API, offline</title>"
    "<body style='font:16px/1.5 system-ui;max-width:42em;margin:3em auto;padding:0 1em'>"
    "<h1>RandomUser API, offline</h1><p>The people here are made by Sluice on this machine, in the "
    "shape of <code>randomuser.me</code>. The same seed gives the same people.</p><ul>"
    "<li><a href='/api/'>/api/</a><li><a href='/api/?results=5&amp;nat=us,gb&amp;format=pretty'>"
    "/api/?results=5&amp;nat=us,gb&amp;format=pretty</a>"
    "<li><a href='/api/?seed=abc&amp;inc=name,email&amp;format=csv&amp;results=20'>"
    "/api/?seed=abc&amp;inc=name,email&amp;format=csv&amp;results=20</a>"
    "<li><a href='/api/1.1/?format=pretty'>/api/1.1/</a>"
    "<li><a href='/api/?fault=empty'>/api/?fault=empty</a> and other faults of the real site: "
    "<code>sluice help faults</code></ul>"
    "<p><img src='/api/portraits/women/1.jpg' alt=''> <img src='/api/portraits/men/2.jpg' alt=''> "
    "<img src='/api/portraits/lego/3.jpg' alt=''></p>";

/* --- the rate limit, as the site keeps it: counted first, refused from then on ------------------
 */

static void window_roll(struct randomuser_door *door, int64_t now_ms)
{
    bool over = now_ms - door->window_ms >= WINDOW_MS || now_ms < door->window_ms;
    if (door->peers && !over && map_count(door->peers) < PEERS_MAX) return;
    map_free(door->peers);
    door->peers = map_new(PEERS_MAX);
    door->window_ms = now_ms;
}
static struct slice peer_address(const struct http_request *r)
{
    const char *peer = http_peer(r), *colon = strrchr(peer, ':');
    return slice_make(peer, colon ? (size_t)(colon - peer) : strlen(peer));
}
/* How many users the peer has asked for, when that is too many; otherwise 0, and `more` counted. */
static uint64_t over_limit(struct randomuser_door *door, const struct http_request *r,
                           uint32_t more, int64_t now_ms)
{
    if (!door->rate_limit) return 0;
    window_roll(door, now_ms);
    if (!door->peers) return 0;
    struct slice peer = peer_address(r);
    uintptr_t users = (uintptr_t)map_get(door->peers, peer);
    if (users >= USERS_MAX) return users;
    if (map_set(door->peers, peer, (void *)(users + more)))
        say_warn(SAY_DOOR, "a peer's users are not counted", "peer=%.*s", SLICE_ARG(peer));
    return 0;
}

/* --- people ----------------------------------------------------------------------------------- */

/* The address pictures live at, as the client calls this server. */
static void portraits_address(const struct randomuser_door *door, const struct http_request *r,
                              char *out, size_t cap)
{
    struct slice host = http_header(r, "Host");
    bool plain = host.len > 0 && host.len < 256;
    for (uint32_t i = 0; i < host.len && plain; i++) {
        uint8_t c = host.at[i], l = c | 32;
        plain =
            (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || (c && strchr(".-_:[]", c) != NULL);
    }
    if (!plain) host = slice_of(door->address);
    snprintf(out, cap, "http://%.*s/api/portraits", SLICE_ARG(host));
}

static enum fault_id fault_of(struct randomuser_door *door, struct http_request *r)
{
    enum fault_id fault = door->fault;
    uint32_t every = door->fault_every;
    struct slice text;
    if (http_param(r, "fault", &text) && !fault_parse(text, &fault, &every)) return FAULT_NONE;
    return door->asked % every == 0 ? fault : FAULT_NONE;
}

static void reply_people(struct http_request *r, const struct people_answer *a,
                         const struct buf *body)
{
    if (a->disposition[0]) http_reply_header(r, "Content-Disposition", a->disposition);
    http_reply(r, a->status, a->content_type, buf_view(body));
}

static void answer_people(struct randomuser_door *door, struct http_request *r,
                          struct slice version)
{
    char portraits[PEOPLE_PORTRAITS_MAX];
    struct people_request request = {.version = version};
    struct people_answer a;
    struct buf body = buf_make(BODY_MAX);
    int64_t now_ms = clock_wall_ms();
    door->asked++;
    portraits_address(door, r, portraits, sizeof(portraits));
    err_t e = people_request_parse(http_query(r), http_arena(r), &request);
    uint64_t entropy = (uint64_t)clock_mono_ns() * 0x9e3779b97f4a7c15u + door->asked;
    if (!e) e = people_answer(&request, now_ms, entropy, portraits, &body, &a);
    uint64_t users = e ? 0 : over_limit(door, r, a.people, now_ms);
    http_reply_header(r, "Cache-Control", "no-cache");
    enum fault_id fault = e ? FAULT_NONE : fault_of(door, r);
    if (e) {
        body.err = ERR_OK;
        buf_reset(&body);
        people_error_body(500, 0, &body);
        http_reply(r, 500, "application/json; charset=utf-8", buf_view(&body));
    } else if (users) {
        buf_reset(&body);
        people_error_body(429, users, &body);
        http_reply(r, 429, "application/json; charset=utf-8", buf_view(&body));
    } else if (fault == FAULT_NONE)
        reply_people(r, &a, &body);
    else
        fault_reply(door, r, fault, &a, &body);
    buf_done(&body);
}

/* --- portraits -------------------------------------------------------------------------------- */

static const struct {
    const char *folder;
    int first, count; /* places in the cache */
} folders[] = {{"men", 0, 100}, {"women", 100, 97}, {"lego", 197, 10}};
static const char *const kinds[] = {"", "med", "thumb"};

static void not_found(struct http_request *r)
{
    http_reply(r, 404, "text/plain; charset=utf-8", SLICE("Not Found"));
}

static bool portrait_parse(struct slice path, size_t *kind, size_t *folder, int *number)
{
    char name[16], end;
    for (*kind = 0; *kind < COUNT_OF(kinds); ++*kind)
        for (*folder = 0; *folder < COUNT_OF(folders); ++*folder) {
            char prefix[32], text[48];
            snprintf(prefix, sizeof(prefix), "%s%s%s/", kinds[*kind], *kind ? "/" : "",
                     folders[*folder].folder);
            if (!slice_starts(path, prefix) || !slice_to_cstr(path, text, sizeof(text))) continue;
            const char *tail = text + strlen(prefix);
            if (sscanf(tail, "%3[0-9].jpg%c", name, &end) != 1) return false;
            size_t digits = strlen(name);
            if (strcmp(tail + digits, ".jpg") != 0 || (digits > 1 && name[0] == '0')) return false;
            *number = 0;
            for (const char *c = name; *c; c++) *number = *number * 10 + (*c - '0');
            return *number < folders[*folder].count;
        }
    return false;
}

static void answer_portrait(struct randomuser_door *door, struct http_request *r, struct slice path)
{
    size_t kind, folder;
    int number;
    char tag[48];
    if (!portrait_parse(path, &kind, &folder, &number)) {
        not_found(r);
        return;
    }
    struct buf *jpeg = &door->portraits[kind][folders[folder].first + number];
    if (jpeg->len == 0) {
        *jpeg = buf_make(KIB(64));
        err_t e =
            people_portrait(slice_of(kinds[kind]), slice_of(folders[folder].folder), number, jpeg);
        if (e) {
            buf_done(jpeg);
            http_reply_text(r, err_http(e), "%s\n", err_text(e));
            return;
        }
    }
    snprintf(tag, sizeof(tag), "\"%016llx\"", (unsigned long long)hash64(buf_view(jpeg), 0));
    http_reply_header(r, "ETag", tag);
    http_reply_header(r, "Cache-Control", "public, max-age=86400");
    if (slice_is(http_header(r, "If-None-Match"), tag))
        http_reply(r, 304, NULL, (struct slice){0});
    else
        http_reply(r, 200, "image/jpeg", buf_view(jpeg));
}

/* --- requests --------------------------------------------------------------------------------- */

static void route(struct randomuser_door *door, struct http_request *r)
{
    struct slice path = http_path(r);
    if (slice_is(path, "/")) {
        http_reply(r, 200, "text/html; charset=utf-8", slice_of(front_page));
        return;
    }
    if (slice_starts(path, "/api/portraits/")) {
        answer_portrait(door, r, slice_make(path.at + 15, path.len - 15));
        return;
    }
    struct slice rest = slice_make(path.at + 4, path.len >= 4 ? path.len - 4 : 0);
    bool api = slice_starts(path, "/api") && (rest.len == 0 || rest.at[0] == '/');
    if (rest.len > 0) rest = slice_make(rest.at + 1, rest.len - 1);
    if (rest.len > 0 && rest.at[rest.len - 1] == '/') rest.len--;
    if (api)
        answer_people(door, r, rest);
    else
        not_found(r);
}

static void handle(void *arg, struct http_request *r)
{
    struct slice method = http_method(r);
    http_reply_header(r, "Access-Control-Allow-Origin", "*");
    if (slice_is(method, "GET") || slice_is(method, "HEAD")) {
        route((struct randomuser_door *)arg, r);
    } else if (slice_is(method, "OPTIONS")) {
        http_reply_header(r, "Access-Control-Allow-Methods", "GET,HEAD");
        http_reply_header(r, "Access-Control-Allow-Headers", "*");
        http_reply(r, 204, NULL, (struct slice){0});
    } else {
        http_reply_header(r, "Allow", "GET, HEAD, OPTIONS");
        http_reply_text(r, 405, "this API is read with GET\n");
    }
}

static err_t fault_option(struct randomuser_door *door, const char *text, struct diag *d)
{
    door->fault_every = 1;
    if (!text || fault_parse(slice_of(text), &door->fault, &door->fault_every)) return ERR_OK;
    (void)diag_fail(d, ERR_CONFIG, "there is no fault '%s'", text);
    (void)diag_hint(d, "`sluice help faults` lists them");
    return ERR_CONFIG;
}

err_t randomuser_open(struct loop *l, const struct randomuser_options *o,
                      struct randomuser_door **out, struct diag *d)
{
    struct randomuser_door *door = (struct randomuser_door *)mem_take(sizeof(*door));
    if (!door) return diag_fail(d, ERR_NO_MEMORY, "no memory for the RandomUser API");
    door->loop = l;
    door->rate_limit = o->rate_limit;
    struct http_options http = {.address = o->address,
                                .port = o->port,
                                .handler = handle,
                                .door = door,
                                .body_max = KIB(64)};
    err_t e = fault_option(door, o->fault, d);
    if (!e) e = http_open(l, &http, &door->http, d);
    if (e) {
        mem_give(door);
        return e;
    }
    bool v6 = strchr(o->address, ':') != NULL;
    snprintf(door->address, sizeof(door->address), v6 ? "[%s]:%u" : "%s:%u", o->address,
             http_port(door->http));
    *out = door;
    return ERR_OK;
}

void randomuser_close(struct randomuser_door *door)
{
    if (!door) return;
    door->closing = true;
    for (size_t i = 0; i < LATE_MAX; i++) {
        loop_timer_free(door->late[i].timer);
        door->late[i].timer = NULL;
    }
    http_close(door->http);
    for (size_t i = 0; i < LATE_MAX; i++)
        if (door->late[i].door) buf_done(&door->late[i].body);
    for (size_t k = 0; k < COUNT_OF(kinds); k++)
        for (size_t i = 0; i < PORTRAIT_NAMES; i++) buf_done(&door->portraits[k][i]);
    map_free(door->peers);
    mem_give(door);
}

struct http_counts randomuser_counts(const struct randomuser_door *door)
{
    return http_counts(door->http);
}

uint16_t randomuser_port(const struct randomuser_door *door)
{
    return http_port(door->http);
}
