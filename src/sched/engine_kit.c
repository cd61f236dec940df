#include "sched/engine_kit.h"

#include "test.h"

#include <stdio.h>
#include <unistd.h>

static int64_t kit_wall(void *ctx)
{
    return ((struct kit_clock *)ctx)->wall;
}

static int64_t kit_mono(void *ctx)
{
    return ((struct kit_clock *)ctx)->mono;
}

/* --- the fake workshop ------------------------------------------------------------------------
 */

static const char *alive_key(const struct work_order *o, char *out, size_t size)
{
    snprintf(out, size, "%" PRId64 " %.*s %d", o->key.run, SLICE_ARG(o->key.task_id),
             o->key.map_index);
    return out;
}

static void now_alive(struct kit *k, const struct work_order *o)
{
    char key[512];
    struct slice name = slice_of(alive_key(o, key, sizeof(key)));
    if (map_get(k->alive, name)) test_failed(__FILE__, __LINE__, "%s runs twice at once", key);
    if (map_set(k->alive, name, k)) test_failed(__FILE__, __LINE__, "no memory");
}

static void now_dead(struct kit *k, const struct work_order *o)
{
    char key[512];
    map_remove(k->alive, slice_of(alive_key(o, key, sizeof(key))));
}

static bool scripted(struct kit *k, struct work_order *o, struct work_answer *a)
{
    static struct doc result;
    static struct slice follows[16];
    const struct script *s = k->scripts;
    while (s && s->task &&
           (!slice_is(o->key.task_id, s->task) || (s->only && s->only != o->key.map_index + 1)))
        s++;
    if (!s || !s->task) return true;
    size_t len = strlen(s->outcomes), at = (size_t)o->key.try_number - 1;
    char c = s->outcomes[MIN(at, len - 1)];
    a->outcome = c == 'f'   ? WORK_FAILED
                 : c == 'F' ? WORK_FAILED_FOR_GOOD
                 : c == 'k' ? WORK_SKIPPED
                 : c == 'a' ? WORK_AGAIN
                 : c == 'l' ? WORK_LOST
                            : WORK_SUCCESS;
    a->again_us = k->clock->wall + 60000000;
    if (s->result && !doc_of_json(slice_of(s->result), k->results, &result, NULL))
        a->result = &result;
    a->branching = s->follows != NULL || s->short_circuit;
    a->ignores_rules = s->short_circuit;
    for (const char *at_id = s->follows; at_id && *at_id && a->branch_count < 16;) {
        size_t n = strcspn(at_id, ",");
        follows[a->branch_count++] = slice_make(at_id, n);
        at_id += n + (at_id[n] == ',');
    }
    a->branches = follows;
    return c != 'w';
}

static err_t kit_start(void *ctx, struct work_order *o, struct diag *d)
{
    struct kit *k = ctx;
    struct work_answer a = {.outcome = WORK_SUCCESS};
    size_t used = strlen(k->begun);
    (void)d;
    k->started++;
    if (used + o->key.task_id.len + 2 < sizeof(k->begun))
        snprintf(k->begun + used, sizeof(k->begun) - used, used ? " %.*s" : "%.*s",
                 SLICE_ARG(o->key.task_id));
    now_alive(k, o);
    bool ends = k->outcome ? k->outcome(k->ctx, o, &a) : scripted(k, o, &a);
    if (!ends) return vec_push(&k->kept, &o);
    now_dead(k, o);
    engine_answer(k->engine, o, &a);
    return ERR_OK;
}

static bool kit_adopt(void *ctx, struct work_order *o)
{
    struct kit *k = ctx;
    if (k->adopts) {
        if (vec_push(&k->kept, &o)) return false;
        return true;
    }
    now_dead(k, o);
    return false;
}

static void kit_stop(void *ctx, struct work_order *o)
{
    struct kit *k = ctx;
    if (vec_push(&k->stopped, &o)) test_failed(__FILE__, __LINE__, "no memory");
}

