/* The table of tasks as people read it: `sluice help kinds`, docs/tasks.md. */
#include "sched/kinds.h"

static const char *const TYPES[] = {
    [OPT_TEXT] = "text",      [OPT_INT] = "number",         [OPT_NUMBER] = "number",
    [OPT_BOOL] = "yes or no", [OPT_SPAN] = "time",          [OPT_LIST] = "list",
    [OPT_MAP] = "map",        [OPT_TEXTS] = "text or list", [OPT_ANY] = "anything",
    [OPT_LATE] = "template",
};

void kinds_help(struct buf *out)
{
    for (int id = 0; id < TASK_KINDS; id++) {
        const struct task_kind *k = task_kind_at((enum task_kind_id)id);
        const struct task_option *o;
        if (id == KIND_sensor)
            buf_text(out, "Every sensor takes as well:\n");
        else
            buf_printf(out, "%s (%s)\n  %s\n", k->name, k->operator_name, k->sentence);
        for (uint32_t n = 0; (o = task_option_at(k, n)); n++) {
            buf_printf(out, "    %-32s %-13s %s", o->name, TYPES[o->type], o->sentence);
            if (o->fallback[0]) buf_printf(out, " (%s)", o->fallback);
            buf_char(out, '\n');
        }
    }
}

void kinds_markdown(struct buf *out)
{
    buf_text(out,
             "# Tasks\n\nMade from src/sched/kinds.def by `sluice help kinds --markdown`. What "
             "stands first is the task's word: `hello: {bash: \"echo hello\"}`.\n");
    for (int id = 0; id < TASK_KINDS; id++) {
        const struct task_kind *k = task_kind_at((enum task_kind_id)id);
        const struct task_option *o;
        if (id == KIND_sensor)
            buf_text(out, "\n## Every sensor\n");
        else
            buf_printf(out, "\n## %s\n\n%s. Shown as Airflow's `%s`.\n", k->name, k->sentence,
                       k->operator_name);
        buf_text(out, "\n| Option | Type | Default | |\n|---|---|---|---|\n");
        for (uint32_t n = 0; (o = task_option_at(k, n)); n++)
            buf_printf(out, "| `%s` | %s%s | %s | %s |\n", o->name, TYPES[o->type],
                       o->must ? ", must" : "", o->fallback, o->sentence);
    }
}
