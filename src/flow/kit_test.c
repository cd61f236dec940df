#include "flow/kit_test.h"

#include <stdio.h>
#include <stdlib.h>

/* --- catalog ------------------------------------------------------------------------------------
 */

enum { KIT_COLUMNS = 4, KIT_RELATIONS = 7 };
static struct sql_column kit_columns[KIT_RELATIONS][KIT_COLUMNS];
static struct sql_relation relations[KIT_RELATIONS];

/* "k text key, w timestamp clustering": how the kit's relations are written down. */
static const struct kit_relation {
    enum relation_kind kind;
    const char *name;
    int64_t delay_ms; /* topics with a column `at`: of its watermark; -1: it has none */
    struct {
        const char *name;
        enum type_kind type;
        uint8_t key; /* as struct sql_column has it */
    } columns[KIT_COLUMNS];
} kit_relations[KIT_RELATIONS] = {
    {RELATION_TOPIC, "events", -1, {{0}}},
    {RELATION_TABLE,
     "users",
     0,
     {{"id", TYPE_TEXT, 1}, {"n", TYPE_BIGINT, 0}, {"name", TYPE_TEXT, 0}}},
    {RELATION_TOPIC, "other", -1, {{0}}},
    {RELATION_TOPIC,
     "timed",
     2000,
     {{"k", TYPE_TEXT, 0}, {"n", TYPE_BIGINT, 0}, {"at", TYPE_TIMESTAMP, 0}}},
    {RELATION_TOPIC, "out", -1, {{"k", TYPE_TEXT, 0}, {"n", TYPE_BIGINT, 0}}},
    {RELATION_TABLE,
     "sums",
     0,
     {{"k", TYPE_TEXT, 1}, {"n", TYPE_BIGINT, 0}, {"s", TYPE_BIGINT, 0}}},
    {RELATION_TABLE,
     "windows",
     0,
     {{"k", TYPE_TEXT, 1}, {"w", TYPE_TIMESTAMP, 2}, {"n", TYPE_BIGINT, 0}, {"s", TYPE_BIGINT, 0}}},
};

static const struct sql_relation *find_relation(void *ctx, struct slice keyspace, struct slice name)
{
    (void)ctx, (void)keyspace;
    for (int i = 0; i < KIT_RELATIONS; i++)
        if (slice_equal(relations[i].name, name)) return &relations[i];
    return NULL;
}

static size_t relation_names(void *ctx, const char **out, size_t max)
{
    (void)ctx, (void)out, (void)max;
    return 0;
}

static const struct sql_catalog catalog = {NULL, find_relation, relation_names};

static void fill_catalog(void)
{
    for (int i = 0; i < KIT_RELATIONS; i++) {
        const struct kit_relation *k = &kit_relations[i];
        struct sql_relation *r = &relations[i];
        *r = (struct sql_relation){
            .kind = k->kind, .name = slice_of(k->name), .columns = kit_columns[i]};
        if (k->kind == RELATION_TABLE) r->keyspace = SLICE("ks");
        for (; r->column_count < KIT_COLUMNS && k->columns[r->column_count].name; r->column_count++)
            kit_columns[i][r->column_count] =
                (struct sql_column){.name = slice_of(k->columns[r->column_count].name),
                                    .type = type_of(k->columns[r->column_count].type),
                                    .key = k->columns[r->column_count].key};
        r->open = k->kind == RELATION_TOPIC && !r->column_count;
        if (k->delay_ms <= 0) continue;
        r->time = SLICE("at");
        r->delay_ms = k->delay_ms;
    }
}

static void make_table(struct world *w, const struct sql_relation *r)
{
    static const enum column_role roles[] = {COLUMN_REGULAR, COLUMN_PARTITION, COLUMN_CLUSTERING};
    struct store_column made_of[KIT_COLUMNS];
    struct store_table t = {.keyspace = r->keyspace,
                            .name = r->name,
                            .columns = made_of,
                            .column_count = r->column_count};
    const struct store_table *made;
    struct diag d = {0};
    if (r->kind != RELATION_TABLE || store_table_find(w->store, t.keyspace, t.name)) return;
    for (uint32_t i = 0; i < r->column_count; i++)
        made_of[i] = (struct store_column){.name = r->columns[i].name,
                                           .type = r->columns[i].type,
                                           .role = roles[r->columns[i].key]};
    if (!store_keyspace_exists(w->store, SLICE("ks")))
        CHECK_OK(store_keyspace_create(w->store, SLICE("ks"), SLICE(""), &d), &d);
    CHECK_OK(store_table_create(w->store, &t, &made, &d), &d);
}

