/* kafka-configs, in its own words: settings of topics, brokers and groups; SCRAM passwords. */
#include "main/kafka/ask.h"
#include "main/kafka/scram_ops.h"
#include "main/kafka/tool_words.h"
#include "main/kafka/tools.h"
#include "main/kafka/topic_ops.h"

#include "os/file.h"
#include <stdio.h>
#include <stdlib.h>

enum { CONFIG_FILE_MAX = 1 << 20, OF_CLIENT_METRICS = 16 };

static const struct entity_type {
    const char *plural, *singular, *shortcut, *defaults;
    int8_t type; /* 0: users, whose passwords these are */
    int8_t own;  /* the source of what was set for it */
} types[] = {{"topics", "topic", "--topic", NULL, OF_TOPIC, 1},
             {"brokers", "broker", "--broker", "--broker-defaults", OF_BROKER, 2},
             {"groups", "group", "--group", NULL, OF_GROUP, 8},
             {"users", "user", "--user", NULL, 0, 0}};

struct entity {
    const struct entity_type *type;
    const char *name; /* NULL: all of them */
    bool defaults;    /* what holds for all brokers */
};

static const char *const not_here[] = {
    "--client",      "--client-defaults", "--user-defaults", "--ip",
    "--ip-defaults", "--broker-logger",   "--client-metrics"};

/* Which entity is meant. */
static err_t read_entity(const struct args *a, struct entity *x, struct diag *d)
{
    const char *type = args_value(a, "--entity-type");
    *x = (struct entity){.name = args_value(a, "--entity-name"),
                         .defaults = args_has(a, "--entity-default")};
    for (size_t i = 0; i < COUNT_OF(not_here); i++)
        if (args_has(a, not_here[i]))
            return diag_fail(d, ERR_UNSUPPORTED,
                             "%s: quotas, loggers and client metrics are not "
                             "available in this version of sluice",
                             not_here[i]);
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        bool all = types[i].defaults && args_has(a, types[i].defaults);
        bool named = args_has(a, types[i].shortcut);
        bool said = type && strcmp(type, types[i].plural) == 0;
        if (!all && !named && !said) continue;
        if (x->type)
            return diag_fail(d, ERR_USAGE,
                             "--entity-{type,name,default} should not be used in "
                             "conjunction with specific entity flags");
        x->type = &types[i];
        if (named) x->name = args_value(a, types[i].shortcut);
        x->defaults |= all;
    }
    if (x->type) return ERR_OK;
    if (!type) return diag_fail(d, ERR_USAGE, "At least one entity type must be specified");
    if (strcmp(type, "clients") == 0 || strcmp(type, "ips") == 0 ||
        strcmp(type, "broker-loggers") == 0 || strcmp(type, "client-metrics") == 0)
        return diag_fail(d, ERR_UNSUPPORTED,
                         "--entity-type %s is not available in this version of sluice", type);
    return diag_fail(d, ERR_USAGE,
                     "Invalid entity type %s, the entity type must be one of topics, clients, "
                     "users, brokers, ips, client-metrics, groups with a --bootstrap-server or "
                     "--bootstrap-controller argument",
                     type);
}

/* --- describe --------------------------------------------------------------------------------- */

static const char *source_name(int8_t source)
{
    static const char *const names[] = {"UNKNOWN",
                                        "DYNAMIC_TOPIC_CONFIG",
                                        "DYNAMIC_BROKER_CONFIG",
                                        "DYNAMIC_DEFAULT_BROKER_CONFIG",
                                        "STATIC_BROKER_CONFIG",
                                        "DEFAULT_CONFIG",
                                        "DYNAMIC_BROKER_LOGGER_CONFIG",
                                        "DYNAMIC_CLIENT_METRICS_CONFIG",
                                        "DYNAMIC_GROUP_CONFIG"};
    return source >= 0 && (size_t)source < COUNT_OF(names) ? names[source] : names[0];
}

static void print_value(struct slice value)
{
    printf("%.*s", SLICE_ARG(value.at ? value : SLICE("null")));
}

static void print_setting(const struct kafka_describe_configs_response_config *c)
{
    printf("  %.*s=", SLICE_ARG(c->name));
    print_value(c->value);
    printf(" sensitive=%s synonyms={", c->is_sensitive ? "true" : "false");
    for (int32_t i = 0; i < c->synonyms.count; i++) {
        const struct kafka_describe_configs_response_synonym *y = &c->synonyms.at[i];
        printf("%s%s:%.*s=", i ? ", " : "", source_name(y->source), SLICE_ARG(y->name));
        print_value(y->value);
    }
    printf("}\n");
}

