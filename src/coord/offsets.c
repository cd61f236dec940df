/* What groups have committed. */
#include "coord/groups_int.h"

#include <stdlib.h>

enum { TOPICS_MAX = 1 << 20 };

/* --- the tables ------------------------------------------------------------------------------- */

struct group_topic *group_topic(const struct group *g, struct slice name)
{
    return g->topics ? map_get(g->topics, name) : NULL;
}

static void offset_free(struct offset *o)
{
    keep_free(&o->metadata);
}

static void topic_free(struct group_topic *t)
{
    for (size_t i = 0; i < t->offsets.count; i++) offset_free(vec_at(&t->offsets, i));
    for (size_t i = 0; i < t->pending.count; i++)
        offset_free(&((struct pending_offset *)vec_at(&t->pending, i))->o);
    vec_done(&t->offsets);
    vec_done(&t->pending);
    keep_free(&t->name);
    mem_give(t);
}

void group_topics_free(struct group *g)
{
    struct slice name;
    void *value;
    if (!g->topics) return;
    for (size_t i = 0; map_next(g->topics, &i, &name, &value);) topic_free(value);
    map_free(g->topics);
    g->topics = NULL;
    g->offset_count = g->pending_count = 0;
}

struct group_topic *group_topic_make(struct group *g, struct slice name)
{
    struct group_topic *t = group_topic(g, name);
    if (t) return t;
    if (!g->topics && !(g->topics = map_new(TOPICS_MAX))) return NULL;
    t = mem_take(sizeof(*t));
    if (!t) return NULL;
    t->offsets = vec_make(sizeof(struct offset), GROUP_OFFSETS_MAX);
    t->pending = vec_make(sizeof(struct pending_offset), GROUP_OFFSETS_MAX);
    if (keep_set(&t->name, name) && map_set(g->topics, t->name, t) == ERR_OK) return t;
    topic_free(t);
    return NULL;
}

void group_topic_drop_if_void(struct group *g, struct group_topic *t)
{
    if (t->offsets.count || t->pending.count) return;
    map_remove(g->topics, t->name);
    topic_free(t);
}

/* The place of the partition among the rows, or the place where it would go. */
static size_t place_of(const struct vec *rows, int32_t partition, bool *found)
{
    size_t low = 0, high = rows->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (((const struct offset *)vec_at(rows, middle))->partition < partition)
            low = middle + 1;
        else
            high = middle;
    }
    *found =
        low < rows->count && ((const struct offset *)vec_at(rows, low))->partition == partition;
    return low;
}

void *row_insert(struct vec *rows, size_t at)
{
    if (!vec_add(rows)) return NULL;
    uint8_t *place = rows->items + at * rows->item_size;
    memmove(place + rows->item_size, place, (rows->count - 1 - at) * rows->item_size);
    memset(place, 0, rows->item_size);
    return place;
}

struct offset *offset_find(const struct group *g, struct slice topic, int32_t partition)
{
    bool found = false;
    const struct group_topic *t = group_topic(g, topic);
    size_t at = t ? place_of(&t->offsets, partition, &found) : 0;
    return found ? vec_at(&t->offsets, at) : NULL;
}

size_t pending_place(const struct group_topic *t, int32_t partition)
{
    bool found; /* a pending offset begins with its offset: the same search serves */
    return place_of(&t->pending, partition, &found);
}

bool offset_pending(const struct group *g, struct slice topic, int32_t partition)
{
    bool found = false;
    const struct group_topic *t = group_topic(g, topic);
    if (t) (void)place_of(&t->pending, partition, &found);
    return found;
}

err_t offset_put(struct group *g, struct slice topic, const struct offset *o)
{
    struct slice metadata = keep(o->metadata);
    struct group_topic *t = group_topic_make(g, topic);
    if ((o->metadata.at && !metadata.at) || !t) goto no_memory;
    bool found;
    size_t at = place_of(&t->offsets, o->partition, &found);
    if (!found && g->offset_count >= GROUP_OFFSETS_MAX) goto no_memory;
    struct offset *row = found ? vec_at(&t->offsets, at) : row_insert(&t->offsets, at);
    if (!row) goto no_memory;
    if (found)
        offset_free(row);
    else
        g->offset_count++;
    *row = *o;
    row->metadata = metadata;
    return ERR_OK;
no_memory:
    keep_free(&metadata);
    if (t) group_topic_drop_if_void(g, t);
    return ERR_NO_MEMORY;
}

