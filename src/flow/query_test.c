/* Bounded queries: what comes out, in which order, and what is refused. */
#include "flow/kit_test.h"

struct caught { /* rows as text: one line a row, values separated by | */
    char text[4096];
    struct buf out;
    uint32_t rows, columns;
    char names[256];
};

static err_t catch_head(void *ctx, const struct slice *names, const struct type *const *types,
                        uint32_t count)
{
    struct caught *c = ctx;
    struct buf b = buf_over(c->names, sizeof(c->names) - 1);
    c->columns = count;
    for (uint32_t i = 0; i < count; i++) {
        buf_printf(&b, "%s%.*s ", i ? "" : "", SLICE_ARG(names[i]));
        buf_text(&b, type_kind_name(types[i]->kind));
        if (i + 1 < count) buf_text(&b, ",");
    }
    c->names[b.len] = 0;
    return ERR_OK;
}

static err_t catch_rows(void *ctx, const struct column *columns, uint32_t count, uint32_t rows)
{
    struct caught *c = ctx;
    c->rows += rows;
    for (uint32_t r = 0; r < rows && c->out.len < 3000; r++) {
        for (uint32_t i = 0; i < count; i++) {
            struct value v;
            column_get(&columns[i], r, &v);
            if (i) buf_char(&c->out, '|');
            if (v.state == VALID_VALUE)
                value_to_text(&v, &c->out);
            else
                buf_text(&c->out, "null");
        }
        buf_char(&c->out, '\n');
    }
    c->text[c->out.len] = 0;
    return ERR_OK;
}

static err_t ask(struct world *w, const char *sql, struct caught *c, struct diag *d)
{
    struct query_result into = {c, catch_head, catch_rows};
    memset(c, 0, sizeof(*c));
    c->out = buf_over(c->text, sizeof(c->text) - 1);
    return world_select(w, sql, &into, 0, d);
}

static void expect(struct world *w, const char *sql, const char *want)
{
    struct caught c;
    struct diag d = {0};
    CHECK_OK(ask(w, sql, &c, &d), &d);
    CHECK_TEXT(c.text, want);
}

