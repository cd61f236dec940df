/* Every two seconds: what each part does, noted for its history. */
#include "door/console/console_int.h"
#include "door/console/history.h"
#include "door/console/resources.h"
#include "door/console/topics_kit.h"

#include "base/vec.h"
#include "os/http.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

enum { COUNTERS_MAX = 4000, TABLES_MAX = 1000, SAMPLE_TAKES_MS = 500 };

struct counter { /* a count that grows: its rate is what people look at */
    double value;
    int64_t at_ms;
};
struct sampling {
    struct console *console;
    struct history *history;
    struct crew_job job;
    struct loop_timer *timer;
    bool at_work;         /* the loop's */
    int64_t now_ms;       /* the worker's, as all below */
    struct map *counters; /* "part metric" -> struct counter */
    struct vec written;   /* struct written: of this sample */
    struct thread_groups threads;
};
struct written { /* a table, and the rows that streams have put into it since they are there */
    char part[HISTORY_NAME_MAX];
    double rows;
};

static void note(struct sampling *s, const char *part, const char *metric, double value)
{
    history_note(s->history, part, metric, value, s->now_ms);
}

/* The rate of what only grows; a smaller number than the last begins anew. */
static void note_growth(struct sampling *s, const char *part, const char *metric, double value)
{
    char key[HISTORY_NAME_MAX + 40];
    double rate = (double)NAN;
    snprintf(key, sizeof(key), "%s %s", part, metric);
    struct counter *c = map_get(s->counters, slice_of(key));
    if (!c) {
        c = mem_take(sizeof(*c));
        if (!c) return;
        if (map_set(s->counters, slice_of(key), c)) { /* too many: without a history */
            mem_give(c);
            return;
        }
    } else if (value >= c->value && s->now_ms > c->at_ms) {
        rate = (value - c->value) * 1000 / (double)(s->now_ms - c->at_ms);
    }
    *c = (struct counter){value, s->now_ms};
    note(s, part, metric, rate);
}

static void add_written(struct sampling *s, const struct flow_status *f)
{
    char part[HISTORY_NAME_MAX];
    if (!memchr(f->into.at, '.', f->into.len)) return; /* a topic counts its own */
    snprintf(part, sizeof(part), "table:%.*s", SLICE_ARG(f->into));
    struct written *w = NULL;
    for (size_t i = 0; i < s->written.count && !w; i++) {
        struct written *one = vec_at(&s->written, i);
        if (strcmp(one->part, part) == 0) w = one;
    }
    if (!w && (w = vec_add(&s->written))) memcpy(w->part, part, sizeof(part));
    if (w) w->rows += (double)f->ledger.rows_out; /* NULL: thousands of tables; without a history */
}

static err_t sample_stage(void *ctx, const struct flow_status *f)
{
    struct sampling *s = ctx;
    char part[HISTORY_NAME_MAX];
    snprintf(part, sizeof(part), "%s:%.*s", f->is_source ? "source" : "stream", SLICE_ARG(f->name));
    note_growth(s, part, "rate", (double)f->ledger.in);
    note_growth(s, part, "rows_rate", (double)f->ledger.rows_out);
    note_growth(s, part, "dead_rate", (double)f->ledger.dead);
    note_growth(s, part, "cpu", (double)f->cpu_ns / 1e9);
    note(s, part, "memory", (double)f->memory);
    if (f->is_source) return ERR_OK;
    add_written(s, f);
    note(s, part, "lag", (double)f->lag);
    note(s, part, "batch_ms", (double)f->live.p50_us / 1000);
    note(s, part, "state_rows", (double)f->state_rows);
    if (f->watermark != INT64_MIN)
        note(s, part, "watermark_lag_ms", (double)(s->now_ms - f->watermark / 1000));
    return ERR_OK;
}

static err_t sample_topic(void *ctx, struct log_topic *t)
{
    struct sampling *s = ctx;
    struct slice name = log_topic_name(t);
    char part[HISTORY_NAME_MAX];
    double ends = 0, records = 0, bytes = 0;
    if (slice_starts(name, "__")) return ERR_OK;
    snprintf(part, sizeof(part), "topic:%.*s", SLICE_ARG(name));
    for (int32_t i = 0; i < log_topic_partitions(t); i++) {
        const struct log_partition *p = log_partition(t, i);
        ends += (double)log_end_offset(p);
        records += (double)(log_end_offset(p) - log_start_offset(p));
        bytes += (double)log_partition_bytes(p);
    }
    note_growth(s, part, "rate", ends);
    note_growth(s, part, "bytes_rate", bytes);
    note(s, part, "records", records);
    note(s, part, "bytes", bytes);
    return ERR_OK;
}

static void sample_all(struct crew_job *j, void **own)
{
    struct sampling *s = (struct sampling *)(void *)((char *)j - offsetof(struct sampling, job));
    struct console *c = s->console;
    (void)own;
    s->now_ms = c->o.port.now_us(c->o.port.ctx) / 1000;
    /* What can not be told leaves a gap, and is told where it is looked at. */
    s->written.count = 0;
    err_t e = c->o.world->flow ? flow_each(c->o.world->flow, sample_stage, s) : ERR_OK;
    for (size_t i = 0; i < s->written.count; i++) {
        const struct written *w = vec_at(&s->written, i);
        note_growth(s, w->part, "rate", w->rows);
    }
    if (!e) e = log_topics(c->o.world->log, sample_topic, s);
    groups_note(c);
    gate_enter(&c->facts_gate);
    struct report_facts f = c->facts;
    gate_leave(&c->facts_gate);
    note(s, "server", "memory", (double)f.memory_bytes);
    note_growth(s, "server", "cpu", (double)f.cpu_ns / 1e9);
    resources_note(c, &s->threads);
}

