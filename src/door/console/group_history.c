/* How far behind each group is, noted every two seconds for its history: of all its partitions
 * together, and of each. */
#include "door/console/topics_kit.h"

#include "door/console/history.h"

#include <stdio.h>

enum { GROUPS_NOTED = 100, PLACES_NOTED = 300, ARENA_MAX = 32 << 20 };

static void note_group(struct console *c, const struct group_look *g, uint32_t *left)
{
    char part[HISTORY_NAME_MAX], metric[HISTORY_NAME_MAX];
    snprintf(part, sizeof(part), "group:%.*s", SLICE_ARG(g->described.group));
    console_note(c, part, "lag", (double)g->lag);
    for (size_t i = 0; i < g->count && *left; i++) {
        const struct group_place *p = &g->places[i];
        if (p->position < 0 || p->end < 0) continue;
        snprintf(metric, sizeof(metric), "lag %.*s/%d", SLICE_ARG(p->topic), p->partition);
        console_note(c, part, metric, (double)MAX(p->end - p->position, INT64_C(0)));
        --*left;
    }
}

void groups_note(struct console *c)
{
    struct arena *a = c->o.coord ? arena_new(ARENA_MAX) : NULL;
    struct group_listed *list = NULL;
    uint32_t left = PLACES_NOTED;
    size_t count = 0;
    struct diag d;
    /* what can not be told leaves a gap, and is told where it is looked at */
    err_t e = a ? group_list_all(c, a, &list, &count, &d) : ERR_NOT_FOUND;
    for (size_t i = 0; !e && i < count && i < GROUPS_NOTED; i++) {
        struct group_look g;
        e = group_look_at(c, list[i].group, a, &g, &d);
        if (!e && g.known) note_group(c, &g, &left);
    }
    arena_free(a);
}
