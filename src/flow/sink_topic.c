/* sink: into a topic: rows as JSON objects, by key where there is one; a key whose row is gone gets
 * a null value. */
#include "flow/outbox.h"
#include "flow/sink.h"

enum { RECORD_OVERHEAD = 64, BATCH_BYTES_MAX = 1 << 20, JSON_ROW_MAX = 16 << 20 };

struct topic_sink {
    struct outbox *outbox;
    struct net *net; /* where rows may be taken back; NULL: they may not */
    struct slice *names;
    struct record_builder *builders; /* a partition's, as it fills */
    int32_t partitions;
    size_t batch_max;
    uint64_t rows; /* of the epoch so far: who has neither key nor record goes round */
    struct buf key, value;
};

static void topic_close(struct lane *l)
{
    struct topic_sink *s = l->sink_self;
    if (!s) return;
    for (int32_t i = 0; i < s->partitions; i++) record_builder_done(&s->builders[i]);
    outbox_free(s->outbox);
    net_free(s->net);
    buf_done(&s->key);
    buf_done(&s->value);
    mem_give(s->builders);
    mem_give(s->names);
    mem_give(s);
}

static err_t topic_open(struct lane *l, struct diag *d)
{
    const struct plan_stream *p = l->stream->plan;
    const struct plan_node *root = p->root;
    if (root->changes && p->topic_key < 0) {
        diag_fail(d, ERR_UNSUPPORTED, "stream '%.*s': rows of topic '%.*s' change and have no key",
                  SLICE_ARG(p->name), SLICE_ARG(p->into->name));
        return diag_hint(d,
                         "say which column is the key: WITH (key = '…'), or EMIT ON WINDOW CLOSE");
    }
    struct topic_sink *s = l->sink_self = mem_take(sizeof(*s));
    if (s) {
        s->key = buf_make(MIB(1));
        s->value = buf_make(JSON_ROW_MAX);
        s->names = mem_take((root->column_count + 1) * sizeof(*s->names));
    }
    if (!s || !s->names) return diag_fail(d, ERR_NO_MEMORY, "stream '%.*s'", SLICE_ARG(p->name));
    for (uint32_t i = 0; i < root->column_count; i++) s->names[i] = root->columns[i].name;
    err_t e = outbox_new(l, p->into->name, &s->outbox, d);
    return e || !root->changes ? e : net_new(root, lane_share(l) / 2, &s->net, d);
}

static err_t topic_recover(struct lane *l, struct diag *d)
{
    struct topic_sink *s = l->sink_self;
    return outbox_recover(s->outbox, d);
}

static err_t topic_begin(struct lane *l, struct diag *d)
{
    struct topic_sink *s = l->sink_self;
    err_t e = outbox_begin(s->outbox, d);
    if (e) return e;
    struct log_topic *t = outbox_topic(s->outbox);
    int32_t partitions = log_topic_partitions(t);
    int32_t message_max = log_topic_config(t).message_max_bytes;
    s->batch_max = (size_t)MIN(message_max, (int32_t)BATCH_BYTES_MAX);
    s->rows = 0;
    if (s->net) net_reset(s->net);
    for (int32_t i = 0; i < s->partitions; i++) record_builder_reset(&s->builders[i]);
    if (partitions <= s->partitions) return ERR_OK;
    struct record_builder *grown =
        mem_resize(s->builders, (size_t)partitions * sizeof(*s->builders));
    if (!grown) return diag_fail(d, ERR_NO_MEMORY, "no memory for a topic's batches");
    s->builders = grown;
    for (; s->partitions < partitions; s->partitions++)
        s->builders[s->partitions] = record_builder_make(RECORD_BATCH_MAX);
    return ERR_OK;
}

/* --- one row ------------------------------------------------------------------------------------
 */

/* The key as text, as people write it; false: it is null. */
static bool key_text(struct lane *l, const struct rows *r, uint32_t row)
{
    struct topic_sink *s = l->sink_self;
    int32_t column = l->stream->plan->topic_key;
    struct value v;
    buf_reset(&s->key);
    if (column < 0) return false;
    column_get(&r->b->columns[column], row, &v);
    if (v.state != VALID_VALUE) return false;
    if (v.type->kind == TYPE_JSON && v.bytes.len && v.bytes.at[0] == '"') {
        struct value text; /* a JSON string's own text, without its quotes */
        if (!value_from_json(type_of(TYPE_TEXT), v.bytes, false, l->arena, &text, NULL)) v = text;
    }
    value_to_text(&v, &s->key);
    return true;
}

static int32_t choose_partition(struct lane *l, const struct rows *r, uint32_t row, bool keyed)
{
    struct topic_sink *s = l->sink_self;
    if (keyed) return kafka_partition_of(buf_view(&s->key), s->partitions);
    if (r->offsets) return r->partitions[row] % s->partitions;
    return (int32_t)(((l->epoch.number >> 8) + s->rows) % (uint64_t)s->partitions);
}

