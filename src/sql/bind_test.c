/* Binding: what the five pipelines need, and every mistake with its place and its way out. */
#include "sql/sql_kit.h"

static const char declarations[] =
    "CREATE TOPIC users; CREATE TOPIC flat (id uuid, name text, age int, extra json, "
    "place struct<city text, lat double>);"
    "CREATE TABLE s.people (id uuid PRIMARY KEY, first_name text, age int, score double, "
    "joined timestamp, tiny tinyint, tags list<text>, big bigint);"
    "CREATE TABLE s.events (day text, sensor int, at timestamp, value double, kind ascii, "
    "PRIMARY KEY ((day, sensor), at, kind));";

static const char pipeline[] =
    "CREATE STREAM load INTO s.people AS SELECT login.uuid AS id, name.first AS first_name,\n"
    "  CAST(dob.age AS int) AS age, registered.date AS joined FROM users WHERE nat = 'US'\n"
    "  CHECK (login.uuid IS NOT NULL AND email LIKE '%@%') ELSE DEAD LETTER\n"
    "  CHECK (dob.age > 0) ELSE NULL";

TEST(a_stream_asks_the_decoder_for_just_the_types_that_it_needs)
{
    struct kit k;
    kit_open(&k, declarations);
    struct plan_stream p;
    CHECK_OK(kit_stream(&k, pipeline, &p), &k.d);
    struct buf out = buf_make(KIB(16));
    if (!k.d.err) plan_stream_print(&p, &out);
    CHECK_TEXT(buf_cstr(&out),
               "load: users -> s.people\n"
               "  reads   nat             text\n"
               "          login.uuid      uuid\n"
               "          name.first      text\n"
               "          dob.age         int       converted\n"
               "          registered.date timestamp\n"
               "          login.uuid      json\n"
               "          email           text\n"
               "          dob.age         double\n"
               "  where   nat = 'US'\n"
               "  check   login.uuid IS NOT NULL AND email LIKE '%@%', else DEAD LETTER\n"
               "  check   dob.age > 0, else NULL\n"
               "  writes  id              uuid      login.uuid  (partition key)\n"
               "          first_name      text      name.first\n"
               "          age             int       CAST(dob.age AS int)\n"
               "          joined          timestamp registered.date\n"
               "  leaves  score, tiny, tags, big as they were\n");
    CHECK(!p.writes_every_column);
    CHECK(p.deterministic);
    CHECK_INT(p.root->rows.checks[1].null_count, 1);
    CHECK_INT(p.root->rows.checks[1].nulls[0], 2);
    CHECK(!p.stateful && !p.root->changes && p.topic_count == 1 && p.node_count == 2);
    buf_done(&out);
    kit_close(&k);
}

TEST(the_version_of_a_stream_is_its_meaning_not_its_layout)
{
    struct kit k;
    kit_open(&k, declarations);
    struct plan_stream a, b, c;
    CHECK_OK(
        kit_stream(&k, "CREATE STREAM x INTO s.people AS SELECT login.uuid AS id FROM users", &a),
        &k.d);
    CHECK_OK(
        kit_stream(
            &k, "create stream X into s.people as -- a word\n select login . uuid as id from users",
            &b),
        &k.d);
    CHECK_OK(
        kit_stream(&k, "CREATE STREAM x INTO s.people AS SELECT login.uid AS id FROM users", &c),
        &k.d);
    CHECK(a.sql_version == b.sql_version);
    CHECK(a.sql_version != c.sql_version);
    /* a view of the same text is part of it */
#define THROUGH_VIEW(field)                                                                        \
    "CREATE VIEW v AS SELECT login." field " AS id FROM users; CREATE STREAM x INTO s.people AS "  \
    "SELECT id FROM v"
    CHECK_OK(kit_stream(&k, THROUGH_VIEW("uuid"), &a), &k.d);
    CHECK_OK(kit_stream(&k, THROUGH_VIEW("uid"), &b), &k.d);
    CHECK(a.sql_version != b.sql_version);
    kit_close(&k);
}

/* Inputs as "path:type" with ! for a cast; after ->, outputs as "name:type". */
static const char *shape(struct kit *k, const struct plan_select *p)
{
    struct buf out = buf_make(KIB(64));
    const struct plan_node *leaf = kit_leaf(p->root);
    const struct plan_input *inputs =
        leaf->kind == NODE_TOPIC ? leaf->topic.inputs : leaf->table.inputs;
    for (uint32_t i = 0; i < leaf->column_count; i++) {
        buf_printf(&out, "%s%.*s:", i ? ", " : "", SLICE_ARG(inputs[i].text));
        type_print(inputs[i].type, &out);
        if (inputs[i].path.cast) buf_char(&out, '!');
    }
    buf_text(&out, " ->");
    const struct plan_rows *r = kit_rows(p->root);
    for (uint32_t i = 0; i < r->output_count; i++) {
        buf_printf(&out, "%s%.*s:", i ? ", " : " ", SLICE_ARG(r->outputs[i].name));
        type_print(r->outputs[i].type, &out);
    }
    const char *text = arena_text(k->arena, buf_view(&out));
    buf_done(&out);
    return text;
}

