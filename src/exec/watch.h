/* exec/watch: live previews: WATCH [LAST n] SELECT …, or SELECT … EMIT CHANGES: a SELECT over
 * topics' tails, told again as records come, until the one who asks has had enough.
 *
 * Rows that never change are told one after the other. Groups and the like: on a screen the whole
 * table is drawn again, elsewhere the rows that changed are told; as JSON also those that are no
 * more, with "_gone". Loop: any thread, blocking. Memory: stream_watch's, and a picture of
 * RENDER_PAGE_MAX. Limit: ten tellings a second. Keeps nothing, commits nothing.
 */
#pragma once
#include "exec/render.h"

bool exec_is_watch(struct slice text);
/* The SELECT itself: without WATCH [LAST n], EMIT CHANGES and the semicolon. */
struct slice exec_watch_select(struct slice text);
struct watch_view {
    enum render_format format;
    uint32_t screen; /* lines of the terminal; 0: none */
    err_t (*put)(void *ctx, struct slice text);
    void *ctx;
};
MUST_CHECK err_t exec_watch(struct exec_session *x, struct slice text,
                            const struct query_limits *limits, const struct watch_view *view,
                            struct diag *d);
