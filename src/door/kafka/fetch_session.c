/* Fetch sessions: KIP-227, with Kafka's rules of epochs and of who has to go. */
#include "door/kafka/fetch.h"
#include "os/thread.h"

struct fetch_room {
    struct gate gate;
    struct map *sessions; /* by id, 4 bytes */
    struct rng ids;
    uint32_t parts; /* in all of them */
};

enum { KEY_MAX = 256 + 4, FINAL_EPOCH = -1, INITIAL_EPOCH = 0, NO_SESSION = 0 };

err_t fetch_room_open(struct fetch_room **out, struct diag *d)
{
    struct fetch_room *r = mem_take(sizeof(*r));
    if (r) r->sessions = map_new(SESSIONS_MAX);
    if (!r || !r->sessions) {
        mem_give(r);
        return diag_fail(d, ERR_NO_MEMORY, "the Kafka door can not start");
    }
    gate_init(&r->gate);
    r->ids = rng_make((uint64_t)(uintptr_t)r ^ (uint64_t)call_now_ms());
    *out = r;
    return ERR_OK;
}

static struct slice id_key(const int32_t *id)
{
    return slice_make(id, sizeof(*id));
}

static void part_unlink(struct fetch_session *s, struct session_part *p)
{
    *(p->prev ? &p->prev->next : &s->first) = p->next;
    *(p->next ? &p->next->prev : &s->last) = p->prev;
}

static void part_append(struct fetch_session *s, struct session_part *p)
{
    p->prev = s->last;
    p->next = NULL;
    *(s->last ? &s->last->next : &s->first) = p;
    s->last = p;
}

static void session_free(struct fetch_session *s)
{
    for (struct session_part *p = s->first, *next; p; p = next) {
        next = p->next;
        mem_give(p);
    }
    map_free(s->parts);
    mem_give(s);
}

void fetch_room_close(struct fetch_room *r)
{
    size_t at = 0;
    struct slice key;
    void *s;
    if (!r) return;
    while (map_next(r->sessions, &at, &key, &s)) session_free(s);
    map_free(r->sessions);
    gate_done(&r->gate);
    mem_give(r);
}

size_t fetch_room_sessions(struct fetch_room *r)
{
    gate_enter(&r->gate);
    size_t count = map_count(r->sessions);
    gate_leave(&r->gate);
    return count;
}

/* --- its partitions --------------------------------------------------------------------------- */

static struct slice part_key(char room[KEY_MAX], bool by_id, struct slice name,
                             const struct uuid *id, int32_t index)
{
    struct buf b = buf_over(room, KEY_MAX);
    buf_be(&b, (uint64_t)(uint32_t)index, 4);
    if (by_id)
        buf_put(&b, id->at, sizeof(id->at));
    else
        buf_slice(&b, name);
    return b.err ? (struct slice){0} : buf_view(&b);
}

static err_t part_add(struct fetch_session *s, struct slice key, const struct fetch_item *i)
{
    struct session_part *p = mem_take(sizeof(*p) + i->name.len);
    err_t e = p ? map_set(s->parts, key, p) : ERR_NO_MEMORY;
    if (e) {
        mem_give(p);
        return e;
    }
    p->id = i->id;
    p->index = i->index;
    p->told_end = p->told_start = -1;
    p->name_size = (uint16_t)i->name.len;
    if (i->name.len) memcpy(p->name, i->name.at, i->name.len);
    part_append(s, p);
    s->count++;
    return ERR_OK;
}

static err_t part_put(struct fetch_session *s, const struct fetch_item *i,
                      struct session_part **out)
{
    char room[KEY_MAX];
    struct slice key = part_key(room, s->by_id, i->name, &i->id, i->index);
    if (!key.len) return ERR_OK; /* no topic has such a name: answered without being kept */
    struct session_part *p = map_get(s->parts, key);
    if (!p) {
        err_t e = part_add(s, key, i);
        if (e) return e;
        p = s->last;
    }
    p->offset = i->offset;
    p->max_bytes = i->max_bytes;
    p->epoch = i->epoch;
    p->last_epoch = i->last_epoch;
    if (out) *out = p;
    return ERR_OK;
}

