/* The plain words of dags and tasks: one table each, from which they are set and guessed. */
#include "sched/dag_int.h"
#include "sched/moment.h"

const struct word *dag_word_find(const struct words *w, struct slice name)
{
    for (uint32_t i = 0; i < w->count; i++)
        if (slice_is(name, w->list[i].name)) return &w->list[i];
    return NULL;
}

static err_t wants(struct reading *r, const char *what)
{
    return diag_fail(r->d, ERR_CONFIG, "%s", what);
}

/* --- words with a meaning of their own ----------------------------------------------------------
 */

static err_t own_rule(struct reading *r, void *target, const struct doc *v)
{
    struct dag_task *t = target;
    if (trigger_rule_parse(doc_text(v), &t->rule)) return ERR_OK;
    const char *names[RULE_COUNT];
    for (int i = 0; i < RULE_COUNT; i++) names[i] = trigger_rule_name((enum trigger_rule)i);
    const char *near = nearest_word(doc_text(v), names, RULE_COUNT);
    (void)wants(r, "no such trigger_rule");
    return near ? diag_hint(r->d, "did you mean '%s'?", near)
                : diag_hint(r->d, "all_success, all_done, one_failed, none_failed …");
}

static err_t own_weight(struct reading *r, void *target, const struct doc *v)
{
    static const char *const names[] = {"downstream", "upstream", "absolute"};
    struct dag_task *t = target;
    for (uint32_t i = 0; i < COUNT_OF(names); i++) {
        t->weight_rule = (enum weight_rule)i;
        if (slice_is(doc_text(v), names[i])) return ERR_OK;
    }
    return wants(r, "weight_rule is downstream, upstream or absolute");
}

static err_t own_missed(struct reading *r, void *target, const struct doc *v)
{
    static const char *const names[] = {"catchup", "latest", "all", "skip"};
    struct dag *g = target;
    for (uint32_t i = 0; i < COUNT_OF(names); i++) {
        g->missed = (enum dag_missed)i;
        if (slice_is(doc_text(v), names[i])) return ERR_OK;
    }
    return wants(r, "missed is catchup (as that says), latest, all or skip");
}

static err_t own_zone(struct reading *r, void *target, const struct doc *v)
{
    struct dag *g = target;
    if (v->kind != DOC_TEXT) return wants(r, "timezone is a text, as Europe/Berlin");
    g->zone = v->text;
    return zone_find(v->text, &r->zone, r->d);
}

static err_t read_date(struct reading *r, const struct doc *v, int64_t *out)
{
    if (v->kind == DOC_NULL) return ERR_OK;
    if (v->kind != DOC_TEXT) return wants(r, "a date is a text, as 2024-01-31 or 2024-01-31T08:00");
    return moment_parse(v->text, r->zone, out, r->d);
}

static err_t own_start(struct reading *r, void *target, const struct doc *v)
{
    return read_date(r, v, &((struct dag *)target)->start_us);
}

static err_t own_end(struct reading *r, void *target, const struct doc *v)
{
    return read_date(r, v, &((struct dag *)target)->end_us);
}

static err_t own_tags(struct reading *r, void *target, const struct doc *v)
{
    struct dag *g = target;
    if (v->kind != DOC_LIST) return wants(r, "tags is a list");
    if (v->count > DAG_TAGS_MAX) return wants(r, "a dag has at most 64 tags");
    struct slice *tags = arena_take(r->arena, (v->count + 1) * sizeof *tags);
    if (!tags) return reading_no_memory(r);
    for (uint32_t i = 0; i < v->count; i++) {
        tags[i] = doc_text(&v->items[i]);
        if (!tags[i].len || tags[i].len > 100) return wants(r, "a tag is a text of 1 to 100 bytes");
    }
    g->tags = tags;
    g->tag_count = v->count;
    return ERR_OK;
}

