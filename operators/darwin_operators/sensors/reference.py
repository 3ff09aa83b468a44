"""Wait for the retrained network, in a DAG that does not know when training ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseSensorOperator, PokeReturnValue, conf

from darwin_operators.operators.base import airflow_errors
from darwin_operators.triggers.pointer import ModelPointerTrigger, open_watch, sighting_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class ReferenceModelSensor(BaseSensorOperator):
    """Waits until the reference network is there, and is not the one that was there the last time.

    Its result is the sighting: URI, ETag and size. Where the training DAG runs in the same Airflow, an Asset is the
    better way; where nothing but the bucket is shared, so is an AssetWatcher with `ModelPointerTrigger`.

    Args:
        reference: URI of the network, or of the pointer that training moves.
        memory: URI of the small object in which the last sighting is kept; without it, any network will do.
        darwin_conn_id: Connection of type ``darwin``.
        storage: `StorageOptions` as a mapping, over those of the connection.
        deferrable: Wait in the triggerer; by default what ``[operators] default_deferrable`` says.
        **kwargs: Arguments of every sensor: ``poke_interval``, ``timeout`` ...
    """

    template_fields: Sequence[str] = ("reference", "memory", "darwin_conn_id", "storage")
    template_fields_renderers: ClassVar[dict[str, str]] = {"storage": "json"}
    ui_color = "#d9ead3"

    def __init__(
        self,
        *,
        reference: str,
        memory: str | None = None,
        darwin_conn_id: str | None = None,
        storage: Mapping[str, Any] | None = None,
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.reference = reference
        self.memory = memory
        self.darwin_conn_id = darwin_conn_id
        self.storage = storage
        self.deferrable = (
            conf.getboolean("operators", "default_deferrable", fallback=False) if deferrable is None else deferrable
        )

    def execute(self, context: Context) -> Any:
        """Look once; then wait in the triggerer, or here."""
        if not self.deferrable:
            return super().execute(context)
        found = self.poke(context)
        if found.is_done:
            return found.xcom_value
        trigger = ModelPointerTrigger(
            uri=self.reference,
            memory=self.memory,
            darwin_conn_id=self.darwin_conn_id,
            storage=self.storage,
            poll_seconds=self.poke_interval,
        )
        return self.defer(
            trigger=trigger, method_name=self.execute_complete.__name__, timeout=timedelta(seconds=self.timeout)
        )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - Airflow's
        """Keep what the trigger has seen, and give it on."""
        with airflow_errors():
            sighting = sighting_of(event)
            open_watch(self.reference, self.memory, self.darwin_conn_id, self.storage).remember(sighting)
        self.log.info("Found %s (%s bytes)", sighting.uri, f"{sighting.size_bytes:,}")
        return sighting.model_dump(mode="json")

    def poke(self, context: Context) -> PokeReturnValue:  # noqa: ARG002 - Airflow's signature
        """Look once."""
        with airflow_errors():
            watch = open_watch(self.reference, self.memory, self.darwin_conn_id, self.storage)
            found = watch.look()
            if found is None:
                return PokeReturnValue(is_done=False)
            watch.remember(found)
        return PokeReturnValue(is_done=True, xcom_value=found.model_dump(mode="json"))
