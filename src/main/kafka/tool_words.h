/* tool_words: what Kafka's tools have in common when they speak: versions, errors, log lines. */
#pragma once
#include "data/record_batch.h"
#include "main/kafka/session.h"

int tool_version(void);
int tool_error(const struct diag *d);   /* "Error: …" and its hint on standard error; 1 */
int tool_unsupported(const char *what); /* an option of theirs that is not ours; 1 */
/* "[2026-11-21 12:00:00,000] WARN text (class)" on standard error. */
void tool_log(const char *level, const char *text, const char *java_class);
bool codec_of(const char *name, enum codec *out);
/* A client with a properties file and properties of its own, both under the tool's names. */
MUST_CHECK err_t session_of_client(const struct args *a, const char *file_option,
                                   const char *const *property_options, size_t count,
                                   struct session *s, struct diag *d);
/* An error as Java prints it: "org.apache.kafka.common.errors.GroupIdNotFoundException: text"; one
 * that is not the broker's as it is. */
void put_java_error(struct buf *out, const struct diag *d);
/* One line for an error: why, else what. */
const char *tool_reason(const struct diag *d);
