/* The walk through a template's tree. */
#include "sched/template_int.h"

enum { LOCALS_MAX = 256, PATH_MAX_BYTES = 128 };

static err_t eval(struct tenv *n, const struct tnode *t, struct tv *out);
static err_t write_node(struct tenv *n, const struct tnode *t, struct buf *out);

/* --- names --------------------------------------------------------------------------------------
 */

/* "dag_run.logical_date" of a chain of plain names; false: it is none, or too long to be a date's.
 */
static bool path_of(const struct tnode *t, char *out, size_t cap)
{
    if (t->kind == TE_NAME) return slice_to_cstr(t->text, out, cap);
    if (t->kind != TE_ATTR || !path_of(t->a, out, cap)) return false;
    size_t len = strlen(out);
    if (len + 1 + t->text.len >= cap) return false;
    out[len] = '.';
    return slice_to_cstr(t->text, out + len + 1, cap - len - 1);
}

static err_t undefined_used(struct tenv *n, const struct tnode *t, const struct tv *v)
{
    char path[PATH_MAX_BYTES];
    if (!path_of(t, path, sizeof path)) {
        (void)diag_fail(n->d, ERR_UNKNOWN_NAME, "template: '%.*s' is undefined",
                        SLICE_ARG(v->name));
        return diag_hint(n->d, "the filter default('…') gives it a value");
    }
    const char *dot = strrchr(path, '.'), *last = dot ? dot + 1 : path;
    (void)diag_fail(n->d, ERR_UNKNOWN_NAME, "template: '%s' is undefined", path);
    if (strncmp(path, "var.", 4) == 0)
        return diag_hint(n->d, "sluice variables set %s VALUE; or {{ %s | default('…') }}", last,
                         path);
    if (strncmp(path, "conn.", 5) == 0)
        return diag_hint(n->d, "sluice connections add %s --conn-uri URI", last);
    return diag_hint(n->d, "{{ %s | default('…') }} gives it a value", path);
}

static err_t defined(struct tenv *n, const struct tnode *t, struct tv *out)
{
    err_t e = eval(n, t, out);
    if (e || out->kind != TV_UNDEFINED) return e;
    return template_wrong(n->d, n->text, t->at, undefined_used(n, t, out));
}

static bool is_date(struct tenv *n, const struct tnode *t, struct tv *out)
{
    char path[PATH_MAX_BYTES];
    if (!n->world->date_count || !path_of(t, path, sizeof path)) return false;
    for (uint32_t i = 0; i < n->world->date_count; i++) {
        const struct template_date *date = &n->world->dates[i];
        if (strcmp(date->path, path) != 0) continue;
        *out = (struct tv){.kind = TV_DATE, .us = date->us, .zone = zone_utc()};
        if (date->us == INT64_MIN) *out = tv_doc((struct doc){0});
        return true;
    }
    return false;
}

static err_t eval_name(struct tenv *n, const struct tnode *t, struct tv *out)
{
    static const char *const spaces[] = {"var", "conn", "macros"};
    for (uint32_t i = n->local_count; i > 0; i--) {
        if (!slice_equal(n->locals[i - 1].name, t->text)) continue;
        *out = tv_doc(n->locals[i - 1].value);
        return ERR_OK;
    }
    const struct doc *found = doc_find(n->world->names, t->text);
    *out = (struct tv){.kind = TV_UNDEFINED, .name = t->text};
    if (found) *out = tv_doc(*found);
    if (found) out->name = t->text; /* ti: its methods are known by it */
    for (size_t i = 0; !found && i < COUNT_OF(spaces); i++)
        if (slice_is(t->text, spaces[i])) out->kind = TV_SPACE;
    return ERR_OK;
}

static err_t set_local(struct tenv *n, struct slice name, struct doc value)
{
    for (uint32_t i = n->local_count; i > 0; i--) {
        if (!slice_equal(n->locals[i - 1].name, name)) continue;
        n->locals[i - 1].value = value;
        return ERR_OK;
    }
    if (n->local_count == LOCALS_MAX)
        return diag_fail(n->d, ERR_TOO_BIG, "template: more than %d names are set", LOCALS_MAX);
    n->locals[n->local_count++] = (struct doc_entry){.name = name, .value = value};
    return ERR_OK;
}

/* --- parts of values ----------------------------------------------------------------------------
 */

