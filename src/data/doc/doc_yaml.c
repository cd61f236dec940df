/* YAML into a tree, by libyaml's events: so that what an alias repeats is counted each time, and a
 * small file that unfolds into gigabytes is refused early. */
#include "data/doc/doc_build.h"

#include <yaml.h>

enum { ANCHORS_MAX = 10000, NUMBER_TEXT_MAX = 64 };

struct anchor {
    struct slice name;
    struct doc value;
    uint32_t nodes;
};
struct yaml_reader {
    struct doc_build build;
    const char *file;
    yaml_parser_t parser;
    struct vec anchors; /* of struct anchor */
};

static err_t wrong_at(struct yaml_reader *r, size_t line, size_t column, err_t e, const char *why)
{
    (void)diag_fail(r->build.d, e, "%s is not YAML that can be used", r->file);
    (void)diag_why(r->build.d, "%s", why);
    (void)diag_where(r->build.d, "%s:%zu:%zu", r->file, line + 1, column + 1);
    return e;
}

static err_t wrong(struct yaml_reader *r, const yaml_event_t *at, const char *why)
{
    return wrong_at(r, at->start_mark.line, at->start_mark.column, ERR_CONFIG, why);
}

static err_t next(struct yaml_reader *r, yaml_event_t *out)
{
    if (yaml_parser_parse(&r->parser, out)) return ERR_OK;
    if (r->parser.error == YAML_MEMORY_ERROR) return doc_no_memory(&r->build);
    return wrong_at(r, r->parser.problem_mark.line, r->parser.problem_mark.column, ERR_CONFIG,
                    r->parser.problem ? r->parser.problem : "it can not be read");
}

/* --- scalars, by the core schema of YAML 1.2 ---------------------------------------------------
 */

static bool is_one_of(struct slice s, const char *const *words)
{
    for (; *words; words++)
        if (slice_is(s, *words)) return true;
    return false;
}

static bool read_based(struct slice s, int64_t *out)
{
    if (s.len < 3 || s.at[0] != '0' || (s.at[1] != 'x' && s.at[1] != 'o')) return false;
    int64_t base = s.at[1] == 'x' ? 16 : 8, v = 0;
    for (uint32_t i = 2; i < s.len; i++) {
        uint8_t c = s.at[i];
        int64_t digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : 99;
        if (digit >= base || v > (INT64_MAX - digit) / base) return false;
        v = v * base + digit;
    }
    *out = v;
    return true;
}

static bool looks_like_number(struct slice s)
{
    bool digits = false;
    for (uint32_t i = 0; i < s.len; i++) {
        uint8_t c = s.at[i];
        if (c >= '0' && c <= '9') {
            digits = true;
            continue;
        }
        bool sign = (c == '-' || c == '+') && (i == 0 || s.at[i - 1] == 'e' || s.at[i - 1] == 'E');
        if (!sign && c != '.' && !((c == 'e' || c == 'E') && digits)) return false;
    }
    return digits && s.len <= NUMBER_TEXT_MAX;
}

static void resolve(struct slice s, struct doc *out)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const yes[] = {"true", "True", "TRUE", NULL};
    static const char *const no[] = {"false", "False", "FALSE", NULL};
    static const char *const infinite[] = {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", NULL};
    static const char *const below[] = {"-.inf", "-.Inf", "-.INF", NULL};
    static const char *const nan[] = {".nan", ".NaN", ".NAN", NULL};
    out->kind = DOC_NULL;
    if (is_one_of(s, nulls)) return;
    out->kind = DOC_BOOL;
    out->yes = is_one_of(s, yes);
    if (out->yes || is_one_of(s, no)) return;
    out->kind = DOC_INT;
    struct slice digits = s.len > 1 && s.at[0] == '+' ? slice_make(s.at + 1, s.len - 1U) : s;
    if (looks_like_number(s) && slice_to_i64(digits, &out->number)) return;
    if (read_based(s, &out->number)) return;
    out->kind = DOC_FLOAT;
    if (looks_like_number(s) && slice_to_f64(digits, &out->real)) return;
    out->real = is_one_of(s, below) ? -__builtin_inf() : __builtin_inf();
    if (is_one_of(s, infinite) || is_one_of(s, below)) return;
    out->real = __builtin_nan("");
    if (is_one_of(s, nan)) return;
    out->kind = DOC_TEXT;
    out->text = s;
}

