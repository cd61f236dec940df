#include "base/say.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const char *const room_names[SAY_ROOMS] = {
    [SAY_MAIN] = "main",   [SAY_OS] = "os",     [SAY_DATA] = "data",   [SAY_LOG] = "log",
    [SAY_STORE] = "store", [SAY_SQL] = "sql",   [SAY_FLOW] = "flow",   [SAY_CONNECT] = "connect",
    [SAY_SCHED] = "sched", [SAY_DOOR] = "door", [SAY_COORD] = "coord",
};
static const char *const level_names[] = {"debug", "info", "warn", "error", "off"};

uint8_t say_levels[SAY_ROOMS] = {
    SAY_INFO, SAY_INFO, SAY_INFO, SAY_INFO, SAY_INFO, SAY_INFO,
    SAY_INFO, SAY_INFO, SAY_INFO, SAY_INFO, SAY_INFO,
};
_Static_assert(SAY_ROOMS == 11, "every room starts at info");
static atomic_int to_fd = STDERR_FILENO;
static int64_t (*_Atomic clock_now)(void);

/* The ring keeps whole lines in one run of bytes, so that short lines do not cost SAY_LINE_MAX: the
 * oldest go when either the lines or the bytes are used up. A line never wraps round the end. */
enum { RING_BYTES = SAY_RING * 256 };
struct ring_line {
    uint32_t at;
    uint16_t len;
    uint8_t room, level;
};
static struct {
    pthread_mutex_t lock;
    uint64_t first, next; /* sequence numbers of the oldest line kept and of the next to come */
    uint32_t head;        /* where the next line's bytes go */
    struct ring_line lines[SAY_RING];
    char bytes[RING_BYTES];
} ring = {.lock = PTHREAD_MUTEX_INITIALIZER, .first = 1, .next = 1};

static bool overlaps(const struct ring_line *l, uint32_t at, uint32_t len)
{
    return l->at < at + len && at < l->at + l->len;
}

static void ring_add(enum say_room room, enum say_level level, const char *line, size_t len)
{
    pthread_mutex_lock(&ring.lock);
    uint32_t at = ring.head + len > RING_BYTES ? 0 : ring.head;
    /* What lies between the old head and the end is passed over: those lines are the oldest. */
    while (ring.first < ring.next) {
        const struct ring_line *oldest = &ring.lines[ring.first % SAY_RING];
        bool passed = at == 0 && ring.head > 0 && oldest->at >= ring.head;
        bool full = ring.next - ring.first == SAY_RING;
        if (!passed && !full && !overlaps(oldest, at, (uint32_t)len)) break;
        ring.first++;
    }
    memcpy(ring.bytes + at, line, len);
    ring.lines[ring.next % SAY_RING] =
        (struct ring_line){at, (uint16_t)len, (uint8_t)room, (uint8_t)level};
    ring.next++;
    ring.head = at + (uint32_t)len;
    pthread_mutex_unlock(&ring.lock);
}

size_t say_ring_read(uint64_t *seq, int room, enum say_level least, struct buf *out)
{
    size_t count = 0;
    pthread_mutex_lock(&ring.lock);
    uint64_t at = MAX(*seq + 1, ring.first);
    for (; at < ring.next; at++) {
        const struct ring_line *l = &ring.lines[at % SAY_RING];
        if ((room >= 0 && l->room != room) || l->level < least) continue;
        if (out->err || l->len > out->limit - out->len) break; /* the reader comes again */
        buf_put(out, ring.bytes + l->at, l->len);
        count++;
    }
    *seq = at - 1;
    pthread_mutex_unlock(&ring.lock);
    return count;
}

bool say_ring_next(uint64_t seq, struct say_kept *out)
{
    pthread_mutex_lock(&ring.lock);
    uint64_t at = MAX(seq + 1, ring.first);
    bool is = at < ring.next;
    if (is) {
        const struct ring_line *l = &ring.lines[at % SAY_RING];
        out->seq = at;
        out->room = (enum say_room)l->room;
        out->level = (enum say_level)l->level;
        out->len = l->len - 1u; /* each line ends with a newline */
        memcpy(out->line, ring.bytes + l->at, out->len);
        out->line[out->len] = 0;
    }
    pthread_mutex_unlock(&ring.lock);
    return is;
}

uint64_t say_ring_last(void)
{
    pthread_mutex_lock(&ring.lock);
    uint64_t last = ring.next - 1;
    pthread_mutex_unlock(&ring.lock);
    return last;
}

/* A line goes out with one write, so that lines of several threads never mix. What a full pipe does
 * not take is lost here and still in the ring: the log may never stop the program. */
static void write_line(const char *line, size_t len)
{
    int fd = atomic_load_explicit(&to_fd, memory_order_relaxed);
    if (fd < 0) return;
    int kept_errno = errno; /* logging must not change what the caller is about to look at */
    ssize_t n;
    do n = write(fd, line, len);
    while (n < 0 && errno == EINTR);
    errno = kept_errno;
}

