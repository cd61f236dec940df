/* Producers and Spark programs: who sends what, which columns are selected, which table is made;
 * and what is wrong there. */
#include "main/import/import.h"

struct look {
    struct import *m;
    const struct import_file *f;
    bool asks, checks, sends, flushes, loops, sleeps, raises, logs, streams, writes;
    uint32_t ask_line, send_line, loop_line;
    const struct py_node *from_json, *schema;
};

static bool called_any(const struct py_node *n, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_is(py_called(n), words[i])) return true;
    return false;
}

static bool see_words(void *ctx, const struct py_node *n)
{
    static const char *const sends[] = {"send", "produce"},
                             *const ends[] = {"flush", "close", "send_and_wait"},
                             *const writes[] = {"save", "send", "produce", "saveAsTable",
                                                "execute"};
    struct look *l = ctx;
    if (slice_is(py_called(n), "get") && py_is(py_owner(n), PY_NAME, "requests")) {
        l->asks = true;
        l->ask_line = n->line;
    }
    if (called_any(n, sends, 2) && py_owner(n) && n->count > 2) {
        l->sends = true;
        l->send_line = n->line;
    }
    l->flushes = l->flushes || called_any(n, ends, 3);
    l->sleeps = l->sleeps || slice_is(py_called(n), "sleep");
    l->writes = l->writes || called_any(n, writes, COUNT_OF(writes));
    l->checks = l->checks || py_is(n, PY_ATTRIBUTE, "status_code") ||
                py_is(n, PY_ATTRIBUTE, "ok") || slice_is(py_called(n), "raise_for_status");
    l->streams =
        l->streams || py_is(n, PY_ATTRIBUTE, "readStream") || py_is(n, PY_ATTRIBUTE, "writeStream");
    l->raises = l->raises || py_is(n, PY_JUMP, "raise") || slice_is(py_called(n), "exit");
    if (n->kind == PY_WHILE) {
        l->loops = true;
        l->loop_line = n->line;
    }
    return true;
}

static struct look look_at(struct import *m, const struct import_file *f, const struct py_node *n)
{
    struct look l = {.m = m, .f = f};
    py_walk(n, see_words, &l);
    return l;
}

static struct look look_below(struct import *m, const struct import_file *f,
                              const struct py_node *n)
{
    struct look l = {.m = m, .f = f};
    for (uint32_t i = n->head; i < n->count; i++) py_walk(n->items[i], see_words, &l);
    return l;
}

/* try: … send … except: log; and the same of a batch's write or a session that is not made. */
static bool see_swallowed(void *ctx, const struct py_node *n)
{
    struct look *l = ctx;
    for (uint32_t i = n->head; i + 1 < n->count; i++) {
        const struct py_node *try = n->items[i], *handler = n->items[i + 1];
        if (try->kind != PY_TRY || handler->kind != PY_EXCEPT) continue;
        struct look inside = look_below(l->m, l->f, try), after = look_below(l->m, l->f, handler);
        if (after.raises) continue;
        bool batch =
            n->kind == PY_DEF && n->head - n->decorators == 2 && inside.writes && !inside.sends;
        struct slice second = batch ? n->items[n->decorators + 1]->text : (struct slice){0};
        if (slice_holds(second, "id"))
            import_find(l->m, DEFECT_lost_batch, l->f, handler->line);
        else if (inside.sends || inside.asks || inside.streams)
            import_find(l->m, DEFECT_swallowed_error, l->f, handler->line);
    }
    return true;
}

