#include "sched/workshop_int.h"

#include "base/say.h"
#include "os/clock.h"
#include "os/file.h"
#include "sched/secret.h"
#include "sched/worklog.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    WORKS_MAX = 1 << 16,
    WORK_BYTES_MAX = 256 << 20, /* of rows and bodies that one task holds */
    THREADS_MOST = 64,
    UPKEEP_FIRST_MS = 10000,
    UPKEEP_MS = 3600000
};

/* --- the table --------------------------------------------------------------------------------
 */

static const struct kind_work WORKS[TASK_KINDS] = {
    [KIND_empty] = {.way = WAY_AT_ONCE, .again = true, .run = kind_empty},
    [KIND_run] = {.way = WAY_THREAD, .run = kind_run},
    [KIND_service] = {.way = WAY_THREAD, .again = true, .run = kind_service},
    [KIND_submit] = {.way = WAY_THREAD, .again = true, .run = kind_submit},
    [KIND_sql] = {.way = WAY_THREAD, .run = kind_sql},
    [KIND_bash] = {.way = WAY_PROCESS, .process = kind_bash},
    [KIND_exec] = {.way = WAY_PROCESS, .process = kind_exec},
    [KIND_python] = {.way = WAY_PROCESS, .process = kind_python},
    [KIND_http] = {.way = WAY_THREAD, .run = kind_http},
    [KIND_produce] = {.way = WAY_THREAD, .run = kind_produce},
    [KIND_trigger_dag] = {.way = WAY_THREAD, .run = kind_trigger_dag},
    [KIND_wait] = {.way = WAY_AT_ONCE, .again = true, .run = kind_wait},
    [KIND_branch] = {.way = WAY_AT_ONCE, .again = true, .run = kind_branch},
    [KIND_short_circuit] = {.way = WAY_AT_ONCE, .again = true, .run = kind_short_circuit},
    [KIND_http_sensor] = {.way = WAY_THREAD, .again = true, .run = kind_http_sensor},
    [KIND_file_sensor] = {.way = WAY_THREAD, .again = true, .run = kind_file_sensor},
    [KIND_lag_sensor] = {.way = WAY_THREAD, .again = true, .run = kind_lag_sensor},
    [KIND_rows_sensor] = {.way = WAY_THREAD, .again = true, .run = kind_rows_sensor},
    [KIND_sql_sensor] = {.way = WAY_THREAD, .again = true, .run = kind_sql_sensor},
    [KIND_time_sensor] = {.way = WAY_AT_ONCE, .again = true, .run = kind_time_sensor},
    [KIND_dag_sensor] = {.way = WAY_THREAD, .again = true, .run = kind_dag_sensor},
};

const struct kind_work *kind_work_of(enum task_kind_id id)
{
    const struct kind_work *k = id < TASK_KINDS ? &WORKS[id] : NULL;
    return k && (k->run || k->process) ? k : NULL;
}

/* --- what works say ---------------------------------------------------------------------------
 */

int64_t workshop_now(const struct workshop *w)
{
    return w->so.now_us ? w->so.now_us(w->so.clock) : clock_wall_us();
}

static void say_text(struct work *k, const char *level, struct slice text)
{
    struct diag d = {0};
    const struct work_order *o = k->order;
    if (worklog_line(o->log_path, workshop_now(k->w), o->task->kind->name, level, text, o->mask,
                     &d))
        say_diag(SAY_SCHED, SAY_WARN, "a try's log can not be written", &d);
}

void work_say(struct work *k, const char *level, const char *fmt, ...)
{
    va_list args;
    struct buf text = buf_make(WORKLOG_LINE_MAX);
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    say_text(k, level, buf_view(&text));
    buf_done(&text);
}

struct slice work_printf(struct work *k, const char *fmt, ...)
{
    va_list args;
    struct buf text = buf_make(WORKLOG_LINE_MAX);
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    struct slice out = arena_slice(k->arena, buf_view(&text));
    buf_done(&text);
    return out;
}

/* The first look of a sensor, or the try itself: the lines that people know from Airflow. */
static void say_beginning(struct work *k)
{
    const struct work_order *o = k->order;
    const struct doc *logical = work_context(k, "logical_date");
    if (o->state.len) return; /* a later look */
    work_say(k, "INFO", "Starting attempt %d of %d", o->key.try_number,
             MAX(o->task->retries + 1, o->key.try_number));
    work_say(k, "INFO", "Executing <Task(%s): %.*s> on %.*s", o->task->kind->operator_name,
             SLICE_ARG(o->task->id), SLICE_ARG(doc_text(logical)));
}

