/* v2's bulk changes: a list of actions (create, update, delete), each with entities, carried out
 * one after the other. What an action can not do is told beside what the others did, as in Airflow:
 * the answer is 200 then too. */
#include "door/airflow/airflow_int.h"

#include "data/json.h"

enum { BULK_MOST = 10000 /* entities of one action */ };

static const struct {
    const char *name;
    enum input_table inputs;
    const char *on, *choices[3], *said;
} verbs[BULK_VERBS] = {
    [BULK_CREATE] = {"create",
                     INPUTS_BULK_CREATE,
                     "action_on_existence",
                     {"fail", "skip", "overwrite"},
                     "Input should be 'fail', 'skip' or 'overwrite'"},
    [BULK_UPDATE] = {"update",
                     INPUTS_BULK_CHANGE,
                     "action_on_non_existence",
                     {"fail", "skip", "fail"},
                     "Input should be 'fail' or 'skip'"},
    [BULK_DELETE] = {"delete",
                     INPUTS_BULK_DELETE,
                     "action_on_non_existence",
                     {"fail", "skip", "fail"},
                     "Input should be 'fail' or 'skip'"},
};

static enum bulk_verb verb_of(const struct doc *action)
{
    struct slice said = doc_text(doc_get(action, "action"));
    enum bulk_verb v = BULK_CREATE;
    while (v < BULK_VERBS && !slice_is(said, verbs[v].name)) v++;
    return v;
}

/* --- is it well made? ----------------------------------------------------------------------------
 */

struct checking {
    struct call *c;
    enum input_table inputs;
    bool objects;
    uint32_t action;
    enum bulk_verb verb;
};

static void check_entity(const struct checking *k, const struct doc *entity, uint32_t place)
{
    struct call *c = k->c;
    char at[96];
    struct buf b = buf_over(at, sizeof(at));
    buf_printf(&b, ", \"actions\", %u, \"%s\", \"entities\", %u", k->action, verbs[k->verb].name,
               place);
    c->body_at = buf_view(&b);
    c->body = *entity;
    bool wants_object = k->verb != BULK_DELETE || (k->objects && entity->kind == DOC_MAP);
    if (wants_object)
        body_gather(c, k->inputs);
    else if (entity->kind != DOC_TEXT)
        body_mistake(c, "string_type", (struct slice){0}, "Input should be a valid string", entity);
    c->body_at = (struct slice){0};
}

static bool is_choice(struct slice said, const char *const choices[3])
{
    for (int i = 0; i < 3; i++)
        if (slice_is(said, choices[i])) return true;
    return false;
}

static void check_action(struct checking *k, const struct doc *action)
{
    struct call *c = k->c;
    char at[48];
    struct buf b = buf_over(at, sizeof(at));
    buf_printf(&b, ", \"actions\", %u", k->action);
    c->body_at = buf_view(&b);
    c->body = *action;
    k->verb = verb_of(action);
    if (k->verb == BULK_VERBS) {
        body_mistake(c, "union_tag_invalid", (struct slice){0},
                     "'action' should be 'create', 'update' or 'delete'", action);
        return;
    }
    buf_printf(&b, ", \"%s\"", verbs[k->verb].name);
    c->body_at = buf_view(&b);
    body_gather(c, verbs[k->verb].inputs);
    const struct doc *on = doc_get(action, verbs[k->verb].on), *list = doc_get(action, "entities");
    if (on && on->kind == DOC_TEXT && !is_choice(on->text, verbs[k->verb].choices))
        body_mistake(c, "enum", slice_of(verbs[k->verb].on), verbs[k->verb].said, on);
    if (!list || list->kind != DOC_LIST) return;
    if (list->count > BULK_MOST)
        body_mistake(c, "too_long", SLICE("entities"), "List should have at most 10000 items",
                     list);
    for (uint32_t i = 0; i < list->count && list->count <= BULK_MOST && !c->out.err; i++)
        check_entity(k, &list->items[i], i);
}

