/* answer: from what a port brought to records on disk, each exactly once. */
#include "flow/flow_int.h"

enum {
    ITEM_OVERHEAD = 96, /* a record's lengths and header names, generously */
    PLACE_HEAD_MAX = 512
};

/* --- making: key, time, partition, or a dead letter ---------------------------------------------
 */

struct making {
    struct source *s;
    const struct source_answer *got;
    struct answer *out;
    struct slice *documents; /* padded copies */
    int64_t now_ms;
    err_t machine; /* a decoder without memory: no reason for a dead letter */
};

static void refuse(struct making *m, uint64_t index, err_t e, struct slice reason,
                   struct slice expression, struct slice raw)
{
    m->out->dead[m->out->dead_count++] = (struct answer_dead){
        .index = index, .err = e, .reason = reason, .expression = expression, .raw = raw};
    count_term(&m->s->counter, TERM_DEAD, 1);
}

/* The port owes nothing about what follows an item; the decoder reads past the end. */
static err_t copy_documents(struct making *m)
{
    size_t bytes = JSON_PADDING;
    for (uint32_t i = 0; i < m->got->item_count; i++) bytes += m->got->items[i].value.len;
    uint8_t *to = arena_take_raw(m->s->arena, bytes);
    m->documents = arena_take(m->s->arena, (m->got->item_count + 1) * sizeof(*m->documents));
    if (!to || !m->documents) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < m->got->item_count; i++) {
        struct slice v = m->got->items[i].value;
        if (v.len) memcpy(to, v.at, v.len);
        m->documents[i] = slice_make(to, v.len);
        to += v.len;
    }
    memset(to, 0, JSON_PADDING);
    return ERR_OK;
}

static const char *fault_text(const struct column_batch *b, uint32_t row)
{
    const struct row_fault *f = batch_fault_of(b, row);
    return f && f->text ? f->text : "not valid JSON";
}

/* One item's key and time as the decoder found them; false: it became a dead letter. */
static bool key_and_time(struct making *m, const struct column_batch *b, uint32_t row,
                         uint64_t index, struct answer_item *item)
{
    const struct flow_source_options *o = &m->s->o;
    uint32_t at = 0;
    const struct row_fault *fault = b->fault_count ? batch_fault_of(b, row) : NULL;
    bool told = !fault;
    if (fault && err_passes(fault->err)) m->machine = fault->err;
    for (int which = 0; which < 2; which++) {
        struct slice path = which == 0 ? o->key_path : o->time_path;
        if (!path.len) continue;
        const struct column *c = &b->columns[at++];
        if (c->state[row] == ERROR_VALUE) {
            refuse(m, index, fault ? fault->err : ERR_TYPE, slice_of(fault_text(b, row)), path,
                   m->documents[index]);
            return false;
        }
        told = told || c->state[row] == VALID_VALUE;
        if (which == 0 && c->state[row] == VALID_VALUE) {
            item->key = c->bytes[row];
            item->key_null = false;
        }
        if (which == 1 && c->state[row] == VALID_VALUE) item->time_ms = c->i64[row];
    }
    if (!told) { /* a fault that marks no column is the document's */
        refuse(m, index, fault->err, slice_of(fault_text(b, row)), SLICE(""), m->documents[index]);
        return false;
    }
    if (o->key_path.len && (item->key_null || item->key.len == 0)) {
        refuse(m, index, ERR_CONSTRAINT, SLICE("the item has no key"), o->key_path,
               m->documents[index]);
        return false;
    }
    return true;
}

static void place_item(struct making *m, struct answer_item *item, uint64_t index)
{
    struct source *s = m->s;
    size_t size = (size_t)item->key.len + item->value.len + m->out->provenance.len +
                  m->out->cursor.len + ITEM_OVERHEAD + PLACE_HEAD_MAX;
    if (size > s->batch_max) {
        refuse(m, index, ERR_TOO_BIG,
               SLICE("the item is larger than the topic's max.message.bytes"), SLICE(""),
               item->value);
        return;
    }
    item->partition = item->key_null ? (int32_t)(m->out->number % (uint64_t)s->partitions)
                                     : kafka_partition_of(item->key, s->partitions);
    m->out->items[m->out->item_count++] = *item;
    count_term(&s->counter, TERM_APPLIED, 1);
}

