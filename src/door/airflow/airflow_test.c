/* Goal: the door's tables say nothing that the lists have not, a token is good for who got it and
 * for as long as it says, and the routes can be told apart.
 * Method: the tables themselves, and tokens made, changed letter by letter, and read again. */
#include "door/airflow/airflow_int.h"

#include "base/hash.h"
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
             {BODY_CONNECTION, LIST_CONNECTIONS},
             {BODY_VARIABLE, LIST_VARIABLES},
             {BODY_POOL, LIST_POOLS},
             {BODY_IMPORT_ERROR, LIST_IMPORT_ERRORS},
             {BODY_BACKFILL, LIST_BACKFILLS},
             {BODY_ASSET, LIST_ASSETS},
             {BODY_ASSET_EVENT, LIST_ASSET_EVENTS},
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

TEST(a_token_is_good_for_its_time_and_its_key)
{
    struct user u = {.name = "ada", .role = ROLE_USER};
    struct buf t = buf_make(TOKEN_MAX);
    struct arena *a = arena_new(MIB(4));
    struct slice key = SLICE("0123456789abcdef0123456789abcdef"), name;
    char proof[17], wanted[17];
    int64_t now = INT64_C(1700000000) * SECOND_US;
    u.scram[SCRAM_SHA_256].stored_key[3] = 7;
    token_make(key, &u, now, 60 * SECOND_US, 1, &t);
    token_proof(&u, wanted);
    CHECK_INT(t.err, ERR_OK);
    CHECK_INT(token_read(key, buf_view(&t), now, a, &name, proof), ERR_OK);
    CHECK(slice_is(name, "ada"));
    CHECK_TEXT(proof, wanted);
    CHECK_INT(token_read(key, buf_view(&t), now + 59 * SECOND_US, a, &name, proof), ERR_OK);
    CHECK_INT(token_read(key, buf_view(&t), now + 60 * SECOND_US, a, &name, proof), ERR_TIMEOUT);
    CHECK_INT(token_read(SLICE("another key"), buf_view(&t), now, a, &name, proof), ERR_LOGIN);
    u.scram[SCRAM_SHA_256].stored_key[3] = 8; /* another password */
    token_proof(&u, proof);
    CHECK(strcmp(proof, wanted) != 0);
    buf_done(&t);
    arena_free(a);
}

TEST(a_changed_letter_makes_no_token)
{
    struct user u = {.name = "ada"};
    struct buf t = buf_make(TOKEN_MAX);
    struct arena *a = arena_new(MIB(16));
    struct slice key = SLICE("k"), name;
    char proof[17];
    token_make(key, &u, 0, SECOND_US, 1, &t);
    /* the last letter of a base64 text has bits that say nothing */
    for (size_t i = 0; i + 1 < t.len; i++) {
        uint8_t was = t.at[i];
        t.at[i] = was == 'A' ? 'B' : 'A';
        CHECK_INT(token_read(key, buf_view(&t), 0, a, &name, proof), ERR_LOGIN);
        t.at[i] = was;
    }
    for (size_t len = 0; len < t.len; len++)
        CHECK_INT(token_read(key, slice_make(t.at, len), 0, a, &name, proof), ERR_LOGIN);
    buf_done(&t);
    arena_free(a);
}

/* jwt.io's own example, with claims of another: the signature is right, who it is for is not. */
TEST(a_token_of_another_service_is_none)
{
    struct arena *a = arena_new(MIB(1));
    struct slice name;
    char proof[17];
    const char *text = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
                       "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ."
                       "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
    CHECK_INT(token_read(SLICE("your-256-bit-secret"), slice_of(text), 0, a, &name, proof),
              ERR_LOGIN);
    CHECK_INT(token_read(SLICE(""), SLICE("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."), 0, a, &name,
                         proof),
              ERR_LOGIN);
    arena_free(a);
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
