/* What is live: one server-sent stream a tab, with the channels it asked for. Each distinct channel
 * is computed once a tick for all who look, on a worker, and sent to those who have not seen it. */
#include "door/console/console_int.h"

#include "base/metric.h"
#include "base/say.h"

#include <stddef.h>
#include <stdio.h>

enum {
    TICK_MS = 500,
    HEARTBEAT_TICKS = 30,
    QUEUED_MAX = 256 << 10, /* a slow peer misses states past this, and gets the last one … */
    BEHIND_MAX = 4 << 20,   /* … past this it is let go: it will come again */
    LOOK_ARENA_MAX = 32 << 20,
    VALUE_MAX = 8 << 20,
    TAIL_KEPT = 64 << 10, /* of a tail, for who comes later */
    NAME_MAX_BYTES = 3072 /* a topic with a condition of some lines */
};

/* An event, as it is sent: one for all the streams it is on its way to. The loop's. */
struct event {
    uint32_t holders;
    size_t len;
    uint8_t bytes[];
};
struct channel {
    struct channel *next;
    struct live *live;
    const struct console_channel *kind;
    struct crew_job job;
    struct look look; /* while `at_work`: the worker's */
    err_t err;
    bool at_work;
    struct event *last; /* NULL: none yet */
    struct buf kept;    /* a TAIL's last ones, for who comes later */
    uint64_t version;   /* of `last`; 0: none yet */
    uint32_t viewers;
    char name[];
};
struct view { /* a stream's, of one channel */
    struct channel *channel;
    uint64_t seen;
};
struct stream {
    struct stream *next;
    struct live *live;
    struct http_request *http;
    struct view views[LIVE_CHANNELS_MAX];
    uint32_t view_count;
    struct session_held session;
    uint32_t quiet; /* ticks without an event */
};
struct live {
    struct console *console;
    struct loop_timer *tick;
    struct stream *streams;
    struct channel *channels;
    uint32_t stream_count, channel_count;
};

struct exec_world *look_world(const struct look *k)
{
    return k->console->o.world;
}

int64_t look_now_ms(const struct look *k)
{
    return k->console->o.port.now_us(k->console->o.port.ctx) / 1000;
}

/* --- channels ------------------------------------------------------------------------------------
 */

static void event_give(void *arg)
{
    struct event *e = arg;
    if (e && --e->holders == 0) mem_give(e);
}

static void channel_free(struct channel *c)
{
    if (c->look.own_free) c->look.own_free(c->look.own);
    arena_free(c->look.arena);
    buf_done(&c->look.out);
    buf_done(&c->kept);
    event_give(c->last);
    mem_give(c);
}

static const struct console_channel *kind_of(struct slice name, struct slice *arg)
{
    const uint8_t *colon = name.len ? memchr(name.at, ':', name.len) : NULL;
    struct slice word = colon ? slice_make(name.at, (size_t)(colon - name.at)) : name;
    *arg = colon ? slice_make(colon + 1, name.len - word.len - 1) : SLICE("");
    for (uint32_t i = 0; i < console_channel_count; i++)
        if (slice_is(word, console_channels[i].name) &&
            console_channels[i].has_arg == (colon != NULL))
            return &console_channels[i];
    return NULL;
}

static struct channel *channel_find(struct live *v, struct slice name)
{
    struct channel *c = v->channels;
    while (c && !slice_is(name, c->name)) c = c->next;
    return c;
}

static err_t channel_get(struct live *v, struct slice name, struct channel **out, struct diag *d)
{
    struct slice arg;
    *out = channel_find(v, name);
    if (*out) return ERR_OK;
    const struct console_channel *kind = kind_of(name, &arg);
    INVARIANT(kind);
    if (v->channel_count == CONSOLE_CHANNELS_MAX)
        return diag_fail(d, ERR_BUSY, "%d live channels are open already", CONSOLE_CHANNELS_MAX);
    struct channel *c = mem_take(sizeof(*c) + name.len + 1);
    if (c) c->look.arena = arena_new(LOOK_ARENA_MAX);
    if (!c || !c->look.arena) {
        mem_give(c);
        return diag_fail(d, ERR_NO_MEMORY, "no memory for a live channel");
    }
    (void)slice_to_cstr(name, c->name, name.len + 1); /* it has room for it */
    c->live = v;
    c->kind = kind;
    c->look.console = v->console;
    c->look.arg = slice_of(c->name + (name.len - arg.len));
    c->look.out = buf_make(VALUE_MAX);
    c->kept = buf_make(VALUE_MAX + KIB(4));
    c->next = v->channels;
    v->channels = c;
    v->channel_count++;
    *out = c;
    return ERR_OK;
}

/* Nobody looks any more: gone, when no worker is at it. */
static void channels_tidy(struct live *v)
{
    struct channel **at = &v->channels;
    while (*at) {
        struct channel *c = *at;
        if (c->viewers || c->at_work) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        v->channel_count--;
        channel_free(c);
    }
}

/* --- a look, on a worker -------------------------------------------------------------------------
 */

