/* What the tests of the groups share: a log and the coordinators in a directory of the test's own,
 * requests that are waited for, and a clock that only the test moves. */
#pragma once
#include "coord/groups_int.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

enum { ANSWER_MAX_MS = 10000 };

struct room { /* a running coordinator */
    char dir[600];
    struct coord_options o;
    struct log *log;
    struct coord *c;
};

static inline void room_start(struct room *t)
{
    struct diag d = {0};
    INVARIANT(!t->log && !t->c);
    CHECK_OK(log_open(&(struct log_options){.dir = t->dir}, clock_wall_ms(), &t->log, &d), &d);
    INVARIANT(t->log);
    t->o.log = t->log;
    CHECK_OK(coord_open(&t->o, &t->c, &d), &d);
    INVARIANT(t->c);
}

static inline void room_stop(struct room *t)
{
    coord_close(t->c);
    log_close(t->log);
    t->c = NULL;
    t->log = NULL;
}

static inline struct room room_open(struct coord_options o)
{
    struct room t = {.o = o};
    static int number;
    say_to(-1);
    snprintf(t.dir, sizeof(t.dir), "%s/room-%d", test_dir(), ++number);
    room_start(&t);
    return t;
}

static inline void room_reopen(struct room *t)
{
    room_stop(t);
    room_start(t);
}

/* What a kill leaves: the files as they are now, opened in another place. */
static inline void room_crash(struct room *t)
{
    char command[2048], copy[600];
    static int copies;
    snprintf(copy, sizeof(copy), "%s/crash-%d", test_dir(), ++copies);
    snprintf(command, sizeof(command), "cp -r '%s' '%s'", t->dir, copy);
    INVARIANT(system(command) == 0);
    room_stop(t);
    snprintf(command, sizeof(command), "rm -rf '%s'", t->dir);
    INVARIANT(system(command) == 0);
    memcpy(t->dir, copy, sizeof(copy));
    room_start(t);
}

static inline void room_topic(struct room *t, const char *name)
{
    struct diag d = {0};
    struct log_topic *made;
    struct log_topic_config c = log_topic_defaults();
    CHECK_OK(log_topic_create(t->log, slice_of(name), 4, &c, &made, &d), &d);
}

/* --- a request, and its answer ---------------------------------------------------------------- */

struct ask {
    struct gate gate;
    bool over;
    struct arena *arena;
    union {
        struct coord_request head;
        struct group_join join;
        struct group_sync sync;
        struct group_heartbeat heartbeat;
        struct group_leave leave;
        struct group_commit commit;
        struct group_fetch fetch;
        struct group_delete_offsets delete_offsets;
        struct group_forget_topic forget;
        struct group_delete delete;
        struct group_describe describe;
        struct group_list list;
    };
    struct group_protocol protocols[4];
    struct group_offset rows[8];
    struct group_assignment assignments[8];
    struct group_leaver leavers[4];
};

static inline void ask_done(struct coord_request *r)
{
    struct ask *a = r->arg;
    gate_enter(&a->gate);
    a->over = true;
    gate_wake(&a->gate);
    gate_leave(&a->gate);
}

static inline struct ask *ask_new(void)
{
    struct ask *a = calloc(1, sizeof(*a));
    INVARIANT(a);
    gate_init(&a->gate);
    a->arena = arena_new(MIB(16));
    a->head.arena = a->arena;
    a->head.arg = a;
    a->head.done = ask_done;
    return a;
}

static inline bool ask_over(struct ask *a)
{
    gate_enter(&a->gate);
    bool over = a->over;
    gate_leave(&a->gate);
    return over;
}

static inline err_t ask_wait(struct ask *a)
{
    gate_enter(&a->gate);
    bool in_time = true;
    while (!a->over && in_time) in_time = gate_wait_ms(&a->gate, ANSWER_MAX_MS);
    if (!a->over) {
        test_failed(__FILE__, __LINE__, "no answer");
        abort();
    }
    gate_leave(&a->gate);
    return a->head.err;
}

static inline void ask_free(struct ask *a)
{
    (void)ask_wait(a);
    gate_done(&a->gate);
    arena_free(a->arena);
    free(a);
}

/* The error of an ask that is over with it. */
static inline err_t ask_end(struct ask *a)
{
    err_t e = ask_wait(a);
    ask_free(a);
    return e;
}

/* --- the loop and its clock ------------------------------------------------------------------- */

static inline void timers_look(struct coord *c, struct coord_request *r)
{
    coord_alarm_rings(c); /* the alarm itself goes by the real clock */
    coord_answer(r, ERR_OK);
}

/* Whatever was asked before has been looked at, and what was due has rung. */
static inline void room_settle(struct room *t)
{
    struct ask *a = ask_new();
    coord_request_send(t->c, &a->head, timers_look);
    CHECK_ERR(ask_end(a), ERR_OK);
}

/* The clock stands still (room_clock) and is moved; the timers look at it. */
static inline void room_clock(void)
{
    clock_fake_set(INT64_C(1790000000000));
}
static inline void room_advance(struct room *t, int64_t ms)
{
    room_settle(t);
    clock_fake_advance(ms);
    room_settle(t);
}

/* --- one line a request ----------------------------------------------------------------------- */

struct who {                                       /* a member, as a test writes it down */
    const char *group, *id, *instance, *protocols; /* "range:meta,roundrobin:meta" */
    int32_t session_ms, rebalance_ms;
    bool id_required, may_skip;
};

