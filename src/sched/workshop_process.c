/* Commands, under the keeper: what each is started with, and what its end means. */
#include "sched/secret.h"
#include "sched/worklog.h"
#include "sched/workshop_int.h"

#include "base/say.h"
#include "os/file.h"

#include <stdio.h>
#include <string.h>

enum { SWEEP_MS = 60000, REJOIN_FIRST_MS = 50, REJOIN_MS = 500, SCRIPT_ARG_MAX = 100 << 10 };

struct found { /* a work of the keeper's that no order was seen for yet */
    struct keeper_end end;
    char *id, *line;
};

/* --- its environment --------------------------------------------------------------------------
 */

static err_t put_name(struct work *k, struct process *p, const char *name, struct slice value)
{
    char *text = arena_printf(k->arena, "%s=%.*s", name, SLICE_ARG(value));
    return text ? vec_push(&p->environment, &text) : ERR_NO_MEMORY;
}

/* Airflow's words for who it is; they are there whatever the task's own environment says. */
static err_t put_context(struct work *k, struct process *p)
{
    const struct work_key *key = &k->order->key;
    const struct doc *logical = work_context(k, "logical_date");
    struct slice owner = k->order->task->owner.len ? k->order->task->owner : k->order->dag->owner;
    char number[16];
    snprintf(number, sizeof(number), "%d", key->try_number);
    const struct {
        const char *name;
        struct slice value;
    } NAMES[] = {
        {"AIRFLOW_CTX_DAG_OWNER", owner},
        {"AIRFLOW_CTX_DAG_ID", key->dag_id},
        {"AIRFLOW_CTX_TASK_ID", key->task_id},
        {"AIRFLOW_CTX_EXECUTION_DATE", doc_text(logical)},
        {"AIRFLOW_CTX_LOGICAL_DATE", doc_text(logical)},
        {"AIRFLOW_CTX_TRY_NUMBER", slice_of(number)},
        {"AIRFLOW_CTX_DAG_RUN_ID", key->run_id},
    };
    err_t e = ERR_OK;
    for (size_t i = 0; i < COUNT_OF(NAMES) && !e; i++)
        if (NAMES[i].value.len) e = put_name(k, p, NAMES[i].name, NAMES[i].value);
    for (const char *const *at = k->w->o.environment; at && *at && !e; at++) {
        const char *text = *at;
        e = vec_push(&p->environment, &text);
    }
    return e;
}

static err_t put_base(struct work *k, struct process *p, const char *path_first)
{
    const struct workshop *w = k->w;
    struct buf path = buf_make(64 << 10);
    if (path_first) buf_printf(&path, "%s:", path_first);
    buf_text(&path, w->path);
    err_t e = path.err ? path.err : put_name(k, p, "PATH", buf_view(&path));
    buf_done(&path);
    if (!e) e = put_name(k, p, "HOME", slice_of(w->home));
    if (!e) e = put_name(k, p, "LANG", slice_of(w->lang));
    if (!e && w->tz[0]) e = put_name(k, p, "TZ", slice_of(w->tz));
    return e;
}

/* The task's `env` comes last, so that it wins over what is there. */
static void drop_name(struct process *p, struct slice name)
{
    for (size_t i = p->environment.count; i-- > 0;) {
        const char *text = *(char **)vec_at(&p->environment, i);
        if (strncmp(text, (const char *)name.at, name.len) == 0 && text[name.len] == '=')
            vec_remove(&p->environment, i);
    }
}

static err_t put_own(struct work *k, struct process *p, struct diag *d)
{
    const struct doc *env = work_option(k, "env");
    if (!env) return ERR_OK;
    if (env->kind != DOC_MAP) return diag_fail(d, ERR_CONFIG, "env is not a map");
    for (uint32_t i = 0; i < env->count; i++) {
        char *name = arena_text(k->arena, env->entries[i].name);
        struct slice value = doc_str(&env->entries[i].value, k->arena);
        if (!name || !value.at) return diag_fail(d, ERR_NO_MEMORY, "no memory for env");
        if (!*name || strchr(name, '=') || strlen(name) != env->entries[i].name.len ||
            memchr(value.at, 0, value.len))
            return diag_fail(d, ERR_CONFIG, "env can not have the name '%s' or its value", name);
        drop_name(p, slice_of(name));
        if (put_name(k, p, name, value)) return diag_fail(d, ERR_NO_MEMORY, "no memory for env");
    }
    return ERR_OK;
}

