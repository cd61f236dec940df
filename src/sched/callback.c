/* Callbacks: a webhook, a letter or a command that tells of a task's or run's end. Each is tried a
 * few times; what fails for good is said and becomes an event. Nothing waits for them. */
#include "sched/workshop_int.h"

#include "base/say.h"
#include "os/file.h"
#include "sched/connection.h"
#include "sched/ops.h"
#include "sched/template.h"
#include "sched/things.h"

#include <stdio.h>

enum { TRIES = 3, FIRST_PAUSE_MS = 1000, CALL_BYTES_MAX = 64 << 20, PAUSE_STEP_MS = 100 };
static const int64_t HTTP_TIMEOUT_US = 30 * INT64_C(1000000);

struct call {
    struct chore job;
    struct loop_message message;
    struct workshop *w;
    struct arena *arena;
    int64_t id;
    int tries;
    struct doc what, context; /* copied; what: rendered once a thread has it */
    struct slice body;        /* JSON of what happened */
    struct slice key;         /* of a command: its name for the keeper */
    struct call *next, *before;
};

/* --- what it says -----------------------------------------------------------------------------
 */

static const char *state_of(struct slice event)
{
    static const struct {
        const char *event, *state;
    } WORDS[] = {{"on_execute_callback", "running"}, {"on_success_callback", "success"},
                 {"on_failure_callback", "failed"},  {"on_retry_callback", "up_for_retry"},
                 {"on_skipped_callback", "skipped"}, {"sla_miss_callback", "sla_miss"}};
    for (size_t i = 0; i < COUNT_OF(WORDS); i++)
        if (slice_is(event, WORDS[i].event)) return WORDS[i].state;
    return "unknown";
}

static const struct doc *look(const struct doc *context, const char *first, const char *second)
{
    const struct doc *v = doc_get(context, first);
    return v && second ? doc_get(v, second) : v;
}

static void put_part(struct buf *out, const char *name, const struct doc *v)
{
    static const struct doc NOTHING = {.kind = DOC_NULL};
    buf_printf(out, "%s\"%s\": ", out->len > 1 ? ", " : "", name);
    doc_put_json(out, v ? v : &NOTHING);
}

static err_t make_body(struct call *c)
{
    const struct doc *x = &c->context, *ti = look(x, "ti", NULL);
    struct buf out = buf_make(1 << 20);
    struct doc state = {.kind = DOC_TEXT};
    state.text = slice_of(state_of(doc_text(look(x, "event", NULL))));
    buf_char(&out, '{');
    put_part(&out, "event", look(x, "event", NULL));
    put_part(&out, "dag_id", look(x, "dag", "dag_id"));
    put_part(&out, "run_id", look(x, "run_id", NULL));
    put_part(&out, "logical_date", look(x, "logical_date", NULL));
    put_part(&out, "task_id", look(x, "ti", "task_id"));
    put_part(&out, "map_index", look(x, "ti", "map_index"));
    put_part(&out, "try_number", look(x, "ti", "try_number"));
    put_part(&out, "state", &state);
    put_part(&out, "exception", look(x, "exception", NULL));
    struct doc url = {.kind = DOC_NULL};
    const struct doc *number = look(x, "ti", "try_number");
    if (ti && number && number->kind == DOC_INT) {
        url.kind = DOC_TEXT;
        url.text = slice_of(
            arena_printf(c->arena, "/api/v1/dags/%.*s/dagRuns/%.*s/taskInstances/%.*s/logs/%lld",
                         SLICE_ARG(doc_text(look(x, "dag", "dag_id"))),
                         SLICE_ARG(doc_text(look(x, "run_id", NULL))),
                         SLICE_ARG(doc_text(look(x, "ti", "task_id"))), (long long)number->number));
    }
    put_part(&out, "log_url", &url);
    buf_char(&out, '}');
    c->body = arena_slice(c->arena, buf_view(&out));
    err_t e = out.err ? out.err : c->body.at ? ERR_OK : ERR_NO_MEMORY;
    buf_done(&out);
    return e;
}

struct lookup {
    struct meta *meta;
};

static err_t look_variable(void *ctx, struct slice key, struct arena *a, struct slice *value,
                           struct diag *d)
{
    struct variable v;
    err_t e = variable_resolve(((struct lookup *)ctx)->meta, key, a, &v, d);
    if (!e) *value = v.value;
    return e;
}

