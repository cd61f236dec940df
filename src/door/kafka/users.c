/* DescribeUserScramCredentials and AlterUserScramCredentials: the user table as Kafka's tools see
 * it. Changes wait for the disk, so they run on the worker. */
#include "users/users.h"

#include "door/kafka/kafka_int.h"
#include "users/scram.h"

#include <stdio.h>

enum { ITEMS_MAX = 1000 };

/* The protocol's numbers: 1 SCRAM-SHA-256, 2 SCRAM-SHA-512. */
static bool kind_of(int8_t number, enum scram *kind)
{
    *kind = number == 2 ? SCRAM_SHA_512 : SCRAM_SHA_256;
    return number == 1 || number == 2;
}

static struct slice words(struct call *c, const char *text)
{
    return call_text(c, text);
}

/* --- describing ------------------------------------------------------------------------------- */

static bool describe_user(struct call *c, const struct user *u,
                          struct kafka_describe_user_scram_credentials_response_result *out)
{
    out->credential_infos.at =
        call_new(c, kafka_describe_user_scram_credentials_response_credential, SCRAM_KINDS);
    if (!out->credential_infos.at) return false;
    for (enum scram k = 0; k < SCRAM_KINDS; k++) {
        if (!u->scram[k].iterations) continue;
        struct kafka_describe_user_scram_credentials_response_credential *info =
            &out->credential_infos.at[out->credential_infos.count++];
        info->mechanism = (int8_t)(k + 1);
        info->iterations = (int32_t)u->scram[k].iterations;
    }
    return true;
}

struct walk {
    struct call *c;
    struct kafka_describe_user_scram_credentials_response *a;
    int32_t room;
};

static err_t count_user(void *ctx, const struct user *u)
{
    (void)u;
    ((struct walk *)ctx)->room++;
    return ERR_OK;
}

static err_t add_user(void *ctx, const struct user *u)
{
    struct walk *w = ctx;
    if (w->a->results.count == w->room) return ERR_OK; /* made since they were counted */
    struct kafka_describe_user_scram_credentials_response_result *out =
        &w->a->results.at[w->a->results.count++];
    out->user = words(w->c, u->name);
    return out->user.at && describe_user(w->c, u, out) ? ERR_OK : ERR_NO_MEMORY;
}

static bool describe_all(struct call *c)
{
    struct walk w = {.c = c, .a = c->response};
    struct users *users = door_options(c->door)->users;
    if (users_each(users, count_user, &w)) return false;
    w.a->results.at = call_new(c, kafka_describe_user_scram_credentials_response_result, w.room);
    return w.a->results.at && users_each(users, add_user, &w) == ERR_OK;
}

static bool named_twice(const struct kafka_describe_user_scram_credentials_request *q, int32_t i)
{
    for (int32_t n = 0; n < q->users.count; n++)
        if (n != i && slice_equal(q->users.at[n].name, q->users.at[i].name)) return true;
    return false;
}

static bool named_before(const struct kafka_describe_user_scram_credentials_request *q, int32_t i)
{
    for (int32_t n = 0; n < i; n++)
        if (slice_equal(q->users.at[n].name, q->users.at[i].name)) return true;
    return false;
}

static bool describe_named(struct call *c)
{
    const struct kafka_describe_user_scram_credentials_request *q = c->request;
    struct kafka_describe_user_scram_credentials_response *a = c->response;
    a->results.at =
        call_new(c, kafka_describe_user_scram_credentials_response_result, q->users.count);
    if (!a->results.at) return false;
    for (int32_t i = 0; i < q->users.count; i++) {
        char text[256];
        struct user user;
        struct slice name = q->users.at[i].name;
        if (named_before(q, i)) continue;
        struct kafka_describe_user_scram_credentials_response_result *out =
            &a->results.at[a->results.count++];
        out->user = name;
        if (named_twice(q, i)) {
            out->error_code = KAFKA_ERROR_DUPLICATE_RESOURCE;
            (void)snprintf(text, sizeof(text),
                           "Cannot describe SCRAM credentials for the same user twice in a single "
                           "request: %.*s",
                           SLICE_ARG(name));
        } else if (users_find(door_options(c->door)->users, name, &user)) {
            out->error_code = KAFKA_ERROR_RESOURCE_NOT_FOUND;
            (void)snprintf(text, sizeof(text),
                           "Attempt to describe a user credential that does not exist: %.*s",
                           SLICE_ARG(name));
        } else {
            if (!describe_user(c, &user, out)) return false;
            continue;
        }
        out->error_message = words(c, text);
    }
    return true;
}