static bool index_in(const struct tv *at, uint32_t count, int64_t *out)
{
    if (!tv_is(at, DOC_INT)) return false;
    *out = at->doc.number < 0 ? at->doc.number + count : at->doc.number;
    return *out >= 0 && *out < count;
}

static err_t eval_item(struct tenv *n, const struct tnode *t, struct tv *out)
{
    struct tv self, at;
    int64_t i;
    err_t e = defined(n, t->a, &self);
    if (!e) e = defined(n, t->b, &at);
    if (e) return e;
    if (tv_is(&at, DOC_TEXT)) return template_attribute(n, &self, at.doc.text, out);
    *out = (struct tv){.kind = TV_UNDEFINED, .name = SLICE("an element")};
    if (tv_is(&self, DOC_LIST) && index_in(&at, self.doc.count, &i))
        *out = tv_doc(self.doc.items[i]);
    if (tv_is(&self, DOC_TEXT) && index_in(&at, template_letters(self.doc.text), &i))
        *out = tv_text(template_letter(self.doc.text, (uint32_t)i));
    return ERR_OK;
}

static err_t eval_slice(struct tenv *n, const struct tnode *t, struct tv *out)
{
    struct tv self, from = tv_doc((struct doc){0}), to = from, by = from;
    err_t e = defined(n, t->a, &self);
    if (!e && t->b) e = defined(n, t->b, &from);
    if (!e && t->c) e = defined(n, t->c, &to);
    if (!e && t->d) e = defined(n, t->d, &by);
    return e ? e : template_part(n, &self, &from, &to, &by, out);
}

/* --- calls --------------------------------------------------------------------------------------
 */

static err_t eval_args(struct tenv *n, const struct tnode *t, struct targs *out)
{
    *out = (struct targs){arena_take(n->a, (t->count + (size_t)1) * sizeof *out->at), t->names,
                          t->count};
    if (!out->at) return template_no_memory(n->d);
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < t->count && !e; i++) e = defined(n, t->list[i], &out->at[i]);
    return e;
}

static err_t range_of(struct tenv *n, const struct targs *args, struct tv *out)
{
    int64_t bound[3] = {0, 0, 1};
    for (uint32_t i = 0; i < args->count && i < 3; i++) {
        if (!tv_is(&args->at[i], DOC_INT))
            return diag_fail(n->d, ERR_TYPE, "template: range takes whole numbers");
        bound[i] = args->at[i].doc.number;
    }
    if (args->count == 1) {
        bound[1] = bound[0];
        bound[0] = 0;
    }
    double many = bound[2] ? ((double)bound[1] - (double)bound[0]) / (double)bound[2] : -1;
    if (!bound[2] || many > TEMPLATE_STEPS_MAX)
        return diag_fail(n->d, ERR_TOO_BIG, "template: a range of that length is refused");
    struct doc list = {.kind = DOC_LIST};
    list.items = arena_take(n->a, (size_t)(many > 0 ? many + 2 : 1) * sizeof *list.items);
    if (!list.items) return template_no_memory(n->d);
    for (int64_t i = bound[0]; bound[2] > 0 ? i < bound[1] : i > bound[1]; i += bound[2])
        list.items[list.count++] = (struct doc){.kind = DOC_INT, .number = i};
    *out = tv_doc(list);
    return ERR_OK;
}

static err_t eval_call(struct tenv *n, const struct tnode *t, struct tv *out)
{
    struct targs args;
    struct tv self;
    err_t e = eval_args(n, t, &args);
    if (e) return e;
    if (t->a->kind == TE_ATTR) {
        if (is_date(n, t->a->a, &self)) return template_call(n, &self, t->a->text, &args, out);
        e = defined(n, t->a->a, &self);
        return e ? e : template_call(n, &self, t->a->text, &args, out);
    }
    if (t->a->kind == TE_NAME && slice_is(t->a->text, "range")) return range_of(n, &args, out);
    if (t->a->kind == TE_NAME && slice_is(t->a->text, "dict")) {
        struct doc map = {.kind = DOC_MAP, .count = args.count};
        map.entries = arena_take(n->a, (args.count + (size_t)1) * sizeof *map.entries);
        if (!map.entries) return template_no_memory(n->d);
        for (uint32_t i = 0; i < args.count && !e; i++) {
            map.entries[i].name = args.names[i];
            e = tv_as_doc(n, &args.at[i], &map.entries[i].value);
        }
        *out = tv_doc(map);
        return e;
    }
    return diag_fail(n->d, ERR_UNKNOWN_FUNCTION, "template: '%.*s' can not be called",
                     SLICE_ARG(t->a->text));
}

