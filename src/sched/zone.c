#include "sched/zone_int.h"

#include "base/bytes.h"
#include "base/vec.h"
#include "os/file.h"
#include <stdatomic.h>

/* Where systems keep them, as Python's zoneinfo looks. */
static const char *const folders[] = {"/usr/share/zoneinfo", "/usr/lib/zoneinfo",
                                      "/usr/share/lib/zoneinfo", "/etc/zoneinfo"};

/* All zones found so far, newest first. Zones never leave: readers need no lock. */
static struct zone *_Atomic found;

static struct zone utc = {.name = "UTC",
                          .kinds = {{.abbreviation = "UTC"}},
                          .kind_count = 1,
                          .standard = -1,
                          .summer = -1};

const struct zone *zone_utc(void)
{
    return &utc;
}

const char *zone_name(const struct zone *z)
{
    return z->name;
}

/* --- finding --------------------------------------------------------------------------------- */

/* Letters, digits, '_', '-', '+' in parts divided by '/': nothing that leads out of the folder. */
static bool name_fits(struct slice name)
{
    bool part_begins = true;
    if (!name.len || name.len > ZONE_NAME_MAX) return false;
    for (uint32_t i = 0; i < name.len; i++) {
        uint8_t c = name.at[i], letter = c | 0x20;
        bool plain = (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
                     c == '-' || c == '+';
        if (!plain && (c != '/' || part_begins)) return false;
        part_begins = c == '/';
    }
    return !part_begins && !slice_starts(name, "posix/") && !slice_starts(name, "right/");
}

static bool two_digits(struct slice s, uint32_t at, int32_t *out)
{
    if (at + 2 > s.len || s.at[at] < '0' || s.at[at] > '9' || s.at[at + 1] < '0' ||
        s.at[at + 1] > '9')
        return false;
    *out = (s.at[at] - '0') * 10 + s.at[at + 1] - '0';
    return true;
}

/* "+05:30", "-0800", "+02" */
static bool fixed_offset(struct slice name, int32_t *seconds)
{
    int32_t h, m = 0;
    if (!name.len || (name.at[0] != '+' && name.at[0] != '-') || !two_digits(name, 1, &h))
        return false;
    uint32_t at = name.len == 6 && name.at[3] == ':' ? 4 : 3;
    if (name.len != 3 && (name.len != at + 2 || !two_digits(name, at, &m))) return false;
    *seconds = (h * 60 + m) * (name.at[0] == '-' ? -60 : 60);
    return h < 24 && m < 60;
}

static struct zone *fixed_zone(struct slice name, int32_t seconds)
{
    struct zone *z = mem_take(sizeof(*z));
    if (!z) return NULL;
    struct zone_kind *k = &z->kinds[0];
    k->offset = seconds;
    bool fits = slice_to_cstr(name, z->name, sizeof(z->name)) &&
                slice_to_cstr(name, k->abbreviation, sizeof(k->abbreviation));
    INVARIANT(fits);
    z->kind_count = 1;
    z->standard = z->summer = -1;
    return z;
}

enum { NAMES_MAX = 4096, DEPTH_MAX = 3 };
struct names {
    struct vec texts; /* char * */
    const char *root;
    char prefix[ZONE_NAME_MAX * 2]; /* below it: the folder that is read now */
    int depth;
};

static err_t list_folder(struct names *n);

static err_t add_name(void *ctx, const char *entry)
{
    struct names *n = ctx;
    size_t before = strlen(n->prefix);
    if (!n->depth && (strcmp(entry, "posix") == 0 || strcmp(entry, "right") == 0)) return ERR_OK;
    struct buf full = buf_over(n->prefix + before, sizeof(n->prefix) - before - 1);
    buf_printf(&full, "%s%s", before ? "/" : "", entry);
    const char *path = buf_cstr(&full);
    struct slice name = slice_of(n->prefix);
    if (!full.err && *path && name_fits(name) && entry[0] >= 'A' && entry[0] <= 'Z') {
        n->depth++;
        bool is_folder = n->depth < DEPTH_MAX && list_folder(n) == ERR_OK;
        n->depth--;
        char *text = is_folder ? NULL : mem_text(name);
        if (text && vec_push(&n->texts, &text) != ERR_OK) mem_give(text);
    }
    n->prefix[before] = 0;
    return ERR_OK;
}

static err_t list_folder(struct names *n)
{
    char path[512];
    struct buf b = buf_over(path, sizeof(path));
    buf_printf(&b, "%s/%s", n->root, n->prefix);
    return dir_list(buf_cstr(&b), add_name, n, NULL);
}

/* The nearest name, or the one whose last part this is: "berlin" is Europe/Berlin. */
static void hint_nearest(struct slice name, struct diag *d)
{
    struct names n = {.texts = vec_make(sizeof(char *), NAMES_MAX)};
    for (size_t i = 0; i < COUNT_OF(folders) && !n.texts.count; i++) {
        n.root = folders[i];
        (void)list_folder(&n); /* where there is no such folder there are no names */
    }
    const char *near = NULL, *const *texts = (const char *const *)n.texts.items;
    for (size_t i = 0; i < n.texts.count && !near; i++) {
        const char *slash = strrchr(texts[i], '/');
        if (slice_equal_nocase(slice_of(texts[i]), name) ||
            (slash && slice_equal_nocase(slice_of(slash + 1), name)))
            near = texts[i];
    }
    if (!near && n.texts.count) near = nearest_word(name, texts, n.texts.count);
    if (!n.texts.count)
        (void)diag_hint(d, "there are no time zones under %s: install the package tzdata",
                        folders[0]);
    else if (near)
        (void)diag_hint(d, "did you mean '%s'?", near);
    else
        (void)diag_hint(d, "names are as in tzdata: Europe/Berlin, America/New_York, UTC");
    for (size_t i = 0; i < n.texts.count; i++) mem_give(*(char **)vec_at(&n.texts, i));
    vec_done(&n.texts);
}

static err_t read_named(struct slice name, struct zone **out, struct diag *d)
{
    char path[512];
    struct slice file;
    err_t e = name_fits(name) ? ERR_NOT_FOUND : ERR_UNKNOWN_NAME;
    for (size_t i = 0; i < COUNT_OF(folders) && e == ERR_NOT_FOUND; i++) {
        struct buf b = buf_over(path, sizeof(path));
        buf_printf(&b, "%s/%.*s", folders[i], SLICE_ARG(name));
        if (!file_exists(buf_cstr(&b))) continue;
        if (file_load(path, ZONE_FILE_MAX, &file, NULL)) break; /* a folder: no zone's name */
        e = slice_starts(file, "TZif") ? zone_read(file, name, out, d) : ERR_UNKNOWN_NAME;
        mem_give((void *)(uintptr_t)file.at);
    }
    if (e != ERR_NOT_FOUND && e != ERR_UNKNOWN_NAME) return e;
    (void)diag_fail(d, ERR_UNKNOWN_NAME, "there is no time zone '%.*s'", (int)MIN(name.len, 100u),
                    (const char *)name.at);
    hint_nearest(slice_make(name.at, MIN(name.len, (uint32_t)ZONE_NAME_MAX)), d);
    return ERR_UNKNOWN_NAME;
}

static struct zone *known(struct slice name)
{
    struct zone *z = found;
    while (z && !slice_is(name, z->name)) z = z->next;
    return z;
}

err_t zone_find(struct slice name, const struct zone **out, struct diag *d)
{
    int32_t seconds;
    *out = slice_is(name, "UTC") || slice_is(name, "utc") ? &utc : known(name);
    if (*out) return ERR_OK;
    struct zone *z = NULL;
    if (fixed_offset(name, &seconds)) {
        z = fixed_zone(name, seconds);
        if (!z) return diag_fail(d, ERR_NO_MEMORY, "no memory for the time zone");
    } else {
        err_t e = read_named(name, &z, d);
        if (e) return e;
    }
    /* Another thread may have put the same one in meanwhile: then that one is it. */
    struct zone *first = found;
    do {
        struct zone *same = known(name);
        if (same) {
            zone_drop(z);
            *out = same;
            return ERR_OK;
        }
        z->next = first;
    } while (!atomic_compare_exchange_weak(&found, &first, z));
    *out = z;
    return ERR_OK;
}

/* --- what holds when ------------------------------------------------------------------------- */

struct span { /* from `from` until before `to`, one kind of time; seconds */
    int64_t from, to;
    const struct zone_kind *kind;
};

static int64_t rule_day(struct zone_when w, int64_t year)
{
    int64_t first = calendar_days(year, 1, 1);
    if (w.form == WHEN_DAY) return first + w.day;
    if (w.form == WHEN_JULIAN) {
        bool leap = calendar_month_days(year, 2) == 29;
        return first + w.day - 1 + (leap && w.day > 59);
    }
    int64_t day = calendar_days(year, w.month, 1);
    int64_t last = day + calendar_month_days(year, w.month) - 1;
    day += (w.weekday - calendar_dow(day) % 7 + 7) % 7 + 7 * (w.week - 1);
    return day > last ? day - 7 : day;
}

/* Behind the last time that is written down, the footer's rule goes on for ever. */
static struct span span_by_rule(const struct zone *z, int64_t t, struct span s)
{
    const struct zone_kind *standard = &z->kinds[z->standard], *summer = &z->kinds[z->summer];
    int64_t year = calendar_of(calendar_floor(t, 86400)).year;
    int64_t latest = s.from, written = z->count ? z->at[z->count - 1] : INT64_MIN;
    for (int64_t y = year - 1; y <= year + 1; y++) {
        int64_t on = rule_day(z->begins, y) * 86400 + z->begins.time - standard->offset;
        int64_t off = rule_day(z->ends, y) * 86400 + z->ends.time - summer->offset;
        const struct zone_kind *kinds[2] = {standard, summer};
        int64_t times[2] = {off, on};
        for (int i = 0; i < 2; i++) {
            if (times[i] <= t && times[i] >= latest) {
                latest = s.from = times[i];
                s.kind = kinds[i];
            }
            if (times[i] > t && times[i] > written) s.to = MIN(s.to, times[i]);
        }
    }
    return s;
}

static struct span span_at(const struct zone *z, int64_t t)
{
    struct span s = {INT64_MIN, INT64_MAX, &z->kinds[0]};
    uint32_t low = 0, high = z->count; /* the first time after t */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (z->at[middle] <= t)
            low = middle + 1;
        else
            high = middle;
    }
    if (low > 0) {
        s.from = z->at[low - 1];
        s.kind = &z->kinds[z->to[low - 1]];
    }
    if (low < z->count) {
        s.to = z->at[low];
        return s;
    }
    if (z->summer >= 0) return span_by_rule(z, t, s);
    if (!z->count && z->standard >= 0) s.kind = &z->kinds[z->standard];
    return s;
}

