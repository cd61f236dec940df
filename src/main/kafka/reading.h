/* reading: records of topics, as a group's member or alone: what kafka-console-consumer and `sluice
 * consume` share. */
#pragma once
#include "connect/kafka/group.h"
#include "main/kafka/ask.h"

enum reading_start { START_BEGINNING, START_END, START_OFFSET, START_TIME, START_BACK };

struct reading {
    const char *topic;   /* or a pattern: */
    const char *include; /* an extended regular expression for the whole name */
    bool wait_for_topic; /* and have it made, as Kafka's consumers do; else it is an error */
    int32_t partition;   /* -1: all */
    const char *group, *instance;
    enum reading_start start; /* with a group: where it has no position yet */
    int64_t number;           /* the offset, milliseconds, or how many from the end */
    bool committed, until_end;
    bool keep;          /* commit what was handed over */
    int64_t count;      /* -1: no bound */
    int64_t timeout_ms; /* without a record; -1: none */
    int32_t session_ms; /* 0: the usual */
    /* answers other than ERR_OK end it: ERR_STOPPED well, others not */
    err_t (*each)(void *ctx, const struct kafka_taken *t);
    err_t (*pause)(void *ctx); /* nothing more for now: what was handed over is to be shown */
    void *ctx;
};
/* Ends at its bounds, or by Ctrl-C; ERR_TIMEOUT: timeout_ms are over. `handed` counts. */
MUST_CHECK err_t reading_run(struct session *s, const struct reading *r, int64_t *handed,
                             struct diag *d);
/* beginning, earliest, end, latest, an offset, -N, a time: 2026-11-21T08:00:00Z. */
MUST_CHECK err_t reading_start_parse(const char *text, enum reading_start *start, int64_t *number,
                                     struct diag *d);
/* "2026-11-21T08:00:00.000+01:00", Kafka's forms, also without zone (then it is UTC). */
bool datetime_parse(const char *text, int64_t *ms);
/* "P1DT2H30M", as Java's Duration. */
bool duration_parse(const char *text, int64_t *ms);
