/* What the door answers itself: OPTIONS, STARTUP, REGISTER, and the login. */
#include "base/say.h"
#include "door/cql/link.h"

#include <openssl/crypto.h>
#include <stdio.h>

/* --- OPTIONS ---------------------------------------------------------------------------------- */

void startup_options(struct link *l, const struct native_head *h)
{
    const struct slice versions[] = {SLICE("3/v3"), SLICE("4/v4"), SLICE("5/v5")};
    const struct slice compressions[] = {SLICE("snappy"), SLICE("lz4")};
    const struct slice cql[] = {SLICE(CQL_VERSION)};
    const struct native_option_values options[] = {
        {SLICE("PROTOCOL_VERSIONS"), versions, COUNT_OF(versions)},
        {SLICE("COMPRESSION"), compressions, COUNT_OF(compressions)},
        {SLICE("CQL_VERSION"), cql, COUNT_OF(cql)}};
    struct native_response r = {.options = options, .option_count = COUNT_OF(options)};
    answer_simple(l, h, &r, NATIVE_OP_SUPPORTED);
}

/* --- STARTUP ---------------------------------------------------------------------------------- */

/* "3.4.7": at least three numbers; 2.99.0 is the oldest that counts as 3. */
static bool version_parse(struct slice text, int64_t out[2])
{
    struct slice rest = text;
    for (int i = 0; i < 3; i++) {
        const uint8_t *dot = i < 2 ? memchr(rest.at, '.', rest.len) : NULL;
        uint32_t n = dot ? (uint32_t)(dot - rest.at) : 0;
        if (i == 2)
            while (n < rest.len && rest.at[n] >= '0' && rest.at[n] <= '9') n++;
        int64_t number;
        if (n == 0 || !slice_to_i64(slice_make(rest.at, n), &number) || number < 0) return false;
        if (i < 2) out[i] = number;
        uint32_t used = n + (i < 2);
        rest = slice_make(rest.at + used, rest.len - used);
    }
    return true;
}

/* The words of what is wrong with the options; NULL: they are fine. */
static const char *options_wrong(const struct native_head *h, const struct native_request *r,
                                 enum native_compression *compression, char room[200])
{
    struct slice version = native_option(r, "CQL_VERSION"),
                 packing = native_option(r, "COMPRESSION");
    int64_t number[2];
    if (!version.at) return "Missing value CQL_VERSION in STARTUP message";
    if (!version_parse(version, number)) {
        snprintf(room, 200, "Invalid version value: %.*s", (int)MIN(version.len, 100u),
                 (const char *)version.at);
        return room;
    }
    if (number[0] < 2 || (number[0] == 2 && number[1] < 99)) {
        snprintf(room, 200,
                 "CQL version %.*s is not supported by the binary protocol (supported version are "
                 ">= 3.0.0)",
                 (int)MIN(version.len, 40u), (const char *)version.at);
        return room;
    }
    *compression = NATIVE_PLAIN;
    if (!packing.at) return NULL;
    if (!native_compression_of(packing, compression)) {
        snprintf(room, 200, "Unknown compression algorithm: %.*s", (int)MIN(packing.len, 100u),
                 (const char *)packing.at);
        return room;
    }
    if (*compression == NATIVE_SNAPPY && h->version >= NATIVE_SEGMENTED)
        return "Snappy compression is not supported in protocol V5";
    return NULL;
}

static void session_begin(struct link *l, const struct native_head *h,
                          const struct native_request *r)
{
    struct cql_session *s = &l->session;
    struct slice name = native_option(r, "DRIVER_NAME"),
                 version = native_option(r, "DRIVER_VERSION");
    s->protocol = h->version;
    (void)slice_to_cstr(native_cut(name, sizeof(s->driver_name) - 1), s->driver_name,
                        sizeof(s->driver_name));
    (void)slice_to_cstr(native_cut(version, sizeof(s->driver_version) - 1), s->driver_version,
                        sizeof(s->driver_version));
    l->throws = slice_is(native_option(r, "THROW_ON_OVERLOAD"), "1");
}

static void admit(struct link *l)
{
    l->stage = STAGE_READY;
    conn_deadline(l->its.conn, 0);
}

