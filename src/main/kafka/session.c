#include "main/kafka/session.h"

#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>

enum { PROPERTIES_MAX = 256, FILE_MAX_BYTES = 1 << 20 };

struct properties {
    struct {
        const char *name, *value;
    } rows[PROPERTIES_MAX];
    int count;
};

/* --- properties ------------------------------------------------------------------------------- */

static struct slice trimmed(struct slice s)
{
    while (s.len && (s.at[0] == ' ' || s.at[0] == '\t')) s = slice_make(s.at + 1, s.len - 1);
    while (s.len && strchr(" \t\r", s.at[s.len - 1])) s.len--;
    return s;
}

static err_t property_add(struct properties *p, struct arena *texts, struct slice line,
                          struct diag *d)
{
    line = trimmed(line);
    if (line.len == 0 || line.at[0] == '#' || line.at[0] == '!') return ERR_OK;
    const uint8_t *equals = memchr(line.at, '=', line.len);
    if (!equals) return diag_fail(d, ERR_USAGE, "'%.*s' is no name=value", SLICE_ARG(line));
    size_t name_len = (size_t)(equals - line.at);
    if (p->count == PROPERTIES_MAX)
        return diag_fail(d, ERR_TOO_BIG, "more than %d properties", PROPERTIES_MAX);
    p->rows[p->count].name = arena_text(texts, trimmed(slice_make(line.at, name_len)));
    p->rows[p->count].value =
        arena_text(texts, trimmed(slice_make(equals + 1, line.len - name_len - 1)));
    if (!p->rows[p->count].name || !p->rows[p->count].value) return ERR_NO_MEMORY;
    p->count++;
    return ERR_OK;
}

static err_t read_file(struct properties *p, struct arena *texts, const char *path, struct diag *d)
{
    struct slice text = {0};
    err_t e = file_load(path, FILE_MAX_BYTES, &text, d);
    struct slice left = text;
    for (int line = 1; !e && left.len; line++) {
        const uint8_t *end = memchr(left.at, '\n', left.len);
        size_t len = end ? (size_t)(end - left.at) : left.len;
        e = property_add(p, texts, slice_make(left.at, len), d);
        if (e) (void)diag_where(d, "%s:%d", path, line);
        left = slice_make(left.at + len + (end != NULL), left.len - len - (end != NULL));
    }
    mem_give((void *)text.at);
    return e;
}

/* What this client goes by; anything else is said to have no effect, as the Java clients do. */
static const char *const honoured[] = {
    "acks",
    "auto.offset.reset",
    "batch.size",
    "bootstrap.servers",
    "client.id",
    "compression.type",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.idempotence",
    "enable.ssl.certificate.verification",
    "group.id",
    "group.instance.id",
    "isolation.level",
    "sasl.jaas.config",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "session.timeout.ms",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.keystore.location",
    "ssl.keystore.type",
    "ssl.truststore.location",
    "ssl.truststore.type",
};

static void tell_without_effect(const struct properties *p)
{
    for (int i = 0; i < p->count; i++) {
        bool known = false;
        for (size_t k = 0; k < COUNT_OF(honoured); k++)
            known = known || strcmp(p->rows[i].name, honoured[k]) == 0;
        if (!known)
            fprintf(stderr, "warning: the property %s has no effect here\n", p->rows[i].name);
    }
}

err_t properties_read(const struct session_from *from, struct arena *texts, struct properties **out,
                      struct diag *d)
{
    *out = arena_take(texts, sizeof(**out));
    if (!*out) return diag_fail(d, ERR_NO_MEMORY, "no memory for properties");
    err_t e = from->file ? read_file(*out, texts, from->file, d) : ERR_OK;
    for (int i = 0; !e && i < from->property_count; i++)
        e = property_add(*out, texts, slice_of(from->properties[i]), d);
    if (!e) tell_without_effect(*out);
    return e;
}

