/* virtual_views: keyspace system_views: what this process does just now, under the names that tools
 * of Cassandra ask for. Tables of what does not exist here (gossip's peers, streaming, repair) are
 * empty. */
#include "cql/core.h"
#include "cql/virtual.h"

void cql_clients_from(struct cql *c, cql_clients_fn *each, void *ctx)
{
    struct cql_tables *x = tables_of(c);
    gate_enter(&x->gate);
    x->clients = each;
    x->clients_ctx = ctx;
    gate_leave(&x->gate);
}

static void say_client(void *to, const struct cql_client *c)
{
    struct virtual_rows *v = to;
    const struct cql_session *s = c->session;
    struct store_option options[3] = {{SLICE("CQL_VERSION"), SLICE(CQL_VERSION)}};
    uint32_t count = 1;
    if (s->driver_name[0])
        options[count++] = (struct store_option){SLICE("DRIVER_NAME"), slice_of(s->driver_name)};
    if (s->driver_version[0])
        options[count++] =
            (struct store_option){SLICE("DRIVER_VERSION"), slice_of(s->driver_version)};
    virtual_inet(v, c->address);
    virtual_int(v, c->port);
    virtual_map(v, options, count);
    virtual_text(v, c->stage);
    virtual_text(v, s->driver_name[0] ? s->driver_name : NULL);
    virtual_text(v, s->driver_version[0] ? s->driver_version : NULL);
    virtual_text(v, c->address);
    virtual_text(v, s->keyspace[0] ? s->keyspace : NULL);
    virtual_int(v, s->protocol);
    virtual_big(v, (int64_t)c->requests);
    virtual_text(v, c->tls_cipher);
    virtual_bool(v, c->tls_protocol != NULL);
    virtual_text(v, c->tls_protocol);
    virtual_text(v, s->user[0] ? s->user : "anonymous");
    virtual_end(v);
}

void fill_clients(struct virtual_rows *v)
{
    struct cql_tables *x = tables_of(v->cql);
    gate_enter(&x->gate);
    cql_clients_fn *each = x->clients;
    void *ctx = x->clients_ctx;
    gate_leave(&x->gate);
    if (each) each(ctx, say_client, v);
}

static void say_setting(struct virtual_rows *v, const char *name, const char *value)
{
    virtual_text(v, name);
    virtual_text(v, value);
    virtual_end(v);
}

void fill_settings(struct virtual_rows *v)
{
    const struct cql_options *o = cql_options(v->cql);
    char port[8];
    struct buf b = buf_over(port, sizeof(port));
    buf_printf(&b, "%u%c", o->port, 0);
    say_setting(v, "authenticator.class_name",
                o->login ? "PasswordAuthenticator" : "AllowAllAuthenticator");
    say_setting(v, "authorizer.class_name",
                o->login ? "CassandraAuthorizer" : "AllowAllAuthorizer");
    say_setting(v, "batch_size_warn_threshold", "5KiB");
    say_setting(v, "cluster_name", o->cluster_name);
    say_setting(v, "default_keyspace_rf", "1");
    say_setting(v, "endpoint_snitch", "SimpleSnitch");
    say_setting(v, "native_transport_port", port);
    say_setting(v, "num_tokens", "1");
    say_setting(v, "partitioner", "org.apache.cassandra.dht.Murmur3Partitioner");
    say_setting(v, "role_manager.class_name", "CassandraRoleManager");
    say_setting(v, "rpc_address", o->address ? o->address : "127.0.0.1");
}

void fill_properties(struct virtual_rows *v)
{
    say_setting(v, "cassandra.release_version", CQL_RELEASE);
    say_setting(v, "cassandra.served_by", "sluice");
}

/* --- the store's
 * ------------------------------------------------------------------------------------------- */

void fill_sstable_tasks(struct virtual_rows *v)
{
    struct store_stats s = store_stats(cql_options(v->cql)->store);
    static const uint8_t id[16] = {[6] = 0x10, [8] = 0x80};
    if (!s.compactions_running) return;
    virtual_text(v, "all");
    virtual_text(v, "all");
    virtual_bytes(v, slice_make(id, 16));
    virtual_null(v, 1); /* how far: not known */
    virtual_text(v, "compaction");
    virtual_null(v, 1);
    virtual_int(v, (int32_t)s.compactions_running);
    virtual_null(v, 1);
    virtual_big(v, (int64_t)s.pending_compaction_bytes);
    virtual_text(v, "bytes");
    virtual_end(v);
}

