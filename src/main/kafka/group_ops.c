#include "main/kafka/group_ops.h"

#include <stdio.h>
#include <stdlib.h>

static err_t no_room(struct diag *d)
{
    return diag_fail(d, ERR_NO_MEMORY, "the answer is larger than %d MiB", SESSION_ARENA_MAX >> 20);
}

/* --- list and look ---------------------------------------------------------------------------- */

static int by_group(const void *a, const void *b)
{
    const struct listed_group *x = a, *y = b;
    return slice_compare(x->name, y->name);
}

static err_t list_at(struct session *s, int32_t node, struct listed_group **out, size_t *count,
                     struct diag *d)
{
    struct kafka_list_groups_request r;
    struct kafka_ask q = {.api = KAFKA_API_list_groups, .request = &r};
    kafka_init(&kafka_list_groups_request_message, &r);
    err_t e = kafka_client_ask(s->client, node, &q, s->arena, d);
    if (e) return e;
    const struct kafka_list_groups_response *o = q.response;
    e = kafka_client_error(o->error_code, (struct slice){0}, d, "listing groups of broker %d",
                           node);
    if (e) return e;
    size_t more = (size_t)MAX(o->groups.count, 0);
    struct listed_group *all =
        arena_resize(s->arena, *out, *count * sizeof(*all), (*count + more + 1) * sizeof(*all));
    if (!all) return no_room(d);
    for (size_t i = 0; i < more; i++) {
        const struct kafka_list_groups_response_group *g = &o->groups.at[i];
        if (g->protocol_type.len && !slice_is(g->protocol_type, "consumer")) continue;
        all[(*count)++] =
            (struct listed_group){g->group_id, g->group_state, g->group_type, g->protocol_type};
    }
    *out = all;
    return ERR_OK;
}

err_t list_groups(struct session *s, struct listed_group **out, size_t *count, struct diag *d)
{
    struct kafka_node nodes[CLIENT_NODES_MAX];
    struct kafka_metadata_response *m;
    *out = NULL;
    *count = 0;
    err_t e = kafka_client_topics(s->client, NULL, 0, false, s->arena, &m, d);
    size_t n = e ? 0 : kafka_client_nodes(s->client, nodes, CLIENT_NODES_MAX);
    for (size_t i = 0; !e && i < n; i++) e = list_at(s, nodes[i].id, out, count, d);
    if (!e && *count > 1) qsort(*out, *count, sizeof(**out), by_group);
    return e;
}

static err_t take_members(struct session *s, const struct kafka_describe_groups_response_group *g,
                          struct group_view *out, struct diag *d)
{
    err_t e = ERR_OK;
    out->member_count = (size_t)MAX(g->members.count, 0);
    out->members = arena_take(s->arena, (out->member_count + 1) * sizeof(*out->members));
    if (!out->members) return no_room(d);
    for (size_t i = 0; !e && i < out->member_count; i++) {
        const struct kafka_describe_groups_response_member *m = &g->members.at[i];
        out->members[i] = (struct group_member){.id = m->member_id,
                                                .instance = m->group_instance_id,
                                                .client = m->client_id,
                                                .host = m->client_host};
        e = kafka_assignment_read(m->member_assignment, s->arena, &out->members[i].part,
                                  &out->members[i].part_count, d);
    }
    return e;
}

err_t view_group(struct session *s, struct slice name, struct group_view *out, struct diag *d)
{
    struct kafka_node nodes[CLIENT_NODES_MAX];
    struct kafka_describe_groups_request r;
    struct kafka_ask q = {.api = KAFKA_API_describe_groups, .newest = 5, .request = &r};
    int32_t node = -1;
    *out = (struct group_view){.name = name};
    kafka_init(&kafka_describe_groups_request_message, &r);
    r.groups.at = &name;
    r.groups.count = 1;
    err_t e = kafka_client_coordinator(s->client, 0, name, &node, d);
    if (!e) e = kafka_client_ask(s->client, node, &q, s->arena, d);
    if (e) return e;
    size_t n = kafka_client_nodes(s->client, nodes, CLIENT_NODES_MAX);
    for (size_t i = 0; i < n; i++)
        if (nodes[i].id == node) out->coordinator = nodes[i];
    const struct kafka_describe_groups_response *o = q.response;
    if (o->groups.count != 1) return diag_fail(d, ERR_PEER, "no answer for the group");
    const struct kafka_describe_groups_response_group *g = &o->groups.at[0];
    out->state = g->group_state;
    out->assignor = g->protocol_data;
    if (g->error_code == KAFKA_ERROR_GROUP_ID_NOT_FOUND) {
        out->state = SLICE("Dead");
        return ERR_OK;
    }
    e = kafka_client_error(g->error_code, g->error_message, d, "describing group '%.*s'",
                           SLICE_ARG(name));
    return e ? e : take_members(s, g, out, d);
}

