/* What people keep beside their workflows: connections, variables, pools. Each change is one
 * transaction with its event. */
#include "door/airflow/airflow_int.h"

#include "data/json.h"
#include "sched/connection.h"
#include "sched/things.h"

static err_t bad_body(struct call *c, const char *said)
{
    return refuse(c, 400, c->api == API_V1 ? "Invalid post body" : NULL, "%s", said);
}

/* --- connections --------------------------------------------------------------------------------
 */

static struct listing connections(void)
{
    return (struct listing){
        .kind = LIST_CONNECTIONS, .body = BODY_CONNECTION, .name = "connections"};
}

err_t api_get_connections(struct call *c)
{
    struct listing l = connections();
    return answer_list(c, &l);
}

static err_t answer_connection(struct call *c, struct slice id)
{
    struct listing l = connections();
    listing_fix(c, &l, "connection_id", id);
    return answer_one(c, &l, NO_CONNECTION);
}

err_t api_get_connection(struct call *c)
{
    return answer_connection(c, rest_part(c, "connection_id"));
}

/* The body's fields onto `k`; all: what is absent becomes nothing. */
static void read_connection(struct call *c, struct connection *k, bool all)
{
    const struct {
        const char *name;
        struct slice *to;
    } texts[] = {{"connection_id", &k->id},        {"conn_type", &k->conn_type},
                 {"description", &k->description}, {"host", &k->host},
                 {"schema", &k->schema},           {"login", &k->login},
                 {"password", &k->password},       {"extra", &k->extra}};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (all || mask_has(c, texts[i].name)) *texts[i].to = body_text(c, texts[i].name);
    if (all || mask_has(c, "port")) k->port = body_int(c, "port", -1);
}

static err_t change_post_connection(struct call *c)
{
    struct connection k = {.port = -1};
    read_connection(c, &k, true);
    err_t e = connection_create(c->meta, &k, &c->d);
    if (e == ERR_EXISTS && c->api == API_V2)
        return refuse(c, 409, NULL, "The Connection with connection_id: `%.*s` already exists",
                      SLICE_ARG(k.id));
    if (e == ERR_EXISTS)
        return refuse(c, 409, "Conflict", "Connection already exist. ID: %.*s", SLICE_ARG(k.id));
    return e ? e : rest_event(c, "post_connection", k.id);
}

err_t api_post_connection(struct call *c)
{
    err_t e = body_check(c, INPUTS_CONNECTION);
    if (!e) e = key_check(body_text(c, "connection_id"), CONNECTION_ID_MAX, &c->d);
    if (!e) e = rest_transact(c, change_post_connection);
    if (e) return e;
    c->status = c->api == API_V1 ? 200 : 201;
    return answer_connection(c, body_text(c, "connection_id"));
}

static err_t change_connection(struct call *c, struct slice id)
{
    struct connection k;
    err_t e = connection_find(c->meta, id, c->arena, &k, &c->d);
    if (e) return or_missing(c, e, NO_CONNECTION);
    read_connection(c, &k, false);
    k.id = id;
    e = connection_change(c->meta, &k, &c->d);
    return e ? e : rest_event(c, "patch_connection", id);
}

static err_t change_patch_connection(struct call *c)
{
    return change_connection(c, rest_part(c, "connection_id"));
}

err_t api_patch_connection(struct call *c)
{
    struct slice id = rest_part(c, "connection_id");
    err_t e = body_check_partial(c, INPUTS_CONNECTION);
    if (!e) e = mask_check(c, INPUTS_CONNECTION);
    if (!e && body_has(c, "connection_id") && !slice_equal(body_text(c, "connection_id"), id))
        e = c->api == API_V1
                ? refuse(c, 400, "Bad Request", "The connection_id cannot be updated.")
                : refuse(c, 400, NULL,
                         "The connection_id in the request body does not match the URL parameter");
    if (!e) e = rest_transact(c, change_patch_connection);
    return e ? e : answer_connection(c, id);
}

static err_t remove_connection(struct call *c, struct slice id)
{
    err_t e = or_missing(c, connection_delete(c->meta, id, &c->d), NO_CONNECTION);
    return e ? e : rest_event(c, "delete_connection", id);
}

static err_t change_delete_connection(struct call *c)
{
    return remove_connection(c, rest_part(c, "connection_id"));
}

err_t api_delete_connection(struct call *c)
{
    c->status = 204;
    return rest_transact(c, change_delete_connection);
}

