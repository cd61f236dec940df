/* What a declaration asks for: tables and topics, checked before anything is made. */
#include "exec/exec.h"

#include "base/unit.h"

#include <stdio.h>
#include <string.h>

static enum column_role role_of(const struct sql_column *c)
{
    if (c->key == 1) return COLUMN_PARTITION;
    if (c->key == 2) return COLUMN_CLUSTERING;
    return c->is_static ? COLUMN_STATIC : COLUMN_REGULAR;
}

/* Partition keys, clustering keys, then the others by name: the store's order, and DESCRIBE's. */
static int column_order(const struct store_column *a, const struct store_column *b)
{
    static const int rank[] = {
        [COLUMN_PARTITION] = 0, [COLUMN_CLUSTERING] = 1, [COLUMN_STATIC] = 2, [COLUMN_REGULAR] = 2};
    if (rank[a->role] != rank[b->role]) return rank[a->role] - rank[b->role];
    if (rank[a->role] < 2) return (int)a->position - (int)b->position;
    return slice_compare(a->name, b->name);
}

static void sort_columns(struct store_column *columns, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) { /* few and nearly sorted */
        struct store_column c = columns[i];
        uint32_t j = i;
        for (; j > 0 && column_order(&columns[j - 1], &c) > 0; j--) columns[j] = columns[j - 1];
        columns[j] = c;
    }
}

static err_t option_seconds(const struct sql_options *o, const char *name, uint32_t most,
                            uint32_t unasked, uint32_t *out, struct diag *d)
{
    int64_t v = unasked;
    struct slice given = sql_option(o, name);
    if (given.at && (!slice_to_i64(given, &v) || v < 0 || v > (int64_t)most))
        return diag_fail(d, ERR_RANGE, "%s = %.*s is not a number of seconds from 0 to %u", name,
                         SLICE_ARG(given), most);
    *out = (uint32_t)v;
    return ERR_OK;
}

/* The options of a table that have a meaning here; the others are kept and shown, as Cassandra's
 * are. */
static err_t table_options(const struct sql_options *o, struct arena *a, struct store_table *out,
                           struct diag *d)
{
    enum { TTL_MAX = 630720000, GC_GRACE = 864000 };
    struct store_option *kept = arena_take(a, (o->count + 1u) * sizeof(*kept));
    if (!kept) return diag_fail(d, ERR_NO_MEMORY, "the table's options are too large");
    err_t e = option_seconds(o, "default_time_to_live", TTL_MAX, 0, &out->default_ttl, d);
    if (!e) e = option_seconds(o, "gc_grace_seconds", INT32_MAX, GC_GRACE, &out->gc_grace, d);
    for (uint32_t i = 0; i < o->count; i++) {
        struct slice name = o->items[i].name;
        if (slice_is(name, "default_time_to_live") || slice_is(name, "gc_grace_seconds")) continue;
        uint32_t k = out->option_count++; /* by name */
        for (; k > 0 && slice_compare(kept[k - 1].name, name) > 0; k--) kept[k] = kept[k - 1];
        kept[k] = (struct store_option){name, o->items[i].value};
    }
    out->options = kept;
    return e;
}

