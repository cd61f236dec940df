#include "main/letters.h"

struct telling {
    cql_dead_each *each;
    void *ctx;
};

static err_t tell(void *ctx, const struct dead_letter *l)
{
    const struct telling *t = ctx;
    struct cursor place = cursor_of(l->place);
    (void)cursor_slice(&place, 12); /* time and partition, which are told already */
    struct cql_dead_letter out = {.stage = l->stage,
                                  .topic = l->topic,
                                  .code = slice_of(err_name(l->err)),
                                  .expression = l->expression,
                                  .column = l->column,
                                  .reason = l->reason,
                                  .key = l->key,
                                  .raw = l->raw,
                                  .mended = l->mended,
                                  .partition = l->partition,
                                  .offset = l->offset,
                                  .time_ms = l->time_ms,
                                  .written_ms = l->written_ms,
                                  .epoch = (int64_t)l->epoch,
                                  .records = (int64_t)l->count,
                                  .number = l->offset < 0 ? cursor_i64(&place) : 0};
    return t->each(t->ctx, &out);
}

err_t letters_tell(void *store, struct slice stage, cql_dead_each *each, void *each_ctx)
{
    struct telling t = {each, each_ctx};
    struct diag d;
    return dead_letters(store, stage, tell, &t, &d);
}
