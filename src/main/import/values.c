/* What the project's Python means over one record of the API: names are followed through functions
 * to paths of the record and to SQL; nothing is run. Every way through a function is taken, in the
 * order of its lines; the last assignment to a name counts. */
#include "main/import/import.h"

#include <stdio.h>
#include <stdlib.h>

enum { FOLLOW_DEPTH_MAX = 8, NAMES_MAX = 1000, STEPS_MAX = 200000 };

struct scope {
    struct import *m;
    const struct import_file *f;
    struct vec names; /* struct field */
    struct meaning returned;
    int depth;
    uint32_t *steps;
};

static struct meaning evaluate(struct scope *s, const struct py_node *n);
static void follow_body(struct scope *s, const struct py_node *n, uint32_t from);

static struct meaning nothing(void)
{
    return (struct meaning){0};
}

static struct meaning sql_of(struct slice text)
{
    return (struct meaning){.kind = MEANS_SQL, .text = text};
}

/* --- writing ------------------------------------------------------------------------------------
 */

static struct slice last_part(struct slice path)
{
    uint32_t i = path.len;
    while (i && path.at[i - 1] != '.') i--;
    return slice_make(path.at + i, path.len - i);
}

/* Fields that are a number in some of the API's records and a text or null in others. */
static bool varies(struct slice path)
{
    static const char *const names[] = {"postcode", "number",   "age",
                                        "value",    "latitude", "longitude"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (slice_is(last_part(path), names[i])) return true;
    return false;
}

static void put_quoted(struct buf *out, struct slice text)
{
    buf_char(out, '\'');
    for (uint32_t i = 0; i < text.len; i++) {
        if (text.at[i] == '\'') buf_char(out, '\'');
        buf_char(out, (char)text.at[i]);
    }
    buf_char(out, '\'');
}

static void put_path(struct buf *out, struct slice path)
{
    uint32_t from = 0;
    for (uint32_t i = 0; i <= path.len; i++) {
        if (i < path.len && path.at[i] != '.') continue;
        bool plain = i > from;
        for (uint32_t k = from; k < i && plain; k++) {
            uint8_t c = path.at[k];
            plain = (c >= 'a' && c <= 'z') || c == '_' || (k > from && c >= '0' && c <= '9');
        }
        buf_printf(out, plain ? "%s%.*s" : "%s\"%.*s\"", from ? "." : "", (int)(i - from),
                   (const char *)path.at + from);
        from = i + 1;
    }
}

static void put_text_of(struct buf *out, const struct meaning *v)
{
    bool cast = v->kind == MEANS_PATH && varies(v->text);
    if (cast) buf_text(out, "CAST(");
    if (v->kind == MEANS_PATH)
        put_path(out, v->text);
    else if (v->kind == MEANS_TEXT)
        put_quoted(out, v->text);
    else
        buf_slice(out, v->kind == MEANS_FRESH ? SLICE("uuid()") : v->text);
    if (cast) buf_text(out, " AS TEXT)");
}

void value_put_sql(struct import *m, struct buf *out, const struct meaning *v, struct slice type)
{
    static const char *const as_they_are[] = {"uuid", "timestamp", "timeuuid"};
    bool text = slice_equal_nocase(type, SLICE("text")) ||
                slice_equal_nocase(type, SLICE("varchar")) ||
                slice_equal_nocase(type, SLICE("ascii"));
    bool plain = text;
    for (size_t i = 0; i < COUNT_OF(as_they_are) && v->kind == MEANS_PATH; i++)
        plain = plain || slice_equal_nocase(type, slice_of(as_they_are[i]));
    struct slice end =
        import_print(m, " AS %.*s)", SLICE_ARG(type)); /* CAST(… AS what it is to be) */
    if (v->kind == MEANS_SQL && slice_starts(v->text, "CAST(") && v->text.len > end.len)
        plain = plain ||
                slice_equal_nocase(slice_make(v->text.at + v->text.len - end.len, end.len), end);
    if (plain || v->kind == MEANS_FRESH) {
        put_text_of(out, v);
        return;
    }
    buf_text(out, "CAST(");
    if (v->kind == MEANS_PATH)
        put_path(out, v->text);
    else
        put_text_of(out, v);
    buf_printf(out, " AS %.*s)", SLICE_ARG(type));
}

/* name(a, b …) with its arguments as text; nothing when one is not understood. */
static struct meaning call_sql(struct import *m, const char *name, const struct meaning *list,
                               uint32_t count)
{
    struct buf b = buf_make(KIB(64));
    buf_printf(&b, "%s(", name);
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].kind == MEANS_NONE || list[i].kind == MEANS_FIELDS) {
            buf_done(&b);
            return nothing();
        }
        if (i) buf_text(&b, ", ");
        put_text_of(&b, &list[i]);
    }
    buf_char(&b, ')');
    struct meaning v = sql_of(import_print(m, "%.*s", (int)b.len, (const char *)b.at));
    buf_done(&b);
    return v;
}

