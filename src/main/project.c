#include "main/project.h"

#include "base/say.h"
#include "os/file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { PROJECT_BYTES_MAX = 256 << 20, STREAMS_MAX = 1000 };

static const char pipeline_name[] = "pipeline.sql";

static err_t join(const char *dir, const char *name, char *out, struct diag *d)
{
    int n = snprintf(out, PROJECT_PATH_MAX, "%s/%s", dir, name);
    return n < PROJECT_PATH_MAX
               ? ERR_OK
               : diag_fail(d, ERR_TOO_BIG, "the path %s/%s is too long", dir, name);
}

const char *project_file_setting(const struct project *p, enum config_id id,
                                 char out[PROJECT_PATH_MAX])
{
    const char *given = config_text(&p->config, id);
    if (!given[0]) return NULL;
    int n = given[0] == '/' ? snprintf(out, PROJECT_PATH_MAX, "%s", given)
                            : snprintf(out, PROJECT_PATH_MAX, "%s/%s", p->dir, given);
    return n < PROJECT_PATH_MAX ? out : given;
}

err_t project_data_path(const struct project *p, const char *name, char *out, struct diag *d)
{
    return join(p->data, name, out, d);
}

static err_t find_folder(const struct project_options *o, struct project *p, struct diag *d)
{
    const char *asked = o->dir ? o->dir : ".";
    char resolved[PATH_MAX];
    if (!realpath(asked, resolved)) {
        (void)diag_fail(d, ERR_NOT_FOUND, "there is no project folder %s", asked);
        return diag_hint(
            d, "a project is a folder with a pipeline.sql; examples/ has five to start from");
    }
    snprintf(p->dir, sizeof(p->dir), "%s", resolved);
    const char *slash = strrchr(resolved, '/');
    (void)slice_to_cstr(slice_of(slash && slash[1] ? slash + 1 : resolved), p->name,
                        sizeof(p->name));
    if (!o->data) return join(p->dir, ".sluice", p->data, d);
    if (snprintf(p->data, sizeof(p->data), "%s", o->data) >= (int)sizeof(p->data))
        return diag_fail(d, ERR_TOO_BIG, "the path after --data is too long");
    return ERR_OK;
}

static err_t load_config(const struct project_options *o, struct project *p, struct diag *d)
{
    char path[PROJECT_PATH_MAX];
    err_t e = config_init(&p->config, d);
    if (!e) e = join(p->dir, "sluice.yaml", path, d);
    if (!e) e = config_load(&p->config, path, d);
    if (!e) e = config_environment(&p->config, d);
    for (size_t i = 0; i < o->set_count && !e; i++) e = config_set(&p->config, o->sets[i], d);
    return e;
}

err_t project_read(struct project *p, struct slice pipeline, struct diag *d)
{
    p->pipeline = arena_slice(p->arena, pipeline);
    if (!p->pipeline.at) return diag_fail(d, ERR_NO_MEMORY, "pipeline.sql does not fit in memory");
    return sql_parse(p->pipeline, pipeline_name, DIALECT_SLUICE, p->arena, &p->script, d);
}

static err_t load_pipeline(struct project *p, struct diag *d)
{
    char path[PROJECT_PATH_MAX];
    struct slice text = {0};
    err_t e = join(p->dir, pipeline_name, path, d);
    if (e) return e;
    if (!file_exists(path)) {
        (void)diag_fail(d, ERR_NOT_FOUND, "%s has no pipeline.sql", p->dir);
        return diag_hint(
            d, "a project is a folder with a pipeline.sql; examples/ has five to start from");
    }
    e = file_load(path, SQL_TEXT_MAX, &text, d);
    if (!e) e = project_read(p, text, d);
    mem_give((void *)(uintptr_t)text.at);
    return e;
}

err_t project_open(const struct project_options *o, struct project *out, struct diag *d)
{
    *out = (struct project){.streams = vec_make(sizeof(struct project_stream), STREAMS_MAX),
                            .past = vec_make(sizeof(struct catalog *), STREAMS_MAX)};
    out->arena = arena_new(PROJECT_BYTES_MAX);
    if (!out->arena) return diag_fail(d, ERR_NO_MEMORY, "no memory for the project");
    err_t e = find_folder(o, out, d);
    if (!e) e = load_config(o, out, d);
    if (!e) e = o->pipeline ? project_read(out, *o->pipeline, d) : load_pipeline(out, d);
    if (e) project_close(out);
    return e;
}

