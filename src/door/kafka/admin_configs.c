/* DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources: topics' settings are
 * the log's table; the broker's are shown, and changed in sluice.yaml only. */
#include "base/vec.h"
#include "coord/topics.h"
#include "door/kafka/admin.h"

enum resource {
    RESOURCE_TOPIC = 2,
    RESOURCE_BROKER = 4,
    RESOURCE_LOGGER = 8,
    RESOURCE_METRICS = 16
};

/* --- what the broker says of itself ----------------------------------------------------------- */

struct broker_config {
    const char *name, *value, *about;
    enum config_type type;
};
static const struct broker_config broker_configs[] = {
#define BROKER_CONFIG(name, type, value, about) {name, value, about, TYPE_##type},
#include "door/kafka/broker_configs.def"
#undef BROKER_CONFIG
};

/* Those of the rows that this server's own settings decide; NULL: the row's value. */
static const char *broker_value(struct call *c, const char *name)
{
    const struct kafka_door_options *o = door_options(c->door);
    char host[256];
    int32_t port;
    if (strcmp(name, "auto.create.topics.enable") == 0) return o->auto_create ? "true" : "false";
    if (strcmp(name, "num.partitions") == 0)
        return arena_printf(c->arena, "%d", o->default_partitions);
    if (strcmp(name, "log.dirs") == 0 || strcmp(name, "log.dir") == 0) return log_dir(o->log);
    if (strcmp(name, "listeners") != 0 && strcmp(name, "advertised.listeners") != 0) return NULL;
    call_address(c, host, &port);
    return arena_printf(c->arena, "%s://%s:%d", o->login ? "SASL_PLAINTEXT" : "PLAINTEXT", host,
                        port);
}

static enum config_type type_of(enum log_config_kind kind)
{
    static const enum config_type types[] = {
        [LOG_CONFIG_BOOL] = TYPE_BOOLEAN, [LOG_CONFIG_INT] = TYPE_INT,
        [LOG_CONFIG_LONG] = TYPE_LONG,    [LOG_CONFIG_DOUBLE] = TYPE_DOUBLE,
        [LOG_CONFIG_LIST] = TYPE_LIST,    [LOG_CONFIG_STRING] = TYPE_STRING,
    };
    return types[kind];
}

/* --- DescribeConfigs -------------------------------------------------------------------------- */

struct describe {
    struct call *call;
    const struct kafka_describe_configs_request *request;
    const struct kafka_describe_configs_request_resource *resource;
    struct kafka_describe_configs_response_result *out;
    int32_t room;
};

static bool wanted(const struct describe *w, const char *name)
{
    if (w->resource->configuration_keys.count < 0) return true; /* null: all of them */
    for (int32_t i = 0; i < w->resource->configuration_keys.count; i++)
        if (slice_is(w->resource->configuration_keys.at[i], name)) return true;
    return false;
}

/* The value with where it comes from, the most particular source first. */
static err_t synonyms_put(const struct describe *w,
                          struct kafka_describe_configs_response_config *k, const char *name,
                          const char *fallback)
{
    bool own = k->config_source != SOURCE_DEFAULT;
    int32_t count = 1 + own;
    if (!w->request->include_synonyms) return ERR_OK;
    k->synonyms.at = call_new(w->call, kafka_describe_configs_response_synonym, count);
    if (!k->synonyms.at) return ERR_NO_MEMORY;
    k->synonyms.count = count;
    for (int32_t i = 0; i < count; i++) k->synonyms.at[i].name = slice_of(name);
    if (own) k->synonyms.at[0].value = k->value, k->synonyms.at[0].source = k->config_source;
    k->synonyms.at[own].value = own ? slice_of(fallback) : k->value;
    k->synonyms.at[own].source = SOURCE_DEFAULT;
    return ERR_OK;
}

static err_t config_put(struct describe *w, const char *name, struct slice value,
                        enum config_source source, bool read_only, enum config_type type,
                        const char *fallback, const char *about)
{
    INVARIANT(w->out->configs.count < w->room);
    struct kafka_describe_configs_response_config *k = &w->out->configs.at[w->out->configs.count++];
    k->name = slice_of(name);
    k->value = arena_slice(w->call->arena, value);
    if (!k->value.at) return ERR_NO_MEMORY;
    k->read_only = read_only;
    k->is_default = source == SOURCE_DEFAULT;
    k->config_source = (int8_t)source;
    k->config_type = (int8_t)type;
    if (w->request->include_documentation) k->documentation = slice_of(about);
    return synonyms_put(w, k, name, fallback);
}

