/* Committed offsets: who may commit, what is told, what a restart brings back; offsets of
 * transactions; the records' bytes as Kafka's schemas have them; forgetting. */
#include "coord/groups_test_kit.h"

static struct room standard(void)
{
    room_clock();
    struct room t = room_open((struct coord_options){0});
    room_topic(&t, "t");
    room_topic(&t, "u");
    return t;
}

static void over(struct room *t)
{
    room_stop(t);
    clock_fake_set(-1);
}

static int64_t unstable(void)
{
    return -(int64_t)ERR_OFFSET_UNSTABLE - 1;
}

/* --- committing ------------------------------------------------------------------------------- */

TEST(a_simple_consumer_commits_and_finds_its_offsets_after_a_crash)
{
    struct room t = standard();
    CHECK_INT(fetched(&t, "g", "t", 0, false), -1);
    CHECK_ERR(commit(&t, "g", "", -1, "t", 0, 7), ERR_OK);
    CHECK_ERR(commit(&t, "g", "", -1, "t", 3, 9), ERR_OK);
    CHECK_ERR(commit(&t, "g", "", -1, "u", 0, 1), ERR_OK);
    CHECK_ERR(commit(&t, "g", "", -1, "t", 0, 8), ERR_OK);
    for (int round = 0; round < 2; round++) {
        CHECK_INT(fetched(&t, "g", "t", 0, true), 8);
        CHECK_INT(fetched(&t, "g", "t", 1, true), -1);
        CHECK_INT(fetched(&t, "g", "t", 3, false), 9);
        CHECK_INT(fetched(&t, "other", "t", 0, false), -1);
        CHECK(state_of(&t, "g") == GROUP_EMPTY);
        struct ask *a = ask_new();
        a->fetch.group = SLICE("g");
        group_fetch(t.c, &a->fetch); /* all */
        CHECK_OK(ask_wait(a), NULL);
        CHECK_INT(a->fetch.offset_count, 3);
        CHECK_SLICE(a->fetch.offsets[1].topic, "t");
        CHECK_INT(a->fetch.offsets[1].partition, 3);
        CHECK_SLICE(a->fetch.offsets[1].metadata, "m");
        CHECK_INT(a->fetch.offsets[1].leader_epoch, -1);
        CHECK_SLICE(a->fetch.offsets[2].topic, "u");
        ask_free(a);
        room_crash(&t);
    }
    over(&t);
}

TEST(a_groups_members_alone_may_commit_for_it_and_in_its_generation_only)
{
    struct room t = standard();
    char id[256];
    CHECK_ERR(commit(&t, "g", "m", 1, "t", 0, 1), ERR_GENERATION); /* no such group */
    struct ask *a = commit_ask("g", "m", 1, "t", 0, 1);
    a->commit.group_not_found = true; /* version 9 */
    group_commit(t.c, &a->commit);
    CHECK_ERR(ask_end(a), ERR_UNKNOWN_GROUP);
    CHECK(state_of(&t, "g") == GROUP_DEAD);
    int32_t generation = lone_member(&t, (struct who){0}, id);
    CHECK_ERR(commit(&t, "g", id, generation, "t", 0, 1), ERR_OK);
    CHECK_ERR(commit(&t, "g", id, generation + 1, "t", 0, 2), ERR_GENERATION);
    CHECK_ERR(commit(&t, "g", "other", generation, "t", 0, 2), ERR_UNKNOWN_MEMBER);
    CHECK_ERR(commit(&t, "g", "", -1, "t", 0, 2), ERR_UNKNOWN_MEMBER);
    CHECK_INT(fetched(&t, "g", "t", 0, true), 1);
    a = commit_ask("g", "", -1, "t", 0, 3); /* a stream of ours */
    a->commit.stream = true;
    group_commit(t.c, &a->commit);
    CHECK_ERR(ask_end(a), ERR_OK);
    CHECK_INT(fetched(&t, "g", "t", 0, true), 3);
    /* While others join a member may still commit what it has done; while the leader assigns not.
     */
    struct ask *b = join_ask(&t, (struct who){0});
    room_settle(&t);
    CHECK_ERR(commit(&t, "g", id, generation, "t", 0, 4), ERR_OK);
    a = join_ask(&t, (struct who){.id = id});
    CHECK_OK(ask_end(a), NULL);
    CHECK_OK(ask_end(b), NULL);
    CHECK_ERR(commit(&t, "g", id, generation + 1, "t", 0, 5), ERR_REBALANCING);
    CHECK_INT(fetched(&t, "g", "t", 0, true), 4);
    over(&t);
}

