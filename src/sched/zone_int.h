/* sched/zone_int: a zone as it stands in memory. Private to zone*.c and their tests. */
#pragma once
#include "sched/zone.h"

enum { ZONE_TIMES_MAX = 4096, ZONE_KINDS_MAX = 256 };

struct zone_kind {
    int32_t offset; /* seconds east */
    bool summer;
    char abbreviation[ZONE_ABBREVIATION_MAX];
};
/* When a rule of the footer changes the clock: "M3.2.0/2", "J60", "59/25". */
struct zone_when {
    enum { WHEN_WEEKDAY, WHEN_JULIAN /* 1…365, no 29 February */, WHEN_DAY /* 0…365 */ } form;
    int32_t month, week, weekday, day;
    int32_t time; /* seconds after midnight of the wall before the change; may be negative */
};
struct zone {
    struct zone *next;
    char name[ZONE_NAME_MAX + 1];
    struct zone_kind kinds[2 + ZONE_KINDS_MAX]; /* the last two: the footer's standard, summer */
    int32_t kind_count;
    int32_t standard, summer;      /* places in kinds of the footer's; -1: it has none */
    struct zone_when begins, ends; /* of summer, when there is one */
    uint32_t count;
    int64_t *at; /* seconds; ascending */
    uint8_t *to; /* places in kinds */
};

/* A TZif file of version 2 or later. The zone is the caller's, to be given to zone_drop. */
MUST_CHECK err_t zone_read(struct slice file, struct slice name, struct zone **out, struct diag *d);
/* The footer alone: "CET-1CEST,M3.5.0,M10.5.0/3". */
MUST_CHECK err_t zone_read_rule(struct slice text, struct zone *z, struct diag *d);
void zone_drop(struct zone *z);