struct zone_offset zone_offset_at(const struct zone *z, int64_t utc_us)
{
    const struct zone_kind *k = span_at(z, calendar_floor(utc_us, SECOND_US)).kind;
    return (struct zone_offset){k->offset, k->summer, k->abbreviation};
}

int64_t zone_wall(const struct zone *z, int64_t utc_us)
{
    return utc_us + zone_offset_at(z, utc_us).seconds * SECOND_US;
}

void zone_holds(const struct zone *z, int64_t utc_us, int64_t *from, int64_t *to)
{
    const int64_t most = INT64_MAX / SECOND_US;
    struct span s = span_at(z, calendar_floor(utc_us, SECOND_US));
    *from = s.from < -most ? INT64_MIN : s.from * SECOND_US;
    *to = s.to > most ? INT64_MAX : s.to * SECOND_US;
}

/* The offset by which a wall time is read. Each change has an edge on the wall: the later of the
 * two clocks' times for whoever wants the first reading, the earlier for the second. */
static int64_t wall_offset(const struct zone *z, int64_t wall, bool second)
{
    struct span s = span_at(z, wall - 26 * 3600);
    while (s.to < wall + 26 * 3600) {
        struct span after = span_at(z, s.to);
        int64_t a = s.kind->offset, b = after.kind->offset;
        if (wall < s.to + (second ? MIN(a, b) : MAX(a, b))) break;
        s = after;
    }
    return s.kind->offset;
}

