/* virtual: the tables of virtual.def, made once; the schema as one list. */
#include "cql/virtual.h"
#include "base/hash.h"

#include <openssl/rand.h>
#include <stdlib.h>

enum { TABLES_ARENA_MAX = 4 << 20, TOPICS_ARENA_MAX = 64 << 20, TOPICS_MAX = 1 << 20 };
enum { COLUMN_ID_FIRST = 4 }; /* as the store's begin */

const struct virtual_keyspace virtual_keyspaces[] = {
    {"system", VIRTUAL_LOCAL, "org.apache.cassandra.locator.LocalStrategy", NULL},
    {"system_auth", VIRTUAL_REPLICATED, "org.apache.cassandra.locator.SimpleStrategy", "1"},
    {"system_distributed", VIRTUAL_REPLICATED, "org.apache.cassandra.locator.SimpleStrategy", "3"},
    {"system_schema", VIRTUAL_LOCAL, "org.apache.cassandra.locator.LocalStrategy", NULL},
    {"system_traces", VIRTUAL_REPLICATED, "org.apache.cassandra.locator.SimpleStrategy", "2"},
    {"system_views", VIRTUAL_TABLE, NULL, NULL},
    {"system_virtual_schema", VIRTUAL_TABLE, NULL, NULL},
    {"topics", VIRTUAL_TOPICS, "org.apache.cassandra.locator.SimpleStrategy", "1"},
};
const size_t virtual_keyspace_count = COUNT_OF(virtual_keyspaces);

static const struct {
    const char *keyspace, *name, *options, *columns;
    virtual_fill *fill;
} defs[] = {
#define VIRTUAL(keyspace, name, fill, options, columns) {keyspace, name, options, columns, fill},
#include "cql/virtual.def"
#undef VIRTUAL
};

/* --- making tables
 * --------------------------------------------------------------------------------- */

/* "name type [P|C|CD]" up to the next ',' that is not inside <…>. */
static struct slice next_column(struct slice *text)
{
    uint32_t n = 0, depth = 0;
    for (; n < text->len && (text->at[n] != ',' || depth > 0); n++) {
        depth += text->at[n] == '<';
        depth -= text->at[n] == '>';
    }
    struct slice column = slice_trim(slice_make(text->at, n));
    n += n < text->len;
    *text = slice_make(text->at + n, text->len - n);
    return column;
}

static bool take_mark(struct slice *type, const char *mark)
{
    uint32_t len = (uint32_t)strlen(mark);
    if (type->len <= len || memcmp(type->at + type->len - len, mark, len) != 0) return false;
    type->len -= len;
    return true;
}

static err_t parse_column(struct slice text, struct store_column *c, struct arena *a,
                          struct diag *d)
{
    const uint8_t *space = memchr(text.at, ' ', text.len);
    INVARIANT(space);
    c->name = slice_make(text.at, (size_t)(space - text.at));
    struct slice type = slice_make(space + 1, text.len - c->name.len - 1);
    if (c->name.at[0] == '"') c->name = slice_make(c->name.at + 1, c->name.len - 2U);
    c->role = COLUMN_REGULAR;
    if (take_mark(&type, " P")) c->role = COLUMN_PARTITION;
    c->descending = take_mark(&type, " CD");
    if (c->descending || take_mark(&type, " C")) c->role = COLUMN_CLUSTERING;
    return type_parse(type, a, &c->type, d);
}

/* As Cassandra makes the ids of its own tables: a UUID of version 3 of keyspace and name. */
static void own_id(struct virtual_table *t)
{
    char text[512];
    struct buf b = buf_over(text, sizeof(text));
    buf_slice(&b, t->t.keyspace);
    buf_slice(&b, t->t.name);
    digest_md5(buf_view(&b), t->t.id);
    t->t.id[6] = (uint8_t)((t->t.id[6] & 0x0f) | 0x30);
    t->t.id[8] = (uint8_t)((t->t.id[8] & 0x3f) | 0x80);
}

static struct slice next_line(struct slice *text)
{
    uint32_t n = 0;
    while (n < text->len && text->at[n] != '\n') n++;
    struct slice line = slice_make(text->at, n);
    n += n < text->len;
    *text = slice_make(text->at + n, text->len - n);
    return line;
}

