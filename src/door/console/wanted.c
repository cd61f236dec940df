#include "door/console/wanted.h"

#include "os/http.h"

/* What stands before the next `mark`; the rest stays. */
static struct slice cut_at(struct slice *text, char mark)
{
    const uint8_t *at = text->len ? memchr(text->at, mark, text->len) : NULL;
    struct slice head = at ? slice_make(text->at, (size_t)(at - text->at)) : *text;
    *text = at ? slice_make(at + 1, text->len - head.len - 1) : (struct slice){0};
    return head;
}

/* --- words ---------------------------------------------------------------------------------------
 */

static err_t take_word(struct records_wanted *w, struct slice name, struct slice value,
                       struct diag *d)
{
    const struct {
        const char *name;
        struct slice *to;
    } texts[] = {{"partition", &w->partition}, {"q", &w->text}, {"where", &w->where}};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        if (!slice_is(name, texts[i].name)) continue;
        *texts[i].to = value;
        return ERR_OK;
    }
    if (slice_is(name, "committed") && (slice_is(value, "true") || slice_is(value, "false"))) {
        w->committed = slice_is(value, "true");
        return ERR_OK;
    }
    (void)diag_fail(d, ERR_USAGE, "'%.*s=%.*s' is not known", SLICE_ARG(name), SLICE_ARG(value));
    return diag_hint(d, "it takes partition=0,2 q=TEXT where=CONDITION committed=true");
}

err_t wanted_read(struct slice query, struct arena *a, struct records_wanted *out, struct diag *d)
{
    err_t e = ERR_OK;
    *out = (struct records_wanted){.committed = false};
    while (!e && query.len) {
        struct slice value = cut_at(&query, '&'), name = cut_at(&value, '=');
        if (!name.len && !value.len) continue; /* "a=b&" */
        if (!http_decode(a, value, true, &value)) {
            (void)diag_fail(d, ERR_USAGE, "'%.*s' can not be read", SLICE_ARG(value));
            return diag_hint(d, "a %% is written %%25, an & %%26, a + %%2B");
        }
        e = take_word(out, name, value, d);
    }
    out->where = slice_trim(out->where);
    return e;
}

/* --- partitions ----------------------------------------------------------------------------------
 */

static err_t add_partition(struct browse_start *out, uint32_t *count, int64_t n, struct diag *d)
{
    for (uint32_t i = 0; i < *count; i++)
        if (out[i].partition == n) return ERR_OK;
    if (*count == SCAN_PLACES_MAX) {
        (void)diag_fail(d, ERR_TOO_BIG, "%d partitions are read together at most", SCAN_PLACES_MAX);
        (void)diag_why(d, "they are merged by time, with a piece of each in memory");
        return diag_hint(d, "choose some: partition=0-%d", SCAN_PLACES_MAX - 1);
    }
    out[(*count)++] = (struct browse_start){.partition = (int32_t)n};
    return ERR_OK;
}

static err_t add_range(struct log_topic *t, struct slice range, struct browse_start *out,
                       uint32_t *count, struct diag *d)
{
    struct slice rest = range, text = cut_at(&rest, '-');
    int64_t first = -1, last = -1;
    bool known = slice_to_i64(text, &first) && first >= 0;
    if (known && text.len == range.len)
        last = first;
    else
        known = known && slice_to_i64(rest, &last);
    err_t e = ERR_OK;
    if (!known || last < first || last >= log_topic_partitions(t)) {
        (void)diag_fail(d, ERR_UNKNOWN_TOPIC, "there is no partition '%.*s'", SLICE_ARG(range));
        return diag_hint(d, "they are 0 to %d; 0,2 are two of them, 0-2 three",
                         log_topic_partitions(t) - 1);
    }
    for (int64_t n = first; !e && n <= last; n++) e = add_partition(out, count, n, d);
    return e;
}

err_t wanted_partitions(struct log_topic *t, struct slice partition, struct browse_start *out,
                        uint32_t *count, struct diag *d)
{
    err_t e = ERR_OK;
    *count = 0;
    for (int32_t n = 0; !e && !partition.len && n < log_topic_partitions(t); n++)
        e = add_partition(out, count, n, d);
    while (!e && partition.len) e = add_range(t, cut_at(&partition, ','), out, count, d);
    return e;
}

err_t wanted_condition(struct catalog *c, struct log_topic *t, struct slice where,
                       struct record_where **out, struct diag *d)
{
    struct catalog_view view = {c, {0}};
    struct sql_catalog port = catalog_port(&view);
    where = slice_trim(where);
    return where.len ? record_where_new(&port, log_topic_name(t), where, out, d) : ERR_OK;
}
