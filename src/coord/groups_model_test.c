/* Groups against a model: random joins, leaves, silences, commits, transactions and crashes. After
 * each crash everything that was acknowledged is there, and nothing else: offsets, members, the
 * generation, the assignments. The seed is fixed. */
#include "coord/groups_test_kit.h"

enum { MEMBERS = 5, SIMPLE = 3, PARTITIONS = 4, STEPS = 1500, PRODUCER = 77 };

struct model {
    struct room room;
    uint64_t random;
    /* the group "m" */
    struct {
        bool in;
        char id[256], assignment[64];
    } members[MEMBERS];
    int32_t generation;
    size_t count;
    /* what simple groups have committed, and what waits for a marker; -1: nothing */
    int64_t offsets[SIMPLE][PARTITIONS], pending[SIMPLE][PARTITIONS];
    bool open[SIMPLE];
    int16_t epoch;
    int64_t next;
};

static size_t below(struct model *m, size_t n)
{
    return (size_t)(test_random(&m->random) % n);
}

static const char *simple_name(size_t i)
{
    static const char *const names[SIMPLE] = {"simple-a", "simple-b", "simple-c"};
    return names[i];
}

/* --- the group of members --------------------------------------------------------------------- */

/* All who are in join (again), and get what the leader gives them. The newcomer first: it is what
 * makes the others join again; a follower that joins without a reason is told what is. */
static void settle_members(struct model *m, size_t newcomer)
{
    struct ask *join[MEMBERS] = {0}, *sync[MEMBERS] = {0};
    struct group_assignment rows[MEMBERS];
    size_t leader = MEMBERS, leaders = 0, row = 0;
    int32_t generation = -1;
    if (newcomer < MEMBERS)
        join[newcomer] =
            join_ask(&m->room, (struct who){.group = "m", .id = m->members[newcomer].id});
    for (size_t i = 0; i < MEMBERS; i++)
        if (m->members[i].in && i != newcomer)
            join[i] = join_ask(&m->room, (struct who){.group = "m", .id = m->members[i].id});
    for (size_t i = 0; i < MEMBERS; i++) {
        if (!join[i]) continue;
        CHECK_OK(ask_wait(join[i]), &join[i]->head.diag);
        if (generation < 0) generation = join[i]->join.generation;
        CHECK_INT(join[i]->join.generation, generation);
        text_of(join[i]->join.member_id, m->members[i].id);
        snprintf(m->members[i].assignment, sizeof(m->members[i].assignment), "%d of %zu",
                 generation, i);
        rows[row++] = (struct group_assignment){slice_of(m->members[i].id),
                                                slice_of(m->members[i].assignment)};
        if (!slice_equal(join[i]->join.leader, join[i]->join.member_id)) continue;
        leader = i;
        leaders++;
        CHECK_INT(join[i]->join.member_count, m->count);
    }
    CHECK_INT(leaders, 1);
    CHECK(generation > m->generation);
    m->generation = generation;
    for (size_t i = 0; i < MEMBERS; i++) {
        if (!join[i]) continue;
        ask_free(join[i]);
        sync[i] =
            sync_ask(&m->room, "m", m->members[i].id, generation, rows, i == leader ? row : 0);
    }
    for (size_t i = 0; i < MEMBERS; i++) {
        if (!sync[i]) continue;
        CHECK_OK(ask_wait(sync[i]), &sync[i]->head.diag);
        CHECK_SLICE(sync[i]->sync.assignment, m->members[i].assignment);
        ask_free(sync[i]);
    }
}

static void member_comes(struct model *m)
{
    size_t i = below(m, MEMBERS);
    if (m->members[i].in) return;
    struct ask *a = join_ask(&m->room, (struct who){.group = "m", .id_required = true});
    CHECK_ERR(ask_wait(a), ERR_MEMBER_ID_REQUIRED);
    text_of(a->join.member_id, m->members[i].id);
    ask_free(a);
    m->members[i].in = true;
    m->count++;
    settle_members(m, i);
}

