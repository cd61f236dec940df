/* One task of an Airflow dag as a task of dags.yaml: by a table of operators; what is not
 * understood becomes a task that fails and says where it comes from. */
#include "main/import/import.h"

#include <stdio.h>

/* --- values as YAML -----------------------------------------------------------------------------
 */

void put_yaml_text(struct buf *out, struct slice text)
{
    struct doc v = {.kind = DOC_TEXT, .text = text};
    doc_put_json(out, &v);
}

static bool span_value(struct import *m, const struct import_file *f, const struct py_node *n,
                       struct buf *out)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"days", 86400}, {"seconds", 1},  {"microseconds", 1e-6}, {"milliseconds", 1e-3},
                 {"minutes", 60}, {"hours", 3600}, {"weeks", 604800}};
    double all = 0, v;
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        struct slice text;
        const struct py_node *part = py_argument(n, units[i].name, i < 2 ? (int)i : -1);
        if (!part) continue;
        if (!constant_of(m, f, part, &text) || !slice_to_f64(text, &v)) return false;
        all += v * units[i].seconds;
    }
    buf_printf(out, "\"%.0fs\"", all);
    return true;
}

static bool date_value(struct import *m, const struct import_file *f, const struct py_node *n,
                       struct buf *out)
{
    static const char *const names[] = {"year", "month", "day", "hour", "minute", "second"};
    int64_t part[6] = {0, 1, 1, 0, 0, 0};
    for (int i = 0; i < 6; i++) {
        struct slice text;
        const struct py_node *given = py_argument(n, names[i], i);
        if (given && (!constant_of(m, f, given, &text) || !slice_to_i64(text, &part[i])))
            return false;
    }
    buf_printf(out, "\"%04d-%02d-%02dT%02d:%02d:%02d\"", (int)part[0], (int)part[1], (int)part[2],
               (int)part[3], (int)part[4], (int)part[5]);
    return part[0] > 0;
}

static bool several(struct import *m, const struct import_file *f, const struct py_node *n,
                    struct buf *out)
{
    bool map = n->kind == PY_DICT, fine = true;
    buf_char(out, map ? '{' : '[');
    for (uint32_t i = 0; i < n->count && fine; i++) {
        if (i) buf_text(out, map && i % 2 ? ": " : ", ");
        fine = n->items[i]->kind != PY_KEYWORD && put_yaml_value(m, f, n->items[i], out);
    }
    buf_char(out, map ? '}' : ']');
    return fine;
}

bool put_yaml_value(struct import *m, const struct import_file *f, const struct py_node *n,
                    struct buf *out)
{
    static const char *const words[][2] = {{"None", "null"}, {"True", "true"}, {"False", "false"}};
    size_t before = out->len;
    bool fine = false;
    struct slice text;
    double number;
    for (size_t i = 0; i < COUNT_OF(words) && n && !fine; i++) {
        fine = py_is(n, PY_NAME, words[i][0]);
        if (fine) buf_text(out, words[i][1]);
    }
    if (fine || !n) return fine;
    if (slice_is(py_called(n), "timedelta") || slice_is(py_called(n), "duration"))
        fine = span_value(m, f, n, out);
    else if (slice_is(py_called(n), "datetime"))
        fine = date_value(m, f, n, out);
    else if (n->kind == PY_LIST || n->kind == PY_DICT)
        fine = several(m, f, n, out);
    else if (py_is(n, PY_UNARY, "-") && n->items[0]->kind == PY_NUMBER &&
             slice_to_f64(n->items[0]->text, &number)) {
        buf_printf(out, "-%.*s", SLICE_ARG(n->items[0]->text));
        fine = true;
    } else if (constant_of(m, f, n, &text)) {
        fine = n->kind != PY_NUMBER || slice_to_f64(text, &number);
        if (n->kind == PY_NUMBER || (n->kind == PY_NAME && slice_to_f64(text, &number)))
            buf_slice(out, text);
        else
            put_yaml_text(out, text);
    }
    if (!fine) out->len = before;
    return fine;
}

/* --- words of every task ------------------------------------------------------------------------
 */

