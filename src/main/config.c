#include "main/config.h"

#include "base/say.h"
#include "base/unit.h"
#include "main/yaml.h"
#include "sched/zone.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    CONFIG_FILE_MAX = 1 << 20,
    CONFIG_BYTES_MAX = 4 << 20,
    CONFIG_TREE_MAX = 256 << 20, /* of a file full of brackets */
    CONFIG_DEPTH_MAX = 8,
    CONFIG_KEY_MAX = 128
};

const struct config_row config_rows[] = {
#define START CONFIG_START
#define LIVE  CONFIG_LIVE
#define CONFIG(key, field, kind, fallback, min, max, when, about)                                  \
    {key, fallback, about, CONFIG_##kind, when, min, max},
#include "main/config.def"
#undef CONFIG
#undef START
#undef LIVE
};
const size_t config_row_count = COUNT_OF(config_rows);

static bool parse_bool(struct slice text, int64_t *out)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (!slice_equal_nocase(text, slice_of(words[i]))) continue;
        *out = (int64_t)(i & 1);
        return true;
    }
    return false;
}

static bool parse_level(struct slice text, int64_t *out)
{
    enum say_level level;
    if (!say_level_parse(text, &level)) return false;
    *out = level;
    return true;
}

static bool parse_address(struct slice text)
{
    bool colon = false;
    if (text.len == 0 || text.len > 45) return false;
    for (uint32_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        colon |= c == ':';
        if (!(c == '.' || c == ':' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
              (c >= 'A' && c <= 'F')))
            return false;
    }
    return colon || memchr(text.at, '.', text.len);
}

/* What a kind takes, in words, for the error. */
static const char *const kind_wants[] = {
    [CONFIG_TEXT] = "a word",
    [CONFIG_ADDRESS] = "an IP address, for example 127.0.0.1",
    [CONFIG_PORT] = "a port from 0 to 65535, or -1 for off",
    [CONFIG_BOOL] = "true or false",
    [CONFIG_INT] = "a whole number",
    [CONFIG_BYTES] = "a size, for example 64MiB",
    [CONFIG_MS] = "a time, for example 500ms, 10s or 7d",
    [CONFIG_LEVEL] = "debug, info, warn, error or off",
    [CONFIG_PATH] = "a file's path, or nothing",
    [CONFIG_ZONE] = "a time zone, for example UTC, Europe/Berlin or +05:30",
};

static bool parse_zone(struct slice text)
{
    const struct zone *z;
    return zone_find(text, &z, NULL) == ERR_OK;
}

static bool parse_value(const struct config_row *row, struct slice text, int64_t *out)
{
    *out = 0;
    switch (row->kind) {
    case CONFIG_TEXT: return text.len > 0;
    case CONFIG_PATH: return true;
    case CONFIG_ZONE: return parse_zone(text);
    case CONFIG_ADDRESS: return parse_address(text);
    case CONFIG_BOOL: return parse_bool(text, out);
    case CONFIG_LEVEL: return parse_level(text, out);
    case CONFIG_PORT:
    case CONFIG_INT: return slice_to_i64(text, out);
    case CONFIG_BYTES: return unit_parse_bytes(text, out);
    case CONFIG_MS: return unit_parse_ms(text, out);
    }
    return false;
}

static err_t unknown_key(struct slice key, struct diag *d)
{
    const char *names[CONFIG_ROWS];
    for (size_t i = 0; i < CONFIG_ROWS; i++) names[i] = config_rows[i].key;
    const char *near = nearest_word(key, names, CONFIG_ROWS);
    (void)diag_fail(d, ERR_CONFIG, "there is no setting '%.*s'", SLICE_ARG(key));
    if (near) return diag_hint(d, "did you mean '%s'? `sluice help settings` lists all", near);
    return diag_hint(d, "`sluice help settings` lists all");
}

/* The row of a key, or CONFIG_ROWS with the story told. */
static size_t row_of(struct slice key, struct diag *d)
{
    size_t id = 0;
    while (id < CONFIG_ROWS && !slice_is(key, config_rows[id].key)) id++;
    if (id == CONFIG_ROWS) (void)unknown_key(key, d);
    return id;
}

static bool has_range(enum config_kind kind)
{
    return kind == CONFIG_PORT || kind == CONFIG_INT || kind == CONFIG_BYTES || kind == CONFIG_MS;
}

static const char *fallback_text(const struct config_row *r)
{
    return r->fallback[0] ? r->fallback : "none";
}

