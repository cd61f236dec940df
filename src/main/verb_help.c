/* help, version, completion: all made from the tables. */
#include "connect/connect.h"
#include "cql/cql.h"
#include "door/airflow/airflow.h"
#include "door/randomuser/randomuser.h"
#include "log/log.h"
#include "main/cli.h"
#include "main/docs_pages.h"
#include "main/kafka/tools.h"
#include "main/metrics_help.h"
#include "main/plan/planning.h"
#include "main/version.h"
#include "sched/dag.h"
#include "sched/kinds.h"
#include "sql/sql.h"
#include "wire/cql/cql.h"
#include "wire/kafka/kafka.h"

#include <stdio.h>

enum { HELP_MAX = 4 << 20 };

static void put_options(struct buf *out, const struct verb *v)
{
    const struct cli_option *options[ARGS_MAX];
    size_t count = cli_options(v, options, COUNT_OF(options));
    for (size_t i = 0; i < count; i++) {
        const struct cli_option *o = options[i];
        char left[64];
        snprintf(left, sizeof(left), "%s%s%s", o->name, o->value ? " " : "",
                 o->value ? o->value : "");
        buf_printf(out, "  %-22s %s\n", left, o->about);
    }
}

static bool is_tool(const struct verb *v)
{
    return v >= tools && v < tools + tool_count;
}

static void put_verb(struct buf *out, const struct verb *v)
{
    buf_printf(out, "usage: %s%s %s\n\n%s.\n", is_tool(v) ? "" : "sluice ", v->name, v->usage,
               v->about);
    if (v->more[0]) buf_printf(out, "%s\n", v->more);
    buf_text(out, "\noptions:\n");
    put_options(out, v);
    buf_text(out, "  --help                 this text\n");
}

static void put_list(struct buf *out)
{
    buf_text(out, "sluice " SLUICE_VERSION ": an API's records, live, in a database, as one "
                  "program\n\nusage: sluice COMMAND [options]\n\n");
    for (size_t i = 0; i < verb_count; i++)
        buf_printf(out, "  %-11s %s\n", verbs[i].name, verbs[i].about);
    buf_text(out,
             "\n`sluice COMMAND --help` tells more of one; `sluice help TOPIC` lists what there "
             "is:\n");
    static const char *const list_starts[] = {"  ", ",\n  "};
    const char *topic;
    for (size_t n = 0; (topic = help_topic(n)); n++)
        buf_printf(out, "%s%s", n % 8 ? ", " : list_starts[n > 0], topic);
    buf_text(out,
             ".\n`sluice help docs/flow` reads a page of the documentation, `sluice help docs` "
             "lists them.\n");
}

static void put_man(struct buf *out)
{
    buf_text(out, ".TH SLUICE 1 \"\" \"sluice " SLUICE_VERSION
                  "\" \"User Commands\"\n.SH NAME\nsluice \\- an API's records, live, in a "
                  "database\n.SH SYNOPSIS\n.B sluice\n.I COMMAND\n[options]\n.SH COMMANDS\n");
    for (size_t i = 0; i < verb_count; i++) {
        const struct verb *v = &verbs[i];
        buf_printf(out, ".SS sluice %s %s\n%s.\n%s\n", v->name, v->usage, v->about, v->more);
        for (const struct cli_option *o = v->options; o && o->name; o++)
            buf_printf(out, ".TP\n.B %s%s%s\n%s\n", o->name, o->value ? " " : "",
                       o->value ? o->value : "", o->about);
    }
    buf_text(out, ".SH OPTIONS OF PROJECTS\n");
    for (const struct cli_option *o = project_options; o->name; o++)
        buf_printf(out, ".TP\n.B %s %s\n%s\n", o->name, o->value, o->about);
    buf_text(
        out,
        ".SH FILES\n.TP\nsluice.yaml\nsettings, all optional\n.TP\npipeline.sql\nsources, topics, "
        "tables, streams\n.TP\ntests/*.yaml\nfixtures for sluice test\n.TP\n.sluice/\nthe data\n"
        ".SH EXIT STATUS\n0 when all is well, 1 when something failed and the error says what, 2 "
        "for a wrong usage, 3 when nothing runs.\n");
}

