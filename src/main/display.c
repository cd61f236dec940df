#include "main/display.h"

#include "base/say.h"
#include "base/unit.h"
#include "main/version.h"
#include "os/clock.h"
#include "os/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    DRAW_MS = 250,
    SAY_MS = 10000,
    FRAME_MAX = 256 << 10,
    LOG_FILE_MAX = 16 << 20,
    LOG_LINES = 4
};

struct display {
    struct server *server;
    struct loop_timer *timer;
    bool plain;
    int lines;  /* of the last picture, to draw over */
    int log_fd; /* where the log goes while the picture has the terminal */
};

/* --- a picture
 * --------------------------------------------------------------------------------------------------
 */

struct picture {
    struct buf text;
    int lines, width, height;
};

static const char dim[] = "\033[2m", bold[] = "\033[1m", red[] = "\033[31m", plain[] = "\033[0m";

/* One line of the picture: never wider than the terminal, whatever names and numbers say. */
static void line(struct picture *p, const char *style, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void line(struct picture *p, const char *style, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    if (p->lines + 1 >= p->height) return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    int shown = 0;
    size_t end = 0;
    for (; text[end]; end++) { /* count code points, cut at the width */
        if (((uint8_t)text[end] & 0xc0) != 0x80 && ++shown > p->width) break;
        if ((uint8_t)text[end] < ' ' || text[end] == 0x7f) text[end] = ' ';
    }
    /* cleared before it is written: behind a line of the whole width the last letter would go */
    buf_printf(&p->text, "\033[K%s%.*s%s\n", style, (int)end, text, plain);
    p->lines++;
}

static const char *count(uint64_t n, char out[32])
{
    struct buf b = buf_over(out, 32);
    unit_put_count(&b, n);
    return buf_cstr(&b);
}

static err_t draw_stage(void *ctx, const struct flow_status *s)
{
    struct picture *p = ctx;
    char in[32], lag[32], dead[32];
    bool wrong = !s->balanced || s->trouble[0];
    line(p, wrong ? red : "", " %-6s %-16.*s %-9s%9.0f/s %11s in %8s lag %6s dead%s%s",
         s->is_source ? "source" : "stream", SLICE_ARG(s->name), s->state, s->rows_per_second,
         count(s->ledger.in, in), s->is_source ? "-" : count(s->lag, lag),
         count(s->ledger.dead, dead), s->is_source || !s->form ? "" : "  ",
         s->is_source || !s->form ? "" : s->form);
    line(p, dim, "          -> %.*s", SLICE_ARG(s->into));
    if (!s->balanced) {
        struct buf ledger = buf_make(1024);
        report_ledger(&ledger, &s->ledger);
        line(p, red, "          the ledger does not balance: %s", buf_cstr(&ledger));
        buf_done(&ledger);
    }
    if (s->trouble[0]) line(p, red, "          %s", s->trouble);
    if (s->note[0]) line(p, "", "          %s", s->note);
    return ERR_OK;
}

static void draw_doors(struct picture *p, const struct server *s)
{
    const char *address = config_text(&s->project->config, CONFIG_listen_address);
    line(p, "", " ");
    if (s->front.line[0])
        line(p, bold, " console  %s   Airflow's API: /api/v1 and /api/v2", s->front.line);
    if (s->api)
        line(p, "", " people   http://%s:%u/api/?results=3", address, randomuser_port(s->api));
    if (s->broker.line[0]) line(p, "", " kafka    %s", s->broker.line);
    if (s->cassandra.line[0]) line(p, "", " cql      %s", s->cassandra.line);
    if (s->metrics)
        line(p, "", " metrics  http://%s:%u/metrics   health  http://%s:%u/health", address,
             metrics_port(s->metrics), address, metrics_port(s->metrics));
    for (size_t i = 0; i < s->project->streams.count && i < 3; i++) {
        const struct plan_stream *plan =
            &((const struct project_stream *)vec_at(&s->project->streams, i))->plan;
        if (plan->sink == SINK_TABLE)
            line(p, "", " try      %s query 'SELECT * FROM %.*s.%.*s LIMIT 5'", s->command,
                 SLICE_ARG(plan->into->keyspace), SLICE_ARG(plan->into->name));
        else if (plan->sink == SINK_TOPIC)
            line(p, "", " try      %s consume %.*s --from -5", s->command,
                 SLICE_ARG(plan->into->name));
    }
    line(p, "", " also     %s status | dead | logs --follow | top", s->command);
}

static void draw_log(struct picture *p)
{
    struct buf text = buf_make(8 << 20);
    uint64_t seq = 0;
    say_ring_read(&seq, -1, SAY_WARN, &text);
    struct slice all = buf_view(&text);
    uint32_t from = all.len, found = 0;
    while (from > 0 && found <= LOG_LINES)
        if (all.at[--from] == '\n') found++;
    if (all.len) line(p, "", " ");
    for (const uint8_t *at = all.at + from + (from > 0), *end = all.at + all.len; at < end;) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        if (!newline) break;
        line(p, dim, " %.*s", (int)(newline - at), (const char *)at);
        at = newline + 1;
    }
    buf_done(&text);
}

