#include "sched/mapping.h"

bool mapping_is_literal(const struct doc *expand)
{
    if (expand->kind == DOC_TEXT) return false;
    for (uint32_t i = 0; expand->kind == DOC_MAP && i < expand->count; i++)
        if (expand->entries[i].value.kind == DOC_TEXT) return false;
    return true;
}

static err_t list_of(const struct doc *v, const struct mapping_values *values, struct slice name,
                     struct arena *a, struct doc *out, struct diag *d)
{
    *out = *v;
    if (v->kind == DOC_TEXT) {
        err_t e = values->value(values->ctx, v->text, a, out, d);
        if (e) return e;
    }
    if (out->kind == DOC_LIST || out->kind == DOC_MAP) return ERR_OK;
    static const char *const KINDS[] = {"nothing", "a truth value", "a number", "a number",
                                        "a text",  "a list",        "a map"};
    diag_fail(d, ERR_TYPE, "expand over %s, where a list is wanted", KINDS[out->kind]);
    return name.at ? diag_where(d, "expand.%.*s", SLICE_ARG(name)) : ERR_TYPE;
}

static err_t crossed(const struct doc *expand, const struct mapping_values *values, struct arena *a,
                     struct mapping *out, struct diag *d)
{
    struct doc *lists = arena_take(a, expand->count * sizeof(*lists));
    struct slice *names = arena_take(a, expand->count * sizeof(*names));
    uint64_t total = expand->count > 0;
    if (!lists || !names) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < expand->count; i++) {
        names[i] = expand->entries[i].name;
        err_t e = list_of(&expand->entries[i].value, values, names[i], a, &lists[i], d);
        if (e) return e;
        total = MIN(total * lists[i].count, UINT32_MAX);
    }
    *out = (struct mapping){lists, names, expand->count, (uint32_t)total};
    return ERR_OK;
}

err_t mapping_make(const struct doc *expand, const struct mapping_values *values, struct arena *a,
                   struct mapping *out, struct diag *d)
{
    err_t e;
    if (expand->kind == DOC_MAP) {
        e = crossed(expand, values, a, out, d);
    } else {
        struct doc *list = arena_take(a, sizeof(*list));
        if (!list) return ERR_NO_MEMORY;
        e = list_of(expand, values, (struct slice){0}, a, list, d);
        *out = (struct mapping){list, NULL, 1, list->count};
    }
    if (!e && out->total > DAG_MAPPED_MAX)
        return diag_fail(d, ERR_TOO_BIG, "expand makes %u instances, at most %d may be", out->total,
                         DAG_MAPPED_MAX);
    return e;
}

static err_t item_of(const struct doc *list, uint32_t index, struct arena *a, struct doc *out)
{
    if (list->kind == DOC_LIST) {
        *out = list->items[index];
        return ERR_OK;
    }
    struct doc *pair = arena_take(a, 2 * sizeof(*pair));
    if (!pair) return ERR_NO_MEMORY;
    pair[0] = (struct doc){.kind = DOC_TEXT, .text = list->entries[index].name};
    pair[1] = list->entries[index].value;
    *out = (struct doc){.kind = DOC_LIST, .count = 2, .items = pair};
    return ERR_OK;
}

err_t mapping_item(const struct mapping *m, uint32_t index, struct arena *a, struct doc *out)
{
    INVARIANT(index < m->total);
    if (!m->names) return item_of(&m->lists[0], index, a, out);
    struct doc_entry *entries = arena_take(a, m->list_count * sizeof(*entries));
    if (!entries) return ERR_NO_MEMORY;
    for (uint32_t i = m->list_count; i-- > 0;) {
        entries[i].name = m->names[i];
        err_t e = item_of(&m->lists[i], index % m->lists[i].count, a, &entries[i].value);
        if (e) return e;
        index /= m->lists[i].count;
    }
    *out = (struct doc){.kind = DOC_MAP, .count = m->list_count, .entries = entries};
    return ERR_OK;
}
