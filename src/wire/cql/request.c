/* Requests, both ways. */
#include "wire/cql/cql_int.h"

/* --- reading ---------------------------------------------------------------------------------- */

static const struct native_pair *string_map(struct native_in *in, uint32_t *count)
{
    uint16_t n = native_u16(in);
    struct native_pair *pairs = native_items(in, n, sizeof(*pairs), 4);
    for (uint32_t i = 0; pairs && i < n; i++) {
        pairs[i].key = native_string(in);
        pairs[i].value = native_string(in);
    }
    *count = pairs && !in->err ? n : 0;
    return pairs;
}

static void read_value(struct native_in *in, struct native_value *out)
{
    int32_t n = (int32_t)native_u32(in);
    if (__builtin_expect(n >= 0, 1)) {
        out->bytes = native_raw(in, (size_t)n, "Not enough bytes to read a value");
        out->state = NATIVE_SET;
        return;
    }
    out->bytes = (struct slice){0};
    out->state = NATIVE_NULL;
    if (n == -1 || in->version < 4) return;
    if (n != -2) native_in_fail(in, ERR_PROTOCOL, "Invalid ByteBuf length %d", n);
    out->state = NATIVE_UNSET;
}

static const struct native_value *read_values(struct native_in *in, struct slice **names,
                                              bool named, uint32_t *count)
{
    uint16_t n = native_u16(in);
    *count = 0;
    *names = named ? native_items(in, n, sizeof(**names), 6) : NULL;
    struct native_value *values = native_items(in, n, sizeof(*values), 4);
    if (!values || (named && !*names)) return NULL;
    for (uint32_t i = 0; i < n; i++) {
        if (named) (*names)[i] = native_string(in);
        read_value(in, &values[i]);
    }
    *count = in->err ? 0 : n;
    return values;
}

static void read_rest(struct native_in *in, uint32_t flags, struct native_params *p)
{
    if (flags & NATIVE_QUERY_PAGE_SIZE) p->page_size = (int32_t)native_u32(in);
    if (flags & NATIVE_QUERY_PAGING_STATE) p->paging_state = native_bytes(in);
    if (flags & NATIVE_QUERY_SERIAL_CONSISTENCY) p->serial = native_consistency_read(in);
    if (flags & NATIVE_QUERY_TIMESTAMP) {
        p->timestamp = (int64_t)native_u64(in);
        if (p->timestamp == INT64_MIN)
            native_in_fail(in, ERR_PROTOCOL,
                           "Out of bound timestamp, must be in [%lld, %lld] (got %lld)",
                           (long long)INT64_MIN + 1, (long long)INT64_MAX, (long long)INT64_MIN);
    }
    if (in->version < 5) return;
    if (flags & NATIVE_QUERY_KEYSPACE) p->keyspace = native_string(in);
    if (flags & NATIVE_QUERY_NOW_IN_SECONDS) p->now_s = native_u32(in); /* unsigned: until 2106 */
}

static void read_params(struct native_in *in, struct native_params *p)
{
    *p = (struct native_params)NATIVE_PARAMS_NONE;
    p->consistency = native_consistency_read(in);
    uint32_t flags = in->version >= 5 ? native_u32(in) : native_u8(in);
    if (flags & NATIVE_QUERY_VALUES) {
        struct slice *names;
        p->values = read_values(in, &names, flags & NATIVE_QUERY_NAMES, &p->value_count);
        p->names = p->value_count ? names : NULL;
    }
    p->skip_metadata = flags & NATIVE_QUERY_SKIP_METADATA;
    if (flags & ~(uint32_t)(NATIVE_QUERY_VALUES | NATIVE_QUERY_SKIP_METADATA))
        read_rest(in, flags, p);
}

static void read_batch(struct native_in *in, struct native_request *r)
{
    r->batch_kind = native_u8(in);
    uint16_t n = native_u16(in);
    struct native_batch_item *items = native_items(in, n, sizeof(*items), 5);
    for (uint32_t i = 0; items && i < n && !in->err; i++) {
        struct slice *names;
        uint8_t kind = native_u8(in);
        if (kind == 0)
            items[i].text = native_long_string(in);
        else if (kind == 1)
            items[i].id = native_short_bytes(in);
        else
            native_in_fail(in, ERR_PROTOCOL,
                           "Invalid query kind in BATCH messages. Must be 0 or 1 but got %d",
                           (int8_t)kind);
        items[i].values = read_values(in, &names, false, &items[i].value_count);
    }
    r->items = items;
    r->item_count = items ? n : 0;
    read_params(in, &r->params);
    if (r->batch_kind > 2)
        native_in_fail(in, ERR_PROTOCOL, "Invalid BATCH message type %d", (int8_t)r->batch_kind);
}

