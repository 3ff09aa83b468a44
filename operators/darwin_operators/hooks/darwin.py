"""How to reach the object store, kept as an Airflow connection of type ``darwin``."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.providers.common.compat.sdk import BaseHook, conf
from pydantic import ValidationError

from darwin_core.contracts import Pointer, PointerName, StorageOptions
from darwin_core.contracts.base import explain_validation
from darwin_core.errors import DarwinError, ObjectNotFoundError, RequestError
from darwin_core.storage import ObjectStore, join_uri, open_store
from darwin_core.storage.credentials import S3Credentials
from darwin_operators.get_provider_info import connection_form

_STORAGE_FIELDS = ("region", "path_style", "ca_bundle", "sse_kms_key_id")


class DarwinHook(BaseHook):
    """Reads and checks a connection of type ``darwin``.

    | field of the connection | meaning |
    |---|---|
    | host | URL of the S3 store; empty: AWS |
    | login, password | key pair; empty: the default chain of the AWS tools (roles, instance profiles, variables) |
    | extra ``region``, ``path_style``, ``ca_bundle``, ``sse_kms_key_id`` | see `StorageOptions` |
    | extra ``line`` | the model line that the test button looks at |
    | extra ``report_base_url`` | see `darwin_operators.links.store_url` |

    Args:
        darwin_conn_id: Id of the connection; None: no connection, everything is left to the environment.
    """

    conn_name_attr = "darwin_conn_id"
    default_conn_name = "darwin_default"
    conn_type = "darwin"
    hook_name = "Darwin"

    def __init__(self, darwin_conn_id: str | None = default_conn_name) -> None:
        super().__init__()
        self.darwin_conn_id = darwin_conn_id

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """How Airflow's connection form shows the standard fields; 3.3 reads the same from the provider's metadata."""
        behaviour = connection_form()["ui-field-behaviour"]
        return {name.replace("-", "_"): value for name, value in behaviour.items()}

    @cached_property
    def _connection(self) -> Any:
        return None if self.darwin_conn_id is None else self.get_connection(self.darwin_conn_id)

    @cached_property
    def _extra(self) -> dict[str, Any]:
        given = {} if self._connection is None else dict(self._connection.extra_dejson)
        return {name: value for name, value in given.items() if value not in (None, "")}

    def base_url(self, given: str | None = None) -> str:
        """URL under which the store's objects can be read: ``given``, else the connection's, else Airflow's setting."""
        return str(
            given or self._extra.get("report_base_url") or conf.get("darwin", "report_base_url", fallback="") or ""
        )

    def storage_options(self, given: StorageOptions | None = None) -> StorageOptions:
        """The connection's options; what ``given`` says comes first.

        Raises:
            RequestError: The connection holds a value that is not allowed.
        """
        found: dict[str, Any] = {name: self._extra[name] for name in _STORAGE_FIELDS if name in self._extra}
        if self._connection is not None and self._connection.host:
            host = self._connection.host
            found["endpoint_url"] = host if "://" in host else f"https://{host}"
        try:
            return StorageOptions.model_validate(found | (given.model_dump(exclude_defaults=True) if given else {}))
        except ValidationError as error:
            raise RequestError(
                f"Connection {self.darwin_conn_id} has a field that is not allowed: {explain_validation(error)}."
            ) from None

    def credentials(self) -> S3Credentials | None:
        """The connection's key pair; None where it holds none.

        Raises:
            RequestError: It holds one half of a pair.
        """
        if self._connection is None or not (self._connection.login or self._connection.password):
            return None
        if not (self._connection.login and self._connection.password):
            raise RequestError(
                f"Connection {self.darwin_conn_id} should hold an access key and a secret key, or neither; it holds "
                "one of them."
            )
        return S3Credentials(self._connection.login, self._connection.password)

    def environment(self) -> dict[str, str]:
        """What another process needs in its environment to use the connection's key pair; secret."""
        credentials = self.credentials()
        return {} if credentials is None else credentials.environment()

    def open_store(self, uri: str, given: StorageOptions | None = None) -> ObjectStore:
        """The store that serves ``uri``, with the connection's options and key pair."""
        return open_store(uri, self.storage_options(given), self.credentials())

    def get_conn(self) -> ObjectStore:
        """The store of the connection's model line."""
        return self.open_store(self._line())

    def champion(self, line: str | None = None) -> Pointer | None:
        """What the line's champion pointer says; None where nothing was published yet."""
        prefix = line or self._line()
        uri = join_uri(prefix, "pointers", f"{PointerName.CHAMPION}.json")
        try:
            return Pointer.from_json(self.open_store(prefix).read(uri).data, origin=uri)
        except ObjectNotFoundError:
            return None

    def test_connection(self) -> tuple[bool, str]:
        """What the button *Test* of a connection does: look up the champion. Writes nothing."""
        try:
            line, champion = self._line(), self.champion()
        except DarwinError as error:
            return False, str(error)
        return True, f"{line}: " + (f"the champion is {champion.version}" if champion else "nothing is published yet")

    def _line(self) -> str:
        line = self._extra.get("line")
        if not line:
            raise RequestError(
                f"Connection {self.darwin_conn_id} names no model line.", hint="Set line in its extra fields."
            )
        return str(line)
