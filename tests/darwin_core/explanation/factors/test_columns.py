"""Columns as the finder measures them."""

from __future__ import annotations

import numpy as np

from darwin_core.contracts import ColumnKind
from darwin_core.explanation.attribution.features import Feature, FeatureMap
from darwin_core.explanation.factors.columns import ColumnCoder


def test_unseen_categories_are_like_no_known_one() -> None:
    browser = Feature("browser", ColumnKind.STRING, "browser")
    coder = ColumnCoder(FeatureMap((browser,)), browser, {"browser": np.array([b"chrome", b"opera"])})
    codes = coder.code({"browser": np.array([b"chrome", b"opera", b"firefox", b"edge", b"zen"])})
    assert len(set(codes)) == 3
    assert len(set(codes[2:])) == 1
