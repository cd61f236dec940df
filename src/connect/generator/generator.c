/* The source kind 'generator': people made locally, page by page, without a network. */
#include "connect/connect_int.h"
#include "people/people.h"

#include <inttypes.h>
#include <stdio.h>

enum option_id {
#define OPTION(name, kind, fallback, min, max, about) GENERATOR_##name,
#include "connect/generator/options.def"
#undef OPTION
};
static const struct connect_option options[] = {
#define OPTION(name, kind, fallback, min, max, about)                                              \
    {#name, OPTION_##kind, fallback, min, max, about},
#include "connect/generator/options.def"
#undef OPTION
};

enum { CURSOR_MAX = 128, PROVENANCE_MAX = 768, ITEM_BYTES_MAX = 8192 };
static const int64_t day_ms = 86400000;

struct generator {
    struct arena *texts;
    struct people_ask ask;
    int64_t first_page, total, rate, rate_per_ms;
    uint32_t results;
    /* the rate's account */
    int64_t since_ms, sent_since;
    /* the answer at hand */
    struct buf bytes;
    uint32_t bounds[PEOPLE_RESULTS_MAX + 1];
    struct source_item items[PEOPLE_RESULTS_MAX];
    char cursor[CURSOR_MAX], provenance[PROVENANCE_MAX];
};

/* "page=5&skip=0&made=40&day=20778": where the next answer starts. `day` is the day that ages count
 * to: it rides in the cursor, so that the same cursor gives the same bytes on any day. */
struct place {
    int64_t page, skip, made, day;
    bool has_day;
};

static bool place_number(struct slice cursor, const char *name, int64_t *out)
{
    struct slice s = connect_pair(cursor, '&', name);
    return s.at && slice_to_i64(s, out) && *out >= 0;
}

static err_t place_parse(const struct generator *g, const struct source_ask *ask, struct place *out,
                         struct diag *d)
{
    *out = (struct place){.page = g->first_page, .day = ask->now_ms / day_ms};
    if (ask->cursor.len == 0) return ERR_OK;
    out->has_day = place_number(ask->cursor, "day", &out->day);
    if (place_number(ask->cursor, "page", &out->page) &&
        place_number(ask->cursor, "skip", &out->skip) &&
        place_number(ask->cursor, "made", &out->made) && out->has_day)
        return ERR_OK;
    (void)diag_fail(d, ERR_CORRUPT, "the generator's cursor '%.*s' is not one of its own",
                    SLICE_ARG(ask->cursor));
    return diag_hint(d, "another kind of source wrote this topic before; give the source a new "
                        "topic, or `sluice reset`");
}

/* How many records the rate leaves for now; *wait_ms says when there will be one. */
static int64_t rate_allows(struct generator *g, int64_t now_ms, int64_t *wait_ms)
{
    if (g->rate == 0) return INT64_MAX;
    if (g->since_ms == 0 || now_ms < g->since_ms) {
        g->since_ms = now_ms;
        g->sent_since = 0;
    }
    int64_t passed = now_ms - g->since_ms;
    if (passed > 10 * g->rate_per_ms) { /* no bursts for a long pause */
        g->since_ms = now_ms - g->rate_per_ms;
        g->sent_since = MIN(g->sent_since, g->rate);
        passed = g->rate_per_ms;
    }
    int64_t allowed = (int64_t)((double)passed * (double)g->rate / (double)g->rate_per_ms) + 1;
    if (allowed > g->sent_since) return allowed - g->sent_since;
    *wait_ms = MAX((g->sent_since - allowed + 1) * g->rate_per_ms / g->rate, (int64_t)1);
    return 0;
}

static err_t make_items(struct generator *g, const struct place *at, uint32_t count, struct diag *d)
{
    g->ask.page = at->page;
    g->ask.count = (uint32_t)at->skip + count;
    g->ask.now_ms = at->day * day_ms;
    buf_reset(&g->bytes);
    err_t e = people_make(&g->ask, &g->bytes, g->bounds);
    if (e) return diag_fail(d, e, "the generator could not make page %" PRId64, at->page);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t from = g->bounds[at->skip + i], to = g->bounds[at->skip + i + 1];
        g->items[i].value = slice_make(g->bytes.at + from, to - from);
    }
    return ERR_OK;
}

