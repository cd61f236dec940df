#define ERR_C /* the linter sees diag_fail itself here */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>

static const struct {
    const char *name, *sqlstate, *text, *hint;
    int32_t cql;
    int16_t kafka, http;
} errs[ERR_COUNT] = {
#define ERR(name, kafka, cql, sqlstate, http, text, hint)                                          \
    [ERR_##name] = {#name, sqlstate, text, hint, cql, kafka, http},
#include "base/err.def"
#undef ERR
};

const char *err_name(err_t e)
{
    return errs[e].name;
}
const char *err_text(err_t e)
{
    return errs[e].text;
}
const char *err_hint(err_t e)
{
    return errs[e].hint;
}
int16_t err_kafka(err_t e)
{
    return errs[e].kafka;
}
int32_t err_cql(err_t e)
{
    return errs[e].cql;
}
const char *err_sqlstate(err_t e)
{
    return errs[e].sqlstate;
}
int err_http(err_t e)
{
    return errs[e].http;
}

err_t err_from_errno(int error)
{
    switch (error) {
    case 0: return ERR_OK;
    case ENOSPC:
    case EDQUOT: return ERR_DISK_FULL;
    case ENOENT: return ERR_NOT_FOUND;
    case EEXIST: return ERR_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS: return ERR_FORBIDDEN;
    case ENOMEM: return ERR_NO_MEMORY;
    case EADDRINUSE:
    case ETXTBSY: return ERR_IN_USE;
    case ETIMEDOUT: return ERR_TIMEOUT;
    case EPIPE:
    case ECONNRESET: return ERR_CLOSED;
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH: return ERR_PEER;
    default: return ERR_IO;
    }
}

/* All four parts are filled by this: a cut text ends in "…" so that nobody takes it for whole. It
 * is cut before a character, since clients read it as UTF-8. */
static void fill(char *out, size_t cap, const char *fmt, va_list args)
{
    int n = vsnprintf(out, cap, fmt, args);
    size_t end = cap - 4;
    if (n < (int)cap) return;
    while (end && ((unsigned char)out[end] & 0xc0) == 0x80) end--;
    memcpy(out + end, "\xe2\x80\xa6", 4);
}

err_t diag_fail(struct diag *d, err_t e, const char *what, ...)
{
    if (!d) return e;
    *d = (struct diag){.err = e};
    va_list args;
    va_start(args, what);
    fill(d->what, sizeof(d->what), what, args);
    va_end(args);
    return e;
}

err_t diag_errno(struct diag *d, int error, const char *what, ...)
{
    err_t e = err_from_errno(error);
    if (!d) return e;
    *d = (struct diag){.err = e};
    va_list args;
    va_start(args, what);
    fill(d->what, sizeof(d->what), what, args);
    va_end(args);
    return diag_why(d, "%s", strerror(error));
}

#define DIAG_PART(part)                                                                            \
    if (!d) return ERR_INTERNAL;                                                                   \
    va_list args;                                                                                  \
    va_start(args, part);                                                                          \
    fill(d->part, sizeof(d->part), part, args);                                                    \
    va_end(args);                                                                                  \
    return d->err

err_t diag_where(struct diag *d, const char *where, ...)
{
    DIAG_PART(where);
}
err_t diag_why(struct diag *d, const char *why, ...)
{
    DIAG_PART(why);
}
err_t diag_hint(struct diag *d, const char *hint, ...)
{
    DIAG_PART(hint);
}

static const char *const heads[] = {"error: ", "  at ", "  because ", "  hint: "};
enum { SECOND_LINE = 10 }; /* under the words of "  because ": SQL's mark under a mistake's place */

static size_t add_text(char *out, size_t len, size_t cap, const char *text)
{
    for (const char *c = text; *c && len < cap - 1; c++) {
        out[len++] = *c;
        for (int i = 0; *c == '\n' && i < SECOND_LINE && len < cap - 1; i++) out[len++] = ' ';
    }
    out[len] = 0;
    return len;
}

void diag_format(const struct diag *d, char *out, size_t cap)
{
    const char *hint = d->hint[0] ? d->hint : err_hint(d->err);
    const char *what = d->what[0] ? d->what : err_text(d->err);
    const char *const texts[COUNT_OF(heads)] = {what, d->where, d->why, hint};
    size_t len = 0;
    out[0] = 0;
    for (size_t i = 0; i < COUNT_OF(heads) && len < cap - 1; i++) {
        if (!texts[i][0]) continue;
        if (len) out[len++] = '\n';
        len = add_text(out, len, cap, heads[i]);
        len = add_text(out, len, cap, texts[i]);
    }
}

void diag_parse(struct diag *d, const char *story)
{
    const struct {
        char *at;
        size_t cap;
    } parts[COUNT_OF(heads)] = {{d->what, sizeof(d->what)},
                                {d->where, sizeof(d->where)},
                                {d->why, sizeof(d->why)},
                                {d->hint, sizeof(d->hint)}};
    size_t part = COUNT_OF(heads);
    for (const char *line = story; *line;) {
        size_t skip = 0, room = 0, len = strcspn(line, "\n");
        for (size_t i = 0; i < COUNT_OF(heads) && !skip; i++)
            if (strncmp(line, heads[i], strlen(heads[i])) == 0) skip = strlen(heads[part = i]);
        bool first = skip > 0;
        if (!first) skip = MIN((size_t)SECOND_LINE, strspn(line, " "));
        if (part < COUNT_OF(heads)) room = first ? 0 : strlen(parts[part].at);
        if (part < COUNT_OF(heads))
            snprintf(parts[part].at + room, parts[part].cap - room, "%s%.*s", first ? "" : "\n",
                     (int)(len - skip), line + skip);
        line += len + (line[len] == '\n');
    }
}
