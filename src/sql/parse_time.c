/* Times as people write them: '5s', '10 minutes', 1h30m, INTERVAL '1' MINUTE. */
#include "sql/parse.h"
#include <ctype.h>

struct unit {
    const char *word, *shortly; /* CQL's */
    int64_t ms;                 /* 0: not of one length */
};
static const struct unit units[] = {
    {"ms", "ms", 1},        {"millisecond", "ms", 1}, {"millis", "ms", 1},
    {"s", "s", 1000},       {"second", "s", 1000},    {"sec", "s", 1000},
    {"m", "m", 60000},      {"minute", "m", 60000},   {"min", "m", 60000},
    {"h", "h", 3600000},    {"hour", "h", 3600000},   {"d", "d", 86400000},
    {"day", "d", 86400000}, {"w", "w", 604800000},    {"week", "w", 604800000},
    {"mo", "mo", 0},        {"month", "mo", 0},       {"y", "y", 0},
    {"year", "y", 0},       {"us", "us", 0},          {"\xc2\xb5s", "us", 0},
    {"ns", "ns", 0},
};
enum { TIME_NUMBER_MAX = 1000000000 }; /* of one unit: no sum of a text's parts goes over */

/* minute, minutes: any case. */
static const struct unit *unit_find(struct slice word)
{
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        struct slice w = slice_of(units[i].word);
        bool plural = word.len == w.len + 1 && w.len > 2 && (word.at[w.len] | 32) == 's';
        if (slice_equal_nocase(plural ? slice_make(word.at, w.len) : word, w)) return &units[i];
    }
    return NULL;
}

struct part {          /* a number and its unit */
    int64_t whole, ms; /* ms -1: of no fixed length, or too long */
    bool fraction;
    const struct unit *unit;
};

/* The digits after a point, of a unit of so many ms; -1: not a whole number of them. */
static int64_t part_fraction(struct slice digits, int64_t ms)
{
    int64_t n = 0, ten = 1;
    for (uint32_t i = 0; i < digits.len; i++) {
        if (i >= 9) return -1;
        n = n * 10 + (digits.at[i] - '0');
        ten *= 10;
    }
    return n * ms % ten == 0 ? n * ms / ten : -1;
}

static struct slice take_run(struct slice text, uint32_t *at, int (*is)(int))
{
    uint32_t from = *at;
    while (*at < text.len && is(text.at[*at])) (*at)++;
    return slice_make(text.at + from, *at - from);
}

static int is_letter(int c)
{
    return c >= 0x80 || isalpha(c);
}

static bool part_next(struct slice text, uint32_t *at, struct part *out)
{
    struct slice digits = take_run(text, at, isdigit), fraction = {0};
    if (*at < text.len && text.at[*at] == '.') {
        (*at)++;
        fraction = take_run(text, at, isdigit);
    }
    while (*at < text.len && text.at[*at] == ' ') (*at)++;
    *out = (struct part){.fraction = fraction.len > 0};
    out->unit = unit_find(take_run(text, at, is_letter));
    while (*at < text.len && text.at[*at] == ' ') (*at)++;
    if (!out->unit || !slice_to_i64(digits, &out->whole)) return false;
    int64_t rest = part_fraction(fraction, out->unit->ms);
    bool fixed = out->unit->ms && out->whole <= TIME_NUMBER_MAX;
    out->ms = fixed ? out->whole * out->unit->ms + rest : -1;
    return rest >= 0 && (fixed || !out->fraction);
}

bool time_ms(struct slice text, int64_t *out)
{
    uint32_t at = 0, parts = 0;
    *out = 0;
    while (at < text.len && text.at[at] == ' ') at++;
    for (; at < text.len; parts++) {
        struct part part;
        if (parts == 16 || !part_next(text, &at, &part) || part.ms < 0) return false;
        *out += part.ms;
    }
    return parts > 0;
}

/* The same as CQL writes a duration: '1 day 2 hours' is 1d2h; '1.5 s' is 1500ms. */
static bool time_text(struct slice text, struct buf *out)
{
    uint32_t at = 0, parts = 0;
    while (at < text.len && text.at[at] == ' ') at++;
    for (; at < text.len; parts++) {
        struct part part;
        if (parts == 16 || !part_next(text, &at, &part)) return false;
        if (part.fraction)
            buf_printf(out, "%lldms", (long long)part.ms);
        else
            buf_printf(out, "%lld%s", (long long)part.whole, part.unit->shortly);
    }
    return parts > 0 && !out->err;
}

/* INTERVAL '1' MINUTE, INTERVAL '1 day 2 hours', INTERVAL '10s', INTERVAL 5 SECOND. */
const struct tree *parse_interval(struct parser *p)
{
    const uint8_t *start = token_take(p).text.at;
    struct token number = token_take(p);
    char memory[256], said[256];
    struct buf written = buf_over(memory, sizeof(memory)), out = buf_over(said, sizeof(said));
    buf_slice(&written, number.value);
    const struct token *t = token_peek(p, 0);
    if (t->kind == TOKEN_WORD && t->value.len > 2 && unit_find(t->value)) {
        buf_char(&written, ' ');
        buf_slice(&written, token_take(p).value);
        bool precision = at_op(p, "(") && token_peek(p, 1)->kind == TOKEN_INTEGER;
        for (int i = 0; precision && i < 3; i++) (void)token_take(p); /* SECOND(3): of the type */
    }
    if (!p->err && (written.err || !time_text(buf_view(&written), &out))) {
        parse_fail(p, start, ERR_SYNTAX, "this is no interval");
        parse_hint(p, "write INTERVAL '1' MINUTE, INTERVAL '1 day 2 hours' or INTERVAL '10s'");
    }
    struct tree *n = tree_node(p, TREE_DURATION, start);
    if (!n) return NULL;
    n->value = arena_slice(p->arena, buf_view(&out));
    if (!n->value.at) parse_fail(p, start, ERR_NO_MEMORY, "this text does not fit into the memory");
    return p->err ? NULL : n;
}

int64_t parse_time(struct parser *p, const char *what, bool zero)
{
    const struct token *t = token_peek(p, 0);
    const uint8_t *at = t->text.at;
    struct slice written = {0};
    bool literal =
        token_peek(p, 1)->kind == TOKEN_STRING || token_peek(p, 1)->kind == TOKEN_INTEGER;
    if (token_is_word(t, "interval") && literal) {
        const struct tree *n = parse_interval(p);
        if (n) written = n->value;
    } else if (t->kind == TOKEN_DURATION) {
        written = token_take(p).value;
    } else {
        written = parse_string(p, what);
    }
    int64_t ms = 0;
    if (p->err) return 0;
    if (!time_ms(written, &ms)) {
        parse_fail(p, at, ERR_SYNTAX, "'%.*s' is no time of a fixed length", SLICE_ARG(written));
        parse_hint(p, "write it like '5s', '500ms' or '2 minutes'");
    } else if (ms == 0 && !zero) {
        parse_fail(p, at, ERR_RANGE, "%s is longer than nothing", what);
    }
    return ms;
}
