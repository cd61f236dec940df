/* flow/port: what flow asks of the world it does not know. Sources are given as these. */
#pragma once
#include "base/bytes.h"

/* One record of a source's answer. */
struct source_item {
    struct slice value; /* the item's own text */
};

/* An answer: what one fetch brought. Filled by the source, lives until the next fetch. */
struct source_answer {
    const struct source_item *items;
    uint32_t item_count;
    struct slice cursor;     /* the source's own place after this answer; rides in the log batch */
    struct slice provenance; /* "page=3 url=https://…": goes into each record's header */
    bool repeatable;         /* fetching again from the earlier cursor gives the same bytes */
    bool end;                /* nothing more will ever come */
    int64_t wait_ms;         /* the source asks not to be called before this long */
    struct slice note; /* said aloud once when it changes: "falling back to the generator: …" */
    /* what was in the answer and could not become an item: dead letters */
    const struct source_reject *rejects;
    uint32_t reject_count;
};
struct source_reject {
    err_t err;
    struct slice reason, raw;
};

/* Given to each fetch. */
struct source_ask {
    struct slice cursor; /* of the last answer that is durable; empty at first */
    int64_t now_ms;
    uint32_t items_max;          /* a source that can be asked for less gives at most this */
    bool (*stopping)(void *ctx); /* a fetch that may take long asks now and then */
    void *ctx;
    bool by_task;      /* it runs for a task of a workflow, not by itself */
    struct slice name; /* the source's, for who looks at what waits */
};

struct source_port {
    void *self;
    /* Blocking, on the source's own thread. ERR_OK with no items is fine. An error is said, counted
     * and tried again with growing delays; ERR_STOPPED ends. */
    err_t (*fetch)(void *self, const struct source_ask *ask, struct source_answer *out,
                   struct diag *d);
    void (*close)(void *self);
};