err_t table_of_statement(const struct statement *s, struct slice session_keyspace, struct arena *a,
                         struct store_table *out, struct diag *d)
{
    struct slice keyspace = s->name.keyspace.at ? s->name.keyspace : session_keyspace;
    if (!keyspace.len) {
        (void)diag_fail(d, ERR_UNKNOWN_NAME, "table %.*s has no keyspace", SLICE_ARG(s->name.name));
        return diag_hint(d, "write CREATE TABLE keyspace.%.*s, or USE a keyspace before",
                         SLICE_ARG(s->name.name));
    }
    struct store_column *columns = arena_take(a, MAX(s->column_count, 1u) * sizeof(*columns));
    if (!columns)
        return diag_fail(d, ERR_NO_MEMORY, "the declaration of %.*s is too large",
                         SLICE_ARG(s->name.name));
    for (uint32_t i = 0; i < s->column_count; i++) {
        const struct sql_column *c = &s->columns[i];
        columns[i] = (struct store_column){.name = c->name,
                                           .type = c->type,
                                           .role = role_of(c),
                                           .position = c->position,
                                           .descending = c->descending};
        if (c->type->kind != TYPE_JSON) continue;
        (void)diag_fail(d, ERR_TYPE, "column %.*s of %.*s has type json, which tables do not have",
                        SLICE_ARG(c->name), SLICE_ARG(s->name.name));
        return diag_hint(d, "use text, or declare the fields as columns of their own");
    }
    sort_columns(columns, s->column_count);
    *out = (struct store_table){.keyspace = keyspace,
                                .name = s->name.name,
                                .columns = columns,
                                .column_count = s->column_count};
    return table_options(&s->options, a, out, d);
}

err_t table_is_same(const struct store_table *have, const struct store_table *wanted,
                    struct diag *d)
{
    char why[256] = "";
    for (uint32_t i = 0; i < wanted->column_count && !why[0]; i++) {
        const struct store_column *w = &wanted->columns[i], *h = store_column_find(have, w->name);
        if (!h)
            snprintf(why, sizeof(why), "column %.*s is not in the table", SLICE_ARG(w->name));
        else if (!type_equal(h->type, w->type))
            snprintf(why, sizeof(why), "column %.*s has another type in the table",
                     SLICE_ARG(w->name));
        else if (h->role != w->role || (h->role != COLUMN_REGULAR && h->position != w->position) ||
                 h->descending != w->descending)
            snprintf(why, sizeof(why), "column %.*s has another place in the key",
                     SLICE_ARG(w->name));
    }
    for (uint32_t i = 0; i < have->column_count && !why[0]; i++)
        if (!store_column_find(wanted, have->columns[i].name))
            snprintf(why, sizeof(why), "the table's column %.*s is not declared",
                     SLICE_ARG(have->columns[i].name));
    if (!why[0]) return ERR_OK;
    (void)diag_fail(d, ERR_EXISTS, "table %.*s.%.*s exists with other columns",
                    SLICE_ARG(have->keyspace), SLICE_ARG(have->name));
    (void)diag_why(d, "%s", why);
    return diag_hint(
        d,
        "give the new table another name, or drop the old one: sluice query 'DROP TABLE %.*s.%.*s'",
        SLICE_ARG(have->keyspace), SLICE_ARG(have->name));
}

/* --- topics ----------------------------------------------------------------------------------- */

struct sql_relation relation_of_topic(const struct statement *s)
{
    return (struct sql_relation){
        .kind = RELATION_TOPIC,
        .name = s->kind == STATEMENT_CREATE_SOURCE ? s->source.topic : s->name.name,
        .columns = s->columns,
        .column_count = s->column_count,
        .open = s->column_count == 0,
        .time = s->watermark_column,
        .delay_ms = s->watermark_delay_ms,
    };
}

/* Ours in short words beside Kafka's own names, which are the rows of log/config.def. */
static const struct {
    const char *name, *kafka;
} topic_words[] = {{"retention", "retention.ms"}, {"retention_bytes", "retention.bytes"}};
enum { PARTITIONS_MIN = 1, PARTITIONS_MAX = 10000, TOPIC_OPTIONS_MAX = 128 };

static bool name_ends(const char *name, const char *end)
{
    size_t n = strlen(name), e = strlen(end);
    return n >= e && strcmp(name + n - e, end) == 0;
}

/* '7d' and '64MiB' become the number Kafka's option takes; the rest is as it was given. */
static struct slice topic_value(struct slice value, const char *kafka, char number[24])
{
    int64_t v;
    bool unit = (name_ends(kafka, ".ms") && unit_parse_ms(value, &v)) ||
                (name_ends(kafka, ".bytes") && unit_parse_bytes(value, &v));
    if (!unit) return value;
    snprintf(number, 24, "%lld", (long long)v);
    return slice_of(number);
}

