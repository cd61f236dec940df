/* why: where a row came from, or where a record went. Asked of the running server. */
#include "main/cli.h"
#include "main/tables/ask.h"

#include <stdio.h>

int verb_why(const struct verb *v, const struct args *a)
{
    struct tables_session s;
    struct diag d;
    struct tables_output out = {0};
    struct buf words = buf_make(MIB(1));
    const char *records = args_has(a, "--all") ? "10000" : args_value(a, "--records");
    int code = 0;
    uint64_t count;
    if (records && (!slice_to_u64(slice_of(records), &count) || !count || count > 10000))
        return cli_usage(v, "--records wants a number from 1 to 10000");
    if (a->word_count < 2)
        return cli_usage(v, "a table and a key, or a topic, a partition and an offset");
    if (tables_open(a, false, &s, &d)) return cli_fail(&d);
    for (int i = 1; i < a->word_count; i++)
        buf_printf(&words, "%s%s", i > 1 ? "\n" : "", a->words[i]);
    struct tables_call call = {.what = "why",
                               .table = a->words[0],
                               .format = args_has(a, "--json") ? "json" : "",
                               .name = records,
                               .body = buf_view(&words),
                               .put = tables_put,
                               .ctx = &out};
    err_t e = tables_ask(&s, &call);
    tables_put_end(&out);
    if (e) {
        fprintf(stderr, "%s\n", s.story);
        code = 1;
    }
    buf_done(&words);
    tables_close(&s);
    return code;
}
