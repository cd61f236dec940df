/* reader: a partition's batches, record by record, without a copy. Only what is decided: it stops
 * where a transaction is open, and passes over control batches and what was aborted, which are no
 * records of the topic: nothing of them is counted. */
#include "flow/flow_int.h"

err_t reader_init(struct reader *r)
{
    *r = (struct reader){.bytes = buf_make(RECORD_BATCH_MAX + READ_BYTES + MIB(1)),
                         .opened = arena_new(OPENED_MAX + MIB(1)),
                         .aborted = vec_make(sizeof(struct log_aborted), READER_ABORTED_MAX),
                         .until = INT64_MAX};
    return r->opened ? ERR_OK : ERR_NO_MEMORY;
}

void reader_done(struct reader *r)
{
    buf_done(&r->bytes);
    vec_done(&r->aborted);
    arena_free(r->opened);
}

void reader_aim(struct reader *r, struct log_partition *p, int64_t next)
{
    if (r->partition == p && r->next == next) return; /* goes on in the bytes at hand */
    r->partition = p;
    r->next = next;
    r->at = 0;
    r->open = false;
    buf_reset(&r->bytes);
}

bool reader_spent(const struct reader *r)
{
    return !r->open && r->at >= r->bytes.len;
}

static bool is_packed(const struct record_batch *b)
{
    return (b->attributes & 7) != 0;
}

static int64_t batch_end(const struct record_batch *b)
{
    return b->base_offset + b->last_offset_delta + 1;
}

/* Records that can not be read: counted all, one letter for them together. */
static void bury(struct reader *r, struct chunk *c, struct counter *counter, int64_t offset,
                 uint64_t count, err_t e)
{
    count_term(counter, TERM_IN, count);
    INVARIANT(c->dead_count < CHUNK_DEAD_MAX);
    c->dead[c->dead_count++] =
        (struct chunk_dead){.row = UINT32_MAX,
                            .count = count,
                            .offset = offset,
                            .time_ms = r->batch.first_timestamp,
                            .partition = log_partition_index(r->partition),
                            .err = e,
                            .raw = r->batch.whole,
                            .reason = SLICE("the record batch can not be opened from here on: its "
                                            "records are damaged, or larger than the limit")};
}

/* Does the batch belong to a transaction that was aborted? Asked in the order of the log. */
static err_t is_aborted(struct reader *r, bool *aborted, struct diag *d)
{
    const struct record_batch *b = &r->batch;
    *aborted = false;
    if (!(b->attributes & 16)) return ERR_OK;
    if (!r->aborted_known) {
        vec_clear(&r->aborted);
        r->aborted_at = 0;
        err_t e = log_aborted(r->partition, b->base_offset, r->stable, &r->aborted, d);
        if (e) return e;
        r->aborted_known = true;
    }
    for (size_t i = r->aborted_at; i < r->aborted.count; i++) {
        const struct log_aborted *a = vec_at(&r->aborted, i);
        if (a->first_offset > b->base_offset) break;
        if (a->last_offset < b->base_offset && i == r->aborted_at) r->aborted_at++;
        *aborted |= a->producer_id == b->producer_id && a->last_offset > b->base_offset;
    }
    return ERR_OK;
}

/* Opens the next batch in the bytes. ERR_NOT_FOUND: none left; ERR_BUSY: not into this chunk. */
static err_t next_batch(struct reader *r, struct chunk *c, bool carried, struct counter *counter,
                        struct diag *d)
{
    while (r->at < r->bytes.len) {
        struct slice rest = slice_make(r->bytes.at + r->at, r->bytes.len - r->at);
        err_t e = record_batch_read(rest, true, &r->batch);
        if (e)
            return diag_fail(d, ERR_CORRUPT, "the batch at offset %lld of partition %d: %s",
                             (long long)r->next, log_partition_index(r->partition), err_text(e));
        if (r->batch.base_offset >= r->stable) { /* read again when it is decided */
            r->at = r->bytes.len;
            return ERR_NOT_FOUND;
        }
        bool aborted, wanted = batch_end(&r->batch) > r->next && !(r->batch.attributes & 32);
        if ((e = is_aborted(r, &aborted, d))) return e;
        wanted = wanted && !aborted;
        if (wanted && carried && is_packed(&r->batch) && !r->lent) return ERR_BUSY;
        bool fresh = !arena_used(r->opened);
        if (wanted) e = record_batch_open(&r->batch, r->opened, OPENED_MAX, &r->records);
        if (e == ERR_NO_MEMORY && (c->rows || c->dead_count || (r->lent && !fresh)))
            return ERR_BUSY;
        if (e == ERR_NO_MEMORY)
            return diag_fail(d, e, "a batch of partition %d can not be opened",
                             log_partition_index(r->partition));
        r->at += record_batch_size(&r->batch);
        r->walked = 0;
        if (!e && wanted) {
            r->open = true;
            return ERR_OK;
        }
        if (e) {
            int64_t first = MAX(r->next, r->batch.base_offset);
            bury(r, c, counter, first,
                 MIN((uint64_t)r->batch.count, (uint64_t)(batch_end(&r->batch) - first)), e);
        }
        r->next = MAX(r->next, batch_end(&r->batch));
        if (e && c->dead_count >= CHUNK_ROWS) return ERR_BUSY;
    }
    return ERR_NOT_FOUND;
}

