/* The application's files. */
#include "door/console/console_int.h"

void assets_answer(const struct console_entry *at, struct http_request *r)
{
    (void)at;
    console_headers(r, true);
    http_reply_text(r, 200,
                    "Sluice's console: this program was built without its pages "
                    "(-Dconsole=disabled). Its API is at " CONSOLE_BASE ".\n");
}
