"""Write the winner of a search to its folder."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from archscope.analysis import analyze
from archscope.language import graph
from archscope.linter import lint
from archscope.linter.records import record
from archscope.search.result import SearchResult
from archscope.search.study_folder import StudyFolder
from archscope.sources import document
from archscope.space.bound_spec import bound_text
from archscope.space.search_space import Space


def remove_winner(folder: StudyFolder) -> None:
    """Remove the winner that an earlier part of a study wrote, if any."""
    for name in ("winner.yaml", "winner.json"):
        (folder.path / name).unlink(missing_ok=True)


def export_winner(
    folder: StudyFolder, deployed: Space, result: SearchResult, score: str = "validation accuracy"
) -> None:
    """Write the result, and the winner as a plain spec with its analysis; `score` is its name."""
    folder.write_json("summary.json", result)
    if result.winner is None:
        remove_winner(folder)
        return
    seeds = len(result.winner.scores)
    runs = f" over {seeds} seed{'s' * (seeds != 1)}" if any(result.winner.runs) else ""
    mean = result.winner.mean
    reached = f"{mean:.4f}" if result.metric.is_share else result.metric.format(mean)
    about = f"{score} {reached}{runs}; {result.verdict}"
    write_winner(folder, deployed, result.winner.choices, about)


def write_winner(folder: StudyFolder, deployed: Space, choices: dict[str, Any], about: str) -> None:
    """Write a network as a plain spec, winner.yaml, and its analysis with findings."""
    name = f"{folder.path.name}_winner"
    text = bound_text(deployed, choices, name=name, about=f"found in '{deployed.name}' by"
                      f" archscope search; {about}")  # fmt: skip
    read = document(folder.write_text("winner.yaml", text))
    winner = graph(read)
    findings = tuple(map(record, lint(winner, read)))
    folder.write_json("winner.json", structs.replace(analyze(winner), findings=findings))
