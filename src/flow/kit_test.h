/* kit_test: a log, a store and a flow in the test's own directory; a scripted source; SQL to plans.
 */
#pragma once
#include "flow/flow_int.h"
#include "os/file.h"
#include "test.h"

struct world {
    char dir[256];
    struct log *log;
    struct store *store;
    struct flow *flow;
    struct arena *arena; /* plans */
    struct flow_options options;
};

/* Opens what is in `dir` (NULL: the test's directory), makes topic `events` (partitions > 0) and
 * the tables when they are not there: ks.users (id text PRIMARY KEY, name text, n bigint), ks.sums
 * (k text PRIMARY KEY, n bigint, s bigint), ks.windows (k text, w timestamp, n bigint, s bigint,
 * PRIMARY KEY (k, w)). The catalog also knows the topics `other` (open as `events` is), `timed`
 * (k text, n bigint, at timestamp, WATERMARK FOR at DELAY '2s') and `out` (k text, n bigint). */
void world_open(struct world *w, const char *dir, int32_t partitions);
void world_topic(struct world *w, const char *name, int32_t partitions); /* when it is not there */
void world_close(struct world *w);
/* Another store in DIR/second over the same log, with the same tables: for replays. */
void world_second(const struct world *w, struct world *second);
void world_second_close(struct world *second);
/* Closes the flow and opens another over the same log and store. */
void world_flow_again(struct world *w);
void world_stream(struct world *w, const char *text);
err_t world_add(struct world *w, const char *text, struct diag *d);
err_t world_bind(struct world *w, const char *text, struct plan_stream *out, struct diag *d);
err_t world_select(struct world *w, const char *text, const struct query_result *into,
                   size_t memory_max, struct diag *d);
/* A row of ks.users; NULL: the column is not written. */
void world_put(struct world *w, const char *id, const char *name, const char *n, int64_t now_us);
#define USERS_SQL                                                                                  \
    "CREATE STREAM load INTO ks.users AS SELECT CAST(id AS TEXT) AS id, CAST(name AS TEXT) AS "    \
    "name, CAST(n AS BIGINT) AS n FROM events"
/* Appends one record to a partition, waited for; value NULL: null. */
void world_append(struct world *w, int32_t partition, const char *key, const char *value);
void world_append_at(struct world *w, int32_t partition, const char *key, const char *value,
                     int64_t time_ms);
void world_append_to(struct world *w, const char *topic, int32_t partition, const char *key,
                     const char *value, int64_t time_ms);
struct flow_status world_status(struct world *w, const char *name);
/* Until the stage is in this state; false after 10 seconds. */
bool world_reaches(struct world *w, const char *name, const char *state);
/* Records u0 … by their keys' partitions: {"id":"u7","name":"name 7","n":7}, in batches of 1000. */
void world_fill(struct world *w, uint32_t records, enum codec codec);

/* A table's content, as a number that changes with any cell. */
struct table_print {
    uint64_t rows, hash;
    int64_t sum_n;
};
struct table_print world_table(struct world *w);
/* A table's rows as "a,1;b,-;" in the catalog's columns, a topic's records as "key=value;", "-" for
 * null; sorted. */
const char *world_dump(struct world *w, const char *table);
const char *world_topic_dump(struct world *w, const char *topic);
uint64_t world_records(struct world *w, const char *topic); /* in all partitions */

enum { LETTERS_MAX = 64 };
struct letter {
    char stage[64], reason[256], expression[256], key[64], raw[256];
    int32_t partition;
    int64_t offset;
    err_t err;
};
struct letters {
    struct letter items[LETTERS_MAX];
    uint64_t count;
};
void world_letters(struct world *w, const char *stage, struct letters *out);

/* A source of `pages` answers of `items` items each. Item k of page p is user p*items+k; its key
 * is "u<number>". Its cursor is the number of the page to bring next. */
struct script_source {
    int pages, items;
    bool repeatable;
    int no_key_every; /* each so many-th item has no key; 0: none */
    int reject_every; /* each so many-th page has a reject */
    int only_rejects; /* this page (from 1) has nothing else */
    int fail_first;   /* so many fetches fail first */
    int one_key;      /* all items go to one partition */
    int fetches;      /* how many were made */
    int64_t wait_ms;
    struct arena *arena;
    bool closed;
};
void world_source(struct world *w, struct script_source *s); /* named script, into events */