static void kit_call_back(void *ctx, int64_t id, const struct doc *what, const struct doc *context)
{
    struct kit *k = ctx;
    (void)what;
    (void)context;
    k->calls++;
    engine_called_back(k->engine, id);
}

static void forget_order(struct vec *list, const struct work_order *o)
{
    for (size_t i = 0; i < list->count; i++) {
        if (*(struct work_order **)vec_at(list, i) != o) continue;
        vec_remove(list, i);
        return;
    }
}

struct work_order *kit_order(const struct kit *k, const char *task_id)
{
    for (size_t i = 0; i < k->kept.count; i++) {
        struct work_order *o = *(struct work_order **)vec_at(&k->kept, i);
        if (slice_is(o->key.task_id, task_id)) return o;
    }
    return NULL;
}

void kit_end_as(struct kit *k, struct work_order *o, const struct work_answer *a)
{
    forget_order(&k->kept, o);
    forget_order(&k->stopped, o);
    now_dead(k, o);
    engine_answer(k->engine, o, a);
}

void kit_end(struct kit *k, struct work_order *o, enum work_outcome outcome)
{
    struct work_answer a = {.outcome = outcome, .again_us = k->clock->wall + 60000000};
    kit_end_as(k, o, &a);
}

void kit_answer(struct kit *k, const char *task_id, enum work_outcome outcome)
{
    struct work_order *o = kit_order(k, task_id);
    if (o)
        kit_end(k, o, outcome);
    else
        test_failed(__FILE__, __LINE__, "no order of %s is out", task_id);
}

/* --- opening ----------------------------------------------------------------------------------
 */

static void take_dag(void *ctx, struct dag *g)
{
    struct kit *k = ctx;
    struct diag d = {0};
    CHECK_OK(engine_dag_set(k->engine, g, &d), &d);
    dag_give(g);
}

static void take_wrong(void *ctx, struct slice dag_id, const struct diag *d)
{
    (void)ctx;
    test_failed(__FILE__, __LINE__, "dag %.*s: %s", SLICE_ARG(dag_id), d->what);
}

static void set_dags(struct kit *k)
{
    struct diag d = {0};
    struct dag_reading into = {k, take_dag, take_wrong};
    CHECK_OK(engine_dags_begin(k->engine, &d), &d);
    for (size_t i = 0; i < k->files.count; i++)
        CHECK_OK(dags_read(*(struct slice *)vec_at(&k->files, i), "dags.yaml", &into, &d), &d);
    CHECK_OK(engine_dags_end(k->engine, true, &d), &d);
}

void kit_dags(struct kit *k, const char *yaml)
{
    for (size_t i = 0; i < k->files.count; i++)
        mem_give((void *)(uintptr_t)((struct slice *)vec_at(&k->files, i))->at);
    vec_clear(&k->files);
    struct slice text = slice_make(mem_text(slice_of(yaml)), strlen(yaml));
    if (vec_push(&k->files, &text)) test_failed(__FILE__, __LINE__, "no memory");
    set_dags(k);
}

static const struct dag *kit_dag(void *ctx, struct slice id)
{
    return engine_dag(((struct kit *)ctx)->engine, id);
}

static uint32_t kit_dags_all(void *ctx, const struct dag **out, uint32_t max)
{
    return engine_dags(((struct kit *)ctx)->engine, out, max);
}

static struct data_place kit_data_at(void *ctx, const struct data_name *n)
{
    const struct kit *k = ctx;
    for (size_t i = 0; i < COUNT_OF(k->data) && k->data[i].name; i++)
        if (slice_is(n->name, k->data[i].name)) return k->data[i].at;
    return (struct data_place){0};
}

static bool open_engine(struct kit *k)
{
    struct diag d = {0};
    struct engine_options o = {
        .meta = k->meta = meta_kit_open(k->where),
        .identity = k->identity,
        .host = "here",
        .pid = 1,
        .logs_dir = test_dir(),
        .workshop = {.ctx = k,
                     .start = kit_start,
                     .adopt = kit_adopt,
                     .stop = kit_stop,
                     .call_back = kit_call_back},
        .data_at = kit_data_at,
        .data_ctx = k,
        .wall_us = kit_wall,
        .mono_us = kit_mono,
        .clock = k->clock,
        .seed = 7,
    };
    if (!k->meta) return false;
    CHECK_OK(engine_open(&o, &k->engine, &d), &d);
    return k->engine != NULL;
}

