/* Every command of sluice, a row each. */
#include "main/cli.h"
#include "main/cql/start.h"
#include "main/kafka/tools.h"
#include "main/tables/tables.h"
#include "main/workflows/desk.h"

#define OPTIONS(...)                                                                               \
    (const struct cli_option[])                                                                    \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            NULL, NULL, NULL                                                                       \
        }                                                                                          \
    }
#define JSON_OPTION                                                                                \
    {                                                                                              \
        "--json", NULL, "JSON for scripts"                                                         \
    }

const struct verb verbs[] = {
    {"up", "[DIR] [--data PATH] [--set KEY=VALUE …]",
     "run a project: everything, with a live display",
     "Runs the project in DIR (the current folder) until Ctrl-C or SIGTERM, which end it cleanly; "
     "the next start goes on where it was. "
     "On a terminal a live display shows stages, rates, lag, dead letters and memory; otherwise "
     "plain log lines come on standard error.",
     OPTIONS(
         {"--plain", NULL, "log lines instead of the display"},
         {"--drain", NULL,
          "end when the sources have ended and every stream has caught up; with exit code 1 where "
          "one has failed"}),
     true, verb_up},
    {"plan", "[DIR] [--sample N] [--offline] [--strict] [--json]",
     "check a project end to end, and say what starting it would change",
     "Resolves every name and type of pipeline.sql without starting anything, looks at a sample of "
     "each source (the topic's last records, else the source's live answer, else the generator or "
     "the fixtures), runs it through the streams, and tells what it finds: a code, a place, a "
     "sentence, a fix; `sluice help findings` lists the codes. Exit code 1 for errors; with "
     "--strict for warnings too.",
     OPTIONS({"--sample", "N", "so many records a topic; 100"},
             {"--offline", NULL, "ask no source: the topic's records, the generator, the fixtures"},
             {"--strict", NULL, "warnings fail too"},
             {"--run-commands", NULL, "run the commands of TRANSFORM on the sample too"},
             JSON_OPTION),
     true, verb_plan},
    {"test", "[DIR] [NAME]", "run the project's fixtures",
     "Each tests/*.yaml names a stream, records, and the rows and dead letters they must give. "
     "Exit code 1 when one differs.",
     NULL, true, verb_test},
    {"import", "DIR [--into OUT]", "make a project of a docker-compose, Airflow, Spark one",
     "Reads DIR (docker-compose.yml, dags/*.py, the Spark program, the producer) by its tokens and "
     "runs nothing of it; tells its known defects with file and line, and writes pipeline.sql, "
     "dags.yaml, connections.yaml, sluice.yaml, a fixture where records lie there, and IMPORT.md: "
     "what was understood, what was not, which passwords stand there in clear (none is copied). "
     "Exit code 0: all was understood, 1: something is left to you.",
     OPTIONS({"--into", "OUT",
              "the new project's folder: one that is not there, or empty; "
              "NAME-sluice"}),
     false, verb_import},
    {"query", "['SQL']", "run statements; without one, a shell: CQL, its history and completion",
     "At a terminal the shell talks CQL to the running server's door, or to any Cassandra by "
     "--host; HELP in it lists its commands. With a statement, or lines from standard input, it "
     "talks to the running server of the project, or opens its data when none runs. Rows come as a "
     "table; --format changes that. WATCH [LAST n] SELECT …, or SELECT … EMIT CHANGES, shows the "
     "tail of topics live until Ctrl-C: rows as they come; of groups the whole table on a "
     "terminal, "
     "else the rows that changed.",
     OPTIONS({"--format", "FORMAT", "table, json, csv or expand"}, JSON_OPTION,
             {"--keyspace", "NAME", "as after USE NAME"}, SHELL_OPTIONS,
             {"--no-color", NULL, "no colours in the shell"}),
     true, verb_query},
    {"tables",
     "[list | describe | sizes | compact | flush | snapshot | snapshots | clear-snapshot | export "
     "| "
     "import] [KEYSPACE.TABLE | NAME] [FILE]",
     "what is stored, how much, and its upkeep: compaction, snapshots, rows to files and back",
     "Talks to the running server of the project, or opens its data when none runs. import ends "
     "with 1 when rows were refused; they are in FILE.rejected. FILE '-' is standard input or "
     "output.",
     OPTIONS({"--format", "FORMAT", "for export and import: csv or json (an object a line)"},
             JSON_OPTION),
     true, verb_tables},
    {"status", "", "what runs, since when, healthy or not and why",
     "Exit code 0: healthy, 1: something is wrong, 3: nothing runs (what is on disk is shown).",
     OPTIONS(JSON_OPTION), true, verb_look},
    {"streams",
     "[NAME | list | describe NAME | pause NAME | resume NAME | restart NAME | reset NAME | drop "
     "NAME]",
     "the streams: lag, rows, watermark, state, ledger, operators; and steering them",
     "Exit code 1 when one has failed or a ledger does not balance. --json: the last epoch in the "
     "field names of Spark's StreamingQueryProgress, a stream a line. reset: it forgets its "
     "cursor, state, ledger and dead letters and begins anew. drop: what a stream has left that "
     "pipeline.sql declares no more. Both ask first.",
     OPTIONS(JSON_OPTION, {"--recent", NULL, "as JSON: the last hundred epochs of each"},
             {"--yes", NULL, "do not ask"}),
     true, verb_streams},
    {"top", "", "what uses the memory and the processor, by stage", "", NULL, true, verb_look},
    {"dead", "[STAGE | mend STREAM | replay STREAM | forget STAGE]",
     "the dead letters: records that could not be used, and why; mended and replayed",
     "A record is set aside with the reason, the check it failed and its bytes; its neighbours go "
     "on. mend gives letters other bytes; replay lets them go through their stream once more as "
     "the records they were, each once: those that fail again stay. forget removes them. In SQL: "
     "SELECT * FROM dead_letters. Exit code 1 when a letter could not be mended.",
     OPTIONS({"--limit", "N", "show the newest N (1,000); 0: all"}, JSON_OPTION,
             {"--where", "CONDITION",
              "only letters for which this SQL over the columns of dead_letters is true: \"code = "
              "'CAST' AND reason LIKE '%postcode%'\"; or FIELD=VALUE of topic, partition, offset, "
              "code, column, or reason (a part of it); several times"},
             {"--offset", "N", "the same as --where offset=N"},
             {"--set", "PATH=VALUE",
              "for mend: this value in the record's JSON: 'a.b=1', 'list[0]=null', 'name=Ann'; "
              "several times"},
             {"--command", "CMD",
              "for mend: a command of your shell that reads the bytes and writes others"},
             {"--yes", NULL, "do not ask"}),
     true, verb_dead},
    {"why", "TABLE KEY … | TOPIC PARTITION OFFSET",
     "where a row came from, step by step; or where a record went, or why nowhere",
     "A row (of KEYSPACE.TABLE, each key column a word) is followed back to its stream, epoch, "
     "record and fetch, a record forward to its rows or the reason there are none: the predicate, "
     "the dead letter, who overwrote it. Each step says whether it is stored, recomputed by "
     "today's SQL, or no longer knowable and what removed it. A row of several records (groups, "
     "windows, joins, top-n, DISTINCT) is explained by running the recorded epochs again for its "
     "key, and compared with what is stored: exit code 1 when it differs and nothing explains it. "
     "Ctrl-C ends it.",
     OPTIONS({"--records", "N", "show a row's first and last N records (5)"},
             {"--all", NULL, "show up to 20,000 of them"}, JSON_OPTION),
     true, verb_why},
    {"replay", "STREAM", "what a stream's SQL, or a changed one, would make of the records there",
     "Runs all records that retention has left through the SQL into a shadow table, beside the "
     "running stream, and shows which rows are added, removed or changed, with their columns "
     "before and after. The shadow goes afterwards.",
     OPTIONS({"--sql", "FILE", "the changed SQL: a pipeline.sql that declares the stream"},
             {"--from", "PLACE", "an offset of each partition, or a time: 2026-11-21T08:00:00Z"},
             {"--to", "PLACE", "up to it, without it"},
             {"--keep", NULL, "keep the shadow: KEYSPACE.replay_TABLE"}, JSON_OPTION),
     true, verb_replay},
    {"dags",
     "[list | show DAG | trigger DAG | test DAG | pause DAG | unpause DAG | state DAG [RUN] | "
     "next-execution DAG | backfill DAG | delete DAG | list-import-errors]",
     "the workflows of dags.yaml and dags/: when they run, started and stopped by hand",
     "Works on the workflows' database; a server that runs is woken. test waits for the run's end; "
     "exit code 1 when it failed. Airflow's own command line: link this program as airflow.",
     OPTIONS(
         JSON_OPTION, {"--conf", "JSON", "for trigger and backfill: the run's conf"},
         {"--run-id", "ID", "for trigger: the run's id"},
         {"--logical-date", "DATE", "for trigger: its logical date"},
         {"--note", "TEXT", "for trigger: a note on the run"},
         {"--wait", NULL, "for trigger: until it has ended"},
         {"--from", "DATE", "for backfill: the first logical date"},
         {"--to", "DATE", "for backfill: the last"},
         {"--dry-run", NULL, "for backfill: only show its dates"},
         {"--reprocess", "WHAT", "for backfill: runs that are there: none, failed or completed"},
         {"--max-active-runs", "N", "for backfill: so many at once"},
         {"--backwards", NULL, "for backfill: the newest date first"},
         {"--num-executions", "N", "for next-execution: so many"}, {"--yes", NULL, "do not ask"}),
     true, verb_dags},
    {"runs",
     "[list [DAG] | show DAG [RUN] | wait DAG [RUN] | clear DAG RUN | mark DAG RUN STATE | delete "
     "DAG RUN]",
     "runs of dags: how they went; running again, marking, deleting",
     "RUN is a run's id, a logical date, or latest.",
     OPTIONS(JSON_OPTION, {"--dag-id", "DAG", "for list"},
             {"--state", "STATE", "for list: queued, running, success or failed"},
             {"--limit", "N", "for list: the newest N (1,000)"},
             {"--only-failed", NULL, "for clear: what has failed"},
             {"--dry-run", NULL, "for clear: only show what would be"},
             {"--yes", NULL, "do not ask"}),
     true, verb_runs},
    {"tasks",
     "[list DAG | state DAG TASK [RUN] | states-for-dag-run DAG [RUN] | logs DAG TASK [RUN] | "
     "clear DAG [TASK] | mark DAG TASK RUN STATE | run DAG TASK [RUN] | test DAG TASK [DATE]]",
     "tasks of dags: states, logs, clearing, marking, trying one alone",
     "RUN is a run's id, a logical date, or latest.",
     OPTIONS(JSON_OPTION, {"--run", "RUN", "for logs and clear: in this run"},
             {"--map-index", "N", "of a mapped task"}, {"--try", "N", "for logs: this try"},
             {"--follow", NULL, "for logs: and what comes"},
             {"--from", "DATE", "for clear: logical dates from"},
             {"--to", "DATE", "for clear: logical dates to"},
             {"--task-regex", "REGEX", "for clear: tasks in whose id it is found"},
             {"--downstream", NULL, "with what follows"},
             {"--upstream", NULL, "with what comes before"},
             {"--past", NULL, "in earlier runs too"}, {"--future", NULL, "in later runs too"},
             {"--only-failed", NULL, "for clear: what has failed"},
             {"--only-running", NULL, "for clear: what runs"},
             {"--force", NULL, "for run: also when it has ended"},
             {"--mark-success", NULL, "for run: only say that it succeeded"},
             {"--dry-run", NULL, "only show what would be"}, {"--yes", NULL, "do not ask"}),
     true, verb_tasks},
    {"pools",
     "[list | get POOL | set POOL SLOTS [DESCRIPTION] | delete POOL | import FILE | export FILE]",
     "pools: how many tasks of a kind run at once", "",
     OPTIONS(JSON_OPTION, {"--include-deferred", NULL, "for set: count deferred tasks too"}), true,
     verb_pools},
    {"connections", "[list | get ID | add ID | delete ID | import FILE | export FILE]",
     "connections of workflows: addresses and logins, sealed where they rest", "",
     OPTIONS(JSON_OPTION, {"--conn-type", "TYPE", "http, spark, postgres …"},
             {"--conn-host", "HOST", "its host"}, {"--conn-port", "PORT", "its port"},
             {"--conn-login", "NAME", "who logs in"},
             {"--conn-password", "PASSWORD", "the password"},
             {"--conn-schema", "NAME", "the schema or database"},
             {"--conn-extra", "JSON", "what else its kind wants"},
             {"--conn-uri", "URI", "all of it in one address"},
             {"--conn-json", "JSON", "all of it as JSON"},
             {"--conn-description", "TEXT", "what it is for"},
             {"--show-values", NULL, "for get: with its secrets"}),
     true, verb_connections},
    {"variables", "[list | get KEY | set KEY VALUE | delete KEY | import FILE | export FILE]",
     "variables of workflows, sealed where they rest", "",
     OPTIONS(JSON_OPTION, {"--default", "VALUE", "for get: where there is none"},
             {"--description", "TEXT", "for set: what it is for"},
             {"--json-value", NULL, "for set: the value must be JSON"}),
     true, verb_variables},
    {"logs", "[ROOM]", "the log, by room and level",
     "Shows the running server's last lines; of a stopped one, the file the display wrote.",
     OPTIONS({"--follow", NULL, "and those that come"},
             {"--level", "LEVEL",
              "debug, info, warn or error; ROOM=LEVEL changes what the server logs"}),
     true, verb_logs},
    {"pause", "STAGE", "stop a stream or source for a while", "", NULL, true, verb_act},
    {"resume", "STAGE", "let it go on", "", NULL, true, verb_act},
    {"restart", "STAGE", "stop it and start it anew from its last commit", "", NULL, true,
     verb_act},
    {"topics", "[list | describe | config | create | delete | grow | trim] [TOPIC …]",
     "the log's topics: look at them, make, change and delete them",
     "Talks to this project's server, or to any Kafka cluster by --brokers.",
     OPTIONS({"--partitions", "N", "for create and grow"},
             {"--config", "NAME=VALUE", "a setting, for create and config; Kafka's names"},
             {"--default", "NAME", "for config: back to the default"},
             {"--before", "OFFSET", "for trim: records below it go; end: all of them"},
             {"--all", NULL, "for describe and config: the defaults too"},
             {"--internal", NULL, "for list: the coordinators' topics too"},
             {"--if-not-exists", NULL, "for create: fine when it is there"},
             {"--yes", NULL, "do not ask"}, JSON_OPTION, SESSION_OPTIONS),
     true, verb_topics},
    {"groups", "[list | describe | members | reset | delete | forget] [GROUP …]",
     "consumer groups: who reads, how far behind; and moving them",
     "reset shows where a group would stand, and changes it with --execute. Talks to this "
     "project's "
     "server, or to any Kafka cluster by --brokers.",
     OPTIONS({"--to", "PLACE",
              "for reset: earliest, latest, current, an offset, +N or -N from where it stands, a "
              "time: 2026-11-21T08:00:00Z"},
             {"--topic", "TOPIC[:0,1]", "for reset and forget: only there; several times"},
             {"--execute", NULL, "for reset: change it"}, {"--yes", NULL, "do not ask"},
             JSON_OPTION, SESSION_OPTIONS),
     true, verb_groups},
    {"produce", "TOPIC", "lines or JSON records from standard input, into a topic",
     "Every record is acknowledged by the log before the command ends with 0; what is sent again "
     "after a broken connection is not written twice. --json reads what `sluice consume --json` "
     "prints: {\"key\": …, \"value\": …, \"headers\": [{\"key\": …, \"value\": …}], "
     "\"partition\": …, \"timestamp\": …}, all but value optional, bytes as {\"base64\": …}.",
     OPTIONS({"--json", NULL, "a JSON record a line"},
             {"--key-separator", "TEXT", "lines are KEY TEXT VALUE"},
             {"--codec", "CODEC", "none, gzip, snappy, lz4 or zstd"},
             {"--file", "FILE", "instead of standard input"},
             {"--rate", "N", "not more records a second"}, SESSION_OPTIONS),
     true, verb_produce},
    {"consume", "TOPIC", "a topic's records, those that come; or those that are there",
     "Follows the topic until Ctrl-C. Values that are no text are shown as <base64 …>, in JSON as "
     "{\"base64\": …}.",
     OPTIONS({"--from", "PLACE",
              "beginning, end, an offset, -N (N before the end), a time: 2026-11-21T08:00:00Z"},
             {"--until", "end", "end where the topic ended when the command began"},
             {"--count", "N", "end after so many"}, {"--partition", "N", "only this one"},
             {"--group", "GROUP", "as a member: partitions are shared out, positions are kept"},
             {"--committed", NULL, "nothing of open or aborted transactions"},
             {"--keys", NULL, "the key, a tab, the value"}, JSON_OPTION, SESSION_OPTIONS),
     true, verb_consume},
    {"reset", "[DIR]",
     "start over: removes tables, topics and cursors of a project that does not run",
     "Shows what goes, in numbers, and asks. Users stay.",
     OPTIONS(
         {"--stage", "NAME",
          "only this stream or source: its cursor, ledger and dead letters; rows and topics stay"},
         {"--keep-topics", NULL, "keep the topics: the streams read them again from the start"},
         {"--yes", NULL, "do not ask"}),
     true, verb_reset},
    {"users", "[list | add NAME | passwd NAME | role NAME ROLE | remove NAME]",
     "people, roles, passwords, for all doors",
     "The password is read from the terminal, or as one line from standard input. Roles: admin, "
     "op, user, viewer, none.",
     OPTIONS({"--role", "ROLE", "for add: admin, op, user, viewer or none (viewer)"}, JSON_OPTION),
     true, verb_users},
    {"doctor", "[DIR]", "what is wrong with this machine, project or running server, with the fix",
     "Exit code 1 when something needs a person.",
     OPTIONS({"--bundle", "FILE",
              "write a support file: versions, settings, status and log, secrets left out"}),
     true, verb_doctor},
    {"api", "[--port PORT]", "the RandomUser-compatible API alone",
     "The same people for the same seed, offline.",
     OPTIONS(
         {"--port", "PORT", "8000; 0 takes a free one"}, {"--address", "ADDRESS", "127.0.0.1"},
         {"--rate-limit", NULL, "429 past 20,000 users in five minutes, as the public site"},
         {"--fault", "FAULT",
          "answer every request with a fault of the real site; `sluice help faults` lists them"}),
     false, verb_api},
    {"link-tools", "DIR",
     "names of Kafka's and Cassandra's tools in a folder, that lead to this program",
     "kafka-topics, kafka-console-consumer, cqlsh and the others, also with .sh: lines of "
     "tutorials "
     "work as they stand. `sluice help tools` lists them.",
     NULL, false, verb_link_tools},
    {"help", "[COMMAND | settings | functions | sources | faults | kafka | cql-wire | tools]",
     "this list, or one command's help", "",
     OPTIONS({"--markdown", NULL, "as a page of docs/"}, {"--man", NULL, "the manual page"}), false,
     verb_help},
    {"version", "", "the version, and what it was built with", "", NULL, false, verb_version},
    {"completion", "bash | zsh", "completion for your shell",
     "bash: source <(sluice completion bash)", NULL, false, verb_completion},
};
const size_t verb_count = COUNT_OF(verbs);
