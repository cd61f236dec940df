#include "data/json/json_plan.h"

enum { SHRINK_ABOVE = 1 << 20 }; /* an index takes four times its document */

struct json_decoder *json_decoder_new(void)
{
    struct json_decoder *j = mem_take(sizeof(*j));
    if (!j) return NULL;
    j->indexer = json_indexer_new();
    if (j->indexer) return j;
    mem_give(j);
    return NULL;
}

void json_decoder_free(struct json_decoder *j)
{
    if (!j) return;
    json_indexer_free(j->indexer);
    mem_give(j->spots);
    mem_give(j);
}

/* The general way, and the story when there is none. */
static err_t put_general(const struct plan_want *w, struct json_cell *c, struct column_batch *b)
{
    struct value v;
    struct diag d = {0}, ignored;
    err_t e = value_from_json(w->type, c->text, w->cast, c->arena, &v, &d);
    if (!e) return column_set(c->column, c->row, &v);
    if (e == ERR_NO_MEMORY) return e;
    bool would = !w->cast && e == ERR_TYPE &&
                 value_from_json(w->type, c->text, true, c->arena, &v, &ignored) == ERR_OK;
    const char *where = d.where[0] ? ", " : "";
    if (would)
        batch_fault(b, c->column, c->row, e, "%s%s%s: %s; CAST(%s AS %s) takes both", w->path,
                    where, d.where, d.what, w->path, type_kind_name(w->type->kind));
    else
        batch_fault(b, c->column, c->row, e, "%s%s%s: %s", w->path, where, d.where, d.what);
    return ERR_OK;
}

static err_t put_wants(struct json_decoder *j, const struct json_plan *p, uint32_t row,
                       struct column_batch *b)
{
    struct json_cell c = {.walk = &j->walk, .row = row, .arena = b->arena};
    for (uint32_t i = 0; i < p->want_count; i++) {
        const struct plan_want *w = &p->wants[i];
        struct json_spot spot = j->spots[w->node];
        if (!spot.at) continue;
        c.text = json_spot_text(&j->walk, spot);
        c.column = &b->columns[i];
        if (c.text.at[0] == 'n') continue; /* null */
        if (w->put && w->put(&c)) continue;
        err_t e = put_general(w, &c, b);
        if (e) return e;
    }
    return ERR_OK;
}

/* A piece of a known size is cleared without a call. */
enum { SPOTS_AT_ONCE = 8 };

static inline void forget_spots(struct json_decoder *j, uint32_t count)
{
    for (uint32_t i = 0; i < count; i += SPOTS_AT_ONCE)
        memset(j->spots + i, 0, SPOTS_AT_ONCE * sizeof(*j->spots));
}

static err_t ready(struct json_decoder *j, const struct json_plan *p)
{
    uint32_t count = (p->node_count + SPOTS_AT_ONCE - 1) / SPOTS_AT_ONCE * SPOTS_AT_ONCE;
    if (j->spot_cap < count) {
        struct json_spot *spots = mem_resize(j->spots, count * sizeof(*spots));
        if (!spots) return ERR_NO_MEMORY;
        j->spots = spots;
        j->spot_cap = count;
    }
    j->walk.nodes = p->nodes;
    j->walk.spots = j->spots;
    return ERR_OK;
}

static void fault_document(struct json_decoder *j, struct column_batch *b, uint32_t row)
{
    struct diag d;
    (void)json_walk_diag(&j->walk, &d);
    batch_fault(b, NULL, row, d.err, "%s at %s", d.what, d.where);
}

void json_decoder_settle(struct json_decoder *j)
{
    if (j->biggest > SHRINK_ABOVE) json_indexer_shrink(j->indexer);
    j->biggest = 0;
}

err_t json_decode(struct json_decoder *j, const struct json_plan *p, const struct slice *documents,
                  uint32_t rows, struct column_batch *b)
{
    err_t e = ready(j, p);
    INVARIANT(rows <= b->rows && p->want_count <= b->column_count);
    for (uint32_t row = 0; !e && row < rows; row++) {
        if (!documents[row].at) {
            batch_fault(b, NULL, row, ERR_BAD_JSON, "the record has no value");
            continue;
        }
        j->biggest = MAX(j->biggest, documents[row].len);
        forget_spots(j, p->node_count);
        e = json_walk_begin(&j->walk, j->indexer, documents[row]);
        if (!e) e = json_walk_all(&j->walk);
        if (!e) {
            e = put_wants(j, p, row, b);
        } else if (e != ERR_NO_MEMORY) {
            fault_document(j, b, row);
            e = ERR_OK;
        }
    }
    json_decoder_settle(j);
    return e;
}

err_t json_check_whole(struct json_decoder *j, struct slice text, struct diag *d)
{
    j->walk.nodes = NULL;
    j->biggest = text.len;
    err_t e = json_walk_begin(&j->walk, j->indexer, text);
    if (!e) e = json_walk_all(&j->walk);
    return e ? json_walk_diag(&j->walk, d) : ERR_OK;
}

err_t json_validate(struct json_decoder *j, struct slice text, struct diag *d)
{
    err_t e = json_check_whole(j, text, d);
    json_decoder_settle(j);
    return e;
}
