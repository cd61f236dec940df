/* safety: what all doors to clients take from the settings: where they listen and for how many, the
 * server's certificate (tls.*), and whether their clients must log in (*.login). */
#pragma once
#include "door/place.h"
#include "main/project.h"
#include "os/tls.h"

/* By tls.*; without tls.cert and tls.key one is made once and kept in the data directory. */
MUST_CHECK err_t project_tls(struct project *p, struct tls **out, struct diag *d);
/* true, false or auto: not on loopback, and everywhere else. */
MUST_CHECK err_t project_login(const struct project *p, enum config_id setting, const char *key,
                               bool *login, struct diag *d);

/* A door with two ports, and its settings' names. */
struct door_settings {
    enum config_id port, tls_port, loops, conns_max, conns_per_address;
    const char *port_key, *tls_port_key;
};
bool project_has_door(const struct project *p, const struct door_settings *s);
/* *tls: made when there is a TLS port; caller owns. */
MUST_CHECK err_t project_place(struct project *p, const struct door_settings *s,
                               struct door_place *out, struct tls **tls, struct diag *d);
/* What opening the door has answered; names the setting of the port that is taken. */
MUST_CHECK err_t project_port_taken(err_t e, const struct project *p, const struct door_settings *s,
                                    struct diag *d);
/* "127.0.0.1:9042  TLS 127.0.0.1:9142"; a port of 0 is none. */
void project_door_line(const struct project *p, uint16_t port, uint16_t tls_port, char line[128]);