static void part_remove(struct fetch_session *s, struct slice name, const struct uuid *id,
                        int32_t index)
{
    char room[KEY_MAX];
    struct slice key = part_key(room, s->by_id, name, id, index);
    struct session_part *p = key.len ? map_remove(s->parts, key) : NULL;
    if (!p) return;
    part_unlink(s, p);
    mem_give(p);
    s->count--;
}

void session_to_back(struct fetch_session *s, struct session_part *p)
{
    part_unlink(s, p);
    part_append(s, p);
}

bool session_tells(struct session_part *p, const struct fetch_item *i)
{
    bool news = i->span.size > 0 || i->error || i->diverges || p->told_end != i->end ||
                p->told_start != i->start;
    p->told_end = i->error ? -1 : i->end;
    p->told_start = i->start;
    return news;
}

/* --- the table of them ------------------------------------------------------------------------ */

/* Inside the gate. Who uses it frees it. */
static void session_remove(struct fetch_room *r, struct fetch_session *s)
{
    map_remove(r->sessions, id_key(&s->id));
    r->parts -= s->counted;
    if (s->busy)
        s->doomed = true;
    else
        session_free(s);
}

/* Kafka's: whoever has been silent for long, else the smallest if it has been here for long and the
 * newcomer is larger. */
static bool make_place(struct fetch_room *r, uint32_t count, int64_t now_ms)
{
    struct fetch_session *silent = NULL, *small = NULL;
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(r->sessions, &at, &key, &value)) {
        struct fetch_session *s = value;
        if (s->busy) continue;
        if (!silent || s->used_ms < silent->used_ms) silent = s;
        bool old = now_ms - s->made_ms > SESSION_EVICT_MS && s->counted < count;
        if (old && (!small || s->counted < small->counted)) small = s;
    }
    if (silent && now_ms - silent->used_ms > SESSION_EVICT_MS) small = silent;
    if (small) session_remove(r, small);
    return small != NULL;
}

static int32_t new_id(struct fetch_room *r)
{
    int32_t id;
    do id = (int32_t)(rng_next(&r->ids) & INT32_MAX);
    while (id == NO_SESSION || map_get(r->sessions, id_key(&id)));
    return id;
}

static struct fetch_session *session_fill(const struct fetch_item *items, uint32_t count,
                                          bool by_id, int64_t now_ms)
{
    struct fetch_session *s = mem_take(sizeof(*s));
    if (!s) return NULL;
    *s = (struct fetch_session){
        .epoch = INITIAL_EPOCH + 1, .busy = true, .by_id = by_id, .made_ms = now_ms};
    s->parts = map_new(SESSION_PARTS_MAX);
    err_t e = s->parts ? ERR_OK : ERR_NO_MEMORY;
    for (uint32_t i = 0; i < count && !e; i++) {
        struct session_part *p = NULL;
        e = part_put(s, &items[i], &p);
        if (p) session_tells(p, &items[i]); /* by the answer that names the session */
    }
    if (!e) return s;
    session_free(s);
    return NULL;
}

struct fetch_session *session_make(struct fetch_room *r, const struct fetch_item *items,
                                   uint32_t count, bool by_id, int64_t now_ms)
{
    if (count == 0) return NULL;
    struct fetch_session *s = session_fill(items, count, by_id, now_ms);
    if (!s) return NULL;
    gate_enter(&r->gate);
    bool fits = map_count(r->sessions) < SESSIONS_MAX && r->parts + s->count <= SESSION_PARTS_MAX;
    if (!fits) fits = make_place(r, s->count, now_ms) && r->parts + s->count <= SESSION_PARTS_MAX;
    if (fits) {
        s->id = new_id(r);
        fits = map_set(r->sessions, id_key(&s->id), s) == ERR_OK;
    }
    if (fits) r->parts += s->counted = s->count;
    gate_leave(&r->gate);
    if (fits) return s;
    session_free(s);
    return NULL;
}

void session_end(struct fetch_room *r, struct fetch_session *s, int64_t now_ms)
{
    if (!s) return;
    gate_enter(&r->gate);
    s->busy = false;
    s->used_ms = now_ms;
    bool doomed = s->doomed;
    gate_leave(&r->gate);
    if (doomed) session_free(s);
}

