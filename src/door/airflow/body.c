/* Answers' bodies: the tables of bodies.def, and how each type of a column is written. What is made
 * of a dag stands in body_dag.c. */
#include "door/airflow/body_int.h"

#include "base/hash.h"
#include "data/json.h"
#include "sched/connection.h"
#include "sched/secret.h"
#include "sched/things.h"

#include <inttypes.h>

enum { W_V1 = 1, W_V2 = 2, W_V12 = 3, W_D1 = 4, W_D2 = 8, W_D12 = 12, W_UI = 16 };
struct field {
    enum body_kind body;
    int where;
    const char *name, *column, *raw;
    void (*put)(struct buf *out, struct item *i);
};
static const struct field fields[] = {
#define BODY(name)               {BODY_##name, 0, NULL, NULL, NULL, NULL},
#define COL(where, name, column) {0, W_##where, name, column, NULL, NULL},
#define RAW(where, name, json)   {0, W_##where, name, NULL, json, NULL},
#define CALC(where, name, fn)    {0, W_##where, name, NULL, NULL, fn},
#include "door/airflow/bodies.def"
#undef BODY
#undef COL
#undef RAW
#undef CALC
};

const struct meta_value *item_at(const struct item *i, const char *column)
{
    static const struct meta_value none = {.kind = META_NULL};
    int place = i->row ? list_place(i->kind, column) : -1;
    return place >= 0 && (uint32_t)place < i->row->count ? &i->row->at[place] : &none;
}

void rest_put_text(struct buf *out, struct slice s)
{
    if (s.at)
        json_put_text(out, s);
    else
        buf_text(out, "null");
}

void rest_put_time(struct buf *out, const struct call *c, int64_t us)
{
    if (us == TIME_NONE) {
        buf_text(out, "null");
        return;
    }
    buf_char(out, '"');
    size_t from = out->len;
    moment_put(out, us);
    /* pydantic says Z for UTC where Python's isoformat says +00:00 */
    if (c->api == API_V2 && !out->err && out->len > from + 6) {
        out->len -= 6;
        buf_char(out, 'Z');
    }
    buf_char(out, '"');
}

void rest_put_value(struct buf *out, const struct call *c, enum list_type type,
                    const struct meta_value *v)
{
    if (v->kind == META_NULL) {
        buf_text(out, "null");
        return;
    }
    switch (type) {
    case LIST_TEXT: json_put_text(out, v->text); return;
    case LIST_INT: buf_printf(out, "%" PRId64, v->number); return;
    case LIST_REAL: json_put_f64(out, v->kind == META_INT ? (double)v->number : v->real); return;
    case LIST_BOOL: buf_text(out, v->number ? "true" : "false"); return;
    case LIST_TIME: rest_put_time(out, c, v->number); return;
    case LIST_JSON: buf_slice(out, v->text); return;
    case LIST_SEALED: buf_text(out, "null"); return;
    }
}

static void rest_put_column(struct buf *out, const char *column, const struct item *i)
{
    int place = list_place(i->kind, column);
    const struct list_column *of = place < 0 ? NULL : list_column(i->kind, (uint32_t)place);
    if (of && (uint32_t)place < i->row->count)
        rest_put_value(out, i->c, of->type, &i->row->at[place]);
    else
        out->err = ERR_INTERNAL; /* bodies.def names what list.def has not: a test looks */
}

static int wanted_of(const struct item *i)
{
    int wanted =
        i->c->api == API_V1 ? (i->detail ? W_V1 | W_D1 : W_V1) : (i->detail ? W_V2 | W_D2 : W_V2);
    return i->c->ui ? wanted | W_UI : wanted;
}

static uint32_t place_of(enum body_kind b)
{
    uint32_t at = 0;
    while (at < COUNT_OF(fields) && (fields[at].name || fields[at].body != b)) at++;
    return at;
}

bool rest_has_field(const struct item *i, enum body_kind b, struct slice name)
{
    for (uint32_t at = place_of(b) + 1; at < COUNT_OF(fields) && fields[at].name; at++)
        if ((fields[at].where & wanted_of(i)) && slice_is(name, fields[at].name)) return true;
    return false;
}

static bool is_named(const struct field_names *only, const char *name)
{
    for (uint32_t n = 0; n < only->count; n++)
        if (slice_is(only->list[n], name)) return true;
    return false;
}