static void member_goes(struct model *m, bool says_so)
{
    size_t i = below(m, MEMBERS);
    if (!m->members[i].in) return;
    m->members[i].in = false;
    m->count--;
    if (says_so) {
        struct ask *a = ask_new();
        a->leave.group = SLICE("m");
        a->leave.members = a->leavers;
        a->leave.member_count = 1;
        a->leavers[0].member = slice_of(m->members[i].id);
        group_leave(m->room.c, &a->leave);
        CHECK_OK(ask_end(a), NULL);
    } else { /* the others are heard while its session runs out */
        for (int half = 0; half < 2; half++) {
            for (size_t k = 0; k < MEMBERS; k++)
                if (m->members[k].in)
                    CHECK_ERR(heartbeat(&m->room, "m", m->members[k].id, m->generation), ERR_OK);
            room_advance(&m->room, 6000);
        }
    }
    CHECK_ERR(heartbeat(&m->room, "m", m->members[i].id, m->generation), ERR_UNKNOWN_MEMBER);
    if (m->count)
        settle_members(m, MEMBERS);
    else
        m->generation++; /* the empty one */
}

static void member_commits(struct model *m)
{
    size_t i = below(m, MEMBERS);
    if (!m->members[i].in) return;
    int64_t offset = m->next++;
    CHECK_ERR(commit(&m->room, "m", m->members[i].id, m->generation, "t", 0, offset), ERR_OK);
    CHECK_ERR(commit(&m->room, "m", m->members[i].id, m->generation - 1, "t", 0, 0),
              ERR_GENERATION);
    CHECK_INT(fetched(&m->room, "m", "t", 0, true), offset);
}

/* --- simple groups ---------------------------------------------------------------------------- */

static void simple_commits(struct model *m)
{
    size_t g = below(m, SIMPLE), p = below(m, PARTITIONS);
    int64_t offset = m->next++;
    CHECK_ERR(commit(&m->room, simple_name(g), "", -1, "t", (int32_t)p, offset), ERR_OK);
    m->offsets[g][p] = offset;
    if (m->pending[g][p] >= 0) m->pending[g][p] = -2; /* pending, and older than this */
}

static struct log_partition *partition_for(struct model *m, const char *group)
{
    struct log_topic *topic = log_topic_find(m->room.log, slice_of(GROUPS_TOPIC));
    return topic ? log_partition(topic,
                                 coord_partition_of(slice_of(group), log_topic_partitions(topic)))
                 : NULL;
}

static void txn_commits(struct model *m)
{
    size_t g = below(m, SIMPLE), p = below(m, PARTITIONS);
    struct log_partition *partition = partition_for(m, simple_name(g));
    if (!partition) return;
    CHECK_OK(log_txn_admit(partition, PRODUCER + (int64_t)g, m->epoch), NULL);
    struct ask *a = commit_ask(simple_name(g), "", -1, "t", (int32_t)p, m->next);
    a->commit.producer_id = PRODUCER + (int64_t)g;
    a->commit.producer_epoch = m->epoch;
    group_commit(m->room.c, &a->commit);
    CHECK_OK(ask_wait(a), &a->head.diag);
    ask_free(a);
    m->pending[g][p] = m->next++;
    m->open[g] = true;
}

struct marker_wait {
    struct coord_request head;
    int32_t partition;
    int64_t producer;
    int16_t epoch;
    bool commit;
};

static void marker_done(struct log_append *a)
{
    ask_done(&((struct ask *)a->arg)->head);
}

static void marker_told(struct coord *c, struct coord_request *r)
{
    struct marker_wait *w =
        (struct marker_wait *)(void *)((char *)r - offsetof(struct marker_wait, head));
    groups_txn_end(c, w->partition, w->producer, w->epoch, w->commit);
    coord_answer(r, ERR_OK);
}