static struct channel *channel_of(struct crew_job *j)
{
    return (struct channel *)(void *)((char *)j - offsetof(struct channel, job));
}

static void do_look(struct crew_job *j, void **own)
{
    (void)own;
    struct channel *c = channel_of(j);
    arena_reset(c->look.arena);
    buf_reset(&c->look.out);
    c->look.d = (struct diag){.err = ERR_OK};
    metric_add(METRIC_console_looks_total, 1);
    c->err = c->kind->look(&c->look);
    if (!c->err && c->look.out.err)
        c->err = diag_fail(&c->look.d, c->look.out.err, "the value of %s is too large", c->name);
    if (!c->err) return;
    buf_reset(&c->look.out);
    ask_put_error(&c->look.out, c->err, &c->look.d);
}

static struct event *event_of(const struct channel *c)
{
    static const char head[] = "event: ", data[] = "\ndata: ", end[] = "\n\n";
    const struct slice parts[] = {slice_of(head), slice_of(c->name), slice_of(data),
                                  buf_view(&c->look.out), slice_of(end)};
    size_t len = 0;
    for (size_t i = 0; i < COUNT_OF(parts); i++) len += parts[i].len;
    struct event *e = mem_take_raw(sizeof(*e) + len);
    if (!e) return NULL;
    *e = (struct event){.holders = 1};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (parts[i].len) memcpy(e->bytes + e->len, parts[i].at, parts[i].len);
        e->len += parts[i].len;
    }
    return e;
}

static struct slice event_bytes(const struct event *e)
{
    return e ? slice_make(e->bytes, e->len) : (struct slice){0};
}

static void send_news(struct live *v);

/* A state counts when it differs, and so does a failure; of a tail the last ones are kept. */
static void looked(struct crew_job *j)
{
    struct channel *c = channel_of(j);
    bool state = c->kind->kind == CHANNEL_STATE;
    c->at_work = false;
    struct event *e = c->look.out.len ? event_of(c) : NULL;
    if (!e) return; /* nothing came; or no memory: the next tick tells it */
    if ((state || c->err) && slice_equal(event_bytes(e), event_bytes(c->last))) {
        event_give(e);
        return;
    }
    event_give(c->last);
    c->last = e;
    c->version++;
    if (!state) {
        if (c->kept.len > TAIL_KEPT) buf_reset(&c->kept);
        buf_slice(&c->kept, event_bytes(e));
    }
    send_news(c->live);
}

/* --- streams -------------------------------------------------------------------------------------
 */

static void stream_free(struct stream *s)
{
    struct live *v = s->live;
    struct stream **at = &v->streams;
    while (*at && *at != s) at = &(*at)->next;
    if (*at) *at = s->next;
    v->stream_count--;
    metric_add(METRIC_console_streams, -1);
    for (uint32_t i = 0; i < s->view_count; i++) s->views[i].channel->viewers--;
    mem_give(s);
    channels_tidy(v);
}

static void stream_gone(void *arg)
{
    stream_free(arg);
}

static void stream_end(struct stream *s)
{
    http_stream_end(s->http);
    stream_free(s);
}

static void send_text(struct stream *s, struct slice text)
{
    http_stream_send(s->http, text);
    s->quiet = 0;
}

/* Not copied: two hundred that look would hold two hundred copies until each has taken its own. */
static void share_event(struct stream *s, struct event *e)
{
    e->holders++;
    http_stream_send_borrowed(s->http, event_bytes(e), event_give, e);
    s->quiet = 0;
}

/* What this stream has not seen. Who comes late to a tail, or was too slow for it, starts with what
 * is kept of it. */
static void catch_up(struct stream *s)
{
    for (uint32_t i = 0; i < s->view_count; i++) {
        struct view *w = &s->views[i];
        struct channel *c = w->channel;
        if (w->seen == c->version || http_stream_queued(s->http) > QUEUED_MAX) continue;
        bool next = c->kind->kind == CHANNEL_STATE || (w->seen && w->seen + 1 == c->version);
        if (next)
            share_event(s, c->last);
        else
            send_text(s, buf_view(&c->kept));
        metric_add(METRIC_console_events_total, 1);
        w->seen = c->version;
    }
}

static void send_news(struct live *v)
{
    struct stream *next;
    for (struct stream *s = v->streams; s; s = next) {
        next = s->next;
        catch_up(s);
    }
}

static void start_looks(struct live *v, bool new_ones)
{
    for (struct channel *h = v->channels; h; h = h->next) {
        if (h->at_work || !h->viewers || (new_ones && h->version)) continue;
        h->job.run = do_look;
        h->job.done = looked;
        h->at_work = crew_give(v->console->lookers, &h->job);
    }
}

static void on_tick(void *arg)
{
    struct live *v = arg;
    struct console *c = v->console;
    struct stream *next;
    for (struct stream *s = v->streams; s; s = next) {
        next = s->next;
        bool holds = session_holds(c, &s->session);
        if (!holds || http_stream_queued(s->http) > BEHIND_MAX) {
            stream_end(s);
            continue;
        }
        catch_up(s);
        if (++s->quiet >= HEARTBEAT_TICKS) send_text(s, SLICE(": still here\n\n"));
    }
    channels_tidy(v);
    start_looks(v, false);
}

