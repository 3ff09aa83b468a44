"""Compile a pipeline: ``python -m darwin_pipelines.kubeflow_pipelines compaction compaction.yaml``."""

import argparse

from kfp import compiler

from darwin_pipelines.kubeflow_pipelines.compaction import compaction_pipeline
from darwin_pipelines.kubeflow_pipelines.fan_out import compaction_fan_out_pipeline
from darwin_pipelines.kubeflow_pipelines.train_and_compact import train_and_compact_pipeline

PIPELINES = {
    "compaction": compaction_pipeline,
    "compaction-fan-out": compaction_fan_out_pipeline,
    "train-and-compact": train_and_compact_pipeline,
}


def main() -> None:
    """Write a pipeline's IR YAML. ``DARWIN_IMAGE`` names the image, best by digest."""
    parser = argparse.ArgumentParser(
        prog="python -m darwin_pipelines.kubeflow_pipelines", description="Compile a pipeline."
    )
    parser.add_argument("pipeline", choices=PIPELINES)
    parser.add_argument("output", help="file to write, ending in .yaml")
    arguments = parser.parse_args()
    compiler.Compiler().compile(PIPELINES[arguments.pipeline], arguments.output)


if __name__ == "__main__":
    main()
