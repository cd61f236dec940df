/* Events that wait for the rest of a dag's schedule, forgotten; assets' aliases, of which there are
 * none. */
#include "door/airflow/airflow_int.h"

#include "sched/things.h"

static err_t read_drop(struct call *c, struct queue_drop *q)
{
    struct slice said;
    err_t e = ERR_OK;
    *q = (struct queue_drop){
        .dag_id = rest_part(c, "dag_id"), .name = rest_part(c, "uri"), .before = INT64_MAX};
    if (rest_part(c, "asset_id").at) e = rest_path_int(c, "asset_id", &q->asset);
    if (!e && rest_param(c, "before", &said) && moment_parse(said, NULL, &q->before, &c->d))
        e = refuse(c, c->api == API_V1 ? 400 : 422, "Bad Request", "before is no moment: %.*s",
                   SLICE_ARG(said));
    return e;
}

static err_t drop(struct call *c)
{
    struct queue_drop q;
    int64_t gone = 0;
    err_t e = read_drop(c, &q);
    if (!e) e = asset_queue_drop(c->meta, &q, &gone, &c->d);
    bool of_asset = q.name.at || q.asset;
    if (!e && !gone)
        e = missing(c, !of_asset ? NO_DAG_QUEUED : q.dag_id.at ? NO_QUEUED_ONE : NO_QUEUED);
    return e ? e
             : rest_event(c, "delete_queued_events",
                          rest_part(c, of_asset && c->api == API_V2 ? "asset_id" : "uri"));
}

err_t api_delete_queued(struct call *c)
{
    err_t e = rest_transact(c, drop);
    if (!e) c->status = 204;
    return e;
}

err_t api_get_alias(struct call *c)
{
    int64_t id;
    err_t e = rest_path_int(c, "asset_alias_id", &id);
    return e ? e : missing(c, NO_ALIAS);
}
