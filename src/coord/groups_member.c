/* Members of a group, and what a group counts of them: who waits, who votes for what. */
#include "coord/groups_int.h"

const char *said(struct slice name, char out[SAID_MAX])
{
    struct buf b = buf_over(out, SAID_MAX - 1);
    name.len = MIN(name.len, (uint32_t)SAID_MAX / 4);
    say_quote(name, &b);
    if (b.err) b.len = 0;
    out[b.len] = '\0';
    return out;
}

struct slice keep(struct slice s)
{
    if (!s.at) return (struct slice){0};
    char *copy = mem_text(s);
    return copy ? slice_make(copy, s.len) : (struct slice){0};
}

void keep_free(struct slice *s)
{
    mem_give((void *)s->at);
    *s = (struct slice){0};
}

bool keep_set(struct slice *kept, struct slice s)
{
    struct slice copy = keep(s);
    if (s.at && !copy.at) return false;
    keep_free(kept);
    *kept = copy;
    return true;
}

/* --- one member ------------------------------------------------------------------------------- */

/* One block: the rows, then every name and metadata. */
static struct group_protocol *protocols_copy(const struct group_protocol *p, size_t count)
{
    size_t size = (count ? count : 1) * sizeof(*p);
    for (size_t i = 0; i < count; i++) size += (size_t)p[i].name.len + p[i].metadata.len;
    struct group_protocol *copy = mem_take_raw(size);
    if (!copy) return NULL;
    uint8_t *at = (uint8_t *)(copy + (count ? count : 1));
    for (size_t i = 0; i < count; i++) {
        struct slice name = p[i].name, metadata = p[i].metadata;
        if (name.len) memcpy(at, name.at, name.len);
        copy[i].name = slice_make(at, name.len);
        at += name.len;
        if (metadata.len) memcpy(at, metadata.at, metadata.len);
        copy[i].metadata = slice_make(at, metadata.len);
        at += metadata.len;
    }
    return copy;
}

err_t member_set_protocols(struct member *m, const struct group_protocol *p, size_t count)
{
    struct group_protocol *copy = protocols_copy(p, count);
    if (!copy) return ERR_NO_MEMORY;
    mem_give(m->protocols);
    m->protocols = copy;
    m->protocol_count = count;
    return ERR_OK;
}

struct member *member_new(struct group *g, struct slice id, const struct group_join *r)
{
    struct member *m = mem_take(sizeof(*m));
    if (!m) return NULL;
    m->group = g;
    m->session_ms = r->session_ms;
    m->rebalance_ms = r->rebalance_ms;
    if (keep_set(&m->id, id) && keep_set(&m->instance, r->instance) &&
        keep_set(&m->client_id, r->client_id.at ? r->client_id : SLICE("")) &&
        keep_set(&m->client_host, r->client_host) &&
        member_set_protocols(m, r->protocols, r->protocol_count) == ERR_OK)
        return m;
    member_free(NULL, m);
    return NULL;
}

void member_free(struct groups *s, struct member *m)
{
    if (!m) return;
    INVARIANT(!m->join && !m->sync);
    if (s) coord_timer_stop(s->c, &m->session);
    keep_free(&m->id);
    keep_free(&m->instance);
    keep_free(&m->client_id);
    keep_free(&m->client_host);
    keep_free(&m->assignment);
    keep_free(&m->proposed);
    mem_give(m->protocols);
    mem_give(m);
}

bool member_matches(const struct member *m, const struct group_protocol *p, size_t count)
{
    if (m->protocol_count != count) return false;
    for (size_t i = 0; i < count; i++) {
        if (!slice_equal(m->protocols[i].name, p[i].name) ||
            !slice_equal(m->protocols[i].metadata, p[i].metadata))
            return false;
    }
    return true;
}

struct slice member_metadata(const struct member *m, struct slice protocol)
{
    for (size_t i = 0; i < m->protocol_count; i++) {
        if (slice_equal(m->protocols[i].name, protocol)) return m->protocols[i].metadata;
    }
    return (struct slice){0};
}

/* --- finding ---------------------------------------------------------------------------------- */

static struct member *member_of(const struct group *g, struct slice id, bool pending)
{
    struct member *m = g->by_id ? map_get(g->by_id, id) : NULL;
    return m && m->pending == pending ? m : NULL;
}

struct member *group_find(const struct group *g, struct slice id)
{
    return member_of(g, id, false);
}

