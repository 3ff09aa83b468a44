"""The buttons 'Compaction report' and 'Published version' on a task, and the URLs behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from airflow.providers.common.compat.sdk import BaseOperatorLink

from darwin_core.contracts import StorageOptions

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, TaskInstanceKey


class CompactionReportLink(BaseOperatorLink):
    """Opens the HTML report. The URL is set by the operator and stored when the task ends."""

    name = "Compaction report"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002 - Airflow's signature
        """The report's URL; empty where the task has not come so far."""
        return str(getattr(operator, "report_url", "") or "")


class PublishedVersionLink(BaseOperatorLink):
    """Opens the model card of the version that the task published."""

    name = "Published version"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002 - Airflow's signature
        """The model card's URL; empty where nothing was published."""
        return str(getattr(operator, "version_url", "") or "")


def store_url(uri: str, storage: StorageOptions, base_url: str | None = None) -> str:
    """A URL that a browser can open, for an object in the object store.

    Args:
        uri: ``s3://bucket/key``, ``file:///path`` or a plain absolute path.
        storage: Connection options of the store.
        base_url: Where the store's objects are readable over HTTP. ``{bucket}`` and ``{key}`` are filled in; without
            them the key is appended.

    Returns:
        With ``base_url``, the address below it. Otherwise the AWS console's page of the object, the object's own
        address at another S3 endpoint, or a ``file://`` URL. Airflow's pages show a button for http(s) URLs only: where
        the model line is a folder, serve it and set ``base_url``; without it the URL is found in the log.
    """
    parts = urlsplit(uri if "://" in uri else f"file://{uri}")
    bucket, key = parts.netloc, quote(parts.path.lstrip("/"))
    if base_url:
        if "{" in base_url:
            return base_url.replace("{bucket}", bucket).replace("{key}", key)
        return f"{base_url.rstrip('/')}/{key}"
    if parts.scheme == "file":
        return f"file:///{key}"
    if storage.endpoint_url:
        return f"{storage.endpoint_url.rstrip('/')}/{bucket}/{key}"
    region = f"region={storage.region}&" if storage.region else ""
    return f"https://console.aws.amazon.com/s3/object/{bucket}?{region}prefix={key}"
