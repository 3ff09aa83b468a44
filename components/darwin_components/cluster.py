"""What a cluster gives to the tasks: processors, memory, an accelerator, secrets, a volume. All through kfp-kubernetes.

A service account is not among it: Kubeflow sets one per run, for all pods
(``Client().create_run_from_pipeline_package(..., service_account="darwin")``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from darwin_core.contracts import StepName


@dataclass(frozen=True)
class Resources:
    """Requests and limits of a pod, in Kubernetes' notation.

    A processor is requested and not limited, so that a step uses what its node has to spare; memory is limited, so that
    a step that needs more than expected fails alone and not its neighbours with it.
    """

    cpu: str = "1"
    memory: str = "2Gi"
    memory_limit: str = "4Gi"


RESOURCES: Final[Mapping[str, Resources]] = {
    StepName.FETCH_DATA: Resources("1", "2Gi", "8Gi"),
    StepName.SYNTHESIZE: Resources("4", "4Gi", "16Gi"),
    StepName.EVALUATE: Resources("2", "4Gi", "16Gi"),
    StepName.EXPLAIN: Resources("2", "4Gi", "16Gi"),
    StepName.PUBLISH: Resources("1", "1Gi", "4Gi"),
    "summarize": Resources("100m", "256Mi", "1Gi"),
}
"""To begin with: enough for the largest networks of tests/benchmarks. Look at what yours use, and say so."""

_WORK_MOUNT = "/scratch"
"""Where the volume of unfinished work appears in a pod."""

_ON_ACCELERATOR: Final = frozenset({StepName.SYNTHESIZE, StepName.EVALUATE, StepName.EXPLAIN})


@dataclass(frozen=True)
class Cluster:
    """Settings for the tasks of a compaction.

    Attributes:
        resources: Step (or ``summarize``) -> its resources; steps not named keep those of ``RESOURCES``.
        accelerator: A resource name such as ``nvidia.com/gpu``, one of which goes to each step that runs networks. The
            image must have been built for it (``make image ACCELERATOR=gpu``).
        secrets: Secret -> its keys -> the environment variables they become, e.g. the store's credentials.
        pull_secret: Secret with which the image is pulled.
        work_claim: A PersistentVolumeClaim for the steps' scratch files. With it, a search whose pod was evicted goes
            on where it was; without it, the retry begins that step anew.
        node_selector: Labels of the nodes to run on.
        timeout_seconds: A step that takes longer is stopped, and counts as failed.
    """

    resources: Mapping[str, Resources] = field(default_factory=dict)
    accelerator: str | None = None
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pull_secret: str | None = None
    work_claim: str | None = None
    node_selector: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: int | None = None

    def apply(self, step: str, task: Any) -> Any:
        """Give a task what this cluster has for its step; returns the task."""
        resources = self.resources.get(step) or RESOURCES[step]
        task.set_cpu_request(resources.cpu)
        task.set_memory_request(resources.memory).set_memory_limit(resources.memory_limit)
        if self.accelerator is not None and step in _ON_ACCELERATOR:
            task.set_accelerator_type(self.accelerator).set_accelerator_limit(1)
        self._apply_kubernetes(task)
        return task

    def _apply_kubernetes(self, task: Any) -> None:
        from kfp import kubernetes

        kubernetes.set_security_context(task, run_as_non_root=True)
        for name, variables in self.secrets.items():
            kubernetes.use_secret_as_env(task, secret_name=name, secret_key_to_env=dict(variables))
        for label, value in self.node_selector.items():
            kubernetes.add_node_selector(task, label_key=label, label_value=value)
        if self.pull_secret is not None:
            kubernetes.set_image_pull_secrets(task, [self.pull_secret])
        if self.timeout_seconds is not None:
            kubernetes.set_timeout(task, self.timeout_seconds)
        if self.work_claim is not None:
            kubernetes.mount_pvc(task, pvc_name=self.work_claim, mount_path=_WORK_MOUNT)
            task.set_env_variable("DARWIN_WORK_DIR", f"{_WORK_MOUNT}/darwin")