const char *properties_value(const struct properties *p, const char *name)
{
    for (int i = p->count - 1; i >= 0; i--)
        if (strcmp(p->rows[i].name, name) == 0) return p->rows[i].value;
    return NULL;
}

/* The first that is given: the Java clients' name, then librdkafka's. */
static const char *either(const struct properties *p, const char *java, const char *librdkafka)
{
    const char *v = properties_value(p, java);
    return v ? v : properties_value(p, librdkafka);
}

/* --- security --------------------------------------------------------------------------------- */

/* org…ScramLoginModule required username="alice" password="a\"b"; */
static const char *jaas_value(const char *jaas, const char *name, struct arena *texts)
{
    char found[1024];
    size_t len = 0, name_len = strlen(name);
    const char *at = jaas ? strstr(jaas, name) : NULL;
    if (!at) return NULL;
    at += name_len;
    while (*at == ' ' || *at == '=') at++;
    char quote = *at == '"' || *at == '\'' ? *at++ : 0;
    for (; *at && len + 1 < sizeof(found); at++) {
        if (quote ? *at == quote : (*at == ' ' || *at == ';')) break;
        if (*at == '\\' && at[1]) at++;
        found[len++] = *at;
    }
    return arena_text(texts, slice_make(found, len));
}

static err_t read_login(const struct properties *p, struct kafka_client_options *o,
                        struct arena *texts, struct diag *d)
{
    const char *jaas = properties_value(p, "sasl.jaas.config");
    o->mechanism = either(p, "sasl.mechanism", "sasl.mechanisms");
    if (!o->mechanism) o->mechanism = "PLAIN";
    o->user = properties_value(p, "sasl.username");
    o->password = properties_value(p, "sasl.password");
    if (!o->user) o->user = jaas_value(jaas, "username", texts);
    if (!o->password) o->password = jaas_value(jaas, "password", texts);
    if (o->user && o->password) return ERR_OK;
    (void)diag_fail(d, ERR_CONFIG, "a login is asked for, and user or password is missing");
    return diag_hint(d, "sasl.jaas.config with username=\"…\" password=\"…\", or sasl.username and "
                        "sasl.password");
}

static err_t read_tls(const struct properties *p, struct kafka_client_options *o, struct diag *d)
{
    static const char *const types[] = {"ssl.truststore.type", "ssl.keystore.type"};
    const char *check = properties_value(p, "enable.ssl.certificate.verification");
    o->tls = true;
    o->tls_options.ca_path = either(p, "ssl.truststore.location", "ssl.ca.location");
    o->tls_options.cert_path = either(p, "ssl.keystore.location", "ssl.certificate.location");
    o->tls_options.key_path = properties_value(p, "ssl.key.location");
    o->tls_options.unchecked = check && strcmp(check, "false") == 0;
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        const char *type = properties_value(p, types[i]);
        if (!type || strcmp(type, "PEM") == 0) continue;
        (void)diag_fail(d, ERR_UNSUPPORTED, "%s=%s can not be read here", types[i], type);
        return diag_hint(d,
                         "PEM files work everywhere: openssl pkcs12 -in store.p12 -out store.pem");
    }
    return ERR_OK;
}

static err_t read_security(const struct properties *p, struct kafka_client_options *o,
                           struct arena *texts, struct diag *d)
{
    static const struct {
        const char *name;
        bool tls, login;
    } protocols[] = {{"PLAINTEXT", false, false},
                     {"SSL", true, false},
                     {"SASL_PLAINTEXT", false, true},
                     {"SASL_SSL", true, true}};
    const char *name = properties_value(p, "security.protocol");
    if (!name) return ERR_OK;
    for (size_t i = 0; i < COUNT_OF(protocols); i++) {
        if (strcasecmp(name, protocols[i].name) != 0) continue;
        err_t e = protocols[i].tls ? read_tls(p, o, d) : ERR_OK;
        return !e && protocols[i].login ? read_login(p, o, texts, d) : e;
    }
    (void)diag_fail(d, ERR_CONFIG, "there is no security.protocol '%s'", name);
    return diag_hint(d, "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL");
}

