/* The catalog's values as bytes, and back. Version 1 kept options and types as text; it is read
 * still. */
#include "store/catalog.h"

enum {
    TABLE_RECORD_TEXT = 1, /* options and types as text */
    TABLE_RECORD = 2,
    KEYSPACE_RECORD = 2, /* its first byte; before, the whole was a text */
    FROZEN = 1,
    GC_GRACE_DEFAULT = 864000,
    INDEXES_MAX = 1024,
};

static void put_sized(struct buf *out, struct slice s)
{
    buf_uvarint(out, s.len);
    buf_slice(out, s);
}

static struct slice take_sized(struct cursor *c, struct arena *a)
{
    struct slice s = arena_slice(a, cursor_slice(c, cursor_uvarint(c)));
    if (!s.at && !c->err) s = SLICE("");
    return s;
}

/* --- lists of options ---------------------------------------------------------------------------
 */

static void options_put(struct buf *out, const struct store_option *o, uint32_t count)
{
    buf_uvarint(out, count);
    for (uint32_t i = 0; i < count; i++) {
        put_sized(out, o[i].name);
        put_sized(out, o[i].value);
    }
}

static void options_take(struct cursor *c, struct arena *a, const struct store_option **out,
                         uint32_t *count)
{
    uint64_t n = cursor_uvarint(c);
    if (n > OPTIONS_MAX) c->err = ERR_CORRUPT;
    if (c->err || n == 0) return;
    struct store_option *o = arena_take(a, n * sizeof *o);
    if (!o) c->err = ERR_NO_MEMORY;
    for (uint64_t i = 0; i < n && !c->err; i++) {
        o[i].name = take_sized(c, a);
        o[i].value = take_sized(c, a);
    }
    *out = o;
    *count = (uint32_t)n;
}

/* One word of {'class': 'X', 'n': 3}: in quotes, or up to a mark. */
static struct slice text_word(struct slice *s, const char *marks, struct arena *a)
{
    *s = slice_trim(*s);
    bool quoted = s->len && *s->at == '\'';
    struct buf word = buf_make(KIB(64));
    uint32_t i = quoted;
    for (; i < s->len; i++) {
        if (!quoted && strchr(marks, s->at[i])) break;
        if (quoted && s->at[i] == '\'' && !(i + 1 < s->len && s->at[i + 1] == '\'')) break;
        if (quoted && s->at[i] == '\'') i++; /* a doubled quote stands for one */
        buf_char(&word, (char)s->at[i]);
    }
    i += quoted && i < s->len;
    *s = slice_trim((struct slice){s->at + i, s->len - i});
    struct slice view = buf_view(&word), copy = arena_slice(a, quoted ? view : slice_trim(view));
    buf_done(&word);
    return copy;
}

static bool text_mark(struct slice *s, char mark)
{
    *s = slice_trim(*s);
    if (!s->len || *s->at != (uint8_t)mark) return false;
    *s = slice_trim((struct slice){s->at + 1, s->len - 1});
    return true;
}

static struct slice class_whole(struct slice name, struct arena *a)
{
    if (memchr(name.at, '.', name.len)) return name;
    char *whole = arena_printf(a, "org.apache.cassandra.locator.%.*s", SLICE_ARG(name));
    return slice_of(whole);
}

err_t replication_parse(struct slice text, struct arena *a, struct store_keyspace *out)
{
    enum { MAX_PAIRS = 256 };
    struct store_option *o = arena_take(a, (MAX_PAIRS + 2) * sizeof *o);
    uint32_t n = 1; /* the class comes first */
    if (!o) return ERR_NO_MEMORY;
    bool good = text_mark(&text, '{');
    for (bool more = good && !text_mark(&text, '}'); more && good;) {
        struct slice name = text_word(&text, ":", a);
        good = n < MAX_PAIRS && text_mark(&text, ':');
        struct slice value = text_word(&text, ",}", a);
        if (!name.at || !value.at) good = false;
        if (good && slice_is(name, "class"))
            o[0] = (struct store_option){name, class_whole(value, a)};
        else if (good)
            o[n++] = (struct store_option){name, value};
        more = text_mark(&text, ',');
        if (!more) good = good && text_mark(&text, '}');
    }
    if (!good || text.len) n = 1;
    if (!good || text.len || !o[0].value.len) {
        o[0] = (struct store_option){SLICE("class"),
                                     SLICE("org.apache.cassandra.locator.SimpleStrategy")};
        if (n == 1) o[n++] = (struct store_option){SLICE("replication_factor"), SLICE("1")};
    }
    out->replication = o;
    out->replication_count = n;
    return good && !text.len ? ERR_OK : ERR_SYNTAX;
}

