/* Members, generations and assignments, as Kafka's group coordinator has them: who is told what,
 * and when. Method: requests through the front, under a clock that the test moves. */
#include "coord/groups_test_kit.h"

static struct room standard(void)
{
    room_clock();
    struct room t = room_open((struct coord_options){0});
    room_topic(&t, "t");
    return t;
}

static void over(struct room *t)
{
    room_stop(t);
    clock_fake_set(-1);
}

/* A second member comes to a stable group of one: both have joined, generation 2. */
struct pair {
    char first[256], second[256], leader[256];
    int32_t generation;
};
static struct pair pair_join(struct room *t, const struct who *one, const struct who *two)
{
    struct pair p = {0};
    lone_member(t, *one, p.first);
    struct ask *b = join_ask(t, *two);
    room_settle(t);
    CHECK(!ask_over(b));
    struct who again = *one;
    again.id = p.first;
    struct ask *a = join_ask(t, again);
    CHECK_OK(ask_wait(a), &a->head.diag);
    CHECK_OK(ask_wait(b), &b->head.diag);
    p.generation = a->join.generation;
    CHECK_INT(b->join.generation, p.generation);
    text_of(b->join.member_id, p.second);
    text_of(a->join.leader, p.leader);
    CHECK_INT(a->join.member_count, 2);
    CHECK_INT(b->join.member_count, 0);
    ask_free(a);
    ask_free(b);
    return p;
}

static void pair_sync(struct room *t, const char *group, const struct pair *p)
{
    struct group_assignment rows[2] = {{slice_of(p->first), SLICE("one")},
                                       {slice_of(p->second), SLICE("two")}};
    struct ask *b = sync_ask(t, group, p->second, p->generation, NULL, 0);
    room_settle(t);
    CHECK(!ask_over(b));
    struct ask *a = sync_ask(t, group, p->first, p->generation, rows, 2);
    CHECK_OK(ask_wait(a), &a->head.diag);
    CHECK_OK(ask_wait(b), &b->head.diag);
    CHECK_SLICE(a->sync.assignment, "one");
    CHECK_SLICE(b->sync.assignment, "two");
    CHECK_SLICE(b->sync.protocol_chosen, "range");
    ask_free(a);
    ask_free(b);
    CHECK(state_of(t, group) == GROUP_STABLE);
}

TEST(a_dynamic_member_is_given_an_id_first_and_joins_with_it)
{
    struct room t = standard();
    char id[256];
    struct ask *a = join_ask(&t, (struct who){.id_required = true});
    CHECK_ERR(ask_wait(a), ERR_MEMBER_ID_REQUIRED);
    text_of(a->join.member_id, id);
    CHECK(strncmp(id, "client-", 7) == 0 && strlen(id) == 7 + 36);
    CHECK_INT(a->join.generation, -1);
    ask_free(a);
    CHECK(state_of(&t, "g") == GROUP_EMPTY);
    a = join_ask(&t, (struct who){.id = id, .id_required = true});
    CHECK_OK(ask_wait(a), &a->head.diag);
    CHECK_INT(a->join.generation, 1);
    CHECK_SLICE(a->join.leader, id);
    CHECK_SLICE(a->join.protocol, "range");
    CHECK_SLICE(a->join.protocol_type_chosen, "consumer");
    CHECK_INT(a->join.member_count, 1);
    CHECK_SLICE(a->join.members[0].metadata, "meta");
    ask_free(a);
    CHECK(state_of(&t, "g") == GROUP_COMPLETING);
    CHECK_ERR(heartbeat(&t, "g", id, 1), ERR_OK);
    CHECK_ERR(heartbeat(&t, "g", id, 2), ERR_GENERATION);
    CHECK_ERR(heartbeat(&t, "g", "another", 1), ERR_UNKNOWN_MEMBER);
    CHECK_ERR(heartbeat(&t, "no such group", id, 1), ERR_UNKNOWN_MEMBER);
    over(&t);
}

