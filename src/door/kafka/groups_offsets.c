/* OffsetCommit, OffsetFetch, OffsetDelete. The coordinator takes flat rows of topic and partition;
 * the protocol nests them. */
#include "door/kafka/groups_door.h"

/* The first versions that … */
enum { COMMIT_GROUP_NOT_FOUND = 9, FETCH_ALL = 2, FETCH_SEVERAL = 8 };

static struct group_offset *rows_new(struct call *c, size_t count)
{
    return arena_take(c->arena, MAX(count, (size_t)1) * sizeof(struct group_offset));
}

static bool is_there(const struct call *c, struct slice topic, int32_t partition)
{
    struct log_topic *t = log_topic_find(door_options(c->door)->log, topic);
    return t && log_partition(t, partition);
}

/* --- OffsetCommit ----------------------------------------------------------------------------- */

static void commit_tell(struct call *c, const struct group_offset *row, err_t all)
{
    const struct kafka_offset_commit_request *q = c->request;
    struct kafka_offset_commit_response *out = c->response;
    out->topics.count = q->topics.count;
    out->topics.at = call_new(c, kafka_offset_commit_response_topic, q->topics.count);
    bool good = out->topics.at != NULL;
    for (int32_t i = 0; good && i < q->topics.count; i++) {
        struct kafka_offset_commit_response_topic *t = &out->topics.at[i];
        t->name = q->topics.at[i].name;
        t->partitions.count = q->topics.at[i].partitions.count;
        t->partitions.at = call_new(c, kafka_offset_commit_response_partition, t->partitions.count);
        good = t->partitions.at != NULL;
        for (int32_t k = 0; good && k < t->partitions.count; k++, row++) {
            t->partitions.at[k].partition_index = row->partition;
            t->partitions.at[k].error_code = groups_code(row->err ? row->err : all);
        }
    }
    if (good)
        call_answer(c);
    else
        groups_no_memory(c);
}

static void commit_done(struct coord_request *head)
{
    struct group_commit *r = (struct group_commit *)head;
    commit_tell(head->arg, r->offsets, head->err);
}

static size_t commit_count(const struct kafka_offset_commit_request *q)
{
    size_t count = 0;
    for (int32_t i = 0; i < q->topics.count; i++)
        count += (size_t)MAX(q->topics.at[i].partitions.count, 0);
    return count;
}

/* Rows of what does not exist are answered here, and the group does not see them; whether any row
 * is left. */
static bool commit_rows(struct call *c, struct group_commit *r)
{
    const struct kafka_offset_commit_request *q = c->request;
    bool any = false;
    for (int32_t i = 0; i < q->topics.count; i++) {
        const struct kafka_offset_commit_request_topic *t = &q->topics.at[i];
        for (int32_t k = 0; k < t->partitions.count; k++) {
            const struct kafka_offset_commit_request_partition *p = &t->partitions.at[k];
            bool there = is_there(c, t->name, p->partition_index);
            r->offsets[r->offset_count++] =
                (struct group_offset){.topic = t->name,
                                      .partition = p->partition_index,
                                      .leader_epoch = p->committed_leader_epoch,
                                      .offset = p->committed_offset,
                                      .commit_ms = p->commit_timestamp,
                                      .metadata = p->committed_metadata,
                                      .err = there ? ERR_OK : ERR_UNKNOWN_TOPIC};
            any = any || there;
        }
    }
    return any;
}

void kafka_offset_commit(struct call *c)
{
    const struct kafka_offset_commit_request *q = c->request;
    struct group_commit *r = groups_ask(c, sizeof(*r), commit_done);
    if (r) r->offsets = rows_new(c, commit_count(q));
    if (!r || !r->offsets) {
        groups_no_memory(c);
        return;
    }
    r->group = q->group_id;
    r->member = q->member_id;
    r->instance = q->group_instance_id;
    r->generation = q->generation_id_or_member_epoch;
    r->retention_ms = q->retention_time_ms;
    r->group_not_found = c->head.api_version >= COMMIT_GROUP_NOT_FOUND;
    r->producer_id = -1;
    if (commit_rows(c, r))
        group_commit(groups_coord(c), r);
    else
        commit_tell(c, r->offsets, ERR_OK);
}

/* --- OffsetFetch ------------------------------------------------------------------------------ */

/* One group after the other; the versions before 8 ask for one. */
struct fetching {
    struct group_fetch r;
    const struct kafka_offset_fetch_request_group *asked;
    struct kafka_offset_fetch_response_group *told;
    int32_t count, at;
};