static void say_end(struct work *k, const struct work_answer *a)
{
    static const struct {
        const char *level, *text;
    } WORDS[] = {
        [WORK_SUCCESS] = {"INFO", "Marking task as SUCCESS."},
        [WORK_FAILED] = {"ERROR", "Task failed"},
        [WORK_FAILED_FOR_GOOD] = {"ERROR", "Task failed, and is not tried again"},
        [WORK_SKIPPED] = {"INFO", "Marking task as SKIPPED."},
        [WORK_AGAIN] = {"INFO", "Rescheduling task"},
        [WORK_STOPPED] = {"WARNING", "Task was stopped"},
        [WORK_LOST] = {"ERROR", "Task was lost"},
    };
    bool whole = a->outcome == WORK_SUCCESS || a->outcome == WORK_SKIPPED; /* with a full stop */
    const char *because = a->outcome == WORK_STOPPED ? k->order->stop_why : NULL;
    work_say(k, WORDS[a->outcome].level, "%s%s%s%s%.*s", WORDS[a->outcome].text,
             because ? ", since " : "", because ? because : "",
             !a->message.len ? ""
             : whole         ? " "
                             : ": ",
             SLICE_ARG(a->message));
}

/* --- the end ----------------------------------------------------------------------------------
 */

bool work_stopped(void *work)
{
    return atomic_load(&((struct work *)work)->stop);
}

static void look_now(void *arg);

static void rest(struct loop_message *m)
{
    struct work *k = (struct work *)(void *)((uint8_t *)m - offsetof(struct work, message));
    struct diag d = {0};
    k->resting = true;
    err_t e = work_stopped(k) ? ERR_STOPPED
                              : loop_timer_new(k->w->loop, k->again_ms, 0, look_now, k, &k->timer);
    if (!e) return;
    struct work_answer a = {.outcome = WORK_STOPPED};
    k->resting = false;
    (void)diag_fail(&d, e, "the task was stopped between two looks");
    work_done(k, e, &a, &d);
}

void work_done(struct work *k, err_t err, struct work_answer *a, struct diag *d)
{
    bool rests = false;
    char story[1400];
    if (k->order->task->kind->is_sensor && !work_stopped(k))
        err = sensor_decide(k, err, a, &rests, d);
    if (rests) {
        loop_send(k->w->loop, &k->message, rest);
        return;
    }
    if (err) {
        diag_format(d, story, sizeof(story));
        char *text = strncmp(story, "error: ", 7) == 0 ? story + 7 : story;
        text[strcspn(text, "\n")] = d->where[0] || d->why[0] || d->hint[0] ? '\n' : 0;
        *a = (struct work_answer){.outcome = work_stopped(k) ? WORK_STOPPED : WORK_FAILED,
                                  .message = slice_trim(slice_of(text))};
    }
    say_end(k, a);
    sched_answer(k->w->sched, k->order, a);
}

/* --- orders -----------------------------------------------------------------------------------
 */

static struct slice order_key(struct work_order *const *o)
{
    return slice_make(o, sizeof(*o));
}

static void work_free(struct work *k)
{
    struct workshop *w = k->w;
    map_remove(w->by_order, order_key(&k->order));
    if (k->id.at && map_get(w->by_id, k->id) == k) map_remove(w->by_id, k->id);
    if (k->before)
        k->before->next = k->next;
    else
        w->works = k->next;
    if (k->next) k->next->before = k->before;
    loop_timer_free(k->timer);
    arena_free(k->arena);
    mem_give(k);
}

static err_t work_new(struct workshop *w, struct work_order *o, struct work **out, struct diag *d)
{
    struct work *k = mem_take(sizeof(*k));
    if (!k) return diag_fail(d, ERR_NO_MEMORY, "no memory for a task");
    *k = (struct work){.w = w, .order = o, .how = kind_work_of(o->task->kind->id)};
    k->arena = arena_new(WORK_BYTES_MAX);
    k->next = w->works;
    if (k->next) k->next->before = k;
    w->works = k;
    err_t e = k->arena ? map_set(w->by_order, order_key(&k->order), k) : ERR_NO_MEMORY;
    if (!e && !k->how)
        e = diag_fail(d, ERR_UNSUPPORTED, "nobody carries out tasks of the kind %s",
                      o->task->kind->name);
    else if (e)
        e = diag_fail(d, e, "no memory for a task");
    if (e)
        work_free(k);
    else
        *out = k;
    return e;
}

