/* GROUP BY against a naive model: disorder, late rows, rows taken back, sessions that grow
 * together, epochs given up, restarts in the middle; with a store and without, with little memory
 * and much.
 */
#include "flow/group.h"
#include "rounds.h"
#include "sql/expr.h"
#include "test.h"
#include <stdlib.h>

enum { TIME, KEY, VALUE, EVEN, INPUTS };
enum { COUNT_ALL, SUM_V, MIN_V, DISTINCT_V, SUM_EVEN, MODE_V, MAX_KEY, AGGREGATES };
enum { LINES_MAX = 8000, VALUES_MAX = 8000, ROWS_MAX = 400 };

struct setup {
    const char *name;
    enum window_kind window;
    int64_t size, slide, offset;
    enum emit emit;
    bool takes_back, upserts, store, bounded, no_keys;
    bool exact; /* aggregates that may be gathered in parts: no DISTINCT, the greatest value for the
                 * most frequent, a count for the greatest key */
    size_t memory;
    uint32_t keys, rows; /* of an epoch; 0: 7, and some 300 */
};
struct naive { /* one group */
    int64_t start, end;
    uint32_t key, count;
    bool closed;
    int8_t values[VALUES_MAX];
};
struct line { /* a row told and not taken back */
    char key[96], text[160];
};
struct row {
    int64_t t; /* INT64_MIN: null */
    uint32_t key;
    int64_t v;
    int8_t sign;
};
struct bed {
    const struct setup *s;
    struct store *store;
    struct graph *g;
    struct arena *plans, *arena;
    struct plan_node nodes[2];
    const struct plan_node *inputs[1];
    struct plan_column in_columns[INPUTS], out_columns[3 + 1 + AGGREGATES];
    struct expr exprs[INPUTS];
    const struct expr *key[1], *arg[INPUTS];
    struct plan_aggregate aggregates[AGGREGATES];
    struct counter counter, durable_counter;
    struct naive *groups, *durable_groups;
    size_t group_count, durable_group_count;
    struct line *lines, *durable_lines;
    size_t line_count, durable_line_count;
    int64_t watermark, now, last_end;
    uint64_t epoch, letters, out_max;
    uint64_t random;
    struct row rows[ROWS_MAX], given[ROWS_MAX * 4];
    uint32_t row_count, given_count;
    struct diag d;
};
static struct chunk chunk;

/* --- the plan -----------------------------------------------------------------------------------
 */

static void aggregate(struct bed *b, uint32_t at, const char *name, int input, bool distinct,
                      bool filter)
{
    const struct type *types[] = {input < 0 ? NULL : b->exprs[input].type};
    if (input >= 0) b->arg[input] = &b->exprs[input];
    b->aggregates[at] = (struct plan_aggregate){.of = aggregate_find(slice_of(name)),
                                                .args = input < 0 ? NULL : &b->arg[input],
                                                .arg_count = input >= 0,
                                                .filter = filter ? &b->exprs[EVEN] : NULL,
                                                .distinct = distinct,
                                                .text = slice_of(name)};
    b->aggregates[at].type = aggregate_result(b->aggregates[at].of, types, b->plans);
}

static void make_plan(struct bed *b)
{
    static const enum type_kind kinds[INPUTS] = {TYPE_TIMESTAMP, TYPE_TEXT, TYPE_BIGINT,
                                                 TYPE_BOOLEAN};
    static const uint32_t out_key[] = {0, 1, 3};
    const struct setup *s = b->s;
    bool session = s->window == WINDOW_SESSION, windowed = s->window != WINDOW_NONE;
    for (uint32_t i = 0; i < INPUTS; i++) {
        b->in_columns[i] = (struct plan_column){SLICE("c"), type_of(kinds[i])};
        b->exprs[i] = (struct expr){
            .kind = EXPR_INPUT, .input = i, .type = type_of(kinds[i]), .text = SLICE("c")};
    }
    b->key[0] = &b->exprs[KEY];
    aggregate(b, COUNT_ALL, "count", -1, false, false);
    aggregate(b, SUM_V, "sum", VALUE, false, false);
    aggregate(b, MIN_V, "min", VALUE, false, false);
    aggregate(b, DISTINCT_V, "count", VALUE, !session && !s->exact, false);
    aggregate(b, SUM_EVEN, "sum", VALUE, false, true);
    aggregate(b, MODE_V, s->exact ? "max" : "mode", VALUE, false, false);
    aggregate(b, MAX_KEY, s->exact ? "count" : "max", KEY, false, false);
    b->nodes[0] = (struct plan_node){.kind = NODE_TABLE,
                                     .columns = b->in_columns,
                                     .column_count = INPUTS,
                                     .time = windowed ? TIME : -1};
    b->inputs[0] = &b->nodes[0];
    uint32_t n = 0;
    for (; windowed && n < 3; n++)
        b->out_columns[n] = (struct plan_column){SLICE("w"), type_of(TYPE_TIMESTAMP)};
    if (!s->no_keys) b->out_columns[n++] = (struct plan_column){SLICE("k"), type_of(TYPE_TEXT)};
    for (uint32_t i = 0; i < AGGREGATES; i++)
        b->out_columns[n++] = (struct plan_column){SLICE("a"), b->aggregates[i].type};
    b->nodes[1] = (struct plan_node){.kind = NODE_GROUP,
                                     .id = 1,
                                     .inputs = b->inputs,
                                     .input_count = 1,
                                     .columns = b->out_columns,
                                     .column_count = n,
                                     .stateful = true,
                                     .time = -1,
                                     .key = out_key,
                                     .key_count = s->upserts ? 3 : 0,
                                     .group = {.window = {.kind = s->window,
                                                          .time = TIME,
                                                          .size_ms = s->size,
                                                          .slide_ms = s->slide ? s->slide : s->size,
                                                          .offset_ms = s->offset},
                                               .keys = b->key,
                                               .key_count = !s->no_keys,
                                               .aggregates = b->aggregates,
                                               .aggregate_count = AGGREGATES,
                                               .emit = s->emit,
                                               .takes_back = s->takes_back}};
}

