/* The keeper's wardens: processes that each have one command at a time. One that is done is given
 * the next command, so that a command costs no fork of the keeper's own memory; those that nobody
 * needs for a while end, but for one. */
#include "os/keeper_serve.h"

#include "os/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    DESK_MAX = 2 * KEEPER_MESSAGE_MAX + (4 << 20), /* texts, and the lists of where they stand */
    DESK_LARGE = 1 << 20,                          /* given back when the command is over */
    KEPT_IDLE = 1,
    IDLE_MS = 5000
};

/* --- coming and going ---------------------------------------------------------------------------
 */

static void warden_free(struct keeping *k, struct warden *w)
{
    keeping_unwatch(k, &w->report);
    if (w->desk) munmap(w->desk, DESK_MAX);
    w->desk = NULL;
    if (!vec_push(&k->parted, &w)) return; /* events of this turn may still name it */
    mem_give(w);
}

static struct warden *warden_new(struct keeping *k)
{
    int pair[2], keeper = (int)getpid();
    struct warden *w = mem_take(sizeof *w);
    if (!w) {
        errno = ENOMEM;
        return NULL;
    }
    w->report.fd = -1;
    void *desk = mmap(NULL, DESK_MAX, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    bool paired =
        desk != MAP_FAILED && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0;
    w->desk = desk == MAP_FAILED ? NULL : desk;
    w->pid = paired ? (int)fork() : -1;
    if (w->pid == 0) keeper_warden(w->desk, pair[1], keeper);
    int error = errno;
    if (paired) close(pair[1]);
    if (paired) w->report = (struct watch){WATCH_REPORT, pair[0], NULL, w};
    if (w->pid < 0) {
        warden_free(k, w);
        errno = error;
        return NULL;
    }
    (void)madvise(w->desk, DESK_MAX, MADV_DONTFORK); /* no other warden's */
    keeping_watch(k, &w->report, EPOLLIN);
    return w;
}

struct warden *crew_take(struct keeping *k)
{
    if (k->idle.count == 0) return warden_new(k);
    struct warden *newest = *(struct warden **)vec_at(&k->idle, k->idle.count - 1);
    k->idle.count--;
    return newest;
}

void crew_part(struct keeping *k, struct warden *w)
{
    for (size_t i = 0; i < k->idle.count; i++)
        if (*(struct warden **)vec_at(&k->idle, i) == w) vec_remove(&k->idle, i--);
    warden_free(k, w);
}

void crew_back(struct keeping *k, struct warden *w)
{
    w->report.work = NULL;
    w->idle_since_ms = clock_mono_ns() / 1000000;
    if (w->desk_used > DESK_LARGE) (void)madvise(w->desk, DESK_MAX, MADV_REMOVE);
    if (vec_push(&k->idle, &w)) warden_free(k, w);
}

int crew_rest_ms(const struct keeping *k)
{
    if (k->idle.count <= KEPT_IDLE) return -1;
    const struct warden *oldest = *(struct warden *const *)vec_at(&k->idle, 0);
    int64_t left = oldest->idle_since_ms + IDLE_MS - clock_mono_ns() / 1000000;
    return (int)MAX(left, INT64_C(0));
}

void crew_tidy(struct keeping *k)
{
    while (crew_rest_ms(k) == 0) crew_part(k, *(struct warden **)vec_at(&k->idle, 0));
    for (size_t i = 0; i < k->parted.count; i++) mem_give(*(struct warden **)vec_at(&k->parted, i));
    vec_clear(&k->parted);
}

static bool is_warden(const struct keeping *k, int pid)
{
    for (size_t i = 0; i < k->idle.count; i++)
        if ((*(struct warden *const *)vec_at(&k->idle, i))->pid == pid) return true;
    for (size_t i = 0; i < k->works.count; i++) {
        const struct keeper_work *w = *(struct keeper_work *const *)vec_at(&k->works, i);
        if (w->warden && w->warden->pid == pid) return true;
    }
    return false;
}

void crew_orphans(struct keeping *k)
{
    static char text[64 << 10];
    int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0) close(fd);
    text[n > 0 ? n : 0] = 0;
    char *end = text;
    for (int pid; (pid = (int)strtol(end, &end, 10)) > 0;)
        if (!is_warden(k, pid)) (void)kill(pid, SIGKILL);
}

/* --- an order -----------------------------------------------------------------------------------
 */

static void *desk_take(struct warden *w, size_t size)
{
    size_t at = (w->desk_used + 15) & ~(size_t)15;
    if (size > DESK_MAX - at) return NULL;
    w->desk_used = at + size;
    return (uint8_t *)w->desk + at;
}

static char *desk_text(struct warden *w, const char *text)
{
    size_t size = strlen(text) + 1;
    char *to = desk_take(w, size);
    return to ? memcpy(to, text, size) : NULL;
}

static const char *const *desk_list(struct warden *w, char *const *list)
{
    size_t count = 0;
    while (list[count]) count++;
    const char **to = desk_take(w, (count + 1) * sizeof *to);
    for (size_t i = 0; to && i < count; i++)
        if (!(to[i] = desk_text(w, list[i]))) return NULL;
    if (to) to[count] = NULL;
    return to;
}

bool crew_order(struct warden *w, char *const *argv, char *const *environment,
                const char *directory, int input, int output)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(2 * sizeof(int))];
    } control = {0};
    char go = 1;
    struct iovec one = {&go, 1};
    struct msghdr m = {.msg_iov = &one,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof control.room};
    struct cmsghdr *head = CMSG_FIRSTHDR(&m);
    *head = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(2 * sizeof(int))};
    memcpy(CMSG_DATA(head), (int[]){input, output}, 2 * sizeof(int));
    w->desk_used = sizeof *w->desk;
    w->desk->argv = desk_list(w, argv);
    w->desk->environment = desk_list(w, environment);
    w->desk->directory = desk_text(w, directory);
    if (!w->desk->argv || !w->desk->environment || !w->desk->directory) {
        errno = E2BIG;
        return false;
    }
    ssize_t n;
    do n = sendmsg(w->report.fd, &m, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n == 1;
}
