/* os/coprocess: a command of the user's that lives beside us: lines to it, lines back.
 *
 * It runs in its own process group with a clean environment (PATH, HOME, LANG, TZ) and no
 * descriptors but its three; a command without characters of the shell's runs without a shell. It
 * is killed, group and all, and waited for when it is closed (what it has started: by the
 * supervisor). Whoever talks waits for the answer;
 * the thread that started it is the one that talks (the child dies with it).
 * Memory: a line's limit for what is read, COPROCESS_WORDS_MAX for its standard error's end.
 */
#pragma once
#include "base/bytes.h"
#include "os/child.h"

enum { COPROCESS_WORDS_MAX = 2048 };

struct coprocess_options {
    struct slice command;
    size_t line_max;
    int64_t answer_ms;           /* the longest wait for one line */
    bool (*stopping)(void *ctx); /* asked some times a second; NULL: never */
    void *ctx;
};
struct coprocess;
MUST_CHECK err_t coprocess_open(const struct coprocess_options *o, struct coprocess **out,
                                struct diag *d);
void coprocess_close(struct coprocess *c);

/* Sends `lines` (each with its newline), and takes one line back for each: `answer` gets them in
 * order, without the newline; what it answers other than ERR_OK ends the talk. ERR_PEER: it has
 * ended; ERR_TIMEOUT: no line within answer_ms; ERR_TOO_BIG: a line beyond the limit; ERR_RANGE: it
 * said more lines than it was sent; ERR_STOPPED. After any of these it can only be closed. */
MUST_CHECK err_t coprocess_talk(struct coprocess *c, struct slice lines, uint32_t count,
                                err_t (*answer)(void *ctx, struct slice line), void *ctx,
                                struct diag *d);
/* Ends it now, and says how it ended ("exit status 3", "signal 9") and its last words. */
void coprocess_end(struct coprocess *c, struct buf *how);
