/* dag_files: the project's dags.yaml and dags/ on disk, and what is wrong with them; asked again
 * and again, it reads only what has changed.
 *
 * Loop: the engine's. Memory: every dag that is right is held. Limit: DAG_FILES_MAX files,
 * DAG_FILE_MAX bytes each.
 */
#pragma once
#include "sched/dag.h"
#include "sched/things.h"

enum { DAG_FILES_MAX = 1 << 17 };
struct dag_files;
/* NULL: no memory. The defaults' texts are the caller's. */
struct dag_files *dag_files_new(const char *project_dir, const struct dag_defaults *defaults);
void dag_files_free(struct dag_files *f);
/* *changed: some file has changed, come or gone since the last time that was kept. */
MUST_CHECK err_t dag_files_scan(struct dag_files *f, bool *changed, struct diag *d);
/* Every dag that is right; of two with one id the first file's, by name. */
MUST_CHECK err_t dag_files_each(struct dag_files *f,
                                err_t (*each)(void *ctx, const struct dag *g, struct diag *d),
                                void *ctx, struct diag *d);
/* What is wrong with the files that changed, into the database, in place of what was. */
MUST_CHECK err_t dag_files_tell(struct dag_files *f, struct meta *m, int64_t now_us,
                                struct diag *d);
/* Every mistake: its whole story in what, its place in where. */
void dag_files_wrongs(const struct dag_files *f,
                      void (*wrong)(void *ctx, struct slice dag_id, const struct diag *d),
                      void *ctx);
