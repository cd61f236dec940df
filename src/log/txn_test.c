/* Transactions in a partition: markers, fences, the stable offset, aborted ones, after restarts
 * too; and a model of many producers with kills and lost checkpoints. */
#include "log/log_test_kit.h"

enum { TXN = BATCH_TRANSACTIONAL };

static int64_t data(struct fixture *f, int64_t pid, int16_t epoch, int32_t seq)
{
    return append_one(
        f, (struct batch_want){
               .count = 1, .ms = 9, .pid = pid, .epoch = epoch, .seq = seq, .attributes = TXN});
}

static int64_t ends(struct fixture *f, int64_t pid, int16_t epoch, bool commit)
{
    return append_marker(f, (struct marker_want){pid, epoch, commit, 0});
}

static void admit(struct fixture *f, int64_t pid, int16_t epoch)
{
    CHECK_OK(log_txn_admit(f->p, pid, epoch), NULL);
}

/* "pid:first-last ..." of what touches [from, to). */
static const char *aborted_text(struct fixture *f, int64_t from, int64_t to)
{
    static char text[4096];
    struct buf b = buf_over(text, sizeof(text) - 1);
    struct vec list = vec_make(sizeof(struct log_aborted), 1000);
    struct diag d = {0};
    CHECK_OK(log_aborted(f->p, from, to, &list, &d), &d);
    for (size_t i = 0; i < list.count; i++) {
        const struct log_aborted *a = vec_at(&list, i);
        buf_printf(&b, "%s%lld:%lld-%lld", i ? " " : "", (long long)a->producer_id,
                   (long long)a->first_offset, (long long)a->last_offset);
    }
    text[b.len] = 0;
    vec_done(&list);
    return text;
}

TEST(readers_of_what_is_decided_stop_at_the_oldest_open_transaction)
{
    struct fixture f = fixture_open("lso");
    admit(&f, 7, 0);
    admit(&f, 8, 0);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 2}), 0);
    CHECK_INT(log_stable_offset(f.p), 2);
    CHECK_INT(data(&f, 7, 0, 0), 2);
    CHECK_INT(data(&f, 8, 0, 0), 3);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1}), 4);
    CHECK_INT(log_stable_offset(f.p), 2);
    CHECK_INT(ends(&f, 8, 0, true), 5);
    CHECK_INT(log_stable_offset(f.p), 2);
    for (int again = 0; again < 3; again++) { /* open ones stay open */
        if (again == 1) fixture_reopen(&f);
        if (again == 2) {
            fixture_crash(&f);
            fixture_reopen(&f);
        }
        CHECK_INT(log_stable_offset(f.p), 2);
        CHECK_INT(log_end_offset(f.p), 6);
    }
    CHECK_INT(ends(&f, 7, 1, false), 6); /* the marker carries the next epoch: KIP-890 */
    CHECK_INT(log_stable_offset(f.p), 7);
    CHECK_TEXT(aborted_text(&f, 0, 7), "7:2-6");
    fixture_close(&f);
}

TEST(a_marker_fences_what_was_written_before_it)
{
    struct fixture f = fixture_open("fence");
    admit(&f, 7, 3);
    CHECK_INT(data(&f, 7, 3, 0), 0);
    CHECK_INT(ends(&f, 7, 4, true), 1);
    CHECK_INT(data(&f, 7, 3, 1), -ERR_PRODUCER_EPOCH);
    CHECK_INT(ends(&f, 7, 3, true), -ERR_PRODUCER_EPOCH);
    CHECK_ERR(log_txn_admit(f.p, 7, 3), ERR_PRODUCER_EPOCH);
    CHECK_INT(data(&f, 7, 4, 0), -ERR_TXN_STATE); /* not let in yet */
    admit(&f, 7, 4);
    CHECK(log_txn_admitted(f.p, 7, 4) && !log_txn_admitted(f.p, 7, 3));
    CHECK_INT(data(&f, 7, 4, 1), -ERR_SEQUENCE_GAP); /* a new epoch begins with 0 */
    CHECK_INT(data(&f, 7, 4, 0), 2);
    CHECK_INT(data(&f, 7, 4, 0), 2); /* repeated */
    CHECK_INT(data(&f, 7, 4, 1), 3);
    CHECK_INT(ends(&f, 7, 4, true), 4); /* an older client: the epoch stays, so does the sequence */
    CHECK(!log_txn_admitted(f.p, 7, 4));
    CHECK_INT(data(&f, 7, 4, 2), -ERR_TXN_STATE); /* late: its transaction has ended */
    CHECK_INT(data(&f, 7, 4, 1), 3);              /* repeated: it was taken */
    admit(&f, 7, 4);
    CHECK_INT(data(&f, 7, 4, 2), 5);
    fixture_close(&f);
}