TEST(an_id_that_nobody_joins_with_is_forgotten_with_its_group)
{
    struct room t = standard();
    struct ask *a = join_ask(&t, (struct who){.id_required = true, .session_ms = 7000});
    char id[256];
    CHECK_ERR(ask_wait(a), ERR_MEMBER_ID_REQUIRED);
    text_of(a->join.member_id, id);
    ask_free(a);
    room_advance(&t, 7001);
    CHECK(state_of(&t, "g") == GROUP_DEAD);
    a = join_ask(&t, (struct who){.id = id});
    CHECK_ERR(ask_end(a), ERR_UNKNOWN_MEMBER);
    over(&t);
}

TEST(requests_that_can_not_be_are_refused_as_kafka_refuses_them)
{
    struct room t = standard();
    CHECK_ERR(ask_end(join_ask(&t, (struct who){.group = ""})), ERR_GROUP_NAME);
    CHECK_ERR(ask_end(join_ask(&t, (struct who){.session_ms = 5999})), ERR_SESSION_TIMEOUT);
    CHECK_ERR(ask_end(join_ask(&t, (struct who){.session_ms = 1800001})), ERR_SESSION_TIMEOUT);
    CHECK_ERR(ask_end(join_ask(&t, (struct who){.id = "made-up"})), ERR_UNKNOWN_MEMBER);
    CHECK_ERR(ask_end(join_ask(&t, (struct who){.protocols = ""})), ERR_GROUP_PROTOCOL);
    char id[256];
    lone_member(&t, (struct who){.protocols = "range:a,sticky:b"}, id);
    CHECK_ERR(ask_end(join_ask(&t, (struct who){.protocols = "roundrobin:c"})), ERR_GROUP_PROTOCOL);
    CHECK_ERR(ask_end(sync_ask(&t, "g", id, 9, NULL, 0)), ERR_GENERATION);
    CHECK_ERR(ask_end(sync_ask(&t, "g", "x", 1, NULL, 0)), ERR_UNKNOWN_MEMBER);
    CHECK_ERR(ask_end(sync_ask(&t, "nogroup", "x", 1, NULL, 0)), ERR_UNKNOWN_MEMBER);
    struct ask *a = ask_new();
    a->sync.group = SLICE("g");
    a->sync.member = slice_of(id);
    a->sync.generation = 1;
    a->sync.protocol = SLICE("sticky"); /* range was chosen */
    group_sync(t.c, &a->sync);
    CHECK_ERR(ask_end(a), ERR_GROUP_PROTOCOL);
    over(&t);
}

TEST(a_second_member_makes_the_group_rebalance_and_both_get_their_share)
{
    struct room t = standard();
    struct who one = {.protocols = "range:1"}, two = {.protocols = "range:2"};
    struct pair p = {0};
    lone_member(&t, one, p.first);
    CHECK_ERR(heartbeat(&t, "g", p.first, 1), ERR_OK);
    struct ask *b = join_ask(&t, two);
    room_settle(&t);
    CHECK_ERR(heartbeat(&t, "g", p.first, 1), ERR_REBALANCING);
    CHECK_ERR(ask_end(sync_ask(&t, "g", p.first, 1, NULL, 0)), ERR_REBALANCING);
    CHECK(state_of(&t, "g") == GROUP_PREPARING);
    one.id = p.first;
    struct ask *a = join_ask(&t, one);
    CHECK_OK(ask_wait(a), &a->head.diag);
    CHECK_OK(ask_wait(b), &b->head.diag);
    CHECK_INT(a->join.member_count, 2);
    CHECK_SLICE(a->join.members[1].metadata, "2");
    CHECK_SLICE(b->join.leader, p.first);
    p.generation = a->join.generation;
    CHECK_INT(p.generation, 2);
    text_of(b->join.member_id, p.second);
    ask_free(a);
    ask_free(b);
    pair_sync(&t, "g", &p);
    /* Nothing new: the follower is told the generation as it is, without a rebalance. */
    two.id = p.second;
    a = join_ask(&t, two);
    CHECK_OK(ask_wait(a), &a->head.diag);
    CHECK_INT(a->join.generation, 2);
    ask_free(a);
    CHECK(state_of(&t, "g") == GROUP_STABLE);
    /* The leader joins again: it wants a rebalance. */
    a = join_ask(&t, one);
    room_settle(&t);
    CHECK(state_of(&t, "g") == GROUP_PREPARING);
    b = join_ask(&t, two);
    CHECK_OK(ask_end(a), NULL);
    CHECK_OK(ask_end(b), NULL);
    over(&t);
}