void sampling_growth(struct console *c, const char *part, const char *metric, double value)
{
    note_growth(c->sampling, part, metric, value);
}

static void sampled(struct crew_job *j)
{
    struct sampling *s = (struct sampling *)(void *)((char *)j - offsetof(struct sampling, job));
    s->at_work = false;
}

static void on_sample(void *arg)
{
    struct sampling *s = arg;
    if (s->at_work) return;
    s->job.run = sample_all;
    s->job.done = sampled;
    s->at_work = crew_give(s->console->lookers, &s->job);
}

err_t sampling_open(struct console *c, struct diag *d)
{
    struct sampling *s = mem_take(sizeof(*s));
    if (!s) return diag_fail(d, ERR_NO_MEMORY, "no memory for the console's history");
    c->sampling = s;
    s->console = c;
    s->history = history_new();
    s->counters = map_new(COUNTERS_MAX);
    s->written = vec_make(sizeof(struct written), TABLES_MAX);
    if (s->history && s->counters &&
        !loop_timer_new(c->loop, HISTORY_STEP_MS, HISTORY_STEP_MS, on_sample, s, &s->timer))
        return ERR_OK;
    return diag_fail(d, ERR_NO_MEMORY, "no memory for the console's history");
}

void sampling_close(struct sampling *s)
{
    struct slice key;
    void *value;
    if (!s) return;
    loop_timer_free(s->timer);
    for (size_t i = 0; s->counters && map_next(s->counters, &i, &key, &value);) mem_give(value);
    map_free(s->counters);
    vec_done(&s->written);
    history_free(s->history);
    mem_give(s);
}

void console_note(struct console *c, const char *part, const char *metric, double value)
{
    history_note(c->sampling->history, part, metric, value, c->o.port.now_us(c->o.port.ctx) / 1000);
}

double console_last(struct console *c, const char *part, const char *metric)
{
    return history_last(c->sampling->history, part, metric, c->o.port.now_us(c->o.port.ctx) / 1000);
}

err_t console_history(struct ask *a)
{
    struct history_ask ask = {.part = ask_text(a, "part"),
                              .metric = ask_text(a, "metric"),
                              .now_ms = ask_now_ms(a),
                              .series_max = HISTORY_SERIES_MAX};
    int64_t fine = (int64_t)HISTORY_STEPS * HISTORY_STEP_MS, seconds;
    err_t e = ask_int(a, "seconds", fine / 1000, 1, 86400, &seconds);
    if (e) return e;
    ask.from_ms = ask.now_ms - seconds * 1000;
    js_open(&a->out, '{');
    js_put_open(&a->out, "series", '[');
    history_put(a->console->sampling->history, &ask, &a->out);
    js_close(&a->out, ']');
    js_close(&a->out, '}');
    return ERR_OK;
}

/* The steps that are over since the last telling; the first one begins with the last of them. */
struct told_steps {
    int64_t next;
};

static err_t told_of(struct look *k, struct told_steps **out)
{
    *out = k->own;
    if (*out) return ERR_OK;
    *out = k->own = mem_take(sizeof(**out));
    k->own_free = mem_give;
    return *out ? ERR_OK : diag_fail(&k->d, ERR_NO_MEMORY, "no memory for a live history");
}

err_t live_history(struct look *k)
{
    int64_t over = (look_now_ms(k) - SAMPLE_TAKES_MS) / HISTORY_STEP_MS - 1;
    struct told_steps *told;
    struct slice value = k->arg;
    bool part = slice_starts(k->arg, "part="), metric = slice_starts(k->arg, "metric=");
    if (!part && !metric) {
        (void)diag_fail(&k->d, ERR_USAGE, "'%.*s' is no history", SLICE_ARG(k->arg));
        return diag_hint(&k->d, "history:part=KIND:NAME or history:metric=NAME");
    }
    uint32_t word = part ? 5 : 7;
    value = slice_make(value.at + word, value.len - word);
    if (!http_decode(k->arena, value, false, &value))
        return diag_fail(&k->d, ERR_USAGE, "'%.*s' can not be read", SLICE_ARG(value));
    err_t e = told_of(k, &told);
    if (e || over < told->next) return e;
    int64_t from = told->next ? MAX(told->next, over - HISTORY_STEPS + 1) : over;
    struct history_ask ask = {.part = part ? value : (struct slice){0},
                              .metric = metric ? value : (struct slice){0},
                              .from_ms = from * HISTORY_STEP_MS,
                              .now_ms = over * HISTORY_STEP_MS,
                              .series_max = HISTORY_SERIES_MAX};
    told->next = over + 1;
    js_open(&k->out, '{');
    js_put_open(&k->out, "series", '[');
    history_put(k->console->sampling->history, &ask, &k->out);
    js_close(&k->out, ']');
    js_close(&k->out, '}');
    return ERR_OK;
}
