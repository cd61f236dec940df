/* One request from its frame to the bytes of its answer. */
#include "base/say.h"
#include "door/kafka/link.h"
#include "os/clock.h"

enum { OUT_KEPT = 256 << 10 };

struct call *call_take(struct link *l)
{
    struct shard *s = l->shard;
    struct door_call_memory m;
    if (!door_call_take(&s->its, &l->its, &m)) return NULL;
    struct call *c = m.call;
    *c = (struct call){.link = l, .arena = m.arena, .door = s->door, .parts = 1};
    return c;
}

/* The answer has left, or never will. */
static void call_over(struct call *c)
{
    struct link *l = c->link;
    if (c->release) c->release(c);
    door_call_give(&l->shard->its, &l->its, (struct door_call_memory){c, c->arena});
    link_free_if_over(l);
}

static void part_left(void *arg)
{
    struct call *c = arg;
    if (--c->parts == 0) call_over(c);
}

void call_drop(struct call *c)
{
    struct shard *s = c->link->shard;
    frames_give(&s->its.frames, s->its.loop, c->frame, c->frame_cap);
    c->frame = NULL;
    part_left(c); /* the call itself counts as one */
}

/* --- its end, from any thread ----------------------------------------------------------------- */

static void call_came_back(struct loop_message *m)
{
    struct call *c = (struct call *)((uint8_t *)m - offsetof(struct call, message));
    c->ended = true;
    link_pump(c->link);
}

void call_answer(struct call *c)
{
    struct loop *loop = c->link->shard->its.loop;
    if (loop_here(loop))
        call_came_back(&c->message);
    else
        loop_send(loop, &c->message, call_came_back);
}

void call_break(struct call *c)
{
    c->broken = true;
    call_answer(c);
}

/* --- its beginning ---------------------------------------------------------------------------- */

static void *take_message(struct call *c, const struct kafka_message *m)
{
    void *out = arena_take_raw(c->arena, m->root->size);
    if (out) kafka_init(m, out);
    return out;
}

static void break_for_memory(struct call *c)
{
    diag_fail(&c->diag, ERR_NO_MEMORY, "no memory for a request of %u bytes", c->frame_size);
    call_break(c);
}

/* A frame of a login on the raw wire is the token itself. */
static void begin_token(struct call *c)
{
    c->head = (struct kafka_request_head){.api_key = KAFKA_API_sasl_authenticate,
                                          .api_version = LOGIN_RAW,
                                          .api = kafka_api_of(KAFKA_API_sasl_authenticate)};
    struct kafka_sasl_authenticate_request *request =
        take_message(c, &kafka_sasl_authenticate_request_message);
    c->response = take_message(c, &kafka_sasl_authenticate_response_message);
    c->request = request;
    if (!request || !c->response) {
        break_for_memory(c);
        return;
    }
    request->auth_bytes = slice_make(c->frame, c->frame_size);
    const struct kafka_served *row = kafka_served_of(c->head.api_key);
    INVARIANT(row); /* who logs in raw has been told so by a row beside it */
    row->run(c);
}

static void run(struct call *c, const struct kafka_served *row)
{
    c->request = arena_take_raw(c->arena, c->head.api->request->root->size);
    c->response = take_message(c, c->head.api->response);
    if (!c->request || !c->response) {
        break_for_memory(c);
        return;
    }
    err_t e = kafka_decode(c->head.api->request, c->head.api_version, &c->head.body, c->arena,
                           c->request, &c->diag);
    if (e) {
        call_break(c);
        return;
    }
    if (row->least > c->link->login.who.role) {
        call_forbid(c);
        return;
    }
    row->run(c);
}

void call_begin(struct call *c)
{
    const struct login *login = &c->link->login;
    c->begun_ns = clock_mono_ns();
    if (login_expects_raw(login)) {
        begin_token(c);
        return;
    }
    err_t e = kafka_request_head(slice_make(c->frame, c->frame_size), &c->head, &c->diag);
    const struct kafka_served *row = e ? NULL : kafka_served_of(c->head.api_key);
    if (e) {
        call_break(c);
    } else if (!login_admits(login, c->head.api_key)) {
        diag_fail(&c->diag, ERR_SASL_STATE, "a login is needed first");
        call_break(c);
    } else if (row && c->head.api_key == KAFKA_API_api_versions &&
               (!c->head.version_known || c->head.api_version > row->newest)) {
        answer_unknown_version(c);
    } else if (!row || !c->head.version_known || c->head.api_version > row->newest) {
        diag_fail(&c->diag, ERR_VERSION, "this API or version is not served");
        call_break(c);
    } else {
        run(c, row);
    }
}

