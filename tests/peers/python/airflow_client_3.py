"""The official client of Airflow 3 (pydantic's models check each field): `airflow_client_3.py URL`."""
import json
import sys
import time
import urllib.request

import airflow_client.client as client
from airflow_client.client import models as m

request = urllib.request.Request(sys.argv[1] + "/auth/token", data=json.dumps({"username": "admin", "password": "admin"}).encode(),
                                 headers={"Content-Type": "application/json"})
with urllib.request.urlopen(request) as answer:
    assert answer.status == 201
    token = json.load(answer)["access_token"]
api = client.ApiClient(client.Configuration(host=sys.argv[1], access_token=token))
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


dags, runs, tis, tasks = client.DAGApi(api), client.DagRunApi(api), client.TaskInstanceApi(api), client.TaskApi(api)
same({d.dag_id for d in dags.get_dags().dags} >= {"nightly", "by_hand"}, True)
same(dags.get_dag("nightly").timetable_summary, "0 3 * * *")
same(dags.get_dag_details("nightly").catchup, False)
same([t.task_id for t in tasks.get_tasks("nightly").tasks], ["extract", "load"])
same(tasks.get_task("nightly", "extract").downstream_task_ids, ["load"])
same(dags.patch_dag("by_hand", m.DAGPatchBody(is_paused=True)).is_paused, True)
same(dags.patch_dags(m.DAGPatchBody(is_paused=False), dag_id_pattern="by_h").dags[0].is_paused, False)
refused(404, dags.get_dag, "nope")
same(client.DagVersionApi(api).get_dag_versions("nightly").dag_versions[0].version_number, 1)
same("echo" in client.DagSourceApi(api).get_dag_source("nightly").content, True)
same(sorted(dags.get_dag_tags().tags), ["demo", "etl"])
made = runs.trigger_dag_run("nightly", m.TriggerDAGRunPostBody(dag_run_id="client_3", logical_date=None, conf={"a": 1}))
same((made.dag_run_id, made.logical_date, made.triggered_by.value), ("client_3", None, "rest_api"))
refused(409, runs.trigger_dag_run, "nightly", m.TriggerDAGRunPostBody(dag_run_id="client_3", logical_date=None))
for _ in range(240):
    run = runs.get_dag_run("nightly", "client_3")
    if run.state.value in ("success", "failed"):
        break
    time.sleep(0.25)
same((run.state.value, run.conf, len(run.dag_versions)), ("success", {"a": 1}, 1))
same(runs.get_dag_runs("nightly", limit=1, order_by=["-start_date"]).dag_runs[0].dag_run_id, "client_3")
same(runs.get_list_dag_runs_batch("~", m.DAGRunsBatchBody(dag_ids=["nightly"])).total_entries >= 1, True)
waited = json.loads(runs.wait_dag_run_until_finished_without_preload_content("nightly", "client_3", interval=1, result=["extract"]).data)
same((waited["state"], str(waited["results"]["extract"])), ("success", "42"))
same([t.task_id for t in tis.get_task_instances("nightly", "client_3").task_instances], ["extract", "load"])
same(tis.get_task_instance("nightly", "client_3", "extract").try_number, 1)
same(len(tis.get_task_instance_tries("nightly", "client_3", "extract").task_instances), 1)
same("42" in str(tis.get_log("nightly", "client_3", "extract", 1, full_content=True, accept="application/json")), True)
xcoms = client.XComApi(api)
same(xcoms.get_xcom_entries("nightly", "client_3", "extract").total_entries, 1)
same(xcoms.create_xcom_entry(dag_id="nightly", dag_run_id="client_3", task_id="extract", x_com_create_body=m.XComCreateBody(key="k", value={"b": 2})).value, {"b": 2})
same(xcoms.update_xcom_entry(dag_id="nightly", dag_run_id="client_3", task_id="extract", xcom_key="k", x_com_update_body=m.XComUpdateBody(value=[1])).value, [1])
cleared = tis.post_clear_task_instances("nightly", m.ClearTaskInstancesBody(dag_run_id="client_3", only_failed=False, dry_run=True))
same(cleared.total_entries, 2)
marked = tis.patch_task_instance_dry_run("nightly", "client_3", "extract", m.PatchTaskInstanceBody(new_state="failed"))
same(marked.total_entries >= 1, True)
same(tis.patch_task_instance("nightly", "client_3", "extract", m.PatchTaskInstanceBody(note="n")).task_instances[0].note, "n")
same(runs.patch_dag_run("nightly", "client_3", m.DAGRunPatchBody(note="again")).note, "again")
same(runs.patch_dag_run("nightly", "client_3", m.DAGRunPatchBody(state="failed")).state.value, "failed")
bulk = tis.bulk_task_instances("nightly", "client_3", m.BulkBodyBulkTaskInstanceBody.from_dict({"actions": [
    {"action": "update", "entities": [{"task_id": "extract", "new_state": "failed", "note": "bulk"}]},
    {"action": "delete", "entities": ["load", {"task_id": "nope"}]}]}))
same((bulk.update.success, bulk.delete.success, bulk.delete.errors[0]["status_code"], bulk.create), (["extract"], ["load"], 404, None))
same(tis.get_task_instance("nightly", "client_3", "extract").note, "bulk")
tis.delete_task_instance("nightly", "client_3", "extract")
same(tis.get_task_instances("nightly", "client_3").total_entries, 0)
runs.delete_dag_run("nightly", "client_3")
refused(404, runs.get_dag_run, "nightly", "client_3")

