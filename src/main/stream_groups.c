#include "main/stream_groups.h"

#include "base/say.h"
#include "coord/groups.h"
#include "os/thread.h"

/* Each sending is a sync of the disk on the thread that records wait for, too; clients of Kafka's
 * do it every five seconds. */
enum { SEND_EVERY_MS = 1000, COMMIT_BYTES_MAX = 64 << 20, NAME_MAX_BYTES = 300 };

struct noted {
    struct slice topic;
    int32_t partition;
    int64_t next;
    bool told; /* the coordinators were sent this */
};
struct stream_noted {
    struct stream_groups *groups;
    struct slice name;  /* the group's */
    struct vec offsets; /* of struct noted, in the order they were first seen */
    struct map *places; /* topic, partition -> its place in offsets, from 1 */
    bool changed, under_way;
};
struct stream_groups {
    struct gate gate; /* guards all of it; held for moments */
    struct arena *texts;
    struct vec streams; /* of struct stream_noted * */
    struct loop_timer *timer;
    struct coord *coord;
    size_t entries;
    uint32_t under_way;
    bool full;
};
struct sending {
    struct group_commit commit; /* first */
    struct stream_noted *stream;
    struct arena *arena;
};

err_t stream_groups_new(struct stream_groups **out, struct diag *d)
{
    struct stream_groups *g = mem_take(sizeof(*g));
    if (g) g->texts = arena_new(MIB(256));
    if (!g || !g->texts) {
        mem_give(g);
        return diag_fail(d, ERR_NO_MEMORY, "no memory for the streams' groups");
    }
    g->streams = vec_make(sizeof(struct stream_noted *), 1000);
    gate_init(&g->gate);
    *out = g;
    return ERR_OK;
}

void stream_groups_free(struct stream_groups *g)
{
    if (!g) return;
    for (size_t i = 0; i < g->streams.count; i++) {
        struct stream_noted *s = *(struct stream_noted **)vec_at(&g->streams, i);
        map_free(s->places);
        vec_done(&s->offsets);
    }
    vec_done(&g->streams);
    arena_free(g->texts);
    gate_done(&g->gate);
    mem_give(g);
}

/* --- noting: inside the gate --------------------------------------------------------------------
 */

static struct stream_noted *stream_of(struct stream_groups *g, struct slice name)
{
    char group[NAME_MAX_BYTES];
    struct buf b = buf_over(group, sizeof(group));
    buf_printf(&b, "sluice-%.*s", SLICE_ARG(name));
    for (size_t i = 0; i < g->streams.count; i++) {
        struct stream_noted *s = *(struct stream_noted **)vec_at(&g->streams, i);
        if (slice_equal(s->name, buf_view(&b))) return s;
    }
    struct stream_noted *s = arena_take(g->texts, sizeof(*s));
    if (!s || b.err) return NULL;
    *s = (struct stream_noted){.groups = g,
                               .name = arena_slice(g->texts, buf_view(&b)),
                               .offsets = vec_make(sizeof(struct noted), STREAM_GROUP_OFFSETS_MAX),
                               .places = map_new(STREAM_GROUP_OFFSETS_MAX)};
    if (!s->name.at || !s->places || vec_push(&g->streams, &s)) {
        map_free(s->places);
        return NULL;
    }
    return s;
}

static struct noted *entry_of(struct stream_noted *s, struct slice topic, int32_t partition)
{
    uint8_t room[NAME_MAX_BYTES];
    struct buf key = buf_over(room, sizeof(room));
    buf_be(&key, (uint32_t)partition, 4);
    buf_slice(&key, topic);
    if (key.err) return NULL;
    uintptr_t place = (uintptr_t)map_get(s->places, buf_view(&key));
    if (place) return vec_at(&s->offsets, place - 1);
    struct slice kept = {0};
    for (size_t i = 0; i < s->offsets.count && !kept.at; i++) {
        const struct noted *other = vec_at(&s->offsets, i);
        if (slice_equal(other->topic, topic)) kept = other->topic;
    }
    if (!kept.at) kept = arena_slice(s->groups->texts, topic);
    if (!kept.at || s->groups->entries == STREAM_GROUP_OFFSETS_MAX) return NULL;
    struct noted *n = vec_add(&s->offsets);
    if (!n) return NULL;
    *n = (struct noted){.topic = kept, .partition = partition};
    if (map_set(s->places, buf_view(&key), (void *)s->offsets.count)) {
        s->offsets.count--;
        return NULL;
    }
    s->groups->entries++;
    return n;
}

