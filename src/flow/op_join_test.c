/* Joins within bounds of time, and DISTINCT within the watermark, against a naive model: disorder,
 * late rows, nulls, keys with more rows than a block, rows that leave as the watermark advances,
 * epochs given up half way, restarts in the middle, little memory.
 */
#include "flow/buckets.h"
#include "flow/op.h"
#include "rounds.h"
#include "sql/expr.h"
#include "test.h"

enum { TIME, KEY, ID, PASS, COLUMNS };
enum { SIDE_MAX = 1600, EPOCH_ROWS = 100, EPOCHS = 14, NO_KEY = -1 };
enum step { PUSHES = 4, ADVANCE = PUSHES, FLUSH, WRITE, STEPS };

struct setup {
    const char *name;
    enum node_kind node;
    enum join_kind kind;
    int64_t low, high; /* DISTINCT: high is keep_ms */
    bool condition;
    int keys; /* 0: half of the rows have one key, the others one of five */
    size_t memory;
};
struct row {
    int64_t t; /* INT64_MIN: null */
    int key;
    bool pass;
    enum ledger_term fate;
    uint32_t matches;
    bool remembered; /* joins: it may still match; DISTINCT: its key is known by it */
};
struct told { /* how often, by the rows' places; what an epoch that is given up told is undone */
    uint16_t pairs[SIDE_MAX][SIDE_MAX];
    uint16_t alone[2][SIDE_MAX];
};
struct bed {
    const struct setup *s;
    struct store *store;
    struct graph *g;
    struct arena *plans, *arena;
    struct plan_node nodes[3];
    const struct plan_node *inputs[2];
    struct plan_column columns[2 * COLUMNS];
    struct expr exprs[COLUMNS];
    const struct expr *keys[1];
    struct counter counter, durable_counter;
    struct told now, durable, want;
    struct row rows[2][SIDE_MAX];
    uint32_t known[2], count[2]; /* before the epoch at hand, and with it */
    int64_t watermark, clock, length, keeps[2];
    uint64_t epoch, random, given_up, failed, out_max;
    uint32_t inputs_count, most;
    struct diag d;
};
static struct chunk chunk;

static bool lone_left(const struct setup *s)
{
    return s->node == NODE_DISTINCT || s->kind == JOIN_SEMI || s->kind == JOIN_ANTI;
}

/* --- the plan -----------------------------------------------------------------------------------
 */

static void make_plan(struct bed *b)
{
    static const enum type_kind kinds[COLUMNS] = {TYPE_TIMESTAMP, TYPE_TEXT, TYPE_BIGINT,
                                                  TYPE_BOOLEAN};
    static const uint32_t by[] = {KEY};
    const struct setup *s = b->s;
    for (uint32_t i = 0; i < 2 * COLUMNS; i++)
        b->columns[i] = (struct plan_column){SLICE("c"), type_of(kinds[i % COLUMNS])};
    for (uint32_t i = 0; i < COLUMNS; i++)
        b->exprs[i] = (struct expr){
            .kind = EXPR_INPUT, .input = i, .type = type_of(kinds[i]), .text = SLICE("c")};
    b->keys[0] = &b->exprs[KEY];
    b->inputs_count = s->node == NODE_JOIN ? 2 : 1;
    for (uint32_t i = 0; i < b->inputs_count; i++) {
        b->nodes[i] = (struct plan_node){.kind = NODE_TABLE,
                                         .id = i,
                                         .columns = b->columns,
                                         .column_count = COLUMNS,
                                         .time = TIME};
        b->inputs[i] = &b->nodes[i];
    }
    struct plan_node *n = &b->nodes[b->inputs_count];
    *n = (struct plan_node){.kind = s->node,
                            .id = b->inputs_count,
                            .inputs = b->inputs,
                            .input_count = b->inputs_count,
                            .columns = b->columns,
                            .column_count = lone_left(s) ? COLUMNS : 2 * COLUMNS,
                            .stateful = true,
                            .time = -1};
    if (s->node == NODE_JOIN)
        n->join = (struct plan_join){.kind = s->kind,
                                     .left_keys = b->keys,
                                     .right_keys = b->keys,
                                     .key_count = 1,
                                     .condition = s->condition ? &b->exprs[PASS] : NULL,
                                     .bounded = true,
                                     .low_ms = s->low,
                                     .high_ms = s->high};
    else
        n->distinct = (struct plan_distinct){
            .by = by, .by_count = 1, .within_watermark = true, .keep_ms = s->high};
}

