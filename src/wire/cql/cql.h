/* wire/cql: Cassandra's native protocol, versions 3 to 5, for servers and clients.
 *
 * Names, codes and what errors carry are rows of native.def; docs/cql-wire.md is made from them.
 * Bytes become heads (9 bytes), heads with bodies become requests or responses, and back. In
 * version 5 everything behind STARTUP travels in segments with checksums; before that a body may
 * be compressed as a whole.
 *
 * Never opens a socket, reads a clock, or knows what a statement means. Loop: any thread, nothing
 * is kept. Memory: what is decoded borrows its strings and bytes from the input, and takes its
 * arrays from the caller's arena. Limit: the arena's; each count and length is checked against the
 * bytes that are left before anything is taken; types nest TYPE_DEPTH_MAX deep.
 * Errors: ERR_PROTOCOL with the words of Cassandra where it has some.
 */
#pragma once
#include "base/bytes.h"
#include "data/type.h"

enum {
    NATIVE_OLDEST = 3,
    NATIVE_NEWEST = 5,
    NATIVE_SEGMENTED = 5, /* from this version on: segments */
    NATIVE_HEAD_SIZE = 9,
    NATIVE_BODY_MAX = 256 << 20, /* of the specification; a server allows less */
    NATIVE_STRING_MAX = UINT16_MAX,
    NATIVE_STREAM_EVENT = -1
};

/* --- the tables ------------------------------------------------------------------------------- */
enum native_opcode { /* NATIVE_OP_QUERY … */
#define OPCODE(code, name, sender, about) NATIVE_OP_##name = code,
#include "wire/cql/native.def"
};
enum native_consistency { /* NATIVE_AT_QUORUM … */
#define CONSISTENCY(code, name) NATIVE_AT_##name = code,
#include "wire/cql/native.def"
};
enum native_code { /* NATIVE_ERROR_OVERLOADED … */
#define ERROR(code, name, first, instead, about) NATIVE_ERROR_##name = code,
#include "wire/cql/native.def"
};
enum native_kind { /* NATIVE_RESULT_ROWS … */
#define RESULT(code, name, about) NATIVE_RESULT_##name = code,
#include "wire/cql/native.def"
};
enum native_flag { /* NATIVE_HEAD_TRACING, NATIVE_QUERY_VALUES … */
#define FLAG(group, mask, name, first, about) NATIVE_##group##_##name = mask,
#include "wire/cql/native.def"
};
enum native_event_kind { /* NATIVE_EVENT_SCHEMA_CHANGE … */
#define EVENT(name, about) NATIVE_EVENT_##name,
#include "wire/cql/native.def"
                         NATIVE_EVENT_KINDS
};
const char *native_opcode_name(uint8_t opcode); /* "QUERY"; NULL: there is none */
bool native_opcode_is_request(uint8_t opcode);
const char *native_consistency_name(uint16_t code);            /* "LOCAL_QUORUM"; NULL */
bool native_consistency_of(struct slice name, uint16_t *code); /* any case */
const char *native_code_name(int32_t code);                    /* "OVERLOADED"; NULL */
const char *native_event_name(enum native_event_kind kind);
bool native_event_of(struct slice name, enum native_event_kind *kind); /* any case */
void native_wire_help(struct buf *out); /* the lists of docs/cql-wire.md */

/* --- heads and bodies ------------------------------------------------------------------------- */
struct native_head {
    uint8_t version; /* without the direction's bit */
    bool response;
    uint8_t flags, opcode;
    int16_t stream;
    int32_t length; /* of the body; as it was sent: check it */
};
void native_head_read(const uint8_t at[NATIVE_HEAD_SIZE], struct native_head *out);
void native_head_write(uint8_t at[NATIVE_HEAD_SIZE], const struct native_head *h);
/* A message in place: the head now, its length at the end. `begun` is what native_begin answered.
 */
size_t native_begin(struct buf *out, const struct native_head *h);
MUST_CHECK err_t native_end(struct buf *out, size_t begun);

enum native_compression { NATIVE_PLAIN, NATIVE_LZ4, NATIVE_SNAPPY };
bool native_compression_of(struct slice name, enum native_compression *out); /* any case */
/* Bodies of versions 3 and 4. Past `limit` bytes: ERR_TOO_BIG, nothing taken. */
MUST_CHECK err_t native_unpack(enum native_compression c, struct slice body, uint32_t limit,
                               struct arena *a, struct slice *out, struct diag *d);
MUST_CHECK err_t native_pack(enum native_compression c, struct slice body, struct buf *out);

/* --- segments: version 5 ---------------------------------------------------------------------- *
 * A segment holds whole messages (self-contained), or a part of one that is longer than it. Without
 * compression its head is 6 bytes, with LZ4 8; a checksum of 4 bytes ends it. */
