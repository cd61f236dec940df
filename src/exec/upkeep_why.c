/* `sluice why`: a row of a table by its key, or a record of a topic by its place. */
#include "exec/upkeep_int.h"

#include "os/clock.h"

#include <inttypes.h>

enum { WHY_KEYS_MAX = 64, PROGRESS_MS = 1000 };

struct saying {
    struct upkeep *u;
    struct buf out, progress;
    bool json, failed;
    int64_t told_ms;
};

static err_t say_step(void *ctx, const struct why_step *s)
{
    struct saying *w = ctx;
    struct buf *out = &w->out;
    if (w->json) {
        buf_printf(out, "{\"known\": \"%s\", \"stream\": ", s->how_text);
        if (s->stream.at)
            json_put_text(out, s->stream);
        else
            buf_text(out, "null");
        buf_printf(out, ", \"step\": \"%s\", \"text\": ", s->step);
        json_put_text(out, s->text);
        buf_text(out, "}\n");
    } else {
        buf_printf(out, "%-20s %.*s%s%s  %.*s\n", s->how_text, SLICE_ARG(s->stream),
                   s->stream.len ? "  " : "", s->step, SLICE_ARG(s->text));
    }
    return upkeep_put(w->u, out);
}

static struct slice next_word(struct slice *rest)
{
    const uint8_t *end = rest->len ? memchr(rest->at, '\n', rest->len) : NULL;
    uint32_t len = end ? (uint32_t)(end - rest->at) : rest->len;
    struct slice word = slice_make(rest->at, len);
    len += end != NULL;
    *rest = slice_make(rest->at + len, rest->len - len);
    return word;
}

static err_t take_key(struct upkeep *u, const struct store_table *t, struct value *key,
                      uint32_t *count, struct arena *a, struct diag *d)
{
    struct slice rest = u->body;
    err_t e = ERR_OK;
    *count = 0;
    for (uint32_t i = 0; !e && i < t->column_count && i < WHY_KEYS_MAX; i++) {
        const struct store_column *c = &t->columns[i];
        if (c->role != COLUMN_PARTITION && c->role != COLUMN_CLUSTERING) break;
        if (!rest.len) {
            (void)diag_fail(d, ERR_USAGE, "the key's column %.*s is not given", SLICE_ARG(c->name));
            return diag_hint(d, "give each key column of %s, in the key's order", u->table);
        }
        e = value_from_text(c->type, next_word(&rest), a, &key[(*count)++], d);
    }
    if (!e && rest.len) e = diag_fail(d, ERR_USAGE, "%s has %u key columns", u->table, *count);
    return e;
}

static err_t say_row(struct saying *w, const struct store_table *t, const struct column_batch *b)
{
    struct buf text = buf_make(UPKEEP_TEXT_MAX);
    for (uint32_t i = 0; i < t->column_count; i++) {
        struct value v = {.state = NULL_VALUE};
        column_get(&b->columns[i], 0, &v);
        buf_printf(&text, "%s%.*s = ", i ? ", " : "", SLICE_ARG(t->columns[i].name));
        if (v.state == VALID_VALUE)
            value_to_text(&v, &text);
        else
            buf_text(&text, "null");
    }
    struct why_step s = {
        .how = WHY_STORED, .how_text = "stored", .step = "row", .text = buf_view(&text)};
    err_t e = text.err ? text.err : say_step(w, &s);
    buf_done(&text);
    return e;
}

static err_t not_there(const struct saying *w, struct diag *d)
{
    (void)diag_fail(d, ERR_NOT_FOUND, "%s has no row with this key", w->u->table);
    (void)diag_why(d, "it was never written, was removed or has expired: the store keeps no "
                      "trace of which");
    return diag_hint(d, "`sluice why TOPIC PARTITION OFFSET` follows a record that should have "
                        "made it; `sluice dead` lists what could not be used");
}