void project_close(struct project *p)
{
    vec_done(&p->streams);
    for (size_t i = 0; i < p->past.count; i++)
        catalog_free(*(struct catalog **)vec_at(&p->past, i));
    vec_done(&p->past);
    config_done(&p->config);
    arena_free(p->arena);
    p->arena = NULL;
}

/* --- what the statements ask for -------------------------------------------------------------- */

static err_t at(const struct statement *s, struct diag *d)
{
    if (d && d->where[0]) return d->err; /* somebody knew the place better */
    return diag_where(d, "%s:%u:%u", pipeline_name, s->line, s->column);
}

err_t project_topic_of(const struct statement *s, struct slice *name, int32_t *partitions,
                       struct log_topic_config *config, struct diag *d)
{
    bool source = s->kind == STATEMENT_CREATE_SOURCE;
    *name = source ? s->source.topic : s->name.name;
    return topic_options(source ? &s->source.topic_options : &s->options, pipeline_name, partitions,
                         config, d);
}

static err_t check_table(struct project *p, const struct statement *s, struct catalog *c,
                         struct diag *d)
{
    struct store_table wanted;
    err_t e = table_of_statement(s, (struct slice){0}, p->arena, &wanted, d);
    struct sql_relation declared = {.kind = RELATION_TABLE,
                                    .keyspace = s->name.keyspace,
                                    .name = s->name.name,
                                    .columns = s->columns,
                                    .column_count = s->column_count};
    return e ? e : catalog_declare(c, &declared);
}

static err_t check_topic(const struct statement *s, struct catalog *c, struct diag *d)
{
    struct slice name;
    int32_t partitions;
    struct log_topic_config config;
    err_t e = project_topic_of(s, &name, &partitions, &config, d);
    struct sql_relation declared = relation_of_topic(s);
    return e ? e : catalog_declare(c, &declared);
}

/* What WITH gives, for the kind of source it is. */
err_t project_source(struct project *p, const struct statement *s, const struct connect_kind **kind,
                     struct connect_setting **settings, struct connect_common *common,
                     struct diag *d)
{
    const struct sql_options *o = &s->source.options;
    struct connect_given *given = arena_take(p->arena, MAX(o->count, 1u) * sizeof(*given));
    if (!given) return diag_fail(d, ERR_NO_MEMORY, "the project is too large");
    for (uint32_t i = 0; i < o->count; i++)
        given[i] = (struct connect_given){o->items[i].name, o->items[i].value, o->items[i].line,
                                          o->items[i].column};
    *kind = connect_kind_find(s->source.kind);
    if (!*kind) {
        const char *names[64];
        size_t count = MIN(connect_kind_count, COUNT_OF(names));
        for (size_t i = 0; i < count; i++) names[i] = connect_kinds[i]->name;
        const char *near = nearest_word(s->source.kind, names, count);
        (void)diag_fail(d, ERR_UNSUPPORTED, "there is no kind of source '%.*s'",
                        SLICE_ARG(s->source.kind));
        if (near) return diag_hint(d, "did you mean %s?", near);
        return diag_hint(d, "`sluice help sources` lists the kinds there are");
    }
    return connect_settings(*kind, given, o->count, pipeline_name, p->arena, settings, common, d);
}

static err_t check_source(struct project *p, const struct statement *s, struct catalog *c,
                          struct diag *d)
{
    const struct connect_kind *kind;
    struct connect_setting *settings;
    struct connect_common common;
    err_t e = project_source(p, s, &kind, &settings, &common, d);
    return e ? e : check_topic(s, c, d);
}

bool statement_is_stream(const struct statement *s)
{
    return s->kind == STATEMENT_CREATE_STREAM || s->kind == STATEMENT_CREATE_VIEW ||
           s->kind == STATEMENT_CREATE_SINK || s->kind == STATEMENT_INSERT;
}