TEST(what_does_not_fit_a_transaction_is_refused)
{
    struct fixture f = fixture_open("refused");
    admit(&f, 7, 0);
    CHECK_INT(data(&f, 9, 0, 0), -ERR_TXN_STATE);
    CHECK_INT(data(&f, 7, 1, 0), -ERR_TXN_STATE);    /* let in with another epoch */
    CHECK_INT(data(&f, 7, 0, 5), -ERR_SEQUENCE_GAP); /* its first batches are missing */
    CHECK_INT(data(&f, 7, 0, 0), 0);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .pid = 7, .seq = 1}), -ERR_TXN_STATE);
    struct buf b = marker_make((struct marker_want){7, 0, true, 0});
    int64_t at;
    CHECK_ERR(log_append_wait(f.log, f.p, b.at, b.len, 1, &at, NULL), ERR_RECORD);
    CHECK_INT(append_marker(&f, (struct marker_want){7, 0, true, 4}), 1);
    CHECK_INT(append_marker(&f, (struct marker_want){7, 0, true, 3}), -ERR_FENCED);
    CHECK_INT(append_marker(&f, (struct marker_want){55, 2, false, 4}), 2); /* it ends nothing */
    CHECK_TEXT(aborted_text(&f, 0, 10), "");
    CHECK_INT(log_stable_offset(f.p), 3);
    buf_done(&b);
    fixture_close(&f);
}

static err_t view_seen(void *ctx, const struct log_producer_view *v)
{
    struct log_producer_view *out = ctx;
    out[v->id] = *v;
    return ERR_OK;
}

TEST(producers_are_described)
{
    struct fixture f = fixture_open("views");
    struct log_producer_view v[10] = {{0}};
    admit(&f, 7, 2);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 3, .ms = 40, .pid = 3}), 0);
    CHECK_INT(data(&f, 7, 2, 0), 3);
    CHECK_INT(append_marker(&f, (struct marker_want){9, 1, true, 6}), 4);
    for (int again = 0; again < 2; again++) {
        if (again) fixture_reopen(&f);
        memset(v, 0, sizeof(v));
        CHECK_OK(log_producers(f.p, view_seen, v), NULL);
        CHECK(v[3].epoch == 0 && v[3].last_sequence == 2 && v[3].coordinator_epoch == -1);
        CHECK(v[3].last_timestamp_ms == 40 && v[3].txn_first_offset == -1);
        CHECK(v[7].epoch == 2 && v[7].last_sequence == 0 && v[7].txn_first_offset == 3);
        CHECK(v[9].epoch == 1 && v[9].last_sequence == -1 && v[9].coordinator_epoch == 6);
    }
    fixture_close(&f);
}

TEST(aborted_transactions_are_found_across_segments_and_go_with_them)
{
    struct fixture f = fixture_open_sized("aborted", 2000);
    int64_t end = 0;
    for (int i = 0; i < 50; i++) {
        int64_t pid = 7 + i % 3;
        admit(&f, pid, 0);
        CHECK_INT(data(&f, pid, 0, i / 3), end++);
        CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .size = 300}), end++);
        CHECK_INT(ends(&f, pid, 0, i % 2), end++);
    }
    CHECK_TEXT(aborted_text(&f, 0, 10), "7:0-2 9:6-8");
    CHECK_TEXT(aborted_text(&f, 1, 7), "7:0-2 9:6-8");
    CHECK_TEXT(aborted_text(&f, 3, 6), "");
    CHECK_TEXT(aborted_text(&f, 146, 200), "7:144-146");
    CHECK(files_with(&f, ".aborted") > 4);
    int before = files_with(&f, ".aborted");
    CHECK_OK(log_retain(f.p, INT64_MAX / 2, 100, NULL), NULL);
    CHECK(files_with(&f, ".aborted") < before);
    CHECK_TEXT(aborted_text(&f, 146, 200), "7:144-146");
    fixture_close(&f);
}

