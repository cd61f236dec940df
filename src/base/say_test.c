/* The log: what a line looks like, what is kept, and that several threads do not mix theirs. */
#include "base/metric.h"
#include "base/say.h"
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static int64_t fixed_clock(void)
{
    return 1795248000123; /* 2026-11-21T08:00:00.123Z */
}

static uint64_t ring_end(void)
{
    uint64_t seq = 0;
    struct buf all = buf_make(MIB(2));
    (void)say_ring_read(&seq, -1, SAY_DEBUG, &all);
    buf_done(&all);
    return seq;
}

/* Runs nothing itself: what was said after `seq`, as text. Caller frees. */
static char *said_since(uint64_t *seq)
{
    struct buf b = buf_make(MIB(2));
    (void)say_ring_read(seq, -1, SAY_DEBUG, &b);
    char *text = mem_text(buf_view(&b));
    buf_done(&b);
    return text;
}

TEST(a_line_is_logfmt_with_time_level_room_and_message)
{
    say_to(-1);
    say_clock(fixed_clock);
    uint64_t seq = ring_end();
    say_info(SAY_LOG, "topic created", "topic=%s partitions=%d", "users", 3);
    say_warn(SAY_DOOR, "slow", NULL);
    char *text = said_since(&seq);
    CHECK_TEXT(text,
               "ts=2026-11-21T08:00:00.123Z level=info room=log msg=\"topic created\" topic=users "
               "partitions=3\n"
               "ts=2026-11-21T08:00:00.123Z level=warn room=door msg=\"slow\"\n");
    mem_give(text);
    say_to(STDERR_FILENO);
}

TEST(a_level_holds_for_its_room_only)
{
    say_to(-1);
    uint64_t seq = ring_end();
    say_debug(SAY_SQL, "unheard", NULL);
    say_level_set(SAY_SQL, SAY_DEBUG);
    say_level_set(SAY_FLOW, SAY_OFF);
    say_debug(SAY_SQL, "heard", NULL);
    say_error(SAY_FLOW, "silenced", NULL);
    say_level_set(SAY_SQL, SAY_INFO);
    say_level_set(SAY_FLOW, SAY_INFO);
    char *text = said_since(&seq);
    CHECK(strstr(text, "\"heard\"") && !strstr(text, "unheard") && !strstr(text, "silenced"));
    mem_give(text);
    say_to(STDERR_FILENO);
}

TEST(a_long_line_is_cut_with_an_ellipsis_and_control_bytes_can_not_forge_a_line)
{
    say_to(-1);
    uint64_t seq = ring_end();
    char big[3000];
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = 0;
    say_info(SAY_OS, "big", "value=%s", big);
    say_info(SAY_OS, "forged", "value=a\nlevel=fatal\x1b[31m");
    char *text = said_since(&seq);
    char *end = strchr(text, '\n');
    CHECK(end && end - text == SAY_LINE_MAX - 1);
    CHECK(end && memcmp(end - 3, "\xe2\x80\xa6", 3) == 0);
    CHECK(end && strstr(end + 1, "value=a level=fatal [31m\n"));
    mem_give(text);
    say_to(STDERR_FILENO);
}

TEST(a_failure_is_said_with_its_whole_story)
{
    struct diag d;
    say_to(-1);
    uint64_t seq = ring_end();
    (void)diag_fail(&d, ERR_CONFIG, "no key '%s'", "prot");
    (void)diag_where(&d, "sluice.yaml:3:1");
    say_diag(SAY_MAIN, SAY_ERROR, "start refused", &d);
    char *text = said_since(&seq);
    CHECK(strstr(text, "msg=\"start refused\" err=CONFIG what=\"no key 'prot'\" "
                       "where=sluice.yaml:3:1\n"));
    mem_give(text);
    say_to(STDERR_FILENO);
}

TEST(quoting_is_logfmts)
{
    char out[64];
    static const struct {
        const char *value, *want;
    } cases[] = {{"plain", "plain"}, {"", "\"\""},          {"two words", "\"two words\""},
                 {"a=b", "\"a=b\""}, {"\"", "\"\\\"\""},    {"a\nb", "\"a\\nb\""},
                 {"\\", "\"\\\\\""}, {"\x01", "\"\\x01\""}, {"tørt", "tørt"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf b = buf_over(out, sizeof(out));
        say_quote(slice_of(cases[i].value), &b);
        CHECK_SLICE(buf_view(&b), cases[i].want);
    }
}

/* Lines of all lengths, more than fit: what is read is an unbroken run up to the last one. */
TEST(the_ring_keeps_the_newest_lines_whole_and_in_order)
{
    say_to(-1);
    char fill[900];
    memset(fill, '.', sizeof(fill));
    uint64_t random = 7;
    enum { LINES = 20000 };
    for (int i = 0; i < LINES; i++)
        say_info(SAY_DATA, "n", "i=%d f=%.*s", i, (int)(test_random(&random) % sizeof(fill)), fill);
    uint64_t seq = 0;
    char *text = said_since(&seq);
    int first = -1, last = -1, lines = 0;
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        char *at = strstr(line, "msg=\"n\" i=");
        CHECK(at && at < end);
        int i = at ? atoi(at + 10) : -1;
        CHECK(first < 0 || i == last + 1);
        if (first < 0) first = i;
        last = i;
        lines++;
    }
    CHECK_INT(last, LINES - 1);
    CHECK(lines > 1500 && lines <= SAY_RING);
    mem_give(text);
    say_to(STDERR_FILENO);
}