/* ALTER … SET of something declared before: as if its WITH had said so. */
static err_t alter_statement(struct project *p, const struct statement *change, struct diag *d)
{
    struct statement *s = NULL;
    for (uint32_t i = 0; i < p->script.count && &p->script.statements[i] != change; i++) {
        struct statement *one = &p->script.statements[i];
        bool created = statement_is_stream(one) || one->kind == STATEMENT_CREATE_TOPIC ||
                       one->kind == STATEMENT_CREATE_SOURCE;
        if (created && slice_equal(one->name.name, change->name.name) &&
            slice_equal(one->name.keyspace, change->name.keyspace))
            s = one;
    }
    if (!s) {
        (void)diag_fail(d, ERR_UNKNOWN_NAME, "there is no %.*s %.*s before this",
                        SLICE_ARG(change->what), SLICE_ARG(change->name.name));
        return diag_hint(d, "in pipeline.sql ALTER changes what a statement above it declares");
    }
    struct sql_options *o = s->kind == STATEMENT_CREATE_SOURCE ? &s->source.options : &s->options;
    struct sql_option *all =
        arena_take(p->arena, (o->count + change->options.count) * sizeof(*all));
    if (!all) return diag_fail(d, ERR_NO_MEMORY, "the project is too large");
    uint32_t count = 0;
    for (uint32_t i = 0; i < o->count; i++)
        if (!sql_option(&change->options, arena_text(p->arena, o->items[i].name)).at)
            all[count++] = o->items[i];
    for (uint32_t i = 0; i < change->options.count; i++) all[count++] = change->options.items[i];
    *o = (struct sql_options){all, count};
    return ERR_OK;
}

static err_t check_names(struct project *p, const struct statement *s, struct catalog *c,
                         struct diag *d)
{
    switch (s->kind) {
    case STATEMENT_CREATE_KEYSPACE:
    case STATEMENT_CREATE_STREAM:
    case STATEMENT_CREATE_VIEW:
    case STATEMENT_CREATE_SINK:
    case STATEMENT_INSERT: return ERR_OK;
    case STATEMENT_CREATE_FUNCTION: return catalog_declare_function(c, s, d);
    case STATEMENT_ALTER: return alter_statement(p, s, d);
    case STATEMENT_CREATE_TABLE: return check_table(p, s, c, d);
    case STATEMENT_CREATE_TOPIC: return check_topic(s, c, d);
    case STATEMENT_CREATE_SOURCE: return check_source(p, s, c, d);
    default:
        (void)diag_fail(d, ERR_UNSUPPORTED, "this does not belong into pipeline.sql: %.*s",
                        (int)MIN(s->text.len, 40u), (const char *)s->text.at);
        return diag_hint(d, "pipeline.sql declares what exists: CREATE SOURCE, TOPIC, KEYSPACE, "
                            "TABLE, STREAM, MATERIALIZED VIEW, SINK, FUNCTION; run other "
                            "statements with `sluice query`");
    }
}

/* A view's table, which its own statement and those after it see; a topic that nobody declares. */
static err_t check_target(struct project *p, struct project_stream *stream, struct catalog *c,
                          const struct sql_catalog *port, struct diag *d)
{
    const struct statement *s = stream->statement;
    if (s->kind == STATEMENT_CREATE_VIEW) {
        err_t e = sql_bind_view(s, port, pipeline_name, p->arena, &stream->view, d);
        for (uint32_t i = 0; !e && i < p->script.count; i++) {
            const struct statement *other = &p->script.statements[i];
            if (other->kind == STATEMENT_CREATE_TABLE &&
                slice_equal(other->name.name, stream->view.name) &&
                slice_equal(other->name.keyspace, stream->view.keyspace))
                e = diag_fail(d, ERR_EXISTS, "%.*s.%.*s is a table already",
                              SLICE_ARG(stream->view.keyspace), SLICE_ARG(stream->view.name));
        }
        return e ? e : catalog_declare(c, &stream->view);
    }
    stream->makes_topic =
        s->into_topic && !catalog_find(c, (struct slice){0}, (struct slice){0}, s->into.name);
    struct sql_relation open = {.kind = RELATION_TOPIC, .name = s->into.name, .open = true};
    return stream->makes_topic ? catalog_declare(c, &open) : ERR_OK;
}

static err_t check_stream(struct project *p, const struct statement *s, struct catalog *c,
                          struct diag *d)
{
    struct catalog_view view = {c, {0}};
    struct sql_catalog port = catalog_port(&view);
    struct project_stream *stream = vec_add(&p->streams);
    if (!stream) return diag_fail(d, ERR_TOO_BIG, "a project has at most %d streams", STREAMS_MAX);
    stream->statement = s;
    err_t e = check_target(p, stream, c, &port, d);
    if (!e) e = sql_bind_stream(s, &port, pipeline_name, p->arena, &stream->plan, d);
    for (size_t i = 0; !e && i + 1 < p->streams.count; i++) {
        const struct project_stream *other = vec_at(&p->streams, i);
        if (slice_equal(other->plan.name, stream->plan.name))
            e = diag_fail(d, ERR_EXISTS, "stream %.*s is declared twice", SLICE_ARG(s->name.name));
    }
    return e;
}