void offset_remove(struct group *g, struct slice topic, int32_t partition)
{
    struct group_topic *t = group_topic(g, topic);
    bool found;
    if (!t) return;
    size_t at = place_of(&t->offsets, partition, &found);
    if (found) {
        offset_free(vec_at(&t->offsets, at));
        vec_remove(&t->offsets, at);
        g->offset_count--;
    }
    for (at = place_of(&t->pending, partition, &found); found;) {
        struct pending_offset *p = vec_at(&t->pending, at);
        offset_free(&p->o);
        vec_remove(&t->pending, at);
        g->pending_count--;
        at = place_of(&t->pending, partition, &found);
    }
    group_topic_drop_if_void(g, t);
}

/* --- OffsetCommit ----------------------------------------------------------------------------- */

void commit_end(struct group_commit *r, err_t e)
{
    if (e && r->head.diag.err == ERR_OK)
        diag_fail(&r->head.diag, e, "group '%.*s': %s", SLICE_ARG(r->group), err_text(e));
    coord_answer(&r->head, e);
}

err_t commit_append_error(err_t e)
{
    if (e == ERR_TOO_BIG || e == ERR_BATCH_TOO_BIG) return ERR_COMMIT_TOO_BIG;
    if (e == ERR_IO || e == ERR_DISK_FULL || e == ERR_CORRUPT) return ERR_NOT_COORDINATOR;
    return e;
}

struct offset offset_of_row(const struct group_commit *r, const struct group_offset *row,
                            int64_t now_ms)
{
    return (struct offset){
        .partition = row->partition,
        .leader_epoch = row->leader_epoch,
        .at = row->offset,
        .commit_ms = row->commit_ms > 0 ? row->commit_ms : now_ms,
        .expire_ms = r->retention_ms >= 0 ? now_ms + r->retention_ms : -1,
        .metadata = row->metadata.at ? row->metadata : SLICE(""),
    };
}

size_t commit_records(struct groups *s, struct group *g, struct group_commit *r)
{
    size_t count = 0;
    int64_t now_ms = clock_wall_ms();
    for (size_t i = 0; i < r->offset_count; i++) {
        struct group_offset *row = &r->offsets[i];
        if (row->err) continue;
        if (row->metadata.len > GROUP_METADATA_MAX &&
            coord_utf16_length(row->metadata) > GROUP_METADATA_MAX) {
            row->err = ERR_METADATA_TOO_BIG;
            continue;
        }
        struct offset o = offset_of_row(r, row, now_ms);
        records_offset(s, g, row->topic, row->partition, &o);
        count++;
    }
    return count;
}

static void commit_stored(struct groups *s, struct op *op, err_t e)
{
    struct group_commit *r = (struct group_commit *)(void *)op->request;
    if (e)
        r->head.diag = op->append.log.diag;
    else
        op_replay(s, op);
    commit_end(r, commit_append_error(e));
}

static err_t commit_check(const struct group *g, const struct group_commit *r, struct member **m,
                          struct diag *d)
{
    bool txn = r->producer_id >= 0;
    if (g->state == GROUP_DEAD) return ERR_BUSY;
    if (r->stream || (r->generation < 0 && g->state == GROUP_EMPTY)) return ERR_OK;
    if (r->generation >= 0 || r->member.len > 0 || r->instance.at) {
        err_t e = group_check_member(g, r->member, r->instance, m, d);
        if (e) return e;
        if (r->generation != g->generation) return ERR_GENERATION;
    } else if (!txn && g->state != GROUP_EMPTY) {
        return ERR_UNKNOWN_MEMBER;
    }
    return !txn && g->state == GROUP_COMPLETING ? ERR_REBALANCING : ERR_OK;
}

