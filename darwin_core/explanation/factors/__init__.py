"""Factors: properties of samples that should decide nothing. Importing the package registers the built-in ones."""

from darwin_core.explanation.factors import blockiness as blockiness
from darwin_core.explanation.factors import border as border
from darwin_core.explanation.factors import bright_spot as bright_spot
from darwin_core.explanation.factors import brightness as brightness
from darwin_core.explanation.factors import colour as colour
from darwin_core.explanation.factors import columns as columns
from darwin_core.explanation.factors import contrast as contrast
from darwin_core.explanation.factors import noise as noise
from darwin_core.explanation.factors import sharpness as sharpness
from darwin_core.explanation.factors import windows as windows
from darwin_core.explanation.factors.base import Factor as Factor
from darwin_core.explanation.factors.base import FactorSpace as FactorSpace
from darwin_core.explanation.factors.base import PictureFactor as PictureFactor
from darwin_core.explanation.factors.base import factors_of as factors_of
from darwin_core.explanation.factors.base import register_factor as register_factor

# isort: split
# Last, since factors are tried in the order of their registration and draw from one stream of random numbers.
from darwin_core.explanation.factors import aspect as aspect
