/* An error response of any API, from its tables alone: an error_code at the top when the version
 * has one there, else one for each thing that the request names, with the names copied over. The
 * shapes agree so far in all of Kafka's messages; refuse_test.c looks at each served API. */
#include "door/kafka/kafka_int.h"

static bool in_version(const struct kafka_field *f, int16_t v)
{
    return f->first <= v && v <= f->last;
}

static bool is_code(const struct kafka_field *f)
{
    return f->type == KAFKA_INT16 &&
           (strcmp(f->name, "error_code") == 0 || strcmp(f->name, "partition_error_code") == 0);
}

/* Does a struct of this kind hold an error code, at whatever depth of arrays? */
static bool tells_errors(const struct kafka_struct *s, int16_t v)
{
    for (uint16_t i = 0; i < s->count; i++) {
        const struct kafka_field *f = &s->fields[i];
        if (!in_version(f, v)) continue;
        if (is_code(f) || (f->type == KAFKA_ARRAY && tells_errors(f->of, v))) return true;
    }
    return false;
}

struct refusal {
    struct arena *arena;
    int16_t version, code;
    struct slice words;
};

static size_t size_of(uint8_t type)
{
    static const uint8_t sizes[] = {[KAFKA_BOOL] = sizeof(bool),
                                    [KAFKA_INT8] = 1,
                                    [KAFKA_INT16] = 2,
                                    [KAFKA_UINT16] = 2,
                                    [KAFKA_INT32] = 4,
                                    [KAFKA_UINT32] = 4,
                                    [KAFKA_INT64] = 8,
                                    [KAFKA_FLOAT64] = 8,
                                    [KAFKA_UUID] = sizeof(struct uuid),
                                    [KAFKA_STRING] = sizeof(struct slice)};
    return type < COUNT_OF(sizes) ? sizes[type] : 0;
}

/* An array's or a list's place in a message's struct: all of them look like this. */
struct array {
    uint8_t *at;
    int32_t count;
};

static struct array *array_in(const void *message, const struct kafka_field *f)
{
    return (struct array *)((uintptr_t)message + f->offset);
}

/* Whether a field of the response names what the request named: not the codes, not the words. */
static bool names_something(const struct kafka_field *f)
{
    return size_of(f->type) > 0 && !is_code(f) && strcmp(f->name, "error_message") != 0;
}

/* The request's field that says the same: of the same name, or, for the first one, the first of
 * its type ("partition" is "partition_index" elsewhere). */
static const struct kafka_field *same_in(const struct kafka_struct *asked,
                                         const struct kafka_field *f, bool first, int16_t v)
{
    const struct kafka_field *like = NULL;
    for (uint16_t i = 0; i < asked->count; i++) {
        const struct kafka_field *q = &asked->fields[i];
        if (q->type != f->type || !in_version(q, v)) continue;
        if (strcmp(q->name, f->name) == 0) return q;
        if (!like) like = q;
    }
    return first ? like : NULL;
}

static bool fill(const struct refusal *r, const struct kafka_struct *asked, const void *request,
                 const struct kafka_struct *told, void *response);

/* A null that the response's version can not say stays empty. */
static void copy(const struct refusal *r, const struct kafka_field *f, uint8_t *to,
                 const uint8_t *from)
{
    struct slice text;
    bool nullable = f->nullable && r->version >= f->nullable_first;
    if (f->type == KAFKA_STRING && !nullable) {
        memcpy(&text, from, sizeof(text));
        if (!text.at) return;
    }
    memcpy(to, from, size_of(f->type));
}

/* One element of the answer for one of the request: a struct, or a plain value of a list. */
static bool fill_one(const struct refusal *r, const struct kafka_field *q, const uint8_t *item,
                     const struct kafka_struct *told, uint8_t *out)
{
    bool first = true;
    for (uint16_t i = 0; i < told->count; i++) {
        const struct kafka_field *f = &told->fields[i];
        if (!in_version(f, r->version) || !names_something(f)) continue;
        const struct kafka_field *from =
            q->type == KAFKA_ARRAY ? same_in(q->of, f, first, r->version) : NULL;
        if (from)
            copy(r, f, out + f->offset, item + from->offset);
        else if (q->type == KAFKA_LIST && first && q->element == f->type)
            copy(r, f, out + f->offset, item);
        first = false;
    }
    static const struct kafka_struct nothing = {.name = ""};
    return fill(r, q->type == KAFKA_ARRAY ? q->of : &nothing, item, told, out);
}

static bool grow(const struct refusal *r, struct array *a, const struct kafka_struct *s,
                 int32_t more)
{
    uint8_t *wider = kafka_new(r->arena, s, a->count + more);
    if (!wider) return false;
    if (a->count) memcpy(wider, a->at, (size_t)a->count * s->size);
    a->at = wider;
    return true;
}

