/* What a careful colleague would say about a project's streams and sources, next to samples. */
#include "main/plan/planning.h"

#include <stdio.h>

/* --- fields -------------------------------------------------------------------------------------
 */

static const char *path_of(const struct shape *s, size_t i)
{
    return ((struct shape_field *)vec_at(&s->fields, i))->path;
}

static const char *misspelt_field(const struct shape *s, const char *path)
{
    const char *names[SHAPE_FIELDS_MAX];
    size_t count = 0;
    for (; count < MIN(s->fields.count, (size_t)SHAPE_FIELDS_MAX); count++)
        names[count] = path_of(s, count);
    return count ? nearest_word(slice_of(path), names, count) : NULL;
}

/* The one that has the name inside an object: for "age" "dob.age". */
static const char *inner_field(const struct shape *s, const char *path)
{
    for (size_t i = 0; i < s->fields.count; i++) {
        const char *last = strrchr(path_of(s, i), '.');
        if (last && strcmp(last + 1, path) == 0) return path_of(s, i);
    }
    return NULL;
}

static void judge_field(struct planning *p, const struct project_stream *st, const struct sample *s,
                        const struct plan_input *in)
{
    char path[SHAPE_PATH_MAX];
    if (in->kind != INPUT_PATH || !in->path.step_count) return;
    if (!shape_path(in->path.steps, in->path.step_count, path) || shape_find(&s->shape, path))
        return;
    struct finding *f = finding_add(p, FINDING_unknown_field, st->statement,
                                    plan_place(st->plan.root, in, (struct slice){0}));
    const char *near = misspelt_field(&s->shape, path);
    if (!near) near = inner_field(&s->shape, path);
    finding_say(p, f, "%s: none of the %u sampled records of %.*s has it", path, s->count,
                SLICE_ARG(s->topic));
    if (near)
        finding_fix(p, f, "did you mean %s?", near);
    else
        finding_fix(p, f, "leave it out, or see with a larger sample: sluice plan --sample 1000");
}

static void judge_fields(struct planning *p, const struct project_stream *st)
{
    for (uint32_t i = 0; i < st->plan.topic_count; i++) {
        const struct plan_topic *t = &st->plan.topics[i]->topic;
        const struct sample *s = planning_sample_of(p, t->relation->name);
        if (!s || s->count == s->shape.broken || s->shape.cut) continue;
        for (uint32_t k = 0; k < t->input_count; k++) judge_field(p, st, s, &t->inputs[k]);
    }
}

/* --- fields that no stream reads ----------------------------------------------------------------
 */

/* Is one the other, or a part of it? */
static bool paths_meet(const char *a, const char *b)
{
    size_t i = 0;
    while (a[i] && a[i] == b[i]) i++;
    bool a_ends = !a[i] && (!b[i] || b[i] == '.' || b[i] == '[');
    bool b_ends = !b[i] && (a[i] == '.' || a[i] == '[');
    return a_ends || b_ends;
}

static bool input_covers(const struct plan_input *in, const char *field)
{
    char path[SHAPE_PATH_MAX];
    if (in->kind == INPUT_VALUE) return true;
    if (in->kind != INPUT_PATH) return false;
    return !in->path.step_count || !shape_path(in->path.steps, in->path.step_count, path) ||
           paths_meet(path, field);
}

static bool is_read(const struct planning *p, struct slice topic, const char *field, bool *any)
{
    bool read = false;
    for (size_t i = 0; i < p->project->streams.count; i++) {
        const struct project_stream *st = vec_at(&p->project->streams, i);
        for (uint32_t t = 0; t < st->plan.topic_count; t++) {
            const struct plan_topic *of = &st->plan.topics[t]->topic;
            if (!slice_equal(of->relation->name, topic)) continue;
            *any = true;
            for (uint32_t k = 0; k < of->input_count; k++)
                read |= input_covers(&of->inputs[k], field);
        }
    }
    return read;
}

