#include "main/cassandra.h"

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
        .cluster_name = config_text(s, CONFIG_cql_cluster_name),
        .data_center = config_text(s, CONFIG_cql_data_center),
        .rack = config_text(s, CONFIG_cql_rack),
        .address = config_text(s, CONFIG_listen_address),
        .port = (uint16_t)port,
        .workers = (int)config_number(s, CONFIG_cql_workers),
        .mutant_answer_before_sync = getenv("SLUICE_MUTANT_CQL_ANSWER_FIRST") != NULL,
        .mutant_cas_blind = getenv("SLUICE_MUTANT_CAS_BLIND") != NULL,
    };
    err_t e = project_login(p, CONFIG_cql_login, "cql.login", &o.login, d);
    return e ? e : cql_open(&o, &c->cql, d);
}

static void write_line(const struct project *p, struct cassandra *c)
{
    const char *address = config_text(&p->config, CONFIG_listen_address);
    bool v6 = strchr(address, ':') != NULL;
    struct buf line = buf_over(c->line, sizeof(c->line) - 1);
    const char *open = v6 ? "[" : "", *close = v6 ? "]" : "";
    if (config_number(&p->config, CONFIG_cql_port) >= 0)
        buf_printf(&line, "%s%s%s:%u", open, address, close, cql_door_port(c->door));
    if (c->tls)
        buf_printf(&line, "%sTLS %s%s%s:%u", line.len ? "  " : "", open, address, close,
                   cql_door_tls_port(c->door));
    c->line[line.len] = 0;
}

/* Names the setting of the port that is taken: the door opens two. */
static err_t port_taken(err_t e, const struct project *p, struct diag *d)
{
    char tls[32];
    (void)snprintf(tls, sizeof(tls), ":%lld",
                   (long long)config_number(&p->config, CONFIG_cql_tls_port));
    bool is_tls = d && config_number(&p->config, CONFIG_cql_tls_port) > 0 && strstr(d->what, tls);
    return name_setting(e, is_tls ? "cql.tls_port" : "cql.port", d);
}

static err_t open_door(struct project *p, struct cassandra *c, struct diag *d)
{
    const struct config *s = &p->config;
    struct cql_door_options o = {
        .address = config_text(s, CONFIG_listen_address),
        .port = (int32_t)config_number(s, CONFIG_cql_port),
        .tls_port = (int32_t)config_number(s, CONFIG_cql_tls_port),
        .loops = (int)config_number(s, CONFIG_cql_loops),
        .cql = c->cql,
        .conns_max = (uint32_t)config_number(s, CONFIG_cql_conns_max),
        .conns_per_address_max = (uint32_t)config_number(s, CONFIG_cql_conns_per_address),
        .frame_max = (uint32_t)config_number(s, CONFIG_cql_max_frame),
        .calls_max = (uint32_t)config_number(s, CONFIG_cql_calls_max),
        .bytes_max = (size_t)config_number(s, CONFIG_cql_in_flight),
    };
    err_t e = o.tls_port >= 0 ? project_tls(p, &c->tls, d) : ERR_OK;
    o.tls = c->tls;
    if (!e) e = port_taken(cql_door_open(&o, &c->door, d), p, d);
    if (!e) write_line(p, c);
    return e;
}

err_t cassandra_open(struct project *p, const struct exec_world *w, struct users *users,
                     struct cassandra *c, struct diag *d)
{
    const struct config *s = &p->config;
    bool door =
        config_number(s, CONFIG_cql_port) >= 0 || config_number(s, CONFIG_cql_tls_port) >= 0;
    err_t e = open_engine(p, w, users, c, d); /* `sluice query` asks it, too */
    return e || !door ? e : open_door(p, c, d);
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
