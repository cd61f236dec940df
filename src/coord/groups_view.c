/* DescribeGroups and ListGroups. */
#include "coord/groups_int.h"

#include <stdlib.h>

static struct slice shown(struct arena *a, struct slice s, bool *good)
{
    struct slice copy = s.at ? arena_slice(a, s) : SLICE("");
    if (!copy.at) *good = false;
    return copy;
}

static bool members_show(const struct group *g, struct group_describe *r)
{
    struct arena *a = r->head.arena;
    bool good = true;
    r->members = arena_take(a, MAX(g->joined, (size_t)1) * sizeof(*r->members));
    if (!r->members) return false;
    for (const struct member *m = g->first; m; m = m->next) {
        struct group_member_view *row = &r->members[r->member_count++];
        row->id = shown(a, m->id, &good);
        if (m->instance.at) row->instance = shown(a, m->instance, &good);
        row->client_id = shown(a, m->client_id, &good);
        row->client_host = shown(a, m->client_host, &good);
        row->assignment = shown(a, m->assignment, &good);
        row->metadata =
            g->state == GROUP_STABLE ? shown(a, member_metadata(m, g->protocol), &good) : SLICE("");
    }
    return good;
}

static void describe_run(struct coord *c, struct coord_request *head)
{
    struct group_describe *r = (struct group_describe *)(void *)head;
    const struct group *g = groups_find(c->groups, r->group);
    bool good = true;
    r->state = g ? g->state : GROUP_DEAD;
    r->protocol_type = r->protocol = SLICE("");
    r->members = NULL;
    r->member_count = 0;
    r->generation = g ? g->generation : -1;
    if (!g || g->state == GROUP_DEAD) {
        coord_answer(head, diag_fail(&head->diag, ERR_UNKNOWN_GROUP, "Group %.*s not found.",
                                     SLICE_ARG(r->group)));
        return;
    }
    r->protocol_type = shown(head->arena, g->protocol_type, &good);
    if (g->state == GROUP_STABLE) r->protocol = shown(head->arena, g->protocol, &good);
    if (!members_show(g, r)) good = false;
    coord_answer(head, good ? ERR_OK
                            : diag_fail(&head->diag, ERR_NO_MEMORY, "group '%.*s': %s",
                                        SLICE_ARG(r->group), err_text(ERR_NO_MEMORY)));
}

void group_describe(struct coord *c, struct group_describe *r)
{
    coord_request_send(c, &r->head, describe_run);
}

static int by_name(const void *a, const void *b)
{
    const struct group_listed *x = a, *y = b;
    return slice_compare(x->group, y->group);
}

static void list_run(struct coord *c, struct coord_request *head)
{
    struct group_list *r = (struct group_list *)(void *)head;
    const struct groups *s = c->groups;
    struct slice name;
    void *value;
    size_t most = MAX(map_count(s->by_name), (size_t)1);
    bool good = true;
    r->group_count = 0;
    r->groups = arena_take(head->arena, most * sizeof(*r->groups));
    for (size_t i = 0; r->groups && good && map_next(s->by_name, &i, &name, &value);) {
        const struct group *g = value;
        if (r->states && !(r->states & (1u << g->state))) continue;
        struct group_listed *row = &r->groups[r->group_count++];
        row->group = shown(head->arena, g->name, &good);
        row->protocol_type = shown(head->arena, g->protocol_type, &good);
        row->state = g->state;
    }
    if (r->groups && good)
        qsort(r->groups, r->group_count, sizeof(*r->groups), by_name);
    else
        diag_fail(&head->diag, ERR_NO_MEMORY, "the groups are more than the answer has room for");
    coord_answer(head, head->diag.err);
}

void group_list(struct coord *c, struct group_list *r)
{
    coord_request_send(c, &r->head, list_run);
}