struct member *group_pending(const struct group *g, struct slice id)
{
    return member_of(g, id, true);
}

struct member *group_static(const struct group *g, struct slice instance)
{
    return g->by_instance ? map_get(g->by_instance, instance) : NULL;
}

err_t group_check_member(const struct group *g, struct slice id, struct slice instance,
                         struct member **out, struct diag *d)
{
    *out = NULL;
    if (instance.at) {
        const struct member *now = group_static(g, instance);
        if (now && !slice_equal(now->id, id))
            return diag_fail(d, ERR_INSTANCE_FENCED,
                             "another member is instance '%.*s' of group "
                             "'%.*s'",
                             SLICE_ARG(instance), SLICE_ARG(g->name));
        if (!now) id = (struct slice){0};
    }
    if (id.at) *out = group_find(g, id);
    if (*out) return ERR_OK;
    return diag_fail(d, ERR_UNKNOWN_MEMBER, "group '%.*s' does not know this member",
                     SLICE_ARG(g->name));
}

/* --- the votes: how many members know a protocol ---------------------------------------------- */

static uintptr_t votes_for(const struct group *g, struct slice protocol)
{
    return g->supported ? (uintptr_t)map_get(g->supported, protocol) : 0;
}

/* A protocol that a member names twice counts once. */
static bool named_before(const struct group_protocol *p, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (slice_equal(p[k].name, p[i].name)) return true;
    }
    return false;
}

static void votes_take_back(struct group *g, const struct member *m, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (named_before(m->protocols, i)) continue;
        struct slice name = m->protocols[i].name;
        uintptr_t votes = votes_for(g, name);
        INVARIANT(votes > 0);
        if (votes == 1)
            map_remove(g->supported, name);
        else
            INVARIANT(map_set(g->supported, name, (void *)(votes - 1)) == ERR_OK); /* is there */
    }
}

static err_t votes_add(struct group *g, const struct member *m)
{
    if (!g->supported && !(g->supported = map_new((size_t)GROUP_PROTOCOLS_MAX * GROUP_MEMBERS_MAX)))
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < m->protocol_count; i++) {
        if (named_before(m->protocols, i)) continue;
        struct slice name = m->protocols[i].name;
        err_t e = map_set(g->supported, name, (void *)(votes_for(g, name) + 1));
        if (!e) continue;
        votes_take_back(g, m, i);
        return e;
    }
    return ERR_OK;
}

bool group_supports(const struct group *g, struct slice type, const struct group_protocol *p,
                    size_t count)
{
    if (g->state == GROUP_EMPTY) return type.len > 0 && count > 0;
    if (!g->protocol_type.at || !slice_equal(g->protocol_type, type)) return false;
    for (size_t i = 0; i < count; i++) {
        if (votes_for(g, p[i].name) == g->joined) return true;
    }
    return false;
}

/* The first of its protocols that everybody knows. */
static size_t vote_of(const struct group *g, const struct member *m)
{
    size_t i = 0;
    while (i < m->protocol_count && votes_for(g, m->protocols[i].name) != g->joined) i++;
    INVARIANT(i < m->protocol_count); /* else it would not have been let in */
    return i;
}

struct slice group_choose(const struct group *g)
{
    struct slice best = {0};
    size_t most = 0;
    /* Whoever is voted for is known to the first member: count for each of its protocols. */
    for (size_t i = 0; i < g->first->protocol_count; i++) {
        struct slice name = g->first->protocols[i].name;
        size_t votes = 0;
        if (votes_for(g, name) != g->joined || named_before(g->first->protocols, i)) continue;
        for (const struct member *m = g->first; m; m = m->next)
            votes += slice_equal(m->protocols[vote_of(g, m)].name, name);
        if (votes <= most) continue;
        most = votes;
        best = name;
    }
    INVARIANT(best.at);
    return best;
}

/* --- coming, changing, going ------------------------------------------------------------------ */

static err_t id_set(struct group *g, struct member *m)
{
    if (!g->by_id && !(g->by_id = map_new(GROUP_MEMBERS_MAX))) return ERR_NO_MEMORY;
    return map_set(g->by_id, m->id, m);
}

err_t group_add_pending(struct group *g, struct member *m)
{
    err_t e = id_set(g, m);
    if (e) return e;
    m->pending = true;
    g->pending++;
    return ERR_OK;
}