/* --- expressions --------------------------------------------------------------------------------
 */

static err_t eval_parts(struct tenv *n, const struct tnode *t, struct tv *out)
{
    bool map = t->kind == TE_DICT;
    uint32_t count = map ? t->count / 2 : t->count;
    struct doc v = {.kind = map ? DOC_MAP : DOC_LIST, .count = count};
    struct doc *items = map ? NULL : arena_take(n->a, (count + (size_t)1) * sizeof *items);
    struct doc_entry *entries =
        map ? arena_take(n->a, (count + (size_t)1) * sizeof *entries) : NULL;
    if (!items && !entries) return template_no_memory(n->d);
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < count && !e; i++) {
        struct tv part;
        if (map) e = defined(n, t->list[i * 2], &part);
        if (map && !e) e = tv_as_text(n, &part, &entries[i].name);
        if (!e) e = defined(n, t->list[map ? i * 2 + 1 : i], &part);
        if (!e) e = tv_as_doc(n, &part, map ? &entries[i].value : &items[i]);
    }
    if (map)
        v.entries = entries;
    else
        v.items = items;
    *out = tv_doc(v);
    return e;
}

static err_t eval_logic(struct tenv *n, const struct tnode *t, struct tv *out)
{
    err_t e;
    switch (t->kind) {
    case TE_NOT:
        e = defined(n, t->a, out);
        if (!e) *out = tv_bool(!tv_true(out));
        return e;
    case TE_AND:
    case TE_OR:
        e = defined(n, t->a, out);
        return e || tv_true(out) == (t->kind == TE_OR) ? e : eval(n, t->b, out);
    default: /* TE_COND */
        e = defined(n, t->b, out);
        if (e) return e;
        if (tv_true(out)) return eval(n, t->a, out);
        if (t->c) return eval(n, t->c, out);
        *out = tv_text(SLICE(""));
        return ERR_OK;
    }
}

static err_t eval_binary(struct tenv *n, const struct tnode *t, struct tv *out)
{
    struct tv x, y;
    err_t e = defined(n, t->a, &x);
    if (!e) e = defined(n, t->b, &y);
    return e ? e : tv_binary(n, (enum tbinary)t->op, &x, &y, out);
}

static err_t eval_negate(struct tenv *n, const struct tnode *t, struct tv *out)
{
    struct tv zero = tv_int(0), v;
    err_t e = defined(n, t->a, &v);
    if (!e && v.kind == TV_DELTA) {
        *out = v;
        out->us = -v.us;
        return ERR_OK;
    }
    if (!e && tv_is(&v, DOC_FLOAT)) {
        *out = tv_real(-v.doc.real); /* -0.0 is one */
        return ERR_OK;
    }
    return e ? e : tv_binary(n, TB_SUB, &zero, &v, out);
}

static err_t eval_attribute(struct tenv *n, const struct tnode *t, struct tv *out)
{
    struct tv self;
    err_t e = defined(n, t->a, &self);
    return e ? e : template_attribute(n, &self, t->text, out);
}

static err_t eval_filter(struct tenv *n, const struct tnode *t, struct tv *out)
{
    struct targs args;
    struct tv v;
    bool answer;
    err_t e = eval(n, t->a, &v);
    if (!e) e = eval_args(n, t, &args);
    if (e) return e;
    if (t->kind == TE_FILTER) return template_filter(n, t->text, &v, &args, out);
    e = template_test(n, t->text, &v, &args, &answer);
    *out = tv_bool(answer != (t->op == 1));
    return e;
}

