/* join_rows: a join's side as blocks of rows. */
#include "flow/join.h"

enum { BLOCK_FIRST = 512, ROW_BYTES_MAX = 16 << 20, BLOCK_BYTES_MAX = 1 << 30 };

static void block_put(void *ctx, const void *entry, struct buf *out)
{
    const struct block *b = entry;
    (void)ctx;
    buf_uvarint(out, b->last);
    buf_uvarint(out, b->rows);
    buf_put(out, b->at, b->len);
}

static err_t block_room(struct block *b, uint32_t more)
{
    uint64_t need = (uint64_t)b->len + more;
    if (need <= b->cap) return ERR_OK;
    if (need > BLOCK_BYTES_MAX) return ERR_TOO_BIG;
    uint64_t cap = MAX(MAX((uint64_t)b->cap * 2, need), (uint64_t)BLOCK_FIRST);
    uint8_t *grown = mem_resize(b->at, cap);
    if (!grown) return ERR_NO_MEMORY;
    b->at = grown;
    b->cap = (uint32_t)cap;
    return ERR_OK;
}

static err_t block_take(void *ctx, void *entry, struct slice value)
{
    struct block *b = entry;
    struct cursor in = cursor_of(value);
    (void)ctx;
    b->last = (uint32_t)cursor_uvarint(&in);
    b->rows = (uint32_t)cursor_uvarint(&in);
    if (in.err || b->rows > BLOCK_ROWS || cursor_left(&in) > BLOCK_BYTES_MAX) return ERR_CORRUPT;
    uint32_t len = (uint32_t)cursor_left(&in);
    err_t e = block_room(b, len);
    if (e) return e;
    memcpy(b->at, in.at, len);
    b->len = len;
    uint32_t at = 0;
    for (uint32_t i = 0; i < b->rows; i++) { /* what is read later stands whole in the bytes */
        struct join_row row;
        if (len - at < sizeof(row)) return ERR_CORRUPT;
        memcpy(&row, b->at + at, sizeof(row));
        at += (uint32_t)sizeof(row);
        if (len - at < row.len) return ERR_CORRUPT;
        at += row.len;
    }
    return at == len ? ERR_OK : ERR_CORRUPT;
}

static void block_done(void *ctx, void *entry)
{
    (void)ctx;
    mem_give(((struct block *)entry)->at);
}

static size_t block_holds(void *ctx, const void *entry)
{
    (void)ctx;
    return ((const struct block *)entry)->cap;
}

static const struct state_form block_form = {
    .size = sizeof(struct block),
    .put = block_put,
    .take = block_take,
    .done = block_done,
    .holds = block_holds,
};

err_t join_side_open(struct op *o, struct join_side *side, uint8_t part, struct diag *d)
{
    side->key = buf_make(STATE_KEY_MAX);
    side->row = buf_make(ROW_BYTES_MAX);
    return op_state_open(o, part, &block_form, NULL, &side->state, d);
}

void join_side_close(struct join_side *side)
{
    if (side->state) state_close(side->state);
    buf_done(&side->key);
    buf_done(&side->row);
}

/* The key of one block: the join's own, then its number. */
static err_t find_block(struct join_side *side, int64_t bucket, struct slice key, uint32_t number,
                        bool make, struct block **out, struct diag *d)
{
    bool made;
    void *entry = NULL;
    buf_reset(&side->key);
    buf_slice(&side->key, key);
    buf_be(&side->key, number, 4);
    if (side->key.err) return diag_fail(d, side->key.err, "a join's key");
    err_t e = state_find(side->state, bucket, buf_view(&side->key), make, &entry, &made, d);
    *out = entry;
    return e;
}