/* Everything that the request lists, at this depth, gets its element in the response's array. */
static bool fill_array(const struct refusal *r, const struct kafka_struct *asked,
                       const void *request, const struct kafka_field *f, void *response)
{
    struct array *out = array_in(response, f);
    out->count = 0;
    for (uint16_t i = 0; i < asked->count; i++) {
        const struct kafka_field *q = &asked->fields[i];
        bool list = q->type == KAFKA_LIST;
        if (!in_version(q, r->version) || (q->type != KAFKA_ARRAY && !list)) continue;
        const struct array *in = array_in(request, q);
        if (in->count <= 0) continue;
        if (!grow(r, out, f->of, in->count)) return false;
        size_t stride = list ? size_of(q->element) : q->of->size;
        for (int32_t n = 0; n < in->count; n++, out->count++)
            if (!fill_one(r, q, in->at + (size_t)n * stride, f->of,
                          out->at + (size_t)out->count * f->of->size))
                return false;
    }
    return true;
}

static bool fill(const struct refusal *r, const struct kafka_struct *asked, const void *request,
                 const struct kafka_struct *told, void *response)
{
    bool here = false;
    for (uint16_t i = 0; i < told->count; i++) {
        const struct kafka_field *f = &told->fields[i];
        if (!in_version(f, r->version)) continue;
        if (is_code(f)) {
            memcpy((uint8_t *)response + f->offset, &r->code, sizeof(r->code));
            here = true;
        } else if (f->type == KAFKA_STRING && strcmp(f->name, "error_message") == 0) {
            memcpy((uint8_t *)response + f->offset, &r->words, sizeof(r->words));
        }
    }
    for (uint16_t i = 0; i < told->count && !here; i++) {
        const struct kafka_field *f = &told->fields[i];
        if (!in_version(f, r->version) || f->type != KAFKA_ARRAY ||
            !tells_errors(f->of, r->version))
            continue;
        if (!fill_array(r, asked, request, f, response)) return false;
    }
    return true;
}

bool refusal_fill(const struct kafka_api *api, int16_t version, const void *request,
                  const struct kafka_error *error, struct slice words, struct arena *arena,
                  void *response)
{
    struct refusal r = {arena, version, error->code, words};
    kafka_init(api->response, response);
    return fill(&r, api->request->root, request, api->response->root, response);
}

static void refuse(struct call *c, int16_t code, struct slice words)
{
    if (refusal_fill(c->head.api, kafka_response_version(&c->head), c->request,
                     kafka_error_of(code), words, c->arena, c->response)) {
        call_answer(c);
        return;
    }
    (void)diag_fail(&c->diag, ERR_NO_MEMORY, "no room for the answer that refuses a request");
    call_break(c);
}

void call_refuse(struct call *c, err_t e)
{
    bool told = c->diag.err == e && c->diag.what[0];
    int16_t code = err_kafka(e);
    refuse(c, code, slice_of(told ? c->diag.what : kafka_error_of(code)->text));
}

/* --- roles ------------------------------------------------------------------------------------ */

/* What Kafka says when a right on this kind of thing is missing. */
static int16_t forbidden_code(int16_t api_key)
{
    switch (api_key) {
    case KAFKA_API_produce:
    case KAFKA_API_fetch:
    case KAFKA_API_list_offsets:
    case KAFKA_API_metadata:
    case KAFKA_API_offset_for_leader_epoch:
    case KAFKA_API_create_topics:
    case KAFKA_API_delete_topics:
    case KAFKA_API_delete_records:
    case KAFKA_API_create_partitions:
    case KAFKA_API_alter_configs:
    case KAFKA_API_incremental_alter_configs:
    case KAFKA_API_describe_producers: return KAFKA_ERROR_TOPIC_AUTHORIZATION_FAILED;
    case KAFKA_API_offset_commit:
    case KAFKA_API_offset_fetch:
    case KAFKA_API_offset_delete:
    case KAFKA_API_find_coordinator:
    case KAFKA_API_join_group:
    case KAFKA_API_sync_group:
    case KAFKA_API_heartbeat:
    case KAFKA_API_leave_group:
    case KAFKA_API_describe_groups:
    case KAFKA_API_delete_groups: return KAFKA_ERROR_GROUP_AUTHORIZATION_FAILED;
    case KAFKA_API_add_partitions_to_txn:
    case KAFKA_API_add_offsets_to_txn:
    case KAFKA_API_txn_offset_commit:
    case KAFKA_API_end_txn: return KAFKA_ERROR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    default: return KAFKA_ERROR_CLUSTER_AUTHORIZATION_FAILED;
    }
}

void call_forbid(struct call *c)
{
    int16_t code = forbidden_code(c->head.api_key);
    refuse(c, code, slice_of(kafka_error_of(code)->text));
}
