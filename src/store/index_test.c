/* Goal: an index names every row that has the value, whoever wrote it and whenever the index was
 * made; what it names too much goes when a reader says so. */
#include "store/index.h"
#include "store/store_kit.h"
#include <endian.h>
#include <sched.h>
#include <stdatomic.h>

enum { NOW_S = 1000 };

struct world {
    struct kit k;
    const struct store_table *t;
    struct type set, map, list, frozen;
    const struct type *items[2];
};

static void open_world(struct world *w)
{
    struct diag d = {0};
    kit_open(&w->k, (struct store_options){.write_buffer_bytes = MIB(1)});
    w->items[0] = type_of(TYPE_TEXT);
    w->items[1] = type_of(TYPE_INT);
    w->set = (struct type){.kind = TYPE_SET, .count = 1, .items = w->items};
    w->map = (struct type){.kind = TYPE_MAP, .count = 2, .items = w->items};
    w->list = (struct type){.kind = TYPE_LIST, .count = 1, .items = w->items + 1};
    w->frozen = w->set;
    w->frozen.frozen = true;
    struct store_column columns[] = {
        {.name = SLICE("pk"), .type = type_of(TYPE_INT), .role = COLUMN_PARTITION},
        {.name = SLICE("ck"), .type = type_of(TYPE_INT), .role = COLUMN_CLUSTERING},
        {.name = SLICE("st"), .type = type_of(TYPE_TEXT), .role = COLUMN_STATIC},
        {.name = SLICE("v"), .type = type_of(TYPE_INT)},
        {.name = SLICE("x"), .type = type_of(TYPE_TEXT)},
        {.name = SLICE("s"), .type = &w->set},
        {.name = SLICE("m"), .type = &w->map},
        {.name = SLICE("l"), .type = &w->list},
        {.name = SLICE("f"), .type = &w->frozen},
    };
    struct store_table wanted = {.keyspace = SLICE("ks"),
                                 .name = SLICE("i"),
                                 .columns = columns,
                                 .column_count = COUNT_OF(columns)};
    w->t = store_table_find(w->k.s, SLICE("ks"), SLICE("i"));
    if (!w->t) CHECK_OK(store_table_create(w->k.s, &wanted, &w->t, &d), &d);
}

static uint16_t column(const struct world *w, const char *name)
{
    return store_column_find(w->t, slice_of(name))->id;
}

static const struct store_index *index_named(const struct world *w, const char *name)
{
    for (uint32_t i = 0; i < w->t->index_count; i++)
        if (slice_is(w->t->indexes[i].name, name)) return &w->t->indexes[i];
    return NULL;
}

static void add_index(struct world *w, const char *name, const char *of, enum store_index_kind kind)
{
    struct diag d = {0};
    struct store_table wanted = *w->t;
    struct store_index list[16];
    for (uint32_t i = 0; i < w->t->index_count; i++) list[i] = w->t->indexes[i];
    list[wanted.index_count++] = (struct store_index){
        .name = slice_of(name), .target = slice_of(of), .kind = kind, .column = column(w, of)};
    wanted.indexes = list;
    CHECK_OK(store_table_alter(w->k.s, w->t, &wanted, &w->t, &d), &d);
    CHECK(index_named(w, name) && index_named(w, name)->ready);
}

static struct slice number(uint8_t to[4], int32_t v)
{
    struct buf b = buf_over(to, 4);
    buf_be(&b, (uint32_t)v, 4);
    return buf_view(&b);
}

struct write {
    int32_t pk, ck;
    struct store_cell_write cells[4];
    uint32_t count;
    int64_t timestamp;
    bool statics, delete_row;
};

