/* Documents into columns: what is found, what each type takes, what is told when it does not fit.
 */
#include "data/json.h"
#include "test.h"

enum { WANTS_MAX = 8, ROWS_MAX = 8 };

/* One decoding: wants as "path type" or "path!type" for CAST, documents as texts. */
struct run {
    struct arena *a;
    struct json_plan *plan;
    struct json_decoder *decoder;
    struct column_batch batch;
    uint8_t *copies[ROWS_MAX];
    uint32_t rows;
};

static void run_done(struct run *r)
{
    json_plan_free(r->plan);
    json_decoder_free(r->decoder);
    arena_free(r->a);
    for (uint32_t i = 0; i < r->rows; i++) mem_give(r->copies[i]);
}

static bool is_no_json(const struct column_batch *b, uint32_t row)
{
    for (uint32_t i = 0; i < b->column_count; i++)
        if (b->columns[i].state[row] == ERROR_VALUE) return false;
    return b->bad[row];
}

static void check_same_row(const struct column_batch *x, const struct column_batch *y, uint32_t row)
{
    uint8_t rooms[2][16];
    CHECK_INT(x->bad[row], y->bad[row]);
    if (x->bad[row] && y->bad[row]) CHECK_TEXT(x->fault_at[row].text, y->fault_at[row].text);
    for (uint32_t i = 0; i < x->column_count; i++) {
        const struct column *a = &x->columns[i], *b = &y->columns[i];
        CHECK_INT(a->state[row], b->state[row]);
        if (a->state[row] == VALID_VALUE && b->state[row] == VALID_VALUE)
            CHECK(slice_equal(column_binary(a, row, rooms[0]), column_binary(b, row, rooms[1])));
    }
}

/* The same in two steps is the same, whatever waits. */
static void check_two_steps(const struct run *r, const struct type *const *types,
                            const struct slice *docs)
{
    struct column_batch b;
    struct json_note *notes;
    uint32_t selected[ROWS_MAX], count = 0;
    CHECK_OK(batch_init(&b, types, r->batch.column_count, r->rows, r->a), NULL);
    CHECK_OK(json_decode_early(r->decoder, r->plan, docs, r->rows, &b, &notes), NULL);
    for (uint32_t row = 0; row < r->rows; row++)
        if (!is_no_json(&r->batch, row)) selected[count++] = row;
    if (notes)
        CHECK_OK(json_decode_late(r->decoder, r->plan, docs, notes, selected, count, &b), NULL);
    CHECK_INT(b.fault_count, r->batch.fault_count);
    for (uint32_t row = 0; row < r->rows; row++) check_same_row(&r->batch, &b, row);
}

static struct run run_make(const char *const *wants, const char *const *documents)
{
    struct run r = {.a = arena_new(MIB(4)), .decoder = json_decoder_new()};
    struct json_want w[WANTS_MAX] = {0};
    const struct type *types[WANTS_MAX];
    uint32_t count = 0;
    struct diag d = {0};
    for (; wants[count]; count++) {
        const char *split = wants[count] + strlen(wants[count]);
        while (*split != ' ' && *split != '!') split--;
        struct json_step *steps;
        struct slice path = slice_make(wants[count], (size_t)(split - wants[count]));
        CHECK_OK(json_path_parse(path, r.a, &steps, &w[count].step_count, &d), &d);
        CHECK_OK(type_parse(slice_of(split + 1), r.a, &types[count], &d), &d);
        w[count].steps = steps;
        w[count].type = types[count];
        w[count].cast = *split == '!';
        w[count].late = count % 3 < 2; /* some wait, some do not */
    }
    struct slice docs[ROWS_MAX];
    for (; documents[r.rows]; r.rows++) { /* copies of exactly their size: no read past the end */
        size_t len = strlen(documents[r.rows]);
        r.copies[r.rows] = mem_take_raw(len);
        memcpy(r.copies[r.rows], documents[r.rows], len);
        docs[r.rows] = slice_make(r.copies[r.rows], len);
    }
    CHECK_OK(json_plan_new(w, count, &r.plan, &d), &d);
    memset(w, 0, sizeof(w)); /* the plan keeps nothing of it */
    CHECK_OK(batch_init(&r.batch, types, count, r.rows, r.a), NULL);
    CHECK_OK(json_decode(r.decoder, r.plan, docs, r.rows, &r.batch), NULL);
    check_two_steps(&r, types, docs);
    return r;
}
#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

