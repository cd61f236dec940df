/* Goal: the API's behaviour as its documentation and public source tell it. Method: ask
 * people_answer as a client would and look at the bytes; names are ours, so nothing is compared
 * with the site's. */
#include "people/people_int.h"
#include "test.h"
#include <stdlib.h>

#include <jpeglib.h>

static const int64_t now = 1795248000000; /* 2026-11-21 */
static const char portraits[] = "http://127.0.0.1:8000/api/portraits";

struct asked {
    struct buf body;
    struct people_answer answer;
};
static struct asked ask_version(const char *version, const char *query)
{
    struct asked a = {.body = buf_make(MIB(32))};
    struct arena *arena = arena_new(MIB(1));
    struct people_request r = {.version = slice_of(version)};
    CHECK_OK(people_request_parse(slice_of(query), arena, &r), NULL);
    CHECK_OK(people_answer(&r, now, 42, portraits, &a.body, &a.answer), NULL);
    buf_cstr(&a.body);
    arena_free(arena);
    return a;
}
static const char *text_of(struct asked *a)
{
    return buf_cstr(&a->body);
}
static struct asked ask(const char *query)
{
    return ask_version("", query);
}
static bool says(const char *query, const char *wanted)
{
    struct asked a = ask(query);
    bool found = strstr(text_of(&a), wanted) != NULL;
    if (!found) printf("    %s: no %s in %.200s\n", query, wanted, text_of(&a));
    buf_done(&a.body);
    return found;
}
static int count_of(const char *query, const char *wanted)
{
    struct asked a = ask(query);
    int count = 0;
    for (const char *at = text_of(&a); (at = strstr(at, wanted)); at += strlen(wanted)) count++;
    buf_done(&a.body);
    return count;
}
/* Keys and structure only: strings become s, numbers 0. */
static void skeleton(const char *json, char *out, size_t cap)
{
    size_t n = 0;
    for (const char *at = json; *at && n + 64 < cap;) {
        if (*at == '"') {
            const char *end = at + 1;
            while (*end && *end != '"') end += *end == '\\' ? 2 : 1;
            if (end[1] == ':') {
                memcpy(out + n, at + 1, (size_t)(end - at - 1));
                n += (size_t)(end - at - 1);
            } else
                out[n++] = 's';
            at = end + 1;
        } else if (*at == '-' || (*at >= '0' && *at <= '9')) {
            out[n++] = '0';
            at += strspn(at, "-0123456789.");
        } else
            out[n++] = *at++;
    }
    out[n] = 0;
}

TEST(every_nationality_has_its_own_table_of_enough_names_without_twins)
{
    static const uint32_t least[NAMES_LISTS] = {40, 40, 60, 25, 25};
    for (int nat = 0; nat < NATS; nat++) {
        for (int list = 0; list < NAMES_LISTS; list++) {
            const struct word_list *l = names_of((enum nat_id)nat, (enum name_list)list);
            if (l->count < least[list])
                test_failed(__FILE__, __LINE__, "%s list %d: %u", nats[nat].code, list, l->count);
            for (uint32_t i = 0; i < l->count; i++) {
                const struct word *w = &l->words[i];
                if (memchr(w->text, '"', w->size) || memchr(w->text, '\\', w->size))
                    test_failed(__FILE__, __LINE__, "%.*s", w->size, w->text);
                if (list == NAMES_CITIES) CHECK(w->state && w->state->size > 1);
                for (uint32_t k = 0; k < i; k++)
                    if (l->words[k].size == w->size && list != NAMES_CITIES &&
                        memcmp(l->words[k].text, w->text, w->size) == 0)
                        test_failed(__FILE__, __LINE__, "twice: %.*s", w->size, w->text);
            }
        }
    }
}

TEST(every_letter_of_a_name_can_be_written_in_an_email_address)
{
    for (int nat = 0; nat < NATS; nat++)
        for (int list = 0; list <= NAMES_LAST; list++) {
            const struct word_list *l = names_of((enum nat_id)nat, (enum name_list)list);
            for (uint32_t i = 0; i < l->count; i++) {
                const struct word *w = &l->words[i];
                uint32_t letters = 0;
                for (uint32_t k = 0; k < w->size; k++)
                    letters += ((uint8_t)w->text[k] & 0xc0) != 0x80;
                if (w->ascii_size == 0 || w->ascii_size + 3u < letters)
                    test_failed(__FILE__, __LINE__, "%.*s is written %.*s", w->size, w->text,
                                w->ascii_size, w->ascii);
                for (uint32_t k = 0; k < w->ascii_size; k++)
                    CHECK(strchr("abcdefghijklmnopqrstuvwxyz-", w->ascii[k]));
            }
        }
    CHECK(says("seed=x&nat=de&results=200", "@example.com"));
}

