/* plan/planning: what the parts of `sluice plan` share: the project at hand, samples of its topics,
 * and findings: a code, a place, a sentence, a fix. findings.def has a row a code.
 *
 * Never changes anything: reads sources, data and fixtures. Loop: the command's thread. Memory: the
 * arena `texts`, bounded. Limit: FINDINGS_MAX, SAMPLE_MAX records a topic of SAMPLE_BYTES_MAX.
 */
#pragma once
#include "data/shape.h"
#include "main/project.h"

enum { FINDINGS_MAX = 10000, SAMPLE_MAX = 10000, SAMPLE_BYTES_MAX = 32 << 20 };

enum severity { SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_NOTE };
enum finding_code {
#define FINDING(name, severity, about) FINDING_##name,
#include "main/plan/findings.def"
#undef FINDING
    FINDING_CODES
};
struct finding_kind {
    const char *code;
    enum severity severity;
    const char *about;
};
extern const struct finding_kind finding_kinds[FINDING_CODES];
extern const char *const severity_names[];

struct finding {
    enum finding_code code;
    enum severity severity;
    const char *file;
    uint32_t line, column;
    const char *where; /* of a mistake that knew its place: instead of file, line, column */
    const char *text, *fix;
};

struct sample { /* of one topic */
    struct slice topic;
    const struct statement *statement; /* that declares it */
    char origin[256];                  /* "10 records of http://…"; "" none */
    struct slice *records;             /* each padded */
    uint32_t count;
    struct shape shape;
};

struct planning {
    struct project *project;
    const struct exec_world *world; /* log and store: NULL where they can't be looked at */
    struct arena *texts;
    struct vec findings, samples; /* struct finding, struct sample */
    uint32_t sample_max;
    bool offline, run_commands;
    int64_t now_ms;
    struct json_decoder *json;
    struct buf *facts; /* a JSON object a stream, commas between; NULL: nobody asks */
};

/* A finding at `part` of the statement's text (its start where part is none of it). What is told is
 * set by finding_say and finding_fix; NULL (past the limit) is fine for them. */
struct finding *finding_add(struct planning *p, enum finding_code code, const struct statement *s,
                            struct slice part);
void finding_say(struct planning *p, struct finding *f, const char *text, ...) PRINTF_LIKE(3, 4);
void finding_fix(struct planning *p, struct finding *f, const char *fix, ...) PRINTF_LIKE(3, 4);
void finding_of_diag(struct planning *p, const struct diag *d);
uint32_t findings_count(const struct planning *p, enum severity severity);
void findings_print(struct planning *p, struct buf *out);
void findings_json(struct planning *p, struct buf *out);
void finding_where(const struct finding *f, struct buf *out); /* pipeline.sql:12:8 */
void findings_help(struct buf *out, bool markdown);

/* A sample of every topic that a source or a topic statement declares. */
MUST_CHECK err_t planning_sample(struct planning *p, struct diag *d);
void planning_samples_done(struct planning *p);
const struct sample *planning_sample_of(const struct planning *p, struct slice topic);
void samples_print(const struct planning *p, struct buf *out);
void samples_json(const struct planning *p, struct buf *out);

/* The checks: judge.c, personal.c. */
MUST_CHECK err_t planning_judge(struct planning *p, struct diag *d);
void judge_personal(struct planning *p, const struct project_stream *s);

/* --- origin.c: which fields of which topics a column of a node is made of ----------------------
 */

enum { ORIGINS_MAX = 256 };
struct origin {
    const struct plan_node *topic;
    const struct plan_input *input;
    bool hidden; /* masked, hashed, counted: the field can not be read from the column */
};
struct origins {
    struct origin items[ORIGINS_MAX];
    uint32_t count, steps;
    const char *fresh; /* "uuid": a function that answers differently each time is in it */
    bool tries;        /* a TRY_CAST is in it */
    struct slice text; /* the outermost expression, as written; at NULL: none */
};
void origins_of(const struct plan_node *n, uint32_t column, struct origins *out);
/* Where the plan's text names this field, or (input NULL) holds an expression of this text; {0}:
 * nowhere that is known. */
struct slice plan_place(const struct plan_node *n, const struct plan_input *input,
                        struct slice text);
