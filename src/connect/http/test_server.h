/* A small server for http_test.c, on loopback, in its own thread: it answers by path, also what no
 * good server would. Made of plain system calls, so that our own client meets a stranger. */
#pragma once
#include "base/base.h"

#include <pthread.h>
#include <stdatomic.h>

struct test_server {
    int listener;
    uint16_t port;
    pthread_t thread;
    atomic_int requests;
    atomic_bool ending;
    char last[8192]; /* the last request as it came; read after the answer */
};
struct test_server *test_server_start(void);
void test_server_stop(struct test_server *s);