static err_t generator_fetch(void *self, const struct source_ask *ask, struct source_answer *out,
                             struct diag *d)
{
    struct generator *g = (struct generator *)self;
    struct place at;
    *out = (struct source_answer){.cursor = ask->cursor, .repeatable = true};
    if (ask->stopping && ask->stopping(ask->ctx)) return ERR_STOPPED;
    err_t e = place_parse(g, ask, &at, d);
    if (e) return e;
    if (at.skip >= g->results) {
        at.page += 1;
        at.skip = 0;
    }
    int64_t count = (int64_t)g->results - at.skip;
    if (ask->items_max) count = MIN(count, (int64_t)ask->items_max);
    if (g->total) count = MIN(count, g->total - at.made);
    if (count > 0) count = MIN(count, rate_allows(g, ask->now_ms, &out->wait_ms));
    out->end = g->total && at.made >= g->total;
    if (count <= 0) return ERR_OK;
    e = make_items(g, &at, (uint32_t)count, d);
    if (e) return e;
    g->sent_since += count;
    snprintf(g->provenance, sizeof(g->provenance), "page=%" PRId64 " seed=%.*s", at.page,
             (int)MIN(g->ask.seed.len, 512u), (const char *)g->ask.seed.at);
    /* ages are all that depends on the day: without one in the cursor a second try could differ */
    out->repeatable = at.has_day || g->ask.shape == PEOPLE_EVENT;
    bool page_done = at.skip + count >= g->results;
    snprintf(g->cursor, sizeof(g->cursor),
             "page=%" PRId64 "&skip=%" PRId64 "&made=%" PRId64 "&day=%" PRId64,
             at.page + (page_done ? 1 : 0), page_done ? 0 : at.skip + count, at.made + count,
             ask->now_ms / day_ms);
    out->items = g->items;
    out->item_count = (uint32_t)count;
    out->cursor = slice_of(g->cursor);
    out->provenance = slice_of(g->provenance);
    out->end = g->total && at.made + count >= g->total;
    return ERR_OK;
}

static void generator_close(void *self)
{
    struct generator *g = (struct generator *)self;
    buf_done(&g->bytes);
    arena_free(g->texts);
    mem_give(g);
}

/* WITH wins over the address, which is a query like 'results=10&nat=us'. */
static struct slice text_option(struct generator *g, struct slice address,
                                const struct connect_setting *s, enum option_id id)
{
    struct slice in_address = connect_pair(address, '&', options[id].name);
    return arena_slice(g->texts, s[id].given || !in_address.at ? s[id].text : in_address);
}

static err_t address_number(struct slice address, const struct connect_setting *s,
                            enum option_id id, int64_t *out, struct diag *d)
{
    struct slice text = connect_pair(address, '&', options[id].name);
    *out = s[id].number;
    if (s[id].given || !text.at) return ERR_OK;
    if (slice_to_i64(text, out) && *out >= options[id].min && *out <= options[id].max)
        return ERR_OK;
    (void)diag_fail(d, ERR_CONFIG, "%s in the generator's address is '%.*s'", options[id].name,
                    SLICE_ARG(text));
    return diag_hint(d, "%s is a number from %lld to %lld", options[id].name,
                     (long long)options[id].min, (long long)options[id].max);
}

static err_t address_check(struct slice address, struct diag *d)
{
    const char *names[COUNT_OF(options)];
    for (size_t i = 0; i < COUNT_OF(options); i++) names[i] = options[i].name;
    for (uint32_t at = 0; at < address.len;) {
        uint32_t end = at, equals;
        while (end < address.len && address.at[end] != '&') end++;
        for (equals = at; equals < end && address.at[equals] != '=';) equals++;
        struct slice name = slice_make(address.at + at, equals - at);
        size_t i = 0;
        while (i < COUNT_OF(options) && !slice_is(name, names[i])) i++;
        if (i == COUNT_OF(options)) {
            const char *near = nearest_word(name, names, COUNT_OF(names));
            (void)diag_fail(d, ERR_CONFIG,
                            "the generator's address has '%.*s', which it does not "
                            "know",
                            SLICE_ARG(name));
            return diag_hint(
                d, near ? "did you mean %s?" : "the address is empty or like 'results=10&nat=us'%s",
                near ? near : "");
        }
        at = end + 1;
    }
    return ERR_OK;
}

