#include "store/store_kit.h"
#include <stdio.h>

const struct store_table *kit_table(struct store *s, const char *name, bool descending)
{
    struct diag d = {0};
    struct store_column columns[] = {
        {.name = SLICE("c"), .type = type_of(TYPE_TEXT)},
        {.name = SLICE("ck"),
         .type = type_of(TYPE_INT),
         .role = COLUMN_CLUSTERING,
         .descending = descending},
        {.name = SLICE("b"), .type = type_of(TYPE_TEXT)},
        {.name = SLICE("pk"), .type = type_of(TYPE_INT), .role = COLUMN_PARTITION},
        {.name = SLICE("a"), .type = type_of(TYPE_TEXT)},
    };
    struct store_table wanted = {.keyspace = SLICE("ks"),
                                 .name = slice_of(name),
                                 .columns = columns,
                                 .column_count = COUNT_OF(columns),
                                 .gc_grace = KIT_GRACE};
    const struct store_table *t = NULL;
    if (!store_keyspace_exists(s, wanted.keyspace))
        CHECK_OK(store_keyspace_create(s, wanted.keyspace, SLICE("{}"), &d), &d);
    CHECK_OK(store_table_create(s, &wanted, &t, &d), &d);
    return t;
}

void kit_open(struct kit *k, struct store_options o)
{
    struct diag d = {0};
    *k = (struct kit){.arena = arena_new(MIB(256))};
    snprintf(k->dir, sizeof k->dir, "%s/store", test_dir());
    o.dir = k->dir;
    CHECK_OK(store_open(&o, &k->s, &d), &d);
    INVARIANT(k->s);
    k->t = store_table_find(k->s, SLICE("ks"), SLICE("t"));
    if (!k->t) k->t = kit_table(k->s, "t", false);
}

void kit_close(struct kit *k)
{
    store_close(k->s);
    arena_free(k->arena);
}

void kit_reopen(struct kit *k, struct store_options o)
{
    kit_close(k);
    kit_open(k, o);
}

struct store_write *kit_begin(struct kit *k, enum store_form form)
{
    struct diag d = {0};
    struct store_write *w = NULL;
    CHECK_OK(store_write_begin(k->s, form, 0, &w, &d), &d);
    return w;
}

err_t kit_add(struct kit *k, struct store_write *w, const struct kit_row *rows, uint32_t count,
              struct kit_write how)
{
    enum { COLUMNS = 2 + KIT_TEXTS };
    struct column columns[COLUMNS];
    uint16_t ids[COLUMNS];
    struct arena *a = arena_new(MIB(64));
    struct store_lineage *lineage = arena_take(a, (count + 1U) * sizeof *lineage);
    uint32_t bad;
    for (uint32_t c = 0; c < COLUMNS; c++) {
        ids[c] = k->t->columns[c].id;
        CHECK_OK(column_init(&columns[c], k->t->columns[c].type, count, a), NULL);
        for (uint32_t i = 0; i < count; i++) {
            const char *text = c < 2 ? "" : rows[i].texts[c - 2];
            columns[c].state[i] = text ? VALID_VALUE : NULL_VALUE;
            if (c < 2)
                columns[c].i32[i] = c ? rows[i].ck : rows[i].pk;
            else
                columns[c].bytes[i] = slice_of(text);
        }
    }
    for (uint32_t i = 0; i < count; i++)
        lineage[i] = (struct store_lineage){1, (uint32_t)rows[i].pk, rows[i].ck, 9};
    struct store_rows r = {.table = k->t,
                           .columns = columns,
                           .column_ids = ids,
                           .column_count = how.columns ? 2 + how.columns : COLUMNS,
                           .count = count,
                           .timestamp_us = how.timestamp,
                           .ttl = how.ttl,
                           .now_ms = how.now_ms,
                           .replace = how.replace,
                           .remove = how.remove,
                           .lineage = how.lineage ? lineage : NULL};
    struct diag d = {0};
    err_t e = store_write_rows(w, &r, &bad, &d);
    if (e != ERR_TOO_BIG && e != ERR_CONSTRAINT) CHECK_OK(e, &d);
    arena_free(a);
    return e;
}

void kit_put(struct kit *k, enum store_form form, const struct kit_row *rows, uint32_t count,
             struct kit_write how)
{
    struct diag d = {0};
    struct store_write *w = kit_begin(k, form);
    CHECK_OK(kit_add(k, w, rows, count, how), NULL);
    CHECK_OK(store_write_commit(w, &d), &d);
}

static void rows_text(const struct column_batch *b, struct buf *out)
{
    for (uint32_t i = 0; i < b->rows; i++) {
        buf_printf(out, "%d,%d:", b->columns[0].i32[i], b->columns[1].i32[i]);
        for (uint32_t c = 2; c < b->column_count; c++) {
            if (c > 2) buf_char(out, '|');
            if (b->columns[c].state[i] == VALID_VALUE)
                buf_slice(out, b->columns[c].bytes[i]);
            else
                buf_char(out, '-');
        }
        buf_char(out, ';');
    }
}

static const char *scan_text(struct kit *k, const struct store_snapshot *n,
                             struct store_scan_options o)
{
    uint16_t ids[2 + KIT_TEXTS];
    struct buf out = buf_make(MIB(64));
    struct store_scan *c = NULL;
    struct diag d = {0};
    for (uint32_t i = 0; i < COUNT_OF(ids); i++) ids[i] = k->t->columns[i].id;
    o.table = k->t;
    o.column_ids = ids;
    o.column_count = COUNT_OF(ids);
    CHECK_OK(store_scan_open(k->s, n, &o, &c, &d), &d);
    struct column_batch b = {.arena = arena_new(MIB(16))};
    do {
        arena_reset(b.arena);
        CHECK_OK(store_scan_next(c, 7, &b, NULL, &d), &d);
        rows_text(&b, &out);
    } while (b.rows);
    arena_free(b.arena);
    store_scan_close(c);
    const char *text = arena_text(k->arena, buf_view(&out));
    buf_done(&out);
    return text;
}

const char *kit_rows(struct kit *k, const struct store_snapshot *n, int64_t now_ms)
{
    return scan_text(k, n, (struct store_scan_options){.now_ms = now_ms});
}

const char *kit_find(struct kit *k, const struct value *key, uint32_t key_count, int64_t now_ms)
{
    return scan_text(
        k, NULL, (struct store_scan_options){.now_ms = now_ms, .key = key, .key_count = key_count});
}
