/* Topics' configuration: text in Kafka's words to values and back, by the table config.def. */
#include "log/log_int.h"

#include <stddef.h>
#include <stdio.h>

enum type {
    TYPE_BOOL,
    TYPE_INT,
    TYPE_LONG,
    TYPE_DOUBLE,
    TYPE_POLICY,
    TYPE_CODEC,
    TYPE_TIME_TYPE,
    TYPE_REPLICAS,
    TYPE_TEXT
};
enum effect { LIVE, KEPT, OLD };

static const struct log_config_row rows[] = {
#define KIND_BOOL      LOG_CONFIG_BOOL
#define KIND_INT       LOG_CONFIG_INT
#define KIND_LONG      LOG_CONFIG_LONG
#define KIND_DOUBLE    LOG_CONFIG_DOUBLE
#define KIND_POLICY    LOG_CONFIG_LIST
#define KIND_CODEC     LOG_CONFIG_STRING
#define KIND_TIME_TYPE LOG_CONFIG_STRING
#define KIND_REPLICAS  LOG_CONFIG_LIST
#define KIND_TEXT      LOG_CONFIG_STRING
#define CONFIG(name, field, type, fallback, min, max, effect, about)                               \
    {name, fallback, about, KIND_##type, (effect) != LIVE, (effect) == OLD},
#include "log/config.def"
#undef CONFIG
};

static const struct place { /* where a row's value lies in struct log_topic_config */
    enum type type;
    size_t at, size;
    int64_t min, max;
} places[] = {
#define CONFIG(name, field, type, fallback, min, max, effect, about)                               \
    {TYPE_##type, offsetof(struct log_topic_config, field),                                        \
     sizeof(((struct log_topic_config *)NULL)->field), min, max},
#include "log/config.def"
#undef CONFIG
};
enum { ROWS = COUNT_OF(rows) };
static_assert(ROWS <= 64, "struct log_topic_config.own has a bit a row");

static const char *const codecs[] = {"uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"};
static const int32_t codec_of[] = {CODEC_NONE, CODEC_ZSTD, CODEC_LZ4, CODEC_SNAPPY, CODEC_GZIP, -1};
static const char *const policies[] = {"compact", "delete"};
static const char *const time_types[] = {"CreateTime", "LogAppendTime"};

const struct log_config_row *log_config_rows(size_t *count)
{
    *count = ROWS;
    return rows;
}

static size_t row_find(struct slice name) /* ROWS: there is none */
{
    size_t i = 0;
    while (i < ROWS && !slice_is(name, rows[i].name)) i++;
    return i;
}

/* --- text to value ---------------------------------------------------------------------------- */

static struct slice shown(struct slice value) /* in a message */
{
    return slice_make(value.at, MIN(value.len, (size_t)80));
}

static err_t invalid(struct diag *d, size_t row, struct slice value, const char *why)
{
    return diag_fail(d, ERR_CONFIG, "Invalid value %.*s for configuration %s: %s",
                     SLICE_ARG(shown(value)), rows[row].name, why);
}

static err_t not_one_of(struct diag *d, size_t row, struct slice value, const char *const *words,
                        size_t count)
{
    char why[128] = "";
    struct buf b = buf_over(why, sizeof(why) - 1);
    buf_text(&b, "String must be one of: ");
    for (size_t i = 0; i < count; i++) buf_printf(&b, "%s%s", i ? ", " : "", words[i]);
    why[b.len] = 0;
    return invalid(d, row, value, why);
}

static bool word_find(struct slice text, const char *const *words, size_t count, size_t *at)
{
    for (*at = 0; *at < count; ++*at)
        if (slice_is(text, words[*at])) return true;
    return false;
}

/* The next of a comma-separated list, trimmed; false behind the last. */
static bool list_next(struct slice *rest, struct slice *item)
{
    if (!rest->at) return false;
    const uint8_t *comma = rest->len ? memchr(rest->at, ',', rest->len) : NULL;
    size_t len = comma ? (size_t)(comma - rest->at) : rest->len;
    *item = slice_trim(slice_make(rest->at, len));
    *rest = comma ? slice_make(comma + 1, rest->len - len - 1) : slice_make(NULL, 0);
    return true;
}

static err_t policy_parse(size_t row, struct slice text, struct log_topic_config *c, struct diag *d)
{
    struct slice rest = text, item;
    bool on[COUNT_OF(policies)] = {false};
    while (text.len && list_next(&rest, &item)) {
        size_t at;
        if (!word_find(item, policies, COUNT_OF(policies), &at))
            return not_one_of(d, row, item, policies, COUNT_OF(policies));
        on[at] = true;
    }
    c->compact = on[0];
    c->delete = on[1];
    return ERR_OK;
}

static bool digits(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] < '0' || s.at[i] > '9') return false;
    return s.len > 0;
}