static const struct {
    const char *sql, *shape;
} types[] = {
    {"SELECT a.b, CAST(a.b AS text), upper(a.b) FROM users",
     "a.b:json, a.b:text!, a.b:text -> b:json, b:text, upper:text"},
    {"SELECT a.b FROM users WHERE a.b IS NULL", "a.b:json -> b:json"},
    {"SELECT u.a, users.b FROM users u", "a:json, users.b:json -> a:json, b:json"},
    {"SELECT coalesce(phone, cell) = 'x' FROM users",
     "phone:text, cell:text -> coalesce(phone, cell) = 'x':boolean"},
    {"SELECT CAST(coalesce(phone, cell) AS text) AS c FROM users",
     "phone:text!, cell:text! -> c:text"},
    {"SELECT CASE WHEN ok THEN a ELSE b END AS c FROM users",
     "ok:boolean, a:json, b:json -> c:json"},
    {"SELECT concat_ws(' ', street.number, street.name) AS a FROM users",
     "street.number:text!, street.name:text! -> a:text"},
    {"SELECT a || '-' || b AS a FROM users", "a:text!, b:text! -> a:text"},
    {"SELECT age + 1 AS x, -age AS y, a * b AS z FROM users",
     "age:double, a:double, b:double -> x:double, y:double, z:double"},
    {"SELECT CAST(age AS int) + 1 AS x FROM users", "age:int! -> x:int"},
    {"SELECT n > 9007199254740993 AS x FROM users", "n:bigint -> x:boolean"},
    {"SELECT TRY_CAST(age AS int) AS x FROM users", "age:json -> x:int"},
    {"SELECT id = a, a IN ('x', b) AS i FROM flat", NULL},
    {"SELECT id, place.city, extra.x, extra.x = 1 AS e FROM flat",
     "id:uuid, place.city:text, extra.x:json, extra.x:double -> id:uuid, city:text, x:json, "
     "e:boolean"},
    {"SELECT * FROM flat",
     "id:uuid, name:text, age:int, place:struct<city text, lat double>, extra:json -> id:uuid, "
     "name:text, age:int, extra:json, place:struct<city text, lat double>"},
    {"SELECT * FROM users",
     "_key:text, _value:json, _timestamp:timestamp, _partition:int, _offset:bigint -> _key:text, "
     "_value:json, _timestamp:timestamp, _partition:int, _offset:bigint"},
    {"SELECT age + big AS a, age / tiny AS b, tiny + 1 AS c, tiny + 200 AS d FROM s.people",
     "age:int, big:bigint, tiny:tinyint -> a:bigint, b:double, c:tinyint, d:int"},
    {"SELECT sum(age), avg(age), count(*), count(DISTINCT age), min(joined) FROM s.people",
     "age:int, joined:timestamp -> sum:bigint, avg:double, count:bigint, count:bigint, "
     "min:timestamp"},
    {"SELECT nat, count(*) AS n FROM users GROUP BY nat ORDER BY n DESC, lower(nat)",
     "nat:json -> nat:json, n:bigint, lower(nat):text"},
    {"SELECT if(age > 18, 'y', 'n') AS x FROM s.people", "age:int -> x:text"},
    {"SELECT nullif(a, '') AS x FROM users", "a:text -> x:text"},
    {"SELECT now() AS t, uuid() AS u", " -> t:timestamp, u:uuid"},
    {"SELECT json_get(a, 'b') AS g, a ->> 'c' AS t FROM users", "a:json -> g:json, t:text"},
    {"SELECT joined = '2026-11-21' AS x, id = '8e7fce72-89bc-4685-a747-b0f8624e020d' AS y FROM "
     "s.people",
     "joined:timestamp, id:uuid -> x:boolean, y:boolean"},
};

TEST(context_decides_the_type_of_a_field)
{
    struct kit k;
    kit_open(&k, declarations);
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        struct plan_select p;
        err_t e = kit_select(&k, types[i].sql, DIALECT_SLUICE, &p);
        if (!types[i].shape) {
            CHECK(e != ERR_OK);
            continue;
        }
        if (e)
            test_not_ok(__FILE__, __LINE__, types[i].sql, e, &k.d);
        else if (strcmp(shape(&k, &p), types[i].shape) != 0)
            test_failed(__FILE__, __LINE__, "%s\n is  %s\n not %s", types[i].sql, shape(&k, &p),
                        types[i].shape);
    }
    kit_close(&k);
}

