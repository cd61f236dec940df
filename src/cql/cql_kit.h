/* For this room's tests: an engine over a real store, statements as text, answers as text. */
#pragma once
#include "cql/cql_int.h"
#include "test.h"

struct kit {
    struct store *store;
    struct cql *cql;
    struct cql_session session;
    struct arena *arena; /* of answers */
    char dir[256];
    struct cql_call call; /* of the last statement */
    struct arena *call_arena;
};
void kit_open(struct kit *k);
void kit_reopen(struct kit *k);
void kit_close(struct kit *k);
/* Runs it. Rows: "1,'a',null;2,…;" as literals; "" for none; "ok" where there are no rows; an
 * error: "INVALID: message". */
const char *kit_ask(struct kit *k, const char *text);
/* The same with page size, paging state and bound values ("1", "'a'": literals of the marker's
 * type; "-": null,
 * "?": unset), prepared first. */
struct kit_how {
    int32_t page_size;
    struct slice state; /* of the page before */
    const char *const *values;
    uint32_t value_count;
};
const char *kit_execute(struct kit *k, const char *text, struct kit_how how);
struct slice kit_state(struct kit *k);        /* of the last answer, kept in the arena */
void kit_do(struct kit *k, const char *text); /* it must succeed */
#define KIT_ROWS(k, text, want) CHECK_TEXT(kit_ask(k, text), want)
