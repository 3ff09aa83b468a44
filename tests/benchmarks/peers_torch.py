"""Torch-Pruning with fine-tuning on a weight-for-weight copy of a Keras network, in the peers' environment.

    python peers_torch.py REQUEST.json

Called by `peers.py`. The copy is checked against the teacher's outputs first. Three rounds of pruning by group magnitude,
the MACs falling by the same factor each time, share the training rows; each round ends with AdamW, a cosine schedule,
and the same loss, views of the pictures, rate and weight decay as Darwin's candidates have. Prints figures as JSON on its
last line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch_pruning as pruning
from torch import nn
from torch.nn import functional

ROUNDS = 3
PRUNING_STEPS = 400


class Copied(nn.Module):
    """The calls of a Keras network as torch modules; pictures come as (rows, height, width, channels) in 0..255."""

    def __init__(self, structure: dict[str, Any], weights: Any) -> None:
        super().__init__()
        self.structure = structure
        self.layers = nn.ModuleDict()
        for call in structure["calls"]:
            made = _module(call, weights)
            if made is not None:
                self.layers[call["name"]] = made

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Raw outputs."""
        tensors = {self.structure["input"]: images}
        for call in self.structure["calls"]:
            given = [tensors[index] for index in call["inputs"]]
            tensors[call["output"]] = self._run(call, given)
        return tensors[self.structure["output"]]

    def _run(self, call: dict[str, Any], given: list[torch.Tensor]) -> torch.Tensor:
        kind, config, x = call["kind"], call["config"], given[0]
        if kind == "Rescaling":
            return x * config["scale"] + config["offset"]
        if kind in ("Conv2D", "MaxPooling2D", "AveragePooling2D"):
            return _activated(self._windowed(call, x), config)
        if kind in ("BatchNormalization", "Dense"):
            return _activated(self.layers[call["name"]](x), config)
        if kind == "ReLU":
            return functional.relu(x)
        if kind == "Add":
            return sum(given[1:], given[0])
        if kind == "Concatenate":
            return torch.cat(given, dim=1)
        if kind == "GlobalAveragePooling2D":
            return x.mean(dim=(2, 3))
        if kind == "Flatten":
            return torch.flatten(x, 1)
        if kind == "Dropout":
            return x
        raise SystemExit(f"No torch module for layer {call['name']} ({kind}).")

    def _windowed(self, call: dict[str, Any], x: torch.Tensor) -> torch.Tensor:
        config = call["config"]
        size = config["kernel_size"] if call["kind"] == "Conv2D" else config["pool_size"]
        stride = config["strides"] or size
        pad = _same(x.shape[2:], size, stride) if config["padding"] == "same" else (0, 0, 0, 0)
        if call["kind"] == "Conv2D":
            return self.layers[call["name"]](functional.pad(x, pad) if any(pad) else x)
        if call["kind"] == "MaxPooling2D":
            return functional.max_pool2d(functional.pad(x, pad, value=float("-inf")) if any(pad) else x, size, stride)
        if not any(pad):
            return functional.avg_pool2d(x, size, stride)
        ones = functional.avg_pool2d(functional.pad(torch.ones_like(x[:1, :1]), pad), size, stride)
        return functional.avg_pool2d(functional.pad(x, pad), size, stride) / ones