void keyspace_put(struct buf *out, const struct store_keyspace *k)
{
    buf_be(out, KEYSPACE_RECORD, 1);
    buf_be(out, k->durable_writes, 1);
    options_put(out, k->replication, k->replication_count);
}

err_t keyspace_take(struct slice name, struct slice value, struct arena *a,
                    struct store_keyspace *out)
{
    *out = (struct store_keyspace){.name = name, .durable_writes = true};
    if (!value.len || *value.at != KEYSPACE_RECORD) { /* whatever text it was: it is shown only */
        err_t e = replication_parse(value, a, out);
        return e == ERR_SYNTAX ? ERR_OK : e;
    }
    struct cursor c = cursor_of(value);
    cursor_be(&c, 1);
    out->durable_writes = cursor_be(&c, 1);
    options_take(&c, a, &out->replication, &out->replication_count);
    return c.err ? c.err : cursor_left(&c) ? ERR_CORRUPT : ERR_OK;
}

/* --- types: whole, so that a table is read without asking for others ----------------------------
 */

void type_put(struct buf *out, const struct type *t)
{
    buf_be(out, t->frozen ? FROZEN : 0, 1);
    put_sized(out, slice_of(type_kind_name(t->kind)));
    if (!type_is_nested(t)) return;
    put_sized(out, t->name);
    buf_uvarint(out, t->count);
    for (uint16_t i = 0; i < t->count; i++) {
        if (t->kind == TYPE_STRUCT) put_sized(out, t->names[i]);
        type_put(out, t->items[i]);
    }
}

static bool kind_take(struct cursor *c, enum type_kind *out)
{
    struct slice name = cursor_slice(c, cursor_uvarint(c));
    for (int k = 0; k < TYPE_KINDS; k++)
        if (slice_is(name, type_kind_name((enum type_kind)k))) {
            *out = (enum type_kind)k;
            return true;
        }
    return false;
}

static err_t type_take_in(struct cursor *c, struct arena *a, const struct type **out, int depth)
{
    enum { DEPTH_MAX = 4 * TYPE_DEPTH_MAX }; /* user types inside one another add up */
    enum type_kind kind;
    bool frozen = cursor_be(c, 1) & FROZEN;
    if (!kind_take(c, &kind)) return c->err ? c->err : ERR_VERSION;
    struct type probe = {.kind = kind};
    if (!type_is_nested(&probe)) {
        *out = type_of(kind);
        return ERR_OK;
    }
    struct slice name = take_sized(c, a);
    uint64_t count = cursor_uvarint(c);
    if (c->err || count == 0 || count > TYPE_FIELDS_MAX || depth == DEPTH_MAX) return ERR_CORRUPT;
    struct type *t = arena_take(a, sizeof *t);
    const struct type **items = arena_take(a, count * sizeof(void *));
    struct slice *names = kind == TYPE_STRUCT ? arena_take(a, count * sizeof *names) : NULL;
    if (!t || !items || (kind == TYPE_STRUCT && !names)) return ERR_NO_MEMORY;
    for (uint64_t i = 0; i < count; i++) {
        if (names) names[i] = take_sized(c, a);
        err_t e = type_take_in(c, a, &items[i], depth + 1);
        if (e) return e;
    }
    *t = (struct type){kind, frozen, (uint16_t)count, items, names, name};
    *out = t;
    return c->err;
}

err_t type_take(struct cursor *c, struct arena *a, const struct type **out, struct diag *d)
{
    err_t e = type_take_in(c, a, out, 0);
    return e ? diag_fail(d, e, "a type of the catalog can not be read") : ERR_OK;
}

/* --- a table ------------------------------------------------------------------------------------
 */

static void column_put(struct buf *out, const struct store_column *c)
{
    put_sized(out, c->name);
    type_put(out, c->type);
    buf_be(out, c->role, 1);
    buf_be(out, c->position, 2);
    buf_be(out, c->descending, 1);
    buf_be(out, c->id, 2);
}

static void index_put(struct buf *out, const struct store_index *i)
{
    put_sized(out, i->name);
    put_sized(out, i->target);
    buf_be(out, i->kind, 1);
    buf_be(out, i->column, 2);
    buf_be(out, i->sai, 1);
    buf_be(out, i->class_name.at != NULL, 1);
    put_sized(out, i->class_name);
    options_put(out, i->options, i->option_count);
    buf_be(out, i->prefix, 4);
    buf_be(out, i->ready, 1);
}

static void dropped_put(struct buf *out, const struct store_dropped *p)
{
    put_sized(out, p->name);
    type_put(out, p->type);
    buf_be(out, p->role, 1);
    buf_be(out, p->id, 2);
    buf_be(out, (uint64_t)p->dropped_us, 8);
}

