/* pipeline.sql: the source, the topic, the table, the stream that flattens; and a fixture from
 * records that lie in the project. */
#include "main/import/import.h"

enum { FIXTURE_RECORDS = 20 };

static bool is_randomuser(const struct import *m)
{
    return slice_holds(m->url, "randomuser") || (m->in_results && !m->url.len);
}

struct slice source_name(const struct import *m)
{
    if (!m->url.len) return (struct slice){0};
    return is_randomuser(m) ? SLICE("randomuser") : SLICE("api");
}

struct slice stream_name(struct import *m)
{
    if (!m->table_columns.count || !m->topic.len) return (struct slice){0};
    struct slice name = import_print(m, "load_%.*s", SLICE_ARG(m->table));
    if (!m->stream_file) return name;
    const char *slash = strrchr(m->stream_file->path, '/');
    const char *stem = slash ? slash + 1 : m->stream_file->path;
    uint32_t len = (uint32_t)(strlen(stem) - 3); /* .py */
    struct slice s = slice_make(stem, len);
    for (uint32_t i = 0; i < len; i++) {
        uint8_t c = s.at[i];
        if (!((c >= 'a' && c <= 'z') || c == '_' || (i && c >= '0' && c <= '9'))) return name;
    }
    return slice_equal(s, m->topic) || slice_equal(s, m->table) || slice_equal(s, source_name(m))
               ? name
               : s;
}

/* --- what each column is made of ----------------------------------------------------------------
 */

static struct slice key_column(const struct import *m)
{
    uint32_t i = 0, from = 0;
    struct slice k = m->table_key;
    while (from < k.len && (k.at[from] == '(' || k.at[from] == ' ')) from++;
    for (i = from; i < k.len && k.at[i] != ',' && k.at[i] != ')' && k.at[i] != ' ';) i++;
    return slice_make(k.at + from, i - from);
}

static bool is_secret(const struct meaning *v, struct slice name)
{
    static const char *const paths[] = {"login.password", "login.salt", "login.md5", "login.sha1",
                                        "login.sha256"};
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        if (v->kind == MEANS_PATH && slice_is(v->text, paths[i])) return true;
    return is_secret_name(name);
}

static const struct field *field_named(const struct vec *v, struct slice name)
{
    for (size_t i = 0; i < v->count; i++) {
        const struct field *f = vec_at(v, i);
        if (slice_equal(f->name, name)) return f;
    }
    return NULL;
}

static void add_dropped(struct import *m)
{
    bool flat = m->sent.kind == MEANS_FIELDS && (m->everything || !m->columns.count);
    for (size_t i = 0; flat && i < m->sent.fields->count; i++) {
        const struct field *f = vec_at(m->sent.fields, i);
        bool found = false;
        for (size_t k = 0; k < m->table_columns.count; k++)
            found =
                found ||
                slice_equal(f->name, ((struct table_column *)vec_at(&m->table_columns, k))->name);
        if (found || f->value.kind == MEANS_NONE || is_secret(&f->value, f->name)) continue;
        import_find(m, DEFECT_dropped_field, f->file, f->line);
        struct table_column *c = import_add(m, &m->table_columns);
        *c = (struct table_column){f->name, SLICE("TEXT")};
    }
}

static bool looks_typed(struct slice path)
{
    return slice_holds(path, "latitude") || slice_holds(path, "longitude") ||
           slice_holds(path, ".age") || slice_holds(path, ".date");
}

