"""Launcher kubernetes with Airflow's own Kubernetes provider, where that is installed.

No cluster is at hand on the machines that run these tests. The pod's manifest is the one that would be sent. Behind the
tests of a pod's end stands a server that keeps pods as the Kubernetes API would and ends them as a test says.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred
from airflow.sdk.execution_time.context import set_current_context

from darwin_core import __version__
from darwin_core.errors import RequestError
from darwin_operators import EvaluateOperator
from darwin_operators.launchers import Launcher, create_launcher
from darwin_operators.launchers.kubernetes import KubernetesLauncher

pytest.importorskip("airflow.providers.cncf.kubernetes", reason="the Kubernetes provider has a lane of its own")

STEP = ["run-step", "evaluate", "--config", "{}", "--run-id", "r1"]
TEMPLATE = {
    "apiVersion": "v1",
    "kind": "Pod",
    "spec": {
        "serviceAccountName": "darwin",
        "containers": [
            {
                "name": "darwin",
                "resources": {"limits": {"memory": "8Gi", "nvidia.com/gpu": "1"}},
                "envFrom": [{"secretRef": {"name": "models-bucket"}}],
                "volumeMounts": [{"name": "work", "mountPath": "/work"}],
            }
        ],
        "volumes": [{"name": "work", "persistentVolumeClaim": {"claimName": "darwin-work"}}],
    },
}


@dataclass
class Cluster:
    """Pods by name, and how the next ones end."""

    url: str = ""
    pods: dict[str, dict[str, Any]] = field(default_factory=dict)
    exit_code: int = 0
    message: str = ""
    deleted: list[str] = field(default_factory=list)

    def ended(self, pod: dict[str, Any]) -> dict[str, Any]:
        terminated = {"exitCode": self.exit_code, "message": self.message, "reason": "Completed"}
        container = {
            "name": "darwin",
            "image": "darwin",
            "imageID": "sha256:0",
            "ready": False,
            "restartCount": 0,
            "state": {"terminated": terminated},
        }
        phase = "Failed" if self.exit_code else "Succeeded"
        return pod | {"status": {"phase": phase, "containerStatuses": [container]}}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    found = Cluster()

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.partition("?")[0].endswith("/pods"):
                self._send(200, {"kind": "PodList", "items": list(found.pods.values()), "metadata": {}})
                return
            name = re.split(r"[/?]", self.path.partition("/pods/")[2])[0]
            if name not in found.pods:
                self._send(404, {"kind": "Status", "code": 404, "reason": "NotFound"})
            elif "/log" in self.path:
                self._send(200, f"{found.message}\n")
            else:
                self._send(200, found.pods[name])

        def do_POST(self) -> None:
            pod = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            pod["metadata"]["creationTimestamp"] = datetime.now(UTC).isoformat()
            found.pods[pod["metadata"]["name"]] = found.ended(pod)
            self._send(201, pod)

        def do_PATCH(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._send(200, next(iter(found.pods.values()), {}))

        def do_DELETE(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            name = self.path.partition("/pods/")[2].partition("?")[0]
            found.deleted.append(name)
            self._send(200, found.pods.pop(name, {}))

        def _send(self, code: int, body: Any) -> None:
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "text/plain" if isinstance(body, str) else "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": found.url}}],
        "users": [{"name": "test", "user": {}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
    extra = {"kube_config": json.dumps(config), "namespace": "models"}
    monkeypatch.setenv("AIRFLOW_CONN_CLUSTER", json.dumps({"conn_type": "kubernetes", "extra": extra}))
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def context() -> Iterator[dict[str, Any]]:
    """What a task finds around it, as far as pods are labelled by it."""
    pushed: dict[str, Any] = {}
    with DAG("compact", schedule=None) as dag:
        pass
    task_instance = SimpleNamespace(
        dag_id="compact",
        task_id="evaluate",
        run_id="r1",
        map_index=-1,
        try_number=1,
        start_date=datetime.now(UTC),
        pushed=pushed,
        xcom_push=lambda key, value: pushed.update({key: value}),
    )
    found = {"ti": task_instance, "task_instance": task_instance, "run_id": "r1", "dag": dag}
    with set_current_context(found):
        yield found


@pytest.fixture
def make(cluster: Cluster) -> Callable[..., KubernetesLauncher]:
    def build(**arguments: Any) -> KubernetesLauncher:
        found = create_launcher(
            Launcher.KUBERNETES, {"namespace": "models", "kubernetes_conn_id": "cluster", **arguments}
        )
        assert isinstance(found, KubernetesLauncher)
        return found

    return build


def test_the_pod_as_it_would_be_sent(make: Callable[..., KubernetesLauncher], context: dict[str, Any]) -> None:
    launcher = make(pod_template=TEMPLATE, env={"DARWIN_WORK_DIR": "/work"})
    pod = launcher.pod_operator(STEP).build_pod_request_obj(context)
    (container,) = pod.spec.containers
    assert (container.name, container.image) == ("darwin", f"darwin-mlops:{__version__}")
    assert container.command == ["python", "-m", "darwin_core"]
    assert container.args == STEP
    assert {"DARWIN_WORK_DIR": "/work"}.items() <= {item.name: item.value for item in container.env}.items()
    assert container.resources.limits == {"memory": "8Gi", "nvidia.com/gpu": "1"}
    assert container.env_from[0].secret_ref.name == "models-bucket"
    assert container.volume_mounts[0].mount_path == "/work"
    assert container.termination_message_policy == "FallbackToLogsOnError"
    assert pod.spec.service_account_name == "darwin"
    assert pod.spec.volumes[0].persistent_volume_claim.claim_name == "darwin-work"
    assert pod.spec.termination_grace_period_seconds == 60
    assert pod.metadata.namespace == "models"
    assert pod.metadata.labels["dag_id"] == "compact"
    assert pod.metadata.name.startswith("darwin-evaluate")


@pytest.mark.parametrize(
    ("exit_code", "message"), [(0, "done"), (2, "Error: no column 'default'."), (1, "out of luck")]
)
def test_exit_code_and_last_words(
    make: Callable[..., KubernetesLauncher], cluster: Cluster, context: dict[str, Any], exit_code: int, message: str
) -> None:
    cluster.exit_code, cluster.message = exit_code, message
    outcome = make().launch(STEP, logging.getLogger())
    assert outcome.exit_code == exit_code
    if exit_code:
        assert outcome.reason == message
    assert len(cluster.deleted) == 1, "the pod is removed"


def test_a_key_pair_is_not_written_into_a_manifest(make: Callable[..., KubernetesLauncher], cluster: Cluster) -> None:
    with pytest.raises(RequestError, match=r"does not write a connection's key pair.*service account"):
        make().launch(STEP, logging.getLogger(), {"AWS_SECRET_ACCESS_KEY": "open-sesame"})
    assert cluster.pods == {}


def operator(config: dict[str, object], **arguments: Any) -> EvaluateOperator:
    launcher_args = {"namespace": "models", "kubernetes_conn_id": "cluster", **arguments}
    return EvaluateOperator(
        task_id="evaluate", config=config, run_id="r1", launcher="kubernetes", launcher_args=launcher_args
    )


def test_waiting_in_the_triggerer(
    config: dict[str, object],
    cluster: Cluster,
    context: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The task defers, comes back, and reads what the step stored meanwhile."""
    from airflow.providers.cncf.kubernetes.triggers.pod import KubernetesPodTrigger
    from stand_in_engine import write_result

    from darwin_core.contracts import CompactionConfig, StepName

    with monkeypatch.context() as patch, pytest.raises(TaskDeferred) as deferred:
        patch.setattr(Cluster, "ended", lambda self, pod: pod | {"status": {"phase": "Running"}})
        operator(config, deferrable=True).execute(context)
    assert isinstance(deferred.value.trigger, KubernetesPodTrigger)
    assert deferred.value.method_name == "execute_complete"

    (name,) = cluster.pods
    cluster.pods[name] = cluster.ended(cluster.pods[name])
    write_result(StepName.EVALUATE, CompactionConfig.model_validate(config), "r1", "rejected")
    event = {"status": "success", "name": name, "namespace": "models", "message": "done"}
    found = operator(config, deferrable=True).execute_complete(context, event)
    assert found["verdict"] == "FAIL"


def test_a_pod_that_vanished_proves_nothing(
    config: dict[str, object], cluster: Cluster, context: dict[str, Any]
) -> None:
    """Airflow takes a pod that was collected before anybody looked for a success; the store knows better."""
    event = {"status": "success", "name": "gone", "namespace": "models", "message": ""}
    with pytest.raises(AirflowException, match=r"result\.json") as caught:
        operator(config, deferrable=True).execute_complete(context, event)
    assert type(caught.value) is AirflowException, "a second try may find it"


def test_a_bad_request_is_not_retried(config: dict[str, object], cluster: Cluster, context: dict[str, Any]) -> None:
    cluster.exit_code, cluster.message = 2, "Error: no column 'default'."
    with pytest.raises(AirflowFailException, match="no column 'default'"):
        operator(config).execute(context)


def test_kill_deletes_the_pod(
    make: Callable[..., KubernetesLauncher], cluster: Cluster, context: dict[str, Any], tmp_path: Path
) -> None:
    launcher = make()
    launcher.kill()
    launcher.launch(STEP, logging.getLogger())
    cluster.deleted.clear()
    launcher.kill()
    assert len(cluster.deleted) <= 1
