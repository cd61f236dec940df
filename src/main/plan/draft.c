#include "main/plan/draft.h"

#include "door/console/js.h"
#include "exec/watch.h"
#include "log/browse.h"
#include "main/plan/planning.h"

#include <stdio.h>

enum {
    DRAFT_ARENA_MAX = 64 << 20,
    DRAFT_RECORDS = 200,
    DRAFT_TEXT_MAX = 4 << 20,
    WORDS_MAX = 4096
};
static const char cell[] = "the statement";
/* Words that name a column well in a key. */
static const char *const usual_keys[] = {"id", "uuid", "key"};

struct draft {
    const struct console_draft *ask;
    const struct exec_world *world;
    struct project project; /* the statement alone, beside the pipeline */
    struct catalog *catalog;
    struct arena *arena;
    struct json_decoder *json;
    struct plan_stream plan;
    struct slice select, bound; /* the same: as it was bound, where the plan's texts point into */
    const struct sql_relation *into; /* the table that is there; NULL: it is to be made */
    const char **types;              /* a column */
    bool *guessed;                   /* from the last records, not from the query */
    bool *casts;                     /* records hold several kinds of it, or an object: its text */
    uint32_t *key;
    uint32_t key_count;
    struct map *words; /* that a name can not be without quotes */
};

/* --- reading ------------------------------------------------------------------------------------
 */

/* Bound as if it went nowhere: what it gives, before anybody has said into what. */
static err_t bind_select(struct draft *f, struct diag *d)
{
    static const char head[] = "CREATE SINK sluice_draft INTO BLACKHOLE AS ";
    struct catalog_view view = {f->catalog, {0}};
    struct sql_catalog port = catalog_port(&view);
    struct script alone = {0}, script = {0};
    struct buf text = buf_make(DRAFT_TEXT_MAX);
    err_t e = sql_parse(f->select, cell, DIALECT_SLUICE, f->arena, &alone, d);
    if (!e && (alone.count != 1 || alone.statements[0].kind != STATEMENT_SELECT)) {
        (void)diag_fail(d, ERR_USAGE, "one SELECT becomes a stream or a view");
        e = diag_hint(d, "put it into a cell of its own");
    }
    buf_text(&text, head);
    uint32_t at = (uint32_t)text.len;
    buf_slice(&text, f->select);
    struct slice all = e ? (struct slice){0} : arena_slice(f->arena, buf_view(&text));
    buf_done(&text);
    if (e) return e;
    if (!all.at) return diag_fail(d, ERR_NO_MEMORY, "the statement is too long");
    e = sql_parse(all, cell, DIALECT_SLUICE, f->arena, &script, d);
    if (e) return e;
    struct statement *s = &script.statements[0];
    f->bound = slice_make(s->script.at + at, s->script.len - at);
    s->script = f->bound; /* mistakes stand where the person sees them */
    return sql_bind_stream(s, &port, cell, f->arena, &f->plan, d);
}

static err_t open_draft(struct draft *f, const struct project *running, struct slice pipeline,
                        struct diag *d)
{
    struct project_options o = {.dir = running->dir, .data = running->data, .pipeline = &pipeline};
    err_t e = project_open(&o, &f->project, d);
    if (e) return e;
    f->arena = arena_new(DRAFT_ARENA_MAX);
    f->json = json_decoder_new();
    f->words = map_new(WORDS_MAX);
    if (!f->arena || !f->json || !f->words ||
        catalog_new(f->world->store, f->world->log, &f->catalog))
        return diag_fail(d, ERR_NO_MEMORY, "no memory for a draft");
    e = project_check(&f->project, f->catalog, d);
    f->select = exec_watch_select(f->ask->select);
    return e ? e : bind_select(f, d);
}

static void close_draft(struct draft *f)
{
    map_free(f->words);
    json_decoder_free(f->json);
    arena_free(f->arena);
    catalog_free(f->catalog);
    if (f->project.arena) project_close(&f->project);
}

/* --- types --------------------------------------------------------------------------------------
 */

struct looking {
    struct draft *draft;
    struct shape shape;
};

static err_t look_at(void *ctx, const struct browse_record *r)
{
    struct looking *l = ctx;
    if (r->record.value_null) return ERR_OK;
    uint8_t *at = arena_take_raw(l->draft->arena, r->record.value.len + JSON_PADDING);
    if (!at) return ERR_NO_MEMORY;
    if (r->record.value.len) memcpy(at, r->record.value.at, r->record.value.len);
    memset(at + r->record.value.len, 0, JSON_PADDING);
    return shape_add(&l->shape, l->draft->json, slice_make(at, r->record.value.len));
}

