"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from darwin_core.contracts import StorageOptions

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the outcome.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")]
EndpointUrl = Annotated[str | None, typer.Option(help="URL of an S3 store that is not AWS.")]
Region = Annotated[str | None, typer.Option(help="Region of the bucket.")]
PathStyle = Annotated[bool, typer.Option("--path-style", help="Address buckets as /bucket/key.")]
CaBundle = Annotated[str | None, typer.Option(help="PEM file with the store's certificate authority.")]
SseKmsKeyId = Annotated[str | None, typer.Option(help="Encrypt every object with this KMS key.")]


def storage_options(
    endpoint_url: str | None, region: str | None, path_style: bool, ca_bundle: str | None, sse_kms_key_id: str | None
) -> StorageOptions:
    """How to reach a store, from a command's options."""
    return StorageOptions(
        endpoint_url=endpoint_url,
        region=region,
        path_style=path_style,
        ca_bundle=ca_bundle,
        sse_kms_key_id=sse_kms_key_id,
    )