static void read_prepare(struct native_in *in, struct native_request *r)
{
    r->params = (struct native_params)NATIVE_PARAMS_NONE;
    r->text = native_long_string(in);
    if (in->version >= 5 && native_u32(in) & NATIVE_PREPARE_KEYSPACE)
        r->params.keyspace = native_string(in);
}

static void read_register(struct native_in *in, struct native_request *r)
{
    enum native_event_kind kind;
    r->events = native_strings(in, &r->event_count);
    for (uint32_t i = 0; i < r->event_count; i++)
        if (!native_event_of(r->events[i], &kind))
            native_in_fail(in, ERR_PROTOCOL, "Invalid value '%.*s' for Type",
                           SLICE_ARG(r->events[i]));
}

static void read_message(struct native_in *in, uint8_t opcode, struct native_request *out)
{
    switch (opcode) {
    case NATIVE_OP_EXECUTE:
        out->id = native_short_bytes(in);
        if (in->version >= 5) out->result_id = native_short_bytes(in);
        read_params(in, &out->params);
        break;
    case NATIVE_OP_QUERY:
        out->text = native_long_string(in);
        read_params(in, &out->params);
        break;
    case NATIVE_OP_PREPARE: read_prepare(in, out); break;
    case NATIVE_OP_BATCH: read_batch(in, out); break;
    case NATIVE_OP_STARTUP: out->options = string_map(in, &out->option_count); break;
    case NATIVE_OP_REGISTER: read_register(in, out); break;
    case NATIVE_OP_AUTH_RESPONSE: out->token = native_bytes(in); break;
    case NATIVE_OP_OPTIONS: break;
    default: native_in_fail(in, ERR_PROTOCOL, "Unknown opcode %u", opcode);
    }
}

err_t native_request_read(const struct native_head *h, struct slice body, struct arena *a,
                          struct native_request *out, struct diag *d)
{
    struct native_in in = native_in_of(body, h->version, a);
    memset(out, 0, sizeof(*out));
    if (h->flags & NATIVE_HEAD_PAYLOAD) {
        out->payload = native_bytes_map(&in, &out->payload_count);
        if (h->version < 4)
            native_in_fail(
                &in, ERR_PROTOCOL,
                "Received frame with CUSTOM_PAYLOAD flag for native protocol version < 4");
    }
    read_message(&in, h->opcode, out);
    return native_in_end(&in, d);
}

struct slice native_option(const struct native_request *r, const char *name)
{
    for (uint32_t i = 0; i < r->option_count; i++)
        if (slice_equal_nocase(r->options[i].key, slice_of(name))) return r->options[i].value;
    return (struct slice){0};
}

/* --- writing ---------------------------------------------------------------------------------- */

static void put_long_string(struct buf *out, struct slice s)
{
    buf_be(out, s.len, 4);
    buf_slice(out, s);
}

static void put_short_bytes(struct buf *out, struct slice s)
{
    buf_be(out, MIN(s.len, (uint32_t)UINT16_MAX), 2);
    buf_put(out, s.at, MIN(s.len, (uint32_t)UINT16_MAX));
}

static void put_values(struct buf *out, const struct native_value *values,
                       const struct slice *names, uint32_t count)
{
    buf_be(out, count, 2);
    for (uint32_t i = 0; i < count; i++) {
        if (names) native_string_put(out, names[i]);
        if (values[i].state == NATIVE_SET)
            put_long_string(out, values[i].bytes);
        else
            buf_be(out, values[i].state == NATIVE_UNSET ? (uint32_t)-2 : (uint32_t)-1, 4);
    }
}

static uint32_t flags_of(const struct native_params *p, uint8_t version)
{
    uint32_t flags = 0;
    if (p->value_count) flags |= NATIVE_QUERY_VALUES;
    if (p->value_count && p->names) flags |= NATIVE_QUERY_NAMES;
    if (p->skip_metadata) flags |= NATIVE_QUERY_SKIP_METADATA;
    if (p->page_size >= 0) flags |= NATIVE_QUERY_PAGE_SIZE;
    if (p->paging_state.at) flags |= NATIVE_QUERY_PAGING_STATE;
    if (p->serial != NATIVE_AT_ANY) flags |= NATIVE_QUERY_SERIAL_CONSISTENCY;
    if (p->timestamp != INT64_MIN) flags |= NATIVE_QUERY_TIMESTAMP;
    if (version < 5) return flags;
    if (p->keyspace.at) flags |= NATIVE_QUERY_KEYSPACE;
    if (p->now_s != INT64_MIN) flags |= NATIVE_QUERY_NOW_IN_SECONDS;
    return flags;
}