/* --- what comes out -----------------------------------------------------------------------------
 */

/* Which row of a side it is; -1: nulls instead. */
static int64_t row_told(const struct bed *b, const struct rows *r, uint32_t row, uint32_t side)
{
    const struct column *c = r->b->columns + (side ? COLUMNS : 0);
    if (c[ID].state[row] != VALID_VALUE) {
        for (uint32_t i = 0; i < COLUMNS; i++) CHECK_INT(c[i].state[row], NULL_VALUE);
        return -1;
    }
    int64_t id = c[ID].i64[row];
    INVARIANT(id >= 0 && id < b->count[side]);
    const struct row *x = &b->rows[side][id];
    char key[16];
    snprintf(key, sizeof(key), "key %d", x->key);
    CHECK((c[KEY].state[row] == VALID_VALUE) == (x->key != NO_KEY));
    if (x->key != NO_KEY) CHECK(slice_is(c[KEY].bytes[row], key));
    CHECK((c[TIME].state[row] == VALID_VALUE) == (x->t != INT64_MIN));
    if (x->t != INT64_MIN) CHECK_INT(c[TIME].i64[row], x->t);
    CHECK_INT(c[PASS].b1[row], x->pass);
    return id;
}

static err_t collect(void *ctx, const struct rows *r, struct diag *d)
{
    struct bed *b = ctx;
    (void)d;
    CHECK(b->s->node == NODE_DISTINCT || !r->chunk);
    if (r->chunk) count_term(&b->counter, TERM_APPLIED, r->count);
    for (uint32_t i = 0; i < r->count; i++) {
        uint32_t row = r->selected[i];
        CHECK(!r->signs || r->signs[row] > 0);
        int64_t left = row_told(b, r, row, 0), right = -1;
        if (!lone_left(b->s)) right = row_told(b, r, row, 1);
        CHECK(left >= 0 || right >= 0);
        if (left >= 0 && right >= 0)
            b->now.pairs[left][right]++;
        else
            b->now.alone[left < 0][left < 0 ? right : left]++;
    }
    return ERR_OK;
}

static err_t letter(void *ctx, err_t e, struct slice reason, struct slice expression,
                    struct slice raw, struct diag *d)
{
    (void)ctx, (void)e, (void)reason, (void)expression, (void)raw, (void)d;
    test_failed(__FILE__, __LINE__, "a dead letter");
    return ERR_OK;
}

static void open_graph(struct bed *b)
{
    struct graph_options o = {.root = &b->nodes[b->inputs_count],
                              .node_count = b->inputs_count + 1,
                              .store = b->store,
                              .stream = 9,
                              .name = SLICE("test"),
                              .memory_max = b->s->memory ? b->s->memory : MIB(64),
                              .ctx = b,
                              .end = collect,
                              .dead = letter};
    CHECK_OK(graph_new(&o, &b->g, &b->d), &b->d);
}

/* --- the model ----------------------------------------------------------------------------------
 */

static bool told_alone(const struct setup *s, uint32_t side)
{
    if (side) return s->kind == JOIN_RIGHT || s->kind == JOIN_FULL;
    return s->kind == JOIN_LEFT || s->kind == JOIN_FULL || s->kind == JOIN_ANTI;
}

