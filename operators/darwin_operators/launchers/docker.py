"""Run a step in a container of the worker's Docker or Podman."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from airflow.providers.common.compat.sdk import AirflowException

from darwin_core.errors import MissingExtraError, RequestError
from darwin_operators.launchers.base import Outcome, StepLauncher, StepLog
from darwin_operators.launchers.image import COMMAND, find_image

# Airflow kills a task that has not ended five seconds after SIGTERM.
_GRACE_SECONDS: Final = 4
_LABEL: Final = "darwin.step"


class DockerLauncher(StepLauncher):
    """Streams the container's log into the task's, and removes the container at the end.

    The container's name follows from image and arguments. Should the worker vanish, the container goes on, and the
    task's next try finds it by that name and waits for it instead of starting the step a second time.

    Args:
        image: See `darwin_operators.launchers.image.find_image`.
        base_url: The engine's socket, e.g. ``unix:///run/podman/podman.sock``; by default what ``DOCKER_HOST`` says.
        env: Environment variables of the container.
        volumes: ``source:target:mode``. With a named volume at ``DARWIN_WORK_DIR`` a step that was stopped goes on
            where it was; without one it starts again.
        network: Docker network of the container.
        options: Anything else that ``containers.create`` of the Docker SDK takes, e.g. ``{"mem_limit": "8g"}``.
    """

    def __init__(
        self,
        image: str | None = None,
        base_url: str | None = None,
        env: Mapping[str, str] | None = None,
        volumes: Sequence[str] = (),
        network: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self._image = image
        self._base_url = base_url
        self._settings = {
            "environment": dict(env or {}),
            "volumes": list(volumes),
            "network": network,
            **dict(options or {}),
        }
        self._name: str | None = None

    def launch(
        self, arguments: Sequence[str], log: logging.Logger, secrets: Mapping[str, str] | None = None
    ) -> Outcome:
        """Run the image with ``arguments``.

        Raises:
            MissingExtraError: The Docker SDK is not installed here.
            RequestError: The image does not exist, or the engine refuses what was asked for.
        """
        image, told = find_image(self._image), StepLog(log)
        self._name = _container_name(image, arguments)
        with self._client() as client, _engine_errors(image):
            container = self._running(client, log) or self._start(client, image, arguments, secrets or {})
            try:
                for line in _lines(container.logs(stream=True, follow=True)):
                    told.say(line)
                code = int(container.wait()["StatusCode"])
            except BaseException:
                container.stop(timeout=_GRACE_SECONDS)  # a time-out of Airflow interrupted the wait
                raise
            finally:
                with suppress(_docker().errors.APIError):
                    container.remove(force=True)
        return Outcome(code, tuple(told.tail))

    def kill(self) -> None:
        """SIGTERM to the container, and SIGKILL by the engine for what is still there after a few seconds."""
        if self._name is None:
            return
        # In a thread: this may run inside a signal handler, on top of a request of `launch`.
        stopper = threading.Thread(target=self._stop, args=(self._name,), daemon=True)
        stopper.start()
        stopper.join(_GRACE_SECONDS)

    def _stop(self, name: str) -> None:
        with self._client() as client, suppress(_docker().errors.APIError):
            client.containers.get(name).stop(timeout=_GRACE_SECONDS)

    @contextmanager
    def _client(self) -> Iterator[Any]:
        library = _docker()
        try:
            # Without a time-out for reading: a step may be silent for long.
            client = (
                library.DockerClient(base_url=self._base_url, timeout=None)
                if self._base_url
                else library.from_env(timeout=None)
            )
        except library.errors.DockerException as error:
            raise AirflowException(
                f"No container engine answers at {self._base_url or 'DOCKER_HOST'}: {error}"
            ) from error
        try:
            yield client
        finally:
            client.close()

    def _running(self, client: Any, log: logging.Logger) -> Any:
        """The container that an earlier try left running; one that has ended is removed."""
        try:
            found = client.containers.get(self._name)
        except _docker().errors.NotFound:
            return None
        if found.status == "running":
            log.info("Found container %s of an earlier try at work; waiting for it", self._name)
            return found
        found.remove(force=True)
        return None

    def _start(self, client: Any, image: str, arguments: Sequence[str], secrets: Mapping[str, str]) -> Any:
        settings = dict(self._settings)
        settings["environment"] = {"PYTHONUNBUFFERED": "1", **settings["environment"], **secrets}
        container = client.containers.create(
            image,
            entrypoint=list(COMMAND),
            command=list(arguments),
            name=self._name,
            labels={_LABEL: " ".join(arguments[:2])},
            **{"init": True, **settings},
        )
        container.start()
        return container


def _container_name(image: str, arguments: Sequence[str]) -> str:
    digest = hashlib.sha256(json.dumps([image, *arguments]).encode()).hexdigest()
    return f"darwin-{digest[:24]}"


def _lines(chunks: Iterator[bytes]) -> Iterator[str]:
    """Complete lines of a stream; what the engine sends ends anywhere."""
    rest = b""
    for chunk in chunks:
        *complete, rest = (rest + chunk).split(b"\n")
        yield from (line.decode(errors="replace").rstrip() for line in complete if line.strip())
    if rest.strip():
        yield rest.decode(errors="replace").rstrip()


@contextmanager
def _engine_errors(image: str) -> Iterator[None]:
    errors = _docker().errors
    try:
        yield
    except errors.ImageNotFound as error:
        raise RequestError(
            f"There is no image {image}: {error.explanation}.",
            hint="Build or pull it on every worker, or name another one: launcher_args={'image': ...}.",
        ) from error
    except errors.APIError as error:
        if error.is_client_error():
            raise RequestError(f"The container engine refuses what was asked for: {error.explanation}.") from error
        raise AirflowException(f"The container engine failed: {error.explanation or error}") from error


def _docker() -> Any:
    try:
        import docker
    except ImportError as error:
        raise MissingExtraError(
            "Launcher docker needs the Docker SDK, which is not installed here.",
            hint="Install it with: pip install 'darwin-mlops[airflow-docker]'.",
        ) from error
    return docker
