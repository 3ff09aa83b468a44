"""What of a network can be removed, and what goes with what.

`analyse` follows every channel of a network and finds its dependency groups: channels that several layers can only lose
together. `narrow` builds the smaller network, `estimate_cost` says beforehand what it will cost.
"""

from darwin_core.dependency.estimating import estimate_cost as estimate_cost
from darwin_core.dependency.graph import DependencyGraph as DependencyGraph
from darwin_core.dependency.graph import analyse as analyse
from darwin_core.dependency.groups import DependencyGroup as DependencyGroup
from darwin_core.dependency.importance import magnitude_importance as magnitude_importance
from darwin_core.dependency.importance import uniform_widths as uniform_widths
from darwin_core.dependency.inspection import inspect_network as inspect_network
from darwin_core.dependency.narrowing import narrow as narrow
from darwin_core.dependency.probing import ProbePoint as ProbePoint
from darwin_core.dependency.tracing import CallTracer as CallTracer
from darwin_core.dependency.tracing import Channels as Channels
from darwin_core.dependency.tracing import register_rule as register_rule
