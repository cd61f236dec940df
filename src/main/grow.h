/* grow: statements that people add to pipeline.sql while the server runs: planned, written into the
 * file, and run at once. docs/flow.md, "Statements that come while it runs".
 *
 * In this order: the plan has no error, what the streams need is made, the file holds the new text
 * (whole or not at all), the data directory holds the same for a server that is started anew, the
 * streams run. Takes tables, keyspaces, topics, streams, views and sinks; what changes a statement
 * that runs, and what begins to ask others for records, is refused by name.
 *
 * Loop: any thread, blocking; one at a time. Memory: a project a growth, until the server ends.
 * Limit: GROWTHS_MAX; SQL_TEXT_MAX of text.
 */
#pragma once
#include "door/console/console.h"
#include "main/project.h"
#include "os/thread.h"

enum { GROWTHS_MAX = 1000 };
struct server;
struct growing {
    struct gate gate;
    struct vec made; /* struct project *: the plans that flow runs point into them */
};
void growing_open(struct growing *g);
void growing_close(struct growing *g); /* after flow */

/* The text that runs: the one of the start, or the last that it has grown to. */
struct slice growing_text(struct server *s);
/* {version, behind, line, plan}: the plan of pipeline.sql as it would be with `text` at its end. */
MUST_CHECK err_t pipeline_check(struct server *s, struct slice text, struct buf *out,
                                struct diag *d);
MUST_CHECK err_t pipeline_grow(struct server *s, const struct console_growth *ask, struct buf *out,
                               struct diag *d);
/* A server that its supervisor starts anew goes on with what the one before had grown to. */
MUST_CHECK err_t growing_recover(struct project *p, struct diag *d);
