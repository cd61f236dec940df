/* table_options_compaction: the option `compaction`: its class, and what each strategy's
 * validateOptions says of the others. */
#include "cql/table_options.h"
#include <ctype.h>

#define COMPACTION_PACKAGE "org.apache.cassandra.db.compaction."

static err_t wrong(struct diag *d, const char *text)
{
    return diag_fail(d, ERR_SCHEMA_CONFIG, "%s", text);
}

/* --- compaction
 * ---------------------------------------------------------------------------------------- */

enum strategy {
    SIZE_TIERED = 1,
    LEVELED = 2,
    TIME_WINDOW = 4,
    UNIFIED = 8,
    EVERY = 15,
    TIERED_ALL = 7
};
static const struct {
    const char *name;
    enum strategy bit;
} strategies[] = {
    {"SizeTieredCompactionStrategy", SIZE_TIERED},
    {"LeveledCompactionStrategy", LEVELED},
    {"TimeWindowCompactionStrategy", TIME_WINDOW},
    {"UnifiedCompactionStrategy", UNIFIED},
};
/* One row an option that a strategy knows. */
enum check { ANYTHING, TRUE_FALSE, LONG, DECIMAL, WINDOW_UNIT, TIME_RESOLUTION, OVERLAP };
static const struct compaction_option {
    const char *name;
    int strategies;
    enum check check;
    int64_t least;
    const char *too_small; /* %s: the name, %lld: the value */
} compaction_options[] = {
    {"tombstone_threshold", EVERY, DECIMAL, 0, "%s must be greater than 0, but was %f"},
    {"tombstone_compaction_interval", EVERY, LONG, 0, "%s must be greater than 0, but was %lld"},
    {"unchecked_tombstone_compaction", EVERY, TRUE_FALSE, 0,
     "'%s' should be either 'true' or 'false', not '%.*s'"},
    {"log_all", EVERY, TRUE_FALSE, 0, "'%s' should either be 'true' or 'false', not %.*s"},
    {"enabled", EVERY, TRUE_FALSE, 0, "%s should either be 'true' or 'false', not %.*s"},
    {"only_purge_repaired_tombstones", EVERY, ANYTHING, 0, NULL},
    {"provide_overlapping_tombstones", EVERY, ANYTHING, 0, NULL},
    {"min_sstable_size", TIERED_ALL, LONG, 0, "%s must be non negative: %lld"},
    {"bucket_low", TIERED_ALL, DECIMAL, INT64_MIN, NULL},
    {"bucket_high", TIERED_ALL, DECIMAL, INT64_MIN, NULL},
    {"min_threshold", TIERED_ALL, ANYTHING, 0, NULL},
    {"max_threshold", TIERED_ALL, ANYTHING, 0, NULL},
    {"sstable_size_in_mb", LEVELED, LONG, 1, "%s must be larger than 0, but was %lld"},
    {"fanout_size", LEVELED, LONG, 1, "%s must be larger than 0, but was %lld"},
    {"single_sstable_uplevel", LEVELED, ANYTHING, 0, NULL},
    {"timestamp_resolution", TIME_WINDOW, TIME_RESOLUTION, 0, NULL},
    {"compaction_window_unit", TIME_WINDOW, WINDOW_UNIT, 0, NULL},
    {"compaction_window_size", TIME_WINDOW, LONG, 1, "%2$lld must be greater than 1 for %1$s"},
    {"expired_sstable_check_frequency_seconds", TIME_WINDOW, LONG, 0,
     "%s must not be negative, but was %lld"},
    {"unsafe_aggressive_sstable_expiration", TIME_WINDOW, TRUE_FALSE, 0,
     "%s is not 'true' or 'false' (%.*s)"},
    {"scaling_parameters", UNIFIED, ANYTHING, 0, NULL},
    {"base_shard_count", UNIFIED, LONG, 1, "Invalid configuration, %s should be positive: %lld"},
    {"target_sstable_size", UNIFIED, ANYTHING, 0, NULL},
    {"flush_size_override", UNIFIED, ANYTHING, 0, NULL},
    {"max_sstables_to_compact", UNIFIED, LONG, INT64_MIN, NULL},
    {"expired_sstable_check_frequency_seconds", UNIFIED, LONG, 1,
     "Invalid configuration, %s should be positive: %lld"},
    {"unsafe_aggressive_sstable_expiration", UNIFIED, TRUE_FALSE, 0,
     "%s should either be 'true' or 'false', not %.*s"},
    {"overlap_inclusion_method", UNIFIED, OVERLAP, 0, NULL},
    {"min_sstable_size", UNIFIED, ANYTHING, 0, NULL},
    {"sstable_growth", UNIFIED, ANYTHING, 0, NULL},
};

static bool is_one_of(struct slice s, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_is(s, words[i])) return true;
    return false;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the words stand in the table above */