static void run_here(struct work *k, struct worker *t)
{
    struct diag d = {0};
    struct work_answer a = {.outcome = WORK_SUCCESS};
    err_t e = work_stopped(k) ? diag_fail(&d, ERR_STOPPED, "stopped before it began")
                              : k->how->run(k, t, &a, &d);
    work_done(k, e, &a, &d);
}

static void run_there(struct chore *j, struct worker *t)
{
    run_here((struct work *)(void *)((uint8_t *)j - offsetof(struct work, job)), t);
}

static bool at_once(const struct work *k)
{
    return k->how->way == WAY_AT_ONCE && !work_option(k, "sql");
}

/* Nothing of it has begun: it costs no try, and goes on when there is a keeper again. */
static void wait_for_keeper(struct work *k)
{
    enum { KEEPER_WAIT_US = 1000000 };
    struct diag d = {0};
    struct work_answer a = {.outcome = WORK_AGAIN,
                            .again_us = workshop_now(k->w) + KEEPER_WAIT_US,
                            .message = SLICE("waits for the keeper of commands")};
    work_done(k, ERR_OK, &a, &d);
}

static err_t begin(struct work *k, struct diag *d)
{
    if (k->how->way == WAY_PROCESS) {
        err_t e = k->w->keeper_gone ? ERR_PEER : process_start(k, d);
        if (e != ERR_PEER) return e;
        wait_for_keeper(k);
        return ERR_OK;
    }
    if (at_once(k)) {
        run_here(k, NULL);
        return ERR_OK;
    }
    k->job.run = run_there;
    return workshop_chore(k->w, &k->job, d);
}

/* Its slot was kept: it looks once more. */
static void look_now(void *arg)
{
    struct work *k = arg;
    struct diag d = {0};
    struct work_answer a = {.outcome = WORK_FAILED};
    loop_timer_free(k->timer);
    k->timer = NULL;
    k->resting = false;
    err_t e = begin(k, &d);
    if (e) work_done(k, e, &a, &d);
}

static err_t shop_start(void *ctx, struct work_order *o, struct diag *d)
{
    struct work *k = NULL;
    err_t e = work_new(ctx, o, &k, d);
    if (e) return e;
    say_beginning(k);
    e = begin(k, d);
    if (!e) return ERR_OK;
    char story[1400];
    diag_format(d, story, sizeof(story));
    work_say(k, "ERROR", "Task failed: %s", story + (strncmp(story, "error: ", 7) == 0 ? 7 : 0));
    work_free(k);
    return e;
}

static bool shop_adopt(void *ctx, struct work_order *o)
{
    struct work *k = NULL;
    struct diag d = {0};
    if (work_new(ctx, o, &k, &d)) return false;
    bool adopted = k->how->way == WAY_PROCESS ? process_adopt(k) : k->how->again && !begin(k, &d);
    if (!adopted) {
        say_text(k, "ERROR", SLICE("Task was lost: it was not there any more after a restart"));
        work_free(k);
    }
    return adopted;
}

static void shop_stop(void *ctx, struct work_order *o)
{
    struct workshop *w = ctx;
    struct work *k = map_get(w->by_order, order_key(&o));
    if (!k) return;
    atomic_store(&k->stop, true);
    if (k->how->way == WAY_PROCESS) process_stop(k);
    if (!k->resting) return; /* a thread has it, and asks */
    k->resting = false;
    loop_timer_free(k->timer);
    k->timer = NULL;
    struct work_answer a = {.outcome = WORK_STOPPED};
    work_done(k, ERR_OK, &a, NULL);
}

static void shop_known(void *ctx, struct work_order *o)
{
    struct workshop *w = ctx;
    struct work *k = map_get(w->by_order, order_key(&o));
    if (!k) return;
    if (k->how->way == WAY_PROCESS) process_forget(k);
    work_free(k);
}

/* --- old logs ---------------------------------------------------------------------------------
 */

struct expiring {
    struct chore job;
    struct workshop *w;
};

static bool expiring_stops(void *ctx)
{
    struct workshop *w = ctx;
    gate_enter(&w->gate);
    bool stop = w->closing;
    gate_leave(&w->gate);
    return stop;
}

