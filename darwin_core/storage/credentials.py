"""A key pair for S3 that an orchestrator keeps. Apart from the client, so that naming it does not import boto3."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class S3Credentials:
    """For where the default chain of the AWS tools is not to be used."""

    access_key: str
    secret_key: str = field(repr=False)

    def environment(self) -> dict[str, str]:
        """The variables that hand the pair to another process."""
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}