static void judge_unused(struct planning *p, const struct sample *s)
{
    struct buf list = buf_make(KIB(12));
    uint32_t unused = 0, all = 0;
    bool any = false;
    for (size_t i = 0; i < s->shape.fields.count; i++) {
        const struct shape_field *f = vec_at(&s->shape.fields, i);
        if (!shape_is_leaf(f)) continue;
        all++;
        if (is_read(p, s->topic, f->path, &any)) continue;
        buf_printf(&list, "%s%s", unused ? ", " : "", f->path);
        unused++;
    }
    if (any && unused) {
        struct finding *f = finding_add(p, FINDING_unused_fields, s->statement, (struct slice){0});
        finding_say(p, f, "%u of %u fields of %.*s are kept in the topic and used by no stream: %s",
                    unused, all, SLICE_ARG(s->topic), buf_cstr(&list));
        finding_fix(p, f,
                    "none, if they are kept on purpose; a shorter retention keeps them less long");
    }
    buf_done(&list);
}

/* --- the sample through the stream --------------------------------------------------------------
 */

struct trying {
    const struct plan_stream *plan;
    uint64_t rows, dead, dead_rows; /* dead_rows: of several records, or looked up */
    char reason[300];
    struct slice place; /* of the first death's expression: perhaps a part of the script */
    uint64_t *nulls;    /* a column */
};

static err_t on_row(void *ctx, const struct column *outputs, uint32_t count, uint32_t row,
                    uint32_t record)
{
    struct trying *t = ctx;
    (void)record;
    t->rows++;
    for (uint32_t i = 0; i < count && i < t->plan->root->column_count; i++)
        t->nulls[i] += outputs[i].state[row] == NULL_VALUE;
    return ERR_OK;
}

/* A death's expression is a copy, or a field's own text. */
static struct slice death_place(const struct plan_stream *plan, struct slice expression)
{
    for (uint32_t i = 0; i < plan->topic_count; i++) {
        const struct plan_topic *t = &plan->topics[i]->topic;
        for (uint32_t k = 0; k < t->input_count; k++)
            if (slice_equal(t->inputs[k].text, expression))
                return plan_place(plan->root, &t->inputs[k], expression);
    }
    return plan_place(plan->root, NULL, expression);
}

static err_t on_dead(void *ctx, uint32_t record, struct slice reason, struct slice expression)
{
    struct trying *t = ctx;
    bool first = !t->dead && !t->dead_rows;
    if (record == UINT32_MAX)
        t->dead_rows++;
    else
        t->dead++;
    if (!first) return ERR_OK;
    t->place = death_place(t->plan, expression);
    snprintf(t->reason, sizeof(t->reason), "%.*s%s%.*s", SLICE_ARG(reason),
             expression.len ? ": " : "", (int)MIN(expression.len, 120u),
             (const char *)expression.at);
    return ERR_OK;
}

static const struct sql_column *key_of(const struct project_stream *s, uint32_t column)
{
    const struct sql_relation *into = s->plan.sink == SINK_TABLE ? s->plan.into : NULL;
    for (uint32_t i = 0; into && i < into->column_count; i++)
        if (into->columns[i].key &&
            slice_equal(into->columns[i].name, s->plan.root->columns[column].name))
            return &into->columns[i];
    return NULL;
}

static void tell_dead(struct planning *p, const struct project_stream *s, const struct trying *t,
                      uint64_t dead, uint32_t records)
{
    if (!dead && !t->dead_rows) return;
    struct finding *f = finding_add(p, FINDING_dead_letters, s->statement, t->place);
    if (f && dead == records) f->severity = SEVERITY_ERROR;
    if (!dead)
        finding_say(p, f,
                    "%llu rows of the sample can not be made, and would leave letters; the "
                    "first: %s",
                    (unsigned long long)t->dead_rows, t->reason);
    else
        finding_say(p, f, "%llu of %u sampled records would become dead letters; the first: %s",
                    (unsigned long long)dead, records, t->reason);
    finding_fix(p, f,
                "CAST(field AS type) where two types meet, TRY_CAST where a null will do, or a "
                "WHERE that leaves such records out");
}