TEST(a_lost_file_of_aborted_transactions_is_made_anew)
{
    struct fixture f = fixture_open("lost");
    char path[1024], text[100];
    admit(&f, 7, 0);
    CHECK_INT(data(&f, 7, 0, 0), 0);
    CHECK_INT(ends(&f, 7, 0, false), 1);
    snprintf(text, sizeof(text), "%s", aborted_text(&f, 0, 9));
    fixture_close_log(&f);
    CHECK_OK(file_remove(fixture_path(&f, "00000000000000000000.aborted", path), NULL), NULL);
    fixture_reopen(&f);
    CHECK_TEXT(aborted_text(&f, 0, 9), text);
    struct buf whole = file_bytes(path);
    fixture_close_log(&f);
    whole.at[20] ^= 1;
    file_replace(path, buf_view(&whole));
    fixture_reopen(&f);
    struct vec list = vec_make(sizeof(struct log_aborted), 10);
    CHECK_ERR(log_aborted(f.p, 0, 9, &list, NULL), ERR_CORRUPT);
    fixture_close_log(&f);
    char checkpoint[1024];
    CHECK_OK(file_remove(fixture_path(&f, "checkpoint", checkpoint), NULL), NULL); /* as it says */
    fixture_reopen(&f);
    CHECK_TEXT(aborted_text(&f, 0, 9), text);
    vec_done(&list);
    buf_done(&whole);
    fixture_close(&f);
}

TEST(a_group_coordinators_batches_have_no_sequence)
{
    struct fixture f = fixture_open("__consumer_offsets");
    admit(&f, 7, 0);
    for (int i = 0; i < 3; i++) {
        struct record_builder r = record_builder_make(KIB(1));
        struct buf b = buf_make(KIB(1));
        struct record_batch_options o = {CODEC_NONE, 7, 0, -1, true, false};
        int64_t at;
        record_builder_add(&r, 1, SLICE("key"), SLICE("offset"), NULL, 0);
        CHECK_OK(record_builder_finish(&r, &o, &b), NULL);
        CHECK_OK(log_append_wait(f.log, f.p, b.at, b.len, 1, &at, NULL), NULL);
        CHECK_INT(at, i);
        record_builder_done(&r);
        buf_done(&b);
    }
    CHECK_INT(log_stable_offset(f.p), 0);
    CHECK_INT(ends(&f, 7, 0, true), 3);
    CHECK_INT(log_stable_offset(f.p), 4);
    fixture_close(&f);
    f = fixture_open("plain");
    CHECK_INT(data(&f, 7, 0, -1), -ERR_RECORD);
    fixture_close(&f);
}

TEST(producers_that_are_silent_for_a_day_are_forgotten_but_for_open_transactions)
{
    struct fixture f = fixture_open("expiry");
    struct log_producer state;
    int64_t day = PRODUCER_EXPIRY_MS;
    int64_t named;
    struct diag d = {0};
    CHECK_OK(log_producer_id(f.log, SLICE("source"), &named, &d), &d);
    admit(&f, 7, 0);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .pid = 3}), 0);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .pid = named}), 1);
    CHECK_INT(data(&f, 7, 0, 0), 2);
    f.now_ms = day;
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .ms = day, .pid = 4}), 3);
    CHECK_OK(log_retain(f.p, day, INT64_MAX, &d), &d);
    CHECK_OK(log_producer_state(f.p, 3, &state), &d);
    CHECK_OK(log_retain(f.p, day + 1, INT64_MAX, &d), &d);
    CHECK_ERR(log_producer_state(f.p, 3, &state), ERR_NOT_FOUND);
    CHECK_OK(log_producer_state(f.p, 4, &state), &d);
    CHECK_OK(log_producer_state(f.p, 7, &state), &d);
    CHECK_OK(log_producer_state(f.p, named, &state), &d);
    CHECK_INT(log_stable_offset(f.p), 2);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .ms = day, .pid = 3, .seq = 9}), 4);
    fixture_close(&f);
}

/* --- a model ---------------------------------------------------------------------------------- */

enum { PRODUCERS = 6, MODEL_ABORTED = 4000 };

struct model {
    struct fixture f;
    uint64_t seed;
    int64_t end;
    struct {
        int16_t epoch;
        int32_t seq;
        int64_t first; /* -1: none open */
    } who[PRODUCERS];
    struct log_aborted aborted[MODEL_ABORTED];
    size_t count;
};

