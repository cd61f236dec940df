#include "data/json/json_int.h"

#include "data/utf8.h"
#include "data/value/value_int.h"

/* --- telling what is wrong ---------------------------------------------------------------------
 */

static uint32_t wrong(struct json_walk *w, err_t e, uint32_t at, const char *what)
{
    w->err = e;
    w->wrong = what;
    w->wrong_at = at;
    return 0;
}

static uint32_t wrong_here(struct json_walk *w, uint32_t i, const char *what)
{
    if (i >= w->count) return wrong(w, ERR_BAD_JSON, w->len, "it ends too early");
    return wrong(w, ERR_BAD_JSON, w->at[i], what);
}

err_t json_walk_diag(const struct json_walk *w, struct diag *d)
{
    uint32_t line = 1, column = 1;
    for (uint32_t i = 0; i < w->wrong_at && i < w->len; i++) {
        column = w->doc[i] == '\n' ? 1 : column + 1;
        line += w->doc[i] == '\n';
    }
    (void)diag_fail(d, w->err, "%s: %s", err_text(w->err), w->wrong);
    (void)diag_where(d, "byte %u (line %u, column %u)", w->wrong_at, line, column);
    return w->err;
}

/* The first control character that stands inside a string. */
static uint32_t find_control(struct slice doc)
{
    bool inside = false;
    for (uint32_t i = 0; i < doc.len; i++) {
        if (inside && doc.at[i] < ' ') return i;
        if (inside && doc.at[i] == '\\')
            i++;
        else if (doc.at[i] == '"')
            inside = !inside;
    }
    return doc.len;
}

err_t json_walk_begin(struct json_walk *w, struct json_indexer *x, struct slice doc)
{
    if (doc.len >= 3 && doc.len <= JSON_SIZE_MAX && memcmp(doc.at, "\xef\xbb\xbf", 3) == 0)
        doc = (struct slice){doc.at + 3, doc.len - 3}; /* RFC 8259 lets a reader pass over it */
    w->doc = doc.at;
    w->len = doc.len;
    w->count = w->depth = 0;
    w->err = ERR_OK;
    if (doc.len > JSON_SIZE_MAX) {
        (void)wrong(w, ERR_TOO_BIG, 0, "a JSON document may have 64 MiB");
        return w->err;
    }
    uint32_t at = 0;
    switch (json_indexer_run(x, doc.at, doc.len, &w->at, &w->count)) {
    case JSON_INDEX_OK: w->escapes = memchr(doc.at, '\\', doc.len) != NULL; return ERR_OK;
    case JSON_INDEX_EMPTY: (void)wrong(w, ERR_BAD_JSON, 0, "it is empty"); break;
    case JSON_INDEX_CONTROL:
        (void)wrong(w, ERR_BAD_JSON, find_control(doc), "a control character inside a string");
        break;
    case JSON_INDEX_UTF8:
        (void)!utf8_valid(doc, &at);
        (void)wrong(w, ERR_BAD_UTF8, at, "a byte that UTF-8 does not have here");
        break;
    case JSON_INDEX_OPEN_STRING:
        (void)wrong(w, ERR_BAD_JSON, doc.len, "it ends inside a string");
        break;
    case JSON_INDEX_MEMORY: (void)wrong(w, ERR_NO_MEMORY, 0, "no memory for its index"); break;
    }
    return w->err;
}

/* --- scalars ------------------------------------------------------------------------------------
 */

