/* Nexmark's events as JSON lines: people who sell, auctions, bids. The same seed gives the same
 * bytes.
 *
 *     nexmark_gen DIR EVENTS [SEED [DISORDER_MS]]   writes DIR/person.jsonl, auction.jsonl,
 * bid.jsonl
 *
 * As in the benchmark's own generator, of 50 events one is a person, three are auctions and 46
 * bids; half of the bids go to a hot auction. An event a millisecond; with DISORDER_MS its time is
 * up to so much earlier than its place tells.
 */
#include "base/base.h"
#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUND = 50, PEOPLE = 1, AUCTIONS = 3, FIRST_ID = 1000, ACTIVE = 100, CATEGORIES = 5 };
static const int64_t start_ms = 1600000000000;

struct maker {
    struct rng rng;
    int64_t disorder_ms;
    FILE *person, *auction, *bid;
};

static uint64_t below(struct maker *m, uint64_t n)
{
    return rng_below(&m->rng, n);
}

static void put_time(FILE *out, const char *name, int64_t ms)
{
    time_t s = (time_t)(ms / 1000);
    struct tm t;
    gmtime_r(&s, &t);
    fprintf(out, "\"%s\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\"", name, t.tm_year + 1900,
            t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, (int)(ms % 1000));
}

static void put_extra(struct maker *m, FILE *out)
{
    char text[48];
    size_t n = 16 + below(m, 24);
    for (size_t i = 0; i < n; i++) text[i] = (char)('a' + below(m, 26));
    fprintf(out, ",\"extra\":\"%.*s\"}\n", (int)n, text);
}

static int64_t price(struct maker *m)
{
    int64_t p = 100;
    for (uint64_t digits = below(m, 6); digits > 0; digits--) p *= 10;
    return p + (int64_t)below(m, (uint64_t)p * 9);
}

/* How many there were up to the event: each round's people and auctions come first. */
static int64_t people_before(int64_t n)
{
    return n / ROUND * PEOPLE + MIN(n % ROUND, (int64_t)PEOPLE);
}
static int64_t auctions_before(int64_t n)
{
    return n / ROUND * AUCTIONS + MAX(MIN(n % ROUND - PEOPLE, (int64_t)AUCTIONS), (int64_t)0);
}
static int64_t recent(struct maker *m, int64_t count)
{
    int64_t span = MIN(MAX(count, (int64_t)1), (int64_t)ACTIVE);
    return FIRST_ID + MAX(count - span, (int64_t)0) + (int64_t)below(m, (uint64_t)span);
}

static void put_person(struct maker *m, int64_t n, int64_t ms)
{
    static const char *const firsts[] = {"Peter", "Paul",  "Luke",  "John",   "Saul",  "Vicky",
                                         "Kate",  "Julie", "Sarah", "Deiter", "Walter"};
    static const char *const lasts[] = {"Shultz", "Abrams", "Spencer", "White", "Bartels",
                                        "Walton", "Smith",  "Jones",   "Noris"};
    static const char *const states[] = {"az", "ca", "id", "or", "wa", "wy"};
    static const char *const cities[] = {"phoenix",  "los angeles", "san francisco", "boise",
                                         "portland", "bend",        "redmond",       "seattle",
                                         "kent",     "cheyenne"};
    const char *first = firsts[below(m, COUNT_OF(firsts))],
               *last = lasts[below(m, COUNT_OF(lasts))];
    fprintf(m->person, "{\"id\":%lld,\"name\":\"%s %s\",\"email_address\":\"%c%c@%c%c.com\"",
            (long long)(FIRST_ID + people_before(n)), first, last, (int)('a' + below(m, 26)),
            (int)('a' + below(m, 26)), (int)('a' + below(m, 26)), (int)('a' + below(m, 26)));
    fprintf(m->person, ",\"credit_card\":\"%04llu %04llu\",\"city\":\"%s\",\"state\":\"%s\",",
            (unsigned long long)below(m, 10000), (unsigned long long)below(m, 10000),
            cities[below(m, COUNT_OF(cities))], states[below(m, COUNT_OF(states))]);
    put_time(m->person, "date_time", ms);
    put_extra(m, m->person);
}