TEST(short_lines_fill_the_ring_to_its_count)
{
    say_to(-1);
    say_clock(NULL);
    for (int i = 0; i < 3 * SAY_RING; i++) say_info(SAY_DATA, "n", "i=%d", i);
    uint64_t seq = 0;
    struct buf b = buf_make(MIB(2));
    CHECK_INT(say_ring_read(&seq, -1, SAY_DEBUG, &b), SAY_RING);
    CHECK_INT(say_ring_read(&seq, -1, SAY_DEBUG, &b), 0);
    buf_done(&b);
    say_clock(fixed_clock);
    say_to(STDERR_FILENO);
}

TEST(a_reader_with_a_small_buffer_comes_again_and_misses_nothing)
{
    say_to(-1);
    uint64_t seq = ring_end();
    for (int i = 0; i < 50; i++) say_at(i % 2 ? SAY_SQL : SAY_OS, SAY_WARN, "part", "i=%d", i);
    char small[200];
    size_t total = 0, rounds = 0;
    for (size_t n = 1; n; rounds++) {
        struct buf b = buf_over(small, sizeof(small));
        n = say_ring_read(&seq, SAY_SQL, SAY_WARN, &b);
        CHECK(b.err == ERR_OK);
        total += n;
    }
    CHECK_INT(total, 25);
    CHECK(rounds > 5);
    say_to(STDERR_FILENO);
}

enum { THREADS = 4, EACH = 500 };

static void *say_many(void *name)
{
    for (int i = 0; i < EACH; i++)
        say_info(SAY_CONNECT, "many", "who=%s i=%d end", (const char *)name, i);
    return NULL;
}

TEST(threads_do_not_mix_their_lines)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/log", test_dir());
    int fd = open(path, O_CREAT | O_RDWR | O_APPEND, 0600);
    CHECK(fd >= 0);
    say_to(fd);
    say_clock(fixed_clock);
    pthread_t threads[THREADS];
    static char *const names[THREADS] = {"aa", "bb", "cc", "dd"};
    for (int t = 0; t < THREADS; t++)
        CHECK_INT(pthread_create(&threads[t], NULL, say_many, names[t]), 0);
    for (int t = 0; t < THREADS; t++) pthread_join(threads[t], NULL);
    say_to(STDERR_FILENO);
    FILE *f = fdopen(fd, "r");
    char line[SAY_LINE_MAX + 1];
    int lines = 0, next[THREADS] = {0};
    rewind(f);
    while (fgets(line, sizeof(line), f)) {
        char *who = strstr(line, "who="), *i = strstr(line, " i=");
        CHECK(strncmp(line, "ts=", 3) == 0 && who && i && strstr(line, " end\n"));
        if (who && i) CHECK_INT(atoi(i + 3), next[who[4] - 'a']++);
        lines++;
    }
    CHECK_INT(lines, THREADS * EACH);
    fclose(f);
}

TEST(kept_lines_are_read_one_by_one)
{
    struct say_kept l;
    uint64_t before = say_ring_last();
    say_to(-1);
    CHECK(!say_ring_next(before, &l));
    say_warn(SAY_STORE, "first", "n=%d", 1);
    say_info(SAY_FLOW, "second", "n=%d", 2);
    CHECK(say_ring_next(before, &l) && l.seq == before + 1);
    CHECK(l.room == SAY_STORE && l.level == SAY_WARN && strlen(l.line) == l.len);
    CHECK(strstr(l.line, "level=warn room=store msg=\"first\" n=1") && !strchr(l.line, '\n'));
    CHECK(say_ring_next(l.seq, &l) && l.seq == before + 2 && l.room == SAY_FLOW);
    CHECK_INT(say_ring_last(), before + 2);
    CHECK(!say_ring_next(l.seq, &l));
    for (int i = 0; i < SAY_RING + 10; i++) say_info(SAY_FLOW, "many", "n=%d", i);
    CHECK(say_ring_next(0, &l) && l.seq > before + 2); /* the oldest that is kept */
    CHECK(say_ring_next(before + 1, &l) && strstr(l.line, "msg=\"many\""));
    say_to(STDERR_FILENO);
}

TEST(rooms_and_levels_are_known_by_name)
{
    enum say_room room;
    enum say_level level;
    for (int r = 0; r < SAY_ROOMS; r++)
        CHECK(say_room_parse(slice_of(say_room_name((enum say_room)r)), &room) && (int)room == r);
    CHECK(!say_room_parse(SLICE("kitchen"), &room));
    CHECK(say_level_parse(SLICE("warn"), &level) && level == SAY_WARN);
    CHECK(!say_level_parse(SLICE("loud"), &level));
}

TEST(metrics_come_out_as_prometheus_reads_them)
{
    struct buf b = buf_make(KIB(64));
    metric_set(METRIC_net_conns, 5);
    metric_add(METRIC_net_conns, -2);
    metric_put_all(&b);
    CHECK(b.err == ERR_OK);
    CHECK(strstr(buf_cstr(&b), "\n# TYPE sluice_net_conns gauge\nsluice_net_conns 3\n"));
    CHECK(strncmp(buf_cstr(&b),
                  "# HELP sluice_log_appends_total Appends taken by the log "
                  "(appends).\n# TYPE sluice_log_appends_total counter\n",
                  40) == 0);
    for (int i = 0; i < METRIC_COUNT; i++) CHECK(metric_infos[i].name && metric_infos[i].about[0]);
    buf_done(&b);
    metric_set(METRIC_net_conns, 0);
}