err_t join_side_add(struct join_side *side, int64_t bucket, struct slice key,
                    const struct join_row *row, struct slice packed, struct diag *d)
{
    struct block *first = NULL, *b;
    err_t e = find_block(side, bucket, key, 0, true, &first, d);
    if (e) return e;
    b = first;
    if (first->last) e = find_block(side, bucket, key, first->last, true, &b, d);
    if (!e && b->rows == BLOCK_ROWS) {
        first->last++;
        state_touch(side->state, first);
        e = find_block(side, bucket, key, first->last, true, &b, d);
    }
    if (e) return e;
    e = block_room(b, (uint32_t)sizeof(*row) + packed.len);
    if (e) return diag_fail(d, e, "a join's rows");
    struct join_row header = *row;
    header.len = packed.len;
    memcpy(b->at + b->len, &header, sizeof(header));
    if (packed.len) memcpy(b->at + b->len + sizeof(header), packed.at, packed.len);
    b->len += (uint32_t)sizeof(header) + packed.len;
    b->rows++;
    state_touch(side->state, b);
    return ERR_OK;
}

/* The last block goes when it is empty; one in the middle waits until it is the last. */
static err_t drop_empty(struct join_side *side, int64_t bucket, struct slice key, struct diag *d)
{
    struct block *first = NULL, *b;
    err_t e = find_block(side, bucket, key, 0, false, &first, d);
    while (!e && first) {
        b = first;
        if (first->last) e = find_block(side, bucket, key, first->last, false, &b, d);
        if (e || (b && b->rows)) return e;
        if (b == first) {
            state_remove(side->state, first);
            return ERR_OK;
        }
        if (b) state_remove(side->state, b);
        first->last--;
        state_touch(side->state, first);
    }
    return e;
}

err_t join_side_take(struct join_side *side, int64_t bucket, struct slice key, struct slice packed,
                     bool *found, struct join_row *was, struct diag *d)
{
    struct join_walk w;
    err_t e = join_walk_first(side, bucket, key, &w, found, d);
    while (!e && *found && !slice_equal(w.packed, packed)) e = join_walk_next(&w, found, d);
    if (e || !*found) return e;
    *was = w.row;
    memmove(w.block->at + w.at, w.block->at + w.next, w.block->len - w.next);
    w.block->len -= w.next - w.at;
    w.block->rows--;
    state_touch(side->state, w.block);
    return w.block->rows ? ERR_OK : drop_empty(side, bucket, key, d);
}

/* --- walking ------------------------------------------------------------------------------------
 */

static bool read_row(struct join_walk *w)
{
    if (w->next >= w->block->len) return false;
    w->at = w->next;
    memcpy(&w->row, w->block->at + w->at, sizeof(w->row));
    w->packed = slice_make(w->block->at + w->at + sizeof(w->row), w->row.len);
    w->next = w->at + (uint32_t)sizeof(w->row) + w->row.len;
    return true;
}

err_t join_walk_next(struct join_walk *w, bool *found, struct diag *d)
{
    while (!(*found = w->block && read_row(w))) {
        if (w->number >= w->last) return ERR_OK;
        w->next = 0;
        err_t e = find_block(w->side, w->bucket, w->key, ++w->number, false, &w->block, d);
        if (e) return e;
    }
    return ERR_OK;
}

err_t join_walk_first(struct join_side *side, int64_t bucket, struct slice key, struct join_walk *w,
                      bool *found, struct diag *d)
{
    *w = (struct join_walk){.side = side, .bucket = bucket, .key = key};
    *found = false;
    err_t e = find_block(side, bucket, key, 0, false, &w->block, d);
    if (e || !w->block) return e;
    w->last = w->block->last;
    return join_walk_next(w, found, d);
}

err_t block_each(const struct block *b,
                 err_t (*each)(void *ctx, const struct join_row *row, struct slice packed,
                               struct diag *d),
                 void *ctx, struct diag *d)
{
    err_t e = ERR_OK;
    for (uint32_t at = 0; !e && at < b->len;) {
        struct join_row row;
        memcpy(&row, b->at + at, sizeof(row));
        at += (uint32_t)sizeof(row);
        e = each(ctx, &row, slice_make(b->at + at, row.len), d);
        at += row.len;
    }
    return e;
}
