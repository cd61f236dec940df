#include "sched/workshop_int.h"

#include "sched/moment.h"
#include "sched/template.h"

#include <stdio.h>

const struct doc *work_option(const struct work *k, const char *name)
{
    const struct doc *v = doc_get(k->order->options, name);
    return v && v->kind != DOC_NULL ? v : NULL;
}

/* What the table says for an option that was not given. */
static struct doc fallback(const struct work *k, const char *name)
{
    const struct task_option *o = task_option_find(k->order->task->kind, slice_of(name));
    struct slice text = slice_of(o ? o->fallback : "");
    return (struct doc){.kind = text.len ? DOC_TEXT : DOC_NULL, .text = text};
}

struct slice doc_str(const struct doc *v, struct arena *a)
{
    struct buf text = buf_make(TEMPLATE_OUT_MAX);
    if (v->kind == DOC_TEXT) return v->text.at ? v->text : SLICE("");
    template_put(&text, v);
    struct slice out = text.err ? (struct slice){0} : arena_slice(a, buf_view(&text));
    buf_done(&text);
    return out;
}

struct slice work_text(struct work *k, const char *name)
{
    const struct doc *v = work_option(k, name);
    struct doc otherwise = fallback(k, name);
    if (!v && otherwise.kind == DOC_NULL) return (struct slice){0};
    return doc_str(v ? v : &otherwise, k->arena);
}

static err_t wrong(struct work *k, const char *name, const char *wanted, struct diag *d)
{
    return diag_fail(d, ERR_CONFIG, "%s is '%.*s', which is not %s", name,
                     SLICE_ARG(work_text(k, name)), wanted);
}

err_t work_span(struct work *k, const char *name, int64_t *us, struct diag *d)
{
    const struct doc *v = work_option(k, name);
    struct doc otherwise = fallback(k, name);
    *us = -1;
    if (!v && otherwise.kind == DOC_NULL) return ERR_OK;
    if (option_span(v ? v : &otherwise, us)) return ERR_OK;
    return wrong(k, name, "a time, as 30s or 5m", d);
}

err_t work_int(struct work *k, const char *name, int64_t *out, struct diag *d)
{
    const struct doc *v = work_option(k, name);
    struct doc otherwise = fallback(k, name);
    *out = -1;
    if (!v && otherwise.kind == DOC_NULL) return ERR_OK;
    if (option_int(v ? v : &otherwise, out) && *out >= 0) return ERR_OK;
    return wrong(k, name, "a whole number of 0 or more", d);
}

err_t work_bool(struct work *k, const char *name, bool *out, struct diag *d)
{
    const struct doc *v = work_option(k, name);
    struct doc otherwise = fallback(k, name);
    *out = false;
    if (!v && otherwise.kind == DOC_NULL) return ERR_OK;
    return option_bool(v ? v : &otherwise, out) ? ERR_OK : wrong(k, name, "true or false", d);
}

err_t work_bound(struct work *k, const char *name, struct bound *out, bool *given, struct diag *d)
{
    struct slice text = slice_trim(work_text(k, name));
    *given = text.len > 0;
    if (!*given || bound_parse(text, out)) return ERR_OK;
    return wrong(k, name, "a comparison, as \"< 1000\"", d);
}

err_t work_texts(struct work *k, const char *name, struct slice **out, uint32_t *count,
                 struct diag *d)
{
    const struct doc *v = work_option(k, name);
    struct doc otherwise = fallback(k, name), list;
    *count = 0;
    *out = NULL;
    if (!v) v = &otherwise;
    if (v->kind == DOC_TEXT && slice_starts(slice_trim(v->text), "[") &&
        !doc_of_yaml(v->text, name, k->arena, &list, NULL) && list.kind == DOC_LIST)
        v = &list; /* Python's and YAML's lists of quoted texts are written alike */
    if (v->kind == DOC_NULL || (v->kind == DOC_TEXT && slice_trim(v->text).len == 0)) return ERR_OK;
    uint32_t n = v->kind == DOC_LIST ? v->count : 1;
    *out = arena_take(k->arena, (n + 1) * sizeof(**out));
    for (uint32_t i = 0; *out && i < n; i++) {
        (*out)[i] = slice_trim(doc_str(v->kind == DOC_LIST ? &v->items[i] : v, k->arena));
        if (!(*out)[i].at) *out = NULL;
    }
    if (!*out) return diag_fail(d, ERR_NO_MEMORY, "no memory for '%s'", name);
    *count = n;
    return ERR_OK;
}

const struct doc *work_context(const struct work *k, const char *path)
{
    const struct doc *v = k->order->context;
    while (v && *path) {
        size_t len = strcspn(path, ".");
        v = doc_find(v, slice_make(path, len));
        path += len + (path[len] == '.');
    }
    return v;
}

bool work_moment(const struct work *k, const char *path, int64_t *us)
{
    struct slice text = doc_text(work_context(k, path));
    return text.len > 0 && !moment_parse(text, NULL, us, NULL);
}

const char *work_path(struct work *k, struct slice path)
{
    if (path.len && path.at[0] == '/') return arena_text(k->arena, path);
    const char *base = k->w->so.project_dir;
    return path.len ? arena_printf(k->arena, "%s/%.*s", base, SLICE_ARG(path)) : base;
}
