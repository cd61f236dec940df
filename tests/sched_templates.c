/* Templates by the line, for tests that compare them with Jinja2's: the first line of standard
 * input is the world, a JSON map of names; each further one a template as a JSON text. An answer a
 * line: a JSON text, or "!", the error's name and its story, parted by tabs. `logical_date` is a
 * date there, 2024-03-05T07:30:45.123456Z. */
#include "sched/template.h"

#include <stdio.h>
#include <stdlib.h>

static err_t answer(char *line, struct arena *a, const struct template_world *w, struct buf *out,
                    struct diag *d)
{
    struct doc text, value;
    err_t e = doc_of_json(slice_of(line), a, &text, d);
    if (!e) e = template_text(text.text, w, a, &value, d);
    if (!e) doc_put_json(out, &value);
    return e;
}

int main(void)
{
    static const struct template_date dates[] = {{"logical_date", INT64_C(1709623845123456)}};
    setvbuf(stdout, NULL, _IOLBF, 0); /* what came before a crash is told */
    char *line = NULL;
    size_t size = 0;
    struct arena *a = arena_new(GIB(1));
    struct doc names;
    struct diag d = {0};
    if (getline(&line, &size, stdin) < 0 || doc_of_json(slice_of(line), a, &names, &d)) return 2;
    struct template_world w = {.names = &names, .dates = dates, .date_count = COUNT_OF(dates)};
    while (getline(&line, &size, stdin) >= 0) {
        struct arena *own = arena_new(GIB(1));
        struct buf out = buf_make(MIB(64));
        d = (struct diag){0};
        err_t e = answer(line, own, &w, &out, &d);
        if (e)
            printf("!\t%s\t%s\n", err_name(e), d.what);
        else
            printf("%s\n", buf_cstr(&out));
        buf_done(&out);
        arena_free(own);
    }
    free(line); // NOLINT: getline's own
    arena_free(a);
    return 0;
}