/* A cell as text: "null", "!" for a fault, else the value. */
static const char *cell(const struct run *r, uint32_t row, uint32_t column)
{
    static char text[400];
    struct buf b = buf_over(text, sizeof(text) - 1);
    struct value v;
    column_get(&r->batch.columns[column], row, &v);
    if (v.state == ERROR_VALUE) return "!";
    if (v.state == NULL_VALUE) return "null";
    value_to_text(&v, &b);
    return buf_cstr(&b);
}

static const char *fault(const struct run *r, uint32_t row)
{
    const struct row_fault *f = batch_fault_of(&r->batch, row);
    return f ? f->text : "";
}

TEST(wanted_paths_are_found_wherever_they_stand_and_the_rest_is_skipped)
{
    struct run r = run_make(
        LIST("login.uuid uuid", "name.first text", "name.last text", "email text", "nat text"),
        LIST("{\"gender\":\"f\",\"name\":{\"title\":\"Ms\",\"first\":\"Ida\",\"last\":\"Hansen\"},"
             "\"login\":{\"x\":[1,{\"uuid\":2}],\"uuid\":\"c232ab00-9414-11ec-b3c8-9f6bdeced846\"},"
             "\"email\":\"ida@example.com\",\"extra\":{\"name\":{\"first\":\"no\"}}}",
             " { \"email\" : \"z\" , \"login\" : { \"uuid\" : null } , \"name\" : \"not an "
             "object\" } ",
             "{}", "[{\"email\":\"x\"}]", "null", "{\"nat\":\"DK\",\"name\":{}}"));
    CHECK_INT(r.batch.fault_count, 0);
    CHECK_TEXT(cell(&r, 0, 0), "c232ab00-9414-11ec-b3c8-9f6bdeced846");
    CHECK_TEXT(cell(&r, 0, 1), "Ida");
    CHECK_TEXT(cell(&r, 0, 2), "Hansen");
    CHECK_TEXT(cell(&r, 0, 3), "ida@example.com");
    CHECK_TEXT(cell(&r, 0, 4), "null");
    CHECK_TEXT(cell(&r, 1, 3), "z");
    CHECK_TEXT(cell(&r, 1, 0), "null");
    CHECK_TEXT(cell(&r, 1, 1), "null");
    for (uint32_t row = 2; row < 5; row++)
        for (uint32_t c = 0; c < 5; c++) CHECK_TEXT(cell(&r, row, c), "null");
    CHECK_TEXT(cell(&r, 5, 4), "DK");
    run_done(&r);
}

TEST(text_without_escapes_points_into_the_document)
{
    struct run r =
        run_make(LIST("a text", "b text", "a json"),
                 LIST("{\"a\":\"plain\",\"b\":\"caf\xc3\xa9 \\u00e9\\n\\ud834\\udd1e\\/\"}"));
    const struct slice *a = &r.batch.columns[0].bytes[0], *raw = &r.batch.columns[2].bytes[0];
    CHECK(a->at == r.copies[0] + 6 && a->len == 5);
    CHECK(raw->at == r.copies[0] + 5 && raw->len == 7);
    CHECK_TEXT(cell(&r, 0, 1), "caf\xc3\xa9 \xc3\xa9\n\xf0\x9d\x84\x9e/");
    run_done(&r);
}