/* The group in which r may commit; made for those who need no members. */
static err_t commit_group(struct groups *s, struct group_commit *r, struct group **out)
{
    struct member *m = NULL;
    *out = groups_find(s, r->group);
    if (!*out && r->generation >= 0) return r->group_not_found ? ERR_UNKNOWN_GROUP : ERR_GENERATION;
    if (!*out && !(*out = groups_make(s, r->group))) return ERR_NO_MEMORY;
    err_t e = commit_check(*out, r, &m, &r->head.diag);
    if (!e && m && ((*out)->state == GROUP_STABLE || (*out)->state == GROUP_PREPARING) &&
        r->producer_id < 0)
        member_alive(s, m); /* a commit is as good as a heartbeat */
    return e;
}

void commit_run(struct coord *c, struct coord_request *head)
{
    struct group_commit *r = (struct group_commit *)(void *)head;
    struct groups *s = c->groups;
    struct group *g;
    struct op *op;
    err_t e = commit_group(s, r, &g);
    if (!e && r->producer_id >= 0) {
        commit_in_txn(s, g, r);
        return;
    }
    if (!e) {
        records_begin(s, NULL);
        if (commit_records(s, g, r) == 0) {
            commit_end(r, ERR_OK);
            groups_drop_if_void(s, g);
            return;
        }
        e = op_begin(s, g, head, commit_stored, &op, &head->diag);
        if (!e) return;
        e = commit_append_error(e);
    }
    commit_end(r, e);
    if (g) groups_drop_if_void(s, g);
}

void group_commit(struct coord *c, struct group_commit *r)
{
    coord_request_send(c, &r->head, commit_run);
}

/* --- OffsetFetch ------------------------------------------------------------------------------ */

static bool row_fill(const struct group *g, struct group_fetch *r, struct group_offset *row,
                     const struct offset *o)
{
    row->err = ERR_OK;
    row->offset = row->leader_epoch = -1;
    row->commit_ms = 0;
    row->metadata = SLICE("");
    if (r->require_stable && g && offset_pending(g, row->topic, row->partition)) {
        row->err = ERR_OFFSET_UNSTABLE;
        return true;
    }
    if (!o) return true;
    row->offset = o->at;
    row->leader_epoch = o->leader_epoch;
    row->commit_ms = o->commit_ms;
    if (o->metadata.len) row->metadata = arena_slice(r->head.arena, o->metadata);
    return row->metadata.at != NULL;
}

static int by_topic_name(const void *a, const void *b)
{
    const struct group_topic *const *x = a, *const *y = b;
    return slice_compare((*x)->name, (*y)->name);
}

/* Every offset there is, by topic and partition. */
static bool fetch_all(const struct group *g, struct group_fetch *r)
{
    size_t count = 0;
    struct slice name;
    void *value;
    r->offset_count = 0;
    if (!g || g->offset_count == 0) {
        r->offsets = arena_take(r->head.arena, sizeof(*r->offsets));
        return r->offsets != NULL;
    }
    struct group_topic **topics = arena_take(r->head.arena, map_count(g->topics) * sizeof(*topics));
    r->offsets = arena_take(r->head.arena, g->offset_count * sizeof(*r->offsets));
    if (!topics || !r->offsets) return false;
    for (size_t i = 0; map_next(g->topics, &i, &name, &value);) topics[count++] = value;
    qsort(topics, count, sizeof(struct group_topic *), by_topic_name);
    for (size_t i = 0; i < count; i++) {
        if (topics[i]->offsets.count == 0) continue;
        struct slice topic = arena_slice(r->head.arena, topics[i]->name);
        if (!topic.at) return false;
        for (size_t k = 0; k < topics[i]->offsets.count; k++) {
            const struct offset *o = vec_at(&topics[i]->offsets, k);
            struct group_offset *row = &r->offsets[r->offset_count++];
            row->topic = topic;
            row->partition = o->partition;
            if (!row_fill(g, r, row, o)) return false;
        }
    }
    return true;
}