static struct meaning cast_to(struct import *m, const struct meaning *v, const char *type)
{
    struct buf b = buf_make(KIB(64));
    if (v->kind == MEANS_NONE || v->kind == MEANS_FIELDS || v->kind == MEANS_FRESH) return *v;
    buf_text(&b, "CAST(");
    if (v->kind == MEANS_PATH)
        put_path(&b, v->text);
    else
        put_text_of(&b, v);
    buf_printf(&b, " AS %s)", type);
    struct meaning out = sql_of(import_print(m, "%.*s", (int)b.len, (const char *)b.at));
    buf_done(&b);
    return out;
}

/* --- names and parts ----------------------------------------------------------------------------
 */

static void name_set(struct scope *s, struct slice name, struct meaning v)
{
    for (size_t i = 0; i < s->names.count; i++) {
        struct field *old = vec_at(&s->names, i);
        if (!slice_equal(old->name, name)) continue;
        if (v.kind != MEANS_NONE) old->value = v; /* res = None before a try says nothing */
        return;
    }
    struct field *f = vec_add(&s->names);
    if (f) *f = (struct field){.name = name, .value = v};
}

static struct meaning *name_of(const struct scope *s, struct slice name)
{
    for (size_t i = 0; i < s->names.count; i++) {
        struct field *f = vec_at(&s->names, i);
        if (slice_equal(f->name, name)) return &f->value;
    }
    return NULL;
}

static struct meaning new_fields(struct import *m)
{
    struct vec *v = arena_take(m->arena, sizeof *v);
    if (!v) {
        m->err = ERR_NO_MEMORY;
        return nothing();
    }
    *v = vec_make(sizeof(struct field), 1000);
    *(struct vec **)import_add(m, &m->owned) = v;
    return (struct meaning){.kind = MEANS_FIELDS, .fields = v};
}

static void field_set(struct scope *s, struct meaning *of, struct slice name, struct meaning v,
                      uint32_t line)
{
    struct field *f = NULL;
    for (size_t i = 0; i < of->fields->count; i++) {
        f = vec_at(of->fields, i);
        if (slice_equal(f->name, name)) break;
        f = NULL;
    }
    if (!f) f = import_add(s->m, of->fields);
    *f = (struct field){name, v, s->f, line};
}

static struct meaning part_of(struct import *m, const struct meaning *v, struct slice name)
{
    if (v->kind == MEANS_FIELDS) {
        for (size_t i = 0; i < v->fields->count; i++) {
            const struct field *f = vec_at(v->fields, i);
            if (slice_equal(f->name, name)) return f->value;
        }
        return nothing();
    }
    if (v->kind != MEANS_PATH) return nothing();
    if (!v->text.len && slice_is(name, "results")) {
        m->in_results = true;
        return *v; /* the answer's list: one record at a time from here on */
    }
    return (struct meaning){.kind = MEANS_PATH,
                            .text = import_print(m, "%.*s%s%.*s", SLICE_ARG(v->text),
                                                 v->text.len ? "." : "", SLICE_ARG(name))};
}