TEST(the_members_vote_for_a_protocol_that_all_of_them_know)
{
    struct room t = standard();
    struct who one = {.protocols = "range:a,sticky:a,roundrobin:a"};
    struct who two = {.protocols = "roundrobin:b,sticky:b"};
    struct who three = {.protocols = "sticky:c,roundrobin:c,range:c"};
    struct pair p = pair_join(&t, &one, &two);
    struct ask *c = join_ask(&t, three);
    one.id = p.first;
    two.id = p.second;
    struct ask *a = join_ask(&t, one), *b = join_ask(&t, two);
    CHECK_OK(ask_wait(a), NULL);
    /* sticky: one and three; roundrobin: two. */
    CHECK_SLICE(a->join.protocol, "sticky");
    CHECK_INT(a->join.member_count, 3);
    CHECK_SLICE(a->join.members[0].metadata, "a");
    ask_free(a);
    CHECK_OK(ask_end(b), NULL);
    CHECK_OK(ask_end(c), NULL);
    over(&t);
}

TEST(a_member_that_is_silent_is_removed_and_the_others_rebalance)
{
    struct room t = standard();
    struct who one = {0}, two = {.session_ms = 6000};
    struct pair p = pair_join(&t, &one, &two);
    pair_sync(&t, "g", &p);
    room_advance(&t, 5000);
    CHECK_ERR(heartbeat(&t, "g", p.first, 2), ERR_OK);
    CHECK_ERR(heartbeat(&t, "g", p.second, 2), ERR_OK);
    room_advance(&t, 5999);
    CHECK_ERR(heartbeat(&t, "g", p.first, 2), ERR_OK);
    room_advance(&t, 2);
    CHECK_ERR(heartbeat(&t, "g", p.second, 2), ERR_UNKNOWN_MEMBER);
    CHECK_ERR(heartbeat(&t, "g", p.first, 2), ERR_REBALANCING);
    one.id = p.first;
    struct ask *a = join_ask(&t, one);
    CHECK_OK(ask_wait(a), NULL);
    CHECK_INT(a->join.generation, 3);
    CHECK_INT(a->join.member_count, 1);
    ask_free(a);
    over(&t);
}

TEST(who_does_not_come_back_within_the_rebalance_timeout_is_left_out)
{
    struct room t = standard();
    struct who one = {.rebalance_ms = 20000, .session_ms = 1000000};
    struct who two = {.rebalance_ms = 30000, .session_ms = 1000000};
    char first[256];
    lone_member(&t, one, first);
    struct ask *b = join_ask(&t, two);
    room_advance(&t, 20001); /* the longest counts once two is in: 30 s */
    CHECK(!ask_over(b));
    room_advance(&t, 10000);
    CHECK_OK(ask_wait(b), NULL);
    CHECK_INT(b->join.member_count, 1);
    CHECK_SLICE(b->join.leader, text_of(b->join.member_id, first));
    ask_free(b);
    over(&t);
}

TEST(who_does_not_ask_for_its_assignment_in_time_is_left_out)
{
    struct room t = standard();
    struct who one = {.rebalance_ms = 20000, .session_ms = 1000000};
    struct who two = one;
    struct pair p = pair_join(&t, &one, &two);
    struct group_assignment rows[1] = {{slice_of(p.first), SLICE("one")}};
    CHECK_OK(ask_end(sync_ask(&t, "g", p.first, p.generation, rows, 1)), NULL);
    CHECK(state_of(&t, "g") == GROUP_STABLE);
    room_advance(&t, 20001);
    CHECK(state_of(&t, "g") == GROUP_PREPARING);
    CHECK_ERR(heartbeat(&t, "g", p.second, p.generation), ERR_UNKNOWN_MEMBER);
    CHECK_ERR(heartbeat(&t, "g", p.first, p.generation), ERR_REBALANCING);
    over(&t);
}

