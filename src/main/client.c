#include "main/client.h"

#include "connect/http/late.h"
#include "door/control/control.h"
#include "os/file.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FAILURE_MAX = 64 << 10 };

/* A socket's path has 107 bytes at most: a longer one goes by way of its directory's descriptor. */
static err_t socket_path(const struct project *p, char out[108], int *dir_fd, struct diag *d)
{
    *dir_fd = -1;
    if (snprintf(out, 108, "%s/control.sock", p->data) < 108) return ERR_OK;
    *dir_fd = open(p->data, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*dir_fd < 0) return diag_fail(d, ERR_NOT_FOUND, "there is no data in %s", p->data);
    snprintf(out, 108, "/proc/self/fd/%d/control.sock", *dir_fd);
    return ERR_OK;
}

bool client_server_runs(const struct project *p)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int dir_fd, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool runs = fd >= 0 && socket_path(p, address.sun_path, &dir_fd, NULL) == ERR_OK &&
                connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    if (fd >= 0) close(fd);
    if (fd >= 0 && dir_fd >= 0) close(dir_fd);
    return runs;
}

int client_wake(const struct project *p)
{
    static const char request[] = "POST /wake HTTP/1.1\r\nHost: sluice\r\nContent-Length: 0\r\n"
                                  "Connection: close\r\n\r\n";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int dir_fd = -1, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool sent = fd >= 0 && socket_path(p, address.sun_path, &dir_fd, NULL) == ERR_OK &&
                connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
                send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) == sizeof(request) - 1;
    if (dir_fd >= 0) close(dir_fd);
    if (sent) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

void client_woken(int fd)
{
    enum { ANSWER_MS = 5000 }; /* it looks by itself too */
    char answer[512];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (fd < 0) return;
    if (poll(&p, 1, ANSWER_MS) == 1) (void)!read(fd, answer, sizeof(answer));
    close(fd);
}

void client_put_param(struct buf *path, const char *name, struct slice value)
{
    char *escaped = curl_easy_escape(NULL, (const char *)value.at, (int)value.len);
    bool first = !path->len || !memchr(path->at, '?', path->len);
    buf_printf(path, "%c%s=%s", first ? '?' : '&', name, escaped ? escaped : "");
    curl_free(escaped);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct client_call *c = arg;
    size_t len = size * count;
    bool refused = c->status >= 400 && c->status != 503; /* all of it is the story */
    const char *mark = refused || c->failed ? NULL : memchr(bytes, CONTROL_FAILURE_MARK, len);
    size_t fine = mark ? (size_t)(mark - bytes) : len;
    if (refused || c->failed) fine = 0;
    if (fine && c->text(c->ctx, slice_make(bytes, fine))) return 0;
    c->failed |= refused || mark;
    if (c->failed) buf_put(&c->failure, bytes + fine + (mark != NULL), len - fine - (mark != NULL));
    return len;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *arg)
{
    struct client_call *c = arg;
    int status;
    if (sscanf(bytes, "HTTP/1.1 %d", &status) == 1) c->status = status;
    return size * count;
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)arg, (void)a, (void)b, (void)c, (void)d;
    return interrupted != 0;
}

/* Asked about once a second, and whenever a signal wakes it. */
static void end_by_signal(CURL *curl, struct sigaction *before)
{
    struct sigaction now = {.sa_handler = on_interrupt};
    interrupted = 0;
    sigaction(SIGINT, &now, before);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
}

err_t client_run(const struct project *p, struct client_call *c, struct diag *d)
{
    char path[108], url[2048];
    int dir_fd = -1;
    err_t e = socket_path(p, path, &dir_fd, d);
    if (e) return e;
    c->failure = buf_make(FAILURE_MAX);
    snprintf(url, sizeof(url), "http://sluice%s", c->path);
    CURL *curl = curl_easy_init();
    if (!curl && curl_trouble()) return curl_missing(d);
    if (!curl) return diag_fail(d, ERR_NO_MEMORY, "no memory for the call");
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, c->method);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, c);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, c);
    if (strcmp(c->method, "POST") == 0) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, c->body.at ? (const char *)c->body.at : "");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)c->body.len);
    }
    struct sigaction before;
    if (c->until_signal) end_by_signal(curl, &before);
    CURLcode code = curl_easy_perform(curl);
    if (c->until_signal) sigaction(SIGINT, &before, NULL);
    curl_easy_cleanup(curl);
    if (dir_fd >= 0) close(dir_fd);
    bool ended = c->until_signal && code == CURLE_ABORTED_BY_CALLBACK;
    if (code == CURLE_OK || code == CURLE_WRITE_ERROR || ended) return ERR_OK;
    if (code == CURLE_PARTIAL_FILE || code == CURLE_GOT_NOTHING)
        return diag_fail(d, ERR_STOPPED, "the server has ended before its answer did");
    bool absent = code == CURLE_COULDNT_CONNECT;
    (void)diag_fail(
        d, absent ? ERR_NOT_FOUND : ERR_PEER,
        absent ? "no sluice runs on %s" : "the sluice on %s does not answer as it should", p->data);
    if (absent) return diag_hint(d, "start it: sluice up %s", p->dir);
    return diag_why(d, "%s", curl_easy_strerror(code));
}

static err_t to_stdout(void *ctx, struct slice text)
{
    (void)ctx;
    return fwrite(text.at, 1, text.len, stdout) == text.len && fflush(stdout) == 0 ? ERR_OK
                                                                                   : ERR_IO;
}

static int print_call(const struct project *p, struct client_call *c)
{
    struct diag d;
    if (client_run(p, c, &d)) {
        char story[1600];
        diag_format(&d, story, sizeof(story));
        fprintf(stderr, "%s\n", story);
        buf_done(&c->failure);
        return 1;
    }
    if (c->failure.len) fprintf(stderr, "%s\n", buf_cstr(&c->failure));
    int code = c->failure.len || c->status >= 400;
    buf_done(&c->failure);
    return code;
}

int client_print(const struct project *p, const char *method, const char *path, struct slice body)
{
    struct client_call c = {.method = method, .path = path, .body = body, .text = to_stdout};
    return print_call(p, &c);
}

int client_watch(const struct project *p, const char *path, struct slice body)
{
    struct client_call c = {
        .method = "POST", .path = path, .body = body, .text = to_stdout, .until_signal = true};
    return print_call(p, &c);
}
