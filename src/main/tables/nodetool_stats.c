/* nodetool tablestats: for people, as JSON and as YAML. A figure that is not measured is left out
 * rather than made up. */
#include "main/tables/nodetool.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { STATS_MAX = 64 << 20 };

struct stat {
    char keyspace[UPKEEP_NAME_MAX], table[UPKEEP_NAME_MAX];
    uint64_t bytes, partitions;
};
struct stats {
    struct buf all; /* of struct stat */
    size_t count;
};

/* How a form prints: what stands before all, before a keyspace's first table, of a table, at the
 * keyspace's end and at the very end. */
struct form {
    const char *name;
    void (*begin)(size_t count);
    void (*keyspace)(const char *name, bool first);
    void (*table)(const struct stat *s, const char *size, bool first);
    void (*keyspace_end)(void);
    void (*end)(void);
};

static void nothing(void) {}

/* --- for people ------------------------------------------------------------------------------- */

static void text_begin(size_t count)
{
    printf("Total number of tables: %zu\n----------------\n", count);
}

static void text_keyspace(const char *name, bool first)
{
    printf("%sKeyspace: %s\n", first ? "" : "----------------\n", name);
}

static void text_table(const struct stat *s, const char *size, bool first)
{
    (void)first;
    printf("\t\tTable: %s\n\t\tSpace used (live): %s\n\t\tSpace used (total): %s\n"
           "\t\tNumber of partitions (estimate): %llu\n\n",
           s->table, size, size, (unsigned long long)s->partitions);
}

static void text_end(void)
{
    printf("----------------\n");
}

/* --- JSON, as Jackson's pretty printer ----------------------------------------------------------
 */

static void json_begin(size_t count)
{
    printf("{\n  \"total_number_of_tables\" : %zu", count);
}

static void json_keyspace(const char *name, bool first)
{
    (void)first;
    printf(",\n  \"%s\" : {\n    \"tables\" : {", name);
}

static void json_table(const struct stat *s, const char *size, bool first)
{
    printf("%s\n      \"%s\" : {\n        \"space_used_live\" : \"%s\",\n"
           "        \"space_used_total\" : \"%s\",\n"
           "        \"number_of_partitions_estimate\" : %llu\n      }",
           first ? "" : ",", s->table, size, size, (unsigned long long)s->partitions);
}

static void json_keyspace_end(void)
{
    printf("\n    }\n  }");
}

static void json_end(void)
{
    printf("\n}\n");
}

/* --- YAML, as SnakeYAML's blocks ----------------------------------------------------------------
 */

/* A word that YAML would take for something else than text stands in quotes. */
static void put_key(const char *name)
{
    static const char *const words[] = {"yes", "no", "on", "off", "true", "false", "null"};
    bool quoted = isdigit((unsigned char)name[0]);
    for (size_t i = 0; i < COUNT_OF(words); i++)
        quoted |= slice_equal_nocase(slice_of(name), slice_of(words[i]));
    printf(quoted ? "'%s'" : "%s", name);
}

static void yaml_begin(size_t count)
{
    printf("total_number_of_tables: %zu\n", count);
}

static void yaml_keyspace(const char *name, bool first)
{
    (void)first;
    put_key(name);
    printf(":\n  tables:\n");
}

static void yaml_table(const struct stat *s, const char *size, bool first)
{
    const char *quote = size[strspn(size, "0123456789")] ? "" : "'"; /* a number that is text */
    (void)first;
    printf("    ");
    put_key(s->table);
    printf(":\n      space_used_live: %s%s%s\n      space_used_total: %s%s%s\n"
           "      number_of_partitions_estimate: %llu\n",
           quote, size, quote, quote, size, quote, (unsigned long long)s->partitions);
}

static void yaml_end(void)
{
    printf("\n");
}

static const struct form forms[] = {
    {"", text_begin, text_keyspace, text_table, nothing, text_end},
    {"json", json_begin, json_keyspace, json_table, json_keyspace_end, json_end},
    {"yaml", yaml_begin, yaml_keyspace, yaml_table, nothing, yaml_end},
};