void rest_put_item(struct buf *out, enum body_kind b, struct item *i)
{
    int wanted = wanted_of(i);
    uint32_t at = place_of(b);
    bool first = true, bare = fields[at + 1].name[0] == 0; /* a value, no object */
    if (!bare) buf_char(out, '{');
    for (at++; at < COUNT_OF(fields) && fields[at].name; at++) {
        const struct field *f = &fields[at];
        if (!(f->where & wanted) || (i->only && !is_named(i->only, f->name))) continue;
        if (!bare) buf_printf(out, "%s\"%s\": ", first ? "" : ", ", f->name);
        first = false;
        if (f->put)
            f->put(out, i);
        else if (f->raw)
            buf_text(out, f->raw);
        else
            rest_put_column(out, f->column, i);
    }
    if (!bare) buf_char(out, '}');
}

/* --- made of several columns -------------------------------------------------------------------
 */

void rest_put_bool(struct buf *out, bool yes)
{
    buf_text(out, yes ? "true" : "false");
}

void rest_put_duration(struct buf *out, struct item *i)
{
    const struct meta_value *from = item_at(i, "start_date"), *to = item_at(i, "end_date");
    if (from->kind == META_NULL || to->kind == META_NULL)
        buf_text(out, "null");
    else
        json_put_f64(out, (double)(to->number - from->number) / 1e6);
}

void rest_put_run_type(struct buf *out, struct item *i)
{
    struct slice type = item_at(i, "run_type")->text;
    bool old = i->c->api == API_V1 && slice_is(type, "asset_triggered");
    rest_put_text(out, old ? SLICE("dataset_triggered") : type);
}

static void rest_put_json_or_empty(struct buf *out, const struct meta_value *v)
{
    if (v->kind == META_NULL || v->text.len == 0)
        buf_text(out, "{}");
    else
        buf_slice(out, v->text);
}

void rest_put_conf(struct buf *out, struct item *i)
{
    rest_put_json_or_empty(out, item_at(i, "conf"));
}

void rest_put_backfill_conf(struct buf *out, struct item *i)
{
    rest_put_json_or_empty(out, item_at(i, "dag_run_conf"));
}

void rest_put_event_extra(struct buf *out, struct item *i)
{
    rest_put_json_or_empty(out, item_at(i, "extra"));
}

/* Rendered options, with what stands under a secret's name hidden. */
void rest_put_rendered(struct buf *out, struct item *i)
{
    const struct meta_value *v = item_at(i, "rendered_fields");
    struct doc tree;
    if (v->kind == META_NULL || doc_of_json(v->text, i->c->arena, &tree, NULL))
        buf_text(out, "{}");
    else
        secret_put_json(out, &tree);
}

void rest_put_hostname(struct buf *out, struct item *i)
{
    const struct meta_value *v = item_at(i, "hostname");
    rest_put_text(out, v->kind == META_NULL ? SLICE("") : v->text);
}

void rest_put_unixname(struct buf *out, struct item *i)
{
    (void)i;
    json_put_text(out, SLICE("sluice"));
}

void rest_put_xcom_value(struct buf *out, struct item *i)
{
    const struct meta_value *v = item_at(i, "value");
    bool deserialise = false;
    if (v->kind == META_NULL) {
        buf_text(out, "null");
        return;
    }
    /* v1 answers the JSON as a text (stringify's default); v2 too, unless asked not to */
    struct slice said;
    if (rest_param(i->c, "stringify", &said))
        deserialise = slice_equal_nocase(said, SLICE("false"));
    else
        deserialise = i->c->api == API_V2 && !slice_is(http_method(i->c->http), "GET");
    struct doc tree;
    if (deserialise)
        buf_slice(out, v->text);
    else if (!doc_of_json(v->text, i->c->arena, &tree, NULL) && tree.kind == DOC_TEXT)
        json_put_text(out, tree.text);
    else
        json_put_text(out, v->text);
}

void rest_put_tag_name(struct buf *out, struct item *i)
{
    rest_put_text(out, item_at(i, "name")->text);
}

/* --- pools --------------------------------------------------------------------------------------
 */

/* An API's quota is a pool of as many slots as it allows in its span: those taken are in use. */
struct pool_quota {
    int64_t taken, waiting;
    struct slice about;
};

static err_t look_at_quota(struct item *i, struct pool_quota *q)
{
    const struct airflow_port *port = &airflow_options(i->c->door)->sched;
    struct buf about = buf_make(KIB(64));
    struct airflow_quota seen = {.about = &about};
    err_t e =
        port->quota ? port->quota(port->ctx, item_at(i, "name")->text, &seen, &i->c->d) : ERR_OK;
    if (about.len == 0) buf_text(&about, "an API's quota"); /* nobody has taken of it yet */
    if (!e) e = about.err;
    *q = (struct pool_quota){seen.taken, seen.waiting, arena_slice(i->c->arena, buf_view(&about))};
    buf_done(&about);
    return e || q->about.at ? e : ERR_NO_MEMORY;
}