TEST(of_duplicate_keys_the_last_counts_with_all_that_is_in_it)
{
    struct run r = run_make(LIST("a.b int", "a.c int", "d int", "a json"),
                            LIST("{\"a\":{\"b\":1,\"c\":2},\"a\":{\"b\":3},\"d\":4,\"d\":5}",
                                 "{\"a\":{\"b\":1},\"a\":null,\"d\":\"bad\",\"d\":7}",
                                 "{\"a\":{\"b\":1,\"b\":2},\"a\":[{\"b\":3}]}"));
    CHECK_INT(r.batch.fault_count, 0); /* a first one that would not fit is no fault either */
    CHECK_TEXT(cell(&r, 0, 0), "3");
    CHECK_TEXT(cell(&r, 0, 1), "null");
    CHECK_TEXT(cell(&r, 0, 2), "5");
    CHECK_TEXT(cell(&r, 0, 3), "{\"b\":3}");
    CHECK_TEXT(cell(&r, 1, 0), "null");
    CHECK_TEXT(cell(&r, 1, 2), "7");
    CHECK_TEXT(cell(&r, 1, 3), "null");
    CHECK_TEXT(cell(&r, 2, 0), "null");
    run_done(&r);
}

TEST(array_elements_are_counted_from_both_ends)
{
    struct run r =
        run_make(LIST("a[0] int", "a[-1] int", "a[1].b int", "a[-2].b int", "$[0][1] int"),
                 LIST("{\"a\":[1,{\"b\":2},3]}", "{\"a\":[7]}", "{\"a\":[]}", "[[1,[2],3],4]",
                      "[[1,5]]", "{\"a\":{\"0\":1}}"));
    static const char *const want[][5] = {{"1", "3", "2", "2", "null"},
                                          {"7", "7", "null", "null", "null"},
                                          {"null", "null", "null", "null", "null"},
                                          {"null", "null", "null", "null", "!"},
                                          {"null", "null", "null", "null", "5"},
                                          {"null", "null", "null", "null", "null"}};
    for (uint32_t row = 0; row < 6; row++)
        for (uint32_t c = 0; c < 5; c++) CHECK_TEXT(cell(&r, row, c), want[row][c]);
    run_done(&r);
}

TEST(one_path_may_be_wanted_twice_and_a_prefix_of_another)
{
    struct run r = run_make(LIST("a int", "a text", "a!text", "b json", "b.c double", "$ json"),
                            LIST("{\"a\":12,\"b\":{\"c\": 1.50}}"));
    CHECK_TEXT(cell(&r, 0, 0), "12");
    CHECK_TEXT(cell(&r, 0, 1), "!");
    CHECK_TEXT(cell(&r, 0, 2), "12");
    CHECK_TEXT(cell(&r, 0, 3), "{\"c\": 1.50}");
    CHECK_TEXT(cell(&r, 0, 4), "1.5");
    CHECK_TEXT(cell(&r, 0, 5), "{\"a\":12,\"b\":{\"c\": 1.50}}");
    run_done(&r);
}

TEST(keys_with_escapes_and_odd_names_are_found)
{
    struct run r = run_make(LIST("\"a b\" int", "\xc3\xa9 int", "\"\" int", "\"q\"\"\" int"),
                            LIST("{\"a b\":1,\"\\u00e9\":2,\"\":3,\"q\\\"\":4}",
                                 "{\"a\\u0020b\":5,\"\xc3\xa9\":6}", "{\"a  b\":7,\"\\ud800\":8}"));
    CHECK_TEXT(cell(&r, 0, 0), "1");
    CHECK_TEXT(cell(&r, 0, 1), "2");
    CHECK_TEXT(cell(&r, 0, 2), "3");
    CHECK_TEXT(cell(&r, 0, 3), "4");
    CHECK_TEXT(cell(&r, 1, 0), "5");
    CHECK_TEXT(cell(&r, 1, 1), "6");
    CHECK_TEXT(cell(&r, 2, 0), "null");
    run_done(&r);
}

