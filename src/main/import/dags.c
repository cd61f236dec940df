/* Airflow's dags as dags.yaml: DAG(…), with DAG(…), @dag; operators, @task; a >> b. */
#include "main/import/import.h"

#include <stdio.h>

struct see {
    struct import *m;
    struct import_file *f;
    struct import_dag *g;
    struct slice variable; /* what the task that is met is assigned to */
};

static bool ends_with(struct slice s, const char *end)
{
    size_t n = strlen(end);
    return s.len > n && !memcmp(s.at + s.len - n, end, n);
}

static bool is_operator(const struct py_node *n)
{
    struct slice called = py_called(n);
    return (ends_with(called, "Operator") || ends_with(called, "Sensor")) &&
           py_argument(n, "task_id", -1);
}

/* @task, @task(…), @task.bash …: its def. */
static const struct py_node *task_def(const struct import *m, const struct import_file *f,
                                      struct slice name)
{
    const struct import_file *where;
    const struct py_node *def = name.len ? py_function_find(m, f, name, &where) : NULL;
    for (uint32_t i = 0; def && i < def->decorators; i++) {
        const struct py_node *d = def->items[i];
        if (d->kind == PY_CALL) d = d->items[0];
        while (d->kind == PY_ATTRIBUTE) d = d->items[0];
        if (py_is(d, PY_NAME, "task")) return def;
    }
    return NULL;
}

/* --- tasks --------------------------------------------------------------------------------------
 */

static struct import_task *task_named(struct import_dag *g, struct slice variable, bool by_id)
{
    for (size_t i = 0; i < g->tasks.count; i++) {
        struct import_task *t = vec_at(&g->tasks, i);
        if (slice_equal(by_id ? t->id : t->variable, variable)) return t;
    }
    return NULL;
}

static void depend(struct import *m, struct import_task *t, struct slice on)
{
    for (size_t i = 0; i < t->after.count; i++)
        if (slice_equal(*(struct slice *)vec_at(&t->after, i), on)) return;
    if (!slice_equal(t->id, on)) *(struct slice *)import_add(m, &t->after) = on;
}

static void ids_of(struct see *s, const struct py_node *n, struct vec *out);

static struct import_task *add_task(struct see *s, struct slice id, const struct py_node *call)
{
    struct import_task *t = import_add(s->m, &s->g->tasks);
    *t = (struct import_task){.id = id, .variable = s->variable, .call = call};
    t->after = vec_make(sizeof(struct slice), IMPORT_LINES_MAX);
    return t;
}

/* A call of a @task function: a task, after those whose results it is given. */
static void taskflow(struct see *s, const struct py_node *n, const struct py_node *def)
{
    struct slice id = py_called(n);
    for (int k = 1; task_named(s->g, id, true); k++)
        id = import_print(s->m, "%.*s__%d", SLICE_ARG(py_called(n)), k);
    struct vec ids = vec_make(sizeof(struct slice), IMPORT_LINES_MAX);
    struct slice variable = s->variable;
    for (uint32_t i = 1; i < n->count; i++)
        ids_of(s, n->items[i]->kind == PY_KEYWORD ? n->items[i]->items[0] : n->items[i], &ids);
    s->variable = variable;
    struct import_task *t = add_task(s, id, def);
    for (size_t i = 0; i < ids.count; i++) depend(s->m, t, *(struct slice *)vec_at(&ids, i));
    vec_done(&ids);
    *(const struct py_node **)&t->call = def;
}

/* The tasks an expression stands for: a name, a list, a call that makes one; a >> b: its right. */
static void ids_of(struct see *s, const struct py_node *n, struct vec *out)
{
    struct slice text;
    if (n->kind == PY_NAME) {
        struct import_task *t = task_named(s->g, n->text, false);
        if (t) *(struct slice *)import_add(s->m, out) = t->id;
    } else if (n->kind == PY_LIST) {
        for (uint32_t i = 0; i < n->count; i++) ids_of(s, n->items[i], out);
    } else if (n->kind == PY_ATTRIBUTE || n->kind == PY_SUBSCRIPT) {
        ids_of(s, n->items[0], out); /* a.output, a()["x"] */
    } else if (is_operator(n)) {
        if (!constant_of(s->m, s->f, py_argument(n, "task_id", -1), &text)) return;
        if (!task_named(s->g, text, true)) (void)add_task(s, text, n);
        *(struct slice *)import_add(s->m, out) = text;
    } else if (n->kind == PY_CALL) {
        const struct py_node *def =
            n->items[0]->kind == PY_NAME ? task_def(s->m, s->f, py_called(n)) : NULL;
        if (!def) return;
        size_t before = s->g->tasks.count;
        taskflow(s, n, def);
        if (s->g->tasks.count > before)
            *(struct slice *)import_add(s->m, out) =
                ((struct import_task *)vec_at(&s->g->tasks, s->g->tasks.count - 1))->id;
    }
}

