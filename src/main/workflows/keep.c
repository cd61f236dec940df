/* sluice pools, connections, variables: what people keep beside their workflows. */
#include "main/workflows/desk.h"

#include "base/unit.h"
#include "connect/connect.h"
#include "data/json.h"
#include "main/yaml.h"
#include "os/clock.h"
#include "os/file.h"
#include "sched/connection.h"
#include "sched/things.h"

#include <stdio.h>
#include <stdlib.h>

enum { FILE_MAX = 64 << 20 };

static err_t read_file(struct desk *k, struct doc *out, struct diag *d)
{
    const char *path = k->words[0];
    struct slice text;
    if (strstr(path, ".y") && file_exists(path)) return yaml_load(path, FILE_MAX, k->arena, out, d);
    err_t e = file_load(path, FILE_MAX, &text, d);
    if (e) return e;
    struct slice kept = arena_slice(k->arena, text); /* the tree stands on it */
    mem_give((void *)(uintptr_t)text.at);
    if (text.len && !kept.at) return diag_fail(d, ERR_TOO_BIG, "%s is too large", path);
    return doc_of_json(kept, k->arena, out, d);
}

/* Every entry of a JSON or YAML file's map goes to `one`; how many. */
static err_t import(struct desk *k, const char *what,
                    err_t (*one)(struct desk *k, const struct doc_entry *entry, struct diag *d),
                    struct diag *d)
{
    struct doc doc;
    err_t e = read_file(k, &doc, d);
    if (!e && doc.kind != DOC_MAP)
        e = diag_fail(d, ERR_USAGE, "%s is no map of %s", k->words[0], what);
    for (uint32_t i = 0; !e && i < doc.count; i++) e = one(k, &doc.entries[i], d);
    if (!e) desk_say(k, "%u %s imported", doc.count, what);
    return e;
}

static err_t write_out(struct desk *k, struct buf *out, uint32_t count, const char *what,
                       struct diag *d)
{
    err_t e =
        out->err ? diag_fail(d, out->err, "there are too many %s for one file", what) : ERR_OK;
    if (!e) buf_char(out, '\n');
    if (!e && strcmp(k->words[0], "-") == 0)
        e = fwrite(out->at, 1, out->len, stdout) == out->len ? ERR_OK : ERR_IO;
    else if (!e)
        e = file_store(k->words[0], buf_view(out), d);
    if (!e && strcmp(k->words[0], "-") != 0)
        desk_say(k, "%u %s exported to %s", count, what, k->words[0]);
    buf_done(out);
    return e;
}

struct export
{
    struct desk *k;
    struct buf out;
    uint32_t count;
    struct diag *d;
    struct sheet sheet;
};

static void put_name(struct export *x, struct slice name)
{
    buf_text(&x->out, x->count++ ? ",\n  " : "{\n  ");
    json_put_text(&x->out, name);
    buf_text(&x->out, ": ");
}

static err_t export_all(struct desk *k, enum list_kind kind, const char *what,
                        err_t (*row)(void *ctx, const struct meta_row *row), struct diag *d)
{
    int64_t total;
    struct export x = {.k = k, .out = buf_make(FILE_MAX), .d = d};
    struct list_ask ask = {.kind = kind, .limit = LIST_WHOLE, .no_total = true};
    err_t e = list_run(k->meta, &ask, row, &x, &total, d);
    buf_text(&x.out, x.count ? "\n}" : "{}");
    if (!e) return write_out(k, &x.out, x.count, what, d);
    buf_done(&x.out);
    return e;
}

/* --- pools --------------------------------------------------------------------------------------
 */

static void put_quota(void *ctx, const struct connect_quota *q)
{
    struct sheet *s = ctx;
    char text[64];
    struct buf span = buf_over(text, sizeof(text));
    unit_put_ms(&span, q->per_ms);
    sheet_text(s, slice_of(q->name));
    sheet_number(s, q->number);
    sheet_text(s, buf_view(&span));
    sheet_number(s, q->live + q->by_tasks);
    sheet_number(s, q->live);
    sheet_number(s, q->by_tasks);
    sheet_text(s, slice_of(q->who));
}