/* --- a request meets its session -------------------------------------------------------------- */

struct fetch_item fetch_item_of(const struct kafka_fetch_request_topic *t,
                                const struct kafka_fetch_request_partition *p)
{
    return (struct fetch_item){.name = t->topic,
                               .id = t->topic_id,
                               .index = p->partition,
                               .epoch = p->current_leader_epoch,
                               .last_epoch = p->last_fetched_epoch,
                               .max_bytes = p->partition_max_bytes,
                               .offset = p->fetch_offset};
}

/* What changed since the request before. Only its own request does this. */
static err_t session_update(struct fetch_session *s, const struct kafka_fetch_request *q)
{
    err_t e = ERR_OK;
    for (int32_t t = 0; t < q->topics.count; t++) {
        const struct kafka_fetch_request_topic *topic = &q->topics.at[t];
        for (int32_t i = 0; i < topic->partitions.count && !e; i++) {
            struct fetch_item item = fetch_item_of(topic, &topic->partitions.at[i]);
            e = part_put(s, &item, NULL);
        }
    }
    for (int32_t t = 0; t < q->forgotten_topics_data.count && !e; t++) {
        const struct kafka_fetch_request_forgotten_topic *topic = &q->forgotten_topics_data.at[t];
        for (int32_t i = 0; i < topic->partitions.count; i++)
            part_remove(s, topic->topic, &topic->topic_id, topic->partitions.at[i]);
    }
    return e;
}

static int32_t next_epoch(int32_t epoch)
{
    return epoch == INT32_MAX ? 1 : epoch + 1;
}

/* Inside the gate. A session in use has moved its epoch on, so that a second request at the same
 * time is none of its order. */
static int16_t session_take(struct fetch_room *r, const struct kafka_fetch_request *q,
                            int16_t version, struct fetch_session **out)
{
    struct fetch_session *s = map_get(r->sessions, id_key(&q->session_id));
    if (!s) return KAFKA_ERROR_FETCH_SESSION_ID_NOT_FOUND;
    if (s->busy || s->epoch != q->session_epoch) return KAFKA_ERROR_INVALID_FETCH_SESSION_EPOCH;
    if (s->by_id != (version >= 13)) return KAFKA_ERROR_FETCH_SESSION_TOPIC_ID_ERROR;
    s->busy = true;
    s->epoch = next_epoch(s->epoch);
    *out = s;
    return KAFKA_ERROR_NONE;
}

/* Counts what came and went; a session that is empty now, or too large, is over. */
static int16_t session_settle(struct fetch_room *r, struct fetch_session **s, err_t e)
{
    gate_enter(&r->gate);
    r->parts += (*s)->doomed ? 0 : (*s)->count - (*s)->counted;
    (*s)->counted = (*s)->count;
    bool over = e || (*s)->count == 0 || r->parts > SESSION_PARTS_MAX;
    if (over && !(*s)->doomed) session_remove(r, *s); /* busy: it stays ours to free */
    gate_leave(&r->gate);
    if (!over) return KAFKA_ERROR_NONE;
    bool empty = !e && (*s)->count == 0;
    session_free(*s);
    *s = NULL;
    return empty ? KAFKA_ERROR_NONE : KAFKA_ERROR_FETCH_SESSION_ID_NOT_FOUND;
}

int16_t session_begin(struct fetch_room *r, const struct kafka_fetch_request *q, int16_t version,
                      struct fetch_session **session)
{
    *session = NULL;
    if (version < 7) return KAFKA_ERROR_NONE;
    bool whole = q->session_epoch == INITIAL_EPOCH || q->session_epoch == FINAL_EPOCH;
    int16_t code = KAFKA_ERROR_NONE;
    gate_enter(&r->gate);
    if (!whole) {
        code = session_take(r, q, version, session);
    } else if (q->session_id != NO_SESSION) { /* a new one takes its place, or none */
        struct fetch_session *old = map_get(r->sessions, id_key(&q->session_id));
        if (old) session_remove(r, old);
    }
    gate_leave(&r->gate);
    if (!*session) return code;
    err_t e = session_update(*session, q);
    return session_settle(r, session, e);
}
