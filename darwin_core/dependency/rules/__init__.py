"""The built-in rules, one module per family of layers. Importing this package registers them all."""

from darwin_core.dependency.rules import applications as applications
from darwin_core.dependency.rules import attention as attention
from darwin_core.dependency.rules import convolution as convolution
from darwin_core.dependency.rules import dense as dense
from darwin_core.dependency.rules import merging as merging
from darwin_core.dependency.rules import normalization as normalization
from darwin_core.dependency.rules import operations as operations
from darwin_core.dependency.rules import passing as passing
from darwin_core.dependency.rules import preprocessing as preprocessing
from darwin_core.dependency.rules import recurrent as recurrent
from darwin_core.dependency.rules import reshaping as reshaping
from darwin_core.dependency.rules import wrappers as wrappers