/* --- what is asked for -------------------------------------------------------------------------
 */

static err_t stats_row(void *ctx, const struct slice *p)
{
    struct stats *s = ctx;
    struct stat one = {.bytes = tables_number(p[2]), .partitions = tables_number(p[3])};
    (void)slice_to_cstr(p[0], one.keyspace, sizeof(one.keyspace));
    (void)slice_to_cstr(p[1], one.table, sizeof(one.table));
    buf_put(&s->all, &one, sizeof(one));
    s->count += !s->all.err;
    return s->all.err;
}

static int compare(const void *a, const void *b)
{
    const struct stat *x = a, *y = b;
    int order = strcmp(x->keyspace, y->keyspace);
    return order ? order : strcmp(x->table, y->table);
}

/* Sorted, each once: a table may be named twice, or with its keyspace. */
static void settle(struct stats *s)
{
    struct stat *all = (struct stat *)s->all.at;
    size_t kept = 0;
    if (s->count == 0) return;
    qsort(all, s->count, sizeof(*all), compare);
    for (size_t i = 0; i < s->count; i++)
        if (kept == 0 || compare(&all[kept - 1], &all[i]) != 0) all[kept++] = all[i];
    s->count = kept;
}

static void print(const struct form *f, const struct stats *s, bool human)
{
    const struct stat *all = (const struct stat *)s->all.at;
    f->begin(s->count);
    for (size_t i = 0; i < s->count; i++) {
        char size[32];
        bool first = i == 0 || strcmp(all[i - 1].keyspace, all[i].keyspace) != 0;
        if (human)
            nodetool_size_text(all[i].bytes, size);
        else
            snprintf(size, sizeof(size), "%llu", (unsigned long long)all[i].bytes);
        if (first && i > 0) f->keyspace_end();
        if (first) f->keyspace(all[i].keyspace, i == 0);
        f->table(&all[i], size, first);
    }
    if (s->count > 0) f->keyspace_end();
    f->end();
}

/* Of one word, or of all tables: NULL. 0, or the exit code. */
static int gather(struct nodetool *n, const char *word, struct stats *s)
{
    static const char *const paths[] = {"$.keyspace", "$.table", "$.bytes", "$.rows"};
    const char *dot = word ? strchr(word, '.') : NULL;
    char keyspace[UPKEEP_NAME_MAX] = "";
    size_t before = s->count;
    struct tables_call c = {.what = "tables", .table = word};
    int code = 0;
    if (word) snprintf(keyspace, sizeof(keyspace), "%.*s", (int)strcspn(word, "."), word);
    if (word) code = nodetool_keyspace_known(n, keyspace, "Unknown keyspace: %s");
    bool system = strcmp(keyspace, "system") == 0 || strncmp(keyspace, "system_", 7) == 0;
    if (code || system) return code; /* ours are made when they are read: they take no space */
    if (tables_ask_rows(&n->session, c, paths, COUNT_OF(paths), stats_row, s))
        return dot ? nodetool_wrong("Unknown tables: %s", word) : nodetool_failed(n);
    return dot && s->count == before ? nodetool_wrong("Unknown tables: %s", word) : 0;
}

int nodetool_tablestats(struct nodetool *n)
{
    struct stats s = {.all = buf_make(STATS_MAX)};
    const struct form *form = NULL;
    int code = 0;
    for (size_t i = 0; i < COUNT_OF(forms); i++)
        if (strcmp(n->format ? n->format : "", forms[i].name) == 0) form = &forms[i];
    if (!form) return nodetool_wrong("arguments for -F are json,yaml only.");
    for (int i = 0; !code && i < MAX(n->count, 1); i++)
        code = gather(n, n->count ? n->words[i] : NULL, &s);
    settle(&s);
    if (!code) print(form, &s, n->human);
    buf_done(&s.all);
    return code;
}