/* Quotas of APIs, which sources and tasks share: what was taken of them in the last span. */
static err_t pools_quotas(struct desk *k, struct diag *d)
{
    char path[PROJECT_PATH_MAX];
    struct sheet s = sheet_make("quota records# in taken# live# tasks# waiting");
    err_t e = project_data_path(&k->project, "quotas", path, d);
    if (!e) e = connect_quotas_look(path, NULL, clock_wall_ms(), put_quota, &s, d);
    if (!e) e = desk_print(k, &s);
    sheet_done(&s);
    return e;
}

struct pools {
    struct desk *k;
    struct sheet sheet;
    char quotas[PROJECT_PATH_MAX];
    bool found;
    struct diag *d;
};
struct quota_seen {
    bool is_quota; /* false: a pool like any other */
    int64_t taken, waiting;
    struct buf about;
};

static void see_quota(void *ctx, const struct connect_quota *q)
{
    struct quota_seen *s = ctx;
    s->taken = q->live + q->by_tasks;
    s->waiting = q->waiting;
    buf_reset(&s->about);
    connect_quota_put(&s->about, q);
}

static const struct meta_value *pool_at(const struct meta_row *row, const char *column)
{
    return &row->at[list_place(LIST_POOLS, column)];
}

/* An API's quota is a pool of as many slots as it allows in its span: those taken are in use. */
static err_t look_at_pool(struct pools *p, const struct meta_row *row, struct quota_seen *out)
{
    char id[POOL_NAME_MAX * 4 + 1];
    struct connect_quota bare = {.number = pool_at(row, "slots")->number,
                                 .per_ms = pool_at(row, "per_ms")->number};
    *out = (struct quota_seen){.about = buf_make(KIB(64))};
    out->is_quota = pool_at(row, "per_ms")->kind != META_NULL &&
                    slice_to_cstr(pool_at(row, "name")->text, id, sizeof(id));
    if (!out->is_quota) {
        buf_slice(&out->about, pool_at(row, "description")->text);
        return ERR_OK;
    }
    see_quota(out, &bare);
    return connect_quotas_look(p->quotas, id, clock_wall_ms(), see_quota, out, p->d);
}

static void put_about(struct sheet *s, const struct meta_row *row, const struct quota_seen *seen)
{
    if (!seen->is_quota && pool_at(row, "description")->kind == META_NULL)
        sheet_none(s);
    else
        sheet_text(s, buf_view(&seen->about));
}

static void put_deferred(struct sheet *s, const struct meta_row *row)
{
    sheet_text(s, slice_of(pool_at(row, "include_deferred")->number ? "True" : "False"));
}

static err_t list_pool(void *ctx, const struct meta_row *row)
{
    static const char *const counts[] = {"running_slots", "queued_slots", "scheduled_slots"};
    struct pools *p = ctx;
    struct quota_seen seen;
    err_t e = look_at_pool(p, row, &seen);
    const int64_t of_quota[] = {seen.taken, 0, seen.waiting};
    sheet_text(&p->sheet, pool_at(row, "name")->text);
    sheet_number(&p->sheet, pool_at(row, "slots")->number);
    for (size_t i = 0; i < COUNT_OF(counts) && !p->k->airflow; i++)
        sheet_number(&p->sheet, seen.is_quota ? of_quota[i] : pool_at(row, counts[i])->number);
    put_about(&p->sheet, row, &seen);
    if (p->k->airflow) put_deferred(&p->sheet, row);
    buf_done(&seen.about);
    return e;
}

static err_t show_pool(void *ctx, const struct meta_row *row)
{
    struct pools *p = ctx;
    struct quota_seen seen;
    err_t e = look_at_pool(p, row, &seen);
    p->found = true;
    sheet_text(&p->sheet, pool_at(row, "name")->text);
    sheet_number(&p->sheet, pool_at(row, "slots")->number);
    put_about(&p->sheet, row, &seen);
    put_deferred(&p->sheet, row);
    buf_done(&seen.about);
    return e;
}

static err_t pools_list(struct desk *k, struct diag *d)
{
    struct pools p = {
        .k = k,
        .sheet = sheet_make(
            k->airflow ? "name slots# description include_deferred"
                       : "name slots# running_slots# queued_slots# scheduled_slots# description"),
        .d = d};
    struct list_ask ask = {.kind = LIST_POOLS, .limit = DESK_ROWS_MAX, .no_total = true};
    err_t e = project_data_path(&k->project, "quotas", p.quotas, d);
    if (!e) e = list_run(k->meta, &ask, list_pool, &p, NULL, d);
    if (!e) e = desk_print(k, &p.sheet);
    sheet_done(&p.sheet);
    return e;
}