static err_t make_block(struct making *m, uint32_t from, uint32_t count, struct diag *d)
{
    struct source *s = m->s;
    struct column_batch b = {0};
    const uint32_t paths = s->path_count;
    if (paths) {
        err_t e = batch_init(&b, s->path_types, paths, count, s->arena);
        if (!e) e = json_decode(s->decoder, s->paths, m->documents + from, count, &b);
        if (e)
            return diag_fail(d, e, "keys of an answer of source '%.*s'", SLICE_ARG(s->stage->name));
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = from + i;
        struct answer_item item = {
            .time_ms = m->now_ms, .key_null = true, .value = m->documents[index]};
        if (paths && !key_and_time(m, &b, i, index, &item)) continue;
        place_item(m, &item, index);
    }
    return ERR_OK;
}

/* By partition, keeping the order within each: a counting sort. */
static err_t sort_items(struct making *m)
{
    struct answer *a = m->out;
    uint32_t partitions = (uint32_t)m->s->partitions;
    uint32_t *starts = arena_take(m->s->arena, (partitions + 1) * sizeof(*starts));
    struct answer_item *sorted = arena_take_raw(m->s->arena, (a->item_count + 1) * sizeof(*sorted));
    if (!starts || !sorted) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < a->item_count; i++) starts[a->items[i].partition + 1]++;
    for (uint32_t p = 0; p < partitions; p++) starts[p + 1] += starts[p];
    for (uint32_t i = 0; i < a->item_count; i++)
        sorted[starts[a->items[i].partition]++] = a->items[i];
    a->items = sorted;
    return ERR_OK;
}

err_t answer_make(struct source *s, const struct source_answer *got, int64_t now_ms,
                  struct answer *out, struct diag *d)
{
    struct making m = {.s = s, .got = got, .out = out, .now_ms = now_ms};
    struct ledger before = s->counter.now, delta;
    uint64_t most = (uint64_t)got->item_count + got->reject_count;
    *out = (struct answer){.number = s->number + 1,
                           .answers = s->answers + (got->item_count > 0),
                           .now_ms = now_ms,
                           .repeatable = got->repeatable};
    out->cursor = arena_slice(s->arena, got->cursor);
    out->provenance = arena_slice(s->arena, got->provenance);
    out->items = arena_take_raw(s->arena, (got->item_count + 1) * sizeof(*out->items));
    out->dead = arena_take_raw(s->arena, (most + 1) * sizeof(*out->dead));
    err_t e = out->items && out->dead && out->cursor.at ? copy_documents(&m) : ERR_NO_MEMORY;
    for (uint32_t at = 0; !e && at < got->item_count; at += CHUNK_ROWS) {
        uint32_t count = MIN(got->item_count - at, (uint32_t)CHUNK_ROWS);
        count_term(&s->counter, TERM_IN, count);
        e = make_block(&m, at, count, d);
    }
    for (uint32_t i = 0; !e && i < got->reject_count; i++) {
        const struct source_reject *r = &got->rejects[i];
        count_term(&s->counter, TERM_IN, 1);
        refuse(&m, (uint64_t)got->item_count + i, r->err, arena_slice(s->arena, r->reason),
               SLICE(""), arena_slice(s->arena, r->raw));
    }
    if (!e) e = m.machine ? m.machine : sort_items(&m);
    out->ledger = s->counter.now;
    delta = out->ledger;
    for (int t = 0; t < TERMS; t++)
        *ledger_term(&delta, (enum ledger_term)t) -= *ledger_term(&before, (enum ledger_term)t);
    if (!e && !ledger_balanced(&delta)) /* (F4) */
        return diag_fail(d, ERR_LEDGER,
                         "source '%.*s', answer %llu: %llu in, %llu applied, %llu dead",
                         SLICE_ARG(s->stage->name), (unsigned long long)out->number,
                         (unsigned long long)delta.in, (unsigned long long)delta.applied,
                         (unsigned long long)delta.dead);
    if (!e) return ERR_OK;
    s->counter.now = before;
    return err_passes(e) ? diag_fail(d, e, "an answer of %u items", got->item_count) : e;
}

/* --- settling ------------------------------------------------------------------------------------
 */

struct part { /* what one partition still lacks of the answer */
    struct log_append append;
    struct buf bytes;
    struct source *source;
    int32_t sequence;     /* of the next batch */
    uint32_t first, last; /* the items that the first and the last batch begin with */
    uint32_t items;
};

/* Where the batch that begins at item `from` ends: the partition's end, or batch_max. */
static uint32_t batch_end(const struct source *s, const struct answer *a, uint32_t from)
{
    size_t size = PLACE_HEAD_MAX + a->cursor.len;
    uint32_t i = from;
    for (; i < a->item_count && a->items[i].partition == a->items[from].partition; i++) {
        size +=
            (size_t)a->items[i].key.len + a->items[i].value.len + a->provenance.len + ITEM_OVERHEAD;
        if (size > s->batch_max && i > from) break;
    }
    return i;
}

