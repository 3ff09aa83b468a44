"""Fixtures of these tests."""

from support.stores import big_file as big_file
from support.stores import place as place
from support.stores import proxy as proxy
from support.stores import through_proxy as through_proxy
