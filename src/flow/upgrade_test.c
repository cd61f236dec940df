/* Goal: a stream whose SQL needs other state is built anew beside the old one and takes its place:
 * the rows are those of the new SQL over the whole log, before that those of the old; a kill at any
 * step, or at any moment, is gone on from; nothing is left behind. */
#include "flow/edition.h"
#include "flow/kit_test.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define OLD_SQL                                                                                    \
    "CREATE STREAM load INTO ks.sums AS SELECT k, count(*) AS n, sum(n) AS s FROM timed GROUP BY " \
    "k"
#define NEW_SQL                                                                                    \
    "CREATE STREAM load INTO ks.sums AS SELECT k, count(*) AS n, max(n) AS s FROM timed GROUP BY " \
    "k"
#define NEXT_SQL                                                                                   \
    "CREATE STREAM load INTO ks.sums AS SELECT k, count(*) AS n, min(n) AS s FROM timed GROUP BY " \
    "k"

enum { RECORDS = 6000 };

static void add_records(struct world *w, uint32_t from, uint32_t count)
{
    struct record_builder b = record_builder_make(MIB(64));
    struct record_batch_options o = {.producer_id = -1, .producer_epoch = -1, .base_sequence = -1};
    struct buf out = buf_make(MIB(64));
    struct diag d = {0};
    int64_t offset;
    for (uint32_t i = from; i < from + count; i++) {
        char value[128];
        snprintf(value, sizeof(value), "{\"k\":\"k%u\",\"n\":%u,\"at\":%lld}", i * 7 % 20,
                 i * 31 % 997, 1700000000000LL + i);
        record_builder_add(&b, 1700000000000 + i, (struct slice){0}, slice_of(value), NULL, 0);
    }
    CHECK_OK(record_builder_finish(&b, &o, &out), NULL);
    for (int32_t p = 0; p < 1; p++)
        CHECK_OK(log_append_wait(w->log, log_partition(log_topic_find(w->log, SLICE("timed")), p),
                                 out.at, out.len, 1700000000000, &offset, &d),
                 &d);
    record_builder_done(&b);
    buf_done(&out);
}

static void run_to_end(struct world *w)
{
    struct diag d = {0};
    CHECK_OK(flow_start(w->flow, &d), &d);
    CHECK_OK(flow_drain(w->flow, 30000, &d), &d);
    flow_stop(w->flow);
}

static err_t upgrade(struct world *w, const char *was, const char *sql, struct diag *d)
{
    struct plan_stream *old = arena_take(w->arena, sizeof(*old)),
                       *new = arena_take(w->arena, sizeof(*new));
    if (was) CHECK_OK(world_bind(w, was, old, d), d);
    CHECK_OK(world_bind(w, sql, new, d), d);
    struct store_table wanted = *store_table_find(w->store, SLICE("ks"), SLICE("sums"));
    return flow_stream_upgrade(w->flow, was ? old : NULL, new, &wanted, d);
}

/* What the SQL gives over the whole log, in a store of its own. */
static const char *computed(struct world *w, const char *sql)
{
    struct world second;
    struct diag d = {0};
    world_second(w, &second);
    world_stream(&second, sql);
    run_to_end(&second);
    const char *rows = arena_text(w->arena, slice_of(world_dump(&second, "sums")));
    world_second_close(&second);
    CHECK_OK(dir_remove_all(second.dir, &d), &d);
    return rows;
}

static void prepare(struct world *w, const char *dir)
{
    world_open(w, dir, 0);
    world_topic(w, "timed", 1);
    add_records(w, 0, RECORDS);
    world_stream(w, OLD_SQL);
    run_to_end(w);
    world_flow_again(w);
}

static err_t count_one(void *ctx, struct slice key, struct slice value)
{
    (void)key, (void)value;
    (*(uint32_t *)ctx)++;
    return ERR_OK;
}