static err_t configs_room(struct describe *w, size_t count)
{
    w->room = (int32_t)count;
    w->out->configs.at = call_new(w->call, kafka_describe_configs_response_config, w->room);
    w->out->configs.count = 0;
    return w->out->configs.at ? ERR_OK : ERR_NO_MEMORY;
}

static err_t describe_topic(struct describe *w, struct diag *d)
{
    struct log_topic *t =
        log_topic_find(door_options(w->call->door)->log, w->resource->resource_name);
    size_t count;
    const struct log_config_row *rows = log_config_rows(&count);
    if (!t)
        return diag_fail(d, ERR_UNKNOWN_TOPIC, "The topic '%.*s' does not exist",
                         SLICE_ARG(w->resource->resource_name));
    err_t e = configs_room(w, count);
    for (size_t i = 0; !e && i < count; i++) {
        struct buf text = buf_make(KIB(64));
        bool own = false;
        if (!wanted(w, rows[i].name)) continue;
        e = log_config_text(t, i, &text, &own);
        if (!e)
            e = config_put(w, rows[i].name, buf_view(&text), own ? SOURCE_TOPIC : SOURCE_DEFAULT,
                           false, type_of(rows[i].kind), rows[i].fallback, rows[i].about);
        buf_done(&text);
    }
    return e;
}

static err_t describe_broker(struct describe *w, struct diag *d)
{
    struct slice name = w->resource->resource_name;
    if (name.len > 0 && !slice_is(name, "1"))
        return diag_fail(d, ERR_USAGE,
                         "Unexpected broker id, expected 1 or empty string, but received %.*s",
                         SLICE_ARG(name));
    err_t e = configs_room(w, name.len ? COUNT_OF(broker_configs) : 0); /* "": dynamic defaults */
    for (size_t i = 0; !e && i < (size_t)w->room; i++) {
        const struct broker_config *b = &broker_configs[i];
        if (!wanted(w, b->name)) continue;
        const char *value = broker_value(w->call, b->name);
        e = config_put(w, b->name, slice_of(value ? value : b->value),
                       value ? SOURCE_BROKER : SOURCE_DEFAULT, true, b->type, b->value, b->about);
    }
    return e;
}

static err_t describe_one(struct describe *w, struct diag *d)
{
    switch (w->resource->resource_type) {
    case RESOURCE_TOPIC: return describe_topic(w, d);
    case RESOURCE_BROKER: return describe_broker(w, d);
    case RESOURCE_LOGGER:
    case RESOURCE_METRICS: return configs_room(w, 0); /* there are none */
    default:
        return diag_fail(d, ERR_USAGE, "Unsupported resource type: %d", w->resource->resource_type);
    }
}

void kafka_describe_configs(struct call *c)
{
    const struct kafka_describe_configs_request *r = c->request;
    struct kafka_describe_configs_response *out = c->response;
    struct describe w = {.call = c, .request = r};
    out->results.count = MAX(r->resources.count, 0);
    out->results.at = call_new(c, kafka_describe_configs_response_result, out->results.count);
    if (!out->results.at) {
        call_refuse(c, ERR_NO_MEMORY);
        return;
    }
    for (int32_t i = 0; i < out->results.count; i++) {
        struct diag d = {0};
        w.resource = &r->resources.at[i];
        w.out = &out->results.at[i];
        w.out->resource_type = w.resource->resource_type;
        w.out->resource_name = w.resource->resource_name;
        err_t e = describe_one(&w, &d);
        struct admin_answer a = admin_answer(c, e, &d);
        w.out->error_code = a.code;
        w.out->error_message = a.message;
        if (e) w.out->configs.count = 0;
    }
    call_answer(c);
}

/* --- changes ---------------------------------------------------------------------------------- */

struct alteration { /* of one resource */
    int8_t type;
    struct slice name;
    struct log_config_change *changes;
    int32_t count;
    bool validate_only;
};

