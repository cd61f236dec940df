#include "main/kafka/reading.h"

#include "main/kafka/topic_ops.h"
#include "os/clock.h"
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { POLL_MS = 500, COMMIT_MS = 5000, TOPIC_MS = 1000 };

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* --- words for where to begin ----------------------------------------------------------------- */

bool datetime_parse(const char *text, int64_t *ms)
{
    int y, mo, da, h = 0, mi = 0, n = 0, zone = 0;
    double s = 0;
    if (sscanf(text, "%4d-%2d-%2d%n", &y, &mo, &da, &n) != 3 || mo < 1 || mo > 12 || da < 1 ||
        da > 31)
        return false;
    const char *at = text + n;
    if (*at == 'T' || *at == ' ') {
        int fields = sscanf(++at, "%2d:%2d:%lf%n", &h, &mi, &s, &n);
        if (fields != 3 || h > 23 || mi > 59 || s >= 61) return false;
        at += n;
    }
    if (*at == 'Z') {
        at++;
    } else if (*at == '+' || *at == '-') {
        int zh, zm = 0, sign = *at == '-' ? -1 : 1;
        n = 0;
        if (sscanf(at + 1, "%2d:%2d%n", &zh, &zm, &n) != 2 &&
            sscanf(at + 1, "%2d%2d%n", &zh, &zm, &n) != 2)
            return false;
        zone = sign * (zh * 60 + zm);
        at += 1 + n;
    }
    if (*at) return false;
    struct tm tm = {.tm_year = y - 1900,
                    .tm_mon = mo - 1,
                    .tm_mday = da,
                    .tm_hour = h,
                    .tm_min = mi - zone,
                    .tm_sec = 0};
    *ms = (int64_t)timegm(&tm) * 1000 + (int64_t)(s * 1000 + 0.5);
    return true;
}

bool duration_parse(const char *text, int64_t *ms)
{
    static const struct {
        char unit;
        bool time;
        double ms;
    } units[] = {
        {'D', false, 86400000}, {'H', true, 3600000}, {'M', true, 60000}, {'S', true, 1000}};
    const char *at = text + (*text == '-');
    bool in_time = false, any = false;
    double sum = 0;
    if (*at++ != 'P') return false;
    for (; *at; at++) {
        if (*at == 'T' && !in_time) {
            in_time = true;
            continue;
        }
        char *end;
        double n = strtod(at, &end);
        if (end == at) return false;
        at = end;
        bool found = false;
        for (size_t i = 0; i < COUNT_OF(units) && !found; i++)
            if ((found = units[i].unit == *at && units[i].time == in_time)) sum += n * units[i].ms;
        if (!found) return false;
        any = true;
    }
    *ms = (int64_t)(*text == '-' ? -sum : sum);
    return any && sum < 1e15;
}

err_t reading_start_parse(const char *text, enum reading_start *start, int64_t *number,
                          struct diag *d)
{
    static const struct {
        const char *word;
        enum reading_start start;
    } words[] = {{"beginning", START_BEGINNING},
                 {"earliest", START_BEGINNING},
                 {"end", START_END},
                 {"latest", START_END}};
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strcmp(text, words[i].word) == 0) {
            *start = words[i].start;
            return ERR_OK;
        }
    if (number_of(text, number)) {
        *start = *number < 0 ? START_BACK : START_OFFSET;
        if (*number < 0) *number = -*number;
        return ERR_OK;
    }
    *start = START_TIME;
    if (datetime_parse(text, number)) return ERR_OK;
    (void)diag_fail(d, ERR_USAGE, "'%s' is no place in a topic", text);
    return diag_hint(d, "beginning, end, an offset, -N for N before the end, or a time: "
                        "2026-11-21T08:00:00Z");
}

/* --- which topics, and where they stand ------------------------------------------------------- */

struct run {
    struct session *s;
    const struct reading *r;
    struct kafka_consumer *consumer;
    struct kafka_member *member;
    struct arena *arena; /* the assignment */
    struct slice *topics;
    size_t topic_count;
    int64_t *ends; /* of the spots, for until_end */
    int64_t handed, last_ms, committed_ms;
    int64_t end_ms; /* until a topic is there */
};

static int64_t now_ms(void)
{
    return clock_mono_ns() / 1000000;
}