static err_t pool_get(struct desk *k, struct diag *d)
{
    struct pools p = {
        .k = k, .sheet = sheet_make("pool slots# description include_deferred"), .d = d};
    struct meta_value name = meta_text(slice_of(k->words[0]));
    struct list_filter its_name = {"name", LIST_IN, &name, 1};
    struct list_ask ask = {
        .kind = LIST_POOLS, .filters = &its_name, .filter_count = 1, .limit = 1, .no_total = true};
    err_t e = project_data_path(&k->project, "quotas", p.quotas, d);
    if (!e) e = list_run(k->meta, &ask, show_pool, &p, NULL, d);
    if (!e && !p.found)
        e = diag_fail(d, ERR_NOT_FOUND, "Pool with name:'%s' not found", k->words[0]);
    if (!e) e = desk_print(k, &p.sheet);
    sheet_done(&p.sheet);
    return e;
}

static err_t pool_set(struct desk *k, struct diag *d)
{
    struct pool_row p = {.name = slice_of(k->words[0]),
                         .description = slice_of(k->word_count > 2 ? k->words[2] : ""),
                         .include_deferred = args_has(k->args, "--include-deferred")};
    if (!slice_to_i64(slice_of(k->words[1]), &p.slots))
        return diag_fail(d, ERR_USAGE, "'%s' is no number of slots", k->words[1]);
    err_t e = pool_put(k->meta, &p, d);
    if (!e) desk_say(k, "Pool %s created", k->words[0]);
    return e;
}

static err_t pool_remove(struct desk *k, struct diag *d)
{
    err_t e = pool_delete(k->meta, slice_of(k->words[0]), d);
    if (!e) desk_say(k, "Pool %s deleted", k->words[0]);
    return e;
}

static err_t one_pool(struct desk *k, const struct doc_entry *entry, struct diag *d)
{
    const struct doc *v = &entry->value;
    struct pool_row p = {.name = entry->name, .description = doc_text(doc_get(v, "description"))};
    const struct doc *deferred = doc_get(v, "include_deferred");
    if (!option_int(doc_get(v, "slots"), &p.slots))
        return diag_fail(d, ERR_USAGE, "pool '%.*s' has no slots", SLICE_ARG(entry->name));
    if (deferred && !option_bool(deferred, &p.include_deferred))
        return diag_fail(d, ERR_USAGE, "include_deferred of pool '%.*s' is true or false",
                         SLICE_ARG(entry->name));
    return pool_put(k->meta, &p, d);
}

static err_t pools_import(struct desk *k, struct diag *d)
{
    return import(k, "pools", one_pool, d);
}

static err_t export_pool(void *ctx, const struct meta_row *row)
{
    struct export *x = ctx;
    if (pool_at(row, "per_ms")->kind != META_NULL) return ERR_OK; /* pipeline.sql says those */
    put_name(x, pool_at(row, "name")->text);
    buf_printf(&x->out,
               "{\"slots\": %lld, \"description\": ", (long long)pool_at(row, "slots")->number);
    json_put_text(&x->out, pool_at(row, "description")->text);
    buf_printf(&x->out, ", \"include_deferred\": %s}",
               pool_at(row, "include_deferred")->number ? "true" : "false");
    return x->out.err;
}

static err_t pools_export(struct desk *k, struct diag *d)
{
    return export_all(k, LIST_POOLS, "pools", export_pool, d);
}

const struct desk_command pool_commands[] = {
    {"list", "", "the pools and what is taken of them", pools_list},
    {"quotas", "", "the quotas of APIs that sources share, and what is taken of them",
     pools_quotas},
    {"get", "POOL", "one of them", pool_get},
    {"set", "POOL SLOTS [DESCRIPTION]", "make or change one; -1: without end", pool_set},
    {"delete", "POOL", "never default_pool", pool_remove},
    {"import", "FILE", "from JSON or YAML", pools_import},
    {"export", "FILE", "as JSON; '-': to standard output", pools_export},
};
const size_t pool_command_count = COUNT_OF(pool_commands);