static int by_name(const void *a, const void *b)
{
    const struct kafka_describe_configs_response_config *x = a, *y = b;
    return slice_compare(x->name, y->name);
}

/* One entity's settings; "" is what holds for all brokers. */
static err_t settings_of(struct session *s, const struct entity_type *t, struct slice name,
                         struct kafka_describe_configs_response_result **out, struct diag *d)
{
    struct kafka_describe_configs_response *o;
    err_t e = ask_configs(s, t->type, &name, 1, true, &o, d);
    if (e) return e;
    if (o->results.count != 1) return diag_fail(d, ERR_PEER, "no answer for the entity");
    *out = &o->results.at[0];
    e = kafka_client_error((*out)->error_code, (*out)->error_message, d, "%s '%.*s'", t->singular,
                           SLICE_ARG(name));
    if (!e && (*out)->configs.count > 1)
        qsort((*out)->configs.at, (size_t)(*out)->configs.count, sizeof(*(*out)->configs.at),
              by_name);
    return e;
}

static err_t describe_one(struct session *s, const struct entity_type *t, struct slice name,
                          bool all, struct diag *d)
{
    struct kafka_describe_configs_response_result *r;
    bool defaults = t->type == OF_BROKER && name.len == 0;
    int8_t own = defaults ? 3 : t->own;
    if (defaults)
        printf("Default configs for %s in the cluster are:\n", t->plural);
    else
        printf("%s configs for %s %.*s are:\n", all ? "All" : "Dynamic", t->singular,
               SLICE_ARG(name));
    err_t e = settings_of(s, t, name, &r, d);
    for (int32_t i = 0; !e && i < r->configs.count; i++)
        if (all || r->configs.at[i].config_source == own) print_setting(&r->configs.at[i]);
    return e;
}

static err_t describe_every(struct session *s, const struct entity_type *t, bool all,
                            struct diag *d)
{
    struct kafka_metadata_response *m;
    char text[24];
    err_t e = ask_topics(s, NULL, -1, &m, d);
    for (int32_t i = 0; !e && t->type == OF_TOPIC && i < m->topics.count; i++)
        e = describe_one(s, t, m->topics.at[i].name, all, d);
    for (int32_t i = 0; !e && t->type == OF_BROKER && i < m->brokers.count; i++) {
        snprintf(text, sizeof(text), "%d", m->brokers.at[i].node_id);
        e = describe_one(s, t, slice_of(text), all, d);
    }
    if (!e && t->type == OF_BROKER) e = describe_one(s, t, SLICE(""), all, d);
    if (!e && t->type == OF_GROUP)
        e = diag_fail(d, ERR_USAGE, "An entity name must be specified with --describe of groups");
    return e;
}

static err_t describe(struct session *s, const struct args *a, const struct entity *x,
                      struct diag *d)
{
    bool all = args_has(a, "--all");
    if (x->type->type == 0) return describe_scram(s, x->name, d);
    if (x->defaults) return describe_one(s, x->type, SLICE(""), all, d);
    if (x->name) return describe_one(s, x->type, slice_of(x->name), all, d);
    return describe_every(s, x->type, all, d);
}

/* --- alter ------------------------------------------------------------------------------------ */

struct changes {
    struct setting list[512];
    int32_t count;
};

static err_t add_change(struct changes *c, int8_t operation, struct slice name, struct slice value,
                        struct diag *d)
{
    if (c->count == (int32_t)COUNT_OF(c->list))
        return diag_fail(d, ERR_TOO_BIG, "too many settings");
    c->list[c->count++] = (struct setting){operation, slice_trim(name), value};
    return ERR_OK;
}

static err_t read_file(struct session *s, const char *path, struct changes *c, struct diag *d)
{
    struct slice text = {0};
    err_t e = file_load(path, CONFIG_FILE_MAX, &text, d);
    struct slice left = e ? text : arena_slice(s->texts, text);
    mem_give((void *)text.at);
    while (!e && left.len) {
        const uint8_t *end = memchr(left.at, '\n', left.len);
        struct slice line = slice_make(left.at, end ? (size_t)(end - left.at) : left.len);
        left = slice_make(left.at + line.len + (end != NULL), left.len - line.len - (end != NULL));
        line = slice_trim(line);
        const uint8_t *equals = line.len ? memchr(line.at, '=', line.len) : NULL;
        if (line.len == 0 || line.at[0] == '#' || !equals) continue;
        size_t len = (size_t)(equals - line.at);
        e = add_change(c, 0, slice_make(line.at, len),
                       slice_trim(slice_make(equals + 1, line.len - len - 1)), d);
    }
    return e;
}