static void after(struct see *s, const struct vec *first, const struct vec *then)
{
    for (size_t i = 0; i < then->count; i++)
        for (size_t k = 0; k < first->count; k++) {
            struct import_task *t = task_named(s->g, *(struct slice *)vec_at(then, i), true);
            if (t) depend(s->m, t, *(struct slice *)vec_at(first, k));
        }
}

/* a >> b << c: leaves in `out` what the whole stands for. */
static void arrows(struct see *s, const struct py_node *n, struct vec *out)
{
    bool right = py_is(n, PY_BINARY, ">>"), left = py_is(n, PY_BINARY, "<<");
    if (!right && !left) {
        ids_of(s, n, out);
        return;
    }
    struct vec a = vec_make(sizeof(struct slice), IMPORT_LINES_MAX);
    arrows(s, n->items[0], &a);
    arrows(s, n->items[1], out);
    after(s, right ? &a : out, right ? out : &a);
    if (!a.count || !out->count)
        import_leave(s->m, s->f, n->line, "a side of this %.*s is no task that is known",
                     SLICE_ARG(n->text));
    vec_done(&a);
}

static void chained(struct see *s, const struct py_node *n)
{
    struct vec before = vec_make(sizeof(struct slice), IMPORT_LINES_MAX);
    for (uint32_t i = 1; i < n->count; i++) {
        struct vec now = vec_make(sizeof(struct slice), IMPORT_LINES_MAX);
        ids_of(s, n->items[i], &now);
        after(s, &before, &now);
        vec_done(&before);
        before = now;
    }
    vec_done(&before);
}

static bool belongs(const struct see *s, const struct py_node *call)
{
    const struct py_node *dag = py_argument(call, "dag", -1);
    return !dag || dag->kind != PY_NAME || !s->g->variable.len ||
           slice_equal(dag->text, s->g->variable);
}

static bool see_task(void *ctx, const struct py_node *n)
{
    struct see *s = ctx;
    struct vec ids = vec_make(sizeof(struct slice), IMPORT_LINES_MAX);
    bool deeper = true;
    if (n->kind == PY_ASSIGN && n->items[1]->kind == PY_NAME &&
        (is_operator(n->items[0]) || n->items[0]->kind == PY_CALL)) {
        s->variable = n->items[1]->text;
        if (!is_operator(n->items[0]) || belongs(s, n->items[0])) ids_of(s, n->items[0], &ids);
        s->variable = (struct slice){0};
        deeper = !ids.count;
    } else if (py_is(n, PY_BINARY, ">>") || py_is(n, PY_BINARY, "<<")) {
        arrows(s, n, &ids);
        deeper = false;
    } else if (slice_is(py_called(n), "chain")) {
        chained(s, n);
        deeper = false;
    } else if (slice_is(py_called(n), "set_downstream") || slice_is(py_called(n), "set_upstream")) {
        struct vec other = vec_make(sizeof(struct slice), IMPORT_LINES_MAX);
        bool down = slice_is(py_called(n), "set_downstream");
        if (py_owner(n)) ids_of(s, py_owner(n), &ids);
        if (n->count > 1) ids_of(s, n->items[1], &other);
        after(s, down ? &ids : &other, down ? &other : &ids);
        vec_done(&other);
        deeper = false;
    } else if (n->kind == PY_CALL && (!is_operator(n) || belongs(s, n))) {
        ids_of(s, n, &ids);
        deeper = !ids.count;
    } else if (n->kind == PY_DEF && task_def(s->m, s->f, n->text) == n) {
        deeper = false;
    } else if (slice_is(py_called(n), "TaskGroup")) {
        import_leave(s->m, s->f, n->line,
                     "a TaskGroup: its tasks are taken over without the group");
    }
    vec_done(&ids);
    return deeper;
}

/* --- dags ---------------------------------------------------------------------------------------
 */