/* A line an option: "name=value". */
static err_t parse_options(struct slice text, struct virtual_table *t, struct arena *a)
{
    struct store_option *options = arena_take(a, 16 * sizeof(*options));
    if (!options) return ERR_NO_MEMORY;
    t->t.gc_grace = 864000;
    while (text.len > 0) {
        struct slice line = next_line(&text);
        const uint8_t *is = memchr(line.at, '=', line.len);
        INVARIANT(is && t->t.option_count < 16);
        struct store_option o = {.name = slice_make(line.at, (size_t)(is - line.at))};
        o.value = slice_make(is + 1, line.len - o.name.len - 1);
        uint64_t n = 0;
        if (slice_is(o.name, "by_key"))
            t->by_key = true;
        else if (slice_is(o.name, "gc_grace_seconds") && slice_to_u64(o.value, &n))
            t->t.gc_grace = (uint32_t)n;
        else if (slice_is(o.name, "default_time_to_live") && slice_to_u64(o.value, &n))
            t->t.default_ttl = (uint32_t)n;
        else
            options[t->t.option_count++] = o;
    }
    t->t.options = options;
    return ERR_OK;
}

err_t virtual_make(struct virtual_table *t, struct slice options, struct slice columns,
                   struct arena *a, struct diag *d)
{
    uint32_t count = 0;
    for (struct slice rest = columns; rest.len > 0; count++) (void)next_column(&rest);
    t->t.columns = arena_take(a, count * sizeof(*t->t.columns));
    if (!t->t.columns || parse_options(options, t, a))
        return diag_fail(d, ERR_NO_MEMORY, "no memory for the virtual tables");
    while (columns.len > 0) {
        struct store_column *c = &t->t.columns[t->t.column_count];
        err_t e = parse_column(next_column(&columns), c, a, d);
        c->id = (uint16_t)(COLUMN_ID_FIRST + t->t.column_count++);
        if (e) return e;
        if (c->role == COLUMN_PARTITION) c->position = (uint16_t)t->partition_count++;
        if (c->role == COLUMN_CLUSTERING) c->position = (uint16_t)t->clustering_count++;
    }
    own_id(t);
    return ERR_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct store_table *x = a, *y = b;
    int order = slice_compare(x->keyspace, y->keyspace);
    return order ? order : slice_compare(x->name, y->name);
}

/* The node's own id: made once, kept beside the tables. */
static err_t own_host_id(struct cql *c, struct cql_tables *x, struct diag *d)
{
    struct store *s = cql_options(c)->store;
    struct slice key = SLICE("cql.host_id"), value = {0};
    err_t e = store_record(s, NULL, STORE_META, key, x->arena, &value, d);
    if (!e && value.len == 16) {
        memcpy(x->host_id, value.at, 16);
        return ERR_OK;
    }
    if (e && e != ERR_NOT_FOUND) return e;
    uint8_t random[16];
    if (RAND_bytes(random, sizeof(random)) != 1)
        return diag_fail(d, ERR_INTERNAL, "there are no random bytes for the node's id");
    struct uuid id = uuid_v4(random);
    memcpy(x->host_id, id.at, 16);
    struct store_write *w;
    e = store_write_begin(s, STORE_LIVE, KIB(64), &w, d);
    if (e) return e;
    e = store_write_record(w, STORE_META, key, slice_make(id.at, 16));
    if (e) {
        store_write_abort(w);
        return diag_fail(d, e, "the node's id can not be kept");
    }
    return store_write_commit(w, d);
}

err_t cql_tables_open(struct cql *c, struct diag *d)
{
    struct cql_parts *parts = (struct cql_parts *)(void *)c;
    struct cql_tables *x = mem_take(sizeof(*x));
    if (!x) return diag_fail(d, ERR_NO_MEMORY, "no memory for the virtual tables");
    parts->tables = x;
    gate_init(&x->gate);
    gate_init(&x->changing);
    x->started_s = (int32_t)(clock_wall_ms() / 1000);
    x->arena = arena_new(TABLES_ARENA_MAX);
    x->topic_arena = arena_new(TOPICS_ARENA_MAX);
    x->topics = map_new(TOPICS_MAX);
    x->tables = x->arena ? arena_take(x->arena, COUNT_OF(defs) * sizeof(*x->tables)) : NULL;
    if (!x->topic_arena || !x->topics || !x->tables)
        return diag_fail(d, ERR_NO_MEMORY, "no memory for the virtual tables");
    for (size_t i = 0; i < COUNT_OF(defs); i++) {
        struct virtual_table *t = &x->tables[x->table_count++];
        t->t.keyspace = slice_of(defs[i].keyspace);
        t->t.name = slice_of(defs[i].name);
        t->fill = defs[i].fill;
        t->keyspace = virtual_keyspace_find(NULL, t->t.keyspace);
        INVARIANT(t->keyspace);
        err_t e =
            virtual_make(t, slice_of(defs[i].options), slice_of(defs[i].columns), x->arena, d);
        if (e) return e;
    }
    qsort(x->tables, x->table_count, sizeof(*x->tables), by_name);
    return own_host_id(c, x, d);
}