/* NULL: a pool like any other. What can not be looked at is `out`'s error, and not unused. */
static const struct pool_quota *quota_of(struct buf *out, struct item *i)
{
    static const struct pool_quota unseen;
    if (i->quota || item_at(i, "per_ms")->kind == META_NULL) return i->quota;
    struct pool_quota *q = arena_take(i->c->arena, sizeof(*q));
    err_t e = q ? look_at_quota(i, q) : ERR_NO_MEMORY;
    if (e) out->err = e;
    i->quota = e ? &unseen : q;
    return i->quota;
}

static void put_slots(struct buf *out, struct item *i, const char *column, int64_t of_quota)
{
    buf_printf(out, "%" PRId64, quota_of(out, i) ? of_quota : item_at(i, column)->number);
}

void rest_put_running_slots(struct buf *out, struct item *i)
{
    const struct pool_quota *q = quota_of(out, i);
    put_slots(out, i, "running_slots", q ? q->taken : 0);
}

void rest_put_scheduled_slots(struct buf *out, struct item *i)
{
    const struct pool_quota *q = quota_of(out, i);
    put_slots(out, i, "scheduled_slots", q ? q->waiting : 0);
}

void rest_put_queued_slots(struct buf *out, struct item *i)
{
    put_slots(out, i, "queued_slots", 0);
}

void rest_put_deferred_slots(struct buf *out, struct item *i)
{
    put_slots(out, i, "deferred_slots", 0);
}

void rest_put_pool_about(struct buf *out, struct item *i)
{
    const struct pool_quota *q = quota_of(out, i);
    rest_put_text(out, q ? q->about : item_at(i, "description")->text);
}

/* {"per_ms": its span}, or null: of the console's pages. */
void rest_put_pool_quota(struct buf *out, struct item *i)
{
    if (quota_of(out, i))
        buf_printf(out, "{\"per_ms\": %" PRId64 "}", item_at(i, "per_ms")->number);
    else
        buf_text(out, "null");
}

static int64_t occupied(struct buf *out, struct item *i)
{
    const struct pool_quota *q = quota_of(out, i);
    if (q) return q->taken;
    int64_t n = item_at(i, "running_slots")->number + item_at(i, "queued_slots")->number;
    return item_at(i, "include_deferred")->number ? n + item_at(i, "deferred_slots")->number : n;
}

void rest_put_occupied(struct buf *out, struct item *i)
{
    buf_printf(out, "%" PRId64, occupied(out, i));
}

void rest_put_open(struct buf *out, struct item *i)
{
    int64_t slots = item_at(i, "slots")->number;
    if (slots < 0 && i->c->api == API_V1)
        buf_text(out, "Infinity"); /* Python's json says so */
    else if (quota_of(out, i))
        buf_printf(out, "%" PRId64, MAX(slots - occupied(out, i), INT64_C(0)));
    else
        buf_printf(out, "%" PRId64, slots < 0 ? -1 : slots - occupied(out, i));
}

/* --- what is sealed ------------------------------------------------------------------------------
 */

void rest_put_password(struct buf *out, struct item *i)
{
    buf_text(out, item_at(i, "password")->kind == META_NULL ? "null" : "\"***\"");
}

void rest_put_extra(struct buf *out, struct item *i)
{
    struct connection k;
    struct doc tree;
    if (item_at(i, "extra")->kind == META_NULL) {
        buf_text(out, "null");
        return;
    }
    err_t e = connection_read(i->c->meta, i->row, i->c->arena, &k, &i->c->d);
    if (!e) e = doc_of_json(k.extra, i->c->arena, &tree, &i->c->d);
    if (e) {
        out->err = e;
        return;
    }
    struct buf text = buf_make(CONNECTION_TEXT_MAX * 2);
    secret_put_json(&text, &tree);
    json_put_text(out, buf_view(&text));
    if (text.err) out->err = text.err;
    buf_done(&text);
}

void rest_put_variable_value(struct buf *out, struct item *i)
{
    struct variable v;
    err_t e = variable_read(i->c->meta, i->row, i->c->arena, &v, &i->c->d);
    if (e)
        out->err = e;
    else if (i->c->api == API_V2 && secret_name(v.key) && v.value.len)
        buf_text(out, "\"***\"");
    else
        json_put_text(out, v.value);
}
