/* The files of a project, and the lists of what is said about them. */
#include "main/import/import.h"

#include "os/file.h"

#include <stdio.h>

const struct defect_kind defect_kinds[DEFECTS] = {
#define DEFECT(name, what, instead) [DEFECT_##name] = {#name, what, instead},
#include "main/import/defects.def"
#undef DEFECT
};

bool slice_holds(struct slice s, const char *part)
{
    size_t n = strlen(part);
    for (uint32_t i = 0; i + n <= s.len; i++)
        if (slice_equal_nocase(slice_make(s.at + i, n), slice_make(part, n))) return true;
    return false;
}

bool is_secret_name(struct slice name)
{
    static const char *const parts[] = {"password", "passwd", "secret", "token",
                                        "api_key",  "apikey", "fernet", "private_key"};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (slice_holds(name, parts[i])) return true;
    return false;
}

void *import_add(struct import *m, struct vec *v)
{
    void *item = vec_add(v);
    if (item) return item;
    m->err = ERR_NO_MEMORY;
    if (v->count) return vec_at(v, v->count - 1); /* what is written is not kept: it has failed */
    item = arena_take(m->arena, v->item_size);
    INVARIANT(item);
    return item;
}

struct slice import_print(struct import *m, const char *fmt, ...)
{
    struct buf b = buf_make(MIB(1));
    va_list args;
    va_start(args, fmt);
    buf_vprintf(&b, fmt, args);
    va_end(args);
    struct slice s = arena_slice(m->arena, buf_view(&b));
    if (b.err || (b.len && !s.at)) m->err = ERR_NO_MEMORY;
    buf_done(&b);
    return s;
}

static void say(struct import *m, struct vec *list, const struct import_file *f, uint32_t line,
                int defect, const char *text, va_list args)
{
    struct buf b = buf_make(KIB(8));
    buf_vprintf(&b, text, args);
    for (size_t i = 0; i < b.len; i++)
        if (b.at[i] == '\n') b.at[i] = ' ';
    struct slice said = buf_view(&b);
    for (size_t i = 0; i < list->count; i++) { /* once is enough */
        const struct import_line *old = vec_at(list, i);
        if (old->file == f && old->line == line && slice_is(said, old->text)) goto done;
    }
    struct import_line *l = import_add(m, list);
    *l = (struct import_line){f, line, defect, arena_text(m->arena, said)};
    if (!l->text) {
        l->text = "";
        m->err = ERR_NO_MEMORY;
    }
done:
    buf_done(&b);
}

static void say_it(struct import *m, struct vec *list, const struct import_file *f, uint32_t line,
                   int defect, const char *text, ...)
{
    va_list args;
    va_start(args, text);
    say(m, list, f, line, defect, text, args);
    va_end(args);
}

void import_find(struct import *m, enum defect defect, const struct import_file *f, uint32_t line)
{
    say_it(m, &m->findings, f, line, (int)defect, "%s", defect_kinds[defect].what);
}

void import_secret(struct import *m, const struct import_file *f, uint32_t line, const char *name)
{
    say_it(m, &m->secrets, f, line, 0, "%s", name);
}

void import_leave(struct import *m, const struct import_file *f, uint32_t line, const char *text,
                  ...)
{
    va_list args;
    va_start(args, text);
    say(m, &m->left, f, line, 0, text, args);
    va_end(args);
}

void import_understand(struct import *m, const struct import_file *f, uint32_t line,
                       const char *text, ...)
{
    va_list args;
    va_start(args, text);
    say(m, &m->understood, f, line, 0, text, args);
    va_end(args);
}

/* --- files --------------------------------------------------------------------------------------
 */

struct walk {
    struct import *m;
    const char *at; /* from the project's folder on; "" itself */
    int depth;
    struct diag *d;
};

static bool ends(const char *name, const char *end)
{
    size_t a = strlen(name), b = strlen(end);
    return a >= b && !strcmp(name + a - b, end);
}

static bool is_compose(const char *name)
{
    return (ends(name, ".yml") || ends(name, ".yaml")) &&
           (strstr(name, "compose") || strstr(name, "docker"));
}

static bool wanted(const char *name)
{
    static const char *const kinds[] = {".py", ".cql", ".sql", ".sh", ".json", ".md"};
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (ends(name, kinds[i])) return true;
    return is_compose(name);
}

