/* A file of dags: a map of their ids, or one dag with its `dag_id`. Each is read by itself. */
#include "sched/dag_int.h"

#include "base/hash.h"

static const char *const rule_names[RULE_COUNT] = {
    [RULE_ALL_SUCCESS] = "all_success",
    [RULE_ALL_FAILED] = "all_failed",
    [RULE_ALL_DONE] = "all_done",
    [RULE_ALL_DONE_MIN_ONE_SUCCESS] = "all_done_min_one_success",
    [RULE_ALL_DONE_SETUP_SUCCESS] = "all_done_setup_success",
    [RULE_ONE_SUCCESS] = "one_success",
    [RULE_ONE_FAILED] = "one_failed",
    [RULE_ONE_DONE] = "one_done",
    [RULE_NONE_FAILED] = "none_failed",
    [RULE_NONE_SKIPPED] = "none_skipped",
    [RULE_NONE_FAILED_MIN_ONE_SUCCESS] = "none_failed_min_one_success",
    [RULE_ALWAYS] = "always",
    [RULE_ALL_SKIPPED] = "all_skipped",
};

const char *trigger_rule_name(enum trigger_rule r)
{
    return rule_names[r];
}

bool trigger_rule_parse(struct slice text, enum trigger_rule *out)
{
    *out = RULE_ALWAYS;
    if (slice_is(text, "dummy")) return true;
    *out = RULE_NONE_FAILED_MIN_ONE_SUCCESS;
    if (slice_is(text, "none_failed_or_skipped")) return true;
    for (int i = 0; i < RULE_COUNT; i++) {
        *out = (enum trigger_rule)i;
        if (slice_is(text, rule_names[i])) return true;
    }
    return false;
}

/* --- who holds a dag ----------------------------------------------------------------------------
 */

static struct dag_home *home_of(const struct dag *g)
{
    return (struct dag_home *)(uintptr_t)g; /* its first field */
}

void dag_hold(const struct dag *g)
{
    __atomic_add_fetch(&home_of(g)->holders, 1, __ATOMIC_RELAXED);
}

void dag_give(const struct dag *g)
{
    if (!g || __atomic_sub_fetch(&home_of(g)->holders, 1, __ATOMIC_ACQ_REL)) return;
    struct dag_home *home = home_of(g);
    map_free(home->index);
    arena_free(home->arena); /* the home stands in it */
}

int32_t dag_task_find(const struct dag *g, struct slice id)
{
    return (int32_t)(intptr_t)map_get(home_of(g)->index, id) - 1;
}

err_t reading_no_memory(struct reading *r)
{
    return diag_fail(r->d, ERR_NO_MEMORY, "no memory to read %s", r->file);
}

err_t wrong_at(struct reading *r, uint32_t line, uint32_t column)
{
    if (!r->d) return ERR_CONFIG;
    return r->d->where[0] ? r->d->err : diag_where(r->d, "%s:%u:%u", r->file, line, column);
}

/* --- one dag ------------------------------------------------------------------------------------
 */

static err_t unknown_word(struct reading *r, const struct doc_entry *entry)
{
    const char *names[64];
    size_t n = 0;
    for (uint32_t i = 0; i < dag_words.count; i++) names[n++] = dag_words.list[i].name;
    const char *near = nearest_word(entry->name, names, n);
    (void)diag_fail(r->d, ERR_CONFIG, "a dag has no '%.*s'", SLICE_ARG(entry->name));
    if (near)
        (void)diag_hint(r->d, "did you mean '%s'?", near);
    else if (dag_word_find(&task_words, entry->name))
        (void)diag_hint(r->d, "it is a word of tasks: put it into default_args");
    return wrong_at(r, entry->line, entry->column);
}

/* Dates lean on the zone, tasks on default_args: these two come first. */
static err_t read_words(struct reading *r, const struct doc *v)
{
    static const char *const first[] = {"timezone", "default_args"};
    err_t e = ERR_OK;
    for (int turn = 0; turn < 2; turn++) {
        for (uint32_t i = 0; i < v->count && !e; i++) {
            const struct doc_entry *entry = &v->entries[i];
            const struct word *w = dag_word_find(&dag_words, entry->name);
            bool early = w && (slice_is(entry->name, first[0]) || slice_is(entry->name, first[1]));
            if (!w)
                e = unknown_word(r, entry);
            else if (early == (turn == 0))
                e = word_set(r, w, r->dag, entry);
        }
    }
    return e;
}

/* Airflow lets default_args carry a dag's start and end. */
static err_t dates_of_defaults(struct reading *r, const struct doc *v)
{
    static const char *const names[] = {"start_date", "end_date"};
    err_t e = ERR_OK;
    for (size_t i = 0; i < COUNT_OF(names) && !e; i++) {
        for (uint32_t k = 0; r->defaults && k < r->defaults->count && !e; k++)
            if (slice_is(r->defaults->entries[k].name, names[i]) && !doc_get(v, names[i]))
                e = word_set(r, dag_word_find(&dag_words, slice_of(names[i])), r->dag,
                             &r->defaults->entries[k]);
    }
    return e;
}