backfills = client.BackfillApi(api)
span = dict(dag_id="nightly", from_date="2024-02-01T00:00:00Z", to_date="2024-02-03T23:00:00Z")
same(backfills.create_backfill_dry_run(m.BackfillPostBody(**span)).total_entries, 3)
b = backfills.create_backfill(m.BackfillPostBody(**span, max_active_runs=1))
same(backfills.pause_backfill(b.id).is_paused, True)
same(backfills.unpause_backfill(b.id).is_paused, False)
same(backfills.cancel_backfill(b.id).completed_at is not None, True)
same(backfills.list_backfills("nightly").total_entries >= 1, True)

pools, variables, connections = client.PoolApi(api), client.VariableApi(api), client.ConnectionApi(api)
same(pools.post_pool(m.PoolBody(name="p3", slots=3)).open_slots, 3)
refused(409, pools.post_pool, m.PoolBody(name="p3", slots=3))
same(pools.patch_pool("p3", m.PoolPatchBody(slots=5), update_mask=["slots"]).slots, 5)
pools.delete_pool("p3")
same(variables.post_variable(m.VariableBody(key="v3_password", value="x")).value, "***")
variables.delete_variable("v3_password")
same(connections.post_connection(m.ConnectionBody(connection_id="c3", conn_type="http", password="p")).password, "***")
connections.delete_connection("c3")
for call, body, key, one in ((connections.bulk_connections, m.BulkBodyConnectionBody, "connection_id", {"conn_type": "http"}),
                             (variables.bulk_variables, m.BulkBodyVariableBody, "key", {"value": {"a": 1}}), (pools.bulk_pools, m.BulkBodyPoolBody, "name", {"slots": 2})):
    made = [{key: f"bulk_{n}", **one} for n in range(2)]
    result = call(body.from_dict({"actions": [{"action": "create", "entities": made}, {"action": "update", "entities": made[:1], "action_on_non_existence": "skip"},
                                              {"action": "delete", "entities": ["bulk_0", "bulk_1"]}, {"action": "create", "entities": made[1:], "action_on_existence": "overwrite"}]}))
    same((result.create.success, result.update.success, result.delete.success, result.create.errors), (["bulk_0", "bulk_1", "bulk_1"], ["bulk_0"], ["bulk_0", "bulk_1"], []))
    same(call(body.from_dict({"actions": [{"action": "create", "entities": made}]})).create.errors[0]["status_code"], 409)
same(client.MonitorApi(api).get_health().scheduler.status, "healthy")
same(client.ImportErrorApi(api).get_import_errors().total_entries, 0)
same(client.EventLogApi(api).get_event_logs(limit=2).total_entries > 2, True)
same(client.DagStatsApi(api).get_dag_stats().total_entries >= 2, True)
assets = client.AssetApi(api)
listed = {a.name: a for a in assets.get_assets().assets}
same(sorted(listed), ["others", "users"])
same(([d.dag_id for d in listed["users"].scheduled_dags], listed["users"].last_asset_event), (["waits", "waits_for_two"], None))
same(assets.get_assets(dag_ids=["makes"]).total_entries, 1)
made = assets.materialize_asset(listed["users"].id)
for _ in range(240):
    started = runs.get_dag_runs("waits", state=["success"]).dag_runs
    if started:
        break
    time.sleep(0.25)
caused = runs.get_upstream_asset_events("waits", started[0].dag_run_id).asset_events
same([(e.name, e.source_run_id, e.source_task_id) for e in caused], [("users", made.dag_run_id, "change")])
same([e.created_dagruns[0].dag_id for e in assets.get_asset_events(source_dag_id="makes").asset_events], ["waits"])
same(assets.get_asset(listed["users"].id).last_asset_event.id, caused[0].id)
same([e.dag_id for e in assets.get_dag_asset_queued_events("waits_for_two").queued_events], ["waits_for_two"])
assets.delete_dag_asset_queued_events("waits_for_two")
refused(404, assets.get_dag_asset_queued_events, "waits_for_two")
same(assets.create_asset_event(m.CreateAssetEventsBody(asset_id=listed["others"].id, extra={"n": 1})).extra["n"], 1)
refused(404, assets.get_asset_alias, 1)
connections.create_default_connections()
same(connections.get_connection("kafka_default").conn_type, "kafka")
dags.favorite_dag("nightly")
same([d.dag_id for d in dags.get_dags(is_favorite=True).dags], ["nightly"])
dags.unfavorite_dag("nightly")
refused(409, dags.unfavorite_dag, "nightly")
same(client.DagReportApi(api).get_dag_reports(subdir="")["dag_reports"][0]["dag_num"], 5)
client.DAGParsingApi(api).reparse_dag_file(dags.get_dag("nightly").file_token)
same(tis.get_hitl_details("~", "~").hitl_details, [])
refused(404, tis.get_hitl_detail, "waits", started[0].dag_run_id, "only", -1)
refused(404, tis.update_hitl_detail, "waits", started[0].dag_run_id, "only", -1, m.UpdateHITLDetailPayload(chosen_options=["yes"]))
refused(400, tis.get_external_log_url, "waits", started[0].dag_run_id, "only", 1)
same(client.JobApi(api).get_jobs(is_alive=True).jobs[0].job_type, "SchedulerJob")
same(client.VersionApi(api).get_version().version[0], "3")
same(client.PluginApi(api).get_plugins().total_entries, 0)
same(client.ProviderApi(api).get_providers().total_entries, 0)
refused(403, client.ConfigApi(api).get_config)
print(f"{done} answers as wanted")
