/* What values can do: methods of texts, lists and maps; ti.xcom_pull, var, conn and macros. */
#include "sched/template_int.h"

#include "base/hash.h"

const struct tv *targ(const struct targs *args, uint32_t place, const char *name)
{
    for (uint32_t i = 0; i < args->count; i++) {
        if (args->names[i].len ? slice_is(args->names[i], name) : place == 0) return &args->at[i];
        place -= !args->names[i].len && place > 0;
    }
    return NULL;
}

static err_t no_such(struct tenv *n, const char *of, struct slice name)
{
    return diag_fail(n->d, ERR_UNSUPPORTED, "template: %s no '%.*s'", of, SLICE_ARG(name));
}

static struct slice text_of(const struct tv *v)
{
    return v && tv_is(v, DOC_TEXT) ? v->doc.text : (struct slice){0};
}

static struct tv undefined(struct slice name)
{
    return (struct tv){.kind = TV_UNDEFINED, .name = name};
}

/* --- ti.xcom_pull(task_ids=…, key=…, dag_id=…, map_indexes=…) -----------------------------------
 */

static err_t pull_one(struct tenv *n, struct template_asked *asked, struct slice task,
                      struct tv *out)
{
    asked->task_id = task;
    *out = tv_doc((struct doc){0});
    if (!n->world->xcom) return ERR_OK;
    err_t e = n->world->xcom(n->world->ctx, asked, n->a, &out->doc, n->d);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static err_t xcom_pull(struct tenv *n, const struct targs *args, struct tv *out)
{
    const struct tv *tasks = targ(args, 0, "task_ids"), *index = targ(args, 4, "map_indexes");
    const struct tv *fallback = targ(args, 5, "default"), *run = targ(args, 6, "run_id");
    struct template_asked asked = {.dag_id = text_of(targ(args, 1, "dag_id")),
                                   .key = text_of(targ(args, 2, "key")),
                                   .run_id = text_of(run),
                                   .map_index =
                                       index && tv_is(index, DOC_INT) ? &index->doc.number : NULL};
    err_t e = ERR_OK;
    if (!tasks || !tv_is(tasks, DOC_LIST)) {
        e = pull_one(n, &asked, text_of(tasks), out);
        if (!e && fallback && tv_is(out, DOC_NULL)) *out = *fallback;
        return e;
    }
    struct doc list = {.kind = DOC_LIST, .count = tasks->doc.count};
    list.items = arena_take(n->a, (list.count + (size_t)1) * sizeof *list.items);
    if (!list.items) return template_no_memory(n->d);
    for (uint32_t i = 0; i < list.count && !e; i++) {
        struct tv one;
        e = pull_one(n, &asked, doc_text(&tasks->doc.items[i]), &one);
        list.items[i] = one.doc;
    }
    *out = tv_doc(list);
    return e;
}

/* --- var.value.x, var.json.x, conn.x ------------------------------------------------------------
 */

static err_t variable(struct tenv *n, bool json, struct slice key, struct tv *out)
{
    struct slice value;
    *out = undefined(key);
    err_t e = n->world->variable ? n->world->variable(n->world->ctx, key, n->a, &value, n->d)
                                 : ERR_NOT_FOUND;
    if (e == ERR_NOT_FOUND) return ERR_OK;
    if (e) return e;
    *out = tv_text(value);
    if (!json) return ERR_OK;
    *out = tv_doc((struct doc){0});
    if (!doc_of_json(value, n->a, &out->doc, NULL)) return ERR_OK;
    return diag_fail(n->d, ERR_SYNTAX, "template: the variable '%.*s' is not JSON", SLICE_ARG(key));
}

static err_t connection(struct tenv *n, struct slice id, struct tv *out)
{
    *out = tv_doc((struct doc){0});
    err_t e = n->world->connection ? n->world->connection(n->world->ctx, id, n->a, &out->doc, n->d)
                                   : ERR_NOT_FOUND;
    if (e == ERR_NOT_FOUND) *out = undefined(id);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static err_t space_attribute(struct tenv *n, struct slice space, struct slice name, struct tv *out)
{
    *out = (struct tv){.kind = TV_SPACE};
    if (slice_is(space, "var") && slice_is(name, "value")) out->name = SLICE("var.value");
    if (slice_is(space, "var") && slice_is(name, "json")) out->name = SLICE("var.json");
    if (slice_is(space, "macros")) out->name = SLICE("macros");
    if (out->name.len) return ERR_OK;
    if (slice_is(space, "var.value")) return variable(n, false, name, out);
    if (slice_is(space, "var.json")) return variable(n, true, name, out);
    if (slice_is(space, "conn")) return connection(n, name, out);
    *out = undefined(name);
    return ERR_OK;
}

/* --- macros -------------------------------------------------------------------------------------
 */

static err_t bad_date(struct tenv *n, struct slice text)
{
    return diag_fail(n->d, ERR_USAGE, "template: '%.*s' is not a date of that form",
                     SLICE_ARG(text));
}

static err_t ds_add(struct tenv *n, const struct targs *args, struct tv *out)
{
    struct slice ds = text_of(targ(args, 0, "ds"));
    const struct tv *days = targ(args, 1, "days");
    struct tv date = {.kind = TV_DATE, .zone = zone_utc()};
    if (!date_read(ds, SLICE("%Y-%m-%d"), &date.us)) return bad_date(n, ds);
    if (!days || !tv_is(days, DOC_INT) || days->doc.number > 4000000 || days->doc.number < -4000000)
        return diag_fail(n->d, ERR_USAGE,
                         "template: macros.ds_add(ds, days) takes a number of days");
    date.us += days->doc.number * DAY_US;
    return date_format(n, &date, SLICE("%Y-%m-%d"), out);
}

static err_t ds_format(struct tenv *n, const struct targs *args, struct tv *out)
{
    struct slice ds = text_of(targ(args, 0, "ds"));
    struct tv date = {.kind = TV_DATE, .zone = zone_utc()};
    if (!date_read(ds, text_of(targ(args, 1, "input_format")), &date.us)) return bad_date(n, ds);
    return date_format(n, &date, text_of(targ(args, 2, "output_format")), out);
}

static err_t make_datetime(struct tenv *n, const struct targs *args, struct tv *out)
{
    static const char *const names[] = {"year",   "month",  "day",        "hour",
                                        "minute", "second", "microsecond"};
    int64_t part[7] = {0, 0, 0, 0, 0, 0, 0};
    for (uint32_t i = 0; i < COUNT_OF(names); i++) {
        const struct tv *v = targ(args, i, names[i]);
        if (!v && i >= 3) continue;
        if (!v || !tv_is(v, DOC_INT) || v->doc.number < 0 || v->doc.number > 999999)
            return diag_fail(n->d, ERR_USAGE,
                             "template: macros.datetime(year, month, day, …) takes whole numbers");
        part[i] = v->doc.number;
    }
    *out = (struct tv){.kind = TV_DATE, .zone = zone_utc()};
    struct wall w = {part[0],          (int32_t)part[1], (int32_t)part[2], (int32_t)part[3],
                     (int32_t)part[4], (int32_t)part[5], (int32_t)part[6]};
    if (w.month < 1 || w.month > 12 || w.day < 1 || w.day > calendar_month_days(w.year, w.month))
        return diag_fail(n->d, ERR_RANGE, "template: there is no such day");
    out->us = wall_us(w);
    return ERR_OK;
}

static err_t make_delta(struct tenv *n, const struct targs *args, struct tv *out)
{
    static const struct {
        const char *name;
        int64_t us;
    } units[] = {{"days", DAY_US},       {"seconds", SECOND_US}, {"microseconds", 1},
                 {"milliseconds", 1000}, {"minutes", MINUTE_US}, {"hours", HOUR_US},
                 {"weeks", 7 * DAY_US}};
    double sum = 0, number;
    for (uint32_t i = 0; i < COUNT_OF(units); i++) {
        const struct tv *v = targ(args, i, units[i].name);
        if (v && !tv_number(v, &number))
            return diag_fail(n->d, ERR_USAGE, "template: macros.timedelta takes numbers");
        if (v) sum += number * (double)units[i].us;
    }
    if (!(sum > -9e18 && sum < 9e18))
        return diag_fail(n->d, ERR_RANGE, "template: a timedelta is too long");
    *out = (struct tv){.kind = TV_DELTA, .us = (int64_t)sum};
    return ERR_OK;
}

static err_t macro(struct tenv *n, struct slice name, const struct targs *args, struct tv *out)
{
    if (slice_is(name, "ds_add")) return ds_add(n, args, out);
    if (slice_is(name, "ds_format")) return ds_format(n, args, out);
    if (slice_is(name, "datetime")) return make_datetime(n, args, out);
    if (slice_is(name, "timedelta")) return make_delta(n, args, out);
    (void)no_such(n, "macros has", name);
    return diag_hint(n->d, "ds_add, ds_format, datetime and timedelta are there");
}

static err_t space_call(struct tenv *n, struct slice space, struct slice name,
                        const struct targs *args, struct tv *out)
{
    const struct tv *fallback = targ(args, 1, "default_var");
    struct slice key = text_of(targ(args, 0, "key"));
    err_t e = ERR_OK;
    if (slice_is(space, "macros")) return macro(n, name, args, out);
    if (!slice_is(name, "get")) return no_such(n, "this has", name);
    if (slice_starts(space, "var.")) e = variable(n, slice_is(space, "var.json"), key, out);
    if (slice_is(space, "conn")) e = connection(n, key, out);
    if (!e && out->kind == TV_UNDEFINED && fallback) *out = *fallback;
    return e;
}

/* --- methods of texts ---------------------------------------------------------------------------
 */

static err_t split(struct tenv *n, struct slice s, const struct tv *by, struct tv *out)
{
    struct slice sign = text_of(by);
    uint32_t most = sign.len ? s.len / sign.len + 2 : s.len + 2, count = 0, start = 0;
    struct doc *items = arena_take(n->a, most * sizeof *items);
    if (!items) return template_no_memory(n->d);
    for (uint32_t i = 0; i <= s.len; i++) {
        bool end = i == s.len;
        bool hit =
            !end && (sign.len ? s.len - i >= sign.len && memcmp(s.at + i, sign.at, sign.len) == 0
                              : strchr(" \t\r\n", s.at[i]) != NULL);
        if (!end && !hit) continue;
        if (sign.len || i > start)
            items[count++] =
                (struct doc){.kind = DOC_TEXT, .text = slice_make(s.at + start, i - start)};
        if (hit) start = i + MAX(sign.len, 1U);
        if (hit && sign.len) i = start - 1;
    }
    *out = tv_doc((struct doc){.kind = DOC_LIST, .count = count, .items = items});
    return ERR_OK;
}

static err_t text_call(struct tenv *n, struct slice s, struct slice name, const struct targs *args,
                       struct tv *out)
{
    /* as filters of the same name do */
    static const char *const filters[] = {"upper", "lower", "capitalize", "replace"};
    static const struct {
        const char *name;
        bool left, right;
    } trims[] = {{"strip", true, true}, {"lstrip", true, false}, {"rstrip", false, true}};
    struct tv self = tv_text(s);
    struct slice part = text_of(targ(args, 0, "prefix"));
    for (size_t i = 0; i < COUNT_OF(filters); i++)
        if (slice_is(name, filters[i])) return template_filter(n, name, &self, args, out);
    if (slice_is(name, "title")) return template_cased(n, &self, 'T', out);
    for (size_t i = 0; i < COUNT_OF(trims); i++) {
        if (!slice_is(name, trims[i].name)) continue;
        struct slice set = part.len ? part : SLICE(" \t\r\n");
        while (trims[i].left && s.len && memchr(set.at, s.at[0], set.len)) s.at++, s.len--;
        while (trims[i].right && s.len && memchr(set.at, s.at[s.len - 1], set.len)) s.len--;
        *out = tv_text(s);
        return ERR_OK;
    }
    bool longer = s.len >= part.len;
    if (slice_is(name, "startswith")) {
        *out = tv_bool(longer && (!part.len || memcmp(s.at, part.at, part.len) == 0));
        return ERR_OK;
    }
    if (slice_is(name, "endswith")) {
        *out = tv_bool(longer &&
                       (!part.len || memcmp(s.at + s.len - part.len, part.at, part.len) == 0));
        return ERR_OK;
    }
    if (slice_is(name, "split")) return split(n, s, targ(args, 0, "sep"), out);
    if (slice_is(name, "join")) {
        const struct tv *list = targ(args, 0, "iterable");
        struct tv sign = tv_text(s);
        struct slice none = {0};
        struct targs with = {&sign, &none, 1};
        if (list) return template_filter(n, SLICE("join"), list, &with, out);
    }
    return no_such(n, "a text has", name);
}

/* --- methods of maps ----------------------------------------------------------------------------
 */

static err_t map_call(struct tenv *n, const struct doc *map, struct slice name,
                      const struct targs *args, struct tv *out)
{
    bool keys = slice_is(name, "keys"), values = slice_is(name, "values"),
         items = slice_is(name, "items");
    if (slice_is(name, "get")) {
        const struct doc *found = doc_find(map, text_of(targ(args, 0, "key")));
        const struct tv *fallback = targ(args, 1, "default");
        *out = found ? tv_doc(*found) : fallback ? *fallback : tv_doc((struct doc){0});
        return ERR_OK;
    }
    if (!keys && !values && !items) return no_such(n, "a map has", name);
    struct doc list = {.kind = DOC_LIST, .count = map->count};
    list.items = arena_take(n->a, (map->count + (size_t)1) * sizeof *list.items);
    struct doc *pairs = arena_take(n->a, (map->count + (size_t)1) * 2 * sizeof *pairs);
    if (!list.items || !pairs) return template_no_memory(n->d);
    for (uint32_t i = 0; i < map->count; i++) {
        struct doc key = {.kind = DOC_TEXT, .text = map->entries[i].name};
        pairs[i * 2] = key;
        pairs[i * 2 + 1] = map->entries[i].value;
        list.items[i] = keys ? key
                        : values
                            ? map->entries[i].value
                            : (struct doc){.kind = DOC_LIST, .count = 2, .items = &pairs[i * 2]};
    }
    *out = tv_doc(list);
    return ERR_OK;
}

/* --- by the value's kind ------------------------------------------------------------------------
 */

static bool is_ti(const struct tv *v)
{
    return tv_is(v, DOC_MAP) && (slice_is(v->name, "ti") || slice_is(v->name, "task_instance"));
}

err_t template_call(struct tenv *n, const struct tv *self, struct slice name,
                    const struct targs *args, struct tv *out)
{
    if (self->kind == TV_SPACE) return space_call(n, self->name, name, args, out);
    if (self->kind == TV_DATE || self->kind == TV_DELTA) return date_call(n, self, name, args, out);
    if (is_ti(self) && slice_is(name, "xcom_pull")) return xcom_pull(n, args, out);
    if (tv_is(self, DOC_MAP)) return map_call(n, &self->doc, name, args, out);
    if (tv_is(self, DOC_TEXT)) return text_call(n, self->doc.text, name, args, out);
    return no_such(n, "this value has", name);
}

err_t template_attribute(struct tenv *n, const struct tv *self, struct slice name, struct tv *out)
{
    if (self->kind == TV_SPACE) return space_attribute(n, self->name, name, out);
    if (self->kind == TV_DATE || self->kind == TV_DELTA) return date_attribute(n, self, name, out);
    const struct doc *found = tv_is(self, DOC_MAP) ? doc_find(&self->doc, name) : NULL;
    *out = found ? tv_doc(*found) : undefined(name);
    return ERR_OK;
}
