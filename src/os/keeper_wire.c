#include "os/keeper_wire.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

size_t keeper_begin(struct buf *out, enum keeper_says what)
{
    size_t at = out->len;
    buf_be(out, 0, 4);
    buf_be(out, (uint64_t)what, 1);
    return at;
}

void keeper_finish(struct buf *out, size_t at)
{
    if (!out->err) buf_set_be(out, at, out->len - at - 4, 4);
}

bool keeper_take(struct slice read, size_t *used, enum keeper_says *what, struct cursor *body,
                 bool *bad)
{
    *bad = false;
    if (read.len == *used) return false; /* nothing has come yet: there may be no bytes at all */
    struct cursor c = cursor_of(slice_make(read.at + *used, read.len - *used));
    uint64_t size = cursor_be(&c, 4);
    *bad = !c.err && (size == 0 || size > KEEPER_MESSAGE_MAX);
    if (c.err || *bad || cursor_left(&c) < size) return false;
    *body = cursor_of(slice_make(c.at, size));
    *what = (enum keeper_says)cursor_be(body, 1);
    *used += 4 + size;
    return true;
}

void keeper_put_text(struct buf *out, struct slice s)
{
    buf_be(out, s.len, 4);
    buf_slice(out, s);
}

struct slice keeper_text(struct cursor *c)
{
    return cursor_slice(c, cursor_be(c, 4));
}

void keeper_put_end(struct buf *out, enum keeper_says what, const struct keeper_end *e)
{
    size_t at = keeper_begin(out, what);
    keeper_put_text(out, e->id);
    buf_be(out, (uint64_t)e->running | (uint64_t)e->lost << 1, 1);
    buf_be(out, (uint32_t)e->pid, 4);
    buf_be(out, (uint32_t)e->exit_code, 4);
    buf_be(out, (uint32_t)e->stopped, 4);
    buf_be(out, (uint64_t)e->started_us, 8);
    buf_be(out, (uint64_t)e->ended_us, 8);
    buf_be(out, e->said, 8);
    buf_be(out, e->left_behind, 4);
    keeper_put_text(out, e->last_line);
    buf_be(out, e->born, 8);
    keeper_finish(out, at);
}

struct keeper_end keeper_read_end(struct cursor *c)
{
    struct keeper_end e = {.id = keeper_text(c)};
    uint64_t bits = cursor_be(c, 1);
    e.running = bits & 1;
    e.lost = bits & 2;
    e.pid = cursor_i32(c);
    e.exit_code = cursor_i32(c);
    e.stopped = cursor_i32(c);
    e.started_us = cursor_i64(c);
    e.ended_us = cursor_i64(c);
    e.said = (uint64_t)cursor_i64(c);
    e.left_behind = (uint32_t)cursor_i32(c);
    e.last_line = keeper_text(c);
    if (!c->err && cursor_left(c) >= 8) e.born = cursor_be(c, 8); /* files of 0.1 are without */
    return e;
}

bool keeper_address(const char *dir, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(out->sun_path, sizeof out->sun_path, "%s/socket", dir);
    return n > 0 && (size_t)n < sizeof out->sun_path;
}