/* Groups of rows with the same topic, as they stand. */
static bool fetch_tell(struct call *c, const struct group_fetch *r,
                       struct kafka_offset_fetch_response_group *out)
{
    int32_t topics = 0;
    for (size_t i = 0; i < r->offset_count; i++)
        topics += i == 0 || !slice_equal(r->offsets[i].topic, r->offsets[i - 1].topic);
    out->topics.at = call_new(c, kafka_offset_fetch_response_group_topic, topics);
    if (!out->topics.at) return false;
    for (size_t i = 0, end; i < r->offset_count; i = end) {
        struct kafka_offset_fetch_response_group_topic *t = &out->topics.at[out->topics.count++];
        for (end = i + 1; end < r->offset_count; end++) {
            if (!slice_equal(r->offsets[end].topic, r->offsets[i].topic)) break;
        }
        t->name = r->offsets[i].topic;
        t->partitions.count = (int32_t)(end - i);
        t->partitions.at = call_new(c, kafka_offset_fetch_response_group_partition, end - i);
        if (!t->partitions.at) return false;
        for (size_t k = i; k < end; k++) {
            struct kafka_offset_fetch_response_group_partition *p = &t->partitions.at[k - i];
            p->partition_index = r->offsets[k].partition;
            p->committed_offset = r->offsets[k].offset;
            p->committed_leader_epoch = r->offsets[k].leader_epoch;
            p->metadata = r->offsets[k].metadata;
            p->error_code = groups_code(r->offsets[k].err);
        }
    }
    return true;
}

/* The one group's answer in the fields that the old versions have for it. */
static bool fetch_tell_old(struct call *c, const struct kafka_offset_fetch_response_group *g)
{
    struct kafka_offset_fetch_response *out = c->response;
    out->topics.count = g->topics.count;
    out->topics.at = call_new(c, kafka_offset_fetch_response_topic, g->topics.count);
    if (!out->topics.at) return false;
    for (int32_t i = 0; i < g->topics.count; i++) {
        struct kafka_offset_fetch_response_topic *t = &out->topics.at[i];
        int32_t n = g->topics.at[i].partitions.count;
        t->name = g->topics.at[i].name;
        t->partitions.count = n;
        t->partitions.at = call_new(c, kafka_offset_fetch_response_partition, n);
        if (!t->partitions.at) return false;
        for (int32_t k = 0; k < n; k++) {
            const struct kafka_offset_fetch_response_group_partition *from =
                &g->topics.at[i].partitions.at[k];
            t->partitions.at[k] = (struct kafka_offset_fetch_response_partition){
                .partition_index = from->partition_index,
                .committed_offset = from->committed_offset,
                .committed_leader_epoch = from->committed_leader_epoch,
                .metadata = from->metadata,
                .error_code = from->error_code};
        }
    }
    return true;
}

static void fetch_one(struct call *c, struct fetching *f);

static void fetch_done(struct coord_request *head)
{
    struct fetching *f = (struct fetching *)head;
    struct call *c = head->arg;
    struct kafka_offset_fetch_response_group *told = &f->told[f->at];
    told->group_id = f->asked[f->at].group_id;
    told->error_code = groups_code(head->err);
    if (c->head.api_version < FETCH_SEVERAL && head->err) {
        call_refuse(c, head->err == ERR_STOPPED ? ERR_BUSY : head->err);
        return;
    }
    if (!head->err && !fetch_tell(c, &f->r, told)) {
        groups_no_memory(c);
        return;
    }
    f->at++;
    fetch_one(c, f);
}

static void fetch_answer(struct call *c, struct fetching *f)
{
    struct kafka_offset_fetch_response *out = c->response;
    if (c->head.api_version >= FETCH_SEVERAL) {
        out->groups.at = f->told;
        out->groups.count = f->count;
    } else if (!fetch_tell_old(c, f->told)) {
        groups_no_memory(c);
        return;
    }
    call_answer(c);
}

static void fetch_one(struct call *c, struct fetching *f)
{
    if (f->at == f->count) {
        fetch_answer(c, f);
        return;
    }
    const struct kafka_offset_fetch_request_group *q = &f->asked[f->at];
    size_t count = 0;
    for (int32_t i = 0; i < q->topics.count; i++)
        count += (size_t)MAX(q->topics.at[i].partition_indexes.count, 0);
    f->r.group = q->group_id;
    f->r.member = q->member_id;
    f->r.offset_count = 0;
    f->r.offsets = q->topics.count < 0 ? NULL : rows_new(c, count);
    if (q->topics.count >= 0 && !f->r.offsets) {
        groups_no_memory(c);
        return;
    }
    for (int32_t i = 0; i < q->topics.count; i++) {
        for (int32_t k = 0; k < q->topics.at[i].partition_indexes.count; k++)
            f->r.offsets[f->r.offset_count++] =
                (struct group_offset){.topic = q->topics.at[i].name,
                                      .partition = q->topics.at[i].partition_indexes.at[k]};
    }
    group_fetch(groups_coord(c), &f->r);
}

