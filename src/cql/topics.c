/* topics: the log's topics as tables of keyspace `topics`, read only. A record is a row:
 *
 *     partition int, offset bigint, timestamp timestamp, key text, value text, headers map<text,
 * blob>, key_blob blob, value_blob blob, PRIMARY KEY (partition, offset)
 *
 * key and value are there as text where they are UTF-8, and always as blobs. What a consumer with
 * read_committed would see: up to the stable offset, without what was aborted. Records are read as
 * they are asked for, never all at once. */
#include "base/hash.h"
#include "cql/virtual.h"
#include <stdlib.h>

enum { READ_BYTES = 256 << 10, BACK_WINDOW = 512, HEADERS_MAX = 1000, CELLS = 6 };
enum {
    COLUMN_HEADERS = 2,
    COLUMN_KEY,
    COLUMN_KEY_BLOB,
    COLUMN_TIMESTAMP,
    COLUMN_VALUE,
    COLUMN_VALUE_BLOB
};
#define TOPIC_COLUMNS                                                                              \
    "partition int P, offset bigint C, headers map<text, blob>, key text, key_blob blob, "         \
    "timestamp timestamp, value text, value_blob blob"

/* --- tables
 * -----------------------------------------------------------------------------------------------
 */

static const struct virtual_table *table_make(struct cql_tables *x, struct log_topic *topic,
                                              struct diag *d)
{
    struct virtual_table *t = arena_take(x->topic_arena, sizeof(*t));
    if (!t) {
        (void)diag_fail(d, ERR_NO_MEMORY, "no memory for another topic's table");
        return NULL;
    }
    t->t.keyspace = SLICE("topics");
    t->t.name = arena_slice(x->topic_arena, log_topic_name(topic));
    t->keyspace = virtual_keyspace_find(NULL, t->t.keyspace);
    t->topic = true;
    err_t e = virtual_make(t, SLICE("comment=a topic of the log: one row a record\n"),
                           SLICE(TOPIC_COLUMNS), x->topic_arena, d);
    if (!e) e = map_set(x->topics, t->t.name, t);
    if (e) {
        (void)diag_fail(d, e, "no memory for another topic's table");
        return NULL;
    }
    memcpy(t->t.id, log_topic_id(topic), 16);
    return t;
}

const struct store_table *topic_table(struct cql *c, struct slice name, struct diag *d)
{
    struct cql_tables *x = tables_of(c);
    struct log_topic *topic = log_topic_find(cql_options(c)->log, name);
    if (!topic) return NULL;
    gate_enter(&x->gate);
    const struct virtual_table *t = map_get(x->topics, name);
    if (!t || memcmp(t->t.id, log_topic_id(topic), 16) != 0) t = table_make(x, topic, d);
    gate_leave(&x->gate);
    return t ? &t->t : NULL;
}

/* --- which records
 * ------------------------------------------------------------------------------------------ */

struct topic_part {
    int32_t index;
    int64_t token;
};
struct topic_record {
    int64_t offset, timestamp;
    struct record r;
};
struct topic_rows {
    struct cql *cql;
    const struct store_read *read;
    const struct virtual_table *table;
    struct log_topic *topic;
    struct topic_part *parts; /* wanted, in order */
    uint32_t part_count, part;
    bool part_open, first;
    struct log_partition *partition;
    uint32_t slice;   /* of the read's, in the order of reading */
    int64_t at, last; /* offsets of the slice still to be read, both included */
    int64_t from;     /* where the page before ended: only behind it; INT64_MIN: nowhere */
    /* what has been read */
    struct arena *arena; /* of the batches opened */
    struct buf bytes;
    struct vec records; /* of struct topic_record, wanted ones, in the order they go out */
    size_t record;
    struct vec aborted;
    /* the row that is out */
    struct store_row row;
    struct slice key[2];
    uint8_t key_room[12], time_room[8];
    struct store_cell cells[CELLS];
    struct store_element *headers;
};

static int part_order(const void *a, const void *b)
{
    const struct topic_part *x = a, *y = b;
    if (x->token != y->token) return x->token < y->token ? -1 : 1;
    return x->index - y->index;
}

static int64_t token_of(int32_t index)
{
    uint8_t room[4];
    struct buf b = buf_over(room, sizeof(room));
    buf_be(&b, (uint32_t)index, 4);
    return murmur3_token(buf_view(&b));
}

static int64_t be_i64(struct slice s)
{
    struct cursor c = cursor_of(s);
    return s.len == 4 ? cursor_i32(&c) : cursor_i64(&c);
}

