"""Common to all text formats: no heavy imports, conversion to specs, and errors of one line."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import archscope
from archscope.build import build
from archscope.errors import ArchscopeError
from archscope.folding.fold import readable
from archscope.importers.formats import FORMATS
from archscope.sources import imported
from tests.importers.files import FILES

IN_PYTHON = {"coreml", "onnx", "openvino", "tflite", "torch"}
"""Formats that need a package to be read; their own tests hold them to the same."""

CASES = pytest.mark.parametrize("folder", FILES)


def written(folder: str, where: Path, text: str | bytes | None = None) -> str:
    """Write a file of a format and return its path."""
    name, own = FILES[folder]
    path = where / name
    content = own if text is None else text
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def refusal(source: str) -> str | None:
    """Return what is said of a file that cannot be taken, None for one that can."""
    try:
        archscope.analyze(archscope.load(source))
    except ArchscopeError as error:
        return str(error)
    return None


def test_every_format_has_a_file() -> None:
    assert {entry.folder for entry in FORMATS.values()} - IN_PYTHON == set(FILES)


@CASES
def test_a_file_becomes_a_spec_that_builds_and_counts_the_same(folder: str, tmp_path: Path) -> None:
    found = imported(written(folder, tmp_path))
    graph = found.graph
    (tmp_path / "net.yaml").write_text(readable(graph).text)
    again = archscope.load(str(tmp_path / "net.yaml"))
    ours, theirs = (archscope.analyze(g) for g in (graph, again))
    assert (ours.totals.params, ours.totals.macs) == (theirs.totals.params, theirs.totals.macs)
    assert ours.totals.memory_access_bytes == theirs.totals.memory_access_bytes
    network = build(again).eval()
    assert sum(p.numel() for p in network.parameters()) == ours.totals.params
    made = network(torch.randn(2, *graph.inputs[0].out))
    made = made if isinstance(made, dict) else {again.outputs[0].name: made}
    shapes = {output.name: again.by_name[output.node].out for output in again.outputs}
    assert {name: tuple(value.shape[1:]) for name, value in made.items()} == shapes


@CASES
def test_a_file_is_analysed_without_heavy_packages(folder: str, tmp_path: Path) -> None:
    code = (
        "import sys; from archscope.cli import main; main(['analyze', sys.argv[1]]);"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, written(folder, tmp_path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(result.stderr.splitlines()[-1].split())
    assert not loaded & {"torch", "numpy", "onnx", "google", "networkx", "pandas"}


@CASES
def test_the_input_can_be_said(folder: str, tmp_path: Path) -> None:
    source = written(folder, tmp_path)
    graph = imported(source).graph
    (name,) = (node.name for node in graph.inputs)
    assert imported(source, (3, 64, 48)).graph.inputs[0].out == (3, 64, 48)
    assert imported(source, {name: (3, 64, 48)}).graph.inputs[0].out == (3, 64, 48)
    with pytest.raises(ArchscopeError, match="has no input 'other'"):
        imported(source, {"other": (3, 64, 48)})
    with pytest.raises(ArchscopeError, match=r"net\.\w+"):
        imported(source, (3, 64))


@CASES
def test_nodes_know_their_lines(folder: str, tmp_path: Path) -> None:
    source = written(folder, tmp_path)
    lines = [node.at.line for node in imported(source).graph.nodes if node.at]
    assert len(lines) == len(imported(source).graph.nodes)
    assert lines == sorted(lines)


@CASES
def test_a_file_cut_short_is_refused_in_a_line_or_is_whole(folder: str, tmp_path: Path) -> None:
    text = FILES[folder][1]
    for end in range(0, len(text), 29):
        said = refusal(written(folder, tmp_path, text[:end]))
        assert said is None or (Path(FILES[folder][0]).name in said and "\n" not in said)


@CASES
@pytest.mark.parametrize("value", ["0", "-1", "1000000000", "1" + "0" * 30, "-3.5", "nan", "abc"])
def test_a_wrong_number_is_refused_in_a_line_or_does_no_harm(
    folder: str, value: str, tmp_path: Path
) -> None:
    text = FILES[folder][1]
    refused = 0
    for number in re.finditer(r"(?<![\w.])-?\d+", text):
        changed = text[: number.start()] + value + text[number.end() :]
        said = refusal(written(folder, tmp_path, changed))
        assert said is None or (Path(FILES[folder][0]).name in said and "\n" not in said)
        refused += said is not None
    assert refused > 5


@CASES
def test_what_is_no_such_file_is_refused(folder: str, tmp_path: Path) -> None:
    missing = str(tmp_path / f"missing{Path(FILES[folder][0]).suffix}")
    assert re.search("no such file|is no file", str(refusal(missing)))
    for content in (b"", b"\x00\x01\x02", b"\xff\xfe garbage", b"name: net\nlayers: [relu]\n",
                    b"{" * 100_000, b"[" * 100_000, b"a" * 100_000, b"\n" * 1000):  # fmt: skip
        said = refusal(written(folder, tmp_path, content))
        assert said is not None
        assert "\n" not in said
        assert len(said) < 500


@CASES
def test_a_file_of_many_megabytes_is_not_read(folder: str, tmp_path: Path) -> None:
    said = refusal(written(folder, tmp_path, FILES[folder][1] + "\n" * (1 << 22)))
    assert "larger than the limit" in str(said)
