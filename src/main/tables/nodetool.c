/* nodetool: Cassandra's operating tool, by its name: its commands, options, words and exit codes.
 * What it asks of JMX it asks of the project's control door; -h, -p and the logins of JMX are taken
 * and change nothing. */
#include "main/tables/nodetool.h"

#include "os/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int nodetool_wrong(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("nodetool: ");
    vprintf(format, args);
    printf("\nSee 'nodetool help' or 'nodetool help <command>'.\n");
    va_end(args);
    return 1;
}

int nodetool_failed(struct nodetool *n)
{
    fprintf(stderr, "%s\n", n->session.story);
    return 2;
}

/* --- which keyspaces and tables -----------------------------------------------------------------
 */

struct finding {
    const char *keyspace, *table;
    bool found;
};

static err_t find_row(void *ctx, const struct slice *p)
{
    struct finding *f = ctx;
    f->found |= slice_is(p[0], f->keyspace) && (!f->table || slice_is(p[1], f->table));
    return ERR_OK;
}

int nodetool_keyspace_known(struct nodetool *n, const char *keyspace, const char *unknown)
{
    static const char *const paths[] = {"$.keyspace_name"};
    struct finding f = {.keyspace = keyspace};
    struct tables_call c = {.what = "keyspaces"};
    if (tables_ask_rows(&n->session, c, paths, 1, find_row, &f)) return nodetool_failed(n);
    char text[512];
    if (f.found) return 0;
    snprintf(text, sizeof(text), unknown, keyspace);
    return nodetool_wrong("%s", text);
}

/* "KEYSPACE [TABLE …]" of flush, compact, cleanup: all are there? */
static int check_words(struct nodetool *n)
{
    static const char *const paths[] = {"$.keyspace", "$.table"};
    int code =
        n->count ? nodetool_keyspace_known(n, n->words[0], "Keyspace [%s] does not exist.") : 0;
    for (int i = 1; !code && i < n->count; i++) {
        struct finding f = {.keyspace = n->words[0], .table = n->words[i]};
        struct tables_call c = {.what = "tables"};
        if (tables_ask_rows(&n->session, c, paths, 2, find_row, &f))
            code = nodetool_failed(n);
        else if (!f.found)
            code = nodetool_wrong("Unknown keyspace/cf pair (%s.%s)", n->words[0], n->words[i]);
    }
    return code;
}

/* --- commands that do something -----------------------------------------------------------------
 */

static int do_flush(struct nodetool *n)
{
    int code = check_words(n);
    struct tables_call c = {.what = "flush"};
    return code ? code : tables_ask(&n->session, &c) ? nodetool_failed(n) : 0;
}

static bool is_system(const char *keyspace)
{
    return strcmp(keyspace, "system") == 0 || strncmp(keyspace, "system_", 7) == 0;
}

static int do_compact(struct nodetool *n)
{
    char table[UPKEEP_NAME_MAX];
    int code = check_words(n);
    if (code) return code;
    if (n->count && is_system(n->words[0])) return 0; /* ours are made when they are read */
    for (int i = n->count > 1; i < MAX(n->count, 1); i++) {
        struct tables_call c = {.what = "compact", .table = n->count ? table : NULL};
        if (n->count)
            snprintf(table, sizeof(table), "\"%s\"%s%s%s", n->words[0], i ? ".\"" : "",
                     i ? n->words[i] : "", i ? "\"" : "");
        if (tables_ask(&n->session, &c)) return nodetool_failed(n);
    }
    return 0;
}

static int do_cleanup(struct nodetool *n)
{
    return check_words(n); /* one node owns every key */
}

