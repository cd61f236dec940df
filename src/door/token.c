#include "door/token.h"

#include "base/hash.h"
#include "data/doc.h"
#include "data/json.h"
#include "sched/zone.h"

#include <inttypes.h>

#define TOKEN_ISSUER "sluice"

static void put_base64_url(struct buf *out, struct slice s)
{
    size_t from = out->len;
    put_base64(out, s);
    while (!out->err && out->len > from && out->at[out->len - 1] == '=') out->len--;
    for (size_t i = from; i < out->len; i++)
        out->at[i] = out->at[i] == '+' ? '-' : out->at[i] == '/' ? '_' : out->at[i];
}

static err_t read_base64_url(struct slice s, struct buf *out)
{
    struct buf text = buf_make(TOKEN_MAX + 8);
    for (uint32_t i = 0; i < s.len; i++) {
        char c = (char)s.at[i];
        if (c == '+' || c == '/' || c == '=') c = '!'; /* not of this alphabet */
        buf_char(&text, (char)(c == '-' ? '+' : c == '_' ? '/' : c));
    }
    while (text.len % 4 && !text.err) buf_char(&text, '=');
    err_t e = text.err ? text.err : parse_base64(buf_view(&text), out);
    buf_done(&text);
    return e;
}

void token_proof(const struct user *u, char out[17])
{
    uint8_t sum[32];
    digest_sha256(slice_make(u->scram[SCRAM_SHA_256].stored_key, 32), sum);
    struct buf b = buf_over(out, 17);
    put_hex(&b, sum, 8);
    buf_char(&b, 0);
}

static void put_signature(struct buf *out, struct slice key, struct slice body)
{
    uint8_t sum[32];
    digest_hmac_sha256(key, body, sum);
    buf_char(out, '.');
    put_base64_url(out, slice_make(sum, sizeof(sum)));
}

void token_make(struct slice key, const struct user *u, const struct token_made *m, struct buf *out)
{
    char proof[17];
    struct buf claims = buf_make(KIB(2));
    int64_t now = m->now_us / SECOND_US;
    size_t from = out->len;
    token_proof(u, proof);
    buf_text(&claims, "{\"sub\":");
    json_put_text(&claims, slice_of(u->name));
    buf_printf(&claims,
               ",\"iss\":\"" TOKEN_ISSUER "\",\"aud\":\"%s\",\"iat\":%" PRId64 ",\"nbf\":%" PRId64
               ",\"exp\":%" PRId64 ",\"jti\":\"%016" PRIx64 "\",\"pwd\":\"%s\"}",
               m->audience, now, now, now + m->good_us / SECOND_US, m->number, proof);
    put_base64_url(out, SLICE("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"));
    buf_char(out, '.');
    put_base64_url(out, buf_view(&claims));
    if (claims.err) out->err = claims.err;
    buf_done(&claims);
    if (!out->err) put_signature(out, key, slice_make(out->at + from, out->len - from));
}

static bool same(struct slice a, struct slice b) /* in a time that tells nothing */
{
    uint8_t differs = 0;
    if (a.len != b.len) return false;
    for (uint32_t i = 0; i < a.len; i++) differs |= (uint8_t)(a.at[i] ^ b.at[i]);
    return differs == 0;
}

static err_t read_part(struct slice part, struct arena *a, struct doc *out)
{
    struct buf text = buf_make(TOKEN_MAX);
    err_t e = read_base64_url(part, &text);
    struct slice kept = e ? (struct slice){0} : arena_slice(a, buf_view(&text));
    buf_done(&text);
    if (!e && !kept.at) e = ERR_NO_MEMORY;
    return e ? e : doc_of_json(kept, a, out, NULL);
}

static int64_t whole(const struct doc *claims, const char *name, int64_t none)
{
    const struct doc *v = doc_get(claims, name);
    return v && v->kind == DOC_INT ? v->number : none;
}

static err_t check_claims(const struct doc *claims, const char *audience, int64_t now_us,
                          struct token *out)
{
    uint8_t number[8];
    int64_t now = now_us / SECOND_US, until = whole(claims, "exp", INT64_MIN);
    out->name = doc_text(doc_get(claims, "sub"));
    if (!out->name.at || until == INT64_MIN ||
        !slice_to_cstr(doc_text(doc_get(claims, "pwd")), out->proof, sizeof(out->proof)) ||
        !slice_is(doc_text(doc_get(claims, "iss")), TOKEN_ISSUER) ||
        !slice_is(doc_text(doc_get(claims, "aud")), audience) ||
        !parse_hex(doc_text(doc_get(claims, "jti")), number, sizeof(number)))
        return ERR_LOGIN;
    struct cursor c = cursor_of(slice_make(number, sizeof(number)));
    out->number = cursor_be(&c, 8);
    if (until <= now) return ERR_TIMEOUT;
    out->until_us = until * SECOND_US;
    out->made_us = whole(claims, "iat", 0) * SECOND_US;
    return whole(claims, "nbf", 0) > now + 60 ? ERR_LOGIN : ERR_OK;
}

err_t token_read(struct slice key, const char *audience, struct slice token, int64_t now_us,
                 struct arena *a, struct token *out)
{
    struct doc header, claims;
    if (token.len == 0 || token.len > TOKEN_MAX) return ERR_LOGIN;
    const uint8_t *first = memchr(token.at, '.', token.len), *last = token.at + token.len - 1;
    while (last > token.at && *last != '.') last--;
    if (!first || first >= last) return ERR_LOGIN;
    struct slice signed_part = slice_make(token.at, (size_t)(last - token.at));
    struct buf wanted = buf_make(128);
    put_signature(&wanted, key, signed_part);
    bool ours = same(buf_view(&wanted), slice_make(last, token.len - signed_part.len));
    buf_done(&wanted);
    if (!ours) return ERR_LOGIN;
    err_t e = read_part(slice_make(token.at, (size_t)(first - token.at)), a, &header);
    if (!e) e = read_part(slice_make(first + 1, (size_t)(last - first - 1)), a, &claims);
    if (e == ERR_NO_MEMORY) return e;
    if (e || !slice_is(doc_text(doc_get(&header, "alg")), "HS256")) return ERR_LOGIN;
    return check_claims(&claims, audience, now_us, out);
}
