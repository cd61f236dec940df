/* Tables, under the names of Cassandra's exporters. */
#include "door/metrics/figures_int.h"

struct walk {
    struct metrics *m;
    struct store_files *files;
};

static err_t put_table(void *ctx, const struct store_table *t)
{
    struct walk *w = ctx;
    const struct slice labels[] = {t->keyspace, t->name};
    struct store_table_sizes s = store_table_sizes(w->m->o.world->store, t);
    figure(&w->m->figures, FIGURE_C_DISK, labels, (double)s.disk_bytes);
    figure(&w->m->figures, FIGURE_C_FILES, labels, store_files_of(w->files, t));
    return w->m->figures.parts[FIGURE_C_DISK].err;
}

void figures_tables(struct metrics *m)
{
    struct walk w = {m, store_files_take(m->o.world->store)};
    (void)!store_tables(m->o.world->store, put_table, &w); /* the text tells what failed */
    store_files_give(w.files);
}