static void make_finals(struct import *m)
{
    struct slice key = key_column(m);
    add_dropped(m);
    for (size_t i = 0; i < m->table_columns.count; i++) {
        const struct table_column *c = vec_at(&m->table_columns, i);
        const struct field *selected = field_named(&m->columns, c->name);
        struct meaning v = {0};
        bool by_name = m->everything || !m->columns.count;
        if (selected)
            v = selected->value;
        else if (by_name)
            v = value_of_path(m, c->name);
        bool is_key = slice_equal(c->name, key),
             fresh = v.kind == MEANS_FRESH || v.kind == MEANS_NONE;
        if (is_key && fresh && is_randomuser(m))
            v = (struct meaning){.kind = MEANS_PATH, .text = SLICE("login.uuid")};
        if (!is_key && is_secret(&v, c->name)) {
            import_find(m, DEFECT_secret_stored, m->table_file, m->table_line);
            continue;
        }
        if (v.kind == MEANS_NONE || v.kind == MEANS_FIELDS) {
            v.kind = MEANS_NONE;
            import_leave(m, m->table_file, m->table_line,
                         "nothing that is understood writes the column %.*s: it stays null",
                         SLICE_ARG(c->name));
        }
        if (v.kind == MEANS_PATH && slice_equal_nocase(c->type, SLICE("text")) &&
            looks_typed(v.text))
            import_find(m, DEFECT_untyped, m->table_file, m->table_line);
        struct field *f = import_add(m, &m->finals);
        *f = (struct field){.name = c->name, .value = v};
    }
    for (size_t i = 0; i < m->columns.count; i++) {
        const struct field *f = vec_at(&m->columns, i);
        if (!field_named(&m->finals, f->name) && !is_secret(&f->value, f->name))
            import_leave(m, f->file, f->line, "the selected column %.*s is none of the table",
                         SLICE_ARG(f->name));
    }
}

static struct slice type_of(const struct import *m, struct slice name)
{
    for (size_t i = 0; i < m->table_columns.count; i++) {
        const struct table_column *c = vec_at(&m->table_columns, i);
        if (slice_equal(c->name, name)) return c->type;
    }
    return (struct slice){0};
}

/* --- statements ---------------------------------------------------------------------------------
 */

static void put_sql_text(struct buf *out, struct slice text)
{
    buf_char(out, '\'');
    for (uint32_t i = 0; i < text.len; i++) {
        if (text.at[i] == '\'') buf_char(out, '\'');
        buf_char(out, (char)text.at[i]);
    }
    buf_char(out, '\'');
}

/* A host without a dot is of the compose network, or this machine. */
static bool is_private(struct slice url)
{
    uint32_t from = 0, end;
    for (uint32_t i = 0; i + 3 <= url.len && !from; i++)
        if (!memcmp(url.at + i, "://", 3)) from = i + 3;
    for (end = from; end < url.len && !strchr("/:?", url.at[end]);) end++;
    struct slice host = slice_make(url.at + from, end - from);
    return !host.len || !memchr(host.at, '.', host.len) || slice_starts(host, "127.") ||
           slice_starts(host, "10.") || slice_starts(host, "192.168.") ||
           slice_starts(host, "172.");
}

static void put_source(struct import *m, struct buf *out)
{
    if (!m->url.len) {
        buf_printf(out, "CREATE TOPIC %.*s WITH (partitions = %lld);\n\n", SLICE_ARG(m->topic),
                   (long long)(m->partitions > 0 ? m->partitions : 1));
        return;
    }
    buf_printf(out, "-- %s:%u\nCREATE SOURCE %.*s FROM HTTP ", m->url_file->path, m->url_line,
               SLICE_ARG(source_name(m)));
    put_sql_text(out, m->url);
    int64_t every = m->every_ms > 0 ? m->every_ms : 1000;
    buf_printf(out, "\n  WITH (every = '%lldms', items = '%s'", (long long)every,
               m->in_results || is_randomuser(m) ? "$.results[*]" : "$");
    if (m->key.len) {
        buf_text(out, ", key = ");
        put_sql_text(out, m->key);
    }
    buf_text(out, ",\n        retries = 5, timeout = '10s'");
    if (is_randomuser(m)) buf_text(out, ", rate_limit = '20000/5m', fallback = 'generator'");
    if (is_private(m->url)) buf_text(out, ", allow_private = true");
    buf_printf(out, ")\n  INTO TOPIC %.*s WITH (partitions = %lld);\n\n", SLICE_ARG(m->topic),
               (long long)(m->partitions > 0 ? m->partitions : 1));
}