struct meaning value_of_path(struct import *m, struct slice path)
{
    uint32_t dot = 0;
    if (m->alias.len && path.len > m->alias.len && path.at[m->alias.len] == '.' &&
        !memcmp(path.at, m->alias.at, m->alias.len))
        path = slice_make(path.at + m->alias.len + 1, path.len - m->alias.len - 1);
    if (m->sent.kind != MEANS_FIELDS) return (struct meaning){.kind = MEANS_PATH, .text = path};
    while (dot < path.len && path.at[dot] != '.') dot++;
    struct meaning v = part_of(m, &m->sent, slice_make(path.at, dot));
    return dot < path.len ? part_of(m, &v, slice_make(path.at + dot + 1, path.len - dot - 1)) : v;
}

/* --- calls --------------------------------------------------------------------------------------
 */

static bool number_of(struct scope *s, const struct py_node *n, double *out)
{
    struct slice text;
    return constant_of(s->m, s->f, n, &text) && slice_to_f64(text, out);
}

static void see_url(struct scope *s, const struct py_node *call)
{
    struct import *m = s->m;
    struct slice url;
    const struct py_node *given = py_argument(call, "url", 0);
    struct meaning v = given ? evaluate(s, given) : nothing();
    if (v.kind == MEANS_TEXT)
        url = v.text;
    else if (!constant_of(m, s->f, given, &url)) {
        import_leave(m, s->f, call->line, "the URL that is asked here is not a constant");
        return;
    }
    if (m->url.len) return;
    m->url = url;
    m->url_file = s->f;
    m->url_line = call->line;
    const struct py_node *params = py_argument(call, "params", 1);
    if (params && params->kind == PY_NAME) params = py_assigned(s->f->module, params->text);
    for (uint32_t i = 0; params && params->kind == PY_DICT && i + 1 < params->count; i += 2) {
        struct slice name, value;
        if (constant_of(m, s->f, params->items[i], &name) &&
            constant_of(m, s->f, params->items[i + 1], &value))
            m->url = import_print(m, "%.*s%c%.*s=%.*s", SLICE_ARG(m->url),
                                  memchr(m->url.at, '?', m->url.len) ? '&' : '?', SLICE_ARG(name),
                                  SLICE_ARG(value));
        else
            import_leave(m, s->f, params->items[i]->line,
                         "a parameter of the URL is not a constant");
    }
}

static void see_send(struct scope *s, const struct py_node *call)
{
    struct import *m = s->m;
    struct slice topic;
    const struct py_node *value = py_argument(call, "value", 1),
                         *key = py_argument(call, "key", -1);
    struct meaning v = value ? evaluate(s, value) : nothing(),
                   k = key ? evaluate(s, key) : nothing();
    const struct py_node *to = py_argument(call, "topic", 0);
    struct meaning named = to ? evaluate(s, to) : nothing();
    if (named.kind == MEANS_TEXT)
        topic = named.text;
    else if (!constant_of(m, s->f, to, &topic)) {
        import_leave(m, s->f, call->line, "the topic that is written here is not a constant");
        topic = (struct slice){0};
    }
    if (m->sends) return; /* the first one counts; what others send is the same or is told below */
    m->sends = true;
    m->topic = topic;
    m->sent = v;
    if (v.kind != MEANS_PATH && v.kind != MEANS_FIELDS)
        import_leave(m, s->f, call->line,
                     "what is sent here is not understood: the stream reads "
                     "the API's records as they come");
    if (k.kind == MEANS_PATH && k.text.len)
        m->key = k.text;
    else if (key)
        import_leave(m, s->f, call->line, "the key that is sent is not a path of the record");
    import_understand(m, s->f, call->line, "records into the topic %.*s", SLICE_ARG(topic));
}

static struct meaning function_call(struct scope *s, const struct py_node *call)
{
    const struct import_file *f;
    const struct py_node *def = py_function_find(s->m, s->f, py_called(call), &f);
    if (!def || s->depth >= FOLLOW_DEPTH_MAX) return nothing();
    struct scope inner = {.m = s->m, .f = f, .depth = s->depth + 1, .steps = s->steps};
    inner.names = vec_make(sizeof(struct field), NAMES_MAX);
    for (uint32_t i = def->decorators; i < def->head; i++) {
        const struct py_node *given = py_argument(
            call, arena_text(s->m->arena, def->items[i]->text), (int)(i - def->decorators));
        name_set(&inner, def->items[i]->text, given ? evaluate(s, given) : nothing());
    }
    follow_body(&inner, def, def->head);
    vec_done(&inner.names);
    return inner.returned;
}

