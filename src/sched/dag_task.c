/* Tasks and groups: one map of ids, each value a task by its kind's word, or a group by `tasks`. */
#include "sched/dag_int.h"

bool is_key(struct slice id)
{
    for (uint32_t i = 0; i < id.len; i++) {
        uint8_t c = id.at[i];
        bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '_' || c == '-' || c == '.' || c >= 0x80;
        if (!fits) return false;
    }
    return id.len > 0 && id.len <= DAG_ID_MAX;
}

static struct slice full_id(struct reading *r, int32_t group, struct slice id)
{
    if (group < 0) return id;
    const struct group_draft *g = vec_at(&r->groups, (size_t)group);
    return slice_of(arena_printf(r->arena, "%.*s.%.*s", SLICE_ARG(g->group.id), SLICE_ARG(id)));
}

static err_t name_it(struct reading *r, struct slice id, intptr_t place, uint32_t line)
{
    if (!is_key(id)) {
        (void)diag_fail(r->d, ERR_CONFIG, "'%.*s' can not be a task's id", SLICE_ARG(id));
        (void)diag_why(r->d, "an id has letters, digits, '-', '_' and '.', at most %d bytes",
                       DAG_ID_MAX);
        return wrong_at(r, line, 1);
    }
    if (map_get(r->names, id)) {
        (void)diag_fail(r->d, ERR_CONFIG, "two tasks have the id '%.*s'", SLICE_ARG(id));
        return wrong_at(r, line, 1);
    }
    return map_set(r->names, id, (void *)place); // NOLINT: a number, kept as one
}

/* --- which kind ---------------------------------------------------------------------------------
 * A kind's word may also be an option of another ("sql" of a branch): the kind that has the others
 * as options is meant. */
static bool all_others_are_options(const struct task_kind *k, const struct doc *v)
{
    for (uint32_t i = 0; i < v->count; i++) {
        const struct task_kind *other = task_kind_find(v->entries[i].name);
        if (other && other != k && !task_option_find(k, v->entries[i].name)) return false;
    }
    return true;
}

static err_t no_kind(struct reading *r, struct slice id, const struct doc *v)
{
    const char *names[TASK_KINDS];
    for (int i = 0; i < TASK_KINDS; i++) names[i] = task_kind_at((enum task_kind_id)i)->name;
    (void)diag_fail(r->d, ERR_CONFIG, "task '%.*s' does not say what it does", SLICE_ARG(id));
    (void)diag_hint(r->d, "one of run, service, submit, sql, bash, exec, python, http, produce, "
                          "trigger_dag, wait, branch, empty …: `sluice help kinds`");
    for (uint32_t i = 0; i < v->count; i++) {
        if (dag_word_find(&task_words, v->entries[i].name)) continue;
        const char *near = nearest_word(v->entries[i].name, names, TASK_KINDS);
        if (near)
            (void)diag_hint(r->d, "did you mean '%s' instead of '%.*s'?", near,
                            SLICE_ARG(v->entries[i].name));
    }
    return ERR_CONFIG;
}

static err_t find_kind(struct reading *r, struct slice id, const struct doc *v,
                       const struct task_kind **out)
{
    const struct task_kind *first = NULL, *second = NULL;
    *out = NULL;
    for (uint32_t i = 0; i < v->count && !*out; i++) {
        const struct task_kind *k = task_kind_find(v->entries[i].name);
        if (k && all_others_are_options(k, v)) *out = k;
        if (k && first) second = k;
        if (k && !first) first = k;
    }
    if (*out) return ERR_OK;
    if (!second) return no_kind(r, id, v);
    return diag_fail(r->d, ERR_CONFIG, "task '%.*s' is both '%s' and '%s'", SLICE_ARG(id),
                     first->name, second->name);
}

/* --- options ------------------------------------------------------------------------------------
 */

static err_t unknown_option(struct reading *r, const struct task_kind *k, struct slice name)
{
    const char *names[128];
    size_t n = 0;
    const struct task_option *o;
    for (uint32_t i = 0; (o = task_option_at(k, i)); i++) names[n++] = o->name;
    for (uint32_t i = 0; k->is_sensor && (o = task_option_at(task_kind_at(KIND_sensor), i)); i++)
        names[n++] = o->name;
    for (uint32_t i = 0; i < task_words.count; i++) names[n++] = task_words.list[i].name;
    const char *near = nearest_word(name, names, n);
    (void)diag_fail(r->d, ERR_CONFIG, "a '%s' task has no option '%.*s'", k->name, SLICE_ARG(name));
    return near ? diag_hint(r->d, "did you mean '%s'?", near)
                : diag_hint(r->d, "`sluice help kinds` lists them");
}

