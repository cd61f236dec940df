#include "exec/statements.h"

#include "base/hash.h"
#include "base/say.h"

#include <stdio.h>

enum { STATEMENT_BYTES_MAX = 64 << 20 };

void exec_note(struct exec_call *x, const char *fmt, ...)
{
    char text[512];
    va_list args;
    if (!x->sink->note) return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    x->sink->note(x->sink->result.ctx, text);
}

struct slice exec_keyspace(const struct exec_call *x, struct sql_name n)
{
    return n.keyspace.at ? n.keyspace : slice_of(x->session->keyspace);
}

const struct store_table *exec_table(const struct exec_call *x, struct sql_name n)
{
    return store_table_find(x->world->store, exec_keyspace(x, n), n.name);
}

static err_t no_keyspace(struct slice name, struct diag *d)
{
    (void)diag_fail(d, ERR_UNKNOWN_NAME, "keyspace '%.*s' does not exist", SLICE_ARG(name));
    return diag_hint(d, "sluice query 'SHOW KEYSPACES' lists those that do");
}

static err_t no_table(const struct exec_call *x, struct sql_name n, struct diag *d)
{
    const char *names[256];
    struct catalog_view view = {x->world->catalog, slice_of(x->session->keyspace)};
    struct sql_catalog port = catalog_port(&view);
    char full[300];
    struct slice keyspace = exec_keyspace(x, n);
    snprintf(full, sizeof(full), "%.*s%s%.*s", SLICE_ARG(keyspace), keyspace.len ? "." : "",
             SLICE_ARG(n.name));
    const char *near =
        nearest_word(slice_of(full), names, port.names(port.ctx, names, COUNT_OF(names)));
    (void)diag_fail(d, ERR_UNKNOWN_TABLE, "table %s does not exist", full);
    return near ? diag_hint(d, "did you mean %s?", near)
                : diag_hint(d, "sluice query 'SHOW TABLES' lists those that do");
}

/* --- one function a kind of statement --------------------------------------------------------- */

static err_t run_create_keyspace(struct exec_call *x, const struct statement *s, struct diag *d)
{
    struct slice replication = sql_option(&s->options, "replication");
    err_t e = store_keyspace_create(x->world->store, s->name.name, replication, d);
    if (e == ERR_EXISTS && s->if_not_exists) e = ERR_OK;
    if (!e) exec_note(x, "keyspace %.*s is there", SLICE_ARG(s->name.name));
    return e;
}

static err_t run_create_table(struct exec_call *x, const struct statement *s, struct diag *d)
{
    struct store_table wanted;
    const struct store_table *made = exec_table(x, s->name);
    if (made && s->if_not_exists) return ERR_OK;
    err_t e = table_of_statement(s, slice_of(x->session->keyspace), x->arena, &wanted, d);
    if (e) return e;
    if (!store_keyspace_exists(x->world->store, wanted.keyspace))
        return no_keyspace(wanted.keyspace, d);
    e = store_table_create(x->world->store, &wanted, &made, d);
    if (e == ERR_EXISTS && s->if_not_exists) return ERR_OK; /* another was faster */
    if (!e)
        exec_note(x, "table %.*s.%.*s is there", SLICE_ARG(wanted.keyspace),
                  SLICE_ARG(wanted.name));
    return e;
}

static err_t run_create_topic(struct exec_call *x, const struct statement *s, struct diag *d)
{
    int32_t partitions = 1;
    struct log_topic_config config;
    struct log_topic *made = NULL;
    err_t e = topic_options(&s->options, "statement", &partitions, &config, d);
    if (e) return e;
    e = log_topic_create(x->world->log, s->name.name, partitions, &config, &made, d);
    if (e == ERR_EXISTS && s->if_not_exists) return ERR_OK;
    struct sql_relation declared = relation_of_topic(s);
    if (!e && (s->column_count || s->watermark_column.at))
        e = catalog_declare(x->world->catalog, &declared);
    if (!e)
        exec_note(x, "topic %.*s is there, with %d partitions", SLICE_ARG(s->name.name),
                  partitions);
    return e;
}

static err_t run_in_project(struct exec_call *x, const struct statement *s, struct diag *d)
{
    (void)x, (void)s;
    (void)diag_fail(d, ERR_UNSUPPORTED,
                    "sources and streams are part of a project, not of a query");
    return diag_hint(d, "write it into pipeline.sql; the next `sluice up` makes it");
}

