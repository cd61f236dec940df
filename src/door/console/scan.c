/* With a condition records are held back until enough of them are there to run it over; places move
 * on in the order of the records all the same. */
#include "door/console/scan.h"

#include "os/clock.h"

enum { LOOK_UP_EVERY = 256 /* records, from one look at the clock to the next */ };

struct held {
    struct browse_record r;
    bool asked; /* the text was found: the condition decides */
};
struct scan {
    const struct scan_ask *q;
    struct scan_found *f;
    struct held *held;
    struct record_seen *seen;
    bool *fits;
    uint32_t held_count, seen_count;
    struct arena *copies;
    int64_t until_ns;
    bool over;
    struct diag *d;
};

const char *scan_end_name(enum scan_end e)
{
    static const char *const names[SCAN_ENDS] = {"limit", "end", "time", "bytes", "stopped"};
    return names[e];
}

/* --- text ---------------------------------------------------------------------------------------
 */

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

bool scan_contains(struct slice hay, struct slice needle)
{
    if (!needle.len) return true;
    if (!hay.at || hay.len < needle.len) return false;
    uint8_t first = lower(needle.at[0]);
    for (uint32_t i = 0; i + needle.len <= hay.len; i++) {
        uint32_t k = 1;
        if (lower(hay.at[i]) != first) continue;
        while (k < needle.len && lower(hay.at[i + k]) == lower(needle.at[k])) k++;
        if (k == needle.len) return true;
    }
    return false;
}

static bool has_text(const struct record *r, struct slice text)
{
    struct cursor c = cursor_of(r->headers);
    struct record_header h;
    if (!text.len) return true;
    if (!r->key_null && scan_contains(r->key, text)) return true;
    if (!r->value_null && scan_contains(r->value, text)) return true;
    for (int32_t i = 0; i < r->header_count && record_header_next(&c, &h) == ERR_OK; i++)
        if (scan_contains(h.key, text) || (!h.value_null && scan_contains(h.value, text)))
            return true;
    return false;
}

/* --- places -------------------------------------------------------------------------------------
 */

static void pass(struct scan *s, const struct browse_record *r)
{
    for (uint32_t i = 0; i < s->f->count; i++) {
        if (s->f->places[i].partition != r->partition) continue;
        s->f->places[i].offset = s->q->backward ? r->record.offset : r->last_offset + 1;
        return;
    }
}

err_t scan_places_read(struct slice text, struct browse_start *out, uint32_t *count, struct diag *d)
{
    *count = 0;
    while (text.len) {
        const uint8_t *comma = memchr(text.at, ',', text.len);
        struct slice one = comma ? slice_make(text.at, (size_t)(comma - text.at)) : text, number;
        const uint8_t *colon = one.len ? memchr(one.at, ':', one.len) : NULL;
        int64_t partition, offset;
        number = colon ? slice_make(colon + 1, (size_t)(one.at + one.len - colon - 1))
                       : (struct slice){0};
        if (!colon || !slice_to_i64(slice_make(one.at, (size_t)(colon - one.at)), &partition) ||
            !slice_to_i64(number, &offset) || partition < 0 || partition > INT32_MAX ||
            offset < 0 || *count == SCAN_PLACES_MAX)
            return diag_fail(d, ERR_USAGE, "'%.*s' is no place: PARTITION:OFFSET, …",
                             SLICE_ARG(one));
        out[(*count)++] = (struct browse_start){(int32_t)partition, offset};
        text = comma ? slice_make(comma + 1, text.len - one.len - 1) : (struct slice){0};
    }
    return ERR_OK;
}

void scan_places_put(struct buf *out, const struct browse_start *places, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        buf_printf(out, "%s%d:%lld", i ? "," : "", places[i].partition,
                   (long long)places[i].offset);
}

/* --- telling ------------------------------------------------------------------------------------
 */

static void end(struct scan *s, enum scan_end why)
{
    if (s->over) return;
    s->over = true;
    s->f->end = why;
}

static err_t tell(struct scan *s, const struct browse_record *r)
{
    err_t e = s->q->tell(s->q->ctx, r);
    if (e == ERR_TOO_BIG && s->f->told) {
        end(s, SCAN_BYTES);
        return ERR_OK;
    }
    if (e) return e;
    s->f->told++;
    pass(s, r);
    if (s->f->told >= s->q->limit) end(s, SCAN_LIMIT);
    return ERR_OK;
}

static struct slice copy(struct scan *s, struct slice bytes)
{
    uint8_t *at = bytes.at ? arena_take_raw(s->copies, bytes.len + JSON_PADDING) : NULL;
    if (!at) return (struct slice){0};
    if (bytes.len) memcpy(at, bytes.at, bytes.len);
    memset(at + bytes.len, 0, JSON_PADDING);
    return slice_make(at, bytes.len);
}

/* What is held goes out, as far as it fits and the limit lets it. */
static err_t flush(struct scan *s)
{
    uint32_t unsure = 0, n = 0;
    err_t e = s->seen_count ? record_where_run(s->q->where, s->seen, s->seen_count, s->q->now_ms,
                                               s->fits, &unsure, s->f->why, s->d)
                            : ERR_OK;
    for (uint32_t i = 0; !e && !s->over && i < s->held_count; i++) {
        const struct held *h = &s->held[i];
        s->f->scanned++;
        if (h->asked && s->fits[n++])
            e = tell(s, &h->r);
        else
            pass(s, &h->r);
    }
    if (!e && unsure && n < s->seen_count) /* those behind the limit come again */
        e = record_where_run(s->q->where, s->seen, n, s->q->now_ms, s->fits, &unsure, s->f->why,
                             s->d);
    s->f->unsure += unsure;
    s->held_count = s->seen_count = 0;
    arena_reset(s->copies);
    return e;
}

