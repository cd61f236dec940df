/* A duration's text: "1y2mo3d4h", ISO 8601 ("P1Y2M", "P3W", "P0001-02-03T04:05:06"). */
#include "sql/cql/term_int.h"

enum part { MONTHS, DAYS, NANOSECONDS, PARTS };

/* In the order in which they have to come, each once. */
static const struct unit {
    const char *word, *iso, *plural;
    enum part part;
    int64_t size;
} units[] = {{"y", "Y", "years", MONTHS, 12},
             {"mo", "M", "months", MONTHS, 1},
             {"w", "", "weeks", DAYS, 7},
             {"d", "D", "days", DAYS, 1},
             {"h", "H", "hours", NANOSECONDS, 3600000000000},
             {"m", "M", "minutes", NANOSECONDS, 60000000000},
             {"s", "S", "seconds", NANOSECONDS, 1000000000},
             {"ms", "", "milliseconds", NANOSECONDS, 1000000},
             {"us", "", "microseconds", NANOSECONDS, 1000},
             {"ns", "", "nanoseconds", NANOSECONDS, 1}};
enum { YEARS, MONTH, WEEKS, DAY, HOURS, MINUTES, SECONDS, UNITS = COUNT_OF(units) };

struct builder {
    int64_t parts[PARTS];
    int last; /* unit, + 1 */
    struct diag *d;
};

static err_t add(struct builder *b, int unit, int64_t number)
{
    static const char *const names[PARTS] = {"months", "days", "nanoseconds"};
    const struct unit *u = &units[unit];
    if (unit + 1 == b->last)
        return diag_fail(b->d, ERR_CAST, "Invalid duration. The %s are specified multiple times",
                         u->plural);
    if (unit + 1 < b->last)
        return diag_fail(b->d, ERR_CAST, "Invalid duration. The %s should be after %s",
                         units[b->last - 1].plural, u->plural);
    b->last = unit + 1;
    int64_t most = u->part == NANOSECONDS ? INT64_MAX : INT32_MAX;
    if (number > (most - b->parts[u->part]) / u->size)
        return diag_fail(b->d, ERR_CAST,
                         "Invalid duration. The total number of %s must be less or equal to %d",
                         names[u->part], INT32_MAX);
    b->parts[u->part] += number * u->size;
    return ERR_OK;
}

static bool take_number(struct slice s, uint32_t *i, int64_t *out)
{
    uint32_t from = *i;
    while (*i < s.len && s.at[*i] >= '0' && s.at[*i] <= '9') ++*i;
    return *i > from && slice_to_i64((struct slice){s.at + from, *i - from}, out);
}

/* The longest word that stands there; micro has two spellings. */
static int take_unit(struct slice s, uint32_t *i)
{
    struct slice rest = {s.at + *i, s.len - *i};
    int found = -1;
    uint32_t longest = 0;
    if (rest.len >= 3 && memcmp(rest.at, "µ", 2) == 0 && (rest.at[2] | 0x20) == 's') {
        *i += 3;
        return 8;
    }
    for (int u = 0; u < (int)UNITS; u++) {
        struct slice word = slice_of(units[u].word);
        struct slice head = {rest.at, MIN(rest.len, word.len)};
        if (word.len > longest && slice_equal_nocase(head, word)) {
            found = u;
            longest = word.len;
        }
    }
    *i += longest;
    return found;
}

static err_t standard(struct builder *b, struct slice s, bool *ok)
{
    uint32_t i = 0;
    int64_t number;
    *ok = s.len > 0;
    while (*ok && i < s.len) {
        int unit = take_number(s, &i, &number) ? take_unit(s, &i) : -1;
        *ok = unit >= 0;
        err_t e = *ok ? add(b, unit, number) : ERR_OK;
        if (e) return e;
    }
    return ERR_OK;
}

/* "P1Y2M3DT4H5M6S": each part may be missing. */
static err_t iso(struct builder *b, struct slice s, bool *ok)
{
    uint32_t i = 1;
    bool time = false;
    int64_t number;
    int unit = YEARS;
    *ok = true;
    while (i < s.len) {
        if (!time && s.at[i] == 'T') {
            time = true;
            unit = HOURS;
            i++;
            continue;
        }
        *ok = take_number(s, &i, &number) && i < s.len;
        int end = time ? SECONDS : DAY;
        while (*ok && unit <= end && units[unit].iso[0] != (char)s.at[i]) unit++;
        *ok = *ok && unit <= end;
        if (!*ok) return ERR_OK;
        i++;
        err_t e = add(b, unit++, number);
        if (e) return e;
    }
    return ERR_OK;
}

/* "P0001-02-03T04:05:06" */
static err_t iso_dates(struct builder *b, struct slice s, bool *ok)
{
    static const int order[] = {YEARS, MONTH, DAY, HOURS, MINUTES, SECONDS};
    static const char form[] = "P####-##-##T##:##:##";
    int64_t number = 0;
    uint32_t part = 0;
    *ok = s.len == sizeof(form) - 1;
    for (uint32_t i = 0; *ok && i < s.len; i++) {
        bool digit = s.at[i] >= '0' && s.at[i] <= '9';
        *ok = form[i] == '#' ? digit : (char)s.at[i] == form[i];
        if (*ok && digit) number = number * 10 + (s.at[i] - '0');
        if (!*ok || i == 0 || (digit && i + 1 < s.len)) continue;
        err_t e = add(b, order[part++], number);
        if (e) return e;
        number = 0;
    }
    return ERR_OK;
}

static err_t iso_weeks(struct builder *b, struct slice s, bool *ok)
{
    uint32_t i = 1;
    int64_t number;
    *ok = take_number(s, &i, &number) && i + 1 == s.len;
    return *ok ? add(b, WEEKS, number) : ERR_OK;
}

err_t duration_from_text(struct slice text, struct cql_duration *out, struct diag *d)
{
    struct builder b = {.d = d};
    bool negative = text.len && text.at[0] == '-', ok;
    struct slice s = negative ? (struct slice){text.at + 1, text.len - 1} : text;
    err_t e;
    if (!s.len || s.at[0] != 'P')
        e = standard(&b, s, &ok);
    else if (s.at[s.len - 1] == 'W')
        e = iso_weeks(&b, s, &ok);
    else if (memchr(s.at, '-', s.len))
        e = iso_dates(&b, s, &ok);
    else
        e = iso(&b, s, &ok);
    if (e) return e;
    if (!ok) return diag_fail(d, ERR_CAST, "Unable to convert '%.*s' to a duration", SLICE_ARG(s));
    int64_t sign = negative ? -1 : 1;
    *out = (struct cql_duration){(int32_t)(sign * b.parts[MONTHS]), (int32_t)(sign * b.parts[DAYS]),
                                 sign * b.parts[NANOSECONDS]};
    return ERR_OK;
}
