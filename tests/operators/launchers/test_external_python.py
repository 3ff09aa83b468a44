"""A real child process behind the launcher: its log, its exit code, its environment, and how it is stopped."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from darwin_core.errors import RequestError
from darwin_operators.launchers import Launcher, Outcome, create_launcher, external_python
from darwin_operators.launchers.external_python import ExternalPythonLauncher, child_environment, find_interpreter

STEP = ["run-step", "synthesize"]


class Lines(logging.Handler):
    """Keeps what was logged, and when."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.times: list[float] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self.times.append(time.monotonic())

    def pids(self) -> tuple[int, int]:
        """What the stand-in told: its own process id and another."""
        words = wait_for(lambda: next((line.split() for line in self.lines if line.startswith("pids ")), None))
        return int(words[1]), int(words[2])


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def log(lines: Lines) -> logging.Logger:
    logger = logging.Logger("task", logging.INFO)
    logger.addHandler(lines)
    return logger


def launcher(python: str, scenario: str) -> ExternalPythonLauncher:
    return ExternalPythonLauncher(python, {"SCENARIO": scenario})


def wait_for(look, seconds: float = 20.0):
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize(
    ("scenario", "code", "reason"),
    [
        ("chatter", 0, "third"),
        ("bad-request", 2, "Error: Expected a column 'default'."),
        ("crash", 1, "RuntimeError: out of luck"),
        ("out-of-memory", 137, "step synthesize begins"),
    ],
)
def test_exit_code_and_last_words(stand_in: str, log: logging.Logger, scenario: str, code: int, reason: str) -> None:
    outcome = launcher(stand_in, scenario).launch(STEP, log)
    assert (outcome.exit_code, outcome.reason) == (code, reason)


def test_log_lines_come_one_by_one(stand_in: str, log: logging.Logger, lines: Lines) -> None:
    launcher(stand_in, "chatter").launch(STEP, log)
    assert lines.lines[1:] == ["step synthesize begins", "first", "zweite Zeile: größer", "third"]


def test_log_lines_come_while_the_step_runs(stand_in: str, log: logging.Logger, lines: Lines) -> None:
    running = launcher(stand_in, "hang")
    thread = threading.Thread(target=running.launch, args=(STEP, log))
    thread.start()
    try:
        lines.pids()
        assert thread.is_alive()
    finally:
        running.kill()
        thread.join(20)


def test_the_last_words_are_words() -> None:
    assert Outcome(1).reason == "it said nothing"
    assert (
        Outcome(2, ("Usage: darwin", "╭─ Error ─╮", "│ No such option. │", "╰─────────╯")).reason == "No such option."
    )


def test_kill_stops_the_whole_process_group_with_143(stand_in: str, log: logging.Logger, lines: Lines) -> None:
    running, outcomes = launcher(stand_in, "hang"), []
    thread = threading.Thread(target=lambda: outcomes.append(running.launch(STEP, log)))
    thread.start()
    engine, helper = lines.pids()
    running.kill()
    thread.join(20)
    assert [outcome.exit_code for outcome in outcomes] == [143]
    wait_for(lambda: is_gone(engine) and is_gone(helper))


def test_a_step_that_ignores_sigterm_is_killed(
    stand_in: str, log: logging.Logger, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external_python, "_GRACE_SECONDS", 0.3)
    running, outcomes = launcher(stand_in, "stubborn"), []
    thread = threading.Thread(target=lambda: outcomes.append(running.launch(STEP, log)))
    thread.start()
    lines.pids()
    running.kill()
    thread.join(20)
    assert [outcome.exit_code for outcome in outcomes] == [137]


def test_kill_before_and_after_the_step_does_nothing(stand_in: str, log: logging.Logger) -> None:
    running = launcher(stand_in, "chatter")
    running.kill()
    running.launch(STEP, log)
    running.kill()


def test_what_a_finished_step_left_running_is_stopped(stand_in: str, log: logging.Logger, lines: Lines) -> None:
    started = time.monotonic()
    assert launcher(stand_in, "orphan").launch(STEP, log).exit_code == 0
    assert time.monotonic() - started < 30, "the launcher waited for the orphan"
    wait_for(lambda: is_gone(lines.pids()[1]))