static bool see_session(void *ctx, const struct py_node *n)
{
    struct look *l = ctx;
    struct slice called = py_called(n), key, value;
    const struct py_node *first = py_argument(n, NULL, 0), *second = py_argument(n, NULL, 1);
    if (n->kind == PY_STRING && slice_holds(n->text, "_2.13") && slice_holds(n->text, "connector"))
        import_find(l->m, DEFECT_scala_mismatch, l->f, n->line);
    for (uint32_t i = 1; n->kind == PY_CALL && i < n->count; i++) {
        const struct py_node *k = n->items[i];
        if (k->kind == PY_KEYWORD && is_secret_name(k->text) && k->items[0]->kind == PY_STRING)
            import_secret(l->m, l->f, k->line, arena_text(l->m->arena, k->text));
    }
    if (n->kind == PY_ASSIGN && n->items[0]->kind == PY_STRING && n->items[1]->kind == PY_NAME &&
        is_secret_name(n->items[1]->text))
        import_secret(l->m, l->f, n->line, arena_text(l->m->arena, n->items[1]->text));
    if (!slice_is(called, "config") && !slice_is(called, "option")) return true;
    if (!constant_of(l->m, l->f, first, &key)) return true;
    if (slice_is(called, "config") && py_argument(n, NULL, 2))
        import_find(l->m, DEFECT_builder_config, l->f, n->line);
    if (!constant_of(l->m, l->f, second, &value)) return true;
    if (is_secret_name(key)) import_secret(l->m, l->f, first->line, arena_text(l->m->arena, key));
    if (slice_is(key, "checkpointLocation") && slice_starts(value, "/tmp"))
        import_find(l->m, DEFECT_lost_checkpoint, l->f, first->line);
    if (slice_is(key, "failOnDataLoss") && slice_is(value, "false"))
        import_find(l->m, DEFECT_data_loss_ignored, l->f, first->line);
    if (slice_is(key, "subscribe")) {
        if (l->m->topic.len && !slice_equal(l->m->topic, value))
            import_leave(l->m, l->f, first->line,
                         "Spark reads the topic %.*s, the producer writes %.*s: "
                         "the stream reads the producer's",
                         SLICE_ARG(value), SLICE_ARG(l->m->topic));
        if (!l->m->topic.len) l->m->topic = value;
        import_understand(l->m, l->f, first->line, "reads the topic %.*s", SLICE_ARG(value));
    }
    if (slice_is(key, "keyspace")) l->m->keyspace = value;
    if (slice_is(key, "table")) l->m->table = value;
    if (slice_is(key, "startingOffsets") && !slice_is(value, "earliest"))
        import_leave(l->m, l->f, first->line,
                     "startingOffsets %.*s: the stream reads from the earliest record",
                     SLICE_ARG(value));
    return true;
}

/* --- the producer -------------------------------------------------------------------------------
 */

static bool see_sender(void *ctx, const struct py_node *n)
{
    struct look *l = ctx;
    if (l->m->sends || n->kind != PY_DEF) return !l->m->sends;
    if (look_below(l->m, l->f, n).sends) follow(l->m, l->f, n);
    return true;
}

static bool see_callable(void *ctx, const struct py_node *n)
{
    struct look *l = ctx;
    const struct py_node *callable = py_argument(n, "python_callable", -1);
    const struct import_file *where;
    if (!callable || callable->kind != PY_NAME || l->m->sends) return true;
    const struct py_node *def = py_function_find(l->m, l->f, callable->text, &where);
    if (def) follow(l->m, where, def);
    return true;
}

static void judge_sent(struct import *m)
{
    for (size_t i = 0; m->sent.kind == MEANS_FIELDS && i < m->sent.fields->count; i++) {
        const struct field *f = vec_at(m->sent.fields, i);
        if (f->value.kind == MEANS_NONE)
            import_leave(m, f->file, f->line, "what becomes of the field %.*s is not understood",
                         SLICE_ARG(f->name));
        if (f->value.kind == MEANS_FRESH)
            import_find(m, f->value.text.len ? DEFECT_fresh_key : DEFECT_unserializable_id, f->file,
                        f->line);
    }
}

void gather_producers(struct import *m)
{
    bool (*const ways[])(void *, const struct py_node *) = {see_callable, NULL, see_sender};
    for (size_t w = 0; w < COUNT_OF(ways); w++) {
        for (size_t i = 0; i < m->files.count && !m->sends; i++) {
            struct import_file *f = vec_at(&m->files, i);
            struct look l = {.m = m, .f = f};
            if (!f->module) continue;
            if (ways[w])
                py_walk(f->module, ways[w], &l);
            else if (look_at(m, f, f->module).sends)
                follow(m, f, f->module);
        }
    }
    judge_sent(m);
    for (size_t i = 0; i < m->files.count; i++) {
        struct import_file *f = vec_at(&m->files, i);
        if (!f->module) continue;
        struct look l = look_at(m, f, f->module);
        py_walk(f->module, see_swallowed, &l);
        if (l.sends && !l.flushes) import_find(m, DEFECT_no_flush, f, l.send_line);
        if (l.asks && !l.checks) import_find(m, DEFECT_no_status_check, f, l.ask_line);
        if (l.sends && l.loops && !l.sleeps) import_find(m, DEFECT_no_pause, f, l.loop_line);
    }
}

/* --- the stream ---------------------------------------------------------------------------------
 */

static void add_column(struct look *l, struct slice name, struct meaning v, uint32_t line)
{
    struct field *c = import_add(l->m, &l->m->columns);
    *c = (struct field){name, v, l->f, line};
    if (v.kind == MEANS_NONE)
        import_leave(l->m, l->f, line, "what the column %.*s is made of is not understood",
                     SLICE_ARG(name));
    if (v.kind == MEANS_FRESH) import_find(l->m, DEFECT_fresh_key, l->f, line);
}

static struct slice behind_dot(struct slice path)
{
    uint32_t i = path.len;
    while (i && path.at[i - 1] != '.') i--;
    return slice_make(path.at + i, path.len - i);
}

