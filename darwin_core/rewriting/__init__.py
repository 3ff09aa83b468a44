"""Other layers in the place of some: depthwise-separable, low-rank, smaller kernels, dropped ones, smaller tables.

`offers` says what can be applied where, `rewrite` applies it. The result is a plain Keras network that can be narrowed
as any other. An operator is one class in `darwin_core.rewriting.operators`.
"""

from darwin_core.rewriting.applying import Rewriting as Rewriting
from darwin_core.rewriting.applying import apply_operators as apply_operators
from darwin_core.rewriting.applying import rewrite as rewrite
from darwin_core.rewriting.downsampling import can_downsample_early as can_downsample_early
from darwin_core.rewriting.offering import Offer as Offer
from darwin_core.rewriting.offering import Offers as Offers
from darwin_core.rewriting.offering import offers as offers
from darwin_core.rewriting.pooling import weighted_pooling as weighted_pooling
from darwin_core.rewriting.tables import Table as Table
from darwin_core.rewriting.tables import find_tables as find_tables
from darwin_core.rewriting.tables import table_rows as table_rows
from darwin_core.rewriting.tables import trim_tables as trim_tables
