"""Whole networks of the usual families, small."""

from __future__ import annotations

from support.zoo import Specimen

FAMILIES: dict[str, Specimen] = {}