static bool open_kit(struct kit *k, const char *where, const char *identity, const char *yaml)
{
    snprintf(k->where, sizeof(k->where), "%s", where);
    snprintf(k->identity, sizeof(k->identity), "%s", identity);
    k->kept = vec_make(sizeof(struct work_order *), 1 << 20);
    k->stopped = vec_make(sizeof(struct work_order *), 1 << 20);
    k->files = vec_make(sizeof(struct slice), 16);
    k->own = meta_kit_open(where);
    k->results = arena_new(MIB(64));
    if (!k->own || !open_engine(k)) return false;
    k->ops = (struct ops){.meta = k->own,
                          .now_us = k->clock->wall,
                          .dag = kit_dag,
                          .dags = kit_dags_all,
                          .ctx = k,
                          .user = SLICE("ada"),
                          .via = "test",
                          .seed = 9};
    if (yaml) kit_dags(k, yaml);
    return true;
}

bool kit_open(struct kit *k, const char *yaml)
{
    *k = (struct kit){.own_clock = {INT64_C(1704067200) * 1000000, 5000000}};
    k->clock = &k->own_clock;
    k->alive = map_new(1 << 20);
    char where[600];
    snprintf(where, sizeof(where), "%s", meta_kit_where());
    return open_kit(k, where, "one", yaml);
}

bool kit_open_beside(struct kit *k, const struct kit *first, const char *identity, const char *yaml)
{
    *k = (struct kit){.clock = first->clock, .alive = first->alive};
    return open_kit(k, first->where, identity, yaml);
}

void kit_close(struct kit *k)
{
    engine_close(k->engine);
    meta_close(k->meta);
    meta_close(k->own);
    for (size_t i = 0; i < k->files.count; i++)
        mem_give((void *)(uintptr_t)((struct slice *)vec_at(&k->files, i))->at);
    arena_free(k->results);
    vec_done(&k->files);
    vec_done(&k->kept);
    vec_done(&k->stopped);
    if (k->clock == &k->own_clock) map_free(k->alive);
    k->engine = NULL;
    k->meta = k->own = NULL;
}

/* The connection goes first, so that the engine's last words find no database. */
void kit_crash(struct kit *k)
{
    vec_clear(&k->kept);
    vec_clear(&k->stopped);
    k->engine->job = 0;
    engine_close(k->engine);
    meta_close(k->meta);
    k->engine = NULL;
    k->meta = NULL;
}

void kit_die(struct kit *k)
{
    for (size_t i = 0; i < k->kept.count; i++)
        now_dead(k, *(struct work_order **)vec_at(&k->kept, i));
    kit_crash(k);
}

bool kit_again(struct kit *k)
{
    if (!open_engine(k)) return false;
    set_dags(k);
    return true;
}

/* --- turning ----------------------------------------------------------------------------------
 */

void kit_turn(struct kit *k)
{
    engine_wake(k->engine);
    for (int n = 0; n < 100000; n++) {
        k->ops.now_us = k->clock->wall;
        if (engine_turn(k->engine) > 0 && n > 0) return;
    }
    test_failed(__FILE__, __LINE__, "the engine never comes to rest");
}

void kit_advance(struct kit *k, int64_t us)
{
    kit_turn(k);
    for (int n = 0; us > 0 && n < 1000000; n++) {
        int64_t step = MIN(MAX(engine_turn(k->engine), 1), us);
        k->clock->wall += step;
        k->clock->mono += step;
        us -= step;
    }
    kit_turn(k);
}