err_t bulk_check(struct call *c, enum input_table inputs, bool objects)
{
    struct checking k = {.c = c, .inputs = inputs, .objects = objects};
    err_t e = body_check(c, INPUTS_BULK);
    if (e) return e;
    c->param_count = 0; /* an update_mask of the query is none of this one's */
    struct doc whole = c->body;
    const struct doc *actions = doc_get(&whole, "actions");
    for (; k.action < actions->count && !c->out.err; k.action++)
        check_action(&k, &actions->items[k.action]);
    c->body = whole;
    c->body_at = (struct slice){0};
    return body_mistaken(c);
}

/* --- carried out ---------------------------------------------------------------------------------
 */

void bulk_done(const struct bulk *b, struct slice id)
{
    if (b->out->success.len) buf_text(&b->out->success, ", ");
    json_put_text(&b->out->success, id);
}

err_t bulk_failed(const struct bulk *b, int status, struct slice said)
{
    struct buf *out = &b->out->errors;
    buf_text(out, out->len ? ", {\"error\": " : "{\"error\": ");
    json_put_text(out, said);
    buf_printf(out, ", \"status_code\": %d}", status);
    return out->err;
}

static void put_outcomes(struct buf *out, const struct bulk_outcome *all)
{
    for (enum bulk_verb v = BULK_CREATE; v < BULK_VERBS; v++) {
        buf_printf(out, "%s\"%s\": ", v ? ", " : "{", verbs[v].name);
        if (!all[v].asked) {
            buf_text(out, "null");
            continue;
        }
        buf_text(out, "{\"success\": [");
        buf_slice(out, buf_view(&all[v].success));
        buf_text(out, "], \"errors\": [");
        buf_slice(out, buf_view(&all[v].errors));
        buf_text(out, "]}");
    }
    buf_char(out, '}');
}

err_t bulk_run(struct call *c, err_t (*act)(struct call *c, const struct bulk *b, const void *ctx),
               const void *ctx)
{
    struct bulk_outcome all[BULK_VERBS];
    struct doc whole = c->body;
    const struct doc *actions = doc_get(&whole, "actions");
    err_t e = ERR_OK;
    for (int v = 0; v < BULK_VERBS; v++)
        all[v] = (struct bulk_outcome){false, buf_make(AIRFLOW_ANSWER_MAX),
                                       buf_make(AIRFLOW_ANSWER_MAX)};
    for (uint32_t i = 0; i < actions->count && !e; i++) {
        const struct doc *action = &actions->items[i];
        enum bulk_verb v = verb_of(action);
        struct slice on = doc_text(doc_get(action, verbs[v].on));
        const struct doc *mask = doc_get(action, "update_mask");
        struct bulk b = {v, doc_get(action, "entities"), on.at ? on : SLICE("fail"),
                         mask && mask->kind == DOC_LIST && mask->count ? mask : NULL, &all[v]};
        all[v].asked = true;
        e = act(c, &b, ctx);
        if (!e && all[v].success.err) e = all[v].success.err;
        if (!e && all[v].errors.err) e = all[v].errors.err;
    }
    c->body = whole;
    if (!e) put_outcomes(&c->out, all);
    for (int v = 0; v < BULK_VERBS; v++) {
        buf_done(&all[v].success);
        buf_done(&all[v].errors);
    }
    return e;
}

/* --- connections, variables, pools ---------------------------------------------------------------
 */

static err_t see(void *ctx, const struct meta_row *row)
{
    (void)row;
    *(bool *)ctx = true;
    return ERR_OK;
}

struct entities {
    struct slice *ids;
    bool *there;
    uint32_t count;
};

static err_t look(struct call *c, const struct kept *k, const struct bulk *b, struct entities *out)
{
    const struct doc *list = b->entities;
    *out = (struct entities){arena_take(c->arena, (list->count + 1) * sizeof(*out->ids)),
                             arena_take(c->arena, list->count + 1), list->count};
    if (!out->ids || !out->there) return diag_fail(&c->d, ERR_NO_MEMORY, "no memory for a list");
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < list->count && !e; i++) {
        const struct doc *v = &list->items[i];
        out->ids[i] = doc_text(v->kind == DOC_MAP ? doc_get(v, k->key) : v);
        struct meta_value id = meta_text(out->ids[i]);
        struct list_filter one = {k->key, LIST_IN, &id, 1};
        struct list_ask ask = {k->list, &one, 1, {0}, 1, 0, true};
        e = list_run(c->meta, &ask, see, &out->there[i], NULL, &c->d);
    }
    return e;
}