/* Sampled fields of a column that are there and no null: `null` in every record otherwise. */
static uint64_t present(const struct planning *p, const struct origins *from, const char **path)
{
    static char kept[SHAPE_PATH_MAX];
    if (from->count != 1 || from->items[0].input->kind != INPUT_PATH) return 0;
    const struct plan_input *in = from->items[0].input;
    const struct sample *s = planning_sample_of(p, from->items[0].topic->topic.relation->name);
    if (!s || !shape_path(in->path.steps, in->path.step_count, kept)) return 0;
    const struct shape_field *f = shape_find(&s->shape, kept);
    *path = kept;
    return f ? f->values - f->kinds[SHAPE_NULL] : 0;
}

static void judge_nulls(struct planning *p, const struct project_stream *s, const struct trying *t,
                        uint32_t records)
{
    for (uint32_t i = 0; i < s->plan.root->column_count; i++) {
        const struct plan_column *column = &s->plan.root->columns[i];
        const char *path = NULL;
        struct origins from;
        if (!t->nulls[i]) continue;
        origins_of(s->plan.root, i, &from);
        if (key_of(s, i)) {
            struct finding *f = finding_add(p, FINDING_null_in_key, s->statement, from.text);
            finding_say(p, f,
                        "%.*s is in the key of %.*s and null in %llu of %llu rows of the "
                        "sample: such rows can not be stored",
                        SLICE_ARG(column->name), SLICE_ARG(s->plan.into->name),
                        (unsigned long long)t->nulls[i], (unsigned long long)t->rows);
            finding_fix(p, f, "CHECK (%.*s IS NOT NULL) ELSE DEAD LETTER, or COALESCE with a value",
                        SLICE_ARG(from.text.at ? from.text : column->name));
        }
        /* every row has its record here: what is null beyond the fields that were, a cast made */
        uint64_t there = from.tries && t->rows == records ? present(p, &from, &path) : 0;
        if (there && t->nulls[i] + there > records) {
            struct finding *f = finding_add(p, FINDING_lossy_cast, s->statement, from.text);
            finding_say(p, f, "TRY_CAST makes a null of %s in %llu of %u sampled records", path,
                        (unsigned long long)(t->nulls[i] + there - records), records);
            finding_fix(p, f, "a wider type; or CAST, which keeps such records as dead letters");
        }
    }
}

static bool any_node(const struct plan_node *n, enum node_kind kind)
{
    if (n->kind == kind) return true;
    for (uint32_t i = 0; i < n->input_count; i++)
        if (any_node(n->inputs[i], kind)) return true;
    return false;
}

/* A table that the plan looks up and that holds nothing to look at. */
static const struct sql_relation *missing_table(const struct planning *p, const struct plan_node *n)
{
    const struct sql_relation *r = n->kind == NODE_LOOKUP ? n->lookup.relation : NULL;
    if (r && (!p->world->store || !store_table_find(p->world->store, r->keyspace, r->name)))
        return r;
    r = NULL;
    for (uint32_t i = 0; !r && i < n->input_count; i++) r = missing_table(p, n->inputs[i]);
    return r;
}

/* Why the sample can not be tried, and (a finding's) fix; false: it can. */
static bool untriable(struct planning *p, const struct plan_stream *plan, const char **why,
                      const char **fix)
{
    const struct sql_relation *table = missing_table(p, plan->root);
    *why = NULL;
    if (any_node(plan->root, NODE_TRANSFORM) && !p->run_commands) {
        *why = "its command is not run";
        *fix = "`sluice plan --run-commands` runs it on the sample";
    } else if (table) {
        *why =
            arena_printf(p->texts, "it looks rows up in %.*s, of which there are no data to read",
                         SLICE_ARG(table->name));
        *fix = "plan again when the table is there and no server works on the data";
    }
    return *why != NULL;
}

static void judge_state(struct planning *p, const struct project_stream *s,
                        const struct plan_node *n, uint64_t rows, uint32_t records);

