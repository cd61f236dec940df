/* A person as JSON, straight into the buffer: one reservation a person, no checks on the way. */
#include "people/people_int.h"

static const int64_t day_ms = 86400000;

const char *const field_names[FIELDS] = {"gender", "name",       "location", "email",
                                         "login",  "registered", "dob",      "phone",
                                         "cell",   "id",         "picture",  "nat"};

/* born, joined and now are the site's own constants: they bound the dates a client can see. */
const struct edition editions[] = {
    {.version = "1.0",
     .minor = 0,
     .now_s = 1437996378,
     .joined_ms = 915148800000,
     .dates = DATE_UNIX,
     .lower_case = true,
     .registered_first = true},
    {.version = "1.1",
     .minor = 1,
     .now_s = 1471295130,
     .born_ms = -800000000000,
     .joined_ms = 1016688461000,
     .adult_ms = 86400000LL * 365 * 21,
     .dates = DATE_PLAIN,
     .lower_case = true,
     .password_option = true},
    {.version = "1.2",
     .minor = 2,
     .now_s = 1529272048,
     .born_ms = -800000000000,
     .joined_ms = 1016688461000,
     .adult_ms = 86400000LL * 365 * 21,
     .dates = DATE_ISO,
     .age = AGE_FULL_YEARS,
     .lower_case = true,
     .place = true,
     .uuid = true,
     .password_option = true},
    {.version = "1.3",
     .minor = 3,
     .now_s = 1569449450,
     .born_ms = -800000000000,
     .joined_ms = 1016688461000,
     .adult_ms = 86400000LL * 365 * 21,
     .dates = DATE_ISO_MS,
     .age = AGE_YEAR_DIFFERENCE,
     .street_object = true,
     .place = true,
     .uuid = true,
     .email_ascii = true,
     .password_option = true},
    {.version = "1.4",
     .minor = 4,
     .now_s = 1653344189,
     .born_ms = -800000000000,
     .joined_ms = 1016688461000,
     .adult_ms = 86400000LL * 365 * 21,
     .dates = DATE_ISO_MS,
     .age = AGE_FULL_YEARS,
     .street_object = true,
     .place = true,
     .uuid = true,
     .email_ascii = true,
     .password_option = true},
};
const size_t edition_count = COUNT_OF(editions);

const struct edition *edition_find(struct slice version)
{
    if (version.len == 0) return &editions[COUNT_OF(editions) - 1];
    for (size_t i = 0; i < COUNT_OF(editions); i++)
        if (slice_is(version, editions[i].version)) return &editions[i];
    return NULL;
}

/* The day count to a date: Gregorian, for every day an int64 of milliseconds can name. */
struct civil civil_of(int64_t ms)
{
    int64_t days = ms / day_ms - (ms % day_ms < 0), rest = ms - days * day_ms;
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int month = (int)(mp < 10 ? mp + 3 : mp - 9);
    return (struct civil){.year = (int)(yoe + era * 400 + (month <= 2)),
                          .month = month,
                          .day = (int)(doy - (153 * mp + 2) / 5 + 1),
                          .hour = (int)(rest / 3600000),
                          .minute = (int)(rest / 60000 % 60),
                          .second = (int)(rest / 1000 % 60),
                          .ms = (int)(rest % 1000)};
}

static uint8_t *put(uint8_t *p, const char *text, size_t size)
{
    memcpy(p, text, size);
    return p + size;
}
static uint8_t *put_text(uint8_t *p, const char *text)
{
    return put(p, text, strlen(text));
}
#define PUT(p, literal) put(p, literal, sizeof(literal) - 1)