/* --- rows ------------------------------------------------------------------------------------- */

static int by_row(const void *a, const void *b)
{
    const struct group_row *x = a, *y = b;
    if (x->member != y->member) {
        if (!x->member || !y->member) return x->member ? -1 : 1;
        return x->member < y->member ? -1 : 1;
    }
    int order = slice_compare(x->topic, y->topic);
    return order ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

static struct group_row *row_of(struct group_row *rows, size_t count, struct slice topic,
                                int32_t partition)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].partition == partition && slice_compare(rows[i].topic, topic) == 0)
            return &rows[i];
    return NULL;
}

/* Each topic once; answers how many there are then. */
static int32_t topic_add(struct slice *names, int32_t count, struct slice topic)
{
    for (int32_t i = 0; i < count; i++)
        if (slice_compare(names[i], topic) == 0) return count;
    names[count] = topic;
    return count + 1;
}

/* Ends of the logs, of topics that are still there. */
static err_t fill_ends(struct session *s, struct group_row *rows, size_t count, struct diag *d)
{
    struct kafka_metadata_response *m;
    struct place *ends;
    size_t n = 0;
    struct slice *names = arena_take(s->arena, (count + 1) * sizeof(*names));
    int32_t topics = 0;
    if (!names) return no_room(d);
    for (size_t i = 0; i < count; i++) topics = topic_add(names, topics, rows[i].topic);
    err_t e = kafka_client_topics(s->client, names, topics, false, s->arena, &m, d);
    if (!e) e = places_of(s, m, &ends, &n, d);
    if (!e) e = ask_offsets(s, ends, n, d);
    for (size_t i = 0; !e && i < n; i++) {
        struct group_row *row = row_of(rows, count, ends[i].topic, ends[i].partition);
        if (row && !ends[i].error) row->end = ends[i].offset;
    }
    return e;
}

err_t group_rows(struct session *s, const struct group_view *g, struct group_row **out,
                 size_t *count, struct diag *d)
{
    struct kafka_spot *spots = NULL;
    int64_t known = -1;
    size_t total = 0, n = 0;
    err_t e = kafka_group_positions(s->client, g->name, &spots, &known, s->arena, d);
    if (e) return e;
    for (size_t i = 0; i < g->member_count; i++) total += g->members[i].part_count;
    *out = arena_take(s->arena, (total + (size_t)known + 1) * sizeof(**out));
    if (!*out) return no_room(d);
    for (size_t i = 0; i < g->member_count; i++)
        for (size_t k = 0; k < g->members[i].part_count; k++)
            (*out)[n++] = (struct group_row){.topic = g->members[i].part[k].topic,
                                             .partition = g->members[i].part[k].partition,
                                             .position = -1,
                                             .end = -1,
                                             .member = &g->members[i]};
    for (int64_t i = 0; i < known; i++) {
        if (spots[i].position < 0) continue;
        struct group_row *row = row_of(*out, n, spots[i].topic, spots[i].partition);
        if (!row) {
            row = &(*out)[n++];
            *row = (struct group_row){
                .topic = spots[i].topic, .partition = spots[i].partition, .end = -1};
        }
        row->position = spots[i].position;
    }
    *count = n;
    if (n > 1) qsort(*out, n, sizeof(**out), by_row);
    return n ? fill_ends(s, *out, n, d) : ERR_OK;
}

/* --- changes ---------------------------------------------------------------------------------- */

