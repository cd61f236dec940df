#include "cql/cql_kit.h"
#include <stdio.h>

static void engine_open(struct kit *k)
{
    struct diag d = {0};
    struct store_options so = {.dir = k->dir};
    CHECK_OK(store_open(&so, &k->store, &d), &d);
    INVARIANT(k->store);
    struct cql_options o = {.store = k->store};
    CHECK_OK(cql_open(&o, &k->cql, &d), &d);
    INVARIANT(k->cql);
    k->session.cql = k->cql;
}

void kit_open(struct kit *k)
{
    *k = (struct kit){.arena = arena_new(MIB(256)), .call_arena = arena_new(CQL_CALL_BYTES_MAX)};
    snprintf(k->dir, sizeof k->dir, "%s/store", test_dir());
    k->session = (struct cql_session){.protocol = 5, .superuser = true};
    snprintf(k->session.keyspace, sizeof k->session.keyspace, "ks");
    engine_open(k);
    if (!store_keyspace_exists(k->store, SLICE("ks")))
        kit_do(k, "CREATE KEYSPACE ks WITH replication = "
                  "{'class': 'SimpleStrategy', 'replication_factor': 1}");
}

void kit_close(struct kit *k)
{
    cql_call_done(&k->call);
    cql_close(k->cql);
    store_close(k->store);
    arena_free(k->call_arena);
    arena_free(k->arena);
}

void kit_reopen(struct kit *k)
{
    cql_call_done(&k->call);
    k->call = (struct cql_call){0};
    cql_close(k->cql);
    store_close(k->store);
    engine_open(k);
}

static void rows_text(const struct cql_result *r, struct buf *out)
{
    struct cursor c = cursor_of(slice_make(r->rows.at, r->rows.len));
    for (uint32_t i = 0; i < r->row_count; i++) {
        for (uint32_t k = 0; k < r->metadata.count; k++) {
            int32_t len = cursor_i32(&c);
            struct cql_value v = {.state = len < 0 ? CQL_NULL : CQL_SET};
            if (len >= 0) v.bytes = cursor_slice(&c, (uint64_t)len);
            if (k) buf_char(out, ',');
            if (len < 0)
                buf_text(out, "null");
            else
                cql_to_literal(r->metadata.columns[k].type, &v, out);
        }
        buf_char(out, ';');
    }
    CHECK(!c.err && cursor_left(&c) == 0);
}

static const char *answer(struct kit *k)
{
    struct cql_call *c = &k->call;
    struct buf out = buf_make(MIB(64));
    if (c->err)
        buf_printf(&out, "%s: %s", err_name(c->err), c->diag.what);
    else if (c->result.kind == CQL_ROWS)
        rows_text(&c->result, &out);
    else
        buf_text(&out, "ok");
    const char *text = arena_text(k->arena, buf_view(&out));
    buf_done(&out);
    return text;
}

static void begin(struct kit *k)
{
    cql_call_done(&k->call);
    arena_reset(k->call_arena);
    k->call = (struct cql_call){
        .session = &k->session,
        .arena = k->call_arena,
        .params = {.consistency = CQL_ONE, .timestamp = INT64_MIN, .now_s = INT64_MIN}};
}

const char *kit_ask(struct kit *k, const char *text)
{
    begin(k);
    k->call.verb = CALL_QUERY;
    k->call.text = slice_of(text);
    err_t e = cql_run_wait(&k->call);
    (void)e; /* told in the answer */
    return answer(k);
}

static void value_of(struct kit *k, const struct cql_receiver *r, const char *text,
                     struct cql_value *out)
{
    struct diag d = {0};
    struct value v;
    struct buf b = buf_make(MIB(1));
    *out = (struct cql_value){.state = strcmp(text, "?") == 0 ? CQL_UNSET : CQL_NULL};
    if (strcmp(text, "?") == 0 || strcmp(text, "-") == 0) return;
    CHECK_OK(value_from_text(r->type, slice_of(text), k->arena, &v, &d), &d);
    value_to_binary(&v, &b);
    *out = (struct cql_value){arena_slice(k->arena, buf_view(&b)), CQL_SET};
    if (!out->bytes.at) out->bytes = SLICE("");
    buf_done(&b);
}

const char *kit_execute(struct kit *k, const char *text, struct kit_how how)
{
    begin(k);
    k->call.verb = CALL_PREPARE;
    k->call.text = slice_of(text);
    if (cql_run_wait(&k->call)) return answer(k);
    const struct cql_prepared *p = &k->call.result.prepared;
    uint8_t id[16];
    memcpy(id, p->id, sizeof id);
    struct cql_value *values = arena_take(k->arena, (how.value_count + 1U) * sizeof *values);
    for (uint32_t i = 0; i < how.value_count; i++)
        value_of(k, &p->markers[MIN(i, p->marker_count - 1U)], how.values[i], &values[i]);
    begin(k);
    k->call.verb = CALL_EXECUTE;
    k->call.id = slice_make(id, sizeof id);
    k->call.params.values = values;
    k->call.params.value_count = how.value_count;
    k->call.params.page_size = how.page_size;
    k->call.params.paging_state = how.state;
    err_t e = cql_run_wait(&k->call);
    (void)e;
    return answer(k);
}

struct slice kit_state(struct kit *k)
{
    struct slice s = k->call.result.paging_state;
    return s.at ? arena_slice(k->arena, s) : s;
}

void kit_do(struct kit *k, const char *text)
{
    const char *said = kit_ask(k, text);
    if (k->call.err) test_failed(__FILE__, __LINE__, "%s: %s", text, said);
}
