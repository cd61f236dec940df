/* Goal: the door's tables say nothing that the lists have not, and the routes can be told
 * apart. Method: the tables themselves. */
#include "door/airflow/airflow_int.h"

#include "data/json.h"
#include "test.h"

static const struct {
    const char *column;
    int body;
} columns[] = {
#define BODY(name)               {NULL, BODY_##name},
#define COL(where, name, column) {column, -1},
#define RAW(where, name, json)   {"", -1},
#define CALC(where, name, fn)    {"", -1},
#include "door/airflow/bodies.def"
#undef BODY
#undef COL
#undef RAW
#undef CALC
};

static const struct {
    enum body_kind body;
    enum list_kind list;
} lists[] = {{BODY_DAG, LIST_DAGS},
             {BODY_RUN, LIST_RUNS},
             {BODY_INSTANCE, LIST_TASKS},
             {BODY_REFERENCE, LIST_TASKS},
             {BODY_TRY, LIST_TRIES},
             {BODY_XCOM, LIST_XCOMS},
             {BODY_EVENT, LIST_EVENTS},
             {BODY_EVENT_SEEN, LIST_EVENTS_SEEN},
             {BODY_CONNECTION, LIST_CONNECTIONS},
             {BODY_VARIABLE, LIST_VARIABLES},
             {BODY_POOL, LIST_POOLS},
             {BODY_IMPORT_ERROR, LIST_IMPORT_ERRORS},
             {BODY_BACKFILL, LIST_BACKFILLS},
             {BODY_ASSET, LIST_ASSETS},
             {BODY_ASSET_EVENT, LIST_ASSET_EVENTS},
             {BODY_RUN_REFERENCE, LIST_RUNS},
             {BODY_QUEUED, LIST_ASSET_QUEUE},
             {BODY_JOB, LIST_JOBS},
             {BODY_VERSION, LIST_DAG_VERSIONS}};

TEST(every_column_of_a_body_is_one_of_its_list)
{
    int kind = -1, looked = 0;
    for (size_t i = 0; i < COUNT_OF(columns); i++) {
        if (!columns[i].column) {
            kind = -1;
            for (size_t l = 0; l < COUNT_OF(lists); l++)
                if ((int)lists[l].body == columns[i].body) kind = (int)lists[l].list;
            continue;
        }
        if (!columns[i].column[0]) continue;
        CHECK(kind >= 0);
        CHECK(list_place((enum list_kind)kind, columns[i].column) >= 0);
        looked++;
    }
    CHECK(looked > 100);
}

TEST(no_two_routes_are_the_same)
{
    uint32_t v1 = 0, v2 = 0;
    for (uint32_t i = 0; i < route_count; i++) {
        v1 += (routes[i].apis & API_V1) != 0;
        v2 += (routes[i].apis & API_V2) != 0;
        /* who has a place in an API has an operation's name there, and else none */
        CHECK_INT((routes[i].apis & API_V1) != 0, routes[i].v1[0] != 0);
        CHECK_INT((routes[i].apis & API_V2) != 0, routes[i].v2[0] != 0);
        if (routes[i].right != DAG_ANY) CHECK(strstr(routes[i].path, "{dag_id}") != NULL);
        for (uint32_t k = i + 1; k < route_count; k++)
            CHECK(strcmp(routes[i].method, routes[k].method) != 0 ||
                  strcmp(routes[i].path, routes[k].path) != 0);
    }
    CHECK(v1 >= 70);
    CHECK(v2 >= 80);
}

TEST(the_page_of_routes_has_a_row_for_each)
{
    struct buf b = buf_make(MIB(1));
    uint32_t rows = 0;
    airflow_put_routes(&b);
    for (size_t i = 0; i < b.len; i++) rows += b.at[i] == '\n';
    CHECK_INT(rows, route_count + 4);
    buf_done(&b);
}
