/* A template's text into a tree: tags, and what stands between them. */
#include "sched/template_parse.h"

static err_t sequence(struct parser *p, struct tnode **out, struct slice *ended_by);

static err_t tag_end(struct parser *p, const char *sign)
{
    parse_space(p);
    bool trim = parse_byte(p, p->at) == '-';
    p->at += trim;
    if (p->text.len - p->at < 2 || memcmp(p->text.at + p->at, sign, 2) != 0)
        return parse_wrong(p, "'%s' was expected", sign);
    p->at += 2;
    if (trim) parse_space(p);
    return ERR_OK;
}

static err_t one_of(struct parser *p, struct slice word, const char *a, const char *b,
                    const char *c)
{
    if (slice_is(word, a) || (b && slice_is(word, b)) || (c && slice_is(word, c))) return ERR_OK;
    if (!word.len) return parse_wrong(p, "'%s' is missing at the end", a);
    return parse_wrong(p, "'%s' was expected here", a);
}

static err_t read_if(struct parser *p, struct tnode *n)
{
    struct slice word = {0};
    n->kind = TN_IF;
    err_t e = parse_expression(p, &n->a);
    if (!e) e = tag_end(p, "%}");
    if (!e) e = sequence(p, &n->b, &word);
    if (!e) e = one_of(p, word, "endif", "else", "elif");
    if (e) return e;
    if (slice_is(word, "elif")) {
        e = parse_node(p, TN_IF, &n->c);
        if (!e && ++p->depth > TEMPLATE_DEPTH_MAX) return parse_wrong(p, "too many 'elif'");
        if (!e) e = read_if(p, n->c);
        p->depth--;
        return e;
    }
    e = tag_end(p, "%}");
    if (e || slice_is(word, "endif")) return e;
    e = sequence(p, &n->c, &word);
    if (!e) e = one_of(p, word, "endif", NULL, NULL);
    return e ? e : tag_end(p, "%}");
}

static err_t read_for(struct parser *p, struct tnode *n)
{
    struct slice word = {0};
    n->kind = TN_FOR;
    err_t e = template_name(p, &n->text);
    if (!e && parse_sign(p, ",")) e = template_name(p, &n->more);
    if (!e && !parse_word(p, "in")) e = parse_wrong(p, "'in' was expected");
    if (!e) e = parse_joined(p, true, &n->a);
    if (!e && parse_word(p, "if")) e = parse_expression(p, &n->d);
    if (!e) e = tag_end(p, "%}");
    if (!e) e = sequence(p, &n->b, &word);
    if (!e) e = one_of(p, word, "endfor", "else", NULL);
    if (!e) e = tag_end(p, "%}");
    if (e || slice_is(word, "endfor")) return e;
    e = sequence(p, &n->c, &word);
    if (!e) e = one_of(p, word, "endfor", NULL, NULL);
    return e ? e : tag_end(p, "%}");
}

static err_t read_set(struct parser *p, struct tnode *n)
{
    n->kind = TN_SET;
    err_t e = template_name(p, &n->text);
    if (!e && !parse_sign(p, "=")) e = parse_wrong(p, "'=' was expected");
    if (!e) e = parse_expression(p, &n->a);
    return e ? e : tag_end(p, "%}");
}

/* "{% raw %} … {% endraw %}": as it stands. */
static err_t read_raw(struct parser *p, struct tnode *n)
{
    err_t e = tag_end(p, "%}");
    if (e) return e;
    n->kind = TN_TEXT;
    uint32_t start = p->at;
    for (; p->at + 2 <= p->text.len; p->at++) {
        uint32_t end = p->at;
        if (p->text.at[p->at] != '{' || p->text.at[p->at + 1] != '%') continue;
        p->at += 2;
        (void)parse_sign(p, "-");
        if (parse_word(p, "endraw")) {
            n->text = slice_make(p->text.at + start, end - start);
            return tag_end(p, "%}");
        }
        p->at = end;
    }
    return parse_wrong(p, "'endraw' is missing at the end");
}

