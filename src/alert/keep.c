/* What alerts.yaml says, and alerts.json: the console's rules and receivers, mutes, what fires and
 * what is not told yet. */
#include "alert/alert_int.h"

#include "base/say.h"
#include "data/json.h"
#include "os/file.h"

#include <inttypes.h>
#include <stdio.h>

enum { VERSION = 1, PATH_BYTES = 4096, KEPT_MAX = 64 << 20 };

/* --- alerts.yaml --------------------------------------------------------------------------------
 */

static err_t known_parts(const struct doc *v, struct diag *d)
{
    for (uint32_t i = 0; v->kind == DOC_MAP && i < v->count; i++) {
        struct slice name = v->entries[i].name;
        if (slice_is(name, "rules") || slice_is(name, "receivers")) continue;
        (void)diag_fail(d, ERR_CONFIG, "alerts.yaml has no '%.*s'", SLICE_ARG(name));
        (void)diag_hint(d, "it has rules: and receivers:");
        return diag_where(d, "alerts.yaml:%u", v->entries[i].line);
    }
    if (v->kind == DOC_MAP || v->kind == DOC_NULL) return ERR_OK;
    return diag_fail(d, ERR_CONFIG, "alerts.yaml is a map of rules and receivers");
}

/* All of it is read before any of it counts. */
static err_t read_file(const struct doc *v, struct vec *rules, struct vec *receivers,
                       struct diag *d)
{
    const struct doc *r = doc_get(v, "rules"), *q = doc_get(v, "receivers");
    err_t e = known_parts(v, d);
    if (!e && ((r && r->kind != DOC_LIST && r->kind != DOC_NULL) ||
               (q && q->kind != DOC_LIST && q->kind != DOC_NULL)))
        e = diag_fail(d, ERR_CONFIG, "rules and receivers are lists");
    for (uint32_t i = 0; !e && r && r->kind == DOC_LIST && i < r->count; i++) {
        struct rule *one = NULL;
        e = rule_of_doc(&r->items[i], FROM_FILE, &one, d);
        if (!e && vec_push(rules, &one)) {
            rule_free(one);
            e = diag_fail(d, ERR_TOO_BIG, "more than %d rules", ALERT_RULES_MAX);
        }
    }
    for (uint32_t i = 0; !e && q && q->kind == DOC_LIST && i < q->count; i++) {
        struct receiver *one = NULL;
        e = receiver_of_doc(&q->items[i], FROM_FILE, NULL, &one, d);
        if (!e && vec_push(receivers, &one)) {
            receiver_free(one);
            e = diag_fail(d, ERR_TOO_BIG, "more than %d receivers", ALERT_RECEIVERS_MAX);
        }
    }
    return e;
}

/* A rule of the file that is no more: the ready one of its name comes back. */
static err_t drop_others(struct alert *a, struct diag *d)
{
    err_t e = ERR_OK;
    for (size_t i = a->rules.count; i-- > 0;) {
        struct rule *r = *(struct rule **)vec_at(&a->rules, i);
        if (r->origin != FROM_FILE || r->kept) continue;
        struct slice parts_name;
        void *at;
        for (size_t k = 0; r->parts && map_next(r->parts, &k, &parts_name, &at);)
            a->dirty |= ((struct part *)at)->state == STATE_FIRING;
        if (r->parts) a->part_count -= map_count(r->parts);
        struct slice name = slice_of(r->name);
        vec_remove(&a->rules, i);
        if (!e) e = rules_ready(a, name, d);
        rule_free(r);
    }
    for (size_t i = a->receivers.count; i-- > 0;) {
        struct receiver *r = *(struct receiver **)vec_at(&a->receivers, i);
        if (r->origin != FROM_FILE || r->kept) continue;
        vec_remove(&a->receivers, i);
        receiver_free(r);
    }
    return e;
}

static err_t take_all(struct alert *a, struct vec *rules, struct vec *receivers, struct diag *d)
{
    err_t e = ERR_OK;
    for (size_t i = 0; i < a->rules.count; i++) {
        struct rule *r = *(struct rule **)vec_at(&a->rules, i);
        r->kept = r->origin != FROM_FILE;
    }
    for (size_t i = 0; i < a->receivers.count; i++) {
        struct receiver *r = *(struct receiver **)vec_at(&a->receivers, i);
        r->kept = r->origin != FROM_FILE;
    }
    while (!e && rules->count) {
        struct rule *r = *(struct rule **)vec_at(rules, 0);
        vec_remove(rules, 0); /* taken, or freed */
        e = rule_take(a, r, d);
    }
    while (!e && receivers->count) {
        struct receiver *r = *(struct receiver **)vec_at(receivers, 0);
        vec_remove(receivers, 0);
        e = receiver_take(a, r, d);
    }
    return e ? e : drop_others(a, d);
}

