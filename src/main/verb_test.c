/* test: the project's fixtures. tests/NAME.yaml:
 *
 *     stream: load_users
 *     records:                       # what stands in the topic: JSON texts, or maps that become
 * JSON
 *       - '{"login": {"uuid": "8e7f…"}, "name": {"first": "Elaine"}}'
 *     rows:                          # what must be in the table, in the records' order
 *       - {id: 8e7f…, first_name: Elaine, postcode: null}
 *     dead:                          # which records die (from 0), and a part of the reason
 *       - {record: 1, reason: no valid JSON}
 *     filtered: 0                    # how many WHERE and CHECK … SKIP leave out; may be left out
 */
#include "main/cli.h"

#include "exec/report.h"
#include "main/fixture.h"
#include "main/server.h"
#include "main/yaml.h"
#include "os/clock.h"
#include "os/file.h"

#include <stdio.h>

enum { FIXTURE_RECORDS_MAX = 10000, FIXTURE_BYTES_MAX = 64 << 20, FIXTURE_ARENA_MAX = 512 << 20 };

struct fixture {
    const char *path;
    struct doc root;
    struct arena *arena;
    const struct plan_stream *plan;
    const struct doc *rows, *dead;
    uint32_t rows_seen, dead_seen;
    struct buf wrong; /* what differs, for the person */
};

struct run {
    struct project *project;
    const char *wanted; /* one fixture's name; NULL: all */
    char dir[PROJECT_PATH_MAX];
    uint32_t passed, failed;
};

static uint32_t items(const struct doc *list)
{
    return list && list->kind == DOC_LIST ? list->count : 0;
}

static struct slice written(const struct doc *v)
{
    return v ? v->written : (struct slice){0};
}

/* --- records: JSON from YAML ------------------------------------------------------------------ */

/* A number keeps its digits: 1.50, and those that no number of ours could hold. */
static void put_number(const struct doc *v, struct buf *out)
{
    struct slice s = v->written;
    bool sign = s.len > 1 && s.at[0] == '-';
    uint8_t first = s.len > sign ? s.at[sign] : 0, second = s.len > sign + 1U ? s.at[sign + 1] : 0;
    bool json = first >= '1' && first <= '9';
    if (first == '0') json = second == 0 || second == '.' || second == 'e' || second == 'E';
    for (uint32_t i = 0; i < s.len && json; i++)
        json = s.at[i] != '.' || (i + 1 < s.len && s.at[i + 1] >= '0' && s.at[i + 1] <= '9');
    if (json)
        buf_slice(out, s);
    else
        doc_put_json(out, v);
}

static void put_json(const struct doc *v, struct buf *out)
{
    bool is_list = v->kind == DOC_LIST;
    if (v->kind == DOC_INT || v->kind == DOC_FLOAT) {
        put_number(v, out);
    } else if (is_list || v->kind == DOC_MAP) {
        buf_char(out, is_list ? '[' : '{');
        for (uint32_t i = 0; i < v->count; i++) {
            if (i) buf_char(out, ',');
            if (!is_list) json_put_text(out, v->entries[i].name);
            if (!is_list) buf_char(out, ':');
            put_json(is_list ? &v->items[i] : &v->entries[i].value, out);
        }
        buf_char(out, is_list ? ']' : '}');
    } else {
        doc_put_json(out, v);
    }
}

/* A text is the record as it is, so that a fixture can hold what is no JSON; anything else becomes
 * JSON. */
static err_t record_text(struct fixture *f, const struct doc *v, struct slice *out)
{
    struct buf text = buf_make(FIXTURE_BYTES_MAX);
    if (v->kind == DOC_LIST || v->kind == DOC_MAP)
        put_json(v, &text);
    else
        buf_slice(&text, v->written);
    size_t len = text.len;
    for (int i = 0; i < JSON_PADDING; i++) buf_char(&text, 0);
    err_t e = text.err;
    *out = e ? (struct slice){0} : arena_slice(f->arena, buf_view(&text));
    out->len = (uint32_t)len;
    buf_done(&text);
    return e ? e : out->at ? ERR_OK : ERR_NO_MEMORY;
}

