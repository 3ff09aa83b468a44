"""The page's Python blocks are DAG files, exactly as they are written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from airflow.sdk import DAG

PAGE = Path(__file__).parents[3] / "operators" / "README.md"
FIRST, *VARIATIONS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_ten_lines_are_enough() -> None:
    ours = [line for line in FIRST.splitlines() if line.strip() and not re.match(r'    "|}', line)]
    assert len(ours) <= 10
    assert dags(FIRST) == {"compact_fraud": ["fetch-data", "synthesize", "evaluate", "explain", "publish"]}


@pytest.mark.parametrize("variation", VARIATIONS, ids=lambda text: text.split("\n", 1)[0])
def test_variations_load(variation: str) -> None:
    if "smtp" in variation:
        pytest.importorskip("airflow.providers.smtp")
    if "approval=" in variation:
        pytest.importorskip("airflow.providers.standard.operators.hitl", reason="needs Airflow 3.1")
    found = dags(
        "\n".join(
            [FIRST, *[text for text in VARIATIONS if text is not variation and "from airflow.sdk" in text], variation]
        )
    )
    assert found["compact_fraud"]


def dags(text: str) -> dict[str, list[str]]:
    """The DAGs of a file, with their tasks in order."""
    names: dict[str, object] = {}
    seen: dict[str, list[str]] = {}
    original = DAG.__exit__

    def leave(self: DAG, *arguments: object) -> None:
        original(self, *arguments)
        seen[self.dag_id] = [task.task_id for task in self.topological_sort()]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DAG, "__exit__", leave)
        exec(compile(text, str(PAGE), "exec"), names)  # the page is ours
    return seen
