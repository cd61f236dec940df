/* The console's door as a browser, or what says it is one, meets it. The first byte picks:
 *   0  bytes as they come, over a real socket, as nobody
 *   1  [route][who] name… \0 query \0 body: a request of that route, over the socket, framed here
 * so that a mutation meets the route's handler, as a Viewer (Basic, or a session's cookie) 2
 * [route] query \0 body: the query and the body against what the route's row says 3  a token's two
 * parts, signed here so that a mutation meets what reads them Whatever is sent, the door answers or
 * closes, and a refusal is JSON that says why. A Viewer can change nothing, so the handlers that
 * run only look; the log and the store behind are real. */
#include "base/say.h"
#include "data/json.h"
#include "door/console/console_int.h"
#include "fuzz.h"
#include "fuzz_talk.h"
#include "main/server.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/http_int.h"

enum { WAIT_MS = 10000, STREAM_MS = 20, KEY = 32 };
#define TOKENS "fuzz"

static struct project project;
static struct exec_world world;
static struct users *users;
static struct loop *loop;
static struct thread loop_thread;
static struct console *console;
static char dir[64], address[96], cookie[TOKEN_MAX + 64];
static uint8_t key[KEY]; /* of the sessions: known here, so that a cookie can be made */

static void must(err_t e, const struct diag *d)
{
    if (!e) return;
    fprintf(stderr, "%s %s\n", d->what, d->why);
    abort();
}

/* --- the door ------------------------------------------------------------------------------------
 */

static int64_t now_us(void *ctx)
{
    (void)ctx;
    return clock_wall_us();
}

static void facts(void *ctx, struct report_facts *out)
{
    (void)ctx;
    *out = (struct report_facts){.version = "fuzz", .project = "fuzz", .now_ms = clock_wall_ms()};
}

static void put_file(const char *name, const char *text)
{
    char path[160];
    struct diag d = {0};
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    must(file_store(path, slice_of(text), &d), &d);
}

/* The cookie that the door would set for the Viewer. */
static void make_cookie(void)
{
    struct user u;
    uint8_t sum[32];
    struct buf b = buf_over(cookie, sizeof(cookie));
    struct token_made made = {.audience = "sluice-console",
                              .now_us = now_us(NULL),
                              .good_us = INT64_MAX / 4,
                              .number = 7};
    if (users_find(users, SLICE("viewer"), &u)) abort();
    digest_hmac_sha256(slice_make(key, KEY), SLICE("cookie's name"), sum);
    buf_text(&b, "sluice_");
    put_hex(&b, sum, 4);
    buf_char(&b, '=');
    token_make(slice_make(key, KEY), &u, &made, &b);
    buf_char(&b, 0);
    if (b.err) abort();
}

static void run_loop(void *arg)
{
    (void)arg;
    loop_run(loop);
}

static void door_down(void)
{
    char command[96];
    loop_stop(loop);
    thread_join(&loop_thread);
    console_close(console);
    flow_stop(world.flow);
    world_close(&world);
    users_close(users);
    loop_free(loop);
    project_close(&project);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    if (system(command)) abort();
}

static void door_up(void)
{
    char command[96], users_file[96], hex[2 * KEY + 1];
    struct diag d = {0};
    snprintf(dir, sizeof(dir), "/tmp/sluice-fuzz-console-%d", (int)getpid());
    snprintf(address, sizeof(address), "%s/socket", dir);
    snprintf(users_file, sizeof(users_file), "%s/users", dir);
    snprintf(command, sizeof(command), "rm -rf %s && mkdir %s", dir, dir);
    if (system(command)) abort();
    put_file("pipeline.sql", "CREATE TOPIC t WITH (partitions = 2);\n"
                             "CREATE KEYSPACE k WITH REPLICATION = {'class': 'SimpleStrategy'};\n"
                             "CREATE TABLE k.a (id UUID PRIMARY KEY, n INT, s TEXT);\n"
                             "CREATE STREAM s INTO k.a AS SELECT CAST(j.id AS UUID) AS id, "
                             "CAST(j.n AS INT) AS n, CAST(j.s AS TEXT) AS s FROM t;\n");
    struct project_options o = {.dir = dir};
    must(project_open(&o, &project, &d), &d);
    must(world_open(&project, true, &world, &d), &d);
    must(project_check(&project, world.catalog, &d), &d);
    must(project_make(&project, 0, &world, &d), &d);
    must(project_wire(&project, 0, &world, &d), &d);
    must(flow_start(world.flow, &d), &d);
    must(users_open(users_file, &users, &d), &d);
    must(users_set(users, SLICE("viewer"), SLICE("v"), ROLE_VIEWER, &d), &d);
    for (int i = 0; i < KEY; i++) key[i] = (uint8_t)i;
    struct buf text = buf_over(hex, sizeof(hex));
    put_hex(&text, key, KEY);
    hex[2 * KEY] = 0;
    put_file("console.key", hex);
    make_cookie();
    must(loop_new("fuzz", 1024, &loop, &d), &d);
    struct console_options c = {.address = address,
                                .listeners = {{.setting = "console.port", .must = true}},
                                .world = &world,
                                .users = users,
                                .version = "fuzz",
                                .project = dir,
                                .data = dir,
                                .port = {.now_us = now_us, .facts = facts}};
    must(console_open(loop, &c, &console, &d), &d);
    must(thread_start(&loop_thread, "fuzz-loop", run_loop, NULL, &d), &d);
}

/* --- requests, framed ----------------------------------------------------------------------------
 */

