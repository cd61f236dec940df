#include "connect/kafka/client_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { FRAME_MAX = 128 << 20, LOGIN_ARENA = 1 << 20 };

/* --- one request over one connection ---------------------------------------------------------- */

static err_t read_answer(struct node *n, struct arena *a, struct slice *out, struct diag *d)
{
    uint8_t head[4];
    err_t e = dial_read(n->dial, head, sizeof(head), d);
    if (e) return e;
    struct cursor c = cursor_of(slice_make(head, sizeof(head)));
    int32_t size = cursor_i32(&c);
    if (size < 4 || size > CLIENT_ANSWER_MAX) {
        (void)diag_fail(d, ERR_PEER, "%s:%u does not speak Kafka's protocol", n->at.host,
                        n->at.port);
        return diag_hint(d, "is this a Kafka listener, and is it plain or TLS as you said?");
    }
    uint8_t *bytes = arena_take_raw(a, (size_t)size);
    if (!bytes) return diag_fail(d, ERR_NO_MEMORY, "an answer of %d bytes is too large", size);
    *out = slice_make(bytes, (size_t)size);
    return dial_read(n->dial, bytes, (size_t)size, d);
}

static void node_hang_up(struct node *n)
{
    dial_close(n->dial);
    n->dial = NULL;
}

static err_t node_exchange(struct kafka_client *k, struct node *n, const struct kafka_api *api,
                           int16_t version, const void *request, struct arena *a,
                           struct slice *frame, struct diag *d)
{
    k->frame.len = 0;
    size_t begun = kafka_request_begin(&k->frame, api, version, ++k->correlation,
                                       slice_of(k->options.client_id));
    err_t e = kafka_encode(api->request, version, request, &k->frame, NULL, d);
    if (!e) e = kafka_request_end(&k->frame, begun);
    if (e) return e; /* nothing was sent: the connection is as it was */
    e = dial_write(n->dial, buf_view(&k->frame), d);
    if (!e && frame) e = read_answer(n, a, frame, d);
    if (e) node_hang_up(n); /* what comes next would answer this */
    return e;
}

err_t node_ask(struct kafka_client *k, struct node *n, int16_t api_key, int16_t version,
               const void *request, struct arena *a, void **response, struct diag *d)
{
    const struct kafka_api *api = kafka_api_of(api_key);
    struct slice frame = {0};
    struct cursor body;
    int32_t correlation;
    INVARIANT(api);
    err_t e = node_exchange(k, n, api, version, request, a, response ? &frame : NULL, d);
    if (e || !response) return e;
    e = kafka_response_head(frame, api, version, &correlation, &body, d);
    if (!e && correlation != k->correlation)
        e = diag_fail(d, ERR_PEER, "%s:%u answers another request than was asked", n->at.host,
                      n->at.port);
    if (!e && !(*response = arena_take(a, api->response->root->size)))
        e = diag_fail(d, ERR_NO_MEMORY, "no memory for an answer");
    if (!e) e = kafka_decode(api->response, version, &body, a, *response, d);
    return e;
}

/* --- connections ------------------------------------------------------------------------------ */

static err_t ask_versions(struct kafka_client *k, struct node *n, struct arena *a, struct diag *d)
{
    struct kafka_api_versions_request r;
    struct kafka_api_versions_response *out = NULL;
    kafka_init(&kafka_api_versions_request_message, &r);
    err_t e = node_ask(k, n, KAFKA_API_api_versions, 0, &r, a, (void **)&out, d);
    if (!e) e = kafka_client_error(out->error_code, (struct slice){0}, d, "asking for versions");
    if (e) return e;
    for (size_t i = 0; i < APIS_MAX; i++) n->knows[i].last = -1;
    for (int32_t i = 0; i < out->api_keys.count; i++) {
        const struct kafka_api_versions_response_api_key *v = &out->api_keys.at[i];
        if (v->api_key < 0 || v->api_key >= APIS_MAX) continue;
        n->knows[v->api_key].first = v->min_version;
        n->knows[v->api_key].last = v->max_version;
    }
    return ERR_OK;
}

static err_t node_connect(struct kafka_client *k, struct node *n, struct diag *d)
{
    struct dial_options o = {.host = n->at.host,
                             .port = n->at.port,
                             .timeout_ms = k->options.timeout_ms,
                             .tls = k->options.tls ? &k->options.tls_options : NULL};
    if (n->dial) return ERR_OK;
    struct arena *a = arena_new(LOGIN_ARENA);
    if (!a) return diag_fail(d, ERR_NO_MEMORY, "no memory for a connection");
    err_t e = dial_open(&o, &n->dial, d);
    if (!e) e = ask_versions(k, n, a, d);
    if (!e && k->options.mechanism) e = node_login(k, n, d);
    if (e) node_hang_up(n);
    arena_free(a);
    return e;
}