static void fetch_now(const struct group *g, struct group_fetch *r)
{
    bool good = true;
    if (g && g->state == GROUP_DEAD) g = NULL;
    if (r->offsets) {
        for (size_t i = 0; good && i < r->offset_count; i++) {
            struct group_offset *row = &r->offsets[i];
            good = row_fill(g, r, row, g ? offset_find(g, row->topic, row->partition) : NULL);
        }
    } else {
        good = fetch_all(g, r);
    }
    if (good)
        coord_answer(&r->head, ERR_OK);
    else
        coord_answer(&r->head, diag_fail(&r->head.diag, ERR_NO_MEMORY, "group '%.*s': %s",
                                         SLICE_ARG(r->group), err_text(ERR_NO_MEMORY)));
}

static void fetch_run(struct coord *c, struct coord_request *head)
{
    struct group_fetch *r = (struct group_fetch *)(void *)head;
    struct group *g = groups_find(c->groups, r->group);
    if (!r->require_stable || !g || g->ops_begun == g->ops_done) {
        fetch_now(g, r);
        return;
    }
    /* Commits are on their way to the disk: the answer comes after them. */
    r->after = g->ops_begun;
    r->next = NULL;
    if (g->fetch_last)
        g->fetch_last->next = r;
    else
        g->fetch_first = r;
    g->fetch_last = r;
}

void group_fetch_again(struct groups *s, struct group *g)
{
    struct group_fetch *r = g->fetch_first;
    (void)s;
    g->fetch_first = r->next;
    if (!g->fetch_first) g->fetch_last = NULL;
    fetch_now(g, r);
}

void group_fetch(struct coord *c, struct group_fetch *r)
{
    coord_request_send(c, &r->head, fetch_run);
}

/* --- OffsetDelete ----------------------------------------------------------------------------- */

static void offsets_deleted(struct groups *s, struct op *op, err_t e)
{
    if (e)
        op->request->diag = op->append.log.diag;
    else
        op_replay(s, op);
    coord_answer(op->request, commit_append_error(e));
}

static err_t delete_check(const struct group *g, const struct group_delete_offsets *r)
{
    if (r->group.len == 0) return ERR_GROUP_NAME;
    if (!g || g->state == GROUP_DEAD) return ERR_UNKNOWN_GROUP;
    if (g->state != GROUP_EMPTY && !(g->protocol_type.at && slice_is(g->protocol_type, "consumer")))
        return ERR_GROUP_NOT_EMPTY;
    return ERR_OK;
}

static size_t delete_records(struct groups *s, struct group *g, struct group_delete_offsets *r)
{
    size_t count = 0;
    bool known;
    struct map *subscribed = group_subscriptions(g, &known);
    bool in_flight = g->ops_begun != g->ops_done; /* perhaps a commit of just that */
    for (size_t i = 0; i < r->offset_count; i++) {
        struct group_offset *row = &r->offsets[i];
        if (row->err) continue;
        if (!known || (subscribed && map_get(subscribed, row->topic))) {
            row->err = ERR_GROUP_SUBSCRIBED;
        } else if (in_flight || offset_find(g, row->topic, row->partition) ||
                   offset_pending(g, row->topic, row->partition)) {
            records_offset(s, g, row->topic, row->partition, NULL);
            count++;
        }
    }
    map_free(subscribed);
    return count;
}

static void delete_offsets_run(struct coord *c, struct coord_request *head)
{
    struct group_delete_offsets *r = (struct group_delete_offsets *)(void *)head;
    struct groups *s = c->groups;
    struct group *g = groups_find(s, r->group);
    struct op *op;
    err_t e = delete_check(g, r);
    if (!e) {
        records_begin(s, NULL);
        if (delete_records(s, g, r) > 0) {
            e = op_begin(s, g, head, offsets_deleted, &op, &head->diag);
            if (!e) return;
        }
    }
    if (e && head->diag.err == ERR_OK)
        diag_fail(&head->diag, e, "group '%.*s': %s", SLICE_ARG(r->group), err_text(e));
    coord_answer(head, commit_append_error(e));
}

void group_delete_offsets(struct coord *c, struct group_delete_offsets *r)
{
    coord_request_send(c, &r->head, delete_offsets_run);
}
