/* Responses, both ways, as a whole. */
#include "wire/cql/cql_int.h"

/* --- reading ---------------------------------------------------------------------------------- */

static const struct native_column *read_columns(struct native_in *in, uint32_t count, bool global)
{
    struct slice keyspace = {0}, table = {0};
    if (global) {
        keyspace = native_string(in);
        table = native_string(in);
    }
    struct native_column *columns = native_items(in, count, sizeof(*columns), 4);
    for (uint32_t i = 0; columns && i < count && !in->err; i++) {
        columns[i].keyspace = global ? keyspace : native_string(in);
        columns[i].table = global ? table : native_string(in);
        columns[i].name = native_string(in);
        columns[i].type = native_type_of(in, 0);
    }
    return in->err ? NULL : columns;
}

static void read_metadata(struct native_in *in, struct native_metadata *out)
{
    uint32_t flags = native_u32(in);
    out->count = native_u32(in);
    if (out->count > INT32_MAX) native_in_fail(in, ERR_PROTOCOL, "A negative number of columns");
    if (flags & NATIVE_ROWS_MORE_PAGES) out->paging_state = native_bytes(in);
    if (in->version >= 5 && flags & NATIVE_ROWS_METADATA_CHANGED)
        out->new_id = native_short_bytes(in);
    if (flags & NATIVE_ROWS_NO_METADATA) return;
    out->columns = read_columns(in, out->count, flags & NATIVE_ROWS_GLOBAL_TABLE);
    if (in->err) out->count = 0;
}

static void read_prepared(struct native_in *in, struct native_prepared *out)
{
    out->id = native_short_bytes(in);
    if (in->version >= 5) out->result_id = native_short_bytes(in);
    uint32_t flags = native_u32(in), count = native_u32(in);
    if (in->version >= 4) {
        uint32_t keys = native_u32(in);
        uint16_t *markers = native_items(in, keys, sizeof(*markers), 2);
        for (uint32_t i = 0; markers && i < keys; i++) markers[i] = native_u16(in);
        out->key_markers = markers;
        out->key_count = markers && !in->err ? keys : 0;
    }
    out->markers = read_columns(in, count, flags & NATIVE_ROWS_GLOBAL_TABLE);
    out->marker_count = out->markers ? count : 0;
    read_metadata(in, &out->result);
}

static void read_result(struct native_in *in, struct native_response *out)
{
    out->kind = (enum native_kind)native_u32(in);
    switch (out->kind) {
    case NATIVE_RESULT_VOID: break;
    case NATIVE_RESULT_ROWS:
        read_metadata(in, &out->metadata);
        out->row_count = native_u32(in);
        out->rows = slice_make(in->at, (size_t)(in->end - in->at));
        break;
    case NATIVE_RESULT_SET_KEYSPACE: out->text = native_string(in); break;
    case NATIVE_RESULT_PREPARED: read_prepared(in, &out->prepared); break;
    case NATIVE_RESULT_SCHEMA_CHANGE: native_change_read(in, &out->change); break;
    default:
        native_in_fail(in, ERR_PROTOCOL, "Unknown kind id %d in RESULT message", (int)out->kind);
    }
}

static void read_event(struct native_in *in, struct native_event *out)
{
    struct slice name = native_string(in);
    if (!native_event_of(name, &out->kind)) {
        native_in_fail(in, ERR_PROTOCOL, "Invalid value '%.*s' for Type", SLICE_ARG(name));
        return;
    }
    if (out->kind == NATIVE_EVENT_SCHEMA_CHANGE) {
        native_change_read(in, &out->schema);
        return;
    }
    out->change = native_string(in);
    out->address_size = native_u8(in);
    if (!in->err && out->address_size != 4 && out->address_size != 16) {
        native_in_fail(in, ERR_PROTOCOL, "Invalid IP address while deserializing inet address");
        return;
    }
    struct slice address = native_raw(in, out->address_size, "Not enough bytes to read an address");
    if (address.len) memcpy(out->address, address.at, address.len);
    out->port = (int32_t)native_u32(in);
}