static err_t judge_trial(struct planning *p, const struct project_stream *s, struct diag *d)
{
    uint32_t topics = s->plan.topic_count, records = 0;
    struct trial_topic *given = arena_take(p->texts, (topics + 1) * sizeof(*given));
    struct trying t = {.plan = &s->plan};
    const char *why, *fix = "";
    struct ledger l = {0};
    if (!given) return diag_fail(d, ERR_NO_MEMORY, "no memory to try a stream");
    for (uint32_t i = 0; i < topics; i++) {
        const struct sample *of = planning_sample_of(p, s->plan.topics[i]->topic.relation->name);
        if (of) given[i] = (struct trial_topic){of->records, of->count};
        records += given[i].count;
    }
    bool not = untriable(p, &s->plan, &why, &fix);
    if (not || !records) {
        if (not &&records) {
            struct finding *f = finding_add(p, FINDING_not_tried, s->statement, s->plan.text);
            finding_say(p, f, "the sample was not run through %.*s: %s", SLICE_ARG(s->plan.name),
                        why);
            finding_fix(p, f, "%s", fix);
        }
        judge_state(p, s, s->plan.root, 0, 0);
        return ERR_OK;
    }
    t.nulls = arena_take(p->texts, MAX(s->plan.root->column_count, 1u) * sizeof(*t.nulls));
    if (!t.nulls) return diag_fail(d, ERR_NO_MEMORY, "no memory to try a stream");
    const struct trial into = {&t, on_row, on_dead};
    struct diag inner = {.err = ERR_OK};
    err_t e = stream_trial(&s->plan, given, p->world->store, p->now_ms, &into, &l, &inner);
    if (e) {
        struct finding *f = finding_add(p, FINDING_not_tried, s->statement, s->plan.text);
        if (f) f->severity = SEVERITY_WARNING;
        finding_say(p, f, "the sample does not go through %.*s: %s", SLICE_ARG(s->plan.name),
                    inner.what);
        finding_fix(p, f, "%s", inner.hint);
        return ERR_OK;
    }
    tell_dead(p, s, &t, l.dead, records);
    judge_nulls(p, s, &t, records);
    judge_state(p, s, s->plan.root, t.rows, records);
    return ERR_OK;
}

/* --- state, windows, keys, commands -------------------------------------------------------------
 */

static const char *kept_for_ever(const struct plan_node *n)
{
    switch (n->kind) {
    case NODE_GROUP:
        return n->group.window.kind || n->group.ttl_ms || !n->group.key_count
                   ? NULL
                   : "a group for each of its keys";
    case NODE_JOIN:
        return n->join.bounded || n->join.ttl_ms ? NULL : "every row of both sides of the join";
    case NODE_DISTINCT:
        return n->distinct.within_watermark || n->distinct.ttl_ms ? NULL : "every key it has seen";
    case NODE_TOP: return n->top.ttl_ms ? NULL : "the first rows of each of its keys";
    default: return NULL;
    }
}

static void judge_state(struct planning *p, const struct project_stream *s,
                        const struct plan_node *n, uint64_t rows, uint32_t records)
{
    const char *kept = n->stateful ? kept_for_ever(n) : NULL;
    for (uint32_t i = 0; i < n->input_count; i++) judge_state(p, s, n->inputs[i], rows, records);
    if (!kept) return;
    struct finding *f = finding_add(p, FINDING_state_grows, s->statement, n->text);
    bool repeats = records && n->kind != NODE_JOIN && rows * 2 <= records;
    if (f && repeats) f->severity = SEVERITY_NOTE;
    if (records)
        finding_say(p, f, "%.*s keeps %s for ever: %u sampled records left %llu rows",
                    SLICE_ARG(s->plan.name), kept, records, (unsigned long long)rows);
    else
        finding_say(p, f, "%.*s keeps %s for ever: it grows with every record",
                    SLICE_ARG(s->plan.name), kept);
    if (n->kind == NODE_JOIN)
        finding_fix(p, f,
                    "bound it in time: … AND b.ts BETWEEN a.ts AND a.ts + INTERVAL '1' HOUR; "
                    "or WITH (state_ttl = '1d')");
    else if (!repeats)
        finding_fix(p, f, "WITH (state_ttl = '1d') forgets what nobody has touched; or a window");
}

static bool declares_time(const struct plan_node *n, const struct plan_node **topic)
{
    if (n->kind == NODE_TOPIC) {
        *topic = n;
        return n->topic.relation->time.at != NULL;
    }
    for (uint32_t i = 0; i < n->input_count; i++)
        if (!declares_time(n->inputs[i], topic)) return false;
    return true;
}