static err_t read_changes(struct session *s, const struct args *a, struct changes *c,
                          struct diag *d)
{
    const char *add = args_value(a, "--add-config"), *file = args_value(a, "--add-config-file"),
               *list;
    struct slice name, value;
    err_t e = ERR_OK;
    c->count = 0;
    if (add && file)
        return diag_fail(d, ERR_USAGE,
                         "Only one of --add-config or --add-config-file must be specified");
    for (list = add; !e && list && next_setting(&list, &name, &value);)
        e = value.at ? add_change(c, 0, name, value, d)
                     : diag_fail(d, ERR_USAGE,
                                 "Invalid entity config: all configs to be added must "
                                 "be in the format \"key=val\".");
    if (!e && file) e = read_file(s, file, c, d);
    for (int n = 0; !e && (list = args_nth(a, "--delete-config", n)); n++)
        while (!e && next_setting(&list, &name, &value))
            e = add_change(c, 1, name, (struct slice){0}, d);
    if (!e && c->count == 0)
        e = diag_fail(d, ERR_USAGE,
                      "At least one of --add-config, --add-config-file, or "
                      "--delete-config must be specified with --alter");
    return e;
}

/* What is taken back must have been set. */
static err_t check_deletions(struct session *s, const struct entity *x, struct slice name,
                             const struct changes *c, struct diag *d)
{
    struct kafka_describe_configs_response_result *r;
    struct buf bad = buf_make(KIB(16));
    err_t e = settings_of(s, x->type, name, &r, d);
    for (int32_t i = 0; !e && i < c->count; i++) {
        bool set = c->list[i].operation != 1;
        for (int32_t k = 0; k < r->configs.count && !set; k++)
            set = slice_equal(r->configs.at[k].name, c->list[i].name) &&
                  r->configs.at[k].config_source == (x->defaults ? 3 : x->type->own);
        if (!set) buf_printf(&bad, "%s%.*s", bad.len ? "," : "", SLICE_ARG(c->list[i].name));
    }
    if (!e && bad.len) e = diag_fail(d, ERR_CONFIG, "Invalid config(s): %s", buf_cstr(&bad));
    buf_done(&bad);
    return e;
}

static err_t alter(struct session *s, const struct args *a, const struct entity *x, struct diag *d)
{
    struct changes c;
    if (!x->name && !x->defaults)
        return diag_fail(d, ERR_USAGE, "An entity name must be specified with --alter of %s",
                         x->type->plural);
    err_t e = read_changes(s, a, &c, d);
    struct slice name = x->defaults ? SLICE("") : slice_of(x->name);
    if (!e && x->type->type == 0) {
        e = alter_scram(s, name, c.list, c.count, d);
    } else if (!e) {
        e = check_deletions(s, x, name, &c, d);
        if (!e) e = change_configs(s, x->type->type, name, c.list, c.count, d);
    }
    if (e) return e;
    if (x->defaults)
        printf("Completed updating default config for %s in the cluster.\n", x->type->plural);
    else
        printf("Completed updating config for %s %s.\n", x->type->singular, x->name);
    return ERR_OK;
}

/* --- the tool --------------------------------------------------------------------------------- */

static int failed(const struct args *a, const struct diag *d)
{
    if (d->err == ERR_USAGE || d->err == ERR_UNSUPPORTED || strncmp(d->what, "Invalid", 7) == 0) {
        fprintf(stderr, "%s\n", d->what);
        return 1;
    }
    fprintf(stderr, "Error while executing config command with args '");
    for (int i = 0; i < a->given_count; i++)
        fprintf(stderr, "%s%s%s%s", i ? " " : "", a->given[i].option->name,
                a->given[i].option->value ? " " : "",
                a->given[i].option->value ? a->given[i].value : "");
    struct buf text = buf_make(KIB(4));
    put_java_error(&text, d);
    fprintf(stderr, "'\n%s\n", buf_cstr(&text));
    buf_done(&text);
    return 1;
}

int tool_configs(const struct verb *v, const struct args *a)
{
    struct session s;
    struct diag d = {0};
    struct entity x;
    if (args_has(a, "--version")) return tool_version();
    if (args_has(a, "--describe") + args_has(a, "--alter") != 1)
        return cli_usage(v, "Command must include exactly one action: --describe, --alter");
    err_t e = read_entity(a, &x, &d);
    if (!e && !args_has(a, "--bootstrap-server"))
        e = diag_fail(&d, ERR_USAGE,
                      "One of the required --bootstrap-server or "
                      "--bootstrap-controller arguments must be specified");
    if (e) return failed(a, &d);
    e = session_of_tool(a, &s, &d);
    if (e) return failed(a, &d);
    e = args_has(a, "--describe") ? describe(&s, a, &x, &d) : alter(&s, a, &x, &d);
    session_close(&s);
    return e ? failed(a, &d) : 0;
}
