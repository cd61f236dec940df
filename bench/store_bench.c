/* store_bench: what the committer and point reads do on this machine.
 *     store_bench DIR ROWS SECONDS
 * DIR must not exist; it stays behind. Lines: blind writes with 1, 32 and 128 in flight, decided
 * writes and counters with 128, point reads; a rate and processor time each, of all threads. */
#include "base/metric.h"
#include "os/clock.h"
#include "os/thread.h"
#include "store/cells.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { VALUES = 5, VALUE_BYTES = 32 };

struct bench {
    struct store *store;
    const struct store_table *table, *counters;
    uint64_t rows, seed;
    struct arena *arena; /* the committer's thread's */
    struct gate gate;
    uint32_t under_way, most; /* gate */
    bool waits;               /* gate */
    uint64_t done, failed;    /* gate */
};

static void fail(const char *what, err_t e, const struct diag *d)
{
    fprintf(stderr, "store_bench: %s: %s: %s %s\n", what, err_text(e), d->what, d->why);
    exit(1);
}

static const struct store_table *table_make(struct store *s, const char *name, bool counter)
{
    struct diag d = {0};
    const struct store_table *t;
    static const char *const names[VALUES] = {"a", "b", "c", "d", "e"};
    struct store_column columns[1 + VALUES] = {
        {.name = SLICE("k"), .type = type_of(TYPE_BIGINT), .role = COLUMN_PARTITION}};
    for (int i = 0; i < VALUES; i++)
        columns[1 + i] = (struct store_column){.name = slice_of(names[i]),
                                               .type = type_of(counter ? TYPE_COUNTER : TYPE_BLOB)};
    struct store_table wanted = {.keyspace = SLICE("bench"),
                                 .name = slice_of(name),
                                 .columns = columns,
                                 .column_count = 1 + VALUES,
                                 .gc_grace = 864000};
    err_t e = store_table_create(s, &wanted, &t, &d);
    if (e) fail("table", e, &d);
    return t;
}

static struct slice key_of(uint8_t memory[8], uint64_t n)
{
    struct buf out = buf_over(memory, 8);
    buf_be(&out, n * 0x9e3779b97f4a7c15U, 8);
    return buf_view(&out);
}

static uint64_t next_key(struct bench *b)
{
    b->seed = b->seed * 6364136223846793005U + 1442695040888963407U;
    return (b->seed >> 20) % b->rows;
}

static err_t add_row(struct bench *b, struct store_change *c, uint64_t n, struct diag *d)
{
    static const uint8_t bytes[VALUE_BYTES] = "what a column holds in most rows";
    uint8_t memory[8];
    struct slice key = key_of(memory, n);
    struct store_cell_write cells[VALUES];
    for (int i = 0; i < VALUES; i++)
        cells[i] = (struct store_cell_write){.column = b->table->columns[1 + i].id,
                                             .value = slice_make(bytes, VALUE_BYTES)};
    int64_t now = store_timestamp(b->store);
    struct store_row_write w = {.table = b->table,
                                .key = &key,
                                .key_count = 1,
                                .timestamp = now,
                                .now_s = now / 1000000,
                                .marker = true,
                                .cells = cells,
                                .cell_count = VALUES};
    return store_change_row(c, &w, d);
}

/* --- kinds of writes ----------------------------------------------------------------------------
 */

/* Reads a row and writes it anew. On the committer's thread. */
static err_t decide(void *ctx, struct store_change *c, struct store_peek *p, struct diag *d)
{
    struct bench *b = ctx;
    uint8_t memory[8];
    const struct store_row *row;
    uint64_t n = (uint64_t)store_timestamp(b->store) % b->rows;
    struct slice key = key_of(memory, n);
    arena_reset(b->arena);
    err_t e = store_peek_row(p, b->table, &key, 1, 0, b->arena, &row, d);
    return e ? e : add_row(b, c, n, d);
}

static err_t fill_blind(struct bench *b, struct store_change *c, struct diag *d)
{
    return add_row(b, c, next_key(b), d);
}
static err_t fill_decided(struct bench *b, struct store_change *c, struct diag *d)
{
    (void)d;
    store_change_decide(c, decide, b);
    return ERR_OK;
}
static err_t fill_counter(struct bench *b, struct store_change *c, struct diag *d)
{
    uint8_t memory[8];
    struct slice key = key_of(memory, next_key(b) % 1000);
    return store_change_count(c, b->counters, &key, 1, b->counters->columns[1].id, 1,
                              store_timestamp(b->store), d);
}