static void put_params(struct buf *out, uint8_t version, const struct native_params *p)
{
    uint32_t flags = flags_of(p, version);
    buf_be(out, p->consistency, 2);
    buf_be(out, flags, version >= 5 ? 4 : 1);
    if (flags & NATIVE_QUERY_VALUES) put_values(out, p->values, p->names, p->value_count);
    if (flags & NATIVE_QUERY_PAGE_SIZE) buf_be(out, (uint32_t)p->page_size, 4);
    if (flags & NATIVE_QUERY_PAGING_STATE) native_bytes_put(out, p->paging_state);
    if (flags & NATIVE_QUERY_SERIAL_CONSISTENCY) buf_be(out, p->serial, 2);
    if (flags & NATIVE_QUERY_TIMESTAMP) buf_be(out, (uint64_t)p->timestamp, 8);
    if (flags & NATIVE_QUERY_KEYSPACE) native_string_put(out, p->keyspace);
    if (flags & NATIVE_QUERY_NOW_IN_SECONDS) buf_be(out, (uint64_t)p->now_s, 4);
}

static void put_batch(struct buf *out, uint8_t version, const struct native_request *r)
{
    buf_be(out, r->batch_kind, 1);
    buf_be(out, r->item_count, 2);
    for (uint32_t i = 0; i < r->item_count; i++) {
        const struct native_batch_item *item = &r->items[i];
        buf_be(out, !item->text.at, 1);
        if (item->text.at)
            put_long_string(out, item->text);
        else
            put_short_bytes(out, item->id);
        put_values(out, item->values, NULL, item->value_count);
    }
    put_params(out, version, &r->params);
}

static void put_prepare(struct buf *out, uint8_t version, const struct native_request *r)
{
    bool keyspace = r->params.keyspace.at;
    put_long_string(out, r->text);
    if (version < 5) return;
    buf_be(out, keyspace ? NATIVE_PREPARE_KEYSPACE : 0, 4);
    if (keyspace) native_string_put(out, r->params.keyspace);
}

static void put_options(struct buf *out, const struct native_request *r)
{
    buf_be(out, r->option_count, 2);
    for (uint32_t i = 0; i < r->option_count; i++) {
        native_string_put(out, r->options[i].key);
        native_string_put(out, r->options[i].value);
    }
}

static err_t put_message(struct buf *out, const struct native_head *h,
                         const struct native_request *r, struct diag *d)
{
    switch (h->opcode) {
    case NATIVE_OP_EXECUTE:
        put_short_bytes(out, r->id);
        if (h->version >= 5) put_short_bytes(out, r->result_id);
        put_params(out, h->version, &r->params);
        return ERR_OK;
    case NATIVE_OP_QUERY:
        put_long_string(out, r->text);
        put_params(out, h->version, &r->params);
        return ERR_OK;
    case NATIVE_OP_PREPARE: put_prepare(out, h->version, r); return ERR_OK;
    case NATIVE_OP_BATCH: put_batch(out, h->version, r); return ERR_OK;
    case NATIVE_OP_STARTUP: put_options(out, r); return ERR_OK;
    case NATIVE_OP_REGISTER: native_strings_put(out, r->events, r->event_count); return ERR_OK;
    case NATIVE_OP_AUTH_RESPONSE: native_bytes_put(out, r->token); return ERR_OK;
    case NATIVE_OP_OPTIONS: return ERR_OK;
    default: return diag_fail(d, ERR_USAGE, "opcode %u is no request's", h->opcode);
    }
}

/* Counts that travel as two bytes. */
static bool counts_fit(const struct native_request *r)
{
    uint32_t most = MAX(MAX(r->item_count, r->params.value_count),
                        MAX(MAX(r->option_count, r->event_count), r->payload_count));
    for (uint32_t i = 0; i < r->item_count; i++) most = MAX(most, r->items[i].value_count);
    return most <= UINT16_MAX && r->id.len <= UINT16_MAX && r->result_id.len <= UINT16_MAX;
}

err_t native_request_put(struct buf *out, const struct native_head *h,
                         const struct native_request *r, struct diag *d)
{
    struct native_head head = *h;
    size_t begun = out->len;
    if (!counts_fit(r))
        return diag_fail(d, ERR_TOO_BIG, "more than 65,535 values or statements in one request");
    head.response = false;
    head.flags &= (uint8_t)~NATIVE_HEAD_PAYLOAD;
    if (r->payload_count) head.flags |= NATIVE_HEAD_PAYLOAD;
    begun = native_begin(out, &head);
    if (r->payload_count) native_bytes_map_put(out, r->payload, r->payload_count);
    err_t e = put_message(out, &head, r, d);
    if (e) return e;
    e = native_end(out, begun);
    return e ? diag_fail(d, e, "the request does not fit") : ERR_OK;
}
