/* What the two halves of the parser share: expressions (template_expression.c) and tags
 * (template_parse.c). */
#pragma once
#include "base/vec.h"
#include "sched/template_int.h"

enum { TEMPLATE_PARTS_MAX = 100000 };

struct parser {
    struct slice text;
    uint32_t at;
    int depth;
    struct arena *a;
    struct diag *d;
};

err_t parse_wrong(struct parser *p, const char *why, ...) PRINTF_LIKE(2, 3);
MUST_CHECK err_t parse_node(struct parser *p, enum tnode_kind kind, struct tnode **out);
uint8_t parse_byte(const struct parser *p, uint32_t i); /* 0 behind the end */
void parse_space(struct parser *p);
bool parse_sign(struct parser *p, const char *sign); /* takes it, when it comes next */
bool parse_word(struct parser *p, const char *word);
MUST_CHECK err_t template_name(struct parser *p, struct slice *out);
MUST_CHECK err_t parse_expression(struct parser *p, struct tnode **out);
/* One without a conditional: what stands behind "in". */
MUST_CHECK err_t parse_joined(struct parser *p, bool any, struct tnode **out);
