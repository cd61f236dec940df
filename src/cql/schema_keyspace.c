/* schema_keyspace: CREATE, ALTER, DROP KEYSPACE: replication is checked as Cassandra does, kept and
 * shown; there is one node, so that it means nothing here. */
#include "cql/schema.h"

#define LOCATOR "org.apache.cassandra.locator."
enum { OPTIONS_MAX = OPTION_PAIRS_MAX };

struct replication {
    bool topology; /* NetworkTopologyStrategy */
    struct slice class_name;
    struct option_pairs options; /* without the class */
    int64_t replicas;
};

/* --- replication
 * ------------------------------------------------------------------------------------------ */

static err_t config(struct schema_run *r, const char *text)
{
    return diag_fail(r->d, ERR_SCHEMA_CONFIG, "%s", text);
}

/* "3", "3/1" as ReplicationFactor reads it. */
static err_t factor_take(struct schema_run *r, struct slice text, int64_t *out)
{
    struct slice first = text;
    const uint8_t *slash = memchr(text.at, '/', text.len);
    if (slash) first = slice_make(text.at, (size_t)(slash - text.at));
    if (!slice_to_i64(first, out) || *out > INT32_MAX || *out < INT32_MIN)
        return diag_fail(r->d, ERR_SCHEMA_CONFIG, "For input string: \"%.*s\"", SLICE_ARG(first));
    if (slash && !(slash + 2 == text.at + text.len && slash[1] == '0'))
        return config(r, "Transient replication is not enabled on this node");
    if (*out < 0)
        return diag_fail(r->d, ERR_SCHEMA_CONFIG,
                         "Replication factor must be non-negative, found %lld", (long long)*out);
    return ERR_OK;
}

static err_t class_take(struct schema_run *r, struct slice written, struct replication *out)
{
    char *full = memchr(written.at, '.', written.len)
                     ? arena_text(r->a, written)
                     : arena_printf(r->a, LOCATOR "%.*s", SLICE_ARG(written));
    if (!full) return diag_fail(r->d, ERR_NO_MEMORY, "no memory for the strategy's name");
    out->class_name = slice_of(full);
    out->topology = slice_is(out->class_name, LOCATOR "NetworkTopologyStrategy");
    if (out->topology || slice_is(out->class_name, LOCATOR "SimpleStrategy")) return ERR_OK;
    if (slice_is(out->class_name, LOCATOR "LocalStrategy"))
        return diag_fail(r->d, ERR_INVALID,
                         "Unable to use given strategy class: LocalStrategy is reserved for "
                         "internal use.");
    if (slice_is(out->class_name, LOCATOR "OldNetworkTopologyStrategy"))
        return config(r, "The support for the OldNetworkTopologyStrategy has been removed in C* "
                         "version 4.0. The keyspace strategy should be switch to "
                         "NetworkTopologyStrategy");
    return diag_fail(r->d, ERR_SCHEMA_CONFIG, "Unable to find replication strategy class '%s'",
                     full);
}

static const struct slice *previous_factor(const struct store_keyspace *before)
{
    for (uint32_t i = 0; before && i < before->replication_count; i++)
        if (slice_is(before->replication[i].name, "replication_factor"))
            return &before->replication[i].value;
    return NULL;
}

/* What is not said: the factor that was, or 1; a factor becomes each data center's. */
static void options_complete(struct schema_run *r, const struct store_keyspace *before,
                             struct replication *x)
{
    const struct slice *was = previous_factor(before);
    struct option_pairs *o = &x->options;
    if (!x->topology) {
        if (!option_pair(o, "replication_factor"))
            (void)option_pair_set(o, SLICE("replication_factor"), was ? *was : SLICE("1"));
        return;
    }
    if (o->count == 0)
        (void)option_pair_set(o, SLICE("replication_factor"), was ? *was : SLICE("1"));
    const struct slice *given = option_pair(o, "replication_factor");
    if (given) {
        struct slice factor = *given;
        struct diag unused;
        struct schema_run quiet = *r;
        int64_t n;
        quiet.d = &unused;
        option_pair_remove(o, "replication_factor");
        for (uint32_t i = 0; before && i < before->replication_count; i++) {
            struct store_option b = before->replication[i];
            if (slice_is(b.name, "class") || slice_is(b.name, "replication_factor")) continue;
            struct option_pairs *all = o;
            bool there = false;
            for (uint32_t k = 0; k < all->count; k++) there |= slice_equal(all->at[k].name, b.name);
            if (!there) (void)option_pair_set(o, b.name, b.value);
        }
        const char *dc = cql_options(r->cql)->data_center;
        if (factor_take(&quiet, factor, &n) == ERR_OK && !option_pair(o, dc))
            (void)option_pair_set(o, slice_of(dc), factor);
    }
    for (uint32_t i = o->count; i-- > 0;)
        if (slice_is(o->at[i].value, "0")) o->at[i] = o->at[--o->count];
}

