/* exec/upkeep: what people do with tables beside asking them: list, describe, flush,
 * compact, snapshots, rows out and in. The control door runs it on a thread of its own for `POST
 * /upkeep`; `sluice tables` calls the same on the data of a project that does not run.
 *
 *   tables        a JSON object a table (of `table`: one, or a keyspace's)
 *   describe      the statements that make it, as CQL's DESCRIBE writes them
 *   node          one JSON object: system.local, the store's figures, the process
 *   keyspaces     a JSON object a keyspace
 *   flush         what is in memory goes to files
 *   compact       a JSON object a table when it begins, and when it is done
 *   snapshot      all data as of now into DATA/snapshots/NAME
 *   snapshots     a JSON object a snapshot
 *   clear         removes the snapshot NAME; "": all
 *   export        rows as `format`: json (an object a line) or csv (a header first)
 *   import        the body's rows in `format`; a JSON object a row that is refused, then the count
 *   why           of table `table` the row whose key the body's lines are; or of topic `table` the
 *                 record at the partition and offset that they are. `format` json: an object a
 * step; `name`: how many of a row's records, from each end, are shown replay        stream `table`
 * once more, by the body's SQL if there is some, and the difference of its rows; `name`: "keep"
 * (the shadow stays) or "drop", then a space and FROM, a space and TO: offsets or times, or -
 *   dead-next     of stage `table`, behind the place `name`, the next letter that fits the body's
 *                 lines "field=value" (upkeep_dead.c): its place and its bytes in base64
 *   dead-mend     the body becomes the bytes of the letter at the place `name`
 *   dead-forget, dead-replay   all letters that fit the body's lines
 *
 * Loop: any thread, blocking. Memory: an arena of CQL_CALL_BYTES_MAX at most, IMPORT_CALLS of
 * ROW_BYTES_MAX for import. Never removes anything outside of DATA/snapshots.
 */
#pragma once
#include "cql/cql.h"
#include "exec/report.h"

enum {
    UPKEEP_NAME_MAX = 256,
    UPKEEP_PROGRESS_MARK = 0x1f /* begins a line that is no answer, but how far it has come */
};
struct upkeep {
    struct exec_world *world;
    char data[4096]; /* the data directory */
    struct report_facts facts;
    char what[16], table[UPKEEP_NAME_MAX]; /* "", "ks" or "ks.table"; names in quotes or not */
    char name[UPKEEP_NAME_MAX], format[8];
    struct slice body;
    err_t (*put)(void *ctx, struct slice text);
    bool (*stopping)(void *ctx); /* NULL: never */
    void *ctx;
};
MUST_CHECK err_t upkeep_run(struct upkeep *u, struct diag *d);
/* A name as CQL takes it, and the next cell of a result's rows (at NULL: null). */
void upkeep_put_name(struct buf *out, struct slice name);
struct slice upkeep_cell(struct cursor *c);