static err_t check_all(struct project *p, struct catalog *c, struct diag *d)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < p->script.count; i++) { /* a view without a keyspace has this one */
        struct statement *s = &p->script.statements[i];
        if (s->kind == STATEMENT_CREATE_VIEW && !s->name.keyspace.at)
            s->name.keyspace = SLICE(CATALOG_VIEWS);
    }
    for (uint32_t i = 0; i < p->script.count && !e; i++) {
        e = check_names(p, &p->script.statements[i], c, d);
        if (e) e = at(&p->script.statements[i], d);
    }
    for (uint32_t i = 0; i < p->script.count && !e; i++) {
        const struct statement *s = &p->script.statements[i];
        if (statement_is_stream(s) && (e = check_stream(p, s, c, d))) e = at(s, d);
    }
    return e;
}

err_t project_check(struct project *p, struct catalog *c, struct diag *d)
{
    catalog_prefer_declared(c, true);
    err_t e = check_all(p, c, d);
    catalog_prefer_declared(c, false);
    return e;
}

struct slice project_source_option(const struct project *p, struct slice source, const char *name)
{
    for (uint32_t i = 0; i < p->script.count; i++) {
        const struct statement *s = &p->script.statements[i];
        if (s->kind != STATEMENT_CREATE_SOURCE || !slice_equal(s->name.name, source)) continue;
        for (uint32_t n = 0; n < s->source.options.count; n++)
            if (slice_is(s->source.options.items[n].name, name))
                return s->source.options.items[n].value;
    }
    return (struct slice){0};
}

bool project_declares(const struct project *p, struct slice stage)
{
    for (uint32_t i = 0; i < p->script.count; i++) {
        const struct statement *s = &p->script.statements[i];
        bool declares = statement_is_stream(s) || s->kind == STATEMENT_CREATE_SOURCE;
        if (declares && slice_equal(s->name.name, stage)) return true;
    }
    return false;
}

/* --- making it
 * -----------------------------------------------------------------------------------------------
 */

static err_t make_keyspace(const struct exec_world *w, struct slice name, struct slice replication,
                           struct diag *d)
{
    if (store_keyspace_exists(w->store, name)) return ERR_OK;
    if (!replication.at)
        replication = SLICE("{'class': 'SimpleStrategy', 'replication_factor': '1'}");
    return store_keyspace_create(w->store, name, replication, d);
}

static err_t make_table(struct project *p, const struct exec_world *w, const struct statement *s,
                        struct diag *d)
{
    struct store_table wanted;
    err_t e = table_of_statement(s, (struct slice){0}, p->arena, &wanted, d);
    const struct store_table *have =
        e ? NULL : store_table_find(w->store, wanted.keyspace, wanted.name);
    if (e) return e;
    if (have) return table_is_same(have, &wanted, d);
    e = make_keyspace(w, wanted.keyspace, (struct slice){0}, d);
    return e ? e : store_table_create(w->store, &wanted, &have, d);
}

static err_t make_topic(const struct exec_world *w, const struct statement *s, struct diag *d)
{
    struct slice name;
    int32_t partitions;
    struct log_topic_config config;
    err_t e = project_topic_of(s, &name, &partitions, &config, d);
    if (e) return e;
    struct log_topic *have = log_topic_find(w->log, name);
    if (!have) return log_topic_create(w->log, name, partitions, &config, &have, d);
    if (log_topic_partitions(have) == partitions) return ERR_OK;
    (void)diag_fail(d, ERR_EXISTS, "topic %.*s exists with %d partitions, not %d", SLICE_ARG(name),
                    log_topic_partitions(have), partitions);
    return diag_hint(d,
                     "keys would move between partitions; write partitions = %d, or start over "
                     "with `sluice reset`",
                     log_topic_partitions(have));
}

err_t project_view_table(struct project *p, const struct project_stream *stream,
                         struct store_table *out, struct diag *d)
{
    struct statement table = {.kind = STATEMENT_CREATE_TABLE,
                              .name = {stream->view.keyspace, stream->view.name},
                              .columns = stream->view.columns,
                              .column_count = stream->view.column_count};
    return table_of_statement(&table, (struct slice){0}, p->arena, out, d);
}

