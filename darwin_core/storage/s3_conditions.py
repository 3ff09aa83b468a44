"""Conditional writes over the differences between stores.

A conditional write has three outcomes: written, lost, or broken. Stores report them in different ways:

* 412 is lost, unless an earlier attempt of the same request was carried out and only its answer went missing.
* 409 (AWS) and 500 (Ceph) can be the loser's answer in a race.
* Some accept only the bare ETag in If-Match, some only the quoted one; the wrong form looks like a lost race.

So every conditional write carries a random token in the object's metadata, and any doubtful answer is settled by
reading the object again: our token means written; a changed object means lost; an unchanged one means try again.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from darwin_core.errors import ConditionalWritesUnsupportedError, PreconditionFailedError
from darwin_core.storage.s3_errors import error_code, http_status
from darwin_core.storage.uris import S3Location

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TOKEN = "darwin-write"  # noqa: S105 - a metadata name, not a secret
_ROUNDS = 4
_LOST = (404, 409, 412)


@dataclass(frozen=True)
class Condition:
    """When a write may happen. ``token`` names this one write."""

    if_absent: bool = False
    if_match: str | None = None
    token: str = field(default_factory=lambda: secrets.token_hex(16))

    def __post_init__(self) -> None:
        if self.if_absent and self.if_match is not None:
            raise ValueError("a write is either a conditional create or a conditional replace, got both")

    @property
    def metadata(self) -> dict[str, str]:
        """What the object must carry so that the write can be recognised."""
        return {_TOKEN: self.token}

    def forms(self) -> Iterator[dict[str, Any]]:
        """The request arguments, in all forms that stores understand."""
        if self.if_absent:
            yield {"IfNoneMatch": "*"}
        elif self.if_match is not None:
            yield {"IfMatch": self.if_match}
            yield {"IfMatch": f'"{self.if_match}"'}
        else:
            yield {}

    def holds(self, found: Found | None) -> bool:
        """Whether the write would still be allowed over what lies there now."""
        if self.if_absent:
            return found is None
        return self.if_match is None or (found is not None and found.etag == self.if_match)

    def refusal(self, location: S3Location, found: Found | None) -> PreconditionFailedError:
        """The error that tells the loser what happened."""
        if self.if_absent:
            return PreconditionFailedError(f"Expected nothing at {location}, but an object lies there.")
        state = "no object" if found is None else f"state {found.etag[:16]}"
        return PreconditionFailedError(
            f"Expected {location} in state {self.if_match or '':.16}, found {state}: somebody else wrote first."
        )


@dataclass(frozen=True)
class Found:
    """What lies at a location: its state, and the token of the write that made it."""

    etag: str
    size_bytes: int
    token: str | None


def look(client: S3Client, location: S3Location) -> Found | None:
    """The object's state, or None where there is no object (or no bucket: HEAD does not tell)."""
    try:
        answer = client.head_object(Bucket=location.bucket, Key=location.key)
    except ClientError as error:
        if http_status(error) == 404:
            return None
        raise
    return Found(
        etag=bare(answer["ETag"]), size_bytes=answer["ContentLength"], token=answer.get("Metadata", {}).get(_TOKEN)
    )


def bare(etag: str) -> str:
    """An ETag without the quotes of the HTTP header."""
    return etag.strip('"')


def settle(
    client: S3Client, location: S3Location, condition: Condition, send: Callable[[dict[str, Any]], Mapping[str, Any]]
) -> str:
    """Carry a write out under its condition.

    Args:
        client: For looking again.
        location: What is written.
        condition: When it may be written; ``send`` must store ``condition.metadata`` with the object.
        send: Makes the request with the given extra arguments and returns the answer.

    Returns:
        The bare ETag of the object written.

    Raises:
        PreconditionFailedError: The condition did not hold.
        ConditionalWritesUnsupportedError: The store refuses although the condition holds.
        ClientError, BotoCoreError: The write is broken, and is not there.
    """
    failure: ClientError | BotoCoreError | None = None
    for attempt in range(_ROUNDS):
        if attempt:
            time.sleep(random.random() * 0.1 * 2**attempt)  # noqa: S311 - jitter
        for form in condition.forms():
            try:
                return bare(send(form)["ETag"])
            except (ClientError, BotoCoreError) as error:
                if not _doubtful(error):
                    raise
                failure = error
                found = look(client, location)
            if found is not None and found.token == condition.token:
                return found.etag
            if not condition.holds(found):
                raise condition.refusal(location, found) from failure
            if not isinstance(failure, ClientError) or http_status(failure) not in _LOST:
                raise failure
    if isinstance(failure, ClientError) and http_status(failure) == 412:
        raise ConditionalWritesUnsupportedError(
            f"The store refuses a conditional write to {location} although the condition holds.",
            hint="Check the bucket's policy and whether the store supports If-Match and If-None-Match.",
        ) from failure
    assert failure is not None  # every round either returned or failed
    raise failure


def _doubtful(error: ClientError | BotoCoreError) -> bool:
    """Whether the write could have been lost, or carried out, in spite of the error."""
    if isinstance(error, BotoCoreError):
        return True
    status = http_status(error)
    return (status in _LOST and error_code(error) != "NoSuchBucket") or (status >= 500 and status != 501)
