/* What `sluice dead` shows. */
#include "exec/report.h"

#include "base/hash.h"

#include <inttypes.h>

enum { SHOWN = 300 }; /* bytes of the raw record in the text form */

struct walk {
    struct buf *out;
    bool json;
    uint64_t count, skip;
};

static void json_field(struct buf *out, const char *name, struct slice text)
{
    buf_printf(out, "\"%s\": ", name);
    json_put_text(out, text);
}

static void put_bytes(struct buf *out, const char *name, struct slice s)
{
    buf_printf(out, "    %s", name);
    for (uint32_t i = 0; i < MIN(s.len, (uint32_t)SHOWN); i++)
        buf_char(out, s.at[i] < ' ' ? ' ' : (char)s.at[i]);
    buf_printf(out, "%s\n", s.len > SHOWN ? "…" : "");
}

static void put_text(struct buf *out, const struct dead_letter *l)
{
    struct value when = value_i64(TYPE_TIMESTAMP, l->time_ms);
    value_to_text(&when, out);
    buf_printf(out, "  %.*s  %.*s-%d@%" PRId64 "  %s\n    reason: %.*s\n", SLICE_ARG(l->stage),
               SLICE_ARG(l->topic), l->partition, l->offset, err_name(l->err),
               SLICE_ARG(l->reason));
    if (l->column.len) buf_printf(out, "    column: %.*s\n", SLICE_ARG(l->column));
    if (l->expression.len) buf_printf(out, "    check:  %.*s\n", SLICE_ARG(l->expression));
    if (l->count > 1) buf_printf(out, "    stands for %" PRIu64 " records\n", l->count);
    put_bytes(out, "record: ", l->raw);
    if (l->mended.at) put_bytes(out, "mended: ", l->mended);
}

/* Bytes that are no UTF-8 are there as base64, too. */
static void put_json_bytes(struct buf *out, const char *name, struct slice s)
{
    struct value v;
    buf_text(out, ", ");
    json_field(out, name, s);
    if (value_from_binary(type_of(TYPE_TEXT), s, &v, NULL) == ERR_OK) return;
    buf_printf(out, ", \"%sBase64\": \"", name);
    put_base64(out, s);
    buf_char(out, '"');
}

static void put_json(struct buf *out, const struct dead_letter *l)
{
    buf_char(out, '{');
    json_field(out, "stage", l->stage);
    buf_text(out, ", ");
    json_field(out, "topic", l->topic);
    buf_printf(out,
               ", \"partition\": %d, \"offset\": %" PRId64 ", \"timeMs\": %" PRId64
               ", \"writtenMs\": %" PRId64 ", \"epoch\": %" PRIu64 ", \"records\": %" PRIu64
               ", \"error\": \"%s\", ",
               l->partition, l->offset, l->time_ms, l->written_ms, l->epoch, l->count,
               err_name(l->err));
    json_field(out, "reason", l->reason);
    buf_text(out, ", ");
    json_field(out, "expression", l->expression);
    buf_text(out, ", ");
    json_field(out, "column", l->column);
    buf_text(out, ", ");
    json_field(out, "key", l->key);
    put_json_bytes(out, "record", l->raw);
    if (l->mended.at) put_json_bytes(out, "mended", l->mended);
    buf_text(out, "}\n");
}

static err_t count_one(void *ctx, const struct dead_letter *l)
{
    struct walk *w = ctx;
    (void)l;
    w->count++;
    return ERR_OK;
}

static err_t put_one(void *ctx, const struct dead_letter *l)
{
    struct walk *w = ctx;
    if (w->skip) {
        w->skip--;
        return ERR_OK;
    }
    (w->json ? put_json : put_text)(w->out, l);
    return w->out->err;
}

err_t report_dead(const struct exec_world *w, struct slice stage, bool json, uint64_t limit,
                  struct buf *out, struct diag *d)
{
    struct walk walk = {out, json, 0, 0};
    err_t e = dead_letters(w->store, stage, count_one, &walk, d);
    if (limit && walk.count > limit) walk.skip = walk.count - limit;
    uint64_t older = walk.skip;
    if (!e) e = dead_letters(w->store, stage, put_one, &walk, d);
    if (e || json) return e;
    buf_printf(out, "(%" PRIu64 " dead letter%s", walk.count, walk.count == 1 ? "" : "s");
    if (older) buf_printf(out, ", %" PRIu64 " older not shown", older);
    buf_text(out, ")\n");
    return ERR_OK;
}
