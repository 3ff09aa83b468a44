"""Files that come in: real networks load, everything that is none or could do harm is refused with a sentence."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from keras.src.applications import convnext
from support.zoo import SPECIMENS, sample

from darwin_core.errors import NetworkError, UnsafeNetworkError
from darwin_core.networks import Predictor, archive, load_network, save_network


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.keras"
    save_network(SPECIMENS["embedded"].make(), path)
    return path


def rewrite(path: Path, change: Callable[[dict[str, bytes]], None], *, compress: bool = False) -> Path:
    """The same archive with entries changed."""
    with zipfile.ZipFile(path) as source:
        entries = {name: source.read(name) for name in source.namelist()}
    change(entries)
    target = path.with_name("changed.keras")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return target


def reconfigure(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The same archive with its configuration changed."""

    def apply(entries: dict[str, bytes]) -> None:
        config = json.loads(entries["config.json"])
        change(config)
        entries["config.json"] = json.dumps(config).encode()

    return rewrite(path, apply)


def layer_of(config: dict[str, Any], name: str) -> dict[str, Any]:
    return next(layer for layer in config["config"]["layers"] if layer["config"]["name"] == name)


@pytest.mark.parametrize("specimen", ["operations", "nested", "recurrent", "prepared", "attention"])
def test_a_saved_network_comes_back(specimen: str, tmp_path: Path) -> None:
    model = SPECIMENS[specimen].make()
    model.compile(loss="mse", optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 9)))
    save_network(model, tmp_path / "deep" / "net.keras")
    loaded = load_network(tmp_path / "deep" / "net.keras")
    assert not loaded.compiled
    rows = sample(loaded)
    np.testing.assert_array_equal(Predictor(loaded)(rows), Predictor(model)(rows))
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["net.keras"]


