/* Consumer groups: who is behind; moving one to another place, shown in numbers before; taking one
 * away. */
#include "coord/reset.h"
#include "door/console/topics_kit.h"

#include <inttypes.h>

err_t console_groups(struct ask *a)
{
    return put_groups(a->console, a->arena, &a->out, &a->d);
}

err_t console_group(struct ask *a)
{
    return put_group(a->console, ask_part(a, "name"), a->arena, &a->out, &a->d);
}

err_t live_groups(struct look *k)
{
    return put_groups(k->console, k->arena, &k->out, &k->d);
}

err_t live_group(struct look *k)
{
    return put_group(k->console, k->arg, k->arena, &k->out, &k->d);
}

/* --- reset --------------------------------------------------------------------------------------
 */

struct reset_rule {
    enum reset_to to;
    int64_t number, time_ms;
};
struct reset_row {
    struct slice topic;
    int32_t partition;
    int64_t from, to, wanted;
};
struct resetting {
    struct ask *ask;
    struct reset_rule rule;
    struct group_look group;
    struct reset_row *rows;
    size_t count, room;
};

static err_t rule_read(struct ask *a, struct reset_rule *r)
{
    static const struct {
        const char *name;
        enum reset_to to;
    } words[] = {{"earliest", RESET_EARLIEST}, {"latest", RESET_LATEST},
                 {"offset", RESET_OFFSET},     {"shift", RESET_SHIFT},
                 {"time", RESET_TIME},         {"current", RESET_CURRENT}};
    struct slice to = ask_body_text(a, "to");
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (!slice_is(to, words[i].name)) continue;
        const char *needs = words[i].to == RESET_TIME                                   ? "time_ms"
                            : words[i].to == RESET_OFFSET || words[i].to == RESET_SHIFT ? "number"
                                                                                        : NULL;
        *r = (struct reset_rule){words[i].to, ask_body_int(a, "number", 0),
                                 ask_body_int(a, "time_ms", 0)};
        if (!needs || ask_body(a, needs)) return ERR_OK;
        (void)diag_fail(&a->d, ERR_USAGE, "'%s' needs %s", words[i].name, needs);
        return diag_where(&a->d, "%s", needs);
    }
    (void)diag_fail(&a->d, ERR_USAGE, "'%.*s' is no place to reset to", SLICE_ARG(to));
    return diag_hint(&a->d, "earliest, latest, current, offset, shift or time");
}

static err_t add_row(struct resetting *w, struct slice topic, int32_t partition)
{
    struct log_topic *t = log_topic_find(ask_world(w->ask)->log, topic);
    struct log_partition *p = t ? log_partition(t, partition) : NULL;
    struct diag *d = &w->ask->d;
    struct reset_bounds b = {.at_time = -1, .position = -1};
    int64_t time;
    if (!p)
        return diag_fail(d, ERR_UNKNOWN_TOPIC, "there is no partition %d of topic '%.*s'",
                         partition, SLICE_ARG(topic));
    for (size_t i = 0; i < w->group.count; i++)
        if (w->group.places[i].partition == partition &&
            slice_equal(w->group.places[i].topic, topic))
            b.position = w->group.places[i].position;
    b.first = log_start_offset(p);
    b.end = MAX(log_end_offset(p), b.first);
    err_t e =
        w->rule.to == RESET_TIME ? log_record_at(p, w->rule.time_ms, &b.at_time, &time, d) : ERR_OK;
    INVARIANT(w->count < w->room);
    struct reset_row *row = &w->rows[w->count];
    *row = (struct reset_row){.topic = topic, .partition = partition, .from = b.position};
    if (!e)
        e = reset_place(w->rule.to, w->rule.number, &b, topic, partition, &row->wanted, &row->to,
                        d);
    if (!e) w->count++;
    return e;
}

/* Of the topic that the body names, perhaps one partition; else wherever the group stands. */
static err_t rows_of(struct resetting *w)
{
    struct slice topic = ask_body_text(w->ask, "topic");
    int64_t only = ask_body_int(w->ask, "partition", -1);
    struct log_topic *t = NULL;
    err_t e = topic.len ? topic_named(ask_world(w->ask)->log, topic, &t, &w->ask->d) : ERR_OK;
    if (e) return e;
    w->room = t ? (size_t)log_topic_partitions(t) : w->group.count;
    w->rows = arena_take(w->ask->arena, (w->room + 1) * sizeof(*w->rows));
    if (!w->rows) return diag_fail(&w->ask->d, ERR_NO_MEMORY, "no memory for a reset");
    if (t && only >= 0) return add_row(w, topic, (int32_t)MIN(only, INT32_MAX));
    for (int32_t i = 0; t && !e && i < log_topic_partitions(t); i++) e = add_row(w, topic, i);
    for (size_t i = 0; !t && !e && i < w->group.count; i++)
        e = add_row(w, w->group.places[i].topic, w->group.places[i].partition);
    if (e || w->count) return e;
    (void)diag_fail(&w->ask->d, ERR_USAGE, "the group stands nowhere yet");
    (void)diag_where(&w->ask->d, "topic");
    return diag_hint(&w->ask->d, "topic says where it shall stand");
}