static err_t eval_one(struct tenv *n, const struct tnode *t, struct tv *out)
{
    if ((t->kind == TE_NAME || t->kind == TE_ATTR) && is_date(n, t, out)) return ERR_OK;
    switch (t->kind) {
    case TE_CONST: *out = tv_doc(t->value); return ERR_OK;
    case TE_NAME: return eval_name(n, t, out);
    case TE_ATTR: return eval_attribute(n, t, out);
    case TE_ITEM: return eval_item(n, t, out);
    case TE_SLICE: return eval_slice(n, t, out);
    case TE_CALL: return eval_call(n, t, out);
    case TE_FILTER:
    case TE_TEST: return eval_filter(n, t, out);
    case TE_BINARY: return eval_binary(n, t, out);
    case TE_NEGATE: return eval_negate(n, t, out);
    case TE_NOT:
    case TE_AND:
    case TE_OR:
    case TE_COND: return eval_logic(n, t, out);
    case TE_LIST:
    case TE_DICT: return eval_parts(n, t, out);
    default: return diag_fail(n->d, ERR_INTERNAL, "template: not an expression");
    }
}

static err_t eval(struct tenv *n, const struct tnode *t, struct tv *out)
{
    if (++n->steps > TEMPLATE_STEPS_MAX)
        return diag_fail(n->d, ERR_TOO_BIG, "template: it takes more than %d steps",
                         TEMPLATE_STEPS_MAX);
    err_t e = eval_one(n, t, out);
    return e ? template_wrong(n->d, n->text, t->at, e) : ERR_OK;
}

/* --- tags ---------------------------------------------------------------------------------------
 */

enum { LOOP_NAMES = 6 };

/* `loop` of the i-th round: one map a loop, filled anew. */
static void loop_local(struct tenv *n, struct doc_entry *entries, uint32_t i, uint32_t count)
{
    static const char *const names[LOOP_NAMES] = {"index",  "index0", "revindex",
                                                  "length", "first",  "last"};
    const int64_t numbers[LOOP_NAMES] = {i + 1, i, count - i, count, i == 0, i + 1 == count};
    for (uint32_t k = 0; k < LOOP_NAMES; k++) {
        entries[k] = (struct doc_entry){.name = slice_of(names[k])};
        entries[k].value.kind = k < 4 ? DOC_INT : DOC_BOOL;
        if (k < 4)
            entries[k].value.number = numbers[k];
        else
            entries[k].value.yes = numbers[k] != 0;
    }
    n->locals[n->local_count++] = (struct doc_entry){
        .name = SLICE("loop"), .value = {.kind = DOC_MAP, .count = LOOP_NAMES, .entries = entries}};
}

static err_t loop_names(struct tenv *n, const struct tnode *t, const struct doc *item)
{
    if (n->local_count + 3 > LOCALS_MAX)
        return diag_fail(n->d, ERR_TOO_BIG, "template: nested too deep");
    bool pair = t->more.len && item->kind == DOC_LIST && item->count == 2;
    if (t->more.len && !pair)
        return diag_fail(n->d, ERR_TYPE, "template: there are no pairs to take apart");
    n->locals[n->local_count++] =
        (struct doc_entry){.name = t->text, .value = pair ? item->items[0] : *item};
    if (pair)
        n->locals[n->local_count++] = (struct doc_entry){.name = t->more, .value = item->items[1]};
    return ERR_OK;
}

/* The items that the loop's own `if` lets through. */
static err_t loop_items(struct tenv *n, const struct tnode *t, struct doc *list)
{
    struct tv v, walked = {0}, yes;
    struct targs none = {0};
    err_t e = defined(n, t->a, &v);
    if (!e) e = template_filter(n, SLICE("list"), &v, &none, &walked);
    *list = walked.doc;
    if (e || !t->d) return e;
    struct doc *kept = arena_take(n->a, (list->count + (size_t)1) * sizeof *kept);
    if (!kept) return template_no_memory(n->d);
    uint32_t count = 0, locals = n->local_count;
    for (uint32_t i = 0; i < list->count && !e; i++) {
        e = loop_names(n, t, &list->items[i]);
        if (!e) e = defined(n, t->d, &yes);
        if (!e && tv_true(&yes)) kept[count++] = list->items[i];
        n->local_count = locals;
    }
    *list = (struct doc){.kind = DOC_LIST, .count = count, .items = kept};
    return e;
}

