/* DESCRIBE: the server says what there is, this says it to people as cqlsh does. */
#include "main/cql/shell.h"

enum { LIST_MAX = 100000, LIST_WIDTH = 80, COLUMNS_MAX = 16 };

struct rows { /* of an answer, by a column's name */
    const struct native_response *r;
    struct cursor at;
    struct native_value values[COLUMNS_MAX];
};

static bool next_row(struct rows *rows)
{
    uint32_t columns = rows->r->metadata.count;
    struct native_value v;
    for (uint32_t i = 0; i < columns; i++) {
        if (!native_value_next(&rows->at, &v)) return false;
        if (i < COLUMNS_MAX) rows->values[i] = v;
    }
    return columns > 0;
}

static const struct native_value *value_named(const struct rows *rows, const char *name,
                                              const struct type **type)
{
    for (uint32_t i = 0; i < MIN(rows->r->metadata.count, (uint32_t)COLUMNS_MAX); i++)
        if (slice_is(rows->r->metadata.columns[i].name, name)) {
            if (type) *type = rows->r->metadata.columns[i].type;
            return &rows->values[i];
        }
    return NULL;
}

static struct slice text_named(const struct rows *rows, const char *name)
{
    const struct native_value *v = value_named(rows, name, NULL);
    return v && v->state == NATIVE_SET ? v->bytes : SLICE("");
}

struct list { /* names of one keyspace, or of keyspaces */
    struct slice *names;
    uint32_t count;
    struct slice keyspace;
};

static void end_keyspace(const struct shell *s, struct list *l)
{
    if (l->count == 0) return;
    printf("\n");
    if (!*cql_client_keyspace(s->client)) {
        printf("Keyspace %.*s\n---------", SLICE_ARG(l->keyspace));
        for (uint32_t i = 0; i < l->keyspace.len; i++) printf("-");
        printf("\n");
    }
    show_list(l->names, l->count, LIST_WIDTH);
    l->count = 0;
}

static void take_list(const struct shell *s, struct rows *rows, struct list *l, bool keyspaces)
{
    while (next_row(rows)) {
        struct slice keyspace = text_named(rows, "keyspace_name");
        if (!keyspaces && !slice_equal(keyspace, l->keyspace)) end_keyspace(s, l);
        l->keyspace = keyspace;
        if (l->count < LIST_MAX) l->names[l->count++] = text_named(rows, "name");
    }
}

static struct slice next_item(struct cursor *c)
{
    int32_t len = cursor_i32(c);
    return cursor_slice(c, len > 0 ? (uint64_t)len : 0);
}

static void show_ranges(const struct rows *rows)
{
    const struct type *t = NULL;
    const struct native_value *v = value_named(rows, "range_ownership", &t);
    if (!v || v->state != NATIVE_SET || t->kind != TYPE_MAP) return;
    struct cursor c = cursor_of(v->bytes);
    struct buf b = buf_make(MIB(1));
    printf("Range ownership:\n");
    for (int32_t n = cursor_i32(&c); n > 0 && !c.err; n--) {
        struct slice token = next_item(&c);
        struct slice hosts = next_item(&c);
        struct cursor h = cursor_of(hosts);
        buf_reset(&b);
        for (int32_t k = cursor_i32(&h), first = 1; k > 0 && !h.err; k--, first = 0) {
            if (!first) buf_text(&b, ", ");
            buf_slice(&b, next_item(&h));
        }
        printf(" %39.*s  [%s]\n", SLICE_ARG(token), buf_cstr(&b));
    }
    printf("\n");
    buf_done(&b);
}

static void take_others(struct shell *s, struct rows *rows, bool cluster)
{
    while (next_row(rows)) {
        struct slice text = text_named(rows, "create_statement");
        if (!cluster) {
            printf("\n");
            fflush(stdout);
            fwrite(text.at, 1, text.len, s->out);
            printf("\n");
            continue;
        }
        printf("\nCluster: %.*s\n", SLICE_ARG(text_named(rows, "cluster")));
        printf("Partitioner: %.*s\n", SLICE_ARG(text_named(rows, "partitioner")));
        printf("Snitch: %.*s\n\n", SLICE_ARG(text_named(rows, "snitch")));
        show_ranges(rows);
    }
}

/* An answer's rows and the next page's, until the last. */
void shell_describe(struct shell *s, struct slice rest)
{
    static const char *const lists[] = {"TABLES", "COLUMNFAMILIES", "TYPES", "FUNCTIONS",
                                        "AGGREGATES"};
    struct buf text = buf_make(KIB(64)), state = buf_make(MIB(1));
    struct slice words = rest, what = {0};
    struct cql_answer answer;
    (void)shell_word(&words, &what);
    bool keyspaces = shell_is(what, "KEYSPACES"), cluster = shell_is(what, "CLUSTER");
    bool list = keyspaces, any = false;
    for (size_t i = 0; i < COUNT_OF(lists); i++) list = list || shell_is(what, lists[i]);
    struct list l = {.names = arena_take(s->arena, LIST_MAX * sizeof(struct slice))};
    buf_text(&text, "DESCRIBE ");
    buf_slice(&text, rest);
    while (l.names && !text.err) {
        struct native_request r = {.text = buf_view(&text), .params = NATIVE_PARAMS_NONE};
        struct diag d = {0};
        r.params.consistency = NATIVE_AT_LOCAL_ONE;
        r.params.paging_state = any ? buf_view(&state) : (struct slice){0};
        any = true;
        err_t e = cql_client_ask(s->client, NATIVE_OP_QUERY, &r, false, s->arena, &answer, &d);
        if (!e) e = cql_answer_error(&answer, &d);
        if (e) {
            shell_error(s, "%s", d.what);
            break;
        }
        struct rows rows = {.r = &answer.response, .at = cursor_of(answer.response.rows)};
        if (list)
            take_list(s, &rows, &l, keyspaces);
        else
            take_others(s, &rows, cluster);
        if (!answer.response.metadata.paging_state.at) break;
        buf_reset(&state);
        buf_slice(&state, answer.response.metadata.paging_state);
    }
    if (keyspaces && l.count > 0) {
        printf("\n");
        show_list(l.names, l.count, LIST_WIDTH);
        printf("\n");
    } else if (list && l.count > 0) {
        end_keyspace(s, &l);
        printf("\n");
    }
    buf_done(&text);
    buf_done(&state);
}