void startup_begin(struct link *l, const struct native_head *h, const struct native_request *r)
{
    char room[200];
    enum native_compression compression;
    const char *wrong = options_wrong(h, r, &compression, room);
    if (wrong) {
        answer_error(l, h->version, h->stream, NATIVE_ERROR_PROTOCOL_ERROR, "%s", wrong);
        return;
    }
    bool login = cql_login_wanted(l->session.cql);
    struct native_response answer = {.text =
                                         SLICE("org.apache.cassandra.auth.PasswordAuthenticator")};
    l->version = h->version;
    session_begin(l, h, r);
    answer_simple(l, h, &answer, login ? NATIVE_OP_AUTHENTICATE : NATIVE_OP_READY);
    out_flush(l->shard); /* as it came: from here on as agreed */
    l->compression = (uint8_t)compression;
    l->segmented = h->version >= NATIVE_SEGMENTED;
    if (login)
        l->stage = STAGE_LOGIN;
    else
        admit(l);
    clients_update(l);
}

/* --- REGISTER --------------------------------------------------------------------------------- */

void startup_register(struct link *l, const struct native_head *h, const struct native_request *r)
{
    struct native_response answer = {0};
    for (uint32_t i = 0; i < r->event_count; i++) {
        enum native_event_kind kind;
        if (native_event_of(r->events[i], &kind)) events_register(l, kind);
    }
    answer_simple(l, h, &answer, NATIVE_OP_READY);
}

/* --- the login: PLAIN ------------------------------------------------------------------------- */

struct login {                /* in the call's arena */
    struct login_guest guest; /* first */
    struct call *call;
    struct native_head asked;
    struct slice name, password;
    err_t err;
    struct diag diag;
};

/* PasswordAuthenticator.decodeCredentials: from the end, [anything] NUL name NUL password. */
static const char *split(struct slice token, struct slice *name, struct slice *password)
{
    struct slice parts[2] = {{0}};
    int count = 0;
    uint32_t end = token.len;
    for (uint32_t i = token.len; i-- > 0;) {
        if (token.at[i]) continue;
        if (count == 2)
            return "Credential format error: username or password is empty or contains NUL(\\0) "
                   "character";
        parts[count++] = slice_make(token.at + i + 1, end - i - 1);
        end = i;
    }
    if (!parts[0].len) return "Password must not be null";
    if (!parts[1].len) return "Authentication ID must not be null";
    *password = parts[0];
    *name = parts[1];
    return NULL;
}

static bool login_hash(struct login_guest *g)
{
    struct login *x = (struct login *)g;
    x->err = cql_login(&x->call->link->session, x->name, x->password, &x->diag);
    OPENSSL_cleanse((void *)(uintptr_t)x->password.at, x->password.len);
    return x->err == ERR_OK;
}

static void login_done(struct login_guest *g)
{
    struct login *x = (struct login *)g;
    struct link *l = x->call->link;
    struct shard_counts *n = &l->shard->counts;
    l->in_login = false;
    count_up(x->err ? &n->logins_failed : &n->logins, 1);
    if (l->its.conn && !l->its.closing) {
        struct native_response answer = {0};
        if (x->err) {
            answer_error(l, l->version, x->asked.stream, err_cql(x->err), "%s", x->diag.what);
        } else {
            admit(l);
            clients_update(l);
            answer_simple(l, &x->asked, &answer, NATIVE_OP_AUTH_SUCCESS);
        }
        out_flush(l->shard);
    }
    l->calls--;
    cql_link_set_input(l);
    cql_link_part_left(x->call);
}

void startup_login(struct call *c, const struct native_head *h, struct slice token)
{
    struct link *l = c->link;
    struct login *x = arena_take(c->arena, sizeof(*x));
    if (!x) {
        answer_error(l, h->version, h->stream, NATIVE_ERROR_OVERLOADED, "no memory for a login");
        l->calls--;
        cql_link_part_left(c);
        return;
    }
    *x = (struct login){.call = c, .asked = *h};
    x->guest = (struct login_guest){.peer = l->session.peer,
                                    .loop = l->shard->its.loop,
                                    .hash = login_hash,
                                    .done = login_done};
    const char *wrong = split(token, &x->name, &x->password);
    if (wrong) {
        x->err = diag_fail(&x->diag, ERR_LOGIN, "%s", wrong);
        x->guest.hash = NULL; /* only the answer waits */
    }
    l->in_login = true;
    cql_link_set_input(l);
    login_room_enter(l->shard->door->logins, &x->guest);
}