void table_put(struct buf *out, const struct table *t)
{
    buf_be(out, TABLE_RECORD, 1);
    buf_put(out, t->t.id, sizeof t->t.id);
    buf_be(out, t->t.prefix, 4);
    buf_be(out, t->next_column_id, 4);
    buf_be(out, t->t.default_ttl, 4);
    buf_be(out, t->t.version, 8);
    buf_be(out, t->t.gc_grace, 4);
    buf_be(out, t->t.counter, 1);
    options_put(out, t->t.options, t->t.option_count);
    buf_uvarint(out, t->t.column_count);
    for (uint32_t i = 0; i < t->t.column_count; i++) column_put(out, &t->t.columns[i]);
    buf_uvarint(out, t->t.index_count);
    for (uint32_t i = 0; i < t->t.index_count; i++) index_put(out, &t->t.indexes[i]);
    buf_uvarint(out, t->t.dropped_count);
    for (uint32_t i = 0; i < t->t.dropped_count; i++) dropped_put(out, &t->t.dropped[i]);
}

/* "a = b AND c = {'d': 'e AND f'}", as version 1 kept it. */
static void options_of_text(struct slice text, struct arena *a, struct store_table *t,
                            struct cursor *c)
{
    static const char joint[] = " AND ";
    struct store_option *o = arena_take(a, OPTIONS_MAX * sizeof *o);
    uint32_t n = 0, from = 0;
    bool quoted = false;
    int braces = 0;
    if (!o) c->err = ERR_NO_MEMORY;
    for (uint32_t i = 0; o && text.len && i <= text.len && n < OPTIONS_MAX; i++) {
        bool end = i == text.len;
        if (!end && text.at[i] == '\'') quoted = !quoted;
        if (!end && !quoted) braces += text.at[i] == '{' ? 1 : text.at[i] == '}' ? -1 : 0;
        struct slice rest = {text.at + i, text.len - i};
        if (!end && (quoted || braces > 0 || !slice_starts(rest, joint))) continue;
        struct slice one = {text.at + from, i - from};
        const uint8_t *equals = memchr(one.at, '=', one.len);
        uint32_t name = equals ? (uint32_t)(equals - one.at) : one.len;
        struct slice value = {one.at + name + (equals != NULL), one.len - name - (equals != NULL)};
        o[n].name = arena_slice(a, slice_trim((struct slice){one.at, name}));
        o[n++].value = arena_slice(a, slice_trim(value));
        from = i + (uint32_t)sizeof joint - 1;
        if (!end) i = from - 1; /* joints do not share their spaces */
    }
    t->options = o;
    t->option_count = n;
}

/* gc_grace_seconds has a place of its own since. */
static void gc_grace_of_options(struct store_table *t, struct store_option *o)
{
    uint32_t n = 0;
    uint64_t seconds;
    t->gc_grace = GC_GRACE_DEFAULT;
    for (uint32_t i = 0; i < t->option_count; i++) {
        if (!slice_is(o[i].name, "gc_grace_seconds"))
            o[n++] = o[i];
        else if (slice_to_u64(o[i].value, &seconds) && seconds <= INT32_MAX)
            t->gc_grace = (uint32_t)seconds;
    }
    t->option_count = n;
}

static err_t column_take(struct cursor *c, struct arena *a, bool text, struct store_column *out,
                         struct diag *d)
{
    err_t e;
    out->name = take_sized(c, a);
    if (text) {
        struct slice type = cursor_slice(c, cursor_uvarint(c));
        e = c->err ? c->err : type_parse(type, a, &out->type, d);
    } else {
        e = type_take(c, a, &out->type, d);
    }
    out->role = (enum column_role)cursor_be(c, 1);
    out->position = (uint16_t)cursor_be(c, 2);
    out->descending = cursor_be(c, 1);
    out->id = (uint16_t)cursor_be(c, 2);
    if (!e && !c->err && (out->role > COLUMN_STATIC || out->id < CELL_FIRST)) e = ERR_CORRUPT;
    return e ? e : c->err;
}

static err_t columns_take(struct cursor *c, struct arena *a, bool text, struct table *t,
                          struct diag *d)
{
    uint64_t count = cursor_uvarint(c);
    if (c->err || count == 0 || count > TABLE_COLUMNS_MAX) return ERR_CORRUPT;
    t->t.column_count = (uint32_t)count;
    t->t.columns = arena_take(a, count * sizeof *t->t.columns);
    if (!t->t.columns) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        err_t e = column_take(c, a, text, &t->t.columns[i], d);
        if (e) return e;
        if (t->t.columns[i].id >= t->next_column_id) return ERR_CORRUPT;
        if (t->t.columns[i].role == COLUMN_PARTITION) t->partition_count++;
        if (t->t.columns[i].role == COLUMN_CLUSTERING) t->clustering_count++;
    }
    return ERR_OK;
}

