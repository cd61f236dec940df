/* What nodetool prints of a node, in Cassandra's own form. A figure that is not measured is left
 * out rather than made up. */
#include "main/tables/nodetool.h"

#include <stdio.h>
#include <time.h>

/* --- forms --------------------------------------------------------------------------------------
 */

enum { GRID_COLUMNS = 8, TEXT_MAX = 1 << 20 };

/* Cassandra's TableBuilder: every cell padded to its column's width, `between` them. */
struct grid {
    struct buf cells; /* each NUL-terminated */
    int columns;
    const char *between;
};

static void grid_add(struct grid *g, const char *text)
{
    buf_put(&g->cells, text, strlen(text) + 1);
}

static void grid_add_slice(struct grid *g, struct slice text)
{
    buf_slice(&g->cells, text);
    buf_char(&g->cells, 0);
}

static void grid_print(struct grid *g)
{
    int widths[GRID_COLUMNS] = {0};
    const char *end = (const char *)g->cells.at + g->cells.len;
    int i = 0;
    for (const char *at = (const char *)g->cells.at; at < end; at += strlen(at) + 1, i++)
        widths[i % g->columns] = MAX(widths[i % g->columns], (int)strlen(at));
    i = 0;
    for (const char *at = (const char *)g->cells.at; at < end; at += strlen(at) + 1, i++)
        printf("%-*s%s", widths[i % g->columns], at,
               i % g->columns + 1 == g->columns ? "\n" : g->between);
    buf_done(&g->cells);
}

static struct grid grid_make(int columns, const char *between)
{
    return (struct grid){.cells = buf_make(TEXT_MAX), .columns = columns, .between = between};
}

/* FileUtils.stringifyFileSize: "135.95 KiB", "35.1 KiB", "149 bytes". */
void nodetool_size_text(uint64_t bytes, char out[32])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double v = (double)bytes / 1024;
    int unit = 0;
    if (bytes < 1024) {
        snprintf(out, 32, "%llu bytes", (unsigned long long)bytes);
        return;
    }
    for (; v >= 1024 && unit < 3; unit++) v /= 1024;
    int len = snprintf(out, 24, "%.2f", v);
    while (out[len - 1] == '0') len--;
    if (out[len - 1] == '.') len--;
    snprintf(out + len, 32 - (size_t)len, " %s", units[unit]);
}

/* --- what is known of the node ------------------------------------------------------------------
 */

static const char *const node_paths[] = {
    "$.local.cluster_name",
    "$.local.data_center",
    "$.local.rack",
    "$.local.host_id",
    "$.local.broadcast_address",
    "$.local.release_version",
    "$.local.partitioner",
    "$.local.schema_version",
    "$.local.tokens",
    "$.bytes",
    "$.started_ms",
    "$.now_ms",
    "$.memory_bytes",
    "$.memory_budget",
    "$.cql_door",
};
struct node {
    char cluster[128], dc[128], rack[128], id[64], address[64], release[32], partitioner[128],
        schema[64], tokens[64];
    char load[32];
    uint64_t bytes, started_ms, now_ms, memory, budget;
    bool cql;
};

static err_t node_row(void *ctx, const struct slice *p)
{
    struct node *o = ctx;
    char *const texts[] = {o->cluster, o->dc,          o->rack,   o->id,    o->address,
                           o->release, o->partitioner, o->schema, o->tokens};
    const size_t sizes[] = {sizeof(o->cluster),     sizeof(o->dc),      sizeof(o->rack),
                            sizeof(o->id),          sizeof(o->address), sizeof(o->release),
                            sizeof(o->partitioner), sizeof(o->schema),  sizeof(o->tokens)};
    for (size_t i = 0; i < COUNT_OF(texts); i++) (void)slice_to_cstr(p[i], texts[i], sizes[i]);
    uint64_t *const numbers[] = {&o->bytes, &o->started_ms, &o->now_ms, &o->memory, &o->budget};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) *numbers[i] = tables_number(p[9 + i]);
    o->cql = slice_is(p[14], "true");
    size_t len = strlen(o->tokens); /* ["0"]: one node has one token */
    if (len > 4) {
        memmove(o->tokens, o->tokens + 2, len - 4);
        o->tokens[len - 4] = 0;
    }
    nodetool_size_text(o->bytes, o->load);
    return ERR_OK;
}

static int ask_node(struct nodetool *n, struct node *o)
{
    struct tables_call c = {.what = "node"};
    *o = (struct node){.cql = false};
    err_t e = tables_ask_rows(&n->session, c, node_paths, COUNT_OF(node_paths), node_row, o);
    return e ? nodetool_failed(n) : 0;
}

