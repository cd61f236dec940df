/* Notebooks and dashboards: files of the project, one folder a kind, written whole and durably.
 *
 * A file is only replaced by who has read its newest version. Names are names of files: no folder,
 * nothing hidden. Limit: FILES_MAX a folder, FILE_BYTES_MAX each.
 */
#include "door/console/console_int.h"
#include "os/file.h"

#include <inttypes.h>
#include <stdio.h>

enum { FILES_MAX = 10000, FILE_BYTES_MAX = 16 << 20, FILE_NAME_MAX = 120, FILE_PATH_MAX = 4600 };

static err_t check_notebook(const struct doc *v, struct diag *d);
static err_t check_dashboard(const struct doc *v, struct diag *d);

struct file_kind {
    const char *folder, *ending, *word;
    err_t (*check)(const struct doc *v, struct diag *d);
};
static const struct file_kind notebook_files = {"notebooks", ".ipynb", "notebook", check_notebook};
static const struct file_kind dashboard_files = {"dashboards", ".json", "dashboard",
                                                 check_dashboard};

static err_t check_notebook(const struct doc *v, struct diag *d)
{
    const struct doc *format = doc_get(v, "nbformat"), *cells = doc_get(v, "cells");
    if (format && format->kind == DOC_INT && format->number == 4 && cells &&
        cells->kind == DOC_LIST)
        return ERR_OK;
    (void)diag_fail(d, ERR_USAGE, "this is no notebook");
    return diag_hint(d, "nbformat 4 with a list of cells, as Jupyter writes it");
}

static err_t check_dashboard(const struct doc *v, struct diag *d)
{
    const struct doc *widgets = doc_get(v, "widgets");
    if (widgets && widgets->kind == DOC_LIST) return ERR_OK;
    return diag_fail(d, ERR_USAGE, "this is no dashboard: it has no list of widgets");
}

/* --- names and versions --------------------------------------------------------------------------
 */

static bool is_name(struct slice s)
{
    if (!s.len || s.len > FILE_NAME_MAX || s.at[0] == '.' || s.at[0] == ' ') return false;
    for (uint32_t i = 0; i < s.len; i++)
        if (s.at[i] < ' ' || s.at[i] == 0x7f || strchr("/\\:*?\"<>|", (char)s.at[i])) return false;
    return true;
}

static err_t path_of(struct ask *a, const struct file_kind *k, char path[FILE_PATH_MAX])
{
    struct slice name = ask_part(a, "name");
    if (!is_name(name)) {
        (void)diag_fail(&a->d, ERR_USAGE, "that is no name for a %s", k->word);
        return diag_hint(&a->d,
                         "1 to %d bytes without / \\ : * ? \" < > |, not beginning with a dot",
                         FILE_NAME_MAX);
    }
    int n = snprintf(path, FILE_PATH_MAX, "%s/%s/%.*s%s", a->console->o.project, k->folder,
                     SLICE_ARG(name), k->ending);
    return n < FILE_PATH_MAX ? ERR_OK : diag_fail(&a->d, ERR_TOO_BIG, "the path is too long");
}

static void version_of(const struct file_stamp *s, char out[64])
{
    snprintf(out, 64, "%" PRIx64 "-%" PRIx64 "-%" PRIx64, (uint64_t)s->changed_ns, s->size,
             s->inode);
}

static err_t none_such(struct ask *a, const struct file_kind *k)
{
    return diag_fail(&a->d, ERR_NOT_FOUND, "there is no %s '%.*s'", k->word,
                     SLICE_ARG(ask_part(a, "name")));
}

static void put_file(struct buf *out, const struct file_kind *k, struct slice name,
                     const struct file_stamp *s, bool whole)
{
    char path[FILE_PATH_MAX], version[64];
    snprintf(path, sizeof(path), "%s/%.*s%s", k->folder, SLICE_ARG(name), k->ending);
    version_of(s, version);
    js_put_text(out, "name", name);
    js_put_cstr(out, "path", path);
    js_put_cstr(out, "version", version);
    if (!whole) return;
    js_put_uint(out, "size", s->size);
    js_put_time(out, "changed", s->changed_ns / 1000000);
}