static err_t options_check(struct schema_run *r, struct replication *x)
{
    const char *dc = cql_options(r->cql)->data_center;
    for (uint32_t i = 0; i < x->options.count; i++) {
        const struct store_option *o = &x->options.at[i];
        int64_t n = 0;
        if (!x->topology && !slice_is(o->name, "replication_factor")) continue;
        err_t e = factor_take(r, o->value, &n);
        if (e) return e;
        x->replicas += n;
    }
    if (x->topology && x->options.count == 0)
        return config(r, "Configuration for at least one datacenter must be present");
    for (uint32_t i = 0; i < x->options.count; i++) {
        const struct store_option *o = &x->options.at[i];
        if (slice_is(o->name, x->topology ? dc : "replication_factor")) continue;
        return diag_fail(r->d, ERR_SCHEMA_CONFIG,
                         "Unrecognized strategy option {%.*s} passed to %s for keyspace %.*s",
                         SLICE_ARG(o->name),
                         x->topology ? "NetworkTopologyStrategy" : "SimpleStrategy",
                         SLICE_ARG(r->keyspace));
    }
    return ERR_OK;
}

static void warn_of_factor(struct schema_run *r, const struct replication *x)
{
    if (x->replicas <= 1 || virtual_keyspace_find(r->cql, r->keyspace)) return;
    call_warn(
        r->call,
        "Your replication factor %lld for keyspace %.*s is higher than the number of nodes 1%s%s",
        (long long)x->replicas, SLICE_ARG(r->keyspace), x->topology ? " for datacenter " : "",
        x->topology ? cql_options(r->cql)->data_center : "");
}

static err_t replication_put(struct schema_run *r, struct replication *x, struct store_keyspace *k)
{
    struct store_option *o = arena_take(r->a, (x->options.count + 1) * sizeof(*o));
    if (!o || !option_pairs_text(&x->options, r->a).at) /* sorts them */
        return diag_fail(r->d, ERR_NO_MEMORY, "no memory for the replication");
    o[0] = (struct store_option){SLICE("class"), x->class_name};
    memcpy(o + 1, x->options.at, x->options.count * sizeof(*o));
    k->replication = o;
    k->replication_count = x->options.count + 1;
    return ERR_OK;
}

/* --- properties
 * -------------------------------------------------------------------------------------------- */

struct given {
    const struct cql_property *replication, *durable;
};

static err_t properties_take(struct schema_run *r, struct given *out)
{
    *out = (struct given){0};
    for (uint32_t i = 0; i < r->t->properties.count; i++) {
        const struct cql_property *p = &r->t->properties.items[i];
        const struct cql_property **at = slice_is(p->name, "replication")      ? &out->replication
                                         : slice_is(p->name, "durable_writes") ? &out->durable
                                                                               : NULL;
        if (!at) return diag_fail(r->d, ERR_SYNTAX, "Unknown property '%.*s'", SLICE_ARG(p->name));
        if (*at)
            return diag_fail(r->d, ERR_SYNTAX, "Multiple definitions for property '%.*s'",
                             SLICE_ARG(p->name));
        *at = p;
    }
    return ERR_OK;
}

/* The map; without a class it says nothing (an empty one) or is wrong. */
static err_t map_take(struct schema_run *r, const struct given *g, struct replication *x,
                      bool *has_class)
{
    *has_class = false;
    if (!g->replication) return ERR_OK;
    err_t e = option_pairs_of(g->replication, &x->options, r->d);
    if (e) return e;
    *has_class = option_pair(&x->options, "class") != NULL;
    if (x->options.count && !*has_class) return config(r, "Missing replication strategy class");
    return ERR_OK;
}

static err_t replication_take(struct schema_run *r, const struct store_keyspace *before,
                              struct replication *x, struct store_keyspace *k)
{
    err_t e = class_take(r, *option_pair(&x->options, "class"), x);
    if (e) return e;
    option_pair_remove(&x->options, "class");
    options_complete(r, before, x);
    e = options_check(r, x);
    return e ? e : replication_put(r, x, k);
}