/* --- its face --------------------------------------------------------------------------------- */

err_t session_open(const struct session_from *from, struct session *s, struct diag *d)
{
    struct kafka_client_options o = {.bootstrap = from->brokers};
    struct properties *p;
    *s = (struct session){.arena = arena_new(SESSION_ARENA_MAX), .texts = arena_new(MIB(4))};
    err_t e = s->arena && s->texts ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory for a client");
    if (!e) e = properties_read(from, s->texts, &p, d);
    if (!e && !o.bootstrap) o.bootstrap = properties_value(p, "bootstrap.servers");
    if (!e && !o.bootstrap) e = diag_fail(d, ERR_USAGE, "no broker is named");
    if (!e) o.client_id = properties_value(p, "client.id");
    if (!e) s->properties = p;
    if (!e) e = read_security(p, &o, s->texts, d);
    if (!e) e = kafka_client_open(&o, &s->client, d);
    if (e) session_close(s);
    return e;
}

void session_close(struct session *s)
{
    kafka_client_close(s->client);
    arena_free(s->arena);
    arena_free(s->texts);
    *s = (struct session){0};
}

static err_t collect(void *ctx, struct slice text)
{
    struct buf *b = ctx;
    buf_put(b, text.at, text.len);
    return b->err;
}

/* The server itself says where: its status has "kafka": "127.0.0.1:41234 …". */
static err_t server_broker(const struct project *p, char out[300], struct diag *d)
{
    static const char field[] = "\"kafka\": \"";
    struct buf body = buf_make(MIB(16));
    struct client_call c = {
        .method = "GET", .path = "/status?json=1", .text = collect, .ctx = &body};
    err_t e = client_run(p, &c, d);
    const char *at = e ? NULL : strstr(buf_cstr(&body), field);
    size_t len = at ? strcspn(at + strlen(field), " \"") : 0;
    if (len > 0 && len < 300)
        snprintf(out, 300, "%.*s", (int)len, at + strlen(field));
    else if (!e)
        e = diag_fail(d, ERR_NOT_FOUND, "this project's server has no Kafka listener");
    buf_done(&body);
    buf_done(&c.failure);
    return e;
}

/* Where this project's server listens: its settings, or what it tells when it took a free port. */
static err_t own_broker(const struct args *a, char out[300], struct diag *d)
{
    struct project p;
    err_t e = cli_project(a, NULL, &p, d);
    if (e == ERR_NOT_FOUND) { /* no project here: the port that everybody knows */
        snprintf(out, 300, "127.0.0.1:9092");
        return ERR_OK;
    }
    if (e) return e;
    long long port = (long long)config_number(&p.config, CONFIG_kafka_port);
    const char *address = config_text(&p.config, CONFIG_listen_address);
    bool any = strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
    bool six = !any && strchr(address, ':');
    if (port <= 0) {
        e = server_broker(&p, out, d);
    } else {
        snprintf(out, 300, "%s%s%s:%lld", six ? "[" : "", any ? "127.0.0.1" : address,
                 six ? "]" : "", port);
    }
    project_close(&p);
    return e;
}

err_t session_of_verb(const struct args *a, struct session *s, struct diag *d)
{
    struct session_from from = {.brokers = args_value(a, "--brokers"),
                                .file = args_value(a, "--client-config")};
    char own[300];
    if (!from.brokers && !from.file) {
        err_t e = own_broker(a, own, d);
        if (e) return e;
        from.brokers = own;
    }
    err_t e = session_open(&from, s, d);
    if (e == ERR_PEER && d && !d->hint[0])
        (void)diag_hint(d,
                        "does it run? `sluice up` starts a project's server; --brokers HOST:PORT "
                        "names another");
    return e;
}
