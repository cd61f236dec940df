#include "connect/cql/client_int.h"

#include <openssl/crypto.h>
#include <stdio.h>

enum { PORT_DEFAULT = 9042, TOKEN_MAX = 4096, ARENA_LOGIN = 1 << 20, OUT_SOON = 32 << 10 };

/* --- errors of the server --------------------------------------------------------------------- */

static err_t code_err(int32_t code)
{
    switch (code) {
    case NATIVE_ERROR_BAD_CREDENTIALS: return ERR_LOGIN;
    case NATIVE_ERROR_PROTOCOL_ERROR: return ERR_PROTOCOL;
    case NATIVE_ERROR_OVERLOADED: return ERR_THROTTLED;
    case NATIVE_ERROR_SYNTAX_ERROR: return ERR_SYNTAX;
    case NATIVE_ERROR_UNAUTHORIZED: return ERR_FORBIDDEN;
    case NATIVE_ERROR_INVALID: return ERR_INVALID;
    case NATIVE_ERROR_CONFIG_ERROR: return ERR_CONFIG;
    case NATIVE_ERROR_ALREADY_EXISTS: return ERR_EXISTS;
    case NATIVE_ERROR_UNPREPARED: return ERR_UNPREPARED;
    case NATIVE_ERROR_READ_TIMEOUT:
    case NATIVE_ERROR_WRITE_TIMEOUT: return ERR_TIMEOUT;
    default: return ERR_PEER;
    }
}

err_t cql_answer_error(const struct cql_answer *answer, struct diag *d)
{
    if (answer->opcode != NATIVE_OP_ERROR) return ERR_OK;
    const struct native_error *e = &answer->response.error;
    return diag_fail(d, code_err(e->code), "%.*s", SLICE_ARG(e->words));
}

/* --- requests in flight ----------------------------------------------------------------------- */

static err_t take_stream(struct cql_client *k, int16_t *out, struct diag *d)
{
    if (k->in_flight == CQL_FLIGHT_MAX)
        return diag_fail(d, ERR_BUSY, "%d requests are in flight", CQL_FLIGHT_MAX);
    while (k->used[k->next_stream])
        k->next_stream = (int16_t)((k->next_stream + 1) % CQL_FLIGHT_MAX);
    *out = k->next_stream;
    k->used[*out] = true;
    k->in_flight++;
    k->next_stream = (int16_t)((k->next_stream + 1) % CQL_FLIGHT_MAX);
    return ERR_OK;
}

static void give_stream(struct cql_client *k, int16_t stream)
{
    k->used[stream] = false;
    k->in_flight--;
}

err_t cql_client_send(struct cql_client *k, uint8_t opcode, const struct native_request *r,
                      bool traced, int16_t *stream, struct diag *d)
{
    err_t e = take_stream(k, stream, d);
    if (e) return e;
    e = cql_frames_put(k, opcode, r, traced, *stream, d);
    if (e) {
        give_stream(k, *stream);
        return e;
    }
    return k->out.len + k->gathered.len < OUT_SOON ? ERR_OK : cql_frames_flush(k, d);
}

err_t cql_client_flush(struct cql_client *k, struct diag *d)
{
    return cql_frames_flush(k, d);
}

uint32_t cql_client_in_flight(const struct cql_client *k)
{
    return k->in_flight;
}

static void follow_keyspace(struct cql_client *k, const struct cql_answer *answer)
{
    const struct native_response *r = &answer->response;
    if (answer->opcode == NATIVE_OP_RESULT && r->kind == NATIVE_RESULT_SET_KEYSPACE)
        (void)slice_to_cstr(r->text, k->keyspace, sizeof(k->keyspace));
}

err_t cql_client_take(struct cql_client *k, struct arena *a, struct cql_answer *out, struct diag *d)
{
    struct native_head head;
    struct slice body = {0};
    err_t e = cql_frames_flush(k, d);
    for (;;) {
        if (!e) e = cql_frames_take(k, a, &head, &body, d);
        if (e) return e;
        if (head.stream != NATIVE_STREAM_EVENT) break;
    }
    if (head.stream < 0 || head.stream >= CQL_FLIGHT_MAX || !k->used[head.stream])
        return diag_fail(d, ERR_PEER, "%s:%u answers stream %d, which nobody asked on",
                         k->options.host, k->options.port, head.stream);
    give_stream(k, head.stream);
    *out = (struct cql_answer){.stream = head.stream, .opcode = head.opcode};
    e = native_response_read(&head, body, a, &out->response, d);
    if (!e && head.opcode == NATIVE_OP_RESULT && out->response.kind == NATIVE_RESULT_ROWS &&
        out->response.metadata.columns)
        e = native_rows_check(&out->response, d);
    if (!e) follow_keyspace(k, out);
    return e;
}