static const struct store_keyspace *keyspace_now(struct schema_run *r)
{
    struct schema_list l;
    if (schema_list(r->cql, LIST_STORE | LIST_REPLICATED, r->keyspace, r->a, &l)) return NULL;
    return l.keyspace_count ? l.keyspaces[0] : NULL;
}

err_t schema_create_keyspace(struct schema_run *r)
{
    struct given g;
    struct replication *x = arena_take(r->a, sizeof(*x));
    struct store_keyspace k = {.name = r->keyspace, .durable_writes = true};
    bool has_class;
    if (!x) return diag_fail(r->d, ERR_NO_MEMORY, "no memory for the replication");
    err_t e = properties_take(r, &g);
    if (!e) e = map_take(r, &g, x, &has_class);
    if (e) return e;
    if (!g.replication)
        return diag_fail(r->d, ERR_INVALID, "Missing mandatory option 'replication'");
    if (keyspace_now(r)) {
        if (r->t->if_not_exists) return ERR_OK;
        r->call->error_keyspace = r->keyspace;
        r->call->error_table = SLICE("");
        return diag_fail(r->d, ERR_EXISTS, "Cannot add existing keyspace \"%.*s\"",
                         SLICE_ARG(r->keyspace));
    }
    if (!has_class) return config(r, "Missing replication strategy class");
    if (g.durable) e = property_bool(g.durable, &k.durable_writes, r->d);
    if (!e) e = replication_take(r, NULL, x, &k);
    if (e) return e;
    warn_of_factor(r, x);
    e = store_keyspace_put(r->store, &k, false, r->d);
    if (!e) schema_changed(r, "CREATED", "KEYSPACE", (struct slice){0});
    return e;
}

static int64_t replicas_of(const struct store_keyspace *k)
{
    int64_t sum = 0, n;
    for (uint32_t i = 0; i < k->replication_count; i++)
        if (!slice_is(k->replication[i].name, "class") && slice_to_i64(k->replication[i].value, &n))
            sum += n;
    return sum;
}

static bool same_keyspace(const struct store_keyspace *a, const struct store_keyspace *b)
{
    bool same =
        a->durable_writes == b->durable_writes && a->replication_count == b->replication_count;
    for (uint32_t i = 0; i < a->replication_count && same; i++)
        same = slice_equal(a->replication[i].name, b->replication[i].name) &&
               slice_equal(a->replication[i].value, b->replication[i].value);
    return same;
}

err_t schema_alter_keyspace(struct schema_run *r)
{
    struct given g;
    struct replication *x = arena_take(r->a, sizeof(*x));
    bool has_class;
    if (!x) return diag_fail(r->d, ERR_NO_MEMORY, "no memory for the replication");
    err_t e = properties_take(r, &g);
    if (!e) e = map_take(r, &g, x, &has_class);
    if (e) return e;
    const struct store_keyspace *before = keyspace_now(r);
    if (!before) return r->t->if_exists ? ERR_OK : schema_need_keyspace(r);
    struct store_keyspace k = *before;
    if (g.durable) e = property_bool(g.durable, &k.durable_writes, r->d);
    if (!e && has_class) e = replication_take(r, before, x, &k);
    if (e) return e;
    x->replicas = replicas_of(&k);
    x->topology =
        k.replication_count && slice_is(k.replication[0].value, LOCATOR "NetworkTopologyStrategy");
    warn_of_factor(r, x);
    if (same_keyspace(before, &k)) return ERR_OK;
    if (replicas_of(before) < x->replicas)
        call_warn(r->call, "When increasing replication factor you need to run a full (-full) "
                           "repair to distribute the data.");
    e = store_keyspace_put(r->store, &k, store_keyspace_exists(r->store, k.name), r->d);
    if (!e) schema_changed(r, "UPDATED", "KEYSPACE", (struct slice){0});
    return e;
}

err_t schema_drop_keyspace(struct schema_run *r)
{
    if (!store_keyspace_exists(r->store, r->keyspace))
        return r->t->if_exists ? ERR_OK : schema_need_keyspace(r);
    err_t e = store_keyspace_drop(r->store, r->keyspace, r->d);
    if (!e) schema_changed(r, "DROPPED", "KEYSPACE", (struct slice){0});
    return e;
}