TEST(shape_and_key_order_follow_the_version)
{
    static const struct {
        const char *version, *shape;
    } table[] = {
        {"1.0",
         "{results:[{gender:s,name:{title:s,first:s,last:s},location:{street:s,city:s,state:s,"
         "postcode:0},email:s,login:{username:s,password:s,salt:s,md5:s,sha1:s,sha256:s},"
         "registered:0,dob:0,phone:s,cell:s,id:{name:s,value:s},picture:{large:s,medium:s,"
         "thumbnail:s},nat:s}],info:{seed:s,results:0,page:0,version:s}}"},
        {"1.1",
         "{results:[{gender:s,name:{title:s,first:s,last:s},location:{street:s,city:s,state:s,"
         "postcode:0},email:s,login:{username:s,password:s,salt:s,md5:s,sha1:s,sha256:s},"
         "dob:s,registered:s,phone:s,cell:s,id:{name:s,value:s},picture:{large:s,medium:s,"
         "thumbnail:s},nat:s}],info:{seed:s,results:0,page:0,version:s}}"},
        {"1.2",
         "{results:[{gender:s,name:{title:s,first:s,last:s},location:{street:s,city:s,state:s,"
         "postcode:0,coordinates:{latitude:s,longitude:s},timezone:{offset:s,description:s}},"
         "email:s,login:{uuid:s,username:s,password:s,salt:s,md5:s,sha1:s,sha256:s},"
         "dob:{date:s,age:0},registered:{date:s,age:0},phone:s,cell:s,id:{name:s,value:s},"
         "picture:{large:s,medium:s,thumbnail:s},nat:s}],info:{seed:s,results:0,page:0,"
         "version:s}}"},
        {"1.4",
         "{results:[{gender:s,name:{title:s,first:s,last:s},location:{street:{number:0,name:s},"
         "city:s,state:s,country:s,postcode:0,coordinates:{latitude:s,longitude:s},"
         "timezone:{offset:s,description:s}},email:s,login:{uuid:s,username:s,password:s,"
         "salt:s,md5:s,sha1:s,sha256:s},dob:{date:s,age:0},registered:{date:s,age:0},phone:s,"
         "cell:s,id:{name:s,value:s},picture:{large:s,medium:s,thumbnail:s},nat:s}],"
         "info:{seed:s,results:0,page:0,version:s}}"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct asked a = ask_version(table[i].version, "seed=abc&nat=us");
        char shape[2048];
        skeleton(text_of(&a), shape, sizeof(shape));
        CHECK_TEXT(shape, table[i].shape);
        CHECK(strstr(text_of(&a), table[i].version));
        buf_done(&a.body);
    }
    struct asked three = ask_version("1.3", "seed=abc&nat=us"), four = ask("seed=abc&nat=us");
    char a[2048], b[2048];
    skeleton(text_of(&three), a, sizeof(a));
    skeleton(text_of(&four), b, sizeof(b));
    CHECK_TEXT(a, b);
    buf_done(&three.body);
    buf_done(&four.body);
}

TEST(a_seed_and_a_page_repeat_exactly_and_differ_from_others)
{
    struct asked a = ask("seed=foo&results=50"), b = ask("seed=foo&results=50&page=1");
    struct asked c = ask("seed=foo&results=50&page=2"), d = ask("seed=bar&results=50");
    struct asked first = ask("seed=foo&results=10&noinfo");
    CHECK_TEXT(text_of(&a), text_of(&b));
    CHECK(strcmp(text_of(&a), text_of(&c)) != 0);
    CHECK(strcmp(text_of(&a), text_of(&d)) != 0);
    CHECK(strncmp(text_of(&a), text_of(&first), first.body.len - 2) == 0);
    CHECK(strstr(text_of(&c), "\"page\":2"));
    CHECK(strstr(text_of(&a),
                 "\"info\":{\"seed\":\"foo\",\"results\":50,\"page\":1,\"version\":\"1.4\"}"));
    struct asked *all[] = {&a, &b, &c, &d, &first};
    for (size_t i = 0; i < COUNT_OF(all); i++) buf_done(&all[i]->body);
}

TEST(the_generators_page_is_the_apis_page)
{
    struct asked a = ask("seed=foo&results=20&page=3&nat=gb,fr&noinfo");
    struct buf out = buf_make(MIB(1));
    uint32_t bounds[21];
    CHECK_OK(people_page(slice_of("foo"), 3, 20, slice_of("gb,fr"), slice_of(""), now, portraits,
                         &out, bounds),
             NULL);
    const char *at = text_of(&a) + strlen("{\"results\":[");
    for (int i = 0; i < 20; i++) {
        uint32_t size = bounds[i + 1] - bounds[i];
        CHECK(memcmp(at, out.at + bounds[i], size) == 0);
        at += size + 1;
    }
    CHECK_TEXT(at, "}");
    CHECK_ERR(people_page(slice_of("x"), 1, 1, slice_of("xx"), slice_of(""), now, portraits, &out,
                          bounds),
              ERR_UNKNOWN_NAME);
    buf_done(&a.body);
    buf_done(&out);
}

TEST(results_outside_1_to_5000_mean_one)
{
    static const struct {
        const char *query;
        int people;
    } table[] = {{"", 1},
                 {"results=3", 3},
                 {"results=0", 1},
                 {"results=-5", 1},
                 {"results=5001", 1},
                 {"results=abc", 1},
                 {"results=2.5", 1},
                 {"results=", 1},
                 {"results=1e2", 100},
                 {"results=0x10", 16},
                 {"results=7&results=2", 2},
                 {"results=5000&inc=nat", 5000}};
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct asked a = ask(table[i].query);
        CHECK_INT(a.answer.people, table[i].people);
        buf_done(&a.body);
        CHECK_INT(count_of(table[i].query, "\"nat\":"), table[i].people);
    }
}