/* --- keyspaces and their replication ------------------------------------------------------------
 */

struct keyspaces {
    struct buf lines; /* as describecluster shows them */
    char first[512];  /* the replication of the first that is not the system's */
    bool differ;
};

/* {"class": "org.apache.….SimpleStrategy", "replication_factor": "1"} as "SimpleStrategy
 * {replication_factor=1}". */
static void put_replication(struct buf *out, struct slice json)
{
    struct slice words[32] = {0};
    uint32_t count = 0, from = 0;
    bool inside = false;
    for (uint32_t i = 0; i < json.len; i++) {
        if (json.at[i] != '"') continue;
        if (inside && count < COUNT_OF(words))
            words[count++] = slice_make(json.at + from, i - from);
        inside = !inside;
        from = i + 1;
    }
    for (uint32_t i = 0; i + 1 < count; i += 2) {
        if (!slice_is(words[i], "class")) continue;
        struct slice name = words[i + 1];
        for (uint32_t k = name.len; k > 0; k--)
            if (name.at[k - 1] == '.') {
                name = slice_make(name.at + k, name.len - k);
                break;
            }
        buf_slice(out, name);
    }
    bool any = false;
    buf_text(out, " {");
    for (uint32_t i = 0; i + 1 < count; i += 2) {
        if (slice_is(words[i], "class")) continue;
        buf_printf(out, "%s%.*s=%.*s", any ? ", " : "", SLICE_ARG(words[i]),
                   SLICE_ARG(words[i + 1]));
        any = true;
    }
    buf_char(out, '}');
}

static err_t keyspace_row(void *ctx, const struct slice *p)
{
    struct keyspaces *k = ctx;
    char memory[512];
    struct buf text = buf_over(memory, sizeof(memory) - 1);
    put_replication(&text, p[1]);
    memory[text.len] = 0;
    buf_printf(&k->lines, "\t%.*s -> Replication class: %s\n", SLICE_ARG(p[0]), memory);
    if (slice_is(p[0], "system") || slice_starts(p[0], "system_")) return ERR_OK;
    if (!k->first[0]) memcpy(k->first, memory, sizeof(memory));
    k->differ |= strcmp(k->first, memory) != 0;
    return ERR_OK;
}

static int ask_keyspaces(struct nodetool *n, struct keyspaces *k)
{
    static const char *const paths[] = {"$.keyspace_name", "$.replication"};
    struct tables_call c = {.what = "keyspaces"};
    *k = (struct keyspaces){.lines = buf_make(TEXT_MAX)};
    if (!tables_ask_rows(&n->session, c, paths, 2, keyspace_row, k)) return 0;
    buf_done(&k->lines);
    return nodetool_failed(n);
}

static const char *const meaningless =
    "Note: Non-system keyspaces don't have the same replication settings, effective ownership "
    "information is meaningless\n";

/* --- commands -----------------------------------------------------------------------------------
 */

static void print_rule(char c, size_t count)
{
    while (count--) putchar(c);
    putchar('\n');
}

int nodetool_status(struct nodetool *n)
{
    struct node o;
    struct keyspaces k;
    int code = ask_node(n, &o);
    if (!code) code = ask_keyspaces(n, &k);
    if (code) return code;
    bool known = !n->count;
    char line[UPKEEP_NAME_MAX + 8];
    if (n->count) {
        snprintf(line, sizeof(line), "\t%s -> ", n->words[0]);
        known = strstr(buf_cstr(&k.lines), line) != NULL;
    }
    buf_done(&k.lines);
    if (!known) {
        printf("\nError: The keyspace %s, does not exist\n", n->words[0]);
        return 1;
    }
    bool effective = n->count || !k.differ;
    printf("Datacenter: %s\n", o.dc);
    print_rule('=', strlen("Datacenter: ") + strlen(o.dc));
    printf("Status=Up/Down\n|/ State=Normal/Leaving/Joining/Moving\n");
    struct grid g = grid_make(7, "  ");
    const char *const cells[] = {"--",
                                 "Address",
                                 "Load",
                                 effective ? "Owns (effective)" : "Owns",
                                 "Host ID",
                                 "Token",
                                 "Rack",
                                 "UN",
                                 o.address,
                                 o.load,
                                 effective ? "100.0%" : "?",
                                 o.id,
                                 o.tokens,
                                 o.rack};
    for (size_t i = 0; i < COUNT_OF(cells); i++) grid_add(&g, cells[i]);
    grid_print(&g);
    printf("\n%s", effective ? "" : meaningless);
    return 0;
}

