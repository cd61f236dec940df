/* Statements that come while the server runs: drafted from a SELECT, planned, added. */
#include "door/console/console_int.h"

enum { KEY_MAX = 64 };

static err_t none_there(struct ask *a)
{
    return diag_fail(&a->d, ERR_UNSUPPORTED, "no project runs here");
}

err_t console_pipeline_draft(struct ask *a)
{
    const struct console_port *p = &a->console->o.port;
    const struct doc *key = ask_body(a, "key");
    struct slice as = ask_body_text(a, "as"), columns[KEY_MAX];
    struct console_draft draft = {.select = ask_body_text(a, "select"),
                                  .name = ask_body_text(a, "name"),
                                  .into = ask_body_text(a, "into"),
                                  .view = slice_is(as, "view"),
                                  .key = columns};
    if (!p->draft) return none_there(a);
    if (!draft.view && !slice_is(as, "stream"))
        return diag_fail(&a->d, ERR_USAGE, "it becomes a stream or a view, not '%.*s'",
                         SLICE_ARG(as));
    if (key && key->count > KEY_MAX)
        return diag_fail(&a->d, ERR_TOO_BIG, "a key has at most %d columns", KEY_MAX);
    for (uint32_t i = 0; key && i < key->count; i++)
        columns[draft.key_count++] = doc_text(&key->items[i]);
    return p->draft(p->ctx, &draft, &a->out, &a->d);
}

err_t console_pipeline_check(struct ask *a)
{
    const struct console_port *p = &a->console->o.port;
    return p->check ? p->check(p->ctx, ask_body_text(a, "text"), &a->out, &a->d) : none_there(a);
}

err_t console_pipeline_add(struct ask *a)
{
    const struct console_port *p = &a->console->o.port;
    struct console_growth growth = {.text = ask_body_text(a, "text"),
                                    .version = ask_body_text(a, "version"),
                                    .user = slice_of(a->user.name),
                                    .commands = a->user.role >= ROLE_ADMIN};
    return p->grow ? p->grow(p->ctx, &growth, &a->out, &a->d) : none_there(a);
}
