/* Goal: what is read by cursor or by key is what Cassandra would show: after random writes of rows,
 * statics, collections and deletions of every kind, for random slices, forwards and backwards,
 * resumed behind every row; and that compaction, when the table's grace is over, changes none of
 * it. Method: a model that keeps all writes as values and knows no bytes. */
#include "os/clock.h"
#include "store/store_kit.h"
#include <stdlib.h>

enum {
    PKS = 4,
    C1S = 4,
    C2S = 4,
    OPS = 40,
    TIMES = 32,
    GRACE = 100,
    ROUNDS = 60,
    NOW = 1000,
    ROW_MAX = 4096,
    ELEMENTS = 3
};
enum op_kind { OP_ROW, OP_ROW_DELETE, OP_STATIC, OP_PARTITION_DELETE, OP_SLICE_DELETE, OP_KINDS };

static const char *const c2_texts[C2S] = {"", "a", "ab", "b"};
static const int32_t set_items[ELEMENTS] = {-5, 0, 7};

struct bound { /* of c1 and c2, by place in the stored order; c2 descends */
    int count, c1, c2;
    bool inclusive;
};
struct op {
    enum op_kind kind;
    int pk, c1, c2; /* c1, c2: index */
    int64_t time;
    bool marker, has_value, has_element[ELEMENTS], cleared;
    uint32_t marker_ttl;
    struct cell value, element[ELEMENTS];
    struct bound start, end;
};

/* --- the table ----------------------------------------------------------------------------------
 */

static const struct store_table *make_table(struct store *s)
{
    static const struct type *items[1];
    static struct type set = {.kind = TYPE_SET, .count = 1, .items = items};
    struct diag d = {0};
    const struct store_table *t = NULL;
    items[0] = type_of(TYPE_INT);
    struct store_column columns[] = {
        {.name = SLICE("pk"), .type = type_of(TYPE_INT), .role = COLUMN_PARTITION},
        {.name = SLICE("c1"), .type = type_of(TYPE_INT), .role = COLUMN_CLUSTERING},
        {.name = SLICE("c2"),
         .type = type_of(TYPE_TEXT),
         .role = COLUMN_CLUSTERING,
         .position = 1,
         .descending = true},
        {.name = SLICE("s"), .type = &set},
        {.name = SLICE("st"), .type = type_of(TYPE_TEXT), .role = COLUMN_STATIC},
        {.name = SLICE("v"), .type = type_of(TYPE_TEXT)},
    };
    struct store_table wanted = {.keyspace = SLICE("ks"),
                                 .name = SLICE("wide"),
                                 .columns = columns,
                                 .column_count = COUNT_OF(columns),
                                 .gc_grace = GRACE};
    CHECK_OK(store_table_create(s, &wanted, &t, &d), &d);
    INVARIANT(t);
    return t;
}

static uint16_t id_of(const struct store_table *t, const char *name)
{
    return store_column_find(t, slice_of(name))->id;
}

struct keys { /* the binary forms of one key */
    uint8_t pk[4], c1[4];
    struct slice at[3];
};

static void int_binary(uint8_t out[4], int32_t v)
{
    for (int i = 0; i < 4; i++) out[i] = (uint8_t)((uint32_t)v >> (24 - 8 * i));
}

static void keys_make(struct keys *k, int pk, int c1, int c2)
{
    int_binary(k->pk, pk);
    int_binary(k->c1, c1 - 1);
    k->at[0] = slice_make(k->pk, 4);
    k->at[1] = slice_make(k->c1, 4);
    k->at[2] = slice_of(c2_texts[c2]);
}

static struct store_bound store_bound_of(const struct bound *b, struct keys *k)
{
    keys_make(k, 0, b->c1, b->c2);
    return (struct store_bound){
        .values = k->at + 1, .count = (uint32_t)b->count, .inclusive = b->inclusive};
}

/* --- writes -------------------------------------------------------------------------------------
 */