/* Only a group that nobody is in can be moved. */
static err_t may_move(struct resetting *w)
{
    const struct group_look *g = &w->group;
    struct diag *d = &w->ask->d;
    if (g->stream.at) {
        (void)diag_fail(d, ERR_POLICY, "the group mirrors where stream '%.*s' stands",
                        SLICE_ARG(g->stream));
        (void)diag_why(d, "the stream keeps its place with its rows, in one write");
        return diag_hint(d, "sluice reset %.*s begins the stream anew", SLICE_ARG(g->stream));
    }
    if (!g->known || g->described.state == GROUP_EMPTY) return ERR_OK;
    (void)diag_fail(d, ERR_GROUP_NOT_EMPTY, "the group is read by %zu member(s) (%s)",
                    g->described.member_count, group_state_name(g->described.state));
    return diag_hint(d, "stop its consumers first");
}

static err_t place_all(struct resetting *w)
{
    struct ask *a = w->ask;
    struct group_commit r = {.group = w->group.described.group,
                             .generation = -1,
                             .retention_ms = -1,
                             .producer_id = -1,
                             .offset_count = w->count};
    struct coord_waiting wait;
    r.offsets = arena_take(a->arena, (w->count + 1) * sizeof(*r.offsets));
    if (!r.offsets) return diag_fail(&a->d, ERR_NO_MEMORY, "no memory for a reset");
    for (size_t i = 0; i < w->count; i++)
        r.offsets[i] = (struct group_offset){.topic = w->rows[i].topic,
                                             .partition = w->rows[i].partition,
                                             .leader_epoch = -1,
                                             .offset = w->rows[i].to};
    coord_wait_begin(&wait, &r.head, a->arena);
    group_commit(a->console->o.coord, &r);
    err_t e = coord_wait_end(&wait, &r.head, &a->d);
    for (size_t i = 0; !e && i < w->count; i++)
        if (r.offsets[i].err)
            e = diag_fail(&a->d, r.offsets[i].err, "%.*s partition %d: %s",
                          SLICE_ARG(w->rows[i].topic), w->rows[i].partition,
                          err_text(r.offsets[i].err));
    return e;
}

static void put_rows(struct resetting *w, bool done)
{
    struct buf *o = &w->ask->out;
    int64_t again = 0, skipped = 0;
    js_open(o, '{');
    js_put_text(o, "group", w->group.described.group);
    js_put_bool(o, "done", done);
    js_put_open(o, "partitions", '[');
    for (size_t i = 0; i < w->count; i++) {
        const struct reset_row *r = &w->rows[i];
        int64_t moved = r->from < 0 ? 0 : r->to - r->from;
        again += moved < 0 ? -moved : 0;
        skipped += moved > 0 ? moved : 0;
        js_open(o, '{');
        js_put_text(o, "topic", r->topic);
        js_put_int(o, "partition", r->partition);
        js_name(o, "from");
        r->from < 0 ? js_null(o) : js_int(o, r->from);
        js_put_int(o, "to", r->to);
        js_put_int(o, "wanted", r->wanted);
        js_close(o, '}');
    }
    js_close(o, ']');
    js_put_int(o, "again", again);
    js_put_int(o, "skipped", skipped);
    js_close(o, '}');
}

err_t console_group_reset(struct ask *a)
{
    struct resetting w = {.ask = a};
    bool dry = ask_body_bool(a, "dry_run", false);
    err_t e = rule_read(a, &w.rule);
    if (!e) e = group_look_at(a->console, ask_part(a, "name"), a->arena, &w.group, &a->d);
    if (!e) e = may_move(&w);
    if (!e) e = rows_of(&w);
    if (!e && !dry) e = place_all(&w);
    if (!e) put_rows(&w, !dry);
    return e;
}

/* --- delete -------------------------------------------------------------------------------------
 */

err_t console_group_delete(struct ask *a)
{
    struct group_delete r = {.group = ask_part(a, "name")};
    struct coord_waiting wait;
    struct coord *c;
    struct group_look g;
    err_t e = console_coord(a->console, &c, &a->d);
    if (!e) e = group_look_at(a->console, r.group, a->arena, &g, &a->d);
    if (!e && g.stream.at)
        e = diag_fail(&a->d, ERR_POLICY,
                      "the group mirrors where stream '%.*s' stands: it would "
                      "come again",
                      SLICE_ARG(g.stream));
    if (e) return e;
    coord_wait_begin(&wait, &r.head, a->arena);
    group_delete(c, &r);
    e = coord_wait_end(&wait, &r.head, &a->d);
    if (e == ERR_GROUP_NOT_EMPTY) (void)diag_hint(&a->d, "stop its consumers first");
    return e;
}