static uint8_t *put_number(uint8_t *p, int64_t v)
{
    char digits[24];
    size_t at = sizeof(digits);
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do digits[--at] = (char)('0' + u % 10);
    while (u /= 10);
    if (v < 0) digits[--at] = '-';
    return put(p, digits + at, sizeof(digits) - at);
}
static uint8_t *put_padded(uint8_t *p, int v, int width)
{
    for (int i = width; i-- > 0; v /= 10) p[i] = (uint8_t)('0' + v % 10);
    return p + width;
}
static uint8_t *put_hex_bytes(uint8_t *p, const uint8_t *bytes, size_t count)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        *p++ = (uint8_t)hex[bytes[i] >> 4];
        *p++ = (uint8_t)hex[bytes[i] & 15];
    }
    return p;
}
static uint8_t *put_escaped(uint8_t *p, const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') *p++ = '\\';
        *p++ = (uint8_t)*text;
    }
    return p;
}

/* Lower case of the two-byte letters our names use: Latin, and Cyrillic. */
static uint32_t lower(uint32_t code)
{
    if (code >= 0xc0 && code <= 0xde && code != 0xd7) return code + 32;
    if (code == 0x130) return 'i';
    if (code == 0x178) return 0xff;
    if (code >= 0x100 && code <= 0x137) return code | 1;
    if (code >= 0x139 && code <= 0x148) return code + (code & 1);
    if (code >= 0x14a && code <= 0x177) return code | 1;
    if (code >= 0x179 && code <= 0x17e) return code + (code & 1);
    if (code >= 0x400 && code <= 0x40f) return code + 80;
    if (code >= 0x410 && code <= 0x42f) return code + 32;
    return code == 0x490 ? 0x491 : code;
}
static uint8_t *put_lower(uint8_t *p, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t c = (uint8_t)text[i];
        if (c < 0x80)
            *p++ = (uint8_t)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        else if (c < 0xc0 || c >= 0xe0 || i + 1 == size)
            *p++ = c;
        else {
            uint32_t code = lower((c & 31u) << 6 | ((uint8_t)text[++i] & 63u));
            if (code < 0x80)
                *p++ = (uint8_t)code;
            else
                *p++ = (uint8_t)(0xc0 | code >> 6), *p++ = (uint8_t)(0x80 | (code & 63));
        }
    }
    return p;
}
/* Names as the edition spells them: before 1.3 the site's lists were in lower case. */
static uint8_t *put_word(uint8_t *p, const struct word *w, const struct edition *e)
{
    return e->lower_case ? put_lower(p, w->text, w->size) : put(p, w->text, w->size);
}

static uint8_t *put_iso(uint8_t *p, int64_t ms, enum date_form form)
{
    struct civil c = civil_of(ms);
    p = put_padded(p, c.year, 4);
    *p++ = '-';
    p = put_padded(p, c.month, 2);
    *p++ = '-';
    p = put_padded(p, c.day, 2);
    *p++ = form == DATE_PLAIN ? ' ' : 'T';
    p = put_padded(p, c.hour, 2);
    *p++ = ':';
    p = put_padded(p, c.minute, 2);
    *p++ = ':';
    p = put_padded(p, c.second, 2);
    if (form == DATE_ISO_MS) {
        *p++ = '.';
        p = put_padded(p, c.ms, 3);
    }
    if (form != DATE_PLAIN) *p++ = 'Z';
    return p;
}

static int age_of(int64_t then_ms, int64_t now_ms, enum age_rule rule)
{
    struct civil a = civil_of(then_ms), b = civil_of(now_ms);
    int years = b.year - a.year;
    if (rule == AGE_YEAR_DIFFERENCE) return years;
    int64_t a_rest = ((a.month * 32 + a.day) * day_ms) + (then_ms % day_ms + day_ms) % day_ms;
    int64_t b_rest = ((b.month * 32 + b.day) * day_ms) + (now_ms % day_ms + day_ms) % day_ms;
    return b_rest < a_rest ? years - 1 : years;
}

static uint8_t *put_date(uint8_t *p, int64_t ms, const struct people_plan *plan)
{
    const struct edition *e = plan->edition;
    if (e->dates == DATE_UNIX) return put_number(p, ms / 1000);
    if (e->age != AGE_NONE) p = PUT(p, "{\"date\":");
    *p++ = '"';
    p = put_iso(p, ms, e->dates);
    *p++ = '"';
    if (e->age == AGE_NONE) return p;
    p = PUT(p, ",\"age\":");
    p = put_number(p, age_of(ms, plan->now_ms, e->age));
    *p++ = '}';
    return p;
}