static void leaves_alone(struct bed *b, uint32_t side, uint32_t at)
{
    bool told = told_alone(b->s, side);
    b->rows[side][at].fate = told ? TERM_APPLIED : TERM_FILTERED;
    b->want.alone[side][at] += told;
}

static void model_arrival(struct bed *b, uint32_t side, uint32_t at)
{
    struct row *x = &b->rows[side][at];
    bool late = x->t != INT64_MIN && x->t < b->watermark; /* whatever its key is */
    if (!late && (x->key == NO_KEY || x->t == INT64_MIN)) {
        leaves_alone(b, side, at);
        return;
    }
    x->remembered = !late;
    x->fate = x->remembered ? TERM_HELD : TERM_LATE;
    if (x->remembered && lone_left(b->s) && side) x->fate = TERM_APPLIED; /* it decides on others */
}

static void model_match(struct bed *b, uint32_t left, uint32_t right)
{
    struct row *l = &b->rows[0][left], *r = &b->rows[1][right];
    enum join_kind kind = b->s->kind;
    if (!l->remembered || !r->remembered || l->key != r->key) return;
    if (r->t < l->t + b->s->low || r->t > l->t + b->s->high) return;
    if (b->s->condition && !l->pass) return;
    if (kind == JOIN_SEMI && !l->matches) b->want.alone[0][left]++;
    if (!lone_left(b->s)) b->want.pairs[left][right]++;
    l->matches++;
    r->matches++;
    l->fate = kind == JOIN_ANTI ? TERM_FILTERED : TERM_APPLIED;
    r->fate = TERM_APPLIED;
}

static void model_join(struct bed *b)
{
    for (uint32_t side = 0; side < 2; side++)
        for (uint32_t i = b->known[side]; i < b->count[side]; i++) model_arrival(b, side, i);
    for (uint32_t l = 0; l < b->count[0]; l++)
        for (uint32_t r = l < b->known[0] ? b->known[1] : 0; r < b->count[1]; r++)
            model_match(b, l, r);
}

static void model_distinct(struct bed *b)
{
    for (uint32_t i = b->known[0]; i < b->count[0]; i++) {
        struct row *x = &b->rows[0][i];
        int64_t t = x->t == INT64_MIN ? b->clock : x->t;
        x->fate = t < b->watermark ? TERM_LATE : TERM_APPLIED;
        for (uint32_t k = 0; k < i && x->fate == TERM_APPLIED; k++)
            if (b->rows[0][k].remembered && b->rows[0][k].key == x->key)
                x->fate = TERM_DEDUPLICATED;
        x->remembered = x->fate == TERM_APPLIED;
        b->want.alone[0][i] += x->remembered;
        if (x->t == INT64_MIN) x->matches = (uint32_t)b->clock; /* its time is the epoch's */
    }
}

/* A slice of time goes when the watermark has passed all of it, and what it is kept for. */
static void model_leaving(struct bed *b, int64_t watermark)
{
    for (uint32_t side = 0; side < b->inputs_count; side++)
        for (uint32_t i = 0; i < b->count[side]; i++) {
            struct row *x = &b->rows[side][i];
            int64_t t = x->t == INT64_MIN ? (int64_t)x->matches : x->t;
            int64_t last = t - ((t % b->length) + b->length) % b->length + b->length - 1;
            if (!x->remembered || last + b->keeps[side] >= watermark) continue;
            x->remembered = false;
            if (b->s->node == NODE_JOIN && !x->matches && !(lone_left(b->s) && side))
                leaves_alone(b, side, i);
        }
}