static void do_write(struct world *w, struct write x)
{
    uint8_t bytes[2][4];
    struct diag d = {0};
    struct store_change *c;
    struct slice key[2] = {number(bytes[0], x.pk), number(bytes[1], x.ck)};
    struct store_row_write row = {.table = w->t,
                                  .key = key,
                                  .key_count = x.statics ? 1 : 2,
                                  .timestamp = x.timestamp,
                                  .now_s = NOW_S,
                                  .marker = !x.statics && !x.delete_row,
                                  .delete_row = x.delete_row,
                                  .cells = x.cells,
                                  .cell_count = x.count};
    CHECK_OK(store_change_new(w->k.s, &c), NULL);
    CHECK_OK(store_change_row(c, &row, &d), &d);
    CHECK_OK(store_change_commit_wait(c, &d), &d);
}

static void put_v(struct world *w, int32_t pk, int32_t ck, int32_t v, int64_t timestamp)
{
    uint8_t bytes[4];
    do_write(w, (struct write){.pk = pk,
                               .ck = ck,
                               .timestamp = timestamp,
                               .count = 1,
                               .cells = {{.column = column(w, "v"), .value = number(bytes, v)}}});
}

/* "pk,ck=value;" of what the index names, in its order; values of texts in full, ints as numbers.
 */
static const char *named_by(struct world *w, struct store_index_read r,
                            struct store_candidates *out)
{
    struct diag d = {0};
    struct buf b = buf_make(MIB(1));
    r.table = w->t;
    if (!r.rows_max) r.rows_max = 1000;
    CHECK_OK(store_index_rows(w->k.s, &r, w->k.arena, out, &d), &d);
    for (uint32_t i = 0; i < out->count; i++) {
        for (uint32_t n = 0; n < out->key_count; n++) {
            struct cursor c = cursor_of(out->keys[i][n]);
            buf_printf(&b, "%s%d", n ? "," : "", cursor_i32(&c));
        }
        buf_char(&b, '=');
        if (out->values[i].len == 4) {
            struct cursor c = cursor_of(out->values[i]);
            buf_printf(&b, "%d", cursor_i32(&c));
        } else {
            buf_slice(&b, out->values[i]);
        }
        buf_char(&b, ';');
    }
    const char *text = arena_text(w->k.arena, buf_view(&b));
    buf_done(&b);
    return text;
}

static const char *rows_of(struct world *w, const char *index, struct slice value)
{
    struct store_candidates c;
    return named_by(w,
                    (struct store_index_read){.index = index_named(w, index),
                                              .low = value,
                                              .high = value,
                                              .low_inclusive = true,
                                              .high_inclusive = true},
                    &c);
}

static const char *rows_of_int(struct world *w, const char *index, int32_t v)
{
    uint8_t bytes[4];
    return rows_of(w, index, number(bytes, v));
}

TEST(an_index_names_rows_from_before_and_after_it_was_made)
{
    struct world w;
    open_world(&w);
    put_v(&w, 1, 1, 10, 5);
    put_v(&w, 1, 2, 20, 5);
    const struct store_table *old = w.t;
    add_index(&w, "by_v", "v", INDEX_VALUES);
    put_v(&w, 1, 3, 10, 5);
    CHECK_TEXT(rows_of_int(&w, "by_v", 10), "1,1=10;1,3=10;");
    const struct store_table *now = w.t;
    w.t = old; /* a statement from before the index */
    put_v(&w, 1, 4, 10, 5);
    w.t = now;
    CHECK_TEXT(rows_of_int(&w, "by_v", 10), "1,1=10;1,3=10;1,4=10;");
    kit_close(&w.k);
    open_world(&w);
    CHECK_TEXT(rows_of_int(&w, "by_v", 10), "1,1=10;1,3=10;1,4=10;");
    struct diag d = {0};
    CHECK_OK(store_table_truncate(w.k.s, SLICE("ks"), SLICE("i"), &d), &d);
    w.t = store_table_find(w.k.s, SLICE("ks"), SLICE("i"));
    CHECK_TEXT(rows_of_int(&w, "by_v", 10), "");
    put_v(&w, 2, 2, 10, 5);
    CHECK_TEXT(rows_of_int(&w, "by_v", 10), "2,2=10;");
    kit_close(&w.k);
}