/* --- GET /live -----------------------------------------------------------------------------------
 */

/* Is the channel known, and may this user see it? */
static err_t channel_allowed(const struct ask *a, struct slice name, struct diag *d)
{
    struct slice arg;
    const struct console_channel *k = kind_of(name, &arg);
    if (!k || (k->has_arg && !arg.len))
        return diag_fail(d, ERR_UNKNOWN_NAME, "no channel '%.*s'", SLICE_ARG(name));
    if (name.len >= NAME_MAX_BYTES)
        return diag_fail(d, ERR_TOO_BIG, "a channel's name has at most %d bytes, this one %u",
                         NAME_MAX_BYTES - 1, name.len);
    if (a->user.role >= k->role) return ERR_OK;
    return diag_fail(d, ERR_FORBIDDEN, "channel %s needs the role %s", k->name, role_name(k->role));
}

static bool name_is_fair(struct slice name) /* it stands in the events' head */
{
    for (uint32_t i = 0; i < name.len; i++)
        if (name.at[i] < ' ' || name.at[i] == 0x7f) return false;
    return name.len != 0;
}

/* What can not be seen is told on the stream, and the other channels go on. */
static void add_views(struct live *v, struct stream *s, struct ask *a)
{
    for (uint32_t i = 0; i < a->param_count; i++) {
        struct slice name = a->params[i].value, arg;
        struct channel *c = NULL;
        struct diag d = {.err = ERR_OK};
        err_t e = channel_allowed(a, name, &d);
        if (!e) e = channel_get(v, name, &c, &d);
        if (e) {
            buf_printf(&a->out, "event: %.*s\ndata: ", SLICE_ARG(name));
            const struct console_channel *k = e == ERR_FORBIDDEN ? kind_of(name, &arg) : NULL;
            ask_put_story(&a->out, e, &d, k ? role_name(k->role) : NULL);
            buf_text(&a->out, "\n\n");
            continue;
        }
        bool twice = false;
        for (uint32_t k = 0; k < s->view_count; k++) twice |= s->views[k].channel == c;
        if (twice) continue;
        c->viewers++;
        s->views[s->view_count++].channel = c;
    }
}

static err_t check_stream(struct ask *a)
{
    if (!a->param_count || a->param_count > LIVE_CHANNELS_MAX)
        return diag_fail(&a->d, ERR_USAGE, "a stream has 1 to %d channels", LIVE_CHANNELS_MAX);
    for (uint32_t i = 0; i < a->param_count; i++)
        if (!name_is_fair(a->params[i].value))
            return diag_fail(&a->d, ERR_USAGE, "a channel has a name, without control characters");
    if (a->console->live->stream_count < CONSOLE_STREAMS_MAX) return ERR_OK;
    return diag_fail(&a->d, ERR_BUSY, "%d live streams are open already", CONSOLE_STREAMS_MAX);
}

err_t console_live(struct ask *a)
{
    struct live *v = a->console->live;
    err_t e = check_stream(a);
    struct stream *s = e ? NULL : mem_take(sizeof(*s));
    if (!e && !s) e = diag_fail(&a->d, ERR_NO_MEMORY, "no memory for a live stream");
    if (e) return e;
    s->live = v;
    s->http = a->http;
    s->session = (struct session_held){
        .number = a->session, .until_us = a->session_until_us, .role = a->user.role};
    memcpy(s->session.name, a->user.name, sizeof(s->session.name));
    token_proof(&a->user, s->session.proof);
    s->next = v->streams;
    v->streams = s;
    v->stream_count++;
    metric_add(METRIC_console_streams, 1);
    buf_text(&a->out, "retry: 2000\n\n");
    add_views(v, s, a);
    a->over = true;
    console_headers(a->http, false);
    http_stream_start(a->http, 200, "text/event-stream", stream_gone, s);
    send_text(s, buf_view(&a->out));
    catch_up(s);
    start_looks(v, true);
    return ERR_OK;
}

/* --- open, close ---------------------------------------------------------------------------------
 */

err_t live_open(struct console *c, struct diag *d)
{
    struct live *v = mem_take(sizeof(*v));
    if (!v) return diag_fail(d, ERR_NO_MEMORY, "no memory for live values");
    c->live = v;
    v->console = c;
    if (!loop_timer_new(c->loop, TICK_MS, TICK_MS, on_tick, v, &v->tick)) return ERR_OK;
    return diag_fail(d, ERR_NO_MEMORY, "no memory for live values");
}

void live_stop(struct live *v)
{
    if (!v) return;
    loop_timer_free(v->tick);
    v->tick = NULL;
    while (v->streams) stream_end(v->streams);
}

void live_close(struct live *v)
{
    if (!v) return;
    while (v->channels) { /* no worker is left */
        struct channel *c = v->channels;
        v->channels = c->next;
        channel_free(c);
    }
    mem_give(v);
}