/* --- the world ----------------------------------------------------------------------------------
 */

static void open_flow(struct world *w)
{
    char path[512];
    struct diag d = {0};
    snprintf(path, sizeof(path), "%s/flow", w->dir);
    w->options.log = w->log;
    w->options.store = w->store;
    w->options.dir = path;
    CHECK_OK(flow_open(&w->options, &w->flow, &d), &d);
}

void world_open(struct world *w, const char *dir, int32_t partitions)
{
    char log_dir[512], store_dir[512];
    struct diag d = {0};
    say_to(-1);
    fill_catalog();
    snprintf(w->dir, sizeof(w->dir), "%s", dir ? dir : test_dir());
    snprintf(log_dir, sizeof(log_dir), "%s/log", w->dir);
    snprintf(store_dir, sizeof(store_dir), "%s/store", w->dir);
    struct log_options lo = {.dir = log_dir, .disk_keep_free = 1};
    struct store_options so = {
        .dir = store_dir, .cache_bytes = MIB(4), .write_buffer_bytes = MIB(16)};
    CHECK_OK(dir_make(w->dir, &d), &d);
    CHECK_OK(log_open(&lo, clock_wall_ms(), &w->log, &d), &d);
    CHECK_OK(store_open(&so, &w->store, &d), &d);
    INVARIANT(w->log && w->store);
    w->arena = arena_new(MIB(256));
    if (partitions) world_topic(w, "events", partitions);
    for (int i = 0; i < KIT_RELATIONS; i++) make_table(w, &relations[i]);
    open_flow(w);
    INVARIANT(w->flow);
}

void world_topic(struct world *w, const char *name, int32_t partitions)
{
    struct log_topic_config c = log_topic_defaults();
    struct log_topic *t;
    struct diag d = {0};
    if (log_topic_find(w->log, slice_of(name))) return;
    CHECK_OK(log_topic_create(w->log, slice_of(name), partitions, &c, &t, &d), &d);
}

void world_close(struct world *w)
{
    flow_stop(w->flow);
    flow_close(w->flow);
    store_close(w->store);
    log_close(w->log);
    arena_free(w->arena);
    w->flow = NULL;
}

void world_second(const struct world *w, struct world *second)
{
    char dir[512];
    struct diag d = {0};
    *second = (struct world){.log = w->log, .options = w->options};
    snprintf(second->dir, sizeof(second->dir), "%.200s/second", w->dir);
    snprintf(dir, sizeof(dir), "%s/store", second->dir);
    struct store_options so = {.dir = dir, .cache_bytes = MIB(4), .write_buffer_bytes = MIB(16)};
    CHECK_OK(dir_make(second->dir, &d), &d);
    CHECK_OK(store_open(&so, &second->store, &d), &d);
    second->arena = arena_new(MIB(64));
    for (int i = 0; i < KIT_RELATIONS; i++) make_table(second, &relations[i]);
    open_flow(second);
}

void world_second_close(struct world *second)
{
    flow_close(second->flow);
    store_close(second->store);
    arena_free(second->arena);
}

void world_flow_again(struct world *w)
{
    flow_stop(w->flow);
    flow_close(w->flow);
    open_flow(w);
}

err_t world_add(struct world *w, const char *text, struct diag *d)
{
    struct script script;
    struct plan_stream *plan = arena_take(w->arena, sizeof(*plan));
    struct slice copy = arena_slice(w->arena, slice_of(text));
    err_t e = sql_parse(copy, "test.sql", DIALECT_SLUICE, w->arena, &script, d);
    if (!e) e = sql_bind_stream(&script.statements[0], &catalog, "test.sql", w->arena, plan, d);
    return e ? e : flow_stream_add(w->flow, plan, d);
}

