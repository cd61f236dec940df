/* Dags: what is read, in which order, with which weights; every mistake at its place. */
#include "sched/dag.h"
#include "test.h"

struct read {
    struct dag *dags[8];
    uint32_t count, wrong;
    struct diag story; /* the last mistake */
    char wrong_id[64];
};

static void take(void *ctx, struct dag *g)
{
    struct read *r = ctx;
    r->dags[r->count++] = g;
}

static void mistake(void *ctx, struct slice id, const struct diag *d)
{
    struct read *r = ctx;
    r->wrong++;
    r->story = *d;
    (void)slice_to_cstr(id, r->wrong_id, sizeof r->wrong_id);
}

static struct read read_all(const char *text)
{
    struct read r = {0};
    struct dag_reading into = {&r, take, mistake};
    CHECK_ERR(dags_read(slice_of(text), "dags.yaml", &into, NULL), ERR_OK);
    return r;
}

static void done(struct read *r)
{
    for (uint32_t i = 0; i < r->count; i++) dag_give(r->dags[i]);
}

static const struct dag_task *task(const struct dag *g, const char *id)
{
    int32_t at = dag_task_find(g, slice_of(id));
    CHECK(at >= 0);
    return at < 0 ? NULL : &g->tasks[at];
}

/* "a,b" of a task's upstream. */
static void check_upstream(const struct dag *g, const char *id, const char *want)
{
    const struct dag_task *t = task(g, id);
    struct buf out = buf_make(KIB(4));
    for (uint32_t i = 0; i < t->upstream_count; i++)
        buf_printf(&out, "%s%.*s", i ? "," : "", SLICE_ARG(g->tasks[t->upstream[i]].id));
    CHECK_TEXT(buf_cstr(&out), want);
    buf_done(&out);
}

TEST(the_dag_of_the_design_is_read)
{
    struct read r = read_all("user_automation:\n"
                             "  schedule: \"@daily\"\n"
                             "  start_date: 2024-01-01\n"
                             "  catchup: false\n"
                             "  max_active_runs: 1\n"
                             "  tags: [users, kafka]\n"
                             "  params: {count: 5, mode: {default: fast, enum: [fast, slow]}}\n"
                             "  default_args: {retries: 3, retry_delay: 5m, owner: ann}\n"
                             "  tasks:\n"
                             "    kafka_producer: {run: randomuser, for: 60s}\n"
                             "    run_streaming: {service: load_users, slo: {lag: \"< 1000\"}}\n"
                             "    check: {sql: \"SELECT count(*) > 0 FROM t\", after: "
                             "[kafka_producer], retries: 0}\n");
    CHECK_INT(r.wrong, 0);
    CHECK_INT(r.count, 1);
    if (r.count == 1) {
        const struct dag *g = r.dags[0];
        CHECK_SLICE(g->id, "user_automation");
        CHECK_INT(g->max_active_runs, 1);
        CHECK_INT(g->tag_count, 2);
        CHECK_INT(g->param_count, 2);
        CHECK_SLICE(doc_text(g->params[1].value), "fast");
        CHECK_INT(task(g, "kafka_producer")->retries, 3);
        CHECK(task(g, "kafka_producer")->retry_delay_us == 300000000);
        CHECK_SLICE(task(g, "kafka_producer")->owner, "ann");
        CHECK_INT(task(g, "check")->retries, 0);
        CHECK_INT(task(g, "run_streaming")->kind->id, KIND_service);
        CHECK_SLICE(doc_text(doc_get(task(g, "kafka_producer")->options, "for")), "60s");
        check_upstream(g, "check", "kafka_producer");
        CHECK(slice_starts(g->text, "user_automation:"));
    }
    done(&r);
}

TEST(groups_are_ends_of_edges_and_names_are_found_from_inside_outwards)
{
    struct read r = read_all("g:\n"
                             "  tasks:\n"
                             "    start:\n"
                             "    load:\n"
                             "      after: start\n"
                             "      tasks:\n"
                             "        a: {bash: x}\n"
                             "        b: {bash: x, after: a}\n"
                             "        c: {bash: x, after: a}\n"
                             "        in: {tasks: {a: {bash: y, after: b}}}\n"
                             "    end: {empty: , after: [load, start]}\n");
    CHECK_INT(r.wrong, 0);
    CHECK_TEXT(r.story.what, "");
    if (r.count == 1) {
        const struct dag *g = r.dags[0];
        check_upstream(g, "load.a", "start");
        check_upstream(g, "load.b", "load.a");
        check_upstream(g, "load.in.a", "load.b");
        check_upstream(g, "end", "start,load.c,load.in.a");
        CHECK_INT(g->group_count, 2);
        CHECK_INT(task(g, "start")->weight, 6);
        CHECK_INT(task(g, "load.a")->weight, 5);
        CHECK_INT(task(g, "end")->weight, 1);
    }
    done(&r);
}

