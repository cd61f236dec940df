/* The tables of routes and channels, made from their .def files. */
#include "door/console/console_int.h"

const struct console_route console_routes[] = {
#define ROUTE(method, path, role, pace, handler, params, body, answer, about)                      \
    {method,   path,   ROLE_##role, PACE_##pace, console_##handler,                                \
     #handler, params, body,        answer,      about},
#include "door/console/routes.def"
#undef ROUTE
};
const uint32_t console_route_count = COUNT_OF(console_routes);

enum { CHANNEL_PLAIN, CHANNEL_ARG };
const struct console_channel console_channels[] = {
#define CHANNEL(name, arg, role, kind, looker, answer, about)                                      \
    {#name, CHANNEL_##arg == CHANNEL_ARG, ROLE_##role, CHANNEL_##kind, live_##looker, answer,      \
     about},
#include "door/console/channels.def"
#undef CHANNEL
};
const uint32_t console_channel_count = COUNT_OF(console_channels);

err_t console_openapi(struct ask *a)
{
    schema_put_openapi(&a->out, a->console->o.version);
    return ERR_OK;
}