static void functions_help(struct buf *out)
{
    sql_functions_help(out, false);
}
static void functions_markdown(struct buf *out)
{
    sql_functions_help(out, true);
}
static void sources_help(struct buf *out)
{
    connect_help(out, false);
}
static void sources_markdown(struct buf *out)
{
    connect_help(out, true);
}

static void plan_help(struct buf *out)
{
    findings_help(out, false);
}
static void plan_markdown(struct buf *out)
{
    findings_help(out, true);
}

static void tools_help(struct buf *out)
{
    buf_text(
        out,
        "Called by one of these names (also with .sh), this program is that tool of "
        "Kafka's or Cassandra's;\n`sluice link-tools DIR` makes the names, NAME --help tells its "
        "options.\n\n");
    for (size_t i = 0; i < tool_count; i++)
        buf_printf(out, "  %-26s %s\n", tools[i].name, tools[i].about);
}
static void tools_markdown(struct buf *out)
{
    for (size_t i = 0; i < tool_count; i++) {
        buf_printf(out, "\n## %s\n\n%s. `%s %s`\n\n| option | |\n|---|---|\n", tools[i].name,
                   tools[i].about, tools[i].name, tools[i].usage);
        for (const struct cli_option *o = tools[i].options; o && o->name; o++)
            buf_printf(out, "| `%s%s%s` | %s |\n", o->name, o->value ? " " : "",
                       o->value ? o->value : "", o->about);
    }
}

static void docs_list(struct buf *out)
{
    for (uint32_t i = 0; i < docs_page_count; i++) {
        const struct slice *t = &docs_pages[i].text;
        const uint8_t *end = memchr(t->at, '\n', t->len);
        struct slice title = slice_make(t->at + 2, end ? (size_t)(end - t->at) - 2 : 0); /* "# " */
        buf_printf(out, "  %-22s %.*s\n", docs_pages[i].name, SLICE_ARG(title));
    }
}

static const struct {
    const char *name;
    void (*help)(struct buf *out);
    void (*markdown)(struct buf *out);
} topics[] = {
    {"settings", config_help, config_markdown},
    {"functions", functions_help, functions_markdown},
    {"sources", sources_help, sources_markdown},
    {"findings", plan_help, plan_markdown},
    {"kinds", kinds_help, kinds_markdown},
    {"words", dag_words_help, dag_words_markdown},
    {"airflow-api", airflow_put_routes, airflow_put_routes},
    {"faults", randomuser_faults_help, randomuser_faults_help},
    {"kafka", kafka_wire_help, kafka_wire_help},
    {"cql-wire", native_wire_help, native_wire_help},
    {"tools", tools_help, tools_markdown},
    {"topic-configuration", log_config_markdown, log_config_markdown},
    {"metrics", metrics_help, metrics_help},
    {"docs", docs_list, docs_list},
    {"system-tables", cql_system_tables_markdown, cql_system_tables_markdown},
};

const char *help_topic(size_t n)
{
    return n < COUNT_OF(topics) ? topics[n].name : NULL;
}

/* A page of docs/, by "docs/NAME" also where a command has its name. */
static bool put_page(struct buf *out, const char *name)
{
    static const char folder[] = "docs/";
    if (strncmp(name, folder, strlen(folder)) == 0) name += strlen(folder);
    for (uint32_t i = 0; i < docs_page_count; i++) {
        if (strcmp(name, docs_pages[i].name) != 0) continue;
        buf_slice(out, docs_pages[i].text);
        return true;
    }
    return false;
}