static uint8_t *put_degrees(uint8_t *p, int32_t ten_thousandths)
{
    uint32_t v = (uint32_t)(ten_thousandths < 0 ? -ten_thousandths : ten_thousandths);
    if (ten_thousandths < 0) *p++ = '-';
    p = put_number(p, v / 10000);
    *p++ = '.';
    return put_padded(p, (int)(v % 10000), 4);
}

typedef uint8_t *(*field_writer)(uint8_t *p, const struct person *who,
                                 const struct people_plan *plan);

static uint8_t *put_gender(uint8_t *p, const struct person *who, const struct people_plan *plan)
{
    (void)plan;
    return who->male ? PUT(p, "\"male\"") : PUT(p, "\"female\"");
}
static uint8_t *put_name(uint8_t *p, const struct person *who, const struct people_plan *plan)
{
    const struct edition *e = plan->edition;
    p = PUT(p, "{\"title\":\"");
    p = e->lower_case ? put_lower(p, who->title, strlen(who->title)) : put_text(p, who->title);
    p = PUT(p, "\",\"first\":\"");
    p = put_word(p, who->first, e);
    p = PUT(p, "\",\"last\":\"");
    p = put_word(p, who->last, e);
    return PUT(p, "\"}");
}
static uint8_t *put_street(uint8_t *p, const struct person *who, const struct edition *e)
{
    p = e->street_object ? PUT(p, "{\"number\":") : PUT(p, "\"");
    p = put_number(p, who->street_number);
    p = e->street_object ? PUT(p, ",\"name\":\"") : PUT(p, " ");
    p = put_word(p, who->street, e);
    *p++ = '"';
    if (e->street_object) *p++ = '}';
    return p;
}
static uint8_t *put_postcode(uint8_t *p, const struct person *who)
{
    if (who->postcode_text[0] == 0) return put_number(p, who->postcode);
    *p++ = '"';
    p = put_text(p, who->postcode_text);
    *p++ = '"';
    return p;
}
static uint8_t *put_location(uint8_t *p, const struct person *who, const struct people_plan *plan)
{
    const struct edition *e = plan->edition;
    p = PUT(p, "{\"street\":");
    p = put_street(p, who, e);
    p = PUT(p, ",\"city\":\"");
    p = put_word(p, who->city, e);
    p = PUT(p, "\",\"state\":\"");
    p = put_word(p, who->city->state, e);
    if (e->street_object && who->nat->country[0]) {
        p = PUT(p, "\",\"country\":\"");
        p = put_text(p, who->nat->country);
    }
    p = PUT(p, "\",\"postcode\":");
    p = put_postcode(p, who);
    if (e->place) {
        p = PUT(p, ",\"coordinates\":{\"latitude\":\"");
        p = put_degrees(p, who->latitude);
        p = PUT(p, "\",\"longitude\":\"");
        p = put_degrees(p, who->longitude);
        p = PUT(p, "\"},\"timezone\":{\"offset\":\"");
        p = put_text(p, who->timezone->offset);
        p = PUT(p, "\",\"description\":\"");
        p = put_text(p, who->timezone->description);
        p = PUT(p, "\"}");
    }
    *p++ = '}';
    return p;
}
static uint8_t *put_address(uint8_t *p, const struct person *who, const struct edition *e)
{
    if (e->email_ascii) {
        p = put(p, who->first->ascii, who->first->ascii_size);
        *p++ = '.';
        p = put(p, who->last->ascii, who->last->ascii_size);
    } else {
        p = put_word(p, who->first, e);
        *p++ = '.';
        uint8_t *from = p, *end = put_word(p, who->last, e);
        for (; from < end; from++)
            if (*from != ' ') *p++ = *from;
    }
    return PUT(p, "@example.com");
}
static uint8_t *put_email(uint8_t *p, const struct person *who, const struct people_plan *plan)
{
    *p++ = '"';
    p = put_address(p, who, plan->edition);
    *p++ = '"';
    return p;
}
static uint8_t *put_uuid(uint8_t *p, const uint8_t uuid[16])
{
    p = put_hex_bytes(p, uuid, 4);
    for (int group = 0; group < 3; group++) {
        *p++ = '-';
        p = put_hex_bytes(p, uuid + 4 + 2 * group, 2);
    }
    *p++ = '-';
    return put_hex_bytes(p, uuid + 10, 6);
}
static uint8_t *put_login(uint8_t *p, const struct person *who, const struct people_plan *plan)
{
    char salted[PASSWORD_MAX + 9];
    memcpy(salted, who->password, who->password_size);
    memcpy(salted + who->password_size, who->salt, 8);
    struct slice secret = slice_make(salted, who->password_size + 8);
    uint8_t md5[16], sha1[20], sha256[32];
    digest_md5(secret, md5);
    digest_sha1(secret, sha1);
    digest_sha256(secret, sha256);
    *p++ = '{';
    if (plan->edition->uuid) {
        p = PUT(p, "\"uuid\":\"");
        p = put_uuid(p, who->uuid);
        p = PUT(p, "\",");
    }
    p = PUT(p, "\"username\":\"");
    p = put_text(p, who->username);
    p = PUT(p, "\",\"password\":\"");
    p = put_escaped(p, who->password);
    p = PUT(p, "\",\"salt\":\"");
    p = put(p, who->salt, 8);
    p = PUT(p, "\",\"md5\":\"");
    p = put_hex_bytes(p, md5, 16);
    p = PUT(p, "\",\"sha1\":\"");
    p = put_hex_bytes(p, sha1, 20);
    p = PUT(p, "\",\"sha256\":\"");
    p = put_hex_bytes(p, sha256, 32);
    return PUT(p, "\"}");
}
static uint8_t *put_registered(uint8_t *p, const struct person *who, const struct people_plan *plan)
{
    return put_date(p, who->registered_ms, plan);
}
static uint8_t *put_dob(uint8_t *p, const struct person *who, const struct people_plan *plan)
{
    return put_date(p, who->dob_ms, plan);
}
static uint8_t *put_quoted(uint8_t *p, const char *text)
{
    *p++ = '"';
    p = put_text(p, text);
    *p++ = '"';
    return p;
}
static uint8_t *put_phone(uint8_t *p, const struct person *who, const struct people_plan *plan)
{
    (void)plan;
    return put_quoted(p, who->phone);
}
static uint8_t *put_cell(uint8_t *p, const struct person *who, const struct people_plan *plan)
{
    (void)plan;
    return put_quoted(p, who->cell);
}
static uint8_t *put_id(uint8_t *p, const struct person *who, const struct people_plan *plan)
{
    bool has = who->id[0] && plan->edition->minor >= who->nat->id_since;
    bool brick = who->nat == &nats[NAT_LEGO] && plan->edition->minor < 4;
    p = PUT(p, "{\"name\":\"");
    if (has) p = put_text(p, brick ? "serial#" : who->nat->id_name);
    p = PUT(p, "\",\"value\":");
    p = has ? put_quoted(p, who->id) : PUT(p, "null");
    *p++ = '}';
    return p;
}
static uint8_t *put_picture_of(uint8_t *p, const struct person *who, const struct people_plan *plan,
                               const char *size)
{
    const char *folder = who->nat == &nats[NAT_LEGO] ? "lego/" : who->male ? "men/" : "women/";
    *p++ = '"';
    p = put(p, plan->portraits, plan->portraits_size);
    p = put_text(p, size);
    p = put_text(p, folder);
    p = put_number(p, who->portrait);
    return PUT(p, ".jpg\"");
}
static uint8_t *put_picture(uint8_t *p, const struct person *who, const struct people_plan *plan)
{
    p = PUT(p, "{\"large\":");
    p = put_picture_of(p, who, plan, "/");
    p = PUT(p, ",\"medium\":");
    p = put_picture_of(p, who, plan, "/med/");
    p = PUT(p, ",\"thumbnail\":");
    p = put_picture_of(p, who, plan, "/thumb/");
    *p++ = '}';
    return p;
}
static uint8_t *put_nat(uint8_t *p, const struct person *who, const struct people_plan *plan)
{
    (void)plan;
    return put_quoted(p, who->nat->code);
}

