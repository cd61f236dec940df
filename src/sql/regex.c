#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "sql/expr.h"

struct regex {
    pcre2_code *code;
};
struct regex_run {
    const struct regex *regex;
    pcre2_match_data *data;
    pcre2_match_context *limits;
};

static void *take(size_t size, void *arena)
{
    return arena_take_raw((struct arena *)arena, size);
}

static void give(void *block, void *arena)
{
    (void)block; /* the arena's end frees it */
    (void)arena;
}

err_t regex_new(struct slice pattern, bool nocase, struct arena *a, const struct regex **out,
                struct diag *d)
{
    if (pattern.len > REGEX_PATTERN_MAX)
        return diag_fail(d, ERR_TOO_BIG, "the pattern is longer than %d bytes",
                         (int)REGEX_PATTERN_MAX);
    struct regex *r = arena_take(a, sizeof(*r));
    pcre2_general_context *memory = pcre2_general_context_create(take, give, a);
    pcre2_compile_context *how = memory ? pcre2_compile_context_create(memory) : NULL;
    if (!r || !how) return diag_fail(d, ERR_NO_MEMORY, "no memory for a pattern");
    int error = 0;
    PCRE2_SIZE at = 0;
    pcre2_set_parens_nest_limit(how, SQL_DEPTH_MAX);
    uint32_t options = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | (nocase ? PCRE2_CASELESS : 0);
    r->code = pcre2_compile(pattern.at ? pattern.at : (const uint8_t *)"", pattern.len, options,
                            &error, &at, how);
    if (r->code) {
        *out = r;
        return ERR_OK;
    }
    if (error == PCRE2_ERROR_HEAP_FAILED)
        return diag_fail(d, ERR_NO_MEMORY, "no memory for a pattern");
    char why[128];
    pcre2_get_error_message(error, (PCRE2_UCHAR *)why, sizeof(why));
    return diag_fail(d, ERR_SYNTAX, "the pattern '%.*s' is wrong at character %zu: %s",
                     SLICE_ARG(pattern), (size_t)at + 1, why);
}

struct regex_run *regex_run_new(const struct regex *r, struct arena *a)
{
    struct regex_run *run = arena_take(a, sizeof(*run));
    pcre2_general_context *memory = pcre2_general_context_create(take, give, a);
    if (!run || !memory) return NULL;
    run->regex = r;
    run->data = pcre2_match_data_create_from_pattern(r->code, memory);
    run->limits = pcre2_match_context_create(memory);
    if (!run->data || !run->limits) return NULL;
    pcre2_set_match_limit(run->limits, REGEX_MATCH_STEPS);
    pcre2_set_heap_limit(run->limits, REGEX_HEAP_KIB);
    return run;
}

err_t regex_find(struct regex_run *run, struct slice text, uint32_t from, uint32_t group,
                 bool *found, struct regex_match *out)
{
    *found = false;
    int n = pcre2_match(run->regex->code, text.at ? text.at : (const uint8_t *)"", text.len, from,
                        0, run->data, run->limits);
    if (n == PCRE2_ERROR_NOMATCH) return ERR_OK;
    if (n == PCRE2_ERROR_NOMEMORY) return ERR_NO_MEMORY;
    if (n < 0)
        return n <= PCRE2_ERROR_UTF8_ERR1 && n >= PCRE2_ERROR_UTF8_ERR21 ? ERR_BAD_UTF8
                                                                         : ERR_TOO_BIG;
    const PCRE2_SIZE *v = pcre2_get_ovector_pointer(run->data);
    *found = true;
    *out = (struct regex_match){(uint32_t)v[0], (uint32_t)v[1], UINT32_MAX, UINT32_MAX};
    if (group < pcre2_get_ovector_count(run->data) && (int)group < n &&
        v[2 * group] != PCRE2_UNSET) {
        out->group_start = (uint32_t)v[2 * group];
        out->group_end = (uint32_t)v[2 * group + 1];
    }
    return ERR_OK;
}
