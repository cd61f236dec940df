/* api: the RandomUser-compatible API alone. */
#include "main/cli.h"

#include "base/say.h"
#include "door/randomuser/randomuser.h"
#include "os/clock.h"

#include <signal.h>
#include <stdio.h>

enum { API_POSTS_MAX = 16 };

static void on_signal(void *arg, int signal)
{
    (void)signal;
    loop_stop(arg);
}

int verb_api(const struct verb *v, const struct args *a)
{
    struct randomuser_options o = {.address = args_value(a, "--address"),
                                   .port = 8000,
                                   .rate_limit = args_has(a, "--rate-limit"),
                                   .fault = args_value(a, "--fault")};
    struct randomuser_door *door = NULL;
    struct loop *loop = NULL;
    struct diag d;
    const char *port_text = args_value(a, "--port");
    uint64_t port = 8000;
    if (a->word_count) return cli_usage(v, "it takes options only");
    if (port_text && (!slice_to_u64(slice_of(port_text), &port) || port > 65535))
        return cli_usage(v, "--port takes a number from 0 to 65535");
    if (!o.address) o.address = "127.0.0.1";
    o.port = (uint16_t)port;
    say_clock(clock_wall_ms);
    err_t e = loop_new("api", API_POSTS_MAX, &loop, &d);
    if (!e) e = randomuser_open(loop, &o, &door, &d);
    if (e == ERR_IN_USE)
        (void)diag_hint(&d, "end that program, or use another port: --port 0 takes a free one");
    if (!e) e = loop_signal(loop, SIGTERM, on_signal, loop);
    if (!e) e = loop_signal(loop, SIGINT, on_signal, loop);
    if (!e) {
        printf("people at http://%s:%u/api/?results=3\n", o.address, randomuser_port(door));
        fflush(stdout);
        loop_run(loop);
    }
    randomuser_close(door);
    if (loop) loop_free(loop);
    return e ? cli_fail(&d) : 0;
}
