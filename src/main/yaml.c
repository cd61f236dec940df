#include "main/yaml.h"

#include "os/file.h"

const char *yaml_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

err_t yaml_load(const char *path, size_t limit, struct arena *a, struct doc *out, struct diag *d)
{
    struct slice text;
    *out = (struct doc){0};
    if (!file_exists(path)) return ERR_OK;
    err_t e = file_load(path, limit, &text, d);
    if (e) return e;
    e = doc_of_yaml(text, yaml_name(path), a, out, d);
    mem_give((void *)(uintptr_t)text.at);
    return e;
}

err_t yaml_where(const char *path, uint32_t line, uint32_t column, struct diag *d)
{
    return diag_where(d, "%s:%u:%u", yaml_name(path), line, column);
}