static bool put_topic(struct buf *out, const char *name, bool markdown)
{
    for (size_t i = 0; i < COUNT_OF(topics); i++) {
        if (strcmp(name, topics[i].name) != 0) continue;
        (markdown ? topics[i].markdown : topics[i].help)(out);
        return true;
    }
    for (size_t i = 0; i < verb_count; i++) {
        if (strcmp(name, verbs[i].name) != 0) continue;
        put_verb(out, &verbs[i]);
        return true;
    }
    const struct verb *tool = tool_named(name);
    if (tool) put_verb(out, tool);
    return tool || put_page(out, name);
}

static int print(struct buf *text)
{
    int code = text->err || fwrite(text->at, 1, text->len, stdout) != text->len;
    buf_done(text);
    return code;
}

int tool_help(const struct verb *v)
{
    struct buf text = buf_make(HELP_MAX);
    put_verb(&text, v);
    return print(&text);
}

int verb_help(const struct verb *v, const struct args *a)
{
    struct buf text = buf_make(HELP_MAX);
    if (args_has(a, "--man")) {
        put_man(&text);
    } else if (a->word_count == 0) {
        put_list(&text);
    } else if (!put_topic(&text, a->words[0], args_has(a, "--markdown"))) {
        char problem[256];
        buf_done(&text);
        snprintf(problem, sizeof(problem), "there is no help about '%s'", a->words[0]);
        return cli_usage(v, problem);
    }
    return print(&text);
}

#ifdef __clang__
static const char compiler[] = "clang " __clang_version__;
#else
static const char compiler[] = "gcc " __VERSION__;
#endif

int verb_version(const struct verb *v, const struct args *a)
{
    (void)v, (void)a;
    printf("sluice %s (%s)\n", SLUICE_VERSION, compiler);
    return 0;
}

/* --- completion
 * -----------------------------------------------------------------------------------------------
 */

static void put_bash(struct buf *out)
{
    buf_text(out, "_sluice() {\n  local cur=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]}\n  if "
                  "[ \"$COMP_CWORD\" = 1 ]; then\n    COMPREPLY=($(compgen -W '");
    for (size_t i = 0; i < verb_count; i++) buf_printf(out, "%s%s", i ? " " : "", verbs[i].name);
    buf_text(out, "' -- \"$cur\"))\n    return\n  fi\n  case $verb in\n");
    for (size_t i = 0; i < verb_count; i++) {
        const struct cli_option *options[ARGS_MAX];
        size_t count = cli_options(&verbs[i], options, COUNT_OF(options));
        buf_printf(out, "  %s) COMPREPLY=($(compgen -W '--help", verbs[i].name);
        for (size_t k = 0; k < count; k++) buf_printf(out, " %s", options[k]->name);
        buf_text(out, "' -- \"$cur\") $(compgen -d -- \"$cur\")) ;;\n");
    }
    buf_text(out, "  esac\n}\ncomplete -o filenames -F _sluice sluice\n");
}

static void put_zsh(struct buf *out)
{
    buf_text(out, "#compdef sluice\n_sluice() {\n  local -a verbs\n  verbs=(\n");
    for (size_t i = 0; i < verb_count; i++) {
        buf_printf(out, "    '%s:", verbs[i].name);
        for (const char *c = verbs[i].about; *c; c++)
            buf_text(out, *c == '\'' ? "'\\''" : *c == ':' ? "\\:" : (char[]){*c, 0});
        buf_text(out, "'\n");
    }
    buf_text(out, "  )\n  if (( CURRENT == 2 )); then _describe command verbs; else _files; "
                  "fi\n}\ncompdef _sluice sluice\n");
}

int verb_completion(const struct verb *v, const struct args *a)
{
    struct buf text = buf_make(HELP_MAX);
    if (a->word_count == 1 && strcmp(a->words[0], "bash") == 0)
        put_bash(&text);
    else if (a->word_count == 1 && strcmp(a->words[0], "zsh") == 0)
        put_zsh(&text);
    else
        return cli_usage(v, "say for which shell: bash or zsh");
    return print(&text);
}
