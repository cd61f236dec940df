/* Streams: what they do, and what a person asks of them. */
#include "door/control/control_int.h"

static bool is_asked(struct http_request *r, const char *name)
{
    struct slice value;
    return http_param(r, name, &value) && !slice_is(value, "0");
}

void control_streams(struct control *c, struct http_request *r)
{
    struct report_streams_options o = {.color = is_asked(r, "color"),
                                       .json = control_wants_json(r),
                                       .recent = is_asked(r, "recent")};
    struct buf text = buf_make(CONTROL_ANSWER_MAX);
    struct diag d = {.err = ERR_OK};
    bool fine = true;
    (void)http_param(r, "name", &o.name);
    if (report_streams(c->o.world, &o, &text, &fine, &d)) {
        buf_done(&text);
        control_reply_diag(r, &d);
        return;
    }
    control_reply_buf(r, fine ? 200 : 503, &text);
}

/* What is left of a stream that pipeline.sql declares no more. */
static err_t drop(struct control *c, struct slice name, struct diag *d)
{
    const struct exec_world *w = c->o.world;
    if (flow_has(w->flow, name)) {
        (void)diag_fail(d, ERR_IN_USE, "'%.*s' is declared by pipeline.sql", SLICE_ARG(name));
        return diag_hint(d, "take it out of pipeline.sql and start again; then drop what it left");
    }
    return stage_drop(w->store, name, d);
}

void control_act(struct control *c, struct http_request *r)
{
    static const struct {
        const char *what;
        err_t (*act)(struct flow *f, struct slice name, struct diag *d); /* NULL: drop */
    } acts[] = {{"pause", flow_pause},
                {"resume", flow_resume},
                {"restart", flow_restart},
                {"reset", flow_reset},
                {"drop", NULL}};
    struct slice name = {0}, what = {0};
    struct diag d = {.err = ERR_OK};
    (void)http_param(r, "name", &name);
    (void)http_param(r, "what", &what);
    for (size_t i = 0; i < COUNT_OF(acts); i++) {
        if (!slice_is(what, acts[i].what)) continue;
        if (name.len == 0 || name.len > 255)
            http_reply_text(r, 400, "error: name a stream or source\n");
        else if (acts[i].act ? acts[i].act(c->o.world->flow, name, &d) : drop(c, name, &d))
            control_reply_diag(r, &d);
        else
            http_reply_text(r, 200, "%s: %.*s\n", acts[i].what, SLICE_ARG(name));
        return;
    }
    http_reply_text(r, 400, "error: '%.*s' is nothing a stream can do\n", SLICE_ARG(what));
}