bool task_word(struct import *m, const struct import_file *f, struct slice name,
               const struct py_node *value, const char *indent, struct buf *out)
{
    static const char *const words[] = {"trigger_rule",
                                        "retries",
                                        "retry_delay",
                                        "max_retry_delay",
                                        "retry_exponential_backoff",
                                        "execution_timeout",
                                        "depends_on_past",
                                        "wait_for_downstream",
                                        "do_xcom_push",
                                        "pool",
                                        "pool_slots",
                                        "priority_weight",
                                        "weight_rule",
                                        "max_active_tis_per_dag",
                                        "owner",
                                        "doc_md",
                                        "queue",
                                        "task_display_name",
                                        "start_date",
                                        "end_date"};
    bool known = false;
    for (size_t i = 0; i < COUNT_OF(words); i++) known = known || slice_is(name, words[i]);
    if (!known) return false;
    struct slice text;
    if (slice_is(name, "retries") && m->readme_retries && constant_of(m, f, value, &text) &&
        slice_is(text, "0")) {
        import_find(m, DEFECT_no_retries, f, value->line);
        buf_printf(out, "%sretries: 3\n", indent);
        return true;
    }
    size_t before = out->len;
    buf_printf(out, "%s%.*s: ", indent, SLICE_ARG(name));
    if (value->kind == PY_ATTRIBUTE && slice_is(name, "trigger_rule")) { /* TriggerRule.ALL_DONE */
        for (uint32_t i = 0; i < value->text.len; i++)
            buf_char(out, (char)(value->text.at[i] | 32));
        for (size_t i = before; i < out->len; i++)
            if (out->at[i] == 127) out->at[i] = '_'; /* '_' | 32 */
    } else if (!put_yaml_value(m, f, value, out)) {
        out->len = before;
        import_leave(m, f, value->line, "the value of %.*s is not a constant", SLICE_ARG(name));
        return true;
    }
    buf_char(out, '\n');
    return true;
}

/* --- what a task does ---------------------------------------------------------------------------
 */

struct reach { /* of a function, and of those it calls */
    struct import *m;
    const struct import_file *f;
    bool sends, streams;
    int depth;
};

static bool see_reach(void *ctx, const struct py_node *n)
{
    struct reach *r = ctx;
    const struct import_file *where;
    if ((slice_is(py_called(n), "send") || slice_is(py_called(n), "produce")) && py_owner(n) &&
        n->count > 2)
        r->sends = true;
    if (py_is(n, PY_ATTRIBUTE, "readStream") || py_is(n, PY_ATTRIBUTE, "writeStream") ||
        (n->kind == PY_STRING && slice_holds(n->text, "spark-submit")))
        r->streams = true;
    if (n->kind != PY_CALL || r->depth > 4 || n->items[0]->kind != PY_NAME) return true;
    const struct py_node *def = py_function_find(r->m, r->f, py_called(n), &where);
    struct reach inner = {.m = r->m, .f = where, .depth = r->depth + 1};
    for (uint32_t i = def ? def->head : 0; def && i < def->count; i++)
        py_walk(def->items[i], see_reach, &inner);
    r->sends = r->sends || inner.sends;
    r->streams = r->streams || inner.streams;
    return true;
}

static struct reach reach_of(struct import *m, const struct import_file *f,
                             const struct py_node *def)
{
    struct reach r = {.m = m, .f = f};
    for (uint32_t i = def ? def->head : 0; def && i < def->count; i++)
        py_walk(def->items[i], see_reach, &r);
    return r;
}

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* A command line that runs one of the project's programs. */
static struct reach reach_of_command(struct import *m, struct slice command)
{
    struct reach r = {.m = m};
    for (size_t i = 0; i < m->files.count; i++) {
        struct import_file *f = vec_at(&m->files, i);
        if (!f->module || !slice_holds(command, file_name(f->path))) continue;
        r.f = f;
        py_walk(f->module, see_reach, &r);
    }
    return r;
}

static struct reach reach_of_task(struct import *m, const struct import_dag *g,
                                  const struct import_task *t)
{
    struct slice called = py_called(t->call), text;
    const struct import_file *where;
    if (t->call->kind == PY_DEF) return reach_of(m, g->file, t->call);
    if (slice_is(called, "SparkSubmitOperator"))
        return (struct reach){.m = m, .streams = m->stream_file != NULL};
    if (slice_is(called, "BashOperator") &&
        constant_of(m, g->file, py_argument(t->call, "bash_command", -1), &text))
        return reach_of_command(m, text);
    const struct py_node *callable = py_argument(t->call, "python_callable", -1);
    if (!callable || callable->kind != PY_NAME) return (struct reach){.m = m};
    const struct py_node *def = py_function_find(m, g->file, callable->text, &where);
    return def ? reach_of(m, where, def) : (struct reach){.m = m};
}

bool task_is_stream(struct import *m, const struct import_dag *g, const struct import_task *t)
{
    return stream_name(m).len && reach_of_task(m, g, t).streams;
}

