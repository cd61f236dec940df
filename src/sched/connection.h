/* connection: where something outside is and how to log in there, in Airflow's form: kept in the
 * database with its password and extra sealed, written as an address (URI) or as JSON, and
 * overridden by the environment's AIRFLOW_CONN_ID.
 *
 * Loop: the connection's to the database. Memory: texts live in the caller's arena. Limit:
 * CONNECTION_* below. Never logs a password.
 */
#pragma once
#include "sched/meta.h"

enum { CONNECTION_ID_MAX = 250, CONNECTION_TYPE_MAX = 500, CONNECTION_TEXT_MAX = 1 << 20 };
struct connection { /* a text that is {0} is not there (NULL, None); "" is */
    struct slice id, conn_type, description, host, schema, login, password, extra /* JSON */;
    int64_t port;    /* -1: none */
    int64_t version; /* of the row that was read */
};

/* Reading one whose secrets do not open is a failure (secret_open's). ERR_NOT_FOUND in Airflow's
 * words. */
MUST_CHECK err_t connection_find(struct meta *m, struct slice id, struct arena *a,
                                 struct connection *out, struct diag *d);
/* What a task sees: AIRFLOW_CONN_ID of the environment (an address or JSON) comes first, then
 * connections.yaml (meta_files_set), then the database. */
MUST_CHECK err_t connection_resolve(struct meta *m, struct slice id, struct arena *a,
                                    struct connection *out, struct diag *d);
/* A row of LIST_CONNECTIONS (list.h). */
MUST_CHECK err_t connection_read(struct meta *m, const struct meta_row *row, struct arena *a,
                                 struct connection *out, struct diag *d);
MUST_CHECK err_t connection_create(struct meta *m, const struct connection *c, struct diag *d);
/* Made, or replaced whole. */
MUST_CHECK err_t connection_put(struct meta *m, const struct connection *c, struct diag *d);
/* Replaces the one that was read as c->version; ERR_BUSY when another was faster: read it again. */
MUST_CHECK err_t connection_change(struct meta *m, const struct connection *c, struct diag *d);
MUST_CHECK err_t connection_delete(struct meta *m, struct slice id, struct diag *d);
/* Names and lengths, and that extra is JSON's map; the three above ask it. */
MUST_CHECK err_t connection_check(const struct connection *c, struct diag *d);

/* "postgresql://user:pass@host:5432/schema?key=value", read and written as Airflow's Connection
 * does, its oddities included: "http://https://host" has the host "https://host", values of extra
 * that are not all texts go into __extra__, "-" of a type is "_". */
MUST_CHECK err_t connection_of_uri(struct slice uri, struct arena *a, struct connection *out,
                                   struct diag *d);
void connection_put_uri(struct buf *out, const struct connection *c);
/* {"conn_type": …, "host": …, "extra": {…}}; an id is not part of it. */
MUST_CHECK err_t connection_of_json(const struct doc *v, struct arena *a, struct connection *out,
                                    struct diag *d);
void connection_put_json(struct buf *out, const struct connection *c, struct arena *a);
/* Either: a text that begins with '{' is JSON. */
MUST_CHECK err_t connection_of_text(struct slice text, struct arena *a, struct connection *out,
                                    struct diag *d);

/* What a port's mail (work_port) needs to send a letter through the connection: its host, port,
 * login and extra (from_email, ssl …) with whom it is to. */
struct connection_mail {
    const struct doc *to; /* a text, or a list of them */
    struct slice subject, text;
};
MUST_CHECK err_t connection_letter(struct meta *m, struct slice id,
                                   const struct connection_mail *mail, struct arena *a,
                                   struct doc *out, struct diag *d);
