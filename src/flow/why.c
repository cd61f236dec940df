/* why: from a row back to its record, and from a record forward to its rows. What is told is read
 * from the store and the log, or computed again by the plan from the record's own bytes; what can
 * not be known any more is said to be so, with what removed it. Never a guess. Rows of several
 * records: why_past.c, why_fate.c. */
#include "flow/why_int.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { WHY_ARENA = 256 << 20, RAW_SHOWN = 2000 };

/* --- telling ------------------------------------------------------------------------------------
 */

static const char *const how_names[] = {
    [WHY_STORED] = "stored", [WHY_RECOMPUTED] = "recomputed", [WHY_GONE] = "no longer knowable"};

enum { WHY_TEXT_MAX = 64 << 20 };

err_t why_tell(struct why *w, enum why_how how, const char *step, const char *format, ...)
{
    struct buf out = buf_make(WHY_TEXT_MAX);
    va_list args;
    va_start(args, format);
    buf_vprintf(&out, format, args);
    va_end(args);
    const char *text = out.err ? NULL : arena_text(w->arena, buf_view(&out));
    buf_done(&out);
    if (!text) return diag_fail(w->d, ERR_NO_MEMORY, "no memory for an answer");
    struct why_step s = {.how = how,
                         .how_text = how_names[how],
                         .stream = w->stage ? w->stage->name : (struct slice){0},
                         .step = step,
                         .text = slice_of(text)};
    return w->o->each(w->o->ctx, &s);
}

/* --- the record ---------------------------------------------------------------------------------
 */

static err_t keep_record(struct why *w, const struct record *r)
{
    uint8_t *value = arena_take(w->arena, r->value.len + JSON_PADDING);
    w->record = *r;
    if (!value) return ERR_NO_MEMORY;
    if (r->value.len) memcpy(value, r->value.at, r->value.len);
    w->record.value = slice_make(value, r->value.len);
    w->record.key = r->key_null ? (struct slice){0} : arena_slice(w->arena, r->key);
    w->record.headers = arena_slice(w->arena, r->headers);
    w->has_record = true;
    return ERR_OK;
}

static err_t find_in_batch(struct why *w, const struct record_batch *b)
{
    struct record_reader reader;
    struct record record;
    if (b->attributes & 32) return ERR_NOT_FOUND; /* a transaction's marker */
    err_t e = record_batch_open(b, w->batch, OPENED_MAX, &reader);
    while (!e && !(e = record_next(&reader, &record)))
        if (record.offset == w->offset) return keep_record(w, &record);
    return e;
}

static err_t read_record(struct why *w, struct log_partition *p)
{
    struct buf bytes = buf_make(RECORD_BATCH_MAX + READ_BYTES + RECORD_PADDING);
    struct record_batch b;
    err_t e = log_read(p, w->offset, READ_BYTES, &bytes, w->d);
    if (!e && !bytes.len) e = ERR_NOT_FOUND;
    if (!e) e = record_batch_read(buf_view(&bytes), false, &b);
    if (!e) e = find_in_batch(w, &b);
    buf_done(&bytes);
    return e;
}

static err_t tell_headers(struct why *w)
{
    struct cursor c = cursor_of(w->record.headers);
    struct record_header h;
    bool told = false;
    err_t e = ERR_OK;
    for (int32_t i = 0; !e && i < w->record.header_count && !record_header_next(&c, &h); i++) {
        if (!slice_is(h.key, "sluice.provenance")) continue;
        e = why_tell(w, WHY_STORED, "fetch", "%.*s", SLICE_ARG(h.value));
        told = true;
    }
    return e || told
               ? e
               : why_tell(w, WHY_STORED, "fetch", "none: a client produced the record (%d headers)",
                          w->record.header_count);
}