/* `alone`: its own names are all there are, but for Airflow's. */
static err_t make_environment(struct work *k, struct process *p, bool alone, const char *path_first,
                              struct diag *d)
{
    err_t e = alone ? ERR_OK : put_base(k, p, path_first);
    if (!e) e = put_context(k, p);
    if (e) return diag_fail(d, e, "no memory for a command's environment");
    return put_own(k, p, d);
}

/* --- the kinds --------------------------------------------------------------------------------
 */

static err_t take_directory(struct work *k, struct process *p, struct diag *d)
{
    p->directory = work_path(k, work_text(k, "cwd"));
    if (!p->directory) return diag_fail(d, ERR_NO_MEMORY, "no memory for cwd");
    return dir_exists(p->directory)
               ? ERR_OK
               : diag_fail(d, ERR_NOT_FOUND, "cwd: there is no folder %s", p->directory);
}

static err_t plain_text(struct work *k, const char *what, struct slice text, const char **out,
                        struct diag *d)
{
    if (text.len && memchr(text.at, 0, text.len))
        return diag_fail(d, ERR_CONFIG, "%s has a zero byte in it", what);
    *out = arena_text(k->arena, text);
    return *out ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory for %s", what);
}

err_t kind_bash(struct work *k, struct process *p, struct diag *d)
{
    const char *script = NULL;
    bool append;
    struct slice text = work_text(k, "bash");
    p->argv = arena_take(k->arena, 4 * sizeof(*p->argv));
    if (!p->argv) return diag_fail(d, ERR_NO_MEMORY, "no memory for a command");
    err_t e = plain_text(k, "the command", text, &script, d);
    if (!e) e = work_bool(k, "append_env", &append, d);
    if (!e) e = take_directory(k, p, d);
    if (e) return e;
    bool long_one = text.len > SCRIPT_ARG_MAX; /* the kernel takes 128 KiB in one argument */
    p->argv[0] = "bash";
    p->argv[1] = long_one ? "-s" : "-c";
    p->argv[2] = long_one ? NULL : script;
    if (long_one) p->input = text;
    return make_environment(k, p, work_option(k, "env") && !append, NULL, d);
}

static err_t take_list(struct work *k, const struct doc *list, const char **argv, uint32_t at,
                       struct diag *d)
{
    for (uint32_t i = 0; list && i < list->count; i++) {
        struct slice text = doc_str(&list->items[i], k->arena);
        err_t e = plain_text(k, "an argument", text, &argv[at + i], d);
        if (e) return e;
    }
    return ERR_OK;
}

err_t kind_exec(struct work *k, struct process *p, struct diag *d)
{
    const struct doc *what = work_option(k, "exec");
    struct doc one = {.kind = DOC_LIST, .count = 1};
    if (what && what->kind == DOC_TEXT) {
        one.items = arena_take(k->arena, sizeof(*one.items));
        if (!one.items) return diag_fail(d, ERR_NO_MEMORY, "no memory for a command");
        *one.items = *what;
        what = &one;
    }
    if (!what || what->kind != DOC_LIST || what->count == 0)
        return diag_fail(d, ERR_CONFIG, "exec is a list: the program and its arguments");
    p->argv = arena_take(k->arena, ((size_t)what->count + 1) * sizeof(*p->argv));
    if (!p->argv) return diag_fail(d, ERR_NO_MEMORY, "no memory for a command");
    err_t e = take_list(k, what, p->argv, 0, d);
    if (!e) e = take_directory(k, p, d);
    if (!e) p->input = work_text(k, "stdin");
    return e ? e : make_environment(k, p, false, NULL, d);
}

