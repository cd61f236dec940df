/* Goal: what /metrics says can be read whatever a name holds, and its names are as Prometheus wants
 * them. Method: every row of the table looked at; values that would break a line; texts kept and
 * emptied. */
#include "door/metrics/figures_int.h"

#include "test.h"

struct seen {
    const struct metric_family *all[FIGURE_COUNT];
    uint32_t count;
};

static void see(void *ctx, const struct metric_family *f)
{
    struct seen *s = ctx;
    CHECK(s->count < FIGURE_COUNT);
    s->all[s->count++] = f;
}

static bool ends(const char *name, const char *tail)
{
    size_t n = strlen(name), t = strlen(tail);
    return n >= t && strcmp(name + n - t, tail) == 0;
}

TEST(every_name_stands_once_and_says_its_kind)
{
    struct seen s = {.count = 0};
    metrics_families(see, &s);
    CHECK_INT(s.count, FIGURE_COUNT);
    for (uint32_t i = 0; i < s.count; i++) {
        const struct metric_family *f = s.all[i];
        CHECK(f->about[0] && !strpbrk(f->about, "\n\\"));
        for (const char *at = f->name; *at; at++)
            CHECK(*at == '_' || (*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9'));
        if (f->kind == METRIC_COUNTER) CHECK(ends(f->name, "_total"));
        if (f->kind == METRIC_GAUGE) {
            CHECK(!ends(f->name, "_total") && !ends(f->name, "_sum") && !ends(f->name, "_count"));
            CHECK(!ends(f->name, "_bucket"));
        }
        for (uint32_t k = i + 1; k < s.count; k++) CHECK(strcmp(f->name, s.all[k]->name) != 0);
    }
}

TEST(a_name_of_any_bytes_is_one_line)
{
    struct figures f = {.parts = {{0}}};
    const struct slice labels[] = {SLICE("a\"b\\c\nd"), SLICE("{},=")};
    f.parts[FIGURE_C_DISK] = buf_make(MIB(1));
    f.parts[FIGURE_CPU] = buf_make(MIB(1));
    figure(&f, FIGURE_C_DISK, labels, 12);
    CHECK_SLICE(
        buf_view(&f.parts[FIGURE_C_DISK]),
        "cassandra_table_live_disk_space_bytes{keyspace=\"a\\\"b\\\\c\\nd\",table=\"{},=\"} "
        "12\n");
    figure(&f, FIGURE_CPU, NULL, 0.5);
    CHECK_SLICE(buf_view(&f.parts[FIGURE_CPU]), "process_cpu_seconds_total 0.5\n");
    figures_reset(&f, FIGURE_CPU, FIGURE_CPU);
    CHECK_INT(f.parts[FIGURE_CPU].len, 0);
    CHECK(f.parts[FIGURE_C_DISK].len > 0);
    buf_done(&f.parts[FIGURE_C_DISK]);
    buf_done(&f.parts[FIGURE_CPU]);
}
