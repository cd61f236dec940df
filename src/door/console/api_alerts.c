/* Alerts: rules, receivers, what happened; all of it is the room alert's. */
#include "alert/alert.h"
#include "door/console/console_int.h"

enum { HISTORY_PAGE = 100, HISTORY_MOST = 1000 };

static err_t here(struct console *c, struct alert **out, struct diag *d)
{
    *out = c->o.port.alert ? c->o.port.alert(c->o.port.ctx) : NULL;
    return *out ? ERR_OK : diag_fail(d, ERR_BUSY, "alerts are not judged yet: the server starts");
}

/* The body with the path's name in it, as the room reads rules and receivers. */
static err_t named_body(struct ask *a, struct doc *out)
{
    uint32_t count = a->body.kind == DOC_MAP ? a->body.count : 0;
    struct doc_entry *entries = arena_take(a->arena, (count + 1) * sizeof(*entries));
    if (!entries) return diag_fail(&a->d, ERR_NO_MEMORY, "no memory for the body");
    entries[0].name = SLICE("name");
    entries[0].value = (struct doc){.kind = DOC_TEXT, .text = ask_part(a, "name")};
    uint32_t kept = 1;
    for (uint32_t i = 0; i < count; i++)
        if (a->body.entries[i].value.kind != DOC_NULL) entries[kept++] = a->body.entries[i];
    *out = (struct doc){.kind = DOC_MAP, .count = kept, .entries = entries};
    return ERR_OK;
}

err_t console_alerts(struct ask *a)
{
    struct alert *all;
    err_t e = here(a->console, &all, &a->d);
    return e ? e : alert_put_rules(all, &a->out);
}

err_t live_alerts(struct look *k)
{
    struct alert *all;
    err_t e = here(k->console, &all, &k->d);
    return e ? e : alert_put_rules(all, &k->out);
}

err_t console_alert_measures(struct ask *a)
{
    alert_put_measures(&a->out);
    return ERR_OK;
}

err_t console_alert_history(struct ask *a)
{
    struct alert *all;
    int64_t before, limit;
    err_t e = here(a->console, &all, &a->d);
    if (!e) e = ask_int(a, "before", 0, 0, INT64_MAX, &before);
    if (!e) e = ask_int(a, "limit", HISTORY_PAGE, 1, HISTORY_MOST, &limit);
    return e ? e : alert_put_past(all, (uint64_t)before, (uint32_t)limit, &a->out);
}

err_t console_alert_rule_set(struct ask *a)
{
    struct alert *all;
    struct doc rule;
    err_t e = here(a->console, &all, &a->d);
    if (!e) e = named_body(a, &rule);
    return e ? e : alert_rule_set(all, &rule, &a->d);
}

err_t console_alert_rule_remove(struct ask *a)
{
    struct alert *all;
    err_t e = here(a->console, &all, &a->d);
    return e ? e : alert_rule_remove(all, ask_part(a, "name"), &a->d);
}

err_t console_alert_mute(struct ask *a)
{
    struct alert *all;
    err_t e = here(a->console, &all, &a->d);
    return e ? e : alert_mute(all, ask_part(a, "name"), ask_body_int(a, "until_ms", 0), &a->d);
}

err_t console_alert_receivers(struct ask *a)
{
    struct alert *all;
    err_t e = here(a->console, &all, &a->d);
    return e ? e : alert_put_receivers(all, &a->out);
}

err_t console_alert_receiver_set(struct ask *a)
{
    struct alert *all;
    struct doc receiver;
    err_t e = here(a->console, &all, &a->d);
    if (!e) e = named_body(a, &receiver);
    return e ? e : alert_receiver_set(all, &receiver, &a->d);
}

err_t console_alert_receiver_remove(struct ask *a)
{
    struct alert *all;
    err_t e = here(a->console, &all, &a->d);
    return e ? e : alert_receiver_remove(all, ask_part(a, "name"), &a->d);
}

err_t console_alert_receiver_try(struct ask *a)
{
    struct alert *all;
    err_t e = here(a->console, &all, &a->d);
    return e ? e : alert_receiver_try(all, ask_part(a, "name"), &a->d);
}
