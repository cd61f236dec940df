#include "alert/alert_int.h"

#include "data/json.h"

#include <inttypes.h>

static const char *const origin_words[] = {"ready", "alerts.yaml", "console"};
static const char *const state_words[] = {"ok", "pending", "firing"};

/* --- life ---------------------------------------------------------------------------------------
 */

static void judge_run(void *arg)
{
    struct alert *a = arg;
    gate_enter(&a->gate);
    while (!a->closing) {
        gate_leave(&a->gate);
        judge_round(a);
        gate_enter(&a->gate);
        int64_t until = a->o.port.now_ms(a->o.port.ctx) + a->o.every_ms, now;
        while (!a->closing && (now = a->o.port.now_ms(a->o.port.ctx)) < until)
            (void)gate_wait_ms(&a->gate, MIN(until - now, a->o.every_ms));
    }
    gate_leave(&a->gate);
}

static struct alert *alert_new(const struct alert_options *o)
{
    struct alert *a = mem_take(sizeof(*a));
    if (!a) return NULL;
    *a = (struct alert){.o = *o,
                        .rules = vec_make(sizeof(struct rule *), ALERT_RULES_MAX),
                        .receivers = vec_make(sizeof(struct receiver *), ALERT_RECEIVERS_MAX),
                        .tellings = vec_make(sizeof(struct telling *), ALERT_TELLINGS_MAX),
                        .past = vec_make(sizeof(struct event), ALERT_PAST_MAX),
                        .log_fd = -1,
                        .dir = mem_text(slice_of(o->dir)),
                        .file = mem_text(slice_of(o->file ? o->file : "")),
                        .console = mem_text(slice_of(o->console ? o->console : ""))};
    gate_init(&a->gate);
    return a;
}

err_t alert_open(const struct alert_options *o, struct alert **out, struct diag *d)
{
    struct alert *a = alert_new(o);
    if (!a) return diag_fail(d, ERR_NO_MEMORY, "no memory for alerts");
    err_t e = a->dir && a->file && a->console ? ERR_OK
                                              : diag_fail(d, ERR_NO_MEMORY, "no memory for alerts");
    if (!e) e = rules_ready(a, (struct slice){0}, d);
    if (!e) e = past_open(a, d);
    if (!e) e = kept_load(a, d);
    if (!e) e = thread_start(&a->teller, "alert-tell", tell_run, a, d);
    if (!e && o->every_ms) e = thread_start(&a->judge, "alert", judge_run, a, d);
    if (e)
        alert_close(a);
    else
        *out = a;
    return e;
}

void alert_close(struct alert *a)
{
    if (!a) return;
    gate_enter(&a->gate);
    a->closing = true;
    gate_wake(&a->gate);
    gate_leave(&a->gate);
    thread_join(&a->judge);
    thread_join(&a->teller);
    past_close(a);
    for (size_t i = 0; i < a->rules.count; i++) rule_free(*(struct rule **)vec_at(&a->rules, i));
    for (size_t i = 0; i < a->receivers.count; i++)
        receiver_free(*(struct receiver **)vec_at(&a->receivers, i));
    for (size_t i = 0; i < a->tellings.count; i++)
        telling_free(*(struct telling **)vec_at(&a->tellings, i));
    vec_done(&a->rules);
    vec_done(&a->receivers);
    vec_done(&a->tellings);
    gate_done(&a->gate);
    mem_give(a->dir);
    mem_give(a->file);
    mem_give(a->console);
    mem_give(a);
}

void alert_round(struct alert *a)
{
    judge_round(a);
}

uint64_t alert_version(struct alert *a)
{
    gate_enter(&a->gate);
    uint64_t v = a->version;
    gate_leave(&a->gate);
    return v;
}

static enum alert_state worst_of(const struct rule *r)
{
    enum alert_state worst = STATE_OK;
    struct slice name;
    void *at;
    for (size_t i = 0; r->parts && map_next(r->parts, &i, &name, &at);)
        worst = MAX(worst, ((struct part *)at)->state);
    return worst;
}

void alert_counts(struct alert *a, uint32_t *firing, uint32_t *pending)
{
    *firing = *pending = 0;
    gate_enter(&a->gate);
    for (size_t i = 0; i < a->rules.count; i++) {
        enum alert_state s = worst_of(*(struct rule **)vec_at(&a->rules, i));
        *firing += s == STATE_FIRING;
        *pending += s == STATE_PENDING;
    }
    gate_leave(&a->gate);
}

/* --- looking
 * --------------------------------------------------------------------------------------
 */

