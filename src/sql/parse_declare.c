/* What a text has declared so far and later statements of it stand on: its tables and topics by
 * name (INSERT INTO goes by their columns' places), the tables whose topic has another name, and
 * views, which are their query wherever they are named. */
#include "base/hash.h"
#include "sql/parse.h"

enum { DECLARED_BUCKETS = 1024, VIEWS_EXPANDED_MAX = 1024 };

static struct declared **declared_place(struct parser *p, bool stream, struct sql_name name)
{
    if (!p->declared) p->declared = parse_take(p, DECLARED_BUCKETS * sizeof(*p->declared));
    if (!p->declared) return NULL;
    struct declared **place = &p->declared[hash64(name.name, stream) % DECLARED_BUCKETS];
    for (; *place; place = &(*place)->next)
        if (stream == ((*place)->kind == DECLARED_STREAM) &&
            slice_equal((*place)->name.name, name.name) &&
            slice_equal((*place)->name.keyspace, name.keyspace))
            break;
    return place;
}

const struct declared *declared_find(struct parser *p, struct sql_name name)
{
    struct declared **place = p->declared ? declared_place(p, false, name) : NULL;
    return place ? *place : NULL;
}

struct declared *declare(struct parser *p, enum declared_kind kind, struct sql_name name)
{
    struct declared **place = declared_place(p, kind == DECLARED_STREAM, name);
    if (!place) return NULL;
    if (!*place && (*place = parse_take(p, sizeof(**place)))) (*place)->name = name;
    if (!*place) return NULL;
    (*place)->kind = kind;
    if (kind != DECLARED_STREAM) p->declaring = *place;
    return *place;
}

struct declared *declare_columns(struct parser *p, enum declared_kind kind, struct sql_name name,
                                 const struct columns_tree *c)
{
    const struct declared *other = declared_find(p, name);
    if (other && other->query && !p->err)
        parse_fail(p, c->start, ERR_EXISTS, "%.*s stands twice in this text", SLICE_ARG(name.name));
    struct declared *d = declare(p, kind, name);
    struct slice *names = parse_take(p, (c->columns.count + 1) * sizeof(*names));
    const struct sql_column *all = (const struct sql_column *)(const void *)c->columns.items;
    if (!d || !names) return NULL;
    for (uint32_t i = 0; i < c->columns.count; i++) names[i] = all[i].name;
    d->columns = names;
    d->column_count = c->columns.count;
    return d;
}

void declare_table(struct parser *p, const struct statement *s, const struct columns_tree *c)
{
    bool topic = s->kind == STATEMENT_CREATE_TOPIC;
    struct declared *d = declare_columns(p, topic ? DECLARED_TOPIC : DECLARED_TABLE, s->name, c);
    if (d && topic) d->topic = s->name.name;
}

/* --- being used ------------------------------------------------------------------------------- */

static void add_use(struct parser *p, struct slice text)
{
    const struct slice *all = (const struct slice *)(const void *)p->uses.items;
    for (uint32_t i = 0; i < p->uses.count; i++)
        if (all[i].at == text.at) return;
    struct slice *place = parse_list_add(p, &p->uses, sizeof(*place));
    if (place) *place = text;
}

void declared_use(struct parser *p, const struct declared *d)
{
    for (uint32_t i = 0; i < d->use_count; i++) add_use(p, d->uses[i]);
    add_use(p, d->text);
}

void declared_done(struct parser *p, struct statement *s)
{
    s->uses = (const struct slice *)(const void *)p->uses.items;
    s->use_count = p->uses.count;
    if (!p->declaring) return;
    p->declaring->text = s->text;
    p->declaring->uses = s->uses;
    p->declaring->use_count = s->use_count;
}