static void read_supported(struct native_in *in, struct native_response *out)
{
    uint16_t n = native_u16(in);
    struct native_option_values *options = native_items(in, n, sizeof(*options), 4);
    for (uint32_t i = 0; options && i < n && !in->err; i++) {
        options[i].key = native_string(in);
        options[i].values = native_strings(in, &options[i].count);
    }
    out->options = options;
    out->option_count = options && !in->err ? n : 0;
}

static void read_message(struct native_in *in, uint8_t opcode, struct native_response *out)
{
    switch (opcode) {
    case NATIVE_OP_ERROR: native_error_read(in, &out->error); break;
    case NATIVE_OP_READY: break;
    case NATIVE_OP_AUTHENTICATE: out->text = native_string(in); break;
    case NATIVE_OP_SUPPORTED: read_supported(in, out); break;
    case NATIVE_OP_RESULT: read_result(in, out); break;
    case NATIVE_OP_EVENT: read_event(in, &out->event); break;
    case NATIVE_OP_AUTH_CHALLENGE:
    case NATIVE_OP_AUTH_SUCCESS: out->token = native_bytes(in); break;
    default: native_in_fail(in, ERR_PROTOCOL, "Unknown opcode %u", opcode);
    }
}

err_t native_response_read(const struct native_head *h, struct slice body, struct arena *a,
                           struct native_response *out, struct diag *d)
{
    struct native_in in = native_in_of(body, h->version, a);
    memset(out, 0, sizeof(*out));
    if (h->flags & NATIVE_HEAD_TRACING) {
        struct slice id = native_raw(&in, 16, "Not enough bytes to read a trace's id");
        out->traced = id.len == 16;
        if (out->traced) memcpy(out->trace_id, id.at, 16);
    }
    if (h->flags & NATIVE_HEAD_WARNING) out->warnings = native_strings(&in, &out->warning_count);
    if (h->flags & NATIVE_HEAD_PAYLOAD) out->payload = native_bytes_map(&in, &out->payload_count);
    read_message(&in, h->opcode, out);
    return native_in_end(&in, d);
}

bool native_value_next(struct cursor *rows, struct native_value *out)
{
    if (rows->err || cursor_left(rows) < 4) return false;
    int32_t n = cursor_i32(rows);
    out->state = n < 0 ? NATIVE_NULL : NATIVE_SET;
    out->bytes = n < 0 ? (struct slice){0} : cursor_slice(rows, (uint64_t)n);
    return rows->err == ERR_OK;
}

err_t native_rows_check(const struct native_response *r, struct diag *d)
{
    struct cursor rows = cursor_of(r->rows);
    struct native_value v;
    uint64_t count = (uint64_t)r->row_count * r->metadata.count;
    for (uint64_t i = 0; i < count; i++)
        if (!native_value_next(&rows, &v))
            return diag_fail(d, ERR_PROTOCOL, "the result ends after %llu of its %llu values",
                             (unsigned long long)i, (unsigned long long)count);
    return ERR_OK;
}

/* --- writing ---------------------------------------------------------------------------------- */

static bool same_table(const struct native_column *columns, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++)
        if (!slice_equal(columns[i].keyspace, columns[0].keyspace) ||
            !slice_equal(columns[i].table, columns[0].table))
            return false;
    return count > 0;
}

static void put_metadata(struct buf *out, uint8_t version, const struct native_metadata *m)
{
    struct native_columns c = {.version = version,
                               .global = m->columns && same_table(m->columns, m->count)};
    native_metadata_begin(out, &c, m->count, m->paging_state, m->new_id, m->columns);
    for (uint32_t i = 0; m->columns && i < m->count; i++)
        native_column_put(out, &c, &m->columns[i]);
}