TEST(nationality_lists_are_obeyed_or_forgotten_whole)
{
    CHECK_INT(count_of("seed=a&results=100&nat=dk", "\"nat\":\"DK\""), 100);
    CHECK_INT(count_of("seed=a&results=100&nat=DK,fr", "\"nat\":\"DK\"") +
                  count_of("seed=a&results=100&nat=DK,fr", "\"nat\":\"FR\""),
              100);
    CHECK(count_of("seed=a&results=200&nat=dk,xx", "\"nat\":\"DK\"") < 50);
    CHECK_INT(count_of("results=20&lego", "/lego/"), 60);
    CHECK_INT(count_of("results=20&lego&nat=us", "\"nat\":\"LEGO\""), 20);
    CHECK_INT(count_of("seed=a&results=20&lego=false&nat=us", "\"nat\":\"US\""), 20);
    for (int nat = 0; nat < NAT_REAL; nat++) {
        char query[64], wanted[32];
        snprintf(query, sizeof(query), "seed=n&results=30&nat=%s", nats[nat].code);
        snprintf(wanted, sizeof(wanted), "\"nat\":\"%s\"", nats[nat].code);
        CHECK_INT(count_of(query, wanted), 30);
    }
    struct asked old = ask_version("1.0", "seed=a&results=3000&inc=nat");
    CHECK(!strstr(text_of(&old), "\"NO\"") && !strstr(text_of(&old), "\"UA\""));
    CHECK(strstr(text_of(&old), "\"US\"") && strstr(text_of(&old), "\"AU\""));
    buf_done(&old.body);
}

TEST(a_long_seed_carries_its_nationality)
{
    struct asked lego = ask("results=2&lego");
    const char *seed = strstr(text_of(&lego), "\"seed\":\"") + 8;
    CHECK(memcmp(seed + 16, "-1\"", 3) == 0);
    char query[64];
    snprintf(query, sizeof(query), "results=2&seed=%.18s", seed);
    struct asked again = ask(query);
    CHECK_TEXT(text_of(&again), text_of(&lego));
    buf_done(&lego.body);
    buf_done(&again.body);
    CHECK_INT(count_of("seed=0123456789abcdef14&results=50", "\"nat\":\"US\""), 50);
    CHECK(says("seed=0123456789abcdef14&results=50", "\"seed\":\"0123456789abcdef14\""));
    CHECK(says("seed=eighteen+letters+z", "\"seed\":\"eighteen letters z\""));
}

