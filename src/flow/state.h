/* flow/state: what one operator remembers between epochs: entries by (time, key), as many in memory
 * as the budget allows, all of them on the store, changed by the epoch's one atomic write.
 *
 * An entry is a struct of the operator's own; state_form says how it becomes bytes. Entries stand
 * in buckets, one a time: a window's end, a join's slice of time, 0 where time does not matter. So
 * what has become old goes as whole buckets, in order. Loop: one lane. Memory: its share of
 * state_budget; entries that are clean and were not asked for in this epoch are let go beyond it,
 * and read again when asked for; an epoch that alone needs twice the budget is refused
 * (ERR_NO_MEMORY). Store NULL: memory only (bounded queries, trials), ERR_NO_MEMORY at the budget.
 *
 * On the store: STORE_STATE, key = stream number (4, big-endian), node (2), part (1), time (8, sign
 * flipped), 1, key; the value begins with a version byte.
 */
#pragma once
#include "store/store.h"

enum { STATE_KEY_MAX = 60000 }; /* bytes; beyond it ERR_TOO_BIG */

struct state;
struct state_budget { /* shared by all states of a lane */
    size_t max, used;
};
struct state_form {
    uint32_t size; /* of an entry, zeroed when made, 16-byte aligned */
    /* What the store keeps of it, and back. */
    void (*put)(void *ctx, const void *entry, struct buf *out);
    err_t (*take)(void *ctx, void *entry, struct slice value);
    void (*done)(void *ctx, void *entry); /* gives back what it holds beside; NULL: nothing */
    size_t (*holds)(void *ctx, const void *entry); /* such bytes; NULL: none */
};
struct state_options {
    struct store *store;
    uint32_t stream;
    uint16_t node;
    uint8_t part; /* an operator may have several */
    const struct state_form *form;
    void *ctx;
    struct state_budget *budget;
};
MUST_CHECK err_t state_open(const struct state_options *o, struct state **out, struct diag *d);
void state_close(struct state *s);

/* The entry, from memory or the store; *entry NULL: there is none (and `make` was false). `made`:
 * it is new. It stays where it is until state_kept, state_forget or its removal. */
MUST_CHECK err_t state_find(struct state *s, int64_t time, struct slice key, bool make,
                            void **entry, bool *made, struct diag *d);
/* The same for many keys of one time, made where they are not there; made[i] as above. Much faster:
 * memory is asked for ahead. */
MUST_CHECK err_t state_find_many(struct state *s, int64_t time, const struct slice *keys,
                                 uint32_t count, void **entries, uint8_t *made, struct diag *d);
/* It has changed: written with this epoch, and what it holds beside is counted anew. */
void state_touch(struct state *s, void *entry);
bool state_touched(const void *entry); /* made or touched in this epoch */
void state_remove(struct state *s, void *entry);
struct slice state_key(const void *entry);
int64_t state_time(const void *entry);
/* Entries with from <= time < until in order of time, then key, those on the store among them. The
 * callback may touch or remove the entry it is given, and nothing else; one that was on the store
 * alone and is not touched is gone afterwards. */
MUST_CHECK err_t state_each(struct state *s, int64_t from, int64_t until,
                            err_t (*each)(void *ctx, void *entry, struct diag *d), void *ctx,
                            struct diag *d);
/* The same from the first time on, for who removes each entry it is given, or stops with
 * ERR_STOPPED: then the next such walk goes on where this one stopped, and need not pass what is
 * gone. */
MUST_CHECK err_t state_each_leaves(struct state *s, int64_t until,
                                   err_t (*each)(void *ctx, void *entry, struct diag *d), void *ctx,
                                   struct diag *d);
/* All entries changed in this epoch (made or touched, and not removed), in order of time, then
 * key. The callback may touch or remove the entry it is given. */
MUST_CHECK err_t state_each_touched(struct state *s,
                                    err_t (*each)(void *ctx, void *entry, struct diag *d),
                                    void *ctx, struct diag *d);
MUST_CHECK err_t state_remove_until(struct state *s, int64_t until, struct diag *d);
/* The earliest bucket's time; INT64_MAX: empty. A bucket whose entries were removed one by one may
 * still be told. */
int64_t state_first(const struct state *s);
/* The buckets' times in order, into out[max]; answers how many there are. */
size_t state_times(const struct state *s, int64_t from, int64_t until, int64_t *out, size_t max);

MUST_CHECK err_t state_write(struct state *s, struct store_write *w, struct diag *d);
void state_kept(struct state *s); /* the write is durable: all is clean, what is too much goes */
void state_forget(
    struct state *s); /* the epoch was given up: what is durable is the store's to say */
struct state_stats {
    uint64_t entries, in_memory, touched; /* entries: as far as known */
    size_t bytes;
};
struct state_stats state_stats(const struct state *s);
/* Removes what a stream's states hold: reset, and changed shapes. *more: it is not all, the write
 * is large enough. */
MUST_CHECK err_t state_drop_all(struct store *s, uint32_t stream, struct store_write *w, bool *more,
                                struct diag *d);