err_t cql_client_ask(struct cql_client *k, uint8_t opcode, const struct native_request *r,
                     bool traced, struct arena *a, struct cql_answer *out, struct diag *d)
{
    int16_t stream;
    if (k->in_flight > 0)
        return diag_fail(d, ERR_BUSY, "other requests are in flight on this connection");
    err_t e = cql_client_send(k, opcode, r, traced, &stream, d);
    return e ? e : cql_client_take(k, a, out, d);
}

/* --- the login -------------------------------------------------------------------------------- */

static err_t login(struct cql_client *k, struct arena *a, struct diag *d)
{
    struct buf token = buf_make(TOKEN_MAX);
    struct cql_answer answer;
    if (!k->options.user) {
        (void)diag_fail(d, ERR_LOGIN, "%s:%u asks for a login", k->options.host, k->options.port);
        return diag_hint(d, "give a user and a password: -u NAME -p PASSWORD");
    }
    buf_be(&token, 0, 1);
    buf_text(&token, k->options.user);
    buf_be(&token, 0, 1);
    buf_text(&token, k->options.password);
    struct native_request r = {.token = buf_view(&token), .params = NATIVE_PARAMS_NONE};
    err_t e = token.err ? diag_fail(d, token.err, "user or password is too long")
                        : cql_client_ask(k, NATIVE_OP_AUTH_RESPONSE, &r, false, a, &answer, d);
    if (token.at) OPENSSL_cleanse(token.at, token.len);
    if (k->scratch.at) OPENSSL_cleanse(k->scratch.at, k->scratch.len);
    buf_done(&token);
    if (!e) e = cql_answer_error(&answer, d);
    if (!e && answer.opcode != NATIVE_OP_AUTH_SUCCESS)
        e = diag_fail(d, ERR_UNSUPPORTED, "%s:%u wants another login than user and password",
                      k->options.host, k->options.port);
    return e;
}

/* Does SUPPORTED list LZ4? */
static bool lists_lz4(const struct native_response *r)
{
    for (uint32_t i = 0; i < r->option_count; i++)
        for (uint32_t v = 0; v < r->options[i].count; v++)
            if (slice_is(r->options[i].key, "COMPRESSION") &&
                slice_equal_nocase(r->options[i].values[v], SLICE("lz4")))
                return true;
    return false;
}

/* A refusal of the version comes with an error, in a head of the version that it knows. */
static err_t first_ask(struct cql_client *k, uint8_t opcode, const struct native_request *r,
                       struct arena *a, struct cql_answer *out, bool *older, struct diag *d)
{
    err_t e = cql_client_ask(k, opcode, r, false, a, out, d);
    if (!e) e = cql_answer_error(out, d);
    *older = e == ERR_PROTOCOL;
    return e;
}

static err_t startup(struct cql_client *k, struct arena *a, bool *older, struct diag *d)
{
    struct native_pair pairs[] = {{SLICE("CQL_VERSION"), SLICE("3.0.0")},
                                  {SLICE("DRIVER_NAME"), slice_of(k->options.driver)},
                                  {SLICE("COMPRESSION"), SLICE("lz4")}};
    struct native_request r = {
        .options = pairs, .option_count = COUNT_OF(pairs) - 1, .params = NATIVE_PARAMS_NONE};
    enum native_compression wanted = NATIVE_PLAIN;
    struct cql_answer answer;
    err_t e = ERR_OK;
    if (k->options.compress) {
        e = first_ask(k, NATIVE_OP_OPTIONS, &r, a, &answer, older, d);
        if (!e && lists_lz4(&answer.response)) wanted = NATIVE_LZ4;
        r.option_count += wanted == NATIVE_LZ4;
    }
    if (!e) e = first_ask(k, NATIVE_OP_STARTUP, &r, a, &answer, older, d);
    if (e) return e;
    k->compression = wanted;
    k->segmented = k->version >= NATIVE_SEGMENTED;
    if (answer.opcode == NATIVE_OP_AUTHENTICATE) return login(k, a, d);
    if (answer.opcode == NATIVE_OP_READY) return ERR_OK;
    return diag_fail(d, ERR_PEER, "%s:%u answers STARTUP with something else", k->options.host,
                     k->options.port);
}

