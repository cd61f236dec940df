/* How fast rows go into groups: the GROUP operator alone, one core.
 *
 *     group_bench [SECONDS]       rows a processor second, the best of five rounds
 *
 * Rows come in batches of 4,096 of three columns; every 25 batches an epoch ends and what has
 * changed is told. State stays in memory. */
#include "flow/op.h"
#include "sql/aggregate.h"
#include "sql/expr.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TIME, KEY, NAME, VALUE, INPUTS, BATCHES = 25, ROUNDS = 5, AGGREGATES = 2 };

struct bench_case {
    const char *name;
    uint32_t groups;
    int key;
    enum window_kind window;
    int64_t size, slide;
    bool sum;
};
static const struct bench_case cases[] = {
    {"count, sum by bigint, 10,000 groups", 10000, KEY, WINDOW_NONE, 0, 0, true},
    {"count, sum by bigint, 1,000,000 groups", 1000000, KEY, WINDOW_NONE, 0, 0, true},
    {"count, sum by text, 10,000 groups", 10000, NAME, WINDOW_NONE, 0, 0, true},
    {"count by bigint in TUMBLE of 1 s, 1,000 keys", 1000, KEY, WINDOW_TUMBLE, 1000, 1000, false},
    {"count by bigint in HOP of 10 s every 2 s, 1,000 keys", 1000, KEY, WINDOW_HOP, 10000, 2000,
     false},
    {"count by bigint in SESSION of 1 s, 1,000 keys", 1000, KEY, WINDOW_SESSION, 1000, 1000, false},
};
struct plan {
    struct plan_node nodes[2];
    const struct plan_node *inputs[1];
    struct plan_column in[INPUTS], out[3 + 1 + AGGREGATES];
    struct expr exprs[INPUTS];
    const struct expr *key[1], *value[1];
    struct plan_aggregate aggregates[AGGREGATES];
};

static void make_plan(struct plan *p, const struct bench_case *c)
{
    static const enum type_kind kinds[INPUTS] = {TYPE_TIMESTAMP, TYPE_BIGINT, TYPE_TEXT,
                                                 TYPE_BIGINT};
    static const uint32_t key[] = {0};
    memset(p, 0, sizeof(*p));
    for (uint32_t i = 0; i < INPUTS; i++) {
        p->in[i] = (struct plan_column){SLICE("c"), type_of(kinds[i])};
        p->exprs[i] = (struct expr){
            .kind = EXPR_INPUT, .input = i, .type = type_of(kinds[i]), .text = SLICE("c")};
    }
    bool windowed = c->window != WINDOW_NONE;
    uint32_t n = 0, aggregates = c->sum ? 2 : 1;
    while (windowed && n < 3)
        p->out[n++] = (struct plan_column){SLICE("w"), type_of(TYPE_TIMESTAMP)};
    p->out[n++] = (struct plan_column){SLICE("k"), p->exprs[c->key].type};
    for (uint32_t i = 0; i < aggregates; i++)
        p->out[n++] = (struct plan_column){SLICE("a"), type_of(TYPE_BIGINT)};
    p->key[0] = &p->exprs[c->key];
    p->value[0] = &p->exprs[VALUE];
    p->inputs[0] = &p->nodes[0];
    p->aggregates[0] =
        (struct plan_aggregate){.of = aggregate_find(SLICE("count")), .type = type_of(TYPE_BIGINT)};
    p->aggregates[1] = (struct plan_aggregate){.of = aggregate_find(SLICE("sum")),
                                               .args = p->value,
                                               .arg_count = 1,
                                               .type = type_of(TYPE_BIGINT)};
    p->nodes[0] = (struct plan_node){
        .kind = NODE_TABLE, .columns = p->in, .column_count = INPUTS, .time = TIME};
    p->nodes[1] = (struct plan_node){.kind = NODE_GROUP,
                                     .id = 1,
                                     .inputs = p->inputs,
                                     .input_count = 1,
                                     .columns = p->out,
                                     .column_count = n,
                                     .stateful = true,
                                     .time = -1,
                                     .key = key,
                                     .key_count = 1,
                                     .group = {.window = {c->window, TIME, c->size, c->slide, 0},
                                               .keys = p->key,
                                               .key_count = 1,
                                               .aggregates = p->aggregates,
                                               .aggregate_count = aggregates,
                                               .emit = windowed ? EMIT_ON_CLOSE : EMIT_ON_CHANGE}};
}