void world_stream(struct world *w, const char *text)
{
    struct diag d = {0};
    CHECK_OK(world_add(w, text, &d), &d);
}

err_t world_select(struct world *w, const char *text, const struct query_result *into,
                   size_t memory_max, struct diag *d)
{
    struct script script;
    struct plan_select *plan = arena_take(w->arena, sizeof(*plan));
    struct slice copy = arena_slice(w->arena, slice_of(text));
    struct query_limits limits = {.memory_max = memory_max, .now_ms = 1700000000000};
    err_t e = sql_parse(copy, "test.sql", DIALECT_SLUICE, w->arena, &script, d);
    if (!e) e = sql_bind_select(&script.statements[0], &catalog, DIALECT_SLUICE, w->arena, plan, d);
    return e ? e : query_select(w->store, w->log, plan, &limits, into, d);
}

void world_put(struct world *w, const char *id, const char *name, const char *n, int64_t now_us)
{
    const char *const names[] = {"id", "name", "n"}, *const texts[] = {id, name, n};
    const struct store_table *t = store_table_find(w->store, SLICE("ks"), SLICE("users"));
    struct store_write *write = NULL;
    struct column columns[3];
    uint16_t ids[3];
    uint32_t count = 0, bad;
    struct diag d = {0};
    for (uint32_t i = 0; i < COUNT_OF(names); i++) {
        const struct store_column *c = store_column_find(t, slice_of(names[i]));
        struct value v;
        if (!texts[i]) continue;
        CHECK_OK(value_from_text(c->type, slice_of(texts[i]), w->arena, &v, &d), &d);
        CHECK_OK(column_init(&columns[count], c->type, 1, w->arena), NULL);
        CHECK_OK(column_set(&columns[count], 0, &v), NULL);
        ids[count++] = c->id;
    }
    struct store_rows rows = {.table = t,
                              .columns = columns,
                              .column_ids = ids,
                              .column_count = count,
                              .count = 1,
                              .timestamp_us = now_us,
                              .now_ms = now_us / 1000};
    CHECK_OK(store_write_begin(w->store, STORE_LIVE, MIB(1), &write, &d), &d);
    CHECK_OK(store_write_rows(write, &rows, &bad, &d), &d);
    CHECK_OK(store_write_commit(write, &d), &d);
}

err_t world_bind(struct world *w, const char *text, struct plan_stream *out, struct diag *d)
{
    struct script script;
    struct slice copy = arena_slice(w->arena, slice_of(text));
    err_t e = sql_parse(copy, "test.sql", DIALECT_SLUICE, w->arena, &script, d);
    return e ? e : sql_bind_stream(&script.statements[0], &catalog, "test.sql", w->arena, out, d);
}

/* --- records ------------------------------------------------------------------------------------
 */

void world_append_to(struct world *w, const char *topic, int32_t partition, const char *key,
                     const char *value, int64_t time_ms)
{
    struct record_builder b = record_builder_make(MIB(32));
    struct buf out = buf_make(MIB(32));
    struct record_batch_options o = {.producer_id = -1, .producer_epoch = -1, .base_sequence = -1};
    struct diag d = {0};
    int64_t offset;
    record_builder_add(&b, time_ms, key ? slice_of(key) : (struct slice){0},
                       value ? slice_of(value) : (struct slice){0}, NULL, 0);
    CHECK_OK(record_builder_finish(&b, &o, &out), NULL);
    struct log_partition *p = log_partition(log_topic_find(w->log, slice_of(topic)), partition);
    CHECK_OK(log_append_wait(w->log, p, out.at, out.len, time_ms, &offset, &d), &d);
    record_builder_done(&b);
    buf_done(&out);
}

void world_append_at(struct world *w, int32_t partition, const char *key, const char *value,
                     int64_t time_ms)
{
    world_append_to(w, "events", partition, key, value, time_ms);
}

void world_append(struct world *w, int32_t partition, const char *key, const char *value)
{
    world_append_at(w, partition, key, value, 1700000000000);
}

