"""The URL behind 'Compaction report'."""

import pytest

from darwin_core.contracts import StorageOptions
from darwin_operators.links import store_url

KEY = "models/fraud/runs/manual__1+00:00/explain/report.html"


@pytest.mark.parametrize(
    ("uri", "storage", "base_url", "expected"),
    [
        ("/data/line/report.html", {}, None, "file:///data/line/report.html"),
        ("file:///data/a b/report.html", {}, None, "file:///data/a%20b/report.html"),
        (
            "s3://bank/line/report.html",
            {"region": "eu-central-1"},
            None,
            "https://console.aws.amazon.com/s3/object/bank?region=eu-central-1&prefix=line/report.html",
        ),
        ("s3://bank/l/r.html", {}, None, "https://console.aws.amazon.com/s3/object/bank?prefix=l/r.html"),
        (
            "s3://bank/l/r.html",
            {"endpoint_url": "https://s3.bank.example/"},
            None,
            "https://s3.bank.example/bank/l/r.html",
        ),
        ("s3://bank/l/r.html", {}, "https://reports.example/", "https://reports.example/l/r.html"),
        (
            "s3://bank/l/r.html",
            {},
            "https://{bucket}.reports.example/{key}?v=1",
            "https://bank.reports.example/l/r.html?v=1",
        ),
        ("/data/r.html", {}, "https://reports.example/files", "https://reports.example/files/data/r.html"),
        (
            f"s3://bank/{KEY}",
            {},
            "https://r.example",
            "https://r.example/models/fraud/runs/manual__1%2B00%3A00/explain/report.html",
        ),
    ],
)
def test_store_url(uri: str, storage: dict[str, str], base_url: str | None, expected: str) -> None:
    assert store_url(uri, StorageOptions(**storage), base_url) == expected