static err_t add_option(struct reading *r, const struct task_kind *k, const struct doc_entry *entry,
                        struct doc *options)
{
    const struct task_option *o = task_option_find(k, entry->name);
    err_t e = o ? task_option_check(o, &entry->value, r->d) : unknown_option(r, k, entry->name);
    if (e) return wrong_at(r, entry->line, entry->column);
    options->entries[options->count++] = *entry;
    return ERR_OK;
}

static err_t needs(struct reading *r, const struct dag_task *t)
{
    const struct task_option *o;
    for (uint32_t i = 0; (o = task_option_at(t->kind, i)); i++) {
        if (!o->must || doc_get(t->options, o->name)) continue;
        (void)diag_fail(r->d, ERR_CONFIG, "task '%.*s' needs '%s'", SLICE_ARG(t->id), o->name);
        (void)diag_why(r->d, "%s", o->sentence);
        return wrong_at(r, t->line, 1);
    }
    return ERR_OK;
}

static err_t unknown_default(struct reading *r, const struct doc_entry *entry)
{
    const char *names[128], *near;
    size_t n = 0;
    for (uint32_t i = 0; i < task_words.count; i++) names[n++] = task_words.list[i].name;
    (void)diag_fail(r->d, ERR_CONFIG, "no task has a word '%.*s'", SLICE_ARG(entry->name));
    if (slice_is(entry->name, "sla"))
        (void)diag_hint(r->d, "deadline of the dag says how long a run may take");
    else if ((near = nearest_word(entry->name, names, n)))
        (void)diag_hint(r->d, "did you mean '%s'?", near);
    else
        (void)diag_hint(r->d, "`sluice help words` and `sluice help kinds` list them");
    return wrong_at(r, entry->line, entry->column);
}

/* Words of every task, options of some kind, and a dag's dates: whatever else would do nothing,
 * and be believed in. */
err_t read_defaults(struct reading *r, const struct doc *v)
{
    if (v->kind != DOC_MAP) {
        (void)diag_fail(r->d, ERR_CONFIG, "default_args is a map of words of tasks");
        return wrong_at(r, v->line, v->column);
    }
    for (uint32_t i = 0; i < v->count; i++) {
        const struct doc_entry *entry = &v->entries[i];
        bool known = dag_word_find(&task_words, entry->name) ||
                     slice_is(entry->name, "start_date") || slice_is(entry->name, "end_date");
        for (int k = 0; k < TASK_KINDS && !known; k++)
            known = task_option_find(task_kind_at((enum task_kind_id)k), entry->name) != NULL;
        if (!known) return unknown_default(r, entry);
    }
    r->defaults = v;
    return ERR_OK;
}

/* default_args are words of tasks; what is no such word there is for all kinds that have it. */
static err_t apply_defaults(struct reading *r, struct dag_task *t, struct doc *options,
                            const struct doc *own)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; r->defaults && i < r->defaults->count && !e; i++) {
        const struct doc_entry *entry = &r->defaults->entries[i];
        const struct word *w = dag_word_find(&task_words, entry->name);
        if (w) e = word_set(r, w, t, entry);
        if (w || doc_find(own, entry->name)) continue;
        if (task_option_find(t->kind, entry->name)) e = add_option(r, t->kind, entry, options);
    }
    return e;
}

static struct dag_task plain_task(struct slice id, uint32_t line, int32_t group)
{
    return (struct dag_task){.id = id,
                             .line = line,
                             .group = group,
                             .mapped_group = -1,
                             .retry_delay_us = 300 * (int64_t)1000000,
                             .pool = SLICE("default_pool"),
                             .pool_slots = 1,
                             .priority_weight = 1,
                             .ignore_first_depends_on_past = true,
                             .keeps_result = true,
                             .mails_failure = true,
                             .mails_retry = true,
                             .queue = SLICE("default")};
}