/* The old versions' one group, as if it had been asked in the new way. */
static struct kafka_offset_fetch_request_group *fetch_alone(struct call *c)
{
    const struct kafka_offset_fetch_request *q = c->request;
    struct kafka_offset_fetch_request_group *g =
        kafka_new(c->arena, &kafka_offset_fetch_request_group_struct, 1);
    if (!g) return NULL;
    g->group_id = q->group_id;
    g->topics.count = q->topics.count;
    g->topics.at = call_new(c, kafka_offset_fetch_request_group_topic, q->topics.count);
    for (int32_t i = 0; g->topics.at && i < q->topics.count; i++) {
        g->topics.at[i].name = q->topics.at[i].name;
        g->topics.at[i].partition_indexes.at = q->topics.at[i].partition_indexes.at;
        g->topics.at[i].partition_indexes.count = q->topics.at[i].partition_indexes.count;
    }
    return g->topics.at ? g : NULL;
}

void kafka_offset_fetch(struct call *c)
{
    const struct kafka_offset_fetch_request *q = c->request;
    bool several = c->head.api_version >= FETCH_SEVERAL;
    struct fetching *f = groups_ask(c, sizeof(*f), fetch_done);
    if (f) {
        f->asked = several ? q->groups.at : fetch_alone(c);
        f->count = several ? q->groups.count : 1;
        f->told = call_new(c, kafka_offset_fetch_response_group, f->count);
    }
    if (!f || !f->told || (f->count > 0 && !f->asked)) {
        groups_no_memory(c);
        return;
    }
    f->r.require_stable = q->require_stable;
    fetch_one(c, f);
}

/* --- OffsetDelete ----------------------------------------------------------------------------- */

static void delete_done(struct coord_request *head)
{
    const struct group_offset *row = ((struct group_delete_offsets *)head)->offsets;
    struct call *c = head->arg;
    const struct kafka_offset_delete_request *q = c->request;
    struct kafka_offset_delete_response *out = c->response;
    int32_t topics = head->err ? 0 : q->topics.count;
    out->error_code = groups_code(head->err);
    out->topics.count = topics;
    out->topics.at = call_new(c, kafka_offset_delete_response_topic, topics);
    bool good = out->topics.at != NULL;
    for (int32_t i = 0; good && i < topics; i++) {
        struct kafka_offset_delete_response_topic *t = &out->topics.at[i];
        t->name = q->topics.at[i].name;
        t->partitions.count = q->topics.at[i].partitions.count;
        t->partitions.at = call_new(c, kafka_offset_delete_response_partition, t->partitions.count);
        good = t->partitions.at != NULL;
        for (int32_t k = 0; good && k < t->partitions.count; k++, row++) {
            t->partitions.at[k].partition_index = row->partition;
            t->partitions.at[k].error_code = groups_code(row->err);
        }
    }
    if (good)
        call_answer(c);
    else
        groups_no_memory(c);
}

void kafka_offset_delete(struct call *c)
{
    const struct kafka_offset_delete_request *q = c->request;
    struct group_delete_offsets *r = groups_ask(c, sizeof(*r), delete_done);
    size_t count = 0;
    for (int32_t i = 0; i < q->topics.count; i++)
        count += (size_t)MAX(q->topics.at[i].partitions.count, 0);
    if (r) r->offsets = rows_new(c, count);
    if (!r || !r->offsets) {
        groups_no_memory(c);
        return;
    }
    r->group = q->group_id;
    for (int32_t i = 0; i < q->topics.count; i++) {
        for (int32_t k = 0; k < q->topics.at[i].partitions.count; k++) {
            int32_t index = q->topics.at[i].partitions.at[k].partition_index;
            bool there = is_there(c, q->topics.at[i].name, index);
            r->offsets[r->offset_count++] =
                (struct group_offset){.topic = q->topics.at[i].name,
                                      .partition = index,
                                      .err = there ? ERR_OK : ERR_UNKNOWN_TOPIC};
        }
    }
    group_delete_offsets(groups_coord(c), r);
}
