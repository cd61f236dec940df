/* A cron expression in words: the sentences of Python's cron-descriptor 1.4, which Airflow shows.
 * It works on the text, field by field, and so does this; where a field makes no sentence there is
 * no description at all. "fourth" is ours: the original has a hole there. */
#include "sched/cron.h"

enum { PART_MAX = CRON_TEXT_MAX * 2, TEXT_MAX = 8192 };
enum part { MINUTES, HOURS, DAYS, MONTHS, WEEKDAYS, PARTS };

struct part_text {
    char text[PART_MAX];
};
struct teller {
    struct part_text parts[PARTS];
    bool failed; /* an item is no number, or out of range */
};

/* The sentence pieces of one field; %s are filled by put_pattern. */
struct words {
    const char *all, *interval, *between, *list_range;
};
static const struct words words[PARTS] = {
    [MINUTES] = {"every minute", "every %s minutes", "minutes %s through %s past the hour",
                 "%s through %s"},
    [HOURS] = {"every hour", "every %s hours", "between %s and %s", "%s through %s"},
    [DAYS] = {", every day", ", every %s days", ", between day %s and %s of the month",
              "%s through %s"},
    [MONTHS] = {"", ", every %s months", ", %s through %s", "%s through %s"},
    [WEEKDAYS] = {"", ", every %s days of the week", ", %s through %s", "%s through %s"},
};
static const char *const ordinals[] = {"", "first", "second", "third", "fourth", "fifth"};
static const char *const month_names[] = {"January",   "February", "March",    "April",
                                          "May",       "June",     "July",     "August",
                                          "September", "October",  "November", "December"};
static const char *const day_names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};

/* --- texts ----------------------------------------------------------------------------------- */

static void put_pattern(struct buf *out, const char *pattern, const char *one, const char *two)
{
    for (const char *p = pattern; *p; p++) {
        if (p[0] != '%' || p[1] != 's') {
            buf_char(out, *p);
            continue;
        }
        buf_text(out, one);
        one = two;
        p++;
    }
}

static void replace_all(char *text, size_t cap, const char *old, const char *new)
{
    char copy[TEXT_MAX];
    struct buf out = buf_over(copy, MIN(cap, sizeof(copy)) - 1);
    for (const char *p = text; *p;) {
        if (strncmp(p, old, strlen(old)) != 0) {
            buf_char(&out, *p++);
            continue;
        }
        buf_text(&out, new);
        p += strlen(old);
    }
    if (out.err) return;
    memcpy(text, copy, out.len);
    text[out.len] = 0;
}

static bool has_any(const char *text, const char *chars)
{
    return strpbrk(text, chars) != NULL;
}

static int64_t number(struct teller *t, const char *text)
{
    int64_t v = 0;
    if (!slice_to_i64(slice_of(text), &v)) t->failed = true;
    return v;
}

/* --- one item, one field --------------------------------------------------------------------- */

static void put_time(struct teller *t, struct buf *out, const char *hour, const char *minute)
{
    buf_printf(out, "%02lld:%02lld", (long long)number(t, hour), (long long)number(t, minute));
}

static void put_weekday(struct teller *t, struct buf *out, const char *text)
{
    char day[PART_MAX];
    (void)slice_to_cstr(slice_of(text), day, sizeof(day));
    char *sharp = strchr(day, '#');
    if (sharp) *sharp = 0;
    replace_all(day, sizeof(day), "L", "");
    int64_t i = number(t, day);
    if (i < 0 || i > 6) t->failed = true;
    if (!t->failed) buf_text(out, day_names[i]);
}

static void put_item(struct teller *t, struct buf *out, enum part p, const char *text)
{
    int64_t month;
    switch (p) {
    case HOURS: put_time(t, out, text, "0"); return;
    case WEEKDAYS: put_weekday(t, out, text); return;
    case MONTHS:
        month = number(t, text);
        if (month < 1 || month > 12) t->failed = true;
        if (!t->failed) buf_text(out, month_names[month - 1]);
        return;
    default: buf_text(out, text); return;
    }
}

static void put_said(struct buf *out, enum part p, const char *expression, const char *items)
{
    const char *sharp = strchr(expression, '#');
    int64_t nth = 0;
    switch (p) {
    case MINUTES:
        if (strcmp(expression, "0") != 0)
            put_pattern(out, "at %s minutes past the hour", items, "");
        return;
    case HOURS: put_pattern(out, "at %s", items, ""); return;
    case DAYS: put_pattern(out, ", on day %s of the month", items, ""); return;
    case MONTHS: put_pattern(out, ", only in %s", items, ""); return;
    default: break;
    }
    if (sharp) {
        if (!slice_to_i64(slice_of(sharp + 1), &nth) || nth < 1 || nth > 5) nth = 0;
        put_pattern(out, ", on the %s %s of the month", ordinals[nth], items);
    } else if (strchr(expression, 'L')) {
        put_pattern(out, ", on the last %s of the month", items, "");
    } else {
        put_pattern(out, ", only on %s", items, "");
    }
}