/* Words that leave a record what it is. */
static bool passes(struct slice called)
{
    static const char *const words[] = {"json",   "loads", "dumps", "encode",           "decode",
                                        "copy",   "dict",  "list",  "raise_for_status", "read",
                                        "urlopen"};
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (slice_is(called, words[i])) return true;
    return false;
}

static struct meaning text_method(struct scope *s, const struct py_node *call, struct meaning of)
{
    static const struct {
        const char *python, *sql;
    } words[] = {{"lower", "lower"}, {"upper", "upper"}, {"strip", "trim"}, {"title", "initcap"}};
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (slice_is(py_called(call), words[i].python)) return call_sql(s->m, words[i].sql, &of, 1);
    const struct py_node *list = py_argument(call, NULL, 0);
    if (!slice_is(py_called(call), "join") || !list || list->kind != PY_LIST) return nothing();
    struct meaning *parts = arena_take(s->m->arena, (list->count + 1) * sizeof *parts);
    if (!parts) return nothing();
    parts[0] = of;
    for (uint32_t i = 0; i < list->count; i++) parts[i + 1] = evaluate(s, list->items[i]);
    return call_sql(s->m, "concat_ws", parts, list->count + 1);
}

static bool is_send(const struct py_node *n)
{
    struct slice called = py_called(n);
    const struct py_node *owner = py_owner(n);
    if (!slice_is(called, "send") && !slice_is(called, "produce") &&
        !slice_is(called, "send_and_wait"))
        return false;
    return owner && n->count >= 2;
}

static struct meaning call(struct scope *s, const struct py_node *n)
{
    struct slice called = py_called(n), text;
    const struct py_node *owner = py_owner(n), *first = py_argument(n, NULL, 0);
    if (is_send(n)) {
        see_send(s, n);
        return nothing();
    }
    if (slice_is(called, "uuid4") || slice_is(called, "uuid1"))
        return (struct meaning){.kind = MEANS_FRESH};
    double seconds;
    if (slice_is(called, "sleep")) {
        if (first && number_of(s, first, &seconds) && seconds >= 0 && seconds < 1e6)
            s->m->every_ms = (int64_t)(seconds * 1000);
        return nothing();
    }
    struct meaning of = owner ? evaluate(s, owner) : nothing();
    if (slice_is(called, "get") && of.kind != MEANS_PATH && of.kind != MEANS_FIELDS) {
        if (constant_of(s->m, s->f, n, &text))
            return (struct meaning){.kind = MEANS_TEXT, .text = text};
        see_url(s, n);
        return (struct meaning){.kind = MEANS_PATH};
    }
    if (slice_is(called, "get") && first && constant_of(s->m, s->f, first, &text))
        return part_of(s->m, &of, text);
    if (slice_is(called, "urlopen") && first) see_url(s, n);
    if (slice_is(called, "urlopen")) return (struct meaning){.kind = MEANS_PATH};
    if (passes(called)) return of.kind ? of : first ? evaluate(s, first) : nothing();
    if (slice_is(called, "append") && owner && owner->kind == PY_NAME && first) {
        struct meaning *list = name_of(s, owner->text), item = evaluate(s, first);
        if (list && item.kind) *list = item;
        return nothing();
    }
    if (of.kind == MEANS_PATH || of.kind == MEANS_SQL || of.kind == MEANS_TEXT)
        return text_method(s, n, of);
    static const char *const casts[][2] = {{"str", "TEXT"}, {"int", "BIGINT"}, {"float", "DOUBLE"}};
    for (size_t i = 0; i < COUNT_OF(casts) && first; i++) {
        struct meaning v = slice_is(called, casts[i][0]) ? evaluate(s, first) : nothing();
        if (v.kind == MEANS_FRESH) v.text = SLICE("text");
        if (v.kind) return cast_to(s->m, &v, casts[i][1]);
    }
    return function_call(s, n);
}

