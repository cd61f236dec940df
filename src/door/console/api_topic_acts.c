/* Acts on topics: making, settings, more partitions, cutting records off, deleting; each first in
 * numbers where something goes. */
#include "door/console/topics_kit.h"

#include <inttypes.h>

enum { SETTINGS_MAX = 200 };

/* --- settings -----------------------------------------------------------------------------------
 */

static const char *kind_name(enum log_config_kind k)
{
    static const char *const names[] = {
        [LOG_CONFIG_BOOL] = "bool",     [LOG_CONFIG_INT] = "int",   [LOG_CONFIG_LONG] = "long",
        [LOG_CONFIG_DOUBLE] = "double", [LOG_CONFIG_LIST] = "list", [LOG_CONFIG_STRING] = "text"};
    return names[k];
}

static err_t put_settings(struct buf *o, struct log_topic *t)
{
    size_t count;
    const struct log_config_row *rows = log_config_rows(&count);
    err_t e = ERR_OK;
    js_open(o, '[');
    for (size_t i = 0; !e && i < count; i++) {
        struct buf text = buf_make(KIB(64));
        bool own = false;
        e = log_config_text(t, i, &text, &own);
        if (!e && (own || !rows[i].old)) {
            js_open(o, '{');
            js_put_cstr(o, "name", rows[i].name);
            js_put_text(o, "value", text.len ? buf_view(&text) : SLICE(""));
            js_put_cstr(o, "default", rows[i].fallback);
            js_put_bool(o, "own", own);
            js_put_bool(o, "kept_only", rows[i].kept_only);
            js_put_cstr(o, "kind", kind_name(rows[i].kind));
            js_put_cstr(o, "about", rows[i].about);
            js_close(o, '}');
        }
        buf_done(&text);
    }
    js_close(o, ']');
    return e;
}

err_t console_topic_settings(struct ask *a)
{
    struct log_topic *t;
    err_t e = ask_topic(a, &t);
    return e ? e : put_settings(&a->out, t);
}

/* {"retention.ms": "1000", …}: text, number or boolean; null: back to the default. */
static err_t changes_of(struct ask *a, struct log_config_change **out, size_t *count)
{
    const struct doc *map = ask_body(a, "settings");
    uint32_t n = map && map->kind == DOC_MAP ? map->count : 0;
    *count = 0;
    *out = arena_take(a->arena, (n + 1) * sizeof(**out));
    if (!*out || n > SETTINGS_MAX) return diag_fail(&a->d, ERR_TOO_BIG, "%u settings", n);
    for (uint32_t i = 0; i < n; i++) {
        const struct doc *v = &map->entries[i].value;
        struct log_config_change *c = &(*out)[(*count)++];
        struct buf text = buf_make(KIB(64));
        *c = (struct log_config_change){
            v->kind == DOC_NULL ? LOG_CONFIG_DELETE : LOG_CONFIG_SET, map->entries[i].name, {0}};
        if (v->kind == DOC_TEXT)
            c->value = v->text.at ? v->text : SLICE("");
        else if (v->kind != DOC_NULL)
            doc_put_json(&text, v), c->value = arena_slice(a->arena, buf_view(&text));
        buf_done(&text);
    }
    return ERR_OK;
}

err_t console_topic_alter(struct ask *a)
{
    struct log_topic *t;
    struct log_config_change *changes;
    size_t count;
    err_t e = ask_topic(a, &t);
    if (!e) e = changes_of(a, &changes, &count);
    if (!e)
        e = topic_alter(ask_world(a)->log, t, changes, count, false,
                        ask_body_bool(a, "dry_run", false), &a->d);
    return e ? e : put_settings(&a->out, t);
}

/* --- making -------------------------------------------------------------------------------------
 */

err_t console_topic_make(struct ask *a)
{
    struct topic_wish w = {.name = ask_body_text(a, "name"),
                           .replication = -1,
                           .validate_only = ask_body_bool(a, "dry_run", false)};
    struct log_config_change *changes = NULL;
    struct log_topic *t;
    int64_t partitions = ask_body_int(a, "partitions", 1);
    err_t e = changes_of(a, &changes, &w.change_count);
    if (!e && (partitions > INT32_MAX || partitions < 0)) partitions = 0;
    w.partitions = (int32_t)partitions;
    w.changes = changes;
    if (!e) e = topic_make(ask_world(a)->log, &w, &t, &a->d);
    if (e == ERR_TOPIC_NAME || e == ERR_EXISTS) (void)diag_where(&a->d, "name");
    if (e == ERR_PARTITIONS) (void)diag_where(&a->d, "partitions");
    if (e) return e;
    js_open(&a->out, '{');
    js_put_text(&a->out, "name", w.name);
    js_put_int(&a->out, "partitions", w.partitions);
    js_put_bool(&a->out, "made", !w.validate_only);
    js_close(&a->out, '}');
    return ERR_OK;
}

err_t console_topic_grow(struct ask *a)
{
    struct log_topic *t;
    int64_t n = ask_body_int(a, "partitions", 0);
    err_t e = ask_topic(a, &t);
    if (!e)
        e = topic_grow(ask_world(a)->log, t, (int32_t)MIN(MAX(n, INT64_C(0)), INT32_MAX),
                       ask_body_bool(a, "dry_run", false), &a->d);
    if (e) return e;
    js_open(&a->out, '{');
    js_put_text(&a->out, "name", log_topic_name(t));
    js_put_int(&a->out, "partitions", n);
    js_put_bool(&a->out, "made", !ask_body_bool(a, "dry_run", false));
    js_close(&a->out, '}');
    return ERR_OK;
}

/* --- cutting off --------------------------------------------------------------------------------
 */

