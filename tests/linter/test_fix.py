"""Fixes change only what they state, and only once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from archscope.build import build
from archscope.ir import Graph
from archscope.language import load
from archscope.language.files import zoo_folder
from archscope.linter.config import Config
from archscope.linter.fix import FixResult, fix
from tests.rules.cases import CASES, Case

FIXABLE = [case for case in CASES if case.expected and case.code in (
    "ACT103", "UNU101", "UNU102", "UNU103", "UNU104", "NRM101",
)]  # fmt: skip


def mend(path: Path, unsafe: bool = False) -> FixResult:
    mended = fix([path.as_posix()], Config(), [], unsafe)
    for file, (_, after) in mended.texts.items():
        file.write_text(after, encoding="utf-8")
    return mended


def written(case: Case, folder: Path) -> Path:
    path = folder / "case.yaml"
    path.write_text(case.text, encoding="utf-8")
    return path


def outputs(graph: Graph, weights: list[torch.Tensor]) -> torch.Tensor:
    torch.manual_seed(0)
    module = build(graph).eval()
    own = [*module.parameters()]
    assert [w.shape for w in own] == [w.shape for w in weights]
    with torch.no_grad():
        for mine, given in zip(own, weights, strict=True):
            mine.copy_(given)
    generator = torch.Generator().manual_seed(1)
    images = [torch.randn(2, *node.out, generator=generator) for node in graph.inputs]
    result = module(*images)
    assert isinstance(result, torch.Tensor)
    return result


@pytest.mark.parametrize("case", FIXABLE, ids=[case.id for case in FIXABLE])
def test_fixing_twice_changes_nothing_more(case: Case, tmp_path: Path) -> None:
    path = written(case, tmp_path)
    assert mend(path, unsafe=True).texts or "each" in case.text or case.id == "ACT103-1"
    again = mend(path, unsafe=True)
    assert not again.texts and not again.counts


@pytest.mark.parametrize("case", FIXABLE, ids=[case.id for case in FIXABLE])
def test_a_safe_fix_keeps_the_function(case: Case, tmp_path: Path) -> None:
    path = written(case, tmp_path)
    before = load(path)
    weights = [torch.randn_like(p) for p in build(before).parameters()]
    mend(path)
    after = load(path)
    assert torch.equal(outputs(before, weights), outputs(after, weights))


@pytest.mark.parametrize("case", FIXABLE, ids=[case.id for case in FIXABLE])
def test_comments_and_order_stay(case: Case, tmp_path: Path) -> None:
    path = written(case, tmp_path)
    mend(path, unsafe=True)
    kept = iter(case.text.splitlines())
    for line in path.read_text(encoding="utf-8").splitlines():
        # Every line is an old one, in the old order, or an old one with a part changed.
        assert any(line.split(":")[0].strip() in old for old in kept), line


def test_the_text_is_changed_at_the_place_alone(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "input:   [3, 8, 8]   # odd   blanks\n"
        "layers:\n"
        "- conv: 8   # no indentation\n"
        "- {batchnorm: }\n"
        "- relu   # this one stays\n"
        "\n"
        "- relu   # this one goes\n"
        "# a comment of its own\n"
        "- {conv: {out: 4,kernel: 3}}\n",
        encoding="utf-8",
    )
    mend(path, unsafe=True)
    assert path.read_text(encoding="utf-8") == (
        "input:   [3, 8, 8]   # odd   blanks\n"
        "layers:\n"
        "- conv: {out: 8, bias: false}   # no indentation\n"
        "- {batchnorm: }\n"
        "- relu   # this one stays\n"
        "\n"
        "# a comment of its own\n"
        "- {conv: {out: 4,kernel: 3}}\n"
    )


@pytest.mark.parametrize("case", FIXABLE, ids=[case.id for case in FIXABLE])
def test_ends_of_lines_stay_those_of_windows(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "case.yaml"
    path.write_bytes(case.text.replace("\n", "\r\n").encode())
    windows = fix([path.as_posix()], Config(), [], unsafe=True)
    path.write_bytes(case.text.encode())
    ours = fix([path.as_posix()], Config(), [], unsafe=True)
    (before, after), (_, expected) = windows.texts[path], ours.texts[path]
    assert before == case.text.replace("\n", "\r\n")
    assert after == expected.replace("\n", "\r\n")


def test_what_cannot_be_changed_alone_is_left(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    text = (
        "input: [3, 8, 8]\n"
        "blocks:\n"
        "  tail:\n"
        "    with: {act: }\n"
        "    layers:\n"
        "      - relu\n"
        "layers:\n"
        "  - conv: 8\n"
        "  - {tail: 1}\n"  # after a convolution the block's relu has work to do
        "  - {tail: 1}\n"
        "  - &shared {conv: 8}\n"
        "  - *shared\n"
        "  - relu\n"
        "  - relu\n"
    )
    path.write_text(text, encoding="utf-8")
    mended = mend(path, unsafe=True)
    assert not mended.texts
    assert path.read_text(encoding="utf-8") == text


def test_a_block_of_another_file_is_changed_only_with_its_folder(tmp_path: Path) -> None:
    (tmp_path / "parts.yaml").write_text(
        "blocks:\n  twice:\n    layers: [relu, relu]\n", encoding="utf-8"
    )
    path = tmp_path / "net.yaml"
    path.write_text(
        "input: [3, 8, 8]\nuse: [parts.yaml]\nlayers: [{conv: 8}, twice]\n", encoding="utf-8"
    )
    assert not fix([path.as_posix()], Config(), []).texts
    mended = fix([path.as_posix()], Config(), [tmp_path])
    ((file, (_, after)),) = mended.texts.items()
    assert file.name == "parts.yaml" and after.endswith("layers: [relu]\n")


def test_a_fix_that_would_break_another_spec_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        "input: [3, 8, 8]\nlet: {width: 8, spare: 4}\nlayers: [{conv: =width}]\n", encoding="utf-8"
    )
    (tmp_path / "child.yaml").write_text(
        "extends: base.yaml\nlayers: [{conv: =spare}, {conv: =width}]\n", encoding="utf-8"
    )
    sources = [(tmp_path / name).as_posix() for name in ("base.yaml", "child.yaml")]
    mended = fix(sources, Config(), [tmp_path])
    assert not mended.texts and not mended.counts
    assert [target.error for target, _ in mended.left] == [None, None]


def test_the_zoo_is_changed_only_where_biases_are_idle(tmp_path: Path) -> None:
    folder = tmp_path / "specs"
    shutil.copytree(zoo_folder(), folder)
    sources = [path.as_posix() for path in sorted(folder.glob("*.yaml"))]
    assert not fix(sources, Config(), [folder]).texts
    mended = fix(sources, Config(select=("NRM101",)), [folder], unsafe=True)
    assert {path.name for path in mended.texts} == {"resnet_cifar100_seed.yaml"}
    assert mended.counts == {"NRM101": 3}