static err_t render(struct call *c, struct worker *t, struct diag *d)
{
    struct lookup l = {0};
    struct doc out;
    err_t e = worker_meta(t, &l.meta, d);
    struct template_world w = {
        .names = &c->context, .ctx = &l, .variable = look_variable, .now_us = workshop_now(c->w)};
    if (!e) e = template_render(&c->what, &w, c->arena, &out, d);
    if (!e && make_body(c)) e = diag_fail(d, ERR_NO_MEMORY, "no memory for a callback");
    if (!e) c->what = out;
    return e;
}

/* --- the end ----------------------------------------------------------------------------------
 */

static void call_free(struct call *c)
{
    struct workshop *w = c->w;
    gate_enter(&w->gate);
    if (c->before)
        c->before->next = c->next;
    else
        w->calls = c->next;
    if (c->next) c->next->before = c->before;
    gate_leave(&w->gate);
    arena_free(c->arena);
    mem_give(c);
}

static void put_event(struct call *c, struct worker *t, const char *story)
{
    struct diag d = {0};
    struct ops o = {.now_us = workshop_now(c->w), .user = SLICE("scheduler"), .via = "scheduler"};
    struct ops_event event = {.event = "callback_failed",
                              .dag_id = doc_text(look(&c->context, "dag", "dag_id")),
                              .run_id = doc_text(look(&c->context, "run_id", NULL)),
                              .task_id = doc_text(look(&c->context, "ti", "task_id")),
                              .map_index = -1,
                              .logical = TIME_NONE,
                              .extra = slice_of(story)};
    err_t e = worker_meta(t, &o.meta, &d);
    if (!e) e = ops_event_put(&o, &event, &d);
    if (e) say_diag(SAY_SCHED, SAY_WARN, "a callback's failure is not in the events", &d);
}

static void give_up(struct call *c, struct worker *t, struct diag *d)
{
    char story[1400];
    struct workshop *w = c->w;
    diag_format(d, story, sizeof(story));
    say_diag(SAY_SCHED, SAY_WARN, "a callback failed, and is given up", d);
    put_event(c, t, story);
    sched_called_back(w->sched, c->id);
    call_free(c);
}

static void called(struct call *c)
{
    sched_called_back(c->w->sched, c->id);
    call_free(c);
}

/* --- the three ways ---------------------------------------------------------------------------
 */

static bool closing(void *ctx)
{
    struct workshop *w = ctx;
    gate_enter(&w->gate);
    bool yes = w->closing;
    gate_leave(&w->gate);
    return yes;
}

static struct doc text_doc(struct slice s)
{
    return (struct doc){.kind = DOC_TEXT, .text = s};
}

static err_t by_http(struct call *c, struct diag *d)
{
    const struct work_port *port = &c->w->so.port;
    const struct doc *headers = doc_get(&c->what, "headers"), *method = doc_get(&c->what, "method");
    struct doc_entry parts[] = {
        {.name = SLICE("url"), .value = text_doc(doc_text(doc_get(&c->what, "http")))},
        {.name = SLICE("method"), .value = method ? *method : text_doc(SLICE("POST"))},
        {.name = SLICE("headers"), .value = headers ? *headers : (struct doc){.kind = DOC_MAP}},
        {.name = SLICE("body"), .value = text_doc(c->body)},
        {.name = SLICE("json"), .value = {.kind = DOC_BOOL, .yes = true}},
        {.name = SLICE("timeout_us"), .value = {.kind = DOC_INT, .number = HTTP_TIMEOUT_US}}};
    struct doc request = {.kind = DOC_MAP, .count = COUNT_OF(parts), .entries = parts};
    int status = 0;
    struct slice body;
    if (!port->http) return diag_fail(d, ERR_UNSUPPORTED, "there is nobody who asks by HTTP");
    err_t e = port->http(port->ctx, &request, closing, c->w, c->arena, &status, &body, d);
    if (!e && (status < 200 || status >= 300))
        e = diag_fail(d, ERR_PEER, "%.*s answered %d", SLICE_ARG(parts[0].value.text), status);
    return e;
}

