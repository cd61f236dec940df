/* people's own tables: nationalities, editions of the API, a person. Private to this room. */
#pragma once
#include "base/hash.h"
#include "people/people.h"

enum nat_id {
#define NAT(code, country, since, postcode, phone, cell, id, maker, id_since) NAT_##code,
#include "people/nats.def"
#undef NAT
    NATS, /* how many, LEGO with them */
    NAT_REAL = NAT_LEGO
};
enum name_list { NAMES_MALE, NAMES_FEMALE, NAMES_LAST, NAMES_STREET, NAMES_CITIES, NAMES_LISTS };
enum postcode_kind { POST_FIVE, POST_AU, POST_CH, POST_CA, POST_GB, POST_NL, POST_NO };

struct word {
    const char *text;  /* UTF-8 that needs no JSON escapes */
    const char *ascii; /* as an e-mail address writes it; people's names only */
    uint8_t size, ascii_size;
    const struct word *state; /* a city's */
};
struct word_list {
    const struct word *words;
    uint32_t count;
};
/* Ready after the first call; any thread. */
const struct word_list *names_of(enum nat_id nat, enum name_list list);

struct birth { /* what ids are made of */
    bool male;
    int year, month, day;
    const char *last_ascii;
};
enum { ID_TEXT_MAX = 32 };
typedef void (*id_maker)(struct rng *r, const struct birth *b, char out[ID_TEXT_MAX]);
struct nat {
    const char *code, *country, *phone, *cell, *id_name;
    id_maker id;
    uint8_t since, id_since;
    enum postcode_kind postcode;
};
extern const struct nat nats[NATS];
#define NAT(code, country, since, postcode, phone, cell, id, maker, id_since)                      \
    void id_##maker(struct rng *r, const struct birth *b, char out[ID_TEXT_MAX]);
#include "people/nats.def"
#undef NAT
bool id_digits_ok(const char *name, const char *value); /* tests: do its check digits fit? */

enum person_field {
    FIELD_GENDER,
    FIELD_NAME,
    FIELD_LOCATION,
    FIELD_EMAIL,
    FIELD_LOGIN,
    FIELD_REGISTERED,
    FIELD_DOB,
    FIELD_PHONE,
    FIELD_CELL,
    FIELD_ID,
    FIELD_PICTURE,
    FIELD_NAT,
    FIELDS
};
enum { FIELDS_ALL = (1 << FIELDS) - 1 };
extern const char *const field_names[FIELDS];

enum date_form { DATE_UNIX, DATE_PLAIN, DATE_ISO, DATE_ISO_MS };
enum age_rule { AGE_NONE, AGE_FULL_YEARS, AGE_YEAR_DIFFERENCE };

/* A version of the API: what it answers that another does not. */
struct edition {
    const char *version;
    int minor;
    int64_t now_s;              /* its own idea of the present: dates never come after it */
    int64_t born_ms, joined_ms; /* the earliest dates */
    int64_t adult_ms;           /* how long before now_s the youngest was born */
    enum date_form dates;
    enum age_rule age;
    bool lower_case, street_object, place, uuid, email_ascii, registered_first, password_option;
};
extern const struct edition editions[];
extern const size_t edition_count;
const struct edition *edition_find(struct slice version); /* "" is the newest; NULL: none */

enum { PASSWORD_MAX = 64, NATS_ASKED_MAX = 64 };
struct password_rule {
    bool given;
    char charset[128];
    uint32_t charset_size, min, max;
};
enum gender_rule { GENDER_ANY, GENDER_MALE, GENDER_FEMALE };

/* What to make: the parameters after judgement. */
struct people_plan {
    const struct edition *edition;
    uint8_t nats[NATS_ASKED_MAX]; /* to choose from */
    uint32_t nat_count;
    bool nat_drawn; /* false: there is one, and it costs no draw */
    enum gender_rule gender;
    struct password_rule password;
    uint32_t fields; /* a bit a person_field */
    const char *portraits;
    size_t portraits_size;
    int64_t now_ms;
};

struct person {
    const struct nat *nat;
    bool male;
    const char *title;
    const struct word *first, *last, *street, *city;
    uint32_t street_number, postcode;
    char postcode_text[16];      /* "" where the API gives a number */
    int32_t latitude, longitude; /* in ten-thousandths of a degree */
    const struct timezone_row *timezone;
    uint8_t uuid[16];
    char username[48];
    char password[PASSWORD_MAX + 1], salt[9];
    uint32_t password_size;
    int64_t dob_ms, registered_ms;
    char phone[24], cell[24], id[ID_TEXT_MAX];
    int portrait;
};
struct timezone_row {
    const char *offset, *description;
};

struct rng people_rng(struct slice seed, int64_t page);
void person_draw(struct person *p, const struct people_plan *plan, struct rng *r);
/* One person as the edition writes it, compact. */
enum { PERSON_JSON_MAX = 8192 };
void person_put(struct buf *out, const struct person *p, const struct people_plan *plan);
void person_put_event(struct buf *out, const struct person *p, const struct people_plan *plan);

/* The other formats, made from our own compact JSON. */
void format_pretty(struct slice json, struct buf *out);
void format_csv(struct slice json, struct buf *out); /* of "results" */
void format_yaml(struct slice json, struct buf *out);
void format_xml(struct slice json, struct buf *out);

struct civil {
    int year, month, day, hour, minute, second, ms;
};
struct civil civil_of(int64_t ms);
