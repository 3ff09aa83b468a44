"""The trigger that starts a compaction when a retrain lands in the object store, whoever put it there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent
from pydantic import ValidationError

from darwin_core.contracts import StorageOptions
from darwin_core.contracts.base import explain_validation
from darwin_core.errors import RequestError, StorageError
from darwin_operators.hooks.darwin import DarwinHook
from darwin_operators.watching import ObjectWatch, Sighting


class ModelPointerTrigger(BaseEventTrigger):
    """Fires whenever an object of the store has changed since it was seen last.

    For an AssetWatcher, so that Airflow need not run the training to follow it; `ReferenceModelSensor` waits with it,
    too. An event is sent at least once: what was sent is remembered in the object store only afterwards. Trouble with
    the store is logged and waited out.

    Args:
        uri: The object to watch: the reference network itself, or the small pointer that training moves to it.
        memory: URI of the small object in which the last sighting is kept. Without it, each start of the triggerer
            reports what it finds as new.
        darwin_conn_id: Connection of type ``darwin``.
        storage: `StorageOptions` as a mapping, over those of the connection.
        poll_seconds: Seconds between two looks.
    """

    def __init__(
        self,
        uri: str,
        memory: str | None = None,
        darwin_conn_id: str | None = None,
        storage: Mapping[str, Any] | None = None,
        poll_seconds: float = 60.0,
    ) -> None:
        super().__init__()
        self.uri = uri
        self.memory = memory
        self.darwin_conn_id = darwin_conn_id
        self.storage = dict(storage or {})
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, from which a triggerer builds the trigger."""
        arguments = {
            "uri": self.uri,
            "memory": self.memory,
            "darwin_conn_id": self.darwin_conn_id,
            "storage": self.storage,
            "poll_seconds": self.poll_seconds,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look, wait, look again; yields the `Sighting` as a mapping each time something new is there."""
        watch = await asyncio.to_thread(open_watch, self.uri, self.memory, self.darwin_conn_id, self.storage)
        while True:
            try:
                found = await asyncio.to_thread(watch.look)
                if found is not None:
                    yield TriggerEvent(found.model_dump(mode="json"))
                    await asyncio.to_thread(watch.remember, found)
            except StorageError as error:
                self.log.warning("Cannot look at %s, trying again in %.0f s: %s", self.uri, self.poll_seconds, error)
            await asyncio.sleep(self.poll_seconds)


def open_watch(
    uri: str, memory: str | None, darwin_conn_id: str | None, storage: Mapping[str, Any] | None
) -> ObjectWatch:
    """A watch over the stores that the connection leads to."""
    hook = DarwinHook(darwin_conn_id or None)
    try:
        options = StorageOptions.model_validate(dict(storage or {}))
    except ValidationError as error:
        raise RequestError(f"`storage` does not fit StorageOptions: {explain_validation(error)}.") from None
    return ObjectWatch(uri, hook.open_store(uri, options), memory, hook.open_store(memory or uri, options))


def sighting_of(event: Mapping[str, Any]) -> Sighting:
    """What an event of `ModelPointerTrigger` says."""
    return Sighting.model_validate(dict(event))