err_t why_tell_record(struct why *w, const char *label, bool fetch)
{
    struct log_topic *t = log_topic_find(w->flow->o.log, w->topic);
    struct log_partition *p = t ? log_partition(t, w->partition) : NULL;
    if (!p)
        return why_tell(w, WHY_GONE, "record",
                        "there is no partition %d of topic %.*s: it was deleted", w->partition,
                        SLICE_ARG(w->topic));
    int64_t start = log_start_offset(p);
    if (w->offset < start)
        return why_tell(w, WHY_GONE, "record", "retention removed offsets < %" PRId64 " of %.*s/%d",
                        start, SLICE_ARG(w->topic), w->partition);
    if (w->offset >= log_end_offset(p)) {
        (void)diag_fail(w->d, ERR_OFFSET_RANGE, "%.*s/%d ends at offset %" PRId64,
                        SLICE_ARG(w->topic), w->partition, log_end_offset(p));
        return ERR_OFFSET_RANGE;
    }
    err_t e = read_record(w, p);
    if (e == ERR_NOT_FOUND)
        return why_tell(w, WHY_GONE, "record",
                        "no record has offset %" PRId64 ": compaction removed it, or it is a "
                        "transaction's marker",
                        w->offset);
    if (e) return w->d->err ? e : diag_fail(w->d, e, "the record can not be read");
    struct slice v = w->record.value;
    if (w->record.value_null)
        e = why_tell(w, WHY_STORED, "record", "%sno value (a tombstone), key %.*s", label,
                     SLICE_ARG(w->record.key));
    else
        e = why_tell(w, WHY_STORED, "record", "%s%.*s%s", label,
                     (int)MIN(v.len, (uint32_t)RAW_SHOWN), (const char *)v.at,
                     v.len > RAW_SHOWN ? "…" : "");
    return e || !fetch ? e : tell_headers(w);
}

/* --- the epoch ----------------------------------------------------------------------------------
 */

struct searching {
    struct why *why;
    bool found;
};

static err_t search_epoch(void *ctx, struct slice key, struct slice value)
{
    struct searching *s = ctx;
    struct why *w = s->why;
    struct epoch_record r;
    (void)key;
    arena_reset(w->batch);
    err_t e = epoch_record_take(value, w->batch, &r);
    for (uint32_t i = 0; !e && i < r.range_count; i++) {
        const struct epoch_range *g = &r.ranges[i];
        if (g->topic != w->topic_number || g->partition != w->partition || w->offset < g->from ||
            w->offset >= g->to)
            continue;
        w->epoch = r;
        s->found = true;
        return ERR_STOPPED;
    }
    return e;
}

/* What ran then. */
static err_t tell_old_sql(struct why *w)
{
    struct flow_sql sql;
    err_t e =
        flow_sql_of(w->flow->o.store, w->stage->owner, w->epoch.sql_version, w->arena, &sql, w->d);
    if (e == ERR_NOT_FOUND)
        return why_tell(w, WHY_GONE, "SQL", "what ran then was not written down");
    return e ? e : why_tell(w, WHY_STORED, "SQL", "%.*s", SLICE_ARG(sql.text));
}

static err_t tell_epoch_of(struct why *w)
{
    struct value when = value_i64(TYPE_TIMESTAMP, w->epoch.now_ms);
    buf_reset(&w->text);
    value_to_text(&when, &w->text);
    w->has_epoch = true;
    bool same = w->epoch.sql_version == w->stage->stream->plan->sql_version;
    err_t e = why_tell(
        w, WHY_STORED, "epoch", "%" PRIu64 " of lane %u, at %s%s%s", w->epoch.epoch >> 8,
        (unsigned)(w->epoch.epoch & 0xff), buf_cstr(&w->text),
        w->epoch.range_count ? ""
                             : "; it replayed dead letters: mended bytes are not kept, the "
                               "log has the record's own",
        same ? "" : "; the stream's SQL has changed since: what is recomputed is today's");
    return e || same ? e : tell_old_sql(w);
}

/* By its number (a row's lineage), or by the range that holds the offset. */
static err_t tell_epoch(struct why *w, uint64_t number)
{
    struct stage_key k = stage_key(w->stage->key);
    struct store *s = w->flow->o.store;
    struct searching q = {.why = w};
    struct slice value;
    err_t e;
    if (number) {
        stage_key_be(&k, number, 8);
        e = store_record(s, NULL, STORE_EPOCH, stage_key_slice(&k), w->arena, &value, w->d);
        if (!e) e = epoch_record_take(value, w->arena, &w->epoch);
        q.found = !e;
        if (e == ERR_NOT_FOUND) e = ERR_OK;
    } else {
        e = store_records(s, NULL, STORE_EPOCH, stage_key_slice(&k), (struct slice){0},
                          search_epoch, &q, w->d);
        if (e == ERR_STOPPED && q.found) e = ERR_OK;
    }
    if (e) return diag_fail(w->d, e, "an epoch's record can not be read");
    if (q.found) return tell_epoch_of(w);
    return why_tell(w, WHY_GONE, "epoch",
                    "%s its record: it went when retention had removed its records, or with a "
                    "reset of the stream; now() and uuid() are not those of then",
                    number ? "the row names epoch" : "no epoch has");
}

