/* Where secrets would be shown: answers of the REST door, and logs. */
#include "base/vec.h"
#include "sched/secret.h"

static const char *const sensitive[] = {/* Airflow's DEFAULT_SENSITIVE_FIELDS */
                                        "access_token",  "api_key",         "apikey",
                                        "authorization", "keyfile_dict",    "passphrase",
                                        "passwd",        "password",        "private_key",
                                        "secret",        "service_account", "token"};
enum { NAME_LOOKED_AT = 512 };

bool secret_name(struct slice name)
{
    char low[NAME_LOOKED_AT + 1];
    uint32_t size = MIN(name.len, (uint32_t)NAME_LOOKED_AT);
    for (uint32_t i = 0; i < size; i++) {
        char c = (char)name.at[i];
        low[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c ? c : ' ';
    }
    low[size] = 0;
    for (size_t i = 0; i < COUNT_OF(sensitive); i++)
        if (strstr(low, sensitive[i])) return true;
    return false;
}

/* As Airflow's redact: under a secret's name every text that is not empty is hidden, numbers are
 * not; elsewhere maps and lists are gone through. */
static void put(struct buf *out, const struct doc *v, bool hidden)
{
    static const struct doc stars = {.kind = DOC_TEXT, .text = {(const uint8_t *)"***", 3}};
    if (v->kind == DOC_MAP) {
        buf_char(out, '{');
        for (uint32_t i = 0; i < v->count; i++) {
            const struct doc_entry *e = &v->entries[i];
            struct doc name = {.kind = DOC_TEXT, .text = e->name};
            if (i) buf_text(out, ", ");
            doc_put_json(out, &name);
            buf_text(out, ": ");
            put(out, &e->value, hidden || secret_name(e->name));
        }
        buf_char(out, '}');
    } else if (v->kind == DOC_LIST) {
        buf_char(out, '[');
        for (uint32_t i = 0; i < v->count; i++) {
            if (i) buf_text(out, ", ");
            put(out, &v->items[i], hidden);
        }
        buf_char(out, ']');
    } else {
        doc_put_json(out, hidden && v->kind == DOC_TEXT && v->text.len ? &stars : v);
    }
}

void secret_put_json(struct buf *out, const struct doc *v)
{
    put(out, v, false);
}

/* --- values in logs --------------------------------------------------------------------------- */

struct mask {
    struct vec values[256]; /* by their first byte: struct slice, the longest first */
    struct map *all;        /* the same once more, to find a double */
    uint32_t count;
};

struct mask *mask_new(void)
{
    struct mask *k = mem_take(sizeof(*k));
    if (k) k->all = map_new(MASK_VALUES_MAX);
    if (k && !k->all) {
        mem_give(k);
        return NULL;
    }
    for (int i = 0; k && i < 256; i++)
        k->values[i] = vec_make(sizeof(struct slice), MASK_VALUES_MAX);
    return k;
}

void mask_free(struct mask *k)
{
    if (!k) return;
    for (int i = 0; i < 256; i++) {
        for (size_t n = 0; n < k->values[i].count; n++)
            mem_give((void *)((struct slice *)vec_at(&k->values[i], n))->at);
        vec_done(&k->values[i]);
    }
    map_free(k->all);
    mem_give(k);
}

static err_t add_line(struct mask *k, struct slice line, struct diag *d)
{
    line = slice_trim(line);
    if (line.len == 0 || map_get(k->all, line)) return ERR_OK;
    struct slice copy = {(uint8_t *)mem_text(line), line.len};
    struct vec *v = &k->values[line.at[0]];
    if (line.len > MASK_VALUE_MAX || k->count == MASK_VALUES_MAX || !copy.at ||
        vec_push(v, &copy)) {
        mem_give((void *)copy.at);
        return diag_fail(d, ERR_TOO_BIG, "more secrets than a log's mask holds");
    }
    k->count++;
    for (size_t i = v->count - 1; i > 0; i--) { /* the longest of two that begin alike is hidden */
        struct slice *low = vec_at(v, i - 1), *high = vec_at(v, i), swap = *low;
        if (low->len >= high->len) break;
        *low = *high;
        *high = swap;
    }
    return map_set(k->all, line, k);
}

err_t mask_add(struct mask *k, struct slice value, struct diag *d)
{
    err_t e = ERR_OK;
    while (value.len && !e) {
        const uint8_t *end = memchr(value.at, '\n', value.len);
        uint32_t size = end ? (uint32_t)(end - value.at) : value.len;
        uint32_t step = MIN(size + 1, value.len);
        e = add_line(k, slice_make(value.at, size), d);
        value = slice_make(value.at + step, value.len - step);
    }
    return e;
}

static err_t add_under(struct mask *k, const struct doc *v, bool hidden, struct diag *d)
{
    err_t e = ERR_OK;
    if (v->kind == DOC_TEXT && hidden) return mask_add(k, v->text, d);
    if (v->kind != DOC_MAP && v->kind != DOC_LIST) return ERR_OK;
    for (uint32_t i = 0; i < v->count && !e; i++)
        e = v->kind == DOC_LIST
                ? add_under(k, &v->items[i], hidden, d)
                : add_under(k, &v->entries[i].value, hidden || secret_name(v->entries[i].name), d);
    return e;
}

err_t mask_add_json(struct mask *k, const struct doc *v, struct diag *d)
{
    return add_under(k, v, false, d);
}

void mask_put(const struct mask *k, struct slice text, struct buf *out)
{
    const uint8_t *at = text.at, *end = at ? at + text.len : NULL, *from = at;
    while (at < end) {
        const struct vec *v = &k->values[*at];
        uint32_t hit = 0;
        for (size_t i = 0; i < v->count && !hit; i++) {
            const struct slice *s = vec_at(v, i);
            if (s->len <= end - at && memcmp(s->at, at, s->len) == 0) hit = s->len;
        }
        if (hit) {
            buf_put(out, from, (size_t)(at - from));
            buf_text(out, "***");
        }
        at += hit ? hit : 1;
        if (hit) from = at;
    }
    buf_put(out, from, (size_t)(at - from));
}

uint32_t mask_values(const struct mask *k, struct slice *out, uint32_t max)
{
    uint32_t count = 0;
    for (int b = 0; b < 256; b++)
        for (size_t i = 0; i < k->values[b].count && count < max; i++)
            out[count++] = *(struct slice *)vec_at(&k->values[b], i);
    return count;
}
