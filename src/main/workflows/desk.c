#include "main/workflows/desk.h"

#include "base/unit.h"
#include "main/client.h"
#include "os/clock.h"
#include "os/file.h"
#include "sched/moment.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ARENA_MAX = 512 << 20 };

/* --- opening ------------------------------------------------------------------------------------
 */

static const struct dag *find_dag(void *ctx, struct slice id)
{
    const struct dag *g = desk_dag(ctx, id);
    if (g) dag_hold(g);
    return g;
}

const char *workflows_database(const struct project *p)
{
    const char *where = config_text(&p->config, CONFIG_workflows_database);
    return strcmp(where, "sqlite") == 0 ? NULL : where;
}

const char *workflows_key(const struct project *p, char out[PROJECT_PATH_MAX])
{
    return project_file_setting(p, CONFIG_workflows_key_file, out);
}

struct dag_defaults workflows_defaults(const struct project *p)
{
    return (struct dag_defaults){
        .zone = config_text(&p->config, CONFIG_workflows_default_timezone),
        .paused_at_first =
            config_number(&p->config, CONFIG_workflows_dags_are_paused_at_creation) != 0};
}

static err_t open_meta(struct desk *k, struct diag *d)
{
    char key[PROJECT_PATH_MAX];
    err_t e = dir_make(k->project.data, d);
    if (!e)
        e = sched_meta_open(k->project.data, workflows_database(&k->project),
                            workflows_key(&k->project, key), &k->meta, d);
    return e ? e : meta_migrate(k->meta, d);
}

static err_t open_desk(struct desk *k, struct diag *d)
{
    k->arena = arena_new(ARENA_MAX);
    if (!k->arena) return diag_fail(d, ERR_NO_MEMORY, "no memory for this command");
    k->dags = vec_make(sizeof(const struct dag *), 100000);
    err_t e = cli_project(k->args, desk_value(k, "--subdir"), &k->project, d);
    if (!e) e = open_meta(k, d);
    if (e) return e;
    const char *user = getenv("USER");
    uint64_t seed = 0;
    if (RAND_bytes((uint8_t *)&seed, sizeof seed) != 1)
        return diag_fail(d, ERR_INTERNAL, "the system gives no random numbers");
    k->ops = (struct ops){.meta = k->meta,
                          .now_us = clock_wall_us(),
                          .dag = find_dag,
                          .ctx = k,
                          .user = slice_of(user ? user : ""),
                          .via = "cli",
                          .seed = seed};
    return ERR_OK;
}

static void close_desk(struct desk *k)
{
    for (size_t i = 0; i < k->dags.count; i++) dag_give(*(const struct dag **)vec_at(&k->dags, i));
    vec_done(&k->dags);
    meta_close(k->meta);
    project_close(&k->project);
    arena_free(k->arena);
}

err_t desk_ignore(void *ctx, struct slice text)
{
    (void)ctx, (void)text;
    return ERR_OK;
}

void desk_wake(struct desk *k)
{
    if (!k->told) k->waking = client_wake(&k->project);
    k->told = true;
}

/* --- commands -----------------------------------------------------------------------------------
 */

const struct desk_command *desk_command(const struct desk_command *list, size_t count,
                                        const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!name || strcmp(list[i].name, name) == 0) return &list[i];
    return NULL;
}

/* "DAG [RUN] TASK…": words without brackets must be there. */
static int words_needed(const char *words)
{
    int needed = 0;
    for (const char *at = words; *at;) {
        size_t len = strcspn(at, " ");
        needed += *at != '[' && strncmp(at, "…", 3) != 0;
        at += len + (at[len] == ' ');
    }
    return needed;
}

/* As Airflow's argparse refuses. */
static bool output_known(const char *output)
{
    static const char *const forms[] = {"table", "json", "yaml", "plain"};
    for (size_t i = 0; i < COUNT_OF(forms); i++)
        if (!output || strcmp(output, forms[i]) == 0) return true;
    fprintf(stderr,
            "airflow: error: argument -o/--output: invalid choice: '%s' (choose from 'json', "
            "'yaml', 'plain', 'table')\n",
            output);
    return false;
}