static const field_writer writers[FIELDS] = {put_gender, put_name,       put_location, put_email,
                                             put_login,  put_registered, put_dob,      put_phone,
                                             put_cell,   put_id,         put_picture,  put_nat};
static const uint8_t order_first[FIELDS] = {
    FIELD_GENDER, FIELD_NAME,  FIELD_LOCATION, FIELD_EMAIL, FIELD_LOGIN,   FIELD_REGISTERED,
    FIELD_DOB,    FIELD_PHONE, FIELD_CELL,     FIELD_ID,    FIELD_PICTURE, FIELD_NAT};
static const uint8_t order_since_1_1[FIELDS] = {
    FIELD_GENDER,     FIELD_NAME,  FIELD_LOCATION, FIELD_EMAIL, FIELD_LOGIN,   FIELD_DOB,
    FIELD_REGISTERED, FIELD_PHONE, FIELD_CELL,     FIELD_ID,    FIELD_PICTURE, FIELD_NAT};

void person_put(struct buf *out, const struct person *who, const struct people_plan *plan)
{
    if (!buf_reserve(out, PERSON_JSON_MAX)) return;
    const uint8_t *order = plan->edition->registered_first ? order_first : order_since_1_1;
    uint8_t *start = out->at + out->len, *p = start;
    *p++ = '{';
    for (int i = 0; i < FIELDS; i++) {
        int field = order[i];
        if (!(plan->fields & 1u << field)) continue;
        if (p[-1] != '{') *p++ = ',';
        *p++ = '"';
        p = put_text(p, field_names[field]);
        *p++ = '"';
        *p++ = ':';
        p = writers[field](p, who, plan);
    }
    *p++ = '}';
    INVARIANT(p - start <= PERSON_JSON_MAX);
    out->len += (size_t)(p - start);
}