static void put_between(struct teller *t, struct buf *out, enum part p, const char *text,
                        const char *pattern)
{
    char one[PART_MAX], two[PART_MAX], from[PART_MAX], to[PART_MAX];
    (void)slice_to_cstr(slice_of(text), one, sizeof(one));
    char *dash = strchr(one, '-');
    *dash = 0;
    (void)slice_to_cstr(slice_of(dash + 1), two, sizeof(two));
    char *more = strchr(two, '-');
    if (more) *more = 0;
    struct buf a = buf_over(from, sizeof(from) - 1), b = buf_over(to, sizeof(to) - 1);
    put_item(t, &a, p, one);
    put_item(t, &b, p, two);
    from[a.len] = to[b.len] = 0;
    replace_all(to, sizeof(to), ":00", ":59");
    put_pattern(out, pattern, from, to);
}

/* "2-59/3", "5/10": every …, and from where to where. */
static void put_interval(struct teller *t, struct buf *out, enum part p, const char *text)
{
    char span[PART_MAX], items[PART_MAX], said[TEXT_MAX];
    (void)slice_to_cstr(slice_of(text), span, sizeof(span));
    char *step = strchr(span, '/');
    *step++ = 0;
    char *more = strchr(step, '/');
    if (more) *more = 0;
    struct buf item = buf_over(items, sizeof(items) - 1), b = buf_over(said, sizeof(said) - 1);
    put_item(t, &item, p, step); /* a step that is no item makes no sentence */
    if (p == DAYS && strcmp(step, "1") == 0)
        buf_text(out, words[DAYS].all);
    else
        put_pattern(out, words[p].interval, step, "");
    if (strchr(span, '-')) {
        put_between(t, &b, p, span, words[p].between);
        said[b.len] = 0;
        if (strncmp(said, ", ", 2) != 0) buf_text(out, ", ");
        buf_text(out, said);
    } else if (!has_any(span, "*,")) {
        item = buf_over(items, sizeof(items) - 1);
        put_item(t, &item, p, span);
        items[item.len] = 0;
        put_said(&b, p, span, items);
        said[b.len] = 0;
        replace_all(said, sizeof(said), ", ", "");
        put_pattern(out, ", starting %s", said, "");
    }
}

static void put_list(struct teller *t, struct buf *out, enum part p, const char *text)
{
    char items[TEXT_MAX], copy[PART_MAX];
    struct buf b = buf_over(items, sizeof(items) - 1);
    size_t count = 1, i = 0;
    for (const char *c = text; *c; c++) count += *c == ',';
    (void)slice_to_cstr(slice_of(text), copy, sizeof(copy));
    for (char *at = copy; at; i++) {
        char *comma = strchr(at, ',');
        if (comma) *comma++ = 0;
        if (i && count > 2) buf_text(&b, i < count - 1 ? ", " : ",");
        if (i && (i == count - 1 || count == 2)) buf_text(&b, " and ");
        if (strchr(at, '-'))
            put_between(t, &b, p, at, words[p].list_range);
        else
            put_item(t, &b, p, at);
        at = comma;
    }
    items[b.len] = 0;
    put_said(out, p, text, items);
}

static void put_part(struct teller *t, struct buf *out, enum part p)
{
    const char *text = t->parts[p].text;
    char item[PART_MAX];
    struct buf b = buf_over(item, sizeof(item) - 1);
    if (strcmp(text, "*") == 0) {
        buf_text(out, words[p].all);
    } else if (p == DAYS && (strcmp(text, "L") == 0 || strcmp(text, "l") == 0)) {
        buf_text(out, ", on the last day of the month");
    } else if (!has_any(text, "/-,")) {
        put_item(t, &b, p, text);
        item[b.len] = 0;
        put_said(out, p, text, item);
    } else if (strchr(text, '/')) {
        put_interval(t, out, p, text);
    } else if (strchr(text, ',')) {
        put_list(t, out, p, text);
    } else {
        put_between(t, out, p, text, words[p].between);
    }
}

/* --- the time of day ------------------------------------------------------------------------- */

static void put_hours(struct teller *t, struct buf *out, const char *hours, const char *minute)
{
    char copy[PART_MAX];
    size_t count = 1, i = 0;
    (void)slice_to_cstr(slice_of(hours), copy, sizeof(copy));
    for (const char *c = copy; *c; c++) count += *c == ',';
    buf_text(out, "At");
    for (char *at = copy; at; i++) {
        char *comma = strchr(at, ',');
        if (comma) *comma++ = 0;
        buf_char(out, ' ');
        put_time(t, out, at, minute);
        if (i + 2 < count) buf_char(out, ',');
        if (i + 2 == count) buf_text(out, " and");
        at = comma;
    }
}

