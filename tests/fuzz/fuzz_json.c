/* A JSON document into columns of several types, its items, and the strict check; what is accepted
 * as valid must decode. */
#include "data/json.h"
#include "fuzz.h"

static const struct json_step steps[][2] = {
    {{{(const uint8_t *)"a", 1}, 0}, {{(const uint8_t *)"b", 1}, 0}},
    {{{(const uint8_t *)"a", 1}, 0}, {{NULL, 0}, -1}},
    {{{(const uint8_t *)"c", 1}, 0}, {{NULL, 0}, 0}}};

static err_t ignore_item(void *ctx, struct slice item)
{
    (void)ctx, (void)item;
    return ERR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct json_decoder *decoder;
    static struct json_plan *plan;
    static struct arena *arena;
    static const struct type *types[6];
    if (!decoder) {
        types[0] = type_of(TYPE_TEXT), types[1] = type_of(TYPE_INT), types[2] = type_of(TYPE_UUID);
        types[3] = type_of(TYPE_TIMESTAMP), types[4] = type_of(TYPE_JSON),
        types[5] = type_of(TYPE_DECIMAL);
        struct json_want wants[6];
        for (uint32_t i = 0; i < 6; i++)
            wants[i] = (struct json_want){steps[i % 3], 1 + i % 2, types[i], i > 2};
        decoder = json_decoder_new();
        arena = arena_new(64 << 20);
        if (!decoder || !arena || json_plan_new(wants, 6, &plan, NULL)) abort();
    }
    struct column_batch batch;
    uint8_t *copy = fuzz_copy(bytes, size, JSON_PADDING);
    struct slice document = slice_make(copy, size);
    bool valid = json_validate(decoder, document, NULL) == ERR_OK;
    if (batch_init(&batch, types, 6, 1, arena) == ERR_OK) {
        err_t e = json_decode(decoder, plan, &document, 1, &batch);
        if (valid && e != ERR_OK && e != ERR_NO_MEMORY) abort();
    }
    err_t items = json_items(decoder, document, SLICE("$.a[*]"), ignore_item, NULL, NULL);
    if (items == ERR_OK && !valid) abort();
    arena_reset(arena);
    mem_give(copy);
    return 0;
}
