/* Lists: filters, order and page of the query or of a body, and single things found the same way.
 */
#include "door/airflow/airflow_int.h"

#include <inttypes.h>

enum { DAGS_READABLE_MAX = LIST_VALUES_MAX / 2 };

struct walk {
    struct call *c;
    const struct listing *l;
    struct buf *out;
    bool detail, any;
    const struct dag *dag;   /* of the row before */
    struct field_names only; /* count 0: everything */
};

/* `fields` of v1, given several times or with commas; only what is read has it. */
static err_t read_fields(struct walk *w)
{
    struct call *c = w->c;
    if (c->api != API_V1 || !w->l->schema || !slice_is(http_method(c->http), "GET")) return ERR_OK;
    struct slice *list = arena_take(c->arena, LIST_VALUES_MAX * sizeof(*list));
    if (!list) return diag_fail(&c->d, ERR_NO_MEMORY, "no memory for fields");
    w->only = (struct field_names){list, 0};
    for (uint32_t n = 0; n < c->param_count; n++) {
        struct slice rest = c->params[n].value;
        while (slice_is(c->params[n].name, "fields") && rest.len) {
            const uint8_t *comma = memchr(rest.at, ',', rest.len);
            uint32_t size = comma ? (uint32_t)(comma - rest.at) : rest.len;
            if (w->only.count == LIST_VALUES_MAX)
                return refuse(c, 400, "Bad Request", "more than %d fields", LIST_VALUES_MAX);
            struct slice name = slice_make(rest.at, size);
            /* Airflow's own spelling of this one differs from what it answers */
            list[w->only.count++] = slice_is(name, "last_loaded") ? SLICE("last_parsed") : name;
            rest = slice_make(rest.at + size + (comma != NULL), rest.len - size - (comma != NULL));
        }
    }
    return ERR_OK;
}

/* In Airflow's words, which come with the first item: a list of nothing refuses nothing. */
static err_t check_fields(const struct walk *w, const struct item *i)
{
    bool is_run = w->l->body == BODY_RUN;
    const char *schema = w->l->schema;
    for (uint32_t n = 0; n < w->only.count; n++) {
        struct slice name = w->only.list[n];
        if (rest_has_field(i, w->l->body, name)) continue;
        const char *title = rest_words(w->c, is_run ? "%s error" : "%s init error", schema);
        if (strstr(schema, "Collection")) title = rest_words(w->c, "%s error", schema);
        if (is_run) return refuse(w->c, 400, title, "%.*s not in DAGRunSchema", SLICE_ARG(name));
        return refuse(w->c, 400, title, "Invalid fields for <%s(many=False)>: {'%.*s'}.",
                      strstr(schema, "Collection") ? "DAGSchema" : schema, SLICE_ARG(name));
    }
    return ERR_OK;
}

static void find_dag(struct walk *w, struct item *i)
{
    const struct airflow_port *p = &airflow_options(w->c->door)->sched;
    if (w->l->body != BODY_DAG && w->l->body != BODY_TRY) return;
    struct slice id = item_at(i, "dag_id")->text;
    if (w->dag && !slice_equal(w->dag->id, id)) {
        dag_give(w->dag);
        w->dag = NULL;
    }
    if (!w->dag) w->dag = p->dag(p->ctx, id);
    i->dag = w->dag;
    if (!w->dag || w->l->body != BODY_TRY) return;
    int32_t place = dag_task_find(w->dag, item_at(i, "task_id")->text);
    if (place >= 0) i->task = &w->dag->tasks[place];
}

static err_t rest_put_row(void *ctx, const struct meta_row *row)
{
    struct walk *w = ctx;
    struct item i = {.c = w->c, .row = row, .kind = w->l->kind, .detail = w->detail};
    if (w->only.count) {
        err_t e = w->any ? ERR_OK : check_fields(w, &i);
        if (e) return e;
        i.only = &w->only;
    }
    if (w->any) buf_text(w->out, ", ");
    w->any = true;
    find_dag(w, &i);
    rest_put_item(w->out, w->l->body, &i);
    return w->out->err;
}

err_t rest_put_rows(struct call *c, struct listing *l, const struct list_ask *ask, int64_t *total,
                    struct buf *out)
{
    struct walk w = {.c = c, .l = l, .out = out};
    err_t e = read_fields(&w);
    if (!e) e = list_run(c->meta, ask, rest_put_row, &w, total, &c->d);
    if (w.dag) dag_give(w.dag);
    return e;
}

void listing_fix(struct call *c, struct listing *l, const char *column, struct slice value)
{
    struct meta_value *v = arena_take(c->arena, sizeof(*v));
    INVARIANT(v && l->fixed_count < CALL_FIXED_MAX);
    *v = meta_text(value);
    l->fixed[l->fixed_count++] = (struct list_filter){column, LIST_IN, v, 1};
}