int verb_pools(const struct verb *v, const struct args *a)
{
    return desk_verb(v, a, pool_commands, pool_command_count);
}

/* --- connections --------------------------------------------------------------------------------
 */

static err_t connections_list(struct desk *k, struct diag *d)
{
    return desk_list(k, LIST_CONNECTIONS,
                     "connection_id conn_type description host port# schema login password", NULL,
                     0, "", d);
}

/* Secrets stay hidden unless --show-values asks for them. */
static err_t connection_get(struct desk *k, struct diag *d)
{
    struct connection c;
    err_t e = connection_resolve(k->meta, slice_of(k->words[0]), k->arena, &c, d);
    if (e) return e;
    bool open = args_has(k->args, "--show-values");
    struct sheet s =
        sheet_make("connection_id conn_type host port# schema login password extra description");
    const struct slice hidden = SLICE("***");
    const struct slice texts[] = {c.id.len ? c.id : slice_of(k->words[0]),
                                  c.conn_type,
                                  c.host,
                                  {0},
                                  c.schema,
                                  c.login,
                                  c.password.len && !open ? hidden : c.password,
                                  c.extra.len && !open ? hidden : c.extra,
                                  c.description};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        if (i == 3 && c.port >= 0)
            sheet_number(&s, c.port);
        else if (i == 3 || !texts[i].at)
            sheet_none(&s);
        else
            sheet_text(&s, texts[i]);
    }
    e = desk_print(k, &s);
    sheet_done(&s);
    return e;
}

static struct slice given(const struct desk *k, const char *option)
{
    return slice_of(desk_value(k, option));
}

static err_t connection_add(struct desk *k, struct diag *d)
{
    const char *uri = desk_value(k, "--conn-uri"), *json = desk_value(k, "--conn-json"),
               *port = desk_value(k, "--conn-port");
    struct connection c = {.conn_type = given(k, "--conn-type"),
                           .host = given(k, "--conn-host"),
                           .schema = given(k, "--conn-schema"),
                           .login = given(k, "--conn-login"),
                           .password = given(k, "--conn-password"),
                           .extra = given(k, "--conn-extra"),
                           .port = -1};
    err_t e = ERR_OK;
    if (uri || json)
        e = connection_of_text(slice_of(uri ? uri : json), k->arena, &c, d);
    else if (!c.conn_type.at)
        e = diag_fail(d, ERR_USAGE,
                      "a connection needs --conn-type, or --conn-uri, or --conn-json");
    else if (port && !slice_to_i64(slice_of(port), &c.port))
        e = diag_fail(d, ERR_USAGE, "'%s' is no port", port);
    c.id = slice_of(k->words[0]);
    if (desk_value(k, "--conn-description")) c.description = given(k, "--conn-description");
    if (!e) e = connection_create(k->meta, &c, d);
    if (!e) desk_say(k, "Successfully added `conn_id`=%s", k->words[0]);
    return e;
}

static err_t connection_remove(struct desk *k, struct diag *d)
{
    err_t e = connection_delete(k->meta, slice_of(k->words[0]), d);
    if (!e) desk_say(k, "Successfully deleted connection with `conn_id`=%s", k->words[0]);
    return e;
}

static err_t one_connection(struct desk *k, const struct doc_entry *entry, struct diag *d)
{
    struct connection c;
    err_t e = entry->value.kind == DOC_TEXT ? connection_of_text(entry->value.text, k->arena, &c, d)
                                            : connection_of_json(&entry->value, k->arena, &c, d);
    c.id = entry->name;
    return e ? e : connection_put(k->meta, &c, d);
}

static err_t connections_import(struct desk *k, struct diag *d)
{
    return import(k, "connections", one_connection, d);
}

static err_t export_connection(void *ctx, const struct meta_row *row)
{
    struct export *x = ctx;
    struct connection c;
    err_t e = connection_read(x->k->meta, row, x->k->arena, &c, x->d);
    if (e) return e;
    put_name(x, c.id);
    connection_put_json(&x->out, &c, x->k->arena);
    return x->out.err;
}

static err_t connections_export(struct desk *k, struct diag *d)
{
    return export_all(k, LIST_CONNECTIONS, "connections", export_connection, d);
}