TEST(what_is_stale_goes_when_it_is_told_and_only_then)
{
    struct world w;
    struct store_candidates c;
    uint8_t bytes[4];
    open_world(&w);
    add_index(&w, "by_v", "v", INDEX_VALUES);
    put_v(&w, 1, 1, 10, 5);
    put_v(&w, 1, 1, 11, 6);
    put_v(&w, 1, 2, 10, 5);
    CHECK_TEXT(rows_of_int(&w, "by_v", 10), "1,1=10;1,2=10;");
    struct store_index_read r = {.index = index_named(&w, "by_v"),
                                 .low = number(bytes, 10),
                                 .high = number(bytes, 10),
                                 .low_inclusive = true,
                                 .high_inclusive = true};
    named_by(&w, r, &c);
    for (uint32_t i = 0; i < c.count; i++) /* both are accused, one is */
        store_index_stale(w.k.s, w.t, r.index, c.values[i], c.keys[i], c.key_count);
    put_v(&w, 9, 9, 1, 5); /* behind them */
    CHECK_TEXT(rows_of_int(&w, "by_v", 10), "1,2=10;");
    CHECK_TEXT(rows_of_int(&w, "by_v", 11), "1,1=11;");
    do_write(&w, (struct write){.pk = 1, .ck = 2, .timestamp = 7, .delete_row = true});
    named_by(&w, r, &c);
    CHECK_INT(c.count, 1);
    store_index_stale(w.k.s, w.t, r.index, c.values[0], c.keys[0], c.key_count);
    put_v(&w, 9, 9, 1, 5);
    CHECK_TEXT(rows_of_int(&w, "by_v", 10), "");
    kit_close(&w.k);
}

/* --- a write that has read the row takes its entries along ---------------------------------------
 */

struct decided {
    struct world *w;
    struct write write;
    struct arena *arena;
    int32_t turns; /* so many writes of v = turns, turns - 1 … 1, each a change of one group */
    _Atomic bool go;
    _Atomic int told;
};

static err_t look_and_write(void *ctx, struct store_change *c, struct store_peek *p, struct diag *d)
{
    struct decided *x = ctx;
    uint8_t bytes[2][4], v[4];
    const struct store_row *row;
    struct slice key[2] = {number(bytes[0], x->write.pk), number(bytes[1], x->write.ck)};
    struct store_row_write w = {.table = x->w->t,
                                .key = key,
                                .key_count = 2,
                                .timestamp = x->write.timestamp++,
                                .now_s = NOW_S,
                                .marker = !x->write.delete_row,
                                .delete_row = x->write.delete_row,
                                .cells = x->write.cells,
                                .cell_count = x->write.count};
    if (x->turns) x->write.cells[0].value = number(v, x->turns--);
    err_t e = store_peek_row(p, x->w->t, key, 2, NOW_S, x->arena, &row, d);
    return e ? e : store_change_row(c, &w, d);
}

static err_t wait_for_go(void *ctx, struct store_change *c, struct store_peek *p, struct diag *d)
{
    (void)c, (void)p, (void)d;
    while (!atomic_load(&((struct decided *)ctx)->go)) {
    }
    return ERR_OK;
}

static void count_told(void *ctx, err_t e, const struct diag *d)
{
    CHECK_OK(e, d);
    atomic_fetch_add(&((struct decided *)ctx)->told, 1);
}

/* `changes` of them, handed over while the committer is kept: they are one group. */
static void decide(struct world *w, struct write write, int32_t turns, int changes)
{
    struct decided x = {.w = w, .write = write, .arena = arena_new(MIB(1)), .turns = turns};
    struct store_change *c;
    CHECK_OK(store_change_new(w->k.s, &c), NULL);
    store_change_decide(c, wait_for_go, &x);
    CHECK_OK(store_change_commit(c, count_told, &x), NULL);
    for (int i = 0; i < changes; i++) {
        CHECK_OK(store_change_new(w->k.s, &c), NULL);
        store_change_decide(c, look_and_write, &x);
        CHECK_OK(store_change_commit(c, count_told, &x), NULL);
    }
    atomic_store(&x.go, true);
    while (atomic_load(&x.told) < changes + 1) sched_yield();
    arena_free(x.arena);
}

