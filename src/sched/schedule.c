/* A schedule as people write it, and as Airflow shows it. */
#include "sched/timetable.h"

/* --- intervals of time ----------------------------------------------------------------------- */

static const struct {
    const char *word;
    int64_t months, us;
} units[] = {
    {"us", 0, 1},
    {"microsecond", 0, 1},
    {"ms", 0, 1000},
    {"millisecond", 0, 1000},
    {"s", 0, SECOND_US},
    {"sec", 0, SECOND_US},
    {"second", 0, SECOND_US},
    {"m", 0, MINUTE_US},
    {"min", 0, MINUTE_US},
    {"minute", 0, MINUTE_US},
    {"h", 0, HOUR_US},
    {"hour", 0, HOUR_US},
    {"d", 0, DAY_US},
    {"day", 0, DAY_US},
    {"w", 0, 7 * DAY_US},
    {"week", 0, 7 * DAY_US},
    {"mo", 1, 0},
    {"month", 1, 0},
    {"y", 12, 0},
    {"year", 12, 0},
};
enum { AMOUNT_MAX = 1000000000, YEARS_MAX = 1000 };

static bool is_letter(uint8_t c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool find_unit(struct slice word, size_t *out)
{
    for (*out = 0; *out < COUNT_OF(units); (*out)++) {
        struct slice unit = slice_of(units[*out].word);
        bool plural = unit.len > 2 && word.len == unit.len + 1 && (word.at[unit.len] | 0x20) == 's';
        if (slice_equal_nocase(plural ? slice_make(word.at, unit.len) : word, unit)) return true;
    }
    return false;
}

static bool add_amount(struct delta *d, int64_t amount, int64_t months, int64_t us)
{
    if (amount > AMOUNT_MAX || (us && amount > (int64_t)YEARS_MAX * 366 * DAY_US / us))
        return false;
    d->months += amount * months;
    d->us += amount * us;
    d->relative = d->relative || months;
    return d->months <= 12 * YEARS_MAX && d->us <= (int64_t)YEARS_MAX * 366 * DAY_US;
}

static bool take_amount(struct slice s, uint32_t *i, int64_t *out)
{
    uint32_t from = *i;
    *out = 0;
    for (; *i < s.len && is_digit(s.at[*i]) && *i - from < 10; (*i)++)
        *out = *out * 10 + (s.at[*i] - '0');
    return *i > from;
}

/* "1h30m", "2 hours, 5 minutes"; with `bare` also "hour". */
static bool words_of(struct slice s, bool bare, struct delta *out)
{
    uint32_t i = 0, parts = 0;
    while (true) {
        int64_t amount = 1;
        size_t unit;
        while (i < s.len && (s.at[i] == ' ' || (parts && s.at[i] == ','))) i++;
        if (i == s.len) return parts > 0;
        if (!take_amount(s, &i, &amount)) {
            if (!bare || parts) return false;
            amount = 1;
        }
        while (i < s.len && s.at[i] == ' ') i++;
        uint32_t from = i;
        while (i < s.len && is_letter(s.at[i])) i++;
        if (!find_unit(slice_make(s.at + from, i - from), &unit) ||
            !add_amount(out, amount, units[unit].months, units[unit].us))
            return false;
        parts++;
    }
}

/* ISO 8601: "P1DT12H", "PT5M", "P2W". */
static bool iso_of(struct slice s, struct delta *out)
{
    static const struct {
        char letter;
        bool time;
        int64_t months, us;
    } parts[] = {{'Y', false, 12, 0},      {'M', false, 1, 0},      {'W', false, 0, 7 * DAY_US},
                 {'D', false, 0, DAY_US},  {'H', true, 0, HOUR_US}, {'M', true, 0, MINUTE_US},
                 {'S', true, 0, SECOND_US}};
    bool time = false;
    uint32_t i = 1, seen = 0;
    size_t p = 0;
    while (i < s.len) {
        int64_t amount;
        if (s.at[i] == 'T') {
            if (time) return false;
            time = true;
            i++;
        }
        if (!take_amount(s, &i, &amount) || i == s.len) return false;
        while (p < COUNT_OF(parts) && (parts[p].letter != (char)s.at[i] || parts[p].time != time))
            p++;
        if (p == COUNT_OF(parts) || !add_amount(out, amount, parts[p].months, parts[p].us))
            return false;
        p++, i++, seen++;
    }
    return seen > 0;
}

static bool delta_of(struct slice text, bool bare, struct delta *out)
{
    struct slice s = slice_trim(text);
    *out = (struct delta){0};
    if (!s.len || s.len > CRON_TEXT_MAX) return false;
    bool iso = s.len > 1 && s.at[0] == 'P' && (is_digit(s.at[1]) || s.at[1] == 'T');
    return (iso ? iso_of(s, out) : words_of(s, bare, out)) && (out->months || out->us);
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
                       "{every: …} or {after: [tables and topics]}");
    return ERR_INVALID;
}