static void put_time(struct buf *out)
{
    int64_t (*now)(void) = atomic_load_explicit(&clock_now, memory_order_relaxed);
    if (!now) return;
    int64_t ms = now();
    int64_t in_second = (ms % 1000 + 1000) % 1000;
    time_t seconds = (time_t)((ms - in_second) / 1000);
    struct tm t;
    char text[32];
    gmtime_r(&seconds, &t);
    size_t n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &t);
    buf_printf(out, "ts=%.*s.%03dZ ", (int)n, text, (int)in_second);
}

/* One event is one line, whatever a peer put into a value: control bytes become spaces. What was
 * too long ends in "…". */
static size_t finish_line(char *line, size_t len, bool cut)
{
    static const char ellipsis[] = "\xe2\x80\xa6";
    if (cut) {
        size_t room = SAY_LINE_MAX - 1 - (sizeof(ellipsis) - 1);
        len = MIN(len, room);
        while (len && ((uint8_t)line[len] & 0xc0) == 0x80) len--; /* not inside a character */
        memcpy(line + len, ellipsis, sizeof(ellipsis) - 1);
        len += sizeof(ellipsis) - 1;
    }
    for (size_t i = 0; i < len; i++)
        if ((uint8_t)line[i] < ' ' || line[i] == 0x7f) line[i] = ' ';
    line[len++] = '\n';
    return len;
}

static void say_list(enum say_room room, enum say_level level, const char *msg, const char *fmt,
                     va_list args)
{
    char line[SAY_LINE_MAX];
    struct buf out = buf_over(line, sizeof(line) - 1);
    put_time(&out);
    buf_printf(&out, "level=%s room=%s msg=\"%s\"", level_names[level], room_names[room], msg);
    bool cut = out.err != ERR_OK;
    size_t len = out.len;
    if (!cut && fmt && fmt[0]) {
        line[len++] = ' ';
        int n = vsnprintf(line + len, sizeof(line) - len, fmt, args);
        cut = n >= (int)(sizeof(line) - len);
        len = cut ? sizeof(line) - 1 : len + (size_t)MAX(n, 0);
    }
    len = finish_line(line, len, cut);
    ring_add(room, level, line, len);
    write_line(line, len);
}

void say_line(enum say_room room, enum say_level level, const char *msg, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say_list(room, level, msg, fmt, args);
    va_end(args);
}

static void put_pair(struct buf *out, const char *key, const char *value)
{
    if (!value[0]) return;
    buf_printf(out, "%s%s=", out->len ? " " : "", key);
    say_quote(slice_of(value), out);
}

void say_diag(enum say_room room, enum say_level level, const char *msg, const struct diag *d)
{
    char text[4 * sizeof(struct diag)]; /* an escape takes at most four bytes a byte */
    struct buf out = buf_over(text, sizeof(text));
    if (level < say_levels[room]) return;
    put_pair(&out, "err", err_name(d->err));
    put_pair(&out, "what", d->what);
    put_pair(&out, "where", d->where);
    put_pair(&out, "why", d->why);
    put_pair(&out, "hint", d->hint[0] ? d->hint : err_hint(d->err));
    say_line(room, level, msg, "%.*s", (int)out.len, text);
}

void say_level_set(enum say_room room, enum say_level level)
{
    __atomic_store_n(&say_levels[room], (uint8_t)level, __ATOMIC_RELAXED);
}

enum say_level say_level_of(enum say_room room)
{
    return (enum say_level)__atomic_load_n(&say_levels[room], __ATOMIC_RELAXED);
}

const char *say_level_name(enum say_level level)
{
    return level_names[level];
}

static bool find_name(struct slice name, const char *const *names, size_t count, size_t *out)
{
    for (*out = 0; *out < count; ++*out)
        if (slice_is(name, names[*out])) return true;
    return false;
}

bool say_room_parse(struct slice name, enum say_room *out)
{
    size_t i;
    if (!find_name(name, room_names, COUNT_OF(room_names), &i)) return false;
    *out = (enum say_room)i;
    return true;
}

bool say_level_parse(struct slice name, enum say_level *out)
{
    size_t i;
    if (!find_name(name, level_names, COUNT_OF(level_names), &i)) return false;
    *out = (enum say_level)i;
    return true;
}

const char *say_room_name(enum say_room room)
{
    return room_names[room];
}

void say_to(int fd)
{
    atomic_store(&to_fd, fd);
}

void say_clock(int64_t (*wall_ms)(void))
{
    atomic_store(&clock_now, wall_ms);
}

static bool plain(struct slice s)
{
    for (uint32_t i = 0; i < s.len; i++)
        if (s.at[i] <= ' ' || s.at[i] == '"' || s.at[i] == '=' || s.at[i] == '\\' ||
            s.at[i] == 0x7f)
            return false;
    return s.len > 0;
}

void say_quote(struct slice value, struct buf *out)
{
    if (plain(value)) {
        buf_slice(out, value);
        return;
    }
    buf_char(out, '"');
    for (uint32_t i = 0; i < value.len; i++) {
        uint8_t c = value.at[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c == '\n')
            buf_text(out, "\\n");
        else if (c == '\t')
            buf_text(out, "\\t");
        else if (c < ' ' || c == 0x7f)
            buf_printf(out, "\\x%02x", c);
        else
            buf_char(out, (char)c);
    }
    buf_char(out, '"');
}
