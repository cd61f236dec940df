/* Events: the links that have registered, and what they are told. A change of the schema comes from
 * any thread and goes to each shard as a message of its own. */
#include "base/say.h"
#include "door/cql/link.h"

#include <arpa/inet.h>

void events_register(struct link *l, enum native_event_kind kind)
{
    l->events |= (uint8_t)(1u << kind);
    if (l->listening) return;
    l->next_listening = l->shard->listening;
    l->listening = &l->shard->listening;
    if (l->next_listening) l->next_listening->listening = &l->next_listening;
    l->shard->listening = l;
}

void events_forget(struct link *l)
{
    if (!l->listening) return;
    *l->listening = l->next_listening;
    if (l->next_listening) l->next_listening->listening = l->listening;
    l->listening = NULL;
}

static void tell(struct link *l, const struct native_event *e)
{
    struct native_head asked = {.version = l->version, .stream = NATIVE_STREAM_EVENT};
    struct native_response r = {.event = *e};
    if (!(l->events & 1u << e->kind) || !l->its.conn || l->its.closing) return;
    count_up(&l->shard->counts.events, 1);
    answer_simple(l, &asked, &r, NATIVE_OP_EVENT);
}

static void tell_all(struct shard *s, const struct native_event *e)
{
    for (struct link *l = s->listening, *next; l; l = next) {
        next = l->next_listening;
        tell(l, e);
    }
    out_flush(s);
}

/* --- the schema ---------------------------------------------------------------------------------
 */

struct news { /* one a shard; its texts stand behind it */
    struct loop_message message;
    struct shard *shard;
    struct native_event event;
};

static void on_news(struct loop_message *m)
{
    struct news *n = (struct news *)m;
    tell_all(n->shard, &n->event);
    mem_give(n);
}

static struct slice copy(uint8_t **at, struct slice s)
{
    struct slice to = slice_make(*at, s.len);
    if (s.len) memcpy(*at, s.at, s.len);
    *at += s.len;
    return to;
}

void events_schema(void *door, const struct cql_schema_change *change)
{
    struct cql_door *k = door;
    for (int i = 0; i < k->shard_count; i++) {
        size_t texts = (size_t)change->keyspace.len + change->name.len;
        struct news *n = mem_take(sizeof(*n) + texts);
        if (!n) {
            say_warn(SAY_DOOR, "no memory to tell clients of a change of the schema",
                     "change=%s target=%s", change->change, change->target);
            return;
        }
        uint8_t *at = (uint8_t *)(n + 1);
        n->shard = &k->shards[i];
        n->event.kind = NATIVE_EVENT_SCHEMA_CHANGE;
        n->event.schema.change = slice_of(change->change); /* words of the program */
        n->event.schema.target = slice_of(change->target);
        n->event.schema.keyspace = copy(&at, change->keyspace);
        n->event.schema.name = copy(&at, change->name);
        loop_send(k->shards[i].its.loop, &n->message, on_news);
    }
}

/* --- this node ----------------------------------------------------------------------------------
 */

/* It stops: drivers go elsewhere, or come again, without first running into an error. */
void events_down(struct shard *s)
{
    for (struct link *l = s->listening, *next; l; l = next) {
        struct native_event e = {
            .kind = NATIVE_EVENT_STATUS_CHANGE, .change = SLICE("DOWN"), .port = l->session.port};
        next = l->next_listening;
        if (inet_pton(AF_INET, l->session.address, e.address) == 1)
            e.address_size = 4;
        else if (inet_pton(AF_INET6, l->session.address, e.address) == 1)
            e.address_size = 16;
        if (e.address_size) tell(l, &e);
    }
    out_flush(s);
}