/* A letter through the connection smtp_default, as Airflow's. */
static err_t by_mail(struct call *c, struct worker *t, struct diag *d)
{
    const struct work_port *port = &c->w->so.port;
    const struct doc *subject = doc_get(&c->what, "subject"), *text = doc_get(&c->what, "text"),
                     *id = doc_get(&c->what, "conn_id");
    struct meta *m;
    struct doc letter;
    if (!port->mail) return diag_fail(d, ERR_UNSUPPORTED, "there is nobody who sends mail");
    err_t e = worker_meta(t, &m, d);
    if (e) return e;
    struct slice task = doc_text(look(&c->context, "ti", "task_id"));
    struct slice title = slice_of(
        arena_printf(c->arena, "Sluice: %.*s%s%.*s %s",
                     SLICE_ARG(doc_text(look(&c->context, "dag", "dag_id"))), task.len ? " " : "",
                     SLICE_ARG(task), state_of(doc_text(look(&c->context, "event", NULL)))));
    struct connection_mail mail = {.to = doc_get(&c->what, "mail"),
                                   .subject = subject ? doc_text(subject) : title,
                                   .text = text ? doc_text(text) : c->body};
    e = connection_letter(m, id ? doc_text(id) : SLICE("smtp_default"), &mail, c->arena, &letter,
                          d);
    if (e) return e;
    return port->mail(port->ctx, &letter, d);
}

/* --- a command, under the keeper --------------------------------------------------------------
 */

static void again_there(struct loop_message *m);
static void try_there(struct chore *j, struct worker *t);

static err_t put_name(struct call *c, struct vec *all, const char *name, struct slice value)
{
    char *text = arena_printf(c->arena, "%s=%.*s", name, SLICE_ARG(value));
    return text ? vec_push(all, &text) : ERR_NO_MEMORY;
}

static err_t start_command(struct call *c, struct diag *d)
{
    struct workshop *w = c->w;
    const char *end = NULL, *script = arena_text(c->arena, doc_text(doc_get(&c->what, "command")));
    const char *argv[] = {"bash", "-c", script, NULL};
    const char *folder = arena_printf(c->arena, "%s/callbacks", w->logs);
    const char *log =
        folder ? arena_printf(c->arena, "%s/%lld.log", folder, (long long)c->id) : NULL;
    struct vec all = vec_make(sizeof(char *), 64);
    c->key = slice_of(arena_printf(c->arena, "callback/%lld/%d", (long long)c->id, c->tries));
    err_t e = script && log && c->key.at ? ERR_OK : ERR_NO_MEMORY;
    if (!e) e = put_name(c, &all, "PATH", slice_of(w->path));
    if (!e) e = put_name(c, &all, "HOME", slice_of(w->home));
    if (!e) e = put_name(c, &all, "LANG", slice_of(w->lang));
    if (!e)
        e = put_name(c, &all, "AIRFLOW_CTX_DAG_ID", doc_text(look(&c->context, "dag", "dag_id")));
    if (!e)
        e = put_name(c, &all, "AIRFLOW_CTX_DAG_RUN_ID", doc_text(look(&c->context, "run_id", 0)));
    if (!e)
        e = put_name(c, &all, "AIRFLOW_CTX_TASK_ID", doc_text(look(&c->context, "ti", "task_id")));
    if (!e) e = vec_push(&all, &end);
    if (e) e = diag_fail(d, e, "no memory for a callback's command");
    if (!e) e = dir_make_in(folder, d);
    if (!e && (!w->keeper || w->keeper_gone))
        e = diag_fail(d, ERR_UNSUPPORTED, "commands can not be run: their keeper is not there");
    struct keeper_order o = {.id = c->key,
                             .argv = argv,
                             .environment = (const char *const *)all.items,
                             .directory = w->so.project_dir,
                             .log_path = log,
                             .log_max = w->o.log_max,
                             .input = c->body};
    if (!e) e = keeper_run(w->keeper, &o, d);
    vec_done(&all);
    return e;
}

/* On the loop: the keeper is the loop's. */
static void command_here(struct loop_message *m)
{
    struct call *c = (struct call *)(void *)((uint8_t *)m - offsetof(struct call, message));
    struct diag d = {0};
    if (!start_command(c, &d)) return;
    say_diag(SAY_SCHED, SAY_WARN, "a callback's command can not be run", &d);
    again_there(m);
}

