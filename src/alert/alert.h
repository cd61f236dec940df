/* alert: watches figures and says when they are wrong. Rules come ready (ready.def), from the
 * project's alerts.yaml, or are made in the console; each is judged for every part it sees (a
 * stage, a dag, a set of labels), told to receivers (webhook, Slack, mail), and what happened is
 * kept on disk.
 *
 * It never knows where a figure comes from or how a letter is sent: alert_port does. What is
 * durable (docs/alerts.md): the console's rules and receivers, mutes, what fires since when, and
 * what was not told yet; so a restart tells nothing twice that was told, and forgets nothing.
 *
 * Loop: two threads of its own, one judges, one tells, so that a receiver that hangs delays no
 * judgement; every function below is for any thread. Memory: ALERT_* bound everything that grows.
 */
#pragma once
#include "data/doc.h"

enum {
    ALERT_RULES_MAX = 500,
    ALERT_RECEIVERS_MAX = 100,
    ALERT_PARTS_MAX = 10000, /* that are looked at, of all rules */
    ALERT_PAST_MAX = 2000,   /* events kept in memory; the file keeps ALERT_PAST_BYTES, twice */
    ALERT_PAST_BYTES = 4 << 20,
    ALERT_TELLINGS_MAX = 1000, /* on their way; what comes then is an event "not told" */
    ALERT_FILE_MAX = 4 << 20,
    ALERT_NAME_MAX = 120,
    ALERT_TEXT_MAX = 4096
};

enum alert_measure {
#define MEASURE(name, how, unit, about) ALERT_##name,
#include "alert/measures.def"
#undef MEASURE
    ALERT_MEASURES
};

/* One part's figure; an error ends the measuring. */
typedef err_t (*alert_value)(void *to, struct slice part, double value);
struct alert_port {
    void *ctx;
    int64_t (*now_ms)(void *ctx);
    /* The measure's figures as they are now; `of` as the rule has it, "" for all parts. */
    err_t (*measure)(void *ctx, enum alert_measure m, struct slice of, alert_value each, void *to,
                     struct diag *d);
    err_t (*http)(void *ctx, const struct doc *request, bool (*stop)(void *), void *stop_ctx,
                  struct arena *a, int *status, struct slice *body, struct diag *d);
    /* {to, subject, text, conn_id}; NULL: nobody sends mail here */
    err_t (*mail)(void *ctx, const struct doc *letter, struct diag *d);
};
struct alert_options {
    const char *dir;     /* of the data: alerts.json, alerts.log */
    const char *file;    /* the project's alerts.yaml, which need not be there */
    int64_t every_ms;    /* a round; 0: only alert_round judges */
    int64_t pause_ms;    /* between a telling's tries, four times as long each; 0: 2 s */
    const char *console; /* where a link in a message leads; "" for none */
    struct alert_port port;
};
struct alert;
/* A mistake in alerts.yaml does not keep it from opening: the rules read before stay, and
 * alert_put_rules says what is wrong and where. */
MUST_CHECK err_t alert_open(const struct alert_options *o, struct alert **out, struct diag *d);
void alert_close(struct alert *a);       /* NULL is fine */
void alert_round(struct alert *a);       /* judges all rules now */
uint64_t alert_version(struct alert *a); /* another number whenever something below changed */
void alert_counts(struct alert *a, uint32_t *firing, uint32_t *pending);

/* --- looking: JSON ------------------------------------------------------------------------------
 */
/* {"rules": […], "file_error": …}: each with its origin, state and parts; worst first. */
MUST_CHECK err_t alert_put_rules(struct alert *a, struct buf *out);
/* {"receivers": […]}: addresses that hold secrets are masked. */
MUST_CHECK err_t alert_put_receivers(struct alert *a, struct buf *out);
/* {"events": […]}, newest first, older than `before` (0: from the newest). */
MUST_CHECK err_t alert_put_past(struct alert *a, uint64_t before, uint32_t limit, struct buf *out);
void alert_put_measures(struct buf *out); /* [{name, unit, about}] */

/* --- steering; durable when they answer OK
 * --------------------------------------------------------
 */
/* A rule of the console: made or changed. ERR_FORBIDDEN: alerts.yaml has one of that name. */
MUST_CHECK err_t alert_rule_set(struct alert *a, const struct doc *rule, struct diag *d);
MUST_CHECK err_t alert_rule_remove(struct alert *a, struct slice name, struct diag *d);
/* Nobody is told of it until then; 0: again from now on. It is judged all the same. */
MUST_CHECK err_t alert_mute(struct alert *a, struct slice name, int64_t until_ms, struct diag *d);
/* A secret that is left out, or still masked, stays as it was. */
MUST_CHECK err_t alert_receiver_set(struct alert *a, const struct doc *receiver, struct diag *d);
MUST_CHECK err_t alert_receiver_remove(struct alert *a, struct slice name, struct diag *d);
/* Sends it a message now, and waits for the answer. */
MUST_CHECK err_t alert_receiver_try(struct alert *a, struct slice name, struct diag *d);
