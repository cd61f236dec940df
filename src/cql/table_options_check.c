/* table_options_check: what may stand behind an option's name: TableAttributes, TableParams,
 * CachingParams, CompactionParams and the strategies' validateOptions, CompressionParams,
 * SpeculativeRetryPolicy. */
#include "cql/table_options.h"
#include <ctype.h>
#include <math.h>

#define COMPRESSION_PACKAGE "org.apache.cassandra.io.compress."
enum { MAX_TTL = 630720000 }; /* 20 years */
#define MIN_BLOOM_CHANCE 6.71e-5

static err_t wrong(struct diag *d, const char *text)
{
    return diag_fail(d, ERR_SCHEMA_CONFIG, "%s", text);
}

static struct slice text_slice(struct arena *a, const char *text)
{
    return arena_slice(a, slice_of(text));
}

/* --- caching
 * ------------------------------------------------------------------------------------------ */

static err_t caching_take(const struct cql_property *p, struct arena *a, struct slice *out,
                          struct diag *d)
{
    struct option_pairs m, canonical = {.count = 0};
    err_t e = option_pairs_of(p, &m, d);
    if (e) return e;
    struct slice keys = SLICE("NONE"), rows = SLICE("NONE");
    const struct slice *k = option_pair(&m, "keys"), *r = option_pair(&m, "rows_per_partition");
    if (k && slice_equal_nocase(*k, SLICE("ALL")))
        keys = SLICE("ALL");
    else if (k && !slice_equal_nocase(*k, keys))
        return diag_fail(d, ERR_SCHEMA_CONFIG,
                         "Invalid value '%.*s' for caching sub-option 'keys': only 'ALL' and "
                         "'NONE' are allowed",
                         SLICE_ARG(*k));
    int64_t n = 0;
    if (r && slice_equal_nocase(*r, SLICE("ALL")))
        rows = SLICE("ALL");
    else if (r && slice_to_i64(*r, &n) && n >= 0 && n <= INT32_MAX)
        rows = n == 0 ? rows : n == INT32_MAX ? SLICE("ALL") : *r;
    else if (r && !slice_equal_nocase(*r, rows))
        return diag_fail(d, ERR_SCHEMA_CONFIG,
                         "Invalid value '%.*s' for caching sub-option 'rows_per_partition': only "
                         "'ALL', 'NONE', and integer values are allowed",
                         SLICE_ARG(*r));
    option_pair_remove(&m, "keys");
    option_pair_remove(&m, "rows_per_partition");
    if (m.count) {
        char names[256];
        struct buf b = buf_over(names, sizeof(names));
        put_pair_names(&b, &m);
        return diag_fail(d, ERR_SCHEMA_CONFIG,
                         "Invalid caching sub-options %.*s: only 'keys' and 'rows_per_partition' "
                         "are allowed",
                         SLICE_ARG(buf_view(&b)));
    }
    (void)option_pair_set(&canonical, SLICE("keys"), keys);
    (void)option_pair_set(&canonical, SLICE("rows_per_partition"), rows);
    *out = option_pairs_text(&canonical, a);
    return out->at ? ERR_OK : ERR_NO_MEMORY;
}

/* --- compression
 * ---------------------------------------------------------------------------------------- */

static err_t check_chunk(struct option_pairs *m, struct arena *a, struct diag *d)
{
    const struct slice *v = option_pair(m, "chunk_length_in_kb");
    int64_t kb = 16;
    if (v && !slice_to_i64(*v, &kb)) return wrong(d, "Invalid value for chunk_length_in_kb");
    if (kb > INT32_MAX / 1024)
        return diag_fail(d, ERR_SCHEMA_CONFIG, "Value of chunk_length_in_kb is too large (%lld)",
                         (long long)kb);
    if (kb <= 0) return wrong(d, "Invalid negative or null chunk_length_in_kb");
    if (kb & (kb - 1)) return wrong(d, "chunk_length_in_kb must be a power of 2");
    char *text = arena_printf(a, "%lld", (long long)kb);
    if (!text) return ERR_NO_MEMORY;
    (void)option_pair_set(m, SLICE("chunk_length_in_kb"), slice_of(text));
    return ERR_OK;
}

