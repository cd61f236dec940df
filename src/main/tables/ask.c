#include "main/tables/ask.h"

#include "main/cli.h"
#include "main/letters.h"
#include "main/server.h"
#include "os/clock.h"

#include <stdio.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 64 << 20 };

static err_t open_data(struct tables_session *s, struct diag *d)
{
    char path[PROJECT_PATH_MAX];
    err_t e = data_lock(&s->project, &s->lock_fd, d);
    if (!e) e = world_open(&s->project, false, &s->world, d);
    if (!e) e = project_data_path(&s->project, "users", path, d);
    if (!e) e = users_open(path, &s->users, d);
    struct cql_options o = {.store = s->world.store,
                            .log = s->world.log,
                            .users = s->users,
                            .dead_letters = letters_tell,
                            .dead_ctx = s->world.store};
    return e ? e : cql_open(&o, &s->world.cql, d);
}

err_t tables_open(const struct args *a, bool offline, struct tables_session *s, struct diag *d)
{
    *s = (struct tables_session){.lock_fd = -1};
    err_t e = cli_project(a, NULL, &s->project, d);
    if (e) return e;
    s->remote = client_server_runs(&s->project);
    if (s->remote) return ERR_OK;
    if (offline)
        e = open_data(s, d);
    else
        e = diag_fail(d, ERR_NOT_FOUND, "no sluice runs on %s", s->project.data);
    if (e) tables_close(s);
    return e;
}

void tables_close(struct tables_session *s)
{
    if (!s->remote) {
        cql_close(s->world.cql);
        world_close(&s->world);
        users_close(s->users);
        if (s->lock_fd >= 0) close(s->lock_fd);
    }
    project_close(&s->project);
}

static err_t nothing(void *ctx, struct slice text)
{
    (void)ctx, (void)text;
    return ERR_OK;
}

static err_t ask_here(struct tables_session *s, const struct tables_call *c)
{
    const char *const words[] = {c->what, c->table, c->name, c->format};
    struct diag d = {.err = ERR_OK};
    struct upkeep *u = mem_take(sizeof(*u));
    if (!u) return ERR_NO_MEMORY;
    *u = (struct upkeep){.world = &s->world,
                         .facts = {.now_ms = clock_wall_ms(), .started_ms = clock_wall_ms()},
                         .body = c->body,
                         .put = c->put ? c->put : nothing,
                         .ctx = c->ctx};
    char *const to[] = {u->what, u->table, u->name, u->format};
    const size_t sizes[] = {sizeof(u->what), sizeof(u->table), sizeof(u->name), sizeof(u->format)};
    err_t e =
        slice_to_cstr(slice_of(s->project.data), u->data, sizeof(u->data)) ? ERR_OK : ERR_TOO_BIG;
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (words[i] && !slice_to_cstr(slice_of(words[i]), to[i], sizes[i]))
            e = diag_fail(&d, ERR_TOO_BIG, "'%s' is too long for a name", words[i]);
    if (!e) e = upkeep_run(u, &d);
    if (e && d.err != e) (void)diag_fail(&d, e, "%s", err_text(e));
    if (e) diag_format(&d, s->story, sizeof(s->story));
    mem_give(u);
    return e;
}

static err_t ask_server(struct tables_session *s, const struct tables_call *c)
{
    struct buf path = buf_make(KIB(8));
    struct diag d = {.err = ERR_OK};
    buf_text(&path, "/upkeep");
    client_put_param(&path, "what", slice_of(c->what));
    if (c->table) client_put_param(&path, "table", slice_of(c->table));
    if (c->name) client_put_param(&path, "name", slice_of(c->name));
    if (c->format) client_put_param(&path, "format", slice_of(c->format));
    struct client_call call = {.method = "POST",
                               .path = buf_cstr(&path),
                               .body = c->body,
                               .text = c->put ? c->put : nothing,
                               .ctx = c->ctx};
    err_t e = client_run(&s->project, &call, &d);
    if (e) {
        diag_format(&d, s->story, sizeof(s->story));
    } else if (call.failure.len || call.status >= 400) {
        snprintf(s->story, sizeof(s->story), "%s", buf_cstr(&call.failure));
        size_t len = strlen(s->story);
        while (len && s->story[len - 1] == '\n') s->story[--len] = 0;
        e = ERR_PEER;
    }
    buf_done(&call.failure);
    buf_done(&path);
    return e;
}

