"""The trigger over real stores: what it reports, what it remembers, and how it meets trouble."""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Asset, AssetWatcher
from airflow.sdk.exceptions import TaskDeferred
from airflow.triggers.base import BaseEventTrigger
from support.s3 import KEYS, S3Server, admin_client

from darwin_core.storage import open_store
from darwin_operators import ModelPointerTrigger, ReferenceModelSensor, watching
from darwin_pipelines.airflow_dags import watched_reference


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_SETTLE_SECONDS", 0.01)


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, str]:
    return tmp_path / "reference.keras", str(tmp_path / "line" / "watched" / "reference.json")


def next_event(trigger: ModelPointerTrigger) -> dict[str, Any]:
    """What a triggerer gets next from the trigger, and then handles before it is stopped."""

    async def listen() -> dict[str, Any]:
        async with aclosing(trigger.run()) as stream:
            event = await asyncio.wait_for(anext(stream), 60)
            with suppress(TimeoutError):  # what was sent is remembered when the triggerer comes back for more
                await asyncio.wait_for(anext(stream), 1)
            return event.payload

    return asyncio.run(listen())


def nothing_happens(trigger: ModelPointerTrigger) -> bool:
    async def listen() -> bool:
        async with aclosing(trigger.run()) as stream:
            with suppress(TimeoutError):
                await asyncio.wait_for(anext(stream), 0.5)
                return False
            return True

    return asyncio.run(listen())


def test_it_can_be_sent_to_a_triggerer(places: tuple[Path, str]) -> None:
    reference, memory = places
    trigger = ModelPointerTrigger(str(reference), memory, "bank", {"region": "eu-central-1"}, 7.0)
    path, arguments = trigger.serialize()
    assert path == "darwin_operators.triggers.pointer.ModelPointerTrigger"
    assert ModelPointerTrigger(**json.loads(json.dumps(arguments))).serialize() == (path, arguments)
    assert isinstance(trigger, BaseEventTrigger), "only those may be behind an AssetWatcher"


def test_each_retrain_is_reported_once_also_after_a_restart(places: tuple[Path, str]) -> None:
    reference, memory = places

    def restarted() -> ModelPointerTrigger:
        return ModelPointerTrigger(str(reference), memory, poll_seconds=0.02)

    assert nothing_happens(restarted())
    reference.write_bytes(b"monday")
    first = next_event(restarted())
    assert (first["uri"], first["size_bytes"]) == (str(reference), 6)
    assert nothing_happens(restarted())
    reference.write_bytes(b"tuesday")
    assert next_event(restarted())["size_bytes"] == 7


def test_a_file_that_still_grows_is_left_alone(places: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    reference, memory = places
    reference.write_bytes(b"half")
    watch = watching.ObjectWatch(str(reference), open_store(str(reference)), memory)
    monkeypatch.setattr(watching.time, "sleep", lambda _seconds: reference.write_bytes(b"half and more"))
    assert watch.look() is None


def test_trouble_with_the_store_is_waited_out(moto_server: S3Server, s3_environment: S3Server) -> None:
    """The bucket appears after the trigger has started."""
    uri = f"s3://bucket-of-{uuid.uuid4().hex[:12]}/reference.keras"
    storage = {"endpoint_url": moto_server.endpoint, "path_style": True}
    trigger = ModelPointerTrigger(uri, f"{uri}.seen", None, storage, 0.1)

    async def listen() -> Any:
        async with aclosing(trigger.run()) as stream:
            first = asyncio.create_task(anext(stream))
            await asyncio.sleep(0.5)
            assert not first.done()
            await asyncio.to_thread(put, moto_server, uri, b"network")
            return (await asyncio.wait_for(first, 60)).payload

    assert asyncio.run(listen())["size_bytes"] == 7


def put(server: S3Server, uri: str, data: bytes) -> None:
    bucket, key = uri.removeprefix("s3://").split("/")
    client = admin_client(server.endpoint, *KEYS.values())
    client.create_bucket(Bucket=bucket)
    client.put_object(Bucket=bucket, Key=key, Body=data)


def test_a_watched_reference_is_an_asset_with_a_watcher() -> None:
    config = {"line": "s3://bank/models/fraud", "reference": "s3://bank/fraud/reference.keras"}
    asset = watched_reference(config, darwin_conn_id="bank", poll_seconds=5)
    assert isinstance(asset, Asset)
    assert asset.uri == config["reference"]
    (watcher,) = asset.watchers
    assert isinstance(watcher, AssetWatcher)
    _, arguments = ModelPointerTrigger.serialize(trigger_of(watcher))
    assert arguments["memory"].startswith("s3://bank/models/fraud/watched/")


def trigger_of(watcher: AssetWatcher) -> ModelPointerTrigger:
    trigger = watcher.trigger
    if isinstance(trigger, ModelPointerTrigger):
        return trigger
    return ModelPointerTrigger(**trigger["kwargs"])


def test_the_sensor_waits_for_another_network(places: tuple[Path, str]) -> None:
    reference, memory = places

    def sensor(**arguments: Any) -> ReferenceModelSensor:
        return ReferenceModelSensor(
            task_id="wait", reference=str(reference), memory=memory, poke_interval=3, timeout=90, **arguments
        )

    assert not sensor().poke({}).is_done
    with pytest.raises(TaskDeferred) as deferred:
        sensor(deferrable=True).execute({})
    assert deferred.value.method_name == "execute_complete"
    assert deferred.value.timeout.total_seconds() == 90
    trigger = deferred.value.trigger
    assert (trigger.uri, trigger.memory, trigger.poll_seconds) == (str(reference), memory, 3)
    reference.write_bytes(b"monday")
    event = next_event(ModelPointerTrigger(str(reference), None, poll_seconds=5))
    assert sensor(deferrable=True).execute_complete({}, event) == event
    assert not sensor().poke({}).is_done, "Monday's network was seen already"
    reference.write_bytes(b"tuesday")
    assert sensor(deferrable=True).execute({})["size_bytes"] == 7
