/* dag: what dags.yaml and dags/ declare, in Airflow's words. Read and checked whole, then never
 * changed: who uses one holds a reference. A file that is wrong gives an import error with its
 * line, and disturbs no other.
 *
 * Loop: any thread. Memory: an arena a dag. Limit: DAG_* below. Never looks at a database or a
 * clock.
 */
#pragma once
#include "data/doc.h"
#include "sched/kinds.h"
#include "sched/timetable.h" /* struct schedule: cron, interval, preset, zone; after-data schedules */

enum {
    DAG_ID_MAX = 250, /* as Airflow's */
    DAG_TASKS_MAX = 20000,
    DAG_GROUPS_MAX = 5000,
    DAG_TAGS_MAX = 64,
    DAG_POOL_MAX = 256, /* of a pool's name, as Airflow's */
    DAG_FILE_MAX = 16 << 20,
    DAG_MAPPED_MAX = 1024 /* core.max_map_length; a dag may raise it */
};
enum trigger_rule { /* every rule of Airflow 2.10 and 3: names by trigger_rule_name */
                    RULE_ALL_SUCCESS,
                    RULE_ALL_FAILED,
                    RULE_ALL_DONE,
                    RULE_ALL_DONE_MIN_ONE_SUCCESS,
                    RULE_ALL_DONE_SETUP_SUCCESS,
                    RULE_ONE_SUCCESS,
                    RULE_ONE_FAILED,
                    RULE_ONE_DONE,
                    RULE_NONE_FAILED,
                    RULE_NONE_SKIPPED,
                    RULE_NONE_FAILED_MIN_ONE_SUCCESS,
                    RULE_ALWAYS,
                    RULE_ALL_SKIPPED,
                    RULE_COUNT
};
const char *trigger_rule_name(enum trigger_rule r);
bool trigger_rule_parse(struct slice text,
                        enum trigger_rule *out); /* also "dummy", "none_failed_or_skipped" */

/* What a task does is a row of kinds.def. Its options stay documents with templates in their texts,
 * which are rendered for each try. */
struct callback { /* on_failure_callback and its kind: {http: URL, …}, {mail: …}, {command: …} */
    const struct doc *what;
    uint32_t line;
};
enum callback_when {
    ON_EXECUTE,
    ON_SUCCESS,
    ON_FAILURE,
    ON_RETRY,
    ON_SKIPPED,
    ON_SLA,
    CALLBACK_TIMES
};
struct callbacks {
    const struct callback *list[CALLBACK_TIMES];
    uint32_t count[CALLBACK_TIMES];
};

struct dag_task {
    struct slice id; /* with its groups: "load.check" */
    uint32_t line;
    const struct task_kind *kind;
    const struct doc *options;             /* the kind's own words, as written */
    const uint32_t *upstream, *downstream; /* places in dag.tasks, ascending */
    uint32_t upstream_count, downstream_count;
    int32_t group; /* in dag.groups; -1: none */
    enum trigger_rule rule;
    int32_t retries;
    int64_t retry_delay_us, max_retry_delay_us /* 0: a day */, execution_timeout_us /* 0: none */;
    bool exponential, depends_on_past, wait_for_downstream, ignore_first_depends_on_past,
        keeps_result /* do_xcom_push */;
    struct slice pool; /* default_pool */
    int32_t pool_slots, priority_weight, max_active /* max_active_tis_per_dag; 0: none */;
    enum weight_rule { WEIGHT_DOWNSTREAM, WEIGHT_UPSTREAM, WEIGHT_ABSOLUTE } weight_rule;
    int64_t weight; /* by the rule, computed when read */
    const struct doc
        *expand;          /* NULL: not mapped. A list (its items are `item` in templates), a map of
                           * lists (crossed; item.NAME), or in place of a list a text: a template, or
                           * the id of a task above whose result is a list or map */
    int32_t mapped_group; /* the mapped group it stands in, whose `expand` is the task's too: each
                           * of its instances goes with those of its index there; -1: none */
    struct callbacks callbacks;
    const struct doc *email; /* whom failures and retries are mailed to; NULL: nobody */
    bool mails_failure, mails_retry;
    const struct doc *slo;           /* {lag: "< 1000"}, {deadline: 10m} … */
    const struct data_name *outlets; /* what it changes */
    uint32_t outlet_count;
    struct slice owner, doc_md, queue, display_name;
    bool is_setup, is_teardown, fails_run /* a teardown's failure is the run's too */;
};
struct dag_group {
    struct slice id;
    int32_t parent;
    struct slice tooltip;
    const struct doc *expand; /* as a task's: the whole group, once an item; NULL: not mapped */
};
struct dag_param {
    struct slice name;
    const struct doc *value, *schema /* JSON schema, as Airflow's Param */;
    struct slice description;
};

struct dag {
    struct slice id, description, display_name, file, doc_md, owner, zone;
    uint32_t line;
    struct slice text; /* the file's part that declares it (dagSources) */
    uint64_t hash;     /* of what it means: a new one is a new version */
    struct schedule schedule;
    int64_t start_us, end_us; /* INT64_MIN, INT64_MAX: none */
    bool catchup, paused_at_first, fail_fast, render_native;
    int32_t max_active_runs /* 16 */, max_active_tasks /* 16 */,
        max_consecutive_failed_runs /* 0 */;
    int64_t dagrun_timeout_us;
    enum dag_missed {
        MISSED_CATCHUP_FLAG,
        MISSED_LATEST,
        MISSED_ALL,
        MISSED_SKIP
    } missed; /* what was missed while nobody ran: by catchup, or said */
    const struct slice *tags;
    uint32_t tag_count;
    const struct dag_param *params;
    uint32_t param_count;
    const struct dag_group *groups;
    uint32_t group_count;
    struct dag_task *tasks;
    uint32_t task_count; /* in topological order, stable by the file's */
    struct callbacks callbacks;
    const struct doc *slo;
    const struct doc *access; /* access_control: role -> [can_read, can_edit] */
    const struct doc *default_args;
};
void dag_hold(const struct dag *g);
void dag_give(const struct dag *g);
/* -1: none such. */
int32_t dag_task_find(const struct dag *g, struct slice id);

/* One file's text: each dag of it that is right, each mistake with its place. */
struct dag_defaults { /* of dags that do not say */
    const char *zone; /* NULL: UTC */
    bool paused_at_first;
};
struct dag_reading {
    void *ctx;
    void (*dag)(void *ctx, struct dag *g); /* yours now */
    void (*wrong)(void *ctx, struct slice dag_id, const struct diag *d);
    struct dag_defaults defaults;
};
MUST_CHECK err_t dags_read(struct slice text, const char *file, const struct dag_reading *into,
                           struct diag *d);
/* Every word of a dag and of a task, for people: `sluice help words`, docs/dags.md. */
void dag_words_help(struct buf *out);
void dag_words_markdown(struct buf *out);