void cql_tables_close(struct cql *c)
{
    struct cql_parts *parts = (struct cql_parts *)(void *)c;
    struct cql_tables *x = parts->tables;
    if (!x) return;
    arena_free(x->arena);
    arena_free(x->topic_arena);
    map_free(x->topics);
    gate_done(&x->gate);
    gate_done(&x->changing);
    mem_give(x);
    parts->tables = NULL;
}

const struct virtual_keyspace *virtual_keyspace_find(const struct cql *c, struct slice name)
{
    for (size_t i = 0; i < virtual_keyspace_count; i++) {
        const struct virtual_keyspace *k = &virtual_keyspaces[i];
        if (!slice_is(name, k->name)) continue;
        if (k->place == VIRTUAL_TOPICS && c && !cql_options(c)->log) return NULL;
        return k;
    }
    return NULL;
}

/* --- the schema as one list
 * ------------------------------------------------------------------------- */

struct listing {
    struct cql *c;
    struct arena *a;
    struct slice keyspace;
    struct schema_list *out;
    uint32_t keyspace_cap, table_cap;
};

static err_t list_room(struct arena *a, void *items, uint32_t count, uint32_t *cap, void **out)
{
    *out = items;
    if (count < *cap) return ERR_OK;
    uint32_t more = *cap ? 2 * *cap : 64;
    *out = arena_resize(a, items, *cap * sizeof(void *), more * sizeof(void *));
    if (!*out) return ERR_NO_MEMORY;
    *cap = more;
    return ERR_OK;
}

static bool listed(const struct listing *l, struct slice keyspace)
{
    return !l->keyspace.at || slice_equal(l->keyspace, keyspace);
}

static err_t list_keyspace(struct listing *l, const struct store_keyspace *k)
{
    void *room;
    err_t e =
        list_room(l->a, (void *)l->out->keyspaces, l->out->keyspace_count, &l->keyspace_cap, &room);
    if (e) return e;
    l->out->keyspaces = room;
    l->out->keyspaces[l->out->keyspace_count++] = k;
    return ERR_OK;
}

static err_t list_table(void *ctx, const struct store_table *t)
{
    struct listing *l = ctx;
    void *room;
    if (!listed(l, t->keyspace)) return ERR_OK;
    err_t e = list_room(l->a, (void *)l->out->tables, l->out->table_count, &l->table_cap, &room);
    if (e) return e;
    l->out->tables = room;
    l->out->tables[l->out->table_count++] = t;
    return ERR_OK;
}

static err_t list_stored(void *ctx, struct slice name)
{
    struct listing *l = ctx;
    if (!listed(l, name) || virtual_keyspace_find(NULL, name)) return ERR_OK;
    const struct store_keyspace *k = store_keyspace_find(cql_options(l->c)->store, name);
    return k ? list_keyspace(l, k) : ERR_OK;
}

static err_t list_virtual(struct listing *l, const struct virtual_keyspace *v)
{
    /* ALTER KEYSPACE system_auth …: the store keeps what was said of it */
    const struct store_keyspace *said =
        store_keyspace_find(cql_options(l->c)->store, slice_of(v->name));
    if (said && v->place == VIRTUAL_REPLICATED) return list_keyspace(l, said);
    struct store_keyspace *k = arena_take(l->a, sizeof(*k));
    struct store_option *o = arena_take(l->a, 2 * sizeof(*o));
    if (!k || !o) return ERR_NO_MEMORY;
    o[0] = (struct store_option){SLICE("class"), slice_of(v->strategy)};
    o[1] = (struct store_option){SLICE("replication_factor"), slice_of(v->factor)};
    *k = (struct store_keyspace){.name = slice_of(v->name),
                                 .replication = o,
                                 .replication_count = v->factor     ? 2
                                                      : v->strategy ? 1
                                                                    : 0,
                                 .durable_writes = true};
    return list_keyspace(l, k);
}

static err_t list_topic(void *ctx, struct log_topic *topic)
{
    struct listing *l = ctx;
    struct diag d;
    const struct store_table *t = topic_table(l->c, log_topic_name(topic), &d);
    return t ? list_table(l, t) : ERR_OK; /* gone meanwhile */
}

static int keyspace_order(const void *a, const void *b)
{
    return slice_compare((*(const struct store_keyspace *const *)a)->name,
                         (*(const struct store_keyspace *const *)b)->name);
}

static int table_order(const void *a, const void *b)
{
    return by_name(*(const struct store_table *const *)a, *(const struct store_table *const *)b);
}

