/* template: Jinja as Airflow's users write it in tasks: {{ ds }}, {{ params.x | default('y') }},
 * {% if … %}. Undefined names are errors, as in Airflow.
 *
 * There are: texts, numbers, lists, maps; dots, subscripts and slices; or, and, not, in, is,
 * comparisons, arithmetic, ~, the conditional expression; if, for (with loop.*), set, comments,
 * white-space control; the filters, tests and methods of docs/workflows.md. Refused by name:
 * macros, blocks, includes, imports.
 *
 * Never runs Python, reads a clock or a file. Loop: any thread. Memory: the caller's arena. Limit:
 * TEMPLATE_* below, so that no template runs for ever or fills the memory.
 */
#pragma once
#include "data/doc.h"

enum {
    TEMPLATE_TEXT_MAX = 4 << 20,
    TEMPLATE_OUT_MAX = 16 << 20,
    TEMPLATE_DEPTH_MAX = 64,
    TEMPLATE_STEPS_MAX = 2000000
};

struct template_date { /* a name whose value is a date: "logical_date", "dag_run.start_date" */
    const char *path;
    int64_t us; /* UTC; INT64_MIN: None */
};
struct template_asked {               /* of ti.xcom_pull */
    struct slice dag_id, run_id, key; /* {0}: this dag, this run, return_value */
    struct slice task_id;             /* {0}: any */
    const int64_t *map_index;         /* NULL: the task's only one, or all of them as a list */
};
struct template_world {
    const struct doc *names; /* a map: ds, ts, params, dag_run, dag, task, ti, item … */
    const struct template_date *dates;
    uint32_t date_count;
    void *ctx;
    /* Each may be NULL, and answers ERR_NOT_FOUND when there is none such. */
    err_t (*variable)(void *ctx, struct slice key, struct arena *a, struct slice *value,
                      struct diag *d);
    err_t (*connection)(void *ctx, struct slice id, struct arena *a, struct doc *out,
                        struct diag *d);
    err_t (*xcom)(void *ctx, const struct template_asked *what, struct arena *a, struct doc *out,
                  struct diag *d);
    int64_t now_us;
    bool native; /* a text that is one {{ … }} becomes that value, not its text */
};

/* Every text of a document, also in lists and maps (names of maps stay). */
MUST_CHECK err_t template_render(const struct doc *from, const struct template_world *w,
                                 struct arena *a, struct doc *out, struct diag *d);
MUST_CHECK err_t template_text(struct slice text, const struct template_world *w, struct arena *a,
                               struct doc *out, struct diag *d);
/* Is it one? For import errors: nothing is looked up. */
MUST_CHECK err_t template_check(struct slice text, struct diag *d);
/* What Python calls true: not None, False, 0, "" or empty; the words "False", "None", "0" of a
 * rendered text are false too, so that conditions in YAML mean what they say. */
bool template_is_true(const struct doc *v);
/* Python's str(). */
void template_put(struct buf *out, const struct doc *v);