static err_t read_schedule(struct reading *r, const struct doc *v)
{
    const struct doc *schedule = doc_get(v, "schedule");
    const struct doc *older = doc_get(v, "schedule_interval");
    if (schedule && older) {
        (void)diag_fail(r->d, ERR_CONFIG, "`schedule` and `schedule_interval` are the same word");
        return wrong_at(r, older->line, older->column);
    }
    if (!schedule) schedule = older;
    err_t e = schedule_read(schedule, r->zone, r->arena, &r->dag->schedule, r->d);
    if (e && r->d->where[0]) { /* a line and column within this file */
        struct diag inside = *r->d;
        return diag_where(r->d, "%s:%s", r->file, inside.where);
    }
    if (e)
        return wrong_at(r, schedule ? schedule->line : r->dag->line,
                        schedule ? schedule->column : 1);
    bool timed = r->dag->schedule.kind != SCHEDULE_NONE && r->dag->schedule.kind != SCHEDULE_DATA;
    if (timed && r->dag->catchup && r->dag->start_us == INT64_MIN) {
        (void)diag_fail(r->d, ERR_CONFIG, "catchup needs a start_date");
        return wrong_at(r, r->dag->line, 1);
    }
    return ERR_OK;
}

static err_t index_tasks(struct dag_home *home, struct diag *d)
{
    err_t e = ERR_OK;
    home->index = map_new(DAG_TASKS_MAX);
    if (!home->index) return diag_fail(d, ERR_NO_MEMORY, "no memory for a dag's tasks");
    for (uint32_t i = 0; i < home->dag.task_count && !e; i++)
        e = map_set(home->index, home->dag.tasks[i].id, (void *)((intptr_t)i + 1)); // NOLINT
    return e;
}

/* A zone that it does not name is part of what it means, too. */
static err_t hash_it(struct reading *r, const struct doc *v)
{
    struct dag *g = r->dag;
    struct buf text = buf_make(DAG_FILE_MAX * (size_t)4);
    buf_slice(&text, g->id);
    if (!doc_get(v, "timezone") && !slice_is(g->zone, "UTC")) buf_slice(&text, g->zone);
    doc_put_json(&text, v);
    g->hash = hash64(buf_view(&text), 0) >> 1; /* a database's whole numbers have a sign */
    err_t e = text.err;
    buf_done(&text);
    if (!e) return ERR_OK;
    if (e == ERR_NO_MEMORY) return reading_no_memory(r);
    (void)diag_fail(r->d, e, "dag '%.*s' is too large", SLICE_ARG(g->id));
    return wrong_at(r, g->line, 1);
}

static err_t read_dag(struct reading *r, const struct doc *v)
{
    if (!is_key(r->dag->id)) {
        (void)diag_fail(r->d, ERR_CONFIG, "'%.*s' can not be a dag's id", SLICE_ARG(r->dag->id));
        (void)diag_why(r->d, "an id has letters, digits, '-', '_' and '.', at most %d bytes",
                       DAG_ID_MAX);
        return wrong_at(r, r->dag->line, 1);
    }
    if (v->kind != DOC_MAP) {
        (void)diag_fail(r->d, ERR_CONFIG, "dag '%.*s' is a map with tasks", SLICE_ARG(r->dag->id));
        return wrong_at(r, r->dag->line, 1);
    }
    err_t e = read_words(r, v);
    if (!e) e = dates_of_defaults(r, v);
    if (!e) e = read_schedule(r, v);
    if (!e) e = read_tasks(r, doc_get(v, "tasks"), -1);
    if (!e) e = read_graph(r);
    if (!e) e = hash_it(r, v);
    return e;
}

static void drop_drafts(struct reading *r)
{
    for (size_t i = 0; i < r->tasks.count; i++) {
        struct task_draft *t = vec_at(&r->tasks, i);
        vec_done(&t->upstream);
        vec_done(&t->downstream);
    }
    vec_done(&r->tasks);
    vec_done(&r->groups);
    map_free(r->names);
}

/* What a dag is before its words are read; false: no memory. */
static bool begin_dag(struct dag_home *home, struct arena *a, const char *file, struct slice id,
                      struct slice text, const struct dag_defaults *defaults)
{
    *home = (struct dag_home){.holders = 1, .arena = a};
    home->dag =
        (struct dag){.id = arena_slice(a, id),
                     .file = arena_slice(a, slice_of(file)),
                     .text = arena_slice(a, text),
                     .owner = SLICE("airflow"),
                     .zone = arena_slice(a, slice_of(defaults->zone ? defaults->zone : "UTC")),
                     .paused_at_first = defaults->paused_at_first,
                     .start_us = INT64_MIN,
                     .end_us = INT64_MAX,
                     .max_active_runs = 16,
                     .max_active_tasks = 16};
    return home->dag.id.at && home->dag.file.at && home->dag.text.at && home->dag.zone.at;
}