static err_t count_rows(void *ctx, const struct rows *r, struct diag *d)
{
    (void)d;
    *(uint64_t *)ctx += r->count;
    return ERR_OK;
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void make_batch(const struct bench_case *c, struct rng *r, int64_t *now,
                       struct column_batch *b, struct arena *a)
{
    static const enum type_kind kinds[INPUTS] = {TYPE_TIMESTAMP, TYPE_BIGINT, TYPE_TEXT,
                                                 TYPE_BIGINT};
    const struct type *types[INPUTS];
    for (uint32_t i = 0; i < INPUTS; i++) types[i] = type_of(kinds[i]);
    if (batch_init(b, types, INPUTS, CHUNK_ROWS, a)) abort();
    for (uint32_t row = 0; row < CHUNK_ROWS; row++) {
        uint64_t key = rng_below(r, c->groups);
        *now += row % 64 == 0; /* 64,000 rows a second of event time, a little out of order */
        b->columns[TIME].i64[row] = *now - (int64_t)rng_below(r, 5);
        b->columns[KEY].i64[row] = (int64_t)key;
        b->columns[NAME].bytes[row] = slice_of(arena_printf(a, "name %u", (uint32_t)key));
        b->columns[VALUE].i64[row] = (int64_t)rng_below(r, 1000);
        for (uint32_t i = 0; i < INPUTS; i++) b->columns[i].state[row] = VALID_VALUE;
    }
}

static err_t run_epoch(struct graph *g, struct column_batch *batches, struct arena *a, int64_t now,
                       int64_t *watermark, uint64_t epoch, struct counter *counter, struct diag *d)
{
    err_t e = ERR_OK;
    graph_begin(g, 0, epoch, *watermark, counter, a);
    for (uint32_t i = 0; !e && i < BATCHES; i++) {
        arena_reset(a);
        batches[i].arena = a;
        e = graph_push_rows(g, 0, &batches[i], d);
    }
    *watermark = now - 10;
    if (!e) e = graph_advance(g, *watermark, d);
    if (!e) e = graph_flush(g, false, d);
    if (!e) graph_kept(g);
    return e;
}

static void shift(struct column_batch *batches, int64_t ms)
{
    for (uint32_t i = 0; i < BATCHES; i++)
        for (uint32_t row = 0; row < CHUNK_ROWS; row++) batches[i].columns[TIME].i64[row] += ms;
}

static err_t run_case(const struct bench_case *c, double seconds)
{
    struct arena *made = arena_new(GIB(1)), *a = arena_new(GIB(1));
    struct column_batch batches[BATCHES];
    struct rng r = rng_make(1);
    struct counter counter = {.skip = -1};
    struct plan p;
    struct graph *g = NULL;
    struct diag d = {0};
    uint64_t told = 0, epoch = 0;
    int64_t now = 0, watermark = INT64_MIN;
    double best = 0;
    make_plan(&p, c);
    for (uint32_t i = 0; i < BATCHES; i++) make_batch(c, &r, &now, &batches[i], made);
    struct graph_options o = {.root = &p.nodes[1],
                              .node_count = 2,
                              .name = SLICE("bench"),
                              .memory_max = GIB(1),
                              .ctx = &told,
                              .end = count_rows};
    err_t e = graph_new(&o, &g, &d);
    int64_t span = now;
    for (int round = 0; !e && round < ROUNDS; round++) {
        uint64_t rows = 0;
        double spent = 0;
        while (!e && spent < seconds / ROUNDS) {
            double from = seconds_now();
            e = run_epoch(g, batches, a, now, &watermark, ++epoch, &counter, &d);
            spent += seconds_now() - from;
            rows += BATCHES * CHUNK_ROWS;
            shift(batches, span);
            now += span;
        }
        best = (double)rows / spent > best ? (double)rows / spent : best;
    }
    char story[2048];
    diag_format(&d, story, sizeof(story));
    if (e)
        fprintf(stderr, "%s: %s\n", c->name, story);
    else
        printf("%-54s %7.2f M rows/s  %6.1f ns a row\n", c->name, best / 1e6, 1e9 / best);
    graph_free(g);
    arena_free(made);
    arena_free(a);
    return e;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 2;
    err_t e = ERR_OK;
    for (size_t i = 0; !e && i < COUNT_OF(cases); i++) e = run_case(&cases[i], seconds);
    return e != ERR_OK;
}
