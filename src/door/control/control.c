#include "door/control/control_int.h"

#include "base/say.h"

#include <stdio.h>
#include <sys/stat.h>

void control_reply_diag(struct http_request *r, const struct diag *d)
{
    char story[1600];
    diag_format(d, story, sizeof(story));
    http_reply_text(r, err_http(d->err), "%s\n", story);
}

void control_reply_buf(struct http_request *r, int status, struct buf *text)
{
    if (text->err)
        http_reply_text(r, 500, "error: the answer is %s\n", err_text(text->err));
    else
        http_reply(r, status, "text/plain; charset=utf-8", buf_view(text));
    buf_done(text);
}

bool control_wants_json(struct http_request *r)
{
    struct slice json;
    return http_param(r, "json", &json) && !slice_is(json, "0");
}

static void on_status(struct control *c, struct http_request *r)
{
    struct report_facts facts;
    struct buf text = buf_make(CONTROL_ANSWER_MAX);
    c->o.facts(c->o.ctx, &facts);
    bool fine =
        (control_wants_json(r) ? report_status_json : report_status)(c->o.world, &facts, &text);
    control_reply_buf(r, fine ? 200 : 503, &text);
}

static void on_top(struct control *c, struct http_request *r)
{
    struct report_facts facts;
    struct buf text = buf_make(CONTROL_ANSWER_MAX);
    c->o.facts(c->o.ctx, &facts);
    report_top(c->o.world, &facts, &text);
    control_reply_buf(r, 200, &text);
}

static void on_dead(struct control *c, struct http_request *r)
{
    struct slice stage = {0}, most = {0};
    struct diag d;
    uint64_t limit = 0;
    (void)http_param(r, "stage", &stage);
    if (http_param(r, "limit", &most) && !slice_to_u64(most, &limit)) {
        http_reply_text(r, 400, "error: '%.*s' is no number\n", SLICE_ARG(most));
        return;
    }
    struct buf text = buf_make(CONTROL_ANSWER_MAX);
    err_t e = report_dead(c->o.world, stage, control_wants_json(r), limit, &text, &d);
    if (e && e != text.err) {
        buf_done(&text);
        control_reply_diag(r, &d);
        return;
    }
    control_reply_buf(r, 200, &text);
}

static void on_level(struct control *c, struct http_request *r)
{
    struct slice name = {0}, level_name = {0};
    enum say_room room = SAY_MAIN;
    enum say_level level;
    (void)c;
    (void)http_param(r, "room", &name);
    (void)http_param(r, "level", &level_name);
    if (!say_level_parse(level_name, &level) || (name.len && !say_room_parse(name, &room))) {
        http_reply_text(
            r, 400,
            "error: no such room or level: '%.*s' = '%.*s'\n  hint: for example flow=debug\n",
            SLICE_ARG(name), SLICE_ARG(level_name));
        return;
    }
    for (int i = 0; i < SAY_ROOMS; i++)
        if (!name.len || i == (int)room) say_level_set((enum say_room)i, level);
    http_reply_text(r, 200, "level %.*s for %.*s\n", SLICE_ARG(level_name),
                    (int)(name.len ? name.len : 9), name.len ? (const char *)name.at : "all rooms");
}

/* Something in the workflows' database has changed. */
static void on_wake(struct control *c, struct http_request *r)
{
    if (c->o.wake) c->o.wake(c->o.ctx);
    http_reply_text(r, 200, "woken\n");
}

static const struct {
    const char *method, *path;
    void (*answer)(struct control *c, struct http_request *r);
} routes[] = {
    {"GET", "/status", on_status},       {"GET", "/top", on_top},
    {"GET", "/dead", on_dead},           {"GET", "/streams", control_streams},
    {"GET", "/logs", control_logs},      {"POST", "/act", control_act},
    {"POST", "/level", on_level},        {"POST", "/sql", control_query},
    {"POST", "/upkeep", control_upkeep}, {"POST", "/wake", on_wake},
    {"POST", "/users", control_users},
};

static void on_request(void *door, struct http_request *r)
{
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        if (!slice_is(http_path(r), routes[i].path)) continue;
        if (slice_is(http_method(r), routes[i].method))
            routes[i].answer(door, r);
        else
            http_reply_text(r, 405, "error: %s takes %s\n", routes[i].path, routes[i].method);
        return;
    }
    http_reply_text(r, 404, "error: nothing is here\n");
}

err_t control_open(struct loop *l, const struct control_options *o, struct control **out,
                   struct diag *d)
{
    struct control *c = mem_take(sizeof(*c));
    if (!c) return diag_fail(d, ERR_NO_MEMORY, "no memory for the control socket");
    const char *slash = strrchr(o->socket_path, '/');
    c->o = *o;
    c->o.socket_path = NULL; /* may end with this call */
    c->loop = l;
    if (!slash || !slice_to_cstr(slice_make(o->socket_path, (size_t)(slash - o->socket_path)),
                                 c->data, sizeof(c->data))) {
        mem_give(c);
        return diag_fail(d, ERR_TOO_BIG, "%s: no path of a control socket", o->socket_path);
    }
    struct http_options http = {.address = o->socket_path,
                                .handler = on_request,
                                .door = c,
                                .conns_max = 64,
                                .body_max = SQL_TEXT_MAX};
    mode_t before = umask(0077); /* only the owner may steer */
    err_t e = http_open(l, &http, &c->http, d);
    umask(before);
    if (e)
        mem_give(c);
    else
        *out = c;
    return e;
}

struct http_counts control_counts(const struct control *c)
{
    return http_counts(c->http);
}

void control_close(struct control *c)
{
    if (!c) return;
    control_queries_stop(c);
    http_close(c->http);
    mem_give(c);
}
