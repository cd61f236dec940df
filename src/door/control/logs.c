/* The log's last lines, and those that come. */
#include "door/control/control_int.h"

#include "base/say.h"

enum { FOLLOW_MS = 200, LOGS_BYTES_MAX = 8 << 20 };

struct follower {
    struct http_request *request;
    struct loop_timer *timer;
    uint64_t seq;
    int room;
    enum say_level least;
};

static void follower_free(void *arg)
{
    struct follower *f = arg;
    loop_timer_free(f->timer);
    mem_give(f);
}

static void follow(void *arg)
{
    struct follower *f = arg;
    struct buf text = buf_make(LOGS_BYTES_MAX);
    if (say_ring_read(&f->seq, f->room, f->least, &text))
        http_stream_send(f->request, buf_view(&text));
    buf_done(&text);
}

void control_logs(struct control *c, struct http_request *r)
{
    struct slice name;
    struct follower f = {.request = r, .room = -1, .least = SAY_DEBUG};
    enum say_room room;
    if (http_param(r, "room", &name) && name.len) {
        if (!say_room_parse(name, &room)) {
            http_reply_text(r, 404,
                            "error: there is no room '%.*s'\n  hint: main, os, data, log, store, "
                            "sql, flow, connect, sched or door\n",
                            SLICE_ARG(name));
            return;
        }
        f.room = (int)room;
    }
    if (http_param(r, "level", &name) && name.len && !say_level_parse(name, &f.least)) {
        http_reply_text(r, 400,
                        "error: there is no level '%.*s'\n  hint: debug, info, warn or error\n",
                        SLICE_ARG(name));
        return;
    }
    struct follower *kept = http_param(r, "follow", &name) ? mem_take(sizeof(*kept)) : NULL;
    if (!kept) {
        struct buf text = buf_make(LOGS_BYTES_MAX);
        say_ring_read(&f.seq, f.room, f.least, &text);
        http_reply(r, 200, "text/plain; charset=utf-8", buf_view(&text));
        buf_done(&text);
        return;
    }
    *kept = f;
    http_stream_start(r, 200, "text/plain; charset=utf-8", follower_free, kept);
    follow(kept);
    if (loop_timer_new(c->loop, FOLLOW_MS, FOLLOW_MS, follow, kept, &kept->timer)) {
        http_stream_end(r);
        follower_free(kept);
    }
}
