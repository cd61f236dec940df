/* What was found, and how it is told. */
#include "main/plan/planning.h"

#include <stdio.h>
#include <stdlib.h>

static const char pipeline[] = "pipeline.sql";

#define FINDING(name, severity, about) {#name, SEVERITY_##severity, about},
const struct finding_kind finding_kinds[FINDING_CODES] = {
#include "main/plan/findings.def"
};
#undef FINDING
const char *const severity_names[] = {"error", "warning", "note"};

struct finding *finding_add(struct planning *p, enum finding_code code, const struct statement *s,
                            struct slice part)
{
    struct finding *f = vec_add(&p->findings);
    if (!f) return NULL;
    *f = (struct finding){.code = code,
                          .severity = finding_kinds[code].severity,
                          .file = s ? s->file : pipeline,
                          .text = "",
                          .fix = ""};
    if (s && !sql_where(s->script, part, &f->line, &f->column)) {
        f->line = s->line;
        f->column = s->column;
    }
    return f;
}

static const char *told(struct planning *p, const char *form, va_list args)
{
    struct buf text = buf_make(KIB(16));
    buf_vprintf(&text, form, args);
    const char *kept = text.err ? NULL : arena_text(p->texts, buf_view(&text));
    buf_done(&text);
    return kept ? kept : "(too long to be told)";
}

void finding_say(struct planning *p, struct finding *f, const char *text, ...)
{
    va_list args;
    va_start(args, text);
    if (f) f->text = told(p, text, args);
    va_end(args);
}

void finding_fix(struct planning *p, struct finding *f, const char *fix, ...)
{
    va_list args;
    va_start(args, fix);
    if (f) f->fix = told(p, fix, args);
    va_end(args);
}

void finding_of_diag(struct planning *p, const struct diag *d)
{
    struct finding *f = finding_add(p, FINDING_mistake, NULL, (struct slice){0});
    finding_say(p, f, "%s%s%s", d->what, d->why[0] ? "\n" : "", d->why);
    finding_fix(p, f, "%s", d->hint);
    if (f) f->where = arena_text(p->texts, slice_of(d->where));
}

uint32_t findings_count(const struct planning *p, enum severity severity)
{
    uint32_t count = 0;
    for (size_t i = 0; i < p->findings.count; i++)
        count += ((struct finding *)vec_at(&p->findings, i))->severity == severity;
    return count;
}

/* --- telling ------------------------------------------------------------------------------------
 */

static int by_weight(const void *a, const void *b)
{
    const struct finding *l = a, *r = b;
    if (l->severity != r->severity) return l->severity < r->severity ? -1 : 1;
    if (l->line != r->line) return l->line < r->line ? -1 : 1;
    if (l->column != r->column) return l->column < r->column ? -1 : 1;
    return (l->code > r->code) - (l->code < r->code);
}

static void sort(struct planning *p)
{
    if (p->findings.count)
        qsort(p->findings.items, p->findings.count, sizeof(struct finding), by_weight);
}

static void put_code(struct buf *out, enum finding_code code)
{
    for (const char *c = finding_kinds[code].code; *c; c++) buf_char(out, *c == '_' ? '-' : *c);
}

void finding_where(const struct finding *f, struct buf *out)
{
    if (f->where)
        buf_text(out, f->where);
    else if (f->line)
        buf_printf(out, "%s:%u:%u", f->file, f->line, f->column);
    else
        buf_text(out, f->file);
}

void findings_print(struct planning *p, struct buf *out)
{
    sort(p);
    for (size_t i = 0; i < p->findings.count; i++) {
        const struct finding *f = vec_at(&p->findings, i);
        buf_printf(out, "\n%s ", severity_names[f->severity]);
        put_code(out, f->code);
        buf_text(out, "  ");
        finding_where(f, out);
        buf_printf(out, "\n    %s\n", f->text);
        if (f->fix[0]) buf_printf(out, "    fix: %s\n", f->fix);
    }
    if (p->findings.count >= FINDINGS_MAX)
        buf_printf(out, "\nthese are the first %d findings\n", FINDINGS_MAX);
}

static void put_member(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, ",\"%s\":", name);
    json_put_text(out, slice_of(text));
}

void findings_json(struct planning *p, struct buf *out)
{
    struct buf where = buf_make(KIB(4));
    sort(p);
    buf_char(out, '[');
    for (size_t i = 0; i < p->findings.count; i++) {
        const struct finding *f = vec_at(&p->findings, i);
        buf_reset(&where);
        finding_where(f, &where);
        buf_printf(out, "%s{\"code\":\"", i ? "," : "");
        put_code(out, f->code);
        buf_char(out, '"');
        put_member(out, "severity", severity_names[f->severity]);
        put_member(out, "where", buf_cstr(&where));
        put_member(out, "text", f->text);
        put_member(out, "fix", f->fix);
        buf_char(out, '}');
    }
    buf_char(out, ']');
    buf_done(&where);
}

void findings_help(struct buf *out, bool markdown)
{
    if (markdown) buf_text(out, "| code | usually | what it means |\n|---|---|---|\n");
    for (size_t i = 0; i < FINDING_CODES; i++) {
        buf_text(out, markdown ? "| `" : "  ");
        size_t from = out->len;
        put_code(out, (enum finding_code)i);
        const char *severity = severity_names[finding_kinds[i].severity];
        if (markdown)
            buf_printf(out, "` | %s | %s |\n", severity, finding_kinds[i].about);
        else
            buf_printf(out, "%*s%-8s %s\n", (int)(20 - (out->len - from)), "", severity,
                       finding_kinds[i].about);
    }
}