static const struct doc *after_of(const struct doc *v)
{
    static const char *const names[] = {"after", "depends_on", "upstream"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (doc_get(v, names[i])) return doc_get(v, names[i]);
    return NULL;
}

/* `email`: one more callback of failures and retries. */
static err_t add_mail(struct reading *r, struct dag_task *t, enum callback_when when)
{
    uint32_t count = t->callbacks.count[when];
    struct callback *list = arena_take(r->arena, ((size_t)count + 1) * sizeof *list);
    struct doc *what = arena_take(r->arena, sizeof *what);
    struct doc_entry *mail = arena_take(r->arena, sizeof *mail);
    if (!list || !what || !mail) return reading_no_memory(r);
    if (count) memcpy(list, t->callbacks.list[when], count * sizeof *list);
    *mail = (struct doc_entry){.name = SLICE("mail"), .value = *t->email};
    *what = (struct doc){.kind = DOC_MAP, .count = 1, .entries = mail, .line = t->email->line};
    list[count] = (struct callback){what, what->line};
    t->callbacks.list[when] = list;
    t->callbacks.count[when] = count + 1;
    return ERR_OK;
}

static err_t fill_task(struct reading *r, struct dag_task *t, const struct doc *v)
{
    struct doc *options = arena_take(r->arena, sizeof *options);
    uint32_t most = v->count + (r->defaults ? r->defaults->count : 0) + 1;
    if (!options) return reading_no_memory(r);
    options->kind = DOC_MAP;
    options->entries = arena_take(r->arena, most * sizeof *options->entries);
    if (!options->entries) return reading_no_memory(r);
    t->options = options;
    err_t e = apply_defaults(r, t, options, v);
    for (uint32_t i = 0; i < v->count && !e; i++) {
        const struct doc_entry *entry = &v->entries[i];
        const struct word *w = dag_word_find(&task_words, entry->name);
        /* a kind may have a word of its own by a common name */
        bool own = task_option_find(t->kind, entry->name) != NULL;
        e = w && !own ? word_set(r, w, t, entry) : add_option(r, t->kind, entry, options);
    }
    if (!e && t->email && t->mails_failure) e = add_mail(r, t, ON_FAILURE);
    if (!e && t->email && t->mails_retry) e = add_mail(r, t, ON_RETRY);
    if (t->wait_for_downstream) t->depends_on_past = true; /* as Airflow */
    /* as_teardown() of Airflow says so, whatever the defaults */
    if (t->is_teardown && !doc_get(v, "trigger_rule")) t->rule = RULE_ALL_DONE_SETUP_SUCCESS;
    const struct doc *fails = doc_get(v, "on_failure_fail_dagrun");
    if (!e && fails && !t->is_teardown) {
        (void)diag_fail(r->d, ERR_CONFIG,
                        "on_failure_fail_dagrun is for a teardown, and '%.*s' "
                        "is none",
                        SLICE_ARG(t->id));
        return wrong_at(r, fails->line, fails->column);
    }
    t->fails_run &= t->is_teardown;
    return e ? e : needs(r, t);
}

static int32_t mapped_group_of(const struct reading *r, int32_t group)
{
    while (group >= 0) {
        const struct group_draft *g = vec_at(&r->groups, (size_t)group);
        if (g->group.expand) return group;
        group = g->group.parent;
    }
    return -1;
}

/* In a mapped group a task is mapped as the group is. What Airflow refuses there is refused. */
static err_t join_mapped_group(struct reading *r, struct dag_task *t)
{
    int32_t group = mapped_group_of(r, t->group);
    if (group < 0) return ERR_OK;
    if (t->expand) {
        (void)diag_fail(r->d, ERR_UNSUPPORTED,
                        "task '%.*s' is mapped, and its group is mapped already", SLICE_ARG(t->id));
        return wrong_at(r, t->line, 1);
    }
    if (t->rule == RULE_ALWAYS) {
        (void)diag_fail(r->d, ERR_UNSUPPORTED,
                        "task '%.*s' has trigger_rule always, which a mapped group does not allow",
                        SLICE_ARG(t->id));
        return wrong_at(r, t->line, 1);
    }
    t->expand = ((const struct group_draft *)vec_at(&r->groups, (size_t)group))->group.expand;
    t->mapped_group = group;
    return ERR_OK;
}

static err_t read_task(struct reading *r, const struct doc_entry *entry, int32_t group)
{
    static const struct doc_entry nothing = {.name = {(const uint8_t *)"empty", 5}};
    struct doc empty = {
        .kind = DOC_MAP, .count = 1, .entries = (struct doc_entry *)(uintptr_t)&nothing};
    const struct doc *v = entry->value.kind == DOC_NULL ? &empty : &entry->value;
    struct slice id = full_id(r, group, entry->name);
    struct task_draft draft = {.task = plain_task(id, entry->line, group),
                               .after = after_of(v),
                               .upstream = vec_make(sizeof(uint32_t), DAG_EDGES_MAX),
                               .downstream = vec_make(sizeof(uint32_t), DAG_EDGES_MAX)};
    if (v->kind != DOC_MAP) {
        (void)diag_fail(r->d, ERR_CONFIG, "task '%.*s' is a map: {bash: \"…\"}", SLICE_ARG(id));
        return wrong_at(r, entry->line, entry->column);
    }
    if (r->tasks.count == DAG_TASKS_MAX)
        return diag_fail(r->d, ERR_TOO_BIG, "a dag has at most %d tasks", DAG_TASKS_MAX);
    err_t e = find_kind(r, id, v, &draft.task.kind);
    if (e) return wrong_at(r, entry->line, entry->column);
    e = fill_task(r, &draft.task, v);
    if (!e) e = join_mapped_group(r, &draft.task);
    if (!e) e = name_it(r, id, (intptr_t)r->tasks.count + 1, entry->line);
    return e ? e : vec_push(&r->tasks, &draft);
}

static err_t read_group(struct reading *r, const struct doc_entry *entry, int32_t parent)
{
    static const char *const words[] = {"tasks",   "after",        "depends_on", "upstream",
                                        "tooltip", "default_args", "expand"};
    const struct doc *v = &entry->value, *outer = r->defaults, *own = doc_get(v, "default_args");
    struct group_draft draft = {{full_id(r, parent, entry->name), parent,
                                 doc_text(doc_get(v, "tooltip")), doc_get(v, "expand")},
                                after_of(v),
                                entry->line};
    int32_t place = (int32_t)r->groups.count;
    for (uint32_t i = 0; i < v->count; i++) {
        size_t k = 0;
        while (k < COUNT_OF(words) && !slice_is(v->entries[i].name, words[k])) k++;
        if (k < COUNT_OF(words)) continue;
        (void)diag_fail(r->d, ERR_CONFIG, "a group has no '%.*s'", SLICE_ARG(v->entries[i].name));
        (void)diag_hint(r->d, "tasks, after, expand, tooltip, default_args");
        return wrong_at(r, v->entries[i].line, v->entries[i].column);
    }
    if (draft.group.expand && draft.group.expand->kind == DOC_NULL) draft.group.expand = NULL;
    if (draft.group.expand && mapped_group_of(r, parent) >= 0) {
        (void)diag_fail(r->d, ERR_UNSUPPORTED, "group '%.*s' is mapped inside of a mapped group",
                        SLICE_ARG(draft.group.id));
        return wrong_at(r, entry->line, entry->column);
    }
    if (r->groups.count == DAG_GROUPS_MAX)
        return diag_fail(r->d, ERR_TOO_BIG, "a dag has at most %d groups", DAG_GROUPS_MAX);
    err_t e = name_it(r, draft.group.id, -(intptr_t)place - 1, entry->line);
    if (!e) e = vec_push(&r->groups, &draft);
    if (!e && own) e = read_defaults(r, own); /* as Airflow: its own alone, merged by `<<` */
    if (!e) e = read_tasks(r, doc_get(v, "tasks"), place);
    r->defaults = outer;
    return e;
}

err_t read_tasks(struct reading *r, const struct doc *tasks, int32_t group)
{
    if (!tasks || tasks->kind != DOC_MAP || !tasks->count) {
        (void)diag_fail(r->d, ERR_CONFIG, "there are no tasks");
        (void)diag_hint(r->d, "tasks: {hello: {bash: \"echo hello\"}}");
        return tasks ? wrong_at(r, tasks->line, tasks->column) : wrong_at(r, r->dag->line, 1);
    }
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < tasks->count && !e; i++) {
        const struct doc_entry *entry = &tasks->entries[i];
        e = doc_get(&entry->value, "tasks") ? read_group(r, entry, group)
                                            : read_task(r, entry, group);
    }
    return e;
}
