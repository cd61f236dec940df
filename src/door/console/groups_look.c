/* A group as a whole: its members, what each was given, where it stands and how far behind. */
#include "door/console/topics_kit.h"

#include "base/vec.h"
#include "wire/kafka/kafka.h"

#include <stdlib.h>

enum { PLACES_MAX = 200000 };

struct looking {
    struct vec places; /* struct group_place */
    struct map *by_name;
    struct arena *arena;
    struct log *log;
};

/* One row a topic and partition; the map holds places counted from 1. */
static struct group_place *place_of(struct looking *w, struct slice topic, int32_t partition)
{
    char *key = arena_printf(w->arena, "%d/%.*s", partition, SLICE_ARG(topic));
    uintptr_t at = key ? (uintptr_t)map_get(w->by_name, slice_of(key)) : 0;
    if (at) return vec_at(&w->places, at - 1);
    struct group_place *p = key ? vec_add(&w->places) : NULL;
    if (!p || map_set(w->by_name, slice_of(key), (void *)(uintptr_t)w->places.count)) return NULL;
    struct log_topic *t = log_topic_find(w->log, topic);
    struct log_partition *part = t ? log_partition(t, partition) : NULL;
    *p = (struct group_place){.topic = topic,
                              .partition = partition,
                              .position = -1,
                              .first = part ? log_start_offset(part) : -1,
                              .end = part ? log_end_offset(part) : -1};
    return p;
}

/* What a member was given: bytes of strangers; what can not be read is nothing. */
static err_t take_assignment(struct looking *w, const struct group_member_view *m)
{
    struct kafka_consumer_protocol_assignment given;
    int16_t version;
    struct diag d;
    if (!m->assignment.len || kafka_decode_versioned(&kafka_consumer_protocol_assignment_message,
                                                     m->assignment, w->arena, &given, &version, &d))
        return ERR_OK;
    for (int32_t i = 0; i < given.assigned_partitions.count; i++)
        for (int32_t k = 0; k < given.assigned_partitions.at[i].partitions.count; k++) {
            struct group_place *p = place_of(w, given.assigned_partitions.at[i].topic,
                                             given.assigned_partitions.at[i].partitions.at[k]);
            if (!p) return ERR_TOO_BIG;
            p->member = m->id;
        }
    return ERR_OK;
}

static err_t take_positions(struct looking *w, struct coord *c, struct slice group, struct diag *d)
{
    struct group_fetch r = {.group = group};
    struct coord_waiting wait;
    coord_wait_begin(&wait, &r.head, w->arena);
    group_fetch(c, &r);
    err_t e = coord_wait_end(&wait, &r.head, d);
    for (size_t i = 0; !e && i < r.offset_count; i++) {
        if (r.offsets[i].offset < 0) continue;
        struct group_place *p = place_of(w, r.offsets[i].topic, r.offsets[i].partition);
        if (!p) return diag_fail(d, ERR_TOO_BIG, "the group stands in too many partitions");
        p->position = r.offsets[i].offset;
    }
    return e;
}

