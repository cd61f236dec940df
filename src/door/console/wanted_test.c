/* Which records somebody wants: the words of a live channel, and partitions by number and range. */
#include "base/say.h"
#include "door/console/wanted.h"
#include "test.h"

#include <stdio.h>

TEST(words_are_read_as_they_are_written)
{
    struct arena *a = arena_new(KIB(64));
    struct records_wanted w;
    struct diag d = {0};
    CHECK_OK(wanted_read(SLICE("partition=0,2-4&q=50%25 %26 more&where= n >= 3 AND w = 'a=b'"
                               "&committed=true"),
                         a, &w, &d),
             &d);
    CHECK_SLICE(w.partition, "0,2-4");
    CHECK_SLICE(w.text, "50% & more");
    CHECK_SLICE(w.where, "n >= 3 AND w = 'a=b'");
    CHECK(w.committed);
    CHECK_OK(wanted_read(SLICE("q=&committed=false&"), a, &w, &d), &d);
    CHECK(!w.text.len && !w.where.len && !w.partition.len && !w.committed);
    static const char *const wrong[] = {"q=50%", "where=n % 2 = 0", "n > 3=1", "n > 3",
                                        "=a",    "committed=yes",   "Q=a"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        CHECK_ERR(wanted_read(slice_of(wrong[i]), a, &w, &d), ERR_USAGE);
    arena_free(a);
}

/* "0 2 3", or the error's name. */
static const char *listed(struct log_topic *t, const char *text)
{
    static char out[SCAN_PLACES_MAX * 8];
    struct browse_start at[SCAN_PLACES_MAX];
    struct buf b = buf_over(out, sizeof(out));
    struct diag d = {0};
    uint32_t n;
    err_t e = wanted_partitions(t, slice_of(text), at, &n, &d);
    if (e) CHECK(d.hint[0]);
    if (e) return err_name(e);
    for (uint32_t i = 0; i < n; i++) buf_printf(&b, "%s%d", i ? " " : "", at[i].partition);
    buf_char(&b, 0);
    return out;
}

TEST(partitions_are_named_by_number_and_range)
{
    char dir[600];
    struct log_topic_config c = log_topic_defaults();
    struct log_topic *few, *many;
    struct log *log;
    struct diag d = {0};
    say_to(-1);
    snprintf(dir, sizeof(dir), "%s/log", test_dir());
    CHECK_OK(log_open(&(struct log_options){.dir = dir}, 1, &log, &d), &d);
    CHECK_OK(log_topic_create(log, SLICE("few"), 5, &c, &few, &d), &d);
    CHECK_OK(log_topic_create(log, SLICE("many"), SCAN_PLACES_MAX + 1, &c, &many, &d), &d);
    static const char *const rows[][2] = {
        {"", "0 1 2 3 4"},      {"3", "3"},       {"0,2", "0 2"},      {"1-3", "1 2 3"},
        {"4,0-4", "4 0 1 2 3"}, {"2,2-2,2", "2"}, {"0-4", "0 1 2 3 4"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) CHECK_TEXT(listed(few, rows[i][0]), rows[i][1]);
    static const char *const none[] = {"5",
                                       "-1",
                                       "3-",
                                       "-",
                                       "4-3",
                                       "0-5",
                                       "x",
                                       "0,,1",
                                       ",0",
                                       "0-99999999999",
                                       "9223372036854775808"};
    for (size_t i = 0; i < COUNT_OF(none); i++) CHECK_TEXT(listed(few, none[i]), "UNKNOWN_TOPIC");
    CHECK_TEXT(listed(many, ""), "TOO_BIG");
    CHECK_TEXT(listed(many, "0-256"), "TOO_BIG");
    CHECK_TEXT(listed(many, "256"), "256");
    CHECK(strncmp(listed(many, "1-256"), "1 2 3 ", 6) == 0);
    log_close(log);
}
