/* doors: every door of a server as people are shown them: where it listens, whether it asks for a
 * login, what came in.
 *
 * Loop: any thread, while the doors are open. Memory: the caller's.
 */
#pragma once
#include "door/console/console.h"

struct server;
uint32_t doors_list(const struct server *s, struct console_door *out, uint32_t max);
