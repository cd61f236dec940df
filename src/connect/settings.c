/* Options: what stands in WITH (…), checked against the tables. */
#include "base/unit.h"
#include "connect/connect_int.h"

const struct connect_option connect_common_options[] = {
#define OPTION(name, kind, fallback, min, max, about)                                              \
    {#name, OPTION_##kind, fallback, min, max, about},
#include "connect/common.def"
#undef OPTION
};
const size_t connect_common_option_count = COUNT_OF(connect_common_options);
enum common_id {
#define OPTION(name, kind, fallback, min, max, about) COMMON_##name,
#include "connect/common.def"
#undef OPTION
};

static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};
static const char *const kind_forms[] = {
    [OPTION_TEXT] = "text, like 'us,gb'",
    [OPTION_INT] = "a whole number, like 10",
    [OPTION_BOOL] = "true or false",
    [OPTION_DURATION] = "a time, like '10s', '500ms' or '5m'",
    [OPTION_BYTES] = "a size, like '64KiB' or '8MiB'",
    [OPTION_RATE] = "a rate, like '20000/5m' or '100/s'",
    [OPTION_PATH] = "the path of a file",
};

/* "20000/5m", "100/s". */
static bool parse_rate(struct slice text, int64_t *number, int64_t *per)
{
    uint32_t slash = 0;
    while (slash < text.len && text.at[slash] != '/') slash++;
    if (slash == text.len) return false;
    struct slice left = slice_trim(slice_make(text.at, slash));
    struct slice right = slice_trim(slice_make(text.at + slash + 1, text.len - slash - 1));
    if (!slice_to_i64(left, number) || *number < 1 || right.len == 0) return false;
    if (right.at[0] >= '0' && right.at[0] <= '9') return unit_parse_ms(right, per) && *per > 0;
    char with_one[32];
    struct buf b = buf_over(with_one, sizeof(with_one));
    buf_printf(&b, "1%.*s", SLICE_ARG(right));
    return !b.err && unit_parse_ms(buf_view(&b), per) && *per > 0;
}

static bool parse_bool(struct slice text, int64_t *out)
{
    static const char *const words[] = {"false", "true", "off", "on", "no", "yes", "0", "1"};
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (slice_equal_nocase(text, slice_of(words[i]))) {
            *out = (int64_t)(i & 1);
            return true;
        }
    return false;
}

static bool parse_value(const struct connect_option *o, struct connect_setting *s)
{
    switch (o->kind) {
    case OPTION_INT: return slice_to_i64(s->text, &s->number);
    case OPTION_BOOL: return parse_bool(s->text, &s->number);
    case OPTION_DURATION: return unit_parse_ms(s->text, &s->number);
    case OPTION_BYTES: return unit_parse_bytes(s->text, &s->number);
    case OPTION_RATE: return parse_rate(s->text, &s->number, &s->per);
    case OPTION_TEXT:
    case OPTION_PATH: return true;
    }
    return false;
}

static err_t set_value(const struct connect_option *o, struct slice value,
                       struct connect_setting *s, struct diag *d)
{
    s->text = slice_trim(value);
    if (!parse_value(o, s)) {
        (void)diag_fail(d, ERR_CONFIG, "option %s does not take '%.*s'", o->name,
                        SLICE_ARG(s->text));
        return diag_hint(d, "%s is %s", o->name, kind_forms[o->kind]);
    }
    bool number = o->kind == OPTION_INT || o->kind == OPTION_DURATION || o->kind == OPTION_BYTES;
    if (!number || (s->number >= o->min && s->number <= o->max)) return ERR_OK;
    (void)diag_fail(d, ERR_CONFIG, "option %s is %.*s, which is out of range", o->name,
                    SLICE_ARG(s->text));
    const char *unit = o->kind == OPTION_DURATION ? " ms" : o->kind == OPTION_BYTES ? " bytes" : "";
    return diag_hint(d, "%s goes from %lld to %lld%s", o->name, (long long)o->min,
                     (long long)o->max, unit);
}

static err_t unknown_option(const struct connect_kind *k, struct slice name, struct diag *d)
{
    const char *names[128];
    size_t count = 0;
    for (size_t i = 0; i < k->option_count && count < COUNT_OF(names); i++)
        names[count++] = k->options[i].name;
    for (size_t i = 0; i < connect_common_option_count && count < COUNT_OF(names); i++)
        names[count++] = connect_common_options[i].name;
    const char *near = nearest_word(name, names, count);
    (void)diag_fail(d, ERR_CONFIG, "a source of kind %s has no option '%.*s'", k->name,
                    SLICE_ARG(name));
    if (near) return diag_hint(d, "did you mean %s?", near);
    return diag_hint(d, "`sluice help sources` lists the options of each kind");
}

