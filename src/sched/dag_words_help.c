/* The words of dags and tasks as people read them: `sluice help words`, docs/dags.md. */
#include "sched/dag_int.h"

static const char *const TYPES[] = {
    [WORD_TEXT] = "text", [WORD_BOOL] = "yes or no",  [WORD_INT] = "number",
    [WORD_SPAN] = "time", [WORD_DOC] = "list or map", [WORD_CALLBACKS] = "callback",
    [WORD_OWN] = "",      [WORD_ELSEWHERE] = "",
};

static const struct {
    const char *title, *about;
    const struct words *words;
} PARTS[] = {
    {"A dag",
     "A file, dags.yaml or one in dags/, is a map of dags; one with `dag_id` and `tasks` "
     "is a dag itself. A dag says:",
     &dag_words},
    {"Every task", "Besides what its kind takes (docs/tasks.md) a task says:", &task_words},
};

void dag_words_help(struct buf *out)
{
    for (size_t p = 0; p < COUNT_OF(PARTS); p++) {
        buf_printf(out, "%s%s\n", p ? "\n" : "", PARTS[p].title);
        for (uint32_t i = 0; i < PARTS[p].words->count; i++) {
            const struct word *w = &PARTS[p].words->list[i];
            buf_printf(out, "    %-32s %-11s %s", w->name, TYPES[w->type], w->sentence);
            if (w->fallback[0]) buf_printf(out, " (%s)", w->fallback);
            buf_char(out, '\n');
        }
    }
}

void dag_words_markdown(struct buf *out)
{
    buf_text(out,
             "# Words of dags and tasks\n\nMade from src/sched/words.def by `sluice help words "
             "--markdown`. How a first dag is written: docs/workflows.md.\n");
    for (size_t p = 0; p < COUNT_OF(PARTS); p++) {
        buf_printf(out, "\n## %s\n\n%s\n\n| Word | Type | Default | |\n|---|---|---|---|\n",
                   PARTS[p].title, PARTS[p].about);
        for (uint32_t i = 0; i < PARTS[p].words->count; i++) {
            const struct word *w = &PARTS[p].words->list[i];
            buf_printf(out, "| `%s` | %s | %s | %s |\n", w->name, TYPES[w->type], w->fallback,
                       w->sentence);
        }
    }
}
