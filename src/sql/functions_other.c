/* Identifiers and types. */
#include "base/hash.h"
#include "sql/functions.h"

/* --- identifiers: the same row of the same epoch has the same ------------------------------------
 */

/* What makes this call on this row different from every other. */
static struct slice place_of(const struct call *c, uint32_t row, struct buf *b)
{
    const struct eval_context *x = c->f->x;
    buf_be(b, x->stream, 4);
    buf_be(b, x->epoch, 8);
    buf_be(b, x->partitions ? (uint64_t)(uint32_t)x->partitions[row] : UINT32_MAX, 4);
    buf_be(b, x->offsets ? (uint64_t)x->offsets[row] : row, 8);
    buf_be(b, x->offsets ? 0 : (uint64_t)x->now_ms, 8); /* queries: epoch counts their batches */
    buf_be(b, c->e->input, 4);
    buf_slice(b, x->topic);
    return buf_view(b);
}

static const struct uuid place_space = {{0x5c, 0x1f, 0x0b, 0x1e, 0x51, 0x1c, 0x5e, 0x4d, 0x8a, 0x6e,
                                         0x73, 0x6c, 0x75, 0x69, 0x63, 0x65}};

err_t fn_uuid(struct call *c, uint32_t row)
{
    uint8_t memory[512];
    struct buf b = buf_over(memory, sizeof(memory));
    struct uuid u = uuid_v5(place_space, place_of(c, row, &b));
    if (b.err) return b.err;
    memcpy(c->out->b16[row], u.at, sizeof(u.at));
    c->out->state[row] = VALID_VALUE;
    return ERR_OK;
}

err_t fn_current_timeuuid(struct call *c, uint32_t row)
{
    uint8_t memory[512];
    struct buf b = buf_over(memory, sizeof(memory));
    struct uuid place = uuid_v5(place_space, place_of(c, row, &b));
    if (b.err) return b.err;
    /* 1582-10-15 to 1970 is 122192928000 s; the place's digest tells rows of one time apart */
    int64_t ticks = (c->f->x->now_ms + 12219292800000) * 10000;
    uint8_t node[6];
    memcpy(node, place.at, sizeof(node));
    node[0] |= 1; /* not the address of a real card */
    struct uuid u = uuid_v1(ticks, (uint16_t)((place.at[10] << 8 | place.at[11]) & 0x3fff), node);
    memcpy(c->out->b16[row], u.at, sizeof(u.at));
    c->out->state[row] = VALID_VALUE;
    return ERR_OK;
}

err_t fn_typeof(struct call *c, uint32_t row)
{
    struct buf b = buf_make(KIB(16));
    type_print(c->e->args[0]->type, &b);
    return put_buf(c, row, &b);
}