/* As Airflow replaces one: whole, but for a password that is not said. */
static err_t make_connection(struct call *c, struct slice id)
{
    struct connection k = {.port = -1}, before;
    read_connection(c, &k, true);
    err_t e = k.password.at ? ERR_OK : connection_find(c->meta, id, c->arena, &before, &c->d);
    if (!e && !k.password.at) k.password = before.password;
    if (!e || e == ERR_NOT_FOUND) e = connection_put(c->meta, &k, &c->d);
    return e ? e : rest_event(c, "post_connection", id);
}

const struct kept kept_connections = {
    .what = "connections",
    .keys = "connection_ids",
    .list = LIST_CONNECTIONS,
    .key = "connection_id",
    .inputs = INPUTS_CONNECTION,
    .change = {make_connection, change_connection, remove_connection}};

/* Airflow's own default connections, those of them that something here can use. */
static err_t change_defaults(struct call *c)
{
    const struct connection all[] = {
        {SLICE("cassandra_default"), SLICE("cassandra"), .host = SLICE("cassandra"), .port = 9042},
        {SLICE("fs_default"), SLICE("fs"), .extra = SLICE("{\"path\": \"/\"}"), .port = -1},
        {SLICE("http_default"), SLICE("http"), .host = SLICE("https://www.httpbin.org/"),
         .port = -1},
        {SLICE("kafka_default"), SLICE("kafka"),
         .extra = SLICE("{\"bootstrap.servers\": \"broker:29092\", \"group.id\": \"my-group\"}"),
         .port = -1},
        {SLICE("spark_default"), SLICE("spark"), .host = SLICE("yarn"),
         .extra = SLICE("{\"queue\": \"root.default\"}"), .port = -1}};
    err_t e = ERR_OK;
    for (size_t i = 0; i < COUNT_OF(all) && !e; i++) {
        e = connection_create(c->meta, &all[i], &c->d);
        if (e == ERR_EXISTS) e = ERR_OK; /* stays as it is */
    }
    return e ? e : rest_event(c, "create_default_connections", (struct slice){0});
}

err_t api_post_defaults(struct call *c)
{
    c->status = 204;
    return rest_transact(c, change_defaults);
}

/* Airflow's own default as well: a connection is tested by nobody who has not allowed it. */
err_t api_test_connection(struct call *c)
{
    return refuse(c, 403, "Forbidden",
                  "Testing connections is disabled in Airflow configuration. Contact your "
                  "deployment admin to enable it.");
}

/* --- variables
 * ------------------------------------------------------------------------------------ */

static struct listing variables(void)
{
    return (struct listing){.kind = LIST_VARIABLES, .body = BODY_VARIABLE, .name = "variables"};
}

err_t api_get_variables(struct call *c)
{
    struct listing l = variables();
    return answer_list(c, &l);
}

static err_t answer_variable(struct call *c, struct slice key, enum problem p)
{
    struct listing l = variables();
    listing_fix(c, &l, "key", key);
    return answer_one(c, &l, p);
}

err_t api_get_variable(struct call *c)
{
    return answer_variable(c, rest_part(c, "variable_key"), NO_VARIABLE);
}

/* A text as it is; v2 takes any JSON, which is kept as its text. */
static struct slice variable_text(struct call *c)
{
    const struct doc *v = body_get(c, "value");
    struct slice s = v && v->kind == DOC_TEXT ? v->text : body_json(c, "value");
    return s.at ? s : v ? SLICE("") : SLICE("null");
}

static err_t change_post_variable(struct call *c)
{
    struct variable v = {.key = body_text(c, "key"),
                         .value = variable_text(c),
                         .description = body_text(c, "description")};
    /* Airflow 2 sets what is there already; Airflow 3 refuses */
    err_t e =
        c->api == API_V1 ? variable_put(c->meta, &v, &c->d) : variable_create(c->meta, &v, &c->d);
    if (e == ERR_EXISTS)
        return refuse(c, 409, "Conflict", "The Variable with key: `%.*s` already exists",
                      SLICE_ARG(v.key));
    return e ? e : rest_event(c, "post_variable", v.key);
}

err_t api_post_variable(struct call *c)
{
    err_t e = body_check(c, INPUTS_VARIABLE);
    if (!e) e = rest_transact(c, change_post_variable);
    if (e) return e;
    c->status = c->api == API_V1 ? 200 : 201;
    return answer_variable(c, body_text(c, "key"), NO_VARIABLE);
}

