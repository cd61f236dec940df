/* kinds: what a task can be, and the options of each: kinds.def as a table. What they do stands in
 * the workshop. */
#pragma once
#include "data/doc.h"

struct task_option {
    const char *name;
    enum option_type {
        OPT_TEXT,
        OPT_INT,
        OPT_NUMBER,
        OPT_BOOL,
        OPT_SPAN,
        OPT_LIST,
        OPT_MAP,
        OPT_TEXTS,
        OPT_ANY,
        OPT_LATE /* a template that is rendered when there is an answer: by the workshop */
    } type;
    bool must, is_main;
    const char *fallback, *sentence;
};
enum task_kind_id {
#define KIND(name, operator_name, sensor, process, sentence) KIND_##name,
#define OPTION(...)
#include "sched/kinds.def"
#undef KIND
#undef OPTION
    TASK_KINDS
};
struct task_kind {
    enum task_kind_id id;
    const char *name, *operator_name, *sentence;
    bool is_sensor, is_process;
};
const struct task_kind *task_kind_find(struct slice name); /* NULL: none */
const struct task_kind *task_kind_at(enum task_kind_id id);
/* Its n-th option; NULL behind the last. */
const struct task_option *task_option_at(const struct task_kind *k, uint32_t n);
/* An option of the kind, or of every sensor; NULL: none. */
const struct task_option *task_option_find(const struct task_kind *k, struct slice name);
/* Is the value of this type? A text with a template may be anything. ERR_CONFIG says what was
 * wanted. */
MUST_CHECK err_t task_option_check(const struct task_option *o, const struct doc *value,
                                   struct diag *d);

/* All of it, for people: `sluice help kinds`, docs/tasks.md. */
void kinds_help(struct buf *out);
void kinds_markdown(struct buf *out);

/* Values as options give them, after rendering; `fallback` of the table when `v` is NULL. */
bool option_span(const struct doc *v, int64_t *us); /* 300, "5m", "1h 30m", "PT5M", "00:05:00" */
bool option_bool(const struct doc *v, bool *out);   /* also "true", "False" */
bool option_int(const struct doc *v, int64_t *out);
bool has_template(struct slice text);
/* "< 1000", ">= 5", "== 0", "!= 1": compares. */
struct bound {
    enum bound_how { BOUND_LT, BOUND_LE, BOUND_GT, BOUND_GE, BOUND_EQ, BOUND_NE } how;
    double than;
};
bool bound_parse(struct slice text, struct bound *out);
bool bound_fits(const struct bound *b, double value);