/* Its interpreter: of the task's venv, of the project's, or the system's. *bin: NULL, or the folder
 * that comes first in PATH. */
static err_t find_python(struct work *k, const char **python, const char **bin, struct diag *d)
{
    struct slice venv = work_text(k, "venv");
    const char *folder = work_path(k, venv.len ? venv : SLICE(".venv"));
    if (!folder) return diag_fail(d, ERR_NO_MEMORY, "no memory for venv");
    *bin = arena_printf(k->arena, "%s/bin", folder);
    *python = *bin ? arena_printf(k->arena, "%s/python", *bin) : NULL;
    if (!*python) return diag_fail(d, ERR_NO_MEMORY, "no memory for venv");
    if (file_exists(*python)) return ERR_OK;
    if (venv.len) {
        (void)diag_fail(d, ERR_NOT_FOUND, "Python Path '%s' must exist", *python);
        return diag_hint(d, "python3 -m venv %s", folder);
    }
    *python = "python3";
    *bin = NULL;
    return ERR_OK;
}

err_t kind_python(struct work *k, struct process *p, struct diag *d)
{
    const char *bin = NULL;
    const struct doc *args = work_option(k, "args");
    struct slice script = work_text(k, "python"),
                 written = doc_text(doc_get(k->order->task->options, "python"));
    if (args && args->kind != DOC_LIST) return diag_fail(d, ERR_CONFIG, "args is not a list");
    /* as it is written: a template loses the line break at its end */
    bool inside = written.len && memchr(written.at, '\n', written.len);
    p->argv = arena_take(k->arena, ((args ? (size_t)args->count : 0) + 3) * sizeof(*p->argv));
    if (!p->argv) return diag_fail(d, ERR_NO_MEMORY, "no memory for a command");
    err_t e = find_python(k, &p->argv[0], &bin, d);
    if (e) return e;
    p->argv[1] = inside ? "-" : work_path(k, script);
    if (inside) p->input = script;
    if (!p->argv[1]) return diag_fail(d, ERR_NO_MEMORY, "no memory for a command");
    if (!inside && !file_exists(p->argv[1]))
        return diag_fail(d, ERR_NOT_FOUND, "there is no script %s", p->argv[1]);
    e = take_list(k, args, p->argv, 2, d);
    if (!e) e = take_directory(k, p, d);
    if (e) return e;
    if (put_name(k, p, "PYTHONUNBUFFERED", SLICE("1")) ||
        (bin && put_name(k, p, "VIRTUAL_ENV", slice_make(bin, strlen(bin) - 4))))
        return diag_fail(d, ERR_NO_MEMORY, "no memory for a command's environment");
    return make_environment(k, p, false, bin, d);
}

/* --- starting and stopping --------------------------------------------------------------------
 */

static err_t make_id(struct work *k)
{
    const struct work_key *key = &k->order->key;
    k->id = slice_of(arena_printf(k->arena, "%.*s/%.*s/%.*s/%d/%d/%lld", SLICE_ARG(key->dag_id),
                                  SLICE_ARG(key->run_id), SLICE_ARG(key->task_id), key->map_index,
                                  key->try_number, (long long)key->token));
    return k->id.at ? map_set(k->w->by_id, k->id, k) : ERR_NO_MEMORY;
}