TEST(a_group_waits_for_its_first_members_as_long_as_it_is_told)
{
    room_clock();
    struct room t = room_open((struct coord_options){.rebalance_delay_ms = 3000});
    struct ask *a = join_ask(&t, (struct who){0});
    room_advance(&t, 2000);
    CHECK(!ask_over(a));
    struct ask *b = join_ask(&t, (struct who){0}); /* extends it */
    room_advance(&t, 1001);
    CHECK(!ask_over(a));
    room_advance(&t, 2000);
    CHECK(!ask_over(a));
    room_advance(&t, 1000);
    CHECK_OK(ask_wait(a), NULL);
    CHECK_OK(ask_wait(b), NULL);
    CHECK_INT(a->join.generation, 1);
    CHECK_INT(a->join.member_count, 2);
    ask_free(a);
    ask_free(b);
    over(&t);
}

TEST(members_leave_several_at_once_and_the_last_one_empties_the_group)
{
    struct room t = standard();
    struct who one = {0}, two = {.instance = "desk"};
    struct pair p = pair_join(&t, &one, &two);
    pair_sync(&t, "g", &p);
    struct ask *a = ask_new();
    a->leave.group = SLICE("g");
    a->leave.members = a->leavers;
    a->leave.member_count = 3;
    a->leavers[0].member = SLICE("nobody");
    a->leavers[1].member = SLICE("");
    a->leavers[1].instance = SLICE("desk");
    a->leavers[2].member = slice_of(p.first);
    group_leave(t.c, &a->leave);
    CHECK_OK(ask_wait(a), NULL);
    CHECK_ERR(a->leavers[0].err, ERR_UNKNOWN_MEMBER);
    CHECK_ERR(a->leavers[1].err, ERR_OK);
    CHECK_ERR(a->leavers[2].err, ERR_OK);
    ask_free(a);
    CHECK(state_of(&t, "g") == GROUP_EMPTY);
    room_reopen(&t); /* its last generation was written */
    CHECK(state_of(&t, "g") == GROUP_EMPTY);
    a = join_ask(&t, (struct who){0});
    CHECK_OK(ask_wait(a), NULL);
    CHECK_INT(a->join.generation, 4);
    ask_free(a);
    over(&t);
}

TEST(a_member_that_leaves_while_it_waits_is_told_so)
{
    struct room t = standard();
    char first[256];
    lone_member(&t, (struct who){0}, first);
    struct ask *b = join_ask(&t, (struct who){.instance = "desk"});
    struct ask *a = ask_new();
    a->leave.group = SLICE("g");
    a->leave.members = a->leavers;
    a->leave.member_count = 1;
    a->leavers[0].instance = SLICE("desk");
    group_leave(t.c, &a->leave);
    CHECK_OK(ask_end(a), NULL);
    CHECK_ERR(ask_end(b), ERR_UNKNOWN_MEMBER);
    over(&t);
}

/* --- static members --------------------------------------------------------------------------- */

