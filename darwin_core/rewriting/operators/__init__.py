"""Block operators. One per module, behind one base."""

from collections.abc import Mapping

from darwin_core.contracts import BlockOperator
from darwin_core.rewriting.operators.base import Replacement as Replacement
from darwin_core.rewriting.operators.base import Rewriter as Rewriter
from darwin_core.rewriting.operators.base import Site as Site
from darwin_core.rewriting.operators.depthwise import DepthwiseSeparable as DepthwiseSeparable
from darwin_core.rewriting.operators.dropping import Drop as Drop
from darwin_core.rewriting.operators.dropping import needed as needed
from darwin_core.rewriting.operators.low_rank import RANK_SHARE as RANK_SHARE
from darwin_core.rewriting.operators.low_rank import LowRank as LowRank
from darwin_core.rewriting.operators.smaller_kernel import SmallerKernel as SmallerKernel


def rewriters(rank_share: float = RANK_SHARE) -> Mapping[BlockOperator, Rewriter]:
    """The operators that change something, by name.

    Args:
        rank_share: Parameters of a low-rank pair over those of the layer it replaces.
    """
    found = (DepthwiseSeparable(), LowRank(rank_share), SmallerKernel(), Drop())
    return {rewriter.operator: rewriter for rewriter in found}
