/* Goal: the documentation's text is taken apart as it is written, and its paragraphs are found by
 * their words. Method: one page with everything in it, told piece by piece; questions with the
 * section they should lead to. */
#include "door/console/docs.h"

#include "test.h"

static const char page[] = "# Flow: from a source\n"
                           "\n"
                           "Runs **plans**. A lane\nreads on.\n"
                           "\n"
                           "## Late rows\n"
                           "| term | counted |\n|---|---|\n| late | by the watermark |\n"
                           "- the first item\n  goes on\n- the second, `DELAY '5s'`\n"
                           "\n"
                           "```sql\n# no heading\n\n- no item\n```\n"
                           "### [Windows](sql.md) *and* more\n"
                           "A row that is late goes to the dead letters.\n";

TEST(docs_are_read_piece_by_piece)
{
    static const char *const pieces[][2] = {
        {"Flow: from a source", "Flow: from a source"},
        {"Flow: from a source", "Runs **plans**. A lane\nreads on."},
        {"Late rows", "Late rows"},
        {"Late rows", "| term | counted |"},
        {"Late rows", "| late | by the watermark |"},
        {"Late rows", "- the first item\n  goes on"},
        {"Late rows", "- the second, `DELAY '5s'`"},
        {"Late rows", "# no heading"},
        {"Late rows", "- no item"},
        {"[Windows](sql.md) *and* more", "[Windows](sql.md) *and* more"},
        {"[Windows](sql.md) *and* more", "A row that is late goes to the dead letters."},
    };
    struct docs_reader r = docs_read(slice_of(page));
    struct docs_piece p;
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        CHECK(docs_next(&r, &p));
        CHECK_SLICE(p.section, pieces[i][0]);
        CHECK_SLICE(p.text, pieces[i][1]);
    }
    CHECK(!docs_next(&r, &p));
    r = docs_read((struct slice){0});
    CHECK(!docs_next(&r, &p));
    r = docs_read(SLICE("no heading, and no end of line"));
    CHECK(docs_next(&r, &p) && !p.section.at);
    CHECK_SLICE(p.text, "no heading, and no end of line");
}

/* The best piece of the page for a question; NULL: none. */
static struct slice best(const char *question)
{
    struct docs_asked asked = docs_ask(slice_of(question));
    struct docs_reader r = docs_read(slice_of(page));
    struct docs_piece p;
    struct slice found = {0};
    int most = 0;
    while (docs_next(&r, &p)) {
        int score = docs_score(&asked, SLICE("Flow: from a source"), &p);
        if (score > most) most = score, found = p.text;
    }
    return found;
}

TEST(docs_are_found_by_all_of_the_words)
{
    CHECK_SLICE(best("late rows"), "Late rows");
    CHECK_SLICE(best("  LATE   watermark "), "| late | by the watermark |");
    CHECK_SLICE(best("dead late"), "A row that is late goes to the dead letters.");
    CHECK_SLICE(best("flow plans"), "Runs **plans**. A lane\nreads on."); /* the title has one */
    CHECK_SLICE(best("lane reads"), "Runs **plans**. A lane\nreads on.");
    CHECK(!best("late elephants").at);
    CHECK(!best("").at);
}

TEST(docs_excerpts_are_plain_and_whole_letters)
{
    char out[DOCS_TEXT_MAX], small[8];
    struct docs_asked asked = docs_ask(SLICE("watermark"));
    docs_plain(SLICE("| `a` | [the words](where.md) **bold** 2 * 3 |"), out, sizeof(out));
    CHECK_TEXT(out, "a the words bold 2 * 3");
    docs_plain(SLICE("aaaaaa\xc3\xa9"), small, sizeof(small)); /* one of its two bytes would fit */
    CHECK_TEXT(small, "aaaaaa");
    docs_plain(SLICE("aaaaa\xc3\xa9"), small, sizeof(small));
    CHECK_TEXT(small, "aaaaa\xc3\xa9");
    docs_excerpt(&asked, SLICE("| late | by the watermark |"), out);
    CHECK_TEXT(out, "late by the watermark");
    static char longest[4000];
    memset(longest, 'x', sizeof(longest) - 1);
    memcpy(longest + 500, " watermark ", 11);
    docs_excerpt(&asked, slice_of(longest), out);
    CHECK(strstr(out, "watermark"));
}
