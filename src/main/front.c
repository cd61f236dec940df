#include "main/front.h"

#include "main/cli.h"
#include "main/docs_pages.h"
#include "main/doctor.h"
#include "main/doors.h"
#include "main/plan/draft.h"
#include "main/plan/tell.h"
#include "main/server.h"
#include "main/version.h"
#include "os/clock.h"

#include <stdio.h>

enum { SETTING_SHOWN_MAX = 4096 };

static int64_t now_us(void *ctx)
{
    (void)ctx;
    return clock_wall_us();
}

static void facts(void *ctx, struct report_facts *out)
{
    server_facts(((struct front *)ctx)->server, out);
}

static bool other(void *ctx, struct http_request *r)
{
    const struct front *f = ctx;
    return f->server->rest.door && airflow_handle(f->server->rest.door, r);
}

static err_t meta(void *ctx, struct meta **out, struct diag *d)
{
    return rest_meta(&((struct front *)ctx)->server->rest, out, d);
}

static err_t plan(void *ctx, struct buf *out, struct diag *d)
{
    const struct server *s = ((struct front *)ctx)->server;
    struct plan_verdict verdict;
    return plan_beside(s->project, NULL, &s->world, &verdict, out, d);
}

static err_t draft(void *ctx, const struct console_draft *ask, struct buf *out, struct diag *d)
{
    struct server *s = ((struct front *)ctx)->server;
    return plan_draft(s->project, growing_text(s), &s->world, ask, out, d);
}

static err_t check(void *ctx, struct slice text, struct buf *out, struct diag *d)
{
    return pipeline_check(((struct front *)ctx)->server, text, out, d);
}

static err_t grow(void *ctx, const struct console_growth *ask, struct buf *out, struct diag *d)
{
    return pipeline_grow(((struct front *)ctx)->server, ask, out, d);
}

static uint32_t dags(void *ctx, const struct dag **out, uint32_t max)
{
    return rest_dags(&((struct front *)ctx)->server->rest, out, max);
}

static bool word(void *ctx, uint32_t n, struct console_word *out)
{
    (void)ctx;
    if (n < verb_count) {
        *out = (struct console_word){verbs[n].name, verbs[n].about, false};
        return true;
    }
    out->name = help_topic(n - verb_count);
    out->about = NULL;
    out->docs = true;
    return out->name != NULL;
}

static bool page(void *ctx, uint32_t n, struct console_page *out)
{
    (void)ctx;
    if (n >= docs_page_count) return false;
    *out = (struct console_page){docs_pages[n].name, docs_pages[n].text};
    return true;
}

static uint32_t doors(void *ctx, struct console_door *out, uint32_t max)
{
    return doors_list(((struct front *)ctx)->server, out, max);
}

static bool setting(void *ctx, uint32_t n, struct console_setting *out)
{
    static _Thread_local char shown[SETTING_SHOWN_MAX];
    const struct config *c = &((struct front *)ctx)->server->project->config;
    if (n >= config_row_count) return false;
    const struct config_row *r = &config_rows[n];
    struct buf value = buf_over(shown, sizeof(shown) - 1);
    config_put_shown(c, n, &value);
    shown[value.len] = 0;
    *out = (struct console_setting){.key = r->key,
                                    .value = shown,
                                    .fallback = r->fallback,
                                    .source = c->values[n].source,
                                    .takes = config_kind_wants(r->kind),
                                    .about = r->about,
                                    .live = r->when == CONFIG_LIVE};
    return true;
}

struct telling {
    void (*tell)(void *to, const struct console_finding *f);
    void *to;
};

static void tell_finding(void *ctx, const struct doctor_finding *f)
{
    const struct telling *t = ctx;
    const struct diag *d = f->d;
    struct console_finding out = {
        .word = doctor_word_name(f->word),
        .area = f->area,
        .what = d->what,
        .where = d->where,
        .why = d->why,
        .hint = d->hint[0] || f->word != DOCTOR_PROBLEM ? d->hint : err_hint(d->err),
        .text = f->text};
    t->tell(t->to, &out);
}

static void doctor(void *ctx, void (*tell)(void *to, const struct console_finding *f), void *to)
{
    struct telling t = {tell, to};
    struct doctor x = {.tell = tell_finding, .ctx = &t};
    doctor_look_within(&x, ((struct front *)ctx)->server);
}

static struct alert *alert(void *ctx)
{
    return atomic_load(&((struct front *)ctx)->server->alerts.alert);
}

/* The front door, and those that people know from other programs: each leads to its own page. */
static void name_listeners(const struct config *c, struct console_options *o)
{
    static const struct {
        enum config_id id;
        const char *setting, *page;
    } all[CONSOLE_LISTENERS_MAX] = {
        {CONFIG_console_port, "console.port", NULL},
        {CONFIG_console_topics_port, "console.topics_port", "/topics"},
        {CONFIG_console_streams_port, "console.streams_port", "/streams"},
        {CONFIG_console_notebooks_port, "console.notebooks_port", "/notebooks"}};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        o->listeners[i] = (struct console_listener){.port = (int32_t)config_number(c, all[i].id),
                                                    .page = all[i].page,
                                                    .setting = all[i].setting,
                                                    .must = i == 0};
}

err_t front_open(struct server *s, struct diag *d)
{
    struct front *f = &s->front;
    const struct config *c = &s->project->config;
    f->server = s;
    if (config_number(c, CONFIG_console_port) < 0) return ERR_OK;
    struct console_options o = {.address = config_text(c, CONFIG_listen_address),
                                .world = &s->world,
                                .users = s->users,
                                .coord = s->broker.coord,
                                .version = SLUICE_VERSION,
                                .project = s->project->dir,
                                .data = s->project->data,
                                .session_us = config_number(c, CONFIG_console_session) * 1000,
                                .loopback =
                                    address_is_loopback(config_text(c, CONFIG_listen_address)),
                                .port = {.ctx = f,
                                         .now_us = now_us,
                                         .facts = facts,
                                         .other = other,
                                         .meta = meta,
                                         .dags = dags,
                                         .word = word,
                                         .page = page,
                                         .alert = alert,
                                         .plan = plan,
                                         .draft = draft,
                                         .check = check,
                                         .grow = grow,
                                         .doors = doors,
                                         .setting = setting,
                                         .doctor = doctor}};
    name_listeners(c, &o);
    err_t e = console_open(s->loop, &o, &f->console, d);
    s->rest.front = f->console;
    if (!e)
        snprintf(f->line, sizeof(f->line), "http://%s:%u", o.address,
                 console_listens(f->console, 0));
    return e;
}

void front_close(struct front *f)
{
    if (f->server) f->server->rest.front = NULL;
    console_close(f->console);
    f->console = NULL;
}

uint16_t front_port(const struct front *f, uint32_t listener)
{
    return console_listens(f->console, listener);
}
