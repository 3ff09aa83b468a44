"""How good networks are once a flaw is out of the rows they are judged on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from darwin_core.contracts import FactorReaction
from darwin_core.explanation.attribution.base import Floats
from darwin_core.explanation.decisions import DecisionRule
from darwin_core.explanation.finder.pool import ScoresRows
from darwin_core.explanation.fixes.flaws import Flaw
from darwin_core.explanation.fixes.parts import Part


@dataclass(frozen=True)
class Judgement:
    """Figures by name of the network.

    Attributes:
        quality: Share of right decisions on rows without the flaw.
        reactions: How it reacts to the flaw; empty where there is nothing to react to.
    """

    quality: Mapping[str, float]
    reactions: Mapping[str, FactorReaction]


def judge(
    flaw: Flaw,
    flawless: Part,
    networks: Mapping[str, ScoresRows],
    rule_for: Callable[[Floats], DecisionRule],
    seed: list[int],
) -> Judgement:
    """Judge networks before and after a fix, all in the same way.

    Args:
        flaw: The flaw.
        flawless: Validation rows without it.
        networks: Name -> network.
        rule_for: How scores of these rows become decisions. Each network gets a rule of its own: an alert budget buys
            as many alerts of either, whatever the level of its scores.
        seed: Seed of the rows that are scored and of the experiments.
    """
    rows = flawless.sample(np.random.default_rng([*seed, 0]))
    labels = flawless.split.labels.take(rows)
    rules, quality = {}, {}
    for name, network in networks.items():
        scores = flawless.scores(network, rows)
        rules[name] = rule_for(scores)
        quality[name] = float((rules[name].decided(scores) == labels).mean())
    return Judgement(quality, flaw.reactions(networks, rules, np.random.default_rng([*seed, 1])))