static err_t take_names(struct run *g, const struct kafka_metadata_response *m, struct diag *d)
{
    regex_t pattern;
    const char *include = g->r->include;
    char whole[2048], name[300];
    g->topics = arena_take(g->arena, ((size_t)m->topics.count + 1) * sizeof(*g->topics));
    g->topic_count = 0;
    if (!g->topics) return diag_fail(d, ERR_NO_MEMORY, "no memory for topics");
    int n = snprintf(whole, sizeof(whole), "^(%s)$", include ? include : ".*");
    if (n < 0 || (size_t)n >= sizeof(whole) ||
        regcomp(&pattern, whole, REG_EXTENDED | REG_NOSUB) != 0)
        return diag_fail(d, ERR_SYNTAX, "%s is an invalid regex.", include);
    for (int32_t i = 0; i < m->topics.count; i++) {
        const struct kafka_metadata_response_topic *t = &m->topics.at[i];
        if (t->error_code || (include && t->is_internal)) continue;
        if (include && (!slice_to_cstr(t->name, name, sizeof(name)) ||
                        regexec(&pattern, name, 0, NULL, 0) != 0))
            continue;
        g->topics[g->topic_count++] = arena_slice(g->arena, t->name);
    }
    regfree(&pattern);
    return ERR_OK;
}

/* The topics by name; waits for the one that is asked for, when that is wanted. */
static err_t find_topics(struct run *g, struct kafka_metadata_response **out, struct diag *d)
{
    struct slice name = slice_of(g->r->topic ? g->r->topic : "");
    for (bool said = false;; said = true) {
        arena_reset(g->s->arena);
        err_t e = kafka_client_topics(g->s->client, &name, g->r->topic ? 1 : -1,
                                      g->r->wait_for_topic, g->s->arena, out, d);
        if (e) return e;
        int16_t code =
            g->r->topic && (*out)->topics.count == 1 ? (*out)->topics.at[0].error_code : 0;
        if (code == 0) return take_names(g, *out, d);
        e = kafka_client_error(code, (struct slice){0}, d, "topic '%s'", g->r->topic);
        if (!g->r->wait_for_topic && code == KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION)
            return diag_fail(d, ERR_UNKNOWN_TOPIC, "there is no topic '%s'", g->r->topic);
        if (!g->r->wait_for_topic || !kafka_error_of(code)->retriable) return e;
        if (!said)
            fprintf(stderr, "WARN: topic '%s': %s; waiting for it\n", g->r->topic,
                    kafka_error_of(code)->name);
        if (interrupted) return ERR_STOPPED;
        if (g->r->timeout_ms >= 0 && now_ms() > g->end_ms)
            return diag_fail(d, ERR_TIMEOUT, "topic '%s' did not come", g->r->topic);
        dial_rest(MIN(TOPIC_MS, 200));
    }
}

static void set_position(const struct reading *r, struct kafka_spot *s, const struct place *asked,
                         const struct place *first, const struct place *end)
{
    switch (r->start) {
    case START_OFFSET: s->position = r->number; break;
    case START_BACK: s->position = MAX(end->offset - r->number, first->offset); break;
    case START_TIME: s->position = asked->offset >= 0 ? asked->offset : end->offset; break;
    case START_BEGINNING: s->position = first->offset; break;
    case START_END: s->position = end->offset; break;
    }
}

/* Three questions at most: where partitions begin, where they end, where a time is. */
static err_t ask_three(struct run *g, const struct kafka_metadata_response *m, struct place *at[3],
                       size_t *count, struct diag *d)
{
    static const int64_t times[] = {0, AT_EARLIEST, AT_LATEST};
    err_t e = ERR_OK;
    for (int i = 0; !e && i < 3; i++) {
        e = places_of(g->s, m, &at[i], count, d);
        if (e || (i == 0 && g->r->start != START_TIME)) continue;
        for (size_t k = 0; k < *count; k++) at[i][k].time = i ? times[i] : g->r->number;
        e = ask_offsets(g->s, at[i], *count, d);
        for (size_t k = 0; !e && k < *count; k++)
            e = kafka_client_error(at[i][k].error, (struct slice){0}, d, "'%.*s' partition %d",
                                   SLICE_ARG(at[i][k].topic), at[i][k].partition);
    }
    return e;
}