static uint32_t records_in(struct world *w, enum store_space space, struct slice prefix)
{
    uint32_t count = 0;
    struct diag d = {0};
    CHECK_OK(store_records(w->store, NULL, space, prefix, (struct slice){0}, count_one, &count, &d),
             &d);
    return count;
}

/* The stream's edition alone has records, and the other table is gone. */
static void check_tidy(struct world *w)
{
    struct stage_key garbage = number_key("flow.garbage", SLICE(""));
    struct stage_text key;
    struct diag d = {0};
    CHECK_OK(flow_tidy(w->store, &d), &d);
    CHECK_OK(stage_key_find(w->store, SLICE("load"), &key, &d), &d);
    CHECK_INT(records_in(w, STORE_META, stage_key_slice(&garbage)), 0);
    struct stage_key mine = stage_key(stage_text_slice(&key));
    CHECK_INT(records_in(w, STORE_CURSOR, stage_key_slice(&mine)),
              records_in(w, STORE_CURSOR, (struct slice){0}));
    CHECK_INT(records_in(w, STORE_LEDGER, stage_key_slice(&mine)), 1);
    CHECK_INT(records_in(w, STORE_LEDGER, (struct slice){0}), 1);
    CHECK(records_in(w, STORE_STATE, (struct slice){0}) <= 20);
    CHECK(store_table_find(w->store, SLICE("ks"), SLICE("sums__new")) == NULL);
}

TEST(a_stream_of_another_shape_is_built_beside_the_old_one_and_swapped)
{
    struct world w = {0};
    struct diag d = {0};
    struct plan_stream p;
    enum stream_change change;
    const char *why;
    prepare(&w, NULL);
    CHECK_TEXT(world_dump(&w, "sums"), computed(&w, OLD_SQL));
    CHECK_OK(upgrade(&w, OLD_SQL, NEW_SQL, &d), &d);
    CHECK(flow_has(w.flow, SLICE("new:load")));
    add_records(&w, RECORDS, 500); /* both read them */
    run_to_end(&w);
    CHECK_TEXT(world_dump(&w, "sums"), computed(&w, NEW_SQL));
    CHECK(!flow_has(w.flow, SLICE("new:load")));
    CHECK_INT(world_status(&w, "load").ledger.in, RECORDS + 500);
    CHECK(world_status(&w, "load").balanced);
    CHECK_TEXT(world_status(&w, "load").into.at ? "ks.sums" : "", "ks.sums");
    CHECK_OK(world_bind(&w, NEW_SQL, &p, &d), &d);
    CHECK_OK(stream_change_of(w.store, &p, &change, &why, &d), &d);
    CHECK(change == STREAM_SAME);
    world_flow_again(&w); /* it goes on from there */
    world_stream(&w, NEW_SQL);
    add_records(&w, RECORDS + 500, 500);
    run_to_end(&w);
    CHECK_INT(world_status(&w, "load").ledger.in, RECORDS + 1000);
    CHECK_TEXT(world_dump(&w, "sums"), computed(&w, NEW_SQL));
    flow_stop(w.flow);
    check_tidy(&w);
    CHECK_TEXT(world_dump(&w, "sums"), computed(&w, NEW_SQL));
    world_close(&w);
}

/* ALTER TABLE ks.sums ADD more int. */
static err_t add_column(struct store *s, struct diag *d)
{
    const struct store_table *t = store_table_find(s, SLICE("ks"), SLICE("sums"));
    struct store_column columns[8];
    struct store_table wanted = *t;
    CHECK(t->column_count < COUNT_OF(columns));
    memcpy(columns, t->columns, t->column_count * sizeof(*columns));
    columns[t->column_count] = (struct store_column){
        .name = SLICE("more"), .type = type_of(TYPE_INT), .role = COLUMN_REGULAR};
    wanted.columns = columns;
    wanted.column_count++;
    return store_table_alter(s, t, &wanted, &t, d);
}

static struct world *person_of;
static int person_comes;

