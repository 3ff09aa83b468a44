"""Where the registry keeps things below a model line's prefix."""

from __future__ import annotations

from darwin_core.contracts import PointerName
from darwin_core.storage import join_uri

MANIFEST = "manifest.json"
NETWORK = "model.keras"
SAVED_MODEL = "saved_model.pb"
EXPORTS = "exports"


def pointers_uri(line: str, *parts: str) -> str:
    """The registry aliases; everything here is written under conditions only."""
    return join_uri(line, "pointers", *parts)


def pointer_uri(line: str, name: PointerName) -> str:
    """The document that a registry alias consists of."""
    return pointers_uri(line, f"{name.value}.json")


def version_uri(line: str, version: str, *parts: str) -> str:
    """An object of a version, or the version's prefix."""
    return join_uri(line, "versions", version, *parts)


def claims_uri(line: str, *parts: str) -> str:
    """The documents that hand out version numbers; none of them is ever served."""
    return join_uri(line, "versions", "claims", *parts)


def history_uri(line: str, *parts: str) -> str:
    """The append-only ledger."""
    return join_uri(line, "history", *parts)


def serve_folder(number: int) -> str:
    """The only served prefix of a version, relative to it: model servers want a whole number as the folder's name."""
    return f"serve/{number}"
