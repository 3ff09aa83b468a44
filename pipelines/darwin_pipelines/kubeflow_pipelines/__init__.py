"""Ready pipelines for Kubeflow: a whole compaction run, and the same as a piece of an existing training pipeline.

Compile with ``python -m darwin_pipelines.kubeflow_pipelines compaction compaction.yaml``.
"""

from darwin_pipelines.kubeflow_pipelines.compaction import Compaction as Compaction
from darwin_pipelines.kubeflow_pipelines.compaction import compact_after_training as compact_after_training
from darwin_pipelines.kubeflow_pipelines.compaction import compaction_pipeline as compaction_pipeline
from darwin_pipelines.kubeflow_pipelines.compaction import declare_compaction_pipeline as declare_compaction_pipeline
from darwin_pipelines.kubeflow_pipelines.compaction import summarize_at_exit as summarize_at_exit
from darwin_pipelines.kubeflow_pipelines.fan_out import (
    compaction_fan_out_pipeline as compaction_fan_out_pipeline,
)
from darwin_pipelines.kubeflow_pipelines.fan_out import (
    declare_compaction_fan_out_pipeline as declare_compaction_fan_out_pipeline,
)
from darwin_pipelines.kubeflow_pipelines.train_and_compact import (
    declare_train_and_compact_pipeline as declare_train_and_compact_pipeline,
)
from darwin_pipelines.kubeflow_pipelines.train_and_compact import (
    train_and_compact_pipeline as train_and_compact_pipeline,
)