static void compare(struct bed *b)
{
    struct ledger want = {0};
    for (uint32_t side = 0; side < b->inputs_count; side++) {
        for (uint32_t i = 0; i < b->count[side]; i++) {
            ++*ledger_term(&want, TERM_IN);
            ++*ledger_term(&want, b->rows[side][i].fate);
            if (b->now.alone[side][i] == b->want.alone[side][i]) continue;
            test_failed(__FILE__, __LINE__, "%s, epoch %d: row %u of side %u told %u times, not %u",
                        b->s->name, (int)b->epoch, i, side, b->now.alone[side][i],
                        b->want.alone[side][i]);
            return;
        }
    }
    for (uint32_t l = 0; l < b->count[0]; l++)
        for (uint32_t r = 0; r < b->count[1]; r++) {
            if (b->now.pairs[l][r] == b->want.pairs[l][r]) continue;
            test_failed(__FILE__, __LINE__, "%s, epoch %d: %u with %u told %u times, not %u",
                        b->s->name, (int)b->epoch, l, r, b->now.pairs[l][r], b->want.pairs[l][r]);
            return;
        }
    CHECK(ledger_balanced(&b->counter.now));
    for (enum ledger_term t = TERM_IN; t <= TERM_HELD; t++)
        if (*ledger_term(&b->counter.now, t) != *ledger_term(&want, t))
            test_failed(__FILE__, __LINE__, "%s, epoch %d: term %d is %lld, not %lld", b->s->name,
                        (int)b->epoch, (int)t, (long long)*ledger_term(&b->counter.now, t),
                        (long long)*ledger_term(&want, t));
}

/* --- epochs -------------------------------------------------------------------------------------
 */

static void make_rows(struct bed *b)
{
    for (uint32_t i = 0; i < b->inputs_count * EPOCH_ROWS; i++) {
        uint64_t n = test_random(&b->random);
        uint32_t side = (uint32_t)(n >> 50) % b->inputs_count;
        if (b->count[side] == SIDE_MAX) continue;
        struct row *x = &b->rows[side][b->count[side]++];
        b->clock += (int64_t)(n % 9);
        if (n % 97 == 0) b->clock += 1500;
        *x = (struct row){.t = b->clock - (int64_t)((n >> 8) % 900), .pass = (n >> 20) % 3 != 0};
        x->key = (n >> 24) % 2 ? 0 : (int)((n >> 25) % 5);
        if (b->s->keys) x->key = (int)((n >> 25) % (uint32_t)b->s->keys);
        if ((n >> 36) % 23 == 0) x->t -= 4000;
        if ((n >> 40) % 31 == 0) x->t = INT64_MIN;
        if ((n >> 44) % 29 == 0 && b->s->node == NODE_JOIN) x->key = NO_KEY;
    }
}

static void fill(struct bed *b, uint32_t side, uint32_t from, struct rows *r)
{
    const struct type *types[COLUMNS];
    uint32_t *selected = arena_take(b->arena, (r->count + 1) * sizeof(*selected));
    for (uint32_t i = 0; i < COLUMNS; i++) types[i] = b->columns[i].type;
    CHECK_INT(batch_init(r->b, types, COLUMNS, r->count, b->arena), ERR_OK);
    for (uint32_t i = 0; i < r->count; i++) {
        const struct row *x = &b->rows[side][from + i];
        struct column *c = r->b->columns;
        selected[i] = i;
        for (uint32_t k = 0; k < COLUMNS; k++) c[k].state[i] = VALID_VALUE;
        c[TIME].i64[i] = x->t;
        if (x->t == INT64_MIN) c[TIME].state[i] = NULL_VALUE;
        c[KEY].bytes[i] = slice_of(arena_printf(b->arena, "key %d", x->key));
        if (x->key == NO_KEY) c[KEY].state[i] = NULL_VALUE;
        c[ID].i64[i] = from + i;
        c[PASS].b1[i] = x->pass;
    }
    r->selected = selected;
    chunk_reset(&chunk);
    memset(chunk.gone, 0, sizeof(chunk.gone));
    chunk.rows = r->count;
    r->chunk = &chunk;
    count_term(&b->counter, TERM_IN, r->count);
}