/* --- the plan, step by step ---------------------------------------------------------------------
 */

struct trying { /* what one expression, or the whole plan, makes of the record */
    struct why *why;
    const struct plan_node *root;
    struct buf out;
    uint32_t rows;
};

void why_put_row(struct buf *out, const struct plan_node *n, const struct column *columns,
                 uint32_t row)
{
    for (uint32_t c = 0; c < n->column_count; c++) {
        struct value v = {.state = NULL_VALUE};
        column_get(&columns[c], row, &v);
        if (out->len) buf_text(out, ", ");
        if (n->column_count > 1) buf_printf(out, "%.*s = ", SLICE_ARG(n->columns[c].name));
        if (v.state == VALID_VALUE)
            value_to_text(&v, out);
        else
            buf_text(out, "null");
    }
}

static err_t keep_rows(void *ctx, const struct rows *r, struct diag *d)
{
    struct trying *t = ctx;
    (void)d;
    for (uint32_t i = 0; i < r->count; i++)
        why_put_row(&t->out, t->root, r->b->columns, r->selected[i]);
    t->rows += r->count;
    return t->out.err;
}

static err_t no_letter(void *ctx, err_t e, struct slice reason, struct slice expression,
                       struct slice raw, struct diag *d)
{
    (void)ctx, (void)e, (void)reason, (void)expression, (void)raw, (void)d;
    return ERR_OK; /* of a row that is no record; told where the record's own way is told */
}

static void load(struct why *w)
{
    struct chunk *c = w->chunk;
    chunk_reset(c);
    c->values[0] = w->record.value_null ? (struct slice){0} : w->record.value;
    c->keys[0] = w->record.key;
    c->offsets[0] = w->offset;
    c->times[0] = w->record.timestamp;
    c->partitions[0] = w->partition;
    c->gone[0] = 0;
    c->rows = 1;
}

err_t why_push(struct why *w, const struct plan_node *root, void *ctx,
               err_t (*tap)(void *ctx, struct op *from, struct rows *r, struct diag *d),
               err_t (*end)(void *ctx, const struct rows *r, struct diag *d))
{
    const struct plan_stream *p = w->stage->stream->plan;
    struct counter counter = {.skip = -1};
    struct graph *g = NULL;
    struct graph_options o = {.root = root,
                              .node_count = root->id + 1,
                              .store = w->flow->o.store,
                              .log = w->flow->o.log,
                              .scratch = true,
                              .stream = w->stage->stream->number,
                              .name = p->name,
                              .memory_max = MIB(64),
                              .ctx = ctx,
                              .tap = tap,
                              .end = end,
                              .dead = no_letter};
    err_t e = graph_new(&o, &g, w->d);
    if (e) return e;
    arena_reset(w->batch);
    load(w);
    graph_begin(g, w->has_epoch ? w->epoch.now_ms : w->record.timestamp,
                w->has_epoch ? w->epoch.epoch : 0, INT64_MIN, &counter, w->batch);
    e = graph_push(g, w->topic_number, w->chunk, w->d);
    graph_free(g);
    return e;
}

/* The rows as text, or what the letter says. */
static err_t push(struct trying *t)
{
    struct why *w = t->why;
    const struct chunk_dead *n = &w->chunk->dead[0];
    buf_reset(&t->out);
    t->rows = 0;
    err_t e = why_push(w, t->root, t, NULL, keep_rows);
    if (!e && w->chunk->dead_count)
        buf_printf(&t->out, "%.*s (%s)", SLICE_ARG(n->reason), err_name(n->err));
    return e;
}

