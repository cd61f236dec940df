/* A schedule as people write it, and as Airflow shows it. */
#include "sched/timetable.h"

#define AT_MOST_EVERY_US (60 * SECOND_US) /* of what is looked at, where nothing is said */

/* --- intervals of time ----------------------------------------------------------------------- */

static bool delta_of(struct slice text, bool bare, struct delta *out)
{
    return delta_read(text, bare, out) && (out->months || out->us);
}

err_t delta_parse(struct slice text, struct delta *out, struct diag *d)
{
    if (delta_of(text, false, out)) return ERR_OK;
    (void)diag_fail(d, ERR_INVALID, "'%.*s' is no interval of time", (int)MIN(text.len, 100u),
                    (const char *)text.at);
    (void)diag_hint(d, "write 30s, 5m, 1h30m, 2 days, 1 month or PT5M");
    return ERR_INVALID;
}

/* --- schedules ------------------------------------------------------------------------------- */

static const struct {
    const char *word;
    enum schedule_kind kind;
} plain[] = {
    {"", SCHEDULE_NONE},      {"none", SCHEDULE_NONE},  {"null", SCHEDULE_NONE},
    {"@none", SCHEDULE_NONE}, {"@once", SCHEDULE_ONCE}, {"@continuous", SCHEDULE_CONTINUOUS},
};

static err_t every_fits(struct schedule *s, struct diag *d)
{
    s->kind = SCHEDULE_EVERY;
    if (s->every.months || s->every.us >= SECOND_US) return ERR_OK;
    (void)diag_fail(d, ERR_RANGE, "'%.*s' is too short an interval for a schedule",
                    SLICE_ARG(s->text));
    (void)diag_hint(d, "a second at least; what never ends is a task with `service:`");
    return ERR_RANGE;
}

static uint32_t words_in(struct slice s)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < s.len; i++) count += s.at[i] > ' ' && (!i || s.at[i - 1] <= ' ');
    return count;
}

err_t schedule_parse(struct slice text, const struct zone *zone, struct schedule *out,
                     struct diag *d)
{
    struct slice s = slice_trim(text);
    *out = (struct schedule){.zone = zone ? zone : zone_utc(), .text = s};
    if (s.len > CRON_TEXT_MAX)
        return diag_fail(d, ERR_TOO_BIG, "a schedule of %u bytes; %d is the most", s.len,
                         CRON_TEXT_MAX);
    for (size_t i = 0; i < COUNT_OF(plain); i++)
        if (slice_equal_nocase(s, slice_of(plain[i].word))) {
            out->kind = plain[i].kind;
            return ERR_OK;
        }
    if (s.len > 6 && slice_equal_nocase(slice_make(s.at, 6), SLICE("every "))) {
        struct slice rest = slice_make(s.at + 6, s.len - 6);
        return delta_of(rest, true, &out->every) ? every_fits(out, d)
                                                 : delta_parse(rest, &out->every, d);
    }
    if (words_in(s) < 5 && delta_of(s, false, &out->every)) return every_fits(out, d);
    out->every = (struct delta){0};
    out->kind = SCHEDULE_CRON;
    err_t e = cron_parse(s, &out->cron, d);
    out->text = cron_preset(s);
    if (e && words_in(s) < 5 && d && !d->hint[0])
        (void)diag_hint(d, "or an interval: every 5m; or @once, @continuous, none");
    return e;
}

/* --- from a file ----------------------------------------------------------------------------- */

static err_t wrong(const struct doc *v, struct diag *d, const char *why)
{
    (void)diag_fail(d, ERR_INVALID, "the schedule is not one: %s", why);
    if (v && v->line) (void)diag_where(d, "%u:%u", v->line, v->column);
    (void)diag_hint(d, "a cron expression, @daily, every 5m, none; {cron: …, timezone: …}, "
                       "{every: …} or {after: [{table: …}, {topic: …}, NAME]}");
    return ERR_INVALID;
}