/* Every type from its JSON: the text that the value has, or "!". */
static const struct {
    const char *type, *json, *strict, *cast;
} type_cases[] = {
    {"text", "\"x\"", "x", "x"},
    {"text", "18511", "!", "18511"},
    {"text", "1.10", "!", "1.10"},
    {"text", "1E400", "!", "1E400"},
    {"text", "true", "!", "true"},
    {"text", "{\"a\": 1}", "!", "{\"a\": 1}"},
    {"text", "\"\"", "", ""},
    {"ascii", "\"abc\"", "abc", "abc"},
    {"ascii", "\"a\\tc\"", "a\tc", "a\tc"},
    {"ascii", "\"\xc3\xa9\"", "!", "!"},
    {"int", "0", "0", "0"},
    {"int", "-0", "0", "0"},
    {"int", "2147483647", "2147483647", "2147483647"},
    {"int", "-2147483648", "-2147483648", "-2147483648"},
    {"int", "2147483648", "!", "!"},
    {"int", "1.0", "1", "1"},
    {"int", "1.5", "!", "!"},
    {"int", "1e3", "1000", "1000"},
    {"int", "\"12\"", "!", "12"},
    {"int", "\"12x\"", "!", "!"},
    {"int", "true", "!", "!"},
    {"tinyint", "127", "127", "127"},
    {"tinyint", "128", "!", "!"},
    {"tinyint", "-128", "-128", "-128"},
    {"smallint", "-32768", "-32768", "-32768"},
    {"smallint", "32768", "!", "!"},
    {"bigint", "9223372036854775807", "9223372036854775807", "9223372036854775807"},
    {"bigint", "-9223372036854775808", "-9223372036854775808", "-9223372036854775808"},
    {"bigint", "9223372036854775808", "!", "!"},
    {"varint", "123456789012345678901234567890", "123456789012345678901234567890",
     "123456789012345678901234567890"},
    {"decimal", "-12.50", "-12.50", "-12.50"},
    {"decimal", "\"12.50\"", "!", "12.50"},
    {"double", "1.5", "1.5", "1.5"},
    {"double", "-0.001", "-0.001", "-0.001"},
    {"double", "12345678901234567890123", "1.2345678901234568e+22", NULL},
    {"double", "0.1", "0.1", "0.1"},
    {"double", "179.9999999999999999", "180", NULL},
    {"double", "9007199254740993", "9007199254740992", "9007199254740992"},
    {"double", "1e22", NULL, NULL},
    {"double", "1e400", "!", "!"},
    {"double", "\"1.5\"", "!", "1.5"},
    {"float", "1.5", "1.5", "1.5"},
    {"float", "0.1", "0.1", "0.1"},
    {"boolean", "true", "true", "true"},
    {"boolean", "false", "false", "false"},
    {"boolean", "1", "!", NULL},
    {"boolean", "\"true\"", "!", "true"},
    {"uuid", "\"C232AB00-9414-11EC-B3C8-9F6BDECED846\"", "c232ab00-9414-11ec-b3c8-9f6bdeced846",
     "c232ab00-9414-11ec-b3c8-9f6bdeced846"},
    {"uuid", "\"c232ab00\"", "!", "!"},
    {"uuid", "7", "!", "!"},
    {"timeuuid", "\"919108f7-52d1-4320-9bac-f847db4148a8\"", "!", "!"},
    {"timeuuid", "\"c232ab00-9414-11ec-b3c8-9f6bdeced846\"", "c232ab00-9414-11ec-b3c8-9f6bdeced846",
     "c232ab00-9414-11ec-b3c8-9f6bdeced846"},
    {"date", "\"2026-11-21\"", "2026-11-21", "2026-11-21"},
    {"date", "\"2026-13-01\"", "!", "!"},
    {"inet", "\"127.0.0.1\"", "127.0.0.1", "127.0.0.1"},
    {"json", "[1, {\"a\":2}]", "[1, {\"a\":2}]", "[1, {\"a\":2}]"},
    {"json", "1.10", "1.10", "1.10"},
    {"list<int>", "[1,2]", "[1, 2]", "[1, 2]"},
    {"list<int>", "[1,\"2\"]", "!", "[1, 2]"},
    {"list<int>", "{\"a\":1}", "!", "!"},
};

