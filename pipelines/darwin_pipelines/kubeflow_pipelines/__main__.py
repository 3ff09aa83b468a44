"""Compile the compaction pipeline: ``python -m darwin_pipelines.kubeflow_pipelines compaction.yaml``."""

import argparse

from kfp import compiler

from darwin_pipelines.kubeflow_pipelines.compaction import compaction_pipeline


def main() -> None:
    """Write the pipeline's IR YAML. ``DARWIN_IMAGE`` names the image, best by digest."""
    parser = argparse.ArgumentParser(
        prog="python -m darwin_pipelines.kubeflow_pipelines", description="Compile the compaction pipeline."
    )
    parser.add_argument("output", help="file to write, ending in .yaml")
    compiler.Compiler().compile(compaction_pipeline, parser.parse_args().output)


if __name__ == "__main__":
    main()