static err_t read_scalar(struct yaml_reader *r, const yaml_event_t *event, struct doc *out)
{
    struct slice raw = slice_make(event->data.scalar.value, event->data.scalar.length);
    struct slice text = arena_slice(r->build.a, raw);
    if (raw.len && !text.at) return doc_no_memory(&r->build);
    const char *tag = (const char *)event->data.scalar.tag;
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (!text.at) text = SLICE("");
    out->written = text;
    if (plain && !(tag && strstr(tag, ":str"))) {
        resolve(text, out);
        return ERR_OK;
    }
    out->kind = DOC_TEXT;
    out->text = text;
    return ERR_OK;
}

/* --- nodes -------------------------------------------------------------------------------------
 */

static err_t read_node(struct yaml_reader *r, yaml_event_t *event, int depth, struct doc *out);

static err_t keep_anchor(struct yaml_reader *r, const char *name, const struct doc *value,
                         uint32_t nodes)
{
    if (!name) return ERR_OK;
    struct anchor a = {arena_slice(r->build.a, slice_of(name)), *value, nodes};
    err_t e = a.name.at ? vec_push(&r->anchors, &a) : ERR_NO_MEMORY;
    return e ? diag_fail(r->build.d, e, "%s has more than %d anchors", r->file, ANCHORS_MAX)
             : ERR_OK;
}

static err_t read_alias(struct yaml_reader *r, const yaml_event_t *event, struct doc *out)
{
    struct slice name = slice_of((const char *)event->data.alias.anchor);
    for (size_t i = r->anchors.count; i > 0; i--) {
        const struct anchor *a = vec_at(&r->anchors, i - 1);
        if (!slice_equal(a->name, name)) continue;
        if (a->nodes > DOC_NODES_MAX - r->build.nodes)
            return wrong(r, event, "its aliases unfold into too much");
        r->build.nodes += a->nodes;
        *out = a->value;
        return ERR_OK;
    }
    return wrong(r, event, "an alias names an anchor that is not there (or is still open)");
}

static err_t read_list(struct yaml_reader *r, int depth, struct doc *out)
{
    struct vec items = vec_make(sizeof(struct doc), DOC_NODES_MAX);
    err_t e = ERR_OK;
    for (bool open = true; !e && open;) {
        yaml_event_t event;
        struct doc item = {0};
        if ((e = next(r, &event))) break;
        open = event.type != YAML_SEQUENCE_END_EVENT;
        if (open) e = read_node(r, &event, depth + 1, &item);
        if (open && !e) e = vec_push(&items, &item);
        yaml_event_delete(&event);
    }
    if (!e) e = doc_close_list(&r->build, &items, out);
    vec_done(&items);
    return e;
}

/* "<<: *defaults" or a list of such: what the map does not say itself. */
static err_t merge(struct yaml_reader *r, const yaml_event_t *at, const struct doc *from,
                   struct vec *extra)
{
    err_t e = ERR_OK;
    if (from->kind == DOC_LIST) {
        for (uint32_t i = 0; i < from->count && !e; i++) e = merge(r, at, &from->items[i], extra);
        return e;
    }
    if (from->kind != DOC_MAP) return wrong(r, at, "'<<' takes a map, or a list of maps");
    for (uint32_t i = 0; i < from->count && !e; i++) {
        e = doc_count(&r->build);
        if (!e) e = vec_push(extra, &from->entries[i]);
    }
    return e;
}