/* The two APIs, which say the same in messages of their own. */
struct alter_api {
    bool replace; /* what is not named goes back to its default */
    int32_t (*count)(const struct call *c);
    /* The i-th resource; its changes too where the answer is ERR_OK. */
    err_t (*read)(struct call *c, int32_t i, struct alteration *out, struct diag *d);
    void (*put)(struct call *c, int32_t i, const struct alteration *a, struct admin_answer answer);
};

static err_t alter_one(struct call *c, const struct alteration *a, bool replace, struct diag *d)
{
    struct log *l = door_options(c->door)->log;
    if (a->type == RESOURCE_BROKER || a->type == RESOURCE_LOGGER || a->type == RESOURCE_METRICS) {
        (void)diag_fail(d, ERR_USAGE, "The broker's own settings can not be changed over the wire");
        return diag_why(d, "they are read from sluice.yaml or --set at the start");
    }
    if (a->type != RESOURCE_TOPIC)
        return diag_fail(d, ERR_USAGE, "Unsupported resource type: %d", a->type);
    struct log_topic *t = log_topic_find(l, a->name);
    if (!t)
        return diag_fail(d, ERR_UNKNOWN_TOPIC, "The topic '%.*s' does not exist",
                         SLICE_ARG(a->name));
    return topic_alter(l, t, a->changes, (size_t)a->count, replace, a->validate_only, d);
}

static void alter_all(struct call *c, const struct alter_api *api)
{
    for (int32_t i = 0; i < api->count(c); i++) {
        struct alteration a;
        struct diag d = {0};
        err_t e = api->read(c, i, &a, &d);
        if (!e) e = alter_one(c, &a, api->replace, &d);
        api->put(c, i, &a, admin_answer(c, e, &d));
    }
    call_answer(c);
}

static err_t changes_room(struct call *c, struct alteration *a)
{
    a->changes = arena_take(c->arena, (size_t)a->count * sizeof(*a->changes) + 1);
    return a->changes ? ERR_OK : ERR_NO_MEMORY;
}

/* --- AlterConfigs ----------------------------------------------------------------------------- */

static int32_t whole_count(const struct call *c)
{
    return ((const struct kafka_alter_configs_response *)c->response)->responses.count;
}

static err_t whole_read(struct call *c, int32_t i, struct alteration *out, struct diag *d)
{
    const struct kafka_alter_configs_request *r = c->request;
    const struct kafka_alter_configs_request_resource *in = &r->resources.at[i];
    (void)d;
    *out = (struct alteration){.type = in->resource_type,
                               .name = in->resource_name,
                               .count = MAX(in->configs.count, 0),
                               .validate_only = r->validate_only};
    err_t e = changes_room(c, out);
    for (int32_t k = 0; k < out->count && !e; k++)
        out->changes[k] = (struct log_config_change){LOG_CONFIG_SET, in->configs.at[k].name,
                                                     in->configs.at[k].value};
    return e;
}

static void whole_put(struct call *c, int32_t i, const struct alteration *a, struct admin_answer x)
{
    struct kafka_alter_configs_response *out = c->response;
    struct kafka_alter_configs_response_resource *o = &out->responses.at[i];
    o->resource_type = a->type;
    o->resource_name = a->name;
    o->error_code = x.code;
    o->error_message = x.message;
}

static void alter_configs(struct call *c)
{
    static const struct alter_api api = {true, whole_count, whole_read, whole_put};
    alter_all(c, &api);
}

void kafka_alter_configs(struct call *c)
{
    const struct kafka_alter_configs_request *r = c->request;
    struct kafka_alter_configs_response *out = c->response;
    out->responses.count = MAX(r->resources.count, 0);
    out->responses.at = call_new(c, kafka_alter_configs_response_resource, out->responses.count);
    admin_work(c, out->responses.at, alter_configs);
}

/* --- IncrementalAlterConfigs ------------------------------------------------------------------ */

static int32_t steps_count(const struct call *c)
{
    return ((const struct kafka_incremental_alter_configs_response *)c->response)->responses.count;
}