/* Right's first half, left's, the other halves; memory is refused where `fails` says. */
static err_t push(struct bed *b, int step, uint64_t fails)
{
    uint32_t side = b->inputs_count == 1 ? 0 : 1 - (uint32_t)step % 2;
    if (b->inputs_count == 1 && step % 2) return ERR_OK;
    uint32_t from = b->known[side], until = b->count[side], half = from + (until - from) / 2;
    struct column_batch batch;
    struct rows r = {.b = &batch};
    if (step < 2)
        until = half;
    else
        from = half;
    arena_reset(b->arena);
    r.count = until - from;
    fill(b, side, from, &r);
    mem_fail_at(fails);
    return b->g->ops[side].kind->push(&b->g->ops[side], 0, &r, &b->d);
}

/* At `failing` step the nth call for memory fails; STEPS: none does. */
static err_t run_rows(struct bed *b, int64_t next, int failing, uint64_t nth)
{
    err_t e = ERR_OK;
    b->epoch++;
    graph_begin(b->g, b->clock, b->epoch, b->watermark, &b->counter, b->arena);
    for (int step = 0; !e && step < WRITE; step++) {
        uint64_t fails = step == failing ? nth : 0;
        if (step < PUSHES) {
            e = push(b, step, fails);
        } else {
            mem_fail_at(fails);
            e = step == ADVANCE ? graph_advance(b->g, next, &b->d)
                                : graph_flush(b->g, false, &b->d);
        }
        mem_fail_at(0);
    }
    return e;
}

static void give_up(struct bed *b, int64_t next)
{
    struct store_write *w = NULL;
    int failing = (int)(test_random(&b->random) % STEPS);
    uint64_t nth = 1 + test_random(&b->random) % 6;
    err_t e = run_rows(b, next, failing, nth);
    if (!e) {
        CHECK_OK(store_write_begin(b->store, STORE_LIVE, MIB(64), &w, &b->d), &b->d);
        mem_fail_at(failing == WRITE ? nth : 0);
        e = graph_write(b->g, w, &b->d);
        mem_fail_at(0);
        store_write_abort(w);
    }
    CHECK(!e || e == ERR_NO_MEMORY);
    b->given_up++;
    b->failed += e != ERR_OK;
    graph_forget(b->g);
    b->counter = b->durable_counter;
    b->now = b->durable;
}

static void commit(struct bed *b)
{
    struct store_write *w = NULL;
    CHECK_OK(store_write_begin(b->store, STORE_LIVE, MIB(64), &w, &b->d), &b->d);
    CHECK_OK(graph_write(b->g, w, &b->d), &b->d);
    CHECK_OK(store_write_commit(w, &b->d), &b->d);
    graph_kept(b->g);
}

static void epoch(struct bed *b, int64_t next)
{
    while (test_random(&b->random) % 2) give_up(b, next);
    if (test_random(&b->random) % 4 == 0) {
        graph_free(b->g);
        open_graph(b);
    }
    CHECK_OK(run_rows(b, next, STEPS, 0), &b->d);
    commit(b);
    if (b->s->node == NODE_JOIN)
        model_join(b);
    else
        model_distinct(b);
    model_leaving(b, next);
    b->watermark = next;
    for (uint32_t side = 0; side < 2; side++) b->known[side] = b->count[side];
    compare(b);
    b->durable_counter = b->counter;
    b->durable = b->now;
    struct state_stats told;
    struct op *o = &b->g->ops[b->inputs_count];
    o->kind->tell(o, &told);
    b->out_max = MAX(b->out_max, told.entries - told.in_memory);
}