static bool stands_before(const struct entities *all, uint32_t place)
{
    for (uint32_t i = 0; i < place; i++)
        if (slice_equal(all->ids[i], all->ids[place])) return true;
    return false;
}

/* Airflow's sentence with the set of those that are (not) there. */
static err_t fail_all(const struct kept *k, const struct bulk *b, const struct entities *all)
{
    struct buf said = buf_make(AIRFLOW_BODY_MAX * 2);
    bool creates = b->verb == BULK_CREATE, first = true;
    buf_printf(&said, "The %s with these %s: {", k->what, k->keys);
    for (uint32_t i = 0; i < all->count; i++) {
        if (all->there[i] != creates || stands_before(all, i)) continue;
        buf_printf(&said, "%s'%.*s'", first ? "" : ", ", SLICE_ARG(all->ids[i]));
        first = false;
    }
    buf_text(&said, creates ? "} already exist." : "} were not found.");
    err_t e = said.err ? said.err : bulk_failed(b, creates ? 409 : 404, buf_view(&said));
    buf_done(&said);
    return e;
}

/* What is not in the mask was not said; the key always was. */
static err_t cut_down(struct call *c, const struct kept *k, const struct bulk *b,
                      const struct doc *entity)
{
    c->body = *entity;
    if (!b->mask || entity->kind != DOC_MAP) return ERR_OK;
    c->body.count = 0;
    c->body.entries = arena_take(c->arena, (entity->count + 1) * sizeof(*c->body.entries));
    if (!c->body.entries) return diag_fail(&c->d, ERR_NO_MEMORY, "no memory for an entity");
    for (uint32_t i = 0; i < entity->count; i++) {
        bool said = slice_is(entity->entries[i].name, k->key);
        for (uint32_t n = 0; n < b->mask->count && !said; n++)
            said = slice_equal(doc_text(&b->mask->items[n]), entity->entries[i].name);
        if (said) c->body.entries[c->body.count++] = entity->entries[i];
    }
    return ERR_OK;
}

static err_t act_kept(struct call *c, const struct bulk *b, const void *ctx)
{
    const struct kept *k = ctx;
    struct entities all;
    bool creates = b->verb == BULK_CREATE, met = false;
    err_t e = look(c, k, b, &all);
    for (uint32_t i = 0; i < all.count && !e; i++) met |= all.there[i] == creates;
    if (!e && met && slice_is(b->on, "fail")) return fail_all(k, b, &all);
    for (uint32_t i = 0; i < all.count && !e; i++) {
        bool again = b->verb == BULK_DELETE && stands_before(&all, i);
        if (again || (all.there[i] == creates && slice_is(b->on, "skip"))) continue;
        e = cut_down(c, k, b, &b->entities->items[i]);
        if (!e) e = k->change[b->verb](c, all.ids[i]);
        if (!e) bulk_done(b, all.ids[i]);
    }
    if (!e || !c->refused) return e;
    c->refused = false;
    return bulk_failed(b, c->status, slice_of(c->d.what));
}

static err_t change_connections(struct call *c)
{
    return bulk_run(c, act_kept, &kept_connections);
}

static err_t change_variables(struct call *c)
{
    return bulk_run(c, act_kept, &kept_variables);
}

static err_t change_pools(struct call *c)
{
    return bulk_run(c, act_kept, &kept_pools);
}

static err_t bulk(struct call *c, const struct kept *k, err_t (*change)(struct call *c))
{
    err_t e = bulk_check(c, k->inputs, false);
    if (!e) e = rest_transact(c, change);
    if (!e) c->status = 200; /* an action's own may have been another */
    return e;
}

err_t api_bulk_connections(struct call *c)
{
    return bulk(c, &kept_connections, change_connections);
}

err_t api_bulk_variables(struct call *c)
{
    return bulk(c, &kept_variables, change_variables);
}

err_t api_bulk_pools(struct call *c)
{
    return bulk(c, &kept_pools, change_pools);
}
