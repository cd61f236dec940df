/* Goal: options are judged by their tables with a place and a hint; the generator's cursor is its
 * whole memory. Method: through connect_kinds, as main does it. */
#include "connect/connect_int.h"
#include "data/json.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

enum { GIVEN_MAX = 16 };
struct opened {
    struct source_port port;
    struct diag d;
    err_t err;
};

/* "name=value;name=value" as WITH would give it, each on its own column. */
static struct opened open_kind(const char *kind, const char *address, const char *with)
{
    struct opened o = {0};
    struct arena *a = arena_new(MIB(1));
    struct connect_given given[GIVEN_MAX];
    size_t count = 0;
    for (const char *at = with; *at;) {
        size_t end = strcspn(at, ";"), equals = strcspn(at, "=");
        given[count] = (struct connect_given){slice_make(at, equals),
                                              slice_make(at + equals + 1, end - equals - 1), 7,
                                              (uint32_t)(at - with) + 1};
        count++;
        at += end + (at[end] == ';');
    }
    struct connect_setting *settings;
    struct connect_common common;
    const struct connect_kind *k = connect_kind_find(slice_of(kind));
    o.err = connect_settings(k, given, count, "pipeline.sql", a, &settings, &common, &o.d);
    if (!o.err) o.err = k->open(slice_of(address), settings, &o.port, &o.d);
    arena_free(a);
    return o;
}

