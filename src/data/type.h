/* data/type: what a value can be. Scalars are constants; nested types live in an arena. */
#pragma once
#include "base/bytes.h"

enum type_kind {
#define TYPE(kind, name, cql, phys, about) TYPE_##kind,
#include "data/types.def"
#undef TYPE
    TYPE_KINDS
};

enum phys { PHYS_B1, PHYS_B2, PHYS_B4, PHYS_B8, PHYS_B16, PHYS_BYTES };

enum { TYPE_DEPTH_MAX = 16, TYPE_FIELDS_MAX = 1024 };

struct type {
    enum type_kind kind;
    bool frozen;
    uint16_t count;                  /* element types: list and set 1, map 2, tuple and struct n */
    const struct type *const *items; /* struct and tuple: the fields' types */
    const struct slice *names;       /* struct: the fields' names */
    struct slice name;               /* a named user type; {0} otherwise */
};

const struct type *type_of(enum type_kind kind); /* scalars and json */
const char *type_kind_name(enum type_kind kind);
uint16_t type_cql_id(enum type_kind kind);
enum phys type_phys(const struct type *t);
uint32_t phys_size(enum phys p); /* bytes a row takes in a column; sizeof(struct slice) for BYTES */
/* Whether values of one are values of the other as they are: `frozen` and a user type's own name do
 * not count, the names of fields do. */
bool type_equal(const struct type *a, const struct type *b);
bool type_is_nested(const struct type *t); /* list, set, map, tuple, struct */
bool type_is_number(const struct type *t);
bool type_is_integer(const struct type *t); /* tinyint … bigint, counter, varint */
bool type_is_text(const struct type *t);    /* ascii, text */

/* "list<frozen<map<text, int>>>", "struct<a int, "B" text>", any case, varchar = text; bare field
 * names are folded to lower case. Names of user types are the binder's, not known here. */
MUST_CHECK err_t type_parse(struct slice text, struct arena *a, const struct type **out,
                            struct diag *d);
void type_print(const struct type *t, struct buf *out); /* a user type: its name */
/* A name as CQL writes it: in quotes when it is not [a-z][a-z0-9_]*. */
void type_print_name(struct slice name, struct buf *out);
