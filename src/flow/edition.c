/* edition: a stream's key, and the SQL that its records are of. */
#include "flow/edition.h"

#include <stdio.h>

enum { EDITION_VERSION = 1, SQL_VERSION = 1, EDITION_ARENA = 16 << 10 };
static const struct slice building_prefix = {(const uint8_t *)"new:", 4};

/* --- keys and names -----------------------------------------------------------------------------
 */

static struct stage_text stage_text(struct slice prefix, struct slice name)
{
    struct stage_text t = {.len = prefix.len + name.len};
    INVARIANT(t.len <= STAGE_KEY_MAX);
    if (prefix.len) memcpy(t.at, prefix.at, prefix.len);
    if (name.len) memcpy(t.at + prefix.len, name.at, name.len);
    return t;
}

struct stage_text edition_key(struct slice name, uint64_t edition)
{
    struct stage_text t = stage_text((struct slice){0}, name);
    struct buf b = buf_over(t.at, sizeof(t.at));
    if (!edition) return t;
    b.len = t.len;
    buf_char(&b, EDITION_MARK);
    buf_printf(&b, "%llu", (unsigned long long)edition);
    INVARIANT(!b.err); /* a name leaves room for any number */
    t.len = (uint32_t)b.len;
    return t;
}

struct stage_text building_name(struct slice name)
{
    return stage_text(building_prefix, name);
}

static bool is_building_name(struct slice name)
{
    return name.len > building_prefix.len &&
           !memcmp(name.at, building_prefix.at, building_prefix.len);
}

err_t stage_key_find(struct store *s, struct slice name, struct stage_text *out, struct diag *d)
{
    struct editions all;
    if (!name.len || name.len > STAGE_NAME_MAX)
        return diag_fail(d, ERR_UNKNOWN_STREAM, "a stage's name has 1 to %d bytes", STAGE_NAME_MAX);
    struct arena *a = arena_new(EDITION_ARENA);
    if (!a) return diag_fail(d, ERR_NO_MEMORY, "no memory to look for '%.*s'", SLICE_ARG(name));
    err_t e = editions_load(s, name, a, &all, d);
    *out = edition_key(name, all.now);
    if (!e && !all.now && is_building_name(name)) {
        struct slice of = slice_make(name.at + building_prefix.len, name.len - building_prefix.len);
        e = editions_load(s, of, a, &all, d);
        if (!e && all.building) *out = edition_key(of, all.building);
    }
    arena_free(a);
    return e;
}

err_t stage_show(struct store *s, struct slice key, struct stage_shown *shown, struct diag *d)
{
    struct editions all = {0};
    uint64_t edition = 0;
    if (shown->known && slice_equal(key, stage_text_slice(&shown->key))) return ERR_OK;
    if (key.len > STAGE_KEY_MAX) return diag_fail(d, ERR_CORRUPT, "a stage's key is too long");
    const uint8_t *mark = memchr(key.at, EDITION_MARK, key.len);
    struct slice name = slice_make(key.at, mark ? (uint32_t)(mark - key.at) : key.len);
    struct slice number = mark ? slice_make(mark + 1, key.len - name.len - 1) : (struct slice){0};
    if (mark && !slice_to_u64(number, &edition))
        return diag_fail(d, ERR_CORRUPT, "a stage's key can not be read");
    struct arena *a = arena_new(EDITION_ARENA);
    if (!a) return diag_fail(d, ERR_NO_MEMORY, "no memory to look for a stage's name");
    err_t e = editions_load(s, name, a, &all, d);
    arena_free(a);
    if (e) return e;
    bool building = edition && edition == all.building;
    *shown = (struct stage_shown){.key = stage_text((struct slice){0}, key),
                                  .name = building ? building_name(name)
                                                   : stage_text((struct slice){0}, name),
                                  .known = true,
                                  .gone = !building && edition != all.now};
    return ERR_OK;
}

/* --- editions -----------------------------------------------------------------------------------
 */

err_t editions_load(struct store *s, struct slice name, struct arena *a, struct editions *out,
                    struct diag *d)
{
    struct stage_key k = number_key("flow.edition", name);
    struct slice value;
    *out = (struct editions){0};
    err_t e = store_record(s, NULL, STORE_META, stage_key_slice(&k), a, &value, d);
    if (e) return e == ERR_NOT_FOUND ? ERR_OK : e;
    struct cursor c = cursor_of(value);
    if (cursor_be(&c, 1) > EDITION_VERSION && !c.err) c.err = ERR_VERSION;
    out->now = cursor_be(&c, 8);
    out->last = cursor_be(&c, 8);
    out->building = cursor_be(&c, 8);
    out->version = cursor_be(&c, 8);
    out->shape = cursor_be(&c, 8);
    out->keyspace = bytes_take(&c);
    out->table = bytes_take(&c);
    if (!c.err) return ERR_OK;
    return diag_fail(d, c.err == ERR_VERSION ? c.err : ERR_CORRUPT,
                     "where the records of stream '%.*s' stand can not be read", SLICE_ARG(name));
}