static err_t write_for(struct tenv *n, const struct tnode *t, struct buf *out)
{
    struct doc list;
    uint32_t locals = n->local_count;
    struct doc_entry *entries = arena_take(n->a, LOOP_NAMES * sizeof *entries);
    err_t e = entries ? loop_items(n, t, &list) : template_no_memory(n->d);
    if (e) return e;
    for (uint32_t i = 0; i < list.count && !e; i++) {
        e = loop_names(n, t, &list.items[i]);
        if (!e) loop_local(n, entries, i, list.count);
        if (!e) e = write_node(n, t->b, out);
        n->local_count = locals;
    }
    return e || list.count || !t->c ? e : write_node(n, t->c, out);
}

static err_t write_if(struct tenv *n, const struct tnode *t, struct buf *out)
{
    struct tv yes;
    err_t e = eval(n, t->a, &yes);
    if (e) return e;
    const struct tnode *next = yes.kind != TV_UNDEFINED && tv_true(&yes) ? t->b : t->c;
    return next ? write_node(n, next, out) : ERR_OK;
}

static err_t write_node(struct tenv *n, const struct tnode *t, struct buf *out)
{
    struct tv v;
    struct doc doc;
    err_t e = ERR_OK;
    switch (t->kind) {
    case TN_TEXT: buf_slice(out, t->text); break;
    case TN_OUT:
        e = defined(n, t->a, &v);
        if (!e) tv_put(out, &v);
        break;
    case TN_IF: return write_if(n, t, out);
    case TN_FOR: return write_for(n, t, out);
    case TN_SET:
        e = defined(n, t->a, &v);
        if (!e) e = tv_as_doc(n, &v, &doc);
        return e ? e : set_local(n, t->text, doc);
    default:
        for (uint32_t i = 0; i < t->count && !e; i++) e = write_node(n, t->list[i], out);
    }
    if (!e && out->err)
        return diag_fail(n->d, ERR_TOO_BIG, "template: it gives more than %d MiB",
                         TEMPLATE_OUT_MAX >> 20);
    return e;
}

/* --- from outside -------------------------------------------------------------------------------
 */

static bool plain_text(struct slice s)
{
    for (uint32_t i = 0; i + 1 < s.len; i++)
        if (s.at[i] == '{' && strchr("{%#", s.at[i + 1]) && s.at[i + 1]) return false;
    return true;
}

err_t template_text(struct slice text, const struct template_world *w, struct arena *a,
                    struct doc *out, struct diag *d)
{
    /* as Jinja: the line break at its end does not belong to it */
    if (text.len && text.at[text.len - 1] == '\n') text.len--;
    struct tenv n = {.world = w, .a = a, .text = text, .d = d};
    struct tnode *root;
    *out = (struct doc){.kind = DOC_TEXT, .text = text};
    if (plain_text(text)) return ERR_OK;
    n.locals = arena_take(a, LOCALS_MAX * sizeof *n.locals);
    if (!n.locals) return template_no_memory(d);
    err_t e = template_parse(text, a, &root, d);
    if (e) return e;
    if (w->native && root->count == 1 && root->list[0]->kind == TN_OUT) {
        struct tv v;
        e = defined(&n, root->list[0]->a, &v);
        return e ? e : tv_as_doc(&n, &v, out);
    }
    struct buf bytes = buf_make(TEMPLATE_OUT_MAX);
    e = write_node(&n, root, &bytes);
    out->text = arena_slice(a, buf_view(&bytes));
    if (!e && bytes.len && !out->text.at) e = template_no_memory(d);
    if (!out->text.at) out->text = SLICE("");
    buf_done(&bytes);
    return e;
}

err_t template_render(const struct doc *from, const struct template_world *w, struct arena *a,
                      struct doc *out, struct diag *d)
{
    err_t e = ERR_OK;
    *out = *from;
    if (from->kind == DOC_TEXT) return template_text(from->text, w, a, out, d);
    if (from->kind == DOC_LIST && from->count) {
        out->items = arena_take(a, from->count * sizeof *out->items);
        if (!out->items) return template_no_memory(d);
        for (uint32_t i = 0; i < from->count && !e; i++)
            e = template_render(&from->items[i], w, a, &out->items[i], d);
    }
    if (from->kind == DOC_MAP && from->count) {
        out->entries = arena_take(a, from->count * sizeof *out->entries);
        if (!out->entries) return template_no_memory(d);
        for (uint32_t i = 0; i < from->count && !e; i++) {
            out->entries[i] = from->entries[i];
            e = template_render(&from->entries[i].value, w, a, &out->entries[i].value, d);
        }
    }
    return e;
}
