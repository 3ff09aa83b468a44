"""What a step read and wrote, in OpenLineage's words.

Imports OpenLineage, so it is itself imported only where Airflow's OpenLineage provider asks for lineage.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airflow.providers.openlineage.extractors import OperatorLineage
from openlineage.client.event_v2 import Dataset
from openlineage.client.generated.dataset_version_dataset import DatasetVersionDatasetFacet
from openlineage.client.generated.tags_run import TagsRunFacet, TagsRunFacetFields

from darwin_core.contracts import (
    ArtifactRef,
    DataSource,
    EvaluateResult,
    FetchDataRequest,
    PublishResult,
    StepRequest,
    StepResult,
)

_SOURCE = "DARWIN"


def step_lineage(request: StepRequest, result: StepResult) -> OperatorLineage:
    """Inputs and outputs of a step, each with the digest of its content as the version of the dataset.

    A verdict becomes a tag of the run, ``darwin.verdict``; a published version is an output.
    """
    outputs = _references(result)
    if isinstance(result, PublishResult) and result.version_uri is not None:
        outputs.append(dataset(result.version_uri, result.version))
    return OperatorLineage(inputs=_sources(request) + _references(request), outputs=outputs, run_facets=_tags(result))


def dataset(uri: str, version: str | None = None) -> Dataset:
    """A dataset after OpenLineage's naming rules: ``s3://bucket`` and key, or ``file`` and path."""
    parts = urlsplit(uri)
    if parts.scheme == "s3":
        namespace, name = f"s3://{parts.netloc}", parts.path.strip("/")
    else:
        namespace, name = "file", str(Path(parts.path).absolute())
    facets: dict[str, Any] = {} if version is None else {"version": DatasetVersionDatasetFacet(datasetVersion=version)}
    return Dataset(namespace=namespace, name=name, facets=facets)


def _references(contract: StepRequest | StepResult) -> list[Dataset]:
    values = [value for value in dict(contract).values() if isinstance(value, ArtifactRef)]
    return [dataset(ref.uri, ref.sha256) for ref in values]


def _sources(request: StepRequest) -> list[Dataset]:
    """What fetch-data reads: places whose content it is about to fix."""
    if not isinstance(request, FetchDataRequest):
        return []
    named = (request.train, request.validation, request.test)
    uris = [request.reference, *(source.uri for source in named if isinstance(source, DataSource))]
    return [dataset(uri) for uri in dict.fromkeys(uris)]


def _tags(result: StepResult) -> dict[str, Any]:
    if not isinstance(result, EvaluateResult | PublishResult):
        return {}
    tags = [TagsRunFacetFields(key="darwin.verdict", value=result.verdict.value, source=_SOURCE)]
    if isinstance(result, PublishResult) and result.version is not None:
        tags.append(TagsRunFacetFields(key="darwin.version", value=result.version, source=_SOURCE))
    return {"tags": TagsRunFacet(tags=tags)}