err_t process_start(struct work *k, struct diag *d)
{
    const char *end = NULL;
    struct process p = {.environment = vec_make(sizeof(char *), 1 << 16)};
    if (!k->w->keeper) {
        (void)diag_fail(d, ERR_UNSUPPORTED, "commands can not be run: their keeper is not there");
        return diag_hint(d, "`sluice up` starts it; start that anew");
    }
    err_t e = k->how->process(k, &p, d);
    if (!e && (make_id(k) || vec_push(&p.environment, &end)))
        e = diag_fail(d, ERR_NO_MEMORY, "no memory for a command");
    static_assert((int)MASK_VALUES_MAX <= (int)KEEPER_HIDDEN_MAX, "a mask fits into an order");
    struct slice *hidden =
        e ? NULL : arena_take(k->arena, MASK_VALUES_MAX * sizeof(*hidden)); /* freed with the try */
    if (!e && !hidden) e = diag_fail(d, ERR_NO_MEMORY, "no memory for a command");
    uint32_t hidden_count =
        !e && k->order->mask ? mask_values(k->order->mask, hidden, MASK_VALUES_MAX) : 0;
    struct keeper_order o = {.id = k->id,
                             .hidden = hidden,
                             .hidden_count = hidden_count,
                             .argv = p.argv,
                             .environment = (const char *const *)p.environment.items,
                             .directory = p.directory,
                             .log_path = k->order->log_path,
                             .log_max = k->w->o.log_max,
                             .input = p.input};
    if (!e) e = keeper_run(k->w->keeper, &o, d);
    k->in_keeper = !e;
    vec_done(&p.environment);
    return e;
}

void process_stop(struct work *k)
{
    struct workshop *w = k->w;
    if (k->ended || k->unsure || !k->in_keeper || !w->keeper) return;
    work_say(k, "INFO", "Sending SIGTERM to the task's processes; SIGKILL follows after %lld ms",
             (long long)w->o.grace_ms);
    if (keeper_halt(w->keeper, k->id, w->o.grace_ms))
        say_warn(SAY_SCHED, "a command can not be stopped: its keeper is gone", "id=\"%.*s\"",
                 SLICE_ARG(k->id));
}

void process_forget(struct work *k)
{
    if (!k->in_keeper || !k->ended || !k->w->keeper || k->w->keeper_gone) return;
    if (keeper_forget(k->w->keeper, k->id))
        say_warn(SAY_SCHED, "the keeper was not told that an end is known", "id=\"%.*s\"",
                 SLICE_ARG(k->id));
}

/* --- how it ended -----------------------------------------------------------------------------
 */

static bool means_skip(struct work *k, int code)
{
    const struct doc *v = work_option(k, "skip_on_exit_code");
    int64_t number;
    if (!v) return doc_get(k->order->options, "skip_on_exit_code") == NULL && code == 99;
    for (uint32_t i = 0; v->kind == DOC_LIST && i < v->count; i++)
        if (option_int(&v->items[i], &number) && number == code) return true;
    return v->kind != DOC_LIST && option_int(v, &number) && number == code;
}

/* The last line, as JSON where it is some. */
static const struct doc *result_of(struct work *k, struct slice line)
{
    struct doc *v = arena_take(k->arena, sizeof(*v));
    line = arena_slice(k->arena, slice_trim(line));
    if (!v || line.len == 0) return NULL;
    if (doc_of_json(line, k->arena, v, NULL)) *v = (struct doc){.kind = DOC_TEXT, .text = line};
    return v;
}

static void ended(struct work *k, const struct keeper_end *end)
{
    struct work_answer a = {.outcome = WORK_SUCCESS, .exit_code = end->exit_code};
    struct diag d = {0};
    if (k->ended) return;
    k->ended = true;
    if (end->left_behind)
        work_say(k, "WARNING", "The command left %u process%s behind; %s ended", end->left_behind,
                 end->left_behind == 1 ? "" : "es", end->left_behind == 1 ? "it was" : "they were");
    if (worklog_break(k->order->log_path, &d))
        say_diag(SAY_SCHED, SAY_WARN, "a try's log can not be written", &d);
    if (!end->lost) work_say(k, "INFO", "Command exited with return code %d", end->exit_code);
    if (end->lost) {
        a.outcome = WORK_LOST;
        a.message = SLICE("the process was lost: its keeper was killed");
    } else if (end->stopped) {
        a.outcome = WORK_STOPPED;
        a.message =
            work_printf(k, "stopped by signal %d, exit code %d", end->stopped, end->exit_code);
    } else if (end->exit_code != 0 && means_skip(k, end->exit_code)) {
        a.outcome = WORK_SKIPPED;
        a.message = work_printf(k, "exit code %d means: skipped", end->exit_code);
    } else if (end->exit_code != 0) {
        a.outcome = WORK_FAILED;
        a.message =
            end->exit_code > 128 && end->exit_code <= 128 + 64
                ? work_printf(k, "signal %d (exit code %d)", end->exit_code - 128, end->exit_code)
                : work_printf(k, "exit code %d", end->exit_code);
    } else {
        a.result = result_of(k, end->last_line);
    }
    work_done(k, ERR_OK, &a, NULL);
}

