/* Goal: lists answer what Airflow's would: filters, patterns, orders with what is not there last,
 * pages, totals; no text of a peer reaches a statement. Method: every column of every list is
 * asked for, sorted by and filtered by; then a table of queries over known rows. */
#include "sched/list.h"

#include "sched/connection.h"
#include "sched/meta_kit.h"
#include "sched/things.h"
#include "test.h"

#include <stdio.h>

static err_t count_rows(void *ctx, const struct meta_row *row)
{
    (void)row;
    ++*(int64_t *)ctx;
    return ERR_OK;
}

TEST(list_every_column_can_be_shown_and_its_filters_asked)
{
    struct diag d;
    struct meta *m = meta_kit_fresh();
    struct arena *a = arena_new(MIB(64));
    if (!m) return;
    for (enum list_kind k = 0; k < LIST_KINDS; k++) {
        int64_t rows = 0, total = 0;
        CHECK(list_width(k) > 0 && list_column(k, list_width(k)) == NULL);
        for (uint32_t i = 0; i < list_width(k); i++) {
            const struct list_column *c = list_column(k, i);
            CHECK_INT(list_place(k, c->name), i);
            struct meta_value v = c->type == LIST_TEXT || c->type == LIST_JSON
                                      ? meta_text(SLICE("x"))
                                      : meta_int(1),
                              values[] = {v, meta_null()};
            for (enum list_op op = LIST_IN; op <= LIST_LIKE; op++) {
                if (op == LIST_LIKE && v.kind != META_TEXT) continue;
                struct list_filter f = {c->name, op, values, op <= LIST_NOT_IN ? 2 : 1};
                struct list_ask ask = {.kind = k, .filters = &f, .filter_count = 1, .limit = 5};
                err_t e = list_run(m, &ask, count_rows, &rows, &total, &d);
                if (c->type == LIST_SEALED)
                    CHECK_INT(e, ERR_USAGE);
                else
                    CHECK_OK(e, &d);
            }
            struct list_ask ask = {.kind = k, .order_by = slice_of(c->name), .limit = LIST_WHOLE};
            err_t e = list_run(m, &ask, count_rows, &rows, &total, &d);
            CHECK(e == ERR_OK || e == ERR_USAGE);
        }
    }
    arena_free(a);
    meta_close(m);
}

static void fill(struct meta *m)
{
    meta_kit_do(m, "INSERT INTO dag (id, file, paused, active, hash, dag_version) VALUES"
                   " ('etl_users', 'dags.yaml', 0, 1, 1, 1), ('etl_old', 'dags.yaml', 1, 0, 1, 1),"
                   " ('Report', 'dags/r.yaml', 0, 1, 1, 1)");
    meta_kit_do(m, "INSERT INTO dag_tag (dag_id, name) VALUES ('etl_users', 'prod'),"
                   " ('etl_users', 'etl'), ('etl_old', 'etl')");
    meta_kit_do(m,
                "INSERT INTO dag_run (id, dag_id, run_id, run_type, state, logical, run_after,"
                " started_at, ended_at) VALUES"
                " (1, 'etl_users', 'a', 'scheduled', 'success', 1704067200000000, 1, 10, 2000010),"
                " (2, 'etl_users', 'b', 'manual', 'failed', 1704153600000000, 2, 20, 1000020),"
                " (3, 'etl_users', 'c', 'manual', 'running', NULL, 3, 30, NULL),"
                " (4, 'Report', 'a', 'scheduled', 'queued', 1704067200000000, 4, NULL, NULL)");
    meta_kit_do(m, "INSERT INTO task_instance (run, task_id, map_index, uuid, state, pool, slots,"
                   " weight) VALUES (1, 'x', -1, 'u1', 'success', 'default_pool', 1, 1),"
                   " (3, 'x', -1, 'u2', 'running', 'default_pool', 2, 1),"
                   " (3, 'y', 0, 'u3', 'queued', 'default_pool', 3, 1),"
                   " (3, 'y', 1, 'u4', NULL, 'default_pool', 1, 1)");
}

struct seen {
    char text[256];
    int column;
};
static err_t see(void *ctx, const struct meta_row *row)
{
    struct seen *s = ctx;
    size_t n = strlen(s->text);
    const struct meta_value *v = &row->at[s->column];
    if (v->kind == META_INT)
        snprintf(s->text + n, sizeof(s->text) - n, "%s%lld", n ? " " : "", (long long)v->number);
    else
        snprintf(s->text + n, sizeof(s->text) - n, "%s%.*s", n ? " " : "", SLICE_ARG(v->text));
    return ERR_OK;
}