static void bed_open(struct bed *b, const struct setup *s, uint64_t seed)
{
    char dir[400];
    memset(b, 0, sizeof(*b));
    b->s = s;
    b->random = seed;
    b->clock = 100000;
    b->watermark = INT64_MIN;
    b->counter.skip = b->durable_counter.skip = -1;
    b->plans = arena_new(MIB(1));
    b->arena = arena_new(MIB(64));
    b->length = bucket_length(s->high - s->low);
    b->keeps[0] = s->high;
    b->keeps[1] = -s->low;
    make_plan(b);
    snprintf(dir, sizeof(dir), "%s/%s %d", test_dir(), s->name, (int)seed);
    struct store_options o = {.dir = dir};
    CHECK_OK(store_open(&o, &b->store, &b->d), &b->d);
    open_graph(b);
}

static void run(const struct setup *s, uint64_t seed)
{
    static struct bed b;
    struct state_stats told;
    bed_open(&b, s, seed);
    for (int i = 0; i < EPOCHS && b.g; i++) {
        make_rows(&b);
        epoch(&b, MAX(b.watermark, b.clock - 1000));
    }
    CHECK(b.counter.now.late > 0);
    epoch(&b, b.clock + 1000000); /* all leave */
    CHECK_INT(b.counter.now.held, 0);
    b.g->ops[b.inputs_count].kind->tell(&b.g->ops[b.inputs_count], &told);
    CHECK_INT(told.entries, 0);
    CHECK(s->node == NODE_DISTINCT || b.failed > 0);
    CHECK(b.given_up > 0);
    if (s->memory) CHECK(b.out_max > 0); /* some were let go */
    graph_free(b.g);
    store_close(b.store);
    arena_free(b.plans);
    arena_free(b.arena);
}

static void run_all(const struct setup *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (uint64_t seed = 1; seed <= TEST_ROUNDS(2, 1); seed++) run(&all[i], seed);
}

TEST(joins_within_bounds_of_time_are_as_the_model_has_them)
{
    static const struct setup all[] = {
        {"inner", NODE_JOIN, JOIN_INNER, -2000, 1000, false, 0, 0},
        {"inner, condition", NODE_JOIN, JOIN_INNER, -300, 0, true, 0, 0},
        {"left", NODE_JOIN, JOIN_LEFT, -200, 200, false, 0, 0},
        {"left, condition", NODE_JOIN, JOIN_LEFT, -2000, 1000, true, 12, 0},
        {"right", NODE_JOIN, JOIN_RIGHT, 0, 1500, false, 9, 0},
        {"full", NODE_JOIN, JOIN_FULL, -3000, 6000, false, 60, 0},
        {"full, only later ones", NODE_JOIN, JOIN_FULL, 700, 1300, true, 5, 0},
        {"full, only earlier ones", NODE_JOIN, JOIN_FULL, -1300, -700, true, 5, 0},
        {"full, at the same time", NODE_JOIN, JOIN_FULL, 0, 0, false, 0, 0},
        {"semi", NODE_JOIN, JOIN_SEMI, -500, 500, false, 20, 0},
        {"semi, hot", NODE_JOIN, JOIN_SEMI, -2000, 1000, true, 0, 0},
        {"anti", NODE_JOIN, JOIN_ANTI, -500, 500, false, 20, 0},
        {"anti, hot", NODE_JOIN, JOIN_ANTI, 0, 60, true, 0, 0},
        {"full, little memory", NODE_JOIN, JOIN_FULL, -3000, 6000, true, 200, KIB(100)},
    };
    run_all(all, COUNT_OF(all));
}

TEST(distinct_within_the_watermark_is_as_the_model_has_it)
{
    static const struct setup all[] = {
        {"distinct", NODE_DISTINCT, 0, 0, 0, false, 40, 0},
        {"distinct, kept for long", NODE_DISTINCT, 0, 0, 6000, false, 300, 0},
        {"distinct, hot", NODE_DISTINCT, 0, 0, 500, false, 0, 0},
        {"distinct, little memory", NODE_DISTINCT, 0, 0, 20000, false, 900, KIB(16)},
    };
    run_all(all, COUNT_OF(all));
}