static void put_prepared(struct buf *out, uint8_t version, const struct native_prepared *p)
{
    struct native_columns c = {.version = version,
                               .global = same_table(p->markers, p->marker_count)};
    native_string_put(out, p->id);
    if (version >= 5) native_string_put(out, p->result_id);
    native_markers_begin(out, &c, p->marker_count, p->key_markers, p->key_count, p->markers);
    for (uint32_t i = 0; i < p->marker_count; i++) native_column_put(out, &c, &p->markers[i]);
    put_metadata(out, version, &p->result);
}

static void put_result(struct buf *out, uint8_t version, const struct native_response *r)
{
    buf_be(out, (uint32_t)r->kind, 4);
    switch (r->kind) {
    case NATIVE_RESULT_VOID: break;
    case NATIVE_RESULT_ROWS:
        put_metadata(out, version, &r->metadata);
        buf_be(out, r->row_count, 4);
        buf_slice(out, r->rows);
        break;
    case NATIVE_RESULT_SET_KEYSPACE: native_string_put(out, r->text); break;
    case NATIVE_RESULT_PREPARED: put_prepared(out, version, &r->prepared); break;
    case NATIVE_RESULT_SCHEMA_CHANGE: native_change_put(out, version, &r->change); break;
    }
}

static void put_event(struct buf *out, uint8_t version, const struct native_event *e)
{
    native_string_put(out, slice_of(native_event_name(e->kind)));
    if (e->kind == NATIVE_EVENT_SCHEMA_CHANGE) {
        native_change_put(out, version, &e->schema);
        return;
    }
    native_string_put(out, e->change);
    buf_be(out, e->address_size, 1);
    buf_put(out, e->address, e->address_size);
    buf_be(out, (uint32_t)e->port, 4);
}

static void put_supported(struct buf *out, const struct native_response *r)
{
    buf_be(out, r->option_count, 2);
    for (uint32_t i = 0; i < r->option_count; i++) {
        native_string_put(out, r->options[i].key);
        native_strings_put(out, r->options[i].values, r->options[i].count);
    }
}

static err_t put_message(struct buf *out, const struct native_head *h,
                         const struct native_response *r, struct diag *d)
{
    switch (h->opcode) {
    case NATIVE_OP_ERROR: native_error_put(out, h->version, &r->error); return ERR_OK;
    case NATIVE_OP_READY: return ERR_OK;
    case NATIVE_OP_AUTHENTICATE: native_string_put(out, r->text); return ERR_OK;
    case NATIVE_OP_SUPPORTED: put_supported(out, r); return ERR_OK;
    case NATIVE_OP_RESULT: put_result(out, h->version, r); return ERR_OK;
    case NATIVE_OP_EVENT: put_event(out, h->version, &r->event); return ERR_OK;
    case NATIVE_OP_AUTH_CHALLENGE:
    case NATIVE_OP_AUTH_SUCCESS: native_bytes_put(out, r->token); return ERR_OK;
    default: return diag_fail(d, ERR_USAGE, "opcode %u is no response's", h->opcode);
    }
}

err_t native_response_put(struct buf *out, const struct native_head *h,
                          const struct native_response *r, struct diag *d)
{
    struct native_head head = *h;
    bool warnings = r->warning_count && h->version >= 4,
         payload = r->payload_count && h->version >= 4;
    head.response = true;
    head.flags =
        (uint8_t)((r->traced ? NATIVE_HEAD_TRACING : 0) | (warnings ? NATIVE_HEAD_WARNING : 0) |
                  (payload ? NATIVE_HEAD_PAYLOAD : 0));
    size_t begun = native_begin(out, &head);
    if (r->traced) buf_put(out, r->trace_id, 16);
    if (warnings) native_warnings_put(out, r->warnings, r->warning_count);
    if (payload) native_bytes_map_put(out, r->payload, r->payload_count);
    err_t e = put_message(out, &head, r, d);
    if (e) return e;
    e = native_end(out, begun);
    return e ? diag_fail(d, e, "the response does not fit") : ERR_OK;
}