TEST(each_type_takes_the_json_that_fits_it)
{
    for (size_t i = 0; i < COUNT_OF(type_cases); i++) {
        char strict[80], cast[80], document[200];
        snprintf(strict, sizeof(strict), "v %s", type_cases[i].type);
        snprintf(cast, sizeof(cast), "v!%s", type_cases[i].type);
        snprintf(document, sizeof(document), "{\"v\":%s}", type_cases[i].json);
        struct run r = run_make(LIST(strict, cast), LIST(document));
        const char *want[] = {type_cases[i].strict, type_cases[i].cast};
        for (uint32_t c = 0; c < 2; c++)
            if (want[c] && strcmp(cell(&r, 0, c), want[c]) != 0)
                test_failed(__FILE__, __LINE__, "%s%s from %s: '%s', not '%s' (%s)",
                            c ? "CAST to " : "", type_cases[i].type, type_cases[i].json,
                            cell(&r, 0, c), want[c], fault(&r, 0));
        run_done(&r);
    }
}

/* The quick reader of timestamps against the calendar that value_from_text knows. */
TEST(timestamps_are_read_the_same_by_the_quick_way_and_the_general_one)
{
    uint64_t random = 3;
    const struct type *t = type_of(TYPE_TIMESTAMP);
    struct arena *a = arena_new(MIB(1));
    struct json_want want = {.type = t};
    struct json_plan *plan;
    struct json_decoder *j = json_decoder_new();
    CHECK_OK(json_plan_new(&want, 1, &plan, NULL), NULL);
    for (int i = 0; i < 5000; i++) {
        char text[64];
        struct column_batch b;
        struct value v;
        struct diag d = {0};
        unsigned year = (unsigned)(test_random(&random) % 10000);
        int n =
            snprintf(text, sizeof(text), "\"%04u-%02u-%02uT%02u:%02u:%02u", year,
                     (unsigned)(test_random(&random) % 14), (unsigned)(test_random(&random) % 33),
                     (unsigned)(test_random(&random) % 25), (unsigned)(test_random(&random) % 61),
                     (unsigned)(test_random(&random) % 61));
        if (i % 2) n += snprintf(text + n, sizeof(text) - (size_t)n, ".%03u", (unsigned)i % 1000);
        n += snprintf(text + n, sizeof(text) - (size_t)n, "Z\"");
        struct slice document = slice_make(text, (size_t)n);
        arena_reset(a);
        CHECK_OK(batch_init(&b, &t, 1, 1, a), NULL);
        CHECK_OK(json_decode(j, plan, &document, 1, &b), NULL);
        err_t e = value_from_text(t, slice_make(text + 1, (size_t)n - 2), a, &v, &d);
        bool ok = b.columns[0].state[0] == VALID_VALUE;
        if (ok != (e == ERR_OK) || (ok && b.columns[0].i64[0] != v.integer))
            test_failed(__FILE__, __LINE__, "%s: %d %" PRId64 ", not %s %" PRId64, text, ok,
                        b.columns[0].i64[0], err_name(e), v.integer);
    }
    json_plan_free(plan);
    json_decoder_free(j);
    arena_free(a);
    struct run r = run_make(LIST("t timestamp"),
                            LIST("{\"t\":\"2026-11-21T08:00:00.123Z\"}", "{\"t\":1795248000123}",
                                 "{\"t\":\"2026-11-21T10:00:00.123+02:00\"}"));
    for (uint32_t row = 0; row < 3; row++) CHECK_INT(r.batch.columns[0].i64[row], 1795248000123);
    run_done(&r);
}

TEST(doubles_are_read_to_the_nearest)
{
    struct arena *a = arena_new(MIB(1));
    const struct type *t = type_of(TYPE_DOUBLE);
    struct json_want want = {.type = t};
    struct json_plan *plan;
    struct json_decoder *j = json_decoder_new();
    uint64_t random = 4;
    CHECK_OK(json_plan_new(&want, 1, &plan, NULL), NULL);
    for (int i = 0; i < 5000; i++) {
        char text[64];
        struct column_batch b;
        double v = 0;
        int n = snprintf(text, sizeof(text), "%s%" PRIu64 ".%0*" PRIu64, i % 3 ? "" : "-",
                         test_random(&random) >> (test_random(&random) % 64), i % 18 + 1,
                         (test_random(&random) >> 8) % 10);
        struct slice document = slice_make(text, (size_t)n);
        arena_reset(a);
        CHECK_OK(batch_init(&b, &t, 1, 1, a), NULL);
        CHECK_OK(json_decode(j, plan, &document, 1, &b), NULL);
        CHECK(slice_to_f64(document, &v)); /* glibc's strtod rounds right */
        if (b.columns[0].state[0] != VALID_VALUE || b.columns[0].f64[0] != v)
            test_failed(__FILE__, __LINE__, "%s: %.17g, not %.17g", text, b.columns[0].f64[0], v);
    }
    json_plan_free(plan);
    json_decoder_free(j);
    arena_free(a);
}

