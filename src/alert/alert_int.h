/* alert, inside: rules, what was seen of their parts, what happened, what is still to be told. */
#pragma once
#include "alert/alert.h"
#include "base/vec.h"
#include "os/thread.h"

enum alert_side { ABOVE, BELOW };
enum alert_severity { INFO, WARNING, CRITICAL, SEVERITIES };
enum alert_origin { FROM_READY, FROM_FILE, FROM_CONSOLE };
enum alert_state { STATE_OK, STATE_PENDING, STATE_FIRING };
enum alert_how { NOW, RATE, TREND };
enum alert_receiver_kind { WEBHOOK, SLACK, MAIL, RECEIVER_KINDS };
enum { SAMPLES_MAX = 64 };
#define RATE_WINDOW_MS  INT64_C(300000)
#define TREND_WINDOW_MS INT64_C(3600000)

struct measure_info {
    const char *name, *unit, *about;
    enum alert_how how;
};
extern const struct measure_info measure_infos[ALERT_MEASURES];
extern const char *const severity_words[SEVERITIES];
extern const char *const receiver_words[RECEIVER_KINDS];

struct sample {
    int64_t ms;
    double value;
};
struct part { /* of a rule: mem_ memory */
    char *name;
    enum alert_state state;
    int64_t since_ms; /* of the state */
    double value;
    bool seen;                          /* in this round */
    struct sample samples[SAMPLES_MAX]; /* of a rate or trend: a ring */
    uint32_t first, count;
};
struct rule {                        /* names and texts: mem_ memory */
    char *name, *of, *hint, *notify; /* notify: receivers' names, a line each; "" for all */
    enum alert_measure measure;
    enum alert_side side;
    double limit;
    int64_t for_ms, muted_until_ms;
    enum alert_severity severity;
    enum alert_origin origin;
    bool kept;          /* by the set that is just read */
    struct map *parts;  /* name -> struct part *; NULL: none yet */
    char trouble[1024]; /* why it could not be judged; "" */
};
struct receiver {
    char *name, *address; /* address: a URL, or people separated by ", " */
    char *conn_id;        /* of mail: the connection; "" */
    enum alert_receiver_kind kind;
    enum alert_origin origin;
    bool kept;
};
struct event {
    uint64_t number;
    int64_t ms;
    char *line; /* JSON, one line, without the closing brace's newline */
};
struct telling { /* one message to one receiver */
    char *receiver, *rule, *part, *hint;
    enum alert_severity severity;
    enum alert_origin origin;
    bool firing; /* or resolved */
    double value, limit;
    enum alert_side side;
    enum alert_measure measure;
    int64_t since_ms, ended_ms, due_ms;
    int tries;
};

struct alert {
    struct alert_options o;
    char *dir, *file, *console;
    struct gate gate;
    struct thread judge, teller;
    bool closing, judging;
    struct vec rules;     /* struct rule * */
    struct vec receivers; /* struct receiver * */
    struct vec tellings;  /* struct telling * */
    struct vec past;      /* struct event, oldest first */
    uint64_t next_event, version, part_count;
    bool file_seen;
    int64_t file_changed_ns;
    uint64_t file_size;
    struct diag file_error; /* err OK: none */
    int log_fd;
    uint64_t log_size;
    bool dirty; /* alerts.json is older than what it holds */
};

/* rule.c */
struct rule *rule_find(struct alert *a, struct slice name);
void rule_free(struct rule *r);
MUST_CHECK err_t rule_of_doc(const struct doc *v, enum alert_origin origin, struct rule **out,
                             struct diag *d);
void rule_put(struct buf *out, const struct rule *r); /* what rule_of_doc reads, without braces */
/* Puts it in the place of one of its name, whose parts it takes over; owns it, also when it fails.
 */
MUST_CHECK err_t rule_take(struct alert *a, struct rule *r, struct diag *d);
MUST_CHECK err_t rules_ready(struct alert *a, struct slice only, struct diag *d); /* {0}: all */
void part_free(struct part *p);
struct part *rule_part(struct rule *r, struct slice name); /* NULL: none */

/* receiver.c */
struct receiver *receiver_find(struct alert *a, struct slice name);
void receiver_free(struct receiver *r);
MUST_CHECK err_t receiver_of_doc(const struct doc *v, enum alert_origin origin,
                                 const struct receiver *was, struct receiver **out, struct diag *d);
void receiver_put(struct buf *out, const struct receiver *r, bool masked);
MUST_CHECK err_t receiver_take(struct alert *a, struct receiver *r, struct diag *d);

/* keep.c: alerts.yaml and alerts.json */
void file_look(struct alert *a); /* inside the gate; reads alerts.yaml when it has changed */
MUST_CHECK err_t kept_load(struct alert *a, struct diag *d);
MUST_CHECK err_t kept_store(struct alert *a, struct diag *d); /* inside the gate */

/* judge.c */
void judge_round(struct alert *a);

/* past.c: inside the gate */
MUST_CHECK err_t past_open(struct alert *a, struct diag *d);
void past_close(struct alert *a);
/* what: "firing", "resolved", "told", "not told", "cannot be judged", "judged again". */
void past_add(struct alert *a, const char *what, const char *rule, const char *part, double value,
              const char *story);

/* tell.c */
void telling_free(struct telling *t);
void tell_all(struct alert *a, const struct rule *r, const struct part *p, bool firing,
              int64_t since_ms); /* inside the gate */
void tell_run(void *alert);
MUST_CHECK err_t tell_now(struct alert *a, const struct receiver *r, const struct telling *t,
                          struct diag *d);                  /* outside the gate */
void telling_put(struct buf *out, const struct telling *t); /* for alerts.json */
MUST_CHECK err_t telling_of_doc(const struct doc *v, struct telling **out);
