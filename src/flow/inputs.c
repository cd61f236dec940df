/* inputs: records into the columns that a plan's expressions see. Only what the plan names is
 * decoded; offsets and times are lent, not copied. */
#include "flow/flow_int.h"

struct inputs {
    const struct plan_input *inputs;
    uint32_t count;
    struct json_plan *paths;
    struct json_decoder *decoder;
    const struct type **path_types;
    uint32_t *path_of; /* an input: which want; UINT32_MAX: none */
    uint32_t path_count;
    bool reads_value;
    bool may_wait; /* some inputs may */
    bool few;      /* of the last batch's rows only few went on: waiting pays */
    /* the batch at hand */
    struct json_note *notes; /* of what waits; NULL: nothing does */
    const struct slice *documents;
    struct column *columns; /* one a path */
};

void chunk_reset(struct chunk *c)
{
    c->rows = 0;
    c->selected_count = 0;
    c->dead_count = 0;
    c->machine = ERR_OK;
}

void chunk_kill(struct chunk *c, uint32_t row, err_t e, struct slice reason,
                struct slice expression)
{
    INVARIANT(row < c->rows && !c->gone[row] && c->dead_count < CHUNK_DEAD_MAX);
    c->gone[row] = 1;
    if (err_passes(e)) c->machine = e; /* no memory is no reason for a dead letter */
    c->dead[c->dead_count++] = (struct chunk_dead){.row = row,
                                                   .count = 1,
                                                   .offset = c->offsets[row],
                                                   .time_ms = c->times[row],
                                                   .partition = c->partitions[row],
                                                   .err = e,
                                                   .key = c->keys[row],
                                                   .raw = c->values[row],
                                                   .reason = reason,
                                                   .expression = expression};
}

/* The whole value as JSON is a path without steps; as text or bytes it is taken as it is. */
static bool is_path(const struct plan_input *in)
{
    return in->kind == INPUT_PATH || (in->kind == INPUT_VALUE && in->type->kind == TYPE_JSON);
}

static err_t check_input(const struct plan_input *in, struct diag *d)
{
    enum phys p = type_phys(in->type);
    bool fits = true;
    switch (in->kind) {
    case INPUT_KEY:
    case INPUT_VALUE:
    case INPUT_TOPIC: fits = p == PHYS_BYTES; break;
    case INPUT_TIMESTAMP:
    case INPUT_OFFSET: fits = p == PHYS_B8; break;
    case INPUT_PARTITION: fits = p == PHYS_B4; break;
    case INPUT_COLUMN: fits = false; break;
    case INPUT_PATH: break;
    }
    if (fits) return ERR_OK;
    return diag_fail(d, ERR_UNSUPPORTED, "'%.*s' of a topic can not be read as %s",
                     SLICE_ARG(in->text), type_kind_name(in->type->kind));
}

err_t inputs_new(const struct plan_input *inputs, uint32_t count, const bool *late,
                 struct inputs **out, struct diag *d)
{
    struct inputs *in = mem_take(sizeof(*in));
    struct json_want *wants = mem_take((count + 1) * sizeof(*wants));
    err_t e = ERR_OK;
    if (in) {
        *in = (struct inputs){.inputs = inputs, .count = count};
        in->path_types = mem_take((count + 1) * sizeof(*in->path_types));
        in->path_of = mem_take((count + 1) * sizeof(*in->path_of));
        in->decoder = json_decoder_new();
    }
    if (!in || !wants || !in->path_types || !in->path_of || !in->decoder)
        e = diag_fail(d, ERR_NO_MEMORY, "no memory for a plan's inputs");
    for (uint32_t i = 0; !e && i < count; i++) {
        e = check_input(&inputs[i], d);
        in->path_of[i] = UINT32_MAX;
        in->reads_value |= inputs[i].kind == INPUT_PATH || inputs[i].kind == INPUT_VALUE;
        if (!is_path(&inputs[i])) continue;
        in->path_of[i] = in->path_count;
        in->path_types[in->path_count] = inputs[i].type;
        wants[in->path_count] = inputs[i].kind == INPUT_PATH
                                    ? inputs[i].path
                                    : (struct json_want){.type = inputs[i].type};
        wants[in->path_count].late = late && late[i];
        in->may_wait |= late && late[i];
        in->path_count++;
    }
    if (!e && in->path_count) e = json_plan_new(wants, in->path_count, &in->paths, d);
    mem_give(wants);
    if (e) {
        inputs_free(in);
        return e;
    }
    *out = in;
    return ERR_OK;
}

void inputs_free(struct inputs *in)
{
    if (!in) return;
    json_plan_free(in->paths);
    json_decoder_free(in->decoder);
    mem_give((void *)in->path_types);
    mem_give(in->path_of);
    mem_give(in);
}

bool inputs_read_value(const struct inputs *in)
{
    return in->reads_value;
}

/* A fault that marks no column is the document's own: it is no JSON at all. */
static void kill_documents(const struct column_batch *b, struct chunk *c)
{
    const struct row_fault *f = batch_fault_next(b, 0);
    for (; f; f = batch_fault_next(b, f->row + 1)) {
        bool marked = c->gone[f->row];
        for (uint32_t k = 0; k < b->column_count && !marked; k++)
            marked = b->columns[k].state[f->row] == ERROR_VALUE;
        if (!marked) chunk_kill(c, f->row, f->err, slice_of(f->text), SLICE(""));
    }
}