/* Somebody makes an index and sets a comment at the last moment. */
static void person(enum flow_step step)
{
    struct diag d = {0};
    if (step != FLOW_STEP_FOLLOWED || person_comes++) return;
    const struct store_table *t = store_table_find(person_of->store, SLICE("ks"), SLICE("sums"));
    struct store_index by_n = {.name = SLICE("by_n"),
                               .target = SLICE("n"),
                               .column = store_column_find(t, SLICE("n"))->id};
    struct store_option comment = {SLICE("comment"), SLICE("a person's")};
    struct store_table wanted = *t;
    wanted.indexes = &by_n;
    wanted.options = &comment;
    wanted.index_count = wanted.option_count = 1;
    CHECK_OK(store_table_alter(person_of->store, t, &wanted, &t, &d), &d);
    CHECK_ERR(add_column(person_of->store, &d), ERR_INVALID); /* it would be lost */
    CHECK(strstr(d.what, "Cannot add columns to table 'ks.sums': stream load is being built anew"));
}

TEST(what_a_person_sets_at_the_last_moment_is_there_after_the_swap)
{
    struct world w = {.options = {.step = person}};
    struct diag d = {0};
    person_of = &w;
    prepare(&w, NULL);
    CHECK_OK(upgrade(&w, OLD_SQL, NEW_SQL, &d), &d);
    run_to_end(&w);
    CHECK_INT(person_comes, 2); /* it was followed, and then there was nobody */
    CHECK(!flow_has(w.flow, SLICE("new:load")));
    const struct store_table *t = store_table_find(w.store, SLICE("ks"), SLICE("sums"));
    CHECK_INT(t->index_count, 1);
    CHECK(slice_is(t->indexes[0].name, "by_n") && t->indexes[0].ready);
    CHECK_INT(t->option_count, 1);
    CHECK(slice_is(t->options[0].value, "a person's"));
    CHECK_TEXT(world_dump(&w, "sums"), computed(&w, NEW_SQL));
    CHECK_OK(add_column(w.store, &d), &d);
    world_close(&w);
}

TEST(the_sql_that_ran_is_written_down_with_its_epochs)
{
    struct world w = {0};
    struct diag d = {0};
    struct flow_sql sql;
    struct slice script;
    prepare(&w, NULL);
    CHECK_OK(flow_sql_now(w.store, SLICE("load"), w.arena, &sql, &d), &d);
    CHECK(slice_is(sql.text, OLD_SQL) && slice_is(sql.into, "ks.sums") && sql.epoch);
    uint64_t old = sql.version;
    CHECK_OK(flow_sql_script(w.store, &sql, w.arena, &script, &d), &d);
    CHECK(slice_is(script, OLD_SQL));
    CHECK_OK(upgrade(&w, OLD_SQL, NEW_SQL, &d), &d);
    CHECK_OK(flow_sql_now(w.store, SLICE("load"), w.arena, &sql, &d), &d);
    CHECK(slice_is(sql.text, OLD_SQL)); /* nothing has run yet */
    run_to_end(&w);
    CHECK_OK(flow_sql_now(w.store, SLICE("load"), w.arena, &sql, &d), &d);
    CHECK(slice_is(sql.text, NEW_SQL) && slice_is(sql.into, "ks.sums"));
    CHECK_OK(flow_sql_of(w.store, SLICE("load"), old, w.arena, &sql, &d), &d);
    CHECK(slice_is(sql.text, OLD_SQL));
    CHECK_OK(flow_tidy(w.store, &d), &d);
    CHECK_OK(flow_sql_now(w.store, SLICE("load"), w.arena, &sql, &d), &d);
    CHECK_OK(flow_sql_script(w.store, &sql, w.arena, &script, &d), &d);
    CHECK(slice_is(script, NEW_SQL));
    CHECK_OK(stream_reset(w.store, SLICE("load"), &d), &d);
    CHECK(flow_sql_now(w.store, SLICE("load"), w.arena, &sql, &d) == ERR_NOT_FOUND);
    CHECK(flow_sql_of(w.store, SLICE("load"), old, w.arena, &sql, &d) == ERR_NOT_FOUND);
    world_close(&w);
}

