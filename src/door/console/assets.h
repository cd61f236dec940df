/* assets: the application's files, as the build made and compressed them (embed.mjs). */
#pragma once
#include "base/bytes.h"

struct asset {
    const char *path, *type, *tag; /* tag: its ETag, quotes and all */
    bool forever;                  /* its name changes with its content */
    uint32_t bytes;                /* unpacked */
    struct {
        const uint8_t *at;
        uint32_t len;
    } gzip, brotli;
};
extern const struct asset console_assets[]; /* "/index.html" among them, or nothing at all */
extern const uint32_t console_asset_count;
