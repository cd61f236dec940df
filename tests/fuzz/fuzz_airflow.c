/* A body for Airflow's API: the first byte chooses the table of what it may hold, the second the
 * API; behind a zero byte stands an update_mask. A refusal is JSON with a status of its own. */
#include "data/json.h"
#include "door/airflow/airflow_int.h"
#include "fuzz.h"

static void check_refusal(struct call *c, err_t e)
{
    struct doc said;
    rest_put_refusal(c, e);
    if (c->status < 400 || c->out.err) abort();
    if (doc_of_json(buf_view(&c->out), c->arena, &said, NULL)) abort();
}

static void ask(struct call *c, enum input_table t)
{
    int64_t us;
    err_t e = body_check(c, t);
    if (!e) e = mask_check(c, t);
    if (!e) e = body_time(c, "logical_date", &us);
    if (!e) {
        struct slice conf = body_json(c, "conf");
        struct doc again;
        if (conf.at && doc_of_json(conf, c->arena, &again, NULL)) abort();
        (void)mask_has(c, "note");
        (void)body_bool(c, "dry_run", true);
        (void)body_int(c, "page_limit", 100);
    }
    if (!e) e = rest_int(c, "update_mask", &us);
    if (e) check_refusal(c, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 2) return 0;
    uint8_t *copy = fuzz_copy(bytes + 2, size - 2, 0);
    uint8_t *zero = size > 2 ? memchr(copy, 0, size - 2) : NULL;
    size_t len = zero ? (size_t)(zero - copy) : size - 2;
    struct param mask = {SLICE("update_mask"),
                         zero ? slice_make(zero + 1, size - 3 - len) : (struct slice){0}};
    struct call c = {.api = bytes[1] & 1 ? API_V1 : API_V2,
                     .arena = arena_new(64 << 20),
                     .out = buf_make(64 << 20),
                     .params = &mask,
                     .param_count = zero ? 1 : 0};
    if (doc_of_json(slice_make(copy, len), c.arena, &c.body, &c.d)) c.body = (struct doc){0};
    ask(&c, (enum input_table)(bytes[0] % INPUT_TABLES));
    buf_done(&c.out);
    arena_free(c.arena);
    mem_give(copy);
    return 0;
}