static err_t change_variable(struct call *c, struct slice key)
{
    struct variable v;
    err_t e = variable_find(c->meta, key, c->arena, &v, &c->d);
    if (e) return or_missing(c, e, NO_VARIABLE);
    if (mask_has(c, "value")) v.value = variable_text(c);
    if (mask_has(c, "description")) v.description = body_text(c, "description");
    e = variable_change(c->meta, &v, &c->d);
    return e ? e : rest_event(c, "patch_variable", v.key);
}

static err_t change_patch_variable(struct call *c)
{
    return change_variable(c, rest_part(c, "variable_key"));
}

err_t api_patch_variable(struct call *c)
{
    struct slice key = rest_part(c, "variable_key"), mask;
    bool masked = rest_param(c, "update_mask", &mask);
    err_t e = masked ? body_check_partial(c, INPUTS_VARIABLE) : body_check(c, INPUTS_VARIABLE);
    if (!e) e = mask_check(c, INPUTS_VARIABLE);
    if (!e && !slice_equal(body_text(c, "key"), key))
        e = bad_body(c, c->api == API_V1
                            ? "key from request body doesn't match uri parameter"
                            : "Invalid body, key from request body doesn't match uri parameter");
    if (!e) e = rest_transact(c, change_patch_variable);
    return e ? e : answer_variable(c, key, NO_VARIABLE);
}

static err_t remove_variable(struct call *c, struct slice key)
{
    err_t e = or_missing(c, variable_delete(c->meta, key, &c->d), NO_VARIABLE_BARE);
    return e ? e : rest_event(c, "delete_variable", key);
}

static err_t change_delete_variable(struct call *c)
{
    return remove_variable(c, rest_part(c, "variable_key"));
}

err_t api_delete_variable(struct call *c)
{
    c->status = 204;
    return rest_transact(c, change_delete_variable);
}

static err_t make_variable(struct call *c, struct slice key)
{
    struct variable v = {
        .key = key, .value = variable_text(c), .description = body_text(c, "description")};
    err_t e = variable_put(c->meta, &v, &c->d);
    return e ? e : rest_event(c, "post_variable", key);
}

const struct kept kept_variables = {.what = "variables",
                                    .keys = "keys",
                                    .list = LIST_VARIABLES,
                                    .key = "key",
                                    .inputs = INPUTS_VARIABLE,
                                    .change = {make_variable, change_variable, remove_variable}};

/* --- pools
 * ------------------------------------------------------------------------------------------ */

static struct listing pools(void)
{
    return (struct listing){.kind = LIST_POOLS, .body = BODY_POOL, .name = "pools"};
}

err_t api_get_pools(struct call *c)
{
    struct listing l = pools();
    return answer_list(c, &l);
}

static err_t answer_pool(struct call *c, struct slice name)
{
    struct listing l = pools();
    listing_fix(c, &l, "name", name);
    return answer_one(c, &l, NO_POOL);
}

err_t api_get_pool(struct call *c)
{
    return answer_pool(c, rest_part(c, "pool_name"));
}

/* An API's quota is listed as a pool, and said by pipeline.sql alone. */
static err_t not_a_quota(struct call *c, struct slice name, int status)
{
    err_t e = api_quota_refuse(c->meta, name, &c->d);
    if (e != ERR_CONFIG) return e;
    return refuse(c, status, status == 409 ? "Conflict" : "Bad Request", "%s; %s",
                  arena_text(c->arena, slice_of(c->d.what)),
                  arena_text(c->arena, slice_of(c->d.hint)));
}

static struct pool_row read_pool(struct call *c)
{
    return (struct pool_row){.name = body_text(c, "name"),
                             .description = body_text(c, "description"),
                             .slots = body_int(c, "slots", 0),
                             .include_deferred = body_bool(c, "include_deferred", false)};
}

static err_t change_post_pool(struct call *c)
{
    err_t e = not_a_quota(c, body_text(c, "name"), 409);
    if (e) return e;
    struct pool_row p = read_pool(c);
    e = pool_create(c->meta, &p, &c->d);
    return e ? e : rest_event(c, "post_pool", p.name);
}

/* v1 says which are missing in words of its own. */
static err_t needs_of_pool(struct call *c)
{
    struct buf b = buf_make(256);
    if (c->api == API_V2 || c->body.kind != DOC_MAP) return ERR_OK;
    if (!body_has(c, "name")) buf_text(&b, "'name'");
    if (!body_has(c, "slots")) buf_text(&b, b.len ? ", 'slots'" : "'slots'");
    err_t e = b.len ? refuse(c, 400, "Bad Request", "Missing required property(ies): [%.*s]",
                             SLICE_ARG(buf_view(&b)))
                    : ERR_OK;
    buf_done(&b);
    return e;
}

