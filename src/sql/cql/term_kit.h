/* sql/cql/term_kit: what the tests of terms share. Tests only. */
#pragma once
#include "sql/cql/term.h"
#include "test.h"

struct term_kit {
    struct arena *arena;
    struct diag d;
    struct cql_prepare x;
    struct cql_receiver markers[16];
    struct cql_value bound[16];
    struct cql_bound b;
    const struct type *user_types[4];
    uint32_t user_type_count;
    struct buf out;
    uint64_t random;
    const struct type *partition[2];
};
void kit_start(struct term_kit *k);
void kit_stop(struct term_kit *k);
const struct type *kit_type(struct term_kit *k, const char *text); /* NULL: k->d says why */
/* CREATE TYPE name (fields) */
void kit_user_type(struct term_kit *k, const char *name, const char *fields);
/* The term for a column `a` of that type, as a literal; or the message. */
const char *kit_term(struct term_kit *k, const char *term, const char *type);
const struct cql_node *kit_node(struct term_kit *k, const char *term);
const struct cql_node *kit_selector(struct term_kit *k, const char *selector);
void kit_bind(struct term_kit *k, uint32_t marker, const char *bytes, size_t len);
const char *kit_marker(struct term_kit *k, uint32_t i); /* "name: type" */
const char *kit_literal(struct term_kit *k, const struct type *t, const struct cql_value *v);
/* A message that must be this one. */
#define CHECK_TERM(k, term, type, want) CHECK_TEXT(kit_term(k, term, type), want)
