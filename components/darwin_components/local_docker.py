"""Kubeflow's local container runner, with failing containers reported as failures.

kfp 2.17 starts containers that remove themselves, and takes "no such container" from the engine for exit code 0.
Whether a failure is seen is then a race: of 160 failing containers 41 passed for successes on Docker, and of 60 on
podman 57. The runner made here keeps every container until its exit code is known, and removes it itself.
"""

from __future__ import annotations

import contextlib
from typing import Any

import docker
from kfp import local
from kfp.local import docker_task_handler

from darwin_components.local_loops import mend_loops

_GRACE_SECONDS = 60
"""For a step to stop and leave its work resumable when the run is interrupted."""


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
    try:
        for line in container.logs(stream=True):
            print(line.decode(errors="replace"), end="")  # noqa: T201 - the task's log
        return int(container.wait()["StatusCode"])
    except BaseException:
        with contextlib.suppress(docker.errors.APIError):
            container.stop(timeout=_GRACE_SECONDS)
        raise
    finally:
        container.remove(force=True)
