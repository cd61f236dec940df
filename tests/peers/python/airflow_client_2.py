"""The official client of Airflow 2.10, which checks the type of every field: `airflow_client_2.py URL`."""
import sys
import time

import airflow_client.client as client
from airflow_client.client.api import (config_api, connection_api, dag_api, dag_run_api, dag_stats_api, dataset_api, event_log_api,
                                       import_error_api, monitoring_api, permission_api, pool_api, role_api, task_instance_api, user_api, variable_api, x_com_api)
from airflow_client.client.model.clear_task_instances import ClearTaskInstances
from airflow_client.client.model.connection import Connection
from airflow_client.client.model.dag import DAG
from airflow_client.client.model.dag_run import DAGRun
from airflow_client.client.model.list_dag_runs_form import ListDagRunsForm
from airflow_client.client.model.pool import Pool
from airflow_client.client.model.role import Role
from airflow_client.client.model.user import User
from airflow_client.client.model.user_collection_item_roles import UserCollectionItemRoles
from airflow_client.client.model.variable import Variable

api = client.ApiClient(client.Configuration(host=sys.argv[1] + "/api/v1", username="admin", password="admin"))
done = 0


def same(got, want):
    global done
    done += 1
    assert got == want, (got, want)


def refused(status, call, *args, **kw):
    try:
        call(*args, **kw)
    except client.ApiException as e:
        return same(e.status, status)
    raise AssertionError(f"not refused: {call}")


dags, runs, tis = dag_api.DAGApi(api), dag_run_api.DAGRunApi(api), task_instance_api.TaskInstanceApi(api)
same({d.dag_id for d in dags.get_dags().dags} >= {"nightly", "by_hand"}, True)
same(dags.get_dag("nightly").schedule_interval.value, "0 3 * * *")
same(dags.get_dag_details("nightly").catchup, False)
same([t.task_id for t in dags.get_tasks("nightly").tasks], ["extract", "load"])
same(dags.get_task("nightly", "extract").downstream_task_ids, ["load"])
same(dags.patch_dag("by_hand", DAG(is_paused=True)).is_paused, True)
same(dags.patch_dag("by_hand", DAG(is_paused=False), update_mask=["is_paused"]).is_paused, False)
refused(404, dags.get_dag, "nope")
same("echo" in dags.get_dag_source(dags.get_dag("nightly").file_token).content, True)
same(runs.post_dag_run("nightly", DAGRun(dag_run_id="client_2", conf={"a": 1})).dag_run_id, "client_2")
refused(409, runs.post_dag_run, "nightly", DAGRun(dag_run_id="client_2"))
for _ in range(240):
    run = runs.get_dag_run("nightly", "client_2")
    if str(run.state) in ("success", "failed"):
        break
    time.sleep(0.25)
same((str(run.state), run.conf, run.external_trigger), ("success", {"a": 1}, True))
same(runs.get_dag_runs("nightly", limit=1, order_by="-start_date").dag_runs[0].dag_run_id, "client_2")
same(runs.get_dag_runs_batch(ListDagRunsForm(dag_ids=["nightly"])).total_entries >= 1, True)
same([t.task_id for t in tis.get_task_instances("nightly", "client_2").task_instances], ["extract", "load"])
same(tis.get_task_instance("nightly", "client_2", "extract").try_number, 1)
same("42" in str(tis.get_log("nightly", "client_2", "extract", 1, full_content=True)), True)
same(x_com_api.XComApi(api).get_xcom_entry("nightly", "client_2", "extract", "return_value").value, "42")
cleared = dags.post_clear_task_instances("nightly", ClearTaskInstances(dag_run_id="client_2", only_failed=False, dry_run=True))
same(len(cleared.task_instances), 2)
runs.delete_dag_run("nightly", "client_2")
refused(404, runs.get_dag_run, "nightly", "client_2")

pools, variables, connections = pool_api.PoolApi(api), variable_api.VariableApi(api), connection_api.ConnectionApi(api)
same(pools.post_pool(Pool(name="p2", slots=3, include_deferred=False)).open_slots, 3)
same(pools.patch_pool("p2", Pool(slots=5), update_mask=["slots"]).slots, 5)
pools.delete_pool("p2")
same(variables.post_variables(Variable(key="v2", value="x")).value, "x")
same(variables.patch_variable("v2", Variable(key="v2", value="y")).value, "y")
variables.delete_variable("v2")
same(connections.post_connection(Connection(connection_id="c2", conn_type="http", host="h", port=8, password="p")).port, 8)
same("password" in connections.get_connection("c2").to_dict(), False)
connections.delete_connection("c2")
same(monitoring_api.MonitoringApi(api).get_health().scheduler.status is not None, True)
same(import_error_api.ImportErrorApi(api).get_import_errors().total_entries, 0)
same(event_log_api.EventLogApi(api).get_event_logs(limit=2).total_entries > 2, True)
same(dag_stats_api.DagStatsApi(api).get_dag_stats("nightly").total_entries, 1)
datasets = dataset_api.DatasetApi(api)
same(sorted(d.uri for d in datasets.get_datasets().datasets), ["others", "users"])
same([d.dag_id for d in datasets.get_dataset("users").consuming_dags], ["waits", "waits_for_two"])
runs.post_dag_run("makes", DAGRun(dag_run_id="client_2"))
for _ in range(240):
    started = runs.get_dag_runs("waits", state=["success"]).dag_runs
    if started:
        break
    time.sleep(0.25)
caused = runs.get_upstream_dataset_events("waits", started[0].dag_run_id).dataset_events
same([(e.dataset_uri, e.source_run_id, e.source_task_id) for e in caused], [("users", "client_2", "change")])
same([e.created_dagruns[0].dag_id for e in datasets.get_dataset_events(source_dag_id="makes").dataset_events], ["waits"])
same(datasets.get_dag_dataset_queued_events("waits_for_two").queued_events[0]["uri"], "users")
datasets.delete_dag_dataset_queued_event("waits_for_two", "users")
refused(404, datasets.delete_dag_dataset_queued_events, "waits_for_two")
refused(403, config_api.ConfigApi(api).get_config)
users, roles = user_api.UserApi(api), role_api.RoleApi(api)
ann = dict(username="ann", first_name="Ann", last_name="B", email="ann@example.org")
made = users.post_user(User(**ann, password="a-long-secret", roles=[UserCollectionItemRoles(name="Viewer")]))
same((made.first_name, made.email, made.roles[0].name, made.active), ("Ann", "ann@example.org", "Viewer", True))
same(roles.post_role(Role(name="readers", actions=[])).name, "readers")
same([r.name for r in users.patch_user("ann", User(**ann, roles=[UserCollectionItemRoles(name="readers"), UserCollectionItemRoles(name="User")]), update_mask=["roles"]).roles], ["User", "readers"])
same(sorted(u.username for u in users.get_users().users), ["admin", "ann", "cassandra"])
same({r.name for r in roles.get_roles().roles} >= {"Admin", "Op", "User", "Viewer", "Public", "readers"}, True)
same(roles.get_role("Viewer").actions[0].action.name, "can_read")
same(roles.patch_role("readers", Role(name="readers", actions=[])).name, "readers")
same(permission_api.PermissionApi(api).get_permissions().total_entries, 4)
refused(409, users.post_user, User(**ann))
refused(400, roles.delete_role, "Admin")
users.delete_user("ann")
roles.delete_role("readers")
refused(404, users.get_user, "ann")
print(f"{done} answers as wanted")