TEST(a_commit_is_as_good_as_a_heartbeat)
{
    struct room t = standard();
    char id[256];
    int32_t generation = lone_member(&t, (struct who){.session_ms = 10000}, id);
    for (int i = 0; i < 3; i++) {
        room_advance(&t, 6000);
        CHECK_ERR(commit(&t, "g", id, generation, "t", 0, i), ERR_OK);
    }
    CHECK_ERR(heartbeat(&t, "g", id, generation), ERR_OK);
    over(&t);
}

TEST(rows_are_answered_one_by_one_and_long_metadata_is_refused)
{
    struct room t = standard();
    char text[4200];
    memset(text, 'x', sizeof(text));
    struct ask *a = commit_ask("g", "", -1, "t", 0, 1);
    a->rows[1] = a->rows[2] = a->rows[0];
    a->rows[1].partition = 1;
    a->rows[2].partition = 2;
    a->rows[0].metadata = slice_make(text, 4096);
    a->rows[1].metadata = slice_make(text, 4097);
    a->rows[2].err = ERR_UNKNOWN_TOPIC; /* the caller has refused it */
    a->commit.offset_count = 3;
    group_commit(t.c, &a->commit);
    CHECK_OK(ask_wait(a), NULL);
    CHECK_ERR(a->rows[0].err, ERR_OK);
    CHECK_ERR(a->rows[1].err, ERR_METADATA_TOO_BIG);
    CHECK_ERR(a->rows[2].err, ERR_UNKNOWN_TOPIC);
    ask_free(a);
    CHECK_INT(fetched(&t, "g", "t", 0, false), 1);
    CHECK_INT(fetched(&t, "g", "t", 1, false), -1);
    CHECK_INT(fetched(&t, "g", "t", 2, false), -1);
    over(&t);
}

/* --- the bytes -------------------------------------------------------------------------------- */

struct seen {
    struct buf text;
};

static err_t see_record(void *ctx, const struct record_batch *b, const struct record *r,
                        struct diag *d)
{
    struct seen *s = ctx;
    (void)d;
    put_hex(&s->text, r->key.at, r->key.len);
    buf_char(&s->text, '=');
    if (r->value_null)
        buf_text(&s->text, "null");
    else
        put_hex(&s->text, r->value.at, r->value.len);
    buf_text(&s->text, b->attributes & 16 ? "T\n" : "\n");
    return ERR_OK;
}

static err_t see_marker(void *ctx, const struct record_batch *b, bool committed, struct diag *d)
{
    struct seen *s = ctx;
    (void)b, (void)d;
    buf_text(&s->text, committed ? "commit\n" : "abort\n");
    return ERR_OK;
}

static struct buf records_of(struct room *t, const char *group)
{
    struct seen s = {buf_make(MIB(1))};
    struct coord_replay how = {.ctx = &s, .record = see_record, .marker = see_marker};
    struct log_topic *topic = log_topic_find(t->log, slice_of(GROUPS_TOPIC));
    struct diag d = {0};
    INVARIANT(topic);
    int32_t p = coord_partition_of(slice_of(group), log_topic_partitions(topic));
    CHECK_OK(coord_replay(log_partition(topic, p), &how, &d), &d);
    return s.text;
}