static const struct {
    const char *sql, *key;
} keys[] = {
    {"SELECT * FROM s.people WHERE id = 8e7fce72-89bc-4685-a747-b0f8624e020d",
     "8e7fce72-89bc-4685-a747-b0f8624e020d"},
    {"SELECT * FROM s.people WHERE '8e7fce72-89bc-4685-a747-b0f8624e020d' = id AND age > 3",
     "8e7fce72-89bc-4685-a747-b0f8624e020d"},
    {"SELECT * FROM s.people WHERE id = 8e7fce72-89bc-4685-a747-b0f8624e020d OR age = 1", ""},
    {"SELECT * FROM s.events WHERE day = 'd' AND sensor = 3", "d,3"},
    {"SELECT * FROM s.events WHERE kind = 'k' AND (sensor = 3 AND day = 'd') AND at = '2026-11-21'",
     "d,3,2026-11-21T00:00:00.000Z,k"},
    {"SELECT * FROM s.events WHERE day = 'd' AND sensor = 3 AND kind = 'k'", "d,3"},
    {"SELECT * FROM s.events WHERE day = 'd'", ""},
    {"SELECT * FROM s.events WHERE day = lower('D') AND sensor = 1 + 2", "d,3"},
    {"SELECT * FROM s.events WHERE day = 'd' AND sensor = NULL", ""},
};

TEST(where_fixes_the_leading_columns_of_the_key)
{
    struct kit k;
    kit_open(&k, declarations);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct plan_select p;
        CHECK_OK(kit_select(&k, keys[i].sql, DIALECT_CQL, &p), &k.d);
        struct buf out = buf_make(KIB(4));
        const struct plan_table *t = &kit_leaf(p.root)->table;
        for (uint32_t n = 0; n < t->key_count; n++) {
            if (n) buf_char(&out, ',');
            value_to_text(&t->key[n], &out);
        }
        if (strcmp(buf_cstr(&out), keys[i].key) != 0)
            test_failed(__FILE__, __LINE__, "%s\n fixes %s\n not   %s", keys[i].sql, buf_cstr(&out),
                        keys[i].key);
        buf_done(&out);
    }
    kit_close(&k);
}

static const struct {
    const char *sql;
    err_t err;
    const char *what, *where, *hint;
} mistakes[] = {
    {"SELECT a FROM usres", ERR_UNKNOWN_NAME, "there is no topic or table usres", "x.sql:1:15",
     "did you mean users?"},
    {"SELECT a FROM s.peple", ERR_UNKNOWN_TABLE, "there is no table s.peple", "x.sql:1:15",
     "did you mean s.people?"},
    {"SELECT fist_name FROM s.people", ERR_UNKNOWN_COLUMN,
     "table s.people has no column 'fist_name'", "x.sql:1:8", "did you mean 'first_name'?"},
    {"SELECT zzz FROM flat", ERR_UNKNOWN_COLUMN, "topic flat has no column 'zzz'", "x.sql:1:8",
     "its columns are id, name, age, extra, place"},
    {"SELECT place.zip FROM flat", ERR_UNKNOWN_COLUMN,
     "place.zip: column place is declared as struct<city text, lat double>", "x.sql:1:8", ""},
    {"SELECT tags['a'] FROM s.people", ERR_UNKNOWN_COLUMN,
     "tags['a']: column tags is declared as list<text>", "x.sql:1:8", ""},
    {"SELECT a = b FROM users", ERR_TYPE, "a = b: the type of neither side is known", "x.sql:1:8",
     "write CAST(field AS type) on one side"},
    {"SELECT age = 'x' FROM s.people", ERR_TYPE, "int and text do not go together", "x.sql:1:8",
     "write CAST(… AS text) around one of them"},
    {"SELECT id = 'nonsense' FROM s.people", ERR_CAST, NULL, "x.sql:1:13", NULL},
    {"SELECT a FROM users ORDER BY a", ERR_TYPE, "json has no order", "x.sql:1:30",
     "write ORDER BY CAST(a AS type)"},
    {"SELECT min(a) FROM users", ERR_TYPE, "min(a): the values' type has no order", "x.sql:1:8",
     "write min(CAST(a AS type))"},
    {"SELECT a FROM users WHERE count(*) > 1", ERR_SYNTAX, "aggregates can't stand in WHERE",
     "x.sql:1:27", "write it in HAVING"},
    {"SELECT sum(count(*)) FROM users", ERR_SYNTAX, "aggregates can't stand in an aggregate",
     "x.sql:1:12", ""},
    {"SELECT age, count(*) FROM s.people", ERR_SYNTAX,
     "age is neither in GROUP BY nor inside an aggregate", "x.sql:1:8", ""},
    {"SELECT sum(first_name) FROM s.people", ERR_TYPE, "sum of text has no meaning", "x.sql:1:8",
     ""},
    {"SELECT age FROM s.people ORDER BY 2", ERR_RANGE, "there is no output 2", "x.sql:1:35", ""},
    {"SELECT DISTINCT age FROM s.people ORDER BY score", ERR_SYNTAX,
     "with DISTINCT, ORDER BY takes only what is selected", "x.sql:1:44", ""},
    {"SELECT *", ERR_SYNTAX, "there is no FROM to take * from", "x.sql:1:8", ""},
    {"SELECT joined + 1 FROM s.people", ERR_UNSUPPORTED,
     "arithmetic with timestamp: not available in this version", "x.sql:1:8", ""},
    {"SELECT a FROM users WHERE 'x'", ERR_TYPE, "WHERE: 'x' is text, boolean was wanted",
     "x.sql:1:27", NULL},
    {"SELECT a ~ b FROM users", ERR_UNSUPPORTED,
     "a pattern that is not a literal: not available in this version", "x.sql:1:12", ""},
    {"SELECT CAST(tags AS int) FROM s.people", ERR_TYPE, "list<text> can't be cast to int",
     "x.sql:1:8", ""},
};