TEST(what_a_write_has_read_leaves_no_stale_entry)
{
    struct world w;
    uint8_t bytes[4];
    open_world(&w);
    add_index(&w, "by_v", "v", INDEX_VALUES);
    add_index(&w, "by_s", "s", INDEX_VALUES);
    add_index(&w, "by_ck", "ck", INDEX_VALUES);
    struct write v11 = {.pk = 1,
                        .ck = 1,
                        .timestamp = 10,
                        .count = 1,
                        .cells = {{.column = column(&w, "v"), .value = number(bytes, 11)}}};
    put_v(&w, 1, 1, 10, 5);
    put_v(&w, 1, 2, 10, 5);
    decide(&w, v11, 0, 1);
    CHECK_TEXT(rows_of_int(&w, "by_v", 10), "1,2=10;");
    CHECK_TEXT(rows_of_int(&w, "by_v", 11), "1,1=11;");
    v11.timestamp = 20; /* 5, 4, 3, 2, 1 one after the other in one write: only the last stays */
    decide(&w, v11, 5, 5);
    for (int32_t v = 2; v <= 5; v++) CHECK_TEXT(rows_of_int(&w, "by_v", v), "");
    CHECK_TEXT(rows_of_int(&w, "by_v", 11), "");
    CHECK_TEXT(rows_of_int(&w, "by_v", 1), "1,1=1;");
    v11.timestamp = 7; /* loses against what is there: it has no entry, the winner keeps his */
    decide(&w, v11, 0, 1);
    CHECK_TEXT(rows_of_int(&w, "by_v", 11), "");
    CHECK_TEXT(rows_of_int(&w, "by_v", 1), "1,1=1;");
    v11.timestamp = 30;
    decide(&w, v11, 0, 1); /* back to a value whose entry was removed */
    CHECK_TEXT(rows_of_int(&w, "by_v", 11), "1,1=11;");
    CHECK_TEXT(rows_of_int(&w, "by_v", 1), "");
    struct write elements = {.pk = 1, .ck = 1, .timestamp = 40, .count = 2};
    elements.cells[0] = (struct store_cell_write){
        .column = column(&w, "s"), .kind = CELL_ELEMENT_SET, .path = SLICE("a")};
    elements.cells[1] = elements.cells[0];
    elements.cells[1].path = SLICE("b");
    do_write(&w, elements);
    elements.timestamp = 50;
    elements.count = 1;
    elements.cells[0].kind = CELL_ELEMENT_DELETE;
    decide(&w, elements, 0, 1);
    CHECK_TEXT(rows_of(&w, "by_s", SLICE("a")), "");
    CHECK_TEXT(rows_of(&w, "by_s", SLICE("b")), "1,1=b;");
    CHECK_TEXT(rows_of_int(&w, "by_v", 11), "1,1=11;");
    CHECK_TEXT(rows_of_int(&w, "by_ck", 1), "1,1=1;");
    decide(&w, (struct write){.pk = 1, .ck = 1, .timestamp = 60, .delete_row = true}, 0, 1);
    CHECK_TEXT(rows_of_int(&w, "by_v", 11), "");
    CHECK_TEXT(rows_of(&w, "by_s", SLICE("b")), "");
    CHECK_TEXT(rows_of_int(&w, "by_ck", 1), "");
    CHECK_TEXT(rows_of_int(&w, "by_v", 10), "1,2=10;");
    kit_close(&w.k);
}

