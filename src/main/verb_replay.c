/* replay: what changed SQL would make of the records that are still there. */
#include "main/cli.h"
#include "main/tables/ask.h"
#include "os/file.h"

#include <stdio.h>

enum { SQL_MAX = 8 << 20 };

int verb_replay(const struct verb *v, const struct args *a)
{
    struct tables_session s;
    struct tables_output out = {0};
    struct diag d;
    struct slice sql = {0};
    const char *file = args_value(a, "--sql");
    char how[160];
    const char *from = args_value(a, "--from"), *to = args_value(a, "--to");
    int code = 0;
    if ((from && (strlen(from) > 60 || strchr(from, ' '))) ||
        (to && (strlen(to) > 60 || strchr(to, ' '))))
        return cli_usage(v, "--from and --to want an offset, or a time: 2026-11-21T08:00:00Z");
    snprintf(how, sizeof(how), "%s %s %s", args_has(a, "--keep") ? "keep" : "drop",
             from ? from : "-", to ? to : "-");
    if (a->word_count != 1 || !a->words[0][0] || strlen(a->words[0]) > 240)
        return cli_usage(v, "name one stream; `sluice streams` lists them");
    if (file && file_load(file, SQL_MAX, &sql, &d)) return cli_fail(&d);
    if (tables_open(a, false, &s, &d)) {
        code = cli_fail(&d);
    } else {
        struct tables_call call = {.what = "replay",
                                   .table = a->words[0],
                                   .name = how,
                                   .format = args_has(a, "--json") ? "json" : "",
                                   .body = sql,
                                   .put = tables_put,
                                   .ctx = &out};
        err_t e = tables_ask(&s, &call);
        tables_put_end(&out);
        if (e) {
            fprintf(stderr, "%s\n", s.story);
            code = 1;
        }
        tables_close(&s);
    }
    mem_give((void *)(uintptr_t)sql.at);
    return code;
}