static err_t take_file(struct walk *w, const char *path, const char *full)
{
    struct import *m = w->m;
    struct slice text;
    err_t e = file_load(full, PY_BYTES_MAX, &text, w->d);
    struct import_file *f = e ? NULL : import_add(m, &m->files);
    if (e == ERR_TOO_BIG) return ERR_OK; /* no source text */
    if (e) return e;
    *f = (struct import_file){.path = path, .text = arena_slice(m->arena, text)};
    mem_give((void *)(uintptr_t)text.at);
    if (ends(path, ".py")) return py_read(f->text, path, m->arena, &f->module, w->d);
    if (!is_compose(path)) return ERR_OK;
    struct doc *yaml = arena_take(m->arena, sizeof *yaml);
    struct diag d = {0};
    if (!yaml) return diag_fail(w->d, ERR_NO_MEMORY, "no memory to read %s", path);
    if (doc_of_yaml(f->text, path, m->arena, yaml, &d))
        import_leave(m, f, 1, "is no YAML: %s %s", d.what, d.where);
    else
        f->yaml = yaml;
    return ERR_OK;
}

static err_t each_name(void *ctx, const char *name)
{
    static const char *const skipped[] = {"node_modules", "__pycache__", "venv", "env", "logs"};
    struct walk *w = ctx;
    struct import *m = w->m;
    if (name[0] == '.') return ERR_OK;
    for (size_t i = 0; i < COUNT_OF(skipped); i++)
        if (!strcmp(name, skipped[i])) return ERR_OK;
    const char *path = arena_printf(m->arena, "%s%s%s", w->at, *w->at ? "/" : "", name);
    const char *full = arena_printf(m->arena, "%s/%s", m->dir, path);
    if (!path || !full) return diag_fail(w->d, ERR_NO_MEMORY, "no memory for the project's files");
    if (!strcmp(full, m->out)) return ERR_OK;
    if (m->files.count >= IMPORT_FILES_MAX)
        return diag_fail(w->d, ERR_TOO_BIG, "%s has more than %d files", m->dir, IMPORT_FILES_MAX);
    struct walk below = {m, path, w->depth + 1, w->d};
    struct diag d;
    if (!strchr(name, '.') && below.depth < IMPORT_DEPTH_MAX) {
        struct vec before = m->files;
        err_t e = dir_list(full, each_name, &below, &d);
        if (e && m->files.count != before.count) return e; /* not: it is no folder */
        if (e == ERR_TOO_BIG || e == ERR_NO_MEMORY) return e;
    }
    return wanted(name) ? take_file(&below, path, full) : ERR_OK;
}

static bool not_understood(void *ctx, const struct py_node *n)
{
    struct walk *w = ctx;
    if (n->kind == PY_OTHER)
        import_leave(w->m, vec_at(&w->m->files, (size_t)w->depth), n->line,
                     "this line is not understood (near '%.*s')", SLICE_ARG(n->text));
    return true;
}

err_t import_read(struct import *m, struct diag *d)
{
    struct walk w = {m, "", 0, d};
    m->files = vec_make(sizeof(struct import_file), IMPORT_FILES_MAX);
    /* the files are pointed to: none may move any more */
    for (int i = 0; i < IMPORT_FILES_MAX; i++) (void)import_add(m, &m->files);
    vec_clear(&m->files);
    struct vec *lists[] = {&m->findings, &m->left, &m->secrets, &m->understood};
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        *lists[i] = vec_make(sizeof(struct import_line), IMPORT_LINES_MAX);
    m->owned = vec_make(sizeof(struct vec *), 100000);
    m->columns = m->schema = vec_make(sizeof(struct field), IMPORT_LINES_MAX);
    m->finals = vec_make(sizeof(struct field), IMPORT_LINES_MAX);
    m->table_columns = vec_make(sizeof(struct table_column), IMPORT_LINES_MAX);
    m->dags = vec_make(sizeof(struct import_dag), IMPORT_LINES_MAX);
    m->connections = m->settings = buf_make(MIB(1));
    err_t e = dir_list(m->dir, each_name, &w, d);
    for (size_t i = 0; i < m->files.count && !e; i++) {
        struct import_file *f = vec_at(&m->files, i);
        w.depth = (int)i;
        if (f->module) py_walk(f->module, not_understood, &w);
        if (ends(f->path, ".md") && slice_holds(f->text, "retr")) m->readme_retries = true;
    }
    return e;
}

void import_done(struct import *m)
{
    struct vec *lists[] = {&m->files,   &m->findings,      &m->left,
                           &m->secrets, &m->understood,    &m->columns,
                           &m->schema,  &m->table_columns, &m->finals};
    for (size_t i = 0; i < COUNT_OF(lists); i++) vec_done(lists[i]);
    for (size_t i = 0; i < m->owned.count; i++) vec_done(*(struct vec **)vec_at(&m->owned, i));
    vec_done(&m->owned);
    for (size_t i = 0; i < m->dags.count; i++) {
        struct import_dag *g = vec_at(&m->dags, i);
        for (size_t k = 0; k < g->tasks.count; k++)
            vec_done(&((struct import_task *)vec_at(&g->tasks, k))->after);
        vec_done(&g->tasks);
    }
    vec_done(&m->dags);
    buf_done(&m->connections);
    buf_done(&m->settings);
}