void listing_fix_int(struct call *c, struct listing *l, const char *column, int64_t value)
{
    struct meta_value *v = arena_take(c->arena, sizeof(*v));
    INVARIANT(v && l->fixed_count < CALL_FIXED_MAX);
    *v = meta_int(value);
    l->fixed[l->fixed_count++] = (struct list_filter){column, LIST_IN, v, 1};
}

void listing_fix_part(struct call *c, struct listing *l, const char *column, const char *part)
{
    struct slice value = rest_part(c, part);
    if (value.at && !slice_is(value, "~")) listing_fix(c, l, column, value);
}

/* --- what a query asks for
 * ------------------------------------------------------------------------ */

struct asking {
    struct list_filter filters[LIST_FILTERS_MAX];
    uint32_t count;
    struct list_ask ask;
};

static bool named_before(const struct call *c, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (slice_equal(c->params[i].name, c->params[n].name)) return true;
    return false;
}

static bool is_other(const struct listing *l, struct slice name)
{
    static const char *const pages[] = {"limit", "offset", "order_by", "tags_match_mode"};
    if (slice_is(name, "fields") && l->schema) return true;
    for (size_t i = 0; i < COUNT_OF(pages); i++)
        if (slice_is(name, pages[i])) return true;
    for (uint32_t i = 0; l->also && l->also[i]; i++)
        if (slice_is(name, l->also[i])) return true;
    return false;
}

static err_t add_filter(struct call *c, struct listing *l, struct slice name, struct slice *texts,
                        uint32_t count, struct asking *a)
{
    bool known = false;
    if (a->count == LIST_FILTERS_MAX)
        return refuse(c, 400, "Bad Request", "more than %d filters", LIST_FILTERS_MAX);
    struct list_given given = {name, texts, count};
    err_t e = list_param(l->kind, &given, c->arena, &a->filters[a->count], &known, &c->d);
    if (e == ERR_USAGE && c->api == API_V2)
        return refuse(c, 422, NULL, "%s", arena_text(c->arena, slice_of(c->d.what)));
    if (!e && known) a->count++;
    if (!e && !known && c->api == API_V1)
        return refuse(c, 400, "", "Extra query parameter(s) %.*s not in spec", SLICE_ARG(name));
    return e;
}

static err_t query_filters(struct call *c, struct listing *l, struct asking *a)
{
    struct slice *texts = arena_take(c->arena, CALL_PARAMS_MAX * sizeof(*texts));
    if (!texts) return diag_fail(&c->d, ERR_NO_MEMORY, "no memory for filters");
    for (uint32_t n = 0; n < c->param_count; n++) {
        uint32_t count = 0;
        if (is_other(l, c->params[n].name) || named_before(c, n)) continue;
        for (uint32_t i = n; i < c->param_count; i++)
            if (slice_equal(c->params[i].name, c->params[n].name))
                texts[count++] = c->params[i].value;
        err_t e = add_filter(c, l, c->params[n].name, texts, count, a);
        if (e) return e;
    }
    return ERR_OK;
}

static err_t page(struct call *c, int64_t limit, int64_t offset, struct asking *a)
{
    int64_t most = c->api == API_V1 ? LIST_PAGE_V1 : LIST_PAGE_V2;
    if (limit < 0 && c->api == API_V1)
        return refuse(c, 400, "Bad Request", "Page limit must be a positive integer");
    if (limit < 0 || offset < 0)
        return refuse(c, c->api == API_V1 ? 400 : 422, "Bad Request",
                      "limit and offset should be greater than or equal to 0");
    a->ask.limit = list_page(limit, most);
    a->ask.offset = offset;
    return ERR_OK;
}

static err_t begin_asking(struct call *c, struct listing *l, struct asking *a)
{
    bool all = true;
    struct meta_value *ids = NULL;
    uint32_t count = 0;
    memcpy(a->filters, l->fixed, l->fixed_count * sizeof(*l->fixed));
    a->count = l->fixed_count;
    err_t e = l->dag_column ? dags_readable(c, &all, &ids, &count) : ERR_OK;
    if (!e && !all)
        a->filters[a->count++] = (struct list_filter){l->dag_column, LIST_IN, ids, count};
    return e;
}

static err_t run_asking(struct call *c, struct listing *l, struct asking *a)
{
    int64_t total = 0;
    a->ask.kind = l->kind;
    a->ask.filters = a->filters;
    a->ask.filter_count = a->count;
    if (!a->ask.order_by.len && l->order) a->ask.order_by = slice_of(l->order);
    buf_printf(&c->out, "{\"%s\": [", l->name);
    err_t e = rest_put_rows(c, l, &a->ask, &total, &c->out);
    if (e) buf_reset(&c->out); /* a refusal says it from its beginning */
    if (e) return e;
    buf_printf(&c->out, "], \"total_entries\": %" PRId64 "}", total);
    return c->out.err;
}

