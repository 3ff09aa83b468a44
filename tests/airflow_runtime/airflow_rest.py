"""A client of Airflow's REST API v2: only what the tests ask."""

from __future__ import annotations

import time
from typing import Any

import requests

FINISHED = ("success", "failed")


class AirflowRest:
    """Talks to one API server as one user."""

    def __init__(self, base_url: str, username: str, password: str) -> None:
        self.base_url = base_url
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy stands between a test and its loopback server
        answer = self._session.post(
            f"{base_url}/auth/token", json={"username": username, "password": password}, timeout=120
        )
        answer.raise_for_status()
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def get(self, path: str, **parameters: Any) -> Any:
        answer = self._session.get(f"{self.base_url}/api/v2/{path}", params=parameters, timeout=120)
        assert answer.ok, f"GET {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Start a run and return its id."""
        answer = self._session.post(
            f"{self.base_url}/api/v2/dags/{dag_id}/dagRuns",
            json={"logical_date": None, "conf": conf or {}},
            timeout=120,
        )
        assert answer.ok, f"trigger {dag_id}: {answer.status_code} {answer.text[:500]}"
        return str(answer.json()["dag_run_id"])

    def unpause(self, dag_id: str) -> None:
        answer = self._session.patch(f"{self.base_url}/api/v2/dags/{dag_id}", json={"is_paused": False}, timeout=120)
        assert answer.ok, f"unpause {dag_id}: {answer.status_code} {answer.text[:500]}"

    def reparse(self, dag_id: str) -> None:
        """Have the DAG's file read again now."""
        token = self.get(f"dags/{dag_id}")["file_token"]
        answer = self._session.put(f"{self.base_url}/api/v2/parseDagFile/{token}", timeout=120)
        assert answer.ok, f"reparse {dag_id}: {answer.status_code} {answer.text[:500]}"

    def set_task_state(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        answer = self._session.patch(
            f"{self.base_url}/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}",
            json={"new_state": state},
            timeout=120,
        )
        assert answer.ok, f"mark {task_id} {state}: {answer.status_code} {answer.text[:500]}"

    def clear(self, dag_id: str, run_id: str, task_ids: list[str]) -> None:
        """Let these tasks of a run run again."""
        answer = self._session.post(
            f"{self.base_url}/api/v2/dags/{dag_id}/clearTaskInstances",
            json={"dry_run": False, "dag_run_id": run_id, "task_ids": task_ids, "only_failed": False},
            timeout=120,
        )
        assert answer.ok, f"clear {task_ids}: {answer.status_code} {answer.text[:500]}"

    def question(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any] | None:
        """What a task asks people; None while it has not asked."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        answer = self._session.get(f"{self.base_url}/api/v2/{path}", timeout=120)
        return dict(answer.json()) if answer.ok else None

    def answer(self, dag_id: str, run_id: str, task_id: str, option: str) -> None:
        """Answer a task's question."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        answer = self._session.patch(
            f"{self.base_url}/api/v2/{path}", json={"chosen_options": [option], "params_input": {}}, timeout=120
        )
        assert answer.ok, f"answer {task_id}: {answer.status_code} {answer.text[:500]}"

    def test_connection(self, connection: dict[str, Any]) -> tuple[bool, str]:
        """What the button *Test* of a connection says."""
        answer = self._session.post(f"{self.base_url}/api/v2/connections/test", json=connection, timeout=120)
        assert answer.ok, f"test connection: {answer.status_code} {answer.text[:500]}"
        return bool(answer.json()["status"]), str(answer.json()["message"])

    def dag_ids(self) -> set[str]:
        return {dag["dag_id"] for dag in self.get("dags")["dags"]}

    def import_errors(self) -> list[dict[str, Any]]:
        return list(self.get("importErrors")["import_errors"])

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """All runs of a DAG, oldest first."""
        return list(self.get(f"dags/{dag_id}/dagRuns", order_by="run_after")["dag_runs"])

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str]:
        found = self.get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return {task["task_id"]: task["state"] for task in found}

    def task(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        return dict(self.get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"))

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.get(path, deserialize=True)["value"]

    def links(self, dag_id: str, run_id: str, task_id: str) -> dict[str, str | None]:
        found = self.get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/links")
        return dict(found["extra_links"])

    def log(self, dag_id: str, run_id: str, task_id: str, attempt: int = 1) -> str:
        """A task's log as text."""
        found = self.get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{attempt}", full_content=True)
        content = found["content"]
        if isinstance(content, str):
            return content
        return "\n".join(str(line.get("event", line)) if isinstance(line, dict) else str(line) for line in content)

    def asset_events(self, uri: str) -> list[dict[str, Any]]:
        """Events of the Asset with this URI, oldest first."""
        assets = [asset for asset in self.get("assets", limit=100)["assets"] if asset["uri"] == uri]
        if not assets:
            return []
        events = self.get("assets/events", asset_id=assets[0]["id"], order_by="timestamp", limit=100)
        return list(events["asset_events"])

    def wait_for_run(self, dag_id: str, run_id: str, seconds: float) -> str:
        """Wait until a run has ended; its state."""
        return wait_until(lambda: self.run_state(dag_id, run_id), seconds, f"{dag_id} {run_id}")

    def run_state(self, dag_id: str, run_id: str) -> str | None:
        """How a run ended; None while it goes on."""
        state = self.get(f"dags/{dag_id}/dagRuns/{run_id}")["state"]
        return state if state in FINISHED else None

    def wait_for_new_run(self, dag_id: str, known: set[str], seconds: float) -> str:
        """Wait until a run appears that is not among ``known``; its id."""

        def appeared() -> str | None:
            return next((run["dag_run_id"] for run in self.runs(dag_id) if run["dag_run_id"] not in known), None)

        return wait_until(appeared, seconds, f"a new run of {dag_id}")


def wait_until(look: Any, seconds: float, what: str, *, every: float = 0.5) -> Any:
    """The first true answer of ``look``; fails when none came in time."""
    deadline = time.monotonic() + seconds
    while not (answer := look()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(every)
    return answer
