/* client_int: what the client's own files share. */
#pragma once
#include "connect/cql/client.h"

struct cql_client {
    struct cql_client_options options; /* its texts are copies, in `texts` */
    struct arena *texts;
    struct dial *dial;
    uint8_t version;
    enum native_compression compression;
    bool segmented;      /* version 5, behind STARTUP */
    struct buf out;      /* what goes out next: before version 5, and until STARTUP is answered */
    struct buf gathered; /* version 5: messages that become a segment */
    struct buf scratch;
    struct buf in; /* as it came; from in_at on not yet looked at */
    size_t in_at;
    struct buf plain; /* version 5: what segments held */
    size_t plain_at;
    uint32_t in_flight;
    int16_t next_stream;
    bool used[CQL_FLIGHT_MAX];
    char keyspace[256];
};

/* frames.c: messages out, messages in. */
MUST_CHECK err_t cql_frames_put(struct cql_client *k, uint8_t opcode,
                                const struct native_request *r, bool traced, int16_t stream,
                                struct diag *d);
MUST_CHECK err_t cql_frames_flush(struct cql_client *k, struct diag *d);
/* Waits for one; `body` lies in the arena, unpacked. */
MUST_CHECK err_t cql_frames_take(struct cql_client *k, struct arena *a, struct native_head *head,
                                 struct slice *body, struct diag *d);
void cql_frames_reset(struct cql_client *k);