static bool part_wanted(const struct topic_rows *r, const struct topic_part *p)
{
    const struct store_read *read = r->read;
    if (read->partition) return be_i64(read->partition[0]) == p->index;
    if (read->by_token && (p->token < read->token_first || p->token > read->token_last))
        return false;
    if (!read->after) return true;
    int32_t last = (int32_t)be_i64(read->after[0]);
    struct topic_part after = {.index = last, .token = token_of(last)};
    int order = part_order(p, &after);
    return order > 0 || (order == 0 && !(read->after_count == 1 && read->after_partition_done));
}

static err_t parts_find(struct topic_rows *r, struct arena *a)
{
    int32_t count = log_topic_partitions(r->topic);
    r->parts = arena_take(a, (size_t)(count ? count : 1) * sizeof(*r->parts));
    if (!r->parts) return ERR_NO_MEMORY;
    for (int32_t i = 0; i < count; i++) {
        struct topic_part p = {.index = i, .token = token_of(i)};
        if (part_wanted(r, &p)) r->parts[r->part_count++] = p;
    }
    if (r->part_count) qsort(r->parts, r->part_count, sizeof(*r->parts), part_order);
    return ERR_OK;
}

static int64_t bound_of(const struct store_bound *b, int64_t open, int exclusive)
{
    if (b->count == 0) return open;
    int64_t v = be_i64(b->values[0]);
    if (b->inclusive) return v;
    return exclusive > 0 ? (v == INT64_MAX ? v : v + 1) : (v == INT64_MIN ? v : v - 1);
}

/* The next slice's offsets within what the partition has; false: there is none. */
static bool slice_next(struct topic_rows *r)
{
    const struct store_read *read = r->read;
    uint32_t count = read->slice_count ? read->slice_count : 1;
    int64_t start = log_start_offset(r->partition), end = log_stable_offset(r->partition) - 1;
    while (r->slice < count) {
        uint32_t i = read->reversed ? count - 1 - r->slice : r->slice;
        r->slice++;
        int64_t low = start, high = end;
        if (read->slice_count) {
            low = MAX(low, bound_of(&read->slices[i].start, start, 1));
            high = MIN(high, bound_of(&read->slices[i].end, end, -1));
        }
        if (r->from != INT64_MIN && !read->reversed) low = MAX(low, r->from + 1);
        if (r->from != INT64_MIN && read->reversed) high = MIN(high, r->from - 1);
        if (low > high) continue;
        r->at = low;
        r->last = high;
        return true;
    }
    return false;
}

static void part_begin(struct topic_rows *r)
{
    const struct store_read *read = r->read;
    int32_t index = r->parts[r->part].index;
    r->partition = log_partition(r->topic, index);
    r->part_open = true;
    r->first = true;
    r->slice = 0;
    r->at = 0;
    r->last = -1;
    r->from = INT64_MIN;
    if (read->after && read->after_count > 1 && be_i64(read->after[0]) == index) {
        r->from = be_i64(read->after[1]);
        r->first = false;
    }
}

/* --- reading
 * -------------------------------------------------------------------------------------------------
 */

static bool is_aborted(const struct topic_rows *r, const struct record_batch *b)
{
    for (size_t i = 0; i < r->aborted.count; i++) {
        const struct log_aborted *a = vec_at(&r->aborted, i);
        if (a->producer_id == b->producer_id && b->base_offset >= a->first_offset &&
            b->base_offset <= a->last_offset)
            return true;
    }
    return false;
}

/* The records of one batch that lie in [low, high]. */
static err_t batch_take(struct topic_rows *r, const struct record_batch *b, int64_t low,
                        int64_t high, struct diag *d)
{
    struct record_reader reader;
    struct record record;
    bool control = b->attributes & 32, transactional = b->attributes & 16;
    if (control || (transactional && is_aborted(r, b))) return ERR_OK;
    err_t e = record_batch_open(b, r->arena, CQL_CALL_BYTES_MAX, &reader);
    while (!e && !(e = record_next(&reader, &record))) {
        if (record.offset < low || record.offset > high) continue;
        struct topic_record *t = vec_add(&r->records);
        if (!t) return diag_fail(d, ERR_NO_MEMORY, "no memory for the records of a batch");
        *t = (struct topic_record){record.offset, record.timestamp, record};
    }
    if (e == ERR_NOT_FOUND) return ERR_OK;
    return diag_fail(d, e, "a batch of topic %.*s can not be read", SLICE_ARG(r->table->t.name));
}