TEST(gender_is_ignored_beside_a_seed)
{
    CHECK_INT(count_of("gender=female&results=50", "\"gender\":\"female\""), 50);
    CHECK_INT(count_of("gender=male&results=50", "\"gender\":\"male\""), 50);
    int women = count_of("gender=female&results=200&seed=s", "\"gender\":\"female\"");
    CHECK(women > 60 && women < 140);
}

TEST(fields_are_included_and_excluded_without_changing_anyone)
{
    struct asked a = ask("seed=s&inc=name,%20NAT,nothing&noinfo"), all = ask("seed=s&noinfo");
    char shape[512];
    skeleton(text_of(&a), shape, sizeof(shape));
    CHECK_TEXT(shape, "{results:[{name:{title:s,first:s,last:s},nat:s}]}");
    const char *name = strstr(text_of(&a), "\"name\""), *end = strchr(name, '}');
    char copy[256];
    snprintf(copy, sizeof(copy), "%.*s", (int)(end - name), name);
    CHECK(strstr(text_of(&all), copy));
    buf_done(&a.body);
    buf_done(&all.body);
    CHECK_INT(count_of("seed=s&exc=login,dob,location", "\"login\""), 0);
    CHECK_INT(count_of("seed=s&exc=login,dob,location", "\"email\""), 1);
    CHECK_INT(count_of("seed=s&inc=gender,name&exc=gender", "\"gender\""), 0);
}

TEST(postcodes_and_ids_have_the_type_traps)
{
    CHECK_INT(count_of("seed=s&results=50&nat=ca,gb,no", "\"postcode\":\""), 50);
    CHECK_INT(count_of("seed=s&results=50&nat=us,au,ch,de,nl", "\"postcode\":\""), 0);
    CHECK_INT(
        count_of("seed=s&results=50&nat=ir,nz,tr,ua", "\"id\":{\"name\":\"\",\"value\":null}"), 50);
    CHECK_INT(count_of("seed=s&results=50&nat=us", "\"id\":{\"name\":\"SSN\",\"value\":\""), 50);
    CHECK_INT(count_of("seed=s&results=50&nat=fr", "\"latitude\":\""), 50);
    struct asked dutch = ask_version("1.3", "seed=s&nat=nl");
    CHECK(strstr(text_of(&dutch), "\"postcode\":\""));
    buf_done(&dutch.body);
    struct asked old = ask_version("1.1", "seed=s&nat=br");
    CHECK(strstr(text_of(&old), "\"id\":{\"name\":\"\",\"value\":null}"));
    CHECK(strstr(text_of(&old), "\"title\":\"m"));
    buf_done(&old.body);
}

TEST(check_digits_fit_in_every_id)
{
    /* numbers published as examples of their kind */
    CHECK(id_digits_ok("TFN", "123456782") && !id_digits_ok("TFN", "123456789"));
    CHECK(id_digits_ok("SIN", "046454286") && !id_digits_ok("SIN", "046454287"));
    CHECK(id_digits_ok("AVS", "756.9217.0769.85") && !id_digits_ok("AVS", "756.9217.0769.86"));
    CHECK(id_digits_ok("CPR", "070761-4285") && !id_digits_ok("CPR", "070761-4286"));
    CHECK(id_digits_ok("UIDAI", "234123412346") && !id_digits_ok("UIDAI", "234123412345"));
    CHECK(id_digits_ok("BSN", "111222333") && !id_digits_ok("BSN", "111222334"));
    CHECK(id_digits_ok("FN", "11077941012") && !id_digits_ok("FN", "11077941013"));
    struct people_plan plan = {.edition = edition_find(slice_of("")), .nat_count = 1};
    struct rng r = rng_make(7);
    for (int nat = 0; nat < NATS; nat++) {
        plan.nats[0] = (uint8_t)nat;
        for (int i = 0; i < 1000; i++) {
            struct person p;
            person_draw(&p, &plan, &r);
            if (!id_digits_ok(p.nat->id_name, p.id))
                test_failed(__FILE__, __LINE__, "%s %s", p.nat->id_name, p.id);
        }
    }
}