int64_t kit_trigger_at(struct kit *k, const char *dag_id, const char *run_id, const char *conf,
                       int64_t logical)
{
    struct arena *a = arena_new(MIB(16));
    struct run_row run = {0};
    struct diag d = {0};
    struct ops_trigger t = {.dag_id = slice_of(dag_id),
                            .run_id = slice_of(run_id),
                            .conf = slice_of(conf),
                            .logical = logical,
                            .interval_start = TIME_NONE,
                            .interval_end = TIME_NONE,
                            .run_after = TIME_NONE};
    k->ops.now_us = k->clock->wall;
    CHECK_OK(ops_trigger(&k->ops, &t, a, &run, &d), &d);
    arena_free(a);
    return run.id;
}

int64_t kit_trigger(struct kit *k, const char *dag_id, const char *run_id, const char *conf)
{
    return kit_trigger_at(k, dag_id, run_id, conf, TIME_NONE);
}

/* --- looking ----------------------------------------------------------------------------------
 */

struct listing {
    char *text;
    size_t used, size;
};

static err_t list_state(void *ctx, const struct meta_row *row)
{
    struct listing *l = ctx;
    struct slice state = row->at[2].kind == META_NULL ? SLICE("none") : row->at[2].text;
    l->used += (size_t)snprintf(l->text + l->used, l->size - l->used, l->used ? " %.*s" : "%.*s",
                                SLICE_ARG(row->at[0].text));
    if (row->at[1].number >= 0 && l->used < l->size)
        l->used +=
            (size_t)snprintf(l->text + l->used, l->size - l->used, "[%d]", (int)row->at[1].number);
    if (l->used < l->size)
        l->used +=
            (size_t)snprintf(l->text + l->used, l->size - l->used, "=%.*s", SLICE_ARG(state));
    return l->used < l->size ? ERR_OK : ERR_TOO_BIG;
}

const char *kit_states(struct kit *k, const char *run_id)
{
    static char text[1 << 16];
    struct listing l = {text, 0, sizeof(text)};
    struct diag d = {0};
    struct meta_value args[] = {meta_text(slice_of(run_id))};
    text[0] = '\0';
    CHECK_OK(meta_run_text(k->own,
                           "SELECT t.task_id, t.map_index, t.state FROM task_instance t JOIN "
                           "dag_run r ON r.id = t.run WHERE r.run_id = $1 ORDER BY t.task_id, "
                           "t.map_index",
                           args, 1, list_state, &l, NULL, &d),
             &d);
    return text;
}

const char *kit_run_state(struct kit *k, const char *run_id)
{
    static char text[64];
    char statement[512];
    snprintf(statement, sizeof(statement), "SELECT state FROM dag_run WHERE run_id = '%s'", run_id);
    meta_kit_text(k->own, statement, text, sizeof(text));
    return text;
}

int32_t kit_tries(struct kit *k, const char *run_id, const char *task_id)
{
    char statement[512];
    snprintf(statement, sizeof(statement),
             "SELECT COALESCE(MAX(t.try_number), 0) FROM task_instance t JOIN dag_run r ON r.id = "
             "t.run WHERE r.run_id = '%s' AND t.task_id = '%s'",
             run_id, task_id);
    return (int32_t)meta_kit_number(k->own, statement);
}

void kit_audit(struct kit *k)
{
    CHECK_INT(meta_kit_number(
                  k->own, "SELECT COUNT(*) FROM (SELECT run, task_id, map_index, COUNT(*) AS n, "
                          "MIN(try_number) AS low, MAX(try_number) AS high FROM task_try "
                          "GROUP BY run, task_id, map_index) AS t WHERE low <> 1 OR high <> n"),
              0);
    CHECK_INT(meta_kit_number(k->own,
                              "SELECT COUNT(*) FROM (SELECT run, task_id, map_index, COUNT(*) AS n "
                              "FROM task_try WHERE state = 'running' GROUP BY run, task_id, "
                              "map_index) AS t WHERE n > 1"),
              0);
    CHECK_INT(meta_kit_number(
                  k->own, "SELECT COUNT(*) FROM task_instance t LEFT JOIN task_try y ON y.run = "
                          "t.run AND y.task_id = t.task_id AND y.map_index = t.map_index AND "
                          "y.try_number = t.try_number WHERE t.try_number > 0 AND y.run IS NULL"),
              0);
}
