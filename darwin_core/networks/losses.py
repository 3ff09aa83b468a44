"""The loss a network was compiled with, read from its file without running the file's compile configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import keras

from darwin_core.contracts import Task
from darwin_core.networks.archive import read_config

_ALIASES = {
    "bce": "binarycrossentropy",
    "kld": "kldivergence",
    "kullbackleiblerdivergence": "kldivergence",
    "mae": "meanabsoluteerror",
    "mape": "meanabsolutepercentageerror",
    "mse": "meansquarederror",
    "msle": "meansquaredlogarithmicerror",
}
_TASKS = {
    "binarycrossentropy": Task.BINARY,
    "binaryfocalcrossentropy": Task.BINARY,
    "categoricalcrossentropy": Task.MULTICLASS,
    "categoricalfocalcrossentropy": Task.MULTICLASS,
    "kldivergence": Task.MULTICLASS,
    "sparsecategoricalcrossentropy": Task.MULTICLASS,
    "huber": Task.REGRESSION,
    "logcosh": Task.REGRESSION,
    "meanabsoluteerror": Task.REGRESSION,
    "meanabsolutepercentageerror": Task.REGRESSION,
    "meansquarederror": Task.REGRESSION,
    "meansquaredlogarithmicerror": Task.REGRESSION,
    "poisson": Task.REGRESSION,
    "tweedie": Task.REGRESSION,
}


@dataclass(frozen=True)
class LossSpec:
    """A loss as a file states it: its name without case or underscores, and its arguments."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def task(self) -> Task | None:
        """What networks with this loss predict; None for a loss that does not tell.

        The binary losses on several units speak of as many labels.
        """
        return _TASKS.get(self.name)

    @property
    def from_logits(self) -> bool:
        """Whether the loss takes logits."""
        return self.arguments.get("from_logits") is True

    def build(self) -> keras.losses.Loss | None:
        """The loss itself; None where it is not one of Keras'."""
        loss_type = _loss_types().get(self.name)
        return None if loss_type is None else loss_type.from_config(dict(self.arguments))


def reference_loss(path: str | Path) -> keras.losses.Loss | None:
    """The loss that a .keras file was compiled with; None if it was not, or with a loss that Keras does not have.

    Raises:
        NetworkError: The file cannot be read.
    """
    spec = loss_spec(read_config(path).get("compile_config"))
    return None if spec is None else spec.build()


def loss_spec(compile_config: Mapping[str, Any] | None) -> LossSpec | None:
    """The loss of a compile configuration with one loss, in whichever of its forms; None without one."""
    return _read((compile_config or {}).get("loss"))


def _read(loss: Any) -> LossSpec | None:
    if isinstance(loss, str):
        return LossSpec(_plain(loss))
    if isinstance(loss, list | tuple):
        return _read(loss[0]) if len(loss) == 1 else None
    if not isinstance(loss, dict):
        return None
    if "class_name" not in loss:
        return _read(next(iter(loss.values()))) if len(loss) == 1 else None
    arguments = loss.get("config")
    if loss["class_name"] == "function":
        return LossSpec(_plain(str(arguments)))
    if loss.get("module") not in ("keras.losses", None):
        return None
    kept = {key: value for key, value in (arguments or {}).items() if not isinstance(value, dict)}
    return LossSpec(_plain(str(loss["class_name"])), kept)


def _plain(name: str) -> str:
    name = name.replace("_", "").lower()
    return _ALIASES.get(name, name)


@cache
def _loss_types() -> dict[str, type[Any]]:
    public = vars(keras.losses).items()
    return {
        name.lower(): item for name, item in public if isinstance(item, type) and issubclass(item, keras.losses.Loss)
    }