struct operator_word {
    const char *airflow, *ours;
};
struct operator_row {
    const char *airflow, *kind, *main;
    struct operator_word words[8];
};
static const struct operator_row operators[] = {
    {"EmptyOperator", "empty", NULL, {{0}}},
    {"DummyOperator", "empty", NULL, {{0}}},
    {"BashOperator",
     "bash",
     "bash_command",
     {{"env", "env"}, {"append_env", "append_env"}, {"cwd", "cwd"}}},
    {"TriggerDagRunOperator",
     "trigger_dag",
     "trigger_dag_id",
     {{"conf", "conf"},
      {"wait_for_completion", "wait_for_completion"},
      {"reset_dag_run", "reset_dag_run"},
      {"poke_interval", "poke_interval"},
      {"trigger_run_id", "trigger_run_id"}}},
    {"HttpSensor",
     "http_sensor",
     "endpoint",
     {{"http_conn_id", "conn_id"},
      {"method", "method"},
      {"poke_interval", "poke_interval"},
      {"timeout", "timeout"},
      {"mode", "mode"},
      {"headers", "headers"}}},
    {"FileSensor",
     "file_sensor",
     "filepath",
     {{"poke_interval", "poke_interval"}, {"timeout", "timeout"}, {"mode", "mode"}}},
    {"ExternalTaskSensor",
     "dag_sensor",
     "external_dag_id",
     {{"external_task_id", "task"},
      {"execution_delta", "execution_delta"},
      {"poke_interval", "poke_interval"},
      {"timeout", "timeout"},
      {"mode", "mode"}}},
    {"TimeDeltaSensor", "wait", "delta", {{"poke_interval", "poke_interval"}}},
    {"SimpleHttpOperator",
     "http",
     "endpoint",
     {{"http_conn_id", "conn_id"}, {"method", "method"}, {"data", "data"}, {"headers", "headers"}}},
    {"HttpOperator",
     "http",
     "endpoint",
     {{"http_conn_id", "conn_id"}, {"method", "method"}, {"data", "data"}, {"headers", "headers"}}},
    {"SQLExecuteQueryOperator", "sql", "sql", {{"conn_id", "conn_id"}}},
};

static void refuse(struct import *m, const struct import_dag *g, const struct import_task *t,
                   const char *why, struct buf *out)
{
    const char *what = t->call->kind == PY_DEF
                           ? "@task"
                           : arena_printf(m->arena, "%.*s", SLICE_ARG(py_called(t->call)));
    import_leave(m, g->file, t->call->line, "%s '%.*s': %s; its task fails and says so",
                 what ? what : "", SLICE_ARG(t->id), why);
    struct slice text = import_print(m, "echo 'not imported: %s:%u %s' >&2; exit 1", g->file->path,
                                     t->call->line, what ? what : "");
    buf_text(out, "      bash: ");
    put_yaml_text(out, text);
    buf_char(out, '\n');
}

static bool is_known_word(const struct operator_row *row, struct slice name)
{
    static const char *const silent[] = {"task_id",
                                         "dag",
                                         "python_callable",
                                         "application",
                                         "conn_id",
                                         "name",
                                         "verbose",
                                         "packages",
                                         "jars",
                                         "deploy_mode",
                                         "executor_memory",
                                         "driver_memory",
                                         "executor_cores",
                                         "total_executor_cores",
                                         "num_executors",
                                         "provide_context",
                                         "spark_binary",
                                         "py_files",
                                         "master"};
    for (size_t i = 0; i < COUNT_OF(silent); i++)
        if (slice_is(name, silent[i])) return true;
    for (size_t i = 0; row && i < COUNT_OF(row->words) && row->words[i].airflow; i++)
        if (slice_is(name, row->words[i].airflow)) return true;
    return row && row->main && slice_is(name, row->main);
}

static void words_of_call(struct import *m, const struct import_dag *g, const struct import_task *t,
                          const struct py_node *call, const struct operator_row *row,
                          struct buf *out)
{
    for (uint32_t i = 1; call->kind == PY_CALL && i < call->count; i++) {
        const struct py_node *k = call->items[i];
        if (k->kind != PY_KEYWORD || is_known_word(row, k->text)) continue;
        if (!task_word(m, g->file, k->text, k->items[0], "      ", out))
            import_leave(m, g->file, k->line, "'%.*s' of the task '%.*s' is not carried over",
                         SLICE_ARG(k->text), SLICE_ARG(t->id));
    }
}

static void other_words(struct import *m, const struct import_dag *g, const struct import_task *t,
                        const struct operator_row *row, struct buf *out)
{
    words_of_call(m, g, t, t->call, row, out);
    for (uint32_t i = 0; t->call->kind == PY_DEF && i < t->call->decorators; i++)
        words_of_call(m, g, t, t->call->items[i], row, out); /* @task(retries=2) */
}

