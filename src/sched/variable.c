/* Variables, and what they share with connections: secrets at rest, the environment's word. */
#include "sched/secret.h"
#include "sched/things_int.h"

#include <stdio.h>
#include <stdlib.h>

enum { NAME_MAX_BYTES = 600 };

const char *thing_environment(const char *prefix, struct slice name)
{
    char text[NAME_MAX_BYTES];
    size_t before = strlen(prefix);
    if (before + name.len >= sizeof(text) || (name.len && memchr(name.at, 0, name.len)))
        return NULL;
    memcpy(text, prefix, before);
    for (uint32_t i = 0; i < name.len; i++) {
        uint8_t c = name.at[i];
        text[before + i] = (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
    }
    text[before + name.len] = 0;
    return getenv(text);
}

/* --- sealing ---------------------------------------------------------------------------------- */

static err_t ring_of(struct meta *m, const struct secret_ring **out, struct diag *d)
{
    *out = meta_secret(m);
    return *out ? ERR_OK
                : diag_fail(d, ERR_CONFIG,
                            "there is no key for secrets: SLUICE_WORKFLOW_KEY, or "
                            "workflows/key in the data directory");
}

err_t thing_seal(struct meta *m, const char *place, struct slice name, struct slice plain,
                 struct buf *room, struct meta_value *out, struct diag *d)
{
    char where[NAME_MAX_BYTES * 2];
    const struct secret_ring *r;
    *out = meta_null();
    if (!plain.at) return ERR_OK;
    int n = snprintf(where, sizeof(where), "%s:%.*s", place, SLICE_ARG(name));
    err_t e = ring_of(m, &r, d);
    if (!e) e = secret_seal(r, slice_make(where, (size_t)n), plain, room, d);
    *out = meta_bytes(buf_view(room));
    return e;
}

err_t thing_unseal(struct meta *m, const char *place, struct slice name, const struct meta_value *v,
                   struct arena *a, struct slice *out, struct diag *d)
{
    char where[NAME_MAX_BYTES * 2];
    const struct secret_ring *r;
    *out = (struct slice){0};
    if (v->kind == META_NULL) return ERR_OK;
    int n = snprintf(where, sizeof(where), "%s:%.*s", place, SLICE_ARG(name));
    struct buf plain = buf_make(VARIABLE_VALUE_MAX + KIB(1));
    err_t e = ring_of(m, &r, d);
    if (!e) e = secret_open(r, slice_make(where, (size_t)n), v->text, &plain, d);
    if (!e) *out = plain.len ? arena_slice(a, buf_view(&plain)) : SLICE("");
    if (!e && !out->at) e = diag_fail(d, ERR_NO_MEMORY, "no memory for a secret");
    buf_done(&plain);
    return e;
}

/* --- variables -------------------------------------------------------------------------------- */

static err_t check(const struct variable *v, struct diag *d)
{
    if (v->key.len == 0) return diag_fail(d, ERR_USAGE, "a variable's key must not be empty");
    if (thing_length(v->key) > VARIABLE_KEY_MAX)
        return diag_fail(d, ERR_USAGE, "The key has to be less than %d characters",
                         VARIABLE_KEY_MAX);
    if (v->value.len > VARIABLE_VALUE_MAX)
        return diag_fail(d, ERR_TOO_BIG, "the variable %.*s has more than %d bytes",
                         SLICE_ARG(v->key), VARIABLE_VALUE_MAX);
    return ERR_OK;
}

err_t variable_read(struct meta *m, const struct meta_row *row, struct arena *a,
                    struct variable *out, struct diag *d)
{
    *out = (struct variable){.version = row->at[3].number};
    if (!thing_text(&row->at[0], a, &out->key) || !thing_text(&row->at[2], a, &out->description))
        return diag_fail(d, ERR_NO_MEMORY, "no memory for a variable");
    return thing_unseal(m, "variable.value", out->key, &row->at[1], a, &out->value, d);
}

struct reading {
    struct meta *m;
    struct arena *a;
    struct variable *out;
    struct diag *d;
    bool found;
};

static err_t take(void *ctx, const struct meta_row *row)
{
    struct reading *r = ctx;
    r->found = true;
    return variable_read(r->m, row, r->a, r->out, r->d);
}

err_t variable_find(struct meta *m, struct slice key, struct arena *a, struct variable *out,
                    struct diag *d)
{
    struct reading r = {m, a, out, d, false};
    struct meta_value arg = meta_text(key.at ? key : SLICE(""));
    err_t e = meta_run(m, META_VARIABLE_FIND, &arg, 1, take, &r, NULL, d);
    return e || r.found
               ? e
               : diag_fail(d, ERR_NOT_FOUND, "Variable %.*s does not exist", SLICE_ARG(key));
}

err_t variable_resolve(struct meta *m, struct slice key, struct arena *a, struct variable *out,
                       struct diag *d)
{
    const char *said = thing_environment("AIRFLOW_VAR_", key);
    err_t e = said ? ERR_OK : variable_of_file(m, key, a, out, d);
    if (!said) return e == ERR_NOT_FOUND ? variable_find(m, key, a, out, d) : e;
    *out = (struct variable){.key = arena_slice(a, key),
                             .value = slice_make(arena_text(a, slice_of(said)), strlen(said))};
    return out->value.at ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory for a variable");
}

static err_t write_row(struct meta *m, enum meta_statement s, const struct variable *v,
                       int64_t *changed, struct diag *d)
{
    struct buf room = buf_make(VARIABLE_VALUE_MAX + KIB(1));
    struct meta_value args[4] = {meta_text(v->key)};
    err_t e = check(v, d);
    struct slice value = v->value.at ? v->value : SLICE("");
    if (!e) e = thing_seal(m, "variable.value", v->key, value, &room, &args[1], d);
    args[2] = meta_text(v->description);
    args[3] = meta_int(v->version);
    if (!e) e = meta_run(m, s, args, s == META_VARIABLE_CHANGE ? 4 : 3, NULL, NULL, changed, d);
    buf_done(&room);
    return e;
}

err_t variable_create(struct meta *m, const struct variable *v, struct diag *d)
{
    int64_t changed = 0;
    err_t e = write_row(m, META_VARIABLE_CREATE, v, &changed, d);
    return e || changed ? e
                        : diag_fail(d, ERR_EXISTS, "The Variable with key: `%.*s` already exists",
                                    SLICE_ARG(v->key));
}

err_t variable_put(struct meta *m, const struct variable *v, struct diag *d)
{
    return write_row(m, META_VARIABLE_PUT, v, NULL, d);
}

err_t variable_change(struct meta *m, const struct variable *v, struct diag *d)
{
    int64_t changed = 0;
    err_t e = write_row(m, META_VARIABLE_CHANGE, v, &changed, d);
    return e || changed ? e
                        : diag_fail(d, ERR_BUSY, "the variable %.*s was changed by another",
                                    SLICE_ARG(v->key));
}

err_t variable_delete(struct meta *m, struct slice key, struct diag *d)
{
    int64_t changed = 0;
    struct meta_value arg = meta_text(key.at ? key : SLICE(""));
    err_t e = meta_run(m, META_VARIABLE_DELETE, &arg, 1, NULL, NULL, &changed, d);
    return e || changed
               ? e
               : diag_fail(d, ERR_NOT_FOUND, "Variable %.*s does not exist", SLICE_ARG(key));
}

/* --- a new key -------------------------------------------------------------------------------- */

struct resealing {
    struct meta *m;
    struct arena *a;
    struct diag *d;
    int64_t count;
};

static bool is_old(struct resealing *x, const struct meta_value *v)
{
    return v->kind != META_NULL && !secret_is_newest(meta_secret(x->m), v->text);
}

static err_t again(struct resealing *x, const char *place, struct slice name,
                   const struct meta_value *v, struct buf *room, struct meta_value *out)
{
    struct slice plain;
    err_t e = thing_unseal(x->m, place, name, v, x->a, &plain, x->d);
    if (!e) e = thing_seal(x->m, place, name, plain, room, out, x->d);
    if (!e && v->kind != META_NULL) x->count++;
    return e;
}

static err_t reseal_variable(void *ctx, const struct meta_row *row)
{
    struct resealing *x = ctx;
    struct slice key;
    if (!is_old(x, &row->at[1])) return ERR_OK;
    arena_reset(x->a);
    if (!thing_text(&row->at[0], x->a, &key)) return diag_fail(x->d, ERR_NO_MEMORY, "no memory");
    struct buf room = buf_make(VARIABLE_VALUE_MAX + KIB(1));
    struct meta_value args[] = {meta_text(key), meta_null(), row->at[2]};
    err_t e = again(x, "variable.value", key, &row->at[1], &room, &args[1]);
    if (!e) e = meta_run(x->m, META_VARIABLE_RESEAL, args, 3, NULL, NULL, NULL, x->d);
    buf_done(&room);
    return e;
}

static err_t reseal_connection(void *ctx, const struct meta_row *row)
{
    struct resealing *x = ctx;
    struct slice id;
    if (!is_old(x, &row->at[1]) && !is_old(x, &row->at[2])) return ERR_OK;
    arena_reset(x->a);
    if (!thing_text(&row->at[0], x->a, &id)) return diag_fail(x->d, ERR_NO_MEMORY, "no memory");
    struct buf one = buf_make(VARIABLE_VALUE_MAX), two = buf_make(VARIABLE_VALUE_MAX);
    struct meta_value args[] = {meta_text(id), meta_null(), meta_null(), row->at[3]};
    err_t e = again(x, "connection.password", id, &row->at[1], &one, &args[1]);
    if (!e) e = again(x, "connection.extra", id, &row->at[2], &two, &args[2]);
    if (!e) e = meta_run(x->m, META_CONNECTION_RESEAL, args, 4, NULL, NULL, NULL, x->d);
    buf_done(&one);
    buf_done(&two);
    return e;
}

err_t meta_reseal(struct meta *m, int64_t *count, struct diag *d)
{
    struct resealing x = {m, arena_new(4 * (size_t)VARIABLE_VALUE_MAX), d, 0};
    *count = 0;
    if (!x.a) return diag_fail(d, ERR_NO_MEMORY, "no memory to seal anew");
    err_t e = meta_begin(m, true, d);
    if (!e) e = meta_run(m, META_VARIABLE_SECRETS, NULL, 0, reseal_variable, &x, NULL, d);
    if (!e) e = meta_run(m, META_CONNECTION_SECRETS, NULL, 0, reseal_connection, &x, NULL, d);
    if (e)
        meta_rollback(m);
    else
        e = meta_commit(m, d);
    arena_free(x.a);
    if (!e) *count = x.count;
    return e;
}

err_t meta_rotate(const char *where, const char *key_path, struct secret_ring *r, int64_t *count,
                  struct diag *d)
{
    struct meta *m = NULL;
    err_t e = secret_ring_add(key_path, r, d);
    struct meta_options o = {.where = where, .secret = r};
    if (!e) e = meta_open(&o, &m, d);
    if (!e) e = meta_reseal(m, count, d);
    meta_close(m);
    return e ? e : secret_ring_forget(key_path, r, d);
}