static err_t placed(const struct doc *v, err_t e, struct diag *d)
{
    if (e && d && v && v->line && !d->where[0]) (void)diag_where(d, "%u:%u", v->line, v->column);
    return e;
}

static err_t read_after(const struct doc *v, struct arena *a, struct schedule *out, struct diag *d)
{
    const struct doc *list = v, *any = doc_get(v, "any"), *all = doc_get(v, "all");
    if (v->kind == DOC_MAP) {
        list = any ? any : all;
        if (!list || v->count != 1) return wrong(v, d, "`after` holds a list, or any: or all: one");
    }
    uint32_t count = list->kind == DOC_LIST ? list->count : 1;
    const struct doc *items = list->kind == DOC_LIST ? list->items : list;
    struct slice *names = arena_take(a, MAX(count, 1u) * sizeof(*names));
    if (!names) return diag_fail(d, ERR_NO_MEMORY, "no memory for the schedule");
    for (uint32_t i = 0; i < count; i++) {
        names[i] = doc_text(&items[i]);
        if (!names[i].len) return wrong(&items[i], d, "`after` names tables and topics");
    }
    if (!count) return wrong(v, d, "`after` names nothing");
    out->kind = SCHEDULE_DATA;
    out->after = names;
    out->after_count = count;
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
    static const char *const words[] = {"cron",     "every",     "after",
                                        "timezone", "timetable", "interval"};
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
    if (after) {
        out->zone = zone ? zone : zone_utc();
        return read_after(after, a, out, d);
    }
    const struct doc *when = cron ? cron : every;
    e = placed(when, schedule_parse(doc_text(when), zone, out, d), d);
    if (!e && every && out->kind != SCHEDULE_EVERY)
        return wrong(every, d, "`every` holds an interval of time");
    return e ? e : read_cron_map(v, out, d);
}

/* --- showing --------------------------------------------------------------------------------- */

/* relativedelta's repr: "relativedelta(months=+1, days=+2)". */
static void put_relative(struct buf *out, struct delta v)
{
    const struct {
        const char *name;
        int64_t value;
    } parts[] = {{"years", v.months / 12},
                 {"months", v.months % 12},
                 {"days", v.us / DAY_US},
                 {"hours", v.us / HOUR_US % 24},
                 {"minutes", v.us / MINUTE_US % 60},
                 {"seconds", v.us / SECOND_US % 60},
                 {"microseconds", v.us % SECOND_US}};
    const char *before = "";
    buf_text(out, "relativedelta(");
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (!parts[i].value) continue;
        buf_printf(out, "%s%s=+%lld", before, parts[i].name, (long long)parts[i].value);
        before = ", ";
    }
    buf_char(out, ')');
}

void delta_put(struct buf *out, struct delta v)
{
    if (v.relative) {
        put_relative(out, v);
        return;
    }
    int64_t days = v.us / DAY_US;
    if (days) buf_printf(out, "%lld day%s, ", (long long)days, days == 1 ? "" : "s");
    buf_printf(out, "%lld:%02lld:%02lld", (long long)(v.us / HOUR_US % 24),
               (long long)(v.us / MINUTE_US % 60), (long long)(v.us / SECOND_US % 60));
    if (v.us % SECOND_US) buf_printf(out, ".%06lld", (long long)(v.us % SECOND_US));
}

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

bool schedule_periodic(const struct schedule *s)
{
    return s->kind == SCHEDULE_CRON || s->kind == SCHEDULE_TRIGGER || s->kind == SCHEDULE_EVERY;
}