/* --- looking
 * --------------------------------------------------------------------------------------
 */

struct listing {
    struct ask *a;
    const struct file_kind *kind;
    const char *folder;
    uint32_t count;
};

static err_t put_entry(void *ctx, const char *entry)
{
    struct listing *l = ctx;
    char path[FILE_PATH_MAX];
    size_t len = strlen(entry), end = strlen(l->kind->ending);
    struct file_stamp stamp;
    if (len <= end || strcmp(entry + len - end, l->kind->ending) != 0) return ERR_OK;
    struct slice name = slice_make(entry, len - end);
    if (!is_name(name) || l->count >= FILES_MAX ||
        snprintf(path, sizeof(path), "%s/%s", l->folder, entry) >= FILE_PATH_MAX ||
        file_stamp(path, &stamp, NULL)) /* it has gone meanwhile */
        return ERR_OK;
    l->count++;
    js_open(&l->a->out, '{');
    put_file(&l->a->out, l->kind, name, &stamp, true);
    js_close(&l->a->out, '}');
    return l->a->out.err;
}

static err_t list_files(struct ask *a, const struct file_kind *k)
{
    char folder[FILE_PATH_MAX];
    struct listing l = {.a = a, .kind = k, .folder = folder};
    err_t e = ERR_OK;
    if (snprintf(folder, sizeof(folder), "%s/%s", a->console->o.project, k->folder) >=
        FILE_PATH_MAX)
        return diag_fail(&a->d, ERR_TOO_BIG, "the path is too long");
    js_open(&a->out, '[');
    if (file_exists(folder)) e = dir_list(folder, put_entry, &l, &a->d);
    js_close(&a->out, ']');
    return e;
}

static err_t show_file(struct ask *a, const struct file_kind *k)
{
    char path[FILE_PATH_MAX];
    struct slice text = {0};
    struct file_stamp before, after;
    struct doc v;
    err_t e = path_of(a, k, path);
    if (e) return e;
    do { /* the version is that of what is shown */
        mem_give((void *)(uintptr_t)text.at);
        text = (struct slice){0};
        if (file_stamp(path, &before, &a->d)) return none_such(a, k);
        e = file_load(path, FILE_BYTES_MAX, &text, &a->d);
    } while (!e && !file_stamp(path, &after, NULL) &&
             (after.changed_ns != before.changed_ns || after.inode != before.inode));
    if (!e) e = doc_of_json(text, a->arena, &v, &a->d);
    if (e && text.at) (void)diag_where(&a->d, "%s", path);
    js_open(&a->out, '{');
    put_file(&a->out, k, ask_part(a, "name"), &before, false);
    js_name(&a->out, "content");
    js_raw(&a->out, slice_trim(text.at ? text : SLICE("")));
    js_close(&a->out, '}');
    mem_give((void *)(uintptr_t)text.at);
    return e;
}

/* --- writing
 * --------------------------------------------------------------------------------------
 */

static void indent(struct buf *out, uint32_t depth)
{
    buf_char(out, '\n');
    for (uint32_t i = 0; i < depth; i++) buf_char(out, ' ');
}

/* As Jupyter writes it, one level a space: so that a change is a few lines for git. */
static void put_pretty(struct buf *out, const struct doc *v, uint32_t depth)
{
    bool list = v->kind == DOC_LIST;
    if ((!list && v->kind != DOC_MAP) || !v->count) {
        doc_put_json(out, v);
        return;
    }
    buf_char(out, list ? '[' : '{');
    for (uint32_t i = 0; i < v->count; i++) {
        if (i) buf_char(out, ',');
        indent(out, depth + 1);
        if (!list) {
            struct doc name = {.kind = DOC_TEXT, .text = v->entries[i].name};
            doc_put_json(out, &name);
            buf_text(out, ": ");
        }
        put_pretty(out, list ? &v->items[i] : &v->entries[i].value, depth + 1);
    }
    indent(out, depth);
    buf_char(out, list ? ']' : '}');
}

