"""What several commands share: options, and loading the engine without its chatter."""

from __future__ import annotations

import importlib
import os
import sys
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


def load_quietly(module: str) -> None:
    """Import a library whose native code writes start-up chatter past Python's streams; errors still surface."""
    sys.stderr.flush()
    kept, silence = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    try:
        library = importlib.import_module(module)
        if module == "tensorflow":
            library.config.list_physical_devices()  # looks for accelerators now, and says that there are none
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silence)