static err_t read_row(struct saying *w, struct why_row *row, struct column_batch *b, struct diag *d)
{
    const struct store_table *t = row->table;
    struct store_scan *scan = NULL;
    uint16_t *ids = arena_take(b->arena, (t->column_count + 1) * sizeof(*ids));
    if (!ids) return diag_fail(d, ERR_NO_MEMORY, "no memory for a row");
    for (uint32_t i = 0; i < t->column_count; i++) ids[i] = t->columns[i].id;
    struct store_scan_options o = {.table = t,
                                   .column_ids = ids,
                                   .column_count = t->column_count,
                                   .key = row->key,
                                   .key_count = row->key_count,
                                   .now_ms = clock_wall_ms(),
                                   .with_lineage = true};
    err_t e = store_scan_open(w->u->world->store, NULL, &o, &scan, d);
    if (!e) e = store_scan_next(scan, 1, b, &row->lineage, d);
    store_scan_close(scan);
    if (!e && b->rows) {
        row->row = b->columns;
        e = say_row(w, t, b);
    }
    return e;
}

static err_t why_row(struct saying *w, const struct store_table *t, const struct why_options *o,
                     struct diag *d)
{
    struct value key[WHY_KEYS_MAX];
    struct why_row row = {.table = t, .key = key};
    struct arena *a = arena_new(CQL_CALL_BYTES_MAX), *cells = arena_new(CQL_CALL_BYTES_MAX);
    struct column_batch b = {.arena = cells};
    err_t e = a && cells ? take_key(w->u, t, key, &row.key_count, a, d)
                         : diag_fail(d, ERR_NO_MEMORY, "no memory for a row");
    if (!e) e = read_row(w, &row, &b, d);
    if (!e) e = flow_why_row(w->u->world->flow, &row, o, d);
    if (e == ERR_NOT_FOUND && !row.row) e = not_there(w, d);
    arena_free(cells);
    arena_free(a);
    return e;
}

static err_t why_record(struct saying *w, const struct why_options *o, struct diag *d)
{
    struct slice rest = w->u->body, partition = next_word(&rest), offset = next_word(&rest);
    uint64_t p, at;
    if (!log_topic_find(w->u->world->log, slice_of(w->u->table))) {
        (void)diag_fail(d, ERR_UNKNOWN_NAME, "there is no table and no topic %s", w->u->table);
        return diag_hint(d, "`sluice tables` and `sluice topics` list them");
    }
    if (rest.len || !slice_to_u64(partition, &p) || !slice_to_u64(offset, &at) || p > INT32_MAX ||
        at > INT64_MAX)
        return diag_fail(d, ERR_USAGE, "of topic %s: which PARTITION and OFFSET?", w->u->table);
    return flow_why_record(w->u->world->flow, slice_of(w->u->table), (int32_t)p, (int64_t)at, o, d);
}

/* At most one line a second; the client knows by the mark that it is no part of the answer. */
static void say_progress(void *ctx, uint64_t done, uint64_t of)
{
    struct saying *w = ctx;
    int64_t now_ms = clock_mono_ns() / 1000000;
    if (w->failed || now_ms - w->told_ms < PROGRESS_MS) return;
    w->told_ms = now_ms;
    buf_printf(&w->progress, "%c%" PRIu64 " of about %" PRIu64 " records run again\n",
               UPKEEP_PROGRESS_MARK, done, of);
    w->failed = upkeep_put(w->u, &w->progress) != ERR_OK;
}

static bool is_ended(void *ctx)
{
    const struct saying *w = ctx;
    return w->failed || upkeep_stopping(w->u);
}

err_t upkeep_why(struct upkeep *u, struct diag *d)
{
    const struct store_table *t = NULL;
    struct saying w = {.u = u,
                       .out = buf_make(UPKEEP_TEXT_MAX),
                       .progress = buf_make(KIB(1)),
                       .told_ms = clock_mono_ns() / 1000000};
    struct why_options o = {
        .ctx = &w, .each = say_step, .progress = say_progress, .stopping = is_ended};
    struct diag none;
    uint64_t records = 0;
    if (slice_to_u64(slice_of(u->name), &records)) o.records = (uint32_t)MIN(records, UINT32_MAX);
    w.json = strcmp(u->format, "json") == 0;
    err_t e =
        u->world->flow ? ERR_OK : diag_fail(d, ERR_UNSUPPORTED, "a server that runs says why");
    if (!e && !upkeep_table(u, &t, &none))
        e = why_row(&w, t, &o, d);
    else if (!e)
        e = why_record(&w, &o, d);
    buf_done(&w.progress);
    buf_done(&w.out);
    return e;
}
