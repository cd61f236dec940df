/* config: the settings of a project, declared in config.def.
 *
 * Where a value comes from, later ones win: the default, sluice.yaml, the environment (kafka.port
 * is SLUICE_KAFKA_PORT), --set. An error names file, line and column, and the nearest key. Memory:
 * text values live in the config's arena.
 */
#pragma once
#include "base/bytes.h"

enum config_kind {
    CONFIG_TEXT,
    CONFIG_ADDRESS,
    CONFIG_PORT,
    CONFIG_BOOL,
    CONFIG_INT,
    CONFIG_BYTES,
    CONFIG_MS,
    CONFIG_LEVEL,
    CONFIG_PATH,
    CONFIG_ZONE
};
enum config_when { CONFIG_START, CONFIG_LIVE };

struct config_row {
    const char *key, *fallback, *about;
    enum config_kind kind;
    enum config_when when;
    int64_t min, max;
};
extern const struct config_row config_rows[];
extern const size_t config_row_count;

struct config_value {
    const char *text; /* as given */
    int64_t number;   /* every kind but TEXT, ADDRESS, PATH and ZONE */
    char source[64];  /* "default", "sluice.yaml:3", "SLUICE_API_PORT", "--set" */
};

enum config_id {
#define CONFIG(key, field, kind, fallback, min, max, when, about) CONFIG_##field,
#include "main/config.def"
#undef CONFIG
    CONFIG_ROWS
};

struct config {
    struct arena *arena;
    struct config_value values[CONFIG_ROWS];
};

MUST_CHECK err_t config_init(struct config *c, struct diag *d); /* the defaults */
void config_done(struct config *c);
/* sluice.yaml; a missing file is fine. */
MUST_CHECK err_t config_load(struct config *c, const char *path, struct diag *d);
/* SLUICE_API_PORT and its like; others that begin so mean nothing here. */
MUST_CHECK err_t config_environment(struct config *c, struct diag *d);
/* "key=value" of --set. */
MUST_CHECK err_t config_set(struct config *c, const char *assignment, struct diag *d);
static inline int64_t config_number(const struct config *c, enum config_id id)
{
    return c->values[id].number;
}
static inline const char *config_text(const struct config *c, enum config_id id)
{
    return c->values[id].text;
}
/* As it may be shown to people who may not see secrets: a password in an address is "***". */
void config_put_shown(const struct config *c, size_t id, struct buf *out);
const char *config_kind_wants(enum config_kind kind); /* "a port from 0 to 65535, or -1 for off" */
void config_help(struct buf *out);                    /* for `sluice help settings` */
void config_markdown(struct buf *out);                /* docs/configuration.md */