static err_t wrong_value(const struct config_row *row, struct slice text, struct diag *d)
{
    struct diag zone = {0};
    const struct zone *z;
    (void)diag_fail(d, ERR_CONFIG, "%s can not be '%.*s'", row->key, SLICE_ARG(text));
    if (row->kind == CONFIG_ZONE && zone_find(text, &z, &zone)) /* it knows the nearest name */
        return diag_hint(d, "%s", zone.hint);
    return diag_hint(d, "it takes %s; the default is %s", kind_wants[row->kind],
                     fallback_text(row));
}

static err_t assign(struct config *c, size_t id, struct slice text, const char *source,
                    struct diag *d)
{
    const struct config_row *row = &config_rows[id];
    struct config_value v = {.number = 0};
    if (!parse_value(row, text, &v.number)) return wrong_value(row, text, d);
    if (has_range(row->kind) && (v.number < row->min || v.number > row->max)) {
        (void)diag_fail(d, ERR_RANGE, "%s can not be %.*s", row->key, SLICE_ARG(text));
        return diag_hint(d, "it takes %s, from %lld to %lld; the default is %s",
                         kind_wants[row->kind], (long long)row->min, (long long)row->max,
                         row->fallback);
    }
    v.text = arena_text(c->arena, text);
    if (!v.text) return diag_fail(d, ERR_NO_MEMORY, "the configuration is too large");
    snprintf(v.source, sizeof(v.source), "%s", source);
    c->values[id] = v;
    return ERR_OK;
}

err_t config_init(struct config *c, struct diag *d)
{
    err_t e = ERR_OK;
    c->arena = arena_new(CONFIG_BYTES_MAX);
    if (!c->arena) return diag_fail(d, ERR_NO_MEMORY, "no memory for the configuration");
    for (size_t i = 0; i < CONFIG_ROWS && !e; i++)
        e = assign(c, i, slice_of(config_rows[i].fallback), "default", d);
    return e;
}

void config_done(struct config *c)
{
    arena_free(c->arena);
    *c = (struct config){0};
}

err_t config_set(struct config *c, const char *assignment, struct diag *d)
{
    const char *equals = strchr(assignment, '=');
    if (!equals) {
        (void)diag_fail(d, ERR_USAGE, "--set takes key=value, not '%s'", assignment);
        return diag_hint(d, "for example --set api.port=8001");
    }
    size_t id = row_of(slice_make(assignment, (size_t)(equals - assignment)), d);
    return id == CONFIG_ROWS ? ERR_CONFIG : assign(c, id, slice_of(equals + 1), "--set", d);
}

/* kafka.tls_port -> SLUICE_KAFKA_TLS_PORT */
static void variable_of(const char *key, char out[CONFIG_KEY_MAX])
{
    size_t n = (size_t)snprintf(out, CONFIG_KEY_MAX, "SLUICE_%s", key);
    for (size_t i = 0; i < n; i++)
        out[i] = out[i] == '.' ? '_' : (char)(out[i] - (out[i] >= 'a' && out[i] <= 'z' ? 32 : 0));
}

err_t config_environment(struct config *c, struct diag *d)
{
    char name[CONFIG_KEY_MAX];
    for (size_t i = 0; i < CONFIG_ROWS; i++) {
        variable_of(config_rows[i].key, name);
        const char *value = getenv(name);
        if (value && assign(c, i, slice_of(value), name, d))
            return diag_where(d, "the environment, %s", name);
    }
    return ERR_OK;
}

/* --- sluice.yaml: nested maps become dotted keys ---------------------------------------------- */

struct loading {
    struct config *config;
    const char *path;
    struct diag *d;
};

static err_t load_map(const struct loading *l, const struct doc *map, const char *prefix,
                      int depth);

static err_t load_entry(const struct loading *l, const struct doc_entry *entry, const char *prefix,
                        int depth)
{
    char full[CONFIG_KEY_MAX], source[64];
    const struct doc *value = &entry->value;
    int n = snprintf(full, sizeof(full), "%s%s%.*s", prefix, prefix[0] ? "." : "",
                     SLICE_ARG(entry->name));
    if (n >= (int)sizeof(full)) {
        (void)diag_fail(l->d, ERR_CONFIG, "a setting's name is a short word");
        return yaml_where(l->path, entry->line, entry->column, l->d);
    }
    if (value->kind == DOC_MAP) return load_map(l, value, full, depth + 1);
    size_t id = row_of(slice_make(full, (size_t)n), l->d);
    if (id == CONFIG_ROWS) return yaml_where(l->path, entry->line, entry->column, l->d);
    if (value->kind == DOC_LIST) {
        (void)diag_fail(l->d, ERR_CONFIG, "%s takes one value, not a list", full);
        return yaml_where(l->path, value->line, value->column, l->d);
    }
    snprintf(source, sizeof(source), "%s:%u", yaml_name(l->path), entry->line);
    err_t e = assign(l->config, id, value->written, source, l->d);
    return e ? yaml_where(l->path, value->line, value->column, l->d) : ERR_OK;
}