/* One that has other columns stays as it is until its stream is swapped. */
static err_t make_view(struct project *p, const struct exec_world *w,
                       const struct project_stream *stream, struct diag *d)
{
    struct store_table wanted;
    struct stream_fate fate;
    err_t e = project_view_table(p, stream, &wanted, d);
    const struct store_table *have =
        e ? NULL : store_table_find(w->store, wanted.keyspace, wanted.name);
    if (e) return e;
    if (!have) {
        e = make_keyspace(w, wanted.keyspace, (struct slice){0}, d);
        return e ? e : store_table_create(w->store, &wanted, &have, d);
    }
    e = table_is_same(have, &wanted, d);
    if (e != ERR_EXISTS) return e;
    struct diag other = {0};
    err_t unknown = stream_fate_of(p, w->store, stream, &fate, &other);
    return !unknown && fate.swap ? ERR_OK : e;
}

/* What a stream needs and no statement of its own declares. */
static err_t make_target(struct project *p, const struct exec_world *w,
                         const struct project_stream *stream, struct diag *d)
{
    struct log_topic *topic;
    int32_t partitions;
    struct log_topic_config config;
    if (stream->view.name.at) return make_view(p, w, stream, d);
    struct slice name = stream->statement->into.name;
    if (!stream->makes_topic || log_topic_find(w->log, name)) return ERR_OK;
    err_t e = topic_options(&(struct sql_options){0}, pipeline_name, &partitions, &config, d);
    return e ? e : log_topic_create(w->log, name, partitions, &config, &topic, d);
}

bool statement_is_from(const struct statement *s, uint32_t from)
{
    return (size_t)(s->text.at - s->script.at) >= from;
}

err_t project_make(struct project *p, uint32_t from, const struct exec_world *w, struct diag *d)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < p->script.count && !e; i++) {
        const struct statement *s = &p->script.statements[i];
        if (!statement_is_from(s, from)) continue;
        if (s->kind == STATEMENT_CREATE_KEYSPACE)
            e = make_keyspace(w, s->name.name, sql_option(&s->options, "replication"), d);
        else if (s->kind == STATEMENT_CREATE_TABLE)
            e = make_table(p, w, s, d);
        else if (s->kind == STATEMENT_CREATE_TOPIC || s->kind == STATEMENT_CREATE_SOURCE)
            e = make_topic(w, s, d);
        if (e) e = at(s, d);
    }
    for (size_t i = 0; i < p->streams.count && !e; i++) {
        const struct project_stream *stream = vec_at(&p->streams, i);
        if (!statement_is_from(stream->statement, from)) continue;
        if ((e = make_target(p, w, stream, d))) e = at(stream->statement, d);
    }
    return e;
}

static err_t wire_source(struct project *p, const struct exec_world *w, const struct statement *s,
                         struct diag *d)
{
    const struct connect_kind *kind;
    struct connect_setting *settings;
    struct connect_common common;
    struct flow_source_options o = {.name = s->name.name, .topic = s->source.topic};
    err_t e = project_source(p, s, &kind, &settings, &common, d);
    if (!e) e = kind->open(s->source.address, settings, &o.port, d);
    if (e) return e;
    o.key_path = common.key;
    o.time_path = common.time;
    o.every_ms = common.every_ms;
    o.answers_max = common.answers_max;
    o.records_max = common.records_max;
    o.codec = (enum codec)common.codec;
    return flow_source_add(w->flow, &o, d);
}

err_t project_wire(struct project *p, uint32_t from, const struct exec_world *w, struct diag *d)
{
    err_t e = ERR_OK;
    for (size_t i = 0; i < p->streams.count && !e; i++) {
        const struct project_stream *stream = vec_at(&p->streams, i);
        struct stream_fate fate;
        if (!statement_is_from(stream->statement, from)) continue;
        e = stream_fate_of(p, w->store, stream, &fate, d);
        if (!e)
            e = fate.swap ? wire_upgrade(p, w, stream, d)
                          : flow_stream_add(w->flow, &stream->plan, d);
        if (e) e = at(stream->statement, d);
    }
    for (uint32_t i = 0; i < p->script.count && !e; i++) {
        const struct statement *s = &p->script.statements[i];
        if (s->kind == STATEMENT_CREATE_SOURCE && statement_is_from(s, from) &&
            (e = wire_source(p, w, s, d)))
            e = at(s, d);
    }
    return e;
}
