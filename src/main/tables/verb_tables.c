/* sluice tables: what is stored, how much, and its upkeep. */
#include "main/tables/tables.h"

#include "base/unit.h"
#include "main/kafka/sheet.h"

#include <stdio.h>
#include <time.h>

int tables_failed(struct tables_session *s)
{
    fprintf(stderr, "%s\n", s->story);
    return 1;
}

static err_t to_stdout(void *ctx, struct slice text)
{
    (void)ctx;
    return fwrite(text.at, 1, text.len, stdout) == text.len && fflush(stdout) == 0 ? ERR_OK
                                                                                   : ERR_IO;
}

struct action {
    struct tables_session *session;
    const char *what, *table;
    bool json;
    struct sheet sheet;
};

static int say_through(struct action *x, const char *name)
{
    struct tables_call c = {.what = x->what, .table = x->table, .name = name, .put = to_stdout};
    return tables_ask(x->session, &c) ? tables_failed(x->session) : 0;
}

static void put_size(struct sheet *s, uint64_t bytes)
{
    char text[40];
    struct buf b = buf_over(text, sizeof(text));
    unit_put_bytes(&b, bytes);
    sheet_text(s, buf_view(&b));
}

static int print_sheet(struct action *x, err_t e, const char *nothing)
{
    int code = 0;
    if (e)
        code = tables_failed(x->session);
    else if (x->sheet.cells.len == 0)
        fprintf(stderr, "%s\n", nothing);
    else if (sheet_print(&x->sheet, false))
        code = 1;
    sheet_done(&x->sheet);
    return code;
}

/* --- list ---------------------------------------------------------------------------------------
 */

static const char *const table_paths[] = {"$.keyspace", "$.table",       "$.rows",   "$.exact",
                                          "$.bytes",    "$.index_bytes", "$.indexes"};

/* ["a", "b"] as a person reads it. */
static void put_indexes(struct sheet *s, struct slice list)
{
    char text[512];
    struct buf b = buf_over(text, sizeof(text));
    for (uint32_t i = 0; i < list.len; i++)
        if (!strchr("[]\"", list.at[i])) buf_char(&b, (char)list.at[i]);
    sheet_text(s, b.len ? slice_make(b.at, b.len) : (struct slice){0});
}

static err_t list_row(void *ctx, const struct slice *p)
{
    struct action *x = ctx;
    char rows[32];
    snprintf(rows, sizeof(rows), "%s%.*s", slice_is(p[3], "true") ? "" : "~", SLICE_ARG(p[2]));
    sheet_text(&x->sheet, p[0]);
    sheet_text(&x->sheet, p[1]);
    sheet_text(&x->sheet, slice_of(rows));
    put_size(&x->sheet, tables_number(p[4]));
    put_indexes(&x->sheet, p[6]);
    return ERR_OK;
}

static int do_list(struct action *x)
{
    x->what = "tables";
    if (x->json) return say_through(x, NULL);
    x->sheet = sheet_make("keyspace table rows# size# indexes");
    err_t e = tables_ask_rows(x->session, (struct tables_call){.what = "tables", .table = x->table},
                              table_paths, COUNT_OF(table_paths), list_row, x);
    return print_sheet(x, e, "there are no tables");
}

static err_t sizes_row(void *ctx, const struct slice *p)
{
    struct action *x = ctx;
    sheet_text(&x->sheet, p[0]);
    sheet_text(&x->sheet, p[1]);
    put_size(&x->sheet, tables_number(p[4]) - MIN(tables_number(p[4]), tables_number(p[5])));
    put_size(&x->sheet, tables_number(p[5]));
    put_size(&x->sheet, tables_number(p[4]));
    return ERR_OK;
}

static err_t sizes_node(void *ctx, const struct slice *p)
{
    static const char *const names[] = {"all files", "in memory, not yet in files", "cache",
                                        "waiting for compaction"};
    struct buf line = buf_make(KIB(1));
    (void)ctx;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        buf_printf(&line, "%-28s ", names[i]);
        unit_put_bytes(&line, tables_number(p[i]));
        buf_char(&line, '\n');
    }
    err_t e = to_stdout(NULL, buf_view(&line));
    buf_done(&line);
    return e;
}

static int do_sizes(struct action *x)
{
    static const char *const node[] = {"$.bytes", "$.memtable_bytes", "$.cache_bytes",
                                       "$.pending_compaction_bytes"};
    if (x->json) {
        x->what = "node";
        return do_list(x);
    }
    x->sheet = sheet_make("keyspace table rows# indexes# together#");
    err_t e = tables_ask_rows(x->session, (struct tables_call){.what = "tables", .table = x->table},
                              table_paths, COUNT_OF(table_paths), sizes_row, x);
    int code = print_sheet(x, e, "there are no tables");
    if (code || x->table) return code;
    e = tables_ask_rows(x->session, (struct tables_call){.what = "node"}, node, COUNT_OF(node),
                        sizes_node, x);
    return e ? tables_failed(x->session) : 0;
}

/* --- compact, snapshots -------------------------------------------------------------------------
 */

static err_t compact_row(void *ctx, const struct slice *p)
{
    struct buf line = buf_make(KIB(4));
    (void)ctx;
    buf_printf(&line, "%.*s.%.*s  ", SLICE_ARG(p[0]), SLICE_ARG(p[1]));
    unit_put_bytes(&line, tables_number(p[2]));
    buf_text(&line, p[3].at ? " -> " : " …");
    if (p[3].at) unit_put_bytes(&line, tables_number(p[3]));
    buf_char(&line, '\n');
    err_t e = to_stdout(NULL, buf_view(&line));
    buf_done(&line);
    return e;
}