void fill_caches(struct virtual_rows *v)
{
    struct store_stats s = store_stats(cql_options(v->cql)->store);
    virtual_text(v, "chunks");
    virtual_null(v, 6);
    virtual_null(v, 1);
    virtual_big(v, (int64_t)s.cache_bytes);
    virtual_end(v);
}

struct table_size table_size(struct cql *c, const struct store_table *t)
{
    struct store_table_sizes s = store_table_sizes(cql_options(c)->store, t);
    return (struct table_size){.bytes = (int64_t)s.disk_bytes, .partitions = (int64_t)s.rows};
}

void fill_disk_usage(struct virtual_rows *v)
{
    struct schema_list l;
    if (!virtual_schema(v, LIST_STORE, &l)) return;
    for (uint32_t i = 0; i < l.table_count; i++) {
        virtual_bytes(v, l.tables[i]->keyspace);
        virtual_bytes(v, l.tables[i]->name);
        virtual_big(v, (table_size(v->cql, l.tables[i]).bytes + (1 << 20) - 1) >> 20);
        virtual_end(v);
    }
}

/* --- the engine's
 * ------------------------------------------------------------------------------------------- */

void fill_thread_pools(struct virtual_rows *v)
{
    struct cql *c = v->cql;
    uint64_t turns = 0;
    for (uint32_t t = 0; t < CQL_TALLIES; t++) turns += c->tallies[t].count[TALLY_WORKER];
    virtual_text(v, "CqlWorkers");
    virtual_null(v, 1);
    virtual_int(v, cql_options(c)->workers);
    virtual_big(v, 0); /* nobody is blocked: calls wait, threads do not */
    virtual_big(v, 0);
    virtual_big(v, (int64_t)turns);
    virtual_int(v, (int32_t)atomic_load(&c->waiting));
    virtual_end(v);
}

static uint64_t tally_of(const struct cql *c, enum cql_tally_kind kind)
{
    uint64_t n = 0;
    for (uint32_t t = 0; t < CQL_TALLIES; t++) n += c->tallies[t].count[kind];
    return n;
}

static void say_metric(struct virtual_rows *v, const char *name, double value)
{
    virtual_text(v, name);
    virtual_double(v, value);
    virtual_end(v);
}

void fill_cql_metrics(struct virtual_rows *v)
{
    struct cache_stats s = cache_stats(v->cql);
    double prepared = (double)tally_of(v->cql, TALLY_EXECUTE);
    double plain = (double)tally_of(v->cql, TALLY_QUERY);
    say_metric(v, "prepared_statements_count", (double)s.count);
    say_metric(v, "prepared_statements_evicted", (double)s.evicted);
    say_metric(v, "prepared_statements_executed", prepared);
    say_metric(v, "prepared_statements_ratio",
               prepared + plain > 0 ? prepared / (prepared + plain) : 0);
    say_metric(v, "regular_statements_executed", plain);
}

/* --- indexes
 * ------------------------------------------------------------------------------------------------
 */

static void say_sai_index(struct virtual_rows *v, const struct store_table *t,
                          const struct store_index *x)
{
    const struct store_column *column = NULL;
    for (uint32_t i = 0; i < t->column_count; i++)
        if (t->columns[i].id == x->column) column = &t->columns[i];
    virtual_bytes(v, t->keyspace);
    virtual_bytes(v, x->name);
    virtual_text(v, "NoOpAnalyzer");
    virtual_bytes(v, column ? column->name : x->target);
    virtual_bool(v, !x->ready);
    virtual_bool(v, x->ready);
    virtual_bool(v, column && type_is_text(column->type));
    virtual_bytes(v, t->name);
    virtual_end(v);
}

void fill_sai_indexes(struct virtual_rows *v)
{
    struct schema_list l;
    if (!virtual_schema(v, LIST_STORE, &l)) return;
    for (uint32_t i = 0; i < l.table_count; i++) {
        const struct store_table *t = l.tables[i];
        for (uint32_t k = 0; k < t->index_count; k++) {
            const struct store_index *x = &t->indexes[k];
            if (!x->sai) continue;
            say_sai_index(v, t, x);
        }
    }
}