/* --- what comes out -----------------------------------------------------------------------------
 */

static void value_text_of(const struct column *c, uint32_t row, struct buf *out)
{
    struct value v;
    column_get(c, row, &v);
    buf_char(out, '|');
    if (v.state == NULL_VALUE)
        buf_text(out, "-");
    else if (v.type->kind == TYPE_TIMESTAMP)
        buf_printf(out, "%lld", (long long)v.integer);
    else
        value_to_text(&v, out);
}

static void line_of(const struct bed *b, const struct rows *r, uint32_t row, struct line *out)
{
    struct buf key = buf_over(out->key, sizeof(out->key) - 1);
    struct buf text = buf_over(out->text, sizeof(out->text) - 1);
    uint32_t keys = r->b->column_count - AGGREGATES;
    memset(out, 0, sizeof(*out));
    for (uint32_t i = 0; i < r->b->column_count; i++) {
        if (b->s->window != WINDOW_NONE && i == 2) {
            CHECK_INT(r->b->columns[2].i64[row], r->b->columns[1].i64[row] - 1);
            continue;
        }
        value_text_of(&r->b->columns[i], row, i < keys ? &key : &text);
    }
    CHECK(!key.err && !text.err);
}

static err_t collect(void *ctx, const struct rows *r, struct diag *d)
{
    struct bed *b = ctx;
    (void)d;
    CHECK(!r->chunk);
    for (uint32_t i = 0; i < r->count; i++) {
        struct line l;
        uint32_t row = r->selected[i];
        bool back = r->signs && r->signs[row] < 0;
        line_of(b, r, row, &l);
        size_t at = 0;
        while (at < b->line_count && strcmp(b->lines[at].key, l.key) != 0) at++;
        if (back) {
            if (at == b->line_count || strcmp(b->lines[at].text, l.text) != 0)
                test_failed(__FILE__, __LINE__, "%s: %s %s was never told", b->s->name, l.key,
                            l.text);
            else
                b->lines[at] = b->lines[--b->line_count];
            continue;
        }
        if (at < b->line_count && !b->s->upserts)
            test_failed(__FILE__, __LINE__, "%s: %s is told twice", b->s->name, l.key);
        if (b->s->emit == EMIT_ON_CLOSE && b->s->window != WINDOW_SESSION) {
            int64_t end = r->b->columns[1].i64[row];
            CHECK(end >= b->last_end);
            b->last_end = end;
        }
        if (at == b->line_count) b->line_count++;
        if (b->line_count < LINES_MAX) b->lines[at] = l;
    }
    return ERR_OK;
}

static err_t letter(void *ctx, err_t e, struct slice reason, struct slice expression,
                    struct slice raw, struct diag *d)
{
    struct bed *b = ctx;
    (void)e, (void)reason, (void)expression, (void)raw, (void)d;
    b->letters++;
    return ERR_OK;
}

