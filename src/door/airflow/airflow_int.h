/* airflow_int: what the files of this door share: a route, a call on its way, how bodies are read
 * and written. */
#pragma once
#include "door/airflow/airflow.h"
#include "door/crew.h"
#include "door/known.h"
#include "door/login_room.h"
#include "door/path.h"
#include "door/token.h"
#include "sched/list.h"
#include "sched/ops.h"

#define AIRFLOW_AUDIENCE "apache-airflow" /* what its tokens are good for */

enum { CALL_PARAMS_MAX = 256, CALL_FIXED_MAX = 8 };
enum api { API_V1 = 1, API_V2 = 2, API_UI = 4 /* speaks as v2 does */ };
enum dag_right { DAG_ANY, DAG_READ, DAG_EDIT, DAG_DELETE }; /* on the dag that the path names */

struct call;
struct route {
    const char *method, *path; /* "/dags/{dag_id}" under /api/vN; "/ui/dags" whole */
    int apis;
    enum user_role role; /* ROLE_NONE: nobody needs to be logged in */
    enum dag_right right;
    err_t (*run)(struct call *c);
    const char *v1, *v2; /* operation ids */
};
extern const struct route routes[];
extern const uint32_t route_count;

struct param {
    struct slice name, value;
};
struct call {
    struct airflow_door *door;
    struct http_request *http;
    const struct route *route;
    enum api api; /* whose words: v1's or v2's */
    bool ui;
    struct path path; /* after /api/vN; of /ui all */
    struct param *params;
    uint32_t param_count;
    struct user user;
    struct arena *arena; /* the request's */
    struct meta *meta;   /* the worker's */
    struct ops ops;
    struct doc body;       /* DOC_NULL: none */
    struct slice body_at;  /* v2: where it stands in a whole one: ", \"actions\", 0" */
    const struct dag *dag; /* rest_dag's */
    bool dag_asked;
    struct buf out;
    int status;
    const char *type;
    const char *title; /* of a refusal, v1's */
    bool refused;      /* status, title and d.what say it */
    bool no_detail;    /* the title is all there is, as in Airflow */
    struct diag d;

    /* a wait, line by line */
    int64_t again_ms;     /* > 0: more follows then */
    struct arena *kept;   /* path and parameters: a peer that leaves takes its request along */
    struct arena *a_look; /* one look's, which begins anew with each */
    bool streaming, gone, at_work;
    struct loop_timer *timer;

    /* on its way */
    struct login_guest guest;
    char peer[64], name[USERS_NAME_MAX + 1];
    struct slice password;
    bool token_asked;
    err_t login;
    struct call *later, **link;
    struct crew_job job;
};

/* --- call.c: the path, parameters, the body ----------------------------------------------------
 */
