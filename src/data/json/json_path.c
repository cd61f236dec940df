/* Paths, and the trie that a plan makes of them. */
#include "data/json/json_plan.h"

#include "base/vec.h"

/* --- reading and writing paths ------------------------------------------------------------------
 */

struct path_reader {
    struct slice text;
    uint32_t i;
    struct arena *a;
    struct vec steps;
    struct diag *d;
};

static err_t path_wrong(struct path_reader *r, const char *why)
{
    (void)diag_fail(r->d, ERR_SYNTAX, "'%.*s' is not a path: %s", SLICE_ARG(r->text), why);
    (void)diag_where(r->d, "character %u", r->i + 1);
    return ERR_SYNTAX;
}

static uint8_t path_peek(const struct path_reader *r)
{
    return r->i < r->text.len ? r->text.at[r->i] : 0;
}

static err_t add_step(struct path_reader *r, const struct slice *name, int64_t index)
{
    struct json_step step = {.index = index};
    if (name) {
        if (name->len > JSON_NAME_MAX) return path_wrong(r, "a name is longer than 1024 bytes");
        step.name = arena_slice(r->a, *name);
        if (!step.name.at) return diag_fail(r->d, ERR_NO_MEMORY, "no memory for a path");
    }
    if (r->steps.count == JSON_DEPTH_MAX) return path_wrong(r, "it has more than 128 steps");
    return vec_push(&r->steps, &step);
}

/* From an opening quote to the same one again, which is doubled inside. */
static err_t quoted_name(struct path_reader *r)
{
    uint8_t quote = path_peek(r);
    char *name = arena_take_raw(r->a, r->text.len + 1);
    uint32_t len = 0;
    if (!name) return diag_fail(r->d, ERR_NO_MEMORY, "no memory for a path");
    for (r->i++; r->i < r->text.len; r->i++) {
        if (r->text.at[r->i] == quote) {
            if (r->i + 1 == r->text.len || r->text.at[r->i + 1] != quote) break;
            r->i++;
        }
        name[len++] = (char)r->text.at[r->i];
    }
    if (r->i >= r->text.len) return path_wrong(r, "the quote is not closed");
    r->i++;
    struct slice s = slice_make(name, len);
    return add_step(r, &s, 0);
}

static err_t bare_name(struct path_reader *r)
{
    uint32_t from = r->i;
    while (r->i < r->text.len && !strchr(".[]\"'$*", r->text.at[r->i])) r->i++;
    struct slice name = {r->text.at + from, r->i - from};
    if (name.len == 0) return path_wrong(r, "a name was expected");
    return add_step(r, &name, 0);
}

static err_t bracket(struct path_reader *r)
{
    int64_t index;
    r->i++;
    if (path_peek(r) == '\'' || path_peek(r) == '"') {
        err_t e = quoted_name(r);
        if (e) return e;
        if (path_peek(r) != ']') return path_wrong(r, "']' was expected");
        r->i++;
        return ERR_OK;
    }
    uint32_t from = r->i;
    while (r->i < r->text.len && r->text.at[r->i] != ']') r->i++;
    struct slice inner = {r->text.at + from, r->i - from};
    if (r->i == r->text.len) return path_wrong(r, "']' was expected");
    if (slice_is(inner, "*")) {
        r->i = from;
        return path_wrong(r, "'[*]' stands for many values and may only end the path of items");
    }
    if (!slice_to_i64(inner, &index)) {
        r->i = from;
        return path_wrong(r, "a whole number or a quoted name was expected");
    }
    r->i++;
    return add_step(r, NULL, index);
}

static err_t read_steps(struct path_reader *r)
{
    bool start = true;
    if (path_peek(r) == '$') {
        r->i++;
        start = false;
    }
    while (r->i < r->text.len) {
        err_t e;
        if (path_peek(r) == '[') {
            e = bracket(r);
        } else {
            if (!start && path_peek(r) != '.') return path_wrong(r, "'.' or '[' was expected");
            if (!start) r->i++;
            e = path_peek(r) == '"' ? quoted_name(r) : bare_name(r);
        }
        if (e) return e;
        start = false;
    }
    return start ? path_wrong(r, "it is empty") : ERR_OK;
}

err_t json_path_parse(struct slice text, struct arena *a, struct json_step **steps, uint32_t *count,
                      struct diag *d)
{
    struct path_reader r = {text, 0, a, vec_make(sizeof(struct json_step), JSON_DEPTH_MAX), d};
    err_t e = read_steps(&r);
    *count = (uint32_t)r.steps.count;
    *steps = e ? NULL : arena_take(a, r.steps.count * sizeof(**steps) + 1);
    if (!e && !*steps) e = diag_fail(d, ERR_NO_MEMORY, "no memory for a path");
    if (!e && *steps && *count) memcpy(*steps, r.steps.items, *count * sizeof(**steps));
    vec_done(&r.steps);
    return e;
}

static bool is_plain_name(struct slice s)
{
    for (uint32_t i = 0; i < s.len; i++) {
        uint8_t c = s.at[i], low = c | 0x20;
        bool letter = (low >= 'a' && low <= 'z') || c == '_' || c >= 0x80;
        if (!letter && !(i && c >= '0' && c <= '9')) return false;
    }
    return s.len > 0;
}

void json_path_print(const struct json_step *steps, uint32_t count, struct buf *out)
{
    if (count == 0) buf_char(out, '$');
    for (uint32_t i = 0; i < count; i++) {
        const struct json_step *s = &steps[i];
        if (!s->name.at) {
            buf_printf(out, "%s[%lld]", i ? "" : "$", (long long)s->index);
            continue;
        }
        if (i) buf_char(out, '.');
        if (is_plain_name(s->name)) {
            buf_slice(out, s->name);
            continue;
        }
        buf_char(out, '"');
        for (uint32_t k = 0; k < s->name.len; k++)
            buf_text(out, s->name.at[k] == '"' ? "\"\"" : (char[]){(char)s->name.at[k], 0});
        buf_char(out, '"');
    }
}

