"""Fixtures that all tests share live in ``tests/support`` and are loaded here."""

pytest_plugins = ["support.s3"]