static void some_rows(struct world *w)
{
    static const char *const rows[][3] = {
        {"a", "x", "1"}, {"b", "y", "5"}, {"c", "x", "3"}, {"d", "y", NULL}, {"e", NULL, "9"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        world_put(w, rows[i][0], rows[i][1], rows[i][2], 1700000000000000 + (int64_t)i);
}

TEST(tables_answer_by_key_filter_order_and_limit)
{
    struct world w = {0};
    world_open(&w, NULL, 0);
    some_rows(&w);
    expect(&w, "SELECT n FROM ks.users WHERE id = 'b'", "5\n");
    expect(&w, "SELECT id, n FROM ks.users ORDER BY n", "a|1\nc|3\nb|5\ne|9\nd|null\n");
    expect(&w, "SELECT id FROM ks.users ORDER BY n DESC LIMIT 2", "d\ne\n");
    expect(&w, "SELECT id FROM ks.users ORDER BY id LIMIT 2 OFFSET 1", "b\nc\n");
    expect(&w, "SELECT id FROM ks.users WHERE n > 2 ORDER BY id", "b\nc\ne\n");
    expect(&w, "SELECT DISTINCT name FROM ks.users ORDER BY name", "x\ny\nnull\n");
    expect(&w, "SELECT id FROM ks.users ORDER BY id LIMIT 0", "");
    expect(&w, "SELECT id FROM ks.users WHERE id = 'nobody'", "");
    world_close(&w);
}

TEST(groups_count_add_and_compare)
{
    struct world w = {0};
    world_open(&w, NULL, 0);
    expect(&w, "SELECT count(*) FROM ks.users", "0\n");
    expect(&w, "SELECT sum(n), max(n) FROM ks.users", "null|null\n");
    expect(&w, "SELECT name, count(*) FROM ks.users GROUP BY name", "");
    some_rows(&w);
    expect(&w, "SELECT count(*), count(n), sum(n), min(n), max(n) FROM ks.users", "5|4|18|1|9\n");
    expect(&w, "SELECT name, count(*) AS k, sum(n) FROM ks.users GROUP BY name ORDER BY name",
           "x|2|4\ny|2|5\nnull|1|9\n");
    expect(&w, "SELECT name FROM ks.users GROUP BY name HAVING sum(n) > 4 ORDER BY name",
           "y\nnull\n");
    expect(&w, "SELECT count(DISTINCT name) FROM ks.users", "2\n");
    world_close(&w);
}

TEST(topics_answer_from_all_partitions_and_stop_at_a_limit)
{
    struct world w = {0};
    struct caught c;
    struct diag d = {0};
    world_open(&w, NULL, 3);
    world_fill(&w, 9000, CODEC_LZ4);
    expect(&w, "SELECT count(*) FROM events", "9000\n");
    expect(&w, "SELECT count(*) FROM events WHERE CAST(n AS BIGINT) < 10", "10\n");
    expect(&w, "SELECT CAST(n AS BIGINT) AS n FROM events ORDER BY n LIMIT 3", "0\n1\n2\n");
    expect(&w, "SELECT CAST(n AS BIGINT) AS n FROM events ORDER BY n DESC LIMIT 2 OFFSET 1",
           "8998\n8997\n");
    CHECK_OK(ask(&w, "SELECT id FROM events LIMIT 7", &c, &d), &d);
    CHECK_INT(c.rows, 7);
    world_append(&w, 0, "k", "broken");
    expect(&w, "SELECT count(*) FROM events", "9001\n");
    CHECK_ERR(ask(&w, "SELECT id FROM events", &c, &d), ERR_BAD_JSON);
    CHECK(strstr(d.where, "events/0 offset") != NULL);
    world_close(&w);
}

TEST(a_query_past_its_memory_says_so)
{
    struct world w = {0};
    struct caught c = {0};
    struct query_result into = {&c, catch_head, catch_rows};
    struct diag d = {0};
    world_open(&w, NULL, 1);
    world_fill(&w, 20000, CODEC_NONE);
    c.out = buf_over(c.text, sizeof(c.text) - 1);
    CHECK_ERR(world_select(&w, "SELECT id, CAST(name AS TEXT) AS name FROM events ORDER BY name",
                           &into, MIB(1), &d),
              ERR_NO_MEMORY);
    CHECK(d.hint[0] != 0);
    CHECK_ERR(world_select(
                  &w, "SELECT CAST(name AS TEXT), count(*) FROM events GROUP BY CAST(name AS TEXT)",
                  &into, MIB(1), &d),
              ERR_NO_MEMORY);
    CHECK_OK(world_select(&w,
                          "SELECT id, CAST(name AS TEXT) AS name FROM events ORDER BY name LIMIT 5",
                          &into, MIB(8), &d),
             &d);
    world_close(&w);
}

TEST(the_later_write_wins)
{
    struct world w = {0};
    world_open(&w, NULL, 0);
    world_put(&w, "a", NULL, "1", 2000);
    world_put(&w, "a", NULL, "2", 1000);
    expect(&w, "SELECT n FROM ks.users", "1\n");
    world_put(&w, "a", "z", NULL, 3000);
    expect(&w, "SELECT name, n FROM ks.users", "z|1\n");
    world_close(&w);
}

/* --- trials ----------------------------------------------------------------------------------- */

struct tried {
    int rows, dead;
    char last_reason[200];
    int64_t sum;
    uint32_t dead_record;
};

static err_t tried_row(void *ctx, const struct column *outputs, uint32_t count, uint32_t row,
                       uint32_t record)
{
    struct tried *t = ctx;
    (void)count, (void)record;
    t->rows++;
    t->sum += outputs[2].i64[row];
    return ERR_OK;
}

static err_t tried_dead(void *ctx, uint32_t record, struct slice reason, struct slice expression)
{
    struct tried *t = ctx;
    (void)expression;
    t->dead++;
    t->dead_record = record;
    slice_to_cstr(reason, t->last_reason, sizeof(t->last_reason));
    return ERR_OK;
}

TEST(a_trial_runs_records_through_a_plan_alone)
{
    struct world w = {0};
    struct plan_stream plan;
    struct tried t = {0};
    struct trial into = {&t, tried_row, tried_dead};
    struct ledger l;
    struct diag d = {0};
    const struct slice records[] = {SLICE("{\"id\":\"a\",\"n\":4}"), SLICE("{"),
                                    SLICE("{\"id\":\"b\",\"n\":0}"),
                                    SLICE("{\"id\":\"c\",\"n\":6}")};
    world_open(&w, NULL, 1);
    CHECK_OK(world_bind(&w, USERS_SQL " WHERE CAST(n AS BIGINT) > 1", &plan, &d), &d);
    const struct trial_topic topic = {records, 4};
    CHECK_OK(stream_trial(&plan, &topic, NULL, 1700000000000, &into, &l, &d), &d);
    CHECK_INT(t.rows, 2);
    CHECK_INT(t.sum, 10);
    CHECK_INT(t.dead, 1);
    CHECK_INT(t.dead_record, 1);
    CHECK_INT(l.in, 4);
    CHECK_INT(l.applied, 2);
    CHECK_INT(l.filtered, 1);
    CHECK(ledger_balanced(&l));
    world_close(&w);
}

/* What a join or a ranking remembers stands there as bytes: a value that could not be made must not
 * become a null on its way through. */
TEST(a_record_that_can_not_be_cast_dies_before_a_join_or_a_ranking_remembers_it)
{
    static const char *const texts[] = {
        "CREATE STREAM load INTO ks.users WITH (state_ttl = '1d') AS SELECT CAST(a.id AS TEXT) AS "
        "id, CAST(b.name AS TEXT) AS name, CAST(a.n AS BIGINT) AS n FROM events AS a JOIN other AS "
        "b ON CAST(a.id AS TEXT) = CAST(b.id AS TEXT)",
        "CREATE STREAM load INTO ks.users AS SELECT id, name, n FROM (SELECT CAST(id AS TEXT) AS "
        "id, CAST(name AS TEXT) AS name, CAST(n AS BIGINT) AS n, ROW_NUMBER() OVER (PARTITION BY "
        "CAST(id AS TEXT) ORDER BY CAST(n AS BIGINT)) AS r FROM events) WHERE r = 1"};
    const struct slice records[] = {SLICE("{\"id\":\"a\",\"n\":4,\"name\":\"x\"}"),
                                    SLICE("{\"id\":\"b\",\"n\":\"many\",\"name\":\"y\"}"),
                                    SLICE("{\"id\":\"c\",\"n\":6,\"name\":\"z\"}")};
    const struct trial_topic topics[] = {{records, 3}, {records, 3}};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct world w = {0};
        struct plan_stream plan;
        struct tried t = {0};
        struct trial into = {&t, tried_row, tried_dead};
        struct ledger l;
        struct diag d = {0};
        char dir[300];
        snprintf(dir, sizeof(dir), "%s/%zu", test_dir(), i);
        world_open(&w, dir, 1);
        CHECK_OK(world_bind(&w, texts[i], &plan, &d), &d);
        CHECK_OK(stream_trial(&plan, topics, NULL, 1700000000000, &into, &l, &d), &d);
        CHECK_INT(t.rows, 2);
        CHECK_INT(t.sum, 10);
        CHECK_INT(l.dead, 1);
        CHECK_INT(l.in, plan.topic_count * 3);
        CHECK(ledger_balanced(&l));
        world_close(&w);
    }
}