/* --- expressions --------------------------------------------------------------------------------
 */

static struct meaning joined(struct scope *s, const struct py_node *n)
{
    struct meaning *parts = arena_take(s->m->arena, (n->count + 1) * sizeof *parts);
    bool constant = true;
    if (!parts) return nothing();
    for (uint32_t i = 0; i < n->count; i++) {
        parts[i] = evaluate(s, n->items[i]);
        constant = constant && (parts[i].kind == MEANS_TEXT || parts[i].kind == MEANS_NUMBER);
    }
    if (!constant) return call_sql(s->m, "concat", parts, n->count);
    struct slice all = {0};
    for (uint32_t i = 0; i < n->count; i++)
        all = import_print(s->m, "%.*s%.*s", SLICE_ARG(all), SLICE_ARG(parts[i].text));
    return (struct meaning){.kind = MEANS_TEXT, .text = all};
}

static struct meaning dictionary(struct scope *s, const struct py_node *n)
{
    struct meaning v = new_fields(s->m);
    struct slice name;
    for (uint32_t i = 0; v.kind && i + 1 < n->count; i += 2) {
        struct meaning part = evaluate(s, n->items[i + 1]);
        if (n->items[i]->kind != PY_KEYWORD) {
            if (constant_of(s->m, s->f, n->items[i], &name))
                field_set(s, &v, name, part, n->items[i]->line);
            continue;
        }
        part = evaluate(s, n->items[i]->items[0]); /* **other */
        for (size_t k = 0; part.kind == MEANS_FIELDS && k < part.fields->count; k++) {
            const struct field *f = vec_at(part.fields, k);
            field_set(s, &v, f->name, f->value, f->line);
        }
    }
    return v;
}

static struct meaning subscript(struct scope *s, const struct py_node *n)
{
    struct slice name;
    struct meaning of = evaluate(s, n->items[0]);
    if (n->count != 2 || n->items[1]->kind == PY_NUMBER) {
        bool first_of_results = n->count == 2 && n->items[0]->kind == PY_SUBSCRIPT &&
                                n->items[0]->count == 2 &&
                                py_is(n->items[0]->items[1], PY_STRING, "results");
        if (first_of_results) import_find(s->m, DEFECT_empty_answer, s->f, n->line);
        return of.kind == MEANS_PATH && !of.text.len ? of
               : of.kind == MEANS_FIELDS             ? of
                                                     : nothing();
    }
    return constant_of(s->m, s->f, n->items[1], &name) ? part_of(s->m, &of, name) : nothing();
}

static struct meaning evaluate(struct scope *s, const struct py_node *n)
{
    struct meaning *named;
    struct slice text;
    if (!n || ++*s->steps > STEPS_MAX) return nothing();
    switch (n->kind) {
    case PY_NAME:
        named = name_of(s, n->text);
        if (named) return *named;
        return constant_of(s->m, s->f, n, &text)
                   ? (struct meaning){.kind = MEANS_TEXT, .text = text}
                   : nothing();
    case PY_STRING: return (struct meaning){.kind = MEANS_TEXT, .text = n->text};
    case PY_NUMBER: return (struct meaning){.kind = MEANS_NUMBER, .text = n->text};
    case PY_FSTRING: return joined(s, n);
    case PY_CALL: return call(s, n);
    case PY_DICT: return dictionary(s, n);
    case PY_SUBSCRIPT: return subscript(s, n);
    case PY_CHOICE: return evaluate(s, n->items[0]);
    case PY_LIST: return n->count ? evaluate(s, n->items[0]) : nothing();
    case PY_ATTRIBUTE: /* response.text */
        return slice_is(n->text, "text") || slice_is(n->text, "content") ? evaluate(s, n->items[0])
                                                                         : nothing();
    case PY_BINARY:
        if (slice_is(n->text, "+")) return joined(s, n);
        return slice_is(n->text, "or") ? evaluate(s, n->items[0]) : nothing();
    case PY_EXPRESSION: /* [f(x) for x in list] */
        if (n->count >= 3 && n->items[1]->kind == PY_NAME)
            name_set(s, n->items[1]->text, evaluate(s, n->items[2]));
        return n->count && !slice_is(n->text, "lambda") ? evaluate(s, n->items[0]) : nothing();
    default: return nothing();
    }
}