/* The next "host:port" of the list; false at its end. */
static bool next_address(const char **list, char host[256], uint16_t *port)
{
    while (**list == ',' || **list == ' ') (*list)++;
    size_t len = strcspn(*list, ",");
    if (len == 0) return false;
    struct slice one = slice_make(*list, len);
    *list += len;
    size_t colon = len;
    while (colon > 0 && one.at[colon - 1] != ':') colon--;
    bool bracket = one.at[0] == '['; /* [::1]:9092 */
    struct slice name = slice_make(one.at + bracket, (colon ? colon - 1 : len) - 2u * bracket);
    long number = colon ? strtol((const char *)one.at + colon, NULL, 10) : 9092;
    *port = (uint16_t)number;
    return slice_to_cstr(name, host, 256) && name.len > 0 && number > 0 && number <= UINT16_MAX;
}

/* The first of the bootstrap addresses that answers. */
static err_t bootstrap_connect(struct kafka_client *k, struct diag *d)
{
    const char *list = k->options.bootstrap;
    struct node *n = k->nodes[0];
    if (n->dial) return ERR_OK;
    err_t e = diag_fail(d, ERR_USAGE, "'%s' is no host:port", k->options.bootstrap);
    while (e && next_address(&list, n->at.host, &n->at.port)) e = node_connect(k, n, d);
    return e;
}

static struct node *node_of(struct kafka_client *k, int32_t id)
{
    for (size_t i = 0; i < k->node_count; i++)
        if (k->nodes[i]->at.id == id) return k->nodes[i];
    return NULL;
}

static struct node *node_add(struct kafka_client *k, int32_t id)
{
    struct node *n = node_of(k, id);
    if (n || k->node_count == CLIENT_NODES_MAX) return n;
    n = mem_take(sizeof(*n));
    if (!n) return NULL;
    n->at.id = id;
    k->nodes[k->node_count++] = n;
    return n;
}

static err_t node_ready(struct kafka_client *k, int32_t id, struct node **out, struct diag *d)
{
    *out = node_of(k, id);
    if (!*out) return diag_fail(d, ERR_PEER, "broker %d is in nobody's metadata", id);
    return id == CLIENT_ANY_NODE ? bootstrap_connect(k, d) : node_connect(k, *out, d);
}

/* --- its face --------------------------------------------------------------------------------- */

static const char *keep(struct kafka_client *k, const char *text)
{
    return text ? arena_text(k->texts, slice_of(text)) : NULL;
}

err_t kafka_client_open(const struct kafka_client_options *o, struct kafka_client **out,
                        struct diag *d)
{
    struct kafka_client *k = mem_take(sizeof(*k));
    if (!k) return diag_fail(d, ERR_NO_MEMORY, "no memory for a client");
    k->texts = arena_new(KIB(64));
    k->frame = buf_make(FRAME_MAX);
    if (!k->texts || !node_add(k, CLIENT_ANY_NODE)) {
        kafka_client_close(k);
        return diag_fail(d, ERR_NO_MEMORY, "no memory for a client");
    }
    k->options = *o;
    k->options.bootstrap = keep(k, o->bootstrap);
    k->options.client_id = keep(k, o->client_id ? o->client_id : "sluice");
    k->options.mechanism = keep(k, o->mechanism);
    k->options.user = keep(k, o->user ? o->user : "");
    k->options.password = keep(k, o->password ? o->password : "");
    k->options.tls_options.ca_path = keep(k, o->tls_options.ca_path);
    k->options.tls_options.cert_path = keep(k, o->tls_options.cert_path);
    k->options.tls_options.key_path = keep(k, o->tls_options.key_path);
    err_t e = bootstrap_connect(k, d);
    if (e) {
        kafka_client_close(k);
        return e;
    }
    *out = k;
    return ERR_OK;
}

void kafka_client_close(struct kafka_client *k)
{
    if (!k) return;
    for (size_t i = 0; i < k->node_count; i++) {
        dial_close(k->nodes[i]->dial);
        mem_give(k->nodes[i]);
    }
    arena_free(k->texts);
    buf_done(&k->frame);
    mem_give(k);
}

/* The newest version that the tables, the broker and the question all know. */
static err_t choose_version(const struct node *n, const struct kafka_ask *q, int16_t *out,
                            struct diag *d)
{
    const struct kafka_api *api = kafka_api_of(q->api);
    INVARIANT(api && q->api < APIS_MAX);
    int16_t newest = q->newest ? MIN(q->newest, api->last) : api->last;
    *out = MIN(newest, n->knows[q->api].last);
    if (*out >= MAX(MAX(q->oldest, api->first), n->knows[q->api].first)) return ERR_OK;
    (void)diag_fail(d, ERR_VERSION, "%s:%u does not know %s as it is needed here", n->at.host,
                    n->at.port, api->name);
    if (n->knows[q->api].last < 0) return diag_why(d, "it does not serve this request at all");
    return diag_why(d, "it serves versions %d to %d, needed are %d to %d", n->knows[q->api].first,
                    n->knows[q->api].last, MAX(q->oldest, api->first), newest);
}

