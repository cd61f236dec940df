// simdjson's first stage behind a C face. Only that stage: its second and its front ends build
// trees or run through a document once, and neither is what columns need.
#include <cstdint>
#include <memory>
#include <new>
#include <simdjson.h>

extern "C" {
struct json_indexer;
enum json_index_answer { OK, EMPTY, CONTROL, UTF8, OPEN_STRING, MEMORY };
json_indexer *json_indexer_new(void);
void json_indexer_free(json_indexer *x);
json_index_answer json_indexer_run(json_indexer *x, const uint8_t *doc, uint32_t len,
                                   const uint32_t **at, uint32_t *count);
void json_indexer_shrink(json_indexer *x);
}

namespace {
constexpr size_t capacity_first = 1 << 14;
constexpr size_t depth = 1; // stage 1 knows no depth
} // namespace

struct json_indexer {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
};

static bool make_room(json_indexer *x, size_t capacity)
{
    x->parser.reset(); // the old index is of no use: never hold both
    return simdjson::get_active_implementation()->create_dom_parser_implementation(
               capacity, depth, x->parser) == simdjson::SUCCESS;
}

json_indexer *json_indexer_new(void)
{
    auto *x = new (std::nothrow) json_indexer;
    if (x && !make_room(x, capacity_first)) {
        delete x;
        return nullptr;
    }
    return x;
}

void json_indexer_free(json_indexer *x)
{
    delete x;
}

void json_indexer_shrink(json_indexer *x)
{
    if (x->parser && x->parser->capacity() > capacity_first) x->parser.reset();
}

json_index_answer json_indexer_run(json_indexer *x, const uint8_t *doc, uint32_t len,
                                   const uint32_t **at, uint32_t *count)
{
    if (len == 0) return EMPTY;
    if (!x->parser || x->parser->capacity() < len) {
        size_t capacity = capacity_first;
        while (capacity < len) capacity *= 2;
        if (!make_room(x, capacity)) return MEMORY;
    }
    switch (x->parser->stage1(doc, len, simdjson::stage1_mode::regular)) {
    case simdjson::SUCCESS: break;
    case simdjson::EMPTY: return EMPTY;
    case simdjson::UNESCAPED_CHARS: return CONTROL;
    case simdjson::UTF8_ERROR: return UTF8;
    case simdjson::UNCLOSED_STRING: return OPEN_STRING;
    default: return MEMORY;
    }
    *at = x->parser->structural_indexes.get();
    *count = x->parser->n_structural_indexes;
    return OK;
}