static void open_graph(struct bed *b)
{
    struct graph_options o = {.root = &b->nodes[1],
                              .node_count = 2,
                              .store = b->store,
                              .bounded = b->s->bounded,
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

static struct naive *naive_find(struct bed *b, uint32_t key, int64_t start, int64_t end)
{
    for (size_t i = b->group_count; i-- > 0;) {
        struct naive *g = &b->groups[i];
        if (g->key == key && g->start == start && g->end == end && !g->closed) return g;
    }
    struct naive *g = &b->groups[b->group_count++];
    *g = (struct naive){.start = start, .end = end, .key = key};
    return g;
}

static void naive_take(struct naive *g, int64_t v, int8_t sign)
{
    if (sign > 0) {
        INVARIANT(g->count < VALUES_MAX);
        g->values[g->count++] = (int8_t)v;
        return;
    }
    for (uint32_t i = 0; i < g->count; i++)
        if (g->values[i] == v) {
            g->values[i] = g->values[--g->count];
            return;
        }
    test_failed(__FILE__, __LINE__, "no value to take back");
}

/* False: it is late. */
static bool naive_session(struct bed *b, const struct row *r)
{
    int64_t start = r->t, end = r->t + b->s->size;
    struct naive joined = {.key = r->key};
    for (bool more = true; more;) { /* until nothing more falls in */
        more = false;
        for (size_t i = 0; i < b->group_count; i++) {
            const struct naive *g = &b->groups[i];
            if (g->closed || g->key != r->key || g->start > end || g->end < start) continue;
            if (g->start >= start && g->end <= end) continue;
            start = MIN(start, g->start);
            end = MAX(end, g->end);
            more = true;
        }
    }
    if (end <= b->watermark) return false;
    for (size_t i = 0; i < b->group_count;) {
        const struct naive *g = &b->groups[i];
        if (g->closed || g->key != r->key || g->start < start || g->end > end) {
            i++;
            continue;
        }
        for (uint32_t k = 0; k < g->count; k++) naive_take(&joined, g->values[k], 1);
        b->groups[i] = b->groups[--b->group_count];
    }
    joined.start = start;
    joined.end = end;
    naive_take(&joined, r->v, 1);
    b->groups[b->group_count++] = joined;
    return true;
}

static bool naive_row(struct bed *b, const struct row *r)
{
    const struct setup *s = b->s;
    int64_t slide = s->slide ? s->slide : s->size;
    bool open = false;
    if (s->window == WINDOW_NONE) {
        naive_take(naive_find(b, s->no_keys ? 0 : r->key, 0, 0), r->v, r->sign);
        return true;
    }
    if (s->window == WINDOW_SESSION) return naive_session(b, r);
    int64_t first = (r->t - s->size - s->offset) / slide - 1; /* none before it reaches to t */
    for (int64_t start = first * slide + s->offset; start <= r->t; start += slide)
        if (start + s->size > r->t && start + s->size > b->watermark) {
            naive_take(naive_find(b, r->key, start, start + s->size), r->v, r->sign);
            open = true;
        }
    int64_t into = (r->t - s->offset) % slide;
    return open || (into < 0 ? into + slide : into) >= s->size; /* between two windows */
}

static int by_number(const void *a, const void *b)
{
    return *(const int8_t *)a - *(const int8_t *)b;
}

static void naive_line(const struct bed *b, const struct naive *g, struct line *out)
{
    static int8_t v[VALUES_MAX];
    int64_t sum = 0, even = 0, mode = 0;
    uint32_t evens = 0, different = 0, most = 0, run = 0;
    memcpy(v, g->values, g->count * sizeof(*v));
    qsort(v, g->count, sizeof(*v), by_number);
    for (uint32_t i = 0; i < g->count; i++) {
        sum += v[i];
        if (v[i] % 2 == 0) {
            even += v[i];
            evens++;
        }
        bool new = i == 0 || v[i] != v[i - 1];
        different += new;
        run = new ? 1 : run + 1;
        if (run > most) {
            most = run;
            mode = v[i];
        }
    }
    memset(out, 0, sizeof(*out));
    bool windowed = b->s->window != WINDOW_NONE, session = b->s->window == WINDOW_SESSION;
    bool exact = b->s->exact;
    char window[48] = "", even_text[24] = "-", key[16], in_key[20] = "";
    snprintf(key, sizeof(key), "key %u", g->key);
    if (exact && g->count) mode = v[g->count - 1];
    if (!b->s->no_keys) snprintf(in_key, sizeof(in_key), "|%s", key);
    if (windowed)
        snprintf(window, sizeof(window), "|%lld|%lld", (long long)g->start, (long long)g->end);
    if (evens) snprintf(even_text, sizeof(even_text), "%lld", (long long)even);
    snprintf(out->key, sizeof(out->key), "%s%s", window, in_key);
    if (exact) snprintf(key, sizeof(key), "%u", g->count);
    snprintf(out->text, sizeof(out->text), "|%u|%lld|%lld|%u|%s|%lld|%s", g->count, (long long)sum,
             (long long)v[0], session || exact ? g->count : different, even_text, (long long)mode,
             b->s->no_keys && !exact ? "key 0" : key);
    if (!g->count) snprintf(out->text, sizeof(out->text), "|0|-|-|0|-|-|-");
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct line *)a)->key, ((const struct line *)b)->key);
}

