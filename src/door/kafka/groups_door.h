/* door/kafka/groups_door: what the handlers of groups share. */
#pragma once
#include "coord/groups.h"
#include "door/kafka/kafka_int.h"

static inline struct coord *groups_coord(const struct call *c)
{
    return door_options(c->door)->coord;
}

/* A coordinator's request in the call's arena, its head filled; NULL past the arena's limit. */
static inline void *groups_ask(struct call *c, size_t size, void (*done)(struct coord_request *r))
{
    struct coord_request *r = arena_take(c->arena, size);
    if (!r) return NULL;
    *r = (struct coord_request){.done = done, .arg = c, .arena = c->arena};
    return r;
}

/* Kafka's code for a coordinator's answer: one that closes is one to look for again. */
static inline int16_t groups_code(err_t e)
{
    return e == ERR_STOPPED ? KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE : err_kafka(e);
}

static inline void groups_no_memory(struct call *c)
{
    diag_fail(&c->diag, ERR_NO_MEMORY, "the request is larger than a call's memory");
    call_break(c);
}