/* Written out by hand from Kafka's OffsetCommitKey/Value and GroupMetadataKey/Value. */
TEST(records_are_kafkas_byte_for_byte)
{
    struct room t = standard(); /* the clock: 1790000000000 ms = 0x1a0c4506c00 */
    CHECK_ERR(commit(&t, "g", "", -1, "t", 2, 258), ERR_OK);
    struct ask *a = commit_ask("g", "", -1, "t", 2, 259);
    a->commit.retention_ms = 1;
    group_commit(t.c, &a->commit);
    CHECK_OK(ask_end(a), NULL);
    a = ask_new();
    a->delete_offsets.group = SLICE("g");
    a->delete_offsets.offsets = a->rows;
    a->delete_offsets.offset_count = 1;
    a->rows[0] = (struct group_offset){.topic = SLICE("t"), .partition = 2};
    group_delete_offsets(t.c, &a->delete_offsets);
    CHECK_OK(ask_end(a), NULL);
    struct buf got = records_of(&t, "g");
    CHECK_TEXT(buf_cstr(&got),
               /* version 1, "g", "t", 2 = version 3: offset, epoch, "m", when */
               "0001"
               "000167"
               "000174"
               "00000002"
               "="
               "0003"
               "0000000000000102"
               "ffffffff"
               "00016d"
               "000001a0c4506c00"
               "\n"
               /* version 1: offset, "m", when, until */
               "0001"
               "000167"
               "000174"
               "00000002"
               "="
               "0001"
               "0000000000000103"
               "00016d"
               "000001a0c4506c00"
               "000001a0c4506c01"
               "\n"
               "0001"
               "000167"
               "000174"
               "00000002"
               "=null\n");
    buf_done(&got);
    char id[256];
    (void)lone_member(&t, (struct who){.group = "members", .instance = "i"}, id);
    got = records_of(&t, "members");
    struct buf want = buf_make(KIB(4));
    buf_text(&want, "0002"
                    "0007"
                    "6d656d62657273"
                    "="
                    "0003"
                    "0008"
                    "636f6e73756d6572" /* "consumer" */
                    "00000001"         /* generation */
                    "0005"
                    "72616e6765" /* "range" */
                    "0026");
    put_hex(&want, id, strlen(id));
    buf_text(&want, "000001a0c4506c00"
                    "00000001"
                    "0026");
    put_hex(&want, id, strlen(id));
    buf_text(&want, "0001"
                    "69"
                    "0006"
                    "636c69656e74" /* instance, "client" */
                    "000a"
                    "2f3132372e302e302e31" /* "/127.0.0.1" */
                    "0000ea60"
                    "00002710" /* 60 s, 10 s */
                    "00000004"
                    "6d657461" /* its subscription */
                    "00000009"
                    "616c6c206f66206974"
                    "\n");
    CHECK_TEXT(buf_cstr(&got), buf_cstr(&want));
    buf_done(&got);
    buf_done(&want);
    over(&t);
}

/* --- transactions ----------------------------------------------------------------------------- */

enum { PRODUCER = 4001, EPOCH = 3 };

static struct log_partition *offsets_partition(struct room *t, const char *group)
{
    struct log_topic *topic = log_topic_find(t->log, slice_of(GROUPS_TOPIC));
    if (!topic) { /* made by a commit of somebody else */
        CHECK_ERR(commit(t, "makes the topic", "", -1, "t", 0, 0), ERR_OK);
        topic = log_topic_find(t->log, slice_of(GROUPS_TOPIC));
    }
    INVARIANT(topic);
    return log_partition(topic, coord_partition_of(slice_of(group), log_topic_partitions(topic)));
}

static err_t txn_commit(struct room *t, const char *group, int32_t partition, int64_t offset)
{
    struct ask *a = commit_ask(group, "", -1, "t", partition, offset);
    a->commit.producer_id = PRODUCER;
    a->commit.producer_epoch = EPOCH;
    group_commit(t->c, &a->commit);
    return ask_end(a);
}

static void admit(struct room *t, const char *group)
{
    CHECK_OK(log_txn_admit(offsets_partition(t, group), PRODUCER, EPOCH), NULL);
}

struct ending {
    struct coord_request head;
    int32_t partition;
    bool commit;
};

