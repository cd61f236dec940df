/* wire/kafka: Kafka's protocol as tables, and the one codec that walks them.
 *
 * A message is a list of rows in messages/NAME.def; apis.def says which versions there are. From
 * the same rows come the C structs (struct kafka_fetch_request), the field tables that the codec
 * walks (kafka_fetch_request_message) and docs/kafka-wire.md. tests/peers compares them with the
 * definitions inside Kafka's own jars. Adding a field is adding a row.
 *
 * Never opens a socket, reads a clock, or knows what a request means. Loop: any thread, nothing is
 * kept. Memory: what is decoded borrows its strings, bytes and records from the input, and takes
 * its arrays from the caller's arena. Limit: the arena's; each count and length is checked against
 * the bytes that are left before anything is taken; nesting is bounded by the tables.
 */
#pragma once
#include "base/bytes.h"
#include "base/hash.h"

enum { KAFKA_NEVER = INT16_MAX }; /* a version that does not come */

/* --- what fields are made of ------------------------------------------------------------------ *
 * Strings and bytes are slices: null is at == NULL, so an empty one points at something ("").
 * An array is {at, count}: null is count -1. A nullable struct is a pointer. */
enum kafka_type {
    KAFKA_BOOL,
    KAFKA_INT8,
    KAFKA_INT16,
    KAFKA_UINT16,
    KAFKA_INT32,
    KAFKA_UINT32,
    KAFKA_INT64,
    KAFKA_FLOAT64,
    KAFKA_UUID,
    KAFKA_STRING,
    KAFKA_BYTES,
    KAFKA_RECORDS,
    KAFKA_LIST,    /* of one of the above: element */
    KAFKA_ARRAY,   /* of structs: of */
    KAFKA_STRUCT,  /* inline: of */
    KAFKA_POINTER, /* to a struct, or null: of */
};

/* Record batches as they are. They stand in memory (bytes), or in a file to be sent from there:
 * size > 0 and fd >= 0, then only their length is encoded, and a splice says where they belong. */
struct kafka_records {
    struct slice bytes;
    bool null;
    int fd;
    uint64_t position;
    uint32_t size;
};

/* --- the tables ------------------------------------------------------------------------------- */
struct kafka_struct;

struct kafka_field {
    const char *name;
    const struct kafka_struct *of; /* of ARRAY, STRUCT, POINTER */
    int64_t preset;                /* of numbers, where the version lacks the field */
    uint16_t offset;               /* in the C struct */
    int16_t first, last;           /* versions that have it */
    int16_t nullable_first;        /* when nullable */
    uint8_t tag;                   /* when tagged */
    uint8_t type, element;         /* enum kafka_type */
    bool nullable, tagged;
    bool null_preset;   /* null where the version lacks it; else "", no elements, no bytes */
    bool ignorable;     /* may be lost where the version lacks it; else encoding it is an error */
    bool never_compact; /* the old form in flexible versions too */
};

struct kafka_struct {
    const char *name; /* "fetch_request_partition" */
    const struct kafka_field *fields;
    uint16_t count, size;
};

struct kafka_message {
    const char *name; /* "FetchRequest" */
    const struct kafka_struct *root;
    int16_t api_key;        /* -1: belongs to no API */
    int16_t first, last;    /* versions */
    int16_t flexible_first; /* compact lengths and tags from here on; KAFKA_NEVER */
};

struct kafka_api {
    int16_t key;
    const char *name;    /* "Fetch" */
    int16_t first, last; /* versions that the tables know */
    int16_t said_first;  /* what ApiVersions says instead of first, for old librdkafka's sake */
    int16_t flexible_first;
    const struct kafka_message *request, *response;
};

extern const struct kafka_api kafka_apis[]; /* by key, ascending */
extern const size_t kafka_api_count;
const struct kafka_api *kafka_api_of(int16_t key);         /* NULL: unknown */
extern const struct kafka_message *const kafka_messages[]; /* all of them */
extern const size_t kafka_message_count;

/* --- the messages ------------------------------------------------------------------------------
 * struct kafka_fetch_request, struct kafka_fetch_request_partition …; for each the table
 * kafka_fetch_request_struct, and for whole messages kafka_fetch_request_message. */
#define KAFKA_JOIN_(a, b, c) a##b##c
#define KAFKA_JOIN(a, b, c)  KAFKA_JOIN_(a, b, c)
#define KAFKA_C_BOOL(n)      bool n
#define KAFKA_C_INT8(n)      int8_t n
#define KAFKA_C_INT16(n)     int16_t n
#define KAFKA_C_UINT16(n)    uint16_t n
#define KAFKA_C_INT32(n)     int32_t n
#define KAFKA_C_UINT32(n)    uint32_t n
#define KAFKA_C_INT64(n)     int64_t n
#define KAFKA_C_FLOAT64(n)   double n
#define KAFKA_C_UUID(n)      struct uuid n
#define KAFKA_C_STRING(n)    struct slice n
#define KAFKA_C_BYTES(n)     struct slice n
#define KAFKA_C_RECORDS(n)   struct kafka_records n

#define BEGIN struct KAFKA_JOIN(kafka_, HERE, ) {
#define END                                                                                        \
    }                                                                                              \
    ;                                                                                              \
    extern const struct kafka_struct KAFKA_JOIN(kafka_, HERE, _struct);
#define FIELD(type, name, ...) KAFKA_C_##type(name);
#define LIST(type, name, ...)                                                                      \
    struct {                                                                                       \
        KAFKA_C_##type(*at);                                                                       \
        int32_t count;                                                                             \
    } name;
#define ARRAY(nested, name, ...)                                                                   \
    struct {                                                                                       \
        struct kafka_##nested *at;                                                                 \
        int32_t count;                                                                             \
    } name;