/* One expression of a ROWS node, over what its input gives. */
static err_t tell_expression(struct why *w, const struct plan_node *n, const char *step,
                             struct slice name, const struct expr *x, bool *passes)
{
    struct plan_output output = {name, expr_type(x), x};
    struct plan_column column = {name, expr_type(x)};
    struct plan_node one = *n;
    struct buf printed = buf_make(WHY_TEXT);
    struct trying t = {.why = w, .root = &one, .out = buf_make(WHY_TEXT)};
    one.columns = &column;
    one.column_count = 1;
    one.rows = (struct plan_rows){.outputs = &output, .output_count = 1};
    err_t e = push(&t);
    expr_print(x, &printed);
    *passes = t.rows && strcmp(buf_cstr(&t.out), "true") == 0;
    if (!e)
        e = why_tell(w, WHY_RECOMPUTED, step, "%.*s%s%s -> %s", SLICE_ARG(name),
                     name.len ? ": " : "", buf_cstr(&printed),
                     t.rows || t.out.len ? buf_cstr(&t.out) : "no row comes here");
    buf_done(&printed);
    buf_done(&t.out);
    return e;
}

static err_t tell_rows_node(struct why *w, const struct plan_node *n, bool *ended)
{
    static const char *const actions[] = {[CHECK_DEAD_LETTER] = "CHECK … ELSE DEAD LETTER",
                                          [CHECK_SKIP] = "CHECK … ELSE SKIP",
                                          [CHECK_FAIL] = "CHECK … ELSE FAIL",
                                          [CHECK_NULL] = "CHECK … ELSE NULL"};
    const struct plan_rows *p = &n->rows;
    bool passes = true;
    err_t e = ERR_OK;
    if (p->where) e = tell_expression(w, n, "WHERE", SLICE(""), p->where, &passes);
    *ended = !passes;
    for (uint32_t i = 0; !e && !*ended && i < p->check_count; i++) {
        e = tell_expression(w, n, actions[p->checks[i].action], SLICE(""), p->checks[i].condition,
                            &passes);
        *ended = !passes && p->checks[i].action != CHECK_NULL;
    }
    for (uint32_t i = 0; !e && !*ended && i < p->output_count; i++)
        e = tell_expression(w, n, "output", p->outputs[i].name, p->outputs[i].value, &passes);
    return e;
}

/* The node's input by which the topic's records come; NULL: not by this node. */
static const struct plan_node *way_from(const struct plan_node *n, uint32_t topic, uint32_t *input)
{
    if (n->kind == NODE_TOPIC) return n->topic.number == topic ? n : NULL;
    for (uint32_t i = 0; i < n->input_count; i++) {
        uint32_t below;
        if (!way_from(n->inputs[i], topic, &below)) continue;
        *input = i;
        return n->inputs[i];
    }
    return NULL;
}

const struct plan_node *why_memory(const struct plan_stream *p, uint32_t topic, uint32_t *input)
{
    const struct plan_node *found = NULL;
    uint32_t at = 0;
    for (const struct plan_node *n = p->root; n && n->kind != NODE_TOPIC;) {
        const struct plan_node *next = way_from(n, topic, &at);
        bool remembers = n->kind == NODE_GROUP || n->kind == NODE_JOIN || n->kind == NODE_TOP ||
                         n->kind == NODE_DISTINCT;
        if (remembers) {
            found = n;
            *input = at;
        }
        n = next;
    }
    return found;
}

/* What no run can repeat; NULL: nothing. */
static const char *why_not(const struct plan_node *n)
{
    const char *no = n->kind == NODE_TRANSFORM ? "a command of yours makes its rows" : NULL;
    for (uint32_t i = 0; !no && i < n->input_count; i++) no = why_not(n->inputs[i]);
    return no;
}

static err_t tell_nodes(struct why *w, const struct plan_node *n, bool *ended)
{
    uint32_t input;
    const struct plan_node *below =
        n->kind == NODE_TOPIC ? NULL : way_from(n, w->topic_number, &input);
    err_t e = below ? tell_nodes(w, below, ended) : ERR_OK;
    if (e || *ended || !below) return e;
    if (n->kind == NODE_ROWS) return tell_rows_node(w, n, ended);
    struct trying t = {.why = w, .root = n, .out = buf_make(WHY_TEXT)};
    e = push(&t);
    if (!e) e = why_tell(w, WHY_RECOMPUTED, node_names[n->kind], "1 row in, %u out", t.rows);
    buf_done(&t.out);
    return e;
}