void editions_record(struct slice name, const struct editions *all, struct buf *key,
                     struct buf *value)
{
    struct stage_key k = number_key("flow.edition", name);
    buf_slice(key, stage_key_slice(&k));
    buf_be(value, EDITION_VERSION, 1);
    buf_be(value, all->now, 8);
    buf_be(value, all->last, 8);
    buf_be(value, all->building, 8);
    buf_be(value, all->version, 8);
    buf_be(value, all->shape, 8);
    bytes_put(value, all->keyspace);
    bytes_put(value, all->table);
}

err_t editions_write(struct store_write *w, struct slice name, const struct editions *all)
{
    struct buf key = buf_make(KIB(1)), value = buf_make(KIB(4));
    editions_record(name, all, &key, &value);
    err_t e = key.err     ? key.err
              : value.err ? value.err
                          : store_write_record(w, STORE_META, buf_view(&key), buf_view(&value));
    buf_done(&key);
    buf_done(&value);
    return e;
}

/* --- the SQL ------------------------------------------------------------------------------------
 */

static struct stage_key history_key(struct slice name, uint64_t version)
{
    struct stage_key k = number_key("flow.sql.was", name);
    stage_key_be(&k, 0, 1);
    stage_key_be(&k, version, 8);
    return k;
}

static struct stage_key script_key(uint64_t script)
{
    struct stage_key k = number_key("flow.script", SLICE(""));
    stage_key_be(&k, script, 8);
    return k;
}

static err_t sql_take(struct slice value, struct flow_sql *out)
{
    struct cursor c = cursor_of(value);
    if (cursor_be(&c, 1) > SQL_VERSION && !c.err) c.err = ERR_VERSION;
    out->version = cursor_be(&c, 8);
    out->shape = cursor_be(&c, 8);
    out->script = cursor_be(&c, 8);
    out->since_ms = cursor_i64(&c);
    out->epoch = cursor_be(&c, 8);
    out->into = bytes_take(&c);
    out->text = bytes_take(&c);
    return c.err;
}

static err_t sql_load(struct store *s, const struct stage_key *k, struct slice name,
                      struct arena *a, struct flow_sql *out, struct diag *d)
{
    struct slice value;
    *out = (struct flow_sql){0};
    err_t e = store_record(s, NULL, STORE_META, stage_key_slice(k), a, &value, d);
    if (e) return e;
    e = sql_take(value, out);
    return e ? diag_fail(d, e == ERR_VERSION ? e : ERR_CORRUPT,
                         "the SQL that stream '%.*s' ran can not be read", SLICE_ARG(name))
             : ERR_OK;
}

err_t flow_sql_now(struct store *s, struct slice stream, struct arena *a, struct flow_sql *out,
                   struct diag *d)
{
    struct stage_text key;
    err_t e = stage_key_find(s, stream, &key, d);
    if (e) return e;
    struct stage_key k = number_key("flow.sql", stage_text_slice(&key));
    return sql_load(s, &k, stream, a, out, d);
}

err_t flow_sql_of(struct store *s, struct slice stream, uint64_t version, struct arena *a,
                  struct flow_sql *out, struct diag *d)
{
    struct stage_key k = history_key(stream, version);
    return sql_load(s, &k, stream, a, out, d);
}

err_t flow_sql_script(struct store *s, const struct flow_sql *sql, struct arena *a,
                      struct slice *out, struct diag *d)
{
    struct stage_key k = script_key(sql->script);
    err_t e = store_record(s, NULL, STORE_META, stage_key_slice(&k), a, out, d);
    if (e) return e;
    struct cursor c = cursor_of(*out);
    if (cursor_be(&c, 1) > SQL_VERSION && !c.err) c.err = ERR_VERSION;
    *out = bytes_take(&c);
    return c.err ? diag_fail(d, c.err == ERR_VERSION ? c.err : ERR_CORRUPT,
                             "a script that ran can not be read")
                 : ERR_OK;
}

