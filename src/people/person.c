/* A person, drawn. The order of the draws is what makes a seed repeat: what is asked for (fields,
 * formats, hashes) never changes it. */
#include "people/people_int.h"
#include <stdio.h>

static const struct timezone_row timezones[] = {
#define TIMEZONE(offset, description) {offset, description},
#include "people/timezones.def"
#undef TIMEZONE
};
#define WORDS(list, text) static const char words_##list[] = text;
#include "people/words.def"
#undef WORDS

enum { PAGE_TEXT_MAX = 24 };

/* md5(seed, and the page when it is not the first) as the site does it; the site keeps 32 bits of
 * it. We keep 64: a million pages of one seed would otherwise hold about a hundred twins. */
struct rng people_rng(struct slice seed, int64_t page)
{
    char text[512 + PAGE_TEXT_MAX];
    size_t size = MIN((size_t)seed.len, (size_t)512);
    if (size) memcpy(text, seed.at, size);
    if (page != 1) size += (size_t)snprintf(text + size, PAGE_TEXT_MAX, "%lld", (long long)page);
    uint8_t md5[16];
    digest_md5(slice_make(text, size), md5);
    uint64_t first = 0;
    for (int i = 0; i < 8; i++) first = first << 8 | md5[i];
    return rng_make(first);
}

static uint32_t below(struct rng *r, uint32_t n)
{
    return (uint32_t)rng_below(r, n);
}
static const struct word *pick(struct rng *r, const struct word_list *l)
{
    return &l->words[below(r, l->count)];
}

/* The n-th word of "a|b|c"; lists are short and this is read from left to right. */
struct choice {
    const char *at;
    size_t size;
};
static struct choice choice_at(const char *list, size_t n)
{
    for (; n > 0; n--) list = strchr(list, '|') + 1;
    return (struct choice){list, strcspn(list, "|}")};
}
static size_t choice_count(const char *list, const char *end)
{
    size_t count = 1;
    for (; list < end && *list; list++) count += *list == '|';
    return count;
}
/* The same for the long lists of words.def: a draw jumps into the text and takes the word that
 * starts next, so that nothing is counted. Long words come a little more often. */
static struct choice draw_word(struct rng *r, const char *list, size_t size)
{
    const char *at = list + below(r, (uint32_t)size);
    const char *bar = at < list + size ? strchr(at, '|') : NULL;
    at = bar ? bar + 1 : list;
    return (struct choice){at, strcspn(at, "|")};
}

static char *draw_pattern(struct rng *r, const char *pattern, const char *end, char *out)
{
    for (const char *at = pattern; at < end; at++) {
        if (*at == 'd')
            *out++ = (char)('0' + below(r, 10));
        else if (*at == 'n')
            *out++ = (char)('2' + below(r, 8));
        else if (*at == '{') {
            const char *close = strchr(at, '}');
            struct choice c = choice_at(at + 1, below(r, (uint32_t)choice_count(at + 1, close)));
            out = draw_pattern(r, c.at, c.at + c.size, out);
            at = close;
        } else
            *out++ = *at;
    }
    *out = 0;
    return out;
}

static void draw_letters(struct rng *r, const char *pattern, char *out)
{
    static const char inward[] = "ABDEFGHJLNPQRSTUWXYZ";
    for (; *pattern; pattern++)
        *out++ = *pattern == 'L'   ? (char)('A' + below(r, 26))
                 : *pattern == 'I' ? inward[below(r, 20)]
                 : *pattern == 'd' ? (char)('0' + below(r, 10))
                                   : *pattern;
    *out = 0;
}

static void draw_postcode(struct person *p, const struct edition *e, struct rng *r)
{
    static const char gb[][10] = {"Ld dII",   "LLd dII",  "Ldd dII",
                                  "LLdd dII", "LLdL dII", "LdL dII"};
    p->postcode_text[0] = 0;
    switch (p->nat->postcode) {
    case POST_AU: p->postcode = 200 + below(r, 9800); break;
    case POST_CH: p->postcode = 1000 + below(r, 9000); break;
    case POST_GB: draw_letters(r, gb[below(r, COUNT_OF(gb))], p->postcode_text); break;
    case POST_NO: draw_letters(r, "dddd", p->postcode_text); break;
    case POST_NL: /* 1.3 alone has the country's own form */
        if (e->minor == 3)
            draw_letters(r, "dddd LL", p->postcode_text);
        else
            p->postcode = 10000 + below(r, 90000);
        break;
    case POST_CA:
        if (e->minor >= 2)
            draw_letters(r, "LdL dLd", p->postcode_text);
        else
            p->postcode = 10000 + below(r, 90000);
        break;
    case POST_FIVE: p->postcode = 10000 + below(r, 90000); break;
    }
}