static err_t repair_row(void *ctx, const struct slice *p)
{
    struct nodetool *n = ctx;
    char name[UPKEEP_NAME_MAX], when[32] = "";
    if (!slice_to_cstr(p[0], name, sizeof(name))) return ERR_TOO_BIG;
    if (n->count ? strcmp(name, n->words[0]) != 0 : is_system(name)) return ERR_OK;
    int64_t ms = clock_wall_ms();
    time_t at = (time_t)(ms / 1000);
    struct tm tm;
    if (localtime_r(&at, &tm)) (void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
    printf("[%s,%03d] Replication factor is 1. No repair is needed for keyspace '%s'\n", when,
           (int)(ms % 1000), name);
    return ERR_OK;
}

static int do_repair(struct nodetool *n)
{
    static const char *const paths[] = {"$.keyspace_name"};
    int code = check_words(n);
    struct tables_call c = {.what = "keyspaces"};
    if (code) return code;
    return tables_ask_rows(&n->session, c, paths, 1, repair_row, n) ? nodetool_failed(n) : 0;
}

static void put_words(const struct nodetool *n, const char *none)
{
    printf("%s", n->count ? "" : none);
    for (int i = 0; i < n->count; i++) printf("%s%s", i ? ", " : "", n->words[i]);
}

static int do_snapshot(struct nodetool *n)
{
    char tag[32];
    snprintf(tag, sizeof(tag), "%lld", (long long)clock_wall_ms());
    if (!n->tag) n->tag = tag;
    printf("Requested creating snapshot(s) for [");
    put_words(n, "all keyspaces");
    printf("] with snapshot name [%s] and options {skipFlush=false}\n", n->tag);
    for (int i = 0; i < n->count; i++) {
        int code = nodetool_keyspace_known(n, n->words[i], "Keyspace %s does not exist");
        if (code) return code;
    }
    struct tables_call c = {.what = "snapshot", .name = n->tag};
    if (tables_ask(&n->session, &c)) return nodetool_failed(n);
    printf("Snapshot directory: %s\n", n->tag);
    return 0;
}

/* One that is not there is fine, as it is for the original. */
static int do_clearsnapshot(struct nodetool *n)
{
    static const char *const paths[] = {"$.name"};
    if (!n->tag && !n->all) return nodetool_wrong("Specify snapshot name or --all");
    if (n->tag && n->all) return nodetool_wrong("Specify only one of snapshot name or --all");
    printf("Requested clearing snapshot(s) for [");
    put_words(n, "all keyspaces");
    printf("] with ");
    printf(n->all ? "[all snapshots]\n" : "snapshot name [%s]\n", n->tag);
    if (n->count) {
        fprintf(stderr, "error: a snapshot holds all keyspaces\n  hint: leave %s out\n",
                n->words[0]);
        return 2;
    }
    struct finding f = {.keyspace = n->tag ? n->tag : "", .found = n->all};
    struct tables_call list = {.what = "snapshots"}, c = {.what = "clear", .name = n->tag};
    if (!n->all && tables_ask_rows(&n->session, list, paths, 1, find_row, &f))
        return nodetool_failed(n);
    return f.found && tables_ask(&n->session, &c) ? nodetool_failed(n) : 0;
}

static int do_gettraceprobability(struct nodetool *n)
{
    (void)n;
    printf("Current trace probability: 0.0\n"); /* traces are made for statements that ask */
    return 0;
}

/* --- the table of commands ----------------------------------------------------------------------
 */

enum { NO_WORDS, ANY_WORDS = NODETOOL_WORDS };
static const struct command {
    const char *name;
    int words_max;
    int (*run)(struct nodetool *n);
    const char *usage, *about;
} commands[] = {
    {"cleanup", ANY_WORDS, do_cleanup, "[<keyspace> <tables>...]",
     "Triggers the immediate cleanup of keys no longer belonging to a node. By default, clean all "
     "keyspaces"},
    {"clearsnapshot", ANY_WORDS, do_clearsnapshot, "[--all] [-t <snapshot_name>]",
     "Remove the snapshot with the given name from the given keyspaces"},
    {"compact", ANY_WORDS, do_compact, "[<keyspace> <tables>...]",
     "Force a (major) compaction on one or more tables"},
    {"compactionstats", NO_WORDS, nodetool_compactionstats, "", "Print statistics on compactions"},
    {"describecluster", NO_WORDS, nodetool_describecluster, "",
     "Print the name, snitch, partitioner and schema version of a cluster"},
    {"flush", ANY_WORDS, do_flush, "[<keyspace> <tables>...]", "Flush one or more tables"},
    {"getendpoints", 3, nodetool_getendpoints, "<keyspace> <table> <key>",
     "Print the end points that owns the key"},
    {"gettraceprobability", NO_WORDS, do_gettraceprobability, "",
     "Print the current trace probability value"},
    {"gossipinfo", NO_WORDS, nodetool_gossipinfo, "",
     "Shows the gossip information for the cluster"},
    {"info", NO_WORDS, nodetool_info, "", "Print node information (uptime, load, ...)"},
    {"listsnapshots", NO_WORDS, nodetool_listsnapshots, "",
     "Lists all the snapshots along with the size on disk and true size"},
    {"repair", ANY_WORDS, do_repair, "[<keyspace> <tables>...]", "Repair one or more tables"},
    {"ring", 1, nodetool_ring, "[<keyspace>]", "Print information about the token ring"},
    {"snapshot", ANY_WORDS, do_snapshot, "[-t <tag>] [<keyspaces...>]",
     "Take a snapshot of specified keyspaces (of all: one store holds them)"},
    {"status", 1, nodetool_status, "[<keyspace>]",
     "Print cluster information (state, load, IDs, ...)"},
    {"tablestats", ANY_WORDS, nodetool_tablestats, "[-F <json|yaml>] [-H] [<keyspace.table>...]",
     "Print statistics on tables"},
    {"cfstats", ANY_WORDS, nodetool_tablestats, "[<keyspace.table>...]",
     "The older name of tablestats"},
    {"tpstats", NO_WORDS, nodetool_tpstats, "", "Print usage statistics of thread pools"},
    {"version", NO_WORDS, nodetool_version, "", "Print cassandra version"},
};

/* What the original has beside these: refused by name. */
static const char *const theirs =
    " assassinate bootstrap checktokenmetadata cidrfilteringstats clientstats compactionhistory "
    "datapaths decommission describering disableauditlog disableautocompaction disablebackup "
    "disablebinary disablefullquerylog disablegossip disablehandoff disablehintsfordc "
    "disableoldprotocolversions drain dropcidrgroup enableauditlog enableautocompaction "
    "enablebackup enablebinary enablefullquerylog enablegossip enablehandoff enablehintsfordc "
    "enableoldprotocolversions failuredetector forcecompact garbagecollect gcstats getauditlog "
    "getauthcacheconfig getbatchlogreplaythrottle getcidrgroupsofip getcolumnindexsize "
    "getcompactionthreshold getcompactionthroughput getconcurrency getconcurrentcompactors "
    "getconcurrentviewbuilders getdefaultrf getfullquerylog getguardrailsconfig "
    "getinterdcstreamthroughput getlogginglevels getmaxhintwindow getseeds getsnapshotthrottle "
    "getsstables getstreamthroughput gettimeout import invalidatecidrpermissionscache "
    "invalidatecountercache invalidatecredentialscache invalidatejmxpermissionscache "
    "invalidatekeycache invalidatenetworkpermissionscache invalidatepermissionscache "
    "invalidaterolescache invalidaterowcache join listcidrgroups listpendinghints move netstats "
    "pausehandoff profileload proxyhistograms rangekeysample rebuild rebuild_index "
    "recompress_sstables refresh refreshsizeestimates reloadcidrgroupscache reloadlocalschema "
    "reloadseeds reloadssl reloadtriggers relocatesstables removenode repair_admin replaybatchlog "
    "resetfullquerylog resetlocalschema resumehandoff scrub setauthcacheconfig "
    "setbatchlogreplaythrottle setcachecapacity setcachekeystosave setcolumnindexsize "
    "setcompactionthreshold setcompactionthroughput setconcurrency setconcurrentcompactors "
    "setconcurrentviewbuilders setdefaultrf setguardrailsconfig sethintedhandoffthrottlekb "
    "setinterdcstreamthroughput setlogginglevel setmaxhintwindow setsnapshotthrottle "
    "setstreamthroughput settimeout settraceprobability sjk statusautocompaction statusbackup "
    "statusbinary statusgossip statushandoff stop stopdaemon tablehistograms toppartitions "
    "truncatehints updatecidrgroup upgradesstables verify viewbuildstatus ";

static const char globals[] =
    "nodetool [(-h <host> | --host <host>)] [(-p <port> | --port <port>)]\n"
    "        [(-pp | --print-port)] [(-pw <password> | --password <password>)]\n"
    "        [(-pwf <passwordFilePath> | --password-file <passwordFilePath>)]\n"
    "        [(-u <username> | --username <username>)] [--project <folder>]\n"
    "        [--data <path>]";

static const struct command *command_named(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    return NULL;
}

static int refuse(const char *name)
{
    char word[128];
    snprintf(word, sizeof(word), " %.100s ", name);
    if (!strchr(name, ' ') && strstr(theirs, word))
        return nodetool_wrong("%s is not available in this version of sluice", name);
    return nodetool_wrong("Found unexpected parameters: [%s]", name);
}

static int help(const char *name)
{
    const struct command *c = name ? command_named(name) : NULL;
    if (name && !c) return refuse(name);
    if (c) {
        printf("NAME\n        nodetool %s - %s\n\nSYNOPSIS\n        %s %s %s\n", c->name, c->about,
               globals, c->name, c->usage);
        return 0;
    }
    printf(
        "usage: %s\n        <command> [<args>]\n\nThe most commonly used nodetool commands are:\n",
        globals);
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        printf("    %-35s %s\n", commands[i].name, commands[i].about);
    printf("    %-35s %s\n", "help", "Display help information");
    printf("\nSee 'nodetool help <command>' for more information on a specific command.\n");
    return 0;
}

/* --- words --------------------------------------------------------------------------------------
 */

static const struct cli_option ours[] = {{"--project", "DIR", ""}, {"--data", "PATH", ""}};
static const struct {
    const char *name;
    bool value;
    const char *command; /* NULL: of all, and without effect */
} options[] = {
    {"-h", true, NULL},
    {"--host", true, NULL},
    {"-p", true, NULL},
    {"--port", true, NULL},
    {"-u", true, NULL},
    {"--username", true, NULL},
    {"-pw", true, NULL},
    {"--password", true, NULL},
    {"-pwf", true, NULL},
    {"--password-file", true, NULL},
    {"-pp", false, NULL},
    {"--print-port", false, NULL},
    {"--ssl", false, NULL},
    {"-r", false, "status"},
    {"--resolve-ip", false, "status"},
    {"-r", false, "ring"},
    {"--resolve-ip", false, "ring"},
    {"-T", false, "info"},
    {"--tokens", false, "info"},
    {"-t", true, "snapshot"},
    {"--tag", true, "snapshot"},
    {"-sf", false, "snapshot"},
    {"--skip-flush", false, "snapshot"},
    {"-t", true, "clearsnapshot"},
    {"--tag", true, "clearsnapshot"},
    {"--all", false, "clearsnapshot"},
    {"-H", false, "tablestats"},
    {"--human-readable", false, "tablestats"},
    {"-H", false, "cfstats"},
    {"--human-readable", false, "cfstats"},
    {"-F", true, "tablestats"},
    {"--format", true, "tablestats"},
    {"-F", true, "cfstats"},
    {"--format", true, "cfstats"},
    {"-H", false, "compactionstats"},
    {"-pr", false, "repair"},
    {"--partitioner-range", false, "repair"},
    {"-full", false, "repair"},
    {"--full", false, "repair"},
    {"-seq", false, "repair"},
    {"--sequential", false, "repair"},
    {"-j", true, "cleanup"},
    {"--jobs", true, "cleanup"},
    {"-j", true, "repair"},
};

static int find_option(const char *word, const struct command *c)
{
    for (size_t i = 0; i < COUNT_OF(options); i++)
        if (strcmp(options[i].name, word) == 0 &&
            (!options[i].command || (c && strcmp(options[i].command, c->name) == 0)))
            return (int)i;
    return -1;
}

static int missing_value(const char *option)
{
    return nodetool_wrong("Required values for option '%s' not provided", option);
}

struct parsing {
    const struct command *command;
    const char *name, *help; /* help: what about; "": all */
    struct args project;
};

/* One option or word; *at moves past the option's value. 0, or the exit code. */
static int take_word(struct nodetool *n, struct parsing *p, const struct args *a, int *at)
{
    const char *word = a->words[*at];
    int option = find_option(word, p->command);
    bool value = option >= 0 && options[option].value;
    for (size_t i = 0; i < COUNT_OF(ours); i++) {
        if (strcmp(word, ours[i].name) != 0) continue;
        if (*at + 1 >= a->word_count) return missing_value(word);
        p->project.given[p->project.given_count].option = &ours[i];
        p->project.given[p->project.given_count++].value = a->words[++*at];
        return 0;
    }
    if (value && *at + 1 >= a->word_count) return missing_value(word);
    if (value) ++*at;
    if (option >= 0 && !options[option].command) return 0;
    if (option >= 0) {
        if (strcmp(word, "-t") == 0 || strcmp(word, "--tag") == 0) n->tag = a->words[*at];
        if (strcmp(word, "-F") == 0 || strcmp(word, "--format") == 0) n->format = a->words[*at];
        n->all |= strcmp(word, "--all") == 0;
        n->human |= strcmp(word, "-H") == 0 || strcmp(word, "--human-readable") == 0;
        return 0;
    }
    if (strncmp(word, "-D", 2) == 0 && !p->name) return 0; /* Java's */
    if (!p->name) {
        p->name = word;
        p->command = command_named(word);
        if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0) p->help = "";
        return p->command || p->help ? 0 : refuse(word);
    }
    if (p->help)
        p->help = word;
    else if (n->count >= p->command->words_max)
        return nodetool_wrong("Found unexpected parameters: [%s]", word);
    else
        n->words[n->count++] = word;
    return 0;
}

