/* why: where a row came from, or where a record went. Asked of the running server. */
#include "main/cli.h"
#include "main/tables/ask.h"

#include <stdio.h>

static err_t to_stdout(void *ctx, struct slice text)
{
    (void)ctx;
    return fwrite(text.at, 1, text.len, stdout) == text.len ? ERR_OK : ERR_IO;
}

int verb_why(const struct verb *v, const struct args *a)
{
    struct tables_session s;
    struct diag d;
    struct buf words = buf_make(MIB(1));
    int code = 0;
    if (a->word_count < 2)
        return cli_usage(v, "a table and a key, or a topic, a partition and an offset");
    if (tables_open(a, false, &s, &d)) return cli_fail(&d);
    for (int i = 1; i < a->word_count; i++)
        buf_printf(&words, "%s%s", i > 1 ? "\n" : "", a->words[i]);
    struct tables_call call = {.what = "why",
                               .table = a->words[0],
                               .format = args_has(a, "--json") ? "json" : "",
                               .body = buf_view(&words),
                               .put = to_stdout};
    if (tables_ask(&s, &call)) {
        fprintf(stderr, "%s\n", s.story);
        code = 1;
    }
    buf_done(&words);
    tables_close(&s);
    return code;
}
