"""Every format with its real converter and its real runtime: a small convolution network and a small table network."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import keras
import numpy as np
import pytest
from support import tiny

from darwin_core.arrays import Arrays
from darwin_core.contracts import ExportFormat
from darwin_core.exports.base import Exporter
from darwin_core.exports.core import NumericCore, numeric_core
from darwin_core.exports.registry import EXPORTERS
from darwin_core.networks import Predictor

IN_PROCESS = (ExportFormat.LITERT_FLOAT16, ExportFormat.LITERT_INT8, ExportFormat.ONNX)
TOLERANCE = {ExportFormat.LITERT_FLOAT16: 2e-3, ExportFormat.LITERT_INT8: 0.2, ExportFormat.ONNX: 1e-5}


def installed(name: ExportFormat) -> Exporter:
    exporter = EXPORTERS[name]
    missing = [package for package in exporter.packages if importlib.util.find_spec(package) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")
    return exporter


def table_network() -> tuple[keras.Model, Arrays]:
    keras.utils.set_random_seed(3)
    inputs = {
        "amount": keras.Input((1,), name="amount"),
        "hours-per-week": keras.Input((1,), name="hours-per-week"),
        "browser": keras.Input((1,), name="browser", dtype="string"),
    }
    scaled = [
        keras.layers.Normalization(mean=100.0, variance=1600.0)(inputs["amount"]),
        keras.layers.Normalization(mean=40.0, variance=100.0)(inputs["hours-per-week"]),
    ]
    index = keras.layers.StringLookup(vocabulary=list(tiny.BROWSERS), name="browser_index")(inputs["browser"])
    code = keras.layers.Flatten()(keras.layers.Embedding(4, 3)(index))
    hidden = keras.layers.Dense(16, activation="relu")(keras.layers.Concatenate()([*scaled, code]))
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(hidden))
    rng = np.random.default_rng(0)
    rows = {
        "amount": rng.normal(100, 40, (60, 1)).astype("float32"),
        "hours-per-week": rng.normal(40, 10, (60, 1)).astype("float32"),
        "browser": rng.choice([*tiny.BROWSERS, "lynx"], (60, 1)).astype(object),
    }
    return model, rows


def image_network() -> tuple[keras.Model, Arrays]:
    keras.utils.set_random_seed(4)
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(6, 3, padding="same", use_bias=False)(x)
    y = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.Add()([x, keras.layers.Conv2D(6, 3, padding="same")(y)])
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.MaxPooling2D()(x))
    model = keras.Model(image, keras.layers.Dense(3, activation="softmax")(x))
    rows = {"image": np.random.default_rng(0).integers(0, 255, (60, 8, 8, 3)).astype("float32")}
    return model, rows


@pytest.fixture(scope="module", params=[table_network, image_network], ids=["table", "image"])
def network(request: pytest.FixtureRequest) -> tuple[NumericCore, Arrays, np.ndarray]:
    model, rows = request.param()
    core = numeric_core(model)
    return core, core.feed(rows), Predictor(model)(rows)


@pytest.mark.parametrize("name", IN_PROCESS)
def test_a_file_answers_like_the_network(
    name: ExportFormat, network: tuple[NumericCore, Arrays, np.ndarray], tmp_path: Path
) -> None:
    exporter, (core, fed, expected) = installed(name), network
    path = tmp_path / exporter.file
    exporter.convert(core.network, path, fed)
    run = exporter.open(path, 1)
    outputs = run(fed)
    assert outputs.shape == expected.shape
    np.testing.assert_allclose(outputs, expected, atol=TOLERANCE[name])
    one = run({key: values[7:8] for key, values in fed.items()})
    np.testing.assert_allclose(one, outputs[7:8], atol=1e-5)
    constant = np.ptp(outputs, axis=0).max()
    assert constant > 0.01, "a file that gives every row the same output proves nothing"


def test_int8_is_integers_inside_and_floats_outside(
    network: tuple[NumericCore, Arrays, np.ndarray], tmp_path: Path
) -> None:
    import tensorflow as tf

    core, fed, _ = network
    path = tmp_path / "int8.tflite"
    EXPORTERS[ExportFormat.LITERT_INT8].convert(core.network, path, fed)
    with pytest.warns(UserWarning, match="Interpreter is deprecated"):
        interpreter = tf.lite.Interpreter(model_path=str(path))
    ends = [*interpreter.get_input_details(), *interpreter.get_output_details()]
    assert {item["dtype"] for item in ends} <= {np.float32, np.int64}
    interpreter.allocate_tensors()
    outside = {item["index"] for item in ends}
    floats = [
        item["name"]
        for item in interpreter.get_tensor_details()
        if item["dtype"] is np.float32 and item["index"] not in outside
    ]
    assert floats == []


@pytest.mark.slow
def test_a_torch_program_needs_no_keras(network: tuple[NumericCore, Arrays, np.ndarray], tmp_path: Path) -> None:
    import subprocess
    import sys

    from darwin_core.arrays import save_arrays
    from darwin_core.exports.exporting import convert

    exporter, (core, fed, expected) = installed(ExportFormat.TORCH), network
    path = tmp_path / exporter.file
    convert(exporter, core, path, None)
    save_arrays(tmp_path / "rows.npz", fed)
    code = (
        "import sys; sys.modules['keras'] = sys.modules['tensorflow'] = sys.modules['darwin_core'] = None\n"
        "import numpy as np, torch\n"
        "file = np.load(sys.argv[2])\n"
        "rows = {str(n): torch.from_numpy(file[f'arr_{i}']) for i, n in enumerate(file['names'])}\n"
        "network = torch.export.load(sys.argv[1]).module()\n"
        "one = network({n: v[:1] for n, v in rows.items()})['output'].detach().numpy()\n"
        "every = network(rows)['output'].detach().numpy()\n"
        "np.testing.assert_allclose(one, every[:1], atol=1e-5); np.save(sys.argv[3], every)\n"
    )
    outputs = tmp_path / "outputs.npy"
    command = [sys.executable, "-c", code, str(path), str(tmp_path / "rows.npz"), str(outputs)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    np.testing.assert_allclose(np.load(outputs), expected, atol=1e-5)
