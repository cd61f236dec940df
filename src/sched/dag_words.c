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
    ((struct dag *)target)->default_args = v;
    return read_defaults(r, v);
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

static err_t own_task_outlets(struct reading *r, void *target, const struct doc *v)
{
    struct dag_task *t = target;
    const struct doc *none;
    err_t e = data_names_read(v, r->arena, &t->outlets, &t->outlet_count, &none);
    if (none)
        return wants(r, "outlets are what a task changes: [{table: NAME}, {topic: NAME}, NAME]");
    return e ? reading_no_memory(r) : ERR_OK;
}

static err_t own_pool(struct reading *r, void *target, const struct doc *v)
{
    if (v->kind == DOC_NULL) return ERR_OK;
    if (v->kind != DOC_TEXT || !v->text.len || v->text.len > DAG_POOL_MAX)
        return wants(r, "pool is a name of 1 to 256 bytes");
    ((struct dag_task *)target)->pool = v->text;
    return ERR_OK;
}

static err_t own_email(struct reading *r, void *target, const struct doc *v)
{
    bool fits = v->kind == DOC_NULL || v->kind == DOC_TEXT || v->kind == DOC_LIST;
    for (uint32_t i = 0; v->kind == DOC_LIST && i < v->count; i++)
        fits &= v->items[i].kind == DOC_TEXT;
    if (!fits) return wants(r, "email is an address, or a list of them");
    ((struct dag_task *)target)->email = v->kind == DOC_NULL ? NULL : v;
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
#define ROW(name, type, at, least, most, own, fallback, sentence)                                  \
    {#name, WORD_##type, at, least, most, own, fallback, sentence},
static const struct word dag_list[] = {
#define DAG_WORD ROW
#define TASK_WORD(...)
#include "sched/words.def"
#undef DAG_WORD
#undef TASK_WORD
};
static const struct word task_list[] = {
#define DAG_WORD(...)
#define TASK_WORD ROW
#include "sched/words.def"
#undef DAG_WORD
#undef TASK_WORD
};
const struct words dag_words = {dag_list, COUNT_OF(dag_list)};
const struct words task_words = {task_list, COUNT_OF(task_list)};
#undef ROW
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
    case WORD_ELSEWHERE: break;
    }
    return ERR_OK;
}

err_t word_set(struct reading *r, const struct word *w, void *target, const struct doc_entry *entry)
{
    err_t e = set_plain(r, w, target, &entry->value);
    return e ? wrong_at(r, entry->value.line, entry->value.column) : ERR_OK;
}
