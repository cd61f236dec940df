/* worklog: the log of a task's try, DATA/workflows/logs/dag_id=…/run_id=…/task_id=…[/map_index=…]/
 * attempt=N.log, as Airflow names it: written by the workshop (its own lines, with time and level)
 * and by the command itself (its output as it comes), read by doors and `sluice tasks logs` while
 * it grows.
 *
 * Loop: any thread; each line is one write at the file's end. Memory: the caller's. Limit: a line
 * of WORKLOG_LINE_MAX; what is read at once is the caller's choice.
 */
#pragma once
#include "sched/work.h"

enum { WORKLOG_LINE_MAX = 64 << 10, WORKLOG_READ_MAX = 8 << 20 };

/* NULL map_index: < 0. */
void worklog_path(struct buf *out, const char *logs_dir, const struct work_key *k);
/* "[2024-01-01T00:00:00.000+0000] {bash} INFO - text"; makes the folder when it is not there. A
 * text of several lines stays together. `mask` may be NULL. */
MUST_CHECK err_t worklog_line(const char *path, int64_t now_us, const char *who, const char *level,
                              struct slice text, const struct mask *mask, struct diag *d);
/* What a command said last may lack its line's end: the next line begins a line. */
MUST_CHECK err_t worklog_break(const char *path, struct diag *d);
/* Up to `most` bytes from `from` on, whole UTF-8 characters; *next: where to go on; what is there
 * is all: *next == *size. ERR_NOT_FOUND: there is no log (yet). */
MUST_CHECK err_t worklog_read(const char *path, uint64_t from, size_t most, struct buf *out,
                              uint64_t *next, uint64_t *size, struct diag *d);
/* Removes logs that nobody has written to since then, and folders that are empty afterwards;
 * *removed: files. `stopping` is asked now and then. */
MUST_CHECK err_t worklog_expire(const char *logs_dir, int64_t before_us,
                                bool (*stopping)(void *ctx), void *ctx, uint64_t *removed,
                                struct diag *d);