/* What today's SQL makes of the record, up to `root`; *rows: how many rows of it. */
static err_t tell_steps(struct why *w, const struct plan_node *root, uint32_t *rows)
{
    struct trying t = {.why = w, .root = root, .out = buf_make(WHY_TEXT)};
    bool ended = false, last = root == w->stage->stream->plan->root;
    err_t e = tell_nodes(w, root, &ended);
    if (!e) e = push(&t);
    *rows = t.rows;
    if (!e && t.rows)
        e = last ? why_tell(w, WHY_RECOMPUTED, "row", "%s", buf_cstr(&t.out)) : ERR_OK;
    else if (!e && t.out.len)
        e = why_tell(w, WHY_RECOMPUTED, "dead", "%s", buf_cstr(&t.out));
    else if (!e)
        e = why_tell(w, WHY_RECOMPUTED, "filtered", "the step above leaves the record out");
    buf_done(&t.out);
    return e;
}

/* --- the two questions --------------------------------------------------------------------------
 */

static err_t open_why(struct why *w)
{
    w->arena = arena_new(WHY_ARENA);
    w->batch = arena_new(WHY_ARENA);
    w->chunk = mem_take(sizeof(*w->chunk));
    w->text = buf_make(WHY_TEXT);
    return w->arena && w->batch && w->chunk
               ? ERR_OK
               : diag_fail(w->d, ERR_NO_MEMORY, "no memory to say why");
}

static void close_why(struct why *w)
{
    buf_done(&w->text);
    mem_give(w->chunk);
    arena_free(w->batch);
    arena_free(w->arena);
}

static err_t refuse(struct why *w, const char *why)
{
    (void)diag_fail(w->d, ERR_UNSUPPORTED, "stream '%.*s' can not be explained in this version: %s",
                    SLICE_ARG(w->stage->name), why);
    return diag_hint(w->d, "streams that make rows of single records can");
}

static struct stage *stage_of(const struct flow *f, uint32_t number)
{
    for (uint32_t i = 0; i < f->stage_count; i++) {
        struct stage *s = f->stages[i];
        if (stage_lives(s) && s->stream && s->stream->number == number) return s;
    }
    return NULL;
}

/* Of a plan without state: the record has its topic by the epoch's ranges. */
static err_t find_topic(struct why *w)
{
    const struct stream *s = w->stage->stream;
    uint32_t found = 0;
    for (uint32_t i = 0; w->has_epoch && i < w->epoch.range_count; i++) {
        const struct epoch_range *g = &w->epoch.ranges[i];
        if (g->topic >= s->plan->topic_count || g->partition != w->partition ||
            w->offset < g->from || w->offset >= g->to)
            continue;
        w->topic_number = g->topic;
        found++;
    }
    w->topic = s->topics[w->topic_number].name;
    if (s->plan->topic_count == 1) found = 1;
    if (found == 1)
        return why_tell(w, WHY_STORED, "origin", "%.*s/%d offset %" PRId64, SLICE_ARG(w->topic),
                        w->partition, w->offset);
    return ERR_NOT_FOUND;
}

static err_t row_back(struct why *w, const struct why_row *row)
{
    const struct store_lineage *from = &row->lineage;
    w->stage = stage_of(w->flow, from->stream);
    if (!from->stream || from->epoch == 0) {
        w->stage = NULL;
        return why_tell(w, WHY_STORED, "row",
                        "no stream wrote it: a client of CQL did, or its stream "
                        "keeps no lineage");
    }
    if (!w->stage)
        return why_tell(w, WHY_GONE, "stream", "number %u: pipeline.sql declares it no more",
                        from->stream);
    const struct plan_stream *p = w->stage->stream->plan;
    const char *no = why_not(p->root);
    uint32_t rows;
    if (no) return refuse(w, no);
    w->partition = (int32_t)from->partition;
    w->offset = from->offset;
    if (p->stateful || from->offset < 0) {
        err_t e = tell_epoch(w, from->epoch);
        return e ? e : why_past(w, row);
    }
    err_t e = p->topic_count > 1 ? tell_epoch(w, from->epoch) : ERR_OK;
    if (!e) e = find_topic(w);
    if (e == ERR_NOT_FOUND) return why_past(w, row); /* of two topics, the run tells which */
    if (!e && p->topic_count == 1) e = tell_epoch(w, from->epoch);
    if (!e) e = why_tell_record(w, "", true);
    return e || !w->has_record ? e : tell_steps(w, p->root, &rows);
}

