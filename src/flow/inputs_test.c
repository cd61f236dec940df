/* Columns that wait for WHERE: what becomes of a record, and what is told of it, is the same as if
 * none had waited. */
#include "flow/kit_test.h"

#include <stdio.h>

#define TIMES_SQL                                                                                  \
    "CREATE STREAM load INTO ks.users AS SELECT CAST(id AS TEXT) AS id, "                          \
    "CAST(CAST(at AS TIMESTAMP) AS TEXT) AS name, CAST(n AS BIGINT) AS n FROM events "             \
    "WHERE 100 / CAST(n AS BIGINT) > 10"

static const char *const records[] = {
    "{\"id\":\"goes on\",\"n\":3,\"at\":\"2024-05-06T07:08:09Z\"}",
    "{\"id\":\"has no time\",\"n\":4}",
    "{\"id\":\"another form\",\"n\":\"5\",\"at\":1714979289000}",
    "{\"id\":\"dies of its time\",\"n\":6,\"at\":\"soon\"}",
    "{\"id\":\"dropped, whatever its time\",\"n\":50,\"at\":\"soon\"}",
    "{\"id\":\"dropped by a null\",\"n\":null,\"at\":\"soon\"}",
    "{\"id\":\"WHERE fails on it\",\"n\":0,\"at\":\"2024-05-06T07:08:09Z\"}",
    "{\"id\":\"WHERE fails, but its time did before\",\"n\":0,\"at\":\"soon\"}",
    "{\"id\":\"no number\",\"n\":\"x\",\"at\":\"2024-05-06T07:08:09Z\"}",
    "{\"id\":\"neither\",\"n\":\"x\",\"at\":\"soon\"}",
    "{\"id\":\"no JSON\",\"n\":3,\"at\":",
    "{\"id\":\"goes on, too\",\"n\":9,\"at\":\"2024-05-06T07:08:10.123Z\"}",
};

enum { DROPPED = 20 };

struct outcome {
    char table[1000], letters[3000];
    struct ledger ledger;
};

static void note_letters(struct world *w, struct outcome *out)
{
    static struct letters l;
    struct buf b = buf_over(out->letters, sizeof(out->letters) - 1);
    world_letters(w, "load", &l);
    for (uint64_t i = 0; i < l.count; i++)
        buf_printf(&b, "%s | %s | %s\n", l.items[i].raw, l.items[i].reason, l.items[i].expression);
    CHECK(!b.err);
    out->letters[b.len] = 0;
}

/* In one batch, so that they are decoded together. */
static void append(struct world *w, const char *const *all, size_t count)
{
    struct record_builder b = record_builder_make(MIB(1));
    struct record_batch_options o = {
        .codec = CODEC_NONE, .producer_id = -1, .producer_epoch = -1, .base_sequence = -1};
    struct buf out = buf_make(MIB(1));
    struct diag d = {0};
    int64_t offset;
    for (size_t i = 0; i < count; i++)
        record_builder_add(&b, 1, SLICE("k"), slice_of(all[i]), NULL, 0);
    CHECK_OK(record_builder_finish(&b, &o, &out), NULL);
    struct log_partition *p = log_partition(log_topic_find(w->log, SLICE("events")), 0);
    CHECK_OK(log_append_wait(w->log, p, out.at, out.len, 1, &offset, &d), &d);
    record_builder_done(&b);
    buf_done(&out);
}

/* The records, perhaps after others of which WHERE dropped most: then columns wait. */
static void run(const char *name, bool after_others, struct outcome *out)
{
    struct world w = {0};
    struct diag d = {0};
    const char *others[DROPPED];
    char dir[300];
    for (int i = 0; i < DROPPED; i++) others[i] = "{\"id\":\"x\",\"n\":50}";
    snprintf(dir, sizeof(dir), "%s/%s", test_dir(), name);
    world_open(&w, dir, 1);
    world_stream(&w, TIMES_SQL);
    if (after_others) append(&w, others, DROPPED);
    CHECK_OK(flow_start(w.flow, &d), &d);
    CHECK_OK(flow_drain(w.flow, 20000, &d), &d);
    append(&w, records, COUNT_OF(records));
    CHECK_OK(flow_drain(w.flow, 20000, &d), &d);
    flow_stop(w.flow);
    out->ledger = world_status(&w, "load").ledger;
    snprintf(out->table, sizeof(out->table), "%s", world_dump(&w, "users"));
    note_letters(&w, out);
    world_close(&w);
}

TEST(what_waits_for_where_changes_no_row_no_letter_and_no_count)
{
    static struct outcome at_once, waiting;
    run("at_once", false, &at_once);
    run("waiting", true, &waiting);
    CHECK_TEXT(waiting.table, at_once.table);
    CHECK_TEXT(waiting.letters, at_once.letters);
    CHECK_INT(at_once.ledger.applied, 4);
    CHECK_INT(at_once.ledger.filtered, 2);
    CHECK_INT(at_once.ledger.dead, 6);
    CHECK_INT(waiting.ledger.applied, 4);
    CHECK_INT(waiting.ledger.filtered, 2 + DROPPED);
    CHECK_INT(waiting.ledger.dead, 6);
    CHECK(strstr(at_once.table, "goes on,3,2024-05-06"));
    CHECK(strstr(at_once.table, "has no time,4,-"));
}
