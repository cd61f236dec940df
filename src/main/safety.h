/* safety: what all doors take from the settings tls.* and *.login: the server's certificate, and
 * whether their clients must log in. */
#pragma once
#include "main/project.h"
#include "os/tls.h"

/* By tls.*; without tls.cert and tls.key one is made once and kept in the data directory. */
MUST_CHECK err_t project_tls(struct project *p, struct tls **out, struct diag *d);
/* true, false or auto: not on loopback, and everywhere else. */
MUST_CHECK err_t project_login(const struct project *p, enum config_id setting, const char *key,
                               bool *login, struct diag *d);