static struct cell random_cell(uint64_t *seed)
{
    static const char *const texts[] = {"", "x", "y", "xy"};
    uint64_t x = test_random(seed);
    struct cell c = {.timestamp = (int64_t)(x & 31) + 1, .tombstone = (x >> 5 & 3) == 0};
    if (c.tombstone) {
        c.expiry_s = NOW - 5;
        return c;
    }
    c.value = slice_of(texts[x >> 7 & 3]);
    if ((x >> 9 & 3) == 0) {
        c.ttl = 10;
        c.expiry_s = NOW - 1 + (int64_t)(x >> 11 & 3);
    }
    return c;
}

static struct bound random_bound(uint64_t *seed)
{
    uint64_t x = test_random(seed);
    return (struct bound){(int)(x % 3), (int)(x >> 8 & 3), (int)(x >> 16 & 3), x >> 24 & 1};
}

static void op_random(struct op *o, uint64_t *seed)
{
    uint64_t x = test_random(seed);
    static const uint8_t kinds[] = {OP_ROW,         OP_ROW,        OP_ROW,    OP_ROW,
                                    OP_ROW,         OP_ROW_DELETE, OP_STATIC, OP_PARTITION_DELETE,
                                    OP_SLICE_DELETE};
    *o = (struct op){.kind = (enum op_kind)kinds[x % COUNT_OF(kinds)],
                     .pk = (int)(x >> 8 & 3),
                     .c1 = (int)(x >> 10 & 3),
                     .c2 = (int)(x >> 12 & 3),
                     .time = (int64_t)(x >> 14 & 31),
                     .marker = x >> 19 & 1,
                     .has_value = x >> 20 & 1,
                     .cleared = (x >> 21 & 3) == 0,
                     .marker_ttl = (x >> 23 & 3) == 0};
    o->value = random_cell(seed);
    for (int i = 0; i < ELEMENTS; i++) {
        o->has_element[i] = test_random(seed) & 1;
        o->element[i] = random_cell(seed);
        o->element[i].value = (struct slice){0};
    }
    o->start = random_bound(seed);
    o->end = random_bound(seed);
}

/* Bytes of one cell list, as a committer would make them. */
static void write_cells(const struct op *o, const struct store_table *t, struct buf *out)
{
    struct cell cells[8];
    struct element elements[ELEMENTS];
    uint8_t paths[ELEMENTS][4], body_memory[512], range_memory[512], bounds[2][64];
    struct buf body = buf_over(body_memory, 512), ranges = buf_over(range_memory, 512);
    struct buf start = buf_over(bounds[0], 64), end = buf_over(bounds[1], 64);
    struct complex set = {.deleted = o->cleared, .deletion = o->time, .elements = elements};
    static const int by_bytes[ELEMENTS] = {1, 2, 0}; /* 0, 7, -5 */
    struct keys k[2];
    struct store_slice slice = {store_bound_of(&o->start, &k[0]), store_bound_of(&o->end, &k[1])};
    bool open, empty;
    size_t n = 0;
    struct cell deletion = {
        .id = CELL_ROW_TOMBSTONE, .tombstone = true, .timestamp = o->time, .expiry_s = NOW - 5};
    switch (o->kind) {
    case OP_ROW:
        if (o->marker)
            cells[n++] = (struct cell){.id = CELL_MARKER,
                                       .timestamp = o->time,
                                       .ttl = o->marker_ttl,
                                       .expiry_s = o->marker_ttl ? NOW : 0};
        for (int i = 0; i < ELEMENTS; i++) {
            int at = by_bytes[i];
            if (!o->has_element[at]) continue;
            int_binary(paths[i], set_items[at]);
            elements[set.count++] = (struct element){slice_make(paths[i], 4), o->element[at]};
        }
        complex_put(&body, &set, INT64_MIN);
        if (body.len)
            cells[n++] =
                (struct cell){.id = id_of(t, "s"), .complex = true, .value = buf_view(&body)};
        if (o->has_value) {
            cells[n] = o->value;
            cells[n++].id = id_of(t, "v");
        }
        break;
    case OP_STATIC:
        cells[n] = o->value;
        cells[n++].id = id_of(t, "st");
        break;
    case OP_SLICE_DELETE:
        CHECK_OK(key_put_slice(&start, &end, t, &slice, &open, &empty), NULL);
        if (empty) return;
        struct range range = {buf_view(&start), open ? (struct slice){0} : buf_view(&end), o->time,
                              NOW - 5};
        ranges_put(&ranges, &range, 1, INT64_MIN);
        cells[n++] = (struct cell){.id = CELL_RANGES, .complex = true, .value = buf_view(&ranges)};
        break;
    default: cells[n++] = deletion;
    }
    row_put(out, cells, n);
}

