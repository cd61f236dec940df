/* Goal: the whole room: files on disk become dags, a run is made and ends, all on its own thread.
 * Method: a folder, the real clock, a workshop that answers at once. */
#include "sched/sched.h"

#include "os/file.h"
#include "os/thread.h"
#include "sched/meta_kit.h"
#include "sched/ops.h"
#include "sched/things.h"
#include "test.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct fake {
    struct sched *s;
    int started;
};

static err_t fake_start(void *ctx, struct work_order *o, struct diag *d)
{
    struct fake *f = ctx;
    struct work_answer a = {.outcome = WORK_SUCCESS};
    (void)d;
    f->started++;
    sched_answer(f->s, o, &a);
    return ERR_OK;
}

static bool fake_adopt(void *ctx, struct work_order *o)
{
    (void)ctx;
    (void)o;
    return false;
}

static void fake_stop(void *ctx, struct work_order *o)
{
    (void)ctx;
    (void)o;
}

static err_t fake_open(void *ctx, const struct sched_options *o, struct sched *s, struct loop *l,
                       struct workshop_port *out, struct diag *d)
{
    struct fake *f = ctx;
    (void)o;
    (void)l;
    (void)d;
    f->s = s;
    *out = (struct workshop_port){
        .ctx = f, .start = fake_start, .adopt = fake_adopt, .stop = fake_stop};
    return ERR_OK;
}

static const struct dag *find_dag(void *ctx, struct slice id)
{
    return sched_dag(ctx, id);
}

static bool a_moment(void *ctx)
{
    int *left = ctx;
    usleep(2000);
    return --*left > 0;
}

static void write_file(const char *name, const char *text)
{
    char path[600];
    struct diag d;
    snprintf(path, sizeof(path), "%s/%s", test_dir(), name);
    CHECK_OK(file_store(path, slice_of(text), &d), &d);
}

static const struct dag *wait_for_dag(struct sched *s, const char *id)
{
    for (int n = 0; n < 2000; n++) {
        const struct dag *g = sched_dag(s, slice_of(id));
        if (g) return g;
        usleep(2000);
    }
    return NULL;
}

static int64_t in_2030(void *ctx)
{
    (void)ctx;
    return INT64_C(1900000000) * 1000000;
}

/* A file whose name, with its folders, is longer than we take: told, and no neighbour's mistake. */
static void deep_folder(const char *folder)
{
    enum { LEVELS = 5, LETTERS = 250 };
    char name[LETTERS + 1], home[600];
    CHECK(getcwd(home, sizeof(home)) != NULL);
    CHECK_INT(chdir(folder), 0);
    memset(name, 'x', LETTERS);
    name[LETTERS] = 0;
    for (int i = 0; i < LEVELS; i++) {
        CHECK_INT(mkdir(name, 0700), 0);
        CHECK_INT(chdir(name), 0);
    }
    CHECK_INT(chdir(home), 0);
}

TEST(sched_reads_files_and_runs_what_is_triggered)
{
    struct fake f = {0};
    struct diag d = {0};
    struct sched *s = NULL;
    struct meta *m = NULL;
    write_file("dags.yaml", "first:\n  tasks:\n    a: {bash: 'true'}\n    b: {bash: 'true', after: "
                            "[a]}\n");
    struct sched_options o = {.project_dir = test_dir(),
                              .data_dir = test_dir(),
                              .workshop = fake_open,
                              .workshop_ctx = &f,
                              .look_ms = 20};
    CHECK_OK(sched_open(&o, &s, &d), &d);
    if (!s) return;
    CHECK_OK(sched_meta_open(test_dir(), NULL, NULL, &m, &d), &d);
    struct ops ops = {
        .meta = m, .now_us = 1700000000000000, .dag = find_dag, .ctx = s, .via = "test"};
    CHECK_OK(ops_dag_pause(&ops, SLICE("first"), false, NULL, &d), &d);
    struct arena *a = arena_new(MIB(8));
    struct ops_trigger t = {.dag_id = SLICE("first"),
                            .run_id = SLICE("r"),
                            .logical = TIME_NONE,
                            .interval_start = TIME_NONE,
                            .interval_end = TIME_NONE,
                            .run_after = TIME_NONE};
    struct run_row run;
    CHECK_OK(ops_trigger(&ops, &t, a, &run, &d), &d);
    sched_wake(s);
    int left = 2000;
    CHECK_OK(ops_run_wait(&ops, t.dag_id, t.run_id, a_moment, &left, a, &run, &d), &d);
    CHECK(run.state == RUN_SUCCESS);
    CHECK_INT(f.started, 2);
    /* one more file, and one that is wrong, while it runs */
    char folder[600];
    snprintf(folder, sizeof(folder), "%s/dags", test_dir());
    CHECK_OK(dir_make(folder, &d), &d);
    deep_folder(folder);
    write_file("dags/more.yaml", "second:\n  tasks:\n    a: {empty: }\n");
    write_file("dags/wrong.yaml", "third:\n  tasks:\n    a: {bsh: 'x'}\n");
    const struct dag *second = wait_for_dag(s, "second");
    CHECK(second != NULL);
    if (second) dag_give(second);
    const struct dag *third = sched_dag(s, SLICE("third"));
    CHECK(third == NULL);
    bool told = false;
    for (int n = 0; n < 2000 && !told; n++) {
        told = meta_kit_number(m, "SELECT COUNT(*) FROM import_error WHERE story LIKE '%name of "
                                  "more than 1024 bytes%'") == 1;
        usleep(2000);
    }
    CHECK(told);
    arena_free(a);
    sched_close(s);
    /* started anew, it keeps no run longer than a second: that one is from 2023 */
    o.keep_runs_us = 1000000;
    o.now_us = in_2030;
    s = NULL;
    CHECK_OK(sched_open(&o, &s, &d), &d);
    bool gone = false;
    for (int n = 0; n < 2000 && !gone; n++) {
        struct arena *look = arena_new(MIB(8));
        gone = run_row_find(m, SLICE("first"), SLICE("r"), look, &run, &d) == ERR_NOT_FOUND;
        arena_free(look);
        usleep(2000);
    }
    CHECK(gone);
    sched_close(s);
    meta_close(m);
}