static err_t read_entry(struct yaml_reader *r, const yaml_event_t *key, int depth,
                        struct map *names, struct vec *entries, struct vec *extra)
{
    struct doc_entry entry = {.line = (uint32_t)key->start_mark.line + 1,
                              .column = (uint32_t)key->start_mark.column + 1};
    if (key->type != YAML_SCALAR_EVENT) return wrong(r, key, "a name must be a plain word");
    entry.name =
        arena_slice(r->build.a, slice_make(key->data.scalar.value, key->data.scalar.length));
    if (key->data.scalar.length && !entry.name.at) return doc_no_memory(&r->build);
    yaml_event_t value;
    err_t e = next(r, &value);
    if (e) return e;
    e = read_node(r, &value, depth + 1, &entry.value);
    yaml_event_delete(&value);
    if (e) return e;
    if (slice_is(entry.name, "<<") && key->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        return merge(r, key, &entry.value, extra);
    if (map_get(names, entry.name)) return wrong(r, key, "this name stands twice in one map");
    e = map_set(names, entry.name, names);
    return e ? e : vec_push(entries, &entry);
}

static err_t read_map(struct yaml_reader *r, int depth, struct doc *out)
{
    struct vec entries = vec_make(sizeof(struct doc_entry), DOC_NODES_MAX), extra = entries;
    struct map *names = map_new(DOC_NODES_MAX);
    err_t e = names ? ERR_OK : doc_no_memory(&r->build);
    for (bool open = true; !e && open;) {
        yaml_event_t event;
        if ((e = next(r, &event))) break;
        open = event.type != YAML_MAPPING_END_EVENT;
        if (open) e = read_entry(r, &event, depth, names, &entries, &extra);
        yaml_event_delete(&event);
    }
    for (size_t i = 0; i < extra.count && !e; i++) {
        const struct doc_entry *entry = vec_at(&extra, i);
        if (map_get(names, entry->name)) continue;
        e = map_set(names, entry->name, names);
        if (!e) e = vec_push(&entries, entry);
    }
    if (!e) e = doc_close_map(&r->build, &entries, out);
    map_free(names);
    vec_done(&entries);
    vec_done(&extra);
    return e;
}

static err_t read_node(struct yaml_reader *r, yaml_event_t *event, int depth, struct doc *out)
{
    uint32_t before = r->build.nodes;
    const char *anchor = NULL;
    err_t e = doc_count(&r->build);
    if (e) return e;
    if (depth > DOC_DEPTH_MAX)
        return wrong_at(r, event->start_mark.line, event->start_mark.column, ERR_TOO_DEEP,
                        "it is nested too deep");
    *out = (struct doc){.line = (uint32_t)event->start_mark.line + 1,
                        .column = (uint32_t)event->start_mark.column + 1};
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        anchor = (const char *)event->data.scalar.anchor;
        e = read_scalar(r, event, out);
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = (const char *)event->data.sequence_start.anchor;
        e = read_list(r, depth, out);
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = (const char *)event->data.mapping_start.anchor;
        e = read_map(r, depth, out);
        break;
    case YAML_ALIAS_EVENT: return read_alias(r, event, out);
    default: return wrong(r, event, "a value was expected");
    }
    return e ? e : keep_anchor(r, anchor, out, r->build.nodes - before);
}

static err_t read_stream(struct yaml_reader *r, struct doc *out)
{
    bool found = false;
    for (;;) {
        yaml_event_t event;
        err_t e = next(r, &event);
        if (e) return e;
        yaml_event_type_t type = event.type;
        bool content = type != YAML_STREAM_START_EVENT && type != YAML_STREAM_END_EVENT &&
                       type != YAML_DOCUMENT_START_EVENT && type != YAML_DOCUMENT_END_EVENT;
        if (content && found) e = wrong(r, &event, "one file holds one document");
        if (content && !e) e = read_node(r, &event, 0, out);
        found |= content;
        yaml_event_delete(&event);
        if (e || type == YAML_STREAM_END_EVENT) return e;
    }
}

err_t doc_of_yaml(struct slice text, const char *file, struct arena *a, struct doc *out,
                  struct diag *d)
{
    struct yaml_reader r = {.build = {a, 0, d}, .file = file};
    *out = (struct doc){0};
    if (!yaml_parser_initialize(&r.parser)) return doc_no_memory(&r.build);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, text.at ? text.at : (const uint8_t *)"", text.len);
    r.anchors = vec_make(sizeof(struct anchor), ANCHORS_MAX);
    err_t e = read_stream(&r, out);
    vec_done(&r.anchors);
    yaml_parser_delete(&r.parser);
    return e;
}
