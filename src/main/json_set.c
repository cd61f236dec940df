#include "main/json_set.h"

#include "data/json_parts.h"

struct setting {
    const struct json_step *steps;
    uint32_t count;
    struct slice value;
    struct buf *out;
    struct diag *d;
};

/* --- a valid document's parts -------------------------------------------------------------------
 */

static struct slice part(struct slice s, uint32_t from, uint32_t to)
{
    return slice_make(s.at + from, to - from);
}

/* --- putting it ---------------------------------------------------------------------------------
 */

static void put_made(const struct setting *t, uint32_t step)
{
    for (uint32_t i = step; i < t->count; i++) {
        buf_char(t->out, '{');
        json_put_text(t->out, t->steps[i].name);
        buf_char(t->out, ':');
    }
    buf_slice(t->out, t->value);
    for (uint32_t i = step; i < t->count; i++) buf_char(t->out, '}');
}

static err_t check_made(const struct setting *t, uint32_t step)
{
    for (uint32_t i = step; i < t->count; i++)
        if (!t->steps[i].name.at)
            return diag_fail(t->d, ERR_RANGE, "the record has no array at step %u", i + 1);
    return ERR_OK;
}

static err_t put_value(const struct setting *t, struct slice value, uint32_t step);

/* Each element or member of what begins at 0, the wanted ones set; *met: how many. */
static err_t put_inside(const struct setting *t, struct slice s, uint32_t step, int64_t wanted,
                        uint32_t *met)
{
    const struct json_step *want = &t->steps[step];
    uint32_t at = json_skip_space(s, 1), copied = 0;
    err_t e = ERR_OK;
    for (int64_t i = 0; !e && s.at[at] != '}' && s.at[at] != ']'; i++) {
        bool hit = !want->name.at && i == wanted;
        if (want->name.at) {
            uint32_t end = json_skip_string(s, at);
            hit = slice_equal(part(s, at + 1, end - 1), want->name);
            at = json_skip_space(s, json_skip_space(s, end) + 1); /* the colon */
        }
        uint32_t end = json_skip_value(s, at);
        if (hit) {
            buf_slice(t->out, part(s, copied, at));
            e = put_value(t, part(s, at, end), step + 1);
            copied = end;
            ++*met;
        }
        at = json_skip_space(s, end);
        if (s.at[at] == ',') at = json_skip_space(s, at + 1);
    }
    if (e) return e;
    if (!*met && want->name.at) { /* behind the last member */
        e = check_made(t, step + 1);
        buf_slice(t->out, part(s, copied, at));
        if (s.at[json_skip_space(s, 1)] != '}') buf_char(t->out, ',');
        json_put_text(t->out, want->name);
        buf_char(t->out, ':');
        put_made(t, step + 1);
        copied = at;
    }
    buf_slice(t->out, part(s, copied, s.len));
    return e;
}

static int64_t elements(struct slice s)
{
    int64_t count = 0;
    for (uint32_t at = json_skip_space(s, 1); s.at[at] != ']'; count++) {
        at = json_skip_space(s, json_skip_value(s, at));
        if (s.at[at] == ',') at = json_skip_space(s, at + 1);
    }
    return count;
}

static err_t put_value(const struct setting *t, struct slice value, uint32_t step)
{
    uint32_t met = 0;
    if (step == t->count) {
        buf_slice(t->out, t->value);
        return ERR_OK;
    }
    const struct json_step *want = &t->steps[step];
    if (slice_is(value, "null")) {
        err_t e = check_made(t, step);
        put_made(t, step);
        return e;
    }
    if (value.at[0] != (want->name.at ? '{' : '['))
        return diag_fail(t->d, ERR_TYPE, "step %u of the path meets no %s", step + 1,
                         want->name.at ? "object" : "array");
    int64_t index = want->index;
    if (!want->name.at && index < 0) index += elements(value);
    err_t e = put_inside(t, value, step, index, &met);
    if (!e && !want->name.at && !met)
        e = diag_fail(t->d, ERR_RANGE, "the array has no element %lld", (long long)want->index);
    return e;
}

err_t json_set(struct slice document, const struct json_step *steps, uint32_t count,
               struct slice value, struct buf *out, struct diag *d)
{
    struct setting t = {steps, count, value, out, d};
    uint32_t at = json_skip_space(document, 0), end = json_skip_value(document, at);
    if (at == document.len) return diag_fail(d, ERR_SYNTAX, "the record is empty");
    buf_slice(out, part(document, 0, at));
    err_t e = put_value(&t, part(document, at, end), 0);
    buf_slice(out, part(document, end, document.len));
    return e ? e : out->err ? diag_fail(d, out->err, "the record becomes too large") : ERR_OK;
}