int nodetool_info(struct nodetool *n)
{
    static const char none[] = "entries 0, size 0 bytes, capacity 0 bytes, 0 hits, 0 requests, NaN "
                               "recent hit rate, 0 save period in seconds";
    struct node o;
    int code = ask_node(n, &o);
    if (code) return code;
    printf("%-23s: %s\n", "ID", o.id);
    printf("%-23s: %s\n", "Native Transport active", o.cql ? "true" : "false");
    printf("%-23s: %s\n", "Load", o.load);
    printf("%-23s: %llu\n", "Generation No", (unsigned long long)(o.started_ms / 1000));
    printf("%-23s: %llu\n", "Uptime (seconds)",
           (unsigned long long)((o.now_ms - o.started_ms) / 1000));
    printf("%-23s: %.2f / %.2f\n", "Heap Memory (MB)", (double)o.memory / (1 << 20),
           (double)o.budget / (1 << 20));
    printf("%-23s: %s\n%-23s: %s\n", "Data Center", o.dc, "Rack", o.rack);
    printf("%-23s: %s\n%-23s: %s\n%-23s: %s\n", "Key Cache", none, "Row Cache", none,
           "Counter Cache", none);
    printf("%-23s: %s\n%-23s: %s\n", "Percent Repaired", "100.0%", "Token", o.tokens);
    printf("%-23s: %s\n%-23s: %s\n", "Bootstrap state", "COMPLETED", "Bootstrap failed", "false");
    printf("%-23s: %s\n%-23s: %s\n", "Decommissioning", "false", "Decommission failed", "false");
    return 0;
}

int nodetool_ring(struct nodetool *n)
{
    struct node o;
    int code =
        n->count ? nodetool_keyspace_known(n, n->words[0], "The keyspace %s, does not exist") : 0;
    if (!code) code = ask_node(n, &o);
    if (code) return code;
    int width = (int)strlen(o.address) + (int)strlen(":7000") + 2;
    printf("\nDatacenter: %s\n==========\n", o.dc);
    printf("%-*s%-12s%-7s%-8s%-16s%-20s%-44s\n\n", width, "Address", "Rack", "Status", "State",
           "Load", "Owns", "Token");
    printf("%-*s%-12s%-7s%-8s%-16s%-20s%-44s\n\n\n  ", width, o.address, o.rack, "Up", "Normal",
           o.load, "100.00%", o.tokens);
    return 0;
}

int nodetool_gossipinfo(struct nodetool *n)
{
    struct node o;
    int code = ask_node(n, &o);
    if (code) return code;
    printf("/%s\n  generation:%llu\n  heartbeat:%llu\n", o.address,
           (unsigned long long)(o.started_ms / 1000),
           (unsigned long long)((o.now_ms - o.started_ms) / 1000));
    printf("  STATUS:1:NORMAL,%s\n  LOAD:1:%.1f\n  SCHEMA:1:%s\n  DC:1:%s\n  RACK:1:%s\n", o.tokens,
           (double)o.bytes, o.schema, o.dc, o.rack);
    printf("  RELEASE_VERSION:1:%s\n  RPC_ADDRESS:1:%s\n  HOST_ID:1:%s\n  RPC_READY:1:%s\n"
           "  TOKENS:1:<hidden>\n\n",
           o.release, o.address, o.id, o.cql ? "true" : "false");
    return 0;
}

int nodetool_version(struct nodetool *n)
{
    struct node o;
    int code = ask_node(n, &o);
    if (!code) printf("ReleaseVersion: %s\n", o.release);
    return code;
}

int nodetool_describecluster(struct nodetool *n)
{
    struct node o;
    struct keyspaces k;
    int code = ask_node(n, &o);
    if (!code) code = ask_keyspaces(n, &k);
    if (code) return code;
    printf("Cluster Information:\n\tName: %s\n\tSnitch: org.apache.cassandra.locator.SimpleSnitch\n"
           "\tDynamicEndPointSnitch: disabled\n\tPartitioner: %s\n\tSchema versions:\n"
           "\t\t%s: [%s]\n\n",
           o.cluster, o.partitioner, o.schema, o.address);
    printf("Stats for all nodes:\n\tLive: 1\n\tJoining: 0\n\tMoving: 0\n\tLeaving: 0\n"
           "\tUnreachable: 0\n\nData Centers: \n\t%s #Nodes: 1 #Down: 0\n\n"
           "Database versions:\n\t%s: [%s:7000]\n\nKeyspaces:\n%s\n",
           o.dc, o.release, o.address, buf_cstr(&k.lines));
    buf_done(&k.lines);
    return 0;
}