static err_t shape_parse(struct slice text, enum people_shape *out, struct diag *d)
{
    if (slice_is(text, "user"))
        *out = PEOPLE_USER;
    else if (slice_is(text, "event"))
        *out = PEOPLE_EVENT;
    else {
        (void)diag_fail(d, ERR_CONFIG, "the generator has no shape '%.*s'", SLICE_ARG(text));
        return diag_hint(d, "shapes are user and event");
    }
    return ERR_OK;
}

/* One person tells whether nationality and gender are known. */
static err_t try_once(struct generator *g, struct diag *d)
{
    g->ask.count = 1;
    g->ask.page = g->first_page;
    err_t e = people_make(&g->ask, &g->bytes, g->bounds);
    if (e != ERR_UNKNOWN_NAME) return e;
    (void)diag_fail(d, ERR_CONFIG, "the generator does not know nat = '%.*s' with gender = '%.*s'",
                    SLICE_ARG(g->ask.nat), SLICE_ARG(g->ask.gender));
    return diag_hint(d, "gender is male or female; nationalities are %s", people_nats());
}

static err_t generator_set(struct generator *g, struct slice address,
                           const struct connect_setting *s, struct diag *d)
{
    int64_t results = 0;
    err_t e = address_check(address, d);
    if (!e) e = address_number(address, s, GENERATOR_results, &results, d);
    if (!e) e = address_number(address, s, GENERATOR_page, &g->first_page, d);
    if (!e) e = address_number(address, s, GENERATOR_total, &g->total, d);
    if (!e) e = shape_parse(text_option(g, address, s, GENERATOR_shape), &g->ask.shape, d);
    if (e) return e;
    g->results = (uint32_t)results;
    g->rate = s[GENERATOR_rate].number;
    g->rate_per_ms = s[GENERATOR_rate].per;
    g->ask.seed = text_option(g, address, s, GENERATOR_seed);
    g->ask.nat = text_option(g, address, s, GENERATOR_nat);
    g->ask.gender = text_option(g, address, s, GENERATOR_gender);
    struct slice portraits = text_option(g, address, s, GENERATOR_portraits);
    g->ask.portraits = arena_text(g->texts, portraits);
    if (!g->ask.portraits) return diag_fail(d, ERR_TOO_BIG, "the generator's options are too long");
    if (g->ask.seed.len == 0 || g->ask.seed.len > PEOPLE_SEED_MAX)
        return diag_fail(d, ERR_CONFIG, "the generator's seed has 1 to %d bytes", PEOPLE_SEED_MAX);
    return try_once(g, d);
}

static err_t generator_open(struct slice address, const struct connect_setting *settings,
                            struct source_port *out, struct diag *d)
{
    struct diag unheard = {0};
    if (!d) d = &unheard;
    struct generator *g = (struct generator *)mem_take(sizeof(*g));
    if (!g) return diag_fail(d, ERR_NO_MEMORY, "no memory for a generator");
    g->bytes = buf_make((size_t)ITEM_BYTES_MAX * PEOPLE_RESULTS_MAX + ITEM_BYTES_MAX);
    g->texts = arena_new(KIB(64));
    err_t e = g->texts ? generator_set(g, address, settings, d)
                       : diag_fail(d, ERR_NO_MEMORY, "no memory for a generator");
    if (e) {
        generator_close(g);
        return e;
    }
    *out = (struct source_port){g, generator_fetch, generator_close};
    return ERR_OK;
}

const struct connect_kind connect_generator = {
    "generator",
    "People made locally as the RandomUser API would answer them: no network, the same "
    "seed gives the same records. The address is empty or a query like "
    "'results=10&nat=us'.",
    options, COUNT_OF(options), generator_open};