/* Positions for the spots that have none (`all`: for everyone), and ends for until_end. */
static err_t place_spots(struct run *g, struct kafka_spot *spots, size_t count, bool all,
                         struct diag *d)
{
    struct kafka_metadata_response *m;
    struct place *at[3];
    size_t places = 0;
    arena_reset(g->s->arena);
    g->s->committed = g->r->committed;
    err_t e = kafka_client_topics(g->s->client, g->topics, (int32_t)g->topic_count, false,
                                  g->s->arena, &m, d);
    if (!e) e = ask_three(g, m, at, &places, d);
    if (e) return e;
    g->ends = arena_take(g->arena, (count + 1) * sizeof(*g->ends));
    if (!g->ends) return diag_fail(d, ERR_NO_MEMORY, "no memory for offsets");
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < places; k++) {
            if (at[2][k].partition != spots[i].partition ||
                slice_compare(at[2][k].topic, spots[i].topic) != 0)
                continue;
            if (all || spots[i].position < 0)
                set_position(g->r, &spots[i], &at[0][k], &at[1][k], &at[2][k]);
            spots[i].end = at[2][k].offset;
        }
    return ERR_OK;
}

/* The consumer sorts its spots: ends follow them there. */
static err_t assign(struct run *g, struct kafka_spot *spots, size_t count, struct diag *d)
{
    size_t n;
    err_t e = kafka_consumer_assign(g->consumer, spots, count, d);
    struct kafka_spot *sorted = kafka_consumer_spots(g->consumer, &n);
    for (size_t i = 0; !e && i < n; i++)
        for (size_t k = 0; k < count; k++)
            if (spots[k].partition == sorted[i].partition &&
                slice_compare(spots[k].topic, sorted[i].topic) == 0)
                g->ends[i] = spots[k].end;
    return e;
}

static err_t assign_alone(struct run *g, struct diag *d)
{
    struct kafka_metadata_response *m;
    size_t count = 0;
    err_t e = find_topics(g, &m, d);
    if (e) return e;
    size_t total = 0;
    for (int32_t i = 0; i < m->topics.count; i++)
        total += (size_t)MAX(m->topics.at[i].partitions.count, 0);
    struct kafka_spot *spots = arena_take(g->arena, (total + 1) * sizeof(*spots));
    if (!spots) return diag_fail(d, ERR_NO_MEMORY, "no memory for partitions");
    for (int32_t i = 0; i < m->topics.count; i++)
        for (int32_t k = 0; k < m->topics.at[i].partitions.count; k++) {
            const struct kafka_metadata_response_topic *t = &m->topics.at[i];
            bool wanted = false;
            for (size_t n = 0; n < g->topic_count && !wanted; n++)
                if (slice_compare(g->topics[n], t->name) == 0) {
                    wanted = true;
                    spots[count].topic = g->topics[n];
                }
            spots[count].partition = t->partitions.at[k].partition_index;
            wanted = wanted && (g->r->partition < 0 || spots[count].partition == g->r->partition);
            spots[count].position = -1;
            count += wanted;
        }
    if (g->r->partition >= 0 && count == 0)
        return diag_fail(d, ERR_RANGE, "'%s' has no partition %d", g->r->topic, g->r->partition);
    e = place_spots(g, spots, count, true, d);
    return e ? e : assign(g, spots, count, d);
}

static err_t assign_member(struct run *g, struct diag *d)
{
    struct kafka_metadata_response *m;
    struct kafka_spot *spots;
    size_t count;
    arena_reset(g->arena);
    err_t e = find_topics(g, &m, d);
    if (!e)
        e = kafka_member_join(g->member, g->topics, g->topic_count, g->arena, &spots, &count, d);
    if (!e) e = place_spots(g, spots, count, false, d);
    return e ? e : assign(g, spots, count, d);
}

/* --- reading ---------------------------------------------------------------------------------- */

static err_t hand_over(void *ctx, const struct kafka_taken *t)
{
    struct run *g = ctx;
    g->last_ms = now_ms();
    err_t e = g->r->each(g->r->ctx, t);
    if (e && e != ERR_STOPPED) return e;
    g->handed++;
    return e || interrupted || g->handed == g->r->count ? ERR_STOPPED : ERR_OK;
}

static bool at_the_end(const struct run *g)
{
    size_t count;
    const struct kafka_spot *spots = kafka_consumer_spots(g->consumer, &count);
    for (size_t i = 0; i < count; i++)
        if (!spots[i].paused && spots[i].position < g->ends[i]) return false;
    return true;
}