static void put_table(struct import *m, struct buf *out)
{
    buf_printf(out,
               "-- %s:%u\nCREATE KEYSPACE IF NOT EXISTS %.*s\n  WITH replication = {'class': "
               "'SimpleStrategy', "
               "'replication_factor': 1};\n\nCREATE TABLE %.*s.%.*s (\n",
               m->table_file->path, m->table_line, SLICE_ARG(m->keyspace), SLICE_ARG(m->keyspace),
               SLICE_ARG(m->table));
    for (size_t i = 0; i < m->finals.count; i++) {
        const struct field *f = vec_at(&m->finals, i);
        buf_printf(out, "  %.*s %.*s,\n", SLICE_ARG(f->name), SLICE_ARG(type_of(m, f->name)));
    }
    buf_printf(out, "  PRIMARY KEY (%.*s)\n);\n\n", SLICE_ARG(m->table_key));
}

static void put_checks(struct import *m, struct buf *out)
{
    const struct field *key = field_named(&m->finals, key_column(m)),
                       *mail = field_named(&m->finals, SLICE("email"));
    if (key && (key->value.kind == MEANS_PATH || key->value.kind == MEANS_SQL)) {
        buf_text(out, "\nCHECK (");
        value_put_sql(m, out, &key->value, SLICE("uuid"));
        buf_text(out, " IS NOT NULL) ELSE DEAD LETTER");
    }
    if (mail && mail->value.kind == MEANS_PATH) {
        buf_text(out, "\nCHECK (");
        value_put_sql(m, out, &mail->value, SLICE("text"));
        buf_text(out, " LIKE '%@%') ELSE DEAD LETTER");
    }
}

static void put_stream(struct import *m, struct buf *out)
{
    if (m->stream_file) buf_printf(out, "-- %s\n", m->stream_file->path);
    buf_printf(out, "CREATE STREAM %.*s INTO %.*s.%.*s AS\nSELECT ", SLICE_ARG(stream_name(m)),
               SLICE_ARG(m->keyspace), SLICE_ARG(m->table));
    bool any = false;
    for (size_t i = 0; i < m->finals.count; i++) {
        const struct field *f = vec_at(&m->finals, i);
        if (f->value.kind == MEANS_NONE) continue;
        if (any) buf_text(out, ",\n       ");
        value_put_sql(m, out, &f->value, type_of(m, f->name));
        if (f->value.kind != MEANS_PATH || !slice_equal(f->value.text, f->name))
            buf_printf(out, " AS %.*s", SLICE_ARG(f->name));
        any = true;
    }
    buf_printf(out, "\nFROM %.*s", SLICE_ARG(m->topic));
    put_checks(m, out);
    buf_text(out, ";\n");
}

void pipeline_write(struct import *m, struct buf *out)
{
    if (!m->topic.len) {
        if (m->files.count)
            import_leave(m, vec_at(&m->files, 0), 1, "no topic is found in the project");
        m->topic = SLICE("records");
    }
    if (!m->url.len && m->files.count)
        import_leave(m, vec_at(&m->files, 0), 1,
                     "no URL that is asked is found: the topic has no source");
    if (m->table_columns.count && !m->keyspace.len) m->keyspace = SLICE("imported");
    make_finals(m);
    const struct field *key = field_named(&m->finals, key_column(m));
    if (!m->key.len && key && key->value.kind == MEANS_PATH) m->key = key->value.text;
    buf_printf(out,
               "-- Imported from %s by `sluice import`; IMPORT.md tells what was found there. The "
               "topic holds the\n"
               "-- API's records as they come, the stream flattens them.\n\n",
               m->dir);
    put_source(m, out);
    if (!m->table_columns.count) {
        if (m->files.count)
            import_leave(m, vec_at(&m->files, 0), 1,
                         "no CREATE TABLE is found in the project: there is no stream");
        return;
    }
    put_table(m, out);
    put_stream(m, out);
}

