"""Explanation: how both networks decide, in raw columns or pixels and in plain words, and what is wrong with the data.

* ``attribution``: one method per module behind one abstract base.
* ``checks``: data checks behind one abstract base, open to users through ``register_check``.
* ``tables`` and ``images``: from attributions to what a person reads. They load TensorFlow; the names here do not.
"""

from darwin_core.explanation.attribution import Attribution as Attribution
from darwin_core.explanation.attribution import Attributor as Attributor
from darwin_core.explanation.attribution import ExpectedGradients as ExpectedGradients
from darwin_core.explanation.attribution import FeatureMap as FeatureMap
from darwin_core.explanation.attribution import InquisitorAttribution as InquisitorAttribution
from darwin_core.explanation.attribution import IntegratedGradients as IntegratedGradients
from darwin_core.explanation.attribution import Occlusion as Occlusion
from darwin_core.explanation.attribution import SampledShapley as SampledShapley
from darwin_core.explanation.checks import CheckedData as CheckedData
from darwin_core.explanation.checks import Column as Column
from darwin_core.explanation.checks import DataCheck as DataCheck
from darwin_core.explanation.checks import register_check as register_check
from darwin_core.explanation.checks import run_checks as run_checks
