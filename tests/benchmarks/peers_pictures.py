"""Peers and controls on pictures, all with as many training rows and the same outputs of the reference to learn from."""

from __future__ import annotations

import argparse
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow.parquet as pq
from cases import Case
from PIL import Image

from darwin_core.contracts import ExportFormat, Genome, HeadKind, Variation
from darwin_core.data import MappedSplit
from darwin_core.dependency import analyse, magnitude_importance
from darwin_core.exports.exporting import export_network
from darwin_core.exports.measuring import TrialRows
from darwin_core.networks import Predictor, load_network, measure_cost, output_kind, reference_loss
from darwin_core.networks.measuring import weights_of
from darwin_core.networks.wiring import read_wiring
from darwin_core.progress import default_reporter
from darwin_core.synthesis.allocation import Target, WidthAllocator
from darwin_core.synthesis.inheritance import inherit
from darwin_core.synthesis.requirements import ResourceLimits
from darwin_core.training import DistillationData, Distiller, TrainingPlan, prepare_runtime, teaching_views

HERE = Path(__file__).parent
_LESSON_CHUNK = 1024
_KEPT = (
    "filters",
    "kernel_size",
    "strides",
    "padding",
    "pool_size",
    "epsilon",
    "activation",
    "scale",
    "offset",
    "axis",
)
VIEWS = teaching_views(Variation(strength=1.0))
"""What a search chooses for road signs."""