struct slice rest_part(const struct call *c, const char *name); /* "{name}" of the route; {0} */
bool rest_param(const struct call *c, const char *name, struct slice *out); /* the first */
err_t rest_param_missing(struct call *c, const char *name);                 /* v2: refused */
MUST_CHECK err_t rest_bool(struct call *c, const char *name, bool *out);
MUST_CHECK err_t rest_int(struct call *c, const char *name, int64_t *out);
MUST_CHECK err_t rest_path_int(struct call *c, const char *name, int64_t *out);
struct slice rest_printf(struct call *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
const char *rest_words(struct call *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Says no: the status, v1's title (NULL: the status's own), the detail (NULL: v1 has none). */
err_t refuse(struct call *c, int status, const char *title, const char *detail, ...)
    PRINTF_LIKE(4, 5);
/* What was not found, by the table of problem.def; parts of the path stand in its words. */
enum problem {
#define PROBLEM(name, ...) NO_##name,
#include "door/airflow/problem.def"
#undef PROBLEM
    PROBLEMS
};
err_t missing(struct call *c, enum problem p);
/* `e` is ERR_NOT_FOUND: that problem instead; others as they are. */
err_t or_missing(struct call *c, err_t e, enum problem p);
void rest_put_refusal(struct call *c, err_t e); /* the answer to a call that failed */

/* --- input.c: what a body may hold --------------------------------------------------------------
 */
enum input_type { IN_TEXT, IN_INT, IN_BOOL, IN_TIME, IN_MAP, IN_LIST, IN_NUMBER, IN_ANY };
struct input {
    const char *name;
    int apis;
    enum input_type type;
    bool must, null;
};
enum input_table {
#define INPUTS(name) INPUTS_##name,
#define INPUT(...)
#include "door/airflow/inputs.def"
#undef INPUTS
#undef INPUT
    INPUT_TABLES
};
/* Unknown names, missing ones, wrong types: refused in the words of each API. */
MUST_CHECK err_t body_check(struct call *c, enum input_table t);
MUST_CHECK err_t body_check_partial(struct call *c, enum input_table t); /* nothing is a must */
/* v2: the mistakes of several bodies are gathered, c->out being empty at first, and refused
 * together. name {0}: the body itself is wrong. */
void body_gather(struct call *c, enum input_table t);
void body_mistake(struct call *c, const char *kind, struct slice name, const char *said,
                  const struct doc *given);
MUST_CHECK err_t body_mistaken(struct call *c);
const struct doc *body_get(const struct call *c, const char *name); /* NULL: absent or null */
bool body_has(const struct call *c, const char *name);              /* null too */
struct slice body_text(const struct call *c, const char *name);
bool body_bool(const struct call *c, const char *name, bool fallback);
int64_t body_int(const struct call *c, const char *name, int64_t fallback);
MUST_CHECK err_t body_time(struct call *c, const char *name, int64_t *out); /* TIME_NONE: absent */
struct slice body_json(struct call *c, const char *name); /* of a map; {0}: absent */
/* update_mask: true when the field is to be changed. */
MUST_CHECK err_t mask_check(struct call *c, enum input_table t);
bool mask_has(const struct call *c, const char *name);
bool mask_next(struct slice *rest, struct slice *out); /* "a,b" word by word */

/* --- body.c: what answers hold ------------------------------------------------------------------
 */
enum body_kind {
#define BODY(name) BODY_##name,
#define COL(...)
#define RAW(...)
#define CALC(...)
#include "door/airflow/bodies.def"
#undef BODY
#undef COL
#undef RAW
#undef CALC
    BODIES
};
struct field_names { /* of v1's `fields`: what an answer is cut down to */
    const struct slice *list;
    uint32_t count;
};
struct item {                       /* a row on its way into JSON */
    const struct field_names *only; /* NULL: all of it */
    struct call *c;
    const struct meta_row *row;
    enum list_kind kind;
    const struct dag *dag; /* that it belongs to; NULL: none such now */
    const struct dag_task *task;
    bool detail;
    const struct pool_quota *quota; /* body.c: of a pool that is an API's quota, once looked at */
};
const struct meta_value *item_at(const struct item *i, const char *column); /* never NULL */
void rest_put_item(struct buf *out, enum body_kind b, struct item *i);
bool rest_has_field(const struct item *i, enum body_kind b, struct slice name);
void rest_put_text(struct buf *out, struct slice s);                   /* null for {0} */
void rest_put_time(struct buf *out, const struct call *c, int64_t us); /* null for TIME_NONE */
void rest_put_value(struct buf *out, const struct call *c, enum list_type type,
                    const struct meta_value *v);

/* --- listing.c: lists and single ones of them ----------------------------------------------------
 */
struct listing {
    enum list_kind kind;
    enum body_kind body;
    const char *name; /* "dags": the list's word in the answer */
    struct list_filter fixed[CALL_FIXED_MAX];
    uint32_t fixed_count;
    const char *dag_column;  /* lists show only dags that may be read; NULL: not a dag's */
    const char *order;       /* where none is asked for; NULL: the key's */
    const char *const *also; /* parameters that are no filters, NULL at the end */
    /* Airflow's name of it, where v1's `fields` may cut its items down: DAGSchema; NULL: nowhere.
     */
    const char *schema;
};
void listing_fix(struct call *c, struct listing *l, const char *column, struct slice value);
void listing_fix_int(struct call *c, struct listing *l, const char *column, int64_t value);
/* The same by a part of the path; "~" is everything. */
void listing_fix_part(struct call *c, struct listing *l, const char *column, const char *part);
MUST_CHECK err_t answer_list(struct call *c, struct listing *l);
/* By a body's fields (…/list), the names mapped by input tables. */
MUST_CHECK err_t answer_list_form(struct call *c, struct listing *l, enum input_table t);
MUST_CHECK err_t answer_one(struct call *c, struct listing *l, enum problem p);
/* Its JSON into out; ERR_NOT_FOUND. */
MUST_CHECK err_t rest_put_one(struct call *c, struct listing *l, bool detail, struct buf *out);
/* Every row; each puts one JSON value. */
MUST_CHECK err_t rest_put_rows(struct call *c, struct listing *l, const struct list_ask *ask,
                               int64_t *total, struct buf *out);

/* --- kept.c, bulk.c
 * -------------------------------------------------------------------------------
 */
enum bulk_verb { BULK_CREATE, BULK_UPDATE, BULK_DELETE, BULK_VERBS };
struct kept {                /* what people keep, as a bulk change sees it */
    const char *what, *keys; /* "connections", "connection_ids" */
    enum list_kind list;
    const char *key; /* the body's field, and the list's column */
    enum input_table inputs;
    /* In the caller's transaction, by c->body; create replaces what is there. */
    err_t (*change[BULK_VERBS])(struct call *c, struct slice id);
};
extern const struct kept kept_connections, kept_variables, kept_pools;
struct bulk_outcome { /* of all actions of one verb */
    bool asked;
    struct buf success, errors; /* JSON's parts */
};
struct bulk { /* one action */
    enum bulk_verb verb;
    const struct doc *entities;
    struct slice on;        /* fail, skip, overwrite */
    const struct doc *mask; /* of fields, or NULL */
    struct bulk_outcome *out;
};
/* Whether the body is well made; an entity is one of `inputs`, or (delete) a text, or one of
 * `inputs` where `objects`. */
MUST_CHECK err_t bulk_check(struct call *c, enum input_table inputs, bool objects);
/* One action after the other, then the answer. */
MUST_CHECK err_t bulk_run(struct call *c,
                          err_t (*act)(struct call *c, const struct bulk *b, const void *ctx),
                          const void *ctx);
void bulk_done(const struct bulk *b, struct slice id);
/* What an action says instead of a failure of the whole; ERR_OK. */
MUST_CHECK err_t bulk_failed(const struct bulk *b, int status, struct slice said);

/* --- tasks.c ------------------------------------------------------------------------------------
 */
/* The map index that is asked for, or -1. */
MUST_CHECK err_t rest_index(struct call *c, int64_t *index);
struct listing rest_tries(struct call *c);
/* By the body's new_state and include_…; m says which run and task. */
MUST_CHECK err_t rest_mark(struct call *c, struct ops_mark *m, bool dry, struct task_rows *touched);
bool task_state_may_be_marked(enum task_state state);
/* The instances that a change touches, in each API's form. */
MUST_CHECK err_t rest_put_touched(struct call *c, const struct task_rows *rows);

/* --- access.c ------------------------------------------------------------------------------------
 */
bool dag_allows(struct call *c, const struct dag *g, enum dag_right right);
MUST_CHECK err_t rest_allowed(struct call *c); /* ERR_FORBIDDEN, refused */
/* The ids that may be read, for lists; *all: no need to ask. */
MUST_CHECK err_t dags_readable(struct call *c, bool *all, struct meta_value **ids, uint32_t *count);
const struct dag *rest_dag(struct call *c); /* of {dag_id}; held until the call ends; NULL */

/* --- login.c -------------------------------------------------------------------------------------
 */
void rest_login(struct call *c); /* on the loop: goes on with rest_go or an answer */

/* --- door.c
 * --------------------------------------------------------------------------------------- */
void rest_go(struct call *c);     /* on the loop: a worker takes it */
void rest_answer(struct call *c); /* on the loop: c->status, c->out go out; the call ends */
MUST_CHECK err_t airflow_key(struct airflow_door *f, struct slice *key,
                             struct diag *d); /* signs tokens */
struct users *airflow_users(const struct airflow_door *f);
struct login_room *airflow_room(const struct airflow_door *f);
const struct airflow_options *airflow_options(const struct airflow_door *f);
int64_t airflow_now(const struct airflow_door *f);
bool airflow_known(struct airflow_door *f,
                   const struct call *c); /* a login that was right just now */
void airflow_know(struct airflow_door *f, const struct call *c);
uint64_t airflow_number(struct airflow_door *f);
void airflow_wake(const struct airflow_door *f);
/* Runs it in a writing transaction, again when others were faster. */
MUST_CHECK err_t rest_transact(struct call *c, err_t (*change)(struct call *c));
MUST_CHECK err_t rest_event(struct call *c, const char *event, struct slice extra);

struct loop *airflow_loop(const struct airflow_door *f);

/* --- the handlers of routes.def; once for each route's row is no harm ---------------------------
 */
#define ROUTE(method, path, apis, role, right, run, v1, v2) err_t api_##run(struct call *c);
#include "door/airflow/routes.def"
#undef ROUTE