err_t delete_group(struct session *s, struct slice name, struct diag *d)
{
    struct kafka_delete_groups_request r;
    struct kafka_ask q = {.api = KAFKA_API_delete_groups, .request = &r};
    int32_t node;
    kafka_init(&kafka_delete_groups_request_message, &r);
    r.groups_names.at = &name;
    r.groups_names.count = 1;
    err_t e = kafka_client_coordinator(s->client, 0, name, &node, d);
    if (!e) e = kafka_client_ask(s->client, node, &q, s->arena, d);
    if (e) return e;
    const struct kafka_delete_groups_response *o = q.response;
    if (o->results.count != 1) return diag_fail(d, ERR_PEER, "no answer for the group");
    return kafka_client_error(o->results.at[0].error_code, (struct slice){0}, d,
                              "deleting group '%.*s'", SLICE_ARG(name));
}

err_t forget_positions(struct session *s, struct slice name, struct kafka_spot *spots, size_t count,
                       int16_t *code, struct diag *d)
{
    struct kafka_offset_delete_request r;
    struct kafka_ask q = {.api = KAFKA_API_offset_delete, .request = &r};
    int32_t node;
    kafka_init(&kafka_offset_delete_request_message, &r);
    r.group_id = name;
    r.topics.at =
        kafka_new(s->arena, &kafka_offset_delete_request_topic_struct, (int32_t)count + 1);
    struct kafka_offset_delete_request_partition *rows =
        kafka_new(s->arena, &kafka_offset_delete_request_partition_struct, (int32_t)count + 1);
    if (!r.topics.at || !rows) return no_room(d);
    r.topics.count = 0;
    for (size_t i = 0; i < count; i++) { /* a topic's spots stand together */
        struct kafka_offset_delete_request_topic *t = NULL;
        if (r.topics.count) t = &r.topics.at[r.topics.count - 1];
        if (!t || slice_compare(t->name, spots[i].topic) != 0) {
            t = &r.topics.at[r.topics.count++];
            t->name = spots[i].topic;
            t->partitions.at = &rows[i];
            t->partitions.count = 0;
        }
        rows[i].partition_index = spots[i].partition;
        t->partitions.count++;
    }
    err_t e = kafka_client_coordinator(s->client, 0, name, &node, d);
    if (!e) e = kafka_client_ask(s->client, node, &q, s->arena, d);
    if (e) return e;
    const struct kafka_offset_delete_response *o = q.response;
    *code = o->error_code;
    for (size_t n = 0; n < count; n++) spots[n].error = *code;
    for (int32_t i = 0; i < o->topics.count; i++)
        for (int32_t k = 0; k < o->topics.at[i].partitions.count; k++)
            for (size_t n = 0; n < count; n++)
                if (spots[n].partition == o->topics.at[i].partitions.at[k].partition_index &&
                    slice_compare(spots[n].topic, o->topics.at[i].name) == 0)
                    spots[n].error = o->topics.at[i].partitions.at[k].error_code;
    return ERR_OK;
}

/* --- "t:0,1" ---------------------------------------------------------------------------------- */

static err_t add_spot(struct session *s, struct kafka_spot **out, size_t *count, struct slice topic,
                      int32_t partition, struct diag *d)
{
    struct kafka_spot *all =
        arena_resize(s->arena, *out, *count * sizeof(*all), (*count + 1) * sizeof(*all));
    if (!all) return no_room(d);
    all[(*count)++] = (struct kafka_spot){
        .topic = topic, .partition = partition, .position = -1, .end = -1, .leader = -1};
    *out = all;
    return ERR_OK;
}

static err_t named_partitions(struct session *s, const char *text, const char *colon,
                              struct kafka_spot **out, size_t *count, struct diag *d)
{
    struct slice topic = slice_make(text, (size_t)(colon - text));
    const char *at = colon + 1;
    if (!*at || strchr(at, ':') || topic.len == 0)
        return diag_fail(d, ERR_USAGE, "Invalid topic arg '%s', expected topic name and partitions",
                         text);
    err_t e = ERR_OK;
    while (!e && *at) {
        size_t len = strcspn(at, ",");
        int64_t n;
        if (!slice_to_i64(slice_make(at, len), &n) || n < 0 || n > INT32_MAX)
            return diag_fail(d, ERR_USAGE, "Invalid partition '%.*s' specified in topic arg '%s''",
                             (int)len, at, text);
        e = add_spot(s, out, count, topic, (int32_t)n, d);
        at += len + (at[len] == ',');
    }
    return e;
}