TEST(a_range_comes_in_the_tables_order_without_doubles_and_one_value_in_pieces)
{
    struct world w;
    struct store_candidates c;
    uint8_t low[4], high[4], pk[4], ck[4];
    open_world(&w);
    add_index(&w, "by_v", "v", INDEX_VALUES);
    for (int32_t i = 0; i < 20; i++) put_v(&w, 5, i, i % 2 ? 7 : -i, 5);
    put_v(&w, 5, 3, 8, 6); /* in twice: as 7 and as 8 */
    struct store_index_read r = {.index = index_named(&w, "by_v"),
                                 .low = number(low, 7),
                                 .high = number(high, 8),
                                 .low_inclusive = true,
                                 .high_inclusive = true};
    named_by(&w, r, &c);
    CHECK_INT(c.count, 10);
    r.low_inclusive = false;
    CHECK_TEXT(named_by(&w, r, &c), "5,3=8;");
    r = (struct store_index_read){.index = r.index, .high = number(high, -16)};
    CHECK_TEXT(named_by(&w, r, &c), "5,18=-18;");
    r.high_inclusive = true;
    CHECK_TEXT(named_by(&w, r, &c), "5,16=-16;5,18=-18;");
    r = (struct store_index_read){.index = r.index, .low = number(low, 7)};
    CHECK_TEXT(named_by(&w, r, &c), "5,3=8;");
    r = (struct store_index_read){.index = r.index,
                                  .low = number(low, 7),
                                  .high = number(low, 7),
                                  .low_inclusive = true,
                                  .high_inclusive = true,
                                  .rows_max = 4};
    CHECK_TEXT(named_by(&w, r, &c), "5,1=7;5,3=7;5,5=7;5,7=7;");
    CHECK(c.more);
    struct slice after[2] = {number(pk, 5), number(ck, 7)};
    r.after = after;
    r.after_count = 2;
    r.rows_max = 100;
    CHECK_TEXT(named_by(&w, r, &c), "5,9=7;5,11=7;5,13=7;5,15=7;5,17=7;5,19=7;");
    CHECK(!c.more);
    after[0] = number(pk, 6);
    r.after = NULL;
    r.partition = after;
    CHECK_TEXT(named_by(&w, r, &c), "");
    int64_t token;
    after[0] = number(pk, 5);
    CHECK_OK(store_token(w.t, after, &token), NULL);
    r.partition = NULL;
    r.by_token = true;
    r.token_first = token;
    r.token_last = INT64_MAX;
    named_by(&w, r, &c);
    CHECK_INT(c.count, 10);
    r.token_first = token + 1;
    named_by(&w, r, &c);
    CHECK_INT(c.count, 0);
    kit_close(&w.k);
}

static void put_cells(struct world *w, int32_t ck, const struct store_cell_write *cells, uint32_t n)
{
    struct write x = {.pk = 1, .ck = ck, .timestamp = 5, .count = n};
    memcpy(x.cells, cells, n * sizeof *cells);
    do_write(w, x);
}