int desk_run(const struct desk_command *c, const struct args *a, const char *const *words,
             int count, bool airflow)
{
    static struct desk k; /* large: a project's settings */
    struct diag d = {0};
    if (count < words_needed(c->words)) {
        fprintf(stderr, "error: '%s' needs %s\n", c->name, c->words);
        return 2;
    }
    const char *output = args_value(a, "--output");
    if (!output_known(output)) return 2;
    k = (struct desk){.args = a,
                      .words = words,
                      .word_count = count,
                      .command = c->name,
                      .json = args_has(a, "--json") || (output && (strcmp(output, "json") == 0 ||
                                                                   strcmp(output, "yaml") == 0)),
                      .yes = args_has(a, "--yes"),
                      .airflow = airflow};
    err_t e = open_desk(&k, &d);
    if (!e) e = c->run(&k, &d);
    if (!e || e == ERR_STOPPED) desk_wake(&k);
    if (k.told) client_woken(k.waking);
    close_desk(&k);
    return !e ? 0 : e == ERR_STOPPED ? 1 : cli_fail(&d); /* stopped: it has said why itself */
}

static int no_command(const struct verb *v, const struct desk_command *list, size_t count,
                      const char *given)
{
    const char *names[32];
    char problem[256];
    for (size_t i = 0; i < count; i++) names[i] = list[i].name;
    const char *near = nearest_word(slice_of(given), names, count);
    snprintf(problem, sizeof problem, "'sluice %s' has no command '%s'%s%s%s", v->name, given,
             near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return cli_usage(v, problem);
}

int desk_verb(const struct verb *v, const struct args *a, const struct desk_command *list,
              size_t count)
{
    const char *name = a->word_count ? a->words[0] : NULL;
    const struct desk_command *c = desk_command(list, count, name);
    if (!c) return no_command(v, list, count, name);
    int skip = name != NULL;
    return desk_run(c, a, a->words + skip, a->word_count - skip, false);
}

/* --- dags ---------------------------------------------------------------------------------------
 */

static void take_dag(void *ctx, struct dag *g)
{
    struct desk *k = ctx;
    const struct dag *held = g;
    if (vec_push(&k->dags, &held)) dag_give(g);
}

static void take_mistake(void *ctx, struct slice id, const struct diag *d)
{
    struct desk *k = ctx;
    k->import_errors++;
    if (k->sought && slice_is(id, k->sought)) k->trouble = arena_slice(k->arena, slice_of(d->what));
}

static int by_id(const void *a, const void *b)
{
    return slice_compare((*(const struct dag *const *)a)->id, (*(const struct dag *const *)b)->id);
}

err_t desk_dags(struct desk *k, struct diag *d)
{
    struct dag_reading into = {k, take_dag, take_mistake, workflows_defaults(&k->project)};
    if (k->dags_read) return ERR_OK;
    k->dags_read = true;
    err_t e = sched_dags_read(k->project.dir, &into, d);
    if (k->dags.count) qsort(k->dags.items, k->dags.count, sizeof(const struct dag *), by_id);
    return e;
}

const struct dag *desk_dag(struct desk *k, struct slice id)
{
    if (desk_dags(k, NULL)) return NULL;
    for (size_t i = 0; i < k->dags.count; i++) {
        const struct dag *g = *(const struct dag **)vec_at(&k->dags, i);
        if (slice_equal(g->id, id)) return g;
    }
    return NULL;
}

err_t desk_known_dag(struct desk *k, const char *id, const struct dag **out, struct diag *d)
{
    const char *names[1000];
    size_t n = 0;
    k->sought = id;
    *out = desk_dag(k, slice_of(id));
    if (*out) return ERR_OK;
    if (k->trouble.len) {
        (void)diag_fail(d, ERR_NOT_FOUND, "Dag id %s not found", id);
        return diag_why(d, "its file is wrong: %.*s", SLICE_ARG(k->trouble));
    }
    for (size_t i = 0; i < k->dags.count && n < COUNT_OF(names); i++)
        if ((names[n] = arena_text(k->arena, (*(const struct dag **)vec_at(&k->dags, i))->id))) n++;
    const char *near = nearest_word(slice_of(id), names, n);
    (void)diag_fail(d, ERR_NOT_FOUND, "Dag id %s not found", id);
    if (near) return diag_hint(d, "did you mean '%s'?", near);
    if (k->import_errors)
        return diag_hint(d, "%u of the files' dags are wrong: sluice dags list-import-errors",
                         k->import_errors);
    return ERR_NOT_FOUND;
}

static err_t take_paused(void *ctx, const struct meta_row *row)
{
    *(bool *)ctx = row->at[3].number != 0;
    return ERR_OK;
}

err_t desk_runs_now(struct desk *k, const struct dag *g, struct diag *d)
{
    bool paused = false;
    struct meta_value args[] = {meta_text(g->id)};
    if (!client_server_runs(&k->project)) {
        (void)diag_fail(d, ERR_NOT_FOUND,
                        "no server runs on this project, and a run waits for one");
        return diag_hint(d, "sluice up");
    }
    err_t e = meta_run(k->meta, META_DAG_FIND, args, 1, take_paused, &paused, NULL, d);
    if (e || !paused) return e;
    (void)diag_fail(d, ERR_BUSY, "dag %.*s is paused, and its runs wait", SLICE_ARG(g->id));
    return diag_hint(d, "sluice dags unpause %.*s", SLICE_ARG(g->id));
}

/* --- runs and times -----------------------------------------------------------------------------
 */

err_t desk_time(const char *text, int64_t *us, struct diag *d)
{
    if (strcmp(text, "now") == 0) {
        *us = clock_wall_us();
        return ERR_OK;
    }
    return moment_parse(slice_of(text), NULL, us, d);
}

static err_t keep_run(void *ctx, const struct meta_row *row)
{
    struct slice *id = ctx;
    int at = list_place(LIST_RUNS, "dag_run_id");
    if (!id->at) *id = slice_of(mem_text(row->at[at].text));
    return ERR_OK;
}

/* The newest run, or the one of a logical date. */
static err_t find_run(struct desk *k, struct slice dag_id, const int64_t *logical,
                      struct slice *out, struct diag *d)
{
    struct meta_value dag = meta_text(dag_id), when = meta_int(logical ? *logical : 0);
    struct list_filter filters[] = {{"dag_id", LIST_IN, &dag, 1},
                                    {"logical_date", LIST_IN, &when, 1}};
    struct list_ask ask = {.kind = LIST_RUNS,
                           .filters = filters,
                           .filter_count = logical ? 2 : 1,
                           .order_by = SLICE("-id"),
                           .limit = 1,
                           .no_total = true};
    struct slice found = {0};
    int64_t total;
    err_t e = list_run(k->meta, &ask, keep_run, &found, &total, d);
    bool there = found.at != NULL;
    *out = arena_slice(k->arena, found);
    mem_give((void *)(uintptr_t)found.at);
    if (e || there) return e;
    (void)diag_fail(d, ERR_NOT_FOUND, "dag '%.*s' has no run%s", SLICE_ARG(dag_id),
                    logical ? " of that date" : " yet");
    return diag_hint(d, "sluice runs list %.*s", SLICE_ARG(dag_id));
}

err_t desk_run_row(struct desk *k, const char *dag_id, const char *which, struct run_row *out,
                   struct diag *d)
{
    struct slice dag = slice_of(dag_id), run = slice_of(which ? which : "latest");
    int64_t logical;
    err_t e = ERR_OK;
    if (slice_is(run, "latest"))
        e = find_run(k, dag, NULL, &run, d);
    else if (!run_row_find(k->meta, dag, run, k->arena, out, NULL))
        return ERR_OK;
    else if (!moment_parse(run, NULL, &logical, NULL))
        e = find_run(k, dag, &logical, &run, d);
    if (!e) e = run_row_find(k->meta, dag, run, k->arena, out, d);
    const struct dag *g;
    struct diag none = {0};
    if (e == ERR_NOT_FOUND && desk_known_dag(k, dag_id, &g, &none)) *d = none;
    return e;
}

/* --- output -------------------------------------------------------------------------------------
 */

void desk_put_time(struct sheet *s, int64_t us)
{
    char text[64];
    struct buf out = buf_over(text, sizeof text);
    if (us == TIME_NONE) {
        sheet_none(s);
        return;
    }
    moment_put(&out, us);
    sheet_text(s, buf_view(&out));
}

void desk_put_span(struct sheet *s, int64_t from_us, int64_t to_us)
{
    char text[64];
    struct buf out = buf_over(text, sizeof text);
    if (from_us == TIME_NONE || to_us == TIME_NONE || to_us < from_us) {
        sheet_none(s);
        return;
    }
    unit_put_ms(&out, (to_us - from_us) / 1000);
    sheet_text(s, buf_view(&out));
}

void desk_put(struct sheet *s, const struct meta_value *v, enum list_type type)
{
    char text[64];
    struct buf out = buf_over(text, sizeof text);
    if (v->kind == META_NULL) {
        sheet_none(s);
    } else if (type == LIST_TIME) {
        desk_put_time(s, v->number);
    } else if (type == LIST_BOOL) {
        sheet_text(s, slice_of(v->number ? "True" : "False"));
    } else if (v->kind == META_INT) {
        sheet_number(s, v->number);
    } else if (v->kind == META_REAL) {
        buf_printf(&out, "%.3f", v->real);
        sheet_text(s, buf_view(&out));
    } else {
        sheet_text(s, type == LIST_SEALED ? SLICE("***") : v->text);
    }
}

err_t desk_print(const struct desk *k, const struct sheet *s)
{
    return k->airflow && k->json ? sheet_print_list(s) : sheet_print(s, k->json);
}

struct listing {
    struct sheet sheet;
    enum list_kind kind;
    int places[SHEET_COLUMNS];
    int count;
};

static err_t list_row(void *ctx, const struct meta_row *row)
{
    struct listing *l = ctx;
    for (int i = 0; i < l->count; i++)
        desk_put(&l->sheet, &row->at[l->places[i]],
                 list_column(l->kind, (uint32_t)l->places[i])->type);
    return ERR_OK;
}

err_t desk_list(struct desk *k, enum list_kind kind, const char *columns,
                const struct list_filter *filters, uint32_t filter_count, const char *order,
                struct diag *d)
{
    int64_t total;
    struct listing l = {.sheet = sheet_make(columns), .kind = kind};
    const char *limit = desk_value(k, "--limit");
    int64_t most = kind == LIST_RUNS ? DESK_ROWS_MAX : LIST_WHOLE;
    struct list_ask ask = {.kind = kind,
                           .filters = filters,
                           .filter_count = filter_count,
                           .order_by = slice_of(order),
                           .limit = limit ? atoi(limit) : most,
                           .no_total = true};
    for (const char *at = columns; *at && l.count < SHEET_COLUMNS;) {
        char name[64];
        size_t len = strcspn(at, " "), bare = strcspn(at, " #");
        snprintf(name, sizeof name, "%.*s", (int)bare, at);
        l.places[l.count] = list_place(kind, name);
        INVARIANT(l.places[l.count] >= 0);
        l.count++;
        at += len + (at[len] == ' ');
    }
    err_t e = list_run(k->meta, &ask, list_row, &l, &total, d);
    if (!e && !l.sheet.cells.len && !k->json)
        fprintf(k->airflow ? stdout : stderr, "%s\n", k->airflow ? "No data found" : "none");
    else if (!e)
        e = desk_print(k, &l.sheet);
    sheet_done(&l.sheet);
    return e;
}

bool desk_asks(struct desk *k, const char *question)
{
    char answer[16] = "";
    if (k->yes) return true;
    if (!isatty(STDIN_FILENO)) {
        fprintf(stderr, "%s\nnothing was done: --yes does it without asking\n", question);
        return false;
    }
    fprintf(stderr, "%s [y/N] ", question);
    if (!fgets(answer, sizeof answer, stdin)) return false;
    return answer[0] == 'y' || answer[0] == 'Y';
}

void desk_say(struct desk *k, const char *fmt, ...)
{
    va_list args;
    if (k->json) return;
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
}
