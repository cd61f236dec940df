#include "sql/sql_kit.h"

void kit_open(struct kit *k, const char *declarations)
{
    *k = (struct kit){.arena = arena_new(MIB(64))};
    struct script s;
    err_t e = sql_parse(slice_of(declarations), "kit.sql", DIALECT_SLUICE, k->arena, &s, &k->d);
    if (e) test_not_ok(__FILE__, __LINE__, declarations, e, &k->d);
    for (uint32_t i = 0; i < s.count; i++) {
        const struct statement *st = &s.statements[i];
        bool table = st->kind == STATEMENT_CREATE_TABLE,
             source = st->kind == STATEMENT_CREATE_SOURCE;
        if (st->kind == STATEMENT_CREATE_FUNCTION) {
            INVARIANT(k->function_count < COUNT_OF(k->functions));
            k->functions[k->function_count++] =
                (struct sql_function){.name = st->name.name,
                                      .params = st->columns,
                                      .param_count = st->column_count,
                                      .returns = st->returns,
                                      .expression = st->expression};
        }
        if (!table && !source && st->kind != STATEMENT_CREATE_TOPIC) continue;
        k->relations[k->count++] =
            (struct sql_relation){.kind = table ? RELATION_TABLE : RELATION_TOPIC,
                                  .keyspace = st->name.keyspace,
                                  .name = source ? st->source.topic : st->name.name,
                                  .columns = st->columns,
                                  .column_count = st->column_count,
                                  .open = !table && st->column_count == 0,
                                  .time = st->watermark_column,
                                  .delay_ms = st->watermark_delay_ms};
    }
}

void kit_close(struct kit *k)
{
    arena_free(k->arena);
}

static const struct sql_relation *find(void *ctx, struct slice keyspace, struct slice name)
{
    struct kit *k = ctx;
    for (uint32_t i = 0; i < k->count; i++) {
        const struct sql_relation *r = &k->relations[i];
        if (slice_equal(r->name, name) && (!keyspace.at || slice_equal(r->keyspace, keyspace)))
            return r;
    }
    return NULL;
}

static const struct sql_function *function(void *ctx, struct slice name)
{
    const struct kit *k = ctx;
    for (uint32_t i = 0; i < k->function_count; i++)
        if (slice_equal(k->functions[i].name, name)) return &k->functions[i];
    return NULL;
}

static size_t names(void *ctx, const char **out, size_t max)
{
    struct kit *k = ctx;
    size_t n = 0;
    for (uint32_t i = 0; i < k->count && n < max; i++)
        out[n++] =
            arena_printf(k->arena, "%.*s%s%.*s", SLICE_ARG(k->relations[i].keyspace),
                         k->relations[i].keyspace.len ? "." : "", SLICE_ARG(k->relations[i].name));
    return n;
}

struct sql_catalog kit_catalog(struct kit *k)
{
    return (struct sql_catalog){.ctx = k, .find = find, .names = names, .function = function};
}

static struct statement *parse(struct kit *k, const char *text, enum sql_dialect dialect)
{
    struct script s;
    err_t e = sql_parse(slice_of(text), "x.sql", dialect, k->arena, &s, &k->d);
    if (!e && s.count == 1) return &s.statements[0];
    test_not_ok(__FILE__, __LINE__, text, e, &k->d);
    return NULL;
}

struct statement *kit_parse(struct kit *k, const char *text)
{
    return parse(k, text, DIALECT_SLUICE);
}

err_t kit_select(struct kit *k, const char *text, enum sql_dialect dialect, struct plan_select *out)
{
    struct sql_catalog c = kit_catalog(k);
    struct statement *s = parse(k, text, dialect);
    k->d = (struct diag){0};
    *out = (struct plan_select){0};
    return s ? sql_bind_select(s, &c, dialect, k->arena, out, &k->d) : ERR_SYNTAX;
}

err_t kit_stream(struct kit *k, const char *text, struct plan_stream *out)
{
    struct sql_catalog c = kit_catalog(k);
    struct statement *s = kit_parse(k, text);
    k->d = (struct diag){0};
    *out = (struct plan_stream){0};
    return s ? sql_bind_stream(s, &c, "x.sql", k->arena, out, &k->d) : ERR_SYNTAX;
}

