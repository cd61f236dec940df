/* Templates: what Airflow's users write, with the answers that Jinja2 and pendulum 3 give. */
#include "sched/template.h"
#include "test.h"

static const char world_json[] =
    "{\"ds\": \"2024-03-05\", \"ds_nodash\": \"20240305\", \"run_id\": \"manual__1\","
    " \"params\": {\"count\": 5, \"name\": \"Ann\", \"list\": [3, 1, 2], \"deep\": {\"x\": "
    "[{\"y\": 7}]}, \"no\": false, \"none\": null},"
    " \"dag_run\": {\"conf\": {\"k\": \"v\"}, \"run_id\": \"manual__1\"}, \"ti\": {\"task_id\": "
    "\"t\", \"try_number\": 2},"
    " \"item\": \"one\"}";

static err_t variable(void *ctx, struct slice key, struct arena *a, struct slice *value,
                      struct diag *d)
{
    (void)ctx, (void)a, (void)d;
    *value = slice_is(key, "j") ? SLICE("{\"a\": [1, 2]}") : SLICE("secret");
    return slice_is(key, "x") || slice_is(key, "j") ? ERR_OK : ERR_NOT_FOUND;
}

static err_t connection(void *ctx, struct slice id, struct arena *a, struct doc *out,
                        struct diag *d)
{
    (void)ctx;
    if (!slice_is(id, "spark")) return ERR_NOT_FOUND;
    return doc_of_json(SLICE("{\"host\": \"spark-master\", \"port\": 7077, \"extra_dejson\": "
                             "{\"deploy-mode\": \"client\"}}"),
                       a, out, d);
}

static err_t xcom(void *ctx, const struct template_asked *asked, struct arena *a, struct doc *out,
                  struct diag *d)
{
    (void)ctx;
    if (slice_is(asked->task_id, "none")) return ERR_NOT_FOUND;
    return doc_of_json(slice_is(asked->key, "other") ? SLICE("\"o\"") : SLICE("{\"rows\": 12}"), a,
                       out, d);
}

static err_t render(const char *text, bool native, struct buf *out, struct diag *d)
{
    struct arena *a = arena_new(GIB(1));
    struct doc names, v;
    static const struct template_date dates[] = {{"logical_date", 1709623845000000},
                                                 {"dag_run.logical_date", 1709623845000000},
                                                 {"prev_data_interval_end_success", INT64_MIN},
                                                 {"micro", 1709623845123456}};
    CHECK_ERR(doc_of_json(slice_of(world_json), a, &names, NULL), ERR_OK);
    struct template_world w = {.names = &names,
                               .dates = dates,
                               .date_count = COUNT_OF(dates),
                               .variable = variable,
                               .connection = connection,
                               .xcom = xcom,
                               .native = native};
    err_t e = template_text(slice_of(text), &w, a, &v, d);
    if (!e && v.kind == DOC_TEXT)
        buf_slice(out, v.text);
    else if (!e)
        doc_put_json(out, &v);
    arena_free(a);
    return e;
}

static void check(const char *text, const char *want)
{
    struct buf out = buf_make(MIB(32));
    struct diag d = {0};
    CHECK_OK(render(text, false, &out, &d), &d);
    CHECK_TEXT(buf_cstr(&out), want);
    buf_done(&out);
}

