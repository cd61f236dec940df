/* The table of routes: found by method and path, shown as a page. */
#include "door/airflow/airflow_int.h"

#include <ctype.h>

enum { V1 = API_V1, V2 = API_V2, V12 = API_V1 | API_V2, UI = API_UI };

const struct route routes[] = {
#define ROUTE(method, path, apis, role, right, run, v1, v2)                                        \
    {method, path, apis, ROLE_##role, DAG_##right, api_##run, v1, v2},
#include "door/airflow/routes.def"
#undef ROUTE
};
const uint32_t route_count = COUNT_OF(routes);

static const char *right_word(enum dag_right r)
{
    static const char *const words[] = {"", "can_read", "can_edit", "can_delete"};
    return words[r];
}

static const char *role_word(enum user_role r)
{
    static const char *const words[] = {"nobody", "Viewer", "User", "Op", "Admin"};
    return words[r];
}

void airflow_put_routes(struct buf *out)
{
    uint32_t v1 = 0, v2 = 0, ui = 0;
    for (uint32_t i = 0; i < route_count; i++) {
        v1 += (routes[i].apis & API_V1) != 0;
        v2 += (routes[i].apis & API_V2) != 0;
        ui += (routes[i].apis & API_UI) != 0;
    }
    buf_printf(out,
               "%u operations of `/api/v1`, %u of `/api/v2` and %u of Airflow 3's own pages "
               "(`/ui`):\n\n",
               v1, v2, ui);
    buf_text(out, "| method and path | v1 | v2 | role | or, on that dag |\n"
                  "|---|---|---|---|---|\n");
    for (uint32_t i = 0; i < route_count; i++) {
        const struct route *r = &routes[i];
        buf_printf(out, "| %s %s | %s | %s | %s | %s |\n", r->method, r->path, r->v1, r->v2,
                   role_word(r->role), right_word(r->right));
    }
}
