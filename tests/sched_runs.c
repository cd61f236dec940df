/* The engine's runs by the line, for tests that play them again in Airflow. SCHED_RUNS_DAGS is a
 * file of dags, SCHED_RUNS_PLAN has a line a run, its words parted by tabs: dag, run, logical date
 * in microseconds, seed, conf. Runs of a dag stand together, and go on together; which of the works
 * that are out ends next is drawn from the seed. Printed:
 *
 *   begin DAG · start RUN TASK MAP_INDEX TRY · end RUN TASK MAP_INDEX OUTCOME
 *   states RUN STATE TASK[INDEX]=STATE …        when nothing is left to do
 *
 * A task's rendered option says what comes of it: of `bash` a letter a try (s success, f failed,
 * F for good, k skipped; the last goes on) and, after a space, the result as JSON; of `branch` the
 * tasks to follow, by commas; of `short_circuit` True or False. */
#include "sched/engine_kit.h"

#include "test.h"

#include <stdlib.h>

enum { FOLLOWED_MAX = 32 };

static const char *option_of(const struct work_order *o, const char *name, char *out, size_t size)
{
    struct slice text = doc_text(doc_get(o->options, name));
    CHECK(text.len < size);
    snprintf(out, size, "%.*s", SLICE_ARG(text));
    return out;
}

static enum work_outcome outcome_of(char letter)
{
    return letter == 'f'   ? WORK_FAILED
           : letter == 'F' ? WORK_FAILED_FOR_GOOD
           : letter == 'k' ? WORK_SKIPPED
                           : WORK_SUCCESS;
}

static void say_key(const char *word, const struct work_order *o)
{
    printf("%s\t%.*s\t%.*s\t%d\t", word, SLICE_ARG(o->key.run_id), SLICE_ARG(o->key.task_id),
           o->key.map_index);
}

static bool starts(void *ctx, struct work_order *o, struct work_answer *a)
{
    (void)ctx, (void)a;
    say_key("start", o);
    printf("%d\n", o->key.try_number);
    return false; /* kept, until its end is drawn */
}

static void answer_plain(struct kit *k, struct work_order *o, struct work_answer *a)
{
    static struct doc result;
    static char text[1 << 16];
    option_of(o, "bash", text, sizeof(text));
    size_t letters = strcspn(text, " "), at = (size_t)o->key.try_number - 1;
    CHECK(letters > 0);
    a->outcome = outcome_of(text[MIN(at, letters - 1)]);
    if (text[letters] && a->outcome == WORK_SUCCESS) {
        struct diag d = {0};
        CHECK_OK(doc_of_json(slice_of(text + letters + 1), k->results, &result, &d), &d);
        a->result = &result;
    }
}

static bool is_stopped(const struct kit *k, const struct work_order *o)
{
    for (size_t i = 0; i < k->stopped.count; i++)
        if (*(struct work_order **)vec_at(&k->stopped, i) == o) return true;
    return false;
}

static void answer_branch(const struct work_order *o, struct work_answer *a)
{
    static struct slice follows[FOLLOWED_MAX];
    static char text[4096];
    a->branching = true;
    a->branches = follows;
    for (const char *at = option_of(o, "branch", text, sizeof(text)); *at;) {
        size_t n = strcspn(at, ",");
        CHECK(a->branch_count < FOLLOWED_MAX);
        follows[a->branch_count++ % FOLLOWED_MAX] = slice_make(at, n);
        at += n + (at[n] == ',');
    }
}

static void answer_short_circuit(const struct work_order *o, struct work_answer *a)
{
    char text[64];
    const struct doc *ignore = doc_get(o->options, "ignore_downstream_trigger_rules");
    a->branching = strcmp(option_of(o, "short_circuit", text, sizeof(text)), "True") != 0;
    a->ignores_rules = a->branching && (!ignore || ignore->yes);
}

static void end_one(struct kit *k, struct work_order *o)
{
    static const char *const NAMES[] = {[WORK_SUCCESS] = "success",
                                        [WORK_FAILED] = "failed",
                                        [WORK_FAILED_FOR_GOOD] = "failed for good",
                                        [WORK_SKIPPED] = "skipped",
                                        [WORK_STOPPED] = "stopped"};
    struct work_answer a = {.outcome = WORK_SUCCESS};
    if (is_stopped(k, o))
        a.outcome = WORK_STOPPED; /* what it would have come to does not count */
    else if (o->task->kind->id == KIND_branch)
        answer_branch(o, &a);
    else if (o->task->kind->id == KIND_short_circuit)
        answer_short_circuit(o, &a);
    else
        answer_plain(k, o, &a);
    say_key("end", o);
    printf("%s\n", NAMES[a.outcome]);
    kit_end_as(k, o, &a);
}

struct line {
    char *dag, *run, *conf;
    int64_t logical;
    uint64_t seed;
};

static bool read_line(char *text, struct line *out)
{
    char *words[5], *rest = NULL;
    for (int i = 0; i < 5; i++)
        if (!(words[i] = strtok_r(i ? NULL : text, "\t\n", &rest))) return false;
    *out = (struct line){words[0], words[1], words[4], strtoll(words[2], NULL, 10),
                         strtoull(words[3], NULL, 10)};
    return true;
}

/* Until nothing is out and nothing comes out any more. */
static void play(struct kit *k, uint64_t *seed)
{
    for (;;) {
        kit_turn(k);
        if (!k->kept.count) return;
        size_t at = test_random(seed) % k->kept.count;
        end_one(k, *(struct work_order **)vec_at(&k->kept, at));
    }
}

static char *file_of(const char *variable)
{
    const char *path = getenv(variable);
    FILE *f = path ? fopen(path, "r") : NULL;
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    size_t size = (size_t)ftell(f);
    rewind(f);
    char *text = mem_take(size + 1);
    size_t got = text ? fread(text, 1, size, f) : 0;
    fclose(f);
    if (got == size) return text;
    mem_give(text);
    return NULL;
}

enum { RUNS_MAX = 16 }; /* of a dag */

static void play_dag(struct kit *k, const struct line *lines, size_t count)
{
    printf("begin\t%s\n", lines[0].dag);
    for (size_t i = 0; i < count; i++)
        kit_trigger_at(k, lines[i].dag, lines[i].run, lines[i].conf, lines[i].logical);
    uint64_t seed = lines[0].seed;
    play(k, &seed);
    kit_audit(k);
    for (size_t i = 0; i < count; i++) {
        printf("states\t%s\t%s\t", lines[i].run, kit_run_state(k, lines[i].run));
        printf("%s\n", kit_states(k, lines[i].run));
    }
}

TEST(sched_runs)
{
    struct kit k;
    char *dags = file_of("SCHED_RUNS_DAGS"), *plan = file_of("SCHED_RUNS_PLAN"), *rest = NULL;
    CHECK(dags && plan);
    if (!dags || !plan || !kit_open(&k, dags)) return;
    k.outcome = starts;
    struct line lines[RUNS_MAX], next;
    size_t count = 0;
    for (char *text = strtok_r(plan, "\n", &rest); text; text = strtok_r(NULL, "\n", &rest)) {
        CHECK(read_line(text, &next));
        if (count && (strcmp(next.dag, lines[0].dag) != 0 || count == RUNS_MAX)) {
            play_dag(&k, lines, count);
            count = 0;
        }
        lines[count++] = next;
    }
    if (count) play_dag(&k, lines, count);
    kit_close(&k);
    mem_give(plan);
    mem_give(dags);
}