TEST(what_airflows_users_write_comes_out_as_there)
{
    static const char *const cases[][2] = {
        {"plain", "plain"},
        {"{{ ds }}/{{ ds_nodash }}", "2024-03-05/20240305"},
        {"{{ params.count }} {{ params['name'] }} {{ params.deep.x[0].y }}", "5 Ann 7"},
        {"{{ dag_run.conf.k }} {{ dag_run.conf.get('m', 'd') }} {{ dag_run.conf['k'] }}", "v d v"},
        {"{{ dag_run.conf.m | default('x') }} {{ nothing | d }}|", "x |"},
        {"{{ logical_date }}", "2024-03-05 07:30:45+00:00"},
        {"{{ logical_date | ds }} {{ logical_date | ts }} {{ logical_date | ts_nodash }} {{ "
         "logical_date | ts_nodash_with_tz }}",
         "2024-03-05 2024-03-05T07:30:45+00:00 20240305T073045 20240305T073045+0000"},
        {"{{ logical_date.strftime('%d.%m.%Y %H:%M:%S %j %A %b') }}",
         "05.03.2024 07:30:45 065 Tuesday Mar"},
        {"{{ logical_date.add(days=1, hours=-1).isoformat() }}", "2024-03-06T06:30:45+00:00"},
        {"{{ (logical_date + macros.timedelta(days=1)).date() }} {{ "
         "logical_date.subtract(months=1).to_date_string() }}",
         "2024-03-06 2024-02-05"},
        {"{{ logical_date.in_timezone('Europe/Berlin') }} {{ dag_run.logical_date.year }}",
         "2024-03-05 08:30:45+01:00 2024"},
        {"{{ micro }} {{ micro - logical_date }} {{ logical_date.timestamp() | int }}",
         "2024-03-05 07:30:45.123456+00:00 0:00:00.123456 1709623845"},
        {"{{ prev_data_interval_end_success }}", "None"},
        {"{{ macros.ds_add(ds, 7) }} {{ macros.ds_add(ds, -5) }} {{ macros.ds_format(ds, "
         "'%Y-%m-%d', '%m-%d-%y') }}",
         "2024-03-12 2024-02-29 03-05-24"},
        {"{{ macros.datetime(2024, 2, 29) }}", "2024-02-29 00:00:00+00:00"},
        {"{{ var.value.x }} {{ var.json.j.a[1] }} {{ var.value.get('no', 'fallback') }}",
         "secret 2 fallback"},
        {"{{ conn.spark.host }}:{{ conn.spark.port }} {{ "
         "conn.get('spark').extra_dejson['deploy-mode'] }}",
         "spark-master:7077 client"},
        {"{{ ti.xcom_pull(task_ids='load').rows }} {{ ti.xcom_pull('load', key='other') }} {{ "
         "ti.xcom_pull('none') }}",
         "12 o None"},
        {"{{ ti.xcom_pull(task_ids=['load', 'none']) }}", "[{'rows': 12}, None]"},
        {"{{ ti.try_number }} {{ task_instance | default('-') }}", "2 -"},
        {"{% if params.count > 3 and not params.no %}many{% elif params.count %}few{% else "
         "%}none{% endif %}",
         "many"},
        {"{% for x in params.list | sort %}{{ loop.index }}:{{ x }}{% if not loop.last %}, {% "
         "endif %}{% endfor %}",
         "1:1, 2:2, 3:3"},
        {"{% for k, v in params.deep.items() %}{{ k }}={{ v }}{% endfor %}", "x=[{'y': 7}]"},
        {"{% for x in params.list if x > 1 %}{{ x }}{% else %}no{% endfor %}", "32"},
        {"{% set a = params.count * 2 %}{{ a + 1 }}", "11"},
        {"{{ 'a' if params.no else 'b' }} {{ 'x' if params.no }}|", "b |"},
        {"{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 10 }} {{ 1.5 + 1 }} {{ 'a' ~ "
         "1 ~ true }}",
         "3 -4 2 3.5 1024 2.5 a1True"},
        {"{{ 1 == 1.0 }} {{ 'a' in 'cat' }} {{ 2 in params.list }} {{ 4 not in params.list }} {{ "
         "'x' in params.deep }}",
         "True True True True True"},
        {"{{ params.none }} {{ params.none is none }} {{ zzz is defined }} {{ params.count is not "
         "number }}",
         "None True False False"},
        {"{{ params.list }} {{ params.deep }} {{ [1, 'two', none, true] }} {{ {'a': 1} }}",
         "[3, 1, 2] {'x': [{'y': 7}]} [1, 'two', None, True] {'a': 1}"},
        {"{{ params.list | join(',') }} {{ params.list | length }} {{ params.list | first }} {{ "
         "params.list[-1] }} {{ params.list[1:] }}",
         "3,1,2 3 3 2 [1, 2]"},
        {"{{ 'Hello World' | upper }} {{ 'hello world' | title }} {{ ' x ' | trim }} {{ 'aXb' | "
         "replace('X', '-') }}",
         "HELLO WORLD Hello World x a-b"},
        {"{{ 'a,b'.split(',') | join('+') }} {{ 'abc'.startswith('ab') }} {{ ds.replace('-', '') "
         "}} {{ ds[:4] }}",
         "a+b True 20240305 2024"},
        {"{{ '42' | int + 1 }} {{ 'x' | int(9) }} {{ 3.7 | int }} {{ 2.5 | round }} {{ 3.14159 | "
         "round(2) }}",
         "43 9 3 2.0 3.14"},
        {"{{ params.deep | tojson }}", "{\"x\": [{\"y\": 7}]}"},
        {"a {#- gone -#} b {%- if true %} c{% endif %}", "ab c"},
        {"{% raw %}{{ not this }}{% endraw %}", "{{ not this }}"},
        {"{{ range(3) | list }} {{ params.list | map('string') | join('/') }}", "[0, 1, 2] 3/1/2"},
        {"{{ item }} {{ \"it's\" }} {{ [\"it's\"] }}", "one it's [\"it's\"]"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) check(cases[i][0], cases[i][1]);
}

TEST(mistakes_are_told_with_their_place)
{
    static const struct {
        const char *text;
        err_t err;
        const char *what, *where;
    } cases[] = {
        {"{{ zzz }}", ERR_UNKNOWN_NAME, "template: 'zzz' is undefined",
         "the template's line 1, column 4"},
        {"x\n{{ params.zzz.y }}", ERR_UNKNOWN_NAME, "template: 'params.zzz' is undefined", NULL},
        {"{{ var.value.zzz }}", ERR_UNKNOWN_NAME, "template: 'var.value.zzz' is undefined", NULL},
        {"{{ conn.zzz.host }}", ERR_UNKNOWN_NAME, "template: 'conn.zzz' is undefined", NULL},
        {"{{ 1 + }}", ERR_SYNTAX, "template: a value was expected",
         "the template's line 1, column 8"},
        {"{{ 1", ERR_SYNTAX, "template: '}}' was expected", NULL},
        {"{% if 1 %}x", ERR_SYNTAX, "template: 'endif' is missing at the end", NULL},
        {"{% endif %}", ERR_SYNTAX, "template: this tag closes what was never opened", NULL},
        {"{% for x in y %}{% endif %}", ERR_SYNTAX, "template: 'endfor' was expected here", NULL},
        {"{% include 'x' %}", ERR_UNSUPPORTED, "template: there is no tag 'include'", NULL},
        {"{{ 1 | nope }}", ERR_UNSUPPORTED, "template: there is no filter 'nope'", NULL},
        {"{{ 1 / 0 }}", ERR_RANGE, "template: division by zero", NULL},
        {"{{ 'a' + 1 }}", ERR_TYPE, "template: '+' does not take str and int", NULL},
        {"{{ open('x') }}", ERR_UNKNOWN_FUNCTION, "template: 'open' can not be called", NULL},
        {"{{ ''.__class__ }}", ERR_UNKNOWN_NAME, "template: '__class__' is undefined", NULL},
        {"{{ 9 ** 99 }}", ERR_RANGE, "template: a number becomes too large", NULL},
        {"{{ range(99999999) }}", ERR_TOO_BIG, "template: a range of that length is refused", NULL},
        {"{% for a in range(9999) %}{% for b in range(9999) %}{{ b }}{% endfor %}{% endfor %}",
         ERR_TOO_BIG, "template: it takes more than 2000000 steps", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf out = buf_make(MIB(32));
        struct diag d = {0};
        CHECK_ERR(render(cases[i].text, false, &out, &d), cases[i].err);
        CHECK_TEXT(d.what, cases[i].what);
        if (cases[i].where) CHECK_TEXT(d.where, cases[i].where);
        buf_done(&out);
    }
}

TEST(native_templates_keep_their_values)
{
    struct buf out = buf_make(KIB(4));
    CHECK_ERR(render("{{ params.list }}", true, &out, NULL), ERR_OK);
    CHECK_TEXT(buf_cstr(&out), "[3, 1, 2]");
    buf_reset(&out);
    CHECK_ERR(render("{{ params.deep }}", true, &out, NULL), ERR_OK);
    CHECK_TEXT(buf_cstr(&out), "{\"x\": [{\"y\": 7}]}");
    buf_done(&out);
}

TEST(nothing_deep_breaks_it)
{
    char deep[4096];
    static const char *const openers[] = {"(",     "[",     "-",    "not ",
                                          "{'a':", "x if ", "a.b(", "{% if 1 %}"};
    for (size_t i = 0; i < COUNT_OF(openers); i++) {
        struct buf text = buf_over(deep, sizeof deep - 1);
        bool tag = openers[i][0] == '{' && openers[i][1] == '%';
        if (!tag) buf_text(&text, "{{ ");
        for (int k = 0; k < 400; k++) buf_text(&text, openers[i]);
        deep[text.len] = 0;
        CHECK(template_check(slice_of(deep), NULL) == ERR_SYNTAX);
    }
}