static void op_write(struct kit *k, const struct store_table *t, const struct op *o, bool put)
{
    uint8_t key_memory[256], value_memory[ROW_MAX];
    struct buf key = buf_over(key_memory, 256), value = buf_over(value_memory, ROW_MAX);
    struct keys keys;
    char *message = NULL;
    keys_make(&keys, o->pk, o->c1, o->c2);
    bool row = o->kind == OP_ROW || o->kind == OP_ROW_DELETE;
    CHECK_OK(key_put_row(&key, t, keys.at, row ? 3 : 1), NULL);
    if (!row) atomic_store(&table_of(t)->past->marks, MARK_PARTITION_RECORDS);
    write_cells(o, t, &value);
    CHECK(!key.err && !value.err);
    rocksdb_writeoptions_t *w = rocksdb_writeoptions_create();
    if (value.len)
        rocksdb_merge(k->s->db, w, (const char *)key.at, key.len, (const char *)value.at, value.len,
                      &message);
    CHECK(!message);
    rocksdb_writeoptions_destroy(w);
    if (put) CHECK_OK(store_flush(k->s, NULL), NULL);
}

/* --- the model ----------------------------------------------------------------------------------
 */

static int sign(int v)
{
    return (v > 0) - (v < 0);
}

/* Where a row stands to what begins like the bound: before, among, behind. */
static int place(int c1, int c2, const struct bound *b)
{
    if (b->count > 0 && c1 != b->c1) return sign(c1 - b->c1);
    if (b->count > 1 && c2 != b->c2) return sign(b->c2 - c2); /* descending */
    return 0;
}

static bool inside(int c1, int c2, const struct bound *start, const struct bound *end)
{
    int s = place(c1, c2, start), e = place(c1, c2, end);
    return (start->count == 0 || s > 0 || (s == 0 && start->inclusive)) &&
           (end->count == 0 || e < 0 || (e == 0 && end->inclusive));
}

static int64_t model_floor(const struct op *o, int pk, int c1, int c2, bool row)
{
    int64_t floor = INT64_MIN;
    for (int i = 0; i < OPS; i++) {
        if (o[i].pk != pk) continue;
        bool reaches =
            o[i].kind == OP_PARTITION_DELETE ||
            (row && o[i].kind == OP_SLICE_DELETE && inside(c1, c2, &o[i].start, &o[i].end)) ||
            (row && o[i].kind == OP_ROW_DELETE && o[i].c1 == c1 && o[i].c2 == c2);
        if (reaches) floor = MAX(floor, o[i].time);
    }
    return floor;
}

static void best_of(const struct cell **best, const struct cell *c)
{
    if (!*best || cell_compare(c, *best) > 0) *best = c;
}

static bool show(struct buf *out, const char *name, const struct cell *c, int64_t floor)
{
    if (!c || c->timestamp <= floor || !cell_live(c, NOW)) return false;
    buf_printf(out, " %s=%.*s@%d", name, SLICE_ARG(c->value), (int)c->timestamp);
    if (c->ttl) buf_printf(out, "/%u>%d", c->ttl, (int)c->expiry_s);
    return true;
}

static bool model_static(const struct op *o, int pk, struct buf *out)
{
    const struct cell *best = NULL;
    for (int i = 0; i < OPS; i++)
        if (o[i].pk == pk && o[i].kind == OP_STATIC) best_of(&best, &o[i].value);
    return show(out, "st", best, model_floor(o, pk, 0, 0, false));
}