TEST(a_fault_tells_path_value_and_remedy)
{
    static const struct {
        const char *want, *document, *text;
    } cases[] = {
        {"location.postcode text", "{\"location\":{\"postcode\":18511}}",
         "location.postcode: 18511 is a number, text was wanted; CAST(location.postcode AS text) "
         "takes both"},
        {"age int", "{\"age\":\"41\"}",
         "age: \"41\" is a string, int was wanted; CAST(age AS int) takes both"},
        {"age int", "{\"age\":\"old\"}", "age: \"old\" is a string, int was wanted"},
        {"a[0].b boolean", "{\"a\":[{\"b\":{}}]}", "a[0].b: {} is an object, boolean was wanted"},
        {"v int", "{\"v\":3000000000}", NULL},
        {"v uuid", "{\"v\":\"nonsense\"}", NULL},
        {"v text", "{\"v\":\"\\ud800\"}", NULL}, /* half a character */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct run r = run_make(LIST(cases[i].want), LIST(cases[i].document, "{}"));
        CHECK_INT(r.batch.fault_count, 1);
        CHECK_TEXT(cell(&r, 0, 0), "!");
        if (cases[i].text) CHECK_TEXT(fault(&r, 0), cases[i].text);
        if (!cases[i].text)
            CHECK(strncmp(fault(&r, 0), "v: ", 3) == 0 && strlen(fault(&r, 0)) > 10);
        run_done(&r);
    }
}

TEST(a_bad_document_faults_only_its_row_and_leaves_no_trace)
{
    struct run r =
        run_make(LIST("a int", "b text"),
                 LIST("{\"a\":1,\"b\":\"x\"}", "{\"a\":2,\"b\":\"x\"", "", "{\"a\":\"\xff\"}",
                      "{\"a\":4,\"b\":\"x\"} trailing", "<html>", "{\"a\":6}"));
    static const char *const want[] = {"1", "null", "null", "null", "null", "null", "6"};
    for (uint32_t row = 0; row < 7; row++) CHECK_TEXT(cell(&r, row, 0), want[row]);
    CHECK_TEXT(cell(&r, 4, 1), "null");
    CHECK_INT(r.batch.fault_count, 5);
    CHECK_TEXT(fault(&r, 1), "not valid JSON: it ends too early at byte 14 (line 1, column 15)");
    CHECK_INT(batch_fault_of(&r.batch, 3)->err, ERR_BAD_UTF8);
    CHECK_INT(batch_fault_of(&r.batch, 5)->err, ERR_BAD_JSON);
    run_done(&r);
}

TEST(a_record_without_a_value_is_a_fault_of_its_row)
{
    struct arena *a = arena_new(MIB(1));
    const struct type *t = type_of(TYPE_INT);
    struct json_want want = {.type = t};
    struct json_plan *plan;
    struct json_decoder *j = json_decoder_new();
    struct slice documents[] = {SLICE("1"), {0}, SLICE("3")};
    struct column_batch b;
    CHECK_OK(json_plan_new(&want, 1, &plan, NULL), NULL);
    CHECK_OK(batch_init(&b, &t, 1, 3, a), NULL);
    CHECK_OK(json_decode(j, plan, documents, 3, &b), NULL);
    CHECK(b.columns[0].i32[0] == 1 && b.columns[0].i32[2] == 3 && b.fault_count == 1);
    CHECK(b.columns[0].state[1] == NULL_VALUE && batch_fault_of(&b, 1) != NULL);
    json_plan_free(plan);
    json_decoder_free(j);
    arena_free(a);
}

