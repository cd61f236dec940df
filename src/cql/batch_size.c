/* How big Cassandra would find a batch: the sum of its partition updates' dataSize(). A row named
 * twice counts once, its cells each time: only warnings and the limit come of it. */
#include "base/hash.h"
#include "cql/write_int.h"

enum {                            /* bytes, as its classes count them */
       OF_PARTITION = 8 + 8 + 13, /* no deletion; an empty static row: liveness, deletion */
       OF_ROW = 8 + 13,
       OF_TTL = 12,
       OF_CELL = 8 + 4 + 8,
       OF_CLEAR = 12,
       OF_RANGE = 8 + 4,
       OF_RANGES = 4
};

/* The first time this is seen? */
static bool is_new(struct write_tally *t, uint64_t hash)
{
    hash += hash == 0;
    size_t i = hash & (t->slots - 1);
    for (size_t tries = 0; tries < t->slots; tries++, i = (i + 1) & (t->slots - 1)) {
        if (t->seen[i] == hash) return false;
        if (t->seen[i] == 0) {
            t->seen[i] = hash;
            return true;
        }
    }
    return false;
}

static uint64_t hash_key(uint64_t seed, const struct slice *key, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) seed = hash64(key[i], seed + i + 1);
    return seed;
}

static bool has_clustering(const struct store_table *t)
{
    for (uint32_t i = 0; i < t->column_count; i++)
        if (t->columns[i].role == COLUMN_CLUSTERING) return true;
    return false;
}

static void tally_partition(struct write_tally *t, const struct store_table *table,
                            const struct slice *key, uint32_t count)
{
    uint64_t keyspace = hash64(table->keyspace, 7);
    t->partitions += is_new(t, hash_key(keyspace, key, count));
    if (is_new(t, hash_key(keyspace ^ table->prefix, key, count))) t->bytes += OF_PARTITION;
}

void write_tally_row(struct write_tally *t, const struct store_row_write *w,
                     uint32_t partition_columns)
{
    const struct store_table *table = w->table;
    tally_partition(t, table, w->key, partition_columns);
    uint32_t clustering = 0;
    for (uint32_t i = partition_columns; i < w->key_count; i++) clustering += w->key[i].len;
    bool row = w->key_count > partition_columns || !has_clustering(table);
    if (row && is_new(t, hash_key(hash64(table->name, table->prefix), w->key, w->key_count)))
        t->bytes += OF_ROW + clustering + (w->marker && w->ttl ? OF_TTL : 0);
    uint16_t cleared = 0;
    for (uint32_t i = 0; i < w->cell_count; i++) {
        const struct store_cell_write *c = &w->cells[i];
        bool many = c->kind != CELL_SET && c->kind != CELL_DELETE;
        if (many && c->column != cleared) t->bytes += OF_CLEAR; /* each multi-cell column has one */
        if (many) cleared = c->column;
        if (c->kind != CELL_CLEAR && c->kind != CELL_CLEAR_ALL)
            t->bytes += OF_CELL + (uint64_t)c->path.len + c->value.len;
    }
}

void write_tally_slice(struct write_tally *t, const struct store_table *table,
                       const struct slice *partition, uint32_t partition_columns,
                       const struct store_slice *slice)
{
    tally_partition(t, table, partition, partition_columns);
    if (!slice) return;
    uint64_t ranges = hash64(SLICE("ranges"), table->prefix);
    t->bytes += OF_RANGE;
    if (is_new(t, hash_key(ranges, partition, partition_columns))) t->bytes += OF_RANGES;
    for (uint32_t i = 0; i < slice->start.count; i++) t->bytes += slice->start.values[i].len;
    for (uint32_t i = 0; i < slice->end.count; i++) t->bytes += slice->end.values[i].len;
}