static err_t check_ratio(struct option_pairs *m, struct arena *a, struct diag *d)
{
    const struct slice *v = option_pair(m, "min_compress_ratio");
    double ratio = 0;
    if (!v) return ERR_OK;
    if (!slice_to_f64(*v, &ratio))
        return diag_fail(d, ERR_SCHEMA_CONFIG, "Invalid value for min_compress_ratio");
    if (ratio < 0) return wrong(d, "Invalid negative min_compress_ratio");
    if (ratio > 0 && ratio < 1)
        return wrong(d, "min_compress_ratio can either be 0 or greater than or equal to 1");
    option_pair_remove(m, "min_compress_ratio");
    if (ratio == 0) return ERR_OK;
    char text[40];
    struct buf b = buf_over(text, sizeof(text));
    put_java_double(&b, ratio);
    (void)option_pair_set(m, SLICE("min_compress_ratio"), arena_slice(a, buf_view(&b)));
    return ERR_OK;
}

static err_t check_compressor(struct option_pairs *m, struct slice *full, struct arena *a,
                              struct diag *d)
{
    static const char *const names[] = {"LZ4Compressor", "SnappyCompressor", "DeflateCompressor",
                                        "ZstdCompressor", "NoopCompressor"};
    static const char *const own[][2] = {{"lz4_compressor_type", "lz4_high_compressor_level"},
                                         {NULL, NULL},
                                         {NULL, NULL},
                                         {"compression_level", NULL},
                                         {NULL, NULL}};
    struct slice name = *option_pair(m, "class");
    if (name.len == 0)
        return wrong(d, "The 'class' option must not be empty. To disable compression use "
                        "'enabled' : false");
    char *text = memchr(name.at, '.', name.len)
                     ? arena_text(a, name)
                     : arena_printf(a, COMPRESSION_PACKAGE "%.*s", SLICE_ARG(name));
    if (!text) return ERR_NO_MEMORY;
    *full = slice_of(text);
    size_t at = 0;
    while (at < COUNT_OF(names) && !(slice_starts(*full, COMPRESSION_PACKAGE) &&
                                     strcmp(text + strlen(COMPRESSION_PACKAGE), names[at]) == 0))
        at++;
    if (at == COUNT_OF(names))
        return diag_fail(d, ERR_SCHEMA_CONFIG, "Could not create Compression for type %s", text);
    for (uint32_t i = 0; i < m->count; i++) {
        struct slice n = m->at[i].name;
        bool known = slice_is(n, "class") || slice_is(n, "chunk_length_in_kb") ||
                     slice_is(n, "min_compress_ratio");
        for (int k = 0; k < 2; k++) known = known || (own[at][k] && slice_is(n, own[at][k]));
        if (!known)
            return diag_fail(d, ERR_SCHEMA_CONFIG, "Unknown compression options %.*s",
                             SLICE_ARG(n));
    }
    return ERR_OK;
}

static err_t compression_take(const struct cql_property *p, struct arena *a, struct slice *out,
                              struct diag *d)
{
    struct option_pairs m;
    err_t e = option_pairs_of(p, &m, d);
    if (e) return e;
    const struct slice *enabled = option_pair(&m, "enabled");
    bool on = !enabled || slice_equal_nocase(*enabled, SLICE("true"));
    if (m.count && on && !option_pair(&m, "class"))
        return wrong(d, "Missing sub-option 'class' for the 'compression' option.");
    option_pair_remove(&m, "enabled");
    if (!on && m.count)
        return wrong(d, "If the 'enabled' option is set to false no other options must be "
                        "specified");
    if (m.count) {
        struct slice full = {0};
        e = check_compressor(&m, &full, a, d);
        if (!e) e = check_chunk(&m, a, d);
        if (!e) e = check_ratio(&m, a, d);
        if (e) return e;
        (void)option_pair_set(&m, SLICE("class"), full);
    } else {
        (void)option_pair_set(&m, SLICE("enabled"), SLICE("false"));
    }
    *out = option_pairs_text(&m, a);
    return out->at ? ERR_OK : ERR_NO_MEMORY;
}

/* --- when to ask another replica
 * ------------------------------------------------------------------------- */

