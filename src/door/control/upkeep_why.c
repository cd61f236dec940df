/* `sluice why`: a row of a table by its key, or a record of a topic by its place. */
#include "door/control/upkeep_int.h"

#include "os/clock.h"

#include <inttypes.h>

enum { WHY_KEYS_MAX = 64 };

struct saying {
    struct upkeep *u;
    struct buf out;
    bool json;
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

static err_t read_row(struct saying *w, const struct store_table *t, struct arena *a,
                      struct store_lineage *lineage, struct diag *d)
{
    struct value key[WHY_KEYS_MAX];
    struct store_scan *scan = NULL;
    struct column_batch b = {.arena = a};
    uint32_t count = 0;
    uint16_t *ids = arena_take(a, (t->column_count + 1) * sizeof(*ids));
    if (!ids) return diag_fail(d, ERR_NO_MEMORY, "no memory for a row");
    for (uint32_t i = 0; i < t->column_count; i++) ids[i] = t->columns[i].id;
    err_t e = take_key(w->u, t, key, &count, a, d);
    struct store_scan_options o = {.table = t,
                                   .column_ids = ids,
                                   .column_count = t->column_count,
                                   .key = key,
                                   .key_count = count,
                                   .now_ms = clock_wall_ms(),
                                   .with_lineage = true};
    if (!e) e = store_scan_open(w->u->world->store, NULL, &o, &scan, d);
    if (!e) e = store_scan_next(scan, 1, &b, lineage, d);
    if (!e && !b.rows) {
        (void)diag_fail(d, ERR_NOT_FOUND, "%s has no row with this key", w->u->table);
        (void)diag_why(d, "it was never written, was removed or has expired: the store keeps no "
                          "trace of which");
        e = diag_hint(d, "`sluice why TOPIC PARTITION OFFSET` follows a record that should have "
                         "made it; `sluice dead` lists what could not be used");
    }
    if (!e) e = say_row(w, t, &b);
    store_scan_close(scan);
    return e;
}

static err_t why_row(struct saying *w, const struct store_table *t, struct diag *d)
{
    struct store_lineage lineage = {0};
    struct why_options o = {w, say_step};
    struct arena *a = arena_new(CQL_CALL_BYTES_MAX);
    if (!a) return diag_fail(d, ERR_NO_MEMORY, "no memory for a row");
    err_t e = read_row(w, t, a, &lineage, d);
    arena_free(a);
    return e ? e : flow_why_row(w->u->world->flow, &lineage, &o, d);
}

static err_t why_record(struct saying *w, struct diag *d)
{
    struct slice rest = w->u->body, partition = next_word(&rest), offset = next_word(&rest);
    struct why_options o = {w, say_step};
    uint64_t p, at;
    if (!log_topic_find(w->u->world->log, slice_of(w->u->table))) {
        (void)diag_fail(d, ERR_UNKNOWN_NAME, "there is no table and no topic %s", w->u->table);
        return diag_hint(d, "`sluice tables` and `sluice topics` list them");
    }
    if (rest.len || !slice_to_u64(partition, &p) || !slice_to_u64(offset, &at) || p > INT32_MAX ||
        at > INT64_MAX)
        return diag_fail(d, ERR_USAGE, "of topic %s: which PARTITION and OFFSET?", w->u->table);
    return flow_why_record(w->u->world->flow, slice_of(w->u->table), (int32_t)p, (int64_t)at, &o,
                           d);
}

err_t upkeep_why(struct upkeep *u, struct diag *d)
{
    const struct store_table *t = NULL;
    struct saying w = {.u = u, .out = buf_make(UPKEEP_TEXT_MAX)};
    struct diag none;
    w.json = strcmp(u->format, "json") == 0;
    err_t e =
        u->world->flow ? ERR_OK : diag_fail(d, ERR_UNSUPPORTED, "a server that runs says why");
    if (!e && !upkeep_table(u, &t, &none))
        e = why_row(&w, t, d);
    else if (!e)
        e = why_record(&w, d);
    buf_done(&w.out);
    return e;
}
