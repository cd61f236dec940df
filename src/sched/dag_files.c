#include "sched/dag_files.h"

#include "base/vec.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>

struct wrong {
    char *dag_id, *story; /* owned; dag_id may be NULL */
    int64_t line;
};
struct dag_file {
    char *name; /* "dags/x.yaml" */
    struct file_stamp stamp;
    struct vec dags;  /* const struct dag *, held */
    struct vec wrong; /* struct wrong */
    bool seen, changed, had_double;
};
struct dag_files {
    char *folder;
    struct dag_defaults defaults;
    struct vec files; /* struct dag_file *, by name after a scan */
    size_t sorted;    /* so many of them are in order */
    bool first;
};

struct dag_files *dag_files_new(const char *project_dir, const struct dag_defaults *defaults)
{
    struct dag_files *f = mem_take(sizeof(*f));
    char *folder = mem_text(slice_of(project_dir));
    if (f && folder) {
        *f = (struct dag_files){.folder = folder,
                                .defaults = *defaults,
                                .files = vec_make(sizeof(struct dag_file *), DAG_FILES_MAX),
                                .first = true};
        return f;
    }
    mem_give(folder);
    mem_give(f);
    return NULL;
}

static void empty_file(struct dag_file *file)
{
    for (size_t i = 0; i < file->dags.count; i++)
        dag_give(*(const struct dag **)vec_at(&file->dags, i));
    vec_clear(&file->dags);
    for (size_t i = 0; i < file->wrong.count; i++) {
        struct wrong *w = vec_at(&file->wrong, i);
        mem_give(w->dag_id);
        mem_give(w->story);
    }
    vec_clear(&file->wrong);
}

static void free_file(struct dag_file *file)
{
    empty_file(file);
    vec_done(&file->dags);
    vec_done(&file->wrong);
    mem_give(file->name);
    mem_give(file);
}

void dag_files_free(struct dag_files *f)
{
    if (!f) return;
    for (size_t i = 0; i < f->files.count; i++)
        free_file(*(struct dag_file **)vec_at(&f->files, i));
    vec_done(&f->files);
    mem_give(f->folder);
    mem_give(f);
}

/* --- one file ---------------------------------------------------------------------------------
 */

static void note(struct dag_file *file, struct slice dag_id, const char *story, int64_t line)
{
    struct wrong *w = vec_add(&file->wrong);
    if (!w) return; /* so many that one more says nothing */
    w->dag_id = dag_id.len ? mem_text(dag_id) : NULL;
    w->story = mem_text(slice_of(story));
    w->line = line;
}

static int64_t line_of(const struct dag_file *file, const struct diag *d)
{
    size_t len = strlen(file->name);
    bool here = strncmp(d->where, file->name, len) == 0 && d->where[len] == ':';
    return here ? strtoll(d->where + len + 1, NULL, 10) : 0;
}

static void is_wrong(void *ctx, struct slice dag_id, const struct diag *d)
{
    char text[1600];
    diag_format(d, text, sizeof(text));
    note(ctx, dag_id, text, line_of(ctx, d));
}

static void is_right(void *ctx, struct dag *g)
{
    struct dag_file *file = ctx;
    if (!vec_push(&file->dags, &g)) return;
    note(file, g->id, "error: too many dags in one file", g->line);
    dag_give(g);
}

static void read_file(struct dag_files *f, struct dag_file *file)
{
    struct diag d = {0};
    char path[4096];
    struct slice text = {0};
    struct dag_reading into = {file, is_right, is_wrong, f->defaults};
    empty_file(file);
    file->changed = true;
    snprintf(path, sizeof(path), "%s/%s", f->folder, file->name);
    err_t err = file_load(path, DAG_FILE_MAX, &text, &d);
    if (!err) err = dags_read(text, file->name, &into, &d);
    if (err) is_wrong(file, (struct slice){0}, &d);
    mem_give((void *)(uintptr_t)text.at);
}

/* --- all of them ------------------------------------------------------------------------------
 */

enum { FOLDERS_DEEP = 16 }; /* a link to a folder above ends there */

struct scanning {
    struct dag_files *f;
    const char *below; /* "dags/", or "" */
    bool changed;
    int deep;
    struct diag *d;
};

static err_t see_folder(struct scanning *s, const char *name);

