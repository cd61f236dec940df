/* show_record: one record as text: as Kafka's DefaultMessageFormatter prints it, or as ours. */
#pragma once
#include "connect/kafka/consumer.h"

struct record_format {
    bool timestamp, partition, offset, epoch, headers, key, value;
    struct slice key_separator, line_separator, headers_separator, null_literal;
};
struct record_format record_format_usual(void);
/* One "name=value" of --property; false: there is no such. */
bool record_format_set(struct record_format *f, struct slice name, struct slice value);
void put_record(struct buf *out, const struct record_format *f, const struct kafka_taken *t);

/* {"topic": …, "partition": …, "offset": …, "timestamp": …, "key": …, "value": …, "headers": […]};
 * what is not UTF-8 as {"base64": "…"}. `sluice produce --json` reads it. */
void put_record_json(struct buf *out, const struct kafka_taken *t);
/* A value for people: what is no text as <base64 …>, null as <null>. */
void put_shown(struct buf *out, struct slice bytes, bool null);
/* What was put goes to stdout, at once; ERR_STOPPED: nobody reads there any more. */
MUST_CHECK err_t put_out(struct buf *out);
