"""Sluice's REST API, which is Airflow's /api/v1, by basic login."""
from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

import requests
from airflow.exceptions import AirflowException
from airflow.hooks.base import BaseHook


class SluiceError(AirflowException):
    """An answer that is no success: its status, and its title and detail."""

    def __init__(self, status: int, text: str):
        super().__init__(f"Sluice answers {status}: {text}")
        self.status = status


class SluiceHook(BaseHook):
    conn_name_attr = "sluice_conn_id"
    default_conn_name = "sluice_default"
    conn_type = "sluice"
    hook_name = "Sluice"
    ended = ("success", "failed")

    def __init__(self, sluice_conn_id: str = default_conn_name, timeout: float = 60, tries: int = 5):
        super().__init__()
        self.sluice_conn_id = sluice_conn_id
        self.timeout = timeout
        self.tries = tries
        self._session: requests.Session | None = None
        self._base = ""

    def get_conn(self) -> requests.Session:
        if self._session is None:
            c = self.get_connection(self.sluice_conn_id)
            extra = c.extra_dejson
            host = c.host or "localhost"
            base = host if "://" in host else f"{extra.get('scheme', 'http')}://{host}"
            self._base = f"{base}:{c.port or 8080}/api/v1"
            self._session = requests.Session()
            self._session.verify = extra.get("verify", True)
            if c.login:
                self._session.auth = (c.login, c.password or "")
        return self._session

    def ask(self, method: str, path: str, **more: Any) -> dict:
        """One request. Reading, and creating what carries its own id, may be tried again: the second finds what the first did."""
        session = self.get_conn()
        for left in range(self.tries - 1, -1, -1):
            try:
                r = session.request(method, self._base + path, timeout=self.timeout, **more)
                if r.status_code < 500 or not left:
                    break
            except requests.ConnectionError:
                if not left:
                    raise
            time.sleep(min(2.0, 0.2 * (self.tries - left)))
        if r.status_code >= 400:
            try:
                body = r.json()
                text = f"{body.get('title')}: {body.get('detail')}"
            except ValueError:
                text = r.text[:500]
            raise SluiceError(r.status_code, text)
        return r.json() if r.content else {}

    @staticmethod
    def _runs(dag_id: str) -> str:
        return f"/dags/{quote(dag_id, safe='')}/dagRuns"

    def trigger(self, dag_id: str, run_id: str, conf: dict | None = None) -> dict:
        """A run with this id; the one that is there already when an earlier try has made it."""
        try:
            return self.ask("POST", self._runs(dag_id), json={"dag_run_id": run_id, "conf": conf or {}})
        except SluiceError as e:
            if e.status != 409:
                raise
            return self.run(dag_id, run_id)

    def run(self, dag_id: str, run_id: str) -> dict:
        return self.ask("GET", f"{self._runs(dag_id)}/{quote(run_id, safe='')}")

    def last_run(self, dag_id: str) -> dict | None:
        runs = self.ask("GET", self._runs(dag_id), params={"order_by": "-start_date", "limit": 1})["dag_runs"]
        return runs[0] if runs else None

    def task(self, dag_id: str, run_id: str, task_id: str) -> dict:
        return self.ask("GET", f"{self._runs(dag_id)}/{quote(run_id, safe='')}/taskInstances/{quote(task_id, safe='')}")

    def clear_run(self, dag_id: str, run_id: str) -> dict:
        return self.ask("POST", f"{self._runs(dag_id)}/{quote(run_id, safe='')}/clear", json={"dry_run": False})

    def stop_run(self, dag_id: str, run_id: str) -> dict:
        return self.ask("PATCH", f"{self._runs(dag_id)}/{quote(run_id, safe='')}", json={"state": "failed"})

    def test_connection(self):
        try:
            self.ask("GET", "/dags", params={"limit": 1})
            return True, "Sluice answers"
        except Exception as e:  # Airflow shows what it was
            return False, str(e)