static void txn_ends(struct model *m)
{
    size_t g = below(m, SIMPLE);
    if (!m->open[g]) return;
    bool commits = below(m, 3) > 0;
    struct log_partition *p = partition_for(m, simple_name(g));
    struct record_builder b = record_builder_make(KIB(4));
    struct buf batch = buf_make(KIB(4));
    uint8_t key[4] = {0, 0, 0, commits}, value[6] = {0};
    record_builder_add(&b, clock_wall_ms(), slice_make(key, 4), slice_make(value, 6), NULL, 0);
    struct record_batch_options o = {.producer_id = PRODUCER + (int64_t)g,
                                     .producer_epoch = m->epoch,
                                     .base_sequence = -1,
                                     .transactional = true,
                                     .control = true};
    CHECK_OK(record_builder_finish(&b, &o, &batch), NULL);
    struct ask *a = ask_new();
    struct log_append append = {.partition = p,
                                .batches = batch.at,
                                .size = batch.len,
                                .done = marker_done,
                                .arg = a,
                                .marker = true};
    log_append(m->room.log, &append, clock_wall_ms());
    (void)ask_wait(a);
    CHECK_OK(append.err, &append.diag);
    ask_free(a);
    record_builder_done(&b);
    buf_done(&batch);
    a = ask_new();
    struct marker_wait w = {.head = a->head,
                            .partition = log_partition_index(p),
                            .producer = PRODUCER + (int64_t)g,
                            .epoch = m->epoch,
                            .commit = commits};
    coord_request_send(m->room.c, &w.head, marker_told);
    (void)ask_wait(a);
    ask_free(a);
    m->open[g] = false;
    for (size_t i = 0; i < PARTITIONS; i++) {
        if (commits && m->pending[g][i] >= 0) m->offsets[g][i] = m->pending[g][i];
        m->pending[g][i] = -1;
    }
}

/* --- looking ---------------------------------------------------------------------------------- */

static void look(struct model *m)
{
    for (size_t g = 0; g < SIMPLE; g++) {
        for (size_t p = 0; p < PARTITIONS; p++) {
            int64_t want =
                m->pending[g][p] == -1 ? m->offsets[g][p] : -(int64_t)ERR_OFFSET_UNSTABLE - 1;
            CHECK_INT(fetched(&m->room, simple_name(g), "t", (int32_t)p, true), want);
            CHECK_INT(fetched(&m->room, simple_name(g), "t", (int32_t)p, false), m->offsets[g][p]);
        }
    }
    for (size_t i = 0; i < MEMBERS; i++) {
        if (!m->members[i].in) continue;
        CHECK_ERR(heartbeat(&m->room, "m", m->members[i].id, m->generation), ERR_OK);
        struct ask *a = sync_ask(&m->room, "m", m->members[i].id, m->generation, NULL, 0);
        CHECK_OK(ask_wait(a), &a->head.diag);
        CHECK_SLICE(a->sync.assignment, m->members[i].assignment);
        ask_free(a);
    }
}

TEST(groups_are_what_a_model_says_through_joins_leaves_commits_and_crashes)
{
    struct model m = {.random = 20261121};
    room_clock();
    m.room = room_open((struct coord_options){0});
    room_topic(&m.room, "t");
    memset(m.offsets, 0xFF, sizeof(m.offsets));
    memset(m.pending, 0xFF, sizeof(m.pending));
    int crashes = 0;
    for (int step = 0; step < STEPS; step++) {
        size_t what = below(&m, 20);
        if (what < 3)
            member_comes(&m);
        else if (what < 4)
            member_goes(&m, true);
        else if (what < 5)
            member_goes(&m, false);
        else if (what < 8)
            member_commits(&m);
        else if (what < 13)
            simple_commits(&m);
        else if (what < 16)
            txn_commits(&m);
        else if (what < 18)
            txn_ends(&m);
        else if (what < 19) {
            room_crash(&m.room);
            crashes++;
            look(&m);
        } else
            look(&m);
    }
    CHECK(crashes > 5);
    CHECK(m.generation > 20);
    room_stop(&m.room);
    clock_fake_set(-1);
}