void world_fill(struct world *w, uint32_t records, enum codec codec)
{
    struct log_topic *t = log_topic_find(w->log, SLICE("events"));
    int32_t partitions = log_topic_partitions(t);
    for (int32_t p = 0; p < partitions; p++) {
        struct record_builder b = record_builder_make(MIB(64));
        struct buf out = buf_make(MIB(64));
        struct record_batch_options o = {
            .codec = codec, .producer_id = -1, .producer_epoch = -1, .base_sequence = -1};
        struct diag d = {0};
        int64_t offset;
        for (uint32_t i = 0; i < records; i++) {
            char key[32], value[128];
            snprintf(key, sizeof(key), "u%u", i);
            if (kafka_partition_of(slice_of(key), partitions) != p) continue;
            snprintf(value, sizeof(value), "{\"id\":\"u%u\",\"name\":\"name %u\",\"n\":%u}", i, i,
                     i);
            record_builder_add(&b, 1700000000000 + i, slice_of(key), slice_of(value), NULL, 0);
            if (b.count < 1000) continue;
            CHECK_OK(record_builder_finish(&b, &o, &out), NULL);
            record_builder_reset(&b);
        }
        if (b.count) CHECK_OK(record_builder_finish(&b, &o, &out), NULL);
        if (out.len)
            CHECK_OK(log_append_wait(w->log, log_partition(t, p), out.at, out.len, 1700000000000,
                                     &offset, &d),
                     &d);
        record_builder_done(&b);
        buf_done(&out);
    }
}

/* --- looking ------------------------------------------------------------------------------------
 */

struct looking {
    const char *name;
    struct flow_status found;
};

static err_t look(void *ctx, const struct flow_status *s)
{
    struct looking *l = ctx;
    if (slice_is(s->name, l->name)) l->found = *s;
    return ERR_OK;
}

struct flow_status world_status(struct world *w, const char *name)
{
    struct looking l = {.name = name};
    CHECK_OK(flow_each(w->flow, look, &l), NULL);
    return l.found;
}

bool world_reaches(struct world *w, const char *name, const char *state)
{
    int64_t end = clock_mono_ns() + 10000000000;
    while (strcmp(world_status(w, name).state, state) != 0) {
        if (clock_mono_ns() > end) return false;
        gate_enter(&w->flow->gate);
        gate_wait_ms(&w->flow->gate, 10);
        gate_leave(&w->flow->gate);
    }
    return true;
}

struct table_print world_table(struct world *w)
{
    struct table_print print = {0};
    const struct store_table *t = store_table_find(w->store, SLICE("ks"), SLICE("users"));
    const uint16_t ids[] = {store_column_find(t, SLICE("id"))->id,
                            store_column_find(t, SLICE("name"))->id,
                            store_column_find(t, SLICE("n"))->id};
    struct store_scan_options o = {.table = t, .column_ids = ids, .column_count = 3};
    struct store_scan *scan = NULL;
    struct arena *a = arena_new(MIB(64));
    struct diag d = {0};
    CHECK_OK(store_scan_open(w->store, NULL, &o, &scan, &d), &d);
    for (;;) {
        struct column_batch b = {.arena = a};
        arena_reset(a);
        CHECK_OK(store_scan_next(scan, 1000, &b, NULL, &d), &d);
        if (!b.rows) break;
        for (uint32_t r = 0; r < b.rows; r++) {
            uint8_t scratch[16];
            print.rows++;
            for (int c = 0; c < 3; c++) {
                bool valid = b.columns[c].state[r] == VALID_VALUE;
                print.hash = hash64(valid ? column_binary(&b.columns[c], r, scratch) : SLICE("-"),
                                    print.hash);
            }
            print.sum_n += b.columns[2].state[r] == VALID_VALUE ? b.columns[2].i64[r] : 0;
        }
    }
    store_scan_close(scan);
    arena_free(a);
    return print;
}

/* --- tables and topics as text ------------------------------------------------------------------
 */

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *join_lines(struct world *w, struct vec *lines)
{
    struct buf out = buf_make(MIB(64));
    if (lines->count) qsort(lines->items, lines->count, sizeof(char *), compare_lines);
    for (size_t i = 0; i < lines->count; i++) {
        buf_text(&out, *(const char **)vec_at(lines, i));
        buf_char(&out, ';');
    }
    const char *text = arena_text(w->arena, buf_view(&out));
    INVARIANT(text);
    buf_done(&out);
    vec_done(lines);
    return text;
}