static err_t load_file(struct alert *a, struct diag *d)
{
    struct slice text = {0};
    struct arena *arena = arena_new(KEPT_MAX);
    struct vec rules = vec_make(sizeof(struct rule *), ALERT_RULES_MAX),
               receivers = vec_make(sizeof(struct receiver *), ALERT_RECEIVERS_MAX);
    struct doc v = {.kind = DOC_NULL};
    err_t e = arena ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory for alerts.yaml");
    if (!e && a->file_seen) e = file_load(a->file, ALERT_FILE_MAX, &text, d);
    if (!e && text.at) e = doc_of_yaml(text, "alerts.yaml", arena, &v, d);
    if (!e) e = read_file(&v, &rules, &receivers, d);
    if (!e) e = take_all(a, &rules, &receivers, d);
    for (size_t i = 0; i < rules.count; i++) rule_free(*(struct rule **)vec_at(&rules, i));
    for (size_t i = 0; i < receivers.count; i++)
        receiver_free(*(struct receiver **)vec_at(&receivers, i));
    vec_done(&rules);
    vec_done(&receivers);
    arena_free(arena);
    mem_give((void *)(uintptr_t)text.at);
    return e;
}

void file_look(struct alert *a)
{
    struct file_stamp now = {0};
    struct diag d = {0};
    bool there = a->file[0] && !file_stamp(a->file, &now, NULL);
    if (there == a->file_seen && now.changed_ns == a->file_changed_ns && now.size == a->file_size)
        return;
    a->file_seen = there;
    a->file_changed_ns = now.changed_ns;
    a->file_size = now.size;
    a->version++;
    a->file_error = (struct diag){.err = ERR_OK};
    if (!load_file(a, &d)) return;
    a->file_error = d;
    say_diag(SAY_MAIN, SAY_WARN, "alerts.yaml is not taken in; the rules before it stay", &d);
}

/* --- alerts.json --------------------------------------------------------------------------------
 */

static void put_comma(struct buf *out, bool *first)
{
    if (!*first) buf_text(out, ",\n");
    *first = false;
}

static void put_parts(struct buf *out, const struct rule *r, bool *first)
{
    struct slice name;
    void *at;
    for (size_t i = 0; r->parts && map_next(r->parts, &i, &name, &at);) {
        const struct part *p = at;
        if (p->state != STATE_FIRING) continue;
        put_comma(out, first);
        buf_text(out, "{\"rule\":");
        json_put_text(out, slice_of(r->name));
        buf_text(out, ",\"part\":");
        json_put_text(out, name);
        buf_printf(out, ",\"since_ms\":%" PRId64 "}", p->since_ms);
    }
}

static void put_kept(struct alert *a, struct buf *out)
{
    bool first = true;
    buf_printf(out, "{\"version\":%d,\"rules\":[", VERSION);
    for (size_t i = 0; i < a->rules.count; i++) {
        const struct rule *r = *(struct rule **)vec_at(&a->rules, i);
        if (r->origin != FROM_CONSOLE) continue;
        put_comma(out, &first);
        buf_char(out, '{');
        rule_put(out, r);
        buf_char(out, '}');
    }
    buf_text(out, "],\"receivers\":[");
    first = true;
    for (size_t i = 0; i < a->receivers.count; i++) {
        const struct receiver *r = *(struct receiver **)vec_at(&a->receivers, i);
        if (r->origin != FROM_CONSOLE) continue;
        put_comma(out, &first);
        receiver_put(out, r, false);
    }
    buf_text(out, "],\"muted\":[");
    first = true;
    for (size_t i = 0; i < a->rules.count; i++) {
        const struct rule *r = *(struct rule **)vec_at(&a->rules, i);
        if (!r->muted_until_ms || r->origin == FROM_CONSOLE) continue;
        put_comma(out, &first);
        buf_text(out, "{\"rule\":");
        json_put_text(out, slice_of(r->name));
        buf_printf(out, ",\"until_ms\":%" PRId64 "}", r->muted_until_ms);
    }
    buf_text(out, "],\"firing\":[");
    first = true;
    for (size_t i = 0; i < a->rules.count; i++)
        put_parts(out, *(struct rule **)vec_at(&a->rules, i), &first);
    buf_text(out, "],\"tellings\":[");
    first = true;
    for (size_t i = 0; i < a->tellings.count; i++) {
        put_comma(out, &first);
        telling_put(out, *(struct telling **)vec_at(&a->tellings, i));
    }
    buf_text(out, "]}\n");
}

