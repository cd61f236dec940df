/* The API's parameters, judged as the site judges them, and the answer put together. */
#include "people/people_int.h"
#include <math.h>

static const char oops[] = "{\"error\":\"Uh oh, something has gone wrong. Please tweet us "
                           "@randomapi about the issue. Thank you.\"}";

void people_error_body(int status, uint64_t users, struct buf *body)
{
    if (status == 429)
        buf_printf(body,
                   "{\"error\":\"Whoa, ease up there cowboy. You've requested %llu users in the "
                   "last minute. Help us keep this service free and spare some bandwidth for other "
                   "users please :)\"}",
                   (unsigned long long)users);
    else
        buf_text(body, oops);
}

/* --- the query string ------------------------------------------------------------------------- */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
static err_t percent_decode(struct slice s, struct arena *a, struct slice *out)
{
    uint8_t *to = (uint8_t *)arena_take_raw(a, s.len + 1u);
    if (!to) return ERR_NO_MEMORY;
    uint32_t size = 0;
    for (uint32_t i = 0; i < s.len; i++) {
        int high = s.at[i] == '%' && i + 2 < s.len ? hex_digit(s.at[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(s.at[i + 2]) : -1;
        if (low >= 0) {
            to[size++] = (uint8_t)(high << 4 | low);
            i += 2;
        } else
            to[size++] = s.at[i] == '+' ? ' ' : s.at[i];
    }
    *out = slice_make(to, size);
    return ERR_OK;
}

err_t people_request_parse(struct slice query, struct arena *a, struct people_request *out)
{
    struct slice fmt = {0};
    const struct {
        const char *name;
        struct slice *value;
        bool *has;
    } params[] = {
        {"results", &out->results, NULL},
        {"seed", &out->seed, NULL},
        {"page", &out->page, NULL},
        {"gender", &out->gender, NULL},
        {"nationality", &out->nat, NULL},
        {"nat", &out->nat, NULL},
        {"inc", &out->inc, NULL},
        {"exc", &out->exc, NULL},
        {"format", &out->format, NULL},
        {"fmt", &fmt, NULL},
        {"password", &out->password, &out->has_password},
        {"callback", &out->callback, &out->has_callback},
        {"noinfo", &out->noinfo, &out->has_noinfo},
        {"dl", &out->download, &out->has_download},
        {"download", &out->download, &out->has_download},
        {"lego", &out->lego, &out->has_lego},
    };
    *out = (struct people_request){.version = out->version};
    for (uint32_t at = 0; at < query.len;) {
        uint32_t end = at, equals = UINT32_MAX;
        for (; end < query.len && query.at[end] != '&'; end++)
            if (query.at[end] == '=' && equals == UINT32_MAX) equals = end;
        uint32_t name_end = MIN(equals, end), value_at = MIN(name_end + 1, end);
        struct slice name, value;
        err_t e = percent_decode(slice_make(query.at + at, name_end - at), a, &name);
        if (!e) e = percent_decode(slice_make(query.at + value_at, end - value_at), a, &value);
        if (e) return e;
        for (size_t i = 0; i < COUNT_OF(params); i++) {
            if (!slice_is(name, params[i].name)) continue;
            *params[i].value = value; /* the last one counts */
            if (params[i].has) *params[i].has = true;
        }
        at = end + 1;
    }
    if (out->format.len == 0) out->format = fmt;
    return ERR_OK;
}

/* --- judging ---------------------------------------------------------------------------------- */

/* JavaScript's Number(text), for what a query can hold: NAN where that is NaN. */
static double js_number(struct slice s)
{
    s = slice_trim(s);
    double v = 0;
    if (s.len == 0) return 0;
    if (s.len > 2 && s.at[0] == '0' && (s.at[1] | 32) == 'x') {
        for (uint32_t i = 2; i < s.len; i++) {
            if (hex_digit(s.at[i]) < 0) return NAN;
            v = v * 16 + hex_digit(s.at[i]);
        }
        return v;
    }
    for (uint32_t i = 0; i < s.len; i++)
        if (!strchr("0123456789+-.eE", s.at[i]) || !s.at[i]) return NAN;
    return slice_to_f64(s, &v) ? v : NAN;
}

static uint32_t judge_results(struct slice s)
{
    double v = s.len ? js_number(s) : 1;
    return v >= 1 && v <= PEOPLE_RESULTS_MAX && v == floor(v) ? (uint32_t)v : 1;
}
static int64_t judge_page(struct slice s)
{
    double v = js_number(s);
    return v >= 1 && v <= 10000 && v == floor(v) ? (int64_t)v : 1;
}

/* Calls back each part of a comma list, without the empty ones. */
static bool next_part(struct slice *rest, struct slice *part)
{
    while (rest->len > 0) {
        uint32_t end = 0;
        while (end < rest->len && rest->at[end] != ',') end++;
        *part = slice_make(rest->at, end);
        uint32_t skip = MIN(end + 1, rest->len);
        *rest = slice_make(rest->at + skip, rest->len - skip);
        if (part->len > 0) return true;
    }
    return false;
}

static bool nat_known(const struct edition *e, int nat)
{
    return nat < NAT_REAL && nats[nat].since <= e->minor;
}
static void nats_all(struct people_plan *plan)
{
    plan->nat_count = 0;
    plan->nat_drawn = true;
    for (int nat = 0; nat < NAT_REAL; nat++)
        if (nat_known(plan->edition, nat)) plan->nats[plan->nat_count++] = (uint8_t)nat;
}
/* false when any entry is unknown: then the site forgets the whole list. */
static bool judge_nats(struct people_plan *plan, struct slice list)
{
    struct slice rest = list, part;
    plan->nat_count = 0;
    while (next_part(&rest, &part)) {
        int found = 0;
        while (found < NAT_REAL && !slice_equal_nocase(part, slice_of(nats[found].code))) found++;
        if (!nat_known(plan->edition, found) || plan->nat_count == NATS_ASKED_MAX) return false;
        plan->nats[plan->nat_count++] = (uint8_t)found;
    }
    plan->nat_drawn = true;
    return plan->nat_count > 0;
}
static void nat_only(struct people_plan *plan, int nat)
{
    plan->nats[0] = (uint8_t)nat;
    plan->nat_count = 1;
    plan->nat_drawn = false;
}
/* The number the seed's last two characters name among this edition's nationalities. */
static int nat_of_suffix(const struct edition *e, struct slice seed)
{
    if (seed.len != 18) return -1;
    if (seed.at[16] == '-' && seed.at[17] == '1') return NAT_LEGO; /* what the site writes for it */
    int high = hex_digit(seed.at[16]), low = hex_digit(seed.at[17]);
    if (high < 0 || low < 0) return -1;
    int index = high * 16 + low;
    for (int nat = 0; nat < NAT_REAL; nat++)
        if (nat_known(e, nat) && index-- == 0) return nat;
    return -1;
}
static int suffix_of_nat(const struct edition *e, int asked)
{
    int index = 0;
    for (int nat = 0; nat < asked; nat++) index += nat_known(e, nat);
    return index;
}

static uint32_t field_bits(struct slice list)
{
    uint32_t bits = 0;
    struct slice part;
    while (next_part(&list, &part)) {
        part = slice_trim(part);
        for (int i = 0; i < FIELDS; i++)
            if (slice_equal_nocase(part, slice_of(field_names[i]))) bits |= 1u << i;
    }
    return bits;
}

static double judge_length(double v, double otherwise)
{
    return v >= 1 && v <= PASSWORD_MAX ? v : otherwise;
}
/* "upper,lower,8-16": sets of characters, then a length or a range of lengths. */
static void judge_password(struct password_rule *rule, struct slice text)
{
    static const struct {
        const char *name, *characters;
    } sets[] = {{"special", " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"},
                {"upper", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
                {"lower", "abcdefghijklmnopqrstuvwxyz"},
                {"number", "0123456789"}};
    struct slice rest = text, part, last = {0};
    uint32_t seen = 0;
    while (next_part(&rest, &part)) {
        last = part;
        for (size_t i = 0; i < COUNT_OF(sets); i++) {
            if (!slice_is(part, sets[i].name) || seen & 1u << i) continue;
            seen |= 1u << i;
            size_t size = strlen(sets[i].characters);
            memcpy(rule->charset + rule->charset_size, sets[i].characters, size);
            rule->charset_size += (uint32_t)size;
        }
    }
    rule->given = rule->charset_size > 0;
    uint32_t dash = 0;
    while (dash < last.len && last.at[dash] != '-') dash++;
    double low = js_number(slice_make(last.at, dash)), high = low;
    if (dash < last.len) high = js_number(slice_make(last.at + dash + 1, last.len - dash - 1));
    if (low > high) {
        double swap = low;
        low = high;
        high = swap;
    }
    rule->min = (uint32_t)judge_length(low, 8);
    rule->max = (uint32_t)judge_length(high, PASSWORD_MAX);
    if (rule->max < rule->min) rule->max = PASSWORD_MAX;
}

struct judged {
    struct people_plan plan;
    struct slice seed;     /* as given or made */
    struct slice rng_seed; /* what is hashed */
    char own_seed[17];
    uint32_t results;
    int64_t page;
    bool info;
};

static void judge_seed(struct judged *j, const struct people_request *r, uint64_t entropy)
{
    static const char alphabet[] = "abcdef1234567890";
    j->seed = r->seed;
    j->seed.len = MIN(j->seed.len, (uint32_t)PEOPLE_SEED_MAX);
    int nat = nat_of_suffix(j->plan.edition, j->seed);
    if (j->seed.len == 0) {
        struct rng fresh = rng_make(entropy);
        for (int i = 0; i < 16; i++) j->own_seed[i] = alphabet[rng_below(&fresh, 16)];
        j->seed = slice_make(j->own_seed, 16);
    }
    j->rng_seed = j->seed;
    if (nat >= 0) {
        nat_only(&j->plan, nat);
        j->rng_seed.len = 16;
    }
}

static bool judge(struct judged *j, const struct people_request *r, int64_t now_ms,
                  uint64_t entropy, const char *portraits)
{
    struct people_plan *plan = &j->plan;
    plan->edition = edition_find(r->version);
    if (!plan->edition) return false;
    plan->portraits = portraits;
    plan->portraits_size = strlen(portraits);
    plan->now_ms = now_ms;
    if (r->has_lego && !slice_is(r->lego, "false"))
        nat_only(plan, NAT_LEGO);
    else if (!judge_nats(plan, r->nat))
        nats_all(plan);
    if (r->seed.len == 0)
        plan->gender = slice_is(r->gender, "male")     ? GENDER_MALE
                       : slice_is(r->gender, "female") ? GENDER_FEMALE
                                                       : GENDER_ANY;
    judge_seed(j, r, entropy);
    plan->fields = (r->inc.len ? field_bits(r->inc) : (uint32_t)FIELDS_ALL) & ~field_bits(r->exc);
    if (r->has_password && plan->edition->password_option)
        judge_password(&plan->password, r->password);
    j->results = judge_results(r->results);
    j->page = judge_page(r->page);
    j->info = !r->has_noinfo;
    return true;
}

/* --- answering -------------------------------------------------------------------------------- */

/* How long the UTF-8 character at s.at is; 0 when it is none. */
static uint32_t utf8_size(struct slice s)
{
    uint8_t c = s.at[0];
    uint32_t size = c < 0x80                ? 1
                    : c >= 0xc2 && c < 0xe0 ? 2
                    : (c & 0xf0) == 0xe0    ? 3
                    : c >= 0xf0 && c < 0xf5 ? 4
                                            : 0;
    if (size == 0 || size > s.len) return 0;
    for (uint32_t i = 1; i < size; i++)
        if ((s.at[i] & 0xc0) != 0x80) return 0;
    if (size < 3) return size;
    bool bad = (c == 0xe0 && s.at[1] < 0xa0) || (c == 0xed && s.at[1] >= 0xa0) ||
               (c == 0xf0 && s.at[1] < 0x90) || (c == 0xf4 && s.at[1] >= 0x90);
    return bad ? 0 : size;
}
static void put_seed(struct buf *out, struct slice s)
{
    for (uint32_t i = 0; i < s.len;) {
        uint32_t size = utf8_size(slice_make(s.at + i, s.len - i));
        uint8_t c = s.at[i];
        if (size == 0)
            buf_text(out, "\xef\xbf\xbd");
        else if (c < 0x20 || c == 0x7f)
            buf_printf(out, "\\u%04x", c);
        else {
            if (c == '"' || c == '\\') buf_char(out, '\\');
            buf_put(out, s.at + i, size);
        }
        i += MAX(size, 1u);
    }
}

static void put_json(struct buf *out, const struct judged *j)
{
    const struct people_plan *plan = &j->plan;
    struct rng r = people_rng(j->rng_seed, j->page);
    buf_text(out, "{\"results\":[");
    for (uint32_t i = 0; i < j->results && !out->err; i++) {
        struct person who;
        person_draw(&who, plan, &r);
        if (i > 0) buf_char(out, ',');
        person_put(out, &who, plan);
    }
    buf_char(out, ']');
    if (j->info) {
        buf_text(out, ",\"info\":{\"seed\":\"");
        put_seed(out, j->rng_seed);
        bool lego = plan->nats[0] == NAT_LEGO;
        if (!plan->nat_drawn && lego)
            buf_text(out, "-1");
        else if (!plan->nat_drawn)
            buf_printf(out, "%02x", (unsigned)suffix_of_nat(plan->edition, plan->nats[0]));
        buf_printf(out, "\",\"results\":%u,\"page\":%lld,\"version\":\"%s\"}", j->results,
                   (long long)j->page, plan->edition->version);
    }
    buf_char(out, '}');
}

static const struct format {
    const char *name, *extension, *content_type;
    void (*write)(struct slice json, struct buf *out); /* NULL: as it is */
} formats[] = {
    {"json", "json", "application/json; charset=utf-8", NULL},
    {"pretty", "json", "application/json; charset=utf-8", format_pretty},
    {"prettyjson", "json", "application/json; charset=utf-8", format_pretty},
    {"csv", "csv", "text/csv; charset=utf-8", format_csv},
    {"yaml", "yaml", "text/x-yaml; charset=utf-8", format_yaml},
    {"xml", "xml", "text/xml; charset=utf-8", format_xml},
};

/* A dotted JavaScript name: nothing that could be a program. */
static bool callback_safe(struct slice name)
{
    if (name.len == 0 || name.len > 128) return false;
    bool start = true;
    for (uint32_t i = 0; i < name.len; i++) {
        uint8_t c = name.at[i], l = c | 32;
        bool letter = (l >= 'a' && l <= 'z') || c == '_' || c == '$';
        bool digit = c >= '0' && c <= '9';
        if (c == '.' && !start)
            start = true;
        else if (letter || (digit && !start))
            start = false;
        else
            return false;
    }
    return !start;
}

static err_t refuse(int status, const char *type, const char *text, struct buf *body,
                    struct people_answer *out)
{
    out->status = status;
    out->content_type = type;
    buf_text(body, text);
    return body->err;
}

err_t people_answer(const struct people_request *r, int64_t now_ms, uint64_t entropy,
                    const char *portraits, struct buf *body, struct people_answer *out)
{
    *out = (struct people_answer){.status = 200};
    if (strlen(portraits) > PEOPLE_PORTRAITS_MAX) return ERR_TOO_BIG;
    struct judged j = {0};
    if (!judge(&j, r, now_ms, entropy, portraits))
        return refuse(404, "text/plain; charset=utf-8", "Not Found", body, out);
    const struct format *f = &formats[0];
    for (size_t i = 0; i < COUNT_OF(formats); i++)
        if (slice_equal_nocase(r->format, slice_of(formats[i].name))) f = &formats[i];
    bool wrapped = r->has_callback && strcmp(f->extension, "json") == 0;
    if (wrapped && !callback_safe(r->callback))
        return refuse(400, "application/json; charset=utf-8",
                      "{\"error\":\"callback must be a JavaScript name, like myFunction or "
                      "app.users\"}",
                      body, out);
    out->content_type = f->content_type;
    out->people = j.results;
    if (r->has_download) {
        struct buf name = buf_over(out->disposition, sizeof(out->disposition) - 1);
        buf_printf(&name, "attachment; filename=\"download.%s\"", f->extension);
        out->disposition[name.len] = 0;
    }
    if (wrapped) buf_printf(body, "%.*s(", SLICE_ARG(r->callback));
    if (f->write) {
        struct buf json = buf_make(body->limit);
        put_json(&json, &j);
        if (json.err && !body->err) body->err = json.err;
        if (!json.err) f->write(buf_view(&json), body);
        buf_done(&json);
    } else
        put_json(body, &j);
    if (wrapped) buf_text(body, ");");
    return body->err;
}

err_t people_make(const struct people_ask *ask, struct buf *out, uint32_t *bounds)
{
    struct people_plan plan = {.edition = edition_find(slice_of("")),
                               .fields = FIELDS_ALL,
                               .portraits = ask->portraits,
                               .portraits_size = strlen(ask->portraits),
                               .now_ms = ask->now_ms};
    if (plan.portraits_size > PEOPLE_PORTRAITS_MAX) return ERR_TOO_BIG;
    if (slice_equal_nocase(ask->nat, SLICE("lego")))
        nat_only(&plan, NAT_LEGO);
    else if (ask->nat.len == 0)
        nats_all(&plan);
    else if (!judge_nats(&plan, ask->nat))
        return ERR_UNKNOWN_NAME;
    if (slice_equal_nocase(ask->gender, SLICE("male")))
        plan.gender = GENDER_MALE;
    else if (slice_equal_nocase(ask->gender, SLICE("female")))
        plan.gender = GENDER_FEMALE;
    else if (ask->gender.len > 0)
        return ERR_UNKNOWN_NAME;
    struct judged j = {.plan = plan};
    struct people_request r = {.seed = ask->seed};
    judge_seed(&j, &r, 0);
    struct rng rng = people_rng(j.rng_seed, ask->page);
    size_t base = out->len;
    bounds[0] = 0;
    for (uint32_t i = 0; i < ask->count && !out->err; i++) {
        struct person who;
        person_draw(&who, &j.plan, &rng);
        if (ask->shape == PEOPLE_EVENT)
            person_put_event(out, &who, &j.plan);
        else
            person_put(out, &who, &j.plan);
        bounds[i + 1] = (uint32_t)(out->len - base);
    }
    return out->err;
}

err_t people_page(struct slice seed, int64_t page, uint32_t count, struct slice nat,
                  struct slice gender, int64_t now_ms, const char *portraits, struct buf *out,
                  uint32_t *bounds)
{
    struct people_ask ask = {.seed = seed,
                             .nat = nat,
                             .gender = gender,
                             .page = page,
                             .now_ms = now_ms,
                             .count = count,
                             .portraits = portraits};
    return people_make(&ask, out, bounds);
}

const char *people_nats(void)
{
    return ""
#define NAT(code, country, since, postcode, phone, cell, id, maker, id_since) #code ","
#include "people/nats.def"
#undef NAT
        ;
}