struct cut {
    int32_t partition;
    int64_t start, before, records;
};

/* What a cut before `before` (-1: all that is stable) takes from the i-th partition. */
static err_t cut_plan(struct ask *a, struct log_topic *t, int32_t i, int64_t before,
                      struct cut *out)
{
    struct log_partition *p = log_partition(t, i);
    int64_t start = log_start_offset(p), end = MAX(log_stable_offset(p), start);
    *out = (struct cut){i, start, before < 0 ? end : before, 0};
    if (out->before > end)
        return diag_fail(&a->d, ERR_OFFSET_RANGE,
                         "partition %d ends at %" PRId64 ", before %" PRId64, i, end, before);
    out->before = MAX(out->before, start);
    out->records = out->before - start;
    return ERR_OK;
}

static err_t cuts_of(struct ask *a, struct log_topic *t, struct cut **out, int32_t *count)
{
    int64_t only = ask_body_int(a, "partition", -1), before = ask_body_int(a, "before", -1);
    int32_t n = log_topic_partitions(t);
    err_t e = ERR_OK;
    *count = 0;
    *out = arena_take(a->arena, ((size_t)n + 1) * sizeof(**out));
    if (!*out) return diag_fail(&a->d, ERR_NO_MEMORY, "no memory for %d partitions", n);
    if (only >= n || before < -1)
        return diag_fail(&a->d, ERR_OFFSET_RANGE, "there is no such partition or offset");
    if (!log_topic_config(t).delete)
        return diag_fail(&a->d, ERR_POLICY,
                         "the topic is compacted: each key keeps its last record");
    if (log_topic_is_internal(t))
        return diag_fail(&a->d, ERR_POLICY, "the coordinators' own topics stay whole");
    for (int32_t i = 0; !e && i < n; i++)
        if (only < 0 || only == i) e = cut_plan(a, t, i, before, &(*out)[(*count)++]);
    return e;
}

err_t console_topic_cut(struct ask *a)
{
    struct log_topic *t;
    struct cut *cuts = NULL;
    int32_t count = 0;
    bool dry = ask_body_bool(a, "dry_run", false);
    int64_t low, sum = 0;
    err_t e = ask_topic(a, &t);
    if (!e) e = cuts_of(a, t, &cuts, &count);
    for (int32_t i = 0; !e && !dry && i < count; i++)
        e = topic_cut(t, cuts[i].partition, cuts[i].before, &low, &a->d);
    if (e) return e;
    js_open(&a->out, '{');
    js_put_bool(&a->out, "done", !dry);
    js_put_open(&a->out, "partitions", '[');
    for (int32_t i = 0; i < count; i++) {
        sum += cuts[i].records;
        js_open(&a->out, '{');
        js_put_int(&a->out, "partition", cuts[i].partition);
        js_put_int(&a->out, "start", cuts[i].start);
        js_put_int(&a->out, "before", cuts[i].before);
        js_put_int(&a->out, "records", cuts[i].records);
        js_close(&a->out, '}');
    }
    js_close(&a->out, ']');
    js_put_int(&a->out, "records", sum);
    js_close(&a->out, '}');
    return ERR_OK;
}

/* --- deleting -----------------------------------------------------------------------------------
 */

/* Groups that stand in the topic. */
static err_t put_standing(struct ask *a, struct slice topic)
{
    struct group_listed *groups = NULL;
    size_t count = 0;
    err_t e = ERR_OK;
    js_put_open(&a->out, "groups", '[');
    if (a->console->o.coord) e = group_list_all(a->console, a->arena, &groups, &count, &a->d);
    for (size_t i = 0; !e && i < count; i++) {
        struct group_look g;
        bool stands = false;
        e = group_look_at(a->console, groups[i].group, a->arena, &g, &a->d);
        for (size_t k = 0; !e && k < g.count; k++) stands |= slice_equal(g.places[k].topic, topic);
        if (stands) js_text(&a->out, groups[i].group);
    }
    js_close(&a->out, ']');
    return e;
}

/* A source or stream that lives on the topic would fail without it. */
static err_t refuse_used(struct ask *a, struct slice name)
{
    char who[300];
    struct flow *f = ask_world(a)->flow;
    if (!f || !flow_uses_topic(f, name, who, sizeof(who))) return ERR_OK;
    (void)diag_fail(&a->d, ERR_POLICY, "topic '%.*s' is in use: by %s of pipeline.sql",
                    SLICE_ARG(name), who);
    return diag_hint(&a->d, "take that out of pipeline.sql first");
}

err_t console_topic_loss(struct ask *a)
{
    struct log_topic *t;
    char who[300] = "";
    err_t e = ask_topic(a, &t);
    if (e) return e;
    struct slice name = log_topic_name(t);
    struct flow *f = ask_world(a)->flow;
    bool used = f && flow_uses_topic(f, name, who, sizeof(who));
    js_open(&a->out, '{');
    js_put_text(&a->out, "name", name);
    js_put_uint(&a->out, "records", topic_records(t));
    js_put_uint(&a->out, "bytes", topic_bytes(t));
    js_put_int(&a->out, "partitions", log_topic_partitions(t));
    js_put_cstr(&a->out, "used_by", used ? who : NULL);
    js_put_bool(&a->out, "internal", log_topic_is_internal(t));
    e = put_standing(a, name);
    js_close(&a->out, '}');
    return e;
}

err_t console_topic_delete(struct ask *a)
{
    struct log_topic *t;
    err_t e = ask_topic(a, &t);
    if (!e) e = refuse_used(a, log_topic_name(t));
    return e ? e : topic_delete(ask_world(a)->log, a->console->o.coord, t, a->arena, &a->d);
}
