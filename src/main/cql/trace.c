/* What a traced statement took its time for, read from system_traces. */
#include "base/hash.h"
#include "main/cql/shell.h"
#include "os/clock.h"
#include "os/dial.h"

#include <time.h>

enum { WAIT_MS = 10000, STEP_MS = 20, EVENT_COLUMNS = 5, EVENTS_MAX = 10000 };

struct session {
    struct slice request, client, coordinator;
    int64_t started_ms;
    int32_t duration;
    bool found, done;
};

static struct slice inet_text(struct shell *s, const struct native_value *v)
{
    struct buf b = buf_make(64);
    show_value(&show_plain, type_of(TYPE_INET), v, false, &b);
    struct slice out = arena_slice(s->arena, buf_view(&b));
    buf_done(&b);
    return out;
}

static int64_t number_of(const struct native_value *v)
{
    struct cursor c = cursor_of(v->bytes);
    return v->bytes.len == 4 ? cursor_i32(&c) : v->bytes.len == 8 ? cursor_i64(&c) : 0;
}

static bool ask(struct shell *s, const char *columns, const char *table, const char *id,
                struct cql_answer *out)
{
    char text[256];
    snprintf(text, sizeof(text), "SELECT %s FROM system_traces.%s WHERE session_id = %s", columns,
             table, id);
    bool paging = s->paging;
    s->paging = false;
    bool ok = shell_query(s, slice_of(text), s->consistency, false, (struct slice){0}, out);
    s->paging = paging;
    return ok;
}

static bool read_session(struct shell *s, const char *id, struct session *out)
{
    struct cql_answer answer;
    struct native_value v[5];
    if (!ask(s, "request, started_at, coordinator, duration, client", "sessions", id, &answer))
        return false;
    struct cursor rows = cursor_of(answer.response.rows);
    *out = (struct session){.found = answer.response.row_count > 0};
    for (size_t i = 0; i < COUNT_OF(v); i++)
        if (!out->found || !native_value_next(&rows, &v[i])) return true;
    out->request = arena_slice(s->arena, v[0].bytes);
    out->started_ms = number_of(&v[1]);
    out->coordinator = inet_text(s, &v[2]);
    out->done = v[3].state == NATIVE_SET;
    out->duration = (int32_t)number_of(&v[3]);
    out->client = inet_text(s, &v[4]);
    return true;
}

/* As Python prints a time: the fraction only when there is one. */
static struct slice time_text(struct shell *s, int64_t us, const char *zone)
{
    char day[40], text[80];
    time_t seconds = (time_t)(us / 1000000);
    struct tm t;
    if (!localtime_r(&seconds, &t)) return SLICE("");
    (void)strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &t);
    if (us % 1000000)
        snprintf(text, sizeof(text), "%s.%06d%s", day, (int)(us % 1000000), zone);
    else
        snprintf(text, sizeof(text), "%s%s", day, zone);
    return arena_slice(s->arena, slice_of(text));
}

static void put_row(struct shell *s, struct show_cell *row, struct slice activity,
                    struct slice when, struct slice source, int64_t elapsed, struct slice client)
{
    char number[24];
    snprintf(number, sizeof(number), "%lld", (long long)elapsed);
    row[0] = show_cell_text(s->arena, activity, SHOW_TEXT);
    row[1] = show_cell_text(s->arena, when, SHOW_TEXT);
    row[2] = show_cell_text(s->arena, source, SHOW_TEXT);
    row[3] = show_cell_text(s->arena, slice_of(number), SHOW_NUMBER);
    row[4] = show_cell_text(s->arena, client, SHOW_TEXT);
}

/* Microseconds since 1970 of a version 1 UUID. */
static int64_t uuid_us(struct slice u)
{
    if (u.len != 16) return 0;
    struct cursor c = cursor_of(u);
    uint64_t low = cursor_be(&c, 4), mid = cursor_be(&c, 2), high = cursor_be(&c, 2) & 0x0fff;
    return (int64_t)((high << 48 | mid << 32 | low) / 10) - INT64_C(12219292800000000);
}

static uint32_t put_events(struct shell *s, const struct session *n,
                           const struct cql_answer *answer, struct show_cell *cells)
{
    struct cursor rows = cursor_of(answer->response.rows);
    struct native_value v[5];
    struct buf b = buf_make(MIB(1));
    uint32_t count = 0;
    put_row(s, cells, n->request, time_text(s, n->started_ms * 1000, ""), n->coordinator, 0,
            n->client);
    for (count = 1; count <= MIN(answer->response.row_count, (uint32_t)EVENTS_MAX); count++) {
        for (size_t i = 0; i < COUNT_OF(v); i++)
            if (!native_value_next(&rows, &v[i])) return count;
        buf_reset(&b);
        buf_printf(&b, "%.*s [%.*s]", SLICE_ARG(v[0].bytes), SLICE_ARG(v[1].bytes));
        put_row(s, cells + (size_t)count * EVENT_COLUMNS, buf_view(&b),
                time_text(s, uuid_us(v[2].bytes), "+00:00"), inet_text(s, &v[3]), number_of(&v[4]),
                n->client);
    }
    if (n->done)
        put_row(s, cells + (size_t)count++ * EVENT_COLUMNS, SLICE("Request complete"),
                time_text(s, n->started_ms * 1000 + n->duration, ""), n->coordinator, n->duration,
                n->client);
    buf_done(&b);
    return count;
}

bool shell_trace(struct shell *s, const uint8_t id[16], bool waits)
{
    static const char *const titles[] = {"activity", "timestamp", "source", "source_elapsed",
                                         "client"};
    struct show_cell names[EVENT_COLUMNS];
    struct uuid u;
    char text[37];
    struct session n = {.done = false};
    struct cql_answer answer;
    memcpy(u.at, id, 16);
    uuid_print(u, text);
    int64_t until = clock_mono_ns() + WAIT_MS * INT64_C(1000000);
    do {
        if (!read_session(s, text, &n)) return true; /* told */
        if (!n.done && waits) dial_rest(STEP_MS);
    } while (waits && !n.done && clock_mono_ns() < until);
    if (!n.found && !waits) return false;
    if (!n.done && waits)
        fprintf(s->out, "Statement trace did not complete within 10 seconds; trace data may be "
                        "incomplete.\n");
    if (!ask(s, "activity, thread, event_id, source, source_elapsed", "events", text, &answer))
        return true;
    struct show_cell *cells = arena_take(s->arena, sizeof(*cells) * EVENT_COLUMNS *
                                                       (answer.response.row_count + (size_t)2));
    if (!cells) return true;
    for (size_t i = 0; i < EVENT_COLUMNS; i++)
        names[i] = show_cell_text(s->arena, slice_of(titles[i]), SHOW_NAME);
    uint32_t rows = put_events(s, &n, &answer, cells);
    fprintf(s->out, "\nTracing session: %s\n\n", text);
    show_table(s, names, EVENT_COLUMNS, cells, rows, true);
    fputc('\n', s->out);
    return true;
}