err_t sql_look(struct lane *l, struct diag *d)
{
    const struct plan_stream *p = l->stream->plan;
    struct store *s = lane_flow(l)->o.store;
    struct stage_key now = number_key("flow.sql", l->stream->stage->key);
    struct stage_key script = script_key(hash64(p->script, 0));
    struct flow_sql sql;
    struct slice value;
    err_t e = sql_load(s, &now, p->name, l->arena, &sql, d);
    l->sql_known = !e && sql.version == p->sql_version;
    if (e && e != ERR_NOT_FOUND) return e;
    e = l->sql_known
            ? ERR_OK
            : store_record(s, NULL, STORE_META, stage_key_slice(&script), l->arena, &value, d);
    l->script_known = !e;
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static void sql_put(struct buf *out, const struct lane *l)
{
    const struct plan_stream *p = l->stream->plan;
    const struct stage *s = l->stream->stage;
    buf_be(out, SQL_VERSION, 1);
    buf_be(out, p->sql_version, 8);
    buf_be(out, p->shape, 8);
    buf_be(out, hash64(p->script, 0), 8);
    buf_be(out, (uint64_t)l->epoch.now_ms, 8);
    buf_be(out, l->epoch.number, 8);
    bytes_put(out, s->target);
    bytes_put(out, p->text);
}

err_t sql_write(struct lane *l)
{
    const struct plan_stream *p = l->stream->plan;
    struct stage_key now = number_key("flow.sql", l->stream->stage->key);
    struct stage_key was = history_key(l->stream->stage->owner, p->sql_version);
    struct stage_key script = script_key(hash64(p->script, 0));
    struct store_write *w = l->epoch.write;
    if (l->sql_known) return ERR_OK;
    buf_reset(&l->scratch);
    sql_put(&l->scratch, l);
    err_t e = l->scratch.err;
    if (!e) e = store_write_record(w, STORE_META, stage_key_slice(&now), buf_view(&l->scratch));
    if (!e) e = store_write_record(w, STORE_META, stage_key_slice(&was), buf_view(&l->scratch));
    if (e || l->script_known) return e;
    buf_reset(&l->scratch);
    buf_be(&l->scratch, SQL_VERSION, 1);
    bytes_put(&l->scratch, p->script);
    e = l->scratch.err;
    return e ? e
             : store_write_record(w, STORE_META, stage_key_slice(&script), buf_view(&l->scratch));
}

struct sql_forgetting {
    struct store_write *write;
};

static err_t forget_version(void *ctx, struct slice key, struct slice value)
{
    (void)value;
    return store_write_record(((struct sql_forgetting *)ctx)->write, STORE_META, key,
                              (struct slice){0});
}

err_t sql_forget(struct store *s, struct store_write *w, struct slice name, struct slice key,
                 struct diag *d)
{
    struct stage_key now = number_key("flow.sql", key), was = number_key("flow.sql.was", name);
    struct sql_forgetting f = {w};
    err_t e = store_write_record(w, STORE_META, stage_key_slice(&now), (struct slice){0});
    stage_key_be(&was, 0, 1);
    if (!e && name.len)
        e = store_records(s, NULL, STORE_META, stage_key_slice(&was), (struct slice){0},
                          forget_version, &f, d);
    return e;
}

/* --- scripts that nobody needs ------------------------------------------------------------------
 */

enum { SCRIPTS_MAX = 1 << 20 };

struct script_walk {
    struct vec used; /* uint64_t */
    struct store_write *write;
    size_t prefix;
};

static err_t note_script(void *ctx, struct slice key, struct slice value)
{
    struct script_walk *walk = ctx;
    struct flow_sql sql;
    (void)key;
    err_t e = sql_take(value, &sql);
    return e ? e : vec_push(&walk->used, &sql.script);
}

static err_t drop_script(void *ctx, struct slice key, struct slice value)
{
    struct script_walk *walk = ctx;
    struct cursor c = cursor_of(slice_make(key.at + walk->prefix, key.len - walk->prefix));
    uint64_t script = cursor_be(&c, 8);
    (void)value;
    for (size_t i = 0; i < walk->used.count; i++)
        if (*(const uint64_t *)vec_at(&walk->used, i) == script) return ERR_OK;
    return store_write_record(walk->write, STORE_META, key, (struct slice){0});
}

err_t scripts_clear(struct store *s, struct diag *d)
{
    struct stage_key now = number_key("flow.sql", SLICE("")),
                     script = number_key("flow.script", SLICE(""));
    struct script_walk walk = {.used = vec_make(sizeof(uint64_t), SCRIPTS_MAX),
                               .prefix = script.len};
    err_t e = store_records(s, NULL, STORE_META, stage_key_slice(&now), (struct slice){0},
                            note_script, &walk, d);
    if (!e) e = store_write_begin(s, STORE_LIVE, MIB(16), &walk.write, d);
    if (!e)
        e = store_records(s, NULL, STORE_META, stage_key_slice(&script), (struct slice){0},
                          drop_script, &walk, d);
    if (!e)
        e = store_write_commit(walk.write, d);
    else
        store_write_abort(walk.write);
    vec_done(&walk.used);
    return e;
}