/* --- comparing
 * --------------------------------------------------------------------------------------------------------
 */

static void check_cell(struct fixture *f, uint32_t row, struct slice name, const struct doc *wanted,
                       const struct column *outputs)
{
    struct buf got = buf_make(FIXTURE_BYTES_MAX);
    struct value v = {.state = NULL_VALUE};
    struct slice text = wanted->written;
    uint32_t c = 0;
    while (c < f->plan->root->column_count && !slice_equal(f->plan->root->columns[c].name, name))
        c++;
    if (c < f->plan->root->column_count) column_get(&outputs[c], row, &v);
    if (v.state == VALID_VALUE)
        value_to_text(&v, &got);
    else
        buf_text(&got, "null");
    if (c == f->plan->root->column_count)
        buf_printf(&f->wrong, "    row %u: the stream writes no column %.*s\n", f->rows_seen,
                   SLICE_ARG(name));
    else if (!slice_equal(buf_view(&got), text))
        buf_printf(&f->wrong, "    row %u: %.*s is %s, not %.*s\n", f->rows_seen, SLICE_ARG(name),
                   buf_cstr(&got), SLICE_ARG(text));
    buf_done(&got);
}

static err_t on_row(void *ctx, const struct column *outputs, uint32_t count, uint32_t row,
                    uint32_t record)
{
    struct fixture *f = ctx;
    (void)count;
    if (f->rows_seen >= items(f->rows)) {
        buf_printf(&f->wrong, "    record %u gives a row that is not expected\n", record);
    } else {
        const struct doc *wanted = &f->rows->items[f->rows_seen];
        for (uint32_t i = 0; wanted->kind == DOC_MAP && i < wanted->count; i++)
            check_cell(f, row, wanted->entries[i].name, &wanted->entries[i].value, outputs);
    }
    f->rows_seen++;
    return ERR_OK;
}

/* What is expected of a record's death; NULL: that it lives. They die in no particular order. */
static const struct doc *death_of(struct fixture *f, uint32_t record)
{
    uint64_t number;
    for (uint32_t i = 0; i < items(f->dead); i++) {
        const struct doc *wanted = &f->dead->items[i];
        bool known = slice_to_u64(written(doc_get(wanted, "record")), &number);
        if (known && number == record) return wanted;
    }
    return NULL;
}

static err_t on_dead(void *ctx, uint32_t record, struct slice reason, struct slice expression)
{
    struct fixture *f = ctx;
    const struct doc *wanted = death_of(f, record);
    struct slice part = written(doc_get(wanted, "reason"));
    char *text = arena_printf(f->arena, "%.*s %.*s", SLICE_ARG(reason), SLICE_ARG(expression));
    char *word = arena_text(f->arena, part);
    f->dead_seen += wanted != NULL;
    if (!text || !word) return ERR_NO_MEMORY;
    if (!wanted)
        buf_printf(&f->wrong, "    record %u dies, which is not expected: %s\n", record, text);
    else if (!strstr(text, word))
        buf_printf(&f->wrong, "    record %u dies because of '%s', not '%s'\n", record, text, word);
    return ERR_OK;
}

static void check_counts(struct fixture *f, const struct ledger *l)
{
    uint64_t filtered = 0;
    const struct doc *wanted = doc_get(&f->root, "filtered");
    if (f->rows_seen < items(f->rows))
        buf_printf(&f->wrong, "    %u rows, not %u\n", f->rows_seen, items(f->rows));
    if (f->dead_seen < items(f->dead))
        buf_printf(&f->wrong, "    %u records died, not %u\n", f->dead_seen, items(f->dead));
    if (wanted && (!slice_to_u64(wanted->written, &filtered) || filtered != l->filtered))
        buf_printf(&f->wrong, "    %llu records were filtered, not %.*s\n",
                   (unsigned long long)l->filtered, SLICE_ARG(wanted->written));
    if (ledger_balanced(l)) return;
    buf_text(&f->wrong, "    the ledger does not balance: ");
    report_ledger(&f->wrong, l);
    buf_char(&f->wrong, '\n');
}