/* Is every example, which stands in quotes, a value of this type? */
static bool all_are(struct draft *f, const struct shape_field *s, enum type_kind kind)
{
    struct diag none;
    struct value v;
    for (uint32_t i = 0; i < s->example_count; i++) {
        struct slice e = s->examples[i];
        if (e.len < 2 || e.at[0] != '"' || e.at[e.len - 1] != '"') return false;
        if (value_from_text(type_of(kind), slice_make(e.at + 1, e.len - 2), f->arena, &v, &none))
            return false;
    }
    return s->example_count > 0;
}

static const char *type_of_field(struct draft *f, const struct shape_field *s, bool *casts)
{
    uint64_t values = s->values - s->kinds[SHAPE_NULL];
    uint64_t numbers = s->kinds[SHAPE_INTEGER] + s->kinds[SHAPE_NUMBER];
    if (!values) return "text";
    if (s->kinds[SHAPE_INTEGER] == values) return "bigint";
    if (numbers == values) return "double";
    if (s->kinds[SHAPE_BOOLEAN] == values) return "boolean";
    *casts = s->kinds[SHAPE_TEXT] != values;
    if (*casts) return "text";
    if (all_are(f, s, TYPE_UUID)) return "uuid";
    return all_are(f, s, TYPE_TIMESTAMP) ? "timestamp" : "text";
}

/* The field that a column is, where it is one and nothing else. */
static const struct origin *field_of(const struct draft *f, uint32_t column, struct origins *all)
{
    origins_of(f->plan.root, column, all);
    if (all->count != 1 || all->items[0].hidden) return NULL;
    const struct plan_input *in = all->items[0].input;
    return in->kind == INPUT_PATH && in->path.step_count ? &all->items[0] : NULL;
}

static err_t guess_types(struct draft *f, const struct plan_node *topic, struct diag *d)
{
    struct slice name = topic->topic.relation->name;
    struct log_topic *t = f->world->log ? log_topic_find(f->world->log, name) : NULL;
    struct looking l = {.draft = f};
    struct origins *all = arena_take(f->arena, sizeof(*all));
    err_t e = all ? shape_init(&l.shape, f->arena) : ERR_NO_MEMORY;
    if (e) return diag_fail(d, e, "no memory for a draft");
    l.shape.examples = true;
    if (t) e = browse_last(t, DRAFT_RECORDS, look_at, &l, d);
    for (uint32_t i = 0; !e && i < f->plan.root->column_count; i++) {
        char path[SHAPE_PATH_MAX];
        const struct origin *o =
            f->plan.root->columns[i].type->kind == TYPE_JSON ? field_of(f, i, all) : NULL;
        if (!o || o->topic != topic) continue;
        if (!shape_path(o->input->path.steps, o->input->path.step_count, path)) continue;
        const struct shape_field *s = shape_find(&l.shape, path);
        if (!s) continue;
        f->types[i] = type_of_field(f, s, &f->casts[i]);
    }
    shape_done(&l.shape);
    return e;
}

static err_t find_types(struct draft *f, struct diag *d)
{
    const struct plan_node *root = f->plan.root;
    f->types = arena_take(f->arena, (root->column_count + 1) * sizeof(*f->types));
    f->guessed = arena_take(f->arena, root->column_count + 1);
    f->casts = arena_take(f->arena, root->column_count + 1);
    if (!f->types || !f->guessed || !f->casts)
        return diag_fail(d, ERR_NO_MEMORY, "no memory for a draft");
    for (uint32_t i = 0; i < root->column_count; i++) {
        struct buf text = buf_make(KIB(64));
        f->guessed[i] = root->columns[i].type->kind == TYPE_JSON;
        type_print(root->columns[i].type, &text);
        f->types[i] = f->guessed[i] ? "text" : arena_text(f->arena, buf_view(&text));
        buf_done(&text);
        if (!f->types[i]) return diag_fail(d, ERR_NO_MEMORY, "no memory for a draft");
    }
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < f->plan.topic_count; i++)
        e = guess_types(f, f->plan.topics[i], d);
    return e;
}

/* --- the key ------------------------------------------------------------------------------------
 */

static int64_t column_named(const struct draft *f, struct slice name)
{
    for (uint32_t i = 0; i < f->plan.root->column_count; i++)
        if (slice_equal(f->plan.root->columns[i].name, name)) return i;
    return -1;
}

