/* A template over some values: what does not parse is refused by both, with words; what renders
 * gives the same each time. */
#include "data/doc.h"
#include "fuzz.h"
#include "sched/template.h"

static const char names[] =
    "{\"ds\": \"2024-03-31\", \"n\": 7, \"r\": -2.5, \"yes\": true, \"none\": null, \"text\": \"a "
    "\\u00e9 <b>\", \"list\": [3, 1, \"x\", [2]], \"map\": {\"a\": 1, \"b\": {\"c\": [1, 2]}}, "
    "\"params\": {\"x\": 5}, \"item\": {\"k\": \"v\"}}";

static err_t variable(void *ctx, struct slice key, struct arena *a, struct slice *value,
                      struct diag *d)
{
    (void)ctx, (void)a, (void)d;
    *value = SLICE("{\"deep\": [1]}");
    return key.len % 2 ? ERR_OK : ERR_NOT_FOUND;
}

static err_t xcom(void *ctx, const struct template_asked *what, struct arena *a, struct doc *out,
                  struct diag *d)
{
    (void)a, (void)d;
    *out = *(const struct doc *)ctx;
    return what->key.len % 2 ? ERR_NOT_FOUND : ERR_OK;
}

static void render(struct slice text, const struct doc *values, bool native, struct buf *shown)
{
    static const struct template_date dates[] = {{"logical_date", 1711845000000000},
                                                 {"dag_run.start_date", INT64_MIN}};
    struct template_world w = {.names = values,
                               .dates = dates,
                               .date_count = 2,
                               .ctx = (void *)(uintptr_t)values,
                               .variable = variable,
                               .xcom = xcom,
                               .now_us = 1711845000000000,
                               .native = native};
    struct arena *a = arena_new(256 << 20);
    struct doc out;
    struct diag d = {0}, wrong = {0};
    err_t bad = template_check(text, &wrong), e = template_text(text, &w, a, &out, &d);
    if (bad && !e) abort();
    if ((e && !d.what[0]) || (bad && !wrong.what[0])) abort();
    if (!e) doc_put_json(shown, &out);
    if (!e) (void)template_is_true(&out);
    if (!e) template_put(shown, &out);
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct arena *kept;
    static struct doc values;
    if (!kept) {
        kept = arena_new(1 << 20);
        if (doc_of_json(slice_of(names), kept, &values, NULL)) abort();
    }
    if (!size) return 0;
    struct buf first = buf_make(64 << 20), second = buf_make(64 << 20);
    uint8_t *copy = fuzz_copy(bytes + 1, size - 1, 0);
    struct slice text = slice_make(copy, size - 1);
    render(text, &values, bytes[0] & 1, &first);
    render(text, &values, bytes[0] & 1, &second);
    if (!slice_equal(buf_view(&first), buf_view(&second))) abort();
    buf_done(&first);
    buf_done(&second);
    mem_give(copy);
    return 0;
}