static const struct plan_stream *find_plan(const struct project *p, struct slice name)
{
    for (size_t i = 0; i < p->streams.count; i++) {
        const struct project_stream *s = vec_at(&p->streams, i);
        if (slice_equal(s->plan.name, name)) return &s->plan;
    }
    return NULL;
}

static err_t run_records(struct fixture *f, struct diag *d)
{
    const struct doc *records = doc_get(&f->root, "records");
    uint32_t count = items(records);
    struct ledger ledger = {0};
    struct trial trial = {f, on_row, on_dead};
    if (count == 0 || count > FIXTURE_RECORDS_MAX) {
        (void)diag_fail(d, ERR_CONFIG, "a fixture has 1 to %d records", FIXTURE_RECORDS_MAX);
        return yaml_where(f->path, f->root.line, f->root.column, d);
    }
    struct slice *texts = arena_take(f->arena, count * sizeof(*texts));
    err_t e = texts ? ERR_OK : ERR_NO_MEMORY;
    for (uint32_t i = 0; i < count && !e; i++) e = record_text(f, &records->items[i], &texts[i]);
    if (e) return diag_fail(d, e, "the fixture's records are too large");
    const struct trial_topic topic = {texts, count};
    if (f->plan->topic_count != 1)
        return diag_fail(d, ERR_UNSUPPORTED, "stream '%.*s' reads %u topics: a fixture has one",
                         SLICE_ARG(f->plan->name), f->plan->topic_count);
    e = stream_trial(f->plan, &topic, NULL, clock_wall_ms(), &trial, &ledger, d);
    if (!e) check_counts(f, &ledger);
    return e;
}

static err_t run_fixture(struct run *run, struct fixture *f, struct diag *d)
{
    const struct doc *stream = doc_get(&f->root, "stream");
    if (!stream) return diag_fail(d, ERR_CONFIG, "a fixture names its stream: 'stream: NAME'");
    f->plan = find_plan(run->project, stream->written);
    if (!f->plan) {
        (void)diag_fail(d, ERR_UNKNOWN_STREAM, "pipeline.sql has no stream '%.*s'",
                        SLICE_ARG(stream->written));
        return yaml_where(f->path, stream->line, stream->column, d);
    }
    f->rows = doc_get(&f->root, "rows");
    f->dead = doc_get(&f->root, "dead");
    return run_records(f, d);
}

static err_t on_file(void *ctx, const char *name)
{
    struct run *run = ctx;
    struct diag d = {.err = ERR_OK};
    char path[PROJECT_PATH_MAX + 256];
    struct fixture f = {
        .path = path, .wrong = buf_make(MIB(1)), .arena = arena_new(FIXTURE_ARENA_MAX)};
    const char *dot = strrchr(name, '.');
    size_t stem = dot ? (size_t)(dot - name) : strlen(name);
    if (!dot || (strcmp(dot, ".yaml") != 0 && strcmp(dot, ".yml") != 0)) return ERR_OK;
    if (run->wanted && (strlen(run->wanted) != stem || strncmp(run->wanted, name, stem) != 0))
        return ERR_OK;
    snprintf(path, sizeof(path), "%s/%s", run->dir, name);
    err_t e = f.arena ? yaml_load(path, YAML_BYTES_MAX, f.arena, &f.root, &d)
                      : diag_fail(&d, ERR_NO_MEMORY, "no memory for %s", name);
    if (!e) e = run_fixture(run, &f, &d);
    bool fine = !e && !f.wrong.len;
    printf("%s %.*s\n%s", fine ? "passed" : "FAILED", (int)stem, name, e ? "" : buf_cstr(&f.wrong));
    if (e) cli_fail(&d);
    fine ? run->passed++ : run->failed++;
    buf_done(&f.wrong);
    arena_free(f.arena);
    return ERR_OK;
}

