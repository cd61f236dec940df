/* Receivers: who is told. */
#include "alert/alert_int.h"

#include "data/json.h"

const char *const receiver_words[RECEIVER_KINDS] = {"webhook", "slack", "mail"};
#define MASKED "…"

void receiver_free(struct receiver *r)
{
    if (!r) return;
    mem_give(r->name);
    mem_give(r->address);
    mem_give(r->conn_id);
    mem_give(r);
}

struct receiver *receiver_find(struct alert *a, struct slice name)
{
    for (size_t i = 0; i < a->receivers.count; i++) {
        struct receiver *r = *(struct receiver **)vec_at(&a->receivers, i);
        if (slice_is(name, r->name)) return r;
    }
    return NULL;
}

static err_t wrong(const struct doc *v, struct diag *d, const char *what)
{
    (void)diag_fail(d, ERR_CONFIG, "%s", what);
    (void)diag_hint(d, "a receiver has a name and one of webhook: URL, slack: URL, mail: [people]");
    return v->line ? diag_where(d, "alerts.yaml:%u", v->line) : ERR_CONFIG;
}

static bool has_line_break(struct slice s)
{
    return s.len && (memchr(s.at, '\n', s.len) || memchr(s.at, '\r', s.len));
}

static char *people_of(const struct doc *v)
{
    struct buf out = buf_make(ALERT_TEXT_MAX);
    if (v->kind == DOC_TEXT) buf_slice(&out, v->text);
    for (uint32_t i = 0; v->kind == DOC_LIST && i < v->count; i++) {
        if (i) buf_text(&out, ", ");
        buf_slice(&out, doc_text(&v->items[i]));
    }
    bool fine = !out.err && out.len && !has_line_break(buf_view(&out));
    char *text = fine ? mem_text(buf_view(&out)) : NULL;
    buf_done(&out);
    return text;
}

static bool is_url(struct slice s)
{
    return (slice_starts(s, "http://") || slice_starts(s, "https://")) && s.len > 8 &&
           s.len <= ALERT_TEXT_MAX && !has_line_break(s);
}

/* The address, or that of the receiver as it was where this one is masked. */
static char *address_of(const struct doc *v, enum alert_receiver_kind kind,
                        const struct receiver *was)
{
    struct slice text = doc_text(v);
    bool masked =
        text.len >= sizeof(MASKED) - 1 &&
        memcmp(text.at + text.len - (sizeof(MASKED) - 1), MASKED, sizeof(MASKED) - 1) == 0;
    if (masked) return was && was->kind == kind ? mem_text(slice_of(was->address)) : NULL;
    if (kind == MAIL) return people_of(v);
    return is_url(text) ? mem_text(text) : NULL;
}

err_t receiver_of_doc(const struct doc *v, enum alert_origin origin, const struct receiver *was,
                      struct receiver **out, struct diag *d)
{
    struct slice name = doc_text(doc_get(v, "name")), conn = doc_text(doc_get(v, "conn_id"));
    const struct doc *address = NULL;
    enum alert_receiver_kind kind = WEBHOOK;
    if (!name.len || name.len > ALERT_NAME_MAX || has_line_break(name))
        return wrong(v, d, "a receiver has a name");
    for (int i = 0; i < RECEIVER_KINDS; i++) {
        const struct doc *a = doc_get(v, receiver_words[i]);
        if (a && address) return wrong(v, d, "a receiver is one of webhook, slack, mail");
        if (a) address = a, kind = (enum alert_receiver_kind)i;
    }
    if (!address) return wrong(v, d, "a receiver says where: webhook, slack or mail");
    struct receiver *r = mem_take(sizeof(*r));
    if (!r) return diag_fail(d, ERR_NO_MEMORY, "no memory for a receiver");
    *r = (struct receiver){
        .kind = kind,
        .origin = origin,
        .kept = true,
        .name = mem_text(name),
        .address = address_of(address, kind, was),
        .conn_id = mem_text(conn.at ? conn : SLICE("")),
    };
    if (r->name && r->address && r->conn_id) {
        *out = r;
        return ERR_OK;
    }
    bool memory = r->name && r->conn_id;
    receiver_free(r);
    if (!memory) return diag_fail(d, ERR_NO_MEMORY, "no memory for a receiver");
    return wrong(v, d, kind == MAIL ? "mail needs people to write to" : "that is no http(s) URL");
}

/* A webhook's address is often its password: only its host is shown. */
static void put_masked(struct buf *out, const char *url)
{
    const char *host = strstr(url, "://");
    const char *at = host ? strchr(host + 3, '@') : NULL,
               *slash = host ? strchr(host + 3, '/') : NULL;
    if (!host) return;
    if (at && (!slash || at < slash)) host = at + 1 - 3;
    size_t len = strcspn(host + 3, "/?#");
    struct buf text = buf_make(ALERT_TEXT_MAX * 2);
    buf_put(&text, url, (size_t)(strstr(url, "://") - url) + 3);
    buf_put(&text, host + 3, len);
    if (host[3 + len] || at) buf_text(&text, "/" MASKED);
    json_put_text(out, buf_view(&text));
    buf_done(&text);
}

void receiver_put(struct buf *out, const struct receiver *r, bool masked)
{
    buf_text(out, "{\"name\":");
    json_put_text(out, slice_of(r->name));
    buf_printf(out, ",\"%s\":", receiver_words[r->kind]);
    if (masked && r->kind != MAIL)
        put_masked(out, r->address);
    else
        json_put_text(out, slice_of(r->address));
    if (r->kind == MAIL) {
        buf_text(out, ",\"conn_id\":");
        json_put_text(out, slice_of(r->conn_id));
    }
    if (masked)
        buf_printf(out, ",\"origin\":\"%s\"", r->origin == FROM_FILE ? "alerts.yaml" : "console");
    buf_char(out, '}');
}

err_t receiver_take(struct alert *a, struct receiver *r, struct diag *d)
{
    for (size_t i = 0; i < a->receivers.count; i++) {
        struct receiver **at = vec_at(&a->receivers, i);
        if (strcmp((*at)->name, r->name) != 0) continue;
        receiver_free(*at);
        *at = r;
        return ERR_OK;
    }
    if (!vec_push(&a->receivers, &r)) return ERR_OK;
    receiver_free(r);
    return diag_fail(d, ERR_TOO_BIG, "there are %d receivers already", ALERT_RECEIVERS_MAX);
}
