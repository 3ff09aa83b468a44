"""Fixtures that all tests share live in ``tests/support`` and are loaded here."""

import importlib.util

import darwin_core  # noqa: F401  (before anything imports TensorFlow: it sets what TensorFlow reads then)

pytest_plugins = ["support.s3", "support.containers"]

if importlib.util.find_spec("hypothesis") is not None:  # not in Airflow's environment
    from hypothesis import settings

    # Machines are shared and noisy: no test may fail because one example took long.
    settings.register_profile("shared-machine", deadline=None)
    settings.load_profile("shared-machine")
