"""Explain networks on pictures: telling examples with both networks' attributions drawn over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from darwin_core.contracts import ImageExplanation, Task
from darwin_core.explanation.attribution import Attributor, InquisitorAttribution, Occlusion
from darwin_core.explanation.attribution.base import Floats, Scorer
from darwin_core.explanation.decisions import DecisionRule, show_effect
from darwin_core.explanation.examples import telling_pictures, telling_rows
from darwin_core.explanation.judging.controls import random_maps
from darwin_core.explanation.judging.impact import Judge
from darwin_core.explanation.judging.removal import by_blur
from darwin_core.explanation.log_odds import LogOdds
from darwin_core.explanation.overlay import overlay_uri, picture_uri, to_pixels
from darwin_core.explanation.subject import ScoredRows, Subject, decision_rule
from darwin_core.progress import Reporter

MAX_PICTURES = 12
COMPARED_PICTURES = 32
_AREA = 0.1


@dataclass(frozen=True)
class PictureExplanation:
    """What is known of two networks on pictures.

    Attributes:
        method: How it was found, as a sentence.
        examples: Telling pictures.
        agreement: Mean rank correlation of both networks' attribution maps, on pictures drawn at random.
        falls: (pictures,) how much further decisions fall without their region than without a random one.
    """

    method: str
    examples: tuple[ImageExplanation, ...]
    agreement: float
    falls: Floats


def explain_pictures(
    subject: Subject, scored: ScoredRows, reporter: Reporter, *, most: int = MAX_PICTURES
) -> PictureExplanation:
    """Attribute the predictions for a few telling validation pictures to their pixels, for both networks.

    Both networks are asked about the class that the candidate predicts, so that their maps can be compared.

    Args:
        subject: Networks and data.
        scored: Validation pictures with both networks' scores.
        reporter: Where progress goes.
        most: Number of pictures at most.
    """
    rule = decision_rule(subject, scored.candidate)
    telling = _choose(rule, scored, most)
    drawn = subject.rng(6).permutation(len(scored.rows))[:COMPARED_PICTURES]
    positions, count = np.concatenate([telling, drawn]), len(telling)
    name = subject.bound[0].input.name
    inputs = {name: subject.validation.take(scored.rows[positions]).inputs[name]}
    targets = rule.targets(scored.candidate[positions])
    plan = _plan(subject, rule)
    with reporter.track("Attributing decisions to pixels", total=2 * len(positions)) as tracker:
        reference = plan.attributor.attribute(plan.reference, inputs, targets, tracker).values
        candidate = plan.attributor.attribute(plan.candidate, inputs, targets, tracker).values
    pixels = to_pixels(subject.validation.inputs[name][scored.rows[telling]])
    return PictureExplanation(
        method=f"{plan.attributor.method}, of {plan.scale}{scored.note}",
        examples=tuple(
            _example(subject, rule, scored, int(position), pixels[row], (candidate[row], reference[row]))
            for row, position in enumerate(telling)
        ),
        agreement=_agreement(reference[count:], candidate[count:]),
        falls=_falls(subject, rule, inputs[name][count:], candidate[count:]),
    )


@dataclass(frozen=True)
class _Plan:
    """How to attribute: the method, both networks on the scale that suits it, and that scale in words."""

    attributor: Attributor
    reference: Scorer
    candidate: Scorer
    scale: str


def _plan(subject: Subject, rule: DecisionRule) -> _Plan:
    """The inquisitor's method where both networks can be differentiated by their pixels, occlusion otherwise."""
    reference, candidate = subject.reference, subject.candidate
    if not (reference.is_differentiable and candidate.is_differentiable):
        return _Plan(Occlusion(), reference, candidate, rule.scale)
    attributor = InquisitorAttribution()
    if rule.task is Task.REGRESSION:
        return _Plan(attributor, reference, candidate, rule.scale)
    return _Plan(attributor, LogOdds(reference), LogOdds(candidate), f"the log-odds behind {rule.scale}")


def _choose(rule: DecisionRule, scored: ScoredRows, most: int) -> NDArray[np.int64]:
    if rule.task in (Task.REGRESSION, Task.MULTILABEL):
        return telling_rows(rule, scored.candidate, scored.reference, each=most // 2)[:most]
    confidence = scored.candidate
    if confidence.ndim == 2:
        confidence = confidence.max(axis=1)
    else:
        confidence = np.where(confidence >= rule.threshold, confidence, 1 - confidence)
    return telling_pictures(
        rule.decided(scored.candidate), rule.decided(scored.reference), scored.labels.astype(np.int64), confidence, most
    )


def _example(
    subject: Subject,
    rule: DecisionRule,
    scored: ScoredRows,
    position: int,
    pixels: NDArray[np.uint8],
    maps: tuple[Floats, Floats],
) -> ImageExplanation:
    return ImageExplanation(
        row_id=subject.validation.row_ids[int(scored.rows[position])],
        label=_true_label(rule, scored.labels[position]),
        predicted=rule.shown(scored.candidate, position),
        score=rule.score(scored.candidate, position),
        picture=picture_uri(pixels),
        attribution=overlay_uri(pixels, maps[0]),
        reference_attribution=overlay_uri(pixels, maps[1]),
    )


def _true_label(rule: DecisionRule, label: Any) -> str:
    if rule.task is Task.MULTILABEL:
        return rule.named(label)
    return rule.classes[int(label)] if rule.classes else show_effect(float(label))


def _falls(subject: Subject, rule: DecisionRule, pictures: NDArray[Any], maps: Floats) -> Floats:
    """(pictures,) fall of the decision's probability without its region, beyond that without a random one."""
    if rule.task is Task.REGRESSION:
        return np.zeros(0)
    name = subject.bound[0].input.name

    def probabilities(values: NDArray[np.float32]) -> Floats:
        scores = subject.candidate.scores({name: values.astype(pictures.dtype)})
        return np.stack([1 - scores, scores], axis=1) if scores.ndim == 1 else scores

    judge = Judge(probabilities, pictures)
    sign = np.where(judge.decisions.classes == 0, -1, 1) if rule.task is Task.BINARY else np.ones(len(maps))
    own = judge.deletion(sign[:, None, None] * maps, [_AREA], by_blur)
    random = judge.deletion(random_maps(pictures, subject.seed), [_AREA], by_blur)
    return np.asarray((random - own)[:, 0])


def _agreement(reference: Floats, candidate: Floats) -> float:
    """Mean over pictures of Spearman's correlation of both maps."""
    ranks = [rankdata(maps.reshape(len(maps), -1), axis=1) for maps in (reference, candidate)]
    centred = [each - each.mean(axis=1, keepdims=True) for each in ranks]
    norms = np.sqrt((centred[0] ** 2).sum(axis=1) * (centred[1] ** 2).sum(axis=1))
    return float(((centred[0] * centred[1]).sum(axis=1) / np.maximum(norms, 1e-12)).mean())