static err_t placed(const struct doc *v, err_t e, struct diag *d)
{
    if (e && d && v && v->line && !d->where[0]) (void)diag_where(d, "%u:%u", v->line, v->column);
    return e;
}

static err_t read_pace(const struct doc *v, int64_t *out, struct diag *d)
{
    struct delta span;
    if (!v || (v->kind == DOC_INT && v->number == 0)) return ERR_OK;
    err_t e = delta_parse(doc_text(v), &span, d);
    if (!e && span.months) e = wrong(v, d, "a month is no length of time here");
    if (!e) *out = span.us;
    return placed(v, e, d);
}

/* How often, and how long after the last change: of data that changes all the time. */
static err_t read_paces(const struct doc *v, struct schedule *out, struct diag *d)
{
    const struct doc *every = doc_get(v, "at_most_every"), *quiet = doc_get(v, "quiet_for");
    const struct doc *any = every ? every : quiet;
    if (any && !out->looks)
        return wrong(any, d, "`at_most_every` and `quiet_for` go with `after` a table or a topic");
    out->at_most_every_us = every || !out->looks ? 0 : AT_MOST_EVERY_US;
    err_t e = read_pace(every, &out->at_most_every_us, d);
    return e ? e : read_pace(quiet, &out->quiet_us, d);
}

static bool has_keyspace(struct slice table)
{
    const uint8_t *dot = memchr(table.at, '.', table.len);
    return dot && dot > table.at && dot < table.at + table.len - 1;
}

static err_t read_after(const struct doc *v, struct arena *a, struct schedule *out, struct diag *d)
{
    const struct doc *list = v, *any = doc_get(v, "any"), *all = doc_get(v, "all"), *none;
    if (v->kind == DOC_MAP && (any || all)) {
        list = any ? any : all;
        if (v->count != 1) return wrong(v, d, "`after` holds a list, or any: or all: one");
    }
    err_t e = data_names_read(list, a, &out->after, &out->after_count, &none);
    if (none)
        return wrong(none, d,
                     "`after` names what changes: {table: KEYSPACE.TABLE}, {topic: NAME}, NAME");
    if (e) return diag_fail(d, e, "no memory for the schedule");
    if (!out->after_count) return wrong(v, d, "`after` names nothing");
    for (uint32_t i = 0; i < out->after_count; i++) {
        const struct data_name *n = &out->after[i];
        if (slice_is(n->kind, "table") && !has_keyspace(n->name))
            return wrong(list, d, "a table is named with its keyspace: {table: KEYSPACE.TABLE}");
        out->looks |= data_name_looked_at(n);
    }
    out->kind = SCHEDULE_DATA;
    out->after_any = any != NULL;
    return ERR_OK;
}

static err_t read_cron_map(const struct doc *v, struct schedule *out, struct diag *d)
{
    const struct doc *kind = doc_get(v, "timetable"), *interval = doc_get(v, "interval");
    bool trigger = kind && slice_is(doc_text(kind), "trigger");
    if (out->kind != SCHEDULE_CRON) {
        if (kind || interval)
            return wrong(v, d, "`timetable` and `interval` go with a cron expression");
        return ERR_OK;
    }
    if (kind && !trigger && !slice_is(doc_text(kind), "interval"))
        return wrong(kind, d, "`timetable` is interval (of data, as Airflow 2) or trigger");
    if (trigger) out->kind = SCHEDULE_TRIGGER;
    if (!interval) return ERR_OK;
    if (!trigger) return wrong(interval, d, "`interval` goes with timetable: trigger");
    return placed(interval, delta_parse(doc_text(interval), &out->every, d), d);
}