static bool model_row(const struct op *o, int pk, int c1, int c2, struct buf *out)
{
    const struct cell *value = NULL, *element[ELEMENTS] = {NULL}, *marker = NULL;
    static struct cell markers[OPS];
    int64_t floor = model_floor(o, pk, c1, c2, true), clear = floor;
    bool there = false;
    for (int i = 0; i < OPS; i++) {
        if (o[i].pk != pk || o[i].kind != OP_ROW || o[i].c1 != c1 || o[i].c2 != c2) continue;
        if (o[i].cleared) clear = MAX(clear, o[i].time);
        if (o[i].has_value) best_of(&value, &o[i].value);
        for (int e = 0; e < ELEMENTS; e++)
            if (o[i].has_element[e]) best_of(&element[e], &o[i].element[e]);
        markers[i] = (struct cell){
            .timestamp = o[i].time, .ttl = o[i].marker_ttl, .expiry_s = o[i].marker_ttl ? NOW : 0};
        if (o[i].marker) best_of(&marker, &markers[i]);
    }
    buf_printf(out, "%d,%d,%s:", pk, c1 - 1, c2_texts[c2]);
    there |= show(out, "m", marker, floor);
    for (int e = 0; e < ELEMENTS; e++) {
        char name[16];
        snprintf(name, sizeof name, "s[%d]", set_items[e]);
        there |= show(out, name, element[e], clear);
    }
    there |= show(out, "v", value, floor);
    return there;
}

/* The rows of a partition in stored order, in [start, end]; spans NULL: all. */
static void model_partition(const struct op *o, int pk, const struct bound (*spans)[2], int count,
                            bool reversed, struct buf *out)
{
    bool any = false;
    uint8_t memory[256];
    struct buf statics = buf_over(memory, sizeof memory);
    bool has_static = model_static(o, pk, &statics);
    for (int i = 0; i < C1S * C2S; i++) {
        int at = reversed ? C1S * C2S - 1 - i : i, c1 = at / C2S, c2 = C2S - 1 - at % C2S;
        bool wanted = count == 0;
        for (int k = 0; k < count; k++) wanted |= inside(c1, c2, &spans[k][0], &spans[k][1]);
        size_t from = out->len;
        if (wanted && model_row(o, pk, c1, c2, out)) {
            buf_slice(out, buf_view(&statics));
            buf_char(out, ';');
            any = true;
        } else {
            out->len = from;
        }
    }
    if (!any && has_static && count == 0)
        buf_printf(out, "%d:%.*s;", pk, SLICE_ARG(buf_view(&statics)));
}

/* --- what is read -------------------------------------------------------------------------------
 */

static void put_cells(const struct store_table *t, const struct store_cell *cells, uint32_t count,
                      struct buf *out)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct store_cell *c = &cells[i];
        struct cell one = {
            .timestamp = c->timestamp, .ttl = c->ttl, .expiry_s = c->expiry_s, .value = c->value};
        if (c->column == id_of(t, "v")) show(out, "v", &one, INT64_MIN);
        if (c->column == id_of(t, "st")) show(out, "st", &one, INT64_MIN);
        for (uint32_t e = 0; e < c->element_count; e++) {
            char name[16];
            const uint8_t *p = c->elements[e].path.at;
            int32_t v =
                (int32_t)((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]);
            snprintf(name, sizeof name, "s[%d]", v);
            one = (struct cell){.timestamp = c->elements[e].timestamp,
                                .ttl = c->elements[e].ttl,
                                .expiry_s = c->elements[e].expiry_s};
            show(out, name, &one, INT64_MIN);
        }
    }
}

static int32_t int_of(struct slice s)
{
    return s.len == 4 ? (int32_t)((uint32_t)s.at[0] << 24 | (uint32_t)s.at[1] << 16 |
                                  (uint32_t)s.at[2] << 8 | s.at[3])
                      : -99;
}