/* One batch is one append, whole or not there: it needs no journal (F7). Neither does an answer
 * whose letters a second fetch would write again. */
bool answer_needs_journal(const struct source *s, const struct answer *a)
{
    if (a->dead_count && !a->repeatable) return true;
    if (!a->item_count) return a->dead_count > 0;
    return batch_end(s, a, 0) < a->item_count;
}

static err_t write_dead(struct source *s, const struct answer *a, struct diag *d)
{
    struct store_write *w = NULL;
    size_t bytes = MIB(1);
    uint64_t written = 0;
    if (!a->dead_count) return ERR_OK;
    for (uint32_t i = 0; i < a->dead_count; i++)
        bytes += 4096 + a->dead[i].key.len + MIN(a->dead[i].raw.len, (uint32_t)DEAD_RAW_MAX) * 2;
    err_t e = store_write_begin(s->stage->flow->o.store, STORE_LIVE, bytes, &w, d);
    for (uint32_t i = 0; !e && i < a->dead_count; i++) {
        const struct answer_dead *n = &a->dead[i];
        struct dead_note note = {.major = a->number,
                                 .partition = -1,
                                 .minor = (int64_t)n->index,
                                 .offset = -1,
                                 .time_ms = a->now_ms,
                                 .written_ms = a->now_ms,
                                 .count = 1,
                                 .epoch = a->number,
                                 .err = n->err,
                                 .topic = s->o.topic,
                                 .reason = n->reason,
                                 .expression = n->expression,
                                 .key = n->key,
                                 .raw = n->raw};
        e = dead_write(w, s->stage->name, &note, &s->scratch, &written, d);
    }
    if (!e) e = dead_room(s->stage, written, d);
    if (!e) {
        e = store_write_commit(w, d);
        if (!e) atomic_fetch_add(&s->stage->dead_bytes, (int64_t)written);
        return e;
    }
    store_write_abort(w);
    return e;
}

static err_t build_batch(struct source *s, const struct answer *a, uint32_t from, uint32_t to,
                         const struct place_head *head, struct part *part, struct diag *d)
{
    struct record_builder b = record_builder_make(RECORD_BATCH_MAX);
    struct record_header headers[2] = {{SLICE("sluice.provenance"), a->provenance, false}};
    buf_reset(&s->scratch);
    place_head_put(&s->scratch, head);
    headers[1] = (struct record_header){SLICE("sluice.cursor"), buf_view(&s->scratch), false};
    for (uint32_t i = from; i < to; i++) {
        const struct answer_item *item = &a->items[i];
        record_builder_add(&b, item->time_ms, item->key_null ? (struct slice){0} : item->key,
                           item->value, headers, i + 1 == to ? 2 : 1);
    }
    struct record_batch_options o = {.codec = s->o.codec,
                                     .producer_id = s->producer_id,
                                     .producer_epoch = 0,
                                     .base_sequence = part->sequence};
    err_t e = s->scratch.err ? s->scratch.err : record_builder_finish(&b, &o, &part->bytes);
    record_builder_done(&b);
    /* sequences go round as Kafka's do: 0 follows the highest int32 */
    part->sequence = (int32_t)(((uint32_t)part->sequence + (to - from)) & INT32_MAX);
    if (e)
        return diag_fail(d, e, "a batch of %u records for %.*s/%d", to - from,
                         SLICE_ARG(s->o.topic), a->items[from].partition);
    return ERR_OK;
}

static void part_done(struct log_append *append)
{
    struct source *s = ((struct part *)append->arg)->source;
    gate_enter(&s->settled);
    s->appends_left--;
    gate_wake(&s->settled);
    gate_leave(&s->settled);
}

/* Batches for what the partition of items [lo, hi) lacks; none: it has its part. */
static err_t build_part(struct source *s, const struct answer *a, uint32_t parts, uint32_t lo,
                        uint32_t hi, struct part *part, struct diag *d)
{
    int32_t partition = a->items[lo].partition;
    if (partition >= s->partitions)
        return diag_fail(d, ERR_CORRUPT, "topic '%.*s' has lost partition %d",
                         SLICE_ARG(s->o.topic), partition);
    const struct place *place = &s->places[partition];
    struct place_head head = {.number = a->number,
                              .answers = a->answers,
                              .parts = parts,
                              .items = hi - lo,
                              .ledger = a->ledger,
                              .cursor = a->cursor};
    uint32_t from = lo + (place->number == a->number ? place->done : 0);
    INVARIANT(place->number <= a->number); /* (F7) answers come one after the other */
    *part = (struct part){.bytes = buf_make(GIB(2)), .source = s, .first = from, .items = hi - lo};
    part->sequence = (int32_t)(((uint32_t)place->last_sequence + 1) & INT32_MAX);
    err_t e = ERR_OK;
    while (!e && from < hi) {
        uint32_t to = batch_end(s, a, from);
        head.done = to - lo;
        part->last = from;
        e = build_batch(s, a, from, to, &head, part, d);
        from = to;
    }
    part->append = (struct log_append){.partition = log_partition(s->topic, partition),
                                       .batches = part->bytes.at,
                                       .size = part->bytes.len,
                                       .done = part_done,
                                       .arg = part,
                                       .err = ERR_STOPPED}; /* until the log has answered */
    return e;
}