/* From the command line, else the environment: SLUICE_PROJECT, SLUICE_DATA. */
static void from_environment(struct args *project)
{
    static const char *const names[] = {"SLUICE_PROJECT", "SLUICE_DATA"};
    for (size_t i = 0; i < COUNT_OF(ours); i++) {
        const char *value = getenv(names[i]);
        if (!value || !*value || args_has(project, ours[i].name)) continue;
        project->given[project->given_count].option = &ours[i];
        project->given[project->given_count++].value = value;
    }
}

int tool_nodetool(const struct verb *v, const struct args *a)
{
    struct nodetool n = {.count = 0};
    struct parsing p = {.command = NULL};
    struct diag d;
    int code = 0;
    (void)v;
    if (a->word_count > ARGS_MAX / 2) return nodetool_wrong("too many words");
    for (int i = 0; i < a->word_count && !code; i++) code = take_word(&n, &p, a, &i);
    if (code) return code;
    if (!p.name || p.help) return help(p.help && *p.help ? p.help : NULL);
    from_environment(&p.project);
    if (tables_open(&p.project, false, &n.session, &d)) {
        fprintf(stderr, "nodetool: Failed to connect to '127.0.0.1:7199' - ConnectException: "
                        "'Connection refused'.\n");
        fprintf(stderr, "  because %s\n  hint: %s\n", d.what,
                d.hint[0] ? d.hint : "name the project: --project DIR or SLUICE_PROJECT=DIR");
        return 1;
    }
    code = p.command->run(&n);
    if (fflush(stdout) != 0) code = 2;
    tables_close(&n.session);
    return code;
}