static void put_row(struct world *w, const struct column_batch *b, uint32_t row, struct vec *lines)
{
    struct buf line = buf_make(MIB(1));
    for (uint32_t c = 0; c < b->column_count; c++) {
        struct value v;
        if (c) buf_char(&line, ',');
        column_get(&b->columns[c], row, &v);
        if (v.state == VALID_VALUE)
            value_to_text(&v, &line);
        else
            buf_char(&line, '-');
    }
    const char *text = arena_text(w->arena, buf_view(&line));
    CHECK_OK(vec_push(lines, &text), NULL);
    buf_done(&line);
}

const char *world_dump(struct world *w, const char *table)
{
    const struct store_table *t = store_table_find(w->store, SLICE("ks"), slice_of(table));
    const struct sql_relation *r = find_relation(NULL, SLICE("ks"), slice_of(table));
    struct vec lines = vec_make(sizeof(char *), 1 << 20);
    struct store_scan *scan = NULL;
    struct arena *a = arena_new(MIB(64));
    uint16_t ids[KIT_COLUMNS];
    struct diag d = {0};
    INVARIANT(t && r);
    for (uint32_t i = 0; i < r->column_count; i++)
        ids[i] = store_column_find(t, r->columns[i].name)->id;
    struct store_scan_options o = {.table = t, .column_ids = ids, .column_count = r->column_count};
    CHECK_OK(store_scan_open(w->store, NULL, &o, &scan, &d), &d);
    for (;;) {
        struct column_batch b = {.arena = a};
        arena_reset(a);
        CHECK_OK(store_scan_next(scan, 1000, &b, NULL, &d), &d);
        if (!b.rows) break;
        for (uint32_t row = 0; row < b.rows; row++) put_row(w, &b, row, &lines);
    }
    store_scan_close(scan);
    arena_free(a);
    return join_lines(w, &lines);
}

static void put_records(struct world *w, struct slice bytes, struct vec *lines)
{
    struct arena *a = arena_new(MIB(64));
    struct record_batch batch;
    struct record_reader reader;
    struct record r;
    for (size_t at = 0; at < bytes.len; at += record_batch_size(&batch)) {
        CHECK_OK(record_batch_read(slice_make(bytes.at + at, bytes.len - at), true, &batch), NULL);
        CHECK_OK(record_batch_open(&batch, a, MIB(64), &reader), NULL);
        while (!record_next(&reader, &r)) {
            const char *line = arena_printf(w->arena, "%.*s=%.*s", r.key_null ? 1 : (int)r.key.len,
                                            r.key_null ? "-" : (const char *)r.key.at,
                                            r.value_null ? 1 : (int)r.value.len,
                                            r.value_null ? "-" : (const char *)r.value.at);
            CHECK_OK(vec_push(lines, &line), NULL);
        }
    }
    arena_free(a);
}

const char *world_topic_dump(struct world *w, const char *topic)
{
    struct log_topic *t = log_topic_find(w->log, slice_of(topic));
    struct vec lines = vec_make(sizeof(char *), 1 << 20);
    struct buf bytes = buf_make(MIB(256));
    struct diag d = {0};
    for (int32_t p = 0; p < log_topic_partitions(t); p++) {
        struct log_partition *log = log_partition(t, p);
        buf_reset(&bytes);
        if (log_end_offset(log) > log_start_offset(log))
            CHECK_OK(log_read(log, log_start_offset(log), MIB(200), &bytes, &d), &d);
        put_records(w, buf_view(&bytes), &lines);
    }
    buf_done(&bytes);
    return join_lines(w, &lines);
}

uint64_t world_records(struct world *w, const char *topic)
{
    struct log_topic *t = log_topic_find(w->log, slice_of(topic));
    uint64_t sum = 0;
    for (int32_t p = 0; p < log_topic_partitions(t); p++)
        sum +=
            (uint64_t)(log_end_offset(log_partition(t, p)) - log_start_offset(log_partition(t, p)));
    return sum;
}

