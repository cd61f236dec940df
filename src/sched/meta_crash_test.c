/* Goal: whatever the disk does, what was acknowledged is there and nothing is there by half.
 * Method: as a child with META_CRASH_FILE it writes pairs of rows, a transaction each, and tells
 * each one that was acknowledged; tests/crash_short/test_meta.py runs it on a disk that fails,
 * tears, stops or loses what was not synced at the n-th call, and looks at what is left. */
#include "sched/meta_kit.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PAIRS = 12 };

static err_t pair(struct meta *m, int64_t n, struct diag *d)
{
    struct meta_value args[] = {meta_int(n), meta_int(-n)};
    const char *text = "INSERT INTO variable (key, value) VALUES (CAST($1 AS {text}), $2)";
    err_t e = meta_begin(m, true, d);
    if (e) return e;
    struct meta_value one[] = {args[0], args[0]}, two[] = {args[1], args[0]};
    e = meta_run_text(m, text, one, 2, NULL, NULL, NULL, d);
    if (!e) e = meta_run_text(m, text, two, 2, NULL, NULL, NULL, d);
    if (!e) return meta_commit(m, d);
    meta_rollback(m);
    return e;
}

TEST(meta_pairs_are_kept_together)
{
    struct diag d = {0};
    const char *child = getenv("META_CRASH_FILE");
    struct meta *m = NULL;
    struct meta_options o = {.where = child ? child : meta_kit_where()};
    err_t e = meta_open(&o, &m, &d);
    if (!e) e = meta_migrate(m, &d);
    for (int64_t n = 1; n <= PAIRS && !e; n++) {
        e = pair(m, n, &d);
        if (child && !e) dprintf(STDOUT_FILENO, "kept %lld\n", (long long)n);
    }
    if (child && e) dprintf(STDOUT_FILENO, "said %s: %s\n", err_name(e), d.why);
    if (!child) CHECK_OK(e, &d);
    if (m && !e) CHECK_INT(meta_kit_number(m, "SELECT count(*) FROM variable"), 2 * PAIRS);
    meta_close(m);
    if (child) _exit(0);
}

/* The command line beside the server: another process, the same database, at the same time. */
TEST(meta_another_process_writes_beside)
{
    struct diag d;
    char where[700], exe[400] = "", command[1300], said[64];
    int kept = 0, own = 0;
    snprintf(where, sizeof(where), "%s", meta_kit_where());
    struct meta *m = meta_kit_open(where);
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    if (!m || n < 0) return;
    snprintf(command, sizeof(command), "META_CRASH_FILE='%s' exec '%s' meta_pairs", where, exe);
    FILE *child = popen(command, "r");
    CHECK(child != NULL);
    for (err_t e = ERR_OK; child && fgets(said, sizeof(said), child);) {
        kept += strncmp(said, "kept ", 5) == 0;
        do e = meta_run_text(m, "UPDATE pool SET slots = slots + 1", NULL, 0, NULL, NULL, NULL, &d);
        while (e == ERR_BUSY);
        CHECK_OK(e, &d);
        own++;
    }
    CHECK(child && pclose(child) == 0);
    CHECK_INT(kept, PAIRS);
    CHECK_INT(meta_kit_number(m, "SELECT count(*) FROM variable"), 2 * PAIRS);
    CHECK_INT(meta_kit_number(m, "SELECT slots FROM pool"), 128 + own);
    meta_close(m);
}
