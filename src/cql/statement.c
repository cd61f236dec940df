/* A statement on its way from text to plan. */
#include "cql/statement.h"
#include "base/hash.h"
#include "cql/core.h"

const struct cql_family *cql_family_of(enum cql_kind kind)
{
    static const struct cql_family *const families[CQL_KINDS] = {
#define FAMILY(kind, family) [CQL_##kind] = &cql_##family##_family,
#include "cql/families.def"
#undef FAMILY
    };
    return families[kind];
}

void preparing_marker(struct cql_preparing *p, const struct cql_term *t,
                      const struct store_column *c)
{
    uint32_t index;
    if (t && cql_term_marker(t, &index) && index < p->terms.marker_count)
        p->marker_columns[index] = c;
}

/* As Cassandra makes it: of several markers of one column the last; none at all unless the whole
 * partition key is there. */
static err_t key_markers_make(struct cql_preparing *p)
{
    struct cql_statement *s = p->out;
    uint32_t wanted = 0;
    if (!s->table || s->marker_count == 0) return ERR_OK;
    while (wanted < s->table->column_count && s->table->columns[wanted].role == COLUMN_PARTITION)
        wanted++;
    uint16_t *markers = arena_take(s->arena, wanted * sizeof *markers);
    bool *set = arena_take(s->arena, wanted * sizeof *set);
    if (!markers || !set) return ERR_NO_MEMORY;
    uint32_t found = 0;
    for (uint32_t i = 0; i < s->marker_count; i++) {
        const struct store_column *c = p->marker_columns[i];
        if (!c || c->role != COLUMN_PARTITION || c->position >= wanted) continue;
        found += !set[c->position];
        set[c->position] = true;
        markers[c->position] = (uint16_t)i;
    }
    if (found == wanted) {
        s->key_markers = markers;
        s->key_count = wanted;
    }
    return ERR_OK;
}

void cql_result_id(struct cql_metadata *m)
{
    struct buf b = buf_make(MIB(4));
    for (uint32_t i = 0; i < m->count; i++) {
        buf_slice(&b, m->columns[i].name);
        buf_char(&b, 0);
        cql_type_put(&b, m->columns[i].type);
        buf_put(&b, "\0", 2);
    }
    digest_md5(buf_view(&b), m->id);
    buf_done(&b);
}

static err_t prepare_tree(struct cql *c, const struct cql_session *session, struct cql_statement *s,
                          struct diag *d)
{
    struct cql_preparing p = {
        .cql = c,
        .session = session,
        .out = s,
        .terms = {.arena = s->arena,
                  .d = d,
                  .keyspace = s->keyspace,
                  .marker_count = s->tree->marker_count,
                  .user_type = cql_user_type,
                  .ctx = c},
    };
    s->kind = s->tree->kind;
    s->marker_count = s->tree->marker_count;
    s->family = cql_family_of(s->kind);
    if (!s->family)
        return diag_fail(d, ERR_INVALID, "%s is not supported by Sluice yet", s->tree->what);
    p.terms.markers = s->markers = arena_take(s->arena, s->marker_count * sizeof *s->markers);
    p.marker_columns = arena_take(s->arena, s->marker_count * sizeof(struct store_column *));
    if (!s->markers || !p.marker_columns)
        return diag_fail(d, ERR_NO_MEMORY, "no memory for %u markers", s->marker_count);
    err_t e = s->family->prepare(&p, s->tree);
    if (e) return e;
    if (key_markers_make(&p)) return diag_fail(d, ERR_NO_MEMORY, "no memory for the markers");
    cql_result_id(&s->result);
    return ERR_OK;
}

err_t statement_make(struct cql *c, const struct cql_session *session, struct slice text,
                     struct slice keyspace, struct cql_statement *s, struct diag *d)
{
    s->schema_version = store_schema_version(c->parts.options.store);
    s->text = arena_slice(s->arena, text);
    s->keyspace = arena_slice(s->arena, keyspace);
    if ((text.len && !s->text.at) || (keyspace.len && !s->keyspace.at))
        return diag_fail(d, ERR_NO_MEMORY, "no memory for a statement of %u bytes", text.len);
    err_t e = cql_parse(s->text, s->arena, &s->tree, d);
    return e ? e : prepare_tree(c, session, s, d);
}

/* Written with its keyspace: it means the same whatever USE said. */
bool statement_is_qualified(const struct cql_statement_tree *t)
{
    switch (t->kind) {
    case CQL_SELECT: return t->select->from.keyspace.at != NULL;
    case CQL_INSERT:
    case CQL_UPDATE:
    case CQL_DELETE: return t->write->table.keyspace.at != NULL;
    case CQL_BATCH:
        for (uint32_t i = 0; i < t->batch->count; i++)
            if (!statement_is_qualified(t->batch->items[i])) return false;
        return true;
    default: return t->name.keyspace.at != NULL;
    }
}