static err_t count_letter(void *ctx, const struct dead_letter *l)
{
    struct letters *all = ctx;
    if (all->count < LETTERS_MAX) {
        struct letter *one = &all->items[all->count];
        slice_to_cstr(l->stage, one->stage, sizeof(one->stage));
        snprintf(one->reason, sizeof(one->reason), "%.*s", SLICE_ARG(l->reason));
        snprintf(one->expression, sizeof(one->expression), "%.*s", SLICE_ARG(l->expression));
        snprintf(one->key, sizeof(one->key), "%.*s", SLICE_ARG(l->key));
        snprintf(one->raw, sizeof(one->raw), "%.*s", SLICE_ARG(l->raw));
        one->partition = l->partition;
        one->offset = l->offset;
        one->err = l->err;
    }
    all->count++;
    return ERR_OK;
}

void world_letters(struct world *w, const char *stage, struct letters *out)
{
    struct diag d = {0};
    memset(out, 0, sizeof(*out));
    CHECK_OK(dead_letters(w->store, slice_of(stage), count_letter, out, &d), &d);
}

/* --- the scripted source ------------------------------------------------------------------------
 */

static err_t script_fill(struct script_source *s, int page, struct source_answer *out)
{
    struct source_item *items = arena_take(s->arena, (size_t)s->items * sizeof(*items));
    for (int i = 0; items && i < s->items; i++) {
        int n = page * s->items + i;
        const char *key = s->one_key ? "one" : arena_printf(s->arena, "u%d", n);
        const char *text =
            arena_printf(s->arena, "{\"id\":\"u%d\",\"key\":\"%s\",\"name\":\"f%d\",\"n\":%d}", n,
                         key, s->repeatable ? 0 : s->fetches, n);
        if (s->no_key_every && n % s->no_key_every == 0)
            text = arena_printf(s->arena, "{\"id\":\"u%d\",\"n\":%d}", n, n);
        if (!text || !key) return ERR_NO_MEMORY;
        items[i].value = slice_of(text);
    }
    if (!items) return ERR_NO_MEMORY;
    out->items = items;
    out->item_count = page + 1 == s->only_rejects ? 0 : (uint32_t)s->items;
    if ((s->reject_every && (page + 1) % s->reject_every == 0) || page + 1 == s->only_rejects) {
        struct source_reject *reject = arena_take(s->arena, sizeof(*reject));
        if (!reject) return ERR_NO_MEMORY;
        *reject = (struct source_reject){ERR_TYPE, SLICE("no object"), SLICE("17")};
        out->rejects = reject;
        out->reject_count = 1;
    }
    return ERR_OK;
}

static err_t script_fetch(void *self, const struct source_ask *ask, struct source_answer *out,
                          struct diag *d)
{
    struct script_source *s = self;
    int64_t page = 0;
    s->fetches++;
    if (s->fail_first-- > 0) return diag_fail(d, ERR_PEER, "the site is away");
    if (ask->cursor.len && !slice_to_i64(ask->cursor, &page))
        return diag_fail(d, ERR_CORRUPT, "not my cursor");
    arena_reset(s->arena);
    *out = (struct source_answer){.repeatable = s->repeatable, .wait_ms = s->wait_ms};
    if (page >= s->pages) {
        out->cursor = slice_of(arena_printf(s->arena, "%d", (int)page));
        out->end = true;
        return ERR_OK;
    }
    out->cursor = slice_of(arena_printf(s->arena, "%d", (int)page + 1));
    out->provenance = slice_of(arena_printf(s->arena, "page=%d", (int)page));
    if (!out->cursor.at || !out->provenance.at) return diag_fail(d, ERR_NO_MEMORY, "a page");
    err_t e = script_fill(s, (int)page, out);
    return e ? diag_fail(d, e, "a page") : ERR_OK;
}

static void script_close(void *self)
{
    struct script_source *s = self;
    arena_free(s->arena);
    s->arena = NULL;
    s->closed = true;
}

void world_source(struct world *w, struct script_source *s)
{
    struct diag d = {0};
    s->arena = arena_new(MIB(64));
    s->fetches = 0;
    s->closed = false;
    struct flow_source_options o = {.name = SLICE("script"),
                                    .topic = SLICE("events"),
                                    .port = {s, script_fetch, script_close},
                                    .key_path = SLICE("key")};
    CHECK_OK(flow_source_add(w->flow, &o, &d), &d);
}
