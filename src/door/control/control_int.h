/* door/control, inside. */
#pragma once
#include "door/control/control.h"
#include "os/thread.h"
#include <stdatomic.h>

enum { CONTROL_ANSWER_MAX = 64 << 20 };

struct query;
struct control {
    struct control_options o;
    char data[4096]; /* the data directory: where the socket lies; o.socket_path is the caller's */
    struct loop *loop;
    struct http_server *http;
    struct query *queries; /* the loop's */
    uint32_t query_count;
    atomic_bool closing;
};

void control_reply_diag(struct http_request *r, const struct diag *d);
void control_reply_buf(struct http_request *r, int status, struct buf *text); /* takes `text` */
bool control_wants_json(struct http_request *r);

void control_streams(struct control *c, struct http_request *r);
void control_act(struct control *c, struct http_request *r);
void control_query(struct control *c, struct http_request *r);
void control_upkeep(struct control *c, struct http_request *r);
void control_users(struct control *c, struct http_request *r);
void control_queries_stop(struct control *c);
void control_logs(struct control *c, struct http_request *r);
