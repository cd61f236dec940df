#include "main/doors.h"

#include "main/safety.h"
#include "main/server.h"

#include <stdio.h>

struct listing {
    const struct server *server;
    struct console_door *out;
    uint32_t count, max;
    const char *address;
};

static struct console_door *add(struct listing *l, const char *name, const char *login,
                                const char *about)
{
    INVARIANT(l->count < l->max);
    struct console_door *d = &l->out[l->count++];
    *d = (struct console_door){.name = name, .login = login, .about = about};
    return d;
}

static struct console_spot *spot(struct listing *l, struct console_door *d, const char *setting,
                                 uint16_t port, const struct listener_counts *n)
{
    struct console_spot *s = &d->spots[d->spot_count++];
    *s = (struct console_spot){.setting = setting, .port = port, .counts = *n};
    (void)slice_to_cstr(slice_of(l->address), s->address, sizeof(s->address));
    return s;
}

static void http_spot(struct listing *l, struct console_door *d, const char *setting, uint16_t port,
                      const struct http_counts *n)
{
    (void)spot(l, d, setting, port, &n->at);
    d->counts = true;
    d->requests += n->requests;
    d->errors += n->errors;
}

static void add_console(struct listing *l)
{
    static const struct {
        const char *setting, *page;
    } spots[CONSOLE_LISTENERS_MAX] = {{"console.port", NULL},
                                      {"console.topics_port", "/topics"},
                                      {"console.streams_port", "/streams"},
                                      {"console.notebooks_port", "/notebooks"}};
    const struct console *c = l->server->front.console;
    struct console_door *d =
        add(l, "console", "asked for", "These pages, their API, and Airflow's REST API (HTTP)");
    for (uint32_t i = 0; i < CONSOLE_LISTENERS_MAX; i++) {
        uint16_t port = front_port(&l->server->front, i);
        if (!port) continue;
        struct http_counts n = console_counts(c, i);
        http_spot(l, d, spots[i].setting, port, &n);
        d->spots[d->spot_count - 1].page = spots[i].page;
    }
}

/* "asked for", as the setting and the address make it. */
static const char *login_word(const struct listing *l, enum config_id setting)
{
    bool login = true;
    if (project_login(l->server->project, setting, config_rows[setting].key, &login, NULL))
        return "asked for";
    return login ? "asked for" : "not asked for";
}

static void client_spots(struct listing *l, struct console_door *d, const struct listener *plain,
                         const struct listener *secure, const char *const settings[2])
{
    const struct listener *const both[] = {plain, secure};
    for (uint32_t i = 0; i < COUNT_OF(both); i++) {
        if (!both[i]) continue;
        struct listener_counts n = listener_counts(both[i]);
        spot(l, d, settings[i], listener_port(both[i]), &n)->tls = i == 1;
    }
}

static void add_clients(struct listing *l)
{
    static const char *const kafka_settings[] = {"kafka.port", "kafka.tls_port"};
    static const char *const cql_settings[] = {"cql.port", "cql.tls_port"};
    const struct kafka_door *k = l->server->broker.kafka;
    const struct cql_door *q = l->server->cassandra.door;
    struct console_door *d =
        add(l, "kafka", login_word(l, CONFIG_kafka_login), "Topics and groups for Kafka's clients");
    struct door_counts n = k ? kafka_door_counts(k) : (struct door_counts){0};
    if (k)
        client_spots(l, d, kafka_door_listener(k, false), kafka_door_listener(k, true),
                     kafka_settings);
    d->counts = k != NULL, d->requests = n.requests, d->errors = n.errors;
    d = add(l, "cql", login_word(l, CONFIG_cql_login), "Tables for Cassandra's clients");
    n = q ? cql_door_counts(q) : (struct door_counts){0};
    if (q)
        client_spots(l, d, cql_door_listener(q, false), cql_door_listener(q, true), cql_settings);
    d->counts = q != NULL, d->requests = n.requests, d->errors = n.errors;
}

uint32_t doors_list(const struct server *s, struct console_door *out, uint32_t max)
{
    struct listing l = {s, out, 0, max, config_text(&s->project->config, CONFIG_listen_address)};
    struct http_counts n;
    struct listener_counts words;
    add_console(&l);
    add_clients(&l);
    struct console_door *d = add(&l, "api", "none", "The RandomUser-compatible API (HTTP)");
    if (s->api)
        n = randomuser_counts(s->api), http_spot(&l, d, "api.port", randomuser_port(s->api), &n);
    d = add(&l, "metrics", "none", "Prometheus metrics and health (HTTP)");
    if (s->metrics)
        n = metrics_counts(s->metrics),
        http_spot(&l, d, "metrics.port", metrics_port(s->metrics), &n);
    d = add(&l, "zookeeper", "none", "ZooKeeper's four-letter words, for health checks");
    if (s->broker.zookeeper) {
        words = zookeeper_counts(s->broker.zookeeper);
        (void)spot(&l, d, "zookeeper.port", zookeeper_port(s->broker.zookeeper), &words);
    }
    char path[PROJECT_PATH_MAX];
    struct diag none;
    d = add(&l, "control", "the file's owner",
            "The command line of this machine (HTTP on a socket)");
    if (s->control && !project_data_path(s->project, "control.sock", path, &none)) {
        n = control_counts(s->control);
        l.address = path;
        http_spot(&l, d, "--data", 0, &n);
    }
    return l.count;
}