static err_t compaction_row(void *ctx, const struct slice *p)
{
    struct grid *g = ctx;
    grid_add(g, "pending tasks");
    grid_add_slice(g, p[0]);
    grid_add(g, "bytes waiting for compaction");
    grid_add_slice(g, p[1]);
    return ERR_OK;
}

int nodetool_compactionstats(struct nodetool *n)
{
    static const char *const paths[] = {"$.compactions_running", "$.pending_compaction_bytes"};
    struct grid g = grid_make(2, " ");
    struct tables_call c = {.what = "node"};
    err_t e = tables_ask_rows(&n->session, c, paths, 2, compaction_row, &g);
    grid_print(&g);
    return e ? nodetool_failed(n) : 0;
}

static err_t pool_row(void *ctx, const struct slice *p)
{
    for (int i = 0; i < 6; i++) grid_add_slice(ctx, p[i].at ? p[i] : SLICE("N/A"));
    return ERR_OK;
}

int nodetool_tpstats(struct nodetool *n)
{
    static const char *const paths[] = {"$.name",          "$.active_tasks",
                                        "$.pending_tasks", "$.completed_tasks",
                                        "$.blocked_tasks", "$.blocked_tasks_all_time"};
    static const char *const heads[] = {"Pool Name", "Active",  "Pending",
                                        "Completed", "Blocked", "All time blocked"};
    struct grid g = grid_make(6, " ");
    struct tables_call c = {.what = "pools"};
    for (size_t i = 0; i < COUNT_OF(heads); i++) grid_add(&g, heads[i]);
    err_t e = tables_ask_rows(&n->session, c, paths, 6, pool_row, &g);
    grid_print(&g);
    return e ? nodetool_failed(n) : 0;
}

struct snapshots {
    struct grid grid;
    uint64_t own;
    bool any;
};

static err_t snapshot_row(void *ctx, const struct slice *p)
{
    struct snapshots *s = ctx;
    uint64_t ms = tables_number(p[1]);
    time_t at = (time_t)(ms / 1000);
    struct tm tm;
    char size[32], own[32], when[32] = "", full[48];
    if (gmtime_r(&at, &tm)) (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(full, sizeof(full), "%s.%03uZ", when, (unsigned)(ms % 1000));
    nodetool_size_text(tables_number(p[2]), size);
    nodetool_size_text(tables_number(p[3]), own);
    s->own += tables_number(p[3]);
    s->any = true;
    grid_add_slice(&s->grid, p[0]);
    const char *const cells[] = {"(all)", "(all)", own, size, full, ""};
    for (size_t i = 0; i < COUNT_OF(cells); i++) grid_add(&s->grid, cells[i]);
    return ERR_OK;
}

int nodetool_listsnapshots(struct nodetool *n)
{
    static const char *const paths[] = {"$.name", "$.made_ms", "$.bytes", "$.own_bytes"};
    static const char *const heads[] = {"Snapshot name",  "Keyspace name", "Column family name",
                                        "True size",      "Size on disk",  "Creation time",
                                        "Expiration time"};
    struct snapshots s = {.grid = grid_make(COUNT_OF(heads), " ")};
    struct tables_call c = {.what = "snapshots"};
    char own[32];
    for (size_t i = 0; i < COUNT_OF(heads); i++) grid_add(&s.grid, heads[i]);
    err_t e = tables_ask_rows(&n->session, c, paths, COUNT_OF(paths), snapshot_row, &s);
    if (e || !s.any) {
        buf_done(&s.grid.cells);
        if (e) return nodetool_failed(n);
        printf("Snapshot Details: \nThere are no snapshots\n");
        return 0;
    }
    printf("Snapshot Details: \n");
    grid_print(&s.grid);
    nodetool_size_text(s.own, own);
    printf("\nTotal TrueDiskSpaceUsed: %s\n\n", own);
    return 0;
}

int nodetool_getendpoints(struct nodetool *n)
{
    struct node o;
    if (n->count != 3)
        return nodetool_wrong("getendpoints requires keyspace, table and partition key arguments");
    int code = nodetool_keyspace_known(n, n->words[0], "Unknown keyspace '%s'");
    if (!code) code = ask_node(n, &o);
    if (!code) printf("%s\n", o.address);
    return code;
}