static uint32_t list_bit(enum virtual_place place)
{
    static const uint32_t bits[] = {LIST_LOCAL, LIST_REPLICATED, LIST_VIRTUAL, LIST_TOPICS};
    return bits[place];
}

err_t schema_list(struct cql *c, uint32_t what, struct slice keyspace, struct arena *a,
                  struct schema_list *out)
{
    *out = (struct schema_list){0};
    struct listing l = {.c = c, .a = a, .keyspace = keyspace, .out = out};
    const struct cql_options *o = cql_options(c);
    const struct cql_tables *x = tables_of(c);
    err_t e = ERR_OK;
    for (size_t i = 0; i < virtual_keyspace_count && !e; i++) {
        const struct virtual_keyspace *k = &virtual_keyspaces[i];
        bool there = k->place != VIRTUAL_TOPICS || o->log;
        if (there && (what & list_bit(k->place)) && listed(&l, slice_of(k->name)))
            e = list_virtual(&l, k);
    }
    for (uint32_t i = 0; i < x->table_count && !e; i++)
        if (what & list_bit(x->tables[i].keyspace->place)) e = list_table(&l, &x->tables[i].t);
    if (!e && (what & LIST_TOPICS) && o->log && listed(&l, SLICE("topics")))
        e = log_topics(o->log, list_topic, &l);
    if (!e && (what & LIST_STORE)) e = store_keyspaces(o->store, list_stored, &l);
    if (!e && (what & LIST_STORE)) e = store_tables(o->store, list_table, &l);
    if (e) return e;
    if (out->keyspace_count)
        qsort((void *)out->keyspaces, out->keyspace_count, sizeof(void *), keyspace_order);
    if (out->table_count) qsort((void *)out->tables, out->table_count, sizeof(void *), table_order);
    return ERR_OK;
}

static err_t mix_topic(void *ctx, struct log_topic *t)
{
    struct slice id = slice_make(log_topic_id(t), 16);
    *(uint64_t *)ctx += hash64(id, 1);
    return ERR_OK;
}

void schema_version_uuid(struct cql *c, uint8_t out[16])
{
    uint64_t topics = 0;
    const struct cql_options *o = cql_options(c);
    if (o->log) (void)!log_topics(o->log, mix_topic, &topics);
    uint8_t room[32];
    struct buf b = buf_over(room, sizeof(room));
    buf_put(&b, tables_of(c)->host_id, 16);
    buf_be(&b, store_schema_version(o->store), 8);
    buf_be(&b, topics, 8);
    digest_md5(buf_view(&b), out);
    out[6] = (uint8_t)((out[6] & 0x0f) | 0x30);
    out[8] = (uint8_t)((out[8] & 0x3f) | 0x80);
}

/* --- docs/system-tables.md
 * ----------------------------------------------------------------------------------- */

static void put_key(struct buf *out, struct slice columns, const char *mark, const char *other)
{
    bool first = true;
    while (columns.len > 0) {
        struct slice column = next_column(&columns);
        if (!take_mark(&column, mark) && (!other || !take_mark(&column, other))) continue;
        const uint8_t *space = memchr(column.at, ' ', column.len);
        buf_printf(out, "%s`%.*s`", first ? "" : ", ", (int)(space - column.at), column.at);
        first = false;
    }
}

void cql_system_tables_markdown(struct buf *out)
{
    const char *keyspace = "";
    buf_text(
        out,
        "# The node's own tables\n\nWhat drivers, cqlsh and tools read: every table of Apache "
        "Cassandra " CQL_RELEASE "'s system keyspaces, with its columns, types and keys. "
        "Those marked \"empty\" are about what does not exist here (other nodes, repair, hints, "
        "views, functions). Made from `src/cql/virtual.def`; topics as tables are in "
        "[cql.md](cql.md).\n");
    for (size_t i = 0; i < COUNT_OF(defs); i++) {
        if (strcmp(keyspace, defs[i].keyspace) != 0)
            buf_printf(out,
                       "\n## %s\n\n| table | partition key | clustering | other columns | |\n"
                       "|---|---|---|---|---|\n",
                       defs[i].keyspace);
        keyspace = defs[i].keyspace;
        struct slice columns = slice_of(defs[i].columns);
        uint32_t others = 0;
        for (struct slice rest = columns; rest.len > 0;) {
            struct slice c = next_column(&rest);
            others += !take_mark(&c, " P") && !take_mark(&c, " C") && !take_mark(&c, " CD");
        }
        buf_printf(out, "| `%s` | ", defs[i].name);
        put_key(out, columns, " P", NULL);
        buf_text(out, " | ");
        put_key(out, columns, " C", " CD");
        buf_printf(out, " | %u | %s |\n", others, defs[i].fill ? "" : "empty");
    }
}
