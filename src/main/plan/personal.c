/* Personal data that reach tables as they are, known by name and by what sampled texts look like.
 */
#include "main/plan/planning.h"

struct personal_kind {
    const char *what;
    bool secret;
    const char *words;
};
#define PERSONAL(what, secret, words) {what, secret, words},
static const struct personal_kind kinds[] = {
#include "main/plan/personal.def"
};
#undef PERSONAL

/* Is `name` one of the words, or does `path` end in one that has points? */
static bool is_word(const char *words, struct slice path, struct slice name)
{
    for (const char *at = words; *at;) {
        size_t len = strcspn(at, " ");
        struct slice word = slice_make(at, len);
        bool whole = memchr(at, '.', len) != NULL;
        struct slice against = whole ? path : name;
        uint32_t from = against.len >= len ? against.len - (uint32_t)len : 0;
        struct slice tail = whole ? slice_make(against.at + from, against.len - from) : against;
        bool starts = !whole || from == 0 || against.at[from - 1] == '.';
        if (starts && slice_equal_nocase(tail, word)) return true;
        at += len + (at[len] == ' ');
    }
    return false;
}

static const struct personal_kind *kind_named(const char *path)
{
    struct slice whole = slice_of(path), name = whole;
    for (uint32_t i = whole.len; i-- > 0;) {
        if (whole.at[i] != '.') continue;
        name = slice_make(whole.at + i + 1, whole.len - i - 1);
        break;
    }
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (is_word(kinds[i].words, whole, name)) return &kinds[i];
    /* location.street.name, dob.date: the folder says it */
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        for (uint32_t at = 0; at < whole.len;) {
            uint32_t end = at;
            while (end < whole.len && whole.at[end] != '.') end++;
            struct slice step = slice_make(whole.at + at, end - at);
            if (end < whole.len && !kinds[i].secret && is_word(kinds[i].words, step, step))
                return &kinds[i];
            at = end + 1;
        }
    }
    return NULL;
}

static const char *kind_looked(const struct shape_field *f)
{
    uint64_t texts = f ? f->kinds[SHAPE_TEXT] : 0;
    if (!texts) return NULL;
    if (f->emails * 2 > texts) return "an e-mail address";
    if (f->cards * 2 > texts) return "a card's number";
    return f->phones * 2 > texts ? "a phone number" : NULL;
}

struct telling {
    struct planning *p;
    const struct project_stream *stream;
    struct buf list;
    struct slice first; /* where the first column stands */
    uint32_t count;
    bool named_email;
};

static void tell_secret(struct telling *t, const char *what, const char *path, struct slice column,
                        struct slice place)
{
    struct finding *f = finding_add(t->p, FINDING_secret_in_clear, t->stream->statement, place);
    finding_say(t->p, f, "%s holds %s, and reaches column %.*s of %.*s as it is", path, what,
                SLICE_ARG(column), SLICE_ARG(t->stream->plan.into->name));
    finding_fix(t->p, f, "leave the column out; or keep what can be compared only: sha256(%s)",
                path);
}

static void judge_column(struct telling *t, uint32_t column)
{
    const struct plan_node *root = t->stream->plan.root;
    struct origins from;
    origins_of(root, column, &from);
    for (uint32_t i = 0; i < from.count; i++) {
        const struct origin *o = &from.items[i];
        char path[SHAPE_PATH_MAX];
        if (o->hidden || o->input->kind != INPUT_PATH ||
            !shape_path(o->input->path.steps, o->input->path.step_count, path))
            continue;
        const struct sample *s = planning_sample_of(t->p, o->topic->topic.relation->name);
        const struct personal_kind *kind = kind_named(path);
        const char *looked = s ? kind_looked(shape_find(&s->shape, path)) : NULL;
        struct slice name = root->columns[column].name;
        if (kind && kind->secret) {
            tell_secret(t, kind->what, path, name, from.text);
        } else if (kind || looked) {
            if (!t->count++) t->first = from.text;
            buf_printf(&t->list, "%s%.*s (%s%s)", t->count > 1 ? ", " : "", SLICE_ARG(name),
                       kind ? kind->what : "looks like ", kind ? "" : looked);
            return;
        }
    }
}

void judge_personal(struct planning *p, const struct project_stream *s)
{
    struct telling t = {.p = p, .stream = s, .list = buf_make(KIB(8))};
    if (s->plan.sink != SINK_TABLE) return;
    for (uint32_t i = 0; i < s->plan.root->column_count; i++) judge_column(&t, i);
    if (t.count) {
        struct finding *f = finding_add(p, FINDING_personal_in_clear, s->statement, t.first);
        finding_say(p, f, "%u columns of %.*s hold personal data as they are: %s", t.count,
                    SLICE_ARG(s->plan.into->name), buf_cstr(&t.list));
        finding_fix(p, f,
                    "if nobody needs them, leave them out; mask(), mask_email() or sha256() keep "
                    "what may be read");
    }
    buf_done(&t.list);
}
