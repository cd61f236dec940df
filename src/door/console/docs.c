#include "door/console/docs.h"

#include <ctype.h>
#include <stdio.h>

enum { PIECE_MAX = 4000, EXCERPT = 160, BEFORE = 40, WORD_MAX = 24 };

/* --- pieces -------------------------------------------------------------------------------------
 */

struct docs_reader docs_read(struct slice text)
{
    return (struct docs_reader){.rest = text};
}

static struct slice line_of(struct slice rest)
{
    const uint8_t *end = rest.len ? memchr(rest.at, '\n', rest.len) : NULL;
    return end ? slice_make(rest.at, (size_t)(end - rest.at)) : rest;
}

static struct slice after(struct slice rest, uint32_t len)
{
    uint32_t skip = MIN(len + 1, rest.len);
    return slice_make(rest.at + skip, rest.len - skip);
}

static bool is_fence(struct slice line)
{
    return slice_starts(slice_trim(line), "```");
}

/* "## The words" -> "The words"; {0} for any other line. */
static struct slice heading_of(struct slice line)
{
    uint32_t n = 0;
    while (n < line.len && line.at[n] == '#') n++;
    if (!n || n > 6 || n == line.len || line.at[n] != ' ') return (struct slice){0};
    return slice_trim(slice_make(line.at + n, line.len - n));
}

/* A line that is a piece by itself, whatever stands around it. */
static bool stands_alone(struct slice line)
{
    struct slice t = slice_trim(line);
    return slice_starts(t, "|");
}

static bool begins_piece(struct slice line)
{
    struct slice t = slice_trim(line);
    return stands_alone(line) || slice_starts(t, "- ") || slice_starts(t, "* ");
}

static bool is_rule(struct slice line) /* |---|---| */
{
    for (uint32_t i = 0; i < line.len; i++)
        if (!memchr("|-: ", line.at[i], 4)) return false;
    return line.len > 0;
}

bool docs_next(struct docs_reader *r, struct docs_piece *out)
{
    struct slice piece = {0};
    while (r->rest.len) {
        struct slice line = line_of(r->rest),
                     head = r->fenced ? (struct slice){0} : heading_of(line);
        bool fence = is_fence(line), blank = !slice_trim(line).len || fence;
        bool ends = blank || head.at || (!r->fenced && begins_piece(line));
        if (piece.at && ends) break; /* this line is the next piece's */
        r->rest = after(r->rest, line.len);
        if (fence) r->fenced = !r->fenced;
        if (head.at) {
            r->section = head;
            *out = (struct docs_piece){head, head};
            return true;
        }
        if (blank || (!r->fenced && is_rule(slice_trim(line)))) continue;
        piece = piece.at ? slice_make(piece.at, (size_t)(line.at + line.len - piece.at)) : line;
        if (!r->fenced && stands_alone(line)) break;
    }
    *out = (struct docs_piece){r->section, piece};
    return piece.at != NULL;
}

/* --- what is looked for -------------------------------------------------------------------------
 */

void docs_lower(struct slice s, char *out, size_t size)
{
    size_t n = MIN((size_t)s.len, size - 1);
    for (size_t i = 0; i < n; i++) {
        int c = tolower(s.at[i]);
        out[i] = c == '\n' || c == '\0' ? ' ' : (char)c;
    }
    out[n] = 0;
}

struct docs_asked docs_ask(struct slice text)
{
    struct docs_asked a = {.count = 0};
    docs_lower(slice_trim(text), a.text, sizeof(a.text));
    for (const char *at = a.text; *at && a.count < DOCS_WORDS_MAX;) {
        size_t len = strcspn(at, " \t");
        if (len) memcpy(a.words[a.count++], at, len);
        at += len + strspn(at + len, " \t");
    }
    return a;
}