/* "state=running&order_by=-id" as a door would take it apart. */
static void ask(struct meta *m, enum list_kind kind, const char *column, const char *query,
                const char *want, int64_t want_total)
{
    struct diag d;
    struct arena *a = arena_new(MIB(64));
    struct list_filter filters[8];
    struct list_ask q = {.kind = kind, .filters = filters, .limit = LIST_WHOLE};
    char text[512], *save = NULL;
    snprintf(text, sizeof(text), "%s", query);
    for (char *part = strtok_r(text, "&", &save); part; part = strtok_r(NULL, "&", &save)) {
        char *equal = strchr(part, '=');
        struct slice name = slice_make(part, (size_t)(equal - part)), value = slice_of(equal + 1);
        struct list_given g = {name, &value, 1};
        bool known = false;
        if (slice_is(name, "order_by"))
            q.order_by = value;
        else if (slice_is(name, "limit"))
            CHECK(slice_to_i64(value, &q.limit));
        else if (slice_is(name, "offset"))
            CHECK(slice_to_i64(value, &q.offset));
        else
            CHECK_OK(list_param(kind, &g, a, &filters[q.filter_count++], &known, &d), &d);
        CHECK(known || q.filter_count == 0 || slice_is(name, "order_by") ||
              slice_is(name, "limit") || slice_is(name, "offset"));
    }
    struct seen s = {.column = list_place(kind, column)};
    int64_t total = 0;
    CHECK_OK(list_run(m, &q, see, &s, &total, &d), &d);
    if (strcmp(s.text, want) != 0 || total != want_total)
        test_failed(__FILE__, __LINE__, "%s: '%s' of %lld, not '%s' of %lld", query, s.text,
                    (long long)total, want, (long long)want_total);
    arena_free(a);
}

TEST(list_answers_as_airflow_does)
{
    struct meta *m = meta_kit_fresh();
    if (!m) return;
    fill(m);
    ask(m, LIST_DAGS, "dag_id", "", "Report etl_old etl_users", 3);
    ask(m, LIST_DAGS, "dag_id", "order_by=-dag_id", "etl_users etl_old Report", 3);
    ask(m, LIST_DAGS, "dag_id", "dag_id_pattern=ETL", "etl_old etl_users", 2);
    ask(m, LIST_DAGS, "dag_id", "dag_id_pattern=e%25", "", 0);
    ask(m, LIST_DAGS, "dag_id", "dag_id_pattern=etl_u", "etl_users", 1);
    ask(m, LIST_DAGS, "dag_id", "dag_id_pattern=~", "Report etl_old etl_users", 3);
    ask(m, LIST_DAGS, "dag_id", "dag_id_pattern=\\", "", 0);
    ask(m, LIST_DAGS, "dag_id", "paused=true", "etl_old", 1);
    ask(m, LIST_DAGS, "dag_id", "only_active=True", "Report etl_users", 2);
    ask(m, LIST_DAGS, "dag_id", "only_active=false&limit=1&offset=1", "etl_old", 3);
    ask(m, LIST_DAGS, "dag_id", "tags=etl", "etl_old etl_users", 2);
    ask(m, LIST_DAGS, "dag_id", "tags=etl,prod", "etl_old etl_users", 2);
    ask(m, LIST_DAGS, "dag_id", "tags=etl&tags=prod", "etl_users", 1);
    ask(m, LIST_DAGS, "dag_id", "last_dag_run_state=running", "etl_users", 1);
    ask(m, LIST_DAGS, "dag_id", "dag_run_state=failed", "etl_users", 1);
    ask(m, LIST_DAGS, "dag_id", "order_by=last_run_state", "Report etl_users etl_old", 3);
    ask(m, LIST_TAGS, "name", "tag_name_pattern=P", "prod", 1);
    ask(m, LIST_RUNS, "dag_run_id", "dag_id=etl_users&order_by=-start_date", "c b a", 3);
    ask(m, LIST_RUNS, "id", "order_by=-end_date", "1 2 4 3", 4);
    ask(m, LIST_RUNS, "id", "order_by=dag_id,-id", "4 3 2 1", 4);
    ask(m, LIST_RUNS, "id", "state=running,queued", "3 4", 2);
    ask(m, LIST_RUNS, "id", "execution_date_gte=2024-01-02T00:00:00Z", "2", 1);
    ask(m, LIST_RUNS, "id", "logical_date_lt=2024-01-02&limit=1", "1", 2);
    ask(m, LIST_RUNS, "id", "duration_gt=1.5", "1", 1);
    ask(m, LIST_RUNS, "id", "run_type=manual&limit=0", "", 2);
    ask(m, LIST_TASKS, "task_id", "dag_id=etl_users&dag_run_id=c&state=none", "y", 1);
    ask(m, LIST_TASKS, "map_index", "state=none,queued", "0 1", 2);
    ask(m, LIST_TASKS, "id", "queue=default&pool=default_pool&order_by=-map_index", "u4 u3 u2 u1",
        4);
    ask(m, LIST_POOLS, "running_slots", "", "2", 1);
    ask(m, LIST_POOLS, "queued_slots", "pool_name_pattern=default", "3", 1);
    meta_close(m);
}