TEST(what_was_built_goes_when_another_sql_is_wanted_or_the_old_one_again)
{
    struct world w = {.options = {.epoch_rows_live = 50}};
    struct diag d = {0};
    prepare(&w, NULL);
    CHECK_OK(upgrade(&w, OLD_SQL, NEW_SQL, &d), &d);
    CHECK(store_table_find(w.store, SLICE("ks"), SLICE("sums__new")) != NULL);
    world_flow_again(&w);
    CHECK_OK(upgrade(&w, OLD_SQL, NEXT_SQL, &d), &d);
    world_flow_again(&w);
    world_stream(&w, OLD_SQL);
    CHECK(store_table_find(w.store, SLICE("ks"), SLICE("sums__new")) == NULL);
    run_to_end(&w);
    CHECK_TEXT(world_dump(&w, "sums"), computed(&w, OLD_SQL));
    CHECK_INT(world_status(&w, "load").ledger.in, RECORDS);
    world_flow_again(&w);
    CHECK_OK(upgrade(&w, NULL, NEXT_SQL, &d), &d); /* the old one stands still */
    CHECK(flow_has(w.flow, SLICE("load")) && !flow_has(w.flow, SLICE("new:load")));
    CHECK_TEXT(world_dump(&w, "sums"), computed(&w, OLD_SQL));
    run_to_end(&w);
    CHECK_TEXT(world_dump(&w, "sums"), computed(&w, NEXT_SQL));
    flow_stop(w.flow);
    check_tidy(&w);
    world_close(&w);
}

TEST(a_table_that_two_streams_write_is_not_exchanged)
{
    struct world w = {0};
    struct diag d = {0};
    prepare(&w, NULL);
    CHECK_OK(upgrade(&w, OLD_SQL, NEW_SQL, &d), &d);
    world_stream(&w, "CREATE STREAM other INTO ks.sums AS SELECT k, n FROM timed");
    CHECK_OK(flow_start(w.flow, &d), &d);
    bool told = false;
    for (int i = 0; i < 1000 && !told; i++) {
        told = strstr(world_status(&w, "new:load").trouble, "'other' writes into") != NULL;
        if (!told) usleep(10000);
    }
    CHECK(told);
    CHECK(world_reaches(&w, "load", "waiting"));
    CHECK_TEXT(world_status(&w, "new:load").state, "building");
    flow_stop(w.flow);
    world_close(&w);
}

TEST(what_writes_no_table_is_not_built_anew)
{
    struct world w = {0};
    struct diag d = {0};
    struct plan_stream p;
    world_open(&w, NULL, 1);
    world_topic(&w, "out", 1);
    CHECK_OK(world_bind(&w, "CREATE STREAM load INTO TOPIC out AS SELECT k, n FROM timed", &p, &d),
             &d);
    CHECK(flow_stream_upgrade(w.flow, NULL, &p, NULL, &d) == ERR_UNSUPPORTED);
    world_close(&w);
}

TEST(a_where_that_comes_or_goes_keeps_the_state)
{
    struct world w = {0};
    struct diag d = {0};
    prepare(&w, NULL);
    world_stream(&w, OLD_SQL);
    run_to_end(&w);
    const char *before = arena_text(w.arena, slice_of(world_dump(&w, "sums")));
    world_flow_again(&w);
    world_stream(&w, "CREATE STREAM load INTO ks.sums AS SELECT k, count(*) AS n, sum(n) AS s FROM "
                     "timed WHERE n >= 0 AND k <> 'nobody' GROUP BY k");
    add_records(&w, RECORDS, 1000);
    run_to_end(&w);
    CHECK_INT(world_status(&w, "load").ledger.in, RECORDS + 1000);
    CHECK_TEXT(world_dump(&w, "sums"), computed(&w, OLD_SQL)); /* all counted, once */
    CHECK(strcmp(world_dump(&w, "sums"), before) != 0);
    world_flow_again(&w);
    world_stream(&w, OLD_SQL);
    add_records(&w, RECORDS + 1000, 1000);
    run_to_end(&w);
    CHECK_TEXT(world_dump(&w, "sums"), computed(&w, OLD_SQL));
    (void)d;
    world_close(&w);
}