/* --- statements ---------------------------------------------------------------------------------
 */

struct seen {
    struct scope *s;
    bool time, send;
    double number;
};

static bool see_time(void *ctx, const struct py_node *n)
{
    struct seen *l = ctx;
    double v;
    if (slice_is(py_called(n), "time") || slice_is(py_called(n), "now") ||
        slice_is(py_called(n), "monotonic"))
        l->time = true;
    if (is_send(n)) l->send = true;
    if ((n->kind == PY_NUMBER || n->kind == PY_NAME) && number_of(l->s, n, &v) && v > l->number)
        l->number = v;
    return true;
}

/* while time.time() - start < 60; if time.time() > start + 60: break */
static void see_limit(struct scope *s, const struct py_node *condition)
{
    struct seen l = {.s = s};
    py_walk(condition, see_time, &l);
    if (l.time && l.number > 0 && l.number < 1e9) s->m->seconds = (int64_t)l.number;
}

static void assign(struct scope *s, const struct py_node *n)
{
    struct meaning v = evaluate(s, n->items[0]);
    struct slice name;
    for (uint32_t i = 1; i < n->count; i++) {
        const struct py_node *to = n->items[i];
        if (to->kind == PY_NAME) name_set(s, to->text, v);
        if (to->kind != PY_SUBSCRIPT || to->count != 2 || to->items[0]->kind != PY_NAME) continue;
        struct meaning *of = name_of(s, to->items[0]->text);
        if (of && of->kind == MEANS_NONE) *of = new_fields(s->m);
        if (of && of->kind == MEANS_FIELDS && constant_of(s->m, s->f, to->items[1], &name))
            field_set(s, of, name, v, to->line);
    }
}

static void loop(struct scope *s, const struct py_node *n)
{
    double count;
    struct seen l = {.s = s};
    const struct py_node *over = n->items[1];
    if (slice_is(py_called(over), "range")) {
        const struct py_node *last = py_argument(over, NULL, over->count > 2 ? 1 : 0);
        for (uint32_t i = n->head; i < n->count; i++) py_walk(n->items[i], see_time, &l);
        if (l.send && last && number_of(s, last, &count) && count > 0 && count < 1e12)
            s->m->count = (int64_t)count;
    } else if (n->items[0]->kind == PY_NAME) {
        name_set(s, n->items[0]->text, evaluate(s, over));
    }
    follow_body(s, n, n->head);
}

static void follow_body(struct scope *s, const struct py_node *n, uint32_t from)
{
    for (uint32_t i = from; i < n->count; i++) {
        const struct py_node *line = n->items[i];
        struct meaning v;
        switch (line->kind) {
        case PY_DEF:
        case PY_CLASS:
        case PY_IMPORT: break;
        case PY_ASSIGN: assign(s, line); break;
        case PY_FOR: loop(s, line); break;
        case PY_RETURN:
            v = line->count ? evaluate(s, line->items[0]) : nothing();
            if (v.kind) s->returned = v;
            break;
        case PY_IF:
        case PY_WHILE:
            if (line->head) see_limit(s, line->items[0]);
            if (line->kind == PY_WHILE && line->head && py_is(line->items[0], PY_NAME, "True"))
                s->m->endless = true;
            follow_body(s, line, line->head);
            break;
        case PY_WITH:
        case PY_TRY:
        case PY_EXCEPT:
        case PY_ELSE: follow_body(s, line, line->head); break;
        default: (void)evaluate(s, line); break;
        }
    }
}

void follow(struct import *m, const struct import_file *f, const struct py_node *body)
{
    uint32_t steps = 0;
    struct scope s = {.m = m, .f = f, .steps = &steps};
    s.names = vec_make(sizeof(struct field), NAMES_MAX);
    follow_body(&s, body, body->head);
    vec_done(&s.names);
}