static bool path_of(const struct alert *a, char out[PATH_BYTES])
{
    return snprintf(out, PATH_BYTES, "%s/alerts.json", a->dir) < PATH_BYTES;
}

err_t kept_store(struct alert *a, struct diag *d)
{
    struct buf out = buf_make(KEPT_MAX);
    char path[PATH_BYTES];
    put_kept(a, &out);
    err_t e = out.err            ? diag_fail(d, out.err, "alerts.json does not fit")
              : path_of(a, path) ? file_store_secret(path, buf_view(&out), d)
                                 : diag_fail(d, ERR_TOO_BIG, "the path is too long");
    if (!e) a->dirty = false;
    buf_done(&out);
    return e;
}

static int64_t number_in(const struct doc *v, const char *name)
{
    const struct doc *n = doc_get(v, name);
    return n && n->kind == DOC_INT ? n->number : 0;
}

static err_t take_firing(struct alert *a, const struct doc *v)
{
    struct rule *r = rule_find(a, doc_text(doc_get(v, "rule")));
    struct slice name = doc_text(doc_get(v, "part"));
    if (!r || a->part_count >= ALERT_PARTS_MAX || rule_part(r, name)) return ERR_OK;
    if (!r->parts) r->parts = map_new(ALERT_PARTS_MAX);
    struct part *p = r->parts ? mem_take(sizeof(*p)) : NULL;
    if (!p) return ERR_NO_MEMORY;
    p->name = mem_text(name);
    p->state = STATE_FIRING;
    p->since_ms = number_in(v, "since_ms");
    err_t e = p->name ? map_set(r->parts, name, p) : ERR_NO_MEMORY;
    if (e)
        part_free(p);
    else
        a->part_count++;
    return e;
}

static err_t take_kept(struct alert *a, const struct doc *v, struct diag *d)
{
    static const struct doc NONE = {.kind = DOC_LIST};
    const struct doc *lists[5];
    static const char *const NAMES[] = {"rules", "receivers", "muted", "firing", "tellings"};
    err_t e = ERR_OK;
    if (number_in(v, "version") != VERSION)
        return diag_fail(d, ERR_UNSUPPORTED, "alerts.json is of version %d, this program writes %d",
                         (int)number_in(v, "version"), VERSION);
    for (int i = 0; i < 5; i++) {
        lists[i] = doc_get(v, NAMES[i]);
        if (!lists[i] || lists[i]->kind != DOC_LIST) lists[i] = &NONE;
    }
    for (uint32_t i = 0; !e && i < lists[0]->count; i++) {
        struct rule *r = NULL;
        e = rule_of_doc(&lists[0]->items[i], FROM_CONSOLE, &r, d);
        if (!e) e = rule_take(a, r, d);
    }
    for (uint32_t i = 0; !e && i < lists[1]->count; i++) {
        struct receiver *r = NULL;
        e = receiver_of_doc(&lists[1]->items[i], FROM_CONSOLE, NULL, &r, d);
        if (!e) e = receiver_take(a, r, d);
    }
    file_look(a); /* its rules stand above the console's of the same name */
    for (uint32_t i = 0; i < lists[2]->count; i++) {
        struct rule *r = rule_find(a, doc_text(doc_get(&lists[2]->items[i], "rule")));
        if (r) r->muted_until_ms = number_in(&lists[2]->items[i], "until_ms");
    }
    for (uint32_t i = 0; !e && i < lists[3]->count; i++) e = take_firing(a, &lists[3]->items[i]);
    for (uint32_t i = 0; !e && i < lists[4]->count; i++) {
        struct telling *t = NULL;
        e = telling_of_doc(&lists[4]->items[i], &t);
        if (!e && vec_push(&a->tellings, &t)) telling_free(t);
    }
    return e == ERR_NO_MEMORY ? diag_fail(d, e, "no memory for alerts.json") : e;
}

err_t kept_load(struct alert *a, struct diag *d)
{
    char path[PATH_BYTES];
    struct slice text = {0};
    struct arena *arena = arena_new(KEPT_MAX);
    struct doc v = {.kind = DOC_NULL};
    err_t e = ERR_OK;
    if (!arena) return diag_fail(d, ERR_NO_MEMORY, "no memory for alerts.json");
    if (!path_of(a, path)) e = diag_fail(d, ERR_TOO_BIG, "the path is too long");
    if (!e && file_exists(path)) {
        e = file_load(path, KEPT_MAX, &text, d);
        if (!e) e = doc_of_json(text, arena, &v, d);
        if (!e) e = take_kept(a, &v, d);
        if (e) (void)diag_where(d, "%s", path);
    } else if (!e)
        file_look(a);
    mem_give((void *)(uintptr_t)text.at);
    arena_free(arena);
    return e;
}