static void put_time_of_day(struct teller *t, struct buf *out)
{
    const char *minutes = t->parts[MINUTES].text, *hours = t->parts[HOURS].text;
    const char *special = "/-,*";
    if (!has_any(minutes, special) && !has_any(hours, special)) {
        buf_text(out, "At ");
        put_time(t, out, hours, minutes);
    } else if (strchr(minutes, '-') && !strchr(minutes, ',') && !has_any(hours, special)) {
        char from[PART_MAX];
        (void)slice_to_cstr(slice_of(minutes), from, sizeof(from));
        char *dash = strchr(from, '-');
        *dash = 0;
        buf_text(out, "Every minute between ");
        put_time(t, out, hours, from);
        buf_text(out, " and ");
        put_time(t, out, hours, dash + 1);
    } else if (strchr(hours, ',') && !strchr(hours, '-') && !has_any(minutes, special)) {
        put_hours(t, out, hours, minutes);
    } else {
        size_t before = out->len;
        put_part(t, out, MINUTES);
        if (out->len > before) buf_text(out, ", ");
        put_part(t, out, HOURS);
    }
}

/* --- the whole ------------------------------------------------------------------------------- */

static void upper(char *text)
{
    for (; *text; text++)
        if (*text >= 'a' && *text <= 'z') *text = (char)(*text - 32);
}

static void names_to_numbers(struct part_text *p, const char *const *names, int first, int count)
{
    upper(p->text);
    for (int i = 0; i < count; i++) {
        char name[4] = {0}, digits[4] = {0};
        struct buf b = buf_over(digits, sizeof(digits) - 1);
        memcpy(name, names[i], 3);
        upper(name);
        buf_printf(&b, "%d", first + i);
        replace_all(p->text, sizeof(p->text), name, digits);
    }
}

static void normalise(struct teller *t)
{
    struct part_text *p = t->parts;
    replace_all(p[DAYS].text, PART_MAX, "?", "*");
    replace_all(p[WEEKDAYS].text, PART_MAX, "?", "*");
    for (int i = 0; i < PARTS; i++) {
        const char *first = i == MINUTES || i == HOURS ? "0/" : "1/";
        if (strncmp(p[i].text, first, 2) == 0) replace_all(p[i].text, PART_MAX, first, "*/");
    }
    for (char *c = p[WEEKDAYS].text; *c; c++)
        if (*c == '7' && (c == p[WEEKDAYS].text || !strchr("#/", c[-1]))) *c = '0';
    names_to_numbers(&p[WEEKDAYS], day_names, 0, 7);
    names_to_numbers(&p[MONTHS], month_names, 1, 12);
    if (!has_any(p[HOURS].text, "*-,/") && has_any(p[MINUTES].text, "*/")) {
        size_t len = strlen(p[HOURS].text);
        struct buf b = buf_over(p[HOURS].text + len, PART_MAX - len - 1);
        char hour[PART_MAX];
        (void)slice_to_cstr(slice_of(p[HOURS].text), hour, sizeof(hour));
        buf_printf(&b, "-%s", hour); /* "*" of minutes in one hour is "between" */
    }
    for (int i = 0; i < PARTS; i++) {
        char *text = p[i].text, *slash = strchr(text, '/');
        if (strcmp(text, "*/1") == 0) memcpy(text, "*", 2);
        if ((i == MONTHS || i == WEEKDAYS) && slash && !has_any(text, "*-,"))
            replace_all(text, PART_MAX, "/", i == MONTHS ? "-12/" : "-6/");
    }
}

static bool take_parts(struct slice text, struct teller *t)
{
    uint32_t i = 0, count = 0;
    text = cron_preset(slice_trim(text));
    while (i < text.len) {
        uint32_t from = i;
        while (i < text.len && text.at[i] > ' ') i++;
        if (count == PARTS || i - from >= CRON_TEXT_MAX) return false;
        (void)slice_to_cstr(slice_make(text.at + from, i - from), t->parts[count++].text, PART_MAX);
        while (i < text.len && text.at[i] <= ' ') i++;
    }
    return count == PARTS;
}

void cron_describe(struct slice text, struct buf *out)
{
    struct teller t = {0};
    char said[TEXT_MAX];
    struct buf b = buf_over(said, sizeof(said) - 1);
    if (!take_parts(text, &t)) return;
    normalise(&t);
    put_time_of_day(&t, &b);
    put_part(&t, &b, DAYS);
    if (strcmp(t.parts[WEEKDAYS].text, "*") != 0) put_part(&t, &b, WEEKDAYS);
    put_part(&t, &b, MONTHS);
    if (t.failed || b.err || !b.len) return;
    said[b.len] = 0;
    static const char *const needless[] = {", every minute", ", every hour", ", every day"};
    for (size_t i = 0; i < COUNT_OF(needless); i++)
        replace_all(said, sizeof(said), needless[i], "");
    size_t len = strlen(said);
    if (len && said[len - 1] == ' ') len--;
    if (len && said[len - 1] == ',')
        len--;
    else
        len = strlen(said);
    if (said[0] >= 'a' && said[0] <= 'z') said[0] = (char)(said[0] - 32);
    buf_put(out, said, len);
}
