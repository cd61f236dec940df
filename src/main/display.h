/* display: the live picture of a running project on a terminal; and, where there is none, a line of
 * progress now and then in the log.
 *
 * Loop: the server's. Draws at most four times a second, only what fits, and puts the terminal
 * back.
 */
#pragma once
#include "main/server.h"

struct display;
MUST_CHECK err_t display_start(struct server *s, bool plain, struct display **out, struct diag *d);
void display_stop(struct display *v); /* one last picture; NULL is fine */
