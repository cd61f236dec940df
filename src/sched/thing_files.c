/* connections.yaml and variables.yaml in the project's folder, as Airflow's LocalFilesystemBackend
 * has them: asked at each use, behind the environment and before the database. */
#include "sched/connection.h"
#include "sched/meta_int.h"
#include "sched/things.h"
#include "sched/things_int.h"

#include "os/file.h"

#include <stdio.h>

enum { THING_FILE_MAX = 4 << 20 };

err_t meta_files_set(struct meta *m, const char *folder, struct diag *d)
{
    char *copy = mem_text(slice_of(folder));
    if (!copy) return diag_fail(d, ERR_NO_MEMORY, "no memory for a folder's name");
    mem_give(m->files);
    m->files = copy;
    return ERR_OK;
}

/* What the file says of this name; ERR_NOT_FOUND: nothing, or there is no file. */
static err_t look(struct meta *m, const char *file, struct slice name, struct arena *a,
                  struct doc *out, struct diag *d)
{
    char path[4200];
    struct slice text = {0};
    struct doc all;
    if (!m->files) return ERR_NOT_FOUND;
    int n = snprintf(path, sizeof(path), "%s/%s", m->files, file);
    if (n < 0 || (size_t)n >= sizeof(path) || !file_exists(path)) return ERR_NOT_FOUND;
    err_t e = file_load(path, THING_FILE_MAX, &text, d);
    if (!e) e = doc_of_yaml(text, file, a, &all, d);
    mem_give((void *)(uintptr_t)text.at);
    if (e) return e == ERR_NOT_FOUND ? ERR_CONFIG : e; /* an unreadable file is no missing name */
    const struct doc *found = doc_find(&all, name);
    if (!found) return ERR_NOT_FOUND;
    *out = *found;
    return ERR_OK;
}

err_t connection_of_file(struct meta *m, struct slice id, struct arena *a, struct connection *out,
                         struct diag *d)
{
    struct doc v;
    err_t e = look(m, "connections.yaml", id, a, &v, d);
    if (e) return e;
    if (v.kind == DOC_LIST && v.count > 0) v = v.items[0]; /* Airflow takes a list of one, too */
    e = v.kind == DOC_MAP ? connection_of_json(&v, a, out, d)
                          : connection_of_text(doc_text(&v), a, out, d);
    out->id = arena_slice(a, id);
    return e ? diag_where(d, "%.*s in connections.yaml", SLICE_ARG(id)) : ERR_OK;
}

err_t variable_of_file(struct meta *m, struct slice key, struct arena *a, struct variable *out,
                       struct diag *d)
{
    struct doc v;
    struct buf json = buf_make(VARIABLE_VALUE_MAX);
    err_t e = look(m, "variables.yaml", key, a, &v, d);
    if (e) return e;
    if (v.kind != DOC_TEXT) doc_put_json(&json, &v);
    *out = (struct variable){.key = arena_slice(a, key),
                             .value = v.kind == DOC_TEXT ? arena_slice(a, v.text)
                                      : json.err         ? (struct slice){0}
                                                         : arena_slice(a, buf_view(&json))};
    buf_done(&json);
    return out->value.at || (v.kind == DOC_TEXT && v.text.len == 0)
               ? ERR_OK
               : diag_fail(d, ERR_NO_MEMORY, "no memory for a variable");
}
