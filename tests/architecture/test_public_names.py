"""Every public name that a package promises can be imported, and every public name is documented."""

import importlib
import inspect

import pytest

from darwin_core import contracts, errors

PACKAGES = (
    "darwin_core.storage",
    "darwin_core.registry",
    "darwin_core.data",
    "darwin_core.networks",
    "darwin_core.dependency",
    "darwin_core.rewriting",
    "darwin_core.training",
    "darwin_core.synthesis",
    "darwin_core.evaluation",
    "darwin_core.explanation",
    "darwin_core.reporting",
)


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_documented(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__doc__
    names = getattr(module, "__all__", [name for name in vars(module) if not name.startswith("_")])
    assert names, f"{package} exports nothing"
    for name in names:
        thing = getattr(module, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert inspect.getdoc(thing), f"{package}.{name} has no docstring"


def test_every_contract_forbids_unknown_fields_and_is_frozen() -> None:
    for name, thing in vars(contracts).items():
        if inspect.isclass(thing) and issubclass(thing, contracts.Contract):
            assert thing.model_config.get("extra") == "forbid", name
            assert thing.model_config.get("frozen"), name


def test_the_error_tree_is_drawn_completely() -> None:
    for name in errors.__all__:
        assert name in (errors.__doc__ or ""), f"{name} is missing in the drawing of errors.py"