/* The flat event of the producer in the fifth known pipeline, spaced as Python's json spaces it. */
void person_put_event(struct buf *out, const struct person *who, const struct people_plan *plan)
{
    if (!buf_reserve(out, PERSON_JSON_MAX)) return;
    uint8_t *start = out->at + out->len, *p = PUT(start, "{\"id\": \"");
    p = put_uuid(p, who->uuid);
    p = PUT(p, "\", \"first_name\": \"");
    p = put(p, who->first->text, who->first->size);
    p = PUT(p, "\", \"last_name\": \"");
    p = put(p, who->last->text, who->last->size);
    p = PUT(p, "\", \"gender\": ");
    p = put_gender(p, who, plan);
    p = PUT(p, ", \"address\": \"");
    p = put_number(p, who->street_number);
    *p++ = ' ';
    p = put(p, who->street->text, who->street->size);
    p = PUT(p, ", ");
    p = put(p, who->city->text, who->city->size);
    p = PUT(p, ", ");
    p = put(p, who->city->state->text, who->city->state->size);
    if (who->nat->country[0]) p = PUT(p, ", ");
    p = put_text(p, who->nat->country);
    p = PUT(p, "\", \"post_code\": ");
    p = put_postcode(p, who);
    p = PUT(p, ", \"email\": ");
    p = put_email(p, who, plan);
    p = PUT(p, ", \"username\": ");
    p = put_quoted(p, who->username);
    p = PUT(p, ", \"dob\": \"");
    p = put_iso(p, who->dob_ms, DATE_ISO_MS);
    p = PUT(p, "\", \"registered_date\": \"");
    p = put_iso(p, who->registered_ms, DATE_ISO_MS);
    p = PUT(p, "\", \"phone\": ");
    p = put_phone(p, who, plan);
    p = PUT(p, ", \"picture\": ");
    p = put_picture_of(p, who, plan, "/med/");
    *p++ = '}';
    INVARIANT(p - start <= PERSON_JSON_MAX);
    out->len += (size_t)(p - start);
}