def test_a_failed_save_leaves_what_was_there(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, model = good.read_bytes(), SPECIMENS["mlp"].make()

    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(model, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        save_network(model, good)
    assert good.read_bytes() == before
    assert [path.name for path in good.parent.iterdir()] == ["good.keras"]


class TestFilesThatAreNoNetworks:
    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(NetworkError, match="there is no such file"):
            load_network(tmp_path / "none.keras")

    def test_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "saved_model.pb").touch()
        with pytest.raises(NetworkError, match=r"got a SavedModel folder.*go back to the Keras model"):
            load_network(tmp_path)

    def test_a_legacy_file(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "old.h5", "w") as file:
            file["x"] = [1]
        with pytest.raises(NetworkError, match=r"legacy HDF5 file.*model\.save\('name\.keras'\)"):
            load_network(tmp_path / "old.h5")

    @pytest.mark.parametrize("content", [b"", b"hello", b"\x00" * 100])
    def test_something_else(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "x.keras").write_bytes(content)
        with pytest.raises(NetworkError, match="a zip archive"):
            load_network(tmp_path / "x.keras")

    @pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
    def test_a_truncated_file(self, good: Path, share: float) -> None:
        data = good.read_bytes()
        good.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(NetworkError, match=r"truncated or damaged.*again"):
            load_network(good)

    def test_flipped_bytes(self, good: Path) -> None:
        data = bytearray(good.read_bytes())
        at = data.index(b"\x89HDF") + 3000
        data[at : at + 50] = bytes(50 * [7])
        good.write_bytes(data)
        with pytest.raises(NetworkError, match="damaged"):
            load_network(good)

    def test_a_missing_part(self, good: Path) -> None:
        path = rewrite(good, lambda entries: entries.pop("model.weights.h5") and None)
        with pytest.raises(NetworkError, match=r"lacks model\.weights\.h5"):
            load_network(path)

    @pytest.mark.parametrize("config", [b"{", b"[1]", b"[" * 100_000])
    def test_a_broken_configuration(self, good: Path, config: bytes) -> None:
        path = rewrite(good, lambda entries: entries.update({"config.json": config}))
        with pytest.raises(NetworkError, match=r"config\.json"):
            load_network(path)

    def test_broken_weights(self, good: Path) -> None:
        path = rewrite(good, lambda entries: entries.update({"model.weights.h5": b"no hdf5"}))
        with pytest.raises(NetworkError, match=r"model\.weights\.h5 is damaged"):
            load_network(path)

    def test_weights_of_another_network(self, good: Path, tmp_path: Path) -> None:
        save_network(SPECIMENS["mlp"].make(), tmp_path / "other.keras")
        with zipfile.ZipFile(tmp_path / "other.keras") as other:
            weights = other.read("model.weights.h5")
        path = rewrite(good, lambda entries: entries.update({"model.weights.h5": weights}))
        with pytest.raises(NetworkError, match="cannot be loaded"):
            load_network(path)

    def test_channels_first(self, tmp_path: Path) -> None:
        x = keras.Input((3, 8, 8))
        model = keras.Model(x, layers.GlobalAveragePooling2D(data_format="channels_first", name="pool")(x))
        save_network(model, tmp_path / "first.keras")
        with pytest.raises(NetworkError, match=r"Layer 'pool' \(GlobalAveragePooling2D\) has its channels first"):
            load_network(tmp_path / "first.keras")


class TestFilesThatCouldDoHarm:
    def test_a_lambda_layer(self, tmp_path: Path) -> None:
        x = keras.Input((4,))
        save_network(keras.Model(x, layers.Lambda(lambda y: y + 1, name="trick")(x)), tmp_path / "x.keras")
        with pytest.raises(UnsafeNetworkError, match=r"Layer 'trick' \(Lambda\) is refused: it runs Python code"):
            load_network(tmp_path / "x.keras")

    def test_a_lambda_activation(self, tmp_path: Path) -> None:
        x = keras.Input((4,))
        with pytest.warns(UserWarning, match="lambda"):
            save_network(keras.Model(x, layers.Dense(2, activation=lambda y: y, name="d")(x)), tmp_path / "x.keras")
        with pytest.raises(UnsafeNetworkError, match=r"'d' .*carries a Python function of its own"):
            load_network(tmp_path / "x.keras")

    @pytest.mark.parametrize("kind", ["TFSMLayer", "JaxLayer", "TorchModuleWrapper"])
    def test_layers_that_run_foreign_code(self, good: Path, kind: str) -> None:
        path = reconfigure(good, lambda config: layer_of(config, "a").update(class_name=kind))
        with pytest.raises(UnsafeNetworkError, match=rf"Layer 'a' \({kind}\) is refused"):
            load_network(path)

    @pytest.mark.parametrize(
        "part",
        [
            {"module": "os", "class_name": "system", "config": {"name": "a"}, "registered_name": None},
            {"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "function"},
            {"module": "keras.utils", "class_name": "get_file", "config": {}, "registered_name": None},
            {"module": "keras.src.ops.core", "class_name": "importlib", "config": {}, "registered_name": None},
            {"module": "keras.layers", "class_name": "Dense", "config": {}, "registered_name": "Own>Dense"},
            {"module": "keras.saving", "class_name": "load_model", "config": {}, "registered_name": None},
            {"module": None, "class_name": "Dense", "config": {}, "registered_name": None},
            {"module": None, "class_name": "__lambda__", "config": {"value": "4wEA"}, "registered_name": None},
            {"module": "tensorflow", "class_name": "__typespec__", "config": [], "registered_name": None},
        ],
        ids=lambda part: str(part["class_name"]),
    )
    def test_anything_not_of_keras_however_deep(self, good: Path, part: dict[str, Any]) -> None:
        hidden = {"list": [{"deep": [part]}]}
        path = reconfigure(good, lambda config: layer_of(config, "a")["config"].update(kernel_initializer=hidden))
        with pytest.raises(UnsafeNetworkError, match=r"does not ship with Keras|carries a Python lambda"):
            load_network(path)

    def test_an_own_layer_only_if_allowed(self, tmp_path: Path) -> None:
        x = keras.Input((4,))
        save_network(keras.Model(x, Doubled(name="twice")(x)), tmp_path / "own.keras")
        with pytest.raises(
            UnsafeNetworkError, match=r"Layer 'twice' names 'Doubled'.*pass its class in allowed_layers"
        ):
            load_network(tmp_path / "own.keras")
        assert isinstance(load_network(tmp_path / "own.keras", allowed_layers=[Doubled]).layers[-1], Doubled)

    def test_a_vocabulary_from_a_file(self, good: Path) -> None:
        def steal(config: dict[str, Any]) -> None:
            layer = next(item for item in config["config"]["layers"] if item["class_name"] == "StringLookup")
            layer["config"]["vocabulary"] = "/etc/passwd"

        with pytest.raises(UnsafeNetworkError, match=r"would read its vocabulary from '/etc/passwd'"):
            load_network(reconfigure(good, steal))

    @pytest.mark.parametrize("name", ["../evil.txt", "/etc/evil", "assets/../../evil", "assets\\..\\evil", "evil.py"])
    def test_entries_outside_the_network(self, good: Path, name: str) -> None:
        path = rewrite(good, lambda entries: entries.update({name: b"x"}))
        with pytest.raises(UnsafeNetworkError, match="evil"):
            load_network(path)

    def test_an_entry_twice(self, good: Path) -> None:
        with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(good, "a") as file:
            file.writestr("config.json", b"{}")
        with pytest.raises(UnsafeNetworkError, match="twice"):
            load_network(good)

    def test_an_archive_that_unpacks_to_far_more(self, good: Path) -> None:
        bomb = bytes(archive._EXPANSION_FLOOR_BYTES + 1)
        path = rewrite(good, lambda entries: entries.update({"assets/bomb": bomb}), compress=True)
        with pytest.raises(UnsafeNetworkError, match=r"'assets/bomb' would unpack from \d+ to \d+ bytes"):
            load_network(path)

    def test_weights_that_unpack_to_far_more(self, good: Path) -> None:
        def inflate(file: h5py.File) -> None:
            file.create_dataset("bomb", shape=(1 << 33,), dtype="f4", chunks=(1 << 20,), compression="gzip")

        with pytest.raises(UnsafeNetworkError, match="weight '/bomb' would unpack"):
            load_network(reweigh(good, inflate))

    def test_weights_that_lie_elsewhere(self, good: Path, tmp_path: Path) -> None:
        secret = tmp_path / "secret.bin"
        secret.write_bytes(bytes(64))

        def link(file: h5py.File) -> None:
            file["stolen"] = h5py.ExternalLink("other.h5", "/x")

        def outside(file: h5py.File) -> None:
            file.create_dataset("stolen", shape=(16,), dtype="f4", external=[(str(secret), 0, 64)])

        for trick in (link, outside):
            with pytest.raises(UnsafeNetworkError, match="stolen"):
                load_network(reweigh(good, trick))


def reweigh(path: Path, change: Callable[[h5py.File], None]) -> Path:
    def apply(entries: dict[str, bytes]) -> None:
        buffer = io.BytesIO(entries["model.weights.h5"])
        with h5py.File(buffer, "a") as file:
            change(file)
        entries["model.weights.h5"] = buffer.getvalue()

    return rewrite(path, apply)


@keras.saving.register_keras_serializable(package="zoo")
class Doubled(keras.layers.Layer):
    """An own layer."""

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return inputs * 2


def test_layers_of_keras_applications_ship_with_keras(tmp_path: Path) -> None:
    x = keras.Input((4,))
    save_network(keras.Model(x, convnext.LayerScale(0.1, 4)(convnext.StochasticDepth(0.2)(x))), tmp_path / "x.keras")
    assert type(load_network(tmp_path / "x.keras").layers[-1]) is convnext.LayerScale
