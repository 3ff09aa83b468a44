"""Free text: columns of sentences, in which hardly any value occurs twice."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_USUAL_SHARE = 0.05
_SENTENCE = 3


def frequent_text(values: NDArray[Any]) -> Any | None:
    """The most frequent of (rows,) texts; None where fewer than a twentieth of the rows hold it: names, free text."""
    distinct, counts = np.unique(values, return_counts=True)
    return distinct[np.argmax(counts)] if counts.max() >= _USUAL_SHARE * len(values) else None


def is_free_text(values: NDArray[Any]) -> bool:
    """Whether (rows,) texts are mostly sentences of three words or more, none of them frequent."""
    return frequent_text(values) is None and bool(np.median([len(split(text)) for text in values]) >= _SENTENCE)


def split(text: bytes | str) -> list[str]:
    """The words, as far as white space tells."""
    return (text.decode("utf-8", "replace") if isinstance(text, bytes) else text).split()


def join(words: list[str], like: bytes | str) -> bytes | str:
    """Words as a text of the same type as another one."""
    text = " ".join(words)
    return text.encode() if isinstance(like, bytes) else text