static err_t bad_policy(struct slice v, struct diag *d)
{
    return diag_fail(d, ERR_SCHEMA_CONFIG, "Invalid value %.*s for option 'speculative_retry'",
                     SLICE_ARG(v));
}

static struct slice trim_unit(struct slice v, const char *unit, bool *is)
{
    uint32_t n = (uint32_t)strlen(unit);
    *is = v.len > n && slice_equal_nocase(slice_make(v.at + v.len - n, n), slice_of(unit));
    for (uint32_t i = 0; *is && i < v.len - n; i++) *is = isdigit(v.at[i]) || v.at[i] == '.';
    return *is ? slice_make(v.at, v.len - n) : v;
}

/* "99PERCENTILE" -> "99p" (kind 1), "50.5ms" -> "50ms" (kind 2). */
static err_t plain_policy(struct slice v, struct slice whole, struct arena *a, struct slice *out,
                          int *kind, struct diag *d)
{
    bool is;
    double n = 0;
    char text[48];
    struct slice number = trim_unit(v, "ms", &is);
    *kind = 2;
    if (!is) {
        *kind = 1;
        number = trim_unit(v, "percentile", &is);
        if (!is) number = trim_unit(v, "p", &is);
    }
    if (!is || !slice_to_f64(number, &n)) return bad_policy(whole, d);
    struct buf b = buf_over(text, sizeof(text));
    if (*kind == 2) {
        buf_printf(&b, "%dms", n > INT32_MAX ? INT32_MAX : (int)n);
    } else {
        if (n <= 0 || n >= 100)
            return diag_fail(d, ERR_SCHEMA_CONFIG,
                             "Invalid value %.*s for PERCENTILE option 'speculative_retry': must "
                             "be between (0.0 and 100.0)",
                             SLICE_ARG(v));
        buf_printf(&b, "%.4f", n);
        while (b.len && b.at[b.len - 1] == '0') b.len--;
        if (b.len && b.at[b.len - 1] == '.') b.len--;
        buf_char(&b, 'p');
    }
    *out = arena_slice(a, buf_view(&b));
    return out->at ? ERR_OK : ERR_NO_MEMORY;
}

static err_t two_policies(struct slice v, const char *function, struct arena *a, struct slice *out,
                          struct diag *d)
{
    const uint8_t *comma = memchr(v.at, ',', v.len);
    if (!comma || v.len < 6 || v.at[v.len - 1] != ')') return bad_policy(v, d);
    struct slice parts[2] = {slice_trim(slice_make(v.at + 4, (size_t)(comma - v.at) - 4)),
                             slice_trim(slice_make(comma + 1, (size_t)(v.at + v.len - comma) - 2))};
    struct slice said[2];
    int kinds[2];
    for (int i = 0; i < 2; i++)
        if (plain_policy(parts[i], v, a, &said[i], &kinds[i], d)) return bad_policy(v, d);
    if (kinds[0] == kinds[1])
        return diag_fail(d, ERR_SCHEMA_CONFIG,
                         "Invalid value %.*s for option 'speculative_retry': MIN()/MAX() arguments "
                         "should be of different types, but both are of type %s",
                         SLICE_ARG(v), kinds[0] == 1 ? "PERCENTILE" : "FIXED");
    int first = kinds[0] == 1 ? 0 : 1;
    char *text = arena_printf(a, "%s(%.*s,%.*s)", function, SLICE_ARG(said[first]),
                              SLICE_ARG(said[1 - first]));
    if (!text) return ERR_NO_MEMORY;
    *out = slice_of(text);
    return ERR_OK;
}

static err_t policy_take(const struct cql_property *p, struct arena *a, struct slice *out,
                         struct diag *d)
{
    struct slice v;
    int kind;
    err_t e = property_text(p, &v, d);
    if (e) return e;
    if (slice_equal_nocase(v, SLICE("ALWAYS")) || slice_equal_nocase(v, SLICE("NEVER"))) {
        *out = toupper(v.at[0]) == 'A' ? SLICE("ALWAYS") : SLICE("NEVER");
        return ERR_OK;
    }
    if (v.len > 4 && slice_equal_nocase(slice_make(v.at, 4), SLICE("MIN(")))
        return two_policies(v, "MIN", a, out, d);
    if (v.len > 4 && slice_equal_nocase(slice_make(v.at, 4), SLICE("MAX(")))
        return two_policies(v, "MAX", a, out, d);
    return plain_policy(v, v, a, out, &kind, d);
}