/* A row that is not there: streams with state took it back, or never made it. */
static err_t row_gone(struct why *w, const struct why_row *row)
{
    bool any = false;
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < w->flow->stage_count; i++) {
        const struct stage *of = w->flow->stages[i];
        const struct stream *s = stage_lives(of) ? of->stream : NULL;
        if (!s || s->plan->sink != SINK_TABLE || !s->plan->stateful || why_not(s->plan->root) ||
            !slice_equal(s->plan->into->name, row->table->name) ||
            !slice_equal(s->plan->into->keyspace, row->table->keyspace))
            continue;
        any = true;
        w->stage = w->flow->stages[i];
        e = why_past(w, row);
    }
    return e || any ? e : ERR_NOT_FOUND;
}

err_t flow_why_row(struct flow *f, const struct why_row *row, const struct why_options *o,
                   struct diag *d)
{
    struct why w = {.flow = f, .o = o, .d = d};
    err_t e = open_why(&w);
    if (!e) e = row->row ? row_back(&w, row) : row_gone(&w, row);
    close_why(&w);
    return e;
}

void why_ask(const struct why *w, struct rerun *r)
{
    r->progress = w->o->progress;
    r->stopping = w->o->stopping;
    r->asked_ctx = w->o->ctx;
}

static err_t tell_letter(struct why *w, bool *dead)
{
    struct dead_filter q = {.stage = w->stage->name,
                            .topic = w->topic,
                            .partition = &w->partition,
                            .offset = &w->offset};
    struct dead_letter l;
    err_t e = dead_next(w->flow->o.store, &q, (struct slice){0}, w->arena, &l, w->d);
    *dead = !e;
    if (e) return e == ERR_NOT_FOUND ? ERR_OK : e;
    return why_tell(w, WHY_STORED, "dead letter", "%s: %.*s%s%.*s", err_name(l.err),
                    SLICE_ARG(l.reason), l.expression.len ? ", in " : "", SLICE_ARG(l.expression));
}

/* Where the stream stands on the partition; -1: it has not begun. */
static err_t cursor_of_partition(struct why *w, int64_t *next)
{
    struct stage_key k = cursor_key(w->stage->key, w->topic_number, w->partition);
    struct stream_cursor c;
    struct slice value;
    *next = -1;
    err_t e = store_record(w->flow->o.store, NULL, STORE_CURSOR, stage_key_slice(&k), w->arena,
                           &value, w->d);
    if (e) return e == ERR_NOT_FOUND ? ERR_OK : e;
    e = stream_cursor_take(value, &c);
    *next = c.next;
    return e;
}

/* --- where a row is now -------------------------------------------------------------------------
 */

static err_t compare_lineage(struct why *w, const struct store_lineage *l)
{
    const struct stage *by = NULL;
    for (uint32_t i = 0; i < w->flow->stage_count; i++)
        if (w->flow->stages[i]->stream && w->flow->stages[i]->stream->number == l->stream)
            by = w->flow->stages[i];
    if (by == w->stage && l->offset == w->offset && (int32_t)l->partition == w->partition)
        return why_tell(w, WHY_STORED, "in the table", "the row is of this record");
    if (!l->epoch)
        return why_tell(w, WHY_STORED, "overwritten",
                        "by a client, or by a stream without lineage");
    if (!by || l->offset < 0)
        return why_tell(w, WHY_STORED, "overwritten", "by %s",
                        by ? "a row of several records" : "a stream that is no more");
    return why_tell(w, WHY_STORED, "overwritten", "by stream %.*s from %.*s/%u offset %" PRId64,
                    SLICE_ARG(by->name), SLICE_ARG(by->stream->topics[0].name), l->partition,
                    l->offset);
}