static void fail(struct work *k, const char *what)
{
    struct work_answer a = {.outcome = WORK_LOST, .message = slice_of(what)};
    if (k->ended) return;
    k->ended = true;
    work_done(k, ERR_OK, &a, NULL);
}

/* --- what the keeper says ---------------------------------------------------------------------
 */

static void found_free(struct found *f)
{
    mem_give(f->id);
    mem_give(f->line);
    mem_give(f);
}

static void keep_found(struct workshop *w, const struct keeper_end *end)
{
    struct found *f = mem_take(sizeof(*f));
    struct found *before = map_remove(w->found, end->id);
    if (before) found_free(before);
    if (!f) return; /* it is ended by the sweep of the next start, and its order is lost */
    f->end = *end;
    f->id = mem_text(end->id);
    f->line = mem_text(end->last_line);
    f->end.id = slice_make(f->id, end->id.len);
    f->end.last_line = slice_make(f->line, f->line ? end->last_line.len : 0);
    if (!f->id || map_set(w->found, end->id, f)) found_free(f);
}

/* The keeper says why; which program it was about is known here. */
static void name_program(struct work *k, struct diag *d)
{
    const struct doc *v = work_option(k, "exec");
    struct slice program = doc_text(v && v->kind == DOC_LIST && v->count ? &v->items[0] : v);
    if (!program.len) return;
    snprintf(d->what, sizeof(d->what), "'%.*s' can not be started", (int)MIN(program.len, 200u),
             (const char *)program.at);
    if (v->kind == DOC_TEXT && memchr(program.at, ' ', program.len))
        (void)diag_hint(d, "exec takes a list, [program, argument]; bash takes a line");
}

static void on_refused(void *ctx, struct slice id, const struct diag *why)
{
    struct workshop *w = ctx;
    struct work *k = map_get(w->by_id, id);
    struct diag d = *why;
    struct work_answer a = {.outcome = WORK_FAILED};
    struct keeper_end never = {.id = id, .exit_code = 127};
    if (call_ended(w, &never)) return;
    if (!k || k->ended) return;
    k->in_keeper = false;
    k->ended = true;
    name_program(k, &d);
    work_done(k, d.err ? d.err : ERR_INTERNAL, &a, &d);
}

static void on_ended(void *ctx, const struct keeper_end *end)
{
    struct workshop *w = ctx;
    struct work *k = map_get(w->by_id, end->id);
    if (call_ended(w, end)) return;
    if (k)
        ended(k, end);
    else
        keep_found(w, end);
}

static bool take_found(struct work *k)
{
    struct found *f = map_remove(k->w->found, k->id);
    if (!f) return false;
    k->in_keeper = true;
    k->unsure = false;
    work_say(k, "INFO", "The task went on while its scheduler was away, and is known again");
    if (!f->end.running) ended(k, &f->end);
    found_free(f);
    return true;
}

static void on_known(void *ctx)
{
    struct workshop *w = ctx;
    w->keeper_known = true;
    for (struct work *k = w->works, *next; k; k = next) {
        next = k->next;
        if (!k->unsure) continue;
        if (!take_found(k)) {
            k->unsure = false;
            fail(k, "the process was lost with its scheduler");
        } else if (work_stopped(k)) {
            process_stop(k);
        }
    }
}

static void on_found(void *ctx, const struct keeper_end *end)
{
    if (!call_ended(ctx, end)) keep_found(ctx, end);
}