static err_t instance_set(struct group *g, struct member *m)
{
    if (!m->instance.at) return ERR_OK;
    if (!g->by_instance && !(g->by_instance = map_new(GROUP_MEMBERS_MAX))) return ERR_NO_MEMORY;
    err_t e = map_set(g->by_instance, m->instance, m);
    m->statics_set = e == ERR_OK;
    return e;
}

static void list_add(struct group *g, struct member *m)
{
    m->prev = g->last;
    m->next = NULL;
    if (g->last)
        g->last->next = m;
    else
        g->first = m;
    g->last = m;
}

static void list_remove(struct group *g, struct member *m)
{
    if (m->prev)
        m->prev->next = m->next;
    else
        g->first = m->next;
    if (m->next)
        m->next->prev = m->prev;
    else
        g->last = m->prev;
    m->next = m->prev = NULL;
}

err_t group_add(struct group *g, struct member *m)
{
    err_t e = votes_add(g, m);
    if (e) return e;
    e = instance_set(g, m);
    if (!e) e = id_set(g, m);
    if (e) {
        if (m->statics_set) map_remove(g->by_instance, m->instance);
        m->statics_set = false;
        votes_take_back(g, m, m->protocol_count);
        return e;
    }
    list_add(g, m);
    g->joined++;
    g->awaiting += m->join != NULL;
    if (!g->leader) g->leader = m;
    return ERR_OK;
}

/* Takes it out of all the tables; whoever waits for it has been answered. */
static void group_take_out(struct group *g, struct member *m)
{
    map_remove(g->by_id, m->id);
    if (m->pending) {
        g->pending--;
        return;
    }
    votes_take_back(g, m, m->protocol_count);
    if (m->statics_set) map_remove(g->by_instance, m->instance);
    list_remove(g, m);
    g->joined--;
    g->sync_missing -= m->sync_missing;
    if (g->leader == m) g->leader = g->first;
}

void group_remove(struct groups *s, struct group *g, struct member *m)
{
    if (m->join) {
        struct group_join *r = m->join;
        m->join = NULL;
        g->awaiting--;
        join_refuse(r, ERR_UNKNOWN_MEMBER, SLICE(""));
    }
    if (m->sync) sync_answer(m, ERR_UNKNOWN_MEMBER);
    group_take_out(g, m);
    member_free(s, m);
}

err_t group_rename(struct groups *s, struct member *m, struct slice new_id)
{
    struct group *g = m->group;
    struct slice kept = keep(new_id), old = m->id;
    if (!kept.at) return ERR_NO_MEMORY;
    err_t e = map_set(g->by_id, kept, m);
    if (e) {
        keep_free(&kept);
        return e;
    }
    map_remove(g->by_id, old);
    if (m->join) {
        struct group_join *r = m->join;
        m->join = NULL;
        g->awaiting--;
        join_refuse(r, ERR_INSTANCE_FENCED, old);
    }
    if (m->sync) sync_answer(m, ERR_INSTANCE_FENCED);
    keep_free(&old);
    m->id = kept;
    coord_timer_stop(s->c, &m->session);
    return ERR_OK;
}

err_t group_update(struct group *g, struct member *m, const struct group_join *r)
{
    struct group_protocol *copy = protocols_copy(r->protocols, r->protocol_count);
    if (!copy) return ERR_NO_MEMORY;
    struct member changed = *m;
    changed.protocols = copy;
    changed.protocol_count = r->protocol_count;
    err_t e = votes_add(g, &changed);
    if (e) {
        mem_give(copy);
        return e;
    }
    votes_take_back(g, m, m->protocol_count);
    mem_give(m->protocols);
    m->protocols = copy;
    m->protocol_count = r->protocol_count;
    m->rebalance_ms = r->rebalance_ms;
    m->session_ms = r->session_ms;
    return ERR_OK;
}

/* --- what a group says of all of them --------------------------------------------------------- */

int32_t group_rebalance_ms(const struct group *g)
{
    int32_t longest = 0;
    for (const struct member *m = g->first; m; m = m->next) longest = MAX(longest, m->rebalance_ms);
    return longest;
}

bool group_all_joined(const struct group *g)
{
    return g->joined == g->awaiting && g->pending == 0;
}

void group_to(struct group *g, enum group_state state)
{
    g->before = g->state;
    g->state = state;
    g->state_ms = clock_wall_ms();
}