void kafka_describe_user_scram_credentials(struct call *c)
{
    const struct kafka_describe_user_scram_credentials_request *q = c->request;
    if (q->users.count > ITEMS_MAX) {
        call_refuse(c,
                    diag_fail(&c->diag, ERR_USAGE, "more than %d users in one request", ITEMS_MAX));
        return;
    }
    if (q->users.count > 0 ? describe_named(c) : describe_all(c))
        call_answer(c);
    else
        call_refuse(c, ERR_NO_MEMORY);
}

/* --- altering --------------------------------------------------------------------------------- */

/* One change of a request, of either kind. */
struct change {
    struct slice name;
    int8_t mechanism;
    const struct kafka_alter_user_scram_credentials_request_upsertion *set; /* NULL: delete */
};

static struct change change_at(const struct kafka_alter_user_scram_credentials_request *q,
                               int32_t i)
{
    if (i < q->deletions.count)
        return (struct change){q->deletions.at[i].name, q->deletions.at[i].mechanism, NULL};
    const struct kafka_alter_user_scram_credentials_request_upsertion *u =
        &q->upsertions.at[i - q->deletions.count];
    return (struct change){u->name, u->mechanism, u};
}

static err_t apply(struct call *c, const struct change *x)
{
    struct users *users = door_options(c->door)->users;
    enum scram kind;
    if (!x->name.len) return diag_fail(&c->diag, ERR_CREDENTIAL, "Username must not be empty");
    if (!kind_of(x->mechanism, &kind))
        return diag_fail(&c->diag, ERR_SASL_MECHANISM, "Unknown SCRAM mechanism");
    if (!x->set) return users_credential_remove(users, x->name, kind, &c->diag);
    return users_credential_set(users, x->name, kind, x->set->iterations, x->set->salt,
                                x->set->salted_password, &c->diag);
}

/* How often the request names this user; a name that comes twice is refused, both times as one. */
static int32_t times_named(const struct kafka_alter_user_scram_credentials_request *q,
                           int32_t count, struct slice name, int32_t until)
{
    int32_t n = 0;
    for (int32_t i = 0; i < count && i < until; i++) n += slice_equal(change_at(q, i).name, name);
    return n;
}

static void alter(struct call *c)
{
    const struct kafka_alter_user_scram_credentials_request *q = c->request;
    struct kafka_alter_user_scram_credentials_response *a = c->response;
    int32_t count = q->deletions.count + q->upsertions.count;
    a->results.at = call_new(c, kafka_alter_user_scram_credentials_response_result, count);
    for (int32_t i = 0; a->results.at && i < count; i++) {
        struct change x = change_at(q, i);
        if (times_named(q, count, x.name, i)) continue;
        struct kafka_alter_user_scram_credentials_response_result *out =
            &a->results.at[a->results.count++];
        out->user = x.name;
        err_t e = times_named(q, count, x.name, count) > 1
                      ? diag_fail(&c->diag, ERR_DUPLICATE,
                                  "A user credential cannot be altered twice in the same request")
                      : apply(c, &x);
        if (!e) continue;
        out->error_code = err_kafka(e);
        out->error_message = words(c, c->diag.what);
    }
    if (a->results.at)
        call_answer(c);
    else
        call_refuse(c, ERR_NO_MEMORY);
}

void kafka_alter_user_scram_credentials(struct call *c)
{
    const struct kafka_alter_user_scram_credentials_request *q = c->request;
    if (q->deletions.count + q->upsertions.count > ITEMS_MAX)
        call_refuse(c,
                    diag_fail(&c->diag, ERR_USAGE, "more than %d users in one request", ITEMS_MAX));
    else
        call_work(c, alter);
}