static void put_row(const struct store_table *t, const struct store_row *r, struct buf *out)
{
    buf_printf(out, "%d", int_of(r->key[0]));
    if (r->key_count > 1) buf_printf(out, ",%d,%.*s", int_of(r->key[1]), SLICE_ARG(r->key[2]));
    buf_char(out, ':');
    if (r->marker) {
        struct cell marker = {
            .timestamp = r->marker_timestamp, .ttl = r->marker_ttl, .expiry_s = r->marker_expiry_s};
        show(out, "m", &marker, INT64_MIN);
    }
    put_cells(t, r->cells, r->cell_count, out);
    put_cells(t, r->statics, r->static_count, out);
    buf_char(out, ';');
}

/* All of it, or anew behind each row: what comes must be the same. */
static void read_all(struct kit *k, const struct store_read *wanted, bool resume, struct buf *out)
{
    struct arena *a = arena_new(MIB(4)), *held = arena_new(MIB(4));
    struct store_read r = *wanted;
    struct diag d = {0};
    const struct store_row *row;
    bool more = true, first = true;
    while (more) {
        struct store_cursor *c = NULL;
        arena_reset(a);
        CHECK_OK(store_rows_open(k->s, NULL, &r, a, &c, &d), &d);
        if (!c) break;
        more = false;
        while (!more) {
            CHECK_OK(store_rows_next(c, &row, &d), &d);
            if (!row) break;
            CHECK(row->token != INT64_MIN && row->key_count);
            if (wanted->partition) CHECK_INT(row->partition_first, first);
            first = false;
            put_row(wanted->table, row, out);
            if (!resume) continue;
            arena_reset(held);
            struct slice *after = arena_take(held, row->key_count * sizeof *after);
            for (uint32_t i = 0; i < row->key_count; i++) after[i] = arena_slice(held, row->key[i]);
            r.after = after;
            r.after_count = row->key_count;
            r.after_partition_done = row->key_count == 1;
            more = true;
        }
        store_rows_close(c);
    }
    arena_free(a);
    arena_free(held);
}

static void check_read(struct kit *k, const struct store_read *r, struct buf *want)
{
    for (int resume = 0; resume < 2; resume++) {
        struct buf got = buf_make(MIB(1));
        read_all(k, r, resume, &got);
        CHECK_TEXT(buf_cstr(&got), buf_cstr(want));
        buf_done(&got);
    }
}

static int by_token(const void *pa, const void *pb, void *table)
{
    int64_t ta, tb;
    struct keys ka, kb;
    keys_make(&ka, *(const int *)pa, 0, 0);
    keys_make(&kb, *(const int *)pb, 0, 0);
    if (store_token(table, ka.at, &ta) || store_token(table, kb.at, &tb)) return 0;
    return ta == tb ? 0 : ta < tb ? -1 : 1;
}

/* --- the checks ---------------------------------------------------------------------------------
 */

static void check_partitions(struct kit *k, const struct store_table *t, const struct op *o,
                             uint64_t *seed)
{
    for (int pk = 0; pk < PKS; pk++)
        for (int reversed = 0; reversed < 2; reversed++) {
            struct keys keys, bounds[2];
            struct buf want = buf_make(MIB(1));
            struct bound span[1][2] = {{random_bound(seed), random_bound(seed)}};
            struct store_slice slice = {store_bound_of(&span[0][0], &bounds[0]),
                                        store_bound_of(&span[0][1], &bounds[1])};
            keys_make(&keys, pk, 0, 0);
            struct store_read r = {
                .table = t, .partition = keys.at, .now_s = NOW, .reversed = reversed};
            model_partition(o, pk, NULL, 0, reversed, &want);
            check_read(k, &r, &want);
            buf_reset(&want);
            r.slices = &slice;
            r.slice_count = 1;
            model_partition(o, pk, (const struct bound(*)[2])span, 1, reversed, &want);
            check_read(k, &r, &want);
            buf_done(&want);
        }
}