err_t kafka_client_ask(struct kafka_client *k, int32_t node, struct kafka_ask *q, struct arena *a,
                       struct diag *d)
{
    struct node *n;
    err_t e = node_ready(k, node, &n, d);
    if (!e) e = choose_version(n, q, &q->version, d);
    if (e) return e;
    int64_t usual = k->options.timeout_ms > 0 ? k->options.timeout_ms : 30000;
    dial_timeout(n->dial, q->timeout_ms ? q->timeout_ms : usual);
    return node_ask(k, n, q->api, q->version, q->request, a, q->unanswered ? NULL : &q->response,
                    d);
}

err_t kafka_client_error(int16_t code, struct slice message, struct diag *d, const char *what, ...)
{
    char text[200];
    va_list args;
    if (code == 0) return ERR_OK;
    const struct kafka_error *k = kafka_error_of(code);
    va_start(args, what);
    vsnprintf(text, sizeof(text), what, args);
    va_end(args);
    (void)diag_fail(d, ERR_PEER, "%s: %s", text, k->name);
    if (message.len) return diag_why(d, "%.*s", SLICE_ARG(message));
    return diag_why(d, "%s", k->text);
}

size_t kafka_client_nodes(const struct kafka_client *k, struct kafka_node *out, size_t max)
{
    size_t count = 0;
    for (size_t i = 1; i < k->node_count && count < max; i++) out[count++] = k->nodes[i]->at;
    return count;
}

err_t kafka_client_topics(struct kafka_client *k, const struct slice *names, int32_t count,
                          bool create, struct arena *a, struct kafka_metadata_response **out,
                          struct diag *d)
{
    struct kafka_metadata_request r;
    struct kafka_ask q = {.api = KAFKA_API_metadata, .oldest = 1, .request = &r};
    kafka_init(&kafka_metadata_request_message, &r);
    r.allow_auto_topic_creation = create;
    r.topics.count = count;
    r.topics.at = kafka_new(a, &kafka_metadata_request_topic_struct, MAX(count, 1));
    if (!r.topics.at) return diag_fail(d, ERR_NO_MEMORY, "no memory to ask for topics");
    for (int32_t i = 0; i < count; i++) r.topics.at[i].name = names[i];
    err_t e = kafka_client_ask(k, CLIENT_ANY_NODE, &q, a, d);
    if (e) return e;
    *out = q.response;
    for (int32_t i = 0; i < (*out)->brokers.count; i++) {
        const struct kafka_metadata_response_broker *b = &(*out)->brokers.at[i];
        struct node *n = node_add(k, b->node_id);
        if (!n) return diag_fail(d, ERR_TOO_BIG, "more than %d brokers", CLIENT_NODES_MAX);
        char host[256];
        if (!slice_to_cstr(b->host, host, sizeof(host)) || b->port < 1 || b->port > UINT16_MAX)
            return diag_fail(d, ERR_PEER, "broker %d has an address that is none", b->node_id);
        if (strcmp(host, n->at.host) == 0 && n->at.port == b->port) continue;
        dial_close(n->dial); /* it has moved */
        n->dial = NULL;
        memcpy(n->at.host, host, sizeof(host));
        n->at.port = (uint16_t)b->port;
    }
    return ERR_OK;
}

err_t kafka_client_coordinator(struct kafka_client *k, int8_t type, struct slice key, int32_t *node,
                               struct diag *d)
{
    enum { TRIES = 50, BETWEEN_MS = 100 };
    struct kafka_find_coordinator_request r;
    struct kafka_ask q = {.api = KAFKA_API_find_coordinator, .newest = 3, .request = &r};
    struct arena *a = arena_new(MIB(16));
    struct kafka_metadata_response *topics;
    if (!a) return diag_fail(d, ERR_NO_MEMORY, "no memory to find a coordinator");
    kafka_init(&kafka_find_coordinator_request_message, &r);
    r.key = key;
    r.key_type = type;
    err_t e = kafka_client_topics(k, NULL, 0, false, a, &topics, d); /* its brokers */
    for (int tries = 0; !e; tries++) {
        e = kafka_client_ask(k, CLIENT_ANY_NODE, &q, a, d);
        if (e) break;
        const struct kafka_find_coordinator_response *o = q.response;
        *node = o->node_id;
        e = kafka_client_error(o->error_code, o->error_message, d,
                               "finding the coordinator of %.*s", SLICE_ARG(key));
        if (!e || !kafka_error_of(o->error_code)->retriable || tries == TRIES) break;
        e = ERR_OK;
        arena_reset(a);
        dial_rest(BETWEEN_MS);
    }
    arena_free(a);
    return e;
}
