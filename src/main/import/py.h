/* import/py: a Python file as a tree, as far as `sluice import` looks at one: strings, names,
 * numbers, calls, assignments, blocks by their indentation. It is read, never run; a line that is
 * not understood becomes a PY_OTHER and the next one is read as if nothing had been.
 *
 * Never looks at another file. Loop: the command's thread. Memory: the caller's arena, into which
 * the tree points. Limit: PY_BYTES_MAX a file, PY_DEPTH_MAX levels.
 */
#pragma once
#include "base/vec.h"

enum { PY_BYTES_MAX = 2 << 20, PY_DEPTH_MAX = 120, PY_NODES_MAX = 1 << 20 };

enum py_kind {
    PY_NAME,      /* text */
    PY_STRING,    /* text: what it means */
    PY_FSTRING,   /* parts: strings and expressions */
    PY_NUMBER,    /* text: as written */
    PY_CALL,      /* what is called, then what it is given */
    PY_KEYWORD,   /* text: the name, or "*", "**"; the value */
    PY_ATTRIBUTE, /* text; of what */
    PY_SUBSCRIPT, /* of what, which */
    PY_LIST,      /* also tuples and sets */
    PY_DICT,      /* a key and a value in turns */
    PY_BINARY,    /* text: the operator */
    PY_UNARY,
    PY_CHOICE,     /* then, condition, else */
    PY_EXPRESSION, /* lambda, comprehension, slice: its parts */
    /* statements */
    PY_ASSIGN, /* the value, then each target; text: "=" or "+=" … */
    PY_DEF,    /* text: its name; head: decorators, then parameters (PY_NAME); then its body */
    PY_CLASS,
    PY_WITH, /* head: each expression, or a PY_ASSIGN to its name */
    PY_IF,
    PY_FOR, /* head: target, what over */
    PY_WHILE,
    PY_TRY,
    PY_EXCEPT,
    PY_ELSE, /* also finally */
    PY_RETURN,
    PY_IMPORT, /* text: the module; names */
    PY_JUMP,   /* text: continue, break, pass, raise, … */
    PY_MODULE,
    PY_OTHER /* what was not understood; text: the line */
};
struct py_node {
    enum py_kind kind;
    uint32_t line;
    struct slice text;
    struct py_node **items;
    uint32_t count, head; /* head: items before the body; of a PY_DEF the decorators' count is */
    uint32_t decorators;  /* in here */
};

/* The whole file. Fails only for want of memory or past a limit. */
MUST_CHECK err_t py_read(struct slice text, const char *file, struct arena *a,
                         struct py_node **module, struct diag *d);

/* --- looking at a tree --- */
static inline bool py_is(const struct py_node *n, enum py_kind kind, const char *text)
{
    return n && n->kind == kind && slice_is(n->text, text);
}
/* The last word of what a call calls: "get" of requests.get(…); {0}: no call. */
struct slice py_called(const struct py_node *n);
/* What stands before it: the node of `requests`; NULL: nothing. */
const struct py_node *py_owner(const struct py_node *call);
/* A call's argument by its name, else by its place among those without a name (-1: only by name).
 */
const struct py_node *py_argument(const struct py_node *call, const char *name, int place);
/* Every node below and with `n`, from the top; `each` answers false to go no deeper there. */
void py_walk(const struct py_node *n, bool (*each)(void *ctx, const struct py_node *n), void *ctx);

/* --- for py_tree.c and py_block.c --- */
enum py_token_kind {
    TOKEN_NAME,
    TOKEN_NUMBER,
    TOKEN_STRING,
    TOKEN_FSTRING, /* text: as written, without its quotes, escapes undone but for braces */
    TOKEN_MARK,
    TOKEN_LINE,
    TOKEN_IN,
    TOKEN_OUT,
    TOKEN_END
};
struct py_token {
    enum py_token_kind kind;
    uint32_t line;
    struct slice text;
};
struct py_reading {
    struct arena *arena;
    struct vec tokens; /* struct py_token */
    size_t at;
    uint32_t depth, nodes;
    err_t err; /* no memory, or past a limit: sticky */
};
MUST_CHECK err_t py_tokens(struct slice text, uint32_t line, struct py_reading *r);
/* An expression, or NULL where there is none that is understood. */
struct py_node *py_expression(struct py_reading *r);
/* The same with commas at its top: a list. */
struct py_node *py_expressions(struct py_reading *r);
struct py_node *py_node_new(struct py_reading *r, enum py_kind kind, const struct py_token *from);
void py_put(struct py_reading *r, struct py_node *n, struct py_node *item);
static inline const struct py_token *py_now(const struct py_reading *r)
{
    return vec_at(&r->tokens, r->at);
}
/* Is this mark or word next? py_take: and goes behind it. */
bool py_next_is(const struct py_reading *r, const char *text);
bool py_take(struct py_reading *r, const char *text);