void stream_groups_note(void *groups, struct slice stream, struct slice topic, int32_t partition,
                        int64_t next)
{
    struct stream_groups *g = groups;
    bool first = false;
    gate_enter(&g->gate);
    struct stream_noted *s = stream_of(g, stream);
    struct noted *n = s ? entry_of(s, topic, partition) : NULL;
    if (n) {
        n->next = next;
        n->told = false;
        s->changed = true;
    } else {
        first = !g->full;
        g->full = true;
    }
    gate_leave(&g->gate);
    if (first)
        say_warn(SAY_MAIN, "there is no room to show more of what streams have read",
                 "stream=%.*s topic=%.*s", SLICE_ARG(stream), SLICE_ARG(topic));
}

/* --- sending ------------------------------------------------------------------------------------
 */

/* On the coordinators' loop. What was refused goes out again with the next timer. */
static void commit_done(struct coord_request *head)
{
    struct sending *q = (struct sending *)(void *)head;
    struct stream_noted *s = q->stream;
    struct stream_groups *g = s->groups;
    err_t e = head->err;
    for (size_t i = 0; !e && i < q->commit.offset_count; i++) e = q->commit.offsets[i].err;
    if (e && e != ERR_STOPPED)
        say_warn(SAY_MAIN, "a stream's offsets can not be shown to consumer groups",
                 "group=%.*s err=%s", SLICE_ARG(s->name), err_name(e));
    gate_enter(&g->gate);
    for (size_t i = 0; e && i < s->offsets.count; i++)
        ((struct noted *)vec_at(&s->offsets, i))->told = false;
    s->changed |= e != ERR_OK;
    s->under_way = false;
    g->under_way--;
    gate_wake(&g->gate);
    gate_leave(&g->gate);
    arena_free(q->arena); /* q itself lies in it */
}

/* Inside the gate; NULL: nothing to send, or no memory just now. */
static struct sending *make_commit(struct stream_noted *s)
{
    if (!s->changed || s->under_way) return NULL;
    struct arena *a = arena_new(COMMIT_BYTES_MAX);
    struct sending *q = a ? arena_take(a, sizeof(*q)) : NULL;
    struct group_offset *rows = q ? arena_take(a, s->offsets.count * sizeof(*rows)) : NULL;
    size_t count = 0;
    if (!rows) {
        arena_free(a);
        return NULL;
    }
    for (size_t i = 0; i < s->offsets.count; i++) {
        struct noted *n = vec_at(&s->offsets, i);
        if (n->told) continue;
        n->told = true;
        rows[count++] = (struct group_offset){
            .topic = n->topic, .partition = n->partition, .leader_epoch = -1, .offset = n->next};
    }
    *q = (struct sending){.commit = {.head = {.done = commit_done, .arena = a},
                                     .group = s->name,
                                     .member = SLICE(""),
                                     .generation = -1,
                                     .retention_ms = -1,
                                     .stream = true,
                                     .producer_id = -1,
                                     .offsets = rows,
                                     .offset_count = count},
                          .stream = s,
                          .arena = a};
    s->changed = false;
    s->under_way = true;
    s->groups->under_way++;
    return q;
}

static void send_changed(void *groups)
{
    struct stream_groups *g = groups;
    bool more = true;
    for (size_t i = 0; more; i++) {
        struct sending *q = NULL;
        gate_enter(&g->gate);
        more = i < g->streams.count;
        if (more) q = make_commit(*(struct stream_noted **)vec_at(&g->streams, i));
        gate_leave(&g->gate);
        if (q) group_commit(g->coord, &q->commit);
    }
}

err_t stream_groups_start(struct stream_groups *g, struct loop *l, struct coord *c, struct diag *d)
{
    g->coord = c;
    err_t e = loop_timer_new(l, SEND_EVERY_MS, SEND_EVERY_MS, send_changed, g, &g->timer);
    return e ? diag_fail(d, e, "no memory for the streams' groups") : ERR_OK;
}

static void wait_for_all(struct stream_groups *g)
{
    gate_enter(&g->gate);
    while (g->under_way) gate_wait(&g->gate);
    gate_leave(&g->gate);
}

void stream_groups_stop(struct stream_groups *g)
{
    if (!g || !g->coord) return;
    loop_timer_free(g->timer);
    g->timer = NULL;
    wait_for_all(g);
    send_changed(g);
    wait_for_all(g);
    g->coord = NULL;
}