/* One cell: the field at the end of the path, read as the input wants it. */
static void fill(struct kit *k, struct column_batch *b, uint32_t column, uint32_t row,
                 const char *document, const struct json_step *steps, uint32_t count, bool cast)
{
    struct buf path = buf_make(1000);
    for (uint32_t i = 0; i < count; i++) {
        if (steps[i].name.at)
            buf_printf(&path, "%s%.*s", i ? "." : "", SLICE_ARG(steps[i].name));
        else
            buf_printf(&path, "[%lld]", (long long)steps[i].index);
    }
    struct column json, text, got;
    struct value v = {.type = type_of(TYPE_JSON), .state = VALID_VALUE}, p;
    v.bytes = slice_of(document);
    p = value_text(buf_view(&path));
    CHECK_OK(column_init(&json, v.type, 1, k->arena), NULL);
    CHECK_OK(column_init(&text, p.type, 1, k->arena), NULL);
    CHECK_OK(column_init(&got, v.type, 1, k->arena), NULL);
    CHECK_OK(column_set(&json, 0, &v), NULL);
    CHECK_OK(column_set(&text, 0, &p), NULL);
    struct column_batch one;
    CHECK_OK(batch_init(&one, NULL, 0, 1, k->arena), NULL);
    struct operand args[2] = {{json, 0}, {text, 0}};
    struct frame f = {.in = &one};
    struct expr e = {.count = 2, .text = SLICE("path")};
    struct call c = {.f = &f, .e = &e, .args = args, .out = &got};
    CHECK_OK(fn_json_get(&c, 0), NULL);
    buf_done(&path);
    if (got.state[0] != VALID_VALUE) return;
    const struct type *type = b->columns[column].type;
    struct diag d = {0};
    struct value out;
    if (type->kind == TYPE_JSON) {
        out = v;
        out.bytes = got.bytes[0];
    } else if (value_from_json(type, got.bytes[0], cast, k->arena, &out, &d)) {
        batch_fault(b, &b->columns[column], row, ERR_TYPE, "%s", d.what);
        return;
    }
    CHECK_OK(column_set(&b->columns[column], row, &out), NULL);
}

const struct plan_rows *kit_rows(const struct plan_node *root)
{
    while (root->kind != NODE_ROWS && root->input_count) root = root->inputs[0];
    return &root->rows;
}

const struct plan_node *kit_leaf(const struct plan_node *root)
{
    while (root->input_count) root = root->inputs[0];
    return root;
}

const char *kit_plan(struct kit *k, const struct plan_node *root)
{
    struct buf out = buf_make(MIB(1));
    plan_node_print(root, &out);
    const char *text = arena_text(k->arena, buf_view(&out));
    buf_done(&out);
    return text;
}

struct column_batch *kit_batch(struct kit *k, const struct plan_node *leaf, const char *const *rows,
                               uint32_t row_count)
{
    uint32_t input_count = leaf->column_count;
    const struct plan_input *inputs =
        leaf->kind == NODE_TOPIC ? leaf->topic.inputs : leaf->table.inputs;
    const struct type **types = arena_take(k->arena, (input_count + 1) * sizeof(*types));
    struct column_batch *b = arena_take(k->arena, sizeof(*b));
    for (uint32_t i = 0; i < input_count; i++) types[i] = inputs[i].type;
    CHECK_OK(batch_init(b, types, input_count, row_count, k->arena), NULL);
    for (uint32_t row = 0; row < row_count; row++) {
        for (uint32_t i = 0; i < input_count; i++) {
            struct json_step step = {0};
            const struct json_want *w = &inputs[i].path;
            if (inputs[i].kind == INPUT_PATH) {
                fill(k, b, i, row, rows[row], w->steps, w->step_count, w->cast);
            } else {
                step.name = inputs[i].kind == INPUT_COLUMN
                                ? leaf->table.relation->columns[inputs[i].column].name
                                : inputs[i].text;
                fill(k, b, i, row, rows[row], &step, 1, true);
            }
        }
    }
    return b;
}

const char *kit_show(struct kit *k, const struct column_batch *b, const struct column *c)
{
    struct buf out = buf_make(MIB(1));
    for (uint32_t row = 0; row < b->rows; row++) {
        if (row) buf_char(&out, '|');
        struct value v;
        column_get(c, row, &v);
        if (v.state == NULL_VALUE) {
            buf_text(&out, "null");
        } else if (v.state == ERROR_VALUE) {
            const struct row_fault *fault = batch_fault_of(b, row);
            buf_printf(&out, "error: %s", fault ? fault->text : "untold");
        } else if (v.type->kind == TYPE_JSON) {
            buf_slice(&out, v.bytes);
        } else {
            value_to_text(&v, &out);
        }
    }
    const char *text = arena_text(k->arena, buf_view(&out));
    buf_done(&out);
    return text;
}

void kit_add(struct kit *k, const struct sql_relation *r)
{
    INVARIANT(k->count < COUNT_OF(k->relations));
    k->relations[k->count++] = *r;
}

void kit_view_print(const struct sql_relation *r, struct buf *out)
{
    static const char *const keys[] = {"", " partition key", " clustering key"};
    buf_printf(out, "view %.*s:", SLICE_ARG(r->name));
    for (uint32_t i = 0; i < r->column_count; i++) {
        buf_printf(out, "%s %.*s ", i ? "," : "", SLICE_ARG(r->columns[i].name));
        type_print(r->columns[i].type, out);
        buf_text(out, keys[r->columns[i].key]);
    }
    buf_char(out, '\n');
}