static void compare(struct bed *b)
{
    static struct line want[LINES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < b->group_count; i++) {
        const struct naive *g = &b->groups[i];
        bool the_one = b->s->no_keys && b->s->window == WINDOW_NONE;
        if ((!g->count && !the_one) || (b->s->emit == EMIT_ON_CLOSE && !g->closed)) continue;
        naive_line(b, g, &want[count++]);
    }
    qsort(want, count, sizeof(*want), by_key);
    qsort(b->lines, b->line_count, sizeof(*want), by_key);
    CHECK_INT(b->line_count, count);
    for (size_t i = 0; i < MIN(count, b->line_count); i++)
        if (strcmp(want[i].key, b->lines[i].key) != 0 ||
            strcmp(want[i].text, b->lines[i].text) != 0) {
            test_failed(__FILE__, __LINE__, "%s, epoch %llu:\n  %s %s, not\n  %s %s", b->s->name,
                        (unsigned long long)b->epoch, b->lines[i].key, b->lines[i].text,
                        want[i].key, want[i].text);
            break;
        }
}

/* --- epochs -------------------------------------------------------------------------------------
 */

static void make_rows(struct bed *b)
{
    uint32_t most = b->s->rows ? b->s->rows : ROWS_MAX - 100;
    b->row_count = (uint32_t)(test_random(&b->random) % most);
    if (test_random(&b->random) % 4 == 0) b->row_count = b->row_count % 5;
    uint32_t old = b->given_count;
    for (uint32_t i = 0; i < b->row_count; i++) {
        uint64_t n = test_random(&b->random);
        struct row *r = &b->rows[i];
        b->now += (int64_t)(n % 7);
        *r = (struct row){
            .t = b->now - (int64_t)(n >> 8) % 150,
            .key = b->s->no_keys ? 0 : (uint32_t)(n >> 20) % (b->s->keys ? b->s->keys : 7),
            .v = (int64_t)(n >> 30) % 40 - 10,
            .sign = 1};
        if (n % 61 == 0 && b->s->window != WINDOW_NONE) r->t = INT64_MIN;
        if (n % 200 == 0) b->now += 400;
        if (b->s->takes_back && old && (n >> 40) % 3 == 0) { /* one that was given before */
            uint32_t at = (uint32_t)((n >> 44) % old);
            *r = b->given[at];
            r->sign = -1;
            b->given[at] = b->given[--old];
            b->given[old] = b->given[--b->given_count];
        } else if (r->t != INT64_MIN && b->given_count < COUNT_OF(b->given)) {
            b->given[b->given_count++] = *r;
        }
    }
}

static err_t push(struct bed *b, uint32_t from, uint32_t until)
{
    const struct type *types[INPUTS];
    struct column_batch batch;
    uint32_t rows = until - from;
    arena_reset(b->arena);
    uint32_t *selected = arena_take(b->arena, (rows + 1) * sizeof(*selected));
    int8_t *signs = arena_take(b->arena, rows + 1);
    for (uint32_t i = 0; i < INPUTS; i++) types[i] = b->exprs[i].type;
    CHECK_INT(batch_init(&batch, types, INPUTS, rows, b->arena), ERR_OK);
    struct rows r = {.b = &batch, .selected = selected, .count = rows};
    if (b->s->takes_back) r.signs = signs;
    for (uint32_t i = 0; i < rows; i++) {
        const struct row *x = &b->rows[from + i];
        char *key = arena_printf(b->arena, "key %u", x->key);
        selected[i] = i;
        signs[i] = x->sign;
        for (uint32_t k = 0; k < INPUTS; k++) batch.columns[k].state[i] = VALID_VALUE;
        batch.columns[TIME].i64[i] = x->t;
        if (x->t == INT64_MIN) batch.columns[TIME].state[i] = NULL_VALUE;
        batch.columns[KEY].bytes[i] = slice_of(key);
        batch.columns[VALUE].i64[i] = x->v;
        batch.columns[EVEN].b1[i] = x->v % 2 == 0;
    }
    if (!b->s->takes_back) {
        chunk_reset(&chunk);
        memset(chunk.gone, 0, sizeof(chunk.gone));
        chunk.rows = rows;
        r.chunk = &chunk;
        count_term(&b->counter, TERM_IN, rows);
    }
    err_t e = b->g->ops[0].kind->push(&b->g->ops[0], 0, &r, &b->d);
    if (r.chunk) count_term(&b->counter, TERM_DEAD, chunk.dead_count);
    return e;
}

static void model_rows(struct bed *b)
{
    int64_t late = 0;
    for (uint32_t i = 0; i < b->row_count; i++)
        if (b->rows[i].t != INT64_MIN) late += !naive_row(b, &b->rows[i]);
    if (!b->s->takes_back) CHECK_INT(b->counter.now.late - b->durable_counter.now.late, late);
}

static void begin(struct bed *b)
{
    b->epoch++;
    b->last_end = INT64_MIN;
    graph_begin(b->g, 1000, b->epoch, b->watermark, &b->counter, b->arena);
}

