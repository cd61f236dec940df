#include "main/kafka/json_pick.h"

#include "base/hash.h"

struct json_pick {
    struct json_decoder *decoder;
    struct json_plan *plan, *text_plan, *base64_plan;
    const struct type *types[PICKS_MAX];
    uint32_t count;
    struct arena *paths, *rows;
};

static err_t plan_of(struct json_pick *p, const char *const *paths, uint32_t count,
                     const struct type *type, struct json_plan **out, struct diag *d)
{
    struct json_want wants[PICKS_MAX] = {0};
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < count; i++) {
        struct json_step *steps = NULL;
        wants[i].type = type;
        if (paths[i])
            e = json_path_parse(slice_of(paths[i]), p->paths, &steps, &wants[i].step_count, d);
        wants[i].steps = steps;
    }
    return e ? e : json_plan_new(wants, count, out, d);
}

err_t json_pick_new(const char *const *paths, uint32_t count, struct json_pick **out,
                    struct diag *d)
{
    static const char *const whole[] = {NULL}, *const base64[] = {"$.base64"};
    struct json_pick *p = mem_take(sizeof(*p));
    INVARIANT(count <= PICKS_MAX);
    if (!p) return diag_fail(d, ERR_NO_MEMORY, "no memory to read JSON");
    p->decoder = json_decoder_new();
    p->paths = arena_new(KIB(64));
    p->rows = arena_new(MIB(256));
    p->count = count;
    for (uint32_t i = 0; i < count; i++) p->types[i] = type_of(TYPE_JSON);
    err_t e = p->decoder && p->paths && p->rows
                  ? ERR_OK
                  : diag_fail(d, ERR_NO_MEMORY, "no memory to read JSON");
    if (!e) e = plan_of(p, paths, count, type_of(TYPE_JSON), &p->plan, d);
    if (!e) e = plan_of(p, whole, 1, type_of(TYPE_TEXT), &p->text_plan, d);
    if (!e) e = plan_of(p, base64, 1, type_of(TYPE_TEXT), &p->base64_plan, d);
    if (e) json_pick_free(p);
    if (!e) *out = p;
    return e;
}

void json_pick_free(struct json_pick *p)
{
    if (!p) return;
    json_plan_free(p->plan);
    json_plan_free(p->text_plan);
    json_plan_free(p->base64_plan);
    json_decoder_free(p->decoder);
    arena_free(p->paths);
    arena_free(p->rows);
    mem_give(p);
}

/* One document through one plan. */
static err_t decode(struct json_pick *p, const struct json_plan *plan, uint32_t count,
                    const struct type *const *types, struct slice document, struct slice *out,
                    struct diag *d)
{
    struct column_batch b;
    arena_reset(p->rows);
    err_t e = batch_init(&b, types, count, 1, p->rows);
    if (!e) e = json_decode(p->decoder, plan, &document, 1, &b);
    if (e) return diag_fail(d, e, "JSON can not be read");
    const struct row_fault *fault = batch_fault_of(&b, 0);
    if (fault) return diag_fail(d, fault->err, "%s", fault->text);
    for (uint32_t i = 0; i < count; i++)
        out[i] = b.columns[i].state[0] == VALID_VALUE ? b.columns[i].bytes[0] : (struct slice){0};
    return ERR_OK;
}

static err_t padded(struct slice document, struct arena *a, struct slice *out, struct diag *d)
{
    uint8_t *copy = arena_take(a, (size_t)document.len + JSON_PADDING);
    if (!copy) return diag_fail(d, ERR_TOO_BIG, "a JSON document of %u bytes", document.len);
    if (document.len) memcpy(copy, document.at, document.len);
    *out = slice_make(copy, document.len);
    return ERR_OK;
}

err_t json_pick_from(struct json_pick *p, struct slice document, struct arena *a,
                     struct slice *picks, struct diag *d)
{
    struct slice copy;
    err_t e = padded(document, a, &copy, d);
    return e ? e : decode(p, p->plan, p->count, p->types, copy, picks, d);
}

err_t json_pick_bytes(struct json_pick *p, struct slice value, struct arena *a, struct slice *out,
                      struct diag *d)
{
    const struct type *text = type_of(TYPE_TEXT);
    struct slice copy, found = {0};
    *out = value;
    if (!value.at || (value.at[0] != '"' && value.at[0] != '{')) return ERR_OK;
    err_t e = padded(value, a, &copy, d);
    if (e) return e;
    if (value.at[0] == '"') {
        e = decode(p, p->text_plan, 1, &text, copy, &found, d);
        if (!e) *out = found.len ? arena_slice(a, found) : SLICE("");
        return e ? e : out->at ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory for a value");
    }
    struct diag other = {0}; /* an object of the caller's own is a value too */
    e = decode(p, p->base64_plan, 1, &text, copy, &found, &other);
    if (e || !found.at) return ERR_OK;
    struct buf bytes = buf_make(MIB(64));
    e = parse_base64(found, &bytes);
    if (e) (void)diag_fail(d, e, "what stands as base64 is none");
    if (!e) *out = bytes.len ? arena_slice(a, buf_view(&bytes)) : SLICE("");
    buf_done(&bytes);
    return e;
}

struct items {
    struct arena *arena;
    struct slice *list;
    size_t count;
};

static err_t take_item(void *ctx, struct slice item)
{
    struct items *x = ctx;
    struct slice *list =
        arena_resize(x->arena, x->list, x->count * sizeof(*list), (x->count + 1) * sizeof(*list));
    if (!list) return ERR_NO_MEMORY;
    list[x->count++] = item;
    x->list = list;
    return ERR_OK;
}

err_t json_pick_each(struct json_pick *p, struct slice document, const char *path, struct arena *a,
                     err_t (*each)(void *ctx, struct slice item), void *ctx, struct diag *d)
{
    struct slice copy;
    struct items x = {.arena = a};
    err_t e = padded(document, a, &copy, d);
    if (!e) e = json_items(p->decoder, copy, slice_of(path), take_item, &x, d);
    /* only now: `each` may decode, and the decoder knows one document at a time */
    for (size_t i = 0; !e && i < x.count; i++) e = each(ctx, x.list[i]);
    return e;
}