/* {name: value} or {name: {default: value, type: …, description: …}} as Airflow's Param. */
static err_t own_params(struct reading *r, void *target, const struct doc *v)
{
    struct dag *g = target;
    if (v->kind != DOC_MAP) return wants(r, "params is a map of names and values");
    struct dag_param *list = arena_take(r->arena, (v->count + 1) * sizeof *list);
    if (!list) return reading_no_memory(r);
    static const struct doc null;
    for (uint32_t i = 0; i < v->count; i++) {
        const struct doc *value = &v->entries[i].value, *first = doc_get(value, "default");
        bool schema =
            value->kind == DOC_MAP && (first || doc_get(value, "type") || doc_get(value, "enum"));
        list[i] = (struct dag_param){v->entries[i].name, schema ? (first ? first : &null) : value,
                                     schema ? value : NULL,
                                     doc_text(schema ? doc_get(value, "description") : NULL)};
    }
    g->params = list;
    g->param_count = v->count;
    return ERR_OK;
}

static err_t own_defaults(struct reading *r, void *target, const struct doc *v)
{
    struct dag *g = target;
    if (v->kind != DOC_MAP) return wants(r, "default_args is a map of words of tasks");
    g->default_args = v;
    r->defaults = v;
    return ERR_OK;
}

/* {deadline: 10m}: said, and sla_miss_callback called, when a run takes longer. */
static err_t own_slo(struct reading *r, void *target, const struct doc *v)
{
    int64_t us;
    bool fits = v->kind == DOC_MAP && v->count == 1 && option_span(doc_get(v, "deadline"), &us);
    if (!fits) return wants(r, "a dag's slo is {deadline: 10m}");
    ((struct dag *)target)->slo = v;
    return ERR_OK;
}

static err_t own_deadline(struct reading *r, void *target, const struct doc *v)
{
    struct doc *slo = arena_take(r->arena, sizeof *slo);
    if (!slo) return reading_no_memory(r);
    *slo = (struct doc){.kind = DOC_MAP, .count = 1, .line = v->line};
    slo->entries = arena_take(r->arena, sizeof *slo->entries);
    if (!slo->entries) return reading_no_memory(r);
    slo->entries[0] = (struct doc_entry){.name = SLICE("deadline"), .value = *v};
    return own_slo(r, target, slo);
}

/* {lag: "< 1000"} of a service: what healthy means. */
static err_t own_task_slo(struct reading *r, void *target, const struct doc *v)
{
    struct dag_task *t = target;
    struct bound b;
    bool fits = v->kind == DOC_MAP && v->count == 1 && t->kind->id == KIND_service &&
                bound_parse(doc_text(doc_get(v, "lag")), &b);
    if (!fits) return wants(r, "a task's slo is {lag: \"< 1000\"}, of a service");
    t->slo = v;
    return ERR_OK;
}

static err_t read_callbacks(struct reading *r, struct callbacks *c, enum callback_when when,
                            const struct doc *v)
{
    static const char *const ways[] = {"http", "mail", "command"};
    uint32_t count = v->kind == DOC_LIST ? v->count : v->kind == DOC_NULL ? 0 : 1;
    const struct doc *items = v->kind == DOC_LIST ? v->items : v;
    struct callback *list = arena_take(r->arena, (count + 1) * sizeof *list);
    if (!list) return reading_no_memory(r);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t known = 0;
        for (size_t k = 0; k < COUNT_OF(ways); k++) known += doc_get(&items[i], ways[k]) != NULL;
        if (known != 1)
            return wants(r, "a callback is {http: URL}, {mail: ADDRESS} or {command: \"…\"}");
        list[i] = (struct callback){&items[i], items[i].line};
    }
    c->list[when] = list;
    c->count[when] = count;
    return ERR_OK;
}

/* --- the tables ---------------------------------------------------------------------------------
 */