def _same(shape: Any, size: list[int], stride: list[int]) -> tuple[int, int, int, int]:
    """Padding as TensorFlow's "same": the odd one goes to the end."""
    total = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(shape, size, stride, strict=True)]
    return (total[1] // 2, total[1] - total[1] // 2, total[0] // 2, total[0] - total[0] // 2)


def _activated(x: torch.Tensor, config: dict[str, Any]) -> torch.Tensor:
    name = config.get("activation") or "linear"
    if name == "relu":
        return functional.relu(x)
    if name == "linear":
        return x
    raise SystemExit(f"Activation {name} is not copied.")


def _module(call: dict[str, Any], weights: Any) -> nn.Module | None:
    own = [torch.from_numpy(weights[f"{call['name']}/{n}"]) for n in range(4) if f"{call['name']}/{n}" in weights.files]
    if call["kind"] == "Conv2D":
        kernel = own[0].permute(3, 2, 0, 1).contiguous()
        stride = call["config"]["strides"]
        made: Any = nn.Conv2d(kernel.shape[1], kernel.shape[0], kernel.shape[2:], stride, bias=len(own) > 1)
        made.weight.data = kernel
    elif call["kind"] == "Dense":
        made = nn.Linear(own[0].shape[0], own[0].shape[1], bias=len(own) > 1)
        made.weight.data = own[0].T.contiguous()
    elif call["kind"] == "BatchNormalization":
        made = nn.BatchNorm2d(len(own[0]), eps=call["config"]["epsilon"], momentum=0.01)
        made.weight.data, made.bias.data, made.running_mean, made.running_var = own
        return made
    else:
        return None
    if len(own) > 1:
        made.bias.data = own[1]
    return made


def reorder_flattened(model: Copied) -> None:
    """Keras flattens (height, width, channel), torch (channel, height, width): the next Dense layer's inputs change places."""
    calls = model.structure["calls"]
    source = {call["output"]: call for call in calls}
    for call in calls:
        if call["kind"] != "Dense":
            continue
        before = source.get(call["inputs"][0])
        while before is not None and before["kind"] == "Dropout":
            before = source.get(before["inputs"][0])
        if before is not None and before["kind"] == "Flatten":
            height, width, channels = before["shape"]
            order = (
                torch.arange(height * width * channels).reshape(height, width, channels).permute(2, 0, 1).reshape(-1)
            )
            layer = model.layers[call["name"]]
            layer.weight.data = layer.weight.data[:, order].contiguous()


def pictures(array: np.ndarray) -> torch.Tensor:
    """As the network takes them."""
    return torch.from_numpy(array).permute(0, 3, 1, 2).float()


def outputs(model: nn.Module, images: np.ndarray) -> torch.Tensor:
    """Raw outputs, in batches."""
    model.eval()
    with torch.no_grad():
        return torch.cat([model(pictures(images[start : start + 512])) for start in range(0, len(images), 512)])


def fine_tune(model: nn.Module, data: Any, settings: dict[str, Any], number: int) -> None:
    """One round of training, on its share of the lessons."""
    lessons, order = np.load(settings["lessons"], mmap_mode="r"), np.load(settings["lesson_rows"])
    samples = len(order) // ROUNDS
    size, share, warmth = settings["batch_size"], settings["teacher_share"], settings["temperature"]
    steps = max(1, samples // size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings["rate"], weight_decay=settings["weight_decay"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings["rate"], total_steps=steps, pct_start=0.05)
    labels, teacher = torch.from_numpy(data["train_labels"]).long(), torch.from_numpy(data["teacher"])
    model.train()
    for step in range(steps):
        part = slice(number * samples + step * size, number * samples + (step + 1) * size)
        rows = order[part]
        found = model(pictures(lessons[part]))
        soft = functional.softmax(teacher[rows] / warmth, dim=1)
        distance = (
            functional.kl_div(functional.log_softmax(found / warmth, dim=1), soft, reduction="batchmean") * warmth**2
        )
        loss = (1 - share) * functional.cross_entropy(found, labels[rows]) + share * distance
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def prune(model: nn.Module, example: torch.Tensor, macs: float, last: nn.Module) -> None:
    """Remove the weakest groups of channels, layer by layer alike, until the MACs are reached."""
    pruner = pruning.pruner.BasePruner(
        model,
        example,
        importance=pruning.importance.GroupMagnitudeImportance(p=2),
        pruning_ratio=1.0,
        max_pruning_ratio=0.99,
        iterative_steps=PRUNING_STEPS,
        ignored_layers=[last],
    )
    for _ in range(PRUNING_STEPS):
        if pruning.utils.count_ops_and_params(model, example)[0] <= macs:
            break
        pruner.step()


def main() -> None:
    """Copy, check, prune and tune, measure."""
    settings = json.loads(Path(sys.argv[1]).read_text())
    torch.manual_seed(settings["seed"])
    torch.set_num_threads(settings["threads"])
    data = np.load(settings["data"])
    data = {name: data[name] for name in data.files}
    model = Copied(json.loads(Path(settings["network"]).read_text()), np.load(settings["arrays"]))
    reorder_flattened(model)
    gap = float((outputs(model, data["train"][:512]) - torch.from_numpy(data["teacher"][:512])).abs().max())
    if gap > 1e-2:
        raise SystemExit(f"The torch copy differs from the network by up to {gap:.3g}.")
    example = pictures(data["train"][:1])
    last = model.layers[next(call["name"] for call in reversed(model.structure["calls"]) if call["kind"] == "Dense")]
    model.eval()
    before = pruning.utils.count_ops_and_params(model, example)[0]
    for number in range(ROUNDS):
        prune(model, example, before * (settings["macs"] / before) ** ((number + 1) / ROUNDS), last)
        fine_tune(model, data, settings, number)
        print(f"round {number + 1}: accuracy {accuracy(model, data, 'valid'):.4f}", file=sys.stderr, flush=True)
    macs, _ = pruning.utils.count_ops_and_params(model, example)
    figures = {
        "parameters": sum(item.numel() for item in model.parameters())
        + sum(b.numel() for b in model.buffers() if b.ndim),
        "macs": int(macs),
        "samples": settings["samples"],
        "validation": accuracy(model, data, "valid"),
        "test": accuracy(model, data, "test"),
        "note": f"copy differs by {gap:.1e} before pruning",
    }
    print(json.dumps(figures))


def accuracy(model: nn.Module, data: dict[str, np.ndarray], part: str) -> float:
    """Share of right answers."""
    return float((outputs(model, data[part]).argmax(dim=1).numpy() == data[f"{part}_labels"]).mean())


if __name__ == "__main__":
    main()
