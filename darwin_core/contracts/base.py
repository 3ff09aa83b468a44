"""The base of all contracts: frozen, strict about unknown fields, versioned, with a content digest."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from darwin_core.errors import RequestError

SCHEMA_VERSION: Final = 1

RunId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:+-]{0,120}$")]
"""Names a run within its line: a safe part of a path."""


class Contract(BaseModel):
    """A value object: immutable, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_enum_values=False)

    def to_json(self) -> str:
        """Indented JSON with a final newline, the form in which contracts are stored."""
        return self.model_dump_json(indent=2) + "\n"

    def digest(self) -> str:
        """SHA-256 (hex) of the canonical JSON form: sorted keys, no white space."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @classmethod
    def from_json(cls, text: str | bytes, *, origin: str = "the document") -> Self:
        """Read a contract from JSON.

        Args:
            text: The JSON text.
            origin: Where the text came from, for the error message.

        Raises:
            RequestError: The text is not JSON or does not fit the contract; every field at fault is named.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise RequestError(
                f"{origin} is not a valid {cls.__name__}: {explain_validation(error)}",
                hint=f"`darwin schema {cls.__name__}` prints what is expected.",
            ) from None


class Document(Contract):
    """A contract that is stored on its own and therefore names the version of its schema."""

    schema_version: Literal[1] = SCHEMA_VERSION


def explain_validation(error: ValidationError) -> str:
    """One sentence part per field at fault, e.g. ``budget.generations: expected >= 1, got 0``."""
    parts = []
    for item in error.errors(include_url=False):
        where = ".".join(str(step) for step in item["loc"]) or "document"
        shown = "" if item["type"] == "missing" else f" (got {item['input']!r:.80})"
        parts.append(f"{where}: {item['msg']}{shown}")
    return "; ".join(parts)