TEST(rows_are_written_as_objects_and_read_back_the_same)
{
    struct run r =
        run_make(LIST("a int", "b text", "c double", "d json", "e timestamp", "f boolean"),
                 LIST("{\"a\":1,\"b\":\"q\\\"\\n\",\"c\":0.1,\"d\":[1, 2],"
                      "\"e\":\"2026-11-21T08:00:00.123Z\",\"f\":true}",
                      "{}"));
    const struct slice names[] = {SLICE("a"), SLICE("b"), SLICE("c"),
                                  SLICE("d"), SLICE("e"), SLICE("f \"x\"")};
    struct buf b = buf_make(KIB(4));
    json_put_row(&b, &r.batch, names, 0);
    CHECK_SLICE(buf_view(&b), "{\"a\":1,\"b\":\"q\\\"\\n\",\"c\":0.1,\"d\":[1, 2],"
                              "\"e\":\"2026-11-21T08:00:00.123Z\",\"f \\\"x\\\"\":true}");
    CHECK_OK(json_validate(r.decoder, buf_view(&b), NULL), NULL);
    buf_reset(&b);
    json_put_row(&b, &r.batch, names, 1);
    CHECK_SLICE(buf_view(&b), "{\"a\":null,\"b\":null,\"c\":null,\"d\":null,\"e\":null,"
                              "\"f \\\"x\\\"\":null}");
    buf_reset(&b);
    json_put_f64(&b, 1.0 / 3);
    buf_char(&b, ' ');
    json_put_f64(&b, -0.0 / 0.0);
    CHECK_SLICE(buf_view(&b), "0.3333333333333333 \"NaN\"");
    buf_done(&b);
    run_done(&r);
}

TEST(what_waits_is_null_until_its_row_goes_on_and_the_first_fault_is_the_documents)
{
    const struct type *types[] = {type_of(TYPE_UUID), type_of(TYPE_INT), type_of(TYPE_TEXT)};
    const struct json_step steps[] = {{.name = SLICE("u")}, {.name = SLICE("n")}};
    const struct json_want wants[] = {{&steps[0], 1, types[0], .late = true},
                                      {&steps[1], 1, types[1], .late = false},
                                      {&steps[1], 1, types[2], .late = true}};
    const struct slice docs[] = {
        SLICE("\xef\xbb\xbf{\"n\":1,\"u\":\"c232ab00-9414-11ec-b3c8-9f6bdeced846\"}"),
        SLICE("{\"n\":2,\"u\":\"c232ab00-9414-11ec-b3c8-9f6bdeced846\"}"),
        SLICE("{\"n\":\"x\",\"u\":\"y\"}"),
        SLICE("{\"n\":null,\"u\":\"y\"}"),
    };
    const uint32_t selected[] = {0, 2, 3};
    struct arena *a = arena_new(MIB(1));
    struct json_decoder *j = json_decoder_new();
    struct json_plan *plan = NULL;
    struct json_note *notes = NULL;
    struct column_batch b;
    CHECK_OK(json_plan_new(wants, 3, &plan, NULL), NULL);
    CHECK_OK(batch_init(&b, types, 3, 4, a), NULL);
    CHECK_OK(json_decode_early(j, plan, docs, 4, &b, &notes), NULL);
    CHECK(notes != NULL);
    for (int row = 0; row < 4; row++) CHECK_INT(b.columns[0].state[row], NULL_VALUE);
    CHECK_INT(b.columns[2].state[0], ERROR_VALUE); /* a text does not wait: it costs nothing */
    CHECK(b.columns[1].i32[0] == 1 && b.columns[1].i32[1] == 2);
    CHECK(strstr(b.fault_at[2].text, "n: ") == b.fault_at[2].text);
    batch_fault(&b, NULL, 3, ERR_RANGE, "told between the steps");
    CHECK_OK(json_decode_late(j, plan, docs, notes, selected, 3, &b), NULL);
    CHECK_INT(b.columns[0].state[0], VALID_VALUE);
    CHECK_INT(b.columns[0].state[1], NULL_VALUE); /* its row does not go on */
    CHECK(strstr(b.fault_at[2].text, "u: ") == b.fault_at[2].text);
    CHECK(strstr(b.fault_at[3].text, "u: ") == b.fault_at[3].text);
    CHECK_INT(b.fault_count, 4);
    json_plan_free(plan);
    json_decoder_free(j);
    arena_free(a);
}