/* --- a fixture ----------------------------------------------------------------------------------
 */

static const struct doc *at_path(const struct doc *v, struct slice path)
{
    uint32_t from = 0;
    for (uint32_t i = 0; v && i <= path.len; i++) {
        if (i < path.len && path.at[i] != '.') continue;
        v = doc_find(v, slice_make(path.at + from, i - from));
        from = i + 1;
    }
    return v;
}

static void put_row(struct import *m, const struct doc *record, struct buf *rows)
{
    bool any = false;
    buf_text(rows, "  - {");
    for (size_t i = 0; i < m->finals.count; i++) {
        const struct field *f = vec_at(&m->finals, i);
        struct slice type = type_of(m, f->name);
        const struct doc *v = f->value.kind == MEANS_PATH ? at_path(record, f->value.text) : NULL;
        bool same =
            slice_equal_nocase(type, SLICE("text")) || slice_equal_nocase(type, SLICE("uuid"));
        if (!v || v->kind != DOC_TEXT || !same) continue;
        buf_printf(rows, "%s%.*s: ", any ? ", " : "", SLICE_ARG(f->name));
        doc_put_json(rows, v);
        any = true;
    }
    buf_text(rows, "}\n");
}

static const struct doc *records_of(const struct doc *v, uint32_t *count)
{
    const struct doc *list = doc_get(v, "results");
    if (!list) list = v;
    *count = list->kind == DOC_LIST  ? MIN(list->count, (uint32_t)FIXTURE_RECORDS)
             : list->kind == DOC_MAP ? 1
                                     : 0;
    return list->kind == DOC_LIST ? list->items : list;
}

void fixture_write(struct import *m, struct buf *out)
{
    const struct field *key = field_named(&m->finals, key_column(m)),
                       *mail = field_named(&m->finals, SLICE("email"));
    struct buf rows = buf_make(MIB(4)), dead = buf_make(MIB(1));
    for (size_t i = 0; i < m->files.count && !out->len; i++) {
        const struct import_file *f = vec_at(&m->files, i);
        const char *dot = strrchr(f->path, '.');
        struct doc all;
        struct diag d;
        uint32_t count = 0;
        if (!dot || strcmp(dot, ".json") != 0 || !key || key->value.kind != MEANS_PATH) continue;
        if (doc_of_json(f->text, m->arena, &all, &d)) continue;
        const struct doc *records = records_of(&all, &count);
        if (!count || !at_path(&records[0], key->value.text)) continue;
        buf_printf(out,
                   "# Records of %s: what the stream must make of them.\nstream: %.*s\nrecords:\n",
                   f->path, SLICE_ARG(stream_name(m)));
        for (uint32_t k = 0; k < count; k++) {
            const struct doc *id = at_path(&records[k], key->value.text);
            const struct doc *to = mail && mail->value.kind == MEANS_PATH
                                       ? at_path(&records[k], mail->value.text)
                                       : NULL;
            bool bad_mail = to && to->kind == DOC_TEXT && !memchr(to->text.at, '@', to->text.len);
            struct buf one = buf_make(MIB(4));
            doc_put_json(&one, &records[k]);
            buf_text(out, "  - ");
            put_yaml_text(out, buf_view(&one));
            buf_char(out, '\n');
            buf_done(&one);
            if (!id || id->kind == DOC_NULL)
                buf_printf(&dead, "  - {record: %u, reason: %.*s}\n", k,
                           SLICE_ARG(key->value.text));
            else if (bad_mail)
                buf_printf(&dead, "  - {record: %u, reason: email}\n", k);
            else
                put_row(m, &records[k], &rows);
        }
        buf_printf(out, "rows:%s%s", rows.len ? "\n" : " []\n", buf_cstr(&rows));
        buf_printf(out, "dead:%s%s", dead.len ? "\n" : " []\n", buf_cstr(&dead));
        import_understand(m, f, 1, "%u records for a fixture", count);
    }
    buf_done(&rows);
    buf_done(&dead);
}
