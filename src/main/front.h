/* front: the part of a server that people's browsers see: the console's door, with Airflow's API
 * mounted in it. Made from the settings console.*.
 */
#pragma once
#include "door/console/console.h"
#include "main/project.h"

struct server;
struct front {
    struct server *server;
    struct console *console; /* NULL: switched off */
    char line[128];          /* for people: "http://127.0.0.1:8080" */
};
/* After the doors that it shows, and after the API that is mounted in it. */
MUST_CHECK err_t front_open(struct server *s, struct diag *d);
void front_close(struct front *f); /* before what is mounted in it */
uint16_t front_port(const struct front *f, uint32_t listener);
