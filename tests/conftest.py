"""Fixtures that all tests share live in ``tests/support`` and are loaded here."""

import importlib.util

import pytest

import darwin_core  # noqa: F401  (before anything imports TensorFlow: it sets what TensorFlow reads then)

pytest_plugins = ["support.s3", "support.containers", "support.latency"]

LONGEST_FILES = ("test_cli.py", "test_branches.py", "test_synthesize.py", "test_search.py", "test_evaluate.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take minutes come first: at the end, one process would be left alone with them."""
    places = {name: place for place, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


if importlib.util.find_spec("hypothesis") is not None:  # not in Airflow's environment
    from hypothesis import settings

    # Machines are shared and noisy: no test may fail because one example took long.
    settings.register_profile("shared-machine", deadline=None)
    settings.load_profile("shared-machine")