static void save(struct bed *b)
{
    b->durable_counter = b->counter;
    memcpy(b->durable_lines, b->lines, b->line_count * sizeof(*b->lines));
    b->durable_line_count = b->line_count;
}

static void give_up(struct bed *b)
{
    graph_forget(b->g);
    b->counter = b->durable_counter;
    memcpy(b->lines, b->durable_lines, b->durable_line_count * sizeof(*b->lines));
    b->line_count = b->durable_line_count;
}

static int64_t run_rows(struct bed *b)
{
    begin(b);
    uint32_t half = (uint32_t)(test_random(&b->random) % (b->row_count + 1));
    CHECK_OK(push(b, 0, half), &b->d);
    CHECK_OK(push(b, half, b->row_count), &b->d);
    int64_t next = MAX(b->watermark, (b->now - 60) / 20 * 20); /* often a window's very end */
    CHECK_OK(graph_advance(b->g, next, &b->d), &b->d);
    CHECK_OK(graph_flush(b->g, false, &b->d), &b->d);
    return next;
}

static void commit(struct bed *b, bool keep)
{
    struct store_write *w = NULL;
    if (!b->store) {
        graph_kept(b->g);
        return;
    }
    CHECK_OK(store_write_begin(b->store, STORE_LIVE, MIB(64), &w, &b->d), &b->d);
    CHECK_OK(graph_write(b->g, w, &b->d), &b->d);
    if (!keep) {
        store_write_abort(w);
        give_up(b);
        return;
    }
    CHECK_OK(store_write_commit(w, &b->d), &b->d);
    graph_kept(b->g);
}

static void check_ledger(const struct bed *b)
{
    const struct ledger *l = &b->counter.now;
    CHECK(ledger_balanced(l));
    CHECK((int64_t)l->held >= 0 && l->applied <= l->in);
    if (b->s->emit == EMIT_ON_CHANGE) CHECK_INT(l->held, 0);
}

static void epoch(struct bed *b)
{
    make_rows(b);
    if (b->store && test_random(&b->random) % 5 == 0) {
        (void)run_rows(b);
        commit(b, false);
    }
    if (b->store && test_random(&b->random) % 5 == 0) {
        graph_free(b->g);
        open_graph(b);
    }
    int64_t next = run_rows(b);
    commit(b, true);
    model_rows(b);
    for (size_t i = 0; i < b->group_count && b->s->window != WINDOW_NONE; i++)
        b->groups[i].closed |= b->groups[i].end <= next;
    b->watermark = next;
    compare(b);
    check_ledger(b);
    save(b);
    struct state_stats told;
    b->g->ops[1].kind->tell(&b->g->ops[1], &told);
    b->out_max = MAX(b->out_max, told.entries - told.in_memory);
}

static void bed_open(struct bed *b, const struct setup *s)
{
    memset(b, 0, sizeof(*b));
    b->s = s;
    b->random = 11;
    b->watermark = INT64_MIN;
    b->counter.skip = -1;
    b->plans = arena_new(MIB(1));
    b->arena = arena_new(MIB(64));
    b->groups = mem_take(LINES_MAX * sizeof(*b->groups));
    b->lines = mem_take(LINES_MAX * sizeof(*b->lines));
    b->durable_lines = mem_take(LINES_MAX * sizeof(*b->lines));
    make_plan(b);
    char dir[400];
    snprintf(dir, sizeof(dir), "%s/%s", test_dir(), s->name);
    struct store_options o = {.dir = dir};
    if (s->store) CHECK_OK(store_open(&o, &b->store, &b->d), &b->d);
    save(b);
    open_graph(b);
}

static void bed_close(struct bed *b)
{
    graph_free(b->g);
    store_close(b->store);
    arena_free(b->plans);
    arena_free(b->arena);
    mem_give(b->groups);
    mem_give(b->lines);
    mem_give(b->durable_lines);
}

static void run(const struct setup *s, uint32_t epochs)
{
    static struct bed b;
    bed_open(&b, s);
    for (uint32_t i = 0; i < epochs && b.g; i++) epoch(&b);
    CHECK(b.group_count > 20 || s->no_keys || s->window == WINDOW_NONE);
    if (s->memory) CHECK(b.out_max > 0); /* some were let go */
    if (s->exact) CHECK(((struct group_self *)b.g->ops[1].self)->gathers);
    CHECK_INT(b.g->budget.used > 0, 1);
    bed_close(&b);
}

