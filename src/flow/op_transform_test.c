/* TRANSFORM: rows through a command that answers, refuses, dies, hangs, floods, says too much. */
#include "flow/kit_test.h"
#include "os/child.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static void script(struct world *w, const char *body)
{
    char path[400], text[4096];
    snprintf(path, sizeof(path), "%s/child.py", w->dir);
    int n = snprintf(text, sizeof(text),
                     "import sys, json, os, time\n"
                     "def say(x): print(json.dumps(x), flush=True)\n"
                     "for line in sys.stdin:\n    r = json.loads(line)\n%s",
                     body);
    INVARIANT(n > 0 && (size_t)n < sizeof(text));
    FILE *f = fopen(path, "w");
    CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void records(struct world *w, int count)
{
    for (int i = 0; i < count; i++) {
        char value[64];
        snprintf(value, sizeof(value), "{\"id\":\"u%d\",\"n\":%d}", i, i);
        world_append(w, 0, NULL, value);
    }
}

static struct flow_status run(struct world *w, const char *shell)
{
    char text[1024];
    struct diag d = {0};
    snprintf(text, sizeof(text),
             "CREATE STREAM load INTO ks.users AS SELECT TRANSFORM (CAST(id AS TEXT) AS id, "
             "CAST(n AS BIGINT) AS n) USING 'python3 %s/child.py%s' AS (id text, n bigint, name "
             "text) FROM events",
             w->dir, shell);
    world_stream(w, text);
    CHECK_OK(flow_start(w->flow, &d), &d);
    CHECK_OK(flow_drain(w->flow, 60000, &d), &d);
    struct flow_status s = world_status(w, "load");
    flow_stop(w->flow);
    CHECK(s.balanced);
    return s;
}

TEST(a_command_answers_rows_lists_nulls_and_errors)
{
    struct world w = {0};
    struct letters l;
    world_open(&w, NULL, 1);
    script(&w, "    n = r['n']\n"
               "    if n % 5 == 1: say(None)\n"
               "    elif n % 5 == 2: say([{'id': r['id'] + x, 'n': n} for x in 'ab'])\n"
               "    elif n == 8: say({'error': 'no eights'})\n"
               "    elif n == 13: say({'id': 'x', 'n': 'thirteen'})\n"
               "    elif n % 5 == 4: say([])\n"
               "    else: say({'id': r['id'], 'n': n * 10, 'name': 'h\\u00e9'})\n");
    records(&w, 15);
    struct flow_status s = run(&w, "");
    CHECK_TEXT(world_dump(&w, "users"),
               "u0,0,h\xc3\xa9;u10,100,h\xc3\xa9;u12a,12,-;u12b,12,-;u2a,2,-;u2b,2,-;u3,30,h\xc3"
               "\xa9;u5,50,h\xc3\xa9;u7a,7,-;u7b,7,-;");
    world_letters(&w, "load", &l);
    CHECK_INT(s.ledger.in, 15);
    CHECK_INT(s.ledger.applied, 7);
    CHECK_INT(s.ledger.filtered, 6);
    CHECK_INT(s.ledger.dead, 2);
    CHECK_INT(l.count, 2);
    CHECK_TEXT(l.items[0].reason, "no eights");
    CHECK(strstr(l.items[1].reason, "thirteen") != NULL);
    world_close(&w);
}

/* Dies over n = 5 always, over n = 9 once. */
TEST(a_command_that_dies_costs_the_row_it_dies_over)
{
    struct world w = {0};
    struct letters l;
    char marker[400], body[1024];
    world_open(&w, NULL, 1);
    snprintf(marker, sizeof(marker), "%s/once", w.dir);
    snprintf(body, sizeof(body),
             "    if r['n'] == 5: sys.stderr.write('five is too much\\n'); sys.exit(3)\n"
             "    if r['n'] == 9 and not os.path.exists('%s'): open('%s', 'w'); os.abort()\n"
             "    say({'id': r['id'], 'n': r['n']})\n",
             marker, marker);
    script(&w, body);
    records(&w, 12);
    struct flow_status s = run(&w, "");
    world_letters(&w, "load", &l);
    CHECK_INT(s.ledger.applied, 11);
    CHECK_INT(s.ledger.dead, 1);
    CHECK_INT(l.count, 1);
    CHECK_INT(l.items[0].offset, 5);
    CHECK(strstr(l.items[0].reason, "exit status 3") != NULL);
    CHECK(strstr(l.items[0].reason, "five is too much") != NULL);
    CHECK_INT(world_table(&w).rows, 11);
    world_close(&w);
}

TEST(nonsense_floods_and_too_many_lines_are_dead_letters)
{
    struct world w = {0};
    struct letters l;
    world_open(&w, NULL, 1);
    script(&w, "    n = r['n']\n"
               "    if n == 1: print('Traceback', flush=True)\n"
               "    elif n == 2: print('[1, 2]', flush=True)\n"
               "    elif n == 3:\n"
               "        while True: sys.stdout.write('x' * 65536)\n"
               "    elif n == 4: sys.stdout.write('{\"id\":\"a\"}\\n' * 9000 + '\\n'); "
               "sys.stdout.flush()\n"
               "    else:\n"
               "        sys.stderr.write('warning ' * 20000)\n"
               "        say({'id': r['id'], 'n': n})\n");
    records(&w, 8);
    struct flow_status s = run(&w, " | cat");
    world_letters(&w, "load", &l);
    CHECK_INT(s.ledger.in, 8);
    CHECK_INT(s.ledger.dead + s.ledger.applied, 8);
    CHECK(s.ledger.dead >= 3);
    CHECK(strstr(l.items[0].reason, "Traceback") != NULL);
    CHECK(strstr(l.items[2].reason, "bytes") != NULL);
    world_close(&w);
}

/* The command dies with the thread that started it; what it has started would not. */
TEST(a_command_ends_with_its_stage)
{
    char text[1024], path[400];
    struct world w = {0};
    struct diag d = {0};
    struct slice pid = {0};
    world_open(&w, NULL, 1);
    records(&w, 1);
    snprintf(path, sizeof(path), "%s/pid", w.dir);
    snprintf(text, sizeof(text),
             "CREATE STREAM load INTO ks.users AS SELECT TRANSFORM (CAST(id AS TEXT) AS id) USING "
             "'echo $$ > %s; cat' AS (id text) FROM events",
             path);
    world_stream(&w, text);
    CHECK_OK(flow_start(w.flow, &d), &d);
    CHECK_OK(flow_drain(w.flow, 20000, &d), &d);
    CHECK_OK(file_load(path, 100, &pid, &d), &d);
    int number = pid.at ? atoi((const char *)pid.at) : 0;
    CHECK(number > 0 && kill(-number, 0) == 0);
    CHECK_OK(flow_pause(w.flow, SLICE("load"), &d), &d);
    CHECK(kill(number, 0) != 0); /* no zombie either */
    mem_give((void *)pid.at);
    world_close(&w);
}

TEST(a_program_that_is_not_there_and_a_query_are_refused_by_name)
{
    struct world w = {0};
    struct diag d = {0};
    world_open(&w, NULL, 1);
    records(&w, 1);
    CHECK_ERR(world_select(&w, "SELECT TRANSFORM (id) USING 'cat' AS (id text) FROM events",
                           &(struct query_result){0}, 0, &d),
              ERR_UNSUPPORTED);
    world_stream(&w,
                 "CREATE STREAM load INTO ks.users AS SELECT TRANSFORM (CAST(id AS TEXT) AS id) "
                 "USING '/no/such/program' AS (id text) FROM events");
    CHECK_OK(flow_start(w.flow, &d), &d);
    CHECK(flow_drain(w.flow, 500, &d) != ERR_OK);
    CHECK(strcmp(world_status(&w, "load").state, "running") != 0);
    CHECK_INT(world_table(&w).rows, 0);
    world_close(&w);
}
