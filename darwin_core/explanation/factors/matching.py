"""For factors that cannot be set exactly: of several versions of a picture, the one that comes nearest to the donor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darwin_core.explanation.factors.base import Pictures


def nearest_version(
    describe: Callable[[Pictures], NDArray[Any]], versions: Sequence[Pictures], donors: Pictures
) -> Pictures:
    """Row by row the version whose description is nearest to the donor's.

    Args:
        describe: Gives (rows,) numbers.
        versions: The same pictures, changed to different degrees.
        donors: As many pictures as each version has.
    """
    wanted = describe(donors)
    gaps = np.stack([np.abs(describe(version) - wanted) for version in versions])
    return np.asarray(np.stack(versions)[np.argmin(gaps, axis=0), np.arange(len(donors))])