TEST(ids_made_from_the_birth_say_it)
{
    struct rng r = rng_make(1);
    struct birth b = {.male = true, .year = 1999, .month = 4, .day = 2, .last_ascii = "smith"};
    char id[ID_TEXT_MAX];
    id_hetu(&r, &b, id);
    CHECK(strncmp(id, "020499-", 7) == 0 && (id[9] - '0') % 2 == 1);
    id_fn(&r, &b, id);
    CHECK(strncmp(id, "020499", 6) == 0 && (id[8] - '0') % 2 == 1);
    id_cpr(&r, &b, id);
    CHECK(strncmp(id, "020499-", 7) == 0 && (id[10] - '0') % 2 == 1);
    id_insee(&r, &b, id);
    CHECK(strncmp(id, "19904", 5) == 0 && strlen(id) == 16);
    long long number;
    int key;
    CHECK(sscanf(id, "%lld %d", &number, &key) == 2 && (number + key) % 97 == 0);
    id_svnr(&r, &b, id);
    CHECK(strncmp(id + 2, " 020499 S ", 10) == 0 && strlen(id) == 15);
    id_dni(&r, &b, id);
    CHECK(id[9] == "TRWAGMYFPDXBNJZSQVHLCKE"[strtol(id, NULL, 10) % 23]);
    id_cpf(&r, &b, id);
    CHECK(strlen(id) == 14 && id[3] == '.' && id[7] == '.' && id[11] == '-');
}

