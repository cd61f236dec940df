/* The server itself: its doors, its settings, what its doctor says. All of it is main's to know. */
#include "door/console/console_int.h"

#include "os/clock.h"

/* --- doors --------------------------------------------------------------------------------------
 */

static void put_spot(struct buf *out, const struct console_spot *s)
{
    js_open(out, '{');
    js_put_cstr(out, "address", s->address);
    js_name(out, "port");
    if (s->port)
        js_uint(out, s->port);
    else
        js_null(out);
    js_put_bool(out, "tls", s->tls);
    js_put_cstr(out, "setting", s->setting);
    js_put_cstr(out, "page", s->page);
    js_put_uint(out, "connections", s->counts.open);
    js_put_uint(out, "accepted", s->counts.accepted);
    js_put_uint(out, "refused", s->counts.refused);
    js_put_uint(out, "bytes_in", s->counts.bytes_in);
    js_put_uint(out, "bytes_out", s->counts.bytes_out);
    js_close(out, '}');
}

static void put_count(struct buf *out, const char *name, bool known, uint64_t n)
{
    js_name(out, name);
    if (known)
        js_uint(out, n);
    else
        js_null(out);
}

static err_t put_doors(const struct console *c, struct arena *a, struct buf *out, struct diag *d)
{
    struct console_door *all = arena_take(a, CONSOLE_DOORS_MAX * sizeof(*all));
    if (!all) return diag_fail(d, ERR_NO_MEMORY, "no memory for the doors");
    uint32_t count = c->o.port.doors ? c->o.port.doors(c->o.port.ctx, all, CONSOLE_DOORS_MAX) : 0;
    js_open(out, '[');
    for (uint32_t i = 0; i < count; i++) {
        js_open(out, '{');
        js_put_cstr(out, "name", all[i].name);
        js_put_cstr(out, "about", all[i].about);
        js_put_cstr(out, "login", all[i].login);
        put_count(out, "requests", all[i].counts, all[i].requests);
        put_count(out, "errors", all[i].counts, all[i].errors);
        js_put_open(out, "listeners", '[');
        for (uint32_t k = 0; k < all[i].spot_count; k++) put_spot(out, &all[i].spots[k]);
        js_close(out, ']');
        js_close(out, '}');
    }
    js_close(out, ']');
    return ERR_OK;
}

err_t console_listeners(struct ask *a)
{
    return put_doors(a->console, a->arena, &a->out, &a->d);
}

err_t live_listeners(struct look *k)
{
    return put_doors(k->console, k->arena, &k->out, &k->d);
}

/* --- settings -----------------------------------------------------------------------------------
 */

err_t console_settings(struct ask *a)
{
    const struct console_port *p = &a->console->o.port;
    struct console_setting s;
    js_open(&a->out, '[');
    for (uint32_t n = 0; p->setting && p->setting(p->ctx, n, &s); n++) {
        js_open(&a->out, '{');
        js_put_cstr(&a->out, "key", s.key);
        js_put_cstr(&a->out, "value", s.value);
        js_put_cstr(&a->out, "default", s.fallback);
        js_put_cstr(&a->out, "source", s.source);
        js_put_bool(&a->out, "changed", strcmp(s.source, "default") != 0);
        js_put_bool(&a->out, "live", s.live);
        js_put_cstr(&a->out, "takes", s.takes);
        js_put_cstr(&a->out, "about", s.about);
        js_close(&a->out, '}');
    }
    js_close(&a->out, ']');
    return ERR_OK;
}

/* --- doctor -------------------------------------------------------------------------------------
 */

struct examined {
    struct buf *out;
    uint32_t problems;
};

static void put_finding(void *to, const struct console_finding *f)
{
    struct examined *x = to;
    x->problems += strcmp(f->word, "problem") == 0;
    js_open(x->out, '{');
    js_put_cstr(x->out, "word", f->word);
    js_put_cstr(x->out, "area", f->area);
    js_put_cstr(x->out, "what", f->what);
    js_put_cstr(x->out, "where", f->where);
    js_put_cstr(x->out, "why", f->why);
    js_put_cstr(x->out, "hint", f->hint);
    js_put_text(x->out, "text", f->text);
    js_close(x->out, '}');
}

err_t console_doctor(struct ask *a)
{
    const struct console_port *p = &a->console->o.port;
    struct examined x = {.out = &a->out};
    int64_t begun = clock_mono_ns();
    js_open(&a->out, '{');
    js_put_open(&a->out, "findings", '[');
    if (p->doctor) p->doctor(p->ctx, put_finding, &x);
    js_close(&a->out, ']');
    js_put_uint(&a->out, "problems", x.problems);
    js_put_real(&a->out, "ms", (double)(clock_mono_ns() - begun) / 1e6);
    js_close(&a->out, '}');
    return ERR_OK;
}