class PicturePeers:
    """One run of `darwin compact` on pictures, and everything it is held against."""

    def __init__(self, case: Case, row: dict[str, Any], args: argparse.Namespace) -> None:
        prepare_runtime(row["seed"])
        paths = {name: Path(uri.removeprefix("file://")) for name, uri in row["summary"]["paths"].items()}
        self.row, self.args, self.work = row, args, args.runs.resolve() / case.name
        self.reference, self.candidate = load_network(paths["reference"]), load_network(paths["candidate"])
        self.kind, self.loss = output_kind(self.reference, paths["reference"]), reference_loss(paths["reference"])
        record = json.loads(paths["search_record"].read_text())
        chosen = next(item for item in record["candidates"] if item["candidate_id"] == record["chosen"])
        self.samples = args.samples or chosen["lineage_samples"]
        self.chosen_samples, self.validation_accuracy = chosen["lineage_samples"], chosen["quality"]["accuracy"]
        table = args.data / "gtsrb_32x32.parquet"
        name = self.reference.inputs[0].name
        self.train, self.valid, self.test = (read_pictures(table, part, name) for part in ("train", "valid", "test"))
        self.teacher = self._teacher()

    def run(self) -> dict[str, Any]:
        """Name -> figures."""
        summary = self.row["summary"]
        found = {
            "reference": self._known("reference", None, self._accuracy(self.reference, self.valid)),
            "candidate": self._known("candidate", self.chosen_samples, self.validation_accuracy),
        }
        target = summary["candidate"]["macs"]
        scratch = keras.models.clone_model(self.candidate)
        found["the candidate's shape from scratch"] = self._trained(scratch)
        found["uniform narrowing, one shot"] = self._trained(self._uniform(target))
        found["Torch-Pruning 1.6.1, fine-tuned"] = self._torch_pruning(target)
        found["reference in int8 (LiteRT)"] = self._int8()
        return found

    def _known(self, name: str, samples: int | None, validation: float) -> dict[str, Any]:
        summary = self.row["summary"][name]
        return {
            "parameters": summary["parameters"],
            "macs": summary["macs"],
            "samples": samples,
            "validation": validation,
            "test": summary["metrics"]["accuracy"],
        }

    def _teacher(self) -> np.ndarray:
        path = self.work / "peer-teacher.npy"
        if not path.exists():
            np.save(path, predictions(self.reference, self.train))
        return np.load(path)

    def _trained(self, network: keras.Model) -> dict[str, Any]:
        data = DistillationData(self.train, tuple((view, self.teacher) for view in VIEWS))
        plan = TrainingPlan.for_data(self.samples, images=True)
        with default_reporter().track("Training a control", plan.samples) as tracker:
            Distiller(self.kind, data, self.loss).train(network, plan, seed=self.row["seed"], tracker=tracker)
        cost = measure_cost(network)
        return {
            "parameters": cost.parameters,
            "macs": cost.macs,
            "samples": self.samples,
            "validation": self._accuracy(network, self.valid),
            "test": self._accuracy(network, self.test),
        }

    def _uniform(self, macs: int) -> keras.Model:
        graph, cost = analyse(self.reference), measure_cost(self.reference)
        head = HeadKind.GLOBAL_POOLING if HeadKind.GLOBAL_POOLING in graph.heads else HeadKind.KEEP
        widths = WidthAllocator(graph, cost, head=head).allocate({}, Target(1.0, ResourceLimits(macs=macs)))
        return inherit(self.reference, graph, Genome(widths=widths, head=head), magnitude_importance(graph))

    def _int8(self) -> dict[str, Any]:
        found = {}
        calibration = {name: values[:256] for name, values in self.train.inputs.items()}
        for name, split in (("validation", self.valid), ("test", self.test)):
            rows = TrialRows(dict(split.take(np.arange(split.rows)).inputs), split.labels, None)
            (record,) = export_network(
                self.reference,
                self.kind,
                (ExportFormat.LITERT_INT8,),
                self.work / f"peer-int8-{name}",
                rows=rows,
                calibration=calibration,
                reporter=default_reporter(),
            )
            found[name] = record.quality
        cost = measure_cost(self.reference)
        note = record.problem or f"{(record.file_bytes or 0) / 1000:,.0f} kB"
        return {"parameters": cost.parameters, "macs": cost.macs, "samples": None, "note": note, **found}

    def _torch_pruning(self, macs: int) -> dict[str, Any]:
        files = {
            "network": self.work / "peer-torch.json",
            "arrays": self.work / "peer-torch.npz",
            "lessons": self.work / "peer-lessons.npy",
            "lesson_rows": self.work / "peer-lesson-rows.npy",
        }
        write_network(self.reference, files["network"], files["arrays"])
        self._write_lessons(files["lessons"], files["lesson_rows"])
        data = self.work / "peer-pictures.npz"
        if not data.exists():
            parts = (("train", self.train), ("valid", self.valid), ("test", self.test))
            np.savez(
                data,
                teacher=self.teacher,
                **{name: next(iter(split.inputs.values())) for name, split in parts},
                **{f"{name}_labels": split.labels for name, split in parts},
            )
        plan = TrainingPlan.for_data(self.samples, images=True)
        settings = {
            **{name: str(path) for name, path in files.items()},
            "data": str(data),
            "macs": macs,
            "samples": self.samples,
            "batch_size": plan.batch_size,
            "rate": plan.peak_rate,
            "weight_decay": plan.weight_decay,
            "teacher_share": plan.teacher_share,
            "temperature": plan.temperature,
            "seed": self.row["seed"],
            "threads": 2,
        }
        request = self.work / "peer-torch-request.json"
        request.write_text(json.dumps(settings))
        command = [self.args.peers_python, str(HERE / "peers_torch.py"), str(request)]
        return json.loads(
            subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]
        )

    def _write_lessons(self, lessons: Path, numbers: Path) -> None:
        """The rows a peer learns from, in order: every epoch another permutation and another view, as in synthesis."""
        epochs = -(-self.samples // self.train.rows)
        rng = np.random.default_rng(self.row["seed"])
        order = np.concatenate([rng.permutation(self.train.rows) for _ in range(epochs)])[: self.samples]
        np.save(numbers, order)
        pictures = next(iter(self.train.inputs.values()))
        written = np.lib.format.open_memmap(lessons, "w+", pictures.dtype, (self.samples, *pictures.shape[1:]))
        for start in range(0, self.samples, _LESSON_CHUNK):
            part = slice(start, min(start + _LESSON_CHUNK, self.samples))
            # A chunk may span two epochs; each row has the view of its own.
            epoch = np.arange(part.start, part.stop) // self.train.rows
            for number in np.unique(epoch):
                view = VIEWS[number % len(VIEWS)]
                (varied,) = view.inputs(self.train, order[part][epoch == number]).values()
                written[part][epoch == number] = varied
        written.flush()

    def _accuracy(self, network: keras.Model, split: MappedSplit) -> float:
        return float(np.mean(predictions(network, split).argmax(axis=1) == split.labels))


def predictions(network: keras.Model, split: MappedSplit) -> np.ndarray:
    """Raw outputs on all rows."""
    predict = Predictor(network)
    return np.concatenate([predict(batch.inputs) for batch in split.batches(1024)])


def read_pictures(table: Path, part: str, name: str) -> MappedSplit:
    """One part of the signs, decoded."""
    rows = pq.read_table(table, columns=["image", "label"], filters=[("split", "=", part)])
    images = np.stack([np.asarray(Image.open(io.BytesIO(item))) for item in rows["image"].to_pylist()])
    labels = np.asarray(rows["label"], np.int32)
    return MappedSplit(
        {name: images}, {name: np.dtype(np.float32)}, labels, None, [str(row) for row in range(len(labels))]
    )


def write_network(model: keras.Model, structure: Path, arrays: Path) -> None:
    """A network as a list of calls and its weights, for `peers_torch.py`."""
    wiring = read_wiring(model)
    calls, weights = [], {}
    for call in wiring.calls:
        config = call.operation.get_config()
        kept = {key: config[key] for key in _KEPT if key in config}
        calls.append(
            {
                "name": call.name,
                "kind": call.kind,
                "inputs": list(call.inputs),
                "output": call.outputs[0],
                "shape": list(wiring.shape(call.inputs[0]))[1:],
                "config": kept,
            }
        )
        for number, weight in enumerate(weights_of(call.operation)):
            weights[f"{call.name}/{number}"] = keras.ops.convert_to_numpy(weight)
    (given,) = wiring.inputs.values()
    structure.write_text(json.dumps({"input": given, "output": wiring.outputs[0], "calls": calls}))
    np.savez(arrays, **weights)
