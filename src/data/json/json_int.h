/* data/json/json_int: what the files of json.h share. Private to the room.
 *
 * Reading has three stages. The index: simdjson's first stage finds the place of every bracket,
 * colon, comma and of every scalar's first byte, and checks UTF-8. The walk goes over these places,
 * checks the whole grammar, and notes where the wanted values stand. Only then values are
 * converted: so a bad document never leaves a trace in the columns, and of duplicate keys the last
 * one counts.
 */
#pragma once
#include "data/json.h"

/* --- json_index.cc ------------------------------------------------------------------------------
 */
enum json_index_answer {
    JSON_INDEX_OK,
    JSON_INDEX_EMPTY,
    JSON_INDEX_CONTROL, /* a control character inside a string */
    JSON_INDEX_UTF8,
    JSON_INDEX_OPEN_STRING,
    JSON_INDEX_MEMORY,
};
struct json_indexer;
struct json_indexer *json_indexer_new(void);
void json_indexer_free(struct json_indexer *x);
/* *at: `*count` places in growing order, and one more that is `len`; until the next call. */
enum json_index_answer json_indexer_run(struct json_indexer *x, const uint8_t *doc, uint32_t len,
                                        const uint32_t **at, uint32_t *count);
void json_indexer_shrink(struct json_indexer *x); /* gives back what a large document took */

/* --- json_walk.c --------------------------------------------------------------------------------
 */

struct json_node { /* of the trie of wanted paths; children follow their parent, preorder */
    struct slice name;
    uint64_t head, head_mask;         /* the name's first eight bytes, as they stand in memory */
    int64_t index;                    /* when name.at is NULL */
    uint32_t size;                    /* nodes of this subtree, itself included */
    uint32_t first, next;             /* child and sibling; 0: none */
    uint64_t name_lengths;            /* bit len & 63 of every child's name: most keys end here */
    bool by_name, by_index, from_end; /* kinds of children there are */
};

struct json_spot { /* where a node's value stands, as numbers of places */
    uint32_t at;   /* of its first place, plus one; 0: absent */
    uint32_t end;  /* of the place after its last */
};

struct json_walk {
    const uint8_t *doc;
    uint32_t len;
    const uint32_t *at;
    uint32_t count;
    bool escapes; /* is there a backslash anywhere? */
    uint32_t depth;
    const struct json_node *nodes;
    struct json_spot *spots; /* one a node */
    const char *wrong;       /* what is not JSON, and at which byte */
    uint32_t wrong_at;
    err_t err;
};

/* Indexes a document; on failure w->err, wrong and wrong_at tell. */
MUST_CHECK err_t json_walk_begin(struct json_walk *w, struct json_indexer *x, struct slice doc);
/* Over the whole document: nodes == NULL only validates. */
MUST_CHECK err_t json_walk_all(struct json_walk *w);
uint32_t json_skip(struct json_walk *w,
                   uint32_t i); /* one value: the place after it, 0 when wrong */

static inline bool json_is_space(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}
static inline uint8_t json_at(const struct json_walk *w, uint32_t i)
{
    return i < w->count ? w->doc[w->at[i]] : 0;
}
/* The text of the scalar whose place is the i-th, without white space after it. */
static inline struct slice json_scalar(const struct json_walk *w, uint32_t i)
{
    uint32_t from = w->at[i], to = w->at[i + 1];
    while (to > from + 1 && json_is_space(w->doc[to - 1])) to--;
    return (struct slice){w->doc + from, to - from};
}
static inline struct slice json_spot_text(const struct json_walk *w, struct json_spot s)
{
    uint32_t first = s.at - 1;
    if (s.end - first == 1) return json_scalar(w, first);
    return (struct slice){w->doc + w->at[first], w->at[s.end - 1] + 1 - w->at[first]};
}
bool json_key_is(const struct json_walk *w, struct slice quoted, struct slice name);
err_t json_walk_diag(const struct json_walk *w, struct diag *d);

/* Undoes escapes: `inner` is what stands between the quotes and was checked. The length, or
 * SIZE_MAX when a surrogate has no partner or `cap` does not hold it with four bytes to spare. */
size_t json_unescape(struct slice inner, uint8_t *out, size_t cap);

struct json_decoder {
    struct json_indexer *indexer;
    struct json_walk walk;
    struct json_spot *spots;
    uint32_t spot_cap;
    uint32_t biggest; /* document since the last shrink */
};
void json_decoder_settle(struct json_decoder *j); /* gives back what a large document took */
/* Leaves the walk's index in place for another walk over it. */
MUST_CHECK err_t json_check_whole(struct json_decoder *j, struct slice text, struct diag *d);