/* The event's time, where the rows have one; else the record's, or the epoch's. */
static int64_t record_time(const struct lane *l, const struct rows *r, uint32_t row)
{
    int32_t column = r->node->time;
    if (column >= 0 && r->b->columns[column].state[row] == VALID_VALUE)
        return r->b->columns[column].i64[row];
    return r->times && r->times[row] != INT64_MIN ? r->times[row] : l->epoch.now_ms;
}

static err_t add_row(struct lane *l, const struct rows *r, uint32_t row, bool remove, bool *taken,
                     struct diag *d)
{
    struct topic_sink *s = l->sink_self;
    struct op *root = &l->graph->ops[r->node->id];
    bool keyed = key_text(l, r, row);
    int32_t partition = choose_partition(l, r, row, keyed);
    struct record_builder *b = &s->builders[partition];
    buf_reset(&s->value);
    if (!remove) json_put_row(&s->value, r->b, s->names, row);
    size_t size = s->key.len + s->value.len + RECORD_OVERHEAD;
    *taken = false;
    if (s->key.err || s->value.err || size + RECORD_BATCH_HEAD > s->batch_max)
        return op_dead(root, r, row, ERR_TOO_BIG,
                       SLICE("the row is larger than the topic's max.message.bytes"), SLICE(""), d);
    if (b->count && b->records.len + size + RECORD_BATCH_HEAD > s->batch_max) {
        err_t e = outbox_add(s->outbox, partition, b, d);
        if (e) return e;
    }
    record_builder_add(b, record_time(l, r, row), keyed ? buf_view(&s->key) : (struct slice){0},
                       remove ? (struct slice){0} : buf_view(&s->value), NULL, 0);
    s->rows++;
    *taken = true;
    return ERR_OK;
}

static err_t add_rows(struct lane *l, const struct rows *r, bool remove, struct diag *d)
{
    uint32_t count = 0;
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < r->count; i++) {
        bool taken = false;
        e = add_row(l, r, r->selected[i], remove, &taken, d);
        count += taken;
    }
    sink_count(l, r, count);
    return e;
}

static err_t keep_words(struct lane *l, const struct rows *r, struct diag *d)
{
    struct topic_sink *s = l->sink_self;
    struct op *root = &l->graph->ops[r->node->id];
    err_t e = ERR_OK;
    uint32_t kept = 0;
    for (uint32_t i = 0; !e && i < r->count; i++) {
        uint32_t row = r->selected[i];
        bool keyed = key_text(l, r, row);
        if (!keyed || s->key.err)
            e = op_dead(root, r, row, keyed ? s->key.err : ERR_CONSTRAINT,
                        keyed ? SLICE("the key is too long") : SLICE("the record's key is null"),
                        s->names[l->stream->plan->topic_key], d);
        else
            e = net_take(s->net, buf_view(&s->key), r, row, d);
        kept += keyed;
    }
    if (!e && r->chunk) count_term(&l->epoch.counter, TERM_APPLIED, kept);
    return e;
}

static err_t topic_rows(struct lane *l, const struct rows *r, struct diag *d)
{
    const struct topic_sink *s = l->sink_self;
    return s->net ? keep_words(l, r, d) : add_rows(l, r, false, d);
}

/* --- the epoch's end ----------------------------------------------------------------------------
 */

static err_t put_words(void *lane, const struct rows *r, struct diag *d)
{
    return add_rows(lane, r, false, d);
}

static err_t remove_words(void *lane, const struct rows *r, struct diag *d)
{
    return add_rows(lane, r, true, d);
}

static err_t topic_finish(struct lane *l, struct diag *d)
{
    struct topic_sink *s = l->sink_self;
    err_t e = s->net ? net_tell(s->net, -1, l->arena, remove_words, l, d) : ERR_OK;
    if (!e && s->net) e = net_tell(s->net, 1, l->arena, put_words, l, d);
    if (s->net) net_reset(s->net);
    for (int32_t i = 0; !e && i < s->partitions; i++)
        if (s->builders[i].count) e = outbox_add(s->outbox, i, &s->builders[i], d);
    return e ? e : outbox_write(s->outbox, d);
}

static err_t topic_settled(struct lane *l, struct diag *d)
{
    struct topic_sink *s = l->sink_self;
    return outbox_append(s->outbox, d);
}

static size_t topic_bytes(const struct lane *l)
{
    const struct topic_sink *s = l->sink_self;
    size_t bytes = outbox_bytes(s->outbox) * 2 + (s->net ? net_bytes(s->net) : 0);
    for (int32_t i = 0; i < s->partitions; i++) bytes += s->builders[i].records.len;
    return bytes;
}

const struct sink_verbs sink_topic = {.open = topic_open,
                                      .begin = topic_begin,
                                      .rows = topic_rows,
                                      .finish = topic_finish,
                                      .settled = topic_settled,
                                      .recover = topic_recover,
                                      .bytes = topic_bytes,
                                      .close = topic_close};