bool call_ended(struct workshop *w, const struct keeper_end *end)
{
    struct call *c;
    if (!slice_starts(end->id, "callback/")) return false;
    gate_enter(&w->gate);
    for (c = w->calls; c && !slice_equal(c->key, end->id);) c = c->next;
    gate_leave(&w->gate);
    if (!end->running && w->keeper && keeper_forget(w->keeper, end->id))
        say_warn(SAY_SCHED, "the keeper was not told that an end is known", "id=\"%.*s\"",
                 SLICE_ARG(end->id));
    if (!c || end->running) return true;
    if (end->exit_code == 0 && !end->lost) {
        called(c);
        return true;
    }
    say_warn(SAY_SCHED, "a callback's command failed", "exit_code=%d", end->exit_code);
    again_there(&c->message);
    return true;
}

/* --- trying -----------------------------------------------------------------------------------
 */

static void pause_a_moment(struct call *c)
{
    struct gate *g = &c->w->gate;
    int64_t left = (int64_t)FIRST_PAUSE_MS << (2 * (c->tries - 1));
    gate_enter(g);
    for (; left > 0 && !c->w->closing; left -= PAUSE_STEP_MS) (void)gate_wait_ms(g, PAUSE_STEP_MS);
    gate_leave(g);
}

static void try_there(struct chore *j, struct worker *t)
{
    struct call *c = (struct call *)(void *)j;
    struct diag d = {0};
    err_t e = ERR_OK;
    bool command = doc_get(&c->what, "command") != NULL;
    if (c->tries == 0) e = render(c, t, &d);
    if (e) {
        give_up(c, t, &d);
        return;
    }
    for (; c->tries < TRIES && !closing(c->w); c->tries++) {
        if (c->tries) pause_a_moment(c);
        if (command) {
            c->tries++;
            if (!closing(c->w)) loop_send(c->w->loop, &c->message, command_here);
            return;
        }
        e = doc_get(&c->what, "http") ? by_http(c, &d) : by_mail(c, t, &d);
        if (e) continue;
        called(c);
        return;
    }
    if (closing(c->w)) return; /* it stands in the database, and is made at the next start */
    if (command) (void)diag_fail(&d, ERR_PEER, "a callback's command failed %d times", TRIES);
    give_up(c, t, &d);
}

static void again_there(struct loop_message *m)
{
    struct call *c = (struct call *)(void *)((uint8_t *)m - offsetof(struct call, message));
    struct diag d = {0};
    c->key = (struct slice){0};
    if (workshop_chore(c->w, &c->job, &d))
        say_diag(SAY_SCHED, SAY_WARN, "a callback waits for the next start", &d);
}

void workshop_call_back(void *ctx, int64_t id, const struct doc *what, const struct doc *context)
{
    struct workshop *w = ctx;
    struct diag d = {0};
    struct call *c = mem_take(sizeof(*c));
    if (!c) {
        say_warn(SAY_SCHED, "a callback waits for the next start", "id=%lld", (long long)id);
        return;
    }
    *c = (struct call){.job.run = try_there, .w = w, .id = id};
    c->arena = arena_new(CALL_BYTES_MAX);
    gate_enter(&w->gate);
    c->next = w->calls;
    if (c->next) c->next->before = c;
    w->calls = c;
    gate_leave(&w->gate);
    err_t e = c->arena ? doc_copy(what, c->arena, &c->what) : ERR_NO_MEMORY;
    if (!e) e = doc_copy(context, c->arena, &c->context);
    if (e) (void)diag_fail(&d, e, "no memory for a callback");
    if (!e) e = workshop_chore(w, &c->job, &d);
    if (!e) return;
    say_diag(SAY_SCHED, SAY_WARN, "a callback waits for the next start", &d);
    call_free(c);
}

void calls_lost(struct workshop *w)
{
    for (struct call *c = NULL;;) {
        gate_enter(&w->gate);
        for (c = w->calls; c && !c->key.at;) c = c->next;
        gate_leave(&w->gate);
        if (!c) return;
        again_there(&c->message); /* its key is none any more */
    }
}

void calls_close(struct workshop *w)
{
    while (w->calls) call_free(w->calls);
}
