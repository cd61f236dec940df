/* A stream's WITH (…). */
#include "sql/bind.h"
#include "sql/parse.h"

struct settings_bind {
    struct binder *b;
    const struct sql_option *o;
    struct stream_settings *out;
};

static void refuse(const struct settings_bind *s, const char *hint)
{
    struct slice place = slice_make(s->o->at, s->o->at ? 1 : 0);
    bind_fail(s->b, place, ERR_RANGE, "%.*s = '%.*s' is not known", SLICE_ARG(s->o->name),
              SLICE_ARG(s->o->value));
    bind_hint(s->b, "%s", hint);
}

/* Which of the words; -1: told. */
static int choice(const struct settings_bind *s, const char *const *words, int count,
                  const char *hint)
{
    for (int i = 0; i < count; i++)
        if (slice_is(s->o->value, words[i])) return i;
    refuse(s, hint);
    return -1;
}

static int64_t span(const struct settings_bind *s, const char *hint)
{
    int64_t ms;
    if (time_ms(s->o->value, &ms) && ms > 0) return ms;
    refuse(s, hint);
    return 0;
}

static void set_trigger(const struct settings_bind *s)
{
    if (slice_is(s->o->value, "at once"))
        s->out->trigger = TRIGGER_AT_ONCE;
    else if (slice_is(s->o->value, "available now"))
        s->out->trigger = TRIGGER_AVAILABLE_NOW;
    else {
        s->out->trigger = TRIGGER_EVERY;
        s->out->every_ms = span(s, "write trigger = '10s', 'available now' or 'at once'");
    }
}

static void set_mode(const struct settings_bind *s)
{
    static const char *const words[] = {"update", "append", "complete"};
    int i = choice(s, words, 3, "write output_mode = 'update', 'append' or 'complete'");
    if (i >= 0) s->out->mode = (uint8_t)i;
}

static void set_late(const struct settings_bind *s)
{
    static const char *const words[] = {"count", "dead letter"};
    int i = choice(s, words, 2, "write late = 'count' or 'dead letter'");
    if (i >= 0) s->out->late = (uint8_t)i;
}

static void set_idle(const struct settings_bind *s)
{
    if (slice_is(s->o->value, "never"))
        s->out->idle_ms = -1;
    else
        s->out->idle_ms = span(s, "write idle = '30s' or 'never'");
}

static void set_starting(const struct settings_bind *s)
{
    static const char *const words[] = {"earliest", "latest"};
    int i = choice(s, words, 2, "write starting = 'earliest' or 'latest'");
    if (i >= 0) s->out->from_latest = i == 1;
}

static void set_lineage(const struct settings_bind *s)
{
    static const char *const words[] = {"false", "true"};
    int i = choice(s, words, 2, "write lineage = true or false");
    if (i >= 0) s->out->lineage = i == 1;
}

static void set_upgrade(const struct settings_bind *s)
{
    static const char *const words[] = {"swap", "stop"};
    int i = choice(s, words, 2, "write upgrade = 'swap' or 'stop'");
    if (i >= 0) s->out->upgrade = i ? UPGRADE_STOP : UPGRADE_SWAP;
}

static void set_ttl(const struct settings_bind *s)
{
    s->b->state_ttl_ms = span(s, "write state_ttl = '7d'");
}

static void set_nothing(const struct settings_bind *s)
{
    (void)s; /* the sink's */
}

static const struct {
    const char *name;
    void (*set)(const struct settings_bind *s);
} settings[] = {{"trigger", set_trigger}, {"output_mode", set_mode}, {"state_ttl", set_ttl},
                {"late", set_late},       {"idle", set_idle},        {"starting", set_starting},
                {"lineage", set_lineage}, {"upgrade", set_upgrade},  {"key", set_nothing}};

void bind_settings(struct binder *b, const struct sql_options *options, struct stream_settings *out)
{
    *out = (struct stream_settings){.lineage = true};
    const char *names[COUNT_OF(settings)];
    for (size_t k = 0; k < COUNT_OF(settings); k++) names[k] = settings[k].name;
    for (uint32_t i = 0; i < options->count && !b->err; i++) {
        const struct sql_option *o = &options->items[i];
        size_t k = 0;
        while (k < COUNT_OF(settings) && !slice_is(o->name, settings[k].name)) k++;
        if (k < COUNT_OF(settings)) {
            settings[k].set(&(struct settings_bind){b, o, out});
            continue;
        }
        bind_fail(b, slice_make(o->at, o->at ? 1 : 0), ERR_UNKNOWN_NAME,
                  "a stream has no setting '%.*s'", SLICE_ARG(o->name));
        const char *near = nearest_word(o->name, names, COUNT_OF(settings));
        bind_hint(
            b, near ? "did you mean %s?" : "there are %s",
            near ? near
                 : "trigger, output_mode, state_ttl, late, idle, starting, lineage, upgrade, key");
    }
}
