/* virtual_dead: system_views.dead_letters: ours, not Cassandra's. The letters are flow's, and come
 * through a port. */
#include "cql/virtual.h"

static void say_time(struct virtual_rows *v, int64_t ms)
{
    uint8_t room[8];
    struct buf b = buf_over(room, sizeof(room));
    buf_be(&b, (uint64_t)ms, 8);
    virtual_bytes(v, buf_view(&b));
}

/* Text where it is some, and always the bytes. */
static void say_both(struct virtual_rows *v, struct slice s)
{
    struct value value;
    bool text = s.at && value_from_binary(type_of(TYPE_TEXT), s, &value, NULL) == ERR_OK;
    virtual_bytes(v, text ? s : (struct slice){0});
    virtual_bytes(v, s);
}

static void say_some(struct virtual_rows *v, struct slice s)
{
    virtual_bytes(v, s.len ? s : (struct slice){0});
}

static err_t say_letter(void *ctx, const struct cql_dead_letter *l)
{
    struct virtual_rows *v = ctx;
    virtual_bytes(v, l->stage);
    say_time(v, l->time_ms);
    virtual_bytes(v, l->topic);
    virtual_int(v, l->partition);
    virtual_big(v, l->offset);
    virtual_big(v, l->number);
    virtual_bytes(v, l->code);
    say_some(v, l->column);
    virtual_big(v, l->epoch);
    say_some(v, l->expression);
    say_both(v, l->key);
    say_both(v, l->mended);
    say_both(v, l->raw);
    virtual_bytes(v, l->reason);
    virtual_big(v, l->records);
    say_time(v, l->written_ms);
    virtual_end(v);
    return v->err;
}

void fill_dead_letters(struct virtual_rows *v)
{
    const struct cql_options *o = cql_options(v->cql);
    const struct slice *one = v->read->partition;
    if (!o->dead_letters || (one && !one[0].len)) return;
    err_t e = o->dead_letters(o->dead_ctx, one ? one[0] : (struct slice){0}, say_letter, v);
    if (e && !v->err) v->err = e;
}
