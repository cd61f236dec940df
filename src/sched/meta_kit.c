#include "sched/meta_kit.h"

#include "sched/secret.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct secret_ring secret = {{"thirty-two bytes for the tests!"}, 1};

static const char *server(void)
{
    const char *at = getenv("SLUICE_TEST_META");
    return at && *at ? at : NULL;
}

bool meta_kit_is_postgres(void)
{
    return server() != NULL;
}

const char *meta_kit_where(void)
{
    static char where[600];
    static int number;
    number++;
    if (!server()) {
        snprintf(where, sizeof(where), "%s/meta%d.db", test_dir(), number);
        return where;
    }
    struct diag d;
    struct meta *m = NULL;
    struct meta_options o = {.where = server()};
    char schema[64], text[128];
    snprintf(schema, sizeof(schema), "t%d_%d", (int)getpid(), number);
    CHECK_OK(meta_open(&o, &m, &d), &d);
    snprintf(text, sizeof(text), "DROP SCHEMA IF EXISTS %s CASCADE", schema);
    if (m) CHECK_OK(meta_run_text(m, text, NULL, 0, NULL, NULL, NULL, &d), &d);
    snprintf(text, sizeof(text), "CREATE SCHEMA %s", schema);
    if (m) CHECK_OK(meta_run_text(m, text, NULL, 0, NULL, NULL, NULL, &d), &d);
    meta_close(m);
    snprintf(where, sizeof(where), "%s%coptions=-csearch_path%%3D%s", server(),
             strchr(server(), '?') ? '&' : '?', schema);
    return where;
}

struct meta *meta_kit_open(const char *where)
{
    struct diag d;
    struct meta *m = NULL;
    struct meta_options o = {.where = where, .secret = &secret, .busy_ms = 2000};
    CHECK_OK(meta_open(&o, &m, &d), &d);
    if (m) CHECK_OK(meta_migrate(m, &d), &d);
    return m;
}

struct meta *meta_kit_fresh(void)
{
    return meta_kit_open(meta_kit_where());
}

struct told {
    int64_t number;
    char *out;
    size_t size;
};

static err_t take(void *ctx, const struct meta_row *row)
{
    struct told *t = ctx;
    const struct meta_value *v = &row->at[0];
    t->number = v->kind == META_INT ? v->number : -1;
    if (t->out && v->kind == META_INT)
        snprintf(t->out, t->size, "%lld", (long long)v->number);
    else if (t->out)
        snprintf(t->out, t->size, "%.*s", SLICE_ARG(v->text));
    return ERR_OK;
}

int64_t meta_kit_number(struct meta *m, const char *text)
{
    struct diag d;
    struct told t = {.number = -1};
    CHECK_OK(meta_run_text(m, text, NULL, 0, take, &t, NULL, &d), &d);
    return t.number;
}

void meta_kit_text(struct meta *m, const char *text, char *out, size_t size)
{
    struct diag d;
    struct told t = {.out = out, .size = size};
    *out = 0;
    CHECK_OK(meta_run_text(m, text, NULL, 0, take, &t, NULL, &d), &d);
}

void meta_kit_do(struct meta *m, const char *text)
{
    struct diag d;
    CHECK_OK(meta_run_text(m, text, NULL, 0, NULL, NULL, NULL, &d), &d);
}