static bool hold_copy(struct scan *s, struct held *h)
{
    struct record *r = &h->r.record;
    struct slice key = copy(s, r->key), value = copy(s, r->value), headers = copy(s, r->headers);
    if ((r->key.at && !key.at) || (r->value.at && !value.at) || (r->headers.at && !headers.at))
        return false;
    r->key = key;
    r->value = value;
    r->headers = headers;
    s->seen[s->seen_count++] =
        (struct record_seen){.key = r->key_null ? (struct slice){0} : key,
                             .value = r->value_null ? (struct slice){0} : value,
                             .offset = r->offset,
                             .time_ms = r->timestamp,
                             .partition = h->r.partition};
    return true;
}

static err_t hold(struct scan *s, const struct browse_record *r, bool asked)
{
    struct held *h = &s->held[s->held_count];
    *h = (struct held){*r, asked};
    if (asked && !hold_copy(s, h)) {
        err_t e = flush(s);
        if (e || s->over) return e;
        h = &s->held[0];
        *h = (struct held){*r, asked};
        if (!hold_copy(s, h))
            return diag_fail(s->d, ERR_TOO_BIG,
                             "the record at offset %lld of partition %d is "
                             "too large for a condition",
                             (long long)r->record.offset, r->partition);
    }
    s->held_count++;
    return s->held_count == RECORD_WHERE_ROWS ? flush(s) : ERR_OK;
}

/* --- walking ------------------------------------------------------------------------------------
 */

static bool wanted(const struct scan *s, const struct browse_record *r)
{
    bool record = r->kind < BROWSE_COMMIT_MARK;
    if (s->q->committed && !browse_is_readable(r->kind)) return false;
    if (!s->q->text.len && !s->q->where) return true;
    return record && has_text(&r->record, s->q->text);
}

static err_t take(struct scan *s, const struct browse_record *r)
{
    bool is = wanted(s, r);
    if (s->q->where) return hold(s, r, is);
    s->f->scanned++;
    if (is) return tell(s, r);
    pass(s, r);
    return ERR_OK;
}

static bool spent(struct scan *s, const struct browse *b, uint64_t turn)
{
    s->f->bytes = browse_bytes(b);
    if (s->q->bytes_max && s->f->bytes > s->q->bytes_max) end(s, SCAN_BYTES);
    if (turn % LOOK_UP_EVERY == 0 && s->until_ns && clock_mono_ns() > s->until_ns)
        end(s, SCAN_TIME);
    if (turn % LOOK_UP_EVERY == 0 && s->q->stopping && s->q->stopping(s->q->ctx))
        end(s, SCAN_STOPPED);
    return s->over;
}

static err_t walk(struct scan *s, struct browse *b)
{
    struct browse_record r;
    err_t e = ERR_OK;
    for (uint64_t turn = 1; !e && !s->over; turn++) {
        if (spent(s, b, turn) && s->held_count) {
            enum scan_end why = s->f->end;
            s->over = false; /* what is held is looked at all the same */
            e = flush(s);
            end(s, why);
        }
        if (e || s->over) break;
        e = browse_next(b, &r, s->d);
        if (e) break;
        e = take(s, &r);
    }
    if (e != ERR_NOT_FOUND) return e;
    e = flush(s);
    if (!e && !s->over)
        for (uint32_t i = 0; i < s->f->count; i++) s->f->places[i].offset = browse_place(b, i);
    end(s, SCAN_END);
    return e;
}

static void count_left(struct scan_found *f, struct log_topic *t, bool backward)
{
    for (uint32_t i = 0; i < f->count; i++) {
        struct log_partition *p = log_partition(t, f->places[i].partition);
        int64_t at = f->places[i].offset;
        int64_t n = backward ? at - log_start_offset(p) : log_end_offset(p) - at;
        f->left += (uint64_t)MAX(n, INT64_C(0));
    }
}

err_t scan_run(const struct scan_ask *q, struct scan_found *f, struct diag *d)
{
    struct scan s = {.q = q, .f = f, .d = d};
    struct browse *b = NULL;
    s.until_ns = q->budget_ns ? clock_mono_ns() + q->budget_ns : 0;
    if (q->where) {
        s.held = mem_take(RECORD_WHERE_ROWS * sizeof(*s.held));
        s.seen = mem_take(RECORD_WHERE_ROWS * sizeof(*s.seen));
        s.fits = mem_take(RECORD_WHERE_ROWS * sizeof(*s.fits));
    }
    s.copies = arena_new(SCAN_HELD_BYTES);
    bool room = s.copies && (!q->where || (s.held && s.seen && s.fits));
    err_t e = room ? browse_open(q->topic, f->places, f->count, q->backward, &b, d)
                   : diag_fail(d, ERR_NO_MEMORY, "no memory for a scan");
    if (!e) e = walk(&s, b);
    if (b) f->bytes = browse_bytes(b);
    if (!e) count_left(f, q->topic, q->backward);
    browse_close(b);
    arena_free(s.copies);
    mem_give(s.held);
    mem_give(s.seen);
    mem_give(s.fits);
    return e;
}
