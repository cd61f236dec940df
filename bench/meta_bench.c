/* How many transactions a second the workflows' database keeps, one after the other, each durable.
 *
 *     meta_bench WHERE [SECONDS]      a file's path, or postgresql://…
 *
 * A transaction is what the engine does when a task ends: reads its run's row, writes a task
 * instance, a try and the run, commits. "read" is one row by its key, prepared. */
#include "os/clock.h"
#include "sched/meta.h"

#include <stdio.h>
#include <stdlib.h>

enum { TASKS = 1000 };

static void must(err_t e, const struct diag *d)
{
    char text[1200];
    if (!e) return;
    diag_format(d, text, sizeof(text));
    fprintf(stderr, "%s\n", text);
    exit(1);
}

static void run(struct meta *m, const char *text, int64_t n)
{
    struct diag d;
    struct meta_value arg = meta_int(n);
    must(meta_run_text(m, text, &arg, 1, NULL, NULL, NULL, &d), &d);
}

static void task_ends(struct meta *m, int64_t n)
{
    struct diag d;
    must(meta_begin(m, true, &d), &d);
    run(m, "SELECT state, version FROM dag_run WHERE id = $1 {for_update}", 1 + n % TASKS);
    run(m, "UPDATE task_instance SET state = 'success', version = version + 1 WHERE run = $1",
        1 + n % TASKS);
    run(m,
        "INSERT INTO task_try (run, task_id, map_index, try_number, state) VALUES (1, 'x', -1, $1, "
        "'success')",
        n);
    run(m, "UPDATE dag_run SET version = version + 1 WHERE id = $1", 1 + n % TASKS);
    must(meta_commit(m, &d), &d);
}

static void read_one(struct meta *m, int64_t n)
{
    struct diag d;
    struct meta_value name = meta_text(SLICE("default_pool"));
    (void)n;
    must(meta_run(m, META_POOL_FIND, &name, 1, NULL, NULL, NULL, &d), &d);
}

static void measure(struct meta *m, const char *what, void (*one)(struct meta *m, int64_t n),
                    double seconds, int64_t from)
{
    int64_t start = clock_mono_ns(), n = 0, worst = 0, end = start + (int64_t)(seconds * 1e9);
    for (int64_t before = start; before < end; n++) {
        one(m, from + n);
        int64_t now = clock_mono_ns();
        worst = MAX(worst, now - before);
        before = now;
    }
    printf("%-24s %8.0f a second, the longest %.1f ms\n", what, (double)n / seconds,
           (double)worst / 1e6);
}

int main(int count, char **args)
{
    struct diag d;
    struct meta *m = NULL;
    if (count < 2) return fprintf(stderr, "usage: meta_bench WHERE [SECONDS]\n"), 2;
    struct meta_options o = {.where = args[1]};
    double seconds = count > 2 ? atof(args[2]) : 3;
    must(meta_open(&o, &m, &d), &d);
    must(meta_migrate(m, &d), &d);
    must(meta_begin(m, true, &d), &d);
    for (int i = 1; i <= TASKS; i++) {
        run(m,
            "INSERT INTO dag_run (id, dag_id, run_id, run_type, state, run_after) VALUES ($1, 'd', "
            "CAST(CAST($1 AS {int}) AS {text}), 'manual', 'running', 0)",
            i);
        run(m,
            "INSERT INTO task_instance (run, task_id, uuid, pool, slots, weight) VALUES ($1, 'x', "
            "'u', 'default_pool', 1, 1)",
            i);
    }
    must(meta_commit(m, &d), &d);
    measure(m, "a task's end, durable", task_ends, seconds, 1);
    measure(m, "one row read", read_one, seconds, 1);
    meta_close(m);
    return 0;
}