static err_t use_keyspace(struct cql_client *k, struct arena *a, struct diag *d)
{
    struct buf text = buf_make(KIB(2));
    struct native_request r = {.params = NATIVE_PARAMS_NONE};
    struct cql_answer answer;
    buf_text(&text, "USE \"");
    for (const char *c = k->options.keyspace; *c; c++)
        buf_text(&text, *c == '"' ? "\"\"" : (char[]){*c, 0});
    buf_text(&text, "\"");
    r.text = buf_view(&text);
    r.params.consistency = NATIVE_AT_ONE;
    err_t e = text.err ? diag_fail(d, text.err, "the keyspace's name is too long")
                       : cql_client_ask(k, NATIVE_OP_QUERY, &r, false, a, &answer, d);
    if (!e) e = cql_answer_error(&answer, d);
    buf_done(&text);
    return e;
}

/* --- its face --------------------------------------------------------------------------------- */

static err_t connect_as(struct cql_client *k, bool *older, struct diag *d)
{
    const struct cql_client_options *o = &k->options;
    struct dial_options dial = {.host = o->host,
                                .port = o->port,
                                .timeout_ms = o->connect_ms ? o->connect_ms : o->timeout_ms,
                                .tls = o->tls ? &o->tls_options : NULL};
    struct arena *a = arena_new(ARENA_LOGIN);
    if (!a) return diag_fail(d, ERR_NO_MEMORY, "no memory for a connection");
    cql_frames_reset(k);
    k->segmented = false;
    k->compression = NATIVE_PLAIN;
    k->keyspace[0] = 0;
    memset(k->used, 0, sizeof(k->used));
    k->in_flight = 0;
    k->next_stream = 0; /* where an error before STARTUP may be told */
    err_t e = dial_open(&dial, &k->dial, d);
    if (!e) e = startup(k, a, older, d);
    if (!e && o->keyspace) e = use_keyspace(k, a, d);
    if (e) {
        dial_close(k->dial);
        k->dial = NULL;
    } else {
        dial_timeout(k->dial, o->timeout_ms);
    }
    arena_free(a);
    return e;
}

static err_t keep_options(struct cql_client *k, const struct cql_client_options *o)
{
    struct cql_client_options *to = &k->options;
    const struct {
        const char **to, *from;
    } texts[] = {{&to->host, o->host},
                 {&to->user, o->user},
                 {&to->password, o->password ? o->password : ""},
                 {&to->driver, o->driver ? o->driver : "sluice"},
                 {&to->keyspace, o->keyspace && *o->keyspace ? o->keyspace : NULL},
                 {&to->tls_options.ca_path, o->tls_options.ca_path},
                 {&to->tls_options.cert_path, o->tls_options.cert_path},
                 {&to->tls_options.key_path, o->tls_options.key_path}};
    *to = *o;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        *texts[i].to = texts[i].from ? arena_text(k->texts, slice_of(texts[i].from)) : NULL;
        if (texts[i].from && !*texts[i].to) return ERR_NO_MEMORY;
    }
    if (!to->port) to->port = PORT_DEFAULT;
    if (to->timeout_ms <= 0) to->timeout_ms = 30000;
    return ERR_OK;
}

/* In the newest version that both speak. */
err_t cql_client_reopen(struct cql_client *k, struct diag *d)
{
    dial_close(k->dial);
    k->dial = NULL;
    k->version = k->options.newest ? k->options.newest : NATIVE_NEWEST;
    for (;; k->version--) {
        bool older = false;
        err_t e = connect_as(k, &older, d);
        if (!older) return e;
        if (k->version == NATIVE_OLDEST || k->options.exact) {
            if (d) d->err = ERR_VERSION;
            return ERR_VERSION;
        }
    }
}

err_t cql_client_open(const struct cql_client_options *o, struct cql_client **out, struct diag *d)
{
    struct cql_client *k = mem_take(sizeof(*k));
    if (!k) return diag_fail(d, ERR_NO_MEMORY, "no memory for a client");
    k->texts = arena_new(KIB(64));
    err_t e = k->texts ? keep_options(k, o) : ERR_NO_MEMORY;
    if (e) (void)diag_fail(d, e, "no memory for a client");
    if (!e) e = cql_client_reopen(k, d);
    if (e) {
        cql_client_close(k);
        return e;
    }
    *out = k;
    return ERR_OK;
}

void cql_client_close(struct cql_client *k)
{
    if (!k) return;
    dial_close(k->dial);
    struct buf *all[] = {&k->out, &k->gathered, &k->scratch, &k->in, &k->plain};
    for (size_t i = 0; i < COUNT_OF(all); i++) buf_done(all[i]);
    arena_free(k->texts);
    mem_give(k);
}

uint8_t cql_client_version(const struct cql_client *k)
{
    return k->version;
}

bool cql_client_compressed(const struct cql_client *k)
{
    return k->compression != NATIVE_PLAIN;
}

const char *cql_client_keyspace(const struct cql_client *k)
{
    return k->keyspace;
}

struct dial *cql_client_dial(struct cql_client *k)
{
    return k->dial;
}
