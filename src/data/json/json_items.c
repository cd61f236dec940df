/* The items of a body. Runs over a document that was checked before: nothing here can be no JSON.
 */
#include "data/json/json_plan.h"

#include "data/value/value_int.h"

static uint32_t over(struct json_walk *w, uint32_t i)
{
    uint32_t end = json_skip(w, i);
    INVARIANT(end != 0);
    return end;
}

/* Over a value and the comma after it. */
static uint32_t over_item(struct json_walk *w, uint32_t i)
{
    i = over(w, i);
    return i + (json_at(w, i) == ',');
}

/* The place of a field's value, the last of that name, in the object at `i`; 0: there is none. */
static uint32_t field_of(struct json_walk *w, uint32_t i, struct slice name)
{
    uint32_t found = 0;
    if (json_at(w, i) != '{') return 0;
    for (i++; json_at(w, i) != '}'; i = over_item(w, i)) {
        bool match = json_key_is(w, json_scalar(w, i), name);
        i += 2; /* the key and its colon */
        if (match) found = i;
    }
    return found;
}

static uint32_t element_of(struct json_walk *w, uint32_t array, int64_t index)
{
    int64_t count = 0;
    uint32_t i = array + 1;
    if (json_at(w, array) != '[') return 0;
    for (; json_at(w, i) != ']'; i = over_item(w, i))
        if (count++ == index) return i;
    return index < 0 && count + index >= 0 ? element_of(w, array, count + index) : 0;
}

static const char *kind_at(const struct json_walk *w, uint32_t i)
{
    switch (json_at(w, i)) {
    case '{': return "an object";
    case '[': return "an array";
    case '"': return "a string";
    case 't':
    case 'f': return "a boolean";
    case 'n': return "null";
    default: return "a number";
    }
}

/* What is there instead, for a person who mistook the path or met an error body. */
static void tell_what_is_at(struct json_walk *w, uint32_t i, struct diag *d)
{
    char names[200];
    struct buf out = buf_over(names, sizeof(names) - 1);
    if (json_at(w, i) != '{') {
        (void)diag_why(d, "%s is there", kind_at(w, i));
        return;
    }
    for (i++; json_at(w, i) != '}' && !out.err; i = over_item(w, i)) {
        struct slice key = json_scalar(w, i);
        struct shown name = show_text((struct slice){key.at + 1, key.len - 2});
        buf_printf(&out, "%s'%s'", out.len ? ", " : "", name.text);
        i += 2;
    }
    if (out.len)
        (void)diag_why(d, "an object is there with %.*s%s", (int)out.len, names,
                       out.err ? ", …" : "");
    else
        (void)diag_why(d, "an empty object is there");
}

static err_t find_place(struct json_walk *w, struct slice path, const struct json_step *steps,
                        uint32_t count, uint32_t *place, struct diag *d)
{
    for (uint32_t s = 0; s < count; s++) {
        uint32_t next = steps[s].name.at ? field_of(w, *place, steps[s].name)
                                         : element_of(w, *place, steps[s].index);
        if (!next) {
            struct buf reached = buf_make(KIB(64));
            json_path_print(steps, s + 1, &reached);
            (void)diag_fail(d, ERR_NOT_FOUND, "the body has no '%s' (items are '%.*s')",
                            buf_cstr(&reached), SLICE_ARG(path));
            buf_done(&reached);
            if (d) tell_what_is_at(w, *place, d);
            return ERR_NOT_FOUND;
        }
        *place = next;
    }
    return ERR_OK;
}

static err_t each_item(struct json_walk *w, uint32_t i, struct slice path, bool all,
                       err_t (*each)(void *ctx, struct slice item), void *ctx, struct diag *d)
{
    err_t e = ERR_OK;
    if (!all) return each(ctx, json_spot_text(w, (struct json_spot){i + 1, over(w, i)}));
    if (json_at(w, i) != '[')
        return diag_fail(d, ERR_TYPE, "'%.*s': %s is there, an array was wanted", SLICE_ARG(path),
                         kind_at(w, i));
    for (i++; !e && json_at(w, i) != ']';) {
        uint32_t end = over(w, i);
        e = each(ctx, json_spot_text(w, (struct json_spot){i + 1, end}));
        i = end + (json_at(w, end) == ',');
    }
    return e;
}

err_t json_items(struct json_decoder *j, struct slice body, struct slice path,
                 err_t (*each)(void *ctx, struct slice item), void *ctx, struct diag *d)
{
    static const char every[] = "[*]";
    struct slice head = path;
    bool all = path.len >= 3 && memcmp(path.at + path.len - 3, every, 3) == 0;
    if (all) head.len -= 3;
    if (head.len == 0) head = SLICE("$");
    struct json_step *steps;
    uint32_t count;
    struct arena *a = arena_new(KIB(256));
    if (!a) return diag_fail(d, ERR_NO_MEMORY, "no memory for a path");
    err_t e = json_path_parse(head, a, &steps, &count, d);
    if (!e) e = json_check_whole(j, body, d);
    uint32_t place = 0;
    if (!e) e = find_place(&j->walk, path, steps, count, &place, d);
    if (!e) e = each_item(&j->walk, place, path, all, each, ctx, d);
    json_decoder_settle(j);
    arena_free(a);
    return e;
}
