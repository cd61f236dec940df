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

static inline err_t put_want(const struct plan_want *w, struct json_cell *c, struct column_batch *b)
{
    if (c->text.at[0] == 'n') return ERR_OK; /* null */
    return w->put && w->put(c) ? ERR_OK : put_general(w, c, b);
}

/* `notes`: the row's own, for its late wants; NULL: all are converted at once. */
static err_t put_wants(struct json_decoder *j, const struct json_plan *p, struct slice document,
                       uint32_t row, struct column_batch *b, struct json_note *notes)
{
    struct json_cell c = {.escapes = j->walk.escapes, .row = row, .arena = b->arena};
    for (uint32_t i = 0; i < p->want_count; i++) {
        const struct plan_want *w = &p->wants[i];
        struct json_spot spot = j->spots[w->node];
        if (!spot.at) continue;
        c.text = json_spot_text(&j->walk, spot);
        if (notes && w->note) {
            notes[w->note - 1] =
                (struct json_note){(uint32_t)(c.text.at - document.at), c.text.len};
            continue;
        }
        c.column = &b->columns[i];
        err_t e = put_want(w, &c, b);
        if (e) return e;
    }
    return ERR_OK;
}

static err_t put_late(const struct json_plan *p, struct slice document,
                      const struct json_note *notes, uint32_t row, struct column_batch *b)
{
    struct json_cell c = {.escapes = true, .row = row, .arena = b->arena};
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < p->want_count; i++) {
        const struct plan_want *w = &p->wants[i];
        const struct json_note *own = w->note ? &notes[w->note - 1] : NULL;
        if (!own || !own->len) continue;
        c.text = (struct slice){document.at + own->at, own->len};
        c.column = &b->columns[i];
        e = put_want(w, &c, b);
    }
    return e;
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

static err_t walk_document(struct json_decoder *j, const struct json_plan *p, struct slice document)
{
    j->biggest = MAX(j->biggest, document.len);
    forget_spots(j, p->node_count);
    err_t e = json_walk_begin(&j->walk, j->indexer, document);
    return e ? e : json_walk_all(&j->walk);
}

static err_t decode(struct json_decoder *j, const struct json_plan *p,
                    const struct slice *documents, uint32_t rows, struct column_batch *b,
                    struct json_note *notes)
{
    err_t e = ready(j, p);
    INVARIANT(rows <= b->rows && p->want_count <= b->column_count);
    for (uint32_t row = 0; !e && row < rows; row++) {
        if (!documents[row].at) {
            batch_fault(b, NULL, row, ERR_BAD_JSON, "the record has no value");
            continue;
        }
        e = walk_document(j, p, documents[row]);
        if (!e) {
            e = put_wants(j, p, documents[row], row, b, notes);
        } else if (e != ERR_NO_MEMORY) {
            fault_document(j, b, row);
            e = ERR_OK;
        }
        if (notes) notes += p->note_count;
    }
    json_decoder_settle(j);
    return e;
}

err_t json_decode(struct json_decoder *j, const struct json_plan *p, const struct slice *documents,
                  uint32_t rows, struct column_batch *b)
{
    return decode(j, p, documents, rows, b, NULL);
}

err_t json_decode_early(struct json_decoder *j, const struct json_plan *p,
                        const struct slice *documents, uint32_t rows, struct column_batch *b,
                        struct json_note **notes)
{
    *notes = NULL;
    if (p->note_count) {
        *notes = arena_take(b->arena, (size_t)rows * p->note_count * sizeof(**notes));
        if (!*notes) return ERR_NO_MEMORY;
    }
    return decode(j, p, documents, rows, b, *notes);
}

/* A row that has a fault: the first of all its faults is to be found. */
static err_t decode_again(struct json_decoder *j, const struct json_plan *p, struct slice document,
                          uint32_t row, struct column_batch *b)
{
    struct row_fault since = b->fault_at[row];
    b->bad[row] = 0;
    b->fault_count--;
    err_t e = walk_document(j, p, document);
    if (!e) e = put_wants(j, p, document, row, b, NULL);
    if (b->bad[row]) return e;
    b->fault_at[row] = since;
    b->bad[row] = 1;
    b->fault_count++;
    return e;
}

err_t json_decode_late(struct json_decoder *j, const struct json_plan *p,
                       const struct slice *documents, const struct json_note *notes,
                       const uint32_t *selected, uint32_t count, struct column_batch *b)
{
    err_t e = ready(j, p);
    for (uint32_t i = 0; !e && i < count; i++) {
        uint32_t row = selected[i];
        const struct json_note *own = notes + (size_t)row * p->note_count;
        e = b->bad[row] ? decode_again(j, p, documents[row], row, b)
                        : put_late(p, documents[row], own, row, b);
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