/* Inside the gate: nobody else writes between the look and the write. */
static err_t is_the_version(struct ask *a, const struct file_kind *k, const char *path)
{
    struct slice asked = ask_body_text(a, "version");
    struct file_stamp stamp;
    char version[64] = "";
    if (!file_stamp(path, &stamp, NULL)) version_of(&stamp, version);
    if (slice_is(asked.at ? asked : SLICE(""), version)) return ERR_OK;
    (void)diag_fail(&a->d, ERR_EXISTS,
                    version[0] ? asked.len ? "%s '%.*s' was changed by somebody else meanwhile"
                                           : "there is a %s '%.*s' already"
                               : "%s '%.*s' was removed meanwhile",
                    k->word, SLICE_ARG(ask_part(a, "name")));
    return diag_hint(&a->d, "read it again, or save yours under another name");
}

static err_t write_file(struct ask *a, const struct file_kind *k)
{
    char path[FILE_PATH_MAX], folder[FILE_PATH_MAX];
    const struct doc *content = ask_body(a, "content");
    struct buf text = buf_make(FILE_BYTES_MAX);
    struct file_stamp stamp;
    err_t e = path_of(a, k, path);
    if (!e && !content) e = diag_fail(&a->d, ERR_USAGE, "there is no content");
    if (!e) e = k->check(content, &a->d);
    if (!e) put_pretty(&text, content, 0);
    buf_char(&text, '\n');
    if (!e && text.err)
        e = diag_fail(&a->d, ERR_TOO_BIG, "a %s has at most %d MiB", k->word, FILE_BYTES_MAX >> 20);
    snprintf(folder, sizeof(folder), "%s/%s", a->console->o.project, k->folder);
    gate_enter(&a->console->files_gate);
    if (!e) e = is_the_version(a, k, path);
    if (!e) e = dir_make(folder, &a->d);
    if (!e) e = file_store(path, buf_view(&text), &a->d);
    if (!e) e = file_stamp(path, &stamp, &a->d);
    gate_leave(&a->console->files_gate);
    buf_done(&text);
    if (e) return e;
    js_open(&a->out, '{');
    put_file(&a->out, k, ask_part(a, "name"), &stamp, true);
    js_close(&a->out, '}');
    return ERR_OK;
}

static err_t remove_file(struct ask *a, const struct file_kind *k)
{
    char path[FILE_PATH_MAX], folder[FILE_PATH_MAX];
    err_t e = path_of(a, k, path);
    if (e) return e;
    if (!file_exists(path)) return none_such(a, k);
    snprintf(folder, sizeof(folder), "%s/%s", a->console->o.project, k->folder);
    gate_enter(&a->console->files_gate);
    e = file_remove(path, &a->d);
    if (!e) e = dir_sync(folder, &a->d);
    gate_leave(&a->console->files_gate);
    return e;
}

/* --- routes
 * ---------------------------------------------------------------------------------------
 */

err_t console_notebooks(struct ask *a)
{
    return list_files(a, &notebook_files);
}
err_t console_notebook(struct ask *a)
{
    return show_file(a, &notebook_files);
}
err_t console_notebook_put(struct ask *a)
{
    return write_file(a, &notebook_files);
}
err_t console_notebook_remove(struct ask *a)
{
    return remove_file(a, &notebook_files);
}
err_t console_dashboards(struct ask *a)
{
    return list_files(a, &dashboard_files);
}
err_t console_dashboard(struct ask *a)
{
    return show_file(a, &dashboard_files);
}
err_t console_dashboard_put(struct ask *a)
{
    return write_file(a, &dashboard_files);
}
err_t console_dashboard_remove(struct ask *a)
{
    return remove_file(a, &dashboard_files);
}