static void judge_windows(struct planning *p, const struct project_stream *s,
                          const struct plan_node *n)
{
    bool window = n->kind == NODE_WINDOW || (n->kind == NODE_GROUP && n->group.window.kind);
    const struct plan_node *topic = NULL;
    if (window && !declares_time(n, &topic)) {
        struct finding *f = finding_add(p, FINDING_no_watermark, s->statement, n->text);
        finding_say(p, f,
                    "a window over %.*s, which declares no watermark: a record that comes out of "
                    "order may be late",
                    SLICE_ARG(topic->topic.relation->name));
        finding_fix(p, f, "WATERMARK FOR field DELAY '5s' in its CREATE SOURCE or CREATE TOPIC");
        return; /* once is enough */
    }
    for (uint32_t i = 0; i < n->input_count; i++) judge_windows(p, s, n->inputs[i]);
}

static void judge_keys(struct planning *p, const struct project_stream *s)
{
    for (uint32_t i = 0; i < s->plan.root->column_count; i++) {
        struct origins from;
        if (!key_of(s, i)) continue;
        origins_of(s->plan.root, i, &from);
        if (!from.fresh) continue;
        struct finding *f = finding_add(p, FINDING_fresh_key, s->statement, from.text);
        finding_say(p, f,
                    "%s() in the key column %.*s: a record that is fetched twice, or replayed "
                    "in another epoch, becomes another row",
                    from.fresh, SLICE_ARG(s->plan.root->columns[i].name));
        finding_fix(p, f,
                    "a key of the record's own, like its id; or one made of its fields: "
                    "sha256(…)");
    }
}

static void judge_command(struct planning *p, const struct project_stream *s)
{
    if (!any_node(s->plan.root, NODE_TRANSFORM)) return;
    struct finding *f = finding_add(p, FINDING_command, s->statement, s->plan.text);
    finding_say(p, f, "%.*s runs a command: the same records need not give the same rows",
                SLICE_ARG(s->plan.name));
    finding_fix(p, f,
                "none, if its answer depends on its input alone: no clock, no network, no chance");
}

/* --- sources ------------------------------------------------------------------------------------
 */

static const struct connect_setting *setting(const struct connect_kind *k,
                                             const struct connect_setting *all, const char *name)
{
    for (size_t i = 0; i < k->option_count; i++)
        if (strcmp(k->options[i].name, name) == 0) return &all[i];
    return NULL;
}

static struct slice option_place(const struct statement *s, const char *name)
{
    for (uint32_t i = 0; i < s->source.options.count; i++)
        if (slice_is(s->source.options.items[i].name, name))
            return slice_make(s->source.options.items[i].at, 1);
    return (struct slice){0};
}

struct shared { /* what all sources of one quota say */
    int64_t number, per_ms;
    double per_second; /* records that live polling asks for; sources without `every`: none */
    uint32_t sources, hungry;
};

static err_t add_shared(struct planning *p, const struct statement *s, struct slice name,
                        struct shared *all, struct diag *d)
{
    const struct connect_kind *kind;
    struct connect_setting *settings;
    struct connect_common common;
    err_t e = project_source(p->project, s, &kind, &settings, &common, d);
    if (e) return e;
    const struct connect_setting *quota = setting(kind, settings, "quota"),
                                 *rate = setting(kind, settings, "rate_limit"),
                                 *results = setting(kind, settings, "results");
    if (!quota || !quota->given || !slice_equal(quota->text, name)) return ERR_OK;
    all->sources++;
    if (rate && rate->given) all->number = rate->number, all->per_ms = rate->per;
    if (!common.every_ms) all->hungry++;
    if (common.every_ms)
        all->per_second += 1000.0 * (double)(results && results->number ? results->number : 1) /
                           (double)common.every_ms;
    return ERR_OK;
}

