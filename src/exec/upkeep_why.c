/* `sluice why`: a row of a table by its key, or a record of a topic by its place. */
#include "exec/upkeep_int.h"
#include "exec/why.h"

#include "os/clock.h"

#include <inttypes.h>

enum { PROGRESS_MS = 1000 };

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

static err_t why_row(struct saying *w, const struct store_table *t, const struct why_options *o,
                     struct diag *d)
{
    struct slice words[WHY_KEYS_MAX], rest = w->u->body;
    uint32_t count = 0;
    while (rest.len && count < WHY_KEYS_MAX) words[count++] = next_word(&rest);
    if (rest.len)
        return diag_fail(d, ERR_USAGE, "those are more words than a key of %s has", w->u->table);
    return why_of_row(w->u->world, t, words, count, o, d);
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