TEST(collections_statics_and_key_columns_are_indexed)
{
    struct world w;
    uint8_t a[4], b[4], uuid[16] = {1, 2, 3, 4, 5, 6, 0x17, 8, 0x89};
    open_world(&w);
    add_index(&w, "set_v", "s", INDEX_VALUES);
    add_index(&w, "map_k", "m", INDEX_KEYS);
    add_index(&w, "map_v", "m", INDEX_VALUES);
    struct store_cell_write cells[3] = {
        {.column = column(&w, "s"), .kind = CELL_ELEMENT_SET, .path = SLICE("red")},
        {.column = column(&w, "m"),
         .kind = CELL_ELEMENT_SET,
         .path = SLICE("key"),
         .value = number(a, 3)},
        {.column = column(&w, "l"),
         .kind = CELL_ELEMENT_SET,
         .path = slice_make(uuid, 16),
         .value = number(b, 4)}};
    put_cells(&w, 1, cells, 3);
    cells[0].path = SLICE("azure");
    put_cells(&w, 2, cells, 1);
    add_index(&w, "map_e", "m", INDEX_ENTRIES); /* these from the rows that are there */
    add_index(&w, "list_v", "l", INDEX_VALUES);
    add_index(&w, "by_ck", "ck", INDEX_VALUES);
    add_index(&w, "by_st", "st", INDEX_VALUES);
    add_index(&w, "full", "f", INDEX_FULL);
    CHECK_TEXT(rows_of(&w, "set_v", SLICE("red")), "1,1=red;");
    CHECK_TEXT(rows_of(&w, "set_v", SLICE("azure")), "1,2=azure;");
    CHECK_TEXT(rows_of(&w, "map_k", SLICE("key")), "1,1=key;");
    CHECK_TEXT(rows_of_int(&w, "map_v", 3), "1,1=3;");
    CHECK_TEXT(rows_of_int(&w, "list_v", 4), "1,1=4;");
    CHECK_TEXT(rows_of_int(&w, "by_ck", 2), "1,2=2;");
    struct slice pair = SLICE("\0\0\0\3key\0\0\0\4\0\0\0\3");
    struct store_candidates c;
    struct store_index_read r = {.index = index_named(&w, "map_e"),
                                 .low = pair,
                                 .high = pair,
                                 .low_inclusive = true,
                                 .high_inclusive = true};
    named_by(&w, r, &c);
    CHECK_INT(c.count, 1);
    CHECK(slice_equal(c.values[0], pair));
    do_write(&w, (struct write){.pk = 4,
                                .statics = true,
                                .timestamp = 5,
                                .count = 1,
                                .cells = {{.column = column(&w, "st"), .value = SLICE("there")}}});
    CHECK_TEXT(rows_of(&w, "by_st", SLICE("there")), "4=there;");
    struct slice whole = SLICE("\0\0\0\1\0\0\0\1x");
    put_cells(&w, 3, &(struct store_cell_write){.column = column(&w, "f"), .value = whole}, 1);
    r = (struct store_index_read){.index = index_named(&w, "full"),
                                  .low = whole,
                                  .high = whole,
                                  .low_inclusive = true,
                                  .high_inclusive = true};
    named_by(&w, r, &c);
    CHECK_INT(c.count, 1);
    CHECK(c.count == 1 && slice_equal(c.values[0], whole));
    kit_close(&w.k);
}

TEST(a_value_of_no_bytes_is_in_no_index_where_its_type_has_none)
{
    struct world w;
    struct store_candidates c;
    uint8_t high[4];
    open_world(&w);
    add_index(&w, "by_v", "v", INDEX_VALUES);
    add_index(&w, "by_x", "x", INDEX_VALUES);
    put_cells(&w, 1, &(struct store_cell_write){.column = column(&w, "v"), .value = SLICE("")}, 1);
    put_cells(&w, 2, &(struct store_cell_write){.column = column(&w, "x"), .value = SLICE("")}, 1);
    put_v(&w, 1, 3, 7, 5);
    CHECK_TEXT(rows_of(&w, "by_v", SLICE("")), "");
    CHECK_TEXT(rows_of(&w, "by_x", SLICE("")), "1,2=;");
    struct store_index_read r = {
        .index = index_named(&w, "by_v"), .low = SLICE(""), .high = number(high, 9)};
    CHECK_TEXT(named_by(&w, r, &c), "1,3=7;");
    r.high = SLICE("");
    r.high_inclusive = true;
    r.low = number(high, 1);
    CHECK_TEXT(named_by(&w, r, &c), "");
    kit_close(&w.k);
}