TEST(a_static_member_comes_back_without_a_rebalance_and_the_old_one_is_fenced)
{
    struct room t = standard();
    struct who one = {0}, two = {.instance = "desk"};
    struct pair p = pair_join(&t, &one, &two);
    CHECK(strncmp(p.second, "desk-", 5) == 0);
    pair_sync(&t, "g", &p);
    struct ask *b = join_ask(&t, two); /* restarted: knows no id */
    CHECK_OK(ask_wait(b), &b->head.diag);
    CHECK_INT(b->join.generation, p.generation);
    CHECK_SLICE(b->join.leader, p.first);
    CHECK_INT(b->join.member_count, 0);
    char now[256];
    text_of(b->join.member_id, now);
    CHECK(strcmp(now, p.second) != 0);
    ask_free(b);
    CHECK(state_of(&t, "g") == GROUP_STABLE);
    b = sync_ask(&t, "g", now, p.generation, NULL, 0);
    CHECK_OK(ask_wait(b), NULL);
    CHECK_SLICE(b->sync.assignment, "two");
    ask_free(b);
    struct ask *h = ask_new(); /* the old one, with its instance: fenced */
    h->heartbeat = (struct group_heartbeat){.head = h->head,
                                            .group = SLICE("g"),
                                            .member = slice_of(p.second),
                                            .instance = SLICE("desk"),
                                            .generation = p.generation};
    group_heartbeat(t.c, &h->heartbeat);
    CHECK_ERR(ask_end(h), ERR_INSTANCE_FENCED);
    CHECK_ERR(heartbeat(&t, "g", p.second, p.generation), ERR_UNKNOWN_MEMBER);
    /* The new id is what a restart brings back. */
    room_reopen(&t);
    CHECK_ERR(heartbeat(&t, "g", now, p.generation), ERR_OK);
    over(&t);
}

TEST(a_static_leader_that_comes_back_need_not_assign_again)
{
    struct room t = standard();
    struct who one = {.instance = "head", .protocols = "range:1"}, two = {.protocols = "range:2"};
    struct pair p = pair_join(&t, &one, &two);
    pair_sync(&t, "g", &p);
    struct who back = one;
    back.may_skip = true;
    struct ask *a = join_ask(&t, back);
    CHECK_OK(ask_wait(a), NULL);
    CHECK(a->join.skip_assignment);
    CHECK_INT(a->join.member_count, 2);
    CHECK(slice_equal(a->join.leader, a->join.member_id));
    char now[256];
    text_of(a->join.member_id, now);
    ask_free(a);
    /* An old client is told the old leader, so that it does not assign: it would not be heard. */
    back.may_skip = false;
    a = join_ask(&t, back);
    CHECK_OK(ask_wait(a), NULL);
    CHECK(!a->join.skip_assignment);
    CHECK_SLICE(a->join.leader, now);
    CHECK(!slice_equal(a->join.leader, a->join.member_id));
    ask_free(a);
    CHECK(state_of(&t, "g") == GROUP_STABLE);
    over(&t);
}

TEST(a_static_member_with_other_protocols_makes_the_group_rebalance)
{
    struct room t = standard();
    struct who one = {.instance = "desk", .protocols = "range:1,sticky:1"};
    char id[256];
    lone_member(&t, one, id);
    one.protocols = "sticky:1";
    struct ask *a = join_ask(&t, one);
    CHECK_OK(ask_wait(a), NULL);
    CHECK_INT(a->join.generation, 2);
    CHECK_SLICE(a->join.protocol, "sticky");
    ask_free(a);
    over(&t);
}

TEST(a_static_member_that_waits_is_fenced_by_its_successor)
{
    struct room t = standard();
    char first[256];
    lone_member(&t, (struct who){0}, first);
    struct ask *b = join_ask(&t, (struct who){.instance = "desk"});
    struct ask *c = join_ask(&t, (struct who){.instance = "desk"});
    CHECK_ERR(ask_end(b), ERR_INSTANCE_FENCED);
    struct ask *a = join_ask(&t, (struct who){.id = first});
    CHECK_OK(ask_wait(a), NULL);
    CHECK_OK(ask_wait(c), NULL);
    CHECK_INT(a->join.member_count, 2);
    ask_free(a);
    ask_free(c);
    over(&t);
}

/* --- limits and endings ----------------------------------------------------------------------- */

TEST(a_group_takes_no_more_members_than_it_may_have)
{
    room_clock();
    struct room t = room_open((struct coord_options){.group_max_size = 2});
    struct who one = {0}, two = {0};
    struct pair p = pair_join(&t, &one, &two);
    pair_sync(&t, "g", &p);
    CHECK_ERR(ask_end(join_ask(&t, (struct who){0})), ERR_GROUP_FULL);
    CHECK(state_of(&t, "g") == GROUP_STABLE);
    over(&t);
}