#define STRUCT(nested, name, ...)  struct kafka_##nested name;
#define POINTER(nested, name, ...) struct kafka_##nested *name;
#include "wire/kafka/messages/all.def"
#undef BEGIN
#undef END
#undef FIELD
#undef LIST
#undef ARRAY
#undef STRUCT
#undef POINTER

#define API(key, name, text, first, last, said_first, flexible_first)                              \
    extern const struct kafka_message kafka_##name##_request_message;                              \
    extern const struct kafka_message kafka_##name##_response_message;
#define MESSAGE(name, text, first, last, flexible_first)                                           \
    extern const struct kafka_message kafka_##name##_message;
#include "wire/kafka/apis.def"
#undef API
#undef MESSAGE

enum kafka_api_key { /* KAFKA_API_fetch … */
#define API(key, name, text, first, last, said_first, flexible_first) KAFKA_API_##name = key,
#define MESSAGE(name, text, first, last, flexible_first)
#include "wire/kafka/apis.def"
#undef API
#undef MESSAGE
};

/* --- the codec -------------------------------------------------------------------------------- *
 * Every default in place: do this before filling a message by hand. kafka_new takes `count` such
 * structs from the arena (for an array's `at`); NULL past the arena's limit. */
void kafka_init(const struct kafka_message *m, void *out);
void kafka_struct_init(const struct kafka_struct *s, void *out);
void *kafka_new(struct arena *a, const struct kafka_struct *s, int32_t count);

/* `out` is the message's struct; it need not be initialised. ERR_SHORT and ERR_MALFORMED name the
 * field: "FetchRequest v12: topics[3].partitions[0].fetch_offset ends too early". ERR_VERSION
 * outside the message's versions. Bytes behind the message stay in `in`. */
MUST_CHECK err_t kafka_decode(const struct kafka_message *m, int16_t version, struct cursor *in,
                              struct arena *a, void *out, struct diag *d);

struct kafka_splice { /* these bytes of the file belong in front of the buffer's byte `at` */
    size_t at;
    int fd;
    uint64_t position;
    uint32_t size;
};
struct kafka_splices {
    struct arena *arena; /* the list grows here */
    struct kafka_splice *list;
    uint32_t count, cap;
};

/* Appends to `out`. In an answer what the version can not say is left out, in a question it is an
 * error: it would mean less. An error (out's own, ERR_TOO_BIG for one; a null or a value that the
 * version can not say: ERR_MALFORMED, ERR_VERSION) leaves a part of the message behind: throw it
 * away, or set out->len back. Without splices, records in a file are ERR_UNSUPPORTED. */
MUST_CHECK err_t kafka_encode(const struct kafka_message *m, int16_t version, const void *in,
                              struct buf *out, struct kafka_splices *splices, struct diag *d);

/* The same with the version in front, an int16: how consumers' metadata, and the keys and values
 * of internal topics are kept. */
MUST_CHECK err_t kafka_decode_versioned(const struct kafka_message *m, struct slice in,
                                        struct arena *a, void *out, int16_t *version,
                                        struct diag *d);
MUST_CHECK err_t kafka_encode_versioned(const struct kafka_message *m, int16_t version,
                                        const void *in, struct buf *out, struct diag *d);

/* For logs and tests: {"topics": [{"name": "a", …}], …}; only what the version has. Bytes (salts,
 * passwords) and records show as their length. */
void kafka_print(const struct kafka_message *m, int16_t version, const void *in, struct buf *out);

/* --- frames: what stands around a message ----------------------------------------------------- *
 * A frame here is what follows the int32 length. */
struct kafka_request_head {
    int16_t api_key, api_version;
    int32_t correlation_id;
    struct slice client_id;      /* null: at == NULL */
    const struct kafka_api *api; /* NULL: unknown; then client_id and body are not read */
    bool version_known;          /* the tables have it; else the body is not read */
    struct cursor body;
};

/* Fails for bytes that are no header, not for an API or a version that we do not know: Kafka closes
 * the connection then, but answers ApiVersions in version 0 with error 35 (UNSUPPORTED_VERSION). */
MUST_CHECK err_t kafka_request_head(struct slice frame, struct kafka_request_head *out,
                                    struct diag *d);
/* The version in which to answer: the asked one, or 0 when that is not known. */
int16_t kafka_response_version(const struct kafka_request_head *head);
/* Writes the length's place, the correlation id and the header's tags; answers what _end takes. */
size_t kafka_response_begin(struct buf *out, const struct kafka_request_head *head);
/* Sets the length, with the bytes of the splices that came since. */
MUST_CHECK err_t kafka_response_end(struct buf *out, size_t begun,
                                    const struct kafka_splices *splices);

/* Our own side as a client. */
size_t kafka_request_begin(struct buf *out, const struct kafka_api *api, int16_t version,
                           int32_t correlation_id, struct slice client_id);
MUST_CHECK err_t kafka_request_end(struct buf *out, size_t begun);
MUST_CHECK err_t kafka_response_head(struct slice frame, const struct kafka_api *api,
                                     int16_t version, int32_t *correlation_id, struct cursor *body,
                                     struct diag *d);

/* --- errors ----------------------------------------------------------------------------------- */
enum kafka_code { /* KAFKA_ERROR_NOT_COORDINATOR … */
#define KAFKA_ERROR(code, name, again, text) KAFKA_ERROR_##name = code,
#include "wire/kafka/errors.def"
#undef KAFKA_ERROR
};
struct kafka_error {
    int16_t code;
    bool retriable;
    const char *name, *text;
};
const struct kafka_error *kafka_error_of(int16_t code); /* UNKNOWN_SERVER_ERROR for the unknown */

void kafka_wire_help(struct buf *out); /* the lists of docs/kafka-wire.md */
