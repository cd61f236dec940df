"""Operators: each is a run of a dag of Sluice's, awaited."""
from __future__ import annotations

import hashlib
import time
from typing import Any, Sequence

from airflow.exceptions import AirflowException
from airflow.models.baseoperator import BaseOperator

from airflow_provider_sluice.hook import SluiceHook


class SluiceTriggerDagOperator(BaseOperator):
    """Starts a run of a dag of Sluice's and waits for its end; a repeated try goes on with the same run, or clears it when it has failed."""

    template_fields: Sequence[str] = ("sluice_dag_id", "conf", "run_id")
    ui_color = "#d7ecf5"

    def __init__(self, *, sluice_dag_id: str, conf: dict | None = None, run_id: str | None = None, wait: bool = True,
                 poke_interval: float = 5, wait_timeout: float | None = None, sluice_conn_id: str = SluiceHook.default_conn_name, **kwargs: Any):
        super().__init__(**kwargs)
        self.sluice_dag_id = sluice_dag_id
        self.conf = conf
        self.run_id = run_id
        self.wait = wait
        self.poke_interval = poke_interval
        self.wait_timeout = wait_timeout
        self.sluice_conn_id = sluice_conn_id
        self._started: str | None = None

    def make_conf(self) -> dict:
        return dict(self.conf or {})

    def make_run_id(self, context) -> str:
        """The same for each try of one task instance."""
        ti = context["ti"]
        key = f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}"
        return self.run_id or f"airflow__{ti.dag_id}.{ti.task_id}__{hashlib.sha256(key.encode()).hexdigest()[:16]}"

    def execute(self, context) -> str:
        hook = SluiceHook(self.sluice_conn_id)
        run_id = self.make_run_id(context)
        run = hook.trigger(self.sluice_dag_id, run_id, self.make_conf())
        self._started = run_id
        if run["state"] == "failed":
            self.log.info("the run %s has failed in an earlier try: cleared", run_id)
            hook.clear_run(self.sluice_dag_id, run_id)
            run = hook.run(self.sluice_dag_id, run_id)
        self.log.info("Sluice runs %s as %s", self.sluice_dag_id, run_id)
        end = time.monotonic() + self.wait_timeout if self.wait_timeout is not None else None
        while self.wait and run["state"] not in hook.ended:
            if end is not None and time.monotonic() > end:
                raise AirflowException(f"the run {run_id} of {self.sluice_dag_id} is still {run['state']} after {self.wait_timeout} s")
            time.sleep(self.poke_interval)
            run = hook.run(self.sluice_dag_id, run_id)
        if self.wait and run["state"] != "success":
            raise AirflowException(f"the run {run_id} of {self.sluice_dag_id} has {run['state']}")
        return run_id

    def on_kill(self) -> None:
        if self._started:
            SluiceHook(self.sluice_conn_id).stop_run(self.sluice_dag_id, self._started)


class SluiceRunSourceOperator(SluiceTriggerDagOperator):
    """A dag whose task runs a source: {run: randomuser, count: "{{ dag_run.conf.count }}"}."""

    template_fields = (*SluiceTriggerDagOperator.template_fields, "source", "count", "seconds")

    def __init__(self, *, source: str, count: int | None = None, seconds: float | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.source = source
        self.count = count
        self.seconds = seconds

    def make_conf(self) -> dict:
        given = {"source": self.source, "count": self.count, "seconds": self.seconds}
        return {**super().make_conf(), **{k: v for k, v in given.items() if v is not None}}


class SluiceStreamOperator(SluiceTriggerDagOperator):
    """A dag whose task is a service: it is done when the stream is healthy by its lag."""

    template_fields = (*SluiceTriggerDagOperator.template_fields, "stream")

    def __init__(self, *, stream: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.stream = stream

    def make_conf(self) -> dict:
        return {**super().make_conf(), "stream": self.stream}


class SluiceSQLOperator(SluiceTriggerDagOperator):
    """A dag whose task is {sql: "{{ dag_run.conf.sql }}"}."""

    template_fields = (*SluiceTriggerDagOperator.template_fields, "sql")
    template_ext = (".sql",)
    template_fields_renderers = {"sql": "sql"}

    def __init__(self, *, sql: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.sql = sql

    def make_conf(self) -> dict:
        return {**super().make_conf(), "sql": self.sql}
