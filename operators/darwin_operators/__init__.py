"""Airflow provider: operators for the compaction steps, and launchers that carry a step into the engine's environment.

Public names are imported on first use, so that reading the provider's metadata does not import Airflow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from darwin_operators.hooks.darwin import DarwinHook as DarwinHook
    from darwin_operators.launchers import Launcher as Launcher
    from darwin_operators.links import CompactionReportLink as CompactionReportLink
    from darwin_operators.links import PublishedVersionLink as PublishedVersionLink
    from darwin_operators.operators.approval import ApprovePublicationOperator as ApprovePublicationOperator
    from darwin_operators.operators.compaction import EvaluateOperator as EvaluateOperator
    from darwin_operators.operators.compaction import ExplainOperator as ExplainOperator
    from darwin_operators.operators.compaction import FetchDataOperator as FetchDataOperator
    from darwin_operators.operators.compaction import SynthesizeOperator as SynthesizeOperator
    from darwin_operators.operators.fan_out import ChooseSearchOperator as ChooseSearchOperator
    from darwin_operators.operators.fan_out import SearchBranchOperator as SearchBranchOperator
    from darwin_operators.operators.publish import OnRejection as OnRejection
    from darwin_operators.operators.publish import PublishOperator as PublishOperator
    from darwin_operators.operators.whole_run import CompactModelOperator as CompactModelOperator
    from darwin_operators.sensors.reference import ReferenceModelSensor as ReferenceModelSensor
    from darwin_operators.triggers.pointer import ModelPointerTrigger as ModelPointerTrigger

_HOMES = {
    "ApprovePublicationOperator": "darwin_operators.operators.approval",
    "ChooseSearchOperator": "darwin_operators.operators.fan_out",
    "CompactModelOperator": "darwin_operators.operators.whole_run",
    "CompactionReportLink": "darwin_operators.links",
    "DarwinHook": "darwin_operators.hooks.darwin",
    "EvaluateOperator": "darwin_operators.operators.compaction",
    "ExplainOperator": "darwin_operators.operators.compaction",
    "FetchDataOperator": "darwin_operators.operators.compaction",
    "Launcher": "darwin_operators.launchers",
    "ModelPointerTrigger": "darwin_operators.triggers.pointer",
    "OnRejection": "darwin_operators.operators.publish",
    "PublishOperator": "darwin_operators.operators.publish",
    "PublishedVersionLink": "darwin_operators.links",
    "ReferenceModelSensor": "darwin_operators.sensors.reference",
    "SearchBranchOperator": "darwin_operators.operators.fan_out",
    "SynthesizeOperator": "darwin_operators.operators.compaction",
}

__all__ = [
    "ApprovePublicationOperator",
    "ChooseSearchOperator",
    "CompactModelOperator",
    "CompactionReportLink",
    "DarwinHook",
    "EvaluateOperator",
    "ExplainOperator",
    "FetchDataOperator",
    "Launcher",
    "ModelPointerTrigger",
    "OnRejection",
    "PublishOperator",
    "PublishedVersionLink",
    "ReferenceModelSensor",
    "SearchBranchOperator",
    "SynthesizeOperator",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