/* --- kills --------------------------------------------------------------------------------------
 */

static enum flow_step die_at;

static void die(enum flow_step step)
{
    if (step == die_at) kill(getpid(), SIGKILL);
}

static void serve(const char *dir, void (*at)(enum flow_step step), int ready)
{
    struct world w = {.options = {.epoch_rows_live = 200, .step = at}};
    struct diag d = {0};
    struct plan_stream p;
    enum stream_change change;
    const char *why;
    world_open(&w, dir, 0);
    if (world_bind(&w, NEW_SQL, &p, &d) || stream_change_of(w.store, &p, &change, &why, &d))
        _exit(3);
    if (write(ready, "!", 1) != 1) _exit(3);
    if (change == STREAM_REBUILD ? upgrade(&w, OLD_SQL, NEW_SQL, &d) : world_add(&w, NEW_SQL, &d))
        _exit(3);
    if (flow_start(w.flow, &d)) _exit(3);
    for (;;) pause();
}

static void serve_and_kill(const char *dir, void (*at)(enum flow_step step), useconds_t after_us)
{
    int ready[2], status;
    char byte;
    CHECK(pipe(ready) == 0);
    pid_t child = fork();
    if (child == 0) serve(dir, at, ready[1]);
    CHECK(read(ready[0], &byte, 1) == 1);
    if (!at) {
        usleep(after_us);
        kill(child, SIGKILL);
    }
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    close(ready[0]);
    close(ready[1]);
}

/* Until it is swapped; then all must be as the new SQL over the whole log has it. */
static void finish(const char *dir)
{
    struct world w = {0};
    struct diag d = {0};
    struct plan_stream p;
    enum stream_change change;
    const char *why;
    world_open(&w, dir, 0);
    CHECK_OK(flow_tidy(w.store, &d), &d);
    CHECK_OK(world_bind(&w, NEW_SQL, &p, &d), &d);
    CHECK_OK(stream_change_of(w.store, &p, &change, &why, &d), &d);
    if (change == STREAM_REBUILD)
        CHECK_OK(upgrade(&w, OLD_SQL, NEW_SQL, &d), &d);
    else
        world_stream(&w, NEW_SQL);
    run_to_end(&w);
    CHECK_TEXT(world_dump(&w, "sums"), computed(&w, NEW_SQL));
    CHECK_INT(world_status(&w, "load").ledger.in, RECORDS);
    CHECK(world_status(&w, "load").balanced);
    check_tidy(&w);
    world_close(&w);
}

TEST(killed_at_each_step_an_upgrade_is_gone_on_with)
{
    for (int step = 0; step < FLOW_STEPS; step++) {
        char dir[256];
        struct world w = {0};
        snprintf(dir, sizeof(dir), "%s/step%d", test_dir(), step);
        prepare(&w, dir);
        world_close(&w);
        die_at = (enum flow_step)step;
        serve_and_kill(dir, die, 0);
        finish(dir);
    }
}

TEST(killed_at_any_moment_an_upgrade_is_gone_on_with)
{
    char dir[256];
    uint64_t random = 77;
    struct world w = {0};
    snprintf(dir, sizeof(dir), "%s/killed", test_dir());
    prepare(&w, dir);
    world_close(&w);
    for (int i = 0; i < 10; i++)
        serve_and_kill(dir, NULL, (useconds_t)(test_random(&random) % 40000));
    finish(dir);
}