#define DAG(field)  offsetof(struct dag, field)
#define TASK(field) offsetof(struct dag_task, field)
static const struct word dag_list[] = {
    /* zone and default_args come first: others lean on them (read.c) */
    {"description", WORD_TEXT, DAG(description), 0, 0, NULL},
    {"dag_display_name", WORD_TEXT, DAG(display_name), 0, 0, NULL},
    {"doc_md", WORD_TEXT, DAG(doc_md), 0, 0, NULL},
    {"owner", WORD_TEXT, DAG(owner), 0, 0, NULL},
    {"timezone", WORD_OWN, 0, 0, 0, own_zone},
    {"start_date", WORD_OWN, 0, 0, 0, own_start},
    {"end_date", WORD_OWN, 0, 0, 0, own_end},
    {"catchup", WORD_BOOL, DAG(catchup), 0, 0, NULL},
    {"missed", WORD_OWN, 0, 0, 0, own_missed},
    {"is_paused_upon_creation", WORD_BOOL, DAG(paused_at_first), 0, 0, NULL},
    {"fail_fast", WORD_BOOL, DAG(fail_fast), 0, 0, NULL},
    {"fail_stop", WORD_BOOL, DAG(fail_fast), 0, 0, NULL},
    {"render_template_as_native_obj", WORD_BOOL, DAG(render_native), 0, 0, NULL},
    {"max_active_runs", WORD_INT, DAG(max_active_runs), 0, 1000000, NULL},
    {"max_active_tasks", WORD_INT, DAG(max_active_tasks), 0, 1000000, NULL},
    {"concurrency", WORD_INT, DAG(max_active_tasks), 0, 1000000, NULL},
    {"max_consecutive_failed_dag_runs", WORD_INT, DAG(max_consecutive_failed_runs), 0, 1000000,
     NULL},
    {"dagrun_timeout", WORD_SPAN, DAG(dagrun_timeout_us), 0, 0, NULL},
    {"tags", WORD_OWN, 0, 0, 0, own_tags},
    {"params", WORD_OWN, 0, 0, 0, own_params},
    {"default_args", WORD_OWN, 0, 0, 0, own_defaults},
    {"access_control", WORD_DOC, DAG(access), 0, 0, NULL},
    {"slo", WORD_OWN, 0, 0, 0, own_slo},
    {"deadline", WORD_OWN, 0, 0, 0, own_deadline},
    {"on_success_callback", WORD_CALLBACKS, DAG(callbacks), ON_SUCCESS, 0, NULL},
    {"on_failure_callback", WORD_CALLBACKS, DAG(callbacks), ON_FAILURE, 0, NULL},
    {"sla_miss_callback", WORD_CALLBACKS, DAG(callbacks), ON_SLA, 0, NULL},
    {"on_execute_callback", WORD_CALLBACKS, DAG(callbacks), ON_EXECUTE, 0, NULL},
    {"on_retry_callback", WORD_CALLBACKS, DAG(callbacks), ON_RETRY, 0, NULL},
    {"on_skipped_callback", WORD_CALLBACKS, DAG(callbacks), ON_SKIPPED, 0, NULL},
    {"dag_id", WORD_IGNORED, 0, 0, 0, NULL},
    {"schedule", WORD_IGNORED, 0, 0, 0, NULL}, /* read.c: it leans on all the rest */
    {"schedule_interval", WORD_IGNORED, 0, 0, 0, NULL},
    {"tasks", WORD_IGNORED, 0, 0, 0, NULL},
};
const struct words dag_words = {dag_list, COUNT_OF(dag_list)};