static const struct setup streams[] = {
    {.name = "groups", .store = true},
    {.name = "upserts", .store = true, .upserts = true},
    {.name = "taken back", .store = true, .takes_back = true},
    {.name = "taken back, no keys", .takes_back = true, .no_keys = true},
    {.name = "little memory", .store = true, .memory = KIB(110), .keys = 200},
    {.name = "tumble", .window = WINDOW_TUMBLE, .size = 100, .store = true},
    {.name = "tumble, closed",
     .window = WINDOW_TUMBLE,
     .size = 100,
     .emit = EMIT_ON_CLOSE,
     .offset = 30,
     .store = true},
    {.name = "tumble, closed, little memory",
     .window = WINDOW_TUMBLE,
     .size = 900,
     .emit = EMIT_ON_CLOSE,
     .store = true,
     .memory = KIB(64),
     .keys = 200,
     .rows = 90},
    {.name = "tumble, taken back",
     .window = WINDOW_TUMBLE,
     .size = 100,
     .takes_back = true,
     .store = true},
    {.name = "tumble, closed, taken back",
     .window = WINDOW_TUMBLE,
     .size = 250,
     .takes_back = true,
     .emit = EMIT_ON_CLOSE},
    {.name = "hop", .window = WINDOW_HOP, .size = 100, .slide = 40, .store = true},
    {.name = "hop, closed",
     .window = WINDOW_HOP,
     .size = 120,
     .slide = 40,
     .emit = EMIT_ON_CLOSE,
     .store = true},
    {.name = "hop with gaps", .window = WINDOW_HOP, .size = 40, .slide = 60, .store = true},
    {.name = "hop, taken back", .window = WINDOW_HOP, .size = 100, .slide = 50, .takes_back = true},
    {.name = "gathered hop",
     .window = WINDOW_HOP,
     .size = 120,
     .slide = 40,
     .exact = true,
     .upserts = true,
     .store = true},
    {.name = "gathered hop, closed",
     .window = WINDOW_HOP,
     .size = 200,
     .slide = 20,
     .offset = 30,
     .exact = true,
     .emit = EMIT_ON_CLOSE,
     .store = true},
    {.name = "gathered hop, closed, panes smaller than the slide, little memory",
     .window = WINDOW_HOP,
     .size = 900,
     .slide = 400,
     .exact = true,
     .emit = EMIT_ON_CLOSE,
     .store = true,
     .memory = KIB(64),
     .keys = 200,
     .rows = 90},
    {.name = "session", .window = WINDOW_SESSION, .size = 40, .store = true},
    {.name = "session, closed",
     .window = WINDOW_SESSION,
     .size = 40,
     .emit = EMIT_ON_CLOSE,
     .store = true},
    {.name = "session, upserts", .window = WINDOW_SESSION, .size = 25, .upserts = true},
    {.name = "session, closed, little memory",
     .window = WINDOW_SESSION,
     .size = 900,
     .emit = EMIT_ON_CLOSE,
     .store = true,
     .memory = KIB(64),
     .keys = 200,
     .rows = 90},
};

TEST(groups_of_streams_are_as_the_model_has_them)
{
    for (size_t i = 0; i < COUNT_OF(streams); i++) run(&streams[i], TEST_ROUNDS(20, 10));
}

/* --- queries ------------------------------------------------------------------------------------
 */

static void run_query(const struct setup *s)
{
    static struct bed b;
    bed_open(&b, s);
    begin(&b);
    for (int i = 0; i < 4; i++) {
        make_rows(&b);
        CHECK_OK(push(&b, 0, b.row_count), &b.d);
        model_rows(&b);
    }
    CHECK_OK(graph_flush(b.g, true, &b.d), &b.d);
    compare(&b);
    CHECK(ledger_balanced(&b.counter.now));
    bed_close(&b);
}

TEST(groups_of_queries_are_told_at_the_end)
{
    static const struct setup queries[] = {
        {.name = "query", .bounded = true},
        {.name = "query of all", .bounded = true, .no_keys = true},
        {.name = "query, tumble", .bounded = true, .window = WINDOW_TUMBLE, .size = 100},
        {.name = "query, hop", .bounded = true, .window = WINDOW_HOP, .size = 100, .slide = 30},
        {.name = "query, session", .bounded = true, .window = WINDOW_SESSION, .size = 40},
    };
    for (size_t i = 0; i < COUNT_OF(queries); i++) run_query(&queries[i]);
}

TEST(a_query_of_no_rows_has_one_group_where_there_are_no_keys)
{
    static const struct setup none = {.name = "none", .bounded = true, .no_keys = true};
    static const struct setup keyed = {.name = "none by key", .bounded = true};
    static struct bed b;
    bed_open(&b, &none);
    begin(&b);
    CHECK_OK(graph_flush(b.g, true, &b.d), &b.d);
    CHECK_INT(b.line_count, 1);
    CHECK_TEXT(b.lines[0].text, "|0|-|-|0|-|-|-");
    bed_close(&b);
    bed_open(&b, &keyed);
    begin(&b);
    CHECK_OK(graph_flush(b.g, true, &b.d), &b.d);
    CHECK_INT(b.line_count, 0);
    bed_close(&b);
}