static void told(void *ctx, err_t e, const struct diag *d)
{
    struct bench *b = ctx;
    (void)d;
    gate_enter(&b->gate);
    b->under_way--;
    b->done++;
    b->failed += e != ERR_OK;
    if (b->waits && b->under_way <= b->most / 2) gate_wake(&b->gate);
    gate_leave(&b->gate);
}

static void write_for(struct bench *b, const char *name, uint32_t in_flight, int seconds,
                      err_t (*fill)(struct bench *b, struct store_change *c, struct diag *d))
{
    struct diag d = {0};
    int64_t from = clock_mono_ns(), cpu = clock_cpu_ns(),
            groups = metric_get(METRIC_store_commits_total);
    int64_t until = from + seconds * 1000000000LL;
    b->done = b->failed = 0;
    b->most = in_flight;
    while (clock_mono_ns() < until) {
        struct store_change *c;
        err_t e = store_change_new(b->store, &c);
        if (!e) e = fill(b, c, &d);
        if (e) fail("change", e, &d);
        gate_enter(&b->gate);
        b->waits = true;
        while (b->under_way >= in_flight) gate_wait(&b->gate);
        b->waits = false;
        b->under_way++;
        gate_leave(&b->gate);
        e = store_change_commit(c, told, b);
        if (e) fail("commit", e, &d);
    }
    gate_enter(&b->gate);
    b->waits = true;
    b->most = 0;
    while (b->under_way) gate_wait(&b->gate);
    gate_leave(&b->gate);
    double took = (double)(clock_mono_ns() - from) / 1e9;
    double spent = (double)(clock_cpu_ns() - cpu) / 1e3;
    groups = metric_get(METRIC_store_commits_total) - groups;
    printf("%-10s %4u in flight: %9.0f /s, %6.2f us of processor each, %7.0f groups/s, %.1f a "
           "group%s\n",
           name, in_flight, (double)b->done / took, spent / (double)b->done, (double)groups / took,
           (double)b->done / (double)MAX(groups, 1), b->failed ? ", FAILURES" : "");
    fflush(stdout);
}

static void read_for(struct bench *b, int seconds)
{
    struct diag d = {0};
    struct arena *a = arena_new(MIB(1));
    uint64_t found = 0, done = 0;
    int64_t from = clock_mono_ns(), cpu = clock_cpu_ns(), until = from + seconds * 1000000000LL;
    while (clock_mono_ns() < until) {
        uint8_t memory[8];
        const struct store_row *row;
        struct slice key = key_of(memory, next_key(b));
        arena_reset(a);
        err_t e = store_row_get(b->store, b->table, &key, 1, 0, a, &row, &d);
        if (e) fail("read", e, &d);
        found += row != NULL;
        done++;
    }
    double took = (double)(clock_mono_ns() - from) / 1e9;
    printf("%-10s            : %9.0f /s, %6.2f us of processor each, %.0f %% found\n", "reads",
           (double)done / took, (double)(clock_cpu_ns() - cpu) / 1e3 / (double)done,
           100.0 * (double)found / (double)done);
    arena_free(a);
}

int main(int argc, char **argv)
{
    struct diag d = {0};
    struct bench b = {.seed = 1};
    if (argc != 4) {
        fprintf(stderr, "usage: store_bench DIR ROWS SECONDS\n");
        return 64;
    }
    int seconds = atoi(argv[3]);
    b.rows = strtoull(argv[2], NULL, 10);
    b.arena = arena_new(MIB(1));
    gate_init(&b.gate);
    err_t e = store_open(&(struct store_options){.dir = argv[1]}, &b.store, &d);
    if (!e) e = store_keyspace_create(b.store, SLICE("bench"), SLICE(""), &d);
    if (e) fail("open", e, &d);
    b.table = table_make(b.store, "rows", false);
    b.counters = table_make(b.store, "counters", true);
    write_for(&b, "writes", 1, seconds, fill_blind);
    write_for(&b, "writes", 32, seconds, fill_blind);
    write_for(&b, "writes", 128, seconds, fill_blind);
    write_for(&b, "writes", 1024, seconds, fill_blind);
    write_for(&b, "decided", 128, seconds, fill_decided);
    write_for(&b, "counters", 128, seconds, fill_counter);
    read_for(&b, seconds);
    store_close(b.store);
    return 0;
}
