/* The list of who is connected, for system_views.clients: asked for on any thread, so each link has
 * a card in its shard's list, written by the shard inside a gate when something on it changes. */
#include "door/cql/link.h"

static const char *const stages[] = {"established", "authenticating", "ready"};

void clients_enter(struct link *l)
{
    struct shard *s = l->shard;
    struct card *c = &l->card;
    c->tls_protocol = conn_tls_protocol(l->its.conn);
    c->tls_cipher = conn_tls_cipher(l->its.conn);
    gate_enter(&s->roster_gate);
    c->session = l->session;
    c->next = s->roster;
    c->link = &s->roster;
    if (c->next) c->next->link = &c->next;
    s->roster = c;
    s->roster_count++;
    gate_leave(&s->roster_gate);
}

void clients_update(struct link *l)
{
    gate_enter(&l->shard->roster_gate);
    l->card.session = l->session;
    l->card.stage = l->stage;
    gate_leave(&l->shard->roster_gate);
}

void clients_leave(struct link *l)
{
    struct shard *s = l->shard;
    struct card *c = &l->card;
    gate_enter(&s->roster_gate);
    *c->link = c->next;
    if (c->next) c->next->link = c->link;
    s->roster_count--;
    gate_leave(&s->roster_gate);
}

/* --- telling ------------------------------------------------------------------------------------
 */

/* "127.0.0.1:51234", "[::1]:51234" */
static void split_peer(const char *peer, char address[56], uint16_t *port)
{
    const char *colon = strrchr(peer, ':');
    bool v6 = peer[0] == '[';
    size_t len = colon ? (size_t)(colon - peer) : strlen(peer);
    int64_t number = 0;
    if (v6 && len > 2) len -= 2;
    memcpy(address, peer + v6, len);
    address[len] = 0;
    if (colon && slice_to_i64(slice_of(colon + 1), &number)) *port = (uint16_t)number;
}

static void tell(const struct card *c, void (*met)(void *to, const struct cql_client *client),
                 void *to)
{
    char address[sizeof(c->session.peer)];
    struct cql_client client = {.session = &c->session,
                                .address = address,
                                .stage = stages[c->stage],
                                .requests = atomic_load(&c->requests),
                                .tls_protocol = c->tls_protocol,
                                .tls_cipher = c->tls_cipher};
    split_peer(c->session.peer, address, &client.port);
    met(to, &client);
}

/* A copy, so that the gate is not held while somebody is told. */
static struct card *copy_roster(struct shard *s, uint32_t *count)
{
    gate_enter(&s->roster_gate);
    *count = s->roster_count;
    struct card *all = mem_take(*count * sizeof(*all) + 1), *to = all;
    for (struct card *c = s->roster; all && c; c = c->next, to++) {
        to->session = c->session;
        to->stage = c->stage;
        to->tls_protocol = c->tls_protocol;
        to->tls_cipher = c->tls_cipher;
        atomic_store(&to->requests, atomic_load(&c->requests));
    }
    gate_leave(&s->roster_gate);
    return all;
}

void clients_each(void *door, void (*met)(void *to, const struct cql_client *client), void *to)
{
    struct cql_door *k = door;
    for (int i = 0; i < k->shard_count; i++) {
        uint32_t count;
        struct card *all = copy_roster(&k->shards[i], &count);
        for (uint32_t n = 0; all && n < count; n++) tell(&all[n], met, to);
        mem_give(all);
    }
}