/* --- what can not be told, and what is forgotten ------------------------------------------------
 */

static void one_row(struct bed *b, int64_t t, int64_t v)
{
    b->rows[0] = (struct row){.t = t, .v = v, .sign = 1};
    b->row_count = 1;
    begin(b);
    CHECK_OK(push(b, 0, 1), &b->d);
    CHECK_OK(graph_advance(b->g, t, &b->d), &b->d);
    CHECK_OK(graph_flush(b->g, false, &b->d), &b->d);
    commit(b, true);
}

TEST(a_sum_beyond_its_type_is_a_letter_and_the_groups_row_goes)
{
    static const struct setup s = {.name = "sum"};
    static struct bed b;
    bed_open(&b, &s);
    one_row(&b, 1, INT64_MAX);
    CHECK_INT(b.line_count, 1);
    one_row(&b, 2, 5);
    CHECK_INT(b.line_count, 0);
    CHECK_INT(b.letters, 1);
    one_row(&b, 3, -5);
    CHECK_INT(b.line_count, 1);
    CHECK_INT(b.letters, 1);
    CHECK(strstr(b.lines[0].text, "|3|9223372036854775807|-5|") != NULL);
    bed_close(&b);
}

TEST(groups_nobody_touches_are_forgotten_after_their_ttl)
{
    static const struct setup s = {.name = "ttl", .store = true, .upserts = true};
    static struct bed b;
    struct state_stats told;
    bed_open(&b, &s);
    graph_free(b.g);
    b.nodes[0].time = TIME;
    b.nodes[1].group.ttl_ms = 1000;
    b.aggregates[DISTINCT_V].distinct = false;
    open_graph(&b);
    one_row(&b, 1000, 7);
    one_row(&b, 1900, 7);
    graph_free(b.g); /* the time when it is forgotten is on the store */
    open_graph(&b);
    one_row(&b, 2800, 7);
    CHECK(strncmp(b.lines[0].text, "|3|", 3) == 0);
    begin(&b);
    CHECK_OK(graph_advance(b.g, 4000, &b.d), &b.d);
    CHECK_OK(graph_flush(b.g, false, &b.d), &b.d);
    commit(&b, true);
    b.g->ops[1].kind->tell(&b.g->ops[1], &told);
    CHECK_INT(told.entries, 0);
    CHECK_INT(b.line_count, 1); /* what was told stays */
    one_row(&b, 5000, 7);
    CHECK(strncmp(b.lines[0].text, "|1|", 3) == 0);
    bed_close(&b);
}

TEST(plans_that_no_state_can_keep_are_refused)
{
    static const struct setup s = {.name = "refused", .takes_back = true};
    static struct bed b;
    bed_open(&b, &s);
    struct graph *open = b.g;
    struct graph_options o = open->o;
    aggregate(&b, MAX_KEY, "first_value", KEY, false, false);
    CHECK_ERR(graph_new(&o, &b.g, &b.d), ERR_UNSUPPORTED);
    CHECK(strstr(b.d.what, "over rows that change") != NULL);
    aggregate(&b, MAX_KEY, "max", KEY, false, false);
    b.nodes[1].group.window.kind = WINDOW_SESSION;
    CHECK_ERR(graph_new(&o, &b.g, &b.d), ERR_UNSUPPORTED);
    b.nodes[1].group.window.kind = WINDOW_NONE;
    b.nodes[1].group.ttl_ms = 5;
    CHECK_ERR(graph_new(&o, &b.g, &b.d), ERR_UNSUPPORTED);
    b.g = open;
    bed_close(&b);
}

/* --- keys ---------------------------------------------------------------------------------------
 */

