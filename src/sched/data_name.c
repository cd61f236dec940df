#include "sched/data_name.h"

/* Commits that ran side by side when the process was killed: so far a table's number may be behind
 * what was seen (store/written.c). Further back, and it is an older copy that was put there. */
enum { BEHIND_MOST = 1024 };

static bool read_one(const struct doc *item, struct data_name *out)
{
    static const char *const kinds[] = {"table", "topic", "asset"};
    const struct doc *name = item->kind == DOC_TEXT ? item : NULL;
    out->kind = SLICE("asset");
    for (size_t k = 0; k < COUNT_OF(kinds) && !name && item->count == 1; k++) {
        out->kind = slice_of(kinds[k]);
        name = doc_get(item, kinds[k]);
    }
    out->name = name && name->kind == DOC_TEXT ? name->text : (struct slice){0};
    return out->name.len > 0;
}

err_t data_names_read(const struct doc *v, struct arena *a, const struct data_name **out,
                      uint32_t *count, const struct doc **wrong)
{
    const struct doc *items = v->kind == DOC_LIST ? v->items : v;
    *count = v->kind == DOC_LIST ? v->count : v->kind == DOC_NULL ? 0 : 1;
    struct data_name *list = arena_take(a, ((size_t)*count + 1) * sizeof *list);
    *out = list;
    *wrong = NULL;
    if (!list) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < *count && !*wrong; i++)
        if (!read_one(&items[i], &list[i])) *wrong = &items[i];
    return *wrong ? ERR_INVALID : ERR_OK;
}

bool data_name_looked_at(const struct data_name *n)
{
    return slice_is(n->kind, "table") || slice_is(n->kind, "topic");
}

bool data_name_means(const struct data_name *n, struct slice kind, struct slice name)
{
    return slice_equal(n->name, name) && (slice_is(n->kind, "asset") || slice_equal(n->kind, kind));
}

bool data_place_moved(struct data_place then, struct data_place now)
{
    if (now.of == 0) return false;
    if (now.of != then.of) return then.of != 0 || now.count > 0;
    return now.count > then.count || then.count - now.count > BEHIND_MOST;
}
