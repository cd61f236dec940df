/* token(), bytes and values, JSON. */
#include "sql/cql/term_int.h"

#include "base/hash.h"

/* A key of several columns: each with its length in front and a zero behind. */
err_t cf_token(struct native_run *r)
{
    uint64_t size = 0;
    for (uint32_t i = 0; i < r->s->count; i++) {
        if (r->args[i].state != CQL_SET) return ERR_OK;
        size += (uint64_t)r->args[i].bytes.len + 3;
        if (r->args[i].bytes.len > UINT16_MAX)
            return diag_fail(r->d, ERR_INVALID, "Key length of %u is longer than maximum of %d",
                             r->args[i].bytes.len, UINT16_MAX);
    }
    struct slice key = r->args[0].bytes;
    if (r->s->count > 1) {
        uint8_t *at = arena_take_raw(r->a, size);
        if (!at) return term_no_room(r->d);
        struct buf b = buf_over(at, size);
        for (uint32_t i = 0; i < r->s->count; i++) {
            buf_be(&b, r->args[i].bytes.len, 2);
            buf_slice(&b, r->args[i].bytes);
            buf_char(&b, 0);
        }
        key = buf_view(&b);
    }
    return put_be_value(r->a, (uint64_t)murmur3_token(key), 8, r->out, r->d);
}

err_t cf_to_blob(struct native_run *r)
{
    *r->out = r->args[0];
    return ERR_OK;
}

err_t cf_from_blob(struct native_run *r)
{
    struct slice b = r->args[0].bytes;
    *r->out = r->args[0];
    if (r->args[0].state != CQL_SET || binary_check(r->s->result, b, NULL) == ERR_OK) return ERR_OK;
    struct buf hex = buf_make(KIB(1));
    put_hex(&hex, b.at, MIN(b.len, 128u));
    err_t e =
        diag_fail(r->d, ERR_INVALID,
                  "In call to function system.%s, value 0x%.*s is not a valid binary "
                  "representation for type %s",
                  r->s->name, SLICE_ARG(buf_view(&hex)),
                  strstr(r->s->row->name, "varchar") ? "varchar" : type_shown(r->a, r->s->result));
    buf_done(&hex);
    return e;
}

/* --- JSON
 * -----------------------------------------------------------------------------------------
 */

err_t cf_to_json(struct native_run *r)
{
    struct buf text = buf_make(TERM_BYTES_MAX);
    struct cql_value v = r->args[0];
    struct slice made;
    if (v.state == CQL_SET && v.bytes.len == 0 && type_empty_is_null(r->s->args[0]))
        v.state = CQL_NULL;
    cql_to_json(r->s->args[0], &v, &text);
    err_t e = term_keep(&text, r->a, &made, r->d);
    return e ? e : set_value(r->out, made);
}

err_t cf_from_json(struct native_run *r)
{
    struct diag why = {0};
    err_t e = cql_from_json(r->s->result, r->args[0].bytes, r->a, r->out, &why);
    if (!e) return ERR_OK;
    if (e == ERR_CAST) return diag_fail(r->d, ERR_INVALID, "%s", why.what); /* a duration's text */
    if (e == ERR_BAD_JSON)
        return native_fails(r,
                            "execution of 'system.%s[text]' failed: Could not decode JSON string "
                            "'%.*s': %s",
                            r->s->name, SLICE_ARG(r->args[0].bytes), why.what);
    return native_fails(r, "org.apache.cassandra.serializers.MarshalException: %s", why.what);
}
