"""Launchers are found by name, also those of other people; in_process says what is missing."""

from __future__ import annotations

import importlib.util
import io
import logging
import signal
import sys

import pytest

from darwin_core.errors import MissingExtraError, RequestError
from darwin_operators.launchers import Launcher, StepLauncher, create_launcher, in_process
from darwin_operators.launchers.external_python import ExternalPythonLauncher
from darwin_operators.launchers.in_process import InProcessLauncher


@pytest.mark.parametrize("name", list(Launcher))
def test_every_launcher_is_there(name: Launcher) -> None:
    assert isinstance(create_launcher(name, {}), StepLauncher)


def test_by_import_path() -> None:
    path = f"{ExternalPythonLauncher.__module__}.ExternalPythonLauncher"
    assert isinstance(create_launcher(path, {"python": "/bin/sh"}), ExternalPythonLauncher)


@pytest.mark.parametrize("name", ["podman", "", "no.such.module", "json.JSONDecoder", "json.nothing"])
def test_unknown(name: str) -> None:
    with pytest.raises(
        RequestError, match=r"There is no launcher.*Known: in_process, external_python, docker, kubernetes"
    ):
        create_launcher(name, {})


def test_arguments_that_do_not_fit() -> None:
    with pytest.raises(RequestError, match=r"launcher_args do not fit launcher 'external_python'.*image"):
        create_launcher("external_python", {"image": "darwin:1"})


def test_airflow_holds_no_engine() -> None:
    assert importlib.util.find_spec("tensorflow") is None
    with pytest.raises(MissingExtraError, match=r"TensorFlow is not installed.*external_python"):
        InProcessLauncher().launch(["run-step", "fetch-data"], logging.getLogger())


def test_in_process_is_the_same_door(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Everything here is real but the look for the engine, which this command does not need."""
    monkeypatch.setattr(in_process.importlib.util, "find_spec", lambda _name: object())
    argv, handler = list(sys.argv), signal.getsignal(signal.SIGTERM)
    with caplog.at_level(logging.INFO):
        outcome = InProcessLauncher().launch(["schema", "NoSuchContract"], logging.getLogger("task"))
    assert outcome.exit_code == 2
    assert "There is no contract 'NoSuchContract'" in outcome.reason
    assert "There is no contract 'NoSuchContract'" in caplog.text
    assert (sys.argv, signal.getsignal(signal.SIGTERM)) == (argv, handler)


def test_usage_errors_are_bad_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_process.importlib.util, "find_spec", lambda _name: object())
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    assert InProcessLauncher().launch(["run-step", "dance"], logging.getLogger("task")).exit_code == 2
    assert InProcessLauncher().launch(["schema", "Pointer"], logging.getLogger("task")).exit_code == 0
    assert output.getvalue() == "", "the answer of the command line is not the task's"
