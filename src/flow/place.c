/* place: what the log remembers of a source. Each batch's last record tells, in a header, which
 * answer it belongs to and how far the source had come: cursor and records are one append (F7).
 */
#include "flow/flow_int.h"

enum { PLACE_VERSION = 1 };

void place_head_put(struct buf *out, const struct place_head *h)
{
    buf_be(out, PLACE_VERSION, 1);
    buf_uvarint(out, h->number);
    buf_uvarint(out, h->answers);
    buf_uvarint(out, h->parts);
    buf_uvarint(out, h->items);
    buf_uvarint(out, h->done);
    ledger_put(out, &h->ledger);
    bytes_put(out, h->cursor);
}

err_t place_head_take(struct slice value, struct place_head *out)
{
    struct cursor c = cursor_of(value);
    if (cursor_be(&c, 1) > PLACE_VERSION && !c.err) c.err = ERR_VERSION;
    out->number = cursor_uvarint(&c);
    out->answers = cursor_uvarint(&c);
    out->parts = (uint32_t)cursor_uvarint(&c);
    out->items = (uint32_t)cursor_uvarint(&c);
    out->done = (uint32_t)cursor_uvarint(&c);
    ledger_take(&c, &out->ledger);
    out->cursor = bytes_take(&c);
    return c.err;
}

/* The head on the last record of the batch; ERR_NOT_FOUND when it has none. */
static err_t head_of_batch(struct slice bytes, struct arena *a, struct place_head *head)
{
    struct record_batch batch;
    struct record_reader reader;
    struct record record, last = {0};
    struct record_header header;
    err_t e = record_batch_read(bytes, true, &batch);
    if (!e) e = record_batch_open(&batch, a, OPENED_MAX, &reader);
    while (!e && !(e = record_next(&reader, &record))) last = record;
    if (e != ERR_NOT_FOUND) return e;
    struct cursor headers = cursor_of(last.headers);
    for (int32_t i = 0; i < last.header_count; i++) {
        if ((e = record_header_next(&headers, &header))) return e;
        if (slice_is(header.key, "sluice.cursor")) return place_head_take(header.value, head);
    }
    return ERR_NOT_FOUND;
}

err_t place_load(struct source *s, int32_t partition, struct arena *a, struct place_head *head,
                 struct diag *d)
{
    struct log_partition *p = log_partition(s->topic, partition);
    struct place *place = &s->places[partition];
    struct log_producer producer;
    *place = (struct place){.last_sequence = -1, .last_offset = -1};
    *head = (struct place_head){0};
    err_t e = log_producer_state(p, s->producer_id, &producer);
    if (e == ERR_NOT_FOUND) return ERR_OK;
    if (e)
        return diag_fail(d, e, "what %.*s/%d remembers of its source", SLICE_ARG(s->o.topic),
                         partition);
    place->last_sequence = producer.last_sequence;
    place->last_offset = producer.last_offset;
    if (producer.last_offset < 0) return ERR_OK;
    struct buf bytes = buf_make(RECORD_BATCH_MAX + MIB(1));
    e = log_read(p, producer.last_offset, 1, &bytes, d);
    if (!e) e = head_of_batch(buf_view(&bytes), a, head);
    if (!e) { /* the bytes go away, the cursor stays */
        struct slice kept = arena_slice(a, head->cursor);
        if (!kept.at) e = ERR_NO_MEMORY;
        head->cursor = kept;
        place->number = head->number;
        place->done = head->done;
        place->items = head->items;
    }
    buf_done(&bytes);
    if (!e) return ERR_OK;
    diag_fail(d, e == ERR_NO_MEMORY || e == ERR_IO ? e : ERR_CORRUPT,
              "source '%.*s': its cursor can not be read from %.*s/%d at offset %lld",
              SLICE_ARG(s->stage->name), SLICE_ARG(s->o.topic), partition,
              (long long)producer.last_offset);
    diag_why(d, "%s", err_text(e));
    return diag_hint(d, "`sluice reset --stage %.*s` lets the source start over",
                     SLICE_ARG(s->stage->name));
}

static bool answer_complete(const struct source *s, const struct place_head *h)
{
    uint32_t parts = 0;
    for (int32_t p = 0; p < s->partitions; p++)
        parts += s->places[p].number == h->number && s->places[p].done == s->places[p].items;
    return h->number == 0 || parts == h->parts;
}

static err_t adopt(struct source *s, uint64_t number, uint64_t answers, const struct ledger *ledger,
                   struct slice cursor, struct diag *d)
{
    s->number = number;
    s->answers = answers;
    s->counter.now = *ledger;
    buf_reset(&s->cursor);
    buf_slice(&s->cursor, cursor);
    return s->cursor.err ? diag_fail(d, s->cursor.err, "a source's cursor") : ERR_OK;
}

static err_t recover_from(struct source *s, struct arena *a, struct diag *d)
{
    struct place_head best = {0}, head;
    struct journal_of of, mine = {.producer_id = s->producer_id};
    struct answer last;
    err_t e = ERR_OK;
    for (int32_t p = 0; !e && p < s->partitions; p++) {
        e = place_load(s, p, a, &head, d);
        atomic_store(&s->pinned[p], s->places[p].last_offset);
        if (!e && head.number > best.number) best = head;
    }
    if (!e) e = adopt(s, best.number, best.answers, &best.ledger, best.cursor, d);
    if (e) return e;
    memcpy(mine.topic_id, log_topic_id(s->topic), sizeof(mine.topic_id));
    e = journal_last(s->journal, a, &of, &last, d);
    bool journalled = !e && of.producer_id == mine.producer_id &&
                      !memcmp(of.topic_id, mine.topic_id, sizeof(mine.topic_id)) &&
                      last.number >= best.number;
    if (e && e != ERR_NOT_FOUND) return e;
    if (journalled) {
        e = answer_settle(s, &last, d);
        return e ? e : adopt(s, last.number, last.answers, &last.ledger, last.cursor, d);
    }
    if (answer_complete(s, &best)) return ERR_OK;
    return diag_fail(d, ERR_CORRUPT,
                     "source '%.*s': answer %llu is in some partitions of '%.*s' only, and its "
                     "journal does not hold it",
                     SLICE_ARG(s->stage->name), (unsigned long long)best.number,
                     SLICE_ARG(s->o.topic));
}

err_t source_recover(struct source *s, struct diag *d)
{
    uint64_t generation = 0;
    uint8_t space[STAGE_NAME_MAX + 64];
    struct buf name = buf_over(space, sizeof(space));
    err_t e = stage_generation(s->stage->flow->o.store, s->stage->name, &generation, d);
    if (e) return e;
    buf_printf(&name, "source:%.*s", SLICE_ARG(s->stage->name));
    if (generation) buf_printf(&name, "#%llu", (unsigned long long)generation);
    e = log_producer_id(s->stage->flow->o.log, buf_view(&name), &s->producer_id, d);
    if (e) return e;
    struct arena *a = arena_new(GIB(2));
    if (!a) return diag_fail(d, ERR_NO_MEMORY, "no memory to find a source's place");
    e = recover_from(s, a, d);
    arena_free(a);
    return e;
}