/* Who is declared by pipeline.sql would be there again at the next start, empty: what a project is
 * stands in one place (docs/decisions/0025-upgrades-and-drop.md). */
static err_t run_drop_topic(struct exec_call *x, const struct statement *s, struct diag *d)
{
    char user[256] = "";
    if (x->world->flow && flow_uses_topic(x->world->flow, s->name.name, user, sizeof(user))) {
        (void)diag_fail(d, ERR_IN_USE, "topic %.*s is used by %s, which pipeline.sql declares",
                        SLICE_ARG(s->name.name), user);
        return diag_hint(d, "take %s out of pipeline.sql and start again; then drop the topic",
                         user);
    }
    err_t e = log_topic_delete(x->world->log, s->name.name, d);
    return e == ERR_UNKNOWN_TOPIC && s->if_exists ? ERR_OK : e;
}

/* STREAM, VIEW, SINK, SOURCE: what one has left that is declared no more. */
static err_t run_drop_stage(struct exec_call *x, const struct statement *s, struct diag *d)
{
    struct slice name = s->name.name;
    if (x->world->flow && flow_has(x->world->flow, name)) {
        (void)diag_fail(d, ERR_IN_USE, "'%.*s' is declared by pipeline.sql", SLICE_ARG(name));
        return diag_hint(d,
                         "take it out of pipeline.sql and start again: it ends, and DROP removes "
                         "what it left; until then `sluice pause %.*s` stops it",
                         SLICE_ARG(name));
    }
    err_t e = stage_drop(x->world->store, name, d);
    if (e == ERR_UNKNOWN_STREAM && s->if_exists) return ERR_OK;
    if (!e) exec_note(x, "%.*s is gone, with all it remembered", SLICE_ARG(name));
    return e;
}

static err_t run_drop(struct exec_call *x, const struct statement *s, struct diag *d)
{
    static const char *const stages[] = {"STREAM", "VIEW", "SINK", "SOURCE"};
    if (slice_is(s->what, "TOPIC")) return run_drop_topic(x, s, d);
    for (size_t i = 0; i < COUNT_OF(stages); i++)
        if (slice_is(s->what, stages[i])) return run_drop_stage(x, s, d);
    if (!slice_is(s->what, "TABLE")) {
        (void)diag_fail(d, ERR_UNSUPPORTED, "DROP %.*s is not available here", SLICE_ARG(s->what));
        return diag_hint(d, "functions end by taking them out of pipeline.sql");
    }
    const struct store_table *t = exec_table(x, s->name);
    if (!t) return s->if_exists ? ERR_OK : no_table(x, s->name, d);
    err_t e = store_table_drop(x->world->store, t->keyspace, t->name, d);
    return e == ERR_UNKNOWN_TABLE && s->if_exists ? ERR_OK : e; /* another was faster */
}

static err_t run_truncate(struct exec_call *x, const struct statement *s, struct diag *d)
{
    const struct store_table *t = exec_table(x, s->name);
    if (!t) return no_table(x, s->name, d);
    return store_table_truncate(x->world->store, t->keyspace, t->name, d);
}

static err_t run_use(struct exec_call *x, const struct statement *s, struct diag *d)
{
    if (!store_keyspace_exists(x->world->store, s->name.name)) return no_keyspace(s->name.name, d);
    if (!slice_to_cstr(s->name.name, x->session->keyspace, sizeof(x->session->keyspace)))
        return diag_fail(d, ERR_TOO_BIG, "keyspace names have at most %zu bytes",
                         sizeof(x->session->keyspace) - 1);
    return ERR_OK;
}

static err_t run_select(struct exec_call *x, const struct statement *s, struct diag *d)
{
    struct catalog_view view = {x->world->catalog, slice_of(x->session->keyspace)};
    struct sql_catalog port = catalog_port(&view);
    struct plan_select plan;
    err_t e = sql_bind_select(s, &port, x->session->dialect, x->arena, &plan, d);
    return e ? e
             : query_select(x->world->store, x->world->log, &plan, x->limits, &x->sink->result, d);
}