/* The protocol's operations are the log's, in this order. */
static err_t steps_read(struct call *c, int32_t i, struct alteration *out, struct diag *d)
{
    static const enum log_config_change_kind kinds[] = {LOG_CONFIG_SET, LOG_CONFIG_DELETE,
                                                        LOG_CONFIG_APPEND, LOG_CONFIG_SUBTRACT};
    const struct kafka_incremental_alter_configs_request *r = c->request;
    const struct kafka_incremental_alter_configs_request_resource *in = &r->resources.at[i];
    *out = (struct alteration){.type = in->resource_type,
                               .name = in->resource_name,
                               .count = MAX(in->configs.count, 0),
                               .validate_only = r->validate_only};
    err_t e = changes_room(c, out);
    for (int32_t k = 0; k < out->count && !e; k++) {
        int8_t operation = in->configs.at[k].config_operation;
        if (operation < 0 || (size_t)operation >= COUNT_OF(kinds))
            return diag_fail(d, ERR_USAGE, "Unknown operation %d for %.*s", operation,
                             SLICE_ARG(in->configs.at[k].name));
        out->changes[k] = (struct log_config_change){kinds[operation], in->configs.at[k].name,
                                                     in->configs.at[k].value};
    }
    return e;
}

static void steps_put(struct call *c, int32_t i, const struct alteration *a, struct admin_answer x)
{
    struct kafka_incremental_alter_configs_response *out = c->response;
    struct kafka_incremental_alter_configs_response_resource *o = &out->responses.at[i];
    o->resource_type = a->type;
    o->resource_name = a->name;
    o->error_code = x.code;
    o->error_message = x.message;
}

static void incremental_alter_configs(struct call *c)
{
    static const struct alter_api api = {false, steps_count, steps_read, steps_put};
    alter_all(c, &api);
}

void kafka_incremental_alter_configs(struct call *c)
{
    const struct kafka_incremental_alter_configs_request *r = c->request;
    struct kafka_incremental_alter_configs_response *out = c->response;
    out->responses.count = MAX(r->resources.count, 0);
    out->responses.at =
        call_new(c, kafka_incremental_alter_configs_response_resource, out->responses.count);
    admin_work(c, out->responses.at, incremental_alter_configs);
}

/* --- ListConfigResources ---------------------------------------------------------------------- */

static bool type_wanted(const struct kafka_list_config_resources_request *r, enum resource type)
{
    for (int32_t i = 0; i < r->resource_types.count; i++)
        if (r->resource_types.at[i] == (int8_t)type) return true;
    return r->resource_types.count <= 0;
}

struct listing {
    struct call *call;
    struct vec found; /* struct kafka_list_config_resources_response_config_resource */
};

static err_t list_topic(void *ctx, struct log_topic *t)
{
    struct listing *w = ctx;
    struct kafka_list_config_resources_response_config_resource r;
    kafka_struct_init(&kafka_list_config_resources_response_config_resource_struct, &r);
    r.resource_name = arena_slice(w->call->arena, log_topic_name(t));
    r.resource_type = RESOURCE_TOPIC;
    return vec_push(&w->found, &r);
}

void kafka_list_config_resources(struct call *c)
{
    const struct kafka_list_config_resources_request *r = c->request;
    struct kafka_list_config_resources_response *out = c->response;
    struct listing w = {c, vec_make(sizeof(*out->config_resources.at), 1 << 20)};
    bool metrics_only = c->head.api_version == 0; /* ListClientMetricsResources: we have none */
    err_t e = ERR_OK;
    if (!metrics_only && type_wanted(r, RESOURCE_TOPIC))
        e = log_topics(door_options(c->door)->log, list_topic, &w);
    if (!e && !metrics_only && type_wanted(r, RESOURCE_BROKER)) {
        struct kafka_list_config_resources_response_config_resource b;
        kafka_struct_init(&kafka_list_config_resources_response_config_resource_struct, &b);
        b.resource_name = SLICE("1");
        b.resource_type = RESOURCE_BROKER;
        e = vec_push(&w.found, &b);
    }
    size_t size = w.found.count * sizeof(*out->config_resources.at);
    if (!e) out->config_resources.at = arena_take(c->arena, size + 1);
    if (!e && out->config_resources.at) {
        if (size) memcpy(out->config_resources.at, w.found.items, size);
        out->config_resources.count = (int32_t)w.found.count;
    }
    bool room = !e && out->config_resources.at;
    vec_done(&w.found);
    if (room)
        call_answer(c);
    else
        call_refuse(c, ERR_NO_MEMORY);
}