err_t api_post_pool(struct call *c)
{
    err_t e = c->api == API_V1 ? body_check_partial(c, INPUTS_POOL) : body_check(c, INPUTS_POOL);
    if (!e) e = needs_of_pool(c);
    if (!e) e = rest_transact(c, change_post_pool);
    if (e) return e;
    c->status = c->api == API_V1 ? 200 : 201;
    return answer_pool(c, body_text(c, "name"));
}

static err_t change_patch_pool(struct call *c)
{
    struct pool_row p;
    struct slice name = rest_part(c, "pool_name");
    const char *named = c->api == API_V1 ? "name" : "pool";
    err_t e = not_a_quota(c, name, 400);
    if (!e && mask_has(c, named) && body_text(c, named).at)
        e = not_a_quota(c, body_text(c, named), 409);
    if (e) return e;
    e = pool_find(c->meta, name, c->arena, &p, &c->d);
    if (e) return or_missing(c, e, NO_POOL);
    bool is_default = slice_is(name, "default_pool");
    if (mask_has(c, named) && body_text(c, named).at) p.name = body_text(c, named);
    if (mask_has(c, "slots")) p.slots = body_int(c, "slots", p.slots);
    if (mask_has(c, "description")) p.description = body_text(c, "description");
    if (mask_has(c, "include_deferred"))
        p.include_deferred = body_bool(c, "include_deferred", p.include_deferred);
    if (is_default && !slice_equal(p.name, name))
        return refuse(c, 400, "Bad Request", "Default Pool's name can't be modified");
    e = pool_change(c->meta, name, &p, &c->d);
    return e ? e : rest_event(c, "patch_pool", name);
}

err_t api_patch_pool(struct call *c)
{
    struct slice mask, name = rest_part(c, "pool_name");
    const char *named = c->api == API_V1 ? "name" : "pool";
    bool masked = rest_param(c, "update_mask", &mask);
    err_t e = body_check_partial(c, INPUTS_POOL_PATCH);
    if (!e) e = mask_check(c, INPUTS_POOL_PATCH);
    if (!e && !masked && c->api == API_V1) e = needs_of_pool(c);
    if (!e) e = rest_transact(c, change_patch_pool);
    if (e) return e;
    bool renamed = mask_has(c, named) && body_text(c, named).at;
    return answer_pool(c, renamed ? body_text(c, named) : name);
}

static err_t remove_pool(struct call *c, struct slice name)
{
    if (slice_is(name, "default_pool"))
        return refuse(c, 400, "Bad Request", "Default Pool can't be deleted");
    err_t e = not_a_quota(c, name, 400);
    if (!e) e = or_missing(c, pool_delete(c->meta, name, &c->d), NO_POOL);
    return e ? e : rest_event(c, "delete_pool", name);
}

static err_t change_delete_pool(struct call *c)
{
    return remove_pool(c, rest_part(c, "pool_name"));
}

err_t api_delete_pool(struct call *c)
{
    c->status = 204;
    return rest_transact(c, change_delete_pool);
}

static err_t make_pool(struct call *c, struct slice name)
{
    struct pool_row p = read_pool(c);
    err_t e = not_a_quota(c, name, 409);
    if (!e) e = pool_put(c->meta, &p, &c->d);
    return e ? e : rest_event(c, "post_pool", name);
}

/* A name stays what it is; null is nothing said, as in Airflow. */
static err_t change_pool(struct call *c, struct slice name)
{
    struct pool_row p;
    err_t e = not_a_quota(c, name, 400);
    if (!e) e = pool_find(c->meta, name, c->arena, &p, &c->d);
    if (e) return e;
    p.slots = body_int(c, "slots", p.slots);
    p.include_deferred = body_bool(c, "include_deferred", p.include_deferred);
    if (body_text(c, "description").at) p.description = body_text(c, "description");
    e = pool_change(c->meta, name, &p, &c->d);
    return e ? e : rest_event(c, "patch_pool", name);
}

const struct kept kept_pools = {.what = "pools",
                                .keys = "pool names",
                                .list = LIST_POOLS,
                                .key = "name",
                                .inputs = INPUTS_POOL,
                                .change = {make_pool, change_pool, remove_pool}};