static void draw_password(struct person *p, const struct password_rule *rule, struct rng *r)
{
    if (!rule->given) {
        struct choice c = draw_word(r, words_PASSWORD, sizeof(words_PASSWORD) - 1);
        p->password_size = (uint32_t)c.size;
        memcpy(p->password, c.at, c.size);
    } else {
        p->password_size = rule->min + below(r, rule->max - rule->min + 1);
        for (uint32_t i = 0; i < p->password_size; i++)
            p->password[i] = rule->charset[below(r, rule->charset_size)];
    }
    p->password[p->password_size] = 0;
}

static void draw_login(struct person *p, const struct people_plan *plan, struct rng *r)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ1234567890";
    for (int i = 0; i < 8; i++) p->salt[i] = alphabet[below(r, sizeof(alphabet) - 1)];
    p->salt[8] = 0;
    draw_password(p, &plan->password, r);
    uint64_t bits[2] = {rng_next(r)};
    bits[1] = rng_next(r);
    memcpy(p->uuid, bits, 16);
    p->uuid[6] = (uint8_t)((p->uuid[6] & 0x0f) | 0x40);
    p->uuid[8] = (uint8_t)((p->uuid[8] & 0x3f) | 0x80);
    struct choice a = draw_word(r, words_FIRST, sizeof(words_FIRST) - 1);
    struct choice b = draw_word(r, words_SECOND, sizeof(words_SECOND) - 1);
    uint32_t number = 100 + below(r, 900);
    memcpy(p->username, a.at, a.size);
    memcpy(p->username + a.size, b.at, b.size);
    char *at = p->username + a.size + b.size;
    for (uint32_t unit = 100; unit; unit /= 10) *at++ = (char)('0' + number / unit % 10);
    *at = 0;
}

static void draw_place(struct person *p, const struct people_plan *plan, enum nat_id nat,
                       struct rng *r)
{
    const struct edition *e = plan->edition;
    uint32_t least = e->minor < 2 && nat != NAT_AU ? 1000 : 1;
    p->street_number = least + below(r, 10000 - least);
    p->street = pick(r, names_of(nat, NAMES_STREET));
    p->city = pick(r, names_of(nat, NAMES_CITIES));
    draw_postcode(p, e, r);
    p->latitude = (int32_t)below(r, 1800001) - 900000;
    p->longitude = (int32_t)below(r, 3600001) - 1800000;
    p->timezone = &timezones[below(r, COUNT_OF(timezones))];
}

static int64_t draw_between(struct rng *r, int64_t low, int64_t high)
{
    return low + (int64_t)rng_below(r, (uint64_t)(high - low + 1));
}

static void draw_title(struct person *p, const struct edition *e, enum nat_id nat, struct rng *r)
{
    static const char *const women[] = {"Miss", "Mrs", "Ms"};
    static const char *const swiss[] = {"Mademoiselle", "Madame"};
    (void)e;
    if (p->male)
        p->title = nat == NAT_CH ? "Monsieur" : "Mr";
    else
        p->title = nat == NAT_CH ? swiss[below(r, 2)] : women[below(r, 3)];
}

void person_draw(struct person *p, const struct people_plan *plan, struct rng *r)
{
    const struct edition *e = plan->edition;
    enum nat_id nat = (enum nat_id)plan->nats[plan->nat_drawn ? below(r, plan->nat_count) : 0];
    p->nat = &nats[nat];
    p->male = plan->gender == GENDER_ANY ? below(r, 2) == 0 : plan->gender == GENDER_MALE;
    p->first = pick(r, names_of(nat, p->male ? NAMES_MALE : NAMES_FEMALE));
    p->last = pick(r, names_of(nat, NAMES_LAST));
    draw_title(p, e, nat, r);
    draw_place(p, plan, nat, r);
    draw_login(p, plan, r);
    p->dob_ms = draw_between(r, e->born_ms, e->now_s * 1000 - e->adult_ms);
    p->registered_ms = draw_between(r, e->joined_ms, e->now_s * 1000);
    p->portrait = nat == NAT_LEGO ? (int)below(r, 10) : (int)below(r, p->male ? 100 : 97);
    draw_pattern(r, p->nat->phone, p->nat->phone + strlen(p->nat->phone), p->phone);
    draw_pattern(r, p->nat->cell, p->nat->cell + strlen(p->nat->cell), p->cell);
    struct civil born = civil_of(p->dob_ms);
    struct birth birth = {p->male, born.year, born.month, born.day, p->last->ascii};
    p->nat->id(r, &birth, p->id);
}