/* c1 IN (0, 2), then a part of what has c1 3: several spans, of one partition and of all. */
static void check_spans(struct kit *k, const struct store_table *t, const struct op *o,
                        const int *order)
{
    const struct bound spans[3][2] = {{{1, 0, 0, true}, {1, 0, 0, true}},
                                      {{1, 2, 0, true}, {1, 2, 0, true}},
                                      {{2, 3, 2, true}, {1, 3, 0, true}}};
    struct store_slice slices[3];
    struct keys bounds[6], keys;
    struct buf want = buf_make(MIB(1));
    for (int i = 0; i < 3; i++)
        slices[i] = (struct store_slice){store_bound_of(&spans[i][0], &bounds[2 * i]),
                                         store_bound_of(&spans[i][1], &bounds[2 * i + 1])};
    struct store_read r = {.table = t, .slices = slices, .slice_count = 3, .now_s = NOW};
    for (int i = 0; i < PKS; i++) model_partition(o, order[i], spans, 3, false, &want);
    check_read(k, &r, &want);
    for (int reversed = 0; reversed < 2; reversed++) {
        keys_make(&keys, 1, 0, 0);
        r.partition = keys.at;
        r.reversed = reversed;
        buf_reset(&want);
        model_partition(o, 1, spans, 3, reversed, &want);
        check_read(k, &r, &want);
    }
    buf_done(&want);
}

static void check_tokens(struct kit *k, const struct store_table *t, const struct op *o,
                         const int *order)
{
    struct buf want = buf_make(MIB(1));
    struct store_read r = {.table = t, .now_s = NOW};
    for (int i = 0; i < PKS; i++) model_partition(o, order[i], NULL, 0, false, &want);
    check_read(k, &r, &want);
    r.by_token = true;
    r.token_first = INT64_MIN;
    r.token_last = INT64_MAX;
    check_read(k, &r, &want);
    buf_reset(&want);
    struct keys keys;
    keys_make(&keys, order[1], 0, 0);
    CHECK_OK(store_token(t, keys.at, &r.token_first), NULL);
    keys_make(&keys, order[2], 0, 0);
    CHECK_OK(store_token(t, keys.at, &r.token_last), NULL);
    for (int i = 1; i < 3; i++) model_partition(o, order[i], NULL, 0, false, &want);
    check_read(k, &r, &want);
    r.token_first = r.token_last + 1;
    r.token_last--;
    buf_reset(&want);
    check_read(k, &r, &want);
    buf_done(&want);
}

static void check_distinct(struct kit *k, const struct store_table *t, const struct op *o,
                           const int *order)
{
    struct buf want = buf_make(MIB(1)), rows = buf_make(MIB(1));
    struct store_read r = {.table = t, .now_s = NOW, .partitions_only = true};
    for (int i = 0; i < PKS; i++) {
        buf_reset(&rows);
        model_partition(o, order[i], NULL, 0, false, &rows);
        if (!rows.len) continue;
        buf_printf(&want, "%d:", order[i]);
        model_static(o, order[i], &want);
        buf_char(&want, ';');
    }
    check_read(k, &r, &want);
    buf_done(&want);
    buf_done(&rows);
}

static void check_gets(struct kit *k, const struct store_table *t, const struct op *o)
{
    struct arena *a = arena_new(MIB(4));
    struct buf want = buf_make(MIB(1)), got = buf_make(MIB(1));
    const struct store_row *row;
    struct diag d = {0};
    struct keys keys;
    for (int i = 0; i < PKS * C1S * C2S; i++) {
        int pk = i % PKS, c1 = i / PKS % C1S, c2 = i / PKS / C1S;
        arena_reset(a);
        buf_reset(&want);
        buf_reset(&got);
        bool there = model_row(o, pk, c1, c2, &want);
        if (there) model_static(o, pk, &want);
        keys_make(&keys, pk, c1, c2);
        CHECK_OK(store_row_get(k->s, t, keys.at, 3, NOW, a, &row, &d), &d);
        CHECK(!row == !there);
        if (!row) continue;
        put_row(t, row, &got);
        buf_char(&want, ';');
        CHECK_TEXT(buf_cstr(&got), buf_cstr(&want));
    }
    for (int pk = 0; pk < PKS; pk++) {
        buf_reset(&want);
        buf_reset(&got);
        keys_make(&keys, pk, 0, 0);
        CHECK_OK(store_row_get(k->s, t, keys.at, 1, NOW, a, &row, &d), &d);
        buf_printf(&want, "%d:", pk);
        bool there = model_static(o, pk, &want);
        CHECK(!row == !there);
        if (!row) continue;
        put_row(t, row, &got);
        buf_char(&want, ';');
        CHECK_TEXT(buf_cstr(&got), buf_cstr(&want));
    }
    buf_done(&want);
    buf_done(&got);
    arena_free(a);
}

