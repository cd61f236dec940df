/* National ids, with the check digits the real ones have. */
#include "people/people_int.h"
#include <stdio.h>

static int digit(struct rng *r)
{
    return (int)rng_below(r, 10);
}
static int between(struct rng *r, int low, int high)
{
    return low + (int)rng_below(r, (uint64_t)(high - low + 1));
}
static void digits(struct rng *r, char *out, int count)
{
    for (int i = 0; i < count; i++) out[i] = (char)('0' + digit(r));
    out[count] = 0;
}
/* The sum of weight x digit over `count` digits, spaces and marks left out. */
static int weigh(const char *text, const int *weights, int count)
{
    int sum = 0;
    for (int i = 0; i < count && *text; text++)
        if (*text >= '0' && *text <= '9') sum += (*text - '0') * weights[i++];
    return sum;
}
/* Luhn's sum; the last digit counts once. */
static int luhn(const char *text)
{
    int sum = 0;
    bool twice = false;
    for (size_t i = strlen(text); i-- > 0;) {
        if (text[i] < '0' || text[i] > '9') continue;
        int d = (text[i] - '0') * (twice ? 2 : 1);
        sum += d / 10 + d % 10;
        twice = !twice;
    }
    return sum % 10;
}
static char luhn_digit(char *text) /* text ends in a 0 that is to be replaced */
{
    return (char)('0' + (10 - luhn(text)) % 10);
}

static const int tfn_weights[] = {1, 4, 3, 7, 5, 8, 6, 9, 10};
static const int cpf_weights[] = {11, 10, 9, 8, 7, 6, 5, 4, 3, 2};
static const int ean_weights[] = {1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1};
static const int cpr_weights[] = {4, 3, 2, 7, 6, 5, 4, 3, 2, 1};
static const int pps_weights[] = {8, 7, 6, 5, 4, 3, 2};
static const int bsn_weights[] = {9, 8, 7, 6, 5, 4, 3, 2, -1};
static const int fn_weights_1[] = {3, 7, 6, 1, 8, 9, 4, 5, 2, 1};
static const int fn_weights_2[] = {5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1};
static const char hetu_marks[] = "0123456789ABCDEFHJKLMNPRSTUVWXY";
static const char dni_letters[] = "TRWAGMYFPDXBNJZSQVHLCKE";
static const char pps_letters[] = "WABCDEFGHIJKLMNOPQRSTUV";

void id_none(struct rng *r, const struct birth *b, char out[ID_TEXT_MAX])
{
    (void)r, (void)b;
    out[0] = 0;
}
void id_sn(struct rng *r, const struct birth *b, char out[ID_TEXT_MAX])
{
    (void)b;
    digits(r, out, 12);
}
void id_sid(struct rng *r, const struct birth *b, char out[ID_TEXT_MAX])
{
    (void)b;
    digits(r, out, 9);
}

void id_tfn(struct rng *r, const struct birth *b, char out[ID_TEXT_MAX])
{
    (void)b;
    int check;
    do {
        digits(r, out, 9);
        check = weigh(out, tfn_weights, 8) % 11;
    } while (check == 10);
    out[8] = (char)('0' + check); /* 10 x check = -check, mod 11 */
}

void id_cpf(struct rng *r, const struct birth *b, char out[ID_TEXT_MAX])
{
    (void)b;
    char d[12];
    digits(r, d, 9);
    int first = weigh(d, cpf_weights + 1, 9) * 10 % 11 % 10;
    d[9] = (char)('0' + first);
    d[10] = 0;
    int second = weigh(d, cpf_weights, 10) * 10 % 11 % 10;
    snprintf(out, ID_TEXT_MAX, "%.3s.%.3s.%.3s-%d%d", d, d + 3, d + 6, first, second);
}

void id_sin(struct rng *r, const struct birth *b, char out[ID_TEXT_MAX])
{
    (void)b;
    digits(r, out, 9);
    if (out[0] == '0') out[0] = '1'; /* not given to people */
    out[8] = '0';
    out[8] = luhn_digit(out);
}

void id_avs(struct rng *r, const struct birth *b, char out[ID_TEXT_MAX])
{
    (void)b;
    char d[14] = "756";
    digits(r, d + 3, 9);
    int check = (10 - weigh(d, ean_weights, 12) % 10) % 10;
    snprintf(out, ID_TEXT_MAX, "%.3s.%.4s.%.4s.%.1s%d", d, d + 3, d + 7, d + 11, check);
}

