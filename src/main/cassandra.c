#include "main/cassandra.h"

#include "main/letters.h"
#include "main/safety.h"
#include "main/server.h"

#include <stdio.h>
#include <stdlib.h>

static err_t open_engine(struct project *p, const struct exec_world *w, struct users *users,
                         struct cassandra *c, struct diag *d)
{
    const struct config *s = &p->config;
    int64_t port = config_number(s, CONFIG_cql_port);
    if (port < 0) port = config_number(s, CONFIG_cql_tls_port);
    struct cql_options o = {
        .store = w->store,
        .log = w->log,
        .users = users,
        .dead_letters = letters_tell,
        .dead_ctx = w->store,
        .cluster_name = config_text(s, CONFIG_cql_cluster_name),
        .data_center = config_text(s, CONFIG_cql_data_center),
        .rack = config_text(s, CONFIG_cql_rack),
        .address = config_text(s, CONFIG_listen_address),
        .port = (uint16_t)port,
        .workers = (int)config_number(s, CONFIG_cql_workers),
        .mutant_cas_blind = getenv("SLUICE_MUTANT_CAS_BLIND") != NULL,
    };
    err_t e = project_login(p, CONFIG_cql_login, "cql.login", &o.login, d);
    return e ? e : cql_open(&o, &c->cql, d);
}

static const struct door_settings settings = {
    .port = CONFIG_cql_port,
    .tls_port = CONFIG_cql_tls_port,
    .loops = CONFIG_cql_loops,
    .conns_max = CONFIG_cql_conns_max,
    .conns_per_address = CONFIG_cql_conns_per_address,
    .port_key = "cql.port",
    .tls_port_key = "cql.tls_port",
};

static err_t open_door(struct project *p, struct cassandra *c, struct diag *d)
{
    const struct config *s = &p->config;
    struct cql_door_options o = {
        .cql = c->cql,
        .frame_max = (uint32_t)config_number(s, CONFIG_cql_max_frame),
        .calls_max = (uint32_t)config_number(s, CONFIG_cql_calls_max),
        .bytes_max = (size_t)config_number(s, CONFIG_cql_in_flight),
    };
    err_t e = project_place(p, &settings, &o.at, &c->tls, d);
    if (!e) e = project_port_taken(cql_door_open(&o, &c->door, d), p, &settings, d);
    if (!e) project_door_line(p, cql_door_port(c->door), cql_door_tls_port(c->door), c->line);
    return e;
}

err_t cassandra_open(struct project *p, const struct exec_world *w, struct users *users,
                     struct cassandra *c, struct diag *d)
{
    err_t e = open_engine(p, w, users, c, d); /* `sluice query` asks it, too */
    return e || !project_has_door(p, &settings) ? e : open_door(p, c, d);
}

void cassandra_close(struct cassandra *c)
{
    cql_door_stop(c->door);       /* takes nothing more; what runs comes back … */
    if (c->cql) cql_stop(c->cql); /* … at once, or when the disk has it … */
    cql_door_close(c->door);      /* … before the door's threads end */
    cql_close(c->cql);
    tls_free(c->tls);
    *c = (struct cassandra){0};
}