static void add_dag(struct import *m, struct import_file *f, const struct py_node *call,
                    const struct py_node *scope, struct slice variable, struct slice id)
{
    struct slice named;
    const struct py_node *given =
        py_argument(call, "dag_id", scope && scope->kind == PY_DEF ? -1 : 0);
    if (given && constant_of(m, f, given, &named)) id = named;
    if (!id.len) {
        import_leave(m, f, call->line, "the id of this dag is not a constant");
        return;
    }
    for (size_t i = 0; i < m->dags.count; i++)
        if (slice_equal(((struct import_dag *)vec_at(&m->dags, i))->id, id)) {
            import_leave(m, f, call->line, "a second dag '%.*s' is not taken over", SLICE_ARG(id));
            return;
        }
    struct import_dag *g = import_add(m, &m->dags);
    *g = (struct import_dag){
        .id = id, .file = f, .call = call, .scope = scope, .variable = variable};
    g->tasks = vec_make(sizeof(struct import_task), IMPORT_LINES_MAX);
    struct see s = {.m = m, .f = f, .g = g};
    for (uint32_t i = scope ? scope->head : 0; scope && i < scope->count; i++)
        py_walk(scope->items[i], see_task, &s);
    if (!scope || scope->kind == PY_WITH) { /* a >> b may stand behind the block */
        struct py_node rest = *f->module;
        for (uint32_t i = 0; i < rest.count; i++)
            if (rest.items[i] != scope && rest.items[i]->kind != PY_DEF &&
                (!scope || rest.items[i]->kind == PY_BINARY))
                py_walk(rest.items[i], see_task, &s);
    }
    import_understand(m, f, call ? call->line : 1, "the dag %.*s with %zu tasks", SLICE_ARG(id),
                      g->tasks.count);
}

static bool is_dag(const struct py_node *n)
{
    return slice_is(py_called(n), "DAG");
}

static void dags_of(struct import *m, struct import_file *f, const struct py_node *n)
{
    for (uint32_t i = n->head; i < n->count; i++) {
        const struct py_node *line = n->items[i];
        for (uint32_t k = 0; line->kind == PY_WITH && k < line->head; k++) {
            const struct py_node *item = line->items[k];
            bool named = item->kind == PY_ASSIGN;
            const struct py_node *call = named ? item->items[0] : item;
            if (is_dag(call))
                add_dag(m, f, call, line, named ? item->items[1]->text : (struct slice){0},
                        (struct slice){0});
        }
        if (line->kind == PY_ASSIGN && is_dag(line->items[0]))
            add_dag(m, f, line->items[0], NULL, line->items[1]->text, (struct slice){0});
        for (uint32_t k = 0; line->kind == PY_DEF && k < line->decorators; k++) {
            const struct py_node *d = line->items[k];
            if (slice_is(py_called(d), "dag") || py_is(d, PY_NAME, "dag"))
                add_dag(m, f, d, line, (struct slice){0}, line->text);
        }
        if (line->kind == PY_IF || line->kind == PY_TRY || line->kind == PY_ELSE)
            dags_of(m, f, line);
    }
}

void gather_dags(struct import *m)
{
    for (size_t i = 0; i < m->files.count; i++) {
        struct import_file *f = vec_at(&m->files, i);
        if (f->module) dags_of(m, f, f->module);
    }
}

/* --- writing ------------------------------------------------------------------------------------
 */

static const struct py_node *resolved(const struct import_dag *g, const struct py_node *n)
{
    for (uint32_t i = 0; n && n->kind == PY_NAME && i < g->file->module->count; i++) {
        const struct py_node *line = g->file->module->items[i];
        if (line->kind == PY_ASSIGN && line->items[1]->kind == PY_NAME &&
            slice_equal(line->items[1]->text, n->text) && line->items[0]->kind == PY_DICT)
            return line->items[0];
    }
    return n;
}

static void write_defaults(struct import *m, const struct import_dag *g, const struct py_node *n,
                           struct buf *out)
{
    struct slice name, text;
    const struct py_node *mail = NULL;
    bool on_failure = true, on_retry = false;
    size_t before = out->len;
    n = resolved(g, n);
    if (!n || n->kind != PY_DICT) {
        if (n)
            import_leave(m, g->file, n->line,
                         "default_args is not a dictionary that is understood");
        return;
    }
    buf_text(out, "  default_args:\n");
    size_t empty = out->len;
    for (uint32_t i = 0; i + 1 < n->count; i += 2) {
        if (n->items[i]->kind == PY_KEYWORD || !constant_of(m, g->file, n->items[i], &name))
            continue;
        const struct py_node *v = n->items[i + 1];
        if (slice_is(name, "email"))
            mail = v;
        else if (slice_is(name, "email_on_failure"))
            on_failure = !py_is(v, PY_NAME, "False");
        else if (slice_is(name, "email_on_retry"))
            on_retry = py_is(v, PY_NAME, "True");
        else if (!task_word(m, g->file, name, v, "    ", out))
            import_leave(m, g->file, v->line, "'%.*s' of default_args is not carried over",
                         SLICE_ARG(name));
    }
    if (mail && mail->kind == PY_LIST && mail->count) mail = mail->items[0];
    if (mail && constant_of(m, g->file, mail, &text)) {
        for (int k = 0; k < 2; k++) {
            if (!(k ? on_retry : on_failure)) continue;
            buf_printf(out, "    on_%s_callback: {mail: ", k ? "retry" : "failure");
            put_yaml_text(out, text);
            buf_text(out, "}\n");
        }
    }
    if (out->len == empty) out->len = before;
}

