#include "os/keeper_mask.h"

#include "base/base.h"

#include <stdlib.h>

static int longest_first(const void *a, const void *b)
{
    uint32_t x = ((const struct slice *)a)->len, y = ((const struct slice *)b)->len;
    return x > y ? -1 : x < y;
}

bool keeper_mask_init(struct keeper_mask *m, const struct slice *secrets, uint32_t count)
{
    *m = (struct keeper_mask){0};
    m->secrets = count ? mem_take(count * sizeof *m->secrets) : NULL;
    if (count && !m->secrets) return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!secrets[i].len) continue;
        char *copy = mem_text(secrets[i]);
        if (!copy) return false;
        m->secrets[m->count++] = slice_make(copy, secrets[i].len);
        m->begins[secrets[i].at[0]] = true;
    }
    if (m->count) qsort(m->secrets, m->count, sizeof *m->secrets, longest_first);
    m->held = buf_make(m->count ? m->secrets[0].len + ((size_t)1 << 20) : 1);
    return true;
}

void keeper_mask_done(struct keeper_mask *m)
{
    for (uint32_t i = 0; i < m->count; i++) mem_give((void *)(uintptr_t)m->secrets[i].at);
    mem_give(m->secrets);
    buf_done(&m->held);
    *m = (struct keeper_mask){0};
}

/* How long the secret is that begins here; 0: none. *maybe: more bytes would tell. */
static uint32_t secret_at(const struct keeper_mask *m, struct slice rest, bool *maybe)
{
    for (uint32_t i = 0; i < m->count; i++) {
        const struct slice *s = &m->secrets[i];
        if (memcmp(s->at, rest.at, MIN(s->len, rest.len)) != 0) continue;
        if (s->len <= rest.len) return s->len;
        *maybe = true;
        return 0;
    }
    return 0;
}

void keeper_mask_say(struct keeper_mask *m, struct slice bytes, bool last,
                     void (*say)(void *ctx, const void *bytes, size_t len), void *ctx)
{
    size_t at = 0, from = 0;
    if (!m->count) {
        say(ctx, bytes.at, bytes.len);
        return;
    }
    buf_slice(&m->held, bytes);
    if (m->held.err) { /* no memory: rather nothing than a secret */
        buf_reset(&m->held);
        return;
    }
    while (at < m->held.len) {
        bool maybe = false;
        struct slice rest = slice_make(m->held.at + at, m->held.len - at);
        uint32_t hit = m->begins[rest.at[0]] ? secret_at(m, rest, &maybe) : 0;
        if (maybe && !last) break;
        if (hit) {
            say(ctx, m->held.at + from, at - from);
            say(ctx, "***", 3);
            from = at + hit;
        }
        at += hit ? hit : 1;
    }
    say(ctx, m->held.at + from, at - from);
    memmove(m->held.at, m->held.at + at, m->held.len - at);
    m->held.len -= at;
}
