"""How to reach the object store. Credentials are never part of a contract: they come from the default chain only."""

from __future__ import annotations

from pydantic import Field

from darwin_core.contracts.base import Contract


class StorageOptions(Contract):
    """Connection options of an S3 store; all optional, the AWS environment variables apply where one is left out."""

    endpoint_url: str | None = Field(default=None, description="http(s)://host:port of a store that is not AWS")
    region: str | None = None
    path_style: bool = Field(default=False, description="address buckets as /bucket/key, not bucket.host")
    ca_bundle: str | None = Field(default=None, description="path of a PEM file with the store's certificate authority")
    sse_kms_key_id: str | None = Field(default=None, description="encrypt every object with this KMS key (SSE-KMS)")