static err_t read_tag(struct parser *p, struct tnode **out, struct slice *ended_by)
{
    static const char *const ends[] = {"endif", "else", "elif", "endfor", "endraw"};
    struct slice word;
    err_t e = template_name(p, &word);
    if (e) return e;
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        if (!slice_is(word, ends[i])) continue;
        if (!ended_by) return parse_wrong(p, "this tag closes what was never opened");
        *ended_by = word;
        return ERR_OK;
    }
    e = parse_node(p, TN_IF, out);
    if (e) return e;
    if (slice_is(word, "if")) return read_if(p, *out);
    if (slice_is(word, "for")) return read_for(p, *out);
    if (slice_is(word, "set")) return read_set(p, *out);
    if (slice_is(word, "raw")) return read_raw(p, *out);
    (void)diag_fail(p->d, ERR_UNSUPPORTED, "template: there is no tag '%.*s'", SLICE_ARG(word));
    (void)diag_hint(p->d, "if, for, set and raw are there");
    return template_wrong(p->d, p->text, p->at, ERR_UNSUPPORTED);
}

/* Plain text up to the next tag; a '-' at the tag's start takes the white space before it. */
static struct slice plain(struct parser *p)
{
    uint32_t start = p->at, end;
    while (p->at < p->text.len && !(parse_byte(p, p->at) == '{' && parse_byte(p, p->at + 1) &&
                                    strchr("{%#", parse_byte(p, p->at + 1))))
        p->at++;
    end = p->at;
    if (parse_byte(p, p->at + 2) == '-')
        while (end > start && strchr(" \t\r\n", p->text.at[end - 1])) end--;
    return slice_make(p->text.at + start, end - start);
}

static err_t read_part(struct parser *p, struct tnode **out, struct slice *ended_by)
{
    uint8_t c = parse_byte(p, p->at + 1);
    uint32_t start = p->at;
    p->at += 2;
    p->at += parse_byte(p, p->at) == '-';
    if (c == '%') return read_tag(p, out, ended_by);
    if (c == '#') {
        while (p->at + 2 <= p->text.len && memcmp(p->text.at + p->at, "#}", 2) != 0) p->at++;
        if (p->at + 2 > p->text.len) {
            p->at = start;
            return parse_wrong(p, "a comment has no end");
        }
        bool trim = p->text.at[p->at - 1] == '-';
        p->at += 2;
        if (trim) parse_space(p);
        return ERR_OK;
    }
    err_t e = parse_node(p, TN_OUT, out);
    if (!e) e = parse_expression(p, &(*out)->a);
    return e ? e : tag_end(p, "}}");
}

static err_t sequence(struct parser *p, struct tnode **out, struct slice *ended_by)
{
    struct vec parts = vec_make(sizeof(struct tnode *), TEMPLATE_PARTS_MAX);
    err_t e = ++p->depth > TEMPLATE_DEPTH_MAX ? parse_wrong(p, "nested too deep")
                                              : parse_node(p, TN_SEQUENCE, out);
    if (ended_by) *ended_by = (struct slice){0};
    while (!e && p->at < p->text.len && !(ended_by && ended_by->len)) {
        struct tnode *part = NULL;
        struct slice text = plain(p);
        if (text.len) {
            e = parse_node(p, TN_TEXT, &part);
            if (!e) part->text = text;
            if (!e) e = vec_push(&parts, &part);
        }
        part = NULL;
        if (!e && p->at < p->text.len) e = read_part(p, &part, ended_by);
        if (!e && part) e = vec_push(&parts, &part);
    }
    p->depth--;
    if (!e) {
        (*out)->count = (uint32_t)parts.count;
        (*out)->list = arena_take(p->a, (parts.count + 1) * sizeof *(*out)->list);
        if (!(*out)->list) e = template_no_memory(p->d);
        if (!e && parts.count)
            memcpy((*out)->list, parts.items, parts.count * sizeof *(*out)->list);
    }
    vec_done(&parts);
    return e;
}

err_t template_parse(struct slice text, struct arena *a, struct tnode **out, struct diag *d)
{
    struct parser p = {.text = text, .a = a, .d = d};
    if (text.len > TEMPLATE_TEXT_MAX)
        return diag_fail(d, ERR_TOO_BIG, "a template has at most %d bytes", TEMPLATE_TEXT_MAX);
    return sequence(&p, out, NULL);
}

err_t template_check(struct slice text, struct diag *d)
{
    struct arena *a = arena_new(MIB(256));
    struct tnode *root;
    if (!a) return template_no_memory(d);
    err_t e = template_parse(text, a, &root, d);
    arena_free(a);
    return e;
}
