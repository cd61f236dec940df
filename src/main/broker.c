#include "main/broker.h"

#include "base/hash.h"
#include "main/safety.h"
#include "main/server.h"
#include "main/version.h"
#include "os/file.h"
#include "os/tls.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

enum { ID_SIZE = 22 };

/* --- who the cluster is ----------------------------------------------------------------------- */

/* Kafka's cluster ids are 16 random bytes in base64's form for addresses, without padding. */
static err_t make_cluster_id(const char *path, char id[ID_SIZE + 1], struct diag *d)
{
    uint8_t random[16];
    char padded[ID_SIZE + 3];
    struct buf text = buf_over(padded, sizeof(padded));
    if (RAND_bytes(random, sizeof(random)) != 1)
        return diag_fail(d, ERR_INTERNAL, "there are no random bytes for the cluster's id");
    put_base64(&text, slice_make(random, sizeof(random)));
    for (int i = 0; i < ID_SIZE; i++)
        id[i] = padded[i] == '+' ? '-' : padded[i] == '/' ? '_' : padded[i];
    id[ID_SIZE] = 0;
    return file_store(path, slice_make(id, ID_SIZE), d);
}

static err_t find_cluster_id(struct project *p, char id[ID_SIZE + 1], struct diag *d)
{
    char path[PROJECT_PATH_MAX];
    struct slice text = {0};
    err_t e = project_data_path(p, "cluster-id", path, d);
    if (e) return e;
    if (!file_exists(path)) return make_cluster_id(path, id, d);
    e = file_load(path, KIB(1), &text, d);
    if (!e && !slice_to_cstr(slice_trim(text), id, ID_SIZE + 1)) {
        (void)diag_fail(d, ERR_CORRUPT, "the cluster's id has %d characters", ID_SIZE);
        (void)diag_where(d, "%s", path);
        e = diag_hint(d, "remove the file: a new id is made; clients do not mind");
    }
    mem_give((void *)(uintptr_t)text.at);
    return e;
}

/* --- the door --------------------------------------------------------------------------------- */

static err_t open_coord(const struct project *p, const struct exec_world *w, struct broker *b,
                        struct diag *d)
{
    const struct config *c = &p->config;
    struct coord_options o = {
        .log = w->log,
        .rebalance_delay_ms = config_number(c, CONFIG_kafka_rebalance_delay),
        .offsets_partitions = (int32_t)config_number(c, CONFIG_kafka_offsets_partitions),
        .txn_partitions = (int32_t)config_number(c, CONFIG_kafka_txn_partitions),
        .mutant_reuse_epoch = getenv("SLUICE_MUTANT_REUSE_EPOCH") != NULL,
    };
    return coord_open(&o, &b->coord, d);
}

static const struct door_settings settings = {
    .port = CONFIG_kafka_port,
    .tls_port = CONFIG_kafka_tls_port,
    .loops = CONFIG_kafka_loops,
    .conns_max = CONFIG_kafka_conns_max,
    .conns_per_address = CONFIG_kafka_conns_per_address,
    .port_key = "kafka.port",
    .tls_port_key = "kafka.tls_port",
};

static err_t open_kafka(struct project *p, const struct exec_world *w, struct users *users,
                        struct broker *b, struct diag *d)
{
    const struct config *c = &p->config;
    const char *advertised = config_text(c, CONFIG_kafka_advertised);
    struct kafka_door_options o = {
        .advertised = strcmp(advertised, "auto") == 0 ? NULL : advertised,
        .log = w->log,
        .coord = b->coord,
        .users = users,
        .auto_create = config_number(c, CONFIG_kafka_auto_create) != 0,
        .default_partitions = (int32_t)config_number(c, CONFIG_kafka_partitions),
        .cluster_id = b->cluster_id,
        .request_max = (uint32_t)config_number(c, CONFIG_kafka_max_request),
        .mutant_ignore_aborts = getenv("SLUICE_MUTANT_IGNORE_ABORTS") != NULL,
    };
    err_t e = project_login(p, CONFIG_kafka_login, "kafka.login", &o.login, d);
    if (!e) e = project_place(p, &settings, &o.at, &b->tls, d);
    if (!e) e = project_port_taken(kafka_door_open(&o, &b->kafka, d), p, &settings, d);
    if (!e) project_door_line(p, kafka_door_port(b->kafka), kafka_door_tls_port(b->kafka), b->line);
    return e;
}

err_t broker_open(struct project *p, const struct exec_world *w, struct users *users,
                  struct loop *loop, struct broker *b, struct diag *d)
{
    const struct config *c = &p->config;
    int64_t zookeeper = config_number(c, CONFIG_zookeeper_port);
    bool kafka = project_has_door(p, &settings);
    err_t e = kafka ? find_cluster_id(p, b->cluster_id, d) : ERR_OK;
    if (!e && kafka) e = open_coord(p, w, b, d);
    if (!e && kafka) e = open_kafka(p, w, users, b, d);
    if (!e && zookeeper >= 0)
        e = name_setting(zookeeper_open(loop, config_text(c, CONFIG_listen_address),
                                        (uint16_t)zookeeper, SLUICE_VERSION, &b->zookeeper, d),
                         "zookeeper.port", d);
    return e;
}

void broker_close(struct broker *b)
{
    zookeeper_close(b->zookeeper);
    kafka_door_stop(b->kafka); /* takes nothing more; what the coordinators hold comes back … */
    if (b->coord) coord_close(b->coord);
    kafka_door_close(b->kafka); /* … before its threads end */
    tls_free(b->tls);
    *b = (struct broker){0};
}
