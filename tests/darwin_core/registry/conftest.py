"""Fixtures of these tests."""

from support.stores import place as place