err_t schedule_read(const struct doc *v, const struct zone *zone, struct arena *a,
                    struct schedule *out, struct diag *d)
{
    static const char *const words[] = {"cron",      "every",    "after",         "timezone",
                                        "timetable", "interval", "at_most_every", "quiet_for"};
    *out = (struct schedule){.zone = zone ? zone : zone_utc()};
    if (!v || v->kind == DOC_NULL) return ERR_OK;
    if (v->kind == DOC_TEXT) return placed(v, schedule_parse(v->text, zone, out, d), d);
    if (v->kind != DOC_MAP) return wrong(v, d, "it is neither a text nor a map");
    for (uint32_t i = 0; i < v->count; i++) {
        struct slice name = v->entries[i].name;
        size_t w = 0;
        while (w < COUNT_OF(words) && !slice_is(name, words[w])) w++;
        if (w < COUNT_OF(words)) continue;
        const char *near = nearest_word(name, words, COUNT_OF(words));
        err_t e = wrong(&v->entries[i].value, d, "a word in it is not known");
        (void)diag_why(d, "'%.*s'", SLICE_ARG(name));
        if (near) (void)diag_hint(d, "did you mean '%s'?", near);
        return e;
    }
    const struct doc *cron = doc_get(v, "cron"), *every = doc_get(v, "every");
    const struct doc *after = doc_get(v, "after"), *named = doc_get(v, "timezone");
    if ((cron != NULL) + (every != NULL) + (after != NULL) != 1)
        return wrong(v, d, "it needs one of cron, every and after");
    err_t e = named ? placed(named, zone_find(doc_text(named), &zone, d), d) : ERR_OK;
    if (e) return e;
    if (after) e = read_after(after, a, out, d);
    if (!e) e = read_paces(v, out, d);
    if (e) return e;
    if (after) {
        out->zone = zone ? zone : zone_utc();
        return ERR_OK;
    }
    const struct doc *when = cron ? cron : every;
    e = placed(when, schedule_parse(doc_text(when), zone, out, d), d);
    if (!e && every && out->kind != SCHEDULE_EVERY)
        return wrong(every, d, "`every` holds an interval of time");
    return e ? e : read_cron_map(v, out, d);
}

/* --- showing --------------------------------------------------------------------------------- */

/* relativedelta's repr: "relativedelta(months=+1, days=+2)". */
void schedule_summary(const struct schedule *s, struct buf *out)
{
    switch (s->kind) {
    case SCHEDULE_NONE: buf_text(out, "None"); return;
    case SCHEDULE_CRON:
    case SCHEDULE_TRIGGER: buf_slice(out, s->text); return;
    case SCHEDULE_EVERY: delta_put(out, s->every); return;
    case SCHEDULE_ONCE: buf_text(out, "@once"); return;
    case SCHEDULE_CONTINUOUS: buf_text(out, "@continuous"); return;
    case SCHEDULE_DATA: buf_text(out, "Dataset"); return;
    }
}

void schedule_describe(const struct schedule *s, struct buf *out)
{
    switch (s->kind) {
    case SCHEDULE_NONE: buf_text(out, "Never, external triggers only"); return;
    case SCHEDULE_CRON:
    case SCHEDULE_TRIGGER: cron_describe(s->text, out); return;
    case SCHEDULE_EVERY: return;
    case SCHEDULE_ONCE: buf_text(out, "Once, as soon as possible"); return;
    case SCHEDULE_CONTINUOUS:
        buf_text(out, "As frequently as possible, but only one run at a time.");
        return;
    case SCHEDULE_DATA: buf_text(out, "Triggered by datasets"); return;
    }
}

int32_t schedule_waits_for(const struct schedule *s, struct slice kind, struct slice name)
{
    for (uint32_t i = 0; s->kind == SCHEDULE_DATA && i < s->after_count; i++)
        if (data_name_means(&s->after[i], kind, name)) return (int32_t)i;
    return -1;
}

bool schedule_periodic(const struct schedule *s)
{
    return s->kind == SCHEDULE_CRON || s->kind == SCHEDULE_TRIGGER || s->kind == SCHEDULE_EVERY;
}