TEST(a_value_too_long_to_be_indexed_is_refused_in_cassandras_words)
{
    struct world w;
    struct diag d = {0};
    uint8_t bytes[2][4];
    struct store_change *c;
    open_world(&w);
    add_index(&w, "by_x", "x", INDEX_VALUES);
    uint8_t *large = mem_take(70000);
    struct slice key[2] = {number(bytes[0], 1), number(bytes[1], 2)};
    struct store_cell_write cell = {.column = column(&w, "x"), .value = slice_make(large, 70000)};
    struct store_row_write row = {
        .table = w.t, .key = key, .key_count = 2, .timestamp = 5, .cells = &cell, .cell_count = 1};
    CHECK_OK(store_change_new(w.k.s, &c), NULL);
    CHECK_ERR(store_change_row(c, &row, &d), ERR_INVALID);
    CHECK_TEXT(d.what, "Cannot index value of size 70000 for index by_x on ks.i(x) (maximum "
                       "allowed size=65535)");
    CHECK_INT((int64_t)store_change_bytes(c), 0);
    store_change_free(c);
    mem_give(large);
    kit_close(&w.k);
}

/* --- writers beside the making ------------------------------------------------------------------
 */

struct writer {
    struct world *w;
    struct thread thread;
    _Atomic bool stop;
    _Atomic int32_t written;
};

static void write_on(void *arg)
{
    struct writer *me = arg;
    struct world mine = *me->w;
    while (!atomic_load(&me->stop)) put_v(&mine, 3, me->written++, 77, 5);
}

static void flow_on(void *arg)
{
    struct writer *me = arg;
    struct kit k = me->w->k;
    struct diag d = {0};
    while (!atomic_load(&me->stop)) {
        struct column columns[3];
        uint16_t ids[3] = {column(me->w, "pk"), column(me->w, "ck"), column(me->w, "v")};
        struct arena *a = arena_new(MIB(1));
        uint32_t bad;
        for (int i = 0; i < 3; i++) {
            CHECK_OK(column_init(&columns[i], type_of(TYPE_INT), 1, a), NULL);
            columns[i].state[0] = VALID_VALUE;
        }
        columns[0].i32[0] = 4;
        columns[1].i32[0] = me->written;
        columns[2].i32[0] = 77;
        struct store_rows r = {.table = me->w->t,
                               .columns = columns,
                               .column_ids = ids,
                               .column_count = 3,
                               .count = 1,
                               .timestamp_us = 5};
        struct store_write *w = kit_begin(&k, STORE_LIVE);
        CHECK_OK(store_write_rows(w, &r, &bad, &d), &d);
        CHECK_OK(store_write_commit(w, &d), &d);
        me->written++;
        arena_free(a);
    }
}

TEST(nothing_written_while_an_index_is_made_is_missing)
{
    struct world w, seen;
    struct store_candidates c;
    uint8_t bytes[4];
    open_world(&w);
    for (int32_t i = 0; i < 300; i++) put_v(&w, i, -1, 77, 5);
    seen = w;
    struct writer a = {.w = &seen}, b = {.w = &seen};
    CHECK_OK(thread_start(&a.thread, "writer", write_on, &a, NULL), NULL);
    CHECK_OK(thread_start(&b.thread, "flow", flow_on, &b, NULL), NULL);
    int32_t n = 0; /* until both are at it */
    while (n < 5 || !a.written || !b.written) put_v(&w, 500 + n++, 0, 77, 5);
    add_index(&w, "by_v", "v", INDEX_VALUES); /* the writers go on with the table from before */
    for (int i = 0; i < 5; i++) put_v(&w, -1 - i, 0, 77, 5);
    atomic_store(&a.stop, true);
    atomic_store(&b.stop, true);
    thread_join(&a.thread);
    thread_join(&b.thread);
    struct store_index_read r = {.index = index_named(&w, "by_v"),
                                 .low = number(bytes, 77),
                                 .high = number(bytes, 77),
                                 .low_inclusive = true,
                                 .high_inclusive = true,
                                 .rows_max = 1000000};
    named_by(&w, r, &c);
    CHECK_INT(c.count, 300 + n + 5 + a.written + b.written);
    kit_close(&w.k);
}
