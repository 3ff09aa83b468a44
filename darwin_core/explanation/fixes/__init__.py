"""Fixes: what can be done about a finding. Importing the package registers the built-in ones."""

from darwin_core.explanation.fixes import drop_column as drop_column
from darwin_core.explanation.fixes import drop_rows as drop_rows
from darwin_core.explanation.fixes import neutralise as neutralise
from darwin_core.explanation.fixes import rebalance as rebalance
from darwin_core.explanation.fixes.base import Case as Case
from darwin_core.explanation.fixes.base import Fix as Fix
from darwin_core.explanation.fixes.base import Means as Means
from darwin_core.explanation.fixes.base import choose_fix as choose_fix
from darwin_core.explanation.fixes.base import register_fix as register_fix
from darwin_core.explanation.fixes.base import with_fixes as with_fixes
from darwin_core.explanation.fixes.flaws import Evidence as Evidence
from darwin_core.explanation.fixes.flaws import flaw_behind as flaw_behind
from darwin_core.explanation.fixes.parts import Part as Part
