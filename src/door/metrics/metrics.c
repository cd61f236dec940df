#include "door/metrics/metrics.h"

#include "door/crew.h"

#include <stddef.h>

enum { METRICS_CONNS_MAX = 64 };

struct metrics_door {
    struct metrics_door_options o;
    struct http_server *http;
    struct crew *crew;
    struct scrape *scrapes; /* all there are */
};

/* --- /metrics: gathered by the crew, since it may wait ------------------------------------------
 */

struct scrape {
    struct metrics_door *door;
    struct http_request *http;
    struct buf text;
    err_t err;
    struct crew_job job;
    struct scrape *next, **link;
};

static struct scrape *scrape_of(struct crew_job *j)
{
    return (struct scrape *)(void *)((char *)j - offsetof(struct scrape, job));
}

static void scrape_free(struct scrape *s)
{
    *s->link = s->next;
    if (s->next) s->next->link = s->link;
    buf_done(&s->text);
    mem_give(s);
}

static void gather(struct crew_job *j, void **own)
{
    struct scrape *s = scrape_of(j);
    (void)own;
    s->err = metrics_put(s->door->o.metrics, &s->text);
}

static void gathered(struct crew_job *j)
{
    struct scrape *s = scrape_of(j);
    if (s->err)
        http_reply_text(s->http, 500, "error: %s\n", err_text(s->err));
    else
        http_reply(s->http, 200, "text/plain; version=0.0.4; charset=utf-8", buf_view(&s->text));
    scrape_free(s);
}

static void on_metrics(struct metrics_door *m, struct http_request *r)
{
    struct scrape *s = mem_take(sizeof(*s));
    if (!s) {
        http_reply_text(r, 503, "no memory\n");
        return;
    }
    *s = (struct scrape){.door = m,
                         .http = r,
                         .text = buf_make(METRICS_BYTES_MAX),
                         .job = {.run = gather, .done = gathered},
                         .next = m->scrapes,
                         .link = &m->scrapes};
    if (m->scrapes) m->scrapes->link = &s->next;
    m->scrapes = s;
    if (crew_give(m->crew, &s->job)) return;
    http_reply_text(r, 503, "too many ask already\n");
    scrape_free(s);
}

/* --- health -------------------------------------------------------------------------------------
 */

static void on_health(struct metrics_door *m, struct http_request *r)
{
    struct report_facts facts;
    struct buf text = buf_make(METRICS_BYTES_MAX);
    m->o.facts(m->o.ctx, &facts);
    bool fine = report_status_json(m->o.world, &facts, &text);
    http_reply(r, fine ? 200 : 503, "application/json", buf_view(&text));
    buf_done(&text);
}

static const struct {
    const char *path;
    void (*answer)(struct metrics_door *m, struct http_request *r);
} routes[] = {{"/metrics", on_metrics},
              {"/health", on_health},
              {"/healthz", on_health},
              {"/ready", on_health}};

static void on_request(void *door, struct http_request *r)
{
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        if (!slice_is(http_path(r), routes[i].path)) continue;
        if (slice_is(http_method(r), "GET") || slice_is(http_method(r), "HEAD"))
            routes[i].answer(door, r);
        else
            http_reply_text(r, 405, "only GET\n");
        return;
    }
    http_reply_text(r, 404, "nothing is here; /metrics and /health are\n");
}

/* --- open, close --------------------------------------------------------------------------------
 */

err_t metrics_open(struct loop *l, const struct metrics_door_options *o, struct metrics_door **out,
                   struct diag *d)
{
    struct metrics_door *m = mem_take(sizeof(*m));
    if (!m) return diag_fail(d, ERR_NO_MEMORY, "no memory for the metrics door");
    m->o = *o;
    struct crew_options crew = {
        .name = "metrics", .loop = l, .workers = 1, .waiting_max = METRICS_WAITING_MAX};
    struct http_options http = {.address = o->address,
                                .port = o->port,
                                .handler = on_request,
                                .door = m,
                                .conns_max = METRICS_CONNS_MAX};
    err_t e = crew_open(&crew, &m->crew, d);
    if (!e) e = http_open(l, &http, &m->http, d);
    if (e)
        metrics_close(m);
    else
        *out = m;
    return e;
}

void metrics_close(struct metrics_door *m)
{
    if (!m) return;
    crew_close(m->crew);
    http_close(m->http);
    while (m->scrapes) scrape_free(m->scrapes); /* nobody waits for them any more */
    mem_give(m);
}

struct http_counts metrics_counts(const struct metrics_door *m)
{
    return http_counts(m->http);
}

uint16_t metrics_port(const struct metrics_door *m)
{
    return http_port(m->http);
}