/* A dag lives in an arena of its own, with a copy of what it is made of: others of its file may
 * change without it. */
static err_t make_dag(const char *file, struct slice id, uint32_t line, struct slice text,
                      const struct doc *from, const struct dag_reading *into, struct diag *d)
{
    struct arena *a = arena_new(MIB(512));
    struct dag_home *home = a ? arena_take(a, sizeof *home) : NULL;
    struct doc *own = home ? arena_take(a, sizeof *own) : NULL;
    struct diag wrong = {0};
    struct reading r = {.file = file, .arena = a, .d = &wrong};
    r.tasks = vec_make(sizeof(struct task_draft), DAG_TASKS_MAX);
    r.groups = vec_make(sizeof(struct group_draft), DAG_GROUPS_MAX);
    r.names = map_new(DAG_TASKS_MAX + DAG_GROUPS_MAX);
    if (!own || !r.names || !begin_dag(home, a, file, id, text, &into->defaults) ||
        doc_copy(from, a, own)) {
        drop_drafts(&r);
        arena_free(a);
        return diag_fail(d, ERR_NO_MEMORY, "no memory to read dag '%.*s'", SLICE_ARG(id));
    }
    home->dag.line = line;
    r.dag = &home->dag;
    err_t e = zone_find(home->dag.zone, &r.zone, &wrong);
    if (!e) e = read_dag(&r, own);
    if (!e) e = index_tasks(home, &wrong);
    drop_drafts(&r);
    if (!e) {
        into->dag(into->ctx, &home->dag);
    } else {
        into->wrong(into->ctx, id, &wrong);
        dag_give(&home->dag);
    }
    return ERR_OK;
}

/* --- a file -------------------------------------------------------------------------------------
 */

/* Where lines begin, found on the way through the text once. */
struct line_walk {
    struct slice text;
    uint32_t line, at;
};

static uint32_t walk_to(struct line_walk *w, uint32_t line)
{
    if (line < w->line) w->line = 1, w->at = 0; /* what "<<" brought stands further up */
    while (w->line < line && w->at < w->text.len)
        if (w->text.at[w->at++] == '\n') w->line++;
    return w->at;
}

/* The lines from one to before another (0: to the end). */
static struct slice lines_of(struct line_walk *w, uint32_t from, uint32_t to)
{
    uint32_t start = walk_to(w, from), end = to > from ? walk_to(w, to) : w->text.len;
    return slice_make(w->text.at + start, end - start);
}

static err_t read_file(const struct doc *root, struct slice text, const char *file,
                       const struct dag_reading *into, struct diag *d)
{
    err_t e = ERR_OK;
    struct line_walk lines = {text, 1, 0};
    const struct doc *id = doc_get(root, "dag_id");
    if (id && doc_get(root, "tasks"))
        return make_dag(file, doc_text(id), root->line, text, root, into, d);
    for (uint32_t i = 0; i < root->count && !e; i++) {
        const struct doc_entry *entry = &root->entries[i];
        uint32_t next = i + 1 < root->count ? root->entries[i + 1].line : 0;
        /* "x-common: &common {…}" as compose files have it: a place for anchors, and no dag */
        if (slice_starts(entry->name, "x-") || slice_starts(entry->name, ".")) continue;
        e = make_dag(file, entry->name, entry->line, lines_of(&lines, entry->line, next),
                     &entry->value, into, d);
    }
    return e;
}

err_t dags_read(struct slice text, const char *file, const struct dag_reading *into, struct diag *d)
{
    if (text.len > DAG_FILE_MAX)
        return diag_fail(d, ERR_TOO_BIG, "%s is larger than %d MiB", file, DAG_FILE_MAX >> 20);
    struct arena *a = arena_new(GIB(1));
    struct doc root;
    struct diag wrong = {0};
    if (!a) return diag_fail(d, ERR_NO_MEMORY, "no memory to read %s", file);
    err_t e = doc_of_yaml(text, file, a, &root, &wrong);
    if (!e && root.kind != DOC_MAP && root.kind != DOC_NULL) {
        (void)diag_fail(&wrong, ERR_CONFIG, "%s is not a map of dags", file);
        (void)diag_hint(&wrong,
                        "hello: {schedule: \"@daily\", tasks: {say: {bash: \"echo hello\"}}}");
        e = diag_where(&wrong, "%s:%u:%u", file, root.line, root.column);
    }
    if (e)
        into->wrong(into->ctx, (struct slice){0}, &wrong);
    else
        e = root.kind == DOC_MAP ? read_file(&root, text, file, into, d) : ERR_OK;
    arena_free(a);
    return e == ERR_NO_MEMORY ? e : ERR_OK;
}
