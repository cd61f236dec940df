/* A target whose door is real: bytes go to its socket, and what it answers is read until it closes.
 */
#pragma once
#include "base/bytes.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* wait_ms without a first byte: the door hangs, which is a finding. quiet_ms without a next one: an
 * answer without an end, which is enough. */
static inline void fuzz_talk(const char *address, struct slice bytes, int wait_ms, int quiet_ms)
{
    static uint8_t sink[65536];
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    bool begun = false;
    snprintf(to.sun_path, sizeof(to.sun_path), "%s", address);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) abort();
    for (uint32_t sent = 0; sent < bytes.len;) {
        ssize_t n = send(fd, bytes.at + sent, bytes.len - sent, MSG_NOSIGNAL);
        if (n <= 0) break;
        sent += (uint32_t)n;
    }
    shutdown(fd, SHUT_WR);
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int ready = poll(&p, 1, begun && quiet_ms ? quiet_ms : wait_ms);
        if (ready < 0 && errno == EINTR) continue; /* libFuzzer's own alarm */
        if (ready != 1 && begun && quiet_ms) break;
        if (ready != 1) abort(); /* neither answered nor closed */
        if (recv(fd, sink, sizeof(sink), 0) <= 0) break;
        begun = true;
    }
    close(fd);
}