err_t answer_list(struct call *c, struct listing *l)
{
    struct asking *a = arena_take(c->arena, sizeof(*a));
    if (!a) return diag_fail(&c->d, ERR_NO_MEMORY, "no memory for a list");
    int64_t limit = c->api == API_V1 ? LIST_PAGE_V1 : LIST_PAGE_V2, offset = 0;
    err_t e = rest_int(c, "limit", &limit);
    if (!e) e = rest_int(c, "offset", &offset);
    if (!e) e = page(c, limit, offset, a);
    if (!e) e = begin_asking(c, l, a);
    if (!e) e = query_filters(c, l, a);
    for (uint32_t n = 0; n < c->param_count && !e; n++) { /* order_by may stand several times */
        if (!slice_is(c->params[n].name, "order_by") || !c->params[n].value.len) continue;
        a->ask.order_by = a->ask.order_by.len
                              ? rest_printf(c, "%.*s,%.*s", SLICE_ARG(a->ask.order_by),
                                            SLICE_ARG(c->params[n].value))
                              : c->params[n].value;
    }
    return e ? e : run_asking(c, l, a);
}

/* The names of …/list bodies that are not the columns' own. */
static const char *form_column(struct slice name)
{
    static const struct {
        const char *form, *column;
    } names[] = {{"dag_ids", "dag_id"},
                 {"dag_run_ids", "dag_run_id"},
                 {"task_ids", "task_id"},
                 {"states", "state"}};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (slice_is(name, names[i].form)) return names[i].column;
    return NULL;
}

static struct slice form_text(struct call *c, const struct doc *v)
{
    if (v->kind == DOC_TEXT) return v->text;
    if (v->kind == DOC_NULL) return SLICE("none");
    struct buf b = buf_make(KIB(64));
    doc_put_json(&b, v);
    struct slice s = arena_slice(c->arena, buf_view(&b));
    buf_done(&b);
    return s;
}

static err_t form_filter(struct call *c, struct listing *l, const struct doc_entry *f,
                         struct asking *a)
{
    const struct doc *v = &f->value;
    const char *column = form_column(f->name);
    struct slice name = column ? slice_of(column) : f->name, *texts;
    uint32_t count = v->kind == DOC_LIST ? v->count : 1;
    if (v->kind == DOC_NULL || count == 0) return ERR_OK;
    if (count > LIST_VALUES_MAX) return refuse(c, 400, "Bad Request", "a list is too long");
    texts = arena_take(c->arena, count * sizeof(*texts));
    if (!texts) return diag_fail(&c->d, ERR_NO_MEMORY, "no memory for a filter");
    for (uint32_t i = 0; i < count; i++)
        texts[i] = form_text(c, v->kind == DOC_LIST ? &v->items[i] : v);
    return add_filter(c, l, name, texts, count, a);
}

err_t answer_list_form(struct call *c, struct listing *l, enum input_table t)
{
    struct asking *a = arena_take(c->arena, sizeof(*a));
    if (!a) return diag_fail(&c->d, ERR_NO_MEMORY, "no memory for a list");
    err_t e = body_check(c, t);
    if (!e) e = page(c, body_int(c, "page_limit", 100), body_int(c, "page_offset", 0), a);
    if (!e) e = begin_asking(c, l, a);
    a->ask.order_by = body_text(c, "order_by");
    for (uint32_t n = 0; n < c->body.count && !e; n++) {
        struct slice name = c->body.entries[n].name;
        if (slice_is(name, "order_by") || slice_starts(name, "page_")) continue;
        e = form_filter(c, l, &c->body.entries[n], a);
    }
    return e ? e : run_asking(c, l, a);
}

/* --- one
 * ------------------------------------------------------------------------------------------- */

err_t rest_put_one(struct call *c, struct listing *l, bool detail, struct buf *out)
{
    struct walk w = {.c = c, .l = l, .out = out, .detail = detail};
    struct list_ask ask = {.kind = l->kind,
                           .filters = l->fixed,
                           .filter_count = l->fixed_count,
                           .limit = 1,
                           .no_total = true};
    err_t e = read_fields(&w);
    if (!e) e = list_run(c->meta, &ask, rest_put_row, &w, NULL, &c->d);
    if (w.dag) dag_give(w.dag);
    if (!e && !w.any) e = diag_fail(&c->d, ERR_NOT_FOUND, "not found");
    return e ? e : out->err;
}

err_t answer_one(struct call *c, struct listing *l, enum problem p)
{
    return or_missing(c, rest_put_one(c, l, true, &c->out), p);
}