static uint64_t below(struct model *m, uint64_t n)
{
    return test_random(&m->seed) % n;
}

static int64_t model_stable(const struct model *m)
{
    int64_t stable = m->end;
    for (int i = 0; i < PRODUCERS; i++)
        if (m->who[i].first >= 0) stable = MIN(stable, m->who[i].first);
    return stable;
}

static void model_step(struct model *m)
{
    size_t i = below(m, PRODUCERS);
    int64_t pid = 100 + (int64_t)i;
    if (m->who[i].first < 0 || below(m, 3)) {
        if (m->who[i].first < 0) admit(&m->f, pid, m->who[i].epoch);
        struct batch_want w = {.count = 1 + (int)below(m, 3),
                               .size = (uint32_t)below(m, 500),
                               .pid = pid,
                               .epoch = m->who[i].epoch,
                               .seq = m->who[i].seq,
                               .attributes = TXN};
        CHECK_INT(append_one(&m->f, w), m->end);
        if (m->who[i].first < 0) m->who[i].first = m->end;
        m->who[i].seq += w.count;
        m->end += w.count;
        return;
    }
    bool commit = below(m, 2), bump = below(m, 2);
    m->who[i].epoch = (int16_t)(m->who[i].epoch + bump);
    if (bump) m->who[i].seq = 0;
    CHECK_INT(ends(&m->f, pid, m->who[i].epoch, commit), m->end);
    if (!commit) m->aborted[m->count++] = (struct log_aborted){pid, m->who[i].first, m->end};
    m->who[i].first = -1;
    m->end++;
}

static void model_check(struct model *m)
{
    CHECK_INT(log_end_offset(m->f.p), m->end);
    CHECK_INT(log_stable_offset(m->f.p), model_stable(m));
    int64_t from = m->end ? (int64_t)below(m, (uint64_t)m->end) : 0;
    int64_t to = from + 1 + (int64_t)below(m, below(m, 2) ? 20 : 2000);
    struct vec list = vec_make(sizeof(struct log_aborted), MODEL_ABORTED);
    CHECK_OK(log_aborted(m->f.p, from, to, &list, NULL), NULL);
    size_t wanted = 0;
    for (size_t i = 0; i < m->count; i++) {
        const struct log_aborted *a = &m->aborted[i];
        if (a->first_offset >= to || a->last_offset < from) continue;
        wanted++;
        bool found = false;
        for (size_t k = 0; k < list.count; k++)
            found |= memcmp(vec_at(&list, k), a, sizeof(*a)) == 0;
        CHECK(found);
    }
    CHECK_INT(list.count, wanted);
    vec_done(&list);
}

/* What is under way is let in again, as the coordinator does. */
static void model_reopen(struct model *m)
{
    uint64_t how = below(m, 3);
    char path[1024];
    if (how) fixture_crash(&m->f);
    if (m->f.log) fixture_close_log(&m->f);
    if (how == 2) CHECK_OK(file_remove(fixture_path(&m->f, "checkpoint", path), NULL), NULL);
    fixture_reopen(&m->f);
    for (int i = 0; i < PRODUCERS; i++)
        if (m->who[i].first >= 0) admit(&m->f, 100 + i, m->who[i].epoch);
}

static void model_run(uint64_t seed, uint64_t segment_bytes, int steps)
{
    struct model *m = mem_take(sizeof(*m));
    m->f = fixture_open_sized("txnmodel", segment_bytes);
    m->seed = seed;
    for (int i = 0; i < PRODUCERS; i++) m->who[i].first = -1;
    for (int i = 0; i < steps; i++) {
        if (below(m, 100) == 0) {
            model_reopen(m);
            for (int k = 0; k < 20; k++) model_check(m);
        }
        model_step(m);
        if (below(m, 10) == 0) model_check(m);
    }
    model_reopen(m);
    for (int k = 0; k < 20; k++) model_check(m);
    fixture_close(&m->f);
    CHECK_OK(dir_remove_all(m->f.dir, NULL), NULL);
    mem_give(m);
}

TEST(open_and_aborted_transactions_agree_with_a_model_through_kills_and_whole_scans)
{
    model_run(5, 8000, 2500);
    model_run(6, 0, 2500);
    model_run(8, 1000, 1500);
}