enum {
    NATIVE_SEGMENT_MAX = (128 << 10) - 1, /* bytes of a payload */
    NATIVE_SEGMENT_HEAD = 6,
    NATIVE_SEGMENT_HEAD_LZ4 = 8,
    NATIVE_SEGMENT_TAIL = 4
};
static inline uint32_t native_segment_head_size(enum native_compression c)
{
    return c == NATIVE_PLAIN ? NATIVE_SEGMENT_HEAD : NATIVE_SEGMENT_HEAD_LZ4;
}
struct native_segment {
    uint32_t size;  /* of the payload as it is sent; head and tail not counted */
    uint32_t whole; /* of the payload unpacked; == size: it is not packed */
    bool packed, self_contained;
};
/* `at` holds native_segment_head_size(c) bytes. ERR_CORRUPT: the checksum differs, nothing that
 * follows can be trusted: the connection is to be closed. */
MUST_CHECK err_t native_segment_read(const uint8_t *at, enum native_compression c,
                                     struct native_segment *out, struct diag *d);
/* `at` holds size + NATIVE_SEGMENT_TAIL bytes. *payload: within `at`, or `unpacked`, which holds
 * `whole` bytes (NULL is fine when the segment is not packed). */
MUST_CHECK err_t native_segment_check(const struct native_segment *s, const uint8_t *at,
                                      uint8_t *unpacked, struct slice *payload, struct diag *d);
/* Without compression, in place: room for the head now; native_segment_end sets it and appends the
 * checksum. What stands between is NATIVE_SEGMENT_MAX bytes at most. */
size_t native_segment_begin(struct buf *out);
MUST_CHECK err_t native_segment_end(struct buf *out, size_t begun, bool self_contained);
/* Any bytes as segments: one when they fit (whole messages: self-contained), else as many parts as
 * they need, for one message. Packed where LZ4 makes them shorter. */
MUST_CHECK err_t native_segments_put(struct buf *out, struct slice messages,
                                     enum native_compression c);
/* The head and the tail alone, for a payload that is written elsewhere. `crc` goes on over parts:
 * NATIVE_CRC_BEGIN, then native_crc for each. */
uint32_t native_crc_begin(void);
uint32_t native_crc(uint32_t crc, struct slice part);
void native_segment_head_put(uint8_t at[NATIVE_SEGMENT_HEAD], uint32_t size, bool self_contained);
void native_segment_tail_put(uint8_t at[NATIVE_SEGMENT_TAIL], uint32_t crc);

/* --- requests --------------------------------------------------------------------------------- */
enum native_state { NATIVE_NULL, NATIVE_SET, NATIVE_UNSET }; /* as enum cql_state */
struct native_value {
    struct slice bytes; /* SET: may be empty */
    uint8_t state;
};
struct native_pair { /* a string with a string, or with bytes (at NULL: null) */
    struct slice key, value;
};
struct native_params {            /* of QUERY, EXECUTE, BATCH */
    uint16_t consistency, serial; /* serial ANY: none given */
    const struct native_value *values;
    const struct slice *names; /* NULL: by place */
    uint32_t value_count;
    bool skip_metadata;
    int32_t page_size;         /* -1: none given */
    struct slice paging_state; /* at NULL: none */
    int64_t timestamp;         /* INT64_MIN: none */
    int64_t now_s;             /* v5; INT64_MIN: none */
    struct slice keyspace;     /* v5; at NULL: none */
};
#define NATIVE_PARAMS_NONE                                                                         \
    {                                                                                              \
        .page_size = -1, .timestamp = INT64_MIN, .now_s = INT64_MIN                                \
    }
struct native_batch_item {
    struct slice text; /* or, at NULL: */
    struct slice id;
    const struct native_value *values;
    uint32_t value_count;
};
struct native_request {
    const struct native_pair *payload; /* custom; ignored by servers */
    uint32_t payload_count;
    struct slice text;      /* QUERY, PREPARE */
    struct slice id;        /* EXECUTE */
    struct slice result_id; /* EXECUTE v5 */
    struct native_params params;
    uint8_t batch_kind; /* BATCH: 0 logged, 1 unlogged, 2 counter */
    const struct native_batch_item *items;
    uint32_t item_count;
    const struct native_pair *options; /* STARTUP; keys as they came */
    uint32_t option_count;
    const struct slice *events; /* REGISTER */
    uint32_t event_count;
    struct slice token; /* AUTH_RESPONSE; at NULL: null */
};
/* The body (unpacked) of a head whose opcode is a request's. Bytes behind the message are ignored.
 */
MUST_CHECK err_t native_request_read(const struct native_head *h, struct slice body,
                                     struct arena *a, struct native_request *out, struct diag *d);
/* Appends head and body. flags: TRACING, BETA; PAYLOAD is set when there is some. */
MUST_CHECK err_t native_request_put(struct buf *out, const struct native_head *h,
                                    const struct native_request *r, struct diag *d);
struct slice native_option(const struct native_request *r, const char *name); /* STARTUP; at NULL */