static void by_row(struct import *m, const struct import_dag *g, const struct import_task *t,
                   const struct operator_row *row, struct buf *out)
{
    size_t before = out->len;
    const struct py_node *first = row->main ? py_argument(t->call, row->main, -1) : NULL;
    buf_printf(out, "      %s: ", row->kind);
    if (!row->main)
        buf_text(out, "{}");
    else if (!first || !put_yaml_value(m, g->file, first, out)) {
        out->len = before;
        refuse(m, g, t, "what it does is not a constant", out);
        return;
    }
    buf_char(out, '\n');
    for (size_t i = 0; i < COUNT_OF(row->words) && row->words[i].airflow; i++) {
        const struct py_node *v = py_argument(t->call, row->words[i].airflow, -1);
        if (!v) continue;
        before = out->len;
        buf_printf(out, "      %s: ", row->words[i].ours);
        if (put_yaml_value(m, g->file, v, out)) {
            buf_char(out, '\n');
            continue;
        }
        out->len = before;
        import_leave(m, g->file, v->line, "the value of %s is not a constant",
                     row->words[i].airflow);
    }
}

/* So many as one round of the producer brings: ?results=10 of the URL, else one. */
static int64_t one_round(const struct import *m)
{
    int64_t n = 1;
    for (uint32_t i = 0; i + 8 < m->url.len; i++) {
        uint32_t end = i + 8;
        if (memcmp(m->url.at + i, "results=", 8) != 0) continue;
        while (end < m->url.len && m->url.at[end] != '&') end++;
        if (!slice_to_i64(slice_make(m->url.at + i + 8, end - i - 8), &n)) n = 1;
    }
    return n;
}

static void run_source(struct import *m, const struct import_dag *g, const struct import_task *t,
                       struct buf *out)
{
    buf_printf(out, "      run: %.*s\n", SLICE_ARG(source_name(m)));
    if (m->count)
        buf_printf(out, "      count: %lld\n", (long long)m->count);
    else if (m->seconds)
        buf_printf(out, "      for: %llds\n", (long long)m->seconds);
    else if (!m->endless)
        buf_printf(out, "      count: %lld\n", (long long)one_round(m));
    if (m->count || m->seconds || !m->endless) return;
    buf_text(out, "      for: 60s\n");
    import_leave(m, g->file, t->call->line,
                 "the producer of the task '%.*s' never ends: here it runs for 60s, change `for`",
                 SLICE_ARG(t->id));
}

static void keep_stream(struct import *m, const struct import_dag *g, const struct import_task *t,
                        bool scheduled, struct buf *out)
{
    struct slice conn;
    bool submit = slice_is(py_called(t->call), "SparkSubmitOperator");
    if (scheduled)
        import_find(m, DEFECT_endless_job, g->file, g->call ? g->call->line : t->call->line);
    buf_printf(out, "      %s: %.*s\n", submit && !scheduled ? "submit" : "service",
               SLICE_ARG(stream_name(m)));
    if (submit && !scheduled &&
        constant_of(m, g->file, py_argument(t->call, "conn_id", -1), &conn)) {
        buf_text(out, "      conn_id: ");
        put_yaml_text(out, conn);
        buf_char(out, '\n');
    }
}

void task_write(struct import *m, const struct import_dag *g, const struct import_task *t,
                bool scheduled, struct buf *out)
{
    struct slice called = py_called(t->call);
    const struct operator_row *row = NULL;
    struct reach r = reach_of_task(m, g, t);
    buf_text(out, "    ");
    put_yaml_text(out, t->id);
    buf_text(out, ":\n");
    for (size_t i = 0; i < COUNT_OF(operators) && t->call->kind == PY_CALL; i++)
        if (slice_is(called, operators[i].airflow)) row = &operators[i];
    if (r.streams && stream_name(m).len)
        keep_stream(m, g, t, scheduled, out);
    else if (r.sends && source_name(m).len)
        run_source(m, g, t, out);
    else if (row)
        by_row(m, g, t, row, out);
    else
        refuse(m, g, t,
               t->call->kind == PY_DEF || slice_is(called, "PythonOperator")
                   ? "its Python neither sends records nor is a stream"
                   : "an operator that is not known",
               out);
    other_words(m, g, t, row, out);
    if (t->after.count) {
        buf_text(out, "      after: [");
        for (size_t i = 0; i < t->after.count; i++) {
            if (i) buf_text(out, ", ");
            put_yaml_text(out, *(struct slice *)vec_at(&t->after, i));
        }
        buf_text(out, "]\n");
    }
}