static inline size_t protocols_of(const char *text, struct group_protocol out[4])
{
    size_t count = 0;
    while (*text && count < 4) {
        const char *comma = strchrnul(text, ','),
                   *colon = memchr(text, ':', (size_t)(comma - text));
        INVARIANT(colon);
        out[count].name = slice_make(text, (size_t)(colon - text));
        out[count++].metadata = slice_make(colon + 1, (size_t)(comma - colon - 1));
        text = *comma ? comma + 1 : comma;
    }
    return count;
}

static inline struct ask *join_ask(struct room *t, struct who w)
{
    struct ask *a = ask_new();
    struct group_join *r = &a->join;
    r->group = slice_of(w.group ? w.group : "g");
    r->member = w.id ? slice_of(w.id) : SLICE("");
    if (w.instance) r->instance = slice_of(w.instance);
    r->client_id = SLICE("client");
    r->client_host = SLICE("/127.0.0.1");
    r->protocol_type = SLICE("consumer");
    r->protocols = a->protocols;
    r->protocol_count = protocols_of(w.protocols ? w.protocols : "range:meta", a->protocols);
    r->session_ms = w.session_ms ? w.session_ms : 10000;
    r->rebalance_ms = w.rebalance_ms ? w.rebalance_ms : 60000;
    r->id_required = w.id_required;
    r->may_skip = w.may_skip;
    group_join(t->c, r);
    return a;
}

/* A text that outlives the ask. */
static inline const char *text_of(struct slice s, char out[256])
{
    INVARIANT(slice_to_cstr(s, out, 256));
    return out;
}

/* `assignments`: NULL for a follower; "member=assignment" pairs through the array. */
static inline struct ask *sync_ask(struct room *t, const char *group, const char *id,
                                   int32_t generation, const struct group_assignment *rows,
                                   size_t count)
{
    struct ask *a = ask_new();
    a->sync.group = slice_of(group);
    a->sync.member = slice_of(id);
    a->sync.generation = generation;
    for (size_t i = 0; i < count; i++) a->assignments[i] = rows[i];
    a->sync.assignments = a->assignments;
    a->sync.assignment_count = count;
    group_sync(t->c, &a->sync);
    return a;
}

static inline err_t heartbeat(struct room *t, const char *group, const char *id, int32_t generation)
{
    struct ask *a = ask_new();
    a->heartbeat.group = slice_of(group);
    a->heartbeat.member = slice_of(id);
    a->heartbeat.generation = generation;
    group_heartbeat(t->c, &a->heartbeat);
    return ask_end(a);
}

static inline struct ask *commit_ask(const char *group, const char *member, int32_t generation,
                                     const char *topic, int32_t partition, int64_t offset)
{
    struct ask *a = ask_new();
    a->commit.group = slice_of(group);
    a->commit.member = slice_of(member);
    a->commit.generation = generation;
    a->commit.retention_ms = a->commit.producer_id = -1;
    a->commit.offsets = a->rows;
    a->commit.offset_count = 1;
    a->rows[0] = (struct group_offset){.topic = slice_of(topic),
                                       .partition = partition,
                                       .leader_epoch = -1,
                                       .offset = offset,
                                       .metadata = SLICE("m")};
    return a;
}

static inline err_t commit(struct room *t, const char *group, const char *member,
                           int32_t generation, const char *topic, int32_t partition, int64_t offset)
{
    struct ask *a = commit_ask(group, member, generation, topic, partition, offset);
    group_commit(t->c, &a->commit);
    err_t e = ask_wait(a);
    if (!e) e = a->rows[0].err;
    ask_free(a);
    return e;
}

/* The committed offset; -1: none; below that: the negative error. */
static inline int64_t fetched(struct room *t, const char *group, const char *topic,
                              int32_t partition, bool stable)
{
    struct ask *a = ask_new();
    a->fetch.group = slice_of(group);
    a->fetch.require_stable = stable;
    a->fetch.offsets = a->rows;
    a->fetch.offset_count = 1;
    a->rows[0] = (struct group_offset){.topic = slice_of(topic), .partition = partition};
    group_fetch(t->c, &a->fetch);
    err_t e = ask_wait(a);
    if (!e) e = a->rows[0].err;
    int64_t at = e ? -(int64_t)e - 1 : a->rows[0].offset;
    ask_free(a);
    return at;
}

static inline enum group_state state_of(struct room *t, const char *group)
{
    struct ask *a = ask_new();
    a->describe.group = slice_of(group);
    group_describe(t->c, &a->describe);
    (void)ask_wait(a);
    enum group_state s = a->describe.state;
    ask_free(a);
    return s;
}

/* A member that has joined alone and has its assignment; its id goes to `id`. */
static inline int32_t lone_member(struct room *t, struct who w, char id[256])
{
    struct ask *a = join_ask(t, w);
    CHECK_OK(ask_wait(a), &a->head.diag);
    int32_t generation = a->join.generation;
    text_of(a->join.member_id, id);
    ask_free(a);
    struct group_assignment mine = {slice_of(id), SLICE("all of it")};
    a = sync_ask(t, w.group ? w.group : "g", id, generation, &mine, 1);
    CHECK_OK(ask_wait(a), &a->head.diag);
    CHECK_SLICE(a->sync.assignment, "all of it");
    ask_free(a);
    return generation;
}