/* One view within another counts as all that it is made of: bounded in depth and number. */
static void expand(struct parser *p, struct from_tree *f, const struct declared *d)
{
    if (p->queries + d->depth > SQL_QUERIES_MAX) {
        parse_fail(p, p->last_end, ERR_TOO_DEEP, "queries and views nest at most %d levels",
                   (int)SQL_QUERIES_MAX);
        return;
    }
    p->expanded += d->weight;
    p->deepest = MAX(p->deepest, p->queries + d->depth);
    if (p->expanded > VIEWS_EXPANDED_MAX)
        parse_fail(p, p->last_end, ERR_TOO_BIG, "views stand for more than %d queries here",
                   (int)VIEWS_EXPANDED_MAX);
    f->kind = FROM_QUERY;
    f->query = d->query;
}

void declared_relation(struct parser *p, struct from_tree *f)
{
    const struct declared *d = p->err ? NULL : declared_find(p, f->name);
    bool renamed = d && d->kind == DECLARED_TOPIC && !slice_equal(d->topic, f->name.name);
    if (!d || (!d->query && !renamed)) return;
    declared_use(p, d);
    f->alias = f->name.name;
    if (d->query)
        expand(p, f, d);
    else
        f->name = (struct sql_name){.name = d->topic};
}

bool declared_elsewhere(struct parser *p, struct slice name)
{
    const struct declared *d = declared_find(p, (struct sql_name){.name = name});
    return d && (d->query || (d->kind == DECLARED_TOPIC && !slice_equal(d->topic, name)));
}

/* --- views ------------------------------------------------------------------------------------ */

static void declare_query(struct parser *p, struct declared *d, const struct query_tree *q,
                          uint32_t depth)
{
    d->query = q;
    d->depth = depth + 1;
    d->weight = p->expanded + 1;
}

static struct query_tree *query_of(struct parser *p, const struct select_tree *s)
{
    struct query_tree *q = parse_take(p, sizeof(*q));
    const struct select_tree **one = parse_take(p, sizeof(*one));
    if (!q || !one || !s) return NULL;
    *one = s;
    *q = (struct query_tree){.text = s->text, .selects = one, .select_count = 1, .limit = -1};
    return q;
}

/* CREATE [OR REPLACE] [TEMPORARY] VIEW v [(columns)] AS query: nothing runs, nothing is kept. */
void parse_plain_view(struct parser *p, struct statement *s)
{
    const uint8_t *at = parse_here(p);
    s->kind = STATEMENT_CREATE_VIEW;
    s->name = parse_qualified(p, "a view's name");
    bool known = !p->err && declared_find(p, s->name);
    if (known && !s->or_replace && !s->if_not_exists)
        parse_fail(p, at, ERR_EXISTS, "%.*s stands twice in this text", SLICE_ARG(s->name.name));
    struct list columns = {0};
    if (at_op(p, "(")) columns = parse_names(p, "a column's name");
    expect_word(p, "AS");
    p->deepest = p->queries;
    struct query_tree *q = parse_query(p, NULL);
    p->nothing = true;
    if (p->err || (known && s->if_not_exists)) return;
    if (columns.count) q = query_of(p, select_all_of(p, q, s->name.name, &columns));
    struct declared *d = declare(p, DECLARED_VIEW, s->name);
    if (d && q) declare_query(p, d, q, p->deepest + (columns.count > 0));
}

/* A topic with columns that are computed from its others: SELECT a, b AS expression FROM topic. */
void declare_computed(struct parser *p, struct declared *d, const struct columns_tree *c)
{
    struct select_tree *s = parse_take(p, sizeof(*s));
    struct from_tree *from = parse_take(p, sizeof(*from));
    if (!s || !from) return;
    *from = (struct from_tree){.kind = FROM_NAME, .text = d->name.name, .name.name = d->topic};
    s->items = (struct select_item *)(void *)c->items.items;
    s->item_count = c->items.count;
    s->from = from;
    s->text = from->text = s->items[0].value->text;
    struct query_tree *q = query_of(p, s);
    if (q) declare_query(p, d, q, 0);
}