static err_t load_map(const struct loading *l, const struct doc *map, const char *prefix, int depth)
{
    if (depth > CONFIG_DEPTH_MAX) {
        (void)diag_fail(l->d, ERR_TOO_DEEP, "the configuration is nested deeper than %d levels",
                        CONFIG_DEPTH_MAX);
        return yaml_where(l->path, map->line, map->column, l->d);
    }
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < map->count && !e; i++)
        e = load_entry(l, &map->entries[i], prefix, depth);
    return e;
}

err_t config_load(struct config *c, const char *path, struct diag *d)
{
    const struct loading l = {c, path, d};
    struct doc root;
    struct arena *a = arena_new(CONFIG_TREE_MAX);
    err_t e = a ? yaml_load(path, CONFIG_FILE_MAX, a, &root, d)
                : diag_fail(d, ERR_NO_MEMORY, "no memory for the configuration");
    if (!e && root.kind == DOC_MAP) {
        e = load_map(&l, &root, "", 0);
    } else if (!e && root.kind != DOC_NULL) {
        (void)diag_fail(d, ERR_CONFIG, "%s holds settings as 'key: value' lines", yaml_name(path));
        e = yaml_where(path, root.line, root.column, d);
    }
    arena_free(a);
    return e;
}

/* --- shown to others -------------------------------------------------------------------------- */

static struct slice from_to(const char *from, const char *to)
{
    return slice_make(from, (size_t)(to - from));
}

/* "scheme://user:password@host/…?password=…&more" */
void config_put_shown(const struct config *c, size_t id, struct buf *out)
{
    const char *at = c->values[id].text, *host = strstr(at, "://");
    if (host) {
        const char *end = host + 3 + strcspn(host + 3, "/?"), *sign = NULL;
        for (const char *s = host + 3; s < end; s++)
            if (*s == '@') sign = s;
        const char *colon = sign ? memchr(host + 3, ':', (size_t)(sign - host - 3)) : NULL;
        if (colon) {
            buf_slice(out, from_to(at, colon + 1));
            buf_text(out, "***");
            at = sign;
        }
    }
    for (const char *word; (word = strstr(at, "password=")) != NULL;) {
        word += strlen("password=");
        buf_slice(out, from_to(at, word));
        buf_text(out, "***");
        at = word + strcspn(word, "&; ");
    }
    buf_text(out, at);
}

const char *config_kind_wants(enum config_kind kind)
{
    return kind_wants[kind];
}

/* --- the rows as text ------------------------------------------------------------------------- */

void config_help(struct buf *out)
{
    buf_text(out,
             "Settings, in sluice.yaml, in the environment (kafka.port is SLUICE_KAFKA_PORT) or "
             "with --set key=value:\n\n");
    for (size_t i = 0; i < config_row_count; i++)
        buf_printf(out, "  %-24s %s\n  %-24s default %s\n", config_rows[i].key,
                   config_rows[i].about, "", fallback_text(&config_rows[i]));
}

void config_markdown(struct buf *out)
{
    buf_text(
        out,
        "# Settings\n\n"
        "Made from `src/main/config.def` by `sluice help settings --markdown`. They stand in a "
        "project's `sluice.yaml` "
        "(nested, or with dots), in the environment (`kafka.port` is `SLUICE_KAFKA_PORT`) or after "
        "`--set`; later ones win: default, `sluice.yaml`, environment, `--set`.\n\n"
        "| setting | takes | default | takes effect | what it does |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < config_row_count; i++) {
        const struct config_row *r = &config_rows[i];
        buf_printf(out, "| `%s` | %s | `%s` | %s | %s |\n", r->key, kind_wants[r->kind],
                   fallback_text(r), r->when == CONFIG_LIVE ? "at once" : "at the next start",
                   r->about);
    }
}