/* '*', or partition:broker, partition:broker … */
static bool replicas_fit(struct slice text)
{
    struct slice rest = text, item;
    if (text.len == 0 || slice_is(text, "*")) return true;
    while (list_next(&rest, &item)) {
        const uint8_t *colon = item.len ? memchr(item.at, ':', item.len) : NULL;
        if (item.len == 0) continue;
        if (!colon || !digits(slice_make(item.at, (size_t)(colon - item.at))) ||
            !digits(slice_make(colon + 1, item.len - (size_t)(colon - item.at) - 1)))
            return false;
    }
    return true;
}

static err_t text_parse(size_t row, struct slice text, char *to, struct diag *d)
{
    if (places[row].type == TYPE_REPLICAS && !replicas_fit(text)) {
        char value[128], why[256];
        snprintf(value, sizeof(value), "[%.*s]", SLICE_ARG(shown(text)));
        snprintf(why, sizeof(why),
                 "%s must be the literal '*' or a list of replicas in the following format: "
                 "[partitionId]:[brokerId],[partitionId]:[brokerId],...",
                 rows[row].name);
        return invalid(d, row, slice_of(value), why);
    }
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] < ' ' || text.at[i] > '~')
            return invalid(d, row, SLICE("(not printable)"), "it must be printable ASCII");
    if (slice_to_cstr(text, to, LOG_CONFIG_TEXT_MAX)) return ERR_OK;
    return invalid(d, row, text, "it is kept only, and at most 127 bytes of it");
}

static err_t outside(size_t row, struct slice text, bool below, struct diag *d)
{
    char why[64];
    snprintf(why, sizeof(why), "Value must be %s %lld", below ? "at least" : "no more than",
             (long long)(below ? places[row].min : places[row].max));
    return invalid(d, row, text, why);
}

static void integer_set(const struct place *p, struct log_topic_config *c, int64_t v)
{
    int32_t narrow = (int32_t)v;
    memcpy((uint8_t *)c + p->at, p->size == sizeof(narrow) ? (void *)&narrow : (void *)&v, p->size);
}

static int64_t integer_get(const struct place *p, const struct log_topic_config *c)
{
    int32_t narrow;
    int64_t v;
    memcpy(&narrow, (const uint8_t *)c + p->at, sizeof(narrow));
    if (p->size == sizeof(narrow)) return narrow;
    memcpy(&v, (const uint8_t *)c + p->at, sizeof(v));
    return v;
}

/* `checked` false: what a topic's file holds was checked, or given as a struct, when it was made.
 */
static err_t real_parse(size_t row, struct slice text, bool checked, struct log_topic_config *c,
                        struct diag *d)
{
    const struct place *p = &places[row];
    double v;
    if (!slice_to_f64(text, &v) || v != v)
        return invalid(d, row, text, "Not a number of type DOUBLE");
    if (checked && v < (double)p->min) return outside(row, text, true, d);
    if (checked && v > (double)p->max) return outside(row, text, false, d);
    memcpy((uint8_t *)c + p->at, &v, sizeof(v));
    return ERR_OK;
}

static err_t integer_parse(size_t row, struct slice text, bool checked, struct log_topic_config *c,
                           struct diag *d)
{
    const struct place *p = &places[row];
    bool narrow = p->type == TYPE_INT;
    int64_t v;
    if (!slice_to_i64(text, &v) || (narrow && (v < INT32_MIN || v > INT32_MAX)))
        return invalid(d, row, text,
                       narrow ? "Not a number of type INT" : "Not a number of type LONG");
    if (checked && v < p->min) return outside(row, text, true, d);
    if (checked && v > p->max) return outside(row, text, false, d);
    integer_set(p, c, v);
    return ERR_OK;
}