/* 0: it is not there; 2: it begins a word; 1: it is inside one. */
static int has(const char *text, const char *word)
{
    int found = 0;
    for (const char *at = strstr(text, word); at && found < 2; at = strstr(at + 1, word))
        found = at == text || !isalnum((unsigned char)at[-1]) ? 2 : 1;
    return found;
}

int docs_score(const struct docs_asked *asked, struct slice title, const struct docs_piece *p)
{
    char text[PIECE_MAX], section[DOCS_TEXT_MAX], page[DOCS_TEXT_MAX];
    uint32_t inside = 0, begun = 0, headed = 0;
    docs_lower(p->text, text, sizeof(text));
    docs_lower(p->section, section, sizeof(section));
    docs_lower(title, page, sizeof(page));
    for (uint32_t i = 0; i < asked->count; i++) {
        int here = has(text, asked->words[i]), above = has(section, asked->words[i]);
        if (!here && !above && !has(page, asked->words[i])) return 0;
        inside += here != 0;
        begun += here == 2;
        headed += above != 0;
    }
    if (!inside) return 0;
    int score = 5 + (begun == asked->count ? 5 : 0) + (headed == asked->count ? 10 : 0);
    score += asked->count > 1 && strstr(text, asked->text) ? 8 : 0;
    return score + (strstr(section, asked->text) ? 7 : 0);
}

/* --- told in plain letters ----------------------------------------------------------------------
 */

/* Without the last letter's bytes, when some of them are missing. */
static size_t whole_letters(const char *text, size_t n)
{
    size_t first = n;
    while (first && n - first < 3 && ((uint8_t)text[first - 1] & 0xc0) == 0x80) first--;
    if (!first) return n;
    uint8_t head = (uint8_t)text[first - 1];
    size_t wanted = head >= 0xf0 ? 4 : head >= 0xe0 ? 3 : head >= 0xc0 ? 2 : 0;
    return n - (first - 1) < wanted ? first - 1 : n;
}

/* Where a word begins, near before `at`; in one that has no end, a letter. */
static size_t word_start(const char *text, size_t at)
{
    for (size_t i = at; i && at - i < WORD_MAX; i--)
        if (text[i - 1] == ' ') return i;
    return at > WORD_MAX ? whole_letters(text, at) : 0;
}

void docs_plain(struct slice text, char *out, size_t size)
{
    size_t n = 0;
    for (uint32_t i = 0; i < text.len && n < size - 1; i++) {
        char c = (char)text.at[i];
        if (c == '`' ||
            (c == '*' && !(n && out[n - 1] == ' ' && i + 1 < text.len && text.at[i + 1] == ' ')))
            continue;
        if (c == ']' && i + 1 < text.len && text.at[i + 1] == '(') { /* [words](where) */
            while (i < text.len && text.at[i] != ')') i++;
            continue;
        }
        if (c == '[' || (c == '\\' && i + 1 < text.len)) continue;
        if (c == '|' || c == '\n') c = ' ';
        if (c == ' ' && (!n || out[n - 1] == ' ')) continue;
        out[n++] = c;
    }
    n = whole_letters(out, n);
    while (n && out[n - 1] == ' ') n--;
    out[n] = 0;
}

void docs_excerpt(const struct docs_asked *asked, struct slice text, char out[DOCS_TEXT_MAX])
{
    char plain[PIECE_MAX], small[PIECE_MAX];
    docs_plain(text, plain, sizeof(plain));
    docs_lower(slice_of(plain), small, sizeof(small));
    const char *at = NULL;
    for (uint32_t i = 0; i < asked->count && !at; i++) at = strstr(small, asked->words[i]);
    size_t from = at ? (size_t)(at - small) : 0, len = strlen(plain);
    from = word_start(plain, from > BEFORE ? from - BEFORE : 0);
    size_t to = from + EXCERPT < len ? word_start(plain, from + EXCERPT) : len;
    snprintf(out, DOCS_TEXT_MAX, "%s%.*s%s", from ? "… " : "", (int)(to - from), plain + from,
             to < len ? " …" : "");
}