err_t tables_ask(struct tables_session *s, const struct tables_call *c)
{
    s->story[0] = 0;
    return s->remote ? ask_server(s, c) : ask_here(s, c);
}

/* --- text and progress --------------------------------------------------------------------------
 */

void tables_put_end(struct tables_output *o)
{
    if (o->drawn) fprintf(stderr, "\r\033[K");
    o->drawn = false;
}

static err_t put_piece(struct tables_output *o, struct slice piece)
{
    if (!o->in_progress) {
        if (fwrite(piece.at, 1, piece.len, stdout) != piece.len) return ERR_IO;
        return piece.at[piece.len - 1] == '\n' && fflush(stdout) ? ERR_IO : ERR_OK;
    }
    if (!isatty(STDERR_FILENO)) return ERR_OK;
    uint32_t len = piece.len - (piece.at[piece.len - 1] == '\n');
    if (fwrite(piece.at, 1, len, stderr) != len) return ERR_IO;
    return ERR_OK;
}

err_t tables_put(void *output, struct slice text)
{
    struct tables_output *o = output;
    while (text.len) {
        const uint8_t *end = memchr(text.at, '\n', text.len);
        uint32_t len = end ? (uint32_t)(end - text.at) + 1 : text.len;
        if (!o->middle) {
            tables_put_end(o);
            o->in_progress = text.at[0] == UPKEEP_PROGRESS_MARK;
            o->drawn = o->in_progress && isatty(STDERR_FILENO);
        }
        bool mark = !o->middle && o->in_progress;
        struct slice piece = slice_make(text.at + mark, len - mark);
        err_t e = piece.len ? put_piece(o, piece) : ERR_OK;
        if (e) return e;
        o->middle = !end;
        text = slice_make(text.at + len, text.len - len);
    }
    return ERR_OK;
}

/* --- JSON lines ---------------------------------------------------------------------------------
 */

struct rows {
    struct json_pick *pick;
    struct arena *arena;
    struct buf line;
    uint32_t count;
    tables_row_fn *each;
    void *ctx;
    err_t failed;
};

static err_t row(struct rows *r, struct slice line)
{
    struct diag d;
    struct slice picks[PICKS_MAX];
    arena_reset(r->arena);
    err_t e = json_pick_from(r->pick, line, r->arena, picks, &d);
    for (uint32_t i = 0; !e && i < r->count; i++)
        if (picks[i].at && picks[i].len && picks[i].at[0] == '"')
            e = json_pick_bytes(r->pick, picks[i], r->arena, &picks[i], &d);
    return e ? e : r->each(r->ctx, picks);
}

static err_t on_text(void *ctx, struct slice text)
{
    struct rows *r = ctx;
    const uint8_t *end;
    while (!r->failed && text.len && (end = memchr(text.at, '\n', text.len))) {
        size_t len = (size_t)(end - text.at);
        buf_put(&r->line, text.at, len);
        r->failed = r->line.err ? r->line.err : row(r, buf_view(&r->line));
        buf_reset(&r->line);
        text = slice_make(end + 1, text.len - len - 1);
    }
    buf_slice(&r->line, text);
    return r->failed;
}

err_t tables_ask_rows(struct tables_session *s, struct tables_call c, const char *const *paths,
                      uint32_t count, tables_row_fn *each, void *ctx)
{
    struct diag d = {.err = ERR_OK};
    struct rows r = {.arena = arena_new(LINE_MAX_BYTES * 2u),
                     .line = buf_make(LINE_MAX_BYTES),
                     .count = count,
                     .each = each,
                     .ctx = ctx};
    err_t e = r.arena ? json_pick_new(paths, count, &r.pick, &d) : ERR_NO_MEMORY;
    c.put = on_text;
    c.ctx = &r;
    if (!e) e = tables_ask(s, &c);
    if (!e) e = r.failed;
    if (e && !s->story[0]) snprintf(s->story, sizeof(s->story), "error: %s", err_text(e));
    json_pick_free(r.pick);
    arena_free(r.arena);
    buf_done(&r.line);
    return e;
}

uint64_t tables_number(struct slice pick)
{
    uint64_t n = 0;
    return slice_to_u64(pick, &n) ? n : 0;
}
