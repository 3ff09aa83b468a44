"""Kubeflow's local container runner, with failing containers reported as failures.

kfp 2.17 starts containers that remove themselves, and takes "no such container" from the engine for exit code 0.
Whether a failure is seen is then a race: of 160 failing containers 41 passed for successes on Docker, and of 60 on
podman 57. The runner made here keeps every container until its exit code is known, and removes it itself.

It does not wait for the end of a log either: podman 4.3 now and then follows the log of a container that has ended for
ever, and the step with it.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import docker
from docker.models.containers import Container
from kfp import local
from kfp.local import docker_task_handler

from darwin_components.local_loops import mend_loops

_GRACE_SECONDS = 60
"""For a step to stop and leave its work resumable when the run is interrupted."""

_SILENCE_SECONDS = 2.0
"""How long the followed log of a container that has ended may say nothing before it is read anew, as a whole."""


def docker_runner(**container_run_args: Any) -> local.DockerRunner:
    """A runner for ``kfp.local.init``; from now on, DockerRunners of this process tell failures and loops are mended.

    Args:
        container_run_args: Arguments of the Docker SDK's ``containers.run``, e.g. ``network_mode`` or ``environment``.

    Example:
        ``local.init(docker_runner(network_mode="none"), pipeline_root="local_outputs")``
    """
    docker_task_handler.run_docker_container = run_container
    mend_loops()
    return local.DockerRunner(**container_run_args)


def run_container(
    client: docker.DockerClient, image: str, command: list[str], volumes: dict[str, Any], **container_run_args: Any
) -> int:
    """Run a container to its end, showing its log.

    Args:
        client: The engine: Docker's, or podman's on its Docker-compatible socket.
        image: Name of the image; pulled where the engine does not have it.
        command: What to run.
        volumes: Folders to mount, as the Docker SDK takes them.
        container_run_args: Further arguments of ``containers.run``.

    Returns:
        The exit code of the container.
    """
    client.api.timeout = None  # podman answers the request for a log with its first line, however long that takes
    name = docker_task_handler.add_latest_tag_if_not_present(image)
    try:
        client.images.get(name)
    except docker.errors.ImageNotFound:
        client.images.pull(name)
    container = client.containers.run(name, command, detach=True, volumes=volumes, **container_run_args)
    log = _Log(container)
    try:
        log.start()
        code = int(container.wait()["StatusCode"])
        log.finish()
        return code
    except BaseException:
        with contextlib.suppress(docker.errors.APIError):
            container.stop(timeout=_GRACE_SECONDS)
        raise
    finally:
        container.remove(force=True)


class _Log(threading.Thread):
    """Shows what a container says as it says it. A daemon: an engine that never ends a log holds up nobody."""

    def __init__(self, container: Container) -> None:
        super().__init__(name=f"log of {container.name}", daemon=True)
        self._container = container
        self._lock = threading.Lock()
        self._shown = 0  # bytes
        self._finished = False

    def run(self) -> None:
        with contextlib.suppress(docker.errors.APIError, OSError):  # finish() reads what is missing
            for chunk in self._container.logs(stream=True):
                with self._lock:
                    if self._finished:
                        return
                    self._show(chunk)

    def finish(self) -> None:
        """Of a container that has ended: show what was not shown, once."""
        shown = -1
        while self.is_alive() and shown < self._shown:
            shown = self._shown
            self.join(_SILENCE_SECONDS)
        with self._lock:
            self._finished = True
            self._show(self._container.logs()[self._shown :])

    def _show(self, chunk: bytes) -> None:
        self._shown += len(chunk)
        print(chunk.decode(errors="replace"), end="", flush=True)  # noqa: T201 - the task's log
