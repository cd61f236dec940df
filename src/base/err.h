/* err: every failure as one table, and the story told about one.
 *
 * A function that can fail returns err_t and must be checked. What happened, where, why and what to
 * do goes into the request's `struct diag`, filled at the point of failure and shown once at the
 * top. A NULL diag is fine everywhere.
 */
#pragma once
#include "base/base.h"

typedef enum err {
#define ERR(name, kafka, cql, sqlstate, http, text, hint) ERR_##name,
#include "base/err.def"
#undef ERR
    ERR_COUNT
} err_t;

const char *err_name(err_t e); /* "DISK_FULL" */
const char *err_text(err_t e);
const char *err_hint(err_t e); /* "" when there is none */
int16_t err_kafka(err_t e);
int32_t err_cql(err_t e);
const char *err_sqlstate(err_t e);
int err_http(err_t e);
err_t err_from_errno(int error); /* ENOSPC -> ERR_DISK_FULL, ENOENT -> ERR_NOT_FOUND … */

struct diag {
    err_t err;
    char what[512];  /* "table spark_streams.created_users has no column 'postcod'" */
    char where[256]; /* "pipeline.sql:12:8" */
    char why[512];   /* "No space left on device (write of 4096 bytes)" */
    char hint[256];  /* "did you mean 'postcode'?" */
};

/* Starts the story anew and returns `e`, so that a failure is one line:
 *     return diag_fail(d, ERR_UNKNOWN_COLUMN, "no column '%.*s'", SLICE_ARG(name)); */
err_t diag_fail(struct diag *d, err_t e, const char *what, ...) PRINTF_LIKE(3, 4);
/* The same for a failed system call: why becomes strerror(error), err the matching row. */
err_t diag_errno(struct diag *d, int error, const char *what, ...) PRINTF_LIKE(3, 4);
/* Add to the story; each returns d->err (ERR_INTERNAL for NULL) so that they chain. */
err_t diag_where(struct diag *d, const char *where, ...) PRINTF_LIKE(2, 3);
err_t diag_why(struct diag *d, const char *why, ...) PRINTF_LIKE(2, 3);
err_t diag_hint(struct diag *d, const char *hint, ...) PRINTF_LIKE(2, 3);

#if defined(__clang_analyzer__) && !defined(ERR_C)
/* The linter sees one file at a time: here it learns that these never answer ERR_OK. */
static inline err_t diag_said(err_t e)
{
    if (e == ERR_OK) __builtin_unreachable();
    return e;
}
#define diag_fail(...)  diag_said(diag_fail(__VA_ARGS__))
#define diag_errno(...) diag_said(diag_errno(__VA_ARGS__))
#define diag_where(...) diag_said(diag_where(__VA_ARGS__))
#define diag_why(...)   diag_said(diag_why(__VA_ARGS__))
#define diag_hint(...)  diag_said(diag_hint(__VA_ARGS__))
#endif

/* The whole story for a person, over at most four lines:
 *     error: WHAT
 *       at WHERE
 *       because WHY
 *       hint: HINT
 * Empty parts are left out. `out` is always NUL-terminated. */
void diag_format(const struct diag *d, char *out, size_t cap);
/* Takes such a story apart again, as another process told it; d->err and what the story leaves out
 * stay as they are. */
void diag_parse(struct diag *d, const char *story);
