/* What a declaration asks for: tables and topics, checked before anything is made. */
#include "exec/exec.h"

#include "base/unit.h"

#include <stdio.h>

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

/* The options of a table that have a meaning here; the others are kept and shown, as Cassandra's
 * are. */
static err_t table_options(const struct sql_options *o, struct arena *a, struct store_table *out,
                           struct diag *d)
{
    struct buf kept = buf_make(KIB(16));
    int64_t ttl = 0;
    struct slice given = sql_option(o, "default_time_to_live");
    if (given.at && (!slice_to_i64(given, &ttl) || ttl < 0 || ttl > 630720000))
        return diag_fail(
            d, ERR_RANGE,
            "default_time_to_live = %.*s is not a number of seconds from 0 to 630720000",
            SLICE_ARG(given));
    out->default_ttl = (uint32_t)ttl;
    for (uint32_t i = 0; i < o->count; i++) {
        if (slice_is(o->items[i].name, "default_time_to_live")) continue;
        buf_printf(&kept, "%s%.*s = %.*s", kept.len ? " AND " : "", SLICE_ARG(o->items[i].name),
                   SLICE_ARG(o->items[i].value));
    }
    err_t e = kept.err;
    if (!e) out->options = arena_slice(a, buf_view(&kept));
    buf_done(&kept);
    return e ? diag_fail(d, e, "the table's options are longer than 16 KiB") : ERR_OK;
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

enum topic_unit { UNIT_COUNT, UNIT_MS, UNIT_BYTES, UNIT_POLICY, UNIT_TIME_TYPE };

/* One row an option: ours in short words, Kafka's in its own. */
static const struct topic_option {
    const char *name;
    enum topic_unit unit;
    size_t at; /* offset in struct log_topic_config; SIZE_MAX: the number of partitions */
    int64_t min, max;
} topic_option_rows[] = {
    {"partitions", UNIT_COUNT, SIZE_MAX, 1, 10000},
    {"retention", UNIT_MS, offsetof(struct log_topic_config, retention_ms), -1, INT64_MAX},
    {"retention.ms", UNIT_MS, offsetof(struct log_topic_config, retention_ms), -1, INT64_MAX},
    {"retention_bytes", UNIT_BYTES, offsetof(struct log_topic_config, retention_bytes), -1,
     INT64_MAX},
    {"retention.bytes", UNIT_BYTES, offsetof(struct log_topic_config, retention_bytes), -1,
     INT64_MAX},
    {"segment.bytes", UNIT_BYTES, offsetof(struct log_topic_config, segment_bytes), 1 << 20,
     1 << 30},
    {"max.message.bytes", UNIT_BYTES, offsetof(struct log_topic_config, message_max_bytes), 1024,
     RECORD_BATCH_MAX},
    {"cleanup.policy", UNIT_POLICY, 0, 0, 0},
    {"message.timestamp.type", UNIT_TIME_TYPE, 0, 0, 0},
};

static bool quantity(struct slice text, enum topic_unit unit, int64_t *out)
{
    if (unit == UNIT_MS) return unit_parse_ms(text, out);
    return unit == UNIT_BYTES ? unit_parse_bytes(text, out) : slice_to_i64(text, out);
}

static bool topic_number(const struct topic_option *row, struct slice value, int32_t *partitions,
                         struct log_topic_config *config)
{
    int64_t v = 0;
    if (!quantity(value, row->unit, &v) || v < row->min || v > row->max) return false;
    if (row->at == SIZE_MAX)
        *partitions = (int32_t)v;
    else if (row->at == offsetof(struct log_topic_config, message_max_bytes))
        config->message_max_bytes = (int32_t)v;
    else
        memcpy((uint8_t *)config + row->at, &v, sizeof(v)); /* the others are 64 bits wide */
    return true;
}

static bool topic_word(const struct topic_option *row, struct slice value,
                       struct log_topic_config *config)
{
    if (row->unit == UNIT_TIME_TYPE) {
        config->append_time = slice_is(value, "LogAppendTime");
        return config->append_time || slice_is(value, "CreateTime");
    }
    config->compact = slice_is(value, "compact") || slice_is(value, "compact,delete") ||
                      slice_is(value, "delete,compact");
    config->delete = !slice_is(value, "compact");
    return config->compact || slice_is(value, "delete");
}

err_t topic_options(const struct sql_options *o, const char *file, int32_t *partitions,
                    struct log_topic_config *config, struct diag *d)
{
    const char *names[COUNT_OF(topic_option_rows)];
    for (size_t i = 0; i < COUNT_OF(topic_option_rows); i++) names[i] = topic_option_rows[i].name;
    *partitions = 1;
    *config = log_topic_defaults();
    for (uint32_t i = 0; i < o->count; i++) {
        const struct sql_option *given = &o->items[i];
        const struct topic_option *row = NULL;
        for (size_t r = 0; r < COUNT_OF(topic_option_rows); r++)
            if (slice_equal_nocase(given->name, slice_of(names[r]))) row = &topic_option_rows[r];
        if (!row) {
            const char *near = nearest_word(given->name, names, COUNT_OF(names));
            (void)diag_fail(d, ERR_CONFIG, "a topic has no option '%.*s'", SLICE_ARG(given->name));
            if (near) (void)diag_hint(d, "did you mean '%s'?", near);
            return diag_where(d, "%s:%u:%u", file, given->line, given->column);
        }
        bool word = row->unit == UNIT_POLICY || row->unit == UNIT_TIME_TYPE;
        if (word ? topic_word(row, given->value, config)
                 : topic_number(row, given->value, partitions, config))
            continue;
        (void)diag_fail(d, ERR_CONFIG, "%s = '%.*s' is not possible for a topic", row->name,
                        SLICE_ARG(given->value));
        if (!word)
            (void)diag_hint(d, "%s takes a whole number%s from %lld to %lld", row->name,
                            row->unit == UNIT_MS      ? " with ms, s, m, h, d or w behind it,"
                            : row->unit == UNIT_BYTES ? " with B, KiB, MiB or GiB behind it,"
                                                      : "",
                            (long long)row->min, (long long)row->max);
        return diag_where(d, "%s:%u:%u", file, given->line, given->column);
    }
    if (config->compact) {
        (void)diag_fail(d, ERR_UNSUPPORTED, "cleanup.policy = compact is not available yet");
        return diag_hint(d, "compaction comes with the Kafka door; use cleanup.policy = delete");
    }
    return ERR_OK;
}
