/* What expressions are made of, and where: for who judges a plan before it runs. */
#include "sql/functions.h"

static enum expr_part_kind kind_of(const struct expr *e)
{
    switch (e->kind) {
    case EXPR_INPUT: return EXPR_PART_COLUMN;
    case EXPR_CALL: return EXPR_PART_CALL;
    case EXPR_CAST: return e->op == OP_TRY ? EXPR_PART_TRY : EXPR_PART_OTHER;
    case EXPR_COMPARE:
    case EXPR_IS:
    case EXPR_IN:
    case EXPR_LIKE:
    case EXPR_REGEX: return EXPR_PART_TRUTH;
    default: return EXPR_PART_OTHER;
    }
}

static void parts(const struct expr *e, const struct expr_part *outer,
                  bool (*each)(void *ctx, const struct expr_part *p), void *ctx)
{
    struct expr_part part = {.kind = kind_of(e), .text = e->text, .outer = outer};
    if (part.kind == EXPR_PART_COLUMN) part.column = e->input;
    if (part.kind == EXPR_PART_CALL) {
        part.name = e->fn->name;
        part.fresh = (e->fn->flags & FN_FRESH) != 0;
    }
    if (!each(ctx, &part)) return;
    for (uint32_t i = 0; i < e->count; i++) parts(e->args[i], &part, each, ctx);
}

void expr_parts(const struct expr *e, bool (*each)(void *ctx, const struct expr_part *p), void *ctx)
{
    parts(e, NULL, each, ctx);
}

bool sql_where(struct slice script, struct slice part, uint32_t *line, uint32_t *column)
{
    uintptr_t from = (uintptr_t)script.at, at = (uintptr_t)part.at;
    if (!script.at || !part.at || at < from || at > from + script.len) return false;
    sql_line_column(script, part.at, line, column);
    return true;
}