/* The quota's use by all its sources, said at each. */
static err_t judge_shared(struct planning *p, const struct statement *s, struct slice name,
                          struct diag *d)
{
    struct shared all = {0};
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < p->project->script.count && !e; i++) {
        const struct statement *other = &p->project->script.statements[i];
        if (other->kind == STATEMENT_CREATE_SOURCE) e = add_shared(p, other, name, &all, d);
    }
    if (e) return e;
    struct finding *f = finding_add(p, FINDING_quota, s, option_place(s, "quota"));
    if (!all.number) {
        if (f) f->severity = SEVERITY_WARNING;
        finding_say(p, f, "no source says how much quota '%.*s' is: it fails when it fetches",
                    SLICE_ARG(name));
        finding_fix(p, f, "rate_limit = '100/1m', say, at one of its sources");
        return ERR_OK;
    }
    double wanted = all.per_second * (double)all.per_ms / 1000;
    finding_say(p, f,
                "quota '%.*s', %lld records in %.10g s, is shared by %u source%s; by their every "
                "they ask for %.0f (%.3g%%)%s",
                SLICE_ARG(name), (long long)all.number, (double)all.per_ms / 1000, all.sources,
                all.sources == 1 ? "" : "s", wanted, 100 * wanted / (double)all.number,
                all.hungry ? ", and those without every for what is left" : "");
    if (wanted <= (double)all.number) return ERR_OK;
    if (f) f->severity = SEVERITY_WARNING;
    finding_fix(p, f, "they will fall behind: a longer every, or fewer results");
    return ERR_OK;
}

static err_t judge_quota(struct planning *p, const struct statement *s, struct diag *d)
{
    const struct connect_kind *kind;
    struct connect_setting *settings;
    struct connect_common common;
    err_t e = project_source(p->project, s, &kind, &settings, &common, d);
    if (e) return e;
    const struct connect_setting *rate = setting(kind, settings, "rate_limit");
    const struct connect_setting *quota = setting(kind, settings, "quota");
    if (quota && quota->given) return judge_shared(p, s, quota->text, d);
    const struct connect_setting *results = setting(kind, settings, "results");
    if (!rate || !rate->given || !rate->number) return ERR_OK;
    int64_t asks = results && results->number > 0 ? results->number : 1;
    struct finding *f = finding_add(p, FINDING_quota, s, option_place(s, "rate_limit"));
    if (!common.every_ms) {
        finding_say(p, f, "it asks as fast as rate_limit lets it: %lld records in %lld s",
                    (long long)rate->number, (long long)rate->per / 1000);
        return ERR_OK;
    }
    double wanted = (double)asks * (double)rate->per / (double)common.every_ms;
    finding_say(p, f,
                "every %.10g s %lld records: %.0f of the %lld that rate_limit allows in %.10g "
                "s (%.3g%%)",
                (double)common.every_ms / 1000, (long long)asks, wanted, (long long)rate->number,
                (double)rate->per / 1000, 100 * wanted / (double)rate->number);
    if (wanted <= (double)rate->number) return ERR_OK;
    if (f) f->severity = SEVERITY_WARNING;
    finding_fix(p, f, "it will fall behind its own every: every = '%lldms', or fewer results",
                (long long)((double)asks * (double)rate->per / (double)rate->number + 1));
    return ERR_OK;
}

static err_t judge_statement(struct planning *p, const struct statement *s, struct diag *d)
{
    for (uint32_t i = 0; i < s->note_count; i++) {
        struct finding *f = finding_add(p, FINDING_ignored, s, (struct slice){0});
        finding_say(p, f, "%.*s", SLICE_ARG(s->notes[i].text));
        finding_fix(p, f, "take it out, or leave it: nothing comes of it");
        if (!f) continue;
        f->line = s->notes[i].line;
        f->column = s->notes[i].column;
    }
    return s->kind == STATEMENT_CREATE_SOURCE ? judge_quota(p, s, d) : ERR_OK;
}

err_t planning_judge(struct planning *p, struct diag *d)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < p->project->script.count; i++)
        e = judge_statement(p, &p->project->script.statements[i], d);
    for (size_t i = 0; !e && i < p->project->streams.count; i++) {
        const struct project_stream *s = vec_at(&p->project->streams, i);
        judge_fields(p, s);
        judge_keys(p, s);
        judge_windows(p, s, s->plan.root);
        judge_command(p, s);
        judge_personal(p, s);
        e = judge_trial(p, s, d);
    }
    for (size_t i = 0; !e && i < p->samples.count; i++) judge_unused(p, vec_at(&p->samples, i));
    return e;
}
