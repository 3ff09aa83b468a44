"""Airflow provider: one operator per compaction step, and launchers that carry a step into the engine's environment.

Public names are imported on first use, so that reading the provider's metadata does not import Airflow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from darwin_operators.launchers import Launcher as Launcher
    from darwin_operators.links import CompactionReportLink as CompactionReportLink
    from darwin_operators.operators.compaction import EvaluateOperator as EvaluateOperator
    from darwin_operators.operators.compaction import ExplainOperator as ExplainOperator
    from darwin_operators.operators.compaction import FetchDataOperator as FetchDataOperator
    from darwin_operators.operators.compaction import SynthesizeOperator as SynthesizeOperator
    from darwin_operators.operators.publish import OnRejection as OnRejection
    from darwin_operators.operators.publish import PublishOperator as PublishOperator

_HOMES = {
    "CompactionReportLink": "darwin_operators.links",
    "EvaluateOperator": "darwin_operators.operators.compaction",
    "ExplainOperator": "darwin_operators.operators.compaction",
    "FetchDataOperator": "darwin_operators.operators.compaction",
    "Launcher": "darwin_operators.launchers",
    "OnRejection": "darwin_operators.operators.publish",
    "PublishOperator": "darwin_operators.operators.publish",
    "SynthesizeOperator": "darwin_operators.operators.compaction",
}

__all__ = [
    "CompactionReportLink",
    "EvaluateOperator",
    "ExplainOperator",
    "FetchDataOperator",
    "Launcher",
    "OnRejection",
    "PublishOperator",
    "SynthesizeOperator",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
