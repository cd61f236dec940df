#include "connect/http/test_server.h"

#include "test.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

struct page {
    const char *path, *head, *body;
};

static const struct page pages[] = {
    {"/ok", "200 OK\r\nContent-Type: application/json",
     "{\"results\":[{\"id\":1},{\"id\":2},{\"id\":3}],\"info\":{}}"},
    {"/empty", "200 OK\r\nContent-Type: application/json",
     "{\"results\":[],\"info\":{\"seed\":\"x\"}}"},
    {"/none", "204 No Content", ""},
    {"/error", "200 OK\r\nContent-Type: application/json", "{\"error\":\"Uh oh\"}"},
    {"/broken", "200 OK\r\nContent-Type: application/json", "{\"results\":[{\"id\":1},{\"id\":"},
    {"/tail", "200 OK\r\nContent-Type: application/json", "{\"results\":[{\"id\":1}]} oops"},
    {"/html", "200 OK\r\nContent-Type: text/html", "<html>Sign in</html>"},
    {"/plain", "200 OK\r\nContent-Type: text/plain", "hello"},
    {"/utf8", "200 OK\r\nContent-Type: application/json", "{\"results\":[{\"id\":\"\xff\xfe\"}]}"},
    {"/mixed", "200 OK\r\nContent-Type: application/json",
     "{\"results\":[{\"id\":1},7,\"x\",null,[{}], {\"id\":2}]}"},
    {"/404", "404 Not Found\r\nContent-Type: text/plain", "Not Found"},
    {"/401", "401 Unauthorized", "{\"error\":\"no key\"}"},
    {"/403", "403 Forbidden", ""},
    {"/429", "429 Too Many Requests\r\nRetry-After: 120", "{\"error\":\"Whoa, ease up\"}"},
    {"/500", "500 Internal Server Error", "{\"error\":\"Uh oh\"}"},
    {"/503", "503 Service Unavailable", "<h1>down</h1>"},
    {"/loop", "302 Found\r\nLocation: /loop", ""},
    {"/moved", "301 Moved Permanently\r\nLocation: /ok", ""},
    {"/nowhere", "302 Found", ""},
    {"/odd", "299 Odd", "{\"results\":[]}"},
};

static bool send_all(int fd, const void *bytes, size_t size)
{
    for (const char *at = (const char *)bytes; size > 0;) {
        ssize_t n = send(fd, at, size, MSG_NOSIGNAL);
        if (n <= 0) return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}
static void send_head(int fd, const char *head, long long size)
{
    char text[512];
    int n = snprintf(text, sizeof(text), "HTTP/1.1 %s\r\nConnection: close\r\n", head);
    send_all(fd, text, (size_t)n);
    n = size >= 0 ? snprintf(text, sizeof(text), "Content-Length: %lld\r\n\r\n", size)
                  : snprintf(text, sizeof(text), "\r\n");
    send_all(fd, text, (size_t)n);
}
static void send_page(int fd, const struct page *p)
{
    send_head(fd, p->head, (long long)strlen(p->body));
    send_all(fd, p->body, strlen(p->body));
}

static void send_endless(struct test_server *s, int fd)
{
    char block[4096];
    memset(block, ' ', sizeof(block));
    send_head(fd, "200 OK\r\nContent-Type: application/json", -1);
    send_all(fd, "{\"results\":[", 12);
    while (!s->ending && send_all(fd, block, sizeof(block))) continue;
}
static void send_deep(int fd)
{
    enum { DEEP = 10000 };
    char *text = (char *)malloc(2 * DEEP);
    memset(text, '[', DEEP);
    memset(text + DEEP, ']', DEEP);
    send_head(fd, "200 OK\r\nContent-Type: application/json", 2 * DEEP);
    send_all(fd, text, 2 * DEEP);
    free(text);
}
static void send_slowly(struct test_server *s, int fd)
{
    send_head(fd, "200 OK\r\nContent-Type: application/json", 1000);
    for (int i = 0; i < 200 && !s->ending && send_all(fd, " ", 1); i++) usleep(20000);
}

/* 64 MiB of spaces, which arrive as 64 KiB. */
static void send_bomb(int fd)
{
    enum { ROOM = 1 << 20 };
    static unsigned char block[ROOM], packed[ROOM];
    z_stream z = {.next_out = packed, .avail_out = ROOM};
    memset(block, ' ', sizeof(block));
    CHECK(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    for (int i = 0; i < 64; i++) {
        z.next_in = block;
        z.avail_in = ROOM;
        CHECK(deflate(&z, i == 63 ? Z_FINISH : Z_NO_FLUSH) >= 0);
    }
    send_head(fd, "200 OK\r\nContent-Encoding: gzip", (long long)z.total_out);
    send_all(fd, packed, z.total_out);
    deflateEnd(&z);
}

static void answer(struct test_server *s, int fd, const char *path)
{
    int n = ++s->requests;
    if (strcmp(path, "/endless") == 0)
        send_endless(s, fd);
    else if (strcmp(path, "/deep") == 0)
        send_deep(fd);
    else if (strcmp(path, "/bomb") == 0)
        send_bomb(fd);
    else if (strcmp(path, "/slow") == 0)
        send_slowly(s, fd);
    else if (strcmp(path, "/huge") == 0)
        send_head(fd, "200 OK\r\nContent-Type: application/json", 5368709120LL);
    else if (strcmp(path, "/short") == 0) {
        send_head(fd, "200 OK\r\nContent-Type: application/json", 100);
        send_all(fd, "{\"results\":[{\"id\":1}]}", 22);
    } else if (strcmp(path, "/flaky") == 0)
        send_page(fd, n < 3 ? &pages[15] : &pages[0]);
    else if (strcmp(path, "/away") == 0) {
        char head[128];
        snprintf(head, sizeof(head), "302 Found\r\nLocation: http://127.0.0.2:%u/ok", s->port);
        send_head(fd, head, 0);
    } else
        for (size_t i = 0; i < COUNT_OF(pages); i++)
            if (strcmp(path, pages[i].path) == 0) send_page(fd, &pages[i]);
}

static void *serve(void *arg)
{
    struct test_server *s = (struct test_server *)arg;
    for (;;) {
        int fd = accept(s->listener, NULL, NULL);
        if (fd < 0) return NULL;
        size_t size = 0;
        ssize_t got;
        char request[sizeof(s->last)] = "", path[512] = "";
        while (!strstr(request, "\r\n\r\n") && size + 1 < sizeof(request) &&
               (got = recv(fd, request + size, sizeof(request) - size - 1, 0)) > 0) {
            size += (size_t)got;
            request[size] = 0;
        }
        if (size > 0) {
            memcpy(s->last, request, sizeof(request));
            if (sscanf(request, "GET %511[^? ]", path) == 1) answer(s, fd, path);
        }
        shutdown(fd, SHUT_WR);
        close(fd);
    }
}

struct test_server *test_server_start(void)
{
    struct test_server *s = (struct test_server *)calloc(1, sizeof(*s));
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_ANY)}};
    socklen_t size = sizeof(a);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(s->listener, (struct sockaddr *)(void *)&a, size) == 0);
    CHECK(listen(s->listener, 16) == 0);
    getsockname(s->listener, (struct sockaddr *)(void *)&a, &size);
    s->port = ntohs(a.sin_port);
    CHECK(pthread_create(&s->thread, NULL, serve, s) == 0);
    return s;
}
void test_server_stop(struct test_server *s)
{
    s->ending = true;
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
    free(s);
}
