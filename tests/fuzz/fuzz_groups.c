/* Keys and values of __consumer_offsets with any content, in any order, with markers between them:
 * refused, or kept; what is kept is written again by our own writer and read into a second table,
 * which must then hold the same. Each record: a byte of flags, lengths of key and value, both. */
#include "coord/groups_int.h"
#include "fuzz.h"

enum { TRANSACTIONAL = 1, TOMBSTONE = 2, MARKER = 4, COMMITTED = 8 };

static void replay_all(struct groups *s, struct cursor in)
{
    int64_t offset = 0;
    while (cursor_left(&in) >= 4) {
        uint8_t flags = (uint8_t)cursor_be(&in, 1);
        uint64_t key = cursor_be(&in, 1), value = cursor_be(&in, 2);
        struct record r = {.offset = offset++, .value_null = (flags & TOMBSTONE) != 0};
        struct record_batch b = {.producer_id = flags >> 6,
                                 .attributes = flags & TRANSACTIONAL ? 16 : 0};
        if (flags & MARKER) {
            pending_end(s, (int32_t)(key % 8), b.producer_id, flags & COMMITTED);
            continue;
        }
        r.key = cursor_slice(&in, key);
        r.value = cursor_slice(&in, value);
        if (in.err) return;
        uint8_t *key_copy = fuzz_copy(r.key.at, r.key.len, 0);
        uint8_t *value_copy = fuzz_copy(r.value.at, r.value.len, 0);
        r.key.at = key_copy;
        r.value.at = value_copy;
        (void)!groups_replay(s, &b, &r, NULL);
        mem_give(key_copy);
        mem_give(value_copy);
    }
}

/* The group's record and those of its offsets; then they are read elsewhere. */
static void write_again(struct groups *from, const struct group *g, struct groups *to)
{
    struct slice name;
    void *value;
    struct op op = {.append.log.base_offset = 0};
    records_begin(from, NULL);
    records_group(from, g, false);
    for (size_t i = 0; g->topics && map_next(g->topics, &i, &name, &value);) {
        const struct group_topic *t = value;
        for (size_t k = 0; k < t->offsets.count; k++) {
            const struct offset *o = vec_at(&t->offsets, k);
            records_offset(from, g, name, o->partition, o);
        }
    }
    if (records_finish(from, &op.batches, NULL)) abort();
    op_replay(to, &op);
    buf_done(&op.batches);
    const struct group *again = groups_find(to, g->name);
    if (!again || again->joined != g->joined || again->offset_count != g->offset_count ||
        again->generation != g->generation || again->state != g->state)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct coord one = {.o.offsets_partitions = 8, .alarm_ms = INT64_MAX}, two = one;
    struct slice name;
    void *value;
    say_to(-1);
    if (groups_new(&one, NULL) || groups_new(&two, NULL)) abort();
    replay_all(one.groups, cursor_of(slice_make(bytes, size)));
    for (size_t i = 0; map_next(one.groups->by_name, &i, &name, &value);)
        write_again(one.groups, value, two.groups);
    groups_free(&one);
    groups_free(&two);
    return 0;
}