static const uint8_t *digits(const uint8_t *p, const uint8_t *end)
{
    while (p < end && (uint8_t)(*p - '0') < 10) p++;
    return p;
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? and nothing after it */
static bool is_number(struct slice s)
{
    const uint8_t *p = s.at, *end = s.at + s.len, *from;
    if (*p == '-') p++;
    from = p;
    p = digits(p, end);
    if (p == from || (*from == '0' && p - from > 1)) return false;
    if (p < end && *p == '.') {
        from = ++p;
        p = digits(p, end);
        if (p == from) return false;
    }
    if (p < end && (*p | 0x20) == 'e') {
        p++;
        if (p < end && (*p == '+' || *p == '-')) p++;
        from = p;
        p = digits(p, end);
        if (p == from) return false;
    }
    return p == end;
}

static int hex_digit(uint8_t c)
{
    if (is_digit(c)) return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits after \u; -1 when they are not. */
static int hex4(const uint8_t *p, const uint8_t *end)
{
    int v = 0;
    if (end - p < 4) return -1;
    for (int i = 0; i < 4; i++) {
        int d = hex_digit(p[i]);
        if (d < 0) return -1;
        v = v << 4 | d;
    }
    return v;
}

static bool escapes_fit(struct slice s)
{
    const uint8_t *p = s.at, *end = s.at + s.len;
    while ((p = memchr(p, '\\', (size_t)(end - p)))) {
        if (end - p < 2) return false;
        if (p[1] == 'u' ? hex4(p + 2, end) < 0 : !strchr("\"\\/bfnrt", p[1]) || !p[1]) return false;
        p += 2;
    }
    return true;
}

/* --- values --------------------------------------------------------------------------------------
 * * Each of these takes the place of something and answers the place after it, 0 when it is wrong.
 */

static uint32_t take_string(struct json_walk *w, uint32_t i)
{
    struct slice s = json_scalar(w, i);
    if (s.len < 2 || s.at[s.len - 1] != '"') return wrong_here(w, i, "a string that goes wrong");
    if (w->escapes && !escapes_fit(s)) return wrong_here(w, i, "an escape that JSON does not have");
    return i + 1;
}

static uint32_t take_scalar(struct json_walk *w, uint32_t i)
{
    if (i >= w->count) return wrong_here(w, i, "");
    struct slice s = json_scalar(w, i);
    bool ok;
    switch (s.at[0]) {
    case '"': return take_string(w, i);
    case 't': ok = s.len == 4 && memcmp(s.at, "true", 4) == 0; break;
    case 'f': ok = s.len == 5 && memcmp(s.at, "false", 5) == 0; break;
    case 'n': ok = s.len == 4 && memcmp(s.at, "null", 4) == 0; break;
    default: ok = is_number(s);
    }
    return ok ? i + 1 : wrong_here(w, i, "no JSON value");
}

/* A string with nothing special about it, which nearly all are: it ends right before the next
 * place, and there are no escapes to look at. */
static inline bool is_plain_string(const struct json_walk *w, uint32_t i)
{
    uint32_t from = w->at[i], to = w->at[i + 1];
    return w->doc[from] == '"' && w->doc[to - 1] == '"' && to - from >= 2 && !w->escapes;
}

/* A key and its colon. */
static inline uint32_t take_key(struct json_walk *w, uint32_t i)
{
    if (i >= w->count || w->doc[w->at[i]] != '"')
        return wrong_here(w, i, "a key in quotes was expected");
    if (!is_plain_string(w, i) && !take_string(w, i)) return 0;
    if (json_at(w, i + 1) != ':') return wrong_here(w, i + 1, "':' was expected");
    return i + 2;
}

static uint32_t take_object(struct json_walk *w, uint32_t i, const struct json_node *n);
static uint32_t take_array(struct json_walk *w, uint32_t i, const struct json_node *n);

/* `n`: which of the values inside are wanted; NULL: none. */
static inline uint32_t take_value(struct json_walk *w, uint32_t i, const struct json_node *n)
{
    uint8_t c = json_at(w, i);
    if (c == '"' && is_plain_string(w, i)) return i + 1;
    if (c == '{') return take_object(w, i, n && n->by_name ? n : NULL);
    if (c == '[') return take_array(w, i, n && n->by_index ? n : NULL);
    return take_scalar(w, i);
}

/* A wanted value, or one with wanted values inside: notes where it stands. */
static uint32_t take_wanted(struct json_walk *w, uint32_t i, const struct json_node *n)
{
    struct json_spot *spot = &w->spots[n - w->nodes];
    if (spot->at) memset(spot, 0, n->size * sizeof(*spot)); /* a duplicate: forget the first */
    uint32_t end = take_value(w, i, n);
    *spot = (struct json_spot){i + 1, end};
    return end;
}

static inline bool open_level(struct json_walk *w, uint32_t i)
{
    if (w->depth++ < JSON_DEPTH_MAX) return true;
    (void)wrong(w, ERR_TOO_DEEP, w->at[i], "more than 128 levels");
    return false;
}

bool json_key_is(const struct json_walk *w, struct slice quoted, struct slice name)
{
    struct slice inner = {quoted.at + 1, quoted.len - 2};
    if (!w->escapes || !memchr(inner.at, '\\', inner.len)) return slice_equal(inner, name);
    uint8_t plain[JSON_NAME_MAX + 4];
    size_t len = json_unescape(inner, plain, sizeof(plain));
    return len != SIZE_MAX && slice_equal(slice_make(plain, len), name);
}

/* Eight bytes from here on; behind the document's end none. */
static inline uint64_t head_at(const struct json_walk *w, const uint8_t *at)
{
    uint64_t head = 0;
    size_t left = (size_t)(w->doc + w->len - at);
    if (left >= sizeof(head))
        memcpy(&head, at, sizeof(head));
    else
        memcpy(&head, at, left);
    return head;
}

/* The usual key has no escapes: told apart by its length and first eight bytes nearly always. */
static inline const struct json_node *child_plain(const struct json_walk *w,
                                                  const struct json_node *n, struct slice name)
{
    if (!(n->name_lengths >> (name.len & 63) & 1)) return NULL;
    uint64_t head = head_at(w, name.at);
    for (uint32_t c = n->first; c; c = w->nodes[c].next) {
        const struct json_node *child = &w->nodes[c];
        if ((head & child->head_mask) != child->head || child->name.len != name.len) continue;
        if (!child->name.at) continue;
        if (name.len <= sizeof(head) || memcmp(child->name.at, name.at, name.len) == 0)
            return child;
    }
    return NULL;
}

static const struct json_node *child_named(const struct json_walk *w, const struct json_node *n,
                                           uint32_t i)
{
    struct slice key = json_scalar(w, i);
    if (!w->escapes) return child_plain(w, n, (struct slice){key.at + 1, key.len - 2});
    for (uint32_t c = n->first; c; c = w->nodes[c].next)
        if (w->nodes[c].name.at && json_key_is(w, key, w->nodes[c].name)) return &w->nodes[c];
    return NULL;
}

/* A field as nearly all are: no escapes in the document, no white space before ':' and behind the
 * value, which is a string or a number. The place behind it; 0: the general way is to look. */
static inline uint32_t take_usual_field(struct json_walk *w, uint32_t i, const struct json_node *n)
{
    if (w->escapes || w->count - i < 4) return 0;
    const uint8_t *doc = w->doc;
    uint32_t key = w->at[i], colon = w->at[i + 1], value = w->at[i + 2], end = w->at[i + 3];
    if (doc[key] != '"' || doc[colon] != ':' || doc[colon - 1] != '"' || colon - key < 2) return 0;
    bool fits = doc[value] == '"' ? doc[end - 1] == '"' && end - value >= 2
                                  : is_number((struct slice){doc + value, end - value});
    if (!fits) return 0;
    struct slice name = {doc + key + 1, colon - key - 2};
    const struct json_node *child = n ? child_plain(w, n, name) : NULL;
    if (child) {
        struct json_spot *spot = &w->spots[child - w->nodes];
        if (spot->at) memset(spot, 0, child->size * sizeof(*spot)); /* as in take_wanted */
        *spot = (struct json_spot){i + 3, i + 3};
    }
    return i + 3;
}

static uint32_t take_object(struct json_walk *w, uint32_t i, const struct json_node *n)
{
    if (!open_level(w, i)) return 0;
    if (json_at(w, ++i) == '}') {
        w->depth--;
        return i + 1;
    }
    for (;; i++) {
        uint32_t key = i;
        i = take_usual_field(w, key, n);
        if (!i) {
            i = take_key(w, key);
            if (!i) return 0;
            const struct json_node *child = n ? child_named(w, n, key) : NULL;
            i = child ? take_wanted(w, i, child) : take_value(w, i, NULL);
        }
        if (!i) return 0;
        uint8_t c = json_at(w, i);
        if (c == ',') continue;
        if (c != '}') return wrong_here(w, i, "',' or '}' was expected");
        w->depth--;
        return i + 1;
    }
}

static const struct json_node *child_at(const struct json_walk *w, const struct json_node *n,
                                        int64_t index)
{
    for (uint32_t c = n->first; c; c = w->nodes[c].next)
        if (!w->nodes[c].name.at && w->nodes[c].index == index) return &w->nodes[c];
    return NULL;
}

/* How many elements the array at `i` has, when somebody counts from its end; -1: it is wrong. */
static int64_t count_elements(struct json_walk *w, uint32_t i)
{
    int64_t count = 0;
    if (json_at(w, ++i) == ']') return 0;
    for (;; i++) {
        i = take_value(w, i, NULL);
        if (!i) return -1;
        count++;
        if (json_at(w, i) == ',') continue;
        if (json_at(w, i) == ']') return count;
        (void)wrong_here(w, i, "',' or ']' was expected");
        return -1;
    }
}

/* One element that may be asked for from the front, from the end, or both. */
static uint32_t take_element(struct json_walk *w, uint32_t i, const struct json_node *n,
                             int64_t index, int64_t count)
{
    const struct json_node *front = child_at(w, n, index);
    const struct json_node *back = n->from_end ? child_at(w, n, index - count) : NULL;
    if (front && back && !take_wanted(w, i, front)) return 0;
    if (back) return take_wanted(w, i, back);
    return front ? take_wanted(w, i, front) : take_value(w, i, NULL);
}

static uint32_t take_array(struct json_walk *w, uint32_t i, const struct json_node *n)
{
    if (!open_level(w, i)) return 0;
    int64_t count = n && n->from_end ? count_elements(w, i) : 0;
    if (count < 0) return 0;
    if (json_at(w, ++i) == ']') {
        w->depth--;
        return i + 1;
    }
    for (int64_t index = 0;; index++, i++) {
        i = n ? take_element(w, i, n, index, count) : take_value(w, i, NULL);
        if (!i) return 0;
        uint8_t c = json_at(w, i);
        if (c == ',') continue;
        if (c != ']') return wrong_here(w, i, "',' or ']' was expected");
        w->depth--;
        return i + 1;
    }
}

uint32_t json_skip(struct json_walk *w, uint32_t i)
{
    return take_value(w, i, NULL);
}

err_t json_walk_all(struct json_walk *w)
{
    uint32_t end = w->nodes ? take_wanted(w, 0, w->nodes) : take_value(w, 0, NULL);
    if (end && end < w->count) (void)wrong_here(w, end, "something after the document's end");
    return w->err;
}

/* --- escapes -------------------------------------------------------------------------------------
 */

/* The character of a \u at p, its partner included; 0xffffffff when a surrogate stands alone. */
static uint32_t take_u(const uint8_t **p, const uint8_t *end)
{
    int high = hex4(*p + 2, end);
    *p += 6;
    if (high < 0xd800 || high > 0xdfff) return (uint32_t)high;
    if (high > 0xdbff || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u') return UINT32_MAX;
    int low = hex4(*p + 2, end);
    if (low < 0xdc00 || low > 0xdfff) return UINT32_MAX;
    *p += 6;
    return 0x10000u + ((uint32_t)(high - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
}

size_t json_unescape(struct slice inner, uint8_t *out, size_t cap)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const uint8_t *p = inner.at, *end = inner.at + inner.len;
    size_t len = 0;
    while (p < end) {
        const uint8_t *stop = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((stop ? stop : end) - p);
        if (plain > cap - len || (stop && cap - len - plain < 4)) return SIZE_MAX;
        memcpy(out + len, p, plain);
        len += plain;
        p += plain;
        if (!stop) break;
        if (p[1] == 'u') {
            uint32_t c = take_u(&p, end);
            if (c == UINT32_MAX) return SIZE_MAX;
            len += utf8_put(out + len, c);
        } else {
            const char *known = strchr(from, p[1]);
            out[len++] = known ? (uint8_t)to[known - from] : p[1];
            p += 2;
        }
    }
    return len;
}
