"""What a network's configuration may name: classes and functions that ship with Keras and run nothing foreign.

Keras resolves every ``{"module": ..., "class_name": ...}`` of the configuration while loading. All of them are
checked here first, however deeply they are nested.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import keras

from darwin_core.errors import NetworkError, UnsafeNetworkError

_REFUSED_LAYERS = {
    "Lambda": "it runs Python code from the file. Replace it by a built-in layer or a keras.ops operation",
    "TFSMLayer": "it loads a SavedModel from a path. Rebuild that part from layers",
    "JaxLayer": "it runs code of another framework. Rebuild that part from layers",
    "FlaxLayer": "it runs code of another framework. Rebuild that part from layers",
    "TorchModuleWrapper": "it runs code of another framework. Rebuild that part from layers",
}
_VALUES = {"__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__slice__", "__ellipsis__", "__tuple__"}
_NETWORKS = {"Functional", "Sequential", "Model"}
_PUBLIC = ("initializers", "regularizers", "constraints", "dtype_policies", "quantizers")
_APPLICATION_LAYERS = {
    "keras.src.applications.convnext": ("LayerScale", "StochasticDepth"),
    "keras.src.applications.inception_resnet_v2": ("CustomScaleLayer",),
}
_OPERATION_MODULES = ("numpy", "nn", "core", "math", "image", "linalg")


@dataclass(frozen=True)
class _Named:
    """One class or function that the configuration names, and the layer around it."""

    module: str | None
    class_name: str
    registered_name: str | None
    function: str | None
    layer: str


def check_config(config: dict[str, Any], allowed_layers: Sequence[type[Any]] = ()) -> None:
    """Refuse a configuration that names anything but built-in parts and the allowed layers.

    The compile configuration is left out: it is never instantiated (see `darwin_core.networks.outputs`).

    Raises:
        UnsafeNetworkError: With the layer at fault and what to do about it.
        NetworkError: A layer has its channels first.
    """
    own = {name for layer in allowed_layers for name in _names_of(layer)}
    for part in _walk({key: value for key, value in config.items() if key != "compile_config"}):
        if isinstance(part, _Named):
            if part.class_name not in own and part.registered_name not in own:
                _check_named(part)
        else:
            _check_layer_config(*part)


def _names_of(layer: type[Any]) -> tuple[str, str]:
    return layer.__name__, keras.saving.get_registered_name(layer)


def custom_objects(allowed_layers: Sequence[type[Any]]) -> dict[str, type[Any]]:
    """The allowed layers under every name a file may use for them."""
    return {name: layer for layer in allowed_layers for name in _names_of(layer)}


def _walk(config: Any) -> Iterator[_Named | tuple[str, str, dict[str, Any]]]:
    """Every named object, and every layer's own arguments as (class, layer name, arguments)."""
    stack: list[tuple[Any, str]] = [(config, "the network")]
    while stack:
        item, layer = stack.pop()
        if isinstance(item, list):
            stack += [(part, layer) for part in item]
        if not isinstance(item, dict):
            continue
        if "class_name" in item:
            arguments = item.get("config")
            name = str(item["class_name"])
            if isinstance(arguments, dict):
                layer = str(arguments.get("name", layer)) if item.get("module") != "keras" else layer
                yield name, layer, arguments
            function = arguments if isinstance(arguments, str) else None
            yield _Named(item.get("module"), name, item.get("registered_name"), function, layer)
        stack += [(part, layer) for key, part in item.items() if key != "compile_config"]


def _check_layer_config(kind: str, layer: str, arguments: dict[str, Any]) -> None:
    if isinstance(arguments.get("vocabulary"), str):
        raise UnsafeNetworkError(
            f"Layer '{layer}' ({kind}) would read its vocabulary from {arguments['vocabulary']!r} while loading.",
            hint="Give it the words themselves before saving: vocabulary=[...], or adapt() it.",
        )
    activation = arguments.get("activation")
    if isinstance(activation, dict) and "class_name" not in activation:
        # The form in which Keras writes a lambda that was given as an activation.
        raise UnsafeNetworkError(
            f"Layer '{layer}' ({kind}) carries a Python function of its own as activation.",
            hint="Replace it by a built-in activation or layer.",
        )
    if arguments.get("data_format") == "channels_first":
        raise NetworkError(
            f"Layer '{layer}' ({kind}) has its channels first; only channels_last is supported.",
            hint="Build the network with data_format='channels_last' and copy the weights.",
        )


def _check_named(named: _Named) -> None:
    reason = _REFUSED_LAYERS.get(named.class_name) if named.module == "keras.layers" else None
    if reason is not None:
        raise UnsafeNetworkError(f"Layer '{named.layer}' ({named.class_name}) is refused: {reason}.")
    if named.class_name == "__lambda__":
        raise UnsafeNetworkError(
            f"Layer '{named.layer}' carries a Python lambda, which would run while loading.",
            hint="Replace it by a built-in activation or layer.",
        )
    if named.class_name in _VALUES or _is_builtin(named):
        return
    shown = named.function if named.class_name == "function" else named.class_name
    raise UnsafeNetworkError(
        f"Layer '{named.layer}' names {shown!r} of {named.module or 'an unnamed module'}, which does not ship with "
        "Keras.",
        hint="Rebuild it from built-in layers, or pass its class in allowed_layers if you trust it.",
    )


def _is_builtin(named: _Named) -> bool:
    if named.registered_name not in (None, named.class_name) and named.class_name != "function":
        return False
    module = named.module or ""
    if named.class_name == "function":
        return module in ("builtins", "keras.activations") and named.function in dir(keras.activations)
    if module == "keras.layers":
        return named.class_name in _layers()
    if module.startswith("keras.src.ops."):
        return _is_operation(module.removeprefix("keras.src.ops."), named.class_name)
    if module.startswith("keras.src.models.") or module in ("keras", "keras.models"):
        return named.class_name in _NETWORKS or (module == "keras" and named.class_name.endswith("DTypePolicy"))
    if module in _APPLICATION_LAYERS:
        return named.class_name in _APPLICATION_LAYERS[module]
    public = module.removeprefix("keras.")
    return public in _PUBLIC and isinstance(getattr(getattr(keras, public), named.class_name, None), type)


@cache
def _layers() -> frozenset[str]:
    public = vars(keras.layers).items()
    return frozenset(
        name for name, item in public if isinstance(item, type) and issubclass(item, keras.Layer)
    ) - frozenset(_REFUSED_LAYERS)


def _is_operation(module: str, name: str) -> bool:
    if module not in _OPERATION_MODULES:
        return False
    found = getattr(importlib.import_module(f"keras.src.ops.{module}"), name, None)
    return isinstance(found, type) and issubclass(found, keras.Operation)
