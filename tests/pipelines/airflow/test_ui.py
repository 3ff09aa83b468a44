"""What people see: grid, the buttons that open report and version, the graph of Assets. In Chromium, after a night.

With ``DARWIN_SCREENSHOTS`` naming a folder, the pictures of the documentation are written there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow_runtime import AirflowRuntime
    from nights import Night

    from .conftest import ModelStore

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(3600)]

SECONDS = 120_000


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(os.environ.get("DARWIN_SCREENSHOTS") or tmp_path_factory.mktemp("pictures"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def page(airflow: AirflowRuntime) -> Iterator[Any]:
    """A page of somebody who is logged in."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        found = browser.new_page(viewport={"width": 1280, "height": 720})
        found.set_default_timeout(SECONDS)
        found.goto(f"{airflow.url}/auth/login/")
        found.locator("input[name=username]").fill("admin")
        found.locator("input[name=password]").fill(airflow.password)
        found.locator("button[type=submit]").click()
        found.wait_for_url(lambda url: "/auth/" not in url)
        yield found
        browser.close()


def test_the_grid_shows_the_night(airflow: AirflowRuntime, page: Any, pictures: Path, first: Night) -> None:
    page.goto(f"{airflow.url}/dags/compact/runs/{first.compact}")
    for step in ("fetch-data", "synthesize", "evaluate", "explain", "publish"):
        page.get_by_text(step, exact=True).first.wait_for()
    page.wait_for_timeout(2000)
    page.screenshot(path=pictures / "airflow-grid.png")


def test_the_button_opens_the_report(airflow: AirflowRuntime, page: Any, pictures: Path, first: Night) -> None:
    page.goto(f"{airflow.url}/dags/compact/runs/{first.compact}/tasks/publish/details")
    button = page.get_by_role("link", name="Compaction report")
    button.wait_for()
    page.get_by_role("link", name="Published version").wait_for()
    page.wait_for_timeout(1000)
    page.screenshot(path=pictures / "airflow-links.png")
    with page.context.expect_page() as opened:
        button.click()
    report = opened.value
    report.wait_for_load_state()
    assert "PASS" in report.locator("body").inner_text()
    report.close()


def test_the_graph_of_assets(
    airflow: AirflowRuntime, store: ModelStore, page: Any, pictures: Path, first: Night
) -> None:
    (asset,) = [item for item in airflow.rest.get("assets", limit=100)["assets"] if item["uri"] == store.line]
    page.goto(f"{airflow.url}/assets/{asset['id']}")
    page.get_by_text("compact", exact=True).first.wait_for()
    page.wait_for_timeout(2000)
    page.screenshot(path=pictures / "airflow-asset.png")