static void add_record(struct reader *r, const struct record *record, struct chunk *c,
                       struct counter *counter)
{
    uint32_t row = c->rows;
    count_term(counter, TERM_IN, 1);
    if (record->value_null && r->wants_value) {
        INVARIANT(c->dead_count < CHUNK_DEAD_MAX);
        c->dead[c->dead_count++] =
            (struct chunk_dead){.row = UINT32_MAX,
                                .count = 1,
                                .offset = record->offset,
                                .time_ms = record->timestamp,
                                .partition = log_partition_index(r->partition),
                                .err = ERR_CONSTRAINT,
                                .key = record->key_null ? (struct slice){0} : record->key,
                                .reason = SLICE("the record has no value")};
        return;
    }
    c->values[row] = record->value_null ? (struct slice){0} : record->value;
    c->keys[row] = record->key_null ? (struct slice){0} : record->key;
    c->offsets[row] = record->offset;
    c->times[row] = record->timestamp;
    c->partitions[row] = log_partition_index(r->partition);
    c->gone[row] = 0;
    c->rows++;
}

/* Records of the open batch until it ends or the chunk is full. */
static void walk_batch(struct reader *r, struct chunk *c, uint32_t rows_max,
                       struct counter *counter)
{
    struct record record;
    while (r->next < r->until && c->rows < rows_max && c->dead_count < CHUNK_ROWS &&
           c->rows + c->dead_count < rows_max) {
        err_t e = r->walked < r->batch.count ? record_next(&r->records, &record) : ERR_NOT_FOUND;
        if (e) {
            int32_t left = r->batch.count - r->walked;
            if (e != ERR_NOT_FOUND || left > 0)
                bury(r, c, counter, r->next, (uint64_t)left, e == ERR_NOT_FOUND ? ERR_SHORT : e);
            r->next = MAX(r->next, batch_end(&r->batch));
            r->open = false;
            return;
        }
        r->walked++;
        if (record.offset < r->next) continue;
        if (record.offset >= r->until) { /* behind a gap; it is taken off and must be read again */
            r->next = r->until;
            r->partition = NULL;
            return;
        }
        add_record(r, &record, c, counter);
        r->next = record.offset + 1;
    }
}

err_t reader_fill(struct reader *r, struct chunk *c, uint32_t rows_max, struct counter *counter,
                  struct diag *d)
{
    bool carried = r->open;
    err_t e = ERR_OK;
    chunk_reset(c);
    if (!carried && !r->lent) arena_reset(r->opened);
    rows_max = MIN(rows_max, (uint32_t)CHUNK_ROWS);
    if (reader_spent(r) && r->next < r->until && !r->lent) {
        buf_reset(&r->bytes);
        r->at = 0;
        r->aborted_known = false;
        r->stable = log_stable_offset(r->partition);
        e = log_read(r->partition, r->next, READ_BYTES, &r->bytes, d);
        if (e) return e;
    }
    while (c->rows + c->dead_count < rows_max && r->next < r->until) {
        if (!r->open) e = next_batch(r, c, carried, counter, d);
        if (e == ERR_BUSY || e == ERR_NOT_FOUND) return ERR_OK;
        if (e) return e;
        walk_batch(r, c, rows_max, counter);
    }
    return ERR_OK;
}