/* Text columns hold UTF-8: a key or value that is none can not stand in one. */
static err_t lend_bytes(const struct plan_input *in, const struct slice *from, struct slice same,
                        struct column_batch *b, uint32_t i)
{
    struct column *col = &b->columns[i];
    err_t e = column_init(col, in->type, b->rows, b->arena);
    bool text = type_is_text(in->type);
    for (uint32_t r = 0; !e && r < b->rows; r++) {
        struct slice s = from ? from[r] : same;
        if (!s.at) continue; /* null */
        struct value v;
        struct diag why = {0};
        col->bytes[r] = s;
        col->state[r] = VALID_VALUE;
        if (text && from && (e = value_from_binary(in->type, s, &v, &why))) {
            batch_fault(b, col, r, e, "%.*s: %s", SLICE_ARG(in->text), why.what);
            e = ERR_OK;
        }
    }
    return e;
}

static err_t lend_fixed(const struct plan_input *in, void *data, struct column_batch *b, uint32_t i)
{
    struct column *col = &b->columns[i];
    *col = (struct column){.type = in->type, .state = arena_take_raw(b->arena, b->rows + 1)};
    if (!col->state) return ERR_NO_MEMORY;
    memset(col->state, VALID_VALUE, b->rows);
    col->data = data;
    return ERR_OK;
}

static err_t lend(struct inputs *in, uint32_t i, struct slice topic, struct chunk *c,
                  const struct column_batch *paths, struct column_batch *b)
{
    const struct plan_input *input = &in->inputs[i];
    if (in->path_of[i] != UINT32_MAX) {
        b->columns[i] = paths->columns[in->path_of[i]];
        return ERR_OK;
    }
    switch (input->kind) {
    case INPUT_KEY: return lend_bytes(input, c->keys, (struct slice){0}, b, i);
    case INPUT_VALUE: return lend_bytes(input, c->values, (struct slice){0}, b, i);
    case INPUT_TOPIC: return lend_bytes(input, NULL, topic, b, i);
    case INPUT_TIMESTAMP: return lend_fixed(input, c->times, b, i);
    case INPUT_OFFSET: return lend_fixed(input, c->offsets, b, i);
    case INPUT_PARTITION: return lend_fixed(input, c->partitions, b, i);
    case INPUT_PATH:
    case INPUT_COLUMN: break; /* refused in inputs_new */
    }
    return ERR_INTERNAL;
}

/* A record without a value is JSON's null to the decoder; only queries let such records come here.
 */
static const struct slice *documents_of(const struct chunk *c, struct arena *a)
{
    static const char null_padded[4 + JSON_PADDING] = "null";
    struct slice *copy = NULL;
    for (uint32_t r = 0; r < c->rows; r++) {
        if (c->values[r].at) continue;
        if (!copy) {
            copy = arena_take_raw(a, c->rows * sizeof(*copy));
            if (!copy) return NULL;
            memcpy(copy, c->values, c->rows * sizeof(*copy));
        }
        copy[r] = slice_make(null_padded, 4);
    }
    return copy ? copy : c->values;
}

static err_t decode_paths(struct inputs *in, struct chunk *c, struct column_batch *paths)
{
    err_t e = batch_init(paths, in->path_types, in->path_count, c->rows, paths->arena);
    in->documents = documents_of(c, paths->arena);
    in->columns = paths->columns;
    in->notes = NULL;
    if (e || !in->documents) return ERR_NO_MEMORY;
    if (!in->path_count) return ERR_OK;
    e = in->may_wait && in->few
            ? json_decode_early(in->decoder, in->paths, in->documents, c->rows, paths, &in->notes)
            : json_decode(in->decoder, in->paths, in->documents, c->rows, paths);
    if (!e) kill_documents(paths, c);
    return e;
}

err_t inputs_settle(struct inputs *in, const uint32_t *selected, uint32_t count,
                    struct column_batch *b, struct diag *d)
{
    struct column_batch paths = *b;
    in->few = count * 2 < b->rows;
    if (!in->notes) return ERR_OK;
    paths.columns = in->columns;
    paths.column_count = in->path_count;
    err_t e =
        json_decode_late(in->decoder, in->paths, in->documents, in->notes, selected, count, &paths);
    b->fault_count = paths.fault_count;
    in->notes = NULL;
    return e ? diag_fail(d, e, "%u records could not be decoded", count) : ERR_OK;
}

err_t inputs_decode(struct inputs *in, struct slice topic, struct chunk *c, struct column_batch *b,
                    struct diag *d)
{
    struct arena *a = b->arena;
    struct column_batch paths = {.arena = a};
    err_t e = decode_paths(in, c, &paths);
    *b = paths; /* with its faults */
    b->column_count = in->count;
    b->columns = arena_take(a, (in->count + 1) * sizeof(*b->columns));
    if (!e && !b->columns) e = ERR_NO_MEMORY;
    for (uint32_t i = 0; !e && i < in->count; i++) e = lend(in, i, topic, c, &paths, b);
    return e ? diag_fail(d, e, "%u records could not be decoded", c->rows) : ERR_OK;
}