static const struct connect_option *option_find(const struct connect_option *options, size_t count,
                                                struct slice name, size_t *index)
{
    for (*index = 0; *index < count; ++*index)
        if (slice_equal_nocase(name, slice_of(options[*index].name))) return &options[*index];
    return NULL;
}

static err_t take_one(const struct connect_kind *k, const struct connect_given *g,
                      struct connect_setting *own, struct connect_setting *shared, struct diag *d)
{
    size_t at;
    struct connect_setting *s = own;
    const struct connect_option *o = option_find(k->options, k->option_count, g->name, &at);
    if (!o) {
        o = option_find(connect_common_options, connect_common_option_count, g->name, &at);
        s = shared;
    }
    if (!o) return unknown_option(k, g->name, d);
    if (s[at].given) return diag_fail(d, ERR_CONFIG, "option %s is given twice", o->name);
    s[at].given = true;
    return set_value(o, g->value, &s[at], d);
}

static err_t take_fallbacks(const struct connect_option *options, size_t count,
                            struct connect_setting *s, struct diag *d)
{
    for (size_t i = 0; i < count; i++) {
        if (s[i].given || !options[i].fallback) continue;
        if (options[i].fallback[0] == 0) {
            (void)diag_fail(d, ERR_CONFIG, "option %s must be given", options[i].name);
            return diag_hint(d, "%s: %s", options[i].name, options[i].about);
        }
        err_t e = set_value(&options[i], slice_of(options[i].fallback), &s[i], d);
        if (e) return e;
    }
    return ERR_OK;
}

static err_t common_of(const struct connect_setting *s, struct connect_common *out, struct diag *d)
{
    *out = (struct connect_common){.key = s[COMMON_key].text,
                                   .time = s[COMMON_time].text,
                                   .every_ms = s[COMMON_every].number,
                                   .answers_max = (uint64_t)s[COMMON_answers].number,
                                   .records_max = (uint64_t)s[COMMON_records].number,
                                   .codec = -1};
    for (size_t i = 0; i < COUNT_OF(codecs); i++)
        if (slice_equal_nocase(s[COMMON_codec].text, slice_of(codecs[i]))) out->codec = (int)i;
    if (out->codec >= 0) return ERR_OK;
    const char *near = nearest_word(s[COMMON_codec].text, codecs, COUNT_OF(codecs));
    (void)diag_fail(d, ERR_CONFIG, "there is no codec '%.*s'", SLICE_ARG(s[COMMON_codec].text));
    return diag_hint(d, near ? "did you mean %s?" : "codecs are none, gzip, snappy, lz4 and zstd%s",
                     near ? near : "");
}

err_t connect_settings(const struct connect_kind *k, const struct connect_given *given,
                       size_t count, const char *file, struct arena *a,
                       struct connect_setting **out, struct connect_common *common, struct diag *d)
{
    struct connect_setting shared[COUNT_OF(connect_common_options)] = {0};
    struct diag unheard = {0};
    if (!d) d = &unheard; /* the chain of diag_ verbs answers the error it holds */
    size_t bytes = MAX(k->option_count, (size_t)1) * sizeof(struct connect_setting);
    *out = (struct connect_setting *)arena_take(a, bytes);
    if (!*out) return diag_fail(d, ERR_NO_MEMORY, "no memory for the options of a source");
    for (size_t i = 0; i < count; i++) {
        if (take_one(k, &given[i], *out, shared, d))
            return diag_where(d, "%s:%u:%u", file, given[i].line, given[i].column);
    }
    err_t e = take_fallbacks(k->options, k->option_count, *out, d);
    if (!e) e = take_fallbacks(connect_common_options, connect_common_option_count, shared, d);
    if (!e) e = common_of(shared, common, d);
    for (size_t i = 0; e && shared[COMMON_codec].given && i < count; i++)
        if (slice_equal_nocase(given[i].name, SLICE("codec")) && !d->where[0])
            return diag_where(d, "%s:%u:%u", file, given[i].line, given[i].column);
    return e;
}