static void ending_run(struct coord *c, struct coord_request *r)
{
    struct ending *x = (struct ending *)(void *)r;
    groups_txn_end(c, x->partition, PRODUCER, EPOCH, x->commit);
    coord_answer(r, ERR_OK);
}

static void marker_done(struct log_append *m)
{
    ask_done(&((struct ask *)m->arg)->head);
}

/* The marker, and then what the transaction coordinator tells the groups. */
static void txn_marker(struct room *t, const char *group, bool committed, bool tell)
{
    struct log_partition *p = offsets_partition(t, group);
    struct record_builder b = record_builder_make(KIB(4));
    struct buf batch = buf_make(KIB(4));
    uint8_t key[4] = {0, 0, 0, committed}, value[6] = {0};
    record_builder_add(&b, clock_wall_ms(), slice_make(key, 4), slice_make(value, 6), NULL, 0);
    struct record_batch_options o = {.producer_id = PRODUCER,
                                     .producer_epoch = EPOCH,
                                     .base_sequence = -1,
                                     .transactional = true,
                                     .control = true};
    CHECK_OK(record_builder_finish(&b, &o, &batch), NULL);
    struct ask *a = ask_new();
    struct log_append marker = {.partition = p,
                                .batches = batch.at,
                                .size = batch.len,
                                .done = marker_done,
                                .arg = a,
                                .marker = true};
    log_append(t->log, &marker, clock_wall_ms());
    (void)ask_wait(a);
    CHECK_OK(marker.err, &marker.diag);
    ask_free(a);
    record_builder_done(&b);
    buf_done(&batch);
    if (!tell) return;
    struct ask *e = ask_new();
    struct ending x = {.head = e->head, .partition = log_partition_index(p), .commit = committed};
    coord_request_send(t->c, &x.head, ending_run);
    (void)ask_wait(e);
    ask_free(e);
}

TEST(offsets_of_a_transaction_count_when_its_marker_says_commit)
{
    struct room t = standard();
    CHECK_ERR(commit(&t, "g", "", -1, "t", 0, 1), ERR_OK);
    admit(&t, "g");
    CHECK_ERR(txn_commit(&t, "g", 0, 10), ERR_OK);
    CHECK_ERR(txn_commit(&t, "g", 1, 20), ERR_OK);
    CHECK_ERR(txn_commit(&t, "g", 0, 11), ERR_OK); /* the later one of the two counts */
    CHECK_INT(fetched(&t, "g", "t", 0, true), unstable());
    CHECK_INT(fetched(&t, "g", "t", 1, true), unstable());
    CHECK_INT(fetched(&t, "g", "t", 2, true), -1);
    CHECK_INT(fetched(&t, "g", "t", 0, false), 1);
    txn_marker(&t, "g", true, true);
    CHECK_INT(fetched(&t, "g", "t", 0, true), 11);
    CHECK_INT(fetched(&t, "g", "t", 1, true), 20);
    room_crash(&t);
    CHECK_INT(fetched(&t, "g", "t", 0, true), 11);
    CHECK_INT(fetched(&t, "g", "t", 1, true), 20);
    over(&t);
}

TEST(an_aborted_transaction_leaves_the_offsets_as_they_were)
{
    struct room t = standard();
    CHECK_ERR(commit(&t, "g", "", -1, "t", 0, 1), ERR_OK);
    admit(&t, "g");
    CHECK_ERR(txn_commit(&t, "g", 0, 10), ERR_OK);
    txn_marker(&t, "g", false, true);
    CHECK_INT(fetched(&t, "g", "t", 0, true), 1);
    room_crash(&t);
    CHECK_INT(fetched(&t, "g", "t", 0, true), 1);
    over(&t);
}

TEST(an_open_transaction_is_still_pending_after_a_crash)
{
    struct room t = standard();
    admit(&t, "g");
    CHECK_ERR(txn_commit(&t, "g", 0, 10), ERR_OK);
    room_crash(&t);
    CHECK_INT(fetched(&t, "g", "t", 0, true), unstable());
    CHECK_INT(fetched(&t, "g", "t", 0, false), -1);
    txn_marker(&t, "g", true, true);
    CHECK_INT(fetched(&t, "g", "t", 0, true), 10);
    over(&t);
}