static void expire_there(struct chore *j, struct worker *t)
{
    struct expiring *x = (struct expiring *)(void *)j;
    struct workshop *w = x->w;
    struct diag d = {0};
    uint64_t removed = 0;
    (void)t;
    err_t e = worklog_expire(w->logs, workshop_now(w) - w->so.keep_logs_us, expiring_stops, w,
                             &removed, &d);
    if (e) say_diag(SAY_SCHED, SAY_WARN, "old logs of tasks stay; it is tried again", &d);
    if (removed)
        say_info(SAY_SCHED, "old logs of tasks are removed", "files=%llu",
                 (unsigned long long)removed);
    gate_enter(&w->gate);
    w->expiring = false;
    gate_leave(&w->gate);
    mem_give(x);
}

static void on_upkeep(void *arg)
{
    struct workshop *w = arg;
    struct diag d = {0};
    loop_timer_set(w->upkeep, UPKEEP_MS);
    gate_enter(&w->gate);
    bool busy = w->expiring;
    w->expiring = true;
    gate_leave(&w->gate);
    struct expiring *x = busy ? NULL : mem_take(sizeof(*x));
    if (!x) return;
    *x = (struct expiring){{expire_there, NULL}, w};
    if (!workshop_chore(w, &x->job, &d)) return;
    say_diag(SAY_SCHED, SAY_WARN, "old logs of tasks stay; it is tried again", &d);
    gate_enter(&w->gate);
    w->expiring = false;
    gate_leave(&w->gate);
    mem_give(x);
}

/* --- life -------------------------------------------------------------------------------------
 */

static void shop_close(void *ctx)
{
    struct workshop *w = ctx;
    for (struct work *k = w->works; k; k = k->next) atomic_store(&k->stop, true);
    workshop_join(w);
    processes_close(w);
}

static void shop_free(void *ctx)
{
    struct workshop *w = ctx;
    calls_close(w);
    while (w->works) work_free(w->works);
    loop_timer_free(w->upkeep);
    map_free(w->by_order);
    map_free(w->by_id);
    gate_done(&w->gate);
    char *texts[] = {w->path, w->home, w->lang, w->tz, w->logs};
    for (size_t i = 0; i < COUNT_OF(texts); i++) mem_give(texts[i]);
    mem_give(w);
}

static char *of_environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return mem_text(slice_of(value && *value ? value : otherwise));
}

static err_t take_surroundings(struct workshop *w)
{
    char logs[4096];
    snprintf(logs, sizeof(logs), "%s/workflows/logs", w->so.data_dir);
    w->path = of_environment("PATH", "/usr/local/bin:/usr/bin:/bin");
    w->home = of_environment("HOME", "/");
    w->lang = of_environment("LANG", "C.UTF-8");
    w->tz = of_environment("TZ", "");
    w->logs = mem_text(slice_of(logs));
    return w->path && w->home && w->lang && w->tz && w->logs ? ERR_OK : ERR_NO_MEMORY;
}

err_t workshop_open(void *ctx, const struct sched_options *o, struct sched *s, struct loop *l,
                    struct workshop_port *out, struct diag *d)
{
    struct workshop *w = mem_take(sizeof(*w));
    if (!w) return diag_fail(d, ERR_NO_MEMORY, "no memory for the workshop");
    w->o = *(const struct workshop_options *)ctx;
    w->sched = s;
    w->so = *o;
    w->loop = l;
    gate_init(&w->gate);
    if (w->o.log_max == 0) w->o.log_max = MIB(8);
    if (w->o.grace_ms <= 0) w->o.grace_ms = 5000;
    if (w->o.threads_max <= 0)
        w->o.threads_max = MIN(o->parallelism > 0 ? o->parallelism : 32, (int32_t)THREADS_MOST);
    w->by_order = map_new(WORKS_MAX);
    w->by_id = map_new(WORKS_MAX);
    err_t e = w->by_order && w->by_id ? take_surroundings(w) : ERR_NO_MEMORY;
    if (!e && o->keep_logs_us > 0)
        e = loop_timer_new(l, UPKEEP_FIRST_MS, 0, on_upkeep, w, &w->upkeep);
    if (e)
        e = diag_fail(d, e, "no memory for the workshop");
    else
        e = processes_open(w, d);
    *out = (struct workshop_port){.ctx = w,
                                  .start = shop_start,
                                  .adopt = shop_adopt,
                                  .stop = shop_stop,
                                  .known = shop_known,
                                  .call_back = workshop_call_back,
                                  .close = shop_close,
                                  .free = shop_free};
    if (!e) return ERR_OK;
    shop_close(w);
    shop_free(w);
    *out = (struct workshop_port){0};
    return e;
}
