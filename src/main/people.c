#include "main/people.h"

#include "main/client.h"
#include "main/server.h"
#include "os/file.h"

err_t people_open(struct project *p, struct people *out, struct diag *d)
{
    char path[PROJECT_PATH_MAX];
    *out = (struct people){.lock_fd = -1};
    err_t e = client_server_runs(p) ? ERR_OK : data_lock(p, &out->lock_fd, d);
    if (!e) e = project_data_path(p, "users", path, d);
    return e ? e : users_open(path, &out->users, d);
}

void people_close(struct people *o)
{
    users_close(o->users);
    if (o->lock_fd >= 0) file_close(o->lock_fd);
}

static err_t act_here(struct project *p, const struct users_act *act, struct diag *d)
{
    struct people o;
    err_t e = people_open(p, &o, d);
    if (!e && o.lock_fd < 0) e = diag_fail(d, ERR_IN_USE, "a server has started just now");
    if (!e) e = users_act(o.users, act, d);
    people_close(&o);
    return e;
}

static err_t nothing(void *ctx, struct slice text)
{
    (void)ctx, (void)text;
    return ERR_OK;
}

static err_t ask_server(struct project *p, const struct users_act *act, struct diag *d)
{
    struct buf path = buf_make(KIB(8));
    buf_text(&path, "/users");
    client_put_param(&path, "what", act->what);
    client_put_param(&path, "name", act->name);
    if (act->role.at) client_put_param(&path, "role", act->role);
    struct client_call call = {
        .method = "POST", .path = buf_cstr(&path), .body = act->password, .text = nothing};
    err_t e = client_run(p, &call, d);
    if (!e && (call.failure.len || call.status >= 400)) {
        e = diag_fail(d, ERR_PEER, "the server refuses");
        if (d) diag_parse(d, buf_cstr(&call.failure));
    }
    buf_done(&call.failure);
    buf_done(&path);
    return e;
}

err_t people_act(struct project *p, const struct users_act *act, struct diag *d)
{
    return client_server_runs(p) ? ask_server(p, act, d) : act_here(p, act, d);
}