static err_t asked_key(struct draft *f, struct diag *d)
{
    for (uint32_t i = 0; i < f->ask->key_count; i++) {
        int64_t at = column_named(f, f->ask->key[i]);
        if (at < 0)
            return diag_fail(d, ERR_UNKNOWN_COLUMN, "the key column %.*s is none of the query's",
                             SLICE_ARG(f->ask->key[i]));
        f->key[f->key_count++] = (uint32_t)at;
    }
    return ERR_OK;
}

/* What the query's rows are told apart by; else a column that is called as keys are, or is a uuid;
 * else the first one. */
static void proposed_key(struct draft *f)
{
    const struct plan_node *root = f->plan.root;
    for (uint32_t i = 0; i < root->key_count; i++) f->key[f->key_count++] = root->key[i];
    for (size_t i = 0; !f->key_count && i < COUNT_OF(usual_keys); i++) {
        int64_t at = column_named(f, slice_of(usual_keys[i]));
        if (at >= 0) f->key[f->key_count++] = (uint32_t)at;
    }
    for (uint32_t i = 0; !f->key_count && i < root->column_count; i++)
        if (strcmp(f->types[i], "uuid") == 0) f->key[f->key_count++] = i;
    if (!f->key_count && root->column_count) f->key[f->key_count++] = 0;
}

static err_t find_key(struct draft *f, struct diag *d)
{
    f->key = arena_take(f->arena,
                        (f->plan.root->column_count + f->ask->key_count + 1) * sizeof(*f->key));
    if (!f->key) return diag_fail(d, ERR_NO_MEMORY, "no memory for a draft");
    if (f->ask->key_count) return asked_key(f, d);
    if (f->into)
        for (uint32_t i = 0; i < f->into->column_count; i++) {
            int64_t at = f->into->columns[i].key ? column_named(f, f->into->columns[i].name) : -1;
            if (at >= 0) f->key[f->key_count++] = (uint32_t)at;
        }
    else
        proposed_key(f);
    return ERR_OK;
}

/* --- the text -----------------------------------------------------------------------------------
 */

static err_t note_word(void *ctx, const struct sql_word *w)
{
    struct draft *f = ctx;
    char lower[64];
    if (w->signature || strlen(w->text) >= sizeof(lower)) return ERR_OK;
    size_t len = strlen(w->text);
    for (size_t i = 0; i <= len; i++)
        lower[i] = (char)(w->text[i] >= 'A' && w->text[i] <= 'Z' ? w->text[i] + 32 : w->text[i]);
    const char *kept = arena_text(f->arena, slice_of(lower));
    return kept ? map_set(f->words, slice_of(kept), f) : ERR_NO_MEMORY;
}

static void put_name(const struct draft *f, struct buf *out, struct slice name)
{
    bool word = map_get(f->words, name) != NULL;
    if (word) buf_char(out, '"');
    if (word)
        buf_slice(out, name);
    else
        type_print_name(name, out);
    if (word) buf_char(out, '"');
}

/* KEYSPACE.TABLE, each part as a name. */
static void put_full_name(const struct draft *f, struct buf *out, struct slice full)
{
    const uint8_t *dot = memchr(full.at, '.', full.len);
    if (dot) {
        put_name(f, out, slice_make(full.at, (size_t)(dot - full.at)));
        buf_char(out, '.');
        full = slice_make(dot + 1, full.len - (size_t)(dot + 1 - full.at));
    }
    put_name(f, out, full);
}

static void put_key(const struct draft *f, struct buf *out)
{
    buf_text(out, "PRIMARY KEY (");
    for (uint32_t i = 0; i < f->key_count; i++) {
        if (i) buf_text(out, ", ");
        put_name(f, out, f->plan.root->columns[f->key[i]].name);
    }
    buf_char(out, ')');
}

static void put_table(const struct draft *f, struct buf *out)
{
    buf_text(out, "CREATE TABLE ");
    put_full_name(f, out, f->ask->into);
    buf_text(out, " (\n");
    for (uint32_t i = 0; i < f->plan.root->column_count; i++) {
        buf_text(out, "    ");
        put_name(f, out, f->plan.root->columns[i].name);
        buf_printf(out, " %s,\n", f->types[i]);
    }
    buf_text(out, "    ");
    put_key(f, out);
    buf_text(out, "\n);\n");
}

/* A view finds its key in what it groups by; only another one has to be written. */
static bool key_is_the_querys(const struct draft *f)
{
    const struct plan_node *root = f->plan.root;
    return root->key_count && (!f->ask->key_count || f->key_count == root->key_count);
}

/* Does a name follow, with or without AS? */
static bool is_named(struct slice rest)
{
    rest = slice_trim(rest);
    bool from = rest.len > 4 && slice_equal_nocase(slice_make(rest.at, 4), SLICE("FROM"));
    return rest.len && rest.at[0] != ',' && !from;
}