TEST(a_plain_commit_after_a_transactional_one_holds)
{
    struct room t = standard();
    admit(&t, "g");
    CHECK_ERR(txn_commit(&t, "g", 0, 10), ERR_OK);
    CHECK_ERR(commit(&t, "g", "", -1, "t", 0, 5), ERR_OK);
    txn_marker(&t, "g", true, true);
    CHECK_INT(fetched(&t, "g", "t", 0, true), 5);
    room_crash(&t);
    CHECK_INT(fetched(&t, "g", "t", 0, true), 5);
    over(&t);
}

TEST(a_transactional_commit_that_the_log_refuses_leaves_nothing_unstable)
{
    struct room t = standard();
    (void)offsets_partition(&t, "g"); /* the producer is not let in */
    CHECK(txn_commit(&t, "g", 0, 10) != ERR_OK);
    CHECK_INT(fetched(&t, "g", "t", 0, true), -1);
    CHECK(state_of(&t, "g") == GROUP_DEAD);
    over(&t);
}

/* --- forgetting ------------------------------------------------------------------------------- */

static err_t group_gone(struct room *t, const char *group)
{
    struct ask *a = ask_new();
    a->delete.group = slice_of(group);
    group_delete(t->c, &a->delete);
    return ask_end(a);
}

TEST(an_empty_group_can_be_deleted_and_is_gone_for_good)
{
    struct room t = standard();
    char id[256];
    CHECK_ERR(group_gone(&t, "g"), ERR_UNKNOWN_GROUP);
    CHECK_ERR(commit(&t, "g", "", -1, "t", 0, 1), ERR_OK);
    (void)lone_member(&t, (struct who){.group = "busy"}, id);
    CHECK_ERR(group_gone(&t, "busy"), ERR_GROUP_NOT_EMPTY);
    /* Commits that are on their way are not left behind. */
    struct ask *a[20];
    for (int i = 0; i < 20; i++) {
        a[i] = commit_ask("g", "", -1, "t", i % 4, i);
        group_commit(t.c, &a[i]->commit);
    }
    CHECK_ERR(group_gone(&t, "g"), ERR_OK);
    for (int i = 0; i < 20; i++) CHECK_ERR(ask_end(a[i]), ERR_OK);
    CHECK(state_of(&t, "g") == GROUP_DEAD);
    CHECK_INT(fetched(&t, "g", "t", 0, true), -1);
    room_crash(&t);
    CHECK(state_of(&t, "g") == GROUP_DEAD);
    CHECK(state_of(&t, "busy") == GROUP_STABLE);
    over(&t);
}

static err_t offset_gone(struct room *t, const char *group, const char *topic, err_t *row)
{
    struct ask *a = ask_new();
    a->delete_offsets.group = slice_of(group);
    a->delete_offsets.offsets = a->rows;
    a->delete_offsets.offset_count = 1;
    a->rows[0] = (struct group_offset){.topic = slice_of(topic)};
    group_delete_offsets(t->c, &a->delete_offsets);
    err_t e = ask_wait(a);
    *row = a->rows[0].err;
    ask_free(a);
    return e;
}