TEST(any_allocation_may_fail_while_documents_are_decoded)
{
    size_t before = mem_held();
    const struct type *types[] = {type_of(TYPE_TEXT), type_of(TYPE_DECIMAL)};
    const struct json_step steps[] = {{.name = SLICE("a")}, {.name = SLICE("b")}};
    const struct json_want wants[] = {{&steps[0], 1, types[0], false},
                                      {&steps[1], 1, types[1], .late = true}};
    const struct slice document = SLICE("{\"a\":\"x\\ny\",\"b\":1.25}");
    int whole = 0;
    for (uint64_t nth = 1; nth < 60; nth++) {
        struct json_plan *plan = NULL;
        struct column_batch b;
        mem_fail_at(nth);
        struct arena *a = arena_new(MIB(1));
        struct json_decoder *j = json_decoder_new();
        err_t e = a && j ? json_plan_new(wants, 2, &plan, NULL) : ERR_NO_MEMORY;
        if (!e) e = batch_init(&b, types, 2, 1, a);
        struct json_note *notes = NULL;
        const uint32_t first = 0;
        if (!e && nth % 2) e = json_decode(j, plan, &document, 1, &b);
        if (!e && nth % 2 == 0) e = json_decode_early(j, plan, &document, 1, &b, &notes);
        if (!e && notes) e = json_decode_late(j, plan, &document, notes, &first, 1, &b);
        mem_fail_at(0);
        CHECK(e == ERR_OK || e == ERR_NO_MEMORY);
        if (e == ERR_OK) CHECK(b.fault_count == 0 && slice_is(b.columns[0].bytes[0], "x\ny"));
        whole += e == ERR_OK;
        json_plan_free(plan);
        json_decoder_free(j);
        arena_free(a);
    }
    CHECK(whole > 20 && whole < 59);
    CHECK_INT(mem_held(), before);
}

TEST(a_plan_of_many_paths_finds_each)
{
    enum { PATHS = 500 };
    static struct json_step steps[PATHS][2];
    static struct json_want wants[PATHS];
    static const struct type *types[PATHS];
    struct arena *a = arena_new(MIB(4));
    struct buf doc = buf_make(MIB(1));
    buf_char(&doc, '{');
    for (int i = 0; i < PATHS; i++) {
        types[i] = type_of(TYPE_INT);
        steps[i][0] = (struct json_step){.name = slice_of(arena_printf(a, "group%d", i % 20))};
        steps[i][1] = (struct json_step){.name = slice_of(arena_printf(a, "field-%d", i))};
        wants[i] = (struct json_want){steps[i], 2, types[i], false};
    }
    for (int g = 19; g >= 0; g--) {
        buf_printf(&doc, "\"group%d\":{", g);
        for (int i = g; i < PATHS; i += 20)
            buf_printf(&doc, "%s\"field-%d\":%d", i > g ? "," : "", i, i);
        buf_text(&doc, g ? "}," : "}}");
    }
    struct json_plan *plan;
    struct json_decoder *j = json_decoder_new();
    struct column_batch b;
    struct slice document = buf_view(&doc);
    CHECK_OK(json_plan_new(wants, PATHS, &plan, NULL), NULL);
    CHECK_OK(batch_init(&b, types, PATHS, 1, a), NULL);
    CHECK_OK(json_decode(j, plan, &document, 1, &b), NULL);
    CHECK_INT(b.fault_count, 0);
    for (int i = 0; i < PATHS; i++)
        CHECK(b.columns[i].state[0] == VALID_VALUE && b.columns[i].i32[0] == i);
    json_plan_free(plan);
    json_decoder_free(j);
    buf_done(&doc);
    arena_free(a);
}