TEST(what_does_not_fit_is_told_with_place_and_hint)
{
    struct kit k;
    kit_open(&k, declarations);
    for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
        struct plan_select p;
        err_t e = kit_select(&k, mistakes[i].sql, DIALECT_SLUICE, &p);
        if (e != mistakes[i].err)
            test_failed(__FILE__, __LINE__, "%s answers %s: %s", mistakes[i].sql, err_name(e),
                        k.d.what);
        if (mistakes[i].what) CHECK_TEXT(k.d.what, mistakes[i].what);
        CHECK_TEXT(k.d.where, mistakes[i].where);
        if (mistakes[i].hint) CHECK_TEXT(k.d.hint, mistakes[i].hint);
    }
    kit_close(&k);
}

static const struct {
    const char *select;
    err_t err;
    const char *what, *hint;
} streams[] = {
    {"SELECT a AS first_name FROM users", ERR_TYPE, "the key column id is not written",
     "add … AS id to the SELECT"},
    {"SELECT a AS id, b AS first_nam FROM users", ERR_UNKNOWN_COLUMN,
     "table s.people has no column 'first_nam'", "did you mean 'first_name'?"},
    {"SELECT a AS id, b AS age, c AS age FROM users", ERR_EXISTS, "the column age is written twice",
     ""},
    {"SELECT a AS id, CAST(b AS bigint) AS age FROM users", ERR_TYPE,
     "column age: CAST(b AS bigint) is bigint, int was wanted",
     "write CAST(CAST(b AS bigint) AS int)"},
    {"SELECT a AS id, 1.5 AS age FROM users", ERR_CAST, NULL, NULL},
    {"SELECT a AS id, 'x' AS age FROM users", ERR_TYPE, "column age: 'x' is text, int was wanted",
     NULL},
    {"SELECT id FROM s.people", ERR_UNSUPPORTED,
     "a stream from a table or view: not available in this version", "FROM names a topic"},
    {"SELECT * FROM users", ERR_UNSUPPORTED, "SELECT * of an undeclared topic in a stream",
     "name the columns: what a topic brings may change"},
    {"SELECT a AS id, count(*) AS big FROM users GROUP BY a", ERR_OK, "", ""},
    {"SELECT a AS id FROM users LIMIT 3", ERR_UNSUPPORTED, "LIMIT in a stream: its rows never end",
     NULL},
    {"SELECT a AS id FROM users CHECK (a IS NOT NULL) ELSE NULL", ERR_TYPE,
     "ELSE NULL would make the key column id null", ""},
    {"SELECT a AS id FROM users CHECK (b = 1) ELSE NULL", ERR_TYPE,
     "ELSE NULL: no column is made of what this condition reads", ""},
    {"SELECT a AS id, b AS big, CAST(c AS int) AS big FROM users", ERR_EXISTS, NULL, NULL},
    {"SELECT a AS id, CAST(c AS int) AS big, DATE '2026-11-21' AS joined FROM users", ERR_OK, "",
     ""},
};

TEST(a_stream_must_fit_its_table)
{
    struct kit k;
    kit_open(&k, declarations);
    for (size_t i = 0; i < COUNT_OF(streams); i++) {
        struct plan_stream p;
        char text[512];
        snprintf(text, sizeof(text), "CREATE STREAM x INTO s.people AS %s", streams[i].select);
        err_t e = kit_stream(&k, text, &p);
        if (e != streams[i].err)
            test_failed(__FILE__, __LINE__, "%s answers %s: %s", text, err_name(e), k.d.what);
        if (streams[i].what) CHECK_TEXT(k.d.what, streams[i].what);
        if (streams[i].hint) CHECK_TEXT(k.d.hint, streams[i].hint);
    }
    kit_close(&k);
}
