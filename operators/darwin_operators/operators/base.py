"""What all operators share: rendering, launching, exit codes as Airflow's exceptions, and reading the result."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    BaseOperator,
    TaskDeferred,
)

from darwin_core.contracts import CompactionConfig, StepName, StepRequest, StepResult
from darwin_core.errors import DarwinError, MissingExtraError, RequestError
from darwin_operators.arguments import door_arguments, read_config, run_name
from darwin_operators.hooks.darwin import DarwinHook
from darwin_operators.launchers import Launcher, Outcome, StepLauncher, create_launcher
from darwin_operators.links import store_url
from darwin_operators.stored_run import StoredRun

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

_BAD_REQUEST = 2
_KILLED = 137


@dataclass(frozen=True)
class FinishedStep:
    """A step that ended well, and where its operator finds everything about it."""

    context: Context
    config: CompactionConfig
    run: StoredRun
    request: StepRequest
    result: StepResult


class CompactionStepOperator(BaseOperator):
    """Runs one step of a compaction run.

    A bad request fails for good; trouble with the store or a step that died is retried as the task says. A step that
    succeeded before with the same inputs is not run again, so clearing a task is cheap and safe.

    Args:
        config: The run's `CompactionConfig`: itself, a mapping, JSON text, or the URI of a JSON object.
        run_id: Name of the run below the model line, the same for all five steps. By default the DAG run's id.
        launcher: Where the step runs: a `Launcher`, or the import path of a class derived from `StepLauncher`.
        launcher_args: Arguments of the launcher, e.g. ``{"python": "/opt/darwin/bin/python"}``.
        darwin_conn_id: Connection of type ``darwin``, see `DarwinHook`; without it the store is reached as the
            configuration and the environment say.
        report_base_url: See `darwin_operators.links.store_url`; where it is left out, the connection's applies, then
            option ``report_base_url`` of section ``darwin`` of Airflow's configuration.
        **kwargs: Arguments of every operator.
    """

    step: ClassVar[StepName]

    template_fields: Sequence[str] = (
        "config",
        "run_id",
        "launcher",
        "launcher_args",
        "darwin_conn_id",
        "report_base_url",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"config": "json", "launcher_args": "json"}
    ui_color = "#d9ead3"

    _running: StepLauncher | None = None
    _finished: FinishedStep | None = None
    report_url: str | None = None
    version_url: str | None = None

    def __init__(
        self,
        *,
        config: CompactionConfig | Mapping[str, Any] | str,
        run_id: str = "{{ run_id }}",
        launcher: Launcher | str = Launcher.EXTERNAL_PYTHON,
        launcher_args: Mapping[str, Any] | None = None,
        darwin_conn_id: str | None = None,
        report_base_url: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        # Plain JSON, so that its text is rendered and the serialised DAG stays the same from parse to parse.
        self.config = config.model_dump(mode="json") if isinstance(config, CompactionConfig) else config
        self.run_id = run_id
        self.launcher = str(launcher)
        self.launcher_args = launcher_args
        self.darwin_conn_id = darwin_conn_id
        self.report_base_url = report_base_url

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the step and give back its result as JSON, for people and for Jinja; it is read from the store."""
        return self._carry_out(
            context,
            lambda config, name: self._launcher().launch(
                self.arguments(config, name), self.log, self._hook().environment()
            ),
        )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Go on after the launcher waited in the triggerer."""
        return self._carry_out(context, lambda _config, _name: self._launcher().resume(event, self.log))

    def _carry_out(self, context: Context, run_it: Callable[[CompactionConfig, str], Outcome]) -> dict[str, Any]:
        with airflow_errors():
            config, name = self.read(context)
            try:
                self._check(run_it(config, name))
            except TaskDeferred as deferred:
                self.defer(
                    trigger=deferred.trigger, method_name=self.execute_complete.__name__, timeout=deferred.timeout
                )
            run = StoredRun(config, name, self._hook().open_store(config.line, config.storage))
            request = self.request(run)
            result = run.fresh_result(self.step, request)
            self.log.info("Step %s took %.1f s; its result is %s", self.step, result.seconds, run.result_uri(self.step))
            self._finished = FinishedStep(context, config, run, request, result)
            notes = self.conclude(self._finished)
        return {
            "run_id": name,
            "result_uri": run.result_uri(self.step),
            **result.model_dump(mode="json"),
            **notes,
        }

    def arguments(self, config: CompactionConfig, run_id: str) -> list[str]:
        """What the launcher runs: the command line behind ``darwin``."""
        return door_arguments(self.step, config, run_id)

    def request(self, run: StoredRun) -> StepRequest:
        """What the step is asked for, given what the steps before it have stored."""
        return run.request(self.step)

    @abstractmethod
    def conclude(self, done: FinishedStep) -> dict[str, Any]:
        """Look at the result; what comes back is added to the XCom. May skip or fail the task."""

    def on_kill(self) -> None:
        """Stop the step with everything it started."""
        if self._running is not None:
            self._running.kill()

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002 - the provider's signature
        """What the step read and wrote, for OpenLineage; called only where its provider is installed."""
        if self._finished is None:
            return None
        from darwin_operators.lineage import step_lineage

        return step_lineage(self._finished.request, self._finished.result)

    def link(self, uri: str, config: CompactionConfig) -> str:
        """The address at which people open an object of the store."""
        return store_url(uri, config.storage, self._hook().base_url(self.report_base_url))

    def read(self, context: Context) -> tuple[CompactionConfig, str]:  # noqa: ARG002 - mapped tasks ask who they are
        """The run's configuration, with what the connection adds, and its name."""
        config = read_config(self.config, self._hook().open_store)
        storage = self._hook().storage_options(config.storage)
        return config.model_copy(update={"storage": storage}), run_name(self.run_id)

    def _hook(self) -> DarwinHook:
        return DarwinHook(self.darwin_conn_id or None)

    def _launcher(self) -> StepLauncher:
        self._running = create_launcher(self.launcher, self.launcher_args or {})
        return self._running

    def _check(self, outcome: Outcome) -> None:
        if outcome.exit_code == 0:
            return
        if outcome.exit_code == _BAD_REQUEST:
            raise AirflowFailException(f"Step {self.step} cannot be done as asked: {outcome.reason}")
        hint = " It was killed; on a small machine that is mostly for memory." if outcome.exit_code == _KILLED else ""
        raise AirflowException(
            f"Step {self.step} ended with exit code {outcome.exit_code}.{hint} The last it said: {outcome.reason}"
        )


@contextmanager
def airflow_errors() -> Iterator[None]:
    """Turn Darwin's errors into Airflow's: what a second try cannot mend fails for good, all else may be retried."""
    try:
        yield
    except (RequestError, MissingExtraError) as error:
        raise AirflowFailException(str(error)) from error
    except DarwinError as error:
        raise AirflowException(str(error)) from error
