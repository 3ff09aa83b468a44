"""Launcher docker on podman's Docker-compatible socket: its log, its exit code, how it is stopped and found again.

The image holds next to nothing: programs and libraries are those of this machine, mounted read-only.
"""

from __future__ import annotations

import gc
import io
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException

from darwin_core.contracts import CompactionConfig, StepName
from darwin_core.errors import RequestError
from darwin_operators.arguments import door_arguments
from darwin_operators.launchers import Launcher, Outcome, create_launcher
from darwin_operators.launchers.docker import DockerLauncher

docker = pytest.importorskip("docker", reason="the Docker SDK is optional")

STAND_IN = Path(__file__).parents[1] / "stand_in_engine.py"
REPOSITORY = Path(__file__).parents[3]
IMAGE = "localhost/darwin-launcher-test:1"
LIMITS = {"Name": "nofile", "Soft": 20000, "Hard": 20000}, {"Name": "nproc", "Soft": 32768, "Hard": 32768}


@pytest.fixture(scope="module")
def podman() -> Iterator[list[str]]:
    """The command, with a storage of our own: what another run was killed over and left behind is none of ours."""
    if shutil.which("podman") is None or os.geteuid() != 0:
        pytest.skip("podman is not installed, or may not be used")
    home = Path(tempfile.mkdtemp(prefix="darwin-podman-"))
    command = ["podman", "--root", f"{home}/storage", "--runroot", f"{home}/run", "--storage-driver", "vfs"]
    try:
        yield command
    finally:
        subprocess.run([*command, "rm", "--all", "--force", "--time", "0"], capture_output=True, check=False)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def socket(podman: list[str]) -> Iterator[str]:
    """podman's API on a socket of our own."""
    home = Path(tempfile.mkdtemp(prefix="darwin-podman-"))
    conf = home / "containers.conf"
    # A root without CAP_SYS_RESOURCE cannot have podman's default limits.
    conf.write_text(
        '[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]\nnetns = "host"\n'
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    )
    url = f"unix://{home}/podman.sock"
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [*podman, "system", "service", "--time=0", url],
            env=os.environ | {"CONTAINERS_CONF": str(conf)},
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    try:
        until(lambda: (home / "podman.sock").exists() or process.poll() is not None, 300)
        assert process.poll() is None, (home / "log").read_text()
        yield url
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def image(podman: list[str]) -> str:
    """Two scripts that take the place of ``python``, and mount points."""
    scripts = {"darwin/stand-in/python": f'exec "{sys.executable}" "{STAND_IN}" -P "$@"'}
    if engine := os.environ.get("DARWIN_PYTHON"):
        scripts["darwin/engine/python"] = f'exec "{engine}" "$@"'
    command = [*podman, "import", "--quiet", "-", IMAGE]
    subprocess.run(command, input=root_folder(scripts), check=True, capture_output=True, timeout=300)
    return IMAGE


def root_folder(scripts: dict[str, str]) -> bytes:
    """A root file system as Debian lays it out, with nothing in it but ``scripts``."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in ("usr", "tmp", "proc", "sys", "dev", "etc", "darwin", "darwin/stand-in", "darwin/engine"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(folder)
        for name in ("bin", "lib", "lib64", "sbin"):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, f"usr/{name}"
            archive.addfile(link)
        for name, text in scripts.items():
            data = f"#!/bin/sh\n{text}\n".encode()
            script = tarfile.TarInfo(name)
            script.mode, script.size = 0o755, len(data)
            archive.addfile(script, io.BytesIO(data))
    return packed.getvalue()


@pytest.fixture
def make(image: str, socket: str, tmp_path: Path) -> Callable[..., DockerLauncher]:
    """Launchers whose container sees this machine's programs, and may write below ``tmp_path``."""
    roots = {"/usr", str(Path(sys.base_prefix)), str(Path(sys.prefix)), str(REPOSITORY)}
    if engine := os.environ.get("DARWIN_PYTHON"):
        roots |= {str(Path(engine).parents[1]), str(Path(engine).resolve().parents[1])}

    def build(scenario: str = "good", who: str = "stand-in", **arguments: Any) -> DockerLauncher:
        found = create_launcher(
            Launcher.DOCKER,
            {
                "image": image,
                "base_url": socket,
                "env": {"PATH": f"/darwin/{who}:/usr/bin", "SCENARIO": scenario, "HOME": "/tmp"},
                "volumes": [*(f"{root}:{root}:ro" for root in sorted(roots)), f"{tmp_path}:{tmp_path}:rw"],
                "options": {"network_mode": "host", "ulimits": list(LIMITS), "init": False},
                **arguments,
            },
        )
        assert isinstance(found, DockerLauncher)
        return found

    return build


@pytest.fixture
def arguments(config: dict[str, object]) -> list[str]:
    return door_arguments(StepName.FETCH_DATA, CompactionConfig.model_validate(config), "r1")


def until(look: Callable[[], Any], seconds: float = 300) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return found