static void put_parts(struct buf *out, const struct rule *r)
{
    struct slice name;
    void *at;
    bool first = true;
    buf_text(out, ",\"parts\":[");
    for (size_t i = 0; r->parts && map_next(r->parts, &i, &name, &at);) {
        const struct part *p = at;
        buf_text(out, first ? "{\"name\":" : ",{\"name\":");
        first = false;
        json_put_text(out, name);
        buf_printf(out,
                   ",\"state\":\"%s\",\"since_ms\":%" PRId64 ",\"value\":", state_words[p->state],
                   p->since_ms);
        if (p->value - p->value == 0) /* JSON knows no infinity: not filling at all */
            json_put_f64(out, p->value);
        else
            buf_text(out, "null");
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

static void put_rule(struct buf *out, const struct rule *r)
{
    buf_char(out, '{');
    rule_put(out, r);
    buf_printf(out, ",\"unit\":\"%s\",\"origin\":\"%s\",\"state\":\"%s\",\"trouble\":",
               measure_infos[r->measure].unit, origin_words[r->origin], state_words[worst_of(r)]);
    json_put_text(out, slice_of(r->trouble));
    put_parts(out, r);
    buf_char(out, '}');
}

err_t alert_put_rules(struct alert *a, struct buf *out)
{
    bool first = true;
    gate_enter(&a->gate);
    buf_text(out, "{\"rules\":[");
    for (int worst = STATE_FIRING; worst >= STATE_OK; worst--)
        for (size_t i = 0; i < a->rules.count; i++) {
            const struct rule *r = *(struct rule **)vec_at(&a->rules, i);
            if ((int)worst_of(r) != worst) continue;
            if (!first) buf_char(out, ',');
            first = false;
            put_rule(out, r);
        }
    buf_text(out, "],\"file_error\":");
    if (a->file_error.err) {
        char story[1600];
        diag_format(&a->file_error, story, sizeof(story));
        json_put_text(out, slice_of(story));
    } else
        buf_text(out, "null");
    buf_char(out, '}');
    gate_leave(&a->gate);
    return out->err;
}

err_t alert_put_receivers(struct alert *a, struct buf *out)
{
    gate_enter(&a->gate);
    buf_text(out, "{\"receivers\":[");
    for (size_t i = 0; i < a->receivers.count; i++) {
        if (i) buf_char(out, ',');
        receiver_put(out, *(struct receiver **)vec_at(&a->receivers, i), true);
    }
    buf_text(out, "]}");
    gate_leave(&a->gate);
    return out->err;
}

err_t alert_put_past(struct alert *a, uint64_t before, uint32_t limit, struct buf *out)
{
    bool first = true;
    gate_enter(&a->gate);
    buf_text(out, "{\"events\":[");
    for (size_t i = a->past.count; i-- > 0 && limit;) {
        const struct event *v = vec_at(&a->past, i);
        if (before && v->number >= before) continue;
        if (!first) buf_char(out, ',');
        first = false;
        limit--;
        buf_printf(out, "{\"number\":%" PRIu64 ",%s", v->number, v->line + 1);
    }
    buf_text(out, "]}");
    gate_leave(&a->gate);
    return out->err;
}

void alert_put_measures(struct buf *out)
{
    buf_char(out, '[');
    for (size_t i = 0; i < ALERT_MEASURES; i++) {
        buf_printf(out, "%s{\"name\":\"%s\",\"unit\":\"%s\",\"about\":", i ? "," : "",
                   measure_infos[i].name, measure_infos[i].unit);
        json_put_text(out, slice_of(measure_infos[i].about));
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

/* --- steering
 * -------------------------------------------------------------------------------------
 */

static err_t no_rule(struct slice name, struct diag *d)
{
    return diag_fail(d, ERR_NOT_FOUND, "there is no alert rule '%.*s'", SLICE_ARG(name));
}

static err_t of_the_file(const char *what, struct slice name, struct diag *d)
{
    (void)diag_fail(d, ERR_FORBIDDEN, "%s '%.*s' stands in alerts.yaml", what, SLICE_ARG(name));
    return diag_hint(d, "change it there; it counts as soon as the file is written");
}

err_t alert_rule_set(struct alert *a, const struct doc *v, struct diag *d)
{
    struct rule *r = NULL;
    err_t e = rule_of_doc(v, FROM_CONSOLE, &r, d);
    if (e) return e;
    gate_enter(&a->gate);
    const struct rule *was = rule_find(a, slice_of(r->name));
    if (was && was->origin == FROM_FILE) {
        e = of_the_file("rule", slice_of(r->name), d);
        rule_free(r);
    } else
        e = rule_take(a, r, d);
    a->version++;
    if (!e) e = kept_store(a, d);
    gate_leave(&a->gate);
    return e;
}

err_t alert_rule_remove(struct alert *a, struct slice name, struct diag *d)
{
    err_t e = ERR_OK;
    gate_enter(&a->gate);
    struct rule *r = rule_find(a, name);
    if (!r) e = no_rule(name, d);
    if (r && r->origin == FROM_FILE) e = of_the_file("rule", name, d);
    if (r && r->origin == FROM_READY) {
        e = diag_fail(d, ERR_FORBIDDEN, "rule '%.*s' comes with Sluice", SLICE_ARG(name));
        (void)diag_hint(d, "mute it, or make one of that name with another limit");
    }
    for (size_t i = 0; !e && i < a->rules.count; i++)
        if (*(struct rule **)vec_at(&a->rules, i) == r) vec_remove(&a->rules, i);
    if (!e) {
        if (r->parts) a->part_count -= map_count(r->parts);
        e = rules_ready(a, slice_of(r->name), d); /* the ready one of that name is back */
        rule_free(r);
        a->version++;
        if (!e) e = kept_store(a, d);
    }
    gate_leave(&a->gate);
    return e;
}

err_t alert_mute(struct alert *a, struct slice name, int64_t until_ms, struct diag *d)
{
    gate_enter(&a->gate);
    struct rule *r = rule_find(a, name);
    err_t e = r ? ERR_OK : no_rule(name, d);
    if (!e) {
        r->muted_until_ms = MAX(until_ms, 0);
        a->version++;
        e = kept_store(a, d);
    }
    gate_leave(&a->gate);
    return e;
}

err_t alert_receiver_set(struct alert *a, const struct doc *v, struct diag *d)
{
    struct receiver *r = NULL;
    gate_enter(&a->gate);
    const struct receiver *was = receiver_find(a, doc_text(doc_get(v, "name")));
    err_t e = was && was->origin == FROM_FILE
                  ? of_the_file("receiver", doc_text(doc_get(v, "name")), d)
                  : receiver_of_doc(v, FROM_CONSOLE, was, &r, d);
    if (!e) e = receiver_take(a, r, d);
    a->version++;
    if (!e) e = kept_store(a, d);
    gate_leave(&a->gate);
    return e;
}

err_t alert_receiver_remove(struct alert *a, struct slice name, struct diag *d)
{
    gate_enter(&a->gate);
    struct receiver *r = receiver_find(a, name);
    err_t e = !r ? diag_fail(d, ERR_NOT_FOUND, "there is no receiver '%.*s'", SLICE_ARG(name))
              : r->origin == FROM_FILE ? of_the_file("receiver", name, d)
                                       : ERR_OK;
    for (size_t i = 0; !e && i < a->receivers.count; i++)
        if (*(struct receiver **)vec_at(&a->receivers, i) == r) vec_remove(&a->receivers, i);
    if (!e) {
        receiver_free(r);
        a->version++;
        e = kept_store(a, d);
    }
    gate_leave(&a->gate);
    return e;
}

err_t alert_receiver_try(struct alert *a, struct slice name, struct diag *d)
{
    struct telling t = {.receiver = NULL,
                        .rule = (char *)(uintptr_t) "a message to try it out",
                        .part = (char *)(uintptr_t) "",
                        .firing = true,
                        .severity = INFO,
                        .hint = (char *)(uintptr_t) "nothing is wrong"};
    struct doc v = {.kind = DOC_MAP};
    struct receiver *copy = NULL;
    struct arena *arena = arena_new(1 << 20);
    struct buf text = buf_make(1 << 16);
    gate_enter(&a->gate);
    const struct receiver *r = receiver_find(a, name);
    err_t e =
        r ? ERR_OK : diag_fail(d, ERR_NOT_FOUND, "there is no receiver '%.*s'", SLICE_ARG(name));
    if (r) receiver_put(&text, r, false);
    t.since_ms = a->o.port.now_ms(a->o.port.ctx);
    gate_leave(&a->gate);
    if (!e && (!arena || text.err)) e = diag_fail(d, ERR_NO_MEMORY, "no memory for a message");
    if (!e) e = doc_of_json(buf_view(&text), arena, &v, d);
    if (!e) e = receiver_of_doc(&v, FROM_CONSOLE, NULL, &copy, d);
    if (!e) {
        t.receiver = copy->name;
        e = tell_now(a, copy, &t, d);
    }
    receiver_free(copy);
    buf_done(&text);
    arena_free(arena);
    return e;
}
