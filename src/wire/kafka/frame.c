/* Headers, and the length in front of everything. They are short and always the same, so they are
 * written here by hand; tests hold them to the tables of headers.def. */
#include "wire/kafka/kafka_int.h"

/* Tags that a header may carry: none is known, all are skipped. */
static void skip_tags(struct cursor *c)
{
    uint64_t count = cursor_uvarint(c);
    for (uint64_t i = 0; i < count && !c->err; i++) {
        cursor_uvarint(c);
        (void)cursor_slice(c, cursor_uvarint(c));
    }
}

static bool response_has_tags(const struct kafka_api *api, int16_t version)
{
    return version >= api->flexible_first && api->key != KAFKA_API_api_versions;
}

err_t kafka_request_head(struct slice frame, struct kafka_request_head *out, struct diag *d)
{
    struct cursor c = cursor_of(frame.at ? frame : SLICE(""));
    *out = (struct kafka_request_head){0};
    out->api_key = cursor_i16(&c);
    out->api_version = cursor_i16(&c);
    out->correlation_id = cursor_i32(&c);
    if (c.err) return diag_fail(d, ERR_SHORT, "request header ends too early");
    out->api = kafka_api_of(out->api_key);
    if (!out->api) return ERR_OK;
    out->version_known = out->api_version >= out->api->first && out->api_version <= out->api->last;
    int16_t length = cursor_i16(&c);
    if (length < -1)
        return diag_fail(d, ERR_MALFORMED, "request header: client_id has a negative length");
    if (length >= 0) out->client_id = cursor_slice(&c, (uint64_t)length);
    if (out->version_known && out->api_version >= out->api->flexible_first) skip_tags(&c);
    if (c.err)
        return diag_fail(d, c.err, "request header of %s v%d %s", out->api->name, out->api_version,
                         c.err == ERR_SHORT ? "ends too early" : "is malformed");
    out->body = out->version_known ? c : (struct cursor){c.end, c.end, ERR_OK};
    return ERR_OK;
}

int16_t kafka_response_version(const struct kafka_request_head *head)
{
    return head->version_known ? head->api_version : 0;
}

size_t kafka_response_begin(struct buf *out, const struct kafka_request_head *head)
{
    size_t begun = out->len;
    buf_be(out, 0, 4);
    buf_be(out, (uint32_t)head->correlation_id, 4);
    if (head->api && response_has_tags(head->api, kafka_response_version(head)))
        buf_uvarint(out, 0);
    return begun;
}

err_t kafka_response_end(struct buf *out, size_t begun, const struct kafka_splices *splices)
{
    if (out->err) return out->err;
    uint64_t size = out->len - begun - 4;
    for (uint32_t i = splices ? splices->count : 0; i > 0 && splices->list[i - 1].at > begun; i--)
        size += splices->list[i - 1].size;
    if (size > INT32_MAX) return ERR_TOO_BIG;
    buf_set_be(out, begun, size, 4);
    return ERR_OK;
}

size_t kafka_request_begin(struct buf *out, const struct kafka_api *api, int16_t version,
                           int32_t correlation_id, struct slice client_id)
{
    size_t begun = out->len;
    if (client_id.len > KAFKA_STRING_MAX) client_id.len = KAFKA_STRING_MAX;
    buf_be(out, 0, 4);
    buf_be(out, (uint16_t)api->key, 2);
    buf_be(out, (uint16_t)version, 2);
    buf_be(out, (uint32_t)correlation_id, 4);
    buf_be(out, client_id.at ? (uint16_t)client_id.len : UINT16_MAX, 2);
    buf_slice(out, client_id);
    if (version >= api->flexible_first) buf_uvarint(out, 0);
    return begun;
}

err_t kafka_request_end(struct buf *out, size_t begun)
{
    return kafka_response_end(out, begun, NULL);
}

err_t kafka_response_head(struct slice frame, const struct kafka_api *api, int16_t version,
                          int32_t *correlation_id, struct cursor *body, struct diag *d)
{
    *body = cursor_of(frame.at ? frame : SLICE(""));
    *correlation_id = cursor_i32(body);
    if (response_has_tags(api, version)) skip_tags(body);
    if (!body->err) return ERR_OK;
    return diag_fail(d, body->err, "response header of %s v%d %s", api->name, version,
                     body->err == ERR_SHORT ? "ends too early" : "is malformed");
}
