/* report: how a running project is, as text for people and JSON for scripts. The display, `sluice
 * status`, `top` and later the console show the same facts in the same words.
 */
#pragma once
#include "exec/exec.h"

struct report_facts { /* what exec can not know by itself */
    const char *version, *project;
    int64_t started_ms, now_ms;
    int pid;
    uint64_t memory_bytes; /* PSS, or RSS where that can not be read */
    uint64_t memory_budget;
    int64_t cpu_ns;
    const char *kafka;     /* where Kafka clients find it; NULL or "": nowhere */
    const char *cql;       /* … and CQL clients */
    const char *workflows; /* how they go; NULL or "": there are none */
    bool workflows_stopped;
};

/* The ledger's sum as people read it: "in 120 = applied 100 + filtered 20"; terms of 0 are left out
 * but applied. */
void report_ledger(struct buf *out, const struct ledger *l);
void report_time(struct buf *out, int64_t ms);
/* A line: since when a person has it paused, and what ends that. */
void report_paused(struct buf *out, struct slice name, int64_t since_ms);
/* Answers false when something is wrong: a stage failed, a ledger does not balance, workflows stand
 * still. */
bool report_status(const struct exec_world *w, const struct report_facts *f, struct buf *out);
bool report_status_json(const struct exec_world *w, const struct report_facts *f, struct buf *out);
/* Each stream on a line, or one (name not empty) in full: lag, rows, time, state, every term of its
 * ledger, operators. ERR_UNKNOWN_STREAM. *fine: none has failed, and each ledger balances. */
struct report_streams_options {
    struct slice name;
    bool color;
    bool json,
        recent; /* Spark's progress objects instead: of the last epoch, or the last hundred */
};
MUST_CHECK err_t report_streams(const struct exec_world *w, const struct report_streams_options *o,
                                struct buf *out, bool *fine, struct diag *d);
/* All terms, also those of 0, and whether they add up. */
void report_ledger_whole(struct buf *out, const struct ledger *l, bool balanced, bool color);
void report_top(const struct exec_world *w, const struct report_facts *f, struct buf *out);
/* The newest `limit` dead letters (0: all), newest last; `stage` empty: of all. */
MUST_CHECK err_t report_dead(const struct exec_world *w, struct slice stage, bool json,
                             uint64_t limit, struct buf *out, struct diag *d);
