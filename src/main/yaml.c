#include "main/yaml.h"

#include "os/file.h"

err_t yaml_open(const char *path, size_t limit, struct yaml *out, struct diag *d)
{
    yaml_parser_t parser;
    struct slice text = {0};
    const char *slash = strrchr(path, '/');
    *out = (struct yaml){.file = slash ? slash + 1 : path};
    if (!file_exists(path)) return ERR_OK;
    err_t e = file_load(path, limit, &text, d);
    if (e) return e;
    if (!yaml_parser_initialize(&parser)) {
        mem_give((void *)(uintptr_t)text.at);
        return diag_fail(d, ERR_NO_MEMORY, "no memory to read %s", path);
    }
    yaml_parser_set_input_string(&parser, text.at, text.len);
    out->loaded = yaml_parser_load(&parser, &out->document) != 0;
    if (!out->loaded) {
        (void)diag_fail(d, ERR_CONFIG, "%s is not YAML", out->file);
        (void)diag_why(d, "%s", parser.problem ? parser.problem : "it can not be read");
        e = diag_where(d, "%s:%zu:%zu", out->file, parser.problem_mark.line + 1,
                       parser.problem_mark.column + 1);
        if (!d) e = ERR_CONFIG;
    }
    yaml_parser_delete(&parser);
    mem_give((void *)(uintptr_t)text.at);
    return e;
}

void yaml_close(struct yaml *y)
{
    if (y->loaded) yaml_document_delete(&y->document);
    y->loaded = false;
}

yaml_node_t *yaml_root(struct yaml *y)
{
    yaml_node_t *root = y->loaded ? yaml_document_get_root_node(&y->document) : NULL;
    bool empty = root && root->type == YAML_SCALAR_NODE && root->data.scalar.length == 0;
    return empty ? NULL : root;
}

yaml_node_t *yaml_node(struct yaml *y, int id)
{
    return yaml_document_get_node(&y->document, id);
}

struct slice yaml_text(const yaml_node_t *n)
{
    if (!n || n->type != YAML_SCALAR_NODE) return (struct slice){0};
    return slice_make(n->data.scalar.value, n->data.scalar.length);
}

yaml_node_t *yaml_get(struct yaml *y, const yaml_node_t *map, const char *key)
{
    if (!map || map->type != YAML_MAPPING_NODE) return NULL;
    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top;
         p++)
        if (slice_is(yaml_text(yaml_node(y, p->key)), key)) return yaml_node(y, p->value);
    return NULL;
}

err_t yaml_where(const struct yaml *y, const yaml_node_t *n, struct diag *d)
{
    return diag_where(d, "%s:%zu:%zu", y->file, n->start_mark.line + 1, n->start_mark.column + 1);
}