TEST(list_refuses_what_is_not_offered)
{
    struct diag d;
    int64_t rows = 0, total = 0;
    bool known = true;
    struct list_filter f;
    struct arena *a = arena_new(MIB(64));
    struct meta *m = meta_kit_fresh();
    if (!m) return;
    struct list_ask q = {.kind = LIST_RUNS, .order_by = SLICE("id; DROP TABLE dag"), .limit = 1};
    CHECK_ERR(list_run(m, &q, count_rows, &rows, &total, &d), ERR_USAGE);
    CHECK_TEXT(d.what, "Ordering with 'id; DROP TABLE dag' is disallowed or the attribute does not "
                       "exist on the model");
    q.order_by = SLICE("note"); /* shown, but not sorted by */
    CHECK_ERR(list_run(m, &q, count_rows, &rows, &total, &d), ERR_USAGE);
    q.order_by = SLICE("id"), q.offset = -1;
    CHECK_ERR(list_run(m, &q, count_rows, &rows, &total, &d), ERR_USAGE);
    struct slice text = SLICE("1' OR '1'='1");
    struct list_given g = {SLICE("state"), &text, 1};
    CHECK_OK(list_param(LIST_RUNS, &g, a, &f, &known, &d), &d);
    q = (struct list_ask){.kind = LIST_RUNS, .filters = &f, .filter_count = 1, .limit = 10};
    fill(m);
    CHECK_OK(list_run(m, &q, count_rows, &rows, &total, &d), &d);
    CHECK(known && rows == 0 && total == 0);
    g.name = SLICE("unheard_of");
    CHECK_OK(list_param(LIST_RUNS, &g, a, &f, &known, &d), &d);
    CHECK(!known);
    g.name = SLICE("start_date_gte");
    CHECK_ERR(list_param(LIST_RUNS, &g, a, &f, &known, &d), ERR_INVALID);
    g.name = SLICE("map_index");
    CHECK_ERR(list_param(LIST_TASKS, &g, a, &f, &known, &d), ERR_USAGE);
    g.name = SLICE("password");
    CHECK_OK(list_param(LIST_CONNECTIONS, &g, a, &f, &known, &d), &d);
    CHECK(!known);
    CHECK_INT(list_page(-1, LIST_PAGE_V2), 50);
    CHECK_INT(list_page(0, LIST_PAGE_V1), 100);
    CHECK_INT(list_page(7, LIST_PAGE_V1), 7);
    CHECK_INT(list_page(1000, LIST_PAGE_V1), 100);
    meta_close(m);
    arena_free(a);
}

struct reading {
    struct meta *m;
    struct arena *a;
    struct connection last;
};
static err_t read_connection(void *ctx, const struct meta_row *row)
{
    struct reading *r = ctx;
    return connection_read(r->m, row, r->a, &r->last, NULL);
}

TEST(list_of_connections_opens_their_secrets)
{
    struct diag d;
    int64_t total = 0;
    struct arena *a = arena_new(MIB(64));
    struct meta *m = meta_kit_fresh();
    if (!m) return;
    struct connection c;
    CHECK_OK(connection_of_uri(SLICE("kafka://u:p@h:9092/?a=b"), a, &c, &d), &d);
    c.id = SLICE("k");
    CHECK_OK(connection_put(m, &c, &d), &d);
    struct reading r = {.m = m, .a = a};
    struct list_ask q = {.kind = LIST_CONNECTIONS, .limit = 10};
    CHECK_OK(list_run(m, &q, read_connection, &r, &total, &d), &d);
    CHECK_INT(total, 1);
    CHECK_SLICE(r.last.password, "p");
    CHECK_SLICE(r.last.extra, "{\"a\": \"b\"}");
    meta_close(m);
    arena_free(a);
}