static int name_order(const void *a, const void *b)
{
    const struct dag_file *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static struct dag_file *file_find(struct dag_files *f, const char *name)
{
    struct dag_file wanted = {.name = (char *)(uintptr_t)name}, *key = &wanted;
    struct dag_file **found = f->files.count ? bsearch(&key, f->files.items, f->sorted,
                                                       sizeof(struct dag_file *), name_order)
                                             : NULL;
    return found ? *found : NULL;
}

/* The file of this name, which is there; NULL: no room. */
static struct dag_file *file_seen(struct dag_files *f, const char *name)
{
    struct dag_file *file = file_find(f, name);
    if (!file) {
        file = mem_take(sizeof(*file));
        char *own = mem_text(slice_of(name));
        if (!file || !own || vec_push(&f->files, &file)) {
            mem_give(file);
            mem_give(own);
            return NULL;
        }
        *file = (struct dag_file){.name = own,
                                  .dags = vec_make(sizeof(const struct dag *), 1 << 17),
                                  .wrong = vec_make(sizeof(struct wrong), 1000)};
    }
    file->seen = true;
    return file;
}

/* A folder that can not be read is an import error, and no neighbour's. */
static err_t folder_failed(struct scanning *s, const char *name, const struct diag *why)
{
    struct dag_file *file = file_seen(s->f, name);
    struct file_stamp stamp = {.size = UINT64_MAX};
    if (!file) return ERR_NO_MEMORY;
    if (memcmp(&file->stamp, &stamp, sizeof(stamp)) == 0) return ERR_OK; /* told already */
    file->stamp = stamp;
    file->changed = s->changed = true;
    is_wrong(file, (struct slice){0}, why);
    return ERR_OK;
}

static err_t see_file(void *ctx, const char *entry)
{
    struct scanning *s = ctx;
    char name[1024], path[4096];
    struct file_stamp stamp;
    size_t len = strlen(entry);
    bool yaml = (len > 5 && strcmp(entry + len - 5, ".yaml") == 0) ||
                (len > 4 && strcmp(entry + len - 4, ".yml") == 0);
    if (entry[0] == '.') return ERR_OK;
    if ((size_t)snprintf(name, sizeof(name), "%s%s", s->below, entry) >= sizeof(name)) {
        struct diag d = {0};
        (void)diag_fail(&d, ERR_TOO_BIG, "a name of more than %zu bytes is in it", sizeof(name));
        return folder_failed(s, s->below, &d);
    }
    snprintf(path, sizeof(path), "%s/%s", s->f->folder, name);
    if (!yaml) return s->below[0] && dir_exists(path) ? see_folder(s, name) : ERR_OK;
    if (file_stamp(path, &stamp, NULL)) return ERR_OK; /* gone meanwhile */
    struct dag_file *file = file_seen(s->f, name);
    if (!file) return diag_fail(s->d, ERR_TOO_BIG, "more than %d files of dags", DAG_FILES_MAX);
    if (memcmp(&file->stamp, &stamp, sizeof(stamp)) == 0) return ERR_OK;
    file->stamp = stamp;
    s->changed = true;
    read_file(s->f, file);
    return ERR_OK;
}

static err_t see_folder(struct scanning *s, const char *name)
{
    char below[1024], path[4096];
    struct diag d = {0};
    struct scanning in = {s->f, below, s->changed, s->deep + 1, &d};
    if (in.deep > FOLDERS_DEEP) return ERR_OK;
    snprintf(below, sizeof(below), "%s/", name);
    snprintf(path, sizeof(path), "%s/%s", s->f->folder, name);
    err_t err = dir_list(path, see_file, &in, &d);
    s->changed = in.changed;
    if (err && err != ERR_TOO_BIG && err != ERR_NO_MEMORY) return folder_failed(s, name, &d);
    if (err && s->d) *s->d = d;
    return err;
}

static void drop_gone(struct scanning *s)
{
    struct dag_files *f = s->f;
    size_t kept = 0;
    for (size_t i = 0; i < f->files.count; i++) {
        struct dag_file **slot = vec_at(&f->files, i), *file = *slot;
        if (file->seen) {
            *(struct dag_file **)vec_at(&f->files, kept++) = file;
            continue;
        }
        free_file(file);
        s->changed = true;
    }
    f->files.count = kept;
}

err_t dag_files_scan(struct dag_files *f, bool *changed, struct diag *d)
{
    struct scanning s = {f, "", f->first, 0, d};
    char folder[4096];
    f->sorted = f->files.count;
    for (size_t i = 0; i < f->files.count; i++)
        (*(struct dag_file **)vec_at(&f->files, i))->seen = false;
    err_t err = see_file(&s, "dags.yaml");
    if (!err) err = see_file(&s, "dags.yml");
    snprintf(folder, sizeof(folder), "%s/dags", f->folder);
    if (!err && file_exists(folder)) err = see_folder(&s, "dags");
    if (!err) drop_gone(&s);
    if (f->files.count)
        qsort(f->files.items, f->files.count, sizeof(struct dag_file *), name_order);
    *changed = s.changed;
    if (!err) f->first = false;
    return err;
}

err_t dag_files_each(struct dag_files *f,
                     err_t (*each)(void *ctx, const struct dag *g, struct diag *d), void *ctx,
                     struct diag *d)
{
    struct map *ids = map_new(1 << 18);
    err_t err = ids ? ERR_OK : ERR_NO_MEMORY;
    for (size_t i = 0; i < f->files.count && !err; i++) {
        struct dag_file *file = *(struct dag_file **)vec_at(&f->files, i);
        bool twice = false;
        for (size_t n = 0; n < file->dags.count && !err; n++) {
            const struct dag *g = *(const struct dag **)vec_at(&file->dags, n);
            const char *first = map_get(ids, g->id);
            if (!first) {
                err = map_set(ids, g->id, file->name);
                if (!err) err = each(ctx, g, d);
                continue;
            }
            char story[1024];
            snprintf(story, sizeof(story),
                     "error: dag '%.*s' is declared in %s already\n  at %s:%u\n  hint: give one of "
                     "them another name",
                     SLICE_ARG(g->id), first, file->name, g->line);
            if (!file->had_double || file->changed) note(file, g->id, story, g->line);
            twice = true;
        }
        file->changed |= twice != file->had_double;
        file->had_double = twice;
    }
    map_free(ids);
    return err;
}

static err_t tell_file(struct dag_file *file, struct meta *m, int64_t now_us, struct diag *d)
{
    struct import_error *list = mem_take((file->wrong.count + 1) * sizeof(*list));
    if (!list) return ERR_NO_MEMORY;
    for (size_t i = 0; i < file->wrong.count; i++) {
        const struct wrong *w = vec_at(&file->wrong, i);
        list[i] = (struct import_error){.file = slice_of(file->name),
                                        .dag_id = slice_of(w->dag_id),
                                        .story = w->story ? slice_of(w->story) : SLICE("?"),
                                        .line = w->line,
                                        .at = now_us};
    }
    err_t err = import_errors_set(m, slice_of(file->name), list, (uint32_t)file->wrong.count, d);
    mem_give(list);
    if (!err) file->changed = false;
    return err;
}

static err_t take_name(void *ctx, const struct meta_row *row)
{
    char *name = mem_text(row->at[0].text);
    return name ? vec_push(ctx, &name) : ERR_NO_MEMORY;
}

err_t dag_files_tell(struct dag_files *f, struct meta *m, int64_t now_us, struct diag *d)
{
    struct vec known = vec_make(sizeof(char *), DAG_FILES_MAX);
    err_t err = meta_run(m, META_IMPORT_ERROR_FILES, NULL, 0, take_name, &known, NULL, d);
    f->sorted = f->files.count;
    for (size_t i = 0; i < known.count; i++) { /* of files that went while nobody looked */
        char *name = *(char **)vec_at(&known, i);
        if (!err && !file_find(f, name)) err = import_errors_set(m, slice_of(name), NULL, 0, d);
        mem_give(name);
    }
    vec_done(&known);
    for (size_t i = 0; i < f->files.count && !err; i++) {
        struct dag_file *file = *(struct dag_file **)vec_at(&f->files, i);
        if (file->changed) err = tell_file(file, m, now_us, d);
    }
    return err;
}

void dag_files_wrongs(const struct dag_files *f,
                      void (*wrong)(void *ctx, struct slice dag_id, const struct diag *d),
                      void *ctx)
{
    for (size_t i = 0; i < f->files.count; i++) {
        const struct dag_file *file = *(struct dag_file *const *)vec_at(&f->files, i);
        for (size_t n = 0; n < file->wrong.count; n++) {
            const struct wrong *w = vec_at(&file->wrong, n);
            struct diag d = {.err = ERR_CONFIG};
            snprintf(d.what, sizeof(d.what), "%s", w->story ? w->story : "?");
            snprintf(d.where, sizeof(d.where), "%s:%lld", file->name, (long long)w->line);
            wrong(ctx, slice_of(w->dag_id), &d);
        }
    }
}