static int do_compact(struct action *x)
{
    static const char *const paths[] = {"$.keyspace", "$.table", "$.before", "$.after"};
    if (x->json) return say_through(x, NULL);
    return tables_ask_rows(x->session, (struct tables_call){.what = "compact", .table = x->table},
                           paths, COUNT_OF(paths), compact_row, x)
               ? tables_failed(x->session)
               : 0;
}

static err_t snapshot_row(void *ctx, const struct slice *p)
{
    struct action *x = ctx;
    time_t at = (time_t)(tables_number(p[1]) / 1000);
    struct tm tm;
    char when[32] = "";
    if (gmtime_r(&at, &tm)) (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
    sheet_text(&x->sheet, p[0]);
    sheet_text(&x->sheet, slice_of(when));
    put_size(&x->sheet, tables_number(p[2]));
    put_size(&x->sheet, tables_number(p[3]));
    return ERR_OK;
}

static int do_snapshots(struct action *x)
{
    static const char *const paths[] = {"$.name", "$.made_ms", "$.bytes", "$.own_bytes"};
    if (x->json) return say_through(x, NULL);
    x->sheet = sheet_make("snapshot made size# own#");
    err_t e = tables_ask_rows(x->session, (struct tables_call){.what = "snapshots"}, paths,
                              COUNT_OF(paths), snapshot_row, x);
    return print_sheet(x, e, "there are no snapshots");
}

/* --- the verb -----------------------------------------------------------------------------------
 */

static int do_describe(struct action *x)
{
    return say_through(x, NULL);
}

static int do_flush(struct action *x)
{
    return say_through(x, NULL);
}

static int do_snapshot(struct action *x)
{
    const char *name = x->table;
    x->table = NULL;
    int code = say_through(x, name);
    if (!code) printf("snapshot %s is in %s/snapshots/%s\n", name, x->session->project.data, name);
    return code;
}

static int do_clear(struct action *x)
{
    const char *name = x->table;
    x->table = NULL;
    x->what = "clear";
    return say_through(x, name);
}

static const struct {
    const char *word;
    int words_min, words_max;     /* behind it */
    int (*run)(struct action *x); /* NULL: rows to or from a file */
    const char *usage;
} actions[] = {
    {"list", 0, 1, do_list, "list [KEYSPACE]"},
    {"describe", 1, 1, do_describe, "describe KEYSPACE[.TABLE]"},
    {"sizes", 0, 1, do_sizes, "sizes [KEYSPACE]"},
    {"compact", 0, 1, do_compact, "compact [KEYSPACE[.TABLE]]"},
    {"flush", 0, 0, do_flush, "flush"},
    {"snapshot", 1, 1, do_snapshot, "snapshot NAME"},
    {"snapshots", 0, 0, do_snapshots, "snapshots"},
    {"clear-snapshot", 1, 1, do_clear, "clear-snapshot NAME"},
    {"export", 2, 2, NULL, "export KEYSPACE.TABLE FILE"},
    {"import", 2, 2, NULL, "import KEYSPACE.TABLE FILE"},
};

static const char *format_of(const struct args *a)
{
    static const struct {
        const char *end, *format;
    } ends[] = {{".csv", "csv"}, {".json", "json"}, {".jsonl", "json"}, {".ndjson", "json"}};
    const char *format = args_value(a, "--format"), *dot = strrchr(a->words[2], '.');
    if (format) return strcmp(format, "csv") == 0 || strcmp(format, "json") == 0 ? format : NULL;
    for (size_t i = 0; dot && i < COUNT_OF(ends); i++)
        if (strcmp(dot, ends[i].end) == 0) return ends[i].format;
    return NULL;
}

static int run_action(size_t i, const struct args *a, struct rows_file *f)
{
    struct tables_session s;
    struct diag d;
    if (tables_open(a, true, &s, &d)) return cli_fail(&d);
    struct action x = {.session = &s,
                       .what = actions[i].word,
                       .table = a->word_count > 1 ? a->words[1] : NULL,
                       .json = args_has(a, "--json")};
    bool out = strcmp(actions[i].word, "export") == 0;
    int code = actions[i].run ? actions[i].run(&x) : (out ? tables_export : tables_import)(&s, f);
    tables_close(&s);
    return code;
}

int verb_tables(const struct verb *v, const struct args *a)
{
    const char *names[COUNT_OF(actions)], *word = a->word_count ? a->words[0] : "list";
    char problem[256];
    for (size_t i = 0; i < COUNT_OF(actions); i++) {
        names[i] = actions[i].word;
        if (strcmp(word, names[i]) != 0) continue;
        int words = MAX(a->word_count - 1, 0);
        if (words < actions[i].words_min || words > actions[i].words_max) {
            snprintf(problem, sizeof(problem), "as: sluice tables %s", actions[i].usage);
            return cli_usage(v, problem);
        }
        struct rows_file f = {.json = args_has(a, "--json")};
        if (!actions[i].run) {
            f.table = a->words[1], f.file = a->words[2], f.format = format_of(a);
            if (!f.format) return cli_usage(v, "say the file's form: --format csv or json");
        }
        return run_action(i, a, &f);
    }
    const char *near = nearest_word(slice_of(word), names, COUNT_OF(names));
    snprintf(problem, sizeof(problem), "tables can not '%.100s'%s%s%s", word,
             near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return cli_usage(v, problem);
}
