#include "people/people_int.h"
#include <pthread.h>

const struct nat nats[NATS] = {
#define NAT(code, country, since, postcode, phone, cell, id, maker, id_since)                      \
    {#code, country, phone, cell, id, id_##maker, since, id_since, POST_##postcode},
#include "people/nats.def"
#undef NAT
};

static const char *const sources[NATS][NAMES_LISTS] = {
#define NAMES(nat, list, text) [NAT_##nat][NAMES_##list] = text,
#include "people/names_english.def"
#include "people/names_northern.def"
#include "people/names_scripts.def"
#include "people/names_western.def"
#undef NAMES
};

/* How a letter beyond ASCII is written in an e-mail address; by code point. */
static const struct {
    uint32_t code;
    const char *ascii;
} letters[] = {
#define LETTER(code, ascii) {code, ascii},
#include "people/letters.def"
#undef LETTER
};

enum { WORDS_MAX = 8192, ASCII_MAX = 96 << 10 };
static struct word words[WORDS_MAX];
static char ascii_bytes[ASCII_MAX];
static struct word_list lists[NATS][NAMES_LISTS];
static size_t word_count, ascii_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static const char *letter_ascii(uint32_t code)
{
    size_t low = 0, high = COUNT_OF(letters);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (letters[middle].code == code) return letters[middle].ascii;
        if (letters[middle].code < code)
            low = middle + 1;
        else
            high = middle;
    }
    return "";
}

static uint32_t next_code(const char *text, size_t size, size_t *at)
{
    uint32_t first = (uint8_t)text[*at];
    size_t more = first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
    uint32_t code = more == 2 ? first & 15u : more == 1 ? first & 31u : first;
    for (*at += 1; more > 0 && *at < size; more--, *at += 1)
        code = code << 6 | ((uint8_t)text[*at] & 63u);
    return code;
}

static void spell_in_ascii(struct word *w)
{
    w->ascii = ascii_bytes + ascii_count;
    size_t start = ascii_count;
    for (size_t at = 0; at < w->size;) {
        uint32_t code = next_code(w->text, w->size, &at);
        char plain[2] = {(char)(code | 32), 0};
        bool kept = code < 128 && ((plain[0] >= 'a' && plain[0] <= 'z') || code == '-');
        const char *spelled = code >= 128 ? letter_ascii(code) : kept ? plain : "";
        if (code == '-') spelled = "-";
        size_t size = strlen(spelled);
        INVARIANT(ascii_count + size < ASCII_MAX);
        memcpy(ascii_bytes + ascii_count, spelled, size);
        ascii_count += size;
    }
    w->ascii_size = (uint8_t)(ascii_count - start);
}

static struct word *word_add(const char *text, const char *end, bool spelled)
{
    INVARIANT(word_count < WORDS_MAX && end > text && end - text < 128);
    struct word *w = &words[word_count++];
    *w = (struct word){.text = text, .size = (uint8_t)(end - text)};
    if (spelled) spell_in_ascii(w);
    return w;
}

static const char *word_end(const char *at)
{
    return at + strcspn(at, "|:,");
}

static void list_split(enum nat_id nat, enum name_list list)
{
    const char *at = sources[nat][list];
    INVARIANT(at);
    struct word *first = &words[word_count];
    for (; *at; at += *at != 0) {
        const char *end = word_end(at);
        word_add(at, end, list <= NAMES_LAST);
        at = end;
    }
    lists[nat][list] = (struct word_list){first, (uint32_t)(&words[word_count] - first)};
}

/* "state:city,city|state:city": the states stand before the cities in `words`. */
static void cities_split(enum nat_id nat)
{
    const char *text = sources[nat][NAMES_CITIES];
    INVARIANT(text);
    struct word *state = &words[word_count];
    for (const char *at = text; at; at = strchr(at, '|'), at = at ? at + 1 : NULL)
        word_add(at, word_end(at), false);
    struct word *first = &words[word_count];
    for (const char *at = text; *at; state++) {
        at = word_end(at);
        while (*at == ':' || *at == ',') {
            const char *end = word_end(at + 1);
            word_add(at + 1, end, false)->state = state;
            at = end;
        }
        if (*at == '|') at++;
    }
    lists[nat][NAMES_CITIES] = (struct word_list){first, (uint32_t)(&words[word_count] - first)};
}

static void split_all(void)
{
    for (int nat = 0; nat < NATS; nat++) {
        for (int list = 0; list < NAMES_CITIES; list++)
            list_split((enum nat_id)nat, (enum name_list)list);
        cities_split((enum nat_id)nat);
    }
}

const struct word_list *names_of(enum nat_id nat, enum name_list list)
{
    pthread_once(&once, split_all);
    return &lists[nat][list];
}