const struct desk_command connection_commands[] = {
    {"list", "", "the connections; no secrets", connections_list},
    {"get", "CONNECTION", "one of them; --show-values: with its secrets", connection_get},
    {"add", "CONNECTION", "--conn-type, --conn-host, --conn-port …, or --conn-uri, or --conn-json",
     connection_add},
    {"delete", "CONNECTION", "", connection_remove},
    {"import", "FILE", "from JSON or YAML, as Airflow's", connections_import},
    {"export", "FILE", "as JSON with the secrets in clear; '-': to standard output",
     connections_export},
};
const size_t connection_command_count = COUNT_OF(connection_commands);

int verb_connections(const struct verb *v, const struct args *a)
{
    return desk_verb(v, a, connection_commands, connection_command_count);
}

/* --- variables ----------------------------------------------------------------------------------
 */

static err_t variables_list(struct desk *k, struct diag *d)
{
    return desk_list(k, LIST_VARIABLES, "key description", NULL, 0, "", d);
}

static err_t variable_get(struct desk *k, struct diag *d)
{
    struct variable v;
    const char *fallback = desk_value(k, "--default");
    err_t e = variable_resolve(k->meta, slice_of(k->words[0]), k->arena, &v, d);
    if (e == ERR_NOT_FOUND && fallback) {
        printf("%s\n", fallback);
        return ERR_OK;
    }
    if (!e) printf("%.*s\n", SLICE_ARG(v.value));
    return e;
}

static err_t variable_set(struct desk *k, struct diag *d)
{
    struct variable v = {.key = slice_of(k->words[0]),
                         .value = slice_of(k->words[1]),
                         .description = given(k, "--description")};
    struct doc doc;
    if (args_has(k->args, "--json-value") && doc_of_json(v.value, k->arena, &doc, d))
        return ERR_SYNTAX;
    err_t e = variable_put(k->meta, &v, d);
    if (!e) desk_say(k, "Variable %s created", k->words[0]);
    return e;
}

static err_t variable_remove(struct desk *k, struct diag *d)
{
    err_t e = variable_delete(k->meta, slice_of(k->words[0]), d);
    if (!e) desk_say(k, "Variable %s deleted", k->words[0]);
    return e;
}

static err_t one_variable(struct desk *k, const struct doc_entry *entry, struct diag *d)
{
    struct variable v = {.key = entry->name,
                         .value =
                             entry->value.kind == DOC_TEXT ? entry->value.text : (struct slice){0}};
    struct buf json = buf_make(VARIABLE_VALUE_MAX);
    if (!v.value.at) {
        doc_put_json(&json, &entry->value);
        v.value = buf_view(&json);
    }
    err_t e = json.err ? diag_fail(d, json.err, "variable '%.*s' is too large", SLICE_ARG(v.key))
                       : variable_put(k->meta, &v, d);
    buf_done(&json);
    return e;
}

static err_t variables_import(struct desk *k, struct diag *d)
{
    return import(k, "variables", one_variable, d);
}

static err_t export_variable(void *ctx, const struct meta_row *row)
{
    struct export *x = ctx;
    struct variable v;
    struct doc doc;
    err_t e = variable_read(x->k->meta, row, x->k->arena, &v, x->d);
    if (e) return e;
    put_name(x, v.key);
    bool json = doc_of_json(v.value, x->k->arena, &doc, NULL) == ERR_OK;
    if (json)
        buf_slice(&x->out, v.value);
    else
        json_put_text(&x->out, v.value);
    return x->out.err;
}

static err_t variables_export(struct desk *k, struct diag *d)
{
    return export_all(k, LIST_VARIABLES, "variables", export_variable, d);
}

const struct desk_command variable_commands[] = {
    {"list", "", "their names", variables_list},
    {"get", "KEY", "its value; --default VALUE where there is none", variable_get},
    {"set", "KEY VALUE", "--description; --json-value: it must be JSON", variable_set},
    {"delete", "KEY", "", variable_remove},
    {"import", "FILE", "from a JSON or YAML map", variables_import},
    {"export", "FILE", "as JSON, in clear; '-': to standard output", variables_export},
};
const size_t variable_command_count = COUNT_OF(variable_commands);

int verb_variables(const struct verb *v, const struct args *a)
{
    return desk_verb(v, a, variable_commands, variable_command_count);
}