static bool is_envelope(struct slice text) /* CAST(value AS STRING): Kafka's own columns */
{
    static const char *const words[] = {"value",  "key",   "timestamp",
                                        "offset", "topic", "partition"};
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (slice_is(text, words[i])) return true;
    return slice_holds(text, "cast(value") || slice_holds(text, "cast(key");
}

static bool is_from_json(const struct py_node *n)
{
    return slice_is(py_called(n), "from_json");
}

/* One thing of select(…): a column with its name. */
static void selected(struct look *l, const struct py_node *n)
{
    struct import *m = l->m;
    struct slice name;
    const struct py_node *first = py_argument(n, NULL, 0);
    if (n->kind == PY_STRING) {
        if (n->text.len > 1 && n->text.at[n->text.len - 1] == '*')
            m->everything = true;
        else if (!is_envelope(n->text))
            add_column(l, behind_dot(n->text), value_of_path(m, n->text), n->line);
    } else if (slice_is(py_called(n), "alias") && constant_of(m, l->f, first, &name)) {
        if (is_from_json(py_owner(n)))
            m->alias = name;
        else if (!is_envelope(name) && !slice_holds(name, "json"))
            add_column(l, name, column_value(m, l->f, n), n->line);
    } else if (slice_is(py_called(n), "col") && constant_of(m, l->f, first, &name)) {
        if (name.len > 1 && name.at[name.len - 1] == '*')
            m->everything = true;
        else if (!is_envelope(name))
            add_column(l, behind_dot(name), value_of_path(m, name), n->line);
    } else if (!is_from_json(n)) {
        import_leave(m, l->f, n->line, "a column of this select has no name that is understood");
    }
}

static bool see_select(void *ctx, const struct py_node *n)
{
    struct look *l = ctx;
    struct slice name;
    const struct py_node *first = py_argument(n, NULL, 0), *second = py_argument(n, NULL, 1);
    if (n->kind != PY_CALL || !n->count) return true;
    py_walk(n->items[0], see_select, l); /* what it is called on comes first */
    if (!py_owner(n)) return true;
    if (slice_is(py_called(n), "select")) {
        for (uint32_t i = 1; i < n->count; i++) selected(l, n->items[i]);
    } else if (slice_is(py_called(n), "selectExpr")) {
        for (uint32_t i = 1; i < n->count; i++)
            if (n->items[i]->kind != PY_STRING || !is_envelope(n->items[i]->text))
                selected(l, n->items[i]);
    } else if (slice_is(py_called(n), "withColumn") && constant_of(l->m, l->f, first, &name)) {
        if (is_from_json(second))
            l->m->alias = name;
        else if (!is_envelope(name))
            add_column(l, name, column_value(l->m, l->f, second), n->line);
    } else if (slice_is(py_called(n), "filter") || slice_is(py_called(n), "where") ||
               slice_is(py_called(n), "groupBy") || slice_is(py_called(n), "join") ||
               slice_is(py_called(n), "dropDuplicates") ||
               slice_is(py_called(n), "withWatermark")) {
        import_leave(l->m, l->f, n->line,
                     "%.*s(…) is not carried over: write it into the stream's SQL",
                     SLICE_ARG(py_called(n)));
    }
    return false;
}

static bool see_schema(void *ctx, const struct py_node *n)
{
    struct look *l = ctx;
    struct slice name;
    if (slice_is(py_called(n), "StructField") &&
        py_is(py_argument(n, "nullable", 2), PY_NAME, "False") && !l->writes) {
        import_find(l->m, DEFECT_unenforced_schema, l->f, n->line);
        l->writes = true; /* once a file */
    }
    const struct py_node *list = py_argument(n, NULL, 0);
    if (!slice_is(py_called(n), "StructType") || !list || l->m->schema.count) return true;
    for (uint32_t i = 0; i < list->count; i++) {
        if (!constant_of(l->m, l->f, py_argument(list->items[i], "name", 0), &name)) continue;
        struct field *f = import_add(l->m, &l->m->schema);
        *f = (struct field){.name = name, .file = l->f, .line = list->items[i]->line};
    }
    return true;
}

/* --- the table ----------------------------------------------------------------------------------
 */

static struct slice word_at(struct slice s, uint32_t *at)
{
    while (*at < s.len && (s.at[*at] <= ' ')) ++*at;
    uint32_t from = *at;
    while (*at < s.len && s.at[*at] > ' ' && !strchr("(),;", s.at[*at])) ++*at;
    return slice_make(s.at + from, *at - from);
}

static struct slice unquoted(struct slice s)
{
    return s.len > 1 && s.at[0] == '"' ? slice_make(s.at + 1, s.len - 2) : s;
}