/* --- responses -------------------------------------------------------------------------------- */
struct native_failure {        /* of one replica */
    uint8_t address[16], size; /* 4 or 16 bytes */
    uint16_t reason;
};
struct native_error {
    int32_t code;
    struct slice words;
    /* what the code carries besides: EXTRA rows */
    uint16_t consistency, contentions;
    int32_t received, block_for;
    bool data_present;
    struct slice write_type; /* "SIMPLE" */
    struct slice keyspace, name, id;
    struct {
        const struct slice *at;
        uint32_t count;
    } arguments;
    struct {
        const struct native_failure *at; /* NULL before v5 */
        uint32_t count;
    } failures;
};
struct native_column {
    struct slice keyspace, table, name;
    const struct type *type; /* a BLOB with a name is a custom type of that class */
};
struct native_metadata {
    const struct native_column *columns; /* NULL: there is none (skipped) */
    uint32_t count;
    struct slice paging_state; /* at NULL: the last page */
    struct slice new_id;       /* v5: the metadata has changed; at NULL: it has not */
};
struct native_prepared {
    struct slice id, result_id; /* result_id: v5 */
    const struct native_column *markers;
    uint32_t marker_count;
    const uint16_t *key_markers; /* v4 and later */
    uint32_t key_count;
    struct native_metadata result;
};
struct native_change {                           /* of the schema: a result and an event */
    struct slice change, target, keyspace, name; /* name: not of a KEYSPACE */
    const struct slice *arguments;               /* of a FUNCTION or AGGREGATE */
    uint32_t argument_count;
};
struct native_event {
    enum native_event_kind kind;
    struct native_change schema;
    struct slice change; /* "UP", "NEW_NODE" … */
    uint8_t address[16], address_size;
    int32_t port;
};
struct native_option_values {
    struct slice key;
    const struct slice *values;
    uint32_t count;
};
struct native_response {
    bool traced;
    uint8_t trace_id[16];
    const struct slice *warnings;
    uint32_t warning_count;
    const struct native_pair *payload;
    uint32_t payload_count;
    struct native_error error; /* ERROR */
    struct slice text;         /* AUTHENTICATE: the class; SET_KEYSPACE: the keyspace */
    struct slice token;        /* AUTH_CHALLENGE, AUTH_SUCCESS; at NULL: null */
    const struct native_option_values *options; /* SUPPORTED */
    uint32_t option_count;
    enum native_kind kind;           /* RESULT: */
    struct native_metadata metadata; /* ROWS */
    uint32_t row_count;
    struct slice rows; /* as they are: each value int32 length (-1 null) and bytes */
    struct native_prepared prepared;
    struct native_change change;
    struct native_event event; /* EVENT */
};
MUST_CHECK err_t native_response_read(const struct native_head *h, struct slice body,
                                      struct arena *a, struct native_response *out, struct diag *d);
/* Appends head and body; flags are made from what is there, and what the version can not say is
 * left out. */
MUST_CHECK err_t native_response_put(struct buf *out, const struct native_head *h,
                                     const struct native_response *r, struct diag *d);
/* The next value of a row; false at the end. Values of a checked slice (native_rows_check). */
bool native_value_next(struct cursor *rows, struct native_value *out);
MUST_CHECK err_t native_rows_check(const struct native_response *r, struct diag *d);

/* --- the pieces of which responses are made, for who writes them as they come -------------------
 */
/* Behind native_begin, in this order and only when there is some; the head's flags say so. */
void native_warnings_put(struct buf *out, const struct slice *warnings, uint32_t count);
void native_error_put(struct buf *out, uint8_t version, const struct native_error *e);
/* A list of columns as metadata has it: one _begin, then `count` columns. global: all are of the
 * table of `first`. */
struct native_columns {
    uint8_t version;
    bool global;
};
void native_metadata_begin(struct buf *out, struct native_columns *c, uint32_t count,
                           struct slice paging_state, struct slice new_id,
                           const struct native_column *first /* NULL: no columns are sent */);
void native_markers_begin(struct buf *out, struct native_columns *c, uint32_t count,
                          const uint16_t *key_markers, uint32_t key_count,
                          const struct native_column *first /* NULL when count is 0 */);
void native_column_put(struct buf *out, const struct native_columns *c,
                       const struct native_column *column);
void native_type_put(struct buf *out, uint8_t version, struct slice keyspace, const struct type *t);
MUST_CHECK err_t native_type_read(struct cursor *in, uint8_t version, struct arena *a,
                                  const struct type **out, struct diag *d);
void native_change_put(struct buf *out, uint8_t version, const struct native_change *c);
/* The longest beginning of `s` of at most `most` bytes that cuts no character in two. */
struct slice native_cut(struct slice s, uint32_t most);
static inline void native_string_put(struct buf *out, struct slice s)
{
    if (s.len > NATIVE_STRING_MAX) s = native_cut(s, NATIVE_STRING_MAX);
    buf_be(out, s.len, 2);
    buf_slice(out, s);
}
static inline void native_bytes_put(struct buf *out, struct slice s) /* at NULL: null */
{
    buf_be(out, s.at ? s.len : UINT32_MAX, 4);
    buf_slice(out, s);
}
