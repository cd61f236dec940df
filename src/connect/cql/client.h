/* connect/cql/client: one connection to a Cassandra, ours or somebody else's; and requests on it.
 *
 * Speaks the native protocol 5, and 4 or 3 where the server knows no more; LZ4 when asked for and
 * known there; TLS; PLAIN login. Two faces: cql_client_ask waits for one answer; cql_client_send
 * and cql_client_take keep up to CQL_FLIGHT_MAX requests in flight, answers come in any order.
 *
 * Never retries by itself, and repeats no statement. After an error of the connection (ERR_PEER,
 * ERR_TIMEOUT, ERR_PROTOCOL) it is done for: what was in flight may have been run or not.
 * Loop: never on one; one thread at a time. Memory: answers lie in the caller's arena, buffers grow
 * to the largest message. Limit: NATIVE_BODY_MAX bytes a message.
 */
#pragma once
#include "os/dial.h"
#include "wire/cql/cql.h"

enum { CQL_FLIGHT_MAX = 1024 };

struct cql_client_options {
    const char *host;
    uint16_t port;        /* 0: 9042 */
    int64_t timeout_ms;   /* of every wait; 0: 30 s */
    int64_t connect_ms;   /* of connecting and the login; 0: timeout_ms */
    const char *user;     /* NULL: no login */
    const char *password; /* NULL: "" */
    const char *driver;   /* the name that the server shows; NULL: "sluice" */
    const char *keyspace; /* NULL: none */
    uint8_t newest;       /* the protocol's version to begin with; 0: 5 */
    bool exact;           /* no older one */
    bool compress;        /* LZ4, if the server knows it */
    bool tls;
    struct dial_tls tls_options;
};

struct cql_client;
/* ERR_LOGIN: it wants a login, or another one. ERR_VERSION: no version that both speak. */
MUST_CHECK err_t cql_client_open(const struct cql_client_options *o, struct cql_client **out,
                                 struct diag *d);
void cql_client_close(struct cql_client *k); /* NULL is fine */
/* Connects anew, after an error of the connection; nothing is in flight then. Fails as open does,
 * and may be tried again. */
MUST_CHECK err_t cql_client_reopen(struct cql_client *k, struct diag *d);
uint8_t cql_client_version(const struct cql_client *k);
bool cql_client_compressed(const struct cql_client *k);
/* "" when there is none; follows USE. */
const char *cql_client_keyspace(const struct cql_client *k);

struct cql_answer {
    int16_t stream;
    uint8_t opcode; /* NATIVE_OP_RESULT, NATIVE_OP_ERROR … */
    struct native_response response;
};
/* Nothing else may be in flight. An error of the server is an answer, not a failure: see below. */
MUST_CHECK err_t cql_client_ask(struct cql_client *k, uint8_t opcode,
                                const struct native_request *r, bool traced, struct arena *a,
                                struct cql_answer *out, struct diag *d);
/* What a server's error is as a story: its words; err by its code. ERR_OK when it is none. */
MUST_CHECK err_t cql_answer_error(const struct cql_answer *answer, struct diag *d);

/* Collects a request; it goes out by cql_client_flush, by taking, or when enough have come
 * together. ERR_BUSY: CQL_FLIGHT_MAX are in flight. *stream tells which one it is. */
MUST_CHECK err_t cql_client_send(struct cql_client *k, uint8_t opcode,
                                 const struct native_request *r, bool traced, int16_t *stream,
                                 struct diag *d);
MUST_CHECK err_t cql_client_flush(struct cql_client *k, struct diag *d);
uint32_t cql_client_in_flight(const struct cql_client *k);
/* The next answer of any. Events are skipped. */
MUST_CHECK err_t cql_client_take(struct cql_client *k, struct arena *a, struct cql_answer *out,
                                 struct diag *d);
/* For who waits on several: an answer may lie here already; the connection below. */
bool cql_client_has_bytes(const struct cql_client *k);
struct dial *cql_client_dial(struct cql_client *k);
