"""Apply fixes: edit the text of specs until no fix is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml
from msgspec import Struct, structs

from archscope.language.edit import Edit, EditableSpec, Patch, apply
from archscope.linter.config import Config
from archscope.linter.runner import Linter
from archscope.linter.targets import Target, load
from archscope.rules.rule import Finding, Fix
from archscope.sources import is_foreign

PASSES = 20
"""The most rounds of fixing. A fix may enable another; beyond this, two undo each other."""


class FixResult(Struct):
    """The outcome of fixing."""

    texts: dict[Path, tuple[str, str]]  # the text before and after, of files that change
    counts: Counter[str]  # fixes made, by code
    left: list[tuple[Target, list[Finding]]]  # remaining findings


def fix(
    sources: Sequence[str], config: Config, folders: Iterable[str], unsafe: bool = False
) -> FixResult:
    """Return the fixed texts of specs, without writing them.

    Only the sources and files in the folders are changed. An operator in a block is changed only
    if every instance of it, in all the specs, has the finding. A change that makes any spec
    unreadable is discarded.
    """
    unsaved: dict[str, str] = {}
    counts: Counter[str] = Counter()
    refused: set[Edit] = set()
    results: list[tuple[Target, list[Finding]]] = []
    editable = EditableFiles(sources, folders)
    for _ in range(PASSES):
        targets = [load(source, unsaved) for source in sources]
        results = _findings(targets, config, unsaved)
        chosen = [
            (code, found)
            for code, found in _fixes(targets, results, unsafe)
            if all(editable.holds(edit.file) for edit in found.edits)
            and not refused & set(found.edits)
        ]
        changed = False
        for file in sorted({edit.file for _, found in chosen for edit in found.edits}):
            key = str(Path(file).resolve())
            before = unsaved.get(key)
            text = _read(Path(file)) if before is None else before
            after, codes, edits = _patched(text, file, chosen)
            if after == text:
                continue
            unsaved[key] = after
            readable = all(
                load(target.source, unsaved).error is None
                for target in targets
                if target.error is None
            )
            changed = True
            if readable:
                counts.update(codes)
            else:
                refused.update(edits)
                unsaved[key] = text
        if not changed:
            break
    texts = {}
    for key, after in unsaved.items():
        text = _read(Path(key))
        if after != text:
            texts[Path(key)] = text, after
    return FixResult(texts, counts, results)


def _read(file: Path) -> str:
    """Return a text with its own ends of lines, which `Path.read_text` would replace."""
    return file.read_bytes().decode()


class EditableFiles:
    """The files that fixes may change: specs named by the user, and those in named folders."""

    def __init__(self, sources: Iterable[str], folders: Iterable[str]) -> None:
        self.files = {Path(source).resolve() for source in sources if not is_foreign(source)}
        self.folders = [Path(folder).resolve() for folder in folders]

    def holds(self, file: str) -> bool:
        """Return whether a file may be changed."""
        path = Path(file).resolve()
        return path in self.files or any(folder in path.parents for folder in self.folders)

    def offered(self, finding: Finding) -> Finding:
        """Return a finding without its fix if that would change other files."""
        edits = finding.fix.edits if finding.fix else ()
        if all(self.holds(edit.file) for edit in edits):
            return finding
        return structs.replace(finding, fix=None)


def _findings(
    targets: Iterable[Target], config: Config, unsaved: dict[str, str]
) -> list[tuple[Target, list[Finding]]]:
    linter = Linter(config, unsaved)
    return [
        (target, linter.findings(target.graph, target.document) if target.graph else [])
        for target in targets
    ]


def _fixes(
    targets: Sequence[Target], results: Iterable[tuple[Target, list[Finding]]], unsafe: bool
) -> list[tuple[str, Fix]]:
    """Return the fixes that apply to every instance of the text that they change."""
    nodes = Counter(
        (node.at.file, (node.at.line, node.at.column))
        for target in targets
        if target.graph
        for node in target.graph.nodes
        if node.at
    )
    wanted: Counter[tuple[str, Fix]] = Counter()
    for _, findings in results:
        wanted.update(
            (finding.code, finding.fix)
            for finding in findings
            if finding.fix and (finding.fix.safe or unsafe)
        )
    return [
        (code, found)
        for (code, found), times in wanted.items()
        if all(times >= nodes[edit.file, edit.at] for edit in found.edits)
    ]


def _patched(
    text: str, file: str, chosen: Sequence[tuple[str, Fix]]
) -> tuple[str, list[str], list[Edit]]:
    """Return the fixed text, and the codes and edits of the applied fixes."""
    try:
        spec = EditableSpec(text)
    except yaml.YAMLError:
        return text, [], []
    patches: list[Patch] = []
    codes: list[str] = []
    edits: list[Edit] = []
    for code, found in chosen:
        own = [(edit, spec.patch(edit)) for edit in found.edits if edit.file == file]
        for edit, patch in own:
            if patch is not None:
                patches.append(patch)
                codes.append(code)
                edits.append(edit)
    after, made = apply(text, patches)
    done = [number for number, yes in enumerate(made) if yes]
    return after, [codes[n] for n in done], [edits[n] for n in done]