static void draw(struct display *v)
{
    struct winsize size = {.ws_col = 80, .ws_row = 24};
    struct report_facts f;
    struct buf up = buf_make(64), memory = buf_make(64);
    (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size); /* 80x24 stays when the terminal does not tell */
    struct picture p = {.text = buf_make(FRAME_MAX),
                        .width = size.ws_col ? size.ws_col : 80,
                        .height = size.ws_row ? size.ws_row : 24};
    server_facts(v->server, &f);
    unit_put_ms(&up, f.now_ms - f.started_ms);
    unit_put_bytes(&memory, f.memory_bytes);
    if (v->lines) buf_printf(&p.text, "\033[%dA", v->lines);
    line(&p, bold, " sluice %s  %s  up %s  memory %s  processor %.1f s", f.version, f.project,
         buf_cstr(&up), buf_cstr(&memory), (double)f.cpu_ns / 1e9);
    line(&p, "", " ");
    if (flow_each(v->server->world.flow, draw_stage, &p))
        line(&p, red, " the stages can not be read just now");
    draw_doors(&p, v->server);
    draw_log(&p);
    line(&p, dim, " Ctrl-C ends it cleanly; the next start goes on from here");
    buf_text(&p.text, "\033[J");
    for (size_t done = 0; done < p.text.len;) {
        ssize_t n = write(STDOUT_FILENO, p.text.at + done, p.text.len - done);
        if (n <= 0) break; /* nobody looks any more */
        done += (size_t)n;
    }
    v->lines = p.lines;
    buf_done(&p.text);
    buf_done(&up);
    buf_done(&memory);
}

/* --- lines, where there is no terminal -------------------------------------------------------- */

static err_t say_stage(void *ctx, const struct flow_status *s)
{
    struct buf ledger = buf_make(1024);
    (void)ctx;
    report_ledger(&ledger, &s->ledger);
    say_info(SAY_FLOW, "progress",
             "stage=%.*s state=%s rate=%.0f/s lag=%llu ledger=\"%s\" balanced=%s",
             SLICE_ARG(s->name), s->state, s->rows_per_second, (unsigned long long)s->lag,
             buf_cstr(&ledger), s->balanced ? "yes" : "NO");
    buf_done(&ledger);
    return ERR_OK;
}

static void on_timer(void *arg)
{
    struct display *v = arg;
    if (!v->plain)
        draw(v);
    else if (flow_each(v->server->world.flow, say_stage, v))
        say_warn(SAY_MAIN, "the stages can not be read", "retry_ms=%d", SAY_MS);
}

/* The log has its file while the picture has the terminal; one older file is kept. */
static err_t log_to_file(struct display *v, struct diag *d)
{
    char path[PROJECT_PATH_MAX], old[PROJECT_PATH_MAX];
    uint64_t size = 0;
    err_t e = project_data_path(v->server->project, "sluice.log", path, d);
    if (!e) e = project_data_path(v->server->project, "sluice.log.1", old, d);
    if (!e) e = file_open(path, FILE_APPEND, &v->log_fd, d);
    if (!e) e = file_size(v->log_fd, &size, d);
    if (!e && size > LOG_FILE_MAX) {
        file_close(v->log_fd);
        e = file_rename(path, old, d);
        if (!e) e = file_open(path, FILE_APPEND, &v->log_fd, d);
    }
    if (!e) say_to(v->log_fd);
    return e;
}

err_t display_start(struct server *s, bool plain_lines, struct display **out, struct diag *d)
{
    struct display *v = mem_take(sizeof(*v));
    if (!v) return diag_fail(d, ERR_NO_MEMORY, "no memory for the display");
    *v =
        (struct display){.server = s, .plain = plain_lines || !isatty(STDOUT_FILENO), .log_fd = -1};
    err_t e = v->plain ? ERR_OK : log_to_file(v, d);
    int64_t every = v->plain ? SAY_MS : DRAW_MS;
    if (!e) e = loop_timer_new(s->loop, v->plain ? every : 0, every, on_timer, v, &v->timer);
    if (e)
        display_stop(v);
    else
        *out = v;
    return e;
}

void display_stop(struct display *v)
{
    if (!v) return;
    loop_timer_free(v->timer);
    on_timer(v);
    if (v->log_fd >= 0) {
        say_to(STDERR_FILENO);
        file_close(v->log_fd);
    }
    mem_give(v);
}