TEST(members_survive_a_restart_and_expire_when_they_do_not)
{
    struct room t = standard();
    struct who one = {.protocols = "range:1"}, two = {.protocols = "range:2", .session_ms = 20000};
    struct pair p = pair_join(&t, &one, &two);
    pair_sync(&t, "g", &p);
    room_crash(&t);
    CHECK(state_of(&t, "g") == GROUP_STABLE);
    CHECK_ERR(heartbeat(&t, "g", p.first, p.generation), ERR_OK);
    struct ask *b = sync_ask(&t, "g", p.second, p.generation, NULL, 0);
    CHECK_OK(ask_wait(b), NULL);
    CHECK_SLICE(b->sync.assignment, "two");
    ask_free(b);
    room_advance(&t, 10001);
    CHECK_ERR(heartbeat(&t, "g", p.first, p.generation), ERR_UNKNOWN_MEMBER);
    CHECK_ERR(heartbeat(&t, "g", p.second, p.generation), ERR_REBALANCING);
    room_advance(&t, 60001); /* nobody comes */
    CHECK(state_of(&t, "g") == GROUP_EMPTY);
    over(&t);
}

TEST(a_crash_within_a_rebalance_brings_the_last_stable_generation_back)
{
    struct room t = standard();
    char first[256];
    lone_member(&t, (struct who){0}, first);
    struct ask *b = join_ask(&t, (struct who){0});
    room_settle(&t);
    CHECK(state_of(&t, "g") == GROUP_PREPARING);
    room_crash(&t); /* closing answers what waits */
    CHECK_ERR(ask_end(b), ERR_STOPPED);
    CHECK(state_of(&t, "g") == GROUP_STABLE);
    CHECK_ERR(heartbeat(&t, "g", first, 1), ERR_OK);
    over(&t);
}

TEST(groups_are_listed_by_state_and_described_with_their_members)
{
    struct room t = standard();
    char id[256];
    lone_member(&t, (struct who){.group = "b", .instance = "desk"}, id);
    CHECK_ERR(commit(&t, "a", "", -1, "t", 0, 5), ERR_OK);
    struct ask *l = ask_new();
    group_list(t.c, &l->list);
    CHECK_OK(ask_wait(l), NULL);
    CHECK_INT(l->list.group_count, 2);
    CHECK_SLICE(l->list.groups[0].group, "a");
    CHECK_SLICE(l->list.groups[0].protocol_type, "");
    CHECK_SLICE(l->list.groups[1].protocol_type, "consumer");
    ask_free(l);
    l = ask_new();
    l->list.states = 1u << GROUP_STABLE;
    group_list(t.c, &l->list);
    CHECK_OK(ask_wait(l), NULL);
    CHECK_INT(l->list.group_count, 1);
    ask_free(l);
    struct ask *d = ask_new();
    d->describe.group = SLICE("b");
    group_describe(t.c, &d->describe);
    CHECK_OK(ask_wait(d), NULL);
    CHECK_INT(d->describe.member_count, 1);
    CHECK_SLICE(d->describe.protocol, "range");
    CHECK_SLICE(d->describe.members[0].id, id);
    CHECK_SLICE(d->describe.members[0].instance, "desk");
    CHECK_SLICE(d->describe.members[0].client_host, "/127.0.0.1");
    CHECK_SLICE(d->describe.members[0].metadata, "meta");
    CHECK_SLICE(d->describe.members[0].assignment, "all of it");
    ask_free(d);
    d = ask_new();
    d->describe.group = SLICE("none");
    group_describe(t.c, &d->describe);
    CHECK_ERR(ask_wait(d), ERR_UNKNOWN_GROUP);
    CHECK(d->describe.state == GROUP_DEAD);
    CHECK_TEXT(d->head.diag.what, "Group none not found.");
    ask_free(d);
    over(&t);
}