/* --- the others
 * ------------------------------------------------------------------------------------------ */

static err_t read_repair_take(const struct cql_property *p, struct slice *out, struct diag *d)
{
    struct slice v;
    err_t e = property_text(p, &v, d);
    if (e) return e;
    if (slice_equal_nocase(v, SLICE("BLOCKING")) || slice_equal_nocase(v, SLICE("NONE"))) {
        *out = toupper(v.at[0]) == 'B' ? SLICE("BLOCKING") : SLICE("NONE");
        return ERR_OK;
    }
    char upper[64];
    struct buf b = buf_over(upper, sizeof(upper));
    for (uint32_t i = 0; i < v.len; i++) buf_char(&b, (char)toupper(v.at[i]));
    return diag_fail(d, ERR_INVALID,
                     "No enum constant org.apache.cassandra.service.reads.repair."
                     "ReadRepairStrategy.%.*s",
                     SLICE_ARG(buf_view(&b)));
}

static err_t memtable_take(const struct cql_property *p, struct slice *out, struct diag *d)
{
    struct slice v;
    err_t e = property_text(p, &v, d);
    if (e) return e;
    if (!slice_is(v, "default"))
        return diag_fail(d, ERR_SCHEMA_CONFIG, "Memtable configuration \"%.*s\" not found.",
                         SLICE_ARG(v));
    *out = SLICE("default");
    return ERR_OK;
}

static err_t simple_take(const struct cql_property *p, enum table_option_kind kind, struct arena *a,
                         struct slice *out, struct diag *d)
{
    bool flag = false;
    int32_t n = 0;
    double f = 0;
    char text[48];
    struct buf b = buf_over(text, sizeof(text));
    err_t e = kind == OPTION_BOOL     ? property_bool(p, &flag, d)
              : kind == OPTION_INT    ? property_int(p, &n, d)
              : kind == OPTION_DOUBLE ? property_double(p, &f, d)
                                      : property_text(p, out, d);
    if (e || kind == OPTION_TEXT) return e;
    if (kind == OPTION_BOOL) buf_text(&b, flag ? "true" : "false");
    if (kind == OPTION_INT) buf_printf(&b, "%d", n);
    if (kind == OPTION_DOUBLE) put_java_double(&b, f);
    *out = text_slice(a, buf_cstr(&b));
    return out->at ? ERR_OK : ERR_NO_MEMORY;
}

static err_t option_take(const struct cql_property *p, int at, struct arena *a,
                         struct table_options *io, bool bloom_given, struct diag *d)
{
    struct slice *out = &io->value[at];
    switch (at) {
    case OPTION_caching: return caching_take(p, a, out, d);
    case OPTION_compaction: return table_compaction_take(p, a, io, bloom_given, d);
    case OPTION_compression: return compression_take(p, a, out, d);
    case OPTION_memtable: return memtable_take(p, out, d);
    case OPTION_read_repair: return read_repair_take(p, out, d);
    case OPTION_speculative_retry:
    case OPTION_additional_write_policy: return policy_take(p, a, out, d);
    case OPTION_extensions: return ERR_OK; /* a legal name; nothing can be set by CQL */
    default: return simple_take(p, table_option_kinds[at], a, out, d);
    }
}

static int64_t number_of(const struct table_options *o, int at)
{
    int64_t n = 0;
    INVARIANT(slice_to_i64(o->value[at], &n));
    return n;
}

