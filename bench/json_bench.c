/* How fast RandomUser's records become columns: 5 of their 30 fields, one core.
 *
 *     json_bench [SECONDS]        prints GB/s and ns a record; the best of five rounds
 *
 * The records are made here, all different, in the field order and of the size (about 1.1 KB) of
 * the real API's. */
#include "base/hash.h"
#include "data/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { DOCUMENTS = 2000, ROUNDS = 5 };

static const char *const names[] = {"Ida", "Oliver", "Zoé", "Noah", "Aliyah", "Søren", "Emma"};
static const char *const places[] = {"Aarhus", "Lyon", "Birmingham", "Saint-Étienne", "Kokomo"};

static void put_hexes(struct buf *b, struct rng *r, int digits)
{
    for (int i = 0; i < digits; i++) buf_char(b, "0123456789abcdef"[rng_below(r, 16)]);
}

static void put_uuid(struct buf *b, struct rng *r)
{
    uint8_t random[16];
    char text[37];
    for (size_t i = 0; i < sizeof(random); i++) random[i] = (uint8_t)rng_below(r, 256);
    uuid_print(uuid_v4(random), text);
    buf_text(b, text);
}

static void put_document(struct buf *b, struct rng *r)
{
    const char *first = names[rng_below(r, 7)], *last = names[rng_below(r, 7)];
    int n = (int)rng_below(r, 1000);
    buf_printf(b,
               "{\"gender\":\"%s\",\"name\":{\"title\":\"Ms\",\"first\":\"%s\",\"last\":\"%s\"},"
               "\"location\":{\"street\":{\"number\":%d,\"name\":\"%s Street\"},\"city\":\"%s\","
               "\"state\":\"%s\",\"country\":\"Denmark\",\"postcode\":\"%05d\",\"coordinates\":"
               "{\"latitude\":\"-%d.%04d\",\"longitude\":\"%d.%04d\"},\"timezone\":{\"offset\":"
               "\"+5:30\",\"description\":\"Bombay, Calcutta, Madras, New Delhi\"}},",
               n % 2 ? "female" : "male", first, last, n * 7, places[n % 5], places[n % 4],
               places[n % 3], n * 31, n % 90, n, n % 180, n);
    buf_printf(b, "\"email\":\"%s.%s@example.com\",\"login\":{\"uuid\":\"", first, last);
    put_uuid(b, r);
    buf_printf(b, "\",\"username\":\"happypanda%d\",\"password\":\"secret%d\",\"salt\":\"", n, n);
    put_hexes(b, r, 8);
    buf_text(b, "\",\"md5\":\"");
    put_hexes(b, r, 32);
    buf_text(b, "\",\"sha1\":\"");
    put_hexes(b, r, 40);
    buf_text(b, "\",\"sha256\":\"");
    put_hexes(b, r, 64);
    buf_printf(b,
               "\"},\"dob\":{\"date\":\"1988-01-%02dT08:23:34.%03dZ\",\"age\":%d},\"registered\":"
               "{\"date\":\"2004-07-19T07:47:46.%03dZ\",\"age\":%d},\"phone\":\"051-%03d-0021\","
               "\"cell\":\"081-%03d-9873\",\"id\":{\"name\":\"CPR\",\"value\":\"1401%02d-%04d\"},"
               "\"picture\":{\"large\":\"https://randomuser.me/api/portraits/women/%d.jpg\","
               "\"medium\":\"https://randomuser.me/api/portraits/med/women/%d.jpg\",\"thumbnail\":"
               "\"https://randomuser.me/api/portraits/thumb/women/%d.jpg\"},\"nat\":\"DK\"}",
               1 + n % 28, n, n % 80, n, n % 20, n, n, n % 99, n * 3, n % 99, n % 99, n % 99);
}

/* Processor time, since the goal is one core's and others may be using it. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        enum type_kind kind;
    } fields[] = {{"login.uuid", TYPE_UUID},
                  {"name.first", TYPE_TEXT},
                  {"name.last", TYPE_TEXT},
                  {"location.postcode", TYPE_TEXT},
                  {"email", TYPE_TEXT}};
    double seconds = argc > 1 ? atof(argv[1]) : 2;
    struct buf text = buf_make(MIB(16));
    struct rng r = rng_make(1);
    size_t starts[DOCUMENTS + 1];
    for (size_t i = 0; i < DOCUMENTS; i++) {
        starts[i] = text.len;
        put_document(&text, &r);
    }
    starts[DOCUMENTS] = text.len;
    buf_put(&text, (char[JSON_PADDING]){0}, JSON_PADDING);
    struct slice documents[DOCUMENTS];
    for (size_t i = 0; i < DOCUMENTS; i++)
        documents[i] = slice_make(text.at + starts[i], starts[i + 1] - starts[i]);

    struct arena *a = arena_new(MIB(64)), *paths = arena_new(MIB(1));
    struct json_want wants[COUNT_OF(fields)] = {0};
    const struct type *types[COUNT_OF(fields)];
    struct diag d = {0};
    err_t e = ERR_OK;
    for (size_t i = 0; !e && i < COUNT_OF(fields); i++) {
        struct json_step *steps;
        types[i] = wants[i].type = type_of(fields[i].kind);
        e = json_path_parse(slice_of(fields[i].path), paths, &steps, &wants[i].step_count, &d);
        wants[i].steps = steps;
    }
    struct json_plan *plan = NULL;
    struct json_decoder *j = json_decoder_new();
    if (!e) e = json_plan_new(wants, COUNT_OF(fields), &plan, &d);
    double best = 1e9;
    for (int round = 0; !e && round < ROUNDS; round++) {
        double start = now(), spent = 0;
        long runs = 0;
        for (; !e && spent < seconds / ROUNDS; spent = now() - start, runs++) {
            struct column_batch b;
            arena_reset(a);
            e = batch_init(&b, types, COUNT_OF(fields), DOCUMENTS, a);
            if (!e) e = json_decode(j, plan, documents, DOCUMENTS, &b);
            if (!e && b.fault_count)
                e = diag_fail(&d, ERR_INTERNAL, "%s", batch_fault_next(&b, 0)->text);
        }
        double each = spent / (double)runs / DOCUMENTS;
        if (each < best) best = each;
    }
    if (e) {
        char story[2048];
        diag_format(&d, story, sizeof(story));
        fprintf(stderr, "%s: %s\n", err_name(e), story);
        return 1;
    }
    double bytes = (double)starts[DOCUMENTS] / DOCUMENTS;
    printf("json: 5 of 30 fields, %.0f bytes a record: %.2f GB/s, %.0f ns a record\n", bytes,
           bytes / best * 1e-9, best * 1e9);
    json_plan_free(plan);
    json_decoder_free(j);
    arena_free(paths);
    arena_free(a);
    buf_done(&text);
    return 0;
}
