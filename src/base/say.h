/* say: the log people read, in logfmt: one line an event, a constant message, key=value.
 *
 *     say_info(SAY_LOG, "topic created", "topic=%.*s partitions=%d", SLICE_ARG(name), n);
 *  -> ts=2026-11-21T08:00:00.123Z level=info room=log msg="topic created" topic=users partitions=3
 *
 * A level per room, changed at run time; the last SAY_RING lines are kept for `sluice logs`. Values
 * that need it are quoted by the caller through say_quote. Any thread.
 */
#pragma once
#include "base/bytes.h"

enum say_level { SAY_DEBUG, SAY_INFO, SAY_WARN, SAY_ERROR, SAY_OFF };
enum say_room {
    SAY_MAIN,
    SAY_OS,
    SAY_DATA,
    SAY_LOG,
    SAY_STORE,
    SAY_SQL,
    SAY_FLOW,
    SAY_CONNECT,
    SAY_SCHED,
    SAY_DOOR,
    SAY_COORD,
    SAY_ROOMS
};
enum { SAY_RING = 4096, SAY_LINE_MAX = 1024 };

extern uint8_t say_levels[SAY_ROOMS]; /* read by the macros; set with say_level_set */
void say_line(enum say_room room, enum say_level level, const char *msg, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
#define say_at(room, level, ...)                                                                   \
    do {                                                                                           \
        if ((level) >= say_levels[room]) say_line(room, level, __VA_ARGS__);                       \
    } while (0)
#define say_debug(room, ...) say_at(room, SAY_DEBUG, __VA_ARGS__)
#define say_info(room, ...)  say_at(room, SAY_INFO, __VA_ARGS__)
#define say_warn(room, ...)  say_at(room, SAY_WARN, __VA_ARGS__)
#define say_error(room, ...) say_at(room, SAY_ERROR, __VA_ARGS__)
/* A failure with its story: err=… what=… where=… why=… hint=… */
void say_diag(enum say_room room, enum say_level level, const char *msg, const struct diag *d);

void say_level_set(enum say_room room, enum say_level level);
bool say_room_parse(struct slice name, enum say_room *out);
bool say_level_parse(struct slice name, enum say_level *out);
const char *say_room_name(enum say_room room);
/* Where lines go besides the ring: a descriptor, -1 for nowhere. Starts as standard error. */
void say_to(int fd);
void say_clock(int64_t (*wall_ms)(void)); /* base reads no clock: os gives it */
/* Lines after `*seq` (0: from the oldest kept), oldest first; *seq moves on. Copies into out. */
size_t say_ring_read(uint64_t *seq, int room /* -1: all */, enum say_level least, struct buf *out);
struct say_kept { /* a line of the ring, without its newline */
    uint64_t seq;
    enum say_room room;
    enum say_level level;
    size_t len;
    char line[SAY_LINE_MAX];
};
/* The first line after `seq` (0: the oldest kept); false: there is none yet. */
bool say_ring_next(uint64_t seq, struct say_kept *out);
uint64_t say_ring_last(void); /* the newest line's; 0: none yet */
enum say_level say_level_of(enum say_room room);
const char *say_level_name(enum say_level level);
void say_quote(struct slice value, struct buf *out); /* as logfmt wants it */