static int by_place(const void *a, const void *b)
{
    const struct group_place *x = a, *y = b;
    int order = slice_compare(x->topic, y->topic);
    return order ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

/* "sluice-load_users" mirrors where the stream load_users stands. */
static struct slice stream_of(const struct flow *f, struct slice group)
{
    const struct slice head = SLICE("sluice-");
    if (!f || !slice_starts(group, "sluice-")) return (struct slice){0};
    struct slice name = slice_make(group.at + head.len, group.len - head.len);
    return flow_has(f, name) ? name : (struct slice){0};
}

static err_t look(struct looking *w, struct console *c, struct coord *k, struct group_look *out,
                  struct diag *d)
{
    struct group_describe *r = &out->described;
    struct coord_waiting wait;
    coord_wait_begin(&wait, &r->head, w->arena);
    group_describe(k, r);
    err_t e = coord_wait_end(&wait, &r->head, d);
    out->known = !e;
    if (e == ERR_UNKNOWN_GROUP) {
        *d = (struct diag){.err = ERR_OK};
        e = ERR_OK;
    }
    for (size_t i = 0; !e && i < r->member_count; i++)
        if (take_assignment(w, &r->members[i]))
            e = diag_fail(d, ERR_TOO_BIG, "the group reads too many partitions");
    if (!e) e = take_positions(w, k, r->group, d);
    out->count = w->places.count;
    out->places = arena_take(w->arena, (out->count + 1) * sizeof(*out->places));
    if (!e && !out->places) e = diag_fail(d, ERR_NO_MEMORY, "no memory for a group");
    if (e) return e;
    if (out->count) memcpy(out->places, w->places.items, out->count * sizeof(*out->places));
    if (out->count > 1) qsort(out->places, out->count, sizeof(*out->places), by_place);
    for (size_t i = 0; i < out->count; i++)
        if (out->places[i].position >= 0 && out->places[i].end >= 0)
            out->lag += MAX(out->places[i].end - out->places[i].position, INT64_C(0));
    out->stream = stream_of(c->o.world->flow, r->group);
    return ERR_OK;
}

err_t group_look_at(struct console *c, struct slice group, struct arena *arena,
                    struct group_look *out, struct diag *d)
{
    struct looking w = {.places = vec_make(sizeof(struct group_place), PLACES_MAX),
                        .by_name = map_new(PLACES_MAX),
                        .arena = arena,
                        .log = c->o.world->log};
    struct coord *k;
    *out = (struct group_look){.described = {.group = group}};
    err_t e = console_coord(c, &k, d);
    if (!e && !w.by_name) e = diag_fail(d, ERR_NO_MEMORY, "no memory for a group");
    if (!e) e = look(&w, c, k, out, d);
    vec_done(&w.places);
    map_free(w.by_name);
    return e;
}

err_t group_list_all(struct console *c, struct arena *arena, struct group_listed **out,
                     size_t *count, struct diag *d)
{
    struct group_list r = {.states = 0};
    struct coord_waiting wait;
    struct coord *k;
    *out = NULL;
    *count = 0;
    err_t e = console_coord(c, &k, d);
    if (e) return e;
    coord_wait_begin(&wait, &r.head, arena);
    group_list(k, &r);
    e = coord_wait_end(&wait, &r.head, d);
    if (e) return e;
    *out = r.groups;
    *count = r.group_count;
    return ERR_OK;
}

/* --- as JSON ------------------------------------------------------------------------------------
 */

static void put_number(struct buf *o, const char *name, int64_t n)
{
    js_name(o, name);
    n < 0 ? js_null(o) : js_int(o, n);
}

static void put_topics_of(struct buf *o, const struct group_look *g)
{
    js_put_open(o, "topics", '[');
    for (size_t i = 0; i < g->count; i++)
        if (!i || !slice_equal(g->places[i].topic, g->places[i - 1].topic))
            js_text(o, g->places[i].topic);
    js_close(o, ']');
}

static void put_head(struct buf *o, const struct group_look *g)
{
    js_put_text(o, "name", g->described.group);
    js_put_cstr(o, "state", group_state_name(g->described.state));
    js_put_text(o, "protocol", g->described.protocol);
    js_put_uint(o, "member_count", g->described.member_count);
    js_put_uint(o, "partition_count", g->count);
    js_put_int(o, "lag", g->lag);
    put_topics_of(o, g);
    js_put_text(o, "stream", g->stream);
}

err_t put_groups(struct console *c, struct arena *a, struct buf *out, struct diag *d)
{
    struct group_listed *list;
    size_t count;
    err_t e = group_list_all(c, a, &list, &count, d);
    js_open(out, '{');
    js_put_open(out, "groups", '[');
    for (size_t i = 0; !e && i < count; i++) {
        struct group_look g;
        e = group_look_at(c, list[i].group, a, &g, d);
        if (e || !g.known) continue; /* gone meanwhile */
        js_open(out, '{');
        put_head(out, &g);
        js_close(out, '}');
    }
    js_close(out, ']');
    js_close(out, '}');
    return e;
}

static void put_place(struct buf *o, const struct group_place *p)
{
    bool both = p->position >= 0 && p->end >= 0;
    js_open(o, '{');
    js_put_text(o, "topic", p->topic);
    js_put_int(o, "partition", p->partition);
    put_number(o, "position", p->position);
    put_number(o, "start", p->first);
    put_number(o, "end", p->end);
    put_number(o, "lag", both ? MAX(p->end - p->position, INT64_C(0)) : -1);
    js_put_text(o, "member", p->member);
    js_close(o, '}');
}

static void put_member(struct buf *o, const struct group_look *g, const struct group_member_view *m)
{
    uint64_t parts = 0;
    for (size_t i = 0; i < g->count; i++)
        parts += g->places[i].member.at && slice_equal(g->places[i].member, m->id);
    js_open(o, '{');
    js_put_text(o, "id", m->id);
    js_put_text(o, "client", m->client_id);
    js_put_text(o, "host", m->client_host);
    js_put_text(o, "instance", m->instance);
    js_put_uint(o, "partition_count", parts);
    js_close(o, '}');
}

err_t put_group(struct console *c, struct slice name, struct arena *a, struct buf *out,
                struct diag *d)
{
    struct group_look g;
    err_t e = group_look_at(c, name, a, &g, d);
    if (!e && !g.known) {
        (void)diag_fail(d, ERR_UNKNOWN_GROUP, "there is no group '%.*s'", SLICE_ARG(name));
        e = diag_hint(d, "sluice groups list");
    }
    if (e) return e;
    js_open(out, '{');
    put_head(out, &g);
    js_put_text(out, "protocol_type", g.described.protocol_type);
    js_put_int(out, "generation", g.described.generation);
    js_put_open(out, "partitions", '[');
    for (size_t i = 0; i < g.count; i++) put_place(out, &g.places[i]);
    js_close(out, ']');
    js_put_open(out, "members", '[');
    for (size_t i = 0; i < g.described.member_count; i++)
        put_member(out, &g, &g.described.members[i]);
    js_close(out, ']');
    js_close(out, '}');
    return ERR_OK;
}