static err_t (*const runners[])(struct exec_call *, const struct statement *, struct diag *) = {
    [STATEMENT_CREATE_SOURCE] = run_in_project,
    [STATEMENT_CREATE_TOPIC] = run_create_topic,
    [STATEMENT_CREATE_KEYSPACE] = run_create_keyspace,
    [STATEMENT_CREATE_TABLE] = run_create_table,
    [STATEMENT_CREATE_STREAM] = run_in_project,
    [STATEMENT_DROP] = run_drop,
    [STATEMENT_TRUNCATE] = run_truncate,
    [STATEMENT_USE] = run_use,
    [STATEMENT_SELECT] = run_select,
    [STATEMENT_DESCRIBE] = exec_describe,
    [STATEMENT_SHOW] = exec_show,
};

static err_t run_one(struct exec_call *x, const struct statement *s, struct diag *d)
{
    if ((size_t)s->kind < COUNT_OF(runners) && runners[s->kind]) return runners[s->kind](x, s, d);
    return diag_fail(d, ERR_UNSUPPORTED, "this statement is not available yet: %.*s",
                     (int)MIN(s->text.len, 60u), (const char *)s->text.at);
}

static err_t only_reads(const struct exec_call *x, const struct exec_piece *p,
                        const struct script *script, struct diag *d)
{
    bool fine = !p->cql || exec_cql_reads(p->text);
    for (uint32_t i = 0; !p->cql && i < script->count; i++) {
        enum statement_kind k = script->statements[i].kind;
        fine = fine && (k == STATEMENT_SELECT || k == STATEMENT_DESCRIBE || k == STATEMENT_SHOW ||
                        k == STATEMENT_USE);
    }
    if (fine || !x->session->reads_only) return ERR_OK;
    (void)diag_fail(d, ERR_FORBIDDEN, "only what reads may run here");
    return diag_hint(d,
                     "SELECT, DESCRIBE, SHOW; to change something ask somebody with the role Op");
}

/* Everything is read before anything runs. */
static err_t parse_pieces(struct exec_call *x, const struct exec_piece *pieces, uint32_t count,
                          struct script *scripts, struct diag *d)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < count; i++) {
        if (pieces[i].cql)
            e = exec_cql_check(x, pieces[i].text, d);
        else
            e = sql_parse(pieces[i].text, "statement", x->session->dialect, x->arena, &scripts[i],
                          d);
        if (!e) e = only_reads(x, &pieces[i], &scripts[i], d);
        if (e) exec_place(d, &pieces[i]);
    }
    return e;
}

static err_t run_piece(struct exec_call *x, const struct exec_piece *p, const struct script *script,
                       struct diag *d)
{
    err_t e = ERR_OK;
    if (p->cql) return exec_cql_run(x, p->text, d);
    for (uint32_t i = 0; !e && i < script->count; i++) e = run_one(x, &script->statements[i], d);
    return e;
}

static err_t run_text(struct exec_call *x, struct slice text, struct diag *d)
{
    struct exec_piece *pieces = NULL;
    uint32_t count = 0;
    err_t e = exec_cut(text, x->arena, &pieces, &count, d);
    if (e) return e;
    struct script *scripts = arena_take(x->arena, (count + 1) * sizeof(*scripts));
    if (!scripts) return diag_fail(d, ERR_NO_MEMORY, "no memory for the statements");
    e = parse_pieces(x, pieces, count, scripts, d);
    for (uint32_t i = 0; !e && i < count; i++) {
        e = run_piece(x, &pieces[i], &scripts[i], d);
        if (e) exec_place(d, &pieces[i]);
    }
    return e;
}

err_t exec_run(struct exec_session *session, struct slice text, const struct query_limits *limits,
               const struct exec_sink *sink, struct diag *d)
{
    if (text.len > SQL_TEXT_MAX)
        return diag_fail(d, ERR_TOO_BIG, "the text is %u bytes, more than %u", text.len,
                         (unsigned)SQL_TEXT_MAX);
    struct arena *arena = arena_new(STATEMENT_BYTES_MAX);
    if (!arena) return diag_fail(d, ERR_NO_MEMORY, "no memory for the statement");
    struct exec_call call = {session, session->world, limits, sink, arena};
    err_t e = run_text(&call, text, d);
    arena_free(arena);
    return e;
}