err_t partitions_of(struct session *s, const char *const *texts, int count, struct kafka_spot **out,
                    size_t *spot_count, struct diag *d)
{
    err_t e = ERR_OK;
    *out = NULL;
    *spot_count = 0;
    for (int i = 0; !e && i < count; i++) {
        const char *colon = strchr(texts[i], ':');
        if (colon) {
            e = named_partitions(s, texts[i], colon, out, spot_count, d);
            continue;
        }
        struct kafka_metadata_response *m;
        e = ask_topics(s, &texts[i], 1, &m, d);
        for (int32_t k = 0; !e && m->topics.count == 1 && k < m->topics.at[0].partitions.count; k++)
            e = add_spot(s, out, spot_count, slice_of(texts[i]),
                         m->topics.at[0].partitions.at[k].partition_index, d);
    }
    return e;
}

/* --- resets ----------------------------------------------------------------------------------- */

static struct place *place_of(struct place *places, size_t count, const struct kafka_spot *s)
{
    for (size_t i = 0; i < count; i++)
        if (places[i].partition == s->partition && slice_compare(places[i].topic, s->topic) == 0)
            return &places[i];
    return NULL;
}

/* First offsets, ends, and where a time is, of all partitions of the spots' topics. */
static err_t ask_bounds(struct session *s, const struct reset *r, const struct kafka_spot *spots,
                        size_t count, struct place *at[3], size_t *places, struct diag *d)
{
    static const int64_t times[] = {AT_EARLIEST, AT_LATEST};
    struct kafka_metadata_response *m;
    struct slice *names = arena_take(s->arena, (count + 1) * sizeof(*names));
    int32_t topics = 0;
    if (!names) return no_room(d);
    for (size_t i = 0; i < count; i++) topics = topic_add(names, topics, spots[i].topic);
    err_t e = kafka_client_topics(s->client, names, topics, false, s->arena, &m, d);
    for (int i = 0; !e && i < 3; i++) {
        e = places_of(s, m, &at[i], places, d);
        if (e || (i == 2 && r->to != RESET_TIME)) continue;
        for (size_t k = 0; k < *places; k++) at[i][k].time = i < 2 ? times[i] : r->number;
        e = ask_offsets(s, at[i], *places, d);
    }
    return e;
}

static void warn_moved(const struct reset *r, const struct kafka_spot *s, int64_t wanted,
                       int64_t set)
{
    char text[512];
    if (!r->warn || wanted == set) return;
    snprintf(text, sizeof(text),
             "New offset (%lld) is %s offset for topic partition %.*s-%d. Value will be set to "
             "%lld",
             (long long)wanted, wanted > set ? "higher than latest" : "lower than earliest",
             SLICE_ARG(s->topic), s->partition, (long long)set);
    r->warn(text);
}

err_t plan_reset(struct session *s, struct slice group, const struct reset *r,
                 struct kafka_spot *spots, size_t count, struct diag *d)
{
    struct place *at[3];
    size_t places = 0;
    int64_t rows = (int64_t)count;
    if (count == 0) return ERR_OK;
    struct kafka_spot *old = arena_take(s->arena, count * sizeof(*old));
    if (!old) return no_room(d);
    memcpy(old, spots, count * sizeof(*old));
    err_t e = ask_bounds(s, r, spots, count, at, &places, d);
    if (!e && (r->to == RESET_SHIFT || r->to == RESET_CURRENT))
        e = kafka_group_positions(s->client, group, &old, &rows, s->arena, d);
    for (size_t i = 0; !e && i < count; i++) {
        const struct place *first = place_of(at[0], places, &spots[i]),
                           *end = place_of(at[1], places, &spots[i]),
                           *then = place_of(at[2], places, &spots[i]);
        if (!first || first->error || end->error)
            return kafka_client_error(
                first && first->error ? first->error : KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION,
                (struct slice){0}, d, "%.*s-%d", SLICE_ARG(spots[i].topic), spots[i].partition);
        struct reset_bounds b = {first->offset, end->offset, then->offset, old[i].position};
        int64_t wanted, number = r->to == RESET_PLAN ? spots[i].position : r->number;
        e = reset_place(r->to, number, &b, spots[i].topic, spots[i].partition, &wanted,
                        &spots[i].position, d);
        if (!e) warn_moved(r, &spots[i], wanted, spots[i].position);
    }
    return e;
}