TEST(offsets_of_topics_that_a_group_consumes_can_not_be_deleted)
{
    struct room t = standard();
    char id[256];
    err_t row;
    /* A consumer's subscription, version 0: one topic "t", no user data. */
    static const uint8_t subscription[] = {0, 0, 0, 0, 0, 1, 0, 1, 't', 0xFF, 0xFF, 0xFF, 0xFF};
    CHECK_ERR(offset_gone(&t, "g", "t", &row), ERR_UNKNOWN_GROUP);
    struct ask *a = ask_new();
    a->join.group = SLICE("g");
    a->join.member = SLICE("");
    a->join.client_host = a->join.client_id = SLICE("c");
    a->join.protocol_type = SLICE("consumer");
    a->join.protocols = a->protocols;
    a->join.protocol_count = 1;
    a->protocols[0].name = SLICE("range");
    a->protocols[0].metadata = slice_make(subscription, sizeof(subscription));
    a->join.session_ms = a->join.rebalance_ms = 10000;
    group_join(t.c, &a->join);
    CHECK_OK(ask_wait(a), NULL);
    text_of(a->join.member_id, id);
    ask_free(a);
    a = sync_ask(&t, "g", id, 1, NULL, 0);
    CHECK_OK(ask_end(a), NULL);
    CHECK_ERR(commit(&t, "g", id, 1, "t", 0, 1), ERR_OK);
    CHECK_ERR(commit(&t, "g", id, 1, "u", 0, 2), ERR_OK);
    CHECK_ERR(offset_gone(&t, "g", "t", &row), ERR_OK);
    CHECK_ERR(row, ERR_GROUP_SUBSCRIBED);
    CHECK_ERR(offset_gone(&t, "g", "u", &row), ERR_OK);
    CHECK_ERR(row, ERR_OK);
    CHECK_INT(fetched(&t, "g", "t", 0, true), 1);
    CHECK_INT(fetched(&t, "g", "u", 0, true), -1);
    room_crash(&t);
    CHECK_INT(fetched(&t, "g", "t", 0, true), 1);
    CHECK_INT(fetched(&t, "g", "u", 0, true), -1);
    over(&t);
}

TEST(a_deleted_topics_offsets_go_with_it_also_when_nobody_said_so)
{
    struct room t = standard();
    struct diag d = {0};
    CHECK_ERR(commit(&t, "g", "", -1, "t", 0, 1), ERR_OK);
    CHECK_ERR(commit(&t, "h", "", -1, "t", 1, 2), ERR_OK);
    CHECK_ERR(commit(&t, "h", "", -1, "u", 1, 3), ERR_OK);
    CHECK_OK(log_topic_delete(t.log, SLICE("t"), &d), &d);
    struct ask *a = ask_new();
    a->forget.topic = SLICE("t");
    group_forget_topic(t.c, &a->forget);
    CHECK_OK(ask_end(a), NULL);
    CHECK_INT(fetched(&t, "g", "t", 0, true), -1);
    CHECK_INT(fetched(&t, "h", "u", 1, true), 3);
    CHECK_OK(log_topic_delete(t.log, SLICE("u"), &d), &d); /* a crash before the groups heard */
    room_crash(&t);
    room_settle(&t);
    CHECK_INT(fetched(&t, "h", "u", 1, true), -1);
    over(&t);
}

TEST(offsets_expire_after_their_time_and_take_an_empty_group_with_them)
{
    struct room t = standard();
    char id[256];
    enum { DAY = 24 * 3600 * 1000 };
    CHECK_ERR(commit(&t, "simple", "", -1, "t", 0, 1), ERR_OK);
    int32_t generation = lone_member(&t, (struct who){.group = "live"}, id);
    CHECK_ERR(commit(&t, "live", id, generation, "t", 0, 2), ERR_OK);
    room_advance(&t, (int64_t)6 * DAY);
    CHECK_INT(fetched(&t, "simple", "t", 0, true), 1);
    CHECK(state_of(&t, "live") != GROUP_DEAD); /* its member was silent; the group is empty now */
    room_advance(&t, (int64_t)2 * DAY);
    CHECK_INT(fetched(&t, "simple", "t", 0, true), -1);
    CHECK(state_of(&t, "simple") == GROUP_DEAD);
    CHECK_INT(fetched(&t, "live", "t", 0, true), 2); /* it counts from when it became empty */
    room_advance(&t, (int64_t)7 * DAY);
    room_advance(&t, 11 * 60000);
    room_advance(&t, 11 * 60000);
    CHECK_INT(fetched(&t, "live", "t", 0, true), -1);
    room_crash(&t);
    CHECK(state_of(&t, "simple") == GROUP_DEAD);
    over(&t);
}