/* --- its answer ------------------------------------------------------------------------------- */

static bool send_parts(struct call *c, struct slice bytes, const struct kafka_splices *splices)
{
    struct conn *conn = c->link->its.conn;
    size_t from = 0;
    for (uint32_t i = 0; i < splices->count; i++) {
        const struct kafka_splice *s = &splices->list[i];
        conn_write(conn, slice_make(bytes.at + from, s->at - from));
        from = s->at;
        c->parts++;
        err_t e = conn_write_file_held(conn, s->fd, s->position, s->size, part_left, c);
        if (e) {
            diag_fail(&c->diag, e, "the answer's bytes can not be queued");
            return false; /* a part is missing: nothing more may follow */
        }
    }
    conn_write(conn, slice_make(bytes.at + from, bytes.len - from));
    return true;
}

/* A token goes back as it is; a failed login gets nothing. */
static bool send_token(struct call *c)
{
    const struct kafka_sasl_authenticate_response *r = c->response;
    uint8_t size[4];
    struct buf b = buf_over(size, sizeof(size));
    if (r->error_code) return false;
    buf_be(&b, r->auth_bytes.len, 4);
    conn_write(c->link->its.conn, buf_view(&b));
    conn_write(c->link->its.conn, r->auth_bytes);
    return true;
}

static bool encode_and_send(struct call *c, struct buf *out)
{
    struct kafka_splices splices = {.arena = c->arena};
    buf_reset(out);
    size_t begun = kafka_response_begin(out, &c->head);
    err_t e = kafka_encode(c->head.api->response, kafka_response_version(&c->head), c->response,
                           out, &splices, &c->diag);
    if (!e) e = kafka_response_end(out, begun, &splices);
    bool sent = !e && send_parts(c, buf_view(out), &splices);
    if (!sent) {
        if (!c->diag.err) diag_fail(&c->diag, e, "the answer can not be encoded");
        conn_close_now(c->link->its.conn);
        link_close(c->link, "no answer; connection closed", c);
    }
    return sent;
}

static bool send_answer(struct call *c)
{
    struct shard *s = c->link->shard;
    bool sent = true;
    if (c->broken) {
        link_close(c->link, "request refused; connection closed", c);
        return false;
    }
    if (c->silent) return true;
    if (c->head.api_version == LOGIN_RAW)
        sent = send_token(c);
    else
        sent = encode_and_send(c, &s->out);
    if (s->out.cap > OUT_KEPT) {
        buf_done(&s->out);
        s->out = buf_make(RESPONSE_MAX);
    }
    return sent && c->link->login.stage != LOGIN_FAILED;
}

bool call_send(struct call *c)
{
    struct conn *conn = c->link->its.conn;
    size_t before = conn_queued(conn);
    bool goes_on = send_answer(c);
    size_t after = conn_queued(conn);
    call_count(c, clock_mono_ns(), after > before ? after - before : 0);
    return goes_on;
}

/* --- what handlers ask ------------------------------------------------------------------------ */

const struct kafka_who *call_who(const struct call *c)
{
    return &c->link->login.who;
}

const char *call_peer(const struct call *c)
{
    return c->link->peer;
}

struct loop *call_loop(const struct call *c)
{
    return c->link->shard->its.loop;
}

int64_t call_now_ms(void)
{
    return clock_wall_ms();
}

void call_address(const struct call *c, char host[256], int32_t *port)
{
    const struct kafka_door *k = c->door;
    bool told = k->host[0] != 0;
    INVARIANT(slice_to_cstr(slice_of(told ? k->host : c->link->host), host, 256));
    *port = told ? k->port : c->link->port;
}

struct slice call_text(struct call *c, const char *text)
{
    return text ? arena_slice(c->arena, slice_of(text)) : (struct slice){0};
}