static void on_gone(void *ctx)
{
    struct workshop *w = ctx;
    w->keeper_gone = true;
    w->keeper_known = false;
    say_error(SAY_SCHED, "the keeper of commands is gone, and what it ran with it",
              "hint=\"it is started again, unless server.restart is false\"");
    for (struct work *k = w->works, *next; k; k = next) {
        next = k->next;
        if (k->how && k->how->way == WAY_PROCESS) fail(k, "the process was lost with its keeper");
    }
    calls_lost(w);
    loop_timer_set(w->rejoin, REJOIN_FIRST_MS);
}

/* Works that nobody asked for: their tasks were cleared or marked while no scheduler was there. */
static void on_sweep(void *arg)
{
    struct workshop *w = arg;
    struct slice id;
    void *value;
    size_t at = 0;
    loop_timer_set(w->sweep, SWEEP_MS);
    if (!w->keeper_known || w->keeper_gone) return;
    while (map_next(w->found, &at, &id, &value)) {
        struct found *f = value;
        err_t e = f->end.running ? keeper_halt(w->keeper, f->end.id, w->o.grace_ms)
                                 : keeper_forget(w->keeper, f->end.id);
        say_info(SAY_SCHED, "a command whose task is not wanted any more", "id=\"%.*s\" %s=%s",
                 SLICE_ARG(f->end.id), f->end.running ? "stopped" : "forgotten", e ? "no" : "yes");
        if (f->end.running) continue; /* its end comes, and is forgotten by the next sweep */
        map_remove(w->found, f->end.id);
        found_free(f);
        at--; /* another stands there now */
    }
}

bool process_adopt(struct work *k)
{
    struct workshop *w = k->w;
    if (!w->keeper || w->keeper_gone || make_id(k)) return false;
    if (w->keeper_known) return take_found(k);
    k->unsure = true;
    return true;
}

/* --- life -------------------------------------------------------------------------------------
 */

static err_t join(struct workshop *w, struct diag *d)
{
    struct keeper_hears hears = {.ctx = w,
                                 .refused = on_refused,
                                 .ended = on_ended,
                                 .found = on_found,
                                 .known = on_known,
                                 .gone = on_gone};
    keeper_leave(w->keeper);
    w->keeper = NULL;
    err_t e = keeper_join(w->loop, w->o.keeper_dir, &hears, &w->keeper, d);
    if (e) w->keeper = NULL;
    w->keeper_gone = e != ERR_OK;
    return e;
}

/* Another keeper ends what the one before has left before anybody can reach it. */
static void on_rejoin(void *arg)
{
    struct workshop *w = arg;
    if (!w->keeper_gone) return; /* at the start: there is one */
    if (join(w, NULL)) {
        loop_timer_set(w->rejoin, REJOIN_MS);
        return;
    }
    say_info(SAY_SCHED, "there is a keeper of commands again", "dir=%s", w->o.keeper_dir);
}

err_t processes_open(struct workshop *w, struct diag *d)
{
    w->found = map_new(1 << 20);
    if (!w->found) return diag_fail(d, ERR_NO_MEMORY, "no memory for the workshop");
    if (!w->o.keeper_dir) return ERR_OK;
    struct diag why = {0};
    bool none = join(w, &why) != ERR_OK; /* what needs no command goes on, the rest waits for it */
    if (none) say_diag(SAY_SCHED, SAY_ERROR, "commands can not be run", &why);
    err_t e = loop_timer_new(w->loop, SWEEP_MS, 0, on_sweep, w, &w->sweep);
    if (!e) e = loop_timer_new(w->loop, REJOIN_MS, 0, on_rejoin, w, &w->rejoin);
    return e ? diag_fail(d, e, "no memory for the workshop") : ERR_OK;
}

void processes_close(struct workshop *w)
{
    struct slice id;
    void *value;
    size_t at = 0;
    keeper_leave(w->keeper);
    w->keeper = NULL;
    loop_timer_free(w->sweep);
    loop_timer_free(w->rejoin);
    while (w->found && map_next(w->found, &at, &id, &value)) found_free(value);
    map_free(w->found);
}