/* --- the plan -----------------------------------------------------------------------------------
 */

enum { PLAN_BYTES_MAX = 16 << 20, PLAN_NODES_MAX = 1 << 16 };

static bool same_step(const struct json_node *n, const struct json_step *s)
{
    if (!n->name.at || !s->name.at) return !n->name.at && !s->name.at && n->index == s->index;
    return slice_equal(n->name, s->name);
}

/* The child of `parent` for this step; made when it is new. 0: too many. */
static uint32_t child_for(struct vec *nodes, uint32_t parent, const struct json_step *s,
                          struct arena *a)
{
    struct json_node *p = vec_at(nodes, parent);
    uint32_t last = 0;
    for (uint32_t c = p->first; c; c = ((struct json_node *)vec_at(nodes, c))->next) {
        if (same_step(vec_at(nodes, c), s)) return c;
        last = c;
    }
    struct json_node fresh = {.index = s->index};
    if (s->name.at) fresh.name = arena_slice(a, s->name);
    if (s->name.at && !fresh.name.at) return 0;
    if (s->name.at) {
        size_t head = MIN((size_t)fresh.name.len, sizeof(fresh.head));
        memset(&fresh.head_mask, 0xff, head);
        memcpy(&fresh.head, fresh.name.at, head);
    }
    if (vec_push(nodes, &fresh)) return 0;
    uint32_t at = (uint32_t)nodes->count - 1;
    p = vec_at(nodes, parent); /* the push may have moved it */
    if (last)
        ((struct json_node *)vec_at(nodes, last))->next = at;
    else
        p->first = at;
    if (s->name.at) {
        p->by_name = true;
        p->name_lengths |= (uint64_t)1 << (s->name.len & 63);
    } else {
        p->by_index = true;
        p->from_end |= s->index < 0;
    }
    return at;
}

/* Copies the subtree of `from` into preorder, so that a subtree is one run of nodes. As deep as a
 * path is long. */
static uint32_t settle(const struct vec *nodes, uint32_t from, struct json_node *to,
                       uint32_t *count, uint32_t *moved)
{
    uint32_t at = (*count)++, *link = &to[at].first;
    to[at] = *(const struct json_node *)vec_at(nodes, from);
    moved[from] = at;
    uint32_t child = to[at].first;
    *link = 0;
    while (child) {
        uint32_t put = settle(nodes, child, to, count, moved);
        child = ((const struct json_node *)vec_at(nodes, child))->next;
        *link = put;
        link = &to[put].next;
        *link = 0;
    }
    to[at].size = *count - at;
    return at;
}

static err_t add_want(struct json_plan *p, struct vec *nodes, const struct json_want *w,
                      struct plan_want *out)
{
    uint32_t at = 0;
    struct buf path = buf_make(KIB(64));
    if (w->step_count > JSON_DEPTH_MAX) return ERR_TOO_DEEP;
    for (uint32_t i = 0; i < w->step_count; i++) {
        if (w->steps[i].name.len > JSON_NAME_MAX) return ERR_TOO_BIG;
        at = child_for(nodes, at, &w->steps[i], p->arena);
        if (!at) return nodes->count == nodes->count_max ? ERR_TOO_BIG : ERR_NO_MEMORY;
    }
    json_path_print(w->steps, w->step_count, &path);
    *out = (struct plan_want){.node = at, .type = w->type, .cast = w->cast};
    if (w->late && json_put_is_dear(w->type)) out->note = ++p->note_count;
    out->path = arena_text(p->arena, buf_view(&path));
    err_t e = path.err == ERR_NO_MEMORY || !out->path ? ERR_NO_MEMORY : ERR_OK;
    buf_done(&path);
    out->put = json_put_for(w->type, w->cast);
    return e;
}

err_t json_plan_new(const struct json_want *wants, uint32_t count, struct json_plan **out,
                    struct diag *d)
{
    struct arena *a = arena_new(PLAN_BYTES_MAX);
    struct json_plan *p = a ? arena_take(a, sizeof(*p)) : NULL;
    struct vec nodes = vec_make(sizeof(struct json_node), PLAN_NODES_MAX);
    uint32_t *moved = NULL;
    err_t e = ERR_NO_MEMORY;
    if (!p || !vec_add(&nodes)) goto out;
    p->arena = a;
    p->want_count = count;
    p->wants = arena_take(a, count * sizeof(*p->wants));
    e = p->wants ? ERR_OK : ERR_NO_MEMORY;
    for (uint32_t i = 0; !e && i < count; i++) e = add_want(p, &nodes, &wants[i], &p->wants[i]);
    if (e) goto out;
    p->nodes = arena_take(a, nodes.count * sizeof(*p->nodes));
    moved = mem_take(nodes.count * sizeof(*moved));
    e = p->nodes && moved ? ERR_OK : ERR_NO_MEMORY;
    if (e) goto out;
    (void)settle(&nodes, 0, p->nodes, &p->node_count, moved);
    for (uint32_t i = 0; i < count; i++) p->wants[i].node = moved[p->wants[i].node];
    *out = p;
out:
    mem_give(moved);
    vec_done(&nodes);
    if (e) arena_free(a);
    return e ? diag_fail(d, e, "no plan for %u JSON paths", count) : ERR_OK;
}

void json_plan_free(struct json_plan *p)
{
    if (p) arena_free(p->arena);
}
