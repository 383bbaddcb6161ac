"""Write the winner of a search to its folder."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from archscope.analysis import analyze
from archscope.language import graph
from archscope.linter import lint
from archscope.linter.records import record
from archscope.search.study_folder import StudyFolder
from archscope.sources import document
from archscope.space.bound_spec import bound_text
from archscope.space.search_space import Space


def write_winner(folder: StudyFolder, deployed: Space, choices: dict[str, Any], about: str) -> None:
    """Write a network as a plain spec, winner.yaml, and its analysis with findings."""
    name = f"{folder.path.name}_winner"
    text = bound_text(deployed, choices, name=name, about=f"found in '{deployed.name}' by"
                      f" archscope search; {about}")  # fmt: skip
    read = document(folder.write_text("winner.yaml", text))
    winner = graph(read)
    findings = tuple(map(record, lint(winner, read)))
    folder.write_json("winner.json", structs.replace(analyze(winner), findings=findings))
