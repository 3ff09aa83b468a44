"""Run a step in a pod of its own, through Airflow's KubernetesPodOperator."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from airflow.providers.common.compat.sdk import AirflowException, conf, get_current_context

from darwin_core.errors import MissingExtraError, RequestError
from darwin_operators.launchers.base import Outcome, StepLauncher
from darwin_operators.launchers.image import COMMAND, find_image

# Time for a step to save where it is after SIGTERM.
_GRACE_SECONDS: Final = 60
_CONTAINER: Final = "darwin"


class KubernetesLauncher(StepLauncher):
    """One pod per try; a worker that vanishes leaves the pod at work, and the next try finds it again.

    With ``deferrable`` the task gives its slot back while the pod works. What the pod did is never taken from Airflow's
    word: the operator reads result and verdict from the object store, since a pod that was collected before anybody
    looked counts as a success there.

    Args:
        image: See `darwin_operators.launchers.image.find_image`.
        namespace: Where the pod is made.
        kubernetes_conn_id: Connection of the cluster; None inside of a cluster.
        pod_template: A pod manifest as a mapping: resources, service account, volumes, tolerations, ``envFrom``. Its
            container for the step is named ``darwin``. With a persistent volume at ``DARWIN_WORK_DIR`` a step that was
            stopped goes on where it was.
        env: Environment variables of the container. They can be read by whoever may read pods: name secrets in the
            template's ``envFrom``.
        deferrable: Wait in the triggerer; by default what ``[operators] default_deferrable`` says.
        startup_seconds: How long a pod may take to start.
        keep_pod: ``delete_pod``, ``delete_succeeded_pod`` or ``keep_pod`` once the step has ended.
    """

    def __init__(
        self,
        image: str | None = None,
        namespace: str | None = None,
        kubernetes_conn_id: str | None = None,
        pod_template: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        deferrable: bool | None = None,
        startup_seconds: int = 600,
        keep_pod: str = "delete_pod",
    ) -> None:
        self._settings: dict[str, Any] = {
            "image": find_image(image),
            "namespace": namespace,
            "kubernetes_conn_id": kubernetes_conn_id,
            "in_cluster": True if kubernetes_conn_id is None else None,
            "pod_template_dict": dict(pod_template) if pod_template else None,
            "env_vars": {"PYTHONUNBUFFERED": "1", **dict(env or {})},
            "startup_timeout_seconds": startup_seconds,
            "on_finish_action": keep_pod,
            "deferrable": (
                conf.getboolean("operators", "default_deferrable", fallback=False) if deferrable is None else deferrable
            ),
        }
        self._pod: Any = None

    def launch(
        self, arguments: Sequence[str], log: logging.Logger, secrets: Mapping[str, str] | None = None
    ) -> Outcome:
        """Make a pod that runs ``arguments``, or find the one that an earlier try left at work.

        Raises:
            MissingExtraError: The Kubernetes provider is not installed here.
            RequestError: There are secrets, which a pod's manifest would show to others.
        """
        if secrets:
            raise RequestError(
                "Launcher kubernetes does not write a connection's key pair into a pod's manifest.",
                hint="Leave login and password of the connection empty, and give the pod a role: a service account or "
                "envFrom in pod_template.",
            )
        self._pod = self.pod_operator(arguments)
        log.info("Starting a pod of image %s", self._settings["image"])
        return self._outcome(self._pod.execute)

    def resume(self, event: Mapping[str, Any], log: logging.Logger) -> Outcome:
        """Take the pod's end from what the trigger says."""
        log.info("The pod's trigger says: %s", event.get("message") or event.get("status"))
        self._pod = self.pod_operator(())
        return self._outcome(lambda context: self._pod.trigger_reentry(context, dict(event)))

    def kill(self) -> None:
        """Delete the pod; the step gets SIGTERM and time to save where it is."""
        if self._pod is not None:
            self._pod.on_kill()

    def pod_operator(self, arguments: Sequence[str]) -> Any:
        """The operator of Airflow's Kubernetes provider that this launcher drives."""
        try:
            from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
        except ImportError as error:
            raise MissingExtraError(
                "Launcher kubernetes needs Airflow's Kubernetes provider, which is not installed here.",
                hint="Install it with: pip install 'darwin-mlops[airflow-kubernetes]'.",
            ) from error
        return KubernetesPodOperator(
            task_id="pod",
            name="-".join(("darwin", *arguments[1:2])),
            cmds=list(COMMAND),
            arguments=list(arguments),
            base_container_name=_CONTAINER,
            labels={"app.kubernetes.io/name": "darwin"},
            termination_grace_period=_GRACE_SECONDS,
            # The step's last words travel in the pod's status, where they survive a log that cannot be read.
            termination_message_policy="FallbackToLogsOnError",
            log_pod_spec_on_failure=False,
            do_xcom_push=False,
            **self._settings,
        )

    def _outcome(self, run: Callable[[Any], object]) -> Outcome:
        try:
            run(get_current_context())
        except AirflowException:
            ended = _terminated(self._pod.remote_pod or self._pod.pod)
            if ended is None or not ended.exit_code:
                raise  # the pod never started, was evicted or vanished
            return Outcome(int(ended.exit_code), tuple((ended.message or "").splitlines()))
        return Outcome(0)


def _terminated(pod: Any) -> Any:
    """How the step's container ended; None where that is not known."""
    statuses = (pod.status.container_statuses or ()) if pod is not None and pod.status is not None else ()
    found = next((status for status in statuses if status.name == _CONTAINER), None)
    return found.state.terminated if found is not None and found.state is not None else None
