/* What a name or an expression of Python is when it is a constant: texts, numbers, defaults of the
 * environment; and the functions of the project by their name. */
#include "main/import/import.h"

enum { CONSTANT_DEPTH_MAX = 8 };

struct finding_def {
    struct slice name;
    const struct py_node *found;
};

static bool see_def(void *ctx, const struct py_node *n)
{
    struct finding_def *l = ctx;
    if (n->kind == PY_DEF && slice_equal(n->text, l->name)) l->found = n; /* the last one counts */
    return true;
}

const struct py_node *py_function_find(const struct import *m, const struct import_file *f,
                                       struct slice name, const struct import_file **where)
{
    struct finding_def l = {.name = name};
    py_walk(f->module, see_def, &l);
    *where = f;
    for (size_t i = 0; i < m->files.count && !l.found && name.len; i++) {
        *where = vec_at(&m->files, i);
        py_walk((*where)->module, see_def, &l);
    }
    return l.found;
}

const struct py_node *py_assigned(const struct py_node *module, struct slice name)
{
    const struct py_node *found = NULL;
    for (uint32_t i = 0; module && i < module->count; i++) {
        const struct py_node *n = module->items[i];
        if (n->kind != PY_ASSIGN) continue;
        for (uint32_t k = 1; k < n->count; k++)
            if (n->items[k]->kind == PY_NAME && slice_equal(n->items[k]->text, name))
                found = n->items[0];
    }
    return found;
}

static bool constant_deep(struct import *m, const struct import_file *f, const struct py_node *n,
                          struct slice *out, int depth)
{
    if (!n || depth > CONSTANT_DEPTH_MAX) return false;
    if (n->kind == PY_STRING || n->kind == PY_NUMBER) {
        *out = n->text;
        return true;
    }
    if (n->kind == PY_NAME) {
        const struct py_node *v = py_assigned(f->module, n->text);
        for (size_t i = 0; i < m->files.count && !v; i++)
            v = py_assigned(((struct import_file *)vec_at(&m->files, i))->module, n->text);
        return constant_deep(m, f, v, out, depth + 1);
    }
    if (n->kind == PY_FSTRING || py_is(n, PY_BINARY, "+")) {
        struct slice all = {0}, part;
        for (uint32_t i = 0; i < n->count; i++) {
            if (!constant_deep(m, f, n->items[i], &part, depth + 1)) return false;
            all = import_print(m, "%.*s%.*s", SLICE_ARG(all), SLICE_ARG(part));
        }
        *out = all;
        return true;
    }
    if (n->kind == PY_LIST && n->count == 1)
        return constant_deep(m, f, n->items[0], out, depth + 1);
    struct slice called = py_called(n);
    if (slice_is(called, "getenv") ||
        (slice_is(called, "get") && py_is(py_owner(n), PY_ATTRIBUTE, "environ")) ||
        (slice_is(called, "get") && py_is(py_owner(n), PY_NAME, "Variable")))
        return constant_deep(m, f,
                             py_argument(n, slice_is(called, "get") ? "default_var" : "default", 1),
                             out, depth + 1);
    if (slice_is(called, "int") || slice_is(called, "str") || slice_is(called, "float"))
        return constant_deep(m, f, py_argument(n, NULL, 0), out, depth + 1);
    return false;
}

bool constant_of(struct import *m, const struct import_file *f, const struct py_node *n,
                 struct slice *out)
{
    return constant_deep(m, f, n, out, 0);
}