int64_t zone_instant(const struct zone *z, int64_t wall, bool second, enum zone_fit *fit)
{
    int64_t seconds = calendar_floor(wall, SECOND_US);
    int64_t one = wall_offset(z, seconds, false), two = wall_offset(z, seconds, true);
    if (fit) *fit = one == two ? ZONE_ONCE : one > two ? ZONE_TWICE : ZONE_NEVER;
    return wall - (second ? two : one) * SECOND_US;
}

/* --- parts ----------------------------------------------------------------------------------- */

struct wall wall_of(int64_t us)
{
    int64_t days = calendar_floor(us, DAY_US), in_day = us - days * DAY_US;
    struct calendar_day d = calendar_of(days);
    return (struct wall){d.year,
                         d.month,
                         d.day,
                         (int32_t)(in_day / HOUR_US),
                         (int32_t)(in_day / MINUTE_US % 60),
                         (int32_t)(in_day / SECOND_US % 60),
                         (int32_t)(in_day % SECOND_US)};
}

int64_t wall_us(struct wall w)
{
    /* what lies beyond microseconds' reach (some 292,000 years) is its end */
    const int64_t most = 106000000;
    int64_t days = calendar_days(w.year, w.month, w.day);
    days = days > most ? most : days < -most ? -most : days;
    return days * DAY_US + w.hour * HOUR_US + w.minute * MINUTE_US + w.second * SECOND_US + w.us;
}
