"""Insights of the candidates of a search: probed once each, then read from their files."""

from __future__ import annotations

from pathlib import Path

from darwin_core.contracts import Insights
from darwin_core.dependency import DependencyGraph
from darwin_core.errors import RequestError
from darwin_core.storage import atomic_file
from darwin_core.synthesis.candidates import Candidate
from darwin_core.synthesis.inquisitor import Inquisitor


class Probings:
    """Remembers what the inquisitor saw.

    Args:
        inquisitor: Probes.
        folder: Where insights are kept; survives a kill.
    """

    def __init__(self, inquisitor: Inquisitor, folder: Path) -> None:
        self._inquisitor, self._folder = inquisitor, folder
        folder.mkdir(parents=True, exist_ok=True)

    def of(self, candidate: Candidate, graph: DependencyGraph) -> Insights:
        """The insights of a candidate.

        Args:
            candidate: Which one.
            graph: The dependency graph of its network.
        """
        path = self._folder / f"insights-{candidate.candidate_id}.json"
        try:
            return Insights.from_json(path.read_bytes(), origin=str(path))
        except (OSError, RequestError):
            found = self._inquisitor.probe(graph.source, graph, candidate.candidate_id)
            with atomic_file(path) as handle:
                handle.write(found.to_json().encode())
            return found
