/* reset: starts a project over, after showing what goes. */
#include "main/cli.h"

#include "base/unit.h"
#include "main/server.h"
#include "os/file.h"

#include <stdio.h>
#include <unistd.h>

struct loss {
    uint64_t tables, topics, records, bytes;
};

static err_t count_table(void *ctx, const struct store_table *t)
{
    (void)t;
    ((struct loss *)ctx)->tables++;
    return ERR_OK;
}

static err_t count_topic(void *ctx, struct log_topic *t)
{
    struct loss *l = ctx;
    if (log_topic_is_internal(t)) return ERR_OK; /* the coordinators' own */
    l->topics++;
    for (int32_t i = 0; i < log_topic_partitions(t); i++) {
        struct log_partition *p = log_partition(t, i);
        l->records += (uint64_t)(log_end_offset(p) - log_start_offset(p));
        l->bytes += log_partition_bytes(p);
    }
    return ERR_OK;
}

static err_t measure(struct project *p, struct loss *l, struct diag *d)
{
    struct exec_world w;
    err_t e = world_open(p, false, &w, d);
    if (e) return e;
    e = store_tables(w.store, count_table, l);
    if (!e) e = log_topics(w.log, count_topic, l);
    l->bytes += store_stats(w.store).disk_bytes;
    world_close(&w);
    return e;
}

static bool confirmed(const struct loss *l, bool keep_topics, const char *data)
{
    struct buf text = buf_make(KIB(4));
    char answer[16] = "";
    buf_printf(
        &text,
        "This removes from %s: %llu table%s with all rows, every cursor, ledger and dead letter",
        data, (unsigned long long)l->tables, l->tables == 1 ? "" : "s");
    if (!keep_topics) {
        buf_printf(&text, ", %llu topic%s with ", (unsigned long long)l->topics,
                   l->topics == 1 ? "" : "s");
        unit_put_count(&text, l->records);
        buf_text(&text, " records");
    }
    buf_text(&text, " (");
    unit_put_bytes(&text, l->bytes);
    buf_text(&text, " in all with what stays). It can not be undone.\n");
    printf("%sType yes to go on: ", buf_cstr(&text));
    buf_done(&text);
    fflush(stdout);
    return fgets(answer, sizeof(answer), stdin) && strcmp(answer, "yes\n") == 0;
}

static err_t remove_data(struct project *p, bool keep_topics, struct diag *d)
{
    /* The store first: topics without cursors are read again; cursors without topics are an alarm.
     */
    static const char *const parts[] = {"store", "flow", "log"};
    char path[PROJECT_PATH_MAX];
    err_t e = ERR_OK;
    for (size_t i = 0; i < COUNT_OF(parts) - (keep_topics ? 2 : 0) && !e; i++) {
        e = project_data_path(p, parts[i], path, d);
        if (!e && file_exists(path)) e = dir_remove_all(path, d);
    }
    return e;
}

int verb_reset(const struct verb *v, const struct args *a)
{
    struct project p;
    struct diag d;
    struct loss l = {0};
    int fd = -1, code = 1;
    bool keep = args_has(a, "--keep-topics");
    if (a->word_count > 1) return cli_usage(v, "one project at a time");
    if (cli_project(a, a->word_count ? a->words[0] : NULL, &p, &d)) return cli_fail(&d);
    const char *stage = args_value(a, "--stage");
    if (stage) {
        code = act_on_stage(&p, "reset", stage, args_has(a, "--yes"));
        project_close(&p);
        return code;
    }
    err_t e = data_lock(&p, &fd, &d);
    if (!e && !args_has(a, "--yes")) e = measure(&p, &l, &d);
    if (!e && !args_has(a, "--yes") && !confirmed(&l, keep, p.data)) {
        printf("nothing was removed\n");
    } else if (!e) {
        e = remove_data(&p, keep, &d);
        code = 0;
        if (!e) printf("%s starts over at the next `sluice up`\n", p.name);
    }
    if (fd >= 0) file_close(fd);
    project_close(&p);
    return e ? cli_fail(&d) : code;
}
