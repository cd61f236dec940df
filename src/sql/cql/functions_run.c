/* A function run: nulls, what it has to say when it fails. */
#include "sql/cql/term_int.h"

/* FunctionExecutionException: drivers get the function and its types beside the words. */
err_t native_fails(struct native_run *r, const char *detail, ...)
{
    struct buf b = buf_make(KIB(8));
    va_list args;
    va_start(args, detail);
    buf_vprintf(&b, detail, args);
    va_end(args);
    err_t e = diag_fail(r->d, ERR_FUNCTION, "%.*s", SLICE_ARG(buf_view(&b)));
    buf_done(&b);
    struct buf where = buf_make(KIB(1));
    buf_printf(&where, "system.%s(", r->s->name);
    for (uint32_t i = 0; i < r->s->count; i++)
        buf_printf(&where, "%s%s", i ? "," : "", type_shown(r->a, r->s->args[i]));
    diag_where(r->d, "%.*s)", SLICE_ARG(buf_view(&where)));
    buf_done(&where);
    return e;
}

err_t native_execute(const struct signature *s, struct cql_value *args, const struct cql_bound *b,
                     struct arena *a, struct cql_value *out, struct diag *d)
{
    struct native_run r = {s, args, b, a, out, d};
    bool null = false;
    *out = (struct cql_value){.state = CQL_NULL};
    for (uint32_t i = 0; i < s->count; i++) {
        if (args[i].state == CQL_UNSET)
            return diag_fail(d, ERR_INVALID,
                             "Invalid unset value for argument in call to function %s", s->name);
        if (!(s->row->flags & NATIVE_RAW) && args[i].state == CQL_SET && args[i].bytes.len == 0 &&
            type_empty_is_null(s->args[i]))
            args[i].state = CQL_NULL;
        null |= args[i].state == CQL_NULL;
    }
    if (null && !(s->row->flags & NATIVE_RAW)) return ERR_OK;
    return s->row->kernel(&r);
}
