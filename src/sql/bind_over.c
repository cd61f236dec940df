/* OVER (…): window functions. */
#include "sql/bind.h"

struct expr *bind_over(struct binder *b, const struct tree *t)
{
    bind_fail(b, t->text, ERR_UNSUPPORTED, "window functions");
    return NULL;
}

void bind_over_done(struct binder *b, struct overs *o, struct logic *rows)
{
    (void)b;
    (void)o;
    (void)rows;
}