static bool write_schedule(struct import *m, const struct import_dag *g, const struct py_node *v,
                           struct buf *out)
{
    struct slice text;
    size_t before = out->len;
    buf_text(out, "  schedule: ");
    if (py_is(v, PY_NAME, "None")) {
        buf_text(out, "null\n");
        return false;
    }
    if (slice_is(py_called(v), "timedelta")) {
        size_t at = out->len;
        if (put_yaml_value(m, g->file, v, out)) {
            struct slice span = import_print(m, "\"every %.*s", (int)(out->len - at - 1),
                                             (const char *)out->at + at + 1);
            out->len = at;
            buf_printf(out, "%.*s\n", SLICE_ARG(span));
            return true;
        }
    } else if (constant_of(m, g->file, v, &text)) {
        put_yaml_text(out, text);
        buf_char(out, '\n');
        return !slice_is(text, "@once");
    }
    out->len = before;
    import_leave(m, g->file, v->line, "the schedule is not a constant: the dag has none");
    return false;
}

/* The dag's own words; answers whether it runs by a schedule. */
static bool write_dag_words(struct import *m, const struct import_dag *g, struct buf *out)
{
    static const char *const words[] = {"description",
                                        "start_date",
                                        "end_date",
                                        "catchup",
                                        "max_active_runs",
                                        "max_active_tasks",
                                        "concurrency",
                                        "dagrun_timeout",
                                        "tags",
                                        "params",
                                        "doc_md",
                                        "is_paused_upon_creation",
                                        "dag_display_name",
                                        "owner"},
                             *const silent[] = {"dag_id", "default_view", "orientation",
                                                "default_args"};
    bool scheduled = false, catchup = false;
    for (uint32_t i = 1; g->call && g->call->kind == PY_CALL && i < g->call->count; i++) {
        const struct py_node *k = g->call->items[i], *v = k->items ? k->items[0] : NULL, *tz;
        bool known = k->kind != PY_KEYWORD; /* the id */
        struct slice zone;
        if (known) continue;
        bool old = slice_is(k->text, "schedule_interval");
        if (old) import_find(m, DEFECT_schedule_interval, g->file, k->line);
        if (old || slice_is(k->text, "schedule")) {
            scheduled = write_schedule(m, g, v, out);
            continue;
        }
        if (slice_is(k->text, "default_args")) write_defaults(m, g, v, out);
        catchup = catchup || slice_is(k->text, "catchup");
        for (size_t w = 0; w < COUNT_OF(silent); w++) known = known || slice_is(k->text, silent[w]);
        for (size_t w = 0; w < COUNT_OF(words) && !known; w++) {
            if (!slice_is(k->text, words[w])) continue;
            size_t before = out->len;
            buf_printf(out, "  %s: ", words[w]);
            known = put_yaml_value(m, g->file, v, out);
            if (!known) out->len = before;
            if (known) buf_char(out, '\n');
        }
        tz = py_argument(v, "tz", -1);
        if (tz && slice_is(k->text, "start_date") && constant_of(m, g->file, tz, &zone)) {
            buf_text(out, "  timezone: ");
            put_yaml_text(out, zone);
            buf_char(out, '\n');
        }
        if (!known)
            import_leave(m, g->file, k->line, "'%.*s' of the dag is not carried over",
                         SLICE_ARG(k->text));
    }
    if (scheduled && !catchup)
        buf_text(out, "  catchup: true  # Airflow 2's default, which its file leaves unsaid\n");
    return scheduled;
}

void dags_write(struct import *m, struct buf *out)
{
    for (size_t i = 0; i < m->dags.count; i++) {
        const struct import_dag *g = vec_at(&m->dags, i);
        if (!g->tasks.count) {
            import_leave(m, g->file, g->call ? g->call->line : 1,
                         "the dag %.*s has no task that is understood", SLICE_ARG(g->id));
            continue;
        }
        put_yaml_text(out, g->id);
        buf_printf(out, ":  # %s:%u\n", g->file->path, g->call ? g->call->line : 1);
        bool scheduled = write_dag_words(m, g, out);
        buf_text(out, "  tasks:\n");
        for (size_t k = 0; k < g->tasks.count; k++)
            task_write(m, g, vec_at(&g->tasks, k), scheduled, out);
    }
}