static err_t bool_parse(size_t row, struct slice text, bool checked, struct log_topic_config *c,
                        struct diag *d)
{
    bool on = slice_equal_nocase(text, SLICE("true"));
    if (!on && !slice_equal_nocase(text, SLICE("false")))
        return invalid(d, row, text, "Expected value to be either true or false");
    memcpy((uint8_t *)c + places[row].at, &on, sizeof(on));
    if (!checked || !c->remote_storage) return ERR_OK;
    return diag_fail(d, ERR_CONFIG,
                     "Tiered Storage functionality is disabled in the broker. Topic cannot be "
                     "configured with remote log storage.");
}

static err_t value_parse(size_t row, struct slice text, bool checked, struct log_topic_config *c,
                         struct diag *d)
{
    size_t at;
    text = slice_trim(text);
    switch (places[row].type) {
    case TYPE_BOOL: return bool_parse(row, text, checked, c, d);
    case TYPE_INT:
    case TYPE_LONG: return integer_parse(row, text, checked, c, d);
    case TYPE_DOUBLE: return real_parse(row, text, checked, c, d);
    case TYPE_POLICY: return policy_parse(row, text, c, d);
    case TYPE_REPLICAS:
    case TYPE_TEXT: return text_parse(row, text, (char *)c + places[row].at, d);
    case TYPE_CODEC:
        if (!word_find(text, codecs, COUNT_OF(codecs), &at))
            return not_one_of(d, row, text, codecs, COUNT_OF(codecs));
        c->compression = codec_of[at];
        return ERR_OK;
    case TYPE_TIME_TYPE:
        if (!word_find(text, time_types, COUNT_OF(time_types), &at))
            return not_one_of(d, row, text, time_types, COUNT_OF(time_types));
        c->append_time = at == 1;
        return ERR_OK;
    }
    return ERR_INTERNAL;
}

/* --- value to text ---------------------------------------------------------------------------- */

/* As short as it reads back the same, with a point: as Java writes it between 0.001 and 10^7. */
static void real_print(double v, struct buf *out)
{
    char text[40];
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(text, sizeof(text), "%.*g", precision, v);
        double back;
        if (slice_to_f64(slice_of(text), &back) && back == v) break;
    }
    buf_text(out, text);
    if (!strpbrk(text, ".en")) buf_text(out, ".0");
}

static void value_print(size_t row, const struct log_topic_config *c, struct buf *out)
{
    const struct place *p = &places[row];
    const void *at = (const uint8_t *)c + p->at;
    double real;
    switch (p->type) {
    case TYPE_BOOL: buf_text(out, *(const bool *)at ? "true" : "false"); break;
    case TYPE_INT:
    case TYPE_LONG: buf_printf(out, "%lld", (long long)integer_get(p, c)); break;
    case TYPE_DOUBLE:
        memcpy(&real, at, sizeof(real));
        real_print(real, out);
        break;
    case TYPE_REPLICAS:
    case TYPE_TEXT: buf_text(out, at); break;
    case TYPE_TIME_TYPE: buf_text(out, time_types[c->append_time]); break;
    case TYPE_POLICY:
        buf_printf(out, "%s%s%s", c->compact ? "compact" : "", c->compact && c->delete ? "," : "",
                   c->delete ? "delete" : "");
        break;
    case TYPE_CODEC:
        for (size_t i = 0; i < COUNT_OF(codecs); i++)
            if (codec_of[i] == c->compression) buf_text(out, codecs[i]);
        break;
    }
}

/* --- whole configurations --------------------------------------------------------------------- */

/* A size or age of 0 in a struct is the log's own: what the log was opened with decides. */
static bool is_the_logs(size_t row)
{
    return places[row].at == offsetof(struct log_topic_config, segment_bytes) ||
           places[row].at == offsetof(struct log_topic_config, segment_ms);
}

struct log_topic_config log_topic_defaults(void)
{
    struct log_topic_config c;
    memset(&c, 0, sizeof(c)); /* with its padding: values are compared as bytes */
    for (size_t i = 0; i < ROWS; i++) {
        if (is_the_logs(i)) continue;
        err_t e = value_parse(i, slice_of(rows[i].fallback), true, &c, NULL);
        INVARIANT(e == ERR_OK); /* the table is its own test */
    }
    return c;
}