/* Reads on from `low`; *next: the first offset that has not been looked at. */
static err_t range_read(struct topic_rows *r, int64_t low, int64_t high, int64_t *next,
                        struct diag *d)
{
    buf_reset(&r->bytes);
    *next = high + 1;
    err_t e = log_read(r->partition, low, READ_BYTES, &r->bytes, d);
    if (e) return e;
    vec_clear(&r->aborted);
    e = log_aborted(r->partition, low, high + 1, &r->aborted, d);
    struct slice rest = buf_view(&r->bytes);
    while (!e && rest.len > 0) {
        struct record_batch b;
        err_t got = record_batch_read(rest, false, &b);
        if (got == ERR_SHORT) break; /* the padding, or a batch cut off */
        if (got)
            return diag_fail(d, got, "a batch of topic %.*s can not be read",
                             SLICE_ARG(r->table->t.name));
        if (b.base_offset > high) return ERR_OK;
        e = batch_take(r, &b, low, high, d);
        *next = b.base_offset + b.last_offset_delta + 1;
        size_t size = record_batch_size(&b);
        rest = slice_make(rest.at + size, rest.len - size);
    }
    return e;
}

/* Fills r->records with the next ones of the slice, in the order they go out. */
static err_t records_read(struct topic_rows *r, struct diag *d)
{
    int64_t next = 0, low = r->at, high = r->last;
    err_t e = ERR_OK;
    vec_clear(&r->records);
    r->record = 0;
    arena_reset(r->arena);
    if (!r->read->reversed) {
        e = range_read(r, low, high, &next, d);
        int64_t start = log_start_offset(r->partition);
        if (e == ERR_OFFSET_RANGE && start > low) { /* deleted meanwhile: what is left */
            next = start;
            e = ERR_OK;
        }
        r->at = next;
        return e;
    }
    low = MAX(low, high - BACK_WINDOW + 1);
    r->last = low - 1;
    for (int64_t at = low; !e && at <= high; at = next) e = range_read(r, at, high, &next, d);
    for (size_t i = 0, k = r->records.count; i + 1 < k; i++) {
        k--;
        struct topic_record a = *(struct topic_record *)vec_at(&r->records, i);
        *(struct topic_record *)vec_at(&r->records, i) =
            *(struct topic_record *)vec_at(&r->records, k);
        *(struct topic_record *)vec_at(&r->records, k) = a;
    }
    return e;
}

/* --- rows
 * -----------------------------------------------------------------------------------------------------
 */

static void cell_put(struct topic_rows *r, int column, const struct topic_record *t, struct slice v)
{
    r->cells[r->row.cell_count++] = (struct store_cell){.column = r->table->t.columns[column].id,
                                                        .timestamp = t->timestamp * 1000,
                                                        .value = v.at ? v : SLICE("")};
}

static bool is_text(struct slice s)
{
    struct value v;
    return value_from_binary(type_of(TYPE_TEXT), s, &v, NULL) == ERR_OK;
}

static err_t headers_put(struct topic_rows *r, const struct topic_record *t)
{
    struct cursor c = cursor_of(t->r.headers);
    uint32_t count = 0;
    for (int32_t i = 0; i < t->r.header_count && count < HEADERS_MAX; i++) {
        struct record_header h;
        err_t e = record_header_next(&c, &h);
        if (e) return e;
        if (!is_text(h.key)) continue;
        uint32_t at = count; /* by name; the last of one name counts */
        while (at > 0 && slice_compare(h.key, r->headers[at - 1].path) < 0) at--;
        bool again = at > 0 && slice_equal(h.key, r->headers[at - 1].path);
        if (again) at--;
        for (uint32_t k = count; !again && k > at; k--) r->headers[k] = r->headers[k - 1];
        r->headers[at] = (struct store_element){.path = h.key,
                                                .value = h.value.at ? h.value : SLICE(""),
                                                .timestamp = t->timestamp * 1000};
        count += !again;
    }
    if (!count) return ERR_OK;
    cell_put(r, COLUMN_HEADERS, t, SLICE(""));
    struct store_cell *cell = &r->cells[r->row.cell_count - 1];
    cell->value = (struct slice){0};
    cell->elements = r->headers;
    cell->element_count = count;
    return ERR_OK;
}