def test_an_interrupted_wait_stops_the_step(stand_in: str, log: logging.Logger, lines: Lines) -> None:
    """Airflow's execution_timeout raises inside of ``launch``, from a signal handler."""

    def time_out(_number: int, _frame: object) -> None:
        raise TimeoutError

    threading.Thread(target=lambda: (lines.pids(), os.kill(os.getpid(), signal.SIGUSR1)), daemon=True).start()
    before = signal.signal(signal.SIGUSR1, time_out)
    try:
        with pytest.raises(TimeoutError):
            launcher(stand_in, "hang").launch(STEP, log)
    finally:
        signal.signal(signal.SIGUSR1, before)
    engine, helper = lines.pids()
    wait_for(lambda: is_gone(engine) and is_gone(helper))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's help exists on Linux only")
def test_the_step_dies_with_the_task(stand_in: str) -> None:
    task = textwrap.dedent(f"""
        import logging, sys
        from darwin_operators.launchers.external_python import ExternalPythonLauncher
        log = logging.Logger("task", logging.INFO)
        log.addHandler(logging.StreamHandler(sys.stdout))
        ExternalPythonLauncher({stand_in!r}, {{"SCENARIO": "hang"}}).launch({STEP!r}, log)
    """)
    process = subprocess.Popen([sys.executable, "-c", task], stdout=subprocess.PIPE, text=True)
    with process, ExitStack() as stack:
        stack.callback(process.kill)
        assert process.stdout is not None
        words = next(line.split() for line in process.stdout if line.startswith("pids "))
        # The stand-in gets SIGKILL and cannot stop its own helper.
        stack.callback(os.kill, int(words[2]), signal.SIGKILL)
        process.kill()
        wait_for(lambda: is_gone(int(words[1])))


def test_the_engine_sees_no_secret_of_airflow(
    stand_in: str, log: logging.Logger, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://airflow:open-sesame@db/airflow")
    monkeypatch.setenv("AIRFLOW_CONN_BANK", "https://user:open-sesame@bank")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    launcher(stand_in, "environment").launch(STEP, log)
    seen = json.loads(lines.lines[-1])
    assert not [name for name in seen if name.startswith("AIRFLOW")]
    assert "open-sesame" not in json.dumps(seen)
    assert (seen["AWS_REGION"], seen["SCENARIO"], seen["PYTHONUNBUFFERED"]) == ("eu-central-1", "environment", "1")


def test_the_other_interpreter_is_not_led_astray() -> None:
    inherited = {"PYTHONPATH": "/airflow", "PYTHONHOME": "/airflow", "VIRTUAL_ENV": "/airflow", "HOME": "/root"}
    assert set(child_environment(inherited, {})) == {"HOME", "PYTHONUNBUFFERED", "PYTHONIOENCODING"}


def test_interpreter_by_argument_configuration_and_environment(
    stand_in: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DARWIN_PYTHON", raising=False)
    with pytest.raises(RequestError, match=r"does not know the engine's interpreter.*DARWIN_PYTHON"):
        find_interpreter(None)
    monkeypatch.setenv("DARWIN_PYTHON", "/bin/sh")
    assert find_interpreter(None) == "/bin/sh"
    monkeypatch.setenv("AIRFLOW__DARWIN__PYTHON", stand_in)
    assert find_interpreter(None) == stand_in
    assert find_interpreter("/bin/cat") == "/bin/cat"
    assert Path(find_interpreter("cat")).is_absolute()
    with pytest.raises(RequestError, match="should be an executable file"):
        find_interpreter(str(tmp_path / "missing"))


def test_an_interpreter_that_cannot_start(tmp_path: Path, log: logging.Logger) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/does/not/exist\n")
    broken.chmod(0o755)
    with pytest.raises(RequestError, match="cannot be started"):
        ExternalPythonLauncher(str(broken)).launch(STEP, log)


def test_the_real_door_says_what_is_wrong(log: logging.Logger) -> None:
    python = os.environ.get("DARWIN_PYTHON")
    if not python:
        pytest.skip("DARWIN_PYTHON does not name the engine's interpreter")
    outcome = create_launcher(Launcher.EXTERNAL_PYTHON, {"python": python}).launch(["schema", "NoSuchContract"], log)
    assert outcome.exit_code == 2
    assert "There is no contract 'NoSuchContract'" in " ".join(outcome.tail)
