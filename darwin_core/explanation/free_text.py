"""Free text: columns of sentences, hardly any of which occurs twice. Words are left out to see what scores rest on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darwin_core.explanation.attribution.base import Floats, Inputs
from darwin_core.explanation.attribution.features import Feature, FeatureMap, concatenate

ScoreRows = Callable[[Inputs], Floats]

_USUAL_SHARE = 0.05
_SENTENCE = 3
_LONGEST = 256
_HALF = 0.5


def frequent_text(values: NDArray[Any]) -> Any | None:
    """The most frequent of (rows,) texts; None where fewer than a twentieth of the rows hold it: names, free text."""
    distinct, counts = np.unique(values, return_counts=True)
    return distinct[np.argmax(counts)] if counts.max() >= _USUAL_SHARE * len(values) else None


class WordTrial:
    """Scores a row again and again, each time without another word of a free text, wherever in it that word stands.

    Free text is a column whose texts mostly have three words or more, none of them frequent. Words are what stands
    between white space; of a long text the first 256 are tried.

    Args:
        features: The columns that the network reads.
        background: Training rows, which tell what is free text.
        score: The network.
    """

    def __init__(self, features: FeatureMap, background: Inputs, score: ScoreRows) -> None:
        self._features, self._score = features, score
        self._columns = {f.name for f in features.features if _is_free_text(features.values(background, f))}

    def covers(self, feature: Feature) -> bool:
        """Whether a column is free text."""
        return feature.name in self._columns

    def words(self, row: Inputs, feature: Feature) -> list[str]:
        """The words of a row's text (inputs with one row)."""
        text = self._features.values(row, feature)[0]
        return (text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)).split()

    def joined(self, row: Inputs, feature: Feature, words: Sequence[str]) -> bytes | str:
        """Words as a text of the type that the row's own has."""
        text = " ".join(words)
        return text.encode() if isinstance(self._features.values(row, feature)[0], bytes) else text

    def without(self, row: Inputs, feature: Feature, words: Sequence[str]) -> tuple[dict[str, list[str]], Floats]:
        """Each distinct word -> the other words of a text, and the row's scores with them in place of its text."""
        rest = {word: [other for other in words if other != word] for word in words[:_LONGEST]}
        texts = [self.joined(row, feature, left) for left in rest.values()]
        changed = [self._features.replace(row, feature, np.asarray([text])) for text in texts]
        return rest, self._score(concatenate(changed))

    def strongest(self, row: Inputs, feature: Feature, target: int | None, effect: float, most: int = 3) -> list[str]:
        """The words by which a text has its effect: left out one by one, the strongest first, until half is gone.

        One alone may tell nothing: where three words say the same, the score stays as it is until all are left out.

        Args:
            row: Inputs with one row.
            feature: The free text.
            target: The class whose score is raised or lowered; None: there is one score.
            effect: By how much the text does so.
            most: Number of words at most.

        Returns:
            Empty where so few words do not take half of the effect away.
        """
        before, left = self._score(row), self.words(row, feature)
        found: list[str] = []
        while left and len(found) < most:
            rest, scores = self.without(row, feature, left)
            falls = np.sign(effect) * (before - scores)
            falls = falls if target is None else falls[:, target]
            best = int(np.argmax(falls))
            word, left = list(rest.items())[best]
            found.append(word)
            if falls[best] >= _HALF * abs(effect):
                return found
        return []


def quoted(words: Sequence[str]) -> str:
    """Words as a sentence lists them."""
    return ", ".join(f'"{word}"' for word in words)


def _is_free_text(values: NDArray[Any]) -> bool:
    if values.ndim != 1 or values.dtype.kind not in "SUO" or frequent_text(values) is not None:
        return False
    return bool(np.median([len(value.split()) for value in values]) >= _SENTENCE)
