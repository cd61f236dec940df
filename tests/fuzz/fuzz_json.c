/* A JSON document into columns of several types, its items, and the strict check; what is accepted
 * as valid must decode, and in two steps to the same as in one. */
#include "data/json.h"
#include "fuzz.h"

#include <string.h>

enum { WANTS = 6 };

static const struct json_step steps[][2] = {
    {{{(const uint8_t *)"a", 1}, 0}, {{(const uint8_t *)"b", 1}, 0}},
    {{{(const uint8_t *)"a", 1}, 0}, {{NULL, 0}, -1}},
    {{{(const uint8_t *)"c", 1}, 0}, {{NULL, 0}, 0}}};

static err_t ignore_item(void *ctx, struct slice item)
{
    (void)ctx, (void)item;
    return ERR_OK;
}

static const char *told(const struct column_batch *b)
{
    return b->fault_at[0].text ? b->fault_at[0].text : "";
}

static void must_be_same(const struct column_batch *x, const struct column_batch *y)
{
    uint8_t rooms[2][16];
    if (x->bad[0] != y->bad[0] || x->fault_count != y->fault_count) abort();
    if (x->bad[0] && strcmp(told(x), told(y)) != 0) abort();
    for (uint32_t i = 0; i < WANTS; i++) {
        const struct column *a = &x->columns[i], *b = &y->columns[i];
        if (a->state[0] != b->state[0]) abort();
        if (a->state[0] == VALID_VALUE &&
            !slice_equal(column_binary(a, 0, rooms[0]), column_binary(b, 0, rooms[1])))
            abort();
    }
}

/* Of a valid document, which may be among the rows that go on. */
static void decode_in_two_steps(struct json_decoder *decoder, const struct json_plan *plan,
                                const struct slice *document, const struct type *const *types,
                                const struct column_batch *whole)
{
    static const uint32_t first = 0;
    struct column_batch batch;
    struct json_note *notes;
    if (batch_init(&batch, types, WANTS, 1, whole->arena) != ERR_OK) return;
    err_t e = json_decode_early(decoder, plan, document, 1, &batch, &notes);
    if (!e && notes) e = json_decode_late(decoder, plan, document, notes, &first, 1, &batch);
    if (!e) must_be_same(whole, &batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct json_decoder *decoder;
    static struct json_plan *plan;
    static struct arena *arena;
    static const struct type *types[WANTS];
    if (!decoder) {
        types[0] = type_of(TYPE_TEXT), types[1] = type_of(TYPE_INT), types[2] = type_of(TYPE_UUID);
        types[3] = type_of(TYPE_TIMESTAMP), types[4] = type_of(TYPE_JSON),
        types[5] = type_of(TYPE_DECIMAL);
        struct json_want wants[WANTS];
        for (uint32_t i = 0; i < WANTS; i++)
            wants[i] = (struct json_want){steps[i % 3], 1 + i % 2, types[i], i > 2, i % 2 == 0};
        decoder = json_decoder_new();
        arena = arena_new(64 << 20);
        if (!decoder || !arena || json_plan_new(wants, WANTS, &plan, NULL)) abort();
    }
    struct column_batch batch;
    uint8_t *copy = fuzz_copy(bytes, size, JSON_PADDING);
    struct slice document = slice_make(copy, size);
    bool valid = json_validate(decoder, document, NULL) == ERR_OK;
    if (batch_init(&batch, types, WANTS, 1, arena) == ERR_OK) {
        err_t e = json_decode(decoder, plan, &document, 1, &batch);
        if (valid && e != ERR_OK && e != ERR_NO_MEMORY) abort();
        if (valid && !e) decode_in_two_steps(decoder, plan, &document, types, &batch);
    }
    err_t items = json_items(decoder, document, SLICE("$.a[*]"), ignore_item, NULL, NULL);
    if (items == ERR_OK && !valid) abort();
    arena_reset(arena);
    mem_give(copy);
    return 0;
}
