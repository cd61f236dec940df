/* os/loop, inside os only. */
#pragma once
#include "os/loop.h"

enum { LOOP_SCRATCH = 65536 };
/* Read into it, hand it on, done: valid until the callback that took it ends. */
uint8_t *loop_scratch(struct loop *l);