/* Up to a comma or the closing bracket, brackets and <> inside counted. */
static struct slice part_at(struct slice s, uint32_t *at)
{
    int level = 0;
    uint32_t from = *at;
    for (; *at < s.len; ++*at) {
        uint8_t c = s.at[*at];
        if (!level && (c == ',' || c == ')')) break;
        level += (c == '(' || c == '<') - (c == ')' || c == '>');
    }
    return slice_trim(slice_make(s.at + from, *at - from));
}

static void table_columns(struct import *m, struct slice s, uint32_t at)
{
    for (bool more = true; more && at < s.len;) {
        struct slice part = part_at(s, &at);
        more = at < s.len && s.at[at++] == ',';
        uint32_t in = 0;
        struct slice name = word_at(part, &in),
                     rest = slice_trim(slice_make(part.at + in, part.len - in));
        if (slice_equal_nocase(name, SLICE("PRIMARY"))) {
            uint32_t open = 0, last = part.len;
            while (open < part.len && part.at[open] != '(') open++;
            while (last > open && part.at[last - 1] != ')') last--;
            if (last > open + 2) m->table_key = slice_make(part.at + open + 1, last - open - 2);
            continue;
        }
        struct table_column *c = name.len ? import_add(m, &m->table_columns) : NULL;
        if (!c) continue;
        c->name = unquoted(name);
        if (slice_holds(rest, "primary key")) {
            m->table_key = c->name;
            rest = slice_trim(slice_make(rest.at, rest.len - 11));
        }
        c->type = rest;
    }
}

static void see_create(struct import *m, const struct import_file *f, uint32_t line, struct slice s)
{
    for (uint32_t at = 0; at + 12 < s.len; at++) {
        if (!slice_equal_nocase(slice_make(s.at + at, 12), SLICE("CREATE TABLE"))) continue;
        for (uint32_t i = 0; i < at; i++) line += s.at[i] == '\n';
        at += 12;
        struct slice name = word_at(s, &at);
        while (slice_equal_nocase(name, SLICE("IF")) || slice_equal_nocase(name, SLICE("NOT")) ||
               slice_equal_nocase(name, SLICE("EXISTS")))
            name = word_at(s, &at);
        uint32_t dot = 0;
        while (dot < name.len && name.at[dot] != '.') dot++;
        struct slice keyspace = dot < name.len ? slice_make(name.at, dot) : (struct slice){0};
        if (dot < name.len) name = slice_make(name.at + dot + 1, name.len - dot - 1);
        bool other = m->table.len && !slice_equal_nocase(m->table, unquoted(name));
        while (at < s.len && s.at[at] != '(') at++;
        if (at == s.len || !name.len || strchr(":'\"{", name.at[0])) return; /* a sentence */
        if (m->table_columns.count || other || at == s.len) {
            import_leave(m, f, line, "the table %.*s is not taken over", SLICE_ARG(name));
            return;
        }
        m->table = unquoted(name);
        if (keyspace.len) m->keyspace = unquoted(keyspace);
        m->table_file = f;
        m->table_line = line;
        table_columns(m, s, at + 1);
        import_understand(m, f, line, "the table %.*s, its %zu columns", SLICE_ARG(m->table),
                          m->table_columns.count);
        return;
    }
}

static bool see_table(void *ctx, const struct py_node *n)
{
    struct look *l = ctx;
    struct slice text;
    if (n->kind == PY_STRING) see_create(l->m, l->f, n->line, n->text);
    if (n->kind == PY_FSTRING && constant_of(l->m, l->f, n, &text))
        see_create(l->m, l->f, n->line, text);
    if (slice_is(py_called(n), "set_keyspace") && !l->m->keyspace.len)
        (void)constant_of(l->m, l->f, py_argument(n, NULL, 0), &l->m->keyspace);
    return true;
}

void gather_streams(struct import *m)
{
    for (size_t i = 0; i < m->files.count; i++) {
        struct import_file *f = vec_at(&m->files, i);
        struct look l = {.m = m, .f = f},
                    words = f->module ? look_at(m, f, f->module) : (struct look){0};
        py_walk(f->module, see_session, &l);
        if (words.streams && m->stream_file)
            import_leave(m, f, 1, "a second Spark program: only %s is taken over",
                         m->stream_file->path);
        if (!words.streams || m->stream_file) continue;
        m->stream_file = f;
        py_walk(f->module, see_schema, &l);
        py_walk(f->module, see_select, &l);
        import_understand(m, f, 1,
                          "the streaming program: %zu columns selected, %zu fields in its schema",
                          m->columns.count, m->schema.count);
    }
    for (size_t i = 0; i < m->files.count; i++) {
        struct import_file *f = vec_at(&m->files, i);
        struct look l = {.m = m, .f = f};
        const char *dot = strrchr(f->path, '.');
        if (f->module) py_walk(f->module, see_table, &l);
        if (dot && (!strcmp(dot, ".cql") || !strcmp(dot, ".sql"))) see_create(m, f, 1, f->text);
    }
}