/* All parts at once, so that they share one group commit. */
static err_t append_parts(struct source *s, struct part *parts, uint32_t count, struct diag *d)
{
    err_t e = ERR_OK;
    gate_enter(&s->settled);
    for (uint32_t i = 0; i < count; i++) s->appends_left += parts[i].append.size > 0;
    gate_leave(&s->settled);
    for (uint32_t i = 0; i < count; i++)
        if (parts[i].append.size)
            log_append(s->stage->flow->o.log, &parts[i].append, clock_wall_ms());
    gate_enter(&s->settled);
    while (s->appends_left) gate_wait(&s->settled);
    gate_leave(&s->settled);
    for (uint32_t i = 0; i < count; i++) {
        if (!parts[i].append.size || !parts[i].append.err || e) continue;
        e = parts[i].append.err;
        if (d) *d = parts[i].append.diag;
        if (d && !d->err)
            diag_fail(d, e, "append to %.*s/%d", SLICE_ARG(s->o.topic),
                      log_partition_index(parts[i].append.partition));
    }
    return e;
}

/* Where the partition stands now. After a failure that is the log's to say. */
static err_t note_part(struct source *s, const struct answer *a, const struct part *part,
                       struct arena *scratch, struct diag *d)
{
    const struct log_append *append = &part->append;
    struct place_head head;
    err_t e = ERR_OK;
    if (!append->size) return ERR_OK;
    int32_t partition = log_partition_index(append->partition);
    if (append->err)
        e = place_load(s, partition, scratch, &head, d);
    else
        s->places[partition] =
            (struct place){.number = a->number,
                           .done = part->items,
                           .items = part->items,
                           .last_sequence = (int32_t)(((uint32_t)part->sequence - 1) & INT32_MAX),
                           .last_offset = append->base_offset + (part->last - part->first)};
    atomic_store(&s->pinned[partition], s->places[partition].last_offset);
    return e;
}

static err_t append_missing(struct source *s, const struct answer *a, struct arena *scratch,
                            struct diag *d)
{
    uint32_t count = 0, parts_total = 0;
    for (uint32_t i = 0; i < a->item_count; i++)
        parts_total += i == 0 || a->items[i].partition != a->items[i - 1].partition;
    struct part *parts = mem_take((parts_total + 1) * sizeof(*parts));
    if (!parts) return diag_fail(d, ERR_NO_MEMORY, "the parts of an answer");
    err_t e = ERR_OK;
    for (uint32_t lo = 0, hi; !e && lo < a->item_count; lo = hi) {
        for (hi = lo + 1; hi < a->item_count; hi++)
            if (a->items[hi].partition != a->items[lo].partition) break;
        e = build_part(s, a, parts_total, lo, hi, &parts[count++], d);
    }
    bool crash = s->parts_max >= 0 && (uint32_t)s->parts_max < count;
    if (!e) e = append_parts(s, parts, crash ? (uint32_t)s->parts_max : count, d);
    if (!e && crash) e = diag_fail(d, ERR_INTERNAL, "the test's crash");
    for (uint32_t i = 0; i < count; i++) {
        err_t noted = note_part(s, a, &parts[i], scratch, e ? NULL : d);
        if (!e) e = noted;
    }
    for (uint32_t i = 0; i < count; i++) buf_done(&parts[i].bytes);
    mem_give(parts);
    return e;
}

err_t answer_settle(struct source *s, const struct answer *a, struct diag *d)
{
    struct arena *scratch = arena_new(GIB(1));
    if (!scratch) return diag_fail(d, ERR_NO_MEMORY, "no memory to settle an answer");
    struct journal_of of = {.producer_id = s->producer_id};
    memcpy(of.topic_id, log_topic_id(s->topic), sizeof(of.topic_id));
    err_t e = ERR_OK;
    if (s->is_pending && !s->journalled && answer_needs_journal(s, a))
        e = journal_add(s->journal, &of, a, d);
    if (!e) s->journalled = true;
    if (!e) e = write_dead(s, a, d);
    if (!e) e = append_missing(s, a, scratch, d);
    arena_free(scratch);
    return e;
}