static bool value_same(size_t row, const struct log_topic_config *a,
                       const struct log_topic_config *b)
{
    const struct place *p = &places[row];
    if (p->type == TYPE_POLICY) return a->compact == b->compact && a->delete == b->delete;
    const void *left = (const uint8_t *)a + p->at, *right = (const uint8_t *)b + p->at;
    if (p->type == TYPE_REPLICAS || p->type == TYPE_TEXT) return strcmp(left, right) == 0;
    return memcmp(left, right, p->size) == 0;
}

static void value_copy(size_t row, const struct log_topic_config *from, struct log_topic_config *to)
{
    const struct place *p = &places[row];
    memcpy((uint8_t *)to + p->at, (const uint8_t *)from + p->at, p->size);
    if (p->type == TYPE_POLICY) to->delete = from->delete;
}

uint64_t config_own_bit(const char *name)
{
    size_t row = row_find(slice_of(name));
    INVARIANT(row < ROWS);
    return UINT64_C(1) << row;
}

void config_complete(struct log_topic_config *c)
{
    const struct log_topic_config base = log_topic_defaults();
    for (size_t i = 0; i < ROWS; i++)
        if (!value_same(i, c, &base)) c->own |= UINT64_C(1) << i;
}

err_t config_check(const struct log_topic_config *c, struct diag *d)
{
    if (c->segment_bytes > SEGMENT_BYTES_MAX)
        return diag_fail(d, ERR_CONFIG, "segment.bytes is at most %llu",
                         (unsigned long long)SEGMENT_BYTES_MAX);
    if (c->message_max_bytes < 0 || c->message_max_bytes > RECORD_BATCH_MAX)
        return diag_fail(d, ERR_CONFIG, "max.message.bytes is at most %d", RECORD_BATCH_MAX);
    if (c->retention_ms < -1) return diag_fail(d, ERR_CONFIG, "retention.ms is at least -1");
    if (c->compact && c->min_compaction_lag_ms > c->max_compaction_lag_ms)
        return diag_fail(d, ERR_CONFIG,
                         "conflict topic config setting min.compaction.lag.ms (%lld) > "
                         "max.compaction.lag.ms (%lld)",
                         (long long)c->min_compaction_lag_ms, (long long)c->max_compaction_lag_ms);
    return ERR_OK;
}

void config_put(const struct log_topic_config *c, struct buf *out)
{
    uint8_t own = 0;
    for (size_t i = 0; i < ROWS; i++) own = (uint8_t)(own + (c->own >> i & 1));
    buf_be(out, own, 2);
    for (size_t i = 0; i < ROWS; i++) {
        if (!(c->own >> i & 1)) continue;
        buf_be(out, strlen(rows[i].name), 2);
        buf_text(out, rows[i].name);
        size_t length_at = out->len;
        buf_be(out, 0, 2);
        value_print(i, c, out);
        if (!out->err) buf_set_be(out, length_at, out->len - length_at - 2, 2);
    }
}

err_t config_get(struct cursor *in, struct log_topic_config *c, struct diag *d)
{
    *c = log_topic_defaults();
    uint64_t own = cursor_be(in, 2);
    for (uint64_t i = 0; i < own && !in->err; i++) {
        struct slice name = cursor_slice(in, cursor_be(in, 2));
        struct slice value = cursor_slice(in, cursor_be(in, 2));
        if (in->err) break;
        size_t row = row_find(name);
        if (row == ROWS)
            return diag_fail(d, ERR_VERSION, "this Sluice knows no topic configuration '%.*s'",
                             SLICE_ARG(shown(name)));
        err_t e = value_parse(row, value, false, c, d);
        if (e) return e;
        c->own |= UINT64_C(1) << row;
    }
    return in->err ? ERR_CORRUPT : config_check(c, d);
}

/* --- changes ---------------------------------------------------------------------------------- */

static bool list_has(struct slice list, struct slice wanted)
{
    struct slice rest = list, item;
    while (list.len && list_next(&rest, &item))
        if (slice_equal(item, wanted)) return true;
    return false;
}

static void list_add(struct buf *list, struct slice item)
{
    if (list->len) buf_char(list, ',');
    buf_slice(list, item);
}

