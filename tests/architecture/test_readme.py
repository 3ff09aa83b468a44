"""The pages hold what they promise: commands exist, links lead somewhere, Python blocks run or at least compile."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from darwin_core.cli import app

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "components" / "README.md", ROOT / "operators" / "README.md")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_command_is_described_and_exists() -> None:
    text = PAGES[0].read_text()
    described = set(re.findall(r"`darwin ([a-z-]+)", text)) | set(re.findall(r"^darwin ([a-z-]+)", text, re.MULTILINE))
    existing = set(get_command(app).commands)  # type: ignore[attr-defined]
    assert described <= existing
    assert existing - described <= {"demo"}  # the README shows it as `make demo`


def test_options_of_the_readme_exist() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    (shown,) = [block for block in blocks(PAGES[0], "sh") if "darwin compact" in block]
    options = {option for parameter in commands["compact"].params for option in parameter.opts}
    assert set(re.findall(r"(?<!\S)--[a-z-]+", shown)) <= options


def test_make_targets_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", PAGES[0].read_text())) <= targets


def test_the_kubeflow_page_compiles_its_pipeline(tmp_path: Path) -> None:
    pasted, *others = blocks(PAGES[1], "python")
    script = tmp_path / "fraud_nightly.py"
    script.write_text(pasted)
    subprocess.run([sys.executable, str(script)], cwd=tmp_path, check=True, capture_output=True)
    assert "fraud-nightly" in (tmp_path / "fraud_nightly.yaml").read_text()
    assert 8 <= len(re.findall(r"compact_after_training\((.*?)\n    \)", pasted, re.DOTALL)[0].splitlines()) + 2 <= 10
    for text in others:
        compile(text, "components/README.md", "exec")