TEST(neighbours_of_a_wrong_dag_are_read_and_anchors_are_no_dags)
{
    struct read r = read_all("x-common: &common {retries: 2}\n"
                             "good: {default_args: *common, tasks: {a: }}\n"
                             "bad: {tasks: {a: {bsh: x}}}\n"
                             "fine: {tasks: {a: {bash: x}}}\n");
    CHECK_INT(r.count, 2);
    CHECK_INT(r.wrong, 1);
    CHECK_TEXT(r.wrong_id, "bad");
    CHECK_TEXT(r.story.where, "dags.yaml:3:15");
    CHECK_TEXT(r.story.hint, "did you mean 'bash' instead of 'bsh'?");
    if (r.count) CHECK_INT(task(r.dags[0], "a")->retries, 2);
    done(&r);
}

TEST(each_mistake_has_its_place_and_its_fix)
{
    static const struct {
        const char *text, *where, *what, *hint;
    } cases[] = {
        {"d: {tasks: {a: {bash: x, after: c}, b: {bash: x, after: a}, c: {bash: x, after: b}}}",
         "dags.yaml:1:1", "the tasks wait for each other in a circle", ""},
        {"d:\n  tasks:\n    a: {bash: x, after: [bb]}\n    b: {bash: x}\n", "dags.yaml:3:26",
         "there is no task 'bb' to come after", "did you mean 'b'?"},
        {"d:\n  shedule: x\n  tasks: {a: }\n", "dags.yaml:2:3", "a dag has no 'shedule'",
         "did you mean 'schedule'?"},
        {"d:\n  retries: 3\n  tasks: {a: }\n", "dags.yaml:2:3", "a dag has no 'retries'",
         "it is a word of tasks: put it into default_args"},
        {"d:\n  on_retry_callback: {http: x}\n  tasks: {a: }\n", "dags.yaml:2:3",
         "a dag has no 'on_retry_callback'", "it is a word of tasks: put it into default_args"},
        {"d: {tasks: {a: {bash: x, sql: y}}}", "dags.yaml:1:13",
         "task 'a' is both 'bash' and 'sql'", ""},
        {"d: {tasks: {a: {bash: x, trigger_rule: all_sucess}}}", "dags.yaml:1:40",
         "no such trigger_rule", "did you mean 'all_success'?"},
        {"d: {tasks: {a: {bash: x, cmd: y}}}", "dags.yaml:1:26",
         "a 'bash' task has no option 'cmd'", NULL},
        {"d: {tasks: {a: {bash: x, retry_delay: soon}}}", "dags.yaml:1:39",
         "'retry_delay' takes a time, as 30s, 5m, 2h, 1d or a number of seconds", ""},
        {"d: {tasks: {a: {produce: t}}}", "dags.yaml:1:1", "task 'a' needs 'records'", ""},
        {"d: {tasks: {}}", "dags.yaml:1:12", "there are no tasks", NULL},
        {"d: {tasks: {\"a b\": {bash: x}}}", "dags.yaml:1:1", "'a b' can not be a task's id", ""},
        {"\"a b\": {tasks: {a: }}", "dags.yaml:1:1", "'a b' can not be a dag's id", ""},
        {"d: {tags: x, tasks: {a: }}", "dags.yaml:1:11", "tags is a list", ""},
        {"d: {tasks: {g: {expand: [1], tasks: {a: {bash: x, expand: [1]}}}}}", "dags.yaml:1:1",
         "task 'g.a' is mapped, and its group is mapped already", ""},
        {"d: {tasks: {g: {expand: [1], tasks: {a: {bash: x, trigger_rule: always}}}}}",
         "dags.yaml:1:1", "task 'g.a' has trigger_rule always, which a mapped group does not allow",
         ""},
        {"d: {tasks: {g: {expand: [1], tasks: {h: {expand: [1], tasks: {a: }}}}}}",
         "dags.yaml:1:38", "group 'g.h' is mapped inside of a mapped group", ""},
        {"d: {tasks: {a: {bash: x, outlets: [{tabel: users}]}}}", "dags.yaml:1:35",
         "outlets are what a task changes: [{table: NAME}, {topic: NAME}, NAME]", ""},
        {"d:\n  schedule: {after: [{topic: t}, {table: users}]}\n  tasks: {a: {empty: }}\n",
         "dags.yaml:2:21",
         "the schedule is not one: a table is named with its keyspace: {table: KEYSPACE.TABLE}",
         NULL},
        {"d:\n  schedule: {cron: '* * * * *', quiet_for: 5s}\n  tasks: {a: {empty: }}\n",
         "dags.yaml:2:44",
         "the schedule is not one: `at_most_every` and `quiet_for` go with `after` a table or a "
         "topic",
         NULL},
        {"d: {schedule: none, schedule_interval: '@daily', tasks: {a: }}", "dags.yaml:1:40",
         "`schedule` and `schedule_interval` are the same word", NULL},
        {"d: {tasks: {a: {bash: x, on_failure_fail_dagrun: true}}}", "dags.yaml:1:50",
         "on_failure_fail_dagrun is for a teardown, and 'a' is none", ""},
        {"- x\n", "dags.yaml:1:1", "dags.yaml is not a map of dags", NULL},
        {"d:\n  schedule: 61 * * * *\n  tasks: {a: }\n", "dags.yaml:2:13",
         "'61 * * * *' is no cron expression", NULL},
        {"d: {default_args: {retrys: 3}, tasks: {a: }}", "dags.yaml:1:20",
         "no task has a word 'retrys'", "did you mean 'retries'?"},
        {"d: {default_args: {sla: 5m}, tasks: {a: }}", "dags.yaml:1:20", "no task has a word 'sla'",
         "deadline of the dag says how long a run may take"},
        {"d: {tasks: {g: {default_args: [x], tasks: {a: }}}}", "dags.yaml:1:31",
         "default_args is a map of words of tasks", ""},
        {"d: {tasks: {a: {bash: x, pool: ''}}}", "dags.yaml:1:32",
         "pool is a name of 1 to 256 bytes", ""},
        {"d: {default_args: {email: 5}, tasks: {a: }}", "dags.yaml:1:27",
         "email is an address, or a list of them", ""},
        {"d: {on_failure_callback: {htp: x}, tasks: {a: }}", "dags.yaml:1:26",
         "a callback is {http: URL}, {mail: ADDRESS} or {command: \"…\"}", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct read r = read_all(cases[i].text);
        CHECK_INT(r.wrong, 1);
        CHECK_TEXT(r.story.what, cases[i].what);
        CHECK_TEXT(r.story.where, cases[i].where);
        if (cases[i].hint) CHECK_TEXT(r.story.hint, cases[i].hint);
        done(&r);
    }
}

TEST(spans_are_read_as_people_write_them)
{
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {{"30s", 30000000},
                 {"5m", 300000000},
                 {"1h 30m", 5400000000},
                 {"PT5M", 300000000},
                 {"P1DT2H", 93600000000},
                 {"00:05:00", 300000000},
                 {"90", 90000000},
                 {"1.5s", 1500000},
                 {"500ms", 500000},
                 {"2 days", 172800000000},
                 {"1 hour, 5 minutes", 3900000000}};
    int64_t us;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct doc v = {.kind = DOC_TEXT, .text = slice_of(cases[i].text)};
        CHECK(option_span(&v, &us) && us == cases[i].us);
    }
    static const char *const bad[] = {"", "soon", "5x", "-5m", "P1M", "5:00", "1h m"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct doc v = {.kind = DOC_TEXT, .text = slice_of(bad[i])};
        CHECK(!option_span(&v, &us));
    }
}

TEST(a_dag_of_many_tasks_is_read)
{
    struct buf text = buf_make(MIB(4));
    buf_text(&text, "big:\n  tasks:\n");
    for (int i = 0; i < 10000; i++) {
        buf_printf(&text, "    t%d: {bash: x", i);
        if (i) buf_printf(&text, ", after: [t%d, t%d]", i - 1, i / 2);
        buf_text(&text, "}\n");
    }
    struct read r = read_all(buf_cstr(&text));
    CHECK_INT(r.count, 1);
    if (r.count == 1) {
        CHECK_INT(r.dags[0]->task_count, 10000);
        CHECK_INT(task(r.dags[0], "t0")->weight, 10000);
    }
    done(&r);
    buf_done(&text);
}