/* --- for `sluice plan` --------------------------------------------------------------------------
 */

struct collecting {
    struct run run;
    struct slice topic;
    bool (*each)(void *ctx, struct slice record);
    void *ctx;
};

static err_t collect_file(struct collecting *c, struct fixture *f, struct diag *d)
{
    const struct doc *records = doc_get(&f->root, "records");
    const struct plan_stream *plan =
        find_plan(c->run.project, written(doc_get(&f->root, "stream")));
    if (!plan || !plan->topic_count ||
        !slice_equal(plan->topics[0]->topic.relation->name, c->topic))
        return ERR_OK;
    f->dead = doc_get(&f->root, "dead");
    for (uint32_t i = 0; i < MIN(items(records), (uint32_t)FIXTURE_RECORDS_MAX); i++) {
        struct slice text;
        if (death_of(f, i)) continue;
        err_t e = record_text(f, &records->items[i], &text);
        if (e) return diag_fail(d, e, "the fixture's records are too large");
        if (!c->each(c->ctx, text)) break;
    }
    return ERR_OK;
}

static err_t on_collected(void *ctx, const char *name)
{
    struct collecting *c = ctx;
    struct diag d = {.err = ERR_OK};
    char path[PROJECT_PATH_MAX + 256];
    struct fixture f = {.path = path, .arena = arena_new(FIXTURE_ARENA_MAX)};
    const char *dot = strrchr(name, '.');
    if (!dot || (strcmp(dot, ".yaml") != 0 && strcmp(dot, ".yml") != 0)) {
        arena_free(f.arena);
        return ERR_OK;
    }
    snprintf(path, sizeof(path), "%s/%s", c->run.dir, name);
    err_t e = f.arena ? yaml_load(path, YAML_BYTES_MAX, f.arena, &f.root, &d) : ERR_NO_MEMORY;
    if (!e) e = collect_file(c, &f, &d);
    arena_free(f.arena);
    return e;
}

err_t fixture_records(struct project *p, struct slice topic,
                      bool (*each)(void *ctx, struct slice record), void *ctx, struct diag *d)
{
    struct collecting c = {.run = {.project = p}, .topic = topic, .each = each, .ctx = ctx};
    snprintf(c.run.dir, sizeof(c.run.dir), "%.*s/tests", PROJECT_PATH_MAX - 10, p->dir);
    return file_exists(c.run.dir) ? dir_list(c.run.dir, on_collected, &c, d) : ERR_OK;
}

int verb_test(const struct verb *v, const struct args *a)
{
    struct project p;
    struct catalog *catalog = NULL;
    struct run run = {.project = &p, .wanted = a->word_count > 1 ? a->words[1] : NULL};
    struct diag d;
    if (a->word_count > 2) return cli_usage(v, "one project, and one fixture's name");
    if (cli_project(a, a->word_count ? a->words[0] : NULL, &p, &d)) return cli_fail(&d);
    err_t e = catalog_new(NULL, NULL, &catalog);
    if (e) (void)diag_fail(&d, e, "no memory for the catalog");
    if (!e) e = project_check(&p, catalog, &d);
    snprintf(run.dir, sizeof(run.dir), "%.*s/tests", PROJECT_PATH_MAX - 10, p.dir);
    if (!e && !file_exists(run.dir)) {
        e = diag_fail(&d, ERR_NOT_FOUND, "%s has no folder tests", p.dir);
        (void)diag_hint(
            &d, "a fixture is tests/NAME.yaml with stream, records, rows and dead; see examples/");
    }
    if (!e) e = dir_list(run.dir, on_file, &run, &d);
    int code = e ? cli_fail(&d) : run.failed || !run.passed;
    if (!e) printf("%u passed, %u failed\n", run.passed, run.failed);
    catalog_free(catalog);
    project_close(&p);
    return code;
}