err_t why_look_up(struct why *w, const struct store_table *t, const struct value *key,
                  uint32_t key_count)
{
    struct store_lineage lineage = {0};
    struct column_batch b = {0};
    struct store_scan *scan = NULL;
    struct arena *a = arena_new(MIB(64));
    struct store_scan_options o = {.table = t,
                                   .column_ids = &t->columns[0].id,
                                   .column_count = 1,
                                   .key = key,
                                   .key_count = key_count,
                                   .now_ms = clock_wall_ms(),
                                   .with_lineage = true};
    if (!a) return diag_fail(w->d, ERR_NO_MEMORY, "no memory to look up a row");
    b.arena = a;
    err_t e = store_scan_open(w->flow->o.store, NULL, &o, &scan, w->d);
    if (!e) e = store_scan_next(scan, 1, &b, &lineage, w->d);
    store_scan_close(scan);
    bool there = !e && b.rows;
    arena_free(a);
    if (e) return e;
    if (there) return compare_lineage(w, &lineage);
    return why_tell(
        w, WHY_GONE, "not in the table",
        "it was removed, has expired or the table was emptied: the store keeps no trace "
        "of which");
}

static err_t land_rows(void *ctx, const struct rows *r, struct diag *d)
{
    struct why *w = ctx;
    const struct plan_stream *p = w->stage->stream->plan;
    const struct store_table *table =
        store_table_find(w->flow->o.store, p->into->keyspace, p->into->name);
    err_t e = table ? ERR_OK
                    : diag_fail(d, ERR_UNKNOWN_TABLE, "table '%.*s' is no more",
                                SLICE_ARG(p->into->name));
    for (uint32_t i = 0; !e && i < r->count; i++) {
        struct value key[64];
        uint32_t count = 0;
        for (uint32_t k = 0; k < p->into->column_count && p->into->columns[k].key; k++)
            for (uint32_t c = 0; count < COUNT_OF(key) && c < r->b->column_count; c++)
                if (slice_equal(p->root->columns[c].name, p->into->columns[k].name))
                    column_get(&r->b->columns[c], r->selected[i], &key[count++]);
        bool whole = true;
        for (uint32_t k = 0; k < count; k++) whole &= key[k].state == VALID_VALUE;
        e = whole ? why_look_up(w, table, key, count)
                  : why_tell(w, WHY_RECOMPUTED, "dead", "a key column is null");
    }
    return e;
}

/* Which of the rows that the record makes are there, or who was there later. */
static err_t tell_landed(struct why *w)
{
    const struct plan_stream *p = w->stage->stream->plan;
    if (p->sink != SINK_TABLE)
        return why_tell(w, WHY_RECOMPUTED, "into", "%.*s: where in it is not recorded",
                        SLICE_ARG(w->stage->into));
    return why_push(w, p->root, w, NULL, land_rows);
}

static err_t stream_forward(struct why *w)
{
    const struct plan_stream *p = w->stage->stream->plan;
    const char *no = why_not(p->root);
    uint32_t rows = 0, input = 0;
    const struct plan_node *memory = why_memory(p, w->topic_number, &input);
    int64_t next = -1;
    bool dead = false;
    if (no) return refuse(w, no);
    err_t e = cursor_of_partition(w, &next);
    if (!e && next <= w->offset)
        return why_tell(w, WHY_STORED, "not read yet", "the stream stands at offset %" PRId64,
                        next);
    w->has_epoch = false;
    if (!e) e = tell_epoch(w, 0);
    if (!e) e = tell_letter(w, &dead);
    if (e || !w->has_record) return e;
    e = tell_steps(w, memory ? memory->inputs[input] : p->root, &rows);
    if (e || !rows) return e;
    return memory ? why_fate(w, memory, input) : tell_landed(w);
}

err_t flow_why_record(struct flow *f, struct slice topic, int32_t partition, int64_t offset,
                      const struct why_options *o, struct diag *d)
{
    struct why w = {
        .flow = f, .o = o, .topic = topic, .partition = partition, .offset = offset, .d = d};
    uint32_t readers = 0;
    err_t e = open_why(&w);
    if (!e) e = why_tell_record(&w, "", true);
    for (uint32_t i = 0; !e && i < f->stage_count; i++) {
        struct stream *s = stage_lives(f->stages[i]) ? f->stages[i]->stream : NULL;
        w.stage = f->stages[i];
        for (uint32_t t = 0; !e && s && t < s->plan->topic_count; t++) {
            if (!slice_equal(s->topics[t].name, topic)) continue;
            w.topic_number = t; /* a join of a topic with itself reads it twice */
            readers++;
            e = stream_forward(&w);
        }
    }
    w.stage = NULL;
    if (!e && !readers) e = why_tell(&w, WHY_STORED, "streams", "none reads the topic");
    close_why(&w);
    return e;
}