/* Weighs area, birth, letter and serial; each product counts by its digits. */
static int svnr_check(const char *text)
{
    static const int weights[] = {2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1};
    int sum = 0, at = 0;
    for (const char *c = text; *c && at < 12; c++) {
        int place[2] = {*c - '0', -1};
        if (*c == ' ') continue;
        if (*c >= 'A' && *c <= 'Z') place[0] = (*c - 'A' + 1) / 10, place[1] = (*c - 'A' + 1) % 10;
        for (int i = 0; i < 2 && place[i] >= 0 && at < 12; i++) {
            int product = place[i] * weights[at++];
            sum += product / 10 + product % 10;
        }
    }
    return sum % 10;
}

void id_svnr(struct rng *r, const struct birth *b, char out[ID_TEXT_MAX])
{
    static const uint8_t areas[] = {2,  4,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
                                    20, 21, 23, 24, 25, 26, 28, 29, 38, 39, 40, 42, 43, 44,
                                    48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61};
    int area = areas[rng_below(r, COUNT_OF(areas))];
    int serial = b->male ? between(r, 0, 49) : between(r, 50, 99);
    char letter = b->last_ascii[0] >= 'a' && b->last_ascii[0] <= 'z'
                      ? (char)(b->last_ascii[0] - 'a' + 'A')
                      : 'X';
    int size = snprintf(out, ID_TEXT_MAX, "%02d %02d%02d%02d %c %02d", area, b->day % 100,
                        b->month % 100, b->year % 100, letter, serial % 100);
    snprintf(out + size, ID_TEXT_MAX - (size_t)size, "%d", svnr_check(out));
}

/* The seventh digit tells the century together with the year. */
void id_cpr(struct rng *r, const struct birth *b, char out[ID_TEXT_MAX])
{
    int weight;
    do {
        int first = b->year < 2000 ? between(r, 0, 3) : between(r, 4, 9);
        int last = 2 * between(r, 0, 4) + (b->male ? 1 : 0);
        snprintf(out, ID_TEXT_MAX, "%02d%02d%02d-%d%02d%d", b->day % 100, b->month % 100,
                 b->year % 100, first, between(r, 0, 99), last);
        weight = weigh(out, cpr_weights, 10);
    } while (weight % 11 != 0);
}

void id_dni(struct rng *r, const struct birth *b, char out[ID_TEXT_MAX])
{
    (void)b;
    int number = (int)rng_below(r, 100000000);
    snprintf(out, ID_TEXT_MAX, "%08d-%c", number, dni_letters[number % 23]);
}

void id_hetu(struct rng *r, const struct birth *b, char out[ID_TEXT_MAX])
{
    int serial = between(r, 1, 449) * 2 + (b->male ? 1 : 0);
    int born = b->day * 10000 + b->month * 100 + b->year % 100;
    int64_t number = (int64_t)born * 1000 + serial;
    snprintf(out, ID_TEXT_MAX, "%06d%c%03d%c", born % 1000000, b->year < 2000 ? '-' : 'A',
             serial % 1000, hetu_marks[number % 31]);
}

void id_insee(struct rng *r, const struct birth *b, char out[ID_TEXT_MAX])
{
    int64_t number = (b->male ? 1 : 2) * INT64_C(1000000000000) +
                     (b->year % 100) * INT64_C(10000000000) + b->month * INT64_C(100000000) +
                     between(r, 21, 95) * INT64_C(1000000) + between(r, 1, 989) * INT64_C(1000) +
                     between(r, 1, 999);
    snprintf(out, ID_TEXT_MAX, "%lld %02d", (long long)number, (int)(97 - number % 97));
}

