/* virtual_system: keyspaces system and system_traces: the node itself. */
#include "cql/trace.h"
#include "cql/virtual.h"

#define PARTITIONER "org.apache.cassandra.dht.Murmur3Partitioner"
#define WHOLE_RING                                                                                 \
    "-9223372036854775808" /* the node's one token: the ring is one range from it to it */
enum { STORAGE_PORT = 7000 };

static const char *address_of(const struct virtual_rows *v)
{
    const struct cql_session *s = v->call->session;
    if (s->address[0]) return s->address;
    const char *own = cql_options(v->cql)->address;
    return own && own[0] ? own : "127.0.0.1";
}

static uint16_t port_of(const struct virtual_rows *v)
{
    return v->call->session->port ? v->call->session->port : cql_options(v->cql)->port;
}

void fill_local(struct virtual_rows *v)
{
    const struct cql_options *o = cql_options(v->cql);
    const struct cql_tables *x = tables_of(v->cql);
    struct slice token = SLICE(WHOLE_RING);
    uint8_t version[16];
    schema_version_uuid(v->cql, version);
    virtual_text(v, "local");
    virtual_text(v, "COMPLETED");
    virtual_inet(v, address_of(v));
    virtual_int(v, STORAGE_PORT);
    virtual_text(v, o->cluster_name);
    virtual_text(v, CQL_VERSION);
    virtual_text(v, o->data_center);
    virtual_int(v, x->started_s);
    virtual_bytes(v, slice_make(x->host_id, 16));
    virtual_inet(v, address_of(v));
    virtual_int(v, STORAGE_PORT);
    virtual_text(v, "5");
    virtual_text(v, PARTITIONER);
    virtual_text(v, o->rack);
    virtual_text(v, CQL_RELEASE);
    virtual_inet(v, address_of(v));
    virtual_int(v, port_of(v));
    virtual_bytes(v, slice_make(version, 16));
    virtual_list(v, &token, 1);
    virtual_null(v, 1);
    virtual_end(v);
}

/* --- sizes
 * ---------------------------------------------------------------------------------------------- */

static void each_estimate(struct virtual_rows *v, bool typed)
{
    static const char *const types[] = {"primary", "local_primary"};
    struct schema_list l;
    if (!virtual_schema(v, LIST_STORE, &l)) return;
    for (uint32_t i = 0; i < l.table_count; i++) {
        const struct store_table *t = l.tables[i];
        if (!virtual_wanted(v, t->keyspace)) continue;
        struct table_size size = table_size(v->cql, t);
        for (int k = 0; k < (typed ? 2 : 1); k++) {
            virtual_bytes(v, t->keyspace);
            virtual_bytes(v, t->name);
            if (typed) virtual_text(v, types[k]);
            virtual_text(v, WHOLE_RING);
            virtual_text(v, WHOLE_RING);
            virtual_big(v, size.partitions ? size.bytes / size.partitions : 0);
            virtual_big(v, size.partitions);
            virtual_end(v);
        }
    }
}

void fill_size_estimates(struct virtual_rows *v)
{
    each_estimate(v, false);
}

void fill_table_estimates(struct virtual_rows *v)
{
    each_estimate(v, true);
}

/* --- indexes, prepared statements
 * ------------------------------------------------------------------------- */

void fill_built_indexes(struct virtual_rows *v)
{
    struct schema_list l;
    if (!virtual_schema(v, LIST_STORE, &l)) return;
    for (uint32_t i = 0; i < l.table_count; i++) {
        const struct store_table *t = l.tables[i];
        if (!virtual_wanted(v, t->keyspace)) continue;
        for (uint32_t k = 0; k < t->index_count; k++) {
            if (!t->indexes[k].ready) continue;
            virtual_bytes(v, t->keyspace); /* "table_name" is the keyspace's, as there */
            virtual_bytes(v, t->indexes[k].name);
            virtual_null(v, 1);
            virtual_end(v);
        }
    }
}

static void say_prepared(void *ctx, const struct cql_statement *s)
{
    struct virtual_rows *v = ctx;
    virtual_bytes(v, slice_make(s->id, 16));
    if (s->keyspace.len)
        virtual_bytes(v, s->keyspace);
    else
        virtual_null(v, 1);
    virtual_bytes(v, s->text);
    virtual_end(v);
}

void fill_prepared(struct virtual_rows *v)
{
    cql_statements_each(v->cql, say_prepared, v);
}

/* --- traces
 * -----------------------------------------------------------------------------------------------
 */

static bool trace_wanted(const struct virtual_rows *v, const struct trace_session *s)
{
    return virtual_wanted(v, slice_make(s->id, 16));
}

/* "127.0.0.1", "127.0.0.1:52345", "[::1]:52345" */
static void say_inet(struct virtual_rows *v, struct slice address)
{
    char text[64];
    const uint8_t *colon = memchr(address.at, ':', address.len);
    const uint8_t *close = memchr(address.at, ']', address.len);
    bool alone = colon && !memchr(colon + 1, ':', (size_t)(address.at + address.len - colon) - 1);
    if (close)
        address = slice_make(address.at + 1, (size_t)(close - address.at) - 1);
    else if (alone)
        address = slice_make(address.at, (size_t)(colon - address.at));
    virtual_inet(v, slice_to_cstr(address, text, sizeof(text)) ? text : NULL);
}

static void say_session(void *ctx, const struct trace_session *s)
{
    struct virtual_rows *v = ctx;
    if (!trace_wanted(v, s)) return;
    virtual_bytes(v, slice_make(s->id, 16));
    say_inet(v, s->client);
    virtual_bytes(v, s->command);
    virtual_inet(v, address_of(v));
    virtual_int(v, STORAGE_PORT);
    virtual_int(v, s->duration_us);
    virtual_map(v, s->parameters, s->parameter_count);
    virtual_bytes(v, s->request);
    virtual_big(v, s->started_ms);
    virtual_end(v);
}

void fill_sessions(struct virtual_rows *v)
{
    traces_each(v->cql, say_session, v);
}

static void say_events(void *ctx, const struct trace_session *s)
{
    struct virtual_rows *v = ctx;
    if (!trace_wanted(v, s)) return;
    for (uint32_t i = 0; i < s->event_count; i++) {
        virtual_bytes(v, slice_make(s->id, 16));
        virtual_bytes(v, slice_make(s->events[i].id, 16));
        virtual_bytes(v, s->events[i].activity);
        virtual_inet(v, address_of(v));
        virtual_int(v, s->events[i].elapsed_us);
        virtual_int(v, STORAGE_PORT);
        virtual_bytes(v, s->events[i].thread);
        virtual_end(v);
    }
}

void fill_events(struct virtual_rows *v)
{
    traces_each(v->cql, say_events, v);
}