static void put_auction(struct maker *m, int64_t n, int64_t ms)
{
    int64_t id = FIRST_ID + auctions_before(n), low = price(m);
    fprintf(m->auction,
            "{\"id\":%lld,\"item_name\":\"item %llu\",\"description\":\"thing %llu\","
            "\"initial_bid\":%lld,\"reserve\":%lld,",
            (long long)id, (unsigned long long)below(m, 1000), (unsigned long long)below(m, 1000),
            (long long)low, (long long)(low + price(m)));
    put_time(m->auction, "date_time", ms);
    fputc(',', m->auction);
    put_time(m->auction, "expires", ms + 1 + (int64_t)below(m, 20000));
    bool hot = below(m, 4) > 0;
    int64_t people = people_before(n);
    int64_t seller = hot ? FIRST_ID + MAX(people - 1, (int64_t)0) / 100 * 100 : recent(m, people);
    fprintf(m->auction, ",\"seller\":%lld,\"category\":%llu", (long long)seller,
            (unsigned long long)(10 + below(m, CATEGORIES)));
    put_extra(m, m->auction);
}

static void put_bid(struct maker *m, int64_t n, int64_t ms)
{
    static const char *const channels[] = {"Google", "Facebook", "Baidu", "Apple"};
    int64_t auctions = auctions_before(n), people = people_before(n);
    bool hot = below(m, 2) > 0, hot_bidder = below(m, 4) > 0;
    int64_t auction =
        hot ? FIRST_ID + MAX(auctions - 1, (int64_t)0) / 100 * 100 : recent(m, auctions);
    int64_t bidder =
        hot_bidder ? FIRST_ID + MAX(people - 1, (int64_t)0) / 100 * 100 + 1 : recent(m, people);
    fprintf(m->bid, "{\"auction\":%lld,\"bidder\":%lld,\"price\":%lld,", (long long)auction,
            (long long)bidder, (long long)price(m));
    if (below(m, 2))
        fprintf(m->bid, "\"channel\":\"%s\"", channels[below(m, COUNT_OF(channels))]);
    else
        fprintf(m->bid, "\"channel\":\"channel-%llu\"", (unsigned long long)below(m, 10000));
    fprintf(m->bid, ",\"url\":\"https://www.nexmark.com/%llx/%llx/%llx/item.htm?query=1\",",
            (unsigned long long)below(m, 4096), (unsigned long long)below(m, 4096),
            (unsigned long long)below(m, 4096));
    put_time(m->bid, "date_time", ms);
    put_extra(m, m->bid);
}

static FILE *file_in(const char *dir, const char *name)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s.jsonl", dir, name);
    FILE *f = fopen(path, "w");
    if (!f) perror(path);
    return f;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: nexmark_gen DIR EVENTS [SEED [DISORDER_MS]]\n");
        return 2;
    }
    int64_t events = atoll(argv[2]);
    struct maker m = {.disorder_ms = argc > 4 ? atoll(argv[4]) : 0};
    m.rng = rng_make(argc > 3 ? (uint64_t)atoll(argv[3]) : 1);
    m.person = file_in(argv[1], "person");
    m.auction = file_in(argv[1], "auction");
    m.bid = file_in(argv[1], "bid");
    if (!m.person || !m.auction || !m.bid) return 1;
    for (int64_t n = 0; n < events; n++) {
        int64_t ms = start_ms + n;
        if (m.disorder_ms > 0) ms -= (int64_t)below(&m, (uint64_t)m.disorder_ms);
        if (n % ROUND < PEOPLE)
            put_person(&m, n, ms);
        else if (n % ROUND < PEOPLE + AUCTIONS)
            put_auction(&m, n, ms);
        else
            put_bid(&m, n, ms);
    }
    bool failed = fclose(m.person) != 0;
    failed |= fclose(m.auction) != 0;
    failed |= fclose(m.bid) != 0;
    return failed;
}