static err_t row_put(struct topic_rows *r, const struct topic_record *t)
{
    const struct topic_part *p = &r->parts[r->part];
    struct buf b = buf_over(r->key_room, sizeof(r->key_room));
    buf_be(&b, (uint32_t)p->index, 4);
    buf_be(&b, (uint64_t)t->offset, 8);
    r->key[0] = slice_make(r->key_room, 4);
    r->key[1] = slice_make(r->key_room + 4, 8);
    r->row = (struct store_row){.key = r->key,
                                .key_count = 2,
                                .marker = true,
                                .marker_timestamp = t->timestamp * 1000,
                                .cells = r->cells,
                                .partition_first = r->first,
                                .token = p->token};
    r->first = false;
    err_t e = headers_put(r, t);
    if (e) return e;
    if (!t->r.key_null && is_text(t->r.key)) cell_put(r, COLUMN_KEY, t, t->r.key);
    if (!t->r.key_null) cell_put(r, COLUMN_KEY_BLOB, t, t->r.key);
    struct buf time = buf_over(r->time_room, sizeof(r->time_room));
    buf_be(&time, (uint64_t)t->timestamp, 8);
    cell_put(r, COLUMN_TIMESTAMP, t, buf_view(&time));
    if (!t->r.value_null && is_text(t->r.value)) cell_put(r, COLUMN_VALUE, t, t->r.value);
    if (!t->r.value_null) cell_put(r, COLUMN_VALUE_BLOB, t, t->r.value);
    return ERR_OK;
}

err_t topic_rows_open(struct cql *c, const struct store_read *read, struct arena *a,
                      struct topic_rows **out, struct diag *d)
{
    struct topic_rows *r = arena_take(a, sizeof(*r));
    if (!r) return diag_fail(d, ERR_NO_MEMORY, "no memory for a cursor");
    *out = r;
    r->cql = c;
    r->read = read;
    r->table = virtual_of(read->table);
    r->topic = log_topic_find(cql_options(c)->log, read->table->name);
    r->bytes = buf_make(RECORD_BATCH_MAX + READ_BYTES + RECORD_PADDING);
    r->records = vec_make(sizeof(struct topic_record), 1 << 22);
    r->aborted = vec_make(sizeof(struct log_aborted), 1 << 20);
    if (!r->topic)
        return diag_fail(d, ERR_INVALID, "table %.*s does not exist", SLICE_ARG(read->table->name));
    r->arena = cql_arena_take(c);
    r->headers = arena_take(a, HEADERS_MAX * sizeof(*r->headers));
    if (!r->arena || !r->headers || parts_find(r, a))
        return diag_fail(d, ERR_NO_MEMORY, "no memory for a cursor");
    return ERR_OK;
}

/* DISTINCT: the partition's key, when it has a record. */
static bool part_row(struct topic_rows *r)
{
    if (log_start_offset(r->partition) >= log_stable_offset(r->partition)) return false;
    struct buf b = buf_over(r->key_room, sizeof(r->key_room));
    buf_be(&b, (uint32_t)r->parts[r->part].index, 4);
    r->key[0] = slice_make(r->key_room, 4);
    r->row = (struct store_row){
        .key = r->key, .key_count = 1, .partition_first = true, .token = r->parts[r->part].token};
    return true;
}

err_t topic_rows_next(struct topic_rows *r, const struct store_row **out, struct diag *d)
{
    *out = NULL;
    for (;;) {
        if (r->record < r->records.count) {
            const struct topic_record *t = vec_at(&r->records, r->record++);
            err_t e = row_put(r, t);
            if (e) return diag_fail(d, e, "a record's headers can not be read");
            *out = &r->row;
            return ERR_OK;
        }
        if (cql_is_stopping(r->cql)) return diag_fail(d, ERR_STOPPED, "the server is stopping");
        if (r->part_open && r->at <= r->last) {
            err_t e = records_read(r, d);
            if (e) return e;
        } else if (!r->part_open) {
            if (r->part == r->part_count) return ERR_OK;
            part_begin(r);
            if (!r->read->partitions_only) continue;
            bool there = part_row(r);
            r->part_open = false;
            r->part++;
            if (there) *out = &r->row;
            if (there) return ERR_OK;
        } else if (!slice_next(r)) {
            r->part_open = false;
            r->part++;
        }
    }
}

void topic_rows_close(struct topic_rows *r)
{
    if (!r) return;
    cql_arena_give(r->cql, r->arena);
    buf_done(&r->bytes);
    vec_done(&r->records);
    vec_done(&r->aborted);
}