/* TableParams.validate: ranges. */
static err_t check_ranges(const struct table_options *o, struct diag *d)
{
    double bloom = 0, crc = 0;
    INVARIANT(slice_to_f64(o->value[OPTION_bloom_filter_fp_chance], &bloom));
    INVARIANT(slice_to_f64(o->value[OPTION_crc_check_chance], &crc));
    int64_t ttl = number_of(o, OPTION_default_time_to_live);
    int64_t least = number_of(o, OPTION_min_index_interval);
    int64_t most = number_of(o, OPTION_max_index_interval);
    if (!(bloom > MIN_BLOOM_CHANCE && bloom <= 1))
        return diag_fail(d, ERR_SCHEMA_CONFIG,
                         "bloom_filter_fp_chance must be larger than 6.71E-5 and less than or "
                         "equal to 1.0 (got %.*s)",
                         SLICE_ARG(o->value[OPTION_bloom_filter_fp_chance]));
    if (!(crc >= 0 && crc <= 1))
        return diag_fail(d, ERR_SCHEMA_CONFIG,
                         "crc_check_chance must be larger than or equal to 0 and smaller than or "
                         "equal to 1.0 (got %.*s)",
                         SLICE_ARG(o->value[OPTION_crc_check_chance]));
    if (ttl > MAX_TTL)
        return diag_fail(d, ERR_SCHEMA_CONFIG,
                         "default_time_to_live must be less than or equal to %d (got %lld)",
                         MAX_TTL, (long long)ttl);
    static const int at_least_0[] = {OPTION_default_time_to_live, OPTION_gc_grace_seconds};
    for (size_t i = 0; i < COUNT_OF(at_least_0); i++)
        if (number_of(o, at_least_0[i]) < 0)
            return diag_fail(d, ERR_SCHEMA_CONFIG,
                             "%s must be greater than or equal to 0 (got %.*s)",
                             table_option_names[at_least_0[i]], SLICE_ARG(o->value[at_least_0[i]]));
    if (least < 1)
        return diag_fail(d, ERR_SCHEMA_CONFIG,
                         "min_index_interval must be greater than or equal to 1 (got %lld)",
                         (long long)least);
    if (most < least)
        return diag_fail(d, ERR_SCHEMA_CONFIG,
                         "max_index_interval must be greater than or equal to min_index_interval "
                         "(%lld) (got %lld)",
                         (long long)least, (long long)most);
    if (number_of(o, OPTION_memtable_flush_period_in_ms) < 0)
        return diag_fail(d, ERR_SCHEMA_CONFIG,
                         "memtable_flush_period_in_ms must be greater than or equal to 0 (got "
                         "%lld)",
                         (long long)number_of(o, OPTION_memtable_flush_period_in_ms));
    return ERR_OK;
}

/* In the order in which TableAttributes takes them: the first that is wrong is told. */
static const uint8_t take_order[] = {OPTION_allow_auto_snapshot,
                                     OPTION_bloom_filter_fp_chance,
                                     OPTION_caching,
                                     OPTION_comment,
                                     OPTION_compaction,
                                     OPTION_compression,
                                     OPTION_memtable,
                                     OPTION_default_time_to_live,
                                     OPTION_gc_grace_seconds,
                                     OPTION_incremental_backups,
                                     OPTION_max_index_interval,
                                     OPTION_memtable_flush_period_in_ms,
                                     OPTION_min_index_interval,
                                     OPTION_speculative_retry,
                                     OPTION_additional_write_policy,
                                     OPTION_crc_check_chance,
                                     OPTION_cdc,
                                     OPTION_read_repair,
                                     OPTION_extensions};

err_t table_options_take(const struct cql_properties *p, struct arena *a, struct table_options *io,
                         struct diag *d)
{
    const struct cql_property *given[TABLE_OPTIONS] = {0};
    for (uint32_t i = 0; i < p->count; i++) {
        if (slice_is(p->items[i].name, "id")) continue;
        int at = 0;
        while (at < TABLE_OPTIONS && !slice_is(p->items[i].name, table_option_names[at])) at++;
        if (at == TABLE_OPTIONS)
            return diag_fail(d, ERR_SYNTAX, "Unknown property '%.*s'", SLICE_ARG(p->items[i].name));
        if (given[at])
            return diag_fail(d, ERR_SYNTAX, "Multiple definitions for property '%s'",
                             table_option_names[at]);
        given[at] = &p->items[i];
    }
    for (size_t i = 0; i < COUNT_OF(take_order); i++) {
        int at = take_order[i];
        err_t e = given[at] ? option_take(given[at], at, a, io,
                                          given[OPTION_bloom_filter_fp_chance] != NULL, d)
                            : ERR_OK;
        if (e == ERR_NO_MEMORY) return diag_fail(d, e, "no memory for the table's options");
        if (e) return e;
    }
    return check_ranges(io, d);
}
