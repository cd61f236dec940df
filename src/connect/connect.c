#include "connect/connect_int.h"

#include "os/file.h"

#include <stdlib.h>

const struct connect_kind *const connect_kinds[] = {&connect_http, &connect_generator};
const size_t connect_kind_count = COUNT_OF(connect_kinds);

enum { SECRET_MAX = 64 << 10, SECRET_NAME_MAX = 256 };

const struct connect_kind *connect_kind_find(struct slice name)
{
    for (size_t i = 0; i < connect_kind_count; i++)
        if (slice_equal_nocase(name, slice_of(connect_kinds[i]->name))) return connect_kinds[i];
    return NULL;
}

struct slice connect_pair(struct slice pairs, char separator, const char *name)
{
    size_t name_size = strlen(name);
    for (uint32_t at = 0; at < pairs.len;) {
        uint32_t end = at;
        while (end < pairs.len && pairs.at[end] != (uint8_t)separator) end++;
        if (end - at > name_size && memcmp(pairs.at + at, name, name_size) == 0 &&
            pairs.at[at + name_size] == '=')
            return slice_make(pairs.at + at + name_size + 1, end - at - name_size - 1);
        at = end + 1;
    }
    return (struct slice){0};
}

static err_t put_secret(struct slice inside, const char *option, struct buf *out, struct diag *d)
{
    char name[SECRET_NAME_MAX];
    bool env = slice_starts(inside, "env:"), file = slice_starts(inside, "file:");
    uint32_t skip = env ? 4 : 5;
    if ((!env && !file) ||
        !slice_to_cstr(slice_make(inside.at + skip, inside.len - skip), name, sizeof(name))) {
        (void)diag_fail(d, ERR_CONFIG, "option %s: '${%.*s}' is not understood", option,
                        SLICE_ARG(inside));
        return diag_hint(d, "write ${env:NAME} or ${file:PATH}");
    }
    if (env) {
        const char *value = getenv(name);
        if (value) {
            buf_text(out, value);
            return out->err;
        }
        (void)diag_fail(d, ERR_CONFIG,
                        "option %s needs the environment variable %s, which is not "
                        "set",
                        option, name);
        return diag_hint(d, "set it before the start: export %s=…", name);
    }
    struct slice content = {0};
    err_t e = file_load(name, SECRET_MAX, &content, d);
    if (!e) buf_slice(out, slice_trim(content));
    mem_give((void *)(uintptr_t)content.at);
    return e ? e : out->err;
}

err_t connect_secrets(struct slice text, const char *option, struct buf *out, struct diag *d)
{
    for (uint32_t i = 0; i < text.len; i++) {
        if (text.at[i] != '$' || i + 1 >= text.len || text.at[i + 1] != '{') {
            buf_char(out, (char)text.at[i]);
            continue;
        }
        uint32_t end = i + 2;
        while (end < text.len && text.at[end] != '}') end++;
        if (end == text.len) return diag_fail(d, ERR_CONFIG, "option %s: a ${ has no }", option);
        err_t e = put_secret(slice_make(text.at + i + 2, end - i - 2), option, out, d);
        if (e) return e;
        i = end;
    }
    if (!out->err) return ERR_OK;
    return diag_fail(d, out->err, "option %s is too long", option);
}

/* --- help ------------------------------------------------------------------------------------- */

static const char *const kind_words[] = {
    [OPTION_TEXT] = "text",     [OPTION_INT] = "number", [OPTION_BOOL] = "true/false",
    [OPTION_DURATION] = "time", [OPTION_BYTES] = "size", [OPTION_RATE] = "rate",
    [OPTION_PATH] = "path",
};

static void put_cell(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|') buf_char(out, '\\'); /* a bare one would end the table's cell */
        buf_char(out, *text);
    }
}

static void help_options(struct buf *out, const struct connect_option *options, size_t count,
                         bool markdown)
{
    if (markdown) buf_text(out, "| option | type | default | |\n|---|---|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        const struct connect_option *o = &options[i];
        const char *standard = !o->fallback ? "" : o->fallback[0] ? o->fallback : "(required)";
        if (markdown) {
            const char *tick = standard[0] ? "`" : "";
            buf_printf(out, "| `%s` | %s | %s%s%s | ", o->name, kind_words[o->kind], tick, standard,
                       tick);
            put_cell(out, o->about);
            buf_text(out, " |\n");
        } else
            buf_printf(out, "  %-16s %-10s %-12s %s\n", o->name, kind_words[o->kind], standard,
                       o->about);
    }
    buf_char(out, '\n');
}

void connect_help(struct buf *out, bool markdown)
{
    if (markdown)
        buf_text(out, "# Sources\n\nMade from the tables in `src/connect` by `sluice help sources "
                      "--markdown`.\n\n    CREATE SOURCE name FROM KIND 'address' WITH (option = "
                      "value, …) INTO TOPIC topic;\n\n");
    for (size_t i = 0; i < connect_kind_count; i++) {
        const struct connect_kind *k = connect_kinds[i];
        buf_printf(out, markdown ? "## %s\n\n%s\n\n" : "%s\n  %s\n\n", k->name, k->about);
        help_options(out, k->options, k->option_count, markdown);
    }
    buf_text(out, markdown ? "## Every kind\n\n" : "every kind\n");
    help_options(out, connect_common_options, connect_common_option_count, markdown);
}