static void op_later(struct op *o, int64_t by)
{
    o->time += by;
    o->value.timestamp += by;
    for (int i = 0; i < ELEMENTS; i++) o->element[i].timestamp += by;
}

static void check_all(struct kit *k, const struct store_table *t, const struct op *o,
                      uint64_t *seed)
{
    int order[PKS] = {0, 1, 2, 3};
    qsort_r(order, PKS, sizeof *order, by_token, (void *)(uintptr_t)t);
    check_partitions(k, t, o, seed);
    check_spans(k, t, o, order);
    check_tokens(k, t, o, order);
    check_distinct(k, t, o, order);
    check_gets(k, t, o);
}

static size_t keys_stored(struct kit *k, const struct store_table *t)
{
    char from[4], to[4];
    struct buf a = buf_over(from, 4), b = buf_over(to, 4);
    size_t n = 0;
    buf_be(&a, t->prefix, 4);
    buf_be(&b, t->prefix + 1U, 4);
    rocksdb_readoptions_t *o = read_options(NULL);
    rocksdb_readoptions_set_iterate_upper_bound(o, to, 4);
    rocksdb_iterator_t *i = rocksdb_create_iterator(k->s->db, o);
    for (rocksdb_iter_seek(i, from, 4); rocksdb_iter_valid(i); rocksdb_iter_next(i)) n++;
    rocksdb_iter_destroy(i);
    rocksdb_readoptions_destroy(o);
    return n;
}

/* In some rounds half of the writes come after a purge: later ones, as grace promises. */
TEST(what_a_cursor_or_a_get_shows_is_what_a_list_of_all_writes_says)
{
    uint64_t seed = 5;
    size_t before = 0, after = 0;
    struct kit k;
    clock_fake_set(NOW * 1000);
    kit_open(&k, (struct store_options){0});
    const struct store_table *t = make_table(k.s);
    for (int round = 0; round < ROUNDS; round++) {
        struct op o[OPS];
        struct diag d = {0};
        CHECK_OK(store_table_truncate(k.s, SLICE("ks"), SLICE("wide"), &d), &d);
        t = store_table_find(k.s, SLICE("ks"), SLICE("wide"));
        clock_fake_set(NOW * 1000);
        for (int i = 0; i < OPS; i++) {
            bool half = round % 6 == 0 && i >= OPS / 2;
            op_random(&o[i], &seed);
            if (half && i == OPS / 2) {
                clock_fake_set((NOW + GRACE) * 1000);
                for (int n = 0; n < 3; n++) CHECK_OK(store_compact(k.s, &d), &d);
            }
            if (half) op_later(&o[i], TIMES);
            op_write(&k, t, &o[i], round % 4 == 0 && i % 16 == 0);
        }
        if (round % 8 == 0) CHECK_OK(store_compact(k.s, &d), &d);
        check_all(&k, t, o, &seed);
        if (round % 3) continue;
        before += keys_stored(&k, t);
        clock_fake_set((NOW + GRACE) * 1000);
        for (int n = 0; n < 4; n++) {
            CHECK_OK(store_compact(k.s, &d), &d);
            check_all(&k, t, o, &seed);
        }
        after += keys_stored(&k, t);
    }
    CHECK(after < before * 3 / 4);
    kit_close(&k);
    clock_fake_set(-1);
}