static void index_take(struct cursor *c, struct arena *a, struct store_index *i)
{
    i->name = take_sized(c, a);
    i->target = take_sized(c, a);
    i->kind = (enum store_index_kind)cursor_be(c, 1);
    i->column = (uint16_t)cursor_be(c, 2);
    i->sai = cursor_be(c, 1);
    bool custom = cursor_be(c, 1);
    i->class_name = take_sized(c, a);
    if (!custom) i->class_name = (struct slice){0};
    options_take(c, a, &i->options, &i->option_count);
    i->prefix = (uint32_t)cursor_be(c, 4);
    i->ready = cursor_be(c, 1);
    if (i->kind > INDEX_FULL) c->err = ERR_CORRUPT;
}

static err_t indexes_take(struct cursor *c, struct arena *a, struct store_table *t)
{
    uint64_t count = cursor_uvarint(c);
    if (c->err || count > INDEXES_MAX) return ERR_CORRUPT;
    struct store_index *list = count ? arena_take(a, count * sizeof *list) : NULL;
    if (count && !list) return ERR_NO_MEMORY;
    for (uint64_t i = 0; i < count && !c->err; i++) index_take(c, a, &list[i]);
    t->indexes = list;
    t->index_count = (uint32_t)count;
    return c->err;
}

static err_t dropped_take(struct cursor *c, struct arena *a, struct store_table *t, struct diag *d)
{
    uint64_t count = cursor_uvarint(c);
    if (c->err || count > CELL_ID_MAX) return ERR_CORRUPT;
    struct store_dropped *list = count ? arena_take(a, count * sizeof *list) : NULL;
    if (count && !list) return ERR_NO_MEMORY;
    for (uint64_t i = 0; i < count && !c->err; i++) {
        list[i].name = take_sized(c, a);
        err_t e = type_take(c, a, &list[i].type, d);
        if (e) return e;
        list[i].role = (enum column_role)cursor_be(c, 1);
        list[i].id = (uint16_t)cursor_be(c, 2);
        list[i].dropped_us = (int64_t)cursor_be(c, 8);
    }
    t->dropped = list;
    t->dropped_count = (uint32_t)count;
    return c->err;
}

static void head_take(struct cursor *c, struct table *t)
{
    struct slice id = cursor_slice(c, sizeof t->t.id);
    if (id.len == sizeof t->t.id) memcpy(t->t.id, id.at, id.len);
    t->t.prefix = (uint32_t)cursor_be(c, 4);
    t->next_column_id = (uint32_t)cursor_be(c, 4);
    t->t.default_ttl = (uint32_t)cursor_be(c, 4);
    t->t.version = cursor_be(c, 8);
    if (t->next_column_id > CELL_ID_MAX + 1) c->err = ERR_CORRUPT;
}

static err_t table_take_text(struct cursor *c, struct arena *a, struct table *t, struct diag *d)
{
    options_of_text(cursor_slice(c, cursor_uvarint(c)), a, &t->t, c);
    if (c->err) return c->err;
    gc_grace_of_options(&t->t, (struct store_option *)(uintptr_t)t->t.options);
    return columns_take(c, a, true, t, d);
}

static err_t table_take_whole(struct cursor *c, struct arena *a, struct table *t, struct diag *d)
{
    t->t.gc_grace = (uint32_t)cursor_be(c, 4);
    t->t.counter = cursor_be(c, 1);
    options_take(c, a, &t->t.options, &t->t.option_count);
    err_t e = c->err ? c->err : columns_take(c, a, false, t, d);
    if (!e) e = indexes_take(c, a, &t->t);
    return e ? e : dropped_take(c, a, &t->t, d);
}

err_t table_take(struct slice keyspace, struct slice name, struct slice value, struct arena *a,
                 struct table **out, struct diag *d)
{
    struct cursor c = cursor_of(value);
    struct table *t = arena_take(a, sizeof *t);
    if (!t) return ERR_NO_MEMORY;
    uint64_t version = cursor_be(&c, 1);
    if (version > TABLE_RECORD) return ERR_VERSION;
    t->t.keyspace = keyspace;
    t->t.name = name;
    head_take(&c, t);
    err_t e = c.err                          ? c.err
              : version == TABLE_RECORD_TEXT ? table_take_text(&c, a, t, d)
                                             : table_take_whole(&c, a, t, d);
    if (e) return e;
    *out = t;
    if (c.err || cursor_left(&c)) return c.err ? c.err : ERR_CORRUPT;
    return table_index(t, a);
}