def containers(socket: str) -> list[str]:
    client = docker.DockerClient(base_url=socket)
    try:
        return [item.name for item in client.containers.list(all=True, filters={"label": "darwin.step"})]
    finally:
        client.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "code", "reason"),
    [
        ("good", 0, "step fetch-data begins"),
        ("bad-request", 2, "Error: Expected a column 'default'."),
        ("crash", 1, "RuntimeError: out of luck"),
    ],
)
def test_exit_code_and_last_words(
    make: Callable[..., DockerLauncher],
    arguments: list[str],
    socket: str,
    tmp_path: Path,
    scenario: str,
    code: int,
    reason: str,
) -> None:
    outcome = make(scenario).launch(arguments, logging.getLogger())
    assert (outcome.exit_code, outcome.reason) == (code, reason)
    assert (tmp_path / "line/runs/r1/fetch-data/result.json").exists() == (code == 0)
    assert containers(socket) == [], "a container was left behind"


@pytest.mark.slow
def test_secrets_reach_the_step(make: Callable[..., DockerLauncher], arguments: list[str]) -> None:
    outcome = make("environment").launch(arguments, logging.getLogger(), {"AWS_SECRET_ACCESS_KEY": "open-sesame"})
    seen = json.loads(outcome.tail[-1])
    assert seen["AWS_SECRET_ACCESS_KEY"] == "open-sesame"
    assert not [name for name in seen if name.startswith("AIRFLOW")]


@pytest.mark.slow
def test_kill_stops_the_container(make: Callable[..., DockerLauncher], arguments: list[str], socket: str) -> None:
    running, outcomes = make("hang"), list[Outcome]()
    thread = threading.Thread(target=lambda: outcomes.append(running.launch(arguments, logging.getLogger())))
    thread.start()
    until(lambda: containers(socket))
    time.sleep(2)
    running.kill()
    thread.join(60)
    assert [outcome.exit_code for outcome in outcomes] == [143]
    assert containers(socket) == []


@pytest.mark.slow
def test_a_step_whose_task_vanished_is_found_again(
    make: Callable[..., DockerLauncher], arguments: list[str], socket: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The worker is killed outright; the next try waits for the same container instead of starting a second one."""
    settings = make("hang")._settings
    program = (
        "import json, logging, sys; from darwin_operators.launchers import create_launcher; "
        "create_launcher('docker', json.loads(sys.argv[1])).launch(json.loads(sys.argv[2]), logging.getLogger())"
    )
    given = {
        "image": IMAGE,
        "base_url": socket,
        "env": settings["environment"],
        "volumes": settings["volumes"],
        "options": {"network_mode": "host", "ulimits": list(LIMITS), "init": False},
    }
    worker = subprocess.Popen([sys.executable, "-c", program, json.dumps(given), json.dumps(arguments)])
    (name,) = until(lambda: containers(socket))
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    time.sleep(1)
    assert containers(socket) == [name], "the container goes on"

    outcomes: list[Outcome] = []
    again = make("hang")
    with caplog.at_level(logging.INFO):
        thread = threading.Thread(target=lambda: outcomes.append(again.launch(arguments, logging.getLogger())))
        thread.start()
        until(lambda: "of an earlier try at work" in caplog.text)
    assert containers(socket) == [name]
    again.kill()
    thread.join(60)
    assert [outcome.exit_code for outcome in outcomes] == [143]


@pytest.mark.slow
def test_a_real_step(make: Callable[..., DockerLauncher], tmp_path: Path) -> None:
    """The engine itself in a container: bad data are its own answer, in its own words, with its own exit code."""
    if not os.environ.get("DARWIN_PYTHON"):
        pytest.skip("DARWIN_PYTHON does not name the engine's interpreter")
    (tmp_path / "rows.csv").write_text("x,y\n1,0\n2,1\n")
    config = CompactionConfig.model_validate(
        {
            "line": str(tmp_path / "line"),
            "reference": str(tmp_path / "missing.keras"),
            "train": str(tmp_path / "rows.csv"),
            "roles": {"label": "y"},
        }
    )
    launcher = make(who="engine", env={"PATH": "/darwin/engine:/usr/bin", "DARWIN_WORK_DIR": str(tmp_path / "work")})
    outcome = launcher.launch(door_arguments(StepName.FETCH_DATA, config, "r1"), logging.getLogger())
    assert outcome.exit_code in (1, 2)
    assert "missing.keras" in outcome.reason


@pytest.mark.slow
def test_an_image_that_is_not_there(make: Callable[..., DockerLauncher], arguments: list[str]) -> None:
    with pytest.raises(RequestError, match=r"There is no image localhost/no-such-image:1.*launcher_args"):
        make(image="localhost/no-such-image:1").launch(arguments, logging.getLogger())


# The SDK leaves its socket open where nobody answers.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_engine_answers() -> None:
    with pytest.raises(AirflowException, match="No container engine answers at unix:///nowhere"):
        DockerLauncher("darwin-mlops:1", base_url="unix:///nowhere").launch(["run-step"], logging.getLogger())
    gc.collect()


def test_kill_before_the_step_does_nothing() -> None:
    DockerLauncher("darwin-mlops:1", base_url="unix:///nowhere").kill()
