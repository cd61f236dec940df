/* Listeners and connections: what is not consumed stays, output that piles up stops input, every
 * end is told once, memory goes back. Method: a server on its loop's thread, raw sockets here. */
#include "os/net.h"

#include "os/clock.h"
#include "os/file.h"
#include "os/test_peer.h"
#include "test.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- a door for the tests: lines in, words decide what comes out ------------------------------ */

struct door {
    struct side side;
    struct listener *listener;
    struct listener_options options;
    atomic_int opened, closed, drained, left, expired, given_back, lines;
    atomic_size_t queued_most;
    int file;
    char peer[64];
};

static uint8_t block[1 << 20];

static void *line_open(void *door, struct conn *c)
{
    struct door *d = door;
    (void)c;
    atomic_fetch_add(&d->opened, 1);
    return d;
}

static void give_back(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void resume(void *arg)
{
    conn_resume(arg);
}

static void answer_line(struct door *d, struct conn *c, struct slice line)
{
    atomic_fetch_add(&d->lines, 1);
    if (slice_is(line, "close")) {
        conn_write(c, SLICE("bye\n"));
        conn_close(c);
    } else if (slice_is(line, "now")) {
        conn_write(c, SLICE("never seen\n"));
        conn_close_now(c);
    } else if (slice_is(line, "block")) {
        conn_write_borrowed(c, slice_make(block, sizeof(block)), give_back, &d->given_back);
    } else if (slice_is(line, "file")) {
        uint64_t size;
        CHECK_OK(file_size(d->file, &size, NULL), NULL);
        CHECK_OK(conn_write_file(c, d->file, 7, size - 7), NULL);
    } else if (slice_is(line, "held")) {
        CHECK_OK(conn_write_file_held(c, d->file, 7, 1000, give_back, &d->given_back), NULL);
    } else if (slice_is(line, "pause")) {
        conn_pause(c);
        CHECK_OK(loop_post(conn_loop(c), resume, c), NULL);
    } else if (slice_is(line, "hold")) {
        conn_pause(c);
    } else {
        conn_write(c, line);
        conn_write(c, SLICE("\n"));
    }
    size_t queued = conn_queued(c);
    if (queued > atomic_load(&d->queued_most)) atomic_store(&d->queued_most, queued);
}

/* One line a call: the rest must be handed over again. */
static size_t line_data(void *state, struct conn *c, struct slice in)
{
    const uint8_t *end = memchr(in.at, '\n', in.len);
    if (!end) return 0;
    answer_line(state, c, slice_make(in.at, (size_t)(end - in.at)));
    return (size_t)(end - in.at) + 1;
}

static void line_drained(void *state, struct conn *c)
{
    (void)c;
    atomic_fetch_add(&((struct door *)state)->drained, 1);
}
static void line_closed(void *state, struct conn *c)
{
    struct door *d = state;
    snprintf(d->peer, sizeof(d->peer), "%s", conn_peer(c));
    atomic_fetch_add(&d->closed, 1);
}
static void line_left(void *state, struct conn *c)
{
    atomic_fetch_add(&((struct door *)state)->left, 1);
    conn_close_now(c);
}
static void line_expired(void *state, struct conn *c)
{
    atomic_fetch_add(&((struct door *)state)->expired, 1);
    conn_write(c, SLICE("too late\n"));
    conn_close(c);
}

static const struct conn_handler line_handler = {.open = line_open,
                                                 .data = line_data,
                                                 .drained = line_drained,
                                                 .closed = line_closed,
                                                 .expired = line_expired,
                                                 .left = line_left};

static void door_open(struct door *d)
{
    struct diag diag;
    side_open(&d->side);
    d->options.handler = &line_handler;
    d->options.door = d;
    if (!d->options.address) d->options.address = "127.0.0.1";
    CHECK_OK(listener_open(d->side.loop, &d->options, &d->listener, &diag), &diag);
    side_start(&d->side);
}

static void door_close(struct door *d)
{
    side_stop(&d->side);
    listener_close(d->listener);
    CHECK_INT(d->opened, d->closed);
    side_free(&d->side);
}

static bool all_closed(void *arg)
{
    struct door *d = arg;
    return d->opened > 0 && d->closed == d->opened;
}

static void expect(int fd, const char *text)
{
    char got[256] = "";
    size_t n = peer_read(fd, got, MIN(strlen(text), sizeof(got) - 1));
    got[n] = 0;
    CHECK_TEXT(got, text);
}

/* --- tests ------------------------------------------------------------------------------------ */

TEST(bytes_that_are_not_consumed_stay_for_the_next_time)
{
    struct door d = {0};
    door_open(&d);
    int fd = peer_connect(listener_port(d.listener));
    peer_text(fd, "one\ntwo\nthr");
    expect(fd, "one\ntwo\n");
    peer_text(fd, "ee\npau");
    expect(fd, "three\n");
    peer_text(fd, "se\nfour\npause\npause\nfive\n");
    expect(fd, "four\nfive\n");
    close(fd);
    CHECK(side_wait(all_closed, &d));
    CHECK(slice_starts(slice_of(d.peer), "127.0.0.1:"));
    door_close(&d);
}

TEST(a_graceful_end_sends_what_is_queued_and_an_abrupt_one_does_not)
{
    struct door d = {0};
    struct buf got = buf_make(1 << 22);
    door_open(&d);
    int fd = peer_connect(listener_port(d.listener));
    peer_text(fd, "block\nclose\nnot looked at any more\n");
    CHECK(peer_to_end(fd, &got));
    CHECK_INT(got.len, sizeof(block) + 4);
    CHECK_INT(d.given_back, 1);
    close(fd);
    buf_reset(&got);
    fd = peer_connect(listener_port(d.listener));
    peer_text(fd, "now\n");
    CHECK(peer_to_end(fd, &got));
    CHECK_INT(got.len, 0);
    close(fd);
    CHECK(side_wait(all_closed, &d));
    CHECK_INT(d.lines, 3);
    door_close(&d);
    buf_done(&got);
}

TEST(a_peer_that_closes_its_half_still_gets_its_answers)
{
    struct door d = {0};
    struct buf got = buf_make(1 << 22);
    door_open(&d);
    int fd = peer_connect(listener_port(d.listener));
    peer_text(fd, "one\nblock\ntwo\n");
    shutdown(fd, SHUT_WR);
    CHECK(peer_to_end(fd, &got));
    CHECK_INT(got.len, sizeof(block) + 8);
    close(fd);
    door_close(&d);
    buf_done(&got);
}

TEST(output_that_piles_up_stops_the_peers_input_and_all_of_it_arrives)
{
    enum { BLOCKS = 48 };
    struct door d = {.options = {.output_high = 1 << 20, .output_max = 8 << 20}};
    door_open(&d);
    for (size_t i = 0; i < sizeof(block); i++) block[i] = (uint8_t)(i * 2654435761u >> 13);
    int fd = peer_connect(listener_port(d.listener));
    for (int i = 0; i < BLOCKS; i++) peer_text(fd, "block\n");
    peer_text(fd, "end\n");
    uint8_t *got = mem_take_raw(sizeof(block));
    for (int i = 0; i < BLOCKS; i++) {
        CHECK_INT(peer_read(fd, got, sizeof(block)), sizeof(block));
        CHECK(memcmp(got, block, sizeof(block)) == 0);
    }
    expect(fd, "end\n");
    mem_give(got);
    CHECK(d.queued_most <= 2 * sizeof(block) + 4);
    CHECK(d.drained > 0);
    close(fd);
    CHECK(side_wait(all_closed, &d));
    CHECK_INT(d.given_back, BLOCKS);
    door_close(&d);
}

TEST(a_queue_past_its_ceiling_ends_the_connection_and_gives_borrowed_bytes_back)
{
    struct door d = {.options = {.output_high = 8 << 20, .output_max = 8 << 20}};
    struct buf got = buf_make(1 << 26);
    door_open(&d);
    int fd = peer_connect(listener_port(d.listener));
    /* at once: the connection may end before the last one is asked for */
    struct buf asked = buf_make(1000);
    for (int i = 0; i < 40; i++) buf_text(&asked, "block\n");
    peer_send(fd, buf_view(&asked));
    buf_done(&asked);
    CHECK(side_wait(all_closed, &d));
    CHECK(peer_to_end(fd, &got));
    CHECK(got.len < 40 * sizeof(block));
    CHECK(d.given_back <= d.lines && d.given_back > 0);
    CHECK(d.queued_most <= (9 << 20));
    close(fd);
    door_close(&d);
    CHECK_INT(d.given_back, d.lines);
    buf_done(&got);
}

TEST(a_message_longer_than_input_max_ends_the_connection)
{
    struct door d = {.options = {.input_max = 100}};
    struct buf got = buf_make(1000);
    char line[101];
    door_open(&d);
    memset(line, 'x', sizeof(line));
    int fd = peer_connect(listener_port(d.listener));
    peer_send(fd, slice_make(line, 99));
    peer_text(fd, "\n");
    CHECK_INT(peer_read(fd, line, 100), 100);
    memset(line, 'x', sizeof(line));
    peer_send(fd, slice_make(line, 101));
    CHECK(peer_to_end(fd, &got));
    CHECK_INT(got.len, 0);
    close(fd);
    door_close(&d);
    buf_done(&got);
}

TEST(a_file_goes_out_from_its_offset_after_what_was_written_before)
{
    struct door d = {0};
    struct buf got = buf_make(1 << 22);
    char path[200];
    struct diag diag;
    snprintf(path, sizeof(path), "%s/file", test_dir());
    for (size_t i = 0; i < sizeof(block); i++) block[i] = (uint8_t)(i * 40503 >> 7);
    CHECK_OK(file_store(path, slice_make(block, sizeof(block)), &diag), &diag);
    CHECK_OK(file_open(path, FILE_READ, &d.file, &diag), &diag);
    door_open(&d);
    int fd = peer_connect(listener_port(d.listener));
    peer_text(fd, "head\nfile\nclose\n");
    CHECK(peer_to_end(fd, &got));
    CHECK_INT(got.len, 5 + sizeof(block) - 7 + 4);
    CHECK(got.len > 5 && memcmp(got.at + 5, block + 7, sizeof(block) - 7) == 0);
    close(fd);
    door_close(&d);
    file_close(d.file);
    buf_done(&got);
}

TEST(a_file_cut_short_while_it_is_sent_ends_the_connection_instead_of_spinning)
{
    struct door d = {0};
    struct buf got = buf_make(1 << 22);
    char path[200];
    struct diag diag;
    snprintf(path, sizeof(path), "%s/file", test_dir());
    CHECK_OK(file_open(path, FILE_WRITE, &d.file, &diag), &diag);
    CHECK_OK(file_truncate(d.file, 64 << 20, &diag), &diag); /* more than the socket takes */
    d.options.output_max = 100 << 20;
    door_open(&d);
    int fd = peer_connect(listener_port(d.listener));
    peer_text(fd, "file\n");
    expect(fd, "");
    char byte;
    CHECK_INT(peer_read(fd, &byte, 1), 1);
    CHECK_OK(file_truncate(d.file, 1000, &diag), &diag);
    got.limit = 100 << 20;
    CHECK(peer_to_end(fd, &got));
    CHECK(got.len < (64 << 20));
    close(fd);
    CHECK(side_wait(all_closed, &d));
    door_close(&d);
    file_close(d.file);
    buf_done(&got);
}

static bool all_given_back(void *arg)
{
    return atomic_load((atomic_int *)arg) == 3;
}

TEST(a_file_that_is_held_is_given_back_when_it_has_left_or_its_connection_has)
{
    struct door d = {0};
    struct buf got = buf_make(1 << 22);
    char path[200];
    struct diag diag;
    snprintf(path, sizeof(path), "%s/file", test_dir());
    CHECK_OK(file_open(path, FILE_WRITE, &d.file, &diag), &diag);
    CHECK_OK(file_truncate(d.file, 1 << 20, &diag), &diag);
    door_open(&d);
    int fd = peer_connect(listener_port(d.listener));
    peer_text(fd, "one\nheld\nheld\nclose\n");
    CHECK(peer_to_end(fd, &got));
    CHECK_INT(got.len, 4 + 2000 + 4);
    close(fd);
    fd = peer_connect(listener_port(d.listener));
    peer_text(fd, "held\nnow\n"); /* perhaps never sent */
    got.len = 0;
    CHECK(peer_to_end(fd, &got));
    CHECK(side_wait(all_given_back, &d.given_back));
    close(fd);
    door_close(&d);
    file_close(d.file);
    buf_done(&got);
}

TEST(silence_past_the_idle_timeout_is_told_to_the_door)
{
    struct door d = {.options = {.idle_timeout_ms = 50}};
    struct buf got = buf_make(1000);
    door_open(&d);
    int fd = peer_connect(listener_port(d.listener));
    CHECK(peer_to_end(fd, &got));
    CHECK_TEXT(buf_cstr(&got), "too late\n");
    CHECK_INT(d.expired, 1);
    close(fd);
    door_close(&d);
    buf_done(&got);
}

TEST(a_fake_clock_drives_the_idle_timeout)
{
    struct door d = {.options = {.idle_timeout_ms = 3600 * 1000}};
    struct buf got = buf_make(1000);
    clock_fake_set(1000000);
    door_open(&d);
    int fd = peer_connect(listener_port(d.listener));
    peer_text(fd, "hello\n");
    expect(fd, "hello\n");
    clock_fake_advance(3600 * 1000);
    CHECK(peer_to_end(fd, &got));
    CHECK_TEXT(buf_cstr(&got), "too late\n");
    clock_fake_set(-1);
    close(fd);
    door_close(&d);
    buf_done(&got);
}

TEST(a_peer_that_leaves_while_its_input_is_paused_is_noticed)
{
    struct door d = {0};
    door_open(&d);
    int fd = peer_connect(listener_port(d.listener));
    peer_text(fd, "hold\n");
    expect(fd, "");
    close(fd);
    CHECK(side_wait(all_closed, &d));
    CHECK_INT(d.left, 1);
    fd = peer_connect(listener_port(d.listener));
    peer_text(fd, "hold\nunread");
    while (d.lines < 2) continue;
    peer_reset(fd);
    CHECK(side_wait(all_closed, &d));
    CHECK_INT(d.opened, 2);
    door_close(&d);
}

TEST(connections_past_the_limit_are_refused_and_there_is_room_after_one_leaves)
{
    struct door d = {.options = {.conns_max = 2}};
    struct buf got = buf_make(1000);
    door_open(&d);
    uint16_t port = listener_port(d.listener);
    int a = peer_connect(port), b = peer_connect(port);
    peer_text(a, "a\n"), expect(a, "a\n");
    peer_text(b, "b\n"), expect(b, "b\n");
    int c = peer_connect(port);
    CHECK(peer_to_end(c, &got));
    close(c), close(a);
    while (d.closed < 1) continue;
    c = peer_connect(port);
    peer_text(c, "c\n"), expect(c, "c\n");
    close(c), close(b);
    CHECK(side_wait(all_closed, &d));
    CHECK_INT(d.opened, 3);
    door_close(&d);
    buf_done(&got);
}

TEST(closing_the_listener_ends_its_connections_and_gives_all_memory_back)
{
    enum { PEERS = 200 };
    int fds[PEERS];
    struct door warm = {0}, d = {0};
    door_open(&warm);
    door_close(&warm);
    size_t held = mem_held();
    door_open(&d);
    for (int i = 0; i < PEERS; i++) {
        fds[i] = peer_connect(listener_port(d.listener));
        peer_text(fds[i], i % 2 ? "half a line" : "block\nblock\n");
    }
    while (d.opened < PEERS || d.lines < PEERS) continue;
    side_stop(&d.side);
    CHECK(listener_conns(d.listener) == PEERS);
    listener_close(d.listener);
    CHECK_INT(d.closed, PEERS);
    CHECK_INT(d.given_back, PEERS);
    side_free(&d.side);
    CHECK_INT(mem_held(), held);
    for (int i = 0; i < PEERS; i++) close(fds[i]);
}

TEST(a_port_in_use_is_told_with_its_holder)
{
    struct door d = {0};
    struct listener *second;
    struct diag diag;
    char want[64], holder[128];
    door_open(&d);
    struct listener_options o = d.options;
    o.port = listener_port(d.listener);
    CHECK_ERR(listener_open(d.side.loop, &o, &second, &diag), ERR_IN_USE);
    snprintf(want, sizeof(want), "port %u is held by pid %d (unit_os)", o.port, (int)getpid());
    CHECK_TEXT(diag.why, want);
    CHECK(net_port_holder(o.port, holder, sizeof(holder)));
    door_close(&d);
    CHECK(!net_port_holder(o.port, holder, sizeof(holder)));
    o.address = "localhost";
    CHECK_ERR(listener_open(NULL, &o, &second, &diag), ERR_CONFIG);
    CHECK(strstr(diag.what, "localhost") && diag.hint[0]);
}

TEST(ipv6_and_both_families_at_once_are_served)
{
    struct door d = {.options = {.address = "::"}};
    door_open(&d);
    int fd = peer_connect(listener_port(d.listener)); /* by v4 */
    peer_text(fd, "four\n"), expect(fd, "four\n");
    close(fd);
    CHECK(side_wait(all_closed, &d));
    CHECK(slice_starts(slice_of(d.peer), "127.0.0.1:"));
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    to.sin6_port = htons(listener_port(d.listener));
    fd = socket(AF_INET6, SOCK_STREAM, 0);
    CHECK_INT(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    peer_text(fd, "six\n"), expect(fd, "six\n");
    close(fd);
    CHECK(side_wait(all_closed, &d));
    CHECK(slice_starts(slice_of(d.peer), "[::1]:"));
    door_close(&d);
}

TEST(a_unix_socket_serves_replaces_a_stale_one_and_refuses_a_second_owner)
{
    char path[100];
    struct listener *second;
    struct diag diag;
    snprintf(path, sizeof(path), "%s/sock", test_dir());
    struct sockaddr_un {
        unsigned short family;
        char path[108];
    } at = {.family = AF_UNIX};
    snprintf(at.path, sizeof(at.path), "%s", path);
    int stale = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_INT(bind(stale, (struct sockaddr *)&at, sizeof(at)), 0);
    close(stale); /* as a killed server leaves it */
    struct door d = {.options = {.address = path}};
    door_open(&d);
    int fd = peer_connect_unix(path);
    peer_text(fd, "hello\n"), expect(fd, "hello\n");
    CHECK_ERR(listener_open(d.side.loop, &d.options, &second, &diag), ERR_IN_USE);
    close(fd);
    CHECK(side_wait(all_closed, &d));
    char want[64];
    snprintf(want, sizeof(want), "unix:pid=%d", (int)getpid());
    CHECK_TEXT(d.peer, want);
    door_close(&d);
    CHECK(!file_exists(path));
}

TEST(the_limit_on_descriptors_is_raised_to_what_is_allowed)
{
    struct rlimit before, after;
    INVARIANT(getrlimit(RLIMIT_NOFILE, &before) == 0);
    struct rlimit low = {.rlim_cur = MIN((rlim_t)256, before.rlim_max),
                         .rlim_max = before.rlim_max};
    INVARIANT(setrlimit(RLIMIT_NOFILE, &low) == 0);
    CHECK_INT(net_descriptors_raise(), before.rlim_max);
    INVARIANT(getrlimit(RLIMIT_NOFILE, &after) == 0);
    CHECK_INT(after.rlim_cur, before.rlim_max);
    INVARIANT(setrlimit(RLIMIT_NOFILE, &before) == 0);
}

TEST(addresses_that_are_not_public_are_known)
{
    static const char *const not_public[] = {"0.0.0.0",
                                             "0.1.2.3",
                                             "10.0.0.1",
                                             "10.255.255.255",
                                             "100.64.0.1",
                                             "100.127.255.255",
                                             "127.0.0.1",
                                             "127.255.0.1",
                                             "169.254.169.254",
                                             "172.16.0.1",
                                             "172.31.255.255",
                                             "192.0.0.1",
                                             "192.0.2.1",
                                             "192.168.0.1",
                                             "198.18.0.1",
                                             "198.19.255.255",
                                             "198.51.100.1",
                                             "203.0.113.5",
                                             "224.0.0.1",
                                             "239.255.255.255",
                                             "240.0.0.1",
                                             "255.255.255.255",
                                             "::",
                                             "::1",
                                             "::7f00:1",
                                             "fc00::1",
                                             "fdff::1",
                                             "fe80::1",
                                             "fe80::1%eth0",
                                             "febf::1",
                                             "fec0::1",
                                             "ff02::1",
                                             "::ffff:127.0.0.1",
                                             "::ffff:10.1.2.3",
                                             "::ffff:a9fe:a9fe",
                                             "64:ff9b::10.0.0.1",
                                             "64:ff9b::169.254.169.254",
                                             "64:ff9b:1::1",
                                             "2002:7f00:1::",
                                             "2002:a00:1::1",
                                             "2002:c0a8:1::1",
                                             "2001:db8::1",
                                             "2001::1",
                                             "100::1",
                                             "[::1]",
                                             "::ffff:0:127.0.0.1",
                                             "localhost",
                                             "",
                                             "127.1",
                                             "0x7f.1",
                                             "2130706433",
                                             "1.2.3.4.5"};
    static const char *const is_public[] = {
        "1.1.1.1",         "8.8.8.8",          "9.255.255.255",   "11.0.0.0",
        "100.63.255.255",  "100.128.0.0",      "126.255.255.255", "128.0.0.0",
        "169.253.0.1",     "169.255.0.1",      "172.15.255.255",  "172.32.0.0",
        "191.255.255.255", "192.0.1.1",        "192.169.0.0",     "198.17.255.255",
        "198.20.0.0",      "223.255.255.255",  "2606:4700::1111", "2a00::1",
        "::ffff:8.8.8.8",  "64:ff9b::8.8.8.8", "2002:808:808::1", "[2606:4700::1111]",
        "fbff::1"};
    for (size_t i = 0; i < COUNT_OF(not_public); i++)
        if (!net_address_is_private(not_public[i]))
            test_failed(__FILE__, __LINE__, "%s counts as public", not_public[i]);
    for (size_t i = 0; i < COUNT_OF(is_public); i++)
        if (net_address_is_private(is_public[i]))
            test_failed(__FILE__, __LINE__, "%s counts as private", is_public[i]);
}

struct closing {
    struct loop_message message;
    struct listener *listener;
    atomic_bool over;
};
static void close_one(struct loop_message *m)
{
    struct closing *c = (struct closing *)m;
    listener_close(c->listener);
    atomic_store(&c->over, true);
}
static bool is_over(void *arg)
{
    return atomic_load(&((struct closing *)arg)->over);
}

TEST(two_loops_take_connections_of_one_port_in_turn)
{
    struct diag diag;
    struct door first = {.options = {.address = "127.0.0.1", .handler = &line_handler}};
    struct door second = {0};
    first.options.door = &first;
    side_open(&first.side);
    side_open(&second.side);
    CHECK_OK(listener_open(first.side.loop, &first.options, &first.listener, &diag), &diag);
    CHECK_OK(listener_join(first.listener, second.side.loop, &second, &second.listener, &diag),
             &diag);
    side_start(&first.side);
    side_start(&second.side);
    int fd[4];
    for (int i = 0; i < 4; i++) {
        fd[i] = peer_connect(listener_port(first.listener));
        peer_text(fd[i], "hello\n");
        expect(fd[i], "hello\n");
    }
    CHECK_INT(first.lines, 2);
    CHECK_INT(second.lines, 2);
    struct closing end[2] = {{.listener = first.listener}, {.listener = second.listener}};
    loop_send(first.side.loop, &end[0].message, close_one);
    CHECK(side_wait(is_over, &end[0]));
    loop_send(second.side.loop, &end[1].message, close_one);
    CHECK(side_wait(is_over, &end[1]));
    CHECK_INT(first.closed + second.closed, 4);
    for (int i = 0; i < 4; i++) close(fd[i]);
    side_stop(&first.side);
    side_stop(&second.side);
    side_free(&first.side);
    side_free(&second.side);
}

/* --- bytes that go straight to where they belong ---------------------------------------------- */

static uint8_t straight[1 << 20];
static atomic_size_t straight_have;
static atomic_int straight_elsewhere;

static uint8_t *straight_room(void *state, struct conn *c, size_t *size)
{
    (void)state, (void)c;
    size_t have = atomic_load(&straight_have);
    if (have == 0) return NULL; /* the first ones say how many there are */
    *size = sizeof(straight) - have;
    return straight + have;
}

static size_t straight_data(void *state, struct conn *c, struct slice in)
{
    (void)state;
    size_t have = atomic_load(&straight_have);
    if (in.at != straight + have) {
        atomic_fetch_add(&straight_elsewhere, 1);
        memcpy(straight + have, in.at, in.len);
    }
    atomic_store(&straight_have, have + in.len);
    if (have + in.len == sizeof(straight)) conn_write(c, SLICE("all here"));
    return in.len;
}

TEST(a_door_that_knows_the_size_gets_the_bytes_where_it_wants_them)
{
    static const struct conn_handler handler = {
        .open = line_open, .data = straight_data, .room = straight_room, .closed = line_closed};
    struct door d = {.options = {.handler = &handler, .address = "127.0.0.1"}};
    struct diag diag;
    side_open(&d.side);
    d.options.door = &d;
    CHECK_OK(listener_open(d.side.loop, &d.options, &d.listener, &diag), &diag);
    side_start(&d.side);
    int fd = peer_connect(listener_port(d.listener));
    memset(block, 'x', sizeof(block));
    block[12345] = 'y';
    peer_send(fd, slice_make(block, sizeof(block)));
    expect(fd, "all here");
    CHECK_INT(straight_elsewhere, 1);
    CHECK(memcmp(straight, block, sizeof(block)) == 0);
    close(fd);
    CHECK(side_wait(all_closed, &d));
    door_close(&d);
}
