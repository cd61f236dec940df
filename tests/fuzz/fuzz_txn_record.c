/* Keys and values of __transaction_state with any content: refused, or read into facts that our own
 * writer says again. Byte 0 is the length of the key, which stands before the value. */
#include "coord/txns_int.h"
#include "fuzz.h"

static void check_again(struct slice id, const struct txn_facts *f, struct arena *a)
{
    struct buf out = buf_make(KIB(512));
    struct record_batch b;
    struct record_reader reader;
    struct record r;
    struct txn_facts again;
    struct txn_record_topic *topics;
    int32_t count;
    bool known;
    if (txn_record_put(id, f, NULL, 0, 1, &out, NULL)) abort();
    if (record_batch_read(buf_view(&out), true, &b)) abort();
    if (record_batch_open(&b, a, MIB(1), &reader) || record_next(&reader, &r)) abort();
    if (txn_record_id(r.key, a, &id, &known, NULL) || !known) abort();
    if (txn_record_facts(r.value, a, &again, &topics, &count, NULL) || count != 0) abort();
    if (again.producer_id != f->producer_id || again.previous_id != f->previous_id ||
        again.next_id != f->next_id || again.epoch != f->epoch || again.state != f->state ||
        again.client_version != f->client_version || again.timeout_ms != f->timeout_ms ||
        again.start_ms != f->start_ms || again.update_ms != f->update_ms)
        abort();
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct arena *a;
    struct slice id = SLICE("x");
    struct txn_facts f;
    struct txn_record_topic *topics;
    int32_t count;
    bool known;
    if (!a) a = arena_new(MIB(64));
    if (size < 1 || bytes[0] > size - 1) return 0;
    size_t key_size = bytes[0], value_size = size - 1 - key_size;
    uint8_t *key = fuzz_copy(bytes + 1, key_size, 0);
    uint8_t *value = fuzz_copy(bytes + 1 + key_size, value_size, 0);
    err_t e = txn_record_id(slice_make(key, key_size), a, &id, &known, NULL);
    if (e || !known) id = SLICE("x");
    if (!txn_record_facts(slice_make(value, value_size), a, &f, &topics, &count, NULL)) {
        int64_t total = 0;
        for (int32_t i = 0; i < count; i++)
            for (int32_t j = 0; j < topics[i].count; j++) total += topics[i].partitions[j] != -1;
        if (total > TXN_PARTITIONS_MAX) abort();
        check_again(id, &f, a);
    }
    mem_give(key);
    mem_give(value);
    arena_reset(a);
    return 0;
}
