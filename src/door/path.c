#include "door/path.h"

void path_read(struct http_request *r, uint32_t from, struct path *p)
{
    while (p->count < PATH_PARTS_MAX &&
           http_path_part(r, (int)(from + p->count), &p->parts[p->count]))
        p->count++;
    if (p->count > 1 && p->parts[p->count - 1].len == 0) p->count--;
}

int path_fit(const char *pattern, const struct path *p)
{
    const char *at = pattern + 1;
    int score = 1;
    for (uint32_t n = 0; n < p->count; n++) {
        size_t len = strcspn(at, "/");
        if (!len) return 0;
        if (*at == '{')
            score += p->parts[n].len > 0 ? 1 : -1000;
        else if (slice_equal(p->parts[n], slice_make(at, len)))
            score += 100;
        else
            return 0;
        at += len + (at[len] == '/');
    }
    return *at || score < 0 ? 0 : score;
}

struct slice path_named(const char *pattern, const struct path *p, const char *name)
{
    size_t len = strlen(name);
    const char *at = pattern + 1;
    for (uint32_t n = 0; n < p->count && *at; n++) {
        size_t part = strcspn(at, "/");
        if (part == len + 2 && *at == '{' && memcmp(at + 1, name, len) == 0) return p->parts[n];
        at += part + (at[part] == '/');
    }
    return (struct slice){0};
}

bool method_fits(struct slice asked, const char *method)
{
    return slice_is(asked, method) || (slice_is(asked, "HEAD") && strcmp(method, "GET") == 0);
}
