"""How far an attribution can be believed: it is held against the network, at a fixed area, beside controls.

* ``removal``: what stands in for removed pixels. * ``impact``: Impact Score, Coverage, deletion and insertion curves.
* ``controls``: maps that know nothing of the network. * ``rows``: the same questions for columns of a table.
"""

from darwin_core.explanation.judging.controls import edge_maps as edge_maps
from darwin_core.explanation.judging.controls import random_maps as random_maps
from darwin_core.explanation.judging.impact import Decisions as Decisions
from darwin_core.explanation.judging.impact import Judge as Judge
from darwin_core.explanation.judging.impact import coverage as coverage
from darwin_core.explanation.judging.impact import planted_patches as planted_patches
from darwin_core.explanation.judging.removal import REMOVERS as REMOVERS
from darwin_core.explanation.judging.removal import Remover as Remover
from darwin_core.explanation.judging.rows import RowJudge as RowJudge