TEST(keys_come_back_and_sort_as_their_values_do)
{
    static const struct {
        enum type_kind type;
        const char *values[6]; /* in order */
    } kinds[] = {
        {TYPE_BIGINT, {"-9223372036854775808", "-1", "0", "1", "256", "9223372036854775807"}},
        {TYPE_INT, {"-2147483648", "-1", "0", "1", "65536", "2147483647"}},
        {TYPE_SMALLINT, {"-32768", "-1", "0", "1", "256", "32767"}},
        {TYPE_TINYINT, {"-128", "-1", "0", "1", "5", "127"}},
        {TYPE_DOUBLE, {"-Infinity", "-1.5", "0", "1e-9", "2", "NaN"}},
        {TYPE_FLOAT, {"-Infinity", "-1.5", "0", "0.5", "2", "NaN"}},
        {TYPE_TEXT, {"", "a", "a b", "aa", "b", "\xC3\xA9"}},
        {TYPE_BLOB, {"0x", "0x00", "0x0000", "0x0001", "0x01", "0xff00"}},
        {TYPE_BOOLEAN, {"false", "false", "false", "true", "true", "true"}},
        {TYPE_DATE,
         {"1900-01-01", "1969-12-31", "1970-01-01", "1970-01-02", "2020-02-29", "2999-12-31"}},
        {TYPE_TIMESTAMP, {"-5", "-1", "0", "1", "1000", "1700000000000"}},
        {TYPE_UUID,
         {"00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000001",
          "10000000-0000-0000-0000-000000000000", "80000000-0000-0000-0000-000000000000",
          "f0000000-0000-0000-0000-000000000000", "ff000000-0000-0000-0000-000000000000"}},
    };
    struct arena *a = arena_new(MIB(4));
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        struct column c, back;
        struct diag d;
        struct buf keys[7], *last = NULL;
        CHECK_INT(column_init(&c, type_of(kinds[k].type), 7, a), ERR_OK);
        CHECK_INT(column_init(&back, type_of(kinds[k].type), 7, a), ERR_OK);
        for (uint32_t i = 1; i < 7; i++) { /* the first is null */
            struct value v;
            CHECK_OK(value_from_text(c.type, slice_of(kinds[k].values[i - 1]), a, &v, &d), &d);
            CHECK_INT(column_set(&c, i, &v), ERR_OK);
        }
        for (uint32_t i = 0; i < 7; i++) {
            struct value x, y;
            keys[i] = buf_make(KIB(1));
            group_key_put(&keys[i], &c, 1, i);
            if (last) CHECK(slice_compare(buf_view(last), buf_view(&keys[i])) <= 0);
            last = &keys[i];
            CHECK_OK(group_key_take(buf_view(&keys[i]), &back, 1, i, a, &d), &d);
            column_get(&c, i, &x);
            column_get(&back, i, &y);
            CHECK_INT(y.state, x.state);
            if (x.state == VALID_VALUE) CHECK_INT(value_compare(&x, &y), 0);
            uint32_t size;
            if (!group_key_is_fixed(c.type, &size)) continue;
            uint8_t fixed[32];
            group_key_put_fixed(fixed, size, &c, 1, &i, 1);
            CHECK(slice_equal(slice_make(fixed, size), buf_view(&keys[i])));
        }
        CHECK_ERR(group_key_take(SLICE("\1"), &back, 1, 0, a, &d), ERR_CORRUPT);
        for (uint32_t i = 0; i < 7; i++) buf_done(&keys[i]);
    }
    arena_free(a);
}

/* --- windows without groups ---------------------------------------------------------------------
 */

static uint64_t window_rows;
static int64_t window_sum;

static err_t see_windows(void *ctx, const struct rows *r, struct diag *d)
{
    (void)ctx, (void)d;
    for (uint32_t i = 0; i < r->count; i++) {
        uint32_t row = r->selected[i];
        int64_t t = r->b->columns[TIME].i64[row], start = r->b->columns[INPUTS].i64[row];
        int64_t end = r->b->columns[INPUTS + 1].i64[row];
        CHECK(start <= t && t < end);
        CHECK_INT(r->b->columns[INPUTS + 2].i64[row], end - 1);
        CHECK_INT((start - 10) % 40, 0);
        window_rows++;
        window_sum += r->b->columns[VALUE].i64[row];
    }
    return ERR_OK;
}

TEST(rows_stand_once_in_each_of_their_windows)
{
    static const struct setup plain = {.name = "windows"};
    static struct bed b;
    for (int64_t size = 40; size <= 120; size += 40) {
        bed_open(&b, &plain);
        graph_free(b.g);
        for (int i = 0; i < 3; i++)
            b.out_columns[INPUTS + i] = (struct plan_column){SLICE("w"), type_of(TYPE_TIMESTAMP)};
        memcpy(b.out_columns, b.in_columns, sizeof(b.in_columns));
        b.nodes[1].kind = NODE_WINDOW;
        b.nodes[1].column_count = INPUTS + 3;
        b.nodes[1].window = (struct plan_window){.kind = size == 40 ? WINDOW_TUMBLE : WINDOW_HOP,
                                                 .time = TIME,
                                                 .size_ms = size,
                                                 .slide_ms = 40,
                                                 .offset_ms = 10};
        open_graph(&b);
        b.g->o.end = see_windows;
        window_rows = 0;
        window_sum = 0;
        begin(&b);
        make_rows(&b);
        b.rows[0].t = INT64_MIN;
        CHECK_OK(push(&b, 0, b.row_count), &b.d);
        int64_t sum = 0;
        for (uint32_t i = 1; i < b.row_count; i++) sum += b.rows[i].v;
        CHECK_INT(window_rows, (b.row_count - 1) * (uint64_t)(size / 40));
        CHECK_INT(window_sum, sum * (size / 40));
        CHECK_INT(b.counter.now.dead, 1);
        bed_close(&b);
    }
}
