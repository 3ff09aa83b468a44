"""A real Airflow on loopback: API server, scheduler, DAG processor and triggerer, each in its own process group."""

from __future__ import annotations

import ctypes
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

import requests
from airflow_rest import AirflowRest, wait_until

USER = "admin"
START_SECONDS = 600
POSTGRES = Path(__file__).parents[1] / "infra" / "postgres.sh"
_PR_SET_PDEATHSIG = 1

PARTS = {
    "api-server": ("api-server", "--host", "127.0.0.1", "--port", "{port}", "--workers", "1"),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}


class AirflowRuntime:
    """A running Airflow.

    Attributes:
        home: Its folder; logs of the four parts lie in ``home/parts``.
        password: Of the user ``admin``.
        url: Of the API server.
        rest: A client that is logged in.
        parts: The four processes by name.
    """

    def __init__(self, home: Path, url: str, password: str, parts: Mapping[str, Part]) -> None:
        self.home = home
        self.url = url
        self.password = password
        self.rest = AirflowRest(url, USER, password)
        self.parts = parts


class Part:
    """One of the four processes. It can be killed as a machine that goes down kills it, and started again."""

    def __init__(self, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        self._command = command
        self._environment = dict(environment)
        self._log = log
        self._earlier: list[subprocess.Popen[bytes]] = []
        self._process = self._start()

    def kill(self) -> None:
        """SIGKILL to the process itself; its children are left to themselves, as they would be."""
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Start another process in the place of the one that was killed."""
        self._earlier.append(self._process)
        self._process = self._start()

    def check(self) -> None:
        """Fail where the process has ended by itself."""
        assert self._process.poll() is None, (
            f"{self._command[3]} had ended with {self._process.returncode}: see {self._log}"
        )

    def stop(self) -> None:
        """Stop everything that was started here."""
        _stop_tree(self._process)
        for process in self._earlier:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as output:
            return subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )


@contextmanager
def postgres() -> Iterator[str | None]:
    """The address of an empty database in a PostgreSQL of our own; None where PostgreSQL is not installed."""
    if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        yield None
        return
    port = free_port()
    home = Path(tempfile.gettempdir()) / f"darwin-postgres-{port}"
    environment = os.environ | {"DARWIN_POSTGRES_HOME": str(home), "DARWIN_POSTGRES_PORT": str(port)}

    def run(what: str) -> str:
        command = [str(POSTGRES), what]
        return subprocess.run(
            command, env=environment, check=True, stdout=subprocess.PIPE, text=True, timeout=300
        ).stdout.strip()

    try:
        run("start")
        yield run("url")
    finally:
        run("wipe")


@contextmanager
def running_airflow(
    home: Path, dags: Path, environment: Mapping[str, str] | None = None, database: str | None = None
) -> Iterator[AirflowRuntime]:
    """Start all four parts and stop them again, whatever happens in the block, also when this process is told to end.

    Args:
        home: A folder for database, configuration and logs.
        dags: The DAGs folder.
        environment: What to set beside Airflow's own settings.
        database: SQLAlchemy's address of an empty database; by default a file of SQLite.
    """
    home.mkdir(parents=True, exist_ok=True)
    port, password = free_port(), secrets.token_hex(8)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    settings = inherited | airflow_settings(home, dags, port, password) | dict(environment or {})
    if database:
        settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = database
    logs = home / "parts"
    logs.mkdir(exist_ok=True)
    subprocess.run(airflow_command("db", "migrate"), env=settings, check=True, capture_output=True, timeout=300)
    url = f"http://127.0.0.1:{port}"
    with _sigterm_as_interrupt(), ExitStack() as stack:
        parts: dict[str, Part] = {}
        for name, arguments in PARTS.items():
            command = airflow_command(*(text.format(port=port) for text in arguments))
            parts[name] = Part(command, settings, logs / f"{name}.log")
            stack.callback(parts[name].stop)
        wait_until(lambda: _is_healthy(url), START_SECONDS, f"Airflow at {url} (logs in {logs})")
        yield AirflowRuntime(home, url, password, parts)
        for part in parts.values():
            part.check()


def airflow_settings(home: Path, dags: Path, port: int, password: str) -> dict[str, str]:
    """Environment variables of an Airflow with LocalExecutor that listens on loopback only."""
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps({USER: password}))
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_HOST": "127.0.0.1",
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        # What a dead scheduler left behind is looked for soon: a test waits for it.
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "15",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "PYTHONWARNINGS": "ignore",
    }


def airflow_command(*arguments: str) -> list[str]:
    """A command line of the Airflow that belongs to this interpreter."""
    return [sys.executable, "-m", "airflow", *arguments]


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """SIGTERM would end this process without leaving any block; an interrupt leaves them all."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop_tree(process: subprocess.Popen[bytes]) -> None:
    """Stop a part, its process group, and children that made groups of their own (tasks and their engines)."""
    tree = [process.pid, *_descendants(process.pid)]
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(15)
    for pid in tree:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _descendants(pid: int) -> list[int]:
    """Process ids below ``pid``, read from /proc."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, task.read_text().split()):
                found += [child, *_descendants(child)]
    return found


_LIBC = ctypes.CDLL(None)


def _end_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _is_healthy(url: str) -> bool:
    try:
        answer = requests.get(f"{url}/api/v2/monitor/health", timeout=10, proxies={"http": "", "https": ""})
        parts = answer.json()
    except (requests.RequestException, ValueError):
        return False
    wanted = ("metadatabase", "scheduler", "dag_processor", "triggerer")
    return all((parts.get(part) or {}).get("status") == "healthy" for part in wanted)
