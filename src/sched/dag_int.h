/* What the parts of the reader share: words.c sets plain words, task.c reads tasks and groups,
 * graph.c ties them together, read.c goes through a file. */
#pragma once
#include "base/vec.h"
#include "sched/dag.h"

enum { DAG_EDGES_MAX = 1 << 20 /* of one task, before doubles are dropped */ };

struct dag_home { /* what stands around a dag: who holds it, and its memory */
    struct dag dag;
    int holders;
    struct arena *arena;
    struct map *index; /* task id -> its place + 1 */
};

struct task_draft { /* while its neighbours are not known yet */
    struct dag_task task;
    const struct doc *after; /* ids, as written; NULL: none */
    struct vec upstream;     /* of uint32_t: places of drafts */
    struct vec downstream;
};
struct group_draft {
    struct dag_group group;
    const struct doc *after;
    uint32_t line;
};
struct reading {
    const char *file;
    struct arena *arena; /* the dag's */
    struct dag *dag;
    const struct zone *zone;
    const struct doc *defaults; /* default_args */
    struct vec tasks;           /* of struct task_draft */
    struct vec groups;          /* of struct group_draft */
    struct map *names;          /* full id -> draft's place + 1, groups as -(place + 1) */
    struct diag *d;
};

/* A word of a dag or a task: from here the setters, the nearest word to a wrong one, the docs. */
enum word_type {
    WORD_TEXT,
    WORD_BOOL,
    WORD_INT,
    WORD_SPAN,
    WORD_DOC,
    WORD_CALLBACKS /* min: when */,
    WORD_OWN,
    WORD_ELSEWHERE /* where what it leans on is known */
};
struct word {
    const char *name;
    enum word_type type;
    size_t at; /* in struct dag or struct dag_task */
    int64_t min, max;
    err_t (*own)(struct reading *r, void *target, const struct doc *v);
    const char *fallback, *sentence;
};
struct words {
    const struct word *list;
    uint32_t count;
};
extern const struct words dag_words, task_words;
const struct word *dag_word_find(const struct words *w, struct slice name);
MUST_CHECK err_t word_set(struct reading *r, const struct word *w, void *target,
                          const struct doc_entry *entry);
MUST_CHECK err_t read_defaults(struct reading *r, const struct doc *v);
MUST_CHECK err_t read_tasks(struct reading *r, const struct doc *tasks, int32_t group);
MUST_CHECK err_t read_graph(struct reading *r);
/* The story of r->d gets its place. */
err_t wrong_at(struct reading *r, uint32_t line, uint32_t column);
err_t reading_no_memory(struct reading *r);
bool is_key(struct slice id); /* letters, digits, '-', '_', '.' */