/* The SELECT; what a text column can not take as it is, as its text. A view's columns have the
 * query's types, so there each guess is written, but where it groups: its key is the query's. */
static void put_select(const struct draft *f, struct buf *out)
{
    const uint8_t *end = f->bound.at + f->bound.len, *done = f->bound.at;
    struct origins *o = arena_take(f->arena, sizeof(*o));
    for (uint32_t i = 0; o && i < f->plan.root->column_count; i++) {
        bool wanted = f->ask->view ? f->guessed[i] && !f->plan.root->key_count : f->casts[i];
        if (f->into || !wanted) continue;
        origins_of(f->plan.root, i, o);
        struct slice text = o->text;
        if (!text.at || text.at < done || text.at + text.len > end) continue;
        buf_slice(out, slice_make(done, (size_t)(text.at - done)));
        buf_printf(out, "CAST(%.*s AS %s)", SLICE_ARG(text), f->types[i]);
        done = text.at + text.len;
        if (is_named(slice_make(done, (size_t)(end - done)))) continue;
        buf_text(out, " AS ");
        put_name(f, out, f->plan.root->columns[i].name);
    }
    buf_slice(out, slice_make(done, (size_t)(end - done)));
}

static void put_text(const struct draft *f, struct buf *out)
{
    if (f->ask->view) {
        buf_text(out, "CREATE MATERIALIZED VIEW ");
        put_full_name(f, out, f->ask->name);
        if (!key_is_the_querys(f)) {
            buf_char(out, ' ');
            put_key(f, out);
        }
    } else {
        if (!f->into) put_table(f, out);
        buf_text(out, "CREATE STREAM ");
        put_name(f, out, f->ask->name);
        buf_text(out, " INTO ");
        put_full_name(f, out, f->ask->into);
    }
    buf_text(out, " AS\n");
    put_select(f, out);
    buf_text(out, ";\n");
}

static void tell(const struct draft *f, struct slice text, struct buf *out)
{
    const struct plan_node *root = f->plan.root;
    js_open(out, '{');
    js_put_text(out, "text", text);
    js_put_open(out, "columns", '[');
    for (uint32_t i = 0; i < root->column_count; i++) {
        js_open(out, '{');
        js_put_text(out, "name", root->columns[i].name);
        js_put_cstr(out, "type", f->types[i]);
        js_put_bool(out, "guessed", f->guessed[i]);
        js_close(out, '}');
    }
    js_close(out, ']');
    js_put_open(out, "key", '[');
    for (uint32_t i = 0; i < f->key_count; i++) js_text(out, root->columns[f->key[i]].name);
    js_close(out, ']');
    js_put_bool(out, "key_is_fixed", f->into != NULL);
    js_put_bool(out, "makes_table", !f->ask->view && !f->into);
    js_close(out, '}');
}

static err_t find_into(struct draft *f, struct diag *d)
{
    struct slice into = f->ask->into;
    if (f->ask->view) return ERR_OK;
    const uint8_t *dot = into.len ? memchr(into.at, '.', into.len) : NULL;
    if (!dot) {
        (void)diag_fail(d, ERR_USAGE, "a stream writes into KEYSPACE.TABLE");
        return diag_hint(d, "name both, as in spark_streams.created_users");
    }
    size_t at = (size_t)(dot - into.at);
    f->into = catalog_find(f->catalog, (struct slice){0}, slice_make(into.at, at),
                           slice_make(dot + 1, into.len - at - 1));
    return ERR_OK;
}

err_t plan_draft(const struct project *running, struct slice pipeline, const struct exec_world *w,
                 const struct console_draft *ask, struct buf *out, struct diag *d)
{
    struct draft f = {.ask = ask, .world = w};
    struct buf text = buf_make(DRAFT_TEXT_MAX);
    if (!ask->name.len) return diag_fail(d, ERR_USAGE, "a stream or view has a name");
    err_t e = open_draft(&f, running, pipeline, d);
    if (!e) e = find_into(&f, d);
    if (!e) e = find_types(&f, d);
    if (!e) e = find_key(&f, d);
    if (!e && sql_words(note_word, &f)) e = diag_fail(d, ERR_NO_MEMORY, "no memory for a draft");
    if (!e) put_text(&f, &text);
    if (!e && text.err) e = diag_fail(d, text.err, "the statement is too long");
    if (!e) tell(&f, buf_view(&text), out);
    buf_done(&text);
    close_draft(&f);
    return e ? e : out->err;
}
