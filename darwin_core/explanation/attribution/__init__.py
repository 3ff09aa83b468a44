"""Attributions: how much each raw column or pixel contributed to a score. One method per module."""

from darwin_core.explanation.attribution.base import Attribution as Attribution
from darwin_core.explanation.attribution.base import Attributor as Attributor
from darwin_core.explanation.attribution.base import DifferentiableScorer as DifferentiableScorer
from darwin_core.explanation.attribution.base import Scorer as Scorer
from darwin_core.explanation.attribution.expected_gradients import ExpectedGradients as ExpectedGradients
from darwin_core.explanation.attribution.features import Feature as Feature
from darwin_core.explanation.attribution.features import FeatureMap as FeatureMap
from darwin_core.explanation.attribution.inquisitor import InquisitorAttribution as InquisitorAttribution
from darwin_core.explanation.attribution.integrated_gradients import IntegratedGradients as IntegratedGradients
from darwin_core.explanation.attribution.occlusion import Occlusion as Occlusion
from darwin_core.explanation.attribution.shapley import SampledShapley as SampledShapley