static const struct word task_list[] = {
    {"trigger_rule", WORD_OWN, 0, 0, 0, own_rule},
    {"retries", WORD_INT, TASK(retries), 0, 100000, NULL},
    {"retry_delay", WORD_SPAN, TASK(retry_delay_us), 0, 0, NULL},
    {"max_retry_delay", WORD_SPAN, TASK(max_retry_delay_us), 0, 0, NULL},
    {"retry_exponential_backoff", WORD_BOOL, TASK(exponential), 0, 0, NULL},
    {"execution_timeout", WORD_SPAN, TASK(execution_timeout_us), 0, 0, NULL},
    {"depends_on_past", WORD_BOOL, TASK(depends_on_past), 0, 0, NULL},
    {"wait_for_downstream", WORD_BOOL, TASK(wait_for_downstream), 0, 0, NULL},
    {"ignore_first_depends_on_past", WORD_BOOL, TASK(ignore_first_depends_on_past), 0, 0, NULL},
    {"do_xcom_push", WORD_BOOL, TASK(keeps_result), 0, 0, NULL},
    {"pool", WORD_TEXT, TASK(pool), 0, 0, NULL},
    {"pool_slots", WORD_INT, TASK(pool_slots), 1, 1000000, NULL},
    {"priority_weight", WORD_INT, TASK(priority_weight), INT32_MIN, INT32_MAX, NULL},
    {"weight_rule", WORD_OWN, 0, 0, 0, own_weight},
    {"max_active_tis_per_dag", WORD_INT, TASK(max_active), 0, 1000000, NULL},
    {"task_concurrency", WORD_INT, TASK(max_active), 0, 1000000, NULL},
    {"expand", WORD_DOC, TASK(expand), 0, 0, NULL},
    {"slo", WORD_OWN, 0, 0, 0, own_task_slo},
    {"outlets", WORD_DOC, TASK(outlets), 0, 0, NULL},
    {"owner", WORD_TEXT, TASK(owner), 0, 0, NULL},
    {"doc_md", WORD_TEXT, TASK(doc_md), 0, 0, NULL},
    {"queue", WORD_TEXT, TASK(queue), 0, 0, NULL},
    {"task_display_name", WORD_TEXT, TASK(display_name), 0, 0, NULL},
    {"setup", WORD_BOOL, TASK(is_setup), 0, 0, NULL},
    {"teardown", WORD_BOOL, TASK(is_teardown), 0, 0, NULL},
    {"on_failure_fail_dagrun", WORD_BOOL, TASK(fails_run), 0, 0, NULL},
    {"on_execute_callback", WORD_CALLBACKS, TASK(callbacks), ON_EXECUTE, 0, NULL},
    {"on_success_callback", WORD_CALLBACKS, TASK(callbacks), ON_SUCCESS, 0, NULL},
    {"on_failure_callback", WORD_CALLBACKS, TASK(callbacks), ON_FAILURE, 0, NULL},
    {"on_retry_callback", WORD_CALLBACKS, TASK(callbacks), ON_RETRY, 0, NULL},
    {"on_skipped_callback", WORD_CALLBACKS, TASK(callbacks), ON_SKIPPED, 0, NULL},
    {"sla_miss_callback", WORD_CALLBACKS, TASK(callbacks), ON_SLA, 0, NULL},
    {"after", WORD_IGNORED, 0, 0, 0, NULL}, /* task.c */
    {"depends_on", WORD_IGNORED, 0, 0, 0, NULL},
    {"upstream", WORD_IGNORED, 0, 0, 0, NULL},
};
const struct words task_words = {task_list, COUNT_OF(task_list)};
#undef DAG
#undef TASK

/* --- setting ------------------------------------------------------------------------------------
 */

static err_t set_int(struct reading *r, const struct word *w, uint8_t *to, const struct doc *v)
{
    int64_t n;
    if (v->kind == DOC_NULL) return ERR_OK;
    if (!option_int(v, &n))
        return diag_fail(r->d, ERR_CONFIG, "'%s' takes a whole number", w->name);
    if (n < w->min || n > w->max)
        return diag_fail(r->d, ERR_CONFIG, "'%s' is from %lld to %lld", w->name, (long long)w->min,
                         (long long)w->max);
    int32_t small = (int32_t)n;
    memcpy(to, &small, sizeof small);
    return ERR_OK;
}

static err_t set_plain(struct reading *r, const struct word *w, void *target, const struct doc *v)
{
    uint8_t *to = (uint8_t *)target + w->at;
    bool null = v->kind == DOC_NULL;
    switch (w->type) {
    case WORD_TEXT:
        if (!null && v->kind != DOC_TEXT)
            return diag_fail(r->d, ERR_CONFIG, "'%s' takes a text", w->name);
        memcpy(to, &v->text, null ? 0 : sizeof v->text);
        return ERR_OK;
    case WORD_BOOL:
        if (!option_bool(v, (bool *)to))
            return diag_fail(r->d, ERR_CONFIG, "'%s' takes true or false", w->name);
        return ERR_OK;
    case WORD_INT: return set_int(r, w, to, v);
    case WORD_SPAN:
        if (!null && !option_span(v, (int64_t *)(void *)to))
            return diag_fail(r->d, ERR_CONFIG,
                             "'%s' takes a time, as 30s, 5m, 2h, 1d or a number of seconds",
                             w->name);
        return ERR_OK;
    case WORD_DOC: memcpy(to, &v, null ? 0 : sizeof v); return ERR_OK;
    case WORD_CALLBACKS:
        return read_callbacks(r, (struct callbacks *)(void *)to, (enum callback_when)w->min, v);
    case WORD_OWN: return w->own(r, target, v);
    case WORD_IGNORED: break;
    }
    return ERR_OK;
}

err_t word_set(struct reading *r, const struct word *w, void *target, const struct doc_entry *entry)
{
    err_t e = set_plain(r, w, target, &entry->value);
    return e ? wrong_at(r, entry->value.line, entry->value.column) : ERR_OK;
}
