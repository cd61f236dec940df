/* Streams: what they do, and what a person asks of them. */
#include "door/control/control_int.h"

#include "exec/stages.h"

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

void control_act(struct control *c, struct http_request *r)
{
    struct slice name = {0}, what = {0};
    struct diag d = {.err = ERR_OK};
    (void)http_param(r, "name", &name);
    (void)http_param(r, "what", &what);
    if (is_asked(r, "preview")) {
        struct stage_cost cost;
        struct buf text = buf_make(KIB(4));
        if (stage_cost_of(c->o.world, what, name, &cost, &d)) {
            buf_done(&text);
            control_reply_diag(r, &d);
            return;
        }
        stage_cost_text(&cost, name, &text);
        control_reply_buf(r, 200, &text);
    } else if (stage_act(c->o.world, what, name, &d)) {
        control_reply_diag(r, &d);
    } else {
        http_reply_text(r, 200, "%.*s: %.*s\n", SLICE_ARG(what), SLICE_ARG(name));
    }
}