static err_t check_number(const struct compaction_option *o, struct slice v, struct diag *d)
{
    char text[200];
    int64_t n = 0;
    double f = 0;
    bool is = o->check == LONG ? slice_to_i64(v, &n) : slice_to_f64(v, &f);
    if (!is)
        return diag_fail(d, ERR_SCHEMA_CONFIG, "%.*s is not a parsable int (base10) for %s",
                         SLICE_ARG(v), o->name);
    struct buf b = buf_over(text, sizeof(text));
    if (o->check == LONG && n < o->least)
        buf_printf(&b, o->too_small, o->name, (long long)n);
    else if (o->check == DECIMAL && o->too_small && f < (double)o->least)
        buf_printf(&b, o->too_small, o->name, f);
    else
        return ERR_OK;
    return diag_fail(d, ERR_SCHEMA_CONFIG, "%.*s", SLICE_ARG(buf_view(&b)));
}

static err_t check_boolean(const struct compaction_option *o, struct slice v, struct diag *d)
{
    char text[300];
    if (slice_equal_nocase(v, SLICE("true")) || slice_equal_nocase(v, SLICE("false")))
        return ERR_OK;
    struct buf b = buf_over(text, sizeof(text));
    buf_printf(&b, o->too_small, o->name, SLICE_ARG(v));
    return diag_fail(d, ERR_SCHEMA_CONFIG, "%.*s", SLICE_ARG(buf_view(&b)));
}
#pragma GCC diagnostic pop

static err_t check_word(const struct compaction_option *o, struct slice v, struct diag *d)
{
    static const char *const units[] = {"MINUTES", "HOURS", "DAYS"};
    static const char *const resolutions[] = {"SECONDS", "MILLISECONDS", "MICROSECONDS",
                                              "NANOSECONDS"};
    static const char *const overlaps[] = {"NONE", "SINGLE", "TRANSITIVE",
                                           "none", "single", "transitive"};
    if (o->check == OVERLAP && !is_one_of(v, overlaps, COUNT_OF(overlaps)))
        return diag_fail(d, ERR_SCHEMA_CONFIG,
                         "Invalid overlap inclusion method %.*s. The valid options are [NONE, "
                         "SINGLE, TRANSITIVE].",
                         SLICE_ARG(v));
    if ((o->check == WINDOW_UNIT && !is_one_of(v, units, COUNT_OF(units))) ||
        (o->check == TIME_RESOLUTION && !is_one_of(v, resolutions, COUNT_OF(resolutions))))
        return diag_fail(d, ERR_SCHEMA_CONFIG, "%.*s is not valid for %s", SLICE_ARG(v), o->name);
    return ERR_OK;
}

static err_t check_option(const struct compaction_option *o, struct slice v, struct diag *d)
{
    switch (o->check) {
    case ANYTHING: return ERR_OK;
    case TRUE_FALSE: return check_boolean(o, v, d);
    case LONG:
    case DECIMAL: return check_number(o, v, d);
    default: return check_word(o, v, d);
    }
}

static bool all_digits(struct slice s)
{
    for (uint32_t i = 0; i < s.len; i++)
        if (!isdigit(s.at[i])) return false;
    return s.len > 0;
}

static err_t check_thresholds(const struct option_pairs *m, struct diag *d)
{
    int64_t n[2] = {4, 32};
    static const char *const names[] = {"min_threshold", "max_threshold"};
    for (int i = 0; i < 2; i++) {
        const struct slice *v = option_pair(m, names[i]);
        if (v && (!all_digits(*v) || !slice_to_i64(*v, &n[i])))
            return diag_fail(d, ERR_SCHEMA_CONFIG,
                             "Invalid value %.*s for '%s' compaction sub-option - must be an "
                             "integer",
                             SLICE_ARG(*v), names[i]);
    }
    if (n[0] <= 0 || n[1] <= 0)
        return wrong(d, "Disabling compaction by setting compaction thresholds to 0 has been "
                        "removed, set the compaction option 'enabled' to false instead.");
    if (n[0] <= 1)
        return diag_fail(d, ERR_SCHEMA_CONFIG,
                         "Min compaction threshold cannot be less than 2 (got %lld)",
                         (long long)n[0]);
    if (n[0] > n[1])
        return diag_fail(d, ERR_SCHEMA_CONFIG,
                         "Min compaction threshold (got %lld) cannot be greater than max "
                         "compaction threshold (got %lld)",
                         (long long)n[0], (long long)n[1]);
    return ERR_OK;
}

