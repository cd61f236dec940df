/* Goal: what a person asks of a stream is told in numbers before, and done; letters are told by
 * what was wrong with them. Method: flow's own world with records that fit and records that do not.
 */
#include "exec/dead_groups.h"
#include "exec/stages.h"

#include "flow/kit_test.h"
#include "os/clock.h"

#include <unistd.h>

static const char load[] =
    "CREATE STREAM load INTO ks.users AS SELECT CAST(id AS TEXT) AS id, CAST(n AS BIGINT) AS n "
    "FROM events CHECK (ok) ELSE DEAD LETTER";

/* 10 good ones, 3 that the check refuses, 2 that a cast does. */
static void open_loaded(struct world *w, struct exec_world *x)
{
    char value[64];
    struct diag d = {0};
    world_open(w, NULL, 1);
    world_stream(w, load);
    for (int i = 0; i < 15; i++) {
        snprintf(value, sizeof(value), "{\"id\":\"u%d\",\"n\":%s,\"ok\":%s}", i,
                 i < 13 ? "1" : "\"x\"", i >= 10 && i < 13 ? "false" : "true");
        world_append_at(w, 0, "k", value, 1000 + i);
    }
    CHECK_OK(flow_start(w->flow, &d), &d);
    CHECK_OK(flow_drain(w->flow, 10000, &d), &d);
    *x = (struct exec_world){.log = w->log, .store = w->store, .flow = w->flow};
}

TEST(what_an_act_costs_is_told_before_it_is_done)
{
    struct world w = {0};
    struct exec_world x;
    struct stage_cost c;
    struct diag d = {0};
    struct buf text = buf_make(KIB(4));
    open_loaded(&w, &x);
    CHECK_OK(stage_cost_of(&x, SLICE("reset"), SLICE("load"), &c, &d), &d);
    CHECK(c.forgets && !c.is_source && !c.takes_table && !c.more_letters);
    CHECK_INT(c.ledger.in, 15);
    CHECK_INT(c.letters, 5);
    CHECK_INT(c.again, 15);
    CHECK_INT(c.missing, 0);
    CHECK_INT(c.table_rows, 10);
    CHECK_TEXT(c.into, "ks.users");
    stage_cost_text(&c, SLICE("load"), &text);
    CHECK(strstr(buf_cstr(&text), "15 records are read again") != NULL);
    CHECK(strstr(buf_cstr(&text), "5 dead letters") != NULL);
    CHECK_OK(stage_cost_of(&x, SLICE("restart"), SLICE("load"), &c, &d), &d);
    CHECK(!c.forgets);
    CHECK_ERR(stage_cost_of(&x, SLICE("reset"), SLICE("nobody"), &c, &d), ERR_UNKNOWN_STREAM);
    CHECK_ERR(stage_cost_of(&x, SLICE("drop"), SLICE("load"), &c, &d), ERR_IN_USE);
    CHECK_ERR(stage_cost_of(&x, SLICE("drop"), SLICE("nobody"), &c, &d), ERR_UNKNOWN_STREAM);
    CHECK_ERR(stage_act(&x, SLICE("eat"), SLICE("load"), &d), ERR_USAGE);
    CHECK_ERR(stage_act(&x, SLICE("pause"), SLICE(""), &d), ERR_USAGE);
    CHECK_OK(stage_act(&x, SLICE("pause"), SLICE("load"), &d), &d);
    CHECK_TEXT(world_status(&w, "load").state, "paused");
    CHECK_OK(stage_act(&x, SLICE("resume"), SLICE("load"), &d), &d);
    CHECK_OK(stage_act(&x, SLICE("reset"), SLICE("load"), &d), &d);
    CHECK_OK(flow_drain(w.flow, 10000, &d), &d);
    CHECK_INT(world_status(&w, "load").ledger.in, 15);
    /* counted from the beginning; told a moment after the epoch that drain has waited for */
    int64_t end = clock_mono_ns() + INT64_C(10000000000);
    while (world_status(&w, "load").operators[0].rows_in != 15 && clock_mono_ns() < end)
        usleep(1000);
    CHECK_INT(world_status(&w, "load").operators[0].rows_in, 15);
    buf_done(&text);
    world_close(&w);
}

TEST(letters_are_told_by_what_was_wrong_with_them)
{
    struct world w = {0};
    struct exec_world x;
    struct dead_stage s;
    struct diag d = {0};
    struct arena *a = arena_new(MIB(1));
    open_loaded(&w, &x);
    CHECK_OK(dead_groups_of(w.store, SLICE("load"), a, &s, &d), &d);
    CHECK_INT(s.letters, 5);
    CHECK_INT(s.group_count, 2);
    CHECK_INT(s.others, 0);
    CHECK(!s.more && s.bytes > 0);
    CHECK_INT(s.groups[0].letters, 2); /* the newest first */
    CHECK_INT(s.groups[0].records, 2);
    CHECK_INT(s.groups[1].letters, 3);
    CHECK_SLICE(s.groups[1].expression, "ok");
    CHECK(s.groups[1].first_ms <= s.groups[1].last_ms && s.groups[1].last_ms > 0);
    CHECK_OK(dead_groups_of(w.store, SLICE("other"), a, &s, &d), &d);
    CHECK_INT(s.group_count + s.letters, 0);
    arena_free(a);
    world_close(&w);
}