static err_t change_list(const struct log_config_change *change, size_t row,
                         struct log_topic_config *c, struct diag *d)
{
    bool append = change->kind == LOG_CONFIG_APPEND;
    if (rows[row].kind != LOG_CONFIG_LIST)
        return diag_fail(d, ERR_CONFIG, "Can't %s to key %s because its type is not LIST.",
                         append ? "APPEND" : "SUBTRACT", rows[row].name);
    struct buf had = buf_make(KIB(64)), made = buf_make(KIB(128));
    struct slice rest, item;
    value_print(row, c, &had);
    rest = buf_view(&had);
    while (had.len && list_next(&rest, &item))
        if (append || !list_has(change->value, item)) list_add(&made, item);
    rest = change->value;
    while (append && list_next(&rest, &item))
        if (!list_has(buf_view(&made), item)) list_add(&made, item);
    err_t e = had.err ? had.err : made.err;
    if (e)
        e = diag_fail(d, e, "the list for %s is too long", rows[row].name);
    else
        e = value_parse(row, buf_view(&made), true, c, d);
    buf_done(&had);
    buf_done(&made);
    return e;
}

static err_t change_apply(const struct log_config_change *change,
                          const struct log_topic_config *base, struct log_topic_config *c,
                          struct diag *d)
{
    size_t row = row_find(change->name);
    if (row == ROWS) {
        const char *names[ROWS];
        for (size_t i = 0; i < ROWS; i++) names[i] = rows[i].name;
        const char *near = nearest_word(change->name, names, ROWS);
        (void)diag_fail(d, ERR_CONFIG, "Unknown topic config name: %.*s",
                        SLICE_ARG(shown(change->name)));
        if (near) (void)diag_hint(d, "did you mean '%s'?", near);
        return ERR_CONFIG;
    }
    uint64_t bit = UINT64_C(1) << row;
    if (change->kind == LOG_CONFIG_DELETE) {
        value_copy(row, base, c);
        c->own = (c->own & ~bit) | (base->own & bit);
        return ERR_OK;
    }
    if (!change->value.at)
        return diag_fail(d, ERR_CONFIG, "Null value not supported for topic configs: %s",
                         rows[row].name);
    c->own |= bit;
    if (change->kind == LOG_CONFIG_SET) return value_parse(row, change->value, true, c, d);
    return change_list(change, row, c, d);
}

err_t config_change(const struct log_config_change *changes, size_t count,
                    const struct log_topic_config *base, struct log_topic_config *c, struct diag *d)
{
    for (size_t i = 0; i < count; i++) {
        err_t e = change_apply(&changes[i], base, c, d);
        if (e) return e;
    }
    return config_check(c, d);
}

err_t log_topic_config_parse(const struct log_config_change *changes, size_t count,
                             struct log_topic_config *out, struct diag *d)
{
    const struct log_topic_config base = log_topic_defaults();
    *out = base;
    return config_change(changes, count, &base, out, d);
}

err_t log_config_text(struct log_topic *t, size_t row, struct buf *out, bool *own)
{
    if (row >= ROWS) return ERR_RANGE;
    struct log_topic_config c = log_topic_config(t);
    if (!c.segment_bytes) c.segment_bytes = t->log->options.segment_bytes;
    if (!c.segment_ms) c.segment_ms = t->log->options.segment_ms;
    *own = c.own >> row & 1;
    value_print(row, &c, out);
    return out->err;
}

/* --- the page --------------------------------------------------------------------------------- */

void log_config_markdown(struct buf *out)
{
    buf_text(
        out,
        "# Topics' configuration\n\n"
        "Kafka's names, defaults and limits. To be given when a topic is made (`CREATE TOPIC … "
        "WITH ('retention.ms' = '7d')`, any Kafka client), and changed later: a change is "
        "durable before it is answered and in force for the next append. Made from "
        "`src/log/config.def`.\n\n"
        "## In force\n\n| name | default | what it does |\n|---|---|---|\n");
    for (int kept = 0; kept < 2; kept++) {
        if (kept)
            buf_text(out, "\n## Accepted and shown, without effect here\n\n"
                          "| name | default | why |\n|---|---|---|\n");
        for (size_t i = 0; i < ROWS; i++)
            if (rows[i].kept_only == (kept == 1))
                buf_printf(out, "| `%s` | %s%s%s | %s%s |\n", rows[i].name,
                           rows[i].fallback[0] ? "`" : "", rows[i].fallback,
                           rows[i].fallback[0] ? "`" : "", rows[i].about,
                           rows[i].old ? " (Kafka 4 has it no more)" : "");
    }
}
