"""The provider's hook and operator where things go wrong: sluice_hook.py, with AIRFLOW_CONN_SLUICE_DEFAULT and …_WRONG."""
from types import SimpleNamespace

from airflow.exceptions import AirflowException
from airflow_provider_sluice import get_provider_info
from airflow_provider_sluice.hook import SluiceError, SluiceHook
from airflow_provider_sluice.operators import SluiceTriggerDagOperator
from airflow_provider_sluice.sensors import SluiceDagRunSensor


def refused(what, *words):
    try:
        what()
    except AirflowException as e:
        assert all(w in str(e) for w in words), e
        return e
    raise AssertionError(f"not refused: {words}")


hook = SluiceHook()
assert hook.test_connection()[0] and not SluiceHook("sluice_wrong").test_connection()[0]
assert refused(lambda: hook.run("none", "x"), "404", "DAG not found").status == 404
assert isinstance(refused(lambda: SluiceHook("sluice_wrong").run("fetch", "x"), "401"), SluiceError)
assert hook.trigger("fetch", "twice", {"a": 1})["conf"] == hook.trigger("fetch", "twice", {"a": 2})["conf"] == {"a": 1}
assert hook.last_run("ask") is None
context = {"ti": SimpleNamespace(dag_id="d", run_id="r/1 é", task_id="t", map_index=-1)}
bad = SluiceTriggerDagOperator(task_id="t", sluice_dag_id="bad", poke_interval=0.01)
refused(lambda: bad.execute(context), "has failed")
run_id = bad.make_run_id(context)
assert hook.run("bad", run_id)["state"] == "failed"
refused(lambda: SluiceDagRunSensor(task_id="s", sluice_dag_id="bad").poke(context), run_id, "has failed")
refused(lambda: bad.execute(context), "has failed")  # a second try: the same run, cleared, failed again
slow = SluiceTriggerDagOperator(task_id="t2", sluice_dag_id="fetch", run_id="slow", wait_timeout=0, poke_interval=0.01)
refused(lambda: slow.execute(context), "is still")
slow.on_kill()
assert hook.run("fetch", "slow")["state"] == "failed"
assert get_provider_info()["connection-types"][0]["connection-type"] == SluiceHook.conn_type
print("the hook and the operator refuse what they should")