static err_t check_buckets(const struct option_pairs *m, struct diag *d)
{
    double low = 0.5, high = 1.5;
    const struct slice *l = option_pair(m, "bucket_low"), *h = option_pair(m, "bucket_high");
    if ((l && !slice_to_f64(*l, &low)) || (h && !slice_to_f64(*h, &high))) return ERR_OK;
    if (high > low) return ERR_OK;
    char text[80];
    struct buf b = buf_over(text, sizeof(text));
    buf_text(&b, "bucket_high value (");
    put_java_double(&b, high);
    buf_text(&b, ") is less than or equal to the bucket_low value (");
    put_java_double(&b, low);
    return diag_fail(d, ERR_SCHEMA_CONFIG, "%.*s)", SLICE_ARG(buf_view(&b)));
}

/* Each option known to the strategy, each value right. */
static err_t check_compaction(const struct option_pairs *m, int bit, const char *strategy,
                              struct diag *d)
{
    struct option_pairs unknown = {.count = 0};
    for (uint32_t i = 0; i < m->count; i++) {
        const struct compaction_option *known = NULL;
        for (size_t k = 0; k < COUNT_OF(compaction_options) && !known; k++)
            if ((compaction_options[k].strategies & bit) &&
                slice_is(m->at[i].name, compaction_options[k].name))
                known = &compaction_options[k];
        err_t e = known ? check_option(known, m->at[i].value, d) : ERR_OK;
        if (e) return e;
        if (!known) (void)option_pair_set(&unknown, m->at[i].name, m->at[i].value);
    }
    if (bit & TIERED_ALL) {
        err_t e = check_buckets(m, d);
        if (e) return e;
    }
    if (unknown.count) {
        char names[256];
        struct buf b = buf_over(names, sizeof(names));
        put_pair_names(&b, &unknown);
        return diag_fail(d, ERR_SCHEMA_CONFIG, "Properties specified %.*s are not understood by %s",
                         SLICE_ARG(buf_view(&b)), strategy);
    }
    return check_thresholds(m, d);
}

static err_t check_overlapping(const struct option_pairs *m, struct diag *d)
{
    const struct slice *v = option_pair(m, "provide_overlapping_tombstones");
    static const char *const words[] = {"NONE", "ROW", "CELL"};
    if (!v) return ERR_OK;
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (slice_equal_nocase(*v, slice_of(words[i]))) return ERR_OK;
    char upper[64];
    struct buf b = buf_over(upper, sizeof(upper));
    for (uint32_t i = 0; i < v->len; i++) buf_char(&b, (char)toupper(v->at[i]));
    return diag_fail(d, ERR_SCHEMA_CONFIG,
                     "Invalid value %.*s for 'provide_overlapping_tombstones' compaction "
                     "sub-option - must be one of the following [NONE, ROW, CELL].",
                     SLICE_ARG(buf_view(&b)));
}

err_t table_compaction_take(const struct cql_property *p, struct arena *a, struct table_options *io,
                            bool bloom_given, struct diag *d)
{
    struct option_pairs m;
    err_t e = option_pairs_of(p, &m, d);
    if (e) return e;
    const struct slice *c = option_pair(&m, "class");
    if (!c) return wrong(d, "Missing sub-option 'class' for the 'compaction' option");
    struct slice name = *c, full = *c;
    if (!memchr(name.at, '.', name.len)) {
        char *text = arena_printf(a, COMPACTION_PACKAGE "%.*s", SLICE_ARG(name));
        if (!text) return ERR_NO_MEMORY;
        full = slice_of(text);
    } else if (slice_starts(name, COMPACTION_PACKAGE)) {
        name =
            slice_make(name.at + strlen(COMPACTION_PACKAGE), name.len - strlen(COMPACTION_PACKAGE));
    }
    size_t at = 0;
    while (at < COUNT_OF(strategies) && !slice_is(name, strategies[at].name)) at++;
    if (at == COUNT_OF(strategies))
        return diag_fail(d, ERR_SCHEMA_CONFIG, "Unable to find compaction strategy class '%.*s'",
                         SLICE_ARG(full));
    option_pair_remove(&m, "class");
    e = check_overlapping(&m, d);
    if (!e && (strategies[at].bit & TIERED_ALL)) {
        if (!option_pair(&m, "min_threshold"))
            (void)option_pair_set(&m, SLICE("min_threshold"), SLICE("4"));
        if (!option_pair(&m, "max_threshold"))
            (void)option_pair_set(&m, SLICE("max_threshold"), SLICE("32"));
    }
    if (!e) e = check_compaction(&m, (int)strategies[at].bit, strategies[at].name, d);
    if (e) return e;
    if (!option_pair_set(&m, SLICE("class"), full))
        return diag_fail(d, ERR_TOO_BIG, "'compaction' has too many entries");
    io->value[OPTION_compaction] = option_pairs_text(&m, a);
    struct slice *bloom = &io->value[OPTION_bloom_filter_fp_chance];
    if (!bloom_given && slice_is(*bloom, "0.01") && strategies[at].bit == LEVELED)
        *bloom = SLICE("0.1");
    return io->value[OPTION_compaction].at ? ERR_OK : ERR_NO_MEMORY;
}
