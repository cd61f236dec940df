"""Sensors over Sluice's runs and tasks."""
from __future__ import annotations

from typing import Any, Sequence

from airflow.exceptions import AirflowException
from airflow.sensors.base import BaseSensorOperator

from airflow_provider_sluice.hook import SluiceHook


class SluiceSensor(BaseSensorOperator):
    """What all of them look at: a dag of Sluice's, through a connection."""

    def __init__(self, *, sluice_dag_id: str, sluice_conn_id: str = SluiceHook.default_conn_name, **kwargs: Any):
        super().__init__(**kwargs)
        self.sluice_dag_id = sluice_dag_id
        self.sluice_conn_id = sluice_conn_id


class SluiceDagRunSensor(SluiceSensor):
    """Waits until a run (without run_id: the newest) has succeeded; fails when it has failed."""

    template_fields: Sequence[str] = ("sluice_dag_id", "run_id")

    def __init__(self, *, run_id: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.run_id = run_id

    def poke(self, context) -> bool:
        hook = SluiceHook(self.sluice_conn_id)
        run = hook.run(self.sluice_dag_id, self.run_id) if self.run_id else hook.last_run(self.sluice_dag_id)
        if run and run["state"] == "failed":
            raise AirflowException(f"the run {run['dag_run_id']} of {self.sluice_dag_id} has failed")
        return bool(run) and run["state"] == "success"


class SluiceLagSensor(SluiceSensor):
    """Waits until a task of the newest run is green: a lag_sensor or a service of Sluice's, which measures the lag itself."""

    template_fields: Sequence[str] = ("sluice_dag_id", "sluice_task_id")

    def __init__(self, *, sluice_task_id: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.sluice_task_id = sluice_task_id

    def poke(self, context) -> bool:
        hook = SluiceHook(self.sluice_conn_id)
        run = hook.last_run(self.sluice_dag_id)
        state = hook.task(self.sluice_dag_id, run["dag_run_id"], self.sluice_task_id)["state"] if run else None
        if state in ("failed", "upstream_failed"):
            raise AirflowException(f"the task {self.sluice_task_id} of {self.sluice_dag_id} is {state}")
        return state == "success"