TEST(passwords_follow_their_rule_and_hashes_are_of_password_and_salt)
{
    struct people_plan plan = {.edition = edition_find(slice_of("")), .fields = FIELDS_ALL};
    (void)plan;
    for (int i = 1; i < 20; i++) {
        char query[96];
        snprintf(query, sizeof(query), "seed=%d&inc=login&noinfo&password=upper,number,%d-%d", i, i,
                 i + 3);
        struct asked a = ask(query);
        char password[80], salt[16], md5[40], hex[40];
        const char *at = strstr(text_of(&a), "\"password\":");
        CHECK(at &&
              sscanf(at, "\"password\":\"%79[^\"]\",\"salt\":\"%15[^\"]\",\"md5\":\"%39[^\"]\"",
                     password, salt, md5) == 3);
        size_t size = strlen(password);
        CHECK(size >= (size_t)i && size <= (size_t)i + 3);
        CHECK_INT(strspn(password, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"), size);
        uint8_t digest[16];
        strcat(password, salt);
        digest_md5(slice_of(password), digest);
        struct buf out = buf_over(hex, sizeof(hex));
        put_hex(&out, digest, 16);
        CHECK(strncmp(hex, md5, 32) == 0);
        buf_done(&a.body);
    }
    CHECK_INT(count_of("seed=q&password=special,64&inc=login&results=3", "\"password\""), 3);
    CHECK(says("seed=q&password=&inc=login", "\"password\":\""));
}

TEST(ages_follow_the_given_now)
{
    struct people_plan plan = {.edition = edition_find(slice_of("1.4")),
                               .fields = 1u << FIELD_DOB,
                               .portraits = "",
                               .now_ms = now};
    struct person p = {.dob_ms = 924998400000 + 18000000}; /* 1999-04-25T05:00 */
    static const struct {
        const char *version;
        int64_t now_ms;
        const char *json;
    } table[] = {
        {"1.4", 1777050000000, "{\"dob\":{\"date\":\"1999-04-25T05:00:00.000Z\",\"age\":26}}"},
        {"1.4", 1777093200000, "{\"dob\":{\"date\":\"1999-04-25T05:00:00.000Z\",\"age\":27}}"},
        {"1.3", 1777050000000, "{\"dob\":{\"date\":\"1999-04-25T05:00:00.000Z\",\"age\":27}}"},
        {"1.2", 1777050000000, "{\"dob\":{\"date\":\"1999-04-25T05:00:00Z\",\"age\":26}}"},
        {"1.1", 1777050000000, "{\"dob\":\"1999-04-25 05:00:00\"}"},
        {"1.0", 1777050000000, "{\"dob\":925016400}"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct buf out = buf_make(MIB(1));
        plan.edition = edition_find(slice_of(table[i].version));
        plan.now_ms = table[i].now_ms;
        person_put(&out, &p, &plan);
        CHECK_TEXT(buf_cstr(&out), table[i].json);
        buf_done(&out);
    }
    struct civil c = civil_of(-800000000000);
    CHECK(c.year == 1944 && c.month == 8 && c.day == 25 && c.hour == 17 && c.minute == 46 &&
          c.second == 40);
}

TEST(formats_downloads_and_callbacks)
{
    struct asked a = ask("seed=s&inc=gender,nat&noinfo&nat=us&format=pretty");
    CHECK(strstr(text_of(&a), "{\n  \"results\": [\n    {\n      \"gender\": \""));
    CHECK(strstr(text_of(&a), "\n      \"nat\": \"US\"\n    }\n  ]\n}"));
    buf_done(&a.body);
    a = ask("seed=s&inc=name,id&results=2&nat=nz&format=csv&dl");
    CHECK(strncmp(text_of(&a), "name.title,name.first,name.last,id.name,id.value\n", 49) == 0);
    CHECK(strstr(text_of(&a), ",,null\n"));
    CHECK_TEXT(a.answer.content_type, "text/csv; charset=utf-8");
    CHECK_TEXT(a.answer.disposition, "attachment; filename=\"download.csv\"");
    buf_done(&a.body);
    CHECK(says("seed=s&inc=location&nat=au&fmt=csv", ",\""));
    CHECK(says("seed=s&format=yaml&nat=us", "results:\n    -\n        gender: "));
    CHECK(says("seed=s&format=yaml&nat=us", "            street: {number: "));
    CHECK(says("seed=s&format=yaml&nat=us", "\ninfo:\n    seed: s\n    results: 1\n    page: 1\n"));
    CHECK(says("seed=s&format=xml&nat=nz",
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<user>\n\t<results>\n\t\t<gender>"));
    CHECK(says("seed=s&format=xml&nat=nz",
               "\t\t<id>\n\t\t\t<name></name>\n\t\t\t<value></value>\n\t\t</id>\n"));
    CHECK(says("seed=%22%0a%5C%ff%3C&inc=nat", "\"seed\":\"\\\"\\u000a\\\\\xef\xbf\xbd<\""));
    CHECK(says("seed=%22%0a%5C%3C%26&inc=nat&format=xml", "<seed>&quot;\n\\&lt;&amp;</seed>"));
    a = ask("seed=s&inc=nat&nat=us&noinfo&callback=app.users");
    CHECK_TEXT(text_of(&a), "app.users({\"results\":[{\"nat\":\"US\"}]});");
    buf_done(&a.body);
    a = ask("callback=alert(1)//");
    CHECK_INT(a.answer.status, 400);
    buf_done(&a.body);
    a = ask_version("9.9", "");
    CHECK_INT(a.answer.status, 404);
    CHECK_TEXT(text_of(&a), "Not Found");
    buf_done(&a.body);
}

TEST(error_bodies_are_the_sites)
{
    struct buf out = buf_make(MIB(1));
    people_error_body(429, 20001, &out);
    CHECK(strstr(buf_cstr(&out),
                 "{\"error\":\"Whoa, ease up there cowboy. You've requested 20001 users "
                 "in the last minute."));
    buf_reset(&out);
    people_error_body(500, 0, &out);
    CHECK(strstr(buf_cstr(&out), "{\"error\":\"Uh oh, something has gone wrong."));
    buf_done(&out);
}

TEST(native_scripts_and_their_addresses)
{
    struct asked a = ask("seed=s&nat=ir&results=3"), b = ask("seed=s&nat=ua&results=3");
    CHECK(strstr(text_of(&a), "\xd8") || strstr(text_of(&a), "\xd9"));
    CHECK(strstr(text_of(&b), "\xd0"));
    const char *email = strstr(text_of(&b), "\"email\":\"");
    CHECK(email && (uint8_t)email[9] < 128);
    buf_done(&a.body);
    buf_done(&b.body);
    struct asked old = ask_version("1.2", "seed=s&nat=tr,de,fr&results=300&inc=name");
    for (const char *at = text_of(&old); *at; at++)
        if (at[0] == ':' && at[1] == '"') CHECK(at[2] < 'A' || at[2] > 'Z');
    buf_done(&old.body);
}

TEST(events_are_flat_and_about_438_bytes)
{
    struct buf out = buf_make(MIB(4));
    static uint32_t bounds[2001];
    struct people_ask ask_event = {.seed = slice_of("e"),
                                   .page = 1,
                                   .now_ms = now,
                                   .count = 2000,
                                   .nat = slice_of("us"),
                                   .shape = PEOPLE_EVENT,
                                   .portraits = "https://randomuser.me/api/portraits"};
    CHECK_OK(people_make(&ask_event, &out, bounds), NULL);
    char shape[512], first[1024];
    snprintf(first, sizeof(first), "%.*s", (int)bounds[1], (const char *)out.at);
    skeleton(first, shape, sizeof(shape));
    CHECK_TEXT(shape, "{id: s, first_name: s, last_name: s, gender: s, address: s, post_code: 0, "
                      "email: s, username: s, dob: s, registered_date: s, phone: s, picture: s}");
    CHECK(bounds[2000] / 2000 > 400 && bounds[2000] / 2000 < 460);
    buf_done(&out);
}

TEST(portraits_are_jpegs_of_the_right_size_and_repeat)
{
    static const struct {
        const char *kind;
        unsigned side;
    } kinds[] = {{"", 128}, {"med", 72}, {"thumb", 48}};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct buf a = buf_make(MIB(1)), b = buf_make(MIB(1));
        CHECK_OK(people_portrait(slice_of(kinds[i].kind), slice_of("women"), 96, &a), NULL);
        CHECK_OK(people_portrait(slice_of(kinds[i].kind), slice_of("women"), 96, &b), NULL);
        CHECK(slice_equal(buf_view(&a), buf_view(&b)));
        struct jpeg_decompress_struct d;
        struct jpeg_error_mgr errors;
        d.err = jpeg_std_error(&errors);
        jpeg_create_decompress(&d);
        jpeg_mem_src(&d, a.at, a.len);
        CHECK_INT(jpeg_read_header(&d, TRUE), JPEG_HEADER_OK);
        CHECK(d.image_width == kinds[i].side && d.image_height == kinds[i].side);
        jpeg_destroy_decompress(&d);
        buf_done(&a);
        buf_done(&b);
    }
    struct buf none = buf_make(MIB(1));
    CHECK_ERR(people_portrait(slice_of(""), slice_of("women"), 97, &none), ERR_NOT_FOUND);
    CHECK_ERR(people_portrait(slice_of("huge"), slice_of("men"), 1, &none), ERR_NOT_FOUND);
    CHECK_ERR(people_portrait(slice_of(""), slice_of("lego"), 10, &none), ERR_NOT_FOUND);
    CHECK_OK(people_portrait(slice_of(""), slice_of("lego"), 9, &none), NULL);
    buf_done(&none);
}

TEST(no_query_can_do_harm)
{
    static const char *const parts[] = {"results=",  "seed=",
                                        "page=",     "gender=",
                                        "nat=",      "inc=",
                                        "exc=",      "format=",
                                        "password=", "&",
                                        "&",         "=",
                                        "%",         ",",
                                        "-",         "csv",
                                        "xml",       "yaml",
                                        "pretty",    "us",
                                        "64",        "lego",
                                        "dl",        "callback=",
                                        "name",      "id",
                                        "\xff",      "%00",
                                        "special",   "1e999",
                                        "0x",        "+",
                                        "noinfo",    "lower",
                                        "\"",        "\\",
                                        "1-2-3",     "99999999999999999999"};
    uint64_t state = 11;
    for (int i = 0; i < 3000; i++) {
        char query[512] = "";
        for (uint64_t n = test_random(&state) % 14; n > 0; n--)
            strcat(query, parts[test_random(&state) % COUNT_OF(parts)]);
        static const char *const versions[] = {"", "1.0", "1.1", "1.2", "1.3", "1.4", "x"};
        struct asked a = ask_version(versions[test_random(&state) % COUNT_OF(versions)], query);
        CHECK(a.answer.status == 200 || a.answer.status == 404 || a.answer.status == 400);
        buf_done(&a.body);
    }
}
