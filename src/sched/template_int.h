/* The parts of template: parse.c makes a tree, eval.c walks it; value.c, letters.c, date.c and
 * call.c hold what values can do. */
#pragma once
#include "base/delta.h"
#include "sched/moment.h"
#include "sched/template.h"

enum tnode_kind {
    TN_SEQUENCE,
    TN_TEXT,
    TN_OUT,
    TN_IF,
    TN_FOR,
    TN_SET,
    TE_CONST,
    TE_NAME,
    TE_ATTR,
    TE_ITEM,
    TE_SLICE,
    TE_CALL,
    TE_FILTER,
    TE_TEST,
    TE_BINARY,
    TE_NOT,
    TE_NEGATE,
    TE_AND,
    TE_OR,
    TE_COND,
    TE_LIST,
    TE_DICT
};
struct tnode {
    enum tnode_kind kind;
    uint32_t at;             /* in the text: for errors */
    struct slice text, more; /* a name; a second one of for */
    int op;                  /* of TE_BINARY; of TE_TEST 1: is not */
    struct tnode *a, *b, *c, *d;
    struct tnode **list;
    struct slice *names; /* of a call's arguments; {0}: by place */
    uint32_t count;
    struct doc value;
};
enum tbinary {
    TB_ADD,
    TB_SUB,
    TB_MUL,
    TB_DIV,
    TB_FLOOR,
    TB_MOD,
    TB_POW,
    TB_JOIN,
    TB_EQ,
    TB_NE,
    TB_LT,
    TB_LE,
    TB_GT,
    TB_GE,
    TB_IN,
    TB_NOT_IN
};

/* A value while it is worked with. */
struct tv {
    enum tv_kind { TV_DOC, TV_UNDEFINED, TV_DATE, TV_DELTA, TV_SPACE } kind;
    struct doc doc;
    int64_t us;              /* of a date or delta */
    const struct zone *zone; /* of a date */
    struct slice name;       /* of what is undefined, or of a space: var, conn, macros, ti … */
    bool days_only;          /* a date without its time: .date() */
};
struct tenv {
    const struct template_world *world;
    struct arena *a;
    struct slice text; /* the template's */
    struct diag *d;
    struct doc_entry *locals; /* of for and set, the last counts */
    uint32_t local_count, local_cap;
    uint32_t steps, depth;
};

MUST_CHECK err_t template_parse(struct slice text, struct arena *a, struct tnode **out,
                                struct diag *d);
/* The story gets line:column of `at`; answers e. */
err_t template_wrong(struct diag *d, struct slice text, uint32_t at, err_t e);
err_t template_no_memory(struct diag *d);

static inline struct tv tv_doc(struct doc v)
{
    return (struct tv){.kind = TV_DOC, .doc = v};
}
static inline struct tv tv_text(struct slice s)
{
    return tv_doc((struct doc){.kind = DOC_TEXT, .text = s.at ? s : SLICE("")});
}
static inline struct tv tv_int(int64_t n)
{
    return tv_doc((struct doc){.kind = DOC_INT, .number = n});
}
static inline struct tv tv_real(double n)
{
    return tv_doc((struct doc){.kind = DOC_FLOAT, .real = n});
}
static inline struct tv tv_bool(bool yes)
{
    return tv_doc((struct doc){.kind = DOC_BOOL, .yes = yes});
}
static inline bool tv_is(const struct tv *v, enum doc_kind k)
{
    return v->kind == TV_DOC && v->doc.kind == k;
}
bool tv_number(const struct tv *v, double *out); /* int, float, bool */
bool tv_true(const struct tv *v);
void tv_put(struct buf *out, const struct tv *v);
MUST_CHECK err_t tv_as_text(struct tenv *n, const struct tv *v, struct slice *out);
/* Dates become their text: what leaves the template is a document. */
MUST_CHECK err_t tv_as_doc(struct tenv *n, const struct tv *v, struct doc *out);
/* -1, 0, 1; false: they can not be compared. */
bool tv_compare(const struct tv *x, const struct tv *y, int *out);
MUST_CHECK err_t tv_binary(struct tenv *n, enum tbinary op, const struct tv *x, const struct tv *y,
                           struct tv *out);

/* Arguments of a call or filter, in order, with names where there are some. */
struct targs {
    struct tv *at;
    struct slice *names;
    uint32_t count;
};
/* The argument by its name, or by its place among those without; NULL: not given. */
const struct tv *targ(const struct targs *args, uint32_t place, const char *name);
MUST_CHECK err_t template_filter(struct tenv *n, struct slice name, const struct tv *v,
                                 const struct targs *args, struct tv *out);
MUST_CHECK err_t template_test(struct tenv *n, struct slice name, const struct tv *v,
                               const struct targs *args, bool *out);
bool template_test_compares(struct slice name); /* takes one argument: eq, lt, in … */
/* value.name(args): texts, lists, maps, dates, and the spaces ti, var, conn, macros. */
MUST_CHECK err_t template_call(struct tenv *n, const struct tv *self, struct slice name,
                               const struct targs *args, struct tv *out);
/* A text's letters, as Python counts them. */
uint32_t template_letters(struct slice s);
struct slice template_letter(struct slice s, uint32_t index);
/* u upper, l lower, c the first upper, t Jinja's title, T Python's. */
MUST_CHECK err_t template_cased(struct tenv *n, const struct tv *v, char how, struct tv *out);
/* self[from:to:by]; what is no number is left out. */
MUST_CHECK err_t template_part(struct tenv *n, const struct tv *self, const struct tv *from,
                               const struct tv *to, const struct tv *by, struct tv *out);
/* value.name: NOT_FOUND answers undefined. */
MUST_CHECK err_t template_attribute(struct tenv *n, const struct tv *self, struct slice name,
                                    struct tv *out);
MUST_CHECK err_t date_attribute(struct tenv *n, const struct tv *self, struct slice name,
                                struct tv *out);
MUST_CHECK err_t date_call(struct tenv *n, const struct tv *self, struct slice name,
                           const struct targs *args, struct tv *out);
/* ' ' between day and time: as str() of pendulum's; 'T': isoformat(). */
void date_put(struct buf *out, const struct tv *v, char between);
MUST_CHECK err_t date_format(struct tenv *n, const struct tv *v, struct slice format,
                             struct tv *out); /* strftime */
bool date_read(struct slice text, struct slice format,
               int64_t *us); /* strptime's plain ones; {0}: ISO */