static bool nino_prefix_ok(char first, char second)
{
    static const char never[][3] = {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"};
    for (size_t i = 0; i < COUNT_OF(never); i++)
        if (never[i][0] == first && never[i][1] == second) return false;
    return !strchr("DFIQUV", first) && !strchr("DFIOQUV", second);
}
void id_nino(struct rng *r, const struct birth *b, char out[ID_TEXT_MAX])
{
    (void)b;
    char first, second;
    do {
        first = (char)between(r, 'A', 'Z');
        second = (char)between(r, 'A', 'Z');
    } while (!nino_prefix_ok(first, second));
    snprintf(out, ID_TEXT_MAX, "%c%c %02d %02d %02d %c", first, second, between(r, 0, 99),
             between(r, 0, 99), between(r, 0, 99), between(r, 'A', 'D'));
}

void id_pps(struct rng *r, const struct birth *b, char out[ID_TEXT_MAX])
{
    (void)b;
    digits(r, out, 7);
    out[7] = pps_letters[weigh(out, pps_weights, 7) % 23];
    out[8] = 0;
}

/* Verhoeff's digit: the dihedral group of the pentagon. */
static int dihedral(int a, int b)
{
    if (a < 5) return b < 5 ? (a + b) % 5 : 5 + (a + b - 5) % 5;
    return b < 5 ? 5 + (a - 5 + 5 - b) % 5 : (a - b + 5) % 5;
}
static int verhoeff(const char *text, size_t first_place)
{
    static const uint8_t turn[10] = {1, 5, 7, 6, 2, 8, 3, 0, 9, 4};
    int sum = 0;
    for (size_t i = strlen(text), place = first_place; i-- > 0; place++) {
        int d = text[i] - '0';
        for (size_t t = 0; t < place % 8; t++) d = turn[d];
        sum = dihedral(sum, d);
    }
    return sum;
}
void id_uidai(struct rng *r, const struct birth *b, char out[ID_TEXT_MAX])
{
    (void)b;
    digits(r, out, 11);
    if (out[0] < '2') out[0] = (char)(out[0] + 2);
    int sum = verhoeff(out, 1);
    int check = 0;
    while (dihedral(check, sum) != 0) check++;
    out[11] = (char)('0' + check);
    out[12] = 0;
}

void id_nss(struct rng *r, const struct birth *b, char out[ID_TEXT_MAX])
{
    snprintf(out, ID_TEXT_MAX, "%02d %02d %02d %04d 0", between(r, 1, 97),
             (b->year + between(r, 16, 30)) % 100, b->year % 100, between(r, 0, 9999));
    out[14] = luhn_digit(out);
}

void id_bsn(struct rng *r, const struct birth *b, char out[ID_TEXT_MAX])
{
    (void)b;
    int check;
    char nine[10] = "0"; /* the API's form leaves the leading 0 of nine digits out */
    do {
        digits(r, nine + 1, 8);
        if (nine[1] == '0') nine[1] = '1';
        check = weigh(nine, bsn_weights, 8) % 11;
    } while (check == 10);
    nine[8] = (char)('0' + check);
    memcpy(out, nine + 1, 9);
}

void id_fn(struct rng *r, const struct birth *b, char out[ID_TEXT_MAX])
{
    int first, second;
    do {
        int serial = (b->year < 2000 ? between(r, 0, 249) : between(r, 250, 499)) * 2 + b->male;
        int size = snprintf(out, ID_TEXT_MAX, "%02d%02d%02d%03d", b->day % 100, b->month % 100,
                            b->year % 100, serial % 1000);
        first = (11 - weigh(out, fn_weights_1, 9) % 11) % 11;
        if (first == 10) continue;
        size += snprintf(out + size, ID_TEXT_MAX - (size_t)size, "%d", first);
        second = (11 - weigh(out, fn_weights_2, 10) % 11) % 11;
        if (second == 10) continue;
        snprintf(out + size, ID_TEXT_MAX - (size_t)size, "%d", second);
    } while (strlen(out) != 11);
}

void id_ssn(struct rng *r, const struct birth *b, char out[ID_TEXT_MAX])
{
    (void)b;
    do {
        unsigned area = (unsigned)between(r, 1, 899), group = (unsigned)between(r, 1, 99);
        unsigned serial = (unsigned)between(r, 1, 9999);
        snprintf(out, ID_TEXT_MAX, "%03u-%02u-%04u", area % 1000, group % 100, serial % 10000);
    } while (strncmp(out, "666", 3) == 0 || strcmp(out, "219-09-9999") == 0 ||
             strcmp(out, "078-05-1120") == 0);
}

bool id_digits_ok(const char *name, const char *value)
{
    struct slice id = slice_of(name);
    char nine[16];
    if (slice_is(id, "TFN")) return weigh(value, tfn_weights, 9) % 11 == 0;
    if (slice_is(id, "SIN") || slice_is(id, "NSS")) return luhn(value) == 0;
    if (slice_is(id, "AVS")) return weigh(value, ean_weights, 13) % 10 == 0;
    if (slice_is(id, "CPR")) return weigh(value, cpr_weights, 10) % 11 == 0;
    if (slice_is(id, "UIDAI")) return verhoeff(value, 0) == 0;
    if (slice_is(id, "FN"))
        return weigh(value, fn_weights_1, 10) % 11 == 0 && weigh(value, fn_weights_2, 11) % 11 == 0;
    if (slice_is(id, "BSN")) {
        snprintf(nine, sizeof(nine), "%s%.9s", strlen(value) < 9 ? "0" : "", value);
        return weigh(nine, bsn_weights, 9) % 11 == 0;
    }
    return true;
}
