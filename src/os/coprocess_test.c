#include "os/coprocess.h"

#include "os/clock.h"
#include "test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct heard {
    char text[4096];
    size_t len;
};

static err_t hear(void *ctx, struct slice line)
{
    struct heard *h = ctx;
    h->len +=
        (size_t)snprintf(h->text + h->len, sizeof(h->text) - h->len, "%.*s;", SLICE_ARG(line));
    return ERR_OK;
}

static struct coprocess *begin(const char *command, int64_t answer_ms)
{
    struct coprocess_options o = {
        .command = slice_of(command), .line_max = 1000, .answer_ms = answer_ms};
    struct coprocess *c = NULL;
    struct diag d = {0};
    CHECK_OK(coprocess_open(&o, &c, &d), &d);
    INVARIANT(c);
    return c;
}

static err_t say_to_it(struct coprocess *c, const char *lines, uint32_t count, struct heard *h)
{
    struct diag d = {0};
    *h = (struct heard){0};
    return coprocess_talk(c, slice_of(lines), count, hear, h, &d);
}

static void ends_with(const char *command, int64_t answer_ms, err_t want, const char *how)
{
    struct heard h;
    char text[3000] = "";
    struct buf b = buf_over(text, sizeof(text) - 1);
    struct coprocess *c = begin(command, answer_ms);
    CHECK_ERR(say_to_it(c, "x\n", 1, &h), want);
    coprocess_end(c, &b);
    text[b.len] = 0;
    CHECK(strstr(text, how) != NULL);
    if (!strstr(text, how)) fprintf(stderr, "%s: %s\n", command, text);
    coprocess_close(c);
}

TEST(a_command_takes_lines_and_gives_lines)
{
    struct heard h;
    struct coprocess *c = begin("cat", 10000);
    CHECK_OK(say_to_it(c, "a\nb\nc\n", 3, &h), NULL);
    CHECK_TEXT(h.text, "a;b;c;");
    CHECK_OK(say_to_it(c, "d\n", 1, &h), NULL);
    CHECK_TEXT(h.text, "d;");
    coprocess_close(c);
    c = begin("while read x; do echo \"<$x>\"; done", 10000); /* the shell's */
    CHECK_OK(say_to_it(c, "a\nb\n", 2, &h), NULL);
    CHECK_TEXT(h.text, "<a>;<b>;");
    coprocess_close(c);
}

TEST(a_command_that_fails_is_told_how)
{
    ends_with("read x; echo too bad >&2; exit 3", 10000, ERR_PEER,
              "exit status 3; its last words: too bad");
    ends_with("kill -11 $$", 10000, ERR_PEER, "signal 11");
    ends_with("sleep 100", 200, ERR_TIMEOUT, "it was ended");
    ends_with("while :; do echo y >&2; done", 200, ERR_TIMEOUT, "it was ended");
    ends_with("yes", 10000, ERR_RANGE, "it was ended");
    ends_with("read x; tr '\\n' ' ' < /dev/zero", 10000, ERR_TOO_BIG, "it was ended");
    ends_with("exec < /dev/null > /dev/null; exit 0", 10000, ERR_PEER, "exit status 0");
    struct coprocess *none = NULL;
    struct diag d = {0};
    struct coprocess_options o = {.command = SLICE("/no/such/program"), .line_max = 10};
    CHECK(coprocess_open(&o, &none, &d) != ERR_OK);
    CHECK(none == NULL);
}

static bool at_once(void *ctx)
{
    (void)ctx;
    return true;
}

TEST(a_command_has_its_own_group_and_a_clean_environment)
{
    struct heard h;
    CHECK_INT(setenv("SLUICE_SECRET", "s3cret", 1), 0);
    struct coprocess *c = begin(
        "read x; env | cut -d= -f1 | grep -v -e PWD -e SHLVL -e '^_$' | sort | tr '\\n' ' '; ls "
        "/proc/self/fd | wc -l; sleep 300 & echo $!; read x",
        10000);
    CHECK_OK(say_to_it(c, "x\ny\n", 2, &h), NULL);
    CHECK(strstr(h.text, "SECRET") == NULL);
    CHECK(strstr(h.text, "PATH") != NULL);
    int started = atoi(strchr(h.text, ';') + 1);
    CHECK(started > 1);
    CHECK_INT(getpgid(started) == getpgid(0), 0);
    coprocess_close(c); /* the group, and what it started */
    int64_t until = clock_mono_ns() + 5000000000;
    char state[256] = "";
    for (;;) { /* gone, or a zombie of whoever takes orphans */
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/stat", started);
        FILE *f = fopen(path, "r");
        if (!f) break;
        bool read = fgets(state, sizeof(state), f) != NULL;
        fclose(f);
        if (!read || strstr(state, ") Z ") || clock_mono_ns() > until) break;
    }
    CHECK(kill(started, 0) != 0 || strstr(state, ") Z "));
    struct diag d = {0};
    struct coprocess_options o = {
        .command = SLICE("sleep 100"), .line_max = 100, .answer_ms = 60000, .stopping = at_once};
    CHECK_OK(coprocess_open(&o, &c, &d), &d);
    CHECK_ERR(coprocess_talk(c, SLICE("x\n"), 1, hear, &h, &d), ERR_STOPPED);
    coprocess_close(c);
    unsetenv("SLUICE_SECRET");
}
