"""The page in Chromium: silent, offline, as wide as the screen, with enough contrast, inside a sandbox."""

from __future__ import annotations

import html
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import example_report as examples

from darwin_core.contracts import CompactionReport
from darwin_core.reporting import render_report

pytestmark = pytest.mark.browser

REPORTS: dict[str, Callable[[], CompactionReport]] = {
    "table": examples.table_report,
    "image": examples.image_report,
    "regression": examples.regression_report,
    "huge": examples.huge_report,
}

CONTRASTS = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = colour => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const over = (top, under) => top.slice(0, 3).map((c, i) => c * top[3] / 255 + under[i] * (1 - top[3] / 255));
  const luminance = c => {
    const [r, g, b] = c.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = element => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.unshift(rgba(getComputedStyle(at).backgroundColor));
    return layers.reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const poor = [];
  let seen = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
    if (!text || !element.getClientRects().length || ['title', 'TITLE'].includes(element.tagName)) continue;
    const style = getComputedStyle(element), inside = element.namespaceURI.endsWith('svg');
    const under = background(element), colour = over(rgba(inside ? style.fill : style.color), under);
    const [a, b] = [luminance(colour), luminance(under)].sort((x, y) => y - x);
    seen += 1;
    if ((a + 0.05) / (b + 0.05) < 4.5) poor.push(`${text.slice(0, 40)}: ${((a + 0.05) / (b + 0.05)).toFixed(2)}`);
  }
  return {seen, poor};
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("Chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture(params=REPORTS)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    path.write_text(render_report(REPORTS[request.param]()), encoding="utf-8")
    return path


def watched(browser: Any, **options: Any) -> tuple[Any, list[str], list[str]]:
    """A page, what it says on the console, and what it asks for."""
    page = browser.new_page(**options)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    return page, said, asked


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_is_silent_offline_and_legible(browser: Any, file: Path, scheme: str) -> None:
    page, said, asked = watched(browser, color_scheme=scheme, viewport={"width": 1200, "height": 900})
    page.goto(file.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(item => item.open = true)")
    contrasts = page.evaluate(CONTRASTS)
    assert contrasts["seen"] > 100
    assert contrasts["poor"] == []
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    page.close()


@pytest.mark.parametrize("width", [390, 820, 1200])
def test_never_scrolls_sideways(browser: Any, file: Path, width: int) -> None:
    page, _, _ = watched(browser, viewport={"width": width, "height": 844})
    page.goto(file.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(item => item.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.mark.parametrize("sandbox", ["", "allow-scripts"])
def test_shows_in_a_sandboxed_frame_fed_by_srcdoc(browser: Any, file: Path, tmp_path: Path, sandbox: str) -> None:
    frame = html.escape(file.read_text(encoding="utf-8"), quote=True)
    host = tmp_path / "host.html"
    host.write_text(
        f'<!doctype html><meta charset="utf-8"><iframe sandbox="{sandbox}" width="1000" height="800" srcdoc="{frame}">'
        "</iframe>",
        encoding="utf-8",
    )
    page, said, asked = watched(browser, viewport={"width": 1100, "height": 900})
    page.goto(host.as_uri())
    inside = page.frame_locator("iframe")
    assert inside.locator(".verdict-title").is_visible()
    inside.locator("summary").first.click()
    assert inside.locator("table").first.bounding_box()["width"] > 400
    assert [text for text in said if "Blocked script execution" not in text] == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:"))] == []
    page.close()


def test_prints_what_is_folded(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(render_report(examples.table_report()), encoding="utf-8")
    page, _, _ = watched(browser)
    page.goto(path.as_uri())
    folded = page.locator("dl.digests")
    assert not folded.is_visible()
    page.emulate_media(media="print")
    assert folded.bounding_box()["height"] > 50
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.close()
