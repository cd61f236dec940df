/* feed: lines become records and go into a topic: what kafka-console-producer and `sluice produce`
 * share. */
#pragma once
#include "connect/kafka/producer.h"
#include "main/kafka/json_pick.h"

enum { FEED_LINE_MAX = 64 << 20, FEED_HEADERS_MAX = 256 };

struct line_format {
    bool parse_key, parse_headers, ignore_error;
    bool json; /* {"key": …, "value": …, "headers": [{"key": …, "value": …}], "partition",
                  "timestamp"} */
    struct slice key_separator, headers_delimiter, headers_separator, headers_key_separator;
    struct slice null_marker; /* at == NULL: none */
};
struct line_format line_format_usual(void); /* Kafka's defaults */

struct line_reader { /* what one line needs while it is a record */
    struct line_format format;
    struct json_pick *json;
    struct arena *arena;
    struct record_header headers[FEED_HEADERS_MAX];
    int64_t number; /* of the line */
};
MUST_CHECK err_t line_reader_open(struct line_reader *r, const struct line_format *f,
                                  struct diag *d);
void line_reader_close(struct line_reader *r);
/* The record borrows from the line and the reader, until the next. */
MUST_CHECK err_t line_to_record(struct line_reader *r, struct slice line,
                                struct kafka_produced *out, struct diag *d);

struct feed {
    int fd;
    double rate;    /* records a second; 0: as fast as it goes */
    bool each_line; /* acknowledged before the next is read */
    bool prompt;    /* "> " on a terminal */
    void (*progress)(void *ctx, uint64_t sent);
    void *ctx;
};
/* All lines until the end of the file; every record is acknowledged then. */
MUST_CHECK err_t feed_lines(const struct feed *f, struct line_reader *r, struct kafka_producer *p,
                            struct diag *d);