/* Offsets that fell off the log begin where the reading begins; anything else is told. */
static err_t mend(struct run *g, struct diag *d)
{
    size_t count;
    struct kafka_spot *spots = kafka_consumer_spots(g->consumer, &count);
    bool outside = false;
    for (size_t i = 0; i < count; i++) {
        if (spots[i].error == 0) continue;
        if (spots[i].error != KAFKA_ERROR_OFFSET_OUT_OF_RANGE || g->r->start == START_OFFSET)
            return kafka_client_error(spots[i].error, (struct slice){0}, d,
                                      "reading '%.*s' partition %d", SLICE_ARG(spots[i].topic),
                                      spots[i].partition);
        spots[i].position = -1;
        outside = true;
    }
    if (!outside) return ERR_OK;
    struct kafka_spot *copy = arena_take(g->arena, count * sizeof(*copy));
    if (!copy) return diag_fail(d, ERR_NO_MEMORY, "no memory for partitions");
    memcpy(copy, spots, count * sizeof(*copy));
    for (size_t i = 0; i < count; i++) copy[i].topic = arena_slice(g->arena, copy[i].topic);
    err_t e = place_spots(g, copy, count, false, d);
    return e ? e : assign(g, copy, count, d);
}

static err_t commit(struct run *g, bool *again, struct diag *d)
{
    size_t count;
    const struct kafka_spot *spots = kafka_consumer_spots(g->consumer, &count);
    *again = false;
    g->committed_ms = now_ms();
    if (!g->member || !g->r->keep) return ERR_OK;
    return kafka_member_commit(g->member, spots, count, again, d);
}

static err_t look_after_group(struct run *g, struct diag *d)
{
    bool again = false, gone = false;
    if (!g->member) return ERR_OK;
    err_t e = kafka_member_beat(g->member, &again, d);
    if (!e && (again || now_ms() - g->committed_ms > COMMIT_MS)) e = commit(g, &gone, d);
    if (!e && (again || gone)) e = assign_member(g, d);
    return e;
}

static err_t read_on(struct run *g, struct diag *d)
{
    err_t e = ERR_OK;
    while (!e && !interrupted) {
        if (g->r->until_end && at_the_end(g)) break;
        int64_t left = g->r->timeout_ms < 0 ? POLL_MS : g->last_ms + g->r->timeout_ms - now_ms();
        if (left < 0)
            return diag_fail(d, ERR_TIMEOUT, "no record for %lld ms", (long long)g->r->timeout_ms);
        e = kafka_consumer_poll(g->consumer, (int32_t)MIN(left, POLL_MS), hand_over, g, d);
        err_t shown = g->r->pause(g->r->ctx);
        if (!e) e = shown;
        if (!e) e = mend(g, d);
        if (!e) e = look_after_group(g, d);
    }
    return e == ERR_STOPPED ? ERR_OK : e;
}

err_t reading_run(struct session *s, const struct reading *r, int64_t *handed, struct diag *d)
{
    struct kafka_consumer_options co = {.committed = r->committed};
    struct kafka_member_options mo = {
        .group = r->group, .instance = r->instance, .session_ms = r->session_ms};
    struct run g = {.s = s, .r = r, .arena = arena_new(MIB(256)), .last_ms = now_ms()};
    struct sigaction act = {.sa_handler = on_interrupt}, ignore = {.sa_handler = SIG_IGN};
    bool again;
    g.committed_ms = g.last_ms;
    g.end_ms = g.last_ms + r->timeout_ms;
    interrupted = 0;
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGPIPE, &ignore, NULL); /* whoever read us left: that is said, and we leave well */
    err_t e = g.arena ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory to read");
    if (!e) e = kafka_consumer_open(s->client, &co, &g.consumer, d);
    if (!e && r->group) e = kafka_member_open(s->client, &mo, &g.member, d);
    if (!e) e = g.member ? assign_member(&g, d) : assign_alone(&g, d);
    g.last_ms = now_ms();
    if (!e) e = read_on(&g, d);
    if (e == ERR_STOPPED) e = ERR_OK;
    if (g.consumer && (!e || e == ERR_TIMEOUT)) { /* what was shown is read */
        struct diag last = {0};
        err_t kept = commit(&g, &again, &last);
        if (kept && !e && d) *d = last;
        if (kept && !e) e = kept;
    }
    kafka_member_close(g.member);
    kafka_consumer_close(g.consumer);
    arena_free(g.arena);
    *handed = g.handed;
    return e;
}
