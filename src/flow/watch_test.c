/* Goal: a preview holds its limits: a reader slower than what comes loses nothing and costs no more
 * memory, batches are bounded, state beyond its memory ends the preview and nothing else, and what
 * retention takes from under a slow reader is passed over. Method: the reader itself appends while
 * it is told. */
#include "flow/kit_test.h"
#include "flow/op.h"

#include <stdio.h>

enum { AT_ONCE = 9000, ROUNDS = 12 };

struct slow {
    struct world *w;
    uint64_t rows, rounds, batch_most, wrong;
    int64_t next; /* the n that comes next */
    size_t memory_most;
    bool stop, trims, keys;
};

/* Records n = from … of the topic `timed`, as one batch. */
static void append_many(struct slow *s, int64_t from, int count)
{
    struct record_batch_options o = {.producer_id = -1, .producer_epoch = -1, .base_sequence = -1};
    struct record_builder b = record_builder_make(MIB(64));
    struct log_partition *p = log_partition(log_topic_find(s->w->log, SLICE("timed")), 0);
    struct buf out = buf_make(MIB(64));
    struct diag d = {0};
    int64_t offset;
    for (int i = 0; i < count; i++) {
        char value[160];
        snprintf(value, sizeof(value),
                 "{\"k\":\"key number %lld\",\"n\":%lld,\"at\":1700000000000}",
                 (long long)(from + i), (long long)(from + i));
        record_builder_add(&b, 1700000000000, (struct slice){0}, slice_of(value), NULL, 0);
    }
    CHECK_OK(record_builder_finish(&b, &o, &out), NULL);
    CHECK_OK(log_append_wait(s->w->log, p, out.at, out.len, 1700000000000, &offset, &d), &d);
    record_builder_done(&b);
    buf_done(&out);
}

static err_t on_head(void *ctx, const struct slice *n, const struct type *const *t, uint32_t count)
{
    (void)ctx, (void)n, (void)t, (void)count;
    return ERR_OK;
}

static err_t on_rows(void *ctx, const struct column *columns, uint32_t count, uint32_t rows,
                     int sign)
{
    struct slow *s = ctx;
    (void)count;
    s->batch_most = MAX(s->batch_most, (uint64_t)rows);
    for (uint32_t i = 0; i < rows && sign > 0 && !s->keys; i++) {
        struct value v;
        column_get(&columns[0], i, &v);
        if (s->trims ? v.integer < s->next : v.integer != s->next) s->wrong++;
        s->next = v.integer + 1;
    }
    s->rows += rows;
    return ERR_OK;
}

/* More has come than was told, each time. */
static err_t on_told(void *ctx)
{
    struct slow *s = ctx;
    struct log_partition *p = log_partition(log_topic_find(s->w->log, SLICE("timed")), 0);
    struct diag d = {0};
    int64_t low;
    s->memory_most = MAX(s->memory_most, mem_held());
    if (s->rounds++ >= ROUNDS) {
        s->stop = s->next >= log_end_offset(p) || s->keys;
        return ERR_OK;
    }
    append_many(s, log_end_offset(p), AT_ONCE);
    if (s->trims) CHECK_OK(log_delete_records(p, log_end_offset(p) - 100, &low, &d), &d);
    return ERR_OK;
}

static bool slow_stops(void *ctx)
{
    return ((struct slow *)ctx)->stop;
}

static err_t preview(struct slow *s, const char *sql, size_t memory_max, struct diag *d)
{
    struct plan_stream plan;
    struct query_limits limits = {.stopping = slow_stops, .stop_ctx = s};
    struct watch_options o = {.last = 100, .refresh_ms = 1, .memory_max = memory_max};
    struct watch_into into = {.ctx = s, .head = on_head, .rows = on_rows, .told = on_told};
    CHECK_OK(world_bind(s->w, sql, &plan, d), d);
    append_many(s, 0, 100);
    return stream_watch(s->w->log, &plan, &limits, &o, &into, d);
}

#define ROWS_SQL "CREATE STREAM load INTO ks.sums AS SELECT n, k, n AS s FROM timed"
#define KEYS_SQL "CREATE STREAM load INTO ks.sums AS SELECT k, count(*) AS n FROM timed GROUP BY k"

TEST(a_preview_slower_than_what_comes_loses_nothing_and_stays_small)
{
    struct world w = {0};
    struct slow s = {.w = &w};
    struct diag d = {0};
    world_open(&w, NULL, 1);
    world_topic(&w, "timed", 1);
    size_t before = mem_held();
    CHECK_OK(preview(&s, ROWS_SQL, 0, &d), &d);
    CHECK_INT(s.wrong, 0);
    CHECK_INT(s.rows, 100 + ROUNDS * AT_ONCE);
    CHECK(s.batch_most <= CHUNK_ROWS);
    CHECK(s.memory_most < before + MIB(64));
    world_close(&w);
}

TEST(a_preview_goes_on_where_retention_has_left_the_log)
{
    struct world w = {0};
    struct slow s = {.w = &w, .trims = true};
    struct diag d = {0};
    world_open(&w, NULL, 1);
    world_topic(&w, "timed", 1);
    CHECK_OK(preview(&s, ROWS_SQL, 0, &d), &d);
    CHECK_INT(s.wrong, 0);
    CHECK(s.rows >= 100 + ROUNDS * 100 && s.rows < 100 + ROUNDS * AT_ONCE);
    world_close(&w);
}

TEST(a_preview_whose_state_is_beyond_its_memory_ends_with_an_error)
{
    struct world w = {0};
    struct slow s = {.w = &w, .keys = true};
    struct diag d = {0};
    world_open(&w, NULL, 1);
    world_topic(&w, "timed", 1);
    err_t e = preview(&s, KEYS_SQL, MIB(2), &d);
    CHECK_INT(e, ERR_NO_MEMORY);
    CHECK(s.rounds > 0 && d.what[0]);
    size_t most = s.memory_most;
    CHECK(most < MIB(512));
    s = (struct slow){.w = &w, .keys = true}; /* with room for them it goes on */
    d = (struct diag){0};
    CHECK_OK(preview(&s, KEYS_SQL, MIB(256), &d), &d);
    world_close(&w);
}