TEST(wrong_options_are_named_with_their_place_and_a_hint)
{
    static const struct {
        const char *kind, *address, *with, *what, *where, *hint;
    } table[] = {
        {"generator", "", "reslts=10", "no option 'reslts'", "pipeline.sql:7:1", "results"},
        {"http", "http://x/", "results=10;timout=3s", "no option 'timout'", "pipeline.sql:7:12",
         "timeout"},
        {"http", "http://x/", "timeout=soon", "does not take 'soon'", "pipeline.sql:7:1", "'10s'"},
        {"http", "http://x/", "results=9000", "out of range", "pipeline.sql:7:1", "1 to 5000"},
        {"http", "http://x/", "rate_limit=fast", "does not take", "pipeline.sql:7:1", "20000/5m"},
        {"http", "http://x/", "allow_private=perhaps", "does not take", ":7:1", "true or false"},
        {"http", "http://x/", "codec=lz5", "no codec 'lz5'", ":7:1", "lz4"},
        {"http", "http://x/", "retries=1;retries=2", "twice", ":7:11", ""},
        {"http", "ftp://x/", "", "no address", "", "https://randomuser.me/api/"},
        {"http", "http://me:secret@x/", "", "holds a login", "", "env:"},
        {"http", "http://x/", "items=$.[", "no path", "", "$.results[*]"},
        {"http", "http://x/", "results=10;rate_limit=5/1m", "allows 5", "", "lower results"},
        {"http", "http://x/", "fallback=genrator", "no fallback", "", "generator"},
        {"http", "http://x/", "headers=X: ${env:NOT_SET_ANYWHERE}", "NOT_SET_ANYWHERE", "",
         "export"},
        {"http", "http://x/", "headers=nonsense", "no header line", "", "Name: value"},
        {"generator", "reslts=3", "", "does not know", "", "results"},
        {"generator", "", "nat=us,xx", "does not know nat", "", "AU,BR"},
        {"generator", "", "gender=robot", "does not know", "", "male or female"},
        {"generator", "", "shape=round", "no shape", "", "event"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct opened o = open_kind(table[i].kind, table[i].address, table[i].with);
        CHECK_ERR(o.err, ERR_CONFIG);
        bool ok = strstr(o.d.what, table[i].what) && strstr(o.d.where, table[i].where) &&
                  strstr(o.d.hint, table[i].hint);
        if (!ok)
            test_failed(__FILE__, __LINE__, "%s: what '%s' where '%s' hint '%s'", table[i].with,
                        o.d.what, o.d.where, o.d.hint);
    }
    CHECK(connect_kind_find(SLICE("HTTP")) == &connect_http);
    CHECK(connect_kind_find(SLICE("htp")) == NULL);
}

TEST(common_options_are_parsed_for_whoever_runs_the_source)
{
    struct arena *a = arena_new(MIB(1));
    struct connect_given given[] = {{SLICE("every"), SLICE("10s"), 1, 1},
                                    {SLICE("KEY"), SLICE("login.uuid"), 1, 2},
                                    {SLICE("records"), SLICE("500"), 1, 3},
                                    {SLICE("rate"), SLICE("100/s"), 1, 4},
                                    {SLICE("codec"), SLICE("zstd"), 1, 5}};
    struct connect_setting *settings;
    struct connect_common common;
    CHECK_OK(connect_settings(&connect_generator, given, COUNT_OF(given), "f", a, &settings,
                              &common, NULL),
             NULL);
    CHECK_INT(common.every_ms, 10000);
    CHECK_SLICE(common.key, "login.uuid");
    CHECK_INT(common.records_max, 500);
    CHECK_INT(common.codec, 4);
    bool found = false;
    for (size_t i = 0; i < connect_generator.option_count; i++)
        if (strcmp(connect_generator.options[i].name, "rate") == 0)
            found = settings[i].number == 100 && settings[i].per == 1000;
    CHECK(found);
    CHECK_ERR(connect_settings(&connect_generator,
                               &(struct connect_given){SLICE("x"), SLICE("y"), 1, 1}, 1, "f", a,
                               &settings, &common, NULL),
              ERR_CONFIG);
    arena_free(a);
}

TEST(every_options_own_default_is_in_its_range)
{
    for (size_t k = 0; k < connect_kind_count; k++) {
        struct arena *a = arena_new(MIB(1));
        struct connect_setting *settings;
        struct connect_common common;
        struct diag d = {0};
        CHECK_OK(connect_settings(connect_kinds[k], NULL, 0, "f", a, &settings, &common, &d), &d);
        for (size_t i = 0; i < connect_kinds[k]->option_count; i++)
            CHECK(strlen(connect_kinds[k]->options[i].about) > 10);
        arena_free(a);
    }
}

static struct source_answer fetch(struct opened *o, struct source_ask ask)
{
    struct source_answer answer = {0};
    CHECK_OK(o->port.fetch(o->port.self, &ask, &answer, &o->d), &o->d);
    return answer;
}
static struct slice keep(char *memory, size_t cap, struct slice s)
{
    CHECK(slice_to_cstr(s, memory, cap));
    return slice_of(memory);
}

TEST(the_generator_goes_on_from_any_cursor_with_the_same_bytes)
{
    struct opened a = open_kind("generator", "results=7&nat=us,ir", "total=20;seed=t");
    struct opened b = open_kind("generator", "", "results=7;nat=us,ir;total=20;seed=t");
    CHECK_OK(a.err, &a.d);
    CHECK_OK(b.err, &b.d);
    char cursor[256] = "", all[3][16384];
    int64_t now = 1795248000000;
    uint32_t records = 0;
    for (int i = 0; i < 3; i++, now += 400000000) {
        struct source_answer x =
            fetch(&a, (struct source_ask){slice_of(cursor), now, 1000, NULL, NULL});
        CHECK_INT(x.item_count, i < 2 ? 7 : 6);
        CHECK_INT(x.end, i == 2);
        CHECK_INT(x.repeatable, i > 0);
        records += x.item_count;
        keep(all[i], sizeof(all[i]),
             slice_make(x.items[0].value.at,
                        (size_t)(x.items[x.item_count - 1].value.at - x.items[0].value.at) +
                            x.items[x.item_count - 1].value.len));
        /* another process, another year, the same cursor: the same bytes */
        if (i > 0) {
            struct source_answer y = fetch(
                &b, (struct source_ask){slice_of(cursor), now + 31536000000, 1000, NULL, NULL});
            CHECK_INT(y.item_count, x.item_count);
            CHECK(memcmp(y.items[0].value.at, all[i], strlen(all[i])) == 0);
        }
        keep(cursor, sizeof(cursor), x.cursor);
    }
    CHECK_INT(records, 20);
    struct source_answer last =
        fetch(&a, (struct source_ask){slice_of(cursor), now, 1000, NULL, NULL});
    CHECK(last.end && last.item_count == 0);
    a.port.close(a.port.self);
    b.port.close(b.port.self);
}

TEST(a_page_may_be_taken_in_parts)
{
    struct opened whole = open_kind("generator", "", "results=10;shape=event;seed=p");
    struct opened parts = open_kind("generator", "", "results=10;shape=event;seed=p");
    char cursor[256] = "";
    struct source_answer w = fetch(&whole, (struct source_ask){{0}, 1, 100, NULL, NULL});
    uint32_t at = 0;
    CHECK(w.repeatable);
    for (int i = 0; i < 4; i++) {
        struct source_answer p =
            fetch(&parts, (struct source_ask){slice_of(cursor), 1, 3, NULL, NULL});
        CHECK_INT(p.item_count, i < 3 ? 3 : 1);
        for (uint32_t k = 0; k < p.item_count; k++)
            CHECK(slice_equal(p.items[k].value, w.items[at++].value));
        keep(cursor, sizeof(cursor), p.cursor);
    }
    CHECK_TEXT(cursor, "page=2&skip=0&made=10&day=0");
    struct diag d;
    struct source_answer bad;
    struct source_ask odd = {SLICE("page=x"), 1, 3, NULL, NULL};
    CHECK_ERR(parts.port.fetch(parts.port.self, &odd, &bad, &d), ERR_CORRUPT);
    whole.port.close(whole.port.self);
    parts.port.close(parts.port.self);
}

TEST(the_generator_keeps_its_rate)
{
    struct opened o = open_kind("generator", "", "results=50;rate=100/s");
    char cursor[256] = "";
    uint32_t records = 0;
    int64_t start = 1795248000000, now = start;
    while (now < start + 5000) {
        struct source_answer x =
            fetch(&o, (struct source_ask){slice_of(cursor), now, 1000, NULL, NULL});
        records += x.item_count;
        CHECK((x.item_count > 0) != (x.wait_ms > 0));
        keep(cursor, sizeof(cursor), x.cursor);
        now += MAX(x.wait_ms, (int64_t)1);
    }
    CHECK(records >= 495 && records <= 510);
    o.port.close(o.port.self);
}

TEST(what_the_generator_makes_is_json)
{
    struct opened o = open_kind("generator", "", "results=2000");
    struct source_answer x = fetch(&o, (struct source_ask){{0}, 1795248000000, 5000, NULL, NULL});
    struct json_decoder *j = json_decoder_new();
    struct buf padded = buf_make(MIB(1));
    for (uint32_t i = 0; i < x.item_count; i++) {
        struct diag d = {0};
        buf_reset(&padded);
        buf_slice(&padded, x.items[i].value);
        memset(buf_grow(&padded, JSON_PADDING), 0, JSON_PADDING);
        CHECK_OK(json_validate(j, slice_make(padded.at, x.items[i].value.len), &d), &d);
    }
    buf_done(&padded);
    json_decoder_free(j);
    o.port.close(o.port.self);
}

TEST(secrets_come_from_the_environment_or_a_file)
{
    struct buf out = buf_make(KIB(4));
    struct diag d = {0};
    setenv("SLUICE_TEST_SECRET", "s3cret", 1);
    CHECK_OK(connect_secrets(SLICE("Bearer ${env:SLUICE_TEST_SECRET}!"), "headers", &out, &d), &d);
    CHECK_TEXT(buf_cstr(&out), "Bearer s3cret!");
    char path[512], text[600];
    snprintf(path, sizeof(path), "%s/token", test_dir());
    FILE *f = fopen(path, "w");
    fputs("from a file\n", f);
    fclose(f);
    buf_reset(&out);
    snprintf(text, sizeof(text), "${file:%s}", path);
    CHECK_OK(connect_secrets(slice_of(text), "headers", &out, &d), &d);
    CHECK_TEXT(buf_cstr(&out), "from a file");
    CHECK_ERR(connect_secrets(SLICE("${nv:X}"), "headers", &out, &d), ERR_CONFIG);
    CHECK_ERR(connect_secrets(SLICE("${env:X"), "headers", &out, &d), ERR_CONFIG);
    buf_done(&out);
}

TEST(help_shows_every_option_of_every_kind)
{
    for (int markdown = 0; markdown < 2; markdown++) {
        struct buf out = buf_make(MIB(1));
        connect_help(&out, markdown);
        const char *text = buf_cstr(&out);
        for (size_t k = 0; k < connect_kind_count; k++)
            for (size_t i = 0; i < connect_kinds[k]->option_count; i++)
                CHECK(strstr(text, connect_kinds[k]->options[i].about) ||
                      strchr(connect_kinds[k]->options[i].about, '|'));
        CHECK(strstr(text, markdown ? "| `every` | time | `0` |" : "  every "));
        CHECK(strstr(text, markdown ? "parted by \\|: 'Auth" : "parted by |: 'Auth"));
        buf_done(&out);
    }
}