static struct slice cut(struct slice *rest) /* up to the next zero byte */
{
    const uint8_t *zero = rest->len ? memchr(rest->at, 0, rest->len) : NULL;
    size_t n = zero ? (size_t)(zero - rest->at) : rest->len;
    struct slice part = slice_make(rest->at, n);
    *rest = zero ? slice_make(zero + 1, rest->len - n - 1) : (struct slice){0};
    return part;
}

static void put_escaped(struct buf *out, struct slice s)
{
    for (uint32_t i = 0; i < s.len; i++) buf_printf(out, "%%%02x", s.at[i]);
}

static void put_path(struct buf *out, const char *path, struct slice *rest)
{
    buf_text(out, CONSOLE_BASE);
    for (const char *at = path; *at; at++) {
        if (*at != '{') {
            buf_char(out, *at);
            continue;
        }
        struct slice name = cut(rest);
        put_escaped(out, name.len ? name : SLICE("t"));
        at = strchr(at, '}');
    }
}

static void ask_route(const uint8_t *bytes, size_t size)
{
    const struct console_route *r = &console_routes[bytes[0] % console_route_count];
    struct buf out = buf_make(1 << 20);
    struct slice rest = slice_make(bytes + 2, size - 2);
    buf_printf(&out, "%s ", r->method);
    put_path(&out, r->path, &rest);
    struct slice query = cut(&rest);
    buf_char(&out, '?');
    for (uint32_t i = 0; i < query.len; i++) /* no blank, and no end of the line */
        if (query.at[i] > ' ') buf_char(&out, (char)query.at[i]);
    buf_text(&out, " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    if (bytes[1] & 1)
        buf_printf(&out, "Cookie: %s\r\n", cookie);
    else
        buf_text(&out, "Authorization: Basic dmlld2VyOnY=\r\n");
    if (rest.len)
        buf_printf(&out, "Content-Type: application/json\r\nContent-Length: %u\r\n", rest.len);
    buf_text(&out, "\r\n");
    buf_slice(&out, rest);
    if (!out.err) fuzz_talk(address, buf_view(&out), WAIT_MS, STREAM_MS);
    buf_done(&out);
}

/* --- against the tables --------------------------------------------------------------------------
 */

static void check_refusal(err_t e, const struct diag *d, struct arena *arena)
{
    struct buf out = buf_make(1 << 20);
    struct doc said;
    ask_put_error(&out, e, d);
    if (out.err || doc_of_json(buf_view(&out), arena, &said, NULL)) abort();
    if (!doc_get(doc_get(&said, "error"), "what")) abort();
    buf_done(&out);
}

static void take_params(struct ask *a, struct slice query)
{
    while (query.len && a->param_count < ASK_PARAMS_MAX) {
        const uint8_t *end = memchr(query.at, '&', query.len);
        size_t n = end ? (size_t)(end - query.at) : query.len;
        const uint8_t *is = memchr(query.at, '=', n);
        size_t name = is ? (size_t)(is - query.at) : n;
        struct param *p = &a->params[a->param_count];
        if (http_decode(a->arena, slice_make(query.at, name), true, &p->name) &&
            http_decode(a->arena, is ? slice_make(is + 1, n - name - 1) : SLICE(""), true,
                        &p->value))
            a->param_count++;
        query = end ? slice_make(end + 1, query.len - n - 1) : (struct slice){0};
    }
}

static void check_tables(const uint8_t *bytes, size_t size, struct arena *arena)
{
    static struct ask a;
    struct diag d = {0};
    struct slice rest = slice_make(bytes + 1, size - 1);
    a = (struct ask){.route = &console_routes[bytes[0] % console_route_count], .arena = arena};
    take_params(&a, cut(&rest));
    err_t e = schema_check_params(&a, &d);
    if (e) check_refusal(e, &d, arena);
    d = (struct diag){0};
    e = doc_of_json(rest, arena, &a.body, &d);
    if (!e && a.route->body[0]) e = schema_check(a.route->body, &a.body, "body", &d);
    if (e) check_refusal(e, &d, arena);
}

static void put_part(struct buf *out, struct slice s)
{
    size_t from = out->len;
    put_base64(out, s);
    while (out->len > from && out->at[out->len - 1] == '=') out->len--;
    for (size_t i = from; i < out->len; i++)
        out->at[i] = out->at[i] == '+' ? '-' : out->at[i] == '/' ? '_' : out->at[i];
}

static void check_token(struct slice rest, struct arena *arena)
{
    uint8_t sum[32];
    struct token t;
    struct buf b = buf_make(1 << 20);
    put_part(&b, cut(&rest));
    buf_char(&b, '.');
    put_part(&b, rest);
    digest_hmac_sha256(slice_make(key, KEY), buf_view(&b), sum);
    buf_char(&b, '.');
    put_part(&b, slice_make(sum, sizeof(sum)));
    err_t e = token_read(slice_make(key, KEY), TOKENS, buf_view(&b), INT64_C(1700000000000000),
                         arena, &t);
    if (!e && (!t.name.at || strnlen(t.proof, sizeof(t.proof)) == sizeof(t.proof))) abort();
    buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct arena *arena;
    if (!arena) {
        say_to(-1);
        arena = arena_new(64 << 20);
        door_up();
        atexit(door_down);
    }
    if (size < 3) return 0;
    uint8_t *copy = fuzz_copy(bytes + 1, size - 1, 0);
    switch (bytes[0] & 3) {
    case 0: fuzz_talk(address, slice_make(copy, size - 1), WAIT_MS, STREAM_MS); break;
    case 1: ask_route(copy, size - 1); break;
    case 2: check_tables(copy, size - 1, arena); break;
    default: check_token(slice_make(copy, size - 1), arena); break;
    }
    arena_reset(arena);
    mem_give(copy);
    return 0;
}