static const char *topic_option_kafka(struct slice name)
{
    size_t count;
    const struct log_config_row *rows = log_config_rows(&count);
    for (size_t i = 0; i < COUNT_OF(topic_words); i++)
        if (slice_equal_nocase(name, slice_of(topic_words[i].name))) return topic_words[i].kafka;
    for (size_t i = 0; i < count; i++)
        if (slice_equal_nocase(name, slice_of(rows[i].name))) return rows[i].name;
    return NULL;
}

static err_t topic_option_unknown(struct slice name, struct diag *d)
{
    const char *names[TOPIC_OPTIONS_MAX] = {"partitions"};
    size_t n = 1, count;
    const struct log_config_row *rows = log_config_rows(&count);
    for (size_t i = 0; i < COUNT_OF(topic_words); i++) names[n++] = topic_words[i].name;
    for (size_t i = 0; i < count && n < COUNT_OF(names); i++) names[n++] = rows[i].name;
    const char *near = nearest_word(name, names, n);
    (void)diag_fail(d, ERR_CONFIG, "a topic has no option '%.*s'", SLICE_ARG(name));
    if (near) (void)diag_hint(d, "did you mean '%s'?", near);
    return ERR_CONFIG;
}

static err_t topic_partitions(struct slice value, int32_t *out, struct diag *d)
{
    int64_t v;
    if (slice_to_i64(value, &v) && v >= PARTITIONS_MIN && v <= PARTITIONS_MAX) {
        *out = (int32_t)v;
        return ERR_OK;
    }
    (void)diag_fail(d, ERR_CONFIG, "partitions = '%.*s' is not possible for a topic",
                    SLICE_ARG(value));
    return diag_hint(d, "partitions takes a whole number from %d to %d", PARTITIONS_MIN,
                     PARTITIONS_MAX);
}

/* How such a value is written here, beside what Kafka says of it. */
static void topic_value_hint(const char *kafka, struct diag *d)
{
    if (name_ends(kafka, ".ms"))
        (void)diag_hint(d, "a time: '500ms', '10s', '5m', '2h', '7d', '1w', or milliseconds");
    else if (name_ends(kafka, ".bytes"))
        (void)diag_hint(d, "a size: '100B', '64KiB', '10MiB', '1GiB', or bytes");
}

err_t topic_options(const struct sql_options *o, const char *file, int32_t *partitions,
                    struct log_topic_config *config, struct diag *d)
{
    struct log_config_change changes[TOPIC_OPTIONS_MAX];
    char numbers[TOPIC_OPTIONS_MAX][24];
    size_t count = 0;
    err_t e = log_topic_config_parse(NULL, 0, config, d);
    *partitions = 1;
    for (uint32_t i = 0; !e && i < o->count; i++) {
        const struct sql_option *given = &o->items[i];
        const char *kafka = topic_option_kafka(given->name);
        if (slice_equal_nocase(given->name, SLICE("partitions"))) {
            e = topic_partitions(given->value, partitions, d);
        } else if (!kafka) {
            e = topic_option_unknown(given->name, d);
        } else if (count == TOPIC_OPTIONS_MAX) {
            e = diag_fail(d, ERR_CONFIG, "a topic has at most %d options", TOPIC_OPTIONS_MAX);
        } else {
            struct slice value = topic_value(given->value, kafka, numbers[count]);
            changes[count++] = (struct log_config_change){
                .kind = LOG_CONFIG_SET, .name = slice_of(kafka), .value = value};
            e = log_topic_config_parse(changes, count, config, d);
            if (e) topic_value_hint(kafka, d);
        }
        if (e) return diag_where(d, "%s:%u:%u", file, given->line, given->column);
    }
    return e;
}
